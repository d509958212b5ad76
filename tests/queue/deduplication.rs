//! What a FIFO queue takes for the same send within five minutes (F7-F17).

use crate::common;

use {
    common::{MILLISECOND, bodies, counts, fifo, in_group, receive, secs, take, take_for},
    requeue::{DeduplicationScope, ManualClock, MessageAttributeValue, Queue, QueueAttributes, SendMessage, Sent},
    std::time::Duration,
};

const INTERVAL: Duration = secs(300);
/// How long after a change of scope the old one still acts.
const SCOPE_DELAY: Duration = secs(60);

/// A message that is told apart by its id alone.
fn with_id(group: &str, id: &str, body: &str) -> SendMessage {
    in_group(group, body).message_deduplication_id(id)
}

/// Sends and says whether the message was stored.
fn stores(jobs: &Queue, message: SendMessage) -> bool {
    let stored = |jobs: &Queue| jobs.snapshot().messages.len();
    let before = stored(jobs);
    jobs.send(message).unwrap();
    stored(jobs) > before
}

fn scope(jobs: &Queue, scope: DeduplicationScope) {
    jobs.set_attributes(QueueAttributes::new().deduplication_scope(scope))
        .unwrap();
}

#[test]
fn without_an_id_the_hash_of_the_body_is_one() {
    // F7
    let jobs = fifo(&ManualClock::default()).build().unwrap();
    jobs.send(in_group("g", "Test single")).unwrap();
    let hash = "2591186cff6c740cb9e0cfce1653a7e6998d57da12e1da13d85344b1c08be4cb";
    assert_eq!(take(&jobs).message_deduplication_id(), Some(hash));
    assert!(
        !stores(&jobs, with_id("g", hash, "another body")),
        "an explicit id collides with a computed one"
    );
}

#[test]
fn attributes_are_no_part_of_the_hash() {
    // F7 F13
    let jobs = fifo(&ManualClock::default()).build().unwrap();
    jobs.send(in_group("g", "m")).unwrap();
    let other = in_group("g", "m")
        .attribute("kind", MessageAttributeValue::string("v"))
        .aws_trace_header("Root=1");
    assert!(!stores(&jobs, other));
    assert!(stores(&jobs, in_group("g", "M")));
}

#[test]
fn an_explicit_id_wins_over_the_hash() {
    // F7
    let jobs = fifo(&ManualClock::default()).build().unwrap();
    assert!(stores(&jobs, with_id("g", "1", "same")));
    assert!(stores(&jobs, with_id("g", "2", "same")));
    assert!(stores(&jobs, in_group("g", "same")));
    assert_eq!(take(&jobs).message_deduplication_id(), Some("1"));
}

#[test]
fn an_explicit_id_counts_without_content_based_deduplication() {
    // F7
    let jobs = fifo(&ManualClock::default())
        .content_based_deduplication(false)
        .build()
        .unwrap();
    assert!(stores(&jobs, with_id("g", "1", "same")));
    assert!(!stores(&jobs, with_id("g", "1", "other")));
    assert!(stores(&jobs, with_id("g", "2", "same")));
}

#[test]
fn an_id_counts_for_five_minutes_from_the_send_that_was_accepted() {
    // F9
    let clock = ManualClock::default();
    let jobs = fifo(&clock).build().unwrap();
    assert!(stores(&jobs, with_id("g", "d", "first")));
    clock.advance(INTERVAL - MILLISECOND);
    assert!(!stores(&jobs, with_id("g", "d", "second")));
    clock.advance(MILLISECOND);
    assert!(
        stores(&jobs, with_id("g", "d", "third")),
        "a duplicate does not extend the window"
    );
    clock.advance(INTERVAL - MILLISECOND);
    assert!(
        !stores(&jobs, with_id("g", "d", "fourth")),
        "an accepted send opens a new one"
    );
}

