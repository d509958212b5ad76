//! Each event that must end a long poll (D11), for a blocked thread and for a future.

use {
    crate::{
        common::{counts, fifo, in_group, millis, receive, receive_for, secs, send_grouped, standard, take, take_for},
        waiter::{FACES, Face, Received, Receiver, Waiter, with_each_face},
    },
    requeue::{
        Limits, ManualClock, Queue, QueueAttributes, ReceiveError, RedrivePolicy, SendMessage, Service,
        StartMessageMoveTask,
    },
    std::time::Duration,
};

const WAIT: Duration = secs(20);

/// A long poll for up to ten messages, waiting as the first sleeper on the clock.
fn waiting(face: Face, clock: &ManualClock, queue: &Queue) -> Receiver {
    Waiter::receiving(face, clock, 1, queue, |queue| {
        queue.receive().max_messages(10).wait_time(WAIT)
    })
}

fn got(bodies: &[&str]) -> Received {
    Ok(bodies.iter().map(|&body| body.to_owned()).collect())
}

/// D11, for every event: what `before` leaves in the queue wakes nobody, what `event` does ends the wait.
fn wakes(
    queue: impl Fn(&ManualClock) -> Queue,
    before: impl Fn(&Queue),
    event: impl Fn(&ManualClock, &Queue),
    expected: &[&str],
) {
    with_each_face(|face, clock| {
        let queue = queue(clock);
        before(&queue);
        let mut waiter = waiting(face, clock, &queue);
        waiter.waits();
        event(clock, &queue);
        assert_eq!(waiter.over(), got(expected), "{face:?}");
        assert_eq!(queue.waiting(), 0);
    });
}

fn send(queue: &Queue, message: impl Into<SendMessage>) {
    queue.send(message).unwrap();
}

fn plain(clock: &ManualClock) -> Queue {
    standard(clock).build().unwrap()
}

fn ordered(clock: &ManualClock) -> Queue {
    fifo(clock).build().unwrap()
}

#[test]
fn a_send_wakes_a_long_poll() {
    wakes(plain, |_| {}, |_, queue| send(queue, "a"), &["a"]);
    wakes(ordered, |_| {}, |_, queue| send_grouped(queue, ["g-1"]), &["g-1"]);
}

#[test]
fn a_batch_wakes_a_long_poll_which_takes_all_of_it() {
    // D10: as many as are available at that instant
    let send = |_: &ManualClock, queue: &Queue| {
        assert_eq!(queue.send_batch(["a", "b", "c"]).unwrap().failed, []);
    };
    wakes(plain, |_| {}, send, &["a", "b", "c"]);
}

#[test]
fn the_end_of_a_delay_wakes_a_long_poll_at_that_instant() {
    let before = |queue: &Queue| send(queue, SendMessage::new("a").delay(secs(5)));
    let event = |clock: &ManualClock, queue: &Queue| {
        clock.advance(millis(4_999));
        assert_eq!((queue.waiting(), counts(queue)), (1, [0, 0, 1]));
        clock.advance(millis(1));
    };
    wakes(plain, before, event, &["a"]);
    let delayed = |clock: &ManualClock| fifo(clock).delay(secs(5)).build().unwrap();
    wakes(delayed, |queue| send_grouped(queue, ["g-1"]), event, &["g-1"]);
}

#[test]
fn a_shorter_delay_of_a_fifo_queue_wakes_a_long_poll() {
    // D35
    let delayed = |clock: &ManualClock| fifo(clock).delay(secs(60)).build().unwrap();
    let event = |clock: &ManualClock, queue: &Queue| {
        queue.set_attributes(QueueAttributes::new().delay(secs(5))).unwrap();
        clock.advance(millis(4_999));
        assert_eq!((queue.waiting(), counts(queue)), (1, [0, 0, 1]));
        clock.advance(millis(1));
    };
    wakes(delayed, |queue| send_grouped(queue, ["g-1"]), event, &["g-1"]);
}

