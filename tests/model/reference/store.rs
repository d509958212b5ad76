//! One queue of the reference: its messages in the order of arrival, and what it remembers.

use super::types::*;

#[derive(Clone, Debug)]
pub(super) struct Message {
    pub(super) id: usize,
    pub(super) serial: u64,
    pub(super) body: String,
    pub(super) attribute: Option<String>,
    pub(super) message_group_id: Option<String>,
    pub(super) deduplication_id: Option<DeduplicationId>,
    pub(super) source: Option<usize>,
    pub(super) phase: Phase,
    pub(super) sent_at: u64,
    pub(super) retention_base: u64,
    pub(super) first_received_at: Option<u64>,
    pub(super) last_received_at: u64,
    pub(super) receive_count: u32,
    /// L8: receives since the arrival in this queue.
    pub(super) queue_receive_count: u32,
    /// Which reception is the latest; 0 before the first.
    pub(super) reception: u32,
    /// F33: the visibility of the latest reception was changed.
    pub(super) visibility_changed: bool,
}

impl Message {
    pub(super) fn is_visible(&self) -> bool {
        matches!(self.phase, Phase::Visible { .. })
    }

    pub(super) fn is_in_flight(&self) -> bool {
        matches!(self.phase, Phase::InFlight { .. })
    }
}

/// An accepted send that later ones are compared with (F9, F16).
#[derive(Clone, Debug)]
pub(super) struct Remembered {
    pub(super) message_group_id: String,
    pub(super) deduplication_id: String,
    pub(super) at: u64,
    pub(super) sent: Sent,
}

/// A receive with an attempt id that returned something (F32, F34).
#[derive(Clone, Debug)]
pub(super) struct Attempt {
    pub(super) id: String,
    pub(super) at: u64,
    pub(super) handles: Vec<Handle>,
}

/// A finished reception (N9); the tenant is gone once its last message left the queue.
#[derive(Clone, Debug)]
pub(super) struct Spent {
    pub(super) end: u64,
    pub(super) span: u64,
    pub(super) tenant: Option<String>,
}

#[derive(Clone, Debug)]
pub(super) struct RefQueue {
    pub(super) setup: Setup,
    pub(super) messages: Vec<Message>,
    pub(super) spent: Vec<Spent>,
    serials: u64,
    events: u64,
    /// How far time has passed.
    seen: u64,
    pub(super) remembered: Vec<Remembered>,
    pub(super) attempts: Vec<Attempt>,
    pub(super) purged_at: Option<u64>,
    /// When each scope begins to act (F16), in order.
    pub(super) scopes: Vec<(u64, Scope)>,
}

impl RefQueue {
    pub(super) fn new(setup: Setup) -> Self {
        let scopes = vec![(0, setup.deduplication_scope)];
        Self {
            setup,
            messages: Vec::new(),
            spent: Vec::new(),
            serials: 0,
            events: 0,
            seen: 0,
            remembered: Vec::new(),
            attempts: Vec::new(),
            purged_at: None,
            scopes,
        }
    }

    pub(super) fn message(&self, serial: u64) -> Option<&Message> {
        self.messages.iter().find(|message| message.serial == serial)
    }

    pub(super) fn message_mut(&mut self, serial: u64) -> &mut Message {
        self.messages
            .iter_mut()
            .find(|message| message.serial == serial)
            .expect("the message is stored")
    }

    pub(super) fn next_serial(&mut self) -> u64 {
        self.serials += 1;
        self.serials
    }

    pub(super) fn next_event(&mut self) -> u64 {
        self.events += 1;
        self.events
    }

    pub(super) fn make_visible(&mut self, serial: u64) {
        let event = self.next_event();
        self.message_mut(serial).phase = Phase::Visible { event };
    }

