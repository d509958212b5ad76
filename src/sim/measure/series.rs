//! A number over the time of a run, at a fixed count of points.

/// One point for each of equal intervals of the horizon.
#[derive(Clone, Debug)]
pub(in crate::sim) struct Series {
    values: Vec<f64>,
}

impl Series {
    pub(in crate::sim) fn new(points: usize) -> Self {
        Self {
            values: vec![0.0; points],
        }
    }

    #[inline]
    pub(in crate::sim) fn add(&mut self, point: usize, value: f64) {
        if let Some(it) = self.values.get_mut(point) {
            *it += value;
        }
    }

    pub(in crate::sim) fn set(&mut self, point: usize, value: f64) {
        if let Some(it) = self.values.get_mut(point) {
            *it = value;
        }
    }

    pub(in crate::sim) fn values(&self) -> &[f64] {
        &self.values
    }

    pub(in crate::sim) fn scale(&mut self, factor: f64) {
        self.values.iter_mut().for_each(|it| *it *= factor);
    }
}
