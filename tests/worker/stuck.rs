//! Handlers that cannot be interrupted and outlast their timeout, on threads in virtual time.

use {
    super::{
        notes::Notes,
        scripted::{Reply, Scripted, Verb},
        threads::block,
    },
    crate::common::{MILLISECOND, bodies, counts, fifo, receive, secs, send_grouped, standard},
    requeue::{
        ManualClock, Queue,
        backend::{MessageQueue, Running},
        worker::{
            BatchAnswer, BatchSettings, Failure, FailurePolicy, Handler, Job, Runner, RunnerBuilder, RunnerHandle,
        },
    },
    std::{future::poll_fn, panic::resume_unwind, task::Poll, time::Duration},
};

/// Starts a runner on an empty queue, and returns once all its threads wait.
fn start<Q, H>(clock: &ManualClock, jobs: &Queue, runner: Runner<Q, H>, workers: usize) -> Running<RunnerHandle>
where
    Q: MessageQueue,
    H: Handler + Send + Sync + 'static,
{
    let running = runner.spawn().unwrap();
    jobs.wait_for_waiters(1);
    // The workers, the lease renewer, and the alarms of the long poll and of the renewer.
    clock.wait_for_sleepers(workers + 3);
    running
}

fn send(clock: &ManualClock, jobs: &Queue, all: &[&str]) {
    for body in all {
        jobs.send(*body).unwrap();
    }
    clock.advance(Duration::ZERO);
}

/// The numbers that failed, of those timed out, succeeded, were abandoned, lost.
fn numbers(running: &Running<RunnerHandle>) -> [u64; 5] {
    let report = running.handle().report();
    [
        report.failed,
        report.timed_out,
        report.succeeded,
        report.abandoned,
        report.lost,
    ]
}

fn stop(running: Running<RunnerHandle>) -> u64 {
    running.handle().stop();
    let report = running.join().unwrap();
    let others = report.given_back + report.not_given_back + report.abandoned + report.not_deleted;
    assert_eq!(report.received, report.succeeded + report.failed + others, "{report:?}");
    report.received
}

fn world() -> (ManualClock, Queue, Notes, RunnerBuilder<Queue>) {
    let clock = ManualClock::default();
    let jobs = standard(&clock).build().unwrap();
    let notes = Notes::timed(&clock);
    let builder = Runner::builder(&jobs).on_event(notes.events());
    (clock, jobs, notes, builder)
}

const TIMED_OUT: &str = "failed by Timeout: the handler did not end within";

#[test]
fn a_handler_that_cannot_be_interrupted_has_failed_at_its_timeout_while_it_still_runs() {
    let (clock, jobs, notes, builder) = world();
    let (own, lines) = (clock.clone(), notes.clone());
    let runner = builder.handler_timeout(secs(25)).each(move |job: &Job| {
        block(&own, secs(100));
        lines.write(format!("ended, held {} for {:?}", job.is_held(), job.lease_left()));
        Ok::<(), String>(())
    });
    let running = start(&clock, &jobs, runner.unwrap(), 1);
    send(&clock, &jobs, &["0"]);
    clock.advance(secs(25) - MILLISECOND);
    assert_eq!((numbers(&running), notes.take()), ([0; 5], Vec::new()));
    assert!(!running.handle().jobs()[0].timed_out);
    clock.advance(MILLISECOND);
    assert_eq!(numbers(&running), [1, 1, 0, 0, 0]);
    assert_eq!(notes.take(), [format!("25000 0 {TIMED_OUT} 25s")]);
    let status = running.handle().jobs().remove(0);
    assert!(status.timed_out && status.lease_left.is_zero(), "{status}");
    clock.advance(secs(25) - MILLISECOND);
    assert_eq!(
        counts(&jobs),
        [0, 1, 0],
        "renewed at 10 and 20 s, it is held until 50 s"
    );
    clock.advance(MILLISECOND);
    assert_eq!((counts(&jobs), notes.take()), ([1, 0, 0], Vec::new()));
    receive(&jobs, 1)[0].delete().unwrap();
    clock.advance(secs(50));
    let late = "100000 0 was done late";
    assert_eq!(notes.take(), ["100000 ended, held false for 0ns", late]);
    assert_eq!((numbers(&running), counts(&jobs)), ([1, 1, 0, 0, 0], [0, 0, 0]));
    assert_eq!(stop(running), 1);
}

