//! What a service tells its journal. Without one nothing is recorded, and nothing waits.

#[cfg(feature = "journal")]
use {
    super::task::Destination,
    crate::{
        state::{Recorded, ServiceHeader, TaskImage},
        time::Timestamp,
    },
};
use {
    super::{ServiceState, registry::Registry, task::Task},
    crate::{
        error::StorageError,
        queue::{Position, Queue, Verb},
        state::MoveTask,
    },
    std::collections::BTreeMap,
};

impl ServiceState {
    /// Refuses what could not be recorded, of about so many bytes.
    pub(super) fn admit(&self, bytes: usize) -> Result<(), StorageError> {
        self.log.as_ref().map_or(Ok(()), |log| log.admit(Verb::Manage, bytes))
    }

    /// Blocks until the entry at this position is safe.
    pub(super) fn settle(&self, position: Position) -> Result<(), StorageError> {
        match &self.log {
            Some(log) if position > 0 => log.wait(Verb::Manage, position),
            _ => Ok(()),
        }
    }
}

#[cfg(not(feature = "journal"))]
impl ServiceState {
    pub(super) fn record_created(&self, _: &Queue, _: &BTreeMap<String, String>, _: &Registry) -> Position {
        0
    }

    pub(super) fn record_service(&self, _: &Registry) -> Position {
        0
    }

    pub(super) fn record_tags(&self, _: u64, _: &BTreeMap<String, String>) -> Position {
        0
    }

    pub(super) fn record_task(&self, _: &Task, _: &MoveTask) -> Position {
        0
    }
}

#[cfg(feature = "journal")]
impl ServiceState {
    fn record(&self, queue: u64, recorded: impl FnOnce() -> Vec<Recorded>) -> Position {
        self.log.as_ref().map_or(0, |log| log.record(queue, &recorded()))
    }

    /// Records a queue that is created, after the service's counters: no crash leaves a number to be used twice, or the
    /// queue without its tags.
    pub(super) fn record_created(
        &self,
        queue: &Queue,
        tags: &BTreeMap<String, String>,
        registry: &Registry,
    ) -> Position {
        self.record_service(registry);
        self.record(queue.number(), || {
            let tags = Some(tags).filter(|tags| !tags.is_empty());
            let tags = tags.map(|tags| Recorded::Tags(tags.clone()));
            [Recorded::Queue(queue.header())].into_iter().chain(tags).collect()
        })
    }

    /// Records the service without its queues.
    pub(super) fn record_service(&self, registry: &Registry) -> Position {
        self.record(0, || {
            vec![Recorded::Service(ServiceHeader {
                region: self.addresses.region().to_owned(),
                account_id: self.addresses.account_id().to_owned(),
                seed: self.seed.value(),
                created: registry.created,
                started: registry.started,
            })]
        })
    }

    pub(super) fn record_tags(&self, number: u64, tags: &BTreeMap<String, String>) -> Position {
        self.record(number, || vec![Recorded::Tags(tags.clone())])
    }

    /// Records how a move task stands.
    pub(super) fn record_task(&self, task: &Task, machine: &MoveTask) -> Position {
        self.record(task.source.number(), || {
            let number = match &task.destination {
                Destination::Origin => 0,
                Destination::Queue(queue) => queue.number(),
                Destination::Gone { number, .. } => *number,
            };
            vec![Recorded::Task(TaskImage {
                id: task.id,
                destination: task.destination.arn().map(|arn| (number, arn.to_owned())),
                rate: task.rate,
                to_move: task.to_move,
                started_at: machine.started_at(),
                moved: machine.moved(),
                status: machine.status(),
                failure: machine.failure(),
            })]
        })
    }

    /// Records that a name cannot be used again yet.
    pub(super) fn record_deleted(&self, name: &str, at: Timestamp) -> Position {
        self.record(0, || {
            let name = name.to_owned();
            vec![Recorded::NameDeleted { name, at }]
        })
    }
}
