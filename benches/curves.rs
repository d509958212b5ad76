//! How the cost of a message changes with what else the queue holds.
//!
//! `cargo bench --bench curves`. Expect flat lines that rise with cache misses and, where deadlines are many, with
//! the logarithm of their number; a straight line through the origin means that some step scans the store. Every
//! call reads the system clock once, which some machines charge as much for as for the rest of a call.
#![allow(clippy::disallowed_methods, reason = "a bench measures real time")]

use criterion::{BenchmarkId, Criterion, Throughput};
use requeue::{Message, Queue, SendMessage};
use std::{
    hint::black_box,
    time::{Duration, Instant},
};

const BODY: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// Nothing held comes back while the bench runs.
const VISIBILITY_TIMEOUT: Duration = Duration::from_secs(43_200);

fn standard() -> Queue {
    let builder = Queue::standard("bench").visibility_timeout(VISIBILITY_TIMEOUT);
    builder.build().expect("the settings are within their ranges")
}

fn receive_one(queue: &Queue) -> Message {
    let messages = queue
        .receive()
        .blocking()
        .expect("the queue lives and has room in flight");
    messages.into_iter().next().expect("a message waits")
}

fn fill(queue: &Queue, messages: usize) {
    for _ in 0..messages {
        queue.send(BODY).expect("the body is valid");
    }
}

fn hold(queue: &Queue, messages: usize) -> Vec<Message> {
    fill(queue, messages);
    (0..messages).map(|_| receive_one(queue)).collect()
}

fn cycle(queue: &Queue) {
    queue.send(BODY).expect("the body is valid");
    let message = receive_one(queue);
    black_box(message.body());
    message.delete().expect("a message in flight can be deleted");
}

/// Send, receive and delete while others wait: the oldest is taken, so that old memory is touched.
fn backlog(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("standard/backlog");
    for waiting in [0, 1_000, 100_000, 1_000_000] {
        group.bench_with_input(BenchmarkId::from_parameter(waiting), &waiting, |bencher, &waiting| {
            let queue = standard();
            fill(&queue, waiting);
            bencher.iter(|| cycle(&queue));
        });
    }
}

/// Send, receive and delete while others are in flight, each with a deadline. 119,999: the quota less the one taken.
fn in_flight(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("standard/in_flight");
    for held in [0, 1_000, 119_999] {
        group.bench_with_input(BenchmarkId::from_parameter(held), &held, |bencher, &held| {
            let queue = standard();
            hold(&queue, held);
            bencher.iter(|| cycle(&queue));
        });
    }
}

/// A batch of a size sent, received and deleted; the rate is messages, and should grow with the size.
fn batch_size(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("standard/batch_size");
    for size in [1, 2, 5, 10] {
        group.throughput(Throughput::Elements(size as u64));
        group.bench_with_input(BenchmarkId::from_parameter(size), &size, |bencher, &size| {
            let queue = standard();
            let bodies = vec![BODY; size];
            bencher.iter(|| {
                let sent = queue.send_batch(bodies.iter().copied()).expect("the batch is valid");
                let messages = queue.receive().max_messages(size).blocking().expect("the queue lives");
                assert_eq!((sent.successful.len(), messages.len()), (size, size));
                queue
                    .delete_batch(&messages)
                    .expect("the batch is valid")
                    .successful
                    .len()
            });
        });
    }
}

/// Send, receive and delete with one message waiting in each group.
///
/// Each sample has a queue of its own, because a queue remembers deduplication ids for five minutes of real time.
fn groups(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("fifo/groups");
    for groups in [1, 100, 10_000, 100_000] {
        group.bench_with_input(BenchmarkId::from_parameter(groups), &groups, |bencher, &groups| {
            bencher.iter_custom(|iterations| {
                let queue = Queue::fifo("bench.fifo").visibility_timeout(VISIBILITY_TIMEOUT);
                let queue = queue.build().expect("the settings are within their ranges");
                (0..groups).for_each(|message| send_to_group(&queue, groups, message));
                let start = Instant::now();
                for message in groups..groups + iterations {
                    send_to_group(&queue, groups, message);
                    receive_one(&queue)
                        .delete()
                        .expect("a message in flight can be deleted");
                }
                start.elapsed()
            });
        });
    }
}

fn send_to_group(queue: &Queue, groups: u64, message: u64) {
    let message = SendMessage::new(BODY)
        .message_group_id((message % groups).to_string())
        .message_deduplication_id(message.to_string());
    queue.send(message).expect("the message is valid");
}

/// One visibility timeout changed among many: a deadline leaves the index and another enters, at random places.
fn deadlines(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("standard/change_visibility");
    for held in [1_000, 100_000] {
        group.bench_with_input(BenchmarkId::from_parameter(held), &held, |bencher, &held| {
            let queue = standard();
            let messages = hold(&queue, held);
            let mut draws = Draws(7);
            bencher.iter(|| {
                let (message, timeout) = (&messages[draws.below(held)], 600 + draws.below(40_000) as u64);
                message
                    .change_visibility(Duration::from_secs(timeout))
                    .expect("the message is in flight");
            });
        });
    }
}

/// A multiply-and-shift generator: the same places on every run, for a nanosecond each.
struct Draws(u64);

impl Draws {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }
}

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    backlog(&mut criterion);
    in_flight(&mut criterion);
    batch_size(&mut criterion);
    groups(&mut criterion);
    deadlines(&mut criterion);
    criterion.final_summary();
}
