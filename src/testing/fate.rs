//! What becomes of messages.

use {crate::message::MessageId, std::sync::Arc};

/// How a message left its queue.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Fate {
    /// A consumer deleted it.
    Deleted,
    /// It was received as often as allowed, or a consumer gave it up, and is in the dead-letter queue.
    DeadLettered,
    /// Its retention ended.
    Expired,
}

/// A message at the end of a case.
///
/// # Examples
/// ```
/// # use {proptest::strategy::Just, requeue::{Queue, testing::{Consumer, Fate, Faults, check}}};
/// let checked = check("jobs", || ())
///     .queue(|| Queue::standard("jobs"))
///     .messages(Just("job"))
///     .consumer("c", |_| Consumer::each(|_, _| Ok::<_, String>(())))
///     .faults(Faults::none())
///     .finally("each job is deleted after one receive", |(), messages| {
///         messages.iter().all(|it| &*it.body == "job" && it.fate == Some(Fate::Deleted) && it.received == 1)
///     })
///     .run();
/// assert!(checked.is_ok());
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct FinalMessage {
    /// Its id; it keeps it as a dead letter.
    pub message_id: MessageId,
    /// As the story calls it: `m1`.
    pub name: String,
    /// The name of the queue that it was in.
    pub queue: Arc<str>,
    /// Its body.
    pub body: Arc<str>,
    /// Its group.
    pub message_group_id: Option<Arc<str>>,
    /// How often it was received.
    pub received: u32,
    /// How it left its queue; `None` if it is still there, and nobody has received from that queue.
    pub fate: Option<Fate>,
}

/// What became of messages, as counted in a run of a check.
///
/// # Examples
/// ```
/// # use {proptest::strategy::Just, requeue::{Queue, testing::{Consumer, Faults, check}}};
/// let passed = check("jobs", || ())
///     .queue(|| Queue::standard("jobs"))
///     .messages(Just("job"))
///     .consumer("c", |_| Consumer::each(|_, _| Ok::<_, String>(())))
///     .faults(Faults::none())
///     .run()?;
/// assert_eq!(passed.fates.deleted, passed.fates.messages);
/// # Ok::<(), requeue::testing::CheckError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Fates {
    /// Messages that were sent; a dead letter is not counted again.
    pub messages: u64,
    /// Those that a consumer received, of dead letters too.
    pub received: u64,
    /// Those that a consumer deleted.
    pub deleted: u64,
    /// Those that became dead letters.
    pub dead_lettered: u64,
    /// Those whose retention ended.
    pub expired: u64,
}

impl Fates {
    pub(super) const fn add(&mut self, other: Self) {
        self.messages += other.messages;
        self.received += other.received;
        self.deleted += other.deleted;
        self.dead_lettered += other.dead_lettered;
        self.expired += other.expired;
    }
}
