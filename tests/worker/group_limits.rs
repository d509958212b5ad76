//! The limits of message groups: their rate and their concurrency, and what becomes of messages that they hold back.

use {
    super::{
        driver::{Run, World, after},
        scripted::{Reply, Scripted, Verb},
    },
    crate::common::{counts, fifo, in_group, millis, secs, standard},
    requeue::{
        Clock, Queue,
        backend::{ErrorKind, MessageQueue},
        worker::{BatchAnswer, BatchSettings, Job, RateLimit, Runner, RunnerBuilder, RunnerError, RunnerReport},
    },
    std::{
        cell::{Cell, RefCell},
        collections::BTreeMap,
        rc::Rc,
        time::Duration,
    },
};

type Ends = Run<Result<RunnerReport, RunnerError>>;

/// The milliseconds at which each job began, by group.
type Starts = Rc<RefCell<BTreeMap<String, Vec<(u64, String)>>>>;

/// Sends this many messages of a group.
fn send(jobs: &Queue, group: &str, count: usize) {
    for number in 0..count {
        jobs.send(in_group(group, &format!("{group}-{number:04}"))).unwrap();
    }
}

/// A queue from which a message is dead-lettered after one receive.
fn strict(world: &World) -> (Queue, Queue) {
    let dead = Queue::standard("dead").clock(world.clock.clone()).build().unwrap();
    let jobs = standard(&world.clock).dead_letter(&dead, 1).build().unwrap();
    (jobs, dead)
}

/// Starts a runner whose handlers take so long.
fn start<Q: MessageQueue>(world: &mut World, builder: RunnerBuilder<Q>, span: Duration) -> (Starts, Ends) {
    let (starts, clock, begin) = (Starts::default(), world.clock.clone(), world.clock.now());
    let own = Rc::clone(&starts);
    let runner = builder.each_async(move |job: Job| {
        let at = clock.now().saturating_duration_since(begin);
        let group = job.message_group_id().unwrap_or_default().to_owned();
        let start = (u64::try_from(at.as_millis()).unwrap(), job.body().to_owned());
        own.borrow_mut().entry(group).or_default().push(start);
        let pause = after(&clock, span);
        async move {
            pause.await;
            Ok::<(), String>(())
        }
    });
    let run = world.start(runner.unwrap().run());
    (starts, run)
}

fn times(starts: &Starts, group: &str) -> Vec<u64> {
    let starts = starts.borrow();
    starts.get(group).into_iter().flatten().map(|(at, _)| *at).collect()
}

fn in_order(starts: &Starts) -> bool {
    let starts = starts.borrow();
    starts.values().all(|starts| starts.is_sorted_by(|a, b| a.1 < b.1))
}

#[test]
fn each_group_has_the_rate_to_itself() {
    for is_fifo in [false, true] {
        for (backlog, prefetch) in [(None, 0), (None, 30), (Some(0), 0), (Some(3), 5)] {
            let mut world = World::new();
            let builder = if is_fifo {
                fifo(&world.clock)
            } else {
                standard(&world.clock)
            };
            let jobs = builder.build().unwrap();
            let groups = ["a", "b", "c", "d"];
            groups.iter().for_each(|group| send(&jobs, group, 30));
            let mut builder = Runner::builder(&jobs).concurrency(10).prefetch(prefetch);
            builder = builder.group_rate_limit(RateLimit::new(2, secs(1))).until_none_left();
            if let Some(messages) = backlog {
                builder = builder.group_backlog(messages);
            }
            let (starts, run) = start(&mut world, builder, millis(30));
            let report = world.finish(run).unwrap();
            assert_eq!((report.succeeded, report.retries, report.lost), (120, 0, 0));
            let expected: Vec<u64> = (0..30).map(|number| number * 500).collect();
            for group in groups {
                assert_eq!(
                    times(&starts, group),
                    expected,
                    "{group}, fifo {is_fifo}, backlog {backlog:?}"
                );
            }
            assert!(!is_fifo || in_order(&starts));
        }
    }
}

#[test]
fn messages_without_a_group_are_not_limited() {
    let mut world = World::new();
    let jobs = standard(&world.clock).build().unwrap();
    for number in 0..20 {
        jobs.send(number.to_string()).unwrap();
    }
    send(&jobs, "a", 2);
    let builder = Runner::builder(&jobs).concurrency(5).until_none_left();
    let builder = builder
        .group_rate_limit(RateLimit::new(1, secs(60)))
        .group_concurrency(1);
    let (starts, run) = start(&mut world, builder, secs(1));
    assert_eq!(world.finish(run).unwrap().succeeded, 22);
    assert_eq!(times(&starts, "a"), [4_000, 64_000]);
    assert_eq!(times(&starts, "").last(), Some(&3_000));
}

