use super::*;

/// Erlang C by its definition, as sums of powers over factorials.
fn by_definition(servers: usize, erlangs: f64) -> f64 {
    let mut term = 1.0;
    let mut sum = 0.0;
    for k in 0..servers {
        sum += term;
        term *= erlangs / (k + 1) as f64;
    }
    let last = term / (1.0 - erlangs / servers as f64);
    last / (sum + last)
}

#[test]
fn erlang_c_has_the_values_of_its_definition() {
    // Worked out in fractions.
    let table = [
        (1, 0.5, 0.5),
        (2, 1.0, 1.0 / 3.0),
        (2, 1.6, 0.711_111),
        (3, 2.0, 0.444_444),
        (5, 4.0, 0.554_113),
        (10, 8.0, 0.409_180),
        (20, 16.0, 0.256_078),
    ];
    for (servers, erlangs, expected) in table {
        let found = erlang_c(servers, erlangs).unwrap_or(f64::NAN);
        assert!((found - expected).abs() < 1e-6, "{servers}, {erlangs}: {found}");
    }
    for servers in 1..=120 {
        let erlangs = 0.93 * servers as f64;
        let found = erlang_c(servers, erlangs).unwrap_or(f64::NAN);
        assert!(
            (found - by_definition(servers, erlangs)).abs() < 1e-10,
            "{servers}: {found}"
        );
    }
}

#[test]
fn erlang_c_neither_overflows_nor_answers_out_of_range() {
    let many = erlang_c(1_000_000, 999_000.0).unwrap_or(f64::NAN);
    assert!((0.0..1.0).contains(&many), "{many}");
    assert_eq!(erlang_c(0, 0.0), None);
    assert_eq!(erlang_c(3, -1.0), None);
    assert_eq!(erlang_c(3, f64::NAN), None);
    assert_eq!(erlang_c(3, 3.0), None);
    assert_eq!(erlang_c(3, 0.0), Some(0.0));
}

#[test]
fn erlang_c_of_any_number_of_servers_ends() {
    assert_eq!(erlang_c(usize::MAX, 1_000.0), Some(0.0));
    assert_eq!(erlang_c(usize::MAX, 1e15), None);
}

#[test]
fn waits_are_those_of_pollaczek_and_khinchine() {
    // M/G/1: rate * second moment / 2 (1 - load).
    for (scv, load) in [(0.0, 0.5), (1.0, 0.8), (4.0, 0.95)] {
        let (mean, rate) = (0.25, load / 0.25);
        let station = Station {
            service_scv: scv,
            ..Station::poisson(rate, mean, 1)
        };
        let expected = rate * mean * mean * (1.0 + scv) / (2.0 * (1.0 - load));
        let found = station.mean_wait().unwrap_or(f64::NAN);
        assert!((found - expected).abs() < 1e-12, "{scv}, {load}: {found}");
        assert_eq!(station.mean_backlog(), Some(found * rate));
    }
}

#[test]
fn the_fewest_servers_are_found() {
    for (rate, target) in [(3.0, 0.5), (20.0, 0.05), (500.0, 0.001)] {
        let with = |servers| Station::poisson(rate, 0.4, servers);
        let found = with(1).servers_for(target).unwrap_or(0);
        assert!(
            with(found).mean_wait().is_some_and(|it| it <= target),
            "{rate}: {found}"
        );
        assert!(
            with(found - 1).mean_wait().is_none_or(|it| it > target),
            "{rate}: {found}"
        );
    }
}

#[test]
fn numbers_that_are_not_allowed_have_no_answer() {
    let good = Station::poisson(1.0, 0.5, 1);
    for bad in [
        Station {
            arrival_rate: 0.0,
            ..good
        },
        Station {
            arrival_rate: f64::INFINITY,
            ..good
        },
        Station {
            service_mean: f64::NAN,
            ..good
        },
        Station {
            service_scv: -1.0,
            ..good
        },
        Station {
            arrival_scv: f64::NAN,
            ..good
        },
        Station { servers: 0, ..good },
    ] {
        let answers = [
            bad.utilisation(),
            bad.chance_to_wait(),
            bad.mean_wait(),
            bad.drain_time(1.0),
        ];
        assert_eq!(answers, [None; 4], "{bad:?}");
        assert_eq!(bad.servers_for(1.0), None, "{bad:?}");
    }
    assert_eq!(good.drain_time(f64::NAN), None);
    assert_eq!(Station::poisson(3.0, 0.5, 1).drain_time(1.0), None);
}

