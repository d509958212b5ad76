//! What a scheduler does about times that it missed.

use {
    crate::common::shaky::{Fault, Shaky},
    requeue::{
        Alarm, Clock, ManualClock, Parker, Queue, Timestamp,
        backend::ErrorKind,
        schedule::{CatchUp, Cron, Schedule, Scheduler},
    },
    std::{
        future::Future,
        pin::pin,
        sync::{
            Arc, Mutex,
            atomic::{AtomicU64, Ordering},
        },
        task::{Context, Waker},
        time::Duration,
    },
};

const HOUR: Duration = Duration::from_secs(3_600);
const MINUTE: Duration = Duration::from_secs(60);

const SKIP: CatchUp = CatchUp::Skip;
const ONCE: CatchUp = CatchUp::Once;
const fn all(at_most: usize) -> CatchUp {
    CatchUp::All { at_most }
}

fn bodies(queue: &Queue) -> Vec<String> {
    let messages = queue.receive().max_messages(10).blocking().unwrap();
    messages.iter().for_each(|it| it.delete().unwrap());
    messages.iter().map(|it| it.body().to_owned()).collect()
}

fn hourly(catch_up: CatchUp) -> Schedule {
    Schedule::from(Cron::new("@hourly").unwrap()).catch_up(catch_up)
}

/// Hours since the start of a [`ManualClock`].
fn hour(due: Timestamp) -> String {
    let start = ManualClock::default().now();
    (due.saturating_duration_since(start).as_secs() / 3_600).to_string()
}

#[test]
fn after_a_time_without_a_run_the_policy_says_what_is_sent() {
    for (catch_up, expected) in [
        (SKIP, vec![]),
        (ONCE, vec!["3"]),
        (all(10), vec!["1", "2", "3"]),
        (all(2), vec!["2", "3"]),
    ] {
        let clock = ManualClock::default();
        let jobs = Queue::standard("jobs").clock(clock.clone()).build().unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        let lines = log.clone();
        let scheduler = Scheduler::builder(&jobs).on_event(move |it| lines.lock().unwrap().push(it.to_string()));
        let mut scheduler = scheduler.build();
        let schedules = scheduler.handle();
        schedules.add_with("hourly", hourly(catch_up), hour).unwrap();
        clock.advance(3 * HOUR + 30 * MINUTE);
        let run = std::thread::spawn(move || scheduler.blocking());
        // The thread, and its alarm for the next hour.
        clock.wait_for_sleepers(2);
        assert_eq!(bodies(&jobs), expected, "{catch_up:?}");
        assert_eq!((schedules.report().missed, schedules.report().held), (1, 1));
        let (first, latest) = ("2026-01-01T01:00:00Z", "2026-01-01T03:00:00Z");
        let line = format!(
            "schedule hourly was due from {first} to {latest} and not sent then, jobs sent for that now: {}",
            expected.len()
        );
        assert_eq!(*log.lock().unwrap(), [line]);
        clock.advance(30 * MINUTE);
        assert_eq!(bodies(&jobs), ["4"], "{catch_up:?}");
        schedules.stop();
        assert_eq!(run.join().unwrap().unwrap().missed, 1);
    }
}

