//! What whoever watches the runner sees.

use super::*;

impl Dispatcher {
    /// The jobs whose handlers run, each with when its handler was called; those that a stop has abandoned too.
    pub(in crate::worker) fn running_jobs(&self) -> Vec<(Job, Timestamp)> {
        let items = self
            .workers
            .iter()
            .filter_map(|worker| worker.item.as_ref().or(worker.abandoned.as_ref()));
        items
            .flat_map(|(item, began_at)| item.jobs().iter().map(|job| (job.clone(), *began_at)))
            .collect()
    }
}
