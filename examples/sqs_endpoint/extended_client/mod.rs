//! Amazon's extended client for Python, and payload queues over the queues that it uses (E1 to E9). Both read, settle and
//! delete what the other wrote.

mod python;
mod s3;

use {
    crate::{
        options::{self, Options},
        regions::Regions,
        say,
        server::Server,
    },
    futures_util::StreamExt,
    requeue::{
        MessageAttributeValue, MessageAttributes, Queue, QueueAttributes, RedrivePolicy, SendMessage, Service,
        aws::Request,
        backend::{MessageQueue, ReceiveRequest},
        payloads::{ObjectPayloadStore, PayloadQueue, PayloadQueueBuilder, PayloadStore, PointerFormat},
        worker::{Job, Runner},
    },
    std::{
        future, mem,
        net::SocketAddr,
        path::Path,
        sync::{Arc, Mutex},
        time::Duration,
    },
    tokio::{net::TcpListener, runtime::Runtime},
};

/// Ten bytes.
const TEXT: &str = "\u{fc}\u{4e2d}\u{1f600} ";

/// The large bodies of the script.
fn large(name: &str) -> String {
    format!("{name}: {}", TEXT.repeat(30_000))
}

/// A body as a failed test may print it.
fn abridged(body: &str) -> String {
    let short = body.replace(&TEXT.repeat(30_000), "..");
    if short.len() > 100 {
        format!("{} other bytes", short.len())
    } else {
        short
    }
}

/// The attributes that the script gives its messages.
fn user() -> MessageAttributes {
    let number = MessageAttributeValue::number("-17.5e3").label("int");
    let text = MessageAttributeValue::string("v & <w> \u{fc}");
    [("text", text), ("number", number)].into_iter().collect()
}

fn large_with(attributes: MessageAttributes) -> SendMessage {
    SendMessage::new(large("requeue")).attributes(attributes)
}

type Payloads = PayloadQueue<Queue, ObjectPayloadStore>;
type Builder = PayloadQueueBuilder<Queue, ObjectPayloadStore>;

/// A service that the client for Python reaches, and a store of payloads that is its S3.
struct Bench {
    python: &'static Path,
    runtime: Runtime,
    service: Service,
    store: ObjectPayloadStore,
    sqs_url: String,
    s3_url: String,
}

impl Bench {
    /// None if there is no client to run, which is said.
    fn start(test: &str) -> Option<Self> {
        let python = python::interpreter();
        let python = python.map_err(|why| say(format_args!("extended_client::{test} is skipped: {why}")));
        let python = python.ok()?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .unwrap();
        let options = ["--addr", "127.0.0.1:0"].map(Into::into);
        let options = options::parse(options).unwrap().expect("no help");
        let (regions, sqs) = runtime.block_on(serve_sqs(&options));
        let store = ObjectPayloadStore::in_memory();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let s3 = listener.local_addr().unwrap();
        runtime.spawn(s3::serve(listener, store.clone()));
        Some(Self {
            python,
            runtime,
            service: regions.endpoint(&Request::new("GET", "/")).service().clone(),
            store,
            sqs_url: format!("http://{sqs}"),
            s3_url: format!("http://{s3}"),
        })
    }

    /// A new queue with payloads.
    fn queue(&self, name: &str) -> Payloads {
        self.queue_with(name, QueueAttributes::new(), |builder| builder)
    }

    fn queue_with(
        &self,
        name: &str,
        attributes: QueueAttributes,
        options: impl FnOnce(Builder) -> Builder,
    ) -> Payloads {
        let queue = self.service.create_queue(name, attributes).unwrap();
        options(PayloadQueue::builder(&queue, self.store.clone()))
            .build()
            .unwrap()
    }

