//! `Queue::send`: what is stored, when it can be received, and what is refused in which words.

use crate::common;

use {
    common::{VISIBILITY, assert_refused, bodies, counts, fifo, in_group, receive, secs, standard, take, wait_for},
    requeue::{
        Clock, ManualClock, MessageAttributeValue, MessageId, MessagePhase, Queue, QueueAttributes, SendMessage,
    },
    std::{
        pin::pin,
        sync::Arc,
        task::{Context, Poll, Waker},
        time::Duration,
    },
};

fn delayed(body: &str, delay: Duration) -> SendMessage {
    SendMessage::new(body).delay(delay)
}

#[test]
fn a_message_is_stored_and_counted_before_the_send_returns() {
    // D2
    let clock = ManualClock::default();
    for jobs in [standard(&clock).build().unwrap(), fifo(&clock).build().unwrap()] {
        let group = if jobs.is_fifo() { Some("g") } else { None };
        let message = group.map_or_else(|| SendMessage::new("m"), |group| in_group(group, "m"));
        jobs.send(message).unwrap();
        assert_eq!(counts(&jobs), [1, 0, 0]);
        assert_eq!(take(&jobs).body(), "m");
    }
}

#[test]
fn more_messages_are_stored_than_may_be_in_flight() {
    // D2
    let jobs = standard(&ManualClock::default()).build().unwrap();
    for _ in 0..120_001 {
        jobs.send("m").unwrap();
    }
    assert_eq!(counts(&jobs), [120_001, 0, 0]);
}

#[test]
fn every_kind_of_text_is_a_message() {
    let jobs = standard(&ManualClock::default()).build().unwrap();
    jobs.send("str").unwrap();
    jobs.send(String::from("String")).unwrap();
    jobs.send(Arc::<str>::from("Arc")).unwrap();
    jobs.send(SendMessage::new("SendMessage")).unwrap();
    assert_eq!(bodies(&receive(&jobs, 10)), ["str", "String", "Arc", "SendMessage"]);
}

#[test]
fn send_async_is_ready_at_once() {
    let jobs = standard(&ManualClock::default()).build().unwrap();
    let mut send = pin!(jobs.send_async("m"));
    let Poll::Ready(Ok(sent)) = send.as_mut().poll(&mut Context::from_waker(Waker::noop())) else {
        panic!("it waits for nothing")
    };
    assert_eq!(take(&jobs).message_id(), sent.message_id);
}

#[test]
fn a_body_comes_back_byte_for_byte() {
    // M2 M4 M5
    let jobs = standard(&ManualClock::default()).build().unwrap();
    for body in [
        "a\r\nb\rc\nd\te",
        "{\"json\": [1, 2",
        " ",
        "\u{7f}\u{85}\u{fffd}\u{1fffe}\u{10ffff}",
        "\u{d7ff}\u{e000}",
    ] {
        jobs.send(body).unwrap();
        let message = take(&jobs);
        assert_eq!(message.body(), body);
    }
}

#[test]
fn an_empty_body_is_a_missing_parameter() {
    // M1
    let jobs = standard(&ManualClock::default()).build().unwrap();
    let text = "The request must contain the parameter MessageBody.";
    assert_refused!(jobs.send(""), "MissingParameter", text);
    assert_eq!(counts(&jobs), [0, 0, 0]);
}

#[test]
fn a_body_with_a_forbidden_character_is_refused() {
    // M2 M3
    let jobs = standard(&ManualClock::default()).build().unwrap();
    let text = "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to \
                #xFFFD | #x10000 to #x10FFFF";
    for character in [
        '\0', '\u{8}', '\u{b}', '\u{c}', '\u{e}', '\u{1f}', '\u{fffe}', '\u{ffff}',
    ] {
        let body = format!("before{character}after");
        assert_refused!(jobs.send(body), "InvalidMessageContents", text);
    }
    assert_eq!(counts(&jobs), [0, 0, 0]);
}

