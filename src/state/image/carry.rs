//! What a queue holds, as entries that are carried forward.

use {
    super::{MessageImage, PhaseImage, QueueHeader, RememberedSend},
    crate::state::{
        queue::QueueState,
        record::{Phase, Record},
        slab::Slot,
    },
};

impl QueueState {
    /// Roughly the bytes of a message that is carried forward, without its content.
    pub(crate) const EACH: u64 = 100;

    /// Gives the queue its number in a journal, which is not 0.
    pub(crate) const fn set_number(&mut self, number: u64) {
        self.number = number;
    }

    /// The queue without its messages. A queue does not know its name.
    pub(crate) fn header(&self, name: &str) -> QueueHeader {
        QueueHeader {
            name: name.to_owned(),
            settings: self.settings.clone(),
            next_sequence: self.next_sequence,
            became_visible: self.became_visible,
            purged_at: self.purged_at,
            scope_change: self.deduplication.scope_change(),
        }
    }

    /// The message with this sequence, which is in this slot if it is stored.
    pub(crate) fn carried(&self, slot: Slot, sequence: u64) -> Option<MessageImage> {
        let record = self.records.get(slot).filter(|record| record.sequence == sequence)?;
        Some(self.image_of(slot, record))
    }

    fn image_of(&self, slot: Slot, record: &Record) -> MessageImage {
        MessageImage {
            slot,
            sequence: record.sequence,
            message_id: record.message_id,
            content: record.content.clone(),
            retention_base: record.retention_base,
            phase: match record.phase {
                Phase::Delayed { from } => PhaseImage::Delayed {
                    from,
                    until: self.deadlines.delay_end(from),
                },
                Phase::Visible { since } | Phase::Departing { since, .. } => PhaseImage::Visible { since },
                Phase::InFlight { until, since, changed } => PhaseImage::InFlight { until, since, changed },
            },
            first_received_at: record.first_received_at,
            received_at: record.received_at,
            receive_count: record.receive_count,
            reception: record.reception,
        }
    }

    /// The send that stored the message with this sequence, while a FIFO queue remembers it (F9).
    pub(crate) fn remembered(&self, sequence: u64) -> Option<RememberedSend> {
        self.deduplication.send(self.now, sequence)
    }

    /// Whether the message with this sequence is on its way to another queue. It is not to be carried forward: that queue
    /// may have it already, and the copy would come behind the entry that says so.
    pub(crate) fn is_under_way(&self, slot: Slot, sequence: u64) -> bool {
        let record = self.records.get(slot).filter(|record| record.sequence == sequence);
        record.is_some_and(|record| matches!(record.phase, Phase::Departing { .. }))
    }

    /// Roughly the bytes of all that would be carried forward.
    pub(crate) fn stored_bytes(&self) -> u64 {
        self.bytes as u64 + self.len() as u64 * Self::EACH + self.deduplication.bytes()
    }
}
