//! Who sends messages, when, and of which groups.

use {
    super::seconds,
    serde::{Deserialize, Serialize},
    std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration},
};

/// Sends messages to one queue. Several producers may send to the same queue.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Producer {
    /// The name of the queue.
    pub queue: String,
    /// When messages come.
    pub arrivals: Arrivals,
    /// Of which message groups they are.
    #[serde(default)]
    pub groups: Groups,
    /// The size of each body in bytes, at least 1; a trace may have its own.
    #[serde(default = "default_bytes")]
    pub bytes: usize,
    /// The share of messages that no handler can do, 0 to 1.
    #[serde(default)]
    pub poison_share: f64,
    /// How many messages go into one `SendMessageBatch`, 1 to 10; by default 1, which sends each by itself.
    #[serde(default = "default_batch")]
    pub batch_size: usize,
    /// How long after its first message a batch that is not full is sent; by default 1 s.
    #[serde(default = "default_window", with = "seconds")]
    pub batch_window: Duration,
    /// The delay of each message, instead of the queue's.
    #[serde(default, with = "seconds::optional", skip_serializing_if = "Option::is_none")]
    pub delay: Option<Duration>,
    /// The probabilities of faults of sends, by the names of [`Fault`](crate::testing::Fault): a send that fails is made
    /// again after 1 s. Not with batches.
    #[serde(default)]
    pub faults: BTreeMap<String, f64>,
}

const fn default_bytes() -> usize {
    32
}

const fn default_window() -> Duration {
    Duration::from_secs(1)
}

const fn default_batch() -> usize {
    1
}

/// When messages are sent. All rates are messages per second.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Arrivals {
    /// One message every 1/`rate` seconds.
    #[non_exhaustive]
    Constant { rate: f64 },
    /// Independent of each other, `rate` a second on average.
    #[non_exhaustive]
    Poisson { rate: f64 },
    /// A Poisson process whose rate follows the hours of a day (24 rates) or a week (168 rates), interpolated linearly
    /// and repeated. The first is the rate at the start of the run.
    #[non_exhaustive]
    Profile { rates: Vec<f64> },
    /// Poisson processes that alternate: `rate` while on, `off_rate` while off; the lengths are exponential.
    #[non_exhaustive]
    Bursts {
        rate: f64,
        #[serde(default)]
        off_rate: f64,
        #[serde(with = "seconds")]
        mean_on: Duration,
        #[serde(with = "seconds")]
        mean_off: Duration,
    },
    /// What a CSV file with the columns `time` (seconds from the start), `group` and `bytes` says.
    #[non_exhaustive]
    Trace {
        file: PathBuf,
        /// The content of the file.
        #[serde(skip)]
        entries: Arc<[TraceEntry]>,
    },
}

/// A message of a recorded trace.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct TraceEntry {
    /// From the start of the run.
    pub time: Duration,
    /// Its message group.
    pub group: Option<Arc<str>>,
    /// The size of its body.
    pub bytes: Option<usize>,
}

/// Which message groups the messages have; on a standard queue these are the tenants of a fair queue.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Groups {
    /// None; all of one group on a FIFO queue.
    #[default]
    None,
    /// `count` groups, each as often as the others.
    #[non_exhaustive]
    Equal { count: usize },
    /// `count` groups; the k-th is chosen in proportion to 1/k^`exponent`.
    #[non_exhaustive]
    Zipf { count: usize, exponent: f64 },
    /// The first group has `share` of the messages, 0 to 1, and `count` - 1 others have the rest in equal parts.
    #[non_exhaustive]
    Noisy { count: usize, share: f64 },
}
