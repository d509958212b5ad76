//! Sending: checks before the lock, admission under it, waiting for capacity where there is a budget.

use {
    super::{
        Core, Inner, Position, Queue, Verb,
        admission::{SendTimeoutFuture, send_timeout},
        batch::{BatchResult, SendBatchEntry, check_distinct, check_ids, collect, run},
        budget::Amount,
        senders::{Place, ids},
    },
    crate::{
        error::{
            BatchError, BudgetLimit, InvalidParameterValue, InvalidReason, MissingParameter, SendBatchError, SendError,
        },
        message::{Content, Extras, SendMessage},
        state::Sent,
        sync::MutexGuard,
        time::Timestamp,
    },
    std::{
        sync::{Arc, atomic::Ordering},
        time::Duration,
    },
};

#[cfg(feature = "topics")]
use {crate::error::StorageError, std::future::poll_fn};

impl Queue {
    /// Stores a message; it is counted and can be received before the call returns (D2).
    ///
    /// A text is a message, and so is a [`SendMessage`] with attributes, a delay or ids. On a FIFO queue a group id is
    /// required, and a repetition within five minutes stores nothing and answers as the original did (F11).
    ///
    /// # Errors
    /// `MissingParameter` for an empty body (M1) or a FIFO message without group (F2), `InvalidMessageContents` (M3),
    /// `InvalidParameterValue` for everything out of range, `QueueDoesNotExist`, and
    /// [`QueueFull`](SendError::QueueFull) with the message if the queue's [`Budget`](crate::Budget) is used up;
    /// [`Storage`](SendError::Storage) if the queue's journal does not record it.
    ///
    /// # Source
    /// [`SendMessage`](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html).
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, SendMessage};
    ///
    /// let orders = Queue::fifo("orders.fifo").content_based_deduplication(true).build()?;
    /// let first = orders.send(SendMessage::new("order-17").message_group_id("customer-3"))?;
    /// let again = orders.send(SendMessage::new("order-17").message_group_id("customer-3"))?;
    /// assert_eq!(first, again);
    /// assert_eq!(orders.counts().visible, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn send(&self, message: impl Into<SendMessage>) -> Result<Sent, SendError> {
        let SendMessage { content, delay } = message.into();
        self.inner.send(content.body, content.extras, delay)
    }

    /// [`send`](Self::send) for an async caller.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    ///
    /// # Examples
    /// ```
    /// # use requeue::Queue;
    /// let jobs = Queue::standard("jobs").build()?;
    /// let sent = pollster::block_on(jobs.send_async("resize cat.png"))?;
    /// assert_eq!(jobs.receive().blocking()?[0].message_id(), sent.message_id);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn send_async(&self, message: impl Into<SendMessage> + Send) -> Result<Sent, SendError> {
        let (inner, mut message) = (&self.inner, message.into());
        let id_computed = inner.prepare(&mut message)?;
        let size = message.size_bytes();
        inner
            .record_async(Verb::Send, size, || inner.store(message, id_computed))
            .await
    }

    /// [`send`](Self::send), blocking up to `wait` for capacity if the queue's [`Budget`](crate::Budget) is used up.
    ///
    /// Senders are let in strictly in the order in which they came, also one whose message is large. A message that
    /// repeats an accepted one needs no capacity and does not wait (F11). A queue without a budget never waits.
    ///
    /// # Errors
    /// As [`send`](Self::send); [`QueueFull`](SendError::QueueFull) with the message when the wait is over, and at once
    /// for a message larger than the whole budget.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Budget, Queue};
    /// use std::time::Duration;
    ///
    /// let jobs = Queue::standard("jobs").budget(Budget::new().messages(1)).build()?;
    /// jobs.send_timeout("one", Duration::from_millis(5))?;
    /// assert!(jobs.send_timeout("two", Duration::from_millis(5)).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn send_timeout(&self, message: impl Into<SendMessage>, wait: Duration) -> Result<Sent, SendError> {
        send_timeout(&self.inner, message.into(), wait)
    }

    /// [`send_timeout`](Self::send_timeout) as a future; dropping it while it waits for capacity sends nothing, and drops
    /// the message with it. With a journal it may wait for its entry after that: then the message is stored already.
    ///
    /// To keep the message when the wait is given up, wait for capacity first:
    /// [`reserve_timeout_async`](Self::reserve_timeout_async). A future that waits has to be polled when it is woken, or
    /// dropped: the capacity freed for it is kept for it until `wait` is over. Futures that have capacity at the same time store
    /// their messages in the order in which they are polled.
    ///
    /// # Errors
    /// As [`send_timeout`](Self::send_timeout).
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Budget, ManualClock, Queue};
    /// # use std::{future::Future, pin::pin, task::{Context, Waker}, time::Duration};
    /// # let clock = ManualClock::default();
    /// let jobs = Queue::standard("jobs").clock(clock.clone()).budget(Budget::new().messages(1)).build()?;
    /// jobs.send("resize cat.png")?;
    /// let mut second = pin!(jobs.send_timeout_async("resize dog.png", Duration::from_secs(5)));
    /// assert!(second.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    /// jobs.receive().blocking()?[0].delete()?; // frees capacity
    /// pollster::block_on(second)?;
    /// assert_eq!(jobs.receive().blocking()?[0].body(), "resize dog.png");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn send_timeout_async(&self, message: impl Into<SendMessage>, wait: Duration) -> SendTimeoutFuture<'_> {
        SendTimeoutFuture::new(&self.inner, message.into(), wait)
    }

    /// Stores a message, and does not wait until its journal has it: answers with the entry that
    /// [`settle_send`](Self::settle_send) waits for. It blocks while the journal has no room.
    #[cfg(feature = "topics")]
    pub(crate) fn store(&self, mut message: SendMessage) -> Result<Position, SendError> {
        let inner = &self.inner;
        let id_computed = inner.prepare(&mut message)?;
        inner.admit(Verb::Send, message.size_bytes())?;
        inner.store(message, id_computed).map(|(_, position)| position)
    }

    /// Waits until the journal has room for a message of so many bytes.
    #[cfg(feature = "topics")]
    pub(crate) async fn wait_for_room_async(&self, bytes: usize) -> Result<(), StorageError> {
        let inner = &self.inner;
        poll_fn(|context| inner.poll_admit(Verb::Send, bytes, &mut || context.waker().clone())).await
    }

    #[cfg(feature = "topics")]
    pub(crate) fn settle_send(&self, position: Position) -> Result<(), StorageError> {
        self.inner.settle(Verb::Send, position)
    }

    #[cfg(feature = "topics")]
    pub(crate) async fn settle_send_async(&self, position: Position) -> Result<(), StorageError> {
        self.inner.settle_async(Verb::Send, position).await
    }

    #[cfg(feature = "topics")]
    pub(crate) fn has_journal(&self) -> bool {
        self.inner.recorder.is_some()
    }

    /// Why a message is not taken that was refused before it came here.
    #[cfg(feature = "aws-protocol")]
    pub(crate) fn refuse(&self, (mut message, refused): (SendMessage, SendError)) -> SendError {
        self.inner.earliest_fault(&mut message, refused)
    }

    /// Stores up to ten messages in the order given, each with a result of its own.
    ///
    /// An entry is a text, a [`SendMessage`], or either with an id: `("a", message)`. Without one its id is its
    /// place, `"0"` and so on. If the call fails, nothing is stored (M37).
    ///
    /// # Errors
    /// `EmptyBatchRequest`, `InvalidBatchEntryId`, `BatchRequestTooLong`, `BatchEntryIdsNotDistinct`,
    /// `TooManyEntriesInBatchRequest`, `InvalidParameterValue` for a FIFO entry without ids (M31-M36),
    /// `QueueDoesNotExist`, and `Storage` if the queue's journal does not record it. What is wrong with one entry is in
    /// [`BatchResult::failed`].
    ///
    /// # Source
    /// [`SendMessageBatch`](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html).
    ///
    /// # Examples
    /// ```
    /// # use requeue::Queue;
    /// let jobs = Queue::standard("jobs").build()?;
    /// let result = jobs.send_batch(["resize cat.png", ""])?;
    /// assert_eq!(result.successful[0].id, "0");
    /// assert_eq!((result.failed[0].id.as_ref(), result.failed[0].code), ("1", "MissingParameter"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn send_batch<E: Into<SendBatchEntry>>(
        &self,
        entries: impl IntoIterator<Item = E>,
    ) -> Result<BatchResult<Sent>, SendBatchError> {
        let inner = &self.inner;
        let (entries, size) = inner.check_batch(entries)?;
        inner.record(Verb::Send, size, || inner.store_batch(entries))
    }

    /// [`send_batch`](Self::send_batch) for an async caller.
    ///
    /// # Errors
    /// As [`send_batch`](Self::send_batch).
    ///
    /// # Examples
    /// ```
    /// # use requeue::Queue;
    /// let jobs = Queue::standard("jobs").build()?;
    /// let result = pollster::block_on(jobs.send_batch_async(["resize cat.png", ""]))?;
    /// assert_eq!((result.successful.len(), result.failed.len()), (1, 1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn send_batch_async<E: Into<SendBatchEntry>>(
        &self,
        entries: impl IntoIterator<Item = E> + Send,
    ) -> Result<BatchResult<Sent>, SendBatchError> {
        let inner = &self.inner;
        let (entries, size) = inner.check_batch(entries)?;
        inner
            .record_async(Verb::Send, size, || inner.store_batch(entries))
            .await
    }
}

