//! Handles: pause and resume, the concurrency of a running runner, live reports, and ends that others decide.

use {
    super::{
        driver::{Gauge, Run, Signal, World, after},
        notes::Notes,
        scripted::{Reply, Scripted, Verb},
    },
    crate::common::{bodies, counts, fifo, in_group, numbered, receive, secs},
    requeue::{
        Queue,
        backend::MessageQueue,
        worker::{
            BatchAnswer, BatchSettings, BuildRunnerError, Job, Runner, RunnerBuilder, RunnerError, RunnerHandle,
            RunnerReport, RunnerState,
        },
    },
    std::future::{pending, ready},
};

type Outcome = Result<RunnerReport, RunnerError>;

/// A runner whose handlers take 10 s, and write down when they begin.
fn slow<Q>(world: &mut World, builder: RunnerBuilder<Q>, begun: &Notes) -> (RunnerHandle, Run<Outcome>)
where
    Q: MessageQueue + 'static,
{
    let (clock, lines) = (world.clock.clone(), begun.clone());
    let runner = builder.each_async(move |job: Job| {
        lines.write(job.body());
        let pause = after(&clock, secs(10));
        async move {
            pause.await;
            Ok::<(), String>(())
        }
    });
    let runner = runner.unwrap();
    (runner.handle(), world.start(runner.run()))
}

fn state(handle: &RunnerHandle) -> (RunnerState, usize, usize) {
    let report = handle.report();
    (report.state, report.in_progress, report.backlog)
}

#[test]
fn a_paused_runner_begins_nothing_new_until_it_is_resumed() {
    let mut world = World::new();
    let (jobs, begun) = (numbered(&world.clock, 4), Notes::timed(&world.clock));
    let builder = Runner::builder(&jobs).concurrency(2).prefetch(1).until_none_visible();
    let (handle, run) = slow(&mut world, builder, &begun);
    world.advance(secs(5));
    assert_eq!(state(&handle), (RunnerState::Running, 2, 1));
    handle.pause();
    world.advance(secs(95));
    assert_eq!(begun.take(), ["0 0", "0 1"]);
    assert_eq!(
        (state(&handle), handle.report().succeeded),
        ((RunnerState::Paused, 0, 1), 2),
        "what ran has ended"
    );
    assert_eq!(counts(&jobs), [1, 1, 0], "nothing more is received");
    handle.resume();
    let report = world.finish(run).unwrap();
    assert_eq!(begun.take(), ["100000 2", "100000 3"]);
    assert_eq!((report.succeeded, report.retries, report.lost), (4, 0, 0));
}

#[test]
fn a_paused_runner_renews_the_leases_of_what_runs_and_of_the_backlog() {
    // D29
    let mut world = World::new();
    let (jobs, begun) = (numbered(&world.clock, 3), Notes::new());
    let (clock, lines) = (world.clock.clone(), begun.clone());
    let runner = Runner::builder(&jobs).prefetch(2).each_async(move |job: Job| {
        lines.write(job.body());
        after(&clock, secs(300)).into_ok()
    });
    let runner = runner.unwrap();
    let handle = runner.handle();
    let run = world.start(runner.run());
    world.settle();
    handle.pause();
    for second in 0..1_000 {
        let held = if second < 300 { 3 } else { 2 };
        assert_eq!(counts(&jobs)[..2], [0, held], "at {second} s");
        world.advance(secs(1));
    }
    assert_eq!(begun.take(), ["0"]);
    handle.stop();
    assert_eq!(world.finish(run).unwrap().given_back, 2);
}

trait IntoOk: Future<Output = ()> + Sized {
    /// As the future of a handler that succeeds.
    async fn into_ok(self) -> Result<(), String> {
        self.await;
        Ok(())
    }
}

impl<F: Future<Output = ()>> IntoOk for F {}

#[test]
fn a_pause_drops_the_long_poll_on_an_embedded_queue() {
    let mut world = World::new();
    let (jobs, begun) = (numbered(&world.clock, 0), Notes::new());
    let (handle, run) = slow(&mut world, Runner::builder(&jobs).concurrency(3), &begun);
    world.settle();
    assert_eq!(jobs.waiting(), 1);
    handle.pause();
    world.settle();
    assert_eq!(jobs.waiting(), 0);
    jobs.send("for others").unwrap();
    world.advance(secs(100));
    assert_eq!(bodies(&receive(&jobs, 10)), ["for others"]);
    jobs.send("for the runner").unwrap();
    handle.resume();
    world.settle();
    assert_eq!(begun.take(), ["for the runner"]);
    handle.stop();
    assert_eq!(world.finish(run).unwrap().succeeded, 1);
}

