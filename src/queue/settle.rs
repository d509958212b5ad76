//! What a receipt handle does: deleting a message and changing its visibility, alone and in batches.

use {
    super::{
        Inner, Queue,
        batch::{BatchResult, ChangeVisibilityBatchEntry, DeleteBatchEntry, check_distinct, check_ids, collect, run},
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
    /// queue, `QueueDoesNotExist`.
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
        self.inner.delete(receipt_handle)
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
        self.delete(receipt_handle)
    }

    /// Deletes up to ten messages, each with a result of its own; the same handle may occur twice (M42).
    ///
    /// # Errors
    /// `EmptyBatchRequest`, `InvalidBatchEntryId`, `BatchEntryIdsNotDistinct`, `TooManyEntriesInBatchRequest`
    /// (M31-M35), `QueueDoesNotExist`. What is wrong with one entry is in [`BatchResult::failed`].
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
        let entries: Vec<DeleteBatchEntry> = self.inner.entries(entries, "DeleteMessageBatchRequestEntry")?;
        let limits = &self.inner.limits;
        check_ids(entries.iter().map(|entry| &entry.id), limits)?;
        check_distinct(entries.iter().map(|entry| &entry.id), limits)?;
        let entries = entries
            .into_iter()
            .map(|entry| (entry.id, entry.receipt_handle))
            .collect();
        let deleted = self.inner.step(|state, now, out| {
            run(entries, |handle: Result<ReceiptHandle, Box<DeleteError>>| {
                let result = match handle {
                    Ok(handle) => self.inner.delete_in(state, now, &handle, out),
                    Err(error) => Err(*error),
                };
                result.map_err(|error| (error.code(), error.to_string()))
            })
        });
        deleted.ok_or(BatchError::QueueDoesNotExist)
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
        self.delete_batch(entries)
    }

    /// Makes a message in flight visible again `timeout` from this call; zero gives it back at once (D24).
    ///
    /// The timeout replaces what was left of the old one, for this reception only (D23). It is 0 s to 12 h, and all
    /// of one reception may last 12 h at most (D26). A message that is visible already stays so (D30).
    ///
    /// # Errors
    /// `InvalidParameterValue` for a timeout out of range (D25, D26), a message that is gone, or an expired handle on a
    /// FIFO queue (D19); `ReceiptHandleIsInvalid` for a handle of another queue; `QueueDoesNotExist`. The old timeout
    /// stays in each case.
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
        self.inner.change_visibility(receipt_handle, timeout)
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
        self.change_visibility(receipt_handle, timeout)
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
    /// for a handle of another queue; `QueueDoesNotExist`.
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
        self.inner.release(receipt_handle)
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
    /// since; `ReceiptHandleIsInvalid` for a handle of another queue; `QueueDoesNotExist`.
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
        self.inner.postpone(receipt_handle, delay)
    }

    /// Changes the visibility of up to ten messages, each with a result of its own.
    ///
    /// # Errors
    /// `EmptyBatchRequest`, `InvalidBatchEntryId`, `BatchEntryIdsNotDistinct`, `TooManyEntriesInBatchRequest`
    /// (M31-M35), `QueueDoesNotExist`. What is wrong with one entry is in [`BatchResult::failed`].
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
        let kind = "ChangeMessageVisibilityBatchRequestEntry";
        let entries: Vec<ChangeVisibilityBatchEntry> = self.inner.entries(entries, kind)?;
        let limits = &self.inner.limits;
        check_ids(entries.iter().map(|entry| &entry.id), limits)?;
        check_distinct(entries.iter().map(|entry| &entry.id), limits)?;
        let entries = entries
            .into_iter()
            .map(|entry| (entry.id, (entry.receipt_handle, entry.visibility_timeout)))
            .collect();
        let changed = self.inner.step(|state, now, out| {
            run(
                entries,
                |(handle, timeout): (Result<_, Box<ChangeVisibilityError>>, _)| {
                    let result = match handle {
                        Ok(handle) => self.inner.change_visibility_in(state, now, &handle, timeout, out),
                        Err(error) => Err(*error),
                    };
                    result.map_err(|error| (error.code(), error.to_string()))
                },
            )
        });
        changed.ok_or(BatchError::QueueDoesNotExist)
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
        self.change_visibility_batch(entries)
    }
}

impl Inner {
    pub(super) fn delete(&self, handle: &ReceiptHandle) -> Result<(), DeleteError> {
        let deleted = self.step(|state, now, out| self.delete_in(state, now, handle, out));
        deleted.ok_or(DeleteError::QueueDoesNotExist)?
    }

