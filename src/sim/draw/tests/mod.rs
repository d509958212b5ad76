mod arrivals;

use {
    super::{
        ArrivalStream, Generator, Streams, Times, generator,
        standard::{exponential, normal, normal_cdf, normal_quantile, uniform},
    },
    crate::sim::{Arrivals, Groups, Producer, ServiceTime, Slow, TraceEntry},
    rand::Rng,
    sha2::{Digest, Sha256},
    std::{sync::Arc, time::Duration},
};

const DRAWS: usize = 100_000;

fn random(number: u64) -> Generator {
    generator(Streams::new(14, 0).key("test", "draws"), number, 0)
}

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

fn distributions() -> Vec<(&'static str, Times)> {
    let (mean, sd) = (seconds(0.4), seconds(0.3));
    let slow = Slow {
        share: 0.1,
        factor: 8.0,
    };
    let wide = ServiceTime::Gamma { mean, sd: seconds(0.9) };
    let empirical = ServiceTime::Empirical {
        file: None,
        times: [0.7, 0.1, 0.25, 1.5, 0.1].map(seconds).into(),
    };
    vec![
        ("constant", Times::new(&ServiceTime::Constant { time: mean }, None)),
        ("exponential", Times::new(&ServiceTime::Exponential { mean }, None)),
        ("log-normal", Times::new(&ServiceTime::LogNormal { mean, sd }, None)),
        ("gamma", Times::new(&ServiceTime::Gamma { mean, sd }, None)),
        ("gamma of shape below 1", Times::new(&wide, None)),
        ("empirical", Times::new(&empirical, None)),
        (
            "slow share",
            Times::new(&ServiceTime::LogNormal { mean, sd }, Some(slow)),
        ),
    ]
}

fn draw_all(times: &Times) -> Vec<f64> {
    let draw = |number| times.draw(&mut random(number)) as f64 / 1e6;
    (0..DRAWS as u64).map(draw).collect()
}

/// Closed forms, written apart from the code: mean, variance.
fn moments(name: &str) -> (f64, f64) {
    match name {
        "constant" => (0.4, 0.0),
        "exponential" => (0.4, 0.16),
        "log-normal" | "gamma" => (0.4, 0.09),
        "gamma of shape below 1" => (0.4, 0.81),
        "empirical" => (0.53, (0.49 + 0.01 + 0.0625 + 2.25 + 0.01) / 5.0 - 0.53 * 0.53),
        _ => {
            let (mean, square) = (0.9 * 0.4 + 0.1 * 3.2, 0.9 * 0.25 + 0.1 * 64.0 * 0.25);
            (mean, square - mean * mean)
        }
    }
}

fn mean_and_variance(values: &[f64]) -> (f64, f64) {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let variance = values.iter().map(|it| (it - mean) * (it - mean)).sum::<f64>() / (values.len() - 1) as f64;
    (mean, variance)
}

#[test]
fn means_and_variances_are_those_of_the_closed_forms() {
    for (name, times) in distributions() {
        let (mean, variance) = moments(name);
        assert!((times.mean() - mean).abs() < 1e-9, "{name}: {}", times.mean());
        let square = times.second_moment();
        assert!((square - variance - mean * mean).abs() < 1e-9, "{name}: {square}");
        let (found_mean, found_variance) = mean_and_variance(&draw_all(&times));
        // Four standard errors of the mean; of the variance, what the fourth moments of these distributions allow.
        let error = 4.0 * (variance / DRAWS as f64).sqrt();
        assert!((found_mean - mean).abs() <= error + 1e-6, "{name}: {found_mean}");
        assert!(
            (found_variance - variance).abs() <= 0.12 * variance + 1e-12,
            "{name}: {found_variance}"
        );
    }
}

/// Kolmogorov and Smirnov's statistic times the root of n; above 1.95 in one of a thousand true samples. Equal values
/// are one step.
fn distance(mut values: Vec<f64>, cdf: impl Fn(f64) -> f64) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let (n, mut rank, mut largest) = (values.len() as f64, 0, 0.0_f64);
    for equal in values.chunk_by(|a, b| a == b) {
        rank += equal.len();
        largest = largest.max((cdf(equal[0]) - f64::from(rank as u32) / n).abs());
    }
    largest * n.sqrt()
}

