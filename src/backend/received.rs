//! Received messages, from an embedded queue or another.

use {
    super::offloaded::Offloaded,
    crate::{message::MessageAttributes, queue::Message, time::Timestamp},
    std::{borrow::Cow, fmt, sync::Arc},
};

/// A message received from a [`MessageQueue`](super::MessageQueue).
///
/// # Source
/// [`Message`](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_Message.html).
///
/// # Examples
/// ```
/// use requeue::{Queue, backend::ReceivedMessage};
///
/// let jobs = Queue::standard("jobs").build()?;
/// let sent = jobs.send("resize cat.png")?;
/// let message = ReceivedMessage::from(jobs.receive().blocking()?.remove(0));
/// assert_eq!(message.message_id(), sent.message_id.to_string());
/// assert_eq!(message.body(), "resize cat.png");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct ReceivedMessage(Origin);

#[derive(Clone)]
enum Origin {
    Embedded(Message),
    /// Boxed because what comes over a network can afford it, and the other should not carry its size.
    Elsewhere(Box<MessageParts>),
    /// The message as the queue has it, and its body in a payload store; all clones have one body.
    #[cfg_attr(
        not(feature = "payloads"),
        expect(dead_code, reason = "only a payload queue makes one")
    )]
    Offloaded(Arc<(ReceivedMessage, Offloaded)>),
}

/// What a message from elsewhere consists of, for implementations of [`MessageQueue`](super::MessageQueue).
///
/// # Examples
/// ```
/// use requeue::backend::{MessageParts, ReceivedMessage};
///
/// let message = ReceivedMessage::from(MessageParts {
///     message_id: "5fea7756-0ea4-451a-a703-a558b933e274".to_owned(),
///     receipt_handle: "MbZj6wDWli+JvwwJaBV+3dcjk2YW2vA3".to_owned(),
///     body: "resize cat.png".to_owned(),
///     approximate_receive_count: 2,
///     ..MessageParts::default()
/// });
/// assert_eq!(message.approximate_receive_count(), 2);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MessageParts {
    /// The URL of its queue.
    pub queue_url: Arc<str>,
    /// The id that the queue gave it.
    pub message_id: String,
    /// The handle of this reception.
    pub receipt_handle: String,
    /// The body.
    pub body: String,
    /// The user attributes.
    pub attributes: MessageAttributes,
    /// When it was sent.
    pub sent_timestamp: Timestamp,
    /// How often it has been received, this time included.
    pub approximate_receive_count: u32,
    /// When it was received for the first time.
    pub approximate_first_receive_timestamp: Timestamp,
    /// Its message group.
    pub message_group_id: Option<String>,
    /// FIFO only: its deduplication id.
    pub message_deduplication_id: Option<String>,
    /// FIFO only: its place in the queue.
    pub sequence_number: Option<String>,
    /// The X-Ray trace header it was sent with.
    pub aws_trace_header: Option<String>,
    /// ARN of the queue it was dead-lettered from.
    pub dead_letter_queue_source_arn: Option<String>,
    /// Why a consumer sent it to this dead-letter queue.
    pub dead_letter_reason: Option<String>,
    /// When its visibility timeout ends, if the queue reports it; otherwise counted from the response to the receive.
    pub invisible_until: Option<Timestamp>,
}

