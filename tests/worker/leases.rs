//! Leases: renewed for all messages that the runner holds, up to 12 hours, and reported to the handler when they are lost (D19-D30).

use {
    super::{
        driver::{After, World, after},
        notes::Notes,
        scripted::{Reply, Scripted, Verb},
    },
    crate::common::{MILLISECOND, VISIBILITY, counts, fifo, receive, secs, send_grouped, standard},
    requeue::{
        Fact, FactChannel, FactEntry, ManualClock, Queue,
        backend::{ErrorKind, MessageQueue},
        worker::{Failure, FailurePolicy, Job, Runner, RunnerBuilder},
    },
    std::{
        future::{Future, poll_fn},
        pin::pin,
        task::Poll,
        time::Duration,
    },
};

const HOURS_12: Duration = secs(43_200);

fn queue_of<'a>(world: &World, bodies: impl IntoIterator<Item = &'a str>) -> (Queue, Scripted) {
    let jobs = standard(&world.clock).build().unwrap();
    for body in bodies {
        jobs.send(body).unwrap();
    }
    let scripted = Scripted::new(&jobs, &world.clock);
    (jobs, scripted)
}

/// A handler that writes down how it went: done after `span`, or lost before.
fn until_lost<F>(
    clock: &ManualClock,
    notes: &Notes,
    span: F,
) -> impl Fn(Job) -> std::pin::Pin<Box<dyn Future<Output = Result<(), String>>>> + use<F>
where
    F: Fn(&Job) -> Duration,
{
    let (clock, notes) = (clock.clone(), notes.clone());
    move |job| {
        let (pause, notes): (After, _) = (after(&clock, span(&job)), notes.clone());
        Box::pin(async move {
            let (mut pause, mut lost) = (pin!(pause), pin!(job.lease_lost()));
            let is_lost = poll_fn(|context| {
                if lost.as_mut().poll(context).is_ready() {
                    return Poll::Ready(true);
                }
                pause.as_mut().poll(context).map(|()| false)
            });
            let outcome = if is_lost.await { "lost" } else { "done" };
            notes.write(format!("{} {outcome}, held {}", job.body(), job.is_held()));
            match outcome {
                "done" => Ok(()),
                _ => Err("lost".to_owned()),
            }
        })
    }
}

/// The calls that change visibility.
fn hides(scripted: &Scripted) -> Vec<String> {
    let calls = scripted.calls.take().into_iter();
    calls.filter(|it| it.contains("hide")).collect()
}

fn with_prefetch<Q: MessageQueue + Clone>(queue: &Q) -> RunnerBuilder<Q> {
    Runner::builder(queue).max_messages(10).prefetch(9).until_none_visible()
}

#[test]
fn the_heartbeat_holds_what_is_worked_on_and_what_waits() {
    // D29
    let mut world = World::new();
    let (jobs, scripted) = queue_of(&world, ["a", "b", "c", "d"]);
    let notes = Notes::timed(&world.clock);
    let span = |job: &Job| secs(if job.body() == "a" { 1_000 } else { 1 });
    let runner = with_prefetch(&scripted).each_async(until_lost(&world.clock, &notes, span));
    let run = world.start(runner.unwrap().run());
    for _ in 0..999 {
        world.advance(secs(1));
        assert_eq!(counts(&jobs), [0, 4, 0], "at {:?}", world.time());
    }
    let calls = hides(&scripted);
    assert_eq!(
        calls[0], "10000 hide a b c d for 30s",
        "all of them, after a third of their time"
    );
    assert_eq!((calls.len(), calls[98].as_str()), (99, "990000 hide a b c d for 30s"));
    let report = world.finish(run).unwrap();
    assert_eq!((report.succeeded, report.retries, report.lost), (4, 0, 0));
    assert_eq!(
        report.heartbeats,
        99 * 4 + 3,
        "the three that waited were due once more at 1,000 s"
    );
    let expected = [
        "1000000 a done, held true",
        "1001000 b done, held true",
        "1002000 c done, held true",
        "1003000 d done, held true",
    ];
    assert_eq!(notes.take(), expected);
}

