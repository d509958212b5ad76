//! What runs of five seeds found, against what is expected.

use requeue::sim::{Estimate, Report, Scenario};

/// The interval of 95 % over 20 batches widened to one of 99.9 %, as more than a hundred comparisons are made: Student's t
/// of 19 degrees of freedom is 2.093 and 3.883.
pub(crate) const WIDER: f64 = 3.883 / 2.093;

/// What does not agree, and what the intervals are too wide to tell.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) misses: Vec<String>,
    pub(crate) too_wide: Vec<String>,
}

impl Findings {
    pub(crate) fn assert_agreement(&self) {
        assert!(self.misses.is_empty(), "{:#?}", self.misses);
        assert!(self.too_wide.is_empty(), "{:#?}", self.too_wide);
    }

    pub(crate) fn assert_miss(&self) {
        assert!(!self.misses.is_empty(), "the comparison does not see the difference");
    }

    fn look(&mut self, name: &str, (found, half_width): (f64, f64), (value, limit): (f64, f64), precision: f64) {
        let text = format!("{name}: {found} +- {half_width}, expected {value}");
        // What is no number misses too.
        let hit = (found - value).abs() <= half_width + limit;
        if !hit {
            self.misses.push(text);
        } else if half_width + limit > precision * value {
            self.too_wide.push(text);
        }
    }
}

pub(crate) fn scenario(text: &str) -> Scenario {
    Scenario::from_toml(text).unwrap_or_else(|error| panic!("{error}"))
}

pub(crate) fn run(text: &str, seed: u64) -> Report {
    let mut scenario = scenario(text);
    scenario.seed = seed;
    let report = scenario.run().unwrap_or_else(|error| panic!("{error}"));
    assert!(report.unstable.is_none(), "{:?}", report.unstable);
    for (name, queue) in &report.queues {
        assert!(queue.little.holds, "Little's law on {name}: {:?}", queue.little);
    }
    report
}

pub(crate) fn five_runs(text: &str) -> Vec<Report> {
    (1..=5).map(|seed| run(text, seed)).collect()
}

/// How far, as a share of what is expected, a metric may be outside the interval of its seed. A run of short waits has
/// an interval that is too narrow, as waits vary the more the longer they are.
const OF_ONE_SEED: f64 = 0.1;

/// How far the mean of all seeds may be outside the interval of all.
const OF_ALL_SEEDS: f64 = 0.01;

/// Compares the metrics with what is expected: each seed by its own interval, and all five together.
///
/// The interval of all, with its tolerance, must be narrower than `precision` to either side, a share of what is
/// expected.
pub(crate) fn compare(reports: &[Report], expected: &[(&str, f64)], precision: f64) -> Findings {
    let mut findings = Findings::default();
    for &(name, value) in expected {
        let (mut sum, mut squares) = (0.0, 0.0);
        for report in reports {
            let found = report.metric(name).unwrap_or_else(|| panic!("no metric {name}"));
            let half_width = WIDER * half_width(report, found, value);
            let seed = format!("{name}, seed {}", report.seed);
            findings.look(
                &seed,
                (found.mean, half_width),
                (value, OF_ONE_SEED * value),
                f64::INFINITY,
            );
            sum += found.mean;
            squares += half_width * half_width;
        }
        let n = reports.len() as f64;
        findings.look(
            name,
            (sum / n, squares.sqrt() / n),
            (value, OF_ALL_SEEDS * value),
            precision,
        );
    }
    findings
}

/// Of a share, which has no interval of its own in a single run, that of a binomial one.
fn half_width(report: &Report, found: Estimate, share: f64) -> f64 {
    found.half_width.unwrap_or_else(|| {
        let jobs = &report.queues["jobs"];
        let n = jobs.done.mean + jobs.dead_lettered.mean;
        1.96 * (share * (1.0 - share) / n).sqrt()
    })
}
