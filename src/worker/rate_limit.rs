//! Rate limits: how many jobs may begin in a time, and the token buckets that count them.

use {crate::time::Timestamp, std::time::Duration};

/// How many jobs may begin in a time.
///
/// A job takes a token when its handler is called; a token comes each `per / jobs`, and a bucket keeps up to `burst` of
/// them, with which it starts. So no time of `per` sees more than `jobs + burst - 1` starts. A batch takes a token for
/// each of its messages.
///
/// # Examples
/// ```
/// use requeue::worker::RateLimit;
/// use std::time::Duration;
///
/// let limit = RateLimit::new(100, Duration::from_secs(60)).burst(10);
/// assert_eq!((limit.jobs, limit.per, limit.burst), (100, Duration::from_secs(60), 10));
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct RateLimit {
    /// The number of jobs, at least 1.
    pub jobs: u32,
    /// The time in which so many may begin: more than 0 s, at most 24 h.
    pub per: Duration,
    /// How many may begin at once after a pause, at least 1.
    pub burst: u32,
}

impl RateLimit {
    /// So many jobs in this time, evenly spaced: with a burst of 1.
    ///
    /// # Examples
    /// ```
    /// use requeue::worker::RateLimit;
    /// use std::time::Duration;
    ///
    /// assert_eq!(RateLimit::new(1, Duration::from_secs(5)).burst, 1);
    /// ```
    #[must_use]
    pub const fn new(jobs: u32, per: Duration) -> Self {
        Self { jobs, per, burst: 1 }
    }

    /// So many jobs a second, evenly spaced: with a burst of 1.
    ///
    /// # Examples
    /// ```
    /// use requeue::worker::RateLimit;
    /// use std::time::Duration;
    ///
    /// assert_eq!(RateLimit::per_second(20), RateLimit::new(20, Duration::from_secs(1)));
    /// ```
    #[must_use]
    pub const fn per_second(jobs: u32) -> Self {
        Self::new(jobs, Duration::from_secs(1))
    }

    /// Lets so many jobs begin at once after a pause, at least 1.
    #[must_use]
    pub const fn burst(mut self, jobs: u32) -> Self {
        self.burst = jobs;
        self
    }
}

/// A valid rate limit, in units of time in which a token and a millisecond are both whole: no rounding adds up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rate {
    /// Units until the next token.
    token: u128,
    /// Units in a millisecond.
    tick: u128,
    burst: usize,
}

impl Rate {
    pub(super) fn new(limit: RateLimit) -> Self {
        const NANOS_PER_MILLI: u128 = 1_000_000;
        Self {
            token: limit.per.as_nanos(),
            tick: u128::from(limit.jobs) * NANOS_PER_MILLI,
            burst: limit.burst as usize,
        }
    }

    fn units(&self, at: Timestamp) -> u128 {
        u128::from(at.as_millis()) * self.tick
    }

    fn tokens(&self, count: usize) -> u128 {
        self.token.saturating_mul(count as u128)
    }
}

/// A token bucket, as the time at which it is full; the default is full.
///
/// A clock of milliseconds shows an instant late by up to one of them, which costs no token.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Bucket {
    full_at: u128,
}

impl Bucket {
    /// How many tokens there are, or will have come `ahead` from now if each is taken as it comes.
    pub(super) fn tokens(self, rate: &Rate, now: Timestamp, ahead: Duration) -> usize {
        let end = rate
            .units(now.saturating_add(ahead))
            .saturating_add(rate.tokens(rate.burst));
        let tokens = end.saturating_sub(self.full_since(rate, now)) / rate.token;
        usize::try_from(tokens).unwrap_or(usize::MAX)
    }

    /// Takes tokens that are there.
    pub(super) fn take(&mut self, rate: &Rate, now: Timestamp, count: usize) {
        self.full_at = self.full_since(rate, now).saturating_add(rate.tokens(count));
    }

    /// When this many tokens will have come, if each of them is taken as soon as it may be.
    pub(super) fn available_at(self, rate: &Rate, now: Timestamp, count: usize) -> Timestamp {
        let end = self.full_since(rate, now).saturating_add(rate.tokens(count));
        let millis = end.saturating_sub(rate.tokens(rate.burst)).div_ceil(rate.tick);
        Timestamp::from_millis(u64::try_from(millis).unwrap_or(u64::MAX)).max(now)
    }

    /// When it is full, so that a new one does as well.
    pub(super) fn full_at(self, rate: &Rate) -> Timestamp {
        Timestamp::from_millis(u64::try_from(self.full_at.div_ceil(rate.tick)).unwrap_or(u64::MAX))
    }

