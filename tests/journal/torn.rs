//! A log that ends after any of its records: a message is in one queue, whatever was not written any more.

use {
    crate::{
        directory::{self, Directory, names},
        open::clock_at,
    },
    requeue::{
        ManualClock, QueueAttributes, RedrivePolicy, SendMessage, Service, StartMessageMoveTask,
        journal::{Durability, JournalError},
    },
    std::{fs, path::Path, time::Duration},
};

const START: u64 = 1_700_000_000_000;
const QUEUES: [&str; 4] = ["jobs", "failed", "orders.fifo", "failed.fifo"];
const MINUTE: Duration = Duration::from_secs(60);

fn open(directory: &Path, clock: &ManualClock) -> Result<Service, JournalError> {
    let journal = Service::builder().clock(clock.clone()).journal(directory);
    journal
        .segment_bytes(256 * 1_024)
        .durability(Durability::Written)
        .open()
}

/// Where the records of a segment begin that holds the whole log.
fn records(segment: &[u8]) -> Vec<usize> {
    const HEADER: usize = 64;
    const HEAD: usize = 28;
    let (mut at, mut found) = (HEADER, Vec::new());
    while let Some(length) = segment.get(at..at + 4) {
        let length = u32::from_le_bytes(length.try_into().unwrap());
        match length {
            0 => break,
            u32::MAX => at += HEAD, // a mark
            length => {
                found.push(at);
                at += HEAD + length as usize;
            }
        }
    }
    found
}

/// The only segment.
fn segment(directory: &Path) -> (String, Vec<u8>) {
    let file = names(directory).into_iter().find(|name| name.ends_with("1.log"));
    let content = fs::read(directory.join(file.as_ref().unwrap())).unwrap();
    (file.unwrap(), content)
}

/// Tears off one record after the other, but for the first ones, and answers with how many there were. At each end every
/// message is there once.
fn torn(directory: &Path, clock: &ManualClock, first: usize, messages: usize) -> usize {
    let copy = Directory::new();
    let (file, whole) = segment(directory);
    let ends = records(&whole).split_off(first);
    for (torn, end) in ends.iter().rev().enumerate() {
        directory::copy(directory, copy.path());
        let mut cut = whole.clone();
        cut[*end..].fill(0);
        fs::write(copy.join(&file), cut).unwrap();
        let service = open(copy.path(), clock).unwrap();
        let stored = |name: &&str| service.queue(name).unwrap().snapshot().messages;
        let mut bodies: Vec<_> = QUEUES
            .iter()
            .flat_map(stored)
            .map(|message| message.content.body().clone())
            .collect();
        bodies.sort_unstable();
        let expected: Vec<_> = (0..messages).map(|number| format!("{number:02}").into()).collect();
        assert_eq!(bodies, expected, "{torn} of {} records torn off", ends.len());
    }
    ends.len()
}

/// Queues with their dead-letter queues, and messages in both.
fn service(directory: &Path, clock: &ManualClock) -> Service {
    let service = open(directory, clock).unwrap();
    for (name, failed, fifo) in [("jobs", "failed", false), ("orders.fifo", "failed.fifo", true)] {
        let attributes = || match fifo {
            true => QueueAttributes::new().fifo_queue(true),
            false => QueueAttributes::new(),
        };
        let failed = service.create_queue(failed, attributes()).unwrap();
        let policy = RedrivePolicy::new(failed.arn(), 1);
        service.create_queue(name, attributes().redrive_policy(policy)).unwrap();
    }
    service
}

/// Answers with the number of records then.
fn send(service: &Service, directory: &Path, messages: usize) -> usize {
    for number in 0..messages {
        let body = format!("{number:02}");
        let order = SendMessage::new(body.as_str()).message_group_id("g");
        match number % 2 {
            0 => service.queue("jobs").unwrap().send(body).unwrap(),
            _ => {
                let orders = service.queue("orders.fifo").unwrap();
                orders.send(order.message_deduplication_id(body)).unwrap()
            }
        };
    }
    records(&segment(directory).1).len()
}

/// Receives everything once, gives some up, and lets the others come back and be found too often received.
fn fail(service: &Service, clock: &ManualClock) {
    for name in ["jobs", "orders.fifo"] {
        let queue = service.queue(name).unwrap();
        let messages = queue.receive().max_messages(10).blocking().unwrap();
        messages[0].dead_letter("no good").unwrap();
        messages[1].dead_letter("no good").unwrap();
        clock.advance(MINUTE);
        assert!(queue.receive().max_messages(10).blocking().unwrap().is_empty());
        queue.receive().blocking().unwrap();
    }
    for name in ["failed", "failed.fifo"] {
        // Once this is recorded, so is what came before it.
        assert_eq!(service.queue(name).unwrap().receive().blocking().unwrap().len(), 1);
    }
}

#[test]
fn a_dead_letter_is_in_one_queue_wherever_the_log_ends() {
    let (directory, clock) = (Directory::new(), clock_at(START));
    let service = service(directory.path(), &clock);
    let first = send(&service, directory.path(), 16);
    fail(&service, &clock);
    assert_eq!(service.queue("failed").unwrap().snapshot().messages.len(), 8);
    let torn = torn(directory.path(), &clock, first, 16);
    assert!(torn > 20, "{torn}");
}

#[test]
fn a_message_of_a_move_task_is_in_one_queue_wherever_the_log_ends() {
    let (directory, clock) = (Directory::new(), clock_at(START));
    let service = service(directory.path(), &clock);
    send(&service, directory.path(), 16);
    fail(&service, &clock);
    clock.advance(MINUTE);
    let failed = service.queue("failed").unwrap();
    let request = StartMessageMoveTask::new(failed.arn()).max_messages_per_second(1);
    service.start_message_move_task(&request).unwrap();
    let first = records(&segment(directory.path()).1).len();
    for _ in 0..5 {
        clock.advance(Duration::from_secs(1));
    }
    let jobs = service.queue("jobs").unwrap();
    assert!(jobs.snapshot().messages.len() > 3);
    assert_eq!(failed.receive().blocking().unwrap().len(), 1);
    let torn = torn(directory.path(), &clock, first, 16);
    assert!(torn > 3, "{torn}");
}
