//! The state of one queue: stored messages, deadlines, deduplication.

use {
    super::{
        deadlines::{Deadlines, Due},
        dedup::{Attempts, Deduplication, Original},
        discipline::{Discipline, Fifo, Standard},
        effects::Effects,
        fact::{Fact, Place},
        recent::FORGOTTEN_AT_ONCE,
        record::{Past, Phase, Receipt, Record, Records},
        slab::{Slab, Slot},
    },
    crate::{
        attributes::QueueSettings,
        limits::Limits,
        message::{Content, Id, MessageId, SequenceNumber},
        time::Timestamp,
    },
    std::{ops::Range, sync::Arc, time::Duration},
};

/// Whether a standard queue deletes a message by a handle older than its latest receive (D20).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum StaleDelete {
    /// The message is deleted.
    #[default]
    Delete,
    /// The call succeeds and the message stays.
    Ignore,
}

/// Why a call changed nothing. The caller words it as SQS does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Refusal {
    /// The reception of this handle is over (D19, FIFO).
    HandleExpired,
    /// The message is gone or not hidden by this handle (D19).
    NotAvailable,
    /// The timeout would hide one reception for too long (D26).
    BeyondTotal,
    /// As many messages are in flight as may be (D15).
    OverLimit,
    /// What the attempt received has changed since (F33).
    NotRetryable,
    /// The last purge is too recent (D44).
    PurgeInProgress,
}

/// So many messages fall due in one step; those left do in the steps after it, so that none holds the lock for a whole
/// backlog.
const DUE_AT_ONCE: usize = 128;

/// The contents of an emptied queue, which may be large: to be dropped with the lock released.
#[derive(Debug)]
#[must_use = "it is dropped with the lock released"]
pub(crate) struct Contents {
    _records: Records,
    _deadlines: Deadlines,
    _discipline: Discipline,
    _deduplication: Deduplication,
    _attempts: Option<Attempts>,
}

/// What a send answers (M49).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Sent {
    /// The id of the message; of the original if the send repeated one on a FIFO queue (F11).
    pub message_id: MessageId,
    /// FIFO only (F37).
    pub sequence_number: Option<SequenceNumber>,
}

/// How many messages are in which phase (C1-C3).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Counts {
    /// Visible messages; on a FIFO queue also those that a locked group holds back.
    pub visible: usize,
    /// Messages in flight.
    pub in_flight: usize,
    /// Messages whose delay has not ended.
    pub delayed: usize,
}

/// See the [module](super).
#[derive(Debug)]
pub(crate) struct QueueState {
    /// In its journal, 0 of a queue without one.
    pub(super) number: u64,
    pub(super) settings: QueueSettings,
    pub(super) limits: Arc<Limits>,
    pub(super) stale_delete: StaleDelete,
    /// The latest time seen.
    pub(super) now: Timestamp,
    pub(super) records: Records,
    pub(super) deadlines: Deadlines,
    pub(super) discipline: Discipline,
    pub(super) deduplication: Deduplication,
    pub(super) attempts: Attempts,
    pub(super) delayed: usize,
    pub(super) in_flight: usize,
    pub(super) departing: usize,
    pub(super) bytes: usize,
    pub(super) next_sequence: u64,
    pub(super) became_visible: u64,
    pub(super) purged_at: Option<Timestamp>,
    /// [`DUE_AT_ONCE`], but for tests.
    pub(super) due_at_once: usize,
    /// Empty between calls; kept for its memory.
    pub(super) visited_groups: Vec<Slot>,
    /// The receptions of a receive with an attempt id, while it is under way.
    pub(super) noted_receipts: Option<Vec<Receipt>>,
    /// What a receive under way has received with timeout zero.
    pub(super) still_visible: Vec<Slot>,
}

