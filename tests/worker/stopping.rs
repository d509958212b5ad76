//! How a runner ends: stopped, dropped, or because nothing is left.

use {
    super::{
        driver::{Run, Signal, World, after},
        notes::Notes,
        scripted::{Reply, Scripted, Verb},
    },
    crate::common::{MILLISECOND, bodies, counts, fifo, millis, numbered, receive, secs, send_grouped, standard},
    requeue::{
        Queue,
        backend::{ErrorKind, MessageQueue},
        worker::{
            BatchAnswer, BatchSettings, FailurePolicy, Job, Runner, RunnerBuilder, RunnerError, RunnerHandle,
            RunnerReport, RunnerState,
        },
    },
    std::{
        cell::OnceCell,
        collections::BTreeSet,
        future::pending,
        panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
        rc::Rc,
        sync::Arc,
        time::Duration,
    },
};

type Ends = Run<Result<RunnerReport, RunnerError>>;

/// Begins a runner whose handlers take `span`.
fn start<Q: MessageQueue>(world: &mut World, builder: RunnerBuilder<Q>, span: Duration) -> (RunnerHandle, Ends) {
    let clock = world.clock.clone();
    let runner = builder.each_async(move |_: Job| {
        let pause = after(&clock, span);
        async move {
            pause.await;
            Ok::<(), String>(())
        }
    });
    let runner = runner.unwrap();
    let handle = runner.handle();
    let run = world.start(runner.run());
    world.settle();
    (handle, run)
}

/// Each job that was received counts once.
#[track_caller]
fn assert_adds_up(report: &RunnerReport) {
    let settled = report.succeeded + report.failed + report.postponed + report.out_of_order + report.not_deleted;
    let others = report.given_back + report.not_given_back + report.abandoned;
    assert_eq!(report.received, settled + others, "{report:?}");
}

#[test]
fn a_stop_cancels_the_long_poll_at_once() {
    let mut world = World::new();
    let jobs = numbered(&world.clock, 0);
    let (handle, run) = start(&mut world, Runner::builder(&jobs).concurrency(7), secs(1));
    assert_eq!(jobs.waiting(), 1);
    world.advance(secs(3));
    handle.stop();
    let report = world.over(run).unwrap();
    assert_eq!((report.received, jobs.waiting(), world.time()), (0, 0, secs(3)));
    assert_eq!(world.clock.next_deadline(), None, "nothing is left on the clock");
}

#[test]
fn a_stop_lets_handlers_finish_and_begins_no_more() {
    let mut world = World::new();
    let jobs = numbered(&world.clock, 5);
    let (handle, run) = start(&mut world, Runner::builder(&jobs).concurrency(2), secs(20));
    world.advance(secs(5));
    handle.stop();
    assert!(!world.is_over(&run));
    let report = world.finish(run).unwrap();
    assert_eq!((report.succeeded, report.abandoned, world.time()), (2, 0, secs(20)));
    assert_eq!(counts(&jobs), [3, 0, 0]);
    assert_adds_up(&report);
}

#[test]
fn a_stop_gives_back_what_is_not_begun_at_once() {
    let mut world = World::new();
    let jobs = numbered(&world.clock, 8);
    let scripted = Scripted::restoring(&jobs, &world.clock);
    let builder = Runner::builder(&scripted).concurrency(2).prefetch(6);
    let (handle, run) = start(&mut world, builder, secs(20));
    assert_eq!(counts(&jobs), [0, 8, 0]);
    world.advance(secs(5));
    handle.stop();
    world.settle();
    assert_eq!((counts(&jobs), handle.report().given_back), ([6, 2, 0], 6));
    let calls = scripted.calls.take();
    assert_eq!(calls.last().unwrap(), "5000 release 2 3 4 5 6 7");
    let report = world.finish(run).unwrap();
    assert_eq!((report.succeeded, report.given_back, report.not_given_back), (2, 6, 0));
    assert_eq!(
        bodies(&receive(&jobs, 10)),
        ["2", "3", "4", "5", "6", "7"],
        "in their order"
    );
    assert_adds_up(&report);
}

