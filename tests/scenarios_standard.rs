//! Scenarios B1 to B25 of the behaviour contract, each observed on SQS: standard queues.
//!
//! B20 and B21 create queues by name and belong to the tests of the service.

mod common;

use {
    common::{
        VISIBILITY, assert_refused, bodies, counts, millis, receive, receive_for, secs, standard, take, take_for,
        wait_for,
    },
    requeue::{
        Clock, DeleteError, ManualClock, MessageAttributeValue, Queue, ReceiptHandle, SendBatchEntry, SendMessage,
    },
    std::time::Duration,
};

#[test]
fn b01_visibility_zero_leaves_the_message_for_the_next_receive() {
    let jobs = standard(&ManualClock::default()).build().unwrap();
    jobs.send("m").unwrap();
    assert_eq!(bodies(&receive_for(&jobs, 1, Duration::ZERO)), ["m"]);
    assert_eq!(bodies(&receive_for(&jobs, 1, secs(3))), ["m"]);
    assert!(receive(&jobs, 1).is_empty());
}

#[test]
fn b02_an_older_handle_ends_the_newer_reception() {
    let jobs = standard(&ManualClock::default()).build().unwrap();
    jobs.send("m").unwrap();
    let first = take_for(&jobs, Duration::ZERO);
    take_for(&jobs, secs(3));
    jobs.change_visibility(&first.receipt_handle(), Duration::ZERO).unwrap();
    assert_eq!(take(&jobs).approximate_receive_count(), 3);
}

#[test]
fn b03_a_handle_deletes_after_its_visibility_timeout() {
    let clock = ManualClock::default();
    let jobs = standard(&clock).visibility_timeout(secs(1)).build().unwrap();
    jobs.send("m").unwrap();
    let message = take(&jobs);
    clock.advance(secs(2));
    jobs.delete(&message.receipt_handle()).unwrap();
    assert_eq!(counts(&jobs), [0, 0, 0]);
}

#[test]
fn b04_changing_visibility_after_the_timeout_succeeds() {
    let clock = ManualClock::default();
    let jobs = standard(&clock).visibility_timeout(secs(1)).build().unwrap();
    jobs.send("m").unwrap();
    let message = take(&jobs);
    clock.advance(secs(2));
    assert_eq!(jobs.change_visibility(&message.receipt_handle(), secs(2)), Ok(()));
}

#[test]
fn b05_short_extensions_keep_a_message_hidden_until_they_stop() {
    let clock = ManualClock::default();
    let jobs = standard(&clock).visibility_timeout(secs(2)).build().unwrap();
    jobs.send("m").unwrap();
    let message = take(&jobs);
    for _ in 0..4 {
        clock.advance(secs(1));
        message.change_visibility(secs(2)).unwrap();
        assert!(receive(&jobs, 1).is_empty());
    }
    let last_extension = clock.now();
    assert_eq!(
        bodies(&wait_for(&clock, jobs.receive().wait_time(secs(5))).unwrap()),
        ["m"]
    );
    assert_eq!(clock.now(), last_extension.saturating_add(secs(2)));
}

#[test]
fn b06_a_changed_timeout_is_not_remembered_by_the_next_receive() {
    let jobs = standard(&ManualClock::default()).build().unwrap();
    jobs.send("m").unwrap();
    take(&jobs).change_visibility(Duration::ZERO).unwrap();
    assert_eq!(bodies(&receive(&jobs, 1)), ["m"]);
    assert!(receive(&jobs, 1).is_empty());
}

#[test]
fn b07_a_message_that_timed_out_comes_before_one_sent_later() {
    let clock = ManualClock::default();
    let jobs = standard(&clock).build().unwrap();
    jobs.send("m1").unwrap();
    take_for(&jobs, secs(3));
    clock.advance(millis(1_500));
    jobs.send("m2").unwrap();
    clock.advance(millis(3_000));
    assert_eq!(bodies(&receive_for(&jobs, 1, secs(3))), ["m1"]);
}

