//! Tools for tests of code that uses a queue: checks of consumers, faults, assertions. Feature `testing`.
//!
//! ```
//! use requeue::{Queue, testing::{Consumer, check, proptest::strategy::Just}};
//!
//! let result = check("charges", Vec::<String>::new)
//!     .queue(|| Queue::standard("orders"))
//!     .messages(Just("order-1"))
//!     .consumer("charger", |ledger| {
//!         let ledger = ledger.clone();
//!         Consumer::each(move |message, _| {
//!             ledger.borrow_mut().push(message.body().to_owned());
//!             Ok::<_, String>(())
//!         })
//!     })
//!     .messages_at_most(1)
//!     .always("an order is charged once", |ledger| ledger.len() <= 1)
//!     .run();
//! assert!(result.is_err()); // a standard queue may deliver a message twice
//! ```
//!
//! [`check`](check()) runs a consumer against the real queue, in one thread and virtual time, with the faults that SQS
//! allows, and reports the shortest case that fails. [`FaultyQueue`] adds the same faults to any queue under a
//! [`ManualClock`](crate::ManualClock) without a check, and [`FaultyService`] to the queues of a service.
//! [`assertions`] check the facts of a queue, and [`strategies`] generate input with `proptest`.
//!
//! The guide is [Testing consumers](crate::guide::consumers).

pub mod assertions;
mod calls;
mod case;
mod check;
#[cfg(feature = "worker")]
pub mod conformance;
mod consumer;
mod fate;
mod faults;
mod faulty;
#[cfg(feature = "worker")]
mod faulty_backend;
mod faulty_service;
mod inputs;
mod late;
mod ledger;
mod log;
mod net;
#[cfg(feature = "testing-tokio")]
mod on_tokio;
mod properties;
mod quiet;
mod schedule;
#[cfg(feature = "aws-sdk")]
mod sdk;
mod setup;
mod shrink;
mod source;
mod story;
pub mod strategies;
mod violation;
mod watchdog;
mod wire;
mod world;

pub use proptest;
pub use {
    check::{CaseFailure, Check, CheckError, Passed, check},
    consumer::{Consumer, Context, Wait},
    faults::{Fault, FaultError, Faults},
    faulty::FaultyQueue,
    faulty_service::FaultyService,
    ledger::{Fate, Fates, FinalMessage, Property, Violation},
    schedule::{CaseSchedule, ScheduleError},
    story::{Event, EventKind, Place, Story},
    wire::CallError,
    world::World,
};
