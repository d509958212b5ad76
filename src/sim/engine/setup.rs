//! Builds what a replication consists of, and runs it.

use {
    super::{
        Lab, QueueState,
        agenda::Agenda,
        calls::CallCounts,
        facts::FactLog,
        fleet::{FleetState, faults},
        ledger::Ledger,
        polls::{Polls, Ready},
        send::ProducerState,
        slab::Slab,
        window::{Window, micros},
    },
    crate::{
        clock::{Clock, ManualClock},
        queue::QueueBuilder,
        sim::{
            Progress,
            draw::{ArrivalStream, Streams},
            measure::{
                Batches, FleetMeasured, Little, Measured, QueueMeasured, QueueSeries, QueueTotals, Sample, Series,
            },
            scenario::{Arrivals, Producer, Scenario, ScenarioError},
        },
        testing::FaultyQueue,
    },
    std::collections::BTreeMap,
};

/// The bytes of bodies for each message of the limit.
const BYTES_PER_MESSAGE: u64 = 1_024;

/// Receive counts that are kept apart.
const MOST_RECEIVES: usize = 1_000;

/// Runs one replication of a scenario that was checked.
pub(in crate::sim) fn simulate(
    scenario: &Scenario,
    replication: u32,
    progress: &Progress,
) -> Result<Measured, ScenarioError> {
    simulate_with(
        scenario,
        replication,
        progress,
        |_, builder| builder,
        |lab| lab.finish(),
    )
}

/// The same on queues each of which `adapt` may add to; `finish` says what is found at the end of the run.
pub(super) fn simulate_with<T>(
    scenario: &Scenario,
    replication: u32,
    progress: &Progress,
    adapt: impl Fn(&str, QueueBuilder) -> QueueBuilder,
    finish: impl FnOnce(Lab<'_>) -> T,
) -> Result<T, ScenarioError> {
    let clock = ManualClock::default();
    let facts = FactLog::default();
    let streams = Streams::new(scenario.seed, replication);
    let names: Vec<&str> = scenario.queue.keys().map(String::as_str).collect();
    let index = |name: &str| names.iter().position(|it| *it == name).unwrap_or_default() as u32;
    let queues = scenario.build_queues(|name, builder| {
        adapt(name, builder)
            .clock(clock.clone())
            .seed(streams.key("queue", name))
            .listener(facts.listener(index(name)))
    })?;
    let wire = |name: &str, queue: &str, named: &BTreeMap<String, f64>| -> Result<_, ScenarioError> {
        let seed = streams.key("faults", name);
        let wire = faults(named).and_then(|faults| {
            let faulty = |faults| FaultyQueue::new(&queues[queue], &clock, faults, seed);
            faults.map(faulty).transpose()
        });
        wire.map_err(|error| ScenarioError::new(format!("{name}.faults"), error.to_string()))
    };
    let mut producers = Vec::new();
    for (name, producer) in &scenario.producer {
        // Looking for a message of a tiny rate must not outlast the run.
        let stream = ArrivalStream::new(producer, scenario.seed, replication, name).ending_at(micros(scenario.horizon));
        let target = (index(&producer.queue), &queues[&producer.queue]);
        let wire = wire(&format!("producer.{name}"), &producer.queue, &producer.faults)?;
        let mut state = ProducerState::new(name, producer, target, streams, stream, wire);
        state.numbers_all = scenario.fleet.values().any(|it| !it.faults.is_empty());
        producers.push(state);
    }
    let mut fleets = Vec::new();
    for (name, fleet) in &scenario.fleet {
        let queue = (index(&fleet.queue), &queues[&fleet.queue]);
        let wire = wire(&format!("fleet.{name}"), &fleet.queue, &fleet.faults)?;
        let measured = measured_fleet(&fleet.queue, scenario.points);
        fleets.push(FleetState::new(name, fleet, streams, queue, wire, measured));
    }
    let window = Window::new(scenario);
    let dead_letter_queues: Vec<_> = scenario
        .queue
        .values()
        .filter_map(|it| Some(&it.dead_letter.as_ref()?.queue))
        .collect();
    let measured = names.iter().map(|name| {
        measured_queue(
            queues[*name].is_fifo(),
            dead_letter_queues.iter().any(|it| *it == name),
            scenario.points,
        )
    });
    let ledger = Ledger::new(window, measured);
    let states = names.iter().map(|name| {
        let config = &scenario.queue[*name];
        QueueState {
            queue: &queues[*name],
            counts: queues[*name].counts(),
            dead_letter_queue: config.dead_letter.as_ref().map(|it| index(&it.queue)),
            calls: CallCounts::default(),
            bytes: 0,
        }
    });
    let mut lab = Lab {
        window,
        now: 0,
        place: window.place(0),
        started_at: clock.now(),
        clock,
        agenda: Agenda::default(),
        queues: states.collect(),
        facts,
        seen: Vec::new(),
        ledger,
        producers,
        fleets,
        workers: Vec::new(),
        jobs: Slab::new(),
        polls: Polls::default(),
        ready: Ready::default(),
        answers: Slab::new(),
        message_limit: scenario.message_limit as u64,
        byte_limit: (scenario.message_limit as u64).saturating_mul(BYTES_PER_MESSAGE),
        overflow: None,
        told: (0, 0),
    };
    lab.measure_bodies(scenario);
    lab.run(progress);
    Ok(finish(lab))
}

impl Lab<'_> {
    /// The largest body that each queue may hold: a dead-letter queue has those of its sources.
    fn measure_bodies(&mut self, scenario: &Scenario) {
        for (state, name) in self.queues.iter_mut().zip(scenario.queue.keys()) {
            let sent = scenario.producer.values().filter(|it| it.queue == *name);
            state.bytes = sent.map(largest_body).max().unwrap_or_default() as u64;
        }
        // No chain of dead-letter queues is longer than there are queues.
        for _ in 0..self.queues.len() {
            for source in 0..self.queues.len() {
                if let Some(target) = self.queues[source].dead_letter_queue {
                    let bytes = self.queues[source].bytes;
                    let target = &mut self.queues[target as usize];
                    target.bytes = target.bytes.max(bytes);
                }
            }
        }
    }
}

