//! The same runner on threads, in virtual time.

use {
    super::driver::Gauge,
    crate::common::{MILLISECOND, counts, fifo, in_group, numbered, secs, send_grouped},
    requeue::{
        Clock, ManualClock, Parker, Queue,
        backend::Running,
        worker::{BatchAnswer, BatchSettings, Each, Job, Runner, RunnerError, RunnerHandle, RunnerState},
    },
    std::{
        collections::BTreeSet,
        panic::resume_unwind,
        sync::{Arc, Mutex},
        thread,
        time::Duration,
    },
};

/// Blocks the thread of a handler for a span of virtual time.
pub(crate) fn block(clock: &ManualClock, span: Duration) {
    let end = clock.now().saturating_add(span);
    let parker = Parker::new();
    while clock.now() < end {
        clock.park_until(&parker, Some(end));
    }
}

/// Starts a runner on an empty queue, then sends this many messages, and returns once all its threads wait.
fn busy<F>(
    clock: &ManualClock,
    jobs: &Queue,
    runner: Runner<Queue, Each<F>>,
    workers: usize,
    messages: usize,
) -> Running<RunnerHandle>
where
    F: Fn(&Job) -> Result<(), String> + Send + Sync + 'static,
{
    let running = runner.spawn().unwrap();
    jobs.wait_for_waiters(1);
    // The workers, the lease renewer, and the alarms of the long poll and of the renewer.
    clock.wait_for_sleepers(workers + 3);
    for number in 0..messages {
        jobs.send(number.to_string()).unwrap();
    }
    clock.advance(Duration::ZERO);
    running
}

#[test]
fn blocking_handles_all_kinds_of_handlers_and_returns_what_was_done() {
    let clock = ManualClock::default();
    for kind in 0..4 {
        let jobs = numbered(&clock, 25);
        let builder = Runner::builder(&jobs).concurrency(3).prefetch(2).until_none_visible();
        let settings = BatchSettings::new(4);
        let report = match kind {
            0 => builder.each(|_: &Job| Ok::<(), String>(())).unwrap().blocking(),
            1 => builder
                .each_async(|_: Job| async { Ok::<(), String>(()) })
                .unwrap()
                .blocking(),
            2 => builder
                .batch(settings, |_: &[Job]| BatchAnswer::success())
                .unwrap()
                .blocking(),
            _ => builder
                .batch_async(settings, |_: Vec<Job>| async { BatchAnswer::success() })
                .unwrap()
                .blocking(),
        };
        let report = report.unwrap();
        assert_eq!((report.received, report.succeeded, counts(&jobs)), (25, 25, [0, 0, 0]));
    }
}

#[test]
fn as_many_threads_run_handlers_as_the_concurrency_says() {
    let clock = ManualClock::default();
    let jobs = numbered(&clock, 0);
    let (gauge, own) = (Gauge::default(), clock.clone());
    let inside = gauge.clone();
    let runner = Runner::builder(&jobs).concurrency(4).each(move |_: &Job| {
        let _inside = inside.enter();
        block(&own, secs(10));
        Ok::<(), String>(())
    });
    let running = busy(&clock, &jobs, runner.unwrap(), 4, 12);
    for done in [0, 4, 8] {
        clock.advance(secs(10) - MILLISECOND);
        assert_eq!((gauge.now(), running.handle().report().succeeded), (4, done));
        clock.advance(MILLISECOND);
    }
    running.handle().stop();
    let report = running.join().unwrap();
    assert_eq!((gauge.most(), report.succeeded, report.retries), (4, 12, 0));
}

