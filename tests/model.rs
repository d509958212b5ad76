//! The library against a slow and obvious queue that was written from the rules alone.
//!
//! `cargo test --test model` takes seconds; `REQUEUE_MODEL_CASES=10000 cargo test --release --test model` is the long run.

#[path = "model/checks.rs"]
mod checks;
#[path = "model/compare.rs"]
mod compare;
#[path = "model/fair.rs"]
mod fair;
#[path = "model/properties.rs"]
mod properties;
#[path = "model/reference.rs"]
mod reference;
#[path = "model/scenarios.rs"]
mod scenarios;
#[path = "model/scenarios_fifo.rs"]
mod scenarios_fifo;
#[path = "model/steps.rs"]
mod steps;
#[path = "model/store.rs"]
mod store;
#[path = "model/stories.rs"]
mod stories;
#[path = "model/translate.rs"]
mod translate;
#[path = "model/types.rs"]
mod types;
