//! The checks of a scenario, the same whether it comes from a file or a builder.

mod at;
mod faults;
mod fleet;
mod producer;
mod queue;

use {
    super::{
        Bound, Scenario, ScenarioError, Sweep,
        error::near,
        grid::{Point, points},
    },
    crate::{clock::ManualClock, sim::report::metric},
    at::{At, MAX_COUNT, Span},
};

const MAX_REPLICATIONS: usize = 10_000;
const MAX_POINTS: usize = 10_000;

impl Scenario {
    /// Whether it can be run; every run asks first.
    ///
    /// # Errors
    /// The first setting that is wrong, by its path, with its value and the limit.
    ///
    /// # Examples
    /// ```
    /// # use requeue::sim::{Fleet, QueueConfig, Scenario, ServiceTime};
    /// # use std::time::Duration;
    /// let workers = Fleet::new("jobs", ServiceTime::constant(Duration::ZERO));
    /// let scenario = Scenario::new("test").queue("jobs", QueueConfig::new()).fleet("workers", workers);
    /// assert_eq!(scenario.check().unwrap_err().path(), "fleet.workers.service.constant.time");
    /// ```
    pub fn check(&self) -> Result<(), ScenarioError> {
        match self.sweep {
            Some(_) => self.checked_points().map(drop),
            None => self.check_alone(),
        }
    }

    /// The points of its sweep, each of them checked; without a sweep the scenario itself.
    pub(in crate::sim) fn checked_points(&self) -> Result<Vec<Point>, ScenarioError> {
        self.check_alone()?;
        if let Some(sweep) = &self.sweep {
            self.check_sweep(sweep)?;
        }
        points(self)
    }

    fn check_sweep(&self, sweep: &Sweep) -> Result<(), ScenarioError> {
        let at = At::ROOT.to("sweep");
        if sweep.vary.is_empty() {
            return Err(at
                .to("vary")
                .fail("nothing is varied, there has to be at least 1 number"));
        }
        if let Some(goal) = &sweep.goal {
            let at = at.to("goal");
            if let Err(known) = metric::check(self, &goal.metric) {
                let known: Vec<_> = known.iter().map(String::as_str).collect();
                let nearest = |it| format!("the nearest known one is {it:?}");
                let instead = near(&goal.metric, &known).map_or_else(metric::listed, nearest);
                let problem = format!("there is no metric {:?}, {instead}", goal.metric);
                return Err(at.to("metric").fail(problem));
            }
            let (bound, limit) = match goal.bound {
                Bound::AtMost(limit) => ("at_most", limit),
                Bound::AtLeast(limit) => ("at_least", limit),
            };
            at.to(bound).finite(limit)?;
        }
        Ok(())
    }

    /// Everything but its sweep.
    fn check_alone(&self) -> Result<(), ScenarioError> {
        self.check_run()?;
        let at = At::ROOT.to("prices");
        at.to("standard").not_negative(self.prices.standard)?;
        at.to("fifo").not_negative(self.prices.fifo)?;
        if self.queue.is_empty() {
            return Err(At::ROOT
                .to("queue")
                .fail("there is no queue, there has to be at least 1"));
        }
        if self.producer.is_empty() && self.fleet.is_empty() {
            return Err(At::ROOT.fail("there is neither a producer nor a fleet, there has to be at least 1"));
        }
        queue::check(self)?;
        let queues = self.build_queues(|_, builder| builder.clock(ManualClock::default()))?;
        for (name, producer) in &self.producer {
            let at = At::ROOT.to("producer");
            check_name(&at, name)?;
            producer::check(&at.to(name), producer, self)?;
        }
        for (name, fleet) in &self.fleet {
            let at = At::ROOT.to("fleet");
            check_name(&at, name)?;
            fleet::check(&at.to(name), fleet, queues.get(&fleet.queue), self)?;
        }
        Ok(())
    }

    fn check_run(&self) -> Result<(), ScenarioError> {
        let root = At::ROOT;
        root.to("horizon").span_above_zero(self.horizon)?;
        if self.warm_up >= self.horizon {
            let horizon = Span(self.horizon);
            let limit = format!("less than the horizon, {horizon}");
            return Err(root.to("warm_up").refuse(Span(self.warm_up), limit));
        }
        root.to("replications")
            .count(self.replications as usize, 1..=MAX_REPLICATIONS)?;
        root.to("points").count(self.points, 1..=MAX_POINTS)?;
        root.to("message_limit").count(self.message_limit, 1..=MAX_COUNT)
    }
}

fn check_name(at: &At<'_>, name: &str) -> Result<(), ScenarioError> {
    if name.is_empty() || name.chars().any(char::is_control) {
        return Err(at.fail(format!("the name {name:?} is empty or has control characters")));
    }
    Ok(())
}
