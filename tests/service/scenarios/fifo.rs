//! Scenarios B26 to B47: FIFO queues.
//!
//! `g1-m2` is message `m2` of group `g1`.

use {
    super::door::{
        Attribute::{self, DelaySeconds, FifoQueue, RedrivePolicy, VisibilityTimeout},
        House, Queue, Received, assert_refused, bodies,
    },
    crate::common::{in_group, millis, secs},
    requeue::DeduplicationScope,
    std::{
        sync::{Arc, mpsc},
        thread,
        time::Duration,
    },
};

pub(crate) fn b26_one_group_comes_in_order(house: &House) {
    let jobs = house.fifo([]);
    let sent = ["g-m0", "g-m1", "g-m2", "g-m3"];
    jobs.send_grouped(sent);
    for body in sent {
        let message = jobs.take();
        assert_eq!(message.body, body);
        jobs.delete(&message.handle).unwrap();
    }
}

pub(crate) fn b27_a_receive_fills_from_one_group_before_the_next(house: &House) {
    let jobs = house.fifo([]);
    jobs.send_grouped(["g1-m1", "g2-m1", "g1-m2", "g1-m3"]);
    assert_eq!(bodies(&jobs.receive(10)), ["g1-m1", "g1-m2", "g1-m3", "g2-m1"]);
}

pub(crate) fn b28_a_long_poll_gets_the_second_message_of_a_group_when_the_first_is_deleted(house: &House) {
    let jobs = house.fifo([VisibilityTimeout(60)]);
    let (results, received) = mpsc::channel();
    for _ in 0..3 {
        let (jobs, results) = (Arc::clone(&jobs), results.clone());
        thread::spawn(move || results.send(pollster::block_on(jobs.long_poll(20)).unwrap()));
    }
    drop(results);
    let line = house.behind_the_door(&jobs);
    line.wait_for_waiters(3);
    jobs.send_grouped(["g1-m1"]);
    let first = received.recv().unwrap();
    assert_eq!(bodies(&first), ["g1-m1"]);
    jobs.send_grouped(["g1-m2"]);
    house.clock.advance(secs(2));
    line.wait_for_waiters(2);
    assert_eq!((line.waiting(), jobs.counts()), (2, [1, 1, 0]));
    jobs.delete_all(&first);
    assert_eq!(bodies(&received.recv().unwrap()), ["g1-m2"]);
    line.wait_for_waiters(1);
    assert_eq!(line.waiting(), 1);
    house.clock.advance(secs(18));
    assert!(received.recv().unwrap().is_empty());
}

/// `foo`, `bar` and `baz` of one group, received for a second; one of them is extended before that is over.
fn extended(house: &House, body: &str) -> Queue {
    let jobs = house.fifo([VisibilityTimeout(1)]);
    for body in ["foo", "bar", "baz"] {
        jobs.send(in_group("g", body)).unwrap();
    }
    let messages = jobs.receive(5);
    assert_eq!(bodies(&messages), ["foo", "bar", "baz"]);
    let message = messages.iter().find(|message| message.body == body).unwrap();
    jobs.change_visibility(&message.handle, 4).unwrap();
    house.clock.advance(millis(2_500));
    jobs
}

pub(crate) fn b29_extending_the_first_message_locks_the_group(house: &House) {
    let jobs = extended(house, "foo");
    assert!(jobs.receive(5).is_empty());
}

pub(crate) fn b30_extending_the_second_message_leaves_the_first_receivable(house: &House) {
    let jobs = extended(house, "bar");
    assert_eq!(bodies(&jobs.receive(5)), ["foo"]);
}

pub(crate) fn b31_extending_the_last_message_leaves_those_before_it_receivable(house: &House) {
    let jobs = extended(house, "baz");
    assert_eq!(bodies(&jobs.receive(5)), ["foo", "bar"]);
}

pub(crate) fn b32_a_message_given_back_comes_after_a_group_that_waits(house: &House) {
    let jobs = house.fifo([]);
    jobs.send_grouped(["g1-m1", "g1-m2", "g2-m1"]);
    let messages = jobs.receive(2);
    assert_eq!(bodies(&messages), ["g1-m1", "g1-m2"]);
    jobs.change_visibility(&messages[0].handle, 0).unwrap();
    assert_eq!(bodies(&jobs.receive(3)), ["g2-m1", "g1-m1"]);
}

