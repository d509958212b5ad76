//! Receiving, and settling by receipt handle.

use {
    super::{
        discipline::{Discipline, Reach},
        effects::{Cause, Effects},
        fact::{Fact, Place},
        lane::Links,
        queue::{QueueState, Refusal, StaleDelete},
        record::{Phase, Receipt, Record, Records},
        slab::Slot,
    },
    crate::{
        message::{Content, MessageId},
        time::Timestamp,
    },
    std::{mem, sync::Arc, time::Duration},
};

/// One look for messages.
#[derive(Debug)]
pub(crate) struct ReceiveRequest<'request> {
    pub(crate) max_messages: usize,
    /// The request's own timeout; the queue's if absent (D23).
    pub(crate) visibility_timeout: Option<Duration>,
    /// A long poll asks every shard and is never refused (D10, D15).
    pub(crate) long_poll: bool,
    /// FIFO: at most so many messages of one group.
    pub(crate) max_messages_per_group: usize,
    /// Draws the shard of a short poll in the sampled profile.
    pub(crate) chance: u64,
    /// FIFO only (F31).
    pub(crate) attempt_id: Option<&'request Arc<str>>,
    /// Whether messages received too often leave; false while no dead-letter queue can take them (L9).
    pub(crate) redrive: bool,
}

/// A message as delivered to a consumer.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    pub(crate) receipt: Receipt,
    pub(crate) message_id: MessageId,
    pub(crate) content: Content,
    pub(crate) sent_at: Timestamp,
    pub(crate) first_received_at: Timestamp,
    pub(crate) invisible_until: Timestamp,
    pub(crate) receive_count: u32,
}

impl Delivery {
    #[inline]
    pub(crate) fn new(slot: Slot, record: &Record, invisible_until: Timestamp) -> Self {
        Self {
            receipt: record.receipt(slot),
            message_id: record.message_id,
            content: record.content.clone(),
            sent_at: record.sent_at(),
            first_received_at: record.first_received_at,
            invisible_until,
            receive_count: record.receive_count,
        }
    }
}

/// As many messages leave in one step at most, so that a backlog of poison does not hold the lock for its whole length.
pub(crate) const DEPARTURES_AT_ONCE: usize = 100;

/// The messages of one receive under way.
struct Fill<'fill, F> {
    room: usize,
    max_per_group: usize,
    now: Timestamp,
    timeout: Duration,
    max_receive_count: Option<u32>,
    /// How many messages more may turn out to be expired, which one that is behind finds when it looks.
    expired: usize,
    deliver: &'fill mut F,
    out: &'fill mut Effects,
}

impl<F> Fill<'_, F> {
    fn wants_more(&self) -> bool {
        self.room > 0 && self.expired > 0 && self.out.departures.len() < DEPARTURES_AT_ONCE
    }

    /// Whether what is received is in flight, which it is not with a timeout of zero (D6).
    fn hides(&self) -> bool {
        self.now.saturating_add(self.timeout) > self.now
    }

    /// Whether a message was received as often as this queue allows (L6, L8).
    fn is_over_limit(&self, records: &Records, slot: Slot) -> bool {
        self.max_receive_count
            .is_some_and(|max| records[slot].queue_receive_count() >= max)
    }
}