/// How the failure of an entry is told.
fn told(error: SendError) -> Box<(&'static str, String)> {
    let error = error.in_batch();
    Box::new((error.code(), error.to_string()))
}

/// There is no capacity for a message.
pub(super) struct Full {
    pub(super) message: SendMessage,
    shortage: Shortage,
}

/// A budget that leaves no capacity.
#[derive(Clone, Copy)]
pub(super) struct Shortage {
    /// What is stored or promised.
    pub(super) taken: Amount,
    pub(super) size: usize,
    pub(super) limit: BudgetLimit,
}

impl Shortage {
    pub(super) fn bytes(&self) -> usize {
        usize::try_from(self.taken.bytes).unwrap_or(usize::MAX)
    }
}

impl Full {
    /// What comes back is what was sent, without an id that was computed.
    pub(super) fn into_error(mut self, id_computed: bool) -> SendError {
        if id_computed {
            self.message.set_deduplication_id(None);
        }
        SendError::QueueFull {
            size: self.shortage.size,
            message: Box::new(self.message),
            messages: self.shortage.taken.messages,
            bytes: self.shortage.bytes(),
            limit: self.shortage.limit,
        }
    }
}

impl Inner {
    /// Stores a message. Its parts come one by one, so that they come in registers.
    fn send(&self, body: Arc<str>, extras: Option<Arc<Extras>>, delay: Option<Duration>) -> Result<Sent, SendError> {
        let content = Content { body, extras };
        let mut message = SendMessage { content, delay };
        let id_computed = self.prepare(&mut message)?;
        if self.recorder.is_some() {
            let size = message.size_bytes();
            return self.record(Verb::Send, size, || self.store(message, id_computed));
        }
        let (now, mut core) = self.enter_to_send().ok_or(SendError::QueueDoesNotExist)?;
        let sent = core.admit(self, now, message, None);
        self.leave(core, now);
        sent.map_err(|full| full.into_error(id_computed))
    }

