//! Handlers of the four kinds: what success, errors, verdicts, panics and silence do to a message.

use {
    super::{
        driver::{World, after, give_way},
        notes::Notes,
    },
    crate::common::{MILLISECOND, counts, fifo, in_group, millis, secs, standard},
    requeue::{
        Fact, FactChannel, ManualClock, Queue,
        backend::Backoff,
        worker::{BatchAnswer, BatchSettings, Failure, FailurePolicy, Job, Runner, RunnerBuilder, RunnerReport},
    },
    std::{
        collections::BTreeSet,
        future::poll_fn,
        panic::{panic_any, resume_unwind},
        sync::Arc,
        task::Poll,
        time::Duration,
    },
};

/// The kinds of handlers.
const KINDS: [Kind; 4] = [Kind::Each, Kind::EachAsync, Kind::Batch, Kind::BatchAsync];

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Each,
    EachAsync,
    Batch,
    BatchAsync,
}

/// Runs a handler of this kind until the queue is empty; each message is handled by `handler`.
fn run_kind(
    world: &mut World,
    kind: Kind,
    builder: RunnerBuilder<Queue>,
    handler: impl Fn(&Job) -> Result<(), Failure> + Clone + 'static,
) -> RunnerReport {
    let builder = builder.until_none_visible();
    let all = {
        let handler = handler.clone();
        move |batch: &[Job]| {
            batch
                .iter()
                .fold(BatchAnswer::success(), |answer, job| match handler(job) {
                    Ok(()) => answer,
                    Err(failure) => answer.fail(job, failure),
                })
        }
    };
    let settings = BatchSettings::new(2);
    let result = match kind {
        Kind::Each => world.run(builder.each(handler).unwrap().run()),
        Kind::EachAsync => {
            let one = move |job: Job| {
                let handler = handler.clone();
                async move {
                    give_way().await;
                    handler(&job)
                }
            };
            world.run(builder.each_async(one).unwrap().run())
        }
        Kind::Batch => world.run(builder.batch(settings, all).unwrap().run()),
        Kind::BatchAsync => {
            let many = move |batch: Vec<Job>| {
                let all = all.clone();
                async move {
                    give_way().await;
                    all(&batch)
                }
            };
            world.run(builder.batch_async(settings, many).unwrap().run())
        }
    };
    result.unwrap()
}

/// A queue with messages of these bodies.
fn queue_of<'a>(world: &World, bodies: impl IntoIterator<Item = &'a str>) -> Queue {
    let jobs = standard(&world.clock).build().unwrap();
    for body in bodies {
        jobs.send(body).unwrap();
    }
    jobs
}

#[test]
fn success_deletes_the_message_after_the_handler_and_not_before() {
    // E19
    for kind in KINDS {
        let mut world = World::new();
        let jobs = queue_of(&world, ["a", "b", "c"]);
        let (seen, notes) = (jobs.clone(), Notes::new());
        let lines = notes.clone();
        let report = run_kind(&mut world, kind, Runner::builder(&jobs), move |job| {
            let there = seen
                .snapshot()
                .messages
                .iter()
                .any(|it| &**it.content.body() == job.body());
            lines.write(format!("{} {there}", job.body()));
            Ok(())
        });
        assert_eq!(notes.take(), ["a true", "b true", "c true"], "{kind:?}");
        assert_eq!(counts(&jobs), [0, 0, 0], "{kind:?}");
        assert_eq!(
            (report.received, report.succeeded, report.failed),
            (3, 3, 0),
            "{kind:?}"
        );
    }
}

#[test]
fn an_error_leaves_the_message_to_its_timeout_unless_told_otherwise() {
    // E19
    for kind in KINDS {
        let mut world = World::new();
        let jobs = queue_of(&world, ["a"]);
        let report = run_kind(&mut world, kind, Runner::builder(&jobs), |_| Err("no".into()));
        assert_eq!((report.succeeded, report.failed, counts(&jobs)), (0, 1, [0, 1, 0]));
        world.advance(secs(30) - MILLISECOND);
        assert_eq!(counts(&jobs), [0, 1, 0], "{kind:?}");
        world.advance(MILLISECOND);
        assert_eq!(counts(&jobs), [1, 0, 0], "{kind:?}");
    }
}