impl QueueState {
    /// Delivers what may be received as of `now`, at most as many as asked for. Finding nothing means that there is
    /// nothing only if the queue is not [behind](Self::is_behind).
    pub(crate) fn receive<F: FnMut(Slot, &Record, Timestamp)>(
        &mut self,
        now: Timestamp,
        request: &ReceiveRequest<'_>,
        out: &mut Effects,
        deliver: &mut F,
    ) -> Result<(), Refusal> {
        let now = self.advance(now, out);
        let timeout = request.visibility_timeout.unwrap_or(self.settings.visibility_timeout);
        let attempt_id = request.attempt_id.filter(|_| self.is_fifo());
        if let Some(id) = attempt_id {
            if let Some(receipts) = self.attempts.get(now, id) {
                let receipts = receipts.to_vec();
                return self.replay(&receipts, timeout, out, deliver);
            }
        }
        let free = self.in_flight_limit().saturating_sub(self.in_flight);
        if free == 0 {
            let refused = !self.is_fifo() && !request.long_poll && !self.is_behind();
            return if refused { Err(Refusal::OverLimit) } else { Ok(()) };
        }
        self.noted_receipts = attempt_id.map(|_| Vec::new());
        let policy = self.settings.redrive_policy.as_ref().filter(|_| request.redrive);
        // What is received with timeout zero is never in flight, so the limit does not hold it back (D6, D17).
        let mut fill = Fill {
            room: if timeout.is_zero() {
                request.max_messages
            } else {
                request.max_messages.min(free)
            },
            max_per_group: request.max_messages_per_group,
            now,
            timeout,
            max_receive_count: policy.map(|it| it.max_receive_count),
            expired: self.due_at_once,
            deliver,
            out,
        };
        if self.is_fifo() {
            if !self.fill_with_head(&mut fill) {
                self.fill_from_groups(&mut fill);
            }
        } else {
            let reach = if request.long_poll {
                Reach::AllShards
            } else {
                Reach::OneShard(request.chance)
            };
            self.fill_in_order(reach, &mut fill);
        }
        if let Some(id) = attempt_id {
            self.remember_attempt(id);
        }
        Ok(())
    }

    /// Standard: message by message in the discipline's order (D49, N4).
    #[inline(always)]
    fn fill_in_order<F: FnMut(Slot, &Record, Timestamp)>(&mut self, reach: Reach, fill: &mut Fill<'_, F>) {
        let Discipline::Standard(standard) = &mut self.discipline else {
            return;
        };
        let selection = standard.select(fill.now, self.in_flight, reach, &self.limits);
        while fill.wants_more() {
            let Discipline::Standard(standard) = &mut self.discipline else {
                break;
            };
            let Some(slot) = standard.first(&self.records, selection.as_ref()) else {
                break;
            };
            if self.is_expired(slot) {
                self.expire(slot, fill.now, fill.out);
                fill.expired -= 1;
                continue;
            }
            let Discipline::Standard(standard) = &mut self.discipline else {
                break;
            };
            standard.remove_visible(&mut self.records, slot);
            if fill.is_over_limit(&self.records, slot) {
                self.depart(slot, Cause::DeadLetter, None, fill.out);
            } else if self.hand_out(slot, fill) {
                self.still_visible.push(slot);
            }
        }
        if !self.still_visible.is_empty() {
            self.show_again();
        }
    }

    /// Puts the messages of a receive with timeout zero back in order. They were out of it so that one receive does not
    /// find them twice (D7).
    #[inline(never)]
    fn show_again(&mut self) {
        for slot in mem::take(&mut self.still_visible) {
            self.discipline.became_visible(&mut self.records, slot);
        }
    }

    #[inline(never)]
    fn remember_attempt(&mut self, id: &str) {
        let receipts = self.noted_receipts.take().unwrap_or_default();
        let forgotten_at = self.now.saturating_add(self.limits.receive_attempt_interval);
        self.attempts.remember(id, receipts, forgotten_at);
        self.deadlines.expect_at(forgotten_at);
    }

    /// FIFO: the head of the first group, which is locked from then on, if that is all that is asked for. What is said of
    /// a group in [`fill_from_groups`](Self::fill_from_groups) beyond that is left to it, and the answer is no.
    fn fill_with_head<F: FnMut(Slot, &Record, Timestamp)>(&mut self, fill: &mut Fill<'_, F>) -> bool {
        if fill.room != 1 || !fill.hides() || self.is_behind() || !fill.wants_more() {
            return false;
        }
        let Discipline::Fifo(fifo) = &mut self.discipline else {
            return false;
        };
        let Some(group) = fifo.first_group() else {
            return true;
        };
        let head = fifo.next_in_group(&self.records, group, None);
        let Some(head) = head.filter(|&head| !fill.is_over_limit(&self.records, head)) else {
            return false;
        };
        fifo.set_aside(group);
        fifo.remove_visible(&mut self.records, head);
        self.hand_out(head, fill);
        true
    }

