//! Queues with a journal on disks that are full, and at a full rate.

use {
    super::super::{
        builder::Options,
        durability::{Durabilities, Durability},
        log::{Housekeeping, LogOptions},
        sim_fs::{Call, Failure, SimFs},
    },
    crate::{
        attributes::{QueueAttributes, RedrivePolicy},
        clock::ManualClock,
        error::{SendError, StorageError},
        queue::{Message, Queue},
        service::Service,
    },
    rand::{SeedableRng, rngs::Xoshiro256PlusPlus, seq::SliceRandom},
    std::{path::Path, sync::Arc, time::Duration},
};

pub(super) const SEGMENT: u64 = 64 << 10;

pub(super) fn open(sim: &SimFs, durability: Durability) -> Service {
    let log = LogOptions {
        segment_bytes: SEGMENT,
        housekeeping: Housekeeping::Inline,
        store: Some(7),
        ..LogOptions::default()
    };
    let options = Options {
        log,
        durabilities: Durabilities {
            send: durability,
            delete: durability,
            ..Durabilities::default()
        },
        on_progress: Box::new(|_, _| {}),
        queue: None,
    };
    let builder = Service::builder().clock(ManualClock::default()).seed(1);
    super::super::open::open(builder, Arc::new(sim.clone()), Path::new("sim"), options).unwrap()
}

fn is_full<T>(result: &Result<T, SendError>) -> bool {
    matches!(result, Err(SendError::Storage(StorageError::Full { .. })))
}

fn jobs(service: &Service) -> Queue {
    let attributes = QueueAttributes::new().visibility_timeout(Duration::from_secs(3600));
    service.create_queue("jobs", attributes).unwrap()
}

/// Sends until the disk is full: a send that is refused may have made room for the next one.
fn fill(queue: &Queue, length: usize) -> usize {
    let body = "x".repeat(length);
    let (mut sent, mut refused) = (0, 0);
    while refused < 2 {
        let result = queue.send(body.as_str());
        if result.is_ok() {
            (sent, refused) = (sent + 1, 0);
        } else {
            assert!(is_full(&result), "{result:?}");
            refused += 1;
        }
    }
    sent
}

pub(super) fn receive(queue: &Queue, most: usize) -> Vec<Message> {
    queue.receive().max_messages(most).blocking().unwrap()
}

#[test]
fn a_full_disk_is_drained_in_order_and_takes_sends_again() {
    for segments in [3, 5, 9] {
        for length in [1_000, 10_000] {
            for durability in [Durability::Synced, Durability::Written] {
                for reopened in [false, true] {
                    let what = format!("{segments} segments, {length} bytes, {durability:?}, reopened: {reopened}");
                    let sim = SimFs::default();
                    sim.set_capacity(Some(segments * SEGMENT));
                    let mut service = open(&sim, durability);
                    let mut queue = jobs(&service);
                    for round in 0..3 {
                        let sent = fill(&queue, length);
                        assert!(
                            sent as u64 * length as u64 > SEGMENT / 3,
                            "{what}, round {round}: {sent} sent"
                        );
                        if reopened {
                            drop((queue, service));
                            service = open(&sim, durability);
                            queue = jobs(&service);
                        }
                        let mut deleted = 0;
                        loop {
                            let messages = receive(&queue, 10);
                            if messages.is_empty() {
                                break;
                            }
                            for message in messages {
                                message
                                    .delete()
                                    .unwrap_or_else(|error| panic!("{what}, {deleted}: {error}"));
                                deleted += 1;
                            }
                        }
                        assert_eq!(deleted, sent, "{what}");
                    }
                    let first = queue.send("again");
                    assert!(first.is_ok() || queue.send("again").is_ok(), "{what}");
                }
            }
        }
    }
}

#[test]
fn a_full_disk_is_drained_in_random_order() {
    for segments in [3, 5] {
        for length in [100, 1_000, 10_000] {
            let what = format!("{segments} segments, {length} bytes");
            let sim = SimFs::default();
            sim.set_capacity(Some(segments * SEGMENT));
            let service = open(&sim, Durability::Written);
            let queue = jobs(&service);
            let sent = fill(&queue, length);
            let mut rng = Xoshiro256PlusPlus::seed_from_u64(3);
            let (mut held, mut deleted) = (Vec::new(), 0);
            loop {
                let received = receive(&queue, 10);
                let is_last = received.is_empty();
                held.extend(received);
                held.shuffle(&mut rng);
                // Half of what was received stays for a long time.
                let keep = if is_last { 0 } else { held.len() / 2 };
                for message in held.drain(keep..) {
                    message
                        .delete()
                        .unwrap_or_else(|error| panic!("{what}, {deleted} of {sent}: {error}"));
                    deleted += 1;
                }
                if is_last {
                    break;
                }
            }
            assert_eq!(deleted, sent, "{what}");
            assert!(queue.send("again").is_ok() || queue.send("again").is_ok(), "{what}");
        }
    }
}

