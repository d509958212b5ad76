//! The queues of a scenario, as real ones.

use {
    super::{BudgetConfig, QueueConfig, Scenario, ScenarioError, error::key},
    crate::{
        attributes::QueueAttributes,
        error::{CreateQueueError, InvalidAttributeName, InvalidAttributeValue, InvalidParameterValue},
        limits::Limits,
        queue::{Budget, Queue, QueueBuilder},
    },
    std::collections::BTreeMap,
};

impl Scenario {
    /// Builds the queues by name, each with what `adapt` adds to it.
    ///
    /// # Errors
    /// What a queue refuses, and dead-letter queues that are missing or form a circle.
    pub(in crate::sim) fn build_queues(
        &self,
        adapt: impl Fn(&str, QueueBuilder) -> QueueBuilder,
    ) -> Result<BTreeMap<String, Queue>, ScenarioError> {
        let mut built = BTreeMap::new();
        while built.len() < self.queue.len() {
            let before = built.len();
            for (name, config) in &self.queue {
                let target = config.dead_letter.as_ref();
                if built.contains_key(name) || target.is_some_and(|it| !built.contains_key(&it.queue)) {
                    continue;
                }
                let mut builder = adapt(name, config.builder(name));
                if let Some(target) = target {
                    builder = builder.dead_letter(&built[&target.queue], target.max_receive_count);
                }
                let queue = builder.build().map_err(|error| refused(name, &error))?;
                built.insert(name.clone(), queue);
            }
            if built.len() == before {
                let left = self.queue.keys().find(|it| !built.contains_key(*it));
                let path = format!("queue.{}.dead_letter", key(left.map_or("", String::as_str)));
                let problem = "the dead-letter queue is missing, or dead-letter queues form a circle";
                return Err(ScenarioError::new(path, problem));
            }
        }
        Ok(built)
    }
}

impl QueueConfig {
    /// A queue with these settings, but for its dead-letter queue.
    fn builder(&self, name: &str) -> QueueBuilder {
        let builder = match is_fifo(name) {
            true => Queue::fifo(name),
            false => Queue::standard(name),
        };
        let mut builder = builder
            .attributes(self.attributes())
            .stale_delete(self.stale_delete.unwrap_or_default());
        if let Some(shards) = self.shards {
            builder = builder.shards(shards);
        }
        if let Some(limit) = self.in_flight_limit {
            let mut limits = Limits::default();
            (limits.in_flight_standard, limits.in_flight_fifo) = (limit, limit);
            builder = builder.limits(limits);
        }
        match self.budget {
            Some(budget) => builder.budget(budget.budget()),
            None => builder,
        }
    }

    fn attributes(&self) -> QueueAttributes {
        macro_rules! given {
            ($($field:ident),+) => {{
                let mut attributes = QueueAttributes::new();
                $(if let Some(value) = self.$field {
                    attributes = attributes.$field(value);
                })+
                attributes
            }};
        }
        given!(
            visibility_timeout,
            delay,
            message_retention_period,
            receive_message_wait_time,
            maximum_message_size,
            content_based_deduplication,
            deduplication_scope,
            fifo_throughput_limit
        )
    }
}

impl BudgetConfig {
    fn budget(self) -> Budget {
        let mut budget = Budget::new();
        if let Some(messages) = self.messages {
            budget = budget.messages(messages);
        }
        match self.bytes {
            Some(bytes) => budget.bytes(bytes),
            None => budget,
        }
    }
}

/// As SQS tells them apart.
pub(super) fn is_fifo(name: &str) -> bool {
    name.ends_with(".fifo")
}

/// What SQS says, at the setting that it names.
fn refused(name: &str, error: &CreateQueueError) -> ScenarioError {
    let attribute = match error {
        CreateQueueError::InvalidAttributeName(InvalidAttributeName::FifoOnly { attribute }) => attribute,
        CreateQueueError::InvalidAttributeName(InvalidAttributeName::Unknown { attribute })
        | CreateQueueError::InvalidAttributeValue(InvalidAttributeValue::Refused { attribute }) => attribute.as_ref(),
        CreateQueueError::InvalidParameterValue(InvalidParameterValue::Value { parameter, .. }) => parameter,
        _ => "",
    };
    let setting = match attribute {
        "ContentBasedDeduplication" => ".content_based_deduplication",
        "DeduplicationScope" => ".deduplication_scope",
        "FifoThroughputLimit" => ".fifo_throughput_limit",
        "RedrivePolicy" => ".dead_letter",
        _ => "",
    };
    ScenarioError::new(
        format!("queue.{}{setting}", key(name)),
        format!("{error} ({})", error.code()),
    )
}
