//! The runner: what becomes of messages, leases and handlers (E17-E23, F18, D19-D30), and how it ends.
//!
//! Time is virtual but for `worker/system_clock.rs`.

mod common;
#[path = "worker/concurrency.rs"]
mod concurrency;
#[path = "worker/driver.rs"]
mod driver;
#[path = "worker/handlers.rs"]
mod handlers;
#[path = "worker/notes.rs"]
mod notes;
#[path = "worker/queues.rs"]
mod queues;
#[path = "worker/scripted.rs"]
mod scripted;
