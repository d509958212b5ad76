use {
    super::SweepReport,
    crate::sim::{
        Bound, Estimate, Goal, Report, Scenario, Sweep,
        report::made_up::{self, NASTY},
    },
};

const TIMEOUT: &str = "queue.jobs.visibility_timeout";
const WORKERS: &str = "fleet.workers.workers";

fn scenario(metric: &str, bound: Bound) -> Scenario {
    let goal = Goal {
        metric: metric.to_owned(),
        bound,
    };
    Scenario {
        sweep: Some(Sweep {
            goal: Some(goal),
            ..Sweep::default()
        }),
        ..made_up::scenario()
    }
}

fn point(values: &[(&str, f64)], duplicates: f64) -> (Vec<(String, f64)>, Report) {
    let mut report = made_up::report(2);
    report.queues.get_mut("jobs").unwrap().duplicate_share = Estimate::exact(duplicates);
    (
        values.iter().map(|(path, it)| ((*path).to_owned(), *it)).collect(),
        report,
    )
}

/// Over one number, with the share of duplicates of each value.
fn sweep_of(path: &str, all: &[(f64, f64)], bound: f64) -> SweepReport {
    let points = all.iter().map(|(value, share)| point(&[(path, *value)], *share));
    SweepReport::new(&scenario("duplicate_share", Bound::AtMost(bound)), points.collect())
}

fn sentence(sweep: &SweepReport) -> &str {
    &sweep.answer.as_ref().unwrap().sentence
}

/// Timeouts over workers: more of both, fewer duplicates.
fn grid() -> SweepReport {
    let mut points = Vec::new();
    for workers in [2.0, 3.0, 4.0] {
        for timeout in [5.0, 15.0, 30.0, 60.0] {
            points.push(point(
                &[(TIMEOUT, timeout), (WORKERS, workers)],
                0.06 / timeout / (workers - 1.0),
            ));
        }
    }
    SweepReport::new(&scenario("duplicate_share", Bound::AtMost(0.001)), points)
}

#[test]
fn the_smallest_value_that_reaches_the_goal_is_the_answer() {
    let sweep = sweep_of(
        TIMEOUT,
        &[(60.0, 0.0002), (5.0, 0.02), (15.0, 0.004), (30.0, 0.001)],
        0.001,
    );
    assert_eq!(
        sentence(&sweep),
        "30 s is the shortest visibility_timeout with a duplicate_share of at most 0.1 %"
    );
    assert_eq!(sweep.answer.as_ref().unwrap().best, Some(3));
    let reached: Vec<_> = sweep.points.iter().map(|it| it.reached).collect();
    assert_eq!(reached, [Some(true), Some(false), Some(false), Some(true)]);
    let sweep = sweep_of(WORKERS, &[(6.0, 0.2), (7.0, 0.1)], 0.1);
    assert_eq!(
        sentence(&sweep),
        "7 is the smallest number of workers with a duplicate_share of at most 10 %"
    );
}

#[test]
fn a_goal_of_at_least_looks_at_the_other_side() {
    let points = vec![point(&[(WORKERS, 2.0)], 0.1), point(&[(WORKERS, 3.0)], 0.3)];
    let sweep = SweepReport::new(&scenario("jobs.duplicate_share", Bound::AtLeast(0.2)), points);
    assert_eq!(
        sentence(&sweep),
        "3 is the smallest number of workers with a jobs.duplicate_share of at least 20 %"
    );
}

#[test]
fn if_no_value_reaches_the_goal_the_answer_names_the_best() {
    let sweep = sweep_of(TIMEOUT, &[(5.0, 0.02), (30.0, 0.003), (60.0, 0.004)], 0.001);
    assert_eq!(
        sentence(&sweep),
        "no visibility_timeout of 5 s to 60 s has a duplicate_share of at most 0.1 %; the best is 30 s with 0.3 %"
    );
    assert_eq!(sweep.answer.unwrap().best, None);
    let workers = sweep_of(WORKERS, &[(2.0, 0.02), (3.0, 0.003)], 0.001);
    assert!(sentence(&workers).starts_with("no number of workers of 2 to 3 has a "));
    let nothing = sweep_of(TIMEOUT, &[(5.0, f64::NAN)], 0.001);
    assert!(
        sentence(&nothing).ends_with("of at most 0.1 %: no point measured it"),
        "{}",
        sentence(&nothing)
    );
}

#[test]
fn of_two_numbers_the_answer_is_the_smallest_first_one_for_each_second_one() {
    let sweep = grid();
    assert_eq!(
        sentence(&sweep),
        "the shortest visibility_timeout with a duplicate_share of at most 0.1 %: 60 s at workers = 2, \
         30 s at workers = 3, 30 s at workers = 4"
    );
    let best = &sweep.points[sweep.answer.as_ref().unwrap().best.unwrap()];
    assert_eq!(best.values, [30.0, 3.0]);
}

