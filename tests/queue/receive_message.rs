//! `Queue::receive`: parameters, what comes in which order, and what a receive does to a message.

use {
    crate::common::{
        MILLISECOND, VISIBILITY, assert_refused, bodies, counts, fifo, in_group, millis, receive, receive_for, secs,
        standard, take, take_for, wait_for,
    },
    requeue::{Clock, Limits, ManualClock, MessageAttributeValue, Queue, QueueAttributes, SendMessage},
    std::{
        pin::pin,
        task::{Context, Poll, Waker},
        time::Duration,
    },
};

#[test]
fn max_messages_is_1_to_10() {
    // 3.2
    let jobs = standard(&ManualClock::default()).build().unwrap();
    for count in [0, 11, usize::MAX] {
        let text = format!(
            "Value {count} for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided."
        );
        assert_refused!(
            jobs.receive().max_messages(count).blocking(),
            "InvalidParameterValue",
            text
        );
    }
}

#[test]
fn a_visibility_timeout_is_at_most_12_hours() {
    // 3.2
    let jobs = standard(&ManualClock::default()).build().unwrap();
    let text = "Value 43201 for parameter VisibilityTimeout is invalid. Reason: Must be between 0 and 43200.";
    let refused = jobs.receive().visibility_timeout(secs(43_201)).blocking();
    assert_refused!(refused, "InvalidParameterValue", text);
}

#[test]
fn a_receive_may_ask_for_the_full_12_hours() {
    // D28
    let clock = ManualClock::default();
    let jobs = standard(&clock).build().unwrap();
    jobs.send("m").unwrap();
    let message = take_for(&jobs, secs(43_200));
    assert_eq!(message.invisible_until(), clock.now().saturating_add(secs(43_200)));
    clock.advance(secs(43_200) - MILLISECOND);
    assert!(receive(&jobs, 1).is_empty());
    clock.advance(MILLISECOND);
    assert_eq!(take(&jobs).body(), "m");
}

#[test]
fn a_wait_is_at_most_20_s() {
    // 3.2
    let jobs = standard(&ManualClock::default()).build().unwrap();
    let text = "Value 21 for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and <= 20, if provided.";
    assert_refused!(
        jobs.receive().wait_time(secs(21)).blocking(),
        "InvalidParameterValue",
        text
    );
}

#[test]
fn parameters_are_checked_in_the_order_of_the_model() {
    // X11
    let jobs = fifo(&ManualClock::default()).build().unwrap();
    let base = || jobs.receive().receive_request_attempt_id("a b");
    let refused = |receive: requeue::Receive<'_>| receive.blocking().unwrap_err().to_string();
    let all = base()
        .max_messages(0)
        .visibility_timeout(Duration::MAX)
        .wait_time(Duration::MAX);
    assert!(refused(all).contains("MaxNumberOfMessages"));
    let later = base().visibility_timeout(Duration::MAX).wait_time(Duration::MAX);
    assert!(refused(later).contains("VisibilityTimeout"));
    assert!(refused(base().wait_time(Duration::MAX)).contains("WaitTimeSeconds"));
    assert!(refused(base()).contains("ReceiveRequestAttemptId"));
}

#[test]
fn an_attempt_id_is_ignored_on_a_standard_queue_whatever_it_is() {
    // 3.2 F31
    let jobs = standard(&ManualClock::default()).build().unwrap();
    let _ = jobs.send_batch(["m1", "m2"]).unwrap();
    for (id, body) in [("a b", "m1"), ("a b", "m2")] {
        let messages = jobs.receive().receive_request_attempt_id(id).blocking().unwrap();
        assert_eq!(bodies(&messages), [body]);
    }
}

#[test]
fn a_receive_asks_for_one_message_unless_told_otherwise() {
    // 3.2
    let jobs = standard(&ManualClock::default()).build().unwrap();
    let _ = jobs.send_batch(["m1", "m2"]).unwrap();
    assert_eq!(bodies(&jobs.receive().blocking().unwrap()), ["m1"]);
}

#[test]
fn a_receive_returns_what_there_is_up_to_its_maximum() {
    // D5
    let jobs = standard(&ManualClock::default()).build().unwrap();
    assert!(receive(&jobs, 10).is_empty());
    let _ = jobs.send_batch(["m1", "m2", "m3"]).unwrap();
    assert_eq!(bodies(&receive(&jobs, 2)), ["m1", "m2"]);
    assert_eq!(bodies(&receive(&jobs, 10)), ["m3"]);
}