#[test]
fn messages_of_a_long_poll_that_a_pause_does_not_drop_wait_in_the_backlog() {
    let mut world = World::new();
    let (jobs, begun) = (numbered(&world.clock, 0), Notes::timed(&world.clock));
    let scripted = Scripted::new(&jobs, &world.clock);
    let (handle, run) = slow(&mut world, Runner::builder(&scripted).concurrency(3), &begun);
    world.settle();
    handle.pause();
    world.settle();
    assert_eq!(jobs.waiting(), 1, "its messages may be on their way");
    jobs.send("late").unwrap();
    world.advance(secs(100));
    assert_eq!(
        (state(&handle), begun.take()),
        ((RunnerState::Paused, 0, 1), Vec::new())
    );
    assert_eq!(counts(&jobs), [0, 1, 0], "its lease is renewed");
    let receives = |calls: Vec<String>| calls.iter().filter(|call| call.contains("receive")).count();
    assert_eq!(receives(scripted.calls.take()), 1);
    handle.resume();
    world.settle();
    assert_eq!(begun.take(), ["100000 late"]);
    handle.stop();
    let report = world.finish(run).unwrap();
    assert_eq!((report.succeeded, report.retries, report.lost), (1, 0, 0));
}

#[test]
fn a_paused_runner_can_be_stopped() {
    for prefetch in [0, 3] {
        let mut world = World::new();
        let (jobs, begun) = (numbered(&world.clock, 4), Notes::new());
        let (handle, run) = slow(&mut world, Runner::builder(&jobs).prefetch(prefetch), &begun);
        world.settle();
        handle.pause();
        world.advance(secs(1));
        handle.stop();
        world.settle();
        assert_eq!(state(&handle).0, RunnerState::Stopping);
        assert_eq!(counts(&jobs), [3, 1, 0], "what is not begun is given back at once");
        let report = world.finish(run).unwrap();
        assert_eq!((report.succeeded, report.given_back as usize), (1, prefetch));
        assert_eq!(report.state, RunnerState::Ended);
    }
}

#[test]
fn a_paused_runner_does_not_end_by_itself() {
    for none_left in [false, true] {
        let mut world = World::new();
        let (jobs, begun) = (numbered(&world.clock, 1), Notes::new());
        let builder = Runner::builder(&jobs);
        let builder = if none_left {
            builder.until_none_left()
        } else {
            builder.until_none_visible()
        };
        let (handle, run) = slow(&mut world, builder, &begun);
        world.settle();
        handle.pause();
        world.advance(secs(1_000));
        assert!(!run.is_done());
        jobs.send("more").unwrap();
        handle.resume();
        assert_eq!(world.finish(run).unwrap().succeeded, 2);
    }
}

#[test]
fn a_receive_that_is_empty_ends_a_runner_once_it_is_resumed() {
    let mut world = World::new();
    let (jobs, begun) = (numbered(&world.clock, 0), Notes::new());
    let scripted = Scripted::new(&jobs, &world.clock);
    scripted.script(Verb::Receive, [Reply::Late(secs(5))]);
    let (handle, run) = slow(&mut world, Runner::builder(&scripted).until_none_visible(), &begun);
    world.settle();
    handle.pause();
    world.advance(secs(100));
    assert!(!run.is_done());
    handle.resume();
    assert_eq!(world.over(run).unwrap().received, 0);
}

#[test]
fn a_batch_whose_window_ends_during_a_pause_begins_when_it_is_resumed() {
    // E17
    let mut world = World::new();
    let (jobs, begun) = (numbered(&world.clock, 2), Notes::timed(&world.clock));
    let lines = begun.clone();
    let settings = BatchSettings::new(3).window(secs(5));
    let runner = Runner::builder(&jobs)
        .concurrency(2)
        .batch(settings, move |batch: &[Job]| {
            lines.write(batch.len().to_string());
            BatchAnswer::success()
        });
    let runner = runner.unwrap();
    let handle = runner.handle();
    let run = world.start(runner.run());
    world.advance(secs(2));
    handle.pause();
    world.advance(secs(98));
    assert_eq!((begun.take(), state(&handle).2), (Vec::new(), 2));
    handle.resume();
    world.settle();
    assert_eq!(begun.take(), ["100000 2"]);
    handle.stop();
    assert_eq!(world.finish(run).unwrap().succeeded, 2);
}

