//! Runners on queues with payloads: nothing changes for a handler.

use {
    super::{Bench, LARGE, large, stores::Trouble},
    requeue::{
        Queue, SendMessage,
        backend::{MessageQueue, QueueSet, ReceiveRequest},
        worker::{BatchAnswer, BatchSettings, FailurePolicy, Job, Runner, RunnerReport},
    },
    std::{
        sync::{Arc, Mutex},
        time::Duration,
    },
};

type Lengths = Arc<Mutex<Vec<usize>>>;

fn lengths() -> (Lengths, Lengths) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    (seen.clone(), seen)
}

fn run(
    bench: &Bench,
    runner: impl Future<Output = Result<RunnerReport, requeue::worker::RunnerError>>,
) -> RunnerReport {
    pollster::block_on(bench.clock.run_until(runner)).unwrap()
}

#[test]
fn handlers_of_every_kind_see_whole_bodies() {
    let bench = Bench::new();
    let fill = || {
        for body in [large(), "small".to_owned(), large()] {
            bench.send(body).unwrap();
        }
    };
    let builder = || Runner::builder(&bench.payloads).until_none_left();
    let (seen, saw) = lengths();
    let note = move |job: &Job| {
        assert!(job.is_loaded());
        saw.lock().unwrap().push(job.body().len());
        Ok::<(), String>(())
    };
    fill();
    assert_eq!(builder().each(note.clone()).unwrap().blocking().unwrap().succeeded, 3);
    fill();
    let each = note.clone();
    let handler = move |job: Job| std::future::ready(each(&job));
    assert_eq!(
        run(&bench, builder().each_async(handler.clone()).unwrap().run()).succeeded,
        3
    );
    fill();
    let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
    let spawned = builder().each_async(handler).unwrap().spawn_handlers(tokio::spawn);
    assert_eq!(runtime.block_on(spawned.run()).unwrap().succeeded, 3);
    fill();
    let batch = move |jobs: &[Job]| {
        jobs.iter().for_each(|job| note(job).unwrap());
        BatchAnswer::success()
    };
    assert_eq!(
        run(&bench, builder().batch(BatchSettings::default(), batch).unwrap().run()).succeeded,
        3
    );
    let mut seen = std::mem::take(&mut *seen.lock().unwrap());
    seen.sort_unstable();
    assert_eq!(seen, [[5; 4].as_slice(), &[LARGE; 8]].concat());
    assert!(bench.store.objects().is_empty() && bench.stored().is_empty());
}

#[test]
fn a_payload_that_is_gone_is_a_failure_for_the_policy_and_no_call_of_the_handler() {
    // E8
    let (bench, failed) = Bench::with_dead_letters(3);
    bench.send(large()).unwrap();
    bench.store.lose_all();
    let runner = Runner::builder(&bench.payloads)
        .until_none_left()
        .failure_policy(FailurePolicy::RetryNow);
    let runner = runner.each_async(|_: Job| async { unreachable!("there is no body") as Result<(), String> });
    let report = run(&bench, runner.unwrap().run());
    assert_eq!((report.succeeded, report.failed, report.panicked), (0, 3, 0));
    let letter = failed.receive().blocking().unwrap().remove(0);
    assert!(letter.body().starts_with('['), "the pointer is kept");
}

#[test]
fn a_payload_that_is_gone_is_discarded_where_that_is_asked_for() {
    // E8
    let bench = Bench::with(|queue| queue, |builder| builder.discard_missing(true));
    bench.send(large()).unwrap();
    bench.store.lose_all();
    let runner = Runner::builder(&bench.payloads).until_none_left();
    let report = run(&bench, runner.each(|_: &Job| Ok::<(), String>(())).unwrap().run());
    assert_eq!((report.succeeded, report.discarded), (0, 1));
    assert!(bench.stored().is_empty());
}

#[test]
fn a_store_that_is_down_for_a_while_loses_no_job() {
    let bench = Bench::new();
    bench.send(large()).unwrap();
    bench.store.set(Trouble::Get);
    let store = bench.store.clone();
    let runner = Runner::builder(&bench.payloads).until_none_left();
    let runner = runner.on_event(move |_| store.set(None)).each(|job: &Job| {
        assert_eq!(job.body().len(), LARGE);
        Ok::<(), String>(())
    });
    let report = run(&bench, runner.unwrap().run());
    assert_eq!((report.failed, report.succeeded), (1, 1));
}

#[test]
fn a_batch_goes_on_without_the_messages_that_cannot_be_read() {
    let bench = Bench::new();
    for body in ["1".to_owned(), large(), "333".to_owned()] {
        bench.send(body).unwrap();
    }
    bench.store.lose_all();
    let (seen, saw) = lengths();
    let runner = Runner::builder(&bench.payloads).until_none_visible();
    let batch = runner.batch(BatchSettings::default(), move |jobs: &[Job]| {
        saw.lock().unwrap().extend(jobs.iter().map(|job| job.body().len()));
        // What the handler answers counts for the jobs that it was given.
        BatchAnswer::success().fail(&jobs[1], "too odd")
    });
    let report = run(&bench, batch.unwrap().run());
    assert_eq!((report.succeeded, report.failed), (1, 2));
    assert_eq!(*seen.lock().unwrap(), [1, 3]);
}

