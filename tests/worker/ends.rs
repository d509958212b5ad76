//! The two ends that a runner may come to by itself: nothing can be received now, and nothing is left.

use {
    super::{
        driver::{World, after},
        scripted::{Reply, Scripted, Verb},
    },
    crate::common::{MILLISECOND, counts, fifo, in_group, millis, secs, standard, take},
    requeue::{
        Queue, SendMessage,
        backend::{Backoff, ErrorKind, MessageCounts},
        worker::{BatchAnswer, BatchSettings, Failure, FailurePolicy, Job, Runner, RunnerError},
    },
    std::{cell::RefCell, collections::BTreeMap, rc::Rc},
};

fn scripted(world: &World) -> (Queue, Scripted) {
    let jobs = standard(&world.clock).build().unwrap();
    let scripted = Scripted::restoring(&jobs, &world.clock);
    (jobs, scripted)
}

fn succeed(_: &Job) -> Result<(), String> {
    Ok(())
}

/// Fails each job this often, and then succeeds.
fn flaky(failures: u32, failure: fn() -> Failure) -> impl Fn(&Job) -> Result<(), Failure> {
    let failed = Rc::new(RefCell::new(BTreeMap::<String, u32>::new()));
    move |job: &Job| {
        let mut failed = failed.borrow_mut();
        let times = failed.entry(job.body().to_owned()).or_default();
        *times += 1;
        if *times > failures { Ok(()) } else { Err(failure()) }
    }
}

fn calls(scripted: &Scripted, verb: &str) -> usize {
    let calls = scripted.calls.take();
    calls.iter().filter(|it| it.contains(verb)).count()
}

#[test]
fn until_none_left_ends_after_all_retries_and_until_none_visible_before_those_that_are_hidden() {
    let failures: [fn() -> Failure; 2] = [|| "no".into(), || Failure::retry_after(secs(7), "not yet")];
    let policies = [
        FailurePolicy::LeaveToTimeout,
        FailurePolicy::RetryNow,
        FailurePolicy::Backoff(Backoff::new(secs(10), secs(60))),
    ];
    for (is_fifo, concurrency) in [(false, 1), (false, 3), (true, 1), (true, 3)] {
        for policy in policies {
            for failure in failures {
                for left in [true, false] {
                    let mut world = World::new();
                    let jobs = if is_fifo {
                        fifo(&world.clock)
                    } else {
                        standard(&world.clock)
                    };
                    let jobs = jobs.build().unwrap();
                    for number in 0..6 {
                        let body = format!("job {number}");
                        jobs.send(in_group(&format!("g{}", number % 2), &body)).unwrap();
                    }
                    let builder = Runner::builder(&jobs).concurrency(concurrency).failure_policy(policy);
                    let builder = match left {
                        true => builder.until_none_left(),
                        false => builder.until_none_visible(),
                    };
                    let report = world.run(builder.each(flaky(2, failure)).unwrap().run()).unwrap();
                    let all = left || policy == FailurePolicy::RetryNow && failure().reason() == "no";
                    assert_eq!(report.succeeded == 6, all, "{is_fifo} {policy:?}: {report:?}");
                    assert_eq!(counts(&jobs) == [0, 0, 0], all);
                }
            }
        }
    }
}

#[test]
fn until_none_left_waits_for_what_is_delayed_or_in_flight_elsewhere_and_asks_about_once_a_second() {
    let mut world = World::new();
    let (jobs, scripted) = scripted(&world);
    jobs.send("elsewhere").unwrap();
    let elsewhere = take(&jobs);
    jobs.send(SendMessage::new("delayed").delay(secs(20))).unwrap();
    let runner = Runner::builder(&scripted).concurrency(3).until_none_left();
    let run = world.start(runner.each(succeed).unwrap().run());
    world.advance(secs(29) + millis(500));
    assert!(!world.is_over(&run), "one is in flight elsewhere");
    elsewhere.delete().unwrap();
    let report = world.finish(run).unwrap();
    assert_eq!((report.succeeded, counts(&jobs)), (1, [0, 0, 0]));
    assert!(world.time() <= secs(30) + millis(500), "{:?}", world.time());
    let calls = scripted.calls.take();
    let asked = |verb| calls.iter().filter(|it| it.contains(verb)).count();
    assert!((28..36).contains(&asked("count")), "{calls:?}");
    assert!((28..36).contains(&asked("receive")), "{calls:?}");
}

