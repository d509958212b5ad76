//! Attributes that are JSON documents: access policies, and the policies of dead-letter queues.

use super::{ARN, Door, PARAMETER, VALUE, assert_refused, door, invalid};
use serde_json::{Value, json};

fn redrive(target: &str, count: &str) -> String {
    format!(r#"{{"deadLetterTargetArn":"{ARN}{target}","maxReceiveCount":{count}}}"#)
}

/// A value of a dead-letter policy that is refused, with the reason that SQS gives.
#[track_caller]
fn assert_policy_refused(door: &Door, name: &str, value: &str, reason: &str) {
    let text = format!("Value {value} for parameter {name} is invalid. Reason: {reason}");
    door.refuses(false, name, value, PARAMETER, &text);
}

#[test]
fn a_policy_is_a_json_object_or_empty() {
    // Q26
    let door = door();
    for value in ["{", "[]", "1", "\"{}\"", " "] {
        door.refuses(false, "Policy", value, VALUE, &invalid("Policy"));
    }
    door.takes(false, "Policy", " { \"Statement\" : [ ] } ");
    door.create("jobs", json!({ "Policy": "{ }" }));
    assert_eq!(
        door.attribute("jobs", "Policy").as_deref(),
        Some("{ }"),
        "a policy is kept as it is sent"
    );
    door.set("jobs", json!({ "Policy": "" })).unwrap();
    assert_eq!(door.attribute("jobs", "Policy"), None);
}

#[test]
fn a_redrive_policy_has_a_target_and_a_count_as_number_or_text() {
    // L1 L4
    let door = door();
    door.create("dead", json!({}));
    door.create("jobs", json!({}));
    for (sent, read) in [("1", "1"), ("1000", "1000"), ("\"7\"", "7")] {
        door.takes(false, "RedrivePolicy", &redrive("dead", sent));
        door.set("jobs", json!({ "RedrivePolicy": redrive("dead", sent) }))
            .unwrap();
        assert_eq!(door.attribute("jobs", "RedrivePolicy"), Some(redrive("dead", read)));
    }
    let turned = format!(r#"{{"maxReceiveCount":4,"deadLetterTargetArn":"{ARN}dead"}}"#);
    door.set("jobs", json!({ "RedrivePolicy": turned })).unwrap();
    assert_eq!(
        door.attribute("jobs", "RedrivePolicy"),
        Some(turned),
        "members keep the order in which they are sent"
    );
    door.set("jobs", json!({ "RedrivePolicy": "" })).unwrap();
    assert_eq!(door.attribute("jobs", "RedrivePolicy"), None);
    let object = door.set("jobs", json!({ "RedrivePolicy": { "maxReceiveCount": 1 } }));
    assert_eq!(object.unwrap_err().1, "SerializationException");
}

#[test]
fn a_redrive_policy_that_is_no_json_object_or_lacks_a_member_is_refused() {
    // L2
    let door = door();
    door.create("dead", json!({}));
    for value in ["x", "{", "[]", "null", "1"] {
        assert_policy_refused(&door, "RedrivePolicy", value, "The policy is not a valid JSON map.");
    }
    let (target, count) = (
        "The policy does not contain mandatory attribute: deadLetterTargetArn.",
        "The policy does not contain mandatory attribute: maxReceiveCount.",
    );
    for (value, reason) in [
        ("{}".to_owned(), target),
        (r#"{"maxReceiveCount":3}"#.to_owned(), target),
        (r#"{"deadLetterTargetArn":5,"maxReceiveCount":3}"#.to_owned(), target),
        (format!(r#"{{"deadLetterTargetArn":"{ARN}dead"}}"#), count),
        (redrive("dead", "\"three\""), count),
        (redrive("dead", "\"\""), count),
        (redrive("dead", "1.5"), count),
        (redrive("dead", "null"), count),
        (redrive("dead", "true"), count),
    ] {
        assert_policy_refused(&door, "RedrivePolicy", &value, reason);
    }
}

#[test]
fn a_max_receive_count_is_1_to_1000() {
    // L2a X8
    let door = door();
    door.create("dead", json!({}));
    for (count, printed) in [
        ("0", "0"),
        ("1001", "1001"),
        ("-1", "-1"),
        ("\"0\"", "0"),
        ("\"-5\"", "-5"),
        ("5000000000", "5000000000"),
    ] {
        let reason =
            format!("Invalid value for maxReceiveCount: {printed}, valid values are from 1 to 1000 both inclusive.");
        assert_policy_refused(&door, "RedrivePolicy", &redrive("dead", count), &reason);
    }
}

#[test]
fn a_dead_letter_target_is_a_queue_of_the_same_type_that_allows_it() {
    // L3 L3a L3b L3c X8
    let door = door();
    door.create("dead.fifo", json!({ "FifoQueue": "true" }));
    door.create(
        "closed",
        json!({ "RedriveAllowPolicy": r#"{"redrivePermission":"denyAll"}"# }),
    );
    let unknown = "Dead letter target does not exist.";
    for (target, reason) in [
        (format!("{ARN}nobody"), unknown),
        ("arn:aws:sqs:eu-west-1:000000000000:closed".to_owned(), unknown),
        ("arn:aws:sqs:us-east-1:123456789012:closed".to_owned(), unknown),
        ("closed".to_owned(), "Invalid value for deadLetterTargetArn."),
        (
            "arn:aws:sns:us-east-1:000000000000:closed".to_owned(),
            "Invalid value for deadLetterTargetArn.",
        ),
        (
            format!("{ARN}dead.fifo"),
            "Dead-letter queue must be same type of queue as the source.",
        ),
        (
            format!("{ARN}closed"),
            "Dead-letter queue does not allow this queue as its source.",
        ),
    ] {
        // What is refused is printed as it was sent.
        let value = format!(r#"{{ "maxReceiveCount" : "3", "deadLetterTargetArn" : "{target}", "x" : 1 }}"#);
        assert_policy_refused(&door, "RedrivePolicy", &value, reason);
    }
}

#[test]
fn a_redrive_allow_policy_is_one_of_three() {
    // L20
    let door = door();
    let by_queue = |count| json!({ "redrivePermission": "byQueue", "sourceQueueArns": vec![format!("{ARN}a"); count] });
    door.create("jobs", json!({}));
    for value in [
        r#"{"redrivePermission":"allowAll"}"#.to_owned(),
        r#"{"redrivePermission":"denyAll"}"#.to_owned(),
        by_queue(1).to_string(),
        by_queue(10).to_string(),
    ] {
        door.takes(false, "RedriveAllowPolicy", &value);
        door.set("jobs", json!({ "RedriveAllowPolicy": value })).unwrap();
        assert_eq!(door.attribute("jobs", "RedriveAllowPolicy"), Some(value));
    }
    door.set("jobs", json!({ "RedriveAllowPolicy": "" })).unwrap();
    assert_eq!(door.attribute("jobs", "RedriveAllowPolicy"), None);
    let lacks = |member| format!("The policy does not contain mandatory attribute: {member}.");
    for (value, reason) in [
        ("x".to_owned(), "The policy is not a valid JSON map.".to_owned()),
        ("{}".to_owned(), lacks("redrivePermission")),
        (r#"{"redrivePermission":"some"}"#.to_owned(), lacks("redrivePermission")),
        (
            r#"{"redrivePermission":"byQueue"}"#.to_owned(),
            lacks("sourceQueueArns"),
        ),
        (
            r#"{"redrivePermission":"byQueue","sourceQueueArns":[1]}"#.to_owned(),
            lacks("sourceQueueArns"),
        ),
        (
            format!(r#"{{ "redrivePermission":"denyAll","sourceQueueArns":["{ARN}a"]}}"#),
            "sourceQueueArns are for redrivePermission byQueue.".to_owned(),
        ),
        (
            by_queue(0).to_string(),
            "sourceQueueArns names 0 queues, 1 to 10 are allowed.".to_owned(),
        ),
        (
            by_queue(11).to_string(),
            "sourceQueueArns names 11 queues, 1 to 10 are allowed.".to_owned(),
        ),
        (
            r#"{"sourceQueueArns":["a"],"redrivePermission":"byQueue"}"#.to_owned(),
            "Invalid value in sourceQueueArns.".to_owned(),
        ),
    ] {
        assert_policy_refused(&door, "RedriveAllowPolicy", &value, &reason);
    }
}

#[test]
fn documents_are_compared_by_what_they_say() {
    // Q34
    let door = door();
    door.create("dead", json!({}));
    let allow = format!(r#"{{"redrivePermission":"byQueue","sourceQueueArns":["{ARN}a"]}}"#);
    let redrive = redrive("dead", "3");
    let create = |policy: &str, redrive: &str, allow: &str| {
        let attributes = json!({ "Policy": policy, "RedrivePolicy": redrive, "RedriveAllowPolicy": allow });
        let created = door.call("CreateQueue", json!({ "QueueName": "jobs", "Attributes": attributes }));
        created
            .map(|_| ())
            .map_err(|refusal| refusal.2.rsplit_once(' ').unwrap().1.to_owned())
    };
    let policy = r#"{"Version":"2012-10-17","Statement":[],"x":1.0}"#;
    create(policy, &redrive, &allow).unwrap();
    let turned = format!(r#"{{ "maxReceiveCount" : "3", "deadLetterTargetArn" : "{ARN}dead" }}"#);
    let spaced = format!(r#"{{ "sourceQueueArns" : ["{ARN}a"] , "redrivePermission" : "byQueue" }}"#);
    assert_eq!(
        create(
            r#"{ "x": 1, "Statement": [], "Version": "2012-10-17" }"#,
            &turned,
            &spaced
        ),
        Ok(())
    );
    assert_eq!(create("{}", &redrive, &allow), Err("Policy".to_owned()));
    assert_eq!(
        create(policy, &redrive.replace('3', "4"), &allow),
        Err("RedrivePolicy".to_owned())
    );
    assert_eq!(
        create(policy, &redrive, &allow.replace(":a", ":b")),
        Err("RedriveAllowPolicy".to_owned())
    );
    assert_eq!(
        door.attribute("jobs", "Policy").as_deref(),
        Some(policy),
        "nothing is changed"
    );
}

#[test]
fn permissions_are_seen_in_the_policy() {
    // Q49 Q50 Q51 Q53
    let door = door();
    door.create("jobs", json!({}));
    let add = |label: &str, accounts: Value, actions: Value| {
        let input = json!({ "QueueUrl": "jobs", "Label": label, "AWSAccountIds": accounts, "Actions": actions });
        door.call("AddPermission", input)
    };
    let remove = |label: &str| door.call("RemovePermission", json!({ "QueueUrl": "jobs", "Label": label }));
    let accounts = json!(["123456789012"]);
    assert_eq!(add("l", accounts.clone(), json!(["SendMessage"])), Ok(Value::Null));
    let policy: Value = serde_json::from_str(&door.attribute("jobs", "Policy").unwrap()).unwrap();
    let expected = json!({
        "Version": "2008-10-17",
        "Id": format!("{ARN}jobs/SQSDefaultPolicy"),
        "Statement": [{
            "Sid": "l",
            "Effect": "Allow",
            "Principal": { "AWS": "arn:aws:iam::123456789012:root" },
            "Action": "SQS:SendMessage",
            "Resource": format!("{ARN}jobs"),
        }],
    });
    assert_eq!(policy, expected);
    let text = "Value l for parameter Label is invalid. Reason: Already exists.";
    assert_refused(add("l", accounts.clone(), json!(["SendMessage"])), 400, PARAMETER, text);
    let text = "8 Actions were found, maximum allowed is 7.";
    assert_refused(
        add("m", accounts.clone(), json!(vec!["SendMessage"; 8])),
        403,
        "OverLimit",
        text,
    );
    let text = "Value [] for parameter PrincipalId is invalid. Reason: Unable to verify.";
    assert_refused(add("m", json!([]), json!(["SendMessage"])), 400, PARAMETER, text);
    let missing = "MissingRequiredParameterException";
    let text = "The request must contain the parameter Actions.";
    assert_refused(add("not a label", accounts, json!([])), 400, missing, text);
    let text = "Value m for parameter Label is invalid. Reason: can't find label.";
    assert_refused(remove("m"), 400, PARAMETER, text);
    assert_eq!(remove("l"), Ok(Value::Null));
    assert_eq!(door.attribute("jobs", "Policy"), None);
}