const PLAIN: &str = r#"
[queue.jobs]
[producer.web]
queue = "jobs"
arrivals.poisson = { rate = 20 }
[fleet.workers]
queue = "jobs"
workers = 5
concurrency = 2
service.exponential = { mean = 0.4 }
"#;

fn scenario(replaced: &str, by: &str) -> Scenario {
    assert!(PLAIN.contains(replaced));
    toml::from_str(&PLAIN.replace(replaced, by)).unwrap_or_else(|it| panic!("{it}"))
}

fn sized(replaced: &str, by: &str) -> Result<QueueSizing, NotSized> {
    size(&scenario(replaced, by), "jobs")
}

#[test]
fn a_fleet_has_a_server_for_each_handler_call_at_once() {
    let found = sized("", "").unwrap_or_else(|it| panic!("{it}"));
    assert_eq!(
        (found.station.servers, found.utilisation, found.exactness),
        (10, 0.8, Exactness::Exact)
    );
    assert!((found.chance_to_wait - 0.409_180).abs() < 1e-6);
    assert!((found.mean_wait - 0.081_836).abs() < 1e-6);
    // Nine servers wait 0.26 s on average, eight never catch up: five workers of two.
    assert_eq!(found.workers_for_short_wait, Some(5));
    assert!((found.visibility_timeouts[0] - 0.4 * 100_f64.ln()).abs() < 1e-6);
    assert!((found.drain_time_per_thousand - 200.0).abs() < 1e-9);
}

#[test]
fn more_servers_than_can_be_summed_over_have_no_closed_form() {
    let fleet = sized("workers = 5\nconcurrency = 2", "workers = 100_000\nconcurrency = 101").unwrap_err();
    assert_eq!(
        fleet.to_string(),
        "fleet \"workers\" has more than ten million places for handlers"
    );
}

#[test]
fn other_service_times_are_approximated_and_one_server_is_exact() {
    let log_normal = "service.log_normal = { mean = 0.4, sd = 0.8 }";
    let several = sized("service.exponential = { mean = 0.4 }", log_normal).unwrap_or_else(|it| panic!("{it}"));
    assert_eq!(several.exactness, Exactness::Approximation);
    assert!(
        (several.mean_wait - 2.5 * 0.081_836).abs() < 1e-5,
        "{}",
        several.mean_wait
    );
    let constant = sized("arrivals.poisson", "arrivals.constant").unwrap_or_else(|it| panic!("{it}"));
    assert_eq!(constant.exactness, Exactness::Approximation);
    assert!(
        (constant.mean_wait - 0.5 * 0.081_836).abs() < 1e-5,
        "{}",
        constant.mean_wait
    );
    let one = PLAIN
        .replace("workers = 5\nconcurrency = 2", "workers = 1")
        .replace("rate = 20", "rate = 2");
    let one: Scenario = toml::from_str(&one.replace("exponential = {", "gamma = { sd = 0.1,")).unwrap_or_default();
    let one = size(&one, "jobs").unwrap_or_else(|it| panic!("{it}"));
    assert_eq!(one.exactness, Exactness::Exact);
}

