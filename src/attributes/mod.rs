//! Attributes of a queue: what a request may set, the checks on its way in, and the values in force.
//!
//! A [`QueueAttributes`] may hold anything; `apply` checks it against limits and queue type and answers with new
//! [`Settings`], or changes nothing. Whether a dead-letter target exists is not decided here.
mod access_policy;
mod apply;
mod compare;
mod json;
mod policies;
mod settings;

pub(crate) use access_policy::{AccessPolicy, OverQuota, Statement};
pub use policies::{DeduplicationScope, FifoThroughputLimit, RedriveAllowPolicy, RedrivePolicy};
pub use settings::Settings;

use std::time::Duration;

/// The attributes that a request sets; those it does not name stay as they are, or take their defaults on a new queue.
///
/// Building one checks nothing, the queue that gets it does, and sets all or none (rule Q28). Spans are kept to the
/// millisecond.
///
/// # Source
/// [`SetQueueAttributes`](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html).
///
/// # Examples
/// ```
/// # use requeue::QueueAttributes;
/// # use std::time::Duration;
/// let attributes = QueueAttributes::new().visibility_timeout(Duration::from_secs(60)).maximum_message_size(2_048);
/// assert_ne!(attributes, QueueAttributes::new());
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct QueueAttributes {
    pub(crate) delay: Option<Duration>,
    pub(crate) maximum_message_size: Option<usize>,
    pub(crate) message_retention_period: Option<Duration>,
    pub(crate) receive_message_wait_time: Option<Duration>,
    pub(crate) visibility_timeout: Option<Duration>,
    /// Empty removes.
    pub(crate) policy: Option<String>,
    /// `Some(None)` removes.
    pub(crate) redrive_policy: Option<Option<RedrivePolicy>>,
    /// `Some(None)` removes.
    pub(crate) redrive_allow_policy: Option<Option<RedriveAllowPolicy>>,
    /// Empty removes.
    pub(crate) kms_master_key_id: Option<String>,
    pub(crate) kms_data_key_reuse_period: Option<Duration>,
    pub(crate) sqs_managed_sse_enabled: Option<bool>,
    pub(crate) fifo_queue: Option<bool>,
    pub(crate) content_based_deduplication: Option<bool>,
    pub(crate) deduplication_scope: Option<DeduplicationScope>,
    pub(crate) fifo_throughput_limit: Option<FifoThroughputLimit>,
}

impl QueueAttributes {
    /// A request that sets nothing.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Limits, Queue, QueueAttributes, Settings};
    /// let jobs = Queue::standard("jobs").attributes(QueueAttributes::new()).build()?;
    /// assert_eq!(jobs.settings().delay, Settings::standard(&Limits::default()).delay);
    /// # Ok::<(), requeue::CreateQueueError>(())
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// `DelaySeconds`, 0 to 900 s: how long every message is hidden after its send.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Queue, QueueAttributes};
    /// let attributes = QueueAttributes::new().delay(std::time::Duration::from_secs(5));
    /// let settings = Queue::standard("jobs").attributes(attributes).build()?.settings();
    /// assert_eq!(settings.delay, std::time::Duration::from_secs(5));
    /// # Ok::<(), requeue::CreateQueueError>(())
    /// ```
    #[must_use]
    pub fn delay(mut self, delay: Duration) -> Self {
        self.delay = Some(delay);
        self
    }

    /// `MaximumMessageSize`, 1024 to 1048576 bytes: the greatest size of a message.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Queue, QueueAttributes};
    /// let attributes = QueueAttributes::new().maximum_message_size(2_048);
    /// let settings = Queue::standard("jobs").attributes(attributes).build()?.settings();
    /// assert_eq!(settings.maximum_message_size, 2_048);
    /// # Ok::<(), requeue::CreateQueueError>(())
    /// ```
    #[must_use]
    pub fn maximum_message_size(mut self, bytes: usize) -> Self {
        self.maximum_message_size = Some(bytes);
        self
    }

    /// `MessageRetentionPeriod`, 60 s to 14 days: how long after its send a message disappears.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Queue, QueueAttributes};
    /// let attributes = QueueAttributes::new().message_retention_period(std::time::Duration::from_secs(60));
    /// let settings = Queue::standard("jobs").attributes(attributes).build()?.settings();
    /// assert_eq!(settings.message_retention_period, std::time::Duration::from_secs(60));
    /// # Ok::<(), requeue::CreateQueueError>(())
    /// ```
    #[must_use]
    pub fn message_retention_period(mut self, period: Duration) -> Self {
        self.message_retention_period = Some(period);
        self
    }

