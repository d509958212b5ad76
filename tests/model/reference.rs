//! The rules as plain vectors and loops: slow, obvious, and written from the rules alone.
//!
//! A [`World`] is some queues under one clock. Every operation first lets time pass in its queue, event by event in
//! the order of the deadlines, and then loops over the messages, which stand in the order of their arrival.

use crate::checks::{LONGEST_DELAY, check_batch_ids, check_batch_length, check_id, check_visibility};
use crate::store::{Attempt, Message, RefQueue};
use crate::types::*;

const MEMORY_OF_PURGE: u64 = 60 * SECOND;
const DELAY_OF_SCOPE: u64 = 60 * SECOND;
const RETENTION: std::ops::RangeInclusive<u64> = 60 * SECOND..=1_209_600 * SECOND;
const LONGEST_WAIT: u64 = 20 * SECOND;

#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) now: u64,
    pub(crate) limits: SmallLimits,
    pub(crate) queues: Vec<RefQueue>,
    ids: usize,
}

impl World {
    pub(crate) fn new(start: u64, limits: SmallLimits, setups: &[Setup]) -> Self {
        let queues = setups.iter().cloned().map(RefQueue::new).collect();
        Self {
            now: start,
            limits,
            queues,
            ids: 0,
        }
    }

    /// A clock that went back is read as the latest instant seen.
    pub(crate) fn set_clock(&mut self, clock: u64) {
        self.now = self.now.max(clock);
        for queue in &mut self.queues {
            queue.pass_time(self.now);
        }
    }

    pub(crate) fn send(&mut self, queue: usize, draft: &Draft) -> Result<Sent, Refusal> {
        let (now, id) = (self.now, self.ids);
        let it = &mut self.queues[queue];
        if it.setup.fifo && !draft.body.is_empty() && draft.group.is_none() {
            return refuse(
                "MissingParameter",
                "The request must contain the parameter MessageGroupId.",
            ); // F2
        }
        let sent = it.send(now, id, draft)?;
        self.ids = self.ids.max(sent.id + 1);
        Ok(sent)
    }

    /// The answer per entry, or the refusal of the whole call (M31 to M36).
    pub(crate) fn send_batch(
        &mut self,
        queue: usize,
        entries: &[(String, Draft)],
    ) -> Result<Vec<Result<Sent, Refusal>>, Refusal> {
        let ids: Vec<&str> = entries.iter().map(|(id, _)| id.as_str()).collect();
        check_batch_ids(&ids)?;
        if entries.iter().map(|(_, draft)| draft.body.len()).sum::<usize>() > self.limits.batch_bytes {
            return refuse("BatchRequestTooLong", "Batch requests cannot be longer than"); // M10
        }
        check_batch_length(&ids)?;
        let setup = &self.queues[queue].setup;
        if setup.fifo {
            // M36
            if entries.iter().any(|(_, draft)| draft.group.is_none()) {
                return refuse("InvalidParameterValue", "");
            }
            if !setup.content_based && entries.iter().any(|(_, draft)| draft.dedup.is_none()) {
                return refuse("InvalidParameterValue", "");
            }
        }
        Ok(entries.iter().map(|(_, draft)| self.send(queue, draft)).collect())
    }