    /// Stores a message that is prepared, and says on which entry of the journal the answer depends.
    #[inline(never)]
    fn store(&self, message: SendMessage, id_computed: bool) -> Result<(Sent, Position), SendError> {
        let (now, mut core) = self.enter_to_send().ok_or(SendError::QueueDoesNotExist)?;
        let sent = core.admit(self, now, message, None);
        let position = self.leave(core, now);
        let sent = sent.map_err(|full| full.into_error(id_computed))?;
        Ok((sent, position))
    }

    /// Checks all that fails a whole batch without the lock; answers with the entries and their size in bytes.
    fn check_batch<E: Into<SendBatchEntry>>(
        &self,
        entries: impl IntoIterator<Item = E>,
    ) -> Result<(Vec<SendBatchEntry>, usize), SendBatchError> {
        if self.is_gone() {
            return Err(BatchError::QueueDoesNotExist.into());
        }
        let entries: Vec<SendBatchEntry> = collect(entries, "SendMessageBatchRequestEntry")?;
        check_ids(entries.iter().map(|entry| &entry.id), &self.limits)?;
        let size: usize = entries.iter().map(|entry| entry.message.size_bytes()).sum();
        if size > self.limits.batch_bytes {
            let limit = self.limits.batch_bytes;
            return Err(SendBatchError::BatchRequestTooLong { size, limit });
        }
        check_distinct(entries.iter().map(|entry| &entry.id), &self.limits)?;
        self.check_batch_ids(&entries)?;
        Ok((entries, size))
    }

