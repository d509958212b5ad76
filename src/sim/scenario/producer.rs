//! Who sends messages, when, and of which groups.

use {
    super::{seconds, setters::setters},
    serde::{Deserialize, Deserializer, Serialize, Serializer, ser::SerializeMap},
    std::{
        collections::BTreeMap,
        path::{Path, PathBuf},
        sync::Arc,
        time::Duration,
    },
};

/// Sends messages to one queue. Several producers may send to the same queue.
///
/// # Examples
/// ```
/// use requeue::sim::{Arrivals, Groups, Producer, Scenario};
///
/// let text = r#"
///     [queue.jobs]
///     [producer.web]
///     queue = "jobs"
///     arrivals.poisson = { rate = 20 }
///     groups.equal = { count = 100 }
/// "#;
/// let web = Producer::new("jobs", Arrivals::poisson(20.0)).groups(Groups::equal(100));
/// assert_eq!(Scenario::from_toml(text)?.producer["web"], web);
/// # Ok::<(), requeue::sim::ScenarioError>(())
/// ```
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Producer {
    /// The name of the queue.
    pub queue: String,
    /// When messages come.
    pub arrivals: Arrivals,
    /// Of which message groups they are; none by default. A trace may have its own.
    #[serde(default)]
    pub groups: Groups,
    /// The size of each body in bytes, 1 to the queue's maximum message size; by default 32. A trace may
    /// have its own. A body is never shorter than the number of its message, about ten bytes.
    #[serde(default = "default_bytes")]
    pub bytes: usize,
    /// The share of messages that no handler can do, 0 to 1; by default 0.
    #[serde(default)]
    pub poison_share: f64,
    /// How many messages go into one `SendMessageBatch`, 1 to 10; by default 1, which sends each by itself.
    #[serde(default = "default_batch")]
    pub batch_size: usize,
    /// How long after its first message a batch that is not full is sent; by default 1 s.
    #[serde(default = "default_window", with = "seconds")]
    pub batch_window: Duration,
    /// The delay of each message instead of the queue's, 0 s to 15 min; not on FIFO queues.
    #[serde(default, with = "seconds::optional", skip_serializing_if = "Option::is_none")]
    pub delay: Option<Duration>,
    /// The probabilities of faults of sends, 0 to 1, by the names of [`Fault`](crate::testing::Fault): a send that fails
    /// is made again after 1 s. By default there are none; not with batches.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
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

impl Producer {
    /// Sends to `queue` at these times, messages of 32 bytes and without groups.
    ///
    /// # Examples
    /// ```
    /// # use requeue::sim::{Arrivals, Producer};
    /// let web = Producer::new("jobs", Arrivals::poisson(20.0)).bytes(2_000);
    /// assert_eq!((web.queue.as_str(), web.bytes, web.batch_size), ("jobs", 2_000, 1));
    /// ```
    #[must_use]
    pub fn new(queue: impl Into<String>, arrivals: Arrivals) -> Self {
        Self {
            queue: queue.into(),
            arrivals,
            groups: Groups::None,
            bytes: default_bytes(),
            poison_share: 0.0,
            batch_size: default_batch(),
            batch_window: default_window(),
            delay: None,
            faults: BTreeMap::new(),
        }
    }

    setters! {
        queue: (Into<String>),
        arrivals: Arrivals,
        groups: Groups,
        bytes: usize,
        poison_share: f64,
        batch_size: usize,
        batch_window: Duration,
        delay: (Some(Duration)),
        faults + (name = f64),
    }
}

/// When messages are sent. All rates are messages per second, more than 0 and at most 1,000,000.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Arrivals {
    /// One message every 1/`rate` seconds.
    #[non_exhaustive]
    Constant {
        /// Messages per second.
        rate: f64,
    },
    /// Independent of each other, `rate` a second on average.
    #[non_exhaustive]
    Poisson {
        /// Messages per second.
        rate: f64,
    },
    /// A Poisson process whose rate follows the hours of a day (24 rates) or a week (168 rates), interpolated linearly
    /// and repeated. The first is the rate at the start of the run.
    #[non_exhaustive]
    Profile {
        /// Messages per second; each may be 0, but not all of them.
        rates: Vec<f64>,
    },
    /// Poisson processes that alternate: `rate` while on, `off_rate` while off; the lengths are exponential.
    #[non_exhaustive]
    Bursts {
        /// Messages per second while on.
        rate: f64,
        /// Messages per second while off; 0 by default.
        #[serde(default)]
        off_rate: f64,
        /// The mean length of a burst, more than 0 s.
        #[serde(with = "seconds")]
        mean_on: Duration,
        /// The mean length of a pause, more than 0 s.
        #[serde(with = "seconds")]
        mean_off: Duration,
    },
    /// What was recorded. In TOML it stands in a CSV file with the columns `time` (seconds from the start), and if there
    /// are any `group` and `bytes`, or as a list of `entries` in their place.
    #[non_exhaustive]
    #[serde(serialize_with = "trace")]
    Trace {
        /// The CSV file, relative to the file of the scenario.
        #[serde(default)]
        file: Option<PathBuf>,
        /// The messages in the order of their times, at least one.
        #[serde(default = "none", deserialize_with = "entries")]
        entries: Arc<[TraceEntry]>,
    },
}

