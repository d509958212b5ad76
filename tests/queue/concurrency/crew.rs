//! Producers, consumers, and what is written down of their work.

use {
    requeue::{Clock, ManualClock, Message, Queue, ReceiveError, SendMessage, Timestamp},
    std::{
        collections::{BTreeMap, BTreeSet},
        sync::{
            Mutex,
            atomic::{AtomicBool, AtomicUsize, Ordering},
        },
        thread::{self, Scope},
        time::Duration,
    },
};

pub(crate) const PRODUCERS: usize = 4;
pub(crate) const CONSUMERS: usize = 4;

/// How a call asks for messages or sends them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Style {
    Single,
    Batches,
}

pub(crate) const STYLES: [Style; 2] = [Style::Single, Style::Batches];

impl Style {
    pub(crate) fn max_messages(self) -> usize {
        match self {
            Self::Single => 1,
            Self::Batches => 10,
        }
    }

    pub(crate) fn send(self, queue: &Queue, messages: impl IntoIterator<Item = SendMessage>) {
        let messages: Vec<_> = messages.into_iter().collect();
        match self {
            Self::Single => messages.into_iter().for_each(|message| {
                queue.send(message).unwrap();
            }),
            Self::Batches => messages.chunks(10).for_each(|chunk| {
                assert_eq!(queue.send_batch(chunk.iter().cloned()).unwrap().failed, []);
            }),
        }
    }

    pub(crate) fn delete(self, queue: &Queue, messages: &[Message]) {
        match self {
            Self::Single => messages.iter().for_each(|message| message.delete().unwrap()),
            Self::Batches => assert_eq!(queue.delete_batch(messages).unwrap().failed, []),
        }
    }
}

/// Starts the producers; each sends its share of `total` messages named `<producer>-<number>`.
pub(crate) fn start_producers<'scope, 'env>(
    scope: &'scope Scope<'scope, 'env>,
    queue: &'env Queue,
    style: Style,
    total: usize,
    message: impl Fn(usize, usize) -> SendMessage + Copy + Send + 'scope,
) {
    for producer in 0..PRODUCERS {
        let share = total / PRODUCERS;
        scope.spawn(move || style.send(queue, (0..share).map(|number| message(producer, number))));
    }
}

/// Receives until the queue is deleted.
pub(crate) fn consume(queue: &Queue, style: Style, mut handle: impl FnMut(&[Message])) {
    loop {
        let receive = queue.receive().max_messages(style.max_messages());
        match receive.wait_time(Duration::from_secs(20)).blocking() {
            Ok(messages) => handle(&messages),
            Err(ReceiveError::QueueDoesNotExist) => return,
            Err(error) => panic!("{error}"),
        }
    }
}

/// Counts what is done, and deletes the queue with the last of it, which sends the consumers home.
pub(crate) struct Work<'queue> {
    queue: &'queue Queue,
    left: AtomicUsize,
    over: AtomicBool,
}

impl<'queue> Work<'queue> {
    pub(crate) fn new(queue: &'queue Queue, total: usize) -> Self {
        Self {
            queue,
            left: AtomicUsize::new(total),
            over: AtomicBool::new(false),
        }
    }

    pub(crate) fn done(&self, messages: usize) {
        if messages == 0 {
            return;
        }
        let before = self.left.fetch_sub(messages, Ordering::AcqRel);
        assert!(before >= messages, "more was done than there was to do");
        if before == messages {
            assert_eq!(self.queue.snapshot().messages, [], "all is done");
            self.over.store(true, Ordering::Release);
            self.queue.delete_queue().unwrap();
        }
    }

    /// Moves time in small steps until all is done.
    pub(crate) fn drive(&self, clock: &ManualClock, step: Duration) {
        while !self.over.load(Ordering::Acquire) {
            clock.advance(step);
            thread::yield_now();
        }
    }
}

/// One reception of a message.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Reception {
    count: u32,
    begins: Timestamp,
    ends: Timestamp,
}

/// What was received when, and what was done, by body.
#[derive(Default)]
pub(crate) struct Ledger {
    received: Mutex<BTreeMap<String, Vec<Reception>>>,
    done: Mutex<BTreeSet<String>>,
}

impl Ledger {
    pub(crate) fn enter(&self, message: &Message, visibility_timeout: Duration) {
        let ends = message.invisible_until();
        let reception = Reception {
            count: message.approximate_receive_count(),
            begins: ends.saturating_sub(visibility_timeout),
            ends,
        };
        let mut received = self.received.lock().unwrap();
        received.entry(message.body().to_owned()).or_default().push(reception);
    }

    /// Whether this is the first time that the message is done.
    pub(crate) fn is_news(&self, message: &Message) -> bool {
        self.done.lock().unwrap().insert(message.body().to_owned())
    }

    /// Asserts that every message was received, with counts from 1 on, and never before its last timeout had ended.
    pub(crate) fn check(self, messages: usize) {
        let received = self.received.into_inner().unwrap();
        assert_eq!(received.len(), messages);
        for (body, mut receptions) in received {
            receptions.sort_unstable();
            let counts = receptions.iter().map(|it| it.count);
            assert!(counts.eq(1..=receptions.len() as u32), "{body}: {receptions:?}");
            let apart = receptions.windows(2).all(|pair| pair[0].ends <= pair[1].begins);
            assert!(apart, "{body}: {receptions:?}");
        }
    }

    /// Asserts that every message was received once.
    pub(crate) fn check_once(self, messages: usize) {
        let received = self.received.into_inner().unwrap();
        let twice: Vec<_> = received.iter().filter(|(_, receptions)| receptions.len() > 1).collect();
        assert!(twice.is_empty(), "{twice:?}");
        assert_eq!(received.len(), messages);
    }
}

/// Time since the clock was new.
pub(crate) fn elapsed(clock: &ManualClock) -> Duration {
    clock.now().saturating_duration_since(ManualClock::default().now())
}
