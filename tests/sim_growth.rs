//! The memory of a run of the lab follows what its queues hold, and not the horizon.
//!
//! The allocator counts the bytes of the whole process, so this has no test harness.

use {
    requeue::sim::{Progress, Scenario},
    stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc},
    std::{
        alloc::System,
        process::ExitCode,
        sync::atomic::{AtomicBool, Ordering},
        thread,
        time::Duration,
    },
};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Everything that happens again and again: expiry, dead letters, faults, crashes, deploys, scaling, groups, heartbeats.
const SCENARIO: &str = "
warm_up = 60

[queue.jobs]
visibility_timeout = 3
message_retention_period = 120
dead_letter = { queue = 'failed', max_receive_count = 3 }
[queue.failed]
message_retention_period = 120

[queue.'orders.fifo']
visibility_timeout = 5
deduplication_scope = 'messageGroup'

[producer.web]
queue = 'jobs'
arrivals.bursts = { rate = 40, off_rate = 5, mean_on = 20, mean_off = 20 }
groups.zipf = { count = 1000, exponent = 1.1 }
poison_share = 0.02
faults = { SendLate = 0.01, SendResponseLost = 0.01 }
[producer.shop]
queue = 'orders.fifo'
arrivals.poisson = { rate = 5 }
groups.equal = { count = 100 }
batch_size = 10

[fleet.workers]
queue = 'jobs'
workers = 3
concurrency = 4
prefetch = 4
autoscaling = { rule.backlog_per_worker = { target = 20 }, min = 2, max = 8, interval = 10, reaction_time = 5 }
service.gamma = { mean = 0.4, sd = 0.4 }
slow = { share = 0.02, factor = 20 }
failure_probability = 0.05
failure_policy.backoff = { base = 1, max = 10 }
crashes = { mean_interval = 60 }
deploys = [{ at = 30, every = 90 }]
faults = { DuplicateInFlight = 0.01, DuplicateAfterDelete = 0.01, DeleteLate = 0.02, DeleteFails = 0.02 }
[fleet.packers]
queue = 'orders.fifo'
workers = 2
concurrency = 2
service.exponential = { mean = 0.2 }
";

/// What five times the horizon may cost beyond the shorter run: histograms take a little more for times that are rarer.
const MOST_BYTES: usize = 1024 * 1024;

fn live_bytes() -> usize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated.saturating_sub(stats.bytes_deallocated)
}

/// The most bytes that were alive during a run of so long, as often as another thread could look.
fn most_bytes(horizon: Duration) -> usize {
    let scenario = Scenario::from_toml(SCENARIO).unwrap().horizon(horizon);
    let (progress, over) = (Progress::new(), AtomicBool::new(false));
    let before = live_bytes();
    let most = thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut most = 0;
            while !over.load(Ordering::Acquire) {
                most = most.max(live_bytes());
                thread::yield_now();
            }
            most
        });
        let report = scenario.run_with(&progress).unwrap();
        over.store(true, Ordering::Release);
        assert!(report.unstable.is_none() && report.queues["jobs"].done.mean > 0.0);
        watcher.join().unwrap()
    });
    most.saturating_sub(before)
}

fn main() -> ExitCode {
    // The first run makes what is made once in a process and kept.
    let [_, short, long] = [600, 3_000, 15_000].map(|seconds| most_bytes(Duration::from_secs(seconds)));
    let more = long.saturating_sub(short);
    let holds = more <= MOST_BYTES;
    println!(
        "growth of the lab: 50 minutes take {short} bytes, 250 minutes {more} more ... {}",
        if holds { "ok" } else { "FAILED" }
    );
    if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
