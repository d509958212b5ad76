//! What is refused, and the words and the line of each error.

use super::{everything, s};
use requeue::sim::{
    Arrivals, DeadLetter, Fleet, Goal, Groups, Outage, Producer, QueueConfig, Scenario, ScenarioError, ServiceTime,
    Slow, Sweep, TraceEntry, Values,
};
use std::time::Duration;

/// A scenario of one of each, to be made wrong.
pub(super) const BASE: &str = r#"horizon = 3600
warm_up = 60

[queue.jobs]
visibility_timeout = 60
dead_letter = { queue = "failed", max_receive_count = 5 }

[queue.failed]

[queue."orders.fifo"]

[producer.web]
queue = "jobs"
arrivals.poisson = { rate = 20 }

[producer.shop]
queue = "orders.fifo"
arrivals.constant = { rate = 1 }

[fleet.workers]
queue = "jobs"
service.exponential = { mean = 0.25 }

[fleet.packers]
queue = "orders.fifo"
service.constant = { time = 1 }
"#;

fn error(text: &str) -> String {
    match Scenario::from_toml(text) {
        Ok(_) => panic!("not refused:\n{text}"),
        Err(error) => error.to_string(),
    }
}

/// The base with `old` replaced by `new`, and what is said about it.
#[track_caller]
fn refused(old: &str, new: &str, expected: &str) {
    assert_eq!(BASE.matches(old).count(), 1, "{old}");
    assert_eq!(error(&BASE.replace(old, new)), expected, "{new}");
}

const RATE: &str = "arrivals.poisson = { rate = 20 }";
const SERVICE: &str = "service.exponential = { mean = 0.25 }";
const FIFO_SERVICE: &str = "service.constant = { time = 1 }";

#[test]
fn the_base_is_right() {
    Scenario::from_toml(BASE).unwrap();
}

#[test]
fn rates_are_positive_and_finite() {
    for (rate, shown) in [
        ("0", "0"),
        ("-1.5", "-1.5"),
        ("inf", "inf"),
        ("nan", "NaN"),
        ("1_000_001", "1000001"),
    ] {
        refused(
            RATE,
            &format!("arrivals.poisson = {{ rate = {rate} }}"),
            &format!(
                "line 14: producer.web.arrivals.poisson.rate: `rate` is {shown}, it has to be more than 0 and at most 1000000"
            ),
        );
    }
    refused(
        RATE,
        "arrivals.bursts = { rate = 1, off_rate = -1, mean_on = 1, mean_off = 1 }",
        "line 14: producer.web.arrivals.bursts.off_rate: `off_rate` is -1, it has to be 0 to 1000000",
    );
    refused(
        RATE,
        "arrivals.bursts = { rate = 1, mean_on = 1, mean_off = 0 }",
        "line 14: producer.web.arrivals.bursts.mean_off: `mean_off` is 0 s, it has to be 1µs to 3650 d",
    );
}

#[test]
fn a_profile_has_a_day_or_a_week() {
    let profile = |rates: &[&str]| format!("arrivals.profile.rates = [{}]", rates.join(", "));
    refused(
        RATE,
        &profile(&["1"; 23]),
        "line 14: producer.web.arrivals.profile.rates: the profile has 23 rates, it has to have one for each hour of a day \
         (24) or a week (168)",
    );
    refused(
        RATE,
        &profile(&["0"; 24]),
        "line 14: producer.web.arrivals.profile.rates: all rates of the profile are 0, at least one has to be more than 0",
    );
    let mut day = ["1"; 24];
    day[7] = "nan";
    refused(
        RATE,
        &profile(&day),
        "line 14: producer.web.arrivals.profile.rates.7: `rates` is NaN, it has to be 0 to 1000000",
    );
    day[7] = "0";
    assert!(Scenario::from_toml(&BASE.replace(RATE, &profile(&day))).is_ok());
}