#[test]
fn b08_a_delayed_message_comes_when_its_delay_ends() {
    let clock = ManualClock::default();
    let jobs = standard(&clock).build().unwrap();
    let sent = clock.now();
    jobs.send(SendMessage::new("m").delay(secs(1))).unwrap();
    assert!(receive(&jobs, 1).is_empty());
    assert_eq!(
        bodies(&wait_for(&clock, jobs.receive().wait_time(secs(2))).unwrap()),
        ["m"]
    );
    assert_eq!(clock.now(), sent.saturating_add(secs(1)));
}

#[test]
fn b09_retention_ends_messages_in_flight_and_their_handles_still_delete() {
    let clock = ManualClock::default();
    let builder = standard(&clock).visibility_timeout(secs(60));
    let jobs = builder.message_retention_period(secs(60)).build().unwrap();
    jobs.send("m1").unwrap();
    jobs.send("m2").unwrap();
    clock.advance(secs(5));
    let message = take(&jobs);
    assert_eq!(message.body(), "m1");
    clock.advance(secs(61));
    assert!(receive(&jobs, 1).is_empty());
    clock.advance(secs(8));
    assert!(receive(&jobs, 1).is_empty());
    assert_eq!(message.delete(), Ok(()));
}

#[test]
fn b10_deleting_twice_with_one_handle_succeeds() {
    let jobs = standard(&ManualClock::default()).build().unwrap();
    jobs.send("m").unwrap();
    let handle = take(&jobs).receipt_handle();
    assert_eq!(jobs.delete(&handle), Ok(()));
    assert_eq!(jobs.delete(&handle), Ok(()));
}

#[test]
fn b11_the_visibility_of_a_deleted_message_cannot_be_changed() {
    let jobs = standard(&ManualClock::default()).build().unwrap();
    jobs.send("m").unwrap();
    let message = take(&jobs);
    message.delete().unwrap();
    let text = format!(
        "Value {} for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available for \
         visibility timeout change.",
        message.receipt_handle()
    );
    assert_refused!(message.change_visibility(secs(10)), "InvalidParameterValue", text);
}

#[test]
fn b12_garbage_is_no_receipt_handle() {
    let parsed = "garbage".parse::<ReceiptHandle>().map_err(DeleteError::from);
    let text = "The input receipt handle \"garbage\" is not a valid receipt handle.";
    assert_refused!(parsed, "ReceiptHandleIsInvalid", text);
}

/// A message of `size` bytes, 17 of which are an attribute.
fn sized(size: usize) -> SendMessage {
    SendMessage::new("x".repeat(size - 17)).attribute("kind", MessageAttributeValue::string("picture"))
}

#[test]
fn b13_attributes_count_toward_the_size_limit() {
    let builder = standard(&ManualClock::default()).maximum_message_size(1_024);
    let jobs = builder.build().unwrap();
    let text = "One or more parameters are invalid. Reason: Message must be shorter than 1024 bytes.";
    assert_eq!(sized(1_025).size_bytes(), 1_025);
    assert_refused!(jobs.send(sized(1_025)), "InvalidParameterValue", text);
}

#[test]
fn b14_an_oversized_entry_fails_alone() {
    let builder = standard(&ManualClock::default()).maximum_message_size(1_024);
    let jobs = builder.build().unwrap();
    let result = jobs
        .send_batch([("large", sized(1_025)), ("small", "x".into())])
        .unwrap();
    let [failure] = &result.failed[..] else {
        panic!("one entry fails: {result:?}")
    };
    assert_eq!(
        (&*failure.id, failure.code, failure.sender_fault),
        ("large", "InvalidParameterValue", true)
    );
    let text = "One or more parameters cannot be validated. Reason: Message must be shorter than 1024 bytes.";
    assert_eq!(failure.message, text);
    assert_eq!((result.successful.len(), &*result.successful[0].id), (1, "small"));
    assert_eq!(counts(&jobs), [1, 0, 0]);
}

#[test]
fn b15_the_limit_of_a_queue_does_not_bound_the_total_of_a_batch() {
    let builder = standard(&ManualClock::default()).maximum_message_size(2_048);
    let jobs = builder.build().unwrap();
    let result = jobs.send_batch([sized(1_500), sized(1_500)]).unwrap();
    assert_eq!((result.successful.len(), result.failed.len()), (2, 0));
}

