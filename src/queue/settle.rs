//! What a receipt handle does: deleting a message and changing its visibility, alone and in batches.

use {
    super::{
        Inner, Position, Queue, Verb,
        batch::{
            BatchResult, ChangeVisibilityBatchEntry, DeleteBatchEntry, Received, Target, check_distinct, check_ids,
            collect, run,
        },
    },
    crate::{
        error::{
            BatchError, ChangeVisibilityError, DeleteError, InvalidParameterValue, InvalidReason,
            ParseReceiptHandleError, check,
        },
        message::ReceiptHandle,
        state::{Effects, QueueState, Receipt, Refusal},
        time::Timestamp,
    },
    std::time::Duration,
};

impl Queue {
    /// Deletes a message by a handle of it.
    ///
    /// Deleting what is gone already succeeds. On a standard queue any handle the message ever had deletes it, on a
    /// FIFO queue only the latest while its visibility timeout lasts (D19).
    ///
    /// # Errors
    /// `ReceiptHandleIsInvalid` for a handle of another queue, `InvalidParameterValue` for an expired one on a FIFO
    /// queue, `QueueDoesNotExist`; `Storage` if the queue's journal does not record it.
    ///
    /// # Source
    /// [`DeleteMessage`](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteMessage.html).
    ///
    /// # Examples
    /// ```
    /// # use requeue::Queue;
    /// let jobs = Queue::standard("jobs").build()?;
    /// jobs.send("resize cat.png")?;
    /// let handle = jobs.receive().blocking()?[0].receipt_handle();
    /// jobs.delete(&handle)?;
    /// jobs.delete(&handle)?; // once more is no error
    /// assert_eq!(jobs.counts().in_flight, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn delete(&self, receipt_handle: &ReceiptHandle) -> Result<(), DeleteError> {
        let inner = &self.inner;
        inner.record(Verb::Delete, 0, || inner.delete(receipt_handle))
    }

    /// [`delete`](Self::delete) for an async caller.
    ///
    /// # Errors
    /// As [`delete`](Self::delete).
    ///
    /// # Examples
    /// ```
    /// # use requeue::Queue;
    /// let jobs = Queue::standard("jobs").build()?;
    /// jobs.send("resize cat.png")?;
    /// let handle = jobs.receive().blocking()?[0].receipt_handle();
    /// pollster::block_on(jobs.delete_async(&handle))?;
    /// assert_eq!(jobs.counts().in_flight, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn delete_async(&self, receipt_handle: &ReceiptHandle) -> Result<(), DeleteError> {
        let inner = &self.inner;
        inner
            .record_async(Verb::Delete, 0, || inner.delete(receipt_handle))
            .await
    }

    /// Deletes up to ten messages, each with a result of its own; the same handle may occur twice (M42).
    ///
    /// An entry is a [`Message`](crate::Message) by reference, a handle, or either with an id: `("a", handle)`. Without
    /// one its id is its place, `"0"` and so on.
    ///
    /// # Errors
    /// `EmptyBatchRequest`, `InvalidBatchEntryId`, `BatchEntryIdsNotDistinct`, `TooManyEntriesInBatchRequest`
    /// (M31-M35), `QueueDoesNotExist`, and `Storage` if the queue's journal does not record it. What is wrong
    /// with one entry is in [`BatchResult::failed`], such as `ReceiptHandleIsInvalid` for a message of another queue, also
    /// of a deleted one with the same name.
    ///
    /// # Source
    /// [`DeleteMessageBatch`](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteMessageBatch.html).
    ///
    /// # Examples
    /// ```
    /// # use requeue::Queue;
    /// let jobs = Queue::standard("jobs").build()?;
    /// let _ = jobs.send_batch(["resize cat.png", "resize dog.png"])?;
    /// let messages = jobs.receive().max_messages(10).blocking()?;
    /// assert!(jobs.delete_batch(&messages)?.failed.is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn delete_batch<E: Into<DeleteBatchEntry>>(
        &self,
        entries: impl IntoIterator<Item = E>,
    ) -> Result<BatchResult<()>, BatchError> {
        let inner = &self.inner;
        inner.record(Verb::Delete, 0, || inner.delete_entries(entries))
    }

    /// [`delete_batch`](Self::delete_batch) for an async caller.
    ///
    /// # Errors
    /// As [`delete_batch`](Self::delete_batch).
    ///
    /// # Examples
    /// ```
    /// # use requeue::Queue;
    /// let jobs = Queue::standard("jobs").build()?;
    /// let _ = jobs.send_batch(["resize cat.png", "resize dog.png"])?;
    /// let messages = jobs.receive().max_messages(10).blocking()?;
    /// assert_eq!(pollster::block_on(jobs.delete_batch_async(&messages))?.successful.len(), 2);
    /// assert_eq!(jobs.counts().in_flight, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn delete_batch_async<E: Into<DeleteBatchEntry>>(
        &self,
        entries: impl IntoIterator<Item = E> + Send,
    ) -> Result<BatchResult<()>, BatchError> {
        let inner = &self.inner;
        inner
            .record_async(Verb::Delete, 0, || inner.delete_entries(entries))
            .await
    }

    /// Makes a message in flight visible again `timeout` from this call; zero gives it back at once (D24).
    ///
    /// The timeout replaces what was left of the old one, for this reception only (D23). It is 0 s to 12 h, and all
    /// of one reception may last 12 h at most (D26). A message that is visible already stays so (D30).
    ///
    /// # Errors
    /// `InvalidParameterValue` for a timeout out of range (D25, D26), a message that is gone, or an expired handle on a
    /// FIFO queue (D19); `ReceiptHandleIsInvalid` for a handle of another queue; `QueueDoesNotExist`. The old timeout
    /// stays in each case. `Storage` if the queue's journal does not record it.
    ///
    /// # Source
    /// [`ChangeMessageVisibility`](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html).
    ///
    /// # Examples
    /// ```
    /// # use requeue::Queue;
    /// # use std::time::Duration;
    /// let jobs = Queue::standard("jobs").build()?;
    /// jobs.send("resize cat.png")?;
    /// let handle = jobs.receive().blocking()?[0].receipt_handle();
    /// jobs.change_visibility(&handle, Duration::ZERO)?; // this consumer cannot do it, another may
    /// assert_eq!(jobs.receive().blocking()?[0].approximate_receive_count(), 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn change_visibility(
        &self,
        receipt_handle: &ReceiptHandle,
        timeout: Duration,
    ) -> Result<(), ChangeVisibilityError> {
        let inner = &self.inner;
        let change = || inner.change_visibility(|state| inner.receipt(state, receipt_handle), timeout);
        inner.record(Verb::ChangeVisibility, 0, change)
    }

    /// [`change_visibility`](Self::change_visibility) for an async caller.
    ///
    /// # Errors
    /// As [`change_visibility`](Self::change_visibility).
    ///
    /// # Examples
    /// ```
    /// # use requeue::Queue;
    /// # use std::time::Duration;
    /// let jobs = Queue::standard("jobs").build()?;
    /// jobs.send("resize cat.png")?;
    /// let handle = jobs.receive().blocking()?[0].receipt_handle();
    /// pollster::block_on(jobs.change_visibility_async(&handle, Duration::ZERO))?;
    /// assert_eq!(jobs.receive().blocking()?[0].approximate_receive_count(), 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn change_visibility_async(
        &self,
        receipt_handle: &ReceiptHandle,
        timeout: Duration,
    ) -> Result<(), ChangeVisibilityError> {
        let inner = &self.inner;
        let change = || inner.change_visibility(|state| inner.receipt(state, receipt_handle), timeout);
        inner.record_async(Verb::ChangeVisibility, 0, change).await
    }

    /// Puts a message in flight back as if this receive had not been: visible at once, at its place in the order, with
    /// the receive count of before. The handle is void.
    ///
    /// For a consumer that has not begun the message: the receive counts neither towards the dead-letter queue nor
    /// towards the time that its group takes. SQS has no such action; [`change_visibility`](Self::change_visibility) to
    /// zero keeps the count. Only the latest handle does it, and only while its visibility timeout lasts. Facts tell of
    /// it as [`Fact::Released`](crate::Fact::Released).
    ///
    /// # Errors
    /// `InvalidParameterValue` if the message is gone, visible again, or received again since; `ReceiptHandleIsInvalid`
    /// for a handle of another queue; `QueueDoesNotExist`; `Storage` if the queue's journal does not record it.
    ///
    /// # Examples
    /// ```
    /// # use requeue::Queue;
    /// let jobs = Queue::standard("jobs").build()?;
    /// jobs.send("resize cat.png")?;
    /// let handle = jobs.receive().blocking()?[0].receipt_handle();
    /// jobs.release(&handle)?;
    /// assert_eq!(jobs.receive().blocking()?[0].approximate_receive_count(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn release(&self, receipt_handle: &ReceiptHandle) -> Result<(), ChangeVisibilityError> {
        self.postpone(receipt_handle, Duration::ZERO)
    }

    /// Hides a message in flight for `delay` from this call, as if this receive had not been: it comes back with the
    /// receive count of before. The handle is void. The delay is 0 s to 12 h; without one it is a [`release`](Self::release).
    ///
    /// For a consumer that finds that the message cannot be worked on yet: the receive does not count towards the
    /// dead-letter queue. SQS has no such action; [`change_visibility`](Self::change_visibility) keeps the count. Only the
    /// latest handle does it, and only while its visibility timeout lasts. Until it comes back the message counts as in
    /// flight, and on a FIFO queue its group waits. Facts tell of it as [`Fact::Postponed`](crate::Fact::Postponed).
    ///
    /// # Errors
    /// `InvalidParameterValue` for a delay out of range, or if the message is gone, visible again, or received again
    /// since; `ReceiptHandleIsInvalid` for a handle of another queue; `QueueDoesNotExist`; `Storage` if
    /// the queue's journal does not record it.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{ManualClock, Queue};
    /// # use std::time::Duration;
    /// let clock = ManualClock::default();
    /// let jobs = Queue::standard("jobs").clock(clock.clone()).build()?;
    /// jobs.send("resize cat.png")?;
    /// let handle = jobs.receive().blocking()?[0].receipt_handle();
    /// jobs.postpone(&handle, Duration::from_secs(3_600))?;
    /// clock.advance(Duration::from_secs(3_600));
    /// assert_eq!(jobs.receive().blocking()?[0].approximate_receive_count(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn postpone(&self, receipt_handle: &ReceiptHandle, delay: Duration) -> Result<(), ChangeVisibilityError> {
        let inner = &self.inner;
        let postpone = || inner.postpone(|state| inner.receipt(state, receipt_handle), delay);
        inner.record(Verb::ChangeVisibility, 0, postpone)
    }

    /// [`postpone`](Self::postpone) for an async caller.
    ///
    /// # Errors
    /// As [`postpone`](Self::postpone).
    ///
    /// # Examples
    /// ```
    /// # use requeue::{MessagePhase, Queue};
    /// # use std::time::Duration;
    /// let jobs = Queue::standard("jobs").build()?;
    /// jobs.send("resize cat.png")?;
    /// let handle = jobs.receive().blocking()?[0].receipt_handle();
    /// pollster::block_on(jobs.postpone_async(&handle, Duration::from_secs(60)))?;
    /// assert_eq!(jobs.snapshot().messages[0].approximate_receive_count, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn postpone_async(
        &self,
        receipt_handle: &ReceiptHandle,
        delay: Duration,
    ) -> Result<(), ChangeVisibilityError> {
        let inner = &self.inner;
        let postpone = || inner.postpone(|state| inner.receipt(state, receipt_handle), delay);
        inner.record_async(Verb::ChangeVisibility, 0, postpone).await
    }

    /// Changes the visibility of up to ten messages, each with a result of its own.
    ///
    /// An entry is a [`Message`](crate::Message) by reference or a handle, with the timeout, and with an id before it or
    /// without: `("a", handle, timeout)`. Without one its id is its place, `"0"` and so on.
    ///
    /// # Errors
    /// `EmptyBatchRequest`, `InvalidBatchEntryId`, `BatchEntryIdsNotDistinct`, `TooManyEntriesInBatchRequest`
    /// (M31-M35), `QueueDoesNotExist`, and `Storage` if the queue's journal does not record it. What is wrong
    /// with one entry is in [`BatchResult::failed`], such as `ReceiptHandleIsInvalid` for a message of another queue, also
    /// of a deleted one with the same name.
    ///
    /// # Source
    /// [`ChangeMessageVisibilityBatch`](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibilityBatch.html).
    ///
    /// # Examples
    /// ```
    /// # use requeue::Queue;
    /// # use std::time::Duration;
    /// let jobs = Queue::standard("jobs").build()?;
    /// let _ = jobs.send_batch(["resize cat.png", "resize dog.png"])?;
    /// let messages = jobs.receive().max_messages(10).blocking()?;
    /// let minute = Duration::from_secs(60);
    /// let result = jobs.change_visibility_batch(messages.iter().map(|message| (message, minute)))?;
    /// assert_eq!(result.successful.len(), 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn change_visibility_batch<E: Into<ChangeVisibilityBatchEntry>>(
        &self,
        entries: impl IntoIterator<Item = E>,
    ) -> Result<BatchResult<()>, BatchError> {
        let inner = &self.inner;
        inner.record(Verb::ChangeVisibility, 0, || inner.change_visibility_of(entries))
    }

    /// [`change_visibility_batch`](Self::change_visibility_batch) for an async caller.
    ///
    /// # Errors
    /// As [`change_visibility_batch`](Self::change_visibility_batch).
    ///
    /// # Examples
    /// ```
    /// # use requeue::Queue;
    /// # use std::time::Duration;
    /// let jobs = Queue::standard("jobs").build()?;
    /// let _ = jobs.send_batch(["resize cat.png", "resize dog.png"])?;
    /// let messages = jobs.receive().max_messages(10).blocking()?;
    /// let back: Vec<_> = messages.iter().map(|message| (message, Duration::ZERO)).collect();
    /// assert!(pollster::block_on(jobs.change_visibility_batch_async(back))?.failed.is_empty());
    /// assert_eq!(jobs.counts().visible, 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn change_visibility_batch_async<E: Into<ChangeVisibilityBatchEntry>>(
        &self,
        entries: impl IntoIterator<Item = E> + Send,
    ) -> Result<BatchResult<()>, BatchError> {
        let inner = &self.inner;
        let change = || inner.change_visibility_of(entries);
        inner.record_async(Verb::ChangeVisibility, 0, change).await
    }
}