fn none() -> Arc<[TraceEntry]> {
    Arc::new([])
}

/// What stands in a file is not repeated.
fn trace<S: Serializer>(file: &Option<PathBuf>, entries: &Arc<[TraceEntry]>, serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(1))?;
    match file {
        Some(file) => map.serialize_entry("file", file)?,
        None => map.serialize_entry("entries", &**entries)?,
    }
    map.end()
}

fn entries<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<[TraceEntry]>, D::Error> {
    Ok(Vec::deserialize(deserializer)?.into())
}

impl Arrivals {
    /// One message every 1/`rate` seconds.
    ///
    /// # Examples
    /// ```
    /// # use requeue::sim::Arrivals;
    /// assert!(matches!(Arrivals::constant(5.0), Arrivals::Constant { rate: 5.0, .. }));
    /// ```
    #[must_use]
    pub const fn constant(rate: f64) -> Self {
        Self::Constant { rate }
    }

    /// Independent of each other, `rate` a second on average.
    ///
    /// # Examples
    /// ```
    /// # use requeue::sim::Arrivals;
    /// assert!(matches!(Arrivals::poisson(5.0), Arrivals::Poisson { rate: 5.0, .. }));
    /// ```
    #[must_use]
    pub const fn poisson(rate: f64) -> Self {
        Self::Poisson { rate }
    }

    /// Rates by the hour of a day (24) or a week (168), beginning with the start of the run.
    ///
    /// # Examples
    /// ```
    /// # use requeue::sim::Arrivals;
    /// let day = (0..24).map(|hour| if hour < 8 { 1.0 } else { 20.0 });
    /// let Arrivals::Profile { rates, .. } = Arrivals::profile(day) else { panic!() };
    /// assert_eq!((rates.len(), rates[8]), (24, 20.0));
    /// ```
    #[must_use]
    pub fn profile(rates: impl IntoIterator<Item = f64>) -> Self {
        Self::Profile {
            rates: rates.into_iter().collect(),
        }
    }

    /// `rate` a second while on and `off_rate` while off, for exponential times of these means.
    ///
    /// # Examples
    /// ```
    /// # use requeue::sim::Arrivals;
    /// # use std::time::Duration;
    /// let bursts = Arrivals::bursts(100.0, 0.0, Duration::from_secs(10), Duration::from_secs(300));
    /// assert!(matches!(bursts, Arrivals::Bursts { rate: 100.0, off_rate: 0.0, .. }));
    /// ```
    #[must_use]
    pub const fn bursts(rate: f64, off_rate: f64, mean_on: Duration, mean_off: Duration) -> Self {
        Self::Bursts {
            rate,
            off_rate,
            mean_on,
            mean_off,
        }
    }

    /// What was recorded, in the order of time.
    ///
    /// # Examples
    /// ```
    /// # use requeue::sim::{Arrivals, TraceEntry};
    /// # use std::time::Duration;
    /// let trace = Arrivals::trace([TraceEntry::new(Duration::from_millis(1_500)).group("customer-3")]);
    /// let Arrivals::Trace { entries, .. } = trace else { panic!() };
    /// assert_eq!(entries[0].group.as_deref(), Some("customer-3"));
    /// ```
    #[must_use]
    pub fn trace(entries: impl IntoIterator<Item = TraceEntry>) -> Self {
        Self::Trace {
            file: None,
            entries: entries.into_iter().collect(),
        }
    }

