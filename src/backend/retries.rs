//! Calls to a queue that failed for now, and are made again after pauses that grow.

use {
    super::{backoff::Backoff, error::MessageQueueError},
    std::time::Duration,
};

/// When a call that fails is made again.
#[derive(Clone, Debug)]
pub(crate) struct Retries {
    backoff: Backoff,
    failures: u32,
}

impl Retries {
    pub(crate) const fn new(backoff: Backoff) -> Self {
        Self { backoff, failures: 0 }
    }

    /// The pause before the next call, after one that failed; `None` if the same call will fail again.
    pub(crate) fn pause(&mut self, error: &MessageQueueError) -> Option<Duration> {
        if !error.kind.may_pass() {
            return None;
        }
        self.failures = self.failures.saturating_add(1);
        Some(self.backoff.limit(self.failures))
    }
}
