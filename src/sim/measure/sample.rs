//! Times of many messages, in memory that does not grow with their number.

use {super::Batches, hdrhistogram::Histogram, std::time::Duration};

/// The distribution of a time in microseconds to three significant digits, and its exact mean.
#[derive(Clone, Debug)]
pub(in crate::sim) struct Sample {
    histogram: Histogram<u64>,
    mean: Batches,
}

impl Sample {
    pub(in crate::sim) fn new() -> Self {
        // It grows as larger values come.
        let mut histogram = Histogram::new(3).expect("three digits are within its limits");
        histogram.auto(true);
        Self {
            histogram,
            mean: Batches::new(),
        }
    }

    #[inline]
    pub(in crate::sim) fn record(&mut self, batch: usize, micros: u64) {
        // With `auto` it refuses nothing.
        let _ = self.histogram.record(micros);
        self.mean.add(batch, micros as f64 / 1e6, 1.0);
    }

    /// In seconds.
    pub(in crate::sim) const fn mean(&self) -> &Batches {
        &self.mean
    }

    pub(in crate::sim) const fn histogram(&self) -> &Histogram<u64> {
        &self.histogram
    }

    pub(in crate::sim) fn quantile(&self, quantile: f64) -> Duration {
        Duration::from_micros(self.histogram.value_at_quantile(quantile))
    }

    /// Adds the values of `other` to the histogram; the means of batches are not added.
    pub(in crate::sim) fn merge(&mut self, other: &Self) {
        // With `auto` it refuses nothing.
        let _ = self.histogram.add(&other.histogram);
    }
}
