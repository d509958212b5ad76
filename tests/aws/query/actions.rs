//! Every action once, each answer whole (W3, W4, X6).

use super::*;

const URL: &str = "https://sqs.eu-west-1.amazonaws.com/123456789012/";
const HELLO: &str = "5d41402abc4b2a76b9719d911017c592";

/// Asserts what an action answers: its result, and the metadata (W4).
#[track_caller]
fn assert_result(answer: &Answer, action: &str, result: &str) {
    let space = if result.is_empty() { "" } else { " " };
    let expected = format!("{action}Response({result}{space}ResponseMetadata(RequestId=*))");
    assert_eq!(answer.outline(), expected);
}

#[track_caller]
fn assert_nothing_but_metadata(door: &Door, action: &str, parameters: &[(&str, &str)]) {
    assert_result(&door.of_jobs(action, parameters), action, "");
}

#[test]
fn queues_are_made_found_changed_and_deleted() {
    // W3 W4 X6
    let door = Door::new();
    let answer = door.ok(
        "CreateQueue",
        &[
            ("QueueName", "jobs"),
            ("Attribute.1.Name", "VisibilityTimeout"),
            ("Attribute.1.Value", "40"),
            ("Attribute.2.Name", "DelaySeconds"),
            ("Attribute.2.Value", "5"),
            ("Tag.1.Key", "team"),
            ("Tag.1.Value", "images/text"),
        ],
    );
    assert_result(
        &answer,
        "CreateQueue",
        &format!("CreateQueueResult(QueueUrl={URL}jobs)"),
    );
    assert_result(
        &door.ok("GetQueueUrl", &[("QueueName", "jobs")]),
        "GetQueueUrl",
        &format!("GetQueueUrlResult(QueueUrl={URL}jobs)"),
    );
    door.ok("CreateQueue", &[("QueueName", "more")]);
    assert_result(
        &door.ok("ListQueues", &[]),
        "ListQueues",
        &format!("ListQueuesResult(QueueUrl={URL}jobs QueueUrl={URL}more)"),
    );
    let page = door.ok("ListQueues", &[("MaxResults", "1"), ("QueueNamePrefix", "")]);
    let token = page.text("NextToken");
    assert_result(
        &page,
        "ListQueues",
        &format!("ListQueuesResult(QueueUrl={URL}jobs NextToken={token})"),
    );
    assert_result(
        &door.ok("ListQueues", &[("MaxResults", "1"), ("NextToken", &token)]),
        "ListQueues",
        &format!("ListQueuesResult(QueueUrl={URL}more)"),
    );
    assert_result(
        &door.ok("ListQueues", &[("QueueNamePrefix", "x")]),
        "ListQueues",
        "ListQueuesResult=",
    );
    assert_nothing_but_metadata(
        &door,
        "SetQueueAttributes",
        &[("Attribute.1.Name", "DelaySeconds"), ("Attribute.1.Value", "6")],
    );
    assert_result(
        &door.of_jobs(
            "GetQueueAttributes",
            &[
                ("AttributeName.1", "VisibilityTimeout"),
                ("AttributeName.2", "DelaySeconds"),
            ],
        ),
        "GetQueueAttributes",
        "GetQueueAttributesResult(Attribute(Name=DelaySeconds Value=6) Attribute(Name=VisibilityTimeout Value=40))",
    );
    assert_result(
        &door.of_jobs("GetQueueAttributes", &[]),
        "GetQueueAttributes",
        "GetQueueAttributesResult=",
    );
    assert_nothing_but_metadata(&door, "PurgeQueue", &[]);
    assert_nothing_but_metadata(&door, "DeleteQueue", &[]);
}

#[test]
fn tags_and_permissions_are_put_on_and_taken_off() {
    // W3 W4 X6
    let door = Door::with_jobs();
    let tags = [
        ("Tag.1.Key", "team"),
        ("Tag.1.Value", "images"),
        ("Tag.2.Key", "stage"),
        ("Tag.2.Value", ""),
    ];
    assert_nothing_but_metadata(&door, "TagQueue", &tags);
    assert_result(
        &door.of_jobs("ListQueueTags", &[]),
        "ListQueueTags",
        "ListQueueTagsResult(Tag(Key=stage Value=) Tag(Key=team Value=images))",
    );
    assert_nothing_but_metadata(&door, "UntagQueue", &[("TagKey.1", "team"), ("TagKey.2", "stage")]);
    assert_result(
        &door.of_jobs("ListQueueTags", &[]),
        "ListQueueTags",
        "ListQueueTagsResult=",
    );
    let permission = [
        ("Label", "all"),
        ("AWSAccountId.1", "210987654321"),
        ("ActionName.1", "SendMessage"),
    ];
    assert_nothing_but_metadata(&door, "AddPermission", &permission);
    assert_nothing_but_metadata(&door, "RemovePermission", &[("Label", "all")]);
}

