//! The contenders: each works off messages of 256 bytes that are there before the time begins.

use {
    super::driver::Entrant,
    apalis::prelude::{MemoryStorage, ParallelizeExt, TaskSink, WorkerBuilder, WorkerBuilderExt, WorkerError},
    omniqueue::backends::InMemoryBackend,
    requeue::{
        Queue,
        worker::{Job, Runner},
    },
    std::{
        future::Future,
        hint::black_box,
        iter,
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
        thread,
        time::{Duration, Instant},
    },
    tokio::{
        runtime::{self, Runtime},
        sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc},
    },
};

/// How many async handlers may be at work at once.
pub(crate) const MANY: usize = 100;

/// What a handler does: it looks at the first byte.
fn handle(body: &[u8]) {
    black_box(body[0]);
}

fn bodies(messages: usize) -> impl Iterator<Item = String> {
    iter::repeat_with(|| "x".repeat(256)).take(messages)
}

/// Answers nanoseconds a message.
fn entrant(name: &'static str, run: impl Fn(usize) -> Duration + 'static) -> Entrant {
    Entrant {
        name,
        run: Box::new(move |messages| run(messages).as_nanos() as f64 / messages as f64),
    }
}

/// What is timed, under a name that a profiler can find.
#[inline(never)]
fn span_of(work: impl FnOnce()) -> Duration {
    let begun = Instant::now();
    work();
    begun.elapsed()
}

fn on_queue(name: &'static str, work: impl Fn(&Queue) + 'static) -> Entrant {
    entrant(name, move |messages| {
        let jobs = Queue::standard("jobs").build().expect("a legal queue");
        for body in bodies(messages) {
            jobs.send(body).expect("a legal message");
        }
        let span = span_of(|| work(&jobs));
        assert!(jobs.snapshot().messages.is_empty(), "every message was deleted");
        span
    })
}

pub(crate) fn runner(name: &'static str, threads: usize, prefetch: usize) -> Entrant {
    on_queue(name, move |jobs| {
        let runner = Runner::builder(jobs)
            .concurrency(threads)
            .prefetch(prefetch)
            .until_none_visible();
        let runner = runner.each(|job: &Job| {
            handle(job.body().as_bytes());
            Ok::<(), String>(())
        });
        runner.expect("a legal runner").blocking().expect("a queue that stays");
    })
}

pub(crate) fn future(name: &'static str, concurrency: usize) -> Entrant {
    on_queue(name, move |jobs| {
        let runner = Runner::builder(jobs).concurrency(concurrency).until_none_visible();
        let runner = runner.each_async(|job: Job| async move {
            handle(job.body().as_bytes());
            Ok::<(), String>(())
        });
        pollster::block_on(runner.expect("a legal runner").run()).expect("a queue that stays");
    })
}

pub(crate) fn by_hand(name: &'static str, threads: usize, at_once: usize) -> Entrant {
    let work = move |jobs: &Queue| {
        loop {
            let receive = jobs.receive().max_messages(at_once);
            let received = receive.blocking().expect("a legal receive");
            if received.is_empty() {
                return;
            }
            for message in received {
                handle(message.body().as_bytes());
                message.delete().expect("a message of this queue");
            }
        }
    };
    on_queue(name, move |jobs| {
        thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| work(jobs));
            }
        });
    })
}

fn tokio_on(threads: usize) -> Runtime {
    let runtime = match threads {
        1 => runtime::Builder::new_current_thread().build(),
        _ => runtime::Builder::new_multi_thread().worker_threads(threads).build(),
    };
    runtime.expect("threads")
}

/// Runs `work` on the threads of the runtime alone: the thread that calls sleeps, or is the runtime's only one.
fn run_on<T: Send + 'static>(runtime: &Runtime, work: impl Future<Output = T> + Send + 'static) -> T {
    runtime.block_on(runtime.spawn(work)).expect("no panic")
}

async fn permit(permits: &Arc<Semaphore>) -> OwnedSemaphorePermit {
    let permit = Arc::clone(permits).acquire_owned();
    permit.await.expect("a semaphore that stays open")
}

/// Waits until every handler has given its permit back.
async fn all_done(permits: &Semaphore) {
    let permits = permits.acquire_many(MANY as u32);
    drop(permits.await.expect("a semaphore that stays open"));
}

