//! The reference model: queues written from the rules alone, as plain vectors and loops, slow and obvious.
//!
//! A [`World`] is some queues under one clock. The model test gives random steps to this world and to the library and
//! asks for the same answers. It shares no code with the queue that it is a model of, and its values are plain: queues
//! are numbers, instants and spans are milliseconds, a message is the number of its send.
//!
//! What it models: `SendMessage`, `ReceiveMessage`, `DeleteMessage` and `ChangeMessageVisibility` with their batches,
//! `PurgeQueue`, `SetQueueAttributes`, dead letters and move tasks without a rate, on standard, fair and FIFO queues.
//! What it leaves out: message attributes but one, access policies, tags, and waiting: a long poll that would wait is
//! answered with nothing.
//!
//! # Panics
//! A queue's number that the world does not have is a mistake of the test, and its methods panic on it.

mod checks;
mod fair;
mod look;
mod store;
mod types;
mod world;

pub(crate) use checks::content_hash;
pub(crate) use types::{
    ATTRIBUTE, Change, Counts, DeduplicationId, Draft, FIVE_MINUTES, Handle, ModelLimits, Received, Refusal, Request,
    SECOND, Scope, Sent, Setup, Stored, StoredPhase, TWELVE_HOURS,
};
pub(crate) use world::World;