pub(crate) fn b33_a_message_whose_shortened_timeout_ends_comes_after_a_group_that_waits(house: &House) {
    let jobs = house.fifo([]);
    jobs.send_grouped(["g1-m1", "g1-m2", "g2-m1"]);
    jobs.change_visibility(&jobs.receive(2)[0].handle, 1).unwrap();
    house.clock.advance(secs(2));
    assert_eq!(bodies(&jobs.receive(3)), ["g2-m1", "g1-m1"]);
}

fn three_groups_with_two_received(house: &House) -> (Queue, Vec<Received>) {
    let jobs = house.fifo([]);
    jobs.send_grouped(["g1-m1", "g2-m1", "g1-m2", "g2-m2", "g1-m3", "g1-m4", "g3-m1"]);
    let messages = jobs.receive(2);
    assert_eq!(bodies(&messages), ["g1-m1", "g1-m2"]);
    (jobs, messages)
}

pub(crate) fn b34_deleting_the_messages_in_flight_unlocks_their_group_at_its_place(house: &House) {
    let (jobs, messages) = three_groups_with_two_received(house);
    jobs.delete_all(&messages);
    assert_eq!(bodies(&jobs.receive(10)), ["g2-m1", "g2-m2", "g1-m3", "g1-m4", "g3-m1"]);
}

pub(crate) fn b35_deleting_one_of_two_messages_in_flight_leaves_their_group_locked(house: &House) {
    let (jobs, messages) = three_groups_with_two_received(house);
    jobs.delete(&messages[0].handle).unwrap();
    assert_eq!(bodies(&jobs.receive(10)), ["g2-m1", "g2-m2", "g3-m1"]);
}

pub(crate) fn b36_after_timeouts_groups_never_received_come_first(house: &House) {
    let jobs = house.fifo([VisibilityTimeout(1)]);
    jobs.send_grouped(["g1-m1", "g1-m2", "g1-m3", "g1-m4", "g2-m1", "g3-m1"]);
    assert_eq!(bodies(&jobs.receive(2)), ["g1-m1", "g1-m2"]);
    assert_eq!(bodies(&jobs.receive(1)), ["g2-m1"]);
    house.clock.advance(secs(2));
    let all = ["g3-m1", "g1-m1", "g1-m2", "g1-m3", "g1-m4", "g2-m1"];
    assert_eq!(bodies(&jobs.receive_for(10, 0)), all);
}

pub(crate) fn b37_after_visibility_zero_groups_never_received_come_first(house: &House) {
    let jobs = house.fifo([]);
    jobs.send_grouped(["g1-m1", "g2-m1", "g2-m2", "g3-m1", "g1-m2"]);
    assert_eq!(bodies(&jobs.receive_for(3, 0)), ["g1-m1", "g1-m2", "g2-m1"]);
    let all = ["g3-m1", "g1-m1", "g1-m2", "g2-m1", "g2-m2"];
    assert_eq!(bodies(&jobs.receive_for(10, 0)), all);
}

pub(crate) fn b38_messages_that_time_out_come_back_in_their_order(house: &House) {
    let jobs = house.fifo([VisibilityTimeout(1)]);
    let sent = ["g-m0", "g-m1", "g-m2"];
    jobs.send_grouped(sent);
    assert_eq!(bodies(&jobs.receive(10)), sent);
    house.clock.advance(secs(2));
    assert_eq!(bodies(&jobs.receive(10)), sent);
}

pub(crate) fn b39_a_handle_does_not_delete_after_its_visibility_timeout(house: &House) {
    let jobs = house.fifo([VisibilityTimeout(1)]);
    jobs.send_grouped(["g-m"]);
    let message = jobs.take();
    house.clock.advance(secs(2));
    let text = format!(
        "Value {} for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired.",
        message.handle
    );
    assert_refused(jobs.delete(&message.handle), "InvalidParameterValue", text);
}

