//! The three batch calls: what refuses the whole call, what fails one entry, and in which order (M31-M43).

use {
    crate::common::{
        VISIBILITY, assert_refused, bodies, counts, each_with_one_in_flight, fifo, in_group, receive, secs, standard,
        take, take_for,
    },
    requeue::{
        BatchResult, ChangeVisibilityBatchEntry, DeleteBatchEntry, ManualClock, MessageAttributeValue, Queue,
        ReceiptHandle, SendBatchEntry, SendMessage,
    },
    std::{
        pin::pin,
        task::{Context, Poll, Waker},
        time::Duration,
    },
};

const BAD_ID: &str = "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at \
                      most 80 letters long.";

fn jobs() -> Queue {
    standard(&ManualClock::default()).build().unwrap()
}

fn handle() -> ReceiptHandle {
    let jobs = jobs();
    jobs.send("m").unwrap();
    take(&jobs).receipt_handle()
}

/// Id, code and fault of each failed entry.
fn failures<T>(result: &BatchResult<T>) -> Vec<(&str, &str, bool)> {
    let failed = result.failed.iter();
    failed.map(|it| (&*it.id, it.code, it.sender_fault)).collect()
}

fn successes<T>(result: &BatchResult<T>) -> Vec<&str> {
    result.successful.iter().map(|it| &*it.id).collect()
}

#[test]
fn a_batch_without_entries_is_refused() {
    // M31
    let jobs = jobs();
    let text = |entry| format!("There should be at least one {entry} in the request.");
    let sent = jobs.send_batch(Vec::<SendMessage>::new());
    assert_refused!(sent, "EmptyBatchRequest", text("SendMessageBatchRequestEntry"));
    let deleted = jobs.delete_batch(Vec::<DeleteBatchEntry>::new());
    assert_refused!(deleted, "EmptyBatchRequest", text("DeleteMessageBatchRequestEntry"));
    let changed = jobs.change_visibility_batch(Vec::<ChangeVisibilityBatchEntry>::new());
    assert_refused!(
        changed,
        "EmptyBatchRequest",
        text("ChangeMessageVisibilityBatchRequestEntry")
    );
}

#[test]
fn an_entry_id_is_1_to_80_letters_digits_hyphens_and_underscores() {
    // M32 M37
    let jobs = jobs();
    let held = handle();
    for id in ["", "a b", "a.b", "\u{e9}", "a/b", &"i".repeat(81)] {
        let entries = [
            SendBatchEntry::new("good", "m"),
            SendBatchEntry::new(id.to_owned(), "m"),
        ];
        assert_refused!(jobs.send_batch(entries), "InvalidBatchEntryId", BAD_ID);
        let deleted = jobs.delete_batch([DeleteBatchEntry::new(id.to_owned(), held)]);
        assert_refused!(deleted, "InvalidBatchEntryId", BAD_ID);
        let change = ChangeVisibilityBatchEntry::new(id.to_owned(), held, secs(1));
        assert_refused!(jobs.change_visibility_batch([change]), "InvalidBatchEntryId", BAD_ID);
    }
    assert_eq!(counts(&jobs), [0, 0, 0]);
    let longest = "i".repeat(80);
    let result = jobs.send_batch([
        SendBatchEntry::new(longest.clone(), "m"),
        SendBatchEntry::new("-_aZ9", "m"),
    ]);
    assert_eq!(successes(&result.unwrap()), [&*longest, "-_aZ9"]);
}

#[test]
fn the_total_of_a_batch_is_bounded_by_1_mib_whatever_the_queue_says() {
    // M10 M33
    for limit in [262_144, 1_048_576] {
        let builder = standard(&ManualClock::default()).maximum_message_size(limit);
        let jobs = builder.build().unwrap();
        let parts = [262_144 - 1, 262_144, 262_144, 262_144];
        let result = jobs.send_batch(parts.map(|size| "x".repeat(size))).unwrap();
        assert_eq!(result.successful.len(), 4);
        let attribute = MessageAttributeValue::string("v");
        let [a, b, c, d] = parts.map(|size| SendMessage::new("x".repeat(size)));
        let text = "Batch requests cannot be longer than 1048576 bytes. You have sent 1048583 bytes.";
        let sent = jobs.send_batch([a.attribute("n", attribute), b, c, d]);
        assert_refused!(sent, "BatchRequestTooLong", text);
        assert_eq!(counts(&jobs), [4, 0, 0]);
    }
}

