//! Attributes of a queue: what a request may set, the checks on its way in, and the values in force.
//!
//! A [`QueueAttributes`] may hold anything; `apply` checks it against limits and queue type and answers with new
//! [`Settings`], or changes nothing. Whether a dead-letter target exists is not decided here.
mod json;
mod policies;
mod settings;

pub use policies::{DeduplicationScope, FifoThroughputLimit, RedriveAllowPolicy, RedrivePolicy};
pub use settings::Settings;

use crate::error::{AttributeError, InvalidAttributeName, InvalidAttributeValue};
use crate::limits::Limits;
use crate::time::whole_millis;
use json::Json;
use std::ops::RangeInclusive;
use std::time::Duration;

/// The attributes that a request sets; those it does not name stay as they are, or take their defaults on a new queue.
///
/// Building one checks nothing, the queue that gets it does, and sets all or none (rule Q28). Spans are kept to the
/// millisecond.
///
/// # Source
/// [`SetQueueAttributes`](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html).
///
/// # Examples
/// ```
/// # use requeue::QueueAttributes;
/// # use std::time::Duration;
/// let attributes = QueueAttributes::new().visibility_timeout(Duration::from_secs(60)).maximum_message_size(2_048);
/// assert_ne!(attributes, QueueAttributes::new());
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct QueueAttributes {
    pub(crate) delay: Option<Duration>,
    pub(crate) maximum_message_size: Option<usize>,
    pub(crate) message_retention_period: Option<Duration>,
    pub(crate) receive_message_wait_time: Option<Duration>,
    pub(crate) visibility_timeout: Option<Duration>,
    /// Empty removes.
    pub(crate) policy: Option<String>,
    /// `Some(None)` removes.
    pub(crate) redrive_policy: Option<Option<RedrivePolicy>>,
    /// `Some(None)` removes.
    pub(crate) redrive_allow_policy: Option<Option<RedriveAllowPolicy>>,
    /// Empty removes.
    pub(crate) kms_master_key_id: Option<String>,
    pub(crate) kms_data_key_reuse_period: Option<Duration>,
    pub(crate) sqs_managed_sse_enabled: Option<bool>,
    pub(crate) fifo_queue: Option<bool>,
    pub(crate) content_based_deduplication: Option<bool>,
    pub(crate) deduplication_scope: Option<DeduplicationScope>,
    pub(crate) fifo_throughput_limit: Option<FifoThroughputLimit>,
}

impl QueueAttributes {
    /// A request that sets nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// `DelaySeconds`, 0 to 900 s: how long every message is hidden after its send.
    #[must_use]
    pub fn delay(mut self, delay: Duration) -> Self {
        self.delay = Some(delay);
        self
    }

    /// `MaximumMessageSize`, 1024 to 1048576 bytes: the greatest size of a message.
    #[must_use]
    pub fn maximum_message_size(mut self, bytes: usize) -> Self {
        self.maximum_message_size = Some(bytes);
        self
    }

    /// `MessageRetentionPeriod`, 60 s to 14 days: how long after its send a message disappears.
    #[must_use]
    pub fn message_retention_period(mut self, period: Duration) -> Self {
        self.message_retention_period = Some(period);
        self
    }

    /// `ReceiveMessageWaitTimeSeconds`, 0 to 20 s: how long a receive that does not say so waits.
    #[must_use]
    pub fn receive_message_wait_time(mut self, wait: Duration) -> Self {
        self.receive_message_wait_time = Some(wait);
        self
    }

    /// `VisibilityTimeout`, 0 s to 12 h: how long a receive that does not say so hides its messages.
    #[must_use]
    pub fn visibility_timeout(mut self, timeout: Duration) -> Self {
        self.visibility_timeout = Some(timeout);
        self
    }

    /// `Policy`, a JSON object of at most 8192 bytes that is kept and not enforced; empty removes it (rules Q26, X4).
    #[must_use]
    pub fn policy(mut self, document: impl Into<String>) -> Self {
        self.policy = Some(document.into());
        self
    }

