//! The reference replays what was observed on AWS (B26 to B47) and the tables of D19 and F18: FIFO queues.

use crate::reference::*;
use crate::scenarios::{INVALID, START, Story, assert_refused};

#[test]
fn only_the_latest_handle_in_flight_works_on_a_fifo_queue() {
    let mut story = Story::new(&[Setup::fifo().visibility_timeout(SECOND)]); // B39, D19
    story.send(&["m"]);
    let old = story.one();
    story.at(2.0);
    assert_refused(story.delete(old), INVALID, "The receipt handle has expired.");
    assert_refused(story.change(old, 0), INVALID, "does not exist or is not available");
    let new = story.one();
    assert_refused(story.delete(old), INVALID, "The receipt handle has expired.");
    assert_refused(story.change(old, 5), INVALID, "The receipt handle has expired.");
    story.change(new, 5).unwrap();
    story.delete(new).unwrap();
    assert_eq!(story.world.counts(0), Counts::default());
}

#[test]
fn an_extension_before_the_end_keeps_a_fifo_handle_alive() {
    let mut story = Story::new(&[Setup::fifo().visibility_timeout(SECOND)]); // B40
    story.send(&["m"]);
    let handle = story.one();
    story.change(handle, 10).unwrap();
    story.at(2.0);
    story.delete(handle).unwrap();
}

#[test]
fn a_group_is_served_in_order() {
    let mut story = Story::new(&[Setup::fifo()]); // B26
    story.send(&["g-m0", "g-m1", "g-m2", "g-m3"]);
    for expected in ["g-m0", "g-m1", "g-m2", "g-m3"] {
        let (bodies, handles) = story.receive(1, None);
        assert_eq!(bodies, [expected]);
        story.delete(handles[0]).unwrap();
    }
}

#[test]
fn a_receive_fills_from_one_group_before_the_next() {
    let mut story = Story::new(&[Setup::fifo()]); // B27, F19
    story.send(&["g1-m1", "g2-m1", "g1-m2", "g1-m3"]);
    assert_eq!(story.bodies(10), ["g1-m1", "g1-m2", "g1-m3", "g2-m1"]);
}

#[test]
fn a_new_message_waits_for_the_one_in_flight_before_it() {
    let mut story = Story::new(&[Setup::fifo().visibility_timeout(60 * SECOND)]); // B28
    story.send(&["g1-m1"]);
    let first = story.one();
    story.send(&["g1-m2"]);
    story.at(2.0);
    assert!(story.bodies(1).is_empty());
    story.delete(first).unwrap();
    assert_eq!(story.bodies(1), ["g1-m2"]);
}

#[test]
fn the_prefix_before_an_extended_message_is_receivable() {
    let expected: [&[&str]; 3] = [&[], &["g-foo"], &["g-foo", "g-bar"]]; // B29, B30, B31, F18
    for (extended, expected) in expected.iter().enumerate() {
        let mut story = Story::new(&[Setup::fifo().visibility_timeout(SECOND)]);
        story.send(&["g-foo", "g-bar", "g-baz"]);
        let handles = story.receive(5, None).1;
        assert!(story.bodies(5).is_empty());
        story.change(handles[extended], 4).unwrap();
        story.at(2.5);
        assert_eq!(story.bodies(5), *expected);
    }
}

#[test]
fn the_other_rows_of_the_prefix_rule() {
    let mut story = Story::new(&[Setup::fifo()]); // F18
    story.send(&["g-m0", "g-m1", "g-m2"]);
    let handles = story.receive(10, None).1;
    story.send(&["g-m3"]);
    assert!(story.bodies(10).is_empty());
    assert!(story.world.snapshot(0)[3].blocked);
    let mut ended = Story {
        world: story.world.clone(),
        start: START,
    };
    ended.change(handles[0], 0).unwrap();
    assert_eq!(ended.bodies(10), ["g-m0"]);
    story.delete(handles[0]).unwrap();
    assert!(story.bodies(10).is_empty());
    story.delete(handles[1]).unwrap();
    story.delete(handles[2]).unwrap();
    assert_eq!(story.bodies(10), ["g-m3"]);
}

