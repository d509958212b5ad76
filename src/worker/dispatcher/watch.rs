//! Progress reports of the runner, and handlers that outlast their timeout.

use super::*;

/// When a handler that is past its timeout, and was between two polls, is looked at again.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// With metrics, how often the age of the oldest message is told while nothing else happens.
#[cfg(feature = "metrics")]
const MEASURE_INTERVAL: Duration = Duration::from_secs(10);

/// When the renewer tells the age of the oldest message after this instant, if messages are held.
#[cfg(feature = "metrics")]
pub(super) fn next_measurement(after: Timestamp) -> Timestamp {
    after.saturating_add(MEASURE_INTERVAL)
}

#[cfg(not(feature = "metrics"))]
pub(super) const fn next_measurement(_: Timestamp) -> Timestamp {
    Timestamp::MAX
}

impl Dispatcher {
    /// The jobs whose handlers run, each with when its handler was called, and whether it has timed out; those that a
    /// stop has abandoned too.
    pub(in crate::worker) fn running_jobs(&self) -> Vec<(Job, Timestamp, bool)> {
        let mut running = Vec::new();
        for worker in &self.workers {
            let item = worker.item.as_ref().or(worker.abandoned.as_ref());
            let jobs = item
                .iter()
                .flat_map(|(item, began_at)| item.jobs().iter().map(|job| (job.clone(), *began_at)));
            running.extend(jobs.map(|(job, began_at)| (job, began_at, worker.timed_out_at.is_some())));
        }
        running
    }

    /// Brings the gauges up to date.
    #[cfg(feature = "metrics")]
    pub(in crate::worker) fn measure(&mut self, now: Timestamp) {
        let held = if self.alive > 0 {
            (self.backlog.len(), self.in_progress)
        } else {
            // A runner that was dropped holds nothing any more.
            (0, 0)
        };
        if self.counters.meters.held(held.0, held.1, now) {
            let working = self.workers.iter().filter_map(|worker| worker.item.as_ref());
            let jobs = working.flat_map(|(item, _)| item.jobs()).chain(self.backlog.iter());
            let oldest = jobs.map(|job| job.sent_timestamp()).min().unwrap_or(now);
            let age = now.saturating_duration_since(oldest);
            self.counters.meters.oldest_age(age, now);
        }
    }

    #[cfg(not(feature = "metrics"))]
    pub(in crate::worker) const fn measure(&self, _: Timestamp) {}

    /// Finds a handler call that has timed out and not ended, and counts its jobs as failed; otherwise when the next one
    /// may be found.
    ///
    /// A handler that is between two polls ends by its own timer.
    pub(super) fn find_stuck(&mut self, now: Timestamp) -> Result<Stuck, Timestamp> {
        let mut next = Timestamp::MAX;
        let Some(timeout) = self.config.handler_timeout else {
            return Err(next);
        };
        for at in 0..self.workers.len() {
            let Some((item, began_at)) = self.workers[at].item.as_ref() else {
                continue;
            };
            // Jobs whose leases were lost before are not given to the handler.
            let called = |job: &&Job| job.lease().renew_until() != Timestamp::MAX;
            let first = item.jobs().iter().find(called).map(Job::lease);
            let due = first.map_or_else(|| began_at.saturating_add(timeout), Lease::renew_until);
            if due > now {
                next = next.min(due);
            } else if first.is_some_and(Lease::time_out) {
                let jobs = item.jobs().iter().filter(called).cloned().collect();
                return Ok(self.count_stuck(at, jobs, now));
            } else if !first.is_some_and(Lease::is_decided) {
                next = next.min(now.saturating_add(LOOK_AGAIN));
            }
        }
        Err(next)
    }

    /// Counts the jobs of a handler call as failed, and releases their groups.
    fn count_stuck(&mut self, worker: usize, jobs: Vec<Job>, now: Timestamp) -> Stuck {
        self.workers[worker].timed_out_at = Some(now);
        self.blocked += 1;
        self.stuck += 1;
        self.in_progress -= jobs.len();
        self.counters.add(Count::Failed, jobs.len() as u64);
        self.counters.add(Count::TimedOut, jobs.len() as u64);
        // The rest of a group leaves the backlog before the group is released.
        let behind = jobs.iter().flat_map(|job| self.abandon_group(job)).collect();
        if let Some((item, began_at)) = &self.workers[worker].item {
            let span = now.saturating_duration_since(*began_at);
            item.jobs().iter().for_each(|job| self.backlog.release(job, span));
        }
        Stuck { jobs, behind }
    }

    /// Whether no worker can begin a work item before a handler ends that has timed out.
    pub(super) const fn is_blocked(&self) -> bool {
        self.blocked >= self.config.concurrency
    }

    /// Since when no worker can begin a work item, if [`is_blocked`](Self::is_blocked).
    pub(super) fn blocked_since(&self) -> Option<Timestamp> {
        let latest = || self.workers.iter().filter_map(|worker| worker.timed_out_at).max();
        self.is_blocked().then(latest).flatten()
    }

    /// Ends the settlement of a handler call that had timed out; returns the wakers to call.
    pub(in crate::worker) fn stuck_settled(&mut self, now: Timestamp) -> Vec<Waker> {
        self.stuck -= 1;
        self.may_have_returned();
        self.changed();
        self.wake_parked(now)
    }

    /// Lets the renewer know of a handler that begins, if it times out before the renewer would wake.
    pub(super) fn watch_timeout(&mut self, now: Timestamp) {
        let end = self.config.handler_timeout.map(|timeout| now.saturating_add(timeout));
        self.renewer_is_late |= end.is_some_and(|end| end < self.renewer_wakes_at);
    }
}