#[test]
fn where_a_give_back_costs_a_receive_a_stop_waits_for_what_is_begun_first() {
    // By the ends of the handlers, or early enough before the end of the grace.
    for (span, expected) in [(20, 20), (1_000, 5 + 25)] {
        let mut world = World::new();
        let jobs = numbered(&world.clock, 8);
        let scripted = Scripted::new(&jobs, &world.clock);
        let builder = Runner::builder(&scripted).concurrency(2).prefetch(6);
        let (handle, run) = start(&mut world, builder, secs(span));
        world.advance(secs(5));
        handle.stop();
        world.advance(secs(expected - 5) - MILLISECOND);
        assert_eq!((counts(&jobs)[0], handle.report().given_back), (0, 0), "{span}");
        world.advance(MILLISECOND);
        assert_eq!((counts(&jobs)[0], handle.report().given_back), (6, 6), "{span}");
        let report = world.finish(run).unwrap();
        assert_eq!(report.succeeded + report.abandoned, 2);
        assert_adds_up(&report);
    }
}

#[test]
fn a_stop_gives_back_a_batch_that_waits_for_its_window() {
    let mut world = World::new();
    let jobs = numbered(&world.clock, 30);
    let runner = Runner::builder(&jobs).batch(BatchSettings::new(100).window(secs(60)), |_: &[Job]| {
        panic!("nobody is to be called");
    });
    let runner = runner.unwrap();
    let handle = runner.handle();
    let run = world.start(runner.run());
    world.advance(secs(5));
    assert_eq!(counts(&jobs), [0, 30, 0]);
    handle.stop();
    let report = world.over(run).unwrap();
    assert_eq!((report.given_back, counts(&jobs)), (30, [30, 0, 0]));
}

#[test]
fn on_a_fifo_queue_a_stop_gives_back_groups_in_order() {
    // F18
    let mut world = World::new();
    let jobs = fifo(&world.clock).build().unwrap();
    send_grouped(&jobs, ["g-1", "h-1", "g-2", "h-2", "g-3", "h-3"]);
    let scripted = Scripted::new(&jobs, &world.clock);
    let builder = Runner::builder(&scripted).max_messages(10).prefetch(9);
    let (handle, run) = start(&mut world, builder, secs(20));
    handle.stop();
    let report = world.finish(run).unwrap();
    assert_eq!((report.succeeded, report.given_back), (1, 5));
    assert_eq!(bodies(&receive(&jobs, 10)), ["h-1", "h-2", "h-3", "g-2", "g-3"]);
}

#[test]
fn what_a_stop_cannot_give_back_is_left_to_its_timeout_and_counted() {
    let mut world = World::new();
    let jobs = numbered(&world.clock, 3);
    let scripted = Scripted::new(&jobs, &world.clock);
    scripted.script(Verb::Visibility, [Reply::Entry(1, ErrorKind::Transient)]);
    let notes = Notes::new();
    let builder = Runner::builder(&scripted).prefetch(6).on_event(notes.events());
    let (handle, run) = start(&mut world, builder, secs(2));
    handle.stop();
    let report = world.finish(run).unwrap();
    assert_eq!((report.given_back, report.not_given_back), (1, 1));
    assert_eq!(notes.take(), ["2 left by Transient"]);
    assert_adds_up(&report);
}

#[test]
fn handlers_that_run_past_the_grace_are_abandoned_and_their_messages_come_back() {
    let mut world = World::new();
    let jobs = numbered(&world.clock, 3);
    let builder = Runner::builder(&jobs).concurrency(3).shutdown_timeout(secs(10));
    let (handle, run) = start(&mut world, builder, secs(1_000));
    world.advance(secs(55));
    handle.stop();
    world.advance(secs(10) - MILLISECOND);
    assert!(!world.is_over(&run));
    world.advance(MILLISECOND);
    let report = world.over(run).unwrap();
    assert_eq!((report.abandoned, report.succeeded), (3, 0));
    assert_eq!(counts(&jobs), [3, 0, 0], "they are given back");
    assert_adds_up(&report);
}

#[test]
fn without_grace_a_stop_abandons_at_once() {
    let mut world = World::new();
    let jobs = numbered(&world.clock, 3);
    let builder = Runner::builder(&jobs)
        .concurrency(2)
        .prefetch(1)
        .shutdown_timeout(Duration::ZERO);
    let (handle, run) = start(&mut world, builder, secs(1_000));
    handle.stop();
    let report = world.over(run).unwrap();
    assert_eq!((report.abandoned, report.given_back, counts(&jobs)), (2, 1, [3, 0, 0]));
}

#[test]
fn leases_are_kept_during_the_grace() {
    let mut world = World::new();
    let jobs = numbered(&world.clock, 1);
    let (handle, run) = start(
        &mut world,
        Runner::builder(&jobs).shutdown_timeout(secs(500)),
        secs(400),
    );
    handle.stop();
    for _ in 0..399 {
        world.advance(secs(1));
        assert_eq!(counts(&jobs), [0, 1, 0], "at {:?}", world.time());
    }
    assert_eq!(world.finish(run).unwrap().succeeded, 1);
}