#[test]
fn traces_have_messages_in_the_order_of_time() {
    refused(
        RATE,
        "arrivals.trace.entries = []",
        "line 14: producer.web.arrivals.trace: the trace has no message, it has to have at least 1",
    );
    refused(
        RATE,
        "arrivals.trace.entries = [\n  { time = 2 },\n  { time = 1 },\n]",
        "line 16: producer.web.arrivals.trace.entries.1.time: `time` is 1 s, it has to be that of the entry before, 2 s, or \
         later",
    );
    refused(
        RATE,
        "arrivals.trace.entries = [{ time = 2, group = \"a b\" }]",
        "line 14: producer.web.arrivals.trace.entries.0.group: Value a b for parameter MessageGroupId is invalid. Reason: \
         MessageGroupId can only include alphanumeric and punctuation characters. 1 to 128 in length.",
    );
    refused(
        RATE,
        "arrivals.trace.entries = [{ time = 2, bytes = 0 }]",
        "line 14: producer.web.arrivals.trace.entries.0.bytes: `bytes` is 0, it has to be 1 to 262144",
    );
}

#[test]
fn service_times_are_more_than_zero() {
    refused(
        SERVICE,
        "service.exponential.mean = 0",
        "line 22: fleet.workers.service.exponential.mean: `mean` is 0 s, it has to be 1µs to 3650 d",
    );
    for sd in ["0", "-1", "nan"] {
        let text = BASE.replace(SERVICE, &format!("service.gamma = {{ mean = 1, sd = {sd} }}"));
        let error = error(&text);
        assert!(
            error.starts_with("line 22: fleet.workers.service.gamma.sd: "),
            "{error}"
        );
    }
    refused(
        SERVICE,
        "service.empirical.times = []",
        "line 22: fleet.workers.service.empirical: the list has no time, it has to have at least 1",
    );
    refused(
        SERVICE,
        "service.empirical.times = [0, 0]",
        "line 22: fleet.workers.service.empirical: all times of the list are 0, at least one has to be more",
    );
    refused(
        SERVICE,
        "service.constant.time = -1",
        "line 22: fleet.workers.service.constant.time: -1 is not a number of seconds, which is finite and at least 0",
    );
    refused(
        SERVICE,
        "service.constant.time = \"soon\"",
        "line 22: fleet.workers.service.constant.time: \"soon\" is not a duration such as \"90 s\" or \"1 h 20 min\"",
    );
}

/// Lines beneath the service of `fleet.workers`, which is line 22.
#[track_caller]
fn refused_fleet(lines: &str, expected: &str) {
    refused(SERVICE, &format!("{SERVICE}\n{lines}"), expected);
}

#[test]
fn fleets_have_workers_within_their_limits() {
    refused_fleet(
        "workers = 0",
        "line 23: fleet.workers.workers: `workers` is 0, it has to be 1 to 100000",
    );
    refused_fleet(
        "autoscaling = { rule.backlog_per_worker.target = 5, min = 4, max = 3 }",
        "line 23: fleet.workers.autoscaling.min: `min` is 4, it has to be at most the max, 3",
    );
    refused_fleet(
        "workers = 9\nautoscaling = { rule.backlog_per_worker.target = 5, max = 3 }",
        "line 23: fleet.workers.workers: `workers` is 9, it has to be 1 to 3, the min and max of the autoscaling",
    );
    refused_fleet(
        "autoscaling = { rule.backlog_per_worker.target = 0, max = 3 }",
        "line 23: fleet.workers.autoscaling.rule.backlog_per_worker.target: `target` is 0, it has to be more than 0 and \
         finite",
    );
    refused_fleet(
        "autoscaling = { rule.age_of_oldest.target = 0, max = 3 }",
        "line 23: fleet.workers.autoscaling.rule.age_of_oldest.target: `target` is 0 s, it has to be 1µs to 3650 d",
    );
    refused_fleet(
        "autoscaling = { rule.age_of_oldest.target = 5, max = 3, interval = 0 }",
        "line 23: fleet.workers.autoscaling.interval: `interval` is 0 s, it has to be 1 s to 3650 d",
    );
}

