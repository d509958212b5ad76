//! The quotas of a queue that a runner respects.

use {crate::limits::Limits, std::time::Duration};

const SQS: Limits = Limits::aws();

/// The most messages in one call to a queue, or in its response.
pub(crate) const MAX_MESSAGES: usize = SQS.receive_messages;

/// The most user attributes of a message (M12).
pub(crate) const MAX_ATTRIBUTES: usize = SQS.message_attributes;

/// The longest wait time of a receive.
pub(crate) const MAX_WAIT_TIME: Duration = SQS.receive_wait_time;

/// The longest time that a message is hidden, counted from its receive (D26).
pub(crate) const MAX_VISIBILITY: Duration = SQS.visibility_timeout;

/// The longest delay of a message.
#[cfg(feature = "schedule")]
pub(crate) const MAX_DELAY: Duration = SQS.delay;

/// What the calls of a [`MessageQueue`](super::MessageQueue) take; a runner asks for no more.
///
/// # Examples
/// ```
/// use requeue::{Limits, Queue, backend::{MessageQueue, QueueLimits}};
///
/// let mut limits = Limits::default();
/// limits.receive_messages = 5;
/// let jobs = Queue::standard("jobs").limits(limits).build()?;
/// assert_eq!(MessageQueue::limits(&jobs).max_messages, 5);
/// assert_eq!(QueueLimits::default().max_messages, 10, "as on Amazon SQS");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct QueueLimits {
    /// The most messages in the answer to a receive.
    pub max_messages: usize,
    /// The longest wait time of a receive.
    pub max_wait_time: Duration,
    /// The longest time that a message is hidden, counted from its receive.
    pub max_visibility_timeout: Duration,
}

impl Default for QueueLimits {
    /// Those of Amazon SQS: 10 messages, 20 s and 12 h.
    fn default() -> Self {
        Self {
            max_messages: MAX_MESSAGES,
            max_wait_time: MAX_WAIT_TIME,
            max_visibility_timeout: MAX_VISIBILITY,
        }
    }
}

impl QueueLimits {
    /// The parts of these that are below those of SQS, which a runner keeps on any queue.
    pub(crate) fn within_sqs(self) -> Self {
        let sqs = Self::default();
        Self {
            max_messages: self.max_messages.clamp(1, sqs.max_messages),
            max_wait_time: self.max_wait_time.min(sqs.max_wait_time),
            max_visibility_timeout: self.max_visibility_timeout.min(sqs.max_visibility_timeout),
        }
    }
}
