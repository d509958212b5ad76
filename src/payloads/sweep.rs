//! The search for payloads that no message points to.

use {
    super::{
        PayloadQueue,
        error::{PayloadStoreError, refused},
        pointer::key_in,
        store::{PayloadStore, StoredPayload},
    },
    crate::{
        backend::{MessageQueue, MessageQueueError},
        clock::{Clock, SystemClock},
        queue::Queue,
    },
    futures_util::stream::{Stream, StreamExt},
    std::{any::Any, collections::HashSet, fmt, pin::pin, time::Duration},
};

/// So many payloads are deleted at once.
const DELETES: usize = 16;

/// A search for payloads that no message points to, by [`PayloadQueue::sweep`].
#[must_use = "a sweep does nothing until `list` or `remove`"]
pub struct Sweep<'q, Q, S> {
    payloads: &'q PayloadQueue<Q, S>,
    older_than: Duration,
    in_use_by: Vec<Queue>,
}

/// What a [sweep](Sweep::remove) has done.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct SweepReport {
    /// Payloads that were deleted.
    pub removed: u64,
    /// Their bytes.
    pub removed_bytes: u64,
    /// Payloads that could not be deleted.
    pub failed: u64,
    /// The first reason why not.
    pub first_error: Option<String>,
}

impl<Q: MessageQueue, S: PayloadStore> PayloadQueue<Q, S> {
    /// Begins a search for payloads below the prefix that were stored more than `older_than` ago, and that no message
    /// points to.
    ///
    /// Payloads are left behind by purges, by retention, by deleted queues (E9), and by what dies between a payload and its
    /// message. A sweep knows the messages of its own queue, if that is an embedded one, and of those that it is told of by
    /// [`in_use_by`](Sweep::in_use_by): then `older_than` only has to be longer than a send takes, an hour for example. On
    /// Amazon SQS age alone decides: it has to be longer than the retention of the queue and of its dead-letter queue
    /// together, or messages lose their payloads. Ages are by this machine's clock and the store's: it has to be longer than
    /// these two differ, too. On a wrapper of an embedded queue name that queue: a sweep that knows no queue of this process
    /// is refused there.
    ///
    /// Only keys are looked at that are the prefix and a UUID, and in a directory what a put that was cut off has left.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, SendMessage, backend::MessageQueue, payloads::{ObjectPayloadStore, PayloadQueue}};
    /// use std::time::Duration;
    ///
    /// let queue = Queue::standard("jobs").build()?;
    /// let jobs = PayloadQueue::builder(&queue, ObjectPayloadStore::in_memory()).build()?;
    /// pollster::block_on(jobs.send(SendMessage::new("x".repeat(300_000))))?;
    /// queue.purge()?;
    /// pollster::block_on(jobs.send(SendMessage::new("y".repeat(300_000))))?;
    ///
    /// let sweep = jobs.sweep(Duration::ZERO).in_use_by(&queue); // zero, since nobody sends meanwhile
    /// let report = pollster::block_on(sweep.remove())?;
    /// assert_eq!((report.removed, report.removed_bytes), (1, 300_000));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn sweep(&self, older_than: Duration) -> Sweep<'_, Q, S> {
        Sweep {
            payloads: self,
            older_than,
            in_use_by: (self.queue() as &dyn Any)
                .downcast_ref::<Queue>()
                .cloned()
                .into_iter()
                .collect(),
        }
    }
}

impl<Q: MessageQueue, S: PayloadStore> Sweep<'_, Q, S> {
    /// Keeps the payloads that messages of another embedded queue point to. Name every queue that may have them: the
    /// dead-letter queue, and others that use the prefix.
    pub fn in_use_by(mut self, queue: &Queue) -> Self {
        self.in_use_by.push(queue.clone());
        self
    }

    /// The payloads that [`remove`](Self::remove) would delete, and deletes none.
    ///
    /// # Errors
    /// The store cannot be listed, or it is not known whose messages are in this process.
    pub async fn list(self) -> Result<Vec<StoredPayload>, MessageQueueError> {
        self.check_known()?;
        let found: Vec<_> = self.find().collect().await;
        let found: Result<Vec<_>, _> = found.into_iter().collect();
        found.map_err(|error| self.not_listed(&error))
    }

    /// Deletes the payloads that no message points to.
    ///
    /// # Errors
    /// The store cannot be listed to its end, or it is not known whose messages are in this process. That a payload cannot
    /// be deleted is in the report.
    pub async fn remove(self) -> Result<SweepReport, MessageQueueError> {
        self.check_known()?;
        let store = self.payloads.store();
        let timeout = &self.payloads.inner.timeout;
        let delete = |found: Result<StoredPayload, PayloadStoreError>| async move {
            let found = found?;
            let deleted = timeout.within(store.delete(&found.key)).await;
            Ok((found.size_bytes, deleted.err()))
        };
        let mut report = SweepReport::default();
        let mut deletes = pin!(self.find().map(delete).buffer_unordered(DELETES));
        while let Some(deleted) = deletes.next().await {
            match deleted.map_err(|error| self.not_listed(&error))? {
                (bytes, None) => {
                    report.removed += 1;
                    report.removed_bytes += bytes;
                }
                (_, Some(error)) => {
                    report.failed += 1;
                    report.first_error.get_or_insert_with(|| error.to_string());
                }
            }
        }
        Ok(report)
    }

    fn check_known(&self) -> Result<(), MessageQueueError> {
        if self.in_use_by.is_empty() && self.payloads.is_in_process() {
            let text = "the messages of this queue are not known to a sweep: name its embedded queue by in_use_by";
            return Err(refused(text.to_owned()));
        }
        Ok(())
    }

    fn find(&self) -> impl Stream<Item = Result<StoredPayload, PayloadStoreError>> {
        // Before the queues are looked at: what is stored and sent meanwhile is not old.
        let until = SystemClock::new().now().saturating_sub(self.older_than);
        let in_use = self.keys_in_use();
        let keys = self.payloads.inner.keys.space().clone();
        let listed = self.payloads.store().list(self.payloads.inner.keys.space().prefix());
        let listed = self.payloads.inner.timeout.each(listed);
        listed.filter(move |found| {
            let is_orphan =
                |it: &StoredPayload| it.last_modified <= until && keys.is_payload(&it.key) && !in_use.contains(&it.key);
            std::future::ready(found.as_ref().map_or(true, is_orphan))
        })
    }

    /// The keys that messages point to.
    ///
    /// The queues are read twice, so that a message which moves from one to another meanwhile is seen in one of them.
    fn keys_in_use(&self) -> HashSet<String> {
        let queues = self.in_use_by.iter().chain(&self.in_use_by);
        let messages = queues.flat_map(|queue| queue.snapshot().messages);
        messages.filter_map(|message| key_in(message.content.body())).collect()
    }

    fn not_listed(&self, error: &PayloadStoreError) -> MessageQueueError {
        error.of_payload("listed", self.payloads.inner.keys.space().prefix())
    }
}

impl<Q, S> fmt::Debug for Sweep<'_, Q, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sweep")
            .field("older_than", &self.older_than)
            .field("in_use_by", &self.in_use_by)
            .finish_non_exhaustive()
    }
}