    /// Everything that is due by `now`, in the order of (deadline, serial).
    pub(super) fn pass_time(&mut self, now: u64) {
        let seen = std::mem::replace(&mut self.seen, now);
        loop {
            let mut due: Option<(u64, u64, bool)> = None;
            for message in &self.messages {
                let expiry = (
                    message
                        .retention_base
                        .saturating_add(self.setup.message_retention_period),
                    message.serial,
                    false,
                );
                let ends = match message.phase {
                    Phase::Delayed { until } | Phase::InFlight { until } => (until, message.serial, true),
                    Phase::Visible { .. } => expiry,
                };
                let first = expiry.min(ends);
                if first.0 <= now && due.is_none_or(|earliest| first < earliest) {
                    due = Some(first);
                }
            }
            match due {
                None => return,
                Some((at, serial, false)) => {
                    self.end_reception(serial, at.max(seen)); // D40: a shorter period ends it at the change
                    self.remove(serial); // D37
                }
                Some((at, serial, true)) => {
                    self.end_reception(serial, at);
                    self.make_visible(serial);
                }
            }
        }
    }

    pub(super) fn remove(&mut self, serial: u64) -> Message {
        let place = self
            .messages
            .iter()
            .position(|message| message.serial == serial)
            .expect("the message is stored");
        let message = self.messages.remove(place);
        if !self
            .messages
            .iter()
            .any(|other| other.message_group_id == message.message_group_id)
        {
            for spent in self
                .spent
                .iter_mut()
                .filter(|spent| spent.tenant == message.message_group_id)
            {
                spent.tenant = None;
            }
        }
        message
    }

    /// Notes the processing time of a reception that ends by a delete or by the end of its visibility (N9).
    pub(super) fn end_reception(&mut self, serial: u64, end: u64) {
        let message = self.message(serial).expect("the message is stored");
        if message.is_in_flight() && !self.setup.fifo {
            let (span, tenant) = (end - message.last_received_at, message.message_group_id.clone());
            self.spent.push(Spent { end, span, tenant });
        }
    }

    pub(super) fn send(&mut self, now: u64, id: usize, draft: &Draft, limits: &ModelLimits) -> Result<Sent, Refusal> {
        self.check(draft)?;
        let deduplication_id = self.deduplication_id_of(draft)?;
        if let Some(deduplication_id) = &deduplication_id {
            let group = draft.message_group_id.clone().expect("a FIFO message has a group");
            let scope = self
                .scopes
                .iter()
                .rev()
                .find(|(from, _)| *from <= now)
                .expect("the first acts from 0")
                .1;
            self.remembered
                .retain(|known| now < known.at.saturating_add(FIVE_MINUTES)); // F9
            let original = self.remembered.iter().rev().find(|known| {
                known.deduplication_id == *deduplication_id
                    && (scope == Scope::Queue || known.message_group_id == group) // F10
            });
            if let Some(original) = original {
                return Ok(original.sent); // F11
            }
            self.check_budget(draft, limits)?;
            let sent = Sent {
                id,
                serial: self.serials + 1,
            };
            self.remembered.push(Remembered {
                message_group_id: group,
                deduplication_id: deduplication_id.clone(),
                at: now,
                sent,
            });
        } else {
            self.check_budget(draft, limits)?;
        }
        let delay = if self.setup.fifo {
            self.setup.delay
        } else {
            draft.delay.unwrap_or(self.setup.delay)
        }; // D33, D34
        let serial = self.next_serial();
        let phase = match delay {
            0 => Phase::Visible {
                event: self.next_event(),
            },
            _ => Phase::Delayed {
                until: now.saturating_add(delay),
            },
        };
        self.messages.push(Message {
            id,
            serial,
            body: draft.body.clone(),
            attribute: draft.attribute.clone(),
            message_group_id: draft.message_group_id.clone(),
            deduplication_id: deduplication_id.map(DeduplicationId::Text),
            source: None,
            phase,
            sent_at: now,
            retention_base: now,
            first_received_at: None,
            last_received_at: 0,
            receive_count: 0,
            queue_receive_count: 0,
            reception: 0,
            visibility_changed: false,
        });
        Ok(Sent { id, serial })
    }

    /// F18 without the question whether the message itself is visible.
    pub(super) fn is_in_prefix(&self, message: &Message) -> bool {
        let mut before = self
            .messages
            .iter()
            .filter(|it| it.message_group_id == message.message_group_id && it.serial < message.serial);
        before.all(Message::is_visible)
    }

