//! A service from what its journal says, and what is carried forward in it.

use {
    super::{
        Service, ServiceBuilder, ServiceState,
        registry::{Registered, Registry},
        task::{Destination, Task},
    },
    crate::{
        error::StorageError,
        message::Seed,
        queue::{FactLog, Owner as _, Position, Queue},
        state::{MoveTask, QueueImage, RestoreError, ServiceImage, TaskImage},
    },
    std::sync::{Arc, Weak},
};

/// A service, unless all its handles are gone.
#[derive(Clone, Debug)]
pub(crate) struct WeakService(Weak<ServiceState>);

impl WeakService {
    pub(crate) fn upgrade(&self) -> Option<Service> {
        self.0.upgrade().map(|shared| Service { shared })
    }
}

/// What a segment holds that may still live, of one queue or of the service.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kept {
    Service,
    Tags,
    Tasks,
}

impl Service {
    pub(crate) fn downgrade(&self) -> WeakService {
        WeakService(Arc::downgrade(&self.shared))
    }

    /// Goes on with the move tasks of the journal.
    pub(crate) fn resume_tasks(&self) {
        let tasks = self.shared.registry.lock().tasks();
        tasks.iter().for_each(Task::tick);
    }

    /// Roughly how many bytes of a journal all that the queues hold would take.
    pub(crate) fn stored_bytes(&self) -> u64 {
        let queues: Vec<_> = self.shared.registry.lock().queues().cloned().collect();
        queues.iter().map(Queue::stored_bytes).sum()
    }

    /// Ends the journal; `None` without one.
    pub(crate) fn close_journal(&self) -> Option<Result<(), StorageError>> {
        let closed = self.shared.log.as_ref().map(|log| log.close());
        if closed.is_some() {
            self.shared.journal_closed();
        }
        closed
    }

    /// The queue of this number in the journal.
    pub(crate) fn numbered(&self, number: u64) -> Option<Queue> {
        let registry = self.shared.registry.lock();
        registry.numbered(number).map(|entry| entry.queue.clone())
    }

    /// Records again what the service knows of the queue of this number, or of itself. Answers 0 if there is nothing.
    pub(crate) fn carry(&self, number: u64, kept: Kept) -> Position {
        let (shared, registry) = (&self.shared, self.shared.registry.lock());
        match (kept, registry.numbered(number)) {
            (Kept::Service, _) => shared.record_service(&registry),
            (Kept::Tags, Some(entry)) => shared.record_tags(number, &entry.tags),
            (Kept::Tasks, Some(entry)) => {
                let oldest_first = entry.tasks.iter().rev();
                oldest_first.map(|task| task.record(shared)).max().unwrap_or(0)
            }
            (Kept::Tags | Kept::Tasks, None) => 0,
        }
    }

    /// Records again that a name cannot be used yet, if that is so. Answers 0 if not.
    pub(crate) fn carry_deleted(&self, name: &str) -> Position {
        let (shared, mut registry) = (&self.shared, self.shared.registry.lock());
        let interval = shared.environment.limits.recreate_interval;
        if !registry.is_deleted(name, shared.environment.clock.now(), interval) {
            return 0;
        }
        let at = registry.deleted_at(name);
        at.map_or(0, |at| shared.record_deleted(name, at))
    }
}

impl ServiceBuilder {
    /// A service with a journal, and in it the queues that the journal names.
    pub(crate) fn restore(
        self,
        log: Arc<dyn FactLog>,
        image: ServiceImage,
        epoch: u64,
    ) -> Result<Service, RestoreError> {
        let seed = image.header.as_ref().map(|header| Seed::new(header.seed));
        let service = self.assemble(seed, Some(log), epoch);
        service.shared.restore(image, epoch)?;
        Ok(service)
    }
}

impl ServiceState {
    fn restore(self: &Arc<Self>, image: ServiceImage, epoch: u64) -> Result<(), RestoreError> {
        let (limits, now) = (&self.environment.limits, self.environment.clock.now());
        let mut registry = self.registry.lock();
        if let Some(header) = &image.header {
            (registry.created, registry.started) = (header.created, header.started);
        }
        // In order of time, as the registry keeps them.
        let mut deleted: Vec<_> = image.deleted.into_iter().collect();
        deleted.sort_unstable_by_key(|&(_, at)| at);
        for (name, at) in deleted {
            registry.note_deleted(&name, at.min(now), limits.recreate_interval);
        }
        let mut tasks = Vec::new();
        for (number, mut queue) in image.queues {
            tasks.push((number, std::mem::take(&mut queue.tasks)));
            self.restore_queue(&mut registry, number, queue, epoch)?;
        }
        for (number, images) in tasks {
            for image in images {
                self.restore_task(&mut registry, number, image);
            }
        }
        registry.forget_deleted(now, limits.recreate_interval);
        Ok(())
    }

    fn restore_queue(
        self: &Arc<Self>,
        registry: &mut Registry,
        number: u64,
        mut image: QueueImage,
        epoch: u64,
    ) -> Result<(), RestoreError> {
        let header = image.header.as_ref().ok_or(RestoreError::NoHeader)?;
        let (name, settings) = (header.name.clone(), header.settings.clone());
        let target = settings.redrive_policy.as_ref();
        let target = target.and_then(|policy| self.addresses.name_in_arn(policy.dead_letter_target_arn()));
        let target = target.map(str::to_owned);
        let route = target.as_deref().map(|target| registry.enter_source(&name, target));
        let tags = std::mem::take(&mut image.tags);
        let queue = Queue::restore(self.parts(&name, settings, number, route), image, epoch)?;
        registry.insert(&name, Registered::new(queue, tags, target));
        Ok(())
    }

    /// A task whose destination is gone is there, and fails with its next message.
    fn restore_task(self: &Arc<Self>, registry: &mut Registry, source: u64, image: TaskImage) {
        let Some(queue) = registry.numbered(source).map(|entry| entry.queue.clone()) else {
            return;
        };
        let machine = MoveTask::restore(
            &image,
            self.environment.limits.move_task_duration,
            self.environment.clock.now(),
        );
        let remembered = self.environment.limits.list_move_task_results;
        let name = queue.name().to_owned();
        let destination = match image.destination {
            None => Destination::Origin,
            Some((number, arn)) => match registry.numbered(number) {
                Some(entry) => Destination::Queue(entry.queue.clone()),
                None => Destination::Gone { number, arn },
            },
        };
        let queues = (queue, destination);
        let task = Task::new(self, image.id, queues, image.rate, image.to_move, machine);
        registry.push_task(&name, Arc::new(task), remembered);
    }
}