#[test]
fn the_runners_own_visibility_timeout_is_what_is_renewed() {
    let mut world = World::new();
    let (jobs, scripted) = queue_of(&world, ["a"]);
    let notes = Notes::timed(&world.clock);
    let runner = with_prefetch(&scripted).visibility_timeout(secs(3));
    let runner = runner
        .each_async(until_lost(&world.clock, &notes, |_| secs(5)))
        .unwrap();
    let run = world.start(runner.run());
    world.advance(secs(4));
    assert_eq!(counts(&jobs), [0, 1, 0]);
    let expected = [1, 2, 3, 4].map(|second| format!("{second}000 hide a for 3s"));
    assert_eq!(hides(&scripted), expected);
    assert_eq!(world.finish(run).unwrap().succeeded, 1);
}

#[test]
fn after_12_hours_a_message_is_lost_and_its_handler_is_notified() {
    // D26
    let mut world = World::new();
    let (jobs, scripted) = queue_of(&world, ["a"]);
    let notes = Notes::timed(&world.clock);
    let runner = with_prefetch(&scripted).failure_policy(FailurePolicy::LeaveToTimeout);
    let runner = runner.each_async(until_lost(&world.clock, &notes, |_| HOURS_12 * 2));
    let run = world.start(runner.unwrap().run());
    world.advance(HOURS_12 - secs(2));
    assert_eq!((notes.take(), counts(&jobs)), (Vec::<String>::new(), [0, 1, 0]));
    world.advance(secs(2));
    assert_eq!(notes.take(), ["43199000 a lost, held false"]);
    world.kill(&run);
    assert_eq!(
        jobs.snapshot().messages[0].approximate_receive_count,
        2,
        "it has been received again"
    );
    assert!(hides(&scripted).len() <= 43_200 / 10, "none is repeated near the end");
}

#[test]
fn a_message_near_its_12_hours_does_not_shorten_the_leases_of_others() {
    // D26
    let mut world = World::new();
    let (jobs, _) = queue_of(&world, ["old"]);
    let notes = Notes::timed(&world.clock);
    let span = |job: &Job| if job.body() == "old" { HOURS_12 * 2 } else { secs(300) };
    let runner = Runner::builder(&jobs).concurrency(2);
    let runner = runner.each_async(until_lost(&world.clock, &notes, span)).unwrap();
    let run = world.start(runner.run());
    world.advance(HOURS_12 - secs(100));
    jobs.send("young").unwrap();
    world.advance(secs(100));
    assert_eq!(notes.take(), ["43199000 old lost, held false"]);
    world.advance(secs(200));
    assert_eq!(notes.take(), ["43400000 young done, held true"]);
    world.kill(&run);
}

#[test]
fn a_refused_renewal_is_a_loss_and_the_handler_is_told_at_once() {
    let mut world = World::new();
    let (jobs, scripted) = queue_of(&world, ["a", "b"]);
    let (notes, clock) = (Notes::timed(&world.clock), world.clock.clone());
    scripted.script(Verb::Visibility, [Reply::Entry(0, ErrorKind::NotHeld)]);
    let runner = Runner::builder(&scripted).concurrency(2).on_event(notes.events());
    let runner = runner.each_async(until_lost(&clock, &notes, |_| secs(40))).unwrap();
    let run = world.start(runner.run());
    world.advance(secs(10));
    let expected = [
        "10000 a lost",
        "10000 a lost, held false",
        "10000 a failed by Answer: lost",
    ];
    assert_eq!(notes.take(), expected);
    world.advance(secs(19));
    assert_eq!(counts(&jobs), [0, 2, 0], "the other one is held");
    world.kill(&run);
}

