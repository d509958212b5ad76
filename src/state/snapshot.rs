//! Snapshots of a queue, without side effects.

use {
    super::{
        queue::{Counts, QueueState},
        record::{Phase, Record},
    },
    crate::{
        message::{Content, MessageId, SequenceNumber},
        time::Timestamp,
    },
    std::collections::HashSet,
};

/// Where a message is, in a [`QueueSnapshot`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum MessagePhase {
    /// Waiting to be received.
    Visible,
    /// Sent with a delay that has not ended.
    Delayed {
        /// End of the delay.
        until: Timestamp,
    },
    /// Received and hidden.
    InFlight {
        /// End of the visibility timeout.
        until: Timestamp,
    },
}

/// One message of a [`QueueSnapshot`].
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct MessageSnapshot {
    /// The message's id.
    pub message_id: MessageId,
    /// The body, the attributes, the group id, and what else was sent, shared with the queue.
    pub content: Content,
    /// Where the message is.
    pub phase: MessagePhase,
    /// Visible, but held back because an earlier message of its group is in flight, delayed, or on its way to the
    /// dead-letter queue because a consumer gave it up (F18).
    pub blocked: bool,
    /// FIFO only.
    pub sequence_number: Option<SequenceNumber>,
    /// When the message was first sent.
    pub sent_timestamp: Timestamp,
    /// When it came into this queue: the send, or the last move.
    pub arrived_timestamp: Timestamp,
    /// Receives so far.
    pub approximate_receive_count: u32,
    /// When retention ends it.
    pub expires_at: Timestamp,
}

/// A queue at one instant: every message in queue order, and why it is not visible.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct QueueSnapshot {
    /// The instant.
    pub at: Timestamp,
    /// The counters at that instant.
    pub counts: Counts,
    /// All stored messages in the order of their sequence.
    pub messages: Vec<MessageSnapshot>,
}

impl QueueState {
    /// The queue as it is at `now`: what is due counts as done, but nothing is changed (D41).
    pub(crate) fn snapshot(&self, now: Timestamp) -> QueueSnapshot {
        let at = self.now.max(now);
        let mut records: Vec<&Record> = self.records.iter().map(|(_, record)| record).collect();
        records.sort_unstable_by_key(|record| record.sequence);
        let mut locked = HashSet::new();
        let mut counts = Counts::default();
        let mut messages = Vec::with_capacity(records.len());
        for record in records {
            let expires_at = self.deadlines.expires_at(record);
            if expires_at <= at {
                continue;
            }
            let phase = self.phase_at(record, at);
            match phase {
                MessagePhase::Visible => counts.visible += 1,
                MessagePhase::Delayed { .. } => counts.delayed += 1,
                MessagePhase::InFlight { .. } => counts.in_flight += 1,
            }
            let visible = phase == MessagePhase::Visible;
            let blocked = self.is_fifo() && visible && locked.contains(&record.group);
            if self.is_fifo() && (!visible || matches!(record.phase, Phase::Departing { locks_group: true, .. })) {
                locked.insert(record.group);
            }
            messages.push(MessageSnapshot {
                message_id: record.message_id,
                content: record.content.clone(),
                phase,
                blocked,
                sequence_number: self.is_fifo().then(|| SequenceNumber::new(record.sequence)),
                sent_timestamp: record.sent_at(),
                arrived_timestamp: record.arrived_at(),
                approximate_receive_count: record.receive_count,
                expires_at,
            });
        }
        QueueSnapshot { at, counts, messages }
    }

    fn phase_at(&self, record: &Record, at: Timestamp) -> MessagePhase {
        match record.phase {
            Phase::Delayed { from } if self.deadlines.delay_end(from) > at => MessagePhase::Delayed {
                until: self.deadlines.delay_end(from),
            },
            Phase::InFlight { until, .. } if until > at => MessagePhase::InFlight { until },
            _ => MessagePhase::Visible,
        }
    }
}
