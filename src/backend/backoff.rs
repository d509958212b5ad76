//! Pauses that grow with each failure.

use {
    rand::{Rng, SeedableRng, rngs::Xoshiro256PlusPlus},
    std::time::Duration,
};

/// Exponential backoff with full jitter: after `n` failures a time drawn evenly from 0 to `base` times 2 to the power of
/// `n` - 1, but no more than `max`.
///
/// The failures are the receives that the queue counts. An embedded queue does not count those that were given back or
/// postponed; Amazon SQS counts all.
///
/// # Source
/// [Exponential backoff and jitter](https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
///
/// # Examples
/// ```
/// use requeue::backend::Backoff;
/// use std::time::Duration;
///
/// let backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60));
/// assert_eq!(backoff.limit(1), Duration::from_secs(1));
/// assert_eq!(backoff.limit(4), Duration::from_secs(8));
/// assert_eq!(backoff.limit(40), Duration::from_secs(60));
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Backoff {
    base: Duration,
    max: Duration,
}

impl Backoff {
    /// From `base`, more than 0 s, up to `max`, 12 h at most; a runner with any other cannot be built.
    ///
    /// # Examples
    /// ```
    /// use requeue::backend::Backoff;
    /// use std::time::Duration;
    ///
    /// let backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
    /// assert_eq!(backoff.limit(2), Duration::from_millis(200));
    /// ```
    #[must_use]
    pub const fn new(base: Duration, max: Duration) -> Self {
        Self { base, max }
    }

    /// The longest that a message may have to wait after `receive_count` receives.
    ///
    /// # Examples
    /// ```
    /// use requeue::backend::Backoff;
    /// use std::time::Duration;
    ///
    /// let backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(5));
    /// assert_eq!([1, 2, 3, 4].map(|count| backoff.limit(count).as_secs()), [1, 2, 4, 5]);
    /// ```
    #[must_use]
    pub fn limit(&self, receive_count: u32) -> Duration {
        let factor = 1_u32.checked_shl(receive_count.saturating_sub(1)).unwrap_or(u32::MAX);
        self.base.saturating_mul(factor).min(self.max)
    }

    pub(crate) const fn base(&self) -> Duration {
        self.base
    }

    pub(crate) const fn max(&self) -> Duration {
        self.max
    }

    /// Whether it grows from more than nothing to at most this.
    pub(crate) fn is_within(&self, longest: Duration) -> bool {
        !self.base.is_zero() && self.base <= self.max && self.max <= longest
    }

    /// The delay of a message after this many receives; the same for the same seed, message and receive.
    pub(crate) fn draw(&self, seed: u64, message_id: &str, receive_count: u32) -> Duration {
        let mut state = seed ^ u64::from(receive_count).rotate_left(32);
        for byte in message_id.bytes() {
            // FNV-1a: spreads, and needs no more.
            state = (state ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        let limit = self.limit(receive_count).as_millis() as u64;
        let drawn = Xoshiro256PlusPlus::seed_from_u64(state).next_u64();
        Duration::from_millis(drawn % limit.saturating_add(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_is_spread_over_its_whole_range_and_the_same_for_the_same_seed() {
        let backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(8));
        let draws = |seed| -> Vec<u64> {
            let draw = |message: usize| backoff.draw(seed, &message.to_string(), 4).as_millis() as u64;
            (0..1_000).map(draw).collect()
        };
        let drawn = draws(7);
        assert!(drawn.iter().all(|millis| *millis <= 8_000));
        for eighth in 0..8 {
            let within = drawn
                .iter()
                .filter(|it| (eighth * 1_000..(eighth + 1) * 1_000).contains(*it));
            assert!(within.count() > 60, "full jitter leaves no part of the range out");
        }
        assert_eq!(drawn, draws(7));
        assert_ne!(drawn, draws(8));
    }

    #[test]
    fn backoff_does_not_overflow() {
        let most = Backoff::new(Duration::MAX, Duration::from_secs(43_200));
        for receive_count in [0, 1, 33, u32::MAX] {
            assert!(most.draw(1, "m", receive_count) <= Duration::from_secs(43_200));
        }
    }
}