    /// `RedrivePolicy`: where messages go that nobody could consume (rule L1).
    #[must_use]
    pub fn redrive_policy(mut self, policy: RedrivePolicy) -> Self {
        self.redrive_policy = Some(Some(policy));
        self
    }

    /// Removes the `RedrivePolicy` (rule L4).
    #[must_use]
    pub fn no_redrive_policy(mut self) -> Self {
        self.redrive_policy = Some(None);
        self
    }

    /// `RedriveAllowPolicy`: which queues may name this one as their dead-letter queue (rule L20).
    #[must_use]
    pub fn redrive_allow_policy(mut self, policy: RedriveAllowPolicy) -> Self {
        self.redrive_allow_policy = Some(Some(policy));
        self
    }

    /// Removes the `RedriveAllowPolicy`, so that every queue may (rule L20).
    #[must_use]
    pub fn no_redrive_allow_policy(mut self) -> Self {
        self.redrive_allow_policy = Some(None);
        self
    }

    /// `KmsMasterKeyId`, kept and not used; a key switches `SqsManagedSseEnabled` off, empty removes it (rule Q42).
    #[must_use]
    pub fn kms_master_key_id(mut self, id: impl Into<String>) -> Self {
        self.kms_master_key_id = Some(id.into());
        self
    }

    /// `KmsDataKeyReusePeriodSeconds`, 60 s to 24 h, kept and not used.
    #[must_use]
    pub fn kms_data_key_reuse_period(mut self, period: Duration) -> Self {
        self.kms_data_key_reuse_period = Some(period);
        self
    }

    /// `SqsManagedSseEnabled`, kept and not used; switching it on removes the KMS key (rules Q24, Q42).
    #[must_use]
    pub fn sqs_managed_sse_enabled(mut self, enabled: bool) -> Self {
        self.sqs_managed_sse_enabled = Some(enabled);
        self
    }

    /// `FifoQueue`: the type of a new queue, which never changes afterwards (rules Q18, Q20, Q21).
    #[must_use]
    pub fn fifo_queue(mut self, fifo: bool) -> Self {
        self.fifo_queue = Some(fifo);
        self
    }

    /// `ContentBasedDeduplication`, FIFO only: a message without deduplication id gets the hash of its body (rule F7).
    #[must_use]
    pub fn content_based_deduplication(mut self, enabled: bool) -> Self {
        self.content_based_deduplication = Some(enabled);
        self
    }

    /// `DeduplicationScope`, FIFO only: how far a deduplication id reaches (rules F10, Q19).
    #[must_use]
    pub fn deduplication_scope(mut self, scope: DeduplicationScope) -> Self {
        self.deduplication_scope = Some(scope);
        self
    }

    /// `FifoThroughputLimit`, FIFO only: per message group needs that deduplication scope (rules Q19, Q22).
    #[must_use]
    pub fn fifo_throughput_limit(mut self, limit: FifoThroughputLimit) -> Self {
        self.fifo_throughput_limit = Some(limit);
        self
    }

    /// This request with what `later` sets laid over it.
    pub(crate) fn merge(self, later: Self) -> Self {
        Self {
            delay: later.delay.or(self.delay),
            maximum_message_size: later.maximum_message_size.or(self.maximum_message_size),
            message_retention_period: later.message_retention_period.or(self.message_retention_period),
            receive_message_wait_time: later.receive_message_wait_time.or(self.receive_message_wait_time),
            visibility_timeout: later.visibility_timeout.or(self.visibility_timeout),
            policy: later.policy.or(self.policy),
            redrive_policy: later.redrive_policy.or(self.redrive_policy),
            redrive_allow_policy: later.redrive_allow_policy.or(self.redrive_allow_policy),
            kms_master_key_id: later.kms_master_key_id.or(self.kms_master_key_id),
            kms_data_key_reuse_period: later.kms_data_key_reuse_period.or(self.kms_data_key_reuse_period),
            sqs_managed_sse_enabled: later.sqs_managed_sse_enabled.or(self.sqs_managed_sse_enabled),
            fifo_queue: later.fifo_queue.or(self.fifo_queue),
            content_based_deduplication: later.content_based_deduplication.or(self.content_based_deduplication),
            deduplication_scope: later.deduplication_scope.or(self.deduplication_scope),
            fifo_throughput_limit: later.fifo_throughput_limit.or(self.fifo_throughput_limit),
        }
    }