#[test]
fn an_explicit_wait_of_zero_beats_the_wait_of_the_queue() {
    // D4 D9
    let clock = ManualClock::default();
    let jobs = standard(&clock).receive_message_wait_time(secs(20)).build().unwrap();
    let before = clock.now();
    assert!(receive(&jobs, 1).is_empty());
    assert_eq!(clock.now(), before, "a short poll answers at once");
    assert!(wait_for(&clock, jobs.receive()).unwrap().is_empty());
    assert_eq!(
        clock.now(),
        before.saturating_add(secs(20)),
        "without one the queue's wait counts"
    );
    assert!(wait_for(&clock, jobs.receive().wait_time(secs(3))).unwrap().is_empty());
    assert_eq!(
        clock.now(),
        before.saturating_add(secs(23)),
        "an explicit wait beats the queue's"
    );
}

#[test]
fn an_explicit_visibility_of_zero_beats_that_of_the_queue() {
    // D4 D6
    let jobs = standard(&ManualClock::default()).build().unwrap();
    jobs.send("m").unwrap();
    let message = take_for(&jobs, Duration::ZERO);
    assert_eq!(counts(&jobs), [1, 0, 0]);
    assert_eq!(message.approximate_receive_count(), 1);
    assert_eq!(take(&jobs).approximate_receive_count(), 2);
}

#[test]
fn the_queue_may_itself_hide_messages_for_no_time() {
    // D6 D23
    let builder = standard(&ManualClock::default()).visibility_timeout(Duration::ZERO);
    let jobs = builder.build().unwrap();
    jobs.send("m").unwrap();
    for count in 1..=3 {
        assert_eq!(take(&jobs).approximate_receive_count(), count);
    }
}

#[test]
fn a_received_message_is_hidden_until_its_timeout_ends() {
    // D6
    let clock = ManualClock::default();
    for jobs in [standard(&clock).build().unwrap(), fifo(&clock).build().unwrap()] {
        jobs.send(in_group("g", "m")).unwrap();
        let received = clock.now();
        let message = take_for(&jobs, millis(1_500));
        assert_eq!(message.invisible_until(), received.saturating_add(millis(1_500)));
        assert_eq!(counts(&jobs), [0, 1, 0]);
        clock.advance(millis(1_499));
        assert!(receive(&jobs, 1).is_empty());
        clock.advance(MILLISECOND);
        assert_eq!(counts(&jobs), [1, 0, 0]);
        assert_eq!(take(&jobs).body(), "m");
    }
}

#[test]
fn the_timeout_of_a_receive_beats_that_of_the_queue_for_this_reception_alone() {
    // D23
    let clock = ManualClock::default();
    let jobs = standard(&clock).visibility_timeout(secs(10)).build().unwrap();
    jobs.send("m").unwrap();
    take_for(&jobs, secs(2));
    clock.advance(secs(2));
    take(&jobs);
    clock.advance(secs(9));
    assert!(receive(&jobs, 1).is_empty());
    clock.advance(secs(1));
    assert_eq!(bodies(&receive(&jobs, 1)), ["m"]);
}

#[test]
fn a_new_timeout_of_the_queue_counts_for_later_receives_only() {
    // D23 D31 Q40
    let clock = ManualClock::default();
    let jobs = standard(&clock).visibility_timeout(secs(10)).build().unwrap();
    let _ = jobs.send_batch(["m1", "m2"]).unwrap();
    take(&jobs);
    jobs.set_attributes(QueueAttributes::new().visibility_timeout(secs(60)))
        .unwrap();
    take(&jobs);
    clock.advance(secs(10));
    assert_eq!(bodies(&receive(&jobs, 10)), ["m1"]);
    clock.advance(secs(50));
    assert_eq!(bodies(&receive(&jobs, 10)), ["m2"]);
}

#[test]
fn every_receive_makes_a_handle_of_its_own() {
    // D18 D6 M48
    let clock = ManualClock::default();
    for jobs in [standard(&clock).build().unwrap(), fifo(&clock).build().unwrap()] {
        jobs.send(in_group("g", "m")).unwrap();
        let mut handles: Vec<_> = (0..3)
            .map(|_| take_for(&jobs, Duration::ZERO).receipt_handle().to_string())
            .collect();
        take_for(&jobs, secs(1));
        clock.advance(secs(1));
        handles.push(take(&jobs).receipt_handle().to_string());
        assert!(
            handles
                .iter()
                .all(|handle| handle.starts_with("AQEB") && handle.len() <= 1_024)
        );
        handles.sort_unstable();
        handles.dedup();
        assert_eq!(handles.len(), 4);
    }
}

