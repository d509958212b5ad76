//! [`Message`], a message that a consumer has received.

use {
    super::{Inner, Queue, Verb, batch::Received},
    crate::{
        error::{ChangeVisibilityError, DeadLetterError, DeleteError},
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
    pub(super) delivery: Delivery,
}

impl Message {
    #[inline]
    pub(super) fn new(inner: &Arc<Inner>, delivery: Delivery) -> Self {
        Self {
            inner: Arc::clone(inner),
            delivery,
        }
    }

    /// The body, byte for byte as sent (M4).
    ///
    /// # Examples
    /// ```
    /// # use requeue::Queue;
    /// let jobs = Queue::standard("jobs").build()?;
    /// jobs.send("resize\tcat.png ")?;
    /// assert_eq!(jobs.receive().blocking()?[0].body(), "resize\tcat.png ");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn body(&self) -> &str {
        self.content().body()
    }

    /// The body read as JSON (feature `serde`); what [`SendMessage::json`](crate::SendMessage::json) wrote.
    ///
    /// The value may borrow from the message.
    ///
    /// # Errors
    /// [`ParseJsonError`](crate::ParseJsonError): a body that is no `T` now will never be one.
    ///
    /// # Examples
    /// ```
    /// # use requeue::Queue;
    /// let jobs = Queue::standard("jobs").build()?;
    /// jobs.send("[640, 480]")?;
    /// let message = &jobs.receive().blocking()?[0];
    /// let [width, height]: [u32; 2] = message.parse()?;
    /// assert_eq!((width, height), (640, 480));
    /// assert!(message.parse::<u32>().is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[cfg(feature = "serde")]
    pub fn parse<'m, T: serde::Deserialize<'m>>(&'m self) -> Result<T, crate::error::ParseJsonError> {
        crate::message::parse(self.body())
    }

    /// The id given by the send, kept through dead-letter moves (L10), new after a move task (L30).
    ///
    /// # Examples
    /// ```
    /// # use requeue::Queue;
    /// let jobs = Queue::standard("jobs").build()?;
    /// let sent = jobs.send("resize cat.png")?;
    /// assert_eq!(jobs.receive().blocking()?[0].message_id(), sent.message_id);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn message_id(&self) -> MessageId {
        self.delivery.message_id
    }

    /// The handle of this reception (D18).
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Queue, ReceiptHandle};
    /// let jobs = Queue::standard("jobs").build()?;
    /// jobs.send("resize cat.png")?;
    /// let text = jobs.receive().blocking()?[0].receipt_handle().to_string();
    /// jobs.delete(&text.parse::<ReceiptHandle>()?)?; // perhaps elsewhere, by somebody who has the text alone
    /// assert_eq!(jobs.counts().in_flight, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn receipt_handle(&self) -> ReceiptHandle {
        self.received().handle()
    }

    /// The user attributes, or those the receive asked for (M44).
    ///
    /// # Examples
    /// ```
    /// # use requeue::{MessageAttributeValue, Queue, SendMessage};
    /// let jobs = Queue::standard("jobs").build()?;
    /// jobs.send(SendMessage::new("resize cat.png").attribute("width", MessageAttributeValue::number("640")))?;
    /// let message = &jobs.receive().blocking()?[0];
    /// assert_eq!(message.attributes().get("width"), Some(&MessageAttributeValue::number("640")));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn attributes(&self) -> &MessageAttributes {
        self.content().attributes()
    }

    /// When the message was sent; a delay does not count (D3).
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Clock, ManualClock, Queue, SendMessage};
    /// # use std::time::Duration;
    /// let (clock, delay) = (ManualClock::default(), Duration::from_secs(5));
    /// let jobs = Queue::standard("jobs").clock(clock.clone()).build()?;
    /// let sent_at = clock.now();
    /// jobs.send(SendMessage::new("resize cat.png").delay(delay))?;
    /// clock.advance(delay);
    /// assert_eq!(jobs.receive().blocking()?[0].sent_timestamp(), sent_at);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn sent_timestamp(&self) -> Timestamp {
        self.delivery.sent_at
    }

    /// How often the message has been received, this time included, dead-letter moves survived (L8).
    ///
    /// # Examples
    /// ```
    /// # use requeue::Queue;
    /// # use std::time::Duration;
    /// let jobs = Queue::standard("jobs").visibility_timeout(Duration::ZERO).build()?;
    /// jobs.send("resize cat.png")?;
    /// for count in 1..=3 {
    ///     assert_eq!(jobs.receive().blocking()?[0].approximate_receive_count(), count);
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn approximate_receive_count(&self) -> u32 {
        self.delivery.receive_count
    }

    /// When the message was received for the first time (D3).
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Clock, ManualClock, Queue};
    /// # use std::time::Duration;
    /// let clock = ManualClock::default();
    /// let jobs = Queue::standard("jobs").clock(clock.clone()).build()?;
    /// jobs.send("resize cat.png")?;
    /// let first = clock.now();
    /// jobs.receive().blocking()?;
    /// clock.advance(Duration::from_secs(30)); // visible again
    /// assert_eq!(jobs.receive().blocking()?[0].approximate_first_receive_timestamp(), first);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn approximate_first_receive_timestamp(&self) -> Timestamp {
        self.delivery.first_received_at
    }

    /// The message group, always present on a FIFO queue, on a standard queue if sent with one (N1).
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Queue, SendMessage};
    /// let jobs = Queue::standard("jobs").build()?;
    /// jobs.send(SendMessage::new("resize cat.png").message_group_id("customer-3"))?;
    /// assert_eq!(jobs.receive().blocking()?[0].message_group_id(), Some("customer-3"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn message_group_id(&self) -> Option<&str> {
        self.content().group_id()
    }

    /// FIFO only: the id that the send gave, or the SHA-256 of the body (F7).
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Queue, SendMessage};
    /// let orders = Queue::fifo("orders.fifo").build()?;
    /// orders.send(SendMessage::new("order-17").message_group_id("customer-3").message_deduplication_id("17"))?;
    /// assert_eq!(orders.receive().blocking()?[0].message_deduplication_id(), Some("17"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn message_deduplication_id(&self) -> Option<&str> {
        self.content().deduplication_id()
    }

    /// FIFO only: the place in the queue (F37).
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Queue, SendMessage};
    /// let orders = Queue::fifo("orders.fifo").content_based_deduplication(true).build()?;
    /// let first = orders.send(SendMessage::new("order-17").message_group_id("customer-3"))?;
    /// let second = orders.send(SendMessage::new("order-18").message_group_id("customer-3"))?;
    /// assert!(first.sequence_number < second.sequence_number);
    /// assert_eq!(orders.receive().blocking()?[0].sequence_number(), first.sequence_number);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn sequence_number(&self) -> Option<SequenceNumber> {
        let sequence = self.delivery.receipt.sequence;
        self.inner.fifo.then(|| SequenceNumber::new(sequence))
    }

    /// The X-Ray trace header, if sent with one (M22).
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Queue, SendMessage};
    /// let header = "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1";
    /// let jobs = Queue::standard("jobs").build()?;
    /// jobs.send(SendMessage::new("resize cat.png").aws_trace_header(header))?;
    /// assert_eq!(jobs.receive().blocking()?[0].aws_trace_header(), Some(header));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn aws_trace_header(&self) -> Option<&str> {
        self.content().trace_header().map(|header| &**header)
    }

    /// ARN of the queue that the message was dead-lettered from (L11).
    ///
    /// # Examples
    /// ```
    /// # use requeue::Queue;
    /// # use std::time::Duration;
    /// let failed = Queue::standard("jobs-failed").build()?;
    /// let jobs = Queue::standard("jobs").dead_letter(&failed, 1).build()?;
    /// jobs.send("resize cat.png")?;
    /// jobs.receive().visibility_timeout(Duration::ZERO).blocking()?;
    /// assert!(jobs.receive().blocking()?.is_empty(), "it was received once, and moves away instead");
    /// assert_eq!(failed.receive().blocking()?[0].dead_letter_queue_source_arn(), Some(jobs.arn()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn dead_letter_queue_source_arn(&self) -> Option<&str> {
        self.content().dead_letter_source().map(|arn| &**arn)
    }

    /// The reason that a consumer gave when it sent the message to this dead-letter queue; `None` if the message came
    /// here because it was received too often. SQS has no such thing, and a move task drops it.
    ///
    /// # Examples
    /// ```
    /// # use requeue::Queue;
    /// let failed = Queue::standard("failed").build()?;
    /// let jobs = Queue::standard("jobs").dead_letter(&failed, 5).build()?;
    /// jobs.send("resize cat.txt")?;
    /// jobs.receive().blocking()?[0].dead_letter("not an image")?;
    /// assert_eq!(failed.receive().blocking()?[0].dead_letter_reason(), Some("not an image"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn dead_letter_reason(&self) -> Option<&str> {
        self.content().dead_letter_reason().map(|reason| &**reason)
    }

    /// Who sent the message: in process it is always the account of the queue.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{QueueAttributes, Service};
    /// let service = Service::builder().account_id("123456789012").build();
    /// let jobs = service.create_queue("jobs", QueueAttributes::new())?;
    /// jobs.send("resize cat.png")?;
    /// assert_eq!(jobs.receive().blocking()?[0].sender_id(), "123456789012");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn sender_id(&self) -> &str {
        &self.inner.sender_id
    }

    /// When the visibility timeout given by the receive ends; later changes do not show here.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Clock, ManualClock, Queue};
    /// # use std::time::Duration;
    /// let clock = ManualClock::default();
    /// let jobs = Queue::standard("jobs").clock(clock.clone()).build()?;
    /// jobs.send("resize cat.png")?;
    /// let message = &jobs.receive().visibility_timeout(Duration::from_secs(60)).blocking()?[0];
    /// assert_eq!(message.invisible_until(), clock.now().saturating_add(Duration::from_secs(60)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn invisible_until(&self) -> Timestamp {
        self.delivery.invisible_until
    }

    /// The queue the message was received from.
    ///
    /// # Examples
    /// ```
    /// # use requeue::Queue;
    /// let jobs = Queue::standard("jobs").build()?;
    /// jobs.send("resize cat.png")?;
    /// let message = &jobs.receive().blocking()?[0];
    /// message.queue().send("upload cat.png")?; // the next step, for whoever is next
    /// assert_eq!(jobs.receive().blocking()?[0].body(), "upload cat.png");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn queue(&self) -> Queue {
        let queue = Queue {
            inner: Arc::clone(&self.inner),
            keep: None,
        };
        queue.keep_alive()
    }

    /// The URL of its queue, as [`Queue::url`] has it.
    ///
    /// # Examples
    /// ```
    /// # use requeue::Queue;
    /// let jobs = Queue::standard("jobs").build()?;
    /// jobs.send("resize cat.png")?;
    /// assert_eq!(jobs.receive().blocking()?[0].queue_url(), jobs.url());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn queue_url(&self) -> &str {
        &self.inner.url
    }

    /// Deletes the message from its queue, as [`Queue::delete`] does.
    ///
    /// # Errors
    /// As [`Queue::delete`].
    ///
    /// # Examples
    /// ```
    /// # use requeue::Queue;
    /// let jobs = Queue::standard("jobs").build()?;
    /// jobs.send("resize cat.png")?;
    /// jobs.receive().blocking()?[0].delete()?;
    /// assert_eq!(jobs.counts().in_flight, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn delete(&self) -> Result<(), DeleteError> {
        let inner = &self.inner;
        inner.record(Verb::Delete, 0, || inner.delete_received(self.delivery.receipt))
    }

    /// [`delete`](Self::delete) for an async caller.
    ///
    /// # Errors
    /// As [`Queue::delete`].
    ///
    /// # Examples
    /// ```
    /// # use requeue::Queue;
    /// let jobs = Queue::standard("jobs").build()?;
    /// jobs.send("resize cat.png")?;
    /// let message = &pollster::block_on(async { jobs.receive().await })?[0];
    /// pollster::block_on(message.delete_async())?;
    /// assert_eq!(jobs.counts().in_flight, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn delete_async(&self) -> Result<(), DeleteError> {
        let inner = &self.inner;
        let delete = || inner.delete_received(self.delivery.receipt);
        inner.record_async(Verb::Delete, 0, delete).await
    }

    /// Puts the message back as if this receive had not been, as [`Queue::release`] does.
    ///
    /// # Errors
    /// As [`Queue::release`].
    ///
    /// # Examples
    /// ```
    /// # use requeue::Queue;
    /// let jobs = Queue::standard("jobs").build()?;
    /// jobs.send("resize cat.png")?;
    /// jobs.receive().blocking()?[0].release()?;
    /// assert_eq!(jobs.snapshot().messages[0].approximate_receive_count, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn release(&self) -> Result<(), ChangeVisibilityError> {
        self.postpone(Duration::ZERO)
    }

    /// Hides the message for `delay` as if this receive had not been, as [`Queue::postpone`] does.
    ///
    /// # Errors
    /// As [`Queue::postpone`].
    ///
    /// # Examples
    /// ```
    /// # use requeue::Queue;
    /// # use std::time::Duration;
    /// let jobs = Queue::standard("jobs").build()?;
    /// jobs.send("resize cat.png")?;
    /// jobs.receive().blocking()?[0].postpone(Duration::from_secs(60))?;
    /// assert_eq!(jobs.snapshot().messages[0].approximate_receive_count, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn postpone(&self, delay: Duration) -> Result<(), ChangeVisibilityError> {
        let inner = &self.inner;
        let postpone = || inner.postpone(|_| Ok(self.delivery.receipt), delay);
        inner.record(Verb::ChangeVisibility, 0, postpone)
    }

    /// [`postpone`](Self::postpone) for an async caller; without a delay it is a [`release`](Self::release).
    ///
    /// # Errors
    /// As [`postpone`](Self::postpone).
    ///
    /// # Examples
    /// ```
    /// let jobs = requeue::Queue::standard("jobs").build()?;
    /// jobs.send("resize cat.png")?;
    /// pollster::block_on(jobs.receive().blocking()?[0].postpone_async(std::time::Duration::from_secs(60)))?;
    /// assert_eq!(jobs.snapshot().messages[0].approximate_receive_count, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn postpone_async(&self, delay: Duration) -> Result<(), ChangeVisibilityError> {
        let inner = &self.inner;
        let postpone = || inner.postpone(|_| Ok(self.delivery.receipt), delay);
        inner.record_async(Verb::ChangeVisibility, 0, postpone).await
    }

    /// Changes how long the message stays hidden, as [`Queue::change_visibility`] does.
    ///
    /// # Errors
    /// As [`Queue::change_visibility`].
    ///
    /// # Examples
    /// ```
    /// # use requeue::{ManualClock, Queue};
    /// # use std::time::Duration;
    /// let clock = ManualClock::default();
    /// let jobs = Queue::standard("jobs").clock(clock.clone()).build()?;
    /// jobs.send("resize cat.png")?;
    /// let message = &jobs.receive().blocking()?[0];
    /// clock.advance(Duration::from_secs(20));
    /// message.change_visibility(Duration::from_secs(30))?; // it takes longer than thought
    /// clock.advance(Duration::from_secs(20));
    /// assert!(jobs.receive().blocking()?.is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn change_visibility(&self, timeout: Duration) -> Result<(), ChangeVisibilityError> {
        let inner = &self.inner;
        let change = || inner.change_visibility(|_| Ok(self.delivery.receipt), timeout);
        inner.record(Verb::ChangeVisibility, 0, change)
    }

    /// [`change_visibility`](Self::change_visibility) for an async caller.
    ///
    /// # Errors
    /// As [`Queue::change_visibility`].
    ///
    /// # Examples
    /// ```
    /// # use requeue::Queue;
    /// # use std::time::Duration;
    /// let jobs = Queue::standard("jobs").build()?;
    /// jobs.send("resize cat.png")?;
    /// let message = &jobs.receive().blocking()?[0];
    /// pollster::block_on(message.change_visibility_async(Duration::ZERO))?; // another may do it
    /// assert_eq!(jobs.receive().blocking()?[0].message_id(), message.message_id());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn change_visibility_async(&self, timeout: Duration) -> Result<(), ChangeVisibilityError> {
        let inner = &self.inner;
        let change = || inner.change_visibility(|_| Ok(self.delivery.receipt), timeout);
        inner.record_async(Verb::ChangeVisibility, 0, change).await
    }

    /// Sends the message to the dead-letter queue at once, as [`Queue::dead_letter`] does, and reports why.
    ///
    /// # Errors
    /// As [`Queue::dead_letter`].
    ///
    /// # Examples
    /// ```
    /// # use requeue::Queue;
    /// let failed = Queue::standard("failed").build()?;
    /// let jobs = Queue::standard("jobs").dead_letter(&failed, 5).build()?;
    /// jobs.send("resize cat.txt")?;
    /// jobs.receive().blocking()?[0].dead_letter("not an image")?;
    /// assert_eq!(failed.receive().blocking()?[0].approximate_receive_count(), 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn dead_letter(&self, reason: impl Into<Arc<str>>) -> Result<(), DeadLetterError> {
        let inner = &self.inner;
        let dead_letter = || inner.dead_letter(self.delivery.receipt, reason.into());
        inner.record(Verb::Delete, 0, dead_letter)
    }

    /// [`dead_letter`](Self::dead_letter) for an async caller.
    ///
    /// # Errors
    /// As [`Queue::dead_letter`].
    ///
    /// # Examples
    /// ```
    /// # use requeue::Queue;
    /// let jobs = Queue::standard("jobs").build()?;
    /// jobs.send("resize cat.txt")?;
    /// let message = &jobs.receive().blocking()?[0];
    /// let refused = pollster::block_on(message.dead_letter_async("not an image"));
    /// assert_eq!(refused.unwrap_err().code(), "UnsupportedOperation"); // there is no dead-letter queue
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn dead_letter_async(&self, reason: impl Into<Arc<str>> + Send) -> Result<(), DeadLetterError> {
        let inner = &self.inner;
        let dead_letter = || inner.dead_letter(self.delivery.receipt, reason.into());
        inner.record_async(Verb::Delete, 0, dead_letter).await
    }

    /// Tells the listeners of the queue why the message could not be done, as [`Fact::Failed`](crate::Fact::Failed).
    ///
    /// Nothing else happens: the message becomes visible when its timeout ends. The report is taken also when the
    /// message is no longer held or is gone; once the queue is deleted, nobody hears of it.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Fact, FactChannel, Queue};
    ///
    /// let (listener, facts) = FactChannel::unbounded();
    /// let jobs = Queue::standard("jobs").listener(listener).build()?;
    /// jobs.send("resize cat.png")?;
    /// jobs.receive().blocking()?[0].report_failure("the disk is full");
    /// let last = facts.try_iter().last().map(|(_, entry)| entry.fact);
    /// assert!(matches!(last, Some(Fact::Failed { reason, .. }) if &*reason == "the disk is full"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn report_failure(&self, reason: impl Into<Arc<str>>) {
        self.inner.report_failure(self.message_id(), reason.into());
    }

    /// Whether its calls wait for a journal.
    #[cfg(feature = "worker")]
    pub(crate) fn is_recorded(&self) -> bool {
        self.inner.recorder.is_some()
    }

    /// The clock that its queue runs on.
    #[cfg(feature = "worker")]
    pub(crate) fn clock(&self) -> &dyn crate::clock::Clock {
        &*self.inner.clock
    }

    #[inline]
    pub(super) fn received(&self) -> Received {
        self.inner.received(self.delivery.receipt)
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
