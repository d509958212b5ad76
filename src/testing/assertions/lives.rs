//! The stay of each message in a queue, derived from facts.

use std::{collections::HashMap, sync::Arc};

use super::Recorded;
use crate::{message::Content, message::MessageId, state::Fact};

/// One stay of a message in a queue. Places are places in the record.
#[derive(Debug)]
pub(super) struct Life {
    pub(super) queue: Arc<str>,
    pub(super) message_id: MessageId,
    pub(super) message_group_id: Option<Arc<str>>,
    pub(super) received: Vec<usize>,
    pub(super) end: Option<(usize, End)>,
}

/// How a stay ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum End {
    Deleted,
    Expired,
    DeadLettered,
    MovedOut,
    Purged,
    QueueDeleted,
}

impl End {
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Deleted => "was deleted",
            Self::Expired => "expired",
            Self::DeadLettered => "was dead-lettered",
            Self::MovedOut => "was moved out",
            Self::Purged => "was purged",
            Self::QueueDeleted => "was deleted with its queue",
        }
    }
}

/// All stays in the order in which they began.
pub(super) fn lives(record: &[Recorded]) -> Vec<Life> {
    let mut lives = Lives::default();
    for (place, (queue, entry)) in record.iter().enumerate() {
        let mut end = |id: &MessageId, end| lives.end(queue, *id, (place, end));
        match &entry.fact {
            Fact::Deleted { message_id } => end(message_id, End::Deleted),
            Fact::Expired { message_id } => end(message_id, End::Expired),
            Fact::DeadLettered { message_id } => end(message_id, End::DeadLettered),
            Fact::MovedOut { message_id } => end(message_id, End::MovedOut),
            Fact::Sent {
                message_id, content, ..
            }
            | Fact::Arrived {
                message_id, content, ..
            }
            | Fact::MovedIn { message_id, content } => lives.begin(queue, *message_id, content),
            Fact::Received { message_id, .. } => lives.receive(queue, *message_id, place),
            Fact::Purged { .. } => lives.end_all(queue, (place, End::Purged)),
            Fact::QueueDeleted => lives.end_all(queue, (place, End::QueueDeleted)),
            Fact::Deduplicated { .. }
            | Fact::ReceivedNothing
            | Fact::ReceivedAgain { .. }
            | Fact::VisibilityChanged { .. }
            | Fact::Returned { .. }
            | Fact::Released { .. }
            | Fact::Postponed { .. }
            | Fact::DelayEnded { .. }
            | Fact::Failed { .. }
            | Fact::DeletedAgain
            | Fact::SettingsChanged { .. } => {}
        }
    }
    lives.all
}

#[derive(Default)]
struct Lives {
    all: Vec<Life>,
    /// The stays that have not ended, by their places in `all`.
    open: HashMap<(Arc<str>, MessageId), usize>,
}

impl Lives {
    fn begin(&mut self, queue: &Arc<str>, message_id: MessageId, content: &Content) {
        self.open.insert((Arc::clone(queue), message_id), self.all.len());
        self.all.push(Life {
            queue: Arc::clone(queue),
            message_id,
            message_group_id: content.group_id().map(Arc::from),
            received: Vec::new(),
            end: None,
        });
    }

    fn receive(&mut self, queue: &Arc<str>, message_id: MessageId, place: usize) {
        if let Some(life) = self.open.get(&(Arc::clone(queue), message_id)) {
            self.all[*life].received.push(place);
        }
    }

    fn end(&mut self, queue: &Arc<str>, message_id: MessageId, end: (usize, End)) {
        if let Some(life) = self.open.remove(&(Arc::clone(queue), message_id)) {
            self.all[life].end = Some(end);
        }
    }

    fn end_all(&mut self, queue: &Arc<str>, end: (usize, End)) {
        self.open.retain(|(of, _), life| {
            let ends = of == queue;
            if ends {
                self.all[*life].end = Some(end);
            }
            !ends
        });
    }
}