#[test]
fn a_purge_of_a_full_disk_makes_room_for_sends() {
    let sim = SimFs::default();
    sim.set_capacity(Some(4 * SEGMENT));
    let service = open(&sim, Durability::Synced);
    let queue = jobs(&service);
    fill(&queue, 1_000);
    queue.purge().unwrap();
    assert!(fill(&queue, 1_000) > 50);
}

#[test]
fn a_log_that_is_empty_and_at_rest_has_three_segments_however_fast_it_was_written() {
    let sim = SimFs::default();
    let service = open(&sim, Durability::Written);
    let queue = jobs(&service);
    for round in 0..4 {
        // What arrives while a pass is under way is more than its goal.
        let held: Vec<_> = (0..300).map(|_| queue.send("x".repeat(2_000)).unwrap()).collect();
        drop(held);
        loop {
            let messages = receive(&queue, 10);
            if messages.is_empty() {
                break;
            }
            messages.iter().for_each(|message| message.delete().unwrap());
        }
        assert!(sim.used() <= 3 * SEGMENT, "round {round}: {} bytes", sim.used());
    }
}

#[test]
fn dead_letters_stay_on_a_full_disk_and_are_received_once_more() {
    let sim = SimFs::default();
    sim.set_capacity(Some(3 * SEGMENT));
    let service = open(&sim, Durability::Synced);
    let dead = service.create_queue("dead", QueueAttributes::new()).unwrap();
    let attributes = QueueAttributes::new()
        .visibility_timeout(Duration::ZERO)
        .redrive_policy(RedrivePolicy::new(dead.arn(), 1));
    let queue = service.create_queue("jobs", attributes).unwrap();
    let sent = fill(&queue, 5_000);
    for _ in 0..40 {
        let received = queue
            .receive()
            .max_messages(10)
            .wait_time(Duration::from_secs(5))
            .blocking();
        assert!(received.is_ok_and(|it| !it.is_empty()));
    }
    assert_eq!(queue.counts().visible + dead.counts().visible, sent);
    let result = queue.send("x".repeat(5_000));
    assert!(result.is_ok() || is_full(&result), "{result:?}");
    service.close().unwrap();
}

#[test]
fn a_compaction_that_fails_is_tried_again_with_the_next_segment_and_closing_says_so() {
    let sim = SimFs::default();
    let service = open(&sim, Durability::Written);
    let queue = jobs(&service);
    sim.fail(Call::Remove, 1, true, Failure::Io);
    let cycle = || {
        queue.send("x".repeat(1_000)).unwrap();
        receive(&queue, 1)[0].delete().unwrap();
    };
    (0..1_000).for_each(|_| cycle());
    let (removals, used) = (sim.calls(Call::Remove), sim.used());
    assert!(
        (1..=used / SEGMENT).contains(&removals),
        "{removals} removals of {used} bytes"
    );
    let error = service.close().unwrap_err();
    assert!(error.to_string().contains("could not be compacted"), "{error}");
}

#[test]
fn tags_on_a_full_disk_are_refused_and_stop_nothing() {
    let sim = SimFs::default();
    sim.set_capacity(Some(3 * SEGMENT));
    let service = open(&sim, Durability::Synced);
    let queue = jobs(&service);
    fill(&queue, 3_000);
    let tags = |round: usize| {
        (0..50).map(move |key| {
            (
                format!("{key} {}", "k".repeat(100)),
                format!("{round} {}", "v".repeat(250)),
            )
        })
    };
    let refused = (0..100).find_map(|round| service.tag_queue("jobs", tags(round)).err());
    let error = refused.expect("tags fill the rest of the disk");
    assert!(
        error.to_string().starts_with("the disk of the journal is full"),
        "{error}"
    );
    receive(&queue, 10).iter().for_each(|message| message.delete().unwrap());
    service.close().unwrap();
}
