//! The native door.

use {
    super::door::{
        Answer, Attribute, BatchAnswer, Door, Failure, House, MoveTask, Poll, Queue, QueueDoor, Received, Receiving,
        Refusal, Sent,
    },
    crate::common::secs,
    requeue::{
        ChangeVisibilityError, CreateQueueError, DeleteError, Message, MoveTaskError, ParseReceiptHandleError,
        PurgeError, QueueAttributes, ReceiptHandle, ReceiveError, RedrivePolicy, SendBatchEntry, SendBatchError,
        SendError, SendMessage, Service, SetQueueAttributesError, StartMessageMoveTask,
    },
    std::sync::Arc,
};

pub(crate) fn house() -> House {
    House::new(Service::clone)
}

macro_rules! from_errors {
    ($($error:ident)+) => {$(
        impl From<$error> for Refusal {
            fn from(error: $error) -> Self {
                Self { code: error.code().to_owned(), text: error.to_string() }
            }
        }
    )+};
}
from_errors! {
    ChangeVisibilityError CreateQueueError DeleteError MoveTaskError ParseReceiptHandleError PurgeError ReceiveError
    SendBatchError SendError SetQueueAttributesError
}

fn typed(attributes: Vec<Attribute>) -> QueueAttributes {
    attributes
        .into_iter()
        .fold(QueueAttributes::new(), |typed, attribute| match attribute {
            Attribute::ContentBasedDeduplication(enabled) => typed.content_based_deduplication(enabled),
            Attribute::DeduplicationScope(scope) => typed.deduplication_scope(scope),
            Attribute::DelaySeconds(delay) => typed.delay(secs(delay)),
            Attribute::FifoQueue(fifo) => typed.fifo_queue(fifo),
            Attribute::MaximumMessageSize(bytes) => typed.maximum_message_size(bytes),
            Attribute::MessageRetentionPeriod(period) => typed.message_retention_period(secs(period)),
            Attribute::RedrivePolicy(target, count) => typed.redrive_policy(RedrivePolicy::new(target, count)),
            Attribute::VisibilityTimeout(timeout) => typed.visibility_timeout(secs(timeout)),
        })
}

impl Door for Service {
    fn has_digests(&self) -> bool {
        false
    }

    fn create_queue(&self, name: &str, attributes: Vec<Attribute>) -> Answer<Queue> {
        Ok(Arc::new(Self::create_queue(self, name, typed(attributes))?))
    }

    fn start_move_task(&self, source: &str, destination: Option<&str>, rate: Option<u32>) -> Answer<String> {
        let mut start = StartMessageMoveTask::new(source);
        if let Some(destination) = destination {
            start = start.destination_arn(destination);
        }
        if let Some(rate) = rate {
            start = start.max_messages_per_second(rate);
        }
        Ok(self.start_message_move_task(&start)?.to_string())
    }

    fn cancel_move_task(&self, handle: &str) -> Answer<u64> {
        Ok(self.cancel_message_move_task(handle)?)
    }

    fn newest_move_task(&self, source: &str) -> MoveTask {
        let task = self.list_message_move_tasks(source, None).unwrap().remove(0);
        MoveTask {
            handle: task.task_handle.map(|handle| handle.to_string()),
            status: task.status.to_string(),
            moved: task.approximate_number_of_messages_moved,
            failure: task.failure_reason.map(|reason| reason.to_string()),
        }
    }
}

impl QueueDoor for requeue::Queue {
    fn url(&self) -> String {
        Self::url(self).to_owned()
    }

    fn arn(&self) -> String {
        Self::arn(self).to_owned()
    }

    fn send_message(&self, message: SendMessage) -> Answer<Sent> {
        let sent = self.send(message)?;
        Ok(Sent {
            message_id: sent.message_id.to_string(),
            sequence_number: sent.sequence_number.map(|number| number.to_string()),
        })
    }

    fn send_message_batch(&self, entries: Vec<(String, SendMessage)>) -> Answer<BatchAnswer> {
        let entries = entries
            .into_iter()
            .map(|(id, message)| SendBatchEntry::new(id, message));
        let result = self.send_batch(entries)?;
        let failed = result.failed.into_iter().map(|failure| Failure {
            id: failure.id.into_owned(),
            sender_fault: failure.sender_fault,
            refusal: Refusal {
                code: failure.code.to_owned(),
                text: failure.message,
            },
        });
        let successful = result.successful.into_iter().map(|success| success.id.into_owned());
        Ok(BatchAnswer {
            successful: successful.collect(),
            failed: failed.collect(),
        })
    }

    fn receive_message(&self, poll: Poll) -> Receiving<'_> {
        let receive = self
            .receive()
            .max_messages(poll.max_messages)
            .wait_time(secs(poll.wait_time));
        let mut receive = receive.message_attribute_names(poll.attribute_names);
        if let Some(timeout) = poll.visibility_timeout {
            receive = receive.visibility_timeout(secs(timeout));
        }
        Box::pin(async { Ok(receive.await?.iter().map(received).collect()) })
    }

    fn delete(&self, handle: &str) -> Answer<()> {
        Ok(Self::delete(self, &handle.parse::<ReceiptHandle>()?)?)
    }

    fn change_visibility(&self, handle: &str, timeout: u64) -> Answer<()> {
        Ok(Self::change_visibility(
            self,
            &handle.parse::<ReceiptHandle>()?,
            secs(timeout),
        )?)
    }

    fn purge(&self) -> Answer<()> {
        Ok(Self::purge(self)?)
    }

    fn set_attributes(&self, attributes: Vec<Attribute>) -> Answer<()> {
        Ok(Self::set_attributes(self, typed(attributes))?)
    }

    fn counts(&self) -> [usize; 3] {
        crate::common::counts(self)
    }
}

fn received(message: &Message) -> Received {
    Received {
        body: message.body().to_owned(),
        message_id: message.message_id().to_string(),
        handle: message.receipt_handle().to_string(),
        receive_count: message.approximate_receive_count(),
        group_id: message.message_group_id().map(str::to_owned),
        sequence_number: message.sequence_number().map(|number| number.to_string()),
        dead_letter_source: message.dead_letter_queue_source_arn().map(str::to_owned),
        attribute_names: message.attributes().iter().map(|(name, _)| name.to_owned()).collect(),
        digest: None,
    }
}
