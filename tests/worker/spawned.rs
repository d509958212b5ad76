//! Handlers whose futures an executor polls: tokio's, and one by hand that polls, keeps or drops them.

use {
    super::{
        driver::{World, after},
        notes::Notes,
    },
    crate::common::{counts, numbered, secs, standard},
    requeue::{
        ManualClock, MessageAttributeValue, SendMessage,
        worker::{BatchAnswer, BatchSettings, FailurePolicy, HandlerFuture, Job, Router, Runner},
    },
    std::{
        future::{Future, pending, poll_fn},
        panic::resume_unwind,
        pin::Pin,
        sync::{Arc, Barrier, Mutex},
        task::{Context, Poll, Wake, Waker},
    },
    tokio::runtime::{self, Runtime},
};

fn tokio_of(threads: usize) -> Runtime {
    runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .build()
        .unwrap()
}

/// An executor by hand: it keeps the futures until it is told to poll or to drop them.
#[derive(Clone, Default)]
struct Executor {
    tasks: Arc<Mutex<Vec<HandlerFuture>>>,
    woken: Arc<Count>,
}

#[derive(Default)]
struct Count(Mutex<usize>);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        *self.0.lock().unwrap() += 1;
    }
}

impl Executor {
    fn spawn(&self) -> impl Fn(HandlerFuture) + use<> {
        let tasks = Arc::clone(&self.tasks);
        move |future| tasks.lock().unwrap().push(future)
    }

    /// Polls every task once; returns how many have ended, which are dropped.
    fn poll(&self) -> usize {
        let waker = Waker::from(Arc::clone(&self.woken));
        let mut tasks = std::mem::take(&mut *self.tasks.lock().unwrap());
        let before = tasks.len();
        tasks.retain_mut(|task| Pin::new(task).poll(&mut Context::from_waker(&waker)).is_pending());
        let ended = before - tasks.len();
        self.tasks.lock().unwrap().extend(tasks);
        ended
    }

    fn drop_all(&self) {
        let tasks = std::mem::take(&mut *self.tasks.lock().unwrap());
        drop(tasks);
    }

    fn tasks(&self) -> usize {
        self.tasks.lock().unwrap().len()
    }

    fn woken(&self) -> usize {
        *self.woken.0.lock().unwrap()
    }
}

/// Writes down when it is dropped.
struct Dropped(Notes, &'static str);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.write(self.1);
    }
}

#[test]
fn handlers_spawned_on_tokio_run_in_parallel() {
    let jobs = numbered(&ManualClock::default(), 8);
    let tokio = tokio_of(2);
    let both = Arc::new(Barrier::new(2));
    let runner = Runner::builder(&jobs).concurrency(2).until_none_visible();
    let runner = runner.each_async(move |_: Job| {
        let both = Arc::clone(&both);
        async move {
            tokio::task::yield_now().await;
            // Two threads are in their handlers at the same time.
            both.wait();
            Ok::<(), String>(())
        }
    });
    let runner = runner.unwrap().spawn_handlers(tokio::spawn);
    let report = tokio.block_on(runner.run()).unwrap();
    assert_eq!((report.succeeded, report.failed, counts(&jobs)), (8, 0, [0, 0, 0]));
}

#[test]
fn threads_and_batches_await_spawned_handlers_too() {
    let jobs = numbered(&ManualClock::default(), 20);
    let tokio = tokio_of(2);
    let runner = Runner::builder(&jobs).concurrency(2).until_none_visible();
    let entered = tokio.handle().clone();
    let runner = runner.wrap_threads(move |work| {
        let _entered = entered.enter();
        work();
    });
    let handler = |batch: Vec<Job>| async move {
        tokio::task::yield_now().await;
        let bad = batch.iter().filter(|job| job.body() == "7");
        bad.fold(BatchAnswer::success(), |answer, job| answer.fail(job, "unlucky"))
    };
    let runner = runner.batch_async(BatchSettings::new(3), handler).unwrap();
    let report = runner.spawn_handlers(tokio::spawn).blocking().unwrap();
    assert_eq!((report.succeeded, report.failed), (19, 1));
}