impl QueueState {
    /// An empty queue; `shards` is 1 in the strict profile, `salt` spreads messages over more.
    pub(crate) fn new(
        settings: QueueSettings,
        limits: Arc<Limits>,
        stale_delete: StaleDelete,
        shards: usize,
        salt: u64,
    ) -> Self {
        let discipline = if settings.fifo_queue {
            Discipline::Fifo(Fifo::new())
        } else {
            Discipline::Standard(Standard::new(shards, salt, &limits))
        };
        Self {
            number: 0,
            deduplication: Deduplication::new(settings.deduplication_scope),
            now: settings.created_timestamp,
            deadlines: Deadlines::new(&settings),
            settings,
            limits,
            stale_delete,
            records: Slab::new(),
            discipline,
            attempts: Attempts::new(),
            delayed: 0,
            in_flight: 0,
            departing: 0,
            bytes: 0,
            next_sequence: 0,
            became_visible: 0,
            purged_at: None,
            due_at_once: DUE_AT_ONCE,
            visited_groups: Vec::new(),
            noted_receipts: None,
            still_visible: Vec::new(),
        }
    }

    pub(crate) const fn settings(&self) -> &QueueSettings {
        &self.settings
    }

    pub(crate) fn is_fifo(&self) -> bool {
        self.settings.fifo_queue
    }

    /// Messages stored, whatever their phase.
    pub(crate) const fn len(&self) -> usize {
        self.records.len()
    }

    /// Bytes of all bodies and user attributes stored (M6).
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether something is due that has not happened yet, because it is more than one step does. Until it has, an
    /// expired message is stored but not delivered (D41), and one whose delay or timeout has ended is not visible yet.
    pub(crate) const fn is_behind(&self) -> bool {
        self.deadlines.behind
    }

    /// Counts as of the latest time seen, unless the queue is behind; a departing message still counts as visible here.
    pub(crate) const fn counts(&self) -> Counts {
        Counts {
            visible: self.records.len() - self.delayed - self.in_flight,
            in_flight: self.in_flight,
            delayed: self.delayed,
        }
    }

    /// FIFO: groups with any message in flight (7.2).
    pub(crate) const fn groups_with_in_flight(&self) -> usize {
        match &self.discipline {
            Discipline::Standard(_) => 0,
            Discipline::Fifo(fifo) => fifo.groups_with_in_flight(),
        }
    }

    /// Standard: the tenants that are noisy (N3), the one with the fewest messages in flight first.
    pub(crate) fn noisy_groups(&mut self) -> Vec<Arc<str>> {
        match &mut self.discipline {
            Discipline::Standard(standard) => standard.noisy_groups(self.now, self.in_flight, &self.limits),
            Discipline::Fifo(_) => Vec::new(),
        }
    }

    /// Stores a message, or answers with the original if it repeats a send of the last five minutes (F9-F11).
    #[inline(always)]
    pub(crate) fn send(
        &mut self,
        now: Timestamp,
        message_id: MessageId,
        content: Content,
        delay: Option<Duration>,
        out: &mut Effects,
    ) -> Sent {
        let now = self.advance(now, out);
        if let Some(original) = self.remember(&content, message_id) {
            let message_id = original.message_id;
            out.fact(now, || Fact::Deduplicated { message_id });
            return original;
        }
        let delay = match delay {
            Some(delay) if !self.is_fifo() => delay,
            _ => self.settings.delay,
        };
        let visible_at = now.saturating_add(delay);
        let delayed_from = (visible_at > now).then(|| if self.is_fifo() { now } else { visible_at });
        let sequence = self.next_sequence;
        let slot = self.store(message_id, content, delayed_from, None);
        out.fact_at(now, || {
            let record = &self.records[slot];
            let fact = Fact::Sent {
                message_id,
                content: record.content.clone(),
                visible_at,
            };
            (record.place(slot), fact)
        });
        Sent {
            message_id,
            sequence_number: self.is_fifo().then(|| SequenceNumber::new(sequence)),
        }
    }

    /// Whether a send with these ids would be answered with an earlier one (F9, F10).
    pub(crate) fn is_repeated(&self, group: &Id, id: &Id) -> bool {
        self.is_fifo() && self.deduplication.original(self.now, group, id).is_some()
    }

    /// Remembers a send that is about to be stored, or answers as the one it repeats was answered.
    #[inline(always)]
    fn remember(&mut self, content: &Content, message_id: MessageId) -> Option<Sent> {
        let Discipline::Fifo(fifo) = &mut self.discipline else {
            return None;
        };
        let (group, id) = (content.group()?, content.deduplication()?);
        // The group is needed later; here its memory is read at the same time as that of the sends.
        fifo.look_up(group);
        let sequence = self.next_sequence;
        let forgotten_at = self.now.saturating_add(self.limits.deduplication_interval);
        self.deadlines.expect_at(forgotten_at);
        let original =
            self.deduplication
                .remember(self.now, group, id, Original { message_id, sequence }, forgotten_at)?;
        Some(Sent {
            message_id: original.message_id,
            sequence_number: Some(SequenceNumber::new(original.sequence)),
        })
    }

