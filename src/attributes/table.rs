//! Every attribute that can be set, once: what a request gives, what a queue holds, and SQS's name.
use super::compare;
use super::policies::{DeduplicationScope, FifoThroughputLimit, RedriveAllowPolicy, RedrivePolicy};
use crate::time::Timestamp;
use std::time::Duration;

/// Declares the attributes: the field and in parentheses what its setter takes; the type that a request holds and that
/// which a queue holds; the function of [`compare`] that tells whether two such values differ; and SQS's name, with the
/// constant for it. The order is that in which a difference is reported (Q30).
macro_rules! attributes {
    ($(
        $(#[cfg($cfg:meta)])?
        $(#[doc = $doc:literal])+
        $field:ident($argument:ty): $given:ty => $held:ty, $differ:ident, $name:ident = $text:literal;
    )+) => {
        /// The attributes that a request sets; those it does not name stay as they are, or take their defaults on a new
        /// queue.
        ///
        /// Building one checks nothing, the queue that gets it does, and sets all or none (rule Q28). Spans are kept to
        /// the millisecond.
        ///
        /// # Source
        /// [`SetQueueAttributes`](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html).
        ///
        /// # Examples
        /// ```
        /// # use requeue::{Queue, QueueAttributes};
        /// # use std::time::Duration;
        /// let minute = Duration::from_secs(60);
        /// let attributes = QueueAttributes::new().visibility_timeout(minute).maximum_message_size(2_048);
        /// let jobs = Queue::standard("jobs").attributes(attributes).build()?;
        /// assert_eq!(jobs.settings().visibility_timeout, minute);
        /// # Ok::<(), requeue::CreateQueueError>(())
        /// ```
        #[derive(Clone, Debug, Default, Eq, PartialEq)]
        pub struct QueueAttributes {
            $($(#[cfg($cfg)])? pub(crate) $field: Option<$given>,)+
        }

        impl QueueAttributes {
            $(
                $(#[cfg($cfg)])?
                $(#[doc = $doc])+
                #[must_use]
                pub fn $field(mut self, value: $argument) -> Self {
                    self.$field = Some(value.into());
                    self
                }
            )+

            /// This request with what `later` sets laid over it.
            pub(crate) fn merge(self, later: Self) -> Self {
                Self {
                    $($(#[cfg($cfg)])? $field: later.$field.or(self.$field),)+
                }
            }

            /// SQS's name of the first attribute that this request gives another value than `settings` have (Q29 to
            /// Q32, Q34). Only attributes in the request are compared.
            pub(crate) fn first_difference(&self, settings: &QueueSettings) -> Option<&'static str> {
                $(
                    $(#[cfg($cfg)])?
                    if self.$field.as_ref().is_some_and(|given| compare::$differ(given, &settings.$field)) {
                        return Some(name::$name);
                    }
                )+
                None
            }
        }

        /// Every attribute of a queue with the value in force.
        ///
        /// Fields for FIFO queues keep their defaults on a standard queue.
        ///
        /// # Source
        /// [`GetQueueAttributes`](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueAttributes.html).
        #[derive(Clone, Debug, Eq, PartialEq)]
        #[non_exhaustive]
        pub struct QueueSettings {
            $(
                $(#[cfg($cfg)])?
                $(#[doc = $doc])+
                pub $field: $held,
            )+
            /// `Policy` of a queue in a journal, kept for programs that have the feature.
            #[cfg(all(feature = "journal", not(feature = "aws-protocol")))]
            pub(crate) policy: Option<String>,
            /// `CreatedTimestamp`: when the queue was created.
            pub created_timestamp: Timestamp,
            /// `LastModifiedTimestamp`: when its attributes changed last (rule Q15).
            pub last_modified_timestamp: Timestamp,
        }

        /// SQS's names of the attributes that can be set.
        pub(super) mod name {
            $($(#[cfg($cfg)])? pub(in crate::attributes) const $name: &str = $text;)+
        }
    };
}

attributes! {
    /// `DelaySeconds`, 0 to 900 s, 0 s unless set: how long every message is hidden after its send.
    delay(Duration): Duration => Duration, spans, DELAY = "DelaySeconds";

    /// `MaximumMessageSize`, 1024 to 1048576 bytes: the greatest size of a message as M6 counts it.
    maximum_message_size(usize): usize => usize, values, MAXIMUM_MESSAGE_SIZE = "MaximumMessageSize";

    /// `MessageRetentionPeriod`, 60 s to 14 days, 4 days unless set: how long after its send a message disappears.
    message_retention_period(Duration): Duration => Duration, spans, MESSAGE_RETENTION_PERIOD = "MessageRetentionPeriod";

    /// `ReceiveMessageWaitTimeSeconds`, 0 to 20 s, 0 s unless set: how long a receive that does not say so waits.
    receive_message_wait_time(Duration): Duration => Duration, spans, RECEIVE_WAIT_TIME = "ReceiveMessageWaitTimeSeconds";

    /// `VisibilityTimeout`, 0 s to 12 h, 30 s unless set: how long a receive that does not say so hides its messages.
    visibility_timeout(Duration): Duration => Duration, spans, VISIBILITY_TIMEOUT = "VisibilityTimeout";

    #[cfg(feature = "aws-protocol")]
    /// `Policy`: the access policy, a JSON object of at most 8192 bytes that is kept and not enforced; setting an empty
    /// one removes it (rules Q26, X4).
    policy(impl Into<String>): String => Option<String>, documents, POLICY = "Policy";

    /// `RedrivePolicy`: where messages go that nobody could consume (rule L1).
    redrive_policy(RedrivePolicy): Option<RedrivePolicy> => Option<RedrivePolicy>, values, REDRIVE_POLICY = "RedrivePolicy";

    /// `RedriveAllowPolicy`: which queues may name this one as their dead-letter queue; without one, all (rule L20).
    redrive_allow_policy(RedriveAllowPolicy): Option<RedriveAllowPolicy> => Option<RedriveAllowPolicy>, allow_policies,
        REDRIVE_ALLOW_POLICY = "RedriveAllowPolicy";

    /// `KmsMasterKeyId`, kept and not used; a key switches `SqsManagedSseEnabled` off, setting an empty one removes it
    /// (rules Q42, X4).
    kms_master_key_id(impl Into<String>): String => Option<String>, texts, KMS_MASTER_KEY_ID = "KmsMasterKeyId";

    /// `KmsDataKeyReusePeriodSeconds`, 60 s to 24 h, 300 s unless set; kept and not used.
    kms_data_key_reuse_period(Duration): Duration => Duration, spans,
        KMS_DATA_KEY_REUSE_PERIOD = "KmsDataKeyReusePeriodSeconds";

    /// `SqsManagedSseEnabled`, true until a KMS key is set; kept and not used; switching it on removes the KMS key
    /// (rules Q24, Q42).
    sqs_managed_sse_enabled(bool): bool => bool, values, SQS_MANAGED_SSE_ENABLED = "SqsManagedSseEnabled";

    /// `FifoQueue`: the type of a new queue, which never changes afterwards (rules Q18, Q20, Q21).
    fifo_queue(bool): bool => bool, values, FIFO_QUEUE = "FifoQueue";

    /// `ContentBasedDeduplication`, FIFO only: whether a message without deduplication id gets the hash of its body as
    /// one (rule F7).
    content_based_deduplication(bool): bool => bool, values, CONTENT_BASED_DEDUPLICATION = "ContentBasedDeduplication";

    /// `DeduplicationScope`, FIFO only: how far a deduplication id reaches (rules F10, Q19).
    deduplication_scope(DeduplicationScope): DeduplicationScope => DeduplicationScope, values,
        DEDUPLICATION_SCOPE = "DeduplicationScope";

    /// `FifoThroughputLimit`, FIFO only: what throughput quotas count, where they are enforced; per message group needs
    /// that deduplication scope (rules Q19, Q22).
    fifo_throughput_limit(FifoThroughputLimit): FifoThroughputLimit => FifoThroughputLimit, values,
        FIFO_THROUGHPUT_LIMIT = "FifoThroughputLimit";
}

impl QueueAttributes {
    /// A request that sets nothing.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Limits, Queue, QueueAttributes, QueueSettings};
    /// let jobs = Queue::standard("jobs").attributes(QueueAttributes::new()).build()?;
    /// assert_eq!(jobs.settings().delay, QueueSettings::standard(&Limits::default()).delay);
    /// # Ok::<(), requeue::CreateQueueError>(())
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Removes the `RedrivePolicy` (rule L4).
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Queue, QueueAttributes};
    /// let attributes = QueueAttributes::new().no_redrive_policy();
    /// let settings = Queue::standard("jobs").attributes(attributes).build()?.settings();
    /// assert_eq!(settings.redrive_policy, None);
    /// # Ok::<(), requeue::CreateQueueError>(())
    /// ```
    #[must_use]
    pub fn no_redrive_policy(mut self) -> Self {
        self.redrive_policy = Some(None);
        self
    }

    /// Removes the `RedriveAllowPolicy`, so that every queue may (rule L20).
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Queue, QueueAttributes};
    /// let attributes = QueueAttributes::new().no_redrive_allow_policy();
    /// let settings = Queue::standard("jobs").attributes(attributes).build()?.settings();
    /// assert_eq!(settings.redrive_allow_policy, None);
    /// # Ok::<(), requeue::CreateQueueError>(())
    /// ```
    #[must_use]
    pub fn no_redrive_allow_policy(mut self) -> Self {
        self.redrive_allow_policy = Some(None);
        self
    }
}
