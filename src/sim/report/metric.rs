//! Numbers of a report by name.

use {
    super::{Estimate, FleetReport, QueueReport, Report, TimeReport, text},
    crate::sim::Scenario,
    std::collections::{BTreeMap, BTreeSet},
};

type Field<T> = (&'static str, fn(&T) -> Estimate);
type TimeField<T> = (&'static str, fn(&T) -> &TimeReport);

/// The numbers of the whole report; their names come before those of queues and fleets.
const WHOLE: &[Field<Report>] = &[("cost", |it| it.cost), ("cost_per_month", |it| it.cost_per_month)];

const QUEUE: &[Field<QueueReport>] = &[
    ("sent", |it| it.sent),
    ("received", |it| it.received),
    ("done", |it| it.done),
    ("done_more_than_once", |it| it.done_more_than_once),
    ("begun_more_than_once", |it| it.begun_more_than_once),
    ("dead_lettered", |it| it.dead_lettered),
    ("expired", |it| it.expired),
    ("refused", |it| it.refused),
    ("left", |it| it.left),
    ("throughput", |it| it.throughput),
    ("duplicate_share", |it| it.duplicate_share),
    ("dead_letter_share", |it| it.dead_letter_share),
    ("present", |it| it.present),
    ("visible", |it| it.visible),
    ("in_flight", |it| it.in_flight),
    ("cost", |it| it.cost),
    ("cost_per_month", |it| it.cost_per_month),
    ("offered_load", |it| {
        Estimate::exact(it.offered_load.unwrap_or(f64::NAN))
    }),
];

const QUEUE_TIMES: [TimeField<QueueReport>; 2] = [
    ("time_to_first_receive", |it| &it.time_to_first_receive),
    ("time_to_completion", |it| &it.time_to_completion),
];

const FLEET: &[Field<FleetReport>] = &[
    ("workers", |it| it.workers),
    ("utilisation", |it| it.utilisation),
    ("begun", |it| it.begun),
    ("failed", |it| it.failed),
    ("cut_short", |it| it.cut_short),
    ("crashes", |it| it.crashes),
    ("restarts", |it| it.restarts),
    ("heartbeats", |it| it.heartbeats),
    ("failed_calls", |it| it.failed_calls),
    ("busy_seconds", |it| it.busy_seconds),
    ("wasted_seconds", |it| it.wasted_seconds),
    ("wasted_share", |it| it.wasted_share),
];

const FLEET_TIMES: [TimeField<FleetReport>; 1] = [("service_time", |it| &it.service_time)];

const TIME: &[Field<TimeReport>] = &[
    ("mean", |it| it.mean),
    ("p50", |it| Estimate::exact(it.p50)),
    ("p90", |it| Estimate::exact(it.p90)),
    ("p95", |it| Estimate::exact(it.p95)),
    ("p99", |it| Estimate::exact(it.p99)),
    ("max", |it| Estimate::exact(it.max)),
];

impl Report {
    /// The number called `name`, or `None` if there is none of that name.
    ///
    /// Of the whole scenario: `cost` and `cost_per_month`, in dollars.
    ///
    /// Of a queue: `sent`, `received`, `done`, `done_more_than_once`, `begun_more_than_once`, `dead_lettered`,
    /// `expired`, `refused`, `left`, `throughput`, `duplicate_share`, `dead_letter_share`, `present`, `visible`,
    /// `in_flight`, `cost`, `cost_per_month`, `offered_load`, and the times `time_to_first_receive` and
    /// `time_to_completion`. Of a fleet: `workers`, `utilisation`, `begun`, `failed`, `cut_short`, `crashes`,
    /// `restarts`, `heartbeats`, `failed_calls`, `busy_seconds`, `wasted_seconds`, `wasted_share`, and the time
    /// `service_time`. After the name of a time comes `.mean`, `.p50`, `.p90`, `.p95`, `.p99` or `.max`; the name alone
    /// is the mean.
    ///
    /// The name of the queue or fleet stands before it, as in `jobs.duplicate_share` and
    /// `workers.service_time.p99`. It may be left out where there is one queue only, dead-letter queues not counted,
    /// or one fleet only.
    ///
    /// # Examples
    /// ```
    /// # use requeue::sim::Scenario;
    /// let toml = "[queue.jobs]\n[producer.web]\nqueue = 'jobs'\narrivals.constant = { rate = 1 }";
    /// let report = Scenario::from_toml(toml)?.run()?;
    /// assert_eq!(report.metric("jobs.sent"), Some(report.queues["jobs"].sent));
    /// assert_eq!(report.metric("sent"), report.metric("jobs.sent"));
    /// assert_eq!(report.metric("weight"), None);
    /// # Ok::<(), requeue::sim::ScenarioError>(())
    /// ```
    #[must_use]
    pub fn metric(&self, name: &str) -> Option<Estimate> {
        self.metrics().into_iter().find(|it| is(&it.0, name)).map(|it| it.1)
    }

    /// All names of [`Report::metric`] with their numbers, those in full before those without queue or fleet.
    #[must_use]
    pub fn metrics(&self) -> Vec<(String, Estimate)> {
        let mut all: Vec<_> = WHOLE.iter().map(|(name, of)| ((*name).to_owned(), of(self))).collect();
        for (prefix, queue) in &self.queues {
            all.extend(queue.metrics().map(|(name, it)| (format!("{prefix}.{name}"), it)));
        }
        for (prefix, fleet) in &self.fleets {
            all.extend(fleet.metrics().map(|(name, it)| (format!("{prefix}.{name}"), it)));
        }
        if let Some(queue) = only(&self.queues, |it| !it.dead_letter_queue) {
            let whole = |name: &str| WHOLE.iter().any(|it| it.0 == name);
            all.extend(queue.metrics().filter(|it| !whole(&it.0)));
        }
        if let Some(fleet) = only(&self.fleets, |_| true) {
            all.extend(fleet.metrics());
        }
        all
    }
}

/// Whether the reports of `scenario` have a number called `name`, before it runs.
///
/// # Errors
/// The names that they have, if not.
pub(in crate::sim) fn check(scenario: &Scenario, name: &str) -> Result<(), Vec<String>> {
    let names = names(scenario);
    if names.iter().any(|it| is(it, name)) {
        Ok(())
    } else {
        Err(names)
    }
}

/// Whether `metric` is asked for by `name`.
fn is(metric: &str, name: &str) -> bool {
    metric == name || metric.strip_suffix(".mean") == Some(name)
}

/// Those of [`Report::metrics`].
fn names(scenario: &Scenario) -> Vec<String> {
    fn with_times(fields: impl Iterator<Item = &'static str>, times: &[&'static str]) -> Vec<String> {
        let times = times
            .iter()
            .flat_map(|name| TIME.iter().map(move |it| format!("{name}.{}", it.0)));
        fields.map(str::to_owned).chain(times).collect()
    }
    let of_queue = with_times(QUEUE.iter().map(|it| it.0), &QUEUE_TIMES.map(|it| it.0));
    let of_fleet = with_times(FLEET.iter().map(|it| it.0), &FLEET_TIMES.map(|it| it.0));
    let whole: Vec<String> = WHOLE.iter().map(|it| it.0.to_owned()).collect();
    let mut all = whole.clone();
    for name in scenario.queue.keys() {
        all.extend(of_queue.iter().map(|it| format!("{name}.{it}")));
    }
    for name in scenario.fleet.keys() {
        all.extend(of_fleet.iter().map(|it| format!("{name}.{it}")));
    }
    let targets: BTreeSet<&String> = scenario
        .queue
        .values()
        .filter_map(|it| it.dead_letter.as_ref())
        .map(|it| &it.queue)
        .collect();
    if scenario.queue.keys().filter(|it| !targets.contains(it)).count() == 1 {
        all.extend(of_queue.into_iter().filter(|it| !whole.contains(it)));
    }
    if scenario.fleet.len() == 1 {
        all.extend(of_fleet);
    }
    all
}

/// All metrics, without the names of queues and fleets.
pub(in crate::sim) fn listed() -> String {
    let is_whole = |name: &str| WHOLE.iter().any(|it| it.0 == name);
    let whole: Vec<_> = WHOLE.iter().map(|it| it.0).collect();
    let mut queue: Vec<_> = QUEUE.iter().map(|it| it.0).filter(|it| !is_whole(it)).collect();
    queue.extend(QUEUE_TIMES.map(|it| it.0));
    let mut fleet: Vec<_> = FLEET.iter().map(|it| it.0).collect();
    fleet.extend(FLEET_TIMES.map(|it| it.0));
    let times: Vec<_> = TIME.iter().map(|it| format!(".{}", it.0)).collect();
    format!(
        "known are {}; of a queue {}; of a fleet {}; of a time {}",
        whole.join(", "),
        queue.join(", "),
        fleet.join(", "),
        times.join(", "),
    )
}

/// What a metric is measured in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::sim) enum Unit {
    Number,
    Seconds,
    Share,
    Dollars,
}