#[test]
fn the_end_of_a_visibility_timeout_wakes_a_long_poll_at_that_instant() {
    let event = |clock: &ManualClock, queue: &Queue| {
        clock.advance(millis(6_999));
        assert_eq!((queue.waiting(), counts(queue)), (1, [0, 1, 0]));
        clock.advance(millis(1));
    };
    let before = |queue: &Queue| {
        queue.send("a").unwrap();
        take_for(queue, secs(7));
    };
    wakes(plain, before, event, &["a"]);
    let before = |queue: &Queue| {
        send_grouped(queue, ["g-1"]);
        take_for(queue, secs(7));
    };
    wakes(ordered, before, event, &["g-1"]);
}

#[test]
fn a_visibility_timeout_that_begins_during_the_wait_ends_it() {
    // A future looks after the short poll has taken the message; a thread may be quicker.
    let event = |clock: &ManualClock, queue: &Queue| {
        queue.send("a").unwrap();
        receive_for(queue, 1, secs(7));
        clock.advance(secs(7));
    };
    for _ in 0..20 {
        wakes(plain, |_| {}, event, &["a"]);
    }
}

#[test]
fn change_message_visibility_to_zero_wakes_a_long_poll() {
    for (queue, sent) in [(plain as fn(&ManualClock) -> Queue, "a"), (ordered, "g-1")] {
        for face in FACES {
            let clock = ManualClock::default();
            let queue = queue(&clock);
            queue.send(in_group("g", sent)).unwrap();
            let message = take(&queue);
            let waiter = waiting(face, &clock, &queue);
            message.change_visibility(Duration::ZERO).unwrap();
            assert_eq!(waiter.over(), got(&[sent]), "{face:?}");
        }
    }
}

#[test]
fn change_message_visibility_moves_the_instant_of_the_wake() {
    with_each_face(|face, clock| {
        let queue = plain(clock);
        queue.send("a").unwrap();
        let message = take(&queue);
        let mut waiter = waiting(face, clock, &queue);
        message.change_visibility(secs(3)).unwrap();
        clock.advance(secs(2));
        message.change_visibility(secs(5)).unwrap();
        clock.advance(millis(4_999));
        waiter.waits();
        assert_eq!((queue.waiting(), counts(&queue)), (1, [0, 1, 0]));
        clock.advance(millis(1));
        assert_eq!(waiter.over(), got(&["a"]), "{face:?}");
    });
}

#[test]
fn a_dead_letter_move_wakes_a_long_poll_on_the_target() {
    // D11, L17
    with_each_face(|face, clock| {
        let dead = Queue::standard("dead").clock(clock.clone()).build().unwrap();
        let jobs = standard(clock).dead_letter(&dead, 1).build().unwrap();
        jobs.send("poison").unwrap();
        take_for(&jobs, secs(1));
        let mut waiter = waiting(face, clock, &dead);
        clock.advance(secs(1));
        waiter.waits();
        assert!(
            receive(&jobs, 10).is_empty(),
            "L6: moved by the next receive, not before"
        );
        assert_eq!(waiter.over(), got(&["poison"]), "{face:?}");
    });
}

#[test]
fn a_long_poll_moves_poison_itself_and_goes_on_waiting() {
    // L7: the poll that meets only dead letters waits on
    with_each_face(|face, clock| {
        let dead = Queue::standard("dead").clock(clock.clone()).build().unwrap();
        let jobs = standard(clock).dead_letter(&dead, 1).build().unwrap();
        jobs.send("poison").unwrap();
        take_for(&jobs, secs(1));
        let mut on_dead = waiting(face, clock, &dead);
        let mut on_jobs = Waiter::receiving(face, clock, 2, &jobs, |queue| queue.receive().wait_time(WAIT));
        clock.advance(secs(1));
        on_jobs.waits();
        assert_eq!(on_dead.over(), got(&["poison"]), "{face:?}");
        assert_eq!((jobs.waiting(), counts(&jobs)), (1, [0, 0, 0]));
        jobs.send("job").unwrap();
        assert_eq!(on_jobs.over(), got(&["job"]), "{face:?}");
        on_dead = waiting(face, clock, &dead);
        on_dead.waits();
    });
}

