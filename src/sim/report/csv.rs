//! A report as CSV and JSON.

use {
    super::{Report, SeriesReport},
    crate::sim::report::text,
    ::csv::Writer,
    std::io::{self, Write},
};

impl Report {
    /// Writes the time series as CSV, a line for each point of each series: `kind` (`queue` or `fleet`), `name`,
    /// `series`, `seconds` (the end of the interval), and `mean`, `least` and `greatest` of the replications.
    ///
    /// What no replication reached is empty.
    ///
    /// # Errors
    /// Those of `to`.
    ///
    /// # Examples
    /// ```
    /// # let toml = "[queue.jobs]\n[producer.web]\nqueue = 'jobs'\narrivals.constant = { rate = 1 }";
    /// let report = requeue::sim::Scenario::from_toml(toml)?.run()?;
    /// let mut csv = Vec::new();
    /// report.write_series(&mut csv)?;
    /// assert!(String::from_utf8(csv)?.starts_with("kind,name,series,seconds,mean,least,greatest\nqueue,jobs,visible,15,"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn write_series(&self, to: impl Write) -> io::Result<()> {
        let mut csv = Writer::from_writer(to);
        csv.write_record(["kind", "name", "series", "seconds", "mean", "least", "greatest"])?;
        let all = self.queues.iter().flat_map(|(name, queue)| {
            let all = queue.series.all().into_iter();
            all.map(move |(series, it)| (["queue", name, series], it))
        });
        let all = all.chain(self.fleets.iter().flat_map(|(name, fleet)| {
            let all = fleet.series.all().into_iter();
            all.map(move |(series, it)| (["fleet", name, series], it))
        }));
        for (keys, series) in all {
            self.write_one(&mut csv, keys, series)?;
        }
        csv.flush()
    }

    fn write_one(&self, csv: &mut Writer<impl Write>, keys: [&str; 3], series: &SeriesReport) -> io::Result<()> {
        let values = series.mean.iter().zip(&series.least).zip(&series.greatest);
        for (seconds, ((mean, least), greatest)) in self.times.iter().zip(values) {
            let numbers = [seconds, mean, least, greatest].map(|it| field(*it));
            csv.write_record(keys.into_iter().chain(numbers.iter().map(String::as_str)))?;
        }
        Ok(())
    }

    /// Writes everything else that is a number as CSV, a line for each of [`Report::metrics`] with its full name:
    /// `kind` (`scenario`, `queue` or `fleet`), `name`, `metric`, `mean`, and `half_width` of the 95 % interval.
    ///
    /// What was not measured is empty. API calls are metrics of their queue such as `calls.DeleteMessage.billed`,
    /// groups such as `groups.tenant-1.sent`, faults of their fleet such as `faults.DuplicateDelivery`.
    ///
    /// # Errors
    /// Those of `to`.
    ///
    /// # Examples
    /// ```
    /// # let toml = "[queue.jobs]\n[producer.web]\nqueue = 'jobs'\narrivals.constant = { rate = 1 }";
    /// let report = requeue::sim::Scenario::from_toml(toml)?.run()?;
    /// let mut csv = Vec::new();
    /// report.write_totals(&mut csv)?;
    /// assert!(String::from_utf8(csv)?.contains("\nqueue,jobs,sent,3599,\n"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn write_totals(&self, to: impl Write) -> io::Result<()> {
        let mut csv = Writer::from_writer(to);
        csv.write_record(["kind", "name", "metric", "mean", "half_width"])?;
        for (kind, name, metric, it) in self.totals() {
            csv.write_record([
                kind,
                name,
                &metric,
                &field(it.mean),
                &it.half_width.map_or_else(String::new, field),
            ])?;
        }
        csv.flush()
    }

    fn totals(&self) -> Vec<(&'static str, &str, String, super::Estimate)> {
        let name = self.name.as_str();
        let mut all = vec![
            ("scenario", name, "cost".to_owned(), self.cost),
            ("scenario", name, "cost_per_month".to_owned(), self.cost_per_month),
        ];
        for (name, queue) in &self.queues {
            all.extend(queue.metrics().map(|(metric, it)| ("queue", name.as_str(), metric, it)));
            for (action, it) in &queue.calls {
                let parts = [("requests", it.requests), ("billed", it.billed), ("cost", it.cost)];
                all.extend(parts.map(|(part, it)| ("queue", name.as_str(), format!("calls.{action}.{part}"), it)));
            }
            for (group, it) in &queue.groups {
                let counts = [("sent".to_owned(), it.sent), ("done".to_owned(), it.done)].into_iter();
                let times = it.time_to_first_receive.metrics("time_to_first_receive");
                let times = times.chain(it.time_to_completion.metrics("time_to_completion"));
                let parts = counts.chain(times);
                all.extend(parts.map(|(part, it)| ("queue", name.as_str(), format!("groups.{group}.{part}"), it)));
            }
        }
        for (name, fleet) in &self.fleets {
            all.extend(fleet.metrics().map(|(metric, it)| ("fleet", name.as_str(), metric, it)));
            let faults = fleet.faults.iter();
            all.extend(faults.map(|(fault, it)| ("fleet", name.as_str(), format!("faults.{fault}"), *it)));
        }
        all
    }

    /// The whole report as JSON, under the names of its fields.
    ///
    /// # Errors
    /// Those of `to`.
    pub fn write_json(&self, mut to: impl Write) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut to, self)?;
        to.write_all(b"\n")
    }
}

