//! The same runner and handler on both queues, in virtual time.

use {
    crate::common::{counts, nap, run, secs},
    aws_sdk_sqs::Client,
    futures_util::future::join,
    requeue::{
        Clock, ManualClock, MessageAttributeValue, Queue, QueueAttributes, RedrivePolicy, SendMessage, Service,
        Timestamp,
        backend::{ErrorKind, MessageQueue, SqsQueue},
        worker::{
            BatchAnswer, BatchSettings, Failure, FailurePolicy, Job, Router, Runner, RunnerBuilder, RunnerError,
            RunnerReport,
        },
    },
    std::{
        sync::{Arc, Mutex},
        time::Duration,
    },
};

const HOUR: u64 = 3_600;

struct Stage<Q> {
    clock: ManualClock,
    service: Service,
    /// What the runner works on.
    queue: Q,
    /// The same, from inside.
    jobs: Queue,
    failed: Queue,
    log: Arc<Mutex<Vec<String>>>,
}

/// What came of it.
#[derive(Debug, PartialEq)]
struct Observed {
    log: Vec<String>,
    received: u64,
    retries: u64,
    succeeded: u64,
    failed: u64,
    postponed: u64,
    dead_lettered: u64,
    discarded: u64,
    lost: u64,
    not_deleted: u64,
    given_back: u64,
    heartbeats: u64,
    /// Messages visible, not visible, and delayed.
    left: [usize; 3],
    dead_letters: Vec<String>,
    took: Duration,
}

impl<Q: MessageQueue + Clone> Stage<Q> {
    fn new(fifo: bool, front: impl FnOnce(&Service, &ManualClock, &Queue) -> Q) -> Self {
        let clock = ManualClock::default();
        let service = Service::builder().clock(clock.clone()).seed(1).build();
        let suffix = if fifo { ".fifo" } else { "" };
        let create = |name: &str, attributes: QueueAttributes| {
            let attributes = if fifo { attributes.fifo_queue(true) } else { attributes };
            service.create_queue(&format!("{name}{suffix}"), attributes).unwrap()
        };
        let failed = create("failed", QueueAttributes::new());
        let policy = RedrivePolicy::new(failed.arn(), 100);
        let jobs = create("jobs", QueueAttributes::new().redrive_policy(policy));
        Self {
            queue: front(&service, &clock, &jobs),
            clock,
            service,
            jobs,
            failed,
            log: Arc::default(),
        }
    }

    fn send(&self, bodies: &[&str]) {
        for body in bodies {
            let mut message = SendMessage::new(*body);
            if self.jobs.is_fifo() {
                let (group, _) = body.split_once(' ').unwrap();
                message = message
                    .message_group_id(group)
                    .message_deduplication_id(body.replace(' ', "-"));
            }
            self.jobs.send(message).unwrap();
        }
    }

    fn runner(&self) -> RunnerBuilder<Q> {
        Runner::builder(&self.queue).failure_policy(FailurePolicy::RetryNow)
    }

