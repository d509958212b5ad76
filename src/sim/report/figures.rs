//! The charts of a report.

use {
    super::{
        FleetReport, QueueReport, Report, SeriesReport, TimeReport,
        chart::{Axis, Bars, Chart, Color, Line},
        table,
    },
    std::collections::BTreeSet,
};

/// Groups that are drawn.
const GROUPS: usize = 12;

/// What is beyond is not drawn: the curve is flat there.
const CURVE_END: f64 = 0.9999;

impl Report {
    /// The charts of the page as SVG documents, each with a name that is fit for a file.
    ///
    /// Each brings its style: it follows whether the reader prefers light or dark.
    ///
    /// # Examples
    /// ```
    /// # let toml = "[queue.jobs]\n[producer.web]\nqueue = 'jobs'\narrivals.constant = { rate = 1 }";
    /// let report = requeue::sim::Scenario::from_toml(toml)?.run()?;
    /// let (name, svg) = &report.charts()[0];
    /// assert_eq!(name, "queue-jobs-backlog");
    /// assert!(svg.starts_with("<svg"));
    /// # Ok::<(), requeue::sim::ScenarioError>(())
    /// ```
    #[must_use]
    pub fn charts(&self) -> Vec<(String, String)> {
        self.figures()
            .into_iter()
            .map(|(name, chart)| (name, chart.alone()))
            .collect()
    }

    pub(super) fn figures(&self) -> Vec<(String, Chart)> {
        let mut names = BTreeSet::new();
        let mut unique = |name: String| {
            let mut all = std::iter::once(name.clone()).chain((2_u64..).map(|it| format!("{name}-{it}")));
            all.find(|it| names.insert(it.to_lowercase()))
                .expect("one of endless names is free")
        };
        let queues = self.queues.iter().flat_map(|(name, queue)| {
            let all = self.queue_figures(name, queue).into_iter();
            all.map(move |(kind, chart)| (format!("queue-{}-{kind}", file_name(name)), chart))
        });
        let fleets = self.fleets.iter().flat_map(|(name, fleet)| {
            let all = self.fleet_figures(name, fleet).into_iter();
            all.map(move |(kind, chart)| (format!("fleet-{}-{kind}", file_name(name)), chart))
        });
        queues
            .chain(fleets)
            .map(|(name, chart)| (unique(name), chart))
            .collect()
    }

    pub(super) fn queue_figures(&self, name: &str, queue: &QueueReport) -> Vec<(&'static str, Chart)> {
        let mut all = Vec::new();
        let mut over_time = |kind, title: String, chart: Option<Chart>| {
            let Some(mut chart) = chart else { return };
            chart.title = title;
            self.mark_events(name, &mut chart);
            all.push((kind, chart));
        };
        let series = &queue.series;
        let mut levels = vec![
            ("visible", &series.visible),
            ("in flight", &series.in_flight),
            ("delayed", &series.delayed),
        ];
        // Of a dead-letter queue they are what it holds, which the others show.
        if !queue.dead_letter_queue {
            levels.push(("dead letters", &series.dead_letters));
        }
        over_time(
            "backlog",
            format!("Messages in {name}"),
            self.over_time(&levels, |it| Axis::amount("messages", it)),
        );
        let age = [("age of the oldest message", &series.age_of_oldest)];
        over_time(
            "age",
            format!("Age of the oldest message in {name}"),
            self.over_time(&age, |it| Axis::time("age", it, 5)),
        );
        let flows = [("arrivals", &series.arrivals), ("completions", &series.completions)];
        let rate = |it| Axis::amount("messages per second", it);
        over_time(
            "flow",
            format!("Arrivals and completions of {name}"),
            self.over_time(&flows, rate),
        );
        let times = [
            ("to first receive", &queue.time_to_first_receive),
            ("to completion", &queue.time_to_completion),
        ];
        all.extend(curves(format!("Time from send in {name}"), &times).map(|it| ("times", it)));
        all.extend(receives(name, queue).map(|it| ("receives", it)));
        all.extend(groups(name, queue).map(|it| ("groups", it)));
        all
    }

    /// Marks the outages and deploys of the fleets of a queue.
    pub(in crate::sim) fn mark_events(&self, queue: &str, chart: &mut Chart) {
        let fleets = || self.fleets.values().filter(|it| it.queue == queue);
        chart.outages = fleets().flat_map(|it| it.outages.iter().copied()).collect();
        chart.deploys = fleets().flat_map(|it| it.deploys.iter().copied()).collect();
    }

