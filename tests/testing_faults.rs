//! Every fault strikes as it says it does.

#[path = "testing_faults/batches.rs"]
mod batches;
#[path = "common/mod.rs"]
mod common;
#[path = "testing_faults/queue.rs"]
mod queue;
#[path = "testing_faults/service.rs"]
mod service;