#[test]
fn a_group_given_back_sorts_behind_one_that_waited() {
    for seconds in [0, 1] {
        let mut story = Story::new(&[Setup::fifo()]); // B32, B33, F22
        story.send(&["g1-m1", "g1-m2", "g2-m1"]);
        let handles = story.receive(2, None).1;
        story.change(handles[0], seconds).unwrap();
        story.at(2.0 * seconds as f64);
        assert_eq!(story.bodies(3), ["g2-m1", "g1-m1"]);
    }
}

#[test]
fn deleting_a_predecessor_does_not_renew_the_instant_of_the_next_head() {
    let send = ["g1-m1", "g2-m1", "g1-m2", "g2-m2", "g1-m3", "g1-m4", "g3-m1"];
    let mut story = Story::new(&[Setup::fifo()]); // B34
    story.send(&send);
    for handle in story.receive(2, None).1 {
        story.delete(handle).unwrap();
    }
    assert_eq!(story.bodies(10), ["g2-m1", "g2-m2", "g1-m3", "g1-m4", "g3-m1"]);
    let mut story = Story::new(&[Setup::fifo()]); // B35
    story.send(&send);
    let first = story.receive(2, None).1[0];
    story.delete(first).unwrap();
    assert_eq!(story.bodies(10), ["g2-m1", "g2-m2", "g3-m1"]);
}

#[test]
fn groups_that_were_never_touched_come_first() {
    let mut story = Story::new(&[Setup::fifo().visibility_timeout(SECOND)]); // B36
    story.send(&["g1-m1", "g1-m2", "g1-m3", "g1-m4", "g2-m1", "g3-m1"]);
    assert_eq!(story.bodies(2), ["g1-m1", "g1-m2"]);
    assert_eq!(story.bodies(1), ["g2-m1"]);
    story.at(2.0);
    let expected = ["g3-m1", "g1-m1", "g1-m2", "g1-m3", "g1-m4", "g2-m1"];
    assert_eq!(story.receive(10, Some(0)).0, expected);
}

#[test]
fn visibility_zero_sends_the_groups_it_touched_to_the_back() {
    let mut story = Story::new(&[Setup::fifo()]); // B37, F25
    story.send(&["g1-m1", "g2-m1", "g2-m2", "g3-m1", "g1-m2"]);
    let (bodies, handles) = story.receive(3, Some(0));
    assert_eq!(bodies, ["g1-m1", "g1-m2", "g2-m1"]);
    assert_refused(story.delete(handles[0]), INVALID, "The receipt handle has expired.");
    assert_eq!(
        story.receive(10, Some(0)).0,
        ["g3-m1", "g1-m1", "g1-m2", "g2-m1", "g2-m2"]
    );
}

#[test]
fn order_survives_the_visibility_timeout() {
    let mut story = Story::new(&[Setup::fifo().visibility_timeout(SECOND)]); // B38, F23
    story.send(&["g-m0", "g-m1", "g-m2"]);
    for second in [0.0, 2.0] {
        story.at(second);
        assert_eq!(story.bodies(10), ["g-m0", "g-m1", "g-m2"]);
    }
}

#[test]
fn a_duplicate_is_swallowed_for_five_minutes_and_answers_with_the_original() {
    let mut story = Story::new(&[Setup::fifo()]); // B41, F9, F11, F12
    let original = story.send_as(Draft::new("x").message_group_id("g"));
    let handle = story.one();
    story.delete(handle).unwrap();
    story.at(299.999);
    assert_eq!(story.send_as(Draft::new("x").message_group_id("g")), original);
    assert!(story.bodies(1).is_empty());
    story.at(300.0);
    assert_ne!(story.send_as(Draft::new("x").message_group_id("g")), original);
    assert_eq!(story.bodies(1), ["x"]);
}

#[test]
fn an_explicit_id_collides_with_an_equal_content_hash() {
    let mut story = Story::new(&[Setup::fifo()]); // F7
    let original = story.send_as(Draft::new("a").message_group_id("g"));
    let hash = content_hash("a");
    assert_eq!(
        story.send_as(Draft::new("other").message_group_id("g").deduplication_id(&hash)),
        original
    );
}

#[test]
fn the_scope_decides_whether_groups_share_the_memory() {
    for (scope, expected) in [(Scope::Queue, 0), (Scope::MessageGroup, 1)] {
        let mut story = Story::new(&[Setup::fifo().deduplication_scope(scope)]); // B42, F10
        story.send_as(Draft::new("x").message_group_id("1").deduplication_id("d"));
        let handle = story.one();
        story.delete(handle).unwrap();
        story.send_as(Draft::new("y").message_group_id("2").deduplication_id("d"));
        assert_eq!(story.bodies(1).len(), expected);
    }
}

