//! What a worker does without waiting, by plain calls: it works on messages that are there, by a handler that is a plain
//! function, on a queue that answers at once. Everything else is left to the futures of the other files.

use {
    super::{
        backlog::WorkItem,
        call::{BLOCKED, Call, panic_text},
        dispatcher::{ReceiveTask, Task},
        engine::Engine,
        event::RunnerEvent,
        handler::{Answer, Handler},
        job::Job,
    },
    crate::{
        backend::{MessageQueue, ReceivedMessage},
        time::Timestamp,
    },
    std::panic::{AssertUnwindSafe, catch_unwind},
};

#[cfg(feature = "tracing")]
use super::trace::Trace;

/// The most handlers that a worker may run in a row before it yields to the other futures of its task.
const TURN: u32 = 32;

/// What a worker has to wait for.
pub(super) enum Wait {
    /// A task.
    ForTask,
    /// A task to be done; nothing of it was begun.
    Begin(Task),
    /// The settlement of a work item whose handler was called.
    Settle(WorkItem, Option<Box<Call>>),
    /// Its next turn, before it reports a work item that is done.
    Report(WorkItem),
}

/// When a worker that shares its thread yields.
pub(super) struct Pace {
    watched: bool,
    turns: u32,
    since: Timestamp,
}

/// What became of a work item.
enum Attempt {
    Done,
    /// The handler was called, and its messages are not settled.
    Called(Option<Box<Call>>),
    NotBegun,
}

impl Pace {
    pub(super) fn new(watched: bool, now: Timestamp) -> Self {
        Self {
            watched,
            turns: 0,
            since: now,
        }
    }

    /// Whether to yield, after one more handler.
    pub(super) fn is_over(&mut self, now: impl FnOnce() -> Timestamp) -> bool {
        self.turns += 1;
        self.watched && (self.turns >= TURN || now() != self.since)
    }

    pub(super) const fn restart(&mut self, now: Timestamp) {
        (self.turns, self.since) = (0, now);
    }
}

impl<Q: MessageQueue, H: Handler> Engine<Q, H> {
    /// Does what needs no waiting, from this task on.
    pub(super) fn run_at_once(
        &self,
        worker: usize,
        mut next: Option<Task>,
        received: &mut Vec<ReceivedMessage>,
        pace: &mut Pace,
    ) -> Wait {
        loop {
            next = match next {
                None => return Wait::ForTask,
                Some(Task::Work(item, began_at)) => match self.work_at_once(item.jobs(), began_at, pace.watched) {
                    // The item outlives the dispatcher's lock: dropping a large message under it would block all workers.
                    Attempt::Done if pace.is_over(|| self.now()) => return Wait::Report(item),
                    Attempt::Done => self.finished(worker, None),
                    Attempt::Called(call) => return Wait::Settle(item, call),
                    Attempt::NotBegun => return Wait::Begin(Task::Work(item, began_at)),
                },
                Some(Task::Receive(receive)) => {
                    self.receive_at_once(&receive, received);
                    if received.is_empty() {
                        return Wait::Begin(Task::Receive(receive));
                    }
                    self.received(worker, &receive, received)
                }
                Some(task) => return Wait::Begin(task),
            };
        }
    }

    fn receive_at_once(&self, receive: &ReceiveTask, messages: &mut Vec<ReceivedMessage>) {
        if !self.control.is_stopping() {
            self.queue.receive_at_once(&self.receive_request(receive), messages);
        }
    }

    /// Calls the handler of a single job if it is a plain function, and deletes the message if it succeeded.
    fn work_at_once(&self, jobs: &[Job], began_at: Timestamp, watched: bool) -> Attempt {
        let ([job], Some(handle)) = (jobs, self.handler.at_once()) else {
            return Attempt::NotBegun;
        };
        if self.config.handler_timeout.is_some() || !job.lease().is_held_at(began_at) {
            return Attempt::NotBegun;
        }
        #[cfg(feature = "tracing")]
        let trace = Trace::open(self.queue.url(), jobs);
        let handle = || handle(jobs);
        #[cfg(feature = "tracing")]
        let handle = || trace.within(handle);
        let answer = catch_unwind(AssertUnwindSafe(handle));
        if watched {
            let span = self.now().saturating_duration_since(began_at);
            if span >= BLOCKED {
                self.report(|| RunnerEvent::Blocked { job: job.clone(), span });
            }
        }
        let call = match answer {
            Ok(Answer::Done) if self.delete_at_once(jobs) => return Attempt::Done,
            Ok(Answer::Done) => None,
            Ok(answer) => Some(Box::new(Call::Answered(answer))),
            Err(panic) => Some(Box::new(Call::Panicked(panic_text(panic)))),
        };
        Attempt::Called(call)
    }

    /// Deletes the message of a job that was done, if that needs no waiting.
    #[inline]
    pub(super) fn delete_at_once(&self, jobs: &[Job]) -> bool {
        let [job] = jobs else { return false };
        !job.lease().settle() && self.queue.delete_at_once(job.message())
    }
}
