//! Which point of a sweep reaches its goal, in one sentence.

use {
    super::{Answer, SweepPoint, SweepReport},
    crate::sim::{
        Bound, Estimate, Goal,
        report::{metric::Unit, text},
    },
    std::cmp::Ordering,
};

/// Combinations of the other numbers that a sentence names.
const COMBINATIONS: usize = 12;

/// Marks the points that reach the goal, which is about a number that reports have; `None` without points.
pub(super) fn answer(sweep: &mut SweepReport, goal: &Goal) -> Option<Answer> {
    let mut found = Vec::with_capacity(sweep.points.len());
    for point in &mut sweep.points {
        let estimate = point.report.metric(&goal.metric).unwrap_or(Estimate::NOTHING);
        point.reached = Some(point.report.unstable.is_none() && reaches(goal.bound, estimate.mean));
        found.push(estimate);
    }
    if found.is_empty() {
        return None;
    }
    let seeker = Seeker {
        sweep,
        goal,
        found: &found,
    };
    Some(Answer {
        sentence: seeker.sentence(),
        best: seeker.smallest(&(0..found.len()).collect::<Vec<_>>()),
    })
}

fn reaches(bound: Bound, value: f64) -> bool {
    match bound {
        Bound::AtMost(bound) => value <= bound,
        Bound::AtLeast(bound) => value >= bound,
    }
}

impl Goal {
    /// Such as `duplicate_share of at most 0.1 %`.
    pub(super) fn text(&self) -> String {
        format!("{} of {}", self.metric, self.bound_text())
    }

    /// Such as `at most 0.1 %`.
    pub(super) fn bound_text(&self) -> String {
        let (which, value) = match self.bound {
            Bound::AtMost(value) => ("at most", value),
            Bound::AtLeast(value) => ("at least", value),
        };
        format!("{which} {}", Unit::of(&self.metric).text(value))
    }
}

/// The last name of a path, and how its values are read.
pub(super) struct Varied<'a> {
    pub(super) name: &'a str,
    pub(super) is_time: bool,
}

impl<'a> Varied<'a> {
    pub(super) fn of(path: &'a str) -> Self {
        let name = path.rsplit('.').next().unwrap_or(path);
        const TIMES: [&str; 15] = [
            "timeout", "delay", "period", "time", "interval", "latency", "mean", "sd", "at", "every", "from", "until",
            "horizon", "base", "warm_up",
        ];
        let is_time = TIMES.iter().any(|it| name == *it || name.ends_with(&format!("_{it}")));
        Self { name, is_time }
    }

    pub(super) fn value(&self, value: f64) -> String {
        let number = text::rounded(value, 8);
        if self.is_time {
            format!("{number} s")
        } else {
            number.to_string()
        }
    }

    /// Its name as a noun in the singular.
    fn noun(&self) -> String {
        match self.name {
            "workers" | "concurrency" | "count" | "replications" => format!("number of {}", self.name),
            name => name.to_owned(),
        }
    }

    fn smallest(&self) -> String {
        let most = if self.is_time { "shortest" } else { "smallest" };
        format!("{most} {}", self.noun())
    }
}

/// Numbers by their last names with their values, such as `workers = 2, visibility_timeout = 30 s`.
pub(super) fn named(paths: &[String], values: &[f64]) -> String {
    let named = paths.iter().map(|it| Varied::of(it)).zip(values);
    let all: Vec<String> = named
        .map(|(it, value)| format!("{} = {}", it.name, it.value(*value)))
        .collect();
    all.join(", ")
}

impl SweepPoint {
    /// The value of the first number.
    pub(super) fn first(&self) -> f64 {
        self.values.first().copied().unwrap_or(f64::NAN)
    }

    /// Those of the other numbers.
    pub(super) fn others(&self) -> &[f64] {
        self.values.get(1..).unwrap_or_default()
    }
}

impl SweepReport {
    /// The points by the values of all numbers but the first, in order.
    pub(super) fn slices(&self) -> Vec<(&[f64], Vec<usize>)> {
        let mut slices: Vec<(&[f64], Vec<usize>)> = Vec::new();
        for (index, point) in self.points.iter().enumerate() {
            match slices.iter_mut().find(|it| it.0 == point.others()) {
                Some(it) => it.1.push(index),
                None => slices.push((point.others(), vec![index])),
            }
        }
        slices
    }

    /// The numbers but the first with these values.
    pub(super) fn others(&self, values: &[f64]) -> String {
        named(self.varied.get(1..).unwrap_or_default(), values)
    }
}

struct Seeker<'a> {
    sweep: &'a SweepReport,
    goal: &'a Goal,
    /// The number of the goal, by point.
    found: &'a [Estimate],
}

