//! Entries, read one after the other.

use {
    super::{
        MessageImage, PhaseImage, QueueHeader, QueueImage, Recorded, RememberedSend, Rules, ServiceImage, TaskImage,
    },
    crate::{
        attributes::{DeduplicationScope, QueueSettings},
        message::{Content, MessageId},
        state::{
            fact::{Fact, FactEntry, Origin, Place},
            move_task::MoveTaskStatus,
        },
        time::Timestamp,
    },
};

impl ServiceImage {
    /// Reads the next entry, which is of the queue with this number.
    pub(crate) fn apply(&mut self, queue: u64, recorded: Recorded) {
        match recorded {
            Recorded::Fact(entry) => self.apply_fact(queue, entry),
            Recorded::Queue(header) => self.queue(queue).carry_header(header),
            Recorded::Tags(tags) => self.queue(queue).tags = tags,
            Recorded::Message(message) => {
                self.queue(queue).messages.insert(message.sequence, message);
            }
            Recorded::Remembered(send) => self.queue(queue).remember(send),
            Recorded::Task(task) => {
                let most = self.rules.tasks;
                self.queue(queue).carry_task(task, most);
            }
            Recorded::Service(header) => self.header = Some(header),
            Recorded::Opened { epoch, at } => self.opened(epoch, at),
            Recorded::NameDeleted { name, at } => {
                self.deleted.insert(name, at);
            }
        }
    }

    /// Once all entries are read: drops what was said of queues after their end.
    pub(crate) fn finish(&mut self) {
        self.queues.retain(|_, queue| queue.header.is_some());
    }

    fn queue(&mut self, number: u64) -> &mut QueueImage {
        self.queues.entry(number).or_default()
    }

    fn apply_fact(&mut self, number: u64, entry: FactEntry) {
        self.latest = self.latest.max(entry.at);
        if matches!(entry.fact, Fact::QueueDeleted) {
            let header = self.queues.remove(&number).and_then(|queue| queue.header);
            if let Some(header) = header {
                self.deleted.insert(header.name, entry.at);
            }
            return;
        }
        if let Some(origin) = entry.origin {
            self.take_from(origin, &entry.fact);
        }
        let rules = self.rules;
        self.queue(number).apply(entry, &rules);
    }

    /// Where a message came from it is not any more, from the same entry on.
    fn take_from(&mut self, origin: Origin, fact: &Fact) {
        let Some(source) = self.queues.get_mut(&origin.queue) else {
            return;
        };
        source.messages.remove(&origin.sequence);
        if matches!(fact, Fact::MovedIn { .. }) {
            let task = source.tasks.iter_mut().rev().find(|task| task.is_active());
            if let Some(task) = task {
                task.moved = task.moved.saturating_add(1);
            }
        }
    }
}

impl TaskImage {
    const fn is_active(&self) -> bool {
        matches!(self.status, MoveTaskStatus::Running | MoveTaskStatus::Cancelling)
    }
}

impl QueueHeader {
    /// The scope by which sends repeat one another at this instant.
    pub(super) fn scope_in_force(&self, now: Timestamp) -> DeduplicationScope {
        let change = self.scope_change.filter(|&(_, acts_at)| acts_at > now);
        change.map_or(self.settings.deduplication_scope, |(scope, _)| scope)
    }

    fn replace_settings(&mut self, at: Timestamp, settings: QueueSettings, rules: &Rules) {
        let in_force = self.scope_in_force(at);
        let new = settings.deduplication_scope;
        if new != self.settings.deduplication_scope {
            let acts_at = at.saturating_add(rules.scope_change_delay);
            self.scope_change = (new != in_force).then_some((in_force, acts_at));
        }
        self.settings = settings;
    }
}

impl QueueImage {
    fn carry_header(&mut self, header: QueueHeader) {
        if !header.settings.fifo_queue {
            self.remembered.clear();
        }
        self.header = Some(header);
    }

    fn carry_task(&mut self, task: TaskImage, most: usize) {
        if let Some(known) = self.tasks.iter_mut().find(|known| known.id == task.id) {
            *known = task;
            return;
        }
        let place = self.tasks.partition_point(|it| it.started_at <= task.started_at);
        self.tasks.insert(place, task);
        // Of several that started at one instant the one at work may stand first.
        while self.tasks.len() > most.max(1) {
            let ended = self.tasks.iter().position(|task| !task.is_active());
            self.tasks.remove(ended.unwrap_or(0));
        }
    }

    fn remember(&mut self, send: RememberedSend) {
        // Before the header is read, a standard queue may be taken for a FIFO queue, whose memory the header then drops.
        if self.header.as_ref().is_none_or(|header| header.settings.fifo_queue) {
            self.remembered.insert(send.sequence, send);
        }
    }

