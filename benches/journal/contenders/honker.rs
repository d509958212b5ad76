//! `honker`: jobs in SQLite.

use {
    super::Store,
    honker::{Database, EnqueueOpts, Queue, QueueOpts},
    std::{hint::black_box, path::Path},
};

const WORKER: &str = "bench";

pub(crate) struct Honker {
    queue: Queue,
    /// Closes its watcher when dropped.
    _database: Database,
}

impl Honker {
    /// As it opens a database: WAL, synchronous=normal, which a killed process survives and a power cut does not.
    pub(crate) fn open(directory: &Path) -> Self {
        let database = Database::open(directory.join("honker.db")).expect("a new database");
        Self {
            queue: database.queue("bench", QueueOpts::default()),
            _database: database,
        }
    }

    /// With synchronous=full, which syncs every commit.
    pub(crate) fn open_full(directory: &Path) -> Self {
        let honker = Self::open(directory);
        honker._database.with_conn(|connection| {
            let set = connection.pragma_update(None, "synchronous", "full");
            set.expect("SQLite has the pragma");
        });
        honker
    }
}

impl Store for Honker {
    fn send(&self, body: &str) {
        let options = EnqueueOpts::default();
        black_box(self.queue.enqueue(&body, options).expect("the database is open"));
    }

    fn take(&self) {
        let claimed = self.queue.claim_one(WORKER).expect("the database is open");
        let job = claimed.expect("a job was added");
        black_box(&job.payload);
        assert!(job.ack().expect("the database is open"), "the claim is ours");
    }
}