    /// What was measured, if that is what it is.
    pub(super) fn measured(&mut self) -> Option<&mut Arc<[TraceEntry]>> {
        match self {
            Self::Trace { entries, .. } => Some(entries),
            _ => None,
        }
    }

    /// The file that is to be read, and where its content goes.
    pub(super) fn file(&mut self) -> Option<(&Path, &mut Arc<[TraceEntry]>)> {
        match self {
            Self::Trace {
                file: Some(file),
                entries,
            } => Some((file, entries)),
            _ => None,
        }
    }
}

/// A message of a recorded trace.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct TraceEntry {
    /// From the start of the run.
    #[serde(with = "seconds")]
    pub time: Duration,
    /// Its message group; by default that of the producer's [`groups`](Producer::groups).
    #[serde(default, with = "text", skip_serializing_if = "Option::is_none")]
    pub group: Option<Arc<str>>,
    /// The size of its body in bytes; by default the producer's [`bytes`](Producer::bytes).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<usize>,
}

impl TraceEntry {
    /// A message at this time from the start of the run.
    ///
    /// # Examples
    /// ```
    /// # use requeue::sim::TraceEntry;
    /// # use std::time::Duration;
    /// let entry = TraceEntry::new(Duration::from_secs(3)).bytes(100);
    /// assert_eq!((entry.bytes, entry.group), (Some(100), None));
    /// ```
    #[must_use]
    pub const fn new(time: Duration) -> Self {
        Self {
            time,
            group: None,
            bytes: None,
        }
    }

    /// Sets [`group`](field@Self::group).
    #[must_use]
    pub fn group(mut self, group: impl Into<Arc<str>>) -> Self {
        self.group = Some(group.into());
        self
    }

    setters! {
        time: Duration,
        bytes: (Some(usize)),
    }
}

/// Shared texts, without serde's feature for shared pointers.
mod text {
    use super::*;

    pub(super) fn serialize<S: Serializer>(value: &Option<Arc<str>>, serializer: S) -> Result<S::Ok, S::Error> {
        value.as_deref().serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Arc<str>>, D::Error> {
        Ok(Some(String::deserialize(deserializer)?.into()))
    }
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
    Equal {
        /// 1 to 1,000,000.
        count: usize,
    },
    /// `count` groups; the k-th is chosen in proportion to 1/k^`exponent`.
    #[non_exhaustive]
    Zipf {
        /// 1 to 1,000,000.
        count: usize,
        /// At least 0; 1 is common.
        exponent: f64,
    },
    /// The first group has `share` of the messages, and `count` - 1 others have the rest in equal parts.
    #[non_exhaustive]
    Noisy {
        /// 2 to 1,000,000.
        count: usize,
        /// 0 to 1.
        share: f64,
    },
}

impl Groups {
    /// `count` groups, each as often as the others.
    ///
    /// # Examples
    /// ```
    /// # use requeue::sim::Groups;
    /// assert!(matches!(Groups::equal(100), Groups::Equal { count: 100, .. }));
    /// ```
    #[must_use]
    pub const fn equal(count: usize) -> Self {
        Self::Equal { count }
    }

    /// `count` groups; the k-th is chosen in proportion to 1/k^`exponent`.
    ///
    /// # Examples
    /// ```
    /// # use requeue::sim::Groups;
    /// assert!(matches!(Groups::zipf(100, 1.0), Groups::Zipf { count: 100, exponent: 1.0, .. }));
    /// ```
    #[must_use]
    pub const fn zipf(count: usize, exponent: f64) -> Self {
        Self::Zipf { count, exponent }
    }

    /// One group has `share` of the messages, 0 to 1, and `count` - 1 others have the rest.
    ///
    /// # Examples
    /// ```
    /// # use requeue::sim::Groups;
    /// assert!(matches!(Groups::noisy(50, 0.9), Groups::Noisy { count: 50, share: 0.9, .. }));
    /// ```
    #[must_use]
    pub const fn noisy(count: usize, share: f64) -> Self {
        Self::Noisy { count, share }
    }
}