#[test]
fn a_batch_of_a_fifo_queue_ends_for_a_group_at_what_cannot_be_read() {
    // E21
    let bench = Bench::fifo();
    for (body, group) in [
        ("1".to_owned(), "a"),
        (large(), "a"),
        ("333".to_owned(), "a"),
        ("22".to_owned(), "b"),
    ] {
        bench.send(SendMessage::new(body).message_group_id(group)).unwrap();
    }
    bench.store.set(Trouble::Get);
    let (seen, saw) = lengths();
    let store = bench.store.clone();
    let runner = Runner::builder(&bench.payloads).until_none_left();
    let runner = runner
        .on_event(move |_| store.set(None))
        .batch(BatchSettings::default(), move |jobs: &[Job]| {
            saw.lock().unwrap().extend(jobs.iter().map(|job| job.body().len()));
            BatchAnswer::success()
        });
    let report = run(&bench, runner.unwrap().run());
    assert_eq!(report.succeeded, 4);
    assert_eq!(*seen.lock().unwrap(), [1, 2, LARGE, 3]);
}

#[test]
fn a_load_that_never_ends_is_cut_off_by_the_handler_timeout() {
    let bench = Bench::new();
    bench.send(large()).unwrap();
    bench.store.set(Trouble::GetNeverEnds);
    let runner = Runner::builder(&bench.payloads)
        .handler_timeout(Duration::from_secs(90))
        .until_none_visible();
    let start = requeue::Clock::now(&bench.clock);
    let runner = runner.each_async(|_: Job| async { Ok::<(), String>(()) }).unwrap();
    let report = run(&bench, runner.run());
    assert_eq!((report.timed_out, report.succeeded), (1, 0));
    let waited = requeue::Clock::now(&bench.clock).saturating_duration_since(start);
    assert!(waited >= Duration::from_secs(90), "its lease was renewed meanwhile");
    assert_eq!(bench.queue.snapshot().messages[0].approximate_receive_count, 1);
}

/// Two queues of one clock, each with a store of its own.
fn urgent_and_usual() -> (Bench, Bench) {
    let clock = requeue::ManualClock::default();
    let bench = |name: &str| {
        let queue = Queue::standard(name).clock(clock.clone()).build().unwrap();
        Bench::over(queue, clock.clone(), |builder| builder)
    };
    (bench("urgent"), bench("usual"))
}

#[test]
fn a_set_of_queues_loads_from_the_store_of_each() {
    let (urgent, usual) = urgent_and_usual();
    urgent.send(large()).unwrap();
    usual.send(format!("{}y", large())).unwrap();
    let set = QueueSet::by_priority([urgent.payloads.clone(), usual.payloads.clone()]).unwrap();
    let (seen, saw) = lengths();
    let runner = Runner::builder(&set).until_none_left().each(move |job: &Job| {
        saw.lock().unwrap().push(job.body().len());
        Ok::<(), String>(())
    });
    assert_eq!(runner.unwrap().blocking().unwrap().succeeded, 2);
    assert_eq!(*seen.lock().unwrap(), [LARGE, LARGE + 1]);
    assert!(urgent.store.objects().is_empty() && usual.store.objects().is_empty());
}

#[test]
fn a_body_that_cannot_be_loaded_is_no_outage_of_its_queue() {
    let (urgent, usual) = urgent_and_usual();
    urgent.send(large()).unwrap();
    urgent.send("small").unwrap();
    urgent.store.set(Trouble::Get);
    let set = QueueSet::by_priority([urgent.payloads.clone(), usual.payloads]).unwrap();
    let receive = |wait| {
        pollster::block_on(
            urgent
                .clock
                .run_until(set.receive(ReceiveRequest::new(1).wait_time(wait))),
        )
    };
    assert!(
        receive(Duration::ZERO)
            .unwrap_err()
            .message
            .contains("the store is down")
    );
    assert_eq!(
        receive(Duration::ZERO).unwrap()[0].body(),
        "small",
        "the queue is asked at once"
    );
    urgent.store.set(None);
    assert_eq!(receive(Duration::from_secs(20)).unwrap().len(), 0);
    assert_eq!(receive(Duration::from_secs(20)).unwrap()[0].body().len(), LARGE);
}

#[cfg(feature = "serde")]
#[test]
fn typed_jobs_are_read_from_payloads() {
    let bench = Bench::with(|queue| queue, |builder| builder.offload_all(true));
    bench.send(SendMessage::json(&[640, 480]).unwrap()).unwrap();
    let runner = Runner::builder(&bench.payloads).until_none_left().each(|job: &Job| {
        assert_eq!(job.parse::<[u32; 2]>().unwrap(), [640, 480]);
        Ok::<(), String>(())
    });
    assert_eq!(runner.unwrap().blocking().unwrap().succeeded, 1);
}
