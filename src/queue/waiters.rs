//! Who waits for a queue, longest first.

use {
    crate::{state::touched::touch, time::Timestamp},
    std::{collections::BTreeMap, task::Waker},
};

/// A place in line; a smaller number has waited longer.
pub(super) type Ticket = u64;

#[derive(Debug)]
struct Waiter {
    waker: Waker,
    /// Woken and not yet back: it will look by itself, so the next event wakes the next in line.
    notified: bool,
    /// When it will look unasked.
    until: Timestamp,
    /// How large the message of a sender is.
    size: usize,
}

/// Parked receivers, or parked senders, of one queue (D12).
///
/// Whoever leaves the line while there is more to do must have the next one notified, otherwise a wake would end
/// with it: a future may be dropped between its wake and its poll.
///
/// What falls due by itself is looked at by the first in line only, so that a thousand sleepers are not woken by one
/// deadline; and whoever becomes the first is woken for that only if it would sleep longer.
#[derive(Debug)]
pub(super) struct Waiters {
    line: BTreeMap<Ticket, Waiter>,
    issued: Ticket,
    /// Everybody in line before this place has been notified.
    asleep_from: Ticket,
}

impl Waiters {
    pub(super) const fn new() -> Self {
        Self {
            line: BTreeMap::new(),
            issued: 0,
            asleep_from: 0,
        }
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.line.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.line.len()
    }

    /// How many are in line, and neither notified nor due to look unasked.
    pub(super) fn asleep(&self, now: Timestamp) -> usize {
        let asleep = |waiter: &&Waiter| !waiter.notified && now < waiter.until;
        self.line.values().filter(asleep).count()
    }

    /// Puts the caller in line, or back to sleep in the place it has; answers when it has to look again unasked: at its
    /// `deadline`, the first in line also when the `next` thing falls due.
    ///
    /// The waker it had in line comes back to be dropped with the lock released: that may run code of an executor.
    pub(super) fn park(
        &mut self,
        ticket: &mut Option<Ticket>,
        waker: Waker,
        size: usize,
        deadline: Timestamp,
        next: Option<Timestamp>,
    ) -> (Timestamp, Option<Waker>) {
        let number = *ticket.get_or_insert_with(|| {
            self.issued += 1;
            self.issued
        });
        self.asleep_from = self.asleep_from.min(number);
        let is_first = self.line.keys().next().is_none_or(|first| number <= *first);
        let until = next.filter(|_| is_first).map_or(deadline, |next| next.min(deadline));
        let waiter = Waiter {
            waker,
            notified: false,
            until,
            size,
        };
        let before = self.line.insert(number, waiter);
        (until, before.map(|before| before.waker))
    }

    /// Takes the caller out of line. Its waker comes back to be dropped with the lock released.
    pub(super) fn leave(&mut self, ticket: &mut Option<Ticket>) -> Option<Waker> {
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
            touch();
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
        let next = next?;
        let mut line = self.line.values_mut();
        let first = line.next().filter(|first| !first.notified && next < first.until)?;
        first.until = next;
        Some(first.waker.clone())
    }

    /// Ends the line: everybody's waker.
    pub(super) fn notify_all(&mut self) -> impl Iterator<Item = Waker> + use<> {
        let line = std::mem::take(&mut self.line);
        line.into_values().map(|waiter| waiter.waker)
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

    #[derive(Default)]
    struct Waiting {
        count: Arc<Count>,
        ticket: Option<Ticket>,
    }

    impl Waiting {
        fn park(waiters: &mut Waiters, size: usize) -> Self {
            let mut waiting = Self::default();
            waiting.park_again(waiters, size);
            waiting
        }

        fn park_again(&mut self, waiters: &mut Waiters, size: usize) {
            let waker = Arc::clone(&self.count).into();
            let _ = waiters.park(&mut self.ticket, waker, size, Timestamp::MAX, None);
        }

        /// Parks as a receiver, and says when it looks again.
        fn park_until(&mut self, waiters: &mut Waiters, deadline: u64, next: u64) -> Option<Timestamp> {
            let waker = Arc::clone(&self.count).into();
            let deadline = Timestamp::from_millis(deadline);
            Some(waiters.park(&mut self.ticket, waker, 0, deadline, at(next)).0)
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
        let [mut first, mut second] = [Waiting::default(), Waiting::default()];
        assert_eq!(first.park_until(&mut waiters, 9, 5), at(5));
        assert_eq!(second.park_until(&mut waiters, 9, 5), at(9));
        assert_eq!(first.park_until(&mut waiters, 4, 5), at(4), "in its old place");
        assert_eq!(first.park_until(&mut waiters, 9, 5), at(5));
        assert!(waiters.notify_of(at(5)).is_none() && waiters.notify_of(None).is_none());
        waiters.notify_of(at(4)).into_iter().for_each(Waker::wake);
        assert!(waiters.notify_of(at(4)).is_none(), "it knows");
        waiters.notify_next().into_iter().for_each(Waker::wake);
        assert_eq!(wakes([&first, &second]), [2, 0], "it is still the next in line");
        assert!(waiters.notify_of(at(3)).is_none(), "it is on its way");
    }

    #[test]
    fn who_becomes_the_first_in_line_is_woken_only_for_what_it_would_sleep_past() {
        let mut waiters = Waiters::new();
        let [mut first, mut second] = [Waiting::default(), Waiting::default()];
        first.park_until(&mut waiters, 9, 5);
        second.park_until(&mut waiters, 7, 5);
        let _ = waiters.leave(&mut first.ticket);
        assert!(waiters.notify_of(at(7)).is_none());
        waiters.notify_of(at(6)).into_iter().for_each(Waker::wake);
        assert_eq!(wakes([&first, &second]), [0, 1], "who left is never notified");
    }

    #[test]
    fn asleep_is_who_is_neither_notified_nor_due() {
        let mut waiters = Waiters::new();
        let [mut first, mut second] = [Waiting::default(), Waiting::default()];
        let asleep = |waiters: &Waiters, now| waiters.asleep(Timestamp::from_millis(now));
        assert_eq!(asleep(&waiters, 0), 0);
        first.park_until(&mut waiters, 9, 5);
        second.park_until(&mut waiters, 7, 5);
        assert_eq!([4, 5, 6, 7].map(|now| asleep(&waiters, now)), [2, 1, 1, 0]);
        let _ = waiters.notify_next();
        assert_eq!(asleep(&waiters, 4), 1);
        first.park_until(&mut waiters, 9, 5);
        assert_eq!(asleep(&waiters, 4), 2, "it looked in vain");
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
