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
fn what_is_young_is_kept_and_what_the_own_queue_has() {
    let bench = Bench::new();
    bench.send(large()).unwrap();
    let all = pollster::block_on(bench.payloads.sweep(Duration::ZERO).list()).unwrap();
    assert_eq!(all, [], "its own queue is in use");
    bench.queue.purge().unwrap();
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
    let id = "9a7a4f9c-1a4f-4b8e-9a6b-5c7d1f3e2a10";
    for prefix in ["jobs-", "job", "", "team/", "team/jobs-", "jobs-/", "jobs-x"] {
        let key = format!("{prefix}{id}");
        let body = stream::iter([Ok(bytes::Bytes::from_static(b"x"))]).boxed();
        pollster::block_on(store.put(&key, body)).unwrap();
    }
    let found = |prefix: &str| {
        let jobs = PayloadQueue::builder(&queue, store.clone())
            .prefix(prefix)
            .build()
            .unwrap();
        let found = pollster::block_on(jobs.sweep(Duration::ZERO).list()).unwrap();
        found.into_iter().map(|it| it.key).collect::<Vec<_>>()
    };
    for prefix in ["jobs-", "team/", ""] {
        assert_eq!(
            found(prefix),
            [format!("{prefix}{id}")],
            "what is longer may be another's"
        );
    }
}

#[test]
fn a_store_in_trouble_is_told() {
    let bench = Bench::new();
    bench.send(large()).unwrap();
    bench.queue.purge().unwrap();
    bench.store.set(Trouble::List);
    let error = pollster::block_on(bench.payloads.sweep(Duration::ZERO).remove()).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Transient);
    assert!(pollster::block_on(bench.payloads.sweep(Duration::ZERO).list()).is_err());
    bench.store.set(Trouble::Delete);
    let report = pollster::block_on(bench.payloads.sweep(Duration::ZERO).remove()).unwrap();
    assert_eq!((report.removed, report.failed), (0, 1));
    assert_eq!(report.first_error.as_deref(), Some("the store is down"));
}
