//! The SQS quotas that a runner keeps on any queue.

use std::time::Duration;

/// The most messages in one call to a queue, or in its response.
pub(super) const MAX_MESSAGES: usize = 10;

/// The most user attributes of a message (M12).
pub(super) const MAX_ATTRIBUTES: usize = 10;

/// The longest wait time of a receive.
pub(super) const MAX_WAIT_TIME: Duration = Duration::from_secs(20);

/// The longest time that a message is hidden, counted from its receive (D26).
pub(super) const MAX_VISIBILITY: Duration = Duration::from_secs(12 * 60 * 60);

/// The longest delay of a message.
#[cfg(feature = "schedule")]
pub(super) const MAX_DELAY: Duration = Duration::from_secs(15 * 60);
