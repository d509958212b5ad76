//! What a scenario can do to queues, whichever door it goes through, and what it sees.

use {
    crate::common,
    requeue::{DeduplicationScope, ManualClock, SendMessage, Service},
    std::{fmt, future::Future, pin::Pin, sync::Arc},
};

pub(crate) type Answer<T> = Result<T, Refusal>;

/// SQS's name and text of an error.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Refusal {
    pub(crate) code: String,
    pub(crate) text: String,
}

/// An attribute to create a queue with, or to set; spans in seconds.
#[derive(Clone, Debug)]
pub(crate) enum Attribute {
    ContentBasedDeduplication(bool),
    DeduplicationScope(DeduplicationScope),
    DelaySeconds(u64),
    FifoQueue(bool),
    MaximumMessageSize(usize),
    MessageRetentionPeriod(u64),
    /// ARN of the dead-letter queue, and the greatest receive count.
    RedrivePolicy(String, u32),
    VisibilityTimeout(u64),
}

/// How to receive; spans in seconds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Poll {
    pub(crate) max_messages: usize,
    pub(crate) visibility_timeout: Option<u64>,
    pub(crate) wait_time: u64,
    pub(crate) attribute_names: Vec<String>,
}

#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) message_id: String,
    pub(crate) sequence_number: Option<String>,
}

/// A message with all its system attributes.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) body: String,
    pub(crate) message_id: String,
    pub(crate) handle: String,
    pub(crate) receive_count: u32,
    pub(crate) group_id: Option<String>,
    pub(crate) sequence_number: Option<String>,
    pub(crate) dead_letter_source: Option<String>,
    /// In ascending order.
    pub(crate) attribute_names: Vec<String>,
    /// Of the attributes; nothing through a door without digests.
    pub(crate) digest: Option<String>,
}

/// The ids of the entries that succeeded, and what became of the others.
#[derive(Debug)]
pub(crate) struct BatchAnswer {
    pub(crate) successful: Vec<String>,
    pub(crate) failed: Vec<Failure>,
}

#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) id: String,
    pub(crate) sender_fault: bool,
    pub(crate) refusal: Refusal,
}

#[derive(Debug)]
pub(crate) struct MoveTask {
    pub(crate) handle: Option<String>,
    pub(crate) status: String,
    pub(crate) moved: u64,
    pub(crate) failure: Option<String>,
}

pub(crate) type Receiving<'a> = Pin<Box<dyn Future<Output = Answer<Vec<Received>>> + Send + 'a>>;

/// A queue through one of the doors.
pub(crate) type Queue = Arc<dyn QueueDoor>;

/// What is done to an account.
pub(crate) trait Door {
    fn has_digests(&self) -> bool;
    fn create_queue(&self, name: &str, attributes: Vec<Attribute>) -> Answer<Queue>;
    fn start_move_task(&self, source: &str, destination: Option<&str>, rate: Option<u32>) -> Answer<String>;
    /// How many messages it has moved.
    fn cancel_move_task(&self, handle: &str) -> Answer<u64>;
    /// Of the source's tasks the newest.
    fn newest_move_task(&self, source: &str) -> MoveTask;
}

/// What is done to a queue.
pub(crate) trait QueueDoor: Send + Sync {
    fn url(&self) -> String;
    fn arn(&self) -> String;
    fn send_message(&self, message: SendMessage) -> Answer<Sent>;
    fn send_message_batch(&self, entries: Vec<(String, SendMessage)>) -> Answer<BatchAnswer>;
    fn receive_message(&self, poll: Poll) -> Receiving<'_>;
    fn delete(&self, handle: &str) -> Answer<()>;
    fn change_visibility(&self, handle: &str, timeout: u64) -> Answer<()>;
    fn purge(&self) -> Answer<()>;
    fn set_attributes(&self, attributes: Vec<Attribute>) -> Answer<()>;
    /// Messages visible, not visible, and delayed.
    fn counts(&self) -> [usize; 3];
}

/// Short forms for scenarios.
impl dyn QueueDoor {
    pub(crate) fn send(&self, message: impl Into<SendMessage>) -> Answer<Sent> {
        self.send_message(message.into())
    }

