//! The workers of the lab do what real runners do: the same facts at the same instants.

use {
    super::{Facts, run, scenario},
    crate::{
        backend::Backoff,
        clock::{Clock, ManualClock, Until},
        message::SendMessage,
        queue::Queue,
        sim::{
            draw::{Streams, generator, uniform},
            engine::{facts::Numbered, fleet::FleetState, setup::measured_fleet, window::micros, worker::Ending},
            scenario::{DeployKind, FailurePolicy, Fleet, Scenario},
        },
        state::{Fact, FactEntry},
        sync::Mutex,
        time::Timestamp,
        worker::{self, Job, Runner, RunnerHandle},
    },
    std::{
        cell::{Cell, RefCell},
        collections::{BTreeMap, VecDeque},
        future::{Future, poll_fn},
        pin::{Pin, pin},
        rc::Rc,
        sync::Arc,
        task::{Context, Poll, Wake, Waker},
        time::Duration,
    },
};

type Named = (String, FactEntry);

/// Futures on one thread, polled in the order in which they were woken, and the clock that they go by.
struct Executor {
    clock: ManualClock,
    started_at: Timestamp,
    woken: Arc<Mutex<VecDeque<usize>>>,
    tasks: Vec<Option<Pin<Box<dyn Future<Output = ()>>>>>,
}

struct WakeTask {
    task: usize,
    woken: Arc<Mutex<VecDeque<usize>>>,
}

impl Wake for WakeTask {
    fn wake(self: Arc<Self>) {
        let mut woken = self.woken.lock();
        if !woken.contains(&self.task) {
            woken.push_back(self.task);
        }
    }
}

impl Executor {
    fn new(clock: &ManualClock) -> Self {
        Self {
            clock: clock.clone(),
            started_at: clock.now(),
            woken: Arc::default(),
            tasks: Vec::new(),
        }
    }

    fn start(&mut self, future: impl Future<Output = ()> + 'static) {
        self.woken.lock().push_back(self.tasks.len());
        self.tasks.push(Some(Box::pin(future)));
    }

    fn settle(&mut self) {
        for _ in 0..100_000 {
            let Some(task) = self.woken.lock().pop_front() else {
                return;
            };
            let woken = Arc::clone(&self.woken);
            let waker = Waker::from(Arc::new(WakeTask { task, woken }));
            let Some(future) = self.tasks[task].as_mut() else {
                continue;
            };
            if future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
                self.tasks[task] = None;
            }
        }
        panic!(
            "polled without end at {:?}",
            self.clock.now().saturating_duration_since(self.started_at)
        );
    }

    /// Lets time pass from deadline to deadline until shortly before the end.
    fn run(&mut self, span: Duration) {
        let end = self.started_at.saturating_add(span);
        self.settle();
        while let Some(deadline) = self.clock.next_deadline().filter(|it| *it < end) {
            self.clock.advance_to(deadline);
            self.settle();
        }
        self.clock.advance_to(end.saturating_sub(Duration::from_millis(1)));
    }
}

/// What tells a worker to stop, and others that it has started.
#[derive(Default)]
struct Signal {
    stop: Cell<Option<Stop>>,
    starts: Cell<u32>,
    wakers: RefCell<Vec<Waker>>,
}

#[derive(Clone, Copy)]
struct Stop {
    graceful: bool,
    restart_time: Duration,
}

impl Signal {
    fn change(&self) {
        self.wakers.borrow_mut().drain(..).for_each(Waker::wake);
    }

    async fn stop(&self) -> Stop {
        poll_fn(|context| {
            if let Some(stop) = self.stop.take() {
                return Poll::Ready(stop);
            }
            self.wakers.borrow_mut().push(context.waker().clone());
            Poll::Pending
        })
        .await
    }

