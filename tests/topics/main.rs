//! Topics, their subscriptions and filter policies: the feature `topics`, rules E25 to E32.

mod bad_input;
mod delivery;
#[cfg(feature = "journal")]
#[path = "../common/directory.rs"]
mod directory;
mod envelope;
mod fifo;
mod json;
mod model;
mod naive;
mod policies;
mod publish_async;
mod refused_policies;
mod service;

use requeue::{
    Message, MessageAttributeValue, Queue,
    topics::{FilterPolicy, PublishMessage},
};

fn text(value: &str) -> MessageAttributeValue {
    MessageAttributeValue::string(value)
}

fn number(value: &str) -> MessageAttributeValue {
    MessageAttributeValue::number(value)
}

fn array(value: &str) -> MessageAttributeValue {
    MessageAttributeValue::new("String.Array", value)
}

fn with(name: &str, value: MessageAttributeValue) -> PublishMessage {
    PublishMessage::new("x").attribute(name, value)
}

fn queue(name: &str) -> Queue {
    Queue::standard(name).build().unwrap()
}

fn fifo_queue(name: &str) -> Queue {
    Queue::fifo(name).build().unwrap()
}

fn attributes(policy: &str) -> FilterPolicy {
    FilterPolicy::attributes(policy).unwrap_or_else(|error| panic!("{policy}: {error}"))
}

fn body(policy: &str) -> FilterPolicy {
    FilterPolicy::body(policy).unwrap_or_else(|error| panic!("{policy}: {error}"))
}

/// All messages that are visible, up to ten, in the order of their arrival.
fn received(queue: &Queue) -> Vec<Message> {
    queue.receive().max_messages(10).blocking().unwrap()
}

fn bodies(queue: &Queue) -> Vec<String> {
    received(queue)
        .iter()
        .map(|message| message.body().to_owned())
        .collect()
}

/// The only message of a queue, as JSON.
fn envelope(queue: &Queue) -> serde_json::Value {
    let [body] = &bodies(queue)[..] else {
        panic!("not one message")
    };
    serde_json::from_str(body).unwrap()
}
