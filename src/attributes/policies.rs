//! The JSON documents and closed choices among the attributes of a queue, in typed form.
#[cfg(feature = "aws-protocol")]
use super::json::Json;
use crate::error::{InvalidParameterValue, InvalidReason};
use crate::limits::Limits;
use std::fmt;
use std::hash::{Hash, Hasher};

/// How far a deduplication id reaches on a FIFO queue, the attribute `DeduplicationScope` (rule F10).
///
/// # Source
/// [High throughput for FIFO queues](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/high-throughput-fifo.html).
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum DeduplicationScope {
    /// Over the whole queue, whatever the message group.
    #[default]
    Queue,
    /// Within its message group.
    MessageGroup,
}

impl fmt::Display for DeduplicationScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Queue => "queue",
            Self::MessageGroup => "messageGroup",
        })
    }
}

/// What the throughput quota of a FIFO queue counts, the attribute `FifoThroughputLimit` (rule F40).
///
/// Per message group needs [`DeduplicationScope::MessageGroup`] (rule Q22). Only an endpoint that is told to enforces quotas.
///
/// # Source
/// [High throughput for FIFO queues](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/high-throughput-fifo.html).
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum FifoThroughputLimit {
    /// All calls to the queue together.
    #[default]
    PerQueue,
    /// The calls for each message group on their own.
    PerMessageGroupId,
}

impl fmt::Display for FifoThroughputLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::PerQueue => "perQueue",
            Self::PerMessageGroupId => "perMessageGroupId",
        })
    }
}

/// Where a queue sends what it could not get consumed, the attribute `RedrivePolicy` (rule L1).
///
/// The text of a policy is its JSON document.
///
/// # Source
/// [Dead-letter queues](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html).
///
/// # Examples
/// ```
/// # use requeue::RedrivePolicy;
/// let policy = RedrivePolicy::new("arn:aws:sqs:us-east-1:123456789012:dead", 3);
/// assert_eq!(
///     policy.to_string(),
///     r#"{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:123456789012:dead","maxReceiveCount":3}"#,
/// );
/// ```
#[derive(Clone, Debug, Eq)]
pub struct RedrivePolicy {
    pub(crate) dead_letter_target_arn: String,
    pub(crate) max_receive_count: u32,
    /// Whether the document names the count before the target (L4); no two policies differ by that.
    pub(crate) count_first: bool,
}

impl PartialEq for RedrivePolicy {
    fn eq(&self, other: &Self) -> bool {
        self.max_receive_count == other.max_receive_count && self.dead_letter_target_arn == other.dead_letter_target_arn
    }
}

impl Hash for RedrivePolicy {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.dead_letter_target_arn, self.max_receive_count).hash(state);
    }
}

impl RedrivePolicy {
    /// A message received `max_receive_count` times, 1 to 1000, moves to the queue `dead_letter_target_arn` instead of
    /// being received once more (rules L2a, L6). Neither is checked before a queue is given the policy.
    ///
    /// # Examples
    /// ```
    /// # use requeue::RedrivePolicy;
    /// let policy = RedrivePolicy::new("arn:aws:sqs:us-east-1:123456789012:dead", 3);
    /// assert_eq!(policy.max_receive_count(), 3);
    /// ```
    #[must_use]
    pub fn new(dead_letter_target_arn: impl Into<String>, max_receive_count: u32) -> Self {
        Self {
            dead_letter_target_arn: dead_letter_target_arn.into(),
            max_receive_count,
            count_first: false,
        }
    }

    /// The same policy, whose text names target and count in the order in which this document does (L4).
    #[cfg(feature = "aws-protocol")]
    pub(crate) fn in_the_order_of(self, document: &str) -> Self {
        let document = Json::parse(document);
        let mut members = document.iter().flat_map(Json::members).map(|(name, _)| name.as_str());
        let first = members.find(|name| ["deadLetterTargetArn", "maxReceiveCount"].contains(name));
        Self {
            count_first: first == Some("maxReceiveCount"),
            ..self
        }
    }

    /// The ARN of the dead-letter queue.
    ///
    /// # Examples
    /// ```
    /// # use requeue::RedrivePolicy;
    /// let policy = RedrivePolicy::new("arn:aws:sqs:us-east-1:123456789012:dead", 3);
    /// assert_eq!(policy.dead_letter_target_arn(), "arn:aws:sqs:us-east-1:123456789012:dead");
    /// ```
    #[must_use]
    pub fn dead_letter_target_arn(&self) -> &str {
        &self.dead_letter_target_arn
    }