#[test]
fn an_error_with_retry_now_makes_the_message_visible_at_once() {
    for kind in KINDS {
        let mut world = World::new();
        let jobs = queue_of(&world, ["a"]);
        let builder = Runner::builder(&jobs).failure_policy(FailurePolicy::RetryNow);
        let report = run_kind(&mut world, kind, builder, |job| match job.approximate_receive_count() {
            1 | 2 => Err("no".into()),
            _ => Ok(()),
        });
        assert_eq!((report.failed, report.succeeded, report.retries), (2, 1, 2), "{kind:?}");
        assert_eq!((world.time(), counts(&jobs)), (Duration::ZERO, [0, 0, 0]), "{kind:?}");
    }
}

/// When each of the receives of a message that always fails was, and all are within their bounds.
fn backoff_times(seed: u64) -> Vec<Duration> {
    let mut world = World::new();
    let jobs = queue_of(&world, ["a"]);
    let (base, max) = (secs(1), secs(8));
    let runner = Runner::builder(&jobs)
        .seed(seed)
        .failure_policy(FailurePolicy::Backoff(Backoff::new(base, max)));
    let times = Notes::timed(&world.clock);
    let lines = times.clone();
    let runner = runner
        .each(move |_: &Job| {
            lines.write("");
            Err::<(), _>("no")
        })
        .unwrap();
    let run = world.start(runner.run());
    world.advance(secs(100));
    world.kill(&run);
    let times = times.take();
    let times: Vec<_> = times.iter().map(|it| millis(it.trim().parse().unwrap())).collect();
    for (at, pair) in times.windows(2).enumerate() {
        let limit = (base * 2_u32.pow(at as u32)).min(max);
        assert!(pair[1] - pair[0] <= limit, "{at}: {times:?}");
    }
    times
}

#[test]
fn backoff_doubles_its_bound_up_to_the_longest_and_is_drawn_by_the_seed() {
    let times = backoff_times(1);
    assert!(times.len() > 100 / 8, "no pause exceeds the longest: {times:?}");
    let pauses: BTreeSet<_> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(pauses.len() > 5, "they are spread: {pauses:?}");
    assert!(
        pauses.iter().any(|pause| *pause > secs(4)),
        "the bound grows: {pauses:?}"
    );
    assert_eq!(times, backoff_times(1));
    assert_ne!(times, backoff_times(2));
}

#[test]
fn retry_after_is_kept_whatever_the_policy_says() {
    for kind in KINDS {
        let mut world = World::new();
        let jobs = queue_of(&world, ["a"]);
        let builder = Runner::builder(&jobs).failure_policy(FailurePolicy::RetryNow);
        let report = run_kind(&mut world, kind, builder, |_| {
            Err(Failure::retry_after(secs(1_000), "later"))
        });
        let numbers = (report.failed, report.postponed, report.received);
        assert_eq!((numbers, counts(&jobs)), ((0, 1, 1), [0, 1, 0]), "{kind:?}");
        world.advance(secs(1_000) - MILLISECOND);
        assert_eq!(counts(&jobs), [0, 1, 0], "{kind:?}");
        world.advance(MILLISECOND);
        assert_eq!(counts(&jobs), [1, 0, 0], "{kind:?}");
    }
}

#[test]
fn retry_after_more_than_12_hours_is_as_late_as_sqs_allows() {
    // D26
    let mut world = World::new();
    let jobs = queue_of(&world, ["a"]);
    let builder = Runner::builder(&jobs);
    run_kind(&mut world, Kind::Each, builder, |_| {
        Err(Failure::retry_after(Duration::MAX, "never"))
    });
    world.advance(secs(43_190));
    assert_eq!(counts(&jobs), [0, 1, 0]);
    world.advance(secs(10));
    assert_eq!(counts(&jobs), [1, 0, 0]);
}

