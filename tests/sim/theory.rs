//! Closed forms, written here apart from the library's own.

use crate::compare::{compare, five_runs};

/// The chance to wait in M/M/c, by its definition.
fn erlang_c(servers: u32, erlangs: f64) -> f64 {
    let mut term = 1.0;
    let mut sum = 0.0;
    for k in 0..servers {
        sum += term;
        term *= erlangs / f64::from(k + 1);
    }
    let last = term / (1.0 - erlangs / f64::from(servers));
    last / (sum + last)
}

/// A queue with one fleet; service times have a mean of 1 s.
struct Lab {
    rate: f64,
    messages: f64,
    workers: u32,
    service: &'static str,
    more: &'static str,
}

const EXPONENTIAL: &str = "exponential = { mean = 1 }";

impl Lab {
    fn text(&self) -> String {
        let Self {
            rate,
            messages,
            workers,
            service,
            more,
        } = self;
        let warm_up = 500.0 / rate;
        let horizon = warm_up + messages / rate;
        format!(
            "horizon = {horizon}\nwarm_up = {warm_up}\n[queue.jobs]\n[producer.web]\nqueue = 'jobs'\n\
             arrivals.poisson = {{ rate = {rate} }}\n[fleet.workers]\nqueue = 'jobs'\nworkers = {workers}\n\
             service.{service}\n{more}\n"
        )
    }
}

/// What M/M/c has in common with all systems of which it is known how long messages wait.
fn steady_state(rate: f64, workers: u32, wait: f64) -> Vec<(&'static str, f64)> {
    vec![
        ("workers.utilisation", rate / f64::from(workers)),
        ("jobs.time_to_first_receive.mean", wait),
        ("jobs.time_to_completion.mean", wait + 1.0),
        ("jobs.visible", rate * wait),
        ("jobs.in_flight", rate),
        ("jobs.present", rate * (wait + 1.0)),
        ("workers.service_time.mean", 1.0),
    ]
}

fn mmc_wait(workers: u32, rate: f64) -> f64 {
    erlang_c(workers, rate) / (f64::from(workers) - rate)
}

/// M/M/c, with one worker M/M/1.
fn workers_wait_as_erlang_says(workers: u32, load: f64, messages: f64, precision: f64) {
    let rate = load * f64::from(workers);
    let lab = Lab {
        rate,
        messages,
        workers,
        service: EXPONENTIAL,
        more: "",
    };
    let expected = steady_state(rate, workers, mmc_wait(workers, rate));
    compare(&five_runs(&lab.text()), &expected, precision).assert_agreement();
}

#[test]
fn one_worker_waits_as_erlang_says_at_load_0_5() {
    workers_wait_as_erlang_says(1, 0.5, 20_000.0, 0.1);
}

#[test]
fn one_worker_waits_as_erlang_says_at_load_0_8() {
    workers_wait_as_erlang_says(1, 0.8, 50_000.0, 0.15);
}

#[test]
fn one_worker_waits_as_erlang_says_at_load_0_95() {
    workers_wait_as_erlang_says(1, 0.95, 100_000.0, 0.35);
}

#[test]
fn four_workers_wait_as_erlang_says_at_load_0_5() {
    workers_wait_as_erlang_says(4, 0.5, 30_000.0, 0.15);
}

#[test]
fn four_workers_wait_as_erlang_says_at_load_0_8() {
    workers_wait_as_erlang_says(4, 0.8, 50_000.0, 0.15);
}

#[test]
fn four_workers_wait_as_erlang_says_at_load_0_95() {
    workers_wait_as_erlang_says(4, 0.95, 100_000.0, 0.35);
}

#[test]
fn a_worker_with_four_slots_is_four_servers() {
    let lab = Lab {
        rate: 3.2,
        messages: 50_000.0,
        workers: 1,
        service: EXPONENTIAL,
        more: "concurrency = 4",
    };
    let mut expected = steady_state(3.2, 4, mmc_wait(4, 3.2));
    expected.retain(|it| it.0 != "workers.service_time.mean");
    compare(&five_runs(&lab.text()), &expected, 0.15).assert_agreement();
}

