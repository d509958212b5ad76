//! The library against a slow and obvious queue that was written from the rules alone.
//!
//! `cargo test --test model` takes seconds; `REQUEUE_MODEL_CASES=10000 cargo test --release --test model` is the long run.

mod batches;
#[cfg(feature = "testing")]
#[path = "../common/mod.rs"]
mod common;
mod compare;
mod counting;
#[cfg(feature = "testing")]
mod faults;
mod listening;
mod properties;
mod receiving;
mod reference;
mod scenarios;
mod scenarios_fifo;
mod shapes;
mod steps;
mod stories;
mod translate;
mod ways;