    /// Notes that a handler begins a job, and returns how often one has.
    fn note(&self) -> impl Fn(&Job) -> usize + Clone + Send + Sync + 'static {
        let log = Arc::clone(&self.log);
        move |job| {
            let mut log = log.lock().unwrap();
            let same = |line: &&String| line.rsplit_once(' ').is_some_and(|(body, _)| body == job.body());
            let times = log.iter().filter(same).count() + 1;
            log.push(format!("{} {times}", job.body()));
            times
        }
    }

    fn observe(&self, start: Timestamp, report: &RunnerReport) -> Observed {
        let dead = self
            .failed
            .receive()
            .max_messages(10)
            .wait_time(Duration::ZERO)
            .blocking()
            .unwrap();
        Observed {
            log: self.log.lock().unwrap().clone(),
            received: report.received,
            retries: report.retries,
            succeeded: report.succeeded,
            failed: report.failed,
            postponed: report.postponed,
            dead_lettered: report.dead_lettered,
            discarded: report.discarded,
            lost: report.lost,
            not_deleted: report.not_deleted,
            given_back: report.given_back,
            heartbeats: report.heartbeats,
            left: counts(&self.jobs),
            dead_letters: dead.iter().map(|message| message.body().to_owned()).collect(),
            took: self.clock.now().saturating_duration_since(start),
        }
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

fn embedded(fifo: bool) -> Stage<Queue> {
    Stage::new(fifo, |_, _, queue| queue.clone())
}

fn sqs(fifo: bool) -> Stage<SqsQueue> {
    Stage::new(fifo, |service, clock, queue| {
        let client = Client::new(&service.sdk_config());
        pollster::block_on(SqsQueue::connect(client, queue.url()))
            .unwrap()
            .clock(clock.clone())
    })
}

/// Plays a scene on both queues and answers with what came of it, which has to be the same.
macro_rules! on_both {
    ($scene:ident, $fifo:expr) => {{
        let (here, there) = ($scene(embedded($fifo)), $scene(sqs($fifo)));
        assert_eq!(here, there);
        there
    }};
    // With what SQS has more of: it counts what is postponed, and a stop goes on with the leases until handlers end.
    ($scene:ident, $fifo:expr, $more:expr) => {{
        let (mut here, there) = ($scene(embedded($fifo)), $scene(sqs($fifo)));
        let more: fn(&mut Observed) = $more;
        more(&mut here);
        assert_eq!(here, there);
        there
    }};
}

/// Does what the body says.
fn handle(job: &Job, times: usize) -> Result<(), Failure> {
    match (job.body(), times) {
        ("fails twice", 1 | 2) => Err("not yet".into()),
        ("panics once", 1) => panic!("not yet"),
        ("comes later", 1) => Err(Failure::retry_after(secs(90), "not yet")),
        ("is bad", _) => Err(Failure::dead_letter("it is bad")),
        ("is old", _) => Err(Failure::discard("it is old")),
        _ => Ok(()),
    }
}

const BODIES: [&str; 6] = ["works", "fails twice", "panics once", "comes later", "is bad", "is old"];

#[test]
fn each() {
    fn scene<Q: MessageQueue + Clone>(stage: Stage<Q>) -> Observed {
        stage.send(&BODIES);
        let (start, note) = (stage.now(), stage.note());
        let runner = stage.runner().each(move |job: &Job| {
            let times = note(job);
            handle(job, times)
        });
        let runner = runner.unwrap();
        let (handle, clock) = (runner.handle(), stage.clock.clone());
        let stop = async {
            nap(&clock, secs(100)).await;
            handle.stop();
        };
        let (report, ()) = run(&stage.clock, join(runner.run(), stop));
        // The answer to a long poll of Amazon SQS is waited for.
        let took = stage.now().saturating_duration_since(start);
        run(&stage.clock, nap(&stage.clock, secs(120) - took));
        stage.observe(start, &report.unwrap())
    }
    let observed = on_both!(scene, false, |here| here.retries += 1);
    assert_eq!(
        (observed.received, observed.retries, observed.succeeded, observed.failed),
        (10, 4, 4, 5),
        "{observed:?}"
    );
    assert_eq!(observed.postponed, 1);
    assert_eq!(
        (observed.dead_lettered, observed.discarded, observed.left),
        (1, 1, [0, 0, 0])
    );
    assert_eq!(observed.dead_letters, ["is bad"]);
    assert_eq!(observed.took, secs(120));
    for done in ["works 1", "fails twice 3", "panics once 2", "comes later 2"] {
        assert!(observed.log.iter().any(|it| it == done), "{:?}", observed.log);
    }
}

#[test]
fn each_on_threads() {
    fn scene<Q: MessageQueue + Clone>(stage: Stage<Q>) -> Observed {
        stage.send(&BODIES[..3]);
        let (start, note) = (stage.now(), stage.note());
        let runner = stage
            .runner()
            .concurrency(2)
            .until_none_visible()
            .each(move |job: &Job| {
                let times = note(job);
                handle(job, times)
            });
        let report = runner.unwrap().blocking().unwrap();
        stage.log.lock().unwrap().sort();
        stage.observe(start, &report)
    }
    let observed = on_both!(scene, false);
    assert_eq!(
        observed.log,
        [
            "fails twice 1",
            "fails twice 2",
            "fails twice 3",
            "panics once 1",
            "panics once 2",
            "works 1"
        ]
    );
    assert_eq!((observed.succeeded, observed.failed, observed.left), (3, 3, [0, 0, 0]));
}

#[test]
fn each_routed_by_an_attribute() {
    fn scene<Q: MessageQueue + Clone>(stage: Stage<Q>) -> Observed {
        for (kind, body) in [
            (Some("resize"), "1"),
            (Some("dance"), "2"),
            (None, "3"),
            (Some("mail"), "4"),
        ] {
            let message = SendMessage::new(body);
            let message = match kind {
                Some(kind) => message.attribute("type", MessageAttributeValue::string(kind)),
                None => message,
            };
            stage.jobs.send(message).unwrap();
        }
        let (start, resize, mail) = (stage.now(), stage.note(), stage.note());
        let router = Router::by_attribute("type").otherwise_dead_letter();
        let router = router.route("resize", move |job: &Job| {
            resize(job);
            Ok::<(), String>(())
        });
        let router = router.route_async("mail", move |job: Job| {
            mail(&job);
            async { Ok::<(), String>(()) }
        });
        let runner = stage.runner().until_none_visible().each_routed(router).unwrap();
        let report = run(&stage.clock, runner.run()).unwrap();
        stage.observe(start, &report)
    }
    let observed = on_both!(scene, false);
    assert_eq!(observed.log, ["1 1", "4 1"]);
    assert_eq!((observed.succeeded, observed.dead_lettered), (2, 2));
    assert_eq!(observed.dead_letters, ["2", "3"]);
}

#[test]
fn each_async_with_heartbeats() {
    fn scene<Q: MessageQueue + Clone>(stage: Stage<Q>) -> Observed {
        stage.send(&["1", "2", "3", "4", "5", "6", "7"]);
        let (start, note, clock) = (stage.now(), stage.note(), stage.clock.clone());
        let runner = stage
            .runner()
            .concurrency(5)
            .prefetch(5)
            .until_none_visible()
            .each_async(move |job: Job| {
                let _ = note(&job);
                let clock = clock.clone();
                async move {
                    nap(&clock, secs(100)).await;
                    if job.is_held() {
                        Ok(())
                    } else {
                        Err("the lease is lost")
                    }
                }
            });
        let report = run(&stage.clock, runner.unwrap().run()).unwrap();
        stage.observe(start, &report)
    }
    let observed = on_both!(scene, false);
    assert_eq!(
        (observed.received, observed.retries, observed.succeeded, observed.lost),
        (7, 0, 7, 0),
        "{observed:?}"
    );
    assert!(observed.heartbeats >= 7 * 3, "{observed:?}");
    assert_eq!((observed.left, observed.took), ([0, 0, 0], secs(200)));
}

#[test]
fn heartbeats_of_a_timeout_that_is_no_whole_second() {
    fn scene<Q: MessageQueue + Clone>(stage: Stage<Q>) -> (u64, u64, u64, bool) {
        stage.send(&["1"]);
        let clock = stage.clock.clone();
        let runner = stage
            .runner()
            .visibility_timeout(Duration::from_millis(1_500))
            .until_none_visible();
        let runner = runner.each_async(move |_: Job| {
            let clock = clock.clone();
            async move {
                nap(&clock, secs(20)).await;
                Ok::<(), String>(())
            }
        });
        let report = run(&stage.clock, runner.unwrap().run()).unwrap();
        (report.received, report.succeeded, report.lost, report.heartbeats > 20)
    }
    assert_eq!(on_both!(scene, false), (1, 1, 0, true));
}

#[test]
fn a_lease_ends_after_twelve_hours() {
    // D26
    fn scene<Q: MessageQueue + Clone>(stage: Stage<Q>) -> Observed {
        stage.send(&["long"]);
        let (start, note, clock) = (stage.now(), stage.note(), stage.clock.clone());
        let runner = stage
            .runner()
            .visibility_timeout(secs(HOUR))
            .until_none_visible()
            .each_async(move |job: Job| {
                let _ = note(&job);
                let clock = clock.clone();
                async move {
                    job.lease_lost().await;
                    nap(&clock, secs(60)).await;
                    Err::<(), _>("the lease is lost")
                }
            });
        let runner = runner.unwrap();
        let (handle, clock) = (runner.handle(), stage.clock.clone());
        let stop = async {
            nap(&clock, secs(12 * HOUR + 30)).await;
            handle.stop();
        };
        let (report, ()) = run(&stage.clock, join(runner.run(), stop));
        stage.observe(start, &report.unwrap())
    }
    let observed = on_both!(scene, false);
    assert_eq!(
        (observed.received, observed.lost, observed.failed),
        (1, 1, 1),
        "{observed:?}"
    );
    assert_eq!(observed.left, [1, 0, 0], "it is there for others");
}

#[test]
fn batch() {
    fn scene<Q: MessageQueue + Clone>(stage: Stage<Q>) -> Observed {
        stage.send(&["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12"]);
        let (start, note) = (stage.now(), stage.note());
        let runner = stage
            .runner()
            .until_none_visible()
            .batch(BatchSettings::new(5), move |jobs: &[Job]| {
                jobs.iter().for_each(|job| {
                    let _ = note(job);
                });
                let odd =
                    |job: &&Job| job.body().parse::<u32>().unwrap() % 2 == 1 && job.approximate_receive_count() == 1;
                let failed = jobs.iter().filter(odd);
                failed.fold(BatchAnswer::success(), |answer, job| answer.fail(job, "not yet"))
            });
        let report = run(&stage.clock, runner.unwrap().run()).unwrap();
        stage.log.lock().unwrap().sort();
        stage.observe(start, &report)
    }
    let observed = on_both!(scene, false);
    assert_eq!(
        (observed.received, observed.succeeded, observed.failed, observed.left),
        (18, 12, 6, [0, 0, 0]),
        "{observed:?}"
    );
    assert_eq!(observed.log.iter().filter(|it| it.ends_with(" 2")).count(), 6);
}

#[test]
fn fifo() {
    fn scene<Q: MessageQueue + Clone>(stage: Stage<Q>) -> Observed {
        stage.send(&["a 1", "b 1", "a 2", "b 2", "a 3", "b bad", "a 4", "b 4"]);
        let (start, note) = (stage.now(), stage.note());
        let runner = stage
            .runner()
            .concurrency(4)
            .until_none_visible()
            .each(move |job: &Job| {
                let times = note(job);
                match (job.body(), times) {
                    ("a 2", 1) => Err("not yet".into()),
                    ("b bad", _) => Err(Failure::dead_letter("it is bad")),
                    _ => Ok(()),
                }
            });
        let report = run(&stage.clock, runner.unwrap().run()).unwrap();
        // How groups interleave is nobody's promise.
        stage.log.lock().unwrap().sort_by_key(|line| line.as_bytes()[0]);
        stage.observe(start, &report)
    }
    let observed = on_both!(scene, true);
    let group = |group: &str| -> Vec<_> { observed.log.iter().filter(|it| it.starts_with(group)).collect() };
    assert_eq!(group("a"), ["a 1 1", "a 2 1", "a 2 2", "a 3 1", "a 4 1"]);
    assert_eq!(group("b"), ["b 1 1", "b 2 1", "b bad 1", "b 4 1"]);
    assert_eq!(
        (observed.succeeded, observed.dead_lettered, observed.left),
        (7, 1, [0, 0, 0])
    );
    assert_eq!(observed.dead_letters, ["b bad"]);
}

#[test]
fn a_stop_gives_back_what_is_not_begun() {
    fn scene<Q: MessageQueue + Clone>(stage: Stage<Q>) -> Observed {
        stage.send(&["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11"]);
        let (start, note, clock) = (stage.now(), stage.note(), stage.clock.clone());
        let runner = stage.runner().concurrency(2).prefetch(8).each_async(move |job: Job| {
            let _ = note(&job);
            let clock = clock.clone();
            async move {
                nap(&clock, secs(25)).await;
                Ok::<(), String>(())
            }
        });
        let runner = runner.unwrap();
        let (handle, clock) = (runner.handle(), stage.clock.clone());
        let stop = async {
            nap(&clock, secs(10)).await;
            handle.stop();
        };
        let (report, ()) = run(&stage.clock, join(runner.run(), stop));
        stage.observe(start, &report.unwrap())
    }
    let observed = on_both!(scene, false, |here| here.heartbeats += 8);
    assert_eq!(
        (observed.received, observed.succeeded, observed.given_back),
        (10, 2, 8),
        "{observed:?}"
    );
    assert_eq!((observed.left, observed.took), ([9, 0, 0], secs(25)));
}

#[test]
fn a_stop_ends_the_long_poll_of_a_thread() {
    fn scene<Q: MessageQueue + Clone>(stage: Stage<Q>) -> Observed {
        let start = stage.now();
        let running = stage
            .runner()
            .each(|_: &Job| Ok::<(), String>(()))
            .unwrap()
            .spawn()
            .unwrap();
        stage.jobs.wait_for_waiters(1);
        running.handle().stop();
        // The answer to a long poll of Amazon SQS is waited for.
        stage.clock.advance(secs(20));
        let report = running.join().unwrap();
        stage.observe(start, &report)
    }
    let observed = on_both!(scene, false);
    assert_eq!((observed.received, observed.took), (0, secs(20)));
}

#[test]
fn a_deleted_queue_ends_the_runner_when_it_has_finished_what_it_holds() {
    fn scene<Q: MessageQueue + Clone>(stage: Stage<Q>) -> (ErrorKind, u64, Vec<String>) {
        stage.send(&["1"]);
        let (log, clock) = (Arc::clone(&stage.log), stage.clock.clone());
        let runner = stage.runner().concurrency(2).each_async(move |job: Job| {
            let (log, clock) = (Arc::clone(&log), clock.clone());
            async move {
                nap(&clock, secs(25)).await;
                log.lock().unwrap().push(job.body().to_owned());
                Ok::<(), String>(())
            }
        });
        let (clock, url) = (stage.clock.clone(), stage.jobs.url().to_owned());
        let delete = async {
            nap(&clock, secs(5)).await;
            stage.service.delete_queue(&url).unwrap();
        };
        let (result, ()) = run(&stage.clock, join(runner.unwrap().run(), delete));
        let Err(RunnerError::Queue { error, report, .. }) = result else {
            panic!("it ended well");
        };
        (error.kind, report.received, stage.log.lock().unwrap().clone())
    }
    let expected = (ErrorKind::QueueDoesNotExist, 1, vec!["1".to_owned()]);
    assert_eq!(on_both!(scene, false), expected);
}