#[test]
fn pause_and_resume_twice_are_as_once_and_after_the_end_as_nothing() {
    let mut world = World::new();
    let (jobs, begun) = (numbered(&world.clock, 1), Notes::new());
    let (handle, run) = slow(&mut world, Runner::builder(&jobs).until_none_visible(), &begun);
    handle.resume();
    assert_eq!(state(&handle).0, RunnerState::Running);
    handle.pause();
    handle.pause();
    handle.resume();
    assert_eq!(world.finish(run).unwrap().succeeded, 1);
    let before = handle.report().to_string();
    handle.pause();
    handle.resume();
    handle.pause();
    handle.stop();
    assert_eq!(handle.set_concurrency(7), Ok(()));
    assert_eq!(handle.report().to_string(), before);
    assert!(
        before.starts_with("ended: concurrency 1, 0 in progress, 0 in the backlog\n"),
        "{before}"
    );
    assert_eq!((state(&handle).0, counts(&jobs)), (RunnerState::Ended, [0, 0, 0]));
}

#[test]
fn more_handlers_begin_at_once_when_the_concurrency_is_raised() {
    let mut world = World::new();
    let (jobs, begun) = (numbered(&world.clock, 6), Notes::timed(&world.clock));
    let (handle, run) = slow(&mut world, Runner::builder(&jobs).until_none_visible(), &begun);
    world.advance(secs(5));
    assert_eq!(begun.take(), ["0 0"]);
    handle.set_concurrency(3).unwrap();
    world.settle();
    assert_eq!(begun.take(), ["5000 1", "5000 2"]);
    world.advance(secs(5));
    assert_eq!(begun.take(), ["10000 3"]);
    let report = world.finish(run).unwrap();
    assert_eq!((report.succeeded, report.concurrency), (6, 3));
}

#[test]
fn fewer_handlers_begin_when_the_concurrency_is_lowered_and_those_that_run_end() {
    for prefetch in [0, 2] {
        let mut world = World::new();
        let (jobs, begun) = (numbered(&world.clock, 7), Notes::timed(&world.clock));
        let builder = Runner::builder(&jobs).concurrency(3).prefetch(prefetch);
        let (handle, run) = slow(&mut world, builder.until_none_visible(), &begun);
        world.advance(secs(5));
        handle.set_concurrency(1).unwrap();
        world.advance(secs(5));
        assert_eq!(state(&handle).1, 1);
        assert_eq!(
            begun.take(),
            ["0 0", "0 1", "0 2", "10000 3"],
            "with prefetch {prefetch}"
        );
        world.advance(secs(10));
        assert_eq!(begun.take(), ["20000 4"]);
        handle.set_concurrency(2).unwrap();
        world.settle();
        assert_eq!(begun.take(), ["20000 5"], "what was let go comes back");
        let report = world.finish(run).unwrap();
        assert_eq!((report.succeeded, report.retries, report.lost), (7, 0, 0));
    }
}

#[test]
fn a_group_stays_in_order_while_the_concurrency_changes() {
    // F18
    let mut world = World::new();
    let jobs = fifo(&world.clock).build().unwrap();
    for number in 0..60 {
        jobs.send(in_group(&format!("g{}", number % 4), &number.to_string()))
            .unwrap();
    }
    let (begun, inside, clock) = (Notes::new(), Gauge::default(), world.clock.clone());
    let (lines, gauge) = (begun.clone(), inside.clone());
    let runner = Runner::builder(&jobs).concurrency(4).until_none_left();
    let runner = runner.each_async(move |job: Job| {
        lines.write(job.body());
        let (inside, pause) = (gauge.enter(), after(&clock, secs(1)));
        async move {
            let _inside = inside;
            pause.await;
            Ok::<(), String>(())
        }
    });
    let runner = runner.unwrap();
    let handle = runner.handle();
    let run = world.start(runner.run());
    for concurrency in [1, 3, 2, 4, 1, 4] {
        handle.set_concurrency(concurrency).unwrap();
        world.advance(secs(1));
        assert!(inside.now() <= concurrency, "{} run", inside.now());
        world.advance(secs(2));
    }
    assert_eq!(world.finish(run).unwrap().succeeded, 60);
    let begun: Vec<usize> = begun.take().iter().map(|body| body.parse().unwrap()).collect();
    for group in 0..4 {
        let of: Vec<_> = begun.iter().filter(|number| **number % 4 == group).collect();
        assert!(of.is_sorted() && of.len() == 15, "{of:?}");
    }
}

