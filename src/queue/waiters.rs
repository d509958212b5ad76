//! The receivers that wait for messages of a queue, longest first.

use {
    crate::time::Timestamp,
    std::{collections::BTreeMap, task::Waker},
};

/// A place in line; a smaller number has waited longer.
pub(super) type Ticket = u64;

#[derive(Debug)]
struct Waiter {
    waker: Waker,
    /// When it will look unasked.
    until: Timestamp,
}

/// Parked receivers of one queue (D12).
///
/// Whoever leaves the line while there is more to do must have the next one notified, otherwise a wake would end
/// with it: a future may be dropped between its wake and its poll.
///
/// What falls due by itself is looked at by the first that sleeps only, so that a thousand sleepers are not woken by
/// one deadline; and whoever becomes the first is woken for that only if it would sleep longer.
///
/// A future may be kept and never polled, so nobody waits for the answer of one that was woken: the next event goes to
/// the next in line. Each step touches at most three waiters, however many there are.
#[derive(Debug)]
pub(super) struct Waiters {
    asleep: BTreeMap<Ticket, Waiter>,
    /// Woken and not yet back: they will look by themselves.
    notified: BTreeMap<Ticket, Waiter>,
    issued: Ticket,
}

impl Waiters {
    pub(super) const fn new() -> Self {
        Self {
            asleep: BTreeMap::new(),
            notified: BTreeMap::new(),
            issued: 0,
        }
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.asleep.is_empty() && self.notified.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.asleep.len() + self.notified.len()
    }

    /// Whether at least `n` are in line, and neither notified nor due to look unasked.
    pub(super) fn are_asleep(&self, n: usize, now: Timestamp) -> bool {
        let asleep = |waiter: &&Waiter| now < waiter.until;
        self.asleep.len() >= n && self.asleep.values().filter(asleep).take(n).count() >= n
    }

    /// Puts the caller in line, or back to sleep in the place it has; answers when it has to look again unasked: at its
    /// `deadline`, the first that sleeps also when the `next` thing falls due.
    ///
    /// The waker it had in line comes back to be dropped with the lock released: that may run code of an executor.
    pub(super) fn park(
        &mut self,
        ticket: &mut Option<Ticket>,
        waker: Waker,
        deadline: Timestamp,
        next: Option<Timestamp>,
    ) -> (Timestamp, Option<Waker>) {
        let number = *ticket.get_or_insert_with(|| {
            self.issued += 1;
            self.issued
        });
        let is_first = self.asleep.first_key_value().is_none_or(|(first, _)| number <= *first);
        let until = next.filter(|_| is_first).map_or(deadline, |next| next.min(deadline));
        let notified = self.notified.remove(&number);
        let asleep = self.asleep.insert(number, Waiter { waker, until });
        (until, notified.or(asleep).map(|before| before.waker))
    }

    /// Takes the caller out of line. Its waker comes back to be dropped with the lock released.
    pub(super) fn leave(&mut self, ticket: &mut Option<Ticket>) -> Option<Waker> {
        let number = ticket.take()?;
        let waiter = self.asleep.remove(&number);
        Some(waiter.or_else(|| self.notified.remove(&number))?.waker)
    }

    /// The waker of the one who has waited longest and is not on its way already.
    pub(super) fn notify_next(&mut self, now: Timestamp) -> Option<Waker> {
        self.pass_over_due(now);
        // A notified waiter keeps its ticket. If it finds nothing and parks again, it is back in its old place.
        let (number, waiter) = self.asleep.pop_first()?;
        let waker = waiter.waker.clone();
        self.notified.insert(number, waiter);
        Some(waker)
    }

    /// The waker of the first that sleeps, if it would sleep past what falls due at `next`. It stays the next in line:
    /// what comes meanwhile is for it, not for who came after.
    pub(super) fn notify_of(&mut self, next: Option<Timestamp>, now: Timestamp) -> Option<Waker> {
        let next = next?;
        self.pass_over_due(now);
        let mut asleep = self.asleep.values_mut();
        let first = asleep.next().filter(|first| next < first.until)?;
        first.until = next;
        Some(first.waker.clone())
    }

    /// One whose time to look has come has been woken by its clock and is on its way, unless it is the last that sleeps.
    fn pass_over_due(&mut self, now: Timestamp) {
        if self.asleep.len() > 1 {
            if let Some(first) = self.asleep.first_entry().filter(|first| first.get().until <= now) {
                let (number, waiter) = first.remove_entry();
                self.notified.insert(number, waiter);
            }
        }
    }

