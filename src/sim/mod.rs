//! The queue lab: load and workers simulated in virtual time on the real queue. Feature `sim`.

mod draw;
mod measure;
mod scenario;

pub use scenario::{
    Arrivals, Autoscaling, Bound, BudgetConfig, Crashes, DeadLetter, Deploy, DeployKind, FailurePolicy, Fleet, Goal,
    Groups, Outage, OutageEffect, Prices, Producer, QueueConfig, ScalingRule, Scenario, ServiceTime, Slow, Sweep,
    TraceEntry, Values,
};