#[test]
fn a_concurrency_of_0_is_refused_and_changes_nothing() {
    let mut world = World::new();
    let (jobs, begun) = (numbered(&world.clock, 2), Notes::new());
    let builder = Runner::builder(&jobs).concurrency(2).until_none_visible();
    let early = builder.handle();
    assert_eq!(early.set_concurrency(0), Err(BuildRunnerError::Concurrency));
    let (handle, run) = slow(&mut world, builder, &begun);
    let refused = handle.set_concurrency(0).unwrap_err();
    assert_eq!(refused.to_string(), "the concurrency is 0, it has to be at least 1");
    world.settle();
    assert_eq!(handle.report().concurrency, 2);
    assert_eq!(begun.take(), ["0", "1"]);
    world.finish(run).unwrap();
}

#[test]
fn a_concurrency_without_bound_is_one_worker_for_each_message() {
    let mut world = World::new();
    let (jobs, begun) = (numbered(&world.clock, 200), Notes::new());
    let (handle, run) = slow(&mut world, Runner::builder(&jobs).until_none_visible(), &begun);
    handle.set_concurrency(usize::MAX).unwrap();
    world.settle();
    assert_eq!(state(&handle).1, 200);
    assert_eq!(world.finish(run).unwrap().succeeded, 200);
}

#[test]
fn what_a_handle_is_told_before_its_runner_is_built_or_run_holds_from_the_beginning() {
    for built in [false, true] {
        let mut world = World::new();
        let (jobs, begun) = (numbered(&world.clock, 5), Notes::new());
        let builder = Runner::builder(&jobs).concurrency(1);
        let handle = builder.handle();
        let lines = begun.clone();
        let each = move |job: Job| {
            lines.write(job.body());
            pending::<Result<(), String>>()
        };
        let tell = || {
            handle.set_concurrency(3).unwrap();
            handle.pause();
            assert_eq!(state(&handle), (RunnerState::Paused, 0, 0));
        };
        let runner = if built {
            let runner = builder.each_async(each).unwrap();
            tell();
            runner
        } else {
            tell();
            builder.each_async(each).unwrap()
        };
        let _run = world.start(runner.run());
        world.settle();
        assert_eq!((begun.take(), handle.report().concurrency), (Vec::new(), 3));
        handle.resume();
        world.settle();
        assert_eq!(begun.take(), ["0", "1", "2"]);
    }
}

#[test]
fn a_stop_before_the_runner_is_built_or_run_ends_it_as_soon_as_it_runs() {
    for built in [false, true] {
        for threads in [false, true] {
            let mut world = World::new();
            let jobs = numbered(&world.clock, 1);
            let builder = Runner::builder(&jobs);
            let handle = builder.handle();
            if !built {
                handle.stop();
                assert_eq!(state(&handle).0, RunnerState::Stopping);
            }
            let runner = builder.each(|_: &Job| Ok::<(), String>(())).unwrap();
            if built {
                handle.stop();
            }
            let report = if threads {
                runner.blocking()
            } else {
                world.run(runner.run())
            };
            assert_eq!(report.unwrap().received, 0);
            assert_eq!((state(&handle).0, counts(&jobs)), (RunnerState::Ended, [1, 0, 0]));
        }
    }
}

#[test]
fn a_clone_of_a_builder_has_a_handle_of_its_own() {
    let mut world = World::new();
    let jobs = numbered(&world.clock, 1);
    let builder = Runner::builder(&jobs).until_none_visible();
    builder.handle().stop();
    let clone = builder.clone();
    let run = |builder: RunnerBuilder<Queue>| builder.each(|_: &Job| Ok::<(), String>(())).unwrap().run();
    assert_eq!(world.run(run(clone)).unwrap().succeeded, 1);
    jobs.send("more").unwrap();
    assert_eq!(world.run(run(builder)).unwrap().received, 0);
}

