//! Means with what a confidence interval needs.

/// How many batches a run is divided into, for the interval of a mean of a single run.
pub(in crate::sim) const BATCHES: usize = 20;

/// A weighted mean, whole and over [`BATCHES`] equal parts of the measured time.
#[derive(Clone, Debug)]
pub(in crate::sim) struct Batches {
    sums: [f64; BATCHES],
    weights: [f64; BATCHES],
}

impl Batches {
    pub(in crate::sim) const fn new() -> Self {
        Self {
            sums: [0.0; BATCHES],
            weights: [0.0; BATCHES],
        }
    }

    /// Adds `value` with its weight to a batch, the number of which is below [`BATCHES`].
    #[inline]
    pub(in crate::sim) fn add(&mut self, batch: usize, value: f64, weight: f64) {
        self.sums[batch] += value * weight;
        self.weights[batch] += weight;
    }

    /// Adds to the sum of a batch a part of what was or will be added with a value of zero.
    #[inline]
    pub(in crate::sim) fn add_part(&mut self, batch: usize, part: f64) {
        self.sums[batch] += part;
    }

    pub(in crate::sim) fn weight(&self) -> f64 {
        self.weights.iter().sum()
    }

    /// The mean of all, or `None` if there is nothing.
    pub(in crate::sim) fn mean(&self) -> Option<f64> {
        let weight = self.weight();
        (weight > 0.0).then(|| self.sums.iter().sum::<f64>() / weight)
    }

    /// The means of the batches that have something.
    pub(in crate::sim) fn means(&self) -> impl Iterator<Item = f64> + '_ {
        let both = self.sums.iter().zip(&self.weights);
        both.filter(|it| *it.1 > 0.0).map(|(sum, weight)| sum / weight)
    }
}
