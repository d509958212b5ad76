//! Who waits for a queue, longest first.

use {
    crate::time::Timestamp,
    std::{collections::BTreeMap, task::Waker},
};

/// A place in line; a smaller number has waited longer.
pub(super) type Ticket = u64;

#[derive(Debug)]
struct Waiter {
    waker: Waker,
    /// Woken and not yet back: it will look by itself, so the next event wakes the next in line.
    notified: bool,
    /// How large the message of a sender is.
    size: usize,
}

/// Parked receivers, or parked senders, of one queue (D12).
///
/// Whoever leaves the line while there is more to do must have the next one notified, otherwise a wake would end
/// with it: a future may be dropped between its wake and its poll.
///
/// What falls due by itself is looked at by the first in line only, so that a thousand sleepers are not woken by one
/// deadline.
#[derive(Debug)]
pub(super) struct Waiters {
    line: BTreeMap<Ticket, Waiter>,
    issued: Ticket,
    /// Everybody in line before this place has been notified.
    asleep_from: Ticket,
    /// When the first in line looks by itself, its own deadline aside.
    looks_at: Timestamp,
}

impl Waiters {
    pub(super) const fn new() -> Self {
        Self {
            line: BTreeMap::new(),
            issued: 0,
            asleep_from: 0,
            looks_at: Timestamp::MAX,
        }
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.line.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.line.len()
    }

    /// Puts the caller in line, or back to sleep in the place it has.
    ///
    /// Answers with the waker it had there, to be dropped with the lock released: that may run code of an executor.
    pub(super) fn park(&mut self, ticket: &mut Option<Ticket>, waker: Waker, size: usize) -> Option<Waker> {
        let number = *ticket.get_or_insert_with(|| {
            self.issued += 1;
            self.issued
        });
        self.asleep_from = self.asleep_from.min(number);
        let waiter = Waiter {
            waker,
            notified: false,
            size,
        };
        self.line.insert(number, waiter).map(|before| before.waker)
    }

    /// When a caller who has just parked looks again unasked: at `deadline`, the first in line also at `next`.
    pub(super) fn looks_again(
        &mut self,
        ticket: Option<Ticket>,
        deadline: Timestamp,
        next: Option<Timestamp>,
    ) -> Timestamp {
        if !self.is_first(ticket) {
            return deadline;
        }
        self.looks_at = next.unwrap_or(Timestamp::MAX);
        deadline.min(self.looks_at)
    }

    /// Takes the caller out of line; what falls due is then for the next in line to look at.
    ///
    /// Answers with its waker, to be dropped with the lock released.
    pub(super) fn leave(&mut self, ticket: &mut Option<Ticket>) -> Option<Waker> {
        if self.is_first(*ticket) {
            self.looks_at = Timestamp::MAX;
        }
        let waiter = self.line.remove(&ticket.take()?)?;
        Some(waiter.waker)
    }

    /// The waker of the one who has waited longest and is not on its way already.
    pub(super) fn notify_next(&mut self) -> Option<Waker> {
        self.notify_next_of(|_| true)
    }

    /// [`notify_next`](Self::notify_next), passing over senders whose messages do not `fit`.
    pub(super) fn notify_next_of(&mut self, fit: impl Fn(usize) -> bool) -> Option<Waker> {
        let mut all_notified = true;
        for (&number, waiter) in self.line.range_mut(self.asleep_from..) {
            if !waiter.notified && fit(waiter.size) {
                waiter.notified = true;
                if all_notified {
                    self.asleep_from = number + 1;
                }
                return Some(waiter.waker.clone());
            }
            all_notified &= waiter.notified;
        }
        if all_notified {
            self.asleep_from = self.issued + 1;
        }
        None
    }

    /// The waker of the first in line, if it would otherwise sleep past what falls due at `next`; one that is on its
    /// way will look at that too. It stays the next in line: what comes meanwhile is for it, not for who came after.
    pub(super) fn notify_of(&mut self, next: Option<Timestamp>) -> Option<Waker> {
        let next = next.filter(|next| *next < self.looks_at)?;
        let first = self.line.values().next().filter(|first| !first.notified)?;
        self.looks_at = next;
        Some(first.waker.clone())
    }

    /// Ends the line: everybody's waker.
    pub(super) fn notify_all(&mut self) -> impl Iterator<Item = Waker> + use<> {
        let line = std::mem::take(&mut self.line);
        line.into_values().map(|waiter| waiter.waker)
    }

