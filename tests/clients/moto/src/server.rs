//! The server, its queues, and what stories do with them.

use {
    aws_sdk_sqs::{
        Client, Config,
        config::{BehaviorVersion, Credentials, Region},
        types::QueueAttributeName,
    },
    requeue::{
        SendMessage,
        backend::{MessageQueue, ReceiveRequest, SqsQueue},
        worker::{RunnerBuilder, RunnerEvent},
    },
    std::{
        collections::{BTreeMap, HashMap},
        error::Error,
        process,
        sync::{
            Arc, Mutex, MutexGuard,
            atomic::{AtomicUsize, Ordering},
        },
        time::{Duration, SystemTime, UNIX_EPOCH},
    },
    tokio::runtime::Handle,
};

pub type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

pub const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A running server; clones are the same.
#[derive(Clone)]
pub struct Server {
    client: Client,
    /// Unlike that of other runs.
    prefix: Arc<str>,
    created: Arc<AtomicUsize>,
}

/// What a queue has to be.
#[derive(Clone, Copy)]
pub struct Wanted {
    pub fifo: bool,
    pub visibility_timeout: Duration,
    /// With a dead-letter queue, to which messages go after so many receives.
    pub max_receives: Option<u32>,
}

impl Wanted {
    pub const STANDARD: Self = Self {
        fifo: false,
        visibility_timeout: secs(30),
        max_receives: None,
    };
}

impl Server {
    pub fn new(endpoint: &str) -> Self {
        let config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .endpoint_url(endpoint)
            .credentials_provider(Credentials::new("test", "test", None, None, "moto"))
            .http_client(aws_smithy_http_client::Builder::new().build_http());
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            client: Client::from_conf(config.build()),
            prefix: format!("{}-{}", since.as_millis(), process::id()).into(),
            created: Arc::default(),
        }
    }

    /// A new queue and its dead-letter queue.
    pub async fn create(&self, wanted: Wanted) -> Outcome<(SqsQueue, Option<SqsQueue>)> {
        let number = self.created.fetch_add(1, Ordering::Relaxed);
        let mut attributes = HashMap::new();
        if wanted.fifo {
            attributes.insert(QueueAttributeName::FifoQueue, "true".to_owned());
        }
        let suffix = if wanted.fifo { ".fifo" } else { "" };
        let mut dead_letters = None;
        let mut own = attributes.clone();
        let timeout = wanted.visibility_timeout.as_secs().to_string();
        own.insert(QueueAttributeName::VisibilityTimeout, timeout);
        if let Some(max_receives) = wanted.max_receives {
            let name = format!("{}-{number}-failed{suffix}", self.prefix);
            let (queue, arn) = self.create_one(&name, attributes).await?;
            let policy = format!(r#"{{"deadLetterTargetArn":"{arn}","maxReceiveCount":{max_receives}}}"#);
            own.insert(QueueAttributeName::RedrivePolicy, policy);
            dead_letters = Some(queue);
        }
        let name = format!("{}-{number}{suffix}", self.prefix);
        let (queue, _) = self.create_one(&name, own).await?;
        Ok((queue, dead_letters))
    }

    async fn create_one(
        &self,
        name: &str,
        attributes: HashMap<QueueAttributeName, String>,
    ) -> Outcome<(SqsQueue, String)> {
        let create = self.client.create_queue().queue_name(name);
        let created = create.set_attributes(Some(attributes)).send().await?;
        let url = created.queue_url.ok_or("a queue without URL")?;
        let ask = self.client.get_queue_attributes().queue_url(&url);
        let answer = ask.attribute_names(QueueAttributeName::QueueArn).send().await?;
        let arn = answer
            .attributes
            .and_then(|mut it| it.remove(&QueueAttributeName::QueueArn));
        Ok((
            SqsQueue::connect(self.client.clone(), url).await?,
            arn.ok_or("a queue without ARN")?,
        ))
    }

    pub async fn delete(&self, queue: &SqsQueue) -> Outcome<()> {
        self.client.delete_queue().queue_url(queue.url()).send().await?;
        Ok(())
    }
}

/// Sends messages of these bodies; on a FIFO queue in this group, whose bodies have to differ.
pub async fn send(queue: &SqsQueue, group: &str, bodies: impl IntoIterator<Item = String>) -> Outcome<()> {
    for body in bodies {
        let message = if queue.is_fifo() {
            let id = format!("{group}-{body}");
            SendMessage::new(body)
                .message_group_id(group)
                .message_deduplication_id(id)
        } else {
            SendMessage::new(body)
        };
        queue.send(message).await?;
    }
    Ok(())
}

/// Receives and deletes until nothing comes for a second; the bodies, in order.
pub async fn drain(queue: &SqsQueue) -> Outcome<Vec<String>> {
    let mut bodies = Vec::new();
    loop {
        let messages = queue.receive(ReceiveRequest::new(10).wait_time(secs(1))).await?;
        if messages.is_empty() {
            return Ok(bodies);
        }
        queue.delete(&messages).await?;
        bodies.extend(messages.iter().map(|it| it.body().to_owned()));
    }
}

/// How many messages a queue holds, visible or not; moto's numbers are exact.
pub async fn left(queue: &SqsQueue) -> Outcome<u64> {
    Ok(queue.counts().await?.total())
}

/// The settings of all runners here: short polls for a quick end, and failures of the queue printed.
pub fn settings(builder: RunnerBuilder<SqsQueue>) -> RunnerBuilder<SqsQueue> {
    let runtime = Handle::current();
    builder
        .wait_time(secs(1))
        .wrap_threads(move |work| {
            let _entered = runtime.enter();
            work();
        })
        .on_event(|event| {
            if !matches!(event, RunnerEvent::Failed { .. }) {
                println!("        {event}");
            }
        })
}

/// What handlers have begun and done; clones are the same.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<BTreeMap<String, (usize, usize)>>>);

impl Log {
    fn lines(&self) -> MutexGuard<'_, BTreeMap<String, (usize, usize)>> {
        self.0.lock().expect("no handler panics here")
    }

    /// How often this one has been begun, this time included.
    pub fn begin(&self, body: &str) -> usize {
        let mut lines = self.lines();
        let (begun, _) = lines.entry(body.to_owned()).or_default();
        *begun += 1;
        *begun
    }

    pub fn done(&self, body: &str) {
        self.lines().entry(body.to_owned()).or_default().1 += 1;
    }

    /// How many jobs have been begun at least once.
    pub fn begun(&self) -> usize {
        self.lines().len()
    }

    /// The jobs that have not been begun and done so often.
    pub fn but(&self, begun: usize, done: usize) -> Vec<(String, (usize, usize))> {
        let lines = self.lines();
        let others = lines.iter().filter(|(_, times)| **times != (begun, done));
        others.map(|(body, times)| (body.clone(), *times)).collect()
    }

    /// The jobs that have been begun and done so often.
    pub fn with(&self, begun: usize, done: usize) -> Vec<String> {
        let lines = self.lines();
        let matching = lines.iter().filter(|(_, times)| **times == (begun, done));
        matching.map(|(body, _)| body.clone()).collect()
    }
}
