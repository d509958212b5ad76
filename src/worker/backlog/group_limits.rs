//! What the limits per message group remember of groups, whether they have jobs in the backlog or not.

use {
    crate::{
        time::{TICK, Timestamp},
        worker::rate_limit::{Bucket, Rate},
    },
    std::{
        collections::BTreeMap,
        ops::Bound::{Excluded, Unbounded},
        sync::Arc,
        time::Duration,
    },
};

/// How many cells one step looks at, to drop those that are out of date: more than the one that a step may add.
const SWEPT: usize = 2;

/// The group of messages without a group id, to which no limit applies.
pub(super) const NO_GROUP: &str = "";

/// The limits on the jobs of each message group.
#[derive(Clone, Copy, Debug)]
pub(in crate::worker) struct GroupLimitsConfig {
    pub(in crate::worker) rate: Option<Rate>,
    /// The most jobs of a group in progress.
    pub(in crate::worker) concurrency: usize,
    /// The most jobs that the limits hold back in the backlog.
    pub(in crate::worker) max_held: usize,
    /// The longest time that a message is put off by the rate, which says when its turn comes.
    pub(in crate::worker) max_put_off_by_rate: Duration,
    /// The longest time that a message is put off by the jobs in progress, whose ends are estimated.
    pub(in crate::worker) max_put_off_by_concurrency: Duration,
}

/// Invariant: there is a cell for each group whose bucket is not full, or to which messages put off will return.
#[derive(Debug)]
pub(super) struct GroupLimits {
    pub(super) config: GroupLimitsConfig,
    cells: BTreeMap<Arc<str>, Cell>,
    /// The last cell that was looked at.
    swept: Option<Arc<str>>,
}

#[derive(Debug, Default)]
struct Cell {
    bucket: Bucket,
    /// When the last of the messages put off returns, in nanoseconds.
    last_return: u128,
}

impl GroupLimits {
    pub(super) const fn new(config: GroupLimitsConfig) -> Self {
        Self {
            config,
            cells: BTreeMap::new(),
            swept: None,
        }
    }

    /// How many jobs of a group may begin by its rate.
    pub(super) fn tokens(&self, group: &str, now: Timestamp) -> usize {
        match &self.config.rate {
            Some(rate) if group != NO_GROUP => self.bucket(group).tokens(rate, now, Duration::ZERO),
            _ => usize::MAX,
        }
    }

    /// When this many jobs of a group will have begun, by its rate.
    pub(super) fn available_at(&self, group: &str, now: Timestamp, count: usize) -> Timestamp {
        let rate = self.config.rate.as_ref();
        rate.map_or(now, |rate| self.bucket(group).available_at(rate, now, count))
    }

    /// How many jobs of a group may be in progress.
    pub(super) fn concurrency(&self, group: &str) -> usize {
        if group == NO_GROUP {
            usize::MAX
        } else {
            self.config.concurrency
        }
    }

    pub(super) fn take_tokens(&mut self, group: &Arc<str>, now: Timestamp, count: usize) {
        if let (Some(rate), true) = (self.config.rate, **group != *NO_GROUP) {
            let cell = self.cells.entry(Arc::clone(group)).or_default();
            cell.bucket.take(&rate, now, count);
            self.sweep(now);
        }
    }

    /// When a message of a group is to return, which has so many jobs before it in the backlog; `spacing` estimates the
    /// time between two of them where the concurrency limits them.
    ///
    /// Messages put off return one after the other, so that each is put off about once.
    pub(super) fn return_at(
        &mut self,
        group: &Arc<str>,
        before: usize,
        spacing: Option<Duration>,
        now: Timestamp,
    ) -> Timestamp {
        let by_rate = self.available_at(group, now, before + 1);
        let rate_spacing = self
            .available_at(group, now, before + 2)
            .saturating_duration_since(by_rate);
        let by_concurrency = spacing.map_or(0, |it| it.as_nanos().saturating_mul(before as u128 + 1));
        let longest = match spacing {
            None => self.config.max_put_off_by_rate,
            Some(_) => self.config.max_put_off_by_concurrency,
        };
        let soonest = nanos(now.saturating_add(TICK));
        let turn = nanos(by_rate)
            .max(nanos(now).saturating_add(by_concurrency))
            .max(soonest);
        let cell = self.cells.entry(Arc::clone(group)).or_default();
        let after_others = cell
            .last_return
            .saturating_add(spacing.unwrap_or(rate_spacing).as_nanos());
        let latest = nanos(now.saturating_add(longest));
        cell.last_return = turn.max(after_others).min(latest);
        let at = timestamp(cell.last_return);
        self.sweep(now);
        at
    }