#[test]
fn until_none_left_ends_an_empty_queue_with_one_count_and_a_full_one_with_its_last_job() {
    for (jobs_sent, concurrency) in [(0, 1), (0, 5), (1, 2), (7, 1), (7, 5)] {
        let mut world = World::new();
        let (jobs, scripted) = scripted(&world);
        for number in 0..jobs_sent {
            jobs.send(format!("job {number}")).unwrap();
        }
        let clock = world.clock.clone();
        let runner = Runner::builder(&scripted).concurrency(concurrency).until_none_left();
        let runner = runner.each_async(move |job: Job| {
            // The last one ends while an idle worker waits for messages.
            let number = job.body()[4..].parse::<u64>().unwrap();
            let pause = after(&clock, millis(500 + 100 * number));
            async move {
                pause.await;
                Ok::<(), String>(())
            }
        });
        let report = world.run(runner.unwrap().run()).unwrap();
        assert_eq!(report.succeeded, jobs_sent);
        let end = match (jobs_sent, concurrency) {
            (0, _) => 0,
            (1, _) => 500,
            (_, 1) => 5_600,
            _ => 1_700,
        };
        // A receive under way is answered before the end.
        assert!(world.time() <= millis(end + 1_000), "no wait at the end");
        let counted = calls(&scripted, "count");
        assert_eq!(counted, if jobs_sent == 0 { 1 } else { 2 }, "{concurrency}");
    }
}

#[test]
fn counts_that_are_approximate_have_to_find_nothing_twice_with_a_wait_between() {
    let nothing = MessageCounts {
        approximate: true,
        ..MessageCounts::default()
    };
    let something = MessageCounts { delayed: 1, ..nothing };
    // The first one misses a message that is delayed.
    for (script, succeeded, end) in [
        (vec![nothing, nothing], 0, 20),
        (vec![nothing, something, nothing, nothing], 1, 50),
    ] {
        let mut world = World::new();
        let (jobs, scripted) = scripted(&world);
        scripted.script_counts(script.into_iter().map(Ok));
        jobs.send(SendMessage::new("late").delay(secs(30))).unwrap();
        let runner = Runner::builder(&scripted).until_none_left();
        let report = world.run(runner.each(succeed).unwrap().run()).unwrap();
        assert_eq!((report.succeeded, world.time()), (succeeded, secs(end)));
    }
}

#[test]
fn a_count_that_fails_is_repeated_or_ends_the_runner_as_a_receive_does() {
    let mut world = World::new();
    let (jobs, scripted) = scripted(&world);
    jobs.send("job").unwrap();
    let fails = [ErrorKind::Transient, ErrorKind::Denied, ErrorKind::Transient].map(Err);
    scripted.script_counts(fails);
    let runner = Runner::builder(&scripted).concurrency(2).until_none_left();
    let report = world.run(runner.each(succeed).unwrap().run()).unwrap();
    assert_eq!((report.succeeded, report.receive_errors), (1, 3));
    scripted.script_counts([Err(ErrorKind::Refused)]);
    let runner = Runner::builder(&scripted).until_none_left();
    let error = world.run(runner.each(succeed).unwrap().run()).unwrap_err();
    assert!(matches!(error, RunnerError::Queue { error, .. } if error.kind == ErrorKind::Refused));
}

#[test]
fn a_receive_that_fails_is_no_sign_that_nothing_is_left() {
    let mut world = World::new();
    let (jobs, scripted) = scripted(&world);
    jobs.send("job").unwrap();
    scripted.script(Verb::Receive, [Reply::Fail(ErrorKind::Transient); 3]);
    let runner = Runner::builder(&scripted).concurrency(2).until_none_left();
    let report = world.run(runner.each(succeed).unwrap().run()).unwrap();
    assert_eq!((report.succeeded, report.receive_errors), (1, 3));
}

#[test]
fn until_none_left_lets_two_runners_end_together() {
    let mut world = World::new();
    let jobs = standard(&world.clock).build().unwrap();
    jobs.send("long").unwrap();
    let clock = world.clock.clone();
    let runs = [0; 2].map(|_| {
        let clock = clock.clone();
        let runner = Runner::builder(&jobs).until_none_left().each_async(move |_: Job| {
            let pause = after(&clock, secs(100));
            async move {
                pause.await;
                Ok::<(), String>(())
            }
        });
        world.start(runner.unwrap().run())
    });
    world.advance(secs(100) - MILLISECOND);
    assert!(
        runs.iter().all(|run| !world.is_over(run)),
        "one works, the other waits for it"
    );
    world.advance(secs(1));
    assert!(runs.iter().all(|run| world.is_over(run)));
}

#[test]
fn until_none_left_waits_for_the_window_of_a_batch_without_asking_on_and_on() {
    let mut world = World::new();
    let (jobs, scripted) = scripted(&world);
    jobs.send("a").unwrap();
    let settings = BatchSettings::new(10).window(secs(5));
    let runner = Runner::builder(&scripted).until_none_left();
    let runner = runner.batch(settings, |_: &[Job]| BatchAnswer::success()).unwrap();
    assert_eq!(world.run(runner.run()).unwrap().succeeded, 1);
    let calls = scripted.calls.take();
    assert!(calls.len() <= 10, "{calls:?}");
}
