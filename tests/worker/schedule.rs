//! Schedules: when their jobs can be received, in what order, and what cancelling and failing sends do.

mod catch_up;
mod clock_changes;
mod names;
mod threads;

use {
    crate::common::shaky::{Fault, Shaky},
    proptest::prelude::*,
    requeue::{
        Clock, ManualClock, Message, Queue, SendMessage, Timestamp,
        backend::{ErrorKind, Running},
        schedule::{AddScheduleError, Cancelled, Cron, Schedule, Scheduler, SchedulerError, SchedulerHandle},
    },
    std::{
        future::Future,
        pin::pin,
        sync::{Arc, Mutex},
        task::{Context, Waker},
        time::Duration,
    },
};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);
const MILLISECOND: Duration = Duration::from_millis(1);

fn standard() -> (Queue, ManualClock) {
    let clock = ManualClock::default();
    (Queue::standard("jobs").clock(clock.clone()).build().unwrap(), clock)
}

fn fifo() -> (Queue, ManualClock) {
    let clock = ManualClock::default();
    let queue = Queue::fifo("jobs.fifo")
        .clock(clock.clone())
        .content_based_deduplication(true);
    (queue.build().unwrap(), clock)
}

/// A scheduler that has gone to sleep on a thread.
fn start(queue: &Queue, clock: &ManualClock) -> (Running<SchedulerHandle>, SchedulerHandle) {
    let running = Scheduler::builder(queue).build().spawn().unwrap();
    clock.wait_for_sleepers(1);
    let handle = running.handle();
    (running, handle)
}

fn settle(clock: &ManualClock) {
    clock.advance(Duration::ZERO);
}

fn grouped(body: &str) -> SendMessage {
    SendMessage::new(body).message_group_id("g")
}

fn receive(queue: &Queue) -> Vec<Message> {
    let mut all = Vec::new();
    loop {
        let messages = queue.receive().max_messages(10).blocking().unwrap();
        if messages.is_empty() {
            return all;
        }
        messages.iter().for_each(|it| it.delete().unwrap());
        all.extend(messages);
    }
}

fn bodies(queue: &Queue) -> Vec<String> {
    receive(queue).iter().map(|it| it.body().to_owned()).collect()
}

fn delayed(queue: &Queue) -> usize {
    queue.counts().delayed
}

fn every_minute() -> Cron {
    Cron::new("* * * * *").unwrap()
}

#[test]
fn a_job_on_a_standard_queue_is_delayed_there_as_soon_as_it_can_be() {
    // D32
    let (jobs, clock) = standard();
    let (_running, schedules) = start(&jobs, &clock);
    schedules.add("far", HOUR, "far").unwrap();
    schedules.add("near", 15 * MINUTE, "near").unwrap();
    settle(&clock);
    assert_eq!((delayed(&jobs), schedules.report().held), (1, 1));
    clock.advance(15 * MINUTE - MILLISECOND);
    assert_eq!(bodies(&jobs), [""; 0]);
    clock.advance(MILLISECOND);
    assert_eq!(bodies(&jobs), ["near"]);
    clock.advance(30 * MINUTE - MILLISECOND);
    assert_eq!(
        (delayed(&jobs), schedules.due(9).len()),
        (0, 1),
        "held a minute longer than SQS can delay"
    );
    clock.advance(MILLISECOND);
    assert_eq!((delayed(&jobs), schedules.due(9).len()), (1, 0));
    clock.advance(15 * MINUTE - MILLISECOND);
    assert_eq!(bodies(&jobs), [""; 0]);
    clock.advance(MILLISECOND);
    assert_eq!(bodies(&jobs), ["far"]);
}

#[test]
fn a_job_on_a_fifo_queue_is_held_until_it_is_due() {
    // D34
    let (jobs, clock) = fifo();
    let (_running, schedules) = start(&jobs, &clock);
    let due = clock.now().saturating_add(10 * MINUTE);
    schedules.add("tea", due, grouped("tea")).unwrap();
    clock.advance(10 * MINUTE - MILLISECOND);
    assert_eq!((bodies(&jobs), schedules.report().held), (vec![], 1));
    clock.advance(MILLISECOND);
    let [tea] = receive(&jobs).try_into().unwrap();
    assert_eq!((tea.body(), tea.sent_timestamp()), ("tea", due));
}