#[test]
fn a_hot_group_does_not_starve_the_others_and_what_waits_for_it_costs_no_receive() {
    type Limit = fn(RunnerBuilder<Queue>) -> RunnerBuilder<Queue>;
    let limits: [Limit; 3] = [
        |it| it.group_rate_limit(RateLimit::per_second(10)),
        |it| it.group_concurrency(1),
        |it| it.group_concurrency(2).group_rate_limit(RateLimit::per_second(10)),
    ];
    for limit in limits {
        // Where nothing is held back, a turn that was estimated may be missed.
        for (backlog, latest) in [(100, 105_000), (10, 115_000), (0, 210_000)] {
            let mut world = World::new();
            let (jobs, dead) = strict(&world);
            send(&jobs, "hot", 1_000);
            for number in 0..50 {
                send(&jobs, &format!("cold{number:02}"), 1);
            }
            let builder = Runner::builder(&jobs)
                .concurrency(10)
                .group_backlog(backlog)
                .until_none_left();
            let (starts, run) = start(&mut world, limit(builder), millis(100));
            let report = world.finish(run).unwrap();
            assert_eq!((report.succeeded, report.retries, counts(&dead)), (1_050, 0, [0, 0, 0]));
            let cold = (0..50).map(|number| times(&starts, &format!("cold{number:02}"))[0]);
            assert!(cold.max() <= Some(600), "nine of ten workers are free for them");
            let hot = times(&starts, "hot");
            let last = hot[999];
            assert!(
                (99_900..latest).contains(&last),
                "the last began at {last} with {backlog}"
            );
            let put_off = report.given_back;
            assert!(
                put_off >= 899 - backlog as u64 && put_off < 40_000,
                "{put_off} put off with {backlog}"
            );
        }
    }
}

#[test]
fn by_a_rate_a_message_is_put_off_once_and_returns_when_its_turn_comes() {
    for backlog in [0, 20] {
        let mut world = World::new();
        let (jobs, dead) = strict(&world);
        send(&jobs, "a", 300);
        let builder = Runner::builder(&jobs)
            .concurrency(10)
            .group_backlog(backlog)
            .until_none_left();
        let builder = builder.group_rate_limit(RateLimit::per_second(1));
        let (starts, run) = start(&mut world, builder, Duration::ZERO);
        let report = world.finish(run).unwrap();
        let expected: Vec<u64> = (0..300).map(|number| number * 1_000).collect();
        assert_eq!((times(&starts, "a"), counts(&dead)), (expected, [0, 0, 0]));
        let beyond = 299 - backlog as u64;
        let put_off = report.given_back;
        assert!(
            (beyond..=beyond + 10).contains(&put_off),
            "{put_off} put off with {backlog}"
        );
    }
}

#[test]
fn no_message_is_put_off_for_longer_than_15_minutes_where_that_is_free() {
    let mut world = World::new();
    let (jobs, _) = strict(&world);
    send(&jobs, "a", 30);
    let builder = Runner::builder(&jobs).group_backlog(0);
    let builder = builder.group_rate_limit(RateLimit::new(1, secs(60)));
    let (starts, run) = start(&mut world, builder, Duration::ZERO);
    world.advance(secs(600));
    assert_eq!(times(&starts, "a").len(), 11);
    jobs.purge().unwrap();
    send(&jobs, "a", 30);
    world.advance(secs(900 + 60));
    assert!(
        times(&starts, "a").len() >= 12,
        "messages put off count for no more than 15 minutes"
    );
    world.kill(&run);
}

