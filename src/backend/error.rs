//! Errors of queues, classified by what the caller can do about them.

use {crate::error::ErrorKind, std::borrow::Cow};

/// Separates the URLs of a set's queues; no URL contains it.
pub(super) const SEPARATOR: char = ' ';

/// One message of a call for which the call did nothing.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct EntryFailure {
    /// Its place among the messages of the call.
    pub index: usize,
    /// Why.
    pub error: MessageQueueError,
}

impl EntryFailure {
    /// The call did nothing for the message at `index` because of `error`.
    ///
    /// # Examples
    /// ```
    /// use requeue::backend::{EntryFailure, ErrorKind, MessageQueueError};
    ///
    /// let error = MessageQueueError::new(ErrorKind::Transient, "InternalError", "try again");
    /// assert_eq!(EntryFailure::new(3, error).index, 3);
    /// ```
    #[must_use]
    pub const fn new(index: usize, error: MessageQueueError) -> Self {
        Self { index, error }
    }
}

/// Why a call to a [`MessageQueue`](super::MessageQueue) failed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{code}: {message}")]
#[non_exhaustive]
pub struct MessageQueueError {
    /// What it means.
    pub kind: ErrorKind,
    /// SQS's code, or what stands for it.
    pub code: Cow<'static, str>,
    /// What went wrong.
    pub message: String,
}

impl MessageQueueError {
    /// An error of this kind.
    ///
    /// # Examples
    /// ```
    /// use requeue::backend::{ErrorKind, MessageQueueError};
    ///
    /// let error = MessageQueueError::new(ErrorKind::Transient, "RequestThrottled", "too many requests");
    /// assert_eq!(error.to_string(), "RequestThrottled: too many requests");
    /// ```
    #[must_use]
    pub fn new(kind: ErrorKind, code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self {
            kind,
            code: code.into(),
            message: message.into(),
        }
    }

    /// The same error, whose message names the queue with this URL, or one queue of the set with these.
    pub(crate) fn of_queue(mut self, url: &str) -> Self {
        if !url.split(SEPARATOR).any(|url| self.message.contains(url)) {
            self.message = format!("{} (queue {url})", self.message);
        }
        self
    }
}

/// Why queues do not make a set.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum QueueSetError {
    /// There is no queue.
    #[error("a set has 0 queues, it has to have at least 1")]
    Empty,
    /// A weight is zero: its queue would never be received from.
    #[error("the weight of queue {url} is 0, it has to be at least 1")]
    #[non_exhaustive]
    ZeroWeight {
        /// The URL of its queue.
        url: String,
    },
    /// A queue is in the set twice.
    #[error("queue {url} is in the set twice")]
    #[non_exhaustive]
    Repeated {
        /// Its URL.
        url: String,
    },
    /// Some are FIFO queues and some are not.
    #[error("queue {fifo} is a FIFO queue and queue {standard} is not, a set has one kind")]
    #[non_exhaustive]
    MixedTypes {
        /// The URL of a FIFO queue.
        fifo: String,
        /// The URL of a standard queue.
        standard: String,
    },
}
