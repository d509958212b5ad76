//! What spends the attempts of a message, and what does not (L6, L8): no dead letter without failures of its own.

use {
    super::{
        driver::{World, after},
        notes::Notes,
        scripted::Scripted,
    },
    crate::common::{MILLISECOND, counts, fifo, in_group, millis, secs, send_grouped, standard},
    requeue::{
        Clock, Limits, MessagePhase, Queue,
        backend::{Backoff, MessageQueue},
        worker::{BatchAnswer, BatchSettings, Failure, FailurePolicy, Job, Runner, RunnerBuilder, RunnerReport},
    },
    std::{cell::RefCell, collections::BTreeMap, rc::Rc, time::Duration},
};

/// A queue of either type with ten jobs in one group, and its dead-letter queue, which gets a message after `max` receives.
fn ten_jobs(world: &World, is_fifo: bool, max: u32) -> (Queue, Queue) {
    let (dead, jobs) = if is_fifo {
        (Queue::fifo("dead.fifo"), fifo(&world.clock))
    } else {
        (Queue::standard("dead"), standard(&world.clock))
    };
    let dead = dead.clock(world.clock.clone()).build().unwrap();
    let jobs = jobs.dead_letter(&dead, max).build().unwrap();
    for number in 0..10 {
        jobs.send(in_group("g", &format!("job {number}"))).unwrap();
    }
    (jobs, dead)
}

fn bodies(queue: &Queue) -> Vec<String> {
    queue
        .snapshot()
        .messages
        .iter()
        .map(|it| it.content.body().to_string())
        .collect()
}

/// Begins a runner, stops it after `span`, and brings it to its end.
fn deploy<Q: MessageQueue>(
    world: &mut World,
    builder: RunnerBuilder<Q>,
    span: Duration,
    handler: impl Fn(&Job) -> Result<Duration, Failure> + Clone + 'static,
) -> RunnerReport {
    let clock = world.clock.clone();
    let runner = builder.each_async(move |job: Job| {
        let result = handler(&job);
        let pause = after(&clock, *result.as_ref().unwrap_or(&Duration::ZERO));
        async move {
            pause.await;
            result.map(drop)
        }
    });
    let runner = runner.unwrap();
    let handle = runner.handle();
    let run = world.start(runner.run());
    world.advance(span);
    handle.stop();
    world.finish(run).unwrap()
}

#[test]
fn a_poisoned_head_sends_none_of_its_healthy_successors_to_the_dead_letter_queue() {
    for (concurrency, prefetch) in [(1, 9), (2, 0), (4, 0), (4, 9)] {
        let mut world = World::new();
        let (jobs, dead) = ten_jobs(&world, true, 3);
        let policy = FailurePolicy::RetryNow;
        let builder = Runner::builder(&jobs).concurrency(concurrency).prefetch(prefetch);
        let report = deploy(&mut world, builder.failure_policy(policy), secs(100), |job| {
            match job.body() {
                "job 0" => Err("poison".into()),
                _ => Ok(millis(10)),
            }
        });
        assert_eq!(bodies(&dead), ["job 0"], "{concurrency} {prefetch}");
        assert_eq!((report.succeeded, report.failed, counts(&jobs)), (9, 3, [0, 0, 0]));
        assert_eq!(
            (report.received, report.given_back),
            (12, 0),
            "one of a group at a time"
        );
    }
}

#[test]
fn jobs_that_each_fail_once_are_all_done() {
    for is_fifo in [false, true] {
        for batch in [false, true] {
            let mut world = World::new();
            let (jobs, dead) = ten_jobs(&world, is_fifo, 3);
            let failed = Rc::new(RefCell::new(BTreeMap::<String, u32>::new()));
            let builder = Runner::builder(&jobs).concurrency(4).prefetch(9);
            let builder = builder.failure_policy(FailurePolicy::RetryNow);
            let answer = move |job: &Job| {
                let mut failed = failed.borrow_mut();
                let times = failed.entry(job.body().to_owned()).or_default();
                *times += 1;
                if *times == 1 { Err("once") } else { Ok(()) }
            };
            let run = if batch {
                let runner = builder.batch(BatchSettings::new(5), move |batch: &[Job]| {
                    // As E21 has it, nothing behind a failure of its group is begun.
                    let mut whole = BatchAnswer::success();
                    for job in batch {
                        if answer(job).is_err() {
                            whole = whole.fail(job, "once");
                            if job.sequence_number().is_some() {
                                break;
                            }
                        }
                    }
                    whole
                });
                world.start(runner.unwrap().run())
            } else {
                world.start(builder.each(answer).unwrap().run())
            };
            world.advance(secs(600));
            assert_eq!((counts(&jobs), bodies(&dead)), ([0, 0, 0], vec![]), "{is_fifo} {batch}");
            world.kill(&run);
        }
    }
}