#[test]
fn a_queue_that_does_not_answer_does_not_keep_a_runner_past_its_time() {
    for verb in [Verb::Visibility, Verb::Delete, Verb::Receive] {
        // The renewals are never answered either, so nothing is held any more after 30 s.
        for (shutdown_timeout, expected) in [(secs(30), secs(30)), (secs(1), secs(5))] {
            let mut world = World::new();
            let jobs = numbered(&world.clock, 4);
            let scripted = Scripted::new(&jobs, &world.clock);
            scripted.script(verb, [Reply::Never; 10]);
            let builder = Runner::builder(&scripted)
                .prefetch(9)
                .shutdown_timeout(shutdown_timeout);
            let span = if verb == Verb::Visibility {
                secs(1_000)
            } else {
                Duration::ZERO
            };
            let (handle, run) = start(&mut world, builder, span);
            handle.stop();
            let report = world.finish(run).unwrap();
            let expected = match verb {
                // Messages may be on their way, and a delete belongs to the handler's time.
                Verb::Receive | Verb::Delete => shutdown_timeout,
                _ => expected,
            };
            assert_eq!(world.time(), expected, "{verb:?}");
            assert_adds_up(&report);
        }
    }
}

#[test]
fn a_give_back_that_takes_its_time_has_it() {
    let mut world = World::new();
    let jobs = numbered(&world.clock, 4);
    let scripted = Scripted::new(&jobs, &world.clock);
    scripted.script(Verb::Visibility, [Reply::Slow(secs(3))]);
    let builder = Runner::builder(&scripted).prefetch(9).shutdown_timeout(secs(1));
    let (handle, run) = start(&mut world, builder, secs(1_000));
    handle.stop();
    let report = world.finish(run).unwrap();
    assert_eq!((report.given_back, report.abandoned, world.time()), (3, 1, secs(3)));
}

#[test]
fn a_stop_ends_the_pause_after_a_failed_receive() {
    let mut world = World::new();
    let jobs = numbered(&world.clock, 0);
    let scripted = Scripted::new(&jobs, &world.clock);
    scripted.script(Verb::Receive, [Reply::Fail(ErrorKind::Transient); 20]);
    let (handle, run) = start(&mut world, Runner::builder(&scripted), secs(1));
    world.advance(secs(100));
    handle.stop();
    assert_eq!(world.over(run).unwrap().received, 0);
}

#[test]
fn a_stop_before_the_beginning_receives_nothing() {
    let mut world = World::new();
    let jobs = numbered(&world.clock, 2);
    let runner = Runner::builder(&jobs).each(|_: &Job| Ok::<(), String>(())).unwrap();
    let handle = runner.handle();
    handle.stop();
    let run = world.start(runner.run());
    assert_eq!(world.over(run).unwrap().received, 0);
    assert_eq!(counts(&jobs), [2, 0, 0]);
    handle.stop();
    assert_eq!(handle.report().received, 0, "a handle outlives its runner");
}

#[test]
fn a_second_stop_changes_nothing() {
    let mut world = World::new();
    let jobs = numbered(&world.clock, 1);
    let (handle, run) = start(
        &mut world,
        Runner::builder(&jobs).shutdown_timeout(secs(10)),
        secs(1_000),
    );
    handle.stop();
    world.advance(secs(9));
    handle.stop();
    world.advance(secs(1));
    let report = world.over(run).unwrap();
    assert_eq!(
        (report.abandoned, world.time()),
        (1, secs(10)),
        "the time runs from the first"
    );
}

#[test]
fn a_handler_may_stop_its_own_runner() {
    let mut world = World::new();
    let jobs = numbered(&world.clock, 9);
    let own = Rc::new(OnceCell::<RunnerHandle>::new());
    let handle = Rc::clone(&own);
    let runner = Runner::builder(&jobs).prefetch(9).each(move |job: &Job| {
        if job.body() == "3" {
            own.get().unwrap().stop();
        }
        Ok::<(), String>(())
    });
    let runner = runner.unwrap();
    handle.set(runner.handle()).unwrap();
    let report = world.run(runner.run()).unwrap();
    assert_eq!((report.succeeded, report.given_back, counts(&jobs)), (4, 5, [5, 0, 0]));
}

