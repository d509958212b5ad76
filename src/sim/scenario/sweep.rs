//! A grid of variations of a scenario.

use {
    super::{error, setters::setters},
    serde::{
        Deserialize, Deserializer, Serialize, Serializer,
        de::{Error, MapAccess, SeqAccess, Visitor},
        ser::SerializeMap,
    },
    std::{collections::BTreeMap, fmt},
};

/// Which numbers of a scenario are varied, and what is looked for.
///
/// # Examples
/// ```
/// use requeue::sim::{Goal, Scenario, Sweep, Values};
///
/// let text = r#"
///     [queue.jobs]
///     [fleet.workers]
///     queue = "jobs"
///     service.exponential = { mean = 0.25 }
///     [sweep]
///     vary.visibility_timeout = [5, 15, 30, 60]
///     vary.workers = "2..=20"
///     goal = { metric = "duplicate_share", at_most = 0.001 }
/// "#;
/// let sweep = Sweep::new()
///     .vary("visibility_timeout", Values::list([5.0, 15.0, 30.0, 60.0]))
///     .vary("workers", Values::range("2..=20"))
///     .goal(Goal::at_most("duplicate_share", 0.001));
/// assert_eq!(Scenario::from_toml(text)?.sweep, Some(sweep));
/// # Ok::<(), requeue::sim::ScenarioError>(())
/// ```
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Sweep {
    /// The values of each number that is varied; the grid has every combination of them, at most 10,000.
    ///
    /// A number is named by its path, a dotted key of TOML with quotes around names that have dots, for example
    /// `queue."orders.fifo".visibility_timeout`, or by the end of its path, for example `workers` or `poisson.rate`. The
    /// end of a path means the number that the scenario sets or always has, if it is one alone. If there is none, it
    /// means an optional setting of a queue, else one of a fleet, else one of a producer, and then there has to be one
    /// queue, fleet or producer alone. So `visibility_timeout` is the fleet's where only the fleet sets one, and
    /// otherwise the queue's. The entries of lists are counted from 0, as in `fleet.workers.outages.0.until`.
    #[serde(deserialize_with = "vary")]
    pub vary: BTreeMap<String, Values>,
    /// What a point of the grid has to reach, if anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub goal: Option<Goal>,
}

impl Sweep {
    /// Nothing is varied yet.
    ///
    /// # Examples
    /// ```
    /// # use requeue::sim::{Sweep, Values};
    /// assert_eq!(Sweep::new().vary("workers", Values::list([2.0, 4.0])).vary.len(), 1);
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    setters! {
        vary + (path = Values),
        goal: (Some(Goal)),
    }
}

/// The values that one number takes; times are in seconds.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum Values {
    /// These.
    List(Vec<f64>),
    /// Whole numbers, as `2..=20` or `2..21`.
    Range(String),
}

impl Values {
    /// These.
    ///
    /// # Examples
    /// ```
    /// # use requeue::sim::Values;
    /// assert_eq!(Values::list([5.0, 15.0]), Values::List(vec![5.0, 15.0]));
    /// ```
    #[must_use]
    pub fn list(values: impl IntoIterator<Item = f64>) -> Self {
        Self::List(values.into_iter().collect())
    }

    /// Whole numbers from 0, as `2..=20` or `2..21`.
    ///
    /// # Examples
    /// ```
    /// # use requeue::sim::Values;
    /// assert_eq!(Values::range("2..=20"), Values::Range("2..=20".to_owned()));
    /// ```
    #[must_use]
    pub fn range(range: impl Into<String>) -> Self {
        Self::Range(range.into())
    }
}

/// What a point of a sweep has to reach; the smallest values that reach it are the answer.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(try_from = "GoalTable")]
#[non_exhaustive]
pub struct Goal {
    /// The name of a number of the report, for example `duplicate_share`.
    pub metric: String,
    /// Its bound.
    pub bound: Bound,
}

