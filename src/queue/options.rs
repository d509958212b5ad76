//! What a receive asks for.

use {
    super::Message,
    crate::{
        error::{InvalidParameterValue, InvalidReason, ReceiveError},
        message::MessageAttributeValue,
        state::{Delivery, Refusal},
    },
    std::{sync::Arc, time::Duration},
};

#[derive(Clone, Debug)]
pub(super) struct ReceiveOptions {
    pub(super) max_messages: usize,
    pub(super) visibility_timeout: Option<Duration>,
    pub(super) wait_time: Option<Duration>,
    pub(super) rare: Option<Box<RareOptions>>,
}

/// What few receives ask for.
#[derive(Clone, Debug)]
pub(super) struct RareOptions {
    pub(super) attempt_id: Option<Arc<str>>,
    pub(super) attribute_names: Option<Vec<String>>,
    pub(super) reason_attribute: Option<Arc<str>>,
    pub(super) max_messages_per_group: usize,
}

impl ReceiveOptions {
    pub(super) fn rare_mut(&mut self) -> &mut RareOptions {
        self.rare.get_or_insert_with(|| {
            Box::new(RareOptions {
                attempt_id: None,
                attribute_names: None,
                reason_attribute: None,
                max_messages_per_group: usize::MAX,
            })
        })
    }

    pub(super) fn attempt_id(&self) -> Option<&Arc<str>> {
        self.rare.as_ref()?.attempt_id.as_ref()
    }

    #[inline(never)]
    pub(super) fn adapt(rare: &RareOptions, messages: &mut [Message]) {
        for message in messages {
            if let Some(names) = &rare.attribute_names {
                keep_attributes(&mut message.delivery, names);
            }
            if let Some(name) = &rare.reason_attribute {
                add_reason(&mut message.delivery, name);
            }
        }
    }

    #[inline(never)]
    pub(super) fn refused(&self, refusal: Refusal) -> ReceiveError {
        if refusal != Refusal::NotRetryable {
            return ReceiveError::OverLimit;
        }
        let id = self.attempt_id().map_or("", |id| id);
        InvalidParameterValue::of("ReceiveRequestAttemptId", id, InvalidReason::NotRetryable).into()
    }
}

fn keep_attributes(delivery: &mut Delivery, names: &[String]) {
    let attributes = delivery.content.attributes();
    if !attributes.is_empty() {
        let attributes = attributes.matching(names);
        delivery.content = delivery
            .content
            .with_extras(|extras| extras.rare_mut().attributes = attributes);
    }
}

/// Adds the reason of a dead letter as a user attribute, unless the message has one of that name.
fn add_reason(delivery: &mut Delivery, name: &str) {
    let content = &delivery.content;
    let reason = content
        .dead_letter_reason()
        .filter(|_| content.attributes().get(name).is_none());
    if let Some(reason) = reason {
        let value = MessageAttributeValue::string(&**reason);
        delivery.content = content.with_extras(|extras| {
            extras.rare_mut().attributes.insert(name, value);
        });
    }
}
