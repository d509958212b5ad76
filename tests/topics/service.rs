//! Ids, time, region and account: those of the service, or of the builder.

#[cfg(feature = "journal")]
use super::directory::Directory;
use super::{envelope, queue};
#[cfg(feature = "journal")]
use requeue::ServiceBuilder;
use requeue::{ManualClock, MessageId, QueueAttributes, Service, topics::Topic};
use std::{collections::BTreeSet, time::Duration};

#[test]
fn a_topic_of_a_service_has_its_clock_and_seed_and_place() {
    // E25 E26
    let clock = ManualClock::default();
    let run = || {
        let service = Service::builder()
            .clock(clock.clone())
            .seed(7)
            .region("eu-west-1")
            .account_id("123456789012");
        let service = service.build();
        let jobs = service.create_queue("jobs", QueueAttributes::new()).unwrap();
        let topic = Topic::standard("events").service(&service).build().unwrap();
        let subscription = topic.subscribe(&jobs).create().unwrap();
        let published = topic.publish("order-17").unwrap();
        (subscription.arn().to_owned(), published, envelope(&jobs))
    };
    let (arn, published, body) = run();
    assert!(arn.starts_with("arn:aws:sns:eu-west-1:123456789012:events:"), "{arn}");
    assert_eq!(body["TopicArn"], "arn:aws:sns:eu-west-1:123456789012:events");
    assert_eq!(
        body["UnsubscribeURL"],
        format!("https://sns.eu-west-1.amazonaws.com/?Action=Unsubscribe&SubscriptionArn={arn}")
    );
    assert_eq!(run(), (arn, published, body.clone()), "the same seed and steps");
    let before = body["Timestamp"].as_str().unwrap().to_owned();
    clock.advance(Duration::from_millis(1));
    let (.., later) = run();
    assert!(later["Timestamp"].as_str().unwrap() > &*before);
}

#[test]
fn ids_differ_by_seed_topic_and_message() {
    let ids = |name: &str, seed| {
        let topic = Topic::standard(name).seed(seed).build().unwrap();
        [
            topic.publish("a").unwrap().message_id,
            topic.publish("a").unwrap().message_id,
        ]
    };
    let mut all: Vec<_> = [ids("a", 1), ids("a", 2), ids("b", 1)].into_iter().flatten().collect();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 6);
    assert_eq!(ids("a", 1), ids("a", 1));
}

/// The id of the first message and the ARN of the subscription of a topic that is built now.
fn first_ids(service: &Service) -> (MessageId, String) {
    let jobs = service.queue("jobs");
    let jobs = jobs.or_else(|_| service.create_queue("jobs", QueueAttributes::new()));
    let topic = Topic::standard("events").service(service).build().unwrap();
    let subscription = topic.subscribe(&jobs.unwrap()).create().unwrap();
    (topic.publish("a").unwrap().message_id, subscription.arn().to_owned())
}

fn all_differ(ids: impl IntoIterator<Item = (MessageId, String)>) -> bool {
    let (messages, arns): (Vec<_>, Vec<_>) = ids.into_iter().unzip();
    let distinct = (
        messages.iter().collect::<BTreeSet<_>>(),
        arns.iter().collect::<BTreeSet<_>>(),
    );
    (distinct.0.len(), distinct.1.len()) == (messages.len(), arns.len())
}

#[test]
fn topics_of_one_name_that_are_built_one_after_the_other_differ() {
    for builder in [Service::builder, || Service::builder().seed(7)] {
        let service = builder().build();
        assert!(all_differ((0..3).map(|_| first_ids(&service))));
    }
    let ids = || {
        let service = Service::builder().seed(7).build();
        [first_ids(&service), first_ids(&service)]
    };
    assert_eq!(ids(), ids(), "the same seed and order");
}

#[cfg(feature = "journal")]
#[test]
fn a_topic_of_a_journaled_service_draws_other_ids_after_each_start() {
    let builders: [(fn() -> ServiceBuilder, bool); 2] =
        [(Service::builder, false), (|| Service::builder().seed(7), true)];
    for (builder, is_seeded) in builders {
        let runs = [(); 2].map(|()| {
            let directory = Directory::new();
            [(); 3].map(|()| first_ids(&builder().journal(directory.join("journal")).open().unwrap()))
        });
        runs.iter().for_each(|run| assert!(all_differ(run.clone())));
        assert_eq!(runs[0] == runs[1], is_seeded, "the same seed and openings");
    }
}

#[test]
fn without_a_seed_two_topics_differ() {
    let id = || Topic::standard("a").build().unwrap().publish("a").unwrap().message_id;
    assert_ne!(id(), id());
}

#[test]
fn a_topic_keeps_its_queues_alive() {
    let topic = Topic::standard("events").build().unwrap();
    topic.subscribe(&queue("jobs")).create().unwrap();
    assert_eq!(topic.publish("a").unwrap().delivered, 1);
    assert_eq!(topic.subscriptions()[0].queue().counts().visible, 1);
}
