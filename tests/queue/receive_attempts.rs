//! `ReceiveRequestAttemptId`: a receive whose answer was lost is repeated (F31-F35).

use {
    crate::common::{
        MILLISECOND, VISIBILITY, assert_refused, bodies, counts, fifo, in_group, receive, secs, send_grouped, take,
        wait_for,
    },
    requeue::{Clock, Limits, ManualClock, Message, MessageAttributeValue, Queue, ReceiveError},
    std::time::Duration,
};

const INTERVAL: Duration = secs(300);

fn attempt(jobs: &Queue, id: &str) -> Result<Vec<Message>, ReceiveError> {
    let poll = jobs.receive().max_messages(10).wait_time(Duration::ZERO);
    poll.receive_request_attempt_id(id).blocking()
}

#[track_caller]
fn assert_not_retryable(jobs: &Queue, id: &str) {
    let text = format!(
        "Value {id} for parameter ReceiveRequestAttemptId is invalid. Reason: The receiveRequestAttemptId is not valid \
         anymore since the receive call is not retryable."
    );
    assert_refused!(attempt(jobs, id), "InvalidParameterValue", text);
}

/// Three messages of two groups, received by attempt `a`.
fn attempted(timeout: Duration) -> (ManualClock, Queue, Vec<Message>) {
    let clock = ManualClock::default();
    let jobs = fifo(&clock).visibility_timeout(timeout).build().unwrap();
    send_grouped(&jobs, ["g-1", "g-2", "h-1"]);
    let messages = attempt(&jobs, "a").unwrap();
    assert_eq!(bodies(&messages), ["g-1", "g-2", "h-1"]);
    (clock, jobs, messages)
}

#[test]
fn an_attempt_id_is_1_to_128_letters_digits_and_punctuation() {
    // F31
    let jobs = fifo(&ManualClock::default()).build().unwrap();
    for id in ["", "a b", "\u{e9}", &"a".repeat(129)] {
        let text = format!(
            "Value {id} for parameter ReceiveRequestAttemptId is invalid. Reason: ReceiveRequestAttemptId can only \
             include alphanumeric and punctuation characters. 1 to 128 in length."
        );
        assert_refused!(attempt(&jobs, id), "InvalidParameterValue", text);
    }
    for id in ["a", "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", &"a".repeat(128)] {
        assert!(attempt(&jobs, id).unwrap().is_empty());
    }
}

#[test]
fn a_repeated_attempt_gets_the_same_messages_under_the_same_handles() {
    // F32
    let (clock, jobs, first) = attempted(VISIBILITY);
    clock.advance(secs(10));
    let again = attempt(&jobs, "a").unwrap();
    assert_eq!(bodies(&again), bodies(&first));
    for (first, again) in first.iter().zip(&again) {
        assert_eq!(again.message_id(), first.message_id());
        assert_eq!(again.receipt_handle(), first.receipt_handle());
        assert_eq!(again.approximate_receive_count(), 1, "a replay counts no receive");
        assert_eq!(
            again.approximate_first_receive_timestamp(),
            first.approximate_first_receive_timestamp()
        );
        assert_eq!(again.sequence_number(), first.sequence_number());
        assert_eq!(again.invisible_until(), clock.now().saturating_add(VISIBILITY));
    }
    assert_eq!(counts(&jobs), [0, 3, 0]);
}

#[test]
fn a_replay_hides_its_messages_from_now() {
    // F32
    let (clock, jobs, _) = attempted(VISIBILITY);
    clock.advance(secs(20));
    attempt(&jobs, "a").unwrap();
    clock.advance(VISIBILITY - MILLISECOND);
    assert!(receive(&jobs, 10).is_empty());
    clock.advance(MILLISECOND);
    let messages = receive(&jobs, 10);
    assert_eq!(bodies(&messages), ["g-1", "g-2", "h-1"]);
    assert_eq!(messages[0].approximate_receive_count(), 2);
}

#[test]
fn an_attempt_may_be_repeated_again_and_again() {
    // F32
    let (clock, jobs, first) = attempted(VISIBILITY);
    for _ in 0..12 {
        clock.advance(secs(24));
        assert_eq!(bodies(&attempt(&jobs, "a").unwrap()), bodies(&first));
    }
    first[2].delete().unwrap();
    assert_eq!(counts(&jobs), [0, 2, 0], "the first handles still work");
}