    pub(super) fn fleet_figures(&self, name: &str, fleet: &FleetReport) -> Vec<(&'static str, Chart)> {
        let workers = [("workers", &fleet.series.workers)];
        let utilisation = [("utilisation", &fleet.series.utilisation)];
        let all = [
            (
                "workers",
                format!("Workers of {name}"),
                self.over_time(&workers, |it| Axis::amount("workers", it)),
            ),
            (
                "utilisation",
                format!("Utilisation of {name}"),
                self.over_time(&utilisation, |it| Axis::share("busy", it.max(1.0))),
            ),
        ];
        let mut charts = Vec::new();
        for (kind, title, chart) in all {
            let Some(mut chart) = chart else { continue };
            chart.title = title;
            chart.outages.clone_from(&fleet.outages);
            chart.deploys.clone_from(&fleet.deploys);
            charts.push((kind, chart));
        }
        let service = [("service", &fleet.service_time)];
        charts.extend(curves(format!("Service time of {name}"), &service).map(|it| ("service", it)));
        charts
    }

    /// Those series that are not zero throughout, or `None` if there is none.
    pub(in crate::sim) fn over_time(&self, all: &[(&str, &SeriesReport)], axis: impl Fn(f64) -> Axis) -> Option<Chart> {
        let greatest = |it: &SeriesReport| it.greatest.iter().copied().fold(0.0, f64::max);
        let shown = || all.iter().filter(|it| greatest(it.1) > 0.0);
        let top = shown().map(|it| greatest(it.1)).fold(0.0, f64::max);
        shown().next()?;
        let x = Axis::time("time from the start", self.horizon, 8).until(self.horizon);
        let mut chart = Chart::new(String::new(), x, axis(top));
        chart.warm_up = Some(self.warm_up).filter(|it| *it > 0.0);
        chart.lines = all
            .iter()
            .zip(Color::DATA)
            .filter(|it| greatest(it.0.1) > 0.0)
            .map(|((name, series), color)| self.line(name, color, series))
            .collect();
        Some(chart)
    }

    fn line(&self, name: &str, color: Color, series: &SeriesReport) -> Line {
        // A point stands for the interval that ends there.
        let half = self.times.first().map_or(0.0, |it| it / 2.0);
        let places = || self.times.iter().map(|it| it - half);
        let band = places().zip(series.least.iter().zip(&series.greatest));
        let band = band.map(|(at, (least, greatest))| (at, *least, *greatest));
        Line {
            name: name.to_owned(),
            color,
            points: places().zip(series.mean.iter().copied()).collect(),
            band: if self.replications > 1 {
                band.collect()
            } else {
                Vec::new()
            },
            dots: false,
        }
    }
}

/// Cumulative distributions on a common logarithmic axis.
fn curves(title: String, all: &[(&str, &TimeReport)]) -> Option<Chart> {
    let shown = || all.iter().filter(|it| it.1.count > 0);
    let points = || shown().flat_map(|it| it.1.curve.iter()).filter(|it| it.1 <= CURVE_END);
    // Shorter times are at the left end.
    let least = points().map(|it| it.0).fold(f64::INFINITY, f64::min).max(1e-3);
    let greatest = points().map(|it| it.0).fold(least, f64::max);
    shown().next()?;
    let x = Axis::logarithmic_time("time", least, greatest);
    let mut chart = Chart::new(title, x, Axis::share("share of messages", 1.0));
    chart.lines = all
        .iter()
        .zip(Color::DATA)
        .filter(|it| it.0.1.count > 0)
        .map(|((name, time), color)| Line {
            name: (*name).to_owned(),
            color,
            points: staircase(&time.curve, least),
            band: Vec::new(),
            dots: false,
        })
        .collect();
    Some(chart)
}

/// From the foot of the chart.
fn staircase(curve: &[(f64, f64)], least: f64) -> Vec<(f64, f64)> {
    let start = curve.first().map(|it| (it.0.max(least), 0.0));
    start.into_iter().chain(curve.iter().copied()).collect()
}

/// Receive counts that have a bar of their own.
const MOST_BARS: usize = 15;

