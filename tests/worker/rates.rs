//! The rate of a runner: how many jobs begin in a time, and what is received for it.

use {
    super::{
        driver::{Run, World, after},
        notes::Notes,
        scripted::Scripted,
    },
    crate::common::{MILLISECOND, counts, fifo, in_group, millis, numbered, secs, standard},
    requeue::{
        Clock, ManualClock,
        backend::MessageQueue,
        worker::{
            BatchAnswer, BatchSettings, Failure, Job, RateLimit, Runner, RunnerBuilder, RunnerError, RunnerHandle,
            RunnerReport,
        },
    },
    std::{
        cell::{Cell, RefCell},
        future::{Future, poll_fn},
        pin::pin,
        rc::Rc,
        time::Duration,
    },
};

type Ends = Run<Result<RunnerReport, RunnerError>>;

/// The milliseconds at which handlers began.
type Starts = Rc<RefCell<Vec<u64>>>;

/// Starts a runner whose handlers take so long.
fn start<Q: MessageQueue>(
    world: &mut World,
    builder: RunnerBuilder<Q>,
    span: Duration,
) -> (Starts, RunnerHandle, Ends) {
    let (starts, clock, begin) = (Starts::default(), world.clock.clone(), world.clock.now());
    let own = Rc::clone(&starts);
    let runner = builder.each_async(move |_: Job| {
        let at = clock.now().saturating_duration_since(begin);
        own.borrow_mut().push(u64::try_from(at.as_millis()).unwrap());
        let pause = after(&clock, span);
        async move {
            pause.await;
            Ok::<(), String>(())
        }
    });
    let runner = runner.unwrap();
    let handle = runner.handle();
    (starts, handle, world.start(runner.run()))
}

#[test]
fn each_second_of_a_minute_sees_exactly_the_rate_whatever_the_concurrency() {
    for (rate, concurrency, prefetch) in [(1, 10, 0), (3, 1, 0), (7, 3, 20), (10, 10, 0), (40, 50, 5)] {
        for restores in [true, false] {
            let mut world = World::new();
            let jobs = numbered(&world.clock, 60 * rate + 100);
            let scripted = if restores {
                Scripted::restoring(&jobs, &world.clock)
            } else {
                Scripted::new(&jobs, &world.clock)
            };
            let limit = RateLimit::per_second(u32::try_from(rate).unwrap());
            let builder = Runner::builder(&scripted).concurrency(concurrency).prefetch(prefetch);
            let (starts, _, run) = start(&mut world, builder.rate_limit(limit), millis(20));
            world.advance(secs(60) - MILLISECOND);
            let mut seconds = [0; 60];
            starts.borrow().iter().for_each(|at| seconds[*at as usize / 1_000] += 1);
            assert_eq!(seconds, [rate; 60], "with {concurrency} workers");
            world.kill(&run);
        }
    }
}

#[test]
fn after_a_pause_a_burst_begins_at_once_and_then_the_rate_alone() {
    let mut world = World::new();
    let jobs = numbered(&world.clock, 8);
    let builder = Runner::builder(&jobs).concurrency(20);
    let builder = builder.rate_limit(RateLimit::per_second(2).burst(4));
    let (starts, _, run) = start(&mut world, builder, Duration::ZERO);
    world.advance(secs(10));
    assert_eq!(starts.take(), [0, 0, 0, 0, 500, 1_000, 1_500, 2_000]);
    for number in 0..5 {
        jobs.send(number.to_string()).unwrap();
    }
    world.advance(secs(10));
    assert_eq!(starts.take(), [10_000, 10_000, 10_000, 10_000, 10_500]);
    assert!(!world.is_over(&run));
}

#[test]
fn what_cannot_begin_yet_is_not_hidden_from_others() {
    for (concurrency, prefetch, rate) in [
        (10, 20, RateLimit::new(1, secs(7))),
        (10, 0, RateLimit::per_second(3).burst(2)),
        (1, 9, RateLimit::per_second(3)),
    ] {
        let mut world = World::new();
        let jobs = numbered(&world.clock, 100);
        let builder = Runner::builder(&jobs).concurrency(concurrency).prefetch(prefetch);
        let (_, _, run) = start(&mut world, builder.rate_limit(rate), Duration::ZERO);
        for _ in 0..300 {
            world.settle();
            assert_eq!(counts(&jobs)[1], 0, "what was received has begun and is done");
            world.clock.advance(millis(100));
        }
        assert!(counts(&jobs)[0] < 100);
        world.kill(&run);
    }
}

