use {
    super::{DRAWS, bursts, distance, stream, trace},
    crate::sim::{
        Arrivals, Groups,
        draw::arrivals::{Arrival, ArrivalStream, Moment},
    },
};

fn take(stream: &mut ArrivalStream, count: usize) -> Vec<Arrival> {
    std::iter::from_fn(|| stream.next()).take(count).collect()
}

fn times(arrivals: Arrivals, count: usize) -> Vec<u64> {
    let mut stream = stream(arrivals, Groups::None);
    take(&mut stream, count).iter().map(|it| it.at).collect()
}

#[test]
fn constant_arrivals_are_exact_after_years() {
    // 7/8 and 3 a second, against whole numbers.
    for (rate, above, below) in [(0.875, 7, 8), (3.0, 3, 1), (1_000.0, 1_000, 1)] {
        let mut stream = stream(Arrivals::Constant { rate }, Groups::None);
        for start in [0, 50_000_000, 1_000_000_000_u64] {
            stream.number = start;
            for number in start + 1..start + 1_000 {
                let exact = (u128::from(number) * 1_000_000 * below) / above;
                assert_eq!(
                    stream.next().map(|it| u128::from(it.at)),
                    Some(exact),
                    "{rate} {number}"
                );
            }
        }
    }
}

#[test]
fn sums_of_gaps_are_those_of_rational_numbers() {
    let mut now = Moment::START;
    let mut exact = 0_u128; // in 2^-64 microseconds
    for k in 0..3_000_000_u32 {
        let gap = 1e6 / f64::from(3 + k % 97);
        now.advance(gap);
        exact += (gap * 2_f64.powi(32)) as u128 * (1 << 32) + ((gap * 2_f64.powi(32)).fract() * 2_f64.powi(32)) as u128;
    }
    let found = (u128::from(now.micros) << 64) + (now.fraction * 2_f64.powi(64)) as u128;
    let difference = found.abs_diff(exact) as f64 / 2_f64.powi(64);
    assert!(exact >> 64 > 86_400_000_000, "longer than a day");
    assert!(difference < 1e-3, "{difference} microseconds");
}

#[test]
fn gaps_of_poisson_arrivals_are_exponential_and_do_not_drift() {
    let times = times(Arrivals::Poisson { rate: 20.0 }, DRAWS);
    let gaps = times.windows(2).map(|it| (it[1] - it[0]) as f64 / 1e6).collect();
    assert!(distance(gaps, |it| 1.0 - (-20.0 * it).exp()) < 1.95);
    let end = times[DRAWS - 1] as f64 / 1e6;
    assert!((end * 20.0 - DRAWS as f64).abs() < 4.0 * (DRAWS as f64).sqrt(), "{end}");
}

/// Pearson's statistic less its mean, in standard deviations.
fn chi_square(found: &[f64], expected: &[f64]) -> f64 {
    let sum: f64 = found.iter().zip(expected).map(|(f, e)| (f - e) * (f - e) / e).sum();
    let freedom = found.len() as f64;
    (sum - freedom) / (2.0 * freedom).sqrt()
}

#[test]
fn a_profile_has_its_counts_in_each_half_hour() {
    let rates: Vec<f64> = (0..24).map(|hour| 0.5 + f64::from(hour % 12) / 4.0).collect();
    let mut expected = Vec::new();
    for hour in 0..24 {
        let (first, last) = (rates[hour], rates[(hour + 1) % 24]);
        let days = 20.0;
        expected.push(days * 1_800.0 * (0.75 * first + 0.25 * last));
        expected.push(days * 1_800.0 * (0.25 * first + 0.75 * last));
    }
    let count = |arrivals| {
        let mut found = vec![0.0; 48];
        let mut stream = stream(arrivals, Groups::None).ending_at(20 * 86_400_000_000);
        while let Some(arrival) = stream.next() {
            found[(arrival.at / 1_800_000_000 % 48) as usize] += 1.0;
        }
        found
    };
    let mean = rates.iter().sum::<f64>() / 24.0;
    let found = chi_square(&count(Arrivals::Profile { rates }), &expected);
    assert!(found.abs() < 4.0, "{found}");
    let flat = chi_square(&count(Arrivals::Poisson { rate: mean }), &expected);
    assert!(flat > 100.0, "{flat}");
}

#[test]
fn arrivals_of_a_profile_are_a_poisson_process_in_the_integral_of_the_rate() {
    let rates = vec![0.0, 2.0, 0.0, 0.0];
    let times = times(Arrivals::Profile { rates }, 20_000);
    let integral = |at: u64| {
        let (period, x) = (at / 14_400_000_000, (at % 14_400_000_000) as f64 / 3.6e9);
        let part = match x {
            x if x < 1.0 => x * x,
            x if x < 2.0 => 2.0 - (2.0 - x) * (2.0 - x),
            _ => 2.0,
        };
        3_600.0 * (2.0 * period as f64 + part)
    };
    let gaps = times.windows(2).map(|it| integral(it[1]) - integral(it[0])).collect();
    assert!(distance(gaps, |it| 1.0 - (-it).exp()) < 1.95);
}

#[test]
fn a_profile_of_a_tiny_rate_answers_at_once() {
    let rates = vec![1e-300; 24];
    let mut stream = stream(Arrivals::Profile { rates }, Groups::None).ending_at(u64::MAX / 2);
    assert_eq!(stream.next(), None);
}