#[test]
fn a_panic_in_a_spawned_handler_is_one_of_the_handler() {
    let mut world = World::new();
    let (jobs, tokio, notes) = (numbered(&world.clock, 3), tokio_of(1), Notes::new());
    let runner = Runner::builder(&jobs).until_none_visible().on_event(notes.events());
    let handler = |job: Job| async move {
        match job.body() {
            "1" => resume_unwind(Box::new("no image")),
            "2" => Err("too wide"),
            _ => Ok(()),
        }
    };
    let runner = runner.each_async(handler).unwrap();
    let runner = runner.spawn_handlers(move |future| tokio.spawn(future));
    let report = pollster::block_on(runner.run()).unwrap();
    assert_eq!((report.succeeded, report.failed, report.panicked), (1, 2, 1));
    let lines = [
        "1 failed by Panic: the handler panicked: no image",
        "2 failed by Answer: too wide",
    ];
    assert_eq!(notes.take(), lines);
    // The function that makes the future panics, or what spawns it.
    for spawns in [false, true] {
        let jobs = numbered(&world.clock, 1);
        let spawn = |_: HandlerFuture| resume_unwind(Box::new("no runtime"));
        let handler = move |_: Job| {
            if !spawns {
                resume_unwind(Box::new("no future"));
            }
            pending::<Result<(), String>>()
        };
        let runner = Runner::builder(&jobs).until_none_visible();
        let runner = runner.each_async(handler).unwrap().spawn_handlers(spawn);
        assert_eq!(world.run(runner.run()).unwrap().panicked, 1);
    }
}

#[test]
fn a_future_that_the_executor_drops_has_failed() {
    for polled in [false, true] {
        let mut world = World::new();
        let (jobs, executor, notes) = (numbered(&world.clock, 1), Executor::default(), Notes::new());
        let lines = notes.clone();
        let runner = Runner::builder(&jobs).on_event(notes.events()).until_none_visible();
        let runner = runner.failure_policy(FailurePolicy::RetryNow);
        let runner = runner.each_async(move |job: Job| {
            let dropped = Dropped(lines.clone(), "dropped");
            async move {
                if job.approximate_receive_count() == 1 {
                    pending::<()>().await;
                }
                drop(dropped);
                Ok::<(), String>(())
            }
        });
        let run = world.start(runner.unwrap().spawn_handlers(executor.spawn()).run());
        world.settle();
        if polled {
            assert_eq!(executor.poll(), 0);
        }
        executor.drop_all();
        world.settle();
        let reason = "0 failed by Answer: the executor dropped the future of the handler before it ended";
        assert_eq!(notes.take(), ["dropped", reason]);
        assert_eq!(executor.poll(), 1, "it is tried again");
        let report = world.finish(run).unwrap();
        assert_eq!((report.succeeded, report.failed, report.panicked), (1, 1, 0));
    }
}

#[test]
fn a_future_that_is_never_polled_is_dropped_by_the_handler_timeout_and_by_a_stop() {
    for polled in [false, true] {
        for by_stop in [false, true] {
            let mut world = World::new();
            let (jobs, executor, notes) = (
                numbered(&world.clock, 1),
                Executor::default(),
                Notes::timed(&world.clock),
            );
            let lines = notes.clone();
            let builder = Runner::builder(&jobs).shutdown_timeout(secs(20));
            let builder = if by_stop {
                builder
            } else {
                builder.handler_timeout(secs(20))
            };
            let runner = builder.each_async(move |_: Job| {
                let dropped = Dropped(lines.clone(), "dropped");
                async move {
                    let _dropped = dropped;
                    pending::<Result<(), String>>().await
                }
            });
            let runner = runner.unwrap().spawn_handlers(executor.spawn());
            let handle = runner.handle();
            let run = world.start(runner.run());
            world.settle();
            if polled {
                assert_eq!(executor.poll(), 0);
            }
            if by_stop {
                handle.stop();
            }
            world.advance(secs(20));
            assert_eq!(notes.take(), ["20000 dropped"]);
            assert_eq!((executor.tasks(), executor.woken()), (1, usize::from(polled)));
            assert_eq!(executor.poll(), 1, "its task ends");
            handle.stop();
            let report = world.finish(run).unwrap();
            let expected = if by_stop { (0, 1) } else { (1, 0) };
            assert_eq!((report.timed_out, report.abandoned), expected);
        }
    }
}

#[test]
fn a_future_that_is_given_up_while_it_is_polled_is_dropped_by_the_end_of_that_poll() {
    let jobs = numbered(&ManualClock::default(), 1);
    let (executor, notes) = (Executor::default(), Notes::new());
    let lines = notes.clone();
    // The future drops the runner that awaits it, as another thread might at that moment.
    type Drops = Box<dyn FnOnce() + Send>;
    let run: Arc<Mutex<Option<Drops>>> = Arc::default();
    let kill = Arc::clone(&run);
    let runner = Runner::builder(&jobs).each_async(move |_: Job| {
        let (dropped, lines, kill) = (Dropped(lines.clone(), "dropped"), lines.clone(), Arc::clone(&kill));
        poll_fn(move |_| {
            let _ = &dropped;
            if let Some(kill) = kill.lock().unwrap().take() {
                kill();
            }
            lines.write("polled");
            Poll::<Result<(), String>>::Pending
        })
    });
    let runner = Box::pin(runner.unwrap().spawn_handlers(executor.spawn()).run());
    let place = Arc::new(Mutex::new(Some(runner)));
    let mut context = Context::from_waker(Waker::noop());
    let polled = place
        .lock()
        .unwrap()
        .as_mut()
        .map(|runner| runner.as_mut().poll(&mut context));
    assert!(matches!(polled, Some(Poll::Pending)));
    *run.lock().unwrap() = Some(Box::new(move || drop(place.lock().unwrap().take())));
    let mut task = executor.tasks.lock().unwrap().pop().unwrap();
    assert!(Pin::new(&mut task).poll(&mut context).is_ready(), "its task ends");
    assert_eq!(notes.take(), ["polled", "dropped"]);
}

