//! Message groups: one after the other, in order, whatever fails (F18, E21).

use {
    super::{
        driver::{Gauge, World, after},
        notes::Notes,
        scripted::{Reply, Scripted, Verb},
    },
    crate::common::{bodies, counts, fifo, millis, receive, secs, send_grouped},
    requeue::{
        Queue,
        backend::{Backoff, ErrorKind},
        worker::{BatchAnswer, BatchSettings, Failure, FailurePolicy, Job, Runner, RunnerBuilder, RunnerHandle},
    },
    std::{cell::OnceCell, collections::BTreeMap, panic::resume_unwind, rc::Rc, time::Duration},
};

fn queue_of<'a>(world: &World, bodies: impl IntoIterator<Item = &'a str>) -> (Queue, Scripted) {
    let dead = Queue::fifo("dead.fifo").clock(world.clock.clone()).build().unwrap();
    let jobs = fifo(&world.clock).dead_letter(&dead, 100).build().unwrap();
    send_grouped(&jobs, bodies);
    let scripted = Scripted::new(&jobs, &world.clock);
    (jobs, scripted)
}

fn group(body: &str) -> &str {
    body.split('-').next().unwrap()
}

/// The lines without their times.
fn untimed(notes: &Notes) -> Vec<String> {
    let lines = notes.take().into_iter();
    lines.map(|it| it.split_once(' ').unwrap().1.to_owned()).collect()
}

/// Five groups of eight messages, in turn.
fn mixed() -> Vec<String> {
    let numbers = (0..8).flat_map(|number| (0..5).map(move |group| format!("g{group}-{number}")));
    numbers.collect()
}

fn assert_in_order(done: &[String]) {
    let mut groups: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for body in done {
        groups.entry(group(body)).or_default().push(body);
    }
    assert_eq!(done.len(), 40, "each once");
    for (group, bodies) in groups {
        let expected: Vec<_> = (0..8).map(|number| format!("{group}-{number}")).collect();
        assert_eq!(bodies, expected);
    }
}

#[test]
fn a_group_is_worked_on_in_order_and_groups_side_by_side() {
    // F18
    for (concurrency, prefetch) in [(1, 0), (2, 0), (3, 0), (3, 7), (5, 0), (9, 30)] {
        let mut world = World::new();
        let messages = mixed();
        let (jobs, _) = queue_of(&world, messages.iter().map(String::as_str));
        let (clock, done) = (world.clock.clone(), Notes::timed(&world.clock));
        let (gauge, lines) = (Gauge::default(), done.clone());
        let groups: [Gauge; 5] = Default::default();
        let (inside, by_group) = (gauge.clone(), groups.clone());
        let runner = Runner::builder(&jobs).concurrency(concurrency).prefetch(prefetch);
        let runner = runner.until_none_visible().each_async(move |job: Job| {
            let number: usize = group(job.body())[1..].parse().unwrap();
            let inside = (inside.enter(), by_group[number].enter());
            let span = millis(500 + job.body().bytes().map(u64::from).product::<u64>() % 2_000);
            let (pause, lines) = (after(&clock, span), lines.clone());
            async move {
                let _inside = inside;
                pause.await;
                lines.write(job.body());
                Ok::<(), String>(())
            }
        });
        let report = world.run(runner.unwrap().run()).unwrap();
        assert_in_order(&untimed(&done));
        assert!(groups.iter().all(|group| group.most() == 1));
        assert_eq!(gauge.most(), concurrency.min(5), "{concurrency} and {prefetch}");
        assert_eq!((report.succeeded, report.retries, report.given_back), (40, 0, 0));
    }
}

#[test]
fn batches_hold_messages_of_a_group_in_order_and_of_one_call_at_a_time() {
    // E21
    for (concurrency, prefetch, size) in [(1, 0, 10), (2, 0, 3), (3, 9, 4), (5, 0, 1), (2, 20, 7)] {
        let mut world = World::new();
        let messages = mixed();
        let (jobs, _) = queue_of(&world, messages.iter().map(String::as_str));
        let (clock, done) = (world.clock.clone(), Notes::timed(&world.clock));
        let lines = done.clone();
        let groups: [Gauge; 5] = Default::default();
        let by_group = groups.clone();
        let runner = Runner::builder(&jobs).concurrency(concurrency).prefetch(prefetch);
        let runner = runner
            .until_none_visible()
            .batch_async(BatchSettings::new(size), move |batch: Vec<Job>| {
                assert!(batch.len() <= size);
                let mut named: Vec<usize> = batch
                    .iter()
                    .map(|job| group(job.body())[1..].parse().unwrap())
                    .collect();
                named.dedup();
                let inside: Vec<_> = named.iter().map(|group| by_group[*group].enter()).collect();
                let (pause, lines) = (after(&clock, secs(1)), lines.clone());
                async move {
                    pause.await;
                    batch.iter().for_each(|job| lines.write(job.body()));
                    drop(inside);
                    BatchAnswer::success()
                }
            });
        let report = world.run(runner.unwrap().run()).unwrap();
        assert_in_order(&untimed(&done));
        assert!(
            groups.iter().all(|group| group.most() == 1),
            "{concurrency} {prefetch} {size}"
        );
        assert_eq!((report.succeeded, report.retries, report.given_back), (40, 0, 0));
    }
}

