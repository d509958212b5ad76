//! Stopping a runner without losing a job: what is begun ends, the rest is given back, and the counts add up.
//! `cargo run --example graceful_stop` stops after a second, or at Ctrl-C, and prints what became of the jobs.
use {
    requeue::{
        Queue,
        worker::{Job, Runner},
    },
    std::{future::Future, time::Duration},
    tokio::time::{sleep, timeout},
};

/// Too long for all of the jobs to be done before the stop.
async fn resize(_job: Job) -> Result<(), String> {
    sleep(Duration::from_millis(150)).await;
    Ok(())
}

/// Ctrl-C, or a second; whichever comes first.
async fn until_stopped() {
    let _ = timeout(Duration::from_secs(1), tokio::signal::ctrl_c()).await;
}

async fn run(jobs: &Queue, stop: impl Future) -> Result<(), Box<dyn std::error::Error>> {
    let runner = Runner::builder(jobs)
        .concurrency(4)
        .prefetch(6)
        .shutdown_timeout(Duration::from_secs(10))
        .each_async(resize)?;
    let report = runner.run_until(stop).await?;
    println!("{report}");
    assert_eq!(
        report.received,
        report.succeeded + report.given_back,
        "every job is accounted for"
    );
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let jobs = Queue::standard("jobs").build()?;
    for number in 1..=1_000 {
        jobs.send(format!("resize {number}.png"))?;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(run(&jobs, until_stopped()))?;
    let counts = jobs.counts();
    println!("{} wait for the next run", counts.visible);
    assert_eq!(counts.in_flight, 0, "nothing is left hidden");
    Ok(())
}