    /// [`delete`](Self::delete) by what a handle of this queue names.
    pub(super) fn delete_received(&self, receipt: Receipt) -> Result<(), DeleteError> {
        match self.step(|state, now, out| state.delete(now, receipt, out)) {
            Some(Ok(())) => Ok(()),
            Some(Err(_)) => Err(self.expired(receipt)),
            None => Err(DeleteError::QueueDoesNotExist),
        }
    }

    #[inline(never)]
    fn expired(&self, receipt: Receipt) -> DeleteError {
        let expired = InvalidReason::ReceiptHandleExpired;
        InvalidParameterValue::of("ReceiptHandle", self.handle(receipt).to_string(), expired).into()
    }

    pub(super) fn change_visibility(
        &self,
        handle: &ReceiptHandle,
        timeout: Duration,
    ) -> Result<(), ChangeVisibilityError> {
        let changed = self.step(|state, now, out| self.change_visibility_in(state, now, handle, timeout, out));
        changed.ok_or(ChangeVisibilityError::QueueDoesNotExist)?
    }

    pub(super) fn release(&self, handle: &ReceiptHandle) -> Result<(), ChangeVisibilityError> {
        self.postpone(handle, Duration::ZERO)
    }

    pub(super) fn postpone(&self, handle: &ReceiptHandle, delay: Duration) -> Result<(), ChangeVisibilityError> {
        let postponed = self.step(|state, now, out| {
            let delay = check::visibility_timeout(delay, &self.limits)?;
            let receipt = self.receipt(state, handle)?;
            state.postpone(now, receipt, delay, out).map_err(|refusal| {
                let reason = match refusal {
                    Refusal::HandleExpired => InvalidReason::ReceiptHandleExpired,
                    _ => InvalidReason::NotInFlight,
                };
                InvalidParameterValue::of("ReceiptHandle", handle.to_string(), reason).into()
            })
        });
        postponed.ok_or(ChangeVisibilityError::QueueDoesNotExist)?
    }

    fn entries<T>(&self, entries: impl IntoIterator<Item: Into<T>>, kind: &'static str) -> Result<Vec<T>, BatchError> {
        if self.is_gone() {
            return Err(BatchError::QueueDoesNotExist);
        }
        collect(entries, kind)
    }

    fn delete_in(
        &self,
        state: &mut QueueState,
        now: Timestamp,
        handle: &ReceiptHandle,
        out: &mut Effects,
    ) -> Result<(), DeleteError> {
        let receipt = self.receipt(state, handle)?;
        self.delete_receipt(state, now, receipt, out)
    }

    fn delete_receipt(
        &self,
        state: &mut QueueState,
        now: Timestamp,
        receipt: Receipt,
        out: &mut Effects,
    ) -> Result<(), DeleteError> {
        state.delete(now, receipt, out).map_err(|_| self.expired(receipt))
    }

    fn change_visibility_in(
        &self,
        state: &mut QueueState,
        now: Timestamp,
        handle: &ReceiptHandle,
        timeout: Duration,
        out: &mut Effects,
    ) -> Result<(), ChangeVisibilityError> {
        let timeout = check::visibility_timeout(timeout, &self.limits)?;
        let receipt = self.receipt(state, handle)?;
        state.change_visibility(now, receipt, timeout, out).map_err(|refusal| {
            let of_handle = |reason| InvalidParameterValue::of("ReceiptHandle", handle.to_string(), reason);
            let error = match refusal {
                Refusal::HandleExpired => of_handle(InvalidReason::ReceiptHandleExpired),
                Refusal::BeyondTotal => {
                    let limit = self.limits.visibility_timeout;
                    let reason = InvalidReason::TotalVisibilityTimeout { limit };
                    InvalidParameterValue::of_span("VisibilityTimeout", timeout, reason)
                }
                _ => of_handle(InvalidReason::NotAvailable),
            };
            error.into()
        })
    }

    /// The handle of one reception, sealed so that this queue knows it again.
    pub(super) fn handle(&self, receipt: Receipt) -> ReceiptHandle {
        ReceiptHandle::sign(
            &self.seal_key,
            self.nonce,
            receipt.slot,
            receipt.reception,
            receipt.sequence,
        )
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
        let sealed = handle.queue == self.nonce && handle.verify(&self.seal_key);
        if sealed && state.has_issued(receipt) {
            return Ok(receipt);
        }
        Err(ParseReceiptHandleError {
            handle: handle.to_string(),
        })
    }
}
