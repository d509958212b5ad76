//! The lab against Ciw, another simulator: see `ciw/README.md`.

use {
    crate::compare::{WIDER, five_runs},
    requeue::sim::Report,
};

const REFERENCE: &str = include_str!("ciw/reference.csv");

/// The horizon of the scenarios, for a measurement of speed, and of the test.
const LONG: &str = "horizon = 400000";
const SHORT: &str = "horizon = 22000";

/// Ciw's name of a measure, and the lab's.
const MEASURES: [(&str, &str); 3] = [
    ("mean_wait", "jobs.time_to_first_receive.mean"),
    ("mean_time_in_system", "jobs.time_to_completion.mean"),
    ("utilisation", "workers.utilisation"),
];

/// The mean and the half width of Ciw's interval of 95 %.
fn reference(model: &str, measure: &str) -> (f64, f64) {
    let line = REFERENCE
        .lines()
        .find_map(|it| it.strip_prefix(&format!("{model},{measure},")));
    let numbers: Vec<f64> = line.unwrap_or("").split(',').filter_map(|it| it.parse().ok()).collect();
    assert_eq!(numbers.len(), 2, "{model} {measure}");
    (numbers[0], numbers[1])
}

/// Whether the mean of five seeds is within both intervals of `change` of what Ciw found, for each measure.
fn agree_with_ciw(model: &str, reports: &[Report], change: f64) -> bool {
    MEASURES.iter().all(|(theirs, ours)| {
        let (value, half_width) = reference(model, theirs);
        let value = change * value;
        let found: Vec<_> = reports.iter().filter_map(|it| it.metric(ours)).collect();
        assert_eq!(found.len(), 5, "{ours}");
        let mean = found.iter().map(|it| it.mean).sum::<f64>() / 5.0;
        let squares: f64 = found.iter().filter_map(|it| it.half_width).map(|it| it * it).sum();
        let both = WIDER * (squares / 25.0 + half_width * half_width).sqrt();
        assert!(both < 0.2 * value, "{ours}: +- {both} is too wide to tell");
        println!("{model} {ours}: {mean}, expected {value} +- {both}");
        (mean - value).abs() <= both
    })
}

#[test]
fn mm3_agrees_with_ciw_and_not_with_a_tenth_more() {
    let reports = five_runs(&include_str!("ciw/mm3.toml").replace(LONG, SHORT));
    assert!(agree_with_ciw("mm3", &reports, 1.0));
    assert!(!agree_with_ciw("mm3", &reports, 1.1));
}

#[test]
fn log_normal_mg2_agrees_with_ciw_and_not_with_a_fifth_more() {
    let reports = five_runs(&include_str!("ciw/mg2.toml").replace(LONG, SHORT));
    assert!(agree_with_ciw("mg2", &reports, 1.0));
    assert!(!agree_with_ciw("mg2", &reports, 1.2));
}
