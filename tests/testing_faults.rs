//! Every fault strikes as it says it does, is legal by the reference model, and is the same for the same seed.

use requeue::testing::model;

#[path = "testing_faults/batches.rs"]
mod batches;
#[path = "common/mod.rs"]
mod common;
#[allow(dead_code, reason = "a part of the comparison serves here")]
#[path = "model/compare.rs"]
mod compare;
#[path = "testing_faults/consumers.rs"]
mod consumers;
#[path = "testing_faults/fifo.rs"]
mod fifo;
#[path = "testing_faults/legality.rs"]
mod legality;
#[path = "testing_faults/queue.rs"]
mod queue;
#[path = "testing_faults/rules.rs"]
mod rules;
#[path = "testing_faults/runner.rs"]
mod runner;
#[path = "testing_faults/service.rs"]
mod service;
#[allow(dead_code, reason = "a part of the shapes serves here")]
#[path = "model/shapes.rs"]
mod shapes;
#[path = "model/steps.rs"]
mod steps;
#[path = "model/translate.rs"]
mod translate;