#[test]
fn a_message_is_sent_received_hidden_and_deleted() {
    // W3 W4 W7 M26 M27 M46 X6
    let door = Door::with_jobs();
    let answer = door.of_jobs(
        "SendMessage",
        &[
            ("MessageBody", "hello"),
            ("DelaySeconds", "0"),
            ("MessageAttribute.1.Name", "b"),
            ("MessageAttribute.1.Value.DataType", "Binary"),
            ("MessageAttribute.1.Value.BinaryValue", "AAEC/w=="),
            ("MessageSystemAttribute.1.Name", "AWSTraceHeader"),
            ("MessageSystemAttribute.1.Value.DataType", "String"),
            (
                "MessageSystemAttribute.1.Value.StringValue",
                "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1",
            ),
        ],
    );
    let digest = "7e480da8c0e874189215a7676537a024";
    assert_result(
        &answer,
        "SendMessage",
        &format!(
            "SendMessageResult(MD5OfMessageBody={HELLO} MD5OfMessageAttributes={digest} \
             MD5OfMessageSystemAttributes=5ae4d5d7636402d80f4eb6d213245a88 MessageId=*)"
        ),
    );
    let received = door.of_jobs(
        "ReceiveMessage",
        &[
            ("AttributeName.1", "ApproximateReceiveCount"),
            ("AttributeName.2", "MessageGroupId"),
            ("MessageAttributeName.1", "All"),
            ("MaxNumberOfMessages", "10"),
            ("VisibilityTimeout", "20"),
            ("WaitTimeSeconds", "0"),
        ],
    );
    assert_result(
        &received,
        "ReceiveMessage",
        &format!(
            "ReceiveMessageResult(Message(MessageId=* ReceiptHandle=* MD5OfBody={HELLO} Body=hello \
             Attribute(Name=ApproximateReceiveCount Value=1) MD5OfMessageAttributes={digest} \
             MessageAttribute(Name=b Value(BinaryValue=AAEC/w== DataType=Binary))))"
        ),
    );
    let empty = door.of_jobs("ReceiveMessage", &[]);
    assert_result(&empty, "ReceiveMessage", "ReceiveMessageResult=");
    assert!(empty.xml.contains("<ReceiveMessageResult/>"));
    let handle = received.text("ReceiptHandle");
    let hide = [("ReceiptHandle", &*handle), ("VisibilityTimeout", "30")];
    assert_nothing_but_metadata(&door, "ChangeMessageVisibility", &hide);
    assert_nothing_but_metadata(&door, "DeleteMessage", &[("ReceiptHandle", &handle)]);
}

#[test]
fn batches_answer_an_element_for_each_entry() {
    // W3 W4 M38 M39
    let door = Door::with_jobs();
    let sent = door.of_jobs(
        "SendMessageBatch",
        &[
            ("SendMessageBatchRequestEntry.1.Id", "a"),
            ("SendMessageBatchRequestEntry.1.MessageBody", "hello"),
            ("SendMessageBatchRequestEntry.1.MessageAttribute.1.Name", "MyAttribute"),
            (
                "SendMessageBatchRequestEntry.1.MessageAttribute.1.Value.DataType",
                "String",
            ),
            (
                "SendMessageBatchRequestEntry.1.MessageAttribute.1.Value.StringValue",
                "foobar",
            ),
            ("SendMessageBatchRequestEntry.2.Id", "b"),
            ("SendMessageBatchRequestEntry.2.MessageBody", "x"),
            ("SendMessageBatchRequestEntry.2.DelaySeconds", "901"),
        ],
    );
    assert_result(
        &sent,
        "SendMessageBatch",
        &format!(
            "SendMessageBatchResult(SendMessageBatchResultEntry(Id=a MessageId=* MD5OfMessageBody={HELLO} \
             MD5OfMessageAttributes=adb59cd4678ea5a855436b949cd07ab6) BatchResultErrorEntry(Id=b SenderFault=true \
             Code=InvalidParameterValue Message=Value 901 for parameter DelaySeconds is invalid. Reason: DelaySeconds \
             must be >= 0 and <= 900.))"
        ),
    );
    let handle = door.of_jobs("ReceiveMessage", &[]).text("ReceiptHandle");
    let hidden = door.of_jobs(
        "ChangeMessageVisibilityBatch",
        &[
            ("ChangeMessageVisibilityBatchRequestEntry.1.Id", "a"),
            ("ChangeMessageVisibilityBatchRequestEntry.1.ReceiptHandle", &handle),
            ("ChangeMessageVisibilityBatchRequestEntry.1.VisibilityTimeout", "5"),
        ],
    );
    assert_result(
        &hidden,
        "ChangeMessageVisibilityBatch",
        "ChangeMessageVisibilityBatchResult(ChangeMessageVisibilityBatchResultEntry(Id=a))",
    );
    let deleted = door.of_jobs(
        "DeleteMessageBatch",
        &[
            ("DeleteMessageBatchRequestEntry.1.Id", "a"),
            ("DeleteMessageBatchRequestEntry.1.ReceiptHandle", &handle),
        ],
    );
    assert_result(
        &deleted,
        "DeleteMessageBatch",
        "DeleteMessageBatchResult(DeleteMessageBatchResultEntry(Id=a))",
    );
}

