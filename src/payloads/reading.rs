//! Bodies as streams, checked while they are read.

use {
    super::{
        MAX_BODY_BYTES, TURN,
        error::{damaged, interrupted},
        measure::Measure,
        store::PayloadChunks,
    },
    crate::backend::{MessageQueueError, Payload, ReceivedMessage},
    bytes::Bytes,
    futures_util::stream::{self, Stream, StreamExt},
    std::{
        fmt,
        io::{self, Write},
        pin::Pin,
        task::{Context, Poll},
    },
};

/// The body that a message has, as bytes without a copy.
struct Loaded(ReceivedMessage);

impl AsRef<[u8]> for Loaded {
    fn as_ref(&self) -> &[u8] {
        self.0.body().as_bytes()
    }
}

/// The body of a message in chunks, by [`PayloadQueue::open`](super::PayloadQueue::open).
///
/// Size and checksum are compared with what the message says: if they differ, the last item is an error. What was read
/// before it is not the body that was sent.
///
/// # Examples
/// ```
/// use requeue::{Queue, SendMessage, backend::{MessageQueue, ReceiveRequest}};
/// use requeue::payloads::{ObjectPayloadStore, PayloadQueue};
///
/// let jobs = PayloadQueue::builder(&Queue::standard("jobs").build()?, ObjectPayloadStore::in_memory()).build()?;
/// pollster::block_on(jobs.send(SendMessage::new("x".repeat(300_000))))?;
/// let request = ReceiveRequest::new(1).load_bodies(false);
/// let message = pollster::block_on(jobs.receive(request))?.remove(0);
/// let mut file = Vec::new();
/// let body = pollster::block_on(jobs.open(&message))?;
/// assert_eq!(pollster::block_on(body.copy_to(&mut file))?, 300_000);
/// assert_eq!(file, "x".repeat(300_000).as_bytes());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "streams do nothing unless polled"]
pub struct BodyStream {
    message: ReceivedMessage,
    chunks: PayloadChunks<'static>,
    payload: Payload,
    measure: Measure,
    ended: bool,
    /// After so many bytes others have their turn.
    yield_at: u64,
}

impl BodyStream {
    pub(super) fn of_payload(message: ReceivedMessage, chunks: PayloadChunks<'static>, payload: Payload) -> Self {
        Self {
            message,
            chunks,
            payload,
            measure: Measure::default(),
            ended: false,
            yield_at: TURN as u64,
        }
    }

    /// A body that is in the message.
    pub(super) fn of_message(message: &ReceivedMessage) -> Self {
        let chunk = Bytes::from_owner(Loaded(message.clone()));
        let payload = Payload {
            key: String::new(),
            size_bytes: Some(chunk.len() as u64),
            sha256: None,
        };
        Self::of_payload(message.clone(), stream::iter([Ok(chunk)]).boxed(), payload)
    }

    /// The size of the body in bytes, where the message tells it.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Queue, backend::{MessageQueue, ReceiveRequest}, payloads::{ObjectPayloadStore, PayloadQueue}};
    /// let jobs = Queue::standard("jobs").build()?;
    /// let with_payloads = PayloadQueue::builder(&jobs, ObjectPayloadStore::in_memory()).build()?;
    /// jobs.send("resize cat.png")?;
    /// let message = pollster::block_on(with_payloads.receive(ReceiveRequest::new(1)))?.remove(0);
    /// assert_eq!(pollster::block_on(with_payloads.open(&message))?.size_bytes(), Some(14));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn size_bytes(&self) -> Option<u64> {
        self.payload.size_bytes
    }

    /// Writes the body, and returns its size in bytes. The writes block; what is written is whole only if this succeeds.
    ///
    /// # Errors
    /// Those of the stream, and that of the writer, as [`Transient`](crate::backend::ErrorKind::Transient).
    pub async fn copy_to(mut self, writer: &mut impl Write) -> Result<u64, MessageQueueError> {
        let written =
            |result: io::Result<()>| result.map_err(|error| interrupted(format!("the body was not written: {error}")));
        while let Some(chunk) = self.next().await {
            written(writer.write_all(&chunk?))?;
        }
        written(writer.flush())?;
        Ok(self.measure.size())
    }

    /// The whole body in memory.
    pub(super) async fn into_text(mut self) -> Result<String, MessageQueueError> {
        // The message may lie about the size.
        let expected = self.payload.size_bytes.unwrap_or(0).min(1 << 20);
        let mut bytes = Vec::with_capacity(usize::try_from(expected).unwrap_or_default());
        while let Some(chunk) = self.next().await {
            let chunk = chunk?;
            if bytes.len() + chunk.len() > bytes.capacity() {
                // Once a part has come, the rest is believed.
                let rest = |size| usize::try_from(size).unwrap_or(usize::MAX).saturating_sub(bytes.len());
                let more = self.payload.size_bytes.map_or(bytes.len(), rest).max(chunk.len());
                let reserved = bytes.try_reserve_exact(more);
                reserved.map_err(|_| interrupted(format!("there is no memory for {more} bytes of a payload")))?;
            }
            bytes.extend_from_slice(&chunk);
        }
        String::from_utf8(bytes).map_err(|error| self.damaged(&error.to_string()))
    }

    /// The payload may be that of another message, so it is not to be deleted with this one.
    fn damaged(&self, how: &str) -> MessageQueueError {
        self.message.offloaded().iter().for_each(|it| it.let_go());
        damaged(&self.payload.key, how)
    }

    fn add(&mut self, chunk: &Bytes) -> Result<(), MessageQueueError> {
        self.measure.add(chunk);
        let most = self.payload.size_bytes.unwrap_or(MAX_BODY_BYTES);
        if self.measure.size() > most {
            return Err(self.damaged(&format!("it has more than {most} bytes")));
        }
        Ok(())
    }

    fn end(&self) -> Result<(), MessageQueueError> {
        let size = self.measure.size();
        if let Some(expected) = self.payload.size_bytes.filter(|expected| *expected != size) {
            return Err(self.damaged(&format!("it has {size} bytes of {expected}")));
        }
        match self.payload.sha256 {
            Some(expected) if expected != self.measure.sha256() => Err(self.damaged("its SHA-256 is another one")),
            _ => Ok(()),
        }
    }
}

impl Stream for BodyStream {
    type Item = Result<Bytes, MessageQueueError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        if self.measure.size() >= self.yield_at {
            // A directory outside of tokio never lets wait.
            self.yield_at = self.measure.size() + TURN as u64;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let Poll::Ready(chunk) = self.chunks.poll_next_unpin(context) else {
            return Poll::Pending;
        };
        let next = match chunk {
            Some(Ok(chunk)) => self.add(&chunk).map(|()| Some(chunk)),
            Some(Err(error)) => Err(error.of_payload("read", &self.payload.key)),
            None => self.end().map(|()| None),
        };
        self.ended = !matches!(next, Ok(Some(_)));
        Poll::Ready(next.transpose())
    }
}

impl fmt::Debug for BodyStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BodyStream")
            .field("payload", &self.payload)
            .field("read_bytes", &self.measure.size())
            .finish_non_exhaustive()
    }
}