    /// `ReceiveMessageWaitTimeSeconds`, 0 to 20 s: how long a receive that does not say so waits.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Queue, QueueAttributes};
    /// let attributes = QueueAttributes::new().receive_message_wait_time(std::time::Duration::from_secs(20));
    /// let settings = Queue::standard("jobs").attributes(attributes).build()?.settings();
    /// assert_eq!(settings.receive_message_wait_time, std::time::Duration::from_secs(20));
    /// # Ok::<(), requeue::CreateQueueError>(())
    /// ```
    #[must_use]
    pub fn receive_message_wait_time(mut self, wait: Duration) -> Self {
        self.receive_message_wait_time = Some(wait);
        self
    }

    /// `VisibilityTimeout`, 0 s to 12 h: how long a receive that does not say so hides its messages.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Queue, QueueAttributes};
    /// let attributes = QueueAttributes::new().visibility_timeout(std::time::Duration::from_secs(60));
    /// let settings = Queue::standard("jobs").attributes(attributes).build()?.settings();
    /// assert_eq!(settings.visibility_timeout, std::time::Duration::from_secs(60));
    /// # Ok::<(), requeue::CreateQueueError>(())
    /// ```
    #[must_use]
    pub fn visibility_timeout(mut self, timeout: Duration) -> Self {
        self.visibility_timeout = Some(timeout);
        self
    }

    /// `Policy`, a JSON object of at most 8192 bytes that is kept and not enforced; empty removes it (rules Q26, X4).
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Queue, QueueAttributes};
    /// let attributes = QueueAttributes::new().policy(r#"{"Version":"2008-10-17"}"#);
    /// let settings = Queue::standard("jobs").attributes(attributes).build()?.settings();
    /// assert_eq!(settings.policy.as_deref(), Some(r#"{"Version":"2008-10-17"}"#));
    /// # Ok::<(), requeue::CreateQueueError>(())
    /// ```
    #[must_use]
    pub fn policy(mut self, document: impl Into<String>) -> Self {
        self.policy = Some(document.into());
        self
    }

    /// `RedrivePolicy`: where messages go that nobody could consume (rule L1).
    ///
    /// # Examples
    /// ```
    /// # use requeue::{QueueAttributes, RedrivePolicy};
    /// let policy = RedrivePolicy::new("arn:aws:sqs:us-east-1:123456789012:dead", 3);
    /// let attributes = QueueAttributes::new().redrive_policy(policy);
    /// assert_ne!(attributes, QueueAttributes::new().no_redrive_policy());
    /// ```
    #[must_use]
    pub fn redrive_policy(mut self, policy: RedrivePolicy) -> Self {
        self.redrive_policy = Some(Some(policy));
        self
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

    /// `RedriveAllowPolicy`: which queues may name this one as their dead-letter queue (rule L20).
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Queue, QueueAttributes, RedriveAllowPolicy};
    /// let attributes = QueueAttributes::new().redrive_allow_policy(RedriveAllowPolicy::DenyAll);
    /// let settings = Queue::standard("jobs").attributes(attributes).build()?.settings();
    /// assert_eq!(settings.redrive_allow_policy, Some(RedriveAllowPolicy::DenyAll));
    /// # Ok::<(), requeue::CreateQueueError>(())
    /// ```
    #[must_use]
    pub fn redrive_allow_policy(mut self, policy: RedriveAllowPolicy) -> Self {
        self.redrive_allow_policy = Some(Some(policy));
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

    /// `KmsMasterKeyId`, kept and not used; a key switches `SqsManagedSseEnabled` off, empty removes it (rule Q42).
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Queue, QueueAttributes};
    /// let attributes = QueueAttributes::new().kms_master_key_id("alias/jobs");
    /// let settings = Queue::standard("jobs").attributes(attributes).build()?.settings();
    /// assert_eq!(settings.kms_master_key_id.as_deref(), Some("alias/jobs"));
    /// assert!(!settings.sqs_managed_sse_enabled);
    /// # Ok::<(), requeue::CreateQueueError>(())
    /// ```
    #[must_use]
    pub fn kms_master_key_id(mut self, id: impl Into<String>) -> Self {
        self.kms_master_key_id = Some(id.into());
        self
    }

    /// `KmsDataKeyReusePeriodSeconds`, 60 s to 24 h, kept and not used.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Queue, QueueAttributes};
    /// let attributes = QueueAttributes::new().kms_data_key_reuse_period(std::time::Duration::from_secs(60));
    /// let settings = Queue::standard("jobs").attributes(attributes).build()?.settings();
    /// assert_eq!(settings.kms_data_key_reuse_period, std::time::Duration::from_secs(60));
    /// # Ok::<(), requeue::CreateQueueError>(())
    /// ```
    #[must_use]
    pub fn kms_data_key_reuse_period(mut self, period: Duration) -> Self {
        self.kms_data_key_reuse_period = Some(period);
        self
    }

    /// `SqsManagedSseEnabled`, kept and not used; switching it on removes the KMS key (rules Q24, Q42).
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Queue, QueueAttributes};
    /// let attributes = QueueAttributes::new().sqs_managed_sse_enabled(false);
    /// let settings = Queue::standard("jobs").attributes(attributes).build()?.settings();
    /// assert_eq!(settings.sqs_managed_sse_enabled, false);
    /// # Ok::<(), requeue::CreateQueueError>(())
    /// ```
    #[must_use]
    pub fn sqs_managed_sse_enabled(mut self, enabled: bool) -> Self {
        self.sqs_managed_sse_enabled = Some(enabled);
        self
    }

    /// `FifoQueue`: the type of a new queue, which never changes afterwards (rules Q18, Q20, Q21).
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Queue, QueueAttributes};
    /// let jobs = Queue::fifo("jobs.fifo").build()?;
    /// let error = jobs.set_attributes(QueueAttributes::new().fifo_queue(false)).unwrap_err();
    /// assert!(error.to_string().ends_with("Modifying queue type is not supported."));
    /// # Ok::<(), requeue::CreateQueueError>(())
    /// ```
    #[must_use]
    pub fn fifo_queue(mut self, fifo: bool) -> Self {
        self.fifo_queue = Some(fifo);
        self
    }

    /// `ContentBasedDeduplication`, FIFO only: a message without deduplication id gets the hash of its body (rule F7).
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Queue, QueueAttributes};
    /// let attributes = QueueAttributes::new().content_based_deduplication(true);
    /// let settings = Queue::fifo("jobs.fifo").attributes(attributes).build()?.settings();
    /// assert_eq!(settings.content_based_deduplication, true);
    /// # Ok::<(), requeue::CreateQueueError>(())
    /// ```
    #[must_use]
    pub fn content_based_deduplication(mut self, enabled: bool) -> Self {
        self.content_based_deduplication = Some(enabled);
        self
    }

    /// `DeduplicationScope`, FIFO only: how far a deduplication id reaches (rules F10, Q19).
    ///
    /// # Examples
    /// ```
    /// # use requeue::{DeduplicationScope, Queue, QueueAttributes};
    /// let attributes = QueueAttributes::new().deduplication_scope(DeduplicationScope::MessageGroup);
    /// let settings = Queue::fifo("jobs.fifo").attributes(attributes).build()?.settings();
    /// assert_eq!(settings.deduplication_scope, DeduplicationScope::MessageGroup);
    /// # Ok::<(), requeue::CreateQueueError>(())
    /// ```
    #[must_use]
    pub fn deduplication_scope(mut self, scope: DeduplicationScope) -> Self {
        self.deduplication_scope = Some(scope);
        self
    }

    /// `FifoThroughputLimit`, FIFO only: per message group needs that deduplication scope (rules Q19, Q22).
    ///
    /// # Examples
    /// ```
    /// # use requeue::{DeduplicationScope, FifoThroughputLimit, Queue, QueueAttributes};
    /// let per_group = QueueAttributes::new().fifo_throughput_limit(FifoThroughputLimit::PerMessageGroupId);
    /// let alone = Queue::fifo("jobs.fifo").attributes(per_group.clone()).build();
    /// assert_eq!(alone.unwrap_err().to_string(), "Invalid value for the parameter FifoThroughputLimit.");
    /// let both = per_group.deduplication_scope(DeduplicationScope::MessageGroup);
    /// assert!(Queue::fifo("jobs.fifo").attributes(both).build().is_ok());
    /// ```
    #[must_use]
    pub fn fifo_throughput_limit(mut self, limit: FifoThroughputLimit) -> Self {
        self.fifo_throughput_limit = Some(limit);
        self
    }
}

