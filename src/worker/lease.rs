//! Leases: until when a message is held, and which calls for it are under way or allowed.

use {
    super::notify::Notify,
    crate::{
        sync::{Mutex, wake},
        time::Timestamp,
    },
    std::{
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
/// The handler has answered, and what becomes of the message is decided.
const DECIDED: u8 = 16;

/// The lease of a job on its message.
pub(super) struct Lease {
    /// Milliseconds of the instant until which the message is known to be held.
    until: AtomicU64,
    /// When the lease is next due, in milliseconds.
    renew_at: AtomicU64,
    /// Until when the lease may be renewed, in milliseconds.
    renew_until: AtomicU64,
    lost: Notify,
    /// Which calls for the message are under way or allowed.
    ///
    /// Invariant: a renewal is called only while neither `SETTLING` nor `RENEWAL_STOPPED` is set, and whoever sets one of
    /// them waits until `RENEWING` is cleared or the lease ends.
    calls: AtomicU8,
    /// Who waits for the answer to the renewal.
    renewal_waiters: Mutex<Vec<Waker>>,
}

impl Lease {
    pub(super) fn new(until: Timestamp, renew_at: Timestamp) -> Self {
        Self {
            until: AtomicU64::new(until.as_millis()),
            renew_at: AtomicU64::new(renew_at.as_millis()),
            renew_until: AtomicU64::new(u64::MAX),
            lost: Notify::default(),
            calls: AtomicU8::new(0),
            renewal_waiters: Mutex::default(),
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
        self.calls.fetch_or(RENEWAL_STOPPED, Ordering::AcqRel);
    }

    pub(super) fn renewal_stopped(&self) -> bool {
        self.calls.load(Ordering::Acquire) & RENEWAL_STOPPED != 0
    }

    /// Marks a renewal as called; `false` if none may be called now.
    pub(super) fn begin_renewal(&self) -> bool {
        let calls = &self.calls;
        let allowed = |calls| (calls & (RENEWING | SETTLING | RENEWAL_STOPPED) == 0).then_some(calls | RENEWING);
        calls.fetch_update(Ordering::AcqRel, Ordering::Acquire, allowed).is_ok()
    }

    /// Marks the renewal as answered, after its answer has been applied.
    pub(super) fn end_renewal(&self) {
        self.calls.fetch_and(!RENEWING, Ordering::AcqRel);
        let waiters = mem::take(&mut *self.renewal_waiters.lock());
        wake(waiters);
    }

    /// Whether a renewal has been called and not answered.
    pub(super) fn is_renewing(&self) -> bool {
        self.calls.load(Ordering::Acquire) & RENEWING != 0
    }

    /// Completes when no renewal is under way.
    pub(super) fn poll_renewed(&self, context: &Context<'_>) -> Poll<()> {
        let mut waiters = self.renewal_waiters.lock();
        // Checked under the lock: `end_renewal` clears the mark before it takes the waiters.
        if !self.is_renewing() {
            return Poll::Ready(());
        }
        if !waiters.iter().any(|waiter| waiter.will_wake(context.waker())) {
            waiters.push(context.waker().clone());
        }
        Poll::Pending
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
        self.calls.fetch_or(SETTLING, Ordering::AcqRel) & RENEWING != 0
    }

    /// Marks what becomes of the message as decided, though other messages of its batch may be settled first.
    pub(super) fn decide(&self) {
        self.calls.fetch_or(DECIDED, Ordering::AcqRel);
    }

    /// Whether what becomes of the message is decided.
    pub(super) fn is_decided(&self) -> bool {
        self.calls.load(Ordering::Acquire) & (SETTLING | DELETE_CALLED | DECIDED) != 0
    }

    /// Marks a delete as called: it may have reached the queue, whatever it answers.
    pub(super) fn delete_called(&self) {
        self.calls.fetch_or(DELETE_CALLED, Ordering::AcqRel);
    }

    pub(super) fn is_delete_called(&self) -> bool {
        self.calls.load(Ordering::Acquire) & DELETE_CALLED != 0
    }

    /// Allows renewals between a failed delete and the next.
    pub(super) fn pause_settling(&self) {
        self.calls.fetch_and(!SETTLING, Ordering::AcqRel);
    }

    /// Whether the lease is known to be lost.
    pub(super) fn is_lost(&self) -> bool {
        self.lost.is_notified()
    }

    /// Marks the lease as lost; returns whether it was not yet.
    pub(super) fn mark_lost(&self) -> bool {
        self.lost.notify()
    }

    /// Completes once the lease is lost.
    pub(super) fn poll_lost(&self, context: &Context<'_>) -> Poll<()> {
        self.lost.poll_notified(context)
    }
}
