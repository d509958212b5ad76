//! Which messages a FIFO queue may return, and in which order (F18-F30, F37-F43).

use {
    crate::common::{
        MILLISECOND, bodies, counts, fifo, in_group, millis, receive, receive_for, secs, send_grouped, take, take_for,
        wait_for,
    },
    requeue::{Clock, DeduplicationScope, FifoThroughputLimit, Limits, ManualClock, Message, Queue},
    std::{
        sync::atomic::{AtomicBool, AtomicUsize, Ordering},
        thread,
        time::Duration,
    },
};

/// Three messages of one group, received together for ten seconds.
fn three_in_flight() -> (ManualClock, Queue, Vec<Message>) {
    let clock = ManualClock::default();
    let jobs = fifo(&clock).visibility_timeout(secs(10)).build().unwrap();
    send_grouped(&jobs, ["g-m0", "g-m1", "g-m2"]);
    let messages = receive(&jobs, 10);
    assert_eq!(bodies(&messages), ["g-m0", "g-m1", "g-m2"]);
    (clock, jobs, messages)
}

#[test]
fn a_group_in_flight_is_locked() {
    // F18, first row
    let (clock, jobs, _) = three_in_flight();
    assert!(receive(&jobs, 10).is_empty());
    clock.advance(secs(10) - MILLISECOND);
    assert!(receive(&jobs, 10).is_empty());
}

#[test]
fn a_message_still_in_flight_blocks_those_behind_it_and_none_before_it() {
    // F18, second to fourth row
    for (extended, receivable) in [(0, &[][..]), (1, &["g-m0"]), (2, &["g-m0", "g-m1"])] {
        let (clock, jobs, messages) = three_in_flight();
        messages[extended].change_visibility(secs(60)).unwrap();
        clock.advance(secs(10));
        assert_eq!(bodies(&receive(&jobs, 10)), receivable, "m{extended} is extended");
    }
}

#[test]
fn a_message_given_back_can_be_received_although_its_successors_are_in_flight() {
    // F18, fifth row
    let (_, jobs, messages) = three_in_flight();
    messages[0].change_visibility(Duration::ZERO).unwrap();
    assert_eq!(bodies(&receive(&jobs, 10)), ["g-m0"]);
}

#[test]
fn a_message_given_back_stays_locked_behind_its_predecessor() {
    // F18
    let (_, jobs, messages) = three_in_flight();
    messages[1].change_visibility(Duration::ZERO).unwrap();
    assert!(receive(&jobs, 10).is_empty());
    assert_eq!(counts(&jobs), [1, 2, 0]);
    messages[0].delete().unwrap();
    assert_eq!(bodies(&receive(&jobs, 10)), ["g-m1"]);
}

#[test]
fn deleting_the_first_message_unlocks_nothing_while_the_second_is_in_flight() {
    // F18, sixth row
    let (_, jobs, messages) = three_in_flight();
    messages[0].delete().unwrap();
    assert!(receive(&jobs, 10).is_empty());
    send_grouped(&jobs, ["g-m3"]);
    assert!(receive(&jobs, 10).is_empty());
}

#[test]
fn deleting_all_messages_in_flight_unlocks_the_group_at_once() {
    // F18, seventh row; F27
    let (_, jobs, messages) = three_in_flight();
    send_grouped(&jobs, ["g-m3", "g-m4"]);
    for message in &messages {
        assert!(receive(&jobs, 10).is_empty());
        message.delete().unwrap();
    }
    assert_eq!(bodies(&receive(&jobs, 10)), ["g-m3", "g-m4"]);
}

#[test]
fn deleting_out_of_order_unlocks_the_group_with_the_last_delete() {
    // F18 F27
    let (_, jobs, messages) = three_in_flight();
    send_grouped(&jobs, ["g-m3"]);
    for place in [2, 0, 1] {
        assert!(receive(&jobs, 10).is_empty());
        messages[place].delete().unwrap();
    }
    assert_eq!(bodies(&receive(&jobs, 10)), ["g-m3"]);
}

#[test]
fn a_message_sent_to_a_locked_group_waits() {
    // F18, eighth row
    let (clock, jobs, messages) = three_in_flight();
    send_grouped(&jobs, ["g-m3"]);
    messages[2].change_visibility(Duration::ZERO).unwrap();
    assert!(receive(&jobs, 10).is_empty());
    clock.advance(secs(10));
    assert_eq!(bodies(&receive(&jobs, 10)), ["g-m0", "g-m1", "g-m2", "g-m3"]);
}

#[test]
fn a_locked_group_does_not_hold_back_another() {
    // F20
    let (_, jobs, _) = three_in_flight();
    send_grouped(&jobs, ["g-m3", "h-m0"]);
    assert_eq!(bodies(&receive(&jobs, 10)), ["h-m0"]);
}

