//! What a moved message is, and which messages move.

use super::*;

#[test]
fn a_moved_message_is_a_new_message() {
    // L30
    let house = House::new();
    let message = SendMessage::new("m")
        .message_group_id("g")
        .aws_trace_header("Root=1-2-3");
    let message = message.attribute("kind", requeue::MessageAttributeValue::string("x"));
    let sent = house.jobs.send(message).unwrap();
    receive_for(&house.jobs, 1, Duration::ZERO);
    receive(&house.jobs, 1);
    house.clock.advance(secs(100));
    let now = house.clock.now();
    house.service.start_message_move_task(&house.request()).unwrap();

    let moved = take(&house.jobs);
    assert_ne!(moved.message_id(), sent.message_id);
    assert_eq!(moved.sent_timestamp(), now);
    assert_eq!(moved.approximate_receive_count(), 1);
    assert_eq!(moved.dead_letter_queue_source_arn(), None);
    assert_eq!((moved.body(), moved.message_group_id()), ("m", Some("g")));
    assert_eq!(
        moved.attributes().get("kind").and_then(|it| it.string_value()),
        Some("x")
    );
}

#[test]
fn retention_of_a_moved_message_counts_from_the_move() {
    // L30
    let house = House::new();
    dead_letter(&house.jobs, &["m"]);
    house.clock.advance(secs(4 * 86_400 - 1));
    house.service.start_message_move_task(&house.request()).unwrap();
    house.clock.advance(secs(4 * 86_400) - millis(1));
    assert_eq!(counts(&house.jobs), [1, 0, 0]);
    house.clock.advance(millis(1));
    assert_eq!(counts(&house.jobs), [0, 0, 0]);
}

#[test]
fn a_moved_message_may_be_received_as_often_as_a_new_one() {
    // L30
    let house = House::new();
    dead_letter(&house.jobs, &["m"]);
    house.service.start_message_move_task(&house.request()).unwrap();
    assert_eq!(bodies(&receive_for(&house.jobs, 1, Duration::ZERO)), ["m"]);
    assert!(receive(&house.jobs, 1).is_empty());
    assert_eq!(counts(&house.dead), [1, 0, 0]);
}

#[test]
fn a_fifo_message_gets_a_new_deduplication_id_and_is_not_deduplicated() {
    // L24 L30
    let clock = ManualClock::default();
    let service = Service::builder().clock(clock).seed(1).build();
    let fifo = || bare().fifo_queue(true).content_based_deduplication(true);
    let dead = service.create_queue("dead.fifo", fifo()).unwrap();
    let policy = RedrivePolicy::new(dead.arn(), 1);
    let orders = service
        .create_queue("orders.fifo", fifo().redrive_policy(policy))
        .unwrap();
    for body in ["a1", "a2", "b1"] {
        orders.send(in_group(&body[..1], body)).unwrap();
    }
    assert_eq!(receive_for(&orders, 10, Duration::ZERO).len(), 3);
    assert!(receive(&orders, 10).is_empty());
    assert_eq!(counts(&dead), [3, 0, 0]);

    service
        .start_message_move_task(&StartMessageMoveTask::new(dead.arn()))
        .unwrap();
    let moved = receive(&orders, 10);
    assert_eq!(bodies(&moved), ["a1", "a2", "b1"]);
    for message in &moved {
        assert_eq!(
            message.message_deduplication_id(),
            Some(&*message.message_id().to_string())
        );
    }
    assert!(moved[0].sequence_number() < moved[1].sequence_number());
    assert_eq!(counts(&dead), [0, 0, 0]);
}

#[test]
fn the_oldest_messages_move_first_and_line_up_with_new_ones() {
    // L31
    let house = House::new().fill(3);
    house.start(1);
    house.jobs.send("new").unwrap();
    house.clock.advance(secs(2));
    assert_eq!(bodies(&receive(&house.jobs, 10)), ["m0", "new", "m1", "m2"]);
}