/// Ways to fail, and whether the message is gone then.
const WAYS: [(&str, bool); 8] = [
    ("leave", false),
    ("at once", false),
    ("backoff", false),
    ("panic", false),
    ("timeout", false),
    ("retry after", false),
    ("dead letter", true),
    ("discard", true),
];

fn policy<Q: requeue::backend::MessageQueue>(builder: RunnerBuilder<Q>, way: &str) -> RunnerBuilder<Q> {
    let backoff = Backoff::new(secs(4), secs(4));
    match way {
        "at once" => builder.failure_policy(FailurePolicy::RetryNow),
        "backoff" => builder.failure_policy(FailurePolicy::Backoff(backoff)),
        _ => builder,
    }
}

fn failure(way: &str) -> Failure {
    match way {
        "panic" => resume_unwind(Box::new("no")),
        "retry after" => Failure::retry_after(secs(7), "no"),
        "dead letter" => Failure::dead_letter("no"),
        "discard" => Failure::discard("no"),
        _ => Failure::from("no"),
    }
}

#[test]
fn a_failure_gives_back_the_rest_of_its_group_held_and_order_is_kept() {
    // E21
    for (way, gone) in WAYS {
        for concurrency in [1, 2, 4] {
            let mut world = World::new();
            let (jobs, scripted) = queue_of(&world, ["g-1", "g-2", "g-3", "g-4", "h-1", "h-2"]);
            let (clock, done) = (world.clock.clone(), Notes::timed(&world.clock));
            let lines = done.clone();
            let runner = Runner::builder(&scripted)
                .max_messages(10)
                .concurrency(concurrency)
                .prefetch(9);
            let runner = policy(runner, way).handler_timeout(secs(20));
            let runner = runner.each_async(move |job: Job| {
                let (pause, long) = (after(&clock, secs(1)), after(&clock, secs(1_000)));
                let lines = lines.clone();
                async move {
                    pause.await;
                    if job.body() == "g-2" && job.approximate_receive_count() == 1 {
                        if way == "timeout" {
                            long.await;
                        }
                        return Err(failure(way));
                    }
                    lines.write(job.body());
                    Ok(())
                }
            });
            let runner = runner.unwrap();
            let handle = runner.handle();
            let run = world.start(runner.run());
            world.advance(secs(200));
            let done = untimed(&done);
            let of = |name: &str| -> Vec<String> { done.iter().filter(|it| group(it) == name).cloned().collect() };
            let expected: &[_] = if gone {
                &["g-1", "g-3", "g-4"]
            } else {
                &["g-1", "g-2", "g-3", "g-4"]
            };
            assert_eq!(of("g"), expected, "{way}");
            assert_eq!(of("h"), ["h-1", "h-2"], "{way}");
            let report = handle.report();
            let (failed, postponed) = if way == "retry after" { (0, 1) } else { (1, 0) };
            assert_eq!(
                (report.failed, report.postponed, report.given_back, counts(&jobs)),
                (failed, postponed, 2, [0, 0, 0]),
                "{way}"
            );
            let calls = scripted.calls.take();
            let given_back = calls.iter().filter(|it| it.ends_with("hide g-3 g-4 for 0ns")).count();
            assert_eq!(given_back, 1, "{way} {calls:?}");
            let retried = if gone { 2 } else { 3 };
            assert_eq!(report.retries, retried, "{way}: the failed one and the two behind it");
            world.kill(&run);
        }
    }
}

/// Runs a batch of g-1 g-2 g-3 h-1 h-2 once; the numbers are those that succeeded, failed, were out of order, and left.
fn fail_in_batch(policy: FailurePolicy, answer: fn(&[Job]) -> BatchAnswer) -> (World, Queue, Vec<String>, [u64; 4]) {
    let mut world = World::new();
    let (jobs, _) = queue_of(&world, ["g-1", "g-2", "g-3", "h-1", "h-2"]);
    let notes = Notes::new();
    let runner = Runner::builder(&jobs).failure_policy(policy).on_event(notes.events());
    let stop = Rc::new(OnceCell::<RunnerHandle>::new());
    let handle = Rc::clone(&stop);
    let runner = runner.batch(BatchSettings::new(10), move |batch: &[Job]| {
        stop.get().unwrap().stop();
        answer(batch)
    });
    let runner = runner.unwrap();
    handle.set(runner.handle()).unwrap();
    let report = world.run(runner.run()).unwrap();
    assert_eq!(report.received, 5);
    let left = report.discarded + report.dead_lettered;
    let numbers = [report.succeeded, report.failed, report.out_of_order, left];
    (world, jobs, notes.take(), numbers)
}

