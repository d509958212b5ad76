//! Errors of the operations on one queue.
use super::code::ErrorCode;
use super::codes;
use super::parameter::{InvalidParameterValue, MissingParameter};
use super::storage::StorageError;
use super::text::{self, Seconds};
use crate::message::SendMessage;
use std::fmt;
use std::time::Duration;

/// A text that is not the id of a message.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("message id {text:?} is not a UUID")]
#[non_exhaustive]
pub struct ParseMessageIdError {
    /// The text.
    pub text: String,
}

/// A text that is not a receipt handle, or a handle that is not of the queue it was used on (rule D19).
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("The input receipt handle \"{handle}\" is not a valid receipt handle.")]
#[non_exhaustive]
pub struct ParseReceiptHandleError {
    /// The text.
    pub handle: String,
}

impl ParseReceiptHandleError {
    /// The name SQS gives to this error.
    ///
    /// # Examples
    /// ```
    /// # use requeue::ReceiptHandle;
    /// let error = "no handle".parse::<ReceiptHandle>().unwrap_err();
    /// assert_eq!(error.code(), "ReceiptHandleIsInvalid");
    /// ```
    #[must_use]
    pub const fn code(&self) -> &'static str {
        ErrorCode::ReceiptHandleIsInvalid.name()
    }
}

/// The budget of a queue that a message would exceed; budgets are ours, SQS has none.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum BudgetLimit {
    /// So many messages.
    Messages(usize),
    /// So many bytes, as M6 counts them.
    Bytes(usize),
}

impl fmt::Display for BudgetLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Messages(limit) => f.write_str(&counted(*limit, "message")),
            Self::Bytes(limit) => f.write_str(&counted(*limit, "byte")),
        }
    }
}

fn counted(number: usize, of: &str) -> String {
    format!("{number} {of}{}", if number == 1 { "" } else { "s" })
}

/// Why a budget has no capacity for a message of `size` bytes; one that can never fit is told apart.
fn no_room(size: usize, messages: usize, bytes: usize, limit: BudgetLimit) -> String {
    let size_text = counted(size, "byte");
    match limit {
        BudgetLimit::Bytes(most) if size > most => {
            format!("message of {size_text} is larger than the whole budget of {limit}")
        }
        _ => format!(
            "no room for a message of {size_text} beside {} of {} stored or promised, the budget is {limit}",
            counted(messages, "message"),
            counted(bytes, "byte")
        ),
    }
}