fn largest_body(producer: &Producer) -> usize {
    match &producer.arrivals {
        Arrivals::Trace { entries, .. } => entries
            .iter()
            .map(|it| it.bytes.unwrap_or(producer.bytes))
            .max()
            .unwrap_or_default(),
        _ => producer.bytes,
    }
}

fn measured_queue(fifo: bool, dead_letter_queue: bool, points: usize) -> QueueMeasured {
    let series = || Series::new(points);
    QueueMeasured {
        fifo,
        dead_letter_queue,
        series: QueueSeries {
            visible: series(),
            in_flight: series(),
            delayed: series(),
            dead_letters: series(),
            age_of_oldest: series(),
            arrivals: series(),
            completions: series(),
        },
        totals: QueueTotals::default(),
        time_to_first_receive: Sample::new(),
        time_to_completion: Sample::new(),
        receives: vec![0; MOST_RECEIVES + 1],
        groups: BTreeMap::new(),
        calls: BTreeMap::new(),
        little: Little::default(),
        present: Batches::new(),
        visible: Batches::new(),
        in_flight: Batches::new(),
        throughput: Batches::new(),
        duplicates: Batches::new(),
        dead_letters: Batches::new(),
    }
}

pub(super) fn measured_fleet(queue: &str, points: usize) -> FleetMeasured {
    FleetMeasured {
        queue: queue.to_owned(),
        workers: Series::new(points),
        utilisation: Series::new(points),
        busy: Batches::new(),
        staff: Batches::new(),
        begun: 0,
        failed: 0,
        cut_short: 0,
        crashes: 0,
        restarts: 0,
        heartbeats: 0,
        failed_calls: 0,
        busy_seconds: 0.0,
        wasted_seconds: 0.0,
        wasted: Batches::new(),
        service_time: Sample::new(),
        faults: BTreeMap::new(),
    }
}
