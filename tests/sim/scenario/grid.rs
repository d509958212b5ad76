//! Sweeps as far as a scenario can tell: the names of numbers and their values.

use requeue::sim::Scenario;

const BASE: &str = r#"[queue.jobs]
[producer.web]
queue = "jobs"
arrivals.poisson = { rate = 20 }
[fleet.workers]
queue = "jobs"
service.log_normal = { mean = 0.4, sd = 0.3 }
[sweep]
"#;

#[track_caller]
fn refused(line: &str, expected: &str) {
    let error = Scenario::from_toml(&format!("{BASE}{line}\n")).unwrap_err();
    assert_eq!(error.to_string(), expected);
}

#[test]
fn values_are_numbers_that_the_setting_takes() {
    for (line, expected) in [
        (
            "vary.workers = []",
            "line 9: sweep.vary.workers: there is no value, there has to be at least 1",
        ),
        (
            "vary.workers = [1, nan]",
            "line 9: sweep.vary.workers: a value is NaN, it has to be finite",
        ),
        (
            "vary.workers = [1.5]",
            "line 9: sweep.vary.workers: it cannot be 1.5: wanted a whole number of at least 0, found number `1.5`",
        ),
        (
            "vary.workers = [1, 0]",
            "line 9: sweep.vary.workers: with workers = 0: fleet.workers.workers: `workers` is 0, it has to be 1 to 100000",
        ),
        (
            "vary.workers = \"2-5\"",
            "line 9: sweep.vary.workers: \"2-5\" is not a range of whole numbers such as \"2..=20\" or \"2..21\"",
        ),
        (
            "vary.workers = \"5..5\"",
            "line 9: sweep.vary.workers: there is no value, there has to be at least 1",
        ),
        (
            "vary.rate = \"1..=10_001\"",
            "line 9: sweep.vary.rate: \"1..=10_001\" is not a range of whole numbers such as \"2..=20\" or \"2..21\"",
        ),
        (
            "vary.rate = \"1..=10001\"",
            "line 9: sweep.vary.rate: the range \"1..=10001\" has 10001 values, it may have at most 10000",
        ),
        (
            "vary.seed = \"1..=101\"\nvary.workers = \"1..=100\"",
            "line 9: sweep.vary: the grid has 101 x 100 points, it may have at most 10000",
        ),
        (
            "vary.concurrency = [1]\nvary.workers = [1, 0]",
            "line 9: sweep.vary: with concurrency = 1, workers = 0: fleet.workers.workers: `workers` is 0, it has to be 1 to \
             100000",
        ),
        (
            "vary.queue.jobs.visibility_timeout = [50_000]",
            "line 9: sweep.vary.\"queue.jobs.visibility_timeout\": with queue.jobs.visibility_timeout = 50000: \
             queue.jobs.visibility_timeout: `visibility_timeout` is 50000 s, it has to be 0 s to 12 h",
        ),
    ] {
        refused(line, expected);
    }
}

#[test]
fn numbers_are_named_by_the_end_of_their_path() {
    for (line, expected) in [
        (
            "vary.worker = [1]",
            "line 9: sweep.vary.worker: the scenario has no number \"worker\", the nearest known one is \"workers\"",
        ),
        (
            "vary.queue.job.delay = [1]",
            "line 9: sweep.vary.\"queue.job.delay\": the scenario has no number \"queue.job.delay\", the nearest known one is \
             \"queue.jobs.delay\"",
        ),
        (
            "vary.queue.jobs.delays = [1]",
            "line 9: sweep.vary.\"queue.jobs.delays\": it cannot be 1: there is no setting \"delays\", the nearest known one is \
             \"delay\"",
        ),
        (
            "vary.workers = [1]\nvary.queue.jobs.delays = [1]",
            "line 10: sweep.vary.\"queue.jobs.delays\": it cannot be 1: there is no setting \"delays\", the nearest known one \
             is \"delay\"",
        ),
        (
            "vary.workers = [1]\nvary.fleet.workers.workers = [2]",
            "line 9: sweep.vary.workers: it is fleet.workers.workers, which \"fleet.workers.workers\" varies as well",
        ),
        (
            "vary.\"a = 1\" = [1]",
            "line 9: sweep.vary.\"a = 1\": \"a = 1\" is not a dotted key of TOML",
        ),
    ] {
        refused(line, expected);
    }
    let two = format!("{BASE}vary.workers = [1]\n[fleet.more]\nqueue = \"jobs\"\nservice.constant.time = 1\n");
    assert_eq!(
        Scenario::from_toml(&two).unwrap_err().to_string(),
        "line 9: sweep.vary.workers: \"workers\" may be one of \"fleet.more.workers\", \"fleet.workers.workers\", say which"
    );
}