/// What a call answers with, and the entry of the journal on which that depends.
type Recorded<T, E> = Result<(T, Position), E>;

/// Each answers with the entry of the journal on which its answer depends.
impl Inner {
    fn delete(&self, handle: &ReceiptHandle) -> Recorded<(), DeleteError> {
        let target = Target::Handle(*handle);
        let deleted = self.recorded_step(|state, now, out| self.delete_target(state, now, target, out));
        let (deleted, position) = deleted.ok_or(DeleteError::QueueDoesNotExist)?;
        deleted.map_err(|error| *error)?;
        Ok(((), position))
    }

    fn delete_entries<E: Into<DeleteBatchEntry>>(
        &self,
        entries: impl IntoIterator<Item = E>,
    ) -> Recorded<BatchResult<()>, BatchError> {
        let entries: Vec<DeleteBatchEntry> = self.entries(entries, "DeleteMessageBatchRequestEntry")?;
        check_ids(entries.iter().map(|entry| &entry.id), &self.limits)?;
        check_distinct(entries.iter().map(|entry| &entry.id), &self.limits)?;
        let deleted = self.recorded_step(|state, now, out| {
            let entries = entries.into_iter().map(|entry| (entry.id, entry.target));
            run(entries, |target| {
                let deleted = self.delete_target(state, now, target, out);
                deleted.map_err(|error| Box::new((error.code(), error.to_string())))
            })
        });
        deleted.ok_or(BatchError::QueueDoesNotExist)
    }

