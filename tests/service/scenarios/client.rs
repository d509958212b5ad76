//! The door of the AWS SDK: an unmodified client.

use {
    super::door::{
        Answer, Attribute, BatchAnswer, Door, Failure, House, MoveTask, Poll, Queue, QueueDoor, Received, Receiving,
        Refusal, Sent,
    },
    crate::common::now,
    aws_sdk_sqs::{
        Client,
        error::{ProvideErrorMetadata, SdkError},
        operation::{receive_message::ReceiveMessageOutput, send_message::builders::SendMessageFluentBuilder},
        types::{
            Message, MessageAttributeValue, MessageSystemAttributeName, QueueAttributeName,
            SendMessageBatchRequestEntry,
        },
    },
    aws_smithy_runtime_api::client::orchestrator::HttpResponse,
    requeue::SendMessage,
    std::{collections::HashMap, sync::Arc},
};

pub(crate) fn house() -> House {
    House::new(|service| Client::new(&service.sdk_config()))
}

/// What SQS calls an error in its texts, and the HTTP status it comes with, by the code that the client shows.
fn known(code: &str) -> (&str, u16) {
    match code {
        "AWS.SimpleQueueService.BatchRequestTooLong" => ("BatchRequestTooLong", 400),
        "AWS.SimpleQueueService.PurgeQueueInProgress" => ("PurgeQueueInProgress", 403),
        "AWS.SimpleQueueService.TooManyEntriesInBatchRequest" => ("TooManyEntriesInBatchRequest", 400),
        "InvalidParameterValue" => ("InvalidParameterValue", 400),
        "QueueAlreadyExists" => ("QueueNameExists", 400),
        "ReceiptHandleIsInvalid" => ("ReceiptHandleIsInvalid", 404),
        code => panic!("no scenario is refused with {code}"),
    }
}

impl<E: ProvideErrorMetadata> From<SdkError<E, HttpResponse>> for Refusal {
    fn from(error: SdkError<E, HttpResponse>) -> Self {
        let answered = error.raw_response().expect("an answer").status().as_u16();
        let (code, status) = known(error.code().expect("an error has a code"));
        assert_eq!(answered, status, "{code}");
        Self {
            code: code.to_owned(),
            text: error.message().unwrap_or_default().to_owned(),
        }
    }
}

fn spoken(attributes: Vec<Attribute>) -> HashMap<QueueAttributeName, String> {
    use QueueAttributeName as Name;
    let spoken = |attribute| match attribute {
        Attribute::ContentBasedDeduplication(enabled) => (Name::ContentBasedDeduplication, enabled.to_string()),
        Attribute::DeduplicationScope(scope) => (Name::DeduplicationScope, scope.to_string()),
        Attribute::DelaySeconds(delay) => (Name::DelaySeconds, delay.to_string()),
        Attribute::FifoQueue(fifo) => (Name::FifoQueue, fifo.to_string()),
        Attribute::MaximumMessageSize(bytes) => (Name::MaximumMessageSize, bytes.to_string()),
        Attribute::MessageRetentionPeriod(period) => (Name::MessageRetentionPeriod, period.to_string()),
        Attribute::RedrivePolicy(target, count) => {
            let policy = format!(r#"{{"deadLetterTargetArn":"{target}","maxReceiveCount":{count}}}"#);
            (Name::RedrivePolicy, policy)
        }
        Attribute::VisibilityTimeout(timeout) => (Name::VisibilityTimeout, timeout.to_string()),
    };
    attributes.into_iter().map(spoken).collect()
}

impl Door for Client {
    fn has_digests(&self) -> bool {
        true
    }

    fn create_queue(&self, name: &str, attributes: Vec<Attribute>) -> Answer<Queue> {
        let create = Self::create_queue(self).queue_name(name);
        let created = now(create.set_attributes(Some(spoken(attributes))).send())?;
        Ok(Arc::new(ClientQueue {
            client: self.clone(),
            url: created.queue_url.expect("a new queue has a URL"),
        }))
    }

    fn start_move_task(&self, source: &str, destination: Option<&str>, rate: Option<u32>) -> Answer<String> {
        let start = self.start_message_move_task().source_arn(source);
        let start = start.set_destination_arn(destination.map(str::to_owned));
        let start = start.set_max_number_of_messages_per_second(rate.map(|rate| rate as i32));
        Ok(now(start.send())?.task_handle.expect("a task has a handle"))
    }

    fn cancel_move_task(&self, handle: &str) -> Answer<u64> {
        let cancelled = now(self.cancel_message_move_task().task_handle(handle).send())?;
        Ok(cancelled.approximate_number_of_messages_moved as u64)
    }

    fn newest_move_task(&self, source: &str) -> MoveTask {
        let listed = now(self.list_message_move_tasks().source_arn(source).send()).unwrap();
        let task = listed.results.expect("a task was started").remove(0);
        MoveTask {
            handle: task.task_handle,
            status: task.status.expect("a task has a status"),
            moved: task.approximate_number_of_messages_moved as u64,
            failure: task.failure_reason,
        }
    }
}

struct ClientQueue {
    client: Client,
    url: String,
}

impl ClientQueue {
    fn attributes<const N: usize>(&self, names: [QueueAttributeName; N]) -> [String; N] {
        let get = self.client.get_queue_attributes().queue_url(&self.url);
        let found = now(get.set_attribute_names(Some(names.to_vec())).send()).unwrap();
        let mut found = found.attributes.expect("a queue has attributes");
        names.map(|name| found.remove(&name).expect("the attribute asked for"))
    }
}

impl QueueDoor for ClientQueue {
    fn url(&self) -> String {
        self.url.clone()
    }

    fn arn(&self) -> String {
        let [arn] = self.attributes([QueueAttributeName::QueueArn]);
        arn
    }

    fn send_message(&self, message: SendMessage) -> Answer<Sent> {
        let sent = now(single(self.client.send_message().queue_url(&self.url), &message).send())?;
        Ok(Sent {
            message_id: sent.message_id.expect("a message has an id"),
            sequence_number: sent.sequence_number,
        })
    }

    fn send_message_batch(&self, entries: Vec<(String, SendMessage)>) -> Answer<BatchAnswer> {
        let entries = entries.iter().map(|(id, message)| entry(id, message)).collect();
        let send = self.client.send_message_batch().queue_url(&self.url);
        let result = now(send.set_entries(Some(entries)).send())?;
        let failed = result.failed.into_iter().map(|failure| Failure {
            id: failure.id,
            sender_fault: failure.sender_fault,
            refusal: Refusal {
                code: known(&failure.code).0.to_owned(),
                text: failure.message.unwrap_or_default(),
            },
        });
        Ok(BatchAnswer {
            successful: result.successful.into_iter().map(|success| success.id).collect(),
            failed: failed.collect(),
        })
    }

    fn receive_message(&self, poll: Poll) -> Receiving<'_> {
        let receive = self.client.receive_message().queue_url(&self.url);
        let receive = receive
            .max_number_of_messages(poll.max_messages as i32)
            .wait_time_seconds(poll.wait_time as i32)
            .set_visibility_timeout(poll.visibility_timeout.map(|timeout| timeout as i32))
            .set_message_attribute_names(Some(poll.attribute_names))
            .message_system_attribute_names(MessageSystemAttributeName::All);
        Box::pin(async {
            let ReceiveMessageOutput { messages, .. } = receive.send().await?;
            Ok(messages.unwrap_or_default().into_iter().map(received).collect())
        })
    }

    fn delete(&self, handle: &str) -> Answer<()> {
        let delete = self.client.delete_message().queue_url(&self.url);
        now(delete.receipt_handle(handle).send())?;
        Ok(())
    }

    fn change_visibility(&self, handle: &str, timeout: u64) -> Answer<()> {
        let change = self.client.change_message_visibility().queue_url(&self.url);
        now(change.receipt_handle(handle).visibility_timeout(timeout as i32).send())?;
        Ok(())
    }

    fn purge(&self) -> Answer<()> {
        now(self.client.purge_queue().queue_url(&self.url).send())?;
        Ok(())
    }

    fn set_attributes(&self, attributes: Vec<Attribute>) -> Answer<()> {
        let set = self.client.set_queue_attributes().queue_url(&self.url);
        now(set.set_attributes(Some(spoken(attributes))).send())?;
        Ok(())
    }

    fn counts(&self) -> [usize; 3] {
        let counts = self.attributes([
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
            QueueAttributeName::ApproximateNumberOfMessagesDelayed,
        ]);
        counts.map(|count| count.parse().unwrap())
    }
}

