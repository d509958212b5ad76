//! The shares by which several queues are received from as one.

/// What of each queue has been received, divided by its weight: the queue that is furthest behind is next.
///
/// Invariant: a queue that had nothing is not behind those that were served meanwhile, so that it saves up no share.
#[derive(Debug)]
pub(super) struct Shares {
    weights: Vec<u32>,
    /// In millionths of a message at weight 1.
    served: Vec<u128>,
}

impl Shares {
    pub(super) fn new(weights: Vec<u32>) -> Self {
        Self {
            served: vec![0; weights.len()],
            weights,
        }
    }

    pub(super) fn weights(&self) -> &[u32] {
        &self.weights
    }

    /// Those furthest behind first.
    pub(super) fn order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.served.len()).collect();
        order.sort_by_key(|at| self.served[*at]);
        order
    }

    pub(super) fn served(&mut self, at: usize, messages: usize) {
        let level = self.served[at];
        for served in &mut self.served {
            // Those before it in the order had nothing.
            *served = level.max(*served);
        }
        self.served[at] += (messages as u128) * 1_000_000 / u128::from(self.weights[at]);
    }
}