#[test]
fn a_receive_fills_from_one_group_before_the_next() {
    // F19
    let jobs = fifo(&ManualClock::default()).build().unwrap();
    send_grouped(&jobs, ["a-1", "b-1", "a-2", "b-2", "c-1", "a-3"]);
    assert_eq!(bodies(&receive(&jobs, 4)), ["a-1", "a-2", "a-3", "b-1"]);
}

#[test]
fn what_a_receive_leaves_of_a_group_is_locked() {
    // F20
    let jobs = fifo(&ManualClock::default()).build().unwrap();
    send_grouped(&jobs, ["a-1", "a-2", "a-3", "b-1"]);
    assert_eq!(bodies(&receive(&jobs, 2)), ["a-1", "a-2"]);
    assert_eq!(bodies(&receive(&jobs, 10)), ["b-1"]);
    assert_eq!(counts(&jobs), [1, 3, 0]);
}

#[test]
fn two_consumers_never_hold_messages_of_one_group() {
    // F21
    const GROUPS: usize = 5;
    let jobs = fifo(&ManualClock::default()).build().unwrap();
    for number in 0..200 {
        jobs.send(in_group(&(number % GROUPS).to_string(), &number.to_string()))
            .unwrap();
    }
    let held: [AtomicBool; GROUPS] = Default::default();
    let last: [AtomicUsize; GROUPS] = Default::default();
    let deleted = AtomicUsize::new(0);
    let consume = || {
        while deleted.load(Ordering::SeqCst) < 200 {
            for message in receive(&jobs, 1) {
                let number: usize = message.body().parse().unwrap();
                let group = number % GROUPS;
                assert!(!held[group].swap(true, Ordering::SeqCst), "group {group} is held twice");
                assert_eq!(last[group].swap(number + GROUPS, Ordering::SeqCst).max(group), number);
                held[group].store(false, Ordering::SeqCst);
                message.delete().unwrap();
                deleted.fetch_add(1, Ordering::SeqCst);
            }
        }
    };
    thread::scope(|scope| {
        let consumers = [(); 4].map(|()| scope.spawn(consume));
        consumers.into_iter().for_each(|consumer| consumer.join().unwrap());
    });
}

#[test]
fn groups_come_in_the_order_in_which_their_heads_were_sent() {
    // F22
    let jobs = fifo(&ManualClock::default()).build().unwrap();
    let sent: Vec<_> = (0..50).map(|group| format!("g{group}-m")).collect();
    send_grouped(&jobs, sent.iter().map(String::as_str));
    let received: Vec<_> = (0..5).flat_map(|_| receive(&jobs, 10)).collect();
    assert_eq!(bodies(&received), sent);
}

#[test]
fn groups_come_in_the_order_in_which_the_timeouts_of_their_heads_ended() {
    // F22
    let clock = ManualClock::default();
    let jobs = fifo(&clock).build().unwrap();
    send_grouped(&jobs, ["a-1", "b-1", "c-1"]);
    for (body, timeout) in [("a-1", secs(3)), ("b-1", secs(1)), ("c-1", secs(2))] {
        assert_eq!(take_for(&jobs, timeout).body(), body);
    }
    clock.advance(secs(10));
    assert_eq!(bodies(&receive(&jobs, 10)), ["b-1", "c-1", "a-1"]);
}

#[test]
fn groups_whose_timeouts_ended_at_one_instant_come_by_sequence_number() {
    // F22
    let clock = ManualClock::default();
    let jobs = fifo(&clock).build().unwrap();
    send_grouped(&jobs, ["a-1", "b-1"]);
    take_for(&jobs, secs(3));
    clock.advance(secs(1));
    take_for(&jobs, secs(2));
    clock.advance(secs(2));
    assert_eq!(bodies(&receive(&jobs, 10)), ["a-1", "b-1"]);
}

#[test]
fn deleting_a_predecessor_does_not_send_a_group_to_the_back() {
    // F22
    let clock = ManualClock::default();
    let jobs = fifo(&clock).build().unwrap();
    send_grouped(&jobs, ["a-1", "a-2"]);
    let first = take(&jobs);
    clock.advance(secs(1));
    send_grouped(&jobs, ["b-1"]);
    clock.advance(secs(1));
    first.delete().unwrap();
    assert_eq!(
        bodies(&receive(&jobs, 10)),
        ["a-2", "b-1"],
        "a-2 has been visible for longer"
    );
}

