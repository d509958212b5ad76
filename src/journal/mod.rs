//! Queues that survive the death of their process: a directory with a log of their facts.
//!
//! [`ServiceBuilder::journal`](crate::ServiceBuilder::journal) and [`QueueBuilder::journal`](crate::QueueBuilder::journal)
//! begin with a directory; the [guide](crate::guide::durability) has the promise, the levels of durability and the format.
//!
//! - A queue of its own: [`QueueBuilder::journal`](crate::QueueBuilder::journal).
//! - Several queues, dead-letter queues and move tasks: [`ServiceBuilder::journal`](crate::ServiceBuilder::journal).
//! - What is in a directory that nobody has open: [`inspect`].
//! - The readable rest of a damaged directory: [`salvage`].
//!
//! # Examples
//! ```
//! use requeue::Queue;
//!
//! # let directory = std::env::temp_dir().join(format!("requeue-journal-{}", std::process::id()));
//! let jobs = Queue::standard("jobs").journal(&directory).open()?;
//! jobs.send("resize cat.png")?;
//! drop(jobs); // or the process dies here
//!
//! let jobs = Queue::standard("jobs").journal(&directory).open()?;
//! assert_eq!(jobs.receive().blocking()?[0].body(), "resize cat.png");
//! # jobs.close()?;
//! # std::fs::remove_dir_all(directory)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # How it is built
//! ```text
//! queue, service --> recorder --> codec --> log --> fs
//!                                  |         ^
//!                    open <--------+         |
//!                    compact ----------------+
//! ```
//!
//! The log knows no queue: it keeps records of bytes, in order and in segments. The codec turns facts and images of the
//! state into bytes and back. The recorder is what queues and services write to. Opening reads the log into an image and
//! builds the service from it; compaction records what lives in the oldest segment again, and removes the segment.

mod builder;
mod close;
mod codec;
mod compact;
mod durability;
mod error;
mod fs;
mod inspect;
mod lock;
mod log;
mod open;
mod reading;
mod recorder;
mod salvage;
#[cfg(test)]
mod sim_fs;
#[cfg(test)]
mod tests;

pub use {
    builder::{JournalBuilder, OpenProgress},
    durability::Durability,
    error::JournalError,
    inspect::{InspectedQueue, InspectedSegment, Inspection, inspect},
    salvage::{Salvaged, salvage},
};
