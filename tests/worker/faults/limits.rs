//! The limits of one runner, and what must never be seen of jobs that begin under them.

use {
    super::{case::Dice, ledger::Ledger},
    crate::common::{millis, secs},
    requeue::{
        Clock, ManualClock, Timestamp,
        backend::MessageQueue,
        worker::{Job, RateLimit, RunnerBuilder},
    },
    std::{cell::RefCell, collections::BTreeMap, rc::Rc},
};

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Limits {
    rate: Option<RateLimit>,
    group_rate: Option<RateLimit>,
    group_concurrency: Option<usize>,
    group_backlog: Option<usize>,
}

impl Limits {
    /// What is put off by them returns within a minute.
    pub(crate) fn draw(dice: &mut Dice, batch: usize) -> Self {
        let rate = |dice: &mut Dice, burst: u32| {
            let per = [millis(300), secs(1), secs(3)][dice.below(3) as usize];
            RateLimit::new(1, per).burst(burst + dice.below(3) as u32)
        };
        Self {
            rate: dice.once_in(2).then(|| rate(dice, batch as u32)),
            group_rate: dice.once_in(2).then(|| rate(dice, 1)),
            group_concurrency: dice.once_in(2).then(|| 1 + dice.below(2) as usize),
            group_backlog: dice.once_in(2).then(|| dice.below(5) as usize),
        }
    }

    pub(crate) fn set<Q: MessageQueue>(&self, mut builder: RunnerBuilder<Q>) -> RunnerBuilder<Q> {
        if let Some(rate) = self.rate {
            builder = builder.rate_limit(rate);
        }
        if let Some(rate) = self.group_rate {
            builder = builder.group_rate_limit(rate);
        }
        if let Some(jobs) = self.group_concurrency {
            builder = builder.group_concurrency(jobs);
        }
        if let Some(messages) = self.group_backlog {
            builder = builder.group_backlog(messages);
        }
        builder
    }
}

/// Counts what begins in one runner.
#[derive(Clone)]
pub(crate) struct Watch {
    limits: Limits,
    ledger: Ledger,
    clock: ManualClock,
    start: Timestamp,
    begun: Rc<RefCell<BTreeMap<String, u64>>>,
    running: Rc<RefCell<BTreeMap<String, usize>>>,
}

/// Jobs that run; dropping it ends them.
pub(crate) struct Running {
    watch: Watch,
    groups: Vec<String>,
}

impl Watch {
    pub(crate) fn new(limits: Limits, ledger: &Ledger, clock: &ManualClock) -> Self {
        Self {
            limits,
            ledger: ledger.clone(),
            clock: clock.clone(),
            start: clock.now(),
            begun: Rc::default(),
            running: Rc::default(),
        }
    }

    pub(crate) fn begin(&self, jobs: &[Job]) -> Running {
        let group = |job: &Job| job.message_group_id().unwrap_or_default().to_owned();
        let groups: Vec<String> = jobs.iter().map(group).collect();
        for group in &groups {
            *self.begun.borrow_mut().entry(group.clone()).or_default() += 1;
            *self.running.borrow_mut().entry(group.clone()).or_default() += 1;
            let (begun, running) = (self.begun.borrow()[group], self.running.borrow()[group]);
            self.check(begun, self.limits.group_rate, group);
            let limit = self.limits.group_concurrency.filter(|_| !self.ledger.is_fifo());
            if limit.is_some_and(|limit| running > limit) {
                self.ledger.breach(format!("{running} of {group} run at a time"));
            }
        }
        let begun = self.begun.borrow().values().sum();
        self.check(begun, self.limits.rate, "all groups");
        Running {
            watch: self.clone(),
            groups,
        }
    }

    /// No more have begun since the start than a full bucket and the tokens since then allow.
    fn check(&self, begun: u64, rate: Option<RateLimit>, what: &str) {
        let Some(rate) = rate else { return };
        let passed = self.clock.now().saturating_duration_since(self.start);
        let tokens = passed.as_millis() / rate.per.as_millis();
        let allowed = u64::from(rate.burst) + u64::try_from(tokens).unwrap() * u64::from(rate.jobs);
        if begun > allowed {
            self.ledger
                .breach(format!("{begun} of {what} have begun in {passed:?}, under {rate:?}"));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        for group in &self.groups {
            if let Some(running) = self.watch.running.borrow_mut().get_mut(group) {
                *running -= 1;
            }
        }
    }
}
