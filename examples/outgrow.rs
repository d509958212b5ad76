//! A worker outgrows its process: the same handler on a queue in memory, and on Amazon SQS.
//! `cargo run --release --example outgrow --features worker-sqs,aws-sdk` prints what it did on each. A service in process
//! answers for Amazon, so that it needs no network and no credentials; the client and the worker do not know.
use {
    requeue::{
        Queue, QueueAttributes, RedrivePolicy, SendMessage, Service,
        backend::{MessageQueue, SqsQueue},
        worker::{Failure, FailurePolicy, Job, Runner},
    },
    std::{collections::BTreeSet, error::Error, sync::Mutex},
};

type Outcome<T> = Result<T, Box<dyn Error>>;

const IMAGES: [&str; 6] = ["ant.png", "bee.png", "cat.png", "dog.txt", "eel.png flaky", "fox.png"];

/// The handler: it knows the job and nothing of the queue that it came from.
fn resize(job: &Job) -> Result<&'static str, Failure> {
    match (job.body(), job.approximate_receive_count()) {
        (image, _) if image.ends_with(".txt") => Err(Failure::dead_letter("not an image")),
        (image, 1) if image.ends_with("flaky") => Err(Failure::from("the disk was busy")),
        _ => Ok("resized"),
    }
}

/// Sends all images and works on them until the queue is empty; what was done, in the order of names.
async fn work(jobs: &impl Jobs) -> Outcome<BTreeSet<String>> {
    for image in IMAGES {
        MessageQueue::send(jobs, SendMessage::new(image)).await?;
    }
    let done = Mutex::new(BTreeSet::new());
    let runner = Runner::builder(jobs)
        .concurrency(3)
        .failure_policy(FailurePolicy::RetryNow)
        .until_none_visible()
        .each(|job: &Job| {
            let result = resize(job);
            let said = match &result {
                Ok(said) => said,
                Err(failure) => failure.reason(),
            };
            let line = format!("{}, receive {}: {said}", job.body(), job.approximate_receive_count());
            done.lock().expect("no handler panics").insert(line);
            result.map(drop)
        })?;
    let report = runner.run().await?;
    assert_eq!((report.succeeded, report.failed, report.dead_lettered), (5, 2, 1));
    Ok(done.into_inner()?)
}

/// What a worker runs on.
trait Jobs: MessageQueue + Clone {}
impl<Q: MessageQueue + Clone> Jobs for Q {}

async fn in_memory() -> Outcome<BTreeSet<String>> {
    let failed = Queue::standard("failed").build()?;
    // Before: the queue of this process.
    let jobs = Queue::standard("jobs").dead_letter(&failed, 5).build()?;
    work(&jobs).await
}

async fn on_sqs() -> Outcome<BTreeSet<String>> {
    let amazon = Amazon::new()?;
    // After: a queue that others work on as well.
    let config = amazon.config(); // really: aws_config::load_from_env().await
    let client = aws_sdk_sqs::Client::new(&config);
    let jobs = SqsQueue::connect(client, amazon.url()).await?;
    work(&jobs).await
}

fn main() -> Outcome<()> {
    let (here, there) = (pollster::block_on(in_memory())?, pollster::block_on(on_sqs())?);
    for (place, done) in [("in memory", &here), ("on SQS", &there)] {
        println!("{place}:");
        done.iter().for_each(|line| println!("  {line}"));
    }
    assert_eq!(here, there);
    println!("the same, with three lines changed");
    Ok(())
}

/// Plays Amazon, whose queues somebody has created before.
struct Amazon {
    service: Service,
    jobs: Queue,
}

impl Amazon {
    fn new() -> Outcome<Self> {
        let service = Service::new();
        let failed = service.create_queue("failed", QueueAttributes::new())?;
        let policy = RedrivePolicy::new(failed.arn(), 5);
        let jobs = service.create_queue("jobs", QueueAttributes::new().redrive_policy(policy))?;
        Ok(Self { service, jobs })
    }

    fn config(&self) -> aws_types::SdkConfig {
        self.service.sdk_config()
    }

    fn url(&self) -> &str {
        self.jobs.url()
    }
}
