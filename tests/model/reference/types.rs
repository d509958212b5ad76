//! What goes into the world and what comes out of it, in plain values: milliseconds, texts and counts.

use std::{error::Error, fmt};

/// One second; every instant and span of the model is in milliseconds.
pub(crate) const SECOND: u64 = 1_000;
/// The longest invisibility of one reception (D25, D26).
pub(crate) const TWELVE_HOURS: u64 = 43_200 * SECOND;
/// The memory of deduplication ids (F9) and of receive attempt ids (F35).
pub(crate) const FIVE_MINUTES: u64 = 300 * SECOND;

/// The limits that a test makes small; the others are SQS's own.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct ModelLimits {
    /// Most messages in flight on a queue: 120,000 unless set (D15, F29).
    pub(crate) in_flight: usize,
    /// Fewest messages in flight that make a tenant noisy: 30 unless set (N3).
    pub(crate) noisy_in_flight: usize,
    /// Most bytes in one batch: 1,048,576 unless set (M10).
    pub(crate) batch_bytes: usize,
    /// Most messages that a queue stores; a budget is ours, and sends alone are refused for it.
    pub(crate) stored_messages: usize,
    /// The same in bytes (M6).
    pub(crate) stored_bytes: usize,
}

impl Default for ModelLimits {
    fn default() -> Self {
        Self {
            in_flight: 120_000,
            noisy_in_flight: 30,
            batch_bytes: 1_048_576,
            stored_messages: usize::MAX,
            stored_bytes: usize::MAX,
        }
    }
}

/// `DeduplicationScope` (F10).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[allow(clippy::exhaustive_enums, reason = "SQS knows these two")]
pub(crate) enum Scope {
    /// One memory for the queue.
    Queue,
    /// One memory per message group.
    MessageGroup,
}

/// The attributes of one queue; nothing checks them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Setup {
    /// Whether it is a FIFO queue.
    pub(crate) fifo: bool,
    /// `VisibilityTimeout`.
    pub(crate) visibility_timeout: u64,
    /// `DelaySeconds`.
    pub(crate) delay: u64,
    /// `MessageRetentionPeriod`.
    pub(crate) message_retention_period: u64,
    /// `MaximumMessageSize`, in bytes.
    pub(crate) maximum_message_size: usize,
    /// `ContentBasedDeduplication`, on FIFO queues.
    pub(crate) content_based_deduplication: bool,
    /// `DeduplicationScope`, on FIFO queues.
    pub(crate) deduplication_scope: Scope,
    /// The dead-letter queue by its number in the world, and `maxReceiveCount`.
    pub(crate) redrive: Option<(usize, u32)>,
}

impl Setup {
    /// A standard queue with the library's default attributes.
    #[must_use]
    pub(crate) fn standard() -> Self {
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
    #[must_use]
    pub(crate) fn fifo() -> Self {
        Self {
            fifo: true,
            content_based_deduplication: true,
            ..Self::standard()
        }
    }

    /// Sets `VisibilityTimeout`, in milliseconds.
    #[must_use]
    pub(crate) fn visibility_timeout(mut self, milliseconds: u64) -> Self {
        self.visibility_timeout = milliseconds;
        self
    }

    /// Sets `DelaySeconds`, in milliseconds.
    #[must_use]
    pub(crate) fn delay(mut self, milliseconds: u64) -> Self {
        self.delay = milliseconds;
        self
    }

    /// Sets `MessageRetentionPeriod`, in milliseconds.
    #[must_use]
    pub(crate) fn message_retention_period(mut self, milliseconds: u64) -> Self {
        self.message_retention_period = milliseconds;
        self
    }

    /// Sets `MaximumMessageSize`.
    #[must_use]
    pub(crate) fn maximum_message_size(mut self, bytes: usize) -> Self {
        self.maximum_message_size = bytes;
        self
    }

    /// Sets `DeduplicationScope`.
    #[must_use]
    pub(crate) fn deduplication_scope(mut self, scope: Scope) -> Self {
        self.deduplication_scope = scope;
        self
    }

    /// Sets `ContentBasedDeduplication`.
    #[must_use]
    pub(crate) fn content_based_deduplication(mut self, enabled: bool) -> Self {
        self.content_based_deduplication = enabled;
        self
    }

    /// Names the dead-letter queue by its number in the world, and `maxReceiveCount`.
    #[must_use]
    pub(crate) fn redrive(mut self, dead_letter_queue: usize, max_receive_count: u32) -> Self {
        self.redrive = Some((dead_letter_queue, max_receive_count));
        self
    }
}

/// A message as a producer writes it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Draft {
    /// The body.
    pub(crate) body: String,
    /// The delay asked for.
    pub(crate) delay: Option<u64>,
    /// The message group.
    pub(crate) message_group_id: Option<String>,
    /// The explicit deduplication id.
    pub(crate) deduplication_id: Option<String>,
    /// The value of the one user attribute, a `String` named [`ATTRIBUTE`].
    pub(crate) attribute: Option<String>,
}

/// The name of the user attribute.
pub(crate) const ATTRIBUTE: &str = "Tag";

/// The size of a message (M6).
pub(crate) fn size(body: &str, attribute: Option<&str>) -> usize {
    body.len() + attribute.map_or(0, |value| ATTRIBUTE.len() + "String".len() + value.len())
}

