//! What a journal's entries say: queues and their messages as plain data, by the queue's number and the message's sequence.
//!
//! [`ServiceImage::apply`] is the one function that reads an entry, and [`QueueState::restore`] builds a queue of what was
//! read. Entries about a message or a queue that is not there are passed over: what was carried forward from a segment
//! that is gone comes later in the log. So a queue's header may come after entries of its messages.
//!
//! [`QueueState::restore`]: super::QueueState::restore

mod apply;
mod carry;
mod restore;
mod shift;
#[cfg(test)]
mod tests;

pub(crate) use {super::dedup::RememberedSend, restore::RestoreError};

use {
    super::{
        fact::FactEntry,
        move_task::{MoveTaskFailure, MoveTaskStatus},
        slab::Slot,
    },
    crate::{
        attributes::{DeduplicationScope, QueueSettings},
        limits::Limits,
        message::{Content, MessageId},
        time::Timestamp,
    },
    std::{collections::BTreeMap, num::NonZeroU32, time::Duration},
};

/// One entry of a journal.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Recorded {
    /// A fact of the queue.
    Fact(FactEntry),
    /// The queue as it stands, without its messages: when it is created, and when it is carried forward.
    Queue(QueueHeader),
    /// The queue's tags, all of them.
    Tags(BTreeMap<String, String>),
    /// A message as it stands, carried forward.
    Message(MessageImage),
    /// A send that the queue remembers (F9), carried forward.
    Remembered(RememberedSend),
    /// A move task as it stands: when it starts, is cancelled or ends, and when it is carried forward. Of the source's
    /// number.
    Task(TaskImage),
    /// The service as it stands. Of queue number 0.
    Service(ServiceHeader),
    /// The journal was opened, or is open with this epoch still, and the clock says `at`; of queue number 0. If that is
    /// before the latest entry, the clock was set back, and messages hidden so far are hidden for less by that.
    Opened { epoch: u64, at: Timestamp },
    /// A queue of this name was deleted, and the name cannot be used again yet (Q37), carried forward. Of queue number 0.
    NameDeleted { name: String, at: Timestamp },
}

/// A queue without its messages.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct QueueHeader {
    pub(crate) name: String,
    pub(crate) settings: QueueSettings,
    /// Sequences below were used.
    pub(crate) next_sequence: u64,
    pub(crate) became_visible: u64,
    pub(crate) purged_at: Option<Timestamp>,
    /// The scope in force, while the one in the settings does not act yet, and when that one will (F16).
    pub(crate) scope_change: Option<(DeduplicationScope, Timestamp)>,
}

/// A stored message.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct MessageImage {
    pub(crate) slot: Slot,
    pub(crate) sequence: u64,
    pub(crate) message_id: MessageId,
    pub(crate) content: Content,
    pub(crate) retention_base: Timestamp,
    pub(crate) phase: PhaseImage,
    pub(crate) first_received_at: Timestamp,
    pub(crate) received_at: Timestamp,
    pub(crate) receive_count: u32,
    pub(crate) reception: u32,
}

/// The phase of a [`MessageImage`]; a departing message is visible.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum PhaseImage {
    /// `until` is what the settings of its send say; on a FIFO queue those of now hold, counted from `from` (D35).
    Delayed {
        from: Timestamp,
        until: Timestamp,
    },
    Visible {
        since: u64,
    },
    InFlight {
        until: Timestamp,
        since: u64,
        changed: bool,
    },
}

/// A move task. Messages that moved in from its source after this entry are counted on.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TaskImage {
    pub(crate) id: MessageId,
    /// Number and ARN.
    pub(crate) destination: Option<(u64, String)>,
    pub(crate) rate: Option<NonZeroU32>,
    pub(crate) to_move: u64,
    pub(crate) started_at: Timestamp,
    pub(crate) moved: u64,
    pub(crate) status: MoveTaskStatus,
    pub(crate) failure: Option<MoveTaskFailure>,
}

/// A service without its queues.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ServiceHeader {
    pub(crate) region: String,
    pub(crate) account_id: String,
    pub(crate) seed: u64,
    /// Queues created and move tasks started so far.
    pub(crate) created: u64,
    pub(crate) started: u64,
}

/// A queue: what its header and its entries say.
#[derive(Debug, Default)]
pub(crate) struct QueueImage {
    pub(crate) header: Option<QueueHeader>,
    pub(crate) tags: BTreeMap<String, String>,
    /// By sequence: they arrive in its order, and restoring them in any other misses the cache at each message.
    pub(crate) messages: BTreeMap<u64, MessageImage>,
    /// By sequence.
    pub(crate) remembered: BTreeMap<u64, RememberedSend>,
    /// The sends of the latest opening have this sequence and higher ones.
    pub(super) sends_from: u64,
    /// The newest last.
    pub(crate) tasks: Vec<TaskImage>,
}

/// A whole service.
#[derive(Debug)]
pub(crate) struct ServiceImage {
    pub(crate) header: Option<ServiceHeader>,
    pub(crate) queues: BTreeMap<u64, QueueImage>,
    /// Names of queues deleted, and when.
    pub(crate) deleted: BTreeMap<String, Timestamp>,
    /// How often the journal was opened.
    pub(crate) epoch: u64,
    /// The latest instant of an entry since the clock was last set back.
    pub(crate) latest: Timestamp,
    rules: Rules,
}

/// The limits by which entries are read.
#[derive(Clone, Copy, Debug)]
struct Rules {
    deduplication_interval: Duration,
    scope_change_delay: Duration,
    /// Most tasks of a queue that are kept.
    tasks: usize,
}

impl ServiceImage {
    /// A service of which no entry was read.
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            header: None,
            queues: BTreeMap::new(),
            deleted: BTreeMap::new(),
            epoch: 0,
            latest: Timestamp::ZERO,
            rules: Rules {
                deduplication_interval: limits.deduplication_interval,
                scope_change_delay: limits.deduplication_scope_change_delay,
                tasks: limits.list_move_task_results,
            },
        }
    }
}
