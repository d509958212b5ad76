//! Payloads: large bodies beside a queue (E1 to E10).

#[cfg(feature = "testing")]
mod conformance;
mod deletes;
mod directory;
mod receives;
mod runners;
mod sends;
#[cfg(all(feature = "aws-sdk", feature = "worker-sqs"))]
mod sqs;
mod stores;
mod sweeps;
mod troubles;

use {
    requeue::{
        ManualClock, Queue, SendMessage,
        backend::{MessageQueue, MessageQueueError, ReceiveRequest, ReceivedMessage},
        payloads::{PayloadQueue, PayloadQueueBuilder},
    },
    stores::Troubled,
};

/// Larger than the default threshold.
const LARGE: usize = 300_000;

fn large() -> String {
    "x".repeat(LARGE)
}

/// A queue in virtual time with a store of its own.
struct Bench {
    clock: ManualClock,
    queue: Queue,
    store: Troubled,
    payloads: PayloadQueue<Queue, Troubled>,
}

impl Bench {
    fn new() -> Self {
        Self::with(|queue| queue, |builder| builder)
    }

    fn with(
        queue: impl FnOnce(requeue::QueueBuilder) -> requeue::QueueBuilder,
        options: impl FnOnce(PayloadQueueBuilder<Queue, Troubled>) -> PayloadQueueBuilder<Queue, Troubled>,
    ) -> Self {
        let clock = ManualClock::default();
        Self::over(
            queue(Queue::standard("jobs").clock(clock.clone())).build().unwrap(),
            clock,
            options,
        )
    }

    /// With a dead-letter queue, after so many receives.
    fn with_dead_letters(max_receive_count: u32) -> (Self, Queue) {
        let clock = ManualClock::default();
        let failed = Queue::standard("failed").clock(clock.clone()).build().unwrap();
        let queue = Queue::standard("jobs")
            .clock(clock.clone())
            .dead_letter(&failed, max_receive_count);
        (Self::over(queue.build().unwrap(), clock, |builder| builder), failed)
    }

    fn fifo() -> Self {
        let clock = ManualClock::default();
        let queue = Queue::fifo("jobs.fifo")
            .clock(clock.clone())
            .content_based_deduplication(true);
        Self::over(queue.build().unwrap(), clock, |builder| builder)
    }

    fn over(
        queue: Queue,
        clock: ManualClock,
        options: impl FnOnce(PayloadQueueBuilder<Queue, Troubled>) -> PayloadQueueBuilder<Queue, Troubled>,
    ) -> Self {
        let store = Troubled::new();
        let builder = PayloadQueue::builder(&queue, store.clone()).prefix("jobs/").seed(7);
        let payloads = options(builder).build().unwrap();
        Self {
            clock,
            queue,
            store,
            payloads,
        }
    }

    fn send(&self, message: impl Into<SendMessage>) -> Result<(), MessageQueueError> {
        pollster::block_on(self.payloads.send(message.into()))
    }

    fn receive(&self) -> Result<Vec<ReceivedMessage>, MessageQueueError> {
        pollster::block_on(self.payloads.receive(ReceiveRequest::new(10)))
    }

    fn receive_without_bodies(&self) -> Vec<ReceivedMessage> {
        let request = ReceiveRequest::new(10).load_bodies(false);
        pollster::block_on(self.payloads.receive(request)).unwrap()
    }

    fn delete(&self, messages: &[ReceivedMessage]) {
        let failed = pollster::block_on(self.payloads.delete(messages)).unwrap();
        assert!(failed.is_empty(), "{failed:?}");
    }

    /// The bodies as the queue has them.
    fn stored(&self) -> Vec<String> {
        let messages = self.queue.snapshot().messages;
        messages
            .iter()
            .map(|message| message.content.body().to_string())
            .collect()
    }
}