#[test]
fn no_two_entries_share_an_id() {
    // M34 M37
    let jobs = jobs();
    let held = handle();
    let ids = ["a", "b", "c", "b", "a"];
    assert_refused!(
        jobs.send_batch(ids.map(|id| (id, "m"))),
        "BatchEntryIdsNotDistinct",
        "Id b repeated."
    );
    let deleted = jobs.delete_batch(ids.map(|id| (id, held)));
    assert_refused!(deleted, "BatchEntryIdsNotDistinct", "Id b repeated.");
    let changed = jobs.change_visibility_batch(ids.map(|id| (id, held, secs(1))));
    assert_refused!(changed, "BatchEntryIdsNotDistinct", "Id b repeated.");
    assert_eq!(counts(&jobs), [0, 0, 0]);
}

#[test]
fn ids_that_differ_in_case_are_distinct() {
    // M34
    let result = jobs().send_batch([("a", "m"), ("A", "m")]).unwrap();
    assert_eq!(successes(&result), ["a", "A"]);
}

#[test]
fn a_batch_has_at_most_ten_entries() {
    // M35 M37
    let jobs = jobs();
    let text = "Maximum number of entries per request are 10. You have sent 11.";
    assert_refused!(jobs.send_batch(["m"; 11]), "TooManyEntriesInBatchRequest", text);
    assert_refused!(jobs.delete_batch([handle(); 11]), "TooManyEntriesInBatchRequest", text);
    let ids = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"];
    let changed = jobs.change_visibility_batch(ids.map(|id| (id, handle(), secs(1))));
    assert_refused!(changed, "TooManyEntriesInBatchRequest", text);
    assert_eq!(counts(&jobs), [0, 0, 0]);
    assert_eq!(jobs.send_batch(["m"; 10]).unwrap().successful.len(), 10);
}

#[test]
fn one_fifo_entry_without_ids_refuses_the_whole_batch() {
    // M36 M37 F2 F8
    let clock = ManualClock::default();
    let jobs = fifo(&clock).build().unwrap();
    let text = "The request must contain the parameter MessageGroupId.";
    let sent = jobs.send_batch([in_group("g", "m"), "ungrouped".into()]);
    assert_refused!(sent, "InvalidParameterValue", text);
    let jobs = fifo(&clock).content_based_deduplication(false).build().unwrap();
    let text = "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided \
                explicitly";
    let sent = jobs.send_batch([in_group("g", "m").message_deduplication_id("d"), in_group("g", "n")]);
    assert_refused!(sent, "InvalidParameterValue", text);
    assert_eq!(counts(&jobs), [0, 0, 0]);
}

#[test]
fn a_fifo_entry_with_a_bad_id_or_a_delay_fails_alone() {
    // M37 M40 M41 D34 F1 F3
    let jobs = fifo(&ManualClock::default()).build().unwrap();
    let entries = [
        ("first", in_group("g", "m1")),
        ("group", in_group("a b", "m2")),
        ("id", in_group("g", "m3").message_deduplication_id("a b")),
        ("delay", in_group("g", "m4").delay(secs(1))),
        ("last", in_group("g", "m5").delay(Duration::ZERO)),
    ];
    let result = jobs.send_batch(entries).unwrap();
    assert_eq!(successes(&result), ["first", "last"]);
    let codes = ["group", "id", "delay"].map(|id| (id, "InvalidParameterValue", true));
    assert_eq!(failures(&result), codes);
    assert_eq!(bodies(&receive(&jobs, 10)), ["m1", "m5"]);
}