    /// An empty answer stands for a long poll that goes on waiting, too.
    pub(crate) fn receive(&mut self, queue: usize, request: &Request) -> Result<Vec<Received>, Refusal> {
        let (now, limit) = (self.now, self.limits.in_flight);
        let it = &mut self.queues[queue];
        let maximum = request.maximum.unwrap_or(1);
        if !(1..=10).contains(&maximum) {
            return refuse("InvalidParameterValue", "for parameter MaxNumberOfMessages is invalid");
        }
        let visibility = request.visibility.unwrap_or(it.setup.visibility); // D4, D23
        check_visibility(visibility)?;
        let wait = request.wait.unwrap_or(0);
        if wait > LONGEST_WAIT {
            return refuse("InvalidParameterValue", "for parameter WaitTimeSeconds is invalid");
        }
        let attempt = request.attempt.clone().filter(|_| it.setup.fifo); // F31
        if let Some(id) = &attempt {
            check_id(
                id,
                "ReceiveRequestAttemptId can only include alphanumeric and punctuation characters",
            )?;
            it.attempts.retain(|known| now < known.at + FIVE_MINUTES); // F35
            if let Some(known) = it.attempts.iter().find(|known| known.id == *id).cloned() {
                return it.replay(now, visibility, &known);
            }
        }
        let in_flight = it.messages.iter().filter(|message| message.is_in_flight()).count();
        if in_flight >= limit {
            if !it.setup.fifo && wait == 0 {
                return refuse(
                    "OverLimit",
                    "Too many messages have been received without being deleted.",
                ); // D15
            }
            return Ok(Vec::new()); // D15, F29
        }
        // D17; what is received with visibility 0 is never in flight.
        let most = if visibility == 0 {
            maximum
        } else {
            maximum.min(limit - in_flight)
        };
        let mut received = Vec::new();
        for serial in self.queues[queue].candidates(now, &self.limits) {
            if received.len() == most {
                break;
            }
            let it = &mut self.queues[queue];
            let count = it.message(serial).expect("a candidate is stored").queue_receive_count;
            match it.setup.redrive {
                Some((target, maximum)) if count >= maximum => self.dead_letter(queue, serial, target), // L6, L7
                _ => received.push(it.deliver(now, queue, serial, visibility)),
            }
        }
        if let (Some(id), false) = (attempt, received.is_empty()) {
            let handles = received.iter().map(|message| message.handle).collect();
            self.queues[queue].attempts.push(Attempt { id, at: now, handles });
        }
        Ok(received)
    }

    pub(crate) fn delete(&mut self, queue: usize, handle: Handle) -> Result<(), Refusal> {
        let now = self.now;
        if handle.queue != queue {
            return refuse("ReceiptHandleIsInvalid", "is not a valid receipt handle");
        }
        let it = &mut self.queues[queue];
        let Some(message) = it.message(handle.serial) else {
            return Ok(());
        };
        if it.setup.fifo && !(message.is_in_flight() && message.reception == handle.reception) {
            return refuse("InvalidParameterValue", "The receipt handle has expired.");
        }
        let serial = message.serial;
        it.end_reception(serial, now);
        it.remove(serial);
        Ok(())
    }

    pub(crate) fn change_visibility(&mut self, queue: usize, handle: Handle, timeout: u64) -> Result<(), Refusal> {
        let now = self.now;
        check_visibility(timeout)?;
        if handle.queue != queue {
            return refuse("ReceiptHandleIsInvalid", "is not a valid receipt handle");
        }
        const GONE: &str = "Message does not exist or is not available for visibility timeout change.";
        let it = &mut self.queues[queue];
        let Some(message) = it.message(handle.serial) else {
            return refuse("InvalidParameterValue", GONE);
        };
        if it.setup.fifo && message.reception != handle.reception {
            return refuse("InvalidParameterValue", "The receipt handle has expired.");
        }
        if !message.is_in_flight() {
            return if it.setup.fifo {
                refuse("InvalidParameterValue", GONE)
            } else {
                Ok(())
            }; // D30
        }
        if now + timeout > message.last_received_at + TWELVE_HOURS {
            return refuse(
                "InvalidParameterValue",
                "Total VisibilityTimeout for the message is beyond the limit",
            ); // D26
        }
        let serial = message.serial;
        if timeout == 0 {
            it.end_reception(serial, now);
            it.make_visible(serial);
        } else {
            it.message_mut(serial).phase = Phase::InFlight { until: now + timeout }; // D24
        }
        it.message_mut(serial).visibility_changed = true;
        Ok(())
    }

