//! Unknown names and values of the wrong type.

use super::bad_input::{RATE, SERVICE, error, refused};

#[test]
fn unknown_settings_are_named_with_the_nearest_known_one_at_every_depth() {
    for (old, new, expected) in [
        (
            "warm_up = 60",
            "warmup = 60",
            "line 2: there is no setting \"warmup\", the nearest known one is \"warm_up\"",
        ),
        (
            "visibility_timeout = 60",
            "visibility_timout = 60",
            "line 5: queue.jobs: there is no setting \"visibility_timout\", the nearest known one is \"visibility_timeout\"",
        ),
        (
            "max_receive_count = 5",
            "max_receives = 5",
            "line 6: queue.jobs.dead_letter: there is no setting \"max_receives\", the nearest known one is \
             \"max_receive_count\"",
        ),
        (
            "arrivals.poisson = { rate = 20 }",
            "arrivals.poison = { rate = 20 }",
            "line 14: producer.web.arrivals: there is no value \"poison\", the nearest known one is \"poisson\"",
        ),
        (
            "arrivals.poisson = { rate = 20 }",
            "arrivals.poisson = { ratio = 20 }",
            "line 14: producer.web.arrivals.poisson: there is no setting \"ratio\", the nearest known one is \"rate\"",
        ),
        (
            SERVICE,
            "service.exponential.mean = 1\n[[fleet.workers.outages]]\nfrom = 1\nuntill = 2",
            "line 25: fleet.workers.outages.0: there is no setting \"untill\", the nearest known one is \"until\"",
        ),
        (
            SERVICE,
            "service.exponential.mean = 1\n[[fleet.workers.outages]]\nfrom = 1\nuntil = 2\neffect = \"hangs\"",
            "line 26: fleet.workers.outages.0.effect: there is no value \"hangs\", the nearest known one is \"hang\"",
        ),
        (
            "[queue.failed]",
            "[queue.failed]\nstale_delete = \"ignored\"",
            "line 9: queue.failed.stale_delete: there is no value \"ignored\", the nearest known one is \"ignore\"",
        ),
        (
            "[queue.failed]",
            "[queues.failed]",
            "line 8: there is no setting \"queues\", the nearest known one is \"queue\"",
        ),
    ] {
        refused(old, new, expected);
    }
}

#[test]
fn values_of_the_wrong_type_are_refused_with_their_line() {
    for (old, new, expected) in [
        (
            "horizon = 3600",
            "horizon = true",
            "line 1: horizon: wanted a number of seconds, or a text such as \"90 s\" or \"1 h 20 min\", found boolean `true`",
        ),
        (
            "warm_up = 60",
            "replications = 2.5",
            "line 2: replications: wanted a whole number of at least 0, found number `2.5`",
        ),
        (
            "warm_up = 60",
            "replications = -2",
            "line 2: replications: wanted a whole number of at least 0, found integer `-2`",
        ),
        (
            RATE,
            "arrivals.poisson = {}",
            "line 14: producer.web.arrivals.poisson: the setting \"rate\" is missing",
        ),
        (
            RATE,
            "arrivals = \"poisson\"",
            "line 14: producer.web.arrivals: wanted a table of settings after the name, found a name alone",
        ),
        (
            RATE,
            "arrivals.poisson = 5",
            "line 14: producer.web.arrivals.poisson: wanted a table of settings, found integer `5`",
        ),
        (RATE, "", "line 12: producer.web: the setting \"arrivals\" is missing"),
        (
            "warm_up = 60",
            "sweep.goal = { metric = \"x\" }",
            "line 2: sweep.goal: a goal has no bound, it has to have `at_most` or `at_least`",
        ),
        (
            "warm_up = 60",
            "[sweep]\nvary.seed = [1]\ngoal = { metric = \"jobs.duplicate_sahre\", at_most = 0 }",
            "line 4: sweep.goal.metric: there is no metric \"jobs.duplicate_sahre\", the nearest known one is \
             \"jobs.duplicate_share\"",
        ),
        (
            "warm_up = 60",
            "sweep.vary.horizon = 5",
            "line 2: sweep.vary.horizon: wanted a list of numbers, or a range such as \"2..=20\", found integer `5`",
        ),
    ] {
        refused(old, new, expected);
    }
    assert_eq!(
        error("horizon = 5\nwarm_up = = 6"),
        "line 2: not TOML: extra `=`, expected nothing"
    );
    assert_eq!(error("horizon = 5\nhorizon = 6"), "line 2: not TOML: duplicate key");
}