#[test]
fn until_none_visible_ends_once_nothing_is_left_and_no_handler_runs() {
    let mut world = World::new();
    let jobs = numbered(&world.clock, 3);
    let sender = jobs.clone();
    let clock = world.clock.clone();
    let runner = Runner::builder(&jobs).concurrency(5).until_none_visible();
    let runner = runner.each_async(move |job: Job| {
        let (pause, sender) = (after(&clock, secs(5)), sender.clone());
        async move {
            pause.await;
            if job.body() == "2" {
                sender.send("one more").unwrap();
            }
            Ok::<(), String>(())
        }
    });
    let report = world.run(runner.unwrap().run()).unwrap();
    assert_eq!(
        (report.succeeded, world.time(), counts(&jobs)),
        (4, secs(10), [0, 0, 0])
    );
}

#[test]
fn until_none_visible_waits_neither_for_delayed_messages_nor_for_those_in_flight_elsewhere() {
    let mut world = World::new();
    let jobs = numbered(&world.clock, 1);
    let elsewhere = receive(&jobs, 1);
    jobs.send(requeue::SendMessage::new("later").delay(secs(5))).unwrap();
    let (_, run) = start(&mut world, Runner::builder(&jobs).until_none_visible(), secs(1));
    assert_eq!(world.over(run).unwrap().received, 0);
    assert_eq!((counts(&jobs), elsewhere.len()), ([0, 1, 1], 1));
}

#[test]
fn until_none_visible_goes_on_while_failures_come_back() {
    let mut world = World::new();
    let jobs = numbered(&world.clock, 3);
    let runner = Runner::builder(&jobs)
        .until_none_visible()
        .failure_policy(FailurePolicy::RetryNow);
    let runner = runner
        .concurrency(2)
        .each(|job: &Job| match job.approximate_receive_count() {
            count if count < 5 => Err("again"),
            _ => Ok(()),
        });
    let report = world.run(runner.unwrap().run()).unwrap();
    assert_eq!((report.failed, report.succeeded, report.received), (12, 3, 15));
    assert_adds_up(&report);
}

struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        resume_unwind(Box::new("a bomb"));
    }
}

#[test]
fn handlers_that_panic_when_they_are_abandoned_do_not_end_the_runner_another_way() {
    let mut world = World::new();
    let jobs = numbered(&world.clock, 3);
    let runner = Runner::builder(&jobs).concurrency(3).shutdown_timeout(secs(1));
    let runner = runner.each_async(|_: Job| {
        let bomb = Bomb;
        async move {
            pending::<()>().await;
            drop(bomb);
            Ok::<(), String>(())
        }
    });
    let runner = runner.unwrap();
    let handle = runner.handle();
    let run = world.start(runner.run());
    world.settle();
    handle.stop();
    assert_eq!(world.finish(run).unwrap().abandoned, 3);
}

#[test]
fn a_runner_that_is_dropped_holds_nothing_and_its_report_adds_up() {
    for is_fifo in [false, true] {
        let mut world = World::new();
        let jobs = if is_fifo {
            fifo(&world.clock)
        } else {
            standard(&world.clock)
        };
        let jobs = jobs.build().unwrap();
        send_grouped(&jobs, ["a-1", "b-1", "c-1", "d-1"]);
        let body = Arc::new(());
        let held = Arc::downgrade(&body);
        let clock = world.clock.clone();
        let runner = Runner::builder(&jobs).prefetch(9).each_async(move |_: Job| {
            let (pause, body) = (after(&clock, secs(100)), body.clone());
            async move {
                pause.await;
                drop(body);
                Ok::<(), String>(())
            }
        });
        let runner = runner.unwrap();
        let handle = runner.handle();
        let run = world.start(runner.run());
        world.advance(secs(1));
        assert_eq!((handle.report().in_progress, handle.report().backlog), (1, 3));
        world.kill(&run);
        let report = handle.report();
        assert_eq!(
            (report.state, report.in_progress, report.backlog),
            (RunnerState::Ended, 0, 0)
        );
        assert_eq!((report.received, report.abandoned, report.not_given_back), (4, 1, 3));
        assert_adds_up(&report);
        assert!(handle.jobs().is_empty() && held.upgrade().is_none());
    }
}

#[test]
fn handlers_that_panic_when_the_runner_is_dropped_are_contained() {
    let mut world = World::new();
    let jobs = numbered(&world.clock, 3);
    let runner = Runner::builder(&jobs).concurrency(3);
    let runner = runner.each_async(|_: Job| {
        let bomb = Bomb;
        async move {
            pending::<()>().await;
            drop(bomb);
            Ok::<(), String>(())
        }
    });
    let run = world.start(runner.unwrap().run());
    world.settle();
    assert!(catch_unwind(AssertUnwindSafe(|| world.kill(&run))).is_ok());
    world.advance(secs(30));
    assert_eq!(counts(&jobs), [3, 0, 0]);
}