#[test]
fn fleets_have_settings_that_a_runner_takes() {
    refused_fleet(
        "concurrency = 0",
        "line 23: fleet.workers.concurrency: `concurrency` is 0, it has to be 1 to 1000000000",
    );
    refused_fleet(
        "max_messages = 11",
        "line 23: fleet.workers.max_messages: a receive is to ask for 11 messages, it has to be 1 to 10",
    );
    refused_fleet(
        "wait_time = 21",
        "line 23: fleet.workers.wait_time: the wait time is 21s, it has to be 1 ms to 20 s",
    );
    refused_fleet(
        "wait_time = 0\npoll_interval = 0",
        "line 24: fleet.workers.poll_interval: `poll_interval` is 0 s, it has to be 1ms to 3650 d",
    );
    refused_fleet(
        "visibility_timeout = \"13 h\"",
        "line 23: fleet.workers.visibility_timeout: the visibility timeout is 46800s, it has to be 1 ms to 12 hours",
    );
    refused_fleet(
        "heartbeat = false\nprefetch = 1",
        "line 24: fleet.workers.prefetch: the prefetch is 1 and heartbeats are off, so that messages would be visible again \
         after their visibility timeout, before a handler has begun them",
    );
    refused_fleet(
        "handler_timeout = 0",
        "line 23: fleet.workers.handler_timeout: the handler timeout is 0ns, it has to be more than 0 s and at most 12 hours",
    );
    refused_fleet(
        "failure_policy.backoff = { base = 2, max = 1 }",
        "line 23: fleet.workers.failure_policy.backoff: the backoff is 2s to 1s, it has to begin with more than 0 s and to \
         end with that or more, at most 12 hours",
    );
    let polls = BASE.replace(SERVICE, &format!("{SERVICE}\nwait_time = 0"));
    assert!(Scenario::from_toml(&polls).is_ok(), "short polls with a pause");
}

#[test]
fn shares_are_from_zero_to_one() {
    refused(
        RATE,
        &format!("{RATE}\npoison_share = 1.5"),
        "line 15: producer.web.poison_share: `poison_share` is 1.5, it has to be 0 to 1",
    );
    refused_fleet(
        "failure_probability = nan",
        "line 23: fleet.workers.failure_probability: `failure_probability` is NaN, it has to be 0 to 1",
    );
    refused_fleet(
        "slow = { share = -0.1, factor = 5 }",
        "line 23: fleet.workers.slow.share: `share` is -0.1, it has to be 0 to 1",
    );
    refused_fleet(
        "slow = { share = 0.1, factor = 0 }",
        "line 23: fleet.workers.slow.factor: `factor` is 0, it has to be more than 0 and finite",
    );
    refused_fleet(
        "faults.DeleteFails = 2",
        "line 23: fleet.workers.faults.DeleteFails: the probability of DeleteFails is 2, which is not between 0 and 1",
    );
}

#[test]
fn faults_are_those_of_the_calls() {
    refused_fleet(
        "faults.DeleteFail = 0.1",
        "line 23: fleet.workers.faults.DeleteFail: there is no fault \"DeleteFail\", the nearest known one is \"DeleteFails\"",
    );
    for (fault, instead) in [
        ("CrashBeforeWork", "workers crash by `crashes` of a fleet"),
        ("CrashBeforeDelete", "workers crash by `crashes` of a fleet"),
        ("CrashAfterDelete", "workers crash by `crashes` of a fleet"),
        (
            "PausePastVisibility",
            "handlers outlast their visibility timeout by `slow` of a fleet",
        ),
        ("ClockJump", "the time of a scenario does not jump"),
        ("SendLate", "it is one of sends and stands in `faults` of a producer"),
    ] {
        let expected = format!("line 23: fleet.workers.faults.{fault}: {fault} is no fault of these calls, {instead}");
        refused_fleet(&format!("faults.{fault} = 0.1"), &expected);
    }
    refused(
        FIFO_SERVICE,
        &format!("{FIFO_SERVICE}\nfaults.Reordered = 0.1"),
        "line 27: fleet.packers.faults.Reordered: Reordered cannot happen on the FIFO queue orders.fifo",
    );
    refused(
        RATE,
        &format!("{RATE}\nfaults.DeleteFails = 0.1"),
        "line 15: producer.web.faults.DeleteFails: DeleteFails is no fault of these calls, it is one of the workers and \
         stands in `faults` of a fleet",
    );
    refused(
        RATE,
        &format!("{RATE}\nbatch_size = 2\nfaults.SendLate = 0.1"),
        "line 16: producer.web.faults: the batch size is 2, with faults of sends it has to be 1",
    );
}

