//! Payloads in an `object_store`.

use {
    super::{
        error::PayloadStoreError,
        store::{PayloadChunks, PayloadStore, StoredPayload},
        unfinished,
    },
    crate::{clock::give_way, time::Timestamp},
    bytes::Bytes,
    futures_util::stream::{self, BoxStream, StreamExt},
    object_store::{
        Error, MultipartUpload, ObjectStore, ObjectStoreExt, PutPayload, local::LocalFileSystem, memory::InMemory,
        path::Path,
    },
    std::{fmt, fs, io, mem, sync::Arc},
};

/// A chunk of fewer bytes is copied.
const SMALL: usize = 64 << 10;

/// What goes into a store in one call: a smaller payload as a whole, a larger one in parts of this size. S3 takes parts of
/// 5 MiB and more, and at most 10,000.
const PART: usize = 8 << 20;

/// How much of a file is read in one call.
const READ: u64 = 1 << 20;

/// Payloads in a directory, in memory, or in a store of the crate `object_store`: Amazon S3, Google Cloud Storage, Azure.
///
/// For S3 and the others add `object_store` to your own dependencies, with its feature `aws`, `gcp` or `azure`; it is
/// re-exported as [`payloads::object_store`](super::object_store). Those need a tokio runtime; a directory uses one where
/// it is called from one, and otherwise blocks the calling thread while it reads and writes.
///
/// # Examples
/// ```
/// use requeue::payloads::{ObjectPayloadStore, PayloadStore, object_store::memory::InMemory};
/// use std::sync::Arc;
///
/// // As well as `AmazonS3Builder::from_env().with_bucket_name("my-bucket").build()?`.
/// let store = ObjectPayloadStore::new("my-bucket", Arc::new(InMemory::new()));
/// assert_eq!(store.bucket(), "my-bucket");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct ObjectPayloadStore {
    bucket: Arc<str>,
    store: Arc<dyn ObjectStore>,
    /// Where the payloads are files.
    directory: Option<Arc<std::path::Path>>,
}

impl ObjectPayloadStore {
    /// Payloads in this store, whose bucket has this name.
    ///
    /// The name goes into pointers, by which other clients find the object: a store for S3 has to be of this bucket, and
    /// without a prefix of its own.
    ///
    /// # Examples
    /// ```
    /// # use requeue::payloads::{ObjectPayloadStore, PayloadStore, object_store::memory::InMemory};
    /// let store = ObjectPayloadStore::new("my-bucket", std::sync::Arc::new(InMemory::new()));
    /// assert_eq!(store.bucket(), "my-bucket");
    /// ```
    pub fn new(bucket: impl Into<Arc<str>>, store: Arc<dyn ObjectStore>) -> Self {
        Self {
            bucket: bucket.into(),
            store,
            directory: None,
        }
    }

    /// Payloads in memory, in a bucket named `payloads`; they are gone with the store.
    ///
    /// # Examples
    /// ```
    /// # use requeue::payloads::{ObjectPayloadStore, PayloadStore};
    /// assert_eq!(ObjectPayloadStore::in_memory().bucket(), "payloads");
    /// ```
    pub fn in_memory() -> Self {
        Self::new("payloads", Arc::new(InMemory::new()))
    }

