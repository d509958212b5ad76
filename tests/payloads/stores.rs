//! Stores that fail, are slow, lose objects or give others.

use {
    bytes::Bytes,
    futures_util::stream::{self, BoxStream, StreamExt},
    requeue::payloads::{ObjectPayloadStore, PayloadChunks, PayloadStore, PayloadStoreError, StoredPayload},
    std::{
        future::pending,
        sync::{Arc, Mutex},
    },
};

/// What a store does instead of what it is asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Trouble {
    Put,
    PutNeverEnds,
    /// It takes one chunk of a body and says that all is well.
    PutPart,
    Denied,
    Get,
    GetNeverEnds,
    ChunkNeverComes,
    Delete,
    DeleteNeverEnds,
    DeletePanics,
    List,
    /// The last byte is another one.
    OtherByte,
    /// The last chunk is missing.
    Shorter,
    /// There is one more byte.
    Longer,
}

/// A store in memory that writes down what it is asked for, and may be in trouble.
#[derive(Clone)]
pub(crate) struct Troubled {
    pub(crate) objects: ObjectPayloadStore,
    trouble: Arc<Mutex<Option<Trouble>>>,
    log: Arc<Mutex<Vec<String>>>,
}

impl Troubled {
    pub(crate) fn new() -> Self {
        Self {
            objects: ObjectPayloadStore::in_memory(),
            trouble: Arc::default(),
            log: Arc::default(),
        }
    }

    pub(crate) fn set(&self, trouble: impl Into<Option<Trouble>>) {
        *self.trouble.lock().unwrap() = trouble.into();
    }

    /// The verbs since the last call.
    pub(crate) fn log(&self) -> Vec<String> {
        std::mem::take(&mut self.log.lock().unwrap())
    }

    pub(crate) fn note(&self, verb: &str) {
        self.log.lock().unwrap().push(verb.to_owned());
    }

    /// Keys and sizes of all objects, in the order of the keys.
    pub(crate) fn objects(&self) -> Vec<(String, u64)> {
        let listed: Vec<_> = pollster::block_on(self.objects.list("").collect());
        let mut objects: Vec<_> = listed
            .into_iter()
            .map(|it| it.unwrap())
            .map(|it| (it.key, it.size_bytes))
            .collect();
        objects.sort();
        objects
    }

    pub(crate) fn lose_all(&self) {
        for (key, _) in self.objects() {
            pollster::block_on(self.objects.delete(&key)).unwrap();
        }
    }

    /// Whether it is in this trouble; otherwise notes the verb.
    fn has(&self, verb: &str, trouble: Trouble) -> bool {
        self.note(verb);
        *self.trouble.lock().unwrap() == Some(trouble)
    }

    fn trouble(&self) -> Option<Trouble> {
        *self.trouble.lock().unwrap()
    }
}

fn failed<T>() -> Result<T, PayloadStoreError> {
    Err(PayloadStoreError::other("the store is down"))
}

impl PayloadStore for Troubled {
    fn bucket(&self) -> &str {
        self.objects.bucket()
    }

    async fn put(&self, key: &str, chunks: PayloadChunks<'_>) -> Result<(), PayloadStoreError> {
        if self.has("put", Trouble::Put) {
            return failed();
        }
        match self.trouble() {
            Some(Trouble::PutNeverEnds) => pending().await,
            Some(Trouble::PutPart) => self.objects.put(key, chunks.take(1).boxed()).await,
            Some(Trouble::Denied) => Err(PayloadStoreError::denied("the token has expired")),
            _ => self.objects.put(key, chunks).await,
        }
    }

    async fn get(&self, key: &str) -> Result<PayloadChunks<'static>, PayloadStoreError> {
        if self.has("get", Trouble::Get) {
            return failed();
        }
        let chunks: Vec<_> = self.objects.get(key).await?.collect().await;
        let mut whole: Vec<u8> = chunks.into_iter().flat_map(|chunk| chunk.unwrap()).collect();
        match self.trouble() {
            Some(Trouble::GetNeverEnds) => return pending().await,
            Some(Trouble::OtherByte) => *whole.last_mut().unwrap() ^= 1,
            Some(Trouble::Shorter) => drop(whole.pop()),
            Some(Trouble::Longer) => whole.push(b'x'),
            _ => {}
        }
        let chunks: Vec<_> = whole
            .chunks(1_000)
            .map(|chunk| Ok(Bytes::copy_from_slice(chunk)))
            .collect();
        let chunks = stream::iter(chunks);
        if self.trouble() == Some(Trouble::ChunkNeverComes) {
            return Ok(chunks.take(1).chain(stream::pending()).boxed());
        }
        Ok(chunks.boxed())
    }

    async fn delete(&self, key: &str) -> Result<(), PayloadStoreError> {
        if self.has("delete", Trouble::Delete) {
            return failed();
        }
        match self.trouble() {
            Some(Trouble::DeleteNeverEnds) => return pending().await,
            Some(Trouble::DeletePanics) => panic!("a fault of the store"),
            _ => {}
        }
        self.objects.delete(key).await
    }

    fn list(&self, prefix: &str) -> BoxStream<'static, Result<StoredPayload, PayloadStoreError>> {
        if self.has("list", Trouble::List) {
            return stream::iter([failed()]).boxed();
        }
        self.objects.list(prefix)
    }
}
