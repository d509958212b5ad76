//! The workers of the lab do what real runners do: the same facts at the same instants.

use {
    super::{Named, jobs, real::by_runners, run, scenario},
    crate::{
        clock::{Clock, ManualClock},
        sim::scenario::{Arrivals, FailurePolicy, Scenario, TraceEntry},
        state::Fact,
    },
    proptest::{
        prelude::*,
        test_runner::{RngAlgorithm, TestRng, TestRunner},
    },
    std::{collections::BTreeMap, time::Duration},
};

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

/// A small scenario of one worker, as which of several gets a message depends on their order at one instant.
fn small() -> impl Strategy<Value = Scenario> {
    let workers = (1..8_usize, 0..6_usize, 1..11_usize, any::<bool>());
    let times = (
        1_001..9_000_u64,
        501..20_000_u64,
        proptest::option::of(301..4_000_u64),
        1..9_000_u64,
    );
    let failures = (0..3_u8, 0.0..0.6_f64, proptest::option::of(1..5_u32), any::<bool>());
    let sends = proptest::collection::vec((1..40_000_u64, 0..4_usize), 1..60);
    (workers, times, failures, sends, any::<u64>()).prop_map(|(workers, times, failures, sends, seed)| {
        let (concurrency, prefetch, max_messages, heartbeat) = workers;
        let (visibility, wait, timeout, service) = times;
        let (policy, failing, most, fifo) = failures;
        let mut scenario = scenario(
            "
horizon = 60
[queue.failed]
[queue.'failed.fifo']
[fleet.workers]
queue = 'jobs'
service.constant = { time = 1 }
slow = { share = 0.2, factor = 3 }
[producer.web]
queue = 'jobs'
arrivals.trace = { file = 'none' }",
        );
        scenario.seed = seed;
        let name = if fifo { "jobs.fifo" } else { "jobs" };
        let mut queue = crate::sim::QueueConfig::default();
        queue.dead_letter = most.map(|max_receive_count| crate::sim::DeadLetter {
            queue: if fifo { "failed.fifo" } else { "failed" }.to_owned(),
            max_receive_count,
        });
        scenario.queue.insert(name.to_owned(), queue);
        let millis = Duration::from_millis;
        let fleet = scenario.fleet.get_mut("workers").unwrap();
        fleet.queue = name.to_owned();
        (fleet.concurrency, fleet.max_messages) = (concurrency, max_messages);
        (fleet.heartbeat, fleet.prefetch) = (heartbeat, if heartbeat { prefetch } else { 0 });
        (fleet.visibility_timeout, fleet.wait_time) = (Some(millis(visibility)), millis(wait));
        fleet.handler_timeout = timeout.map(millis).filter(|it| heartbeat || *it <= millis(visibility));
        fleet.service = crate::sim::ServiceTime::Constant { time: millis(service) };
        fleet.failure_probability = failing;
        fleet.failure_policy = match policy {
            0 => FailurePolicy::LeaveToTimeout,
            1 => FailurePolicy::RetryNow,
            // It is drawn by ids, which depend on how often the queue was asked.
            _ if concurrency > 1 => FailurePolicy::LeaveToTimeout,
            _ => FailurePolicy::Backoff {
                base: millis(700),
                max: millis(5_000),
            },
        };
        let producer = scenario.producer.get_mut("web").unwrap();
        producer.queue = name.to_owned();
        let mut sends = sends;
        sends.sort_unstable();
        let entry = |(at, group): (u64, usize)| TraceEntry {
            time: millis(at),
            group: fifo.then(|| format!("g{group}").into()),
            bytes: None,
        };
        producer.arrivals = Arrivals::Trace {
            file: None,
            entries: sends.into_iter().map(entry).collect(),
        };
        scenario
    })
}

#[test]
fn in_small_scenarios_workers_do_what_runners_do() {
    let config = ProptestConfig {
        cases: 200,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    // The same on every run: where a send, the end of a poll and that of a handler meet in one millisecond, their order
    // is that of the alarms of a clock for a runner, and another one for the lab.
    let chance = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let compared = TestRunner::new_with_rng(config, chance).run(&small(), |scenario| {
        let (_, difference) = compare(&scenario);
        prop_assert!(difference.is_none(), "{}", difference.unwrap_or_default());
        Ok(())
    });
    if let Err(error) = compared {
        panic!("{error}");
    }
}