#[test]
fn in_a_batch_what_follows_a_failure_in_its_group_is_out_of_order_and_has_not_failed() {
    // E21
    let (mut world, jobs, events, numbers) = fail_in_batch(FailurePolicy::LeaveToTimeout, |batch| {
        BatchAnswer::success().fail(&batch[1], "no")
    });
    let expected = ["g-2 failed by Answer: no", "g-3 out of order"];
    assert_eq!((events, numbers), (expected.map(str::to_owned).to_vec(), [3, 1, 1, 0]));
    // What follows is visible again, and waits for the one that failed.
    assert_eq!(counts(&jobs), [1, 1, 0]);
    assert!(receive(&jobs, 10).is_empty());
    world.advance(secs(30));
    assert_eq!(bodies(&receive(&jobs, 10)), ["g-2", "g-3"]);
}

#[test]
fn in_a_batch_what_follows_a_failure_comes_back_in_order_whatever_was_said_of_it() {
    // E21
    let answers: [fn(&[Job]) -> BatchAnswer; 3] = [
        |batch| {
            BatchAnswer::success()
                .fail(&batch[0], "no")
                .fail(&batch[1], Failure::retry_after(secs(99), "no"))
        },
        |batch| {
            BatchAnswer::success()
                .fail(&batch[0], "no")
                .fail(&batch[2], Failure::discard("no"))
        },
        |batch| {
            BatchAnswer::success()
                .fail(&batch[0], "no")
                .fail(&batch[1], Failure::dead_letter("no"))
        },
    ];
    for answer in answers {
        let (_, jobs, events, numbers) = fail_in_batch(FailurePolicy::RetryNow, answer);
        assert_eq!((numbers, events.len()), ([2, 1, 2, 0], 3));
        assert_eq!(bodies(&receive(&jobs, 10)), ["g-1", "g-2", "g-3"]);
    }
}

#[test]
fn in_a_batch_what_is_discarded_or_dead_still_stops_its_group() {
    // E21
    for (answer, done) in [
        (
            (|batch| BatchAnswer::success().fail(&batch[0], Failure::discard("no"))) as fn(&[Job]) -> BatchAnswer,
            "discarded",
        ),
        (
            |batch| BatchAnswer::success().fail(&batch[0], Failure::dead_letter("no")),
            "dead",
        ),
    ] {
        let (_, jobs, _, numbers) = fail_in_batch(FailurePolicy::LeaveToTimeout, answer);
        assert_eq!(numbers, [2, 1, 2, 1], "{done}");
        assert_eq!(bodies(&receive(&jobs, 10)), ["g-2", "g-3"], "{done}");
    }
}

#[test]
fn an_answer_for_the_whole_batch_or_for_nobody_in_it_fails_all() {
    // E20
    let answers: [fn(&[Job]) -> BatchAnswer; 3] = [
        |_| BatchAnswer::failure("no"),
        |batch| {
            BatchAnswer::success()
                .fail(&batch[4], "no")
                .fail_id("somebody else", "no")
        },
        |_| BatchAnswer::success().fail_id("", "no"),
    ];
    for answer in answers {
        let (_, jobs, events, numbers) = fail_in_batch(FailurePolicy::RetryNow, answer);
        assert_eq!((numbers, events.len()), ([0, 2, 3, 0], 5));
        let failed = events.iter().filter(|it| it.contains("failed by Answer"));
        assert_eq!(failed.count(), 2);
        assert_eq!(bodies(&receive(&jobs, 10)), ["g-1", "g-2", "g-3", "h-1", "h-2"]);
    }
}

#[test]
fn a_failure_in_a_batch_gives_back_what_of_its_group_waits_outside_of_it() {
    // E21
    let mut world = World::new();
    let (jobs, scripted) = queue_of(&world, ["g-1", "g-2", "g-3", "g-4", "g-5"]);
    let done = Notes::timed(&world.clock);
    let lines = done.clone();
    let runner =
        Runner::builder(&scripted)
            .max_messages(10)
            .prefetch(9)
            .batch(BatchSettings::new(2), move |batch: &[Job]| {
                let mut answer = BatchAnswer::success();
                for job in batch {
                    if job.body() == "g-2" && job.approximate_receive_count() == 1 {
                        answer = answer.fail(job, "no");
                    } else {
                        lines.write(job.body());
                    }
                }
                answer
            });
    let run = world.start(runner.unwrap().run());
    world.settle();
    let calls = scripted.calls.take();
    assert!(calls.contains(&"0 hide g-3 g-4 g-5 for 0ns".to_owned()), "{calls:?}");
    assert_eq!(counts(&jobs), [3, 1, 0]);
    world.advance(secs(30));
    assert_eq!(untimed(&done), ["g-1", "g-2", "g-3", "g-4", "g-5"]);
    world.kill(&run);
}