    /// Drops what is out of date among a few cells.
    pub(super) fn sweep(&mut self, now: Timestamp) {
        for _ in 0..SWEPT {
            let after = self.swept.take();
            let start = after.as_deref().map_or(Unbounded, Excluded);
            let next = self.cells.range::<str, _>((start, Unbounded)).next();
            // After the last cell comes the first.
            let Some((group, cell)) = next else { return };
            let full = self.config.rate.is_none_or(|rate| cell.bucket.is_full(&rate, now));
            let group = Arc::clone(group);
            if full && cell.last_return <= nanos(now) {
                self.cells.remove(&group);
            }
            self.swept = Some(group);
        }
    }

    fn bucket(&self, group: &str) -> Bucket {
        self.cells.get(group).map_or_else(Bucket::default, |cell| cell.bucket)
    }
}

fn nanos(at: Timestamp) -> u128 {
    Duration::from_millis(at.as_millis()).as_nanos()
}

/// The first millisecond that is not before this instant.
fn timestamp(nanos: u128) -> Timestamp {
    Timestamp::from_millis(u64::try_from(nanos.div_ceil(1_000_000)).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use {super::*, crate::worker::RateLimit};

    fn limits(rate: Option<RateLimit>) -> GroupLimits {
        GroupLimits::new(GroupLimitsConfig {
            rate: rate.map(Rate::new),
            concurrency: 1,
            max_held: 10,
            max_put_off_by_rate: Duration::from_secs(900),
            max_put_off_by_concurrency: Duration::from_secs(5),
        })
    }

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000 + millis)
    }

    #[test]
    fn a_million_groups_that_pass_through_leave_no_more_than_those_of_the_last_seconds() {
        // In the order of their ids and in no order.
        for (count, scatter) in [(100_000_u64, 1), (1_000_000, 0x9e37_79b9)] {
            let mut limits = limits(Some(RateLimit::per_second(1)));
            let mut most = 0;
            for number in 0..count {
                let group = Arc::from(format!("{:010}", number.wrapping_mul(scatter) % 10_000_000_000));
                assert_eq!(limits.tokens(&group, at(number)), 1);
                limits.take_tokens(&group, at(number), 1);
                assert_eq!(limits.tokens(&group, at(number)), 0);
                most = most.max(limits.cells.len());
            }
            assert!(most <= 3_000, "a thousand are limited at a time, and {most} were kept");
            for _ in 0..=most {
                limits.sweep(at(2_000_000));
            }
            assert!(limits.cells.is_empty());
        }
    }

    #[test]
    fn messages_put_off_return_one_after_the_other_and_no_later_than_they_may() {
        let mut by_rate = limits(Some(RateLimit::new(1, Duration::from_secs(400))));
        let group = Arc::from("a");
        by_rate.take_tokens(&group, at(0), 1);
        let mut returns = |now| by_rate.return_at(&group, 0, None, at(now));
        assert_eq!([(); 3].map(|()| returns(0)), [at(400_000), at(800_000), at(900_000)]);
        assert_eq!(returns(850_000), at(1_300_000), "behind those that are to return");
        let mut by_concurrency = limits(None);
        let mut returns = |before| by_concurrency.return_at(&group, before, Some(Duration::from_micros(400)), at(0));
        assert_eq!([returns(4), returns(4), returns(4)], [at(2), at(3), at(3)]);
        let last = (0..20_000).map(|_| returns(4)).last();
        assert_eq!(last, Some(at(5_000)));
    }
}
