//! A scenario with some of its numbers varied over a grid.

mod answer;
mod page;
mod table;
#[cfg(test)]
mod tests;

use {
    super::{
        Goal, Report, SaveError, Scenario,
        report::{csv::field, save::Directory},
    },
    ::csv::Writer,
    serde::Serialize,
    std::{
        io::{self, Write},
        path::Path,
    },
};

/// What the points of a [`Sweep`](super::Sweep) found, and which of them reaches its goal.
///
/// It prints as a table for a terminal; the other forms are [`SweepReport::save`], [`SweepReport::to_html`],
/// [`SweepReport::write_json`] and [`SweepReport::write_points`].
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct SweepReport {
    /// The name of the scenario.
    pub name: String,
    /// The numbers that were varied, by their paths.
    pub varied: Vec<String>,
    /// What was looked for, if anything.
    pub goal: Option<Goal>,
    /// A point for each combination of their values.
    pub points: Vec<SweepPoint>,
    /// Which point reaches the goal, if the sweep has one.
    pub answer: Option<Answer>,
}

/// A combination of values, and what its replications found.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct SweepPoint {
    /// The values of [`SweepReport::varied`].
    pub values: Vec<f64>,
    /// What the replications found.
    pub report: Report,
    /// Whether it reaches the goal, if the sweep has one. A point that is unstable does not, and neither does one that
    /// did not measure the number.
    pub reached: Option<bool>,
}

/// What reaches the goal of a sweep.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Answer {
    /// Such as `30 s is the shortest visibility_timeout with a duplicate_share of at most 0.1 %`.
    pub sentence: String,
    /// The point with the smallest values that reach the goal, as an index into [`SweepReport::points`]: the smallest
    /// value of the first number, then that of the second and so on. `None` if no point does.
    pub best: Option<usize>,
}

impl SweepReport {
    /// The points of the sweep of `scenario`, each with its values by path.
    pub(in crate::sim) fn new(scenario: &Scenario, points: Vec<(Vec<(String, f64)>, Report)>) -> Self {
        let varied = points
            .first()
            .map_or_else(Vec::new, |it| it.0.iter().map(|it| it.0.clone()).collect());
        let points = points.into_iter().map(|(values, report)| SweepPoint {
            values: values.into_iter().map(|it| it.1).collect(),
            report,
            reached: None,
        });
        let mut sweep = Self {
            name: scenario.name.clone(),
            varied,
            goal: scenario.sweep.as_ref().and_then(|it| it.goal.clone()),
            points: points.collect(),
            answer: None,
        };
        if let Some(goal) = sweep.goal.clone() {
            sweep.answer = answer::answer(&mut sweep, &goal);
        }
        sweep
    }

    /// Writes a line for each point as CSV: the varied numbers by their paths, then each of [`Report::metrics`] with
    /// half the width of its 95 % interval after it.
    ///
    /// What was not measured is empty.
    ///
    /// # Errors
    /// Those of `to`.
    pub fn write_points(&self, to: impl Write) -> io::Result<()> {
        let mut csv = Writer::from_writer(to);
        let Some(first) = self.points.first() else {
            return csv.flush();
        };
        // All points have the same queues and fleets.
        let names: Vec<String> = first.report.metrics().into_iter().map(|it| it.0).collect();
        let metrics = names.iter().flat_map(|it| [it.clone(), format!("{it}.half_width")]);
        csv.write_record(self.varied.iter().cloned().chain(metrics))?;
        for point in &self.points {
            let metrics = point.report.metrics();
            let metrics = metrics
                .iter()
                .flat_map(|(_, it)| [field(it.mean), it.half_width.map_or_else(String::new, field)]);
            csv.write_record(point.values.iter().map(|it| field(*it)).chain(metrics))?;
        }
        csv.flush()
    }

    /// All of it as JSON, under the names of its fields.
    ///
    /// # Errors
    /// Those of `to`.
    pub fn write_json(&self, mut to: impl Write) -> io::Result<()> {
        serde_json::to_writer(&mut to, self)?;
        to.write_all(b"\n")
    }

    /// Writes `sweep.html`, `sweep.json`, `points.csv`, and each chart of the page as an SVG file, into a directory,
    /// which is made if there is none.
    ///
    /// Files of the same names are replaced.
    ///
    /// # Errors
    /// [`SaveError`] names the path that could not be written.
    pub fn save(&self, directory: impl AsRef<Path>) -> Result<(), SaveError> {
        let directory = Directory::new(directory.as_ref())?;
        directory.write("sweep.html", |to| to.write_all(self.to_html().as_bytes()))?;
        directory.write("sweep.json", |to| self.write_json(to))?;
        directory.write("points.csv", |to| self.write_points(to))?;
        for (name, svg) in self.charts() {
            directory.write(&format!("{name}.svg"), |to| to.write_all(svg.as_bytes()))?;
        }
        Ok(())
    }
}