/// A service with a dead-letter queue that holds one message from `jobs`.
fn with_a_dead_letter(clock: &ManualClock, fifo: bool) -> (Service, Queue, Queue) {
    let service = Service::builder().clock(clock.clone()).seed(1).build();
    let suffix = if fifo { ".fifo" } else { "" };
    let attributes = || {
        if fifo {
            QueueAttributes::new()
                .fifo_queue(true)
                .content_based_deduplication(true)
        } else {
            QueueAttributes::new()
        }
    };
    let dead = service.create_queue(&format!("dead{suffix}"), attributes()).unwrap();
    let policy = RedrivePolicy::new(dead.arn(), 1);
    let jobs = attributes().redrive_policy(policy);
    let jobs = service.create_queue(&format!("jobs{suffix}"), jobs).unwrap();
    jobs.send(in_group("g", "poison")).unwrap();
    take_for(&jobs, Duration::ZERO);
    assert!(receive(&jobs, 1).is_empty());
    assert_eq!((counts(&jobs), counts(&dead)), ([0, 0, 0], [1, 0, 0]));
    (service, jobs, dead)
}

#[test]
fn a_move_task_wakes_a_long_poll_on_the_destination() {
    // D11, L24
    for (face, fifo) in FACES.into_iter().flat_map(|face| [(face, false), (face, true)]) {
        let clock = ManualClock::default();
        let (service, jobs, dead) = with_a_dead_letter(&clock, fifo);
        let waiter = waiting(face, &clock, &jobs);
        let task = StartMessageMoveTask::new(dead.arn());
        service.start_message_move_task(&task).unwrap();
        assert_eq!(waiter.over(), got(&["poison"]), "{face:?}");
    }
}

#[test]
fn a_move_task_with_a_rate_wakes_a_long_poll_when_the_message_is_due() {
    // D11, L24
    with_each_face(|face, clock| {
        let (service, jobs, dead) = with_a_dead_letter(clock, false);
        dead.send("another").unwrap();
        let task = StartMessageMoveTask::new(dead.arn())
            .destination_arn(jobs.arn())
            .max_messages_per_second(1);
        service.start_message_move_task(&task).unwrap();
        assert_eq!(receive(&jobs, 10).len(), 1, "the first goes at once");
        let mut waiter = Waiter::receiving(face, clock, 2, &jobs, |queue| queue.receive().wait_time(WAIT));
        clock.advance(millis(999));
        waiter.waits();
        clock.advance(millis(1));
        assert_eq!(waiter.over(), got(&["another"]), "{face:?}");
    });
}

#[test]
fn deleting_the_message_that_locks_its_group_wakes_a_long_poll() {
    // F18, D11
    with_each_face(|face, clock| {
        let queue = ordered(clock);
        send_grouped(&queue, ["g-1", "g-2"]);
        let first = take(&queue);
        let mut waiter = waiting(face, clock, &queue);
        waiter.waits();
        first.delete().unwrap();
        assert_eq!(waiter.over(), got(&["g-2"]), "{face:?}");
    });
}

#[test]
fn the_end_of_the_timeout_that_locks_a_group_wakes_a_long_poll() {
    // F18, F23
    let before = |queue: &Queue| {
        send_grouped(queue, ["g-1", "g-2"]);
        take_for(queue, secs(5));
    };
    let event = |clock: &ManualClock, _: &Queue| clock.advance(secs(5));
    wakes(ordered, before, event, &["g-1", "g-2"]);
}