#[test]
fn outages_and_deploys_are_within_the_run() {
    refused_fleet(
        "[[fleet.workers.outages]]\nfrom = 60\nuntil = 60",
        "line 25: fleet.workers.outages.0.until: `until` is 1 min, it has to be after its start, 1 min",
    );
    refused_fleet(
        "[[fleet.workers.outages]]\nfrom = 3600\nuntil = 3700",
        "line 24: fleet.workers.outages.0.from: `from` is 1 h, it has to be before the horizon, 1 h",
    );
    refused_fleet(
        "[[fleet.workers.deploys]]\nat = 5\n[[fleet.workers.deploys]]\nat = 3600",
        "line 26: fleet.workers.deploys.1.at: `at` is 1 h, it has to be before the horizon, 1 h",
    );
    refused_fleet(
        "[[fleet.workers.deploys]]\nat = 60\nevery = 0",
        "line 25: fleet.workers.deploys.0.every: `every` is 0 s, it has to be 1 s to 3650 d",
    );
    refused_fleet(
        "crashes.mean_interval = 0",
        "line 23: fleet.workers.crashes.mean_interval: `mean_interval` is 0 s, it has to be 1 s to 3650 d",
    );
}

#[test]
fn a_run_has_a_length_and_a_measure() {
    for (old, new, expected) in [
        (
            "horizon = 3600",
            "horizon = 0",
            "line 1: horizon: `horizon` is 0 s, it has to be 1µs to 3650 d",
        ),
        (
            "horizon = 3600",
            "horizon = \"11 w\"\npoints = 0",
            "line 2: points: `points` is 0, it has to be 1 to 10000",
        ),
        (
            "warm_up = 60",
            "warm_up = 3600",
            "line 2: warm_up: `warm_up` is 1 h, it has to be less than the horizon, 1 h",
        ),
        (
            "warm_up = 60",
            "replications = 0",
            "line 2: replications: `replications` is 0, it has to be 1 to 10000",
        ),
        (
            "warm_up = 60",
            "points = 10_001",
            "line 2: points: `points` is 10001, it has to be 1 to 10000",
        ),
        (
            "warm_up = 60",
            "message_limit = 0",
            "line 2: message_limit: `message_limit` is 0, it has to be 1 to 1000000000",
        ),
        (
            "warm_up = 60",
            "prices.fifo = -1",
            "line 2: prices.fifo: `fifo` is -1, it has to be at least 0 and finite",
        ),
    ] {
        refused(old, new, expected);
    }
    let none = Scenario::new("none");
    assert_eq!(
        none.check().unwrap_err().to_string(),
        "queue: there is no queue, there has to be at least 1"
    );
    assert_eq!(
        none.queue("jobs", QueueConfig::new()).check().unwrap_err().to_string(),
        "there is neither a producer nor a fleet, there has to be at least 1"
    );
}

#[test]
fn queues_that_are_named_exist() {
    refused(
        "[producer.web]\nqueue = \"jobs\"",
        "[producer.web]\nqueue = \"job\"",
        "line 13: producer.web.queue: there is no queue \"job\", the nearest known one is \"jobs\"",
    );
    refused(
        "[fleet.workers]\nqueue = \"jobs\"",
        "[fleet.workers]\nqueue = \"xyz\"",
        "line 21: fleet.workers.queue: there is no queue \"xyz\", known are \"failed\", \"jobs\", \"orders.fifo\"",
    );
    refused(
        "queue = \"failed\", max",
        "queue = \"fail\", max",
        "line 6: queue.jobs.dead_letter.queue: there is no queue \"fail\", the nearest known one is \"failed\"",
    );
    refused(
        "queue = \"failed\", max",
        "queue = \"jobs\", max",
        "line 6: queue.jobs.dead_letter.queue: \"jobs\" is the queue itself, a dead-letter queue is another one",
    );
    refused(
        "[queue.failed]",
        "[queue.failed]\ndead_letter = { queue = \"jobs\", max_receive_count = 1 }",
        "line 9: queue.failed.dead_letter: the dead-letter queue is missing, or dead-letter queues form a circle",
    );
}