    /// FIFO: the receivable prefix of one group after the other (F18, F19, F22).
    fn fill_from_groups<F: FnMut(Slot, &Record, Timestamp)>(&mut self, fill: &mut Fill<'_, F>) {
        let mut visited = mem::take(&mut self.visited_groups);
        while fill.wants_more() {
            let Discipline::Fifo(fifo) = &mut self.discipline else {
                break;
            };
            let Some(group) = fifo.first_group() else {
                break;
            };
            // What is behind the head came later and so expires later.
            if let Some(head) = fifo
                .next_in_group(&self.records, group, None)
                .filter(|&head| self.is_expired(head))
            {
                self.expire(head, fill.now, fill.out);
                fill.expired -= 1;
                continue;
            }
            let Discipline::Fifo(fifo) = &mut self.discipline else {
                break;
            };
            fifo.set_aside(group);
            visited.push(group);
            self.fill_from_group(group, fill);
        }
        if !self.still_visible.is_empty() {
            self.show_again();
        }
        if let Discipline::Fifo(fifo) = &mut self.discipline {
            for group in visited.drain(..) {
                fifo.refresh(&self.records, group);
            }
        }
        self.visited_groups = visited;
    }

    fn fill_from_group<F: FnMut(Slot, &Record, Timestamp)>(&mut self, group: Slot, fill: &mut Fill<'_, F>) {
        let mut previous = None;
        let enough = fill.room.saturating_sub(fill.max_per_group);
        while fill.wants_more() && fill.room > enough {
            let Discipline::Fifo(fifo) = &mut self.discipline else {
                return;
            };
            let Some(slot) = fifo.next_in_group(&self.records, group, previous) else {
                return;
            };
            // A message that is delayed or in flight locks all behind it in its group (F18).
            if !self.records[slot].is_visible() {
                return;
            }
            previous = Some(slot);
            fifo.remove_visible(&mut self.records, slot);
            if fill.is_over_limit(&self.records, slot) {
                self.depart(slot, Cause::DeadLetter, None, fill.out);
            } else if self.hand_out(slot, fill) {
                self.still_visible.push(slot);
            }
        }
    }

    /// Whether a visible message has expired although that has not happened yet, because the queue is behind (D41).
    pub(super) fn is_expired(&self, slot: Slot) -> bool {
        self.is_behind() && self.deadlines.expires_at(&self.records[slot]) <= self.now
    }

    /// Begins a reception of a message that stands in no order of visible messages; says whether it stays visible,
    /// which it does when the timeout is zero (D6).
    #[inline(always)]
    fn hand_out<F: FnMut(Slot, &Record, Timestamp)>(&mut self, slot: Slot, fill: &mut Fill<'_, F>) -> bool {
        let now = fill.now;
        let until = now.saturating_add(fill.timeout);
        let hides = until > now;
        let record = &self.records[slot];
        let (group, key) = (record.group, (until, record.sequence));
        let mut since = record.phase.since();
        let links = if hides {
            self.in_flight += 1;
            self.deadlines.expect_at(until);
            self.discipline.reception_began(group);
            self.deadlines.in_flight.link(&mut self.records, slot, key)
        } else {
            since = self.becomes_visible();
            Links::NONE
        };
        let record = &mut self.records[slot];
        record.phase = if hides {
            Phase::InFlight {
                until,
                since,
                changed: false,
            }
        } else {
            Phase::Visible { since }
        };
        if record.receive_count == 0 {
            record.first_received_at = now;
        }
        record.by_phase = links;
        record.received_at = now;
        record.receive_count = record.receive_count.saturating_add(1);
        record.reception = record.reception.saturating_add(1);
        if let Some(receipts) = &mut self.noted_receipts {
            receipts.push(record.receipt(slot));
        }
        (fill.deliver)(slot, record, until);
        fill.out.fact_at(now, || {
            let fact = Fact::Received {
                message_id: record.message_id,
                receive_count: record.receive_count,
                invisible_until: until,
            };
            (record.place(slot), fact)
        });
        fill.room -= 1;
        !hides
    }

