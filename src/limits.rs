//! Every quota of SQS as a field of [`Limits`], so that a test can set one to 5 and an application can lift it.
//!
//! Nothing here enforces a limit; the module that owns the rule reads it from here.
use std::time::Duration;

/// The quotas a queue enforces, all inclusive, each with the rule it comes from.
///
/// Start from [`Limits::default()`] or [`Limits::aws()`] and assign the fields that differ. Texts of errors name the
/// value in force, not the value SQS has.
///
/// # Source
/// [Amazon SQS quotas](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-quotas.html).
///
/// # Examples
/// ```
/// # use requeue::Limits;
/// let mut limits = Limits::default();
/// limits.in_flight_standard = 5;
/// assert_eq!(limits.in_flight_fifo, 120_000);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Limits {
    /// Longest name of a queue in characters, the suffix `.fifo` included (Q1).
    pub queue_name_length: usize,
    /// Least value of the queue attribute `MaximumMessageSize`, in bytes (Q16).
    pub maximum_message_size_min: usize,
    /// Greatest value of the queue attribute `MaximumMessageSize`, in bytes (Q16).
    pub maximum_message_size_max: usize,
    /// Value of `MaximumMessageSize` on a queue that sets none, in bytes.
    pub maximum_message_size_default: usize,
    /// Greatest sum of message sizes in one batch, in bytes (M10).
    pub batch_bytes: usize,
    /// Most entries in one batch (M35).
    pub batch_entries: usize,
    /// Longest id of a batch entry in characters (M32).
    pub batch_entry_id_length: usize,
    /// Most user attributes of one message (M12).
    pub message_attributes: usize,
    /// Longest name of a user attribute in characters (M13).
    pub attribute_name_length: usize,
    /// Longest data type of a user attribute in characters, custom label included (M14).
    pub attribute_data_type_length: usize,
    /// Longest delay of a message or a queue (D32, Q16).
    pub delay: Duration,
    /// Longest visibility timeout, and the cap on one reception in total (D25, D26, Q16).
    pub visibility_timeout: Duration,
    /// Shortest retention period of a queue (Q16).
    pub message_retention_period_min: Duration,
    /// Longest retention period of a queue (Q16).
    pub message_retention_period_max: Duration,
    /// Longest long poll, per call or as a queue's default (rule 3.2, Q16).
    pub receive_wait_time: Duration,
    /// Most messages that one receive returns (rule 3.2).
    pub receive_messages: usize,
    /// Most messages in flight on a standard queue (D15).
    pub in_flight_standard: usize,
    /// Most messages in flight on a FIFO queue (F29).
    pub in_flight_fifo: usize,
    /// Longest message group id, deduplication id and receive attempt id in characters (F1, F3, F31).
    pub id_length: usize,
    /// How long an accepted send makes a second one with its deduplication id a duplicate (F9).
    pub deduplication_interval: Duration,
    /// How long a receive attempt id replays its result (F32).
    pub receive_attempt_interval: Duration,
    /// How long after a change of `DeduplicationScope` the old scope still acts (F16).
    pub deduplication_scope_change_delay: Duration,
    /// Greatest `maxReceiveCount` of a redrive policy; the least is 1 (L2a).
    pub max_receive_count: u32,
    /// Most source queues that a redrive allow policy names; the fewest are 1 (L20).
    pub redrive_allow_source_queues: usize,
    /// Shortest time between two purges of a queue (D44).
    pub purge_interval: Duration,
    /// Shortest time between deleting a queue and creating one of its name; zero switches the rule off (Q37).
    pub recreate_interval: Duration,
    /// Longest access policy of a queue in bytes (Q26).
    pub policy_bytes: usize,
    /// Most statements in the access policy of a queue (Q55).
    pub policy_statements: usize,
    /// Most principals in the access policy of a queue (Q55).
    pub policy_principals: usize,
    /// Most conditions in the access policy of a queue (Q55).
    pub policy_conditions: usize,
    /// Shortest `KmsDataKeyReusePeriodSeconds` (Q16).
    pub kms_data_key_reuse_period_min: Duration,
    /// Longest `KmsDataKeyReusePeriodSeconds` (Q16).
    pub kms_data_key_reuse_period_max: Duration,
    /// Most calls per second of one action on a FIFO queue: send, receive or delete (section 9). This and the other
    /// quotas of calls are enforced only by an endpoint with throttling.
    pub fifo_calls: u32,
    /// Most messages per second in one action on a FIFO queue (section 9).
    pub fifo_messages: u32,
    /// Most calls per second of one action on a FIFO queue in high-throughput mode; `None` for what SQS gives in the
    /// region of the service (F40).
    pub fifo_high_throughput_calls: Option<u32>,
    /// Most messages per second in one action on such a queue; `None` for ten times the calls (F40).
    pub fifo_high_throughput_messages: Option<u32>,
    /// Most calls per second that send to one message group of such a queue (section 9).
    pub fifo_group_calls: u32,
    /// Most messages per second that are sent to one message group of such a queue (section 9).
    pub fifo_group_messages: u32,
    /// Most tags of a queue (Q46).
    pub tags: usize,
    /// Longest key of a tag in characters (Q44).
    pub tag_key_length: usize,
    /// Longest value of a tag in characters (Q44).
    pub tag_value_length: usize,
    /// Longest label of a permission in characters (Q50).
    pub permission_label_length: usize,
    /// Most actions in one permission or policy statement (Q53, Q55).
    pub permission_actions: usize,
    /// Most queues on one page of a listing (Q9, L23).
    pub list_results: usize,
    /// Most message move tasks in one listing (L29).
    pub list_move_task_results: usize,
    /// Longest run of a message move task (L33).
    pub move_task_duration: Duration,
    /// Highest rate of a message move task in messages per second (L24).
    pub move_task_messages_per_second: u32,
    /// Most message move tasks running at once in a service (L33).
    pub move_tasks_active: usize,
    /// Share of a queue's messages in flight, and of its processing time, above which a tenant is noisy: 0.0 to 1.0
    /// (N3).
    pub noisy_share: f64,
    /// Fewest messages in flight that make a tenant noisy by its share of them (N3).
    pub noisy_in_flight_min: usize,
    /// Least value of the attribute `MaximumMessageSize` of a topic, and the value of one that sets none, in bytes (E32).
    #[cfg(feature = "topics")]
    pub topic_message_size_min: usize,
    /// Greatest value of the attribute `MaximumMessageSize` of a topic, in bytes (E32).
    #[cfg(feature = "topics")]
    pub topic_message_size_max: usize,
    /// Most subscriptions of a topic whose `MaximumMessageSize` is more than the least (E32).
    #[cfg(feature = "topics")]
    pub large_topic_subscriptions: usize,
    /// Most subscriptions of a topic that have a filter policy (E32).
    #[cfg(feature = "topics")]
    pub filter_policies: usize,
    /// Longest filter policy in bytes (E32).
    #[cfg(feature = "topics")]
    pub filter_policy_bytes: usize,
    /// Most keys of a filter policy (E32).
    #[cfg(feature = "topics")]
    pub filter_policy_keys: usize,
    /// Most combinations of values of a filter policy: the product over its keys of the number of values, times the depth
    /// of a nested key; branches of `$or` are added (E32).
    #[cfg(feature = "topics")]
    pub filter_policy_combinations: usize,
    /// Span over which processing time is summed, and after which a tenant with nothing in flight is quiet (N6, N9).
    pub noisy_interval: Duration,
}