#[test]
fn deploys_send_nothing_to_the_dead_letter_queue_that_no_handler_has_begun() {
    for is_fifo in [false, true] {
        let mut world = World::new();
        let (jobs, dead) = ten_jobs(&world, is_fifo, 3);
        for _ in 0..7 {
            let builder = Runner::builder(&jobs).prefetch(9);
            let report = deploy(&mut world, builder, secs(5), |_| Ok(secs(10)));
            assert_eq!((report.succeeded, report.not_given_back), (1, 0));
        }
        assert_eq!((counts(&jobs), counts(&dead)), ([3, 0, 0], [0, 0, 0]));
        assert!(
            jobs.snapshot()
                .messages
                .iter()
                .all(|it| it.approximate_receive_count == 0)
        );
    }
}

#[test]
fn a_job_that_is_not_ready_yet_spends_no_attempt_and_comes_back_on_time() {
    for is_fifo in [false, true] {
        let mut world = World::new();
        let (jobs, dead) = ten_jobs(&world, is_fifo, 1);
        let start = world.clock.now();
        let ready = start.saturating_add(secs(3_600));
        let clock = world.clock.clone();
        let runner = Runner::builder(&jobs).concurrency(10).each(move |job: &Job| {
            let now = clock.now();
            assert_eq!(now.saturating_duration_since(start).as_millis() % 60_000, 0);
            assert_eq!(job.approximate_receive_count(), 1);
            match now < ready {
                true => Err(Failure::retry_after(secs(60), "not ready")),
                false => Ok(()),
            }
        });
        let runner = runner.unwrap();
        let handle = runner.handle();
        let run = world.start(runner.run());
        world.advance(secs(3_600));
        let report = handle.report();
        assert_eq!((report.succeeded, report.panicked), (10, 0), "{is_fifo}");
        assert_eq!((counts(&jobs), counts(&dead)), ([0, 0, 0], [0, 0, 0]));
        world.kill(&run);
    }
}

#[test]
fn a_backoff_begins_at_its_base_after_any_number_of_give_backs() {
    let mut world = World::new();
    let (jobs, _) = ten_jobs(&world, false, 100);
    for _ in 0..9 {
        let builder = Runner::builder(&jobs).prefetch(9);
        deploy(&mut world, builder, secs(1), |_| Ok(secs(2)));
    }
    let backoff = Backoff::new(secs(1), secs(600));
    let runner = Runner::builder(&jobs).failure_policy(FailurePolicy::Backoff(backoff));
    let run = world.start(runner.each(|_: &Job| Err::<(), _>("no")).unwrap().run());
    world.settle();
    let MessagePhase::InFlight { until } = jobs.snapshot().messages[0].phase else {
        panic!("it is hidden for the time of the backoff");
    };
    assert!(until <= world.clock.now().saturating_add(secs(1)), "it failed once");
    world.kill(&run);
}

/// The calls of a runner at its beginning that ask for messages.
fn first_receives(jobs: &Scripted, world: &mut World, builder: RunnerBuilder<Scripted>) -> Vec<String> {
    let run = world.start(builder.each(|_: &Job| Ok::<(), String>(())).unwrap().run());
    world.settle();
    world.kill(&run);
    let calls = jobs.calls.take().into_iter();
    calls.filter(|it| it.contains("receive")).collect()
}

#[test]
fn where_a_give_back_counts_a_fifo_receive_asks_for_one_message_unless_told_otherwise() {
    let mut world = World::new();
    let jobs = fifo(&world.clock).build().unwrap();
    for (jobs, expected) in [
        (Scripted::new(&jobs, &world.clock), 1),
        (Scripted::restoring(&jobs, &world.clock), 10),
    ] {
        let builder = || Runner::builder(&jobs).concurrency(10).prefetch(9);
        let receives = first_receives(&jobs, &mut world, builder());
        assert_eq!(receives[0], format!("0 receive {expected} for 20 s"));
        let receives = first_receives(&jobs, &mut world, builder().max_messages(3));
        assert_eq!(receives[0], "0 receive 3 for 20 s");
        let runner = builder().batch(BatchSettings::new(4), |_: &[Job]| BatchAnswer::success());
        let run = world.start(runner.unwrap().run());
        world.settle();
        world.kill(&run);
        let receives = jobs.calls.take();
        let expected = if expected == 1 { 4 } else { 10 };
        assert_eq!(receives[0], format!("0 receive {expected} for 20 s"), "{receives:?}");
    }
}

#[test]
fn a_queue_is_asked_for_no_more_than_its_limits_allow() {
    let mut world = World::new();
    let mut limits = Limits::default();
    limits.receive_messages = 5;
    limits.receive_wait_time = secs(3);
    let jobs = standard(&world.clock).limits(limits).build().unwrap();
    for number in 0..20 {
        jobs.send(format!("job {number}")).unwrap();
    }
    let scripted = Scripted::restoring(&jobs, &world.clock);
    let builder = Runner::builder(&scripted).concurrency(10).max_messages(10);
    let receives = first_receives(&scripted, &mut world, builder);
    assert!(receives.len() > 4, "{receives:?}");
    assert!(receives.iter().any(|it| it.contains("for 3 s")), "{receives:?}");
    assert_eq!(counts(&jobs), [0, 0, 0]);
}

