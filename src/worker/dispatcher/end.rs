//! How a runner ends: by itself, by a stop, or with its shutdown timeout.

use super::*;

impl Dispatcher {
    /// Stops a runner that ends with its queue and is idle; returns the wakers to call if it did.
    pub(in crate::worker) fn is_done(&mut self, now: Timestamp) -> Option<Vec<Waker>> {
        let idle = self.working + self.stuck == 0 && self.backlog.len() == 0;
        let none = match self.config.end {
            End::Never => false,
            End::NoneVisible => self.seen_empty && self.polls == 0,
            // What a receive under way has got would have been counted.
            End::NoneLeft => self.none_left,
        };
        let done = idle && none && !self.paused && self.stopped_at.is_none();
        done.then(|| self.stop(now, None))
    }

    /// Ends a count of the queue's messages that was begun after so many changes; `None` if it failed.
    pub(in crate::worker) fn counted(&mut self, worker: usize, changes: u64, counts: Option<MessageCounts>) {
        self.counting = false;
        self.stay_runnable(worker);
        let Some(counts) = counts.filter(|_| changes == self.changes) else {
            self.count_due = true;
            return;
        };
        let none = counts.total() == 0;
        self.zeros = if none { self.zeros + 1 } else { 0 };
        // What is approximate may miss messages, so that it has to find none after a pause as well.
        self.none_left = none && (!counts.approximate || self.zeros > 1);
        self.left = !self.none_left;
        self.recount = if counts.approximate {
            self.config.wait_time
        } else {
            self.config.wait_time.min(RECOUNT)
        };
    }

    /// A count of the queue is out of date.
    pub(super) const fn changed(&mut self) {
        self.changes += 1;
        (self.left, self.zeros, self.none_left) = (false, 0, false);
    }

    /// Stops the runner, with or without an error; returns the wakers to call.
    pub(in crate::worker) fn stop(&mut self, now: Timestamp, error: Option<MessageQueueError>) -> Vec<Waker> {
        if self.error.is_none() {
            self.error = error;
        }
        self.stopped_at.get_or_insert(now);
        let mut wakers = Vec::new();
        for worker in &self.workers {
            let jobs = worker.item.iter().flat_map(|(item, _)| item.jobs());
            jobs.for_each(|job| wakers.extend(job.lease().mark_stopping()));
        }
        while !self.parked.is_empty() {
            wakers.extend(self.unpark());
        }
        wakers.extend(self.waiting_for_queue());
        wakers.extend(self.renewer.take());
        wakers
    }

    /// Marks the runner as over. One that was dropped holds nothing any more: its messages come back by themselves.
    pub(in crate::worker) fn end(&mut self) {
        self.over = true;
        let left = self.backlog.take_all().len();
        self.counters.not_begun(left);
        self.abandon();
        if self.alive == 0 {
            self.cut_off.clear();
            self.workers.iter_mut().for_each(|worker| worker.abandoned = None);
        }
    }

    pub(in crate::worker) const fn stopped_at(&self) -> Option<Timestamp> {
        self.stopped_at
    }

    /// Counts all jobs in progress as abandoned, as the shutdown timeout is over; they count as nothing else later.
    pub(in crate::worker) fn abandon(&mut self) {
        self.timed_out = true;
        for worker in &mut self.workers {
            if let Some((item, began_at)) = worker.item.take() {
                if worker.timed_out_at.is_none() {
                    let begun = item.jobs().len() - worker.not_begun;
                    self.in_progress -= begun;
                    self.counters.add(Count::Abandoned, begun as u64);
                }
                worker.abandoned = Some((item, began_at));
            }
        }
    }

    /// Whether the shutdown timeout is over, at which handlers are cut off where that is possible.
    pub(in crate::worker) const fn is_timed_out(&self) -> bool {
        self.timed_out
    }

    /// Whether a receive is under way, whose messages have to be given back.
    pub(in crate::worker) const fn is_polling(&self) -> bool {
        self.polls > 0 && self.alive > 0
    }

    pub(in crate::worker) const fn worker_exited_early(&self) -> bool {
        self.worker_exited_early
    }

    pub(in crate::worker) const fn error(&self) -> Option<&MessageQueueError> {
        self.error.as_ref()
    }
}
