//! Lists and maps without numbers, of every action that has any (W3).

use super::*;

const SQS: &str = "AWS.SimpleQueueService.";

/// The parameters of an entry of a batch, without a number.
fn entry<'a>(parts: &[(&'a str, &'a str)], action: &str) -> Vec<(String, &'a str)> {
    parts
        .iter()
        .map(|(name, value)| (format!("{action}RequestEntry.{name}"), *value))
        .collect()
}

#[track_caller]
fn of_jobs(door: &Door, action: &str, parameters: &[(String, &str)]) -> Answer {
    let parameters: Vec<_> = parameters.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    door.of_jobs(action, &parameters)
}

fn value_of(door: &Door, attribute: &str) -> String {
    door.of_jobs("GetQueueAttributes", &[("AttributeName", attribute)])
        .text("Value")
}

#[test]
fn a_list_without_a_number_has_one_element() {
    // W3
    let door = Door::with_jobs();
    let attributes = door.of_jobs("GetQueueAttributes", &[("AttributeName", "All")]);
    assert!(attributes.texts("Name").len() > 5);
    door.of_jobs(
        "SendMessage",
        &[
            ("MessageBody", "x"),
            ("MessageAttribute.Name", "kind"),
            ("MessageAttribute.Value.DataType", "String"),
            ("MessageAttribute.Value.StringValue", "a"),
            ("MessageSystemAttribute.Name", "AWSTraceHeader"),
            ("MessageSystemAttribute.Value.DataType", "String"),
            ("MessageSystemAttribute.Value.StringValue", "Root=1-2-3"),
        ],
    );
    for name in ["AttributeName", "MessageSystemAttributeName"] {
        let asked = [
            (name, "All"),
            ("MessageAttributeName", "k.*"),
            ("VisibilityTimeout", "0"),
        ];
        let received = door.of_jobs("ReceiveMessage", &asked);
        assert_eq!(received.text("StringValue"), "a");
        assert!(received.texts("Value").contains(&"Root=1-2-3".to_owned()), "{name}");
    }
}

#[test]
fn a_map_without_a_number_has_one_entry() {
    // W3
    let door = Door::new();
    let created = [
        ("QueueName", "jobs"),
        ("Attribute.Name", "VisibilityTimeout"),
        ("Attribute.Value", "35"),
        ("Tag.Key", "a"),
        ("Tag.Value", "b"),
    ];
    door.ok("CreateQueue", &created);
    assert_eq!(value_of(&door, "VisibilityTimeout"), "35");
    door.of_jobs(
        "SetQueueAttributes",
        &[("Attribute.Name", "DelaySeconds"), ("Attribute.Value", "4")],
    );
    assert_eq!(value_of(&door, "DelaySeconds"), "4");
    door.of_jobs("TagQueue", &[("Tag.Key", "c"), ("Tag.Value", "")]);
    assert_eq!(door.of_jobs("ListQueueTags", &[]).texts("Key"), ["a", "c"]);
    door.of_jobs("UntagQueue", &[("TagKey", "a")]);
    assert_eq!(door.of_jobs("ListQueueTags", &[]).texts("Key"), ["c"]);
}

#[test]
fn a_permission_without_numbers_is_for_one_account_and_action() {
    // W3 Q49
    let door = Door::with_jobs();
    let given = [
        ("Label", "l"),
        ("AWSAccountId", "210987654321"),
        ("ActionName", "SendMessage"),
    ];
    door.of_jobs("AddPermission", &given);
    let policy = value_of(&door, "Policy");
    assert!(policy.contains("arn:aws:iam::210987654321:root") && policy.contains("SQS:SendMessage"));
}

#[test]
fn a_batch_without_a_number_has_one_entry() {
    // W3
    let door = Door::with_jobs();
    let sent = [
        ("Id", "one"),
        ("MessageBody", "x"),
        ("MessageAttribute.Name", "kind"),
        ("MessageAttribute.Value.DataType", "String"),
        ("MessageAttribute.Value.StringValue", "a"),
    ];
    let answer = of_jobs(&door, "SendMessageBatch", &entry(&sent, "SendMessageBatch"));
    assert_eq!(answer.texts("Id"), ["one"]);
    let received = door.of_jobs("ReceiveMessage", &[("MessageAttributeName", "All")]);
    assert_eq!(received.text("StringValue"), "a");
    let handle = received.text("ReceiptHandle");
    let changed = [("Id", "two"), ("ReceiptHandle", &handle), ("VisibilityTimeout", "9")];
    let action = "ChangeMessageVisibilityBatch";
    let answer = of_jobs(&door, action, &entry(&changed, action));
    assert_eq!(answer.text("Id"), "two");
    let deleted = [("Id", "three"), ("ReceiptHandle", &*handle)];
    let answer = of_jobs(&door, "DeleteMessageBatch", &entry(&deleted, "DeleteMessageBatch"));
    assert_eq!(answer.text("Id"), "three");
    assert_eq!(value_of(&door, "ApproximateNumberOfMessagesNotVisible"), "0");
}

