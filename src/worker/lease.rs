//! Leases: until when a message is held, and which calls for it are under way or allowed.

use {
    crate::{
        sync::{Mutex, wake},
        time::Timestamp,
    },
    std::{
        collections::BTreeMap,
        mem,
        sync::atomic::{AtomicU8, AtomicU64, Ordering},
        task::{Context, Poll, Waker},
    },
};

/// A renewal has been called and not answered.
const RENEWING: u8 = 1;
/// The message is being settled: no renewal may be called meanwhile.
const SETTLING: u8 = 2;
/// No renewal may be called any more.
const RENEWAL_STOPPED: u8 = 4;
/// A delete may have reached the queue, so that a refused renewal does not mean a lost lease.
const DELETE_CALLED: u8 = 8;
/// What becomes of the message is decided: the handler has answered, or was told as timed out.
const DECIDED: u8 = 16;
/// The lease is lost.
const LOST: u8 = 32;
/// The runner is being stopped, and was not when the handler began.
const STOPPING: u8 = 64;
/// The handler is being called or polled.
const HANDLING: u8 = 128;

/// The lease of a job on its message.
pub(super) struct Lease {
    /// Milliseconds of the instant until which the message is known to be held.
    until: AtomicU64,
    /// When the lease is next due, in milliseconds.
    renew_at: AtomicU64,
    /// When the handler times out, until when the lease may be renewed, in milliseconds; [`u64::MAX`] until it is called.
    renew_until: AtomicU64,
    /// Which calls for the message are under way or allowed, and what its handler may wait for.
    ///
    /// Invariant: a renewal is called only while neither `SETTLING` nor `RENEWAL_STOPPED` is set, and whoever sets one of
    /// them waits until `RENEWING` is cleared or the lease ends.
    state: AtomicU8,
    /// Who waits for a change of the state: all are woken by each, and look again.
    waiters: Mutex<Waiters>,
}

/// A future's place among those that wait for a change; it gives the place up when it is dropped.
pub(super) type Place = Option<u64>;

#[derive(Default)]
struct Waiters {
    /// At most one for each future that lives.
    wakers: BTreeMap<u64, Waker>,
    issued: u64,
}

/// What may be waited for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Change {
    /// No renewal is under way.
    Renewed,
    /// The lease is lost.
    Lost,
    /// The runner is being stopped.
    Stopping,
}

impl Change {
    const fn is_reached(self, state: u8) -> bool {
        match self {
            Self::Renewed => state & RENEWING == 0,
            Self::Lost => state & LOST != 0,
            Self::Stopping => state & STOPPING != 0,
        }
    }
}

impl Lease {
    pub(super) fn new(until: Timestamp, renew_at: Timestamp) -> Self {
        Self {
            until: AtomicU64::new(until.as_millis()),
            renew_at: AtomicU64::new(renew_at.as_millis()),
            renew_until: AtomicU64::new(u64::MAX),
            state: AtomicU8::new(0),
            waiters: Mutex::default(),
        }
    }

    pub(super) fn is_held_at(&self, now: Timestamp) -> bool {
        !self.is_lost() && now < self.held_until()
    }

    /// Until when the message is known to be held.
    pub(super) fn held_until(&self) -> Timestamp {
        Timestamp::from_millis(self.until.load(Ordering::Relaxed))
    }

    /// When the lease is next due for renewal.
    pub(super) fn renew_at(&self) -> Timestamp {
        Timestamp::from_millis(self.renew_at.load(Ordering::Relaxed))
    }

    pub(super) fn set_renew_at(&self, at: Timestamp) {
        self.renew_at.store(at.as_millis(), Ordering::Relaxed);
    }

    /// Ends the renewal of the lease for good: the message is about to be hidden, moved or given back.
    pub(super) fn stop_renewal(&self) {
        self.state.fetch_or(RENEWAL_STOPPED, Ordering::AcqRel);
    }

    pub(super) fn renewal_stopped(&self) -> bool {
        self.state.load(Ordering::Acquire) & RENEWAL_STOPPED != 0
    }

    /// Marks a renewal as called; `false` if none may be called now.
    pub(super) fn begin_renewal(&self) -> bool {
        // One call for a message at a time: a renewal that arrives after a return to the queue would undo it.
        let allowed = |state| (state & (RENEWING | SETTLING | RENEWAL_STOPPED) == 0).then_some(state | RENEWING);
        let state = &self.state;
        state.fetch_update(Ordering::AcqRel, Ordering::Acquire, allowed).is_ok()
    }

    /// Marks the renewal as answered, after its answer has been applied.
    pub(super) fn end_renewal(&self) {
        self.state.fetch_and(!RENEWING, Ordering::AcqRel);
        wake(self.take_waiters());
    }

    /// Whether a renewal has been called and not answered.
    pub(super) fn is_renewing(&self) -> bool {
        self.state.load(Ordering::Acquire) & RENEWING != 0
    }

    /// Until when the lease may be renewed.
    pub(super) fn renew_until(&self) -> Timestamp {
        Timestamp::from_millis(self.renew_until.load(Ordering::Relaxed))
    }

    pub(super) fn set_renew_until(&self, at: Timestamp) {
        self.renew_until.store(at.as_millis(), Ordering::Relaxed);
    }

    pub(super) fn hold_until(&self, until: Timestamp) {
        self.until.store(until.as_millis(), Ordering::Relaxed);
    }

    /// Marks the message as being settled, so that no renewal is called; returns whether one is under way.
    pub(super) fn settle(&self) -> bool {
        self.state.fetch_or(SETTLING, Ordering::AcqRel) & RENEWING != 0
    }