    /// Answers a repeated attempt with the messages of the first, hidden anew from this instant (F32, F33).
    fn replay<F: FnMut(Slot, &Record, Timestamp)>(
        &mut self,
        receipts: &[Receipt],
        timeout: Duration,
        out: &mut Effects,
        deliver: &mut F,
    ) -> Result<(), Refusal> {
        let now = self.now;
        for it in receipts {
            self.catch_up_on(*it, out);
        }
        let intact = receipts.iter().all(|it| {
            self.records.get(it.slot).is_some_and(|record| {
                record.sequence == it.sequence
                    && record.reception == it.reception
                    && matches!(record.phase, Phase::InFlight { changed: false, .. })
            })
        });
        if !intact {
            return Err(Refusal::NotRetryable);
        }
        let until = now.saturating_add(timeout);
        for it in receipts {
            if until > now {
                self.set_end(it.slot, until);
            } else {
                self.make_visible(it.slot, now);
            }
            let record = &mut self.records[it.slot];
            record.received_at = now;
            deliver(it.slot, record, until);
            out.fact_at(now, || {
                let fact = Fact::ReceivedAgain {
                    message_id: record.message_id,
                    invisible_until: until,
                };
                (record.place(it.slot), fact)
            });
        }
        Ok(())
    }

    /// A receive that found nothing until its time was up.
    pub(crate) fn received_nothing(&self, out: &mut Effects) {
        out.fact(self.now, || Fact::ReceivedNothing);
    }

    /// Deletes by handle, as table D19 says.
    #[inline]
    pub(crate) fn delete(&mut self, now: Timestamp, receipt: Receipt, out: &mut Effects) -> Result<(), Refusal> {
        let now = self.advance(now, out);
        self.catch_up_on(receipt, out);
        let Some(record) = self.held(receipt) else {
            out.fact(now, || Fact::DeletedAgain);
            return Ok(());
        };
        let message_id = out.is_listening().then_some(record.message_id);
        let latest = record.reception == receipt.reception;
        if self.is_fifo() && !(latest && record.is_in_flight()) {
            return Err(Refusal::HandleExpired);
        }
        if latest || self.stale_delete == StaleDelete::Delete {
            self.remove(receipt.slot, now);
            if let Some(message_id) = message_id {
                let place = Place::hidden(receipt.slot, receipt.sequence);
                out.fact_at(now, || (place, Fact::Deleted { message_id }));
            }
        }
        Ok(())
    }

    /// Sets the visibility timeout of the current reception to end `timeout` from `now` (D19, D24, D26).
    pub(crate) fn change_visibility(
        &mut self,
        now: Timestamp,
        receipt: Receipt,
        timeout: Duration,
        out: &mut Effects,
    ) -> Result<(), Refusal> {
        let now = self.advance(now, out);
        self.catch_up_on(receipt, out);
        let record = if self.is_fifo() {
            self.in_flight_record(receipt)?
        } else {
            let record = self.held(receipt).ok_or(Refusal::NotAvailable)?;
            if !record.is_in_flight() {
                return Ok(());
            }
            record
        };
        let until = now.saturating_add(timeout);
        if until > record.received_at.saturating_add(self.limits.visibility_timeout) {
            return Err(Refusal::BeyondTotal);
        }
        if let Phase::InFlight { changed, .. } = &mut self.records[receipt.slot].phase {
            *changed = true;
        }
        self.hide_until(receipt.slot, until, out);
        Ok(())
    }

    /// Makes the message of a reception that goes on visible again as if it had not been received: at its place, and
    /// with the counts of before.
    pub(crate) fn release(&mut self, now: Timestamp, receipt: Receipt, out: &mut Effects) -> Result<(), Refusal> {
        let now = self.advance(now, out);
        self.catch_up_on(receipt, out);
        let record = self.in_flight_record(receipt)?;
        let Phase::InFlight { since, .. } = record.phase else {
            return Err(Refusal::NotAvailable);
        };
        let message_id = record.message_id;
        let record = &mut self.records[receipt.slot];
        record.receive_count = record.receive_count.saturating_sub(1);
        // Processing time of nobody (N9).
        record.received_at = now;
        self.leave_phase(receipt.slot, now);
        self.records[receipt.slot].phase = Phase::Visible { since };
        self.discipline.became_visible(&mut self.records, receipt.slot);
        let place = || self.records[receipt.slot].place(receipt.slot);
        out.fact_at(now, || (place(), Fact::Released { message_id }));
        Ok(())
    }

