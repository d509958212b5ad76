//! Message lives through an effectum queue, for the bench `journal`, which starts this program.
//!
//! `effectum_life DIRECTORY BODY` opens a queue in the directory, and for each line with a number of messages on standard
//! input answers with a line: the nanoseconds that a message took. One thread adds a job, awaits that it is stored, and
//! adds the next one, while a worker runs and completes them one at a time. Both go on at once, which spares effectum the
//! turns that other contenders take.
#![allow(clippy::disallowed_methods, reason = "a bench measures real time")]

use {
    effectum::{Error, Job, JobRunner, Queue, RunningJob, Worker},
    std::{
        env,
        hint::black_box,
        io,
        path::Path,
        time::{Duration, Instant},
    },
    tokio::{runtime, time},
};

fn main() {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let [directory, body] = arguments.as_slice() else {
        panic!("expected a directory and a body");
    };
    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .expect("a runtime of two threads");
    runtime.block_on(serve(&Path::new(directory).join("effectum.db"), body));
}

async fn serve(path: &Path, body: &str) {
    let queue = Queue::new(path).await.expect("a new queue");
    let worker = Worker::builder(&queue, ())
        .jobs([JobRunner::builder("bench", handle).build()])
        .build()
        .await
        .expect("the queue is open");
    for line in io::stdin().lines() {
        let messages: u64 = line.expect("a line").parse().expect("a number of messages");
        let done = worker.counts().finished + messages;
        let begun = Instant::now();
        for _ in 0..messages {
            let job = Job::builder("bench").payload(body.as_bytes().to_vec());
            job.add_to(&queue).await.expect("the queue is open");
        }
        while worker.counts().finished < done {
            time::sleep(Duration::from_millis(1)).await;
        }
        println!("{}", begun.elapsed().as_nanos() as f64 / messages as f64);
    }
}

async fn handle(job: RunningJob, (): ()) -> Result<(), Error> {
    black_box(&job.payload);
    Ok(())
}
