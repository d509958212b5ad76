//! Storage by slot: constant-time insert, look-up and remove, in chunks that are never moved.

use std::ops::{Index, IndexMut};

/// A place in a [`Slab`]; valid until the value in it is removed.
pub(crate) type Slot = u32;

/// The slot that no value ever has.
pub(crate) const NO_SLOT: Slot = Slot::MAX;

const CHUNK_BITS: u32 = 8;
const CHUNK: usize = 1 << CHUNK_BITS;

#[derive(Debug)]
enum Entry<T> {
    Vacant { next: Slot },
    Occupied(T),
}

/// Values addressed by slot.
///
/// Growing never moves a value, and an emptied slab gives back all but its first chunk: a backlog that came and
/// went leaves no memory behind.
#[derive(Debug)]
pub(crate) struct Slab<T> {
    chunks: Vec<Vec<Entry<T>>>,
    /// Head of the list of vacant slots that runs through the vacant entries.
    vacant: Slot,
    len: usize,
}

impl<T> Slab<T> {
    pub(crate) const fn new() -> Self {
        Self {
            chunks: Vec::new(),
            vacant: NO_SLOT,
            len: 0,
        }
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn insert(&mut self, value: T) -> Slot {
        self.len += 1;
        if self.vacant != NO_SLOT {
            let slot = self.vacant;
            let entry = self
                .entry_mut(slot)
                .expect("invariant: the vacant list holds slots of this slab");
            let Entry::Vacant { next } = std::mem::replace(entry, Entry::Occupied(value)) else {
                unreachable!("invariant: the vacant list holds vacant slots");
            };
            self.vacant = next;
            return slot;
        }
        if self.chunks.last().is_none_or(|chunk| chunk.len() == CHUNK) {
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        let index = self.chunks.len() - 1;
        let chunk = &mut self.chunks[index];
        chunk.push(Entry::Occupied(value));
        Slot::try_from((index << CHUNK_BITS) + chunk.len() - 1).expect("invariant: fewer than 2^32 values are stored")
    }

    pub(crate) fn get(&self, slot: Slot) -> Option<&T> {
        match self
            .chunks
            .get((slot >> CHUNK_BITS) as usize)?
            .get(slot as usize % CHUNK)?
        {
            Entry::Occupied(value) => Some(value),
            Entry::Vacant { .. } => None,
        }
    }

    /// Takes the value out; the slot may be handed out again.
    ///
    /// # Panics
    /// If the slot is vacant: callers hold slots of stored values only.
    pub(crate) fn remove(&mut self, slot: Slot) -> T {
        let next = self.vacant;
        let entry = self.entry_mut(slot).expect("invariant: slots in use are in the slab");
        let Entry::Occupied(value) = std::mem::replace(entry, Entry::Vacant { next }) else {
            unreachable!("invariant: slots in use are occupied");
        };
        self.vacant = slot;
        self.len -= 1;
        if self.len == 0 && self.chunks.len() > 1 {
            self.clear();
        }
        value
    }

    /// Forgets every value and keeps one empty chunk.
    pub(crate) fn clear(&mut self) {
        self.chunks.truncate(1);
        self.chunks.shrink_to_fit();
        if let Some(chunk) = self.chunks.first_mut() {
            chunk.clear();
        }
        self.vacant = NO_SLOT;
        self.len = 0;
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Slot, &T)> {
        let entries = self.chunks.iter().flatten();
        (0..).zip(entries).filter_map(|(slot, entry)| match entry {
            Entry::Occupied(value) => Some((slot, value)),
            Entry::Vacant { .. } => None,
        })
    }

    fn entry_mut(&mut self, slot: Slot) -> Option<&mut Entry<T>> {
        self.chunks
            .get_mut((slot >> CHUNK_BITS) as usize)?
            .get_mut(slot as usize % CHUNK)
    }
}

impl<T> Index<Slot> for Slab<T> {
    type Output = T;

    fn index(&self, slot: Slot) -> &T {
        self.get(slot).expect("invariant: slots in use are occupied")
    }
}

impl<T> IndexMut<Slot> for Slab<T> {
    fn index_mut(&mut self, slot: Slot) -> &mut T {
        match self.entry_mut(slot) {
            Some(Entry::Occupied(value)) => value,
            _ => unreachable!("invariant: slots in use are occupied"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_removed_slot_is_used_again_before_the_slab_grows() {
        let mut slab = Slab::new();
        let slots: Vec<Slot> = (0..1000).map(|value| slab.insert(value)).collect();
        assert_eq!(slab.remove(slots[17]), 17);
        assert_eq!(slab.remove(slots[900]), 900);
        assert_eq!(slab.get(slots[17]), None);
        assert_eq!(slab.insert(5000), slots[900]);
        assert_eq!(slab.insert(5001), slots[17]);
        assert_eq!(slab.insert(5002), 1000);
        assert_eq!(slab.len(), 1001);
        assert_eq!(slab[slots[18]], 18);
    }

    #[test]
    fn an_emptied_slab_gives_its_memory_back() {
        let mut slab = Slab::new();
        let slots: Vec<Slot> = (0..10_000).map(|value| slab.insert(value)).collect();
        for slot in slots {
            slab.remove(slot);
        }
        assert_eq!(slab.chunks.len(), 1);
        assert_eq!(slab.insert(1), 0);
        assert_eq!(slab.iter().collect::<Vec<_>>(), [(0, &1)]);
    }

    #[test]
    fn a_slot_out_of_range_holds_nothing() {
        let slab = Slab::<u8>::new();
        assert_eq!(slab.get(0), None);
        assert_eq!(slab.get(NO_SLOT), None);
    }
}
