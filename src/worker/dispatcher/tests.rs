//! The dispatcher by itself: any sequence of calls against a small model, which its header's invariants make.

mod cases;
mod invariants;
mod limits;
mod steps;
mod stuck;

use {
    super::*,
    crate::{
        backend::{MessageParts, ReceivedMessage},
        clock::{Clock, ManualClock},
        worker::{batch::BatchSettings, job::SpareJobs},
    },
    proptest::prelude::*,
    std::{
        collections::{BTreeMap, BTreeSet},
        sync::{
            Arc,
            atomic::{AtomicBool, Ordering},
        },
        task::Wake,
    },
    steps::{Setup, Step, setup, step},
};

const RENEW_INTERVAL: Duration = Duration::from_secs(10);

/// More turns than this without time passing are a loop without end.
const MAX_TURNS: usize = 10_000;

/// Where a job is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Place {
    Backlog,
    InProgress(usize),
    /// Also while its handler runs on after its timeout.
    Settled,
    /// It left the backlog or was left out, and is to be given back.
    Leaving,
    GivenBack,
    Abandoned,
}

/// What a thread or a future with a permit is about.
#[derive(Debug)]
enum Driver {
    /// It asks for a task as soon as it runs.
    Asking,
    /// It asks again at this instant, if it is not woken before.
    Parked(Option<Timestamp>),
    Working(WorkItem),
    /// With `returns` when it began, and its end if no message comes.
    Receiving(ReceiveTask, usize, Timestamp),
    Counting(u64, u64),
    PuttingOff,
    Ended,
}

#[derive(Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl Flag {
    fn take(&self) -> bool {
        self.0.swap(false, Ordering::SeqCst)
    }
}

struct Model {
    setup: Setup,
    dispatcher: Dispatcher,
    drivers: BTreeMap<usize, (Driver, Arc<Flag>)>,
    renewer: Arc<Flag>,
    /// Until when the renewer sleeps, if it does.
    renewer_sleeps: Option<Timestamp>,
    now: Timestamp,
    /// In the order of their receives.
    jobs: Vec<(Job, Place)>,
    paused: bool,
    stopped: bool,
    timed_out: bool,
    /// Workers whose handlers have timed out, and since when; how many of those calls are being settled.
    stuck: BTreeMap<usize, Timestamp>,
    settling: usize,
    /// When jobs began, and of which groups they are.
    begun: Vec<(Timestamp, String)>,
    /// Numbers of the steps that may have returned a message to the queue, and of those that make a count out of date.
    returns: usize,
    changes: u64,
    seen_empty: bool,
    zeros: u32,
}

