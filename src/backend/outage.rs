//! Tracks whether one queue of a set answers, and when to try it again.

use {
    super::{backoff::Backoff, error::MessageQueueError, retries::Retries},
    crate::{sync::Mutex, time::Timestamp},
    std::time::Duration,
};

/// How long a queue is left alone after a receive that failed.
///
/// Longer than the first pause of a runner, which is told the error: its next receive finds the others alone, and their
/// answer ends its pauses.
const PAUSES: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(20));

/// Errors of one queue that may pass: the others are received from meanwhile.
#[derive(Debug)]
pub(super) struct Outage {
    retries: Retries,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// When the queue is asked again, after a receive that failed.
    ends: Option<Timestamp>,
    /// Its last error, until it has been told.
    untold: Option<MessageQueueError>,
}

impl Outage {
    pub(super) fn new() -> Self {
        Self {
            retries: Retries::new(PAUSES, Duration::MAX),
            state: Mutex::default(),
        }
    }

    /// When the queue is asked again, if that is not yet.
    pub(super) fn ends_after(&self, now: Timestamp) -> Option<Timestamp> {
        self.state.lock().ends.filter(|ends| *ends > now)
    }

    /// Begins a pause, after a receive that failed; the error comes back if the same receive will fail again.
    pub(super) fn failed(&self, error: MessageQueueError, now: Timestamp) -> Result<(), MessageQueueError> {
        if !error.kind.may_pass() {
            return Err(error);
        }
        let mut state = self.state.lock();
        // Of several receives that fail at the same time one counts.
        if state.ends.is_none_or(|ends| ends <= now) {
            let pause = self.retries.pause(&error, now);
            state.ends = pause.map(|pause| now.saturating_add(pause));
        }
        state.untold = Some(error);
        Ok(())
    }

    pub(super) fn succeeded(&self) {
        self.retries.succeeded();
        self.state.lock().ends = None;
    }

    /// Keeps an error to be told by the next receive, without a pause.
    pub(super) fn tell(&self, error: MessageQueueError) {
        self.state.lock().untold = Some(error);
    }

    pub(super) fn take_untold(&self) -> Option<MessageQueueError> {
        self.state.lock().untold.take()
    }
}