    /// How often a message is received before it is moved.
    ///
    /// # Examples
    /// ```
    /// # use requeue::RedrivePolicy;
    /// let policy = RedrivePolicy::new("arn:aws:sqs:us-east-1:123456789012:dead", 3);
    /// assert_eq!(policy.max_receive_count(), 3);
    /// ```
    #[must_use]
    pub fn max_receive_count(&self) -> u32 {
        self.max_receive_count
    }

    /// What can be said against the policy without looking for its target: rules L2a and L3.
    pub(super) fn check(&self, limits: &Limits) -> Result<(), InvalidParameterValue> {
        let (count, limit) = (self.max_receive_count, limits.max_receive_count);
        if !(1..=limit).contains(&count) {
            return Err(self.refused(InvalidReason::MaxReceiveCount {
                count: count.into(),
                limit,
            }));
        }
        if !is_queue_arn(&self.dead_letter_target_arn) {
            return Err(self.refused(InvalidReason::TargetArn));
        }
        Ok(())
    }

    /// The error that shows this policy and says why it is refused (L2a, L3 to L3d).
    pub(crate) fn refused(&self, reason: InvalidReason) -> InvalidParameterValue {
        InvalidParameterValue::of("RedrivePolicy", self.to_string(), reason)
    }
}

impl fmt::Display for RedrivePolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (target, count) = (JsonText(&self.dead_letter_target_arn), self.max_receive_count);
        if self.count_first {
            return write!(f, r#"{{"maxReceiveCount":{count},"deadLetterTargetArn":{target}}}"#);
        }
        write!(f, r#"{{"deadLetterTargetArn":{target},"maxReceiveCount":{count}}}"#)
    }
}

/// Which queues may name this one as their dead-letter queue, the attribute `RedriveAllowPolicy` (rule L20).
///
/// It is looked at when a source sets its [`RedrivePolicy`]; links that exist stay (rule L21). The text of a policy
/// is its JSON document.
///
/// # Source
/// [Dead-letter queues](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html).
///
/// # Examples
/// ```
/// # use requeue::RedriveAllowPolicy;
/// assert_eq!(RedriveAllowPolicy::DenyAll.to_string(), r#"{"redrivePermission":"denyAll"}"#);
/// ```
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum RedriveAllowPolicy {
    /// Every queue, as without a policy.
    #[default]
    AllowAll,
    /// No queue.
    DenyAll,
    /// The queues of these ARNs, 1 to 10.
    ByQueue(Vec<String>),
}

impl RedriveAllowPolicy {
    /// Rule L20, as far as types leave it open.
    pub(super) fn check(&self, limits: &Limits) -> Result<(), InvalidParameterValue> {
        let Self::ByQueue(sources) = self else {
            return Ok(());
        };
        let (count, limit) = (sources.len(), limits.redrive_allow_source_queues);
        if !(1..=limit).contains(&count) {
            return Err(self.refused(InvalidReason::SourceQueueArns { count, limit }));
        }
        if !sources.iter().all(|source| is_queue_arn(source)) {
            return Err(self.refused(InvalidReason::SourceQueueArn));
        }
        Ok(())
    }

    fn refused(&self, reason: InvalidReason) -> InvalidParameterValue {
        InvalidParameterValue::of("RedriveAllowPolicy", self.to_string(), reason)
    }

    /// Whether the queue `source_arn` may name the holder of this policy as its dead-letter queue.
    pub(crate) fn allows(&self, source_arn: &str) -> bool {
        match self {
            Self::AllowAll => true,
            Self::DenyAll => false,
            Self::ByQueue(sources) => sources.iter().any(|source| source == source_arn),
        }
    }
}

impl fmt::Display for RedriveAllowPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AllowAll => f.write_str(r#"{"redrivePermission":"allowAll"}"#),
            Self::DenyAll => f.write_str(r#"{"redrivePermission":"denyAll"}"#),
            Self::ByQueue(sources) => {
                f.write_str(r#"{"redrivePermission":"byQueue","sourceQueueArns":["#)?;
                for (position, source) in sources.iter().enumerate() {
                    let comma = if position == 0 { "" } else { "," };
                    write!(f, "{comma}{}", JsonText(source))?;
                }
                f.write_str("]}")
            }
        }
    }
}

/// A text as a JSON string.
pub(super) struct JsonText<'a>(pub(super) &'a str);

