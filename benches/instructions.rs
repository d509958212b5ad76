//! How many instructions a message costs: the same loops as in `rivals`, for a tool that counts.
//!
//! `instructions CASE MESSAGES` sends, receives or deletes so many messages of 256 bytes on one thread, with a seed that
//! never changes, and prints nothing; without arguments it prints the names of the cases. `.ci/instructions` runs it
//! twice under callgrind or `perf stat`, and divides the difference by the difference in messages. Instructions do not
//! depend on what else the machine does, whereas times do; but they do not show what a stall costs.
//!
//! `journal_cycle` is a cycle on a queue with a journal, all of whose calls are written and none synced: what the library
//! and its dependencies do for it, without the system calls. It is there with the feature `journal`.
//!
//! The budgets are in `benches/instructions.txt`.
#![allow(clippy::disallowed_methods, reason = "the contenders measure real time")]

#[allow(dead_code, unused_imports, reason = "the channels are not counted")]
mod contenders;

use {
    contenders::{BODY, Contender, Fifo, Standard},
    std::{
        env,
        future::Future,
        pin::pin,
        process::{self, ExitCode},
        task::{Context, Poll, Waker},
        time::Duration,
    },
};

/// The messages that are there before a case that only receives: more than are counted.
const FILLED: usize = 21_000;

/// Does so many messages.
type Case = fn(usize);

const CASES: &[(&str, Case)] = &[
    ("cycle", |messages| cycles(&Standard::open(), messages)),
    ("batch_of_ten", |messages| {
        let queue = Standard::open();
        for _ in 0..messages / 10 {
            queue.send_ten(BODY);
            queue.take_ten();
        }
    }),
    ("send", |messages| send(&Standard::open(), messages)),
    ("receive_and_delete", |messages| {
        let queue = Standard::open();
        send(&queue, FILLED.max(messages));
        (0..messages).for_each(|_| queue.take());
    }),
    ("wait", waits),
    ("fifo_1_group", |messages| fifo(1, messages)),
    ("fifo_100_groups", |messages| fifo(100, messages)),
    #[cfg(feature = "journal")]
    ("journal_cycle", journal_cycles),
];

fn main() -> ExitCode {
    // Cargo adds `--bench`.
    let arguments: Vec<_> = env::args().skip(1).filter(|it| it != "--bench").collect();
    let case = |name: &String| CASES.iter().find(|(case, _)| case == name);
    match arguments.as_slice() {
        [] => CASES.iter().for_each(|(name, _)| println!("{name}")),
        [name, messages] => match (case(name), messages.parse()) {
            (Some((_, run)), Ok(messages)) => {
                run(messages);
                // What is left is not dropped: it would be counted.
                process::exit(0);
            }
            (None, _) => return refuse(&format!("unknown case {name}")),
            (_, Err(_)) => return refuse(&format!("{messages} is not a number of messages")),
        },
        _ => return refuse("expected a case and a number of messages"),
    }
    ExitCode::SUCCESS
}

fn refuse(complaint: &str) -> ExitCode {
    eprintln!("instructions: {complaint}");
    ExitCode::from(2)
}

fn send(queue: &impl Contender, messages: usize) {
    (0..messages).for_each(|_| queue.send(BODY));
}

fn cycles(queue: &impl Contender, messages: usize) {
    for _ in 0..messages {
        queue.send(BODY);
        queue.take();
    }
}

/// As in `rivals`, one message of each group waits.
fn fifo(groups: usize, messages: usize) {
    let queue = Fifo::with_groups(groups);
    send(&queue, groups);
    cycles(&queue, messages);
}

/// A receiver that enters the list of waiters before its message is sent, and is woken by it.
fn waits(messages: usize) {
    let Standard(queue) = Standard::open();
    let context = &mut Context::from_waker(Waker::noop());
    for _ in 0..messages {
        let mut receive = pin!(queue.receive().wait_time(Duration::from_secs(20)).into_future());
        assert!(receive.as_mut().poll(context).is_pending(), "nothing was sent yet");
        queue.send(BODY).expect("the body is valid");
        let Poll::Ready(received) = receive.as_mut().poll(context) else {
            panic!("the receiver was woken for nothing");
        };
        let received = received.expect("the queue lives");
        received[0].delete().expect("a message in flight can be deleted");
    }
}

/// One segment holds all, so that nothing is carried forward in another thread.
#[cfg(feature = "journal")]
fn journal_cycles(messages: usize) {
    let directory = env::temp_dir().join(format!("requeue-instructions-{}", process::id()));
    let journal = requeue::Queue::standard("bench").seed(13).journal(&directory);
    let journal = journal
        .segment_bytes(256 << 20)
        .durability(requeue::journal::Durability::Written);
    cycles(&Standard(journal.open().expect("the directory is new")), messages);
    std::fs::remove_dir_all(directory).expect("the directory is ours");
}