#[test]
fn a_message_may_be_as_long_as_its_queue_says() {
    // M6 M8
    let builder = standard(&ManualClock::default()).maximum_message_size(1_024);
    let jobs = builder.build().unwrap();
    jobs.send("\u{e9}".repeat(512)).unwrap();
    let text = "One or more parameters are invalid. Reason: Message must be shorter than 1024 bytes.";
    assert_refused!(jobs.send("\u{e9}".repeat(512) + "x"), "InvalidParameterValue", text);
}

#[test]
fn system_attributes_and_ids_do_not_count_toward_the_size() {
    // M7
    let builder = fifo(&ManualClock::default()).maximum_message_size(1_024);
    let jobs = builder.build().unwrap();
    let message = in_group(&"g".repeat(128), &"x".repeat(1_024)).message_deduplication_id("d".repeat(128));
    assert!(
        jobs.send(message.aws_trace_header("Root=1-5759e988-bd862e3fe1be46a994272793"))
            .is_ok()
    );
}

#[test]
fn a_larger_maximum_message_size_acts_on_the_next_send() {
    // Q39 Q40
    let builder = standard(&ManualClock::default()).maximum_message_size(2_000);
    let jobs = builder.build().unwrap();
    jobs.send("x".repeat(2_000)).unwrap();
    let smaller = QueueAttributes::new().maximum_message_size(1_024);
    jobs.set_attributes(smaller).unwrap();
    assert!(jobs.send("x".repeat(1_025)).is_err());
    assert_eq!(take(&jobs).body().len(), 2_000, "what is stored stays");
    jobs.set_attributes(QueueAttributes::new().maximum_message_size(1_025))
        .unwrap();
    assert!(jobs.send("x".repeat(1_025)).is_ok());
}

#[test]
fn a_standard_queue_answers_with_an_id_and_no_sequence_number() {
    // M48 M49 F39
    let jobs = standard(&ManualClock::default()).build().unwrap();
    let sent = jobs.send("m").unwrap();
    let message = take(&jobs);
    assert_eq!(sent.message_id, message.message_id());
    assert_eq!((sent.sequence_number, message.sequence_number()), (None, None));
    let text = sent.message_id.to_string();
    assert_eq!((text.len(), text.parse::<MessageId>()), (36, Ok(sent.message_id)));
}

#[test]
fn a_fifo_queue_answers_with_the_sequence_number_that_is_received() {
    // M49 F37
    let jobs = fifo(&ManualClock::default()).build().unwrap();
    let sent = jobs.send(in_group("g", "m")).unwrap();
    let message = take(&jobs);
    assert_eq!(sent.message_id, message.message_id());
    assert!(sent.sequence_number.is_some());
    assert_eq!(sent.sequence_number, message.sequence_number());
}

#[test]
fn every_message_has_an_id_of_its_own() {
    // M48
    let jobs = standard(&ManualClock::default()).build().unwrap();
    let mut ids: Vec<_> = (0..100).map(|_| jobs.send("same").unwrap().message_id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 100);
}

#[test]
fn one_seed_draws_the_same_ids_and_handles_again() {
    let draw = |seed| {
        let jobs = standard(&ManualClock::default()).seed(seed).build().unwrap();
        let sent = jobs.send("m").unwrap();
        (sent.message_id, take(&jobs).receipt_handle())
    };
    assert_eq!(draw(7), draw(7));
    assert_ne!(draw(7).0, draw(8).0);
}

#[test]
fn a_delayed_message_is_counted_as_delayed_and_cannot_be_received() {
    // D36
    let clock = ManualClock::default();
    let jobs = standard(&clock).build().unwrap();
    let sent = clock.now();
    jobs.send(delayed("m", secs(10))).unwrap();
    assert_eq!(counts(&jobs), [0, 0, 1]);
    let stored = &jobs.snapshot().messages[0];
    let until = sent.saturating_add(secs(10));
    assert_eq!(
        (stored.phase, stored.approximate_receive_count),
        (MessagePhase::Delayed { until }, 0)
    );
    clock.advance_to(until.saturating_sub(common::MILLISECOND));
    assert!(receive(&jobs, 1).is_empty());
    clock.advance_to(until);
    assert_eq!(counts(&jobs), [1, 0, 0]);
    assert_eq!(take(&jobs).approximate_receive_count(), 1);
}

