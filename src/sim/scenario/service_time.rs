//! How long a handler takes.

use {
    super::seconds,
    serde::{Deserialize, Serialize},
    std::{path::PathBuf, sync::Arc, time::Duration},
};

/// A distribution of times.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum ServiceTime {
    /// Always the same.
    #[non_exhaustive]
    Constant {
        #[serde(with = "seconds")]
        time: Duration,
    },
    /// Exponential.
    #[non_exhaustive]
    Exponential {
        #[serde(with = "seconds")]
        mean: Duration,
    },
    /// Log-normal with this mean and standard deviation of the time itself (not of its logarithm).
    #[non_exhaustive]
    LogNormal {
        #[serde(with = "seconds")]
        mean: Duration,
        #[serde(with = "seconds")]
        sd: Duration,
    },
    /// Gamma with this mean and standard deviation.
    #[non_exhaustive]
    Gamma {
        #[serde(with = "seconds")]
        mean: Duration,
        #[serde(with = "seconds")]
        sd: Duration,
    },
    /// Drawn evenly from the durations of a CSV file: one column, in seconds.
    #[non_exhaustive]
    Empirical {
        file: PathBuf,
        /// The content of the file.
        #[serde(skip)]
        times: Arc<[Duration]>,
    },
}