#[test]
fn a_run_that_was_dropped_is_a_pause_as_well() {
    let clock = ManualClock::default();
    let jobs = Queue::standard("jobs").clock(clock.clone()).build().unwrap();
    let mut scheduler = Scheduler::builder(&jobs).build();
    let schedules = scheduler.handle();
    schedules.add_with("skip", hourly(SKIP), hour).unwrap();
    schedules
        .add_with("all", hourly(all(10)), |due| format!("all {}", hour(due)))
        .unwrap();
    for (pause, expected) in [
        (HOUR, vec!["1", "all 1"]),
        (2 * HOUR, vec!["all 2", "3", "all 3"]),
        (90 * MINUTE, vec!["all 4"]),
    ] {
        clock.advance(pause);
        let mut run = pin!(scheduler.run());
        assert!(run.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        assert_eq!(bodies(&jobs), expected, "after {pause:?}");
    }
}

#[test]
fn a_queue_that_cannot_be_sent_to_is_a_pause_as_well() {
    let clock = ManualClock::default();
    let jobs = Queue::standard("jobs").clock(clock.clone()).build().unwrap();
    let shaky = Shaky::new(&jobs);
    let running = Scheduler::builder(&shaky).build().spawn().unwrap();
    clock.wait_for_sleepers(1);
    let schedules = running.handle();
    schedules
        .add_with("skip", hourly(SKIP), |due| format!("skip {}", hour(due)))
        .unwrap();
    schedules
        .add_with("all", hourly(all(2)), |due| format!("all {}", hour(due)))
        .unwrap();
    // The sends of the first job fail until 3:30.
    shaky.break_next([Fault::Fails(ErrorKind::Transient); 450]);
    clock.advance(4 * HOUR - MINUTE);
    assert_eq!(bodies(&jobs), ["skip 1", "all 2", "all 3"]);
    clock.advance(MINUTE);
    assert_eq!(bodies(&jobs), ["skip 4", "all 4"]);
}

/// A clock that can jump without anybody being woken, as that of a machine that slept.
#[derive(Clone)]
struct Jumpy {
    clock: ManualClock,
    ahead: Arc<AtomicU64>,
}

impl Jumpy {
    fn ahead(&self) -> Duration {
        Duration::from_millis(self.ahead.load(Ordering::SeqCst))
    }
}

impl Clock for Jumpy {
    fn now(&self) -> Timestamp {
        self.clock.now().saturating_add(self.ahead())
    }

    fn park_until(&self, parker: &Parker, deadline: Option<Timestamp>) {
        let deadline = deadline.map(|it| it.saturating_sub(self.ahead()));
        self.clock.park_until(parker, deadline);
    }

    fn wake_at(&self, deadline: Timestamp, waker: Waker) -> Alarm {
        self.clock.wake_at(deadline.saturating_sub(self.ahead()), waker)
    }
}

#[test]
fn a_jump_of_the_clock_is_a_pause_as_well() {
    let clock = Jumpy {
        clock: ManualClock::default(),
        ahead: Arc::default(),
    };
    let jobs = Queue::standard("jobs").clock(clock.clone()).build().unwrap();
    let running = Scheduler::builder(&jobs).build().spawn().unwrap();
    clock.clock.wait_for_sleepers(1);
    let schedules = running.handle();
    for (name, catch_up) in [("skip", SKIP), ("once", ONCE), ("all", all(2))] {
        schedules
            .add_with(name, hourly(catch_up), move |due| format!("{name} {}", hour(due)))
            .unwrap();
    }
    clock.clock.advance(HOUR);
    assert_eq!(bodies(&jobs), ["skip 1", "once 1", "all 1"]);
    clock.ahead.store(5 * 3_600_000, Ordering::SeqCst);
    // It sleeps until what it takes for 2:00, and wakes at 7:00.
    clock.clock.advance(HOUR - 10 * MINUTE);
    assert_eq!(bodies(&jobs), [""; 0]);
    clock.clock.advance(10 * MINUTE);
    assert_eq!(bodies(&jobs), ["all 6", "skip 7", "once 7", "all 7"]);
}

#[test]
fn a_clock_that_is_set_back_sends_nothing_twice() {
    let clock = ManualClock::default();
    let start = clock.now();
    let jobs = Queue::standard("jobs").clock(clock.clone()).build().unwrap();
    let running = Scheduler::builder(&jobs).build().spawn().unwrap();
    clock.wait_for_sleepers(1);
    running.handle().add_with("hourly", hourly(all(10)), hour).unwrap();
    clock.advance(2 * HOUR);
    assert_eq!(bodies(&jobs), ["1", "2"]);
    clock.set(start);
    clock.advance(3 * HOUR);
    assert_eq!(bodies(&jobs), ["3"]);
}

#[test]
fn a_job_sent_once_that_was_missed_is_sent_unless_it_is_to_be_skipped() {
    for fifo in [false, true] {
        let clock = ManualClock::default();
        let jobs = match fifo {
            false => Queue::standard("jobs").clock(clock.clone()).build().unwrap(),
            true => Queue::fifo("jobs.fifo").clock(clock.clone()).build().unwrap(),
        };
        let mut scheduler = Scheduler::builder(&jobs).until_none_held().build();
        let schedules = scheduler.handle();
        let message = |body: &str| requeue::SendMessage::new(body).message_group_id("g");
        for (name, catch_up) in [("skip", SKIP), ("once", ONCE), ("all", all(1)), ("none", all(0))] {
            let late = Schedule::from(HOUR).catch_up(catch_up);
            schedules.add(name, late, message(name)).unwrap();
            let on_time = Schedule::from(HOUR + 4 * MINUTE).catch_up(catch_up);
            schedules
                .add(format!("{name}-on-time"), on_time, message(&format!("{name} on time")))
                .unwrap();
        }
        clock.advance(HOUR + 5 * MINUTE);
        let report = scheduler.blocking().unwrap();
        assert_eq!((report.sent, report.missed, report.held), (6, 4, 0));
        let on_time = ["skip on time", "once on time", "all on time", "none on time"];
        assert_eq!(bodies(&jobs), [&["once", "all"][..], &on_time].concat());
    }
}

#[test]
fn a_schedule_may_count_from_before_it_was_added() {
    let clock = ManualClock::default();
    let jobs = Queue::standard("jobs").clock(clock.clone()).build().unwrap();
    clock.advance(5 * HOUR + MINUTE);
    let mut scheduler = Scheduler::builder(&jobs).build();
    let since = clock.now().saturating_sub(3 * HOUR);
    scheduler
        .handle()
        .add_with("hourly", hourly(all(10)).since(since), hour)
        .unwrap();
    let mut run = pin!(scheduler.run());
    assert!(run.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    assert_eq!(bodies(&jobs), ["3", "4", "5"]);
}

#[test]
fn no_more_than_a_thousand_jobs_are_sent_for_what_was_missed() {
    let clock = ManualClock::default();
    let jobs = Queue::standard("jobs").clock(clock.clone()).build().unwrap();
    let mut scheduler = Scheduler::builder(&jobs).build();
    let schedules = scheduler.handle();
    schedules.add_with("hourly", hourly(all(usize::MAX)), hour).unwrap();
    clock.advance(2_000 * HOUR + 30 * MINUTE);
    let run = std::thread::spawn(move || scheduler.blocking());
    // The thread, and its alarm for the next hour.
    clock.wait_for_sleepers(2);
    let bodies = jobs
        .snapshot()
        .messages
        .into_iter()
        .map(|it| it.content.body().to_string());
    assert!(bodies.eq((1_001..=2_000).map(|hour| hour.to_string())));
    schedules.stop();
    assert_eq!(run.join().unwrap().unwrap().sent, 1_000);
}