#[test]
fn queues_have_what_sqs_takes() {
    refused(
        "[queue.failed]",
        "[queue.\"no spaces\"]\n[queue.failed]",
        "line 8: queue.\"no spaces\": Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length \
         (InvalidParameterValue)",
    );
    for (setting, expected) in [
        (
            "visibility_timeout = \"13 h\"",
            "`visibility_timeout` is 13 h, it has to be 0 s to 12 h",
        ),
        ("delay = 901", "`delay` is 901 s, it has to be 0 s to 15 min"),
        (
            "message_retention_period = 59",
            "`message_retention_period` is 59 s, it has to be 1 min to 14 d",
        ),
        (
            "receive_message_wait_time = 21",
            "`receive_message_wait_time` is 21 s, it has to be 0 s to 20 s",
        ),
        (
            "maximum_message_size = 1023",
            "`maximum_message_size` is 1023, it has to be 1024 to 1048576",
        ),
        ("shards = 0", "`shards` is 0, it has to be 1 to 1000"),
        (
            "in_flight_limit = 0",
            "`in_flight_limit` is 0, it has to be 1 to 1000000000",
        ),
        (
            "content_based_deduplication = true",
            "Unknown Attribute ContentBasedDeduplication. (InvalidAttributeName)",
        ),
        (
            "deduplication_scope = \"messageGroup\"",
            "You can specify the DeduplicationScope only when FifoQueue is set to true. (InvalidAttributeName)",
        ),
    ] {
        let name = setting.split(' ').next().unwrap();
        refused(
            "[queue.failed]",
            &format!("[queue.failed]\n{setting}"),
            &format!("line 9: queue.failed.{name}: {expected}"),
        );
    }
    refused(
        "[queue.\"orders.fifo\"]",
        "[queue.\"orders.fifo\"]\nfifo_throughput_limit = \"perMessageGroupId\"",
        "line 11: queue.\"orders.fifo\".fifo_throughput_limit: Invalid value for the parameter FifoThroughputLimit. \
         (InvalidAttributeValue)",
    );
    refused(
        "max_receive_count = 5",
        "max_receive_count = 1_001",
        "line 6: queue.jobs.dead_letter.max_receive_count: `max_receive_count` is 1001, it has to be 1 to 1000",
    );
    let other_type = BASE.replace("queue = \"failed\", max", "queue = \"orders.fifo\", max");
    let error = error(&other_type);
    assert!(error.starts_with("line 6: queue.jobs.dead_letter: Value {"), "{error}");
    assert!(error.ends_with("(InvalidParameterValue)"), "{error}");
}

