//! The move of messages that were received too often, between queues that work alone (L2-L19).
//!
//! Policies set through a service have tests of their own.

use {
    crate::common::{
        DAY, MILLISECOND, assert_refused, bodies, counts, fifo, in_group, receive, receive_for, secs, standard, take,
        take_for, wait_for,
    },
    requeue::{
        Clock, ManualClock, MessageAttributeValue, Queue, QueueAttributes, QueueBuilder, RedriveAllowPolicy,
        RedrivePolicy, SendMessage,
    },
    std::{thread, time::Duration},
};

fn dead_of(clock: &ManualClock) -> QueueBuilder {
    Queue::standard("dead").clock(clock.clone())
}

fn fifo_dead_of(clock: &ManualClock) -> QueueBuilder {
    Queue::fifo("dead.fifo").clock(clock.clone())
}

/// A queue and its dead-letter queue, of either type.
fn each_type(clock: &ManualClock, max_receive_count: u32) -> [(Queue, Queue); 2] {
    [(dead_of(clock), standard(clock)), (fifo_dead_of(clock), fifo(clock))].map(|(dead, jobs)| {
        let dead = dead.build().unwrap();
        let jobs = jobs.dead_letter(&dead, max_receive_count).build().unwrap();
        (jobs, dead)
    })
}

/// Receives messages and gives them back at once.
fn fail(jobs: &Queue, max_messages: usize) -> usize {
    receive_for(jobs, max_messages, Duration::ZERO).len()
}

#[test]
fn a_message_received_max_receive_count_times_is_moved_by_the_next_receive() {
    // L6
    for max_receive_count in [1, 2, 3, 1_000] {
        for (jobs, dead) in each_type(&ManualClock::default(), max_receive_count) {
            jobs.send(in_group("g", "poison")).unwrap();
            for receive_count in 1..=max_receive_count {
                assert_eq!(
                    take_for(&jobs, Duration::ZERO).approximate_receive_count(),
                    receive_count
                );
                assert_eq!(
                    (counts(&jobs), counts(&dead)),
                    ([1, 0, 0], [0, 0, 0]),
                    "moved too early"
                );
            }
            assert!(receive(&jobs, 1).is_empty());
            assert_eq!((counts(&jobs), counts(&dead)), ([0, 0, 0], [1, 0, 0]));
            assert_eq!(take(&dead).body(), "poison");
        }
    }
}

#[test]
fn a_message_nobody_polls_for_is_not_moved_when_its_timeout_ends() {
    // L6
    let clock = ManualClock::default();
    for (jobs, dead) in each_type(&clock, 1) {
        jobs.send(in_group("g", "m")).unwrap();
        take(&jobs);
        clock.advance(DAY);
        assert_eq!((counts(&jobs), counts(&dead)), ([1, 0, 0], [0, 0, 0]));
    }
}

#[test]
fn a_message_in_flight_for_its_last_time_can_still_be_deleted() {
    // L6
    let clock = ManualClock::default();
    for (jobs, dead) in each_type(&clock, 1) {
        jobs.send(in_group("g", "m")).unwrap();
        take(&jobs).delete().unwrap();
        assert!(receive(&jobs, 1).is_empty());
        assert_eq!((counts(&jobs), counts(&dead)), ([0, 0, 0], [0, 0, 0]));
    }
}

#[test]
fn moved_messages_use_up_no_place_in_the_response() {
    // L7 F28
    for (jobs, dead) in each_type(&ManualClock::default(), 1) {
        for body in ["p1", "p2", "p3"] {
            jobs.send(in_group("g", body)).unwrap();
        }
        assert_eq!(fail(&jobs, 10), 3);
        for body in ["m1", "m2", "m3"] {
            jobs.send(in_group("g", body)).unwrap();
        }
        assert_eq!(bodies(&receive(&jobs, 2)), ["m1", "m2"]);
        assert_eq!(bodies(&receive(&dead, 10)), ["p1", "p2", "p3"]);
    }
}

#[test]
fn a_message_that_the_receive_does_not_reach_is_not_moved() {
    // L6
    let [(jobs, dead), _] = each_type(&ManualClock::default(), 2);
    let _ = jobs.send_batch(["good", "poison"]).unwrap();
    let good = take(&jobs);
    assert_eq!((fail(&jobs, 1), fail(&jobs, 1)), (1, 1));
    good.change_visibility(Duration::ZERO).unwrap();
    assert_eq!(bodies(&receive(&jobs, 1)), ["good"]);
    assert_eq!((counts(&jobs), counts(&dead)), ([1, 1, 0], [0, 0, 0]));
    assert!(receive(&jobs, 1).is_empty());
    assert_eq!((counts(&jobs), counts(&dead)), ([0, 1, 0], [1, 0, 0]));
}