    /// The slots that messages can be in now.
    pub(crate) fn slots(&self) -> Range<Slot> {
        self.records.slots()
    }

    /// Removes what has one of these ids, which are sorted, from these slots; answers with how many messages that were.
    /// What is on its way to another queue stays: the move has it.
    pub(crate) fn delete_by_id(
        &mut self,
        now: Timestamp,
        ids: &[MessageId],
        slots: impl Iterator<Item = Slot>,
        out: &mut Effects,
    ) -> usize {
        let now = self.advance(now, out);
        let mut deleted = 0;
        for slot in slots {
            let record = self.records.get(slot);
            let Some(record) = record.filter(|it| ids.binary_search(&it.message_id).is_ok()) else {
                continue;
            };
            let (sequence, message_id) = (record.sequence, record.message_id);
            self.catch_up_on(record.receipt(slot), out);
            let record = self.records.get(slot);
            if record.is_none_or(|it| matches!(it.phase, Phase::Departing { .. })) {
                continue;
            }
            self.remove(slot, now);
            out.fact_at(now, || (Place::hidden(slot, sequence), Fact::Deleted { message_id }));
            deleted += 1;
        }
        deleted
    }

    /// Removes every message, and on a FIFO queue the memory of sends (D43-D47).
    pub(crate) fn purge(&mut self, now: Timestamp, out: &mut Effects) -> Result<Contents, Refusal> {
        let now = self.advance(now, out);
        let busy_until = self.purged_at.map(|at| at.saturating_add(self.limits.purge_interval));
        if busy_until.is_some_and(|until| now < until) {
            return Err(Refusal::PurgeInProgress);
        }
        self.purged_at = Some(now);
        let messages = self.records.len();
        let contents = self.empty();
        out.fact(now, || Fact::Purged { messages });
        Ok(contents)
    }

    #[cfg(any(all(test, feature = "journal"), feature = "testing"))]
    pub(crate) const fn purged_at(&self) -> Option<Timestamp> {
        self.purged_at
    }

    /// Ends the queue's life (Q35).
    pub(crate) fn end(&mut self, now: Timestamp, out: &mut Effects) -> Contents {
        let now = self.advance(now, out);
        out.fact(now, || Fact::QueueDeleted);
        Contents {
            _attempts: Some(std::mem::replace(&mut self.attempts, Attempts::new())),
            ..self.empty()
        }
    }

    /// Forgets every message and all memory of them; sequence numbers go on (D47).
    fn empty(&mut self) -> Contents {
        (self.delayed, self.in_flight, self.departing, self.bytes) = (0, 0, 0, 0);
        let deadlines = Deadlines::new(&self.settings);
        Contents {
            _records: std::mem::replace(&mut self.records, Slab::new()),
            _deadlines: std::mem::replace(&mut self.deadlines, deadlines),
            _discipline: match &mut self.discipline {
                Discipline::Standard(standard) => Discipline::Standard(standard.clear()),
                Discipline::Fifo(fifo) => Discipline::Fifo(std::mem::replace(fifo, Fifo::new())),
            },
            _deduplication: self.deduplication.clear(),
            _attempts: None,
        }
    }

    /// Puts other settings in force, with their effect on stored messages (Q40, D31, D35, D40, F16). What a queue that is
    /// [behind](Self::is_behind) has not done yet happens under the new ones.
    pub(crate) fn replace_settings(&mut self, now: Timestamp, settings: QueueSettings, out: &mut Effects) {
        let now = self.advance(now, out);
        let old = std::mem::replace(&mut self.settings, settings);
        if old.deduplication_scope != self.settings.deduplication_scope {
            let acts_at = now.saturating_add(self.limits.deduplication_scope_change_delay);
            self.deduplication
                .change_scope(self.settings.deduplication_scope, acts_at);
        }
        self.deadlines.change(&self.settings);
        out.fact(now, || Fact::SettingsChanged {
            settings: Box::new(self.settings.clone()),
        });
        self.advance(now, out);
    }