    /// Marks what becomes of the message as decided, though other messages of its batch may be settled first.
    pub(super) fn decide(&self) {
        self.state.fetch_or(DECIDED, Ordering::AcqRel);
    }

    /// Whether what becomes of the message is decided.
    pub(super) fn is_decided(&self) -> bool {
        self.state.load(Ordering::Acquire) & (SETTLING | DELETE_CALLED | DECIDED) != 0
    }

    /// Marks the handler as being called or polled; until that ends it may be found to have timed out.
    pub(super) fn begin_poll(&self) {
        self.state.fetch_or(HANDLING, Ordering::AcqRel);
    }

    /// Ends a call or poll of the handler, which decides what becomes of the message if it has answered; returns whether
    /// that had been decided before, because it timed out.
    pub(super) fn end_poll(&self, answered: bool) -> bool {
        let decided = if answered { DECIDED } else { 0 };
        let ended = |state| Some((state & !HANDLING) | decided);
        let before = self.state.fetch_update(Ordering::AcqRel, Ordering::Acquire, ended);
        before.is_ok_and(|state| state & DECIDED != 0)
    }

    /// Decides that the handler has timed out, if it is being polled and nothing is decided; returns whether it did.
    pub(super) fn time_out(&self) -> bool {
        // Whichever of `end_poll` and `time_out` comes first decides; the exchange is atomic, so never both.
        let stuck = |state| (state & (HANDLING | DECIDED) == HANDLING).then_some(state | DECIDED);
        let state = &self.state;
        state.fetch_update(Ordering::AcqRel, Ordering::Acquire, stuck).is_ok()
    }

    /// Marks a delete as called: it may have reached the queue, whatever it answers.
    pub(super) fn delete_called(&self) {
        self.state.fetch_or(DELETE_CALLED, Ordering::AcqRel);
    }

    pub(super) fn is_delete_called(&self) -> bool {
        self.state.load(Ordering::Acquire) & DELETE_CALLED != 0
    }

    /// Allows renewals between a failed delete and the next.
    pub(super) fn pause_settling(&self) {
        self.state.fetch_and(!SETTLING, Ordering::AcqRel);
    }

    /// Whether the lease is known to be lost.
    pub(super) fn is_lost(&self) -> bool {
        self.state.load(Ordering::Acquire) & LOST != 0
    }

    /// Marks the lease as lost; returns whether it was not yet.
    pub(super) fn mark_lost(&self) -> bool {
        let first = self.state.fetch_or(LOST, Ordering::AcqRel) & LOST == 0;
        if first {
            wake(self.take_waiters());
        }
        first
    }

    /// Whether the runner is being stopped while the handler runs.
    pub(super) fn is_stopping(&self) -> bool {
        self.state.load(Ordering::Acquire) & STOPPING != 0
    }

    /// Marks the runner as being stopped; returns the wakers to call.
    pub(super) fn mark_stopping(&self) -> Vec<Waker> {
        self.state.fetch_or(STOPPING, Ordering::AcqRel);
        self.take_waiters()
    }

    fn take_waiters(&self) -> Vec<Waker> {
        mem::take(&mut self.waiters.lock().wakers).into_values().collect()
    }

    /// Completes once this is so; until then the future waits in its place.
    pub(super) fn poll(&self, change: Change, place: &mut Place, context: &Context<'_>) -> Poll<()> {
        let mut waiters = self.waiters.lock();
        // Checked under the lock: whoever changes the state takes the waiters after that.
        if change.is_reached(self.state.load(Ordering::Acquire)) {
            drop(waiters);
            self.leave(place);
            return Poll::Ready(());
        }
        let number = *place.get_or_insert_with(|| {
            waiters.issued += 1;
            waiters.issued
        });
        let before = match waiters.wakers.get(&number) {
            Some(waker) if waker.will_wake(context.waker()) => None,
            _ => waiters.wakers.insert(number, context.waker().clone()),
        };
        // A waker is dropped after the lock is released: that may run code of an executor.
        drop(waiters);
        drop(before);
        Poll::Pending
    }

    /// Gives up a future's place.
    pub(super) fn leave(&self, place: &mut Place) {
        let waker = place
            .take()
            .and_then(|number| self.waiters.lock().wakers.remove(&number));
        drop(waker);
    }
}

#[cfg(test)]
mod tests {
    use {
        super::*,
        std::{
            sync::{Arc, atomic::AtomicUsize},
            task::Wake,
        },
    };

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn each_future_has_one_place_at_most_and_all_that_wait_are_woken() {
        let lease = Lease::new(Timestamp::ZERO, Timestamp::ZERO);
        let counts = [(); 3].map(|()| Arc::new(Count::default()));
        let wakers = counts.clone().map(Waker::from);
        let mut places = [None; 2];
        for _ in 0..100 {
            for (place, change) in places.iter_mut().zip([Change::Lost, Change::Stopping]) {
                for waker in &wakers {
                    assert!(lease.poll(change, place, &Context::from_waker(waker)).is_pending());
                }
            }
        }
        assert_eq!(lease.waiters.lock().wakers.len(), 2);
        assert!(lease.mark_lost());
        let woken = counts.each_ref().map(|it| it.0.load(Ordering::Relaxed));
        assert_eq!(woken, [0, 0, 2], "by the wakers of their last polls");
        let context = Context::from_waker(&wakers[0]);
        assert!(lease.poll(Change::Lost, &mut places[0], &context).is_ready());
        assert!(lease.poll(Change::Stopping, &mut places[1], &context).is_pending());
        assert_eq!(lease.waiters.lock().wakers.len(), 1);
        lease.leave(&mut places[1]);
        assert!(lease.waiters.lock().wakers.is_empty());
        assert_eq!(lease.mark_stopping().len(), 0);
    }
}
