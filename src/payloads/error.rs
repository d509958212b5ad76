//! Why a payload queue is not built, and what goes wrong with payloads.

use {
    crate::backend::{ErrorKind, MessageQueueError},
    std::{error::Error, sync::Arc},
};

/// Why a [`PayloadQueue`](super::PayloadQueue) was not built.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildPayloadQueueError {
    /// No message is as large as the threshold.
    #[error("the threshold is {bytes} bytes, at most {limit} are allowed")]
    #[non_exhaustive]
    Threshold {
        /// The threshold.
        bytes: usize,
        /// The largest message of Amazon SQS.
        limit: usize,
    },
    /// Keys with this prefix are not safe everywhere (E2).
    #[error("the prefix {prefix:?} is refused: {reason}")]
    #[non_exhaustive]
    Prefix {
        /// The prefix.
        prefix: String,
        /// Why.
        reason: &'static str,
    },
}

/// What a [`PayloadStore`](super::PayloadStore) could not do.
///
/// # Examples
/// ```
/// use requeue::payloads::PayloadStoreError;
///
/// let error = PayloadStoreError::other("the disk is full");
/// assert_eq!(error.to_string(), "the disk is full");
/// ```
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PayloadStoreError {
    /// There is no object with this key.
    #[error("there is no object with this key")]
    NotFound,
    /// The store does not let the caller do that.
    #[error("{0}")]
    Denied(Arc<dyn Error + Send + Sync>),
    /// Something else, which may pass.
    #[error("{0}")]
    Other(Arc<dyn Error + Send + Sync>),
}

impl PayloadStoreError {
    /// Any error, which may pass.
    ///
    /// # Examples
    /// ```
    /// use requeue::payloads::PayloadStoreError;
    ///
    /// let error = PayloadStoreError::other(std::io::Error::other("the disk is full"));
    /// assert_eq!(error.to_string(), "the disk is full");
    /// ```
    pub fn other(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Other(error.into().into())
    }

    /// That the store does not let the caller do it.
    ///
    /// # Examples
    /// ```
    /// use requeue::payloads::PayloadStoreError;
    ///
    /// assert_eq!(PayloadStoreError::denied("the token has expired").to_string(), "the token has expired");
    /// ```
    pub fn denied(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Denied(error.into().into())
    }

    /// The error of a queue whose store did this to the payload at `key`.
    pub(super) fn of_payload(&self, verb: &str, key: &str) -> MessageQueueError {
        let not_done = |kind, error| {
            let text = format!("payload {key} was not {verb}: {error}");
            MessageQueueError::new(kind, STORE, text)
        };
        match self {
            Self::NotFound => MessageQueueError::new(ErrorKind::Refused, NOT_FOUND, format!("payload {key} is gone")),
            Self::Denied(error) => not_done(ErrorKind::Denied, error),
            Self::Other(error) => not_done(ErrorKind::Transient, error),
        }
    }
}

const NOT_FOUND: &str = "PayloadNotFound";
const STORE: &str = "PayloadStoreError";
const DAMAGED: &str = "PayloadDamaged";
const POINTER: &str = "PayloadPointerInvalid";
const INTERRUPTED: &str = "BodyInterrupted";
const INVALID: &str = "InvalidParameterValue";

/// Whether this is the error of a payload that is gone.
pub(super) fn is_gone(error: &MessageQueueError) -> bool {
    error.code == NOT_FOUND
}

/// A payload is not what was sent.
pub(super) fn damaged(key: &str, how: &str) -> MessageQueueError {
    MessageQueueError::new(ErrorKind::Refused, DAMAGED, format!("payload {key} is damaged: {how}"))
}

/// A message says that it has a payload, and not where.
pub(super) fn invalid_pointer(message_id: &str, why: &str) -> MessageQueueError {
    let text = format!("message {message_id} is refused: {why}");
    MessageQueueError::new(ErrorKind::Refused, POINTER, text)
}

/// Where a body comes from or goes to fails, which may pass.
pub(super) fn interrupted(text: String) -> MessageQueueError {
    MessageQueueError::new(ErrorKind::Transient, INTERRUPTED, text)
}

/// A message that may not be sent.
pub(super) fn refused(text: String) -> MessageQueueError {
    MessageQueueError::new(ErrorKind::Refused, INVALID, text)
}