#[test]
fn a_renewal_that_fails_is_tried_again_until_the_lease_ends() {
    let mut world = World::new();
    let (jobs, scripted) = queue_of(&world, ["a"]);
    let notes = Notes::timed(&world.clock);
    scripted.script(Verb::Visibility, [Reply::Fail(ErrorKind::Transient); 100]);
    let runner = Runner::builder(&scripted).on_event(notes.events());
    let runner = runner
        .each_async(until_lost(&world.clock, &notes, |_| secs(40)))
        .unwrap();
    let handle = runner.handle();
    let run = world.start(runner.run());
    world.advance(VISIBILITY - MILLISECOND);
    let calls = hides(&scripted);
    let expected: Vec<_> = (5..15).map(|it| format!("{}000 hide a for 30s", it * 2)).collect();
    assert_eq!((calls, notes.take()), (expected, Vec::new()));
    world.advance(MILLISECOND);
    let expected = [
        "30000 a lost",
        "30000 a lost, held false",
        "30000 a failed by Answer: lost",
    ];
    assert_eq!(
        (notes.take(), handle.report().lost),
        (expected.map(str::to_owned).to_vec(), 1)
    );
    assert_eq!(counts(&jobs)[1], 1, "it was received again");
    world.kill(&run);
}

#[test]
fn a_renewal_that_succeeds_in_the_end_holds_the_message() {
    for reply in [
        Reply::Fail(ErrorKind::Transient),
        Reply::Lost,
        Reply::Fail(ErrorKind::Refused),
    ] {
        let mut world = World::new();
        let (_, scripted) = queue_of(&world, ["a"]);
        let notes = Notes::timed(&world.clock);
        scripted.script(Verb::Visibility, [reply; 5]);
        let runner = with_prefetch(&scripted).each_async(until_lost(&world.clock, &notes, |_| secs(45)));
        let report = world.run(runner.unwrap().run()).unwrap();
        let times: Vec<_> = hides(&scripted)
            .iter()
            .map(|it| it.split(' ').next().unwrap().to_owned())
            .collect();
        assert_eq!(
            times,
            ["10000", "12000", "14000", "16000", "18000", "20000", "30000", "40000"]
        );
        assert_eq!(
            (notes.take(), report.lost),
            (vec!["45000 a done, held true".to_owned()], 0),
            "{reply:?}"
        );
    }
}

#[test]
fn of_a_renewal_that_fails_in_part_only_that_part_is_tried_again() {
    let mut world = World::new();
    let (_, scripted) = queue_of(&world, ["a", "b", "c"]);
    let notes = Notes::timed(&world.clock);
    scripted.script(Verb::Visibility, [Reply::Entry(1, ErrorKind::Transient)]);
    let runner = with_prefetch(&scripted).each_async(until_lost(&world.clock, &notes, |_| secs(15)));
    let run = world.start(runner.unwrap().run());
    world.advance(secs(14));
    assert_eq!(hides(&scripted), ["10000 hide a b c for 30s", "12000 hide b for 30s"]);
    assert_eq!(world.finish(run).unwrap().succeeded, 3);
}

#[test]
fn a_slow_renewal_holds_the_message_from_the_time_it_was_asked_for() {
    let mut world = World::new();
    let (_, scripted) = queue_of(&world, ["a"]);
    let notes = Notes::timed(&world.clock);
    scripted.script(Verb::Visibility, [Reply::Slow(secs(15)), Reply::Late(secs(14))]);
    let runner = with_prefetch(&scripted).each_async(until_lost(&world.clock, &notes, |_| secs(80)));
    let report = world.run(runner.unwrap().run()).unwrap();
    let expected = ["10000 hide a for 30s", "25000 hide a for 30s", "39000 hide a for 30s"];
    assert_eq!(hides(&scripted)[..3], expected);
    assert_eq!(
        (notes.take(), report.lost),
        (vec!["80000 a done, held true".to_owned()], 0)
    );
}

#[test]
fn a_renewal_that_is_never_answered_keeps_no_other_from_being_made() {
    let mut world = World::new();
    let (jobs, scripted) = queue_of(&world, ["a"]);
    let notes = Notes::timed(&world.clock);
    scripted.script(Verb::Visibility, [Reply::Never]);
    let runner = Runner::builder(&scripted).concurrency(2);
    let runner = runner
        .each_async(until_lost(&world.clock, &notes, |_| secs(100)))
        .unwrap();
    let run = world.start(runner.run());
    world.advance(secs(5));
    jobs.send("b").unwrap();
    world.advance(secs(25));
    assert_eq!(
        notes.take(),
        ["30000 a lost, held false"],
        "a lease that ends is noticed all the same"
    );
    world.advance(secs(75));
    assert_eq!(notes.take()[0], "105000 b done, held true");
    world.kill(&run);
}

