//! The library itself, with a journal in a directory.

use {
    super::Store,
    requeue::{Message, Queue, journal::Durability},
    std::{hint::black_box, path::Path, time::Duration},
};

/// Nothing received comes back while the bench runs.
const VISIBILITY_TIMEOUT: Duration = Duration::from_secs(43_200);

/// How safe a call is before it returns.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Level {
    /// The default: sends and deletes are synced, receives are written.
    Default,
    /// All calls are synced.
    Synced,
    /// All calls are written: with the operating system, and not synced.
    Written,
}

pub(crate) struct Ours(Queue);

impl Ours {
    pub(crate) fn open(directory: &Path, level: Level) -> Self {
        let queue = Queue::standard("bench").visibility_timeout(VISIBILITY_TIMEOUT);
        let journal = queue.journal(directory.join("journal"));
        let journal = match level {
            Level::Default => journal,
            Level::Synced => journal.durability(Durability::Synced),
            Level::Written => journal.durability(Durability::Written),
        };
        Self(journal.open().expect("the directory is new or a journal"))
    }

    /// Messages that can be received.
    pub(crate) fn len(&self) -> usize {
        self.0.counts().visible
    }

    fn receive(&self, max_messages: usize) -> Vec<Message> {
        let messages = self.0.receive().max_messages(max_messages).blocking();
        let messages = messages.expect("the queue lives and has room in flight");
        assert_eq!(messages.len(), max_messages, "so many were sent");
        messages.iter().for_each(|message| {
            black_box(message.body());
        });
        messages
    }
}

impl Store for Ours {
    fn send(&self, body: &str) {
        black_box(self.0.send(body).expect("the body is valid"));
    }

    fn take(&self) {
        let messages = self.receive(1);
        messages[0].delete().expect("a message in flight can be deleted");
    }

    fn send_ten(&self, body: &str) {
        let sent = self.0.send_batch([body; 10]).expect("the batch is valid");
        assert_eq!(sent.successful.len(), 10);
    }

    fn take_ten(&self) {
        let deleted = self.0.delete_batch(&self.receive(10)).expect("the batch is valid");
        assert_eq!(deleted.successful.len(), 10);
    }
}