#[test]
fn the_checks_of_a_batch_come_in_their_order() {
    // M31-M36
    let jobs = fifo(&ManualClock::default())
        .maximum_message_size(1_048_576)
        .build()
        .unwrap();
    let code = |entries: Vec<SendBatchEntry>| jobs.send_batch(entries).unwrap_err().code();
    let large = "x".repeat(600_000);
    let entry = |id: &str, body: &str| SendBatchEntry::new(id.to_owned(), body);
    let mut entries = vec![entry("a b", &large), entry("c", &large), entry("c", "m")];
    entries.extend((0..8).map(|id| entry(&id.to_string(), "m")));
    assert_eq!(code(entries.clone()), "InvalidBatchEntryId");
    entries[0] = entry("a", &large);
    assert_eq!(code(entries.clone()), "BatchRequestTooLong");
    entries[0] = entry("a", "m");
    assert_eq!(code(entries.clone()), "BatchEntryIdsNotDistinct");
    entries[1] = entry("b", "m");
    assert_eq!(code(entries.clone()), "TooManyEntriesInBatchRequest");
    entries.pop();
    assert_eq!(code(entries), "InvalidParameterValue", "there is no group");
}

#[test]
fn a_deleted_queue_is_found_missing_before_a_batch_is_looked_at() {
    // X11
    let jobs = jobs();
    let held = handle();
    jobs.delete_queue().unwrap();
    let text = "The specified queue does not exist.";
    assert_refused!(jobs.send_batch(["m"; 11]), "QueueDoesNotExist", text);
    assert_refused!(jobs.delete_batch([held; 11]), "QueueDoesNotExist", text);
    let changed = jobs.change_visibility_batch([("a b", held, secs(1))]);
    assert_refused!(changed, "QueueDoesNotExist", text);
}

#[test]
fn every_entry_is_in_one_list_in_the_order_of_the_request() {
    // M38 M39 M41
    let jobs = standard(&ManualClock::default())
        .maximum_message_size(1_024)
        .build()
        .unwrap();
    let result = jobs
        .send_batch([
            ("ok-1", SendMessage::new("first")),
            ("long", SendMessage::new("x".repeat(1_025))),
            ("empty", SendMessage::new("")),
            ("character", SendMessage::new("\u{fffe}")),
            ("ok-2", SendMessage::new("second")),
            (
                "attribute",
                SendMessage::new("m").attribute("AWS.x", MessageAttributeValue::string("v")),
            ),
            ("delay", SendMessage::new("m").delay(secs(901))),
            ("group", SendMessage::new("m").message_group_id("a b")),
            ("id", SendMessage::new("m").message_deduplication_id("d")),
        ])
        .unwrap();
    assert_eq!(successes(&result), ["ok-1", "ok-2"]);
    let expected = [
        ("long", "InvalidParameterValue", true),
        ("empty", "MissingParameter", true),
        ("character", "InvalidMessageContents", true),
        ("attribute", "InvalidParameterValue", true),
        ("delay", "InvalidParameterValue", true),
        ("group", "InvalidParameterValue", true),
        ("id", "InvalidParameterValue", true),
    ];
    assert_eq!(failures(&result), expected);
    assert_eq!(bodies(&receive(&jobs, 10)), ["first", "second"]);
}

#[test]
fn a_failed_entry_says_why() {
    // M9 M39 D32
    let jobs = standard(&ManualClock::default())
        .maximum_message_size(1_024)
        .build()
        .unwrap();
    let result = jobs
        .send_batch(["x".repeat(1_025).into(), SendMessage::new("m").delay(secs(901))])
        .unwrap();
    let texts: Vec<_> = result.failed.iter().map(|it| &*it.message).collect();
    let expected = [
        "One or more parameters cannot be validated. Reason: Message must be shorter than 1024 bytes.",
        "Value 901 for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900.",
    ];
    assert_eq!(texts, expected);
}

#[test]
fn a_batch_of_which_every_entry_fails_succeeds_as_a_call() {
    // M38
    let result = jobs().send_batch(["", "\0"]).unwrap();
    assert_eq!((result.successful.len(), result.failed.len()), (0, 2));
}

#[test]
fn entries_without_ids_are_named_by_their_places() {
    let result = jobs().send_batch(["a", "", "c"]).unwrap();
    assert_eq!(successes(&result), ["0", "2"]);
    assert_eq!(failures(&result), [("1", "MissingParameter", true)]);
}

