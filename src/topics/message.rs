//! What is published, and what became of it.

use {
    super::error::PublishError,
    crate::{
        error::{InvalidParameterValue, SendError},
        limits::Limits,
        message::{MessageAttributeValue, MessageAttributes, MessageId, SendMessage, SequenceNumber, is_text},
    },
    std::sync::Arc,
};

/// Longest subject in characters.
const SUBJECT_LENGTH: usize = 100;

/// A message for all subscriptions of a topic: a body, and optionally a subject, attributes and ids.
///
/// Building it checks nothing; publishing it does. A text is a message too.
///
/// # Source
/// [`Publish`](https://docs.aws.amazon.com/sns/latest/api/API_Publish.html).
///
/// # Examples
/// ```
/// use requeue::{MessageAttributeValue, topics::PublishMessage};
///
/// let order = PublishMessage::new("order-17").attribute("region", MessageAttributeValue::string("eu"));
/// assert_eq!((order.body(), order.get_attributes().len()), ("order-17", 1));
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PublishMessage {
    pub(super) message: SendMessage,
    pub(super) subject: Option<Box<str>>,
}

impl PublishMessage {
    /// A message with this body, 1 byte to the topic's `MaximumMessageSize` with its attributes. The body is shared by all
    /// queues that get it raw.
    ///
    /// # Examples
    /// ```
    /// # use requeue::topics::PublishMessage;
    /// assert_eq!(PublishMessage::new("order-17").body(), "order-17");
    /// ```
    #[must_use]
    pub fn new(body: impl Into<Arc<str>>) -> Self {
        Self {
            message: SendMessage::new(body),
            subject: None,
        }
    }

    /// `Subject`, 1 to 100 characters without control characters. Only the envelope has it (E26).
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Queue, topics::{PublishMessage, Topic}};
    /// let (topic, orders) = (Topic::standard("events").build()?, Queue::standard("orders").build()?);
    /// topic.subscribe(&orders).create()?;
    /// topic.publish(PublishMessage::new("order-17").subject("paid"))?;
    /// assert!(orders.receive().blocking()?[0].body().contains(r#""Subject":"paid""#));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn subject(mut self, subject: impl Into<Box<str>>) -> Self {
        self.subject = Some(subject.into());
        self
    }

    /// Sets an attribute: what filter policies look at, and what raw delivery makes a user attribute (E27).
    ///
    /// # Examples
    /// ```
    /// # use requeue::{MessageAttributeValue, topics::PublishMessage};
    /// let order = PublishMessage::new("order-17").attribute("total", MessageAttributeValue::number("19.90"));
    /// assert_eq!(order.get_attributes().get("total").and_then(|it| it.string_value()), Some("19.90"));
    /// ```
    #[must_use]
    pub fn attribute(mut self, name: impl Into<String>, value: MessageAttributeValue) -> Self {
        self.message = self.message.attribute(name, value);
        self
    }

    /// Replaces all attributes. A topic takes more than ten, raw delivery does not (E27).
    ///
    /// # Examples
    /// ```
    /// # use requeue::{MessageAttributeValue, MessageAttributes, topics::PublishMessage};
    /// let mut attributes = MessageAttributes::new();
    /// attributes.insert("region", MessageAttributeValue::string("eu"));
    /// assert_eq!(PublishMessage::new("order-17").attributes(attributes.clone()).get_attributes(), &attributes);
    /// ```
    #[must_use]
    pub fn attributes(mut self, attributes: MessageAttributes) -> Self {
        self.message = self.message.attributes(attributes);
        self
    }

    /// `MessageGroupId`, 1 to 128 characters: required on a FIFO topic, and on a standard topic passed to the queues, for
    /// which it names a tenant (E25, E29).
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Queue, topics::{PublishMessage, Topic}};
    /// let (topic, orders) = (Topic::standard("events").build()?, Queue::standard("orders").build()?);
    /// topic.subscribe(&orders).create()?;
    /// topic.publish(PublishMessage::new("order-17").message_group_id("customer-3"))?;
    /// assert_eq!(orders.receive().blocking()?[0].message_group_id(), Some("customer-3"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn message_group_id(mut self, id: impl AsRef<str>) -> Self {
        self.message = self.message.message_group_id(id);
        self
    }

    /// `MessageDeduplicationId`, 1 to 128 characters, for FIFO topics alone; required there unless the topic deduplicates
    /// by content (E25, E28).
    ///
    /// # Examples
    /// ```
    /// # use requeue::topics::{PublishMessage, Topic};
    /// let topic = Topic::fifo("events.fifo").build()?;
    /// let order = PublishMessage::new("order-17").message_group_id("customer-3").message_deduplication_id("17");
    /// assert_eq!(topic.publish(order.clone())?.message_id, topic.publish(order)?.message_id);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn message_deduplication_id(mut self, id: impl AsRef<str>) -> Self {
        self.message = self.message.message_deduplication_id(id);
        self
    }

    /// An X-Ray header, which the queues get as `AWSTraceHeader` (E29).
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Queue, topics::{PublishMessage, Topic}};
    /// let (topic, orders) = (Topic::standard("events").build()?, Queue::standard("orders").build()?);
    /// topic.subscribe(&orders).create()?;
    /// let header = "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1";
    /// topic.publish(PublishMessage::new("order-17").aws_trace_header(header))?;
    /// assert_eq!(orders.receive().blocking()?[0].aws_trace_header(), Some(header));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn aws_trace_header(mut self, header: impl Into<Arc<str>>) -> Self {
        self.message = self.message.aws_trace_header(header);
        self
    }

    /// The body.
    ///
    /// # Examples
    /// ```
    /// # use requeue::topics::PublishMessage;
    /// assert_eq!(PublishMessage::from("order-17").body(), "order-17");
    /// ```
    #[must_use]
    pub fn body(&self) -> &str {
        self.message.body()
    }

    /// The attributes.
    ///
    /// # Examples
    /// ```
    /// # use requeue::topics::PublishMessage;
    /// assert!(PublishMessage::from("order-17").get_attributes().is_empty());
    /// ```
    #[must_use]
    pub fn get_attributes(&self) -> &MessageAttributes {
        self.message.get_attributes()
    }

    /// Checks all that a topic can tell by itself, and gives a message for a topic that deduplicates by content its id.
    pub(super) fn prepare(
        &mut self,
        limits: &Limits,
        maximum_message_size: usize,
        fifo: Option<ByContent>,
    ) -> Result<(), PublishError> {
        let message = &mut self.message;
        if message.body().is_empty() {
            return Err(PublishError::EmptyMessage);
        }
        if fifo.is_some() && message.get_message_group_id().is_none() {
            return Err(PublishError::NoMessageGroupId);
        }
        if fifo.is_none() && message.get_message_deduplication_id().is_some() {
            return Err(PublishError::DeduplicationIdOnStandardTopic);
        }
        let is_subject = |subject: &str| {
            let is_short = (1..=SUBJECT_LENGTH).contains(&subject.chars().count());
            is_short && !subject.contains(char::is_control) && is_text(subject)
        };
        if !self.subject.as_deref().is_none_or(is_subject) {
            return Err(PublishError::Subject);
        }
        message
            .check(limits, maximum_message_size, fifo.is_some())
            .map_err(|error| match error {
                SendError::InvalidParameterValue(InvalidParameterValue::MessageTooLong { size, limit, .. }) => {
                    PublishError::MessageTooLong { size, limit }
                }
                other => PublishError::InvalidMessage(other),
            })?;
        if fifo.is_some() && message.get_message_deduplication_id().is_none() {
            if fifo == Some(ByContent(false)) {
                return Err(PublishError::NoDeduplicationId);
            }
            message.set_content_as_deduplication_id();
        }
        Ok(())
    }
}

