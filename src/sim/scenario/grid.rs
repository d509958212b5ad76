//! The points of a sweep: every combination of the values that are varied.

use {
    super::{
        Scenario, ScenarioError, Values,
        error::{dotted, key, list, nearest},
        read::parts,
    },
    serde::Deserialize,
    toml::{Table, Value},
};

/// The most points of a grid.
const MAX_POINTS: usize = 10_000;

/// Whole numbers up to here are exact as floating-point numbers.
const MAX_WHOLE: u64 = 1 << 53;

/// Numbers that a queue, a fleet and a producer may have without having them by default.
const OPTIONAL: [(&str, &[&str]); 3] = [
    (
        "queue",
        &[
            "visibility_timeout",
            "delay",
            "message_retention_period",
            "receive_message_wait_time",
            "maximum_message_size",
            "shards",
            "in_flight_limit",
            "budget.messages",
            "budget.bytes",
        ],
    ),
    ("fleet", &["visibility_timeout", "handler_timeout"]),
    ("producer", &["delay"]),
];

/// A point of a grid.
#[derive(Clone, Debug)]
pub(in crate::sim) struct Point {
    /// Each number that is varied by its full path, in the order of the sweep.
    pub(in crate::sim) values: Vec<(String, f64)>,
    /// Without a sweep.
    pub(in crate::sim) scenario: Scenario,
}

/// Every combination of the values of `vary`, those of the last number next to each other; without a sweep the scenario
/// itself.
///
/// # Errors
/// A number that is unknown or ambiguous, values that are none, more than 10,000 points, and what
/// [`Scenario::check`] refuses at any of them.
pub(in crate::sim) fn points(scenario: &Scenario) -> Result<Vec<Point>, ScenarioError> {
    let grid = Grid::new(scenario)?;
    let mut points = Vec::with_capacity(grid.count()?);
    let mut places = vec![0; grid.axes.len()];
    loop {
        points.push(grid.point(&places)?);
        // Counts on: the last number first.
        let Some(axis) = (0..places.len())
            .rev()
            .find(|axis| places[*axis] + 1 < grid.axes[*axis].values.len())
        else {
            return Ok(points);
        };
        places[axis] += 1;
        places[axis + 1..].fill(0);
    }
}

/// One number that is varied.
struct Axis {
    /// As the sweep names it.
    name: String,
    path: Vec<String>,
    values: Vec<f64>,
}

impl Axis {
    fn error(&self, problem: impl Into<String>) -> ScenarioError {
        refused(&self.name, problem)
    }

    fn full_path(&self) -> String {
        dotted(&self.path)
    }
}

fn refused(name: &str, problem: impl Into<String>) -> ScenarioError {
    ScenarioError::new(format!("sweep.vary.{}", key(name)), problem)
}

struct Grid<'s> {
    scenario: &'s Scenario,
    /// The scenario without its sweep and without what was measured.
    tree: Table,
    axes: Vec<Axis>,
}

impl<'s> Grid<'s> {
    fn new(scenario: &'s Scenario) -> Result<Self, ScenarioError> {
        let mut bare = scenario.clone();
        bare.sweep = None;
        // TOML has no number as large as a seed may be.
        bare.seed = 0;
        bare.forget_measured();
        let tree = Table::try_from(&bare).map_err(|error| ScenarioError::new("", error.to_string()))?;
        let mut grid = Self {
            scenario,
            tree,
            axes: Vec::new(),
        };
        for (name, values) in scenario.sweep.iter().flat_map(|it| &it.vary) {
            let path = grid.resolve(name)?;
            let values = numbers(values).map_err(|problem| refused(name, problem))?;
            let axis = Axis {
                name: name.clone(),
                path,
                values,
            };
            if let Some(other) = grid.axes.iter().find(|it| it.path == axis.path) {
                let path = axis.full_path();
                return Err(axis.error(format!("it is {path}, which {:?} varies as well", other.name)));
            }
            for value in &axis.values {
                grid.varied([(&axis, *value)].into_iter())?;
            }
            grid.axes.push(axis);
        }
        Ok(grid)
    }

