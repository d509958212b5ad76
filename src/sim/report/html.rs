//! A report as one page.

use {
    super::{
        FleetReport, QueueReport, Report,
        chart::{dark_rules, escaped},
        table::{self, Line},
        text,
    },
    std::fmt::Write as _,
};

/// Groups that are shown.
const GROUPS: usize = 20;

const STYLE: &str = "\
:root{color-scheme:light dark;--surface:#fcfcfb;--page:#f4f4f1;--ink:#0b0b0b;--label:#52514e;--line:#dedcd5;--bad:#b3261e}\
body{margin:0;background:var(--page);color:var(--ink);font:15px/1.5 system-ui,sans-serif}\
main{max-width:1500px;margin:0 auto;padding:24px}\
h1{font-size:24px;margin:0 0 4px;overflow-wrap:anywhere}h2{font-size:19px;margin:36px 0 8px;overflow-wrap:anywhere}\
p{margin:4px 0;color:var(--label)}p.bad{color:var(--bad);font-weight:600}p.answer{color:var(--ink);font-size:17px}\
.tables{display:flex;flex-wrap:wrap;gap:16px;align-items:flex-start;margin-bottom:16px}\
.charts{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,560px),1fr));gap:16px}\
.small{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,340px),1fr));gap:12px}\
figure{margin:0}svg.chart{display:block;width:100%;height:auto;border:1px solid var(--line);border-radius:6px}\
.tables>div{max-width:100%}.scroll{overflow-x:auto;max-width:100%}\
table{border-collapse:collapse;background:var(--surface);border:1px solid var(--line);font-size:14px;\
font-variant-numeric:tabular-nums}\
th,td{padding:3px 8px;text-align:right;border-top:1px solid var(--line);white-space:nowrap}\
th{color:var(--label);font-weight:600;white-space:normal;vertical-align:bottom}th:first-child,td:first-child{text-align:left}\
td:first-child{max-width:320px;overflow:hidden;text-overflow:ellipsis}tr.best td{font-weight:700}";

const DARK: &str = "\
:root{--surface:#1a1a19;--page:#111110;--ink:#fff;--label:#c3c2b7;--line:#383835;--bad:#f2857d}";

/// A page of its own: nothing in it comes from elsewhere, and it runs no script.
pub(in crate::sim) fn page(title: &str, body: &str) -> String {
    let dark = dark_rules();
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{}</title>\n<style>{STYLE}\n@media (prefers-color-scheme:dark){{{DARK}\n{dark}}}</style></head>\n\
         <body><main>\n{body}</main></body></html>\n",
        escaped(title)
    )
}

