//! What a handler sees of its runner, and what a watcher sees of the handlers.

use {
    super::{
        driver::{Signal, World, after},
        scripted::{Reply, Scripted, Verb},
    },
    crate::common::{counts, fifo, in_group, numbered, secs},
    requeue::{
        Clock,
        backend::ErrorKind,
        worker::{BatchAnswer, BatchSettings, Failure, FailurePolicy, Job, Runner},
    },
    std::{
        future::Future,
        pin::pin,
        sync::{
            Arc, Mutex,
            atomic::{AtomicUsize, Ordering},
        },
        task::{Context, Wake, Waker},
        thread,
        time::Duration,
    },
};

#[test]
fn a_stop_is_seen_by_every_job_in_progress_and_wakes_who_waits_for_it() {
    let mut world = World::new();
    let jobs = numbered(&world.clock, 5);
    let told = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&told);
    let runner = Runner::builder(&jobs)
        .concurrency(3)
        .prefetch(2)
        .each_async(move |job: Job| {
            let count = Arc::clone(&count);
            async move {
                assert!(!job.is_stopping());
                job.stopping().await;
                assert!(job.is_stopping());
                job.stopping().await;
                count.fetch_add(1, Ordering::SeqCst);
                Err::<(), _>(Failure::retry_after(Duration::ZERO, "the runner is being stopped"))
            }
        });
    let runner = runner.unwrap();
    let handle = runner.handle();
    let run = world.start(runner.run());
    world.advance(secs(100));
    assert_eq!(told.load(Ordering::SeqCst), 0, "nobody stops it");
    handle.stop();
    let report = world.over(run).unwrap();
    assert_eq!((told.load(Ordering::SeqCst), report.given_back), (3, 2));
    assert_eq!(counts(&jobs), [5, 0, 0]);
}

struct NoWake;

impl Wake for NoWake {
    fn wake(self: Arc<Self>) {}
}

#[test]
fn a_future_that_waits_for_a_change_of_a_job_and_is_dropped_leaves_no_waker() {
    let mut world = World::new();
    let jobs = numbered(&world.clock, 1);
    let runner = Runner::builder(&jobs).until_none_visible().each(|job: &Job| {
        let woken = Arc::new(NoWake);
        let waker = Waker::from(Arc::clone(&woken));
        let mut context = Context::from_waker(&waker);
        for _ in 0..100 {
            let (mut stopping, mut lost) = (pin!(job.stopping()), pin!(job.lease_lost()));
            assert!(stopping.as_mut().poll(&mut context).is_pending() && lost.as_mut().poll(&mut context).is_pending());
        }
        assert_eq!(Arc::strong_count(&woken), 2, "this one and that of the context");
        Ok::<(), String>(())
    });
    let report = world.run(runner.unwrap().run()).unwrap();
    assert_eq!((report.succeeded, report.panicked), (1, 0));
}

#[test]
fn a_batch_sees_a_stop_in_each_of_its_jobs_and_so_does_a_handler_that_looks() {
    let mut world = World::new();
    let jobs = numbered(&world.clock, 3);
    let runner = Runner::builder(&jobs).batch_async(BatchSettings::new(3), |batch: Vec<Job>| async move {
        for job in &batch {
            job.stopping().await;
        }
        BatchAnswer::success()
    });
    let runner = runner.unwrap();
    let handle = runner.handle();
    let run = world.start(runner.run());
    world.advance(secs(1));
    assert_eq!(handle.jobs().len(), 3);
    handle.stop();
    assert_eq!(world.over(run).unwrap().succeeded, 3);

    jobs.send("looked after").unwrap();
    let runner = Runner::builder(&jobs).each(|job: &Job| {
        while !job.is_stopping() {
            thread::yield_now();
        }
        Ok::<(), String>(())
    });
    let running = runner.unwrap().spawn().unwrap();
    while running.handle().jobs().is_empty() {
        thread::yield_now();
    }
    running.handle().stop();
    assert_eq!(running.join().unwrap().succeeded, 1);
}

#[test]
fn lost_lease_and_stop_wake_one_handler_that_waits_for_both() {
    let mut world = World::new();
    let jobs = numbered(&world.clock, 1);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let lines = Arc::clone(&seen);
    let runner = Runner::builder(&jobs).heartbeat(false).each_async(move |job: Job| {
        let lines = Arc::clone(&lines);
        async move {
            futures_util::future::select(job.lease_lost(), job.stopping()).await;
            lines.lock().unwrap().push((job.is_held(), job.is_stopping()));
            job.stopping().await;
            lines.lock().unwrap().push((job.is_held(), job.is_stopping()));
            Ok::<(), String>(())
        }
    });
    let runner = runner.unwrap();
    let handle = runner.handle();
    let run = world.start(runner.run());
    world.advance(secs(31));
    assert_eq!(*seen.lock().unwrap(), [(false, false)]);
    handle.stop();
    world.over(run).unwrap();
    assert_eq!(*seen.lock().unwrap(), [(false, false), (false, true)]);
}

