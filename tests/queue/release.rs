//! A consumer puts a message back as if it had not received it, at once or later, and takes few messages of a group. All
//! are ours.

use {
    crate::common::{MILLISECOND, bodies, counts, fifo, in_group, receive, receive_for, secs, standard, take},
    requeue::{Clock, Fact, FactChannel, ManualClock, Message, Queue, QueueBuilder},
    std::{thread, time::Duration},
};

fn each_type(clock: &ManualClock) -> [QueueBuilder; 2] {
    [standard(clock), fifo(clock)]
}

fn release_all(messages: &[Message]) {
    messages.iter().for_each(|message| message.release().unwrap());
}

#[test]
fn a_released_message_is_visible_at_once_with_the_count_of_before() {
    let clock = ManualClock::default();
    for builder in each_type(&clock) {
        let jobs = builder.build().unwrap();
        jobs.send(in_group("g", "m")).unwrap();
        receive_for(&jobs, 1, Duration::ZERO);
        clock.advance(secs(1));
        let before = jobs.snapshot();
        take(&jobs).release().unwrap();
        assert_eq!(jobs.snapshot(), before);
        assert_eq!(take(&jobs).approximate_receive_count(), 2);
    }
}

#[test]
fn a_released_message_stands_where_it_stood() {
    // D49 F22
    let clock = ManualClock::default();
    for builder in each_type(&clock) {
        let jobs = builder.build().unwrap();
        for group in ["a", "b", "c"] {
            jobs.send(in_group(group, group)).unwrap();
        }
        release_all(&receive(&jobs, 2));
        let mut held = receive(&jobs, 2);
        assert_eq!(bodies(&held), ["a", "b"]);
        held.reverse();
        release_all(&held);
        assert_eq!(bodies(&receive(&jobs, 10)), ["a", "b", "c"]);
    }
}

#[test]
fn a_released_message_does_not_go_behind_those_received_less_often() {
    // D49
    let jobs = standard(&ManualClock::default()).build().unwrap();
    jobs.send("often").unwrap();
    (0..2).for_each(|_| drop(receive_for(&jobs, 1, Duration::ZERO)));
    jobs.send("new").unwrap();
    take(&jobs).release().unwrap();
    assert_eq!(bodies(&receive(&jobs, 2)), ["often", "new"]);
}

#[test]
fn releases_do_not_lead_to_the_dead_letter_queue() {
    // L6 L8
    let clock = ManualClock::default();
    let dead = [Queue::standard("dead"), Queue::fifo("dead.fifo")];
    for (builder, dead) in each_type(&clock).into_iter().zip(dead) {
        let dead = dead.clock(clock.clone()).build().unwrap();
        let jobs = builder.dead_letter(&dead, 2).build().unwrap();
        jobs.send(in_group("g", "m")).unwrap();
        (0..10).for_each(|_| take(&jobs).release().unwrap());
        (0..2).for_each(|_| drop(receive_for(&jobs, 1, Duration::ZERO)));
        assert_eq!(counts(&dead), [0, 0, 0]);
        assert!(receive(&jobs, 1).is_empty());
        assert_eq!(counts(&dead), [1, 0, 0]);
        take(&dead).release().unwrap();
        assert_eq!(take(&dead).approximate_receive_count(), 3, "what came with it is kept");
    }
}

#[test]
fn only_the_latest_reception_is_released_and_only_while_it_goes_on() {
    // D19
    let clock = ManualClock::default();
    let another = Queue::standard("another").clock(clock.clone()).build().unwrap();
    let refused = |message: &Message| message.release().unwrap_err().code();
    for builder in each_type(&clock) {
        let jobs = builder.build().unwrap();
        jobs.send(in_group("g", "m")).unwrap();
        let first = take(&jobs);
        first.release().unwrap();
        assert_eq!(refused(&first), "InvalidParameterValue", "it is visible");
        let second = take(&jobs);
        assert_eq!(refused(&first), "InvalidParameterValue", "another has it");
        clock.advance(secs(30));
        assert_eq!(refused(&second), "InvalidParameterValue", "its time is over");
        let third = take(&jobs);
        assert_eq!(third.approximate_receive_count(), 2);
        let handle = third.receipt_handle();
        assert_eq!(another.release(&handle).unwrap_err().code(), "ReceiptHandleIsInvalid");
        third.delete().unwrap();
        assert_eq!(refused(&third), "InvalidParameterValue", "it is gone");
        jobs.delete_queue().unwrap();
        assert_eq!(refused(&third), "QueueDoesNotExist");
    }
}

#[test]
fn a_release_unlocks_the_group_and_wakes_a_receiver() {
    // F18 D11
    let clock = ManualClock::default();
    let jobs = fifo(&clock).build().unwrap();
    jobs.send(in_group("g", "a")).unwrap();
    jobs.send(in_group("g", "b")).unwrap();
    let held = take(&jobs);
    thread::scope(|scope| {
        let poll = scope.spawn(|| jobs.receive().max_messages(10).wait_time(secs(20)).blocking());
        jobs.wait_for_waiters(1);
        held.release().unwrap();
        assert_eq!(bodies(&poll.join().unwrap().unwrap()), ["a", "b"]);
    });
}

