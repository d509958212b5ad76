//! Conversions between the SDK's types and the runner's.

use {
    super::{SqsQueue, error::not_built},
    crate::{
        backend::{MessageParts, MessageQueueError, ReceivedMessage},
        message::{MessageAttributeValue, MessageAttributes, SendMessage},
        time::Timestamp,
    },
    aws_sdk_sqs::{
        primitives::Blob,
        types::{
            self, Message, MessageSystemAttributeName as Name, MessageSystemAttributeNameForSends,
            MessageSystemAttributeValue,
        },
    },
    std::{collections::HashMap, sync::Arc, time::Duration},
};

/// Whole seconds, rounded up and capped at `i32::MAX`; SQS refuses what is out of its range.
pub(super) fn seconds(span: Duration) -> i32 {
    let seconds = span.as_secs().saturating_add(u64::from(span.subsec_nanos() > 0));
    i32::try_from(seconds).unwrap_or(i32::MAX)
}

pub(super) fn count(messages: usize) -> i32 {
    i32::try_from(messages).unwrap_or(i32::MAX)
}

pub(super) type UserAttributes = HashMap<String, types::MessageAttributeValue>;

/// The user attributes for a send, `None` if there are none.
pub(super) fn user_attributes(attributes: &MessageAttributes) -> Result<Option<UserAttributes>, MessageQueueError> {
    let value = |value: &MessageAttributeValue| {
        types::MessageAttributeValue::builder()
            .data_type(value.data_type())
            .set_string_value(value.string_value().map(str::to_owned))
            .set_binary_value(value.binary_value().map(Blob::new))
            .build()
    };
    let attributes: Result<UserAttributes, _> = attributes
        .iter()
        .map(|(name, it)| Ok((name.to_owned(), value(it)?)))
        .collect();
    let attributes = attributes.map_err(not_built)?;
    Ok(Some(attributes).filter(|attributes| !attributes.is_empty()))
}

type SystemAttributes = HashMap<MessageSystemAttributeNameForSends, MessageSystemAttributeValue>;

pub(super) fn system_attributes(message: &SendMessage) -> Result<Option<SystemAttributes>, MessageQueueError> {
    let Some(header) = message.get_aws_trace_header() else {
        return Ok(None);
    };
    let value = MessageSystemAttributeValue::builder()
        .data_type("String")
        .string_value(header);
    let value = value.build().map_err(not_built)?;
    let name = MessageSystemAttributeNameForSends::AwsTraceHeader;
    Ok(Some(HashMap::from([(name, value)])))
}

pub(super) fn received(message: Message, queue_url: &Arc<str>) -> ReceivedMessage {
    let mut system = message.attributes.unwrap_or_default();
    let attributes = message.message_attributes.unwrap_or_default();
    let attributes: MessageAttributes = attributes
        .into_iter()
        .filter_map(|(name, value)| Some((name, attribute(value)?)))
        .collect();
    let dead_letter_reason = attributes
        .get(SqsQueue::REASON)
        .and_then(MessageAttributeValue::string_value);
    ReceivedMessage::from(MessageParts {
        queue_url: Arc::clone(queue_url),
        message_id: message.message_id.unwrap_or_default(),
        receipt_handle: message.receipt_handle.unwrap_or_default(),
        body: message.body.unwrap_or_default(),
        dead_letter_reason: dead_letter_reason.map(str::to_owned),
        attributes,
        sent_timestamp: timestamp(system.get(&Name::SentTimestamp)),
        approximate_receive_count: number(system.get(&Name::ApproximateReceiveCount)).unwrap_or_default(),
        approximate_first_receive_timestamp: timestamp(system.get(&Name::ApproximateFirstReceiveTimestamp)),
        message_group_id: system.remove(&Name::MessageGroupId),
        message_deduplication_id: system.remove(&Name::MessageDeduplicationId),
        sequence_number: system.remove(&Name::SequenceNumber),
        aws_trace_header: system.remove(&Name::AwsTraceHeader),
        dead_letter_queue_source_arn: system.remove(&Name::DeadLetterQueueSourceArn),
        invisible_until: None,
    })
}

fn attribute(value: types::MessageAttributeValue) -> Option<MessageAttributeValue> {
    match (value.string_value, value.binary_value) {
        (Some(text), _) => Some(MessageAttributeValue::new(value.data_type, text)),
        (None, Some(bytes)) => Some(MessageAttributeValue::new(value.data_type, bytes.into_inner())),
        (None, None) => None,
    }
}

fn number<N: std::str::FromStr>(text: Option<&String>) -> Option<N> {
    text?.parse().ok()
}

fn timestamp(millis: Option<&String>) -> Timestamp {
    Timestamp::from_millis(number(millis).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_rounded_up_to_seconds_and_never_wrap() {
        let nanos = Duration::from_nanos;
        for (span, expected) in [
            (Duration::ZERO, 0),
            (nanos(1), 1),
            (nanos(1_000_000_000), 1),
            (nanos(1_000_000_001), 2),
            (Duration::from_secs(43_200), 43_200),
            (Duration::MAX, i32::MAX),
        ] {
            assert_eq!(seconds(span), expected, "{span:?}");
        }
        assert_eq!((count(10), count(usize::MAX)), (10, i32::MAX));
    }

    #[test]
    fn a_dead_letter_says_why_by_its_attribute() {
        let reason = types::MessageAttributeValue::builder()
            .data_type("String")
            .string_value("not an image");
        let message = Message::builder().message_attributes(SqsQueue::REASON, reason.build().unwrap());
        assert_eq!(
            received(message.build(), &"jobs".into()).dead_letter_reason(),
            Some("not an image")
        );
    }

    #[test]
    fn a_message_that_says_nothing_is_still_one() {
        let message = received(
            Message::builder().message_id("m").receipt_handle("h").build(),
            &"jobs".into(),
        );
        assert_eq!((message.body(), message.approximate_receive_count()), ("", 0));
        assert_eq!(message.sent_timestamp(), Timestamp::ZERO);
        assert_eq!(message.dead_letter_reason(), None);
    }
}
