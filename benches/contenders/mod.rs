//! What is compared, behind one trait, so that every contender runs the same loops.

mod body;
mod channels;
mod hand_written;
mod ours;

pub(crate) use body::BODY;
pub(crate) use channels::{AsyncChannel, Crossbeam, Flume, Tokio};
pub(crate) use hand_written::HandWritten;
pub(crate) use ours::{Fifo, Standard};

use std::time::Duration;

/// A queue of text messages. Every contender is handed a `&str` and makes its own owned message of it.
pub(crate) trait Contender: 'static {
    /// As it stands in the table.
    const NAME: &'static str;

    fn open() -> Self;

    fn send(&self, body: &str);

    /// Receives a message that is there, looks at its body, and settles it.
    fn take(&self);

    fn send_ten(&self, body: &str) {
        (0..10).for_each(|_| self.send(body));
    }

    fn take_ten(&self) {
        (0..10).for_each(|_| self.take());
    }
}

/// A contender that also holds what cannot be received: messages in flight and for later.
pub(crate) trait Holding: Contender {
    /// Receives one message and leaves it unsettled. A channel has no such thing: it goes to a vector beside it.
    fn hold(&self);

    /// Sends for later. A channel has no such thing: the message goes to a vector beside it.
    fn send_delayed(&self, body: &str, delay: Duration);
}

/// A contender that many threads use at once.
pub(crate) trait Shared: Contender + Sync {
    /// Receives a message, waiting for it if there is none, and settles it.
    fn take_waiting(&self);
}
