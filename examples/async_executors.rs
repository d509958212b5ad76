//! Futures of a queue need no particular executor: one consumer runs under tokio and under pollster, on one queue.
//! `cargo run --example async_executors` prints two lines at once.
use {
    requeue::{Queue, ReceiveError},
    std::{error::Error, thread, time::Duration},
};

type Failure = Box<dyn Error + Send + Sync>;

/// Jobs done by each consumer.
const SHARE: usize = 25;
const TASKS_IN_TOKIO: usize = 3;

fn main() -> Result<(), Failure> {
    let jobs = Queue::standard("jobs").build()?;
    let under_pollster = thread::spawn({
        let jobs = jobs.clone();
        || pollster::block_on(consume(jobs))
    });
    let under_tokio = thread::spawn({
        let jobs = jobs.clone();
        || {
            let executor = tokio::runtime::Builder::new_current_thread().build()?;
            executor.block_on(consume_side_by_side(jobs))
        }
    });

    let all = SHARE * (TASKS_IN_TOKIO + 1);
    for job in 0..all {
        jobs.send(format!("job {job}"))?;
    }
    let by_tokio = under_tokio.join().expect("a consumer does not panic")?;
    let by_pollster = under_pollster.join().expect("a consumer does not panic")?;
    println!("tokio: {by_tokio} jobs in {TASKS_IN_TOKIO} tasks");
    println!("pollster: {by_pollster} jobs on a thread");
    assert_eq!(by_tokio + by_pollster, all);
    assert_eq!(jobs.snapshot().messages, [], "each job was done once");
    Ok(())
}

/// The consumer: does its share and answers with how many jobs that were.
async fn consume(jobs: Queue) -> Result<usize, ReceiveError> {
    let mut done = 0;
    while done < SHARE {
        for job in jobs.receive().wait_time(Duration::from_secs(20)).await? {
            job.delete_async().await.expect("the queue exists");
            done += 1;
        }
    }
    Ok(done)
}

async fn consume_side_by_side(jobs: Queue) -> Result<usize, Failure> {
    let tasks: Vec<_> = (0..TASKS_IN_TOKIO)
        .map(|_| tokio::spawn(consume(jobs.clone())))
        .collect();
    let mut done = 0;
    for task in tasks {
        done += task.await??;
    }
    Ok(done)
}
