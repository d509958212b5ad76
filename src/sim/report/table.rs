//! A report as a table for the terminal.

use {
    super::{
        Estimate, FleetReport, QueueReport, Report, TimeReport,
        text::{self, plain, shortened},
    },
    std::fmt::{self, Write as _},
};

/// No line is longer.
pub(in crate::sim) const WIDTH: usize = 100;

/// Groups that are shown.
const GROUPS: usize = 10;

/// A table of at most 100 columns.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", shortened(&self.name, WIDTH))?;
        writeln!(f, "{}", self.about())?;
        if let Some(unstable) = &self.unstable {
            wrapped(f, &unstable.to_string())?;
        }
        for warning in &self.warnings {
            wrapped(f, &format!("warning: {warning}"))?;
        }
        for (name, queue) in &self.queues {
            write_queue(f, name, queue)?;
            match &self.closed_forms(name, queue)[..] {
                [only] => wrapped(f, &only.join(": "))?,
                rows => write_rows(f, rows)?,
            }
        }
        for (name, fleet) in &self.fleets {
            write_fleet(f, name, fleet)?;
        }
        let month = text::dollars(self.cost_per_month);
        writeln!(
            f,
            "\ncost of API calls: {}; in 30 days {month}",
            text::dollars(self.cost)
        )
    }
}

impl Report {
    /// What was measured.
    pub(in crate::sim) fn about(&self) -> String {
        let warm_up = if self.warm_up > 0.0 {
            format!(" after {} of warm-up", text::span(self.warm_up))
        } else {
            String::new()
        };
        let replications = text::counted(self.replications as f64, "replication");
        format!(
            "{} measured{warm_up}, {replications}, seed {}",
            text::span(self.measured),
            self.seed
        )
    }
}

