//! Whether a CreateQueue request matches the existing queue of that name.
use super::json::Json;
use super::{QueueAttributes, RedriveAllowPolicy, Settings, name};
use crate::time::whole_millis;
use std::time::Duration;

impl QueueAttributes {
    /// SQS's name of the first attribute that this request gives another value than `settings` have (Q29 to Q32, Q34).
    ///
    /// Only attributes in the request are compared. One that it removes equals one that is not set, and a default
    /// given explicitly equals one that is not set.
    pub(crate) fn first_difference(&self, settings: &Settings) -> Option<&'static str> {
        let allow_policy = |policy: &Option<RedriveAllowPolicy>| policy.clone().unwrap_or_default();
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let span = |given: Option<Duration>, held| given.map(whole_millis).is_some_and(|given| given != held);
        [
            (name::DELAY, span(self.delay, settings.delay)),
            (
                name::MAXIMUM_MESSAGE_SIZE,
                differs(&self.maximum_message_size, &settings.maximum_message_size),
            ),
            (
                name::MESSAGE_RETENTION_PERIOD,
                span(self.message_retention_period, settings.message_retention_period),
            ),
            (
                name::RECEIVE_WAIT_TIME,
                span(self.receive_message_wait_time, settings.receive_message_wait_time),
            ),
            (
                name::VISIBILITY_TIMEOUT,
                span(self.visibility_timeout, settings.visibility_timeout),
            ),
            (
                name::POLICY,
                self.policy
                    .as_ref()
                    .is_some_and(|given| !same_document(given, &text(&settings.policy))),
            ),
            (
                name::REDRIVE_POLICY,
                differs(&self.redrive_policy, &settings.redrive_policy),
            ),
            (
                name::REDRIVE_ALLOW_POLICY,
                differs(
                    &self.redrive_allow_policy.as_ref().map(allow_policy),
                    &allow_policy(&settings.redrive_allow_policy),
                ),
            ),
            (
                name::KMS_MASTER_KEY_ID,
                differs(&self.kms_master_key_id, &text(&settings.kms_master_key_id)),
            ),
            (
                name::KMS_DATA_KEY_REUSE_PERIOD,
                span(self.kms_data_key_reuse_period, settings.kms_data_key_reuse_period),
            ),
            (
                name::SQS_MANAGED_SSE_ENABLED,
                differs(&self.sqs_managed_sse_enabled, &settings.sqs_managed_sse_enabled),
            ),
            (name::FIFO_QUEUE, differs(&self.fifo_queue, &settings.fifo_queue)),
            (
                name::CONTENT_BASED_DEDUPLICATION,
                differs(&self.content_based_deduplication, &settings.content_based_deduplication),
            ),
            (
                name::DEDUPLICATION_SCOPE,
                differs(&self.deduplication_scope, &settings.deduplication_scope),
            ),
            (
                name::FIFO_THROUGHPUT_LIMIT,
                differs(&self.fifo_throughput_limit, &settings.fifo_throughput_limit),
            ),
        ]
        .into_iter()
        .find_map(|(name, differs)| differs.then_some(name))
    }
}

fn differs<T: PartialEq>(given: &Option<T>, held: &T) -> bool {
    given.as_ref().is_some_and(|given| given != held)
}

