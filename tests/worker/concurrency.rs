//! How many handlers run at a time, and that none of them holds up the others.

use {
    super::{
        driver::{Gauge, Signal, World, after, give_way},
        notes::Notes,
        scripted::Scripted,
    },
    crate::common::{counts, millis, numbered, secs, standard},
    requeue::{
        Clock,
        worker::{BatchAnswer, BatchSettings, Job, Runner},
    },
    std::{
        cell::{Cell, RefCell},
        rc::Rc,
        time::Duration,
    },
};

/// Different for each message, and the same on every run.
fn span(job: &Job) -> Duration {
    let number: u64 = job.body().parse().unwrap();
    millis(100 + (number * 7_919) % 3_000)
}

#[test]
fn as_many_handlers_run_as_the_concurrency_says_and_never_more() {
    for (concurrency, prefetch) in [(1, 0), (2, 0), (5, 0), (5, 9), (1, 20), (12, 3)] {
        let mut world = World::new();
        let jobs = numbered(&world.clock, 60);
        let (gauge, clock) = (Gauge::default(), world.clock.clone());
        let inside = gauge.clone();
        let runner = Runner::builder(&jobs).concurrency(concurrency).prefetch(prefetch);
        let runner = runner.until_none_visible().each_async(move |job: Job| {
            let (inside, pause) = (inside.enter(), after(&clock, span(&job)));
            async move {
                let _inside = inside;
                pause.await;
                Ok::<(), String>(())
            }
        });
        let report = world.run(runner.unwrap().run()).unwrap();
        assert_eq!(gauge.most(), concurrency, "with prefetch {prefetch}");
        assert_eq!((report.succeeded, report.retries), (60, 0));
    }
}

#[test]
fn as_many_batches_run_as_the_concurrency_says_and_never_more() {
    let mut world = World::new();
    let jobs = numbered(&world.clock, 60);
    let (gauge, clock) = (Gauge::default(), world.clock.clone());
    let inside = gauge.clone();
    let runner = Runner::builder(&jobs).concurrency(3).until_none_visible();
    let runner = runner.batch_async(BatchSettings::new(4), move |batch: Vec<Job>| {
        assert!(batch.len() <= 4);
        let (inside, pause) = (inside.enter(), after(&clock, span(&batch[0])));
        async move {
            let _inside = inside;
            pause.await;
            BatchAnswer::success()
        }
    });
    let report = world.run(runner.unwrap().run()).unwrap();
    assert_eq!((gauge.most(), report.succeeded), (3, 60));
}

#[test]
fn one_slow_message_does_not_hold_back_nine_others() {
    for prefetch in [0, 3, 8, 100] {
        let mut world = World::new();
        let jobs = numbered(&world.clock, 10);
        let (done, end, clock) = (Notes::timed(&world.clock), Signal::default(), world.clock.clone());
        let (lines, ended) = (done.clone(), end.clone());
        let runner = Runner::builder(&jobs)
            .concurrency(2)
            .prefetch(prefetch)
            .until_none_visible();
        let runner = runner.each_async(move |job: Job| {
            let (lines, end, pause) = (lines.clone(), ended.given(), after(&clock, secs(1)));
            async move {
                match job.body() {
                    "0" => end.await,
                    _ => pause.await,
                }
                lines.write(job.body());
                Ok::<(), String>(())
            }
        });
        let run = world.start(runner.unwrap().run());
        world.advance(secs(600));
        let expected: Vec<_> = (1..10).map(|it| format!("{}000 {it}", it)).collect();
        assert_eq!(done.take(), expected, "with prefetch {prefetch}");
        assert_eq!(counts(&jobs), [0, 1, 0], "the slow one is still held");
        end.give();
        assert_eq!(world.finish(run).unwrap().succeeded, 10);
    }
}

#[test]
fn no_more_is_in_flight_than_workers_and_prefetch_can_hold() {
    for (concurrency, prefetch, size) in [
        (1, 0, 1),
        (2, 0, 1),
        (5, 0, 1),
        (1, 9, 1),
        (3, 5, 1),
        (2, 25, 1),
        (2, 3, 4),
        (3, 0, 7),
    ] {
        let mut world = World::new();
        let jobs = numbered(&world.clock, 100);
        let (most, seen, clock) = (Rc::new(Cell::new(0)), jobs.clone(), world.clock.clone());
        let highest = Rc::clone(&most);
        let runner = Runner::builder(&jobs).concurrency(concurrency).prefetch(prefetch);
        // What waits for its window counts as well.
        let window = secs(if size > 1 { 60 } else { 0 });
        let runner =
            runner
                .until_none_visible()
                .batch_async(BatchSettings::new(size).window(window), move |batch: Vec<Job>| {
                    let (most, seen, pause) = (Rc::clone(&highest), seen.clone(), after(&clock, span(&batch[0])));
                    async move {
                        most.set(most.get().max(counts(&seen)[1]));
                        pause.await;
                        most.set(most.get().max(counts(&seen)[1]));
                        BatchAnswer::success()
                    }
                });
        let run = world.start(runner.unwrap().run());
        let limit = concurrency * size + prefetch;
        while !world.is_over(&run) {
            assert!(counts(&jobs)[1] <= limit, "{} of {limit}", counts(&jobs)[1]);
            world.clock.advance_to(world.clock.next_deadline().unwrap());
        }
        if limit <= 10 {
            assert_eq!(most.get(), limit, "all room that one receive can fill is used");
        }
        assert_eq!(world.over(run).unwrap().succeeded, 100);
    }
}

