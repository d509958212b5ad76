//! Errors of building a runner, and of a runner that ended early.

use {
    super::{rate_limit::RateLimit, report::RunnerReport},
    crate::{
        backend::{Backoff, MessageQueueError},
        error::InvalidMessageAttribute,
    },
    std::{io, time::Duration},
};

/// Why the settings of a runner are invalid.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildRunnerError {
    /// No job would ever be done.
    #[error("the concurrency is 0, it has to be at least 1")]
    Concurrency,
    /// A receive of SQS returns 1 to 10 messages.
    #[error("a receive is to ask for {0} messages, it has to be 1 to 10")]
    MaxMessages(usize),
    /// A runner that does not wait would ask without end; time is counted in milliseconds.
    #[error("the wait time is {0:?}, it has to be 1 ms to 20 s")]
    WaitTime(Duration),
    /// SQS hides messages for up to 12 hours; with a timeout of 0 another consumer could receive them at once.
    #[error("the visibility timeout is {0:?}, it has to be 1 ms to 12 hours")]
    VisibilityTimeout(Duration),
    /// No handler could end in time, or none can hold its message for so long.
    #[error("the handler timeout is {0:?}, it has to be more than 0 s and at most 12 hours")]
    HandlerTimeout(Duration),
    /// Another consumer could receive the message while its handler runs.
    #[error(
        "the handler timeout is {handler:?} and heartbeats are off, so that a message would be visible again after its \
         visibility timeout of {visibility:?}, while its handler works on it"
    )]
    #[non_exhaustive]
    HandlerOutlivesVisibility {
        /// The handler timeout.
        handler: Duration,
        /// The visibility timeout.
        visibility: Duration,
    },
    /// Messages would be visible again before a handler has begun them.
    #[error(
        "the prefetch is {0} and heartbeats are off, so that messages would be visible again after their visibility \
         timeout, before a handler has begun them"
    )]
    PrefetchWithoutHeartbeat(usize),
    /// The size of a batch (E17).
    #[error("the batch size is {size}, it has to be 1 to {limit}")]
    #[non_exhaustive]
    BatchSize {
        /// The size.
        size: usize,
        /// The largest for a queue of this type.
        limit: usize,
    },
    /// The window of a batch (E17).
    #[error("the batching window is {window:?}, it may be at most {limit:?}")]
    #[non_exhaustive]
    BatchWindow {
        /// The window.
        window: Duration,
        /// The longest for a queue of this type.
        limit: Duration,
    },
    /// The leases of an incomplete batch would end while it waits for more messages.
    #[error(
        "the batching window is {window:?} and heartbeats are off, so that messages would have to go back by the end of \
         their visibility timeout of {visibility:?}, before a handler has done with them"
    )]
    #[non_exhaustive]
    WindowOutlivesVisibility {
        /// The window, and the handler timeout if there is one (E23).
        window: Duration,
        /// The visibility timeout.
        visibility: Duration,
    },
    /// More messages than one receive brings need time to come together (E17).
    #[error("the batch size is {0}, which takes a batching window of at least 1 s")]
    BatchNeedsWindow(usize),
    /// No job would ever begin, or there is no limit.
    #[error(
        "the rate limit is {} jobs in {:?}, it has to be at least 1 job in more than 0 s and at most 24 hours", .0.jobs, .0.per
    )]
    Rate(RateLimit),
    /// No job would ever begin.
    #[error("the burst of the rate limit is {}, it has to be at least 1", .0.burst)]
    Burst(RateLimit),
    /// A batch takes a token for each of its messages, and begins whole.
    #[error(
        "the batch size is {size} and the burst of the rate limit is {burst}, it has to be at least the batch size"
    )]
    #[non_exhaustive]
    BatchExceedsBurst {
        /// The batch size.
        size: usize,
        /// The burst.
        burst: u32,
    },
    /// No job of a group would ever be done.
    #[error("the concurrency of a group is 0, it has to be at least 1")]
    GroupConcurrency,
    /// A message could go to either handler.
    #[error("two routes have the name {0:?}, a router has to have one for each value")]
    RouteTwice(String),
    /// No message would have a handler of its own.
    #[error("the router has no route, it has to have at least 1")]
    NoRoute,
    /// A backoff that does not grow is [`FailurePolicy::RetryNow`](super::FailurePolicy::RetryNow); a message can be hidden for 12 hours.
    #[error(
        "the backoff is {:?} to {:?}, it has to begin with more than 0 s and to end with that or more, at most 12 hours",
        .0.base(), .0.max()
    )]
    Backoff(Backoff),
    /// No message has an attribute of that name (M13).
    #[error("a router cannot go by the message attribute {name:?}: {reason}")]
    #[non_exhaustive]
    RouterAttribute {
        /// The name.
        name: String,
        /// Why no attribute has it.
        reason: InvalidMessageAttribute,
    },
}

/// Why a runner ended by itself.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunnerError {
    /// The queue is gone, or refuses to be received from.
    #[error("the runner ended: {error}")]
    #[non_exhaustive]
    Queue {
        /// What the queue answered.
        #[source]
        error: MessageQueueError,
        /// What the runner has done.
        report: Box<RunnerReport>,
    },
    /// A thread could not be started, or ended before the runner did: what wraps it panicked or did not call it.
    #[error("a worker thread failed: {error}")]
    #[non_exhaustive]
    Thread {
        /// Why.
        #[source]
        error: io::Error,
        /// What the runner has done.
        report: Box<RunnerReport>,
    },
}

/// Why a runner ended when a wrapper has panicked or has not called its thread.
pub(super) fn exited_early() -> io::Error {
    io::Error::other("it ended before the runner did")
}
