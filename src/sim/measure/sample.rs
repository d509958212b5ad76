//! Times of many messages, in memory that does not grow with their number.

use {super::Batches, hdrhistogram::Histogram};

/// The distribution of a time in microseconds to three significant digits, and its exact mean.
#[derive(Clone, Debug)]
pub(in crate::sim) struct Sample {
    /// None as long as there is no value, and once it is packed.
    histogram: Option<Histogram<u64>>,
    /// The values and how often each was recorded, once packed.
    packed: Box<[(u64, u64)]>,
    mean: Batches,
}

fn empty() -> Histogram<u64> {
    // It grows as larger values come.
    let mut histogram = Histogram::new(3).expect("three digits are within its limits");
    histogram.auto(true);
    histogram
}

impl Sample {
    pub(in crate::sim) fn new() -> Self {
        Self {
            histogram: None,
            packed: Box::new([]),
            mean: Batches::new(),
        }
    }

    #[inline]
    pub(in crate::sim) fn record(&mut self, batch: usize, micros: u64) {
        // With `auto` it refuses nothing.
        let _ = self.histogram.get_or_insert_with(empty).record(micros);
        self.mean.add(batch, micros as f64 / 1e6, 1.0);
    }

    /// In seconds.
    pub(in crate::sim) const fn mean(&self) -> &Batches {
        &self.mean
    }

    /// Keeps what was recorded in little memory: there may be thousands of replications, each with few values.
    pub(in crate::sim) fn pack(&mut self) {
        if let Some(histogram) = self.histogram.take() {
            let steps = histogram.iter_recorded();
            self.packed = steps.map(|it| (it.value_iterated_to(), it.count_at_value())).collect();
        }
    }

    /// All values of these.
    pub(in crate::sim) fn merged<'a>(samples: impl IntoIterator<Item = &'a Self>) -> Histogram<u64> {
        let mut merged = empty();
        // With `auto` it refuses nothing.
        for sample in samples {
            for (value, count) in &sample.packed {
                let _ = merged.record_n(*value, *count);
            }
            if let Some(histogram) = &sample.histogram {
                let _ = merged.add(histogram);
            }
        }
        merged
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(values: impl IntoIterator<Item = u64>) -> Sample {
        let mut sample = Sample::new();
        values.into_iter().for_each(|it| sample.record(0, it));
        sample
    }

    #[test]
    fn a_packed_sample_has_the_same_distribution_in_less_memory() {
        let (few, many) = ([0, 1, 5_000_000, 5_000_001, 1 << 40], (0..30_000).map(|it| it * it));
        let plain = [sample(few), sample(many), Sample::new()];
        let mut packed = plain.clone();
        packed.iter_mut().for_each(Sample::pack);
        assert_eq!(Sample::merged(&packed), Sample::merged(&plain));
        assert!(packed.iter().all(|it| it.histogram.is_none()));
        assert_eq!(packed.map(|it| it.packed.len() > 5), [false, true, false]);
    }
}