#[test]
fn every_receive_counts_and_the_first_one_is_remembered() {
    // D3
    let clock = ManualClock::default();
    let jobs = standard(&clock).build().unwrap();
    let sent = clock.now();
    jobs.send("m").unwrap();
    clock.advance(secs(5));
    let first = clock.now();
    for (count, timeout) in [(1, Duration::ZERO), (2, secs(1)), (3, VISIBILITY), (4, secs(1))] {
        let message = take_for(&jobs, timeout);
        assert_eq!(message.approximate_receive_count(), count);
        assert_eq!(message.approximate_first_receive_timestamp(), first);
        assert_eq!(message.sent_timestamp(), sent);
        if count == 3 {
            message.change_visibility(Duration::ZERO).unwrap();
        } else {
            clock.advance(timeout);
        }
    }
}

#[test]
fn one_receive_never_returns_a_message_twice() {
    // D7
    let clock = ManualClock::default();
    for jobs in [standard(&clock).build().unwrap(), fifo(&clock).build().unwrap()] {
        for body in ["m1", "m2", "m3"] {
            jobs.send(in_group(body, body)).unwrap();
        }
        assert_eq!(bodies(&receive_for(&jobs, 10, Duration::ZERO)), ["m1", "m2", "m3"]);
    }
}

#[test]
fn messages_come_in_the_order_they_were_sent() {
    // D49
    let clock = ManualClock::default();
    let jobs = standard(&clock).build().unwrap();
    jobs.send("m1").unwrap();
    take_for(&jobs, secs(5));
    clock.advance(secs(1));
    jobs.send("m2").unwrap();
    jobs.send(SendMessage::new("m3").delay(secs(2))).unwrap();
    jobs.send("m4").unwrap();
    clock.advance(secs(4));
    assert_eq!(bodies(&receive(&jobs, 10)), ["m1", "m2", "m3", "m4"]);
}

#[test]
fn a_message_received_three_times_comes_after_all_others() {
    // D48 D49
    let jobs = standard(&ManualClock::default()).build().unwrap();
    let _ = jobs.send_batch(["m1", "m2"]).unwrap();
    for _ in 0..2 {
        assert_eq!(bodies(&receive_for(&jobs, 1, Duration::ZERO)), ["m1"]);
    }
    assert_eq!(bodies(&receive_for(&jobs, 2, Duration::ZERO)), ["m1", "m2"]);
    jobs.send("m3").unwrap();
    assert_eq!(bodies(&receive_for(&jobs, 10, Duration::ZERO)), ["m2", "m3", "m1"]);
    assert_eq!(
        bodies(&receive_for(&jobs, 10, Duration::ZERO)),
        ["m2", "m3", "m1"],
        "three in send order"
    );
    assert_eq!(bodies(&receive_for(&jobs, 10, Duration::ZERO)), ["m3", "m1", "m2"]);
}

#[test]
fn nothing_but_an_ended_timeout_brings_a_message_twice() {
    // D22 D50
    let clock = ManualClock::default();
    let jobs = standard(&clock).build().unwrap();
    for number in 0..50 {
        jobs.send(number.to_string()).unwrap();
    }
    let mut received = Vec::new();
    while received.len() < 50 {
        for message in receive(&jobs, 7) {
            received.push(message.body().parse::<u32>().unwrap());
            if received.len() % 2 == 0 {
                message.delete().unwrap();
            }
        }
    }
    assert_eq!(received, (0..50).collect::<Vec<_>>());
    assert!(receive(&jobs, 10).is_empty());
    clock.advance(VISIBILITY);
    assert_eq!(counts(&jobs), [25, 0, 0], "those not deleted are back");
}

fn in_flight_limit(standard: usize) -> Limits {
    let mut limits = Limits::default();
    limits.in_flight_standard = standard;
    limits
}

#[test]
fn a_short_poll_fails_while_too_many_messages_are_in_flight() {
    // D15 D16
    let clock = ManualClock::default();
    let jobs = standard(&clock).limits(in_flight_limit(2)).build().unwrap();
    let _ = jobs.send_batch(["m1", "m2", "m3"]).unwrap();
    let held = receive(&jobs, 2);
    let text = "Too many messages have been received without being deleted.\nPlease delete your received messages or \
                let them timeout before receiving more.";
    assert_refused!(jobs.receive().blocking(), "OverLimit", text);
    held[0].delete().unwrap();
    assert_eq!(take(&jobs).body(), "m3");
    assert_eq!(jobs.receive().blocking().unwrap_err().code(), "OverLimit");
    clock.advance(VISIBILITY);
    assert_eq!(take(&jobs).body(), "m2");
}