#[test]
fn a_duplicate_answers_as_its_original_did() {
    // F11
    let clock = ManualClock::default();
    let jobs = fifo(&clock).build().unwrap();
    let original: Sent = jobs.send(with_id("g", "d", "first")).unwrap();
    jobs.send(with_id("g", "e", "between")).unwrap();
    clock.advance(secs(10));
    assert_eq!(jobs.send(with_id("g", "d", "second")), Ok(original));
    assert!(original.sequence_number.is_some());
    assert_eq!(bodies(&receive(&jobs, 10)), ["first", "between"]);
}

#[test]
fn only_the_key_counts() {
    // F13 F10
    let jobs = fifo(&ManualClock::default()).build().unwrap();
    let original = jobs.send(with_id("g", "d", "first")).unwrap();
    let other = with_id("h", "d", "second").attribute("kind", MessageAttributeValue::string("v"));
    assert_eq!(jobs.send(other.delay(Duration::ZERO)), Ok(original));
    assert_eq!(counts(&jobs), [1, 0, 0]);
}

#[test]
fn the_scope_of_a_message_group_keeps_groups_apart() {
    // F10
    let jobs = fifo(&ManualClock::default())
        .deduplication_scope(DeduplicationScope::MessageGroup)
        .build()
        .unwrap();
    let [g, h] = ["g", "h"].map(|group| jobs.send(with_id(group, "d", "m")).unwrap());
    assert_ne!(g.message_id, h.message_id);
    for (group, original) in [("g", g), ("h", h)] {
        assert_eq!(
            jobs.send(with_id(group, "d", "m")),
            Ok(original),
            "one group's send does not erase the other's"
        );
    }
    assert_eq!(counts(&jobs), [2, 0, 0]);
}

#[test]
fn the_memory_outlives_a_deleted_message() {
    // F12
    let jobs = fifo(&ManualClock::default()).build().unwrap();
    let original = jobs.send(with_id("g", "d", "m")).unwrap();
    take(&jobs).delete().unwrap();
    assert_eq!(jobs.send(with_id("g", "d", "m")), Ok(original));
    assert!(receive(&jobs, 1).is_empty());
}

#[test]
fn the_memory_outlives_an_expired_message() {
    // F12
    let clock = ManualClock::default();
    let jobs = fifo(&clock).message_retention_period(secs(60)).build().unwrap();
    let original = jobs.send(with_id("g", "d", "m")).unwrap();
    clock.advance(secs(60));
    assert_eq!(counts(&jobs), [0, 0, 0]);
    assert_eq!(jobs.send(with_id("g", "d", "m")), Ok(original));
    clock.advance(INTERVAL - secs(60));
    assert!(stores(&jobs, with_id("g", "d", "m")));
}

#[test]
fn the_memory_outlives_a_dead_lettered_message() {
    // F12 L12
    let clock = ManualClock::default();
    let dead = Queue::fifo("dead.fifo").clock(clock.clone()).build().unwrap();
    let jobs = fifo(&clock).dead_letter(&dead, 1).build().unwrap();
    let original = jobs.send(with_id("g", "d", "m")).unwrap();
    take_for(&jobs, Duration::ZERO);
    assert!(receive(&jobs, 1).is_empty());
    assert_eq!(counts(&dead), [1, 0, 0]);
    assert_eq!(jobs.send(with_id("g", "d", "m")), Ok(original));
    assert_eq!(counts(&jobs), [0, 0, 0]);
}

#[test]
fn purge_forgets_every_id() {
    // D46 F12
    let jobs = fifo(&ManualClock::default()).build().unwrap();
    let original = jobs.send(with_id("g", "d", "m")).unwrap();
    jobs.purge().unwrap();
    let again = jobs.send(with_id("g", "d", "m")).unwrap();
    assert_ne!(again.message_id, original.message_id);
    assert_eq!(counts(&jobs), [1, 0, 0]);
}

