//! What is refused, and the words and the line of each error.

use super::{everything, s};
use requeue::sim::{
    Arrivals, DeadLetter, Fleet, Goal, Groups, Outage, Producer, QueueConfig, Scenario, ScenarioError, ServiceTime,
    Slow, Sweep, Values,
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

pub(super) fn error(text: &str) -> String {
    match Scenario::from_toml(text) {
        Ok(_) => panic!("not refused:\n{text}"),
        Err(error) => error.to_string(),
    }
}

/// The base with `old` replaced by `new`, and what is said about it.
#[track_caller]
pub(super) fn refused(old: &str, new: &str, expected: &str) {
    assert_eq!(BASE.matches(old).count(), 1, "{old}");
    assert_eq!(error(&BASE.replace(old, new)), expected, "{new}");
}

pub(super) const RATE: &str = "arrivals.poisson = { rate = 20 }";
pub(super) const SERVICE: &str = "service.exponential = { mean = 0.25 }";
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
        "line 23: fleet.workers.wait_time: `wait_time` is 21 s, it has to be 0 s to 20 s",
    );
    refused_fleet(
        "wait_time = 0\npoll_interval = 0",
        "line 24: fleet.workers.poll_interval: `poll_interval` is 0 s, it has to be 1 ms to 3650 d",
    );
    refused_fleet(
        "visibility_timeout = \"13 h\"",
        "line 23: fleet.workers.visibility_timeout: `visibility_timeout` is 13 h, it has to be 1 ms to 12 h",
    );
    refused_fleet(
        "heartbeat = false\nprefetch = 1",
        "line 24: fleet.workers.prefetch: the prefetch is 1 and heartbeats are off, so that messages would be visible again \
         after their visibility timeout, before a handler has begun them",
    );
    refused_fleet(
        "handler_timeout = 0",
        "line 23: fleet.workers.handler_timeout: `handler_timeout` is 0 s, it has to be more than 0 s and at most 12 h",
    );
    refused_fleet(
        "failure_policy.backoff = { base = 900, max = 600 }",
        "line 23: fleet.workers.failure_policy.backoff.max: `max` is 10 min, it has to be 15 min to 12 h",
    );
    refused_fleet(
        "failure_policy.backoff = { base = 0, max = 600 }",
        "line 23: fleet.workers.failure_policy.backoff.base: `base` is 0 s, it has to be more than 0 s and at most 12 h",
    );
    refused_fleet(
        "heartbeat = false\nvisibility_timeout = 60\nhandler_timeout = 90",
        "line 25: fleet.workers.handler_timeout: `handler_timeout` is 90 s, it has to be less than the visibility timeout, \
         1 min, since heartbeats are off and a message would be visible again while its handler works on it",
    );
    refused(
        "visibility_timeout = 60",
        "visibility_timeout = 0",
        "line 5: queue.jobs.visibility_timeout: `visibility_timeout` is 0 s, it has to be 1 ms to 12 h for a queue with a \
         fleet",
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
        ("Outage", "the calls of workers fail one by one"),
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
        path(workers(second.clone()).concurrency(usize::MAX)),
        "fleet.workers.concurrency"
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
