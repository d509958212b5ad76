//! Bodies up to 2 GB beside a queue, as Amazon's extended client keeps them (E1-E10). Feature `payloads`.
//!
//! [`PayloadQueue`] is a [`MessageQueue`] around another, embedded or on Amazon SQS. A large body goes to a
//! [`PayloadStore`], and the message has a pointer to it, in the form that the clients for Java and Python read and write.
//! [The guide](crate::guide::payloads) begins with an example.
//!
//! ```text
//!   send --> large? --> store: put --> queue: send the pointer
//!   receive --> pointer? --> prefix, bucket --> load (before the handler) --> store: get --> size, checksum --> body
//!   delete --> queue: delete the message --> store: delete
//! ```
//!
//! A message is sent after its payload and deleted before it. What dies in between leaves a payload that no message points
//! to, and never a message without its payload; [`PayloadQueue::sweep`] finds such payloads.

mod builder;
mod error;
mod key;
mod measure;
mod objects;
mod pointer;
mod progress;
mod queue;
mod reading;
mod send;
mod store;
mod sweep;
mod unfinished;

pub use object_store;
pub use {
    builder::PayloadQueueBuilder,
    error::{BuildPayloadQueueError, PayloadStoreError},
    objects::ObjectPayloadStore,
    pointer::PointerFormat,
    reading::BodyStream,
    send::chunks_of,
    store::{PayloadChunks, PayloadStore, StoredPayload},
    sweep::{Sweep, SweepReport},
};

use {
    crate::backend::{Loaded, MessageQueue, MessageQueueError, Offloaded, Payload, ReceivedMessage},
    builder::Options,
    error::{PayloadStoreError as StoreError, invalid_pointer, is_gone},
    futures_util::future::join_all,
    key::Keys,
    progress::{StoreTimeout, contained},
    std::{
        fmt,
        sync::{
            Arc,
            atomic::{AtomicU64, Ordering},
        },
        time::Duration,
    },
};

/// The largest body of a message with a payload (E1).
const MAX_BODY_BYTES: u64 = 2 << 30;

/// How many bytes of a body are worked on before others have their turn.
const TURN: usize = 4 << 20;

/// How long the delete of a payload with its message may take.
const DELETE_TIMEOUT: Duration = Duration::from_secs(5);

/// A queue whose large bodies are in a store.
///
/// Its verbs are those of [`MessageQueue`]; a [`Runner`](crate::worker::Runner) works on it as on any other queue, and loads
/// a body just before it calls the handler. A handle: clones are the same queue.
///
/// # Examples
/// ```
/// use requeue::{Queue, SendMessage, backend::MessageQueue, worker::{Job, Runner}};
/// use requeue::payloads::{ObjectPayloadStore, PayloadQueue};
///
/// let jobs = Queue::standard("jobs").build()?;
/// let with_payloads = PayloadQueue::builder(&jobs, ObjectPayloadStore::in_memory()).build()?;
/// pollster::block_on(with_payloads.send(SendMessage::new("x".repeat(10_000_000))))?;
///
/// let runner = Runner::builder(&with_payloads).until_none_left().each(|job: &Job| {
///     assert_eq!(job.body().len(), 10_000_000);
///     Ok::<(), String>(())
/// })?;
/// assert_eq!(runner.blocking()?.succeeded, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct PayloadQueue<Q, S = ObjectPayloadStore> {
    inner: Arc<Inner<Q, S>>,
}

struct Inner<Q, S> {
    queue: Q,
    store: S,
    keys: Keys,
    timeout: StoreTimeout,
    options: Options,
    /// Payloads that could not be deleted.
    orphans: AtomicU64,
}