#[test]
fn the_delay_of_a_standard_queue_is_not_added() {
    // D33
    let clock = ManualClock::default();
    let jobs = Queue::standard("jobs")
        .clock(clock.clone())
        .delay(5 * MINUTE)
        .build()
        .unwrap();
    let (_running, schedules) = start(&jobs, &clock);
    schedules.add("now", Duration::ZERO, "now").unwrap();
    schedules.add("minute", every_minute(), "minute").unwrap();
    schedules
        .add_with("later", clock.now(), |_| {
            SendMessage::new("later").delay(90 * MILLISECOND)
        })
        .unwrap();
    settle(&clock);
    assert_eq!(bodies(&jobs), ["now"]);
    clock.advance(90 * MILLISECOND);
    assert_eq!(bodies(&jobs), ["later"]);
    clock.advance(MINUTE - 90 * MILLISECOND);
    assert_eq!(bodies(&jobs), ["minute"]);
}

#[test]
fn a_pattern_sends_at_each_of_its_times_what_is_made_of_it() {
    for (jobs, clock) in [standard(), fifo()] {
        let (_running, schedules) = start(&jobs, &clock);
        let start = clock.now();
        let made = move |due: Timestamp| grouped(&format!("{:?}", due.saturating_duration_since(start)));
        let made_at = Arc::new(Mutex::new(Vec::new()));
        let (log, clock_of_maker) = (made_at.clone(), clock.clone());
        let cron = Cron::new("*/20 * * * *").unwrap();
        schedules
            .add_with("cron", cron, move |due| {
                log.lock().unwrap().push((due, clock_of_maker.now()));
                made(due)
            })
            .unwrap();
        clock.advance(20 * MINUTE - MILLISECOND);
        assert_eq!(bodies(&jobs), [""; 0]);
        clock.advance(40 * MINUTE + MILLISECOND);
        assert_eq!(bodies(&jobs), ["1200s", "2400s", "3600s"]);
        assert!(
            made_at.lock().unwrap().iter().all(|(due, made)| due == made),
            "made when due"
        );
    }
}

#[test]
fn jobs_of_the_same_instant_come_in_the_order_of_their_adding() {
    let (jobs, clock) = fifo();
    let (_running, schedules) = start(&jobs, &clock);
    let due = clock.now().saturating_add(HOUR);
    schedules.add("first", due, grouped("1")).unwrap();
    schedules
        .add("second", Cron::new("0 * * * *").unwrap(), grouped("2"))
        .unwrap();
    schedules.add_with("a-third", HOUR, |_| grouped("3")).unwrap();
    schedules
        .add("before", due.saturating_sub(MILLISECOND), grouped("0"))
        .unwrap();
    schedules.add("a-fourth", due, grouped("4")).unwrap();
    clock.advance(HOUR);
    assert_eq!(bodies(&jobs), ["0", "1", "2", "3", "4"]);
    clock.advance(HOUR);
    assert_eq!(bodies(&jobs), ["2"]);
}

#[test]
fn a_cancelled_schedule_sends_nothing_more() {
    let (jobs, clock) = standard();
    let (_running, schedules) = start(&jobs, &clock);
    schedules.add("far", HOUR, "far").unwrap();
    schedules.add("near", MINUTE, "near").unwrap();
    schedules.add("minute", every_minute(), "minute").unwrap();
    settle(&clock);
    assert_eq!(schedules.cancel("near"), None, "the queue has it");
    clock.advance(MINUTE);
    assert_eq!(bodies(&jobs), ["near", "minute"]);
    assert_eq!(schedules.cancel("far"), Some(Cancelled::Prevented));
    assert_eq!(schedules.cancel("minute"), Some(Cancelled::Prevented));
    assert_eq!((schedules.cancel("far"), schedules.cancel("minute")), (None, None));
    clock.advance(2 * HOUR);
    assert_eq!(bodies(&jobs), [""; 0]);
    let report = schedules.report();
    assert_eq!((report.added, report.cancelled, report.sent, report.held), (3, 2, 2, 0));
    assert_eq!(clock.next_deadline(), None, "nothing is left to wait for");
}

#[test]
fn cancelling_while_the_queue_is_asked_says_so_and_no_second_try_follows() {
    let (jobs, clock) = standard();
    let shaky = Shaky::new(&jobs);
    let mut scheduler = Scheduler::builder(&shaky).build();
    let schedules = scheduler.handle();
    let mut run = pin!(scheduler.run());
    let mut poll = || assert!(run.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());

    shaky.break_next([Fault::Fails(ErrorKind::Transient), Fault::Hangs]);
    schedules.add("retried", MINUTE, "retried").unwrap();
    poll();
    assert_eq!(schedules.report().retries, 1);
    assert_eq!(
        schedules.cancel("retried"),
        Some(Cancelled::Prevented),
        "between two tries nothing is on its way"
    );
    schedules.add("hanging", MINUTE, "hanging").unwrap();
    poll();
    assert_eq!(schedules.cancel("hanging"), Some(Cancelled::Sending));
    assert_eq!(schedules.cancel("hanging"), None);
    clock.advance(HOUR);
    poll();
    assert_eq!(bodies(&jobs), [""; 0]);
}

