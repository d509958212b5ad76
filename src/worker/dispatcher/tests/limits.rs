//! Limits in the model: token buckets counted from the instants at which jobs began.

use {
    super::*,
    crate::worker::{RateLimit, backlog::GroupLimitsConfig, rate_limit::Rate},
};

const AHEAD: Duration = Duration::from_secs(1);

pub(super) fn rate((seconds, burst): (u32, u32)) -> Rate {
    Rate::new(RateLimit::new(1, Duration::from_secs(seconds.into())).burst(burst))
}

pub(super) fn receive_ahead(setup: &Setup) -> Duration {
    if setup.limits.receive_ahead {
        AHEAD
    } else {
        Duration::ZERO
    }
}

pub(super) fn timed(setup: &Setup) -> bool {
    let window = setup.batch.is_some_and(|batch| !batch.window.is_zero());
    window || setup.limits.rate.is_some() || setup.limits.group_rate.is_some()
}

pub(super) fn of_groups(setup: &Setup) -> Option<GroupLimitsConfig> {
    let limits = &setup.limits;
    let some = limits.group_rate.is_some() || limits.group_concurrency.is_some();
    some.then(|| GroupLimitsConfig {
        rate: limits.group_rate.map(rate),
        concurrency: limits.group_concurrency.unwrap_or(usize::MAX),
        max_held: limits.max_held,
        max_put_off_by_rate: Duration::from_secs(900),
        max_put_off_by_concurrency: Duration::from_secs(5),
    })
}

/// The tokens left at this instant by a bucket whose tokens were taken at those, in their order.
fn tokens_left((seconds, burst): (u32, u32), taken: impl Iterator<Item = Timestamp>, now: Timestamp) -> u64 {
    let token = u64::from(seconds) * 1_000;
    let full = token * u64::from(burst);
    let (mut level, mut last) = (full, Timestamp::ZERO);
    let mut pass = |level: u64, at: Timestamp| {
        let passed = at.saturating_duration_since(mem::replace(&mut last, at)).as_millis();
        level.saturating_add(u64::try_from(passed).unwrap()).min(full)
    };
    for at in taken {
        level = pass(level, at)
            .checked_sub(token)
            .expect("no job begins without its token");
    }
    pass(level, now) / token
}

impl Model {
    fn tokens_at(&self, now: Timestamp) -> usize {
        let begun = self.begun.iter().map(|(at, _)| *at);
        let tokens = self.setup.limits.rate.map(|rate| tokens_left(rate, begun, now));
        tokens.map_or(usize::MAX, |tokens| usize::try_from(tokens).unwrap())
    }

    /// How many jobs of a group may begin by its limits.
    fn allowed(&self, group: &str, now: Timestamp) -> usize {
        let begun = self.begun.iter().filter(|(_, it)| it == group).map(|(at, _)| *at);
        let tokens = self.setup.limits.group_rate.map(|rate| tokens_left(rate, begun, now));
        let tokens = tokens.map_or(usize::MAX, |tokens| usize::try_from(tokens).unwrap());
        let busy = self.in_group(group, |place| matches!(place, Place::InProgress(_)));
        let concurrency = match (self.setup.fifo, self.setup.limits.group_concurrency) {
            (true, _) if busy > 0 => 0,
            (true, _) => self.dispatcher.config.batch_size,
            (false, limit) => limit.unwrap_or(usize::MAX).saturating_sub(busy),
        };
        tokens.min(concurrency)
    }

    fn in_group(&self, group: &str, which: impl Fn(&Place) -> bool) -> usize {
        let own = |it: &&(Job, Place)| it.0.message_group_id() == Some(group) && which(&it.1);
        self.jobs.iter().filter(own).count()
    }

    fn groups(&self) -> BTreeSet<&str> {
        self.jobs.iter().filter_map(|it| it.0.message_group_id()).collect()
    }

    /// The limits hold for what has just begun.
    pub(super) fn check_limits(&mut self, item: &WorkItem) {
        for job in item.jobs() {
            let group = job.message_group_id().unwrap().to_owned();
            self.begun.push((self.now, group));
        }
        let _ = self.tokens_at(self.now);
        if of_groups(&self.setup).is_none() {
            return;
        }
        for group in self.groups() {
            let _ = self.allowed(group, self.now);
            let busy = self.in_group(group, |place| matches!(place, Place::InProgress(_)));
            let limit = self.setup.limits.group_concurrency.filter(|_| !self.setup.fifo);
            assert!(
                limit.is_none_or(|limit| busy <= limit),
                "{busy} of {group} are in progress"
            );
        }
    }

    /// The jobs that may begin at an instant but for the number of workers and the window of a batch.
    fn jobs_at(&self, now: Timestamp) -> usize {
        let groups = self.groups().into_iter();
        groups
            .map(|group| {
                self.in_group(group, |place| *place == Place::Backlog)
                    .min(self.allowed(group, now))
            })
            .sum()
    }

    pub(super) fn startable_jobs(&self) -> usize {
        self.jobs_at(self.now)
    }

