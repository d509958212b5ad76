//! `persistent-queue`: one consumer over a store of keys. Which messages are received is not written down.

use {
    super::Store,
    parking_lot::Mutex,
    persistent_queue::{Builder, Consumer, Durability, Producer, RedbStore, SledStore},
    std::{hint::black_box, path::Path},
};

pub(crate) struct PersistentQueue<S: persistent_queue::Store> {
    producer: Producer<S>,
    consumer: Mutex<Consumer<S>>,
}

impl PersistentQueue<RedbStore> {
    /// `Sync` is its default and its strongest level, `Group` the same for threads that push at the same time.
    pub(crate) fn redb(directory: &Path, durability: Durability) -> Self {
        let store = RedbStore::open(directory.join("queue.redb")).expect("a new database");
        Self::open(store, durability)
    }
}

impl PersistentQueue<SledStore> {
    pub(crate) fn sled(directory: &Path, durability: Durability) -> Self {
        let store = SledStore::open(directory.join("queue.sled")).expect("a new database");
        Self::open(store, durability)
    }
}

impl<S: persistent_queue::Store> PersistentQueue<S> {
    fn open(store: S, durability: Durability) -> Self {
        let builder = Builder::new(store).capacity(usize::MAX).durability(durability);
        let Ok((producer, consumer)) = builder.open() else {
            panic!("a new store can be opened");
        };
        Self {
            producer,
            consumer: Mutex::new(consumer),
        }
    }
}

impl<S: persistent_queue::Store + Send + Sync> Store for PersistentQueue<S> {
    fn send(&self, body: &str) {
        assert!(self.producer.push(body.as_bytes()).is_ok(), "the queue is open");
    }

    fn take(&self) {
        let consumer = self.consumer.lock();
        let Ok(Some(item)) = consumer.reserve() else {
            panic!("an item was pushed");
        };
        black_box(&*item);
        assert!(item.ack().is_ok(), "the queue is open");
    }
}
