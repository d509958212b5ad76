//! A demonstration load: a shop that makes thumbnails, sends mail, charges orders and prints reports, with the failures
//! that such work has.

use {
    crate::data::{Dashboard, Memory, Watch},
    requeue::{
        MessageAttributeValue, Queue, QueueAttributes, RedrivePolicy, SendBatchEntry, SendMessage, Service,
        SystemClock,
        backend::Backoff,
        worker::{Failure, FailurePolicy, Job, Runner, RunnerHandle},
    },
    serde_json::json,
    std::{
        error::Error,
        sync::atomic::{AtomicU64, Ordering},
        time::Duration,
    },
    tokio::{task::JoinHandle, time},
};

const TENANTS: [&str; 5] = ["acme", "globex", "initech", "umbrella", "hooli"];

/// What `--messages` fills.
pub(crate) const ARCHIVE: &str = "archive";

/// The load while it runs.
pub(crate) struct Demo {
    producer: JoinHandle<()>,
    handles: Vec<RunnerHandle>,
    workers: Vec<JoinHandle<()>>,
}

struct Queues {
    jobs: Queue,
    mail: Queue,
    orders: Queue,
    reports: Queue,
}

impl Demo {
    /// Creates the queues and starts the load, inside a tokio runtime.
    pub(crate) fn start(messages: usize) -> Result<(Self, Dashboard), Box<dyn Error>> {
        let (clock, watch) = (SystemClock::new(), Watch::new(Memory::default()));
        let service = Service::builder().clock(clock).listener(watch.clone()).build();
        let queues = Queues::create(&service)?;
        if messages > 0 {
            fill(&service.create_queue(ARCHIVE, QueueAttributes::new())?, messages)?;
        }
        let mut dashboard = Dashboard::new(service, clock, watch);
        let (mut handles, mut workers) = (Vec::new(), Vec::new());
        let Queues {
            jobs,
            mail,
            orders,
            reports,
        } = &queues;
        let backoff = FailurePolicy::Backoff(Backoff::new(Duration::from_secs(2), Duration::from_secs(20)));
        macro_rules! work {
            ($name:literal, $queue:expr, $concurrency:literal, $handler:expr) => {{
                let builder = Runner::builder($queue)
                    .concurrency($concurrency)
                    .failure_policy(backoff);
                let runner = builder
                    .shutdown_timeout(Duration::from_millis(500))
                    .each_async($handler)?;
                dashboard = dashboard.runner($name, $queue, runner.handle());
                handles.push(runner.handle());
                workers.push(tokio::spawn(async move {
                    // The report of a runner in memory has nothing that the page has not shown.
                    let _ = runner.run().await;
                }));
            }};
        }
        work!("thumbnails-1", jobs, 4, thumbnail);
        work!("thumbnails-2", jobs, 3, thumbnail);
        work!("mailer", mail, 2, mail_out);
        work!("payments", orders, 3, charge);
        work!("printer", reports, 2, print_report);
        let producer = tokio::spawn(produce(queues));
        let demo = Self {
            producer,
            handles,
            workers,
        };
        Ok((demo, dashboard))
    }

    /// Ends the load; what still waits goes with the process, whose memory it is in.
    pub(crate) async fn stop(self) {
        self.producer.abort();
        self.handles.iter().for_each(RunnerHandle::stop);
        for worker in self.workers {
            let _ = worker.await;
        }
    }
}

impl Queues {
    fn create(service: &Service) -> Result<Self, Box<dyn Error>> {
        let create = |name: &str, attributes: QueueAttributes| -> Result<Queue, Box<dyn Error>> {
            let fifo = name.ends_with(".fifo");
            let attributes = if fifo { attributes.fifo_queue(true) } else { attributes };
            let failed = match name.strip_suffix(".fifo") {
                Some(name) => {
                    service.create_queue(&format!("{name}-failed.fifo"), QueueAttributes::new().fifo_queue(true))?
                }
                None => service.create_queue(&format!("{name}-failed"), QueueAttributes::new())?,
            };
            let policy = RedrivePolicy::new(failed.arn(), 3);
            Ok(service.create_queue(name, attributes.redrive_policy(policy))?)
        };
        let minute = QueueAttributes::new().visibility_timeout(Duration::from_secs(60));
        Ok(Self {
            jobs: create("jobs", QueueAttributes::new())?,
            mail: service.create_queue("mail", QueueAttributes::new())?,
            orders: create("orders.fifo", QueueAttributes::new())?,
            reports: service.create_queue("reports", minute)?,
        })
    }
}

/// Puts messages of several groups into a queue.
pub(crate) fn fill(queue: &Queue, messages: usize) -> Result<(), Box<dyn Error>> {
    let entry = |number: usize| {
        let body =
            json!({ "page": number, "archive": format!("{:04}", number / 1_000), "checksum": mix(number as u64) });
        let group = TENANTS[number % TENANTS.len()];
        SendBatchEntry::from(SendMessage::new(body.to_string()).message_group_id(group))
    };
    for first in (0..messages).step_by(10) {
        let _ = queue.send_batch((first..messages.min(first + 10)).map(entry))?;
    }
    Ok(())
}

