//! `rustqueue`: jobs as JSON in redb. Its default syncs every commit, and it has nothing stronger.

use {
    super::Store,
    rustqueue::JobOptions,
    serde_json::Value,
    std::{hint::black_box, path::Path},
    tokio::runtime::{self, Runtime},
};

const QUEUE: &str = "bench";

pub(crate) struct RustQueue {
    queue: rustqueue::RustQueue,
    runtime: Runtime,
}

impl RustQueue {
    pub(crate) fn open(directory: &Path) -> Self {
        let builder = rustqueue::RustQueue::redb(directory.join("jobs.redb")).expect("a new database");
        Self {
            queue: builder.build().expect("the settings are the default ones"),
            runtime: runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .enable_time()
                .build()
                .expect("a runtime of one thread"),
        }
    }
}

impl Store for RustQueue {
    /// A job that is done is removed, as a deleted message is.
    fn send(&self, body: &str) {
        let options = JobOptions {
            remove_on_complete: Some(true),
            ..JobOptions::default()
        };
        let data = Value::String(body.to_owned());
        let push = self.queue.push(QUEUE, "resize", data, Some(options));
        black_box(self.runtime.block_on(push).expect("the database is open"));
    }

    fn take(&self) {
        self.runtime.block_on(async {
            let jobs = self.queue.pull(QUEUE, 1).await.expect("the database is open");
            let job = jobs.first().expect("a job was pushed");
            black_box(&job.data);
            self.queue.ack(job.id, None).await.expect("the job is ours");
        });
    }
}