#[test]
fn a_changed_scope_acts_a_minute_later() {
    let mut story = Story::new(&[Setup::fifo()]); // F16
    let original = story.send_as(Draft::new("x").message_group_id("1").deduplication_id("d"));
    let scope = Some(Scope::MessageGroup);
    story
        .world
        .set_attributes(
            0,
            &Change {
                deduplication_scope: scope,
                ..Change::default()
            },
        )
        .unwrap();
    story.at(59.999);
    assert_eq!(
        story.send_as(Draft::new("x").message_group_id("2").deduplication_id("d")),
        original
    );
    story.at(60.0);
    assert_ne!(
        story.send_as(Draft::new("x").message_group_id("2").deduplication_id("d")),
        original
    );
}

#[test]
fn purge_clears_the_memory_of_ids() {
    let mut story = Story::new(&[Setup::fifo()]); // B43, D46
    story.send_as(Draft::new("first").message_group_id("g").deduplication_id("d"));
    story.world.purge(0).unwrap();
    story.send_as(Draft::new("second").message_group_id("g").deduplication_id("d"));
    assert_eq!(story.bodies(1), ["second"]);
}

#[test]
fn a_fifo_message_has_the_delay_of_its_queue() {
    let mut story = Story::new(&[Setup::fifo().delay(2 * SECOND)]); // B44, B45, D34, D35
    story.send_as(Draft::new("m").message_group_id("g").delay(0));
    let refused = story
        .world
        .send(0, &Draft::new("n").message_group_id("g").delay(2 * SECOND));
    assert_refused(refused, INVALID, "not valid for this queue type");
    assert!(story.bodies(1).is_empty());
    story.at(1.0);
    story
        .world
        .set_attributes(
            0,
            &Change {
                delay: Some(3 * SECOND),
                ..Change::default()
            },
        )
        .unwrap();
    story.at(2.999);
    assert!(story.bodies(1).is_empty());
    story.at(3.0);
    assert_eq!(story.bodies(1), ["m"]);
}

#[test]
fn a_dead_lettered_head_unlocks_its_group() {
    let mut story = Story::new(&[Setup::fifo().redrive(1, 2), Setup::fifo()]); // B46, F24
    story.send(&["g-m"]);
    for expected in [1, 1, 0] {
        assert_eq!(story.receive(1, Some(0)).0.len(), expected);
    }
    let moved = story.receive_from(1, 1, None)[0].clone();
    assert_eq!(
        (moved.body.as_str(), moved.deduplication_id, moved.receive_count),
        ("g-m", Some(DeduplicationId::MessageId), 3)
    );
    story.send(&["g-n"]);
    assert_eq!(story.bodies(1), ["g-n"]);
}

#[test]
fn locked_messages_count_as_visible() {
    let mut story = Story::new(&[Setup::fifo()]); // B47, C1
    story.send(&["g1-m1", "g1-m2", "g2-m1", "g3-m1", "g3-m2"]);
    let handles = story.receive(4, None).1;
    assert_eq!(story.visible(), 1);
    for handle in handles {
        story.delete(handle).unwrap();
    }
    assert_eq!(story.visible(), 1);
}

#[test]
fn a_replay_answers_with_the_same_handles_until_something_happens_to_them() {
    let mut story = Story::new(&[Setup::fifo()]); // F32, F33, F34, F35
    let request = Request {
        max_messages: Some(2),
        receive_request_attempt_id: Some("A".to_owned()),
        ..Request::default()
    };
    assert!(story.world.receive(0, &request).unwrap().is_empty());
    story.send(&["g-m0", "g-m1"]);
    let first = story.world.receive(0, &request).unwrap();
    story.at(20.0);
    let again = story.world.receive(0, &request).unwrap();
    assert_eq!(again.len(), 2);
    assert_eq!((again[0].handle, again[0].receive_count), (first[0].handle, 1));
    assert_eq!(again[0].invisible_until, first[0].invisible_until + 20 * SECOND);
    story.change(first[1].handle, 10).unwrap();
    assert_refused(story.world.receive(0, &request), INVALID, "not retryable");
    story.at(300.0);
    assert_eq!(story.world.receive(0, &request).unwrap()[0].receive_count, 2);
}