    /// Runs a step of the script on a queue.
    fn run(&self, step: &str, payloads: &Payloads) {
        let settings = [
            ("AWS_ACCESS_KEY_ID", "key"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("AWS_DEFAULT_REGION", "us-east-1"),
            ("AWS_EC2_METADATA_DISABLED", "true"),
            ("AWS_MAX_ATTEMPTS", "1"),
            ("AWS_ENDPOINT_URL_SQS", &self.sqs_url),
            ("AWS_ENDPOINT_URL_S3", &self.s3_url),
        ];
        let arguments = [step, payloads.url(), TEXT];
        let script = python::run_script(self.python, &settings, &arguments);
        let done = self.runtime.block_on(script);
        done.unwrap_or_else(|said| panic!("{step}: {said}"));
    }

    fn objects(&self) -> u64 {
        let objects = self.store.list("").count();
        pollster::block_on(objects) as u64
    }

    /// That all messages of the queue are gone, and all objects.
    fn assert_empty(&self, payloads: &Payloads) {
        assert_eq!((payloads.queue().snapshot().messages.len(), self.objects()), (0, 0));
    }
}

async fn serve_sqs(options: &Options) -> (Arc<Regions>, SocketAddr) {
    let server = Server::bind(options).await.unwrap();
    let address = server.address().unwrap();
    let regions = Arc::new(Regions::new(options, address));
    tokio::spawn(server.run_until(future::pending(), Arc::clone(&regions)));
    (regions, address)
}

fn send(payloads: &Payloads, message: SendMessage) {
    pollster::block_on(payloads.send(message)).unwrap();
}

/// What a runner finds until no message is visible, abridged and in the order of the bodies.
fn run(payloads: &Payloads) -> Vec<(String, MessageAttributes)> {
    let found = Arc::new(Mutex::new(Vec::new()));
    let finds = Arc::clone(&found);
    let runner = Runner::builder(payloads).until_none_visible().each(move |job: &Job| {
        let message = (abridged(job.body()), job.attributes().clone());
        finds.lock().unwrap().push(message);
        Ok::<(), String>(())
    });
    runner.unwrap().blocking().unwrap();
    let mut found = mem::take(&mut *found.lock().unwrap());
    found.sort_by(|one, other| one.0.cmp(&other.0));
    found
}

#[test]
fn a_runner_reads_what_python_writes() {
    let Some(bench) = Bench::start("a_runner_reads_what_python_writes") else {
        return;
    };
    let jobs = bench.queue("jobs");
    bench.run("write", &jobs);
    assert_eq!((jobs.queue().counts().visible, bench.objects()), (4, 3));
    let bodies = ["as it is: ..", "legacy: ..", "small", "small through S3 \u{fc}"];
    assert_eq!(run(&jobs), bodies.map(|body| (body.to_owned(), user())));
    bench.assert_empty(&jobs);
}

#[test]
fn python_reads_settles_and_deletes_every_pointer_format() {
    let Some(bench) = Bench::start("python_reads_settles_and_deletes_every_pointer_format") else {
        return;
    };
    let mut attributes = user();
    let bytes: Vec<u8> = (0..=255).collect();
    attributes.insert("bytes", MessageAttributeValue::binary(bytes));
    for (name, format, step) in [
        ("extended", PointerFormat::ExtendedPayloadSize, "read"),
        ("large", PointerFormat::SqsLargePayloadSize, "read_legacy"),
        ("legacy", PointerFormat::Legacy, "read_legacy"),
    ] {
        let jobs = bench.queue_with(name, QueueAttributes::new(), |builder| builder.pointer_format(format));
        send(&jobs, large_with(attributes.clone()));
        bench.run(step, &jobs);
        bench.assert_empty(&jobs);
    }
}

#[test]
fn python_reads_nine_attributes_beside_a_payload() {
    let Some(bench) = Bench::start("python_reads_nine_attributes_beside_a_payload") else {
        return;
    };
    let jobs = bench.queue("jobs");
    let nine = (0..9).map(|number| (format!("a{number}"), MessageAttributeValue::number("1")));
    send(&jobs, large_with(nine.collect()));
    bench.run("read_nine", &jobs);
    bench.assert_empty(&jobs);
}

#[test]
fn batches_of_python_are_read_by_a_runner_and_deleted_by_python() {
    let Some(bench) = Bench::start("batches_of_python_are_read_by_a_runner_and_deleted_by_python") else {
        return;
    };
    let jobs = bench.queue("jobs");
    bench.run("write_batch", &jobs);
    let bodies = ["one: ..", "small", "two: .."];
    assert_eq!(run(&jobs), bodies.map(|body| (body.to_owned(), user())));
    bench.assert_empty(&jobs);
    for body in [large("one"), "small".to_owned(), large("two")] {
        send(&jobs, body.into());
    }
    bench.run("delete_batch", &jobs);
    bench.assert_empty(&jobs);
}

#[test]
fn a_message_that_python_receives_too_often_keeps_its_payload() {
    let Some(bench) = Bench::start("a_message_that_python_receives_too_often_keeps_its_payload") else {
        return;
    };
    let letters = bench.queue("letters");
    let policy = RedrivePolicy::new(letters.queue().arn(), 2);
    let jobs = bench.queue_with("jobs", QueueAttributes::new().redrive_policy(policy), |builder| builder);
    bench.run("give_up", &jobs);
    assert_eq!((letters.queue().counts().visible, bench.objects()), (1, 1));
    assert_eq!(run(&letters), [("as it is: ..".to_owned(), user())]);
    bench.assert_empty(&letters);
}

#[test]
fn the_checksum_of_another_payload_that_python_sends_on_is_ignored() {
    let Some(bench) = Bench::start("the_checksum_of_another_payload_that_python_sends_on_is_ignored") else {
        return;
    };
    let jobs = bench.queue("jobs");
    send(&jobs, large_with(user()));
    bench.run("send_on", &jobs);
    let found = run(&jobs);
    assert_eq!(found[0], ("requeue: ..!".to_owned(), user()));
    assert_eq!((found.len(), &*found[1].0), (2, "small"));
    bench.assert_empty(&jobs);
}

#[test]
fn what_python_leaves_in_the_store_is_swept() {
    let Some(bench) = Bench::start("what_python_leaves_in_the_store_is_swept") else {
        return;
    };
    let jobs = bench.queue("jobs");
    send(&jobs, large_with(user()));
    bench.run("leave_payload", &jobs);
    assert_eq!((jobs.queue().snapshot().messages.len(), bench.objects()), (0, 1));
    let sweep = jobs.sweep(Duration::ZERO).in_use_by(jobs.queue());
    assert_eq!(pollster::block_on(sweep.remove()).unwrap().removed, 1);
    bench.assert_empty(&jobs);
}

#[test]
fn python_names_keys_below_a_prefix_by_the_attribute_s3_key() {
    let Some(bench) = Bench::start("python_names_keys_below_a_prefix_by_the_attribute_s3_key") else {
        return;
    };
    let jobs = bench.queue_with("jobs", QueueAttributes::new(), |builder| builder.prefix("jobs/"));
    bench.run("write_below_prefix", &jobs);
    let found = run(&jobs);
    assert_eq!((found.len(), &*found[0].0), (1, "below the prefix: .."));
    let key = found[0].1.get("S3Key").and_then(|key| key.string_value());
    assert!(key.is_some_and(|key| key.starts_with("jobs/")), "{key:?}");
    bench.assert_empty(&jobs);
    bench.run("write_outside_of_prefix", &jobs);
    let received = pollster::block_on(jobs.receive(ReceiveRequest::new(1)));
    let error = received.map(|messages| messages.len()).unwrap_err();
    assert!(error.to_string().contains("outside of the prefix"), "{error}");
    assert_eq!(bench.objects(), 1);
}
