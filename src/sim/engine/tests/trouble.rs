//! Small scenarios that are computed by hand: each kind of trouble, and what it does to messages and workers.

use {
    super::{Named, jobs, run},
    crate::{
        sim::measure::{FleetMeasured, Measured, QueueMeasured},
        state::Fact,
        time::Timestamp,
    },
    std::time::Duration,
};

pub(super) fn workers(measured: &Measured) -> &FleetMeasured {
    &measured.fleets["workers"]
}

pub(super) fn queue(measured: &Measured) -> &QueueMeasured {
    &measured.queues["jobs"]
}

/// When a fact of this kind was reported, in milliseconds.
fn times(facts: &[Named], is: impl Fn(&Fact) -> bool) -> Vec<u64> {
    let started_at = crate::clock::Clock::now(&crate::clock::ManualClock::default());
    let since = |at: Timestamp| at.saturating_duration_since(started_at).as_millis() as u64;
    facts
        .iter()
        .filter(|it| is(&it.1.fact))
        .map(|it| since(it.1.at))
        .collect()
}

fn received(facts: &[Named]) -> Vec<u64> {
    times(facts, |it| matches!(it, Fact::Received { .. }))
}

fn deleted(facts: &[Named]) -> Vec<u64> {
    times(facts, |it| matches!(it, Fact::Deleted { .. }))
}

fn failed(facts: &[Named]) -> Vec<u64> {
    times(facts, |it| matches!(it, Fact::Failed { .. }))
}

const EVERY_TEN: &str = "arrivals.constant = { rate = 0.1 }";

#[test]
fn handlers_that_end_in_an_outage_fail_and_those_that_hang_end_with_it() {
    let fleet = |effect: &str| {
        format!(
            "
service.constant = {{ time = 2 }}
failure_policy = 'retry_now'
outages = [{{ from = 19, until = 25, effect = '{effect}' }}]"
        )
    };
    // Sent at 20 s; tried at 20, 22 and, as it ends at 26 s and so after the outage, at 24 s.
    let (measured, facts) = run(&jobs("", EVERY_TEN, &fleet("fail")));
    assert_eq!(failed(&facts), [22_000, 24_000]);
    assert_eq!(deleted(&facts)[..3], [12_000, 26_000, 32_000]);
    assert_eq!((workers(&measured).failed, workers(&measured).wasted_seconds), (2, 4.0));
    let (measured, facts) = run(&jobs("", EVERY_TEN, &fleet("hang")));
    assert_eq!(failed(&facts), [25_000]);
    assert_eq!(deleted(&facts)[..3], [12_000, 27_000, 32_000]);
    assert_eq!((workers(&measured).failed, workers(&measured).wasted_seconds), (1, 5.0));
}

#[test]
fn each_policy_brings_a_failed_message_back_when_it_says() {
    let fleet = |policy: &str| format!("failure_policy = {policy}\nservice.constant = {{ time = 1 }}");
    let poison = "arrivals.constant = { rate = 0.02 }\npoison_share = 1.0";
    let queue = "visibility_timeout = 6";
    let (_, facts) = run(&jobs(queue, poison, &fleet("'leave_to_timeout'")));
    assert_eq!(received(&facts)[..4], [50_000, 56_000, 62_000, 68_000]);
    let (measured, facts) = run(&jobs(queue, poison, &fleet("'retry_now'")));
    assert_eq!(received(&facts)[..4], [50_000, 51_000, 52_000, 53_000]);
    assert_eq!(
        workers(&measured).failed,
        49,
        "the one that ends with the run is not counted"
    );
    let (_, facts) = run(&jobs(queue, poison, &fleet("{ backoff = { base = 2, max = 4 } }")));
    let pauses: Vec<u64> = received(&facts).windows(2).map(|it| it[1] - it[0] - 1_000).collect();
    assert!(pauses[0] <= 2_000 && pauses.iter().all(|it| *it <= 4_000), "{pauses:?}");
    assert!(pauses.iter().any(|it| *it > 2_000), "{pauses:?}");
}

#[test]
fn a_handler_timeout_cuts_short_what_takes_longer() {
    let fleet = "
handler_timeout = 3
service.constant = { time = 4 }
failure_policy = 'retry_now'";
    let (measured, facts) = run(&jobs("", "arrivals.constant = { rate = 0.02 }", fleet));
    assert_eq!(failed(&facts)[..3], [53_000, 56_000, 59_000]);
    let workers = workers(&measured);
    assert_eq!((workers.cut_short, workers.failed), (16, 0));
    let (measured, _) = run(&jobs(
        "",
        EVERY_TEN,
        "handler_timeout = 4\nservice.constant = { time = 4 }",
    ));
    assert_eq!(
        (measured.fleets["workers"].cut_short, queue(&measured).totals.done),
        (0, 9)
    );
}

