//! Scenarios: by builder and as TOML, what is refused, and where.

mod bad_input;
mod files;
mod grid;
mod names;
mod queues;
mod texts;

use requeue::{
    DeduplicationScope, FifoThroughputLimit, StaleDelete,
    sim::{
        Arrivals, Autoscaling, BudgetConfig, Crashes, DeadLetter, Deploy, DeployKind, FailurePolicy, Fleet, Goal,
        Groups, Outage, OutageEffect, Prices, Producer, QueueConfig, ScalingRule, Scenario, ServiceTime, Slow, Sweep,
        TraceEntry, Values,
    },
};
use std::time::Duration;

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const EVERYTHING: &str = r#"
name = "everything"
horizon = "1 d"
warm_up = "1 h 30 min"
seed = 14
replications = 5
points = 100
message_limit = 1_000_000
prices = { standard = 0.5, fifo = 0.6 }

[queue.jobs]
visibility_timeout = 60
delay = 1.5
message_retention_period = "2 d"
receive_message_wait_time = 20
maximum_message_size = 1024
dead_letter = { queue = "failed", max_receive_count = 3 }
shards = 10
stale_delete = "ignore"
budget = { messages = 1000, bytes = 100_000 }
in_flight_limit = 500

[queue.failed]

[queue."orders.fifo"]
content_based_deduplication = true
deduplication_scope = "messageGroup"
fifo_throughput_limit = "perMessageGroupId"

[producer.constant]
queue = "jobs"
arrivals.constant = { rate = 2 }
groups.zipf = { count = 100, exponent = 1.1 }
bytes = 100
poison_share = 0.01
batch_size = 10
batch_window = 0.5
delay = 5

[producer.bursts]
queue = "orders.fifo"
arrivals.bursts = { rate = 100, off_rate = 0.5, mean_on = 10, mean_off = "5 min" }
groups.noisy = { count = 10, share = 0.9 }

[producer.trace]
queue = "jobs"
arrivals.trace.entries = [{ time = 0 }, { time = 1.25, group = "a", bytes = 7 }]
groups = "none"

[producer.poisson]
queue = "jobs"
arrivals.poisson = { rate = 20.5 }
groups.equal = { count = 7 }
faults.SendLate = 0.01

[fleet.workers]
queue = "jobs"
workers = 4
concurrency = 3
prefetch = 2
max_messages = 5
wait_time = 10
poll_interval = 2
visibility_timeout = 45
service.log_normal = { mean = 0.4, sd = "300 ms" }
slow = { share = 0.01, factor = 50 }
call_latency.gamma = { mean = 0.01, sd = 0.005 }
handler_timeout = 40
failure_probability = 0.02
failure_policy.backoff = { base = 1, max = "5 min" }
shutdown_timeout = 15
autoscaling = { rule.backlog_per_worker.target = 100, min = 2, max = 20, interval = 30, reaction_time = 90 }
crashes = { mean_interval = "1 d", restart_time = 5 }
faults = { DeleteFails = 0.001, ReceiveResponseLost = 0.01 }

[[fleet.workers.outages]]
from = "1 h"
until = "1 h 20 min"
effect = "hang"

[[fleet.workers.deploys]]
at = "2 h"
every = "4 h"
kind = "at_once"
restart_time = 3
graceful = false

[fleet.others]
queue = "orders.fifo"
heartbeat = false
service.empirical.times = [0.5, 2]
failure_policy = "retry_now"
autoscaling = { rule.age_of_oldest.target = 60, max = 5 }

[sweep]
vary.horizon = "86400..86402"
vary.queue.jobs.visibility_timeout = [30, 60.5]
vary."fleet.workers.concurrency" = [1, 2]
goal = { metric = "jobs.duplicate_share", at_most = 0.001 }
"#;