/// M/D/1 and M/G/1: with a mean of 1 s, rate * second moment / 2 (1 - rate).
#[test]
fn one_worker_waits_as_pollaczek_and_khinchine_say() {
    let cases = [
        ("constant = { time = 1 }", 1.0, 0.15),
        ("gamma = { mean = 1, sd = 0.5 }", 1.25, 0.15),
        ("log_normal = { mean = 1, sd = 1.5 }", 3.25, 0.25),
        // 0.9 of the times are 0.5 s on average and 0.1 are 5.5 s.
        (
            "exponential = { mean = 0.5 }\nslow = { share = 0.1, factor = 11 }",
            0.5 * (0.9 + 0.1 * 121.0),
            0.3,
        ),
    ];
    for (service, second_moment, precision) in cases {
        let rate = 0.7;
        let lab = Lab {
            rate,
            messages: 40_000.0,
            workers: 1,
            service,
            more: "",
        };
        let expected = steady_state(rate, 1, rate * second_moment / (2.0 * (1.0 - rate)));
        compare(&five_runs(&lab.text()), &expected, precision).assert_agreement();
    }
}

/// Of M/M/c in which each service fails with probability 0.3 and the message goes back at once: the number of messages
/// is that of M/M/c with 1/0.7 times the rate.
#[test]
fn retries_load_the_workers_as_often_as_they_are_made() {
    let (rate, failure) = (1.68, 0.3);
    let lab = Lab {
        rate,
        messages: 50_000.0,
        workers: 3,
        service: EXPONENTIAL,
        more: "failure_probability = 0.3\nfailure_policy = 'retry_now'",
    };
    let reports = five_runs(&lab.text());
    let offered = rate / (1.0 - failure);
    let wait = mmc_wait(3, offered);
    let expected = [
        ("workers.utilisation", offered / 3.0),
        ("jobs.visible", offered * wait),
        ("jobs.in_flight", offered),
        ("jobs.time_to_completion.mean", (wait + 1.0) / (1.0 - failure)),
        ("workers.wasted_share", failure),
    ];
    compare(&reports, &expected, 0.15).assert_agreement();
    for report in &reports {
        let calls = report.fleets["workers"].begun.mean / report.queues["jobs"].sent.mean;
        assert!((calls * (1.0 - failure) - 1.0).abs() < 0.02, "{calls}");
    }
}

/// Without heartbeat a message is received again exactly if its handler runs for longer than the visibility timeout,
/// provided that the worker has a free slot then.
#[test]
fn a_lone_worker_duplicates_what_outlasts_the_visibility_timeout() {
    for (timeout, share) in [(1, (-1_f64).exp()), (2, (-2_f64).exp()), (4, (-4_f64).exp())] {
        let mut lab = Lab {
            rate: 1.0,
            messages: 20_000.0,
            workers: 1,
            service: EXPONENTIAL,
            more: "concurrency = 60\nheartbeat = false",
        }
        .text();
        lab.push_str(&format!("visibility_timeout = {timeout}\n"));
        let expected = [("jobs.duplicate_share", share)];
        compare(&five_runs(&lab), &expected, 0.1).assert_agreement();
    }
}

/// Of failures with probability p and at most n receives, p^n are dead letters.
#[test]
fn dead_letters_are_those_that_failed_as_often_as_they_may() {
    let lab = Lab {
        rate: 1.0,
        messages: 30_000.0,
        workers: 5,
        service: EXPONENTIAL,
        more: "failure_probability = 0.4\nfailure_policy = 'retry_now'",
    };
    for (limit, share) in [(1, 0.4), (3, 0.4_f64.powi(3))] {
        let dead = format!("dead_letter = {{ queue = 'dead', max_receive_count = {limit} }}");
        let text = lab
            .text()
            .replace("[queue.jobs]", &format!("[queue.dead]\n[queue.jobs]\n{dead}"));
        let expected = [("jobs.dead_letter_share", share)];
        compare(&five_runs(&text), &expected, 0.1).assert_agreement();
    }
}

