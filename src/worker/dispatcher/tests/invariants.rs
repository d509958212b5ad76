//! What holds after every step.

use {
    super::*,
    crate::worker::report::{RunnerReport, RunnerState},
};

impl Model {
    /// A runner that ends by itself does so when nothing is in progress, and not while it is paused.
    pub(super) fn is_over(&self) -> bool {
        let polls = self.count_of(|it| matches!(it, Driver::Receiving(..)));
        let none = match self.setup.end {
            End::Never => false,
            End::NoneVisible => self.seen_empty && polls == 0,
            End::NoneLeft => self.zeros > 1,
        };
        self.is_idle() && self.settling == 0 && none && !self.paused && !self.stopped
    }

    pub(super) fn is_idle(&self) -> bool {
        let held = |it: &(Job, Place)| matches!(it.1, Place::Backlog | Place::InProgress(_));
        !self.jobs.iter().any(held) && self.count_of(|it| matches!(it, Driver::Working(_))) == 0
    }

    pub(super) fn assert_woken(&self, what: &str) {
        let waits = |driver: &Driver| match driver {
            Driver::Receiving(..) | Driver::Counting(..) => true,
            Driver::Parked(_) => self.stopped,
            _ => false,
        };
        let missed = self
            .drivers
            .iter()
            .filter(|(_, it)| waits(&it.0) && !it.1.0.load(Ordering::SeqCst));
        assert_eq!(missed.map(|it| *it.0).collect::<Vec<_>>(), [0; 0], "{what}");
    }

    pub(super) fn report(&self) -> RunnerReport {
        let report = self.dispatcher.report();
        let settled = report.succeeded + report.failed + report.not_deleted;
        let left = report.given_back + report.not_given_back + report.abandoned;
        let held = (report.in_progress + report.backlog) as u64;
        assert_eq!(report.received, settled + left + held, "each job counts once: {report}");
        report
    }

    pub(super) fn check(&self) {
        let of = |which: &dyn Fn(&Place) -> bool| self.jobs.iter().filter(|it| which(&it.1)).count();
        let report = self.report();
        assert_eq!(report.received as usize, self.jobs.len());
        assert_eq!(report.backlog, of(&|it| *it == Place::Backlog));
        assert_eq!(report.in_progress, of(&|it| matches!(it, Place::InProgress(_))));
        assert_eq!(report.abandoned as usize, of(&|it| *it == Place::Abandoned));
        let (held, groups) = (
            of(&|it| !matches!(it, Place::Settled | Place::GivenBack)),
            self.dispatcher.backlog.groups(),
        );
        assert!(groups <= held, "{groups} groups are known of {held} jobs");
        let state = match (self.stopped, self.paused) {
            (true, _) => RunnerState::Stopping,
            (false, true) => RunnerState::Paused,
            (false, false) => RunnerState::Running,
        };
        assert_eq!((report.state, report.concurrency), (state, self.setup.concurrency));
        let long = self.count_of(|it| matches!(it, Driver::Receiving(receive, ..) if !receive.wait_time().is_zero()));
        assert!(long <= 1, "{long} long polls");
        self.check_workers();
        self.check_wakes();
        self.check_timeouts();
    }

    /// A worker is one of runnable, parked and busy, and every list and number says the same.
    fn check_workers(&self) {
        let own = &self.dispatcher;
        let parked: BTreeSet<usize> = own.parked.iter().copied().collect();
        assert_eq!(parked.len(), own.parked.len(), "parked twice");
        for (number, worker) in own.workers.iter().enumerate() {
            assert_eq!(
                worker.phase == Phase::Parked,
                parked.contains(&number),
                "worker {number}"
            );
        }
        let phases = |phase| own.workers.iter().filter(|it| it.phase == phase).count();
        assert_eq!(phases(Phase::Runnable), own.runnable);
        assert_eq!((own.alive, own.retiring), (self.drivers.len(), 0));
        assert_eq!(
            own.workers.len(),
            if self.stopped {
                own.workers.len()
            } else {
                own.alive + own.vacant.len()
            }
        );
        for (number, (driver, flag)) in &self.drivers {
            let phase = own.workers[*number].phase;
            match driver {
                Driver::Asking => assert_ne!(phase, Phase::Parked),
                Driver::Parked(_) if flag.0.load(Ordering::SeqCst) => assert_eq!(phase, Phase::Runnable),
                Driver::Parked(_) => assert_eq!(phase, Phase::Parked),
                _ => assert_eq!(phase, Phase::Busy),
            }
        }
    }