    fn count(&self) -> Result<usize, ScenarioError> {
        let mut counts = self.axes.iter().map(|it| it.values.len());
        let count = counts.try_fold(1_usize, usize::checked_mul);
        count.filter(|it| *it <= MAX_POINTS).ok_or_else(|| {
            let counts: Vec<_> = self.axes.iter().map(|it| it.values.len().to_string()).collect();
            let counts = counts.join(" x ");
            ScenarioError::new(
                "sweep.vary",
                format!("the grid has {counts} points, it may have at most {MAX_POINTS}"),
            )
        })
    }

    /// The number that a name stands for.
    fn resolve(&self, name: &str) -> Result<Vec<String>, ScenarioError> {
        let parts = parts(name).ok_or_else(|| refused(name, format!("{name:?} is not a dotted key of TOML")))?;
        let mut set = Vec::new();
        collect_numbers(&mut Vec::new(), &Value::Table(self.tree.clone()), &mut set);
        if let Some(path) = set.iter().find(|it| **it == parts) {
            return Ok(path.clone());
        }
        let optional = OPTIONAL.map(|(section, settings)| self.optional(section, settings));
        for paths in [&set].into_iter().chain(&optional) {
            let ends: Vec<_> = paths.iter().filter(|it| it.ends_with(&parts)).collect();
            match ends[..] {
                [] => {}
                [path] => return Ok(path.clone()),
                _ => {
                    let names: Vec<_> = ends.iter().map(|it| dotted(it)).collect();
                    let names: Vec<_> = names.iter().map(String::as_str).collect();
                    let problem = format!("{name:?} may be one of {}, say which", list(&names));
                    return Err(refused(name, problem));
                }
            }
        }
        // What is said in full may be missing altogether, as an entry of `faults`.
        if let [section, owner, _, ..] = &parts[..] {
            let owners = self.tree.get(section).and_then(Value::as_table);
            if owners.is_some_and(|it| it.contains_key(owner)) {
                return Ok(parts);
            }
        }
        let known = set.iter().chain(optional.iter().flatten());
        let known: Vec<_> = match parts.len() {
            1 => known.filter_map(|it| it.last().cloned()).collect(),
            _ => known.map(|it| dotted(it)).collect(),
        };
        let nearest = nearest(name, known.iter().map(String::as_str));
        Err(refused(name, format!("the scenario has no number {name:?}{nearest}")))
    }

    /// The paths of optional numbers of all queues, fleets or producers.
    fn optional(&self, section: &str, settings: &[&str]) -> Vec<Vec<String>> {
        let owners = self.tree.get(section).and_then(Value::as_table);
        let owners = owners.into_iter().flat_map(Table::keys);
        let path = |owner: &String, setting: &str| {
            let start = [section.to_owned(), owner.clone()].into_iter();
            start.chain(setting.split('.').map(str::to_owned)).collect()
        };
        owners
            .flat_map(|owner| settings.iter().map(move |it| path(owner, it)))
            .collect()
    }

    fn point(&self, places: &[usize]) -> Result<Point, ScenarioError> {
        let chosen = self
            .axes
            .iter()
            .zip(places)
            .map(|(axis, place)| (axis, axis.values[*place]));
        let scenario = self.varied(chosen.clone())?;
        scenario.check().map_err(|error| {
            let at: Vec<_> = chosen
                .clone()
                .map(|(axis, value)| format!("{} = {value}", axis.name))
                .collect();
            let path = match &self.axes[..] {
                [axis] => axis.error("").path().to_owned(),
                _ => "sweep.vary".to_owned(),
            };
            ScenarioError::new(path, format!("with {}: {error}", at.join(", ")))
        })?;
        Ok(Point {
            values: chosen.map(|(axis, value)| (axis.full_path(), value)).collect(),
            scenario,
        })
    }

    /// The scenario with other values.
    fn varied<'a>(&self, chosen: impl Iterator<Item = (&'a Axis, f64)> + Clone) -> Result<Scenario, ScenarioError> {
        let mut root = Value::Table(self.tree.clone());
        for (axis, value) in chosen.clone() {
            set(&mut root, &axis.path, number(value)).map_err(|problem| axis.error(problem))?;
        }
        let read = Scenario::deserialize(root);
        let mut scenario = read.map_err(|error| {
            let (axis, value) = chosen
                .clone()
                .last()
                .map_or(("", 0.0), |(axis, value)| (axis.name.as_str(), value));
            refused(
                axis,
                format!("it cannot be {value}: {}", super::read::reworded(error.message())),
            )
        })?;
        let mut axes = chosen.map(|(axis, _)| axis);
        if !axes.any(|axis| axis.path == ["seed"]) {
            scenario.seed = self.scenario.seed;
        }
        scenario.recall_measured(self.scenario);
        Ok(scenario)
    }
}