#[test]
fn a_replay_contains_nothing_that_came_later() {
    // F32
    let (_, jobs, first) = attempted(VISIBILITY);
    send_grouped(&jobs, ["i-1"]);
    assert_eq!(bodies(&attempt(&jobs, "a").unwrap()), bodies(&first));
    assert_eq!(
        bodies(&attempt(&jobs, "b").unwrap()),
        ["i-1"],
        "another attempt is another receive"
    );
    assert_eq!(bodies(&attempt(&jobs, "a").unwrap()), bodies(&first));
}

#[test]
fn a_replay_needs_no_room_in_flight() {
    // F32 F29
    let mut limits = Limits::default();
    limits.in_flight_fifo = 1;
    let jobs = fifo(&ManualClock::default()).limits(limits).build().unwrap();
    send_grouped(&jobs, ["g-1", "h-1"]);
    assert_eq!(bodies(&attempt(&jobs, "a").unwrap()), ["g-1"]);
    assert_eq!(bodies(&attempt(&jobs, "a").unwrap()), ["g-1"]);
    assert!(attempt(&jobs, "b").unwrap().is_empty());
}

#[test]
fn a_receive_without_an_id_is_never_a_replay() {
    // F32 F36
    let (_, jobs, _) = attempted(VISIBILITY);
    assert!(receive(&jobs, 10).is_empty());
}

#[test]
fn a_long_poll_is_replayed_at_once() {
    // F32
    let (clock, jobs, first) = attempted(VISIBILITY);
    let before = clock.now();
    let poll = jobs.receive().wait_time(secs(20)).receive_request_attempt_id("a");
    assert_eq!(bodies(&wait_for(&clock, poll).unwrap()), bodies(&first));
    assert_eq!(clock.now(), before);
}

#[test]
fn an_attempt_is_not_repeated_once_a_message_was_deleted() {
    // F33
    for place in 0..3 {
        let (_, jobs, messages) = attempted(VISIBILITY);
        messages[place].delete().unwrap();
        assert_not_retryable(&jobs, "a");
        assert_eq!(counts(&jobs), [0, 2, 0]);
    }
}

#[test]
fn an_attempt_is_not_repeated_once_a_visibility_was_changed() {
    // F33
    for timeout in [Duration::ZERO, secs(5), secs(100)] {
        let (_, jobs, messages) = attempted(VISIBILITY);
        messages[1].change_visibility(timeout).unwrap();
        assert_not_retryable(&jobs, "a");
    }
}

#[test]
fn an_attempt_is_not_repeated_once_a_message_became_visible_again() {
    // F33
    let (clock, jobs, _) = attempted(VISIBILITY);
    clock.advance(VISIBILITY);
    assert_not_retryable(&jobs, "a");
    assert_eq!(receive(&jobs, 10).len(), 3);
    assert_not_retryable(&jobs, "a");
}

#[test]
fn an_attempt_with_visibility_zero_cannot_be_repeated() {
    // F33
    let (_, jobs, _) = attempted(Duration::ZERO);
    assert_not_retryable(&jobs, "a");
}

#[test]
fn an_attempt_is_not_repeated_once_a_message_expired() {
    // F33
    let clock = ManualClock::default();
    let jobs = fifo(&clock)
        .message_retention_period(secs(60))
        .visibility_timeout(secs(600))
        .build()
        .unwrap();
    send_grouped(&jobs, ["g-1"]);
    clock.advance(secs(30));
    send_grouped(&jobs, ["g-2"]);
    assert_eq!(attempt(&jobs, "a").unwrap().len(), 2);
    clock.advance(secs(30));
    assert_not_retryable(&jobs, "a");
}

#[test]
fn a_refused_replay_changes_no_timeout() {
    // F33
    let (clock, jobs, messages) = attempted(VISIBILITY);
    clock.advance(secs(20));
    messages[0].delete().unwrap();
    assert_not_retryable(&jobs, "a");
    clock.advance(secs(10));
    assert_eq!(bodies(&receive(&jobs, 10)), ["g-2", "h-1"]);
}

