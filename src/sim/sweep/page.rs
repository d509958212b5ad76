//! A sweep as one page with charts.

use {
    super::{
        SweepPoint, SweepReport,
        answer::{Varied, named},
        table::work,
    },
    crate::sim::{
        Bound, QueueReport, Report,
        report::{
            chart::{Axis, Chart, Color, Line, escaped},
            figures::file_name,
            html,
            metric::Unit,
            text::shortened,
        },
    },
    std::fmt::Write as _,
};

/// Points that have a small chart of their own.
const SMALL: usize = 60;

/// Lines of a chart: as many combinations of the other numbers.
const LINES: usize = Color::DATA.len();

type Number<'a> = Box<dyn Fn(&Report) -> f64 + 'a>;

/// The name of a chart, its title, and what it shows.
type Curve<'a> = (&'static str, String, Unit, Number<'a>);

impl SweepReport {
    /// The sweep as one HTML page with its charts: it needs nothing from elsewhere, runs no script, and follows whether
    /// the reader prefers light or dark.
    #[must_use]
    pub fn to_html(&self) -> String {
        let mut body = format!("<h1>{}</h1>\n<p>{}</p>\n", escaped(&self.name), escaped(&self.about()));
        let best = self.answer.as_ref().and_then(|it| it.best);
        if let Some(answer) = &self.answer {
            let _ = writeln!(
                body,
                "<p class=\"answer\"><strong>{}</strong></p>",
                escaped(&answer.sentence)
            );
        }
        for queue in self.queues() {
            let _ = writeln!(body, "<h2>Queue {}</h2>", escaped(queue));
            let _ = writeln!(
                body,
                "<div class=\"tables\">{}</div>",
                html::rows(&self.rows(queue), best)
            );
            body.push_str("<div class=\"charts\">\n");
            for (_, chart) in self.against_values(queue) {
                let _ = writeln!(body, "<figure>{}</figure>", chart.inline());
            }
            let _ = writeln!(body, "</div>\n<h2>Messages in {} by point</h2>", escaped(queue));
            if self.points.len() > SMALL {
                let _ = writeln!(body, "<p>The first {SMALL} of {} points.</p>", self.points.len());
            }
            body.push_str("<div class=\"small\">\n");
            for chart in self.small(queue) {
                let _ = writeln!(body, "<figure>{}</figure>", chart.inline());
            }
            body.push_str("</div>\n");
        }
        html::page(&self.name, &body)
    }

    /// The charts of the page as SVG documents, each with a name that is fit for a file.
    ///
    /// Each brings its style: it follows whether the reader prefers light or dark.
    #[must_use]
    pub fn charts(&self) -> Vec<(String, String)> {
        let mut all = Vec::new();
        for queue in self.queues() {
            let file = file_name(queue);
            let against = self.against_values(queue).into_iter();
            all.extend(against.map(|(name, chart)| (format!("{file}-{name}"), chart.alone())));
            let small = self.small(queue).into_iter().enumerate();
            all.extend(small.map(|(index, chart)| (format!("{file}-point-{:03}", index + 1), chart.alone())));
        }
        all
    }

