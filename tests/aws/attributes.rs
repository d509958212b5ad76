//! Attributes of queues as the door reads and writes them: text, at CreateQueue and at SetQueueAttributes.

use crate::common::aws::{Door, Refusal, assert_refused};
use requeue::Limits;
use serde_json::{Map, Value, json};
use std::time::Duration;

mod documents;

const NAME: &str = "InvalidAttributeName";
const VALUE: &str = "InvalidAttributeValue";
const PARAMETER: &str = "InvalidParameterValueException";
const ARN: &str = "arn:aws:sqs:us-east-1:000000000000:";

impl Door {
    fn set(&self, queue: &str, attributes: Value) -> Result<Value, Refusal> {
        self.call(
            "SetQueueAttributes",
            json!({ "QueueUrl": queue, "Attributes": attributes }),
        )
    }

    fn get(&self, queue: &str, names: &[&str]) -> Result<Value, Refusal> {
        self.call(
            "GetQueueAttributes",
            json!({ "QueueUrl": queue, "AttributeNames": names }),
        )
    }

    fn all(&self, queue: &str) -> Map<String, Value> {
        self.get(queue, &["All"]).unwrap()["Attributes"]
            .as_object()
            .unwrap()
            .clone()
    }

    fn attribute(&self, queue: &str, name: &str) -> Option<String> {
        Some(self.all(queue).get(name)?.as_str().unwrap().to_owned())
    }

    /// A queue with this attribute, or why there is none, at creation and at a later change.
    fn both(&self, fifo: bool, name: &str, value: &str) -> [Result<Value, Refusal>; 2] {
        let (suffix, mut attributes) = if fifo {
            (".fifo", json!({ "FifoQueue": "true" }))
        } else {
            ("", json!({}))
        };
        self.create(&format!("set{suffix}"), attributes.clone());
        let set = self.set(&format!("set{suffix}"), json!({ name: value }));
        attributes[name] = value.into();
        let created = format!("created{suffix}");
        let create = self.call("CreateQueue", json!({ "QueueName": created, "Attributes": attributes }));
        for queue in [format!("set{suffix}"), created] {
            let _ = self.call("DeleteQueue", json!({ "QueueUrl": queue }));
        }
        [create, set]
    }

    #[track_caller]
    fn refuses(&self, fifo: bool, name: &str, value: &str, shape: &str, text: &str) {
        for result in self.both(fifo, name, value) {
            assert_refused(result, 400, shape, text);
        }
    }

    #[track_caller]
    fn takes(&self, fifo: bool, name: &str, value: &str) {
        let [create, set] = self.both(fifo, name, value);
        assert_eq!((create.err(), set.err()), (None, None), "{name}={value}");
    }
}

/// A door where a name is free as soon as its queue is deleted.
fn door() -> Door {
    let mut limits = Limits::aws();
    limits.recreate_interval = Duration::ZERO;
    Door::with(limits, |builder| builder)
}

fn invalid(attribute: &str) -> String {
    format!("Invalid value for the parameter {attribute}.")
}

fn unknown(attribute: &str) -> String {
    format!("Unknown Attribute {attribute}.")
}

#[test]
fn all_attributes_of_a_new_queue_are_these() {
    // Q12 X5
    let door = door();
    door.clock.advance(Duration::from_millis(1_700_000_000_999));
    door.create("jobs", json!({}));
    let expected = json!({
        "ApproximateNumberOfMessages": "0",
        "ApproximateNumberOfMessagesDelayed": "0",
        "ApproximateNumberOfMessagesNotVisible": "0",
        "CreatedTimestamp": door.attribute("jobs", "CreatedTimestamp"),
        "DelaySeconds": "0",
        "LastModifiedTimestamp": door.attribute("jobs", "CreatedTimestamp"),
        "MaximumMessageSize": "1048576",
        "MessageRetentionPeriod": "345600",
        "QueueArn": format!("{ARN}jobs"),
        "ReceiveMessageWaitTimeSeconds": "0",
        "SqsManagedSseEnabled": "true",
        "VisibilityTimeout": "30",
    });
    assert_eq!(Value::Object(door.all("jobs")), expected);
    let seconds: u64 = door.attribute("jobs", "CreatedTimestamp").unwrap().parse().unwrap();
    let settings = door.service.queue("jobs").unwrap().settings();
    assert_eq!(seconds, settings.created_timestamp.as_millis() / 1_000);
}

