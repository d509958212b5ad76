//! The queue lab: load and workers simulated in virtual time on the real queue. Feature `sim`.
//!
//! A [`Scenario`] has queues, [`Producer`]s that send to them, [`Fleet`]s of workers, and what goes wrong. It is built in
//! code or read from TOML, with the same names. [`Scenario::run`] lets its virtual time pass and answers with a
//! [`Report`]; [`Scenario::run_sweep`] compares variations of it. No thread sleeps, and the same scenario gives the same
//! report on every machine. [The guide](crate::guide::simulation) explains how to model a queue of your own, and what the
//! numbers mean.
//!
//! ```
//! use requeue::sim::Scenario;
//!
//! // A handler takes 2 s on average and the visibility timeout is 6 s, so one message in twenty is received again
//! // while it is worked on.
//! let scenario = Scenario::from_toml("
//!     horizon = '1 h'
//!     [queue.jobs]
//!     visibility_timeout = 6
//!     [producer.web]
//!     queue = 'jobs'
//!     arrivals.poisson = { rate = 2 }
//!     [fleet.workers]
//!     queue = 'jobs'
//!     workers = 20
//!     heartbeat = false
//!     service.exponential = { mean = 2 }
//! ")?;
//! let report = scenario.run()?;
//! let expected = (-6.0_f64 / 2.0).exp();
//! assert!(report.queues["jobs"].duplicate_share.agrees_with(expected, 0.01));
//! # Ok::<(), requeue::sim::ScenarioError>(())
//! ```

mod draw;
mod engine;
mod measure;
mod report;
mod run;
mod scenario;
mod sizing;
mod sweep;

pub use report::{
    CallsReport, Estimate, FleetReport, FleetSeriesReport, GroupReport, LittleReport, QueueReport, QueueSeriesReport,
    Report, SaveError, SeriesReport, TimeReport, Unstable,
};
pub use run::Progress;
pub use scenario::{
    Arrivals, Autoscaling, Bound, BudgetConfig, Crashes, DeadLetter, Deploy, DeployKind, FailurePolicy, Fleet, Goal,
    Groups, Outage, OutageEffect, Prices, Producer, QueueConfig, ScalingRule, Scenario, ScenarioError, ServiceTime,
    Slow, Sweep, TraceEntry, Values,
};
pub use sizing::{Exactness, NotSized, QueueSizing, Sizing, Station, erlang_c, offered_load, visibility_timeout_for};
pub use sweep::{Answer, SweepPoint, SweepReport};