#[test]
fn a_spawned_handler_may_end_before_it_is_awaited() {
    let mut world = World::new();
    let jobs = numbered(&world.clock, 3);
    let clock = world.clock.clone();
    let inline = |future: HandlerFuture| pollster::block_on(future);
    let handler = move |_: Job| {
        let no_pause = after(&clock, secs(0));
        async move {
            no_pause.await;
            Ok::<(), String>(())
        }
    };
    let runner = Runner::builder(&jobs).until_none_visible().each_async(handler);
    let runner = runner.unwrap().spawn_handlers(inline);
    assert_eq!(world.run(runner.run()).unwrap().succeeded, 3);
}

/// Whether this thread is one of tokio's.
fn on_tokio() -> bool {
    runtime::Handle::try_current().is_ok()
}

#[test]
fn spawned_handlers_are_given_the_state_of_their_runner() {
    let (clock, tokio) = (ManualClock::default(), tokio_of(2));
    let spawn = |tokio: &Runtime| {
        let tokio = tokio.handle().clone();
        move |future| tokio.spawn(future)
    };
    let done = Notes::new();
    let runner = Runner::builder(&numbered(&clock, 3))
        .state(done.clone())
        .until_none_visible();
    let runner = runner.each_async(|job: Job, done: Notes| async move {
        done.write(format!("{} on tokio {}", job.body(), on_tokio()));
        Ok::<(), String>(())
    });
    let report = pollster::block_on(runner.unwrap().spawn_handlers(spawn(&tokio)).run()).unwrap();
    assert_eq!(report.succeeded, 3);
    assert_eq!(done.take(), ["0 on tokio true", "1 on tokio true", "2 on tokio true"]);

    let runner = Runner::builder(&numbered(&clock, 3))
        .state(done.clone())
        .until_none_visible();
    let runner = runner.batch_async(BatchSettings::new(3), |batch: Vec<Job>, done: Notes| async move {
        done.write(format!("{} on tokio {}", batch.len(), on_tokio()));
        BatchAnswer::success()
    });
    let report = runner.unwrap().spawn_handlers(spawn(&tokio)).blocking().unwrap();
    assert_eq!((report.succeeded, done.take()), (3, vec!["3 on tokio true".to_owned()]));
}

#[test]
fn async_routes_are_spawned_with_their_state_and_functions_run_in_place() {
    let (clock, tokio, done) = (ManualClock::default(), tokio_of(1), Notes::new());
    let jobs = standard(&clock).build().unwrap();
    for name in ["async", "plain", "other"] {
        let kind = MessageAttributeValue::string(name);
        jobs.send(SendMessage::new(name).attribute("type", kind)).unwrap();
    }
    let write = |done: &Notes, what: &str| {
        done.write(format!("{what} on tokio {}", on_tokio()));
        Ok::<(), String>(())
    };
    let router = Router::by_attribute("type")
        .state(done.clone())
        .route_async("async", move |_: Job, done: Notes| async move { write(&done, "async") })
        .route("plain", move |_: &Job, done: &Notes| write(done, "plain"))
        .otherwise_async(move |_: Job, done: Notes| async move { write(&done, "other") });
    let runner = Runner::builder(&jobs).until_none_visible().each_routed(router).unwrap();
    let runner = runner.spawn_handlers(move |future| tokio.spawn(future));
    assert_eq!(pollster::block_on(runner.run()).unwrap().succeeded, 3);
    assert_eq!(
        done.take(),
        ["async on tokio true", "plain on tokio false", "other on tokio true"]
    );
}

#[test]
fn a_batch_whose_future_is_dropped_fails_as_a_whole() {
    let mut world = World::new();
    let (jobs, executor) = (numbered(&world.clock, 3), Executor::default());
    let runner = Runner::builder(&jobs).until_none_visible();
    let runner = runner.batch_async(BatchSettings::new(3), |_: Vec<Job>| pending::<BatchAnswer>());
    let run = world.start(runner.unwrap().spawn_handlers(executor.spawn()).run());
    world.settle();
    executor.drop_all();
    assert_eq!(world.over(run).unwrap().failed, 3);
}