#[test]
fn a_long_poll_goes_on_after_moving_all_it_met() {
    // L7
    let clock = ManualClock::default();
    let [(jobs, dead), _] = each_type(&clock, 1);
    jobs.send("poison").unwrap();
    fail(&jobs, 1);
    jobs.send(SendMessage::new("good").delay(secs(2))).unwrap();
    let before = clock.now();
    assert_eq!(
        bodies(&wait_for(&clock, jobs.receive().wait_time(secs(20))).unwrap()),
        ["good"]
    );
    assert_eq!(clock.now(), before.saturating_add(secs(2)));
    assert_eq!(bodies(&receive(&dead, 1)), ["poison"]);
}

#[test]
fn the_receive_count_runs_on_in_the_dead_letter_queue() {
    // L8
    for (jobs, dead) in each_type(&ManualClock::default(), 3) {
        jobs.send(in_group("g", "m")).unwrap();
        for _ in 0..3 {
            fail(&jobs, 1);
        }
        assert!(receive(&jobs, 1).is_empty());
        assert_eq!(take_for(&dead, Duration::ZERO).approximate_receive_count(), 4);
        assert_eq!(take_for(&dead, Duration::ZERO).approximate_receive_count(), 5);
    }
}

#[test]
fn each_hop_of_a_chain_counts_receives_of_its_own() {
    // L8 L16
    let clock = ManualClock::default();
    let last = Queue::standard("last").clock(clock.clone()).build().unwrap();
    let middle = Queue::standard("middle")
        .clock(clock.clone())
        .dead_letter(&last, 2)
        .build()
        .unwrap();
    let jobs = standard(&clock).dead_letter(&middle, 3).build().unwrap();
    jobs.send("m").unwrap();
    for _ in 0..3 {
        assert_eq!(fail(&jobs, 1), 1);
    }
    assert_eq!(fail(&jobs, 1), 0);
    for receive_count in [4, 5] {
        let message = take_for(&middle, Duration::ZERO);
        assert_eq!(message.approximate_receive_count(), receive_count);
        assert_eq!(message.dead_letter_queue_source_arn(), Some(jobs.arn()));
    }
    assert_eq!(fail(&middle, 1), 0);
    let message = take(&last);
    assert_eq!(message.approximate_receive_count(), 6);
    assert_eq!(message.dead_letter_queue_source_arn(), Some(middle.arn()));
}

#[test]
fn without_its_target_a_message_stays_and_is_delivered() {
    // L9
    for (jobs, dead) in each_type(&ManualClock::default(), 1) {
        jobs.send(in_group("g", "m")).unwrap();
        fail(&jobs, 1);
        dead.delete_queue().unwrap();
        for receive_count in 2..=4 {
            assert_eq!(
                take_for(&jobs, Duration::ZERO).approximate_receive_count(),
                receive_count
            );
        }
        assert_eq!(counts(&jobs), [1, 0, 0]);
    }
}

#[test]
fn a_dead_letter_keeps_what_it_was_sent_with() {
    // L10 L11 N10
    let clock = ManualClock::default();
    for (jobs, dead) in each_type(&clock, 1) {
        let message = in_group("g", "m").attribute("kind", MessageAttributeValue::string("v"));
        let sent_at = clock.now();
        let sent = jobs.send(message.aws_trace_header("Root=1")).unwrap();
        clock.advance(secs(1));
        let received_at = clock.now();
        let old_handle = take_for(&jobs, Duration::ZERO).receipt_handle();
        clock.advance(secs(1));
        assert!(receive(&jobs, 1).is_empty());
        let letter = take(&dead);
        assert_eq!(letter.message_id(), sent.message_id);
        assert_eq!(letter.body(), "m");
        assert_eq!(
            letter.attributes().get("kind"),
            Some(&MessageAttributeValue::string("v"))
        );
        assert_eq!(letter.aws_trace_header(), Some("Root=1"));
        assert_eq!(letter.sender_id(), "000000000000");
        assert_eq!(letter.message_group_id(), Some("g"));
        assert_eq!(letter.sent_timestamp(), sent_at);
        assert_eq!(letter.approximate_first_receive_timestamp(), received_at);
        assert_eq!(letter.dead_letter_queue_source_arn(), Some(jobs.arn()));
        assert_eq!(letter.queue().arn(), dead.arn());
        assert_eq!(dead.delete(&old_handle).unwrap_err().code(), "ReceiptHandleIsInvalid");
        letter.delete().unwrap();
        assert_eq!(counts(&dead), [0, 0, 0]);
    }
}