#[test]
fn dead_letter_sends_the_message_to_the_dead_letter_queue_with_its_reason() {
    for kind in KINDS {
        let mut world = World::new();
        let dead = Queue::standard("dead").clock(world.clock.clone()).build().unwrap();
        let (listener, facts) = FactChannel::unbounded();
        let jobs = standard(&world.clock).dead_letter(&dead, 5).listener(listener);
        let jobs = jobs.build().unwrap();
        jobs.send("a").unwrap();
        let report = run_kind(&mut world, kind, Runner::builder(&jobs), |_| {
            Err(Failure::dead_letter("poison"))
        });
        assert_eq!((report.failed, report.dead_lettered), (1, 1), "{kind:?}");
        assert_eq!((counts(&jobs), counts(&dead)), ([0, 0, 0], [1, 0, 0]), "{kind:?}");
        let reasons = facts.try_iter().filter_map(|(_, entry)| match entry.fact {
            Fact::Failed { reason, .. } => Some(reason),
            _ => None,
        });
        assert!(reasons.map(|it| it.to_string()).all(|it| it == "poison"), "{kind:?}");
    }
}

#[test]
fn dead_letter_without_a_dead_letter_queue_leaves_the_message_to_its_timeout_and_says_so() {
    let mut world = World::new();
    let jobs = queue_of(&world, ["a"]);
    let notes = Notes::new();
    let builder = Runner::builder(&jobs).on_event(notes.events());
    let report = run_kind(&mut world, Kind::Each, builder, |_| Err(Failure::dead_letter("poison")));
    assert_eq!((report.failed, report.dead_lettered, counts(&jobs)), (1, 0, [0, 1, 0]));
    assert_eq!(notes.take(), ["a failed by Answer: poison", "a left by Refused"]);
    world.advance(secs(30));
    assert_eq!(counts(&jobs), [1, 0, 0]);
}

#[test]
fn discard_deletes_the_message_and_counts_it_as_failed() {
    for kind in KINDS {
        let mut world = World::new();
        let jobs = queue_of(&world, ["a"]);
        let report = run_kind(&mut world, kind, Runner::builder(&jobs), |_| {
            Err(Failure::discard("old"))
        });
        let numbers = (report.failed, report.discarded, report.succeeded);
        assert_eq!((numbers, counts(&jobs)), ((1, 1, 0), [0, 0, 0]), "{kind:?}");
    }
}

#[test]
fn the_reason_of_each_failure_stands_once_in_the_facts_and_a_postponement_is_none() {
    let mut world = World::new();
    let (listener, facts) = FactChannel::unbounded();
    let jobs = standard(&world.clock).listener(listener).build().unwrap();
    for body in ["12", "twelve", "panic", "retry"] {
        jobs.send(body).unwrap();
    }
    let report = run_kind(&mut world, Kind::Each, Runner::builder(&jobs), |job| match job.body() {
        "panic" => resume_unwind(Box::new("out of paper")),
        "retry" => Err(Failure::retry_after(secs(5), "busy")),
        body => body.parse::<u8>().map(drop).map_err(Failure::from),
    });
    let reasons = facts.try_iter().filter_map(|(_, entry)| match entry.fact {
        Fact::Failed { reason, .. } => Some(reason.to_string()),
        _ => None,
    });
    let reasons: Vec<_> = reasons.collect();
    let expected = ["invalid digit found in string", "the handler panicked: out of paper"];
    assert_eq!(reasons, expected);
    let numbers = (report.succeeded, report.failed, report.panicked, report.postponed);
    assert_eq!(numbers, (1, 2, 1, 1));
}

/// A payload whose drop panics.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        resume_unwind(Box::new("a bomb"));
    }
}

#[test]
fn a_panic_is_a_failure_of_its_message_and_the_runner_goes_on() {
    let panics: [fn(); 4] = [
        || resume_unwind(Box::new("text")),
        || resume_unwind(Box::new(String::from("owned"))),
        || resume_unwind(Box::new(7)),
        || resume_unwind(Box::new(Bomb)),
    ];
    let reasons = [
        "the handler panicked: text",
        "the handler panicked: owned",
        "the handler panicked",
        "the handler panicked",
    ];
    for kind in KINDS {
        for (panic, reason) in panics.into_iter().zip(reasons) {
            let mut world = World::new();
            let jobs = queue_of(&world, ["bad"]);
            let notes = Notes::new();
            let builder = Runner::builder(&jobs).on_event(notes.events());
            let sender = jobs.clone();
            let report = run_kind(&mut world, kind, builder, move |job| {
                if job.body() == "bad" {
                    sender.send("good").unwrap();
                    panic();
                }
                Ok(())
            });
            let numbers = (report.panicked, report.failed, report.succeeded);
            assert_eq!((numbers, counts(&jobs)), ((1, 1, 1), [0, 1, 0]), "{kind:?}");
            assert_eq!(notes.take(), [format!("bad failed by Panic: {reason}")], "{kind:?}");
        }
    }
}