#[test]
fn a_runner_pauses_between_receives_where_the_queue_lets_none_wait() {
    for limit in [Duration::ZERO, Duration::from_micros(999)] {
        let mut world = World::new();
        let mut limits = Limits::default();
        limits.receive_wait_time = limit;
        let jobs = standard(&world.clock).limits(limits).build().unwrap();
        let scripted = Scripted::new(&jobs, &world.clock);
        let done = |_: &Job| Ok::<(), String>(());
        let runner = Runner::builder(&scripted).concurrency(2).each(done).unwrap();
        let handle = runner.handle();
        let run = world.start(runner.run());
        world.advance(secs(60));
        let receives = scripted.calls.take();
        let expected = ["0", "10", "30", "70", "150", "310", "630", "1270", "2270"];
        assert_eq!(receives[..9], expected.map(|time| format!("{time} receive 2 for 0 s")));
        assert!(receives.len() < 90, "{}", receives.len());
        jobs.send("resize cat.png").unwrap();
        world.advance(secs(1));
        assert_eq!((handle.report().succeeded, counts(&jobs)), (1, [0, 0, 0]));
        handle.pause();
        world.settle();
        jobs.send("resize dog.png").unwrap();
        world.advance(secs(30));
        assert_eq!(counts(&jobs), [1, 0, 0], "a pause ends the wait");
        handle.resume();
        world.settle();
        handle.stop();
        assert_eq!(world.over(run).unwrap().succeeded, 2);
    }
}

#[test]
fn no_message_is_hidden_for_longer_than_the_limits_of_its_queue_allow() {
    let mut world = World::new();
    let mut limits = Limits::default();
    limits.visibility_timeout = secs(600);
    let short = standard(&world.clock).limits(limits).build().unwrap();
    short.send("job").unwrap();
    let clock = world.clock.clone();
    let builder = Runner::builder(&short).visibility_timeout(secs(3_600));
    let runner = builder.each_async(move |_: Job| {
        let pause = after(&clock, secs(590));
        async move {
            pause.await;
            Err::<(), _>(Failure::retry_after(secs(7_200), "no"))
        }
    });
    let handle = runner.as_ref().unwrap().handle();
    let run = world.start(runner.unwrap().run());
    world.advance(secs(590));
    let MessagePhase::InFlight { until } = short.snapshot().messages[0].phase else {
        panic!("it is postponed by what the queue allows");
    };
    let left = until.saturating_duration_since(world.clock.now());
    assert_eq!(left, secs(9), "until a second before the 600 s that the queue allows");
    assert_eq!((handle.report().postponed, handle.report().lost), (1, 0));
    world.kill(&run);
}

#[test]
fn what_no_handler_may_begin_goes_back_before_its_lease_ends_and_costs_nothing() {
    for (is_fifo, heartbeat) in [(false, false), (true, false), (false, true), (true, true)] {
        let mut world = World::new();
        let (dead, jobs) = if is_fifo {
            (Queue::fifo("dead.fifo"), fifo(&world.clock))
        } else {
            (Queue::standard("dead"), standard(&world.clock))
        };
        let dead = dead.clock(world.clock.clone()).build().unwrap();
        let jobs = jobs.dead_letter(&dead, 1).build().unwrap();
        let all = ["g-1", "h-1", "i-1", "j-1", "k-1"];
        send_grouped(&jobs, all);
        let begun = Notes::timed(&world.clock);
        let builder = Runner::builder(&jobs)
            .concurrency(5)
            .heartbeat(heartbeat)
            .until_none_left();
        let (handle, lines) = (builder.handle(), begun.clone());
        let runner = builder.each_async(move |job: Job| {
            lines.write(format!("{} of receive {}", job.body(), job.approximate_receive_count()));
            if job.body() == "g-1" {
                handle.pause();
            }
            async { Ok::<(), String>(()) }
        });
        let runner = runner.unwrap();
        let (handle, run) = (runner.handle(), world.start(runner.run()));
        // A second before the lease ends, which is at 12 hours less one second at the latest.
        let held = secs(if heartbeat { 12 * 3_600 - 2 } else { 29 });
        world.advance(held - MILLISECOND);
        assert_eq!(
            (counts(&jobs), handle.report().backlog),
            ([0, 4, 0], 4),
            "{is_fifo} {heartbeat}"
        );
        world.advance(MILLISECOND);
        assert_eq!(
            (counts(&jobs), handle.report().backlog),
            ([4, 0, 0], 0),
            "{is_fifo} {heartbeat}"
        );
        world.advance(secs(12 * 3_600));
        handle.resume();
        let report = world.finish(run).unwrap();
        assert_eq!((report.succeeded, report.given_back, report.lost), (5, 4, 0));
        let begun = begun.take().into_iter();
        let begun: Vec<String> = begun.filter_map(|it| Some(it.split_once(' ')?.1.to_owned())).collect();
        assert_eq!(begun, all.map(|job| format!("{job} of receive 1")));
        assert_eq!(counts(&dead), [0, 0, 0]);
    }
}