impl Limits {
    /// The quotas of the service as of November 2026, where a queue takes messages of 1 MiB unless told otherwise.
    ///
    /// # Examples
    /// ```
    /// # use requeue::Limits;
    /// assert_eq!(Limits::aws().maximum_message_size_default, 1_048_576);
    /// ```
    #[must_use]
    pub const fn aws() -> Self {
        Self {
            queue_name_length: 80,
            maximum_message_size_min: 1_024,
            maximum_message_size_max: 1_048_576,
            maximum_message_size_default: 1_048_576,
            batch_bytes: 1_048_576,
            batch_entries: 10,
            batch_entry_id_length: 80,
            message_attributes: 10,
            attribute_name_length: 256,
            attribute_data_type_length: 256,
            delay: Duration::from_secs(900),
            visibility_timeout: Duration::from_secs(43_200),
            message_retention_period_min: Duration::from_secs(60),
            message_retention_period_max: Duration::from_secs(1_209_600),
            receive_wait_time: Duration::from_secs(20),
            receive_messages: 10,
            in_flight_standard: 120_000,
            in_flight_fifo: 120_000,
            id_length: 128,
            deduplication_interval: Duration::from_secs(300),
            receive_attempt_interval: Duration::from_secs(300),
            deduplication_scope_change_delay: Duration::from_secs(60),
            max_receive_count: 1_000,
            redrive_allow_source_queues: 10,
            purge_interval: Duration::from_secs(60),
            recreate_interval: Duration::from_secs(60),
            policy_bytes: 8_192,
            policy_statements: 20,
            policy_principals: 50,
            policy_conditions: 10,
            kms_data_key_reuse_period_min: Duration::from_secs(60),
            kms_data_key_reuse_period_max: Duration::from_secs(86_400),
            fifo_calls: 300,
            fifo_messages: 3_000,
            fifo_high_throughput_calls: None,
            fifo_high_throughput_messages: None,
            fifo_group_calls: 300,
            fifo_group_messages: 3_000,
            tags: 50,
            tag_key_length: 128,
            tag_value_length: 256,
            permission_label_length: 80,
            permission_actions: 7,
            list_results: 1_000,
            list_move_task_results: 10,
            move_task_duration: Duration::from_secs(36 * 3_600),
            move_task_messages_per_second: 500,
            move_tasks_active: 100,
            #[cfg(feature = "topics")]
            topic_message_size_min: 262_144,
            #[cfg(feature = "topics")]
            topic_message_size_max: 1_048_576,
            #[cfg(feature = "topics")]
            large_topic_subscriptions: 100,
            #[cfg(feature = "topics")]
            filter_policies: 200,
            #[cfg(feature = "topics")]
            filter_policy_bytes: 262_144,
            #[cfg(feature = "topics")]
            filter_policy_keys: 5,
            #[cfg(feature = "topics")]
            filter_policy_combinations: 150,
            noisy_share: 0.10,
            noisy_in_flight_min: 30,
            noisy_interval: Duration::from_secs(300),
        }
    }
}

impl Default for Limits {
    /// [`Limits::aws()`], except that a queue takes messages of 256 KiB unless told otherwise.
    fn default() -> Self {
        Self {
            maximum_message_size_default: 262_144,
            ..Self::aws()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_differs_from_aws_in_the_default_message_size_alone() {
        let (ours, aws) = (Limits::default(), Limits::aws());
        assert_eq!(
            (ours.maximum_message_size_default, aws.maximum_message_size_default),
            (256 * 1024, 1024 * 1024)
        );
        assert_eq!(
            Limits {
                maximum_message_size_default: 1_048_576,
                ..ours
            },
            aws
        );
    }
}