#[test]
fn a_batch_answers_as_single_sends_do() {
    // M40 M49 F37
    let jobs = fifo(&ManualClock::default()).build().unwrap();
    let result = jobs
        .send_batch([in_group("g", "m1"), in_group("h", "m2"), in_group("g", "m3")])
        .unwrap();
    let sent: Vec<_> = result.sent().copied().collect();
    assert!(
        sent.windows(2)
            .all(|pair| pair[0].sequence_number < pair[1].sequence_number)
    );
    let received = receive(&jobs, 10);
    assert_eq!(bodies(&received), ["m1", "m3", "m2"]);
    assert_eq!(received[1].message_id(), sent[2].message_id);
    assert_eq!(received[1].sequence_number(), sent[2].sequence_number);
}

#[test]
fn entries_are_stored_in_the_order_of_the_request() {
    // M40
    let jobs = fifo(&ManualClock::default()).build().unwrap();
    let sent: Vec<_> = (0..10).map(|number| number.to_string()).collect();
    let _ = jobs.send_batch(sent.iter().map(|body| in_group("g", body))).unwrap();
    assert_eq!(bodies(&receive(&jobs, 10)), sent);
}

#[test]
fn a_duplicate_in_a_batch_is_successful_with_the_id_of_its_original() {
    // M43 F11
    let jobs = fifo(&ManualClock::default()).build().unwrap();
    let result = jobs
        .send_batch([in_group("g", "m"), in_group("g", "m"), in_group("g", "n")])
        .unwrap();
    let sent: Vec<_> = result.sent().collect();
    assert_eq!((sent.len(), sent[0] == sent[1], sent[0] == sent[2]), (3, true, false));
    assert_eq!(counts(&jobs), [2, 0, 0]);
}

#[test]
fn a_delete_batch_deletes_entry_by_entry() {
    // M41 D19
    let jobs = jobs();
    let _ = jobs.send_batch(["m1", "m2", "m3"]).unwrap();
    let [m1, m2, _] = &receive(&jobs, 3)[..] else {
        panic!("three are received")
    };
    let foreign = handle_of_another_queue();
    let entries = [("a", m1.receipt_handle()), ("b", foreign), ("c", m2.receipt_handle())];
    let result = jobs.delete_batch(entries).unwrap();
    assert_eq!(successes(&result), ["a", "c"]);
    assert_eq!(failures(&result), [("b", "ReceiptHandleIsInvalid", true)]);
    let text = format!("The input receipt handle \"{foreign}\" is not a valid receipt handle.");
    assert_eq!(result.failed[0].message, text);
    assert_eq!(counts(&jobs), [0, 1, 0]);
}

fn handle_of_another_queue() -> ReceiptHandle {
    each_with_one_in_flight()[1].2.receipt_handle()
}

#[test]
fn one_handle_may_be_deleted_under_two_ids() {
    // M42
    for (_, jobs, message) in each_with_one_in_flight() {
        let handle = message.receipt_handle();
        let result = jobs.delete_batch([("a", handle), ("b", handle)]).unwrap();
        assert_eq!((successes(&result), result.failed.len()), (vec!["a", "b"], 0));
        assert_eq!(counts(&jobs), [0, 0, 0]);
    }
}

#[test]
fn an_expired_handle_fails_alone_in_a_fifo_delete_batch() {
    // M41 D19
    let clock = ManualClock::default();
    let jobs = fifo(&clock).build().unwrap();
    let _ = jobs.send_batch([in_group("g", "m1"), in_group("h", "m2")]).unwrap();
    let expired = take_for(&jobs, secs(1));
    let held = take(&jobs);
    clock.advance(secs(1));
    let result = jobs.delete_batch([&expired, &held]).unwrap();
    assert_eq!(failures(&result), [("0", "InvalidParameterValue", true)]);
    assert_eq!(successes(&result), ["1"]);
    assert_eq!(counts(&jobs), [1, 0, 0]);
}

