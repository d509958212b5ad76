//! The two most frequent errors of SQS, which its model does not list: a parameter is missing or has a bad value.
use super::code::ErrorCode;
use super::message_attribute::InvalidMessageAttribute;
use super::text::Seconds;
use std::time::Duration;

/// A required parameter is missing or empty (rule X8).
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("The request must contain the parameter {name}.")]
#[non_exhaustive]
pub struct MissingParameter {
    /// SQS's name of the parameter.
    pub name: &'static str,
}

impl MissingParameter {
    pub(crate) const fn new(name: &'static str) -> Self {
        Self { name }
    }
}

/// A parameter has a value that SQS does not take.
///
/// # Source
/// [Common errors](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/CommonErrors.html).
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidParameterValue {
    /// The common form (X8).
    #[error("Value {value} for parameter {parameter} is invalid. Reason: {reason}")]
    Value {
        /// SQS's name of the parameter.
        parameter: &'static str,
        /// The value, verbatim.
        value: String,
        /// What is wrong with it.
        reason: InvalidReason,
    },
    /// A required parameter is missing, where SQS reports that under this code (M36).
    #[error(transparent)]
    Missing(MissingParameter),
    /// A user attribute of the message is refused (M12 to M21).
    #[error(transparent)]
    MessageAttribute(#[from] InvalidMessageAttribute),
    /// The message is larger than its queue takes (M8, M9).
    #[error(
        "One or more parameters {} Reason: Message must be shorter than {limit} bytes.",
        if *.in_batch { "cannot be validated." } else { "are invalid." }
    )]
    MessageTooLong {
        /// Size of the message as M6 counts it, in bytes.
        size: usize,
        /// The greatest size allowed, in bytes.
        limit: usize,
        /// Whether it is an entry of a batch, which changes the text.
        in_batch: bool,
    },
    /// A FIFO queue without content-based deduplication got a message without deduplication id (F8).
    #[error(
        "The queue should either have ContentBasedDeduplication enabled \
         or MessageDeduplicationId provided explicitly"
    )]
    NoDeduplicationId,
    /// The name of a standard queue is malformed, or ends in `.fifo` (Q3, Q4).
    #[error("{}", InvalidReason::Name { limit: *.limit })]
    QueueName {
        /// The name.
        name: String,
        /// The greatest length allowed, in characters.
        limit: usize,
    },
    /// The name of a FIFO queue is malformed, or does not end in `.fifo` (Q5).
    #[error(
        "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, \
         must end with .fifo suffix and be 1 to {limit} in length"
    )]
    FifoQueueName {
        /// The name.
        name: String,
        /// The greatest length allowed, in characters.
        limit: usize,
    },
    /// The queue would have more tags than allowed (Q46).
    #[error("Too many tags added for queue {queue}.")]
    TooManyTags {
        /// The name of the queue.
        queue: String,
    },
    /// No queue names the source of the move task as its dead-letter queue (L26).
    #[error("Source queue must be configured as a Dead Letter Queue.")]
    NotADeadLetterQueue,
    /// The source has a move task that is not over (L26c).
    #[error(
        "There is already a task running. \
         Only one active task is allowed for a source queue arn at a given time."
    )]
    MoveTaskRunning,
    /// The source is not given as an ARN (L26d).
    #[error(
        "You must use this format to specify the SourceArn: \
         arn:<partition>:<service>:<region>:<account-id>:<resource-id>"
    )]
    SourceArn,
    /// The task handle cannot be decoded (L26e).
    #[error("Value for parameter TaskHandle is invalid.")]
    TaskHandle,
}

impl InvalidParameterValue {
    /// The common form; SQS prints the value verbatim, so that an empty one leaves two spaces (X8).
    pub(crate) fn of(parameter: &'static str, value: impl Into<String>, reason: InvalidReason) -> Self {
        Self::Value {
            parameter,
            value: value.into(),
            reason,
        }
    }

    /// The common form for a span, which SQS writes in seconds.
    pub(crate) fn of_span(parameter: &'static str, value: Duration, reason: InvalidReason) -> Self {
        Self::of(parameter, Seconds(value).to_string(), reason)
    }

    /// The same error as an entry of a batch words it (M9).
    pub(crate) fn in_batch(mut self) -> Self {
        if let Self::MessageTooLong { in_batch, .. } = &mut self {
            *in_batch = true;
        }
        self
    }

    /// The name SQS gives to this error.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Queue, ReceiveError};
    /// let jobs = Queue::standard("jobs").build()?;
    /// let refused = jobs.receive().max_messages(11).blocking();
    /// let Err(ReceiveError::InvalidParameterValue(error)) = refused else { panic!("it was taken") };
    /// assert_eq!(error.code(), "InvalidParameterValue");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn code(&self) -> &'static str {
        ErrorCode::InvalidParameterValue.name()
    }
}