#[test]
fn messages_expire_by_retention_and_wait_for_their_delay() {
    let queue = "message_retention_period = 60";
    let (measured, _) = run(&jobs(
        queue,
        EVERY_TEN,
        "service.constant = { time = 1000 }\nshutdown_timeout = 0",
    ));
    let totals = &measured.queues["jobs"].totals;
    // Those of 20 s and 30 s; that of 10 s is in flight, and expires too.
    assert_eq!((totals.sent, totals.expired, totals.done), (9, 3, 0));
    let (_, facts) = run(&jobs("delay = 7", EVERY_TEN, "service.constant = { time = 1 }"));
    assert_eq!(received(&facts)[..2], [17_000, 27_000]);
    let (_, facts) = run(&jobs(
        "delay = 7",
        &format!("{EVERY_TEN}\ndelay = 3"),
        "service.constant = { time = 1 }",
    ));
    assert_eq!(received(&facts)[..2], [13_000, 23_000]);
}

#[test]
fn another_fleet_does_what_has_gone_to_the_dead_letter_queue() {
    let queue = "
visibility_timeout = 5
dead_letter = { queue = 'failed', max_receive_count = 2 }
[queue.failed]";
    let fleet = "
service.constant = { time = 1 }
[fleet.clerks]
queue = 'failed'
service.constant = { time = 2 }";
    let (measured, facts) = run(&jobs(queue, &format!("{EVERY_TEN}\npoison_share = 1.0"), fleet));
    // Received at 10, 15 and then, too often, at 20 s.
    let arrived = times(&facts, |it| matches!(it, Fact::Arrived { .. }));
    assert_eq!(arrived[..3], [20_000, 30_000, 40_000]);
    let (jobs, failed) = (&measured.queues["jobs"].totals, &measured.queues["failed"].totals);
    assert_eq!((jobs.dead_lettered, failed.sent, jobs.done), (8, 8, 0));
    // Poison is poison for every worker: those of 20 s and 30 s three times, of 40 s to 60 s twice, of the last three once.
    assert_eq!((measured.fleets["clerks"].failed, failed.done), (15, 0));
}

#[test]
fn a_call_takes_its_latency() {
    let fleet = "call_latency.constant = { time = 0.25 }\nservice.constant = { time = 1 }";
    let (measured, facts) = run(&jobs("", EVERY_TEN, fleet));
    assert_eq!(received(&facts)[0], 10_000);
    assert_eq!(deleted(&facts)[0], 11_500, "the answer, the handler and the delete");
    assert!(
        (workers(&measured).busy_seconds - 9.0).abs() < 1e-6,
        "of handlers alone"
    );
}

#[test]
fn a_stop_in_order_gives_back_messages_on_their_way_to_the_worker() {
    let fleet = "
call_latency.constant = { time = 2 }
deploys = [{ at = 11, restart_time = 5 }]
service.constant = { time = 1 }";
    let (_, facts) = run(&jobs("", "arrivals.constant = { rate = 0.1 }", fleet));
    // Received at 10 s, released when the answer comes at 12 s; the worker is back at 17 s.
    assert_eq!(times(&facts, |it| matches!(it, Fact::Released { .. })), [12_000]);
    assert_eq!(received(&facts)[..2], [10_000, 17_000]);
}

#[test]
fn short_polls_are_made_at_their_interval() {
    let fleet = "wait_time = 0\npoll_interval = 3\nservice.constant = { time = 1 }";
    let (_, facts) = run(&jobs("", EVERY_TEN, fleet));
    assert_eq!(received(&facts)[..2], [12_000, 22_000]);
    let empty = times(&facts, |it| matches!(it, Fact::ReceivedNothing));
    assert_eq!(empty[..6], [0, 3_000, 6_000, 9_000, 13_000, 16_000]);
}

#[test]
fn the_limit_of_messages_in_flight_slows_workers_down_and_ends_no_run() {
    for name in ["jobs", "jobs.fifo"] {
        let mut scenario = jobs(
            "in_flight_limit = 2",
            "arrivals.constant = { rate = 2 }\ngroups.equal = { count = 50 }",
            "workers = 3\nconcurrency = 2\nservice.constant = { time = 1 }",
        );
        let queue = scenario.queue.remove("jobs").unwrap();
        scenario.queue.insert(name.to_owned(), queue);
        scenario.producer.get_mut("web").unwrap().queue = name.to_owned();
        scenario.fleet.get_mut("workers").unwrap().queue = name.to_owned();
        let (measured, facts) = run(&scenario);
        let done = measured.queues[name].totals.done;
        assert!((100..200).contains(&done), "{name}: {done}");
        assert!(facts.len() < 5_000, "{name}: {}", facts.len());
    }
}

