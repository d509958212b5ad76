//! Runs one schedule: messages are sent, runners work, stop, crash and are replaced, and in the end all is accounted for.

use {
    super::{
        case::{Act, Case, Dice, Net, RunnerPlan},
        faulty::Faulty,
        ledger::{Entry, Ledger},
        limits::{Limits, Running, Watch},
    },
    crate::{
        common::{DAY, counts, in_group, millis, secs},
        driver::{Run, World, after},
    },
    requeue::{
        ManualClock, Queue,
        backend::MessageQueue,
        worker::{
            BatchAnswer, BatchSettings, Failure, Job, Runner, RunnerError, RunnerEvent, RunnerHandle, RunnerReport,
        },
    },
    std::{cell::RefCell, future::pending, ops::AddAssign, panic::resume_unwind, rc::Rc, time::Duration},
};

type Ends = Run<Result<RunnerReport, RunnerError>>;

/// What cases came across, so that a test can tell that they were worth running.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) received: u64,
    handled: u64,
    overlaps: u64,
    faults: u64,
    crashes: u64,
    given_back: u64,
    abandoned: u64,
    lost: u64,
    panicked: u64,
    timed_out: u64,
    not_deleted: u64,
    heartbeats: u64,
}

impl AddAssign for Seen {
    fn add_assign(&mut self, other: Self) {
        self.received += other.received;
        self.handled += other.handled;
        self.overlaps += other.overlaps;
        self.faults += other.faults;
        self.crashes += other.crashes;
        self.given_back += other.given_back;
        self.abandoned += other.abandoned;
        self.lost += other.lost;
        self.panicked += other.panicked;
        self.timed_out += other.timed_out;
        self.not_deleted += other.not_deleted;
        self.heartbeats += other.heartbeats;
    }
}

impl Seen {
    fn add(&mut self, report: &RunnerReport) {
        self.received += report.received;
        self.given_back += report.given_back;
        self.abandoned += report.abandoned;
        self.lost += report.lost;
        self.panicked += report.panicked;
        self.timed_out += report.timed_out;
        self.not_deleted += report.not_deleted;
        self.heartbeats += report.heartbeats;
    }

    pub(crate) fn assert_worth_it(&self, fifo: bool, net: Net, cases: u64) {
        let often = [
            self.crashes,
            self.given_back,
            self.abandoned,
            self.panicked,
            self.timed_out,
            self.heartbeats,
        ];
        assert!(
            self.handled > cases * 10 && often.iter().all(|count| *count * 10 > cases),
            "{self:?}"
        );
        assert_eq!(self.faults > 0, net != Net::None);
        if net == Net::Worst {
            assert!(self.lost > 0 && self.not_deleted > 0, "{self:?}");
            assert_eq!(self.overlaps > 0, !fifo, "{self:?}");
        }
    }
}

/// What a handler does is drawn when it begins.
struct Handler {
    ledger: Ledger,
    clock: ManualClock,
    dice: Rc<RefCell<Dice>>,
    /// Everything succeeds.
    calm: bool,
    watch: Option<Watch>,
}

impl Handler {
    fn draw(&self) -> (Act, Duration) {
        let mut dice = self.dice.borrow_mut();
        let act = if self.calm { Act::Succeed } else { Act::draw(&mut dice) };
        let span = match dice.below(4) {
            0 => Duration::ZERO,
            1 | 2 => millis(dice.below(3_000)),
            _ => secs(dice.below(40)),
        };
        (act, span)
    }

    /// Counts the jobs of a call as begun, and as running until both are dropped.
    fn begin(&self, jobs: &[Job]) -> (Entry, Option<Running>) {
        (self.ledger.begin(jobs), self.watch.as_ref().map(|it| it.begin(jobs)))
    }

    fn one(&self, job: Job) -> impl Future<Output = Result<(), Failure>> + use<> {
        let (act, span) = self.draw();
        let (ledger, clock) = (self.ledger.clone(), self.clock.clone());
        let entry = self.begin(std::slice::from_ref(&job));
        async move {
            let _entry = entry;
            after(&clock, span).await;
            let result = carry_out(act, &job, &ledger).await;
            if matches!(act, Act::RetryAfter) {
                ledger.put_off(job.body());
            }
            result
        }
    }

    fn many(&self, batch: Vec<Job>) -> impl Future<Output = BatchAnswer> + use<> {
        let acts: Vec<_> = batch.iter().map(|_| self.draw()).collect();
        let (ledger, clock) = (self.ledger.clone(), self.clock.clone());
        let entry = self.begin(&batch);
        async move {
            let _entry = entry;
            let mut answer = BatchAnswer::success();
            let (mut stopped, mut put_off): (Vec<&str>, Vec<&Job>) = (Vec::new(), Vec::new());
            for (job, (act, span)) in batch.iter().zip(acts) {
                // As E21 has it: after a failure its group is left alone.
                let group = job.message_group_id().unwrap_or_default();
                if ledger.is_fifo() && stopped.contains(&group) {
                    put_off.push(job);
                    continue;
                }
                after(&clock, span / 4).await;
                if let Err(failure) = carry_out(act, job, &ledger).await {
                    put_off.extend(matches!(act, Act::RetryAfter).then_some(job));
                    answer = answer.fail(job, failure);
                    stopped.push(group);
                }
            }
            put_off.iter().for_each(|job| ledger.put_off(job.body()));
            answer
        }
    }
}