    /// Hides the message of a reception that goes on for `delay` from `now` as if it had not been received: it comes back
    /// with the counts of before. The receipt is void. Without a delay it is a release.
    pub(crate) fn postpone(
        &mut self,
        now: Timestamp,
        receipt: Receipt,
        delay: Duration,
        out: &mut Effects,
    ) -> Result<(), Refusal> {
        let until = now.saturating_add(delay);
        let now = self.advance(now, out);
        if until <= now {
            return self.release(now, receipt, out);
        }
        self.catch_up_on(receipt, out);
        let message_id = self.in_flight_record(receipt)?.message_id;
        let record = &mut self.records[receipt.slot];
        record.receive_count = record.receive_count.saturating_sub(1);
        // A second call with the same receipt would take the count back twice.
        record.reception = record.reception.saturating_add(1);
        self.set_end(receipt.slot, until);
        out.fact_at(now, || {
            let fact = Fact::Postponed {
                message_id,
                invisible_until: until,
            };
            (Place::hidden(receipt.slot, receipt.sequence), fact)
        });
        Ok(())
    }

    /// Gives a message in flight another end; one that is not after the present makes it visible.
    fn hide_until(&mut self, slot: Slot, until: Timestamp, out: &mut Effects) {
        let now = self.now;
        let record = &self.records[slot];
        let message_id = record.message_id;
        if until <= now {
            self.make_visible(slot, now);
            out.fact_at(now, || (self.records[slot].place(slot), Fact::Returned { message_id }));
            return;
        }
        self.set_end(slot, until);
        out.fact_at(now, || {
            let fact = Fact::VisibilityChanged {
                message_id,
                invisible_until: until,
            };
            (self.records[slot].place(slot), fact)
        });
    }

    fn set_end(&mut self, slot: Slot, until: Timestamp) {
        self.deadlines.in_flight.remove(&mut self.records, slot);
        if let Phase::InFlight { until: end, .. } = &mut self.records[slot].phase {
            *end = until;
        }
        self.deadlines.in_flight.insert(&mut self.records, slot);
        self.deadlines.expect_at(until);
    }

    /// Whether a message of this queue has had this reception, as far as what is stored can tell.
    pub(crate) fn has_issued(&self, receipt: Receipt) -> bool {
        let record = self.records.get(receipt.slot);
        let record = record.filter(|record| record.sequence == receipt.sequence);
        receipt.sequence < self.next_sequence && record.is_none_or(|record| receipt.reception <= record.reception)
    }

    /// The message of a receipt, unless it is gone or was received again.
    #[cfg(feature = "testing")]
    pub(crate) fn delivery(&self, receipt: Receipt) -> Option<Delivery> {
        let record = self.records.get(receipt.slot)?;
        let invisible_until = match record.phase {
            Phase::InFlight { until, .. } => until,
            _ => self.now,
        };
        (record.receipt(receipt.slot) == receipt).then(|| Delivery::new(receipt.slot, record, invisible_until))
    }

    /// Whether the reception is the latest and goes on.
    #[cfg(feature = "testing")]
    pub(crate) fn is_held(&self, receipt: Receipt) -> bool {
        self.in_flight_record(receipt).is_ok()
    }

    /// The message of a receipt whose reception is the latest and goes on.
    pub(super) fn in_flight_record(&self, receipt: Receipt) -> Result<&Record, Refusal> {
        let record = self.held(receipt).ok_or(Refusal::NotAvailable)?;
        if record.reception != receipt.reception {
            return Err(Refusal::HandleExpired);
        }
        if !record.is_in_flight() {
            return Err(Refusal::NotAvailable);
        }
        Ok(record)
    }

    /// The message a receipt names, unless it has left or is leaving.
    fn held(&self, receipt: Receipt) -> Option<&Record> {
        let record = self.records.get(receipt.slot)?;
        let leaving = matches!(record.phase, Phase::Departing { .. });
        (record.sequence == receipt.sequence && !leaving).then_some(record)
    }
}