    /// Whether this ticket has waited longest.
    fn is_first(&self, ticket: Option<Ticket>) -> bool {
        ticket.is_some() && self.line.keys().next().copied() == ticket
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
        task::Wake,
    };

    /// Counts how often it is woken.
    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    struct Waiting {
        count: Arc<Count>,
        ticket: Option<Ticket>,
    }

    impl Waiting {
        fn park(waiters: &mut Waiters, size: usize) -> Self {
            let mut waiting = Self {
                count: Arc::default(),
                ticket: None,
            };
            waiting.park_again(waiters, size);
            waiting
        }

        fn park_again(&mut self, waiters: &mut Waiters, size: usize) {
            let _ = waiters.park(&mut self.ticket, Arc::clone(&self.count).into(), size);
        }

        fn wakes(&self) -> usize {
            self.count.0.load(Ordering::Relaxed)
        }
    }

    fn wakes<const N: usize>(waiting: [&Waiting; N]) -> [usize; N] {
        waiting.map(Waiting::wakes)
    }

    fn at(millis: u64) -> Option<Timestamp> {
        Some(Timestamp::from_millis(millis))
    }

    #[test]
    fn each_event_notifies_the_next_in_line() {
        let mut waiters = Waiters::new();
        let [mut first, second] = [0, 0].map(|size| Waiting::park(&mut waiters, size));
        for _ in 0..3 {
            waiters.notify_next().into_iter().for_each(Waker::wake);
        }
        assert_eq!(wakes([&first, &second]), [1, 1]);
        first.park_again(&mut waiters, 0);
        let third = Waiting::park(&mut waiters, 0);
        waiters.notify_next().into_iter().for_each(Waker::wake);
        assert_eq!(
            wakes([&first, &second, &third]),
            [2, 1, 0],
            "who looked in vain lost its place"
        );
        waiters.notify_next().into_iter().for_each(Waker::wake);
        assert_eq!(wakes([&first, &second, &third]), [2, 1, 1]);
        assert!(waiters.notify_next().is_none());
    }

    #[test]
    fn a_sender_whose_message_does_not_fit_is_passed_over_and_keeps_its_place() {
        let mut waiters = Waiters::new();
        let [large, small, other] = [9, 1, 2].map(|size| Waiting::park(&mut waiters, size));
        waiters
            .notify_next_of(|size| size < 3)
            .into_iter()
            .for_each(Waker::wake);
        assert_eq!(wakes([&large, &small, &other]), [0, 1, 0]);
        waiters.notify_next().into_iter().for_each(Waker::wake);
        assert_eq!(wakes([&large, &small, &other]), [1, 1, 0]);
    }

    #[test]
    fn only_the_first_in_line_looks_at_what_falls_due() {
        let mut waiters = Waiters::new();
        let [mut first, second] = [0, 0].map(|size| Waiting::park(&mut waiters, size));
        assert_eq!(waiters.looks_again(first.ticket, Timestamp::MAX, at(5)), at(5).unwrap());
        assert_eq!(
            waiters.looks_again(second.ticket, Timestamp::MAX, at(5)),
            Timestamp::MAX
        );
        assert!(waiters.notify_of(at(5)).is_none() && waiters.notify_of(None).is_none());
        waiters.notify_of(at(4)).into_iter().for_each(Waker::wake);
        assert!(waiters.notify_of(at(4)).is_none(), "it knows");
        waiters.notify_next().into_iter().for_each(Waker::wake);
        assert_eq!(wakes([&first, &second]), [2, 0], "it is still the next in line");
        assert!(waiters.notify_of(at(3)).is_none(), "it is on its way");
        let _ = waiters.leave(&mut first.ticket);
        waiters.notify_of(at(5)).into_iter().for_each(Waker::wake);
        assert_eq!(wakes([&first, &second]), [2, 1], "who left is never notified");
    }

    #[test]
    fn the_end_of_the_line_is_for_everybody_in_it() {
        let mut waiters = Waiters::new();
        let mut waiting = [0, 0, 0].map(|size| Waiting::park(&mut waiters, size));
        let _ = waiters.leave(&mut waiting[1].ticket);
        waiters.notify_all().for_each(Waker::wake);
        assert_eq!(waiting.each_ref().map(Waiting::wakes), [1, 0, 1]);
        assert!(waiters.is_empty() && waiters.notify_next().is_none() && waiters.notify_of(at(0)).is_none());
        assert!(waiters.leave(&mut waiting[0].ticket).is_none());
    }
}