impl Model {
    fn new(setup: Setup) -> Self {
        let config = DispatcherConfig {
            concurrency: setup.concurrency,
            prefetch: setup.prefetch,
            batch_size: setup.batch.map_or(1, |batch| batch.size),
            max_messages: 10,
            wait_time: Duration::from_secs(20),
            end: setup.end,
            fifo: setup.fifo,
            give_back_after: Duration::from_secs(setup.give_back_after),
            rate: setup.limits.rate.map(limits::rate),
            receive_ahead: limits::receive_ahead(&setup),
            timed: limits::timed(&setup),
            renew_interval: RENEW_INTERVAL,
            handler_timeout: setup.handler_timeout.map(Duration::from_secs),
        };
        let backlog = Backlog::new(setup.fifo, setup.batch, limits::of_groups(&setup));
        let mut model = Self {
            setup,
            dispatcher: Dispatcher::new(config, backlog, Counters::new("jobs")),
            drivers: BTreeMap::new(),
            renewer: Arc::default(),
            renewer_sleeps: None,
            now: Timestamp::from_millis(1_700_000_000_000),
            jobs: Vec::new(),
            paused: false,
            stopped: false,
            timed_out: false,
            stuck: BTreeMap::new(),
            settling: 0,
            begun: Vec::new(),
            returns: 0,
            changes: 0,
            seen_empty: false,
            zeros: 0,
        };
        model.renew();
        model
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Turn { nth } => self.turn_of(nth),
            Step::Answer { nth, groups } => self.answer(nth, groups),
            Step::Count {
                nth,
                total,
                approximate,
            } => self.count(nth, total, approximate),
            Step::Finish { nth, left_out } => self.finish(nth, left_out, false),
            Step::Fail { nth } => self.finish(nth, 0, true),
            Step::LoseLease { nth } => self.lose_lease(nth),
            Step::GiveBack => self.give_back(),
            Step::PutOff { nth } => {
                if let Some(worker) = self.nth(nth, |it| matches!(it, Driver::PuttingOff)) {
                    self.dispatcher.has_put_off(worker);
                    self.set(worker, Driver::Asking);
                    self.ask(worker, false);
                }
            }
            Step::NotStarted { nth } => self.not_started(nth),
            Step::SettleStuck => self.settle_stuck(),
            Step::Renew => self.renew(),
            Step::Stop => self.stop(),
            Step::Pause => {
                self.paused = true;
                let wakers = self.dispatcher.pause();
                self.wake(wakers);
                self.assert_woken("a pause wakes who waits for the queue");
            }
            Step::Resume => {
                self.paused = false;
                let wakers = self.dispatcher.resume(self.now);
                self.wake(wakers);
            }
            Step::SetConcurrency { concurrency } => {
                if !self.stopped {
                    self.setup.concurrency = concurrency;
                }
                let wakers = self.dispatcher.set_concurrency(concurrency, self.now);
                self.wake(wakers);
            }
            Step::Pass { seconds } => self.now = self.now.saturating_add(Duration::from_secs(seconds)),
            Step::Settle => self.settle(),
            Step::Abandon => self.abandon(),
        }
        self.check();
    }

    // Drivers.

    fn wake(&self, wakers: Vec<Waker>) {
        wakers.into_iter().for_each(Waker::wake);
    }

    /// As the renewer's caller does whenever it runs.
    fn add_workers(&mut self) {
        loop {
            let added = if self.setup.on_demand {
                self.dispatcher.add_worker_if_needed(self.now)
            } else {
                self.dispatcher.add_worker()
            };
            let Some(worker) = added else { return };
            assert!(!self.stopped);
            let before = self.drivers.insert(worker, (Driver::Asking, Arc::default()));
            assert!(before.is_none(), "worker {worker} is there already");
        }
    }

    fn nth(&self, nth: usize, which: impl Fn(&Driver) -> bool) -> Option<usize> {
        let all: Vec<usize> = self
            .drivers
            .iter()
            .filter(|(_, it)| which(&it.0))
            .map(|it| *it.0)
            .collect();
        (!all.is_empty()).then(|| all[nth % all.len()])
    }

    fn count_of(&self, which: impl Fn(&Driver) -> bool) -> usize {
        self.drivers.values().filter(|it| which(&it.0)).count()
    }

    fn set(&mut self, worker: usize, driver: Driver) {
        self.drivers.get_mut(&worker).unwrap().0 = driver;
    }

    /// Whether a worker would run by itself: it asks, was woken, or its timer has fired.
    fn is_up(&self, worker: usize) -> bool {
        let (driver, flag) = &self.drivers[&worker];
        match driver {
            Driver::Asking => true,
            Driver::Parked(at) => flag.0.load(Ordering::SeqCst) || at.is_some_and(|at| at <= self.now),
            _ => false,
        }
    }

    fn turn_of(&mut self, nth: usize) {
        let up: Vec<usize> = self
            .drivers
            .keys()
            .copied()
            .filter(|worker| self.is_up(*worker))
            .collect();
        if !up.is_empty() {
            self.ask(up[nth % up.len()], true);
        }
    }

    /// A worker asks for its task, right after its last one or once it is up again; only then it parks.
    fn ask(&mut self, worker: usize, parks: bool) {
        let flag = Arc::clone(&self.drivers[&worker].1);
        flag.take();
        self.set(worker, Driver::Asking);
        let over = self.dispatcher.is_done(self.now);
        assert_eq!(over.is_some(), self.is_over(), "the runner ends by itself");
        if let Some(wakers) = over {
            self.stopped = true;
            self.wake(wakers);
            self.assert_woken("an end wakes who waits");
        }
        let task = self.dispatcher.next(worker, self.now);
        match task {
            None => {
                let at = parks.then(|| self.dispatcher.park(worker, &Waker::from(flag), self.now));
                assert!(
                    at.flatten().is_none_or(|at| at > self.now),
                    "the timer would fire without end"
                );
                self.set(worker, at.map_or(Driver::Asking, Driver::Parked));
            }
            Some(task) => {
                self.begin(worker, task, &flag);
                let wakers = self.dispatcher.wake_parked(self.now);
                self.wake(wakers);
            }
        }
        if self.setup.on_demand {
            // The workers and the renewer are polled by one task.
            self.add_workers();
        }
    }

    fn begin(&mut self, worker: usize, task: Task, flag: &Arc<Flag>) {
        let goes_on = !self.paused && !self.stopped;
        let driver = match task {
            Task::One(job) => self.begin_item(worker, WorkItem::One(job), goes_on),
            Task::Batch(jobs) => self.begin_item(worker, WorkItem::Batch(jobs), goes_on),
            Task::Receive(receive) => {
                assert!(goes_on && !self.is_blocked() && (1..=10).contains(&receive.max_messages()));
                self.check_receive(&receive);
                self.dispatcher.listen(worker, &Waker::from(Arc::clone(flag)));
                Driver::Receiving(receive, self.returns, self.now.saturating_add(receive.wait_time()))
            }
            Task::Count(changes) => {
                assert!(goes_on && self.setup.end == End::NoneLeft && self.is_idle());
                self.dispatcher.listen(worker, &Waker::from(Arc::clone(flag)));
                Driver::Counting(changes, self.changes)
            }
            Task::PutOff(put_off) => {
                assert!(goes_on);
                self.check_put_off(&put_off);
                Driver::PuttingOff
            }
            Task::End => {
                let staff = self.count_of(|it| !matches!(it, Driver::Ended));
                assert!(
                    self.stopped || staff > self.setup.concurrency,
                    "a worker ends that is needed"
                );
                Driver::Ended
            }
        };
        self.set(worker, driver);
        if matches!(self.drivers[&worker].0, Driver::Ended) {
            let wakers = self.dispatcher.worker_ended(worker, Some(self.now));
            assert!(self.stopped || wakers.is_empty(), "the runner goes on");
            self.wake(wakers);
            self.drivers.remove(&worker);
        }
    }

    /// The jobs of an item were in the backlog; on a FIFO queue they are the first of groups that nobody works on.
    fn begin_item(&mut self, worker: usize, item: WorkItem, goes_on: bool) -> Driver {
        assert!(goes_on);
        let working = self.count_of(|it| matches!(it, Driver::Working(_)));
        assert!(working < self.setup.concurrency, "{working} are in progress");
        assert!((1..=self.dispatcher.config.batch_size).contains(&item.jobs().len()));
        let mut own = BTreeSet::new();
        for job in item.jobs() {
            let at = self.place_of(job);
            assert_eq!(self.jobs[at].1, Place::Backlog, "it begins once");
            let group = job.message_group_id().map(str::to_owned);
            for (number, (other, place)) in self.jobs.iter().enumerate() {
                let earlier = number < at && *place == Place::Backlog;
                let busy = matches!(place, Place::InProgress(_)) && !own.contains(&number);
                let conflicts = (busy || earlier) && self.setup.fifo && other.message_group_id() == group.as_deref();
                assert!(!conflicts, "{number} of the same group is {place:?}");
            }
            own.insert(at);
            self.jobs[at].1 = Place::InProgress(worker);
        }
        self.check_limits(&item);
        self.call(&item);
        Driver::Working(item)
    }

    fn place_of(&self, job: &Job) -> usize {
        let at = self.jobs.iter().position(|(it, _)| it.is(job));
        at.expect("a job that was received")
    }

    fn answer(&mut self, nth: usize, groups: Option<Vec<u8>>) {
        let Some(worker) = self.nth(nth, |it| matches!(it, Driver::Receiving(..))) else {
            return;
        };
        let Driver::Receiving(receive, returns, _) = self.drivers[&worker].0 else {
            return;
        };
        let jobs: Option<Vec<Job>> = groups.map(|groups| {
            let groups = groups.into_iter().take(receive.max_messages());
            groups.map(|group| self.receive(group)).collect()
        });
        self.seen_empty = jobs.as_ref().is_some_and(Vec::is_empty) && returns == self.returns;
        if jobs.as_ref().is_some_and(|jobs| !jobs.is_empty()) {
            self.changed();
        }
        let waker = self.dispatcher.received(worker, receive, jobs.map(Vec::into_iter));
        self.wake(waker.into_iter().collect());
        self.set(worker, Driver::Asking);
        self.ask(worker, false);
    }

    fn receive(&mut self, group: u8) -> Job {
        let parts = MessageParts {
            message_id: self.jobs.len().to_string(),
            message_group_id: Some(format!("g{group}")),
            sequence_number: Some(format!("{:020}", self.jobs.len())),
            approximate_receive_count: 1,
            ..MessageParts::default()
        };
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::default());
        let until = self.now.saturating_add(RENEW_INTERVAL * 3);
        let renew_at = self.now.saturating_add(RENEW_INTERVAL);
        let job = SpareJobs::default().job(ReceivedMessage::from(parts), Some(clock), self.now, until, renew_at);
        self.jobs.push((job.clone(), Place::Backlog));
        job
    }

    fn count(&mut self, nth: usize, total: u64, approximate: bool) {
        let Some(worker) = self.nth(nth, |it| matches!(it, Driver::Counting(..))) else {
            return;
        };
        let Driver::Counting(own, changes) = self.drivers[&worker].0 else {
            return;
        };
        let counts = MessageCounts {
            visible: total,
            approximate,
            ..MessageCounts::default()
        };
        if changes == self.changes {
            self.zeros = if total > 0 {
                0
            } else {
                self.zeros + if approximate { 1 } else { 2 }
            };
        }
        self.dispatcher.counted(worker, own, Some(counts));
        self.set(worker, Driver::Asking);
        self.ask(worker, false);
    }

    fn finish(&mut self, nth: usize, left_out: usize, fails: bool) {
        let Some(worker) = self.nth(nth, |it| matches!(it, Driver::Working(_))) else {
            return;
        };
        let (driver, _) = self.drivers.get_mut(&worker).unwrap();
        let Driver::Working(item) = mem::replace(driver, Driver::Asking) else {
            return;
        };
        let stuck = self.answer_call(worker, &item);
        let (left_out, fails) = if stuck { (0, false) } else { (left_out, fails) };
        if left_out > 0 {
            self.dispatcher.not_begun(worker, left_out);
        }
        for (nth, job) in item.jobs().iter().enumerate() {
            let at = self.place_of(job);
            if self.jobs[at].1 == Place::InProgress(worker) {
                self.jobs[at].1 = if nth < left_out { Place::Leaving } else { Place::Settled };
            }
            if fails {
                let behind = self.dispatcher.abandon_group(job);
                self.leave(at, &behind);
            }
        }
        let outcome = (fails || stuck).then(|| {
            let mut outcome = Box::<Outcome>::default();
            outcome.add(Count::Failed, if fails { item.jobs().len() as u64 } else { 0 });
            outcome
        });
        self.dispatcher.finished(worker, outcome, self.now);
        self.may_have_returned();
        self.changed();
        self.ask(worker, false);
    }

    /// The jobs behind one that failed or was lost leave the backlog: all of its group that were received by then.
    fn leave(&mut self, of: usize, behind: &[Job]) {
        let job = self.jobs[of].0.clone();
        let follows = |(other, place): &(Job, Place)| {
            let same_group = other.message_group_id() == job.message_group_id();
            *place == Place::Backlog && same_group && other.received_at() <= job.received_at()
        };
        let expected: Vec<usize> = (of + 1..self.jobs.len())
            .filter(|at| self.setup.fifo && follows(&self.jobs[*at]))
            .collect();
        let left: Vec<usize> = behind.iter().map(|job| self.place_of(job)).collect();
        assert_eq!(left, expected, "in their order");
        left.into_iter().for_each(|at| self.jobs[at].1 = Place::Leaving);
    }

    fn lose_lease(&mut self, nth: usize) {
        let held = |(_, it): &(usize, &(Job, Place))| {
            matches!(it.1, Place::Backlog | Place::InProgress(_)) && !it.0.lease().is_lost()
        };
        let held: Vec<usize> = self.jobs.iter().enumerate().filter(held).map(|(at, _)| at).collect();
        let Some(at) = held.get(nth % held.len().max(1)).copied() else {
            return;
        };
        let job = self.jobs[at].0.clone();
        job.lease().mark_lost();
        let behind = self.dispatcher.lease_lost(&job);
        let wakers = self.dispatcher.wake_parked(self.now);
        self.wake(wakers);
        self.leave(at, &behind);
        if self.jobs[at].1 == Place::Backlog {
            // It comes back by itself.
            self.jobs[at].1 = Place::Leaving;
        }
    }

    fn give_back(&mut self) {
        let Some(at) = self.jobs.iter().position(|it| it.1 == Place::Leaving) else {
            return;
        };
        self.jobs[at].1 = Place::GivenBack;
        let wakers = self.dispatcher.given_back(1, self.now);
        self.wake(wakers);
        self.may_have_returned();
    }

    fn may_have_returned(&mut self) {
        self.returns += 1;
        self.seen_empty = false;
    }

    fn changed(&mut self) {
        self.changes += 1;
        self.zeros = 0;
    }

    /// The renewer runs until it sleeps or is over.
    fn renew(&mut self) {
        self.renewer.take();
        self.renewer_sleeps = None;
        for _ in 0..MAX_TURNS {
            match self
                .dispatcher
                .next_renewer_task(self.now, &Waker::from(Arc::clone(&self.renewer)))
            {
                RenewerTask::Due(jobs) => self.due(&jobs),
                RenewerTask::GiveBack(jobs) => {
                    assert!(self.stopped || self.is_blocked(), "somebody begins the backlog");
                    for job in &jobs {
                        let at = self.place_of(job);
                        assert_eq!(self.jobs[at].1, Place::Backlog);
                        self.jobs[at].1 = Place::GivenBack;
                    }
                    let wakers = self.dispatcher.given_back(jobs.len(), self.now);
                    self.wake(wakers);
                    self.may_have_returned();
                }
                RenewerTask::GiveBackAbandoned(jobs) => {
                    assert!(self.timed_out);
                    assert!(
                        jobs.iter()
                            .all(|job| self.jobs[self.place_of(job)].1 == Place::Abandoned)
                    );
                }
                RenewerTask::Stuck(stuck) => self.time_out(&stuck),
                RenewerTask::Sleep(until) => {
                    self.renewer_sleeps = Some(until);
                    return self.add_workers();
                }
                RenewerTask::Over => {
                    assert!(self.stopped && self.drivers.is_empty());
                    return;
                }
            }
        }
        panic!("the renewer runs without end");
    }

    fn stop(&mut self) {
        self.stopped = true;
        let wakers = self.dispatcher.stop(self.now, None);
        self.wake(wakers);
        self.assert_woken("a stop wakes who waits");
    }

    /// Whoever is up goes on until nobody is; handlers and the queue do not answer meanwhile.
    fn settle(&mut self) {
        for _ in 0..MAX_TURNS {
            if self.renewer.take() || self.renewer_sleeps.is_some_and(|until| until <= self.now) {
                self.renew();
            }
            let up = self.drivers.keys().copied().find(|worker| self.is_up(*worker));
            match up {
                Some(worker) => self.ask(worker, true),
                None => return self.check_settled(),
            }
        }
        panic!("workers ask without end");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn any_sequence_of_calls_keeps_the_invariants(
        setup in setup(),
        steps in prop::collection::vec(step(), 1..80),
    ) {
        let mut model = Model::new(setup);
        for step in steps {
            model.take(step);
        }
        model.end();
    }
}
