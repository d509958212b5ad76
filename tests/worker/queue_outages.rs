//! Several queues in one runner, one of which fails: the others are neither starved nor slowed down.

use {
    super::{
        driver::{Run, World},
        notes::{Notes, error},
    },
    crate::{
        common::forward::forward,
        common::{counts, secs},
    },
    requeue::{
        Clock, Queue,
        backend::{
            ErrorKind, MessageCounts, MessageQueue, MessageQueueError, QueueSet, ReceiveRequest, ReceivedMessage,
        },
        worker::{Job, Runner, RunnerBuilder, RunnerError, RunnerEvent, RunnerReport},
    },
    std::{
        sync::{Arc, Mutex},
        time::Duration,
    },
};

/// A queue whose receives and counts fail while it is down.
#[derive(Clone)]
struct Flaky {
    queue: Queue,
    is_near: bool,
    down: Arc<Mutex<Option<ErrorKind>>>,
    receives: Arc<Mutex<u32>>,
}

impl Flaky {
    fn up(&self) -> Result<(), MessageQueueError> {
        self.down.lock().unwrap().map_or(Ok(()), |kind| Err(error(kind)))
    }

    fn set_down(&self, down: Option<ErrorKind>) {
        *self.down.lock().unwrap() = down;
    }
}

impl MessageQueue for Flaky {
    forward!(self.queue: url is_fifo visibility_timeout clock limits restores_receive_count send delete release);
    forward!(self.queue: change_visibility postpone dead_letter report_failure);

    fn is_in_process(&self) -> bool {
        self.is_near
    }

    async fn receive(&self, request: ReceiveRequest) -> Result<Vec<ReceivedMessage>, MessageQueueError> {
        *self.receives.lock().unwrap() += 1;
        self.up()?;
        MessageQueue::receive(&self.queue, request).await
    }

    async fn counts(&self) -> Result<MessageCounts, MessageQueueError> {
        self.up()?;
        MessageQueue::counts(&self.queue).await
    }
}

fn queues(world: &World, is_near: bool) -> [Flaky; 2] {
    ["high", "low"].map(|name| Flaky {
        queue: Queue::standard(name)
            .visibility_timeout(secs(30))
            .clock(world.clock.clone())
            .build()
            .unwrap(),
        is_near,
        down: Arc::default(),
        receives: Arc::default(),
    })
}

fn set(queues: [Flaky; 2], by_weight: bool) -> QueueSet<Flaky> {
    let set = if by_weight {
        QueueSet::by_weight(queues.map(|queue| (queue, 1)))
    } else {
        QueueSet::by_priority(queues)
    };
    set.unwrap()
}

/// Each kind of set, with either queue broken: the set, the broken queue and the other one.
fn all(world: impl Fn() -> World, mut check: impl FnMut(World, QueueSet<Flaky>, Flaky, Flaky, &str)) {
    for (is_near, by_weight, at) in (0..8).map(|bits| (bits & 1 > 0, bits & 2 > 0, bits >> 2)) {
        let world = world();
        let both = queues(&world, is_near);
        let (broken, healthy) = (both[at].clone(), both[1 - at].clone());
        let name = format!("in process {is_near}, by weight {by_weight}, broken {at}");
        check(world, set(both, by_weight), broken, healthy, &name);
    }
}

type Ended = Run<Result<RunnerReport, RunnerError>>;

/// Starts a runner that notes how long each message waited.
fn start(world: &mut World, builder: RunnerBuilder<QueueSet<Flaky>>, waits: &Arc<Mutex<Vec<Duration>>>) -> Ended {
    let (clock, waits) = (world.clock.clone(), Arc::clone(waits));
    let runner = builder.each(move |job: &Job| {
        let wait = clock.now().saturating_duration_since(job.sent_timestamp());
        waits.lock().unwrap().push(wait);
        Ok::<(), String>(())
    });
    world.start(runner.unwrap().run())
}