#[test]
fn a_full_budget_refuses_sends() {
    let (measured, _) = run(&jobs(
        "budget = { messages = 3 }",
        EVERY_TEN,
        "service.constant = { time = 1000 }",
    ));
    let totals = &queue(&measured).totals;
    assert_eq!((totals.sent, totals.refused), (3, 6));
}

#[test]
fn a_run_with_too_many_messages_ends_early() {
    let mut scenario = jobs(
        "",
        "arrivals.constant = { rate = 1 }",
        "service.constant = { time = 1000 }",
    );
    scenario.message_limit = 20;
    let (measured, _) = run(&scenario);
    let overflow = measured.overflow.unwrap();
    assert_eq!((overflow.at, overflow.messages), (Duration::from_secs(21), 21));
    assert_eq!(measured.span, Duration::from_secs(21));
}

#[test]
fn a_run_with_too_many_bytes_ends_early() {
    let mut scenario = jobs(
        "",
        "arrivals.constant = { rate = 1 }\nbytes = 4096",
        "service.constant = { time = 1000 }",
    );
    scenario.message_limit = 20;
    let overflow = run(&scenario).0.overflow.unwrap();
    assert_eq!((overflow.messages, overflow.bytes), (6, 6 * 4_096));
}

#[test]
fn the_groups_that_are_kept_apart_are_the_first_of_their_producer_in_each_replication() {
    let scenario = jobs(
        "",
        "arrivals.constant = { rate = 10 }\ngroups.equal = { count = 200 }",
        "service.constant = { time = 0.1 }",
    );
    let mut expected: Vec<String> = (1..=20).map(|number| format!("group-{number:04}")).collect();
    expected.push("others".to_owned());
    for replication in 0..2 {
        let (measured, _) = super::run_replication(&scenario, replication);
        assert_eq!(queue(&measured).groups.keys().cloned().collect::<Vec<_>>(), expected);
    }
}

#[test]
fn the_same_seed_gives_the_same_run_and_another_replication_another() {
    let scenario = jobs(
        "",
        "arrivals.poisson = { rate = 3 }",
        "workers = 2\ncrashes = { mean_interval = 20 }\nservice.exponential = { mean = 0.5 }",
    );
    let facts = |replication| super::run_replication(&scenario, replication).1;
    assert_eq!(facts(0), facts(0));
    assert_ne!(facts(0), facts(1));
}

// Workers.

#[test]
fn a_rolling_deploy_restarts_one_worker_after_the_other() {
    let fleet = |graceful: bool| {
        format!(
            "
workers = 3
visibility_timeout = 12
deploys = [{{ at = 25, restart_time = 4, graceful = {graceful} }}]
service.constant = {{ time = 6 }}"
        )
    };
    let (measured, facts) = run(&jobs("", EVERY_TEN, &fleet(true)));
    let workers = workers(&measured);
    // The worker of 20 s ends its handler at 26 s; the other two are idle.
    assert_eq!((workers.restarts, workers.cut_short), (3, 0));
    assert_eq!(deleted(&facts).len(), 9);
    let (measured, facts) = run(&jobs("", EVERY_TEN, &fleet(false)));
    let workers = &measured.fleets["workers"];
    assert_eq!((workers.restarts, workers.cut_short), (3, 1));
    // The third worker is killed at 33 s, which has a message since 30 s.
    assert_eq!(workers.wasted_seconds, 3.0);
    let again = times(&facts, |it| matches!(it, Fact::Received { receive_count: 2, .. }));
    assert_eq!(again, [42_000]);
}

#[test]
fn the_seconds_of_workers_that_are_away_are_those_of_the_deploy() {
    let fleet = |kind: &str| {
        format!(
            "workers = 4\ndeploys = [{{ at = 20, kind = '{kind}', restart_time = 5 }}]\nservice.constant = {{ time = 1 }}"
        )
    };
    for (kind, least) in [("rolling", 3.0), ("at_once", 0.0)] {
        let mut scenario = jobs("", "arrivals.constant = { rate = 0.011 }", &fleet(kind));
        scenario.points = 100;
        let (measured, _) = run(&scenario);
        let workers = workers(&measured).workers.values().to_vec();
        assert_eq!(workers.iter().sum::<f64>(), 380.0, "{kind}: four times 5 s");
        assert_eq!(workers[21], least, "{kind}");
    }
}

