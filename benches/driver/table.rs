//! The lines of a table, for readers, for machines and for `benches/README.md`.

use super::{Case, Form, Options, Scale, median};

/// What the runs measured for the first entrant beside one rival, a figure for each run.
pub(crate) struct Line {
    pub(crate) rival: &'static str,
    pub(crate) requeue_ns: Vec<f64>,
    pub(crate) rival_ns: Vec<f64>,
    pub(crate) ratio: Vec<f64>,
}

/// A rival in the Markdown table, and whether a case of the table has a goal against it.
pub(super) struct Column<'a> {
    pub(super) rival: &'a str,
    pub(super) has_goals: bool,
}

pub(super) fn print_head(columns: &[Column<'_>], options: &Options) {
    match options.form {
        Form::Text => {
            let wide = width(options);
            println!(
                "{:<28} {:>wide$}  {:<20} {:>wide$} {:>wide$}  goal",
                "case", "requeue ns", "rival", "rival ns", "ratio"
            );
        }
        Form::Json => {}
        Form::Markdown => {
            let (mut heads, mut rules) = (String::new(), String::new());
            for Column { rival, has_goals } in columns {
                heads += &format!(" {rival} | ratio |{}", if *has_goals { " goal |" } else { "" });
                rules += if *has_goals { "---:|---:|---:|" } else { "---:|---:|" };
            }
            println!("| case | requeue |{heads}\n|---|---:|{rules}");
        }
    }
}

/// A spread needs room for three figures.
fn width(options: &Options) -> usize {
    if options.runs > 1 { 24 } else { 11 }
}

pub(super) fn print(case: &Case, lines: &[Line], columns: &[Column<'_>], options: &Options) {
    match options.form {
        Form::Text => lines
            .iter()
            .for_each(|line| println!("{}", text(case, line, width(options), options.scale))),
        Form::Json => lines.iter().for_each(|line| println!("{}", json(case, line))),
        Form::Markdown => match markdown(case, lines, columns, options.scale) {
            Some(row) => println!("{row}"),
            None => eprintln!("{} has no row: the table has none of its rivals", case.name),
        },
    }
}

/// A brief run has goals and no verdicts.
fn text(case: &Case, line: &Line, wide: usize, scale: Scale) -> String {
    let goal = match case.limit(line.rival) {
        None => String::new(),
        Some(limit) if !scale.is_judged() => limit.to_string(),
        Some(limit) if line.middle_ratio() <= limit => format!("{limit} met"),
        Some(limit) => format!("{limit} MISSED"),
    };
    let row = format!(
        "{:<28} {:>wide$}  {:<20} {:>wide$} {:>wide$}  {goal}",
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

/// The row of a case, unless it has none of the rivals that the table has. A ratio that misses its goal is bold.
fn markdown(case: &Case, lines: &[Line], columns: &[Column<'_>], scale: Scale) -> Option<String> {
    let of = |column: &Column<'_>| lines.iter().find(|line| line.rival == column.rival);
    let requeue = columns.iter().find_map(of)?;
    let mut row = format!("| `{}` | {} |", case.name, with_spread(&requeue.requeue_ns, 0));
    for column in columns {
        row += &match of(column) {
            Some(line) => {
                let rival_ns = median(line.rival_ns.iter().copied());
                let missed = case.limit(line.rival).is_some_and(|limit| line.middle_ratio() > limit);
                let mark = if missed && scale.is_judged() { "**" } else { "" };
                let ratio = with_spread(&line.ratio, line.ratio_digits());
                format!(" {rival_ns:.0} | {mark}{ratio}{mark} |")
            }
            None => " - | - |".to_owned(),
        };
        match case.limit(column.rival) {
            _ if !column.has_goals => {}
            Some(limit) => row += &format!(" {limit} |"),
            None => row += " - |",
        }
    }
    Some(row)
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

    const FULL: Scale = Scale { brief: false };
    const BRIEF: Scale = Scale { brief: true };

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
        let row = text(&CASE, &line("hand-written", &[2.0, 1.2, 1.0, 1.25, 1.9]), 24, FULL);
        assert!(row.ends_with("1.25 (1.00 to 2.00)  1.25 met"), "{row}");
        let row = text(&CASE, &line("hand-written", &[1.0, 1.26, 1.3]), 24, FULL);
        assert!(row.ends_with("1.26 (1.00 to 1.30)  1.25 MISSED"), "{row}");
    }

    #[test]
    fn a_brief_run_has_goals_and_no_verdicts() {
        for ratio in [1.0, 2.0] {
            let row = text(&CASE, &line("hand-written", &[ratio]), 11, BRIEF);
            assert!(row.ends_with("0  1.25"), "{row}");
        }
        let columns = [Column {
            rival: "hand-written",
            has_goals: true,
        }];
        let row = markdown(&CASE, &[line("hand-written", &[2.0])], &columns, BRIEF);
        assert_eq!(row.as_deref(), Some("| `cycle` | 200 | 100 | 2.00 | 1.25 |"));
    }

    #[test]
    fn each_rival_has_a_goal_of_its_own() {
        let row = text(&CASE, &line("crossbeam-channel", &[3.0]), 11, FULL);
        assert!(row.ends_with("3.00  3.7 met"), "{row}");
        let row = text(&CASE, &line("flume", &[3.0]), 11, FULL);
        assert!(row.ends_with("3.00"), "{row}");
    }

    #[test]
    fn a_row_of_markdown_has_the_rivals_of_the_table_in_its_order() {
        let column = |rival, has_goals| Column { rival, has_goals };
        let columns = [
            column("hand-written", true),
            column("crossbeam-channel", true),
            column("flume", false),
        ];
        let lines = [
            line("flume", &[2.0]),
            line("crossbeam-channel", &[3.7]),
            line("hand-written", &[1.5, 1.7, 1.6]),
        ];
        let row = markdown(&CASE, &lines, &columns, FULL);
        let expected =
            "| `cycle` | 160 (150 to 170) | 100 | **1.60 (1.50 to 1.70)** | 1.25 | 100 | 3.70 | 3.7 | 100 | 2.00 |";
        assert_eq!(row.as_deref(), Some(expected));
        let row = markdown(&CASE, &lines[2..], &columns[..2], FULL);
        assert!(row.is_some_and(|row| row.ends_with("| 1.25 | - | - | 3.7 |")));
        assert_eq!(markdown(&CASE, &lines[..1], &columns[..2], FULL), None);
    }

    #[test]
    fn a_rival_that_costs_many_times_as_much_shows_a_ratio() {
        let row = text(&CASE, &line("rustack-sqs-core", &[0.0123]), 11, FULL);
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
