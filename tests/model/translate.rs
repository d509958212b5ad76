//! The plain values of the reference in the library's own types.

use std::time::Duration;

use requeue::{
    DeduplicationScope, Limits, ManualClock, MessageAttributeValue, Queue, QueueAttributes, RedrivePolicy, SendMessage,
    Service, ServiceBuilder,
};

use crate::listening::Listening;
use crate::reference::*;
use crate::steps::Shape;
use crate::ways::{Budget, Setting};

/// Queues that name each other by their builders; a dead-letter queue stands behind its source.
pub(crate) fn queues_alone(
    shape: &Shape,
    setting: Setting,
    listening: Option<&Listening>,
    clock: &ManualClock,
) -> Vec<Queue> {
    let mut queues: Vec<Option<Queue>> = vec![None; shape.setups.len()];
    for (place, setup) in shape.setups.iter().enumerate().rev() {
        let builder = match setup.fifo {
            true => Queue::fifo(name(place, setup)),
            false => Queue::standard(name(place, setup)),
        };
        let mut builder = builder
            .attributes(all_attributes(setup))
            .clock(clock.clone())
            .limits(limits(&shape.limits))
            .seed(place as u64)
            .shards(setting.shards)
            .budget(budget(setting));
        if let Some(listening) = listening {
            builder = builder.listener(listening.clone());
        }
        let gone = shape.gone.map(|maximum| (gone(setup, clock), maximum));
        if let Some((gone, maximum)) = &gone {
            builder = builder.dead_letter(gone, *maximum);
        }
        if let Some((target, maximum)) = setup.redrive {
            let target = queues[target]
                .as_ref()
                .expect("a dead-letter queue stands behind its source");
            builder = builder.dead_letter(target, maximum);
        }
        queues[place] = Some(builder.build().expect("the setup is valid"));
        if let Some((gone, _)) = gone {
            gone.delete_queue().expect("it was just made");
        }
    }
    queues.into_iter().flatten().collect()
}

/// A dead-letter queue that will be deleted.
fn gone(setup: &Setup, clock: &ManualClock) -> Queue {
    let builder = match setup.fifo {
        true => Queue::fifo("gone.fifo"),
        false => Queue::standard("gone"),
    };
    builder.clock(clock.clone()).build().expect("the setup is valid")
}

fn budget(setting: Setting) -> requeue::Budget {
    match setting.budget {
        Budget::None => requeue::Budget::new(),
        Budget::Messages(most) => requeue::Budget::new().messages(most),
        Budget::Bytes(most) => requeue::Budget::new().bytes(most),
    }
}

pub(crate) fn service_builder(
    shape: &Shape,
    setting: Setting,
    listening: Option<&Listening>,
    clock: &ManualClock,
) -> ServiceBuilder {
    let builder = Service::builder()
        .clock(clock.clone())
        .limits(limits(&shape.limits))
        .seed(0)
        .shards(setting.shards)
        .budget(budget(setting));
    match listening {
        Some(listening) => builder.listener(listening.clone()),
        None => builder,
    }
}

pub(crate) fn queues_of_a_service(shape: &Shape, service: &Service) -> Vec<Queue> {
    let mut queues: Vec<Option<Queue>> = vec![None; shape.setups.len()];
    for (place, setup) in shape.setups.iter().enumerate().rev() {
        let mut attributes = all_attributes(setup);
        if setup.fifo {
            attributes = attributes.fifo_queue(true);
        }
        if let Some((target, maximum)) = setup.redrive {
            let target = queues[target]
                .as_ref()
                .expect("a dead-letter queue stands behind its source");
            attributes = attributes.redrive_policy(RedrivePolicy::new(target.arn(), maximum));
        }
        let gone = shape.gone.map(|maximum| {
            let name = if setup.fifo { "gone.fifo" } else { "gone" };
            let attributes = QueueAttributes::new();
            let attributes = if setup.fifo {
                attributes.fifo_queue(true)
            } else {
                attributes
            };
            (
                service.create_queue(name, attributes).expect("the setup is valid"),
                maximum,
            )
        });
        if let Some((gone, maximum)) = &gone {
            attributes = attributes.redrive_policy(RedrivePolicy::new(gone.arn(), *maximum));
        }
        let queue = service.create_queue(&name(place, setup), attributes);
        queues[place] = Some(queue.expect("the setup is valid"));
        if let Some((gone, _)) = gone {
            gone.delete_queue().expect("it was just made");
        }
    }
    queues.into_iter().flatten().collect()
}

pub(crate) fn name(place: usize, setup: &Setup) -> String {
    format!("q{place}{}", if setup.fifo { ".fifo" } else { "" })
}

fn all_attributes(setup: &Setup) -> QueueAttributes {
    let change = Change {
        visibility_timeout: Some(setup.visibility_timeout),
        delay: Some(setup.delay),
        message_retention_period: Some(setup.message_retention_period),
        content_based_deduplication: setup.fifo.then_some(setup.content_based_deduplication),
        deduplication_scope: setup.fifo.then_some(setup.deduplication_scope),
    };
    attributes(&change).maximum_message_size(setup.maximum_message_size)
}

pub(crate) fn limits(small: &ModelLimits) -> Limits {
    let mut limits = Limits::default();
    limits.in_flight_standard = small.in_flight;
    limits.in_flight_fifo = small.in_flight;
    limits.noisy_in_flight_min = small.noisy_in_flight;
    limits.batch_bytes = small.batch_bytes;
    limits
}

pub(crate) fn span(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

pub(crate) fn scope(scope: Scope) -> DeduplicationScope {
    match scope {
        Scope::Queue => DeduplicationScope::Queue,
        Scope::MessageGroup => DeduplicationScope::MessageGroup,
    }
}

pub(crate) fn outgoing(draft: &Draft) -> SendMessage {
    let mut message = SendMessage::new(draft.body.as_str());
    if let Some(delay) = draft.delay {
        message = message.delay(span(delay));
    }
    if let Some(value) = &draft.attribute {
        message = message.attribute(ATTRIBUTE, MessageAttributeValue::string(value.as_str()));
    }
    if let Some(group) = &draft.message_group_id {
        message = message.message_group_id(group.as_str());
    }
    if let Some(deduplication_id) = &draft.deduplication_id {
        message = message.message_deduplication_id(deduplication_id.as_str());
    }
    message
}

pub(crate) fn attributes(change: &Change) -> QueueAttributes {
    let mut attributes = QueueAttributes::new();
    if let Some(visibility) = change.visibility_timeout {
        attributes = attributes.visibility_timeout(span(visibility));
    }
    if let Some(delay) = change.delay {
        attributes = attributes.delay(span(delay));
    }
    if let Some(retention) = change.message_retention_period {
        attributes = attributes.message_retention_period(span(retention));
    }
    if let Some(on) = change.content_based_deduplication {
        attributes = attributes.content_based_deduplication(on);
    }
    if let Some(it) = change.deduplication_scope {
        attributes = attributes.deduplication_scope(scope(it));
    }
    attributes
}
