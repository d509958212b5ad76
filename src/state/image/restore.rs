//! A queue, built from its image.

use {
    super::{MessageImage, PhaseImage, QueueHeader, QueueImage, RememberedSend, TaskImage},
    crate::{
        limits::Limits,
        state::{
            dedup::Deduplication,
            move_task::MoveTask,
            queue::{QueueState, StaleDelete},
            record::{Past, Phase, Record},
            slab::{Restoring, Slot},
        },
        time::Timestamp,
    },
    std::{collections::BTreeMap, sync::Arc, time::Duration},
};

/// Why an image is not that of a queue.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum RestoreError {
    #[error("the queue has no header")]
    NoHeader,
    #[error("the messages {sequence} and {other} are both in slot {slot}")]
    SlotTaken { slot: Slot, sequence: u64, other: u64 },
    #[error("message {sequence} is in slot {slot}, and {limit} is the highest that it can be in")]
    SlotBeyond { slot: Slot, sequence: u64, limit: Slot },
    #[error("message {sequence} was never visible, and is not delayed")]
    NeverVisible { sequence: u64 },
    #[error("the counter stands at {count}, and {limit} is the highest that it can reach", limit = HIGHEST_COUNT)]
    CountBeyond { count: u64 },
}

/// No queue counts further: at a message a nanosecond it takes a century.
const HIGHEST_COUNT: u64 = 1 << 62;

/// So many slots at most: below them the table of slots takes less than 512 MB, whatever an image says.
const MOST_SLOTS: u64 = 1 << 28;

/// The highest slot of a message with this sequence: so many messages were stored before, and slots come sixteen at a
/// time.
fn highest_slot(sequence: u64) -> Slot {
    let slots = (sequence | 15).min(MOST_SLOTS - 1);
    Slot::try_from(slots).unwrap_or(Slot::MAX)
}

fn checked_count(count: u64) -> Result<u64, RestoreError> {
    (count <= HIGHEST_COUNT)
        .then_some(count)
        .ok_or(RestoreError::CountBeyond { count })
}

impl MoveTask {
    /// The task of an image, as of `now`. It moves no faster than its rate says, however long nobody moved anything, and a
    /// clock that was set back makes it wait for no longer than that.
    pub(crate) fn restore(image: &TaskImage, longest: Duration, now: Timestamp) -> Self {
        let mut task = Self::start(image.started_at, image.rate, longest);
        (task.now, task.moved) = (now, image.moved);
        (task.status, task.failure) = (image.status, image.failure);
        task.ends_at = image.started_at.min(now).saturating_add(longest);
        task.pace_from_here();
        task
    }
}

impl QueueState {
    /// The queue of an image as of `now`. What fell due meanwhile happens in the steps that follow. `shards` and `salt` are
    /// as for [`new`](Self::new).
    ///
    /// Where entries were made by a clock that was ahead of `now`, nothing is held up for longer than if it had happened
    /// now. Retention counts from the instants recorded.
    ///
    /// The processing times of tenants (N3) and the receives with an attempt id (F31) are not in an image.
    pub(crate) fn restore(
        image: QueueImage,
        limits: Arc<Limits>,
        stale_delete: StaleDelete,
        shards: usize,
        salt: u64,
        now: Timestamp,
    ) -> Result<Self, RestoreError> {
        let QueueImage {
            header,
            messages,
            remembered,
            ..
        } = image;
        let header = header.ok_or(RestoreError::NoHeader)?;
        let mut state = Self::new(header.settings.clone(), limits, stale_delete, shards, salt);
        state.now = now;
        state.next_sequence = checked_count(header.next_sequence)?;
        state.became_visible = checked_count(header.became_visible)?;
        state.purged_at = header.purged_at.map(|at| at.min(now));
        let order = state.put_records(messages.into_values())?;
        state.put_in_order(&order);
        state.restore_memory(&header, remembered);
        Ok(state)
    }

    /// Puts the messages, which come in the order of their sequences, into their slots. Answers with the slots in that
    /// order.
    fn put_records(&mut self, messages: impl Iterator<Item = MessageImage>) -> Result<Vec<Slot>, RestoreError> {
        let mut records = Restoring::new();
        let mut order = Vec::with_capacity(messages.size_hint().0);
        for message in messages {
            let (slot, sequence) = (message.slot, message.sequence);
            let limit = highest_slot(sequence);
            if slot > limit {
                return Err(RestoreError::SlotBeyond { slot, sequence, limit });
            }
            self.next_sequence = self.next_sequence.max(checked_count(sequence)? + 1);
            self.bytes = self.bytes.saturating_add(message.content.size_bytes());
            let record = self.record_of(message)?;
            if !records.put(slot, record) {
                let other = order.iter().find(|&&(_, taken)| taken == slot);
                let other = other.map_or(sequence, |&(other, _)| other);
                return Err(RestoreError::SlotTaken { slot, sequence, other });
            }
            order.push((sequence, slot));
        }
        self.records = records.finish();
        Ok(order.into_iter().map(|(_, slot)| slot).collect())
    }

