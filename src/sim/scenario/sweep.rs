//! A grid of variations of a scenario.

use {
    serde::{Deserialize, Serialize},
    std::collections::BTreeMap,
};

/// Which numbers of a scenario are varied, and what is looked for.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Sweep {
    /// By path, for example `queue.jobs.visibility_timeout`, or by the last name where that is unique.
    pub vary: BTreeMap<String, Values>,
    /// What a point of the grid has to reach.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub goal: Option<Goal>,
}

/// The values that one number takes.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum Values {
    /// These.
    List(Vec<f64>),
    /// Whole numbers, as `2..=20` or `2..21`.
    Range(String),
}

/// What a point of a sweep has to reach; the smallest values that reach it are the answer.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Goal {
    /// The name of a number of the report, for example `duplicate_share`.
    pub metric: String,
    /// Its bound.
    #[serde(flatten)]
    pub bound: Bound,
}

/// The bound of a [`Goal`].
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Bound {
    /// No more than this.
    AtMost(f64),
    /// No less than this.
    AtLeast(f64),
}