impl Goal {
    /// No more than `limit`.
    ///
    /// # Examples
    /// ```
    /// # use requeue::sim::{Bound, Goal};
    /// assert_eq!(Goal::at_most("duplicate_share", 0.001).bound, Bound::AtMost(0.001));
    /// ```
    #[must_use]
    pub fn at_most(metric: impl Into<String>, limit: f64) -> Self {
        Self {
            metric: metric.into(),
            bound: Bound::AtMost(limit),
        }
    }

    /// No less than `limit`.
    ///
    /// # Examples
    /// ```
    /// # use requeue::sim::{Bound, Goal};
    /// assert_eq!(Goal::at_least("utilisation", 0.5).bound, Bound::AtLeast(0.5));
    /// ```
    #[must_use]
    pub fn at_least(metric: impl Into<String>, limit: f64) -> Self {
        Self {
            metric: metric.into(),
            bound: Bound::AtLeast(limit),
        }
    }
}

/// The bound of a [`Goal`].
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Bound {
    /// No more than this.
    AtMost(f64),
    /// No less than this.
    AtLeast(f64),
}

/// A goal as it stands in TOML.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GoalTable {
    metric: String,
    at_most: Option<f64>,
    at_least: Option<f64>,
}

impl TryFrom<GoalTable> for Goal {
    type Error = &'static str;

    fn try_from(table: GoalTable) -> Result<Self, &'static str> {
        match (table.at_most, table.at_least) {
            (Some(limit), None) => Ok(Self::at_most(table.metric, limit)),
            (None, Some(limit)) => Ok(Self::at_least(table.metric, limit)),
            (None, None) => Err("a goal has no bound, it has to have `at_most` or `at_least`"),
            (Some(_), Some(_)) => Err("a goal has two bounds, it has to have `at_most` or `at_least`"),
        }
    }
}

impl Serialize for Goal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("metric", &self.metric)?;
        match &self.bound {
            Bound::AtMost(limit) => map.serialize_entry("at_most", limit)?,
            Bound::AtLeast(limit) => map.serialize_entry("at_least", limit)?,
        }
        map.end()
    }
}

/// What stands under a key of `vary`: values, or a table, if the key is the first part of a path.
enum Entry {
    Values(Values),
    Table(Vec<(String, Self)>),
}

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(EntryVisitor)
    }
}

impl<'de> Deserialize<'de> for Values {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Entry::deserialize(deserializer)? {
            Entry::Values(values) => Ok(values),
            Entry::Table(_) => Err(D::Error::custom("a table has no values")),
        }
    }
}

struct EntryVisitor;

impl<'de> Visitor<'de> for EntryVisitor {
    type Value = Entry;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of numbers, or a range such as \"2..=20\"")
    }

    fn visit_str<E: Error>(self, range: &str) -> Result<Entry, E> {
        Ok(Entry::Values(Values::range(range)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Entry, A::Error> {
        let mut list = Vec::new();
        while let Some(value) = values.next_element()? {
            list.push(value);
        }
        Ok(Entry::Values(Values::List(list)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Entry, A::Error> {
        let mut table = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            table.push(entry);
        }
        Ok(Entry::Table(table))
    }
}

/// `queue.jobs.delay = [0, 5]` is a table in a table for TOML, and one path here.
fn vary<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, Values>, D::Error> {
    let mut flat = BTreeMap::new();
    let mut open = vec![(None::<String>, Entry::deserialize(deserializer)?)];
    while let Some((path, entry)) = open.pop() {
        let entries = match (path, entry) {
            (path, Entry::Table(entries)) => entries.into_iter().map(move |it| (path.clone(), it)),
            (Some(path), Entry::Values(values)) => {
                if flat.insert(path.clone(), values).is_some() {
                    return Err(D::Error::custom(format!("{path} is varied twice")));
                }
                continue;
            }
            (None, Entry::Values(_)) => return Err(D::Error::custom("numbers are varied by name")),
        };
        open.extend(entries.map(|(path, (part, entry))| {
            let path = match (path, &entry) {
                (Some(path), _) => format!("{path}.{}", error::key(&part)),
                (None, Entry::Table(_)) => error::key(&part),
                // A path of its own, which may have dots.
                (None, Entry::Values(_)) => part,
            };
            (Some(path), entry)
        }));
    }
    Ok(flat)
}
