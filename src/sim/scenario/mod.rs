//! Scenarios: which queues there are, what is sent to them, who works on it, and what goes wrong.

mod build;
mod error;
mod fleet;
mod producer;
mod queue;
mod seconds;
mod service_time;
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
    std::{collections::BTreeMap, time::Duration},
};

/// Queues, what is sent to them, who works on it, what goes wrong, and for how long.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Scenario {
    /// A name for reports.
    pub name: String,
    /// How much virtual time passes, warm-up included.
    #[serde(with = "seconds")]
    pub horizon: Duration,
    /// How much of it is not measured.
    #[serde(with = "seconds")]
    pub warm_up: Duration,
    /// The seed of everything drawn by chance.
    pub seed: u64,
    /// How many independent runs are made.
    pub replications: u32,
    /// How many points each time series has.
    pub points: usize,
    /// With more messages than this in its queues together, a run ends as unstable.
    pub message_limit: usize,
    /// What API calls cost.
    pub prices: Prices,
    /// The queues by name; a name that ends in `.fifo` is that of a FIFO queue.
    pub queue: BTreeMap<String, QueueConfig>,
    /// Who sends, by name.
    pub producer: BTreeMap<String, Producer>,
    /// Who works, by name.
    pub fleet: BTreeMap<String, Fleet>,
    /// Which numbers are varied, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sweep: Option<Sweep>,
}

/// What a million requests cost, in dollars. A request of more than 64 KiB counts as several.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Prices {
    /// On standard queues; 0.40 by default.
    pub standard: f64,
    /// On FIFO queues; 0.50 by default.
    pub fifo: f64,
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