#[test]
fn the_expiry_of_the_message_that_locks_its_group_wakes_a_long_poll_at_that_instant() {
    // F27, D11
    with_each_face(|face, clock| {
        let queue = fifo(clock).message_retention_period(secs(60)).build().unwrap();
        send_grouped(&queue, ["g-1"]);
        take_for(&queue, secs(3_600));
        clock.advance(secs(50));
        send_grouped(&queue, ["g-2"]);
        let mut waiter = waiting(face, clock, &queue);
        clock.advance(millis(9_999));
        waiter.waits();
        assert_eq!((queue.waiting(), counts(&queue)), (1, [1, 1, 0]));
        clock.advance(millis(1));
        assert_eq!(waiter.over(), got(&["g-2"]), "{face:?}");
    });
}

#[test]
fn a_dead_letter_move_of_the_message_that_locks_its_group_lets_its_successor_through() {
    // L19, F28: in the very receive that moves it
    with_each_face(|face, clock| {
        let dead = Queue::fifo("dead.fifo").clock(clock.clone()).build().unwrap();
        let jobs = fifo(clock).dead_letter(&dead, 1).build().unwrap();
        send_grouped(&jobs, ["g-1", "g-2"]);
        take_for(&jobs, secs(5));
        let waiter = waiting(face, clock, &jobs);
        clock.advance(secs(5));
        assert_eq!(waiter.over(), got(&["g-2"]), "{face:?}");
        assert_eq!(counts(&dead), [1, 0, 0]);
    });
}

#[test]
fn deleting_the_queue_ends_every_long_poll_at_once() {
    // Q38
    with_each_face(|face, clock| {
        for queue in [plain(clock), ordered(clock)] {
            let waiters: Vec<_> = (1..=3)
                .map(|nth| Waiter::receiving(face, clock, nth, &queue, |queue| queue.receive().wait_time(WAIT)))
                .collect();
            queue.delete_queue().unwrap();
            for waiter in waiters {
                assert_eq!(waiter.over(), Err(ReceiveError::QueueDoesNotExist), "{face:?}");
            }
            assert_eq!(queue.waiting(), 0);
        }
    });
}

#[test]
fn deleting_a_queue_of_a_service_ends_every_long_poll_at_once() {
    // Q38
    with_each_face(|face, clock| {
        let service = Service::builder().clock(clock.clone()).build();
        let queue = service.create_queue("jobs", QueueAttributes::new()).unwrap();
        let waiter = waiting(face, clock, &queue);
        service.delete_queue("jobs").unwrap();
        assert_eq!(waiter.over(), Err(ReceiveError::QueueDoesNotExist), "{face:?}");
    });
}

#[test]
fn a_change_of_retention_does_not_wake_a_long_poll() {
    // D11
    with_each_face(|face, clock| {
        for queue in [plain(clock), ordered(clock)] {
            queue.send(in_group("g", "a")).unwrap();
            take_for(&queue, secs(3_600));
            let mut waiter = waiting(face, clock, &queue);
            for period in [60, 1_209_600] {
                let attributes = QueueAttributes::new().message_retention_period(secs(period));
                queue.set_attributes(attributes).unwrap();
                waiter.waits();
                assert_eq!(queue.waiting(), 1);
            }
            clock.advance(WAIT);
            assert_eq!(waiter.over(), got(&[]), "{face:?}");
        }
    });
}

#[test]
fn a_shorter_retention_moves_the_instant_at_which_a_group_is_unlocked() {
    // D40, F27: the change wakes nobody, the expiry that it brings nearer does
    with_each_face(|face, clock| {
        let queue = fifo(clock).build().unwrap();
        send_grouped(&queue, ["g-1"]);
        take_for(&queue, secs(3_600));
        clock.advance(secs(50));
        send_grouped(&queue, ["g-2"]);
        let mut waiter = waiting(face, clock, &queue);
        let attributes = QueueAttributes::new().message_retention_period(secs(60));
        queue.set_attributes(attributes).unwrap();
        clock.advance(millis(9_999));
        waiter.waits();
        assert_eq!(queue.waiting(), 1);
        clock.advance(millis(1));
        assert_eq!(waiter.over(), got(&["g-2"]), "{face:?}");
    });
}