    /// `base` with this request applied, or why the request is refused as a whole (Q16 to Q28, Q42, Q43, L2a, L3, L20).
    ///
    /// For a new queue `base` is [`Settings::fifo`] exactly if the request sets `fifo_queue(true)`; name and type are
    /// compared by whoever knows the name. Timestamps are left alone.
    pub(crate) fn apply(&self, base: &Settings, limits: &Limits) -> Result<Settings, AttributeError> {
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
    fn apply_ranges(&self, settings: &mut Settings, limits: &Limits) -> Result<(), InvalidAttributeValue> {
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
    fn apply_documents(&self, settings: &mut Settings, limits: &Limits) -> Result<(), AttributeError> {
        if let Some(document) = &self.policy {
            if !document.is_empty() && !json::is_policy(document, limits) {
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
    fn apply_encryption(&self, settings: &mut Settings, limits: &Limits) -> Result<(), InvalidAttributeValue> {
        if let Some(enabled) = self.sqs_managed_sse_enabled {
            settings.sqs_managed_sse_enabled = enabled;
            if enabled {
                settings.kms_master_key_id = None;
                settings.kms_data_key_reuse_period = Settings::KMS_DATA_KEY_REUSE_PERIOD;
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
    fn apply_fifo(&self, settings: &mut Settings) -> Result<(), InvalidAttributeValue> {
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

/// SQS's names of the attributes that can be set.
mod name {
    pub(super) const DELAY: &str = "DelaySeconds";
    pub(super) const MAXIMUM_MESSAGE_SIZE: &str = "MaximumMessageSize";
    pub(super) const MESSAGE_RETENTION_PERIOD: &str = "MessageRetentionPeriod";
    pub(super) const RECEIVE_WAIT_TIME: &str = "ReceiveMessageWaitTimeSeconds";
    pub(super) const VISIBILITY_TIMEOUT: &str = "VisibilityTimeout";
    pub(super) const POLICY: &str = "Policy";
    pub(super) const REDRIVE_POLICY: &str = "RedrivePolicy";
    pub(super) const REDRIVE_ALLOW_POLICY: &str = "RedriveAllowPolicy";
    pub(super) const KMS_MASTER_KEY_ID: &str = "KmsMasterKeyId";
    pub(super) const KMS_DATA_KEY_REUSE_PERIOD: &str = "KmsDataKeyReusePeriodSeconds";
    pub(super) const SQS_MANAGED_SSE_ENABLED: &str = "SqsManagedSseEnabled";
    pub(super) const FIFO_QUEUE: &str = "FifoQueue";
    pub(super) const CONTENT_BASED_DEDUPLICATION: &str = "ContentBasedDeduplication";
    pub(super) const DEDUPLICATION_SCOPE: &str = "DeduplicationScope";
    pub(super) const FIFO_THROUGHPUT_LIMIT: &str = "FifoThroughputLimit";
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

fn differs<T: PartialEq>(given: &Option<T>, held: &T) -> bool {
    given.as_ref().is_some_and(|given| given != held)
}

/// Q34: documents are compared as JSON, and as text where one of them is none.
fn same_document(one: &str, other: &str) -> bool {
    one == other || matches!((Json::parse(one), Json::parse(other)), (Some(one), Some(other)) if one == other)
}