#[test]
fn a_fifo_dead_letter_gets_its_message_id_as_deduplication_id() {
    // L12 F15
    let [_, (jobs, dead)] = each_type(&ManualClock::default(), 1);
    let sent = jobs.send(in_group("g", "m").message_deduplication_id("d")).unwrap();
    fail(&jobs, 1);
    assert!(receive(&jobs, 1).is_empty());
    assert_eq!(
        take(&dead).message_deduplication_id(),
        Some(&*sent.message_id.to_string())
    );
}

#[test]
fn a_fifo_dead_letter_gets_a_sequence_number_of_its_new_queue() {
    // L12
    let [_, (jobs, dead)] = each_type(&ManualClock::default(), 1);
    let first = dead.send(in_group("g", "first").message_deduplication_id("d")).unwrap();
    for number in 0..5 {
        jobs.send(in_group("g", &number.to_string())).unwrap();
    }
    fail(&jobs, 10);
    assert!(receive(&jobs, 10).is_empty());
    let last = dead.send(in_group("g", "last").message_deduplication_id("e")).unwrap();
    let numbers: Vec<_> = receive(&dead, 10)
        .iter()
        .map(|message| message.sequence_number())
        .collect();
    assert_eq!(
        (numbers.len(), numbers[0], numbers[6]),
        (7, first.sequence_number, last.sequence_number)
    );
    assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]));
}

#[test]
fn poison_with_equal_deduplication_ids_arrives_twice() {
    // L12
    let clock = ManualClock::default();
    let [_, (jobs, dead)] = each_type(&clock, 1);
    for _ in 0..2 {
        jobs.send(in_group("g", "same")).unwrap();
        fail(&jobs, 1);
        assert!(receive(&jobs, 1).is_empty());
        clock.advance(secs(300));
    }
    assert_eq!(bodies(&receive(&dead, 10)), ["same", "same"]);
}

#[test]
fn retention_of_a_standard_dead_letter_counts_from_its_send_with_the_targets_period() {
    // L13 D42
    let clock = ManualClock::default();
    for (source_period, target_period) in [(60, 100), (100, 60)] {
        let dead = dead_of(&clock)
            .message_retention_period(secs(target_period))
            .build()
            .unwrap();
        let builder = standard(&clock).message_retention_period(secs(source_period));
        let jobs = builder.dead_letter(&dead, 1).build().unwrap();
        let sent = clock.now();
        jobs.send("m").unwrap();
        fail(&jobs, 1);
        clock.advance(secs(30));
        assert!(receive(&jobs, 1).is_empty());
        clock.advance_to(sent.saturating_add(secs(target_period) - MILLISECOND));
        assert_eq!(counts(&dead), [1, 0, 0]);
        clock.advance(MILLISECOND);
        assert_eq!(counts(&dead), [0, 0, 0]);
    }
}

#[test]
fn a_day_in_the_source_is_a_day_less_in_the_target() {
    // L15
    let clock = ManualClock::default();
    let [(jobs, dead), _] = each_type(&clock, 1);
    jobs.send("m").unwrap();
    fail(&jobs, 1);
    clock.advance(DAY);
    assert!(receive(&jobs, 1).is_empty());
    clock.advance(3 * DAY - MILLISECOND);
    assert_eq!(counts(&dead), [1, 0, 0]);
    clock.advance(MILLISECOND);
    assert_eq!(counts(&dead), [0, 0, 0]);
}

#[test]
fn a_message_older_than_the_targets_period_expires_on_arrival() {
    // L15 D41
    let clock = ManualClock::default();
    let dead = dead_of(&clock).message_retention_period(secs(60)).build().unwrap();
    let jobs = standard(&clock).dead_letter(&dead, 1).build().unwrap();
    jobs.send("m").unwrap();
    fail(&jobs, 1);
    clock.advance(secs(60));
    assert!(receive(&jobs, 1).is_empty());
    assert_eq!((counts(&jobs), counts(&dead)), ([0, 0, 0], [0, 0, 0]));
}

#[test]
fn retention_of_a_fifo_dead_letter_counts_from_the_move() {
    // L14 D42
    let clock = ManualClock::default();
    let dead = fifo_dead_of(&clock).message_retention_period(secs(60)).build().unwrap();
    let jobs = fifo(&clock).dead_letter(&dead, 1).build().unwrap();
    let sent = clock.now();
    jobs.send(in_group("g", "m")).unwrap();
    fail(&jobs, 1);
    clock.advance(DAY);
    assert!(receive(&jobs, 1).is_empty());
    clock.advance(secs(60) - MILLISECOND);
    assert_eq!(
        take_for(&dead, Duration::ZERO).sent_timestamp(),
        sent,
        "the sent timestamp stays"
    );
    clock.advance(MILLISECOND);
    assert_eq!(counts(&dead), [0, 0, 0]);
}