const HOURS: usize = 24;

fn profile_rates() -> Vec<f64> {
    (0..HOURS)
        .map(|hour| 0.05 + 0.02 * (hour as f64 - 11.0).abs())
        .collect()
}

/// The counts of eight days by the hour that are further from what the profile says than one in ten thousand.
fn hours_off(arrivals: &str) -> Vec<String> {
    let text = format!(
        "horizon = 691200\npoints = 192\n[queue.jobs]\n[producer.web]\nqueue = 'jobs'\narrivals.{arrivals}\n\
         [fleet.workers]\nqueue = 'jobs'\nservice.constant = {{ time = 0.5 }}\n"
    );
    let rates = profile_rates();
    let mut off = Vec::new();
    for report in five_runs(&text) {
        let series = &report.queues["jobs"].series.arrivals.mean;
        for hour in 0..HOURS {
            let found: f64 = series.iter().skip(hour).step_by(HOURS).map(|it| it * 3_600.0).sum();
            let expected = 8.0 * 3_600.0 * (rates[hour] + rates[(hour + 1) % HOURS]) / 2.0;
            if (found - expected).abs() > 3.89 * expected.sqrt() {
                off.push(format!(
                    "seed {}, hour {hour}: {found}, expected {expected}",
                    report.seed
                ));
            }
        }
    }
    off
}

#[test]
fn arrivals_follow_their_profile_by_the_hour() {
    let off = hours_off(&format!("profile = {{ rates = {:?} }}", profile_rates()));
    assert!(off.is_empty(), "{off:#?}");
}

#[test]
fn arrivals_that_ignore_the_profile_are_noticed() {
    let mean = profile_rates().iter().sum::<f64>() / HOURS as f64;
    assert!(!hours_off(&format!("poisson = {{ rate = {mean} }}")).is_empty());
}

#[test]
fn workers_that_take_messages_twice_are_noticed() {
    let lab = Lab {
        rate: 3.2,
        messages: 20_000.0,
        workers: 4,
        service: EXPONENTIAL,
        more: "faults = { DuplicateInFlight = 0.1 }",
    };
    let reports = five_runs(&lab.text());
    let expected = steady_state(3.2, 4, mmc_wait(4, 3.2));
    compare(&reports, &expected, 0.15).assert_miss();
    compare(&reports, &[("jobs.duplicate_share", 0.0)], 0.15).assert_miss();
}

/// The law from what messages and workers saw: rate * time in the queue is what the queue held. Shares are of totals.
#[test]
fn littles_law_and_shares_hold_whatever_goes_wrong() {
    let cases = [
        "failure_probability = 0.2\nfailure_policy.backoff = { base = 1, max = 60 }",
        "crashes = { mean_interval = 300, restart_time = 20 }",
        "outages = [{ from = 4000, until = 5000 }]",
        "deploys = [{ at = 3000, every = 2000 }]",
        "heartbeat = false\nvisibility_timeout = 2",
        "concurrency = 3\nprefetch = 2",
    ];
    for more in cases {
        let lab = Lab {
            rate: 2.0,
            messages: 20_000.0,
            workers: 4,
            service: EXPONENTIAL,
            more,
        };
        // `run` asserts the report's own check.
        let report = crate::compare::run(&lab.text(), 1);
        let jobs = &report.queues["jobs"];
        assert!((jobs.little.ratio - 1.0).abs() < 1e-6, "{more}: {:?}", jobs.little);
        let duplicates = jobs.done_more_than_once.mean / jobs.done.mean;
        assert!((jobs.duplicate_share.mean - duplicates).abs() < 1e-12, "{more}");
        assert!(
            (jobs.throughput.mean * report.measured / jobs.done.mean - 1.0).abs() < 1e-9,
            "{more}"
        );
        let workers = &report.fleets["workers"];
        let wasted = workers.wasted_seconds.mean / workers.busy_seconds.mean;
        assert!((workers.wasted_share.mean - wasted).abs() < 1e-9, "{more}");
    }
}