#[test]
fn bursts_have_their_mean_rate_and_spread() {
    // A quarter of the time at 8 a second, otherwise at 0.4: 2.3 a second.
    let mut stream = stream(bursts(8.0, 0.4), Groups::None).ending_at(4_000_000_000_000);
    let mut minutes = vec![0.0; 66_666];
    let mut count = 0.0;
    while let Some(arrival) = stream.next() {
        count += 1.0;
        if let Some(minute) = minutes.get_mut((arrival.at / 60_000_000) as usize) {
            *minute += 1.0;
        }
    }
    // The variance of the count of a window t: m + 2 (r1 - r0)^2 p q (t/c - (1 - exp(-c t))/c^2), c = 1/30 + 1/90.
    let (c, t) = (4.0 / 90.0, 60.0);
    let variance = |t: f64| 2.3 * t + 2.0 * 7.6 * 7.6 * 0.1875 * (t / c - (1.0 - (-c * t).exp()) / (c * c));
    let error = (count - 2.3 * 4e6_f64).abs();
    assert!(error < 4.0 * variance(4e6).sqrt(), "{count}");
    let (mean, spread) = super::mean_and_variance(&minutes);
    assert!((mean - 2.3 * t).abs() < 2.0, "{mean}");
    assert!((spread / variance(t) - 1.0).abs() < 0.05, "{spread}");
}

#[test]
fn a_quarter_of_the_runs_begin_within_a_burst() {
    let producer = super::producer(bursts(100.0, 0.0), Groups::None);
    let soon = |replication| {
        let mut stream = ArrivalStream::new(&producer, 14, replication, "web");
        stream.next().is_some_and(|it| it.at < 100_000)
    };
    let found = f64::from((0..4_000).filter(|it| soon(*it)).count() as u32) / 4_000.0;
    assert!((found - 0.25).abs() < 0.03, "{found}");
}

#[test]
fn bursts_have_the_same_phases_whatever_the_rates() {
    let phase = |rate| {
        let first = times(bursts(rate, 0.0), 50_000);
        let long = first.windows(2).filter(|it| it[1] - it[0] > 60_000_000);
        long.map(|it| it[0] / 1_000_000).take(5).collect::<Vec<_>>()
    };
    let (slow, fast) = (phase(200.0), phase(400.0));
    assert!(
        slow.iter().zip(&fast).all(|(a, b)| a.abs_diff(*b) <= 1),
        "{slow:?} {fast:?}"
    );
}

#[test]
fn bursts_end_with_the_stream_even_if_nothing_ever_comes() {
    let mut stream = stream(bursts(1e-300, 0.0), Groups::None).ending_at(3_600_000_000);
    assert_eq!(stream.next(), None);
}

#[test]
fn a_trace_has_its_times_groups_and_sizes() {
    let entries = [
        (0.0, Some("zoe"), Some(10)),
        (0.5, None, None),
        (0.5, Some("adam"), None),
        (7.25, Some("zoe"), Some(30)),
    ];
    let mut stream = stream(trace(&entries), Groups::Equal { count: 2 });
    let found = take(&mut stream, 10);
    let named: Vec<_> = found
        .iter()
        .map(|it| stream.group_name(it.group.unwrap_or(9)).to_string())
        .collect();
    assert_eq!(
        found.iter().map(|it| it.at).collect::<Vec<_>>(),
        [0, 500_000, 500_000, 7_250_000]
    );
    assert_eq!(
        found.iter().map(|it| it.bytes).collect::<Vec<_>>(),
        [Some(10), None, None, Some(30)]
    );
    assert_eq!([&named[0], &named[2], &named[3]], ["zoe", "adam", "zoe"]);
    assert!(named[1].starts_with("group-000"), "{}", named[1]);
    assert_eq!([found[0].group, found[2].group], [Some(0), Some(1)]);
}

#[test]
fn groups_have_their_shares() {
    let zipf_sum: f64 = (1..=50).map(|k| 1.0 / f64::from(k).powf(1.2)).sum();
    let cases = [
        (Groups::Equal { count: 7 }, vec![1.0 / 7.0; 7]),
        (
            Groups::Zipf {
                count: 50,
                exponent: 1.2,
            },
            (1..=50).map(|k| 1.0 / f64::from(k).powf(1.2) / zipf_sum).collect(),
        ),
        (Groups::Noisy { count: 4, share: 0.7 }, vec![0.7, 0.1, 0.1, 0.1]),
        (Groups::Noisy { count: 1, share: 0.1 }, vec![1.0]),
    ];
    for (groups, shares) in cases {
        let mut stream = stream(Arrivals::Constant { rate: 1.0 }, groups.clone());
        let mut found = vec![0.0; shares.len()];
        for arrival in take(&mut stream, DRAWS) {
            found[arrival.group.map_or(usize::MAX, |it| it as usize)] += 1.0;
        }
        let expected: Vec<_> = shares.iter().map(|it| it * DRAWS as f64).collect();
        let off = chi_square(&found, &expected);
        assert!(off < 4.0, "{groups:?}: {off}");
    }
}

#[test]
fn groups_have_names_of_four_digits() {
    let stream = stream(Arrivals::Constant { rate: 1.0 }, Groups::Equal { count: 12 });
    assert_eq!(&**stream.group_name(0), "group-0001");
    assert_eq!(&**stream.group_name(11), "group-0012");
}

#[test]
fn the_group_of_a_message_does_not_depend_on_the_arrivals() {
    let groups = |arrivals| {
        let mut stream = stream(arrivals, Groups::Equal { count: 9 });
        take(&mut stream, 100).iter().map(|it| it.group).collect::<Vec<_>>()
    };
    let poisson = groups(Arrivals::Poisson { rate: 4.0 });
    assert_eq!(poisson, groups(Arrivals::Constant { rate: 1.0 }));
    assert_eq!(poisson, groups(bursts(5.0, 0.0)));
}
