//! The settings of a runner, their limits, and the error for settings beyond them.

use {
    super::{
        batch::BatchSettings, dispatcher::End, engine::OnEvent, failure::FailurePolicy, handle::HandleOfBuilder,
        limits::StartLimits, rate_limit::RateLimit, runner::WrapThread,
    },
    crate::{
        backend::{
            Backoff,
            limits::{MAX_MESSAGES, MAX_VISIBILITY, MAX_WAIT_TIME},
        },
        clock::Clock,
        error::InvalidMessageAttribute,
    },
    std::{sync::Arc, time::Duration},
};

/// Clock resolution: the shortest delay before something may fall due again.
pub(super) const TICK: Duration = Duration::from_millis(1);

/// Renewals in one visibility timeout: two may fail before the lease is lost.
pub(super) const RENEWALS: u32 = 3;

const MAX_BATCH_SIZE: usize = 10_000;
const MAX_WINDOW: Duration = Duration::from_secs(300);
const WINDOW_OF_LARGE_BATCHES: Duration = Duration::from_secs(1);

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
    /// A runner that does not wait would ask without end.
    #[error("the wait time is {0:?}, it has to be more than 0 s and at most 20 s")]
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
    /// A backoff that does not grow is [`FailurePolicy::RetryNow`]; a message can be hidden for 12 hours.
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

/// The settings of a runner to be built.
#[derive(Clone)]
pub(super) struct Settings<Q> {
    pub(super) queue: Q,
    pub(super) concurrency: usize,
    pub(super) prefetch: usize,
    pub(super) max_messages: Option<usize>,
    pub(super) wait_time: Duration,
    pub(super) visibility_timeout: Option<Duration>,
    pub(super) heartbeat: bool,
    pub(super) handler_timeout: Option<Duration>,
    pub(super) policy: FailurePolicy,
    pub(super) seed: u64,
    pub(super) shutdown_timeout: Duration,
    pub(super) outage_timeout: Duration,
    pub(super) end: End,
    pub(super) limits: StartLimits,
    pub(super) clock: Option<Arc<dyn Clock>>,
    pub(super) on_event: Option<OnEvent>,
    pub(super) wrap_thread: Option<WrapThread>,
    pub(super) handle: HandleOfBuilder,
}

impl<Q> Settings<Q> {
    /// One job at a time, long polls of 20 s, heartbeats.
    pub(super) fn new(queue: Q) -> Self {
        Self {
            queue,
            concurrency: 1,
            prefetch: 0,
            max_messages: None,
            wait_time: MAX_WAIT_TIME,
            visibility_timeout: None,
            heartbeat: true,
            handler_timeout: None,
            policy: FailurePolicy::default(),
            seed: 0,
            shutdown_timeout: Duration::from_secs(30),
            outage_timeout: Duration::from_secs(60 * 60),
            end: End::Never,
            limits: StartLimits::default(),
            clock: None,
            on_event: None,
            wrap_thread: None,
            handle: HandleOfBuilder::new(),
        }
    }

    pub(super) fn check(&self, visibility: Duration) -> Result<(), BuildRunnerError> {
        let within = |span: Duration, longest: Duration| !span.is_zero() && span <= longest;
        if self.concurrency == 0 {
            return Err(BuildRunnerError::Concurrency);
        }
        if let Some(count) = self.max_messages.filter(|count| !(1..=MAX_MESSAGES).contains(count)) {
            return Err(BuildRunnerError::MaxMessages(count));
        }
        if !within(self.wait_time, MAX_WAIT_TIME) {
            return Err(BuildRunnerError::WaitTime(self.wait_time));
        }
        if !(TICK..=MAX_VISIBILITY).contains(&visibility) {
            return Err(BuildRunnerError::VisibilityTimeout(visibility));
        }
        if !self.heartbeat && self.prefetch > 0 {
            return Err(BuildRunnerError::PrefetchWithoutHeartbeat(self.prefetch));
        }
        if let Some(handler) = self.handler_timeout {
            if !within(handler, MAX_VISIBILITY) {
                return Err(BuildRunnerError::HandlerTimeout(handler));
            }
            if !self.heartbeat && handler > visibility {
                return Err(BuildRunnerError::HandlerOutlivesVisibility { handler, visibility });
            }
        }
        match self.policy {
            FailurePolicy::Backoff(backoff) if !backoff.is_within(MAX_VISIBILITY) => {
                Err(BuildRunnerError::Backoff(backoff))
            }
            _ => Ok(()),
        }
    }

    /// E23: what waits for its batch waits in flight, and goes back once it has been held for `longest` without a renewal.
    pub(super) fn check_window(
        &self,
        window: Duration,
        visibility: Duration,
        longest: Duration,
    ) -> Result<(), BuildRunnerError> {
        let span = window.saturating_add(self.handler_timeout.unwrap_or_default());
        if self.heartbeat || window.is_zero() || span < longest {
            return Ok(());
        }
        Err(BuildRunnerError::WindowOutlivesVisibility {
            window: span,
            visibility,
        })
    }
}

/// E17.
pub(super) fn check_batch(batch: &BatchSettings, fifo: bool) -> Result<(), BuildRunnerError> {
    let (size, window) = (batch.size, batch.window);
    let (largest, longest) = if fifo {
        (MAX_MESSAGES, Duration::ZERO)
    } else {
        (MAX_BATCH_SIZE, MAX_WINDOW)
    };
    if !(1..=largest).contains(&size) {
        return Err(BuildRunnerError::BatchSize { size, limit: largest });
    }
    if window > longest {
        return Err(BuildRunnerError::BatchWindow { window, limit: longest });
    }
    if size > MAX_MESSAGES && window < WINDOW_OF_LARGE_BATCHES {
        return Err(BuildRunnerError::BatchNeedsWindow(size));
    }
    Ok(())
}
