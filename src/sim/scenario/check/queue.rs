//! Checks of queues: the queues themselves are built, as a run builds them.

use {
    super::at::At,
    crate::{
        error::{CreateQueueError, InvalidAttributeName, InvalidAttributeValue, InvalidParameterValue},
        limits::Limits,
        queue::{Budget, Queue, QueueBuilder},
        sim::scenario::{QueueConfig, Scenario, ScenarioError, error::nearest},
    },
    std::collections::BTreeMap,
};

impl Scenario {
    /// The queues by name, dead-letter queues connected; `adapt` gives each builder what the scenario does not know.
    pub(in crate::sim) fn build_queues(
        &self,
        mut adapt: impl FnMut(&str, QueueBuilder) -> QueueBuilder,
    ) -> Result<BTreeMap<String, Queue>, ScenarioError> {
        let root = At::ROOT.to("queue");
        for (name, config) in &self.queue {
            check_dead_letter(&root.to(name), name, config, self)?;
        }
        let mut built = BTreeMap::<String, Queue>::new();
        while built.len() < self.queue.len() {
            let before = built.len();
            for (name, config) in &self.queue {
                let target = config.dead_letter.as_ref().map(|it| built.get(&it.queue));
                if built.contains_key(name) || matches!(target, Some(None)) {
                    continue;
                }
                let target = target.flatten().cloned();
                let queue = build(&root.to(name), name, config, target, &mut adapt)?;
                built.insert(name.clone(), queue);
            }
            if built.len() == before {
                return Err(circle(&root, self, &built));
            }
        }
        Ok(built)
    }
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

fn circle(root: &At<'_>, scenario: &Scenario, built: &BTreeMap<String, Queue>) -> ScenarioError {
    let mut left = scenario.queue.keys().filter(|it| !built.contains_key(*it));
    let name = left.next().map_or("", String::as_str);
    let (queue, problem) = (
        root.to(name),
        "its dead-letter queues lead in a circle, they have to end in a queue without one",
    );
    queue.to("dead_letter").fail(problem)
}

fn build(
    at: &At<'_>,
    name: &str,
    config: &QueueConfig,
    dead_letter_queue: Option<Queue>,
    adapt: &mut impl FnMut(&str, QueueBuilder) -> QueueBuilder,
) -> Result<Queue, ScenarioError> {
    check_ranges(at, config)?;
    let mut limits = Limits::default();
    if let Some(limit) = config.in_flight_limit {
        (limits.in_flight_standard, limits.in_flight_fifo) = (limit, limit);
    }
    let mut builder = if is_fifo(name) {
        Queue::fifo(name)
    } else {
        Queue::standard(name)
    };
    builder = builder.limits(limits);
    macro_rules! set {
        ($($field:ident)+) => { $(if let Some(value) = config.$field { builder = builder.$field(value); })+ };
    }
    set! {
        visibility_timeout delay message_retention_period receive_message_wait_time maximum_message_size
        content_based_deduplication deduplication_scope fifo_throughput_limit shards stale_delete
    }
    if let Some(config) = config.budget {
        let mut budget = Budget::new();
        if let Some(messages) = config.messages {
            budget = budget.messages(messages);
        }
        if let Some(bytes) = config.bytes {
            budget = budget.bytes(bytes);
        }
        builder = builder.budget(budget);
    }
    if let (Some(queue), Some(config)) = (dead_letter_queue, &config.dead_letter) {
        builder = builder.dead_letter(&queue, config.max_receive_count);
    }
    adapt(name, builder).build().map_err(|error| refused(at, &error))
}

/// As SQS tells them apart.
pub(in crate::sim) fn is_fifo(name: &str) -> bool {
    name.ends_with(".fifo")
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
        at.to("in_flight_limit").count(limit, 1..=usize::MAX)?;
    }
    Ok(())
}

/// What SQS says, at the setting that it names.
fn refused(at: &At<'_>, error: &CreateQueueError) -> ScenarioError {
    let attribute = match error {
        CreateQueueError::InvalidAttributeName(InvalidAttributeName::FifoOnly { attribute }) => attribute,
        CreateQueueError::InvalidAttributeName(InvalidAttributeName::Unknown { attribute })
        | CreateQueueError::InvalidAttributeValue(InvalidAttributeValue::Refused { attribute }) => attribute.as_ref(),
        CreateQueueError::InvalidParameterValue(InvalidParameterValue::Value { parameter, .. }) => parameter,
        _ => "",
    };
    let problem = format!("{} ({})", error, error.code());
    match attribute {
        "ContentBasedDeduplication" => at.to("content_based_deduplication").fail(problem),
        "DeduplicationScope" => at.to("deduplication_scope").fail(problem),
        "FifoThroughputLimit" => at.to("fifo_throughput_limit").fail(problem),
        "RedrivePolicy" => at.to("dead_letter").fail(problem),
        _ => at.fail(problem),
    }
}
