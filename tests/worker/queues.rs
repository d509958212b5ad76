//! Queues that fail, refuse, or are gone; and handlers that block.

use {
    super::{
        driver::{World, after},
        notes::Notes,
        scripted::{Reply, Scripted, Verb},
    },
    crate::common::{MILLISECOND, counts, fifo, secs, send_grouped, standard},
    requeue::{
        Queue,
        backend::ErrorKind,
        worker::{Job, Runner, RunnerError},
    },
    std::time::Duration,
};

fn scripted(world: &World) -> (Queue, Scripted) {
    let jobs = standard(&world.clock).build().unwrap();
    let scripted = Scripted::new(&jobs, &world.clock);
    (jobs, scripted)
}

fn succeed(_: &Job) -> Result<(), String> {
    Ok(())
}

/// The calls of this verb.
fn calls(scripted: &Scripted, verb: &str) -> Vec<String> {
    let calls = scripted.calls.take().into_iter();
    calls.filter(|it| it.contains(verb)).collect()
}

#[test]
fn a_queue_that_is_gone_before_the_runner_begins_ends_it_with_that_error() {
    let mut world = World::new();
    let (jobs, _) = scripted(&world);
    let notes = Notes::new();
    let runner = Runner::builder(&jobs).on_event(notes.events()).each(succeed).unwrap();
    jobs.delete_queue().unwrap();
    let error = world.run(runner.run()).unwrap_err();
    let text = format!("The specified queue does not exist. (queue {})", jobs.url());
    assert!(error.to_string().ends_with(&text), "{error}");
    let RunnerError::Queue { error, report, .. } = error else {
        panic!("{error}")
    };
    assert_eq!((error.kind, report.receive_errors), (ErrorKind::QueueDoesNotExist, 1));
    assert_eq!(notes.take(), ["receive failed, again in None"]);
}

#[test]
fn a_queue_deleted_while_the_runner_waits_ends_it_at_once() {
    // Q38
    let mut world = World::new();
    let (jobs, _) = scripted(&world);
    let runner = Runner::builder(&jobs).concurrency(3).each(succeed).unwrap();
    let run = world.start(runner.run());
    world.advance(secs(7));
    jobs.delete_queue().unwrap();
    let error = world.over(run).unwrap_err();
    assert!(matches!(error, RunnerError::Queue { .. }), "{error}");
}

#[test]
fn a_queue_deleted_while_handlers_run_ends_the_runner_after_they_have_finished() {
    let mut world = World::new();
    let (jobs, _) = scripted(&world);
    for body in ["a", "b"] {
        jobs.send(body).unwrap();
    }
    let (clock, notes) = (world.clock.clone(), Notes::timed(&world.clock));
    let lines = notes.clone();
    let runner = Runner::builder(&jobs).concurrency(3).on_event(notes.events());
    let runner = runner.each_async(move |job: Job| {
        let (pause, lines) = (after(&clock, secs(8)), lines.clone());
        async move {
            pause.await;
            lines.write(format!("{} done", job.body()));
            Ok::<(), String>(())
        }
    });
    let run = world.start(runner.unwrap().run());
    world.advance(secs(5));
    jobs.delete_queue().unwrap();
    assert!(!world.is_over(&run), "its handlers run");
    let RunnerError::Queue { error, report, .. } = world.finish(run).unwrap_err() else {
        panic!("the queue is gone")
    };
    assert_eq!((error.kind, world.time()), (ErrorKind::QueueDoesNotExist, secs(8)));
    assert_eq!((report.received, report.not_deleted, report.succeeded), (2, 2, 0));
    let expected = [
        "5000 receive failed, again in None",
        "8000 a done",
        "8000 a not deleted by QueueDoesNotExist",
        "8000 b done",
        "8000 b not deleted by QueueDoesNotExist",
    ];
    assert_eq!(notes.take(), expected);
}

