//! In the machine's time: the few tests that show that nothing hangs on virtual time.

use {
    requeue::{
        Queue,
        worker::{Job, Runner},
    },
    std::{
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
        time::Duration,
    },
};

fn numbered(count: usize) -> Queue {
    let jobs = Queue::standard("jobs").build().unwrap();
    for number in 0..count {
        jobs.send(number.to_string()).unwrap();
    }
    jobs
}

#[test]
fn threads_empty_a_queue_and_each_message_is_handled_once() {
    let jobs = numbered(5_000);
    let handled = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&handled);
    let runner = Runner::builder(&jobs).concurrency(4).prefetch(10).until_none_visible();
    let runner = runner.each(move |_: &Job| {
        count.fetch_add(1, Ordering::Relaxed);
        Ok::<(), String>(())
    });
    let report = runner.unwrap().blocking().unwrap();
    assert_eq!((report.succeeded, handled.load(Ordering::Relaxed)), (5_000, 5_000));
}

#[test]
fn a_future_empties_a_queue() {
    let jobs = numbered(5_000);
    let runner = Runner::builder(&jobs).concurrency(100).until_none_visible();
    let runner = runner.each_async(|_: Job| async { Ok::<(), String>(()) }).unwrap();
    assert_eq!(pollster::block_on(runner.run()).unwrap().succeeded, 5_000);
}

#[test]
fn an_idle_runner_on_threads_stops_long_before_its_long_poll_would_end() {
    let jobs = numbered(0);
    let runner = Runner::builder(&jobs)
        .concurrency(4)
        .each(|_: &Job| Ok::<(), String>(()));
    let running = runner.unwrap().spawn().unwrap();
    jobs.wait_for_waiters(1);
    let clock = requeue::SystemClock::new();
    let began_at = requeue::Clock::now(&clock);
    running.handle().stop();
    assert_eq!(running.join().unwrap().received, 0);
    let span = requeue::Clock::now(&clock).saturating_duration_since(began_at);
    assert!(span < Duration::from_secs(10), "it took {span:?}");
}

#[test]
fn leases_are_renewed_in_real_time() {
    let jobs = numbered(1);
    let runner = Runner::builder(&jobs).visibility_timeout(Duration::from_millis(300));
    let runner = runner.until_none_visible().each(|job: &Job| {
        let clock = requeue::SystemClock::new();
        let begun = requeue::Clock::now(&clock);
        let parker = requeue::Parker::new();
        let end = begun.saturating_add(Duration::from_millis(900));
        while requeue::Clock::now(&clock) < end {
            requeue::Clock::park_until(&clock, &parker, Some(end));
        }
        match job.is_held() {
            true => Ok(()),
            false => Err("it is lost"),
        }
    });
    let report = runner.unwrap().blocking().unwrap();
    assert_eq!(
        (report.succeeded, report.lost, report.received),
        (1, 0, 1),
        "{report:?}"
    );
    assert!(report.heartbeats >= 3, "{report:?}");
}
