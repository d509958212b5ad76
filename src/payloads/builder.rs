//! The builder of a payload queue.

use {
    super::{
        Inner, MAX_BODY_BYTES, PayloadQueue,
        error::BuildPayloadQueueError,
        key::{KeySpace, Keys},
        pointer::PointerFormat,
        progress::StoreTimeout,
        store::PayloadStore,
    },
    crate::{
        backend::MessageQueue,
        clock::{Clock, SystemClock},
        limits::Limits,
        message::Seed,
    },
    std::{
        fmt,
        hash::{BuildHasher, RandomState},
        sync::{Arc, atomic::AtomicU64},
        time::Duration,
    },
};

/// The threshold of Amazon's clients (E1).
const THRESHOLD: usize = 262_144;

/// The largest message of Amazon SQS, which the threshold may not exceed.
const MAX_THRESHOLD: usize = Limits::aws().maximum_message_size_max;

const STORE_TIMEOUT: Duration = Duration::from_secs(60);

/// What a payload queue does; [`build`](Self::build) checks it all.
///
/// # Examples
/// ```
/// use requeue::{Queue, payloads::{ObjectPayloadStore, PayloadQueue, PointerFormat}};
///
/// let jobs = Queue::standard("jobs").build()?;
/// let builder = PayloadQueue::builder(&jobs, ObjectPayloadStore::in_memory());
/// let jobs = builder
///     .prefix("jobs/")
///     .threshold_bytes(100_000)
///     .pointer_format(PointerFormat::SqsLargePayloadSize)
///     .build()?;
/// assert_eq!(jobs.queue().name(), "jobs");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a payload queue exists once it is built"]
pub struct PayloadQueueBuilder<Q, S> {
    queue: Q,
    store: S,
    options: Options,
    prefix: String,
    seed: Option<u64>,
    store_timeout: Duration,
}

/// What a payload queue is told beside its queue and its store.
#[derive(Clone, Copy, Debug)]
pub(super) struct Options {
    pub(super) threshold: usize,
    pub(super) offload_all: bool,
    pub(super) format: PointerFormat,
    pub(super) checksums: bool,
    pub(super) delete_payloads: bool,
    pub(super) discard_missing: bool,
    pub(super) load_at_most: u64,
}

impl<Q: MessageQueue, S: PayloadStore> PayloadQueueBuilder<Q, S> {
    pub(super) fn new(queue: Q, store: S) -> Self {
        Self {
            queue,
            store,
            options: Options {
                threshold: THRESHOLD,
                offload_all: false,
                format: PointerFormat::default(),
                checksums: true,
                delete_payloads: true,
                discard_missing: false,
                load_at_most: MAX_BODY_BYTES,
            },
            prefix: String::new(),
            seed: None,
            store_timeout: STORE_TIMEOUT,
        }
    }

    /// Bodies go to the store if they come to more than `bytes` together with their attributes: 0 to 1,048,576, by default
    /// 262,144 (E1).
    ///
    /// It should not be above the queue's own `MaximumMessageSize`.
    pub const fn threshold_bytes(mut self, bytes: usize) -> Self {
        self.options.threshold = bytes;
        self
    }

    /// All bodies go to the store, however small.
    pub const fn offload_all(mut self, all: bool) -> Self {
        self.options.offload_all = all;
        self
    }

    /// What the keys of payloads begin with, `jobs/` for example: up to 988 letters, digits and `/!-_.*'()`; nothing unless
    /// this is called (E2).
    ///
    /// A pointer to a key that begins otherwise is refused: whoever may send to the queue must not choose what its consumers
    /// read and delete. Give all queues that share messages, dead-letter queues too, the same prefix.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// How pointers are written (E3, E4); all forms are read.
    pub const fn pointer_format(mut self, format: PointerFormat) -> Self {
        self.options.format = format;
        self
    }

    /// Whether a message tells the SHA-256 of its payload, in the attribute `PayloadSHA256`; `true` unless this is called.
    ///
    /// A message with eight or nine attributes of its own has no room for it, since the reason of a dead letter needs some. Other clients see it as an attribute of the message.
    pub const fn checksums(mut self, checksums: bool) -> Self {
        self.options.checksums = checksums;
        self
    }

    /// Whether a payload is deleted after its message; `true` unless this is called (E8).
    pub const fn delete_payloads(mut self, delete: bool) -> Self {
        self.options.delete_payloads = delete;
        self
    }

    /// Whether a message whose payload is gone is deleted rather than tried again; `false` unless this is called (E8).
    ///
    /// A runner counts it as failed and discarded. A store that is not there, a directory that is not mounted for example,
    /// looks like one whose payloads are gone.
    ///
    /// A standard queue may deliver a message once more after it was deleted, and its payload is gone then.
    pub const fn discard_missing(mut self, discard: bool) -> Self {
        self.options.discard_missing = discard;
        self
    }

    /// Bodies of more bytes than this are not loaded, and read with [`open`](PayloadQueue::open); by default all are loaded.
    ///
    /// `body` of such a message is the pointer, and [`is_loaded`](crate::backend::ReceivedMessage::is_loaded) tells.
    pub const fn load_at_most_bytes(mut self, bytes: u64) -> Self {
        self.options.load_at_most = bytes;
        self
    }

    /// How long a call to the store may go without progress, in real time; 60 s unless this is called.
    ///
    /// It is progress that the store asks for the next chunk or gives one. [`ObjectPayloadStore`](super::ObjectPayloadStore)
    /// writes 8 MiB at a time. The delete of a payload with its message ends after 5 s at the latest: a worker waits for it.
    pub const fn store_timeout(mut self, timeout: Duration) -> Self {
        self.store_timeout = timeout;
        self
    }

    /// The seed that keys are drawn from, for tests: the same seed gives the same keys, so that two queues of one seed
    /// overwrite each other's payloads.
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// The payload queue.
    ///
    /// # Errors
    /// [`BuildPayloadQueueError`]: the threshold or the prefix.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, payloads::{ObjectPayloadStore, PayloadQueue}};
    ///
    /// let jobs = Queue::standard("jobs").build()?;
    /// let builder = PayloadQueue::builder(&jobs, ObjectPayloadStore::in_memory());
    /// let error = builder.prefix("../jobs").build().unwrap_err();
    /// assert_eq!(error.to_string(), r#"the prefix "../jobs" is refused: it has an empty part, or one that is . or .."#);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn build(self) -> Result<PayloadQueue<Q, S>, BuildPayloadQueueError> {
        let bytes = self.options.threshold;
        if bytes > MAX_THRESHOLD {
            let limit = MAX_THRESHOLD;
            return Err(BuildPayloadQueueError::Threshold { bytes, limit });
        }
        let keys = KeySpace::new(&self.prefix)?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let seed = self.seed.unwrap_or_else(|| RandomState::new().hash_one(clock.now()));
        Ok(PayloadQueue {
            inner: Arc::new(Inner {
                queue: self.queue,
                store: self.store,
                keys: Keys::new(keys, Seed::new(seed)),
                timeout: StoreTimeout::new(clock, self.store_timeout),
                options: self.options,
                orphans: AtomicU64::new(0),
            }),
        })
    }
}

impl<Q, S> fmt::Debug for PayloadQueueBuilder<Q, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PayloadQueueBuilder")
            .field("prefix", &self.prefix)
            .field("options", &self.options)
            .field("store_timeout", &self.store_timeout)
            .finish_non_exhaustive()
    }
}
