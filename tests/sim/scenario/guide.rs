//! The list of all settings in the guide.

use super::everything;
use requeue::sim::{Arrivals, FailurePolicy, Groups, Outage, OutageEffect, Producer, Scenario, ServiceTime};
use serde_json::Value;
use std::{collections::BTreeSet, time::Duration};

/// Tables whose keys are names that a scenario chooses.
const NAMED: [&str; 5] = ["queue", "producer", "fleet", "vary", "faults"];

/// Keys, and the values of enums without settings.
fn words(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(table) => {
            for (key, value) in table {
                found.insert(key.clone());
                match value {
                    Value::Object(inner) if NAMED.contains(&key.as_str()) => {
                        inner.values().for_each(|it| words(it, found));
                    }
                    _ => words(value, found),
                }
            }
        }
        Value::Array(entries) => entries.iter().for_each(|it| words(it, found)),
        _ => {}
    }
}

/// Every setting and every kind of those that have several.
fn all() -> Scenario {
    let second = Duration::from_secs(1);
    let mut scenario = everything();
    for (name, arrivals) in [
        ("profile", Arrivals::profile([1.0; 24])),
        ("again", Arrivals::poisson(1.0)),
    ] {
        scenario = scenario.producer(name, Producer::new("jobs", arrivals).groups(Groups::None));
    }
    let workers = scenario.fleet["workers"].clone();
    for service in [
        ServiceTime::constant(second),
        ServiceTime::exponential(second),
        ServiceTime::gamma(second, second),
    ] {
        let name = format!("{service:?}");
        let outage = Outage::new(Duration::ZERO, second).effect(OutageEffect::Fail);
        let fleet = workers.clone().service(service).outages(outage);
        scenario = scenario.fleet(name, fleet.failure_policy(FailurePolicy::LeaveToTimeout));
    }
    scenario
}

#[test]
fn the_guide_lists_every_setting() {
    let guide = include_str!("../../../src/guide/simulation.md");
    let list = guide
        .split("## All settings")
        .nth(1)
        .and_then(|it| it.split("\n## ").next());
    let list = list.unwrap();
    let mut known = BTreeSet::new();
    words(&serde_json::to_value(all()).unwrap(), &mut known);
    assert!(known.len() > 90, "{}", known.len());
    let missing: Vec<_> = known.iter().filter(|it| !list.contains(&format!("`{it}`"))).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn the_guide_lists_every_value_of_an_enum() {
    let guide = include_str!("../../../src/guide/simulation.md");
    for (key, value) in [
        ("queue.jobs.stale_delete", "x"),
        ("queue.\"orders.fifo\".deduplication_scope", "x"),
        ("queue.\"orders.fifo\".fifo_throughput_limit", "x"),
        ("fleet.w.failure_policy", "x"),
        ("fleet.w.outages", "[{ from = 0, until = 1, effect = \"x\" }]"),
        ("fleet.w.deploys", "[{ at = 0, kind = \"x\" }]"),
        ("producer.p.groups", "x"),
        ("producer.p.arrivals", "x"),
        ("fleet.w.service", "x"),
    ] {
        let value = if value == "x" { "\"x\"" } else { value };
        // The error lists the values, as nothing is near.
        let error = Scenario::from_toml(&format!("{key} = {value}")).unwrap_err();
        let known = error.problem().split_once("known are ").map(|it| it.1);
        let known = known.unwrap_or_else(|| panic!("{key}: {error}"));
        for value in known.split(", ") {
            let bare = value.trim_matches('"');
            let listed = guide.contains(&format!("`{value}`")) || guide.contains(&format!("`{bare}`"));
            assert!(listed, "{key}: {value}");
        }
    }
}
