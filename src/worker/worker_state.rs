//! What a worker keeps from task to task, and when it yields.

use {
    super::{
        backlog::WorkItem,
        job::{Job, SpareJobs},
    },
    crate::{backend::ReceivedMessage, time::Timestamp},
};

/// The most handlers that a worker may run in a row before it yields to the other futures of its task.
const TURN: u32 = 32;

/// What a worker keeps from task to task.
pub(super) struct WorkerState {
    pub(super) worker: usize,
    /// The worker shares its thread, and so yields from time to time.
    pub(super) watched: bool,
    /// Handlers run since it last yielded, and when that was.
    turns: u32,
    since: Timestamp,
    /// When its task was taken, or a handler was last polled.
    pub(super) now: Timestamp,
    // Buffers that are used again, so that a message needs no allocation.
    pub(super) messages: Vec<ReceivedMessage>,
    pub(super) jobs: Vec<Job>,
    pub(super) spare: SpareJobs,
}

impl WorkerState {
    pub(super) fn new(worker: usize, watched: bool, now: Timestamp) -> Self {
        Self {
            worker,
            watched,
            turns: 0,
            since: now,
            now,
            messages: Vec::new(),
            jobs: Vec::new(),
            spare: SpareJobs::default(),
        }
    }

    /// Whether to yield, after one more handler.
    pub(super) fn is_turn_over(&mut self) -> bool {
        self.turns += 1;
        self.watched && (self.turns >= TURN || self.now != self.since)
    }

    pub(super) const fn begin_turn(&mut self, now: Timestamp) {
        (self.turns, self.since) = (0, now);
    }

    /// Keeps the allocation of a work item; its message is dropped, which no lock may be held for.
    pub(super) fn keep(&mut self, item: WorkItem) {
        #[cfg(feature = "tracing")]
        item.jobs().iter().for_each(Job::close_span);
        if let WorkItem::One(job) = item {
            self.spare.keep(job);
        }
    }
}