#[test]
fn facts_tell_of_a_release() {
    let (channel, facts) = FactChannel::unbounded();
    let jobs = standard(&ManualClock::default()).listener(channel).build().unwrap();
    jobs.send("m").unwrap();
    let message = take(&jobs);
    message.release().unwrap();
    let last = facts.try_iter().last().map(|(_, entry)| entry.fact);
    assert!(matches!(last, Some(Fact::Released { message_id, .. }) if message_id == message.message_id()));
}

#[test]
fn an_attempt_whose_message_was_released_cannot_be_replayed() {
    // F33
    let jobs = fifo(&ManualClock::default()).build().unwrap();
    jobs.send(in_group("g", "m")).unwrap();
    let attempt = || jobs.receive().receive_request_attempt_id("a").blocking();
    attempt().unwrap()[0].release().unwrap();
    assert_eq!(attempt().unwrap_err().code(), "InvalidParameterValue");
    assert_eq!(receive(&jobs, 1).len(), 1);
}

#[test]
fn a_postponed_message_comes_back_after_its_delay_with_the_count_of_before() {
    let clock = ManualClock::default();
    for builder in each_type(&clock) {
        let jobs = builder.build().unwrap();
        jobs.send(in_group("g", "a")).unwrap();
        jobs.send(in_group("g", "b")).unwrap();
        take(&jobs).postpone(secs(3_600)).unwrap();
        assert_eq!(counts(&jobs), [1, 1, 0], "it is in flight");
        assert_eq!(
            receive(&jobs, 10).len(),
            usize::from(!jobs.is_fifo()),
            "its group waits"
        );
        clock.advance(secs(3_600) - MILLISECOND);
        assert!(bodies(&receive(&jobs, 10)).iter().all(|body| *body == "b"));
        clock.advance(MILLISECOND);
        let back = receive(&jobs, 1);
        assert_eq!((bodies(&back), back[0].approximate_receive_count()), (vec!["a"], 1));
    }
}

#[test]
fn postponements_do_not_lead_to_the_dead_letter_queue() {
    // L6 L8
    let clock = ManualClock::default();
    let dead = [Queue::standard("dead"), Queue::fifo("dead.fifo")];
    for (builder, dead) in each_type(&clock).into_iter().zip(dead) {
        let dead = dead.clock(clock.clone()).build().unwrap();
        let jobs = builder.dead_letter(&dead, 1).build().unwrap();
        jobs.send(in_group("g", "m")).unwrap();
        for _ in 0..10 {
            take(&jobs).postpone(secs(60)).unwrap();
            clock.advance(secs(60));
        }
        assert_eq!((receive(&jobs, 1).len(), counts(&dead)), (1, [0, 0, 0]));
    }
}

#[test]
fn a_message_is_postponed_once_by_the_latest_reception_while_that_goes_on() {
    // D19 D25
    let clock = ManualClock::default();
    for builder in each_type(&clock) {
        let jobs = builder.build().unwrap();
        jobs.send(in_group("g", "m")).unwrap();
        receive_for(&jobs, 1, Duration::ZERO);
        let message = take(&jobs);
        let text = message.postpone(secs(43_200) + MILLISECOND).unwrap_err().to_string();
        assert!(text.contains("43200"), "{text}");
        message.postpone(secs(43_200)).unwrap();
        for again in [
            message.postpone(secs(1)),
            message.release(),
            message.change_visibility(secs(50_000)),
        ] {
            assert_eq!(again.unwrap_err().code(), "InvalidParameterValue");
        }
        let stored = &jobs.snapshot().messages[0];
        assert_eq!(stored.approximate_receive_count, 1, "its count went back once");
        clock.advance(secs(43_200));
        let late = take(&jobs);
        clock.advance(secs(30));
        assert!(late.postpone(secs(1)).is_err(), "its time is over");
    }
}

#[test]
fn facts_tell_of_a_postponement_and_a_delay_of_zero_is_a_release() {
    let (channel, facts) = FactChannel::unbounded();
    let clock = ManualClock::default();
    let jobs = standard(&clock).listener(channel).build().unwrap();
    jobs.send("m").unwrap();
    take(&jobs).postpone(secs(5)).unwrap();
    let end = clock.now().saturating_add(secs(5));
    let last = || facts.try_iter().last().map(|(_, entry)| entry.fact);
    assert!(matches!(last(), Some(Fact::Postponed { invisible_until, .. }) if invisible_until == end));
    clock.advance(secs(5));
    take(&jobs).postpone(Duration::ZERO).unwrap();
    assert!(matches!(last(), Some(Fact::Released { .. })));
}

#[test]
fn a_receive_takes_no_more_of_a_group_than_it_asks_for() {
    // F19
    let jobs = fifo(&ManualClock::default()).build().unwrap();
    for body in ["a1", "a2", "a3", "b1", "b2", "c1"] {
        jobs.send(in_group(&body[..1], body)).unwrap();
    }
    for (max, expected) in [(2, 5), (1, 3), (0, 3), (usize::MAX, 6)] {
        let receive = jobs.receive().max_messages(10).max_messages_per_group(max);
        let messages = receive.visibility_timeout(Duration::ZERO).blocking().unwrap();
        assert_eq!(messages.len(), expected, "of {max} a group");
    }
    let heads = jobs
        .receive()
        .max_messages(10)
        .max_messages_per_group(1)
        .blocking()
        .unwrap();
    assert_eq!(heads.len(), 3);
    assert!(receive(&jobs, 10).is_empty(), "the groups are locked");
}
