//! Facts: the state transitions of a queue, as data.

use super::slab::Slot;
use crate::{
    attributes::QueueSettings,
    message::{Content, MessageId},
    time::Timestamp,
};
use std::sync::Arc;

/// One transition of a queue.
///
/// A message's life is the list of facts that carry its id, from [`Sent`](Self::Sent), [`Arrived`](Self::Arrived)
/// or [`MovedIn`](Self::MovedIn) to the fact by which it left.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Fact {
    /// A send was accepted.
    #[non_exhaustive]
    Sent {
        /// The id drawn for the message.
        message_id: MessageId,
        /// Body, attributes and ids.
        content: Content,
        /// When the message can first be received: the send itself, or the end of its delay.
        visible_at: Timestamp,
    },
    /// A send to a FIFO queue repeated one of the last five minutes and stored nothing (F11).
    #[non_exhaustive]
    Deduplicated {
        /// The message that the original send stored.
        message_id: MessageId,
    },
    /// A message was delivered to a consumer.
    #[non_exhaustive]
    Received {
        /// The message.
        message_id: MessageId,
        /// `ApproximateReceiveCount`, this receive included.
        receive_count: u32,
        /// When it becomes visible again; the instant of the receive itself if the timeout was zero.
        invisible_until: Timestamp,
    },
    /// A message in flight was delivered once more, because its consumer repeated a receive attempt (F32); the reception
    /// begins anew.
    #[non_exhaustive]
    ReceivedAgain {
        /// The message.
        message_id: MessageId,
        /// When it becomes visible again; the instant of the receive itself if the timeout was zero.
        invisible_until: Timestamp,
    },
    /// A receive ended without a message.
    ReceivedNothing,
    /// A message in flight got another visibility timeout.
    #[non_exhaustive]
    VisibilityChanged {
        /// The message.
        message_id: MessageId,
        /// When it becomes visible again.
        invisible_until: Timestamp,
    },
    /// A message in flight became visible again: its timeout ended or was set to zero, or the dead-letter queue that a
    /// consumer sent it to was deleted meanwhile.
    #[non_exhaustive]
    Returned {
        /// The message.
        message_id: MessageId,
    },
    /// A consumer released a message in flight: it is visible again as if that receive had not been.
    #[non_exhaustive]
    Released {
        /// The message.
        message_id: MessageId,
    },
    /// A consumer postponed a message in flight: it comes back as if that receive had not been.
    #[non_exhaustive]
    Postponed {
        /// The message.
        message_id: MessageId,
        /// When it becomes visible again.
        invisible_until: Timestamp,
    },
    /// A delayed message became visible.
    #[non_exhaustive]
    DelayEnded {
        /// The message.
        message_id: MessageId,
    },
    /// A consumer deleted a message.
    #[non_exhaustive]
    Deleted {
        /// The message.
        message_id: MessageId,
    },
    /// A delete succeeded for a message that was gone already (D19).
    DeletedAgain,
    /// A message reached the end of its retention.
    #[non_exhaustive]
    Expired {
        /// The message.
        message_id: MessageId,
    },
    /// A consumer reported why it could not do a message; nothing else changed.
    ///
    /// Where the consumer also gave the message up, [`DeadLettered`](Self::DeadLettered) follows, or
    /// [`Returned`](Self::Returned) if the dead-letter queue was deleted meanwhile.
    #[non_exhaustive]
    Failed {
        /// The message.
        message_id: MessageId,
        /// Why, in the words of the consumer.
        reason: Arc<str>,
    },
    /// A message left for the dead-letter queue, which has it: it was received too often, or a consumer gave it up.
    #[non_exhaustive]
    DeadLettered {
        /// The message.
        message_id: MessageId,
    },
    /// A message came in by a dead-letter move.
    #[non_exhaustive]
    Arrived {
        /// The message; its id is that of its first send.
        message_id: MessageId,
        /// Body, attributes and ids, the source queue's ARN and a consumer's reason among them.
        content: Content,
        /// Receives so far, in all queues.
        receive_count: u32,
        /// When it was first received, in whatever queue.
        first_received_at: Timestamp,
        /// What its retention counts from: the arrival on a FIFO queue, the first send on a standard one (L13, L14).
        retention_base: Timestamp,
    },
    /// A move task took a message out of this queue.
    #[non_exhaustive]
    MovedOut {
        /// The message.
        message_id: MessageId,
    },
    /// A move task put a message into this queue.
    #[non_exhaustive]
    MovedIn {
        /// The id drawn for it here (L30).
        message_id: MessageId,
        /// Body, attributes and ids.
        content: Content,
    },
    /// All messages were purged.
    #[non_exhaustive]
    Purged {
        /// How many.
        messages: usize,
    },
    /// The queue's settings were replaced.
    #[non_exhaustive]
    SettingsChanged {
        /// All settings from now on.
        settings: Box<QueueSettings>,
    },
    /// The queue was deleted with all it held.
    QueueDeleted,
}

impl Fact {
    /// The message it is about, if it is about one.
    ///
    /// # Examples
    /// ```
    /// use requeue::{FactChannel, Queue};
    ///
    /// let (listener, facts) = FactChannel::unbounded();
    /// let jobs = Queue::standard("jobs").listener(listener).build()?;
    /// let sent = jobs.send("resize cat.png")?;
    /// assert_eq!(facts.recv()?.1.fact.message_id(), Some(sent.message_id));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn message_id(&self) -> Option<MessageId> {
        match self {
            Self::Sent { message_id, .. }
            | Self::Deduplicated { message_id }
            | Self::Received { message_id, .. }
            | Self::ReceivedAgain { message_id, .. }
            | Self::VisibilityChanged { message_id, .. }
            | Self::Returned { message_id }
            | Self::Released { message_id }
            | Self::Postponed { message_id, .. }
            | Self::DelayEnded { message_id }
            | Self::Deleted { message_id }
            | Self::Expired { message_id }
            | Self::Failed { message_id, .. }
            | Self::DeadLettered { message_id }
            | Self::Arrived { message_id, .. }
            | Self::MovedOut { message_id }
            | Self::MovedIn { message_id, .. } => Some(*message_id),
            Self::ReceivedNothing
            | Self::DeletedAgain
            | Self::Purged { .. }
            | Self::SettingsChanged { .. }
            | Self::QueueDeleted => None,
        }
    }
}

/// A fact with its place in the queue's history.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct FactEntry {
    /// Counts the queue's facts from 1 without gaps.
    pub number: u64,
    /// When it happened; never earlier than the entry before.
    pub at: Timestamp,
    /// What happened.
    pub fact: Fact,
    /// The message's place in the queue, for a journal.
    pub(crate) place: Place,
    /// Where a message that came from another queue was until now, for a journal.
    pub(crate) origin: Option<Origin>,
}

/// Where a message of a fact is stored.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Place {
    pub(crate) slot: Slot,
    pub(crate) sequence: u64,
    /// The number of the event by which it became visible (F22), 0 of a message that is not visible after the fact.
    pub(crate) since: u64,
}

impl Place {
    /// Of a message that is not visible or has left.
    pub(super) const fn hidden(slot: Slot, sequence: u64) -> Self {
        Self {
            slot,
            sequence,
            since: 0,
        }
    }
}

/// A message in the queue that it moved out of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Origin {
    /// The number of that queue in the journal, 0 of a queue without one.
    pub(crate) queue: u64,
    pub(crate) sequence: u64,
}
