//! The JSON document that a queue gets without raw delivery (E26), written and read.

use {
    super::{error::ParseEnvelopeError, message::PublishMessage},
    crate::{
        message::{MessageAttributeValue, MessageAttributes, MessageId, SequenceNumber},
        time::Timestamp,
    },
    data_encoding::BASE64,
    serde_json::{Map, Value},
    std::{str::FromStr, sync::Arc},
};

const TYPE: &str = "Type";
const NOTIFICATION: &str = "Notification";
const MESSAGE_ID: &str = "MessageId";
const SEQUENCE_NUMBER: &str = "SequenceNumber";
const TOPIC_ARN: &str = "TopicArn";
const SUBJECT: &str = "Subject";
const MESSAGE: &str = "Message";
const TIMESTAMP: &str = "Timestamp";
const SIGNATURE_VERSION: &str = "SignatureVersion";
const SIGNATURE: &str = "Signature";
const SIGNING_CERT_URL: &str = "SigningCertURL";
const UNSUBSCRIBE_URL: &str = "UnsubscribeURL";
const MESSAGE_ATTRIBUTES: &str = "MessageAttributes";
const ATTRIBUTE_TYPE: &str = "Type";
const ATTRIBUTE_VALUE: &str = "Value";

/// What a queue gets for a message of a topic, unless its subscription asks for raw delivery: read from the body of the
/// message in the queue, which this crate or Amazon SNS wrote (E26).
///
/// Members that are not listed here are ignored. Nothing checks the signature.
///
/// # Source
/// [Parsing Amazon SNS message formats](https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html).
///
/// # Examples
/// ```
/// use requeue::{Queue, topics::{Envelope, PublishMessage, Topic}};
///
/// let (topic, orders) = (Topic::standard("events").build()?, Queue::standard("orders").build()?);
/// topic.subscribe(&orders).create()?;
/// topic.publish(PublishMessage::new("order-17").subject("paid"))?.check()?;
///
/// let message = &orders.receive().blocking()?[0];
/// let envelope: Envelope = message.body().parse()?;
/// assert_eq!((&*envelope.message, envelope.subject.as_deref()), ("order-17", Some("paid")));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Envelope {
    /// The id that the topic gave the message.
    pub message_id: MessageId,
    /// Its place among the messages of a FIFO topic, `None` from a standard one. The text of
    /// [`Published::sequence_number`](super::Published::sequence_number).
    pub sequence_number: Option<String>,
    /// The topic.
    pub topic_arn: String,
    /// The subject, if it was published with one.
    pub subject: Option<String>,
    /// The body that was published.
    pub message: String,
    /// When it was published, to the millisecond.
    pub timestamp: Timestamp,
    /// `None` from a FIFO topic, as are the two after it.
    pub signature_version: Option<String>,
    /// What Amazon SNS signed it with, in base64; `unsigned` from this crate.
    pub signature: Option<String>,
    /// Where the certificate of the signature is.
    pub signing_cert_url: Option<String>,
    /// The address that ends the subscription, whose ARN it names.
    pub unsubscribe_url: String,
    /// The attributes, those of binary types as their bytes.
    pub attributes: MessageAttributes,
}

impl FromStr for Envelope {
    type Err = ParseEnvelopeError;

    /// Reads the body of a message.
    ///
    /// # Errors
    /// [`ParseEnvelopeError`] for what is not a JSON object, for one of another `Type` such as a confirmation, and for a
    /// member that is missing or malformed.
    fn from_str(body: &str) -> Result<Self, Self::Err> {
        let mut members: Map<String, Value> =
            serde_json::from_str(body).map_err(|error| ParseEnvelopeError::NotAnObject {
                reason: error.to_string(),
            })?;
        let members = &mut members;
        let kind = required(members, TYPE)?;
        if kind != NOTIFICATION {
            return Err(ParseEnvelopeError::NotANotification { kind });
        }
        Ok(Self {
            message_id: parsed(members, MESSAGE_ID, |id| id.parse().ok())?,
            sequence_number: text(members, SEQUENCE_NUMBER)?,
            topic_arn: required(members, TOPIC_ARN)?,
            subject: text(members, SUBJECT)?,
            message: required(members, MESSAGE)?,
            timestamp: parsed(members, TIMESTAMP, parse_iso_8601)?,
            signature_version: text(members, SIGNATURE_VERSION)?,
            signature: text(members, SIGNATURE)?,
            signing_cert_url: text(members, SIGNING_CERT_URL)?,
            unsubscribe_url: required(members, UNSUBSCRIBE_URL)?,
            attributes: read_attributes(members.remove(MESSAGE_ATTRIBUTES))?,
        })
    }
}

