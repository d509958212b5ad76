//! Steering a runner: pause, resume, and the number of workers.

use {
    super::*,
    crate::worker::report::{RunnerReport, RunnerState},
};

impl Dispatcher {
    /// Begins and receives nothing new from now on; returns the wakers of the workers that wait for the queue, which
    /// drop a receive where that loses nothing.
    pub(in crate::worker) fn pause(&mut self) -> Vec<Waker> {
        self.paused = true;
        self.waiting_for_queue()
    }

    /// Goes on; returns the wakers to call.
    pub(in crate::worker) fn resume(&mut self, now: Timestamp) -> Vec<Waker> {
        self.paused = false;
        self.reconsider(now)
    }

    pub(in crate::worker) const fn is_paused(&self) -> bool {
        self.paused
    }

    /// Sets how many work items may be in progress, at least 1; returns the wakers to call.
    ///
    /// Surplus workers end once they have no task; the renewer's caller adds those that are missing. A runner that has
    /// been stopped keeps its number.
    pub(in crate::worker) fn set_concurrency(&mut self, concurrency: usize, now: Timestamp) -> Vec<Waker> {
        if self.over || self.stopped_at.is_some() {
            return Vec::new();
        }
        self.config.concurrency = concurrency.max(1);
        let surplus = self.staff().saturating_sub(self.config.concurrency);
        let mut wakers: Vec<Waker> = (0..surplus).map_while(|_| self.unpark()).collect();
        wakers.extend(self.reconsider(now));
        wakers
    }

    pub(in crate::worker) const fn concurrency(&self) -> usize {
        self.config.concurrency
    }

    /// Number of workers that were not told to end.
    pub(in crate::worker) const fn staff(&self) -> usize {
        self.alive - self.retiring
    }

    /// Whether the worker that asks for a task, and finds no work item, is to end.
    ///
    /// It stays if jobs wait for a time and no other worker could watch it.
    pub(super) fn is_surplus(&self, now: Timestamp) -> bool {
        let replaceable = self.runnable > 0 || !self.parked.is_empty();
        self.staff() > self.config.concurrency && (replaceable || self.untimed(now).is_none())
    }

    /// Whether more workers are surplus than will find that out by themselves.
    pub(super) const fn has_parked_surplus(&self) -> bool {
        self.staff() > self.config.concurrency.saturating_add(self.runnable)
    }

    /// Marks a worker as one that ends while the runner goes on.
    pub(in crate::worker) fn retire(&mut self, worker: usize) {
        self.workers[worker].retired = true;
        self.retiring += 1;
    }

    /// What the runner has done, and what it does.
    pub(in crate::worker) fn report(&self) -> RunnerReport {
        let mut report = self.counters.report();
        report.state = match (self.over, self.stopped_at, self.paused) {
            (true, _, _) => RunnerState::Ended,
            (false, Some(_), _) => RunnerState::Stopping,
            (false, None, true) => RunnerState::Paused,
            (false, None, false) => RunnerState::Running,
        };
        report.concurrency = self.config.concurrency;
        report.in_progress = self.in_progress;
        report.backlog = self.backlog.len();
        report
    }

    /// The wakers of busy workers: those that wait for the queue have one.
    pub(super) fn waiting_for_queue(&mut self) -> Vec<Waker> {
        let busy = self.workers.iter_mut().filter(|worker| worker.phase == Phase::Busy);
        busy.filter_map(|worker| worker.waker.take()).collect()
    }

    /// Wakes whoever may have something to do now; the renewer's caller adds workers.
    fn reconsider(&mut self, now: Timestamp) -> Vec<Waker> {
        let mut wakers = self.wake_parked(now);
        wakers.extend(self.renewer.take());
        wakers
    }
}
