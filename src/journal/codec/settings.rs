//! The settings of a queue, as they are written.

use {
    super::content::list,
    crate::{
        attributes::{self, DeduplicationScope, FifoThroughputLimit, QueueSettings},
        time::Timestamp,
    },
    serde::{Deserialize, Serialize},
    std::time::Duration,
};

/// The sizes and spans are those of [`QueueSettings`], in its order.
#[derive(Deserialize, Serialize)]
pub(super) struct Settings<'a> {
    delay: Duration,
    maximum_message_size: u64,
    message_retention_period: Duration,
    receive_message_wait_time: Duration,
    visibility_timeout: Duration,
    policy: Option<&'a str>,
    #[serde(borrow)]
    redrive_policy: Option<RedrivePolicy<'a>>,
    #[serde(borrow)]
    redrive_allow_policy: Option<RedriveAllowPolicy<'a>>,
    kms_master_key_id: Option<&'a str>,
    kms_data_key_reuse_period: Duration,
    sqs_managed_sse_enabled: bool,
    fifo_queue: bool,
    content_based_deduplication: bool,
    #[serde(with = "Scope")]
    deduplication_scope: DeduplicationScope,
    #[serde(with = "ThroughputLimit")]
    fifo_throughput_limit: FifoThroughputLimit,
    created_timestamp: u64,
    last_modified_timestamp: u64,
}

#[derive(Deserialize, Serialize)]
struct RedrivePolicy<'a> {
    dead_letter_target_arn: &'a str,
    max_receive_count: u32,
    count_first: bool,
}

#[derive(Deserialize, Serialize)]
enum RedriveAllowPolicy<'a> {
    AllowAll,
    DenyAll,
    ByQueue(#[serde(borrow, deserialize_with = "list")] Vec<&'a str>),
}

#[derive(Deserialize, Serialize)]
#[serde(remote = "DeduplicationScope")]
pub(super) enum Scope {
    Queue,
    MessageGroup,
}

#[derive(Deserialize, Serialize)]
#[serde(remote = "FifoThroughputLimit")]
enum ThroughputLimit {
    PerQueue,
    PerMessageGroupId,
}

impl<'a> From<&'a QueueSettings> for Settings<'a> {
    fn from(settings: &'a QueueSettings) -> Self {
        Self {
            delay: settings.delay,
            maximum_message_size: settings.maximum_message_size as u64,
            message_retention_period: settings.message_retention_period,
            receive_message_wait_time: settings.receive_message_wait_time,
            visibility_timeout: settings.visibility_timeout,
            policy: settings.policy.as_deref(),
            redrive_policy: settings.redrive_policy.as_ref().map(|policy| RedrivePolicy {
                dead_letter_target_arn: &policy.dead_letter_target_arn,
                max_receive_count: policy.max_receive_count,
                count_first: policy.count_first,
            }),
            redrive_allow_policy: settings.redrive_allow_policy.as_ref().map(RedriveAllowPolicy::of),
            kms_master_key_id: settings.kms_master_key_id.as_deref(),
            kms_data_key_reuse_period: settings.kms_data_key_reuse_period,
            sqs_managed_sse_enabled: settings.sqs_managed_sse_enabled,
            fifo_queue: settings.fifo_queue,
            content_based_deduplication: settings.content_based_deduplication,
            deduplication_scope: settings.deduplication_scope,
            fifo_throughput_limit: settings.fifo_throughput_limit,
            created_timestamp: settings.created_timestamp.as_millis(),
            last_modified_timestamp: settings.last_modified_timestamp.as_millis(),
        }
    }
}

impl<'a> RedriveAllowPolicy<'a> {
    fn of(policy: &'a attributes::RedriveAllowPolicy) -> Self {
        match policy {
            attributes::RedriveAllowPolicy::AllowAll => Self::AllowAll,
            attributes::RedriveAllowPolicy::DenyAll => Self::DenyAll,
            attributes::RedriveAllowPolicy::ByQueue(sources) => {
                Self::ByQueue(sources.iter().map(String::as_str).collect())
            }
        }
    }
}

impl From<Settings<'_>> for QueueSettings {
    fn from(read: Settings<'_>) -> Self {
        Self {
            delay: read.delay,
            // A limit beyond the address space is none.
            maximum_message_size: usize::try_from(read.maximum_message_size).unwrap_or(usize::MAX),
            message_retention_period: read.message_retention_period,
            receive_message_wait_time: read.receive_message_wait_time,
            visibility_timeout: read.visibility_timeout,
            policy: read.policy.map(str::to_owned),
            redrive_policy: read.redrive_policy.map(|policy| attributes::RedrivePolicy {
                dead_letter_target_arn: policy.dead_letter_target_arn.to_owned(),
                max_receive_count: policy.max_receive_count,
                count_first: policy.count_first,
            }),
            redrive_allow_policy: read.redrive_allow_policy.map(attributes::RedriveAllowPolicy::from),
            kms_master_key_id: read.kms_master_key_id.map(str::to_owned),
            kms_data_key_reuse_period: read.kms_data_key_reuse_period,
            sqs_managed_sse_enabled: read.sqs_managed_sse_enabled,
            fifo_queue: read.fifo_queue,
            content_based_deduplication: read.content_based_deduplication,
            deduplication_scope: read.deduplication_scope,
            fifo_throughput_limit: read.fifo_throughput_limit,
            created_timestamp: Timestamp::from_millis(read.created_timestamp),
            last_modified_timestamp: Timestamp::from_millis(read.last_modified_timestamp),
        }
    }
}

impl From<RedriveAllowPolicy<'_>> for attributes::RedriveAllowPolicy {
    fn from(read: RedriveAllowPolicy<'_>) -> Self {
        match read {
            RedriveAllowPolicy::AllowAll => Self::AllowAll,
            RedriveAllowPolicy::DenyAll => Self::DenyAll,
            RedriveAllowPolicy::ByQueue(sources) => Self::ByQueue(sources.into_iter().map(str::to_owned).collect()),
        }
    }
}