#[test]
fn a_queue_that_refuses_ends_the_runner_and_one_that_fails_does_not() {
    let mut world = World::new();
    let (_, scripted) = scripted(&world);
    let replies = [Reply::Fail(ErrorKind::Transient), Reply::Fail(ErrorKind::Refused)];
    scripted.script(Verb::Receive, replies);
    let runner = Runner::builder(&scripted).each(succeed).unwrap();
    let RunnerError::Queue { error, report, .. } = world.run(runner.run()).unwrap_err() else {
        panic!("the queue refuses")
    };
    assert_eq!((error.kind, report.receive_errors), (ErrorKind::Refused, 2));
    assert_eq!(world.time(), Duration::from_millis(200));
}

#[test]
fn errors_that_may_pass_end_a_runner_after_the_outage_timeout_and_not_before() {
    for kind in [ErrorKind::Denied, ErrorKind::Transient] {
        for (timeout, receives) in [(0, 1), (1, 4), (60, 10), (3_600, 187)] {
            let mut world = World::new();
            let (_, scripted) = scripted(&world);
            scripted.script(Verb::Receive, [Reply::Fail(kind); 1_000]);
            let notes = Notes::new();
            let builder = Runner::builder(&scripted).on_event(notes.events());
            let builder = match timeout {
                3_600 => builder,
                seconds => builder.outage_timeout(secs(seconds)),
            };
            let RunnerError::Queue { error, report, .. } = world.run(builder.each(succeed).unwrap().run()).unwrap_err()
            else {
                panic!("the outage lasts")
            };
            assert_eq!((error.kind, world.time()), (kind, secs(timeout)));
            assert_eq!(
                (report.receive_errors, notes.take().len()),
                (receives, receives as usize)
            );
        }
    }
}

#[test]
fn an_outage_is_counted_from_the_last_success() {
    let mut world = World::new();
    let (jobs, scripted) = scripted(&world);
    for _ in 0..5 {
        scripted.script(Verb::Receive, [Reply::Fail(ErrorKind::Denied); 8]);
        scripted.script(Verb::Receive, [Reply::Pass]);
    }
    let runner = Runner::builder(&scripted).outage_timeout(secs(60));
    let run = world.start(runner.each(succeed).unwrap().run());
    world.advance(secs(300));
    assert!(!world.is_over(&run), "no outage lasted for a minute");
    jobs.send("a").unwrap();
    world.advance(secs(60));
    assert_eq!(counts(&jobs), [0, 0, 0]);
    world.kill(&run);
}

#[test]
fn deletes_that_are_denied_are_repeated_while_the_lease_lasts() {
    let mut world = World::new();
    let (jobs, scripted) = scripted(&world);
    jobs.send("a").unwrap();
    scripted.script(Verb::Delete, [Reply::Fail(ErrorKind::Denied); 5]);
    let report = world.run(
        Runner::builder(&scripted)
            .until_none_visible()
            .each(succeed)
            .unwrap()
            .run(),
    );
    assert_eq!((report.unwrap().succeeded, counts(&jobs)), (1, [0, 0, 0]));
}

#[test]
fn receives_that_fail_are_repeated_after_ever_longer_times_until_one_succeeds() {
    let mut world = World::new();
    let (jobs, scripted) = scripted(&world);
    scripted.script(Verb::Receive, [Reply::Fail(ErrorKind::Transient); 10]);
    let notes = Notes::new();
    let runner = Runner::builder(&scripted).concurrency(4).on_event(notes.events());
    let runner = runner.each(succeed).unwrap();
    let handle = runner.handle();
    let run = world.start(runner.run());
    world.advance(secs(60));
    let times = [0, 200, 600, 1_400, 3_000, 6_200, 12_600, 25_400, 45_400];
    let expected: Vec<_> = times.iter().map(|time| format!("{time} receive 4 for 20 s")).collect();
    assert_eq!(calls(&scripted, "receive"), expected);
    world.advance(secs(26));
    jobs.send("a").unwrap();
    world.settle();
    assert_eq!((handle.report().succeeded, handle.report().receive_errors), (1, 10));
    let log = notes.take();
    assert_eq!(log[0], "receive failed, again in Some(200ms)");
    assert_eq!((log.len(), log[9].as_str()), (10, "receive failed, again in Some(20s)"));
    scripted.calls.take();
    scripted.script(Verb::Receive, [Reply::Fail(ErrorKind::Transient)]);
    world.advance(secs(20));
    assert_eq!(
        notes.take(),
        ["receive failed, again in Some(200ms)"],
        "a success begins anew"
    );
    world.kill(&run);
}