    fn apply(&mut self, entry: FactEntry, rules: &Rules) {
        let FactEntry { at, fact, place, .. } = entry;
        self.count(&fact, place);
        match fact {
            Fact::Sent {
                message_id,
                content,
                visible_at,
            } => {
                self.remember_sent(at, message_id, &content, place, rules);
                let mut message = MessageImage::come(at, message_id, content, place);
                if visible_at > at {
                    message.phase = PhaseImage::Delayed {
                        from: at,
                        until: visible_at,
                    };
                }
                self.messages.insert(place.sequence, message);
            }
            Fact::MovedIn { message_id, content } => {
                let message = MessageImage::come(at, message_id, content, place);
                self.messages.insert(place.sequence, message);
            }
            Fact::Arrived {
                message_id,
                content,
                receive_count,
                first_received_at,
                retention_base,
            } => {
                let message = MessageImage {
                    receive_count,
                    first_received_at,
                    retention_base,
                    ..MessageImage::come(at, message_id, content, place)
                };
                self.messages.insert(place.sequence, message);
            }
            Fact::Deleted { .. } | Fact::Expired { .. } | Fact::DeadLettered { .. } | Fact::MovedOut { .. } => {
                self.messages.remove(&place.sequence);
            }
            Fact::Purged { .. } => {
                self.messages.clear();
                self.remembered.clear();
                if let Some(header) = &mut self.header {
                    header.purged_at = Some(at);
                }
            }
            Fact::SettingsChanged { settings } => {
                if let Some(header) = &mut self.header {
                    header.replace_settings(at, *settings, rules);
                }
            }
            fact => {
                if let Some(message) = self.messages.get_mut(&place.sequence) {
                    message.apply(at, &fact, place);
                }
            }
        }
    }

    /// Keeps the counters behind what was used.
    fn count(&mut self, fact: &Fact, place: Place) {
        let Some(header) = &mut self.header else {
            return;
        };
        header.became_visible = header.became_visible.max(place.since);
        if matches!(fact, Fact::Sent { .. } | Fact::Arrived { .. } | Fact::MovedIn { .. }) {
            header.next_sequence = header.next_sequence.max(place.sequence.saturating_add(1));
        }
    }

    fn remember_sent(&mut self, at: Timestamp, message_id: MessageId, content: &Content, place: Place, rules: &Rules) {
        let (Some(group), Some(id)) = (content.group(), content.deduplication()) else {
            return;
        };
        // A log is longer than the memory of sends: what is over is forgotten on the way. The clock of an opening tells that
        // of its own sends only: it may be ahead.
        let oldest = |queue: &Self| {
            let first = queue.remembered.range(queue.sends_from..).next();
            first
                .filter(|(_, send)| send.forgotten_at <= at)
                .map(|(&sequence, _)| sequence)
        };
        while let Some(sequence) = oldest(self) {
            self.remembered.remove(&sequence);
        }
        self.remember(RememberedSend {
            group: group.clone(),
            deduplication_id: id.clone(),
            message_id,
            sequence: place.sequence,
            forgotten_at: at.saturating_add(rules.deduplication_interval),
        });
    }
}

impl MessageImage {
    /// A message that was never received, as it comes into the queue.
    const fn come(at: Timestamp, message_id: MessageId, content: Content, place: Place) -> Self {
        Self {
            slot: place.slot,
            sequence: place.sequence,
            message_id,
            content,
            retention_base: at,
            phase: PhaseImage::Visible { since: place.since },
            first_received_at: Timestamp::ZERO,
            received_at: Timestamp::ZERO,
            receive_count: 0,
            reception: 0,
        }
    }

    /// Reads a fact by which a message neither comes nor goes.
    fn apply(&mut self, at: Timestamp, fact: &Fact, place: Place) {
        let shown = PhaseImage::Visible { since: place.since };
        match *fact {
            Fact::Received {
                receive_count,
                invisible_until,
                ..
            } => {
                if self.receive_count == 0 {
                    self.first_received_at = at;
                }
                self.receive_count = receive_count;
                self.reception = self.reception.saturating_add(1);
                self.received_at = at;
                self.phase = if invisible_until > at {
                    self.hidden(invisible_until, false)
                } else {
                    shown
                };
            }
            Fact::ReceivedAgain { invisible_until, .. } => {
                self.received_at = at;
                self.phase = if invisible_until > at {
                    self.hidden(invisible_until, false)
                } else {
                    shown
                };
            }
            Fact::VisibilityChanged { invisible_until, .. } => self.phase = self.hidden(invisible_until, true),
            Fact::Postponed { invisible_until, .. } => {
                self.receive_count = self.receive_count.saturating_sub(1);
                self.reception = self.reception.saturating_add(1);
                let changed = matches!(self.phase, PhaseImage::InFlight { changed: true, .. });
                self.phase = self.hidden(invisible_until, changed);
            }
            Fact::Released { .. } => {
                self.receive_count = self.receive_count.saturating_sub(1);
                self.received_at = at;
                self.phase = shown;
            }
            Fact::Returned { .. } | Fact::DelayEnded { .. } => self.phase = shown,
            _ => {}
        }
    }

    /// In flight, with the place among the visible messages that it had.
    const fn hidden(&self, until: Timestamp, changed: bool) -> PhaseImage {
        let since = match self.phase {
            PhaseImage::Visible { since } | PhaseImage::InFlight { since, .. } => since,
            PhaseImage::Delayed { .. } => 0,
        };
        PhaseImage::InFlight { until, since, changed }
    }
}
