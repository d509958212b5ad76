//! Events and counts that a scheduler reports.

use {
    crate::{backend::MessageQueueError, time::Timestamp},
    std::{fmt, sync::Arc, time::Duration},
};

/// Something that somebody may want to know, given to the function that
/// [`on_event`](super::SchedulerBuilder::on_event) sets.
///
/// As text it is a line for a log.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum SchedulerEvent {
    /// Times of a schedule were missed, and are caught up with by its [`CatchUp`](super::CatchUp).
    #[non_exhaustive]
    Missed {
        /// The schedule.
        name: Arc<str>,
        /// The first time that had come.
        first: Timestamp,
        /// The latest time that had come.
        latest: Timestamp,
        /// How many jobs are sent for all of them.
        jobs: usize,
    },
    /// A job could not be sent yet.
    #[non_exhaustive]
    Retry {
        /// Its schedule.
        name: Arc<str>,
        /// When it was due.
        due: Timestamp,
        /// What the queue answered.
        error: MessageQueueError,
        /// When it is tried again.
        after: Duration,
    },
    /// A job was not sent and will not be: the queue refused it, or what makes it panicked.
    #[non_exhaustive]
    NotSent {
        /// Its schedule.
        name: Arc<str>,
        /// When it was due.
        due: Timestamp,
        /// Why.
        reason: String,
    },
    /// A pattern names no further time, and its schedule is gone.
    #[non_exhaustive]
    Ended {
        /// The schedule.
        name: Arc<str>,
        /// The latest time that was dealt with.
        latest: Timestamp,
    },
}

impl fmt::Display for SchedulerEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missed {
                name,
                first,
                latest,
                jobs,
            } => {
                write!(
                    f,
                    "schedule {name} was due from {} to {} and not sent then, jobs sent for that now: {jobs}",
                    calendar(*first),
                    calendar(*latest)
                )
            }
            Self::Retry {
                name,
                due,
                error,
                after,
            } => {
                write!(
                    f,
                    "schedule {name} due at {} cannot be sent yet: {error}, again in {after:?}",
                    calendar(*due)
                )
            }
            Self::Ended { name, latest } => {
                write!(f, "schedule {name} ended, it names no time after {}", calendar(*latest))
            }
            Self::NotSent { name, due, reason } => {
                write!(f, "schedule {name} due at {} was not sent: {reason}", calendar(*due))
            }
        }
    }
}

/// An instant as a calendar has it, in UTC; beyond the year 9999 as milliseconds.
fn calendar(at: Timestamp) -> String {
    at.to_jiff().map_or_else(|| at.to_string(), |at| at.to_string())
}

/// What a scheduler has done so far.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct SchedulerReport {
    /// Schedules added.
    pub added: u64,
    /// Schedules cancelled.
    pub cancelled: u64,
    /// Jobs sent.
    pub sent: u64,
    /// Jobs that were not sent and will not be.
    pub not_sent: u64,
    /// Sends that failed and were, or will be, tried again.
    pub retries: u64,
    /// How often times of a schedule had been missed.
    pub missed: u64,
    /// Schedules held, jobs of which are to be sent.
    pub held: usize,
}