fn receives(name: &str, queue: &QueueReport) -> Option<Chart> {
    let all: f64 = queue.receives.iter().sum();
    let greatest = queue.receives.iter().rposition(|it| *it > 0.0)?;
    let last = greatest.min(MOST_BARS);
    let open = greatest > last || greatest + 1 == queue.receives.len();
    let mut bars = Vec::new();
    for (times, count) in queue.receives.iter().enumerate().take(last + 1) {
        if times == 0 && *count == 0.0 {
            continue;
        }
        // The last bar stands for all above it.
        if times == last && open {
            bars.push((format!("{times}+"), queue.receives[times..].iter().sum::<f64>() / all));
        } else {
            bars.push((times.to_string(), count / all));
        }
    }
    let mut x = Axis::amount("receives of a message until it left the queue", 1.0);
    x.hide_ticks();
    // The numbers above the bars need room.
    let greatest = bars.iter().map(|it| it.1).fold(0.0, f64::max);
    let mut chart = Chart::new(
        format!("Receives per message of {name}"),
        x,
        Axis::share("messages", greatest),
    );
    chart.bars = Some(Bars::Upright(bars));
    Some(chart)
}

fn groups(name: &str, queue: &QueueReport) -> Option<Chart> {
    let groups = table::largest_groups(queue);
    let shown: Vec<_> = groups.into_iter().take(GROUPS).collect();
    if shown.len() < 2 {
        return None;
    }
    let rows: Vec<(String, Vec<f64>)> = shown
        .iter()
        .map(|(name, it)| {
            let time = &it.time_to_first_receive;
            ((*name).clone(), vec![time.p50, time.p90, time.p99])
        })
        .collect();
    let all = || rows.iter().flat_map(|it| it.1.iter().copied());
    let least = all().fold(f64::INFINITY, f64::min).max(1e-3);
    let x = Axis::logarithmic_time("time to first receive", least, all().fold(least, f64::max));
    let mut y = Axis::amount("", 1.0);
    y.hide_ticks();
    let mut chart = Chart::new(format!("Time to first receive in {name} by group"), x, y);
    chart.height = 110 + 22 * rows.len() as i32;
    chart.bars = Some(Bars::Ranges(rows, vec!["p50", "p90", "p99"]));
    Some(chart)
}

/// What is not fit for the name of a file becomes `_`.
pub(in crate::sim) fn file_name(name: &str) -> String {
    let fit = |it: char| it.is_ascii_alphanumeric() || matches!(it, '-' | '_' | '.');
    name.chars().map(|it| if fit(it) { it } else { '_' }).take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::report::made_up;

    fn names(report: &Report) -> Vec<String> {
        report.charts().into_iter().map(|it| it.0).collect()
    }

    #[test]
    fn a_report_has_a_chart_for_everything_that_is_not_zero() {
        assert_eq!(
            names(&made_up::report(3)),
            [
                "queue-jobs-backlog",
                "queue-jobs-age",
                "queue-jobs-flow",
                "queue-jobs-times",
                "queue-jobs-receives",
                "queue-jobs-groups",
                "queue-jobs-dead-backlog",
                "queue-jobs-dead-times",
                "queue-jobs-dead-receives",
                "fleet-workers-workers",
                "fleet-workers-utilisation",
                "fleet-workers-service",
            ]
        );
    }

    #[test]
    fn names_of_charts_are_fit_for_files_and_differ() {
        let mut report = made_up::report(1);
        let fleet = report.fleets["workers"].clone();
        for name in ["../a", ".._a", "WORKERS"] {
            report.fleets.insert(name.to_owned(), fleet.clone());
        }
        let names = names(&report);
        let all: BTreeSet<String> = names.iter().map(|it| it.to_lowercase()).collect();
        assert_eq!(all.len(), names.len(), "{names:?}");
        assert!(names.iter().all(|it| !it.contains('/')), "{names:?}");
    }

    #[test]
    fn outages_and_deploys_are_marked_on_the_charts_of_their_queue_and_fleet() {
        let report = made_up::report(1);
        for (name, chart) in report.figures() {
            let marked = chart.outages == [(1_800.0, 3_000.0)] && chart.deploys == [4_500.0, 6_000.0];
            let expected = ["backlog", "age", "flow", "workers", "utilisation"]
                .iter()
                .any(|it| name.ends_with(it));
            assert_eq!(marked, expected && !name.contains("dead"), "{name}");
        }
    }

    #[test]
    fn names_are_escaped_in_charts() {
        for (name, svg) in made_up::report(1).charts() {
            assert!(!svg.contains("<script"), "{name}");
        }
    }
}
