//! Scales with ticks at round numbers.

use crate::sim::report::text;

/// A scale from `least` to `greatest` with ticks.
#[derive(Clone, Debug)]
pub(in crate::sim) struct Axis {
    /// What is measured, with its unit.
    pub(super) title: String,
    pub(super) least: f64,
    pub(super) greatest: f64,
    /// Where the ticks are, and their labels.
    pub(super) ticks: Vec<(f64, String)>,
    pub(super) logarithmic: bool,
}

/// Steps of time, and the seconds of the unit in which they are read.
const TIME_STEPS: &[(f64, &str, f64)] = &[
    (1.0, "s", 1.0),
    (2.0, "s", 1.0),
    (5.0, "s", 1.0),
    (10.0, "s", 1.0),
    (15.0, "s", 1.0),
    (30.0, "s", 1.0),
    (60.0, "min", 60.0),
    (120.0, "min", 60.0),
    (300.0, "min", 60.0),
    (600.0, "min", 60.0),
    (900.0, "min", 60.0),
    (1_800.0, "min", 60.0),
    (3_600.0, "h", 3_600.0),
    (7_200.0, "h", 3_600.0),
    (10_800.0, "h", 3_600.0),
    (21_600.0, "h", 3_600.0),
    (43_200.0, "h", 3_600.0),
    (86_400.0, "d", 86_400.0),
];

/// Fractions of the next power of ten above; also those of a second and of many days.
const ROUND: [f64; 3] = [1.0, 2.0, 5.0];

impl Axis {
    /// From 0 to at least `greatest`, for counts and rates.
    pub(in crate::sim) fn amount(title: &str, greatest: f64) -> Self {
        let greatest = if greatest.is_finite() && greatest > 0.0 {
            greatest
        } else {
            1.0
        };
        let step = round_step(greatest / 5.0);
        let (divisor, unit) = unit(greatest);
        let label = |it: f64| {
            if it == 0.0 {
                "0".to_owned()
            } else {
                format!("{}{unit}", number(it / divisor))
            }
        };
        Self::linear(title.to_owned(), greatest, step, &label)
    }

    /// From 0 % to at least `greatest`, a share.
    pub(in crate::sim) fn share(title: &str, greatest: f64) -> Self {
        let greatest = if greatest.is_finite() && greatest > 0.0 {
            greatest
        } else {
            1.0
        };
        let step = if greatest > 0.8 && greatest <= 1.0 {
            0.25
        } else {
            round_step(greatest / 5.0)
        };
        Self::linear(format!("{title} (%)"), greatest, step, &|it| number(it * 100.0))
    }

    /// From 0 s to at least `greatest`, with `most` ticks or a few fewer, in a unit that suits.
    pub(in crate::sim) fn time(title: &str, greatest: f64, most: usize) -> Self {
        let greatest = if greatest.is_finite() && greatest > 0.0 {
            greatest
        } else {
            1.0
        };
        let least_step = greatest / most as f64;
        let (step, unit, seconds) = TIME_STEPS
            .iter()
            .copied()
            .find(|it| it.0 >= least_step)
            .unwrap_or_else(|| {
                let days = round_step(least_step / 86_400.0);
                (days * 86_400.0, "d", 86_400.0)
            });
        let (step, unit, seconds) = if least_step < 1.0 {
            (round_step(least_step), "s", 1.0)
        } else {
            (step, unit, seconds)
        };
        Self::linear(format!("{title} ({unit})"), greatest, step, &|it| number(it / seconds))
    }

    /// Times on a logarithmic scale, in powers of ten.
    pub(in crate::sim) fn logarithmic_time(title: &str, least: f64, greatest: f64) -> Self {
        let least = if least.is_finite() && least > 0.0 { least } else { 1e-3 };
        let greatest = if greatest.is_finite() && greatest > least {
            greatest
        } else {
            least * 10.0
        };
        let mut power = 1e-6;
        while power * 10.0 <= least && power < 1e9 {
            power *= 10.0;
        }
        let first = power;
        let mut ticks = vec![(first, duration(first))];
        while power < greatest && power < 1e12 {
            power *= 10.0;
            ticks.push((power, duration(power)));
        }
        Self {
            title: title.to_owned(),
            least: first,
            greatest: power,
            ticks,
            logarithmic: true,
        }
    }

    fn linear(title: String, greatest: f64, step: f64, label: &dyn Fn(f64) -> String) -> Self {
        let steps = (greatest / step - 1e-9).ceil().max(1.0);
        let ticks = (0..=steps as u64)
            .map(|it| it as f64 * step)
            .map(|it| (it, label(it)))
            .collect();
        Self {
            title,
            least: 0.0,
            greatest: steps * step,
            ticks,
            logarithmic: false,
        }
    }

