//! Errors of queues, classified by what the caller can do about them.

use {super::queue_set::SEPARATOR, std::borrow::Cow};

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

/// What an error means for whoever made the call.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The queue does not exist (any more).
    QueueDoesNotExist,
    /// The message is not in flight under the handle of this reception (any more): deleted, expired or received again.
    NotHeld,
    /// The same call may succeed later: throttling, a lost answer, a service that is down.
    Transient,
    /// The caller is not let in: credentials are missing, expired or wrong, or lack a permission. The same call may succeed
    /// once somebody has mended that.
    Denied,
    /// The same call will fail again: a bad parameter, or something that the queue cannot do.
    Refused,
}

impl ErrorKind {
    /// Whether the same call may succeed later.
    ///
    /// # Examples
    /// ```
    /// use requeue::backend::ErrorKind;
    ///
    /// assert!(ErrorKind::Transient.may_pass() && ErrorKind::Denied.may_pass());
    /// assert!(!ErrorKind::Refused.may_pass());
    /// ```
    #[must_use]
    pub const fn may_pass(self) -> bool {
        matches!(self, Self::Transient | Self::Denied)
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