#[test]
fn age_alone_orders_the_move_not_how_often_a_message_was_received() {
    // L31
    let house = House::new();
    let policy = RedrivePolicy::new(house.dead.arn(), 5);
    house
        .service
        .set_attributes("jobs", bare().redrive_policy(policy))
        .unwrap();
    house.jobs.send("old").unwrap();
    for _ in 0..6 {
        receive_for(&house.jobs, 1, Duration::ZERO);
    }
    house.dead.send("young").unwrap();
    assert_eq!(counts(&house.dead), [2, 0, 0]);
    house.start(1);
    assert_eq!(bodies(&receive(&house.jobs, 10)), ["old"]);
}

#[test]
fn messages_in_flight_or_delayed_are_left() {
    // L31
    let house = House::new().fill(3);
    let held = take(&house.dead);
    house.dead.send(SendMessage::new("delayed").delay(secs(9))).unwrap();
    let request = house.request().destination_arn(house.jobs.arn());
    house.service.start_message_move_task(&request).unwrap();
    let task = house.newest();
    assert_eq!(task.approximate_number_of_messages_to_move, 2);
    assert_eq!(
        (task.status, task.approximate_number_of_messages_moved),
        (MoveTaskStatus::Completed, 2)
    );
    assert_eq!(counts(&house.dead), [0, 1, 1]);
    held.delete().expect("the handle of a message that was left is good");
}

#[test]
fn a_message_that_becomes_visible_while_the_task_runs_moves_too() {
    // L31
    let house = House::new().fill(3);
    let held = take(&house.dead);
    house.start(1);
    held.change_visibility(Duration::ZERO).unwrap();
    house.clock.advance(secs(2));
    assert_eq!(house.newest().approximate_number_of_messages_to_move, 2);
    assert_eq!(
        (house.progress(), counts(&house.jobs)),
        ((MoveTaskStatus::Completed, 3), [3, 0, 0])
    );
}

#[test]
fn a_handle_of_a_message_that_moved_is_good_for_nothing() {
    // L30 L34
    let house = House::new().fill(1);
    let stale = receive_for(&house.dead, 1, Duration::ZERO).remove(0);
    house
        .service
        .start_message_move_task(&house.request().destination_arn(house.jobs.arn()))
        .unwrap();
    stale.delete().unwrap();
    assert_eq!(counts(&house.jobs), [1, 0, 0]);
    let error = house.jobs.delete(&stale.receipt_handle()).unwrap_err();
    assert_eq!(error.code(), "ReceiptHandleIsInvalid");
}

#[test]
fn an_arrival_wakes_a_long_poll() {
    // L31
    let house = House::new().fill(2);
    house.start(1);
    receive(&house.jobs, 10);
    let start = house.clock.now();
    thread::scope(|scope| {
        let poll = scope.spawn(|| house.jobs.receive().wait_time(secs(20)).blocking().unwrap());
        house.clock.wait_for_sleepers(2);
        house.clock.advance(secs(10));
        let message = poll.join().unwrap().remove(0);
        let received = message.approximate_first_receive_timestamp();
        assert_eq!(
            (message.body(), received.saturating_duration_since(start)),
            ("m1", secs(1))
        );
    });
}

#[test]
fn a_message_arrives_before_it_leaves() {
    // L34
    let (listener, facts) = FactChannel::unbounded();
    let house = House::of(Service::builder().listener(listener)).fill(1);
    house
        .service
        .start_message_move_task(&house.request().destination_arn(house.jobs.arn()))
        .unwrap();
    let last: Vec<_> = facts.try_iter().map(|(arn, entry)| (arn, entry.fact)).collect();
    let [.., (to, Fact::MovedIn { .. }), (from, Fact::MovedOut { .. })] = last.as_slice() else {
        panic!("{last:?}");
    };
    assert_eq!((&**to, &**from), (house.jobs.arn(), house.dead.arn()));
}