    /// Payloads as files below a directory, which is created; the bucket is named `payloads`.
    ///
    /// A payload is on disk before its message is sent. A process that dies in a put leaves a file whose name ends in `#`
    /// and a number; nobody reads it, and a [sweep](super::PayloadQueue::sweep) removes it.
    ///
    /// # Errors
    /// The directory cannot be created or read.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, SendMessage, backend::MessageQueue, payloads::{ObjectPayloadStore, PayloadQueue}};
    ///
    /// # let scratch = std::env::temp_dir().join(format!("requeue payloads {}", std::process::id()));
    /// let store = ObjectPayloadStore::in_directory(scratch.join("payloads"))?;
    /// let jobs = PayloadQueue::builder(&Queue::standard("jobs").build()?, store).build()?;
    /// pollster::block_on(jobs.send(SendMessage::new("x".repeat(300_000))))?;
    /// assert_eq!(std::fs::read_dir(scratch.join("payloads"))?.count(), 1);
    /// # std::fs::remove_dir_all(scratch)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn in_directory(directory: impl AsRef<std::path::Path>) -> io::Result<Self> {
        fs::create_dir_all(&directory)?;
        let directory = fs::canonicalize(directory)?;
        let store = LocalFileSystem::new_with_prefix(&directory).map_err(io::Error::other)?;
        Ok(Self {
            directory: Some(directory.into()),
            ..Self::new("payloads", Arc::new(store.with_fsync(true)))
        })
    }

    /// A directory that is not there any more has lost no payload: its volume is not mounted, for example.
    fn check_there(&self) -> Result<(), PayloadStoreError> {
        match &self.directory {
            Some(directory) if !directory.is_dir() => {
                let text = format!("the directory {} is not there", directory.display());
                Err(PayloadStoreError::other(text))
            }
            _ => Ok(()),
        }
    }

    /// The object in few large reads. As a stream a file comes in chunks of 8 KiB, under tokio each by way of another thread.
    async fn file(&self, path: Path) -> Result<PayloadChunks<'static>, PayloadStoreError> {
        let size = self.store.head(&path).await.map_err(from_object_store)?.size;
        let store = Arc::clone(&self.store);
        let chunks = stream::try_unfold(0, move |at| {
            let (store, path) = (Arc::clone(&store), path.clone());
            async move {
                if at == size {
                    return Ok(None);
                }
                let end = size.min(at + READ);
                let chunk = store.get_range(&path, at..end).await.map_err(from_object_store)?;
                Ok(Some((chunk, end)))
            }
        });
        Ok(chunks.boxed())
    }

    async fn put_parts(
        upload: &mut dyn MultipartUpload,
        first: Parts,
        mut chunks: PayloadChunks<'_>,
    ) -> Result<(), PayloadStoreError> {
        let mut parts = first;
        loop {
            while let Some(part) = parts.take_whole() {
                upload.put_part(part).await.map_err(from_object_store)?;
                // A directory outside of tokio never lets wait.
                give_way().await;
            }
            match chunks.next().await {
                Some(chunk) => parts.add(chunk?),
                None => break,
            }
        }
        if parts.size > 0 {
            upload.put_part(parts.take_rest()).await.map_err(from_object_store)?;
        }
        upload.complete().await.map(drop).map_err(from_object_store)
    }
}

/// Chunks on their way into parts.
#[derive(Default)]
struct Parts {
    chunks: Vec<Bytes>,
    /// What follows them.
    small: Vec<u8>,
    /// Of all.
    size: usize,
}

impl Parts {
    /// Small chunks are copied together: each costs more than its bytes.
    fn add(&mut self, chunk: Bytes) {
        self.size += chunk.len();
        if chunk.len() < SMALL {
            self.small.extend_from_slice(&chunk);
            if self.small.len() < SMALL {
                return;
            }
            self.chunks.push(mem::take(&mut self.small).into());
        } else {
            self.flush();
            self.chunks.push(chunk);
        }
    }

    fn flush(&mut self) {
        if !self.small.is_empty() {
            self.chunks.push(mem::take(&mut self.small).into());
        }
    }

    /// A part of exactly the size of a part, if there is as much.
    fn take_whole(&mut self) -> Option<PutPayload> {
        if self.size < PART {
            return None;
        }
        self.flush();
        // Whatever was added before the last chunk was less than a part.
        let mut size = 0;
        let mut part = Vec::new();
        let mut rest = Vec::new();
        for mut chunk in mem::take(&mut self.chunks) {
            let taken = chunk.split_to(chunk.len().min(PART - size));
            size += taken.len();
            part.push(taken);
            if !chunk.is_empty() {
                rest.push(chunk);
            }
        }
        self.chunks = rest;
        self.size -= size;
        Some(PutPayload::from_iter(part))
    }

