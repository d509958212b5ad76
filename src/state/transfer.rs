//! Leaving for another queue and arriving from one, in two phases (L6-L19, L30-L34).
//!
//! A departing message stays stored here until the other queue has it, so that no instant finds it in neither.

use {
    super::{
        effects::{Cause, Departure, Effects},
        fact::Fact,
        queue::QueueState,
        record::{Phase, Record},
        slab::Slot,
    },
    crate::{
        message::{Content, MessageId},
        time::Timestamp,
    },
    std::sync::Arc,
};

impl QueueState {
    /// Marks a visible message that stands in no order of visible messages as departing, and offers it.
    pub(super) fn depart(&mut self, slot: Slot, cause: Cause, out: &mut Effects) {
        let record = &mut self.records[slot];
        let Phase::Visible { since } = record.phase else {
            return;
        };
        record.phase = Phase::Departing { since };
        self.departing += 1;
        out.departures.push(Departure {
            cause,
            slot,
            sequence: record.sequence,
            message_id: record.message_id,
            content: record.content.clone(),
            sent_at: record.sent_at,
            retention_base: record.retention_base,
            first_received_at: record.first_received_at,
            receive_count: record.receive_count,
        });
    }

    /// Marks the oldest visible message as departing (L31).
    pub(crate) fn depart_oldest(&mut self, now: Timestamp, out: &mut Effects) {
        self.advance(now, out);
        if let Some(slot) = self.discipline.oldest_visible(&self.records) {
            self.discipline.leaves_visible(&mut self.records, slot);
            self.depart(slot, Cause::MoveTask, out);
            self.discipline.phase_changed(&self.records, slot);
        }
    }

    /// The other queue has the message.
    pub(crate) fn departed(&mut self, now: Timestamp, departure: &Departure, out: &mut Effects) {
        let now = self.advance(now, out);
        if self.is_departing(departure) {
            let message_id = departure.message_id;
            self.remove(departure.slot, now);
            out.fact(now, || match departure.cause {
                Cause::DeadLetter => Fact::DeadLettered { message_id },
                Cause::MoveTask => Fact::MovedOut { message_id },
            });
        }
    }

    /// No queue took the message: it is visible again, at the place where it stood (L9).
    pub(crate) fn departure_refused(&mut self, departure: &Departure) {
        if self.is_departing(departure) {
            if let Phase::Departing { since } = self.records[departure.slot].phase {
                self.departing -= 1;
                self.records[departure.slot].phase = Phase::Visible { since };
                self.discipline.became_visible(&mut self.records, departure.slot);
            }
        }
    }

    fn is_departing(&self, departure: &Departure) -> bool {
        self.records.get(departure.slot).is_some_and(|record| {
            record.sequence == departure.sequence && matches!(record.phase, Phase::Departing { .. })
        })
    }

    /// Takes in a message that was received too often in the queue with this ARN (L10-L14, L17).
    pub(crate) fn arrive_dead_letter(
        &mut self,
        now: Timestamp,
        departure: &Departure,
        source_arn: &Arc<str>,
        out: &mut Effects,
    ) {
        let now = self.advance(now, out);
        let message_id = departure.message_id;
        let content = departure.content.with_extras(|extras| {
            extras.dead_letter_source = Some(Arc::clone(source_arn));
            if self.is_fifo() {
                extras.deduplication_id = Some(message_id.to_string().into());
            }
        });
        let mut record = arrival(message_id, content, departure.sent_at);
        record.retention_base = if self.is_fifo() { now } else { departure.retention_base };
        record.first_received_at = departure.first_received_at;
        record.receive_count = departure.receive_count;
        out.fact(now, || Fact::Arrived {
            message_id,
            content: record.content.clone(),
            receive_count: record.receive_count,
        });
        self.store(record);
        self.advance(now, out);
    }

    /// Takes in a message from a move task, as a message that was never received (L30).
    pub(crate) fn arrive_by_move(
        &mut self,
        now: Timestamp,
        departure: &Departure,
        message_id: MessageId,
        out: &mut Effects,
    ) {
        let now = self.advance(now, out);
        let content = departure.content.with_extras(|extras| {
            extras.dead_letter_source = None;
            if self.is_fifo() {
                extras.deduplication_id = Some(message_id.to_string().into());
            }
        });
        let record = arrival(message_id, content, now);
        out.fact(now, || Fact::MovedIn {
            message_id,
            content: record.content.clone(),
        });
        self.store(record);
    }
}

/// Neither delay nor deduplication of the queue applies to what arrives (L17).
fn arrival(message_id: MessageId, content: Content, sent_at: Timestamp) -> Record {
    Record::new(message_id, content, sent_at, Phase::Visible { since: 0 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        attributes::Settings,
        limits::Limits,
        message::SendMessage,
        state::{Incoming, StaleDelete},
    };

    const NOW: Timestamp = Timestamp::ZERO;

    fn queue() -> QueueState {
        let limits = Limits::aws();
        QueueState::new(
            Settings::standard(&limits),
            Arc::new(limits),
            StaleDelete::default(),
            1,
            0,
        )
    }

    fn send(state: &mut QueueState, out: &mut Effects) {
        let incoming = Incoming {
            message_id: MessageId::from_random(0),
            content: SendMessage::new("x").into_parts().0,
            delay: None,
        };
        state.send(NOW, incoming, out);
    }

    fn departure(state: &mut QueueState, out: &mut Effects) -> Departure {
        state.depart_oldest(NOW, out);
        out.departures.pop().expect("a message on its way")
    }

    fn visible(state: &QueueState) -> usize {
        state.counts().approximate_number_of_messages
    }

    #[test]
    fn what_was_purged_on_its_way_takes_nothing_along() {
        // D43 L17
        let (mut state, mut out) = (queue(), Effects::default());
        send(&mut state, &mut out);
        let gone = departure(&mut state, &mut out);
        state.purge(NOW, &mut out).unwrap();
        send(&mut state, &mut out);
        state.departed(NOW, &gone, &mut out);
        state.departure_refused(&gone);
        assert_eq!(visible(&state), 1, "another message has its place");
        let other = departure(&mut state, &mut out);
        assert_eq!(other.slot, gone.slot);
        state.departed(NOW, &gone, &mut out);
        assert_eq!(state.len(), 1, "also while that one is on its way itself");
        state.departed(NOW, &other, &mut out);
        assert_eq!(state.len(), 0);
    }

    #[test]
    fn a_departure_is_answered_once() {
        // L9
        let (mut state, mut out) = (queue(), Effects::default());
        send(&mut state, &mut out);
        let refused = departure(&mut state, &mut out);
        state.departure_refused(&refused);
        state.departed(NOW, &refused, &mut out);
        state.departure_refused(&refused);
        assert_eq!((state.len(), visible(&state)), (1, 1));
    }
}
