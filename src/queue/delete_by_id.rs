//! Deleting messages by their ids, for who holds no handle of them.

use {
    super::{Inner, Position, Queue, Verb},
    crate::{error::QueueError, message::MessageId},
};

/// So many places of the store are looked at under one lock.
const LOOKED_AT_ONCE: usize = 512;

impl Queue {
    /// Deletes the messages with these ids, whatever their phase: visible, delayed or in flight. Answers with how many
    /// there were; an id that is not there is no error.
    ///
    /// Not on SQS, where only a consumer deletes, by its handle: for operators and dashboards. It is one pass over the
    /// store, however many ids there are, and takes time in proportion to the messages stored; the queue is not locked
    /// meanwhile, and a message that comes in during the call may stay. So does a dead letter or a message of a move
    /// task that is on its way to another queue.
    ///
    /// The consumer of a message in flight is told nothing: its handle is that of a deleted message, by which a delete
    /// succeeds (D19). The group of a FIFO queue that the message had locked goes on, and sends are remembered as
    /// before (F11). Each message is a fact [`Fact::Deleted`](crate::Fact::Deleted), and counts as deleted in
    /// [`Metrics`](crate::Metrics).
    ///
    /// # Errors
    /// `QueueDoesNotExist`; `Storage` if the queue's journal does not record it.
    ///
    /// # Examples
    /// ```
    /// # use requeue::Queue;
    /// let jobs = Queue::standard("jobs").build()?;
    /// jobs.send("resize cat.png")?;
    /// let sent = jobs.send("resize dog.png")?;
    /// let held = jobs.receive().max_messages(10).blocking()?;
    /// assert_eq!(jobs.delete_by_id(&[sent.message_id])?, 1);
    /// assert_eq!(jobs.delete_by_id(&[sent.message_id])?, 0);
    /// assert_eq!(jobs.counts().in_flight, 1);
    /// held[1].delete()?; // its consumer does not notice
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn delete_by_id(&self, message_ids: &[MessageId]) -> Result<usize, QueueError> {
        let inner = &self.inner;
        inner.record(Verb::Delete, 0, || inner.delete_by_id(message_ids))
    }

    /// [`delete_by_id`](Self::delete_by_id) for an async caller.
    ///
    /// # Errors
    /// As [`delete_by_id`](Self::delete_by_id).
    ///
    /// # Examples
    /// ```
    /// # use requeue::Queue;
    /// let jobs = Queue::standard("jobs").build()?;
    /// let sent = jobs.send("resize cat.png")?;
    /// assert_eq!(pollster::block_on(jobs.delete_by_id_async(&[sent.message_id]))?, 1);
    /// assert_eq!(jobs.counts().visible, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn delete_by_id_async(&self, message_ids: &[MessageId]) -> Result<usize, QueueError> {
        let inner = &self.inner;
        inner
            .record_async(Verb::Delete, 0, || inner.delete_by_id(message_ids))
            .await
    }
}

impl Inner {
    /// Answers with the entry of the journal on which its answer depends, too.
    fn delete_by_id(&self, message_ids: &[MessageId]) -> Result<(usize, Position), QueueError> {
        let mut ids = message_ids.to_vec();
        ids.sort_unstable();
        // A message keeps its slot, so what is there at the first step is met by one of the steps.
        let (mut slots, mut deleted) = (None, 0);
        loop {
            let step = self.recorded_step(|state, now, out| {
                let slots = slots.get_or_insert_with(|| state.slots());
                deleted += state.delete_by_id(now, &ids, slots.by_ref().take(LOOKED_AT_ONCE), out);
                slots.start == slots.end
            });
            let (looked_at_all, position) = step.ok_or(QueueError::QueueDoesNotExist)?;
            if looked_at_all {
                return Ok((deleted, position));
            }
        }
    }
}