    /// Moves time on and fires what is due; an earlier `now` is read as the latest seen, which is answered.
    #[inline]
    pub(crate) fn advance(&mut self, now: Timestamp, out: &mut Effects) -> Timestamp {
        let seen = self.now;
        self.now = seen.max(now);
        if self.now >= self.deadlines.not_before {
            self.fire(seen, out);
        }
        self.now
    }

    /// Fires what is due and forgets what is over, some of each.
    #[inline(never)]
    fn fire(&mut self, seen: Timestamp, out: &mut Effects) {
        let due_at = self.fire_messages(seen, out);
        let processing = match &mut self.discipline {
            Discipline::Standard(standard) => standard.slide(self.now, FORGOTTEN_AT_ONCE),
            Discipline::Fifo(_) => Timestamp::MAX,
        };
        let memory = self.deduplication.advance(self.now, FORGOTTEN_AT_ONCE);
        let attempts = self.attempts.advance(self.now, FORGOTTEN_AT_ONCE);
        self.deadlines.not_before = due_at.min(processing).min(memory).min(attempts);
    }

    /// Fires what is due of the messages, and answers with when the next falls due. What a change of settings makes due
    /// in the past, and what a step before left, happens at `seen`, the latest instant of a fact so far.
    fn fire_messages(&mut self, seen: Timestamp, out: &mut Effects) -> Timestamp {
        for fired in 0.. {
            let first = self.deadlines.first(&self.records);
            let Some((due_at, due, slot)) = first.filter(|&(due_at, ..)| due_at <= self.now) else {
                self.deadlines.behind = false;
                return first.map_or(Timestamp::MAX, |(due_at, ..)| due_at);
            };
            if fired == self.due_at_once {
                break;
            }
            let at = due_at.max(seen);
            match due {
                Due::Expires => self.expire(slot, at, out),
                Due::Ends => self.end_of_wait(slot, at, out),
            }
        }
        self.deadlines.behind = true;
        self.now
    }

    pub(super) fn expire(&mut self, slot: Slot, at: Timestamp, out: &mut Effects) {
        let Record {
            message_id, sequence, ..
        } = self.records[slot];
        self.remove(slot, at);
        out.fact_at(at, || (Place::hidden(slot, sequence), Fact::Expired { message_id }));
    }

    /// While the queue is behind: fires what is due of one message, which is about to be used.
    #[inline]
    pub(super) fn catch_up_on(&mut self, receipt: Receipt, out: &mut Effects) {
        if self.deadlines.behind {
            self.fire_message(receipt, out);
        }
    }

    #[inline(never)]
    fn fire_message(&mut self, receipt: Receipt, out: &mut Effects) {
        let (now, slot) = (self.now, receipt.slot);
        let record = self.records.get(slot);
        let Some(record) = record.filter(|record| record.sequence == receipt.sequence) else {
            return;
        };
        if self.deadlines.expires_at(record) <= now {
            return self.expire(slot, now, out);
        }
        let end = match record.phase {
            Phase::Delayed { from } => self.deadlines.delay_end(from),
            Phase::InFlight { until, .. } => until,
            Phase::Visible { .. } | Phase::Departing { .. } => return,
        };
        if end <= now {
            self.end_of_wait(slot, now, out);
        }
    }

    /// A delay or a visibility timeout ended by itself.
    fn end_of_wait(&mut self, slot: Slot, at: Timestamp, out: &mut Effects) {
        let message_id = self.records[slot].message_id;
        let delayed = matches!(self.records[slot].phase, Phase::Delayed { .. });
        self.make_visible(slot, at);
        out.fact_at(at, || {
            let fact = if delayed {
                Fact::DelayEnded { message_id }
            } else {
                Fact::Returned { message_id }
            };
            (self.records[slot].place(slot), fact)
        });
    }

