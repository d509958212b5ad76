//! What the queues report, on its way to the ledger.

use {
    crate::{
        message::MessageId,
        queue::FactListener,
        state::{Fact, FactEntry},
        sync::Mutex,
    },
    std::sync::Arc,
};

/// The facts that the lab counts by.
#[derive(Clone, Copy, Debug)]
pub(super) enum Seen {
    Sent(MessageId, Numbered),
    Received(MessageId),
    Deleted(MessageId),
    Expired(MessageId),
    DeadLettered,
    Arrived(MessageId),
}

/// The producer of a message, which of its messages it is, and of which of its groups.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Numbered {
    pub(super) producer: u32,
    pub(super) number: u64,
    pub(super) group: Option<u32>,
}

impl Numbered {
    /// A number by which the draws for the message are made, another one for each message of the run.
    pub(super) const fn key(self) -> u64 {
        (self.producer as u64) << 48 ^ self.number
    }

    /// Writes a body of so many bytes, or of as many more as the number needs.
    pub(super) fn write(self, body: &mut String, bytes: usize) {
        use std::fmt::Write;
        body.clear();
        // Writing to a string does not fail.
        let _ = match self.group {
            Some(group) => write!(body, "{}:{}:{group}:", self.producer, self.number),
            None => write!(body, "{}:{}:", self.producer, self.number),
        };
        while body.len() < bytes {
            let missing = bytes - body.len();
            body.push_str(&FILLING[..missing.min(FILLING.len())]);
        }
    }

    pub(super) fn read(body: &str) -> Option<Self> {
        let mut parts = body.split(':');
        Some(Self {
            producer: parts.next()?.parse().ok()?,
            number: parts.next()?.parse().ok()?,
            group: parts.next().and_then(|it| it.parse().ok()),
        })
    }
}

const FILLING: &str = "................................................................";

/// Collects the facts of all queues until the lab looks at them.
#[derive(Clone, Debug, Default)]
pub(super) struct FactLog {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug, Default)]
struct Shared {
    seen: Vec<(u32, Seen)>,
    /// The message that is being sent.
    sending: Option<Numbered>,
}

impl FactLog {
    pub(super) fn listener(&self, queue: u32) -> impl FactListener + use<> {
        let shared = Arc::clone(&self.shared);
        move |_: &Arc<str>, entry: &FactEntry| {
            let mut shared = shared.lock();
            if let Some(fact) = note(&entry.fact, &mut shared.sending) {
                shared.seen.push((queue, fact));
            }
        }
    }

    /// The next send is that of this message, whose body need not carry its number; or of one whose body does.
    #[inline]
    pub(super) fn sending(&self, numbered: Option<Numbered>) {
        self.shared.lock().sending = numbered;
    }

    /// Exchanges what was collected for the empty `seen`.
    #[inline]
    pub(super) fn take(&self, seen: &mut Vec<(u32, Seen)>) {
        std::mem::swap(&mut self.shared.lock().seen, seen);
    }
}

fn note(fact: &Fact, sending: &mut Option<Numbered>) -> Option<Seen> {
    Some(match fact {
        Fact::Sent {
            message_id, content, ..
        } => {
            let numbered = sending.take().or_else(|| Numbered::read(content.body()));
            Seen::Sent(*message_id, numbered?)
        }
        Fact::Received { message_id, .. } => Seen::Received(*message_id),
        Fact::Deleted { message_id } => Seen::Deleted(*message_id),
        Fact::Expired { message_id } => Seen::Expired(*message_id),
        Fact::DeadLettered { .. } => Seen::DeadLettered,
        Fact::Arrived { message_id, .. } => Seen::Arrived(*message_id),
        _ => return None,
    })
}
