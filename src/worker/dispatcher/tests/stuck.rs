//! Handlers in the model that outlast their timeout.

use super::*;

impl Model {
    /// Whether handlers that have timed out keep all workers from beginning anything.
    pub(super) fn is_blocked(&self) -> bool {
        self.stuck.len() >= self.setup.concurrency
    }

    fn times_out_at(&self, item: &WorkItem) -> Timestamp {
        item.jobs()[0].lease().renew_until()
    }

    /// As a worker that calls the handler.
    pub(super) fn call(&self, item: &WorkItem) {
        if let Some(timeout) = self.setup.handler_timeout {
            let end = self.now.saturating_add(Duration::from_secs(timeout));
            item.jobs().iter().for_each(|job| job.lease().set_renew_until(end));
            item.jobs()[0].lease().begin_poll();
        }
    }

    /// As a worker whose handler has answered; returns whether it had timed out.
    pub(super) fn answer_call(&mut self, worker: usize, item: &WorkItem) -> bool {
        let late = item.jobs()[0].lease().end_poll(true);
        let stuck = self.stuck.remove(&worker).is_some();
        assert_eq!(late, stuck, "each handler that has timed out is found or answers");
        stuck
    }

    /// The jobs of a handler call are settled, and no others, and what is behind them leaves the backlog.
    pub(super) fn time_out(&mut self, stuck: &Stuck) {
        let Place::InProgress(worker) = self.jobs[self.place_of(&stuck.jobs[0])].1 else {
            panic!("it was in progress: {stuck:?}");
        };
        let Driver::Working(item) = &self.drivers[&worker].0 else {
            panic!("worker {worker} works");
        };
        assert!(self.times_out_at(item) <= self.now && item.jobs().len() == stuck.jobs.len());
        assert_eq!(self.stuck.insert(worker, self.now), None, "it is found once");
        self.settling += 1;
        for job in &stuck.jobs {
            job.lease().stop_renewal();
            let at = self.place_of(job);
            self.jobs[at].1 = Place::Settled;
            let group = job.message_group_id();
            // What was received after this job of the batch leaves with a later one.
            let is_left = |it: &&Job| {
                let is_behind = it.message_group_id() == group && it.received_at() <= job.received_at();
                is_behind && self.jobs[self.place_of(it)].1 == Place::Backlog
            };
            let behind: Vec<Job> = stuck.behind.iter().filter(is_left).cloned().collect();
            self.leave(at, &behind);
        }
        let left = |job: &Job| self.jobs[self.place_of(job)].1 == Place::Leaving;
        assert!(stuck.behind.iter().all(left), "each is behind a job that timed out");
        let wakers = self.dispatcher.wake_parked(self.now);
        self.wake(wakers);
    }

    pub(super) fn settle_stuck(&mut self) {
        if self.settling > 0 {
            self.settling -= 1;
            let wakers = self.dispatcher.stuck_settled(self.now);
            self.wake(wakers);
            self.may_have_returned();
            self.changed();
        }
    }

    /// The renewer does not sleep over a timeout.
    pub(super) fn check_timeouts(&self) {
        let (Some(until), true) = (self.renewer_sleeps, self.setup.handler_timeout.is_some()) else {
            return;
        };
        let ends = self.drivers.iter().filter_map(|(worker, (driver, _))| match driver {
            Driver::Working(item) if !self.stuck.contains_key(worker) => Some(self.times_out_at(item)),
            _ => None,
        });
        let first = ends
            .min()
            .filter(|_| !self.timed_out && !self.renewer.0.load(Ordering::SeqCst));
        assert!(
            first.is_none_or(|end| until <= end),
            "the renewer sleeps over a timeout"
        );
    }

    /// Nobody is up: timeouts are found, and what no worker can begin has gone back.
    pub(super) fn check_blocked(&self) {
        let found = |(worker, (driver, _)): (&usize, &(Driver, Arc<Flag>))| match driver {
            Driver::Working(item) => self.times_out_at(item) > self.now || self.stuck.contains_key(worker),
            _ => true,
        };
        assert!(
            self.timed_out || self.drivers.iter().all(found),
            "a timeout is not found"
        );
        let wait = Duration::from_secs(self.setup.give_back_after);
        let since = self.stuck.values().max().filter(|_| self.is_blocked());
        let due = since.is_some_and(|since| since.saturating_add(wait) <= self.now);
        let left = self.jobs.iter().filter(|it| it.1 == Place::Backlog).count();
        assert!(
            !due || left == 0,
            "{left} stay in the backlog, and nobody can begin them"
        );
    }
}