#[test]
fn the_payload_of_each_panic_is_dropped() {
    let payload = Arc::new(());
    for kind in KINDS {
        let mut world = World::new();
        let jobs = queue_of(&world, ["1", "2", "3"]);
        let of_listener = Arc::clone(&payload);
        let builder = Runner::builder(&jobs).on_event(move |_| resume_unwind(Box::new(Arc::clone(&of_listener))));
        let of_handler = Arc::clone(&payload);
        let report = run_kind(&mut world, kind, builder, move |_| {
            resume_unwind(Box::new(Arc::clone(&of_handler)))
        });
        assert_eq!((report.panicked, Arc::strong_count(&payload)), (3, 1), "{kind:?}");
    }
}

#[test]
fn a_panic_of_a_batch_handler_fails_every_message_of_the_batch() {
    // E20
    let mut world = World::new();
    let jobs = queue_of(&world, ["a", "b", "c"]);
    let runner = Runner::builder(&jobs).until_none_visible();
    let handler = |_: &[Job]| -> BatchAnswer { resume_unwind(Box::new("no")) };
    let report = world.run(runner.batch(BatchSettings::new(3), handler).unwrap().run());
    let report = report.unwrap();
    assert_eq!((report.panicked, report.failed, counts(&jobs)), (3, 3, [0, 3, 0]));
}

#[test]
fn a_panic_at_the_first_poll_a_later_one_or_in_the_call_itself_is_the_same() {
    for at in 0..4 {
        let mut world = World::new();
        let jobs = queue_of(&world, ["bad", "good"]);
        let runner = Runner::builder(&jobs).concurrency(2).until_none_visible();
        let runner = runner.each_async(move |job: Job| {
            let bad = job.body() == "bad";
            if bad && at == 0 {
                resume_unwind(Box::new("in the call"));
            }
            async move {
                for _ in 1..at {
                    give_way().await;
                }
                if bad {
                    resume_unwind(Box::new("in a poll"));
                }
                Ok::<(), String>(())
            }
        });
        let report = world.run(runner.unwrap().run()).unwrap();
        let numbers = (report.panicked, report.failed, report.succeeded);
        assert_eq!((numbers, counts(&jobs)), ((1, 1, 1), [0, 1, 0]), "{at}");
    }
}

#[test]
fn a_handler_whose_future_panics_when_dropped_ends_nothing() {
    let mut world = World::new();
    let jobs = queue_of(&world, ["answers", "fails", "never"]);
    let runner = Runner::builder(&jobs)
        .concurrency(3)
        .until_none_visible()
        .handler_timeout(secs(5));
    let runner = runner.each_async(|job: Job| {
        let bomb = Bomb;
        poll_fn(move |_| {
            let _ = &bomb;
            match job.body() {
                "answers" => Poll::Ready(Ok(())),
                "fails" => Poll::Ready(Err("no")),
                _ => Poll::Pending,
            }
        })
    });
    let report = world.run(runner.unwrap().run()).unwrap();
    let numbers = (report.received, report.failed, report.panicked, report.timed_out);
    // Whether a future panics while it answers or right after is the same.
    assert_eq!((numbers, counts(&jobs)), ((3, 3, 2, 1), [0, 3, 0]));
}

#[test]
fn a_panic_of_on_event_is_contained() {
    for kind in KINDS {
        let mut world = World::new();
        let jobs = queue_of(&world, ["bad", "good", "bad"]);
        let builder = Runner::builder(&jobs).on_event(|_| panic_any(Bomb));
        let report = run_kind(&mut world, kind, builder, |job| match job.body() {
            "bad" => Err("no".into()),
            _ => Ok(()),
        });
        assert_eq!((report.failed, report.succeeded), (2, 1), "{kind:?}");
    }
}