#[test]
fn delay_and_size_limit_of_the_target_do_not_apply() {
    // L17
    let clock = ManualClock::default();
    for (dead, jobs) in [
        (dead_of(&clock), standard(&clock)),
        (fifo_dead_of(&clock), fifo(&clock)),
    ] {
        let dead = dead.delay(secs(900)).maximum_message_size(1_024).build().unwrap();
        let jobs = jobs.dead_letter(&dead, 1).build().unwrap();
        let body = "x".repeat(2_000);
        jobs.send(in_group("g", &body)).unwrap();
        fail(&jobs, 1);
        assert!(receive(&jobs, 1).is_empty());
        assert_eq!(counts(&dead), [1, 0, 0]);
        assert_eq!(take(&dead).body(), body);
    }
}

#[test]
fn an_arrival_wakes_a_long_poll_on_the_target() {
    // L17 D11
    let clock = ManualClock::default();
    let [(jobs, dead), _] = each_type(&clock, 1);
    jobs.send("m").unwrap();
    fail(&jobs, 1);
    thread::scope(|scope| {
        let poll = scope.spawn(|| dead.receive().wait_time(secs(20)).blocking().unwrap());
        clock.wait_for_sleepers(1);
        assert!(receive(&jobs, 1).is_empty());
        assert_eq!(bodies(&poll.join().unwrap()), ["m"]);
    });
}

#[test]
fn a_move_unlocks_the_group_in_the_source() {
    // L19 F24 F27
    let [_, (jobs, _)] = each_type(&ManualClock::default(), 1);
    jobs.send(in_group("g", "poison")).unwrap();
    fail(&jobs, 1);
    assert!(receive(&jobs, 1).is_empty());
    jobs.send(in_group("g", "next")).unwrap();
    assert_eq!(take(&jobs).body(), "next");
}

#[test]
fn without_its_policy_a_queue_delivers_as_often_as_asked() {
    // L4 L5
    for (jobs, dead) in each_type(&ManualClock::default(), 1) {
        jobs.send(in_group("g", "m")).unwrap();
        fail(&jobs, 1);
        jobs.set_attributes(QueueAttributes::new().no_redrive_policy()).unwrap();
        assert_eq!(jobs.settings().redrive_policy, None);
        assert_eq!((fail(&jobs, 1), fail(&jobs, 1), counts(&dead)), (1, 1, [0, 0, 0]));
    }
}

fn refused(source: QueueBuilder, target: &Queue, count: u32) -> (&'static str, String) {
    let error = source.dead_letter(target, count).build().unwrap_err();
    let policy = RedrivePolicy::new(target.arn(), count);
    let text = error.to_string();
    let head = format!("Value {policy} for parameter RedrivePolicy is invalid. Reason: ");
    (
        error.code(),
        text.strip_prefix(&head).expect("the common form").to_owned(),
    )
}

#[test]
fn a_message_may_be_received_1_to_1000_times() {
    // L1 L2a
    let clock = ManualClock::default();
    let dead = dead_of(&clock).build().unwrap();
    for count in [0, 1_001, u32::MAX] {
        let reason =
            format!("Invalid value for maxReceiveCount: {count}, valid values are from 1 to 1000 both inclusive.");
        assert_eq!(
            refused(standard(&clock), &dead, count),
            ("InvalidParameterValue", reason)
        );
    }
    for count in [1, 1_000] {
        let jobs = standard(&clock).dead_letter(&dead, count).build().unwrap();
        assert_eq!(
            jobs.settings().redrive_policy,
            Some(RedrivePolicy::new(dead.arn(), count))
        );
    }
}

#[test]
fn a_target_exists_and_is_of_the_same_type() {
    // L3a L3b
    let clock = ManualClock::default();
    let (dead, fifo_dead) = (dead_of(&clock).build().unwrap(), fifo_dead_of(&clock).build().unwrap());
    let text = "Dead-letter queue must be same type of queue as the source.";
    assert_eq!(refused(standard(&clock), &fifo_dead, 1).1, text);
    assert_eq!(refused(fifo(&clock), &dead, 1).1, text);
    dead.delete_queue().unwrap();
    assert_eq!(
        refused(standard(&clock), &dead, 1).1,
        "Dead letter target does not exist."
    );
    let by_arn = RedrivePolicy::new("arn:aws:sqs:us-east-1:000000000000:other", 1);
    let text =
        format!("Value {by_arn} for parameter RedrivePolicy is invalid. Reason: Dead letter target does not exist.");
    let builder = standard(&clock).attributes(QueueAttributes::new().redrive_policy(by_arn));
    assert_refused!(builder.build(), "InvalidParameterValue", text);
}