#[test]
fn a_runner_that_is_dropped_leaves_nothing_behind_on_queue_or_clock() {
    let mut world = World::new();
    let jobs = numbered(&world.clock, 6);
    let signal = Signal::default();
    let builder = Runner::builder(&jobs)
        .concurrency(3)
        .prefetch(2)
        .handler_timeout(secs(500));
    let given = signal.clone();
    let runner = builder.each_async(move |_: Job| {
        let given = given.given();
        async move {
            given.await;
            Ok::<(), String>(())
        }
    });
    let run = world.start(runner.unwrap().run());
    world.advance(secs(25));
    assert_eq!(counts(&jobs), [1, 5, 0]);
    world.kill(&run);
    signal.give();
    assert_eq!((jobs.waiting(), world.clock.next_deadline().is_some()), (0, false));
    world.advance(secs(25));
    assert_eq!(counts(&jobs), [6, 0, 0]);
}

/// A queue of five messages behind calls that take their time, before and after what they do.
fn slow_queue(world: &World, fifo_queue: bool) -> (Queue, Scripted) {
    let builder = if fifo_queue {
        fifo(&world.clock)
    } else {
        standard(&world.clock)
    };
    let jobs = builder.visibility_timeout(secs(6)).build().unwrap();
    send_grouped(&jobs, ["g-1", "h-1", "g-2", "h-2", "g-3"]);
    let scripted = Scripted::new(&jobs, &world.clock);
    for verb in [Verb::Receive, Verb::Delete, Verb::Visibility, Verb::DeadLetter] {
        let replies = [Reply::Slow(millis(300)), Reply::Late(millis(700)), Reply::Pass];
        scripted.script(verb, replies.into_iter().cycle().take(60));
    }
    (jobs, scripted)
}

/// Runs until the `nth` time that something happens, and then drops the runner or stops it; what is left is done by a
/// second one. Says whether the first had come to its end before.
fn cut_off(nth: usize, fifo_queue: bool, stop: bool) -> bool {
    let mut world = World::new();
    let (jobs, scripted) = slow_queue(&world, fifo_queue);
    let (done, clock) = (Notes::new(), world.clock.clone());
    let handler = |lines: Notes| {
        let clock = clock.clone();
        move |batch: Vec<Job>| {
            let (pause, lines) = (after(&clock, millis(1_900)), lines.clone());
            async move {
                pause.await;
                let fails = |job: &&Job| job.body() == "g-2" && job.approximate_receive_count() == 1;
                let failed = batch.iter().find(fails);
                batch
                    .iter()
                    .filter(|job| !fails(job))
                    .for_each(|job| lines.write(job.body()));
                failed.map_or_else(BatchAnswer::success, |job| BatchAnswer::success().fail(job, "no"))
            }
        }
    };
    let builder = Runner::builder(&scripted)
        .concurrency(2)
        .prefetch(1)
        .until_none_visible();
    let builder = builder.failure_policy(FailurePolicy::RetryNow);
    let runner = builder
        .batch_async(BatchSettings::new(2), handler(done.clone()))
        .unwrap();
    let handle = runner.handle();
    let run = world.start(runner.run());
    let mut steps = 0;
    while steps < nth && !run.is_done() {
        if !world.step() {
            world.clock.advance_to(world.clock.next_deadline().unwrap());
        }
        steps += 1;
    }
    let ended = run.is_done();
    if stop {
        handle.stop();
        assert_adds_up(&world.finish(run).unwrap());
    } else {
        world.kill(&run);
    }
    world.advance(secs(10));
    let there: BTreeSet<String> = jobs
        .snapshot()
        .messages
        .iter()
        .map(|it| it.content.body().to_string())
        .collect();
    let mut known: BTreeSet<String> = done.take().into_iter().collect();
    known.extend(there);
    assert_eq!(known.len(), 5, "after {nth} steps: {known:?}");
    let runner = Runner::builder(&jobs).concurrency(2).until_none_visible();
    let runner = runner.failure_policy(FailurePolicy::RetryNow);
    let runner = runner.batch_async(BatchSettings::new(2), handler(done)).unwrap();
    world.run(runner.run()).unwrap();
    assert_eq!(counts(&jobs), [0, 0, 0], "after {nth} steps");
    ended
}

#[test]
fn dropped_or_stopped_at_any_point_a_runner_loses_nothing() {
    for fifo_queue in [false, true] {
        for stop in [false, true] {
            let ends = (0..1_000).position(|nth| cut_off(nth, fifo_queue, stop));
            let ends = ends.expect("a runner that comes to its end");
            assert!(ends > 40, "it was cut off at {ends} points");
        }
    }
}