fn delay(message: &SendMessage) -> Option<i32> {
    message.get_delay().map(|delay| delay.as_secs() as i32)
}

fn attributes(message: &SendMessage) -> Option<HashMap<String, MessageAttributeValue>> {
    let attributes = message.get_attributes();
    let spoken = attributes.iter().map(|(name, value)| {
        let spoken = MessageAttributeValue::builder().data_type(value.data_type());
        let text = value.string_value().expect("scenarios have no other attributes");
        (name.to_owned(), spoken.string_value(text).build().unwrap())
    });
    (!attributes.is_empty()).then(|| spoken.collect())
}

fn single(send: SendMessageFluentBuilder, message: &SendMessage) -> SendMessageFluentBuilder {
    send.message_body(message.body())
        .set_delay_seconds(delay(message))
        .set_message_attributes(attributes(message))
        .set_message_group_id(message.get_message_group_id().map(str::to_owned))
        .set_message_deduplication_id(message.get_message_deduplication_id().map(str::to_owned))
}

fn entry(id: &str, message: &SendMessage) -> SendMessageBatchRequestEntry {
    let entry = SendMessageBatchRequestEntry::builder()
        .id(id)
        .message_body(message.body());
    let entry = entry
        .set_delay_seconds(delay(message))
        .set_message_attributes(attributes(message))
        .set_message_group_id(message.get_message_group_id().map(str::to_owned))
        .set_message_deduplication_id(message.get_message_deduplication_id().map(str::to_owned));
    entry.build().unwrap()
}

fn received(message: Message) -> Received {
    use MessageSystemAttributeName as Name;
    let attribute = |name| message.attributes.as_ref()?.get(&name).cloned();
    let names = message
        .message_attributes
        .as_ref()
        .map(|attributes| attributes.keys().cloned());
    let mut attribute_names: Vec<_> = names.into_iter().flatten().collect();
    attribute_names.sort();
    Received {
        receive_count: attribute(Name::ApproximateReceiveCount).unwrap().parse().unwrap(),
        group_id: attribute(Name::MessageGroupId),
        sequence_number: attribute(Name::SequenceNumber),
        dead_letter_source: attribute(Name::DeadLetterQueueSourceArn),
        attribute_names,
        body: message.body.expect("a message has a body"),
        message_id: message.message_id.expect("a message has an id"),
        handle: message.receipt_handle.expect("a received message has a handle"),
        digest: message.md5_of_message_attributes,
    }
}
