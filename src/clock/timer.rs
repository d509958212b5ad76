//! The timer thread, which wakes futures at an instant of the system clock; the first such future starts it.

use std::{collections::BTreeMap, task::Waker, thread};

use super::{Alarm, SystemClock};
use crate::{
    sync::{Condvar, Mutex, MutexGuard, contain},
    time::Timestamp,
};

static TIMER: Timer = Timer::new();

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
    const fn new() -> Self {
        let state = State {
            due: BTreeMap::new(),
            next_order: 0,
            running: false,
            sleeps_until: Timestamp::ZERO,
        };
        Self {
            state: Mutex::new(state),
            earlier: Condvar::new(),
        }
    }

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
                MutexGuard::unlocked(&mut state, || contain(|| waker.wake()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{mem, panic, sync::mpsc, time::Duration};

    use super::*;
    use crate::clock::{Clock as _, Parker, tests::waker_fn};

    /// A timer with a thread of its own; it lives as long as the process does.
    fn timer() -> &'static Timer {
        Box::leak(Box::new(Timer::new()))
    }

    fn after(millis: u64) -> Timestamp {
        SystemClock::new().now().saturating_add(Duration::from_millis(millis))
    }

    const NEVER: Timestamp = Timestamp::MAX;

    #[test]
    fn wakers_are_woken_in_order_at_their_deadlines_by_one_named_thread() {
        let (timer, (out, woken)) = (timer(), mpsc::channel());
        let start = after(0);
        let alarms = [30, 10, 20].map(|millis| {
            let (out, deadline) = (out.clone(), start.saturating_add(Duration::from_millis(millis)));
            let waker = waker_fn(move || {
                assert!(deadline <= SystemClock::new().now(), "too early");
                let thread = thread::current();
                out.send((millis, thread.id(), thread.name().map(str::to_owned)))
                    .unwrap();
            });
            timer.wake_at(deadline, waker)
        });
        let woken: Vec<_> = (0..3).map(|_| woken.recv().unwrap()).collect();
        assert_eq!(woken.iter().map(|it| it.0).collect::<Vec<_>>(), [10, 20, 30]);
        assert!(woken.iter().all(|it| it.1 == woken[0].1), "one thread");
        assert_eq!(woken[0].2.as_deref(), Some("requeue-timer"));
        drop(alarms);
    }

    #[test]
    fn wakers_of_one_millisecond_are_woken_in_the_order_they_came() {
        let (timer, (out, woken)) = (timer(), mpsc::channel());
        let deadline = after(2);
        let alarms = ["a", "b", "c"].map(|what| {
            let out = out.clone();
            timer.wake_at(deadline, waker_fn(move || out.send(what).unwrap()))
        });
        assert_eq!([(); 3].map(|()| woken.recv().unwrap()), ["a", "b", "c"]);
        drop(alarms);
    }

    #[test]
    fn a_deadline_already_reached_wakes() {
        let (out, woken) = mpsc::channel();
        let alarm = SystemClock::new().wake_at(Timestamp::ZERO, waker_fn(move || out.send(()).unwrap()));
        woken.recv().unwrap();
        drop(alarm);
    }

    #[test]
    fn the_thread_is_started_by_the_first_alarm() {
        let timer = timer();
        assert!(!timer.state.lock().running);
        drop(timer.wake_at(NEVER, Waker::noop().clone()));
        assert!(timer.state.lock().running);
    }

    #[test]
    fn dropped_alarms_leave_nothing_behind() {
        let timer = timer();
        let kept = std::sync::Arc::new(());
        let alarms: Vec<Alarm> = (0..1_000)
            .map(|millis| {
                let kept = kept.clone();
                let waker = waker_fn(move || drop(kept.clone()));
                timer.wake_at(after(3_600_000 + millis), waker)
            })
            .collect();
        assert_eq!(timer.state.lock().due.len(), 1_000);
        drop(alarms);
        assert!(timer.state.lock().due.is_empty());
        assert_eq!(std::sync::Arc::strong_count(&kept), 1, "the wakers are gone too");
    }

    #[test]
    fn a_dropped_alarm_does_not_wake() {
        let (timer, (out, woken)) = (timer(), mpsc::channel());
        let cancelled = out.clone();
        drop(timer.wake_at(after(2), waker_fn(move || cancelled.send("cancelled").unwrap())));
        let alarm = timer.wake_at(after(4), waker_fn(move || out.send("kept").unwrap()));
        assert_eq!(woken.recv(), Ok("kept"));
        drop(alarm);
    }

    #[test]
    fn a_panicking_waker_does_not_end_the_thread() {
        let (timer, (out, woken)) = (timer(), mpsc::channel());
        let panicking = waker_fn(|| panic::resume_unwind(Box::new("a waker's own panic")));
        let first = timer.wake_at(after(1), panicking);
        let second = timer.wake_at(after(2), waker_fn(move || out.send(()).unwrap()));
        woken.recv().unwrap();
        drop((first, second));
    }

    #[test]
    fn a_waker_may_set_and_drop_alarms() {
        let (timer, (out, woken)) = (timer(), mpsc::channel());
        let never = Mutex::new(Some(timer.wake_at(NEVER, Waker::noop().clone())));
        let alarm = timer.wake_at(
            after(1),
            waker_fn(move || {
                drop(never.lock().take());
                let out = out.clone();
                let again = timer.wake_at(after(1), waker_fn(move || out.send(()).unwrap()));
                mem::forget(again);
            }),
        );
        woken.recv().unwrap();
        assert!(timer.state.lock().due.is_empty());
        drop(alarm);
    }

    #[test]
    fn alarms_under_one_long_wait_do_not_wake_the_thread() {
        let timer = timer();
        let first = timer.wake_at(after(3_600_000), Waker::noop().clone());
        let asleep = || timer.state.lock().sleeps_until != Timestamp::ZERO;
        while !asleep() {
            thread::yield_now();
        }
        let sleeps_until = timer.state.lock().sleeps_until;
        drop(first);
        for _ in 0..100 {
            drop(timer.wake_at(sleeps_until, Waker::noop().clone()));
        }
        // Awake, it would find nothing due and sleep without end.
        SystemClock::new().park_until(&Parker::new(), Some(after(5)));
        assert_eq!(timer.state.lock().sleeps_until, sleeps_until);
    }

    #[test]
    fn an_earlier_alarm_shortens_the_wait() {
        let (timer, (out, woken)) = (timer(), mpsc::channel());
        let late = timer.wake_at(after(3_600_000), Waker::noop().clone());
        SystemClock::new().park_until(&Parker::new(), Some(after(5)));
        let early = timer.wake_at(after(1), waker_fn(move || out.send(()).unwrap()));
        woken.recv().unwrap();
        drop((late, early));
    }
}
