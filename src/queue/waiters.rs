//! Who waits for a queue, longest first.

use std::{collections::BTreeMap, task::Waker};

/// A place in line; a smaller number has waited longer.
pub(super) type Ticket = u64;

#[derive(Debug)]
struct Waiter {
    waker: Waker,
    /// Woken and not yet back: it will look by itself, so the next event wakes the next in line.
    notified: bool,
}

/// Parked receivers, or parked senders, of one queue (D12).
///
/// Whoever leaves the line while there is more to do must have the next one notified, otherwise a wake would end
/// with it: a future may be dropped between its wake and its poll.
#[derive(Debug, Default)]
pub(super) struct Waiters {
    line: BTreeMap<Ticket, Waiter>,
    issued: Ticket,
}

impl Waiters {
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.line.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.line.len()
    }

    /// Puts the caller in line, or back to sleep in the place it has.
    pub(super) fn park(&mut self, ticket: &mut Option<Ticket>, waker: Waker) {
        let number = *ticket.get_or_insert_with(|| {
            self.issued += 1;
            self.issued
        });
        let notified = false;
        self.line.insert(number, Waiter { waker, notified });
    }

    /// Whether this ticket has waited longest.
    pub(super) fn is_first(&self, ticket: Option<Ticket>) -> bool {
        ticket.is_some() && self.line.keys().next().copied() == ticket
    }

    /// Takes the caller out of line.
    pub(super) fn leave(&mut self, ticket: &mut Option<Ticket>) {
        if let Some(number) = ticket.take() {
            self.line.remove(&number);
        }
    }

    /// The waker of the one who has waited longest and is not on its way already.
    pub(super) fn notify_next(&mut self) -> Option<Waker> {
        let waiter = self.line.values_mut().find(|waiter| !waiter.notified)?;
        waiter.notified = true;
        Some(waiter.waker.clone())
    }

    /// The waker of the one who has waited longest, whether on its way or not.
    pub(super) fn notify_first(&mut self) -> Option<Waker> {
        let waiter = self.line.values_mut().next()?;
        waiter.notified = true;
        Some(waiter.waker.clone())
    }

    /// Everybody's waker; the line stays until each has left it.
    pub(super) fn notify_all(&mut self) -> Vec<Waker> {
        let notify = |waiter: &mut Waiter| {
            waiter.notified = true;
            waiter.waker.clone()
        };
        self.line.values_mut().map(notify).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    struct Count(AtomicUsize);

    impl std::task::Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn waker() -> (Arc<Count>, Waker) {
        let count = Arc::new(Count(AtomicUsize::new(0)));
        (Arc::clone(&count), Waker::from(count))
    }

    #[test]
    fn each_event_notifies_the_next_in_line() {
        let mut waiters = Waiters::default();
        let (first, first_waker) = waker();
        let (second, second_waker) = waker();
        let (mut first_ticket, mut second_ticket) = (None, None);
        waiters.park(&mut first_ticket, first_waker.clone());
        waiters.park(&mut second_ticket, second_waker);
        for _ in 0..3 {
            if let Some(waker) = waiters.notify_next() {
                waker.wake();
            }
        }
        assert_eq!(
            (first.0.load(Ordering::Relaxed), second.0.load(Ordering::Relaxed)),
            (1, 1)
        );
        waiters.park(&mut first_ticket, first_waker);
        assert!(waiters.is_first(first_ticket), "who looked in vain lost its place");
        assert!(
            waiters
                .notify_next()
                .is_some_and(|waker| waker.will_wake(&Waker::from(first)))
        );
    }

    #[test]
    fn who_left_is_never_notified() {
        let mut waiters = Waiters::default();
        let mut ticket = None;
        waiters.park(&mut ticket, waker().1);
        waiters.leave(&mut ticket);
        assert!(ticket.is_none() && waiters.is_empty() && waiters.notify_next().is_none());
        assert!(waiters.notify_first().is_none() && waiters.notify_all().is_empty());
    }
}