#[test]
fn a_purge_does_not_end_a_long_poll() {
    with_each_face(|face, clock| {
        let queue = plain(clock);
        queue.send("a").unwrap();
        take(&queue);
        let mut waiter = waiting(face, clock, &queue);
        queue.purge().unwrap();
        waiter.waits();
        assert_eq!(queue.waiting(), 1);
        queue.send("b").unwrap();
        assert_eq!(waiter.over(), got(&["b"]), "{face:?}");
    });
}

/// A queue of which one message may be in flight, and `held` is.
fn full_of_flights(clock: &ManualClock) -> Queue {
    let mut limits = Limits::default();
    limits.in_flight_standard = 1;
    let period = secs(60);
    let queue = standard(clock).limits(limits).message_retention_period(period).build();
    queue.unwrap()
}

#[test]
fn a_long_poll_waits_for_room_in_flight() {
    // D15, D17
    with_each_face(|face, clock| {
        let queue = full_of_flights(clock);
        queue.send("held").unwrap();
        queue.send("next").unwrap();
        let held = take_for(&queue, secs(3_600));
        let mut waiter = waiting(face, clock, &queue);
        queue.send("another").unwrap();
        waiter.waits();
        assert_eq!(queue.waiting(), 1);
        held.delete().unwrap();
        assert_eq!(waiter.over(), got(&["next"]), "{face:?}");
    });
}

#[test]
fn a_long_poll_at_the_limit_in_flight_ends_empty_and_a_short_poll_is_refused() {
    // D15
    with_each_face(|face, clock| {
        let queue = full_of_flights(clock);
        queue.send("held").unwrap();
        queue.send("next").unwrap();
        take_for(&queue, secs(3_600));
        let waiter = waiting(face, clock, &queue);
        clock.advance(WAIT);
        assert_eq!(waiter.over(), got(&[]), "{face:?}");
        let short = queue.receive().wait_time(Duration::ZERO).blocking();
        assert_eq!(short.unwrap_err(), ReceiveError::OverLimit);
    });
}

#[test]
fn the_end_of_a_timeout_makes_room_in_flight() {
    // D15
    with_each_face(|face, clock| {
        let queue = full_of_flights(clock);
        queue.send("held").unwrap();
        queue.send("next").unwrap();
        take_for(&queue, secs(5));
        let waiter = waiting(face, clock, &queue);
        clock.advance(secs(5));
        assert_eq!(waiter.over(), got(&["held"]), "{face:?}: in send order, D49");
    });
}

#[test]
fn the_expiry_of_a_message_in_flight_makes_room_in_flight_at_that_instant() {
    // D10, D15, D41
    with_each_face(|face, clock| {
        let queue = full_of_flights(clock);
        queue.send("held").unwrap();
        take_for(&queue, secs(3_600));
        clock.advance(secs(50));
        queue.send("next").unwrap();
        let mut waiter = waiting(face, clock, &queue);
        clock.advance(millis(9_999));
        waiter.waits();
        clock.advance(millis(1));
        assert_eq!(waiter.over(), got(&["next"]), "{face:?}");
    });
}

#[test]
fn a_dead_letter_target_that_is_gone_does_not_keep_a_message_from_a_long_poll() {
    // L9
    with_each_face(|face, clock| {
        let dead = Queue::standard("dead").clock(clock.clone()).build().unwrap();
        let jobs = standard(clock).dead_letter(&dead, 1).build().unwrap();
        jobs.send("poison").unwrap();
        take_for(&jobs, secs(1));
        let waiter = waiting(face, clock, &jobs);
        dead.delete_queue().unwrap();
        clock.advance(secs(1));
        assert_eq!(waiter.over(), got(&["poison"]), "{face:?}");
    });
}