    /// The numbers that matter over the first varied number, a line for each combination of the others.
    fn against_values(&self, queue: &str) -> Vec<(&'static str, Chart)> {
        let of = |number: fn(&QueueReport) -> f64| -> Number<'_> {
            Box::new(move |report| report.queues.get(queue).map_or(f64::NAN, number))
        };
        let mut numbers: Vec<Curve<'_>> = vec![
            (
                "duplicates",
                "Duplicates".to_owned(),
                Unit::Share,
                of(|it| it.duplicate_share.mean),
            ),
            (
                "p99",
                "Time to completion, p99".to_owned(),
                Unit::Seconds,
                of(|it| it.time_to_completion.p99),
            ),
            (
                "busy",
                "Utilisation".to_owned(),
                Unit::Share,
                Box::new(|it| work(it, queue).0),
            ),
            (
                "wasted",
                "Wasted work".to_owned(),
                Unit::Share,
                Box::new(|it| work(it, queue).1),
            ),
            (
                "cost",
                "Cost in 30 days".to_owned(),
                Unit::Dollars,
                of(|it| it.cost_per_month.mean),
            ),
        ];
        let first = self.queues().first().is_some_and(|it| *it == queue);
        let goal = self.goal.as_ref().filter(|_| first);
        if let Some(goal) = goal {
            let metric = goal.metric.clone();
            let number = move |it: &Report| it.metric(&metric).map_or(f64::NAN, |it| it.mean);
            // Not twice the same.
            numbers.retain(|it| !(it.0 == "duplicates" && goal.metric.ends_with("duplicate_share")));
            numbers.insert(
                0,
                ("goal", goal.metric.clone(), Unit::of(&goal.metric), Box::new(number)),
            );
        }
        let mut charts = Vec::new();
        for (name, title, unit, number) in numbers {
            let Some(mut chart) = self.over_values(&title, unit, &number) else {
                continue;
            };
            if let Some(goal) = goal.filter(|_| name == "goal") {
                let (Bound::AtMost(bound) | Bound::AtLeast(bound)) = goal.bound;
                let top = chart.greatest().max(bound);
                chart.y = axis(unit, unit_title(unit), top);
                chart.bound = Some((bound, goal.bound_text()));
            }
            charts.push((name, chart));
        }
        charts
    }

    fn over_values(&self, title: &str, unit: Unit, number: &Number<'_>) -> Option<Chart> {
        let path = self.varied.first()?;
        let varied = Varied::of(path);
        let slices = self.slices();
        let greatest = self.points.iter().map(SweepPoint::first).fold(0.0, f64::max);
        let x = if varied.is_time {
            Axis::time(varied.name, greatest, 8)
        } else {
            Axis::amount(varied.name, greatest)
        };
        let more = slices.len().saturating_sub(LINES);
        let title = if more > 0 {
            format!("{title} (the first {LINES} of {} lines)", slices.len())
        } else {
            title.to_owned()
        };
        let mut chart = Chart::new(title.clone(), x, axis(unit, unit_title(unit), 1.0));
        for ((others, points), color) in slices.into_iter().zip(Color::DATA) {
            let points = points.into_iter().map(|it| &self.points[it]);
            let mut points: Vec<_> = points.map(|it| (it.first(), number(&it.report))).collect();
            points.sort_by(|a, b| a.0.total_cmp(&b.0));
            let name = if others.is_empty() {
                title.clone()
            } else {
                self.others(others)
            };
            chart.lines.push(Line {
                name,
                color,
                points,
                band: Vec::new(),
                dots: true,
            });
        }
        let top = chart.greatest();
        chart.y = axis(unit, unit_title(unit), top);
        (top > 0.0).then_some(chart)
    }

    /// What each point has in the queue over time, all on the same axes.
    fn small(&self, queue: &str) -> Vec<Chart> {
        let shown = || self.points.iter().take(SMALL);
        let queues = || shown().filter_map(|it| it.report.queues.get(queue));
        let levels = |queue: &QueueReport| [queue.series.visible.clone(), queue.series.in_flight.clone()];
        let greatest = queues().flat_map(levels).flat_map(|it| it.greatest).fold(0.0, f64::max);
        let horizon = shown().map(|it| it.report.horizon).fold(0.0, f64::max);
        let charts = shown().filter_map(|point| {
            let series = &point.report.queues.get(queue)?.series;
            let lines = [("visible", &series.visible), ("in flight", &series.in_flight)];
            let mut chart = point.report.over_time(&lines, |_| Axis::amount("messages", greatest))?;
            chart.x = Axis::time("time", horizon, 5).until(horizon);
            chart.title = shortened(&named(&self.varied, &point.values), 46);
            point.report.mark_events(queue, &mut chart);
            (chart.width, chart.height) = (400, 220);
            chart.lines.iter_mut().for_each(|it| it.band.clear());
            Some(chart)
        });
        charts.collect()
    }
}

const fn unit_title(unit: Unit) -> &'static str {
    match unit {
        Unit::Number => "value",
        Unit::Seconds => "time",
        Unit::Share => "share",
        Unit::Dollars => "dollars",
    }
}

fn axis(unit: Unit, title: &str, greatest: f64) -> Axis {
    match unit {
        Unit::Number | Unit::Dollars => Axis::amount(title, greatest),
        Unit::Seconds => Axis::time(title, greatest, 5),
        Unit::Share => Axis::share(title, greatest),
    }
}