#[test]
fn a_send_that_fails_for_now_is_tried_again_and_holds_up_the_others() {
    let (jobs, clock) = fifo();
    let shaky = Shaky::new(&jobs);
    shaky.break_next([Fault::Fails(ErrorKind::Transient); 3]);
    let log = Arc::new(Mutex::new(Vec::new()));
    let lines = log.clone();
    let scheduler = Scheduler::builder(&shaky).on_event(move |it| lines.lock().unwrap().push(it.to_string()));
    let running = scheduler.build().spawn().unwrap();
    clock.wait_for_sleepers(1);
    let start = clock.now();
    running.handle().add("1", start, grouped("first")).unwrap();
    running.handle().add("2", start, grouped("second")).unwrap();
    clock.advance(Duration::from_millis(1_399));
    assert_eq!(bodies(&jobs), [""; 0]);
    clock.advance(MILLISECOND);
    assert_eq!(bodies(&jobs), ["first", "second"]);
    let due = "2026-01-01T00:00:00Z";
    let line = |after| format!("schedule 1 due at {due} cannot be sent yet: Broken: as told, again in {after}");
    assert_eq!(*log.lock().unwrap(), [line("200ms"), line("400ms"), line("800ms")]);
    assert_eq!(
        (running.handle().report().retries, running.handle().report().sent),
        (3, 2)
    );
}

#[test]
fn what_the_queue_refuses_and_what_cannot_be_made_is_reported_and_the_rest_goes_on() {
    let (jobs, clock) = standard();
    let log = Arc::new(Mutex::new(Vec::new()));
    let lines = log.clone();
    let scheduler = Scheduler::builder(&jobs).on_event(move |it| {
        lines.lock().unwrap().push(it.to_string());
        panic!("a listener of no use");
    });
    let running = scheduler.build().spawn().unwrap();
    let schedules = running.handle();
    clock.wait_for_sleepers(1);
    schedules.add("refused", MINUTE, "\u{0}").unwrap();
    let minute = move |due: Timestamp| {
        assert!(due.as_secs() % 120 == 0, "an odd minute");
        "even"
    };
    schedules.add_with("even", every_minute(), minute).unwrap();
    schedules.add("fine", MINUTE, "fine").unwrap();
    clock.advance(2 * MINUTE);
    assert_eq!(bodies(&jobs), ["fine", "even"]);
    assert_eq!(
        (
            schedules.report().sent,
            schedules.report().not_sent,
            schedules.report().held
        ),
        (2, 2, 1)
    );
    let log = log.lock().unwrap();
    assert!(
        log[0].starts_with("schedule refused due at 2026-01-01T00:01:00Z was not sent: InvalidMessageContents"),
        "{log:?}"
    );
    assert_eq!(
        log[1],
        "schedule even due at 2026-01-01T00:01:00Z was not sent: the function that makes the message panicked: an odd minute"
    );
}

#[test]
fn a_queue_that_is_gone_ends_the_scheduler_and_what_it_holds_stays_listed() {
    let (jobs, clock) = standard();
    let (running, schedules) = start(&jobs, &clock);
    schedules.add("lost", HOUR, "lost").unwrap();
    jobs.delete_queue().unwrap();
    clock.advance(HOUR);
    let error = running.join().unwrap_err();
    assert!(error.to_string().starts_with("the scheduler ended: "));
    let SchedulerError::Queue { error, report, .. } = error else {
        panic!("{error}")
    };
    assert_eq!((error.kind, report.held), (ErrorKind::QueueDoesNotExist, 1));
    assert_eq!(&*schedules.due(9)[0].name, "lost");
    assert_eq!(schedules.add("more", HOUR, "more"), Err(AddScheduleError::Stopped));
    assert_eq!(schedules.cancel("lost"), Some(Cancelled::Prevented));
}