impl Unit {
    /// By the name of the metric.
    pub(in crate::sim) fn of(metric: &str) -> Self {
        let parts = || metric.split('.');
        let times = || {
            QUEUE_TIMES
                .iter()
                .map(|it| it.0)
                .chain(FLEET_TIMES.iter().map(|it| it.0))
        };
        let last = parts().next_back().unwrap_or_default();
        if times().any(|time| parts().any(|it| it == time)) || last.ends_with("_seconds") {
            Self::Seconds
        } else if last.ends_with("_share") || last == "utilisation" {
            Self::Share
        } else if last.starts_with("cost") {
            Self::Dollars
        } else {
            Self::Number
        }
    }

    pub(in crate::sim) fn text(self, value: f64) -> String {
        match self {
            Self::Number => text::number(value),
            Self::Seconds => format!("{} s", text::number(value)),
            Self::Share => text::percent(value),
            Self::Dollars => format!("$ {}", text::number(value)),
        }
    }
}

impl QueueReport {
    /// The names without the queue's.
    pub(super) fn metrics(&self) -> impl Iterator<Item = (String, Estimate)> + '_ {
        let fields = QUEUE.iter().map(|(name, of)| ((*name).to_owned(), of(self)));
        fields.chain(QUEUE_TIMES.iter().flat_map(|(name, of)| of(self).metrics(name)))
    }
}