#[test]
fn a_successor_that_waits_gives_its_group_no_earlier_place() {
    // F22: it is the head's own instant that counts
    let clock = ManualClock::default();
    let jobs = fifo(&clock).build().unwrap();
    send_grouped(&jobs, ["a-1", "a-2"]);
    take_for(&jobs, secs(2));
    clock.advance(secs(1));
    send_grouped(&jobs, ["b-1"]);
    clock.advance(secs(1));
    assert_eq!(bodies(&receive(&jobs, 10)), ["b-1", "a-1", "a-2"]);
}

#[test]
fn messages_that_time_out_come_back_in_their_order_and_place() {
    // F23
    let (clock, jobs, _) = three_in_flight();
    send_grouped(&jobs, ["g-m3"]);
    for _ in 0..3 {
        clock.advance(secs(10));
        assert_eq!(bodies(&receive(&jobs, 10)), ["g-m0", "g-m1", "g-m2", "g-m3"]);
    }
}

#[test]
fn messages_given_back_in_any_order_come_in_theirs() {
    // F23
    let (_, jobs, messages) = three_in_flight();
    for place in [1, 2, 0] {
        messages[place].change_visibility(Duration::ZERO).unwrap();
    }
    assert_eq!(bodies(&receive(&jobs, 10)), ["g-m0", "g-m1", "g-m2"]);
}

#[test]
fn an_emptied_group_takes_new_messages() {
    // F24
    let (_, jobs, messages) = three_in_flight();
    let deleted = jobs.delete_batch(&messages).unwrap();
    assert!(deleted.failed.is_empty() && receive(&jobs, 10).is_empty());
    for body in ["g-m3", "g-m4"] {
        send_grouped(&jobs, [body]);
        let message = take(&jobs);
        assert_eq!(message.body(), body);
        message.delete().unwrap();
    }
}

#[test]
fn visibility_zero_leaves_the_group_unlocked() {
    // F25
    let jobs = fifo(&ManualClock::default()).build().unwrap();
    send_grouped(&jobs, ["a-1", "a-2", "b-1"]);
    let first = receive_for(&jobs, 2, Duration::ZERO);
    assert_eq!(bodies(&first), ["a-1", "a-2"]);
    assert_eq!(counts(&jobs), [3, 0, 0]);
    let error = first[0].delete().unwrap_err();
    assert!(
        error.to_string().ends_with("The receipt handle has expired."),
        "{error}"
    );
    assert_eq!(bodies(&receive(&jobs, 10)), ["b-1", "a-1", "a-2"]);
}

#[test]
fn delayed_messages_keep_their_order() {
    // F26
    let clock = ManualClock::default();
    let jobs = fifo(&clock).delay(secs(10)).build().unwrap();
    send_grouped(&jobs, ["g-1"]);
    clock.advance(secs(5));
    send_grouped(&jobs, ["g-2", "h-1"]);
    clock.advance(secs(5));
    assert_eq!(counts(&jobs), [1, 0, 2]);
    assert_eq!(bodies(&receive_for(&jobs, 10, secs(1))), ["g-1"]);
    clock.advance(secs(5));
    assert_eq!(bodies(&receive(&jobs, 10)), ["g-1", "g-2", "h-1"]);
}

#[test]
fn the_end_of_retention_of_a_blocking_message_unlocks_its_group() {
    // F27
    let clock = ManualClock::default();
    let jobs = fifo(&clock).message_retention_period(secs(60)).build().unwrap();
    let sent = clock.now();
    send_grouped(&jobs, ["g-1"]);
    take_for(&jobs, secs(600));
    clock.advance(secs(45));
    send_grouped(&jobs, ["g-2"]);
    let messages = wait_for(&clock, jobs.receive().wait_time(secs(20))).unwrap();
    assert_eq!(
        (bodies(&messages), clock.now()),
        (vec!["g-2"], sent.saturating_add(secs(60)))
    );
}

#[test]
fn purge_unlocks_all_groups() {
    // F27 D46
    let (_, jobs, _) = three_in_flight();
    jobs.purge().unwrap();
    send_grouped(&jobs, ["g-m3"]);
    assert_eq!(bodies(&receive(&jobs, 10)), ["g-m3"]);
}

fn with_dead_letters(clock: &ManualClock, max_receive_count: u32) -> (Queue, Queue) {
    let dead = Queue::fifo("dead.fifo").clock(clock.clone()).build().unwrap();
    let jobs = fifo(clock).dead_letter(&dead, max_receive_count).build().unwrap();
    (jobs, dead)
}

#[test]
fn a_dead_lettered_message_does_not_hold_back_its_successors() {
    // F27 F28 L19
    let (jobs, dead) = with_dead_letters(&ManualClock::default(), 1);
    send_grouped(&jobs, ["a-1"]);
    take_for(&jobs, Duration::ZERO);
    send_grouped(&jobs, ["a-2", "a-3"]);
    assert_eq!(bodies(&receive(&jobs, 10)), ["a-2", "a-3"]);
    assert_eq!(bodies(&receive(&dead, 10)), ["a-1"]);
}

