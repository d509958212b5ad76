//! [`Settings`], the attributes of a queue in force.
use super::policies::{DeduplicationScope, FifoThroughputLimit, RedriveAllowPolicy, RedrivePolicy};
use crate::limits::Limits;
use crate::time::Timestamp;
use std::time::Duration;

/// Every attribute of a queue with the value in force.
///
/// Fields for FIFO queues keep their defaults on a standard queue.
///
/// # Source
/// [`GetQueueAttributes`](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueAttributes.html).
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Settings {
    /// `DelaySeconds`: how long every message is hidden after its send; 0 s unless set.
    pub delay: Duration,
    /// `MaximumMessageSize`: the greatest size of a message as M6 counts it, in bytes.
    pub maximum_message_size: usize,
    /// `MessageRetentionPeriod`: how long after its send a message disappears; 4 days unless set.
    pub message_retention_period: Duration,
    /// `ReceiveMessageWaitTimeSeconds`: how long a receive that does not say so waits; 0 s unless set.
    pub receive_message_wait_time: Duration,
    /// `VisibilityTimeout`: how long a receive that does not say so hides its messages; 30 s unless set.
    pub visibility_timeout: Duration,
    /// `Policy`: the access policy, a JSON document that is kept and not enforced (rule X4).
    pub policy: Option<String>,
    /// `RedrivePolicy`: where messages go that nobody could consume.
    pub redrive_policy: Option<RedrivePolicy>,
    /// `RedriveAllowPolicy`: which queues may send such messages here; without one, all.
    pub redrive_allow_policy: Option<RedriveAllowPolicy>,
    /// `KmsMasterKeyId`: kept and not used (rule X4).
    pub kms_master_key_id: Option<String>,
    /// `KmsDataKeyReusePeriodSeconds`: kept and not used; 300 s unless set.
    pub kms_data_key_reuse_period: Duration,
    /// `SqsManagedSseEnabled`: kept and not used; true until a KMS key is set (rule Q42).
    pub sqs_managed_sse_enabled: bool,
    /// `FifoQueue`: the type of the queue, which never changes.
    pub fifo_queue: bool,
    /// `ContentBasedDeduplication`: whether a message without deduplication id gets the hash of its body as one.
    pub content_based_deduplication: bool,
    /// `DeduplicationScope`: how far a deduplication id reaches.
    pub deduplication_scope: DeduplicationScope,
    /// `FifoThroughputLimit`: what throughput quotas count, where they are enforced.
    pub fifo_throughput_limit: FifoThroughputLimit,
    /// `CreatedTimestamp`: when the queue was created.
    pub created_timestamp: Timestamp,
    /// `LastModifiedTimestamp`: when its attributes changed last (rule Q15).
    pub last_modified_timestamp: Timestamp,
}

impl Settings {
    pub(crate) const KMS_DATA_KEY_REUSE_PERIOD: Duration = Duration::from_secs(300);

    /// A standard queue that sets nothing; a default beyond `limits` is brought back to them. Timestamps are zero.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Limits, Settings};
    /// # use std::time::Duration;
    /// let settings = Settings::standard(&Limits::aws());
    /// assert_eq!(settings.visibility_timeout, Duration::from_secs(30));
    /// assert_eq!(settings.maximum_message_size, 1_048_576);
    /// ```
    #[must_use]
    pub fn standard(limits: &Limits) -> Self {
        Self {
            delay: Duration::ZERO,
            maximum_message_size: limits.maximum_message_size_default.min(limits.maximum_message_size_max),
            message_retention_period: Duration::from_secs(345_600)
                .min(limits.message_retention_period_max)
                .max(limits.message_retention_period_min),
            receive_message_wait_time: Duration::ZERO,
            visibility_timeout: Duration::from_secs(30).min(limits.visibility_timeout),
            policy: None,
            redrive_policy: None,
            redrive_allow_policy: None,
            kms_master_key_id: None,
            kms_data_key_reuse_period: Self::KMS_DATA_KEY_REUSE_PERIOD,
            sqs_managed_sse_enabled: true,
            fifo_queue: false,
            content_based_deduplication: false,
            deduplication_scope: DeduplicationScope::default(),
            fifo_throughput_limit: FifoThroughputLimit::default(),
            created_timestamp: Timestamp::ZERO,
            last_modified_timestamp: Timestamp::ZERO,
        }
    }

    /// A FIFO queue that sets nothing else.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{DeduplicationScope, Limits, Settings};
    /// let settings = Settings::fifo(&Limits::default());
    /// assert!(settings.fifo_queue && !settings.content_based_deduplication);
    /// assert_eq!(settings.deduplication_scope, DeduplicationScope::Queue);
    /// ```
    #[must_use]
    pub fn fifo(limits: &Limits) -> Self {
        Self {
            fifo_queue: true,
            ..Self::standard(limits)
        }
    }
}
