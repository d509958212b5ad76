//! Scenarios B1 to B25: standard queues.

use {
    super::door::{
        Attribute::{DelaySeconds, MaximumMessageSize, MessageRetentionPeriod, RedrivePolicy, VisibilityTimeout},
        House, Poll, assert_refused, bodies,
    },
    crate::common::{millis, now, secs},
    requeue::{Clock, MessageAttributeValue, SendMessage},
};

pub(crate) fn b01_visibility_zero_leaves_the_message_for_the_next_receive(house: &House) {
    let jobs = house.standard([]);
    jobs.send("m").unwrap();
    assert_eq!(bodies(&jobs.receive_for(1, 0)), ["m"]);
    assert_eq!(bodies(&jobs.receive_for(1, 3)), ["m"]);
    assert!(jobs.receive(1).is_empty());
}

pub(crate) fn b02_an_older_handle_ends_the_newer_reception(house: &House) {
    let jobs = house.standard([]);
    jobs.send("m").unwrap();
    let first = jobs.take_for(0);
    jobs.take_for(3);
    jobs.change_visibility(&first.handle, 0).unwrap();
    assert_eq!(jobs.take().receive_count, 3);
}

pub(crate) fn b03_a_handle_deletes_after_its_visibility_timeout(house: &House) {
    let jobs = house.standard([VisibilityTimeout(1)]);
    jobs.send("m").unwrap();
    let message = jobs.take();
    house.clock.advance(secs(2));
    jobs.delete(&message.handle).unwrap();
    assert_eq!(jobs.counts(), [0, 0, 0]);
}

pub(crate) fn b04_changing_visibility_after_the_timeout_succeeds(house: &House) {
    let jobs = house.standard([VisibilityTimeout(1)]);
    jobs.send("m").unwrap();
    let message = jobs.take();
    house.clock.advance(secs(2));
    assert_eq!(jobs.change_visibility(&message.handle, 2), Ok(()));
}

pub(crate) fn b05_short_extensions_keep_a_message_hidden_until_they_stop(house: &House) {
    let jobs = house.standard([VisibilityTimeout(2)]);
    jobs.send("m").unwrap();
    let message = jobs.take();
    for _ in 0..4 {
        house.clock.advance(secs(1));
        jobs.change_visibility(&message.handle, 2).unwrap();
        assert!(jobs.receive(1).is_empty());
    }
    let last_extension = house.clock.now();
    assert_eq!(bodies(&house.wait_for(jobs.long_poll(5))), ["m"]);
    assert_eq!(house.clock.now(), last_extension.saturating_add(secs(2)));
}

pub(crate) fn b06_a_changed_timeout_is_not_remembered_by_the_next_receive(house: &House) {
    let jobs = house.standard([]);
    jobs.send("m").unwrap();
    jobs.change_visibility(&jobs.take().handle, 0).unwrap();
    assert_eq!(bodies(&jobs.receive(1)), ["m"]);
    assert!(jobs.receive(1).is_empty());
}

pub(crate) fn b07_a_message_that_timed_out_comes_before_one_sent_later(house: &House) {
    let jobs = house.standard([]);
    jobs.send("m1").unwrap();
    jobs.take_for(3);
    house.clock.advance(millis(1_500));
    jobs.send("m2").unwrap();
    house.clock.advance(millis(3_000));
    assert_eq!(bodies(&jobs.receive_for(1, 3)), ["m1"]);
}

pub(crate) fn b08_a_delayed_message_comes_when_its_delay_ends(house: &House) {
    let jobs = house.standard([]);
    let sent = house.clock.now();
    jobs.send(SendMessage::new("m").delay(secs(1))).unwrap();
    assert!(jobs.receive(1).is_empty());
    assert_eq!(bodies(&house.wait_for(jobs.long_poll(2))), ["m"]);
    assert_eq!(house.clock.now(), sent.saturating_add(secs(1)));
}

pub(crate) fn b09_retention_ends_messages_in_flight_and_their_handles_still_delete(house: &House) {
    let jobs = house.standard([MessageRetentionPeriod(60), VisibilityTimeout(60)]);
    jobs.send("m1").unwrap();
    jobs.send("m2").unwrap();
    house.clock.advance(secs(5));
    let message = jobs.take();
    assert_eq!(message.body, "m1");
    house.clock.advance(secs(61));
    assert!(jobs.receive(1).is_empty());
    house.clock.advance(secs(8));
    assert!(jobs.receive(1).is_empty());
    assert_eq!(jobs.delete(&message.handle), Ok(()));
}

