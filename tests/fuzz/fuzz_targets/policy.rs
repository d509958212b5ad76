//! No text makes a policy or a body panic, and the index of a topic answers as the policy alone does.
#![no_main]

use {
    libfuzzer_sys::fuzz_target,
    requeue::{
        Queue,
        topics::{FilterPolicy, PublishMessage, Topic},
    },
};

fuzz_target!(|texts: (&str, &str)| {
    let (policy, body) = texts;
    let _ = FilterPolicy::attributes(policy);
    let Ok(policy) = FilterPolicy::body(policy) else { return };
    let message = PublishMessage::new(body);
    let matches = policy.matches(&message);
    let (topic, queue) = (
        Topic::standard("events").build().unwrap(),
        Queue::standard("jobs").build().unwrap(),
    );
    topic
        .subscribe(&queue)
        .filter_policy(policy)
        .raw_message_delivery(true)
        .create()
        .unwrap();
    if let Ok(published) = topic.publish(message) {
        assert_eq!(published.delivered + published.failures.len(), usize::from(matches));
    }
});
