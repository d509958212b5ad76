//! What goes into the world and what comes out of it, in plain values: milliseconds, texts and counts.

use std::{error::Error, fmt};

/// One second; every instant and span of the model is in milliseconds.
pub const SECOND: u64 = 1_000;
/// The longest invisibility of one reception (D25, D26).
pub const TWELVE_HOURS: u64 = 43_200 * SECOND;
/// The memory of deduplication ids (F9) and of receive attempt ids (F35).
pub const FIVE_MINUTES: u64 = 300 * SECOND;

/// The limits that a test makes small; the others are SQS's own.
///
/// # Examples
/// ```
/// # use requeue::testing::model::{Draft, ModelLimits, Request, Setup, World};
/// let limits = ModelLimits { in_flight: 1, ..ModelLimits::default() };
/// let mut world = World::with_limits(0, &[Setup::standard()], limits);
/// world.send(0, &Draft::new("a"))?;
/// world.receive(0, &Request::default())?;
/// assert_eq!(world.receive(0, &Request::default()).unwrap_err().code, "OverLimit");
/// # Ok::<(), requeue::testing::model::Refusal>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ModelLimits {
    /// Most messages in flight on a queue: 120,000 unless set (D15, F29).
    pub in_flight: usize,
    /// Fewest messages in flight that make a tenant noisy: 30 unless set (N3).
    pub noisy_in_flight: usize,
    /// Most bytes in one batch: 1,048,576 unless set (M10).
    pub batch_bytes: usize,
}

impl Default for ModelLimits {
    fn default() -> Self {
        Self {
            in_flight: 120_000,
            noisy_in_flight: 30,
            batch_bytes: 1_048_576,
        }
    }
}

/// `DeduplicationScope` (F10).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[allow(clippy::exhaustive_enums, reason = "SQS knows these two")]
pub enum Scope {
    /// One memory for the queue.
    Queue,
    /// One memory per message group.
    MessageGroup,
}

/// The attributes of one queue; nothing checks them.
///
/// # Examples
/// ```
/// # use requeue::testing::model::{SECOND, Setup};
/// let setup = Setup::standard().visibility_timeout(2 * SECOND).redrive(1, 5);
/// assert_eq!((setup.visibility_timeout, setup.redrive), (2_000, Some((1, 5))));
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Setup {
    /// Whether it is a FIFO queue.
    pub fifo: bool,
    /// `VisibilityTimeout`.
    pub visibility_timeout: u64,
    /// `DelaySeconds`.
    pub delay: u64,
    /// `MessageRetentionPeriod`.
    pub message_retention_period: u64,
    /// `MaximumMessageSize`, in bytes.
    pub maximum_message_size: usize,
    /// `ContentBasedDeduplication`, on FIFO queues.
    pub content_based_deduplication: bool,
    /// `DeduplicationScope`, on FIFO queues.
    pub deduplication_scope: Scope,
    /// The dead-letter queue by its number in the world, and `maxReceiveCount`.
    pub redrive: Option<(usize, u32)>,
}

impl Setup {
    /// A standard queue with the library's default attributes.
    ///
    /// # Examples
    /// ```
    /// # use requeue::testing::model::Setup;
    /// assert_eq!(Setup::standard().visibility_timeout, 30_000);
    /// ```
    #[must_use]
    pub fn standard() -> Self {
        Self {
            fifo: false,
            visibility_timeout: 30 * SECOND,
            delay: 0,
            message_retention_period: 345_600 * SECOND,
            maximum_message_size: 262_144,
            content_based_deduplication: false,
            deduplication_scope: Scope::Queue,
            redrive: None,
        }
    }

    /// A FIFO queue with content-based deduplication, and the library's default attributes otherwise.
    ///
    /// # Examples
    /// ```
    /// # use requeue::testing::model::Setup;
    /// assert!(Setup::fifo().content_based_deduplication);
    /// ```
    #[must_use]
    pub fn fifo() -> Self {
        Self {
            fifo: true,
            content_based_deduplication: true,
            ..Self::standard()
        }
    }

    /// Sets `VisibilityTimeout`, in milliseconds.
    ///
    /// # Examples
    /// ```
    /// # use requeue::testing::model::{SECOND, Scope, Setup};
    /// assert_eq!(Setup::standard().visibility_timeout(5 * SECOND).visibility_timeout, 5_000);
    /// ```
    #[must_use]
    pub fn visibility_timeout(mut self, milliseconds: u64) -> Self {
        self.visibility_timeout = milliseconds;
        self
    }

    /// Sets `DelaySeconds`, in milliseconds.
    ///
    /// # Examples
    /// ```
    /// # use requeue::testing::model::{SECOND, Scope, Setup};
    /// assert_eq!(Setup::standard().delay(5 * SECOND).delay, 5_000);
    /// ```
    #[must_use]
    pub fn delay(mut self, milliseconds: u64) -> Self {
        self.delay = milliseconds;
        self
    }