#[test]
fn a_renewal_that_answers_after_the_handler_is_no_loss() {
    let mut world = World::new();
    let (jobs, scripted) = queue_of(&world, ["a"]);
    let notes = Notes::timed(&world.clock);
    scripted.script(Verb::Visibility, [Reply::Slow(secs(5))]);
    let runner = Runner::builder(&scripted).on_event(notes.events());
    let runner = runner
        .each_async(until_lost(&world.clock, &notes, |_| secs(12)))
        .unwrap();
    let handle = runner.handle();
    let run = world.start(runner.run());
    world.advance(secs(20));
    assert_eq!(notes.take(), ["12000 a done, held true"]);
    let report = handle.report();
    assert_eq!((report.succeeded, report.lost, counts(&jobs)), (1, 0, [0, 0, 0]));
    world.kill(&run);
}

#[test]
fn without_heartbeats_nothing_is_renewed_and_the_lease_ends_with_the_timeout() {
    // D19: a standard queue deletes by a handle that has expired.
    let mut world = World::new();
    let (jobs, scripted) = queue_of(&world, ["a"]);
    let notes = Notes::timed(&world.clock);
    let runner = Runner::builder(&scripted).heartbeat(false);
    let runner = runner
        .each_async(until_lost(&world.clock, &notes, |_| secs(100)))
        .unwrap();
    let run = world.start(runner.run());
    world.advance(VISIBILITY - MILLISECOND);
    assert_eq!((notes.take(), counts(&jobs)), (Vec::<String>::new(), [0, 1, 0]));
    world.advance(MILLISECOND);
    assert_eq!(notes.take(), ["30000 a lost, held false"]);
    assert_eq!(hides(&scripted), Vec::<String>::new());
    world.kill(&run);
}

#[test]
fn what_was_done_after_its_lease_is_deleted_if_the_queue_still_lets_it_be() {
    // D19
    for (fifo, expected) in [(false, (1, 0, 1)), (true, (0, 1, 1))] {
        let mut world = World::new();
        let jobs = match fifo {
            true => crate::common::fifo(&world.clock),
            false => standard(&world.clock),
        };
        let jobs = jobs.build().unwrap();
        send_grouped(&jobs, ["g-a"]);
        let clock = world.clock.clone();
        let runner = Runner::builder(&jobs).heartbeat(false).each_async(move |_: Job| {
            let pause = after(&clock, secs(40));
            async move {
                pause.await;
                Ok::<(), String>(())
            }
        });
        let (runner, handle) = runner
            .map(|it| {
                let handle = it.handle();
                (it, handle)
            })
            .unwrap();
        let run = world.start(runner.run());
        world.advance(secs(39));
        handle.stop();
        let report = world.finish(run).unwrap();
        assert_eq!(
            (report.succeeded, report.not_deleted, report.lost),
            expected,
            "fifo {fifo}"
        );
    }
}

#[test]
fn what_was_lost_while_it_waited_is_not_begun() {
    let mut world = World::new();
    let (jobs, scripted) = queue_of(&world, ["a", "b"]);
    let notes = Notes::timed(&world.clock);
    scripted.script(Verb::Visibility, [Reply::Entry(1, ErrorKind::NotHeld)]);
    let runner = with_prefetch(&scripted);
    let runner = runner.each_async(until_lost(&world.clock, &notes, |job| match job.body() {
        "a" => secs(29),
        _ => secs(2),
    }));
    let run = world.start(runner.unwrap().run());
    world.advance(secs(29));
    assert_eq!(notes.take(), ["29000 a done, held true"]);
    let report = world.finish(run).unwrap();
    assert_eq!((report.received, report.succeeded, report.lost), (2, 1, 1));
    assert_eq!(
        (notes.take(), counts(&jobs)),
        (Vec::new(), [0, 1, 0]),
        "nobody works on b"
    );
}

