//! What is published, and what became of it.

use {
    super::error::{LostMessageError, PublishError},
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
    /// topic.publish(PublishMessage::new("order-17").subject("paid"))?.check()?;
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
    /// topic.publish(PublishMessage::new("order-17").message_group_id("customer-3"))?.check()?;
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
    /// topic.publish(PublishMessage::new("order-17").aws_trace_header(header))?.check()?;
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

    /// The subject, if there is one.
    ///
    /// # Examples
    /// ```
    /// # use requeue::topics::PublishMessage;
    /// assert_eq!(PublishMessage::new("order-17").get_subject(), None);
    /// assert_eq!(PublishMessage::new("order-17").subject("paid").get_subject(), Some("paid"));
    /// ```
    #[must_use]
    pub fn get_subject(&self) -> Option<&str> {
        self.subject.as_deref()
    }

    /// The message group, if one is named.
    ///
    /// # Examples
    /// ```
    /// # use requeue::topics::PublishMessage;
    /// let order = PublishMessage::new("order-17").message_group_id("customer-3");
    /// assert_eq!(order.get_message_group_id(), Some("customer-3"));
    /// ```
    #[must_use]
    pub fn get_message_group_id(&self) -> Option<&str> {
        self.message.get_message_group_id()
    }

    /// The explicit deduplication id, if there is one.
    ///
    /// # Examples
    /// ```
    /// # use requeue::topics::PublishMessage;
    /// let order = PublishMessage::new("order-17").message_deduplication_id("17");
    /// assert_eq!(order.get_message_deduplication_id(), Some("17"));
    /// ```
    #[must_use]
    pub fn get_message_deduplication_id(&self) -> Option<&str> {
        self.message.get_message_deduplication_id()
    }

    /// The X-Ray header, if one is set.
    ///
    /// # Examples
    /// ```
    /// # use requeue::topics::PublishMessage;
    /// let order = PublishMessage::new("order-17").aws_trace_header("Sampled=1");
    /// assert_eq!(order.get_aws_trace_header(), Some("Sampled=1"));
    /// ```
    #[must_use]
    pub fn get_aws_trace_header(&self) -> Option<&str> {
        self.message.get_aws_trace_header()
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
        if let Some(subject) = self.subject.as_deref().filter(|subject| !is_subject(subject)) {
            return Err(PublishError::Subject {
                subject: subject.to_owned(),
                limit: SUBJECT_LENGTH,
            });
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

/// What became of a message that was published. [`check`](Self::check) makes an error of a message that is lost.
#[derive(Clone, Debug, Eq, PartialEq)]
#[must_use = "it says which queues did not take the message; `check` makes an error of that"]
#[non_exhaustive]
pub struct Published {
    /// The id of the topic, which the envelope has and which differs from the ids that the queues give. The original's for
    /// a message that a FIFO topic has had.
    pub message_id: MessageId,
    /// Its place among the messages of a FIFO topic, `None` on a standard one. The queues give it numbers of their own,
    /// which differ from this one.
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

impl Published {
    /// Fails if the message is lost: if a queue did not take it, and no dead-letter queue did.
    ///
    /// A message of which nobody is told what becomes of it, as [`delivered`](Self::delivered) has it, counts as kept. For one
    /// that is [`repeated`](Self::repeated) it says nothing of the original.
    ///
    /// # Errors
    /// [`LostMessageError`] with the failures whose message is discarded.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Queue, topics::Topic};
    /// let (topic, orders) = (Topic::standard("events").build()?, Queue::standard("orders").build()?);
    /// topic.subscribe(&orders).create()?;
    /// topic.publish("order-17")?.check()?;
    /// orders.delete_queue()?;
    /// let error = topic.publish("order-18")?.check().unwrap_err();
    /// assert_eq!(error.failures[0].error.code(), "QueueDoesNotExist");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn check(&self) -> Result<(), LostMessageError> {
        let lost = self.failures.iter().filter(|it| it.is_lost());
        let failures: Vec<_> = lost.cloned().collect();
        if failures.is_empty() {
            return Ok(());
        }
        Err(LostMessageError {
            message_id: self.message_id,
            failures,
        })
    }
}

/// A message that a queue did not take.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct DeliveryFailure {
    /// The subscription.
    pub subscription_arn: Arc<str>,
    /// What the queue said.
    pub error: SendError,
    /// What the dead-letter queue of the subscription said.
    pub dead_letter: DeadLetterDelivery,
}

impl DeliveryFailure {
    /// Whether the message is discarded, as no dead-letter queue took it.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Queue, topics::Topic};
    /// let (topic, orders) = (Topic::standard("events").build()?, Queue::standard("orders").build()?);
    /// topic.subscribe(&orders).create()?;
    /// orders.delete_queue()?;
    /// assert!(topic.publish("order-17")?.failures[0].is_lost());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.dead_letter != DeadLetterDelivery::Taken
    }
}

/// What became of a message that a queue did not take.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum DeadLetterDelivery {
    /// The subscription has no dead-letter queue. The message is discarded.
    NoQueue,
    /// The dead-letter queue took it. A FIFO queue that several subscriptions share drops all but the first, as a
    /// repetition.
    Taken,
    /// The dead-letter queue did not take it either, for this reason. The message is discarded.
    Refused(SendError),
}