/// Why a message was not sent.
///
/// # Source
/// [`SendMessage`](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html).
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The body is empty, or a message to a FIFO queue names no group (M1, F2).
    #[error(transparent)]
    MissingParameter(#[from] MissingParameter),
    /// The body holds a character that SQS does not take (M2, M3).
    #[error("{}", text::INVALID_CHARACTERS)]
    InvalidMessageContents,
    /// Size, delay, attributes or ids are refused (M8, M12 to M21, D32, D34, F1 to F8).
    #[error(transparent)]
    InvalidParameterValue(#[from] InvalidParameterValue),
    /// The queue was deleted.
    #[error("{}", text::QUEUE_DOES_NOT_EXIST)]
    QueueDoesNotExist,
    /// The queue has a budget and no capacity for the message, or others wait for capacity before it; the message comes back.
    #[error("{}", no_room(*size, *messages, *bytes, *limit))]
    QueueFull {
        /// The message that was not sent.
        message: Box<SendMessage>,
        /// How many messages the queue holds, those among them for which capacity is promised.
        messages: usize,
        /// How many bytes they have, as M6 counts them.
        bytes: usize,
        /// How many bytes the message has. One larger than a limit of bytes will never have capacity.
        size: usize,
        /// The budget without capacity for the message.
        limit: BudgetLimit,
    },
    /// The journal could not record the call.
    #[error(transparent)]
    Storage(#[from] StorageError),
}
codes! {
    /// # use requeue::Queue;
    /// let jobs = Queue::standard("jobs").build()?;
    /// assert_eq!(jobs.send("").unwrap_err().code(), "MissingParameter");
    /// assert_eq!(jobs.send("\u{0}").unwrap_err().code(), "InvalidMessageContents");
    SendError:
    MissingParameter, InvalidMessageContents, InvalidParameterValue, QueueDoesNotExist, QueueFull = OverLimit; Storage
}

/// Why there is no capacity for a message in a queue with a budget; budgets are ours, SQS has none.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ReserveError {
    /// The queue was deleted.
    #[error("{}", text::QUEUE_DOES_NOT_EXIST)]
    QueueDoesNotExist,
    /// There is no capacity, or others wait for it before this caller.
    #[error("{}", no_room(*size, *messages, *bytes, *limit))]
    QueueFull {
        /// How many messages the queue holds, those among them for which capacity is promised.
        messages: usize,
        /// How many bytes they have, as M6 counts them.
        bytes: usize,
        /// How many bytes the message has. One larger than a limit of bytes will never have capacity.
        size: usize,
        /// The budget without capacity for the message.
        limit: BudgetLimit,
    },
}
codes! {
    /// # use requeue::{Budget, Queue};
    /// # use std::time::Duration;
    /// let jobs = Queue::standard("jobs").budget(Budget::new().bytes(10)).build()?;
    /// assert_eq!(jobs.reserve_timeout(11, Duration::ZERO).unwrap_err().code(), "OverLimit");
    ReserveError:
    QueueDoesNotExist, QueueFull = OverLimit
}

impl SendError {
    /// The same error as an entry of a batch words it (M9).
    pub(crate) fn in_batch(self) -> Self {
        match self {
            Self::InvalidParameterValue(error) => Self::InvalidParameterValue(error.in_batch()),
            other => other,
        }
    }
}

/// Why a whole batch of deletes or visibility changes was refused and nothing done.
///
/// # Source
/// [`DeleteMessageBatch`](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteMessageBatch.html),
/// [`ChangeMessageVisibilityBatch`](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibilityBatch.html).
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BatchError {
    /// There are no entries (M31).
    #[error("There should be at least one {entry} in the request.")]
    EmptyBatchRequest {
        /// SQS's name for an entry.
        entry: &'static str,
    },
    /// The id of an entry is empty, too long, or holds something other than letters, digits, `-` and `_` (M32).
    #[error(
        "A batch entry id can only contain alphanumeric characters, hyphens and underscores. \
         It can be at most {limit} letters long."
    )]
    InvalidBatchEntryId {
        /// The id.
        id: String,
        /// The greatest length allowed, in characters.
        limit: usize,
    },
    /// Two entries share an id (M34).
    #[error("Id {id} repeated.")]
    BatchEntryIdsNotDistinct {
        /// The first id that repeats.
        id: String,
    },
    /// There are more entries than allowed (M35).
    #[error("Maximum number of entries per request are {limit}. You have sent {count}.")]
    TooManyEntriesInBatchRequest {
        /// How many there are.
        count: usize,
        /// How many are allowed.
        limit: usize,
    },
    /// The queue was deleted.
    #[error("{}", text::QUEUE_DOES_NOT_EXIST)]
    QueueDoesNotExist,
    /// The journal could not record the call.
    #[error(transparent)]
    Storage(#[from] StorageError),
}
codes! {
    /// # use requeue::{Message, Queue};
    /// let jobs = Queue::standard("jobs").build()?;
    /// assert_eq!(jobs.delete_batch(&[] as &[Message]).unwrap_err().code(), "EmptyBatchRequest");
    BatchError:
    EmptyBatchRequest, InvalidBatchEntryId, BatchEntryIdsNotDistinct, TooManyEntriesInBatchRequest,
    QueueDoesNotExist; Storage
}