    fn store_batch(&self, mut entries: Vec<SendBatchEntry>) -> Result<(BatchResult<Sent>, Position), SendBatchError> {
        for SendBatchEntry { message, refused, .. } in &mut entries {
            let error = match refused.take() {
                None => self.prepare(message).err(),
                Some(refused) => Some(self.earliest_fault(message, *refused)),
            };
            *refused = error.map(Box::new);
        }
        let (now, mut core) = self.enter_to_send().ok_or(BatchError::QueueDoesNotExist)?;
        let entries = entries
            .into_iter()
            .map(|entry| (entry.id, (entry.message, entry.refused)));
        let result = run(entries, |(message, refused)| match refused {
            Some(error) => Err(told(*error)),
            None => {
                let sent = core.admit(self, now, message, None);
                sent.map_err(|full| told(full.into_error(false)))
            }
        });
        let position = self.leave(core, now);
        Ok((result, position))
    }

    /// Checks everything that can be said of a message without the lock, and gives a FIFO message without a
    /// deduplication id one by its content (F7, F8); says whether it did. Of the faults of a message for a deleted queue
    /// only a missing parameter comes first (X11).
    #[inline]
    pub(super) fn prepare(&self, message: &mut SendMessage) -> Result<bool, SendError> {
        let maximum_message_size = self.maximum_message_size.load(Ordering::Relaxed);
        let checked = message.check(&self.limits, maximum_message_size, self.fifo);
        let prepared = checked.and_then(|()| self.compute_missing_id(message));
        prepared.map_err(|error| match error {
            SendError::MissingParameter(_) => error,
            _ if self.is_gone() => SendError::QueueDoesNotExist,
            _ => error,
        })
    }

    /// What is reported of a message that was refused for something that not even a queue can be told: what SQS looks at
    /// before that comes first, if it is at fault as well (X11).
    fn earliest_fault(&self, message: &mut SendMessage, refused: SendError) -> SendError {
        // The first range of all; whatever else is refused so is of the message itself, which is looked at last.
        let is_delay = matches!(
            &refused,
            SendError::InvalidParameterValue(InvalidParameterValue::Value {
                reason: InvalidReason::Delay { .. },
                ..
            })
        );
        match self.prepare(message) {
            Err(missing @ (SendError::MissingParameter(_) | SendError::QueueDoesNotExist)) => missing,
            Err(earlier) if !is_delay => earlier,
            _ => refused,
        }
    }

    #[inline]
    fn compute_missing_id(&self, message: &mut SendMessage) -> Result<bool, SendError> {
        if !self.fifo || message.content().deduplication().is_some() {
            return Ok(false);
        }
        if !self.content_based_deduplication.load(Ordering::Relaxed) {
            return Err(InvalidParameterValue::NoDeduplicationId.into());
        }
        message.set_content_as_deduplication_id();
        Ok(true)
    }