    async fn started(&self, before: u32) {
        poll_fn(|context| {
            if self.starts.get() > before {
                return Poll::Ready(());
            }
            self.wakers.borrow_mut().push(context.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

struct World {
    scenario: Scenario,
    clock: Arc<dyn Clock>,
    started_at: Timestamp,
    streams: Streams,
    queues: BTreeMap<String, Queue>,
}

impl World {
    fn after(&self, span: Duration) -> Until {
        Until::new(&self.clock, self.clock.now().saturating_add(span))
    }

    fn at(&self, at: Duration) -> Until {
        Until::new(&self.clock, self.started_at.saturating_add(at))
    }

    fn time(&self) -> Duration {
        self.clock.now().saturating_duration_since(self.started_at)
    }

    fn is_poison(&self, numbered: Numbered) -> bool {
        let (name, producer) = self.scenario.producer.iter().nth(numbered.producer as usize).unwrap();
        let key = self.streams.key("poison", name);
        uniform(&mut generator(key, numbered.number, 0)) < producer.poison_share
    }
}

/// Sends what the lab has sent, when it did.
async fn send_all(world: Rc<World>, sends: Vec<Named>) {
    let mut sent = BTreeMap::new();
    for (queue, entry) in sends {
        world.at(entry.at.saturating_duration_since(world.started_at)).await;
        let Fact::Sent { content, .. } = &entry.fact else {
            continue;
        };
        // A queue has one producer in these scenarios.
        let mut producers = (0..).zip(world.scenario.producer.values());
        let (producer, config) = producers.find(|it| it.1.queue == queue).unwrap();
        let number = sent.entry(queue.clone()).or_insert(0);
        let numbered = Numbered {
            producer,
            number: *number,
            group: None,
        };
        *number += 1;
        let mut body = String::new();
        numbered.write(&mut body, 0);
        let mut message = SendMessage::new(body);
        if let Some(id) = content.group_id() {
            message = message.message_group_id(id);
        }
        if let Some(id) = content.deduplication_id() {
            message = message.message_deduplication_id(id);
        }
        if let Some(delay) = config.delay {
            message = message.delay(delay);
        }
        world.queues[&queue].send(message).unwrap();
    }
}

type Outcome = Pin<Box<dyn Future<Output = Result<(), &'static str>>>>;

/// A handler that takes as long as the lab's and ends as it does.
fn handler(world: &Rc<World>, fleet: &Rc<FleetState>) -> impl Fn(Job) -> Outcome + use<> {
    let (world, fleet) = (Rc::clone(world), Rc::clone(fleet));
    move |job| {
        let (world, fleet) = (Rc::clone(&world), Rc::clone(&fleet));
        Box::pin(async move {
            let numbered = Numbered::read(job.body()).unwrap();
            let (attempt, poison) = (job.approximate_receive_count(), world.is_poison(numbered));
            let course = fleet.course(numbered.key(), attempt, poison, micros(world.time()));
            world.after(Duration::from_micros(course.takes)).await;
            match course.ending {
                Ending::Success => Ok(()),
                _ => Err("failed"),
            }
        })
    }
}

fn runner(world: &Rc<World>, fleet: &Rc<FleetState>) -> (RunnerHandle, Pin<Box<dyn Future<Output = ()>>>) {
    let config = &world.scenario.fleet[&fleet.name];
    let mut builder = Runner::builder(&world.queues[&config.queue])
        .concurrency(config.concurrency)
        .prefetch(config.prefetch)
        .max_messages(config.max_messages)
        .wait_time(config.wait_time)
        .heartbeat(config.heartbeat)
        .shutdown_timeout(config.shutdown_timeout)
        .seed(world.streams.key("backoff", &fleet.name))
        .failure_policy(match config.failure_policy {
            FailurePolicy::LeaveToTimeout => worker::FailurePolicy::LeaveToTimeout,
            FailurePolicy::RetryNow => worker::FailurePolicy::RetryNow,
            FailurePolicy::Backoff { base, max } => worker::FailurePolicy::Backoff(Backoff::new(base, max)),
        });
    if let Some(timeout) = config.visibility_timeout {
        builder = builder.visibility_timeout(timeout);
    }
    if let Some(timeout) = config.handler_timeout {
        builder = builder.handler_timeout(timeout);
    }
    let runner = builder.each_async(handler(world, fleet)).unwrap();
    let run = |runner: Runner<_, _>| async move { runner.run().await.map(drop).unwrap() };
    (runner.handle(), Box::pin(run(runner)))
}

/// One worker of a fleet: a runner, and after its end the next.
async fn work(world: Rc<World>, fleet: Rc<FleetState>, place: u32, signal: Rc<Signal>) {
    // To the microsecond, as the lab has it.
    let mut started_at = Duration::ZERO;
    loop {
        let starts = signal.starts.get() + 1;
        let (handle, mut run) = runner(&world, &fleet);
        let crash_after = fleet.crash_after(place, starts).map(Duration::from_micros);
        let crashes_at = crash_after.map(|after| started_at + after);
        let crash = async {
            match crashes_at {
                Some(at) => world.at(at).await,
                None => std::future::pending().await,
            }
        };
        let mut crash = pin!(crash);
        let mut stop = Some(Box::pin(signal.stop()));
        let mut restart = None;
        let mut told = false;
        let away = poll_fn(|context| {
            let over = run.as_mut().poll(context).is_ready();
            if !told {
                told = true;
                signal.starts.set(starts);
                signal.change();
            }
            if over {
                return Poll::Ready((world.time(), restart.unwrap()));
            }
            if let Some(Poll::Ready(told)) = stop.as_mut().map(|it| it.as_mut().poll(context)) {
                stop = None;
                restart = Some(told.restart_time);
                if !told.graceful {
                    return Poll::Ready((world.time(), told.restart_time));
                }
                handle.stop();
                context.waker().wake_by_ref();
            }
            crash.as_mut().poll(context).map(|()| {
                let crashes = world.scenario.fleet[&fleet.name].crashes.unwrap();
                (crashes_at.unwrap(), restart.unwrap_or(crashes.restart_time))
            })
        });
        let (ended_at, away) = away.await;
        drop(run);
        started_at = ended_at + away;
        world.at(started_at).await;
    }
}

async fn deploy(world: Rc<World>, config: Fleet, signals: Vec<Rc<Signal>>) {
    for deploy in &config.deploys {
        world.at(deploy.at).await;
        let Some(stop) = Some(Stop {
            graceful: deploy.graceful,
            restart_time: deploy.restart_time,
        }) else {
            continue;
        };
        for signal in &signals {
            let starts = signal.starts.get();
            signal.stop.set(Some(stop));
            signal.change();
            if deploy.kind == DeployKind::Rolling {
                signal.started(starts).await;
            }
        }
    }
}

/// What the queues report if runners do the work.
fn by_runners(scenario: &Scenario, sends: Vec<Named>) -> Vec<Named> {
    let (clock, facts) = (ManualClock::default(), Facts::default());
    let streams = Streams::new(scenario.seed, 0);
    let queues = scenario.build_queues(|name, builder| {
        let builder = builder.clock(clock.clone()).seed(streams.key("queue", name));
        builder.listener(facts.listener(name))
    });
    let mut executor = Executor::new(&clock);
    let world = Rc::new(World {
        scenario: scenario.clone(),
        clock: Arc::new(clock.clone()),
        started_at: clock.now(),
        streams,
        queues: queues.unwrap(),
    });
    executor.start(send_all(Rc::clone(&world), sends));
    for (name, config) in &scenario.fleet {
        // The runner has a timeout of its own.
        let mut plain = config.clone();
        plain.handler_timeout = None;
        let measured = measured_fleet(&config.queue, scenario.points);
        let queue = (0, &world.queues[&config.queue]);
        let fleet = Rc::new(FleetState::new(name, &plain, streams, queue, None, measured));
        let signals: Vec<Rc<Signal>> = (0..config.workers).map(|_| Rc::default()).collect();
        executor.start(deploy(Rc::clone(&world), config.clone(), signals.clone()));
        for (place, signal) in (0..).zip(signals) {
            executor.start(work(Rc::clone(&world), Rc::clone(&fleet), place, signal));
        }
    }
    executor.run(scenario.horizon);
    facts.take()
}

/// The facts in lines, in order; message ids are told by the numbers of the messages where `ids` does not ask for them.
fn lines(facts: &[Named], ids: bool) -> Vec<(Duration, String)> {
    let started_at = ManualClock::default().now();
    let mut names = BTreeMap::new();
    let named = facts.iter().map(|(queue, entry)| {
        let mut fact = match &entry.fact {
            // The bodies of the lab carry no number.
            Fact::Sent {
                message_id,
                content,
                visible_at,
                ..
            } => format!("Sent {message_id} {:?} {visible_at:?}", content.group_id()),
            Fact::Arrived { message_id, .. } => format!("Arrived {message_id}"),
            fact => format!("{fact:?}"),
        };
        if let (Fact::Sent { message_id, .. }, false) = (&entry.fact, ids) {
            let number = names.len();
            names.insert(message_id.to_string(), format!("[{number}]"));
        }
        if let Some(id) = entry.fact.message_id().map(|it| it.to_string()) {
            let number = names.get(&id).unwrap_or(&id);
            fact = fact.replace(&id, number);
        }
        let number = if ids { entry.number } else { 0 };
        (
            entry.at.saturating_duration_since(started_at),
            format!("{queue} {number} {fact}"),
        )
    });
    named.collect()
}

fn both(scenario: &Scenario) -> (Vec<Named>, Vec<Named>) {
    let (_, lab) = run(scenario);
    let sends = lab
        .iter()
        .filter(|it| matches!(it.1.fact, Fact::Sent { .. }))
        .cloned()
        .collect();
    let runners = by_runners(scenario, sends);
    // At the end itself the lab only looks.
    let end = ManualClock::default()
        .now()
        .saturating_add(scenario.horizon - Duration::from_secs(1));
    let before = |facts: Vec<Named>| facts.into_iter().filter(|it| it.1.at < end).collect();
    (before(lab), before(runners))
}

/// Where they differ, if they do.
fn difference(lab: &[(Duration, String)], runners: &[(Duration, String)]) -> Option<String> {
    let at = (0..lab.len().max(runners.len())).find(|at| lab.get(*at) != runners.get(*at))?;
    let part = |facts: &[(Duration, String)]| -> String {
        let part = facts.iter().skip(at.saturating_sub(8)).take(16);
        part.map(|(at, line)| format!("  {at:?} {}\n", line.chars().take(130).collect::<String>()))
            .collect()
    };
    Some(format!(
        "they differ at fact {at}\nlab:\n{}runners:\n{}",
        part(lab),
        part(runners)
    ))
}

/// Asserts that both report the same, fact by fact, with the numbers of the facts and the ids of the messages.
#[track_caller]
fn assert_same_in_order(scenario: &Scenario) -> Vec<Named> {
    let (lab, runners) = both(scenario);
    if let Some(difference) = difference(&lines(&lab, true), &lines(&runners, true)) {
        panic!("{difference}");
    }
    lab
}

/// How both differ, if they do, in what happens at each instant to which message. What several workers do at one instant
/// has no order that they promise, and a queue draws the ids of messages by how often it was asked.
fn compare(scenario: &Scenario) -> (Vec<Named>, Option<String>) {
    let (lab, runners) = both(scenario);
    let sorted = |facts| {
        let mut lines = lines(facts, false);
        lines.sort();
        lines
    };
    let difference = difference(&sorted(&lab), &sorted(&runners));
    (lab, difference)
}

/// Asserts that both report the same at each instant.
#[track_caller]
fn assert_same(scenario: &Scenario) -> Vec<Named> {
    let (lab, difference) = compare(scenario);
    if let Some(difference) = difference {
        panic!("{difference}");
    }
    lab
}

fn count(facts: &[Named], is: impl Fn(&Fact) -> bool) -> usize {
    facts.iter().filter(|it| is(&it.1.fact)).count()
}

/// A scenario of one queue `jobs`, with these lines in the tables of the queue, the producer and the fleet.
fn jobs(queue: &str, producer: &str, fleet: &str) -> Scenario {
    scenario(&format!(
        "
horizon = 100
[queue.jobs]
{queue}
[producer.web]
queue = 'jobs'
{producer}
[fleet.workers]
queue = 'jobs'
{fleet}
"
    ))
}

fn deleted(facts: &[Named]) -> usize {
    count(facts, |it| matches!(it, Fact::Deleted { .. }))
}

fn reasons(facts: &[Named]) -> Vec<String> {
    let reasons = facts.iter().filter_map(|it| match &it.1.fact {
        Fact::Failed { reason, .. } => Some(reason.to_string()),
        _ => None,
    });
    reasons.collect()
}

const SENDS: &str = "arrivals.constant = { rate = 1.6 }";

#[test]
fn one_worker_that_succeeds_does_what_a_runner_does() {
    let facts = assert_same_in_order(&jobs("", SENDS, "service.constant = { time = 0.43 }"));
    assert!(deleted(&facts) > 150);
}

#[test]
fn several_workers_do_what_runners_do() {
    let fleet = "
workers = 3
concurrency = 2
service.constant = { time = 2.77 }";
    let facts = assert_same(&jobs("", SENDS, fleet));
    assert!(deleted(&facts) > 150);
}

#[test]
fn batches_of_messages_ahead_of_the_handlers_are_received_as_a_runner_does() {
    for (concurrency, prefetch, max_messages) in [(1, 5, 10), (2, 7, 3), (12, 0, 10), (3, 30, 10)] {
        let fleet = format!(
            "
concurrency = {concurrency}
prefetch = {prefetch}
max_messages = {max_messages}
visibility_timeout = 3
service.constant = {{ time = 1.37 }}"
        );
        let facts = assert_same(&jobs(
            "",
            "arrivals.constant = { rate = 4 }\nbatch_size = 10\nbatch_window = 4",
            &fleet,
        ));
        assert!(deleted(&facts) > 50);
        assert!(concurrency == 12 || count(&facts, |it| matches!(it, Fact::VisibilityChanged { .. })) > 50);
    }
}

#[test]
fn failures_end_as_a_runner_ends_them_by_each_policy() {
    let policies = [
        "'leave_to_timeout'",
        "'retry_now'",
        "{ backoff = { base = 0.7, max = 20 } }",
    ];
    for policy in policies {
        for (workers, concurrency) in [(1, 1), (2, 3), (3, 1)] {
            if workers > 1 && policy.contains("backoff") {
                // It is drawn by the ids of the messages.
                continue;
            }
            let fleet = format!(
                "
workers = {workers}
concurrency = {concurrency}
failure_policy = {policy}
failure_probability = 0.5
visibility_timeout = 7.317
service.constant = {{ time = 0.43 }}"
            );
            let scenario = jobs("", SENDS, &fleet);
            let facts = match workers {
                1 => assert_same_in_order(&scenario),
                _ => assert_same(&scenario),
            };
            let reasons = reasons(&facts);
            assert!(
                reasons.len() > 60 && reasons.iter().all(|it| it == "failed"),
                "{}",
                reasons.len()
            );
        }
    }
}

#[test]
fn leases_of_long_handlers_are_renewed_when_a_runner_renews_them() {
    let fleet = "
workers = 2
concurrency = 2
visibility_timeout = 3
service.constant = { time = 17.3 }";
    let facts = assert_same(&jobs("", "arrivals.constant = { rate = 0.2 }", fleet));
    assert!(count(&facts, |it| matches!(it, Fact::VisibilityChanged { .. })) > 100);
    // A renewal that is due when the handler ends is not made.
    let facts = assert_same(&jobs(
        "",
        "arrivals.constant = { rate = 0.2 }",
        "visibility_timeout = 6\nservice.constant = { time = 2 }",
    ));
    assert_eq!(count(&facts, |it| matches!(it, Fact::VisibilityChanged { .. })), 0);
}

#[test]
fn messages_of_handlers_without_heartbeat_are_received_again_as_by_a_runner() {
    let fleet = "
workers = 2
concurrency = 2
heartbeat = false
visibility_timeout = 3
service.constant = { time = 4.3 }";
    let facts = assert_same(&jobs("", "arrivals.constant = { rate = 0.5 }", fleet));
    assert!(deleted(&facts) > 20);
}

#[test]
fn handlers_time_out_as_those_of_a_runner_with_its_reason() {
    let fleet = "
concurrency = 2
handler_timeout = 1.517
failure_policy = 'retry_now'
service.constant = { time = 1.013 }
slow = { share = 0.3, factor = 2 }";
    let facts = assert_same(&jobs("", "arrivals.constant = { rate = 1 }", fleet));
    let reasons = reasons(&facts);
    assert!(reasons.len() > 10);
    assert_eq!(reasons[0], "the handler did not end within 1.517s");
}

const WITH_DEAD_LETTERS: &str = "
visibility_timeout = 5
dead_letter = { queue = 'failed', max_receive_count = 3 }
[queue.failed]";

#[test]
fn what_fails_too_often_goes_to_the_dead_letter_queue_as_by_a_runner() {
    for policy in [
        "'leave_to_timeout'",
        "'retry_now'",
        "{ backoff = { base = 2, max = 20 } }",
    ] {
        let fleet = format!(
            "
failure_policy = {policy}
failure_probability = 0.1
service.constant = {{ time = 0.13 }}
[fleet.clerks]
queue = 'failed'
service.constant = {{ time = 3.1 }}"
        );
        let facts = assert_same(&jobs(
            WITH_DEAD_LETTERS,
            "arrivals.constant = { rate = 1 }\npoison_share = 0.3",
            &fleet,
        ));
        assert!(count(&facts, |it| matches!(it, Fact::Arrived { .. })) > 10);
    }
}

#[test]
fn a_crash_loses_what_the_drop_of_a_runner_loses() {
    let fleet = "
workers = 3
concurrency = 2
prefetch = 2
visibility_timeout = 7
crashes = { mean_interval = 20, restart_time = 3 }
service.constant = { time = 1.43 }";
    let facts = assert_same(&jobs("", SENDS, fleet));
    assert!(count(&facts, |it| matches!(it, Fact::Returned { .. })) > 5);
}

#[test]
fn a_stop_in_order_gives_back_what_that_of_a_runner_does() {
    for kind in ["rolling", "at_once"] {
        for (service, graceful) in [("1.43", true), ("35.1", true), ("3.3", false)] {
            let fleet = format!(
                "
workers = 3
concurrency = 2
prefetch = 4
visibility_timeout = 7
shutdown_timeout = 5
deploys = [{{ at = 20.1, kind = '{kind}', restart_time = 3, graceful = {graceful} }}]
service.constant = {{ time = {service} }}"
            );
            let facts = assert_same(&jobs("", "arrivals.constant = { rate = 8 }", &fleet));
            let back = count(&facts, |it| matches!(it, Fact::Released { .. } | Fact::Returned { .. }));
            assert!(back > 4, "{back}");
        }
    }
}

#[test]
fn groups_of_a_fifo_queue_are_worked_on_in_order_as_by_a_runner() {
    for policy in ["'leave_to_timeout'", "'retry_now'"] {
        for (groups, heartbeat) in [
            ("{ equal = { count = 5 } }", true),
            ("{ zipf = { count = 20, exponent = 1.0 } }", true),
            ("{ equal = { count = 2 } }", false),
        ] {
            let mut scenario = jobs(
                "",
                &format!("{SENDS}\ngroups = {groups}"),
                &format!(
                    "
workers = {}
concurrency = 3
prefetch = {}
heartbeat = {heartbeat}
failure_probability = 0.2
failure_policy = {policy}
visibility_timeout = 2
service.constant = {{ time = 1.03 }}
slow = {{ share = 0.1, factor = 3.1 }}",
                    if heartbeat { 2 } else { 1 },
                    if heartbeat { 3 } else { 0 }
                ),
            );
            let queue = scenario.queue.remove("jobs").unwrap();
            scenario.queue.insert("jobs.fifo".into(), queue);
            scenario.producer.get_mut("web").unwrap().queue = "jobs.fifo".into();
            scenario.fleet.get_mut("workers").unwrap().queue = "jobs.fifo".into();
            let facts = assert_same(&scenario);
            assert!(deleted(&facts) > 50);
        }
    }
}

#[test]
fn a_long_poll_ends_without_a_message_when_that_of_a_runner_does() {
    let facts = assert_same(&jobs(
        "",
        "arrivals.constant = { rate = 0.05 }",
        "workers = 2\nconcurrency = 2\nwait_time = 7\nservice.constant = { time = 0.43 }",
    ));
    assert!(count(&facts, |it| matches!(it, Fact::ReceivedNothing)) > 20);
}