#[test]
fn an_answer_says_if_larger_values_miss_the_goal_or_its_interval_does() {
    let sweep = sweep_of(TIMEOUT, &[(5.0, 0.02), (15.0, 0.001), (30.0, 0.002)], 0.001);
    assert!(
        sentence(&sweep).ends_with("at most 0.1 %; not all larger ones reach it"),
        "{}",
        sentence(&sweep)
    );
    let mut points = vec![point(&[(TIMEOUT, 5.0)], 0.0009)];
    points[0].1.queues.get_mut("jobs").unwrap().duplicate_share.half_width = Some(0.0003);
    let sweep = SweepReport::new(&scenario("duplicate_share", Bound::AtMost(0.001)), points);
    assert!(
        sentence(&sweep).ends_with("at most 0.1 %; its 95 % interval ends at 0.12 %"),
        "{}",
        sentence(&sweep)
    );
}

#[test]
fn an_unstable_point_reaches_no_goal() {
    let mut points = vec![point(&[(WORKERS, 1.0)], 0.0), point(&[(WORKERS, 2.0)], 0.0)];
    points[0].1.unstable = Some(crate::sim::Unstable {
        queue: None,
        load: Some(1.2),
        ended_at: None,
        messages: None,
        bytes: None,
        ended_early: 0,
    });
    let sweep = SweepReport::new(&scenario("duplicate_share", Bound::AtMost(0.001)), points);
    assert!(
        sentence(&sweep).starts_with("2 is the smallest number"),
        "{}",
        sentence(&sweep)
    );
    assert!(sweep.to_string().contains("unstable"));
}

#[test]
fn a_table_has_a_row_for_each_point_within_a_hundred_columns() {
    let text = grid().to_string();
    let rows: Vec<&str> = text
        .lines()
        .filter(|it| it.ends_with("yes") || it.ends_with("no"))
        .collect();
    assert_eq!(rows.len(), 12, "{text}");
    assert!(
        rows[3].trim_start().starts_with("60 s") && rows[3].contains("0.1 %"),
        "{text}"
    );
    for line in text.lines() {
        assert!(line.chars().count() <= 100, "{line}");
    }
}

#[test]
fn points_as_csv_have_all_metrics_with_their_intervals() {
    let mut bytes = Vec::new();
    grid().write_points(&mut bytes).unwrap();
    let mut reader = ::csv::Reader::from_reader(&*bytes);
    let headers = reader.headers().unwrap().clone();
    assert_eq!((&headers[0], &headers[1]), (TIMEOUT, WORKERS));
    let at = headers.iter().position(|it| it == "jobs.duplicate_share").unwrap();
    assert_eq!(&headers[at + 1], "jobs.duplicate_share.half_width");
    let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
    assert_eq!((rows.len(), &rows[0][at], &rows[0][at + 1]), (12, "0.012", ""));
}

#[test]
fn a_page_has_the_answer_and_small_charts_on_common_axes() {
    let mut sweep = grid();
    sweep.points[7]
        .report
        .queues
        .get_mut("jobs")
        .unwrap()
        .series
        .visible
        .greatest[50] = 90_000.0;
    let html = sweep.to_html();
    assert!(html.contains("30 s at workers = 3, 30 s at workers = 4</strong>"));
    assert_eq!(html.matches("<tr class=\"best\">").count(), 1);
    assert!(!html.contains("<script") && html.contains(&crate::sim::report::chart::escaped(NASTY)));
    assert_eq!(html.matches("width=\"400\" height=\"220\"").count(), 12);
    // The ticks of the one with the most messages.
    assert_eq!(html.matches("\n80 k\n").count(), 12);
    assert!(html.contains("at most 0.1 %"));
}

#[test]
fn a_saved_sweep_has_all_its_files() {
    let directory = std::env::temp_dir().join(format!("requeue-sweep-{}", std::process::id()));
    let sweep = grid();
    sweep.save(&directory).unwrap();
    for name in [
        "sweep.html",
        "sweep.json",
        "points.csv",
        "jobs-goal.svg",
        "jobs-point-012.svg",
    ] {
        assert!(directory.join(name).is_file(), "{name}");
    }
    let json: serde_json::Value =
        serde_json::from_slice(&std::fs::read(directory.join("sweep.json")).unwrap()).unwrap();
    assert_eq!(json["points"][11]["values"], serde_json::json!([60.0, 4.0]));
    assert_eq!(json["points"][0]["reached"], false);
    if std::env::var_os("REQUEUE_KEEP_REPORT").is_none() {
        std::fs::remove_dir_all(directory).unwrap();
    }
}