#[test]
fn a_timeout_is_told_however_late_the_leases_are_due() {
    let (clock, jobs, notes, builder) = world();
    let own = clock.clone();
    let runner = builder
        .visibility_timeout(secs(43_200))
        .concurrency(2)
        .handler_timeout(secs(5))
        .each(move |_: &Job| {
            block(&own, secs(60));
            Ok::<(), String>(())
        });
    let running = start(&clock, &jobs, runner.unwrap(), 2);
    for body in ["0", "1"] {
        send(&clock, &jobs, &[body]);
        clock.advance(secs(3));
    }
    clock.advance(secs(4));
    let expected = [format!("5000 0 {TIMED_OUT} 5s"), format!("8000 1 {TIMED_OUT} 5s")];
    assert_eq!(notes.take(), expected);
    clock.advance(secs(60));
    assert_eq!(stop(running), 2);
}

#[test]
fn what_timed_out_goes_by_the_policy_and_another_worker_may_do_it_meanwhile() {
    let (clock, jobs, notes, builder) = world();
    let own = clock.clone();
    let runner = builder
        .concurrency(2)
        .failure_policy(FailurePolicy::RetryNow)
        .handler_timeout(secs(5));
    let runner = runner.each(move |job: &Job| {
        if job.failures() > 0 {
            return Ok(());
        }
        block(&own, secs(60));
        Err(Failure::discard("too late to say"))
    });
    let running = start(&clock, &jobs, runner.unwrap(), 2);
    send(&clock, &jobs, &["0"]);
    clock.advance(secs(5));
    assert_eq!((numbers(&running), counts(&jobs)), ([1, 1, 1, 0, 0], [0, 0, 0]));
    clock.advance(secs(55));
    let expected = [
        format!("5000 0 {TIMED_OUT} 5s"),
        "60000 0 failed late: too late to say".to_owned(),
    ];
    assert_eq!((notes.take(), numbers(&running)), (expected.to_vec(), [1, 1, 1, 0, 0]));
    assert_eq!(running.handle().report().discarded, 0);
    assert_eq!(stop(running), 2);
}

#[test]
fn the_group_of_a_stuck_handler_goes_on_in_its_order_with_what_timed_out() {
    // F18
    let (clock, _, notes, _) = world();
    let jobs = fifo(&clock).build().unwrap();
    let (own, lines) = (clock.clone(), notes.clone());
    let builder = Runner::builder(&jobs).on_event(notes.events()).concurrency(2);
    let runner = builder
        .max_messages(10)
        .prefetch(9)
        .failure_policy(FailurePolicy::RetryNow)
        .handler_timeout(secs(5))
        .each(move |job: &Job| {
            lines.write(format!("{} begins", job.body()));
            if job.body() == "g-1" && job.failures() == 0 {
                block(&own, secs(12));
            }
            Ok::<(), String>(())
        });
    let running = start(&clock, &jobs, runner.unwrap(), 2);
    send_grouped(&jobs, ["g-1", "g-2", "g-3"]);
    clock.advance(secs(10));
    let mut expected = vec!["0 g-1 begins".to_owned(), format!("5000 g-1 {TIMED_OUT} 5s")];
    expected.extend(["g-1", "g-2", "g-3"].map(|job| format!("5000 {job} begins")));
    assert_eq!((notes.take(), counts(&jobs)), (expected, [0, 0, 0]));
    assert_eq!(numbers(&running), [1, 1, 3, 0, 0]);
    clock.advance(secs(10));
    assert_eq!(notes.take(), ["12000 g-1 was done late"]);
    assert_eq!(stop(running), 4);
}

#[test]
fn a_stuck_handler_does_not_count_as_one_of_its_group_in_progress() {
    let (clock, jobs, notes, builder) = world();
    let (own, lines) = (clock.clone(), notes.clone());
    let runner = builder
        .concurrency(3)
        .group_concurrency(1)
        .handler_timeout(secs(5))
        .each(move |job: &Job| {
            lines.write(format!("{} begins", job.body()));
            if job.body() == "g-1" && job.failures() == 0 {
                block(&own, secs(12));
            }
            Ok::<(), String>(())
        });
    let running = start(&clock, &jobs, runner.unwrap(), 3);
    send_grouped(&jobs, ["g-1", "g-2", "g-3"]);
    clock.advance(secs(5));
    let mut expected = vec!["0 g-1 begins".to_owned(), format!("5000 g-1 {TIMED_OUT} 5s")];
    expected.extend(["g-2", "g-3"].map(|job| format!("5000 {job} begins")));
    let mut lines = notes.take();
    // The event is told by another thread.
    lines[1..].sort();
    expected[1..].sort();
    assert_eq!(lines, expected);
    clock.advance(secs(10));
    assert_eq!(stop(running), 3);
}

