//! Applies a set of attributes to the settings of a queue: all of them, or none if one is invalid.
#[cfg(feature = "aws-protocol")]
use super::access_policy;
use super::name;
use super::{DeduplicationScope, FifoThroughputLimit, QueueAttributes, QueueSettings};
use crate::error::{AttributeError, InvalidAttributeName, InvalidAttributeValue};
use crate::limits::Limits;
use crate::time::whole_millis;
use std::ops::RangeInclusive;
use std::time::Duration;

impl QueueAttributes {
    /// `base` with this request applied, or why the request is refused as a whole (Q16 to Q28, Q42, Q43, L2a, L3, L20).
    ///
    /// For a new queue `base` is [`QueueSettings::fifo`] exactly if the request sets `fifo_queue(true)`; name and type are
    /// compared by whoever knows the name. Timestamps are left alone.
    pub(crate) fn apply(&self, base: &QueueSettings, limits: &Limits) -> Result<QueueSettings, AttributeError> {
        self.check_names(base.fifo_queue)?;
        let mut settings = base.clone();
        self.apply_ranges(&mut settings, limits)?;
        self.apply_documents(&mut settings, limits)?;
        self.apply_encryption(&mut settings, limits)?;
        self.apply_fifo(&mut settings)?;
        Ok(settings)
    }

    /// Q18, Q19, Q24: attributes that this queue does not have, or not together.
    fn check_names(&self, fifo: bool) -> Result<(), InvalidAttributeName> {
        let unknown = |attribute: &'static str| InvalidAttributeName::Unknown {
            attribute: attribute.into(),
        };
        if !fifo {
            if self.fifo_queue.is_some() {
                return Err(unknown(name::FIFO_QUEUE));
            }
            if self.content_based_deduplication.is_some() {
                return Err(unknown(name::CONTENT_BASED_DEDUPLICATION));
            }
            if self.deduplication_scope.is_some() {
                return Err(InvalidAttributeName::FifoOnly {
                    attribute: name::DEDUPLICATION_SCOPE,
                });
            }
            if self.fifo_throughput_limit.is_some() {
                return Err(InvalidAttributeName::FifoOnly {
                    attribute: name::FIFO_THROUGHPUT_LIMIT,
                });
            }
        }
        let sets_key = self.kms_master_key_id.as_ref().is_some_and(|id| !id.is_empty());
        if sets_key && self.sqs_managed_sse_enabled == Some(true) {
            return Err(InvalidAttributeName::TwoEncryptions);
        }
        Ok(())
    }

    /// Q16: the numbers.
    fn apply_ranges(&self, settings: &mut QueueSettings, limits: &Limits) -> Result<(), InvalidAttributeValue> {
        let zero = Duration::ZERO;
        set_span(&mut settings.delay, self.delay, zero..=limits.delay, name::DELAY)?;
        if let Some(bytes) = self.maximum_message_size {
            if !(limits.maximum_message_size_min..=limits.maximum_message_size_max).contains(&bytes) {
                return Err(refused(name::MAXIMUM_MESSAGE_SIZE));
            }
            settings.maximum_message_size = bytes;
        }
        set_span(
            &mut settings.message_retention_period,
            self.message_retention_period,
            limits.message_retention_period_min..=limits.message_retention_period_max,
            name::MESSAGE_RETENTION_PERIOD,
        )?;
        let wait = &mut settings.receive_message_wait_time;
        set_span(
            wait,
            self.receive_message_wait_time,
            zero..=limits.receive_wait_time,
            name::RECEIVE_WAIT_TIME,
        )?;
        let timeout = &mut settings.visibility_timeout;
        set_span(
            timeout,
            self.visibility_timeout,
            zero..=limits.visibility_timeout,
            name::VISIBILITY_TIMEOUT,
        )
    }

    /// Q26, L2a, L3, L4, L20: the JSON documents.
    fn apply_documents(&self, settings: &mut QueueSettings, limits: &Limits) -> Result<(), AttributeError> {
        #[cfg(feature = "aws-protocol")]
        if let Some(document) = &self.policy {
            if !document.is_empty() && !access_policy::is_policy(document, limits) {
                return Err(refused(name::POLICY).into());
            }
            settings.policy = Some(document.clone()).filter(|document| !document.is_empty());
        }
        if let Some(policy) = &self.redrive_policy {
            policy.iter().try_for_each(|policy| policy.check(limits))?;
            settings.redrive_policy.clone_from(policy);
        }
        if let Some(policy) = &self.redrive_allow_policy {
            policy.iter().try_for_each(|policy| policy.check(limits))?;
            settings.redrive_allow_policy.clone_from(policy);
        }
        Ok(())
    }

    /// Q42, Q43: KMS and SQS-managed encryption displace each other, and removing one does not bring back the other.
    fn apply_encryption(&self, settings: &mut QueueSettings, limits: &Limits) -> Result<(), InvalidAttributeValue> {
        if let Some(enabled) = self.sqs_managed_sse_enabled {
            settings.sqs_managed_sse_enabled = enabled;
            if enabled {
                settings.kms_master_key_id = None;
                settings.kms_data_key_reuse_period = QueueSettings::KMS_DATA_KEY_REUSE_PERIOD;
            }
        }
        if let Some(id) = &self.kms_master_key_id {
            settings.kms_master_key_id = Some(id.clone()).filter(|id| !id.is_empty());
            settings.sqs_managed_sse_enabled &= id.is_empty();
        }
        set_span(
            &mut settings.kms_data_key_reuse_period,
            self.kms_data_key_reuse_period,
            limits.kms_data_key_reuse_period_min..=limits.kms_data_key_reuse_period_max,
            name::KMS_DATA_KEY_REUSE_PERIOD,
        )
    }

    /// Q20 to Q23: what only FIFO queues have.
    fn apply_fifo(&self, settings: &mut QueueSettings) -> Result<(), InvalidAttributeValue> {
        if settings.fifo_queue && self.fifo_queue == Some(false) {
            return Err(InvalidAttributeValue::QueueType);
        }
        set(
            &mut settings.content_based_deduplication,
            self.content_based_deduplication,
        );
        set(&mut settings.deduplication_scope, self.deduplication_scope);
        set(&mut settings.fifo_throughput_limit, self.fifo_throughput_limit);
        if settings.fifo_throughput_limit == FifoThroughputLimit::PerMessageGroupId
            && settings.deduplication_scope == DeduplicationScope::Queue
        {
            let by_limit = self.fifo_throughput_limit.is_some();
            return Err(refused(if by_limit {
                name::FIFO_THROUGHPUT_LIMIT
            } else {
                name::DEDUPLICATION_SCOPE
            }));
        }
        Ok(())
    }
}

