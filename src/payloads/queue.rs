//! The payload queue as a [`MessageQueue`].

use {
    super::{
        PayloadQueue,
        pointer::{payload_of, without_reserved},
        store::PayloadStore,
    },
    crate::{
        backend::{
            EntryFailure, Loaded, MessageCounts, MessageQueue, MessageQueueError, Offloaded, QueueLimits,
            ReceiveRequest, ReceivedMessage, load_bodies, timing::latency_margin,
        },
        clock::Clock,
        message::SendMessage,
        time::Timestamp,
    },
    std::{borrow::Cow, sync::Arc, time::Duration},
};

impl<Q: MessageQueue, S: PayloadStore> MessageQueue for PayloadQueue<Q, S> {
    fn url(&self) -> &str {
        self.queue().url()
    }

    fn is_fifo(&self) -> bool {
        self.queue().is_fifo()
    }

    fn visibility_timeout(&self) -> Duration {
        self.queue().visibility_timeout()
    }

    fn clock(&self) -> Arc<dyn Clock> {
        self.queue().clock()
    }

    fn is_in_process(&self) -> bool {
        self.queue().is_in_process()
    }

    fn limits(&self) -> QueueLimits {
        self.queue().limits()
    }

    fn restores_receive_count(&self) -> bool {
        self.queue().restores_receive_count()
    }

    /// Sends a message; a large body goes to the store before.
    ///
    /// On a FIFO queue a message with a payload and without a deduplication id gets the SHA-256 of its body, as with
    /// content-based deduplication: a pointer is new each time.
    async fn send(&self, message: SendMessage) -> Result<(), MessageQueueError> {
        self.send_whole(message).await
    }

    /// Receives messages; unless the request says otherwise, with their bodies.
    ///
    /// A message whose body cannot be loaded within half of the visibility timeout is left to that, and what follows it in
    /// its group is given back; the queue is told why by [`report_failure`](MessageQueue::report_failure). If that leaves
    /// none, the first reason is the error. A receive with bodies that is dropped leaves its messages hidden until their
    /// visibility timeout ends.
    async fn receive(&self, request: ReceiveRequest) -> Result<Vec<ReceivedMessage>, MessageQueueError> {
        let messages = self.queue().receive(request).await?;
        let until = self.held_until(&request);
        let messages = messages
            .into_iter()
            .map(|message| self.with_payload(message, until))
            .collect();
        if request.load_bodies {
            return load_bodies(self, &request, messages).await;
        }
        Ok(messages)
    }

    fn receive_at_once(&self, request: &ReceiveRequest, messages: &mut Vec<ReceivedMessage>) {
        if !request.load_bodies {
            let before = messages.len();
            self.queue().receive_at_once(request, messages);
            let received = messages.split_off(before);
            if !received.is_empty() {
                let until = self.held_until(request);
                messages.extend(received.into_iter().map(|message| self.with_payload(message, until)));
            }
        }
    }

    fn delete_at_once(&self, message: &ReceivedMessage) -> bool {
        message.offloaded().is_none() && self.queue().delete_at_once(message)
    }

    /// Deletes messages, and then their payloads.
    async fn delete(&self, messages: &[ReceivedMessage]) -> Result<Vec<EntryFailure>, MessageQueueError> {
        // A late delete is answered as if it had taken effect, also where the message is in another queue by now (D19).
        let failed = self.queue().delete(&stored(messages)).await?;
        if self.inner.options.delete_payloads {
            let now = self.clock().now();
            let deleted = offloaded_without(messages, &failed);
            let (held, late): (Vec<_>, Vec<_>) = deleted.partition(|it| it.is_held_at(now));
            self.count_orphans(late.len());
            let payloads = held.into_iter().filter_map(|it| it.payload.as_ref().ok());
            self.delete_payloads(payloads.map(|payload| &*payload.key)).await;
        }
        Ok(failed)
    }

