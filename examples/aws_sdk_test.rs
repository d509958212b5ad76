//! Code written for Amazon SQS, tested in process: the client is the AWS SDK's own, the queues and the time are not.
//! `cargo run --release --example aws_sdk_test --features aws-sdk,worker-sqs` prints a line per test, with what it took.
use {
    aws_sdk_sqs::{
        Client, Error,
        types::{QueueAttributeName, QueueAttributeName::*},
    },
    requeue::{Clock, Limits, ManualClock, Service},
    std::time::{Duration, Instant},
};

type Outcome = Result<(), Box<dyn std::error::Error>>;

const VISIBILITY: Duration = Duration::from_secs(30);

/// The code under test: does the jobs it gets, deletes those that succeed, and answers with all it has tried.
async fn consume(sqs: &Client, queue: &str, job: fn(&str) -> bool) -> Result<Vec<String>, Error> {
    let receive = sqs.receive_message().queue_url(queue).max_number_of_messages(10);
    let mut tried = Vec::new();
    for message in receive.send().await?.messages.unwrap_or_default() {
        let body = message.body.unwrap_or_default();
        if job(&body) {
            let delete = sqs.delete_message().queue_url(queue);
            delete.set_receipt_handle(message.receipt_handle).send().await?;
        }
        tried.push(body);
    }
    Ok(tried)
}

fn main() -> Outcome {
    report("a job that fails is tried again", redelivery)?;
    report("a long poll sees a job when its delay ends", long_poll)?;
    report("a group waits for its first order", fifo)?;
    report("poison becomes a dead letter", dead_letter)
}

async fn redelivery(clock: ManualClock, sqs: Client) -> Outcome {
    let jobs = create(&sqs, "jobs", []).await?;
    send(&sqs, &jobs, "resize cat.png", None).await?;
    assert_eq!(consume(&sqs, &jobs, |_| false).await?, ["resize cat.png"]);
    assert_eq!(consume(&sqs, &jobs, |_| true).await?, [""; 0], "nobody else gets it");
    clock.advance(VISIBILITY);
    assert_eq!(consume(&sqs, &jobs, |_| true).await?, ["resize cat.png"]);
    clock.advance(VISIBILITY);
    assert_eq!(consume(&sqs, &jobs, |_| true).await?, [""; 0], "it is done");
    Ok(())
}

/// Nobody moves the clock: under `run_until` time passes by itself while the code under test waits.
async fn long_poll(clock: ManualClock, sqs: Client) -> Outcome {
    let jobs = create(&sqs, "jobs", [(ReceiveMessageWaitTimeSeconds, "20")]).await?;
    let delayed = sqs.send_message().queue_url(&jobs).message_body("tea").delay_seconds(5);
    delayed.send().await?;
    let start = clock.now();
    let tried = clock.run_until(consume(&sqs, &jobs, |_| true)).await?;
    let waited = clock.now().saturating_duration_since(start);
    assert_eq!((tried, waited), (vec!["tea".to_owned()], Duration::from_secs(5)));
    let tried = clock.run_until(consume(&sqs, &jobs, |_| true)).await?;
    assert_eq!(tried, [""; 0], "it polled for 20 seconds");
    assert_eq!(clock.now().saturating_duration_since(start), Duration::from_secs(25));
    Ok(())
}

async fn fifo(clock: ManualClock, sqs: Client) -> Outcome {
    let attributes = [(FifoQueue, "true"), (ContentBasedDeduplication, "true")];
    let orders = create(&sqs, "orders.fifo", attributes).await?;
    for order in ["ann: buy", "bob: buy", "ann: sell", "ann: buy"] {
        send(&sqs, &orders, order, Some(&order[..3])).await?;
    }
    let tried = consume(&sqs, &orders, |order| order.starts_with("bob")).await?;
    assert_eq!(tried, ["ann: buy", "ann: sell", "bob: buy"], "once each");
    send(&sqs, &orders, "ann: cancel", Some("ann")).await?;
    assert_eq!(consume(&sqs, &orders, |_| true).await?, [""; 0], "it waits its turn");
    clock.advance(VISIBILITY);
    let tried = consume(&sqs, &orders, |_| true).await?;
    assert_eq!(tried, ["ann: buy", "ann: sell", "ann: cancel"]);
    Ok(())
}

async fn dead_letter(clock: ManualClock, sqs: Client) -> Outcome {
    let failed = create(&sqs, "failed", []).await?;
    let policy = r#"{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:failed","maxReceiveCount":3}"#;
    let jobs = create(&sqs, "jobs", [(RedrivePolicy, policy)]).await?;
    send(&sqs, &jobs, "poison", None).await?;
    for _ in 0..3 {
        assert_eq!(consume(&sqs, &jobs, |_| false).await?, ["poison"]);
        clock.advance(VISIBILITY);
    }
    assert_eq!(consume(&sqs, &jobs, |_| true).await?, [""; 0]);
    assert_eq!(consume(&sqs, &failed, |_| true).await?, ["poison"]);
    Ok(())
}

async fn create<const N: usize>(
    sqs: &Client,
    name: &str,
    attributes: [(QueueAttributeName, &str); N],
) -> Result<String, Error> {
    let attributes = attributes.map(|(name, value)| (name, value.to_owned()));
    let create = sqs.create_queue().queue_name(name);
    let created = create.set_attributes(Some(attributes.into())).send().await?;
    Ok(created.queue_url.expect("every queue has a URL"))
}

async fn send(sqs: &Client, queue: &str, body: &str, group: Option<&str>) -> Result<(), Error> {
    let send = sqs.send_message().queue_url(queue).message_body(body);
    send.set_message_group_id(group.map(str::to_owned)).send().await?;
    Ok(())
}

/// Runs a test on a service and a clock of its own.
fn report<F: Future<Output = Outcome>>(claim: &str, test: fn(ManualClock, Client) -> F) -> Outcome {
    let clock = ManualClock::default();
    let service = Service::builder().clock(clock.clone()).limits(Limits::aws()).build();
    let client = Client::new(&service.sdk_config());
    #[expect(clippy::disallowed_methods, reason = "the claim is about real time")]
    let real = Instant::now();
    pollster::block_on(test(clock, client))?;
    println!("{claim}: {} microseconds", real.elapsed().as_micros());
    Ok(())
}
