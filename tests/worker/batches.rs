//! Batches: when the handler gets them, what they hold, and what is answered for them (E17, E19, E20).

use {
    super::{
        driver::{World, after, give_way},
        notes::Notes,
    },
    crate::common::{MILLISECOND, bodies, counts, fifo, in_group, numbered, receive, secs, standard},
    requeue::{
        Queue,
        worker::{BatchAnswer, BatchSettings, Failure, FailurePolicy, Job, Runner, RunnerBuilder},
    },
};

const MIB: usize = 1024 * 1024;

/// Runs a batch handler that writes down the sizes of its batches.
fn watch(world: &mut World, builder: RunnerBuilder<Queue>, settings: BatchSettings) -> (Notes, super::driver::Run<()>) {
    let sizes = Notes::timed(&world.clock);
    let lines = sizes.clone();
    let runner = builder.batch(settings, move |batch: &[Job]| {
        lines.write(batch.len().to_string());
        BatchAnswer::success()
    });
    let runner = runner.unwrap();
    let run = world.start(async move {
        runner.run().await.unwrap();
    });
    (sizes, run)
}

#[test]
fn without_a_window_a_batch_is_what_there_is() {
    // E17
    for (size, expected) in [
        (1, [1; 25].to_vec()),
        (4, vec![4, 4, 4, 4, 4, 4, 1]),
        (10, vec![10, 10, 5]),
    ] {
        let mut world = World::new();
        let jobs = numbered(&world.clock, 25);
        let builder = Runner::builder(&jobs).until_none_visible();
        let (sizes, run) = watch(&mut world, builder, BatchSettings::new(size));
        world.finish(run);
        let expected: Vec<_> = expected.iter().map(|size| format!("0 {size}")).collect();
        assert_eq!(sizes.take(), expected);
    }
}

#[test]
fn a_window_counts_from_the_first_message_and_ends_early_once_the_batch_is_full() {
    // E17
    let mut world = World::new();
    let jobs = numbered(&world.clock, 0);
    let builder = Runner::builder(&jobs);
    let (sizes, _run) = watch(&mut world, builder, BatchSettings::new(3).window(secs(5)));
    world.advance(secs(1));
    jobs.send("a").unwrap();
    world.advance(secs(4));
    jobs.send("b").unwrap();
    world.advance(secs(1) - MILLISECOND);
    assert_eq!(sizes.take(), Vec::<String>::new());
    assert_eq!(counts(&jobs), [0, 2, 0]);
    world.advance(MILLISECOND);
    assert_eq!(sizes.take(), ["6000 2"]);
    for body in ["c", "d", "e"] {
        world.advance(secs(1));
        jobs.send(body).unwrap();
    }
    world.settle();
    assert_eq!(sizes.take(), ["9000 3"], "it is full");
    assert_eq!(counts(&jobs), [0, 0, 0]);
    world.advance(secs(60));
    assert_eq!(sizes.take(), Vec::<String>::new(), "an empty batch is none");
}

#[test]
fn what_waits_for_its_window_is_held() {
    let mut world = World::new();
    let jobs = numbered(&world.clock, 1);
    let builder = Runner::builder(&jobs);
    let (sizes, _run) = watch(&mut world, builder, BatchSettings::new(3).window(secs(300)));
    world.advance(secs(299));
    assert_eq!(counts(&jobs), [0, 1, 0]);
    world.advance(secs(1));
    assert_eq!((sizes.take(), counts(&jobs)), (vec!["300000 1".to_owned()], [0, 0, 0]));
}

#[test]
fn a_large_batch_is_gathered_by_many_receives() {
    // E17
    for concurrency in [1, 4] {
        let mut world = World::new();
        let jobs = numbered(&world.clock, 2_500);
        let builder = Runner::builder(&jobs).concurrency(concurrency);
        let (sizes, _run) = watch(&mut world, builder, BatchSettings::new(1_000).window(secs(5)));
        world.settle();
        assert_eq!(sizes.take(), ["0 1000", "0 1000"]);
        world.advance(secs(5));
        assert_eq!((sizes.take(), counts(&jobs)), (vec!["5000 500".to_owned()], [0, 0, 0]));
    }
}

#[test]
fn the_largest_batch_there_is() {
    // E17
    let mut world = World::new();
    let jobs = numbered(&world.clock, 10_001);
    let builder = Runner::builder(&jobs).until_none_visible();
    let (sizes, run) = watch(&mut world, builder, BatchSettings::new(10_000).window(secs(1)));
    world.finish(run);
    assert_eq!(sizes.take(), ["0 10000", "1000 1"]);
}

/// When batches of messages of these sizes reach the handler within a window of 300 s, and of how many.
fn by_bytes(sizes: [usize; 7]) -> Vec<String> {
    let mut world = World::new();
    let jobs = standard(&world.clock).maximum_message_size(MIB).build().unwrap();
    for size in sizes {
        jobs.send("x".repeat(size)).unwrap();
    }
    let builder = Runner::builder(&jobs).until_none_visible();
    let (sizes, run) = watch(&mut world, builder, BatchSettings::new(100).window(secs(300)));
    world.finish(run);
    sizes.take()
}

#[test]
fn six_megabytes_end_a_batch() {
    // E17
    assert_eq!(
        by_bytes([MIB, MIB, MIB, MIB, MIB, MIB - 2, 1]),
        ["300000 7"],
        "one byte less"
    );
    assert_eq!(by_bytes([MIB, MIB, MIB, MIB, MIB, MIB - 1, 1]), ["0 7"], "to the byte");
    assert_eq!(
        by_bytes([MIB, MIB, MIB, MIB, MIB, MIB, 1]),
        ["0 6", "300000 1"],
        "before the last one"
    );
    assert_eq!(
        by_bytes([MIB, MIB, MIB, MIB, MIB, MIB - 1, 2]),
        ["0 6", "300000 1"],
        "the last one exceeds it"
    );
}

