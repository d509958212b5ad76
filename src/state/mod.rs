//! One queue as a pure state machine.
//!
//! Nothing here reads a clock, takes a lock or draws a random number: `now`, ids and random numbers are arguments, and what
//! must happen elsewhere is written into `Effects` for the caller to carry out. A message is in exactly one phase:
//!
//! ```text
//! send --> Delayed --> Visible <--> InFlight --> deleted      (purge and retention end any phase)
//!                         |             |
//!                         +-------------+--> Departing --> held by another queue
//! ```
//!
//! Methods come in four families: *commands* (`send`, `receive`, `delete`, `change_visibility`, `release`, `dead_letter`,
//! `report_failure`, `purge`, `replace_settings`, `end`), *transfers* (`depart_oldest`, `departed`,
//! `departure_refused`, `arrive_*`), *time* (`advance`, `next_deadline`) and *queries* (`counts`, `snapshot`,
//! `has_receivable`, `noisy_groups`). Each command fires what is due before it acts, and an earlier `now` is read as
//! the latest seen. A step fires a bounded number of messages; while more is due, the queue [is
//! behind](QueueState::is_behind), and what a command is about to use is brought up to date by itself.
//!
//! Invariants:
//! 1. A record is in the ordered list of retention, in one list of its phase (none while departing), and in its group.
//! 2. A visible record of a standard queue is what its shard offers; a FIFO group is offered exactly while its
//!    first message is visible (F18). A departing one is passed over (F28), unless a consumer gave it up: then the
//!    group waits, so that none of its messages overtakes another on the way to the dead-letter queue.
//! 3. `delayed`, `in_flight` and `departing` count the records of those phases; the rest is visible.
//!
//! Words that are ours and not SQS's: a *lane* is an ordered list that is cheap while it fills in order; a *tenant* is
//! the messages of one group id on a standard queue; a *reception* is the time between a receive and its end; a
//! *departure* is a message on its way to another queue.

mod deadlines;
mod dedup;
mod discipline;
mod effects;
mod fact;
#[cfg(feature = "journal")]
mod image;
mod index;
mod lane;
mod mix;
mod move_task;
mod queue;
mod receive;
mod recent;
mod record;
mod slab;
mod snapshot;
pub(crate) mod touched;
mod transfer;

#[cfg(test)]
mod tests;

#[cfg(feature = "testing")]
pub(crate) use mix::mix;
pub(crate) use {
    effects::{Departure, Effects},
    move_task::{MoveOutcome, MoveTask, Next},
    queue::{QueueState, Refusal},
    receive::{DEPARTURES_AT_ONCE, Delivery, ReceiveRequest},
    record::Receipt,
};
pub use {
    fact::{Fact, FactEntry},
    move_task::{MoveTaskFailure, MoveTaskStatus},
    queue::{Counts, Sent, StaleDelete},
    snapshot::{MessagePhase, MessageSnapshot, QueueSnapshot},
};
#[cfg(feature = "journal")]
pub(crate) use {
    fact::{Origin, Place},
    image::{
        MessageImage, PhaseImage, QueueHeader, QueueImage, Recorded, RememberedSend, RestoreError, ServiceHeader,
        ServiceImage, TaskImage,
    },
};