pub(crate) fn spawn_from_queue(threads: usize) -> Entrant {
    let runtime = tokio_on(threads);
    on_queue("spawn, requeue", move |jobs| {
        let jobs = jobs.clone();
        run_on(&runtime, async move {
            let permits = Arc::new(Semaphore::new(MANY));
            loop {
                let received = jobs.receive().max_messages(10).await.expect("a legal receive");
                if received.is_empty() {
                    break;
                }
                for message in received {
                    let permit = permit(&permits).await;
                    tokio::spawn(async move {
                        handle(message.body().as_bytes());
                        message.delete().expect("a message of this queue");
                        drop(permit);
                    });
                }
            }
            all_done(&permits).await;
        });
    })
}

pub(crate) fn spawn_from_channel(threads: usize) -> Entrant {
    let runtime = tokio_on(threads);
    entrant("spawn, channel", move |messages| {
        let (sender, mut receiver) = mpsc::unbounded_channel();
        for body in bodies(messages) {
            sender.send(body).expect("a receiver");
        }
        drop(sender);
        let work = async move {
            let permits = Arc::new(Semaphore::new(MANY));
            while let Some(body) = receiver.recv().await {
                let permit = permit(&permits).await;
                tokio::spawn(async move {
                    handle(body.as_bytes());
                    drop(permit);
                });
            }
            all_done(&permits).await;
        };
        span_of(|| run_on(&runtime, work))
    })
}

/// How many tasks the worker of apalis still has to handle: its storage does not say when it is empty.
static LEFT: AtomicUsize = AtomicUsize::new(0);
static NONE_LEFT: Notify = Notify::const_new();

async fn count_down(body: String) {
    handle(body.as_bytes());
    if LEFT.fetch_sub(1, Ordering::Relaxed) == 1 {
        NONE_LEFT.notify_one();
    }
}

async fn none_left() -> Result<(), WorkerError> {
    NONE_LEFT.notified().await;
    Ok(())
}

/// A worker of apalis with the layers that the expression adds to its builder.
macro_rules! apalis_with {
    ($name:literal, $threads:expr, $builder:ident => $layered:expr) => {{
        let runtime = tokio_on($threads);
        entrant($name, move |messages| {
            LEFT.store(messages, Ordering::Relaxed);
            let mut storage = MemoryStorage::new();
            pollster::block_on(async {
                for body in bodies(messages) {
                    storage.push(body).await.expect("a storage that is open");
                }
            });
            let $builder = WorkerBuilder::new("peer").backend(storage);
            let worker = $layered.build(count_down);
            let span = span_of(|| run_on(&runtime, worker.run_until(none_left())).expect("a worker that stops"));
            assert_eq!(LEFT.load(Ordering::Relaxed), 0, "every task was handled");
            span
        })
    }};
}

pub(crate) fn apalis(threads: usize) -> Entrant {
    apalis_with!("apalis", threads, builder => builder)
}

pub(crate) fn apalis_bounded(threads: usize) -> Entrant {
    apalis_with!("apalis, bounded", threads, builder => builder.concurrency(MANY))
}

pub(crate) fn apalis_spawned(threads: usize) -> Entrant {
    apalis_with!("apalis, spawned", threads, builder => builder.concurrency(MANY).parallelize(tokio::spawn))
}

pub(crate) fn omniqueue(threads: usize) -> Entrant {
    let runtime = tokio_on(threads);
    entrant("omniqueue", move |messages| {
        let mut consumer = pollster::block_on(async {
            let pair = InMemoryBackend::builder().build_pair().await;
            let (producer, consumer) = pair.expect("a legal queue");
            for body in bodies(messages) {
                producer.send_raw(body.as_bytes()).await.expect("a consumer");
            }
            consumer
        });
        let work = async move {
            let permits = Arc::new(Semaphore::new(MANY));
            for _ in 0..messages {
                let delivery = consumer.receive().await.expect("a message");
                let finish = async move {
                    handle(delivery.borrow_payload().expect("a payload"));
                    delivery.ack().await.expect("a message that was not acknowledged");
                };
                if threads == 1 {
                    finish.await;
                } else {
                    let permit = permit(&permits).await;
                    tokio::spawn(async move {
                        finish.await;
                        drop(permit);
                    });
                }
            }
            all_done(&permits).await;
        };
        span_of(|| run_on(&runtime, work))
    })
}
