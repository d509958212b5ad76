//! How long a handler takes.

use {
    super::seconds,
    serde::{Deserialize, Serialize, Serializer, ser::SerializeMap},
    std::{
        path::{Path, PathBuf},
        sync::Arc,
        time::Duration,
    },
};

/// A distribution of times. Virtual time is counted in microseconds; a mean is at least one.
///
/// # Examples
/// ```
/// use requeue::sim::{Fleet, Producer, QueueConfig, Arrivals, Scenario, ServiceTime};
/// use std::time::Duration;
///
/// let text = r#"
///     [queue.jobs]
///     [fleet.workers]
///     queue = "jobs"
///     service.log_normal = { mean = 0.4, sd = "300 ms" }
/// "#;
/// let service = ServiceTime::log_normal(Duration::from_millis(400), Duration::from_millis(300));
/// assert_eq!(Scenario::from_toml(text)?.fleet["workers"].service, service);
/// # Ok::<(), requeue::sim::ScenarioError>(())
/// ```
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum ServiceTime {
    /// Always the same.
    #[non_exhaustive]
    Constant {
        /// The time, more than 0 s.
        #[serde(with = "seconds")]
        time: Duration,
    },
    /// Exponential.
    #[non_exhaustive]
    Exponential {
        /// The mean, more than 0 s.
        #[serde(with = "seconds")]
        mean: Duration,
    },
    /// Log-normal with this mean and standard deviation of the time itself (not of its logarithm).
    #[non_exhaustive]
    LogNormal {
        /// The mean, more than 0 s.
        #[serde(with = "seconds")]
        mean: Duration,
        /// The standard deviation, more than 0 s.
        #[serde(with = "seconds")]
        sd: Duration,
    },
    /// Gamma with this mean and standard deviation.
    #[non_exhaustive]
    Gamma {
        /// The mean, more than 0 s.
        #[serde(with = "seconds")]
        mean: Duration,
        /// The standard deviation, more than 0 s.
        #[serde(with = "seconds")]
        sd: Duration,
    },
    /// Drawn evenly from measured times. In TOML they stand in a CSV file of one column, seconds, with or without a
    /// header, or as a list of `times` in their place.
    #[non_exhaustive]
    #[serde(serialize_with = "empirical")]
    Empirical {
        /// The CSV file, relative to the file of the scenario.
        #[serde(default)]
        file: Option<PathBuf>,
        /// The times, at least one of which is more than 0 s.
        #[serde(default = "none", deserialize_with = "seconds::list::deserialize")]
        times: Arc<[Duration]>,
    },
}

fn none() -> Arc<[Duration]> {
    Arc::new([])
}

/// What stands in a file is not repeated.
fn empirical<S: Serializer>(file: &Option<PathBuf>, times: &Arc<[Duration]>, serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(1))?;
    match file {
        Some(file) => map.serialize_entry("file", file)?,
        None => {
            let times: Vec<_> = times.iter().map(Duration::as_secs_f64).collect();
            map.serialize_entry("times", &times)?;
        }
    }
    map.end()
}

impl ServiceTime {
    /// Always `time`, more than 0 s.
    ///
    /// # Examples
    /// ```
    /// # use requeue::sim::ServiceTime;
    /// # use std::time::Duration;
    /// let ServiceTime::Constant { time, .. } = ServiceTime::constant(Duration::from_secs(2)) else { panic!() };
    /// assert_eq!(time, Duration::from_secs(2));
    /// ```
    #[must_use]
    pub const fn constant(time: Duration) -> Self {
        Self::Constant { time }
    }

    /// Exponential with this mean, more than 0 s.
    ///
    /// # Examples
    /// ```
    /// # use requeue::sim::ServiceTime;
    /// # use std::time::Duration;
    /// let ServiceTime::Exponential { mean, .. } = ServiceTime::exponential(Duration::from_secs(2)) else { panic!() };
    /// assert_eq!(mean, Duration::from_secs(2));
    /// ```
    #[must_use]
    pub const fn exponential(mean: Duration) -> Self {
        Self::Exponential { mean }
    }

    /// Log-normal with this mean and standard deviation of the time itself, both more than 0 s.
    ///
    /// # Examples
    /// ```
    /// # use requeue::sim::ServiceTime;
    /// # use std::time::Duration;
    /// let service = ServiceTime::log_normal(Duration::from_secs(2), Duration::from_secs(1));
    /// let ServiceTime::LogNormal { mean, sd, .. } = service else { panic!() };
    /// assert_eq!((mean, sd), (Duration::from_secs(2), Duration::from_secs(1)));
    /// ```
    #[must_use]
    pub const fn log_normal(mean: Duration, sd: Duration) -> Self {
        Self::LogNormal { mean, sd }
    }

    /// Gamma with this mean and standard deviation, both more than 0 s.
    ///
    /// # Examples
    /// ```
    /// # use requeue::sim::ServiceTime;
    /// # use std::time::Duration;
    /// let service = ServiceTime::gamma(Duration::from_secs(2), Duration::from_secs(1));
    /// let ServiceTime::Gamma { mean, sd, .. } = service else { panic!() };
    /// assert_eq!((mean, sd), (Duration::from_secs(2), Duration::from_secs(1)));
    /// ```
    #[must_use]
    pub const fn gamma(mean: Duration, sd: Duration) -> Self {
        Self::Gamma { mean, sd }
    }

    /// Drawn evenly from these times.
    ///
    /// # Examples
    /// ```
    /// # use requeue::sim::ServiceTime;
    /// # use std::time::Duration;
    /// let ServiceTime::Empirical { times, .. } = ServiceTime::empirical([Duration::from_secs(2)]) else { panic!() };
    /// assert_eq!(times.len(), 1);
    /// ```
    #[must_use]
    pub fn empirical(times: impl IntoIterator<Item = Duration>) -> Self {
        Self::Empirical {
            file: None,
            times: times.into_iter().collect(),
        }
    }

    /// The name of the variant in TOML.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Constant { .. } => "constant",
            Self::Exponential { .. } => "exponential",
            Self::LogNormal { .. } => "log_normal",
            Self::Gamma { .. } => "gamma",
            Self::Empirical { .. } => "empirical",
        }
    }

    /// What was measured, if that is what it is.
    pub(super) fn measured(&mut self) -> Option<&mut Arc<[Duration]>> {
        match self {
            Self::Empirical { times, .. } => Some(times),
            _ => None,
        }
    }

    /// The file that is to be read, and where its content goes.
    pub(super) fn file(&mut self) -> Option<(&Path, &mut Arc<[Duration]>)> {
        match self {
            Self::Empirical {
                file: Some(file),
                times,
            } => Some((file, times)),
            _ => None,
        }
    }
}
