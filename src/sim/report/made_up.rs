//! Measurements made up for tests.

use {
    super::Report,
    crate::sim::{
        Deploy, Fleet, Outage, QueueConfig, Scenario,
        measure::{
            Batches, Calls, FleetMeasured, GroupMeasured, Little, Measured, QueueMeasured, QueueSeries, QueueTotals,
            Sample, Series,
        },
    },
    std::{collections::BTreeMap, sync::OnceLock, time::Duration},
};

pub(in crate::sim) const NASTY: &str = "<script>alert(\"x\")</script> & 'y'";

/// Two hours of the queue `jobs` with its dead-letter queue, an outage and two deploys.
pub(in crate::sim) fn scenario() -> Scenario {
    let mut scenario = Scenario {
        name: NASTY.to_owned(),
        horizon: Duration::from_secs(7_200),
        warm_up: Duration::from_secs(600),
        seed: 7,
        points: 120,
        ..Scenario::default()
    };
    let jobs = r#"{"dead_letter": {"queue": "jobs-dead", "max_receive_count": 5}}"#;
    scenario
        .queue
        .insert("jobs".to_owned(), serde_json::from_str(jobs).unwrap());
    scenario.queue.insert("jobs-dead".to_owned(), QueueConfig::default());
    let fleet = r#"{"queue": "jobs", "workers": 8, "service": {"log_normal": {"mean": 0.4, "sd": 0.3}}}"#;
    let mut fleet: Fleet = serde_json::from_str(fleet).unwrap();
    let outage = r#"{"from": 1800, "until": 3000}"#;
    fleet.outages.push(serde_json::from_str::<Outage>(outage).unwrap());
    for at in ["4500", "6000"] {
        let deploy = format!(r#"{{"at": {at}}}"#);
        fleet.deploys.push(serde_json::from_str::<Deploy>(&deploy).unwrap());
    }
    scenario.fleet.insert("workers".to_owned(), fleet);
    scenario
}

/// Replication `number`, of which each has slightly different numbers.
pub(in crate::sim) fn run(number: u64) -> Measured {
    let shift = number as f64;
    Measured {
        span: Duration::from_secs(6_600),
        overflow: None,
        queues: BTreeMap::from([
            ("jobs".to_owned(), queue(shift, false)),
            ("jobs-dead".to_owned(), queue(shift, true)),
        ]),
        fleets: BTreeMap::from([("workers".to_owned(), fleet(shift))]),
    }
}

/// Of one to three replications.
pub(in crate::sim) fn report(replications: u64) -> Report {
    static REPORTS: [OnceLock<Report>; 3] = [const { OnceLock::new() }; 3];
    let report = || Report::new(&scenario(), &(0..replications).map(run).collect::<Vec<_>>());
    REPORTS[replications as usize - 1].get_or_init(report).clone()
}

fn points(f: impl Fn(f64) -> f64) -> Series {
    let mut series = Series::new(120);
    (0..120).for_each(|it| series.set(it, f(it as f64)));
    series
}

fn level(value: f64) -> Batches {
    let mut batches = Batches::new();
    (0..20).for_each(|it| batches.add(it, value + (it % 3) as f64 * 0.1, 330.0));
    batches
}

/// A part of a whole, of which every third batch has more than the others.
fn part(part: f64, whole: f64) -> Batches {
    let mut batches = Batches::new();
    for it in 0..20 {
        batches.add(it, 0.0, whole / 20.0);
        batches.add_part(it, part / 20.0 + if it % 3 == 0 { part / 100.0 } else { -part / 200.0 });
    }
    // Seven batches have more, thirteen less.
    batches.add_part(1, -part * (7.0 / 100.0 - 13.0 / 200.0));
    batches
}

/// Spread evenly on a logarithmic scale from `least` by four decades.
fn times(least: f64, shift: f64) -> Sample {
    let mut sample = Sample::new();
    for step in 0..2_000 {
        let seconds = least * 10f64.powf(step as f64 / 500.0) * (1.0 + shift / 10.0);
        sample.record(step % 20, (seconds * 1e6) as u64);
    }
    sample
}

fn queue(shift: f64, dead_letter_queue: bool) -> QueueMeasured {
    let outage = |it: f64| (30.0..50.0).contains(&it);
    let backlog = move |it: f64| match it {
        30.0..50.0 => (it - 30.0) * 1_200.0,
        50.0..90.0 => (90.0 - it) * 600.0,
        _ => 12.0 + (it % 5.0) * 3.0,
    };
    let one = if dead_letter_queue { 0.0 } else { 1.0 };
    let group = |least: f64, sent| GroupMeasured {
        sent,
        done: sent,
        time_to_first_receive: times(least, shift),
        time_to_completion: times(least * 2.0, shift),
    };
    let groups = [
        ("tenant-0001", 0.5, 90_000),
        ("tenant-0002", 0.01, 25_000),
        (NASTY, 0.02, 17_000),
        ("others", 0.01, 12_000),
    ];
    let groups = groups.map(|(name, least, sent)| (name.to_owned(), group(least, sent)));
    QueueMeasured {
        fifo: false,
        dead_letter_queue,
        series: QueueSeries {
            visible: points(|it| {
                if dead_letter_queue {
                    (it - 35.0).clamp(0.0, 15.0) * 20.0
                } else {
                    backlog(it) * (1.0 + shift / 20.0)
                }
            }),
            in_flight: points(|it| one * if outage(it) { 80.0 } else { 9.0 + shift }),
            delayed: points(|_| 0.0),
            dead_letters: points(|it| (it - 35.0).clamp(0.0, 15.0) * 20.0),
            age_of_oldest: points(|it| one * backlog(it) / 20.0),
            arrivals: points(|it| one * (20.0 + (it * 1.7) % 3.0)),
            completions: points(|it| one * if outage(it) { 0.0 } else { 20.0 + (it * 1.3) % 4.0 }),
        },
        totals: QueueTotals {
            sent: 144_000 + number(shift * 120.0),
            received: 160_000,
            done: 143_000,
            done_more_than_once: 143 + number(shift * 11.0),
            dead_lettered: if dead_letter_queue { 0 } else { 300 },
            expired: 0,
            refused: 0,
            left: 700,
            begun_more_than_once: 9_000,
        },
        time_to_first_receive: times(0.01, shift),
        time_to_completion: times(0.2, shift),
        receives: vec![0, 130_000, 9_000, 3_000, 700, 600],
        groups: if dead_letter_queue {
            BTreeMap::new()
        } else {
            groups.into_iter().collect()
        },
        calls: BTreeMap::from([
            (
                "ReceiveMessage",
                Calls {
                    requests: 30_000,
                    billed: 30_000,
                },
            ),
            (
                "SendMessageBatch",
                Calls {
                    requests: 15_000,
                    billed: 20_000,
                },
            ),
        ]),
        little: Little {
            counted: 1_000_000.0,
            spent: 1_000_900.0,
        },
        present: level(3_000.0 + shift),
        visible: level(2_990.0 + shift),
        in_flight: level(10.0),
        throughput: part(143_000.0, 6_600.0),
        duplicates: part((143 + number(shift * 11.0)) as f64, 143_000.0),
        dead_letters: part(if dead_letter_queue { 0.0 } else { 300.0 }, 143_300.0),
    }
}

fn number(value: f64) -> u64 {
    value as u64
}

fn fleet(shift: f64) -> FleetMeasured {
    FleetMeasured {
        queue: "jobs".to_owned(),
        workers: points(|it| if it < 60.0 { 8.0 } else { 14.0 }),
        utilisation: points(|it| {
            if (30.0..90.0).contains(&it) {
                1.0
            } else {
                0.7 + (it % 4.0) / 20.0
            }
        }),
        busy: level(0.75),
        staff: level(11.0),
        begun: 160_000,
        failed: 15_000,
        cut_short: 90,
        crashes: 2,
        restarts: 20,
        heartbeats: 1_200,
        failed_calls: 14,
        busy_seconds: 64_000.0,
        wasted_seconds: 6_400.0 + shift * 64.0,
        wasted: part(6_400.0 + shift * 64.0, 64_000.0),
        service_time: times(0.1, shift),
        faults: BTreeMap::from([("DuplicateDelivery".to_owned(), 12)]),
    }
}