    /// No wake-up is lost.
    fn check_wakes(&self) {
        let up = self.drivers.keys().filter(|worker| self.is_up(**worker)).count();
        // The queue answers a receive by its end.
        let answered = |it: &Driver| matches!(it, Driver::Receiving(_, _, end) if *end <= self.now);
        let up = up + self.count_of(answered);
        let asleep = self.count_of(|it| matches!(it, Driver::Parked(_))) > 0;
        let woken = |worker: &usize| self.drivers[worker].1.0.load(Ordering::SeqCst);
        let asleep = asleep && self.dispatcher.parked.iter().any(|worker| !woken(worker));
        // Time alone may let several begin: whoever is up wakes the others once it has taken its task.
        let by_time = limits::timed(&self.setup) && up > 0;
        assert!(
            self.startable() <= up || !asleep || by_time,
            "{} could begin, {up} are up",
            self.startable()
        );
        let receiving = self.count_of(|it| matches!(it, Driver::Receiving(..) | Driver::Counting(..)));
        // With a timer somebody will ask.
        let timers = self.count_of(|it| matches!(it, Driver::Parked(Some(_))));
        self.check_timer(up, asleep);
        let idle = up + receiving + timers == 0 && asleep && !self.paused && !self.stopped;
        assert!(!idle || self.is_full(), "nobody receives");
        let due = self
            .jobs
            .iter()
            .filter(|it| matches!(it.1, Place::Backlog | Place::InProgress(_)));
        let due = due
            .filter(|it| !it.0.lease().is_lost())
            .map(|it| it.0.lease().renew_at())
            .min();
        if let (Some(until), Some(due), false) = (self.renewer_sleeps, due, self.renewer.0.load(Ordering::SeqCst)) {
            assert!(until <= due, "the renewer sleeps over {due}");
        }
    }

    /// Nothing more is to be received for now.
    fn is_full(&self) -> bool {
        let working = self.count_of(|it| matches!(it, Driver::Working(_)));
        let size = self.dispatcher.config.batch_size;
        let idle = self.setup.concurrency.saturating_sub(working) * size + self.setup.prefetch;
        let backlog = if self.setup.fifo { 0 } else { self.startable_jobs() };
        idle <= backlog
            || self.is_blocked()
            || self.tokens_for_receives() == 0
            || (self.setup.end == End::NoneVisible && self.seen_empty)
    }

    /// Nobody is up: as many work as may, and none is there without need.
    pub(super) fn check_settled(&mut self) {
        let working = self.count_of(|it| matches!(it, Driver::Working(_)));
        let busy = self.drivers.len() - self.count_of(|it| matches!(it, Driver::Parked(_)));
        let nobody_left = busy > working && busy == self.drivers.len();
        assert!(self.startable() == 0 || nobody_left, "{} could begin", self.startable());
        let timer = self.count_of(|it| matches!(it, Driver::Parked(Some(_))));
        assert!(self.stopped || self.drivers.len() <= self.setup.concurrency.max(busy) + timer.min(1));
        self.check_held();
        self.check_blocked();
        let added = if self.setup.on_demand {
            self.dispatcher.add_worker_if_needed(self.now)
        } else {
            self.dispatcher.add_worker()
        };
        assert_eq!(added, None, "a worker is missing");
        assert!(!self.stopped || self.drivers.len() == busy, "nobody parks after a stop");
    }

    /// Stops, lets everybody answer, and looks that nothing is left.
    pub(super) fn end(mut self) {
        self.stop();
        for _ in 0..MAX_TURNS {
            self.settle();
            self.check();
            if self.drivers.is_empty() {
                break;
            }
            self.answer(0, Some(vec![0]));
            self.finish(0, 0, false);
            self.count(0, 0, false);
            self.take(Step::PutOff { nth: 0 });
        }
        assert!(self.drivers.is_empty(), "a worker goes on");
        self.now = self.now.saturating_add(Duration::from_secs(self.setup.give_back_after));
        self.renew();
        self.give_back();
        let final_places = |it: &(Job, Place)| !matches!(it.1, Place::Backlog | Place::InProgress(_));
        assert!(self.jobs.iter().all(final_places), "{:?}", self.jobs);
        assert!(matches!(
            self.dispatcher.next_renewer_task(self.now, Waker::noop()),
            RenewerTask::Over
        ));
        self.dispatcher.end();
        let report = self.report();
        assert_eq!(
            (report.state, report.in_progress, report.backlog),
            (RunnerState::Ended, 0, 0)
        );
    }
}
