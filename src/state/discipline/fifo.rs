//! Which messages a FIFO queue delivers: the prefix rule (F18) and the order between groups (F22).

use {
    super::super::{
        index::Index,
        lane::{Lane, LaneKind, Links},
        record::{ByGroupOrder, BySequence, Phase, Records},
        slab::{NO_SLOT, Slab, Slot},
    },
    crate::message::{Content, Id},
    foldhash::fast::RandomState,
    std::{hash::BuildHasher, num::NonZeroU64},
};

static NO_ID: Id = Id::EMPTY;

/// All messages of one group id, whatever their phase.
#[derive(Debug)]
struct Group {
    id: Id,
    messages: Lane<ByGroupOrder>,
    in_flight: u32,
    /// Since when the head has been visible, while it is: then, and only then, the group stands in the order.
    available_since: Option<NonZeroU64>,
    by_availability: Links,
    /// Of its id.
    hash: u32,
}

#[derive(Debug)]
struct ByAvailability;

impl LaneKind for ByAvailability {
    type Node = Group;
    type Key = Option<NonZeroU64>;

    fn key(group: &Group) -> Option<NonZeroU64> {
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
    by_id: Index,
    hasher: RandomState,
    /// The group that was looked up last.
    latest: Slot,
    /// Groups whose head is visible, in the order in which the heads became so.
    available: Lane<ByAvailability>,
    /// Visible messages of all groups, locked or not, for moves (L31).
    visible: Lane<BySequence>,
    groups_with_in_flight: usize,
}

impl Fifo {
    pub(crate) fn new() -> Self {
        Self {
            groups: Slab::new(),
            by_id: Index::new(),
            hasher: RandomState::default(),
            latest: NO_SLOT,
            available: Lane::new(),
            visible: Lane::new(),
            groups_with_in_flight: 0,
        }
    }

    pub(crate) fn admit(&mut self, records: &mut Records, slot: Slot) {
        let group = self.group_of(&records[slot].content);
        records[slot].group = group;
        self.groups[group].messages.insert(records, slot);
    }

    fn group_of(&mut self, content: &Content) -> Slot {
        let id = content.group().unwrap_or(&NO_ID);
        if let Some(group) = self.look_up(id) {
            return group;
        }
        let hash = self.hash(id);
        let group = self.groups.insert(Group {
            id: id.clone(),
            messages: Lane::new(),
            in_flight: 0,
            available_since: None,
            by_availability: Links::NONE,
            hash,
        });
        self.by_id.insert(hash, group);
        group
    }

    fn hash(&self, id: &Id) -> u32 {
        self.hasher.hash_one(id.as_bytes()) as u32
    }

    /// The group with this id, if it is there. Messages of one group often come one after the other.
    pub(crate) fn look_up(&mut self, id: &Id) -> Option<Slot> {
        let groups = &self.groups;
        let is_it = |group: Slot| groups[group].id == *id;
        if groups.get(self.latest).is_some() && is_it(self.latest) {
            return Some(self.latest);
        }
        self.latest = self.by_id.find(self.hash(id), is_it)?;
        Some(self.latest)
    }

    /// The message is about to leave the queue; it is not visible any more. The last one takes its group along.
    pub(crate) fn release(&mut self, records: &mut Records, slot: Slot) {
        let group = records[slot].group;
        self.groups[group].messages.remove(records, slot);
        self.refresh(records, group);
        if self.groups[group].messages.is_empty() {
            self.by_id.remove(self.groups[group].hash, group);
            self.groups.remove(group);
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

    pub(crate) fn reception_began(&mut self, group: Slot) {
        let group = &mut self.groups[group];
        group.in_flight += 1;
        self.groups_with_in_flight += usize::from(group.in_flight == 1);
    }

    pub(crate) fn reception_ended(&mut self, group: Slot) {
        let group = &mut self.groups[group];
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
            Phase::Visible { since } => NonZeroU64::new(since),
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        message::{MessageId, SendMessage},
        state::record::{Past, Record},
        time::Timestamp,
    };

    fn admit(fifo: &mut Fifo, records: &mut Records, group: &str) -> Slot {
        let content = SendMessage::new("x").message_group_id(group).content;
        let phase = Phase::Visible { since: 0 };
        let (id, now) = (MessageId::from_random(0), Timestamp::ZERO);
        let record = Record::new(0, id, content, Past::none(now), phase);
        let slot = records.insert(record);
        fifo.admit(records, slot);
        slot
    }

    #[test]
    fn a_group_leaves_with_its_last_message() {
        let (mut fifo, mut records) = (Fifo::new(), Records::new());
        let slots = ["a", "a", "b"].map(|group| admit(&mut fifo, &mut records, group));
        for (slot, left) in slots.into_iter().zip([2, 1, 0]) {
            fifo.release(&mut records, slot);
            records.remove(slot);
            assert_eq!(fifo.groups.len(), left);
        }
    }
}