#[test]
fn a_target_may_forbid_its_use_and_later_links_only() {
    // L3c L20 L21
    let clock = ManualClock::default();
    let dead = dead_of(&clock).build().unwrap();
    let jobs = standard(&clock).dead_letter(&dead, 1).build().unwrap();
    dead.set_attributes(QueueAttributes::new().redrive_allow_policy(RedriveAllowPolicy::DenyAll))
        .unwrap();
    assert_eq!(
        refused(Queue::standard("late").clock(clock.clone()), &dead, 1).0,
        "InvalidParameterValue"
    );
    jobs.send("m").unwrap();
    fail(&jobs, 1);
    assert!(receive(&jobs, 1).is_empty());
    assert_eq!(counts(&dead), [1, 0, 0], "a link that exists stays");

    let allowed = RedriveAllowPolicy::ByQueue(vec!["arn:aws:sqs:us-east-1:000000000000:late".to_owned()]);
    dead.set_attributes(QueueAttributes::new().redrive_allow_policy(allowed))
        .unwrap();
    assert!(
        Queue::standard("late")
            .clock(clock.clone())
            .dead_letter(&dead, 1)
            .build()
            .is_ok()
    );
    assert_eq!(
        refused(Queue::standard("later").clock(clock.clone()), &dead, 1).0,
        "InvalidParameterValue"
    );
    dead.set_attributes(QueueAttributes::new().no_redrive_allow_policy())
        .unwrap();
    assert!(
        Queue::standard("later")
            .clock(clock)
            .dead_letter(&dead, 1)
            .build()
            .is_ok()
    );
}

#[test]
fn a_dead_letter_queue_is_a_queue_like_any_other() {
    // L5
    let [(jobs, dead), _] = each_type(&ManualClock::default(), 1);
    dead.send("sent here").unwrap();
    jobs.send("moved here").unwrap();
    fail(&jobs, 1);
    assert!(receive(&jobs, 1).is_empty());
    let messages = receive(&dead, 10);
    assert_eq!(bodies(&messages), ["sent here", "moved here"]);
    assert_eq!(messages[0].dead_letter_queue_source_arn(), None);
}

#[test]
fn a_dead_letter_keeps_the_reason_of_the_consumer_that_gave_it_up() {
    let clock = ManualClock::default();
    for (jobs, dead) in each_type(&clock, 2) {
        let sent = in_group("g", "m").attribute("Own", MessageAttributeValue::string("kept"));
        jobs.send(sent).unwrap();
        take(&jobs).dead_letter("not an image").unwrap();
        assert_eq!(
            dead.snapshot().messages[0]
                .content
                .dead_letter_reason()
                .map(|reason| &**reason),
            Some("not an image")
        );
        let receive = |name: &str| {
            let receive = dead
                .receive()
                .visibility_timeout(Duration::ZERO)
                .dead_letter_reason_attribute(name);
            receive.blocking().unwrap().remove(0)
        };
        for (name, value) in [("Reason", "not an image"), ("Own", "kept")] {
            let letter = receive(name);
            assert_eq!(letter.dead_letter_reason(), Some("not an image"));
            assert_eq!(
                letter.attributes().get(name).and_then(|it| it.string_value()),
                Some(value)
            );
        }
        let plain = dead
            .receive()
            .message_attribute_names(["All"])
            .blocking()
            .unwrap()
            .remove(0);
        assert!(
            plain.attributes().iter().map(|(name, _)| name).eq(["Own"]),
            "it is added on request alone"
        );
    }
}

#[test]
fn a_dead_letter_that_was_received_too_often_has_no_reason() {
    // L6
    let clock = ManualClock::default();
    for (jobs, dead) in each_type(&clock, 1) {
        jobs.send(in_group("g", "m")).unwrap();
        take_for(&jobs, Duration::ZERO).report_failure("the disk is full");
        assert!(receive(&jobs, 1).is_empty());
        let letter = dead
            .receive()
            .dead_letter_reason_attribute("Reason")
            .blocking()
            .unwrap()
            .remove(0);
        assert_eq!((letter.dead_letter_reason(), letter.attributes().len()), (None, 0));
    }
}