    /// How many work items may begin now, by the rules.
    pub(super) fn startable(&self) -> usize {
        self.startable_at(self.now)
    }

    fn startable_at(&self, now: Timestamp) -> usize {
        let working = self.count_of(|it| matches!(it, Driver::Working(_)));
        let idle = self.setup.concurrency.saturating_sub(working);
        let jobs = self.jobs_at(now);
        if self.paused || self.stopped || jobs == 0 {
            return 0;
        }
        let Some(batch) = self.setup.batch else {
            return jobs.min(self.tokens_at(now)).min(idle);
        };
        // Which of several groups is the first is the backlog's to say.
        let ready = self.jobs.iter().filter(|(job, place)| {
            let group = job.message_group_id().unwrap();
            *place == Place::Backlog && self.allowed(group, now) > 0
        });
        let waited = |it: &(Job, Place)| now.saturating_duration_since(it.0.received_at()) >= batch.window;
        let whole = jobs >= batch.size || ready.map(waited).min() == Some(true);
        if !whole || self.tokens_at(now) < jobs.min(batch.size) {
            return 0;
        }
        let items = if self.setup.fifo { 1 } else { jobs.div_ceil(batch.size) };
        items.min(self.tokens_at(now) / jobs.min(batch.size)).min(idle)
    }

    /// How many messages may be received for the tokens that there are.
    pub(super) fn tokens_for_receives(&self) -> usize {
        if self.setup.limits.rate.is_none() {
            return usize::MAX;
        }
        let requested = self.drivers.values().map(|it| match it.0 {
            Driver::Receiving(receive, ..) => receive.max_messages(),
            _ => 0,
        });
        let size = self.dispatcher.config.batch_size;
        let ahead = self.now.saturating_add(receive_ahead(&self.setup));
        (self.tokens_at(ahead) / size * size).saturating_sub(requested.sum::<usize>() + self.startable_jobs())
    }

    pub(super) fn check_receive(&self, receive: &ReceiveTask) {
        // Ahead of their tokens more may come, as those of now are taken.
        if self.setup.limits.rate.is_some() && !self.setup.limits.receive_ahead {
            assert!(
                receive.max_messages() <= self.tokens_for_receives(),
                "more than may begin"
            );
        }
        if !timed(&self.setup) {
            return;
        }
        let end = self
            .now
            .saturating_add(receive.wait_time().saturating_sub(Duration::from_millis(1)));
        assert!(
            self.startable_at(end) <= self.startable(),
            "the poll goes on when a job may begin"
        );
    }

    /// What is put off is held back by limits, and no more of it than has to be.
    pub(super) fn check_put_off(&mut self, put_off: &[PutOff]) {
        let mut count = 0;
        for PutOff { jobs, until } in put_off {
            assert!(*until > self.now && (self.setup.fifo || jobs.len() == 1));
            for job in jobs {
                let (at, group) = (self.place_of(job), job.message_group_id().unwrap());
                assert_eq!((self.jobs[at].1, self.allowed(group, self.now)), (Place::Backlog, 0));
                count += 1;
            }
        }
        let before = self.held();
        for job in put_off.iter().flat_map(|it| &it.jobs) {
            let at = self.place_of(job);
            self.jobs[at].1 = Place::Leaving;
        }
        let max = self.setup.limits.max_held;
        assert!(count > 0 && before > max && (self.setup.fifo || before - count >= max));
    }

    /// The jobs that limits hold back.
    fn held(&self) -> usize {
        let held = self.groups().into_iter().filter(|group| {
            let busy = self.setup.fifo && self.in_group(group, |place| matches!(place, Place::InProgress(_))) > 0;
            !busy && self.allowed(group, self.now) == 0
        });
        held.map(|group| self.in_group(group, |place| *place == Place::Backlog))
            .sum()
    }

    /// If time alone lets a job begin, somebody asks by then.
    pub(super) fn check_timer(&self, up: usize, asleep: bool) {
        if !timed(&self.setup) || up > 0 || !asleep || self.startable() > 0 {
            return;
        }
        let asks_by = |at: Timestamp| {
            self.count_of(|it| match it {
                Driver::Parked(Some(end)) | Driver::Receiving(_, _, end) => *end <= at,
                _ => false,
            })
        };
        // Instants at which a token or the end of a window may come.
        let soon = (1..8).map(|seconds| self.now.saturating_add(Duration::from_secs(seconds)));
        for at in soon {
            assert!(
                self.startable_at(at) == 0 || asks_by(at) > 0,
                "nobody asks when a job may begin"
            );
        }
    }

    /// Nobody is up: limits hold back no more than they may.
    pub(super) fn check_held(&self) {
        let parked = self.count_of(|it| matches!(it, Driver::Parked(_))) > 0;
        if of_groups(&self.setup).is_some() && !self.paused && !self.stopped && parked {
            assert!(
                self.held() <= self.setup.limits.max_held,
                "{} are held back",
                self.held()
            );
        }
    }
}
