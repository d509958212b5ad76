//! An embedded queue whose sends fail by a script.

use {
    super::forward::forward,
    requeue::{
        Queue, SendMessage,
        backend::{ErrorKind, MessageQueue, MessageQueueError},
    },
    std::{
        collections::VecDeque,
        future,
        sync::{Arc, Mutex},
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
    forward!(self.queue: url is_fifo visibility_timeout clock receive delete change_visibility counts limits restores_receive_count release postpone dead_letter);

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
}