impl Seeker<'_> {
    fn sentence(&self) -> String {
        let Some(first) = self.sweep.varied.first() else {
            return self.unvaried();
        };
        let first = Varied::of(first);
        let slices = self.sweep.slices();
        if let [(_, points)] = &slices[..] {
            return self.sentence_of(&first, points);
        }
        let parts = slices.iter().take(COMBINATIONS).map(|(others, points)| {
            let value = self
                .smallest(points)
                .map_or_else(|| "none".to_owned(), |it| first.value(self.value(it)));
            format!("{value} at {}", self.sweep.others(others))
        });
        let parts: Vec<String> = parts.collect();
        let more = slices.len().saturating_sub(COMBINATIONS);
        let more = if more > 0 {
            format!(", and {more} more combinations")
        } else {
            String::new()
        };
        if self.sweep.points.iter().all(|it| it.reached != Some(true)) {
            return self.sentence_of(&first, &(0..self.found.len()).collect::<Vec<_>>());
        }
        format!(
            "the {} with a {}: {}{more}",
            first.smallest(),
            self.goal.text(),
            parts.join(", ")
        )
    }

    fn unvaried(&self) -> String {
        let reached = self.sweep.points.first().and_then(|it| it.reached) == Some(true);
        let has = if reached { "has" } else { "does not have" };
        format!("the scenario {has} a {}", self.goal.text())
    }

    /// Of points that differ in the first number, or of all if none reaches the goal.
    fn sentence_of(&self, first: &Varied<'_>, points: &[usize]) -> String {
        let Some(smallest) = self.smallest(points) else {
            return self.sentence_of_none(first, points);
        };
        let mut sentence = format!(
            "{} is the {} with a {}",
            first.value(self.value(smallest)),
            first.smallest(),
            self.goal.text()
        );
        let larger = points.iter().filter(|it| self.value(**it) > self.value(smallest));
        if larger.clone().any(|it| self.sweep.points[*it].reached != Some(true)) {
            sentence.push_str("; not all larger ones reach it");
        }
        let estimate = self.found[smallest];
        let half_width = estimate.half_width.unwrap_or(0.0);
        let end = match self.goal.bound {
            Bound::AtMost(_) => estimate.mean + half_width,
            Bound::AtLeast(_) => estimate.mean - half_width,
        };
        if !reaches(self.goal.bound, end) {
            let end = Unit::of(&self.goal.metric).text(end);
            sentence.push_str(&format!("; its 95 % interval ends at {end}"));
        }
        sentence
    }

    /// Of points none of which reaches the goal.
    fn sentence_of_none(&self, first: &Varied<'_>, points: &[usize]) -> String {
        let values = points.iter().map(|it| self.value(*it));
        let least = first.value(values.clone().fold(f64::INFINITY, f64::min));
        let most = first.value(values.fold(f64::NEG_INFINITY, f64::max));
        let none = format!("no {} of {least} to {most} has a {}", first.noun(), self.goal.text());
        let Some(best) = self.nearest(points) else {
            return format!("{none}: no point measured it");
        };
        let mut at = first.value(self.value(best));
        let others = self.sweep.points[best].others();
        if !others.is_empty() {
            at = format!("{at} at {}", self.sweep.others(others));
        }
        let found = Unit::of(&self.goal.metric).text(self.found[best].mean);
        format!("{none}; the best is {at} with {found}")
    }

    fn value(&self, point: usize) -> f64 {
        self.sweep.points[point].first()
    }

    fn smallest(&self, points: &[usize]) -> Option<usize> {
        let reached = points
            .iter()
            .copied()
            .filter(|it| self.sweep.points[*it].reached == Some(true));
        reached.min_by(|a, b| by_values(&self.sweep.points[*a].values, &self.sweep.points[*b].values))
    }

    fn nearest(&self, points: &[usize]) -> Option<usize> {
        let finite = points.iter().copied().filter(|it| self.found[*it].mean.is_finite());
        // An unstable point is no example to follow, unless all are.
        let stable = |it: &usize| self.sweep.points[*it].report.unstable.is_none();
        let better = |a: &usize, b: &usize| {
            let (a, b) = (self.found[*a].mean, self.found[*b].mean);
            match self.goal.bound {
                Bound::AtMost(_) => a.total_cmp(&b),
                Bound::AtLeast(_) => b.total_cmp(&a),
            }
        };
        finite
            .clone()
            .filter(stable)
            .min_by(better)
            .or_else(|| finite.min_by(better))
    }
}

fn by_values(a: &[f64], b: &[f64]) -> Ordering {
    let each = a.iter().zip(b).map(|(a, b)| a.total_cmp(b));
    each.fold(Ordering::Equal, Ordering::then)
}