fn everything() -> Scenario {
    let jobs = QueueConfig::new()
        .visibility_timeout(s(60))
        .delay(Duration::from_millis(1_500))
        .message_retention_period(s(2 * 86_400))
        .receive_message_wait_time(s(20))
        .maximum_message_size(1_024)
        .dead_letter(DeadLetter::new("failed", 3))
        .shards(10)
        .stale_delete(StaleDelete::Ignore)
        .budget(BudgetConfig::new().messages(1_000).bytes(100_000))
        .in_flight_limit(500);
    let orders = QueueConfig::new()
        .content_based_deduplication(true)
        .deduplication_scope(DeduplicationScope::MessageGroup)
        .fifo_throughput_limit(FifoThroughputLimit::PerMessageGroupId);
    let constant = Producer::new("jobs", Arrivals::constant(2.0))
        .groups(Groups::zipf(100, 1.1))
        .bytes(100)
        .poison_share(0.01)
        .batch_size(10)
        .batch_window(Duration::from_millis(500))
        .delay(s(5));
    let poisson = Producer::new("jobs", Arrivals::poisson(20.5))
        .groups(Groups::equal(7))
        .faults("SendLate", 0.01);
    let bursts = Arrivals::bursts(100.0, 0.5, s(10), s(300));
    let late = TraceEntry::new(Duration::from_millis(1_250)).group("a").bytes(7);
    let service = ServiceTime::log_normal(Duration::from_millis(400), Duration::from_millis(300));
    let workers = Fleet::new("jobs", service)
        .workers(4)
        .concurrency(3)
        .prefetch(2)
        .max_messages(5)
        .wait_time(s(10))
        .poll_interval(s(2))
        .visibility_timeout(s(45))
        .slow(Slow::new(0.01, 50.0))
        .call_latency(ServiceTime::gamma(Duration::from_millis(10), Duration::from_millis(5)))
        .handler_timeout(s(40))
        .failure_probability(0.02)
        .failure_policy(FailurePolicy::backoff(s(1), s(300)))
        .shutdown_timeout(s(15))
        .autoscaling(
            Autoscaling::new(ScalingRule::backlog_per_worker(100.0), 20)
                .min(2)
                .interval(s(30))
                .reaction_time(s(90)),
        )
        .crashes(Crashes::new(s(86_400)).restart_time(s(5)))
        .faults("DeleteFails", 0.001)
        .faults("ReceiveResponseLost", 0.01)
        .outages(Outage::new(s(3_600), s(4_800)).effect(OutageEffect::Hang))
        .deploys(
            Deploy::new(s(7_200))
                .every(s(14_400))
                .kind(DeployKind::AtOnce)
                .restart_time(s(3))
                .graceful(false),
        );
    let others = Fleet::new(
        "orders.fifo",
        ServiceTime::empirical([Duration::from_millis(500), s(2)]),
    )
    .heartbeat(false)
    .failure_policy(FailurePolicy::RetryNow)
    .autoscaling(Autoscaling::new(ScalingRule::age_of_oldest(s(60)), 5));
    Scenario::new("everything")
        .horizon(s(86_400))
        .warm_up(s(5_400))
        .seed(14)
        .replications(5)
        .points(100)
        .message_limit(1_000_000)
        .prices(Prices::new().standard(0.5).fifo(0.6))
        .queue("jobs", jobs)
        .queue("failed", QueueConfig::new())
        .queue("orders.fifo", orders)
        .producer("constant", constant)
        .producer(
            "bursts",
            Producer::new("orders.fifo", bursts).groups(Groups::noisy(10, 0.9)),
        )
        .producer(
            "trace",
            Producer::new("jobs", Arrivals::trace([TraceEntry::new(Duration::ZERO), late])),
        )
        .producer("poisson", poisson)
        .fleet("workers", workers)
        .fleet("others", others)
        .sweep(
            Sweep::new()
                .vary("horizon", Values::range("86400..86402"))
                .vary("queue.jobs.visibility_timeout", Values::list([30.0, 60.5]))
                .vary("fleet.workers.concurrency", Values::list([1.0, 2.0]))
                .goal(Goal::at_most("jobs.duplicate_share", 0.001)),
        )
}

#[test]
fn builder_and_toml_have_the_same_names() {
    let scenario = everything();
    scenario.check().unwrap();
    assert_eq!(Scenario::from_toml(EVERYTHING).unwrap(), scenario);
}

#[test]
fn what_is_written_is_read_as_the_same_scenario() {
    let scenario = everything();
    let text = scenario.to_toml().unwrap();
    assert_eq!(Scenario::from_toml(&text).unwrap(), scenario, "{text}");
}

#[test]
fn times_are_numbers_of_seconds_or_texts() {
    for (text, expected) in [
        ("90", s(90)),
        ("1.5", Duration::from_millis(1_500)),
        ("1e3", s(1_000)),
        ("\"90 s\"", s(90)),
        ("\"1 h 20 min\"", s(4_800)),
        ("\"1 h 30m\"", s(5_400)),
        ("\"7 days\"", s(7 * 86_400)),
        ("\"2 w\"", s(14 * 86_400)),
        ("\"PT20M\"", s(1_200)),
        ("\"250 ms\"", Duration::from_millis(250)),
    ] {
        let text = format!("horizon = {text}\nqueue.jobs = {{}}\n{WORKERS}");
        assert_eq!(Scenario::from_toml(&text).unwrap().horizon, expected, "{text}");
    }
}

/// One fleet, in one line.
const WORKERS: &str = "fleet.workers = { queue = \"jobs\", service.constant.time = 1 }\n";

#[test]
fn a_scenario_may_only_send_or_only_drain() {
    let send = "[queue.jobs]\n[producer.web]\nqueue = \"jobs\"\narrivals.constant.rate = 1";
    assert!(Scenario::from_toml(send).is_ok());
    assert!(Scenario::from_toml(&format!("queue.jobs = {{}}\n{WORKERS}")).is_ok());
}
