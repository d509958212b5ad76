//! The lab against Ciw, another simulator: see `ciw/README.md`.

use crate::compare::five_runs;

const REFERENCE: &str = include_str!("ciw/reference.csv");

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

fn agrees_with_ciw(model: &str, text: &str, change: impl Fn(f64) -> f64) -> bool {
    let reports = five_runs(&text.replace("horizon = 400000", "horizon = 22000"));
    MEASURES.iter().all(|(theirs, ours)| {
        let (value, half_width) = reference(model, theirs);
        let value = change(value);
        let found: Vec<_> = reports.iter().filter_map(|it| it.metric(ours)).collect();
        assert_eq!(found.len(), 5, "{ours}");
        let mean = found.iter().map(|it| it.mean).sum::<f64>() / 5.0;
        let squares: f64 = found.iter().filter_map(|it| it.half_width).map(|it| it * it).sum();
        let both = (squares / 25.0 + half_width * half_width).sqrt();
        assert!(both < 0.1 * value, "{ours}: +- {both} is too wide to tell");
        eprintln!("{model} {ours}: {mean}, Ciw has {value}, +- {both}");
        (mean - value).abs() <= both
    })
}

#[test]
fn mm3_agrees_with_ciw() {
    assert!(agrees_with_ciw("mm3", include_str!("ciw/mm3.toml"), |it| it));
}

#[test]
fn log_normal_mg2_agrees_with_ciw() {
    assert!(agrees_with_ciw("mg2", include_str!("ciw/mg2.toml"), |it| it));
}

#[test]
fn a_tenth_more_would_be_noticed() {
    assert!(!agrees_with_ciw("mm3", include_str!("ciw/mm3.toml"), |it| 1.1 * it));
}