/// Sends ten times a second, until a queue takes no more.
async fn produce(queues: Queues) {
    let mut ticks = time::interval(Duration::from_millis(100));
    for number in 0.. {
        ticks.tick().await;
        if send_all(&queues, number).is_err() {
            return;
        }
    }
}

/// What comes in within a tenth of a second: more and less of it within some minutes.
fn send_all(queues: &Queues, number: u64) -> Result<(), Box<dyn Error>> {
    let wave = 1.0 + (number as f64 / 150.0).sin();
    for job in 0..(wave * 2.0).round() as u64 {
        send_thumbnail(&queues.jobs, number * 8 + job)?;
    }
    if number % 7 == 0 {
        send_mail(&queues.mail, number)?;
    }
    if number % 3 == 0 {
        send_order(&queues.orders, number)?;
    }
    if number % 40 == 0 {
        let body = json!({ "report": "sales", "week": 1 + number / 40 % 52, "format": "pdf" });
        queues.reports.send(body.to_string())?;
    }
    Ok(())
}

fn send_thumbnail(jobs: &Queue, number: u64) -> Result<(), Box<dyn Error>> {
    let chance = mix(number);
    // Half of the jobs are of one tenant.
    let tenant = TENANTS[if chance % 2 == 0 {
        0
    } else {
        (chance / 2) as usize % TENANTS.len()
    }];
    let width = if chance % 41 == 0 { 0 } else { 80 << (chance % 4) };
    let body = json!({ "image": format!("{tenant}/{:06}.png", chance % 900_000), "width": width, "format": "webp" });
    let message = SendMessage::new(body.to_string()).message_group_id(tenant);
    jobs.send(message.attribute("priority", MessageAttributeValue::number((chance % 3).to_string())))?;
    Ok(())
}

fn send_mail(mail: &Queue, number: u64) -> Result<(), Box<dyn Error>> {
    let body = json!({ "to": format!("customer-{}@example.com", mix(number) % 5_000), "template": "thank-you" });
    let delay = Duration::from_secs(10 + mix(number) % 50);
    mail.send(SendMessage::new(body.to_string()).delay(delay))?;
    Ok(())
}

fn send_order(orders: &Queue, number: u64) -> Result<(), Box<dyn Error>> {
    let chance = mix(number);
    let cents = if chance % 67 == 0 { 0 } else { 500 + chance % 20_000 };
    let body = json!({ "order": 10_000 + number, "cents": cents, "currency": "EUR" });
    let message = SendMessage::new(body.to_string())
        .message_group_id(format!("customer-{}", chance % 12))
        .message_deduplication_id(format!("order-{number}"));
    orders.send(message)?;
    Ok(())
}

async fn thumbnail(job: Job) -> Result<(), Failure> {
    let chance = draw();
    let body = job.body();
    if body.contains("\"width\":0}") {
        return Err(Failure::from("a width of 0 pixels cannot be rendered"));
    }
    for step in ["download", "decode", "resize", "upload"] {
        job.set_progress(step);
        time::sleep(Duration::from_millis(20 + chance % 70)).await;
    }
    match chance % 200 {
        0 => panic!("index out of bounds: the len is 3 but the index is 3"),
        1..6 => Err(Failure::from("storage: connection reset by peer")),
        6 => Err(Failure::dead_letter("unsupported colour profile: CMYK")),
        _ => Ok(()),
    }
}

async fn mail_out(_: Job) -> Result<(), Failure> {
    let chance = draw();
    time::sleep(Duration::from_millis(200 + chance % 500)).await;
    match chance % 12 {
        0 => Err(Failure::retry_after(
            Duration::from_secs(15),
            "the mail server asks to come back later",
        )),
        _ => Ok(()),
    }
}

async fn charge(job: Job) -> Result<(), Failure> {
    let chance = draw();
    time::sleep(Duration::from_millis(150 + chance % 400)).await;
    if job.body().contains("\"cents\":0,") {
        return Err(Failure::dead_letter("an order of 0.00 EUR cannot be charged"));
    }
    match chance % 30 {
        0 => Err(Failure::from("payment provider: 503 service unavailable")),
        _ => Ok(()),
    }
}

async fn print_report(job: Job) -> Result<(), Failure> {
    let pages = 10 + draw() % 20;
    for page in 1..=pages {
        job.set_progress(format!("page {page} of {pages}"));
        time::sleep(Duration::from_millis(500)).await;
    }
    Ok(())
}

/// A number that looks like chance and is the same in every run.
fn draw() -> u64 {
    static DRAWN: AtomicU64 = AtomicU64::new(1 << 32);
    mix(DRAWN.fetch_add(1, Ordering::Relaxed))
}

/// SplitMix64.
fn mix(number: u64) -> u64 {
    let mixed = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}
