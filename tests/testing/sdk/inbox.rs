//! What the consumers of these tests do with a client.

use {
    aws_sdk_sqs::{Client, Error, config::retry::RetryConfig, types::Message},
    requeue::testing::Context,
};

/// One queue, by an SDK's client.
#[derive(Clone)]
pub(crate) struct Inbox {
    pub(crate) sqs: Client,
    pub(crate) url: String,
}

impl Inbox {
    pub(crate) async fn open(context: &Context, queue: &str) -> Self {
        Self::with(Client::new(&context.sdk_config()), queue).await
    }

    /// Its client makes one attempt.
    pub(crate) async fn without_retries(context: &Context, queue: &str) -> Self {
        let config = context.sdk_config().into_builder();
        let config = config.retry_config(RetryConfig::disabled()).build();
        Self::with(Client::new(&config), queue).await
    }

    async fn with(sqs: Client, queue: &str) -> Self {
        let found = sqs.get_queue_url().queue_name(queue).send().await;
        let url = found.expect("the check has the queue").queue_url;
        let url = url.expect("every queue has a URL");
        Self { sqs, url }
    }

    /// A long poll for up to ten messages; none if it fails.
    pub(crate) async fn receive(&self) -> Vec<Message> {
        let receive = self.sqs.receive_message().queue_url(&self.url);
        let received = receive.max_number_of_messages(10).wait_time_seconds(20).send().await;
        received.ok().and_then(|it| it.messages).unwrap_or_default()
    }

    /// Deletes all that comes, for ever.
    pub(crate) async fn drain(&self) {
        loop {
            for message in self.receive().await {
                let _ = self.delete(&message).await;
            }
        }
    }

    pub(crate) async fn send(&self, body: &str) -> Result<(), Error> {
        let send = self.sqs.send_message().queue_url(&self.url);
        send.message_body(body).send().await?;
        Ok(())
    }

    /// To a FIFO queue, under an id.
    pub(crate) async fn send_once(&self, body: &str, id: &str) -> Result<(), Error> {
        let send = self.sqs.send_message().queue_url(&self.url);
        let send = send
            .message_body(body)
            .message_group_id("all")
            .message_deduplication_id(id);
        send.send().await?;
        Ok(())
    }

    pub(crate) async fn delete(&self, message: &Message) -> Result<(), Error> {
        let delete = self.sqs.delete_message().queue_url(&self.url);
        delete.set_receipt_handle(message.receipt_handle.clone()).send().await?;
        Ok(())
    }

    pub(crate) async fn hide(&self, message: &Message, seconds: i32) -> Result<(), Error> {
        let change = self.sqs.change_message_visibility().queue_url(&self.url);
        let change = change.set_receipt_handle(message.receipt_handle.clone());
        change.visibility_timeout(seconds).send().await?;
        Ok(())
    }
}

pub(crate) fn body(message: &Message) -> String {
    message.body.clone().unwrap_or_default()
}