#[test]
fn a_group_is_worked_on_in_order_by_threads() {
    // F18
    let clock = ManualClock::default();
    let jobs = fifo(&clock).build().unwrap();
    let bodies: Vec<_> = (0..200).map(|number| format!("g{}-{number:03}", number % 7)).collect();
    send_grouped(&jobs, bodies.iter().map(String::as_str));
    let done = Arc::new(Mutex::new(Vec::new()));
    let lines = Arc::clone(&done);
    let runner = Runner::builder(&jobs).concurrency(4).prefetch(5).until_none_visible();
    let runner = runner.each(move |job: &Job| {
        lines.lock().unwrap().push(job.body().to_owned());
        Ok::<(), String>(())
    });
    let report = runner.unwrap().blocking().unwrap();
    assert_eq!((report.succeeded, report.retries), (200, 0));
    let done = done.lock().unwrap();
    for group in 0..7 {
        let prefix = format!("g{group}-");
        let of: Vec<_> = done.iter().filter(|body| body.starts_with(&prefix)).collect();
        assert!(of.windows(2).all(|pair| pair[0] < pair[1]), "{of:?}");
    }
}

#[test]
fn the_heartbeat_of_threads_holds_what_is_worked_on_and_what_waits() {
    // D29
    let clock = ManualClock::default();
    let jobs = numbered(&clock, 0);
    let own = clock.clone();
    let runner = Runner::builder(&jobs).prefetch(3).each(move |_: &Job| {
        block(&own, secs(100));
        Ok::<(), String>(())
    });
    let running = busy(&clock, &jobs, runner.unwrap(), 1, 1);
    for _ in 0..3 {
        jobs.send("more").unwrap();
    }
    for second in 0..100 {
        assert_eq!(counts(&jobs)[1], 1, "at {second} s");
        clock.advance(secs(1));
    }
    for second in 0..299 {
        assert_eq!(counts(&jobs)[0], 0, "at {second} s");
        clock.advance(secs(1));
    }
    clock.advance(secs(1));
    running.handle().stop();
    let report = running.join().unwrap();
    assert_eq!((report.succeeded, report.retries, report.lost), (4, 0, 0));
}

#[test]
fn a_panic_in_a_thread_is_a_failure_of_its_message() {
    let clock = ManualClock::default();
    let jobs = numbered(&clock, 20);
    let runner = Runner::builder(&jobs).concurrency(2).until_none_visible();
    let runner = runner.each(|job: &Job| -> Result<(), String> {
        if job.body().len() == 1 {
            resume_unwind(Box::new("no"));
        }
        Ok(())
    });
    let report = runner.unwrap().blocking().unwrap();
    assert_eq!((report.panicked, report.failed, report.succeeded), (10, 10, 10));
    assert_eq!(counts(&jobs), [0, 10, 0]);
}

#[test]
fn a_stop_of_threads_gives_back_what_is_not_begun_and_waits_for_handlers() {
    let clock = ManualClock::default();
    let jobs = numbered(&clock, 0);
    let own = clock.clone();
    let runner = Runner::builder(&jobs).concurrency(2).prefetch(4).each(move |_: &Job| {
        block(&own, secs(20));
        Ok::<(), String>(())
    });
    let running = busy(&clock, &jobs, runner.unwrap(), 2, 1);
    for _ in 0..5 {
        jobs.send("more").unwrap();
    }
    clock.advance(secs(1));
    let in_flight = counts(&jobs)[1];
    running.handle().stop();
    clock.advance(Duration::ZERO);
    let given_back = running.handle().report().given_back;
    assert_eq!((counts(&jobs), given_back as usize), ([4, 2, 0], in_flight - 2));
    clock.advance(secs(20));
    let report = running.join().unwrap();
    assert_eq!(
        (report.succeeded, report.given_back, report.abandoned),
        (2, given_back, 0)
    );
}

#[test]
fn handlers_of_threads_are_abandoned_after_the_grace_and_count_once() {
    let clock = ManualClock::default();
    let jobs = numbered(&clock, 0);
    let own = clock.clone();
    let runner = Runner::builder(&jobs).shutdown_timeout(secs(5)).each(move |_: &Job| {
        block(&own, secs(60));
        Ok::<(), String>(())
    });
    let running = busy(&clock, &jobs, runner.unwrap(), 1, 1);
    let handle = running.handle();
    handle.stop();
    clock.advance(secs(5));
    let report = running.join().unwrap();
    assert_eq!((report.abandoned, report.succeeded), (1, 0));
    clock.advance(secs(60));
    assert_eq!((handle.report().abandoned, handle.report().succeeded), (1, 0));
    assert_eq!(counts(&jobs), [0, 0, 0], "what was done is deleted all the same");
}

