use {
    super::{Estimate, Report, made_up},
    crate::sim::measure::{Batches, Overflow},
    std::time::Duration,
};

#[test]
fn counts_and_shares_have_students_interval_over_replications() {
    let report = made_up::report(3);
    let jobs = &report.queues["jobs"];
    assert_eq!((report.replications, report.measured), (3, 6_600.0));
    assert_eq!(
        jobs.sent,
        Estimate {
            mean: 144_120.0,
            half_width: jobs.sent.half_width
        }
    );
    // sd 120 over sqrt(3), times 4.303
    assert!((jobs.sent.half_width.unwrap() - 298.1).abs() < 0.1, "{:?}", jobs.sent);
    assert!((jobs.duplicate_share.mean - 154.0 / 143_000.0).abs() < 1e-12);
    assert!((jobs.dead_letter_share.mean - 300.0 / 143_300.0).abs() < 1e-12);
    assert!((report.fleets["workers"].wasted_share.mean - 0.101).abs() < 1e-12);
    assert!((jobs.throughput.mean - 143_000.0 / 6_600.0).abs() < 1e-9);
    assert_eq!(jobs.receives, [0.0, 130_000.0, 9_000.0, 3_000.0, 700.0, 600.0]);
}

#[test]
fn a_single_replication_has_intervals_for_means_and_none_for_counts() {
    let report = made_up::report(1);
    let jobs = &report.queues["jobs"];
    assert_eq!(jobs.sent.half_width, None);
    assert!(jobs.time_to_completion.mean.half_width.unwrap() > 0.0);
    assert!(jobs.visible.half_width.unwrap() > 0.0);
    for share in [
        jobs.duplicate_share,
        jobs.dead_letter_share,
        report.fleets["workers"].wasted_share,
        jobs.throughput,
    ] {
        let half_width = share.half_width.unwrap();
        assert!(half_width > 0.0 && half_width < share.mean / 5.0, "{share:?}");
    }
    assert!(report.fleets["workers"].utilisation.half_width.unwrap() > 0.0);
}

#[test]
fn quantiles_and_the_curve_are_of_all_replications_together() {
    let report = made_up::report(2);
    let times = &report.queues["jobs"].time_to_first_receive;
    assert_eq!(times.count, 4_000);
    // 0.01 s times ten to the power of 4 q, and a tenth more of the second one.
    assert!((times.p50 / 1.05 - 1.0).abs() < 0.06, "{times:?}");
    assert!((times.max / 110.0 - 1.0).abs() < 0.01, "{times:?}");
    assert!(times.p50 < times.p90 && times.p90 < times.p95 && times.p95 < times.p99 && times.p99 < times.max);
    let curve = &times.curve;
    assert!(curve.is_sorted() && curve.is_sorted_by_key(|it| it.1));
    assert!(curve.len() < 400 && curve.len() > 80, "{}", curve.len());
    assert_eq!(curve.last().unwrap().1, 1.0);
    let at_p90 = curve.iter().find(|it| it.1 >= 0.9).unwrap();
    assert!((at_p90.0 / times.p90 - 1.0).abs() < 0.1);
}

#[test]
fn series_are_means_between_the_least_and_the_greatest_replication() {
    let series = &made_up::report(3).queues["jobs"].series.in_flight;
    assert_eq!((series.mean[0], series.least[0], series.greatest[0]), (10.0, 9.0, 11.0));
    assert_eq!(series.mean.len(), 120);
}

#[test]
fn calls_are_paid_for_as_billed() {
    let report = made_up::report(2);
    let calls = &report.queues["jobs"].calls["SendMessageBatch"];
    assert_eq!((calls.requests.mean, calls.billed.mean), (15_000.0, 20_000.0));
    assert!((calls.cost.mean - 20_000.0 * 0.40 / 1e6).abs() < 1e-12);
    assert!((report.cost.mean - 2.0 * 50_000.0 * 0.40 / 1e6).abs() < 1e-12);
    assert!((report.cost_per_month.mean / report.cost.mean - 2_592_000.0 / 6_600.0).abs() < 1e-9);
}

#[test]
fn fifo_queues_have_their_own_price() {
    let mut run = made_up::run(0);
    run.queues.get_mut("jobs").unwrap().fifo = true;
    let report = Report::new(&made_up::scenario(), &[run]);
    assert!((report.queues["jobs"].cost.mean - 50_000.0 * 0.50 / 1e6).abs() < 1e-12);
}