#[test]
fn a_worker_that_crashes_loses_what_it_has_until_its_timeout() {
    let mut fleet = "
crashes = { mean_interval = 3, restart_time = 1 }
visibility_timeout = 4
service.constant = { time = 5 }"
        .to_owned();
    let (measured, facts) = run(&jobs("", EVERY_TEN, &fleet));
    let workers = workers(&measured);
    assert!(workers.crashes > 10, "{}", workers.crashes);
    assert!(workers.cut_short > 5 && workers.cut_short <= workers.crashes);
    assert!(workers.wasted_seconds > 0.0);
    let (done, sent) = (deleted(&facts).len(), 9);
    assert!(done < sent, "{done}");
    fleet = fleet.replace("mean_interval = 3", "mean_interval = 1000000");
    let (measured, facts) = run(&jobs("", EVERY_TEN, &fleet));
    assert_eq!((measured.fleets["workers"].crashes, deleted(&facts).len()), (0, 9));
}

#[test]
fn a_worker_that_stops_longer_than_it_may_gives_its_messages_back() {
    let fleet = "
shutdown_timeout = 3
deploys = [{ at = 15, restart_time = 2 }]
service.constant = { time = 9 }";
    let (measured, facts) = run(&jobs("", EVERY_TEN, fleet));
    assert_eq!(times(&facts, |it| matches!(it, Fact::Released { .. })), [18_000]);
    assert_eq!(
        received(&facts)[..3],
        [10_000, 20_000, 29_000],
        "at once after the restart"
    );
    assert_eq!(workers(&measured).cut_short, 1);
}

#[test]
fn two_deploys_at_once_restart_each_worker_and_end() {
    for kinds in [("rolling", "rolling"), ("rolling", "at_once"), ("at_once", "at_once")] {
        let fleet = format!(
            "
workers = 3
deploys = [{{ at = 20, kind = '{}', restart_time = 4 }}, {{ at = 20, kind = '{}', restart_time = 4 }}]
service.constant = {{ time = 1 }}",
            kinds.0, kinds.1
        );
        let (measured, _) = run(&jobs("", EVERY_TEN, &fleet));
        let workers = workers(&measured);
        assert!((3..=6).contains(&workers.restarts), "{kinds:?}: {}", workers.restarts);
        let last = *workers.workers.values().last().unwrap();
        assert!(last > 2.99, "{kinds:?}: all are back");
    }
}

#[test]
fn a_crash_in_a_stop_and_a_restart_when_a_message_returns_lose_no_worker() {
    let fleet = "
workers = 3
visibility_timeout = 10
crashes = { mean_interval = 6, restart_time = 2 }
deploys = [{ at = 10, every = 10, restart_time = 3 }]
service.constant = { time = 9 }";
    let (measured, _) = run(&jobs("", "arrivals.constant = { rate = 0.5 }", fleet));
    let crashed = workers(&measured);
    assert!(
        crashed.crashes > 20 && crashed.restarts > 5,
        "{} {}",
        crashed.crashes,
        crashed.restarts
    );
    // Killed with its message at 15 s, and back at the instant at which that returns.
    let fleet = "
visibility_timeout = 10
heartbeat = false
deploys = [{ at = 15, restart_time = 5, graceful = false }]
service.constant = { time = 8 }";
    let (_, facts) = run(&jobs("", "arrivals.constant = { rate = 0.1 }", fleet));
    assert_eq!(received(&facts)[..2], [10_000, 20_000]);
}

// Autoscaling.

#[test]
fn a_backlog_brings_workers_after_the_reaction_time_within_limits() {
    let fleet = "
workers = 1
autoscaling = { rule.backlog_per_worker = { target = 5 }, min = 1, max = 4, interval = 10, reaction_time = 15 }
service.constant = { time = 1000 }";
    let mut scenario = jobs("", "arrivals.constant = { rate = 1 }", fleet);
    scenario.points = 100;
    let (measured, _) = run(&scenario);
    let workers = workers(&measured).workers.values().to_vec();
    // At 10 s some 9 are visible: 2 workers, from 25 s; at 20 s 19: 4 workers, from 35 s.
    assert_eq!(
        (workers[24], workers[25], workers[34], workers[35]),
        (1.0, 2.0, 2.0, 4.0),
        "{workers:?}"
    );
    assert_eq!(workers[99], 4.0);
}