    /// Sends bodies such as `g1-m2`, whose group stands before the hyphen.
    pub(crate) fn send_grouped<'a>(&self, bodies: impl IntoIterator<Item = &'a str>) {
        for body in bodies {
            let group = body.split('-').next().unwrap();
            self.send(common::in_group(group, body)).unwrap();
        }
    }

    pub(crate) fn send_batch<I, M>(&self, entries: impl IntoIterator<Item = (I, M)>) -> Answer<BatchAnswer>
    where
        I: fmt::Display,
        M: Into<SendMessage>,
    {
        let entries = entries
            .into_iter()
            .map(|(id, message)| (id.to_string(), message.into()));
        self.send_message_batch(entries.collect())
    }

    #[track_caller]
    fn short_poll(&self, max_messages: usize, visibility_timeout: Option<u64>) -> Vec<Received> {
        let poll = Poll {
            max_messages,
            visibility_timeout,
            ..Poll::default()
        };
        common::now(self.receive_message(poll)).unwrap()
    }

    /// A short poll with the queue's own visibility timeout.
    #[track_caller]
    pub(crate) fn receive(&self, max_messages: usize) -> Vec<Received> {
        self.short_poll(max_messages, None)
    }

    /// A short poll with a visibility timeout of its own.
    #[track_caller]
    pub(crate) fn receive_for(&self, max_messages: usize, visibility_timeout: u64) -> Vec<Received> {
        self.short_poll(max_messages, Some(visibility_timeout))
    }

    /// The message that a receive of one returns.
    #[track_caller]
    pub(crate) fn take(&self) -> Received {
        self.receive(1).pop().expect("a message to receive")
    }

    /// The message that a receive of one with this visibility timeout returns.
    #[track_caller]
    pub(crate) fn take_for(&self, visibility_timeout: u64) -> Received {
        let mut messages = self.receive_for(1, visibility_timeout);
        messages.pop().expect("a message to receive")
    }

    /// A receive of one that waits so many seconds.
    pub(crate) fn long_poll(&self, wait_time: u64) -> Receiving<'_> {
        self.receive_message(Poll {
            max_messages: 1,
            wait_time,
            ..Poll::default()
        })
    }

    #[track_caller]
    pub(crate) fn delete_all(&self, messages: &[Received]) {
        messages.iter().for_each(|it| self.delete(&it.handle).unwrap());
    }
}

pub(crate) fn bodies(messages: &[Received]) -> Vec<&str> {
    messages.iter().map(|message| &*message.body).collect()
}

/// Asserts that a call is refused with SQS's name and text of the error.
#[track_caller]
pub(crate) fn assert_refused<T>(answer: Answer<T>, code: &str, text: impl AsRef<str>) {
    let Err(refusal) = answer else {
        panic!("it was taken, and not refused with {code}")
    };
    assert_eq!((&*refusal.code, &*refusal.text), (code, text.as_ref()));
}

/// An account in virtual time, and the door to it.
pub(crate) struct House {
    pub(crate) clock: ManualClock,
    pub(crate) door: Box<dyn Door>,
    service: Service,
}

impl House {
    pub(crate) fn new<D: Door + 'static>(open: impl FnOnce(&Service) -> D) -> Self {
        let clock = ManualClock::default();
        let service = Service::builder()
            .clock(clock.clone())
            .limits(requeue::Limits::aws())
            .seed(1)
            .build();
        Self {
            clock,
            door: Box::new(open(&service)),
            service,
        }
    }

    pub(crate) fn create(&self, name: &str, attributes: impl IntoIterator<Item = Attribute>) -> Answer<Queue> {
        self.door.create_queue(name, attributes.into_iter().collect())
    }

    /// A standard queue named `jobs`.
    #[track_caller]
    pub(crate) fn standard(&self, attributes: impl IntoIterator<Item = Attribute>) -> Queue {
        self.create("jobs", attributes).unwrap()
    }

    /// A FIFO queue named `jobs.fifo`, with content-based deduplication.
    #[track_caller]
    pub(crate) fn fifo(&self, attributes: impl IntoIterator<Item = Attribute>) -> Queue {
        let fifo = [Attribute::FifoQueue(true), Attribute::ContentBasedDeduplication(true)];
        self.create("jobs.fifo", fifo.into_iter().chain(attributes)).unwrap()
    }

    /// Moves time from deadline to deadline until the receive is over.
    #[track_caller]
    pub(crate) fn wait_for(&self, receiving: Receiving<'_>) -> Vec<Received> {
        common::wait_for(&self.clock, receiving).unwrap()
    }

    /// The queue as its owner sees it, for waiting until receivers have lined up.
    pub(crate) fn behind_the_door(&self, queue: &Queue) -> requeue::Queue {
        self.service.queue(&queue.url()).unwrap()
    }
}
