//! Events that a runner reports.

use {
    super::job::Job,
    crate::backend::MessageQueueError,
    std::{fmt, time::Duration},
};

/// An event of a runner, passed to the function set by [`on_event`](super::RunnerBuilder::on_event).
///
/// As text it is a line for a log.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum RunnerEvent {
    /// A handler did not do its job.
    #[non_exhaustive]
    Failed {
        /// The job.
        job: Job,
        /// Why.
        reason: String,
        /// How.
        cause: FailureCause,
    },
    /// A handler answered that the message cannot be worked on yet, by
    /// [`Failure::retry_after`](super::Failure::retry_after).
    #[non_exhaustive]
    Postponed {
        /// The job.
        job: Job,
        /// Why.
        reason: String,
        /// How long the message is to be hidden: what the handler said, or until 12 h after its receive.
        delay: Duration,
    },
    /// An earlier message of its group and batch failed or was postponed, so that the message goes back to be done after
    /// it, whatever the handler answered (E21).
    #[non_exhaustive]
    OutOfOrder {
        /// The job.
        job: Job,
    },
    /// A synchronous handler answered after its job had failed by its handler timeout: the answer changes nothing.
    #[non_exhaustive]
    AnsweredLate {
        /// The job.
        job: Job,
        /// What it answered, with the reason of a failure or panic.
        answer: Result<(), String>,
    },
    /// The lease of a job ended while its handler was running or before it began.
    #[non_exhaustive]
    LeaseLost {
        /// Its job.
        job: Job,
    },
    /// A message whose handler succeeded could not be deleted.
    #[non_exhaustive]
    NotDeleted {
        /// Its job.
        job: Job,
        /// Why.
        error: MessageQueueError,
        /// When it is tried again; `None` if it is not.
        retry_after: Option<Duration>,
    },
    /// A message that was to go to the dead-letter queue, or to come back at another time, is left to its visibility
    /// timeout.
    #[non_exhaustive]
    LeftToTimeout {
        /// Its job.
        job: Job,
        /// Why.
        error: MessageQueueError,
    },
    /// A receive failed, or a count of the queue's messages.
    #[non_exhaustive]
    ReceiveFailed {
        /// Why.
        error: MessageQueueError,
        /// When the queue is asked again; `None` if the runner ends.
        retry_after: Option<Duration>,
    },
    /// A thread for a worker that [`set_concurrency`](super::RunnerHandle::set_concurrency) asked for could not be started.
    #[non_exhaustive]
    ThreadNotStarted {
        /// Why.
        reason: String,
        /// The number of workers that the runner has, which is its concurrency from now on.
        concurrency: usize,
    },
    /// An async handler blocked the executor's thread between two await points.
    #[non_exhaustive]
    Blocked {
        /// The job, or the first of the batch.
        job: Job,
        /// For how long.
        span: Duration,
    },
}

/// How a handler failed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum FailureCause {
    /// It answered so.
    Answer,
    /// It panicked.
    Panic,
    /// It did not end within the handler timeout.
    Timeout,
}

#[cfg(feature = "tracing")]
impl RunnerEvent {
    /// Its job, or the first of its batch.
    pub(super) const fn job(&self) -> Option<&Job> {
        match self {
            Self::Failed { job, .. }
            | Self::Postponed { job, .. }
            | Self::OutOfOrder { job }
            | Self::AnsweredLate { job, .. }
            | Self::LeaseLost { job }
            | Self::NotDeleted { job, .. }
            | Self::LeftToTimeout { job, .. }
            | Self::Blocked { job, .. } => Some(job),
            Self::ReceiveFailed { .. } | Self::ThreadNotStarted { .. } => None,
        }
    }

    /// Whether it is not a sign that something is wrong.
    pub(super) const fn is_usual(&self) -> bool {
        matches!(self, Self::Postponed { .. } | Self::OutOfOrder { .. })
    }
}

impl fmt::Display for RunnerEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed { job, reason, cause } => {
                let how = match cause {
                    FailureCause::Answer => "failed",
                    FailureCause::Panic => "panicked",
                    FailureCause::Timeout => "timed out",
                };
                write!(f, "message {} {how}: {reason}", job.message_id())
            }
            Self::Postponed { job, reason, delay } => {
                write!(f, "message {} is postponed by {delay:?}: {reason}", job.message_id())
            }
            Self::OutOfOrder { job } => write!(
                f,
                "message {} goes back behind an earlier message of its group",
                job.message_id()
            ),
            Self::AnsweredLate { job, answer } => {
                let id = job.message_id();
                match answer {
                    Ok(()) => write!(f, "message {id} was done after it had timed out"),
                    Err(reason) => write!(f, "message {id} failed after it had timed out: {reason}"),
                }
            }
            Self::LeaseLost { job } => write!(f, "message {} is not held any more", job.message_id()),
            Self::NotDeleted {
                job,
                error,
                retry_after,
            } => {
                write!(f, "message {} was done and not deleted: {error}", job.message_id())?;
                retry(f, *retry_after)
            }
            Self::LeftToTimeout { job, error } => {
                write!(
                    f,
                    "message {} is left to its visibility timeout: {error}",
                    job.message_id()
                )
            }
            Self::ReceiveFailed { error, retry_after } => {
                write!(f, "receiving failed: {error}")?;
                retry(f, *retry_after)
            }
            Self::ThreadNotStarted { reason, concurrency } => {
                write!(
                    f,
                    "a thread could not be started: {reason}, the concurrency is {concurrency}"
                )
            }
            Self::Blocked { job, span } => write!(
                f,
                "the handler of message {} blocked its executor for {span:?}",
                job.message_id()
            ),
        }
    }
}

fn retry(f: &mut fmt::Formatter<'_>, after: Option<Duration>) -> fmt::Result {
    match after {
        Some(after) => write!(f, ", again in {after:?}"),
        None => Ok(()),
    }
}