pub(crate) fn b10_deleting_twice_with_one_handle_succeeds(house: &House) {
    let jobs = house.standard([]);
    jobs.send("m").unwrap();
    let handle = jobs.take().handle;
    assert_eq!(jobs.delete(&handle), Ok(()));
    assert_eq!(jobs.delete(&handle), Ok(()));
}

pub(crate) fn b11_the_visibility_of_a_deleted_message_cannot_be_changed(house: &House) {
    let jobs = house.standard([]);
    jobs.send("m").unwrap();
    let message = jobs.take();
    jobs.delete(&message.handle).unwrap();
    let text = format!(
        "Value {} for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available for \
         visibility timeout change.",
        message.handle
    );
    assert_refused(
        jobs.change_visibility(&message.handle, 10),
        "InvalidParameterValue",
        text,
    );
}

pub(crate) fn b12_garbage_is_no_receipt_handle(house: &House) {
    let jobs = house.standard([]);
    let text = "The input receipt handle \"garbage\" is not a valid receipt handle.";
    assert_refused(jobs.delete("garbage"), "ReceiptHandleIsInvalid", text);
}

/// A message of `size` bytes, 17 of which are an attribute.
fn sized(size: usize) -> SendMessage {
    SendMessage::new("x".repeat(size - 17)).attribute("kind", MessageAttributeValue::string("picture"))
}

pub(crate) fn b13_attributes_count_toward_the_size_limit(house: &House) {
    let jobs = house.standard([MaximumMessageSize(1_024)]);
    let text = "One or more parameters are invalid. Reason: Message must be shorter than 1024 bytes.";
    assert_eq!(sized(1_025).size_bytes(), 1_025);
    assert_refused(jobs.send(sized(1_025)), "InvalidParameterValue", text);
}

pub(crate) fn b14_an_oversized_entry_fails_alone(house: &House) {
    let jobs = house.standard([MaximumMessageSize(1_024)]);
    let result = jobs
        .send_batch([("large", sized(1_025)), ("small", "x".into())])
        .unwrap();
    let text = "One or more parameters cannot be validated. Reason: Message must be shorter than 1024 bytes.";
    let [failure] = &result.failed[..] else {
        panic!("one entry fails: {result:?}")
    };
    assert_eq!((&*failure.id, failure.sender_fault), ("large", true));
    assert_refused(Err::<(), _>(failure.refusal.clone()), "InvalidParameterValue", text);
    assert_eq!(result.successful, ["small"]);
    assert_eq!(jobs.counts(), [1, 0, 0]);
}

pub(crate) fn b15_the_limit_of_a_queue_does_not_bound_the_total_of_a_batch(house: &House) {
    let jobs = house.standard([MaximumMessageSize(2_048)]);
    let result = jobs.send_batch([("0", sized(1_500)), ("1", sized(1_500))]).unwrap();
    assert_eq!(result.successful, ["0", "1"]);
    assert!(result.failed.is_empty());
}

pub(crate) fn b16_a_batch_of_more_than_1_mib_stores_nothing(house: &House) {
    let jobs = house.standard([]);
    let sizes = [262_144, 262_144, 262_144, 262_144, 1];
    let entries = sizes.into_iter().enumerate().map(|(id, size)| (id, "x".repeat(size)));
    let text = "Batch requests cannot be longer than 1048576 bytes. You have sent 1048577 bytes.";
    assert_refused(jobs.send_batch(entries), "BatchRequestTooLong", text);
    assert_eq!(jobs.counts(), [0, 0, 0]);
}

pub(crate) fn b17_a_batch_of_20_is_refused(house: &House) {
    let jobs = house.standard([]);
    let entries = (0..20).map(|id| (id, "x"));
    let text = "Maximum number of entries per request are 10. You have sent 20.";
    assert_refused(jobs.send_batch(entries), "TooManyEntriesInBatchRequest", text);
    assert_eq!(jobs.counts(), [0, 0, 0]);
}

