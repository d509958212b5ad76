//! Runs entrants in turn and reports one against the others.
//!
//! A round runs every entrant once, and each round starts with another one, so that a machine that slows down
//! slows all of them. Most rounds are over within a millisecond, so that what else runs disturbs few of them. A
//! figure is the median of its rounds, a ratio the median of the rounds' own ratios: the two columns of nanoseconds
//! need not divide to exactly the ratio beside them.

/// How much work a run does.
#[derive(Clone, Copy)]
pub(crate) struct Scale {
    brief: bool,
}

impl Scale {
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
    /// The largest ratio that the design allows, and against whom.
    pub(crate) limit: Option<(&'static str, f64)>,
    pub(crate) entrants: fn(Scale) -> Vec<Entrant>,
}

/// What the command line asks for.
pub(crate) struct Options {
    pub(crate) scale: Scale,
    pub(crate) json: bool,
    filters: Vec<String>,
}

impl Options {
    /// Reads the arguments that cargo and the reader give.
    ///
    /// Cargo passes `--bench` for `cargo bench` only; without it (`cargo test --all-targets`) the run is brief.
    pub(crate) fn from_arguments(arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let (mut bench, mut brief, mut json, mut filters) = (false, false, false, Vec::new());
        for argument in arguments {
            match argument.as_str() {
                "--bench" => bench = true,
                "--test" | "--quick" => brief = true,
                "--json" => json = true,
                other if other.starts_with('-') => {
                    return Err(format!(
                        "unknown option {other}: expected --json, --quick, --test or words that case names contain"
                    ));
                }
                word => filters.push(word.to_owned()),
            }
        }
        Ok(Self {
            scale: Scale { brief: brief || !bench },
            json,
            filters,
        })
    }

    /// Whether all cases are asked for, for readers.
    #[allow(dead_code, reason = "not every bench has more to say than its cases")]
    pub(crate) fn is_whole(&self) -> bool {
        self.filters.is_empty() && !self.json
    }

    pub(crate) fn wants(&self, case: &str) -> bool {
        self.filters.is_empty() || self.filters.iter().any(|filter| case.contains(filter.as_str()))
    }
}

struct Line {
    rival: &'static str,
    requeue_ns: f64,
    rival_ns: f64,
    ratio: f64,
}

/// Runs the cases that `options` asks for and prints their lines as they come.
pub(crate) fn run(cases: &[Case], options: &Options) {
    if !options.json {
        println!(
            "{:<28} {:>11}  {:<20} {:>11} {:>7}  limit",
            "case", "requeue ns", "rival", "rival ns", "ratio"
        );
    }
    for case in cases.iter().filter(|case| options.wants(case.name)) {
        for line in measure(case, options.scale) {
            if options.json {
                print_json(case, &line);
            } else {
                print_row(case, &line);
            }
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
        requeue_ns,
        rival_ns: median(theirs.iter().copied()),
        ratio: ratio(ours, theirs),
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

fn print_row(case: &Case, line: &Line) {
    let limit = match case.limit {
        Some((rival, limit)) if rival == line.rival => {
            format!("{limit} {}", if line.ratio <= limit { "met" } else { "MISSED" })
        }
        _ => String::new(),
    };
    let row = format!(
        "{:<28} {:>11.1}  {:<20} {:>11.1} {:>7.2}  {limit}",
        case.name, line.requeue_ns, line.rival, line.rival_ns, line.ratio
    );
    println!("{}", row.trim_end());
}

fn print_json(case: &Case, line: &Line) {
    println!(
        r#"{{"case":"{}","requeue_ns":{:.1},"rival":"{}","rival_ns":{:.1},"ratio":{:.3}}}"#,
        case.name, line.requeue_ns, line.rival, line.rival_ns, line.ratio
    );
}