/// SQS's names of the attributes that can be set.
mod name {
    pub(super) const DELAY: &str = "DelaySeconds";
    pub(super) const MAXIMUM_MESSAGE_SIZE: &str = "MaximumMessageSize";
    pub(super) const MESSAGE_RETENTION_PERIOD: &str = "MessageRetentionPeriod";
    pub(super) const RECEIVE_WAIT_TIME: &str = "ReceiveMessageWaitTimeSeconds";
    pub(super) const VISIBILITY_TIMEOUT: &str = "VisibilityTimeout";
    pub(super) const POLICY: &str = "Policy";
    pub(super) const REDRIVE_POLICY: &str = "RedrivePolicy";
    pub(super) const REDRIVE_ALLOW_POLICY: &str = "RedriveAllowPolicy";
    pub(super) const KMS_MASTER_KEY_ID: &str = "KmsMasterKeyId";
    pub(super) const KMS_DATA_KEY_REUSE_PERIOD: &str = "KmsDataKeyReusePeriodSeconds";
    pub(super) const SQS_MANAGED_SSE_ENABLED: &str = "SqsManagedSseEnabled";
    pub(super) const FIFO_QUEUE: &str = "FifoQueue";
    pub(super) const CONTENT_BASED_DEDUPLICATION: &str = "ContentBasedDeduplication";
    pub(super) const DEDUPLICATION_SCOPE: &str = "DeduplicationScope";
    pub(super) const FIFO_THROUGHPUT_LIMIT: &str = "FifoThroughputLimit";
}