/// Whether a FIFO topic deduplicates by content.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct ByContent(pub(super) bool);

impl From<&str> for PublishMessage {
    fn from(body: &str) -> Self {
        Self::new(body)
    }
}

impl From<String> for PublishMessage {
    fn from(body: String) -> Self {
        Self::new(body)
    }
}

impl From<Arc<str>> for PublishMessage {
    fn from(body: Arc<str>) -> Self {
        Self::new(body)
    }
}

/// What became of a message that was published.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Published {
    /// The id of the topic, which the envelope has and which differs from the ids that the queues give. The original's for
    /// a message that a FIFO topic has had.
    pub message_id: MessageId,
    /// Its place among the messages of a FIFO topic, `None` on a standard one.
    pub sequence_number: Option<SequenceNumber>,
    /// Whether it repeats a message that a FIFO topic had in the last five minutes, and so was delivered to nobody, also if
    /// no queue took the original.
    pub repeated: bool,
    /// How many queues took it from this call, be it as a repetition that they drop: none if it is
    /// [`repeated`](Self::repeated), and none yet if a listener of facts publishes to a FIFO topic while that delivers
    /// another message, behind which it waits.
    pub delivered: usize,
    /// The subscriptions that matched and did not get it. Of a message that waits behind another one, as `delivered` has
    /// it, nobody is told.
    pub failures: Vec<DeliveryFailure>,
}

/// A message that a queue did not take.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct DeliveryFailure {
    /// The subscription.
    pub subscription_arn: Arc<str>,
    /// What the queue said.
    pub error: SendError,
    /// Whether the dead-letter queue of the subscription took it; otherwise it is discarded. A FIFO queue that several
    /// subscriptions share drops all but the first, as a repetition.
    pub dead_lettered: bool,
}