#[test]
fn an_old_message_brings_workers_and_an_empty_queue_takes_them() {
    let fleet = "
workers = 1
autoscaling = { rule.age_of_oldest = { target = 10 }, min = 1, max = 8, interval = 5, reaction_time = 5 }
service.constant = { time = 32 }";
    let mut scenario = jobs("", "arrivals.constant = { rate = 0.025 }", fleet);
    scenario.points = 100;
    let (measured, _) = run(&scenario);
    let workers = workers(&measured).workers.values().to_vec();
    // Sent at 40 s: at 55 s it is 15 s old, so that 2 workers are wanted; at 60 s twice as old as the target.
    assert_eq!((workers[59], workers[60]), (1.0, 2.0), "{workers:?}");
    assert_eq!((workers[65], workers[70]), (4.0, 8.0), "{workers:?}");
    // Done at 72 s.
    assert_eq!((workers[74], workers[75]), (8.0, 1.0), "{workers:?}");
}

#[test]
fn autoscaling_in_a_rolling_deploy_ends_it() {
    let fleet = "
workers = 6
autoscaling = { rule.backlog_per_worker = { target = 1000 }, min = 2, max = 6, interval = 11, reaction_time = 1 }
deploys = [{ at = 10, every = 40, restart_time = 5 }]
service.constant = { time = 1 }";
    let mut scenario = jobs("", EVERY_TEN, fleet);
    scenario.points = 100;
    let (measured, _) = run(&scenario);
    let fleet = workers(&measured);
    let workers = fleet.workers.values().to_vec();
    assert_eq!((workers[9], workers[49], workers[89]), (6.0, 2.0, 2.0), "{workers:?}");
    // The two that stay, three times.
    assert_eq!(fleet.restarts, 6);
}

#[test]
fn workers_that_restart_are_removed_as_well() {
    let fleet = "
workers = 6
autoscaling = { rule.backlog_per_worker = { target = 1000 }, min = 2, max = 6, interval = 11, reaction_time = 1 }
deploys = [{ at = 10, kind = 'at_once', restart_time = 5 }]
service.constant = { time = 60 }";
    let mut scenario = jobs("", "arrivals.constant = { rate = 1 }", fleet);
    scenario.points = 100;
    let (measured, _) = run(&scenario);
    let workers = workers(&measured).workers.values().to_vec();
    // All six stop for 30 s when four of them are too many.
    assert_eq!((workers[39], workers[50], workers[99]), (6.0, 2.0, 2.0), "{workers:?}");
}

// Faults.

#[test]
fn no_fault_ends_time_or_gathers_without_end() {
    use crate::testing::Fault;
    let of_calls = |it: &&Fault| {
        !matches!(
            it,
            Fault::Outage
                | Fault::CrashBeforeWork
                | Fault::CrashBeforeDelete
                | Fault::CrashAfterDelete
                | Fault::PausePastVisibility
                | Fault::ClockJump
        )
    };
    for fault in Fault::ALL.iter().filter(of_calls) {
        for probability in [1.0, 0.5] {
            let of_send = fault.to_string().starts_with("Send");
            let mut scenario = jobs(
                "visibility_timeout = 5",
                "arrivals.constant = { rate = 5 }",
                "workers = 2\nconcurrency = 5\nprefetch = 3\nservice.constant = { time = 2 }",
            );
            scenario.message_limit = 2_000;
            let faults = [(fault.to_string(), probability)].into();
            match of_send {
                true => scenario.producer.get_mut("web").unwrap().faults = faults,
                false => scenario.fleet.get_mut("workers").unwrap().faults = faults,
            }
            let (measured, facts) = run(&scenario);
            assert!(facts.len() < 40_000, "{fault} {probability}: {} facts", facts.len());
            let struck = workers(&measured).faults.get(&fault.to_string()).copied();
            let strikes = !of_send && *fault != Fault::BatchEntryFails;
            let may_strike = !matches!(fault, Fault::SampledPoll | Fault::OverLimit | Fault::Reordered);
            assert!(
                !strikes || !may_strike || struck > Some(0),
                "{fault} {probability}: {struck:?}"
            );
        }
    }
}

#[test]
fn what_is_delivered_again_after_its_delete_is_worked_on_in_vain() {
    let fleet = "faults = { DuplicateAfterDelete = 0.5 }\nservice.constant = { time = 1 }";
    let (measured, facts) = run(&jobs("", EVERY_TEN, fleet));
    let workers = workers(&measured);
    assert!(workers.begun > deleted(&facts).len() as u64, "{} begun", workers.begun);
    assert_eq!(workers.wasted_seconds, (workers.begun - 9) as f64);
}