#[test]
fn a_running_runner_that_is_dropped_stops() {
    let clock = ManualClock::default();
    let jobs = numbered(&clock, 0);
    let running = Runner::builder(&jobs)
        .concurrency(3)
        .each(|_: &Job| Ok::<(), String>(()));
    let running = running.unwrap().spawn().unwrap();
    jobs.wait_for_waiters(1);
    drop(running);
    while jobs.waiting() > 0 {
        thread::yield_now();
    }
    jobs.send("a").unwrap();
    assert_eq!(counts(&jobs), [1, 0, 0], "nobody receives any more");
}

#[test]
fn a_queue_deleted_under_threads_ends_them_with_that_error() {
    let clock = ManualClock::default();
    let jobs = numbered(&clock, 0);
    let runner = Runner::builder(&jobs)
        .concurrency(3)
        .each(|_: &Job| Ok::<(), String>(()));
    let running = runner.unwrap().spawn().unwrap();
    jobs.wait_for_waiters(1);
    jobs.delete_queue().unwrap();
    assert!(matches!(running.join(), Err(RunnerError::Queue { .. })));
}

#[test]
fn a_wrapper_that_does_not_call_its_thread_ends_the_runner_with_an_error() {
    let clock = ManualClock::default();
    let jobs = numbered(&clock, 1);
    let wrappers: [fn(&mut dyn FnMut()); 2] = [|_| {}, |_| resume_unwind(Box::new("no runtime"))];
    for wrapper in wrappers {
        let runner = Runner::builder(&jobs).concurrency(2).wrap_threads(wrapper);
        let result = runner.each(|_: &Job| Ok::<(), String>(())).unwrap().blocking();
        let text = "a worker thread failed: it ended before the runner did";
        let error = result.unwrap_err();
        assert_eq!(error.to_string(), text);
        let RunnerError::Thread { report, .. } = error else {
            panic!("{error}")
        };
        assert_eq!((report.state, report.received), (RunnerState::Ended, 0));
    }
    assert_eq!(counts(&jobs), [1, 0, 0]);
}

#[test]
fn a_wrapper_may_call_its_thread_twice_to_no_effect() {
    let clock = ManualClock::default();
    let jobs = fifo(&clock).build().unwrap();
    jobs.send(in_group("g", "a")).unwrap();
    let runner = Runner::builder(&jobs).until_none_visible().wrap_threads(|work| {
        work();
        work();
    });
    let report = runner.each(|_: &Job| Ok::<(), String>(())).unwrap().blocking();
    assert_eq!(report.unwrap().succeeded, 1);
}

#[test]
fn handles_steer_from_several_threads_at_once_and_no_job_is_lost() {
    let jobs = numbered(&ManualClock::default(), 2_000);
    let inside = Gauge::default();
    let builder = Runner::builder(&jobs).concurrency(2).prefetch(3).until_none_visible();
    let (handle, gauge, done) = (builder.handle(), inside.clone(), Arc::new(Mutex::new(Vec::new())));
    let lines = Arc::clone(&done);
    let runner = builder.each(move |job: &Job| {
        let _inside = gauge.enter();
        lines.lock().unwrap().push(job.body().to_owned());
        Ok::<(), String>(())
    });
    let running = runner.unwrap().spawn().unwrap();
    let steering = (0..3).map(|number| {
        let handle = handle.clone();
        thread::spawn(move || {
            for turn in 0..200 {
                match (turn + number) % 4 {
                    0 => handle.pause(),
                    1 => handle.set_concurrency(1 + turn % 4).unwrap(),
                    2 => drop(handle.report().to_string()),
                    _ => handle.resume(),
                }
            }
        })
    });
    let steering: Vec<_> = steering.collect();
    steering.into_iter().for_each(|thread| thread.join().unwrap());
    handle.resume();
    let report = running.join().unwrap();
    assert_eq!((report.succeeded, report.received, report.retries), (2_000, 2_000, 0));
    assert!((1..=4).contains(&report.concurrency) && inside.most() <= 4);
    let mut done = std::mem::take(&mut *done.lock().unwrap());
    done.sort();
    done.dedup();
    assert_eq!(done.len(), 2_000);
}

