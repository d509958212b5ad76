//! Why a scheduler ended with an error.

use {super::event::SchedulerReport, crate::backend::MessageQueueError, std::io};

/// Why a scheduler ended by itself. What it held is still listed by its handle.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SchedulerError {
    /// The queue is gone.
    #[error("the scheduler ended: {error}")]
    #[non_exhaustive]
    Queue {
        /// What the queue answered.
        #[source]
        error: MessageQueueError,
        /// What the scheduler has done.
        report: SchedulerReport,
    },
    /// What wraps the thread panicked or did not call it.
    #[error("the thread of the scheduler exited early: {error}")]
    #[non_exhaustive]
    Thread {
        /// Why.
        #[source]
        error: io::Error,
    },
}