#[test]
fn two_runners_share_a_queue_by_groups() {
    // F18
    let mut world = World::new();
    let messages = mixed();
    let (jobs, _) = queue_of(&world, messages.iter().map(String::as_str));
    let done = Notes::timed(&world.clock);
    let groups: [Gauge; 5] = Default::default();
    let runs = [1_u64, 2].map(|pace| {
        let (clock, lines, by_group) = (world.clock.clone(), done.clone(), groups.clone());
        let runner = Runner::builder(&jobs)
            .concurrency(2)
            .prefetch(2)
            .each_async(move |job: Job| {
                let number: usize = group(job.body())[1..].parse().unwrap();
                let (inside, pause, lines) = (by_group[number].enter(), after(&clock, secs(pace)), lines.clone());
                async move {
                    let _inside = inside;
                    pause.await;
                    lines.write(job.body());
                    Ok::<(), String>(())
                }
            });
        world.start(runner.unwrap().run())
    });
    world.advance(Duration::from_secs(120));
    assert_in_order(&untimed(&done));
    assert!(groups.iter().all(|group| group.most() == 1));
    assert!(runs.iter().all(|run| !world.is_over(run)));
}

#[test]
fn of_a_batch_that_is_about_to_begin_what_follows_a_lost_message_is_left_out_too() {
    // E21
    let mut world = World::new();
    let (jobs, scripted) = queue_of(&world, ["a-1", "a-2", "g-1", "g-2"]);
    // Of four, and of `g-1` alone: it expires at the instant at which the first batch ends, and `g-2` does not.
    let alone = [Reply::Fail(ErrorKind::Transient); 4];
    for _ in 0..2 {
        scripted.script(Verb::Visibility, [Reply::Entry(2, ErrorKind::Transient)]);
        scripted.script(Verb::Visibility, alone);
    }
    let (clock, begun) = (world.clock.clone(), Notes::timed(&world.clock));
    let lines = begun.clone();
    let runner = Runner::builder(&scripted)
        .max_messages(10)
        .prefetch(9)
        .until_none_visible();
    let runner = runner.batch_async(BatchSettings::new(2), move |batch: Vec<Job>| {
        let bodies: Vec<_> = batch.iter().map(|job| job.body()).collect();
        lines.write(bodies.join(" "));
        let pause = after(&clock, secs(30));
        async move {
            pause.await;
            BatchAnswer::success()
        }
    });
    let report = world.run(runner.unwrap().run()).unwrap();
    assert_eq!(
        begun.take(),
        ["0 a-1 a-2", "30000 g-1 g-2"],
        "received again, and in order"
    );
    let numbers = (report.received, report.succeeded, report.lost);
    assert_eq!((numbers, counts(&jobs)), ((6, 4, 1), [0, 0, 0]));
    assert_eq!((report.given_back, report.not_given_back), (1, 1));
}

#[test]
fn a_group_that_came_back_while_a_handler_goes_on_without_its_lease_waits_for_it_and_is_not_given_back() {
    for succeeds in [true, false] {
        let mut world = World::new();
        let (jobs, scripted) = queue_of(&world, ["g-1", "g-2"]);
        let (clock, done) = (world.clock.clone(), Notes::timed(&world.clock));
        let lines = done.clone();
        let runner = Runner::builder(&scripted)
            .max_messages(10)
            .concurrency(2)
            .heartbeat(false);
        let runner = runner.each_async(move |job: Job| {
            let receives = job.approximate_receive_count();
            let long = job.body() == "g-1" && receives == 1;
            let (pause, lines) = (after(&clock, secs(if long { 40 } else { 1 })), lines.clone());
            async move {
                pause.await;
                lines.write(format!("{} of receive {receives}", job.body()));
                if succeeds || !long { Ok(()) } else { Err("no") }
            }
        });
        let runner = runner.unwrap();
        let handle = runner.handle();
        let run = world.start(runner.run());
        world.advance(secs(100));
        let expected = [
            "40000 g-1 of receive 1",
            "41000 g-1 of receive 2",
            "42000 g-2 of receive 2",
        ];
        assert_eq!(
            (done.take(), counts(&jobs)),
            (expected.map(str::to_owned).to_vec(), [0, 0, 0])
        );
        assert_eq!(handle.report().received, 4);
        world.kill(&run);
    }
}