#[test]
fn messages_fit_their_queue() {
    for (line, expected) in [
        (
            "bytes = 0",
            "producer.web.bytes: `bytes` is 0, it has to be 1 to 262144",
        ),
        (
            "bytes = 262_145",
            "producer.web.bytes: `bytes` is 262145, it has to be 1 to 262144",
        ),
        (
            "batch_size = 0",
            "producer.web.batch_size: `batch_size` is 0, it has to be 1 to 10",
        ),
        (
            "batch_size = 11",
            "producer.web.batch_size: `batch_size` is 11, it has to be 1 to 10",
        ),
        (
            "delay = 901",
            "producer.web.delay: `delay` is 901 s, it has to be 0 s to 15 min",
        ),
        (
            "groups.equal.count = 0",
            "producer.web.groups.equal.count: `count` is 0, it has to be 1 to 1000000",
        ),
        (
            "groups.noisy = { count = 1, share = 1 }",
            "producer.web.groups.noisy.count: `count` is 1, it has to be 2 to 1000000",
        ),
        (
            "groups.noisy = { count = 2, share = 2 }",
            "producer.web.groups.noisy.share: `share` is 2, it has to be 0 to 1",
        ),
        (
            "groups.zipf = { count = 2, exponent = nan }",
            "producer.web.groups.zipf.exponent: `exponent` is NaN, it has to be at least 0 and finite",
        ),
        (
            "bytes = 200_000\nbatch_size = 6",
            "producer.web.batch_size: a batch of 6 messages has up to 1200000 bytes, it may have at most 1048576",
        ),
    ] {
        let place = 15 + line.matches('\n').count();
        refused(RATE, &format!("{RATE}\n{line}"), &format!("line {place}: {expected}"));
    }
    refused(
        "arrivals.constant = { rate = 1 }",
        "arrivals.constant = { rate = 1 }\ndelay = 5",
        "line 19: producer.shop.delay: messages of the FIFO queue \"orders.fifo\" cannot have a delay of their own, set \
         `delay` of the queue",
    );
    let entry = |bytes| TraceEntry::new(s(1)).bytes(bytes);
    let trace = Producer::new("jobs", Arrivals::trace([1, 200_000, 200_000, 200_000, 1].map(entry))).batch_size(10);
    let scenario = |trace: Producer| {
        Scenario::new("sizes")
            .queue("jobs", QueueConfig::new())
            .producer("web", trace)
    };
    scenario(trace.clone()).check().unwrap();
    let long = Arrivals::trace((0..30).map(|_| entry(100_000)));
    scenario(trace.clone().arrivals(long)).check().unwrap();
    let large = Arrivals::trace((0..8).map(|_| entry(200_000)));
    assert_eq!(
        scenario(trace.arrivals(large)).check().unwrap_err().to_string(),
        "producer.web.arrivals.trace.entries.5.bytes: a batch of 10 messages has up to 1200000 bytes, it may have at most \
         1048576"
    );
}

#[test]
fn unknown_settings_are_named_with_the_nearest_known_one_at_every_depth() {
    for (old, new, expected) in [
        (
            "warm_up = 60",
            "warmup = 60",
            "line 2: there is no setting \"warmup\", the nearest known one is \"warm_up\"",
        ),
        (
            "visibility_timeout = 60",
            "visibility_timout = 60",
            "line 5: queue.jobs: there is no setting \"visibility_timout\", the nearest known one is \"visibility_timeout\"",
        ),
        (
            "max_receive_count = 5",
            "max_receives = 5",
            "line 6: queue.jobs.dead_letter: there is no setting \"max_receives\", the nearest known one is \
             \"max_receive_count\"",
        ),
        (
            "arrivals.poisson = { rate = 20 }",
            "arrivals.poison = { rate = 20 }",
            "line 14: producer.web.arrivals: there is no value \"poison\", the nearest known one is \"poisson\"",
        ),
        (
            "arrivals.poisson = { rate = 20 }",
            "arrivals.poisson = { ratio = 20 }",
            "line 14: producer.web.arrivals.poisson: there is no setting \"ratio\", the nearest known one is \"rate\"",
        ),
        (
            SERVICE,
            "service.exponential.mean = 1\n[[fleet.workers.outages]]\nfrom = 1\nuntill = 2",
            "line 25: fleet.workers.outages.0: there is no setting \"untill\", the nearest known one is \"until\"",
        ),
        (
            SERVICE,
            "service.exponential.mean = 1\n[[fleet.workers.outages]]\nfrom = 1\nuntil = 2\neffect = \"hangs\"",
            "line 26: fleet.workers.outages.0.effect: there is no value \"hangs\", the nearest known one is \"hang\"",
        ),
        (
            "[queue.failed]",
            "[queue.failed]\nstale_delete = \"ignored\"",
            "line 9: queue.failed.stale_delete: there is no value \"ignored\", the nearest known one is \"ignore\"",
        ),
        (
            "[queue.failed]",
            "[queues.failed]",
            "line 8: there is no setting \"queues\", the nearest known one is \"queue\"",
        ),
    ] {
        refused(old, new, expected);
    }
}