#[test]
fn a_stop_ends_a_sleep_a_retry_and_a_send_at_once() {
    for fault in [None, Some(Fault::Fails(ErrorKind::Transient)), Some(Fault::Hangs)] {
        let (jobs, clock) = standard();
        let shaky = Shaky::new(&jobs);
        shaky.break_next(fault);
        let running = Scheduler::builder(&shaky).build().spawn().unwrap();
        clock.wait_for_sleepers(1);
        let schedules = running.handle();
        schedules.add("far", HOUR, "far").unwrap();
        schedules.add("now", Duration::ZERO, "now").unwrap();
        settle(&clock);
        schedules.stop();
        let report = running.join().unwrap();
        let sent = u64::from(fault.is_none());
        assert_eq!((report.sent, report.held as u64), (sent, 2 - sent), "{fault:?}");
    }
}

#[test]
fn dropping_a_run_loses_nothing_and_the_next_goes_on() {
    let (jobs, clock) = fifo();
    let shaky = Shaky::new(&jobs);
    let mut scheduler = Scheduler::builder(&shaky).until_none_held().build();
    let schedules = scheduler.handle();
    schedules.add("a", clock.now(), grouped("a")).unwrap();
    schedules.add("b", clock.now(), grouped("b")).unwrap();
    for fault in [Fault::Hangs, Fault::LosesAnswer, Fault::Fails(ErrorKind::Transient)] {
        shaky.break_next([fault]);
        let mut run = pin!(scheduler.run());
        assert!(run.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        assert_eq!(schedules.report().held, 2);
    }
    assert_eq!(scheduler.blocking().unwrap().sent, 2);
    assert_eq!(
        bodies(&jobs),
        ["a", "b"],
        "the send whose answer was lost is not there twice (F11)"
    );
}

#[test]
fn equal_messages_at_several_times_are_not_taken_for_repetitions() {
    // F7, F11
    let (jobs, clock) = fifo();
    let (_running, schedules) = start(&jobs, &clock);
    schedules.add("tick", every_minute(), grouped("tick")).unwrap();
    schedules.add("tock", every_minute(), grouped("tick")).unwrap();
    schedules
        .add("own", every_minute(), grouped("own").message_deduplication_id("own"))
        .unwrap();
    clock.advance(3 * MINUTE);
    assert_eq!(bodies(&jobs), ["tick", "tick", "own", "tick", "tick", "tick", "tick"]);
}

#[test]
fn what_makes_no_sense_is_not_added() {
    let ((jobs, _clock), (orders, _other)) = (standard(), fifo());
    let schedules = Scheduler::builder(&jobs).build().handle();
    let delayed = schedules
        .add("x", MINUTE, SendMessage::new("x").delay(MINUTE))
        .unwrap_err();
    assert_eq!(
        delayed.to_string(),
        "the message has a delay of 60s of its own, it is the schedule that says when"
    );
    let never = Cron::new("0 0 0 1 1 * 2020").unwrap();
    let error = schedules.add("x", never, "x").unwrap_err();
    assert_eq!(
        error.to_string(),
        "the cron pattern \"0 0 0 1 1 * 2020\" names no time to come"
    );
    schedules.add("x".repeat(100), HOUR, "x").unwrap();
    for name in ["", "two words", "\u{e9}", &"x".repeat(101)] {
        let error = schedules.add(name, HOUR, "x").unwrap_err().to_string();
        let rule = "is not 1 to 100 ASCII letters, digits and punctuation marks";
        assert_eq!(error, format!("the schedule name {name:?} {rule}"));
    }
    let groupless = Scheduler::builder(&orders).build().handle().add("x", MINUTE, "x");
    assert_eq!(groupless, Err(AddScheduleError::MissingGroup));
    assert_eq!((schedules.report().added, schedules.due(9).len()), (1, 1));
}

#[test]
fn the_ends_of_time_are_times() {
    let (jobs, clock) = standard();
    let (_running, schedules) = start(&jobs, &clock);
    schedules.add("at-doomsday", Timestamp::MAX, "doomsday").unwrap();
    schedules.add("doomsday", Duration::MAX, "doomsday").unwrap();
    schedules
        .add("epoch", Schedule::from(MINUTE).since(Timestamp::ZERO), "epoch")
        .unwrap();
    schedules.add("at-epoch", Timestamp::ZERO, "epoch").unwrap();
    settle(&clock);
    assert_eq!(bodies(&jobs), ["epoch", "epoch"]);
    assert_eq!(schedules.due(1)[0].due, Timestamp::MAX);
}

#[test]
fn the_clock_of_the_machine_is_a_clock_too() {
    let jobs = Queue::standard("jobs").build().unwrap();
    let running = Scheduler::builder(&jobs).build().spawn().unwrap();
    let schedules = running.handle();
    schedules.add("at-doomsday", Timestamp::MAX, "doomsday").unwrap();
    schedules.add("minute", every_minute(), "within the minute").unwrap();
    schedules.add("now", Duration::ZERO, "now").unwrap();
    let message = jobs
        .receive()
        .wait_time(Duration::from_secs(20))
        .blocking()
        .unwrap()
        .remove(0);
    assert!(["now", "within the minute"].contains(&message.body()));
    schedules.stop();
    let report = running.join().unwrap();
    assert!((report.sent >= 1) && report.held == 2, "{report:?}");
}

#[test]
fn ten_thousand_schedules_are_all_sent_when_they_are_due() {
    let (jobs, clock) = fifo();
    let start_at = clock.now();
    let (_running, schedules) = start(&jobs, &clock);
    for number in 0..10_000_u64 {
        // Every number below 10,000 once, in no order.
        let due = start_at.saturating_add(Duration::from_millis(number * 7_919 % 10_000));
        let message = SendMessage::new(due.to_string()).message_group_id((number % 7).to_string());
        schedules.add(number.to_string(), due, message).unwrap();
    }
    clock.advance(Duration::from_secs(10));
    let received = receive(&jobs);
    assert_eq!(received.len(), 10_000);
    assert!(received.iter().all(|it| it.body() == it.sent_timestamp().to_string()));
}

fn faults() -> impl Strategy<Value = Vec<Fault>> {
    let fault = prop_oneof![
        Just(Fault::Fails(ErrorKind::Transient)),
        Just(Fault::LosesAnswer),
        Just(Fault::Hangs),
    ];
    prop::collection::vec(fault, 0..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn failing_sends_and_dropped_runs_lose_and_repeat_nothing_on_a_fifo_queue(
        spans in prop::collection::vec(0_u64..4_000, 1..20),
        faults in faults(),
        drops in prop::collection::vec(any::<bool>(), 200),
    ) {
        let (jobs, clock) = fifo();
        let shaky = Shaky::new(&jobs);
        shaky.break_next(faults);
        let mut scheduler = Scheduler::builder(&shaky).until_none_held().build();
        let mut expected = Vec::new();
        for (number, span) in spans.into_iter().enumerate() {
            let due = clock.now().saturating_add(Duration::from_millis(span));
            scheduler.handle().add(number.to_string(), due, grouped(&number.to_string())).unwrap();
            expected.push((due, number.to_string()));
        }
        expected.sort_by_key(|(due, _)| *due);
        let mut drops = drops.into_iter();
        let mut over = false;
        while !over {
            let mut run = pin!(scheduler.run());
            // A send that hangs ends with its run; after so many steps every run goes on to its end.
            for _ in 0..40 {
                let polled = run.as_mut().poll(&mut Context::from_waker(Waker::noop()));
                over = polled.is_ready();
                if over || drops.next().unwrap_or(false) {
                    break;
                }
                clock.advance(Duration::from_millis(500));
            }
        }
        let expected: Vec<_> = expected.into_iter().map(|(_, body)| body).collect();
        prop_assert_eq!(bodies(&jobs), expected);
    }

    #[test]
    fn every_job_comes_when_it_is_due_unless_it_was_cancelled_before(
        steps in prop::collection::vec((0_u64..5_000, 0_u64..3_000_000, any::<bool>(), any::<prop::sample::Index>()), 1..30),
        fifo_queue: bool,
    ) {
        let (jobs, clock) = if fifo_queue { fifo() } else { standard() };
        let (_running, schedules) = start(&jobs, &clock);
        let (mut pending, mut expected, mut arrived) = (Vec::new(), Vec::new(), Vec::new());
        for (number, (after, span, cancel, which)) in steps.into_iter().enumerate() {
            let due = clock.now().saturating_add(Duration::from_millis(after * after / 5));
            schedules.add(number.to_string(), due, grouped(&number.to_string())).unwrap();
            pending.push((due, number));
            settle(&clock);
            if cancel {
                let at = which.index(pending.len());
                if schedules.cancel(&pending[at].1.to_string()).is_some() {
                    pending.remove(at);
                }
            }
            clock.advance(Duration::from_millis(span));
            arrived.extend(receive(&jobs).iter().map(|it| it.body().parse::<usize>().unwrap()));
            pending.retain(|(due, number)| {
                let come = *due <= clock.now();
                expected.extend(come.then_some(*number));
                !come
            });
            expected.sort_unstable();
            arrived.sort_unstable();
            prop_assert_eq!(&arrived, &expected);
        }
        clock.advance(2 * HOUR);
        prop_assert_eq!(receive(&jobs).len(), pending.len());
    }
}
