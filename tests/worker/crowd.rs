//! Very many handlers in one future.

use {
    super::driver::{Gauge, Signal, World, after},
    crate::common::{counts, numbered, secs},
    requeue::worker::{Job, Runner},
};

const CROWD: usize = 10_000;

#[test]
fn ten_thousand_handlers_wait_for_a_signal_at_the_same_time() {
    let mut world = World::new();
    let jobs = numbered(&world.clock, CROWD);
    let (gauge, signal) = (Gauge::default(), Signal::default());
    let (inside, given) = (gauge.clone(), signal.clone());
    let runner = Runner::builder(&jobs).concurrency(CROWD).until_none_visible();
    let runner = runner.each_async(move |_: Job| {
        let (inside, given) = (inside.enter(), given.given());
        async move {
            let _inside = inside;
            given.await;
            Ok::<(), String>(())
        }
    });
    let run = world.start(runner.unwrap().run());
    world.settle();
    assert_eq!((gauge.now(), counts(&jobs)), (CROWD, [0, CROWD, 0]));
    world.advance(secs(60));
    assert_eq!(counts(&jobs), [0, CROWD, 0], "all of them are held");
    signal.give();
    let report = world.finish(run).unwrap();
    assert_eq!(
        (report.succeeded, report.retries, gauge.most()),
        (CROWD as u64, 0, CROWD)
    );
}

#[test]
fn ten_thousand_handlers_wait_for_the_clock_at_the_same_time() {
    let mut world = World::new();
    let jobs = numbered(&world.clock, CROWD);
    let (gauge, clock) = (Gauge::default(), world.clock.clone());
    let inside = gauge.clone();
    let runner = Runner::builder(&jobs).concurrency(CROWD).until_none_visible();
    let runner = runner.each_async(move |job: Job| {
        let number: u64 = job.body().parse().unwrap();
        let (inside, pause) = (inside.enter(), after(&clock, secs(1 + number % 7)));
        async move {
            let _inside = inside;
            pause.await;
            Ok::<(), String>(())
        }
    });
    let report = world.run(runner.unwrap().run()).unwrap();
    assert_eq!(
        (report.succeeded, gauge.most(), world.time()),
        (CROWD as u64, CROWD, secs(7))
    );
}

#[test]
fn ten_thousand_handlers_are_abandoned_and_lose_nothing() {
    let mut world = World::new();
    let jobs = numbered(&world.clock, CROWD);
    let signal = Signal::default();
    let runner = Runner::builder(&jobs).concurrency(CROWD).shutdown_timeout(secs(1));
    let runner = runner.each_async(move |_: Job| {
        let given = signal.given();
        async move {
            given.await;
            Ok::<(), String>(())
        }
    });
    let runner = runner.unwrap();
    let handle = runner.handle();
    let run = world.start(runner.run());
    world.settle();
    handle.stop();
    assert_eq!(world.finish(run).unwrap().abandoned, CROWD as u64);
    world.advance(secs(30));
    assert_eq!(counts(&jobs), [CROWD, 0, 0]);
}