/// Why a whole batch of messages was refused and nothing sent.
///
/// # Source
/// [`SendMessageBatch`](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html).
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SendBatchError {
    /// The entries are refused as those of any batch are, or the queue was deleted (M31, M32, M34, M35).
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// The messages together are larger than allowed (M10).
    #[error("Batch requests cannot be longer than {limit} bytes. You have sent {size} bytes.")]
    BatchRequestTooLong {
        /// The sum of the sizes of the messages as M6 counts them, in bytes.
        size: usize,
        /// The greatest sum allowed, in bytes.
        limit: usize,
    },
    /// A message to a FIFO queue has no group or no deduplication id (M36).
    #[error(transparent)]
    InvalidParameterValue(#[from] InvalidParameterValue),
    /// The journal could not record the call.
    #[error(transparent)]
    Storage(#[from] StorageError),
}
codes! {
    /// # use requeue::Queue;
    /// let jobs = Queue::standard("jobs").build()?;
    /// assert_eq!(jobs.send_batch(["resize cat.png"; 11]).unwrap_err().code(), "TooManyEntriesInBatchRequest");
    /// assert_eq!(jobs.send_batch([("cat", "a"), ("cat", "b")]).unwrap_err().code(), "BatchEntryIdsNotDistinct");
    SendBatchError: BatchRequestTooLong, InvalidParameterValue; Batch, Storage
}

/// Why nothing was received.
///
/// # Source
/// [`ReceiveMessage`](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html).
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiveError {
    /// A parameter is out of range, or the receive attempt id is malformed or not retryable (rule 3.2, F31, F33).
    #[error(transparent)]
    InvalidParameterValue(#[from] InvalidParameterValue),
    /// The queue has as many messages in flight as allowed, and the receive does not wait (D15, D16).
    #[error(
        "Too many messages have been received without being deleted.\n\
         Please delete your received messages or let them timeout before receiving more."
    )]
    OverLimit,
    /// The queue was deleted.
    #[error("{}", text::QUEUE_DOES_NOT_EXIST)]
    QueueDoesNotExist,
    /// The journal could not record the call.
    #[error(transparent)]
    Storage(#[from] StorageError),
}
codes! {
    /// # use requeue::Queue;
    /// let jobs = Queue::standard("jobs").build()?;
    /// assert_eq!(jobs.receive().max_messages(11).blocking().unwrap_err().code(), "InvalidParameterValue");
    ReceiveError: InvalidParameterValue, OverLimit, QueueDoesNotExist; Storage
}

/// Why a message was not deleted.
///
/// # Source
/// [`DeleteMessage`](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteMessage.html).
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DeleteError {
    /// The handle is malformed or of another queue (D19).
    #[error(transparent)]
    ReceiptHandleIsInvalid(#[from] ParseReceiptHandleError),
    /// The queue is a FIFO queue and the handle's reception is over (D19).
    #[error(transparent)]
    InvalidParameterValue(#[from] InvalidParameterValue),
    /// The queue was deleted.
    #[error("{}", text::QUEUE_DOES_NOT_EXIST)]
    QueueDoesNotExist,
    /// The journal could not record the call.
    #[error(transparent)]
    Storage(#[from] StorageError),
}
codes! {
    /// # use requeue::Queue;
    /// let jobs = Queue::standard("jobs").build()?;
    /// jobs.send("resize cat.png")?;
    /// let handle = jobs.receive().blocking()?[0].receipt_handle();
    /// let other = Queue::standard("thumbnails").build()?;
    /// assert_eq!(other.delete(&handle).unwrap_err().code(), "ReceiptHandleIsInvalid");
    DeleteError: ReceiptHandleIsInvalid, InvalidParameterValue, QueueDoesNotExist; Storage
}

/// Why the visibility of a message stayed as it was.
///
/// SQS's `MessageNotInflight` is never raised, by SQS or here (D21).
///
/// # Source
/// [`ChangeMessageVisibility`](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html).
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ChangeVisibilityError {
    /// The handle is malformed or of another queue (D19).
    #[error(transparent)]
    ReceiptHandleIsInvalid(#[from] ParseReceiptHandleError),
    /// The timeout is too long, on its own or in total, or the message is not there to be changed (D19, D25, D26).
    #[error(transparent)]
    InvalidParameterValue(#[from] InvalidParameterValue),
    /// The queue was deleted.
    #[error("{}", text::QUEUE_DOES_NOT_EXIST)]
    QueueDoesNotExist,
    /// The journal could not record the call.
    #[error(transparent)]
    Storage(#[from] StorageError),
}
codes! {
    /// # use requeue::Queue;
    /// # use std::time::Duration;
    /// let jobs = Queue::standard("jobs").build()?;
    /// jobs.send("resize cat.png")?;
    /// let message = &jobs.receive().blocking()?[0];
    /// let day = Duration::from_secs(86_400);
    /// assert_eq!(message.change_visibility(day).unwrap_err().code(), "InvalidParameterValue");
    ChangeVisibilityError: ReceiptHandleIsInvalid, InvalidParameterValue, QueueDoesNotExist; Storage
}

/// Why a message was not sent to the dead-letter queue; the call is ours, SQS has none.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DeadLetterError {
    /// The handle is malformed or of another queue (D19).
    #[error(transparent)]
    ReceiptHandleIsInvalid(#[from] ParseReceiptHandleError),
    /// The message is not in flight, or was received again since (D19, D30).
    #[error(transparent)]
    InvalidParameterValue(#[from] InvalidParameterValue),
    /// The queue has no redrive policy, or the queue that it names was deleted (L9).
    #[error("{}", text::no_dead_letter_queue(.target.as_deref()))]
    NoDeadLetterQueue {
        /// The ARN that the redrive policy names, if there is a policy.
        target: Option<String>,
    },
    /// The queue was deleted.
    #[error("{}", text::QUEUE_DOES_NOT_EXIST)]
    QueueDoesNotExist,
    /// The journal could not record the call.
    #[error(transparent)]
    Storage(#[from] StorageError),
}
codes! {
    /// # use requeue::Queue;
    /// let jobs = Queue::standard("jobs").build()?;
    /// jobs.send("resize cat.txt")?;
    /// let message = &jobs.receive().blocking()?[0];
    /// assert_eq!(message.dead_letter("not an image").unwrap_err().code(), "UnsupportedOperation");
    DeadLetterError:
    ReceiptHandleIsInvalid, InvalidParameterValue, NoDeadLetterQueue = UnsupportedOperation, QueueDoesNotExist; Storage
}

/// Why a queue was not purged.
///
/// # Source
/// [`PurgeQueue`](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_PurgeQueue.html).
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PurgeError {
    /// The queue was purged a moment ago (D44).
    #[error("Only one PurgeQueue operation on {queue} is allowed every {} seconds.", Seconds(*.interval))]
    PurgeQueueInProgress {
        /// The name of the queue.
        queue: String,
        /// The shortest time between two purges.
        interval: Duration,
    },
    /// The queue was deleted.
    #[error("{}", text::QUEUE_DOES_NOT_EXIST)]
    QueueDoesNotExist,
    /// The journal could not record the call.
    #[error(transparent)]
    Storage(#[from] StorageError),
}
codes! {
    /// # use requeue::Queue;
    /// let jobs = Queue::standard("jobs").build()?;
    /// jobs.purge()?;
    /// assert_eq!(jobs.purge().unwrap_err().code(), "PurgeQueueInProgress");
    PurgeError: PurgeQueueInProgress, QueueDoesNotExist; Storage
}

/// Why there is no answer about a queue.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum QueueError {
    /// There is no such queue, or no longer (Q8, Q35, Q36).
    #[error("{}", text::QUEUE_DOES_NOT_EXIST)]
    QueueDoesNotExist,
    /// The journal could not record the call.
    #[error(transparent)]
    Storage(#[from] StorageError),
}
codes! {
    /// # use requeue::Queue;
    /// let jobs = Queue::standard("jobs").build()?;
    /// jobs.delete_queue()?;
    /// assert_eq!(jobs.delete_queue().unwrap_err().code(), "QueueDoesNotExist");
    QueueError: QueueDoesNotExist; Storage
}