#[test]
fn the_lease_left_grows_with_a_renewal_and_is_zero_once_lost() {
    let mut world = World::new();
    let jobs = numbered(&world.clock, 1);
    let scripted = Scripted::new(&jobs, &world.clock);
    scripted.script(Verb::Visibility, [Reply::Pass, Reply::Fail(ErrorKind::NotHeld)]);
    let (clock, seen) = (world.clock.clone(), Arc::new(Mutex::new(Vec::new())));
    let lines = Arc::clone(&seen);
    let runner = Runner::builder(&scripted).each_async(move |job: Job| {
        let (clock, lines) = (clock.clone(), Arc::clone(&lines));
        async move {
            for pause in [0, 9, 2, 8, 3] {
                after(&clock, secs(pause)).await;
                lines.lock().unwrap().push(job.lease_left().as_secs());
            }
            Ok::<(), String>(())
        }
    });
    let runner = runner.unwrap();
    let handle = runner.handle();
    let run = world.start(runner.run());
    world.advance(secs(11));
    assert_eq!(handle.jobs()[0].lease_left, secs(29), "renewed at 10 s");
    world.advance(secs(10));
    assert_eq!(handle.jobs()[0].lease_left, Duration::ZERO, "refused at 20 s");
    handle.stop();
    world.finish(run).unwrap();
    assert_eq!(*seen.lock().unwrap(), [30, 21, 29, 21, 0]);
}

#[test]
fn failures_count_neither_postponements_nor_what_no_handler_began() {
    let mut world = World::new();
    let jobs = fifo(&world.clock).build().unwrap();
    for body in ["poison", "behind"] {
        jobs.send(in_group("g", body)).unwrap();
    }
    let seen = Arc::new(Mutex::new(Vec::new()));
    let lines = Arc::clone(&seen);
    let runner = Runner::builder(&jobs)
        .failure_policy(FailurePolicy::RetryNow)
        .until_none_left()
        .batch(BatchSettings::new(2), move |batch: &[Job]| {
            let mut lines = lines.lock().unwrap();
            lines.extend(batch.iter().map(|job| format!("{} {}", job.body(), job.failures())));
            match (batch[0].body(), lines.len()) {
                ("poison", 2) => BatchAnswer::success().fail(&batch[0], "no"),
                ("poison", 4) => {
                    BatchAnswer::success().fail(&batch[0], Failure::retry_after(secs(5), "the printer is busy"))
                }
                _ => BatchAnswer::success(),
            }
        });
    assert_eq!(world.run(runner.unwrap().run()).unwrap().succeeded, 2);
    let expected = ["poison 0", "behind 0", "poison 1", "behind 0", "poison 1", "behind 0"];
    assert_eq!(*seen.lock().unwrap(), expected);
}

#[test]
fn a_watcher_sees_the_jobs_in_progress_and_no_others() {
    let mut world = World::new();
    let jobs = numbered(&world.clock, 0);
    for (body, group) in [("a", "g1"), ("b", "g2"), ("c", "g3")] {
        jobs.send(in_group(group, body)).unwrap();
    }
    let signal = Signal::default();
    let given = signal.clone();
    let runner = Runner::builder(&jobs)
        .concurrency(2)
        .prefetch(1)
        .each_async(move |job: Job| {
            let given = given.given();
            async move {
                job.set_progress(format!("{} begun", job.body()));
                if job.body() == "a" {
                    job.set_progress("a half done");
                }
                given.await;
                Ok::<(), String>(())
            }
        });
    let runner = runner.unwrap();
    let handle = runner.handle();
    assert_eq!(handle.jobs(), []);
    let began_at = world.clock.now();
    let run = world.start(runner.run());
    world.advance(secs(12));
    let mut seen = handle.jobs();
    seen.sort_by(|a, b| a.message_group_id.cmp(&b.message_group_id));
    let lines: Vec<_> = seen.iter().map(ToString::to_string).collect();
    let line = |job: usize, group, progress| {
        let id = &seen[job].message_id;
        format!("message {id} of group {group}: running for 12s, held for 28s more, {progress}")
    };
    assert_eq!(lines, [line(0, "g1", "a half done"), line(1, "g2", "b begun")]);
    assert!(
        seen.iter()
            .all(|it| (it.began_at, it.approximate_receive_count) == (began_at, 1))
    );
    signal.give();
    world.advance(secs(1));
    assert_eq!(handle.jobs(), [], "{:?}", handle.report());
    handle.stop();
    assert_eq!(world.over(run).unwrap().succeeded, 3);
}

#[test]
fn a_handler_that_outlasts_its_runner_on_a_thread_is_still_seen() {
    let world = World::new();
    let jobs = numbered(&world.clock, 1);
    let hold = Arc::new(Mutex::new(()));
    let (held, blocked) = (hold.lock().unwrap(), Arc::clone(&hold));
    let runner = Runner::builder(&jobs)
        .shutdown_timeout(Duration::ZERO)
        .each(move |job: &Job| {
            job.set_progress("stuck");
            drop(blocked.lock().unwrap());
            Ok::<(), String>(())
        });
    let running = runner.unwrap().spawn().unwrap();
    let handle = running.handle();
    while !handle.jobs().iter().any(|job| job.progress.is_some()) {
        thread::yield_now();
    }
    handle.stop();
    assert_eq!(running.join().unwrap().abandoned, 1);
    assert_eq!(handle.jobs()[0].progress.as_deref(), Some("stuck"));
    drop(held);
    while !handle.jobs().is_empty() {
        thread::yield_now();
    }
}
