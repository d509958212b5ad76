//! FIFO topics: order, deduplication, ids that are passed on, and who delivers.

use super::{bodies, envelope, fifo_queue, queue, received};
use requeue::{
    Alarm, Clock, FactEntry, FactListener, ManualClock, Parker, Queue, Timestamp,
    topics::{PublishMessage, Topic},
};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll, Wake, Waker},
    thread,
    time::Duration,
};

fn order(body: impl Into<String>, group: &str, id: &str) -> PublishMessage {
    PublishMessage::new(body.into())
        .message_group_id(group)
        .message_deduplication_id(id)
}

#[test]
fn ids_are_passed_on_to_fifo_queues_and_lost_on_standard_ones() {
    // E25
    let topic = Topic::fifo("events.fifo").build().unwrap();
    let (ordered, enveloped, plain) = (fifo_queue("a.fifo"), fifo_queue("b.fifo"), queue("plain"));
    topic.subscribe(&ordered).raw_message_delivery(true).create().unwrap();
    topic.subscribe(&enveloped).create().unwrap();
    topic.subscribe(&plain).raw_message_delivery(true).create().unwrap();
    assert_eq!(topic.publish(order("one", "g", "1")).unwrap().delivered, 3);
    for queue in [&ordered, &enveloped] {
        let message = &received(queue)[0];
        assert_eq!(message.message_group_id(), Some("g"));
        assert_eq!(message.message_deduplication_id(), Some("1"));
    }
    let message = &received(&plain)[0];
    assert_eq!(
        (
            message.body(),
            message.message_group_id(),
            message.message_deduplication_id()
        ),
        ("one", None, None)
    );
}

#[test]
fn the_envelope_has_a_sequence_number_and_no_signature() {
    // E26
    let (topic, ordered) = (Topic::fifo("events.fifo").build().unwrap(), fifo_queue("a.fifo"));
    topic.subscribe(&ordered).create().unwrap();
    let published = topic.publish(order("one", "g", "1").subject("paid")).unwrap();
    let number = published.sequence_number.unwrap().to_string();
    let body = ordered.snapshot().messages[0].content.body().to_string();
    let places = [
        "Type",
        "MessageId",
        "SequenceNumber",
        "TopicArn",
        "Subject",
        "Message",
        "Timestamp",
        "UnsubscribeURL",
    ]
    .map(|name| {
        body.find(&format!("\"{name}\":"))
            .unwrap_or_else(|| panic!("{name} is missing"))
    });
    assert!(places.is_sorted(), "{body}");
    let envelope = envelope(&ordered);
    assert_eq!(envelope["SequenceNumber"], *number);
    assert_eq!(number.len(), 20);
    assert!(
        envelope
            .as_object()
            .unwrap()
            .keys()
            .all(|name| !name.starts_with("Sign"))
    );
    assert_eq!(envelope.as_object().unwrap().len(), 8);
}

#[test]
fn a_topic_that_deduplicates_by_content_uses_the_sha_256_of_the_text() {
    // E28
    let topic = Topic::fifo("events.fifo")
        .content_based_deduplication(true)
        .build()
        .unwrap();
    let (ordered, raw) = (fifo_queue("a.fifo"), fifo_queue("b.fifo"));
    topic.subscribe(&ordered).create().unwrap();
    topic.subscribe(&raw).raw_message_delivery(true).create().unwrap();
    topic
        .publish(PublishMessage::new("Test single").message_group_id("g"))
        .unwrap()
        .check()
        .unwrap();
    for queue in [&ordered, &raw] {
        assert_eq!(
            received(queue)[0].message_deduplication_id(),
            Some("2591186cff6c740cb9e0cfce1653a7e6998d57da12e1da13d85344b1c08be4cb")
        );
    }
    let given = topic.publish(order("Test single", "g", "its-own-id")).unwrap();
    assert_eq!(given.delivered, 2, "an id that is given comes first");
}

#[test]
fn a_repetition_within_five_minutes_is_delivered_to_nobody() {
    // E25
    let clock = ManualClock::default();
    let topic = Topic::fifo("events.fifo").clock(clock.clone()).build().unwrap();
    let plain = queue("plain");
    topic.subscribe(&plain).create().unwrap();
    let first = topic.publish(order("one", "g", "1")).unwrap();
    clock.advance(Duration::from_secs(299));
    let again = topic.publish(order("another text", "another-group", "1")).unwrap();
    assert_eq!(
        (again.message_id, again.sequence_number),
        (first.message_id, first.sequence_number)
    );
    assert_eq!((first.delivered, again.delivered, plain.counts().visible), (1, 0, 1));
    clock.advance(Duration::from_secs(1));
    let later = topic.publish(order("one", "g", "1")).unwrap();
    assert_eq!((later.delivered, plain.counts().visible), (1, 2));
    assert!(later.sequence_number > first.sequence_number && later.message_id != first.message_id);
}

