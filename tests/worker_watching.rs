//! Metrics and traces of a runner.

#[path = "worker_watching/numbers.rs"]
mod numbers;
#[path = "worker_watching/traces.rs"]
mod traces;