async fn carry_out(act: Act, job: &Job, ledger: &Ledger) -> Result<(), Failure> {
    match act {
        Act::Succeed => {
            ledger.complete(job);
            Ok(())
        }
        Act::Fail => Err("no".into()),
        Act::Panic => resume_unwind(Box::new("no")),
        Act::RetryAfter => Err(Failure::retry_after(secs(3), "later")),
        Act::DeadLetter => {
            ledger.give_up(job.body());
            Err(Failure::dead_letter("poison"))
        }
        Act::Discard => {
            ledger.give_up(job.body());
            Err(Failure::discard("old"))
        }
        Act::Hang => pending().await,
    }
}

/// What a stop cannot return in its time comes back by itself, and so does what was being settled then.
async fn excusing<E>(ledger: Ledger, run: impl Future<Output = Result<RunnerReport, E>>) -> Result<RunnerReport, E> {
    let report = run.await?;
    if report.not_given_back + report.abandoned > 0 {
        ledger.excuse_all_received();
    }
    Ok(report)
}

/// Begins a runner by this plan.
fn start<Q: MessageQueue + Clone>(
    world: &mut World,
    queue: &Q,
    plan: &RunnerPlan,
    mut handler: Handler,
    until_none_visible: bool,
) -> (RunnerHandle, Ends) {
    // Without it a window that is too long is refused (E23).
    let heartbeat = plan.heartbeat || plan.batch.is_some() && !plan.window.is_zero();
    let mut builder = Runner::builder(queue)
        .concurrency(plan.concurrency)
        .prefetch(if heartbeat { plan.prefetch } else { 0 })
        .failure_policy(plan.policy)
        .heartbeat(heartbeat)
        // Faults come one after the other, with jumps of the clock between them.
        .outage_timeout(DAY)
        .shutdown_timeout(plan.shutdown_timeout);
    builder = plan.limits.set(builder);
    handler.watch = Some(Watch::new(plan.limits, &handler.ledger, &world.clock));
    let ledger = handler.ledger.clone();
    let excuses = ledger.excuses.clone();
    builder = builder.on_event(move |event| match event {
        RunnerEvent::LeaseLost { job, .. } | RunnerEvent::LeftToTimeout { job, .. } => excuses.add(job.body()),
        _ => {}
    });
    if let Some(timeout) = plan.handler_timeout {
        builder = builder.handler_timeout(timeout);
    }
    if until_none_visible {
        builder = builder.until_none_visible();
    }
    match plan.batch {
        None => {
            let runner = builder.each_async(move |job: Job| handler.one(job)).unwrap();
            (runner.handle(), world.start(excusing(ledger, runner.run())))
        }
        Some(size) => {
            let settings = BatchSettings::new(size).window(plan.window);
            let runner = builder.batch_async(settings, move |batch: Vec<Job>| handler.many(batch));
            let runner = runner.unwrap();
            (runner.handle(), world.start(excusing(ledger, runner.run())))
        }
    }
}

fn assert_adds_up(report: &RunnerReport, over: bool, case: &Case) {
    let settled = report.succeeded + report.failed + report.postponed + report.out_of_order + report.not_deleted;
    let others = report.given_back + report.not_given_back + report.abandoned;
    let known = settled + others;
    // Jobs that a runner holds when it crashes count nowhere.
    assert!(
        known == report.received || (!over && known < report.received),
        "{report:?}: {case:?}"
    );
}

/// A schedule under way.
struct Stage {
    case: Case,
    world: World,
    jobs: Queue,
    dead: Queue,
    faulty: Faulty,
    ledger: Ledger,
    dice: Rc<RefCell<Dice>>,
    live: Vec<(RunnerHandle, Ends)>,
    /// Stopped, and not over yet.
    stopping: Vec<(RunnerHandle, Ends)>,
    seen: Seen,
}

impl Stage {
    fn new(case: &Case) -> Self {
        let world = World::new();
        let clock = &world.clock;
        let (dead, jobs) = match case.fifo {
            true => (
                Queue::fifo("dead.fifo"),
                Queue::fifo("jobs.fifo").content_based_deduplication(true),
            ),
            false => (Queue::standard("dead"), Queue::standard("jobs")),
        };
        let dead = dead.clock(clock.clone()).seed(case.seed).build().unwrap();
        // A queue without a limit has a dead-letter queue all the same, for handlers that give up.
        let max_receive_count = case.max_receive_count.unwrap_or(1_000);
        let jobs = jobs
            .clock(clock.clone())
            .seed(case.seed)
            .visibility_timeout(case.visibility);
        let jobs = jobs.dead_letter(&dead, max_receive_count).build().unwrap();
        let ledger = Ledger::new(case, &jobs);
        Self {
            case: case.clone(),
            faulty: Faulty::new(&jobs, clock, case, &ledger.excuses),
            ledger,
            dice: Rc::new(RefCell::new(Dice::new(case.seed ^ 0xd1ce))),
            live: Vec::new(),
            stopping: Vec::new(),
            seen: Seen::default(),
            world,
            jobs,
            dead,
        }
    }