    fn change_visibility_of<E: Into<ChangeVisibilityBatchEntry>>(
        &self,
        entries: impl IntoIterator<Item = E>,
    ) -> Recorded<BatchResult<()>, BatchError> {
        let kind = "ChangeMessageVisibilityBatchRequestEntry";
        let entries: Vec<ChangeVisibilityBatchEntry> = self.entries(entries, kind)?;
        check_ids(entries.iter().map(|entry| &entry.id), &self.limits)?;
        check_distinct(entries.iter().map(|entry| &entry.id), &self.limits)?;
        let changed = self.recorded_step(|state, now, out| {
            let entries = entries.into_iter();
            let entries = entries.map(|entry| (entry.id, (entry.target, entry.visibility_timeout)));
            run(entries, |(target, timeout)| {
                let receipt = |state: &QueueState| self.receipt_of(state, target);
                let changed = self.change_visibility_in(state, now, receipt, timeout, out);
                changed.map_err(|error| Box::new((error.code(), error.to_string())))
            })
        });
        changed.ok_or(BatchError::QueueDoesNotExist)
    }

    /// [`delete`](Self::delete) by what a handle of this queue names.
    #[inline]
    pub(super) fn delete_received(&self, receipt: Receipt) -> Recorded<(), DeleteError> {
        match self.recorded_step(|state, now, out| state.delete(now, receipt, out)) {
            Some((Ok(()), position)) => Ok(((), position)),
            Some((Err(_), _)) => Err(self.of_handle(receipt, InvalidReason::ReceiptHandleExpired).into()),
            None => Err(DeleteError::QueueDoesNotExist),
        }
    }

