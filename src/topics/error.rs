//! Why a topic, a subscription or a message is refused, with SNS's codes and, where they are known, its texts.

use {
    super::message::DeliveryFailure,
    crate::{error::SendError, message::MessageId},
    std::fmt,
};

const INVALID_PARAMETER: &str = "InvalidParameter";

/// Why a topic was not created.
///
/// # Source
/// [`CreateTopic`](https://docs.aws.amazon.com/sns/latest/api/API_CreateTopic.html).
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CreateTopicError {
    /// The name of a standard topic is not 1 to 256 letters, digits, hyphens and underscores.
    #[error(
        "Invalid parameter: Topic Name: {name:?} is not 1 to {limit} ASCII letters, digits, hyphens and underscores"
    )]
    TopicName {
        /// The name.
        name: String,
        /// The longest allowed, in characters.
        limit: usize,
    },
    /// The name of a FIFO topic is not such a name with `.fifo` at its end.
    #[error(
        "Invalid parameter: Fifo Topic names must end with .fifo and must be made up of only uppercase and lowercase \
         ASCII letters, numbers, underscores, and hyphens, and must be between 1 and {limit} characters long."
    )]
    FifoTopicName {
        /// The name.
        name: String,
        /// The longest allowed, in characters, the suffix included.
        limit: usize,
    },
    /// `MaximumMessageSize` is out of range (E32).
    #[error("Invalid parameter: MaximumMessageSize {bytes} is not between {least} and {greatest} bytes")]
    MaximumMessageSize {
        /// The size.
        bytes: usize,
        /// The least allowed.
        least: usize,
        /// The greatest allowed.
        greatest: usize,
    },
    /// A standard topic does not deduplicate.
    #[error("Invalid parameter: ContentBasedDeduplication can only be set for FIFO topics")]
    ContentBasedDeduplication,
}

impl CreateTopicError {
    /// The name SNS gives to this error, `InvalidParameter`.
    ///
    /// # Examples
    /// ```
    /// use requeue::topics::Topic;
    ///
    /// assert_eq!(Topic::fifo("events").build().unwrap_err().code(), "InvalidParameter");
    /// ```
    #[must_use]
    pub const fn code(&self) -> &'static str {
        INVALID_PARAMETER
    }
}

/// Why a queue was not subscribed, or a subscription not changed.
///
/// # Source
/// [`Subscribe`](https://docs.aws.amazon.com/sns/latest/api/API_Subscribe.html).
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SubscribeError {
    /// A FIFO queue was to be subscribed to a standard topic (E25).
    #[error(
        "Invalid parameter: Invalid parameter: Endpoint Reason: FIFO SQS Queues can not be subscribed to standard SNS \
         topics"
    )]
    FifoQueueOnStandardTopic,
    /// The queue is subscribed in another way.
    #[error("Invalid parameter: Attributes Reason: Subscription already exists with different attributes")]
    DifferentAttributes,
    /// The dead-letter queue is the queue itself.
    #[error("Invalid parameter: RedrivePolicy: the dead-letter queue is the subscribed queue")]
    DeadLetterQueueIsQueue,
    /// Queue and dead-letter queue are not of one type.
    #[error("Invalid parameter: RedrivePolicy: the dead-letter queue of a {} queue must be one too", if *fifo { "FIFO" } else { "standard" })]
    DeadLetterQueueType {
        /// Whether the subscribed queue is a FIFO queue.
        fifo: bool,
    },
    /// The topic has as many filter policies as it may have (E32).
    #[error("Filter policy limit exceeded: a topic has at most {limit} filter policies")]
    FilterPolicyLimitExceeded {
        /// The most allowed.
        limit: usize,
    },
    /// A topic with a raised `MaximumMessageSize` has as many subscriptions as it may have (E32).
    #[error(
        "Subscription limit exceeded: a topic with a MaximumMessageSize of {maximum_message_size} bytes has at most \
         {limit} subscriptions"
    )]
    SubscriptionLimitExceeded {
        /// The most allowed.
        limit: usize,
        /// That of the topic, in bytes.
        maximum_message_size: usize,
    },
    /// The subscription has ended.
    #[error("Subscription does not exist")]
    NotFound,
}

impl SubscribeError {
    /// The name SNS gives to this error.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, topics::Topic};
    ///
    /// let topic = Topic::standard("events").build()?;
    /// let orders = Queue::fifo("orders.fifo").build()?;
    /// assert_eq!(topic.subscribe(&orders).create().unwrap_err().code(), "InvalidParameter");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::FilterPolicyLimitExceeded { .. } => "FilterPolicyLimitExceeded",
            Self::SubscriptionLimitExceeded { .. } => "SubscriptionLimitExceeded",
            Self::NotFound => "NotFound",
            _ => INVALID_PARAMETER,
        }
    }
}