#[test]
fn values_of_the_wrong_type_are_refused_with_their_line() {
    for (old, new, expected) in [
        (
            "horizon = 3600",
            "horizon = true",
            "line 1: horizon: invalid type: boolean `true`, expected a number of seconds, or a text such as \"90 s\" or \"1 h 20 min\"",
        ),
        (
            "warm_up = 60",
            "replications = 2.5",
            "line 2: replications: invalid type: floating point `2.5`, expected u32",
        ),
        (
            "warm_up = 60",
            "replications = -2",
            "line 2: replications: invalid value: integer `-2`, expected u32",
        ),
        (
            RATE,
            "arrivals.poisson = {}",
            "line 14: producer.web.arrivals.poisson: missing field `rate`",
        ),
        (RATE, "", "line 12: producer.web: missing field `arrivals`"),
        (
            "warm_up = 60",
            "sweep.goal = { metric = \"x\" }",
            "line 2: sweep.goal: a goal has no bound, it has to have `at_most` or `at_least`",
        ),
        (
            "warm_up = 60",
            "sweep.vary.horizon = 5",
            "line 2: sweep.vary.horizon: invalid type: integer `5`, expected a list of numbers, or a range such as \"2..=20\"",
        ),
    ] {
        refused(old, new, expected);
    }
    assert_eq!(
        error("horizon = 5\nwarm_up = = 6"),
        "line 2: not TOML: extra `=`, expected nothing"
    );
    assert_eq!(error("horizon = 5\nhorizon = 6"), "line 2: not TOML: duplicate key");
}

#[test]
fn a_builder_is_checked_as_a_file_is() {
    let workers = |service| Fleet::new("jobs", service);
    let second = ServiceTime::constant(s(1));
    let scenario = |fleet: Fleet| {
        Scenario::new("test")
            .queue("jobs", QueueConfig::new())
            .fleet("workers", fleet)
    };
    let path = |fleet| scenario(fleet).check().unwrap_err().path().to_owned();
    assert_eq!(
        path(workers(ServiceTime::gamma(s(1), Duration::ZERO))),
        "fleet.workers.service.gamma.sd"
    );
    assert_eq!(
        path(workers(second.clone()).slow(Slow::new(f64::NAN, 1.0))),
        "fleet.workers.slow.share"
    );
    assert_eq!(
        path(workers(second.clone()).call_latency(ServiceTime::empirical([]))),
        "fleet.workers.call_latency.empirical"
    );
    assert_eq!(
        path(workers(second.clone()).outages(Outage::new(s(2), s(1)))),
        "fleet.workers.outages.0.until"
    );
    assert_eq!(
        path(workers(second.clone()).workers(usize::MAX)),
        "fleet.workers.workers"
    );
    assert_eq!(
        path(workers(second.clone()).poll_interval(Duration::MAX)),
        "fleet.workers.poll_interval"
    );
    let fine = scenario(workers(second.clone()));
    let circle = fine
        .clone()
        .queue("jobs", QueueConfig::new().dead_letter(DeadLetter::new("jobs", 1)));
    assert_eq!(circle.check().unwrap_err().path(), "queue.jobs.dead_letter.queue");
    let nameless = fine.clone().fleet("", workers(second));
    assert_eq!(
        nameless.check().unwrap_err().to_string(),
        "fleet: the name \"\" is empty or has control characters"
    );
    let goal = Sweep::new()
        .vary("workers", Values::list([1.0]))
        .goal(Goal::at_most("done", f64::NAN));
    assert_eq!(
        fine.clone().sweep(goal).check().unwrap_err().path(),
        "sweep.goal.at_most"
    );
    assert_eq!(fine.sweep(Sweep::new()).check().unwrap_err().path(), "sweep.vary");
    let groups = Producer::new("jobs", Arrivals::constant(f64::INFINITY)).groups(Groups::zipf(0, -1.0));
    let error: ScenarioError = everything().producer("more", groups).check().unwrap_err();
    assert_eq!(
        (error.path(), error.line(), error.file()),
        ("producer.more.arrivals.constant.rate", None, None)
    );
}
