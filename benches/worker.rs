//! What a runner costs beside the loop that one would write by hand: receive, handle, delete.
//!
//! `cargo bench --bench worker` prints the table; `-- --quick` runs everything briefly, and words pick
//! the cases whose names contain them. The two take turns in the same process; see `driver` for what a figure is.
//!
//! One operation is one message of 256 bytes on a standard queue that is full of them, worked off by a handler that only
//! looks at its first byte. `threads_*` compares threads that receive one message at a time with a runner as it is by
//! default, `batches_*` threads that receive ten at a time with a runner that prefetches nine, and `future` the loop
//! that receives one at a time with a runner as one future, of ten handlers at a time, which receives ten.
//!
//! A hand-written loop renews no lease, survives no panic, counts nothing and cannot be stopped.
//!
//! Two more lines follow: how long an idle runner takes to stop, and ten thousand async handlers that are all at work at
//! once in one thread.
//!
//! Figures and goals are in `benches/README.md`.
#![allow(clippy::disallowed_methods, reason = "a bench measures real time")]

mod driver;

use {
    driver::{Case, Entrant, Scale},
    requeue::{
        Queue,
        worker::{Job, Runner},
    },
    std::{
        hint::black_box,
        process::ExitCode,
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
        thread,
        time::{Duration, Instant},
    },
    tokio::sync::Semaphore,
};

fn main() -> ExitCode {
    let case = |name, entrants| Case {
        name,
        operations: 10_000,
        rounds: 101,
        limits: &[("by hand", 2.0)],
        entrants,
    };
    let cases = [
        case("threads_1", |_: Scale| pair(1, 1)),
        case("threads_2", |_: Scale| pair(2, 1)),
        case("batches_1", |_: Scale| pair(1, 10)),
        case("batches_2", |_: Scale| pair(2, 10)),
        case("future", |_: Scale| {
            vec![
                entrant("runner", runner_as_future),
                entrant("by hand", |jobs| by_hand(jobs, 1, 1)),
            ]
        }),
    ];
    let options = match driver::run("worker", &cases, &["by hand"]) {
        Ok(options) => options,
        Err(code) => return code,
    };
    if options.is_whole() {
        println!(
            "stop of an idle runner, 4 threads: {:?} at most in 50 runs, meant to be at most 50 ms",
            idle_stop()
        );
        let (peak, span) = many_at_once(10_000);
        println!("async handlers at work at once in one thread: {peak} in {span:?}");
    }
    ExitCode::SUCCESS
}

fn idle_stop() -> Duration {
    let stop = |_| {
        let jobs = Queue::standard("jobs").build().expect("a legal queue");
        let runner = Runner::builder(&jobs)
            .concurrency(4)
            .each(|_: &Job| Ok::<(), String>(()));
        let running = runner.expect("a legal runner").spawn().expect("a thread");
        jobs.wait_for_waiters(1);
        let begun = Instant::now();
        running.handle().stop();
        running.join().expect("a queue that stays");
        begun.elapsed()
    };
    (0..50).map(stop).max().unwrap_or_default()
}

/// How many handlers were at work at once, each waiting until all are, and how long it took until all were done.
fn many_at_once(handlers: usize) -> (usize, Duration) {
    let jobs = Queue::standard("jobs").build().expect("a legal queue");
    for number in 0..handlers {
        jobs.send(number.to_string()).expect("a legal message");
    }
    let (begun, at_work) = (Instant::now(), Arc::new(AtomicUsize::new(0)));
    let all_here = Arc::new(Semaphore::new(0));
    let (counted, opened) = (Arc::clone(&at_work), Arc::clone(&all_here));
    let runner = Runner::builder(&jobs)
        .concurrency(handlers)
        .until_none_visible()
        .each_async(move |_: Job| {
            if counted.fetch_add(1, Ordering::Relaxed) + 1 == handlers {
                opened.add_permits(handlers);
            }
            let all_here = Arc::clone(&opened);
            async move { all_here.acquire().await.map(drop) }
        });
    pollster::block_on(runner.expect("a legal runner").run()).expect("a queue that stays");
    (at_work.load(Ordering::Relaxed), begun.elapsed())
}

fn pair(threads: usize, messages: usize) -> Vec<Entrant> {
    vec![
        entrant("runner", move |jobs| runner(jobs, threads, messages)),
        entrant("by hand", move |jobs| by_hand(jobs, threads, messages)),
    ]
}

/// Fills a queue, which is not counted, and lets `work` empty it.
fn entrant(name: &'static str, work: impl Fn(&Queue) + 'static) -> Entrant {
    Entrant {
        name,
        run: Box::new(move |messages| {
            let jobs = Queue::standard("jobs").build().expect("a legal queue");
            let body = "x".repeat(256);
            for _ in 0..messages {
                jobs.send(body.as_str()).expect("a legal message");
            }
            let begun = Instant::now();
            work(&jobs);
            let span = begun.elapsed();
            assert!(jobs.snapshot().messages.is_empty(), "every message was deleted");
            span.as_nanos() as f64 / messages as f64
        }),
    }
}

fn handle(body: &str) {
    black_box(body.as_bytes()[0]);
}

fn by_hand(jobs: &Queue, threads: usize, messages: usize) {
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let received = jobs
                        .receive()
                        .max_messages(messages)
                        .blocking()
                        .expect("a legal receive");
                    if received.is_empty() {
                        return;
                    }
                    for message in received {
                        handle(message.body());
                        message.delete().expect("a message of this queue");
                    }
                }
            });
        }
    });
}

fn runner(jobs: &Queue, threads: usize, messages: usize) {
    let runner = Runner::builder(jobs)
        .concurrency(threads)
        .prefetch(messages - 1)
        .until_none_visible();
    let runner = runner.each(|job: &Job| {
        handle(job.body());
        Ok::<(), String>(())
    });
    runner.expect("a legal runner").blocking().expect("a queue that stays");
}

fn runner_as_future(jobs: &Queue) {
    let runner = Runner::builder(jobs)
        .concurrency(10)
        .until_none_visible()
        .each_async(|job: Job| async move {
            handle(job.body());
            Ok::<(), String>(())
        });
    pollster::block_on(runner.expect("a legal runner").run()).expect("a queue that stays");
}