impl fmt::Display for JsonText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        for character in self.0.chars() {
            match character {
                '"' | '\\' => write!(f, "\\{character}")?,
                '\0'..='\x1f' => write!(f, "\\u{:04x}", u32::from(character))?,
                _ => write!(f, "{character}")?,
            }
        }
        f.write_str("\"")
    }
}

/// Whether `text` has the form `arn:<partition>:sqs:<region>:<account>:<name>` (Q6), with nothing empty.
fn is_queue_arn(text: &str) -> bool {
    let parts: Vec<&str> = text.split(':').collect();
    parts.len() == 6 && parts[0] == "arn" && parts[2] == "sqs" && parts.iter().all(|part| !part.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEAD: &str = "arn:aws:sqs:us-east-1:123456789012:dead";

    #[test]
    fn a_redrive_policy_counts_from_1_to_1000_receives() {
        // L1 L2a
        let check = |count| RedrivePolicy::new(DEAD, count).check(&Limits::aws());
        assert_eq!((check(1), check(999), check(1_000)), (Ok(()), Ok(()), Ok(())));
        for count in [0, 1_001, u32::MAX] {
            let error = check(count).unwrap_err();
            assert_eq!(error.code(), "InvalidParameterValue");
            assert_eq!(
                error.to_string(),
                format!(
                    "Value {{\"deadLetterTargetArn\":\"{DEAD}\",\"maxReceiveCount\":{count}}} for parameter \
                     RedrivePolicy is invalid. Reason: Invalid value for maxReceiveCount: {count}, valid values are \
                     from 1 to 1000 both inclusive."
                )
            );
        }
    }

    #[test]
    fn a_redrive_policy_whose_target_is_no_queue_arn_is_refused() {
        // L3
        for target in [
            "",
            "dead",
            "arn:aws:sqs:us-east-1:123456789012",
            "arn:aws:sns:us-east-1:123456789012:dead",
        ]
        .into_iter()
        .chain([
            "arn:aws:sqs::123456789012:dead",
            "arn:aws:sqs:us-east-1:123456789012:dead:dead",
            "\"\\\n",
        ]) {
            let error = RedrivePolicy::new(target, 3).check(&Limits::aws()).unwrap_err();
            let text = error.to_string();
            assert!(
                text.ends_with("is invalid. Reason: Invalid value for deadLetterTargetArn."),
                "{text}"
            );
        }
    }

    #[test]
    fn texts_of_policies_are_escaped_json() {
        // L4
        let policy = RedrivePolicy::new("a\"b\\c\n\u{e9}", 7);
        assert_eq!(
            policy.to_string(),
            "{\"deadLetterTargetArn\":\"a\\\"b\\\\c\\u000a\u{e9}\",\"maxReceiveCount\":7}"
        );
        let by_queue = RedriveAllowPolicy::ByQueue(vec!["a".into(), "b".into()]);
        assert_eq!(
            by_queue.to_string(),
            r#"{"redrivePermission":"byQueue","sourceQueueArns":["a","b"]}"#
        );
        assert_eq!(
            RedriveAllowPolicy::AllowAll.to_string(),
            r#"{"redrivePermission":"allowAll"}"#
        );
    }

    #[test]
    fn a_redrive_allow_policy_by_queue_names_1_to_10_queues() {
        // L20
        let check = |count| RedriveAllowPolicy::ByQueue(vec![DEAD.to_owned(); count]).check(&Limits::aws());
        assert_eq!((check(1), check(9), check(10)), (Ok(()), Ok(()), Ok(())));
        for count in [0, 11] {
            let error = check(count).unwrap_err();
            assert_eq!(error.code(), "InvalidParameterValue");
            let text = error.to_string();
            assert!(
                text.ends_with(&format!("sourceQueueArns names {count} queues, 1 to 10 are allowed.")),
                "{text}"
            );
        }
        let error = RedriveAllowPolicy::ByQueue(vec!["dead".into()])
            .check(&Limits::aws())
            .unwrap_err();
        assert!(error.to_string().ends_with("Invalid value in sourceQueueArns."));
        assert_eq!(RedriveAllowPolicy::DenyAll.check(&Limits::aws()), Ok(()));
    }

    #[test]
    fn a_redrive_allow_policy_allows_whom_it_names() {
        // L3c L20
        let by_queue = RedriveAllowPolicy::ByQueue(vec![DEAD.into()]);
        assert!(by_queue.allows(DEAD) && !by_queue.allows("arn:aws:sqs:us-east-1:123456789012:other"));
        assert!(RedriveAllowPolicy::default().allows(DEAD) && !RedriveAllowPolicy::DenyAll.allows(DEAD));
    }
}
