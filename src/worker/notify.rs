//! An event that happens once, and the futures that wait for it.

use {
    crate::sync::{Mutex, contain},
    std::{
        mem,
        sync::atomic::{AtomicBool, Ordering},
        task::{Context, Poll, Waker},
    },
};

/// A one-shot notification.
#[derive(Debug, Default)]
pub(super) struct Notify {
    notified: AtomicBool,
    waiters: Mutex<Vec<Waker>>,
}

impl Notify {
    pub(super) fn is_notified(&self) -> bool {
        self.notified.load(Ordering::Acquire)
    }

    /// Wakes all waiters; returns whether this was the first call.
    pub(super) fn notify(&self) -> bool {
        let first = !self.notified.swap(true, Ordering::AcqRel);
        if first {
            let waiters = mem::take(&mut *self.waiters.lock());
            for waiter in waiters {
                contain(|| waiter.wake());
            }
        }
        first
    }

    pub(super) fn poll_notified(&self, context: &Context<'_>) -> Poll<()> {
        let mut waiters = self.waiters.lock();
        // Checked under the lock: `notify` sets the flag before it takes the waiters.
        if self.is_notified() {
            return Poll::Ready(());
        }
        if !waiters.iter().any(|waiter| waiter.will_wake(context.waker())) {
            waiters.push(context.waker().clone());
        }
        Poll::Pending
    }
}
