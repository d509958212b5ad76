//! What a worker does without waiting, by plain calls: it works on messages that are there, by a handler that is a plain
//! function, on a queue that answers at once. Everything else is left to the futures of the other files.

use {
    super::{
        backlog::WorkItem,
        call::{Call, panic_text},
        dispatcher::{ReceiveTask, Task},
        engine::Engine,
        handler::{Answer, Handler},
        job::Job,
        worker_state::WorkerState,
    },
    crate::{
        backend::{MessageQueue, ReceivedMessage},
        sync::catch,
    },
    std::slice,
};

#[cfg(feature = "tracing")]
use super::trace::Trace;

/// What is left to be done, and may have to wait.
pub(super) enum Rest {
    /// Wait for a task, or for the queue to answer this one.
    Wait(Option<Task>),
    /// Begin a work item, which has just been taken.
    Begin(WorkItem),
    /// Settle a work item whose handler was called.
    Settle(WorkItem, Option<Box<Call>>),
    /// Report a work item that is settled, and yield if it is time to.
    Report(WorkItem),
    End,
}

/// What became of a work item.
enum Attempt {
    Done,
    /// The handler was called, and the message is not settled.
    Called(Option<Box<Call>>),
    NotBegun,
}

impl<Q: MessageQueue, H: Handler> Engine<Q, H> {
    /// Does what needs no waiting, from this task on.
    pub(super) fn run_at_once(&self, mut next: Option<Task>, state: &mut WorkerState) -> Rest {
        loop {
            next = match next {
                Some(Task::One(job)) => match self.work_at_once(&job, state) {
                    Attempt::Done if state.watched => return Rest::Report(WorkItem::One(job)),
                    Attempt::Done => self.finished(WorkItem::One(job), None, state),
                    Attempt::Called(call) => return Rest::Settle(WorkItem::One(job), call),
                    Attempt::NotBegun => return Rest::Begin(WorkItem::One(job)),
                },
                Some(Task::Batch(jobs)) => return Rest::Begin(WorkItem::Batch(jobs)),
                Some(Task::Receive(receive)) => {
                    self.receive_at_once(receive, &mut state.messages);
                    if state.messages.is_empty() {
                        return Rest::Wait(Some(Task::Receive(receive)));
                    }
                    self.received(receive, state)
                }
                Some(Task::End) => return Rest::End,
                task => return Rest::Wait(task),
            };
        }
    }

    fn receive_at_once(&self, receive: ReceiveTask, messages: &mut Vec<ReceivedMessage>) {
        if !self.control.is_stopping() {
            self.queue.receive_at_once(&self.receive_request(receive), messages);
            if !messages.is_empty() {
                self.receive_retries.succeeded();
            }
        }
    }

    /// Calls the handler of a single job if it is a plain function, and deletes the message if it succeeded.
    fn work_at_once(&self, job: &Job, state: &mut WorkerState) -> Attempt {
        let Some(handle) = self.handler.at_once() else {
            return Attempt::NotBegun;
        };
        let jobs = slice::from_ref(job);
        if self.config.handler_timeout.is_some() || !job.lease().is_held_at(state.now) || !job.is_loaded() {
            return Attempt::NotBegun;
        }
        #[cfg(feature = "tracing")]
        let trace = Trace::open(self.queue.url(), jobs);
        let handle = || handle(jobs);
        #[cfg(feature = "tracing")]
        let handle = || trace.within(handle);
        let answer = catch(handle);
        if state.watched {
            self.watch(jobs, state.now, state);
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