#[test]
fn what_no_worker_can_begin_while_all_handlers_are_stuck_goes_back_and_costs_nothing() {
    for batch in [false, true] {
        let (clock, jobs, notes, builder) = world();
        let own = clock.clone();
        let hold = move |job: &Job| {
            let stuck = job.body() == "0" && job.failures() == 0;
            block(&own, secs(if stuck { 12 } else { 0 }));
        };
        let builder = builder.prefetch(9).handler_timeout(secs(5));
        let running = if batch {
            let runner = builder.batch(BatchSettings::new(1), move |batch: &[Job]| {
                hold(&batch[0]);
                BatchAnswer::success()
            });
            start(&clock, &jobs, runner.unwrap(), 1)
        } else {
            let runner = builder.each(move |job: &Job| {
                hold(job);
                Ok::<(), String>(())
            });
            start(&clock, &jobs, runner.unwrap(), 1)
        };
        let all: Vec<String> = (0..10).map(|number| number.to_string()).collect();
        let _ = jobs.send_batch(all).unwrap();
        clock.advance(secs(5) - MILLISECOND);
        let held = |running: &Running<RunnerHandle>| {
            let report = running.handle().report();
            (report.in_progress, report.backlog, report.given_back)
        };
        assert_eq!((counts(&jobs), held(&running)), ([0, 10, 0], (1, 9, 0)));
        clock.advance(MILLISECOND);
        assert_eq!((counts(&jobs), held(&running)), ([9, 1, 0], (0, 0, 9)));
        clock.advance(secs(6));
        assert_eq!(counts(&jobs), [9, 1, 0], "nothing is received meanwhile");
        let elsewhere = receive(&jobs, 4);
        assert!(elsewhere.iter().all(|message| message.approximate_receive_count() == 1));
        elsewhere.iter().for_each(|message| message.delete().unwrap());
        clock.advance(secs(1));
        assert_eq!((counts(&jobs), numbers(&running)), ([0, 1, 0], [1, 1, 5, 0, 0]));
        assert_eq!(notes.take().len(), 2);
        assert_eq!(stop(running), 15);
    }
}

#[test]
fn a_stop_counts_what_has_timed_out_once_and_leaves_its_message_alone() {
    let (clock, jobs, _, builder) = world();
    let own = clock.clone();
    let runner = builder
        .handler_timeout(secs(5))
        .shutdown_timeout(secs(2))
        .each(move |_: &Job| {
            block(&own, secs(60));
            Ok::<(), String>(())
        });
    let running = start(&clock, &jobs, runner.unwrap(), 1);
    send(&clock, &jobs, &["0"]);
    clock.advance(secs(6));
    running.handle().stop();
    clock.advance(secs(2));
    let handle = running.handle();
    assert_eq!(stop(running), 1);
    let report = handle.report();
    assert_eq!((report.failed, report.timed_out, report.abandoned), (1, 1, 0));
    clock.advance(secs(21));
    assert_eq!(counts(&jobs), [0, 1, 0]);
    clock.advance(secs(1));
    assert_eq!(counts(&jobs), [1, 0, 0], "its lease has ended");
    clock.advance(secs(60));
    assert_eq!(handle.report().succeeded, 0);
}

#[test]
fn what_a_stop_has_abandoned_does_not_time_out() {
    let (clock, jobs, notes, builder) = world();
    let own = clock.clone();
    let runner = builder
        .handler_timeout(secs(5))
        .shutdown_timeout(Duration::ZERO)
        .each(move |_: &Job| {
            block(&own, secs(60));
            Ok::<(), String>(())
        });
    let running = start(&clock, &jobs, runner.unwrap(), 1);
    send(&clock, &jobs, &["0"]);
    let handle = running.handle();
    assert_eq!(stop(running), 1);
    clock.advance(secs(60));
    let report = handle.report();
    assert_eq!((report.failed, report.timed_out, report.abandoned), (0, 0, 1));
    assert_eq!(notes.take(), [""; 0]);
}