/// Writes an accessor that reads the same of both origins.
macro_rules! accessor {
    ($(#[doc = $doc:literal])+ $name:ident -> $type:ty, $embedded:expr, $elsewhere:expr) => {
        $(#[doc = $doc])+
        #[must_use]
        pub fn $name(&self) -> $type {
            match &self.0 {
                Origin::Embedded(message) => {
                    let read: fn(&Message) -> $type = $embedded;
                    read(message)
                }
                Origin::Elsewhere(parts) => {
                    let read: fn(&MessageParts) -> $type = $elsewhere;
                    read(parts)
                }
                Origin::Offloaded(it) => it.0.$name(),
            }
        }
    };
}

impl ReceivedMessage {
    accessor! {
        /// The URL of the queue that it was received from.
        ///
        /// # Examples
        /// ```
        /// # use requeue::{Queue, backend::ReceivedMessage};
        /// # let jobs = Queue::standard("jobs").build()?;
        /// jobs.send("resize cat.png")?;
        /// let message = ReceivedMessage::from(jobs.receive().blocking()?.remove(0));
        /// assert_eq!(message.queue_url(), jobs.url());
        /// # Ok::<(), Box<dyn std::error::Error>>(())
        /// ```
        queue_url -> &str, Message::queue_url, |it| &it.queue_url
    }

    /// The body, as sent (M4); the text of the pointer while a body is in a payload store and not
    /// [loaded](Self::is_loaded).
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Queue, backend::ReceivedMessage};
    /// # let jobs = Queue::standard("jobs").build()?;
    /// jobs.send("resize cat.png")?;
    /// let message = ReceivedMessage::from(jobs.receive().blocking()?.remove(0));
    /// assert_eq!(message.body(), "resize cat.png");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn body(&self) -> &str {
        match &self.0 {
            Origin::Embedded(message) => message.body(),
            Origin::Elsewhere(parts) => &parts.body,
            Origin::Offloaded(it) => it.1.body().unwrap_or_else(|| it.0.body()),
        }
    }

    /// Whether [`body`](Self::body) is the whole body. False only for a message whose body is in a payload store, until it
    /// is [loaded](super::MessageQueue::load); a runner loads it before it calls the handler.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Queue, backend::ReceivedMessage};
    /// # let jobs = Queue::standard("jobs").build()?;
    /// jobs.send("resize cat.png")?;
    /// let message = ReceivedMessage::from(jobs.receive().blocking()?.remove(0));
    /// assert!(message.is_loaded());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn is_loaded(&self) -> bool {
        match &self.0 {
            Origin::Embedded(_) | Origin::Elsewhere(_) => true,
            Origin::Offloaded(it) => it.1.body().is_some(),
        }
    }

    /// The body read as JSON (feature `serde`); what [`SendMessage::json`](crate::SendMessage::json) wrote.
    ///
    /// The value may borrow from the message. A [`Job`](crate::worker::Job) parses so too; a body that is no `T` now will
    /// never be one, so a handler sends it to the dead-letter queue at once.
    ///
    /// # Errors
    /// [`ParseJsonError`](crate::ParseJsonError), which `?` alone makes a failure for the runner's policy to treat.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, worker::{Failure, Job, Runner}};
    ///
    /// let failed = Queue::standard("failed").build()?;
    /// let jobs = Queue::standard("jobs").dead_letter(&failed, 5).build()?;
    /// let _ = jobs.send_batch(["[640, 480]", "wide"])?;
    /// let runner = Runner::builder(&jobs).until_none_visible().each(|job: &Job| {
    ///     let [width, height] = job.parse::<[u32; 2]>().map_err(Failure::dead_letter)?;
    ///     assert_eq!((width, height), (640, 480));
    ///     Ok::<(), Failure>(())
    /// })?;
    /// let report = runner.blocking()?;
    /// assert_eq!((report.succeeded, report.dead_lettered), (1, 1));
    /// assert_eq!(failed.receive().blocking()?[0].body(), "wide");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[cfg(feature = "serde")]
    pub fn parse<'m, T: serde::Deserialize<'m>>(&'m self) -> Result<T, crate::error::ParseJsonError> {
        crate::message::parse(self.body())
    }

    accessor! {
        /// The id that the send gave it.
        ///
        /// # Examples
        /// ```
        /// # use requeue::{Queue, backend::ReceivedMessage};
        /// # let jobs = Queue::standard("jobs").build()?;
        /// let sent = jobs.send("resize cat.png")?;
        /// let message = ReceivedMessage::from(jobs.receive().blocking()?.remove(0));
        /// assert_eq!(message.message_id(), sent.message_id.to_string());
        /// # Ok::<(), Box<dyn std::error::Error>>(())
        /// ```
        message_id -> Cow<'_, str>, |it| Cow::Owned(it.message_id().to_string()), |it| Cow::Borrowed(&it.message_id)
    }

    accessor! {
        /// The handle of this reception (D18).
        ///
        /// # Examples
        /// ```
        /// # use requeue::{Queue, backend::ReceivedMessage};
        /// # let jobs = Queue::standard("jobs").build()?;
        /// jobs.send("resize cat.png")?;
        /// let message = ReceivedMessage::from(jobs.receive().blocking()?.remove(0));
        /// jobs.delete(&message.receipt_handle().parse()?)?;
        /// # Ok::<(), Box<dyn std::error::Error>>(())
        /// ```
        receipt_handle -> Cow<'_, str>, |it| Cow::Owned(it.receipt_handle().to_string()), |it| Cow::Borrowed(&it.receipt_handle)
    }

    /// The user attributes, without those that a payload store reserves.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Queue, backend::ReceivedMessage};
    /// # let jobs = Queue::standard("jobs").build()?;
    /// jobs.send("resize cat.png")?;
    /// let message = ReceivedMessage::from(jobs.receive().blocking()?.remove(0));
    /// assert!(message.attributes().is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn attributes(&self) -> &MessageAttributes {
        match &self.0 {
            Origin::Embedded(message) => message.attributes(),
            Origin::Elsewhere(parts) => &parts.attributes,
            Origin::Offloaded(it) => &it.1.attributes,
        }
    }

    accessor! {
        /// When it was sent; a delay does not count (D3).
        ///
        /// # Examples
        /// ```
        /// # use requeue::{Queue, backend::ReceivedMessage};
        /// # let jobs = Queue::standard("jobs").build()?;
        /// jobs.send("resize cat.png")?;
        /// let message = ReceivedMessage::from(jobs.receive().blocking()?.remove(0));
        /// assert!(message.sent_timestamp() <= message.approximate_first_receive_timestamp());
        /// # Ok::<(), Box<dyn std::error::Error>>(())
        /// ```
        sent_timestamp -> Timestamp, Message::sent_timestamp, |it| it.sent_timestamp
    }

    accessor! {
        /// How often it has been received, this time included (L8).
        ///
        /// # Examples
        /// ```
        /// # use requeue::{Queue, backend::ReceivedMessage};
        /// # let jobs = Queue::standard("jobs").build()?;
        /// jobs.send("resize cat.png")?;
        /// let message = ReceivedMessage::from(jobs.receive().blocking()?.remove(0));
        /// assert_eq!(message.approximate_receive_count(), 1);
        /// # Ok::<(), Box<dyn std::error::Error>>(())
        /// ```
        approximate_receive_count -> u32, Message::approximate_receive_count, |it| it.approximate_receive_count
    }

    accessor! {
        /// When it was received for the first time (D3).
        ///
        /// # Examples
        /// ```
        /// # use requeue::{Queue, backend::ReceivedMessage};
        /// # let jobs = Queue::standard("jobs").build()?;
        /// jobs.send("resize cat.png")?;
        /// let message = ReceivedMessage::from(jobs.receive().blocking()?.remove(0));
        /// assert!(message.approximate_first_receive_timestamp() >= message.sent_timestamp());
        /// # Ok::<(), Box<dyn std::error::Error>>(())
        /// ```
        approximate_first_receive_timestamp -> Timestamp, Message::approximate_first_receive_timestamp, |it| it.approximate_first_receive_timestamp
    }

    accessor! {
        /// The message group: always there on a FIFO queue, on a standard queue if sent with one (N1).
        ///
        /// # Examples
        /// ```
        /// # use requeue::{Queue, SendMessage, backend::ReceivedMessage};
        /// # let jobs = Queue::standard("jobs").build()?;
        /// jobs.send(SendMessage::new("resize cat.png").message_group_id("customer-3"))?;
        /// let message = ReceivedMessage::from(jobs.receive().blocking()?.remove(0));
        /// assert_eq!(message.message_group_id(), Some("customer-3"));
        /// # Ok::<(), Box<dyn std::error::Error>>(())
        /// ```
        message_group_id -> Option<&str>, Message::message_group_id, |it| it.message_group_id.as_deref()
    }

    accessor! {
        /// FIFO only: its deduplication id (F7).
        ///
        /// # Examples
        /// ```
        /// # use requeue::{Queue, backend::ReceivedMessage};
        /// # let jobs = Queue::standard("jobs").build()?;
        /// jobs.send("resize cat.png")?;
        /// let message = ReceivedMessage::from(jobs.receive().blocking()?.remove(0));
        /// assert_eq!(message.message_deduplication_id(), None);
        /// # Ok::<(), Box<dyn std::error::Error>>(())
        /// ```
        message_deduplication_id -> Option<&str>, Message::message_deduplication_id, |it| it.message_deduplication_id.as_deref()
    }

    accessor! {
        /// FIFO only: its place in the queue (F37).
        ///
        /// # Examples
        /// ```
        /// # use requeue::{Queue, backend::ReceivedMessage};
        /// # let jobs = Queue::standard("jobs").build()?;
        /// jobs.send("resize cat.png")?;
        /// let message = ReceivedMessage::from(jobs.receive().blocking()?.remove(0));
        /// assert_eq!(message.sequence_number(), None);
        /// # Ok::<(), Box<dyn std::error::Error>>(())
        /// ```
        sequence_number -> Option<Cow<'_, str>>, |it| it.sequence_number().map(|number| Cow::Owned(number.to_string())), |it| it.sequence_number.as_deref().map(Cow::Borrowed)
    }

    accessor! {
        /// The X-Ray trace header, if sent with one (M22).
        ///
        /// # Examples
        /// ```
        /// # use requeue::{Queue, SendMessage, backend::ReceivedMessage};
        /// # let jobs = Queue::standard("jobs").build()?;
        /// jobs.send(SendMessage::new("resize cat.png").aws_trace_header("Root=1-2-3"))?;
        /// let message = ReceivedMessage::from(jobs.receive().blocking()?.remove(0));
        /// assert_eq!(message.aws_trace_header(), Some("Root=1-2-3"));
        /// # Ok::<(), Box<dyn std::error::Error>>(())
        /// ```
        aws_trace_header -> Option<&str>, Message::aws_trace_header, |it| it.aws_trace_header.as_deref()
    }

    accessor! {
        /// ARN of the queue it was dead-lettered from (L11).
        ///
        /// # Examples
        /// ```
        /// # use requeue::{Queue, backend::ReceivedMessage};
        /// # let jobs = Queue::standard("jobs").build()?;
        /// jobs.send("resize cat.png")?;
        /// let message = ReceivedMessage::from(jobs.receive().blocking()?.remove(0));
        /// assert_eq!(message.dead_letter_queue_source_arn(), None);
        /// # Ok::<(), Box<dyn std::error::Error>>(())
        /// ```
        dead_letter_queue_source_arn -> Option<&str>, Message::dead_letter_queue_source_arn, |it| it.dead_letter_queue_source_arn.as_deref()
    }

    accessor! {
        /// The reason that a consumer gave when it sent the message to this dead-letter queue; `None` if the message came
        /// here because it was received too often.
        ///
        /// An `SqsQueue` reads it from the attribute `DeadLetterReason`, which it writes.
        ///
        /// # Examples
        /// ```
        /// # use requeue::{Queue, worker::{Failure, Job, Runner}};
        /// let failed = Queue::standard("failed").build()?;
        /// let jobs = Queue::standard("jobs").dead_letter(&failed, 5).build()?;
        /// jobs.send("resize cat.txt")?;
        /// let runner = Runner::builder(&jobs).until_none_visible();
        /// runner.each(|_: &Job| Err::<(), _>(Failure::dead_letter("not an image")))?.blocking()?;
        /// let runner = Runner::builder(&failed).until_none_visible().each(|letter: &Job| {
        ///     assert_eq!(letter.dead_letter_reason(), Some("not an image"));
        ///     Ok::<(), String>(())
        /// })?;
        /// assert_eq!(runner.blocking()?.succeeded, 1);
        /// # Ok::<(), Box<dyn std::error::Error>>(())
        /// ```
        dead_letter_reason -> Option<&str>, Message::dead_letter_reason, |it| it.dead_letter_reason.as_deref()
    }

    accessor! {
        /// When the visibility timeout given by the receive ends, if the queue reports it.
        ///
        /// # Examples
        /// ```
        /// # use requeue::{Queue, backend::ReceivedMessage};
        /// # let jobs = Queue::standard("jobs").build()?;
        /// jobs.send("resize cat.png")?;
        /// let message = ReceivedMessage::from(jobs.receive().blocking()?.remove(0));
        /// assert!(message.invisible_until() > Some(message.sent_timestamp()));
        /// # Ok::<(), Box<dyn std::error::Error>>(())
        /// ```
        invisible_until -> Option<Timestamp>, |it| Some(it.invisible_until()), |it| it.invisible_until
    }

    /// The message of an embedded queue, which knows its queue; `None` if it comes from elsewhere.
    ///
    /// # Examples
    /// ```
    /// use requeue::backend::{MessageParts, ReceivedMessage};
    ///
    /// assert!(ReceivedMessage::from(MessageParts::default()).embedded().is_none());
    /// ```
    #[must_use]
    pub fn embedded(&self) -> Option<&Message> {
        match &self.0 {
            Origin::Embedded(message) => Some(message),
            Origin::Elsewhere(_) => None,
            Origin::Offloaded(it) => it.0.embedded(),
        }
    }
}