    /// Ends at `greatest` and not at the tick after it.
    pub(in crate::sim) fn until(mut self, greatest: f64) -> Self {
        if greatest > self.least {
            self.greatest = greatest;
            self.ticks.retain(|it| it.0 <= greatest * (1.0 + 1e-9));
        }
        self
    }

    /// For an axis of names.
    pub(in crate::sim) fn hide_ticks(&mut self) {
        self.ticks.clear();
    }

    /// Where a value is, 0 to 1; one beyond the ends is at the end.
    pub(super) fn place(&self, value: f64) -> f64 {
        let place = if self.logarithmic {
            let all = libm::log10(self.greatest / self.least);
            libm::log10(value.max(self.least) / self.least) / all
        } else {
            (value - self.least) / (self.greatest - self.least)
        };
        place.clamp(0.0, 1.0)
    }
}

/// The smallest of 1, 2 or 5 times a power of ten that is no less.
fn round_step(least: f64) -> f64 {
    let mut power = 1e-12;
    while power * 10.0 <= least && power < 1e18 {
        power *= 10.0;
    }
    // Without what the multiplications left behind.
    let power = text::rounded(power, 3);
    let step = ROUND.iter().map(|it| it * power).find(|it| *it >= least * (1.0 - 1e-9));
    text::rounded(step.unwrap_or(power * 10.0), 3)
}

/// What the numbers of an axis up to `greatest` are divided by to be short, and the sign for it.
fn unit(greatest: f64) -> (f64, &'static str) {
    match greatest {
        1e9.. => (1e9, " G"),
        1e6.. => (1e6, " M"),
        1e4.. => (1e3, " k"),
        _ => (1.0, ""),
    }
}

/// Without what the arithmetic left behind.
fn number(value: f64) -> String {
    text::number(text::rounded(value, 3))
}

/// Such as `10 ms` and `1,000 s`, for powers of ten.
fn duration(seconds: f64) -> String {
    match text::rounded(seconds, 3) {
        1.0.. => format!("{} s", number(seconds)),
        0.001.. => format!("{} ms", number(seconds * 1e3)),
        _ => format!("{} us", number(seconds * 1e6)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|it| it.1.as_str()).collect()
    }

    #[test]
    fn times_are_read_in_the_unit_of_their_step() {
        let hours = Axis::time("time", 7_200.0, 8);
        assert_eq!(
            (hours.title.as_str(), labels(&hours)[1], hours.ticks.len()),
            ("time (min)", "15", 9)
        );
        for (greatest, title, second) in [
            (0.02, "time (s)", "0.005"),
            (5.0, "time (s)", "1"),
            (90.0, "time (s)", "15"),
            (86_400.0, "time (h)", "3"),
            (604_800.0, "time (d)", "1"),
            (31_536_000.0, "time (d)", "50"),
        ] {
            let axis = Axis::time("time", greatest, 8);
            assert_eq!((axis.title.as_str(), labels(&axis)[1]), (title, second), "{greatest}");
            assert!(
                axis.greatest >= greatest && axis.ticks.len() <= 10,
                "{greatest}: {:?}",
                labels(&axis)
            );
        }
    }

    #[test]
    fn amounts_have_round_ticks_up_to_the_greatest() {
        assert_eq!(
            labels(&Axis::amount("messages", 23.0)),
            ["0", "5", "10", "15", "20", "25"]
        );
        assert_eq!(
            labels(&Axis::amount("messages", 240_000.0)),
            ["0", "50 k", "100 k", "150 k", "200 k", "250 k"]
        );
        assert_eq!(
            labels(&Axis::amount("messages", 0.0)),
            ["0", "0.2", "0.4", "0.6", "0.8", "1"]
        );
        assert_eq!(labels(&Axis::share("load", 0.93)), ["0", "25", "50", "75", "100"]);
        assert_eq!(Axis::amount("messages", f64::NAN).greatest, 1.0);
    }

    #[test]
    fn logarithmic_times_go_from_power_to_power_of_ten() {
        let axis = Axis::logarithmic_time("time", 0.02, 45.0);
        assert_eq!(labels(&axis), ["10 ms", "100 ms", "1 s", "10 s", "100 s"]);
        assert!((axis.place(1.0) - 0.5).abs() < 1e-9);
        assert_eq!((axis.place(0.0), axis.place(1e9)), (0.0, 1.0));
    }

    #[test]
    fn an_axis_that_ends_earlier_has_no_ticks_beyond() {
        let axis = Axis::time("time", 7_000.0, 8).until(7_000.0);
        assert_eq!((axis.greatest, labels(&axis).last().copied()), (7_000.0, Some("105")));
    }
}