    /// Ends the line: everybody's waker.
    pub(super) fn notify_all(&mut self) -> impl Iterator<Item = Waker> + use<> {
        let line = [&mut self.notified, &mut self.asleep].map(std::mem::take);
        line.into_iter()
            .flat_map(BTreeMap::into_values)
            .map(|waiter| waiter.waker)
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
        fn park(waiters: &mut Waiters) -> Self {
            let mut waiting = Self::default();
            waiting.park_again(waiters);
            waiting
        }

        fn park_again(&mut self, waiters: &mut Waiters) {
            let waker = Arc::clone(&self.count).into();
            let _ = waiters.park(&mut self.ticket, waker, Timestamp::MAX, None);
        }

        /// Parks, and says when it looks again.
        fn park_until(&mut self, waiters: &mut Waiters, deadline: u64, next: u64) -> Option<Timestamp> {
            let waker = Arc::clone(&self.count).into();
            let deadline = Timestamp::from_millis(deadline);
            Some(waiters.park(&mut self.ticket, waker, deadline, at(next)).0)
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
        let [mut first, second] = [(); 2].map(|()| Waiting::park(&mut waiters));
        for _ in 0..3 {
            waiters.notify_next(Timestamp::ZERO).into_iter().for_each(Waker::wake);
        }
        assert_eq!(wakes([&first, &second]), [1, 1]);
        first.park_again(&mut waiters);
        let third = Waiting::park(&mut waiters);
        waiters.notify_next(Timestamp::ZERO).into_iter().for_each(Waker::wake);
        assert_eq!(
            wakes([&first, &second, &third]),
            [2, 1, 0],
            "who looked in vain lost its place"
        );
        waiters.notify_next(Timestamp::ZERO).into_iter().for_each(Waker::wake);
        assert_eq!(wakes([&first, &second, &third]), [2, 1, 1]);
        assert!(waiters.notify_next(Timestamp::ZERO).is_none());
    }

    #[test]
    fn only_the_first_in_line_looks_at_what_falls_due() {
        let mut waiters = Waiters::new();
        let [mut first, mut second] = [Waiting::default(), Waiting::default()];
        assert_eq!(first.park_until(&mut waiters, 9, 5), at(5));
        assert_eq!(second.park_until(&mut waiters, 9, 5), at(9));
        assert_eq!(first.park_until(&mut waiters, 4, 5), at(4), "in its old place");
        assert_eq!(first.park_until(&mut waiters, 9, 5), at(5));
        assert!(
            waiters.notify_of(at(5), Timestamp::ZERO).is_none() && waiters.notify_of(None, Timestamp::ZERO).is_none()
        );
        waiters
            .notify_of(at(4), Timestamp::ZERO)
            .into_iter()
            .for_each(Waker::wake);
        assert!(waiters.notify_of(at(4), Timestamp::ZERO).is_none(), "it knows");
        waiters.notify_next(Timestamp::ZERO).into_iter().for_each(Waker::wake);
        assert_eq!(wakes([&first, &second]), [2, 0], "it is still the next in line");
        waiters
            .notify_of(at(3), Timestamp::ZERO)
            .into_iter()
            .for_each(Waker::wake);
        assert_eq!(wakes([&first, &second]), [2, 1], "nobody waits for one that was woken");
    }

    #[test]
    fn who_becomes_the_first_in_line_is_woken_only_for_what_it_would_sleep_past() {
        let mut waiters = Waiters::new();
        let [mut first, mut second] = [Waiting::default(), Waiting::default()];
        first.park_until(&mut waiters, 9, 5);
        second.park_until(&mut waiters, 7, 5);
        let _ = waiters.leave(&mut first.ticket);
        assert!(waiters.notify_of(at(7), Timestamp::ZERO).is_none());
        waiters
            .notify_of(at(6), Timestamp::ZERO)
            .into_iter()
            .for_each(Waker::wake);
        assert_eq!(wakes([&first, &second]), [0, 1], "who left is never notified");
    }

    #[test]
    fn an_event_passes_over_a_waiter_whose_time_to_look_has_come() {
        let mut waiters = Waiters::new();
        let now = Timestamp::from_millis(5);
        let [mut first, mut second] = [Waiting::default(), Waiting::default()];
        first.park_until(&mut waiters, 9, 5);
        second.park_until(&mut waiters, 9, 5);
        waiters.notify_next(now).into_iter().for_each(Waker::wake);
        assert_eq!(wakes([&first, &second]), [0, 1], "the clock has woken the first");
        let mut third = Waiting::default();
        first.park_until(&mut waiters, 9, 5);
        third.park_until(&mut waiters, 9, 5);
        waiters.notify_of(at(8), now).into_iter().for_each(Waker::wake);
        assert_eq!(wakes([&first, &second, &third]), [0, 1, 1]);
        let _ = waiters.leave(&mut third.ticket);
        first.park_until(&mut waiters, 9, 5);
        waiters.notify_next(now).into_iter().for_each(Waker::wake);
        assert_eq!(wakes([&first, &second, &third]), [1, 1, 1], "nobody else sleeps");
    }

    #[test]
    fn asleep_is_who_is_neither_notified_nor_due() {
        let mut waiters = Waiters::new();
        let [mut first, mut second] = [Waiting::default(), Waiting::default()];
        let asleep = |waiters: &Waiters, now| {
            let are_asleep = |&n: &usize| waiters.are_asleep(n, Timestamp::from_millis(now));
            (0..).take_while(are_asleep).last().unwrap()
        };
        assert_eq!(asleep(&waiters, 0), 0);
        first.park_until(&mut waiters, 9, 5);
        second.park_until(&mut waiters, 7, 5);
        assert_eq!([4, 5, 6, 7].map(|now| asleep(&waiters, now)), [2, 1, 1, 0]);
        let _ = waiters.notify_next(Timestamp::ZERO);
        assert_eq!(asleep(&waiters, 4), 1);
        first.park_until(&mut waiters, 9, 5);
        assert_eq!(asleep(&waiters, 4), 2, "it looked in vain");
    }

    #[test]
    fn the_end_of_the_line_is_for_everybody_in_it() {
        let mut waiters = Waiters::new();
        let mut waiting = [(); 3].map(|()| Waiting::park(&mut waiters));
        let _ = waiters.leave(&mut waiting[1].ticket);
        waiters.notify_all().for_each(Waker::wake);
        assert_eq!(waiting.each_ref().map(Waiting::wakes), [1, 0, 1]);
        assert!(
            waiters.is_empty()
                && waiters.notify_next(Timestamp::ZERO).is_none()
                && waiters.notify_of(at(0), Timestamp::ZERO).is_none()
        );
        assert!(waiters.leave(&mut waiting[0].ticket).is_none());
    }
}
