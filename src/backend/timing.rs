//! When a worker renews its leases, and how long it pauses before it makes a call again that failed.

use {super::Backoff, crate::time::TICK, std::time::Duration};

/// Renewals in one visibility timeout: two may fail before the lease is lost.
const RENEWALS: u32 = 3;

/// A failed renewal is retried after this fraction of the renewal interval.
pub(crate) const RENEWAL_RETRY: u32 = 5;

/// The part of a lease, at its end, in which a call that changes visibility may arrive after the lease.
const MARGIN: u32 = 10;

/// Safety margin: the queue may have started a timeout this long before its answer arrived.
pub(crate) const SAFETY: Duration = Duration::from_secs(1);

/// The pause between a failed receive and the next.
pub(crate) const RECEIVE_BACKOFF: Backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(20));

/// The pause between a failed delete and its retry.
pub(crate) const DELETE_BACKOFF: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));

/// How long after a receive or a renewal a lease of this length is renewed.
pub(crate) fn renew_interval(visibility_timeout: Duration) -> Duration {
    (visibility_timeout / RENEWALS).max(TICK)
}

/// How long before the end of a lease no call that changes visibility is made any more to a queue whose calls take time.
pub(crate) fn latency_margin(visibility_timeout: Duration) -> Duration {
    SAFETY.min(visibility_timeout / MARGIN)
}

/// When a lease of this length is due that cannot be renewed: jobs that no handler has begun go back by then.
pub(crate) fn last_due(visibility_timeout: Duration) -> Duration {
    let left = visibility_timeout.saturating_sub(latency_margin(visibility_timeout));
    left.max(TICK).min(visibility_timeout)
}
