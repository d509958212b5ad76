//! Totals that are those of the measured time and of their queue.

use super::{
    jobs, run, scenario,
    trouble::{queue, workers},
};

#[test]
fn the_warm_up_is_in_no_total() {
    let fleet = "
workers = 2
deploys = [{ at = 5, restart_time = 1, graceful = false, kind = 'at_once' }]
faults = { DeleteFails = 0.5 }
service.constant = { time = 1 }";
    let mut scenario = jobs("", "arrivals.constant = { rate = 1 }", fleet);
    let (whole, _) = run(&scenario);
    assert_eq!(workers(&whole).restarts, 2);
    let all: u64 = workers(&whole).faults.values().sum();
    scenario.warm_up = std::time::Duration::from_secs(90);
    let (measured, _) = run(&scenario);
    assert_eq!(workers(&measured).restarts, 0);
    let late: u64 = workers(&measured).faults.values().sum();
    assert!(0 < late && late < all / 5, "{late} of {all}");
}

#[test]
fn what_a_handler_did_before_the_end_of_the_warm_up_is_not_wasted() {
    let fleet = "workers = 2\nfailure_probability = 1\nservice.constant = { time = 60 }\n";
    for more in [
        "",
        "deploys = [{ at = 58, graceful = false, kind = 'at_once', restart_time = 1000 }]",
    ] {
        let mut scenario = jobs("", "arrivals.constant = { rate = 1 }", &format!("{fleet}{more}"));
        scenario.warm_up = std::time::Duration::from_secs(55);
        scenario.horizon = std::time::Duration::from_secs(63);
        let (measured, _) = run(&scenario);
        let workers = workers(&measured);
        assert!(workers.wasted_seconds > 0.0);
        assert!(
            workers.wasted_seconds <= workers.busy_seconds,
            "{} of {} s are wasted",
            workers.wasted_seconds,
            workers.busy_seconds
        );
    }
}

#[test]
fn what_is_done_more_than_once_is_a_part_of_what_is_done() {
    // Begun at 1 s and at 4 s, done at 11 s and at 14 s.
    let fleet = "workers = 2\nheartbeat = false\nvisibility_timeout = 3\nservice.constant = { time = 10 }";
    let mut scenario = jobs("", "arrivals.trace.entries = [{ time = 1 }]", fleet);
    for (warm_up, expected) in [(0, (1, 1)), (12, (0, 0)), (20, (0, 0))] {
        scenario.warm_up = std::time::Duration::from_secs(warm_up);
        let (measured, _) = run(&scenario);
        let totals = &queue(&measured).totals;
        assert_eq!((totals.done, totals.done_more_than_once), expected, "{warm_up} s");
    }
}

#[test]
fn what_moves_away_under_its_handler_is_done_by_the_queue_of_the_handler() {
    let text = "
horizon = 100
[queue.dead]
[queue.jobs]
visibility_timeout = 3
dead_letter = { queue = 'dead', max_receive_count = 1 }
[producer.web]
queue = 'jobs'
groups.equal = { count = 1 }
arrivals.trace.entries = [{ time = 1 }]
[fleet.workers]
queue = 'jobs'
workers = 2
heartbeat = false
service.constant = { time = 10 }
[fleet.menders]
queue = 'dead'
service.constant = { time = 20 }";
    let (measured, _) = run(&scenario(text));
    let (jobs, dead) = (&measured.queues["jobs"], &measured.queues["dead"]);
    assert_eq!(
        (jobs.totals.dead_lettered, jobs.totals.done, dead.totals.done),
        (1, 1, 0)
    );
    assert_eq!(jobs.totals.done_more_than_once, 1);
    assert_eq!(jobs.time_to_completion.mean().mean(), Some(10.0));
    assert_eq!((jobs.groups["group-0001"].done, dead.groups["group-0001"].done), (1, 0));
}
