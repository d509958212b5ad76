//! The library against a slow and obvious queue that was written from the rules alone.
//!
//! `cargo test --test model` takes seconds; `REQUEUE_MODEL_CASES=10000 cargo test --release --test model` is the long run.

// The model is public under `testing`. Without that feature its files are compiled here, so that a plain `cargo test`
// compares too; and as they compile outside the crate, they can name nothing of it.
#[cfg(feature = "testing")]
use requeue::testing::model;

#[path = "model/compare.rs"]
mod compare;
#[cfg(not(feature = "testing"))]
#[allow(dead_code, unreachable_pub, reason = "it is written as a public module")]
#[path = "../src/testing/model/mod.rs"]
mod model;
#[path = "model/properties.rs"]
mod properties;
#[path = "model/scenarios.rs"]
mod scenarios;
#[path = "model/scenarios_fifo.rs"]
mod scenarios_fifo;
#[path = "model/shapes.rs"]
mod shapes;
#[path = "model/steps.rs"]
mod steps;
#[path = "model/stories.rs"]
mod stories;
#[path = "model/translate.rs"]
mod translate;
