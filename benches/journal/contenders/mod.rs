//! What is compared, behind one trait, so that every contender runs the same loops.

mod bare;
mod effectum;
mod honker;
mod ours;
mod persistent_queue;
mod redb;
mod rusqlite;
mod rustqueue;

pub(crate) use bare::Bare;
pub(crate) use effectum::Effectum;
pub(crate) use honker::Honker;
pub(crate) use ours::{Level, Ours};
pub(crate) use persistent_queue::PersistentQueue;
pub(crate) use redb::Redb;
pub(crate) use rusqlite::Rusqlite;
pub(crate) use rustqueue::RustQueue;

/// A queue of text messages in a directory. Every contender makes its own message of a `&str`, and a call returns when
/// what it did is as safe as the contender's level says.
pub(crate) trait Store: Send + Sync {
    fn send(&self, body: &str);

    /// Receives a message that is there, looks at its body, and deletes it.
    fn take(&self);

    /// Ten sends as one call, where the contender has such a call.
    fn send_ten(&self, body: &str) {
        (0..10).for_each(|_| self.send(body));
    }

    fn take_ten(&self) {
        (0..10).for_each(|_| self.take());
    }

    /// Sends so many, a multiple of a thousand, in the largest batches that the contender has.
    fn fill(&self, messages: usize, body: &str) {
        (0..messages / 10).for_each(|_| self.send_ten(body));
    }

    /// Takes so many, as `fill` sends them.
    fn drain(&self, messages: usize) {
        (0..messages / 10).for_each(|_| self.take_ten());
    }
}
