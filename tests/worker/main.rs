//! The runner: what becomes of messages, leases and handlers (E17-E23, F18, D19-D30), and how it ends.
//!
//! Time is virtual but for `system_clock.rs`.

mod at_once;
mod batches;
mod broken_clock;
#[path = "../common/mod.rs"]
mod common;
mod concurrency;
#[cfg(feature = "testing")]
mod conformance;
mod crowd;
mod driver;
mod ends;
mod failures;
#[cfg(feature = "testing")]
mod faults;
mod fifo;
mod group_limits;
mod handlers;
#[cfg(feature = "serde")]
mod json;
mod leases;
mod notes;
mod one_call;
mod queue_outages;
mod queue_sets;
mod queues;
mod rates;
mod requests;
mod router;
#[cfg(feature = "schedule")]
mod schedule;
mod scripted;
mod settings;
mod spawned;
#[cfg(all(feature = "aws-sdk", feature = "worker-sqs"))]
mod sqs;
mod state;
mod steering;
mod stop_answers;
mod stopping;
mod stuck;
mod system_clock;
mod threads;
mod watch;