#[test]
fn a_failed_receive_is_no_sign_of_an_empty_queue() {
    let mut world = World::new();
    let (jobs, scripted) = scripted(&world);
    jobs.send("a").unwrap();
    scripted.script(Verb::Receive, [Reply::Fail(ErrorKind::Transient); 3]);
    let runner = Runner::builder(&scripted).concurrency(2).until_none_visible();
    let report = world.run(runner.each(succeed).unwrap().run()).unwrap();
    assert_eq!((report.succeeded, report.receive_errors), (1, 3));
}

#[test]
fn deletes_that_fail_are_repeated_while_the_lease_lasts_and_then_succeed() {
    for reply in [
        Reply::Fail(ErrorKind::Transient),
        Reply::Lost,
        Reply::Entry(0, ErrorKind::Transient),
    ] {
        let mut world = World::new();
        let (jobs, scripted) = scripted(&world);
        jobs.send("a").unwrap();
        scripted.script(Verb::Delete, [reply; 8]);
        let notes = Notes::new();
        let runner = Runner::builder(&scripted).until_none_visible().on_event(notes.events());
        let report = world.run(runner.each(succeed).unwrap().run()).unwrap();
        let times = [0, 100, 300, 700, 1_500, 3_100, 6_300, 11_300, 16_300];
        let expected: Vec<_> = times.iter().map(|time| format!("{time} delete a")).collect();
        assert_eq!(calls(&scripted, "delete"), expected, "{reply:?}");
        let log = notes.take();
        assert_eq!(log[0], "a not deleted by Transient, again in 100ms");
        assert_eq!(
            (log.len(), log[7].as_str()),
            (8, "a not deleted by Transient, again in 5s")
        );
        assert_eq!((report.succeeded, report.not_deleted, report.retries), (1, 0, 0));
        assert_eq!(counts(&jobs), [0, 0, 0]);
    }
}

#[test]
fn a_delete_that_keeps_failing_ends_with_the_lease_and_is_counted() {
    let mut world = World::new();
    let (jobs, scripted) = scripted(&world);
    jobs.send("a").unwrap();
    scripted.script(Verb::Delete, [Reply::Fail(ErrorKind::Transient); 12]);
    let notes = Notes::timed(&world.clock);
    let runner = Runner::builder(&scripted).heartbeat(false).on_event(notes.events());
    let runner = runner.each(succeed).unwrap();
    let handle = runner.handle();
    let run = world.start(runner.run());
    world.advance(secs(30) - MILLISECOND);
    assert_eq!((handle.report().not_deleted, counts(&jobs)), (0, [0, 1, 0]));
    world.advance(secs(5));
    let report = handle.report();
    let numbers = (report.received, report.not_deleted, report.succeeded, report.lost);
    assert_eq!(
        (numbers, counts(&jobs)),
        ((2, 1, 1, 1), [0, 0, 0]),
        "it came back and was done"
    );
    let log = notes.take();
    assert!(log.contains(&"30000 a lost".to_owned()), "{log:?}");
    assert!(log.contains(&"31300 a not deleted by Transient".to_owned()), "{log:?}");
    world.kill(&run);
}

#[test]
fn a_refused_delete_is_not_repeated() {
    for kind in [ErrorKind::Refused, ErrorKind::NotHeld] {
        let mut world = World::new();
        let (jobs, scripted) = scripted(&world);
        jobs.send("a").unwrap();
        scripted.script(Verb::Delete, [Reply::Fail(kind)]);
        let notes = Notes::new();
        let runner = Runner::builder(&scripted).until_none_visible().on_event(notes.events());
        let report = world.run(runner.each(succeed).unwrap().run()).unwrap();
        assert_eq!((report.not_deleted, report.succeeded, counts(&jobs)), (1, 0, [0, 1, 0]));
        assert_eq!(notes.take(), [format!("a not deleted by {kind:?}")]);
    }
}