/// A name and what it counts.
pub(super) type Line = (&'static str, String);

impl QueueReport {
    pub(super) fn kind(&self) -> String {
        let kind = if self.fifo { "FIFO" } else { "standard" };
        let of = if self.dead_letter_queue {
            ", dead-letter queue"
        } else {
            ""
        };
        format!("{kind}{of}")
    }

    /// The totals that say something: rare events only if they happened.
    pub(super) fn lines(&self) -> Vec<Line> {
        let with_share = |count, share: Estimate| {
            let share = if share.mean.is_finite() {
                format!("  ({})", text::percent_estimate(share))
            } else {
                String::new()
            };
            format!("{count}{share}")
        };
        let mut lines = vec![("sent", text::estimate(self.sent))];
        let happened = |it: Estimate| it.mean > 0.0;
        if !self.dead_letter_queue || happened(self.received) {
            lines.push(("receives", text::estimate(self.received)));
            lines.push(("done", with_share(text::estimate(self.done), Estimate::NOTHING)));
            lines.push((
                "done more than once",
                with_share(text::estimate(self.done_more_than_once), self.duplicate_share),
            ));
            lines.push(("begun more than once", text::estimate(self.begun_more_than_once)));
        }
        if happened(self.dead_lettered) {
            lines.push((
                "dead-lettered",
                with_share(text::estimate(self.dead_lettered), self.dead_letter_share),
            ));
        }
        if happened(self.expired) {
            lines.push(("expired", text::estimate(self.expired)));
        }
        if happened(self.refused) {
            lines.push(("refused sends", text::estimate(self.refused)));
        }
        lines.push(("left at the end", text::estimate(self.left)));
        lines.push(("visible, mean", text::estimate(self.visible)));
        lines.push(("in flight, mean", text::estimate(self.in_flight)));
        if !self.dead_letter_queue || happened(self.received) {
            lines.push(("done per second", text::estimate(self.throughput)));
        }
        if let Some(load) = self.offered_load {
            lines.push(("offered load", text::number(load)));
        }
        let state = if self.little.holds { "holds" } else { "does not hold" };
        let ratio = if self.little.ratio.is_finite() {
            format!(": counted / spent = {:.4}", self.little.ratio)
        } else {
            String::new()
        };
        lines.push(("Little's law", format!("{state}{ratio}")));
        lines
    }
}

impl FleetReport {
    pub(super) fn lines(&self) -> Vec<Line> {
        let mut lines = vec![
            ("workers, mean", text::estimate(self.workers)),
            ("utilisation", text::percent_estimate(self.utilisation)),
            ("handlers begun", text::estimate(self.begun)),
        ];
        let rare = [
            ("handlers failed", self.failed),
            ("handlers cut short", self.cut_short),
            ("crashes", self.crashes),
            ("restarts", self.restarts),
            ("heartbeats", self.heartbeats),
            ("calls that failed", self.failed_calls),
        ];
        let rare = rare.into_iter().filter(|it| it.1.mean > 0.0);
        lines.extend(rare.map(|(name, it)| (name, text::estimate(it))));
        lines.push(("busy", text::seconds_estimate(self.busy_seconds)));
        let share = text::percent_estimate(self.wasted_share);
        lines.push((
            "wasted",
            format!("{}  ({share})", text::seconds_estimate(self.wasted_seconds)),
        ));
        lines
    }
}

impl QueueReport {
    /// The API calls with a header, empty if there are none.
    pub(super) fn call_rows(&self) -> Vec<Vec<String>> {
        if self.calls.is_empty() {
            return Vec::new();
        }
        let header = ["API calls", "requests", "billed", "cost"].map(str::to_owned).to_vec();
        let rows = self.calls.iter().map(|(action, it)| {
            let [requests, billed] = [it.requests, it.billed].map(text::estimate);
            vec![action.clone(), requests, billed, text::dollars(it.cost)]
        });
        std::iter::once(header).chain(rows).collect()
    }
}

/// The header of a table of times.
pub(super) const TIMES: [&str; 7] = ["seconds", "mean", "p50", "p90", "p95", "p99", "max"];

pub(super) fn times(name: &str, time: &TimeReport) -> [String; 7] {
    let quantiles = [time.p50, time.p90, time.p95, time.p99, time.max].map(text::number);
    let [p50, p90, p95, p99, max] = quantiles;
    [name.to_owned(), text::estimate(time.mean), p50, p90, p95, p99, max]
}

/// The groups that received something, those with the most messages first.
pub(super) fn largest_groups(queue: &QueueReport) -> Vec<(&String, &super::GroupReport)> {
    let received = |it: &(&String, &super::GroupReport)| it.1.time_to_first_receive.count > 0;
    let mut groups: Vec<_> = queue.groups.iter().filter(received).collect();
    groups.sort_by(|a, b| b.1.sent.mean.total_cmp(&a.1.sent.mean));
    groups
}

fn write_queue(f: &mut fmt::Formatter<'_>, name: &str, queue: &QueueReport) -> fmt::Result {
    writeln!(f, "\nqueue {} ({})", shortened(name, 50), queue.kind())?;
    write_lines(f, &queue.lines())?;
    let mut rows = vec![TIMES.map(str::to_owned).to_vec()];
    for (name, time) in [
        ("to first receive", &queue.time_to_first_receive),
        ("to completion", &queue.time_to_completion),
    ] {
        if time.count > 0 {
            rows.push(times(name, time).to_vec());
        }
    }
    let groups = largest_groups(queue);
    if groups.len() > 1 {
        let mut header = TIMES.map(str::to_owned);
        header[0] = "to first receive, by group".to_owned();
        rows.push(header.to_vec());
        let shown = groups.iter().take(GROUPS);
        rows.extend(shown.map(|(name, it)| times(name, &it.time_to_first_receive).to_vec()));
    }
    if rows.len() > 1 {
        write_rows(f, &rows)?;
    }
    if groups.len() > GROUPS {
        writeln!(f, "  and {} more groups", groups.len() - GROUPS)?;
    }
    write_rows(f, &queue.call_rows())
}

fn write_fleet(f: &mut fmt::Formatter<'_>, name: &str, fleet: &FleetReport) -> fmt::Result {
    writeln!(
        f,
        "\nfleet {} on queue {}",
        shortened(name, 40),
        shortened(&fleet.queue, 40)
    )?;
    write_lines(f, &fleet.lines())?;
    for (fault, often) in &fleet.faults {
        writeln!(f, "  fault {}  {}", plain(fault), text::estimate(*often))?;
    }
    if fleet.service_time.count == 0 {
        return Ok(());
    }
    write_rows(
        f,
        &[
            TIMES.map(str::to_owned).to_vec(),
            times("service", &fleet.service_time).to_vec(),
        ],
    )
}

fn write_lines(f: &mut fmt::Formatter<'_>, lines: &[Line]) -> fmt::Result {
    lines
        .iter()
        .try_for_each(|(name, value)| writeln!(f, "  {name:<22}{value}"))
}

/// The first column to the left, the others to the right, each as wide as its widest cell. A first column that would
/// make lines too long is cut.
pub(in crate::sim) fn write_rows(f: &mut impl fmt::Write, rows: &[Vec<String>]) -> fmt::Result {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter()
            .filter_map(|it| it.get(column))
            .map(|it| it.chars().count())
            .max()
    };
    let widths: Vec<usize> = (0..columns).map(|it| width(it).unwrap_or(0)).collect();
    let others: usize = widths.iter().skip(1).map(|it| it + 2).sum();
    let first = widths
        .first()
        .map_or(0, |it| (*it).min((WIDTH - 2).saturating_sub(others).max(8)));
    for row in rows {
        let mut line = String::from("  ");
        for (column, cell) in row.iter().enumerate() {
            match column {
                0 => write!(line, "{:<first$}", shortened(cell, first))?,
                _ => write!(line, "  {cell:>0$}", widths[column])?,
            }
        }
        writeln!(f, "{}", line.trim_end())?;
    }
    Ok(())
}

