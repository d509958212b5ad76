//! The rules: every operation lets time pass in its queue and then loops over the messages.

use super::checks::{LONGEST_DELAY, check_batch_ids, check_batch_length, check_id, check_visibility};
use super::store::{Attempt, Message, RefQueue};
use super::types::*;

pub(super) const MEMORY_OF_PURGE: u64 = 60 * SECOND;
const DELAY_OF_SCOPE: u64 = 60 * SECOND;
const RETENTION: std::ops::RangeInclusive<u64> = 60 * SECOND..=1_209_600 * SECOND;
const LONGEST_WAIT: u64 = 20 * SECOND;

/// Some queues under one clock; a queue is its number, from 0.
///
/// Time passes event by event in the order of the deadlines; messages stand in the order of their arrival. A clone is
/// a world of its own, so that a test can look at two futures.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(super) now: u64,
    pub(super) limits: ModelLimits,
    pub(super) queues: Vec<RefQueue>,
    ids: usize,
}

impl World {
    /// Queues with these attributes at the instant `start`, under these limits.
    ///
    /// # Panics
    /// If a dead-letter queue is not among the queues.
    #[must_use]
    pub(crate) fn with_limits(start: u64, setups: &[Setup], limits: ModelLimits) -> Self {
        for (queue, setup) in setups.iter().enumerate() {
            if let Some((target, _)) = setup.redrive {
                let of = setups.len();
                assert!(
                    target < of,
                    "queue {queue} names queue {target} of {of} as its dead-letter queue"
                );
            }
        }
        let queues = setups.iter().cloned().map(RefQueue::new).collect();
        Self {
            now: start,
            limits,
            queues,
            ids: 0,
        }
    }

    /// Moves time to `clock`; one that went back is read as the latest instant seen.
    pub(crate) fn set_clock(&mut self, clock: u64) {
        self.now = self.now.max(clock);
        for queue in &mut self.queues {
            queue.pass_time(self.now);
        }
    }

    /// The queues were opened again: receive attempt ids and processing times are forgotten.
    #[allow(dead_code, reason = "queues in memory end once")]
    pub(crate) fn reopen(&mut self) {
        for queue in &mut self.queues {
            queue.attempts.clear();
            queue.spent.clear();
        }
    }

    /// `SendMessage`.
    ///
    /// # Errors
    /// M1, M3, M8, D32, D34, F1 to F4 and F8, as SQS refuses them.
    pub(crate) fn send(&mut self, queue: usize, draft: &Draft) -> Result<Sent, Refusal> {
        let (now, id) = (self.now, self.ids);
        let it = &mut self.queues[queue];
        if it.setup.fifo && !draft.body.is_empty() && draft.message_group_id.is_none() {
            return refuse(
                "MissingParameter",
                "The request must contain the parameter MessageGroupId.",
            ); // F2
        }
        let sent = it.send(now, id, draft, &self.limits)?;
        self.ids = self.ids.max(sent.id + 1);
        Ok(sent)
    }

    /// `SendMessageBatch`: the answer per entry, an id and a draft, or the refusal of the whole call.
    ///
    /// # Errors
    /// M31 to M36.
    pub(crate) fn send_batch(
        &mut self,
        queue: usize,
        entries: &[(String, Draft)],
    ) -> Result<Vec<Result<Sent, Refusal>>, Refusal> {
        let ids: Vec<&str> = entries.iter().map(|(id, _)| id.as_str()).collect();
        check_batch_ids(&ids)?;
        if entries.iter().map(|(_, draft)| draft.size()).sum::<usize>() > self.limits.batch_bytes {
            return refuse("BatchRequestTooLong", "Batch requests cannot be longer than"); // M10
        }
        check_batch_length(&ids)?;
        let setup = &self.queues[queue].setup;
        if setup.fifo {
            // M36
            if entries.iter().any(|(_, draft)| draft.message_group_id.is_none()) {
                return refuse("InvalidParameterValue", "");
            }
            if !setup.content_based_deduplication && entries.iter().any(|(_, draft)| draft.deduplication_id.is_none()) {
                return refuse("InvalidParameterValue", "");
            }
        }
        Ok(entries.iter().map(|(_, draft)| self.send(queue, draft)).collect())
    }

    /// `ReceiveMessage`; an empty answer stands for a long poll that goes on waiting, too.
    ///
    /// # Errors
    /// A request out of range (3.2), too many messages in flight (D15), a receive that cannot be replayed (F33).
    pub(crate) fn receive(&mut self, queue: usize, request: &Request) -> Result<Vec<Received>, Refusal> {
        self.receive_these(queue, request, None)
    }