impl super::QueueSeriesReport {
    pub(super) fn all(&self) -> [(&'static str, &SeriesReport); 7] {
        [
            ("visible", &self.visible),
            ("in_flight", &self.in_flight),
            ("delayed", &self.delayed),
            ("dead_letters", &self.dead_letters),
            ("age_of_oldest", &self.age_of_oldest),
            ("arrivals", &self.arrivals),
            ("completions", &self.completions),
        ]
    }
}

impl super::FleetSeriesReport {
    pub(super) fn all(&self) -> [(&'static str, &SeriesReport); 2] {
        [("workers", &self.workers), ("utilisation", &self.utilisation)]
    }
}

/// Nine significant digits; empty if there is no number.
pub(in crate::sim) fn field(value: f64) -> String {
    if value.is_finite() {
        text::rounded(value, 8).to_string()
    } else {
        String::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::report::made_up;

    fn rows(write: impl Fn(&mut Vec<u8>) -> io::Result<()>) -> Vec<::csv::StringRecord> {
        let mut bytes = Vec::new();
        write(&mut bytes).unwrap();
        ::csv::Reader::from_reader(&*bytes)
            .into_records()
            .map(Result::unwrap)
            .collect()
    }

    #[test]
    fn every_point_of_every_series_is_a_line() {
        let report = made_up::report(3);
        let rows = rows(|to| report.write_series(to));
        assert_eq!(rows.len(), 120 * (2 * 7 + 2));
        assert_eq!(rows[120], vec!["queue", "jobs", "in_flight", "60", "10", "9", "11"]);
    }

    #[test]
    fn every_total_is_a_line_with_its_interval() {
        let report = made_up::report(3);
        let rows = rows(|to| report.write_totals(to));
        let find = |keys: [&str; 3]| rows.iter().find(|it| it.iter().take(3).eq(keys)).unwrap();
        let sent = find(["queue", "jobs", "sent"]);
        assert_eq!((&sent[3], &sent[4][..5]), ("144120", "298.0"));
        assert_eq!(&find(["queue", "jobs", "calls.SendMessageBatch.billed"])[3], "20000");
        assert_eq!(&find(["queue", "jobs", "groups.tenant-0001.sent"])[3], "90000");
        assert_eq!(&find(["fleet", "workers", "faults.DuplicateDelivery"])[3], "12");
        assert!(
            rows.iter().any(|it| it[2].contains(made_up::NASTY)),
            "a group's name is quoted, not changed"
        );
    }

    #[test]
    fn what_was_not_measured_is_an_empty_field() {
        assert_eq!(field(f64::NAN), "");
        assert_eq!(field(1.0 / 3.0), "0.333333333");
    }

    #[test]
    fn json_is_the_report_by_the_names_of_its_fields() {
        let report = made_up::report(2);
        let mut bytes = Vec::new();
        report.write_json(&mut bytes).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(json["queues"]["jobs"]["time_to_completion"]["count"], 4_000);
        assert_eq!(json["times"].as_array().unwrap().len(), 120);
        assert_eq!(json["name"], made_up::NASTY);
    }
}