#[test]
fn what_expired_while_it_waited_is_received_again_and_handled_once() {
    let mut world = World::new();
    let (jobs, scripted) = queue_of(&world, ["a", "b"]);
    scripted.script(Verb::Visibility, [Reply::Fail(ErrorKind::Transient); 100]);
    let notes = Notes::timed(&world.clock);
    let runner = with_prefetch(&scripted).on_event(notes.events());
    let runner = runner.each_async(until_lost(&world.clock, &notes, |job| match job.body() {
        "a" => VISIBILITY,
        _ => secs(1),
    }));
    // At the instant at which both leases end, the handler of the first one does, too.
    let report = world.run(runner.unwrap().run()).unwrap();
    let lines = notes.take();
    let handled = lines.iter().filter(|it| it.contains("b done")).count();
    assert_eq!(handled, 1, "{lines:?}");
    assert!(lines.contains(&"31000 b done, held true".to_owned()), "{lines:?}");
    assert_eq!((counts(&jobs), report.retries > 0), ([0, 0, 0], true));
}

#[test]
fn a_loss_in_a_group_gives_back_what_follows_in_it() {
    // E21
    let mut world = World::new();
    let jobs = fifo(&world.clock).build().unwrap();
    send_grouped(&jobs, ["g-1", "g-2", "g-3", "h-1"]);
    let scripted = Scripted::new(&jobs, &world.clock);
    let notes = Notes::timed(&world.clock);
    scripted.script(Verb::Visibility, [Reply::Entry(0, ErrorKind::NotHeld)]);
    let runner = with_prefetch(&scripted);
    let ignores_loss = world.clock.clone();
    let lines = notes.clone();
    let runner = runner.each_async(move |job: Job| {
        let (pause, lines) = (after(&ignores_loss, secs(15)), lines.clone());
        async move {
            pause.await;
            lines.write(job.body());
            Ok::<(), String>(())
        }
    });
    let runner = runner.unwrap();
    let handle = runner.handle();
    let run = world.start(runner.run());
    world.advance(secs(10));
    let calls = hides(&scripted);
    assert_eq!(
        calls,
        ["10000 hide g-1 g-2 g-3 h-1 for 30s", "10000 hide g-2 g-3 for 0ns"]
    );
    assert_eq!((handle.report().given_back, handle.report().lost), (2, 1));
    assert_eq!(counts(&jobs), [2, 2, 0], "visible, behind the one that is lost");
    let report = world.finish(run).unwrap();
    let done: Vec<_> = notes
        .take()
        .iter()
        .map(|it| it.split(' ').nth(1).unwrap().to_owned())
        .collect();
    assert_eq!(done, ["g-1", "h-1", "g-2", "g-3"], "in order");
    assert_eq!((report.succeeded, counts(&jobs)), (4, [0, 0, 0]));
}

#[test]
fn a_loss_of_what_waits_in_a_group_gives_back_what_follows_and_spares_what_goes_before() {
    // E21
    let mut world = World::new();
    let jobs = fifo(&world.clock).build().unwrap();
    send_grouped(&jobs, ["h-1", "g-1", "g-2", "g-3", "g-4"]);
    let scripted = Scripted::new(&jobs, &world.clock);
    let notes = Notes::timed(&world.clock);
    // The second of its group, which nobody has begun.
    scripted.script(Verb::Visibility, [Reply::Entry(2, ErrorKind::NotHeld)]);
    let runner = with_prefetch(&scripted);
    let runner = runner
        .each_async(until_lost(&world.clock, &notes, |_| secs(12)))
        .unwrap();
    let run = world.start(runner.run());
    world.advance(secs(10));
    let calls = hides(&scripted);
    assert_eq!(
        calls,
        ["10000 hide h-1 g-1 g-2 g-3 g-4 for 30s", "10000 hide g-3 g-4 for 0ns"]
    );
    let report = world.finish(run).unwrap();
    let lines = notes.take();
    assert_eq!(lines, ["12000 h-1 done, held true", "24000 g-1 done, held true"]);
    assert_eq!(
        (report.received, report.succeeded, report.lost, report.given_back),
        (5, 2, 1, 2)
    );
    world.advance(secs(60));
    let left = receive(&jobs, 10);
    assert_eq!(crate::common::bodies(&left), ["g-2", "g-3", "g-4"]);
}