#[test]
fn littles_law_is_checked_for_each_queue_and_replication() {
    let report = made_up::report(2);
    assert!(
        report.queues["jobs"].little.holds && report.warnings.is_empty(),
        "{:?}",
        report.warnings
    );
    assert!((report.queues["jobs"].little.ratio - 0.9991).abs() < 1e-4);
    let (mut over, mut under) = (made_up::run(0), made_up::run(1));
    over.queues.get_mut("jobs").unwrap().little.counted *= 1.02;
    under.queues.get_mut("jobs").unwrap().little.counted *= 0.98;
    let report = Report::new(&made_up::scenario(), &[over.clone(), made_up::run(1)]);
    assert!(!report.queues["jobs"].little.holds, "one of them is wrong");
    let report = Report::new(&made_up::scenario(), &[over, under]);
    assert!(
        !report.queues["jobs"].little.holds,
        "errors of two replications must not cancel out"
    );
    assert_eq!(report.warnings.len(), 1);
    assert!(
        report.warnings[0].starts_with("Little's law does not hold for queue \"jobs\""),
        "{:?}",
        report.warnings
    );
}

#[test]
fn a_replication_that_ended_early_is_unstable_and_has_no_points_after_its_end() {
    let mut runs = [made_up::run(0), made_up::run(1)];
    runs[1].overflow = Some(Overflow {
        at: Duration::from_secs(3_600),
        messages: 250_001,
        bytes: 8_000_032,
    });
    let report = Report::new(&made_up::scenario(), &runs);
    let unstable = report.unstable.unwrap();
    assert_eq!(
        (unstable.ended_at, unstable.messages, unstable.ended_early),
        (Some(3_600.0), Some(250_001), 1)
    );
    assert_eq!(
        unstable.to_string(),
        "unstable: the run ended after 1 h with 250,001 messages of 8,000,032 bytes in its queues, more \
         than message_limit allows"
    );
    let series = &report.queues["jobs"].series.in_flight;
    assert_eq!(
        (series.mean[59], series.mean[60]),
        (9.5, 9.0),
        "the second one did not get that far"
    );
}

#[test]
fn what_was_not_measured_is_null_as_json() {
    let mut run = made_up::run(0);
    run.queues.get_mut("jobs").unwrap().duplicates = Batches::new();
    let report = Report::new(&made_up::scenario(), &[run]);
    let json = serde_json::to_value(&report).unwrap();
    assert!(json["queues"]["jobs"]["duplicate_share"]["mean"].is_null());
    assert_eq!(json["queues"]["jobs"]["sent"]["mean"], 144_000.0);
}

#[test]
fn a_saved_report_has_all_its_files() {
    let directory = std::env::temp_dir().join(format!("requeue-report-{}", std::process::id()));
    let report = made_up::report(3);
    report.save(directory.join("deep/er")).unwrap();
    let mut names: Vec<_> = std::fs::read_dir(directory.join("deep/er"))
        .unwrap()
        .map(|it| it.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names.len(), 4 + report.charts().len());
    for expected in [
        "report.html",
        "report.json",
        "series.csv",
        "totals.csv",
        "queue-jobs-backlog.svg",
    ] {
        assert!(names.iter().any(|it| it == expected), "{names:?}");
    }
    if std::env::var_os("REQUEUE_KEEP_REPORT").is_none() {
        std::fs::remove_dir_all(directory).unwrap();
    }
}

#[test]
fn an_error_names_the_path_that_cannot_be_written() {
    let file = std::env::temp_dir().join(format!("requeue-report-file-{}", std::process::id()));
    std::fs::write(&file, "").unwrap();
    let error = made_up::report(1).save(file.join("out")).unwrap_err();
    assert_eq!(error.path, file.join("out"));
    assert!(
        error
            .to_string()
            .starts_with(&format!("cannot write {}: ", file.join("out").display())),
        "{error}"
    );
    std::fs::remove_file(&file).unwrap();

    let directory = file.with_extension("dir");
    std::fs::create_dir_all(directory.join("series.csv")).unwrap();
    let error = made_up::report(1).save(&directory).unwrap_err();
    assert_eq!(error.path, directory.join("series.csv"));
    std::fs::remove_dir_all(directory).unwrap();
}

#[test]
fn the_same_measurements_give_the_same_bytes() {
    let bytes = || {
        let report = made_up::report(3);
        let mut all = Vec::new();
        report.write_json(&mut all).unwrap();
        report.write_series(&mut all).unwrap();
        report.write_totals(&mut all).unwrap();
        all.extend(report.to_html().into_bytes());
        all
    };
    assert_eq!(bytes(), bytes());
}
