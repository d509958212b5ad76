//! A stop abandons no answer: what is on its way is waited for and given back, and handlers that are cut off leave nothing
//! hidden.

use {
    super::{
        driver::{Run, World, after},
        scripted::{Reply, Scripted, Verb},
    },
    crate::common::{counts, millis, secs, standard},
    requeue::{
        Queue,
        backend::ErrorKind,
        worker::{
            BatchAnswer, BatchSettings, Failure, Job, Runner, RunnerBuilder, RunnerError, RunnerHandle, RunnerReport,
        },
    },
    std::time::Duration,
};

const HOLD: Duration = secs(600);

fn queue_of(world: &World, count: usize) -> (Queue, Scripted) {
    let jobs = standard(&world.clock).visibility_timeout(HOLD).build().unwrap();
    for number in 0..count {
        jobs.send(number.to_string()).unwrap();
    }
    let scripted = Scripted::new(&jobs, &world.clock);
    (jobs, scripted)
}

/// Begins a runner whose handlers take `span`.
fn start(
    world: &mut World,
    builder: RunnerBuilder<Scripted>,
    span: Duration,
) -> (RunnerHandle, Run<Result<RunnerReport, RunnerError>>) {
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
    (handle, world.start(runner.run()))
}

fn hides(scripted: &Scripted) -> Vec<String> {
    let calls = scripted.calls.take().into_iter();
    calls.filter(|it| it.contains("hide")).collect()
}

#[test]
fn messages_on_their_way_at_a_stop_are_given_back() {
    for reply in [Reply::Slow(millis(300)), Reply::Late(millis(300))] {
        let mut world = World::new();
        let (jobs, scripted) = queue_of(&world, 10);
        scripted.script(Verb::Receive, [reply]);
        let (handle, run) = start(&mut world, Runner::builder(&scripted).prefetch(9), secs(1));
        world.advance(millis(100));
        handle.stop();
        let report = world.finish(run).unwrap();
        assert_eq!((report.received, report.given_back), (10, 10), "{reply:?}");
        assert_eq!((counts(&jobs), world.time()), ([10, 0, 0], millis(300)), "{reply:?}");
    }
}

#[test]
fn a_stop_waits_for_a_long_poll_no_longer_than_the_shutdown_timeout() {
    for (shutdown_timeout, expected) in [(secs(30), secs(20)), (secs(5), secs(8)), (Duration::ZERO, secs(3))] {
        let mut world = World::new();
        let (_, scripted) = queue_of(&world, 0);
        let builder = Runner::builder(&scripted).shutdown_timeout(shutdown_timeout);
        let (handle, run) = start(&mut world, builder, secs(1));
        world.advance(secs(3));
        handle.stop();
        assert_eq!(world.finish(run).unwrap().received, 0);
        assert_eq!(world.time(), expected, "{shutdown_timeout:?}");
    }
}

#[test]
fn a_receive_that_fails_after_a_stop_does_not_turn_the_stop_into_an_error() {
    for kind in [ErrorKind::Transient, ErrorKind::Refused, ErrorKind::QueueDoesNotExist] {
        let mut world = World::new();
        let (_, scripted) = queue_of(&world, 0);
        scripted.script(Verb::Receive, [Reply::Pass, Reply::SlowFail(secs(1), kind)]);
        let (handle, run) = start(&mut world, Runner::builder(&scripted).wait_time(secs(1)), secs(1));
        world.advance(millis(1_500));
        handle.stop();
        assert_eq!(world.finish(run).unwrap().receive_errors, 1, "{kind:?}");
        assert_eq!(world.time(), secs(2));
    }
}

#[test]
fn messages_of_handlers_that_are_cut_off_are_given_back() {
    let mut world = World::new();
    let (jobs, scripted) = queue_of(&world, 3);
    scripted.script(Verb::Visibility, [Reply::Slow(millis(300))]);
    let builder = Runner::builder(&scripted).concurrency(3).shutdown_timeout(secs(10));
    let (handle, run) = start(&mut world, builder, secs(150));
    world.advance(secs(1));
    handle.stop();
    let report = world.finish(run).unwrap();
    assert_eq!((report.received, report.abandoned), (3, 3));
    assert_eq!((counts(&jobs), world.time()), ([3, 0, 0], millis(11_300)));
}

#[test]
fn a_message_of_a_handler_that_is_cut_off_is_given_back_after_its_renewal() {
    let mut world = World::new();
    let (jobs, scripted) = queue_of(&world, 1);
    // The renewal is called at 200 s.
    scripted.script(Verb::Visibility, [Reply::Slow(millis(1_500))]);
    let builder = Runner::builder(&scripted).shutdown_timeout(secs(1));
    let (handle, run) = start(&mut world, builder, secs(10_000));
    world.advance(secs(200));
    handle.stop();
    assert_eq!(world.finish(run).unwrap().abandoned, 1);
    assert_eq!((counts(&jobs), world.time()), ([1, 0, 0], millis(201_500)));
}

#[test]
fn a_message_that_is_being_deleted_is_not_given_back_by_a_stop() {
    let mut world = World::new();
    let (jobs, scripted) = queue_of(&world, 1);
    scripted.script(Verb::Delete, [Reply::Never]);
    let builder = Runner::builder(&scripted).shutdown_timeout(secs(3));
    let (handle, run) = start(&mut world, builder, secs(1));
    world.advance(secs(2));
    handle.stop();
    assert_eq!(world.finish(run).unwrap().abandoned, 1);
    assert_eq!((hides(&scripted), counts(&jobs)), (Vec::new(), [0, 1, 0]));
}

#[test]
fn what_was_decided_for_a_batch_is_not_given_back_by_a_stop_that_cuts_its_settlement_off() {
    let mut world = World::new();
    let (jobs, scripted) = queue_of(&world, 2);
    scripted.script(Verb::Visibility, [Reply::Never]);
    let builder = Runner::builder(&scripted).shutdown_timeout(secs(3));
    let runner = builder.batch_async(BatchSettings::new(2), |batch: Vec<Job>| async move {
        let put_off = |job| Failure::retry_after(secs(3_600), format!("not yet: {job}"));
        (0..2).fold(BatchAnswer::success(), |answer, at| {
            answer.fail(&batch[at], put_off(at))
        })
    });
    let runner = runner.unwrap();
    let handle = runner.handle();
    let run = world.start(runner.run());
    world.advance(secs(2));
    handle.stop();
    assert_eq!(world.finish(run).unwrap().abandoned, 2);
    assert_eq!((hides(&scripted).len(), counts(&jobs)), (1, [0, 2, 0]));
}