#[test]
fn draws_have_the_distribution_that_cdf_says() {
    for (name, times) in distributions() {
        if matches!(name, "constant" | "empirical") {
            continue;
        }
        // A draw of k microseconds stands for all up to k and a half.
        let found = distance(draw_all(&times), |it| times.cdf(it + 0.5e-6));
        assert!(found < 1.95, "{name}: {found}");
        let shifted = distance(draw_all(&times), |it| times.cdf(it * 1.05));
        assert!(shifted > 1.95, "{name}: {shifted}, the test is blind to 5 %");
    }
}

#[test]
fn the_distribution_function_is_that_of_the_textbook() {
    let mean = seconds(2.0);
    let exponential = Times::new(&ServiceTime::Exponential { mean }, None);
    assert!((exponential.cdf(2.0) - 0.632_120_558_828_557_7).abs() < 1e-12);
    // Gamma of shape 4 and scale 1/2: 1 - exp(-6) (1 + 6 + 18 + 36) at 3.
    let gamma = Times::new(&ServiceTime::Gamma { mean, sd: seconds(1.0) }, None);
    assert!((gamma.cdf(3.0) - 0.848_796_117_223_352_1).abs() < 1e-9);
    // The median of a log-normal time with mean 2 and standard deviation 2 is the square root of 2.
    let log_normal = Times::new(&ServiceTime::LogNormal { mean, sd: mean }, None);
    assert!((log_normal.cdf(std::f64::consts::SQRT_2) - 0.5).abs() < 1e-12);
    assert!((log_normal.quantile(0.5) - std::f64::consts::SQRT_2).abs() < 1e-9);
    // Ten times as slow in one of five: 1 - 0.8 exp(-1) - 0.2 exp(-0.1) at the mean.
    let slow = Slow {
        share: 0.2,
        factor: 10.0,
    };
    let slow = Times::new(&ServiceTime::Exponential { mean }, Some(slow));
    assert!((slow.cdf(2.0) - 0.524_728_963_455_654_6).abs() < 1e-12);
}

#[test]
fn quantiles_are_the_shortest_times_that_reach_the_share() {
    for (name, times) in distributions() {
        for p in [0.01, 0.5, 0.9, 0.999] {
            let quantile = times.quantile(p);
            assert!(times.cdf(quantile) >= p, "{name}: {p}");
            assert!(times.cdf(quantile * 0.999_999) < p, "{name}: {p}");
        }
    }
    let (_, exponential) = &distributions()[1];
    for p in [1.0, 1.5] {
        assert_eq!(exponential.quantile(p), f64::INFINITY);
    }
}

#[test]
fn a_quantile_of_times_that_are_all_zero_is_zero() {
    let zero = Duration::ZERO;
    let none = Slow {
        share: 1.0,
        factor: 0.0,
    };
    for times in [
        Times::new(&ServiceTime::Constant { time: zero }, None),
        Times::new(&ServiceTime::Exponential { mean: zero }, None),
        Times::new(&ServiceTime::empirical([]), None),
        Times::new(&ServiceTime::Exponential { mean: seconds(2.0) }, Some(none)),
    ] {
        assert_eq!(times.quantile(0.99), 0.0);
    }
}

#[test]
fn normal_quantiles_are_those_of_the_tables() {
    // Python's `statistics.NormalDist().inv_cdf`.
    let table = [
        (1e-15, -7.941_345_326_170_998),
        (1e-9, -5.997_807_015_007_686),
        (0.001, -3.090_232_306_167_813_5),
        (0.025, -1.959_963_984_540_054),
        (0.3, -0.524_400_512_708_041),
        (0.5, 0.0),
        (0.975, 1.959_963_984_540_054),
        (0.999_9, 3.719_016_485_455_568),
    ];
    for (p, x) in table {
        let found = normal_quantile(p);
        assert!((found - x).abs() <= 1e-11 * x.abs(), "{p}: {found}");
        assert!((normal_cdf(x) - p).abs() < 1e-12, "{x}");
    }
}

#[test]
fn standard_draws_are_uniform_exponential_and_normal() {
    let mut random = random(0);
    let mut draws = |draw: fn(&mut Generator) -> f64| (0..DRAWS).map(|_| draw(&mut random)).collect::<Vec<_>>();
    assert!(distance(draws(uniform), |it| it) < 1.95);
    assert!(distance(draws(exponential), |it| 1.0 - (-it).exp()) < 1.95);
    assert!(distance(draws(normal), normal_cdf) < 1.95);
}