    fn record_of(&mut self, message: MessageImage) -> Result<Record, RestoreError> {
        let sequence = message.sequence;
        let phase = match message.phase {
            // The delay of a FIFO queue is the one of now.
            PhaseImage::Delayed { from, .. } if self.is_fifo() => Phase::Delayed { from },
            PhaseImage::Delayed { until, .. } => Phase::Delayed { from: until },
            PhaseImage::Visible { since } => Phase::Visible { since },
            PhaseImage::InFlight { until, since, changed } => Phase::InFlight { until, since, changed },
        };
        if phase.since() == 0 && !matches!(phase, Phase::Delayed { .. }) {
            return Err(RestoreError::NeverVisible { sequence });
        }
        self.became_visible = self.became_visible.max(checked_count(phase.since())?);
        let past = Past {
            retention_base: message.retention_base,
            first_received_at: message.first_received_at,
            receive_count: message.receive_count,
        };
        let mut record = Record::new(sequence, message.message_id, message.content, past, phase);
        record.received_at = message.received_at.min(self.now);
        record.reception = message.reception;
        Ok(record)
    }

    /// Files the records in the ordered lists. Each list is filled in its own order, so that none of its entries is out
    /// of order.
    fn put_in_order(&mut self, order: &[Slot]) {
        let (mut delayed, mut in_flight) = (Vec::new(), Vec::new());
        let mut retention = Vec::with_capacity(order.len());
        for &slot in order {
            self.discipline.admit(&mut self.records, slot);
            let record = &self.records[slot];
            retention.push((record.retention_base, record.sequence, slot));
            match record.phase {
                Phase::Delayed { from } => delayed.push((from, record.sequence, slot)),
                Phase::InFlight { until, .. } => in_flight.push((until, record.sequence, slot)),
                Phase::Visible { .. } | Phase::Departing { .. } => {
                    self.discipline.became_visible(&mut self.records, slot);
                }
            }
        }
        for list in [&mut retention, &mut delayed, &mut in_flight] {
            list.sort_unstable();
        }
        (self.delayed, self.in_flight) = (delayed.len(), in_flight.len());
        let deadlines = &mut self.deadlines;
        for (.., slot) in retention {
            deadlines.retention.insert(&mut self.records, slot);
        }
        for (.., slot) in delayed {
            deadlines.delayed.insert(&mut self.records, slot);
        }
        for (.., slot) in in_flight {
            deadlines.in_flight.insert(&mut self.records, slot);
            self.discipline.reception_began(self.records[slot].group);
        }
        let first = self.deadlines.first(&self.records);
        self.deadlines.behind = first.is_some_and(|(due_at, ..)| due_at <= self.now);
    }

    /// Remembers the sends that are not due, under the scope in force.
    fn restore_memory(&mut self, header: &QueueHeader, remembered: BTreeMap<u64, RememberedSend>) {
        let now = self.now;
        let mut sends: Vec<_> = remembered.into_values().filter(|_| self.is_fifo()).collect();
        // One from a clock ahead of now is forgotten no later than those that came after it.
        let mut latest = now.saturating_add(self.limits.deduplication_interval);
        let longest = latest;
        for send in sends.iter_mut().rev() {
            if send.forgotten_at > longest {
                send.forgotten_at = latest;
            }
            latest = send.forgotten_at;
        }
        sends.retain(|send| send.forgotten_at > now);
        // They are forgotten in the order in which they came.
        let mut earliest = now;
        for send in &mut sends {
            earliest = earliest.max(send.forgotten_at);
            send.forgotten_at = earliest;
        }
        let scope = header.scope_in_force(now);
        self.deduplication = Deduplication::restore(scope, sends.into_iter());
        if let Some((_, acts_at)) = header.scope_change.filter(|&(_, acts_at)| acts_at > now) {
            let next = header.settings.deduplication_scope;
            let acts_at = acts_at.min(now.saturating_add(self.limits.deduplication_scope_change_delay));
            self.deduplication.change_scope(next, acts_at);
            // The index of the new scope is complete, as it was.
            self.deduplication.advance(now, usize::MAX);
        }
    }
}