    pub(crate) fn delete_batch(
        &mut self,
        queue: usize,
        entries: &[(String, Handle)],
    ) -> Result<Vec<Result<(), Refusal>>, Refusal> {
        let ids: Vec<&str> = entries.iter().map(|(id, _)| id.as_str()).collect();
        check_batch_ids(&ids)?;
        check_batch_length(&ids)?;
        Ok(entries.iter().map(|(_, handle)| self.delete(queue, *handle)).collect())
    }

    pub(crate) fn change_visibility_batch(
        &mut self,
        queue: usize,
        entries: &[(String, Handle, u64)],
    ) -> Result<Vec<Result<(), Refusal>>, Refusal> {
        let ids: Vec<&str> = entries.iter().map(|(id, _, _)| id.as_str()).collect();
        check_batch_ids(&ids)?;
        check_batch_length(&ids)?;
        Ok(entries
            .iter()
            .map(|(_, handle, timeout)| self.change_visibility(queue, *handle, *timeout))
            .collect())
    }

    /// D43 to D47.
    pub(crate) fn purge(&mut self, queue: usize) -> Result<(), Refusal> {
        let it = &mut self.queues[queue];
        if it.purged_at.is_some_and(|at| self.now < at + MEMORY_OF_PURGE) {
            return refuse("PurgeQueueInProgress", "is allowed every 60 seconds."); // D44
        }
        it.purged_at = Some(self.now);
        while let Some(message) = it.messages.first() {
            it.remove(message.serial);
        }
        it.remembered.clear();
        Ok(())
    }

    /// Atomic (Q28).
    pub(crate) fn set_attributes(&mut self, queue: usize, change: &Change) -> Result<(), Refusal> {
        let now = self.now;
        let it = &mut self.queues[queue];
        if change.visibility.is_some_and(|value| value > TWELVE_HOURS)
            || change.delay.is_some_and(|value| value > LONGEST_DELAY)
            || change.retention.is_some_and(|value| !RETENTION.contains(&value))
        {
            return refuse("InvalidAttributeValue", "Invalid value for the parameter"); // Q16
        }
        if !it.setup.fifo && (change.content_based.is_some() || change.scope.is_some()) {
            return refuse("InvalidAttributeName", ""); // Q18, Q19
        }
        it.setup.visibility = change.visibility.unwrap_or(it.setup.visibility);
        it.setup.delay = change.delay.unwrap_or(it.setup.delay);
        it.setup.retention = change.retention.unwrap_or(it.setup.retention);
        it.setup.content_based = change.content_based.unwrap_or(it.setup.content_based);
        if let Some(scope) = change.scope.filter(|scope| *scope != it.setup.scope) {
            it.setup.scope = scope;
            it.scopes.retain(|(from, _)| *from <= now);
            it.scopes.push((now + DELAY_OF_SCOPE, scope)); // F16
        }
        if let (Some(delay), true) = (change.delay, it.setup.fifo) {
            for message in &mut it.messages {
                if let Phase::Delayed { until } = &mut message.phase {
                    *until = message.sent_at + delay; // D35
                }
            }
        }
        it.pass_time(now);
        Ok(())
    }

    /// L5: acts on the next receive attempt.
    pub(crate) fn set_redrive(&mut self, queue: usize, redrive: Option<(usize, u32)>) {
        self.queues[queue].setup.redrive = redrive;
    }

    /// What is stored, in the order of arrival.
    pub(crate) fn snapshot(&self, queue: usize) -> Vec<Stored> {
        let it = &self.queues[queue];
        let stored = it.messages.iter().map(|message| Stored {
            id: message.id,
            serial: message.serial,
            body: message.body.clone(),
            phase: match message.phase {
                Phase::Visible { .. } => Seen::Visible,
                Phase::Delayed { until } => Seen::Delayed { until },
                Phase::InFlight { until } => Seen::InFlight { until },
            },
            group: message.group.clone(),
            sent_at: message.sent_at,
            receive_count: message.receive_count,
            expires_at: message.retention_base + it.setup.retention,
            blocked: it.setup.fifo && message.is_visible() && !it.is_in_prefix(message),
        });
        stored.collect()
    }