    /// [`receive`](Self::receive) of a choice of messages that was made elsewhere: a short poll sees a sample (D9), and a
    /// queue with much that is due has not done all of it. What cannot be received is left out.
    pub(crate) fn receive_these(
        &mut self,
        queue: usize,
        request: &Request,
        these: Option<&[usize]>,
    ) -> Result<Vec<Received>, Refusal> {
        let mut received = self.receive_whole(queue, request, these)?;
        if request.without_attribute {
            received.iter_mut().for_each(|message| message.attribute = None);
        }
        Ok(received)
    }

    fn receive_whole(
        &mut self,
        queue: usize,
        request: &Request,
        these: Option<&[usize]>,
    ) -> Result<Vec<Received>, Refusal> {
        let (now, limit) = (self.now, self.limits.in_flight);
        let it = &mut self.queues[queue];
        let maximum = request.max_messages.unwrap_or(1);
        if !(1..=10).contains(&maximum) {
            return refuse("InvalidParameterValue", "for parameter MaxNumberOfMessages is invalid");
        }
        let visibility = request.visibility_timeout.unwrap_or(it.setup.visibility_timeout); // D4, D23
        check_visibility(visibility)?;
        let wait = request.wait_time.unwrap_or(0);
        if wait > LONGEST_WAIT {
            return refuse("InvalidParameterValue", "for parameter WaitTimeSeconds is invalid");
        }
        let attempt = request.receive_request_attempt_id.clone().filter(|_| it.setup.fifo); // F31
        if let Some(id) = &attempt {
            check_id(
                id,
                "ReceiveRequestAttemptId can only include alphanumeric and punctuation characters",
            )?;
            it.attempts.retain(|known| now < known.at.saturating_add(FIVE_MINUTES)); // F35
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
        let (mut received, mut dead) = (Vec::new(), Vec::new());
        for serial in self.queues[queue].chosen(now, &self.limits, these) {
            if received.len() == most {
                break;
            }
            let it = &mut self.queues[queue];
            let message = it.message(serial).expect("a candidate is stored");
            let (count, group) = (message.queue_receive_count, &message.message_group_id);
            let of_group = received
                .iter()
                .filter(|other: &&Received| other.message_group_id == *group);
            let most_of_group = request.max_messages_per_group.filter(|_| it.setup.fifo);
            if most_of_group.is_some_and(|most| of_group.count() >= most) {
                continue;
            }
            match it.setup.redrive {
                Some((target, maximum)) if count >= maximum => dead.push((serial, target)), // L6, L7
                _ => received.push(it.deliver(now, queue, serial, visibility)),
            }
        }
        let mut arrived_here = false;
        for (serial, target) in dead {
            arrived_here |= target == queue;
            self.dead_letter(queue, serial, target);
        }
        if received.is_empty() && wait > 0 && arrived_here {
            return self.receive_whole(queue, request, these); // L3d, L7: a long poll goes on
        }
        if let (Some(id), false) = (attempt, received.is_empty()) {
            let handles = received.iter().map(|message| message.handle).collect();
            self.queues[queue].attempts.push(Attempt { id, at: now, handles });
        }
        Ok(received)
    }

    /// `DeleteMessage`, by the table of D19.
    ///
    /// # Errors
    /// A handle of another queue; on a FIFO queue one that has expired.
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

    /// Not on SQS: removes what has one of these numbers, in any phase; answers with how many that were.
    pub(crate) fn delete_by_id(&mut self, queue: usize, ids: &[usize]) -> usize {
        let now = self.now;
        let it = &mut self.queues[queue];
        let stored = it.messages.iter().filter(|message| ids.contains(&message.id));
        let serials: Vec<u64> = stored.map(|message| message.serial).collect();
        for &serial in &serials {
            it.end_reception(serial, now);
            it.remove(serial);
        }
        serials.len()
    }

    /// `ChangeMessageVisibility`, to `timeout` milliseconds from now.
    ///
    /// # Errors
    /// A timeout out of range (D25, D26); a handle that D19 refuses.
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
        if now.saturating_add(timeout) > message.last_received_at.saturating_add(TWELVE_HOURS) {
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
            it.message_mut(serial).phase = Phase::InFlight {
                until: now.saturating_add(timeout),
            }; // D24
        }
        it.message_mut(serial).visibility_changed = true;
        Ok(())
    }

