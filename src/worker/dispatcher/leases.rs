//! Selects the next task of the lease renewer.

use super::*;

impl Dispatcher {
    /// The renewer's next task; `waker` ends a sleep early.
    pub(in crate::worker) fn next_renewer_task(&mut self, now: Timestamp, waker: &Waker) -> RenewerTask {
        let task = self.find_renewer_task(now, waker);
        self.measure(now);
        task
    }

    fn find_renewer_task(&mut self, now: Timestamp, waker: &Waker) -> RenewerTask {
        let give_back_at = self.give_back_at();
        if give_back_at <= now && self.backlog.len() > 0 {
            let jobs = self.backlog.take_all();
            self.counters.not_begun(jobs.len());
            return RenewerTask::GiveBack(jobs);
        }
        if self.stopped_at.is_some() {
            if !self.cut_off.is_empty() {
                return RenewerTask::GiveBackAbandoned(mem::take(&mut self.cut_off));
            }
            if self.alive == 0 {
                return RenewerTask::Over;
            }
        }
        let unchanged = self.renewer.as_ref().is_some_and(|renewer| renewer.will_wake(waker));
        if unchanged && now < self.renewer_wakes_at {
            // No job has become due since the last scan of all jobs.
            return RenewerTask::Sleep(self.renewer_wakes_at);
        }
        let stuck_at = match self.find_stuck(now) {
            Ok(stuck) => return RenewerTask::Stuck(stuck),
            Err(next) => next,
        };
        let (mut due, mut next) = (Vec::new(), None);
        let working = self.workers.iter().filter_map(|worker| worker.item.as_ref());
        let working = working.flat_map(|(item, _)| item.jobs());
        let renewable = |job: &&Job| !job.lease().is_lost() && !job.lease().renewal_stopped();
        for job in working.chain(self.backlog.iter()).filter(renewable) {
            let renew_at = job.lease().renew_at();
            if renew_at <= now {
                due.push(job.clone());
            } else {
                next = Some(next.map_or(renew_at, |next: Timestamp| next.min(renew_at)));
            }
        }
        if !due.is_empty() {
            return RenewerTask::Due(due);
        }
        let mut until = next.unwrap_or_else(|| self.idle_until(now)).min(stuck_at);
        if self.backlog.len() > 0 {
            until = until.min(give_back_at);
        }
        if self.in_progress + self.backlog.len() > 0 {
            until = until.min(next_measurement(now));
        }
        self.renewer = Some(waker.clone());
        self.renewer_wakes_at = until;
        RenewerTask::Sleep(until)
    }

    /// When the backlog goes back, as no handler will begin it or none can.
    fn give_back_at(&self) -> Timestamp {
        match (self.stopped_at, self.blocked_since()) {
            (Some(_), _) if self.working == 0 => Timestamp::ZERO,
            (None, None) => Timestamp::MAX,
            (stopped_at, blocked_since) => {
                let since = stopped_at.into_iter().chain(blocked_since).min();
                since.unwrap_or_default().saturating_add(self.config.give_back_after)
            }
        }
    }

    /// Counts renewed leases, after which the renewer has to scan all jobs again.
    pub(in crate::worker) fn renewed(&mut self, count: usize) {
        self.counters.add(Count::Heartbeats, count as u64);
        self.renewer = None;
    }

    /// When a renewer without leases wakes: after one more interval, so that a runner with few jobs does not wake it for
    /// each of them, and then only when called.
    fn idle_until(&mut self, now: Timestamp) -> Timestamp {
        let received = Some(self.counters.messages_received());
        if mem::replace(&mut self.idle_at_received, received) == received {
            return Timestamp::MAX;
        }
        now.saturating_add(self.config.renew_interval)
    }
}