#[test]
fn first_draws_of_neighbouring_messages_and_attempts_are_independent() {
    let key = Streams::new(1, 0).key("service", "workers");
    let first = |number, attempt| uniform(&mut generator(key, number, attempt));
    let by_message: Vec<_> = (0..DRAWS as u64).map(|it| first(it, 0)).collect();
    let by_attempt: Vec<_> = (0..DRAWS as u32).map(|it| first(7, it)).collect();
    for draws in [by_message, by_attempt] {
        let correlation = draws.windows(2).map(|it| (it[0] - 0.5) * (it[1] - 0.5)).sum::<f64>() * 12.0;
        assert!(correlation.abs() < 4.0 * (DRAWS as f64).sqrt(), "{correlation}");
        assert!(distance(draws, |it| it) < 1.95);
    }
}

#[test]
fn each_purpose_name_and_replication_has_its_own_chance() {
    let keys = [
        Streams::new(1, 0).key("service", "a"),
        Streams::new(2, 0).key("service", "a"),
        Streams::new(1, 1).key("service", "a"),
        Streams::new(1, 0).key("failure", "a"),
        Streams::new(1, 0).key("service", "b"),
        Streams::new(1, 0).key("servicea", ""),
    ];
    let mut draws: Vec<_> = keys.iter().map(|key| generator(*key, 0, 0).next_u64()).collect();
    draws.push(generator(keys[0], 1, 0).next_u64());
    draws.push(generator(keys[0], 0, 1).next_u64());
    draws.sort_unstable();
    draws.dedup();
    assert_eq!(draws.len(), 8);
}

pub(super) fn producer(arrivals: Arrivals, groups: Groups) -> Producer {
    let text = "queue = 'jobs'\narrivals.constant = { rate = 1 }";
    let plain = toml::from_str(text).unwrap_or_else(|it| panic!("{it}"));
    Producer {
        arrivals,
        groups,
        ..plain
    }
}

pub(super) fn stream(arrivals: Arrivals, groups: Groups) -> ArrivalStream {
    ArrivalStream::new(&producer(arrivals, groups), 14, 0, "web")
}

pub(super) fn bursts(rate: f64, off_rate: f64) -> Arrivals {
    Arrivals::Bursts {
        rate,
        off_rate,
        mean_on: seconds(30.0),
        mean_off: seconds(90.0),
    }
}

pub(super) fn trace(entries: &[(f64, Option<&str>, Option<usize>)]) -> Arrivals {
    let entry = |it: &(f64, Option<&str>, Option<usize>)| TraceEntry {
        time: seconds(it.0),
        group: it.1.map(Arc::from),
        bytes: it.2,
    };
    Arrivals::Trace {
        file: None,
        entries: entries.iter().map(entry).collect(),
    }
}

#[test]
fn no_time_is_longer_than_a_century_or_shorter_than_a_microsecond() {
    for (factor, expected) in [(f64::MAX, 3_153_600_000_000_000), (f64::MIN_POSITIVE, 1)] {
        let slow = Slow::new(1.0, factor);
        let times = Times::new(&ServiceTime::constant(Duration::from_secs(1)), Some(slow));
        assert_eq!(times.draw(&mut random(0)), expected);
    }
}

#[test]
fn ten_thousand_draws_are_the_same_on_every_machine_and_version() {
    let mut digest = Sha256::new();
    for (_, times) in distributions() {
        (0..1_000).for_each(|number| digest.update(times.draw(&mut random(number)).to_le_bytes()));
    }
    let zipf = Groups::Zipf {
        count: 1_000,
        exponent: 1.1,
    };
    let rates = (0..24).map(|it| f64::from(it % 7) / 10.0).collect();
    for arrivals in [
        Arrivals::Poisson { rate: 3.0 },
        Arrivals::Profile { rates },
        bursts(9.0, 0.1),
    ] {
        let mut stream = stream(arrivals, zipf.clone());
        for arrival in std::iter::from_fn(|| stream.next()).take(1_000) {
            digest.update(arrival.at.to_le_bytes());
            digest.update(arrival.group.unwrap_or(0).to_le_bytes());
        }
    }
    let digest: String = digest.finalize().iter().map(|it| format!("{it:02x}")).collect();
    assert_eq!(
        digest,
        "88fe0483fcb39fc1d9bd112d298b9c9b9fad5446243e091e5681fc0f48744651"
    );
}