#[test]
fn a_refused_send_is_not_remembered() {
    // F14
    let jobs = fifo(&ManualClock::default()).build().unwrap();
    for refused in [
        with_id("g", "d", "\0"),
        with_id("a b", "d", "m"),
        with_id("g", "d", "m").delay(secs(1)),
        with_id("g", "d", &"x".repeat(262_145)),
        SendMessage::new("m").message_deduplication_id("d"),
    ] {
        jobs.send(refused).unwrap_err();
    }
    let batch = jobs.send_batch([
        with_id("g", "d", "m"),
        SendMessage::new("m").message_deduplication_id("d"),
    ]);
    batch.unwrap_err();
    assert!(stores(&jobs, with_id("g", "d", "m")));
}

#[test]
fn arrivals_neither_ask_the_memory_nor_fill_it() {
    // F15 L12
    let clock = ManualClock::default();
    let dead = Queue::fifo("dead.fifo").clock(clock.clone()).build().unwrap();
    let builder = fifo(&clock).deduplication_scope(DeduplicationScope::MessageGroup);
    let jobs = builder.dead_letter(&dead, 1).build().unwrap();
    dead.send(with_id("x", "d", "sent to the dead-letter queue")).unwrap();
    for group in ["g", "h"] {
        jobs.send(with_id(group, "d", group)).unwrap();
        jobs.send(with_id(group, "e", group)).unwrap();
    }
    assert_eq!(common::receive_for(&jobs, 10, Duration::ZERO).len(), 4);
    assert!(receive(&jobs, 10).is_empty());
    assert_eq!(counts(&dead), [5, 0, 0], "poison with an id in use arrives");
    assert!(stores(&dead, with_id("x", "e", "m")), "the id of an arrival is free");
}

#[test]
fn a_narrower_scope_acts_a_minute_after_the_change() {
    // F16
    let clock = ManualClock::default();
    let jobs = fifo(&clock).build().unwrap();
    assert!(stores(&jobs, with_id("g", "before", "m")));
    scope(&jobs, DeduplicationScope::MessageGroup);
    assert_eq!(jobs.settings().deduplication_scope, DeduplicationScope::MessageGroup);
    assert!(!stores(&jobs, with_id("h", "before", "m")));
    assert!(stores(&jobs, with_id("g", "after", "m")));
    clock.advance(SCOPE_DELAY - MILLISECOND);
    assert!(!stores(&jobs, with_id("h", "before", "m")));
    assert!(
        !stores(&jobs, with_id("h", "after", "m")),
        "ids first used after the change as well"
    );
    clock.advance(MILLISECOND);
    assert!(stores(&jobs, with_id("h", "before", "m")));
    assert!(stores(&jobs, with_id("h", "after", "m")));
    assert!(!stores(&jobs, with_id("g", "before", "m")));
}

#[test]
fn a_wider_scope_acts_a_minute_after_the_change() {
    // F16
    let clock = ManualClock::default();
    let jobs = fifo(&clock)
        .deduplication_scope(DeduplicationScope::MessageGroup)
        .build()
        .unwrap();
    assert!(stores(&jobs, with_id("g", "before", "m")));
    scope(&jobs, DeduplicationScope::Queue);
    clock.advance(SCOPE_DELAY - MILLISECOND);
    assert!(stores(&jobs, with_id("h", "before", "m")));
    assert!(stores(&jobs, with_id("g", "after", "m")));
    clock.advance(MILLISECOND);
    assert!(!stores(&jobs, with_id("i", "before", "m")));
    assert!(!stores(&jobs, with_id("h", "after", "m")));
}

#[test]
fn a_wider_scope_counts_an_id_for_five_minutes_from_its_last_accepted_send() {
    // F16 F9
    let clock = ManualClock::default();
    let jobs = fifo(&clock)
        .deduplication_scope(DeduplicationScope::MessageGroup)
        .build()
        .unwrap();
    assert!(stores(&jobs, with_id("g", "d", "m")));
    clock.advance(secs(200));
    assert!(stores(&jobs, with_id("h", "d", "m")));
    scope(&jobs, DeduplicationScope::Queue);
    clock.advance(secs(100));
    assert!(!stores(&jobs, with_id("i", "d", "m")), "g's entry is over, h's is not");
    clock.advance(secs(200));
    assert!(stores(&jobs, with_id("i", "d", "m")));
}

