//! Scenarios B26 to B47 of the behaviour contract, each observed on SQS: FIFO queues.
//!
//! `g1-m2` is message `m2` of group `g1`. B48 to B50 are about move tasks and belong to their tests.

mod common;

use {
    common::{
        assert_refused, bodies, counts, fifo, in_group, millis, receive, receive_for, secs, send_grouped, take,
        take_for,
    },
    requeue::{DeduplicationScope, ManualClock, Message, Queue, SendMessage},
    std::{sync::mpsc, thread, time::Duration},
};

fn named<'a>(messages: &'a [Message], body: &str) -> &'a Message {
    let found = messages.iter().find(|message| message.body() == body);
    found.expect("a message of that name")
}

fn delete_all(messages: &[Message]) {
    messages.iter().for_each(|message| message.delete().unwrap());
}

#[test]
fn b26_one_group_comes_in_order() {
    let jobs = fifo(&ManualClock::default()).build().unwrap();
    let sent = ["g-m0", "g-m1", "g-m2", "g-m3"];
    send_grouped(&jobs, sent);
    for body in sent {
        let message = take(&jobs);
        assert_eq!(message.body(), body);
        message.delete().unwrap();
    }
}

#[test]
fn b27_a_receive_fills_from_one_group_before_the_next() {
    let jobs = fifo(&ManualClock::default()).build().unwrap();
    send_grouped(&jobs, ["g1-m1", "g2-m1", "g1-m2", "g1-m3"]);
    assert_eq!(bodies(&receive(&jobs, 10)), ["g1-m1", "g1-m2", "g1-m3", "g2-m1"]);
}

#[test]
fn b28_a_long_poll_gets_the_second_message_of_a_group_when_the_first_is_deleted() {
    let clock = ManualClock::default();
    let jobs = fifo(&clock).visibility_timeout(secs(60)).build().unwrap();
    let (results, received) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..3 {
            let (jobs, results) = (&jobs, results.clone());
            scope.spawn(move || results.send(jobs.receive().wait_time(secs(20)).blocking().unwrap()));
        }
        clock.wait_for_sleepers(3);
        send_grouped(&jobs, ["g1-m1"]);
        let first = received.recv().unwrap();
        assert_eq!(bodies(&first), ["g1-m1"]);
        send_grouped(&jobs, ["g1-m2"]);
        clock.advance(secs(2));
        assert_eq!((jobs.waiting(), counts(&jobs)), (2, [1, 1, 0]));
        delete_all(&first);
        assert_eq!(bodies(&received.recv().unwrap()), ["g1-m2"]);
        assert_eq!(jobs.waiting(), 1);
        clock.advance(secs(18));
        assert!(received.recv().unwrap().is_empty());
    });
}

/// `foo`, `bar` and `baz` of one group, received for a second; one of them is extended before that is over.
fn extended(body: &str) -> (ManualClock, Queue) {
    let clock = ManualClock::default();
    let jobs = fifo(&clock).visibility_timeout(secs(1)).build().unwrap();
    for body in ["foo", "bar", "baz"] {
        jobs.send(in_group("g", body)).unwrap();
    }
    let messages = receive(&jobs, 5);
    assert_eq!(bodies(&messages), ["foo", "bar", "baz"]);
    named(&messages, body).change_visibility(secs(4)).unwrap();
    clock.advance(millis(2_500));
    (clock, jobs)
}

#[test]
fn b29_extending_the_first_message_locks_the_group() {
    let (_, jobs) = extended("foo");
    assert!(receive(&jobs, 5).is_empty());
}

#[test]
fn b30_extending_the_second_message_leaves_the_first_receivable() {
    let (_, jobs) = extended("bar");
    assert_eq!(bodies(&receive(&jobs, 5)), ["foo"]);
}

#[test]
fn b31_extending_the_last_message_leaves_those_before_it_receivable() {
    let (_, jobs) = extended("baz");
    assert_eq!(bodies(&receive(&jobs, 5)), ["foo", "bar"]);
}

#[test]
fn b32_a_message_given_back_comes_after_a_group_that_waits() {
    let jobs = fifo(&ManualClock::default()).build().unwrap();
    send_grouped(&jobs, ["g1-m1", "g1-m2", "g2-m1"]);
    let messages = receive(&jobs, 2);
    assert_eq!(bodies(&messages), ["g1-m1", "g1-m2"]);
    messages[0].change_visibility(Duration::ZERO).unwrap();
    assert_eq!(bodies(&receive(&jobs, 3)), ["g2-m1", "g1-m1"]);
}