#[test]
fn a_numbered_entry_may_hold_lists_and_maps_without_numbers() {
    // W3
    let door = Door::with_jobs();
    let parts = [
        "Id",
        "MessageBody",
        "MessageAttribute.Name",
        "MessageAttribute.Value.DataType",
    ];
    for (number, id) in [("1", "a"), ("2", "b")] {
        let names = parts.map(|part| format!("SendMessageBatchRequestEntry.{number}.{part}"));
        let value = format!("SendMessageBatchRequestEntry.{number}.MessageAttribute.Value.StringValue");
        let given = [id, "x", id, "String", id];
        let names = names.into_iter().chain([value]).zip(given).collect::<Vec<_>>();
        assert_eq!(of_jobs(&door, "SendMessageBatch", &names).texts("Id"), [id]);
    }
    let received = door.of_jobs(
        "ReceiveMessage",
        &[("MaxNumberOfMessages", "2"), ("MessageAttributeName", "All")],
    );
    assert_eq!(received.texts("StringValue"), ["a", "b"]);
    let list = [
        ("QueueUrl", "jobs"),
        ("MessageBody", "x"),
        ("MessageAttribute.Name", "a"),
        ("MessageAttribute.Value.DataType", "String"),
        ("MessageAttribute.Value.StringListValue", "x"),
    ];
    assert_eq!(door.refused("SendMessage", &list).1, "InvalidParameterValue");
}

#[test]
fn an_entry_without_a_number_is_the_first_unless_that_one_has_its_number() {
    // W3
    let door = Door::with_jobs();
    let names = |parameters: &[(&str, &str)]| door.of_jobs("GetQueueAttributes", parameters).texts("Name");
    let (delay, timeout) = ("DelaySeconds", "VisibilityTimeout");
    assert_eq!(
        names(&[("AttributeName.2", timeout), ("AttributeName", delay)]),
        [delay, timeout]
    );
    assert_eq!(
        names(&[("AttributeName.1", timeout), ("AttributeName", delay)]),
        [timeout]
    );
    assert_eq!(
        names(&[("AttributeName", delay), ("AttributeName.1", timeout)]),
        [timeout]
    );
    assert_eq!(
        names(&[("AttributeName", delay), ("AttributeName", timeout)]),
        [timeout]
    );
    door.of_jobs(
        "TagQueue",
        &[
            ("Tag.Key", "ignored"),
            ("Tag.1.Key", "b"),
            ("Tag.Value", "1"),
            ("Tag.1.Value", "2"),
        ],
    );
    door.of_jobs(
        "TagQueue",
        &[
            ("Tag.Key", "a"),
            ("Tag.Value", "1"),
            ("Tag.2.Key", "c"),
            ("Tag.2.Value", "3"),
        ],
    );
    assert_eq!(door.of_jobs("ListQueueTags", &[]).texts("Key"), ["a", "b", "c"]);
    let sent = [
        ("SendMessageBatchRequestEntry.Id", "one"),
        ("SendMessageBatchRequestEntry.MessageBody", "x"),
        ("SendMessageBatchRequestEntry.2.Id", "two"),
        ("SendMessageBatchRequestEntry.2.MessageBody", "x"),
    ];
    assert_eq!(door.of_jobs("SendMessageBatch", &sent).texts("Id"), ["one", "two"]);
}

#[test]
fn an_empty_list_without_a_number_is_none_and_half_an_entry_is_refused() {
    // W3 X7 X8
    let door = Door::with_jobs();
    assert!(
        door.of_jobs("GetQueueAttributes", &[("AttributeName", "")])
            .texts("Name")
            .is_empty()
    );
    let url = ("QueueUrl", "jobs");
    let missing = |name: &str| {
        let text = format!("The request must contain the parameter {name}.");
        refusal(400, "MissingParameter", &text)
    };
    assert_eq!(door.refused("UntagQueue", &[url, ("TagKey", "")]), missing("TagKeys"));
    assert_eq!(door.refused("TagQueue", &[url, ("Tag.Key", "a")]), missing("Value"));
    assert_eq!(door.refused("TagQueue", &[url, ("Tag.Value", "a")]), missing("Key"));
    assert_eq!(door.refused("TagQueue", &[url, ("Tag", "a")]), missing("Tags"));
    let send = |parameter| door.refused("SendMessageBatch", &[url, (parameter, "x")]).1;
    assert_eq!(send("SendMessageBatchRequestEntry"), format!("{SQS}EmptyBatchRequest"));
    assert_eq!(
        send("SendMessageBatchRequestEntry.Other"),
        format!("{SQS}EmptyBatchRequest")
    );
    assert_eq!(
        send("SendMessageBatchRequestEntry.0.Id"),
        format!("{SQS}EmptyBatchRequest")
    );
    assert_eq!(
        send("SendMessageBatchRequestEntry.MessageBody"),
        format!("{SQS}InvalidBatchEntryId")
    );
}
