//! Runs of a scenario: its replications, over threads.

use {
    super::{
        engine::simulate,
        measure::Measured,
        scenario::{Scenario, ScenarioError},
    },
    crate::sync::Mutex,
    std::{
        num::NonZero,
        sync::atomic::{AtomicU64, AtomicUsize, Ordering},
        thread,
    },
};

/// Runs the replications of each scenario, as many at once as there are cores.
pub(super) fn run_all(scenarios: &[Scenario]) -> Result<Vec<Vec<Measured>>, ScenarioError> {
    let tasks: Vec<(usize, u32)> = scenarios
        .iter()
        .enumerate()
        .flat_map(|(index, it)| (0..it.replications).map(move |r| (index, r)))
        .collect();
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::new());
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(tasks.len());
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some((scenario, replication)) = tasks.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let measured = simulate(&scenarios[*scenario], *replication, &AtomicU64::new(0));
                    done.lock().push((*scenario, *replication, measured));
                }
            });
        }
    });
    let mut done = done.into_inner();
    done.sort_by_key(|it| (it.0, it.1));
    let mut runs: Vec<Vec<Measured>> = scenarios.iter().map(|_| Vec::new()).collect();
    for (scenario, _, measured) in done {
        runs[scenario].push(measured?);
    }
    Ok(runs)
}
