//! Failures that handlers return, and the policy for their messages.

use {
    rand::{Rng, SeedableRng, rngs::Xoshiro256PlusPlus},
    std::{error::Error, fmt, sync::Arc, time::Duration},
};

/// Why a job was not done, and what is to become of its message.
///
/// Every error and every text is a failure by `?` or `into()`, to be treated by the runner's [`FailurePolicy`]; the
/// constructors choose for one message. It is no error itself, so that errors can become one.
///
/// # Examples
/// ```
/// use requeue::worker::{Failure, Job};
/// use std::time::Duration;
///
/// fn resize(job: &Job) -> Result<(), Failure> {
///     let width: u32 = job.body().parse()?; // any error
///     match width {
///         0 => Err(Failure::dead_letter("a width of zero will never work")),
///         1..640 => Err(Failure::retry_after(Duration::from_secs(60), "the small printer is busy")),
///         641.. => Err("too wide".into()), // any text
///         640 => Ok(()),
///     }
/// }
/// # let _: fn(&Job) -> Result<(), Failure> = resize;
/// assert_eq!(Failure::from("too wide").reason(), "too wide");
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Failure {
    reason: Arc<str>,
    verdict: Verdict,
}

/// What is to become of a message that was not done.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Verdict {
    /// What the runner's policy says.
    Policy,
    /// Visible again after so long.
    RetryAfter(Duration),
    DeadLetter,
    Discard,
}

impl Failure {
    /// The message cannot be worked on yet: it is to come back after `delay`, 0 s to 12 h counted from its receive, whatever
    /// the policy says.
    ///
    /// A postponement spends no attempt: the message comes back with the receive count of before, as often as it is
    /// postponed. On Amazon SQS every receive counts, this one too.
    ///
    /// # Examples
    /// ```
    /// use requeue::worker::Failure;
    /// use std::time::Duration;
    ///
    /// let failure = Failure::retry_after(Duration::from_secs(60), "the printer is busy");
    /// assert_eq!(failure.reason(), "the printer is busy");
    /// ```
    #[must_use]
    pub fn retry_after(delay: Duration, reason: impl fmt::Display) -> Self {
        Self::new(reason, Verdict::RetryAfter(delay))
    }

    /// The message is to go to the dead-letter queue at once.
    ///
    /// If that fails, because there is none, the message is left to its visibility timeout, and the runner reports it.
    ///
    /// # Examples
    /// ```
    /// use requeue::worker::Failure;
    /// assert_eq!(Failure::dead_letter("not a number").reason(), "not a number");
    /// ```
    #[must_use]
    pub fn dead_letter(reason: impl fmt::Display) -> Self {
        Self::new(reason, Verdict::DeadLetter)
    }

    /// The message is to be deleted although it was not done.
    ///
    /// # Examples
    /// ```
    /// use requeue::worker::Failure;
    /// assert_eq!(Failure::discard("too old to matter").reason(), "too old to matter");
    /// ```
    #[must_use]
    pub fn discard(reason: impl fmt::Display) -> Self {
        Self::new(reason, Verdict::Discard)
    }

    /// Why.
    ///
    /// # Examples
    /// ```
    /// use requeue::worker::Failure;
    /// assert_eq!(Failure::from("too wide").reason(), "too wide");
    /// ```
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }

    fn new(reason: impl fmt::Display, verdict: Verdict) -> Self {
        Self {
            reason: reason.to_string().into(),
            verdict,
        }
    }

    pub(super) const fn verdict(&self) -> Verdict {
        self.verdict
    }
}

impl<E: Into<Box<dyn Error + Send + Sync>>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::new(error.into(), Verdict::Policy)
    }
}

/// What becomes of the message of a job that failed, unless the handler chose.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum FailurePolicy {
    /// It comes back when its visibility timeout ends, as on SQS.
    #[default]
    LeaveToTimeout,
    /// It is visible again at once.
    RetryNow,
    /// It comes back after a time that doubles with each failure.
    Backoff(Backoff),
}

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
/// use requeue::worker::Backoff;
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
    /// From `base` up to `max`, 12 h at most.
    ///
    /// # Examples
    /// ```
    /// use requeue::worker::Backoff;
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
    /// use requeue::worker::Backoff;
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

    /// The longest time it may ask for.
    pub(super) const fn max(&self) -> Duration {
        self.max
    }

    /// The delay of a message after this many receives; the same for the same seed, message and receive.
    pub(super) fn draw(&self, seed: u64, message_id: &str, receive_count: u32) -> Duration {
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
    fn errors_texts_and_boxes_are_failures_for_the_policy() {
        let errors: [Failure; 3] = [
            "x".parse::<u8>().unwrap_err().into(),
            String::from("text").into(),
            Box::<dyn Error + Send + Sync>::from("boxed").into(),
        ];
        let reasons = errors.each_ref().map(Failure::reason);
        assert_eq!(reasons, ["invalid digit found in string", "text", "boxed"]);
        assert!(errors.iter().all(|failure| failure.verdict() == Verdict::Policy));
    }

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