#[test]
fn all_queues_get_all_groups_in_one_order_whoever_publishes() {
    // E25
    let topic = Topic::fifo("events.fifo").build().unwrap();
    let queues: Vec<_> = (0..3).map(|number| fifo_queue(&format!("q{number}.fifo"))).collect();
    for queue in &queues {
        topic.subscribe(queue).raw_message_delivery(true).create().unwrap();
    }
    let published: Vec<_> = thread::scope(|scope| {
        let publish = |thread: usize| {
            let topic = &topic;
            move || -> Vec<_> {
                let one = |number| {
                    let id = format!("{thread}-{number}");
                    (topic.publish(order(&*id, "g", &id)).unwrap().sequence_number, id)
                };
                (0..50).map(one).collect()
            }
        };
        let threads: Vec<_> = (0..4).map(|number| scope.spawn(publish(number))).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let mut expected = published;
    expected.sort_unstable();
    for queue in &queues {
        let snapshot = queue.snapshot();
        let bodies = snapshot.messages.iter().map(|it| it.content.body().to_string());
        assert!(
            bodies.eq(expected.iter().map(|(_, id)| id.clone())),
            "another order in {}",
            queue.name()
        );
    }
}

/// Publishes once for each message that it sees sent, until it has published three.
struct Echo(Arc<OnceLock<Topic>>);

impl FactListener for Echo {
    fn on_fact(&self, _: &Arc<str>, entry: &FactEntry) {
        if let (requeue::Fact::Sent { .. }, 1..=3) = (&entry.fact, entry.number) {
            let body = format!("echo-{}", entry.number);
            let published = self.0.get().unwrap().publish(order(&*body, "g", &body)).unwrap();
            assert_eq!(
                published.delivered, 0,
                "it is delivered behind the message that is on its way"
            );
        }
    }
}

#[test]
fn a_listener_that_publishes_keeps_the_order_and_does_not_wait_for_itself() {
    // E25
    let topic = Arc::new(OnceLock::new());
    let first = Queue::fifo("first.fifo")
        .listener(Echo(Arc::clone(&topic)))
        .build()
        .unwrap();
    let second = fifo_queue("second.fifo");
    let topic = topic.get_or_init(|| Topic::fifo("events.fifo").build().unwrap());
    for queue in [&first, &second] {
        topic.subscribe(queue).raw_message_delivery(true).create().unwrap();
    }
    let published = topic.publish(order("one", "g", "1")).unwrap();
    assert_eq!(published.delivered, 2);
    for queue in [&first, &second] {
        assert_eq!(bodies(queue), ["one", "echo-1", "echo-2", "echo-3"]);
    }
    assert_eq!(topic.publish(order("two", "g", "2")).unwrap().delivered, 2);
}

/// A clock that panics once it is told to.
#[derive(Clone, Default)]
struct Broken(Arc<AtomicBool>);

impl Clock for Broken {
    fn now(&self) -> Timestamp {
        assert!(!self.0.swap(false, Relaxed), "the clock is broken");
        Timestamp::ZERO
    }

    fn park_until(&self, _: &Parker, _: Option<Timestamp>) {}

    fn wake_at(&self, _: Timestamp, _: Waker) -> Alarm {
        Alarm::default()
    }
}

/// A topic of two queues, of which only the first has the message `one`: the clock of the second panicked.
fn after_a_panic() -> (Topic, Queue, Queue) {
    let clock = Broken::default();
    let topic = Topic::fifo("events.fifo").build().unwrap();
    let (first, second) = (
        fifo_queue("first.fifo"),
        Queue::fifo("second.fifo").clock(clock.clone()).build().unwrap(),
    );
    for queue in [&first, &second] {
        topic.subscribe(queue).raw_message_delivery(true).create().unwrap();
    }
    clock.0.store(true, Relaxed);
    assert!(catch_unwind(AssertUnwindSafe(|| topic.publish(order("one", "g", "1")))).is_err());
    (topic, first, second)
}

#[test]
fn a_topic_goes_on_after_a_delivery_that_panicked() {
    // E25
    let (topic, first, second) = after_a_panic();
    assert_eq!(topic.publish(order("two", "g", "2")).unwrap().delivered, 2);
    assert_eq!(
        (bodies(&first), bodies(&second)),
        (vec!["one".into(), "two".into()], vec!["two".into()])
    );
}

#[test]
fn what_was_lost_by_a_panic_can_be_published_again() {
    // E25
    let (topic, first, second) = after_a_panic();
    let again = topic.publish(order("one", "g", "1")).unwrap();
    assert_eq!((again.repeated, again.delivered), (false, 2));
    assert_eq!(
        (bodies(&first), bodies(&second)),
        (vec!["one".into()], vec!["one".into()])
    );
    assert!(topic.publish(order("one", "g", "1")).unwrap().repeated);
}

#[test]
fn sequence_numbers_of_a_topic_that_is_built_anew_go_on() {
    // E26
    let clock = ManualClock::at(Timestamp::from_millis(1_796_006_407_123));
    let numbers = || {
        let topic = Topic::fifo("events.fifo").clock(clock.clone()).build().unwrap();
        let publish = |id: &str| topic.publish(order("one", "g", id)).unwrap().sequence_number.unwrap();
        ["1", "2", "3"].map(publish)
    };
    let before = numbers();
    clock.advance(Duration::from_millis(1));
    let all = [before, numbers()].concat();
    assert!(all.is_sorted_by(|earlier, later| earlier < later), "{all:?}");
    assert!(all.iter().all(|number| number.to_string().len() == 20));
    for at in [Timestamp::ZERO, Timestamp::MAX] {
        let topic = Topic::fifo("events.fifo").clock(ManualClock::at(at)).build().unwrap();
        let number = topic.publish(order("one", "g", "1")).unwrap().sequence_number;
        assert_eq!(number.unwrap().to_string().len(), 20);
    }
}

/// Publishes when it is woken.
struct Waking(Topic);

impl Wake for Waking {
    fn wake(self: Arc<Self>) {
        let published = self.0.publish(order("woken", "g", "woken")).unwrap();
        assert_eq!(
            published.delivered, 0,
            "it is delivered behind the message that is on its way"
        );
    }
}

#[test]
fn a_waker_that_publishes_keeps_the_order_and_does_not_wait_for_itself() {
    // E25
    let topic = Topic::fifo("events.fifo").build().unwrap();
    let (first, second) = (fifo_queue("first.fifo"), fifo_queue("second.fifo"));
    for queue in [&first, &second] {
        topic.subscribe(queue).raw_message_delivery(true).create().unwrap();
    }
    let mut receive = pin!(first.receive().wait_time(Duration::from_secs(20)).into_future());
    let waker = Waker::from(Arc::new(Waking(topic.clone())));
    assert!(receive.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    assert_eq!(topic.publish(order("one", "g", "1")).unwrap().delivered, 2);
    assert_eq!(bodies(&second), ["one", "woken"]);
    let Poll::Ready(messages) = receive.as_mut().poll(&mut Context::from_waker(Waker::noop())) else {
        panic!("it was woken for nothing")
    };
    assert_eq!(messages.unwrap()[0].body(), "one");
}

#[test]
fn dead_letters_of_fifo_queues_keep_their_ids() {
    // E25 E27
    let topic = Topic::fifo("events.fifo").build().unwrap();
    let small = Queue::fifo("small.fifo").maximum_message_size(1_024).build().unwrap();
    let failed = fifo_queue("failed.fifo");
    topic
        .subscribe(&small)
        .raw_message_delivery(true)
        .dead_letter(&failed)
        .create()
        .unwrap();
    let published = topic.publish(order("x".repeat(1_025), "g", "1")).unwrap();
    assert!(!published.failures[0].is_lost());
    let message = &received(&failed)[0];
    assert_eq!(
        (message.message_group_id(), message.message_deduplication_id()),
        (Some("g"), Some("1"))
    );
}

#[test]
fn a_repetition_says_that_it_is_one() {
    // E25
    let topic = Topic::fifo("events.fifo").build().unwrap();
    let first = topic.publish(order("one", "g", "1")).unwrap();
    let again = topic.publish(order("one", "g", "1")).unwrap();
    assert_eq!((first.repeated, again.repeated), (false, true));
    assert_eq!(first.message_id, again.message_id);
}