    /// Changes the visibility of the reception that `receipt` finds.
    pub(super) fn change_visibility(
        &self,
        receipt: impl FnOnce(&QueueState) -> Result<Receipt, ParseReceiptHandleError>,
        timeout: Duration,
    ) -> Recorded<(), ChangeVisibilityError> {
        let receipt = |state: &QueueState| receipt(state).map_err(|error| Box::new(error.into()));
        let changed =
            self.recorded_step(|state, now, out| self.change_visibility_in(state, now, receipt, timeout, out));
        let (changed, position) = changed.ok_or(ChangeVisibilityError::QueueDoesNotExist)?;
        changed.map_err(|error| *error)?;
        Ok(((), position))
    }

    /// Without a delay it is a release.
    pub(super) fn postpone(
        &self,
        receipt: impl FnOnce(&QueueState) -> Result<Receipt, ParseReceiptHandleError>,
        delay: Duration,
    ) -> Recorded<(), ChangeVisibilityError> {
        let postponed = self.recorded_step(|state, now, out| {
            let delay = check::visibility_timeout(delay, &self.limits)?;
            let receipt = receipt(state)?;
            state.postpone(now, receipt, delay, out).map_err(|refusal| {
                let reason = match refusal {
                    Refusal::HandleExpired => InvalidReason::ReceiptHandleExpired,
                    _ => InvalidReason::NotInFlight,
                };
                ChangeVisibilityError::from(self.of_handle(receipt, reason))
            })
        });
        let (postponed, position) = postponed.ok_or(ChangeVisibilityError::QueueDoesNotExist)?;
        postponed.map(|()| ((), position))
    }

