//! The settings of a runner, and their limits.

use {
    super::{
        backlog::GroupLimitsConfig,
        batch::BatchSettings,
        dispatcher::End,
        engine::OnEvent,
        error::BuildRunnerError,
        failure::FailurePolicy,
        handle::HandleOfBuilder,
        rate_limit::{Rate, RateLimit},
    },
    crate::{
        backend::{
            MessageQueue, ThreadWrapper,
            limits::{MAX_MESSAGES, MAX_VISIBILITY, MAX_WAIT_TIME},
        },
        clock::Clock,
        time::TICK,
    },
    std::{sync::Arc, time::Duration},
};

const MAX_BATCH_SIZE: usize = 10_000;
const MAX_WINDOW: Duration = Duration::from_secs(300);
const WINDOW_OF_LARGE_BATCHES: Duration = Duration::from_secs(1);

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
    pub(super) wrapper: ThreadWrapper,
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
            wrapper: ThreadWrapper::default(),
            handle: HandleOfBuilder::new(),
        }
    }
}

impl<Q: MessageQueue> Settings<Q> {
    /// Checks what needs no handler; returns the visibility timeout, no longer than the queue allows.
    pub(super) fn checked(&self) -> Result<Duration, BuildRunnerError> {
        let within = |span: Duration, longest: Duration| !span.is_zero() && span <= longest;
        if self.concurrency == 0 {
            return Err(BuildRunnerError::Concurrency);
        }
        if let Some(count) = self.max_messages.filter(|count| !(1..=MAX_MESSAGES).contains(count)) {
            return Err(BuildRunnerError::MaxMessages(count));
        }
        if !(TICK..=MAX_WAIT_TIME).contains(&self.wait_time) {
            return Err(BuildRunnerError::WaitTime(self.wait_time));
        }
        let asked = self
            .visibility_timeout
            .unwrap_or_else(|| self.queue.visibility_timeout());
        if asked > MAX_VISIBILITY {
            return Err(BuildRunnerError::VisibilityTimeout(asked));
        }
        let visibility = asked.min(self.queue.limits().max_visibility_timeout);
        if visibility < TICK {
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
            _ => Ok(visibility),
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

/// The longest time in which a rate may be given.
const MAX_PER: Duration = Duration::from_secs(24 * 60 * 60);

/// The jobs that the limits of groups hold back in the backlog, unless said otherwise: where putting a message off is
/// free, and where it costs a receive.
const HELD_IF_FREE: usize = 100;
const HELD_IF_COUNTED: usize = 1_000;

/// The longest time that a message is put off by the rate of its group, where that is free; elsewhere until its turn.
const PUT_OFF_BY_RATE: Duration = Duration::from_secs(15 * 60);

/// The longest time that a message is put off by the concurrency of its group, where that is free; elsewhere for a
/// visibility timeout. Its turn is estimated, and may come earlier.
const PUT_OFF_BY_CONCURRENCY: Duration = Duration::from_secs(5);

/// The limits on what begins: the rate of the runner, and the rate and concurrency of each message group.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct StartLimits {
    pub(super) rate: Option<RateLimit>,
    pub(super) group_rate: Option<RateLimit>,
    pub(super) group_concurrency: Option<usize>,
    pub(super) group_backlog: Option<usize>,
}

impl StartLimits {
    pub(super) fn check(&self, batch_size: usize) -> Result<(), BuildRunnerError> {
        for limit in self.rate.into_iter().chain(self.group_rate) {
            if limit.jobs == 0 || limit.per.is_zero() || limit.per > MAX_PER {
                return Err(BuildRunnerError::Rate(limit));
            }
            if limit.burst == 0 {
                return Err(BuildRunnerError::Burst(limit));
            }
        }
        if self.group_concurrency == Some(0) {
            return Err(BuildRunnerError::GroupConcurrency);
        }
        match self.rate.map(|rate| rate.burst) {
            Some(burst) if batch_size > burst as usize => Err(BuildRunnerError::BatchExceedsBurst {
                size: batch_size,
                burst,
            }),
            _ => Ok(()),
        }
    }

    /// Whether jobs may have to wait for a token.
    pub(super) const fn wait_for_time(&self) -> bool {
        self.rate.is_some() || self.group_rate.is_some()
    }

    /// The limits of groups, if there are any.
    pub(super) fn of_groups(&self, restores: bool, heartbeat: bool, visibility: Duration) -> Option<GroupLimitsConfig> {
        if self.group_rate.is_none() && self.group_concurrency.is_none() {
            return None;
        }
        let (held, by_rate, by_concurrency) = if restores {
            (HELD_IF_FREE, PUT_OFF_BY_RATE, PUT_OFF_BY_CONCURRENCY)
        } else {
            (HELD_IF_COUNTED, Duration::MAX, visibility)
        };
        Some(GroupLimitsConfig {
            rate: self.group_rate.map(Rate::new),
            concurrency: self.group_concurrency.unwrap_or(usize::MAX),
            // Without renewals the lease of what waits would end.
            max_held: if heartbeat {
                self.group_backlog.unwrap_or(held)
            } else {
                0
            },
            max_put_off_by_rate: by_rate,
            max_put_off_by_concurrency: by_concurrency,
        })
    }
}
