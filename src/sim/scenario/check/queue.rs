//! Checks of queues.

use {
    super::at::{At, MAX_COUNT},
    crate::{
        limits::Limits,
        sim::scenario::{QueueConfig, Scenario, ScenarioError, error::nearest},
    },
};

/// Everything that building the queues does not check, or does not name with its limit.
pub(super) fn check(scenario: &Scenario) -> Result<(), ScenarioError> {
    for (name, config) in &scenario.queue {
        let root = At::ROOT.to("queue");
        let at = root.to(name);
        check_ranges(&at, config)?;
        check_dead_letter(&at, name, config, scenario)?;
    }
    Ok(())
}

fn check_dead_letter(at: &At<'_>, name: &str, config: &QueueConfig, scenario: &Scenario) -> Result<(), ScenarioError> {
    let Some(dead_letter) = &config.dead_letter else {
        return Ok(());
    };
    let (dead, at) = (&dead_letter.queue, at.to("dead_letter"));
    let at = at.to("queue");
    if dead == name {
        return Err(at.fail(format!(
            "{dead:?} is the queue itself, a dead-letter queue is another one"
        )));
    }
    known(&at, dead, scenario)
}

/// A queue that is named exists.
pub(super) fn known(at: &At<'_>, name: &str, scenario: &Scenario) -> Result<(), ScenarioError> {
    if scenario.queue.contains_key(name) {
        return Ok(());
    }
    let nearest = nearest(name, scenario.queue.keys().map(String::as_str));
    Err(at.fail(format!("there is no queue {name:?}{nearest}")))
}

/// SQS's errors name neither value nor limit.
fn check_ranges(at: &At<'_>, config: &QueueConfig) -> Result<(), ScenarioError> {
    let limits = Limits::default();
    let spans = [
        (
            "visibility_timeout",
            config.visibility_timeout,
            limits.visibility_timeout,
        ),
        ("delay", config.delay, limits.delay),
        (
            "receive_message_wait_time",
            config.receive_message_wait_time,
            limits.receive_wait_time,
        ),
    ];
    for (name, value, most) in spans {
        at.to(name).spans(value.unwrap_or_default(), Default::default(), most)?;
    }
    if let Some(period) = config.message_retention_period {
        let (least, most) = (limits.message_retention_period_min, limits.message_retention_period_max);
        at.to("message_retention_period").spans(period, least, most)?;
    }
    if let Some(size) = config.maximum_message_size {
        let (least, most) = (limits.maximum_message_size_min, limits.maximum_message_size_max);
        at.to("maximum_message_size").count(size, least..=most)?;
    }
    if let Some(dead_letter) = &config.dead_letter {
        let (count, most) = (dead_letter.max_receive_count, limits.max_receive_count);
        let at = at.to("dead_letter");
        at.to("max_receive_count").count(count as usize, 1..=most as usize)?;
    }
    if let Some(shards) = config.shards {
        at.to("shards").count(shards, 1..=1_000)?;
    }
    if let Some(limit) = config.in_flight_limit {
        at.to("in_flight_limit").count(limit, 1..=MAX_COUNT)?;
    }
    Ok(())
}
