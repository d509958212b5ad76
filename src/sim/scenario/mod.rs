//! Scenarios: which queues there are, what is sent to them, who works on it, and what goes wrong.

mod build;
mod check;
mod error;
mod files;
mod fleet;
mod grid;
mod producer;
mod queue;
mod read;
mod seconds;
mod service_time;
mod setters;
mod sweep;

pub use {
    error::ScenarioError,
    fleet::{Autoscaling, Crashes, Deploy, DeployKind, FailurePolicy, Fleet, Outage, OutageEffect, ScalingRule, Slow},
    producer::{Arrivals, Groups, Producer, TraceEntry},
    queue::{BudgetConfig, DeadLetter, QueueConfig},
    service_time::ServiceTime,
    sweep::{Bound, Goal, Sweep, Values},
};

use {
    serde::{Deserialize, Serialize},
    setters::setters,
    std::{collections::BTreeMap, sync::Arc, time::Duration},
};

/// Queues, what is sent to them, who works on it, what goes wrong, and for how long.
///
/// A scenario is built by the setters or read from TOML, where everything has the same name. Times are numbers of seconds
/// there, or texts such as `"90 s"` and `"1 h 20 min"`.
///
/// # Examples
/// ```
/// use requeue::sim::{Arrivals, Fleet, Producer, QueueConfig, Scenario, ServiceTime};
/// use std::time::Duration;
///
/// let text = r#"
///     name = "thumbnails"
///     horizon = "1 h"
///     seed = 7
///
///     [queue.jobs]
///     visibility_timeout = 60
///
///     [producer.web]
///     queue = "jobs"
///     arrivals.poisson = { rate = 20 }
///
///     [fleet.workers]
///     queue = "jobs"
///     workers = 8
///     service.exponential = { mean = 0.25 }
/// "#;
/// let scenario = Scenario::new("thumbnails")
///     .horizon(Duration::from_secs(3_600))
///     .seed(7)
///     .queue("jobs", QueueConfig::new().visibility_timeout(Duration::from_secs(60)))
///     .producer("web", Producer::new("jobs", Arrivals::poisson(20.0)))
///     .fleet("workers", Fleet::new("jobs", ServiceTime::exponential(Duration::from_millis(250))).workers(8));
/// scenario.check()?;
/// assert_eq!(Scenario::from_toml(text)?, scenario);
/// # Ok::<(), requeue::sim::ScenarioError>(())
/// ```
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Scenario {
    /// A name for reports; by default `scenario`.
    pub name: String,
    /// How much virtual time passes, warm-up included; more than 0 s, by default 1 h.
    #[serde(with = "seconds")]
    pub horizon: Duration,
    /// How much of it, from its start, is not measured; less than the horizon, by default 0 s.
    #[serde(with = "seconds")]
    pub warm_up: Duration,
    /// The seed of everything drawn by chance; by default 0.
    pub seed: u64,
    /// How many independent runs are made, 1 to 10,000; by default 1. Intervals of confidence over fewer than five are too
    /// wide to use: with two, the factor of Student's t is 12.7.
    pub replications: u32,
    /// How many points each time series has, 1 to 10,000; by default 240.
    pub points: usize,
    /// With more messages than this in its queues together, or with more than 1 KiB of bodies for each message of this
    /// limit, a run ends as unstable; at least 1, by default 250,000 (and 250,000 KiB).
    pub message_limit: usize,
    /// What API calls cost.
    pub prices: Prices,
    /// The queues by name, at least one; a name that ends in `.fifo` is that of a FIFO queue.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub queue: BTreeMap<String, QueueConfig>,
    /// Who sends, by name. There is at least one producer or fleet.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub producer: BTreeMap<String, Producer>,
    /// Who works, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub fleet: BTreeMap<String, Fleet>,
    /// Which numbers are varied, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sweep: Option<Sweep>,
}

impl Scenario {
    /// Without queues, producers and fleets, and otherwise with the default of each setting.
    ///
    /// # Examples
    /// ```
    /// # use requeue::sim::Scenario;
    /// let scenario = Scenario::new("thumbnails").replications(5);
    /// assert_eq!((scenario.name.as_str(), scenario.horizon.as_secs(), scenario.replications), ("thumbnails", 3_600, 5));
    /// ```
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self::default().name(name)
    }

    setters! {
        name: (Into<String>),
        horizon: Duration,
        warm_up: Duration,
        seed: u64,
        replications: u32,
        points: usize,
        message_limit: usize,
        prices: Prices,
        queue + (name = QueueConfig),
        producer + (name = Producer),
        fleet + (name = Fleet),
        sweep: (Some(Sweep)),
    }
}

impl Scenario {
    /// Drops what was measured, to copy and write the rest.
    fn forget_measured(&mut self) {
        for producer in self.producer.values_mut() {
            if let Some(entries) = producer.arrivals.measured() {
                *entries = Arc::new([]);
            }
        }
        for fleet in self.fleet.values_mut() {
            for service in fleet.service_times() {
                if let Some(times) = service.measured() {
                    *times = Arc::new([]);
                }
            }
        }
    }

    /// Takes what was measured from the scenario that this one was made of.
    fn recall_measured(&mut self, from: &Self) {
        for (name, producer) in &mut self.producer {
            let from = from.producer.get(name).map(|it| &it.arrivals);
            if let (Some(entries), Some(Arrivals::Trace { entries: from, .. })) = (producer.arrivals.measured(), from) {
                *entries = Arc::clone(from);
            }
        }
        for (name, fleet) in &mut self.fleet {
            let from = from
                .fleet
                .get(name)
                .map(|it| [Some(&it.service), it.call_latency.as_ref()]);
            for (service, from) in fleet.service_times().zip(from.into_iter().flatten()) {
                if let (Some(times), Some(ServiceTime::Empirical { times: from, .. })) = (service.measured(), from) {
                    *times = Arc::clone(from);
                }
            }
        }
    }
}

/// What a million requests cost, in dollars. A request of more than 64 KiB counts as several.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Prices {
    /// On standard queues, at least 0; by default 0.40.
    pub standard: f64,
    /// On FIFO queues, at least 0; by default 0.50.
    pub fifo: f64,
}

impl Prices {
    /// Those of Amazon SQS in most regions.
    ///
    /// # Examples
    /// ```
    /// # use requeue::sim::Prices;
    /// assert_eq!(Prices::new().fifo(0.0).standard, 0.40);
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    setters! {
        standard: f64,
        fifo: f64,
    }
}

impl Default for Prices {
    fn default() -> Self {
        Self {
            standard: 0.40,
            fifo: 0.50,
        }
    }
}

impl Default for Scenario {
    fn default() -> Self {
        Self {
            name: "scenario".to_owned(),
            horizon: Duration::from_secs(3_600),
            warm_up: Duration::ZERO,
            seed: 0,
            replications: 1,
            points: 240,
            message_limit: 250_000,
            prices: Prices::default(),
            queue: BTreeMap::new(),
            producer: BTreeMap::new(),
            fleet: BTreeMap::new(),
            sweep: None,
        }
    }
}
