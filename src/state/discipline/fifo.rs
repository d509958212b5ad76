//! Which messages a FIFO queue may hand out: the prefix rule (F18) and the order between groups (F22).

use {
    super::super::{
        lane::{Lane, LaneKind, Links},
        record::{ByGroupOrder, BySequence, Phase, Record, Records},
        slab::{Slab, Slot},
        touched::touch_each,
    },
    crate::message::Content,
    foldhash::fast::RandomState,
    std::{
        collections::{HashMap, VecDeque},
        sync::Arc,
    },
};

/// All messages of one group id, whatever their phase.
#[derive(Debug)]
struct Group {
    id: Arc<str>,
    messages: Lane<ByGroupOrder>,
    in_flight: usize,
    /// Whether it stands in the list of groups that were empty.
    idle: bool,
    /// Since when the head has been visible, while it is: then, and only then, the group stands in the order.
    available_since: Option<u64>,
    by_availability: Links,
}

#[derive(Debug)]
struct ByAvailability;

impl LaneKind for ByAvailability {
    type Node = Group;
    type Key = Option<u64>;

    fn key(group: &Group) -> Option<u64> {
        group.available_since
    }
    fn links(group: &Group) -> Links {
        group.by_availability
    }
    fn links_mut(group: &mut Group) -> &mut Links {
        &mut group.by_availability
    }
}

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Fifo {
    groups: Slab<Group>,
    by_id: HashMap<Arc<str>, Slot, RandomState>,
    /// Groups whose head is visible, in the order in which the heads became so.
    available: Lane<ByAvailability>,
    /// Visible messages of all groups, locked or not, for moves (L31).
    visible: Lane<BySequence>,
    groups_with_in_flight: usize,
    /// Groups that were empty when they were put here, longest ago first.
    idle: VecDeque<Slot>,
}

/// So many empty groups are kept in case they are used again.
const IDLE_GROUPS: usize = 64;

impl Fifo {
    pub(crate) fn new() -> Self {
        Self {
            groups: Slab::new(),
            by_id: HashMap::default(),
            available: Lane::new(),
            visible: Lane::new(),
            groups_with_in_flight: 0,
            idle: VecDeque::new(),
        }
    }

    pub(crate) fn admit(&mut self, records: &mut Records, slot: Slot) {
        let group = self.group_of(&records[slot].content);
        records[slot].group = group;
        self.groups[group].messages.insert(records, slot);
    }

    fn group_of(&mut self, content: &Content) -> Slot {
        let id = content.group_id();
        if let Some(&group) = self.by_id.get(id.map_or("", |id| &**id)) {
            return group;
        }
        let id = id.cloned().unwrap_or_default();
        let group = self.groups.insert(Group {
            id: Arc::clone(&id),
            messages: Lane::new(),
            in_flight: 0,
            idle: false,
            available_since: None,
            by_availability: Links::NONE,
        });
        self.by_id.insert(id, group);
        group
    }

    /// The message is about to leave the queue; it is not visible any more. The last one takes its group along, though
    /// not at once: a group that keeps coming and going stays.
    pub(crate) fn release(&mut self, records: &mut Records, slot: Slot) {
        let group = records[slot].group;
        self.groups[group].messages.remove(records, slot);
        self.refresh(records, group);
        if self.groups[group].messages.is_empty() && !self.groups[group].idle {
            self.groups[group].idle = true;
            self.idle.push_back(group);
            if self.idle.len() > IDLE_GROUPS {
                self.forget_longest_idle();
            }
        }
    }

    fn forget_longest_idle(&mut self) {
        if let Some(group) = self.idle.pop_front() {
            self.groups[group].idle = false;
            if self.groups[group].messages.is_empty() {
                self.by_id.remove(&self.groups[group].id);
                self.groups.remove(group);
            }
        }
    }

    pub(crate) fn insert_visible(&mut self, records: &mut Records, slot: Slot) {
        self.visible.insert(records, slot);
        self.refresh(records, records[slot].group);
    }

    /// The group is put in order by [`refresh`](Self::refresh) once the record's phase has changed.
    pub(crate) fn remove_visible(&mut self, records: &mut Records, slot: Slot) {
        self.visible.remove(records, slot);
    }

