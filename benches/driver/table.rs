//! The lines of a table, for readers, for machines and for `benches/README.md`.

use super::{Case, Form, Options, median};

/// What the runs measured for the first entrant beside one rival, a figure for each run.
pub(crate) struct Line {
    pub(crate) rival: &'static str,
    pub(crate) requeue_ns: Vec<f64>,
    pub(crate) rival_ns: Vec<f64>,
    pub(crate) ratio: Vec<f64>,
}

pub(super) fn print_head(columns: &[&str], options: &Options) {
    match options.form {
        Form::Text => {
            let wide = width(options);
            println!(
                "{:<28} {:>wide$}  {:<20} {:>wide$} {:>wide$}  limit",
                "case", "requeue ns", "rival", "rival ns", "ratio"
            );
        }
        Form::Json => {}
        Form::Markdown => {
            let heads = columns.iter().map(|rival| format!(" {rival} | ratio | goal |"));
            println!("| case | requeue |{}", heads.collect::<String>());
            println!("|---|---:|{}", "---:|---:|---:|".repeat(columns.len()));
        }
    }
}

/// A spread needs room for three figures.
fn width(options: &Options) -> usize {
    if options.runs > 1 { 24 } else { 11 }
}

pub(super) fn print(case: &Case, lines: &[Line], columns: &[&str], options: &Options) {
    match options.form {
        Form::Text => lines
            .iter()
            .for_each(|line| println!("{}", text(case, line, width(options)))),
        Form::Json => lines.iter().for_each(|line| println!("{}", json(case, line))),
        Form::Markdown => {
            if let Some(row) = markdown(case, lines, columns) {
                println!("{row}");
            }
        }
    }
}

fn text(case: &Case, line: &Line, wide: usize) -> String {
    let limit = match case.limit(line.rival) {
        Some(limit) => format!(
            "{limit} {}",
            if line.middle_ratio() <= limit { "met" } else { "MISSED" }
        ),
        None => String::new(),
    };
    let row = format!(
        "{:<28} {:>wide$}  {:<20} {:>wide$} {:>wide$}  {limit}",
        case.name,
        with_spread(&line.requeue_ns, 1),
        line.rival,
        with_spread(&line.rival_ns, 1),
        with_spread(&line.ratio, line.ratio_digits()),
    );
    row.trim_end().to_owned()
}

fn json(case: &Case, line: &Line) -> String {
    let figure = |name: &str, figures: &[f64], digits| {
        let (low, middle, high) = spread(figures);
        format!(r#""{name}":{middle:.digits$},"{name}_spread":[{low:.digits$},{high:.digits$}]"#)
    };
    format!(
        r#"{{"case":"{}","rival":"{}","runs":{},{},{},{}}}"#,
        case.name,
        line.rival,
        line.ratio.len(),
        figure("requeue_ns", &line.requeue_ns, 1),
        figure("rival_ns", &line.rival_ns, 1),
        figure("ratio", &line.ratio, line.ratio_digits() + 1),
    )
}

/// The row of a case, unless it has none of the rivals that the table has.
fn markdown(case: &Case, lines: &[Line], columns: &[&str]) -> Option<String> {
    let of = |rival: &&str| lines.iter().find(|line| line.rival == *rival);
    let requeue = columns.iter().find_map(of)?;
    let cells = columns.iter().map(|rival| {
        let goal = case
            .limit(rival)
            .map_or_else(|| "-".to_owned(), |limit| limit.to_string());
        match of(rival) {
            Some(line) => {
                let rival_ns = median(line.rival_ns.iter().copied());
                format!(
                    " {rival_ns:.0} | {} | {goal} |",
                    with_spread(&line.ratio, line.ratio_digits())
                )
            }
            None => " - | - | - |".to_owned(),
        }
    });
    let cells: String = cells.collect();
    Some(format!(
        "| `{}` | {} |{cells}",
        case.name,
        with_spread(&requeue.requeue_ns, 0)
    ))
}

/// The median, and of several figures the lowest and the highest as well.
fn with_spread(figures: &[f64], digits: usize) -> String {
    let (low, middle, high) = spread(figures);
    if figures.len() == 1 {
        format!("{middle:.digits$}")
    } else {
        format!("{middle:.digits$} ({low:.digits$} to {high:.digits$})")
    }
}

fn spread(figures: &[f64]) -> (f64, f64, f64) {
    let low = figures.iter().copied().fold(f64::INFINITY, f64::min);
    let high = figures.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    (low, median(figures.iter().copied()), high)
}

impl Line {
    fn middle_ratio(&self) -> f64 {
        median(self.ratio.iter().copied())
    }

    /// A rival that costs many times as much still shows a figure.
    fn ratio_digits(&self) -> usize {
        if self.middle_ratio() < 0.1 { 3 } else { 2 }
    }
}

#[cfg(test)]
#[allow(
    dead_code,
    unused_imports,
    reason = "a bench has no harness; `tests/layering` runs them"
)]
mod tests {
    use super::*;

