//! Attributes of queues as SQS writes them: a map from name to text (X5, Q12-Q17, Q25, Q27).

use {
    super::fault::Fault,
    crate::{
        attributes::{
            DeduplicationScope, FifoThroughputLimit, QueueAttributes, QueueSettings, RedriveAllowPolicy, RedrivePolicy,
        },
        error::{InvalidAttributeName, InvalidAttributeValue, InvalidParameterValue, InvalidReason},
        limits::Limits,
        queue::Queue,
        state::Counts,
    },
    serde_json::{Map, Value},
    std::{collections::BTreeMap, time::Duration},
};

/// What a queue has to say of itself.
struct Report {
    arn: String,
    settings: QueueSettings,
    counts: Counts,
}

/// An attribute: its name and, if the queue has it, its text.
type Attribute = (&'static str, fn(&Report) -> Option<String>);

const ATTRIBUTES: &[Attribute] = &[
    ("ApproximateNumberOfMessages", |report| {
        Some(report.counts.visible.to_string())
    }),
    ("ApproximateNumberOfMessagesDelayed", |report| {
        Some(report.counts.delayed.to_string())
    }),
    ("ApproximateNumberOfMessagesNotVisible", |report| {
        Some(report.counts.in_flight.to_string())
    }),
    ("ContentBasedDeduplication", |report| {
        report.on_fifo(|settings| settings.content_based_deduplication.to_string())
    }),
    ("CreatedTimestamp", |report| {
        Some(report.settings.created_timestamp.as_secs().to_string())
    }),
    ("DeduplicationScope", |report| {
        report.on_fifo(|settings| match settings.deduplication_scope {
            DeduplicationScope::Queue => "queue".to_owned(),
            DeduplicationScope::MessageGroup => "messageGroup".to_owned(),
        })
    }),
    ("DelaySeconds", |report| Some(seconds(report.settings.delay))),
    ("FifoQueue", |report| {
        report.on_fifo(|settings| settings.fifo_queue.to_string())
    }),
    ("FifoThroughputLimit", |report| {
        report.on_fifo(|settings| match settings.fifo_throughput_limit {
            FifoThroughputLimit::PerQueue => "perQueue".to_owned(),
            FifoThroughputLimit::PerMessageGroupId => "perMessageGroupId".to_owned(),
        })
    }),
    ("KmsDataKeyReusePeriodSeconds", |report| {
        // Shown only with a key, and only if it is not the default.
        let (settings, default) = (&report.settings, QueueSettings::KMS_DATA_KEY_REUSE_PERIOD);
        let shown = settings.kms_master_key_id.is_some() && settings.kms_data_key_reuse_period != default;
        shown.then(|| seconds(settings.kms_data_key_reuse_period))
    }),
    ("KmsMasterKeyId", |report| report.settings.kms_master_key_id.clone()),
    ("LastModifiedTimestamp", |report| {
        Some(report.settings.last_modified_timestamp.as_secs().to_string())
    }),
    ("MaximumMessageSize", |report| {
        Some(report.settings.maximum_message_size.to_string())
    }),
    ("MessageRetentionPeriod", |report| {
        Some(seconds(report.settings.message_retention_period))
    }),
    ("Policy", |report| report.settings.policy.clone()),
    ("QueueArn", |report| Some(report.arn.clone())),
    ("ReceiveMessageWaitTimeSeconds", |report| {
        Some(seconds(report.settings.receive_message_wait_time))
    }),
    ("RedriveAllowPolicy", |report| {
        report
            .settings
            .redrive_allow_policy
            .as_ref()
            .map(RedriveAllowPolicy::to_string)
    }),
    ("RedrivePolicy", |report| {
        report.settings.redrive_policy.as_ref().map(RedrivePolicy::to_string)
    }),
    ("SqsManagedSseEnabled", |report| {
        Some(report.settings.sqs_managed_sse_enabled.to_string())
    }),
    ("VisibilityTimeout", |report| {
        Some(seconds(report.settings.visibility_timeout))
    }),
];

impl Report {
    fn on_fifo(&self, text: impl FnOnce(&QueueSettings) -> String) -> Option<String> {
        self.settings.fifo_queue.then(|| text(&self.settings))
    }
}

fn seconds(span: Duration) -> String {
    span.as_secs().to_string()
}

/// The attributes of a queue that are asked for; names it knows but does not have are skipped (Q14).
pub(super) fn write(queue: &Queue, names: &[String]) -> Result<BTreeMap<String, String>, Fault> {
    let all = names.iter().any(|name| name == "All");
    let known = |name: &str| name == "All" || ATTRIBUTES.iter().any(|(attribute, _)| *attribute == name);
    if let Some(unknown) = names.iter().find(|name| !known(name)) {
        return Err(InvalidAttributeName::Unknown {
            attribute: unknown.clone().into(),
        }
        .into());
    }
    let report = Report {
        arn: queue.arn().to_owned(),
        settings: queue.settings(),
        counts: queue.counts(),
    };
    let asked = |name: &str| all || names.iter().any(|given| given == name);
    let attributes = ATTRIBUTES.iter().filter(|(name, _)| asked(name));
    Ok(attributes
        .filter_map(|(name, text)| Some(((*name).to_owned(), text(&report)?)))
        .collect())
}

/// The attributes that a request sets.
pub(super) fn read(attributes: &BTreeMap<String, String>, limits: &Limits) -> Result<QueueAttributes, Fault> {
    attributes.iter().try_fold(QueueAttributes::new(), |set, (name, text)| {
        let text = text.as_str();
        Ok(match name.as_str() {
            "ContentBasedDeduplication" => set.content_based_deduplication(boolean(name, text)?),
            "DeduplicationScope" => set.deduplication_scope(match text {
                "queue" => DeduplicationScope::Queue,
                "messageGroup" => DeduplicationScope::MessageGroup,
                _ => return Err(refused(name)),
            }),
            "DelaySeconds" => set.delay(span(name, text)?),
            "FifoQueue" => set.fifo_queue(boolean(name, text)?),
            "FifoThroughputLimit" => set.fifo_throughput_limit(match text {
                "perQueue" => FifoThroughputLimit::PerQueue,
                "perMessageGroupId" => FifoThroughputLimit::PerMessageGroupId,
                _ => return Err(refused(name)),
            }),
            "KmsDataKeyReusePeriodSeconds" => set.kms_data_key_reuse_period(span(name, text)?),
            "KmsMasterKeyId" => set.kms_master_key_id(text),
            "MaximumMessageSize" => set.maximum_message_size(text.parse().map_err(|_| refused(name))?),
            "MessageRetentionPeriod" => set.message_retention_period(span(name, text)?),
            "Policy" => set.policy(text),
            "ReceiveMessageWaitTimeSeconds" => set.receive_message_wait_time(span(name, text)?),
            "RedriveAllowPolicy" if text.is_empty() => set.no_redrive_allow_policy(),
            "RedriveAllowPolicy" => set.redrive_allow_policy(redrive_allow_policy(text)?),
            "RedrivePolicy" if text.is_empty() => set.no_redrive_policy(),
            "RedrivePolicy" => set.redrive_policy(redrive_policy(text, limits)?),
            "SqsManagedSseEnabled" => set.sqs_managed_sse_enabled(boolean(name, text)?),
            "VisibilityTimeout" => set.visibility_timeout(span(name, text)?),
            _ => {
                let attribute = name.clone().into();
                return Err(InvalidAttributeName::Unknown { attribute }.into());
            }
        })
    })
}

/// The error of a document among these attributes, which shows it as it was sent (X8).
pub(super) fn verbatim(mut error: InvalidParameterValue, sent: &BTreeMap<String, String>) -> Fault {
    if let InvalidParameterValue::Value { parameter, value, .. } = &mut error {
        if let Some(text) = sent.get(*parameter) {
            value.clone_from(text);
        }
    }
    error.into()
}

/// Q16.
fn refused(attribute: &str) -> Fault {
    InvalidAttributeValue::Refused {
        attribute: attribute.to_owned().into(),
    }
    .into()
}

fn span(name: &str, text: &str) -> Result<Duration, Fault> {
    text.parse().map(Duration::from_secs).map_err(|_| refused(name))
}

/// Q27.
fn boolean(name: &str, text: &str) -> Result<bool, Fault> {
    match text {
        _ if text.eq_ignore_ascii_case("true") => Ok(true),
        _ if text.eq_ignore_ascii_case("false") => Ok(false),
        _ => Err(refused(name)),
    }
}

/// The members of a document, which has to be a JSON object (L2, L20).
fn members(attribute: &'static str, text: &str) -> Result<Map<String, Value>, Fault> {
    match serde_json::from_str(text) {
        Ok(Value::Object(members)) => Ok(members),
        _ => Err(Fault::invalid(attribute, text, InvalidReason::PolicyNotJson)),
    }
}

/// L1, L2, L4.
fn redrive_policy(text: &str, limits: &Limits) -> Result<RedrivePolicy, Fault> {
    const NAME: &str = "RedrivePolicy";
    let missing = |member| Fault::invalid(NAME, text, InvalidReason::PolicyLacks { member });
    let policy = members(NAME, text)?;
    let target = policy.get("deadLetterTargetArn").and_then(Value::as_str);
    let target = target.ok_or_else(|| missing("deadLetterTargetArn"))?;
    let count = policy.get("maxReceiveCount").and_then(|count| match count {
        Value::String(digits) => digits.parse().ok(),
        number => number.as_i64(),
    });
    let count = count.ok_or_else(|| missing("maxReceiveCount"))?;
    let out_of_range = |_| {
        let limit = limits.max_receive_count;
        Fault::invalid(NAME, text, InvalidReason::MaxReceiveCount { count, limit })
    };
    let max_receive_count = u32::try_from(count).map_err(out_of_range)?;
    Ok(RedrivePolicy::new(target, max_receive_count).in_the_order_of(text))
}

/// L20.
fn redrive_allow_policy(text: &str) -> Result<RedriveAllowPolicy, Fault> {
    const NAME: &str = "RedriveAllowPolicy";
    let missing = |member| Fault::invalid(NAME, text, InvalidReason::PolicyLacks { member });
    let policy = members(NAME, text)?;
    let sources = policy.get("sourceQueueArns");
    let permission = policy.get("redrivePermission").and_then(Value::as_str);
    match (permission, sources) {
        (Some("allowAll"), None) => Ok(RedriveAllowPolicy::AllowAll),
        (Some("denyAll"), None) => Ok(RedriveAllowPolicy::DenyAll),
        (Some("allowAll" | "denyAll"), Some(_)) => {
            Err(Fault::invalid(NAME, text, InvalidReason::SourcesWithoutByQueue))
        }
        (Some("byQueue"), sources) => {
            let sources = sources
                .and_then(Value::as_array)
                .ok_or_else(|| missing("sourceQueueArns"))?;
            let sources: Option<Vec<_>> = sources
                .iter()
                .map(|source| source.as_str().map(str::to_owned))
                .collect();
            sources
                .map(RedriveAllowPolicy::ByQueue)
                .ok_or_else(|| missing("sourceQueueArns"))
        }
        _ => Err(missing("redrivePermission")),
    }
}