    /// When a parked receiver should look again although nobody called.
    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        let end = self.deadlines.next_end(&self.records);
        // An expiry lets others through where it unlocks a group or frees capacity in flight.
        let lets_through = self.is_fifo() || self.in_flight >= self.in_flight_limit();
        let expiry = if lets_through { self.next_expiry() } else { None };
        end.into_iter().chain(expiry).min()
    }

    /// When the next message in flight or delayed becomes visible.
    #[cfg(feature = "testing")]
    pub(crate) fn next_phase_end(&self) -> Option<Timestamp> {
        self.deadlines.next_end(&self.records)
    }

    /// The latest time that it has seen.
    #[cfg(feature = "testing")]
    pub(crate) const fn observed_now(&self) -> Timestamp {
        self.now
    }

    /// When the next message expires and so frees capacity.
    pub(crate) fn next_expiry(&self) -> Option<Timestamp> {
        self.deadlines.next_expiry(&self.records)
    }

    /// Whether a receive would find a message to deliver or to dead-letter.
    pub(crate) fn has_receivable(&self) -> bool {
        self.in_flight < self.in_flight_limit()
            && match &self.discipline {
                Discipline::Standard(_) => self.records.len() > self.delayed + self.in_flight + self.departing,
                Discipline::Fifo(fifo) => fifo.first_group().is_some(),
            }
    }

    pub(super) fn in_flight_limit(&self) -> usize {
        if self.is_fifo() {
            self.limits.in_flight_fifo
        } else {
            self.limits.in_flight_standard
        }
    }

    /// Files a message as the last in the queue's order, as delayed if it is told since when; answers with its slot.
    #[inline]
    pub(super) fn store(
        &mut self,
        message_id: MessageId,
        content: Content,
        delayed_from: Option<Timestamp>,
        past: Option<&Past>,
    ) -> Slot {
        let past = past.copied().unwrap_or_else(|| Past::none(self.now));
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        self.bytes += content.size_bytes();
        self.became_visible += u64::from(delayed_from.is_none());
        let since = self.became_visible;
        let entry = self.records.vacant_entry();
        let slot = entry.slot;
        entry.fill(Record::new(
            sequence,
            message_id,
            content,
            past,
            delayed_from.map_or(Phase::Visible { since }, |from| Phase::Delayed { from }),
        ));
        let retention = &mut self.deadlines.retention;
        let links = retention.link(&mut self.records, slot, (past.retention_base, sequence));
        self.deadlines.expect_expiry(past.retention_base);
        self.records[slot].by_retention = links;
        self.discipline.admit(&mut self.records, slot);
        if let Some(from) = delayed_from {
            self.delayed += 1;
            self.deadlines.expect_at(self.deadlines.delay_end(from));
            self.deadlines.delayed.insert(&mut self.records, slot);
        } else {
            self.discipline.became_visible(&mut self.records, slot);
        }
        slot
    }

    /// The next of the events by which messages become visible (F22).
    #[inline]
    pub(super) fn becomes_visible(&mut self) -> u64 {
        self.became_visible += 1;
        self.became_visible
    }

    /// Takes a record out of whatever order its phase stands in, before the phase changes.
    #[inline]
    pub(super) fn leave_phase(&mut self, slot: Slot, at: Timestamp) {
        let record = &self.records[slot];
        match record.phase {
            Phase::InFlight { until, .. } => {
                let (group, received_at) = (record.group, record.received_at);
                let (links, key) = (record.by_phase, (until, record.sequence));
                self.deadlines.in_flight.unlink(&mut self.records, slot, links, key);
                self.in_flight -= 1;
                self.discipline.reception_ended(group, received_at, at);
                self.deadlines.expect_at(at.saturating_add(self.limits.noisy_interval));
            }
            Phase::Visible { .. } => self.discipline.leaves_visible(&mut self.records, slot),
            Phase::Delayed { .. } => {
                self.deadlines.delayed.remove(&mut self.records, slot);
                self.delayed -= 1;
            }
            Phase::Departing { .. } => self.departing -= 1,
        }
    }

    pub(super) fn make_visible(&mut self, slot: Slot, at: Timestamp) {
        self.leave_phase(slot, at);
        let since = self.becomes_visible();
        self.records[slot].phase = Phase::Visible { since };
        self.discipline.became_visible(&mut self.records, slot);
    }

    /// Takes a message out of the queue for good.
    #[inline]
    pub(super) fn remove(&mut self, slot: Slot, at: Timestamp) {
        self.leave_phase(slot, at);
        let record = &self.records[slot];
        self.bytes -= record.content.size_bytes();
        let (links, key) = (record.by_retention, (record.retention_base, record.sequence));
        self.deadlines.retention.unlink(&mut self.records, slot, links, key);
        self.discipline.release(&mut self.records, slot);
        self.records.remove(slot);
    }
}