#[test]
fn b33_a_message_whose_shortened_timeout_ends_comes_after_a_group_that_waits() {
    let clock = ManualClock::default();
    let jobs = fifo(&clock).build().unwrap();
    send_grouped(&jobs, ["g1-m1", "g1-m2", "g2-m1"]);
    receive(&jobs, 2)[0].change_visibility(secs(1)).unwrap();
    clock.advance(secs(2));
    assert_eq!(bodies(&receive(&jobs, 3)), ["g2-m1", "g1-m1"]);
}

fn three_groups_with_two_received() -> (Queue, Vec<Message>) {
    let jobs = fifo(&ManualClock::default()).build().unwrap();
    send_grouped(&jobs, ["g1-m1", "g2-m1", "g1-m2", "g2-m2", "g1-m3", "g1-m4", "g3-m1"]);
    let messages = receive(&jobs, 2);
    assert_eq!(bodies(&messages), ["g1-m1", "g1-m2"]);
    (jobs, messages)
}

#[test]
fn b34_deleting_the_messages_in_flight_unlocks_their_group_at_its_place() {
    let (jobs, messages) = three_groups_with_two_received();
    delete_all(&messages);
    assert_eq!(
        bodies(&receive(&jobs, 10)),
        ["g2-m1", "g2-m2", "g1-m3", "g1-m4", "g3-m1"]
    );
}

#[test]
fn b35_deleting_one_of_two_messages_in_flight_leaves_their_group_locked() {
    let (jobs, messages) = three_groups_with_two_received();
    messages[0].delete().unwrap();
    assert_eq!(bodies(&receive(&jobs, 10)), ["g2-m1", "g2-m2", "g3-m1"]);
}

#[test]
fn b36_after_timeouts_groups_never_received_come_first() {
    let clock = ManualClock::default();
    let jobs = fifo(&clock).visibility_timeout(secs(1)).build().unwrap();
    send_grouped(&jobs, ["g1-m1", "g1-m2", "g1-m3", "g1-m4", "g2-m1", "g3-m1"]);
    assert_eq!(bodies(&receive(&jobs, 2)), ["g1-m1", "g1-m2"]);
    assert_eq!(bodies(&receive(&jobs, 1)), ["g2-m1"]);
    clock.advance(secs(2));
    let all = ["g3-m1", "g1-m1", "g1-m2", "g1-m3", "g1-m4", "g2-m1"];
    assert_eq!(bodies(&receive_for(&jobs, 10, Duration::ZERO)), all);
}

#[test]
fn b37_after_visibility_zero_groups_never_received_come_first() {
    let jobs = fifo(&ManualClock::default()).build().unwrap();
    send_grouped(&jobs, ["g1-m1", "g2-m1", "g2-m2", "g3-m1", "g1-m2"]);
    assert_eq!(
        bodies(&receive_for(&jobs, 3, Duration::ZERO)),
        ["g1-m1", "g1-m2", "g2-m1"]
    );
    let all = ["g3-m1", "g1-m1", "g1-m2", "g2-m1", "g2-m2"];
    assert_eq!(bodies(&receive_for(&jobs, 10, Duration::ZERO)), all);
}

#[test]
fn b38_messages_that_time_out_come_back_in_their_order() {
    let clock = ManualClock::default();
    let jobs = fifo(&clock).visibility_timeout(secs(1)).build().unwrap();
    let sent = ["g-m0", "g-m1", "g-m2"];
    send_grouped(&jobs, sent);
    assert_eq!(bodies(&receive(&jobs, 10)), sent);
    clock.advance(secs(2));
    assert_eq!(bodies(&receive(&jobs, 10)), sent);
}

#[test]
fn b39_a_handle_does_not_delete_after_its_visibility_timeout() {
    let clock = ManualClock::default();
    let jobs = fifo(&clock).visibility_timeout(secs(1)).build().unwrap();
    send_grouped(&jobs, ["g-m"]);
    let message = take(&jobs);
    clock.advance(secs(2));
    let text = format!(
        "Value {} for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired.",
        message.receipt_handle()
    );
    assert_refused!(message.delete(), "InvalidParameterValue", text);
}