    fn entries<T>(&self, entries: impl IntoIterator<Item: Into<T>>, kind: &'static str) -> Result<Vec<T>, BatchError> {
        if self.is_gone() {
            return Err(BatchError::QueueDoesNotExist);
        }
        collect(entries, kind)
    }

    #[inline]
    fn delete_target(
        &self,
        state: &mut QueueState,
        now: Timestamp,
        target: Target<DeleteError>,
        out: &mut Effects,
    ) -> Result<(), Box<DeleteError>> {
        let receipt = self.receipt_of(state, target)?;
        let deleted = state.delete(now, receipt, out);
        deleted.map_err(|_| Box::new(self.of_handle(receipt, InvalidReason::ReceiptHandleExpired).into()))
    }

    fn change_visibility_in(
        &self,
        state: &mut QueueState,
        now: Timestamp,
        receipt: impl FnOnce(&QueueState) -> Result<Receipt, Box<ChangeVisibilityError>>,
        timeout: Duration,
        out: &mut Effects,
    ) -> Result<(), Box<ChangeVisibilityError>> {
        let timeout = check::visibility_timeout(timeout, &self.limits).map_err(|error| Box::new(error.into()))?;
        let receipt = receipt(state)?;
        state.change_visibility(now, receipt, timeout, out).map_err(|refusal| {
            let error = match refusal {
                Refusal::HandleExpired => self.of_handle(receipt, InvalidReason::ReceiptHandleExpired),
                Refusal::BeyondTotal => {
                    let limit = self.limits.visibility_timeout;
                    let reason = InvalidReason::TotalVisibilityTimeout { limit };
                    InvalidParameterValue::of_span("VisibilityTimeout", timeout, reason)
                }
                _ => self.of_handle(receipt, InvalidReason::NotAvailable),
            };
            Box::new(error.into())
        })
    }