fn collect_numbers(path: &mut Vec<String>, value: &Value, found: &mut Vec<Vec<String>>) {
    let children: Vec<(String, &Value)> = match value {
        Value::Integer(_) | Value::Float(_) => return found.push(path.clone()),
        Value::Table(table) => table.iter().map(|(name, it)| (name.clone(), it)).collect(),
        Value::Array(array) => array
            .iter()
            .enumerate()
            .map(|(place, it)| (place.to_string(), it))
            .collect(),
        _ => return,
    };
    for (part, child) in children {
        path.push(part);
        collect_numbers(path, child, found);
        path.pop();
    }
}

fn set(value: &mut Value, path: &[String], number: Value) -> Result<(), String> {
    let Some((part, rest)) = path.split_first() else {
        *value = number;
        return Ok(());
    };
    let inner = match value {
        Value::Table(table) => table.entry(part.as_str()).or_insert_with(|| Value::Table(Table::new())),
        Value::Array(array) => {
            let length = array.len();
            let entry = part.parse().ok().and_then(|place: usize| array.get_mut(place));
            entry.ok_or_else(|| format!("there is no entry {part}, the list has {length}"))?
        }
        _ => return Err(format!("there is nothing named {part:?} in a {}", value.type_str())),
    };
    set(inner, rest, number)
}

/// A whole number fits settings that are counts, and those that are not as well.
fn number(value: f64) -> Value {
    if value.fract() == 0.0 && value.abs() <= MAX_WHOLE as f64 {
        Value::Integer(value as i64)
    } else {
        Value::Float(value)
    }
}

fn numbers(values: &Values) -> Result<Vec<f64>, String> {
    let list = match values {
        Values::List(list) => list.clone(),
        Values::Range(range) => {
            let (least, most) = bounds(range)
                .ok_or_else(|| format!("{range:?} is not a range of whole numbers such as \"2..=20\" or \"2..21\""))?;
            let count = most.saturating_sub(least).saturating_add(1);
            if most >= least && count > MAX_POINTS as u64 {
                return Err(format!(
                    "the range {range:?} has {count} values, it may have at most {MAX_POINTS}"
                ));
            }
            (least..=most).map(|it| it as f64).collect()
        }
    };
    if list.is_empty() {
        return Err("there is no value, there has to be at least 1".to_owned());
    }
    match list.iter().find(|it| !it.is_finite()) {
        Some(value) => Err(format!("a value is {value}, it has to be finite")),
        None => Ok(list),
    }
}

/// The first and the last number of a range.
fn bounds(range: &str) -> Option<(u64, u64)> {
    let (least, most) = range.split_once("..")?;
    let least = least.trim().parse().ok()?;
    let most = match most.strip_prefix('=') {
        Some(most) => most.trim().parse().ok()?,
        None => most.trim().parse::<u64>().ok()?.checked_sub(1)?,
    };
    (most <= MAX_WHOLE).then_some((least, most))
}

#[cfg(test)]
mod tests {
    use {
        super::*,
        crate::sim::{
            Arrivals, BudgetConfig, FailurePolicy, Fleet, Groups, Producer, QueueConfig, ServiceTime, Sweep, TraceEntry,
        },
        std::{
            collections::{BTreeMap, BTreeSet},
            time::Duration,
        },
    };

    const SECOND: Duration = Duration::from_secs(1);

    fn scenario() -> Scenario {
        let workers = Fleet::new("jobs", ServiceTime::constant(SECOND));
        Scenario::new("test")
            .queue("jobs", QueueConfig::new())
            .fleet("workers", workers)
    }

    fn varied(scenario: Scenario, vary: &[(&str, &[f64])]) -> Vec<Point> {
        let add = |sweep: Sweep, it: &(&str, &[f64])| sweep.vary(it.0, Values::list(it.1.iter().copied()));
        points(&scenario.sweep(vary.iter().fold(Sweep::new(), add))).unwrap()
    }

