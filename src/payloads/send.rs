//! Sends whose bodies may go to the store.

use {
    super::{
        Inner, MAX_BODY_BYTES, PayloadQueue, TURN,
        error::{PayloadStoreError, interrupted, refused},
        measure::{Measure, TextCheck},
        pointer::RESERVED,
        store::PayloadStore,
    },
    crate::{
        backend::{ErrorKind, MessageQueue, MessageQueueError, Payload, limits::MAX_ATTRIBUTES},
        error::ErrorCode,
        message::SendMessage,
    },
    bytes::Bytes,
    data_encoding::HEXLOWER,
    futures_util::stream::{self, Stream, StreamExt},
    std::{
        error::Error,
        io::{self, Read},
        sync::Arc,
    },
};

/// How much of a reader is in one chunk.
const CHUNK: usize = 256 << 10;

/// What a reader gives, in chunks, as the body of [`send_stream`](PayloadQueue::send_stream). It blocks while it reads.
///
/// # Examples
/// ```
/// use futures_util::StreamExt;
/// use requeue::payloads::chunks_of;
///
/// let chunks = chunks_of("resize cat.png".as_bytes()).collect::<Vec<_>>();
/// assert_eq!(pollster::block_on(chunks)[0].as_ref().unwrap(), "resize cat.png");
/// ```
pub fn chunks_of(mut reader: impl Read + Send) -> impl Stream<Item = io::Result<Bytes>> + Send {
    let next = move || {
        let mut chunk = Vec::with_capacity(CHUNK);
        match reader.by_ref().take(CHUNK as u64).read_to_end(&mut chunk) {
            Ok(0) => None,
            Ok(_) => Some(Ok(Bytes::from(chunk))),
            Err(error) => Some(Err(error)),
        }
    };
    stream::iter(std::iter::from_fn(next))
}

/// A body as bytes, without a copy.
struct Body(Arc<str>);

