//! What happened, in the order it happened, as short lines.
#![allow(dead_code, reason = "every test file uses a part of it")]

use {
    requeue::{
        Clock, ManualClock, Timestamp,
        backend::{ErrorKind, MessageQueueError},
        worker::RunnerEvent,
    },
    std::sync::{Arc, Mutex},
};

/// Lines, each with the milliseconds since the beginning if there is a clock.
#[derive(Clone, Default)]
pub(crate) struct Notes {
    lines: Arc<Mutex<Vec<String>>>,
    clock: Option<(ManualClock, Timestamp)>,
}

impl Notes {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Lines that begin with their time in milliseconds.
    pub(crate) fn timed(clock: &ManualClock) -> Self {
        Self {
            clock: Some((clock.clone(), clock.now())),
            ..Self::default()
        }
    }

    pub(crate) fn write(&self, line: impl Into<String>) {
        let line = line.into();
        let line = match &self.clock {
            Some((clock, start)) => {
                let time = clock.now().saturating_duration_since(*start).as_millis();
                format!("{time} {line}")
            }
            None => line,
        };
        self.lines.lock().unwrap().push(line);
    }

    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.lines.lock().unwrap())
    }

    /// For `on_event`.
    pub(crate) fn events(&self) -> impl Fn(&RunnerEvent) + Send + Sync + use<> {
        let own = self.clone();
        move |event| own.write(line(event))
    }
}

/// An event without what changes from run to run.
fn line(event: &RunnerEvent) -> String {
    match event {
        RunnerEvent::Failed { job, reason, cause, .. } => format!("{} failed by {cause:?}: {reason}", job.body()),
        RunnerEvent::Postponed { job, reason, delay, .. } => format!("{} postponed by {delay:?}: {reason}", job.body()),
        RunnerEvent::OutOfOrder { job, .. } => format!("{} out of order", job.body()),
        RunnerEvent::AnsweredLate {
            job, answer: Ok(()), ..
        } => format!("{} was done late", job.body()),
        RunnerEvent::AnsweredLate {
            job,
            answer: Err(reason),
            ..
        } => format!("{} failed late: {reason}", job.body()),
        RunnerEvent::LeaseLost { job, .. } => format!("{} lost", job.body()),
        RunnerEvent::NotDeleted {
            job,
            error,
            retry_after: Some(after),
            ..
        } => format!("{} not deleted by {:?}, again in {after:?}", job.body(), error.kind),
        RunnerEvent::NotDeleted { job, error, .. } => format!("{} not deleted by {:?}", job.body(), error.kind),
        RunnerEvent::LeftToTimeout { job, error, .. } => format!("{} left by {:?}", job.body(), error.kind),
        RunnerEvent::ReceiveFailed { retry_after, .. } => format!("receive failed, again in {retry_after:?}"),
        RunnerEvent::Blocked { job, span, .. } => format!("{} blocked for {span:?}", job.body()),
        other => other.to_string(),
    }
}

pub(crate) fn error(kind: ErrorKind) -> MessageQueueError {
    MessageQueueError::new(kind, "Scripted", "as the script says")
}
