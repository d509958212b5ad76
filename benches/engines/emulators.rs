//! The engines, each with one standard queue.

use {
    rustack_sqs_core::{config::SqsConfig, provider::RustackSqs},
    rustack_sqs_model::input::{CreateQueueInput, DeleteMessageInput, ReceiveMessageInput, SendMessageInput},
    std::{collections::HashMap, hint::black_box},
    winterbaume_sqs::{InMemorySqsBackend, SqsBackend},
};

/// A queue of SQS that is called in process.
pub(crate) trait Engine: 'static {
    /// As it stands in the table.
    const NAME: &'static str;

    async fn open() -> Self;

    async fn send(&self, body: &str);

    /// Receives a message that is there, looks at its body, and answers its receipt handle.
    async fn receive(&self) -> String;

    async fn delete(&self, receipt_handle: String);
}

/// Nothing held comes back while the bench runs.
fn attributes() -> HashMap<String, String> {
    HashMap::from([("VisibilityTimeout".to_owned(), "43200".to_owned())])
}

pub(crate) struct Rustack {
    provider: RustackSqs,
    queue_url: String,
}

impl Engine for Rustack {
    const NAME: &'static str = "rustack-sqs-core";

    async fn open() -> Self {
        let provider = RustackSqs::new(SqsConfig::default());
        let input = CreateQueueInput {
            queue_name: "bench".to_owned(),
            attributes: attributes(),
            ..CreateQueueInput::default()
        };
        let created = provider.create_queue(input).await.expect("a legal queue");
        Self {
            provider,
            queue_url: created.queue_url.expect("a queue has a URL"),
        }
    }

    async fn send(&self, body: &str) {
        let input = SendMessageInput {
            queue_url: self.queue_url.clone(),
            message_body: body.to_owned(),
            ..SendMessageInput::default()
        };
        black_box(self.provider.send_message(input).await.expect("a legal message"));
    }

    async fn receive(&self) -> String {
        let input = ReceiveMessageInput {
            queue_url: self.queue_url.clone(),
            max_number_of_messages: Some(1),
            ..ReceiveMessageInput::default()
        };
        let mut received = self.provider.receive_message(input).await.expect("a legal receive");
        let message = received.messages.pop().expect("a message was sent");
        black_box(message.body.as_deref());
        message.receipt_handle.expect("a received message has a receipt handle")
    }

    async fn delete(&self, receipt_handle: String) {
        let input = DeleteMessageInput {
            queue_url: self.queue_url.clone(),
            receipt_handle,
        };
        self.provider.delete_message(input).await.expect("a message in flight");
    }
}

pub(crate) struct Winterbaume(InMemorySqsBackend);

const ACCOUNT: &str = "123456789012";
const REGION: &str = "us-east-1";
const QUEUE: &str = "bench";

impl Engine for Winterbaume {
    const NAME: &'static str = "winterbaume-sqs";

    async fn open() -> Self {
        let backend = InMemorySqsBackend::new();
        let created = backend.create_queue(ACCOUNT.into(), REGION.into(), QUEUE.into(), attributes(), None);
        created.await.expect("a legal queue");
        Self(backend)
    }

    async fn send(&self, body: &str) {
        let (account, region, queue) = (ACCOUNT.into(), REGION.into(), QUEUE.into());
        let sent = self
            .0
            .send_message(account, region, queue, body.into(), None, HashMap::new(), None, None);
        black_box(sent.await.expect("a legal message"));
    }

    async fn receive(&self) -> String {
        let received = self
            .0
            .receive_messages(ACCOUNT.into(), REGION.into(), QUEUE.into(), 1, None);
        let message = received.await.expect("a legal receive").pop();
        let message = message.expect("a message was sent");
        black_box(message.body.as_str());
        message.receipt_handle.expect("a received message has a receipt handle")
    }

    async fn delete(&self, receipt_handle: String) {
        let deleted = self
            .0
            .delete_message(ACCOUNT.into(), REGION.into(), QUEUE.into(), receipt_handle);
        deleted.await.expect("a message in flight");
    }
}
