//! Whether the attributes of a request differ from those of a queue (Q31, Q34): a default given explicitly equals an
//! attribute that is not set, and so does one that the request removes.
use super::RedriveAllowPolicy;
#[cfg(feature = "aws-protocol")]
use super::json::Json;
use crate::time::whole_millis;
use std::time::Duration;

/// The common case.
pub(super) fn values<T: PartialEq>(given: &T, held: &T) -> bool {
    given != held
}

/// Spans are kept to the millisecond.
pub(super) fn spans(given: &Duration, held: &Duration) -> bool {
    whole_millis(*given) != *held
}

/// An empty text removes the attribute.
pub(super) fn texts(given: &str, held: &Option<String>) -> bool {
    given != held.as_deref().unwrap_or_default()
}

/// Without a policy every queue is allowed.
pub(super) fn allow_policies(given: &Option<RedriveAllowPolicy>, held: &Option<RedriveAllowPolicy>) -> bool {
    let policy = |policy: &Option<RedriveAllowPolicy>| policy.clone().unwrap_or_default();
    policy(given) != policy(held)
}

#[cfg(feature = "aws-protocol")]
/// Documents are compared as JSON, and as text where one of them is none.
pub(super) fn documents(given: &str, held: &Option<String>) -> bool {
    let same = |held| matches!((Json::parse(given), Json::parse(held)), (Some(one), Some(other)) if one == other);
    texts(given, held) && !same(held.as_deref().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use crate::attributes::{
        DeduplicationScope, FifoThroughputLimit, QueueAttributes, QueueSettings, RedriveAllowPolicy, RedrivePolicy,
    };
    use crate::limits::Limits;
    use crate::time::Timestamp;
    use std::time::Duration;

    const SECOND: Duration = Duration::from_secs(1);
    const DEAD: &str = "arn:aws:sqs:us-east-1:123456789012:dead";

    fn request() -> QueueAttributes {
        QueueAttributes::new()
    }

    fn fifo() -> QueueSettings {
        QueueSettings::fifo(&Limits::aws())
    }

    #[test]
    fn only_attributes_in_the_request_are_compared_with_current_values() {
        // Q29 Q30
        let current = QueueSettings {
            delay: SECOND,
            visibility_timeout: SECOND,
            ..fifo()
        };
        assert_eq!(request().first_difference(&current), None);
        assert_eq!(request().visibility_timeout(SECOND).first_difference(&current), None);
        let both = request().visibility_timeout(2 * SECOND).delay(2 * SECOND);
        assert_eq!(both.first_difference(&current), Some("DelaySeconds"));
        let stamped = QueueSettings {
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
            .no_redrive_policy()
            .redrive_allow_policy(RedriveAllowPolicy::AllowAll)
            .kms_master_key_id("")
            .kms_data_key_reuse_period(300 * SECOND)
            .sqs_managed_sse_enabled(true)
            .fifo_queue(true)
            .content_based_deduplication(false)
            .deduplication_scope(DeduplicationScope::Queue)
            .fifo_throughput_limit(FifoThroughputLimit::PerQueue);
        #[cfg(feature = "aws-protocol")]
        let defaults = defaults.policy("");
        assert_eq!(defaults.first_difference(&fifo()), None);
    }

    #[cfg(feature = "aws-protocol")]
    #[test]
    fn policies_differ_as_documents() {
        // Q34
        let set = QueueSettings {
            policy: Some(r#"{"Id":"x","Version":1}"#.into()),
            ..fifo()
        };
        let difference = |policy: &str| request().policy(policy).first_difference(&set);
        assert_eq!(difference(r#"{ "Version": 1.0, "Id": "x" }"#), None);
        for policy in [r#"{"Id":"y","Version":1}"#, "", "{"] {
            assert_eq!(difference(policy), Some("Policy"), "{policy}");
        }
    }

    #[test]
    fn every_attribute_that_differs_is_named() {
        // Q30 Q34
        let set = fifo();
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
            #[cfg(feature = "aws-protocol")]
            (request().policy(r#"{"Id":"y","Version":1}"#), "Policy"),
            #[cfg(feature = "aws-protocol")]
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
