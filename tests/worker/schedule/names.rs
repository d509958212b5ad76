//! What the name of a schedule is good for, and how schedules end.

use {
    super::{MINUTE, bodies, every_minute, fifo, grouped, receive, standard, start},
    proptest::prelude::*,
    requeue::{
        Clock, ManualClock, Queue, SendMessage, Timestamp,
        schedule::{AddScheduleError, CatchUp, Cron, Schedule, Scheduler, SchedulerHandle},
    },
    std::{
        future::Future,
        pin::pin,
        sync::{Arc, Mutex},
        task::{Context, Waker},
        time::Duration,
    },
};

const NAMES: [&str; 4] = ["every-minute", "every-3-minutes", "once", "nightly@3"];

/// Adds the schedule of that name, whose messages tell the processes apart.
fn add(schedules: &SchedulerHandle, name: &'static str, process: usize, start: Timestamp) {
    let schedule: Schedule = match name {
        "every-minute" => every_minute().into(),
        "every-3-minutes" => Cron::new("*/3 * * * *").unwrap().into(),
        "once" => start.saturating_add(Duration::from_secs(90)).into(),
        _ => Cron::new("2 0 * * *").unwrap().into(),
    };
    let message = move |due: Timestamp| {
        let at = due.saturating_duration_since(start).as_secs();
        SendMessage::new(format!("{name} {at} by {process}")).message_group_id(name)
    };
    let schedule = schedule.catch_up(CatchUp::All { at_most: 9 });
    schedules.add_with(name, schedule, message).unwrap();
}

/// What came, without the process that sent it.
fn came(queue: &Queue) -> Vec<String> {
    let bodies = bodies(queue).into_iter();
    let mut jobs: Vec<_> = bodies.map(|it| it.split(" by ").next().unwrap().to_owned()).collect();
    jobs.sort();
    jobs
}

/// What is to come within eight minutes.
fn expected() -> Vec<String> {
    let minutes = (1..=8).map(|at| format!("every-minute {}", at * 60));
    let thirds = [180, 360].map(|at| format!("every-3-minutes {at}"));
    let others = ["once 90", "nightly@3 120"].map(str::to_owned);
    let mut all: Vec<_> = minutes.chain(thirds).chain(others).collect();
    all.sort();
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn processes_with_the_same_schedules_added_in_any_order_send_each_job_once_on_a_fifo_queue(
        orders in prop::collection::vec(Just(NAMES.to_vec()).prop_shuffle(), 1..4),
        steps in prop::collection::vec((any::<prop::sample::Index>(), 0_u64..200), 0..30),
    ) {
        let (jobs, clock) = fifo();
        let mut schedulers = Vec::new();
        for (process, order) in orders.iter().enumerate() {
            let scheduler = Scheduler::builder(&jobs).build();
            order.iter().for_each(|name| add(&scheduler.handle(), name, process, clock.now()));
            schedulers.push(scheduler);
        }
        // They run at different times, up to four minutes apart: SQS knows a message again for five.
        let mut last = vec![0; schedulers.len()];
        let mut run = |at: usize| {
            let polled = pin!(schedulers[at].run()).poll(&mut Context::from_waker(Waker::noop()));
            assert!(polled.is_pending());
        };
        let mut passed = 0;
        for (which, seconds) in steps {
            let seconds = seconds.min(480 - passed);
            clock.advance(Duration::from_secs(seconds));
            passed += seconds;
            last[which.index(orders.len())] = passed;
            run(which.index(orders.len()));
            (0..last.len()).filter(|at| passed - last[*at] > 40).for_each(&mut run);
            last.iter_mut().filter(|at| passed - **at > 40).for_each(|at| *at = passed);
        }
        while passed < 480 {
            let seconds = (480 - passed).min(200);
            clock.advance(Duration::from_secs(seconds));
            passed += seconds;
            (0..orders.len()).for_each(&mut run);
        }
        prop_assert_eq!(came(&jobs), expected());
    }
}

#[test]
fn a_standard_queue_gets_the_job_of_each_process() {
    let (jobs, clock) = standard();
    let schedulers = [start(&jobs, &clock), start(&jobs, &clock)];
    for (process, (_, schedules)) in schedulers.iter().enumerate() {
        add(schedules, "every-minute", process, clock.now());
    }
    clock.advance(MINUTE);
    let mut bodies = bodies(&jobs);
    bodies.sort();
    assert_eq!(bodies, ["every-minute 60 by 0", "every-minute 60 by 1"]);
}