#[test]
fn a_short_poll_fails_at_the_limit_even_if_nothing_is_visible() {
    // D15
    let builder = standard(&ManualClock::default()).limits(in_flight_limit(1));
    let jobs = builder.build().unwrap();
    jobs.send("m").unwrap();
    take(&jobs);
    assert_eq!(jobs.receive().blocking().unwrap_err().code(), "OverLimit");
}

#[test]
fn a_long_poll_waits_while_too_many_messages_are_in_flight() {
    // D15
    let clock = ManualClock::default();
    let jobs = standard(&clock).limits(in_flight_limit(1)).build().unwrap();
    let _ = jobs.send_batch(["m1", "m2"]).unwrap();
    take_for(&jobs, secs(60));
    let before = clock.now();
    assert!(wait_for(&clock, jobs.receive().wait_time(secs(5))).unwrap().is_empty());
    assert_eq!(clock.now(), before.saturating_add(secs(5)));
}

#[test]
fn a_receive_returns_as_many_as_fit_under_the_limit() {
    // D17
    let builder = standard(&ManualClock::default()).limits(in_flight_limit(5));
    let jobs = builder.build().unwrap();
    let _ = jobs.send_batch(["m1", "m2", "m3", "m4", "m5", "m6"]).unwrap();
    assert_eq!(receive(&jobs, 3).len(), 3);
    assert_eq!(bodies(&receive(&jobs, 10)), ["m4", "m5"]);
    assert_eq!(counts(&jobs), [1, 5, 0]);
}

fn attributed() -> Queue {
    let jobs = standard(&ManualClock::default()).build().unwrap();
    let names = ["Hello", "Help.Me", "General", "hello"];
    let attributes = names.map(|name| (name, MessageAttributeValue::string(name)));
    let message = SendMessage::new("m").attributes(attributes.into_iter().collect());
    jobs.send(message).unwrap();
    jobs
}

#[test]
fn attribute_names_select_by_name_by_prefix_or_all() {
    // M44
    let all = ["General", "Hello", "Help.Me", "hello"];
    let jobs = attributed();
    for (names, expected) in [
        (&["All"][..], &all[..]),
        (&[".*"], &all),
        (&["*"], &all),
        (&["Hel.*"], &["Hello", "Help.Me"]),
        (&["Help.*"], &["Help.Me"]),
        (&["Hello"], &["Hello"]),
        (&["hello", "General"], &["General", "hello"]),
        (&["Hello", "Hel.*", "Hello"], &["Hello", "Help.Me"]),
        (&["HELLO", "Unknown", "", "illegal name!", "..", "AWS.x"], &[]),
        (&["Unknown", "All"], &all),
        (&[], &[]),
    ] {
        let poll = jobs.receive().visibility_timeout(Duration::ZERO);
        let messages = poll.message_attribute_names(names.iter().copied()).blocking().unwrap();
        let got: Vec<_> = messages[0].attributes().iter().map(|(name, _)| name).collect();
        assert_eq!(got, expected, "{names:?}");
    }
}

#[test]
fn selecting_attributes_takes_nothing_from_the_stored_message() {
    // M44
    let jobs = attributed();
    let poll = jobs.receive().visibility_timeout(Duration::ZERO);
    poll.message_attribute_names(["Hello"]).blocking().unwrap();
    assert_eq!(take(&jobs).attributes().len(), 4);
}

#[test]
fn a_deleted_queue_has_nothing_to_receive() {
    // Q36
    let jobs = standard(&ManualClock::default()).build().unwrap();
    jobs.send("m").unwrap();
    jobs.delete_queue().unwrap();
    let text = "The specified queue does not exist.";
    assert_refused!(jobs.receive().blocking(), "QueueDoesNotExist", text);
    assert_eq!(counts(&jobs), [0, 0, 0]);
}

#[test]
fn an_awaited_receive_that_need_not_wait_is_ready_at_once() {
    let jobs = standard(&ManualClock::default()).build().unwrap();
    jobs.send("m").unwrap();
    let mut receive = pin!(IntoFuture::into_future(jobs.receive()));
    let Poll::Ready(Ok(messages)) = receive.as_mut().poll(&mut Context::from_waker(Waker::noop())) else {
        panic!("there is a message")
    };
    assert_eq!(bodies(&messages), ["m"]);
}