    /// The full path of the number that is meant.
    fn meant(scenario: Scenario, name: &str) -> String {
        varied(scenario, &[(name, &[5.0])])[0].values[0].0.clone()
    }

    #[test]
    fn a_grid_has_every_combination_in_order() {
        let sweep = Sweep::new()
            .vary("visibility_timeout", Values::list([5.0, 15.5]))
            .vary("workers", Values::range("2..=4"));
        let points = points(&scenario().sweep(sweep)).unwrap();
        let found = points.iter().map(|it| {
            let set = (
                it.scenario.queue["jobs"].visibility_timeout.unwrap(),
                it.scenario.fleet["workers"].workers,
            );
            let names: Vec<_> = it.values.iter().map(|it| it.0.as_str()).collect();
            assert_eq!(names, ["queue.jobs.visibility_timeout", "fleet.workers.workers"]);
            let [timeout, workers] = [0, 1].map(|axis| it.values[axis].1);
            assert_eq!((Duration::from_secs_f64(timeout), workers as usize), set);
            (timeout, workers)
        });
        let expected = [5.0, 15.5]
            .into_iter()
            .flat_map(|timeout| [2.0, 3.0, 4.0].map(|workers| (timeout, workers)));
        assert!(found.eq(expected));
        assert!(points.iter().all(|it| it.scenario.sweep.is_none()));
    }

    #[test]
    fn without_a_sweep_there_is_one_point() {
        let points = points(&scenario()).unwrap();
        assert_eq!(
            (points.len(), &points[0].scenario, points[0].values.len()),
            (1, &scenario(), 0)
        );
    }

    #[test]
    fn ranges_are_of_whole_numbers() {
        for (range, expected) in [
            ("2..=4", Some(vec![2.0, 3.0, 4.0])),
            ("2..4", Some(vec![2.0, 3.0])),
            (" 0 ..= 0 ", Some(vec![0.0])),
            ("4..2", None),
            ("0..0", None),
            ("..3", None),
            ("1..", None),
            ("-1..3", None),
            ("1..18446744073709551615", None),
            ("0..=9007199254740993", None),
        ] {
            assert_eq!(numbers(&Values::range(range)).ok(), expected, "{range}");
        }
    }

    #[test]
    fn the_end_of_a_path_means_what_is_set_before_what_could_be() {
        assert_eq!(meant(scenario(), "visibility_timeout"), "queue.jobs.visibility_timeout");
        assert_eq!(meant(scenario(), "time"), "fleet.workers.service.constant.time");
        assert_eq!(
            meant(scenario(), "constant.time"),
            "fleet.workers.service.constant.time"
        );
        assert_eq!(meant(scenario(), "handler_timeout"), "fleet.workers.handler_timeout");
        assert_eq!(meant(scenario(), "budget.messages"), "queue.jobs.budget.messages");
        assert_eq!(meant(scenario(), "replications"), "replications");
        let mut own = scenario();
        own.fleet.get_mut("workers").unwrap().visibility_timeout = Some(SECOND);
        assert_eq!(meant(own, "visibility_timeout"), "fleet.workers.visibility_timeout");
        let two = scenario().queue("failed", QueueConfig::new());
        let ambiguous = two
            .clone()
            .sweep(Sweep::new().vary("visibility_timeout", Values::list([5.0])));
        let error = points(&ambiguous).unwrap_err();
        assert!(error.problem().contains("queue.failed.visibility_timeout"), "{error}");
        let set = two.queue("jobs", QueueConfig::new().visibility_timeout(SECOND));
        assert_eq!(meant(set, "visibility_timeout"), "queue.jobs.visibility_timeout");
    }

    #[test]
    fn a_full_path_means_what_is_missing_as_well() {
        let path = "fleet.workers.faults.DeleteFails";
        let points = varied(scenario(), &[(path, &[0.25, 1.0])]);
        assert_eq!(points[0].scenario.fleet["workers"].faults["DeleteFails"], 0.25);
        assert_eq!(points[1].scenario.fleet["workers"].faults["DeleteFails"], 1.0);
        let orders = scenario().queue("orders.fifo", QueueConfig::new());
        let points = varied(orders, &[("queue.\"orders.fifo\".delay", &[7.0])]);
        assert_eq!(points[0].scenario.queue["orders.fifo"].delay, Some(7 * SECOND));
        assert_eq!(points[0].values[0].0, "queue.\"orders.fifo\".delay");
    }