#[test]
fn dead_letters_from_the_middle_of_a_group_let_their_successors_overtake() {
    // F42
    let clock = ManualClock::default();
    let (jobs, dead) = with_dead_letters(&clock, 2);
    send_grouped(&jobs, ["g-1", "g-2", "g-3"]);
    for _ in 0..2 {
        take_for(&jobs, Duration::ZERO);
    }
    let messages = receive_for(&jobs, 1, secs(1));
    assert_eq!(bodies(&messages), ["g-2"], "g-1 has left");
    assert_eq!(bodies(&receive(&dead, 1)), ["g-1"]);
    messages[0].delete().unwrap();
    assert_eq!(bodies(&receive(&jobs, 10)), ["g-3"]);
}

#[test]
fn too_many_messages_in_flight_make_a_fifo_queue_silent() {
    // F29
    let clock = ManualClock::default();
    let mut limits = Limits::default();
    limits.in_flight_fifo = 3;
    let jobs = fifo(&clock).limits(limits).build().unwrap();
    send_grouped(&jobs, ["a-1", "b-1", "b-2", "c-1", "d-1"]);
    assert_eq!(bodies(&receive(&jobs, 2)), ["a-1", "b-1"]);
    let last = receive(&jobs, 10);
    assert_eq!(bodies(&last), ["c-1"], "as many as fit");
    assert!(receive(&jobs, 10).is_empty());
    let before = clock.now();
    assert!(wait_for(&clock, jobs.receive().wait_time(secs(5))).unwrap().is_empty());
    assert_eq!(clock.now(), before.saturating_add(secs(5)));
    last[0].delete().unwrap();
    assert_eq!(bodies(&receive(&jobs, 10)), ["d-1"]);
}

#[test]
fn sequence_numbers_grow_over_the_whole_queue_and_have_20_digits() {
    // F37 F38
    let jobs = fifo(&ManualClock::default()).build().unwrap();
    let numbers: Vec<_> = (0..100)
        .map(|number: u32| {
            let message = in_group(&(number % 3).to_string(), &number.to_string());
            jobs.send(message).unwrap().sequence_number.unwrap()
        })
        .collect();
    for pair in numbers.windows(2) {
        let texts = [pair[0].to_string(), pair[1].to_string()];
        assert!(pair[0] < pair[1] && texts[0] < texts[1]);
        assert!(
            texts
                .iter()
                .all(|text| text.len() == 20 && text.bytes().all(|byte| byte.is_ascii_digit()))
        );
    }
}

#[test]
fn high_throughput_changes_neither_order_nor_locking() {
    // F40 F41 Q22
    let jobs = fifo(&ManualClock::default())
        .deduplication_scope(DeduplicationScope::MessageGroup)
        .fifo_throughput_limit(FifoThroughputLimit::PerMessageGroupId)
        .build()
        .unwrap();
    send_grouped(&jobs, ["a-1", "b-1", "a-2"]);
    assert_eq!(bodies(&receive(&jobs, 1)), ["a-1"]);
    assert_eq!(bodies(&receive(&jobs, 10)), ["b-1"]);
}

#[test]
fn a_locked_message_is_counted_as_visible_and_shown_as_blocked() {
    // C1 C2
    let jobs = fifo(&ManualClock::default()).build().unwrap();
    send_grouped(&jobs, ["g-1", "g-2", "g-3", "h-1", "g-4", "g-5"]);
    assert_eq!(receive(&jobs, 2).len(), 2);
    assert_eq!(counts(&jobs), [4, 2, 0]);
    let snapshot = jobs.snapshot();
    let blocked = snapshot.messages.iter().filter(|message| message.blocked);
    assert_eq!(
        blocked.map(|message| &**message.content.body()).collect::<Vec<_>>(),
        ["g-3", "g-4", "g-5"]
    );
}

#[test]
fn a_consumer_in_time_gets_every_message_once_and_in_order() {
    // F43
    let clock = ManualClock::default();
    let jobs = fifo(&clock).build().unwrap();
    let sent: Vec<_> = (0..30).map(|number| format!("g-{number}")).collect();
    for body in &sent {
        send_grouped(&jobs, [body.as_str(), body.as_str()]);
    }
    let mut received = Vec::new();
    while received.len() < sent.len() {
        for message in receive(&jobs, 7) {
            clock.advance(millis(4_000));
            message.delete().unwrap();
            received.push(message.body().to_owned());
        }
    }
    assert_eq!(received, sent);
    assert!(receive(&jobs, 10).is_empty());
}
