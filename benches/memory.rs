//! How many bytes a waiting message of 64 bytes takes beyond its body, and what stays once all are gone.
//!
//! `cargo bench --bench memory`; with `-- --quick` only the thousand. A counting allocator sees what the queue asks
//! for, room it keeps for more messages included, so that the figure depends on where a growing table happens to
//! stand. It does not see what the system's allocator adds: about 8 bytes and the rounding to 16 per allocation,
//! hence the column of live allocations.
//!
//! # What to expect
//!
//! At most 200 bytes per message of a standard queue. FIFO adds the two ids of a message, the group, and for five
//! minutes after the send the entry that finds duplicates: after draining a FIFO queue that is what stays, since the
//! system clock does not pass five minutes here. A drained standard queue keeps its tables, not its messages.
//!
//! Figures are in `benches/README.md`.

#[allow(dead_code, unused_imports, reason = "this bench has no rivals")]
mod driver;

use driver::Options;
use requeue::{Queue, SendMessage};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::{alloc::System, process::ExitCode};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const BODY: &str = r#"{"job":"resize","source":"photos/2026/01/cat.png","width":320.0}"#;
const _: () = assert!(BODY.len() == 64, "the body is as long as the header says");

fn main() -> ExitCode {
    let options = match Options::read("memory", &["--quick"], &[]) {
        Ok(options) => options,
        Err(code) => return code,
    };
    let sizes = [1_000, 100_000, 1_000_000];
    let sizes = &sizes[..options.scale.rounds(sizes.len())];
    println!(
        "{:<22} {:>9} {:>14} {:>12} {:>14}",
        "queue", "messages", "bytes/message", "allocations", "bytes left"
    );
    for &messages in sizes {
        measure("standard", messages, standard(), |queue, _| {
            queue.send(BODY).expect("the body is valid");
        });
        measure("fifo, one group", messages, fifo(), |queue, message| {
            send_fifo(queue, 0, message);
        });
        measure("fifo, a group each", messages, fifo(), |queue, message| {
            send_fifo(queue, message, message);
        });
    }
    ExitCode::SUCCESS
}

fn standard() -> Queue {
    Queue::standard("bench").build().expect("the settings are the defaults")
}

fn fifo() -> Queue {
    Queue::fifo("bench.fifo")
        .build()
        .expect("the settings are the defaults")
}

/// Ids of 8 bytes each.
fn send_fifo(queue: &Queue, group: usize, message: usize) {
    let message = SendMessage::new(BODY)
        .message_group_id(format!("{group:08}"))
        .message_deduplication_id(format!("{message:08}"));
    queue.send(message).expect("the message is valid");
}

/// Prints bytes and allocations per waiting message beyond its body, and bytes per message left after draining.
fn measure(name: &str, messages: usize, queue: Queue, send: fn(&Queue, usize)) {
    let region = Region::new(ALLOCATOR);
    (0..messages).for_each(|message| send(&queue, message));
    let (bytes, allocations) = live(&region);
    drain(&queue);
    let (left, _) = live(&region);
    let per_message = |total: f64| total / messages as f64;
    println!(
        "{name:<22} {messages:>9} {:>14.1} {:>12.2} {:>14.1}",
        per_message(bytes) - BODY.len() as f64,
        per_message(allocations),
        per_message(left)
    );
}

/// Bytes and allocations made and not given back since `region` began.
fn live(region: &Region<'_, System>) -> (f64, f64) {
    let change = region.change();
    (
        change.bytes_allocated as f64 - change.bytes_deallocated as f64,
        change.allocations as f64 - change.deallocations as f64,
    )
}

fn drain(queue: &Queue) {
    loop {
        let messages = queue
            .receive()
            .max_messages(10)
            .blocking()
            .expect("the queue lives and has room in flight");
        if messages.is_empty() {
            break;
        }
        let deleted = queue.delete_batch(&messages).expect("the batch is valid");
        assert_eq!(deleted.successful.len(), messages.len());
    }
}