    async fn change_visibility(
        &self,
        messages: &[ReceivedMessage],
        timeout: Duration,
    ) -> Result<Vec<EntryFailure>, MessageQueueError> {
        let asked = self.clock().now();
        let until = asked.saturating_add(timeout);
        let failed = self.queue().change_visibility(&stored(messages), timeout).await?;
        // Elsewhere the answer takes its time, for which `held_until` has a margin.
        let now = if self.is_in_process() {
            self.clock().now()
        } else {
            asked
        };
        offloaded_without(messages, &failed).for_each(|it| it.hold_until(now, until));
        Ok(failed)
    }

    async fn release(&self, messages: &[ReceivedMessage]) -> Result<Vec<EntryFailure>, MessageQueueError> {
        let_go(messages);
        self.queue().release(&stored(messages)).await
    }

    async fn postpone(
        &self,
        messages: &[ReceivedMessage],
        delay: Duration,
    ) -> Result<Vec<EntryFailure>, MessageQueueError> {
        let_go(messages);
        self.queue().postpone(&stored(messages), delay).await
    }

    async fn load(&self, message: &ReceivedMessage) -> Result<Loaded, MessageQueueError> {
        self.load_body(message).await
    }

    async fn counts(&self) -> Result<MessageCounts, MessageQueueError> {
        self.queue().counts().await
    }

    /// Moves the message with its pointer; the payload stays where it is (E9).
    async fn dead_letter(&self, message: &ReceivedMessage, reason: &str) -> Result<(), MessageQueueError> {
        // On Amazon SQS a move that failed may have left a copy in the dead-letter queue, whose payload this is too.
        let_go(std::slice::from_ref(message));
        self.queue().dead_letter(message.stored(), reason).await
    }

    fn report_failure(&self, message: &ReceivedMessage, reason: &str) {
        self.queue().report_failure(message.stored(), reason);
    }
}

/// Notes that messages are not held any more.
fn let_go(messages: &[ReceivedMessage]) {
    offloaded_without(messages, &[]).for_each(Offloaded::let_go);
}

/// What has a payload of the messages that a call did not fail for.
fn offloaded_without<'m>(
    messages: &'m [ReceivedMessage],
    failed: &[EntryFailure],
) -> impl Iterator<Item = &'m Offloaded> {
    let failed = move |index| failed.iter().any(|failure| failure.index == index);
    let messages = messages.iter().enumerate().filter(move |(index, _)| !failed(*index));
    messages.filter_map(|(_, message)| message.offloaded())
}

/// The messages as the queue has them.
fn stored(messages: &[ReceivedMessage]) -> Cow<'_, [ReceivedMessage]> {
    if messages.iter().all(|message| message.offloaded().is_none()) {
        return Cow::Borrowed(messages);
    }
    Cow::Owned(messages.iter().map(|message| message.stored().clone()).collect())
}

impl<Q: MessageQueue, S: PayloadStore> PayloadQueue<Q, S> {
    /// Until when the messages of a receive that has just been answered are held, where they do not tell.
    fn held_until(&self, request: &ReceiveRequest) -> Timestamp {
        let timeout = request.visibility_timeout.unwrap_or_else(|| self.visibility_timeout());
        // The answer of a queue elsewhere comes later than its message was hidden.
        let margin = if self.is_in_process() {
            Duration::ZERO
        } else {
            latency_margin(timeout)
        };
        self.clock().now().saturating_add(timeout.saturating_sub(margin))
    }

    /// A received message, with its payload if it has one.
    fn with_payload(&self, mut message: ReceivedMessage, held_until: Timestamp) -> ReceivedMessage {
        let inner = &*self.inner;
        let Some(payload) = payload_of(&message, inner.keys.space(), inner.store.bucket()) else {
            return message;
        };
        if message.queue_url().is_empty() {
            message.set_queue_url(&self.url().into());
        }
        let held_until = message.invisible_until().unwrap_or(held_until);
        let attributes = without_reserved(message.attributes());
        message.with_payload(Offloaded::new(attributes, payload.map_err(Into::into), held_until))
    }
}