/// Q34: documents are compared as JSON, and as text where one of them is none.
fn same_document(one: &str, other: &str) -> bool {
    one == other || matches!((Json::parse(one), Json::parse(other)), (Some(one), Some(other)) if one == other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attributes::{DeduplicationScope, FifoThroughputLimit, RedrivePolicy};
    use crate::limits::Limits;
    use crate::time::Timestamp;

    const SECOND: Duration = Duration::from_secs(1);
    const DEAD: &str = "arn:aws:sqs:us-east-1:123456789012:dead";

    fn request() -> QueueAttributes {
        QueueAttributes::new()
    }

    fn fifo() -> Settings {
        Settings::fifo(&Limits::aws())
    }

    #[test]
    fn only_attributes_in_the_request_are_compared_with_current_values() {
        // Q29 Q30
        let current = Settings {
            delay: SECOND,
            visibility_timeout: SECOND,
            ..fifo()
        };
        assert_eq!(request().first_difference(&current), None);
        assert_eq!(request().visibility_timeout(SECOND).first_difference(&current), None);
        let both = request().visibility_timeout(2 * SECOND).delay(2 * SECOND);
        assert_eq!(both.first_difference(&current), Some("DelaySeconds"));
        let stamped = Settings {
            created_timestamp: Timestamp::MAX,
            ..fifo()
        };
        assert_eq!(request().delay(Duration::ZERO).first_difference(&stamped), None);
    }

    #[test]
    fn an_explicit_default_equals_an_attribute_that_is_not_set() {
        // Q31
        let defaults = request()
            .delay(Duration::ZERO)
            .maximum_message_size(1_048_576)
            .message_retention_period(345_600 * SECOND)
            .receive_message_wait_time(Duration::ZERO)
            .visibility_timeout(30 * SECOND)
            .policy("")
            .no_redrive_policy()
            .redrive_allow_policy(RedriveAllowPolicy::AllowAll)
            .kms_master_key_id("")
            .kms_data_key_reuse_period(300 * SECOND)
            .sqs_managed_sse_enabled(true)
            .fifo_queue(true)
            .content_based_deduplication(false)
            .deduplication_scope(DeduplicationScope::Queue)
            .fifo_throughput_limit(FifoThroughputLimit::PerQueue);
        assert_eq!(defaults.first_difference(&fifo()), None);
    }

    #[test]
    fn every_attribute_that_differs_is_named() {
        // Q30 Q34
        let set = Settings {
            policy: Some(r#"{"Id":"x","Version":1}"#.into()),
            ..fifo()
        };
        assert_eq!(
            request()
                .policy(r#"{ "Version": 1.0, "Id": "x" }"#)
                .first_difference(&set),
            None
        );
        for (request, name) in [
            (request().delay(SECOND), "DelaySeconds"),
            (request().maximum_message_size(1_024), "MaximumMessageSize"),
            (
                request().message_retention_period(60 * SECOND),
                "MessageRetentionPeriod",
            ),
            (
                request().receive_message_wait_time(SECOND),
                "ReceiveMessageWaitTimeSeconds",
            ),
            (request().visibility_timeout(SECOND), "VisibilityTimeout"),
            (request().policy(r#"{"Id":"y","Version":1}"#), "Policy"),
            (request().policy(""), "Policy"),
            (request().policy("{"), "Policy"),
            (request().redrive_policy(RedrivePolicy::new(DEAD, 3)), "RedrivePolicy"),
            (
                request().redrive_allow_policy(RedriveAllowPolicy::DenyAll),
                "RedriveAllowPolicy",
            ),
            (request().kms_master_key_id("k"), "KmsMasterKeyId"),
            (
                request().kms_data_key_reuse_period(60 * SECOND),
                "KmsDataKeyReusePeriodSeconds",
            ),
            (request().sqs_managed_sse_enabled(false), "SqsManagedSseEnabled"),
            (request().fifo_queue(false), "FifoQueue"),
            (request().content_based_deduplication(true), "ContentBasedDeduplication"),
            (
                request().deduplication_scope(DeduplicationScope::MessageGroup),
                "DeduplicationScope",
            ),
            (
                request().fifo_throughput_limit(FifoThroughputLimit::PerMessageGroupId),
                "FifoThroughputLimit",
            ),
        ] {
            assert_eq!(request.first_difference(&set), Some(name));
            let merged = QueueAttributes::new()
                .merge(request.clone())
                .merge(QueueAttributes::new());
            assert_eq!(merged, request, "merge drops {name}");
        }
    }
}