#[test]
fn the_sent_timestamp_is_that_of_the_send_and_not_of_the_end_of_the_delay() {
    // D3
    let clock = ManualClock::default();
    let jobs = standard(&clock).build().unwrap();
    let sent = clock.now();
    jobs.send(delayed("m", secs(10))).unwrap();
    clock.advance(secs(60));
    assert_eq!(take(&jobs).sent_timestamp(), sent);
}

#[test]
fn a_delay_counts_whole_milliseconds() {
    // X1
    let clock = ManualClock::default();
    let jobs = standard(&clock).build().unwrap();
    let until = clock.now().saturating_add(secs(10));
    jobs.send(delayed("m", secs(10) + Duration::from_nanos(999_999)))
        .unwrap();
    assert_eq!(jobs.snapshot().messages[0].phase, MessagePhase::Delayed { until });
}

#[test]
fn the_delay_of_a_message_beats_that_of_its_queue() {
    // D33
    let clock = ManualClock::default();
    let jobs = standard(&clock).delay(secs(5)).build().unwrap();
    jobs.send(delayed("at once", Duration::ZERO)).unwrap();
    jobs.send("after 5 s").unwrap();
    jobs.send(delayed("after 2 s", secs(2))).unwrap();
    assert_eq!(bodies(&receive(&jobs, 10)), ["at once"]);
    clock.advance(secs(2));
    assert_eq!(bodies(&receive(&jobs, 10)), ["after 2 s"]);
    clock.advance(secs(3));
    assert_eq!(bodies(&receive(&jobs, 10)), ["after 5 s"]);
}

#[test]
fn a_delay_out_of_range_is_refused() {
    // D32
    let jobs = standard(&ManualClock::default()).build().unwrap();
    let text = "Value 901 for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900.";
    assert_refused!(jobs.send(delayed("m", secs(901))), "InvalidParameterValue", text);
}

#[test]
fn a_new_delay_of_a_standard_queue_leaves_waiting_messages_alone() {
    // D35 Q40
    let clock = ManualClock::default();
    let jobs = standard(&clock).delay(secs(10)).build().unwrap();
    jobs.send("before").unwrap();
    jobs.set_attributes(QueueAttributes::new().delay(secs(20))).unwrap();
    jobs.send("after").unwrap();
    clock.advance(secs(10));
    assert_eq!(bodies(&receive(&jobs, 10)), ["before"]);
    clock.advance(secs(10));
    assert_eq!(bodies(&receive(&jobs, 10)), ["after"]);
}

#[test]
fn a_new_delay_of_a_fifo_queue_counts_from_the_send_of_waiting_messages() {
    // D35 Q40
    let clock = ManualClock::default();
    let jobs = fifo(&clock).delay(secs(60)).build().unwrap();
    let sent = clock.now();
    jobs.send(in_group("g", "m")).unwrap();
    clock.advance(secs(5));
    jobs.set_attributes(QueueAttributes::new().delay(secs(20))).unwrap();
    assert_eq!(
        bodies(&wait_for(&clock, jobs.receive().wait_time(secs(20))).unwrap()),
        ["m"]
    );
    assert_eq!(clock.now(), sent.saturating_add(secs(20)));

    jobs.send(in_group("g2", "n")).unwrap();
    clock.advance(secs(5));
    jobs.set_attributes(QueueAttributes::new().delay(secs(5))).unwrap();
    assert_eq!(bodies(&receive(&jobs, 1)), ["n"], "the new delay is over already");
}

