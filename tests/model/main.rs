//! The library against a slow and obvious queue that was written from the rules alone.
//!
//! A verb has a straight way for the common case and general code for what is special: a listener, a budget, a receiver
//! that waits and so on. Each run of the full number of cases fails if a way that its queues can take was not reached
//! (`ways.rs`); `REQUEUE_MODEL_WAYS=1` prints how often each was.
//!
//! `cargo test --test model` takes seconds; `REQUEUE_MODEL_CASES=10000 cargo test --release --test model` is the long run.

mod batches;
#[cfg(feature = "testing")]
#[path = "../common/mod.rs"]
mod common;
mod compare;
mod counting;
#[cfg(feature = "journal")]
#[path = "../common/directory.rs"]
mod directory;
#[cfg(feature = "testing")]
mod faults;
mod listening;
mod properties;
mod receiving;
mod reference;
#[cfg(feature = "journal")]
mod reopening;
mod scenarios;
mod scenarios_fifo;
mod shapes;
mod steps;
mod stories;
mod translate;
mod ways;
