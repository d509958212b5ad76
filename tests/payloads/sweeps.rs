//! Sweeps: payloads that no message points to.

use {
    super::{Bench, LARGE, large, stores::Trouble},
    futures_util::{StreamExt, stream},
    requeue::{
        Queue,
        backend::ErrorKind,
        payloads::{ObjectPayloadStore, PayloadQueue, PayloadStore},
    },
    std::time::Duration,
};

#[test]
fn a_sweep_finds_what_no_message_points_to_and_nothing_else() {
    // E9 E10
    let (bench, failed) = Bench::with_dead_letters(1);
    bench.send(large()).unwrap();
    bench.queue.purge().unwrap();
    let orphan = bench.store.objects().remove(0).0;
    bench.clock.advance(Duration::from_secs(61));
    bench.send(large()).unwrap();
    let letter = bench.receive().unwrap().remove(0);
    pollster::block_on(requeue::backend::MessageQueue::dead_letter(
        &bench.payloads,
        &letter,
        "no",
    ))
    .unwrap();
    bench.send(large()).unwrap();
    bench.send(large()).unwrap();
    let _in_flight = bench.receive().unwrap();

    let sweep = || {
        bench
            .payloads
            .sweep(Duration::ZERO)
            .in_use_by(&bench.queue)
            .in_use_by(&failed)
    };
    let found = pollster::block_on(sweep().list()).unwrap();
    assert_eq!(
        found.iter().map(|it| (&it.key, it.size_bytes)).collect::<Vec<_>>(),
        [(&orphan, LARGE as u64)]
    );
    let report = pollster::block_on(sweep().remove()).unwrap();
    assert_eq!(
        (report.removed, report.removed_bytes, report.failed),
        (1, LARGE as u64, 0)
    );
    assert_eq!(bench.store.objects().len(), 3);
    assert_eq!(pollster::block_on(sweep().remove()).unwrap().removed, 0);
}

#[test]
fn age_alone_decides_where_no_queue_is_named() {
    let bench = Bench::new();
    bench.send(large()).unwrap();
    for older_than in [Duration::from_secs(3_600), Duration::MAX] {
        assert_eq!(pollster::block_on(bench.payloads.sweep(older_than).list()).unwrap(), []);
    }
    assert_eq!(
        pollster::block_on(bench.payloads.sweep(Duration::ZERO).remove())
            .unwrap()
            .removed,
        1
    );
}

#[test]
fn a_sweep_keeps_to_its_prefix() {
    // E2
    let store = ObjectPayloadStore::in_memory();
    let queue = Queue::standard("jobs").build().unwrap();
    for key in ["jobs-1", "jobs-2", "job", "team/jobs-3", "jobs-/4"] {
        let body = stream::iter([Ok(bytes::Bytes::from_static(b"x"))]).boxed();
        pollster::block_on(store.put(key, body)).unwrap();
    }
    let found = |prefix: &str| {
        let jobs = PayloadQueue::builder(&queue, store.clone())
            .prefix(prefix)
            .build()
            .unwrap();
        let found = pollster::block_on(jobs.sweep(Duration::ZERO).list()).unwrap();
        let mut keys: Vec<_> = found.into_iter().map(|it| it.key).collect();
        keys.sort();
        keys
    };
    assert_eq!(found("jobs-"), ["jobs-/4", "jobs-1", "jobs-2"]);
    assert_eq!(found("team/"), ["team/jobs-3"]);
    assert_eq!(found("").len(), 5);
}

#[test]
fn a_store_in_trouble_is_told() {
    let bench = Bench::new();
    bench.send(large()).unwrap();
    bench.store.set(Trouble::List);
    let error = pollster::block_on(bench.payloads.sweep(Duration::ZERO).remove()).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Transient);
    assert!(pollster::block_on(bench.payloads.sweep(Duration::ZERO).list()).is_err());
    bench.store.set(Trouble::Delete);
    let report = pollster::block_on(bench.payloads.sweep(Duration::ZERO).remove()).unwrap();
    assert_eq!((report.removed, report.failed), (0, 1));
    assert_eq!(report.first_error.as_deref(), Some("the store is down"));
}
