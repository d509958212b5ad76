//! What a payload queue asks of a store of objects.

use {
    super::error::PayloadStoreError,
    crate::time::Timestamp,
    bytes::Bytes,
    futures_util::stream::BoxStream,
    std::{future::Future, sync::Arc},
};

/// The chunks of a payload, in their order.
pub type PayloadChunks<'a> = BoxStream<'a, Result<Bytes, PayloadStoreError>>;

/// A store of payloads by their keys; [`ObjectPayloadStore`](super::ObjectPayloadStore) is one over directories, memory and
/// the stores of the clouds (E10).
///
/// The futures may be dropped at any time. A put that is dropped or fails leaves no object, or one that nobody asks for.
/// Queues that share a store, as a queue and its dead-letter queue do, have clones of it or of an `Arc`.
///
/// # Examples
/// A store that counts what is put into it, and passes everything on:
/// ```
/// use requeue::payloads::*;
/// use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
///
/// struct Counted(ObjectPayloadStore, AtomicU64);
///
/// impl PayloadStore for Counted {
///     fn bucket(&self) -> &str {
///         self.0.bucket()
///     }
///     async fn put(&self, key: &str, chunks: PayloadChunks<'_>) -> Result<(), PayloadStoreError> {
///         self.1.fetch_add(1, Relaxed);
///         self.0.put(key, chunks).await
///     }
///     async fn get(&self, key: &str) -> Result<PayloadChunks<'static>, PayloadStoreError> {
///         self.0.get(key).await
///     }
///     async fn delete(&self, key: &str) -> Result<(), PayloadStoreError> {
///         self.0.delete(key).await
///     }
///     fn list(&self, prefix: &str) -> futures_util::stream::BoxStream<'static, Result<StoredPayload, PayloadStoreError>> {
///         self.0.list(prefix)
///     }
/// }
///
/// # use requeue::{Queue, SendMessage, backend::MessageQueue};
/// let jobs = Queue::standard("jobs").build()?;
/// let jobs = PayloadQueue::builder(&jobs, Counted(ObjectPayloadStore::in_memory(), AtomicU64::new(0))).build()?;
/// pollster::block_on(jobs.send(SendMessage::new("x".repeat(300_000))))?;
/// assert_eq!(jobs.store().1.load(Relaxed), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait PayloadStore: Send + Sync + 'static {
    /// The name of the bucket, as pointers have it. A pointer to any other is refused.
    fn bucket(&self) -> &str;

    /// Stores an object. It is there as a whole once this has returned, as safe as the store can make it, and not before.
    ///
    /// An error of the chunks ends it with that error.
    fn put(&self, key: &str, chunks: PayloadChunks<'_>) -> impl Future<Output = Result<(), PayloadStoreError>> + Send;

    /// The object with this key; [`NotFound`](PayloadStoreError::NotFound) if there is none.
    fn get(&self, key: &str) -> impl Future<Output = Result<PayloadChunks<'static>, PayloadStoreError>> + Send;

    /// Removes the object with this key; done if there is none.
    fn delete(&self, key: &str) -> impl Future<Output = Result<(), PayloadStoreError>> + Send;

    /// The objects whose keys begin with `prefix`, for a [sweep](super::PayloadQueue::sweep).
    fn list(&self, prefix: &str) -> BoxStream<'static, Result<StoredPayload, PayloadStoreError>>;
}

impl<S: PayloadStore> PayloadStore for Arc<S> {
    fn bucket(&self) -> &str {
        (**self).bucket()
    }

    fn put(&self, key: &str, chunks: PayloadChunks<'_>) -> impl Future<Output = Result<(), PayloadStoreError>> + Send {
        (**self).put(key, chunks)
    }

    fn get(&self, key: &str) -> impl Future<Output = Result<PayloadChunks<'static>, PayloadStoreError>> + Send {
        (**self).get(key)
    }

    fn delete(&self, key: &str) -> impl Future<Output = Result<(), PayloadStoreError>> + Send {
        (**self).delete(key)
    }

    fn list(&self, prefix: &str) -> BoxStream<'static, Result<StoredPayload, PayloadStoreError>> {
        (**self).list(prefix)
    }
}

/// An object that a [`PayloadStore`] lists.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StoredPayload {
    /// Its key.
    pub key: String,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// When it was stored, by the clock of the store.
    pub last_modified: Timestamp,
}