#[test]
fn messages_of_a_healthy_queue_wait_for_no_queue_that_fails() {
    for kind in [ErrorKind::Transient, ErrorKind::Denied] {
        all(World::new, |mut world, set, broken, healthy, name| {
            broken.set_down(Some(kind));
            let (waits, notes) = (Arc::default(), Notes::new());
            let builder = Runner::builder(&set).on_event(notes.events());
            let handle = builder.handle();
            let run = start(&mut world, builder, &waits);
            for _ in 0..60 {
                world.advance(secs(7));
                healthy.queue.send("x").unwrap();
            }
            world.advance(secs(7));
            let longest = waits.lock().unwrap().iter().max().copied();
            assert!(longest <= Some(Duration::from_millis(1_200)), "{name}: {longest:?}");
            let report = handle.report();
            assert_eq!(report.succeeded, 60, "{name}");
            assert!((20..60).contains(&report.receive_errors), "{name}: {report}");
            assert_eq!(notes.take().len() as u64, report.receive_errors);
            assert!(*broken.receives.lock().unwrap() < 60, "the pauses grow");
            broken.queue.send("late").unwrap();
            broken.set_down(None);
            world.advance(secs(22));
            assert_eq!(
                (handle.report().succeeded, counts(&broken.queue)),
                (61, [0, 0, 0]),
                "{name}"
            );
            handle.stop();
            assert!(world.finish(run).is_ok());
        });
    }
}

#[test]
fn a_busy_queue_is_worked_on_while_another_fails_whose_error_is_told_and_names_it() {
    all(World::new, |mut world, set, broken, healthy, name| {
        broken.set_down(Some(ErrorKind::Transient));
        for number in 0..2_000 {
            healthy.queue.send(number.to_string()).unwrap();
        }
        let errors: Arc<Mutex<Vec<String>>> = Arc::default();
        let told = Arc::clone(&errors);
        let builder = Runner::builder(&set).concurrency(4).on_event(move |event| {
            if let RunnerEvent::ReceiveFailed { error, .. } = event {
                told.lock().unwrap().push(error.to_string());
            }
        });
        let handle = builder.handle();
        let run = start(&mut world, builder, &Arc::default());
        world.advance(secs(1));
        assert_eq!(handle.report().succeeded, 2_000, "{name}");
        let errors = errors.lock().unwrap();
        assert!((1..=4).contains(&errors.len()), "{name}: {errors:?}");
        let expected = format!("Scripted: as the script says (queue {})", broken.queue.url());
        assert!(errors.iter().all(|error| *error == expected), "{errors:?}");
        world.kill(&run);
    });
}

#[test]
fn a_queue_that_fails_is_not_taken_for_an_empty_one() {
    for none_left in [false, true] {
        all(World::new, |mut world, set, broken, healthy, name| {
            broken.set_down(Some(ErrorKind::Transient));
            for queue in [&broken, &healthy] {
                queue.queue.send("x").unwrap();
            }
            let builder = Runner::builder(&set).concurrency(3);
            let builder = if none_left {
                builder.until_none_left()
            } else {
                builder.until_none_visible()
            };
            let handle = builder.handle();
            let run = start(&mut world, builder, &Arc::default());
            for done in 1..=5 {
                world.advance(secs(25));
                assert_eq!(handle.report().succeeded, done, "{name}");
                healthy.queue.send("more").unwrap();
            }
            assert!(!world.is_over(&run), "{name}");
            broken.set_down(None);
            assert_eq!(world.finish(run).unwrap().succeeded, 7, "{name}");
        });
    }
}

#[test]
fn an_outage_lasts_while_no_queue_answers() {
    for (is_near, by_weight) in [(false, false), (false, true), (true, false), (true, true)] {
        let mut world = World::new();
        let both = queues(&world, is_near);
        both[0].set_down(Some(ErrorKind::Transient));
        let set = set(both.clone(), by_weight);
        let builder = Runner::builder(&set).outage_timeout(secs(60));
        let run = start(&mut world, builder, &Arc::default());
        world.advance(secs(600));
        assert!(!world.is_over(&run), "the other one answers");
        both[1].set_down(Some(ErrorKind::Denied));
        world.advance(secs(90));
        let error = world.over(run).unwrap_err();
        assert!(matches!(error, RunnerError::Queue { .. }), "{error}");
    }
}

#[test]
fn an_error_that_will_not_pass_ends_the_runner_whatever_the_others_do() {
    for kind in [ErrorKind::QueueDoesNotExist, ErrorKind::Refused] {
        all(World::new, |mut world, set, broken, _, name| {
            let run = start(&mut world, Runner::builder(&set), &Arc::default());
            world.advance(secs(3));
            broken.set_down(Some(kind));
            world.advance(secs(21));
            let RunnerError::Queue { error, .. } = world.over(run).unwrap_err() else {
                panic!("{name}")
            };
            assert_eq!(error.kind, kind, "{name}");
            assert!(error.message.contains(broken.queue.url()), "{error}");
        });
    }
}