#[test]
fn a_fifo_queue_takes_a_delay_of_zero_for_its_own_and_refuses_any_other() {
    // D34 F6
    let clock = ManualClock::default();
    let jobs = fifo(&clock).delay(secs(2)).build().unwrap();
    jobs.send(in_group("g", "m").delay(Duration::ZERO)).unwrap();
    assert_eq!(counts(&jobs), [0, 0, 1]);
    let text = "Value 1 for parameter DelaySeconds is invalid. Reason: The request include parameter that is not valid \
                for this queue type.";
    assert_refused!(
        jobs.send(in_group("g", "n").delay(secs(1))),
        "InvalidParameterValue",
        text
    );
    clock.advance(secs(2));
    assert_eq!(bodies(&receive(&jobs, 10)), ["m"]);
}

const ALPHABET: &str = "can only include alphanumeric and punctuation characters. 1 to 128 in length.";

#[test]
fn a_malformed_group_id_is_refused_by_both_types_of_queue() {
    // F1
    let clock = ManualClock::default();
    for jobs in [standard(&clock).build().unwrap(), fifo(&clock).build().unwrap()] {
        for id in ["", "a b", "\u{e9}", "tab\t", &"g".repeat(129)] {
            let text = format!("Value {id} for parameter MessageGroupId is invalid. Reason: MessageGroupId {ALPHABET}");
            assert_refused!(jobs.send(in_group(id, "m")), "InvalidParameterValue", text);
        }
        let punctuation = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";
        assert_eq!(punctuation.len(), 32);
        for id in [punctuation, "azAZ09", &"g".repeat(128)] {
            jobs.send(in_group(id, id)).unwrap();
            assert_eq!(take(&jobs).message_group_id(), Some(id));
        }
    }
}

#[test]
fn a_fifo_message_needs_a_group() {
    // F2
    let jobs = fifo(&ManualClock::default()).build().unwrap();
    let text = "The request must contain the parameter MessageGroupId.";
    assert_refused!(jobs.send("m"), "MissingParameter", text);
}

#[test]
fn a_malformed_deduplication_id_is_refused() {
    // F3
    let jobs = fifo(&ManualClock::default()).build().unwrap();
    for id in ["", "a b", "\u{e9}", &"d".repeat(129)] {
        let text = format!(
            "Value {id} for parameter MessageDeduplicationId is invalid. Reason: MessageDeduplicationId {ALPHABET}"
        );
        let sent = jobs.send(in_group("g", "m").message_deduplication_id(id));
        assert_refused!(sent, "InvalidParameterValue", text);
    }
    let longest = "d".repeat(128);
    jobs.send(in_group("g", "m").message_deduplication_id(&*longest))
        .unwrap();
    assert_eq!(take(&jobs).message_deduplication_id(), Some(&*longest));
}

#[test]
fn a_standard_queue_takes_no_deduplication_id() {
    // F4
    let jobs = standard(&ManualClock::default()).build().unwrap();
    let text = "Value d for parameter MessageDeduplicationId is invalid. Reason: The request includes a parameter that \
                is not valid for this queue type.";
    let sent = jobs.send(SendMessage::new("m").message_deduplication_id("d"));
    assert_refused!(sent, "InvalidParameterValue", text);
}

#[test]
fn of_two_bad_ids_the_group_is_named_first() {
    // F5
    let jobs = fifo(&ManualClock::default()).build().unwrap();
    let error = jobs
        .send(in_group("a b", "m").message_deduplication_id("c d"))
        .unwrap_err();
    assert!(error.to_string().contains("MessageGroupId"), "{error}");
    let error = jobs
        .send(SendMessage::new("m").message_deduplication_id("c d"))
        .unwrap_err();
    assert_eq!(error.code(), "MissingParameter");
}