    const CASE: Case = Case {
        name: "cycle",
        operations: 1,
        rounds: 1,
        limits: &[("hand-written", 1.25), ("crossbeam-channel", 3.7)],
        entrants: |_| Vec::new(),
    };

    fn line(rival: &'static str, ratio: &[f64]) -> Line {
        Line {
            rival,
            requeue_ns: ratio.iter().map(|ratio| 100.0 * ratio).collect(),
            rival_ns: vec![100.0; ratio.len()],
            ratio: ratio.to_vec(),
        }
    }

    #[test]
    fn a_goal_is_judged_by_the_median_of_the_runs() {
        let row = text(&CASE, &line("hand-written", &[2.0, 1.2, 1.0, 1.25, 1.9]), 24);
        assert!(row.ends_with("1.25 (1.00 to 2.00)  1.25 met"), "{row}");
        let row = text(&CASE, &line("hand-written", &[1.0, 1.26, 1.3]), 24);
        assert!(row.ends_with("1.26 (1.00 to 1.30)  1.25 MISSED"), "{row}");
    }

    #[test]
    fn each_rival_has_a_goal_of_its_own() {
        let row = text(&CASE, &line("crossbeam-channel", &[3.0]), 11);
        assert!(row.ends_with("3.00  3.7 met"), "{row}");
        let row = text(&CASE, &line("flume", &[3.0]), 11);
        assert!(row.ends_with("3.00"), "{row}");
    }

    #[test]
    fn a_row_of_markdown_has_the_rivals_of_the_table_in_its_order() {
        let lines = [
            line("crossbeam-channel", &[4.0]),
            line("hand-written", &[1.5, 1.7, 1.6]),
        ];
        let row = markdown(&CASE, &lines, &["hand-written", "crossbeam-channel"]);
        let expected = "| `cycle` | 160 (150 to 170) | 100 | 1.60 (1.50 to 1.70) | 1.25 | 100 | 4.00 | 3.7 |";
        assert_eq!(row.as_deref(), Some(expected));
        let row = markdown(&CASE, &lines[1..], &["hand-written", "crossbeam-channel"]);
        assert!(row.is_some_and(|row| row.ends_with("| 1.25 | - | - | - |")));
        assert_eq!(markdown(&CASE, &[line("flume", &[1.0])], &["hand-written"]), None);
    }

    #[test]
    fn a_rival_that_costs_many_times_as_much_shows_a_ratio() {
        let row = text(&CASE, &line("rustack-sqs-core", &[0.0123]), 11);
        assert!(row.ends_with(" 0.012"), "{row}");
    }

    #[test]
    fn an_object_tells_the_median_and_the_spread() {
        let expected = concat!(
            r#"{"case":"cycle","rival":"flume","runs":3,"requeue_ns":150.0,"requeue_ns_spread":[100.0,200.0],"#,
            r#""rival_ns":100.0,"rival_ns_spread":[100.0,100.0],"ratio":1.500,"ratio_spread":[1.000,2.000]}"#
        );
        assert_eq!(json(&CASE, &line("flume", &[2.0, 1.0, 1.5])), expected);
    }
}
