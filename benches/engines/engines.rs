//! What a message costs here beside the SQS queues of two emulators of AWS, all called in process.
//!
//! `cargo bench --manifest-path benches/engines/Cargo.toml` prints the table; `-- --json`, `-- --markdown`, `-- --quick`,
//! `-- --runs N` and words that pick cases as in `rivals`. All contenders of a table take turns in the same process; see
//! `driver` for what a figure is.
//!
//! One operation is one message of 256 bytes, sent, received and deleted by its receipt handle, on one thread. Each
//! contender makes its own message of a `&str`. In `cycle` nothing else is in the queue; in `backlog_1000` a thousand
//! messages wait, in `in_flight_1000` as many are received and not deleted.
//!
//! # The engines
//!
//! * `rustack-sqs-core`: `RustackSqs`, the provider behind rustack's HTTP server. Every queue is a Tokio task that is
//!   sent commands through a channel. Each receive and its clean-up once a second walk all messages in flight.
//! * `winterbaume-sqs`: `InMemorySqsBackend`, the store behind winterbaume's HTTP layer. All queues of an account are
//!   behind one lock; messages are a vector, which receives and deletes search from its beginning. It keeps the receipt
//!   handles of deleted messages for good, so its memory grows over the rounds.
//!
//! Both compute MD5 of the body on a send, as SQS's answers have it; `requeue` does so where a wire protocol asks for it.
//!
//! # What it distorts
//!
//! Both are made for tests and are called through HTTP or an SDK, where the transport costs more than the queue. Their
//! calls are async and take owned strings: the strings are made in the measured time, and the calls run in one
//! `block_on` per round, on Tokio's current-thread runtime.
#![allow(clippy::disallowed_methods, reason = "a bench measures real time")]

#[path = "../contenders/mod.rs"]
#[allow(dead_code, unused_imports, reason = "not every contender of `rivals` is here")]
mod contenders;
#[path = "../driver/mod.rs"]
#[allow(dead_code, reason = "this bench has less to say than others")]
mod driver;
mod emulators;

use {
    contenders::{BODY, Contender, HandWritten, Holding, Standard},
    driver::{Case, Entrant, Scale},
    emulators::{Engine, Rustack, Winterbaume},
    std::{process::ExitCode, time::Instant},
    tokio::runtime,
};

fn main() -> ExitCode {
    let case = |name, entrants| Case {
        name,
        operations: 200,
        rounds: 51,
        limits: &[],
        entrants,
    };
    let cases = [
        case("cycle", |_| all(0, 0)),
        case("backlog_1000", |scale: Scale| all(scale.of(1_000), 0)),
        case("in_flight_1000", |scale: Scale| all(0, scale.of(1_000))),
    ];
    let columns = [HandWritten::NAME, Rustack::NAME, Winterbaume::NAME];
    match driver::run("engines", &cases, &columns) {
        Ok(_) => ExitCode::SUCCESS,
        Err(code) => code,
    }
}

fn all(backlog: usize, in_flight: usize) -> Vec<Entrant> {
    vec![
        plain::<Standard>(backlog, in_flight),
        plain::<HandWritten>(backlog, in_flight),
        engine::<Rustack>(backlog, in_flight),
        engine::<Winterbaume>(backlog, in_flight),
    ]
}

fn plain<C: Holding>(backlog: usize, in_flight: usize) -> Entrant {
    let contender = C::open();
    (0..in_flight).for_each(|_| contender.send(BODY));
    (0..in_flight).for_each(|_| contender.hold());
    (0..backlog).for_each(|_| contender.send(BODY));
    Entrant {
        name: C::NAME,
        run: Box::new(move |operations| {
            let begun = Instant::now();
            for _ in 0..operations {
                contender.send(BODY);
                contender.take();
            }
            begun.elapsed().as_nanos() as f64 / operations as f64
        }),
    }
}

fn engine<E: Engine>(backlog: usize, in_flight: usize) -> Entrant {
    let runtime = runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime of one thread");
    let engine = runtime.block_on(async {
        let engine = E::open().await;
        for _ in 0..in_flight {
            engine.send(BODY).await;
        }
        for _ in 0..in_flight {
            engine.receive().await;
        }
        for _ in 0..backlog {
            engine.send(BODY).await;
        }
        engine
    });
    Entrant {
        name: E::NAME,
        run: Box::new(move |operations| {
            runtime.block_on(async {
                let begun = Instant::now();
                for _ in 0..operations {
                    engine.send(BODY).await;
                    let handle = engine.receive().await;
                    engine.delete(handle).await;
                }
                begun.elapsed().as_nanos() as f64 / operations as f64
            })
        }),
    }
}