/// The first row is the header.
pub(in crate::sim) fn rows(rows: &[Vec<String>], best: Option<usize>) -> String {
    let mut html = String::from("<div class=\"scroll\"><table>\n");
    for (index, row) in rows.iter().enumerate() {
        let tag = if index == 0 { "th" } else { "td" };
        let class = if best.is_some_and(|it| it + 1 == index) {
            " class=\"best\""
        } else {
            ""
        };
        let _ = write!(html, "<tr{class}>");
        for cell in row {
            let _ = write!(html, "<{tag}>{}</{tag}>", nice(cell));
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</table></div>\n");
    html
}

/// With the signs that a terminal may lack.
fn nice(cell: &str) -> String {
    escaped(&cell.replace("+-", "\u{b1}")).replace("  ", " ")
}

fn lines(title: &str, lines: &[Line]) -> String {
    let mut all = vec![vec![title.to_owned(), String::new()]];
    all.extend(
        lines
            .iter()
            .map(|(name, value)| vec![(*name).to_owned(), value.clone()]),
    );
    rows(&all, None)
}

impl Report {
    /// The report as one HTML page with its charts: it needs nothing from elsewhere, runs no script, and follows
    /// whether the reader prefers light or dark.
    ///
    /// # Examples
    /// ```
    /// # let toml = "[queue.jobs]\n[producer.web]\nqueue = 'jobs'\narrivals.constant = { rate = 1 }";
    /// let report = requeue::sim::Scenario::from_toml(toml)?.run()?;
    /// assert!(report.to_html().starts_with("<!doctype html>"));
    /// # Ok::<(), requeue::sim::ScenarioError>(())
    /// ```
    #[must_use]
    pub fn to_html(&self) -> String {
        let mut body = format!("<h1>{}</h1>\n<p>{}</p>\n", escaped(&self.name), escaped(&self.about()));
        if let Some(unstable) = &self.unstable {
            let _ = writeln!(body, "<p class=\"bad\">{}</p>", escaped(&unstable.to_string()));
        }
        for warning in &self.warnings {
            let _ = writeln!(body, "<p class=\"bad\">warning: {}</p>", escaped(warning));
        }
        let cost = nice(&text::dollars(self.cost));
        let month = nice(&text::dollars(self.cost_per_month));
        let _ = writeln!(body, "<p>Cost of API calls: {cost}; in 30 days {month}.</p>");
        body.push_str("<p>Means have 95 % confidence intervals. Quantiles are of all replications together.</p>\n");
        for (name, queue) in &self.queues {
            self.queue_section(&mut body, name, queue);
        }
        for (name, fleet) in &self.fleets {
            self.fleet_section(&mut body, name, fleet);
        }
        page(&self.name, &body)
    }

    fn queue_section(&self, body: &mut String, name: &str, queue: &QueueReport) {
        let _ = writeln!(
            body,
            "<h2>Queue {} ({})</h2>\n<div class=\"tables\">",
            escaped(name),
            queue.kind()
        );
        body.push_str(&lines("messages", &queue.lines()));
        let mut times = vec![table::TIMES.map(str::to_owned).to_vec()];
        times.push(table::times("to first receive", &queue.time_to_first_receive).to_vec());
        times.push(table::times("to completion", &queue.time_to_completion).to_vec());
        if queue.time_to_first_receive.count > 0 {
            body.push_str(&rows(&times, None));
        }
        for table in [queue.call_rows(), self.closed_forms(name, queue)] {
            if !table.is_empty() {
                body.push_str(&rows(&table, None));
            }
        }
        body.push_str(&group_rows(queue));
        body.push_str("</div>\n<div class=\"charts\">\n");
        for (_, chart) in self.queue_figures(name, queue) {
            let _ = writeln!(body, "<figure>{}</figure>", chart.inline());
        }
        body.push_str("</div>\n");
    }

    fn fleet_section(&self, body: &mut String, name: &str, fleet: &FleetReport) {
        let (shown, queue) = (escaped(name), escaped(&fleet.queue));
        let _ = writeln!(body, "<h2>Fleet {shown} on queue {queue}</h2>\n<div class=\"tables\">");
        body.push_str(&lines("work", &fleet.lines()));
        if fleet.service_time.count > 0 {
            let service = table::times("service", &fleet.service_time);
            body.push_str(&rows(
                &[table::TIMES.map(str::to_owned).to_vec(), service.to_vec()],
                None,
            ));
        }
        if !fleet.faults.is_empty() {
            let mut faults = vec![vec!["faults".to_owned(), String::new()]];
            faults.extend(
                fleet
                    .faults
                    .iter()
                    .map(|(name, it)| vec![name.clone(), text::estimate(*it)]),
            );
            body.push_str(&rows(&faults, None));
        }
        body.push_str("</div>\n<div class=\"charts\">\n");
        for (_, chart) in self.fleet_figures(name, fleet) {
            let _ = writeln!(body, "<figure>{}</figure>", chart.inline());
        }
        body.push_str("</div>\n");
    }
}

fn group_rows(queue: &QueueReport) -> String {
    let groups = table::largest_groups(queue);
    if groups.len() < 2 {
        return String::new();
    }
    let header = [
        "group",
        "sent",
        "done",
        "first receive, mean (s)",
        "p50",
        "p99",
        "completion, mean (s)",
        "p50",
        "p99",
    ];
    let mut all = vec![header.map(str::to_owned).to_vec()];
    for (name, group) in groups.iter().take(GROUPS) {
        let mut row = vec![(*name).clone(), text::estimate(group.sent), text::estimate(group.done)];
        for time in [&group.time_to_first_receive, &group.time_to_completion] {
            row.extend([
                text::estimate(time.mean),
                text::number(time.p50),
                text::number(time.p99),
            ]);
        }
        all.push(row);
    }
    let more = groups.len().saturating_sub(GROUPS);
    let note = if more > 0 {
        format!("<p>and {more} more groups</p>")
    } else {
        String::new()
    };
    format!("<div>{}{note}</div>\n", rows(&all, None))
}

#[cfg(test)]
mod tests {
    use crate::sim::report::made_up;

    #[test]
    fn a_page_is_self_contained_and_follows_light_and_dark() {
        let html = made_up::report(3).to_html();
        for absent in ["<script", "<link", "src=", "@import", "url(", "href="] {
            assert!(!html.contains(absent), "{absent}");
        }
        // Its only address is the name of what SVG is.
        assert_eq!(
            html.matches("http").count(),
            html.matches("xmlns=\"http://www.w3.org/2000/svg\"").count()
        );
        assert!(html.contains("@media (prefers-color-scheme:dark)"));
        assert_eq!(html.matches("<svg").count(), 12);
    }

    #[test]
    fn names_of_scenario_groups_and_fleets_are_escaped() {
        let mut report = made_up::report(1);
        let mut fleet = report.fleets["workers"].clone();
        fleet.faults.insert(made_up::NASTY.to_owned(), fleet.begun);
        report.fleets.insert(made_up::NASTY.to_owned(), fleet);
        report.warnings.push(made_up::NASTY.to_owned());
        let html = report.to_html();
        assert!(
            !html.contains("<script") && !html.contains("alert(\""),
            "markup got through"
        );
        assert!(html.contains("&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt; &amp; &#39;y&#39;"));
    }

    #[test]
    fn every_table_scrolls_where_it_does_not_fit_and_long_headers_wrap() {
        let html = made_up::report(2).to_html();
        let tables = html.matches("<table>").count();
        assert!(tables > 4, "{tables}");
        assert_eq!(html.matches("<div class=\"scroll\"><table>").count(), tables);
        assert!(html.contains(".scroll{overflow-x:auto;max-width:100%}"));
        assert!(html.contains("th{color:var(--label);font-weight:600;white-space:normal"));
    }

    #[test]
    fn a_page_is_well_formed() {
        let html = made_up::report(2).to_html();
        // Void elements are closed for a reader of XML.
        let xml = html
            .replace("<!doctype html>", "")
            .replace("<meta charset=\"utf-8\">", "")
            .replace(
                "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">",
                "",
            );
        roxmltree::Document::parse(&xml).unwrap();
        for (name, svg) in made_up::report(2).charts() {
            roxmltree::Document::parse(&svg).unwrap_or_else(|it| panic!("{name}: {it}"));
        }
    }
}
