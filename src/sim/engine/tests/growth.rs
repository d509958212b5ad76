//! What could grow with the horizon, and does not.

use {
    super::{Lab, scenario, simulate_with},
    crate::sim::Progress,
};

/// What is left at the end of a run of this scenario.
#[track_caller]
fn left(text: &str, of: impl FnOnce(Lab<'_>) -> usize) -> usize {
    simulate_with(&scenario(text), 0, &Progress::new(), |_, builder| builder, of).unwrap()
}

#[test]
fn void_events_do_not_gather() {
    const SEND: &str =
        "horizon = 1000\n[queue.jobs]\n[producer.web]\nqueue = 'jobs'\narrivals.constant = { rate = 10 }\n";
    const FLEET: &str = "[fleet.workers]\nqueue = 'jobs'\nworkers = 10\nservice.constant = { time = 0.5 }\n";
    const DEPLOYS: &str = "deploys = [{ at = 0, every = 1, kind = 'at_once', restart_time = 0.1, graceful = false }]\n";
    for more in [
        format!("crashes = {{ mean_interval = '365 d' }}\n{DEPLOYS}"),
        format!(
            "shutdown_timeout = '365 d'\n{}",
            DEPLOYS.replace(", graceful = false", "")
        ),
        format!("wait_time = 0\npoll_interval = '365 d'\n{DEPLOYS}"),
        format!("outages = [{{ from = 0, until = '365 d', effect = 'hang' }}]\n{DEPLOYS}"),
        format!("call_latency.constant = {{ time = '365 d' }}\n{DEPLOYS}"),
    ] {
        let events = left(&format!("{SEND}{FLEET}{more}"), |lab| {
            lab.agenda.len() + lab.answers.len()
        });
        assert!(events < 5_000, "{events} events: {more}");
    }
    let batches = "batch_size = 2\nbatch_window = '365 d'\n";
    let events = left(&format!("{SEND}{batches}{FLEET}"), |lab| lab.agenda.len());
    assert!(events < 3_000, "{events} events");
}

/// At which second a run of this scenario ended as unstable.
#[track_caller]
fn ended_at(text: &str) -> Option<u64> {
    let run = simulate_with(
        &scenario(text),
        0,
        &Progress::new(),
        |_, builder| builder,
        |lab| lab.finish(),
    );
    run.unwrap().overflow.map(|it| it.at.as_secs())
}

#[test]
fn sends_that_always_fail_are_a_backlog() {
    let text = "
horizon = '10 min'
message_limit = 1000
[queue.jobs]
[producer.web]
queue = 'jobs'
arrivals.constant = { rate = 10 }
faults = { SendThrottled = 1 }";
    assert_eq!(ended_at(text), Some(100));
}

#[test]
fn messages_that_expire_under_their_handlers_are_a_backlog() {
    let text = "
horizon = '10 min'
message_limit = 1000
[queue.jobs]
message_retention_period = 60
[producer.web]
queue = 'jobs'
arrivals.constant = { rate = 10 }
[fleet.workers]
queue = 'jobs'
concurrency = 1000000
service.constant = { time = '1 d' }";
    assert_eq!(ended_at(text), Some(100));
}

#[test]
fn the_bodies_of_a_dead_letter_queue_count() {
    // 1000 messages of the limit stand for 1 MB of bodies.
    let text = "
horizon = '10 min'
message_limit = 1000
[queue.dead]
[queue.dead-of-dead]
[queue.jobs]
dead_letter = { queue = 'dead', max_receive_count = 1 }
[producer.web]
queue = 'jobs'
bytes = 10240
arrivals.constant = { rate = 10 }
[fleet.workers]
queue = 'jobs'
service.constant = { time = 0.001 }
failure_probability = 1
failure_policy = 'retry_now'";
    assert_eq!(ended_at(text), Some(10));
    let trace = text.replace("bytes = 10240", "").replace(
        "arrivals.constant = { rate = 10 }",
        "arrivals.trace.entries = [{ time = 5, bytes = 1000 }, { time = 6, bytes = 200000 }]",
    );
    assert_eq!(
        ended_at(&trace.replace("message_limit = 1000", "message_limit = 200")),
        Some(6)
    );
}
