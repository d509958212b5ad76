//! Runs entrants in turn and reports one against the others.
//!
//! A round runs every entrant once, and each round starts with another one, so that a machine that slows down
//! slows all of them. Most rounds are over within a millisecond, so that what else runs disturbs few of them. A
//! figure is the median of its rounds, a ratio the median of the rounds' own ratios: the two columns of nanoseconds
//! need not divide to exactly the ratio beside them. With `--runs` all of it is done several times, and a figure is the
//! median of the runs, with the lowest and the highest of them as its spread; limits are judged by the median.

mod options;
mod table;

pub(crate) use options::{Form, Options, WORD};
use {
    std::process::ExitCode,
    table::{Column, Line},
};

/// How much work a run does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Scale {
    brief: bool,
}

/// The last line of a brief run, whose figures mean nothing.
pub(crate) const NOT_JUDGED: &str = "brief: the goals are not judged";

impl Scale {
    /// Whether the figures are good enough to be compared with goals.
    pub(crate) fn is_judged(self) -> bool {
        !self.brief
    }

    /// `full` rounds, or one in a brief run.
    pub(crate) fn rounds(self, full: usize) -> usize {
        if self.brief { 1 } else { full }
    }

    /// `full` operations or messages, or a hundredth of them (ten at least) in a brief run.
    pub(crate) fn of(self, full: usize) -> usize {
        if self.brief {
            (full / 100).max(10).min(full)
        } else {
            full
        }
    }
}

/// One of those compared: `run` does so many operations and answers nanoseconds per operation.
pub(crate) struct Entrant {
    pub(crate) name: &'static str,
    pub(crate) run: Box<dyn FnMut(usize) -> f64>,
}

/// One line of the table per rival: the first entrant against each of the others.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// Operations in one round.
    pub(crate) operations: usize,
    pub(crate) rounds: usize,
    /// The largest ratios that the design allows, and against whom.
    pub(crate) limits: &'static [(&'static str, f64)],
    pub(crate) entrants: fn(Scale) -> Vec<Entrant>,
}

impl Case {
    pub(crate) fn limit(&self, rival: &str) -> Option<f64> {
        let mut limits = self.limits.iter();
        limits.find(|(name, _)| *name == rival).map(|(_, limit)| *limit)
    }
}

/// Runs the cases that the command line asks for and prints their lines; `columns` are the rivals of the Markdown table.
/// Returns the options, or with what code the bench ends that is not to run.
///
/// A single run prints each case as soon as it is measured. Several run the whole table in turn, every run with entrants
/// of its own, and print the medians of the runs at the end.
pub(crate) fn run(bench: &str, cases: &[Case], columns: &[&str]) -> Result<Options, ExitCode> {
    let names: Vec<_> = cases.iter().map(|case| case.name).collect();
    let options = Options::read(bench, &["--quick", "--json", "--markdown", "--runs", WORD], &names)?;
    let wanted: Vec<_> = cases.iter().filter(|case| options.wants(case.name)).collect();
    let mut measured: Vec<Vec<Line>> = wanted.iter().map(|_| Vec::new()).collect();
    let has_goals = |rival| cases.iter().any(|case| case.limit(rival).is_some());
    let columns = columns.iter().map(|&rival| Column {
        rival,
        has_goals: has_goals(rival),
    });
    let columns: Vec<_> = columns.collect();
    table::print_head(&columns, &options);
    for run in 1..=options.runs {
        if options.runs > 1 {
            eprintln!("run {run} of {}", options.runs);
        }
        for (case, lines) in wanted.iter().zip(&mut measured) {
            add(lines, measure(case, options.scale));
            if run == options.runs {
                table::print(case, lines, &columns, &options);
            }
        }
    }
    if !options.scale.is_judged() && cases.iter().any(|case| !case.limits.is_empty()) {
        match options.form {
            Form::Text => println!("{NOT_JUDGED}"),
            Form::Json | Form::Markdown => eprintln!("{NOT_JUDGED}"),
        }
    }
    Ok(options)
}

/// Adds the figures of one more run, in which a case has the same rivals in the same order.
fn add(lines: &mut Vec<Line>, run: Vec<Line>) {
    if lines.is_empty() {
        *lines = run;
    } else {
        for (line, once_more) in lines.iter_mut().zip(run) {
            line.requeue_ns.extend(once_more.requeue_ns);
            line.rival_ns.extend(once_more.rival_ns);
            line.ratio.extend(once_more.ratio);
        }
    }
}

fn measure(case: &Case, scale: Scale) -> Vec<Line> {
    let mut entrants = (case.entrants)(scale);
    let figures = take_turns(&mut entrants, scale.of(case.operations), scale.rounds(case.rounds));
    let (ours, rivals) = figures.split_first().expect("a case has entrants");
    let requeue_ns = median(ours.iter().copied());
    let compare = |(rival, theirs): (&'static str, &Vec<f64>)| Line {
        rival,
        requeue_ns: vec![requeue_ns],
        rival_ns: vec![median(theirs.iter().copied())],
        ratio: vec![ratio(ours, theirs)],
    };
    entrants
        .iter()
        .skip(1)
        .map(|entrant| entrant.name)
        .zip(rivals)
        .map(compare)
        .collect()
}

/// What each entrant took, round by round.
pub(crate) fn take_turns(entrants: &mut [Entrant], operations: usize, rounds: usize) -> Vec<Vec<f64>> {
    for entrant in &mut *entrants {
        (entrant.run)(operations.div_ceil(10)); // fills caches and the allocator's lists; not counted
    }
    let mut figures = vec![Vec::with_capacity(rounds); entrants.len()];
    for round in 0..rounds {
        for turn in 0..entrants.len() {
            let index = (round + turn) % entrants.len();
            figures[index].push((entrants[index].run)(operations));
        }
    }
    figures
}

/// The median of the ratios that `ours` and `theirs` had in each round.
pub(crate) fn ratio(ours: &[f64], theirs: &[f64]) -> f64 {
    median(ours.iter().zip(theirs).map(|(ours, theirs)| ours / theirs))
}

/// The middle of `figures`, the lower of two middles.
pub(crate) fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = figures.collect();
    sorted.sort_by(f64::total_cmp);
    sorted[(sorted.len() - 1) / 2]
}