#[test]
fn what_was_lost_is_not_taken_from_whoever_has_it_since() {
    // D19: on a standard queue an older handle works on the reception of somebody else.
    for way in ["at once", "retry after", "dead letter"] {
        let mut world = World::new();
        let dead = Queue::standard("dead").clock(world.clock.clone()).build().unwrap();
        let jobs = standard(&world.clock).dead_letter(&dead, 100).build().unwrap();
        jobs.send("a").unwrap();
        let clock = world.clock.clone();
        let runner = Runner::builder(&jobs).failure_policy(FailurePolicy::RetryNow);
        let runner = runner.heartbeat(false).each_async(move |_: Job| {
            let pause = after(&clock, secs(40));
            async move {
                pause.await;
                Err::<(), _>(match way {
                    "retry after" => Failure::retry_after(secs(1), "no"),
                    "dead letter" => Failure::dead_letter("no"),
                    _ => Failure::from("no"),
                })
            }
        });
        let runner = runner.unwrap();
        let handle = runner.handle();
        let run = world.start(runner.run());
        world.advance(VISIBILITY);
        let elsewhere = receive(&jobs, 1);
        assert_eq!(elsewhere.len(), 1);
        handle.stop();
        world.advance(secs(15));
        let report = world.over(run).unwrap();
        assert_eq!(report.failed + report.postponed, 1, "{way}");
        assert_eq!((counts(&jobs), counts(&dead)), ([0, 1, 0], [0, 0, 0]), "{way}");
    }
}

#[test]
fn leases_of_a_few_milliseconds_are_renewed_no_more_often_than_the_clock_can_tell() {
    for visibility in 1..=20 {
        let mut world = World::new();
        let jobs = standard(&world.clock).build().unwrap();
        jobs.send("m1").unwrap();
        let clock = world.clock.clone();
        let builder = Runner::builder(&jobs)
            .visibility_timeout(MILLISECOND * visibility)
            .until_none_visible();
        let runner = builder.each_async(move |_: Job| {
            let pause = after(&clock, secs(1));
            async move {
                pause.await;
                Ok::<(), String>(())
            }
        });
        let report = world.run(runner.unwrap().run()).unwrap();
        assert!(
            report.heartbeats <= 1_000 && report.received >= 1,
            "{visibility} ms: {report:?}"
        );
    }
}

#[test]
fn why_a_lost_message_was_to_be_a_dead_letter_is_told_all_the_same() {
    let mut world = World::new();
    let dead = Queue::standard("dead").clock(world.clock.clone()).build().unwrap();
    let (listener, facts) = FactChannel::unbounded();
    let jobs = standard(&world.clock)
        .dead_letter(&dead, 5)
        .listener(listener)
        .build()
        .unwrap();
    jobs.send("m1").unwrap();
    let (clock, seen) = (world.clock.clone(), jobs.clone());
    let runner = Runner::builder(&jobs).heartbeat(false).each_async(move |_: Job| {
        let (pause, seen) = (after(&clock, secs(30)), seen.clone());
        async move {
            pause.await;
            assert_eq!(counts(&seen), [1, 0, 0], "it is lost");
            Err(Failure::dead_letter("poison"))
        }
    });
    let runner = runner.unwrap();
    let (handle, run) = (runner.handle(), world.start(runner.run()));
    world.advance(secs(30));
    handle.stop();
    world.finish(run).unwrap();
    let failed = |(_, entry): (_, FactEntry)| match entry.fact {
        Fact::Failed { reason, .. } => Some(reason.to_string()),
        _ => None,
    };
    let reasons: Vec<_> = facts.try_iter().filter_map(failed).collect();
    assert!(
        !reasons.is_empty() && reasons.iter().all(|reason| reason == "poison"),
        "{reasons:?}"
    );
    assert_eq!(counts(&dead), [0; 3]);
}
