//! A queue of a scenario.

use {
    super::{seconds, setters::setters},
    crate::{
        attributes::{DeduplicationScope, FifoThroughputLimit},
        state::StaleDelete,
    },
    serde::{Deserialize, Serialize},
    std::time::Duration,
};

/// What is to be set on a queue of a scenario; what is absent is as [`QueueBuilder`](crate::QueueBuilder) has it.
///
/// # Examples
/// ```
/// use requeue::sim::{DeadLetter, QueueConfig, Scenario};
/// use std::time::Duration;
///
/// let text = r#"
///     [queue.jobs]
///     visibility_timeout = 60
///     dead_letter = { queue = "failed", max_receive_count = 5 }
///     [queue.failed]
///     [producer.web]
///     queue = "jobs"
///     arrivals.poisson = { rate = 20 }
/// "#;
/// let jobs = QueueConfig::new().visibility_timeout(Duration::from_secs(60)).dead_letter(DeadLetter::new("failed", 5));
/// assert_eq!(Scenario::from_toml(text)?.queue["jobs"], jobs);
/// # Ok::<(), requeue::sim::ScenarioError>(())
/// ```
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct QueueConfig {
    /// `VisibilityTimeout`, 0 s to 12 h; by default 30 s.
    #[serde(with = "seconds::optional", skip_serializing_if = "Option::is_none")]
    pub visibility_timeout: Option<Duration>,
    /// `DelaySeconds`, 0 s to 15 min; by default 0 s.
    #[serde(with = "seconds::optional", skip_serializing_if = "Option::is_none")]
    pub delay: Option<Duration>,
    /// `MessageRetentionPeriod`, 1 min to 14 days; by default 4 days.
    #[serde(with = "seconds::optional", skip_serializing_if = "Option::is_none")]
    pub message_retention_period: Option<Duration>,
    /// `ReceiveMessageWaitTimeSeconds`, 0 s to 20 s; by default 0 s. Fleets say by themselves how long they wait.
    #[serde(with = "seconds::optional", skip_serializing_if = "Option::is_none")]
    pub receive_message_wait_time: Option<Duration>,
    /// `MaximumMessageSize` in bytes, 1 KiB to 1 MiB; by default 256 KiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maximum_message_size: Option<usize>,
    /// `ContentBasedDeduplication`, FIFO only; by default off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_based_deduplication: Option<bool>,
    /// `DeduplicationScope`, FIFO only: `queue`, the default, or `messageGroup`.
    #[serde(with = "named", skip_serializing_if = "Option::is_none")]
    pub deduplication_scope: Option<DeduplicationScope>,
    /// `FifoThroughputLimit`, FIFO only: `perQueue`, the default, or `perMessageGroupId`, which needs the scope
    /// `messageGroup`.
    #[serde(with = "named", skip_serializing_if = "Option::is_none")]
    pub fifo_throughput_limit: Option<FifoThroughputLimit>,
    /// Where messages go that were received too often; by default nowhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dead_letter: Option<DeadLetter>,
    /// Over how many shards a standard queue spreads its messages, 1 to 1000; by default 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shards: Option<usize>,
    /// What a delete by an outdated receipt handle does on a standard queue: `delete`, the default, or `ignore`.
    #[serde(with = "named", skip_serializing_if = "Option::is_none")]
    pub stale_delete: Option<StaleDelete>,
    /// How much it may hold; by default there is no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget: Option<BudgetConfig>,
    /// The most messages in flight, at least 1; by default 120,000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_flight_limit: Option<usize>,
}

impl QueueConfig {
    /// A queue with nothing set.
    ///
    /// # Examples
    /// ```
    /// # use requeue::sim::QueueConfig;
    /// assert_eq!(QueueConfig::new().visibility_timeout, None);
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    setters! {
        visibility_timeout: (Some(Duration)),
        delay: (Some(Duration)),
        message_retention_period: (Some(Duration)),
        receive_message_wait_time: (Some(Duration)),
        maximum_message_size: (Some(usize)),
        content_based_deduplication: (Some(bool)),
        deduplication_scope: (Some(DeduplicationScope)),
        fifo_throughput_limit: (Some(FifoThroughputLimit)),
        dead_letter: (Some(DeadLetter)),
        shards: (Some(usize)),
        stale_delete: (Some(StaleDelete)),
        budget: (Some(BudgetConfig)),
        in_flight_limit: (Some(usize)),
    }
}

/// Where messages go that were received too often.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct DeadLetter {
    /// The name of the dead-letter queue, which is another queue of the scenario and of the same type. A queue does not lead
    /// back to itself over several of them.
    pub queue: String,
    /// After how many receives a message moves there instead of being received once more, 1 to 1000.
    pub max_receive_count: u32,
}

impl DeadLetter {
    /// Messages move to `queue` after `max_receive_count` receives, 1 to 1000.
    ///
    /// # Examples
    /// ```
    /// # use requeue::sim::DeadLetter;
    /// assert_eq!(DeadLetter::new("failed", 5).max_receive_count, 5);
    /// ```
    #[must_use]
    pub fn new(queue: impl Into<String>, max_receive_count: u32) -> Self {
        Self {
            queue: queue.into(),
            max_receive_count,
        }
    }
}

/// How much a queue may hold; what is sent beyond that is refused.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct BudgetConfig {
    /// The most messages; by default there is no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub messages: Option<usize>,
    /// The most bytes of bodies; by default there is no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<usize>,
}

impl BudgetConfig {
    /// No limit.
    ///
    /// # Examples
    /// ```
    /// # use requeue::sim::BudgetConfig;
    /// assert_eq!(BudgetConfig::new().messages(1_000).messages, Some(1_000));
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    setters! {
        messages: (Some(usize)),
        bytes: (Some(usize)),
    }
}

/// Enums of a queue's settings, by the names that SQS has for their values.
mod named {
    use {
        super::{DeduplicationScope, FifoThroughputLimit, StaleDelete},
        serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error},
    };

    pub(super) trait Named: PartialEq + Copy + 'static {
        /// In the same order.
        const NAMES: &'static [&'static str];
        const VALUES: &'static [Self];
    }

    impl Named for DeduplicationScope {
        const NAMES: &'static [&'static str] = &["queue", "messageGroup"];
        const VALUES: &'static [Self] = &[Self::Queue, Self::MessageGroup];
    }

    impl Named for FifoThroughputLimit {
        const NAMES: &'static [&'static str] = &["perQueue", "perMessageGroupId"];
        const VALUES: &'static [Self] = &[Self::PerQueue, Self::PerMessageGroupId];
    }

    /// SQS has no setting for it.
    impl Named for StaleDelete {
        const NAMES: &'static [&'static str] = &["delete", "ignore"];
        const VALUES: &'static [Self] = &[Self::Delete, Self::Ignore];
    }

    pub(super) fn serialize<T: Named, S: Serializer>(value: &Option<T>, serializer: S) -> Result<S::Ok, S::Error> {
        let place = T::VALUES.iter().position(|it| Some(*it) == *value);
        place.map(|it| T::NAMES[it]).serialize(serializer)
    }

    pub(super) fn deserialize<'de, T: Named, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
        let text = String::deserialize(deserializer)?;
        let place = T::NAMES.iter().position(|it| **it == text);
        let place = place.ok_or_else(|| D::Error::unknown_variant(&text, T::NAMES))?;
        Ok(Some(T::VALUES[place]))
    }
}