impl AsRef<[u8]> for Body {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl<Q: MessageQueue, S: PayloadStore> PayloadQueue<Q, S> {
    /// Sends a message whose body is a stream, up to 2 GB of UTF-8; of `message` everything but the body counts, which is
    /// empty.
    ///
    /// The body goes to the store, however small. On a FIFO queue a message without a deduplication id gets the SHA-256 of
    /// the body, as with content-based deduplication. A future that is dropped sends nothing, and may leave a payload for a
    /// [`sweep`](Self::sweep).
    ///
    /// # Errors
    /// The stream fails, or is not the text of a body; the store fails; the queue refuses the message.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, SendMessage, payloads::{ObjectPayloadStore, PayloadQueue, chunks_of}};
    ///
    /// let jobs = PayloadQueue::builder(&Queue::standard("jobs").build()?, ObjectPayloadStore::in_memory()).build()?;
    /// let report = std::io::repeat(b'x'); // as well as `File::open("report.csv")?`
    /// let report = chunks_of(std::io::Read::take(report, 10_000_000));
    /// pollster::block_on(jobs.send_stream(SendMessage::new(""), report))?;
    /// assert_eq!(jobs.queue().counts().visible, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn send_stream<E>(
        &self,
        message: SendMessage,
        body: impl Stream<Item = Result<Bytes, E>> + Send,
    ) -> Result<(), MessageQueueError>
    where
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        if !message.body().is_empty() {
            return Err(refused("the message has a body beside the stream".to_owned()));
        }
        self.check_attributes(&message)?;
        let failed = |error: E| interrupted(format!("the stream of the body failed: {}", error.into()));
        self.send_body(message, body.map(|chunk| chunk.map_err(failed))).await
    }

    /// Sends a message whose body goes to the store if it is large.
    pub(super) async fn send_whole(&self, message: SendMessage) -> Result<(), MessageQueueError> {
        check_names(&message)?;
        let Inner { options, queue, .. } = &*self.inner;
        // An empty body is for the queue to refuse, as it does without a store.
        let is_large = options.offload_all || message.size_bytes() > options.threshold;
        if !is_large || message.body().is_empty() {
            return queue.send(message).await;
        }
        self.check_attributes(&message)?;
        let body = Bytes::from_owner(Body(Arc::clone(message.content().body())));
        let length = body.len();
        if length as u64 > MAX_BODY_BYTES {
            return Err(refused(format!(
                "the body has {length} bytes, at most {MAX_BODY_BYTES} are allowed"
            )));
        }
        let chunk = move |at| Ok(body.slice(at..length.min(at + TURN)));
        let chunks = (0..length).step_by(TURN).map(chunk);
        self.send_body(message, stream::iter(chunks)).await
    }

    /// Stores a body and sends the pointer to it.
    async fn send_body(
        &self,
        message: SendMessage,
        body: impl Stream<Item = Result<Bytes, MessageQueueError>> + Send,
    ) -> Result<(), MessageQueueError> {
        let (mut text, mut measure, mut fault) = (TextCheck::default(), Measure::default(), None);
        let mut ended = false;
        let chunks = body.map(Some).chain(stream::once(async { None })).filter_map(|chunk| {
            let checked = match chunk {
                Some(Ok(chunk)) => text.add(&chunk).map(|()| Some(chunk)).map_err(refused),
                Some(Err(error)) => Err(error),
                None => {
                    ended = true;
                    text.end().map(|()| None).map_err(refused)
                }
            };
            if let Ok(Some(chunk)) = &checked {
                measure.add(chunk);
            }
            let checked = checked.map_err(|error| PayloadStoreError::other(fault.insert(error).clone()));
            std::future::ready(checked.transpose())
        });
        let Inner {
            keys, store, timeout, ..
        } = &*self.inner;
        let key = keys.draw();
        let mut put = timeout.within_put(chunks, |chunks| store.put(&key, chunks)).await;
        if put.is_ok() && (fault.is_some() || !ended) {
            self.delete_payloads([&*key]).await;
            put = Err(PayloadStoreError::other("the store did not take the whole body"));
        }
        if let Some(fault) = fault {
            return Err(fault);
        }
        put.map_err(|error| error.of_payload("stored", &key))?;
        self.send_pointer(message, key, &measure).await
    }

    /// Sends the pointer to a payload that is in the store.
    async fn send_pointer(
        &self,
        mut message: SendMessage,
        key: String,
        body: &Measure,
    ) -> Result<(), MessageQueueError> {
        let sha256 = body.sha256();
        if self.is_fifo() && message.get_message_deduplication_id().is_none() {
            message = message.message_deduplication_id(HEXLOWER.encode(&sha256));
        }
        let Inner {
            options, queue, store, ..
        } = &*self.inner;
        let payload = Payload {
            key,
            size_bytes: Some(body.size()),
            sha256: options.checksums.then_some(sha256),
        };
        let mut attributes = message.get_attributes().clone();
        options.format.mark(&mut attributes, &payload, MAX_ATTRIBUTES);
        message.content.body = options.format.body(store.bucket(), &payload.key).into();
        let sent = queue.send(message.attributes(attributes)).await;
        match &sent {
            Ok(()) => {}
            Err(error) if self.is_not_sent(error) => self.delete_payloads([&*payload.key]).await,
            Err(_) => self.count_orphans(1),
        }
        sent
    }

    /// Whether an error says that the message is not in the queue. Elsewhere it may be after any error: the answer was lost
    /// and the call made again. So it may be here if a journal cannot tell.
    fn is_not_sent(&self, error: &MessageQueueError) -> bool {
        let no_room = [ErrorCode::OverLimit.name(), ErrorCode::ServiceUnavailable.name()];
        let says_so = match error.kind {
            ErrorKind::Refused => error.code != ErrorCode::InternalFailure.name(),
            ErrorKind::Transient => no_room.contains(&&*error.code),
            kind => kind == ErrorKind::QueueDoesNotExist,
        };
        says_so && self.is_in_process()
    }

    /// What the attributes of a message with a pointer may be (E4, E5).
    fn check_attributes(&self, message: &SendMessage) -> Result<(), MessageQueueError> {
        check_names(message)?;
        let attributes = message.get_attributes();
        let most = MAX_ATTRIBUTES - 1;
        if attributes.len() > most {
            let count = attributes.len();
            let text = format!("the message has {count} attributes, at most {most} are allowed beside a payload");
            return Err(refused(text));
        }
        let (size, threshold) = (attributes.size_bytes(), self.inner.options.threshold);
        if size > threshold {
            let text = format!("the attributes have {size} bytes, the threshold is {threshold}");
            return Err(refused(text));
        }
        Ok(())
    }
}

/// Reserved names are not for callers (E4).
fn check_names(message: &SendMessage) -> Result<(), MessageQueueError> {
    let attributes = message.get_attributes();
    match RESERVED.iter().find(|name| attributes.get(name).is_some()) {
        Some(name) => Err(refused(format!(
            "the attribute {name} is reserved for pointers to payloads"
        ))),
        None => Ok(()),
    }
}