#[test]
fn in_a_group_the_next_message_waits_until_the_one_before_is_deleted() {
    // F18
    let mut world = World::new();
    let jobs = fifo(&world.clock).build().unwrap();
    send_grouped(&jobs, ["g-1", "g-2"]);
    let scripted = Scripted::new(&jobs, &world.clock);
    scripted.script(Verb::Delete, [Reply::Fail(ErrorKind::Transient); 2]);
    let begun = Notes::timed(&world.clock);
    let lines = begun.clone();
    let runner = Runner::builder(&scripted).concurrency(3).until_none_visible();
    let runner = runner.each(move |job: &Job| {
        lines.write(job.body());
        Ok::<(), String>(())
    });
    let report = world.run(runner.unwrap().run()).unwrap();
    assert_eq!(begun.take(), ["0 g-1", "300 g-2"]);
    assert_eq!((report.succeeded, report.received), (2, 2));
}

#[test]
fn in_a_group_a_message_that_cannot_be_deleted_gives_back_those_behind_it() {
    // E21
    let mut world = World::new();
    let jobs = fifo(&world.clock).build().unwrap();
    send_grouped(&jobs, ["g-1", "g-2", "g-3"]);
    let scripted = Scripted::new(&jobs, &world.clock);
    scripted.script(Verb::Delete, [Reply::Fail(ErrorKind::Refused)]);
    let begun = Notes::timed(&world.clock);
    let lines = begun.clone();
    let runner = Runner::builder(&scripted)
        .max_messages(10)
        .concurrency(3)
        .each(move |job: &Job| {
            lines.write(job.body());
            Ok::<(), String>(())
        });
    let runner = runner.unwrap();
    let handle = runner.handle();
    let run = world.start(runner.run());
    world.advance(secs(29));
    assert_eq!(
        (begun.take(), handle.report().given_back),
        (vec!["0 g-1".to_owned()], 2)
    );
    world.advance(secs(2));
    assert_eq!(begun.take(), ["30000 g-1", "30000 g-2", "30000 g-3"]);
    world.kill(&run);
}

#[test]
fn a_handler_that_blocks_the_executor_is_reported() {
    for (span, expected) in [
        (249, None),
        (250, Some("a blocked for 250ms")),
        (300, Some("a blocked for 300ms")),
    ] {
        let mut world = World::new();
        let (jobs, _) = scripted(&world);
        jobs.send("a").unwrap();
        let (clock, notes) = (world.clock.clone(), Notes::new());
        let runner = Runner::builder(&jobs).until_none_visible().on_event(notes.events());
        let runner = runner.each_async(move |_: Job| {
            let clock = clock.clone();
            async move {
                clock.advance(Duration::from_millis(span));
                Ok::<(), String>(())
            }
        });
        let report = world.run(runner.unwrap().run()).unwrap();
        assert_eq!(report.succeeded, 1, "it is no failure");
        assert_eq!(
            notes.take(),
            expected.map(str::to_owned).into_iter().collect::<Vec<_>>()
        );
    }
}

#[test]
fn a_handler_that_waits_does_not_block() {
    let mut world = World::new();
    let (jobs, _) = scripted(&world);
    jobs.send("a").unwrap();
    let (clock, notes) = (world.clock.clone(), Notes::new());
    let runner = Runner::builder(&jobs).until_none_visible().on_event(notes.events());
    let runner = runner.each_async(move |_: Job| {
        let pause = after(&clock, secs(5));
        async move {
            pause.await;
            Ok::<(), String>(())
        }
    });
    assert_eq!(world.run(runner.unwrap().run()).unwrap().succeeded, 1);
    assert_eq!(notes.take(), Vec::<String>::new());
}