    /// In a batch a missing id fails the whole call, under another code than in a single send (M36).
    fn check_batch_ids(&self, entries: &[SendBatchEntry]) -> Result<(), InvalidParameterValue> {
        if !self.fifo {
            return Ok(());
        }
        let by_content = self.content_based_deduplication.load(Ordering::Relaxed);
        for message in entries.iter().map(|entry| &entry.message) {
            if message.get_message_group_id().is_none() {
                return Err(InvalidParameterValue::Missing(MissingParameter::new("MessageGroupId")));
            }
            if message.get_message_deduplication_id().is_none() && !by_content {
                return Err(InvalidParameterValue::NoDeduplicationId);
            }
        }
        Ok(())
    }
}

impl Core {
    /// Stores the message if the budget has capacity for it, and for those who came before; a repeated send needs none.
    #[inline(always)]
    pub(super) fn admit(
        &mut self,
        inner: &Inner,
        now: Timestamp,
        message: SendMessage,
        place: Option<Place>,
    ) -> Result<Sent, Box<Full>> {
        if inner.budget.is_limited() {
            if let Some(shortage) = self.lacks_capacity(inner, now, &message, place) {
                return Err(Box::new(Full { message, shortage }));
            }
        }
        Ok(self.store(now, message))
    }

    #[inline(never)]
    fn lacks_capacity(
        &mut self,
        inner: &Inner,
        now: Timestamp,
        message: &SendMessage,
        place: Option<Place>,
    ) -> Option<Shortage> {
        let shortage = self.shortage(inner, now, message.size_bytes(), place)?;
        let repeated = ids(message).is_some_and(|(id, group)| self.state.is_repeated(&group, &id));
        (!repeated).then_some(shortage)
    }

    /// Why there is no capacity for a message of this size from the sender at this place.
    pub(super) fn shortage(
        &mut self,
        inner: &Inner,
        now: Timestamp,
        size: usize,
        place: Option<Place>,
    ) -> Option<Shortage> {
        let stored = self.stored();
        let limit = self.senders.kept_out_by(&inner.budget, stored, size, place, now)?;
        let taken = stored + self.senders.promised();
        Some(Shortage { taken, size, limit })
    }

    /// Stores a message, whatever the budget.
    #[inline(always)]
    fn store(&mut self, now: Timestamp, message: SendMessage) -> Sent {
        if self.senders.have_ids() {
            self.note_accepted(&message);
        }
        let SendMessage { content, delay } = message;
        let message_id = self.draw_message_id();
        self.state.send(now, message_id, content, delay, &mut self.effects)
    }

    #[inline(never)]
    fn note_accepted(&mut self, message: &SendMessage) {
        if let Some(ids) = ids(message) {
            self.senders.note_accepted(ids);
        }
    }
}

impl Inner {
    /// The core, as of an instant at which nothing takes capacity that has expired, if the queue has a budget at all.
    #[inline(always)]
    pub(super) fn enter_to_send(&self) -> Option<(Timestamp, MutexGuard<'_, Core>)> {
        loop {
            let now = self.clock.now();
            let mut core = self.enter()?;
            if !self.budget.is_limited() {
                return Some((now, core));
            }
            let Core { state, effects, .. } = &mut *core;
            state.advance(now, effects);
            if !state.is_behind() {
                return Some((now, core));
            }
            self.leave(core, now);
        }
    }

    /// Sends with capacity that a permit holds, which is free from here on.
    ///
    /// A message larger than the permit gets no more than it would without one.
    pub(super) fn send_permitted(&self, mut message: SendMessage, size: usize) -> Result<(Sent, Position), SendError> {
        let prepared = self.prepare(&mut message);
        let (now, mut core) = self.enter_to_send().ok_or(SendError::QueueDoesNotExist)?;
        core.senders.release(size);
        let sent = prepared.and_then(|id_computed| {
            if message.size_bytes() <= size || self.budget.has_no_bytes() {
                return Ok(core.store(now, message));
            }
            let sent = core.admit(self, now, message, None);
            sent.map_err(|full| full.into_error(id_computed))
        });
        let position = self.leave(core, now);
        Ok((sent?, position))
    }
}