#[test]
fn threads_are_started_and_ended_as_the_concurrency_says() {
    let jobs = numbered(&ManualClock::default(), 0);
    let (threads, held) = (Gauge::default(), Gauge::default());
    let (count, inside, end) = (threads.clone(), held.clone(), Arc::new(Mutex::new(())));
    let builder = Runner::builder(&jobs).wrap_threads(move |work| {
        let is_worker = thread::current()
            .name()
            .is_some_and(|name| name.starts_with("requeue-w"));
        let _inside = is_worker.then(|| count.enter());
        work();
    });
    let gate = Arc::clone(&end);
    let runner = builder.each(move |_: &Job| {
        let _inside = inside.enter();
        drop(gate.lock().unwrap());
        Ok::<(), String>(())
    });
    let running = runner.unwrap().spawn().unwrap();
    let reaches = |gauge: &Gauge, number: usize| {
        while gauge.now() != number {
            thread::yield_now();
        }
    };
    reaches(&threads, 1);
    for (concurrency, most) in [(4, 4), (2, 4), (5, 5), (1, 5)] {
        running.handle().set_concurrency(concurrency).unwrap();
        reaches(&threads, concurrency);
        assert_eq!(threads.most(), most);
    }
    running.handle().set_concurrency(3).unwrap();
    let closed = end.lock().unwrap();
    for number in 0..5 {
        jobs.send(number.to_string()).unwrap();
    }
    reaches(&held, 3);
    running.handle().set_concurrency(1).unwrap();
    assert_eq!((threads.now(), held.now()), (3, 3), "they end after their jobs");
    drop(closed);
    reaches(&threads, 1);
    while running.handle().report().succeeded < 5 {
        thread::yield_now();
    }
    running.handle().stop();
    assert_eq!(running.join().unwrap().succeeded, 5);
    reaches(&threads, 0);
    assert_eq!(held.most(), 3);
}

#[test]
fn a_wrapper_surrounds_the_workers_and_the_renewal_of_leases() {
    let clock = ManualClock::default();
    let jobs = numbered(&clock, 1);
    let names = Arc::new(Mutex::new(BTreeSet::new()));
    let wrapped = Arc::clone(&names);
    let runner = Runner::builder(&jobs).until_none_visible();
    let runner = runner.wrap_threads(move |work| {
        let name = thread::current().name().unwrap_or_default().to_owned();
        wrapped.lock().unwrap().insert(name);
        work();
    });
    let running = runner.each(|_: &Job| Ok::<(), String>(())).unwrap().spawn().unwrap();
    assert_eq!(running.join().unwrap().succeeded, 1);
    let names: Vec<_> = names.lock().unwrap().iter().cloned().collect();
    assert_eq!(names, ["requeue-renewer", "requeue-w1"]);
}

#[test]
fn a_wrapper_that_does_not_call_the_renewal_of_leases_ends_the_runner_with_an_error() {
    let clock = ManualClock::default();
    let jobs = numbered(&clock, 0);
    let wrappers: [fn(); 2] = [|| {}, || resume_unwind(Box::new("no runtime"))];
    for refuse in wrappers {
        let runner = Runner::builder(&jobs).wrap_threads(move |work| match thread::current().name() {
            Some("requeue-renewer") => refuse(),
            _ => work(),
        });
        let running = runner.each(|_: &Job| Ok::<(), String>(())).unwrap().spawn().unwrap();
        let text = "a worker thread failed: it ended before the runner did";
        assert_eq!(running.join().unwrap_err().to_string(), text);
    }
}
