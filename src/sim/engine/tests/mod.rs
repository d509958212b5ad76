//! Tests of the engine: against real runners, and by small scenarios that are computed by hand.

mod executor;
mod growth;
mod real;
mod runner;
mod totals;
mod trouble;

use {
    super::{Lab, setup::simulate_with},
    crate::{
        queue::FactListener,
        sim::{Progress, measure::Measured, scenario::Scenario},
        state::FactEntry,
        sync::Mutex,
    },
    std::sync::Arc,
};

/// A fact with the name of its queue.
type Named = (String, FactEntry);

/// What the queues of a run report, with the names of the queues.
#[derive(Clone, Debug, Default)]
struct Facts {
    entries: Arc<Mutex<Vec<Named>>>,
}

impl Facts {
    fn listener(&self, queue: &str) -> impl FactListener + use<> {
        let (entries, queue) = (Arc::clone(&self.entries), queue.to_owned());
        move |_: &Arc<str>, entry: &FactEntry| entries.lock().push((queue.clone(), entry.clone()))
    }

    fn take(&self) -> Vec<Named> {
        std::mem::take(&mut self.entries.lock())
    }
}

#[track_caller]
fn scenario(text: &str) -> Scenario {
    toml::from_str(text).unwrap()
}

/// A scenario of a queue `jobs` over 100 s, with these lines in the tables of the queue, the producer and the fleet.
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

/// The first replication, and what its queues reported.
#[track_caller]
fn run(scenario: &Scenario) -> (Measured, Vec<Named>) {
    run_replication(scenario, 0)
}

#[track_caller]
fn run_replication(scenario: &Scenario, replication: u32) -> (Measured, Vec<Named>) {
    let facts = Facts::default();
    let measured = simulate_with(
        scenario,
        replication,
        &Progress::new(),
        |name, builder| builder.listener(facts.listener(name)),
        |lab| lab.finish(),
    );
    (measured.unwrap(), facts.take())
}