impl<Q: MessageQueue, S: PayloadStore> PayloadQueue<Q, S> {
    /// Begins a queue around `queue` whose large bodies are in `store`.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, payloads::{ObjectPayloadStore, PayloadQueue}};
    ///
    /// let jobs = Queue::standard("jobs").build()?;
    /// let jobs = PayloadQueue::builder(&jobs, ObjectPayloadStore::in_memory()).prefix("jobs/").build()?;
    /// assert_eq!(jobs.queue().name(), "jobs");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn builder(queue: &Q, store: S) -> PayloadQueueBuilder<Q, S>
    where
        Q: Clone,
    {
        PayloadQueueBuilder::new(queue.clone(), store)
    }

    /// The queue that has the messages, with pointers instead of large bodies.
    pub fn queue(&self) -> &Q {
        &self.inner.queue
    }

    /// The store of the payloads.
    pub fn store(&self) -> &S {
        &self.inner.store
    }

    /// How many payloads this handle and its clones left to a [`sweep`](Self::sweep): those of deleted messages, where the
    /// store failed or the message was not held any more, and those of sends that failed, where the message may be in the
    /// queue all the same.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Queue, payloads::{ObjectPayloadStore, PayloadQueue}};
    /// # let jobs = Queue::standard("jobs").build()?;
    /// let jobs = PayloadQueue::builder(&jobs, ObjectPayloadStore::in_memory()).build()?;
    /// assert_eq!(jobs.orphans(), 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn orphans(&self) -> u64 {
        self.inner.orphans.load(Ordering::Relaxed)
    }

    /// The body of a received message as a stream, so that it need not fit into memory.
    ///
    /// It works on every message that this queue has received: a body that is in the message is one chunk.
    ///
    /// # Errors
    /// The payload is gone, or the store cannot give it now, or the pointer is refused. That a payload is damaged shows at
    /// the end of the stream.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, SendMessage, backend::MessageQueue, worker::{Job, Runner}};
    /// use requeue::payloads::{ObjectPayloadStore, PayloadQueue};
    ///
    /// let jobs = PayloadQueue::builder(&Queue::standard("jobs").build()?, ObjectPayloadStore::in_memory());
    /// let jobs = jobs.load_at_most_bytes(1_000_000).build()?;
    /// pollster::block_on(jobs.send(SendMessage::new("x".repeat(10_000_000))))?;
    /// let opener = jobs.clone();
    /// let runner = Runner::builder(&jobs).until_none_left().each_async(move |job: Job| {
    ///     let jobs = opener.clone();
    ///     async move {
    ///         let body = jobs.open(&job).await?;
    ///         assert_eq!(body.copy_to(&mut std::io::sink()).await?, 10_000_000);
    ///         Ok::<(), requeue::backend::MessageQueueError>(())
    ///     }
    /// })?;
    /// assert_eq!(pollster::block_on(runner.run())?.succeeded, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn open(&self, message: &ReceivedMessage) -> Result<BodyStream, MessageQueueError> {
        match message.offloaded() {
            Some(offloaded) if !message.is_loaded() => self.open_payload(message, offloaded).await,
            _ => Ok(BodyStream::of_message(message)),
        }
    }

    async fn open_payload(
        &self,
        message: &ReceivedMessage,
        offloaded: &Offloaded,
    ) -> Result<BodyStream, MessageQueueError> {
        let payload = offloaded.payload.as_ref();
        let payload = payload.map_err(|why| invalid_pointer(&message.message_id(), why))?;
        let Inner { store, timeout, .. } = &*self.inner;
        let chunks = timeout.within(store.get(&payload.key)).await;
        let chunks = chunks.map_err(|error| error.of_payload("read", &payload.key))?;
        Ok(BodyStream::of_payload(
            message.clone(),
            timeout.each(chunks),
            payload.clone(),
        ))
    }

    async fn load_body(&self, message: &ReceivedMessage) -> Result<Loaded, MessageQueueError> {
        let Some(offloaded) = message.offloaded().filter(|_| !message.is_loaded()) else {
            return Ok(Loaded::Complete);
        };
        let limit = self.inner.options.load_at_most;
        let is_too_large = |payload: &Payload| payload.size_bytes.unwrap_or(MAX_BODY_BYTES) > limit;
        if offloaded.payload.as_ref().is_ok_and(is_too_large) {
            return Ok(Loaded::Complete);
        }
        let body = match self.open_payload(message, offloaded).await {
            Ok(stream) => stream.into_text().await,
            Err(error) => Err(error),
        };
        match body {
            Ok(body) => {
                offloaded.set_body(body);
                Ok(Loaded::Complete)
            }
            Err(error) if is_gone(&error) && self.inner.options.discard_missing => Ok(Loaded::Discard(error)),
            Err(error) => Err(error),
        }
    }

    /// Deletes payloads whose messages are gone. What cannot be deleted soon is left for a sweep: a worker waits for it.
    async fn delete_payloads(&self, keys: impl IntoIterator<Item = &str>) {
        let Inner { store, timeout, .. } = &*self.inner;
        let timeout = timeout.at_most(DELETE_TIMEOUT);
        let delete = |key| timeout.within(contained(async move { store.delete(key).await }));
        let deleted = join_all(keys.into_iter().map(delete)).await;
        let failed = deleted
            .iter()
            .filter(|result| !matches!(result, Ok(()) | Err(StoreError::NotFound)));
        self.count_orphans(failed.count());
    }

    fn count_orphans(&self, count: usize) {
        self.inner.orphans.fetch_add(count as u64, Ordering::Relaxed);
    }
}