#[test]
fn a_slow_handler_of_one_runner_does_not_starve_another() {
    let mut world = World::new();
    let jobs = numbered(&world.clock, 20);
    let done = Rc::new(RefCell::new(Vec::new()));
    let runs = [secs(100_000), secs(1)].map(|span| {
        let (done, clock) = (Rc::clone(&done), world.clock.clone());
        let runner = Runner::builder(&jobs).each_async(move |job: Job| {
            let (done, pause) = (Rc::clone(&done), after(&clock, span));
            async move {
                pause.await;
                done.borrow_mut().push(job.body().to_owned());
                Ok::<(), String>(())
            }
        });
        world.start(runner.unwrap().run())
    });
    world.advance(secs(19));
    assert_eq!(done.borrow().len(), 19);
    assert_eq!(counts(&jobs), [0, 1, 0]);
    assert!(runs.iter().all(|run| !world.is_over(run)));
}

#[test]
fn handlers_that_are_done_at_once_starve_neither_leases_nor_other_handlers() {
    let mut world = World::new();
    let jobs = numbered(&world.clock, 300);
    let (clock, events) = (world.clock.clone(), Notes::timed(&world.clock));
    let slow = Rc::new(Cell::new(None));
    let ended = Rc::clone(&slow);
    // The first message is handled for a minute of the time that passes in the others.
    let handler = move |job: Job| {
        let (clock, ended) = (clock.clone(), Rc::clone(&ended));
        let first = job.body() == "0";
        if !first {
            clock.advance(secs(1));
        }
        async move {
            if first {
                after(&clock, secs(60)).await;
                ended.set(Some((job.is_held(), clock.now())));
            }
            Ok::<(), String>(())
        }
    };
    let start = world.clock.now();
    let runner = Runner::builder(&jobs).concurrency(2).on_event(events.events());
    let runner = runner.until_none_visible().each_async(handler).unwrap();
    let report = world.run(runner.run()).unwrap();
    let lost = events.take().iter().filter(|it| it.ends_with("lost")).count();
    let (held, ended) = slow.get().unwrap();
    assert!(held && lost == 0, "the lease was not renewed in time");
    let span = ended.saturating_duration_since(start);
    assert!(
        (secs(60)..=secs(62)).contains(&span),
        "it was not polled in time: {span:?}"
    );
    assert_eq!((report.succeeded, report.retries), (300, 0));
}

#[test]
fn a_busy_runner_lets_other_tasks_of_its_executor_run() {
    let mut world = World::new();
    let jobs = numbered(&world.clock, 2_000);
    let left = jobs.clone();
    let runner = Runner::builder(&jobs)
        .until_none_visible()
        .each(|_: &Job| Ok::<(), String>(()));
    let other = async move {
        let mut turns = 0;
        while left.counts().visible > 0 {
            turns += 1;
            give_way().await;
        }
        turns
    };
    let run = world.start(runner.unwrap().run());
    let other = world.start(other);
    let turns: usize = world.finish(other);
    assert!(turns >= 10, "it had {turns} turns in 2,000 messages");
    assert_eq!(world.finish(run).unwrap().succeeded, 2_000);
}

#[test]
fn an_idle_runner_waits_in_one_receive_for_all_its_workers() {
    let mut world = World::new();
    let jobs = standard(&world.clock).build().unwrap();
    let scripted = Scripted::new(&jobs, &world.clock);
    let runner = Runner::builder(&scripted).concurrency(5).prefetch(2);
    let runner = runner.each(|_: &Job| Ok::<(), String>(())).unwrap();
    let run = world.start(runner.run());
    world.advance(secs(50));
    let expected = [
        "0 receive 7 for 20 s",
        "20000 receive 7 for 20 s",
        "40000 receive 7 for 20 s",
    ];
    assert_eq!(scripted.calls.take(), expected);
    jobs.send("a").unwrap();
    world.settle();
    let calls = scripted.calls.take();
    assert!(
        calls.contains(&"50000 delete a".to_owned()),
        "it wakes at once: {calls:?}"
    );
    world.kill(&run);
    assert_eq!(jobs.waiting(), 0);
}

#[test]
fn a_receive_asks_for_no_more_than_it_is_told_to() {
    let mut world = World::new();
    let jobs = numbered(&world.clock, 20);
    let scripted = Scripted::new(&jobs, &world.clock);
    let runner = Runner::builder(&scripted).concurrency(30).max_messages(3);
    let runner = runner.wait_time(secs(7)).each(|_: &Job| Ok::<(), String>(())).unwrap();
    let run = world.start(runner.run());
    world.settle();
    let calls = scripted.calls.take();
    let receives: Vec<_> = calls.iter().filter(|it| it.contains("receive")).collect();
    assert!(
        receives.len() >= 7 && receives.iter().all(|it| it.contains("receive 3 for")),
        "{calls:?}"
    );
    assert!(receives.iter().any(|it| it.ends_with("for 7 s")), "{calls:?}");
    world.kill(&run);
}
