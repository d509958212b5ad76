//! Storage by slot: constant-time insert, look-up and remove, in chunks that are never moved.

use {
    super::touched::{touch, touch_each},
    std::ops::{Index, IndexMut},
};

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
/// Growing never moves a value, and an emptied slab that had grown beyond one chunk gives its memory back: a
/// backlog that came and went leaves none behind.
#[derive(Debug)]
pub(crate) struct Slab<T> {
    chunks: Vec<Box<[Entry<T>; CHUNK]>>,
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

    #[inline]
    pub(crate) fn insert(&mut self, value: T) -> Slot {
        touch();
        if self.vacant == NO_SLOT {
            self.grow();
        }
        let slot = self.vacant;
        let entry = &mut self.chunks[(slot >> CHUNK_BITS) as usize][slot as usize % CHUNK];
        let Entry::Vacant { next } = entry else {
            unreachable!("invariant: the vacant list holds vacant slots");
        };
        self.vacant = *next;
        *entry = Entry::Occupied(value);
        self.len += 1;
        slot
    }

    /// Adds a chunk whose entries are all vacant, in order.
    #[cold]
    fn grow(&mut self) {
        let chunk = Slot::try_from(self.chunks.len())
            .ok()
            .and_then(|chunks| chunks.checked_shl(CHUNK_BITS));
        let first = chunk.expect("invariant: fewer than 2^32 values are stored");
        let last = first + (CHUNK as Slot - 1);
        let entries = (first..=last).map(|slot| Entry::Vacant {
            next: if slot == last { NO_SLOT } else { slot + 1 },
        });
        let entries: Box<[Entry<T>]> = entries.collect();
        let Ok(entries) = entries.try_into() else {
            unreachable!("invariant: a chunk has {CHUNK} entries");
        };
        self.chunks.push(entries);
        self.vacant = first;
    }

    #[inline]
    pub(crate) fn get(&self, slot: Slot) -> Option<&T> {
        touch();
        match &self.chunks.get((slot >> CHUNK_BITS) as usize)?[slot as usize % CHUNK] {
            Entry::Occupied(value) => Some(value),
            Entry::Vacant { .. } => None,
        }
    }

    /// Drops the value in a slot that is in use; the slot may be handed out again.
    #[inline]
    pub(crate) fn remove(&mut self, slot: Slot) {
        touch();
        let entry = &mut self.chunks[(slot >> CHUNK_BITS) as usize][slot as usize % CHUNK];
        debug_assert!(matches!(entry, Entry::Occupied(_)), "a vacant slot is removed");
        *entry = Entry::Vacant { next: self.vacant };
        self.vacant = slot;
        self.len -= 1;
        if self.len == 0 && self.chunks.len() > 1 {
            self.clear();
        }
    }

    /// Forgets every value and gives the memory back.
    pub(crate) fn clear(&mut self) {
        touch_each(self.len);
        *self = Self::new();
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Slot, &T)> {
        let entries = self.chunks.iter().flat_map(|chunk| chunk.iter());
        (0..).zip(entries).filter_map(|(slot, entry)| {
            touch();
            match entry {
                Entry::Occupied(value) => Some((slot, value)),
                Entry::Vacant { .. } => None,
            }
        })
    }
}

impl<T> Index<Slot> for Slab<T> {
    type Output = T;

    #[inline]
    fn index(&self, slot: Slot) -> &T {
        self.get(slot).expect("invariant: slots in use are occupied")
    }
}

impl<T> IndexMut<Slot> for Slab<T> {
    #[inline]
    fn index_mut(&mut self, slot: Slot) -> &mut T {
        touch();
        match &mut self.chunks[(slot >> CHUNK_BITS) as usize][slot as usize % CHUNK] {
            Entry::Occupied(value) => value,
            Entry::Vacant { .. } => unreachable!("invariant: slots in use are occupied"),
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
        assert_eq!(slab.chunks.len(), 1000_usize.div_ceil(CHUNK));
        slab.remove(slots[17]);
        slab.remove(slots[900]);
        assert_eq!(slab.get(slots[17]), None);
        assert_eq!(slab.insert(5000), slots[900]);
        assert_eq!(slab.insert(5001), slots[17]);
        assert!(slab.insert(5002) > slots[999]);
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
        assert!(slab.chunks.is_empty());
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