    fn below(&self, end: u64) -> u64 {
        self.dice.borrow_mut().below(end)
    }

    fn handler(&self, calm: bool) -> Handler {
        Handler {
            ledger: self.ledger.clone(),
            clock: self.world.clock.clone(),
            dice: Rc::clone(&self.dice),
            calm,
            watch: None,
        }
    }

    fn hire(&mut self) {
        let plan = RunnerPlan::draw(&mut self.dice.borrow_mut(), &self.case);
        let handler = self.handler(false);
        let started = start(&mut self.world, &self.faulty, &plan, handler, false);
        self.live.push(started);
    }

    /// Lets so much happen that the next event comes at any point of a call or a handler.
    fn go_on(&mut self) {
        let span = match self.below(3) {
            0 => 1 + self.below(2_000),
            _ => 1 + self.below(20_000),
        };
        self.world.advance(millis(span));
        for _ in 0..self.below(12) {
            if !self.world.step() {
                let Some(deadline) = self.world.clock.next_deadline() else {
                    break;
                };
                self.world.clock.advance_to(deadline);
            }
        }
    }

    /// Ends one runner, by a stop or by a crash.
    fn end_one(&mut self) {
        let at = self.below(self.live.len() as u64) as usize;
        let (handle, run) = self.live.swap_remove(at);
        if self.below(2) == 0 {
            self.ledger.excuse_all_received();
            self.world.kill(&run);
            self.seen.crashes += 1;
            let report = handle.report();
            assert_adds_up(&report, false, &self.case);
            self.seen.add(&report);
        } else {
            handle.stop();
            self.stopping.push((handle, run));
        }
    }

    /// Brings what was stopped to its end; some of it crashes on the way.
    fn collect(&mut self, all: bool) {
        for (handle, run) in std::mem::take(&mut self.stopping) {
            if all || run.is_done() {
                let report = self.world.finish(run).unwrap();
                assert_adds_up(&report, true, &self.case);
                self.seen.add(&report);
            } else {
                self.stopping.push((handle, run));
            }
        }
    }

    /// A calm runner without faults does what is left.
    fn drain(&mut self) {
        // Late calls arrive, leases end, pauses pass.
        self.world.advance(secs(60));
        let mut dice = Dice::new(1);
        let plan = RunnerPlan {
            heartbeat: true,
            handler_timeout: None,
            limits: Limits::default(),
            ..RunnerPlan::draw(&mut dice, &self.case)
        };
        for _ in 0..2 {
            let handler = self.handler(true);
            let jobs = self.jobs.clone();
            let (_, run) = start(&mut self.world, &jobs, &plan, handler, true);
            let report = self.world.finish(run).unwrap();
            assert_adds_up(&report, true, &self.case);
            self.world.advance(secs(60));
        }
        assert_eq!(counts(&self.jobs), [0, 0, 0], "{:?}", self.case);
    }
}

/// Runs a case to its end.
pub(crate) fn run(case: &Case) -> Seen {
    let mut stage = Stage::new(case);
    let bodies: Vec<String> = (0..case.messages)
        .map(|number| format!("g{}-{number:02}", stage.below(case.groups)))
        .collect();
    let at_once = stage.below(1 + case.messages as u64) as usize;
    let (first, later) = bodies.split_at(at_once);
    for body in first {
        stage
            .jobs
            .send(in_group(body.split('-').next().unwrap(), body))
            .unwrap();
    }
    for _ in 0..case.runners {
        stage.hire();
    }
    let mut later = later.iter();
    for _ in 0..case.ends {
        stage.go_on();
        for body in later.by_ref().take(1 + at_once % 4) {
            stage
                .jobs
                .send(in_group(body.split('-').next().unwrap(), body))
                .unwrap();
        }
        stage.end_one();
        stage.hire();
        stage.collect(false);
    }
    for body in later {
        stage
            .jobs
            .send(in_group(body.split('-').next().unwrap(), body))
            .unwrap();
    }
    stage.go_on();
    while !stage.live.is_empty() {
        stage.end_one();
        stage.go_on();
    }
    stage.collect(true);
    stage.drain();
    stage.ledger.assert_accounted_for(&bodies, &stage.dead);
    stage.seen.handled = stage.ledger.handled();
    stage.seen.overlaps = stage.ledger.overlaps();
    stage.seen.faults = stage.faulty.struck().len() as u64;
    stage.seen
}