    pub(crate) fn counts(&self, queue: usize) -> Counts {
        let mut counts = Counts::default();
        for message in &self.queues[queue].messages {
            match message.phase {
                Phase::Visible { .. } => counts.visible += 1,
                Phase::InFlight { .. } => counts.not_visible += 1,
                Phase::Delayed { .. } => counts.delayed += 1,
            }
        }
        counts
    }

    /// Every instant ahead at which some rule changes its answer; those of the next ten minutes, or all.
    pub(crate) fn deadlines(&self, far: bool) -> Vec<u64> {
        let mut all = Vec::new();
        for it in &self.queues {
            for message in &it.messages {
                all.push(message.retention_base + it.setup.retention);
                if let Phase::Delayed { until } | Phase::InFlight { until } = message.phase {
                    all.push(until);
                }
            }
            all.extend(it.remembered.iter().map(|known| known.at + FIVE_MINUTES));
            all.extend(it.attempts.iter().map(|known| known.at + FIVE_MINUTES));
            all.extend(it.purged_at.map(|at| at + MEMORY_OF_PURGE));
            all.extend(it.scopes.iter().map(|(at, _)| *at));
            all.extend(it.spent.iter().map(|spent| spent.end / SECOND * SECOND + FIVE_MINUTES));
        }
        all.retain(|at| *at > self.now && (far || *at < self.now + 2 * FIVE_MINUTES));
        all.sort_unstable();
        all.dedup();
        all
    }

    /// A move task without a rate moves everything visible before it returns (L24, L26, L30, L31).
    pub(crate) fn move_task(&mut self, queue: usize, destination: Option<usize>) -> Result<(), Refusal> {
        let is_target = |it: &RefQueue| it.setup.redrive.is_some_and(|(target, _)| target == queue);
        if !self.queues.iter().any(is_target) {
            return refuse(
                "InvalidParameterValue",
                "Source queue must be configured as a Dead Letter Queue.",
            );
        }
        if destination == Some(queue) {
            return refuse("InvalidParameterValue", ""); // L26i
        }
        while let Some(message) = self.queues[queue].messages.iter().find(|message| message.is_visible()) {
            let Some(to) = destination.or(message.source) else {
                break;
            }; // L25
            let serial = message.serial;
            let message = self.queues[queue].remove(serial);
            let moved = Message {
                id: self.ids,
                source: None,
                sent_at: self.now,
                first_received_at: None,
                receive_count: 0,
                ..message
            };
            self.ids += 1;
            self.arrive(to, moved, self.now);
        }
        Ok(())
    }

    /// L6 to L19: out of one queue and to the back of the other, visible at once.
    fn dead_letter(&mut self, queue: usize, serial: u64, target: usize) {
        let message = self.queues[queue].remove(serial);
        let is_fifo = self.queues[target].setup.fifo;
        let retention_base = if is_fifo { self.now } else { message.retention_base }; // L13, L14
        self.arrive(
            target,
            Message {
                source: Some(queue),
                ..message
            },
            retention_base,
        ); // L11
    }

    fn arrive(&mut self, queue: usize, message: Message, retention_base: u64) {
        let it = &mut self.queues[queue];
        let message = Message {
            serial: it.next_serial(),
            phase: Phase::Visible { event: it.next_event() },
            dedup: it.setup.fifo.then_some(Dedup::MessageId), // L12, L30
            queue_receive_count: 0,                           // L8
            reception: 0,
            retention_base,
            ..message
        };
        it.messages.push(message);
        it.pass_time(self.now); // L15
    }
}