#[test]
fn a_batch_that_timed_out_answers_late_for_each_of_its_messages() {
    let (clock, jobs, notes, builder) = world();
    let own = clock.clone();
    let runner =
        builder
            .handler_timeout(secs(5))
            .batch(BatchSettings::new(3).window(secs(1)), move |batch: &[Job]| {
                block(&own, secs(60));
                assert!(batch.iter().all(|job| !job.is_held()));
                BatchAnswer::success().fail(&batch[1], "no")
            });
    let running = start(&clock, &jobs, runner.unwrap(), 1);
    send(&clock, &jobs, &["0", "1", "2"]);
    clock.advance(secs(6));
    assert_eq!(numbers(&running), [3, 3, 0, 0, 0]);
    let timed_out: Vec<_> = notes.take().iter().map(|it| it[5..].to_owned()).collect();
    assert_eq!(timed_out, ["0", "1", "2"].map(|it| format!("{it} {TIMED_OUT} 5s")));
    running.handle().stop();
    clock.advance(secs(60));
    assert_eq!(stop(running), 3);
    let late: Vec<_> = notes.take().iter().map(|it| it[6..].to_owned()).collect();
    assert_eq!(late, ["0 was done late", "1 failed late: no", "2 was done late"]);
}

#[test]
fn a_late_panic_is_a_late_answer() {
    let (clock, jobs, notes, builder) = world();
    let own = clock.clone();
    let builder = builder.visibility_timeout(secs(100)).handler_timeout(secs(5));
    let runner = builder.each(move |job: &Job| {
        block(&own, secs(60));
        match job.body() {
            "0" => resume_unwind(Box::new("out of paper")),
            _ => Ok::<(), String>(()),
        }
    });
    let running = start(&clock, &jobs, runner.unwrap(), 1);
    send(&clock, &jobs, &["0"]);
    clock.advance(secs(60));
    let late = "60000 0 failed late: the handler panicked: out of paper".to_owned();
    assert_eq!(notes.take(), [format!("5000 0 {TIMED_OUT} 5s"), late]);
    assert_eq!(running.handle().report().panicked, 0);
    stop(running);
}

#[test]
fn an_async_handler_that_blocks_its_thread_is_told_too_and_dropped_once_it_yields() {
    let (clock, jobs, notes, builder) = world();
    let own = clock.clone();
    let builder = builder.visibility_timeout(secs(100)).handler_timeout(secs(5));
    let runner = builder.each_async(move |_: Job| {
        let (own, mut blocked) = (own.clone(), false);
        poll_fn(move |_| {
            assert!(!blocked, "it is not polled again");
            blocked = true;
            block(&own, secs(60));
            Poll::<Result<(), String>>::Pending
        })
    });
    let running = start(&clock, &jobs, runner.unwrap(), 1);
    send(&clock, &jobs, &["0"]);
    clock.advance(secs(60));
    assert_eq!(notes.take(), [format!("5000 0 {TIMED_OUT} 5s")]);
    assert_eq!(running.handle().jobs(), []);
    assert_eq!(numbers(&running), [1, 1, 0, 0, 0]);
    stop(running);
}

#[test]
fn a_runner_does_not_end_while_the_message_of_a_stuck_handler_is_being_settled() {
    let (clock, jobs, notes, _) = world();
    let scripted = Scripted::new(&jobs, &clock);
    scripted.script(Verb::Visibility, [Reply::Slow(secs(8))]);
    let own = clock.clone();
    jobs.send("0").unwrap();
    let runner = Runner::builder(&scripted)
        .until_none_visible()
        .on_event(notes.events())
        .failure_policy(FailurePolicy::RetryNow)
        .handler_timeout(secs(5))
        .each(move |job: &Job| {
            if job.failures() == 0 {
                block(&own, secs(7));
            }
            Ok::<(), String>(())
        });
    let running = runner.unwrap().spawn().unwrap();
    // The worker, and the lease renewer with its alarm.
    clock.wait_for_sleepers(3);
    clock.advance(secs(5));
    // The alarm of the slow call too.
    clock.wait_for_sleepers(4);
    clock.advance(secs(2));
    // The worker waits for a message, and nothing else goes on.
    clock.wait_for_sleepers(4);
    assert_eq!(running.handle().jobs(), []);
    clock.advance(secs(6));
    let report = running.join().unwrap();
    assert_eq!((report.failed, report.timed_out, report.succeeded), (1, 1, 1));
    assert_eq!(bodies(&receive(&jobs, 10)), [""; 0]);
    assert_eq!(
        notes.take(),
        [format!("5000 0 {TIMED_OUT} 5s"), "7000 0 was done late".to_owned()]
    );
}
