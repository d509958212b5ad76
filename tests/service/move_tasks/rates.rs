//! How fast a task moves.

use super::*;

#[test]
fn without_a_rate_all_is_moved_before_the_start_returns() {
    // L33
    let house = House::new().fill(1_000);
    house
        .service
        .start_message_move_task(&house.request().destination_arn(house.jobs.arn()))
        .unwrap();
    assert_eq!((counts(&house.dead), counts(&house.jobs)), ([0, 0, 0], [1_000, 0, 0]));
    assert_eq!(house.clock.next_deadline(), None);
}

#[test]
fn the_first_message_moves_at_once_and_the_others_at_even_intervals() {
    // L24
    let house = House::new().fill(7);
    let start = house.clock.now();
    house.start(3);
    let mut moves = vec![0];
    while let Some(due) = house.clock.next_deadline() {
        house.clock.advance_to(due);
        moves.push(due.saturating_duration_since(start).as_millis());
    }
    assert_eq!(moves, [0, 333, 666, 1_000, 1_333, 1_666, 2_000]);
    assert_eq!(house.progress(), (MoveTaskStatus::Completed, 7));
    let sent: Vec<_> = receive(&house.jobs, 10).iter().map(|it| it.sent_timestamp()).collect();
    assert_eq!(sent[3].saturating_duration_since(start), secs(1));
}

#[test]
fn progress_can_be_watched() {
    // L28 L29
    let house = House::new().fill(10);
    house.start(2);
    let moved_at = |at| {
        house
            .clock
            .advance_to(house.newest().started_timestamp.saturating_add(millis(at)));
        house.progress()
    };
    assert_eq!(moved_at(499), (MoveTaskStatus::Running, 1));
    assert_eq!(moved_at(500), (MoveTaskStatus::Running, 2));
    assert_eq!(moved_at(4_499), (MoveTaskStatus::Running, 9));
    assert_eq!(moved_at(4_500), (MoveTaskStatus::Completed, 10));
    assert_eq!(
        house.clock.next_deadline(),
        None,
        "a task that is over asks the clock for more"
    );
}

#[test]
fn the_fastest_rate_moves_500_messages_in_a_second() {
    // L33
    let house = House::new().fill(600);
    house.start(500);
    house.clock.advance(millis(998));
    assert_eq!(house.progress(), (MoveTaskStatus::Running, 500));
    house.clock.advance(millis(2));
    assert_eq!(house.progress(), (MoveTaskStatus::Running, 501));
}

#[test]
fn a_task_fails_after_36_hours() {
    // L33
    let house = House::with_limits(|limits| limits.move_task_duration = millis(2_500)).fill(9);
    house.start(1);
    house.clock.advance(millis(2_499));
    assert_eq!(house.progress(), (MoveTaskStatus::Running, 3));
    house.clock.advance(millis(1));
    assert_eq!(house.progress(), (MoveTaskStatus::Failed, 3));
    assert_eq!(house.newest().failure_reason, Some(MoveTaskFailure::DurationExceeded));
    house.clock.advance(secs(10));
    assert_eq!(counts(&house.dead), [6, 0, 0]);
}

#[test]
fn a_clock_that_jumps_back_stops_nothing_and_repeats_nothing() {
    let house = House::new().fill(5);
    house.start(1);
    house.clock.advance(secs(1));
    house.clock.set(house.clock.now().saturating_sub(secs(100)));
    assert_eq!(house.progress(), (MoveTaskStatus::Running, 2));
    house.clock.advance(secs(110));
    assert_eq!(house.progress(), (MoveTaskStatus::Completed, 5));
}

/// Tells time and forgets whom to wake.
#[derive(Clone)]
struct Forgetful(ManualClock);

impl Clock for Forgetful {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn park_until(&self, parker: &Parker, deadline: Option<Timestamp>) {
        self.0.park_until(parker, deadline);
    }

    fn wake_at(&self, _: Timestamp, _: Waker) -> Alarm {
        Alarm::default()
    }
}

#[test]
fn looking_at_a_task_moves_what_is_due_even_if_the_clock_woke_nobody() {
    // L28 L29
    let clock = ManualClock::default();
    let service = Service::builder().clock(Forgetful(clock.clone())).build();
    let house = House::in_service(clock, service).fill(10);
    house.start(1);
    house.clock.advance(secs(3));
    assert_eq!(house.progress(), (MoveTaskStatus::Running, 4));
    house.clock.advance(secs(10));
    let handle = house.start(1); // the first task is over
    assert_eq!(counts(&house.jobs), [10, 0, 0]);
    assert_refused!(
        house.service.cancel_message_move_task(&handle),
        "ResourceNotFoundException",
        NO_TASK
    );

    let house = house.fill(10);
    let handle = house.start(1);
    house.clock.advance(secs(5));
    assert_eq!(house.service.cancel_message_move_task(&handle), Ok(6));
}

/// Time passes as fast as somebody waits for it.
#[derive(Clone)]
struct Hasty(ManualClock);

impl Clock for Hasty {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn park_until(&self, parker: &Parker, deadline: Option<Timestamp>) {
        self.0.park_until(parker, deadline);
    }

    fn wake_at(&self, deadline: Timestamp, waker: Waker) -> Alarm {
        self.0.advance_to(deadline);
        waker.wake();
        Alarm::default()
    }
}

#[test]
fn a_clock_may_wake_a_task_while_it_is_asked_to() {
    let clock = ManualClock::default();
    let service = Service::builder().clock(Hasty(clock.clone())).build();
    let house = House::in_service(clock, service).fill(10_000);
    let start = house.clock.now();
    house.start(500);
    assert_eq!(counts(&house.jobs), [10_000, 0, 0]);
    assert_eq!(house.clock.now().saturating_duration_since(start), millis(19_998));
}