/// On lines that are not too long.
pub(in crate::sim) fn wrapped(f: &mut impl fmt::Write, text: &str) -> fmt::Result {
    let mut used = 0;
    for word in plain(text).split_whitespace() {
        let word = shortened(word, WIDTH);
        let length = word.chars().count();
        let separator = match used {
            0 => "",
            _ if used + 1 + length <= WIDTH => " ",
            _ => {
                used = 0;
                "\n"
            }
        };
        used += length + usize::from(separator == " ");
        write!(f, "{separator}{word}")?;
    }
    writeln!(f)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::report::made_up;

    #[test]
    fn a_table_names_the_numbers_with_intervals_and_units() {
        let text = made_up::report(3).to_string();
        for expected in [
            "1 h 50 min measured after 10 min of warm-up, 3 replications, seed 7",
            "queue jobs (standard)",
            "  sent                  144,120 +- 298",
            "  done more than once   154 +- 27  (0.1077 +- 0.0191 %)",
            "fleet workers on queue jobs",
            "  fault DuplicateDelivery  12 +- 0",
            "cost of API calls: $ 0.04 +- 0; in 30 days $ 15.71 +- 0",
        ] {
            assert!(text.contains(expected), "no {expected:?} in\n{text}");
        }
    }

    #[test]
    fn no_line_is_longer_than_a_hundred_columns() {
        let mut report = made_up::report(2);
        let long = "g".repeat(300);
        report.name.clone_from(&long);
        report
            .warnings
            .push(format!("words {} {long}", "and words ".repeat(40)));
        let jobs = report.queues.get_mut("jobs").unwrap();
        let group = jobs.groups["tenant-0001"].clone();
        jobs.groups.insert(long.clone(), group);
        jobs.sent = Estimate {
            mean: 123_456_789_012.0,
            half_width: Some(98_765_432.0),
        };
        let mut fleet = report.fleets["workers"].clone();
        fleet.queue = "q".repeat(80);
        report.fleets.insert(long, fleet);
        let jobs = report.queues["jobs"].clone();
        report.queues.insert("q".repeat(80), jobs);
        let text = report.to_string();
        for line in text.lines() {
            assert!(line.chars().count() <= WIDTH, "{line}");
        }
    }

    #[test]
    fn names_cannot_move_the_cursor() {
        let mut report = made_up::report(1);
        report.name = "\u{1b}[2Jgone\r\n".to_owned();
        assert!(!report.to_string().contains(['\u{1b}', '\r']));
    }

    #[test]
    fn an_unstable_run_says_so_at_the_top() {
        let mut report = made_up::report(1);
        report.unstable = Some(super::super::Unstable {
            queue: Some("jobs".to_owned()),
            load: Some(1.3),
            ended_at: Some(4_320.0),
            messages: Some(250_001),
            bytes: Some(8_000_032),
            ended_early: 1,
        });
        let text = report.to_string();
        let line = text.lines().nth(2).unwrap();
        assert!(
            line.starts_with("unstable: load 1.3: queue \"jobs\" gets more than its workers can do"),
            "{line}"
        );
    }
}
