//! The [`QueueSettings`] of a new queue.
#[cfg(feature = "journal")]
use super::QueueAttributes;
use super::policies::{DeduplicationScope, FifoThroughputLimit};
use super::table::QueueSettings;
#[cfg(feature = "journal")]
use crate::error::AttributeError;
use crate::limits::Limits;
use crate::time::Timestamp;
use std::time::Duration;

impl QueueSettings {
    pub(crate) const KMS_DATA_KEY_REUSE_PERIOD: Duration = Duration::from_secs(300);

    /// A standard queue that sets nothing; a default beyond `limits` is brought back to them. Timestamps are zero.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Limits, QueueSettings};
    /// # use std::time::Duration;
    /// let settings = QueueSettings::standard(&Limits::aws());
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
            #[cfg(any(feature = "aws-protocol", feature = "journal"))]
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

    /// Whether they could be set under these limits.
    #[cfg(feature = "journal")]
    pub(crate) fn check(&self, limits: &Limits) -> Result<(), AttributeError> {
        let attributes = QueueAttributes::new()
            .delay(self.delay)
            .maximum_message_size(self.maximum_message_size)
            .message_retention_period(self.message_retention_period)
            .receive_message_wait_time(self.receive_message_wait_time)
            .visibility_timeout(self.visibility_timeout)
            .kms_data_key_reuse_period(self.kms_data_key_reuse_period);
        attributes.apply(self, limits).map(drop)
    }

    /// A FIFO queue that sets nothing else.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{DeduplicationScope, Limits, QueueSettings};
    /// let settings = QueueSettings::fifo(&Limits::default());
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