/// The text of a member; `None` if it is missing or null.
fn text(members: &mut Map<String, Value>, name: &'static str) -> Result<Option<String>, ParseEnvelopeError> {
    match members.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => Err(malformed(name, &other)),
    }
}

fn required(members: &mut Map<String, Value>, name: &'static str) -> Result<String, ParseEnvelopeError> {
    text(members, name)?.ok_or(ParseEnvelopeError::Missing { member: name })
}

fn parsed<T>(
    members: &mut Map<String, Value>,
    name: &'static str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<T, ParseEnvelopeError> {
    let text = required(members, name)?;
    parse(&text).ok_or_else(|| malformed(name, &Value::String(text)))
}

fn malformed(member: impl Into<String>, value: &Value) -> ParseEnvelopeError {
    ParseEnvelopeError::Malformed {
        member: member.into(),
        value: value.to_string(),
    }
}

fn read_attributes(value: Option<Value>) -> Result<MessageAttributes, ParseEnvelopeError> {
    match value {
        None | Some(Value::Null) => Ok(MessageAttributes::new()),
        Some(Value::Object(all)) => all.into_iter().map(read_attribute).collect(),
        Some(other) => Err(malformed(MESSAGE_ATTRIBUTES, &other)),
    }
}

fn read_attribute((name, value): (String, Value)) -> Result<(String, MessageAttributeValue), ParseEnvelopeError> {
    let member = |name: &str| value.get(name).and_then(Value::as_str);
    let read = member(ATTRIBUTE_TYPE)
        .zip(member(ATTRIBUTE_VALUE))
        .and_then(|(data_type, text)| {
            Some(if is_binary(data_type) {
                MessageAttributeValue::new(data_type, BASE64.decode(text.as_bytes()).ok()?)
            } else {
                MessageAttributeValue::new(data_type, text)
            })
        });
    match read {
        Some(read) => Ok((name, read)),
        None => Err(malformed(format!("{MESSAGE_ATTRIBUTES}.{name}"), &value)),
    }
}

/// Whether values of this type are bytes, whatever its label (M14, M18).
fn is_binary(data_type: &str) -> bool {
    data_type.split('.').next() == Some("Binary")
}

/// What the envelope says of a message, written once for all subscriptions. Only the address to unsubscribe by, which
/// stands in the middle, is a subscription's own.
pub(super) struct EnvelopeText {
    head: String,
    unsubscribe_url: String,
    tail: String,
}

/// What the envelope says of the topic.
pub(super) struct Origin<'t> {
    pub(super) topic_arn: &'t str,
    pub(super) region: &'t str,
}

impl EnvelopeText {
    pub(super) fn new(
        origin: &Origin<'_>,
        message: &PublishMessage,
        id: MessageId,
        sequence_number: Option<SequenceNumber>,
        now: Timestamp,
    ) -> Self {
        let mut head = String::with_capacity(message.body().len() + 512);
        head.push('{');
        first_member(&mut head, TYPE, NOTIFICATION);
        member(&mut head, MESSAGE_ID, &id.to_string());
        if let Some(number) = sequence_number {
            member(&mut head, SEQUENCE_NUMBER, &number.to_string());
        }
        member(&mut head, TOPIC_ARN, origin.topic_arn);
        if let Some(subject) = &message.subject {
            member(&mut head, SUBJECT, subject);
        }
        member(&mut head, MESSAGE, message.body());
        member(&mut head, TIMESTAMP, &iso_8601(now));
        let host = format!("https://sns.{}.amazonaws.com", origin.region);
        if sequence_number.is_none() {
            member(&mut head, SIGNATURE_VERSION, "1");
            member(&mut head, SIGNATURE, UNSIGNED);
            let certificate = format!("{host}/SimpleNotificationService-{NO_CERTIFICATE}.pem");
            member(&mut head, SIGNING_CERT_URL, &certificate);
        }
        Self {
            head,
            unsubscribe_url: format!("{host}/?Action=Unsubscribe&SubscriptionArn="),
            tail: attributes(message),
        }
    }