#[test]
fn what_the_forms_do_not_cover_is_named() {
    let fleet = "workers = 5";
    let with = |line: &str| sized(fleet, &format!("{fleet}\n{line}"));
    for (line, reason) in [
        (
            "autoscaling = { rule.backlog_per_worker.target = 5, max = 9 }",
            "fleet \"workers\" has autoscaling",
        ),
        ("crashes = { mean_interval = 100 }", "fleet \"workers\" has crashes"),
        ("outages = [{ from = 1, until = 2 }]", "fleet \"workers\" has outages"),
        ("deploys = [{ at = 5 }]", "fleet \"workers\" has deploys"),
        ("handler_timeout = 5", "fleet \"workers\" has a handler timeout"),
        ("prefetch = 5", "fleet \"workers\" has messages fetched ahead"),
        ("wait_time = 0", "fleet \"workers\" has receives that do not wait"),
        ("failure_probability = 0.1", "messages are retried: handlers fail"),
        (
            "heartbeat = false\nvisibility_timeout = 1",
            "messages are retried: without heartbeat, some handler calls outlast the visibility timeout",
        ),
    ] {
        assert_eq!(with(line).map_err(|it| it.to_string()).err().as_deref(), Some(reason));
    }
    assert!(with("heartbeat = false\nvisibility_timeout = 20").is_ok());
    let poison = sized("rate = 20 }", "rate = 20 }\npoison_share = 0.1");
    assert_eq!(poison, Err(NotSized::Retries("a share of messages is poison")));
    let profile = sized("poisson = { rate = 20 }", "profile = { rates = [1, 2] }");
    let reason = "producer \"web\" has arrivals that are neither Poisson nor constant";
    assert_eq!(profile.map_err(|it| it.to_string()).err().as_deref(), Some(reason));
    let batches = sized("rate = 20 }", "rate = 20 }\nbatch_size = 10");
    let reason = "producer \"web\" has sends in batches";
    assert_eq!(batches.map_err(|it| it.to_string()).err().as_deref(), Some(reason));
    assert_eq!(sized("rate = 20", "rate = 32.5"), Err(NotSized::Unstable(1.3)));
    assert_eq!(
        sized("[fleet.workers]\nqueue = \"jobs\"", "[fleet.workers]\nqueue = \"x\""),
        Err(NotSized::Fleets(0))
    );
    assert_eq!(size(&scenario("", ""), "others"), Err(NotSized::NoProducer));
}

#[test]
fn the_load_counts_retries_limits_and_all_fleets() {
    let load = |replaced, by| offered_load(&scenario(replaced, by), "jobs").unwrap_or(f64::NAN);
    let near = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-12, "{found}, not {expected}");
    near(load("", ""), 0.8);
    near(load("workers = 5", "workers = 5\nfailure_probability = 0.5"), 1.6);
    near(load("poisson = { rate = 20 }", "profile = { rates = [10, 20] }"), 0.6);
    near(
        load(
            "workers = 5",
            "workers = 1\nautoscaling = { rule.backlog_per_worker.target = 5, max = 8 }",
        ),
        0.5,
    );
    let bursts = "bursts = { rate = 50, off_rate = 2, mean_on = 10, mean_off = 30 }";
    near(load("poisson = { rate = 20 }", bursts), 14.0 * 0.4 / 10.0);
    // Three attempts at most: 1 + 1/2 + 1/4.
    let limit = "[queue.dead]\n[queue.jobs]\ndead_letter = { queue = \"dead\", max_receive_count = 3 }";
    let text = PLAIN.replace("[queue.jobs]", limit);
    let of = |text: String| {
        toml::from_str(&text)
            .ok()
            .and_then(|it| offered_load(&it, "jobs"))
            .unwrap_or(f64::NAN)
    };
    near(
        of(text.replace("workers = 5", "workers = 5\nfailure_probability = 0.5")),
        0.8 * 1.75,
    );
    near(
        of(text.replace("workers = 5", "workers = 5\nfailure_probability = 1")),
        0.8 * 3.0,
    );
    near(
        of(text.replace("rate = 20 }", "rate = 20 }\npoison_share = 0.25")),
        0.8 * (0.75 + 0.25 * 3.0),
    );
    let second = "[fleet.others]\nqueue = \"jobs\"\nworkers = 5\nservice.constant = { time = 0.2 }";
    near(of(format!("{PLAIN}{second}")), 20.0 / (10.0 / 0.4 + 5.0 / 0.2));
    assert_eq!(offered_load(&scenario("", ""), "others"), None);
}

#[test]
fn the_load_counts_handlers_that_are_given_up() {
    // Exponential times of 0.4 s that are cut off at 0.4 s last 0.4 (1 - 1/e) s on average, and 1/e of them fail.
    let cut_off = 1.0 - (-1_f64).exp();
    let scenario = scenario("workers = 5", "workers = 5\nhandler_timeout = 0.4");
    let load = offered_load(&scenario, "jobs").unwrap();
    let expected = 20.0 / cut_off * 0.4 * cut_off / 10.0;
    assert!((load - expected).abs() < 0.001, "{load}, not {expected}");
}