#[test]
fn a_visibility_batch_changes_entry_by_entry() {
    // M41 D25 D26
    let clock = ManualClock::default();
    let jobs = standard(&clock).build().unwrap();
    let _ = jobs.send_batch(["m1", "m2", "m3", "m4", "m5"]).unwrap();
    let held = receive(&jobs, 5);
    clock.advance(secs(1));
    held[4].delete().unwrap();
    let result = jobs
        .change_visibility_batch([
            ("zero", held[0].receipt_handle(), Duration::ZERO),
            ("range", held[1].receipt_handle(), secs(43_201)),
            ("total", held[2].receipt_handle(), secs(43_200)),
            ("longer", held[3].receipt_handle(), secs(100)),
            ("gone", held[4].receipt_handle(), secs(1)),
            ("foreign", handle_of_another_queue(), secs(1)),
        ])
        .unwrap();
    assert_eq!(successes(&result), ["zero", "longer"]);
    let expected = [
        ("range", "InvalidParameterValue", true),
        ("total", "InvalidParameterValue", true),
        ("gone", "InvalidParameterValue", true),
        ("foreign", "ReceiptHandleIsInvalid", true),
    ];
    assert_eq!(failures(&result), expected);
    assert_eq!(counts(&jobs), [1, 3, 0]);
    clock.advance(VISIBILITY);
    assert_eq!(counts(&jobs), [3, 1, 0], "refused entries kept their timeout");
}

#[test]
fn messages_are_entries_of_both_batches() {
    for (_, jobs, message) in each_with_one_in_flight() {
        let result = jobs.change_visibility_batch([(&message, secs(60))]).unwrap();
        assert_eq!(successes(&result), ["0"]);
        let result = jobs.delete_batch(&[message]).unwrap();
        assert_eq!(successes(&result), ["0"]);
        assert_eq!(counts(&jobs), [0, 0, 0]);
    }
}

#[test]
fn an_entry_of_a_message_is_that_of_its_handle() {
    for (_, jobs, message) in each_with_one_in_flight() {
        let handle = message.receipt_handle();
        assert_eq!(DeleteBatchEntry::from(&message), DeleteBatchEntry::from(handle));
        assert_eq!(
            DeleteBatchEntry::from(("a", &message)),
            DeleteBatchEntry::new("a", handle)
        );
        let change = ChangeVisibilityBatchEntry::from((&message, secs(60)));
        assert_eq!(change, ChangeVisibilityBatchEntry::from((handle, secs(60))));
        assert_ne!(change, ChangeVisibilityBatchEntry::from(("a", &message, secs(60))));
        let result = jobs.change_visibility_batch([("a", &message, secs(60))]).unwrap();
        assert_eq!(successes(&result), ["a"]);
        let result = jobs.delete_batch([("a", &message), ("b", &message)]).unwrap();
        assert_eq!(successes(&result).first(), Some(&"a"));
        assert_eq!(counts(&jobs), [0, 0, 0]);
    }
}

#[test]
fn a_message_of_another_queue_is_no_entry_of_this_one() {
    // D19
    let (here, there) = (jobs(), Queue::standard("other").seed(2).build().unwrap());
    here.send("own").unwrap();
    there.send("foreign").unwrap();
    let messages = [take(&there), take(&here)];
    let result = here.delete_batch(&messages).unwrap();
    assert_eq!(failures(&result), [("0", "ReceiptHandleIsInvalid", true)]);
    assert!(
        result.failed[0]
            .message
            .contains(&messages[0].receipt_handle().to_string())
    );
    assert_eq!((counts(&here), counts(&there)), ([0, 0, 0], [0, 1, 0]));
}

#[test]
fn the_async_forms_are_ready_at_once() {
    let jobs = jobs();
    let context = &mut Context::from_waker(Waker::noop());
    let Poll::Ready(Ok(sent)) = pin!(jobs.send_batch_async(["m1", "m2"])).poll(context) else {
        panic!("sending waits for nothing")
    };
    assert_eq!(successes(&sent), ["0", "1"]);
    let held = receive(&jobs, 2);
    let changes = held.iter().map(|message| (message, secs(60)));
    let Poll::Ready(Ok(changed)) = pin!(jobs.change_visibility_batch_async(changes)).poll(context) else {
        panic!("changing waits for nothing")
    };
    assert_eq!(successes(&changed), ["0", "1"]);
    let Poll::Ready(Ok(deleted)) = pin!(jobs.delete_batch_async(&held)).poll(context) else {
        panic!("deleting waits for nothing")
    };
    assert_eq!(successes(&deleted), ["0", "1"]);
    assert_eq!(counts(&jobs), [0, 0, 0]);
}
