//! A message in the hands of a consumer.

use {
    super::{Inner, Queue},
    crate::{
        error::{ChangeVisibilityError, DeleteError},
        message::{Content, MessageAttributes, MessageId, ReceiptHandle, SequenceNumber},
        state::Delivery,
        time::Timestamp,
    },
    std::{fmt, sync::Arc, time::Duration},
};

/// A received message.
///
/// It knows its queue. Dropping it unsettled does what SQS does: nothing, until the visibility timeout ends and
/// somebody else receives it.
///
/// # Source
/// [`Message`](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_Message.html).
///
/// # Examples
/// ```
/// # use requeue::Queue;
/// let jobs = Queue::standard("jobs").build()?;
/// let sent = jobs.send("resize cat.png")?;
/// let message = &jobs.receive().blocking()?[0];
/// assert_eq!(message.message_id(), sent.message_id);
/// assert_eq!(message.approximate_receive_count(), 1);
/// message.delete()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Message {
    inner: Arc<Inner>,
    delivery: Delivery,
}

impl Message {
    pub(super) fn new(inner: &Arc<Inner>, delivery: Delivery) -> Self {
        Self {
            inner: Arc::clone(inner),
            delivery,
        }
    }

    /// The body, byte for byte as sent (M4).
    #[must_use]
    pub fn body(&self) -> &str {
        self.content().body()
    }

    /// The id given by the send, kept through dead-letter moves (L10), new after a move task (L30).
    #[must_use]
    pub fn message_id(&self) -> MessageId {
        self.delivery.message_id
    }

    /// The handle of this reception (D18).
    #[must_use]
    pub fn receipt_handle(&self) -> ReceiptHandle {
        self.inner.handle(self.delivery.receipt)
    }

    /// The user attributes, or those the receive asked for (M44).
    #[must_use]
    pub fn attributes(&self) -> &MessageAttributes {
        self.content().attributes()
    }

    /// When the message was sent; a delay does not count (D3).
    #[must_use]
    pub fn sent_timestamp(&self) -> Timestamp {
        self.delivery.sent_at
    }

    /// How often the message has been received, this time included, dead-letter moves survived (L8).
    #[must_use]
    pub fn approximate_receive_count(&self) -> u32 {
        self.delivery.receive_count
    }

    /// When the message was received for the first time (D3).
    #[must_use]
    pub fn approximate_first_receive_timestamp(&self) -> Timestamp {
        self.delivery.first_received_at
    }

    /// The message group, always present on a FIFO queue, on a standard queue if sent with one (N1).
    #[must_use]
    pub fn message_group_id(&self) -> Option<&str> {
        self.content().group_id().map(|id| &**id)
    }

    /// FIFO only: the id that the send gave, or the SHA-256 of the body (F7).
    #[must_use]
    pub fn message_deduplication_id(&self) -> Option<&str> {
        self.content().deduplication_id().map(|id| &**id)
    }

    /// FIFO only: the place in the queue (F37).
    #[must_use]
    pub fn sequence_number(&self) -> Option<SequenceNumber> {
        self.delivery.sequence_number
    }

    /// The X-Ray trace header, if sent with one (M22).
    #[must_use]
    pub fn aws_trace_header(&self) -> Option<&str> {
        self.content().trace_header().map(|header| &**header)
    }

    /// ARN of the queue that the message was dead-lettered from (L11).
    #[must_use]
    pub fn dead_letter_queue_source_arn(&self) -> Option<&str> {
        self.content().dead_letter_source().map(|arn| &**arn)
    }

    /// Who sent the message: in process it is always the account of the queue.
    #[must_use]
    pub fn sender_id(&self) -> &str {
        &self.inner.sender_id
    }

    /// When the visibility timeout given by the receive ends; later changes do not show here.
    #[must_use]
    pub fn invisible_until(&self) -> Timestamp {
        self.delivery.invisible_until
    }

    /// The queue the message was received from.
    #[must_use]
    pub fn queue(&self) -> Queue {
        let queue = Queue {
            inner: Arc::clone(&self.inner),
            keep: None,
        };
        queue.keep_alive()
    }

    /// Deletes the message from its queue, as [`Queue::delete`] does.
    ///
    /// # Errors
    /// As [`Queue::delete`].
    pub fn delete(&self) -> Result<(), DeleteError> {
        self.inner.delete_received(self.delivery.receipt)
    }

    /// [`delete`](Self::delete) for an async caller.
    ///
    /// # Errors
    /// As [`Queue::delete`].
    pub async fn delete_async(&self) -> Result<(), DeleteError> {
        self.delete()
    }

    /// Changes how long the message stays hidden, as [`Queue::change_visibility`] does.
    ///
    /// # Errors
    /// As [`Queue::change_visibility`].
    pub fn change_visibility(&self, timeout: Duration) -> Result<(), ChangeVisibilityError> {
        self.inner.change_visibility(&self.receipt_handle(), timeout)
    }

    /// [`change_visibility`](Self::change_visibility) for an async caller.
    ///
    /// # Errors
    /// As [`Queue::change_visibility`].
    pub async fn change_visibility_async(&self, timeout: Duration) -> Result<(), ChangeVisibilityError> {
        self.change_visibility(timeout)
    }

    pub(super) fn keep_attributes(&mut self, names: &[String]) {
        if !self.attributes().is_empty() {
            let attributes = self.attributes().matching(names);
            self.delivery.content = self.content().with_extras(|extras| extras.attributes = attributes);
        }
    }

    fn content(&self) -> &Content {
        &self.delivery.content
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("message_id", &self.message_id())
            .field("body", &self.body())
            .field("approximate_receive_count", &self.approximate_receive_count())
            .finish_non_exhaustive()
    }
}
