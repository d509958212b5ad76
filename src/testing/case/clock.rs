//! The clock of the queues of a case.

use {
    crate::{
        clock::{Alarm, Clock, ManualClock, Parker},
        time::Timestamp,
    },
    std::{
        task::Waker,
        thread::{self, ThreadId},
    },
};

/// A manual clock that the thread of the case cannot wait for: nobody else would move it.
#[derive(Clone)]
pub(super) struct CaseClock {
    clock: ManualClock,
    thread: ThreadId,
}

impl CaseClock {
    pub(super) fn new(clock: &ManualClock) -> Self {
        Self {
            clock: clock.clone(),
            thread: thread::current().id(),
        }
    }
}

impl Clock for CaseClock {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// # Panics
    /// In the thread of the case, where the kit catches it as a panic of the handler that waits.
    fn park_until(&self, parker: &Parker, deadline: Option<Timestamp>) {
        let over = deadline.is_some_and(|deadline| deadline <= self.now());
        assert!(
            over || thread::current().id() != self.thread,
            "a call that waits blocks the only thread of the check; use Context::wait"
        );
        self.clock.park_until(parker, deadline);
    }

    fn wake_at(&self, deadline: Timestamp, waker: Waker) -> Alarm {
        self.clock.wake_at(deadline, waker)
    }
}