impl Draft {
    /// A message with nothing but a body.
    #[must_use]
    pub(crate) fn new(body: &str) -> Self {
        Self {
            body: body.to_owned(),
            ..Self::default()
        }
    }

    pub(crate) fn size(&self) -> usize {
        size(&self.body, self.attribute.as_deref())
    }

    /// Names the message group.
    #[must_use]
    pub(crate) fn message_group_id(mut self, id: &str) -> Self {
        self.message_group_id = Some(id.to_owned());
        self
    }

    /// Sets an explicit deduplication id.
    #[must_use]
    pub(crate) fn deduplication_id(mut self, id: &str) -> Self {
        self.deduplication_id = Some(id.to_owned());
        self
    }

    /// Sets a delay, in milliseconds.
    #[must_use]
    pub(crate) fn delay(mut self, milliseconds: u64) -> Self {
        self.delay = Some(milliseconds);
        self
    }
}

/// An error as its SQS code and a part of the text that it carries.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Refusal {
    /// SQS's error code.
    pub(crate) code: &'static str,
    /// Part of SQS's text; empty where no text is recorded.
    pub(crate) text: &'static str,
}

impl Refusal {
    /// Whether an error with this code and this text is the refusal.
    #[must_use]
    pub(crate) fn is(&self, code: &str, text: &str) -> bool {
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
pub(crate) struct Sent {
    /// The message's number in the world, from 0; a duplicate gets the original's.
    pub(crate) id: usize,
    /// Its place in the queue.
    pub(crate) serial: u64,
}

/// A receipt handle.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Handle {
    /// The queue it is from.
    pub(crate) queue: usize,
    /// The message by its arrival there, so that a stay that ended is never met again.
    pub(crate) serial: u64,
    /// Which reception of that stay, from 1.
    pub(crate) reception: u32,
}

/// A deduplication id as a consumer sees it.
#[derive(Clone, Debug, Eq, PartialEq)]
#[allow(clippy::exhaustive_enums, reason = "the rules know these two")]
pub(crate) enum DeduplicationId {
    /// The producer's, or the hash of the body.
    Text(String),
    /// The message id, after a move (L12).
    MessageId,
}

/// A received message.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Received {
    /// The message's number in the world.
    pub(crate) id: usize,
    /// The handle of this reception.
    pub(crate) handle: Handle,
    /// The body.
    pub(crate) body: String,
    /// The value of the user attribute.
    pub(crate) attribute: Option<String>,
    /// The message group.
    pub(crate) message_group_id: Option<String>,
    /// The deduplication id, on FIFO queues.
    pub(crate) deduplication_id: Option<DeduplicationId>,
    /// `SentTimestamp`.
    pub(crate) sent_at: u64,
    /// `ApproximateFirstReceiveTimestamp`.
    pub(crate) first_received_at: u64,
    /// `ApproximateReceiveCount`.
    pub(crate) receive_count: u32,
    /// The queue it was dead-lettered from.
    pub(crate) source: Option<usize>,
    /// When it becomes visible again.
    pub(crate) invisible_until: u64,
}

/// What a receive asks for; what is absent is SQS's default.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Request {
    /// `MaxNumberOfMessages`.
    pub(crate) max_messages: Option<usize>,
    /// `VisibilityTimeout`.
    pub(crate) visibility_timeout: Option<u64>,
    /// `WaitTimeSeconds`; the world never waits.
    pub(crate) wait_time: Option<u64>,
    /// `ReceiveRequestAttemptId`.
    pub(crate) receive_request_attempt_id: Option<String>,
    /// FIFO: the most messages of one group, which is ours; as many as there are unless set.
    pub(crate) max_messages_per_group: Option<usize>,
    /// Whether `MessageAttributeNames` names another attribute than the one.
    pub(crate) without_attribute: bool,
}

/// A change of attributes; what is absent stays.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Change {
    /// `VisibilityTimeout`.
    pub(crate) visibility_timeout: Option<u64>,
    /// `DelaySeconds`.
    pub(crate) delay: Option<u64>,
    /// `MessageRetentionPeriod`.
    pub(crate) message_retention_period: Option<u64>,
    /// `ContentBasedDeduplication`.
    pub(crate) content_based_deduplication: Option<bool>,
    /// `DeduplicationScope`.
    pub(crate) deduplication_scope: Option<Scope>,
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
pub(crate) enum StoredPhase {
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
pub(crate) struct Stored {
    /// The message's number in the world.
    pub(crate) id: usize,
    /// Its place in the queue.
    pub(crate) serial: u64,
    /// The body.
    pub(crate) body: String,
    /// Where the message is.
    pub(crate) phase: StoredPhase,
    /// The message group.
    pub(crate) message_group_id: Option<String>,
    /// When it was sent.
    pub(crate) sent_at: u64,
    /// Receives so far.
    pub(crate) receive_count: u32,
    /// When retention ends it.
    pub(crate) expires_at: u64,
    /// Visible, but behind a message of its group that is not (F18).
    pub(crate) blocked: bool,
}

/// The three counters of a queue (C1, C2).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Counts {
    /// `ApproximateNumberOfMessages`.
    pub(crate) visible: usize,
    /// `ApproximateNumberOfMessagesNotVisible`.
    pub(crate) not_visible: usize,
    /// `ApproximateNumberOfMessagesDelayed`.
    pub(crate) delayed: usize,
}
