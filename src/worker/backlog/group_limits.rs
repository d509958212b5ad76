//! The state of the limits per message group.

use {
    crate::{
        time::{TICK, Timestamp},
        worker::rate_limit::{Bucket, Rate},
    },
    std::{
        collections::{BTreeMap, BTreeSet},
        sync::Arc,
        time::Duration,
    },
};

/// The most cells out of date that one step drops: many more than the one that a step may add, and still a bounded time.
const SWEPT: usize = 512;

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

/// Invariants: there is a cell for each group whose bucket is not full, or to which messages put off will return; `ends`
/// has each cell once, by its `ends_at`.
#[derive(Debug)]
pub(super) struct GroupLimits {
    pub(super) config: GroupLimitsConfig,
    cells: BTreeMap<Arc<str>, Cell>,
    ends: BTreeSet<(Timestamp, Arc<str>)>,
}

#[derive(Debug, Default)]
struct Cell {
    bucket: Bucket,
    /// When the last of the messages put off returns, in nanoseconds.
    last_return: u128,
    /// When it is out of date: its bucket is full, and no message put off is to return.
    ends_at: Timestamp,
}

impl GroupLimits {
    pub(super) const fn new(config: GroupLimitsConfig) -> Self {
        Self {
            config,
            cells: BTreeMap::new(),
            ends: BTreeSet::new(),
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
            self.change(group, |cell| cell.bucket.take(&rate, now, count));
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
        let latest = nanos(now.saturating_add(longest));
        let at = self.change(group, |cell| {
            let after_others = cell
                .last_return
                .saturating_add(spacing.unwrap_or(rate_spacing).as_nanos());
            cell.last_return = turn.max(after_others).min(latest);
            timestamp(cell.last_return)
        });
        self.sweep(now);
        at
    }

    /// Changes the cell of a group, and when it is out of date.
    fn change<T>(&mut self, group: &Arc<str>, change: impl FnOnce(&mut Cell) -> T) -> T {
        let cell = self.cells.entry(Arc::clone(group)).or_default();
        let changed = change(cell);
        let full_at = self
            .config
            .rate
            .map_or(Timestamp::ZERO, |rate| cell.bucket.full_at(&rate));
        let ends_at = full_at.max(timestamp(cell.last_return));
        self.ends.remove(&(cell.ends_at, Arc::clone(group)));
        self.ends.insert((ends_at, Arc::clone(group)));
        cell.ends_at = ends_at;
        changed
    }

    /// Drops some of the cells that are out of date.
    pub(super) fn sweep(&mut self, now: Timestamp) {
        for _ in 0..SWEPT {
            let Some((_, group)) = self.ends.first().filter(|(ends_at, _)| *ends_at <= now) else {
                return;
            };
            self.cells.remove(group);
            self.ends.pop_first();
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
            for _ in 0..=most / SWEPT {
                limits.sweep(at(2_000_000));
            }
            assert!(limits.cells.is_empty() && limits.ends.is_empty());
        }
    }

    #[test]
    fn a_burst_of_groups_is_forgotten_by_a_few_steps_once_their_buckets_are_full() {
        let mut limits = limits(Some(RateLimit::per_second(1)));
        let take = |limits: &mut GroupLimits, number: u64, now| {
            let group = Arc::from(number.to_string());
            limits.take_tokens(&group, now, 1);
        };
        (0..100_000).for_each(|number| take(&mut limits, number, at(0)));
        assert_eq!((limits.cells.len(), limits.ends.len()), (100_000, 100_000));
        (0..200).for_each(|number| take(&mut limits, number, at(86_400_000)));
        assert_eq!((limits.cells.len(), limits.ends.len()), (200, 200));
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