#[test]
fn a_handler_may_steer_its_own_runner() {
    let mut world = World::new();
    let (jobs, begun) = (numbered(&world.clock, 9), Notes::timed(&world.clock));
    let builder = Runner::builder(&jobs).prefetch(9);
    let handle = builder.handle();
    let (own, lines, clock) = (handle.clone(), begun.clone(), world.clock.clone());
    let runner = builder.each_async(move |job: Job| {
        lines.write(job.body());
        match job.body() {
            "1" => own.set_concurrency(2).unwrap(),
            "3" => own.pause(),
            "5" => own.stop(),
            _ => {}
        }
        assert!(own.report().in_progress > 0);
        after(&clock, secs(1)).into_ok()
    });
    let run = world.start(runner.unwrap().run());
    world.advance(secs(50));
    assert_eq!(state(&handle), (RunnerState::Paused, 0, 5));
    handle.resume();
    let report = world.finish(run).unwrap();
    assert_eq!(
        begun.take(),
        ["0 0", "1000 1", "1000 2", "2000 3", "50000 4", "50000 5"]
    );
    assert_eq!((report.succeeded, report.given_back), (6, 3));
    assert_eq!(counts(&jobs), [3, 0, 0]);
}

#[test]
fn a_report_is_a_few_lines_for_people() {
    let mut world = World::new();
    let jobs = numbered(&world.clock, 3);
    let clock = world.clock.clone();
    let runner = Runner::builder(&jobs).concurrency(2).until_none_visible();
    let runner = runner.each_async(move |job: Job| {
        let pause = after(&clock, secs(2));
        async move {
            pause.await;
            if job.body() == "2" { Err("too wide") } else { Ok(()) }
        }
    });
    let runner = runner.unwrap();
    let handle = runner.handle();
    let run = world.start(runner.run());
    world.advance(secs(1));
    let lines = [
        "running: concurrency 2, 2 in progress, 0 in the backlog",
        "2 received (0 again), 0 succeeded, 0 failed",
        "median, 99 %, longest: queue wait <1ms, <1ms, <1ms; handling time none",
    ];
    assert_eq!(handle.report().to_string(), lines.join("\n"));
    let report = world.finish(run).unwrap().to_string();
    assert!(
        report.starts_with(
            "ended: concurrency 2, 0 in progress, 0 in the backlog\n3 received (0 again), 2 succeeded, 1 failed\n"
        ),
        "{report}"
    );
    assert!(report.ends_with("handling time 2.007s, 2.007s, 2.007s"), "{report}");
}

#[test]
fn a_runner_that_is_dropped_while_it_runs_has_ended() {
    let mut world = World::new();
    let (jobs, begun) = (numbered(&world.clock, 1), Notes::new());
    let (handle, run) = slow(&mut world, Runner::builder(&jobs), &begun);
    world.settle();
    world.kill(&run);
    assert_eq!(state(&handle).0, RunnerState::Ended);
    handle.pause();
    handle.resume();
    handle.set_concurrency(4).unwrap();
    handle.stop();
    assert_eq!(counts(&jobs), [0, 1, 0], "as after a crash");
}

#[test]
fn run_until_stops_gracefully_when_its_future_completes() {
    let mut world = World::new();
    let (jobs, begun) = (numbered(&world.clock, 3), Notes::new());
    let (stop, clock) = (Signal::default(), world.clock.clone());
    let lines = begun.clone();
    let runner = Runner::builder(&jobs).prefetch(1).each_async(move |job: Job| {
        lines.write(job.body());
        after(&clock, secs(10)).into_ok()
    });
    let run = world.start(runner.unwrap().run_until(stop.given()));
    world.advance(secs(5));
    assert!(!run.is_done());
    stop.give();
    world.settle();
    assert_eq!(counts(&jobs), [2, 1, 0]);
    let report = world.finish(run).unwrap();
    assert_eq!((report.succeeded, report.given_back, begun.take().len()), (1, 1, 1));
    assert_eq!(world.time(), secs(10));
}

#[test]
fn run_until_a_future_that_is_ready_begins_nothing_and_one_that_never_is_changes_nothing() {
    let mut world = World::new();
    let jobs = numbered(&world.clock, 2);
    let builder = Runner::builder(&jobs).until_none_visible();
    let ok = |_: &Job| Ok::<(), String>(());
    let report = world.run(builder.clone().each(ok).unwrap().run_until(ready("stop")));
    assert_eq!(report.unwrap().received, 0);
    let report = world.run(builder.each(ok).unwrap().run_until(pending::<()>()));
    assert_eq!(report.unwrap().succeeded, 2);
    let gone = Runner::builder(&jobs).each(ok).unwrap();
    jobs.delete_queue().unwrap();
    let error = world.run(gone.run_until(pending::<()>())).unwrap_err();
    assert!(matches!(error, RunnerError::Queue { .. }), "{error}");
}
