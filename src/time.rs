//! [`Timestamp`], the one number that time is: milliseconds since the Unix epoch.
//!
//! Arithmetic saturates and nothing here reads a clock.
use std::fmt;
use std::time::Duration;

/// The resolution of time: the shortest delay before something may fall due again.
#[cfg(feature = "worker")]
pub(crate) const TICK: Duration = Duration::from_millis(1);

/// A point in time with millisecond resolution, counted from the Unix epoch (rule X1).
///
/// Ranges from [`ZERO`](Self::ZERO) (1970-01-01T00:00:00Z) to [`MAX`](Self::MAX), about 584 million years later.
/// Its text is the decimal number of milliseconds, which is how SQS writes the timestamps of messages.
///
/// # Examples
/// ```
/// # use requeue::Timestamp;
/// # use std::time::Duration;
/// let sent = Timestamp::from_millis(1_767_225_600_000);
/// assert_eq!(sent.saturating_add(Duration::from_secs(30)).to_string(), "1767225630000");
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The Unix epoch.
    pub const ZERO: Self = Self(0);
    /// The latest representable point, where [`saturating_add`](Self::saturating_add) stops.
    pub const MAX: Self = Self(u64::MAX);

    /// The point `millis` milliseconds after the Unix epoch.
    ///
    /// # Examples
    /// ```
    /// # use requeue::Timestamp;
    /// assert_eq!(Timestamp::from_millis(1_500).as_millis(), 1_500);
    /// ```
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the Unix epoch, the resolution SQS shows for messages.
    ///
    /// # Examples
    /// ```
    /// # use requeue::Timestamp;
    /// assert_eq!(Timestamp::ZERO.as_millis(), 0);
    /// ```
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// Whole seconds since the Unix epoch, rounded down, the resolution SQS shows for queues.
    ///
    /// # Examples
    /// ```
    /// # use requeue::Timestamp;
    /// assert_eq!(Timestamp::from_millis(1_999).as_secs(), 1);
    /// ```
    #[must_use]
    pub const fn as_secs(self) -> u64 {
        self.0 / 1_000
    }

    /// The point `span` later, or [`MAX`](Self::MAX) if that cannot be represented.
    ///
    /// A fraction of a millisecond in `span` is dropped.
    ///
    /// # Examples
    /// ```
    /// # use requeue::Timestamp;
    /// # use std::time::Duration;
    /// assert_eq!(Timestamp::ZERO.saturating_add(Duration::from_micros(2_900)), Timestamp::from_millis(2));
    /// ```
    #[must_use]
    #[inline]
    pub fn saturating_add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(millis(span)))
    }

    /// The point `span` earlier, or [`ZERO`](Self::ZERO) if that lies before the epoch.
    ///
    /// A fraction of a millisecond in `span` is dropped.
    ///
    /// # Examples
    /// ```
    /// # use requeue::Timestamp;
    /// # use std::time::Duration;
    /// assert_eq!(Timestamp::from_millis(5).saturating_sub(Duration::from_secs(1)), Timestamp::ZERO);
    /// ```
    #[must_use]
    #[inline]
    pub fn saturating_sub(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(millis(span)))
    }

    /// The time from `earlier` to this point, zero if `earlier` is the later one.
    ///
    /// # Examples
    /// ```
    /// # use requeue::Timestamp;
    /// # use std::time::Duration;
    /// let (sent, received) = (Timestamp::from_millis(100), Timestamp::from_millis(350));
    /// assert_eq!(received.saturating_duration_since(sent), Duration::from_millis(250));
    /// assert_eq!(sent.saturating_duration_since(received), Duration::ZERO);
    /// ```
    #[must_use]
    pub fn saturating_duration_since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// `span` in whole milliseconds, as the queue counts it: rounded down, at most `u64::MAX`.
/// Saturates, as `as_millis` cut to 64 bits would.
#[inline]
fn millis(span: Duration) -> u64 {
    let whole_seconds = span.as_secs().saturating_mul(1_000);
    whole_seconds.saturating_add(u64::from(span.subsec_millis()))
}

/// `span` without its fraction of a millisecond, which is the value that ranges are checked against and that is kept.
#[inline]
pub(crate) fn whole_millis(span: Duration) -> Duration {
    if span.subsec_nanos() == 0 && span.as_secs() <= u64::MAX / 1_000 {
        return span;
    }
    Duration::from_millis(millis(span))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates_at_both_ends() {
        let far = Timestamp::MAX.saturating_sub(Duration::from_millis(1));
        assert_eq!(far.saturating_add(Duration::from_millis(1)), Timestamp::MAX);
        assert_eq!(far.saturating_add(Duration::from_millis(2)), Timestamp::MAX);
        assert_eq!(Timestamp::ZERO.saturating_add(Duration::MAX), Timestamp::MAX);
        assert_eq!(Timestamp::MAX.saturating_sub(Duration::MAX), Timestamp::ZERO);
        assert_eq!(
            Timestamp::from_millis(1).saturating_sub(Duration::from_millis(1)),
            Timestamp::ZERO
        );
    }

    #[test]
    fn fractions_of_a_millisecond_are_dropped() {
        // X1
        assert_eq!(
            Timestamp::ZERO.saturating_add(Duration::from_nanos(999_999)),
            Timestamp::ZERO
        );
        assert_eq!(whole_millis(Duration::new(1, 1_999_999)), Duration::from_millis(1_001));
        assert_eq!(whole_millis(Duration::MAX), Duration::from_millis(u64::MAX));
        for secs in [1, u64::MAX / 1_000, u64::MAX / 1_000 + 1] {
            let whole = Duration::from_millis(secs.saturating_mul(1_000));
            assert_eq!(whole_millis(Duration::from_secs(secs)), whole);
        }
    }

    #[test]
    fn text_is_decimal_milliseconds_and_seconds_round_down() {
        // X1
        let at = Timestamp::from_millis(1_493_147_359_900);
        assert_eq!(at.to_string(), "1493147359900");
        assert_eq!(at.as_secs(), 1_493_147_359);
        assert_eq!(format!("{:>5}", Timestamp::from_millis(7)), "    7");
    }
}
