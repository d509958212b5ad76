//! Topics over queues whose journal is on a disk that is full.

use {
    super::{
        super::{durability::Durability, sim_fs::SimFs},
        queue_space::{self, SEGMENT},
    },
    crate::{
        attributes::QueueAttributes,
        queue::Queue,
        service::Service,
        state::{Fact, FactEntry},
        topics::{PublishMessage, Published, Topic},
    },
    std::sync::{Arc, Mutex},
};

type Publish = fn(&Topic, PublishMessage) -> Published;

const PUBLISH: Publish = |topic, message| topic.publish(message).unwrap();
const PUBLISH_ASYNC: Publish = |topic, message| pollster::block_on(topic.publish_async(message)).unwrap();

/// A message whose envelope is twice as large as its body.
fn quotes(length: usize, number: usize) -> PublishMessage {
    PublishMessage::new(format!("{}{number}", "\"".repeat(length)))
}

/// Deletes all messages, which a full disk has room for.
fn empty(queue: &Queue) -> usize {
    let mut deleted = 0;
    loop {
        let messages = queue_space::receive(queue, 10);
        if messages.is_empty() {
            return deleted;
        }
        for message in messages {
            message.delete().unwrap();
            deleted += 1;
        }
    }
}

/// Publishes until the disk is full, empties the queues, and publishes again.
fn fill_and_empty(service: &Service, topic: &Topic, queues: &[Queue], publish: impl Fn(usize) -> Published) {
    let (mut delivered, mut number) = (0, 0);
    let refused = loop {
        let published = publish(number);
        delivered += published.delivered;
        number += 1;
        if let Some(failure) = published.failures.first() {
            break failure.error.to_string();
        }
        assert!(number < 1_000, "the disk is never full");
    };
    assert!(refused.starts_with("the disk of the journal is full"), "{refused}");
    assert_eq!(queues.iter().map(empty).sum::<usize>(), delivered);
    let works = (number..number + 5).any(|number| publish(number).failures.is_empty());
    assert!(works, "{topic:?} does not get over it");
    service.close().unwrap();
}

#[test]
fn a_full_disk_refuses_what_is_published_and_its_queues_are_emptied() {
    for publish in [PUBLISH, PUBLISH_ASYNC] {
        for raw in [true, false] {
            for count in [1, 3, 20] {
                let sim = SimFs::default();
                let service = queue_space::open(&sim, Durability::Written);
                let topic = Topic::standard("events").service(&service).build().unwrap();
                let queues: Vec<Queue> = (0..count)
                    .map(|number| {
                        let queue = service
                            .create_queue(&format!("jobs{number}"), QueueAttributes::new())
                            .unwrap();
                        topic.subscribe(&queue).raw_message_delivery(raw).create().unwrap();
                        queue
                    })
                    .collect();
                sim.set_capacity(Some(30 * SEGMENT));
                fill_and_empty(&service, &topic, &queues, |number| {
                    publish(&topic, quotes(10_000, number))
                });
            }
        }
    }
}

#[test]
fn a_full_disk_refuses_what_listeners_leave_to_a_turn() {
    for publish in [PUBLISH, PUBLISH_ASYNC] {
        let sim = SimFs::default();
        let again: Arc<Mutex<Option<Topic>>> = Arc::default();
        let listened = Arc::clone(&again);
        let listener = move |_: &Arc<str>, entry: &FactEntry| {
            if let Fact::Sent { .. } = entry.fact {
                let topic = listened.lock().unwrap().take();
                for number in 0..200 {
                    topic
                        .iter()
                        .for_each(|topic| drop(publish(topic, quotes(10_000, number).message_group_id("g"))));
                }
            }
        };
        let service = queue_space::open(&sim, Durability::Written);
        let topic = Topic::fifo("events.fifo").content_based_deduplication(true);
        let topic = topic.service(&service).build().unwrap();
        let attributes = QueueAttributes::new().fifo_queue(true);
        let jobs = service.create_queue("jobs.fifo", attributes).unwrap();
        let first = Queue::fifo("first.fifo").listener(listener).build().unwrap();
        for queue in [&first, &jobs] {
            topic.subscribe(queue).raw_message_delivery(true).create().unwrap();
        }
        sim.set_capacity(Some(10 * SEGMENT));
        *again.lock().unwrap() = Some(topic.clone());
        let _ = publish(&topic, PublishMessage::new("the first").message_group_id("g"));
        let stored = jobs.counts().visible;
        assert!((2..200).contains(&stored), "{stored}");
        assert_eq!(empty(&jobs), stored);
        service.close().unwrap();
    }
}
