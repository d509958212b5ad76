//! Numbers of the wire, which may be negative, checked against the ranges of their parameters.

use {
    crate::{
        error::{InvalidParameterValue, InvalidReason, check},
        limits::Limits,
    },
    std::time::Duration,
};

/// A span in whole seconds from zero to `limit`.
pub(super) fn seconds(
    parameter: &'static str,
    given: i64,
    limit: Duration,
    reason: InvalidReason,
) -> Result<Duration, InvalidParameterValue> {
    let span = u64::try_from(given)
        .ok()
        .map(Duration::from_secs)
        .filter(|span| *span <= limit);
    span.ok_or_else(|| InvalidParameterValue::of(parameter, given.to_string(), reason))
}

/// `VisibilityTimeout` (D25).
pub(super) fn visibility_timeout(given: i64, limits: &Limits) -> Result<Duration, InvalidParameterValue> {
    let limit = limits.visibility_timeout;
    seconds(
        "VisibilityTimeout",
        given,
        limit,
        InvalidReason::VisibilityTimeout { limit },
    )
}

/// An optional count of at least one.
pub(super) fn count(parameter: &'static str, given: i64, limit: usize) -> Result<usize, InvalidParameterValue> {
    let refused = |_| InvalidParameterValue::of(parameter, given.to_string(), InvalidReason::Count { limit });
    let count = usize::try_from(given).map_err(refused)?;
    check::check_count(parameter, count, limit)?;
    Ok(count)
}