#[test]
fn b40_a_handle_deletes_within_its_extended_timeout() {
    let clock = ManualClock::default();
    let jobs = fifo(&clock).visibility_timeout(secs(1)).build().unwrap();
    send_grouped(&jobs, ["g-m"]);
    let message = take(&jobs);
    message.change_visibility(secs(10)).unwrap();
    clock.advance(secs(2));
    assert_eq!(message.delete(), Ok(()));
    assert_eq!(counts(&jobs), [0, 0, 0]);
}

#[test]
fn b41_a_body_sent_again_after_its_delete_is_a_duplicate() {
    let jobs = fifo(&ManualClock::default()).build().unwrap();
    send_grouped(&jobs, ["g-x"]);
    take(&jobs).delete().unwrap();
    send_grouped(&jobs, ["g-x"]);
    assert!(receive(&jobs, 1).is_empty());
}

/// What the second of two groups gets when both are sent the same deduplication id.
fn second_group_gets(scope: DeduplicationScope) -> Vec<String> {
    let builder = fifo(&ManualClock::default()).deduplication_scope(scope);
    let jobs = builder.build().unwrap();
    jobs.send(in_group("1", "first").message_deduplication_id("d")).unwrap();
    take(&jobs).delete().unwrap();
    jobs.send(in_group("2", "second").message_deduplication_id("d"))
        .unwrap();
    let messages = receive(&jobs, 1).into_iter();
    messages.map(|message| message.body().to_owned()).collect()
}

#[test]
fn b42_the_scope_says_whether_a_deduplication_id_counts_in_another_group() {
    assert_eq!(second_group_gets(DeduplicationScope::Queue), [""; 0]);
    assert_eq!(second_group_gets(DeduplicationScope::MessageGroup), ["second"]);
}

#[test]
fn b43_purge_forgets_deduplication_ids() {
    let jobs = fifo(&ManualClock::default()).build().unwrap();
    jobs.send(in_group("g", "first").message_deduplication_id("d")).unwrap();
    jobs.purge().unwrap();
    jobs.send(in_group("g", "second").message_deduplication_id("d"))
        .unwrap();
    assert_eq!(bodies(&receive(&jobs, 1)), ["second"]);
}

#[test]
fn b44_a_delay_of_zero_means_the_delay_of_the_queue() {
    let clock = ManualClock::default();
    let jobs = fifo(&clock).delay(secs(2)).build().unwrap();
    jobs.send(in_group("g", "m").delay(Duration::ZERO)).unwrap();
    assert!(receive(&jobs, 1).is_empty());
    clock.advance(secs(3));
    assert_eq!(bodies(&receive(&jobs, 1)), ["m"]);
}

#[test]
fn b45_a_message_has_no_delay_of_its_own() {
    let jobs = fifo(&ManualClock::default()).build().unwrap();
    let text = "Value 2 for parameter DelaySeconds is invalid. Reason: The request include parameter that is not valid \
                for this queue type.";
    assert_refused!(
        jobs.send(in_group("g", "m").delay(secs(2))),
        "InvalidParameterValue",
        text
    );
}

#[test]
fn b46_a_group_whose_message_was_dead_lettered_takes_new_ones() {
    let clock = ManualClock::default();
    let dead = Queue::fifo("dead.fifo").clock(&clock).build().unwrap();
    let jobs = fifo(&clock).dead_letter(&dead, 2).build().unwrap();
    send_grouped(&jobs, ["g-poison"]);
    for _ in 0..2 {
        assert_eq!(bodies(&receive_for(&jobs, 1, Duration::ZERO)), ["g-poison"]);
    }
    assert!(receive_for(&jobs, 1, Duration::ZERO).is_empty());
    assert_eq!(take(&dead).body(), "g-poison");
    send_grouped(&jobs, ["g-next"]);
    assert_eq!(take(&jobs).body(), "g-next");
}

#[test]
fn b47_a_message_left_over_is_counted_as_visible() {
    let jobs = fifo(&ManualClock::default()).build().unwrap();
    let five: [SendMessage; 5] =
        [("g1", "a"), ("g1", "b"), ("g2", "c"), ("g2", "d"), ("g3", "e")].map(|(group, body)| in_group(group, body));
    for message in five {
        jobs.send(message).unwrap();
    }
    let four = receive(&jobs, 4);
    assert_eq!((four.len(), counts(&jobs)), (4, [1, 4, 0]));
    delete_all(&four);
    assert_eq!(counts(&jobs), [1, 0, 0]);
    assert_eq!(take_for(&jobs, secs(1)).body(), "e");
}
