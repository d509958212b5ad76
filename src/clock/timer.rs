//! The one thread that wakes wakers in the machine's time, started by the first of them.

use std::{
    collections::BTreeMap,
    mem,
    panic::{self, AssertUnwindSafe},
    task::Waker,
    thread,
};

use super::{Alarm, SystemClock};
use crate::{
    Timestamp,
    sync::{Condvar, Mutex, MutexGuard},
};

static TIMER: Timer = Timer {
    state: Mutex::new(State { due: BTreeMap::new(), next_order: 0, running: false, sleeps_until: Timestamp::ZERO }),
    earlier: Condvar::new(),
};

/// Deadlines in order, and the thread that waits for the first. No waker is called or dropped under the lock.
struct Timer {
    state: Mutex<State>,
    /// Signalled when a deadline comes in before the one the thread sleeps for.
    earlier: Condvar,
}

struct State {
    due: BTreeMap<Key, Waker>,
    next_order: u64,
    /// Whether the thread has been started; it never ends.
    running: bool,
    /// What the thread sleeps for; `ZERO` while it is awake and will look at `due` before it sleeps.
    ///
    /// A cancelled alarm leaves it as it is: the thread wakes once for nothing, and alarms that come and go under
    /// one long wait do not each wake it.
    sleeps_until: Timestamp,
}

/// Deadline, then order of registration.
type Key = (Timestamp, u64);

pub(super) fn wake_at(deadline: Timestamp, waker: Waker) -> Alarm {
    TIMER.wake_at(deadline, waker)
}

impl Timer {
    fn wake_at(&'static self, deadline: Timestamp, waker: Waker) -> Alarm {
        let mut state = self.state.lock();
        if !state.running {
            let started = thread::Builder::new().name("requeue-timer".into()).spawn(|| self.run());
            if started.is_err() {
                // Without a thread the waiter has to poll, which is better than never waking it.
                drop(state);
                waker.wake();
                return Alarm::default();
            }
            state.running = true;
        }
        let key = (deadline, state.next_order);
        state.next_order += 1;
        state.due.insert(key, waker);
        if deadline < state.sleeps_until {
            self.earlier.notify_one();
        }
        Alarm::new(move || self.cancel(key))
    }

    fn cancel(&self, key: Key) {
        let cancelled = self.state.lock().due.remove(&key);
        drop(cancelled);
    }

    fn run(&self) {
        let mut state = self.state.lock();
        loop {
            let Some(first) = state.due.first_entry() else {
                state.sleeps_until = Timestamp::MAX;
                self.earlier.wait(&mut state);
                state.sleeps_until = Timestamp::ZERO;
                continue;
            };
            let (deadline, _) = *first.key();
            if let Some(remaining) = SystemClock::remaining(deadline) {
                state.sleeps_until = deadline;
                self.earlier.wait_for(&mut state, remaining);
                state.sleeps_until = Timestamp::ZERO;
            } else {
                let waker = first.remove();
                MutexGuard::unlocked(&mut state, || wake_caught(waker));
            }
        }
    }
}

/// A waker that panics must not end the thread that serves all the others.
fn wake_caught(waker: Waker) {
    if let Err(payload) = panic::catch_unwind(AssertUnwindSafe(|| waker.wake())) {
        // Dropping a payload runs code of its author, which could panic again.
        mem::forget(payload);
    }
}