pub(crate) fn b40_a_handle_deletes_within_its_extended_timeout(house: &House) {
    let jobs = house.fifo([VisibilityTimeout(1)]);
    jobs.send_grouped(["g-m"]);
    let message = jobs.take();
    jobs.change_visibility(&message.handle, 10).unwrap();
    house.clock.advance(secs(2));
    assert_eq!(jobs.delete(&message.handle), Ok(()));
    assert_eq!(jobs.counts(), [0, 0, 0]);
}

pub(crate) fn b41_a_body_sent_again_after_its_delete_is_a_duplicate(house: &House) {
    let jobs = house.fifo([]);
    jobs.send_grouped(["g-x"]);
    jobs.delete(&jobs.take().handle).unwrap();
    jobs.send_grouped(["g-x"]);
    assert!(jobs.receive(1).is_empty());
}

/// What the second of two groups gets when both are sent the same deduplication id.
fn second_group_gets(house: &House, name: &str, scope: DeduplicationScope) -> Vec<String> {
    let jobs = house
        .create(name, [FifoQueue(true), Attribute::DeduplicationScope(scope)])
        .unwrap();
    jobs.send(in_group("1", "first").message_deduplication_id("d")).unwrap();
    jobs.delete(&jobs.take().handle).unwrap();
    jobs.send(in_group("2", "second").message_deduplication_id("d"))
        .unwrap();
    let messages = jobs.receive(1).into_iter();
    messages.map(|message| message.body).collect()
}

pub(crate) fn b42_the_scope_says_whether_a_deduplication_id_counts_in_another_group(house: &House) {
    assert_eq!(
        second_group_gets(house, "queue.fifo", DeduplicationScope::Queue),
        [""; 0]
    );
    assert_eq!(
        second_group_gets(house, "group.fifo", DeduplicationScope::MessageGroup),
        ["second"]
    );
}

pub(crate) fn b43_purge_forgets_deduplication_ids(house: &House) {
    let jobs = house.fifo([]);
    jobs.send(in_group("g", "first").message_deduplication_id("d")).unwrap();
    jobs.purge().unwrap();
    jobs.send(in_group("g", "second").message_deduplication_id("d"))
        .unwrap();
    assert_eq!(bodies(&jobs.receive(1)), ["second"]);
}

pub(crate) fn b44_a_delay_of_zero_means_the_delay_of_the_queue(house: &House) {
    let jobs = house.fifo([DelaySeconds(2)]);
    jobs.send(in_group("g", "m").delay(Duration::ZERO)).unwrap();
    assert!(jobs.receive(1).is_empty());
    house.clock.advance(secs(3));
    assert_eq!(bodies(&jobs.receive(1)), ["m"]);
}

pub(crate) fn b45_a_message_has_no_delay_of_its_own(house: &House) {
    let jobs = house.fifo([]);
    let text = "Value 2 for parameter DelaySeconds is invalid. Reason: The request include parameter that is not valid \
                for this queue type.";
    assert_refused(
        jobs.send(in_group("g", "m").delay(secs(2))),
        "InvalidParameterValue",
        text,
    );
}

pub(crate) fn b46_a_group_whose_message_was_dead_lettered_takes_new_ones(house: &House) {
    let dead = house.create("dead.fifo", [FifoQueue(true)]).unwrap();
    let jobs = house.fifo([RedrivePolicy(dead.arn(), 2)]);
    jobs.send_grouped(["g-poison"]);
    for _ in 0..2 {
        assert_eq!(bodies(&jobs.receive_for(1, 0)), ["g-poison"]);
    }
    assert!(jobs.receive_for(1, 0).is_empty());
    assert_eq!(dead.take().body, "g-poison");
    jobs.send_grouped(["g-next"]);
    assert_eq!(jobs.take().body, "g-next");
}

pub(crate) fn b47_a_message_left_over_is_counted_as_visible(house: &House) {
    let jobs = house.fifo([]);
    jobs.send_grouped(["g1-a", "g1-b", "g2-c", "g2-d", "g3-e"]);
    let four = jobs.receive(4);
    assert_eq!((four.len(), jobs.counts()), (4, [1, 4, 0]));
    jobs.delete_all(&four);
    assert_eq!(jobs.counts(), [1, 0, 0]);
    assert_eq!(jobs.take_for(1).body, "g3-e");
}