#[test]
fn a_receive_asks_for_what_may_begin_and_none_is_made_without_a_token() {
    let mut world = World::new();
    let jobs = numbered(&world.clock, 4);
    let scripted = Scripted::new(&jobs, &world.clock);
    let builder = Runner::builder(&scripted).concurrency(10);
    let builder = builder.rate_limit(RateLimit::new(1, secs(10)).burst(2));
    let (starts, _, run) = start(&mut world, builder, Duration::ZERO);
    world.advance(secs(60));
    let calls = scripted.calls.take();
    let receives: Vec<_> = calls.iter().filter(|it| it.contains("receive")).collect();
    // A call to this queue takes time, so that it is made a second early.
    let expected = [
        "0 receive 2 for 20 s",
        "9000 receive 1 for 20 s",
        "19000 receive 1 for 20 s",
        "29000 receive 1 for 20 s",
        "39000 receive 1 for 0 s",
        "49000 receive 2 for 20 s",
    ];
    assert_eq!(receives, expected);
    assert_eq!(starts.take(), [0, 0, 10_000, 20_000]);
    world.kill(&run);
}

#[test]
fn what_is_received_ahead_of_its_token_keeps_its_lease() {
    let mut world = World::new();
    let jobs = standard(&world.clock).visibility_timeout(millis(300)).build().unwrap();
    let _ = jobs.send_batch(["1", "2", "3"]).unwrap();
    let scripted = Scripted::new(&jobs, &world.clock);
    let builder = Runner::builder(&scripted)
        .concurrency(3)
        .rate_limit(RateLimit::new(1, secs(5)));
    let (starts, handle, run) = start(&mut world, builder.until_none_left(), Duration::ZERO);
    let report = world.finish(run).unwrap();
    assert_eq!(starts.take(), [0, 5_000, 10_000]);
    assert_eq!((report.received, report.succeeded, report.lost), (3, 3, 0));
    assert!(handle.report().heartbeats > 0);
}

#[test]
fn a_batch_takes_a_token_for_each_of_its_messages_and_begins_whole() {
    let mut world = World::new();
    let jobs = numbered(&world.clock, 47);
    let sizes = Notes::timed(&world.clock);
    let lines = sizes.clone();
    let builder = Runner::builder(&jobs).concurrency(3);
    let builder = builder.rate_limit(RateLimit::per_second(5).burst(20)).until_none_left();
    let runner = builder.batch(BatchSettings::new(10), move |batch: &[Job]| {
        lines.write(batch.len().to_string());
        BatchAnswer::success()
    });
    let run = world.start(runner.unwrap().run());
    assert_eq!(world.finish(run).unwrap().succeeded, 47);
    let expected = ["0 10", "0 10", "2000 10", "4000 10", "6000 7"];
    assert_eq!(sizes.take(), expected);
}

#[test]
fn a_batch_with_a_window_gathers_what_tokens_let_it() {
    let mut world = World::new();
    let jobs = numbered(&world.clock, 0);
    let sizes = Notes::timed(&world.clock);
    let lines = sizes.clone();
    let builder = Runner::builder(&jobs).rate_limit(RateLimit::per_second(1).burst(10));
    let settings = BatchSettings::new(10).window(secs(3));
    let runner = builder.batch(settings, move |batch: &[Job]| {
        lines.write(batch.len().to_string());
        BatchAnswer::success()
    });
    let run = world.start(runner.unwrap().run());
    for _ in 0..4 {
        jobs.send("a").unwrap();
        world.advance(secs(1));
    }
    assert_eq!(sizes.take(), ["3000 3"]);
    for number in 0..20 {
        jobs.send(number.to_string()).unwrap();
    }
    world.advance(secs(60));
    // A receive waits for the tokens of a whole batch.
    assert_eq!(sizes.take(), ["6000 10", "16000 10", "29000 1"]);
    world.kill(&run);
}

#[test]
fn every_attempt_takes_a_token() {
    let mut world = World::new();
    let jobs = numbered(&world.clock, 2);
    let begun = Notes::timed(&world.clock);
    let lines = begun.clone();
    let builder = Runner::builder(&jobs)
        .concurrency(5)
        .rate_limit(RateLimit::per_second(1));
    let runner = builder.until_none_left().each(move |job: &Job| {
        lines.write(job.body());
        match job.approximate_receive_count() {
            1 if job.body() == "0" => Err(Failure::from("no")),
            _ => Ok(()),
        }
    });
    let run = world.start(runner.unwrap().run());
    let report = world.finish(run).unwrap();
    assert_eq!((report.succeeded, report.failed), (2, 1));
    assert_eq!(begun.take(), ["0 0", "1000 1", "30000 0"]);
}

