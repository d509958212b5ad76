//! The queue lab: load and workers simulated in virtual time on the real queue. Feature `sim`.

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
    Report, SaveError, SeriesReport, TimeReport, UnknownMetric, Unstable,
};
pub use run::Progress;
pub use scenario::{
    Arrivals, Autoscaling, Bound, BudgetConfig, Crashes, DeadLetter, Deploy, DeployKind, FailurePolicy, Fleet, Goal,
    Groups, Outage, OutageEffect, Prices, Producer, QueueConfig, ScalingRule, Scenario, ScenarioError, ServiceTime,
    Slow, Sweep, TraceEntry, Values,
};
pub use sizing::{Exactness, NotSized, QueueSizing, Sizing, Station, erlang_c, offered_load, visibility_timeout_for};
pub use sweep::{Answer, SweepPoint, SweepReport};