fn refused(attribute: &'static str) -> InvalidAttributeValue {
    InvalidAttributeValue::Refused {
        attribute: attribute.into(),
    }
}

fn set<T: Copy>(held: &mut T, given: Option<T>) {
    *held = given.unwrap_or(*held);
}

fn set_span(
    held: &mut Duration,
    given: Option<Duration>,
    range: RangeInclusive<Duration>,
    attribute: &'static str,
) -> Result<(), InvalidAttributeValue> {
    let Some(given) = given.map(whole_millis) else {
        return Ok(());
    };
    if !range.contains(&given) {
        return Err(refused(attribute));
    }
    *held = given;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attributes::{RedriveAllowPolicy, RedrivePolicy};
    use crate::error::SetQueueAttributesError;

    const SECOND: Duration = Duration::from_secs(1);
    const MILLI: Duration = Duration::from_millis(1);
    const DEAD: &str = "arn:aws:sqs:us-east-1:123456789012:dead";

    fn request() -> QueueAttributes {
        QueueAttributes::new()
    }

    fn standard() -> QueueSettings {
        QueueSettings::standard(&Limits::aws())
    }

    fn fifo() -> QueueSettings {
        QueueSettings::fifo(&Limits::aws())
    }

    fn apply(request: QueueAttributes, base: &QueueSettings) -> Result<QueueSettings, SetQueueAttributesError> {
        Ok(request.apply(base, &Limits::aws())?)
    }

    /// Code and text of the refusal.
    fn refused(request: QueueAttributes, base: &QueueSettings) -> (&'static str, String) {
        let error = apply(request, base).unwrap_err();
        (error.code(), error.to_string())
    }

    #[test]
    fn an_empty_request_changes_nothing() {
        assert_eq!(apply(request(), &standard()), Ok(standard()));
        assert_eq!(apply(request(), &fifo()), Ok(fifo()));
        assert_eq!(request().first_difference(&fifo()), None);
    }

    #[test]
    fn spans_are_held_to_their_ranges_and_kept_to_the_millisecond() {
        // Q16
        type Setter = fn(QueueAttributes, Duration) -> QueueAttributes;
        let spans: [(&str, Setter, u64, u64); 5] = [
            ("DelaySeconds", QueueAttributes::delay, 0, 900),
            (
                "MessageRetentionPeriod",
                QueueAttributes::message_retention_period,
                60,
                1_209_600,
            ),
            (
                "ReceiveMessageWaitTimeSeconds",
                QueueAttributes::receive_message_wait_time,
                0,
                20,
            ),
            ("VisibilityTimeout", QueueAttributes::visibility_timeout, 0, 43_200),
            (
                "KmsDataKeyReusePeriodSeconds",
                QueueAttributes::kms_data_key_reuse_period,
                60,
                86_400,
            ),
        ];
        for (name, set, least, most) in spans {
            let (least, most) = (SECOND * least as u32, SECOND * most as u32);
            for good in [
                least,
                least + MILLI,
                most - MILLI,
                most,
                most + MILLI - Duration::from_nanos(1),
            ] {
                let settings = apply(set(request(), good), &standard()).unwrap();
                assert_eq!(
                    set(request(), good).first_difference(&settings),
                    None,
                    "{name} {good:?}"
                );
                assert_eq!(
                    apply(set(request(), whole_millis(good)), &standard()),
                    Ok(settings),
                    "{name} {good:?}"
                );
            }
            let below = (!least.is_zero()).then(|| least - MILLI);
            for bad in below.into_iter().chain([most + MILLI, Duration::MAX]) {
                let error = refused(set(request(), bad), &standard());
                assert_eq!(
                    error,
                    (
                        "InvalidAttributeValue",
                        format!("Invalid value for the parameter {name}.")
                    )
                );
            }
        }
    }

    #[test]
    fn the_maximum_message_size_is_1024_to_1048576_bytes() {
        // Q16
        for good in [1_024, 1_025, 1_048_575, 1_048_576] {
            let settings = apply(request().maximum_message_size(good), &standard()).unwrap();
            assert_eq!(settings.maximum_message_size, good);
        }
        for bad in [0, 1_023, 1_048_577] {
            let text = "Invalid value for the parameter MaximumMessageSize.".to_owned();
            assert_eq!(
                refused(request().maximum_message_size(bad), &standard()),
                ("InvalidAttributeValue", text)
            );
        }
    }

    #[test]
    fn fifo_attributes_are_unknown_or_forbidden_on_a_standard_queue() {
        // Q17 Q18 Q19
        for (request, text) in [
            (request().fifo_queue(true), "Unknown Attribute FifoQueue."),
            (request().fifo_queue(false), "Unknown Attribute FifoQueue."),
            (
                request().content_based_deduplication(false),
                "Unknown Attribute ContentBasedDeduplication.",
            ),
            (
                request().deduplication_scope(DeduplicationScope::Queue),
                "You can specify the DeduplicationScope only when FifoQueue is set to true.",
            ),
            (
                request().fifo_throughput_limit(FifoThroughputLimit::PerQueue),
                "You can specify the FifoThroughputLimit only when FifoQueue is set to true.",
            ),
        ] {
            assert_eq!(refused(request, &standard()), ("InvalidAttributeName", text.to_owned()));
        }
    }

    #[test]
    fn the_type_of_a_fifo_queue_can_be_repeated_and_not_changed() {
        // Q20 Q21
        assert_eq!(apply(request().fifo_queue(true), &fifo()), Ok(fifo()));
        let text = "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported.";
        assert_eq!(
            refused(request().fifo_queue(false), &fifo()),
            ("InvalidAttributeValue", text.to_owned())
        );
    }

    #[test]
    fn throughput_per_group_needs_deduplication_per_group() {
        // Q22 Q23 F41
        let (per_group, by_group) = (FifoThroughputLimit::PerMessageGroupId, DeduplicationScope::MessageGroup);
        let error = refused(request().fifo_throughput_limit(per_group), &fifo());
        assert_eq!(
            error,
            (
                "InvalidAttributeValue",
                "Invalid value for the parameter FifoThroughputLimit.".to_owned()
            )
        );
        let scoped = apply(request().deduplication_scope(by_group), &fifo()).unwrap();
        assert_eq!(scoped.fifo_throughput_limit, FifoThroughputLimit::PerQueue);
        let both = apply(request().fifo_throughput_limit(per_group), &scoped).unwrap();
        let at_once = request().fifo_throughput_limit(per_group).deduplication_scope(by_group);
        assert_eq!(apply(at_once, &fifo()), Ok(both.clone()));
        let error = refused(request().deduplication_scope(DeduplicationScope::Queue), &both);
        assert_eq!(error.1, "Invalid value for the parameter DeduplicationScope.");
    }

    #[test]
    fn one_call_switches_on_one_kind_of_encryption() {
        // Q24
        let both = request().kms_master_key_id("alias/k").sqs_managed_sse_enabled(true);
        let text = "You can use one type of server-side encryption (SSE) at one time. \
                    You can either enable KMS SSE or SQS SSE.";
        assert_eq!(refused(both, &standard()), ("InvalidAttributeName", text.to_owned()));
        assert!(
            apply(
                request().kms_master_key_id("").sqs_managed_sse_enabled(true),
                &standard()
            )
            .is_ok()
        );
        assert!(
            apply(
                request().kms_master_key_id("k").sqs_managed_sse_enabled(false),
                &standard()
            )
            .is_ok()
        );
    }

    #[cfg(feature = "aws-protocol")]
    #[test]
    fn a_policy_is_json_within_quota_or_empty() {
        // Q26, quotas in the tests of is_policy
        let set = apply(request().policy("{}"), &standard()).unwrap();
        assert_eq!(set.policy.as_deref(), Some("{}"));
        assert_eq!(apply(request().policy(""), &set).unwrap().policy, None);
        let text = "Invalid value for the parameter Policy.".to_owned();
        assert_eq!(
            refused(request().policy("{"), &standard()),
            ("InvalidAttributeValue", text)
        );
    }

    #[test]
    fn dead_letter_policies_are_set_removed_and_refused() {
        // L1 L2a L4 L20, texts in the tests of the policies
        let policy = RedrivePolicy::new(DEAD, 3);
        let allow = RedriveAllowPolicy::ByQueue(vec![DEAD.into()]);
        let set = apply(
            request()
                .redrive_policy(policy.clone())
                .redrive_allow_policy(allow.clone()),
            &standard(),
        )
        .unwrap();
        assert_eq!(
            (&set.redrive_policy, &set.redrive_allow_policy),
            (&Some(policy), &Some(allow))
        );
        assert_eq!(
            apply(request().no_redrive_policy().no_redrive_allow_policy(), &set),
            Ok(standard())
        );
        let bad = refused(request().redrive_policy(RedrivePolicy::new(DEAD, 0)), &standard());
        assert_eq!(bad.0, "InvalidParameterValue");
        let bad = refused(
            request().redrive_allow_policy(RedriveAllowPolicy::ByQueue(vec![])),
            &standard(),
        );
        assert_eq!(bad.0, "InvalidParameterValue");
    }

    #[test]
    fn one_bad_attribute_refuses_the_whole_request() {
        // Q28
        let mixed = request().delay(SECOND).kms_data_key_reuse_period(SECOND);
        assert!(refused(mixed, &standard()).1.contains("KmsDataKeyReusePeriodSeconds"));
    }

    #[test]
    fn encryptions_displace_each_other_and_do_not_spring_back() {
        // Q42 Q43
        assert!(standard().sqs_managed_sse_enabled);
        let key = request()
            .kms_master_key_id("alias/k")
            .kms_data_key_reuse_period(60 * SECOND);
        let kms = apply(key, &standard()).unwrap();
        assert_eq!(
            (kms.kms_master_key_id.as_deref(), kms.sqs_managed_sse_enabled),
            (Some("alias/k"), false)
        );
        assert_eq!(apply(request().sqs_managed_sse_enabled(true), &kms), Ok(standard()));
        let removed = request().kms_master_key_id("").kms_data_key_reuse_period(300 * SECOND);
        let neither = QueueSettings {
            sqs_managed_sse_enabled: false,
            ..standard()
        };
        assert_eq!(apply(removed, &kms), Ok(neither));
    }

    #[test]
    fn the_later_of_two_requests_wins_where_both_speak() {
        let earlier = request().delay(SECOND).no_redrive_policy();
        let merged = earlier.merge(request().delay(2 * SECOND).visibility_timeout(SECOND));
        assert_eq!(
            merged,
            request()
                .delay(2 * SECOND)
                .visibility_timeout(SECOND)
                .no_redrive_policy()
        );
    }

    #[test]
    fn defaults_stay_within_lowered_limits() {
        let mut limits = Limits::aws();
        limits.visibility_timeout = SECOND;
        limits.message_retention_period_max = 60 * SECOND;
        limits.maximum_message_size_max = 2_048;
        let settings = QueueSettings::standard(&limits);
        assert_eq!(
            (settings.visibility_timeout, settings.message_retention_period),
            (SECOND, 60 * SECOND)
        );
        assert_eq!(settings.maximum_message_size, 2_048);
    }
}