    /// Sets `MessageRetentionPeriod`, in milliseconds.
    ///
    /// # Examples
    /// ```
    /// # use requeue::testing::model::{SECOND, Scope, Setup};
    /// assert_eq!(Setup::standard().message_retention_period(60 * SECOND).message_retention_period, 60_000);
    /// ```
    #[must_use]
    pub fn message_retention_period(mut self, milliseconds: u64) -> Self {
        self.message_retention_period = milliseconds;
        self
    }

    /// Sets `MaximumMessageSize`.
    ///
    /// # Examples
    /// ```
    /// # use requeue::testing::model::{SECOND, Scope, Setup};
    /// assert_eq!(Setup::standard().maximum_message_size(1_024).maximum_message_size, 1_024);
    /// ```
    #[must_use]
    pub fn maximum_message_size(mut self, bytes: usize) -> Self {
        self.maximum_message_size = bytes;
        self
    }

    /// Sets `DeduplicationScope`.
    ///
    /// # Examples
    /// ```
    /// # use requeue::testing::model::{SECOND, Scope, Setup};
    /// assert_eq!(Setup::fifo().deduplication_scope(Scope::MessageGroup).deduplication_scope, Scope::MessageGroup);
    /// ```
    #[must_use]
    pub fn deduplication_scope(mut self, scope: Scope) -> Self {
        self.deduplication_scope = scope;
        self
    }

    /// Sets `ContentBasedDeduplication`.
    ///
    /// # Examples
    /// ```
    /// # use requeue::testing::model::Setup;
    /// assert!(!Setup::fifo().content_based_deduplication(false).content_based_deduplication);
    /// ```
    #[must_use]
    pub fn content_based_deduplication(mut self, enabled: bool) -> Self {
        self.content_based_deduplication = enabled;
        self
    }

    /// Names the dead-letter queue by its number in the world, and `maxReceiveCount`.
    ///
    /// # Examples
    /// ```
    /// # use requeue::testing::model::{SECOND, Scope, Setup};
    /// assert_eq!(Setup::standard().redrive(1, 3).redrive, Some((1, 3)));
    /// ```
    #[must_use]
    pub fn redrive(mut self, dead_letter_queue: usize, max_receive_count: u32) -> Self {
        self.redrive = Some((dead_letter_queue, max_receive_count));
        self
    }
}

/// A message as a producer writes it.
///
/// # Examples
/// ```
/// # use requeue::testing::model::{Draft, SECOND};
/// let order = Draft::new("order-17").message_group_id("customer-7").deduplication_id("17");
/// assert_eq!((order.body.as_str(), order.delay), ("order-17", None));
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Draft {
    /// The body.
    pub body: String,
    /// The delay asked for.
    pub delay: Option<u64>,
    /// The message group.
    pub message_group_id: Option<String>,
    /// The explicit deduplication id.
    pub deduplication_id: Option<String>,
}

impl Draft {
    /// A message with nothing but a body.
    ///
    /// # Examples
    /// ```
    /// # use requeue::testing::model::Draft;
    /// assert_eq!(Draft::new("order-17").body, "order-17");
    /// ```
    #[must_use]
    pub fn new(body: &str) -> Self {
        Self {
            body: body.to_owned(),
            ..Self::default()
        }
    }

    /// Names the message group.
    ///
    /// # Examples
    /// ```
    /// # use requeue::testing::model::Draft;
    /// assert_eq!(Draft::new("x").message_group_id("g").message_group_id.as_deref(), Some("g"));
    /// ```
    #[must_use]
    pub fn message_group_id(mut self, id: &str) -> Self {
        self.message_group_id = Some(id.to_owned());
        self
    }

    /// Sets an explicit deduplication id.
    ///
    /// # Examples
    /// ```
    /// # use requeue::testing::model::Draft;
    /// assert_eq!(Draft::new("x").deduplication_id("17").deduplication_id.as_deref(), Some("17"));
    /// ```
    #[must_use]
    pub fn deduplication_id(mut self, id: &str) -> Self {
        self.deduplication_id = Some(id.to_owned());
        self
    }

    /// Sets a delay, in milliseconds.
    ///
    /// # Examples
    /// ```
    /// # use requeue::testing::model::Draft;
    /// assert_eq!(Draft::new("x").delay(500).delay, Some(500));
    /// ```
    #[must_use]
    pub fn delay(mut self, milliseconds: u64) -> Self {
        self.delay = Some(milliseconds);
        self
    }
}

/// An error as its SQS code and a part of the text that it carries.
///
/// # Examples
/// ```
/// use requeue::{Queue, testing::model::{Draft, Setup, World}};
///
/// let refusal = World::new(0, &[Setup::standard()]).send(0, &Draft::new("")).unwrap_err();
/// let error = Queue::standard("jobs").build()?.send("").unwrap_err();
/// assert!(refusal.is(error.code(), &error.to_string()));
/// # Ok::<(), requeue::CreateQueueError>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Refusal {
    /// SQS's error code.
    pub code: &'static str,
    /// Part of SQS's text; empty where no text is recorded.
    pub text: &'static str,
}