#[test]
fn a_fifo_message_needs_a_deduplication_id_if_its_content_is_none() {
    // F8
    let builder = fifo(&ManualClock::default()).content_based_deduplication(false);
    let jobs = builder.build().unwrap();
    let text = "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided \
                explicitly";
    assert_refused!(jobs.send(in_group("g", "m")), "InvalidParameterValue", text);
    jobs.send(in_group("g", "m").message_deduplication_id("d")).unwrap();
    let by_content = QueueAttributes::new().content_based_deduplication(true);
    jobs.set_attributes(by_content).unwrap();
    jobs.send(in_group("g", "m")).unwrap();
    assert_eq!(counts(&jobs), [2, 0, 0]);
}

#[test]
fn what_is_missing_is_named_before_what_is_out_of_range_and_that_before_the_content() {
    // X11
    let jobs = standard(&ManualClock::default()).build().unwrap();
    let code = |message: SendMessage| jobs.send(message).unwrap_err().to_string();
    let empty = SendMessage::new("").delay(secs(901)).message_group_id("a b");
    assert!(code(empty).contains("MessageBody"));
    let late = SendMessage::new("\0").delay(secs(901)).message_group_id("a b");
    assert!(code(late).contains("DelaySeconds"));
    let grouped = SendMessage::new("\0").message_group_id("a b");
    assert!(code(grouped).contains("MessageGroupId"));
    assert!(code(SendMessage::new("\0")).contains("Invalid characters"));
    jobs.delete_queue().unwrap();
    assert_eq!(
        jobs.send("").unwrap_err().code(),
        "MissingParameter",
        "before the queue is looked for"
    );
    assert_eq!(jobs.send("\0").unwrap_err().code(), "QueueDoesNotExist");
}

#[test]
fn a_deleted_queue_takes_no_message() {
    // Q36
    let jobs = standard(&ManualClock::default()).build().unwrap();
    jobs.delete_queue().unwrap();
    let text = "The specified queue does not exist.";
    assert_refused!(jobs.send("m"), "QueueDoesNotExist", text);
    assert_refused!(jobs.send_timeout("m", secs(5)), "QueueDoesNotExist", text);
}

#[test]
fn what_a_message_carries_comes_back() {
    // M46
    let clock = ManualClock::default();
    let attribute = MessageAttributeValue::number("1.50").label("EUR");
    let rich = SendMessage::new("m")
        .attribute("price", attribute.clone())
        .message_group_id("g")
        .aws_trace_header("Root=1");
    for jobs in [standard(&clock).build().unwrap(), fifo(&clock).build().unwrap()] {
        let sent = clock.now();
        jobs.send(rich.clone()).unwrap();
        clock.advance(secs(1));
        let message = take(&jobs);
        assert_eq!(message.attributes().get("price"), Some(&attribute));
        assert_eq!(message.message_group_id(), Some("g"));
        assert_eq!(message.aws_trace_header(), Some("Root=1"));
        assert_eq!(message.sent_timestamp(), sent);
        assert_eq!(message.approximate_first_receive_timestamp(), clock.now());
        assert_eq!(message.approximate_receive_count(), 1);
        assert_eq!(message.sender_id(), "000000000000");
        assert_eq!(message.dead_letter_queue_source_arn(), None);
        assert_eq!(message.message_deduplication_id().is_some(), jobs.is_fifo());
        assert_eq!(message.sequence_number().is_some(), jobs.is_fifo());
        assert_eq!(message.invisible_until(), clock.now().saturating_add(VISIBILITY));
        assert_eq!(message.queue().arn(), jobs.arn());
    }
}

#[test]
fn a_plain_message_carries_nothing_but_its_body() {
    // M46 X6
    let jobs = Queue::standard("jobs").clock(ManualClock::default()).build().unwrap();
    jobs.send("m").unwrap();
    let message = take(&jobs);
    assert!(message.attributes().is_empty());
    assert_eq!(message.message_group_id(), None);
    assert_eq!(message.message_deduplication_id(), None);
    assert_eq!(message.aws_trace_header(), None);
}
