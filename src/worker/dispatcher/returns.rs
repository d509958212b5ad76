//! Jobs that return to the queue, or are lost, before a handler has begun them.

use super::*;

impl Dispatcher {
    /// Removes and returns the backlog of the group of a FIFO job that failed.
    pub(in crate::worker) fn abandon_group(&mut self, job: &Job) -> Vec<Job> {
        let behind = self.backlog.abandon_group(job);
        self.counters.not_begun(behind.len());
        behind
    }

    /// Counts a lost lease and removes the job from the backlog; returns the jobs behind it in its FIFO group.
    pub(in crate::worker) fn lease_lost(&mut self, job: &Job) -> Vec<Job> {
        let behind = self.abandon_group(job);
        self.counters.add(Count::Lost, 1);
        let waited = self.backlog.remove(job);
        self.counters.not_begun(usize::from(waited));
        behind
    }

    /// Removes this job from the backlog, if it is there, with the rest of its FIFO group; returns them.
    pub(in crate::worker) fn take_unbegun(&mut self, job: &Job) -> Vec<Job> {
        let mut jobs = Vec::new();
        if self.backlog.remove(job) {
            jobs.push(job.clone());
            jobs.extend(self.backlog.abandon_group(job));
            self.counters.not_begun(jobs.len());
        }
        jobs
    }

    /// Counts this many jobs of a worker's work item as not begun.
    pub(in crate::worker) fn not_begun(&mut self, worker: usize, count: usize) {
        // Abandoned jobs are already counted.
        if self.workers[worker].item.is_some() {
            self.workers[worker].not_begun += count;
            self.in_progress -= count;
            self.counters.not_begun(count);
        }
    }

    /// Counts this many jobs that were not begun as given back; returns the wakers to call, as they can be received.
    pub(in crate::worker) fn given_back(&mut self, count: usize, now: Timestamp) -> Vec<Waker> {
        self.counters.given_back(count);
        self.may_have_returned();
        self.wake_parked(now)
    }

    /// A message may be in the queue again, whatever an earlier receive returns.
    pub(super) const fn may_have_returned(&mut self) {
        self.returns += 1;
        self.seen_empty = false;
    }
}
