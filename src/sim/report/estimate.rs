//! Means and their confidence intervals.

use {
    super::text,
    crate::sim::measure::Batches,
    serde::Serialize,
    statrs::distribution::{ContinuousCDF, StudentsT},
    std::fmt,
};

/// A mean and half the width of its 95 % confidence interval.
///
/// Over several replications the interval is Student's t over what each of them found; of a single one it is over the
/// means of 20 equal parts of the measured time. Counts of a single replication have no interval.
///
/// The mean is NaN, and `null` as JSON, where nothing was measured: the share of duplicates of a queue that completed
/// nothing, for example.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Estimate {
    /// The mean.
    pub mean: f64,
    /// The true mean is between `mean - half_width` and `mean + half_width` with a probability of 95 %. `None` with
    /// fewer than two values to compare.
    pub half_width: Option<f64>,
}

impl Estimate {
    /// Nothing was measured.
    pub(in crate::sim) const NOTHING: Self = Self::exact(f64::NAN);

    /// A number without an interval.
    pub(in crate::sim) const fn exact(mean: f64) -> Self {
        Self { mean, half_width: None }
    }

    /// The mean of what each replication found; NaN stands for a replication that found nothing.
    pub(super) fn over(values: impl IntoIterator<Item = f64>) -> Self {
        let values: Vec<f64> = values.into_iter().filter(|it| it.is_finite()).collect();
        if values.is_empty() {
            return Self::NOTHING;
        }
        Self {
            mean: mean(&values),
            half_width: half_width(&values),
        }
    }

    /// The mean over replications, or over the batches of a single one.
    pub(super) fn of<'a>(batches: impl IntoIterator<Item = &'a Batches>) -> Self {
        let all: Vec<&Batches> = batches.into_iter().collect();
        if let [one] = all[..] {
            let means: Vec<f64> = one.means().collect();
            return Self {
                mean: one.mean().unwrap_or(f64::NAN),
                half_width: half_width(&means),
            };
        }
        Self::over(all.iter().map(|it| it.mean().unwrap_or(f64::NAN)))
    }

    /// Whether `value` is within the interval, widened by `tolerance` on each side.
    ///
    /// Without an interval only the tolerance counts. False if nothing was measured.
    ///
    /// # Examples
    /// ```
    /// # let toml = "[queue.jobs]\n[producer.web]\nqueue = 'jobs'\narrivals.poisson = { rate = 1 }";
    /// let report = requeue::sim::Scenario::from_toml(toml)?.run()?;
    /// assert!(report.queues["jobs"].sent.agrees_with(3_600.0, 240.0));
    /// # Ok::<(), requeue::sim::ScenarioError>(())
    /// ```
    #[must_use]
    pub fn agrees_with(&self, value: f64, tolerance: f64) -> bool {
        (self.mean - value).abs() <= self.half_width.unwrap_or(0.0) + tolerance
    }

    pub(super) fn scaled(self, factor: f64) -> Self {
        Self {
            mean: self.mean * factor,
            half_width: self.half_width.map(|it| it * factor.abs()),
        }
    }
}

/// Such as `0.4120 +- 0.0031`; `-` if nothing was measured.
impl fmt::Display for Estimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&text::estimate(*self))
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn half_width(values: &[f64]) -> Option<f64> {
    if values.len() < 2 {
        return None;
    }
    let mean = mean(values);
    let squares: f64 = values.iter().map(|it| (it - mean) * (it - mean)).sum();
    let count = values.len() as f64;
    let error = (squares / (count - 1.0) / count).sqrt();
    Some(students_t(count - 1.0) * error)
}

/// The quantile of Student's t that 95 % are within.
fn students_t(degrees: f64) -> f64 {
    let distribution = StudentsT::new(0.0, 1.0, degrees).expect("one degree of freedom at least");
    // The last digits depend on the mathematics of the machine, and reports must not.
    text::rounded(distribution.inverse_cdf(0.975), 7)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_of_students_t_are_those_of_the_tables() {
        for (degrees, expected) in [(1.0, 12.706), (4.0, 2.776), (9.0, 2.262), (19.0, 2.093), (120.0, 1.980)] {
            let t = students_t(degrees);
            assert!((t - expected).abs() < 0.0006, "{degrees}: {t}");
        }
    }

    #[test]
    fn an_interval_is_students_t_times_the_standard_error() {
        let estimate = Estimate::over([1.0, 2.0, 3.0, 4.0, 5.0]);
        // sd = sqrt(2.5), over sqrt(5), times 2.776
        assert!((estimate.mean - 3.0).abs() < 1e-12);
        assert!((estimate.half_width.unwrap() - 1.963_2).abs() < 1e-3);
        assert!(estimate.agrees_with(4.9, 0.0) && !estimate.agrees_with(5.0, 0.0) && estimate.agrees_with(5.0, 0.1));
    }

    #[test]
    fn replications_that_found_nothing_do_not_count() {
        assert_eq!(Estimate::over([2.0, f64::NAN]), Estimate::exact(2.0));
        assert!(Estimate::over([f64::NAN]).mean.is_nan());
        assert_eq!(Estimate::over([f64::NAN]).to_string(), "-");
    }

    #[test]
    fn a_single_replication_has_the_interval_of_its_batches() {
        let mut batches = Batches::new();
        for batch in 0..20 {
            batches.add(batch, (batch % 2) as f64, 2.0);
        }
        let estimate = Estimate::of([&batches]);
        assert!((estimate.mean - 0.5).abs() < 1e-12);
        // sd = sqrt(5 / 19), over sqrt(20), times 2.093
        assert!((estimate.half_width.unwrap() - 0.240_1).abs() < 1e-4);
        let two = Estimate::of([&batches, &batches]);
        assert_eq!(
            two.half_width,
            Some(0.0),
            "over the replications, not over their batches"
        );
    }
}