    /// What a receive may return, in order.
    pub(super) fn candidates(&self, now: u64, limits: &ModelLimits) -> Vec<u64> {
        let mut visible: Vec<&Message> = self.messages.iter().filter(|message| message.is_visible()).collect();
        if self.setup.fifo {
            visible.retain(|message| self.is_in_prefix(message));
            visible.sort_by_key(|message| (self.head_event(message), message.serial)); // F19, F22
        } else {
            let noisy = self.noisy(now, limits);
            visible.sort_by_key(|message| {
                let group = message.message_group_id.clone().filter(|group| noisy.contains(group));
                let crowd = group.as_ref().map_or(0, |group| self.in_flight_of(group));
                (group.is_some(), crowd, message.receive_count >= 3, message.serial) // N9, D49
            });
        }
        visible.iter().map(|message| message.serial).collect()
    }

    pub(super) fn head_event(&self, message: &Message) -> u64 {
        let head = self
            .messages
            .iter()
            .find(|it| it.message_group_id == message.message_group_id)
            .expect("the message itself is stored");
        match head.phase {
            Phase::Visible { event } => event,
            _ => unreachable!("the head of a receivable prefix is visible"),
        }
    }

    /// Those of [`candidates`](Self::candidates) that `these` names, in its order; a FIFO message only after those before it.
    pub(super) fn chosen(&self, now: u64, limits: &ModelLimits, these: Option<&[usize]>) -> Vec<u64> {
        let candidates = self.candidates(now, limits);
        let Some(these) = these else { return candidates };
        let mut chosen: Vec<u64> = Vec::new();
        for id in these {
            let Some(message) = self.messages.iter().find(|it| it.id == *id) else {
                continue;
            };
            let mut before = self
                .messages
                .iter()
                .filter(|it| it.message_group_id == message.message_group_id && it.serial < message.serial);
            let in_order = !self.setup.fifo || before.all(|it| chosen.contains(&it.serial)); // F18
            if candidates.contains(&message.serial) && in_order {
                chosen.push(message.serial);
            }
        }
        chosen
    }

    pub(super) fn deliver(&mut self, now: u64, queue: usize, serial: u64, visibility: u64) -> Received {
        let message = self.message_mut(serial);
        message.reception += 1; // D18
        message.receive_count += 1; // D3
        message.queue_receive_count += 1;
        message.first_received_at.get_or_insert(now);
        message.visibility_changed = false;
        self.hide(now, queue, serial, visibility)
    }

    /// In flight from `now`, or visible anew when the visibility is 0 (D6, F25).
    pub(super) fn hide(&mut self, now: u64, queue: usize, serial: u64, visibility: u64) -> Received {
        self.message_mut(serial).last_received_at = now; // D28
        if visibility == 0 {
            self.make_visible(serial);
        } else {
            self.message_mut(serial).phase = Phase::InFlight {
                until: now.saturating_add(visibility),
            };
        }
        let message = self.message(serial).expect("the message is stored");
        Received {
            id: message.id,
            handle: Handle {
                queue,
                serial,
                reception: message.reception,
            },
            body: message.body.clone(),
            attribute: message.attribute.clone(),
            message_group_id: message.message_group_id.clone(),
            deduplication_id: message.deduplication_id.clone(),
            sent_at: message.sent_at,
            first_received_at: message.first_received_at.expect("it was received"),
            receive_count: message.receive_count,
            source: message.source,
            invisible_until: now.saturating_add(visibility),
        }
    }

    /// F32 and F33.
    pub(super) fn replay(&mut self, now: u64, visibility: u64, known: &Attempt) -> Result<Vec<Received>, Refusal> {
        let is_untouched = known.handles.iter().all(|handle| {
            self.message(handle.serial).is_some_and(|message| {
                message.is_in_flight() && message.reception == handle.reception && !message.visibility_changed
            })
        });
        if !is_untouched {
            return refuse("InvalidParameterValue", "since the receive call is not retryable.");
        }
        Ok(known
            .handles
            .iter()
            .map(|handle| self.hide(now, handle.queue, handle.serial, visibility))
            .collect())
    }
}