impl<Q, S> Clone for PayloadQueue<Q, S> {
    fn clone(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
        }
    }
}

impl<Q: fmt::Debug, S: fmt::Debug> fmt::Debug for PayloadQueue<Q, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PayloadQueue")
            .field("queue", &self.inner.queue)
            .field("store", &self.inner.store)
            .field("options", &self.inner.options)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use {
        super::*,
        crate::{backend::ReceiveRequest, clock::ManualClock, queue::Queue},
        futures_util::stream::BoxStream,
        std::{
            future::{Future, pending},
            pin::pin,
            task::{Context, Waker},
        },
    };

    /// A store that deletes nothing and never says so.
    struct Hangs(ObjectPayloadStore);

    impl PayloadStore for Hangs {
        fn bucket(&self) -> &str {
            self.0.bucket()
        }

        async fn put(&self, key: &str, chunks: PayloadChunks<'_>) -> Result<(), StoreError> {
            self.0.put(key, chunks).await
        }

        async fn get(&self, key: &str) -> Result<PayloadChunks<'static>, StoreError> {
            self.0.get(key).await
        }

        async fn delete(&self, _: &str) -> Result<(), StoreError> {
            pending().await
        }

        fn list(&self, prefix: &str) -> BoxStream<'static, Result<StoredPayload, StoreError>> {
            self.0.list(prefix)
        }
    }

    #[test]
    fn a_worker_waits_five_seconds_for_the_delete_of_a_payload() {
        // E8
        let queue = Queue::standard("jobs").build().unwrap();
        let builder = PayloadQueue::builder(&queue, Hangs(ObjectPayloadStore::in_memory()));
        let mut jobs = builder.offload_all(true).build().unwrap();
        let clock = ManualClock::default();
        let inner = Arc::get_mut(&mut jobs.inner).unwrap();
        inner.timeout = StoreTimeout::new(Arc::new(clock.clone()), Duration::from_secs(60));
        pollster::block_on(jobs.send("resize cat.png".into())).unwrap();
        let messages = pollster::block_on(jobs.receive(ReceiveRequest::new(1))).unwrap();
        let mut delete = pin!(jobs.delete(&messages));
        let mut is_done = || delete.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready();
        assert!(!is_done());
        clock.advance(Duration::from_millis(4_999));
        assert!(!is_done());
        clock.advance(Duration::from_millis(1));
        assert!(is_done());
        assert_eq!((jobs.orphans(), queue.counts().in_flight), (1, 0));
    }
}
