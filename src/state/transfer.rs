//! Moving messages between queues in two phases (L6-L19, L30-L34).
//!
//! A departing message stays stored here until the other queue has it, so that no instant finds it in neither.

use {
    super::{
        effects::{Cause, Departure, Effects},
        fact::{Fact, Place},
        queue::{QueueState, Refusal},
        record::{Past, Phase, Receipt},
        slab::Slot,
    },
    crate::{
        message::{DeadLetter, Id, MessageId},
        time::Timestamp,
    },
    std::sync::Arc,
};

impl QueueState {
    /// Marks a visible message that stands in no order of visible messages as departing, and offers it.
    pub(super) fn depart(&mut self, slot: Slot, cause: Cause, reason: Option<Arc<str>>, out: &mut Effects) {
        let record = &mut self.records[slot];
        let Phase::Visible { since } = record.phase else {
            return;
        };
        record.phase = Phase::Departing {
            since,
            locks_group: cause != Cause::MoveTask,
        };
        self.departing += 1;
        out.departures.push(Departure {
            cause,
            origin: self.number,
            slot,
            sequence: record.sequence,
            message_id: record.message_id,
            content: record.content.clone(),
            sent_at: record.sent_at(),
            retention_base: record.retention_base,
            first_received_at: record.first_received_at,
            receive_count: record.receive_count,
            reason,
        });
    }

    /// Marks the oldest visible message as departing (L31). Finding none means that there is none only if the queue is
    /// not [behind](Self::is_behind).
    pub(crate) fn depart_oldest(&mut self, now: Timestamp, out: &mut Effects) {
        let now = self.advance(now, out);
        for _ in 0..self.due_at_once {
            let Some(slot) = self.discipline.oldest_visible(&self.records) else {
                return;
            };
            if self.is_expired(slot) {
                self.expire(slot, now, out);
                continue;
            }
            self.discipline.leaves_visible(&mut self.records, slot);
            self.depart(slot, Cause::MoveTask, None, out);
            self.discipline.phase_changed(&self.records, slot);
            return;
        }
    }

    /// A consumer says why it could not do a message, whatever has become of the message.
    pub(crate) fn report_failure(
        &mut self,
        now: Timestamp,
        message_id: MessageId,
        reason: Arc<str>,
        out: &mut Effects,
    ) {
        let now = self.advance(now, out);
        out.fact(now, || Fact::Failed { message_id, reason });
    }

    /// Marks a message in flight as departing, whatever its receive count, if its reception is that of the receipt; on
    /// a standard queue as on a FIFO queue, as the message may be held by another consumer (D19, D30).
    pub(crate) fn dead_letter(
        &mut self,
        now: Timestamp,
        receipt: Receipt,
        reason: Arc<str>,
        out: &mut Effects,
    ) -> Result<(), Refusal> {
        let now = self.advance(now, out);
        self.catch_up_on(receipt, out);
        let (slot, message_id) = (receipt.slot, self.in_flight_record(receipt)?.message_id);
        out.fact(now, || Fact::Failed {
            message_id,
            reason: Arc::clone(&reason),
        });
        // `depart` takes a visible record. If no queue takes the message, it becomes visible as of this instant.
        self.leave_phase(slot, now);
        let since = self.becomes_visible();
        self.records[slot].phase = Phase::Visible { since };
        // In flight or given up, it locks its group alike: the discipline has nothing to put in order.
        self.depart(slot, Cause::GivenUp, Some(reason), out);
        Ok(())
    }

    /// The other queue has the message.
    pub(crate) fn departed(&mut self, now: Timestamp, departure: &Departure, out: &mut Effects) {
        let now = self.advance(now, out);
        if self.is_departing(departure) {
            let message_id = departure.message_id;
            self.remove(departure.slot, now);
            out.fact_at(now, || {
                let fact = match departure.cause {
                    Cause::DeadLetter | Cause::GivenUp => Fact::DeadLettered { message_id },
                    Cause::MoveTask => Fact::MovedOut { message_id },
                };
                (Place::hidden(departure.slot, departure.sequence), fact)
            });
        }
    }