impl ReceivedMessage {
    /// The size in bytes of the body once it is loaded.
    pub(crate) fn body_bytes(&self) -> usize {
        match &self.0 {
            Origin::Offloaded(it) => it.1.size().unwrap_or_else(|| self.body().len()),
            _ => self.body().len(),
        }
    }

    /// Names the queue of a message from elsewhere whose implementation did not.
    pub(crate) fn set_queue_url(&mut self, url: &Arc<str>) {
        if let Origin::Elsewhere(parts) = &mut self.0 {
            parts.queue_url = Arc::clone(url);
        }
    }
}

#[cfg(feature = "payloads")]
impl ReceivedMessage {
    pub(crate) fn with_payload(self, offloaded: Offloaded) -> Self {
        Self(Origin::Offloaded(Arc::new((self, offloaded))))
    }

    /// The message as the queue has it.
    pub(crate) fn stored(&self) -> &Self {
        match &self.0 {
            Origin::Embedded(_) | Origin::Elsewhere(_) => self,
            Origin::Offloaded(it) => &it.0,
        }
    }

    /// Where its body is, if that is in a payload store.
    pub(crate) fn offloaded(&self) -> Option<&Offloaded> {
        match &self.0 {
            Origin::Embedded(_) | Origin::Elsewhere(_) => None,
            Origin::Offloaded(it) => Some(&it.1),
        }
    }
}

impl From<Message> for ReceivedMessage {
    fn from(message: Message) -> Self {
        Self(Origin::Embedded(message))
    }
}

impl From<MessageParts> for ReceivedMessage {
    fn from(parts: MessageParts) -> Self {
        Self(Origin::Elsewhere(Box::new(parts)))
    }
}

/// So much of a body is in its debug text.
const DEBUG_CHARS: usize = 1_000;

impl fmt::Debug for ReceivedMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A loaded body may have gigabytes.
        let beginning: String = self.body().chars().take(DEBUG_CHARS).collect();
        f.debug_struct("ReceivedMessage")
            .field("message_id", &self.message_id())
            .field("body", &beginning)
            .field("body_bytes", &self.body().len())
            .field("approximate_receive_count", &self.approximate_receive_count())
            .finish_non_exhaustive()
    }
}
