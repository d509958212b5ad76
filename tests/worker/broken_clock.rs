//! A clock of the user's that panics.

use {
    crate::common::{counts, standard},
    requeue::{
        Alarm, Clock, ManualClock, Parker, Timestamp,
        worker::{Job, Runner},
    },
    std::{
        panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
        sync::{
            Arc,
            atomic::{AtomicBool, Ordering},
        },
        task::Waker,
    },
};

/// A clock that can be broken, and panics from then on.
#[derive(Clone, Debug)]
struct Fragile {
    clock: ManualClock,
    is_broken: Arc<AtomicBool>,
}

impl Clock for Fragile {
    fn now(&self) -> Timestamp {
        if self.is_broken.load(Ordering::SeqCst) {
            resume_unwind(Box::new("the clock is broken"));
        }
        self.clock.now()
    }

    fn park_until(&self, parker: &Parker, deadline: Option<Timestamp>) {
        self.clock.park_until(parker, deadline);
    }

    fn wake_at(&self, deadline: Timestamp, waker: Waker) -> Alarm {
        self.clock.wake_at(deadline, waker)
    }
}

#[test]
fn a_clock_that_goes_on_to_panic_ends_the_runner_and_not_the_process() {
    for blocking in [false, true] {
        let clock = Fragile {
            clock: ManualClock::default(),
            is_broken: Arc::default(),
        };
        let jobs = standard(&clock.clock).build().unwrap();
        let _ = jobs.send_batch(["1", "2", "3"]).unwrap();
        let is_broken = Arc::clone(&clock.is_broken);
        let runner = Runner::builder(&jobs)
            .clock(clock.clone())
            .concurrency(2)
            .each(move |_: &Job| {
                is_broken.store(true, Ordering::SeqCst);
                Ok::<(), String>(())
            });
        let runner = runner.unwrap();
        let run = move || match blocking {
            true => runner.blocking(),
            false => pollster::block_on(runner.run()),
        };
        let panic = catch_unwind(AssertUnwindSafe(run)).unwrap_err();
        assert_eq!(panic.downcast_ref(), Some(&"the clock is broken"));
        assert!(counts(&jobs)[0] + counts(&jobs)[1] >= 1, "nothing goes on");
    }
}
