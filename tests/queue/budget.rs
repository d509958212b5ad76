//! Budgets, which are ours and not SQS's: what a queue may hold, and what a send gets that finds no room.
//!
//! Waiting for room has tests of its own.

use {
    crate::common::{
        MILLISECOND, VISIBILITY, assert_refused, bodies, counts, fifo, in_group, receive, receive_for, secs, standard,
        take,
    },
    requeue::{
        Budget, BudgetLimit, ManualClock, MessageAttributeValue, Queue, QueueAttributes, SendError, SendMessage,
    },
    std::time::Duration,
};

fn of_messages(clock: &ManualClock, messages: usize) -> [Queue; 2] {
    [standard(clock), fifo(clock)].map(|builder| builder.budget(Budget::new().messages(messages)).build().unwrap())
}

/// Sends a message; says whether there was room.
fn fits(jobs: &Queue, body: &str) -> bool {
    match jobs.send(in_group("g", body)) {
        Ok(_) => true,
        Err(SendError::QueueFull { .. }) => false,
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn a_queue_holds_as_many_messages_as_its_budget_says() {
    for jobs in of_messages(&ManualClock::default(), 3) {
        assert_eq!(
            ["a", "b", "c", "d"].map(|body| fits(&jobs, body)),
            [true, true, true, false]
        );
        assert_eq!(counts(&jobs), [3, 0, 0]);
    }
}

#[test]
fn a_queue_holds_as_many_bytes_as_its_budget_says() {
    // M6 M7
    for builder in [standard, fifo] {
        let jobs = builder(&ManualClock::default())
            .budget(Budget::new().bytes(10))
            .build()
            .unwrap();
        assert!(fits(&jobs, "1234") && fits(&jobs, "56789"), "group ids do not count");
        assert!(!fits(&jobs, "ab"));
        assert!(!fits(&jobs, "\u{e9}"), "bytes and not characters");
        assert!(fits(&jobs, "a"), "the tenth byte");
        assert!(!fits(&jobs, "b"));
    }
}

#[test]
fn attributes_count_toward_the_bytes() {
    // M6
    let jobs = standard(&ManualClock::default())
        .budget(Budget::new().bytes(10))
        .build()
        .unwrap();
    let attribute = |value: &str| SendMessage::new("m").attribute("n", MessageAttributeValue::string(value));
    assert!(matches!(jobs.send(attribute("abc")), Err(SendError::QueueFull { .. })));
    jobs.send(attribute("ab")).unwrap();
    assert!(!fits(&jobs, "x"));
}

#[test]
fn either_budget_may_be_the_one_without_room() {
    for (sent, refused, held, broken) in [
        (["a", "b"], "c", (2, 2), BudgetLimit::Messages(2)),
        (["a", "234567890"], "c", (2, 10), BudgetLimit::Messages(2)),
        (["1234567890", ""], "c", (1, 10), BudgetLimit::Bytes(10)),
        (["a", ""], "2345678901", (1, 1), BudgetLimit::Bytes(10)),
    ] {
        let builder = standard(&ManualClock::default()).budget(Budget::new().messages(2).bytes(10));
        let jobs = builder.build().unwrap();
        for body in sent.iter().filter(|body| !body.is_empty()) {
            jobs.send(*body).unwrap();
        }
        let Err(SendError::QueueFull {
            limit, messages, bytes, ..
        }) = jobs.send(refused)
        else {
            panic!("{refused} fitted")
        };
        assert_eq!(((messages, bytes), limit), (held, broken));
    }
}

#[test]
fn a_message_larger_than_the_whole_budget_never_fits() {
    let jobs = standard(&ManualClock::default())
        .budget(Budget::new().bytes(10))
        .build()
        .unwrap();
    assert!(!fits(&jobs, "12345678901"));
    assert!(fits(&jobs, "1234567890"));
}

#[test]
fn a_send_without_room_is_answered_with_the_message_and_what_is_held() {
    let jobs = standard(&ManualClock::default())
        .budget(Budget::new().messages(1))
        .build()
        .unwrap();
    jobs.send("12345").unwrap();
    let message = in_group("g", "m")
        .attribute("n", MessageAttributeValue::string("v"))
        .delay(secs(5))
        .aws_trace_header("Root=1");
    let text =
        "no room for a message of 9 bytes beside 1 message of 5 bytes stored or promised, the budget is 1 message";
    assert_refused!(jobs.send(message.clone()), "OverLimit", text);
    let Err(SendError::QueueFull {
        message: back,
        messages,
        bytes,
        limit,
        ..
    }) = jobs.send(message.clone())
    else {
        panic!("it fitted")
    };
    assert_eq!(
        (*back, messages, bytes, limit),
        (message.clone(), 1, 5, BudgetLimit::Messages(1))
    );
    jobs.purge().unwrap();
    jobs.send(message).unwrap();
    assert_eq!(counts(&jobs), [0, 0, 1]);
}

#[test]
fn a_fifo_message_that_comes_back_is_the_message_that_was_sent() {
    // F7 F13 D34
    let jobs = fifo(&ManualClock::default())
        .budget(Budget::new().messages(0))
        .build()
        .unwrap();
    for message in [
        in_group("g", "m"),
        in_group("g", "m").message_deduplication_id("d"),
        in_group("g", "m").delay(Duration::ZERO),
    ] {
        let Err(SendError::QueueFull { message: back, .. }) = jobs.send(message.clone()) else {
            panic!("it fitted")
        };
        assert_eq!(*back, message);
    }
}

#[test]
fn messages_count_whatever_their_phase() {
    let clock = ManualClock::default();
    for jobs in of_messages(&clock, 2) {
        assert!(fits(&jobs, "a"));
        receive_for(&jobs, 1, secs(600));
        jobs.set_attributes(QueueAttributes::new().delay(secs(5))).unwrap();
        assert!(fits(&jobs, "b") && !fits(&jobs, "c"));
        assert_eq!(counts(&jobs), [0, 1, 1]);
        clock.advance(secs(5));
        assert!(!fits(&jobs, "c"));
    }
}

#[test]
fn a_delete_makes_room() {
    for jobs in of_messages(&ManualClock::default(), 1) {
        assert!(fits(&jobs, "a"));
        let message = take(&jobs);
        assert!(!fits(&jobs, "b"));
        message.delete().unwrap();
        assert!(fits(&jobs, "b"));
        message.delete().unwrap();
        assert!(!fits(&jobs, "c"), "a second delete makes no more");
    }
}

#[test]
fn a_purge_makes_room() {
    for jobs in of_messages(&ManualClock::default(), 1) {
        assert!(fits(&jobs, "a"));
        jobs.purge().unwrap();
        assert!(fits(&jobs, "a"));
    }
}

#[test]
fn the_end_of_retention_makes_room() {
    // D41
    let clock = ManualClock::default();
    for builder in [standard(&clock), fifo(&clock)] {
        let builder = builder.message_retention_period(secs(60)).visibility_timeout(secs(600));
        let jobs = builder.budget(Budget::new().messages(1)).build().unwrap();
        assert!(fits(&jobs, "a"));
        take(&jobs);
        clock.advance(secs(60) - MILLISECOND);
        assert!(!fits(&jobs, "b"));
        clock.advance(MILLISECOND);
        assert!(fits(&jobs, "b"));
    }
}

#[test]
fn the_end_of_a_timeout_makes_no_room() {
    let clock = ManualClock::default();
    for jobs in of_messages(&clock, 1) {
        assert!(fits(&jobs, "a"));
        take(&jobs);
        clock.advance(VISIBILITY);
        assert!(!fits(&jobs, "b"));
    }
}

#[test]
fn a_dead_letter_makes_room_and_needs_none() {
    // L6 L17
    let clock = ManualClock::default();
    let dead = Queue::standard("dead")
        .clock(clock.clone())
        .budget(Budget::new().messages(1).bytes(1))
        .build()
        .unwrap();
    let builder = standard(&clock).dead_letter(&dead, 1);
    let jobs = builder.budget(Budget::new().messages(2)).build().unwrap();
    let _ = jobs.send_batch(["p1", "p2"]).unwrap();
    assert_eq!(receive_for(&jobs, 2, Duration::ZERO).len(), 2);
    assert!(!fits(&jobs, "m"));
    assert!(receive(&jobs, 2).is_empty());
    assert_eq!(counts(&dead), [2, 0, 0]);
    assert!(fits(&jobs, "m") && !fits(&dead, "m"), "what arrived counts");
    receive(&dead, 2).iter().for_each(|message| message.delete().unwrap());
    assert!(fits(&dead, "m"));
}

#[test]
fn a_duplicate_needs_no_room() {
    // F11
    let jobs = fifo(&ManualClock::default())
        .budget(Budget::new().messages(1))
        .build()
        .unwrap();
    let original = jobs.send(in_group("g", "m")).unwrap();
    assert_eq!(jobs.send(in_group("g", "m")), Ok(original));
    assert!(!fits(&jobs, "n"));
    assert_eq!(counts(&jobs), [1, 0, 0]);
}

#[test]
fn a_send_without_room_is_not_remembered() {
    // F14
    let jobs = fifo(&ManualClock::default())
        .budget(Budget::new().messages(1))
        .build()
        .unwrap();
    assert!(fits(&jobs, "a") && !fits(&jobs, "b"));
    take(&jobs).delete().unwrap();
    assert!(fits(&jobs, "b"));
    assert_eq!(bodies(&receive(&jobs, 10)), ["b"]);
}

#[test]
fn a_batch_is_stored_as_far_as_it_fits() {
    // M38 M40
    let jobs = standard(&ManualClock::default())
        .budget(Budget::new().bytes(10))
        .build()
        .unwrap();
    let result = jobs.send_batch(["12345", "123456", "1234", "12", "1"]).unwrap();
    let successful: Vec<_> = result.successful.iter().map(|it| &*it.id).collect();
    let failed: Vec<_> = result.failed.iter().map(|it| (&*it.id, it.code)).collect();
    assert_eq!(successful, ["0", "2", "4"]);
    assert_eq!(failed, [("1", "OverLimit"), ("3", "OverLimit")]);
}

#[test]
fn what_is_wrong_with_a_message_is_named_before_the_budget() {
    let jobs = standard(&ManualClock::default())
        .budget(Budget::new().messages(0))
        .build()
        .unwrap();
    assert_eq!(jobs.send("").unwrap_err().code(), "MissingParameter");
    assert_eq!(jobs.send("\0").unwrap_err().code(), "InvalidMessageContents");
}

#[test]
fn without_a_budget_a_send_with_a_timeout_never_waits() {
    let jobs = standard(&ManualClock::default()).build().unwrap();
    for _ in 0..100 {
        jobs.send_timeout("m", Duration::MAX).unwrap();
    }
    assert_eq!(counts(&jobs), [100, 0, 0]);
}

#[test]
fn a_timeout_of_zero_asks_once() {
    let jobs = standard(&ManualClock::default())
        .budget(Budget::new().messages(1))
        .build()
        .unwrap();
    jobs.send_timeout("a", Duration::ZERO).unwrap();
    let refused = jobs.send_timeout("b", Duration::ZERO);
    assert!(matches!(refused, Err(SendError::QueueFull { message, .. }) if message.body() == "b"));
}
