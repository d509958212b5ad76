//! The library itself: the same loops, with a delete after every receive.

use super::{Contender, Holding, Shared};
use requeue::{Message, Queue, SendMessage};
use std::{
    cell::{Cell, RefCell},
    hint::black_box,
    time::Duration,
};

/// Nothing held comes back while the bench runs.
const VISIBILITY_TIMEOUT: Duration = Duration::from_secs(43_200);

/// Two runs draw the same ids.
const SEED: u64 = 13;

fn settle(message: &Message) {
    black_box(message.body());
    message.delete().expect("a message in flight can be deleted");
}

/// A standard queue with its default settings but for the visibility timeout.
pub(crate) struct Standard(pub(crate) Queue);

impl Standard {
    fn receive(&self, max_messages: usize) -> Vec<Message> {
        self.0
            .receive()
            .max_messages(max_messages)
            .blocking()
            .expect("the queue lives and has room in flight")
    }
}

impl Contender for Standard {
    const NAME: &'static str = "requeue";

    fn open() -> Self {
        let builder = Queue::standard("bench")
            .visibility_timeout(VISIBILITY_TIMEOUT)
            .seed(SEED);
        Self(builder.build().expect("the settings are within their ranges"))
    }

    fn send(&self, body: &str) {
        black_box(self.0.send(body).expect("the body is valid"));
    }

    fn take(&self) {
        let messages = self.receive(1);
        assert_eq!(messages.len(), 1, "a message was sent");
        settle(&messages[0]);
    }

    fn send_ten(&self, body: &str) {
        let sent = self.0.send_batch([body; 10]).expect("the batch is valid");
        assert_eq!(sent.successful.len(), 10);
    }

    fn take_ten(&self) {
        let messages = self.receive(10);
        assert_eq!(messages.len(), 10, "ten messages were sent");
        messages.iter().for_each(|message| {
            black_box(message.body());
        });
        let deleted = self.0.delete_batch(&messages).expect("the batch is valid");
        assert_eq!(deleted.successful.len(), 10);
    }
}

impl Holding for Standard {
    fn hold(&self) {
        assert_eq!(self.receive(1).len(), 1, "a message was sent");
    }

    fn send_delayed(&self, body: &str, delay: Duration) {
        self.0
            .send(SendMessage::new(body).delay(delay))
            .expect("the body is valid");
    }
}

impl Shared for Standard {
    fn take_waiting(&self) {
        loop {
            let receive = self.0.receive().wait_time(Duration::from_secs(20));
            if let Some(message) = receive.blocking().expect("the queue lives").first() {
                return settle(message);
            }
        }
    }
}

/// A FIFO queue whose messages go to its groups in turn, each under a deduplication id of its own.
pub(crate) struct Fifo {
    queue: Queue,
    groups: Vec<String>,
    next: Cell<usize>,
    deduplication_id: RefCell<Odometer>,
}

impl Fifo {
    pub(crate) fn with_groups(groups: usize) -> Self {
        let builder = Queue::fifo("bench.fifo")
            .visibility_timeout(VISIBILITY_TIMEOUT)
            .seed(SEED);
        Self {
            queue: builder.build().expect("the settings are within their ranges"),
            groups: (0..groups).map(|group| format!("group-{group}")).collect(),
            next: Cell::new(0),
            deduplication_id: RefCell::default(),
        }
    }
}

impl Contender for Fifo {
    const NAME: &'static str = "requeue";

    fn open() -> Self {
        Self::with_groups(1)
    }

    fn send(&self, body: &str) {
        let group = self.next.get();
        self.next
            .set(if group + 1 == self.groups.len() { 0 } else { group + 1 });
        let mut deduplication_id = self.deduplication_id.borrow_mut();
        let message = SendMessage::new(body)
            .message_group_id(self.groups[group].as_str())
            .message_deduplication_id(deduplication_id.turn());
        black_box(self.queue.send(message).expect("the message is valid"));
    }

    fn take(&self) {
        let messages = self
            .queue
            .receive()
            .blocking()
            .expect("the queue lives and has room in flight");
        assert_eq!(messages.len(), 1, "a message was sent");
        settle(&messages[0]);
    }
}

/// Unique ids for almost nothing: one digit changes per id, and sometimes more.
struct Odometer([u8; 16]);

impl Default for Odometer {
    fn default() -> Self {
        Self([b'0'; 16])
    }
}

impl Odometer {
    fn turn(&mut self) -> &str {
        for digit in self.0.iter_mut().rev() {
            if *digit < b'9' {
                *digit += 1;
                break;
            }
            *digit = b'0';
        }
        std::str::from_utf8(&self.0).expect("digits are ASCII")
    }
}