#[test]
fn all_attributes_of_a_new_fifo_queue_are_four_more() {
    // Q13
    let door = door();
    door.create("jobs", json!({}));
    door.create("jobs.fifo", json!({ "FifoQueue": "true" }));
    let mut expected = door.all("jobs");
    for (name, value) in [
        ("ContentBasedDeduplication", "false"),
        ("DeduplicationScope", "queue"),
        ("FifoQueue", "true"),
        ("FifoThroughputLimit", "perQueue"),
    ] {
        expected.insert(name.to_owned(), value.into());
    }
    expected.insert("QueueArn".to_owned(), format!("{ARN}jobs.fifo").into());
    assert_eq!(door.all("jobs.fifo"), expected);
}

#[test]
fn attributes_that_are_set_are_among_all() {
    // Q12 Q13
    let door = door();
    door.create("dead.fifo", json!({ "FifoQueue": "true" }));
    let set = json!({
        "ContentBasedDeduplication": "true",
        "DeduplicationScope": "messageGroup",
        "DelaySeconds": "900",
        "FifoThroughputLimit": "perMessageGroupId",
        "KmsDataKeyReusePeriodSeconds": "60",
        "KmsMasterKeyId": "alias/k",
        "MaximumMessageSize": "1024",
        "MessageRetentionPeriod": "1209600",
        "Policy": r#"{"Version":"2012-10-17"}"#,
        "ReceiveMessageWaitTimeSeconds": "20",
        "RedriveAllowPolicy": r#"{"redrivePermission":"denyAll"}"#,
        "RedrivePolicy": format!(r#"{{"deadLetterTargetArn":"{ARN}dead.fifo","maxReceiveCount":3}}"#),
        "VisibilityTimeout": "43200",
    });
    let mut at_once = set.clone();
    at_once["FifoQueue"] = "true".into();
    door.create("created.fifo", at_once);
    door.create("set.fifo", json!({ "FifoQueue": "true" }));
    assert_eq!(door.set("set.fifo", set.clone()), Ok(Value::Null));
    for queue in ["created.fifo", "set.fifo"] {
        let all = door.all(queue);
        for (name, value) in set.as_object().unwrap() {
            assert_eq!(all.get(name), Some(value), "{name} of {queue}");
        }
        assert_eq!(
            (all.len(), &all["SqsManagedSseEnabled"]),
            (21, &json!("false")),
            "{queue}"
        );
    }
}

#[test]
fn only_attributes_that_are_asked_for_and_there_are_returned() {
    // Q14 X6
    let door = door();
    door.create("jobs", json!({ "DelaySeconds": "5" }));
    assert_eq!(door.get("jobs", &[]), Ok(json!({})));
    assert_eq!(
        door.call("GetQueueAttributes", json!({ "QueueUrl": "jobs" })),
        Ok(json!({}))
    );
    assert_eq!(
        door.get("jobs", &["Policy", "FifoQueue", "KmsMasterKeyId"]),
        Ok(json!({}))
    );
    let delay = json!({ "Attributes": { "DelaySeconds": "5" } });
    assert_eq!(
        door.get("jobs", &["DelaySeconds", "RedrivePolicy", "DelaySeconds"]),
        Ok(delay)
    );
    for name in ["Delay", "all", "delayseconds", ""] {
        assert_refused(door.get("jobs", &["DelaySeconds", name]), 400, NAME, &unknown(name));
        assert_refused(door.get("jobs", &["All", name]), 400, NAME, &unknown(name));
    }
}

#[test]
fn the_time_of_the_last_change_follows_attributes_and_permissions() {
    // Q15
    let door = door();
    door.create("jobs", json!({}));
    let seconds = |name| door.attribute("jobs", name).unwrap().parse::<u64>().unwrap();
    let since = || seconds("LastModifiedTimestamp") - seconds("CreatedTimestamp");
    let permission = json!({
        "QueueUrl": "jobs", "Label": "l", "AWSAccountIds": ["123456789012"], "Actions": ["SendMessage"],
    });
    for (action, input, after) in [
        (
            "SetQueueAttributes",
            json!({ "QueueUrl": "jobs", "Attributes": { "DelaySeconds": "1" } }),
            10,
        ),
        ("TagQueue", json!({ "QueueUrl": "jobs", "Tags": { "a": "b" } }), 10),
        ("AddPermission", permission, 30),
        ("RemovePermission", json!({ "QueueUrl": "jobs", "Label": "l" }), 40),
    ] {
        door.clock.advance(Duration::from_secs(10));
        assert_eq!(door.call(action, input), Ok(Value::Null));
        assert_eq!(since(), after, "{action}");
    }
}

#[test]
fn numbers_are_integers_in_their_range() {
    // Q16
    let door = door();
    for (name, least, most) in [
        ("DelaySeconds", 0, 900),
        ("MaximumMessageSize", 1_024, 1_048_576),
        ("MessageRetentionPeriod", 60, 1_209_600),
        ("ReceiveMessageWaitTimeSeconds", 0, 20),
        ("VisibilityTimeout", 0, 43_200),
        ("KmsDataKeyReusePeriodSeconds", 60, 86_400),
    ] {
        for value in [least, least + 1, most - 1, most] {
            door.takes(false, name, &value.to_string());
        }
        for value in [least - 1, most + 1] {
            door.refuses(false, name, &value.to_string(), VALUE, &invalid(name));
        }
        for value in [
            "",
            " ",
            "a",
            "60.0",
            "6e1",
            "60 ",
            "0x60",
            "99999999999999999999999",
            "-99999999999999999999",
        ] {
            door.refuses(false, name, value, VALUE, &invalid(name));
        }
    }
}

#[test]
fn unknown_and_read_only_attributes_cannot_be_set() {
    // Q17 Q25
    let door = door();
    for name in [
        "Unknown",
        "delayseconds",
        "All",
        "",
        "ApproximateNumberOfMessages",
        "ApproximateNumberOfMessagesDelayed",
        "ApproximateNumberOfMessagesNotVisible",
        "CreatedTimestamp",
        "LastModifiedTimestamp",
        "QueueArn",
    ] {
        for fifo in [false, true] {
            door.refuses(fifo, name, "1", NAME, &unknown(name));
        }
    }
}

#[test]
fn a_standard_queue_has_no_attributes_of_fifo_queues() {
    // Q18 Q19
    let door = door();
    door.refuses(
        false,
        "ContentBasedDeduplication",
        "true",
        NAME,
        &unknown("ContentBasedDeduplication"),
    );
    door.refuses(
        false,
        "ContentBasedDeduplication",
        "false",
        NAME,
        &unknown("ContentBasedDeduplication"),
    );
    door.refuses(false, "FifoQueue", "false", NAME, &unknown("FifoQueue"));
    door.create("jobs", json!({}));
    assert_refused(
        door.set("jobs", json!({ "FifoQueue": "true" })),
        400,
        NAME,
        &unknown("FifoQueue"),
    );
    for (name, value) in [
        ("DeduplicationScope", "queue"),
        ("DeduplicationScope", "messageGroup"),
        ("FifoThroughputLimit", "perQueue"),
    ] {
        let text = format!("You can specify the {name} only when FifoQueue is set to true.");
        door.refuses(false, name, value, NAME, &text);
    }
}

#[test]
fn the_type_of_a_queue_does_not_change() {
    // Q20 Q21
    let door = door();
    door.create("jobs.fifo", json!({ "FifoQueue": "true" }));
    assert_eq!(door.set("jobs.fifo", json!({ "FifoQueue": "true" })), Ok(Value::Null));
    let text = "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported.";
    assert_refused(door.set("jobs.fifo", json!({ "FifoQueue": "false" })), 400, VALUE, text);
}

#[test]
fn throughput_per_group_needs_deduplication_per_group() {
    // Q22 Q23 Q16
    let door = door();
    door.refuses(
        true,
        "FifoThroughputLimit",
        "perMessageGroupId",
        VALUE,
        &invalid("FifoThroughputLimit"),
    );
    door.takes(true, "DeduplicationScope", "messageGroup");
    for (name, value) in [
        ("DeduplicationScope", "messagegroup"),
        ("DeduplicationScope", ""),
        ("FifoThroughputLimit", "perqueue"),
    ] {
        door.refuses(true, name, value, VALUE, &invalid(name));
    }
    door.create(
        "jobs.fifo",
        json!({ "FifoQueue": "true", "DeduplicationScope": "messageGroup" }),
    );
    assert_eq!(
        door.attribute("jobs.fifo", "FifoThroughputLimit").as_deref(),
        Some("perQueue")
    );
    assert_eq!(
        door.set("jobs.fifo", json!({ "FifoThroughputLimit": "perMessageGroupId" })),
        Ok(Value::Null)
    );
}

#[test]
fn one_call_switches_on_one_kind_of_encryption() {
    // Q24
    let door = door();
    let both = json!({ "KmsMasterKeyId": "alias/k", "SqsManagedSseEnabled": "true" });
    let text = "You can use one type of server-side encryption (SSE) at one time. \
                You can either enable KMS SSE or SQS SSE.";
    let create = door.call("CreateQueue", json!({ "QueueName": "jobs", "Attributes": both }));
    assert_refused(create, 400, NAME, text);
    door.create("jobs", json!({}));
    assert_refused(door.set("jobs", both), 400, NAME, text);
}

#[test]
fn booleans_are_read_in_any_letter_case_and_written_in_lower_case() {
    // Q27 Q16
    let door = door();
    door.create(
        "jobs.fifo",
        json!({ "FifoQueue": "TRUE", "ContentBasedDeduplication": "True" }),
    );
    door.create("jobs", json!({ "SqsManagedSseEnabled": "FALSE" }));
    for (queue, name, value) in [
        ("jobs.fifo", "FifoQueue", "true"),
        ("jobs.fifo", "ContentBasedDeduplication", "true"),
        ("jobs", "SqsManagedSseEnabled", "false"),
    ] {
        assert_eq!(door.attribute(queue, name).as_deref(), Some(value));
    }
    for value in ["", "yes", "1", "true "] {
        door.refuses(
            true,
            "ContentBasedDeduplication",
            value,
            VALUE,
            &invalid("ContentBasedDeduplication"),
        );
        door.refuses(
            false,
            "SqsManagedSseEnabled",
            value,
            VALUE,
            &invalid("SqsManagedSseEnabled"),
        );
    }
}

#[test]
fn one_bad_attribute_leaves_all_as_they_are() {
    // Q28
    let door = door();
    door.create("jobs", json!({}));
    let before = door.all("jobs");
    door.clock.advance(Duration::from_secs(5));
    for bad in [
        json!({ "VisibilityTimeout": "x" }),
        json!({ "Zzz": "1" }),
        json!({ "RedrivePolicy": "x" }),
    ] {
        let mut attributes = bad;
        attributes["DelaySeconds"] = "5".into();
        door.set("jobs", attributes).unwrap_err();
        assert_eq!(door.all("jobs"), before);
    }
}

#[test]
fn encryptions_displace_each_other_and_do_not_spring_back() {
    // Q42 Q43
    let door = door();
    door.create("jobs", json!({}));
    let shown = || {
        ["KmsMasterKeyId", "KmsDataKeyReusePeriodSeconds", "SqsManagedSseEnabled"].map(|it| door.attribute("jobs", it))
    };
    let some = |text: &str| Some(text.to_owned());
    door.set(
        "jobs",
        json!({ "KmsMasterKeyId": "k", "KmsDataKeyReusePeriodSeconds": "6000" }),
    )
    .unwrap();
    assert_eq!(shown(), [some("k"), some("6000"), some("false")]);
    door.set("jobs", json!({ "SqsManagedSseEnabled": "true" })).unwrap();
    assert_eq!(shown(), [None, None, some("true")]);
    door.set("jobs", json!({ "KmsMasterKeyId": "k" })).unwrap();
    assert_eq!(
        shown(),
        [some("k"), None, some("false")],
        "the default period is not shown"
    );
    door.set("jobs", json!({ "KmsDataKeyReusePeriodSeconds": "60" }))
        .unwrap();
    assert_eq!(shown(), [some("k"), some("60"), some("false")]);
    door.set(
        "jobs",
        json!({ "KmsMasterKeyId": "", "KmsDataKeyReusePeriodSeconds": "300" }),
    )
    .unwrap();
    assert_eq!(shown(), [None, None, some("false")]);
    door.set("jobs", json!({ "KmsDataKeyReusePeriodSeconds": "60" }))
        .unwrap();
    assert_eq!(
        shown(),
        [None, None, some("false")],
        "a period without a key is not shown"
    );
}

#[test]
fn creating_a_queue_again_compares_what_is_given_with_what_is() {
    // Q29 Q30 Q31 Q32
    let door = door();
    let again = |attributes: Value| door.call("CreateQueue", json!({ "QueueName": "jobs", "Attributes": attributes }));
    let url = again(json!({ "VisibilityTimeout": "60" })).unwrap();
    assert!(url["QueueUrl"].as_str().unwrap().ends_with("/000000000000/jobs"));
    assert_eq!(
        again(json!({ "VisibilityTimeout": "60", "DelaySeconds": "0" })).as_ref(),
        Ok(&url)
    );
    door.set("jobs", json!({ "VisibilityTimeout": "90" })).unwrap();
    door.call("SendMessage", json!({ "QueueUrl": "jobs", "MessageBody": "m" }))
        .unwrap();
    let modified = door.attribute("jobs", "LastModifiedTimestamp");
    door.clock.advance(Duration::from_secs(2));
    for same in [
        json!({}),
        json!({ "VisibilityTimeout": "90" }),
        json!({ "Policy": "", "SqsManagedSseEnabled": "TRUE" }),
    ] {
        assert_eq!(again(same).as_ref(), Ok(&url));
    }
    let text = |name| format!("A queue already exists with the same name and a different value for attribute {name}");
    assert_refused(
        again(json!({ "VisibilityTimeout": "60" })),
        400,
        "QueueNameExists",
        &text("VisibilityTimeout"),
    );
    assert_refused(
        again(json!({ "VisibilityTimeout": "60", "DelaySeconds": "1" })),
        400,
        "QueueNameExists",
        &text("DelaySeconds"),
    );
    assert_refused(
        again(json!({ "DelaySeconds": "x" })),
        400,
        VALUE,
        &invalid("DelaySeconds"),
    );
    assert_eq!(door.attribute("jobs", "LastModifiedTimestamp"), modified);
}

#[test]
fn tags_of_a_queue_that_exists_are_ignored() {
    // Q33
    let door = door();
    door.create("jobs", json!({}));
    let tagged = door.call("CreateQueue", json!({ "QueueName": "jobs", "tags": { "a": "b" } }));
    assert!(tagged.is_ok());
    assert_eq!(door.call("ListQueueTags", json!({ "QueueUrl": "jobs" })), Ok(json!({})));
}

#[test]
fn a_member_is_what_its_name_says_whatever_the_json_library_makes_of_it() {
    // L2, L20, W1
    let hidden = |text: &str| json!({ "$serde_json::private::RawValue": text });
    let refused = Door::new()
        .call("CreateQueue", hidden(r#"{"QueueName":"hidden"}"#))
        .unwrap_err();
    assert_eq!(refused.1, "MissingRequiredParameterException");
    let policy = format!(r#"{{"deadLetterTargetArn":"{ARN}dead","maxReceiveCount":1}}"#);
    for (name, text) in [
        ("RedrivePolicy", &*policy),
        ("RedriveAllowPolicy", r#"{"redrivePermission":"denyAll"}"#),
    ] {
        let door = Door::new();
        door.create("dead", json!({}));
        for result in door.both(false, name, &hidden(text).to_string()) {
            assert_eq!(result.unwrap_err().1, PARAMETER, "{name}");
        }
    }
}