    /// `DeleteMessageBatch`: the answer per entry, an id and a handle, or the refusal of the whole call.
    ///
    /// # Errors
    /// M31, M32, M34 and M35.
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

    /// `ChangeMessageVisibilityBatch`: the answer per entry, an id, a handle and a timeout, or the refusal of the call.
    ///
    /// # Errors
    /// M31, M32, M34 and M35.
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

    /// `PurgeQueue` (D43 to D47).
    ///
    /// # Errors
    /// A second purge within a minute (D44).
    pub(crate) fn purge(&mut self, queue: usize) -> Result<(), Refusal> {
        let it = &mut self.queues[queue];
        if it
            .purged_at
            .is_some_and(|at| self.now < at.saturating_add(MEMORY_OF_PURGE))
        {
            return refuse("PurgeQueueInProgress", "is allowed every 60 seconds."); // D44
        }
        it.purged_at = Some(self.now);
        while let Some(message) = it.messages.first() {
            it.remove(message.serial);
        }
        it.remembered.clear();
        Ok(())
    }

    /// `SetQueueAttributes`, atomic (Q28).
    ///
    /// # Errors
    /// A value out of range (Q16), an attribute of FIFO queues on another (Q18, Q19).
    pub(crate) fn set_attributes(&mut self, queue: usize, change: &Change) -> Result<(), Refusal> {
        let now = self.now;
        let it = &mut self.queues[queue];
        if change.visibility_timeout.is_some_and(|value| value > TWELVE_HOURS)
            || change.delay.is_some_and(|value| value > LONGEST_DELAY)
            || change
                .message_retention_period
                .is_some_and(|value| !RETENTION.contains(&value))
        {
            return refuse("InvalidAttributeValue", "Invalid value for the parameter"); // Q16
        }
        if !it.setup.fifo && (change.content_based_deduplication.is_some() || change.deduplication_scope.is_some()) {
            return refuse("InvalidAttributeName", ""); // Q18, Q19
        }
        it.setup.visibility_timeout = change.visibility_timeout.unwrap_or(it.setup.visibility_timeout);
        it.setup.delay = change.delay.unwrap_or(it.setup.delay);
        it.setup.message_retention_period = change
            .message_retention_period
            .unwrap_or(it.setup.message_retention_period);
        it.setup.content_based_deduplication = change
            .content_based_deduplication
            .unwrap_or(it.setup.content_based_deduplication);
        if let Some(scope) = change
            .deduplication_scope
            .filter(|scope| *scope != it.setup.deduplication_scope)
        {
            it.setup.deduplication_scope = scope;
            it.scopes.retain(|(from, _)| *from <= now);
            it.scopes.push((now.saturating_add(DELAY_OF_SCOPE), scope)); // F16
        }
        if let (Some(delay), true) = (change.delay, it.setup.fifo) {
            for message in &mut it.messages {
                if let Phase::Delayed { until } = &mut message.phase {
                    *until = message.sent_at.saturating_add(delay); // D35
                }
            }
        }
        it.pass_time(now);
        Ok(())
    }

    /// Sets or removes the dead-letter queue, by its number and `maxReceiveCount`; it acts on the next receive (L5).
    ///
    /// # Panics
    /// If the dead-letter queue is not among the queues.
    pub(crate) fn set_redrive(&mut self, queue: usize, redrive: Option<(usize, u32)>) {
        let (target, of) = (redrive.map_or(0, |(target, _)| target), self.queues.len());
        assert!(target < of, "the dead-letter queue is queue {target} of {of}");
        self.queues[queue].setup.redrive = redrive;
    }

    /// `StartMessageMoveTask` without a rate: everything visible moves before it returns (L24, L26, L30, L31).
    ///
    /// # Errors
    /// The queue is nobody's dead-letter queue, or its own destination (L26i).
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
            let origin = message.source.filter(|source| *source != queue); // L3d
            let Some(to) = destination.or(origin) else {
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

    /// L6 to L19: out of one queue and to the back of the other, or of the same (L3d), visible at once.
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
            deduplication_id: it.setup.fifo.then_some(DeduplicationId::MessageId), // L12, L30
            queue_receive_count: 0,                                                // L8
            reception: 0,
            retention_base,
            ..message
        };
        it.messages.push(message);
        it.pass_time(self.now); // L15
    }
}