/// Why a message was not published; no queue has it then.
///
/// # Source
/// [`Publish`](https://docs.aws.amazon.com/sns/latest/api/API_Publish.html).
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// The body is empty.
    #[error("Invalid parameter: Empty message")]
    EmptyMessage,
    /// Body and attributes are larger than the topic allows (E32).
    #[error("Invalid parameter: Message too long")]
    MessageTooLong {
        /// How large they are, in bytes.
        size: usize,
        /// The most allowed, in bytes.
        limit: usize,
    },
    /// The subject is not 1 to 100 characters without control characters.
    #[error("Invalid parameter: Subject: {subject:?} is not 1 to {limit} characters without control characters")]
    Subject {
        /// The subject.
        subject: String,
        /// The longest allowed, in characters.
        limit: usize,
    },
    /// A message to a FIFO topic names no group.
    #[error("Invalid parameter: The MessageGroupId parameter is required for FIFO topics")]
    NoMessageGroupId,
    /// A message to a FIFO topic that does not deduplicate by content has no deduplication id.
    #[error(
        "Invalid parameter: The topic should either have ContentBasedDeduplication enabled or MessageDeduplicationId \
         provided explicitly"
    )]
    NoDeduplicationId,
    /// A message to a standard topic has a deduplication id.
    #[error(
        "Invalid parameter: MessageDeduplicationId Reason: The request includes MessageDeduplicationId parameter that \
         is not valid for this topic type"
    )]
    DeduplicationIdOnStandardTopic,
    /// No queue would take the message: its characters, attributes or ids are refused (M2, M12 to M21, F1 to F3).
    #[error("Invalid parameter: {0}")]
    InvalidMessage(#[source] SendError),
}

impl PublishError {
    /// The name SNS gives to this error, `InvalidParameter`.
    ///
    /// # Examples
    /// ```
    /// use requeue::topics::Topic;
    ///
    /// let topic = Topic::standard("events").build()?;
    /// assert_eq!(topic.publish("").unwrap_err().code(), "InvalidParameter");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn code(&self) -> &'static str {
        INVALID_PARAMETER
    }
}

/// Why the body of a message was not read as an [`Envelope`](super::Envelope).
///
/// # Examples
/// ```
/// use requeue::topics::Envelope;
///
/// let raw = "order-17".parse::<Envelope>().unwrap_err();
/// assert!(raw.to_string().starts_with("the body is no envelope, which is a JSON object: "));
/// let other = r#"{"id": 17}"#.parse::<Envelope>().unwrap_err();
/// assert_eq!(other.to_string(), r#"the envelope has no member "Type""#);
/// ```
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseEnvelopeError {
    /// The body is not a JSON object, as that of a raw message need not be.
    #[error("the body is no envelope, which is a JSON object: {reason}")]
    NotAnObject {
        /// What JSON says of it.
        reason: String,
    },
    /// The envelope is of another kind than those of messages.
    #[error("the envelope has the type {kind:?} and not \"Notification\"")]
    NotANotification {
        /// Its `Type`, such as `SubscriptionConfirmation`.
        kind: String,
    },
    /// A member is missing that every envelope has.
    #[error("the envelope has no member {member:?}")]
    Missing {
        /// Its name.
        member: &'static str,
    },
    /// A member is not a text of its form.
    #[error("member {member:?} of the envelope is malformed: {value}")]
    Malformed {
        /// Its name; that of an attribute stands behind `MessageAttributes.`.
        member: String,
        /// Its value, as JSON.
        value: String,
    },
}

/// A message that no queue of some subscriptions has: neither the subscribed one took it nor a dead-letter queue.
///
/// # Examples
/// ```
/// # use requeue::{Queue, topics::Topic};
/// let (topic, orders) = (Topic::standard("events").build()?, Queue::standard("orders").build()?);
/// let subscription = topic.subscribe(&orders).create()?;
/// orders.delete_queue()?;
/// let error = topic.publish("order-17")?.check().unwrap_err();
/// assert!(error.to_string().contains(subscription.arn()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("message {message_id} is lost: {}", LostFor(failures))]
#[non_exhaustive]
pub struct LostMessageError {
    /// The id that the topic gave it.
    pub message_id: MessageId,
    /// The failures, at least one.
    pub failures: Vec<DeliveryFailure>,
}

/// The first of the subscriptions that lost a message, and how many others there are.
struct LostFor<'a>(&'a [DeliveryFailure]);

impl fmt::Display for LostFor<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((first, others)) = self.0.split_first() else {
            return Ok(());
        };
        write!(f, "{}: {}", first.subscription_arn, first.error)?;
        match others.len() {
            0 => Ok(()),
            others => write!(f, " (and {others} more)"),
        }
    }
}
