//! What a worker asks of a queue: the embedded queue and Amazon SQS behind one trait. Feature `worker`.
//!
//! [`MessageQueue`] is implemented by [`Queue`](crate::Queue) and, with the feature `worker-sqs`, by `SqsQueue`. The
//! modules [`worker`](crate::worker), `schedule` and [`request`](crate::request) work on any of them.

mod backoff;
mod embedded;
mod error;
pub(crate) mod limits;
mod load;
mod message_queue;
mod offloaded;
mod outage;
mod queue_set;
mod received;
mod retries;
mod running;
mod shares;
#[cfg(feature = "worker-sqs")]
mod sqs;
pub(crate) mod timing;

pub use crate::error::ErrorKind;
#[cfg(feature = "testing")]
pub(crate) use embedded::{each, receive_from};
#[cfg(feature = "payloads")]
pub(crate) use load::load_bodies;
#[cfg(feature = "payloads")]
pub(crate) use offloaded::{Offloaded, Payload};
#[cfg(any(feature = "metrics", feature = "tracing"))]
pub(crate) use queue_set::queue_name;
#[cfg(feature = "worker-sqs")]
pub use sqs::SqsQueue;
pub use {
    backoff::Backoff,
    error::{EntryFailure, MessageQueueError, QueueSetError},
    limits::QueueLimits,
    message_queue::{Loaded, MessageCounts, MessageQueue, ReceiveRequest},
    queue_set::QueueSet,
    received::{MessageParts, ReceivedMessage},
    running::{Handle, Running},
};
pub(crate) use {
    retries::Retries,
    running::{ThreadWrapper, sealed},
};