    /// No queue took the message: it is visible again, at the place where it stood (L9), or, if it was in flight, from
    /// the instant at which the consumer gave it up.
    pub(crate) fn departure_refused(&mut self, now: Timestamp, departure: &Departure, out: &mut Effects) {
        let now = self.advance(now, out);
        if self.is_departing(departure) {
            if let Phase::Departing { since, .. } = self.records[departure.slot].phase {
                self.departing -= 1;
                self.records[departure.slot].phase = Phase::Visible { since };
                self.discipline.became_visible(&mut self.records, departure.slot);
                if departure.cause == Cause::GivenUp {
                    let (slot, message_id) = (departure.slot, departure.message_id);
                    out.fact_at(now, || (self.records[slot].place(slot), Fact::Returned { message_id }));
                }
            }
        }
    }

    fn is_departing(&self, departure: &Departure) -> bool {
        self.records.get(departure.slot).is_some_and(|record| {
            // A purge or an expiry may have removed the message on its way, and the slot may hold another one since.
            // The sequence tells them apart; a slot alone does not identify a message.
            record.sequence == departure.sequence && matches!(record.phase, Phase::Departing { .. })
        })
    }

    /// Takes in a dead letter of the queue with this ARN (L10-L14, L17).
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
            extras.rare_mut().dead_letter = Some(Box::new(DeadLetter {
                source: Arc::clone(source_arn),
                reason: departure.reason.clone(),
                sent_at: departure.sent_at,
                arrived_at: now,
                carried_receive_count: departure.receive_count,
            }));
            if self.is_fifo() {
                extras.deduplication_id = Some(Id::from(&*message_id.to_string()));
            }
        });
        // On a standard queue retention still counts from the original send (L13), so it may expire on arrival.
        let past = Past {
            retention_base: if self.is_fifo() { now } else { departure.retention_base },
            first_received_at: departure.first_received_at,
            receive_count: departure.receive_count,
        };
        // Neither delay nor deduplication of the queue applies to what arrives (L17).
        let slot = self.store(message_id, content, None, Some(&past));
        out.fact_from(now, departure.from(), || {
            let record = &self.records[slot];
            let fact = Fact::Arrived {
                message_id,
                content: record.content.clone(),
                receive_count: record.receive_count,
                first_received_at: record.first_received_at,
                retention_base: record.retention_base,
            };
            (record.place(slot), fact)
        });
        self.advance(now, out);
    }

    /// Moves a dead letter to the end of this queue, which is its own dead-letter queue (L3d): in one step, so that it is
    /// never stored twice. What was purged or has expired on its way stays gone.
    pub(crate) fn dead_letter_to_itself(
        &mut self,
        now: Timestamp,
        departure: &Departure,
        own_arn: &Arc<str>,
        out: &mut Effects,
    ) {
        let now = self.advance(now, out);
        if self.is_departing(departure) {
            self.departed(now, departure, out);
            self.arrive_dead_letter(now, departure, own_arn, out);
        }
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
            extras.rare_mut().dead_letter = None;
            if self.is_fifo() {
                extras.deduplication_id = Some(Id::from(&*message_id.to_string()));
            }
        });
        let slot = self.store(message_id, content, None, None);
        out.fact_from(now, departure.from(), || {
            let record = &self.records[slot];
            let fact = Fact::MovedIn {
                message_id,
                content: record.content.clone(),
            };
            (record.place(slot), fact)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        attributes::QueueSettings,
        limits::Limits,
        message::SendMessage,
        state::{Delivery, ReceiveRequest, StaleDelete},
    };
    use std::time::Duration;

    const NOW: Timestamp = Timestamp::ZERO;

    fn queue() -> QueueState {
        let limits = Limits::aws();
        with(QueueSettings::standard(&limits), limits)
    }

    fn fifo_queue() -> QueueState {
        let limits = Limits::aws();
        with(QueueSettings::fifo(&limits), limits)
    }

    fn with(settings: QueueSettings, limits: Limits) -> QueueState {
        QueueState::new(settings, Arc::new(limits), StaleDelete::default(), 1, 0)
    }

    fn send(state: &mut QueueState, out: &mut Effects) {
        send_as(state, 0, out);
    }

    /// Sends to a group, of which a standard queue makes a tenant.
    fn send_as(state: &mut QueueState, number: u128, out: &mut Effects) {
        let message = SendMessage::new("x").message_group_id("g");
        let content = message.message_deduplication_id(number.to_string()).content;
        state.send(NOW, MessageId::from_random(number), content, None, out);
    }

    fn receive(state: &mut QueueState, now: Timestamp, max_messages: usize, out: &mut Effects) -> Vec<Delivery> {
        let request = ReceiveRequest {
            max_messages,
            max_messages_per_group: usize::MAX,
            visibility_timeout: None,
            long_poll: false,
            chance: 0,
            attempt_id: None,
            redrive: true,
        };
        let mut received = Vec::new();
        state
            .receive(now, &request, out, &mut |slot, record, until| {
                received.push(Delivery::new(slot, record, until));
            })
            .unwrap();
        received
    }

    fn counted(state: &QueueState) -> [usize; 4] {
        let counts = state.counts();
        [
            counts.visible,
            counts.in_flight,
            state.departing,
            state.groups_with_in_flight(),
        ]
    }

    fn give_up(state: &mut QueueState, now: Timestamp, receipt: Receipt, out: &mut Effects) -> Result<(), Refusal> {
        state.dead_letter(now, receipt, "poison".into(), out)
    }

    fn departure(state: &mut QueueState, out: &mut Effects) -> Departure {
        state.depart_oldest(NOW, out);
        out.departures.pop().expect("a message on its way")
    }

    fn visible(state: &QueueState) -> usize {
        state.counts().visible
    }

    #[test]
    fn what_was_purged_on_its_way_takes_nothing_along() {
        // D43 L17
        let (mut state, mut out) = (queue(), Effects::default());
        send(&mut state, &mut out);
        let gone = departure(&mut state, &mut out);
        drop(state.purge(NOW, &mut out).unwrap());
        send(&mut state, &mut out);
        state.departed(NOW, &gone, &mut out);
        state.departure_refused(NOW, &gone, &mut out);
        assert_eq!(visible(&state), 1, "another message has its place");
        let other = departure(&mut state, &mut out);
        assert_eq!(other.slot, gone.slot);
        state.departed(NOW, &gone, &mut out);
        assert_eq!(state.len(), 1, "also while that one is on its way itself");
        state.departed(NOW, &other, &mut out);
        assert_eq!(state.len(), 0);
    }

    #[test]
    fn what_is_on_its_way_is_not_deleted_by_its_id() {
        for mut state in [queue(), fifo_queue()] {
            let mut out = Effects::default();
            send_as(&mut state, 0, &mut out);
            send_as(&mut state, 1, &mut out);
            let delivery = receive(&mut state, NOW, 1, &mut out).remove(0);
            give_up(&mut state, NOW, delivery.receipt, &mut out).unwrap();
            let gone = out.departures.pop().expect("a message on its way");
            let ids = [0, 1].map(MessageId::from_random);
            let slots = state.slots();
            assert_eq!(state.delete_by_id(NOW, &ids, slots, &mut out), 1);
            assert_eq!(counted(&state), [1, 0, 1, 0]);
            state.departure_refused(NOW, &gone, &mut out);
            let slots = state.slots();
            assert_eq!(state.delete_by_id(NOW, &ids, slots, &mut out), 1);
            assert_eq!((state.len(), state.bytes()), (0, 0));
        }
    }

    #[test]
    fn what_is_given_up_departs_from_flight_and_is_gone_when_it_has_departed() {
        // L8 L17
        for (mut state, groups) in [(queue(), 0), (fifo_queue(), 1)] {
            let mut out = Effects::new(true);
            send(&mut state, &mut out);
            let delivery = receive(&mut state, NOW, 1, &mut out).remove(0);
            assert_eq!(counted(&state), [0, 1, 0, groups]);
            out.facts.clear();
            give_up(&mut state, NOW, delivery.receipt, &mut out).unwrap();
            assert_eq!(counted(&state), [1, 0, 1, 0]);
            assert!(state.deadlines.in_flight.is_empty());
            assert!(!state.has_receivable() && receive(&mut state, NOW, 1, &mut out).is_empty());
            assert_eq!(
                give_up(&mut state, NOW, delivery.receipt, &mut out),
                Err(Refusal::NotAvailable)
            );
            let departure = out.departures.pop().expect("a message on its way");
            assert_eq!(
                (departure.message_id, departure.receive_count),
                (delivery.message_id, 1)
            );
            assert!(out.departures.is_empty());
            state.departed(NOW, &departure, &mut out);
            assert_eq!((counted(&state), state.len(), state.bytes()), ([0; 4], 0, 0));
            let message_id = delivery.message_id;
            let reason = "poison".into();
            let facts: Vec<Fact> = out.facts.into_iter().map(|entry| entry.fact).collect();
            assert_eq!(
                facts,
                [Fact::Failed { message_id, reason }, Fact::DeadLettered { message_id }]
            );
        }
    }

    #[test]
    fn a_group_waits_until_what_was_given_up_has_departed() {
        // F18 L19
        let (mut state, mut out) = (fifo_queue(), Effects::default());
        send_as(&mut state, 0, &mut out);
        send_as(&mut state, 1, &mut out);
        let first = receive(&mut state, NOW, 1, &mut out).remove(0);
        give_up(&mut state, NOW, first.receipt, &mut out).unwrap();
        let departure = out.departures.pop().unwrap();
        let blocked: Vec<bool> = state.snapshot(NOW).messages.iter().map(|it| it.blocked).collect();
        assert_eq!(blocked, [false, true]);
        assert!(!state.has_receivable() && receive(&mut state, NOW, 10, &mut out).is_empty());
        state.departed(NOW, &departure, &mut out);
        assert!(state.has_receivable());
        let next = receive(&mut state, NOW, 10, &mut out);
        assert_eq!(next.len(), 1);
        assert_ne!(next[0].message_id, first.message_id);
    }

    #[test]
    fn what_was_given_up_and_not_taken_is_visible_again_in_its_place() {
        // L9 F18
        for mut state in [queue(), fifo_queue()] {
            let mut out = Effects::new(true);
            send_as(&mut state, 0, &mut out);
            send_as(&mut state, 1, &mut out);
            let first = receive(&mut state, NOW, 1, &mut out).remove(0);
            give_up(&mut state, NOW, first.receipt, &mut out).unwrap();
            let departure = out.departures.pop().unwrap();
            let later = NOW.saturating_add(Duration::from_secs(1));
            state.departure_refused(later, &departure, &mut out);
            assert_eq!(counted(&state), [2, 0, 0, 0]);
            let last = out.facts.pop().unwrap();
            let message_id = first.message_id;
            assert_eq!((last.at, last.fact), (later, Fact::Returned { message_id }));
            let again = receive(&mut state, later, 1, &mut out).remove(0);
            assert_eq!((again.message_id, again.receive_count), (message_id, 2));
        }
    }

    #[test]
    fn only_the_latest_reception_gives_up_and_only_while_it_goes_on() {
        // D19 D30
        for mut state in [queue(), fifo_queue()] {
            let mut out = Effects::new(true);
            send(&mut state, &mut out);
            let first = receive(&mut state, NOW, 1, &mut out).remove(0);
            let ended = first.invisible_until;
            assert_eq!(
                give_up(&mut state, ended, first.receipt, &mut out),
                Err(Refusal::NotAvailable)
            );
            let second = receive(&mut state, ended, 1, &mut out).remove(0);
            let facts = out.facts.len();
            assert_eq!(
                give_up(&mut state, ended, first.receipt, &mut out),
                Err(Refusal::HandleExpired)
            );
            assert_eq!(
                (out.facts.len(), out.departures.len(), counted(&state)[1]),
                (facts, 0, 1)
            );
            give_up(&mut state, ended, second.receipt, &mut out).unwrap();
            assert_eq!(out.departures.len(), 1);
        }
    }

    #[test]
    fn a_report_is_a_fact_and_nothing_else() {
        let (mut state, mut out) = (queue(), Effects::new(true));
        send(&mut state, &mut out);
        let delivery = receive(&mut state, NOW, 1, &mut out).remove(0);
        let (message_id, before) = (delivery.message_id, state.snapshot(NOW));
        out.facts.clear();
        state.report_failure(NOW, message_id, "full".into(), &mut out);
        assert_eq!(state.snapshot(NOW), before);
        let reason = "full".into();
        assert_eq!(out.facts.pop().unwrap().fact, Fact::Failed { message_id, reason });
        state.report_failure(delivery.invisible_until, message_id, "full".into(), &mut out);
        let facts = out.facts.iter().map(|entry| matches!(entry.fact, Fact::Failed { .. }));
        assert_eq!(facts.collect::<Vec<_>>(), [false, true], "what was due comes first");
        let mut nobody = Effects::new(false);
        state.report_failure(delivery.invisible_until, message_id, "full".into(), &mut nobody);
        assert!(nobody.facts.is_empty());
    }

    #[test]
    fn a_departure_is_answered_once() {
        // L9
        let (mut state, mut out) = (queue(), Effects::default());
        send(&mut state, &mut out);
        let refused = departure(&mut state, &mut out);
        state.departure_refused(NOW, &refused, &mut out);
        state.departed(NOW, &refused, &mut out);
        state.departure_refused(NOW, &refused, &mut out);
        assert_eq!((state.len(), visible(&state)), (1, 1));
    }
}
