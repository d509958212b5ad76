//! The library against a slow and obvious queue that was written from the rules alone.
//!
//! `cargo test --test model` takes seconds; `REQUEUE_MODEL_CASES=10000 cargo test --release --test model` is the long run.

// The model is public under `testing`. Without that feature its files are compiled here, so that a plain `cargo test`
// compares too; and as they compile outside the crate, they can name nothing of it.
#[cfg(feature = "testing")]
use requeue::testing::model;

#[cfg(feature = "testing")]
#[path = "../common/mod.rs"]
mod common;
mod compare;
#[cfg(feature = "testing")]
mod faults;
#[cfg(not(feature = "testing"))]
#[allow(dead_code, unreachable_pub, reason = "it is written as a public module")]
#[path = "../../src/testing/model/mod.rs"]
mod model;
mod properties;
mod scenarios;
mod scenarios_fifo;
mod shapes;
mod steps;
mod stories;
mod translate;
