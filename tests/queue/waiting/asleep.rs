//! How a test learns that the receivers it started have gone to sleep: `Queue::wait_for_waiters`.

use {
    crate::{
        common::{receive, secs, standard},
        waiter::{long_poll, within_patience},
    },
    requeue::{ManualClock, Queue},
    std::{
        sync::atomic::{AtomicBool, Ordering},
        task::Poll,
        thread,
        time::Duration,
    },
};

const WAIT: Duration = secs(20);

fn jobs(clock: &ManualClock) -> Queue {
    standard(clock).build().unwrap()
}

#[test]
fn it_returns_once_so_many_threads_and_futures_sleep() {
    // D10
    within_patience(|| {
        let clock = ManualClock::default();
        let jobs = jobs(&clock);
        jobs.wait_for_waiters(0);
        let mut future = long_poll(&jobs, |jobs| jobs.receive().wait_time(WAIT));
        assert!(future.poll().is_pending());
        let threads = [(); 3].map(|()| {
            let jobs = jobs.clone();
            thread::spawn(move || jobs.receive().wait_time(WAIT).blocking().unwrap().len())
        });
        jobs.wait_for_waiters(4);
        clock.advance(WAIT);
        assert_eq!(threads.map(|thread| thread.join().unwrap()), [0, 0, 0]);
        assert_eq!(future.poll(), Poll::Ready(Ok(Vec::new())));
    });
}

/// Calls `wait_for_waiters(1)` on a thread while the one poll in line is due or woken, then lets it look in vain.
fn waits_for_the_look(wake: fn(&ManualClock, &Queue), wait: Duration) {
    within_patience(move || {
        let clock = ManualClock::default();
        let jobs = jobs(&clock);
        let mut future = long_poll(&jobs, move |jobs| jobs.receive().wait_time(wait));
        assert!(future.poll().is_pending());
        wake(&clock, &jobs);
        let looked = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                jobs.wait_for_waiters(1);
                assert!(looked.load(Ordering::SeqCst), "it was still to look");
            });
            thread::yield_now();
            looked.store(true, Ordering::SeqCst);
            if future.poll().is_ready() {
                future = long_poll(&jobs, move |jobs| jobs.receive().wait_time(wait));
                assert!(future.poll().is_pending());
            }
        });
    });
}

#[test]
fn a_receiver_that_has_been_woken_counts_again_when_it_has_looked_in_vain() {
    // D12
    waits_for_the_look(
        |_, jobs| {
            jobs.send("a").unwrap();
            assert_eq!(receive(jobs, 1).len(), 1);
        },
        WAIT,
    );
}

#[test]
fn a_receiver_whose_time_is_up_does_not_count() {
    // D10
    waits_for_the_look(|clock, _| clock.advance(WAIT), WAIT);
}

#[test]
fn it_returns_when_the_queue_is_deleted() {
    // Q38
    within_patience(|| {
        let clock = ManualClock::default();
        let jobs = jobs(&clock);
        thread::scope(|scope| {
            scope.spawn(|| jobs.wait_for_waiters(1));
            jobs.delete_queue().unwrap();
        });
        jobs.wait_for_waiters(1);
    });
}
