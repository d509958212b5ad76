//! The list of cases, and the traffic that they share.

use {
    crate::{
        clock::ManualClock,
        limits::Limits,
        message::SendMessage,
        queue::{Message, Queue, QueueBuilder},
        queues, services, waiters,
        work::{during, live_bytes},
    },
    std::time::Duration,
};

pub(crate) struct Case {
    pub(crate) name: String,
    /// The burst is the asked-for number divided by this.
    pub(crate) part: usize,
    /// Bytes that each of the burst may leave, in thousandths: not zero where some of it stays stored.
    pub(crate) kept_per_thousand: usize,
    /// Runs with a burst of this size; answers the live bytes at the end, while all that lives on is alive.
    pub(crate) run: Box<dyn Fn(usize) -> usize>,
}

impl Case {
    pub(crate) fn new(name: impl Into<String>, run: impl Fn(usize) -> usize + 'static) -> Self {
        Self {
            name: name.into(),
            part: 1,
            kept_per_thousand: 0,
            run: Box::new(run),
        }
    }

    /// Runs with a fraction of the burst.
    pub(crate) fn part(self, part: usize) -> Self {
        Self { part, ..self }
    }

    pub(crate) fn kept_per_thousand(self, kept_per_thousand: usize) -> Self {
        Self {
            kept_per_thousand,
            ..self
        }
    }

    pub(crate) fn kept(&self, burst: usize) -> usize {
        burst.saturating_mul(self.kept_per_thousand) / 1_000
    }
}

pub(crate) fn all() -> Vec<Case> {
    [queues::cases(), waiters::cases(), services::cases()]
        .into_iter()
        .flatten()
        .collect()
}

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const HOUR: Duration = Duration::from_secs(3_600);
/// The default retention.
pub(crate) const RETENTION: Duration = Duration::from_secs(4 * 24 * 3_600);

/// As many in flight as a burst needs.
pub(crate) fn limits() -> Limits {
    Limits {
        in_flight_standard: usize::MAX,
        in_flight_fifo: usize::MAX,
        ..Limits::default()
    }
}

/// A queue builder with these limits; the seed makes every run the same.
pub(crate) fn with(clock: &ManualClock, builder: QueueBuilder) -> QueueBuilder {
    builder.clock(clock.clone()).limits(limits()).seed(1)
}

/// The message of this number, in a group of its own.
pub(crate) fn grouped(queue: &Queue, number: usize) -> SendMessage {
    in_group(queue, number, number)
}

pub(crate) fn in_group(queue: &Queue, group: usize, number: usize) -> SendMessage {
    let message = SendMessage::new("body").message_group_id(format!("group-{group:08}"));
    if queue.is_fifo() {
        message.message_deduplication_id(format!("id-{number:08}"))
    } else {
        message
    }
}

/// A number below `range`, the same for the same `number` and without order.
pub(crate) fn scattered(number: usize, range: u64) -> u64 {
    (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(31) % range
}

pub(crate) fn receive(queue: &Queue) -> Vec<Message> {
    queue.receive().max_messages(10).blocking().unwrap()
}

pub(crate) fn delete(queue: &Queue, messages: &[Message]) {
    if !messages.is_empty() {
        assert_eq!(queue.delete_batch(messages).unwrap().failed, []);
    }
}

/// Receives and deletes all that is visible; a second passes for every 1,000 batches.
pub(crate) fn drain(clock: &ManualClock, queue: &Queue) {
    during("the queue is drained");
    for batch in 1.. {
        // One shard of a sampled queue may have nothing while others do.
        if queue.counts().visible == 0 {
            return;
        }
        delete(queue, &receive(queue));
        if batch % 1_000 == 0 {
            clock.advance(SECOND);
        }
    }
}

/// Lets the windows end, then 1,000 times sends, receives and, ten seconds later, deletes a message.
pub(crate) fn ordinary(clock: &ManualClock, queue: &Queue) {
    clock.advance(HOUR);
    for number in 0..1_000 {
        during(if number == 0 {
            "the windows end"
        } else {
            "ordinary steps follow"
        });
        step(clock, queue, number, 10 * SECOND);
    }
}

/// One message through a queue that may hold others.
pub(crate) fn step(clock: &ManualClock, queue: &Queue, number: usize, span: Duration) {
    let message = if queue.is_fifo() {
        in_group(queue, usize::MAX, number)
    } else {
        SendMessage::new("body")
    };
    queue.send(message).unwrap();
    let messages = receive(queue);
    clock.advance(span);
    delete(queue, &messages);
}

/// Runs a case on a clock of its own: `run` leaves what is to be alive at the end, all else is dropped by then.
pub(crate) fn alive<T>(run: impl FnOnce(&ManualClock) -> T) -> usize {
    let before = live_bytes();
    let clock = ManualClock::default();
    let alive = run(&clock);
    let after = live_bytes();
    drop(alive);
    after - before
}
