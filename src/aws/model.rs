//! The API model of SQS: the members of every request, answer and entry, in the model's own order.

use {
    super::{
        fault::Fault,
        shape::{Blob, Flattened, Kind, Member, Shape, Wire, members, put, structures, take},
        value::{Members, Value},
    },
    std::{borrow::Cow, collections::BTreeMap},
};

type Texts = BTreeMap<String, String>;

structures! {
    AddPermissionRequest {
        queue_url: String = "QueueUrl",
        label: String = "Label",
        aws_account_ids: Vec<String> = "AWSAccountIds" ("AWSAccountId"),
        actions: Vec<String> = "Actions" ("ActionName"),
    }
    CancelMessageMoveTaskRequest {
        task_handle: String = "TaskHandle",
    }
    CancelMessageMoveTaskResult {
        approximate_number_of_messages_moved: i64 = "ApproximateNumberOfMessagesMoved",
    }
    ChangeMessageVisibilityRequest {
        queue_url: String = "QueueUrl",
        receipt_handle: String = "ReceiptHandle",
        visibility_timeout: i64 = "VisibilityTimeout",
    }
    ChangeMessageVisibilityBatchRequest {
        queue_url: String = "QueueUrl",
        entries: Vec<ChangeMessageVisibilityBatchRequestEntry> =
            "Entries" ("ChangeMessageVisibilityBatchRequestEntry"),
    }
    ChangeMessageVisibilityBatchRequestEntry {
        id: Option<String> = "Id",
        receipt_handle: Option<String> = "ReceiptHandle",
        visibility_timeout: Option<i64> = "VisibilityTimeout",
    }
    ChangeMessageVisibilityBatchResult {
        successful: Vec<ChangeMessageVisibilityBatchResultEntry> =
            "Successful" ("ChangeMessageVisibilityBatchResultEntry"),
        failed: Vec<BatchResultErrorEntry> = "Failed" ("BatchResultErrorEntry"),
    }
    ChangeMessageVisibilityBatchResultEntry {
        id: String = "Id",
    }
    CreateQueueRequest {
        queue_name: String = "QueueName",
        attributes: Texts = "Attributes" ("Attribute", "Name", "Value"),
        tags: Texts = "tags" ("Tag", "Key", "Value"),
    }
    CreateQueueResult {
        queue_url: String = "QueueUrl",
    }
    DeleteMessageRequest {
        queue_url: String = "QueueUrl",
        receipt_handle: String = "ReceiptHandle",
    }
    DeleteMessageBatchRequest {
        queue_url: String = "QueueUrl",
        entries: Vec<DeleteMessageBatchRequestEntry> = "Entries" ("DeleteMessageBatchRequestEntry"),
    }
    DeleteMessageBatchRequestEntry {
        id: Option<String> = "Id",
        receipt_handle: Option<String> = "ReceiptHandle",
    }
    DeleteMessageBatchResult {
        successful: Vec<DeleteMessageBatchResultEntry> = "Successful" ("DeleteMessageBatchResultEntry"),
        failed: Vec<BatchResultErrorEntry> = "Failed" ("BatchResultErrorEntry"),
    }
    DeleteMessageBatchResultEntry {
        id: String = "Id",
    }
    DeleteQueueRequest {
        queue_url: String = "QueueUrl",
    }
    GetQueueAttributesRequest {
        queue_url: String = "QueueUrl",
        attribute_names: Vec<String> = "AttributeNames" ("AttributeName"),
    }
    GetQueueAttributesResult {
        attributes: Texts = "Attributes" ("Attribute", "Name", "Value"),
    }
    GetQueueUrlRequest {
        queue_name: String = "QueueName",
        queue_owner_aws_account_id: Option<String> = "QueueOwnerAWSAccountId",
    }
    GetQueueUrlResult {
        queue_url: String = "QueueUrl",
    }
    ListDeadLetterSourceQueuesRequest {
        queue_url: String = "QueueUrl",
        next_token: Option<String> = "NextToken",
        max_results: Option<i64> = "MaxResults",
    }
    ListDeadLetterSourceQueuesResult {
        queue_urls: Option<Vec<String>> = "queueUrls" ("QueueUrl"),
        next_token: Option<String> = "NextToken",
    }
    ListMessageMoveTasksRequest {
        source_arn: String = "SourceArn",
        max_results: Option<i64> = "MaxResults",
    }
    ListMessageMoveTasksResult {
        results: Vec<ListMessageMoveTasksResultEntry> = "Results" ("ListMessageMoveTasksResultEntry"),
    }
    ListMessageMoveTasksResultEntry {
        task_handle: Option<String> = "TaskHandle",
        status: String = "Status",
        source_arn: String = "SourceArn",
        destination_arn: Option<String> = "DestinationArn",
        max_number_of_messages_per_second: Option<i64> = "MaxNumberOfMessagesPerSecond",
        approximate_number_of_messages_moved: i64 = "ApproximateNumberOfMessagesMoved",
        approximate_number_of_messages_to_move: i64 = "ApproximateNumberOfMessagesToMove",
        failure_reason: Option<String> = "FailureReason",
        started_timestamp: i64 = "StartedTimestamp",
    }
    ListQueueTagsRequest {
        queue_url: String = "QueueUrl",
    }
    ListQueueTagsResult {
        tags: Texts = "Tags" ("Tag", "Key", "Value"),
    }
    ListQueuesRequest {
        queue_name_prefix: Option<String> = "QueueNamePrefix",
        next_token: Option<String> = "NextToken",
        max_results: Option<i64> = "MaxResults",
    }
    ListQueuesResult {
        queue_urls: Vec<String> = "QueueUrls" ("QueueUrl"),
        next_token: Option<String> = "NextToken",
    }
    PurgeQueueRequest {
        queue_url: String = "QueueUrl",
    }
    ReceiveMessageRequest {
        queue_url: String = "QueueUrl",
        attribute_names: Vec<String> = "AttributeNames" ("AttributeName"),
        message_system_attribute_names: Vec<String> =
            "MessageSystemAttributeNames" ("MessageSystemAttributeName"),
        message_attribute_names: Vec<String> = "MessageAttributeNames" ("MessageAttributeName"),
        max_number_of_messages: Option<i64> = "MaxNumberOfMessages",
        visibility_timeout: Option<i64> = "VisibilityTimeout",
        wait_time_seconds: Option<i64> = "WaitTimeSeconds",
        receive_request_attempt_id: Option<String> = "ReceiveRequestAttemptId",
    }
    ReceiveMessageResult {
        messages: Vec<Message> = "Messages" ("Message"),
    }
    Message {
        message_id: String = "MessageId",
        receipt_handle: String = "ReceiptHandle",
        md5_of_body: String = "MD5OfBody",
        body: String = "Body",
        attributes: Texts = "Attributes" ("Attribute", "Name", "Value"),
        md5_of_message_attributes: Option<String> = "MD5OfMessageAttributes",
        message_attributes: BTreeMap<String, MessageAttributeValue> =
            "MessageAttributes" ("MessageAttribute", "Name", "Value"),
    }
    RemovePermissionRequest {
        queue_url: String = "QueueUrl",
        label: String = "Label",
    }
    SendMessageRequest {
        queue_url: String = "QueueUrl",
        message_body: String = "MessageBody",
        delay_seconds: Option<i64> = "DelaySeconds",
        message_attributes: BTreeMap<String, MessageAttributeValue> =
            "MessageAttributes" ("MessageAttribute", "Name", "Value"),
        message_system_attributes: BTreeMap<String, MessageAttributeValue> =
            "MessageSystemAttributes" ("MessageSystemAttribute", "Name", "Value"),
        message_deduplication_id: Option<String> = "MessageDeduplicationId",
        message_group_id: Option<String> = "MessageGroupId",
    }
    SendMessageResult {
        md5_of_message_body: String = "MD5OfMessageBody",
        md5_of_message_attributes: Option<String> = "MD5OfMessageAttributes",
        md5_of_message_system_attributes: Option<String> = "MD5OfMessageSystemAttributes",
        message_id: String = "MessageId",
        sequence_number: Option<String> = "SequenceNumber",
    }
    SendMessageBatchRequest {
        queue_url: String = "QueueUrl",
        entries: Vec<SendMessageBatchRequestEntry> = "Entries" ("SendMessageBatchRequestEntry"),
    }
    SendMessageBatchRequestEntry {
        id: Option<String> = "Id",
        message_body: Option<String> = "MessageBody",
        delay_seconds: Option<i64> = "DelaySeconds",
        message_attributes: BTreeMap<String, MessageAttributeValue> =
            "MessageAttributes" ("MessageAttribute", "Name", "Value"),
        message_system_attributes: BTreeMap<String, MessageAttributeValue> =
            "MessageSystemAttributes" ("MessageSystemAttribute", "Name", "Value"),
        message_deduplication_id: Option<String> = "MessageDeduplicationId",
        message_group_id: Option<String> = "MessageGroupId",
    }
    SendMessageBatchResult {
        successful: Vec<SendMessageBatchResultEntry> = "Successful" ("SendMessageBatchResultEntry"),
        failed: Vec<BatchResultErrorEntry> = "Failed" ("BatchResultErrorEntry"),
    }
    SendMessageBatchResultEntry {
        id: String = "Id",
        message_id: String = "MessageId",
        md5_of_message_body: String = "MD5OfMessageBody",
        md5_of_message_attributes: Option<String> = "MD5OfMessageAttributes",
        md5_of_message_system_attributes: Option<String> = "MD5OfMessageSystemAttributes",
        sequence_number: Option<String> = "SequenceNumber",
    }
    SetQueueAttributesRequest {
        queue_url: String = "QueueUrl",
        attributes: Texts = "Attributes" ("Attribute", "Name", "Value"),
    }
    StartMessageMoveTaskRequest {
        source_arn: String = "SourceArn",
        destination_arn: Option<String> = "DestinationArn",
        max_number_of_messages_per_second: Option<i64> = "MaxNumberOfMessagesPerSecond",
    }
    StartMessageMoveTaskResult {
        task_handle: String = "TaskHandle",
    }
    TagQueueRequest {
        queue_url: String = "QueueUrl",
        tags: Texts = "Tags" ("Tag", "Key", "Value"),
    }
    UntagQueueRequest {
        queue_url: String = "QueueUrl",
        tag_keys: Vec<String> = "TagKeys" ("TagKey"),
    }
    BatchResultErrorEntry {
        id: String = "Id",
        sender_fault: bool = "SenderFault",
        code: Cow<'static, str> = "Code",
        message: String = "Message",
    }
    MessageAttributeValue {
        string_value: Option<String> = "StringValue",
        binary_value: Option<Blob> = "BinaryValue",
        string_list_values: Vec<String> = "StringListValues" ("StringListValue"),
        binary_list_values: Vec<Blob> = "BinaryListValues" ("BinaryListValue"),
        data_type: Option<String> = "DataType",
    }
}

/// What an action without output answers.
#[derive(Debug)]
pub(super) struct Nothing;

impl Wire for Nothing {
    const KIND: Kind = Kind::Structure(&Shape {
        #[cfg(test)]
        name: "Nothing",
        members: &[],
    });

    fn is_absent(&self) -> bool {
        true
    }

    fn decode(_: Value<'_>) -> Result<Self, Fault> {
        Ok(Self)
    }

    fn encode(self) -> Value<'static> {
        Value::Null
    }
}