#[test]
fn the_deduplication_id_is_the_name_and_the_instant_unless_the_message_has_one() {
    let (jobs, clock) = fifo();
    let (_running, schedules) = start(&jobs, &clock);
    let due = clock.now();
    let longest = "n".repeat(100);
    schedules.add("tea", due, grouped("tea")).unwrap();
    schedules
        .add("own", due, grouped("own").message_deduplication_id("mine"))
        .unwrap();
    schedules.add(&*longest, due, grouped("longest")).unwrap();
    clock.advance(Duration::ZERO);
    let ids = receive(&jobs);
    let ids: Vec<_> = ids.iter().map(|it| it.message_deduplication_id().unwrap()).collect();
    assert_eq!(ids, ["tea@1767225600000", "mine", &format!("{longest}@1767225600000")]);
}

#[test]
fn a_name_is_taken_as_long_as_its_schedule_has_jobs_to_send() {
    let (jobs, clock) = fifo();
    let (_running, schedules) = start(&jobs, &clock);
    schedules.add("tea", MINUTE, grouped("green")).unwrap();
    for again in [
        schedules.add("tea", 2 * MINUTE, grouped("black")),
        schedules.add_with("tea", every_minute(), |_| grouped("black")),
    ] {
        let error = again.unwrap_err();
        assert_eq!(error, AddScheduleError::NameInUse("tea".to_owned()));
        assert_eq!(error.to_string(), "there is a schedule named \"tea\" already");
    }
    assert_eq!((schedules.report().added, schedules.due(9).len()), (1, 1));
    clock.advance(MINUTE);
    schedules.add("tea", MINUTE, grouped("black")).unwrap();
    schedules.cancel("tea").unwrap();
    schedules.add("tea", every_minute(), grouped("white")).unwrap();
    clock.advance(MINUTE);
    assert_eq!(bodies(&jobs), ["green", "white"]);
    assert_eq!(schedules.cancel("coffee"), None);
}

#[test]
fn a_pattern_that_names_no_further_time_ends_its_schedule_and_says_so() {
    for catch_up in [CatchUp::Once, CatchUp::Skip] {
        let (jobs, clock) = standard();
        let log = Arc::new(Mutex::new(Vec::new()));
        let lines = log.clone();
        let scheduler = Scheduler::builder(&jobs).until_none_held().on_event(move |event| {
            lines.lock().unwrap().push(event.to_string());
        });
        let mut scheduler = scheduler.build();
        let schedules = scheduler.handle();
        let twice = Cron::new("0 0 9,10 1 1 * 2026").unwrap();
        let twice = Schedule::from(twice).catch_up(catch_up);
        schedules.add("twice", twice, "last").unwrap();
        clock.advance(11 * 60 * MINUTE);
        let sent = u64::from(catch_up == CatchUp::Once);
        assert_eq!((scheduler.blocking().unwrap().sent, schedules.report().held), (sent, 0));
        let lines = log.lock().unwrap();
        assert_eq!(
            lines[1..],
            ["schedule twice ended, it names no time after 2026-01-01T10:00:00Z"]
        );
        assert_eq!(lines.len(), 2);
    }
}

#[test]
fn a_day_that_a_zone_leaves_out_does_not_end_a_schedule() {
    // 2011-12-29 13:06 in Apia, where the 31st followed the 29th, at 2011-12-30T10:00:00Z.
    let clock = ManualClock::at(Timestamp::from_millis(1_325_200_000_000));
    let jobs = Queue::standard("jobs").clock(clock.clone()).build().unwrap();
    let (_running, schedules) = start(&jobs, &clock);
    let noon = Cron::new("0 12 * * *").unwrap().time_zone("Pacific/Apia").unwrap();
    schedules
        .add_with("noon", noon, |due| due.as_secs().to_string())
        .unwrap();
    clock.advance(3 * 24 * 60 * MINUTE);
    assert_eq!(bodies(&jobs), ["1325239200", "1325282400", "1325368800", "1325455200"]);
    assert_eq!(schedules.report().held, 1);
}

#[test]
fn a_clock_that_is_set_back_by_days_does_not_stop_a_schedule() {
    let clock = ManualClock::default();
    let start = clock.now();
    let jobs = Queue::standard("jobs").clock(clock.clone()).build().unwrap();
    let mut scheduler = Scheduler::builder(&jobs).build();
    scheduler
        .handle()
        .add("hourly", Cron::new("@hourly").unwrap(), "x")
        .unwrap();
    let mut sends = |span: Duration| {
        clock.advance(span);
        let mut run = pin!(scheduler.run());
        assert!(run.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        bodies(&jobs).len()
    };
    const HOUR: Duration = Duration::from_secs(3_600);
    assert_eq!([sends(HOUR), sends(48 * HOUR)], [1, 1]);
    clock.set(start.saturating_add(HOUR));
    assert_eq!([sends(Duration::ZERO), sends(HOUR), sends(HOUR)], [0, 1, 1]);
}
