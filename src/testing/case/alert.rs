//! Whether a handler was woken, and by whom.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Wake, Waker},
    thread::{self, ThreadId},
};

/// What the waker of one run sets. A run is polled when it is set, and not otherwise.
pub(super) struct Alert {
    woken: AtomicBool,
    /// Another thread has woken it since it was last taken.
    from_elsewhere: AtomicBool,
    thread: ThreadId,
    /// Wakes the thread of the case.
    case: Waker,
}

impl Alert {
    /// `case` wakes the calling thread.
    pub(super) fn new(case: Waker) -> Arc<Self> {
        Arc::new(Self {
            woken: AtomicBool::new(false),
            from_elsewhere: AtomicBool::new(false),
            thread: thread::current().id(),
            case,
        })
    }

    pub(super) fn is_set(&self) -> bool {
        self.woken.load(Ordering::Acquire)
    }

    /// Unsets it before a poll, so that a wake during the poll is kept; whether another thread had set it.
    pub(super) fn take(&self) -> bool {
        self.woken.store(false, Ordering::Release);
        self.from_elsewhere.swap(false, Ordering::AcqRel)
    }
}

impl Wake for Alert {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let elsewhere = thread::current().id() != self.thread;
        if elsewhere {
            self.from_elsewhere.store(true, Ordering::Release);
        }
        self.woken.store(true, Ordering::Release);
        if elsewhere {
            self.case.wake_by_ref();
        }
    }
}
