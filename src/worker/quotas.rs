//! The quotas of SQS that a worker has to keep, whatever queue it works on.

use std::time::Duration;

/// As many messages as one call to a queue takes, or brings.
pub(super) const MOST_MESSAGES: usize = 10;

/// No message has more user attributes (M12).
pub(super) const MOST_ATTRIBUTES: usize = 10;

/// No receive waits longer.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(20);

/// No message is hidden for longer, counted from its receive (D26).
pub(super) const LONGEST_VISIBILITY: Duration = Duration::from_secs(12 * 60 * 60);

/// No message is sent with a longer delay.
#[cfg(feature = "schedule")]
pub(super) const LONGEST_DELAY: Duration = Duration::from_secs(15 * 60);