    pub(crate) fn oldest_visible(&self, records: &Records) -> Option<Slot> {
        self.visible.first(records)
    }

    pub(crate) fn reception_began(&mut self, record: &Record) {
        let group = &mut self.groups[record.group];
        group.in_flight += 1;
        self.groups_with_in_flight += usize::from(group.in_flight == 1);
    }

    pub(crate) fn reception_ended(&mut self, record: &Record) {
        let group = &mut self.groups[record.group];
        group.in_flight -= 1;
        self.groups_with_in_flight -= usize::from(group.in_flight == 0);
    }

    pub(crate) const fn groups_with_in_flight(&self) -> usize {
        self.groups_with_in_flight
    }

    /// The group whose turn it is.
    pub(crate) fn first_group(&self) -> Option<Slot> {
        self.available.first(&self.groups)
    }

    /// Takes a group out of the order for the length of one receive; [`refresh`](Self::refresh) puts it back.
    pub(crate) fn set_aside(&mut self, group: Slot) {
        self.available.remove(&mut self.groups, group);
        self.groups[group].available_since = None;
    }

    /// The message to look at after `previous` in the group; departing ones that do not lock it are passed over.
    pub(crate) fn next_in_group(&self, records: &Records, group: Slot, previous: Option<Slot>) -> Option<Slot> {
        let messages = &self.groups[group].messages;
        let mut next = match previous {
            None => messages.first(records),
            Some(slot) => messages.after(records, slot),
        };
        while let Some(slot) = next {
            if !matches!(records[slot].phase, Phase::Departing { locks_group: false, .. }) {
                return Some(slot);
            }
            next = messages.after(records, slot);
        }
        None
    }

    /// Puts the group where its head belongs: a visible head makes it available, any other hides it (F18).
    pub(crate) fn refresh(&mut self, records: &Records, group: Slot) {
        let head = self.next_in_group(records, group, None);
        let since = head.and_then(|slot| match records[slot].phase {
            Phase::Visible { since } => Some(since),
            _ => None,
        });
        if self.groups[group].available_since == since {
            return;
        }
        if self.groups[group].available_since.is_some() {
            self.available.remove(&mut self.groups, group);
        }
        self.groups[group].available_since = since;
        if since.is_some() {
            self.available.insert(&mut self.groups, group);
        }
    }

    pub(crate) fn clear(&mut self) {
        touch_each(self.groups.len());
        *self = Self::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        message::{MessageId, SendMessage},
        time::Timestamp,
    };

    fn admit(fifo: &mut Fifo, records: &mut Records, group: &str) -> Slot {
        let (content, _) = SendMessage::new("x").message_group_id(group).into_parts();
        let phase = Phase::Visible { since: 0 };
        let record = Record::new(MessageId::from_random(0), content, Timestamp::ZERO, phase);
        let slot = records.insert(record);
        fifo.admit(records, slot);
        slot
    }

    #[test]
    fn so_many_empty_groups_are_kept_and_no_more() {
        let (mut fifo, mut records) = (Fifo::new(), Records::new());
        for group in 0..2 * IDLE_GROUPS {
            let slot = admit(&mut fifo, &mut records, &group.to_string());
            fifo.release(&mut records, slot);
            records.remove(slot);
            let kept = IDLE_GROUPS.min(group + 1);
            assert_eq!(
                (fifo.groups.len(), fifo.by_id.len(), fifo.idle.len()),
                (kept, kept, kept)
            );
        }
    }

    #[test]
    fn a_group_is_idle_once_and_only_when_it_is_empty() {
        let (mut fifo, mut records) = (Fifo::new(), Records::new());
        let slots = [(); 2].map(|()| admit(&mut fifo, &mut records, "group"));
        for (slot, idle) in slots.into_iter().zip([0, 1]) {
            fifo.release(&mut records, slot);
            records.remove(slot);
            assert_eq!(fifo.idle.len(), idle);
        }
        let again = admit(&mut fifo, &mut records, "group");
        fifo.release(&mut records, again);
        assert_eq!((fifo.idle.len(), fifo.groups.len()), (1, 1));
    }
}
