//! A sweep as a table, a row for each point.

use {
    super::{SweepPoint, SweepReport, answer::Varied},
    crate::sim::{
        FleetReport, QueueReport, Report,
        report::{
            metric::Unit,
            table::{WIDTH, wrapped, write_rows},
            text::{self, plain},
        },
    },
    std::fmt,
};

/// A table of at most 100 columns for each queue, unless the varied numbers alone need more.
impl fmt::Display for SweepReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        wrapped(f, &self.name)?;
        wrapped(f, &self.about())?;
        if let Some(answer) = &self.answer {
            wrapped(f, &answer.sentence)?;
        }
        let names = self.queues();
        for name in &names {
            writeln!(f)?;
            if names.len() > 1 {
                writeln!(f, "queue {}", plain(name))?;
            }
            write_rows(f, &self.rows(name))?;
        }
        wrapped(f, "p50 and p99 are of the time to completion.")?;
        if self.points.iter().any(|it| it.report.unstable.is_some()) {
            wrapped(
                f,
                "unstable: more comes in than the workers can do; the numbers depend on how long the run was.",
            )?;
        }
        let warnings: usize = self.points.iter().map(|it| it.report.warnings.len()).sum();
        if warnings > 0 {
            writeln!(f, "warnings in the reports of the points: {warnings}")?;
        }
        Ok(())
    }
}

impl SweepReport {
    pub(super) fn about(&self) -> String {
        let varied: Vec<&str> = self.varied.iter().map(String::as_str).collect();
        let points = text::counted(self.points.len() as f64, "point");
        let each = self
            .points
            .first()
            .map_or_else(String::new, |it| format!("; each {}", it.report.about()));
        format!("{points}, varied: {}{each}", varied.join(", "))
    }

    /// Those that are no dead-letter queues.
    pub(super) fn queues(&self) -> Vec<&String> {
        let queues = self.points.first().map(|it| &it.report.queues);
        let queues = queues.into_iter().flatten().filter(|it| !it.1.dead_letter_queue);
        queues.map(|it| it.0).collect()
    }

    /// What matters of a queue, with a header.
    pub(super) fn rows(&self, queue: &str) -> Vec<Vec<String>> {
        let mark = self.points.iter().any(|it| it.report.unstable.is_some());
        let mut header: Vec<String> = self.varied.iter().map(|it| Varied::of(it).name.to_owned()).collect();
        let columns = ["duplicates", "p50 (s)", "p99 (s)", "busy", "wasted", "dead", "$ / 30 d"];
        header.extend(columns.map(str::to_owned));
        if self.answer.is_some() {
            header.push("goal".to_owned());
        }
        if mark {
            header.push(String::new());
        }
        let rows = self.points.iter().filter_map(|point| {
            let mut row = self.row(point, queue)?;
            if mark {
                row.push(
                    if point.report.unstable.is_some() {
                        "unstable"
                    } else {
                        ""
                    }
                    .to_owned(),
                );
            }
            Some(row)
        });
        std::iter::once(header).chain(rows).collect()
    }

    fn row(&self, point: &SweepPoint, name: &str) -> Option<Vec<String>> {
        let queue: &QueueReport = point.report.queues.get(name)?;
        let mut row: Vec<String> = self
            .varied
            .iter()
            .zip(&point.values)
            .map(|(path, it)| Varied::of(path).value(*it))
            .collect();
        let (busy, wasted) = work(&point.report, name);
        let short = |value: f64| text::number(text::rounded(value, 2));
        row.extend([
            text::percent(text::rounded(queue.duplicate_share.mean, 2)),
            short(queue.time_to_completion.p50),
            short(queue.time_to_completion.p99),
            text::percent(text::rounded(busy, 2)),
            text::percent(text::rounded(wasted, 2)),
            short(queue.dead_lettered.mean),
            short(queue.cost_per_month.mean),
        ]);
        row.extend(point.reached.map(|it| self.goal_of(point, it)));
        Some(row)
    }
}

impl SweepReport {
    /// What a point has of the number that the goal is about, and whether it is enough.
    fn goal_of(&self, point: &SweepPoint, reached: bool) -> String {
        let answer = if reached { "yes" } else { "no" };
        let goal = self.goal.as_ref().map(|it| it.metric.as_str());
        match goal.and_then(|metric| Some((metric, point.report.metric(metric)?))) {
            Some((metric, found)) if found.mean.is_finite() => {
                format!("{}: {answer}", Unit::of(metric).text(text::rounded(found.mean, 2)))
            }
            _ => answer.to_owned(),
        }
    }
}

/// Utilisation and wasted share of the fleets of a queue together.
pub(super) fn work(report: &Report, queue: &str) -> (f64, f64) {
    let fleets = || report.fleets.values().filter(|it| it.queue == queue);
    let sum = |of: fn(&FleetReport) -> f64| {
        fleets()
            .map(of)
            .filter(|it| it.is_finite())
            .fold(0.0, |sum, it| sum + it)
    };
    let busy = sum(|it| it.utilisation.mean * it.workers.mean) / sum(|it| it.workers.mean);
    (busy, sum(|it| it.wasted_seconds.mean) / sum(|it| it.busy_seconds.mean))
}

const _: () = assert!(WIDTH == 100, "as documented");