    fn take_rest(&mut self) -> PutPayload {
        self.flush();
        self.size = 0;
        PutPayload::from_iter(mem::take(&mut self.chunks))
    }
}

impl PayloadStore for ObjectPayloadStore {
    fn bucket(&self) -> &str {
        &self.bucket
    }

    async fn put(&self, key: &str, mut chunks: PayloadChunks<'_>) -> Result<(), PayloadStoreError> {
        let path = path_of(key)?;
        self.check_there()?;
        let mut parts = Parts::default();
        while parts.size < PART {
            match chunks.next().await {
                Some(chunk) => parts.add(chunk?),
                None => {
                    let put = self.store.put(&path, parts.take_rest()).await;
                    return put.map(drop).map_err(from_object_store);
                }
            }
        }
        let mut upload = self.store.put_multipart(&path).await.map_err(from_object_store)?;
        let put = Self::put_parts(&mut *upload, parts, chunks).await;
        if put.is_err() {
            // The first error is the one to tell.
            let _ = upload.abort().await;
        }
        put
    }

    async fn get(&self, key: &str) -> Result<PayloadChunks<'static>, PayloadStoreError> {
        let path = path_of(key)?;
        self.check_there()?;
        if self.directory.is_some() {
            return self.file(path).await;
        }
        let object = self.store.get(&path).await.map_err(from_object_store)?;
        Ok(object
            .into_stream()
            .map(|chunk| chunk.map_err(from_object_store))
            .boxed())
    }

    async fn delete(&self, key: &str) -> Result<(), PayloadStoreError> {
        self.check_there()?;
        if let (Some(directory), Some(whole)) = (&self.directory, unfinished::whole(key)) {
            path_of(whole)?;
            return unfinished::remove(directory, key);
        }
        match self.store.delete(&path_of(key)?).await {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(from_object_store(error)),
        }
    }

    fn list(&self, prefix: &str) -> BoxStream<'static, Result<StoredPayload, PayloadStoreError>> {
        if let Err(error) = self.check_there() {
            return stream::iter([Err(error)]).boxed();
        }
        // The store lists whole parts of paths.
        let folder = prefix.rsplit_once('/').and_then(|(folder, _)| Path::parse(folder).ok());
        let (prefix, of_unfinished) = (prefix.to_owned(), prefix.to_owned());
        let listed = self.store.list(folder.as_ref()).filter_map(move |object| {
            let object = match object {
                Ok(object) if !object.location.as_ref().starts_with(&prefix) => None,
                Ok(object) => Some(Ok(StoredPayload {
                    key: object.location.to_string(),
                    size_bytes: object.size,
                    last_modified: Timestamp::from_millis(
                        object.last_modified.timestamp_millis().try_into().unwrap_or(0),
                    ),
                })),
                // Removed by others since it was found.
                Err(Error::NotFound { .. }) => None,
                Err(error) => Some(Err(from_object_store(error))),
            };
            async { object }
        });
        let directory = self.directory.clone();
        let unfinished = stream::iter(directory)
            .flat_map(move |directory| stream::iter(unfinished::list(&directory, &of_unfinished).into_iter().map(Ok)));
        listed.chain(unfinished).boxed()
    }
}

fn path_of(key: &str) -> Result<Path, PayloadStoreError> {
    match Path::parse(key) {
        // Parsing forgives a slash at either end, which would be another key.
        Ok(path) if path.as_ref() == key => Ok(path),
        Ok(_) => Err(PayloadStoreError::other(format!("{key:?} is not a key of this store"))),
        Err(error) => Err(PayloadStoreError::other(error)),
    }
}

fn from_object_store(error: Error) -> PayloadStoreError {
    match error {
        Error::NotFound { .. } => PayloadStoreError::NotFound,
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => PayloadStoreError::denied(error),
        error => PayloadStoreError::other(error),
    }
}

impl fmt::Debug for ObjectPayloadStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectPayloadStore")
            .field("bucket", &self.bucket)
            .field("store", &self.store)
            .finish()
    }
}
