//! Events as lines of text.

use {
    super::{
        Event,
        fold::{Cycle, Row, fold},
    },
    std::{env, io::IsTerminal},
};

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// The codes that a terminal colours text by, or none.
#[derive(Clone, Copy)]
pub(in crate::testing) struct Colours {
    pub(super) faint: &'static str,
    pub(super) red: &'static str,
    bold: &'static str,
    pub(super) plain: &'static str,
}

impl Colours {
    pub(in crate::testing) const fn of(colour: bool) -> Self {
        if colour {
            Self {
                faint: "\u{1b}[2m",
                red: "\u{1b}[31m",
                bold: "\u{1b}[1m",
                plain: "\u{1b}[0m",
            }
        } else {
            Self {
                faint: "",
                red: "",
                bold: "",
                plain: "",
            }
        }
    }
}

/// Whether a stream is a terminal, and nobody asked for no colour.
pub(in crate::testing) fn is_coloured(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && env::var_os("NO_COLOR").is_none_or(|it| it.is_empty())
}

/// Minutes, seconds and milliseconds since the beginning; from an hour on hours, and from a day on days before them.
pub(in crate::testing) fn instant(millis: u64) -> String {
    let (days, hours, minutes) = (millis / DAY, millis / HOUR % 24, millis / MINUTE % 60);
    let seconds = format!("{:02}.{:03}", millis / SECOND % 60, millis % SECOND);
    match (days, hours) {
        (0, 0) => format!("{minutes}:{seconds}"),
        (0, _) => format!("{hours}:{minutes:02}:{seconds}"),
        _ => format!("{days}d {hours:02}:{minutes:02}:{seconds}"),
    }
}

/// A time span in the largest unit that tells it exactly; from an hour on as an instant where none does shortly.
pub(super) fn span(millis: u64) -> String {
    match millis {
        0 => "0 s".to_owned(),
        _ if millis % HOUR == 0 => format!("{} h", millis / HOUR),
        _ if millis % MINUTE == 0 => format!("{} min", millis / MINUTE),
        _ if millis < SECOND => format!("{millis} ms"),
        _ if millis > HOUR => instant(millis),
        _ => format!("{} s", millis as f64 / SECOND as f64),
    }
}

/// A number with a comma before every three digits.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// What is told of a cycle after its first occurrence.
pub(super) fn again(cycle: &Cycle, events: &[Event]) -> String {
    let period = cycle
        .period
        .map_or_else(String::new, |period| format!(" every {}", span(period)));
    let messages = cycle
        .last_message(events)
        .map_or_else(String::new, |message| format!(" up to {message}"));
    let (first, last) = (&events[cycle.first.start], cycle.last(events));
    let until = match first.at_millis == last.at_millis {
        true => String::new(),
        false => format!(", until {}", instant(last.at_millis)),
    };
    format!(
        "and so on{period}{messages}, {} times in all{until}",
        grouped(cycle.times)
    )
}

/// A line for each event: when, who, what, and an arrow to the fault that struck.
pub(in crate::testing) fn lines(events: &[Event], colours: Colours) -> Vec<String> {
    told(events, (0..events.len()).map(Row::Event), colours)
}

/// As [`lines`], with one line for all further occurrences of a cycle.
pub(super) fn folded_lines(events: &[Event], colours: Colours) -> Vec<String> {
    told(events, fold(events), colours)
}

fn told(events: &[Event], rows: impl IntoIterator<Item = Row>, colours: Colours) -> Vec<String> {
    let Colours {
        faint,
        red,
        bold,
        plain,
    } = colours;
    let rows: Vec<Row> = rows.into_iter().collect();
    let told = || {
        rows.iter().filter_map(|row| match row {
            Row::Event(at) => Some(&events[*at]),
            Row::Again(_) => None,
        })
    };
    let who_width = told().map(|it| it.who.chars().count()).max().unwrap_or(0);
    let times = told().map(|it| instant(it.at_millis).len());
    let time_width = times.max().unwrap_or(0).max("  0:00.000".len());
    let line = |row: &Row| match row {
        Row::Event(at) => {
            let event = &events[*at];
            let (time, who, what) = (instant(event.at_millis), &event.who, &event.what);
            let fault = event
                .fault
                .map_or_else(String::new, |fault| format!("  {red}<- {fault}{plain}"));
            format!("{faint}{time:>time_width$}{plain}  {bold}{who:who_width$}{plain}  {what}{fault}")
        }
        Row::Again(cycle) => format!("{faint}{:>time_width$}  {}{plain}", "...", again(cycle, events)),
    };
    rows.iter().map(line).collect()
}
