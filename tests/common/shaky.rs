//! An embedded queue whose sends fail by a script.

use {
    requeue::{
        Clock, Queue, SendMessage,
        backend::{
            EntryFailure, ErrorKind, MessageCounts, MessageQueue, MessageQueueError, QueueLimits, ReceiveRequest,
            ReceivedMessage,
        },
    },
    std::{
        collections::VecDeque,
        future,
        sync::{Arc, Mutex},
        time::Duration,
    },
};

#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// The send fails and stores nothing.
    Fails(ErrorKind),
    /// The message is stored, and the answer never comes.
    LosesAnswer,
    /// Nothing is stored, and no answer comes.
    Hangs,
}

#[derive(Clone)]
pub(crate) struct Shaky {
    pub(crate) queue: Queue,
    faults: Arc<Mutex<VecDeque<Fault>>>,
}

impl Shaky {
    pub(crate) fn new(queue: &Queue) -> Self {
        Self {
            queue: queue.clone(),
            faults: Arc::default(),
        }
    }

    /// The next sends go wrong like this.
    pub(crate) fn break_next(&self, faults: impl IntoIterator<Item = Fault>) {
        self.faults.lock().unwrap().extend(faults);
    }
}

pub(crate) fn error(kind: ErrorKind) -> MessageQueueError {
    MessageQueueError::new(kind, "Broken", "as told")
}

impl MessageQueue for Shaky {
    fn url(&self) -> &str {
        self.queue.url()
    }

    fn is_fifo(&self) -> bool {
        self.queue.is_fifo()
    }

    fn visibility_timeout(&self) -> Duration {
        MessageQueue::visibility_timeout(&self.queue)
    }

    fn clock(&self) -> Arc<dyn Clock> {
        MessageQueue::clock(&self.queue)
    }

    async fn send(&self, message: SendMessage) -> Result<(), MessageQueueError> {
        let fault = self.faults.lock().unwrap().pop_front();
        match fault {
            None => MessageQueue::send(&self.queue, message).await,
            Some(Fault::Fails(kind)) => Err(error(kind)),
            Some(Fault::Hangs) => future::pending().await,
            Some(Fault::LosesAnswer) => {
                MessageQueue::send(&self.queue, message).await?;
                future::pending().await
            }
        }
    }

    async fn receive(&self, request: ReceiveRequest) -> Result<Vec<ReceivedMessage>, MessageQueueError> {
        MessageQueue::receive(&self.queue, request).await
    }

    async fn delete(&self, messages: &[ReceivedMessage]) -> Result<Vec<EntryFailure>, MessageQueueError> {
        MessageQueue::delete(&self.queue, messages).await
    }

    async fn change_visibility(
        &self,
        messages: &[ReceivedMessage],
        timeout: Duration,
    ) -> Result<Vec<EntryFailure>, MessageQueueError> {
        MessageQueue::change_visibility(&self.queue, messages, timeout).await
    }

    async fn counts(&self) -> Result<MessageCounts, MessageQueueError> {
        MessageQueue::counts(&self.queue).await
    }

    fn limits(&self) -> QueueLimits {
        MessageQueue::limits(&self.queue)
    }

    fn restores_receive_count(&self) -> bool {
        true
    }

    async fn release(&self, messages: &[ReceivedMessage]) -> Result<Vec<EntryFailure>, MessageQueueError> {
        MessageQueue::release(&self.queue, messages).await
    }

    async fn postpone(
        &self,
        messages: &[ReceivedMessage],
        delay: Duration,
    ) -> Result<Vec<EntryFailure>, MessageQueueError> {
        MessageQueue::postpone(&self.queue, messages, delay).await
    }

    async fn dead_letter(&self, message: &ReceivedMessage, reason: &str) -> Result<(), MessageQueueError> {
        MessageQueue::dead_letter(&self.queue, message, reason).await
    }
}
