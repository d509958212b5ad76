//! A runner works on a queue behind faults as on any other.

use {
    crate::common::{counts, fifo, in_group, millis, nap, standard},
    requeue::{
        Clock, ManualClock, Queue, ReceiveError,
        backend::{ErrorKind, MessageQueue, MessageQueueError, ReceiveRequest},
        testing::{CallError, Fault, Faults, FaultyQueue},
        worker::{FailurePolicy, Job, Runner, RunnerReport},
    },
    std::{
        collections::BTreeMap,
        sync::{Arc, Mutex},
        task,
    },
};

/// Lets time pass by itself until a future is done.
fn until<F: Future>(clock: &ManualClock, future: F) -> F::Output {
    pollster::block_on(clock.run_until(future))
}

type Done = BTreeMap<String, u32>;

fn number(job: &Job) -> u32 {
    job.body()["job ".len()..].parse().unwrap()
}

/// Lets a runner do 30 jobs, of which every third fails at first, under faults.
fn runs(queue: &Queue, clock: &ManualClock, faults: Faults, seed: u64) -> (Done, RunnerReport, Vec<Fault>) {
    for number in 0..30 {
        let group = format!("g{}", number % 5);
        queue.send(in_group(&group, &format!("job {number:02}"))).unwrap();
    }
    let faulty = FaultyQueue::new(queue, clock, faults, seed).unwrap();
    let done = Arc::new(Mutex::new(Done::new()));
    let (own, clock_of_jobs) = (Arc::clone(&done), clock.clone());
    let runner = Runner::builder(&faulty).concurrency(4).prefetch(4);
    let runner = runner.failure_policy(FailurePolicy::RetryNow).until_none_left();
    let runner = runner.each_async(move |job: Job| {
        let (done, clock) = (Arc::clone(&own), clock_of_jobs.clone());
        async move {
            nap(&clock, millis(1_500)).await;
            if number(&job) % 3 == 0 && job.approximate_receive_count() == 1 {
                return Err("at first".to_owned());
            }
            *done.lock().unwrap().entry(job.body().to_owned()).or_default() += 1;
            Ok(())
        }
    });
    let report = until(clock, runner.unwrap().run()).unwrap();
    let struck = faulty.struck().into_iter().map(|it| it.1).collect();
    let done = done.lock().unwrap().clone();
    (done, report, struck)
}

/// The faults that strike queues, which a runner can meet.
fn of_runners() -> impl Iterator<Item = Fault> {
    Fault::ALL.into_iter().filter(|fault| {
        let of_consumers = [
            Fault::Outage,
            Fault::CrashBeforeWork,
            Fault::CrashBeforeDelete,
            Fault::CrashAfterDelete,
            Fault::PausePastVisibility,
        ];
        // The jobs are sent before the faults are.
        let of_sends = [Fault::SendResponseLost, Fault::SendLate, Fault::SendThrottled];
        !of_consumers.contains(fault) && !of_sends.contains(fault)
    })
}

#[test]
fn every_fault_strikes_a_runner_that_does_all_jobs_all_the_same() {
    for is_fifo in [false, true] {
        for fault in of_runners().filter(|fault| !is_fifo || fault.is_legal_on_fifo()) {
            let clock = ManualClock::default();
            let queue = if is_fifo { fifo(&clock) } else { standard(&clock) };
            let queue = queue.build().unwrap();
            let (done, report, struck) = runs(&queue, &clock, Faults::none().with(fault, 0.3), 1);
            // These strike short polls alone, which a runner makes only while receives bring messages (D10, D15).
            let may_miss = matches!(fault, Fault::OverLimit | Fault::SampledPoll);
            assert!(may_miss || struck.contains(&fault), "{fault}: {report}");
            assert!(struck.iter().all(|other| *other == fault), "{fault}: {struck:?}");
            assert_eq!((done.len(), counts(&queue)), (30, [0, 0, 0]), "{fault}: {report}");
        }
    }
}

#[test]
fn without_faults_a_runner_does_each_job_once() {
    let clock = ManualClock::default();
    let jobs = standard(&clock).build().unwrap();
    let (done, report, struck) = runs(&jobs, &clock, Faults::none(), 1);
    assert_eq!((done.len(), report.succeeded, report.failed), (30, 30, 10));
    assert!(done.values().all(|times| *times == 1) && struck.is_empty());
}

#[test]
fn the_same_seed_strikes_a_runner_in_the_same_way() {
    let run = |seed| {
        let clock = ManualClock::default();
        let jobs = standard(&clock).build().unwrap();
        runs(&jobs, &clock, Faults::worst_legal(), seed).2
    };
    assert_eq!(run(3), run(3));
    assert_ne!(run(3), run(4));
}

#[test]
fn a_receive_waits_for_its_message_and_leaves_none_hidden_when_it_is_dropped() {
    let clock = ManualClock::default();
    let jobs = standard(&clock).build().unwrap();
    let faulty = FaultyQueue::new(&jobs, &clock, Faults::none(), 1).unwrap();
    let poll = || MessageQueue::receive(&faulty, ReceiveRequest::new(10).wait_time(millis(20_000)));
    let mut dropped = Box::pin(poll());
    let mut context = task::Context::from_waker(task::Waker::noop());
    assert!(dropped.as_mut().poll(&mut context).is_pending());
    drop(dropped);
    let begun = clock.now();
    assert!(until(&clock, poll()).unwrap().is_empty());
    assert_eq!(clock.now().saturating_duration_since(begun), millis(20_000));
    jobs.send("m").unwrap();
    assert_eq!(counts(&jobs), [1, 0, 0]);
    assert_eq!(until(&clock, poll()).unwrap()[0].body(), "m");
}

#[test]
fn one_entry_of_a_call_fails_and_the_others_do_not() {
    let clock = ManualClock::default();
    let jobs = standard(&clock).build().unwrap();
    let faults = Faults::none().with(Fault::BatchEntryFails, 1.0);
    let faulty = FaultyQueue::new(&jobs, &clock, faults, 1).unwrap();
    for body in ["a", "b", "c"] {
        jobs.send(body).unwrap();
    }
    let messages = until(&clock, MessageQueue::receive(&faulty, ReceiveRequest::new(10)));
    let messages = messages.unwrap();
    let failures = until(&clock, MessageQueue::release(&faulty, &messages)).unwrap();
    assert_eq!((failures.len(), counts(&jobs)), (1, [2, 1, 0]));
    assert_eq!(failures[0].error.kind, ErrorKind::Transient);
    let spared = messages[failures[0].index].message_id();
    let held = until(&clock, MessageQueue::delete(&faulty, &messages)).unwrap();
    assert_eq!(
        counts(&jobs)[1],
        usize::from(held.iter().any(|it| messages[it.index].message_id() == spared))
    );
}

#[test]
fn what_a_fault_answers_may_pass_and_what_the_queue_refuses_keeps_its_meaning() {
    let of = |error: CallError<ReceiveError>| {
        let error = MessageQueueError::from(error);
        (error.kind, error.code.into_owned())
    };
    let transient = |code: &str| (ErrorKind::Transient, code.to_owned());
    assert_eq!(of(CallError::ResponseLost), transient("RequestTimeout"));
    assert_eq!(of(CallError::RequestThrottled), transient("RequestThrottled"));
    assert_eq!(of(CallError::ServiceUnavailable), transient("ServiceUnavailable"));
    let gone = ReceiveError::QueueDoesNotExist;
    assert_eq!(of(CallError::Refused(gone)).0, ErrorKind::QueueDoesNotExist);
}