#[test]
fn of_a_batch_what_is_named_fails_and_the_rest_is_deleted() {
    // E20
    let mut world = World::new();
    let jobs = numbered(&world.clock, 5);
    let notes = Notes::new();
    let runner = Runner::builder(&jobs)
        .failure_policy(FailurePolicy::RetryNow)
        .until_none_visible()
        .on_event(notes.events());
    let runner = runner.batch(BatchSettings::default(), |batch: &[Job]| {
        if batch.iter().all(|job| job.approximate_receive_count() > 1) {
            return BatchAnswer::failure(Failure::retry_after(secs(60), "again"));
        }
        BatchAnswer::success()
            .fail(&batch[1], "one")
            .fail_id(batch[3].message_id(), Failure::retry_after(secs(60), "three"))
    });
    let report = world.run(runner.unwrap().run()).unwrap();
    let numbers = (report.succeeded, report.failed, report.postponed, report.received);
    assert_eq!(numbers, (3, 1, 2, 6));
    assert_eq!(counts(&jobs), [0, 2, 0]);
    let expected = [
        "1 failed by Answer: one",
        "3 postponed by 60s: three",
        "1 postponed by 60s: again",
    ];
    assert_eq!(notes.take(), expected);
    world.advance(secs(60));
    assert_eq!(bodies(&receive(&jobs, 10)), ["1", "3"]);
}

#[test]
fn on_a_standard_queue_a_failure_fails_nobody_else() {
    // E20
    let mut world = World::new();
    let jobs = standard(&world.clock).build().unwrap();
    for body in ["g-1", "g-2"] {
        jobs.send(in_group("g", body)).unwrap();
    }
    let runner = Runner::builder(&jobs).until_none_visible();
    let runner = runner.batch_async(BatchSettings::default(), |batch: Vec<Job>| async move {
        give_way().await;
        BatchAnswer::success().fail(&batch[0], "no")
    });
    let report = world.run(runner.unwrap().run()).unwrap();
    assert_eq!((report.succeeded, report.failed), (1, 1));
}

#[test]
fn a_batch_that_takes_too_long_fails_as_a_whole() {
    // E19
    let mut world = World::new();
    let jobs = numbered(&world.clock, 3);
    let clock = world.clock.clone();
    let runner = Runner::builder(&jobs).until_none_visible().handler_timeout(secs(5));
    let runner = runner.batch_async(BatchSettings::default(), move |_: Vec<Job>| {
        let pause = after(&clock, secs(50));
        async move {
            pause.await;
            BatchAnswer::success()
        }
    });
    let report = world.run(runner.unwrap().run()).unwrap();
    assert_eq!((report.timed_out, report.failed, counts(&jobs)), (3, 3, [0, 3, 0]));
}

#[test]
fn a_batch_larger_than_a_call_is_deleted_and_returned_in_several() {
    let mut world = World::new();
    let jobs = numbered(&world.clock, 35);
    let runner = Runner::builder(&jobs).failure_policy(FailurePolicy::RetryNow);
    let runner = runner.batch(BatchSettings::new(100).window(secs(1)), |batch: &[Job]| {
        let odd = batch
            .iter()
            .filter(|job| job.body().ends_with(['1', '3', '5', '7', '9']));
        odd.fold(BatchAnswer::success(), |answer, job| answer.fail(job, "odd"))
    });
    let runner = runner.unwrap();
    let handle = runner.handle();
    let run = world.start(runner.run());
    world.advance(secs(1));
    let report = handle.report();
    assert_eq!((report.succeeded, report.failed), (18, 17));
    assert_eq!(counts(&jobs).iter().sum::<usize>(), 17);
    world.kill(&run);
}

#[test]
fn a_group_that_fills_several_batches_leaves_a_worker_at_the_queue() {
    // E21: concurrency is at most the number of active groups, and no less
    let mut world = World::new();
    let jobs = fifo(&world.clock).content_based_deduplication(true).build().unwrap();
    let (begun, clock) = (Notes::timed(&world.clock), world.clock.clone());
    let lines = begun.clone();
    let settings = BatchSettings::new(2);
    let runner = Runner::builder(&jobs)
        .concurrency(3)
        .batch_async(settings, move |batch: Vec<Job>| {
            lines.write(batch.iter().map(|job| job.body()).collect::<Vec<_>>().join(" "));
            let slow = !batch[0].body().starts_with("warm");
            let pause = after(&clock, secs(if slow { 1_000 } else { 1 }));
            async move {
                pause.await;
                BatchAnswer::success()
            }
        });
    let runner = runner.unwrap();
    let (handle, run) = (runner.handle(), world.start(runner.run()));
    for group in ["a", "b", "c", "d", "e"] {
        jobs.send(in_group(group, &format!("warm {group}"))).unwrap();
    }
    world.advance(secs(1));
    assert_eq!(begun.take().len(), 3, "three workers have been busy");
    for (group, body) in [
        ("g", "g1"),
        ("g", "g2"),
        ("g", "g3"),
        ("g", "g4"),
        ("g", "g5"),
        ("h", "h1"),
    ] {
        jobs.send(in_group(group, body)).unwrap();
    }
    world.settle();
    assert_eq!(begun.take(), ["1000 g1 g2", "1000 h1"]);
    jobs.send(in_group("i", "i1")).unwrap();
    world.settle();
    assert_eq!(begun.take(), ["1000 i1"]);
    handle.stop();
    world.finish(run).unwrap();
}