#[test]
fn a_change_of_scope_taken_back_within_a_minute_never_acts() {
    // F16
    let clock = ManualClock::default();
    let jobs = fifo(&clock).build().unwrap();
    assert!(stores(&jobs, with_id("g", "d", "m")));
    scope(&jobs, DeduplicationScope::MessageGroup);
    clock.advance(secs(30));
    scope(&jobs, DeduplicationScope::Queue);
    clock.advance(secs(90));
    assert!(!stores(&jobs, with_id("h", "d", "m")));
}

#[test]
fn a_change_of_scope_acts_for_a_minute_after_it_is_taken_back() {
    // F16
    let clock = ManualClock::default();
    let jobs = fifo(&clock).build().unwrap();
    assert!(stores(&jobs, with_id("g", "d", "m")));
    scope(&jobs, DeduplicationScope::MessageGroup);
    clock.advance(secs(61));
    scope(&jobs, DeduplicationScope::Queue);
    assert!(
        stores(&jobs, with_id("h", "d", "m")),
        "the message group acts since one second"
    );
    clock.advance(SCOPE_DELAY);
    assert!(!stores(&jobs, with_id("i", "d", "m")));
}

#[test]
fn setting_the_scope_that_is_set_starts_no_new_minute() {
    // F16 C8
    let clock = ManualClock::default();
    let jobs = fifo(&clock).build().unwrap();
    assert!(stores(&jobs, with_id("g", "d", "m")));
    for _ in 0..2 {
        scope(&jobs, DeduplicationScope::MessageGroup);
        clock.advance(secs(30));
    }
    assert!(stores(&jobs, with_id("h", "d", "m")));
}

#[test]
fn a_purge_does_not_take_back_a_change_of_scope() {
    // F16 D46
    let clock = ManualClock::default();
    let jobs = fifo(&clock).build().unwrap();
    scope(&jobs, DeduplicationScope::MessageGroup);
    jobs.purge().unwrap();
    assert!(stores(&jobs, with_id("g", "d", "m")));
    assert!(!stores(&jobs, with_id("h", "d", "m")), "the old scope still acts");
    clock.advance(SCOPE_DELAY);
    assert!(stores(&jobs, with_id("h", "d", "m")));
}

#[test]
fn hashes_stay_in_force_when_content_based_deduplication_is_switched_off() {
    // F17
    let jobs = fifo(&ManualClock::default()).build().unwrap();
    jobs.send(in_group("g", "Test single")).unwrap();
    jobs.set_attributes(QueueAttributes::new().content_based_deduplication(false))
        .unwrap();
    let hash = "2591186cff6c740cb9e0cfce1653a7e6998d57da12e1da13d85344b1c08be4cb";
    assert!(!stores(&jobs, with_id("g", hash, "m")));
    jobs.set_attributes(QueueAttributes::new().content_based_deduplication(true))
        .unwrap();
    assert!(!stores(&jobs, in_group("g", "Test single")));
}

#[test]
fn a_delayed_original_makes_duplicates_too() {
    // F9 F13
    let clock = ManualClock::default();
    let jobs = fifo(&clock).delay(secs(600)).build().unwrap();
    assert!(stores(&jobs, with_id("g", "d", "m")));
    clock.advance(INTERVAL - MILLISECOND);
    assert!(
        !stores(&jobs, with_id("g", "d", "m")),
        "the window counts from the send and not from the delay's end"
    );
    clock.advance(MILLISECOND);
    assert!(stores(&jobs, with_id("g", "d", "m")));
}

#[test]
fn a_standard_queue_knows_no_duplicates() {
    // F4 N1
    let jobs = common::standard(&ManualClock::default()).build().unwrap();
    for _ in 0..3 {
        assert!(stores(&jobs, in_group("g", "same")));
    }
}
