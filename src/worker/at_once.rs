//! What a worker does without waiting, by plain calls: it works on messages that are there, by a handler that is a plain
//! function, on a queue that answers at once. Everything else is left to the futures of the other files.

use {
    super::{
        backlog::WorkItem,
        call::{Call, panic_text},
        dispatcher::{ReceiveTask, Task},
        engine::Engine,
        handler::{Answer, Handler},
        job::{Job, SpareJobs},
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

/// What is left to be done, and may have to wait.
pub(super) enum Rest {
    /// Wait for a task, or for the queue to answer this one.
    Wait(Option<Task>),
    /// Begin a work item, taken at this instant.
    Begin(WorkItem, Timestamp),
    /// Settle a work item whose handler was called.
    Settle(WorkItem, Option<Box<Call>>),
    /// Report a work item that is settled, and yield if it is time to.
    Report(WorkItem),
    End,
}

/// What a worker uses again, so that it allocates nothing for a message.
#[derive(Default)]
pub(super) struct Buffers {
    pub(super) messages: Vec<ReceivedMessage>,
    pub(super) jobs: Vec<Job>,
    pub(super) spare: SpareJobs,
}

/// When a worker that shares its thread yields.
pub(super) struct Pace {
    watched: bool,
    turns: u32,
    since: Timestamp,
    /// When the last handler was polled.
    now: Timestamp,
}

/// What became of a work item.
enum Attempt {
    Done,
    /// The handler was called, and the message is not settled.
    Called(Option<Box<Call>>),
    NotBegun,
}

impl Pace {
    pub(super) fn new(watched: bool, now: Timestamp) -> Self {
        Self {
            watched,
            turns: 0,
            since: now,
            now,
        }
    }

    pub(super) const fn is_watched(&self) -> bool {
        self.watched
    }

    pub(super) const fn polled(&mut self, now: Timestamp) {
        self.now = now;
    }

    /// Whether to yield, after one more handler.
    pub(super) fn is_over(&mut self) -> bool {
        self.turns += 1;
        self.watched && (self.turns >= TURN || self.now != self.since)
    }

    pub(super) const fn restart(&mut self, now: Timestamp) {
        (self.turns, self.since, self.now) = (0, now, now);
    }
}

impl Buffers {
    /// Keeps the allocation of a work item; its message is dropped, which no lock may be held for.
    pub(super) fn keep(&mut self, item: WorkItem) {
        #[cfg(feature = "tracing")]
        item.jobs().iter().for_each(Job::close_span);
        if let WorkItem::One(job) = item {
            self.spare.keep(job);
        }
    }
}

impl<Q: MessageQueue, H: Handler> Engine<Q, H> {
    /// Does what needs no waiting, from this task on.
    pub(super) fn run_at_once(
        &self,
        worker: usize,
        mut next: Option<Task>,
        buffers: &mut Buffers,
        pace: &mut Pace,
    ) -> Rest {
        loop {
            next = match next {
                Some(Task::Work(item, began_at)) => match self.work_at_once(item.jobs(), began_at, pace) {
                    Attempt::Done if pace.watched => return Rest::Report(item),
                    Attempt::Done => self.finished(worker, item, None, buffers),
                    Attempt::Called(call) => return Rest::Settle(item, call),
                    Attempt::NotBegun => return Rest::Begin(item, began_at),
                },
                Some(Task::Receive(receive)) => {
                    self.receive_at_once(&receive, &mut buffers.messages);
                    if buffers.messages.is_empty() {
                        return Rest::Wait(Some(Task::Receive(receive)));
                    }
                    self.received(worker, &receive, buffers)
                }
                Some(Task::End) => return Rest::End,
                task => return Rest::Wait(task),
            };
        }
    }

    fn receive_at_once(&self, receive: &ReceiveTask, messages: &mut Vec<ReceivedMessage>) {
        if !self.control.is_stopping() {
            self.queue.receive_at_once(&self.receive_request(receive), messages);
        }
    }

    /// Calls the handler of a single job if it is a plain function, and deletes the message if it succeeded.
    fn work_at_once(&self, jobs: &[Job], began_at: Timestamp, pace: &mut Pace) -> Attempt {
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
        if pace.watched {
            self.watch(jobs, began_at, pace);
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
