//! What is compared, behind one trait, so that every contender runs the same loops.

mod channels;
mod hand_written;
mod ours;

pub(crate) use channels::{AsyncChannel, Crossbeam, Flume, Tokio};
pub(crate) use hand_written::HandWritten;
pub(crate) use ours::{Fifo, Standard};

use std::time::Duration;

/// What every message holds.
pub(crate) const BODY: &str = concat!(
    r#"{"job":"resize","source":"s3://photos/2026/01/cat.png","target":"s3://thumbs/2026/01/cat.png","#,
    r#""width":320,"height":240,"quality":85,"strip":true,"attempt":1,"trace":"0f8fad5b-d9cb-469f-"#,
    r#"a165-70867728950e","owner":"orders","note":"one line, as jobs have it"}"#
);
const _: () = assert!(BODY.len() == 256, "the body is as long as the table says");

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
