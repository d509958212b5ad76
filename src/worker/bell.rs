//! Something that happens once, and whoever waits for it.

use {
    crate::sync::{Mutex, contain},
    std::{
        mem,
        sync::atomic::{AtomicBool, Ordering},
        task::{Context, Poll, Waker},
    },
};

/// Rings once.
#[derive(Debug, Default)]
pub(super) struct Bell {
    rung: AtomicBool,
    listeners: Mutex<Vec<Waker>>,
}

impl Bell {
    pub(super) fn is_rung(&self) -> bool {
        self.rung.load(Ordering::Acquire)
    }

    /// Wakes who listens; says whether it had not rung before.
    pub(super) fn ring(&self) -> bool {
        let first = !self.rung.swap(true, Ordering::AcqRel);
        if first {
            let listeners = mem::take(&mut *self.listeners.lock());
            for listener in listeners {
                contain(|| listener.wake());
            }
        }
        first
    }

    pub(super) fn poll_rung(&self, context: &Context<'_>) -> Poll<()> {
        let mut listeners = self.listeners.lock();
        // Under the lock: whoever rings takes the listeners afterwards.
        if self.is_rung() {
            return Poll::Ready(());
        }
        if !listeners.iter().any(|listener| listener.will_wake(context.waker())) {
            listeners.push(context.waker().clone());
        }
        Poll::Pending
    }
}
