//! The workers of a scenario as real runners.

use {
    super::{
        Facts, Named,
        executor::{Executor, Signal, Stop},
    },
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
        state::Fact,
        time::Timestamp,
        worker::{self, Job, Runner, RunnerHandle},
    },
    std::{
        collections::BTreeMap,
        future::{Future, poll_fn},
        pin::{Pin, pin},
        rc::Rc,
        sync::Arc,
        task::Poll,
        time::Duration,
    },
};

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
        let stop = Stop {
            graceful: deploy.graceful,
            restart_time: deploy.restart_time,
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
pub(super) fn by_runners(scenario: &Scenario, sends: Vec<Named>) -> Vec<Named> {
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
    // Leases that have ended are reported when the queue is next looked at.
    world.queues.values().for_each(|queue| _ = queue.counts());
    facts.take()
}