#[test]
fn a_runner_that_waits_for_tokens_is_polled_about_once_for_each() {
    for concurrency in [1, 10, 1_000] {
        let mut world = World::new();
        let jobs = numbered(&world.clock, 0);
        // All workers have been busy once.
        let builder = Runner::builder(&jobs)
            .concurrency(concurrency)
            .rate_limit(RateLimit::per_second(1).burst(1_000));
        let clock = world.clock.clone();
        let runner = builder.each_async(move |_: Job| {
            let pause = after(&clock, secs(1));
            async move {
                pause.await;
                Ok::<(), String>(())
            }
        });
        let runner = runner.unwrap();
        let polls = Rc::new(Cell::new(0));
        let counted = Rc::clone(&polls);
        let run = world.start(async move {
            let mut run = pin!(runner.run());
            poll_fn(|context| {
                counted.set(counted.get() + 1);
                run.as_mut().poll(context)
            })
            .await
        });
        for number in 0..concurrency + 2_000 {
            jobs.send(number.to_string()).unwrap();
        }
        world.advance(secs(1_000 / concurrency as u64 + 10));
        polls.set(0);
        let before = counts(&jobs);
        world.advance(secs(100));
        assert_eq!(before[0] - counts(&jobs)[0], 100, "with {concurrency} workers");
        assert!(polls.get() <= 1_000, "{} polls with {concurrency} workers", polls.get());
        world.kill(&run);
    }
}

#[test]
fn a_stop_ends_the_wait_for_a_token() {
    let mut world = World::new();
    let jobs = numbered(&world.clock, 5);
    let builder = Runner::builder(&jobs)
        .concurrency(3)
        .rate_limit(RateLimit::new(1, secs(1_000)));
    let (_, handle, run) = start(&mut world, builder, Duration::ZERO);
    world.advance(secs(10));
    handle.stop();
    let report = world.over(run).unwrap();
    assert_eq!((report.received, report.succeeded, counts(&jobs)), (1, 1, [4, 0, 0]));
}

#[test]
fn a_runner_that_ends_by_itself_ends_under_a_rate_too() {
    let mut world = World::new();
    let jobs = numbered(&world.clock, 3);
    let builder = Runner::builder(&jobs)
        .concurrency(3)
        .rate_limit(RateLimit::per_second(1));
    let (starts, _, run) = start(&mut world, builder.until_none_visible(), Duration::ZERO);
    assert_eq!(world.finish(run).unwrap().succeeded, 3);
    assert_eq!((starts.take(), world.time()), (vec![0, 1_000, 2_000], secs(3)));
}

#[test]
fn on_a_fifo_queue_the_rate_keeps_the_order_and_no_busy_group_uses_up_what_others_may_receive() {
    let mut world = World::new();
    let jobs = fifo(&world.clock).build().unwrap();
    for number in 0..5 {
        jobs.send(in_group("slow", &format!("slow-{number}"))).unwrap();
    }
    for number in 0..5 {
        jobs.send(in_group("quick", &format!("quick-{number}"))).unwrap();
    }
    let scripted = Scripted::new(&jobs, &world.clock);
    let begun = Notes::timed(&world.clock);
    let (lines, clock) = (begun.clone(), world.clock.clone());
    let builder = Runner::builder(&scripted).concurrency(4).max_messages(10).prefetch(3);
    let runner = builder
        .rate_limit(RateLimit::per_second(1))
        .each_async(move |job: Job| {
            lines.write(job.body());
            let pause = after(&clock, secs(if job.body().starts_with("slow") { 100 } else { 0 }));
            async move {
                pause.await;
                Ok::<(), String>(())
            }
        });
    let run = world.start(runner.unwrap().run());
    world.advance(secs(99));
    let expected = ["slow-0", "quick-0", "quick-1", "quick-2", "quick-3", "quick-4"];
    let begun: Vec<_> = begun
        .take()
        .iter()
        .map(|it| it.split_once(' ').unwrap().1.to_owned())
        .collect();
    assert_eq!(begun, expected);
    world.kill(&run);
}

#[test]
fn threads_that_wait_for_a_token_wake_at_its_instant_and_at_a_stop() {
    let clock = ManualClock::default();
    let jobs = standard(&clock).build().unwrap();
    for number in 0..10 {
        jobs.send(number.to_string()).unwrap();
    }
    let begun = Notes::timed(&clock);
    let lines = begun.clone();
    let runner = Runner::builder(&jobs)
        .concurrency(3)
        .rate_limit(RateLimit::new(2, secs(3)));
    let runner = runner.each(move |job: &Job| {
        lines.write(job.body());
        Ok::<(), String>(())
    });
    let running = runner.unwrap().spawn().unwrap();
    // The workers, the lease renewer, the alarm of one worker, and that of the renewer.
    clock.wait_for_sleepers(6);
    for _ in 0..3 {
        clock.advance(millis(1_500));
        clock.wait_for_sleepers(6);
    }
    assert_eq!(begun.take(), ["0 0", "1500 1", "3000 2", "4500 3"]);
    clock.advance(millis(700));
    running.handle().stop();
    assert_eq!(running.join().unwrap().succeeded, 4);
    assert_eq!(counts(&jobs), [6, 0, 0]);
}