    #[test]
    fn entries_of_lists_are_counted_from_zero() {
        let day = Producer::new("jobs", Arrivals::profile([1.0; 24]));
        let points = varied(scenario().producer("day", day), &[("rates.23", &[9.5])]);
        let Arrivals::Profile { rates } = &points[0].scenario.producer["day"].arrivals else {
            panic!()
        };
        assert_eq!((rates[22], rates[23]), (1.0, 9.5));
    }

    #[test]
    fn points_keep_what_was_measured_and_the_seed() {
        let trace = Arrivals::trace([TraceEntry::new(SECOND)]);
        let workers =
            Fleet::new("jobs", ServiceTime::empirical([SECOND])).call_latency(ServiceTime::empirical([SECOND; 2]));
        let scenario = scenario()
            .seed(u64::MAX)
            .producer("web", Producer::new("jobs", trace))
            .fleet("workers", workers);
        let mut expected = scenario.clone();
        expected.fleet.get_mut("workers").unwrap().workers = 3;
        assert_eq!(varied(scenario.clone(), &[("workers", &[3.0])])[0].scenario, expected);
        assert_eq!(varied(scenario.clone(), &[("seed", &[0.0])])[0].scenario.seed, 0);
        let measured =
            scenario.sweep(Sweep::new().vary("fleet.workers.service.empirical.times.0", Values::list([1.0])));
        assert_eq!(
            points(&measured).unwrap_err().problem(),
            "there is no entry 0, the list has 0"
        );
    }

    /// The numbers that `full` has and `bare` has not.
    fn more(full: &impl serde::Serialize, bare: &impl serde::Serialize) -> BTreeSet<String> {
        let numbers = |table: Table| {
            let mut found = Vec::new();
            collect_numbers(&mut Vec::new(), &Value::Table(table), &mut found);
            found.into_iter().map(|it| dotted(&it)).collect::<BTreeSet<_>>()
        };
        let bare = numbers(Table::try_from(bare).unwrap());
        numbers(Table::try_from(full).unwrap())
            .difference(&bare)
            .cloned()
            .collect()
    }

    #[test]
    fn every_optional_number_is_known() {
        let queue = QueueConfig {
            visibility_timeout: Some(SECOND),
            delay: Some(SECOND),
            message_retention_period: Some(SECOND),
            receive_message_wait_time: Some(SECOND),
            maximum_message_size: Some(1),
            content_based_deduplication: None,
            deduplication_scope: None,
            fifo_throughput_limit: None,
            // Not without a queue's name.
            dead_letter: None,
            shards: Some(1),
            stale_delete: None,
            budget: Some(BudgetConfig {
                messages: Some(1),
                bytes: Some(1),
            }),
            in_flight_limit: Some(1),
        };
        let fleet = Fleet {
            queue: "jobs".to_owned(),
            workers: 1,
            // Those need more than one setting.
            autoscaling: None,
            concurrency: 1,
            prefetch: 0,
            max_messages: 1,
            wait_time: SECOND,
            poll_interval: SECOND,
            visibility_timeout: Some(SECOND),
            heartbeat: true,
            service: ServiceTime::constant(SECOND),
            slow: None,
            call_latency: None,
            handler_timeout: Some(SECOND),
            failure_probability: 0.0,
            failure_policy: FailurePolicy::RetryNow,
            crashes: None,
            outages: Vec::new(),
            deploys: Vec::new(),
            shutdown_timeout: SECOND,
            faults: BTreeMap::new(),
        };
        let producer = Producer {
            queue: "jobs".to_owned(),
            arrivals: Arrivals::constant(1.0),
            groups: Groups::None,
            bytes: 1,
            poison_share: 0.0,
            batch_size: 1,
            batch_window: SECOND,
            delay: Some(SECOND),
            faults: BTreeMap::new(),
        };
        let bare = Fleet::new("jobs", ServiceTime::constant(SECOND));
        let found = [
            more(&queue, &QueueConfig::new()),
            more(&fleet, &bare),
            more(&producer, &Producer::new("jobs", Arrivals::constant(1.0))),
        ];
        let known = OPTIONAL.map(|(_, settings)| settings.iter().map(|it| (*it).to_owned()).collect());
        assert_eq!(found, known);
    }
}
