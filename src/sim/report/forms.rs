//! What the closed forms expect beside what the simulation found.

use {
    super::{QueueReport, Report, text},
    crate::sim::{Exactness, NotSized, QueueSizing},
};

impl Report {
    /// A table with a header, empty if nothing was asked of the closed forms.
    pub(super) fn closed_forms(&self, name: &str, queue: &QueueReport) -> Vec<Vec<String>> {
        match self.sizing.queues.get(name) {
            Some(Ok(sizing)) => self.compared(sizing, queue),
            None | Some(Err(NotSized::NoProducer)) => Vec::new(),
            Some(Err(why)) => vec![vec!["closed forms".to_owned(), format!("none: {why}")]],
        }
    }

    fn compared(&self, sizing: &QueueSizing, queue: &QueueReport) -> Vec<Vec<String>> {
        let kind = match sizing.exactness {
            Exactness::Exact => "closed forms, exact",
            Exactness::Approximation => "closed forms, approximate",
        };
        let seconds = |it: f64| format!("{} s", text::number(it));
        let busy = self
            .fleets
            .get(&sizing.fleet)
            .map(|it| text::percent_estimate(it.utilisation));
        let wait = text::seconds_estimate(queue.time_to_first_receive.mean);
        let mut rows = vec![
            [kind.to_owned(), "expected".to_owned(), "simulated".to_owned()],
            [
                "utilisation".to_owned(),
                text::percent(sizing.utilisation),
                busy.unwrap_or_default(),
            ],
            ["mean wait".to_owned(), seconds(sizing.mean_wait), wait],
            [
                "mean backlog".to_owned(),
                text::number(sizing.mean_backlog),
                text::estimate(queue.visible),
            ],
            [
                "chance to wait".to_owned(),
                text::percent(sizing.chance_to_wait),
                String::new(),
            ],
            [
                "time to drain 1,000".to_owned(),
                seconds(sizing.drain_time_per_thousand),
                String::new(),
            ],
        ];
        if let Some(workers) = sizing.workers_for_short_wait {
            let name = "workers for a mean wait of at most one service time".to_owned();
            rows.push([name, text::number(workers as f64), String::new()]);
        }
        for (share, timeout) in ["1 %", "0.1 %"].iter().zip(sizing.visibility_timeouts) {
            rows.push([
                format!("visibility timeout for {share} again"),
                seconds(timeout),
                String::new(),
            ]);
        }
        rows.into_iter().map(Vec::from).collect()
    }
}

#[cfg(test)]
mod tests {
    use crate::sim::{Report, Scenario, report::made_up};

    fn scenario(more: &str) -> Scenario {
        let text = format!(
            "horizon = 7200\npoints = 120\n[queue.jobs]\n[producer.web]\nqueue = 'jobs'\narrivals.poisson = {{ rate = 20 }}\n\
             [fleet.workers]\nqueue = 'jobs'\nworkers = 10\nservice.exponential = {{ mean = 0.4 }}\n{more}"
        );
        Scenario::from_toml(&text).unwrap()
    }

    #[test]
    fn closed_forms_stand_beside_what_the_simulation_found() {
        let report = Report::new(&scenario(""), &[made_up::run(0), made_up::run(1)]);
        let text = report.to_string();
        assert!(text.contains("closed forms, exact"), "{text}");
        let utilisation = text
            .lines()
            .find(|it| it.trim_start().starts_with("utilisation"))
            .unwrap();
        let words: Vec<&str> = utilisation.split_whitespace().collect();
        assert_eq!(words, ["utilisation", "80", "%", "84.5", "+-", "0", "%"]);
        assert!(report.to_html().contains("closed forms, exact"));
    }

    #[test]
    fn a_report_says_why_there_are_no_closed_forms() {
        let report = Report::new(&scenario("crashes = { mean_interval = 60 }"), &[made_up::run(0)]);
        assert!(
            report
                .to_string()
                .contains("closed forms: none: fleet \"workers\" has crashes"),
            "{report}"
        );
    }

    #[test]
    fn a_queue_that_gets_more_than_its_workers_can_do_is_unstable_with_its_load() {
        let mut scenario = scenario("");
        scenario.fleet.get_mut("workers").unwrap().workers = 5;
        let report = Report::new(&scenario, &[made_up::run(0)]);
        let unstable = report.unstable.as_ref().unwrap();
        assert_eq!((unstable.load, unstable.queue.as_deref()), (Some(1.6), Some("jobs")));
        assert_eq!(
            unstable.to_string(),
            "unstable: load 1.6: queue \"jobs\" gets more than its workers can do"
        );
        assert_eq!(report.queues["jobs"].offered_load, Some(1.6));
        assert_eq!(report.metric("offered_load").unwrap().mean, 1.6);
    }
}