pub(crate) fn b18_a_second_purge_at_once_is_refused(house: &House) {
    let jobs = house.standard([]);
    assert_eq!(jobs.purge(), Ok(()));
    let text = "Only one PurgeQueue operation on jobs is allowed every 60 seconds.";
    assert_refused(jobs.purge(), "PurgeQueueInProgress", text);
}

pub(crate) fn b19_purge_deletes_messages_in_flight_and_delayed_ones(house: &House) {
    let jobs = house.standard([]);
    jobs.send("m1").unwrap();
    jobs.take();
    jobs.send(SendMessage::new("m2").delay(secs(10))).unwrap();
    assert_eq!(jobs.counts(), [0, 1, 1]);
    jobs.purge().unwrap();
    assert_eq!(jobs.counts(), [0, 0, 0]);
}

pub(crate) fn b20_attributes_given_are_compared_with_the_current_values(house: &House) {
    // Q29 Q30
    let jobs = house.standard([VisibilityTimeout(1)]);
    jobs.set_attributes(vec![VisibilityTimeout(2)]).unwrap();
    let text = "A queue already exists with the same name and a different value for attribute VisibilityTimeout";
    let different = house.create("jobs", [VisibilityTimeout(1)]);
    assert_refused(different, "QueueNameExists", text);
    assert_eq!(house.standard([VisibilityTimeout(2)]).url(), jobs.url());
    assert_eq!(house.standard([]).url(), jobs.url());
}

pub(crate) fn b21_a_default_given_explicitly_equals_an_unset_attribute(house: &House) {
    // Q31
    let jobs = house.standard([]);
    assert_eq!(house.standard([DelaySeconds(0)]).url(), jobs.url());
}

pub(crate) fn b22_a_group_id_on_a_standard_queue_is_returned_without_a_sequence_number(house: &House) {
    let jobs = house.standard([]);
    let sent = jobs.send(SendMessage::new("m").message_group_id("test")).unwrap();
    let message = jobs.take();
    assert_eq!(message.group_id.as_deref(), Some("test"));
    assert_eq!((sent.sequence_number, message.sequence_number), (None, None));
}

pub(crate) fn b23_a_malformed_group_id_is_refused_on_a_standard_queue(house: &House) {
    let jobs = house.standard([]);
    for group in ["group 123", "", &"g".repeat(129)] {
        let text = format!(
            "Value {group} for parameter MessageGroupId is invalid. Reason: MessageGroupId can only include \
             alphanumeric and punctuation characters. 1 to 128 in length."
        );
        let sent = jobs.send(SendMessage::new("m").message_group_id(group));
        assert_refused(sent, "InvalidParameterValue", text);
    }
    assert_eq!(jobs.counts(), [0, 0, 0]);
}

pub(crate) fn b24_a_name_pattern_selects_by_prefix_without_its_dot(house: &House) {
    let jobs = house.standard([]);
    let names = ["Hello", "Help.Me", "General"];
    let attributes = names.map(|name| (name, MessageAttributeValue::string("v")));
    jobs.send(SendMessage::new("m").attributes(attributes.into_iter().collect()))
        .unwrap();
    let poll = Poll {
        max_messages: 1,
        attribute_names: vec!["Hel.*".to_owned()],
        ..Poll::default()
    };
    let messages = now(jobs.receive_message(poll)).unwrap();
    assert_eq!(messages[0].attribute_names, ["Hello", "Help.Me"]);
    // The native API has no digests.
    let of_both = house.door.has_digests().then_some("bcedf0baa7a20ca5d1f2265d045127b4");
    assert_eq!(messages[0].digest.as_deref(), of_both);
}

pub(crate) fn b25_a_dead_letter_keeps_its_id_and_count_and_names_its_source(house: &House) {
    let dead = house.create("dead", []).unwrap();
    let jobs = house.standard([RedrivePolicy(dead.arn(), 1), VisibilityTimeout(0)]);
    let sent = jobs.send("m").unwrap();
    assert_eq!(bodies(&jobs.receive(1)), ["m"]);
    assert!(jobs.receive(1).is_empty());
    let message = dead.take();
    assert_eq!((message.message_id, message.receive_count), (sent.message_id, 2));
    assert_eq!(message.dead_letter_source, Some(jobs.arn()));
}