#[test]
fn an_empty_result_is_not_replayed() {
    // F34
    let jobs = fifo(&ManualClock::default()).build().unwrap();
    assert!(attempt(&jobs, "a").unwrap().is_empty());
    send_grouped(&jobs, ["g-1"]);
    let first = attempt(&jobs, "a").unwrap();
    assert_eq!(bodies(&first), ["g-1"]);
    let again = attempt(&jobs, "a").unwrap();
    assert_eq!(
        again[0].receipt_handle(),
        first[0].receipt_handle(),
        "the one that found it is remembered"
    );
}

#[test]
fn an_attempt_is_forgotten_five_minutes_after_its_receive() {
    // F35 F32
    let (clock, jobs, first) = attempted(secs(600));
    clock.advance(INTERVAL - MILLISECOND);
    assert_eq!(bodies(&attempt(&jobs, "a").unwrap()), bodies(&first));
    clock.advance(MILLISECOND);
    assert!(
        attempt(&jobs, "a").unwrap().is_empty(),
        "the id is free, and all messages are in flight"
    );
    send_grouped(&jobs, ["i-1"]);
    assert_eq!(bodies(&attempt(&jobs, "a").unwrap()), ["i-1"]);
    assert_eq!(bodies(&attempt(&jobs, "a").unwrap()), ["i-1"]);
}

#[test]
fn a_spent_attempt_id_is_free_after_five_minutes() {
    // F33 F35
    let (clock, jobs, messages) = attempted(VISIBILITY);
    messages[0].delete().unwrap();
    clock.advance(INTERVAL - MILLISECOND);
    assert_not_retryable(&jobs, "a");
    clock.advance(MILLISECOND);
    assert_eq!(bodies(&attempt(&jobs, "a").unwrap()), ["g-2", "h-1"]);
}

#[test]
fn an_attempt_belongs_to_one_queue() {
    // F35
    let clock = ManualClock::default();
    let [here, there] = ["here.fifo", "there.fifo"].map(|name| {
        let jobs = Queue::fifo(name)
            .clock(clock.clone())
            .content_based_deduplication(true)
            .build()
            .unwrap();
        send_grouped(&jobs, ["g-1"]);
        jobs
    });
    let first = attempt(&here, "a").unwrap();
    let other = attempt(&there, "a").unwrap();
    assert_eq!((first.len(), other.len()), (1, 1));
    assert_eq!(first[0].queue().arn(), here.arn());
    assert_eq!(other[0].queue().arn(), there.arn());
}

#[test]
fn attempt_ids_differ_in_case() {
    // F31 F35
    let jobs = fifo(&ManualClock::default()).build().unwrap();
    send_grouped(&jobs, ["g-1", "h-1"]);
    let poll = |id: &str| jobs.receive().receive_request_attempt_id(id).blocking().unwrap();
    assert_eq!(bodies(&poll("a")), ["g-1"]);
    assert_eq!(bodies(&poll("A")), ["h-1"]);
}

#[test]
fn the_maximum_of_a_repeated_attempt_does_not_count() {
    // F35
    let (_, jobs, first) = attempted(VISIBILITY);
    let poll = jobs.receive().max_messages(1).receive_request_attempt_id("a");
    assert_eq!(bodies(&poll.blocking().unwrap()), bodies(&first));
}

#[test]
fn the_attribute_names_of_a_repeated_attempt_count() {
    // F35
    let jobs = fifo(&ManualClock::default()).build().unwrap();
    let value = MessageAttributeValue::string("v");
    jobs.send(in_group("g", "m").attribute("a", value.clone()).attribute("b", value))
        .unwrap();
    let names = |selected: &str| {
        let poll = jobs
            .receive()
            .receive_request_attempt_id("a")
            .message_attribute_names([selected]);
        let messages = poll.blocking().unwrap();
        messages[0]
            .attributes()
            .iter()
            .map(|(name, _)| name.to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        (names("a"), names("b"), names("All")),
        (vec!["a".into()], vec!["b".into()], vec!["a".into(), "b".into()])
    );
}

#[test]
fn a_replay_leaves_the_group_locked() {
    // F32 F18
    let (_, jobs, first) = attempted(VISIBILITY);
    send_grouped(&jobs, ["g-3"]);
    attempt(&jobs, "a").unwrap();
    assert!(receive(&jobs, 10).is_empty());
    first[0].delete().unwrap();
    first[1].delete().unwrap();
    assert_eq!(take(&jobs).body(), "g-3");
}