    /// No later than if all tokens were taken now, also after a clock was set back.
    fn full_since(self, rate: &Rate, now: Timestamp) -> u128 {
        let empty = rate.units(now).saturating_add(rate.tokens(rate.burst));
        self.full_at
            .max((rate.units(now) + 1).saturating_sub(rate.tick))
            .min(empty)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: u64 = 1_700_000_000_000;

    /// The milliseconds at which jobs begin, one after the other as soon as each may.
    fn starts(limit: RateLimit, millis: u64) -> Vec<u64> {
        let (rate, mut bucket) = (Rate::new(limit), Bucket::default());
        let mut starts = Vec::new();
        let mut now = Timestamp::from_millis(START);
        loop {
            now = bucket.available_at(&rate, now, 1);
            if now.as_millis() - START >= millis {
                return starts;
            }
            assert!(bucket.tokens(&rate, now, Duration::ZERO) >= 1);
            bucket.take(&rate, now, 1);
            starts.push(now.as_millis() - START);
        }
    }

    #[test]
    fn each_window_sees_exactly_the_rate_and_nothing_adds_up_over_a_day() {
        const DAY: u64 = 86_400_000;
        for jobs in [1, 3, 7, 9] {
            let starts = starts(RateLimit::per_second(jobs), DAY);
            assert_eq!(starts.len() as u64, DAY / 1_000 * u64::from(jobs));
            let windows = starts.windows(jobs as usize + 1);
            assert!(windows.into_iter().all(|it| it[jobs as usize] - it[0] >= 1_000));
        }
        let uneven = starts(RateLimit::new(7, Duration::from_nanos(1_999_999_999)), 20_000);
        assert_eq!(uneven.len(), 71, "7 in just under 2 s, ten times, and the next");
    }

    #[test]
    fn a_rate_above_the_clock_s_resolution_is_kept_as_well() {
        let starts = starts(RateLimit::per_second(2_500), 1_000);
        assert_eq!(starts.len(), 2_500);
        assert!(
            starts.windows(4).all(|it| it[3] > it[0]),
            "three in a millisecond at most"
        );
    }

    #[test]
    fn a_burst_comes_at_once_and_again_only_after_a_pause() {
        let limit = RateLimit::per_second(2).burst(4);
        assert_eq!(starts(limit, 2_000), [0, 0, 0, 0, 500, 1_000, 1_500]);
        let (rate, mut bucket) = (Rate::new(limit), Bucket::default());
        let at = |millis| Timestamp::from_millis(START + millis);
        bucket.take(&rate, at(0), 4);
        let tokens = |millis| bucket.tokens(&rate, at(millis), Duration::ZERO);
        assert_eq!([0, 499, 500, 1_999, 2_000, 1_000_000].map(tokens), [0, 0, 1, 3, 4, 4]);
        assert_eq!(bucket.full_at(&rate), at(2_000));
        assert_eq!(bucket.tokens(&rate, at(0), Duration::from_millis(1_000)), 2);
        assert_eq!(bucket.available_at(&rate, at(0), 3), at(1_500));
        assert_eq!(
            bucket.available_at(&rate, at(0), 9),
            at(4_500),
            "if each is taken as it comes"
        );
    }

    #[test]
    fn a_clock_that_was_set_back_costs_no_more_than_an_empty_bucket() {
        let at = |millis| Timestamp::from_millis(START + millis);
        let rate = Rate::new(RateLimit::per_second(1).burst(3));
        let mut bucket = Bucket::default();
        bucket.take(&rate, at(3_600_000), 3);
        assert_eq!(bucket.available_at(&rate, at(3_600_000), 1), at(3_601_000));
        assert_eq!(bucket.available_at(&rate, at(0), 1), at(1_000));
        assert_eq!(bucket.tokens(&rate, at(0), Duration::ZERO), 0);
        bucket.take(&rate, at(1_000), 1);
        assert_eq!(bucket.available_at(&rate, at(1_000), 1), at(2_000));
    }

    #[test]
    fn the_ends_of_the_ranges_do_not_overflow() {
        let day = Duration::from_secs(86_400);
        for limit in [
            RateLimit::new(u32::MAX, Duration::from_nanos(1)).burst(u32::MAX),
            RateLimit::new(1, day).burst(u32::MAX),
            RateLimit::new(u32::MAX, day),
            RateLimit::new(1, Duration::from_nanos(1)),
        ] {
            let rate = Rate::new(limit);
            for now in [Timestamp::ZERO, Timestamp::from_millis(START), Timestamp::MAX] {
                let mut bucket = Bucket::default();
                assert!(bucket.tokens(&rate, now, Duration::MAX) >= 1);
                bucket.take(&rate, now, usize::MAX);
                let _ = bucket.tokens(&rate, now, day);
                assert!(bucket.available_at(&rate, now, usize::MAX) >= now);
            }
        }
    }
}