#[test]
fn no_more_jobs_of_a_group_run_at_a_time_than_its_concurrency() {
    for (limit, batch) in [(1, None), (3, None), (2, Some(10)), (3, Some(2)), (1, Some(5))] {
        for backlog in [100, 2] {
            let mut world = World::new();
            let jobs = standard(&world.clock).build().unwrap();
            for group in ["a", "b", "c"] {
                send(&jobs, group, 40);
            }
            let running: Rc<RefCell<BTreeMap<String, usize>>> = Rc::default();
            let most = Rc::new(Cell::new(0));
            let (inside, highest, clock) = (Rc::clone(&running), Rc::clone(&most), world.clock.clone());
            let handle = move |batch: Vec<Job>| {
                for job in &batch {
                    let mut running = inside.borrow_mut();
                    let count = running.entry(job.message_group_id().unwrap().to_owned()).or_default();
                    *count += 1;
                    highest.set(highest.get().max(*count));
                }
                let (inside, pause) = (Rc::clone(&inside), after(&clock, millis(170)));
                async move {
                    pause.await;
                    for job in &batch {
                        *inside.borrow_mut().get_mut(job.message_group_id().unwrap()).unwrap() -= 1;
                    }
                }
            };
            let builder = Runner::builder(&jobs)
                .concurrency(12)
                .group_concurrency(limit)
                .group_backlog(backlog);
            let builder = builder.until_none_left();
            let report = match batch {
                None => {
                    let handler = move |job: Job| {
                        let handled = handle(vec![job]);
                        async move {
                            handled.await;
                            Ok::<(), String>(())
                        }
                    };
                    world.run(builder.each_async(handler).unwrap().run())
                }
                Some(size) => {
                    let handler = move |batch: Vec<Job>| {
                        let handled = handle(batch);
                        async move {
                            handled.await;
                            BatchAnswer::success()
                        }
                    };
                    world.run(builder.batch_async(BatchSettings::new(size), handler).unwrap().run())
                }
            };
            let report = report.unwrap();
            assert_eq!((most.get(), report.succeeded, report.retries), (limit, 120, 0));
            let ideal = millis(170) * 40_u32.div_ceil(limit as u32);
            assert!(
                world.time() <= ideal + secs(6),
                "{limit} {batch:?} {backlog}: {:?}",
                world.time()
            );
        }
    }
}

#[test]
fn where_putting_off_costs_a_receive_messages_are_held_under_renewed_leases_first() {
    let mut world = World::new();
    let (jobs, _) = strict(&world);
    send(&jobs, "hot", 60);
    let scripted = Scripted::new(&jobs, &world.clock);
    let builder = Runner::builder(&scripted).concurrency(10).until_none_left();
    let builder = builder.group_rate_limit(RateLimit::per_second(1));
    let (starts, run) = start(&mut world, builder, Duration::ZERO);
    let report = world.finish(run).unwrap();
    let expected: Vec<u64> = (0..60).map(|number| number * 1_000).collect();
    assert_eq!(times(&starts, "hot"), expected);
    assert_eq!((report.received, report.succeeded, report.given_back), (60, 60, 0));
    assert!(report.heartbeats > 100);
}

#[test]
fn what_does_not_fit_is_put_off_in_few_calls_from_the_group_that_holds_up_most() {
    let mut world = World::new();
    let dead = Queue::standard("dead").clock(world.clock.clone()).build().unwrap();
    let jobs = standard(&world.clock).dead_letter(&dead, 2).build().unwrap();
    send(&jobs, "hot", 60);
    send(&jobs, "cold", 3);
    let scripted = Scripted::new(&jobs, &world.clock);
    let builder = Runner::builder(&scripted)
        .concurrency(10)
        .group_backlog(20)
        .until_none_left();
    let builder = builder.group_rate_limit(RateLimit::per_second(5));
    let receives = Rc::new(RefCell::new(BTreeMap::new()));
    let seen = Rc::clone(&receives);
    let runner = builder.each(move |job: &Job| {
        seen.borrow_mut()
            .insert(job.body().to_owned(), job.approximate_receive_count());
        Ok::<(), String>(())
    });
    let run = world.start(runner.unwrap().run());
    let report = world.finish(run).unwrap();
    assert_eq!((report.succeeded, counts(&dead)), (63, [0, 0, 0]));
    assert!(
        report.given_back >= 39 && world.time() <= secs(14),
        "{:?}",
        world.time()
    );
    let receives = receives.borrow();
    assert!(
        receives
            .iter()
            .all(|(body, count)| *count == 1 || body.starts_with("hot")),
        "{receives:?}"
    );
    let calls = scripted.calls.take();
    let put_off = calls
        .iter()
        .filter(|it| it.contains("hide hot") && !it.contains("for 30s"));
    let put_off: Vec<_> = put_off.collect();
    assert!(put_off.len() <= 20, "{put_off:?}");
    assert!(
        put_off
            .iter()
            .all(|it| it.ends_with('s') && !it.contains('.') && !it.contains("ms")),
        "{put_off:?}"
    );
}