/// What is wrong with the value of a parameter, the last sentence of [`InvalidParameterValue::Value`].
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidReason {
    /// An optional count is out of range (`MaxNumberOfMessages`, `MaxResults`, `MaxNumberOfMessagesPerSecond`).
    #[error("Must be between 1 and {limit}, if provided.")]
    Count {
        /// The greatest count allowed.
        limit: usize,
    },
    /// The visibility timeout is too long (D25).
    #[error("Must be between 0 and {}.", Seconds(*.limit))]
    VisibilityTimeout {
        /// The longest allowed.
        limit: Duration,
    },
    /// The extension would hide the message for longer than one reception may (D26).
    #[error("Total VisibilityTimeout for the message is beyond the limit [{} seconds]", Seconds(*.limit))]
    TotalVisibilityTimeout {
        /// The longest allowed, counted from the receive.
        limit: Duration,
    },
    /// The wait is too long (rule 3.2).
    #[error("Must be >= 0 and <= {}, if provided.", Seconds(*.limit))]
    WaitTime {
        /// The longest allowed.
        limit: Duration,
    },
    /// The delay is too long (D32).
    #[error("DelaySeconds must be >= 0 and <= {}.", Seconds(*.limit))]
    Delay {
        /// The longest allowed.
        limit: Duration,
    },
    /// A message on a FIFO queue has a delay of its own (D34).
    #[error("The request include parameter that is not valid for this queue type.")]
    DelayOnFifo,
    /// A message on a standard queue has a deduplication id (F4).
    #[error("The request includes a parameter that is not valid for this queue type.")]
    QueueType,
    /// The id is empty, too long, or holds something other than ASCII letters, digits and punctuation (F1, F3, F31).
    #[error("{parameter} can only include alphanumeric and punctuation characters. 1 to {limit} in length.")]
    Id {
        /// SQS's name of the parameter.
        parameter: &'static str,
        /// The greatest length allowed, in characters.
        limit: usize,
    },
    /// The reception of the handle is over (D19): on a FIFO queue, or where a message is to be dead-lettered.
    #[error("The receipt handle has expired.")]
    ReceiptHandleExpired,
    /// The message is gone, or visible again on a FIFO queue (D19).
    #[error("Message does not exist or is not available for visibility timeout change.")]
    NotAvailable,
    /// The message is gone or visible, so that its holder cannot send it to the dead-letter queue; ours.
    #[error("Message does not exist or is not in flight.")]
    NotInFlight,
    /// A message of the receive to be replayed has changed since (F33).
    #[error("The receiveRequestAttemptId is not valid anymore since the receive call is not retryable.")]
    NotRetryable,
    /// The name is empty, too long, or holds something other than letters, digits, `-` and `_` (Q3, Q50).
    #[error("Can only include alphanumeric characters, hyphens, or underscores. 1 to {limit} in length")]
    Name {
        /// The greatest length allowed, in characters.
        limit: usize,
    },
    /// The policy has a statement of this label (Q50).
    #[error("Already exists.")]
    LabelExists,
    /// The policy has no statement of this label (Q50).
    #[error("can't find label.")]
    LabelUnknown,
    /// The action cannot be granted to others (Q52).
    #[error("Only the queue owner is allowed to invoke this action.")]
    OwnerOnly,
    /// There is no such action (Q52).
    #[error("Please refer to the appropriate WSDL for a list of valid actions.")]
    ActionUnknown,
    /// No account is named, or a malformed one (Q53).
    #[error("Unable to verify.")]
    Principal,
    /// The number of receives before a message is dead-lettered is out of range (L2a).
    #[error(
        "Invalid value for maxReceiveCount: {count}, \
         valid values are from 1 to {limit} both inclusive."
    )]
    MaxReceiveCount {
        /// The number given.
        count: i64,
        /// The greatest allowed.
        limit: u32,
    },
    /// The dead-letter target is not named by the ARN of a queue (L3).
    #[error("Invalid value for deadLetterTargetArn.")]
    TargetArn,
    /// The dead-letter target is unknown, or of another account or region (L3a, L3b).
    #[error("Dead letter target does not exist.")]
    TargetUnknown,
    /// One of source and dead-letter target is a FIFO queue and the other is not (L3b).
    #[error("Dead-letter queue must be same type of queue as the source.")]
    TargetType,
    /// The dead-letter target does not take messages from this source (L3c).
    #[error("Dead-letter queue does not allow this queue as its source.")]
    TargetForbids,
    /// The policy is not a JSON object (L2, L20).
    #[error("The policy is not a valid JSON map.")]
    PolicyNotJson,
    /// The policy has no member of this name, or one with another kind of value (L2, L20).
    #[error("The policy does not contain mandatory attribute: {member}.")]
    PolicyLacks {
        /// The name.
        member: &'static str,
    },
    /// The policy names source queues but does not allow by queue (L20).
    #[error("sourceQueueArns are for redrivePermission byQueue.")]
    SourcesWithoutByQueue,
    /// The policy allows by queue and names too few or too many of them (L20).
    #[error("sourceQueueArns names {count} queues, 1 to {limit} are allowed.")]
    SourceQueueArns {
        /// How many it names.
        count: usize,
        /// How many are allowed.
        limit: usize,
    },
    /// The policy allows by queue and names something that is not the ARN of a queue (L20).
    #[error("Invalid value in sourceQueueArns.")]
    SourceQueueArn,
    /// The page token was not returned by an earlier call (Q10).
    #[error("The page token is unknown.")]
    NextToken,
    /// The key of a tag is empty, too long, reserved, or holds a character that tags may not (Q44).
    #[error(
        "A tag key has 1 to {limit} letters, digits, whitespace and _ . : / = + - @, \
         and does not begin with aws:"
    )]
    TagKey {
        /// The greatest length allowed, in characters.
        limit: usize,
    },
    /// The value of a tag is too long or holds a character that tags may not (Q44).
    #[error("A tag value has at most {limit} letters, digits, whitespace and _ . : / = + - @")]
    TagValue {
        /// The greatest length allowed, in characters.
        limit: usize,
    },
    /// The destination of a move task is its source (L26i).
    #[error("The destination is the source.")]
    DestinationIsSource,
    /// One of source and destination of a move task is a FIFO queue and the other is not (L26i).
    #[error("The destination must be same type of queue as the source.")]
    DestinationType,
}
