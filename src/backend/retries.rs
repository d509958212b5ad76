//! When a failed call to a queue is repeated.

use {
    super::{backoff::Backoff, error::MessageQueueError},
    crate::time::Timestamp,
    std::{
        sync::atomic::{AtomicU32, AtomicU64, Ordering},
        time::Duration,
    },
};

/// Counts the failures in a row of those who make the same call, and says when it is made again.
///
/// The pauses grow with each failure. The last call begins `timeout` after the first failure at the latest.
#[derive(Debug)]
pub(crate) struct Retries {
    backoff: Backoff,
    timeout: Duration,
    failures: AtomicU32,
    /// When the first of them was, in milliseconds; not meaningful without `failures`.
    since: AtomicU64,
}

impl Retries {
    pub(crate) const fn new(backoff: Backoff, timeout: Duration) -> Self {
        Self {
            backoff,
            timeout,
            failures: AtomicU32::new(0),
            since: AtomicU64::new(0),
        }
    }

    /// The pause before the next call, after one that failed; `None` if the same call will fail again, or the time is over.
    pub(crate) fn pause(&self, error: &MessageQueueError, now: Timestamp) -> Option<Duration> {
        if !error.kind.may_pass() {
            return None;
        }
        let failures = self.failures.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        if failures == 1 {
            self.since.store(now.as_millis(), Ordering::Relaxed);
        }
        let since = Timestamp::from_millis(self.since.load(Ordering::Relaxed));
        let left = self.timeout.saturating_sub(now.saturating_duration_since(since));
        (!left.is_zero()).then(|| self.backoff.limit(failures).min(left))
    }

    pub(crate) fn succeeded(&self) {
        // Not written without need: all workers share it.
        if self.failures.load(Ordering::Relaxed) > 0 {
            self.failures.store(0, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use {super::*, crate::backend::ErrorKind};

    const SECOND: Duration = Duration::from_secs(1);

    fn error(kind: ErrorKind) -> MessageQueueError {
        MessageQueueError::new(kind, "Broken", "as told")
    }

    /// The pauses, in seconds, after calls that fail at once.
    fn pauses(retries: &Retries, kind: ErrorKind, calls: usize) -> Vec<u64> {
        let mut now = Timestamp::from_millis(1_000_000);
        let mut pauses = Vec::new();
        for _ in 0..calls {
            let Some(pause) = retries.pause(&error(kind), now) else {
                break;
            };
            now = now.saturating_add(pause);
            pauses.push(pause.as_secs());
        }
        pauses
    }

    #[test]
    fn pauses_grow_until_a_call_succeeds() {
        let retries = Retries::new(Backoff::new(SECOND, 10 * SECOND), Duration::MAX);
        for kind in [ErrorKind::Transient, ErrorKind::Denied] {
            assert_eq!(pauses(&retries, kind, 6), [1, 2, 4, 8, 10, 10]);
            retries.succeeded();
        }
    }

    #[test]
    fn the_last_call_is_made_when_the_time_is_over() {
        let retries = Retries::new(Backoff::new(SECOND, 10 * SECOND), 20 * SECOND);
        assert_eq!(pauses(&retries, ErrorKind::Transient, 9), [1, 2, 4, 8, 5]);
        retries.succeeded();
        assert_eq!(
            pauses(&retries, ErrorKind::Transient, 2),
            [1, 2],
            "the time begins anew"
        );
        let never = Retries::new(Backoff::new(SECOND, SECOND), Duration::ZERO);
        assert_eq!(pauses(&never, ErrorKind::Transient, 1), [0; 0]);
    }

    #[test]
    fn what_will_fail_again_is_not_called_again() {
        let retries = Retries::new(Backoff::new(SECOND, 10 * SECOND), Duration::MAX);
        for kind in [ErrorKind::QueueDoesNotExist, ErrorKind::NotHeld, ErrorKind::Refused] {
            assert_eq!(pauses(&retries, kind, 1), [0; 0], "{kind:?}");
        }
        let later = pauses(&retries, ErrorKind::Transient, 2);
        assert_eq!(later, [1, 2], "nor does it lengthen the pauses of what is");
    }
}