    pub(super) fn for_subscription(&self, arn: &str) -> Arc<str> {
        let mut text = String::with_capacity(self.head.len() + self.tail.len() + arn.len() + 128);
        text.push_str(&self.head);
        member(&mut text, UNSUBSCRIBE_URL, &format!("{}{arn}", self.unsubscribe_url));
        text.push_str(&self.tail);
        text.into()
    }
}

/// Base64 as a signature is, and true: nothing here signs.
const UNSIGNED: &str = "unsigned";

const NO_CERTIFICATE: &str = "00000000000000000000000000000000";

fn attributes(message: &PublishMessage) -> String {
    let mut text = String::new();
    for (name, value) in message.get_attributes().iter() {
        text.push(',');
        if text.len() == 1 {
            push_text(&mut text, MESSAGE_ATTRIBUTES);
            text.push_str(":{");
        }
        push_text(&mut text, name);
        text.push_str(":{");
        first_member(&mut text, ATTRIBUTE_TYPE, value.data_type());
        member(&mut text, ATTRIBUTE_VALUE, &content(value));
        text.push('}');
    }
    text.push_str(if text.is_empty() { "}" } else { "}}" });
    text
}

fn content(value: &MessageAttributeValue) -> String {
    let encoded = value.binary_value().map(|bytes| BASE64.encode(bytes));
    encoded
        .or_else(|| value.string_value().map(str::to_owned))
        .unwrap_or_default()
}

/// A member behind others.
fn member(text: &mut String, name: &str, value: &str) {
    text.push(',');
    first_member(text, name, value);
}

fn first_member(text: &mut String, name: &str, value: &str) {
    push_text(text, name);
    text.push(':');
    push_text(text, value);
}

fn push_text(text: &mut String, value: &str) {
    let quoted = serde_json::to_string(value);
    text.push_str(&quoted.expect("invariant: a text has a form in JSON"));
}

/// To the millisecond, as `2026-11-30T02:20:07.123Z`; what is later than the year 9999 is its end.
fn iso_8601(at: Timestamp) -> String {
    let millis = i64::try_from(at.as_millis()).unwrap_or(i64::MAX);
    let at = jiff::Timestamp::from_millisecond(millis).unwrap_or(jiff::Timestamp::MAX);
    format!("{at:.3}")
}

/// The instant of such a text, from 1970 on, to the millisecond.
fn parse_iso_8601(text: &str) -> Option<Timestamp> {
    let at: jiff::Timestamp = text.parse().ok()?;
    let millis = u64::try_from(at.as_millisecond()).ok()?;
    Some(Timestamp::from_millis(millis))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_written_and_read_to_the_millisecond() {
        // E26
        for (millis, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_796_006_407_123, "2026-11-30T02:40:07.123Z"),
        ] {
            let at = Timestamp::from_millis(millis);
            assert_eq!((iso_8601(at).as_str(), parse_iso_8601(text)), (text, Some(at)));
        }
        assert_eq!(iso_8601(Timestamp::MAX), "9999-12-30T22:00:00.999Z");
        for text in [
            "",
            "2026-11-30",
            "2026-11-30T02:40:07",
            "1969-12-31T23:59:59Z",
            "2026-11-31T00:00:00Z",
        ] {
            assert_eq!(parse_iso_8601(text), None, "{text}");
        }
    }
}