impl Refusal {
    /// Whether an error with this code and this text is the refusal.
    ///
    /// # Examples
    /// ```
    /// # use requeue::testing::model::Refusal;
    /// let refusal = Refusal { code: "OverLimit", text: "Too many messages" };
    /// assert!(refusal.is("OverLimit", "Too many messages have been received without being deleted."));
    /// assert!(!refusal.is("OverLimit", "8 Actions were found, maximum allowed is 7."));
    /// ```
    #[must_use]
    pub fn is(&self, code: &str, text: &str) -> bool {
        self.code == code && text.contains(self.text)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.text)
    }
}

impl Error for Refusal {}

pub(super) fn refuse<T>(code: &'static str, text: &'static str) -> Result<T, Refusal> {
    Err(Refusal { code, text })
}

/// What a send answers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Sent {
    /// The message's number in the world, from 0; a duplicate gets the original's.
    pub id: usize,
    /// Its place in the queue.
    pub serial: u64,
}

/// A receipt handle.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Handle {
    /// The queue it is from.
    pub queue: usize,
    /// The message by its arrival there, so that a stay that ended is never met again.
    pub serial: u64,
    /// Which reception of that stay, from 1.
    pub reception: u32,
}

/// A deduplication id as a consumer sees it.
#[derive(Clone, Debug, Eq, PartialEq)]
#[allow(clippy::exhaustive_enums, reason = "the rules know these two")]
pub enum DeduplicationId {
    /// The producer's, or the hash of the body.
    Text(String),
    /// The message id, after a move (L12).
    MessageId,
}

/// A received message.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Received {
    /// The message's number in the world.
    pub id: usize,
    /// The handle of this reception.
    pub handle: Handle,
    /// The body.
    pub body: String,
    /// The message group.
    pub message_group_id: Option<String>,
    /// The deduplication id, on FIFO queues.
    pub deduplication_id: Option<DeduplicationId>,
    /// `SentTimestamp`.
    pub sent_at: u64,
    /// `ApproximateFirstReceiveTimestamp`.
    pub first_received_at: u64,
    /// `ApproximateReceiveCount`.
    pub receive_count: u32,
    /// The queue it was dead-lettered from.
    pub source: Option<usize>,
    /// When it becomes visible again.
    pub invisible_until: u64,
}

/// What a receive asks for; what is absent is SQS's default.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Request {
    /// `MaxNumberOfMessages`.
    pub max_messages: Option<usize>,
    /// `VisibilityTimeout`.
    pub visibility_timeout: Option<u64>,
    /// `WaitTimeSeconds`; the world never waits.
    pub wait_time: Option<u64>,
    /// `ReceiveRequestAttemptId`.
    pub receive_request_attempt_id: Option<String>,
}

/// A change of attributes; what is absent stays.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Change {
    /// `VisibilityTimeout`.
    pub visibility_timeout: Option<u64>,
    /// `DelaySeconds`.
    pub delay: Option<u64>,
    /// `MessageRetentionPeriod`.
    pub message_retention_period: Option<u64>,
    /// `ContentBasedDeduplication`.
    pub content_based_deduplication: Option<bool>,
    /// `DeduplicationScope`.
    pub deduplication_scope: Option<Scope>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Phase {
    /// The number of the event that made the message visible (F22).
    Visible {
        event: u64,
    },
    Delayed {
        until: u64,
    },
    InFlight {
        until: u64,
    },
}

/// Where a stored message is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[allow(clippy::exhaustive_enums, reason = "the rules know these three")]
pub enum StoredPhase {
    /// Waiting to be received.
    Visible,
    /// Sent with a delay that has not ended.
    Delayed {
        /// End of the delay.
        until: u64,
    },
    /// Received and hidden.
    InFlight {
        /// End of the visibility timeout.
        until: u64,
    },
}

/// One stored message.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Stored {
    /// The message's number in the world.
    pub id: usize,
    /// Its place in the queue.
    pub serial: u64,
    /// The body.
    pub body: String,
    /// Where the message is.
    pub phase: StoredPhase,
    /// The message group.
    pub message_group_id: Option<String>,
    /// When it was sent.
    pub sent_at: u64,
    /// Receives so far.
    pub receive_count: u32,
    /// When retention ends it.
    pub expires_at: u64,
    /// Visible, but behind a message of its group that is not (F18).
    pub blocked: bool,
}

/// The three counters of a queue (C1, C2).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counts {
    /// `ApproximateNumberOfMessages`.
    pub visible: usize,
    /// `ApproximateNumberOfMessagesNotVisible`.
    pub not_visible: usize,
    /// `ApproximateNumberOfMessagesDelayed`.
    pub delayed: usize,
}