#[test]
fn a_fifo_group_that_is_put_off_comes_back_in_order_whatever_becomes_of_the_calls() {
    for restores in [true, false] {
        for replies in [
            vec![],
            vec![Reply::Fail(ErrorKind::Transient); 3],
            vec![Reply::Late(millis(700)); 3],
            vec![Reply::Slow(millis(700)); 3],
        ] {
            let mut world = World::new();
            let jobs = fifo(&world.clock).visibility_timeout(secs(5)).build().unwrap();
            for number in 0..10 {
                for group in ["a", "b", "c"] {
                    jobs.send(in_group(group, &format!("{group}-{number}"))).unwrap();
                }
            }
            let scripted = if restores {
                Scripted::restoring(&jobs, &world.clock)
            } else {
                Scripted::new(&jobs, &world.clock)
            };
            scripted.script(Verb::Visibility, replies.clone());
            let builder = Runner::builder(&scripted)
                .concurrency(4)
                .max_messages(10)
                .prefetch(9)
                .group_backlog(1);
            let builder = builder.group_rate_limit(RateLimit::new(1, secs(2))).until_none_left();
            let (starts, run) = start(&mut world, builder, millis(100));
            let report = world.finish(run).unwrap();
            assert_eq!((report.succeeded, report.lost), (30, 0), "{restores} {replies:?}");
            assert!(in_order(&starts) && report.given_back > 0, "{restores} {replies:?}");
            for group in ["a", "b", "c"] {
                let times = times(&starts, group);
                assert!(
                    times.windows(2).all(|it| it[1] - it[0] >= 2_000),
                    "{restores} {replies:?} {times:?}"
                );
            }
        }
    }
}

#[test]
fn a_stop_gives_back_what_the_limits_hold_back() {
    let mut world = World::new();
    let (jobs, _) = strict(&world);
    send(&jobs, "a", 50);
    let builder = Runner::builder(&jobs).concurrency(10).group_backlog(20);
    let builder = builder.group_rate_limit(RateLimit::new(1, secs(1_000)));
    let runner = builder.each(|_: &Job| Ok::<(), String>(())).unwrap();
    let handle = runner.handle();
    let run = world.start(runner.run());
    world.advance(secs(100));
    assert_eq!(counts(&jobs), [0, 49, 0], "twenty are held, the others put off");
    handle.stop();
    let report = world.over(run).unwrap();
    assert_eq!(counts(&jobs), [20, 29, 0]);
    assert_eq!((report.received, report.succeeded), (50, 1));
    assert_eq!((report.given_back, report.not_given_back), (49, 0));
}

#[test]
fn without_a_heartbeat_nothing_waits_for_its_group() {
    let mut world = World::new();
    let (jobs, dead) = strict(&world);
    send(&jobs, "a", 12);
    let builder = Runner::builder(&jobs).concurrency(5).heartbeat(false).until_none_left();
    let builder = builder.group_rate_limit(RateLimit::new(1, secs(20)));
    let (starts, run) = start(&mut world, builder, Duration::ZERO);
    let report = world.finish(run).unwrap();
    assert_eq!((report.succeeded, report.lost, counts(&dead)), (12, 0, [0, 0, 0]));
    assert_eq!(times(&starts, "a").last(), Some(&220_000));
}

#[test]
fn a_lease_that_is_lost_in_the_backlog_of_a_standard_group_leaves_the_others_of_it() {
    let mut world = World::new();
    let jobs = standard(&world.clock).build().unwrap();
    send(&jobs, "a", 5);
    let scripted = Scripted::new(&jobs, &world.clock);
    let builder = Runner::builder(&scripted).concurrency(5).until_none_left();
    let builder = builder.group_rate_limit(RateLimit::new(1, secs(25)));
    // The first renewal is refused for one of the four that wait.
    scripted.script(Verb::Visibility, [Reply::Entry(1, ErrorKind::NotHeld)]);
    let (starts, run) = start(&mut world, builder, Duration::ZERO);
    let report = world.finish(run).unwrap();
    assert_eq!((report.succeeded, report.lost, report.received), (5, 1, 6));
    assert_eq!(times(&starts, "a"), [0, 25_000, 50_000, 75_000, 100_000]);
}

#[test]
fn a_worker_in_a_long_poll_begins_what_gets_its_token_meanwhile() {
    let mut world = World::new();
    let jobs = standard(&world.clock).build().unwrap();
    send(&jobs, "a", 3);
    let builder = Runner::builder(&jobs)
        .prefetch(5)
        .group_rate_limit(RateLimit::new(1, secs(7)));
    let (starts, run) = start(&mut world, builder, Duration::ZERO);
    world.advance(secs(30));
    assert_eq!(times(&starts, "a"), [0, 7_000, 14_000]);
    world.kill(&run);
}
