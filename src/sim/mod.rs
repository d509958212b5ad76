//! The queue lab: load and workers simulated in virtual time on the real queue. Feature `sim`.

mod draw;
mod engine;
mod measure;
mod report;
mod run;
mod scenario;

pub use report::{
    CallsReport, Estimate, FleetReport, FleetSeriesReport, GroupReport, LittleReport, QueueReport, QueueSeriesReport,
    Report, SaveError, SeriesReport, TimeReport, UnknownMetric, Unstable,
};
pub use scenario::{
    Arrivals, Autoscaling, Bound, BudgetConfig, Crashes, DeadLetter, Deploy, DeployKind, FailurePolicy, Fleet, Goal,
    Groups, Outage, OutageEffect, Prices, Producer, QueueConfig, ScalingRule, Scenario, ScenarioError, ServiceTime,
    Slow, Sweep, TraceEntry, Values,
};
