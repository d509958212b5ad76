//! Tools for tests of what uses a queue, above all for finding the bug in a consumer: virtual time, seeded faults, and a
//! check that tells the shortest story of a failure. Feature `testing`, with `proptest` behind it.
//!
//! [`check`](check()) runs a consumer against the real queue under an adversarial but legal schedule, in one thread
//! and virtual time, and makes what fails short. [`FaultyQueue`] puts the same faults before any queue under a
//! [`ManualClock`](crate::ManualClock), without a check, and [`FaultyService`] before the queues of a service. Besides there are [`assertions`] over
//! facts, and [`strategies`] of `proptest`.

pub mod assertions;
mod case;
mod check;
#[cfg(feature = "worker")]
pub mod conformance;
mod consumer;
mod faults;
mod faulty;
#[cfg(feature = "worker")]
mod faulty_backend;
mod faulty_service;
mod late;
mod ledger;
mod quiet;
mod schedule;
mod shrink;
mod source;
mod story;
pub mod strategies;
mod wire;

pub use proptest;
pub use {
    case::World,
    check::{CaseFailure, Check, CheckError, Passed, check},
    consumer::{Consumer, Context, Wait},
    faults::{Fault, FaultError, Faults},
    faulty::FaultyQueue,
    faulty_service::FaultyService,
    ledger::{Fate, FinalMessage, Property, Violation},
    schedule::{CaseSchedule, ScheduleError},
    story::{Event, Story},
    wire::CallError,
};
