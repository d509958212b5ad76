//! What the scenarios of `examples/queue_lab` show, on a smaller scale.

use requeue::sim::Scenario;
use std::time::Duration;

fn scenario(name: &str) -> Scenario {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/queue_lab");
    Scenario::read(format!("{folder}/{name}.toml")).unwrap().replications(1)
}

const fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(60 * minutes)
}

#[test]
fn without_backoff_an_outage_makes_dead_letters_of_all_that_comes() {
    let report = scenario("outage").horizon(minutes(65)).run().unwrap();
    let came_meanwhile = 20.0 * 60.0 * 10.0;
    let dead = |queue: &str| report.queues[queue].dead_lettered.mean / came_meanwhile;
    assert!((dead("impatient") - 1.0).abs() < 0.05, "{}", dead("impatient"));
    assert!(dead("patient") < 0.02, "{}", dead("patient"));
    let failed = |fleet: &str| report.fleets[fleet].failed.mean;
    assert!(failed("patient-workers") < 0.6 * failed("impatient-workers"));
    let rates = &report.queues["patient"].series.completions.mean;
    let greatest = rates.iter().copied().fold(0.0, f64::max);
    assert!(
        greatest > 40.0,
        "after the outage all comes back at {greatest} a second"
    );
}

#[test]
fn an_import_delays_quiet_tenants_in_a_plain_queue_alone() {
    let report = scenario("noisy_tenant").horizon(minutes(240)).run().unwrap();
    assert!(report.queues["plain"].time_to_first_receive.p90 > 600.0);
    let groups = &report.queues["fair"].groups;
    assert_eq!(groups.len(), 16);
    for (name, group) in groups {
        let p99 = group.time_to_first_receive.p99;
        assert_eq!(name == "group-0001", p99 > 5.0, "{name}: {p99} s");
    }
}

#[test]
fn a_longer_visibility_timeout_means_fewer_duplicates_and_a_later_end_of_what_crashed_workers_held() {
    let scenario = scenario("visibility").horizon(minutes(20));
    let found = scenario.run_sweep().unwrap();
    let jobs: Vec<_> = found.points.iter().map(|it| &it.report.queues["jobs"]).collect();
    assert_eq!(jobs.len(), 5);
    for pair in jobs.windows(2) {
        assert!(pair[0].duplicate_share.mean >= pair[1].duplicate_share.mean);
        assert!(pair[0].time_to_completion.p99 < pair[1].time_to_completion.p99);
    }
    // So short a run is not sure of it, and says so.
    let answer = found.answer.unwrap().sentence;
    let expected = "30 s is the shortest visibility_timeout with a duplicate_share of at most 0.1 %; its 95 % interval";
    assert!(answer.starts_with(expected), "{answer}");
}