    /// What is wrong with the handle of a reception of this queue.
    #[inline(never)]
    pub(super) fn of_handle(&self, receipt: Receipt, reason: InvalidReason) -> InvalidParameterValue {
        let handle = self.received(receipt).handle();
        InvalidParameterValue::of("ReceiptHandle", handle.to_string(), reason)
    }

    #[inline]
    pub(super) const fn received(&self, receipt: Receipt) -> Received {
        Received {
            queue: self.nonce,
            receipt,
            seal_key: self.seal_key,
        }
    }

    #[inline]
    fn receipt_of<E: From<ParseReceiptHandleError>>(
        &self,
        state: &QueueState,
        target: Target<E>,
    ) -> Result<Receipt, Box<E>> {
        let receipt = match target {
            Target::Received(received) => self.receipt_of_received(state, received),
            Target::Handle(handle) => self.receipt(state, &handle),
            Target::Failed(error) => return Err(error),
        };
        receipt.map_err(|error| Box::new(error.into()))
    }

    /// What a handle of this queue names; any other is invalid (D19). So is one that a copy of this queue, of the same
    /// name and seed, has given out, and this one not.
    pub(super) fn receipt(
        &self,
        state: &QueueState,
        handle: &ReceiptHandle,
    ) -> Result<Receipt, ParseReceiptHandleError> {
        let receipt = Receipt {
            slot: handle.slot,
            sequence: handle.sequence,
            reception: handle.generation,
        };
        let received = Received {
            receipt,
            queue: handle.queue,
            seal_key: self.seal_key,
        };
        match handle.verify(&self.seal_key) {
            true => self.receipt_of_received(state, received),
            false => Err(ParseReceiptHandleError {
                handle: handle.to_string(),
            }),
        }
    }

    #[inline]
    fn receipt_of_received(&self, state: &QueueState, received: Received) -> Result<Receipt, ParseReceiptHandleError> {
        let Received {
            queue,
            receipt,
            seal_key,
        } = received;
        if queue == self.nonce && seal_key == self.seal_key && state.has_issued(receipt) {
            return Ok(receipt);
        }
        Err(ParseReceiptHandleError {
            handle: received.handle().to_string(),
        })
    }
}
