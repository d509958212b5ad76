//! A queue of a scenario.

use {
    super::seconds,
    crate::{
        attributes::{DeduplicationScope, FifoThroughputLimit},
        state::StaleDelete,
    },
    serde::{Deserialize, Serialize},
    std::time::Duration,
};

/// What is to be set on a queue of a scenario; what is absent is as [`QueueBuilder`](crate::QueueBuilder) has it.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct QueueConfig {
    #[serde(with = "seconds::optional", skip_serializing_if = "Option::is_none")]
    pub visibility_timeout: Option<Duration>,
    #[serde(with = "seconds::optional", skip_serializing_if = "Option::is_none")]
    pub delay: Option<Duration>,
    #[serde(with = "seconds::optional", skip_serializing_if = "Option::is_none")]
    pub message_retention_period: Option<Duration>,
    #[serde(with = "seconds::optional", skip_serializing_if = "Option::is_none")]
    pub receive_message_wait_time: Option<Duration>,
    pub maximum_message_size: Option<usize>,
    pub content_based_deduplication: Option<bool>,
    #[serde(with = "scope", skip_serializing_if = "Option::is_none")]
    pub deduplication_scope: Option<DeduplicationScope>,
    #[serde(with = "throughput", skip_serializing_if = "Option::is_none")]
    pub fifo_throughput_limit: Option<FifoThroughputLimit>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dead_letter: Option<DeadLetter>,
    pub shards: Option<usize>,
    #[serde(with = "stale", skip_serializing_if = "Option::is_none")]
    pub stale_delete: Option<StaleDelete>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget: Option<BudgetConfig>,
    /// The limit of messages in flight, 120,000 by default.
    pub in_flight_limit: Option<usize>,
}

/// Where messages go that were received too often.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct DeadLetter {
    /// The name of the dead-letter queue, which is a queue of the scenario.
    pub queue: String,
    /// 1 to 1000.
    pub max_receive_count: u32,
}

/// How much a queue may hold.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct BudgetConfig {
    pub messages: Option<usize>,
    pub bytes: Option<usize>,
}

/// The enums of a queue's settings, by the names that SQS has for their values.
mod scope {
    use super::*;
    use serde::{Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(
        value: &Option<DeduplicationScope>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        value.map(|it| format!("{it:?}")).serialize(serializer)
    }
    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<DeduplicationScope>, D::Error> {
        let _ = String::deserialize(deserializer)?;
        Err(D::Error::custom("todo"))
    }
}
mod throughput {
    use super::*;
    use serde::{Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(
        value: &Option<FifoThroughputLimit>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        value.map(|it| format!("{it:?}")).serialize(serializer)
    }
    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<FifoThroughputLimit>, D::Error> {
        let _ = String::deserialize(deserializer)?;
        Err(D::Error::custom("todo"))
    }
}
mod stale {
    use super::*;
    use serde::{Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(value: &Option<StaleDelete>, serializer: S) -> Result<S::Ok, S::Error> {
        value.map(|it| format!("{it:?}")).serialize(serializer)
    }
    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<StaleDelete>, D::Error> {
        let _ = String::deserialize(deserializer)?;
        Err(D::Error::custom("todo"))
    }
}
