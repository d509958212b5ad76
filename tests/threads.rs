//! Which threads the library starts: none for blocked receivers and none under a manual clock, one per process for
//! all futures on the system clock.
//!
//! One test in a process of its own, because it counts the threads of the process; elsewhere than on Linux nothing
//! tells them.

use {
    requeue::{Budget, Clock, ManualClock, Queue, SendMessage, SystemClock},
    std::{
        fs,
        future::{Future, IntoFuture},
        path::Path,
        pin::pin,
        task::{Context, Poll, Waker},
        thread,
        time::Duration,
    },
};

const TASKS: &str = "/proc/self/task";
const BRIEF: Duration = Duration::from_millis(5);
const WAIT: Duration = Duration::from_secs(20);

/// The names of the threads of this process, those of the test harness included.
fn threads() -> Vec<String> {
    let tasks = fs::read_dir(TASKS).unwrap().map(|task| task.unwrap().path());
    // A thread may end between the two readings.
    let names = tasks.filter_map(|task| fs::read_to_string(task.join("comm")).ok());
    names.map(|name| name.trim_end().to_owned()).collect()
}

/// A thread that was joined may be on the list a moment longer.
#[track_caller]
fn assert_threads(expected: usize) {
    let patience = SystemClock::new().now().saturating_add(WAIT);
    while threads().len() != expected && SystemClock::new().now() < patience {
        thread::yield_now();
    }
    assert_eq!(threads().len(), expected, "{:?}", threads());
}

fn ready<F: Future>(future: F) -> Option<F::Output> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

#[test]
fn only_futures_on_the_system_clock_have_a_thread_and_all_of_them_one() {
    if !Path::new(TASKS).exists() {
        return;
    }
    let before = threads().len();

    blocking_on_the_system_clock();
    assert_threads(before);

    a_manual_clock(before);
    assert_threads(before);

    // A future that need not wait asks nothing of the clock.
    let jobs = Queue::standard("jobs").build().unwrap();
    jobs.send("a").unwrap();
    let short = jobs.receive().wait_time(Duration::ZERO).into_future();
    assert_eq!(ready(short).unwrap().unwrap().len(), 1);
    jobs.send("b").unwrap();
    assert_eq!(
        ready(jobs.receive().wait_time(WAIT).into_future())
            .unwrap()
            .unwrap()
            .len(),
        1
    );
    assert_threads(before);

    for _ in 0..3 {
        futures_on_the_system_clock();
        assert_threads(before + 1);
        assert_eq!(threads().iter().filter(|name| *name == "requeue-timer").count(), 1);
    }
}

fn blocking_on_the_system_clock() {
    let dead = Queue::standard("dead").build().unwrap();
    let budget = Budget::new().messages(1);
    let jobs = Queue::standard("jobs")
        .dead_letter(&dead, 1)
        .budget(budget)
        .build()
        .unwrap();
    jobs.send(SendMessage::new("a").delay(BRIEF)).unwrap();
    assert!(jobs.send_timeout("b", BRIEF).is_err());
    let receive = || {
        jobs.receive()
            .visibility_timeout(BRIEF)
            .wait_time(WAIT)
            .blocking()
            .unwrap()
    };
    assert_eq!(receive().len(), 1);
    assert!(jobs.receive().wait_time(4 * BRIEF).blocking().unwrap().is_empty());
    assert_eq!(dead.receive().blocking().unwrap().len(), 1);
}

fn a_manual_clock(threads_before: usize) {
    let clock = ManualClock::default();
    let jobs = Queue::standard("jobs").clock(clock.clone()).build().unwrap();
    let mut polls: Vec<_> = (0..100)
        .map(|_| Box::pin(jobs.receive().wait_time(WAIT).into_future()))
        .collect();
    for poll in &mut polls {
        assert!(ready(poll).is_none());
    }
    thread::scope(|scope| {
        let consumer = scope.spawn(|| jobs.receive().wait_time(2 * WAIT / 3).blocking().unwrap());
        clock.wait_for_sleepers(101);
        assert_threads(threads_before + 1); // the consumer's own
        clock.advance(WAIT);
        assert!(consumer.join().unwrap().is_empty());
    });
    for poll in polls {
        assert!(ready(poll).unwrap().unwrap().is_empty());
    }
}

fn futures_on_the_system_clock() {
    let queues = ["a", "b"].map(|name| Queue::standard(name).build().unwrap());
    let receives = queues.iter().cycle().take(100);
    let mut polls: Vec<_> = receives
        .map(|queue| Box::pin(queue.receive().wait_time(BRIEF).into_future()))
        .collect();
    for poll in &mut polls {
        assert!(ready(poll).is_none());
    }
    for poll in polls {
        assert!(pollster::block_on(poll).unwrap().is_empty());
    }
}