#[test]
fn an_async_handler_that_takes_too_long_is_dropped_and_has_failed() {
    let mut world = World::new();
    let jobs = queue_of(&world, ["slow"]);
    let notes = Notes::timed(&world.clock);
    let runner = Runner::builder(&jobs)
        .until_none_visible()
        .handler_timeout(secs(100))
        .failure_policy(FailurePolicy::RetryNow)
        .on_event(notes.events());
    let (clock, dropped) = (world.clock.clone(), Arc::new(()));
    let held = Arc::downgrade(&dropped);
    let runner = runner.each_async(move |job: Job| {
        let (clock, dropped) = (clock.clone(), Arc::clone(&dropped));
        async move {
            let _dropped = dropped;
            if job.approximate_receive_count() == 1 {
                after(&clock, secs(1_000)).await;
            }
            Ok::<(), String>(())
        }
    });
    let run = world.start(runner.unwrap().run());
    world.advance(secs(100) - MILLISECOND);
    assert_eq!(held.strong_count(), 2, "the handler has its time");
    assert_eq!(counts(&jobs), [0, 1, 0], "and the heartbeat holds its message");
    let report = world.finish(run).unwrap();
    assert_eq!(world.time(), secs(100));
    let numbers = (report.timed_out, report.failed, report.succeeded);
    assert_eq!((numbers, counts(&jobs)), ((1, 1, 1), [0, 0, 0]));
    let line = "100000 slow failed by Timeout: the handler did not end within 100s";
    assert_eq!(notes.take(), [line]);
}

#[test]
fn a_handler_that_answers_at_its_last_instant_is_in_time() {
    let mut world = World::new();
    let jobs = queue_of(&world, ["slow"]);
    let clock = world.clock.clone();
    let runner = Runner::builder(&jobs).until_none_visible().handler_timeout(secs(10));
    let runner = runner.each_async(move |_: Job| {
        let pause = after(&clock, secs(10));
        async move {
            pause.await;
            Ok::<(), String>(())
        }
    });
    let report = world.run(runner.unwrap().run()).unwrap();
    assert_eq!((report.succeeded, report.timed_out), (1, 0));
}

#[test]
fn a_handler_is_told_what_it_handles() {
    let mut world = World::new();
    let jobs = fifo(&world.clock).build().unwrap();
    jobs.send(in_group("g", "body").message_deduplication_id("d")).unwrap();
    let runner = Runner::builder(&jobs).until_none_visible().each(|job: &Job| {
        let ids = (job.message_group_id(), job.message_deduplication_id());
        assert_eq!((job.body(), ids), ("body", (Some("g"), Some("d"))));
        assert_eq!(job.approximate_receive_count(), 1);
        assert!(job.sequence_number().is_some() && job.is_held());
        Ok::<(), String>(())
    });
    let report = world.run(runner.unwrap().run()).unwrap();
    assert_eq!((report.succeeded, report.panicked), (1, 0));
}

#[test]
fn what_a_runner_did_is_measured_in_its_own_time() {
    let mut world = World::new();
    let jobs = queue_of(&world, ["a", "b"]);
    world.advance(secs(60));
    let clock: ManualClock = world.clock.clone();
    let runner = Runner::builder(&jobs).until_none_visible().each_async(move |_: Job| {
        let clock = clock.clone();
        async move {
            after(&clock, secs(10)).await;
            Ok::<(), String>(())
        }
    });
    let report = world.run(runner.unwrap().run()).unwrap();
    let near = |value: u64, expected: u64| value.abs_diff(expected) * 100 <= expected;
    assert!(near(report.handling_time.max(), 10_000), "{report:?}");
    assert_eq!(report.handling_time.count(), 2);
    assert!(near(report.queue_wait.quantile(0.5), 60_000), "{report:?}");
    assert!(near(report.queue_wait.max(), 70_000), "{report:?}");
    assert_eq!((report.receives.count(), report.receives.max()), (2, 1));
}