#[test]
fn a_fifo_message_has_a_sequence_number() {
    // W4 M49
    let door = Door::new();
    let fifo = [
        ("QueueName", "jobs.fifo"),
        ("Attribute.1.Name", "FifoQueue"),
        ("Attribute.1.Value", "true"),
    ];
    door.ok("CreateQueue", &fifo);
    let answer = door.ok(
        "SendMessage",
        &[
            ("QueueUrl", "jobs.fifo"),
            ("MessageBody", "hello"),
            ("MessageGroupId", "g"),
            ("MessageDeduplicationId", "d"),
        ],
    );
    let number = answer.text("SequenceNumber");
    let result = format!("SendMessageResult(MD5OfMessageBody={HELLO} MessageId=* SequenceNumber={number})");
    assert_result(&answer, "SendMessage", &result);
}

#[test]
fn dead_letters_are_listed_moved_and_left() {
    // W3 W4
    let door = Door::new();
    door.ok("CreateQueue", &[("QueueName", "dead")]);
    let dead = "arn:aws:sqs:eu-west-1:123456789012:dead";
    let policy = format!(r#"{{"deadLetterTargetArn":"{dead}","maxReceiveCount":1}}"#);
    let redrive = [
        ("QueueName", "jobs"),
        ("Attribute.1.Name", "RedrivePolicy"),
        ("Attribute.1.Value", &*policy),
    ];
    door.ok("CreateQueue", &redrive);
    assert_result(
        &door.ok("ListDeadLetterSourceQueues", &[("QueueUrl", "dead")]),
        "ListDeadLetterSourceQueues",
        &format!("ListDeadLetterSourceQueuesResult(QueueUrl={URL}jobs)"),
    );
    for body in ["hello", "again"] {
        door.ok("SendMessage", &[("QueueUrl", "dead"), ("MessageBody", body)]);
    }
    let jobs = "arn:aws:sqs:eu-west-1:123456789012:jobs";
    let rate = [
        ("SourceArn", dead),
        ("DestinationArn", jobs),
        ("MaxNumberOfMessagesPerSecond", "1"),
    ];
    let started = door.ok("StartMessageMoveTask", &rate);
    assert_result(
        &started,
        "StartMessageMoveTask",
        "StartMessageMoveTaskResult(TaskHandle=*)",
    );
    let listed = door.ok("ListMessageMoveTasks", &[("SourceArn", dead)]);
    let (moved, left) = ("ApproximateNumberOfMessagesMoved", "ApproximateNumberOfMessagesToMove");
    let timestamp = listed.text("StartedTimestamp");
    assert_result(
        &listed,
        "ListMessageMoveTasks",
        &format!(
            "ListMessageMoveTasksResult(ListMessageMoveTasksResultEntry(TaskHandle=* Status=RUNNING SourceArn={dead} \
             DestinationArn={jobs} MaxNumberOfMessagesPerSecond=1 {moved}=1 {left}=2 StartedTimestamp={timestamp}))"
        ),
    );
    let handle = started.text("TaskHandle");
    let cancelled = door.ok("CancelMessageMoveTask", &[("TaskHandle", &handle)]);
    let result = format!("CancelMessageMoveTaskResult({moved}=1)");
    assert_result(&cancelled, "CancelMessageMoveTask", &result);
}

#[test]
fn the_reason_of_a_dead_letter_is_not_on_the_wire() {
    let door = Door::new();
    door.ok("CreateQueue", &[("QueueName", "dead")]);
    let dead = door.service.queue("dead").unwrap();
    let policy = format!(r#"{{"deadLetterTargetArn":"{}","maxReceiveCount":"3"}}"#, dead.arn());
    let attribute = [("Attribute.1.Name", "RedrivePolicy"), ("Attribute.1.Value", &*policy)];
    door.ok("CreateQueue", &[&[("QueueName", "jobs")], &attribute[..]].concat());
    let jobs = door.service.queue("jobs").unwrap();
    jobs.send("m").unwrap();
    jobs.receive().blocking().unwrap()[0]
        .dead_letter("not an image")
        .unwrap();
    let url = format!("{URL}dead");
    let all = [
        ("QueueUrl", &*url),
        ("AttributeName.1", "All"),
        ("MessageAttributeName.1", "All"),
    ];
    let answer = door.ok("ReceiveMessage", &all).outline();
    assert!(answer.contains("Body=m") && !answer.contains("image"), "{answer}");
}