impl FleetReport {
    /// The names without the fleet's.
    pub(super) fn metrics(&self) -> impl Iterator<Item = (String, Estimate)> + '_ {
        let fields = FLEET.iter().map(|(name, of)| ((*name).to_owned(), of(self)));
        fields.chain(FLEET_TIMES.iter().flat_map(|(name, of)| of(self).metrics(name)))
    }
}

impl TimeReport {
    pub(super) fn metrics<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (String, Estimate)> + 'a {
        TIME.iter().map(move |(part, of)| (format!("{name}.{part}"), of(self)))
    }
}

/// The only one that counts.
fn only<T>(all: &BTreeMap<String, T>, counts: impl Fn(&T) -> bool) -> Option<&T> {
    let mut those = all.values().filter(|it| counts(it));
    those.next().filter(|_| those.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::report::made_up;

    #[test]
    fn a_metric_is_found_with_and_without_the_name_of_its_queue_or_fleet() {
        let report = made_up::report(2);
        let jobs = &report.queues["jobs"];
        assert_eq!(report.metric("duplicate_share"), Some(jobs.duplicate_share));
        assert_eq!(report.metric("jobs.duplicate_share"), Some(jobs.duplicate_share));
        assert_eq!(report.metric("jobs-dead.sent"), Some(report.queues["jobs-dead"].sent));
        assert_eq!(
            report.metric("workers.utilisation"),
            Some(report.fleets["workers"].utilisation)
        );
        assert_eq!(
            report.metric("wasted_share"),
            Some(report.fleets["workers"].wasted_share)
        );
        let p99 = jobs.time_to_completion.p99;
        assert_eq!(report.metric("time_to_completion.p99"), Some(Estimate::exact(p99)));
        assert_eq!(report.metric("time_to_completion"), Some(jobs.time_to_completion.mean));
        assert_eq!(check(&made_up::scenario(), "time_to_completion"), Ok(()));
        assert_eq!(report.metric("cost"), Some(report.cost), "of all queues");
        assert_eq!(report.metric("jobs.cost"), Some(jobs.cost));
    }

    #[test]
    fn a_name_without_its_queue_is_unknown_where_there_are_several() {
        let mut report = made_up::report(2);
        report.queues.get_mut("jobs-dead").unwrap().dead_letter_queue = false;
        assert_eq!(report.metric("duplicate_share"), None);
        assert!(report.metric("jobs.duplicate_share").is_some());
    }

    #[test]
    fn the_names_are_known_before_the_run() {
        let report = made_up::report(1);
        let found: Vec<String> = report.metrics().into_iter().map(|it| it.0).collect();
        assert_eq!(names(&made_up::scenario()), found);
        assert_eq!(check(&made_up::scenario(), "jobs.duplicate_share"), Ok(()));
        let mut two = made_up::scenario();
        two.fleet.insert("others".to_owned(), two.fleet["workers"].clone());
        assert!(check(&two, "utilisation").is_err() && check(&two, "others.utilisation").is_ok());
        assert_eq!(check(&made_up::scenario(), "p99"), Err(found));
    }

    #[test]
    fn every_name_is_documented() {
        let text = include_str!("metric.rs");
        for (name, _) in made_up::report(1).metrics() {
            let last = name.rsplit_once('.').map_or(&*name, |it| it.1);
            assert!(
                text.contains(&format!("`{last}`")) || text.contains(&format!("`.{last}`")),
                "{name}"
            );
        }
    }
}