#[test]
fn b16_a_batch_of_more_than_1_mib_stores_nothing() {
    let jobs = standard(&ManualClock::default()).build().unwrap();
    let entries = [262_144, 262_144, 262_144, 262_144, 1].map(|size| "x".repeat(size));
    let text = "Batch requests cannot be longer than 1048576 bytes. You have sent 1048577 bytes.";
    assert_refused!(jobs.send_batch(entries), "BatchRequestTooLong", text);
    assert_eq!(counts(&jobs), [0, 0, 0]);
}

#[test]
fn b17_a_batch_of_20_is_refused() {
    let jobs = standard(&ManualClock::default()).build().unwrap();
    let entries = (0..20).map(|id| SendBatchEntry::new(format!("id-{id}"), "x"));
    let text = "Maximum number of entries per request are 10. You have sent 20.";
    assert_refused!(jobs.send_batch(entries), "TooManyEntriesInBatchRequest", text);
    assert_eq!(counts(&jobs), [0, 0, 0]);
}

#[test]
fn b18_a_second_purge_at_once_is_refused() {
    let jobs = standard(&ManualClock::default()).build().unwrap();
    assert_eq!(jobs.purge(), Ok(()));
    let text = "Only one PurgeQueue operation on jobs is allowed every 60 seconds.";
    assert_refused!(jobs.purge(), "PurgeQueueInProgress", text);
}

#[test]
fn b19_purge_deletes_messages_in_flight_and_delayed_ones() {
    let jobs = standard(&ManualClock::default()).build().unwrap();
    jobs.send("m1").unwrap();
    take(&jobs);
    jobs.send(SendMessage::new("m2").delay(secs(10))).unwrap();
    assert_eq!(counts(&jobs), [0, 1, 1]);
    jobs.purge().unwrap();
    assert_eq!(counts(&jobs), [0, 0, 0]);
}

#[test]
fn b22_a_group_id_on_a_standard_queue_is_returned_without_a_sequence_number() {
    let jobs = standard(&ManualClock::default()).build().unwrap();
    let sent = jobs.send(SendMessage::new("m").message_group_id("test")).unwrap();
    let message = take(&jobs);
    assert_eq!(message.message_group_id(), Some("test"));
    assert_eq!((sent.sequence_number, message.sequence_number()), (None, None));
}

#[test]
fn b23_a_malformed_group_id_is_refused_on_a_standard_queue() {
    let jobs = standard(&ManualClock::default()).build().unwrap();
    for group in ["group 123", "", &"g".repeat(129)] {
        let text = format!(
            "Value {group} for parameter MessageGroupId is invalid. Reason: MessageGroupId can only include \
             alphanumeric and punctuation characters. 1 to 128 in length."
        );
        let sent = jobs.send(SendMessage::new("m").message_group_id(group));
        assert_refused!(sent, "InvalidParameterValue", text);
    }
    assert_eq!(counts(&jobs), [0, 0, 0]);
}

#[test]
fn b24_a_name_pattern_selects_by_prefix_without_its_dot() {
    let jobs = standard(&ManualClock::default()).build().unwrap();
    let names = ["Hello", "Help.Me", "General"];
    let attributes = names.map(|name| (name, MessageAttributeValue::string("v")));
    jobs.send(SendMessage::new("m").attributes(attributes.into_iter().collect()))
        .unwrap();
    let messages = jobs.receive().message_attribute_names(["Hel.*"]).blocking().unwrap();
    let names: Vec<_> = messages[0].attributes().iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["Hello", "Help.Me"]);
}

#[test]
fn b25_a_dead_letter_keeps_its_id_and_count_and_names_its_source() {
    let clock = ManualClock::default();
    let dead = Queue::standard("dead").clock(&clock).build().unwrap();
    let builder = standard(&clock).visibility_timeout(Duration::ZERO);
    let jobs = builder.dead_letter(&dead, 1).build().unwrap();
    let sent = jobs.send("m").unwrap();
    assert_eq!(bodies(&receive(&jobs, 1)), ["m"]);
    assert!(receive(&jobs, 1).is_empty());
    let message = take_for(&dead, VISIBILITY);
    assert_eq!(
        (message.message_id(), message.approximate_receive_count()),
        (sent.message_id, 2)
    );
    assert_eq!(message.dead_letter_queue_source_arn(), Some(jobs.arn()));
}
