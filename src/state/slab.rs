//! Storage by slot: constant-time insert, look-up and remove, in chunks that never move.

use {
    super::touched::touch,
    std::{
        mem,
        ops::{Index, IndexMut, Range},
    },
};

/// A place in a [`Slab`]; valid until the value in it is removed.
pub(crate) type Slot = u32;

/// The slot that no value ever has.
pub(crate) const NO_SLOT: Slot = Slot::MAX;

const CHUNK_BITS: u32 = 4;
const CHUNK: usize = 1 << CHUNK_BITS;

/// The end of a list of places.
const NO_PLACE: u32 = u32::MAX;

#[derive(Debug)]
enum SlabEntry<T> {
    Vacant { next: Slot },
    Occupied(T),
}

#[derive(Debug)]
struct Chunk<T> {
    entries: Box<[SlabEntry<T>; CHUNK]>,
    /// Head of the list of vacant slots that runs through the vacant entries.
    vacant: Slot,
    occupied: u32,
    /// Its neighbours among the chunks with a vacant slot, while it has any.
    open: Neighbours,
}

/// The neighbours of a place in a list of places.
#[derive(Clone, Copy, Debug)]
struct Neighbours {
    previous: u32,
    next: u32,
}

#[derive(Debug)]
enum Place<T> {
    /// The chunk was given back.
    Absent(Neighbours),
    Present(Chunk<T>),
}

/// Values addressed by slot.
///
/// Growing never moves a value. A chunk without values is given back, all but one: a backlog that came and went leaves
/// no memory behind, and what is left of it keeps no more than its own chunks.
#[derive(Debug)]
pub(crate) struct Slab<T> {
    /// The last is present.
    chunks: Vec<Place<T>>,
    /// Head of the list of places whose chunk was given back.
    absent: u32,
    /// Head of the list of chunks with a vacant slot.
    open: u32,
    /// The one chunk without values that is kept.
    spare: Option<u32>,
    len: usize,
}

/// An entry that a value is about to be put in.
pub(crate) struct VacantEntry<'slab, T> {
    entry: &'slab mut SlabEntry<T>,
    pub(crate) slot: Slot,
}

impl<T> VacantEntry<'_, T> {
    #[inline]
    pub(crate) fn fill(self, value: T) {
        // There is nothing to drop, which the compiler would look for.
        mem::forget(mem::replace(self.entry, SlabEntry::Occupied(value)));
    }
}

impl<T> Slab<T> {
    pub(crate) const fn new() -> Self {
        Self {
            chunks: Vec::new(),
            absent: NO_PLACE,
            open: NO_PLACE,
            spare: None,
            len: 0,
        }
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// The slots that values can be in now.
    pub(crate) fn slots(&self) -> Range<Slot> {
        0..(self.chunks.len() * CHUNK) as Slot
    }

    #[inline]
    pub(crate) fn insert(&mut self, value: T) -> Slot {
        let entry = self.vacant_entry();
        let slot = entry.slot;
        entry.fill(value);
        slot
    }

    /// Takes the next vacant entry, which is to be filled. A value that is built for [`fill`](VacantEntry::fill) takes no
    /// way round through memory, since from then on nothing can panic that would have to drop it.
    #[inline]
    pub(crate) fn vacant_entry(&mut self) -> VacantEntry<'_, T> {
        touch();
        if self.open == NO_PLACE {
            self.grow();
        }
        let place = self.open;
        let chunk = self.chunk_mut(place);
        let slot = chunk.vacant;
        let SlabEntry::Vacant { next } = chunk.entries[slot as usize % CHUNK] else {
            unreachable!("invariant: the vacant list holds vacant slots");
        };
        chunk.vacant = next;
        chunk.occupied += 1;
        if chunk.occupied == 1 {
            self.spare = None;
        }
        if next == NO_SLOT {
            self.close(place);
        }
        self.len += 1;
        let entry = &mut self.chunk_mut(place).entries[slot as usize % CHUNK];
        VacantEntry { entry, slot }
    }

    #[inline(never)]
    fn grow(&mut self) {
        let place = if self.absent == NO_PLACE {
            u32::try_from(self.chunks.len()).expect("invariant: fewer than 2^32 values are stored")
        } else {
            self.absent
        };
        let first = place
            .checked_mul(CHUNK as Slot)
            .filter(|&first| first < NO_SLOT - CHUNK as Slot);
        let first = first.expect("invariant: fewer than 2^32 values are stored");
        let last = first + (CHUNK as Slot - 1);
        let entries = (first..=last).map(|slot| SlabEntry::Vacant {
            next: if slot == last { NO_SLOT } else { slot + 1 },
        });
        let entries: Box<[SlabEntry<T>]> = entries.collect();
        let Ok(entries) = entries.try_into() else {
            unreachable!("invariant: a chunk has {CHUNK} entries");
        };
        let chunk = Place::Present(Chunk {
            entries,
            vacant: first,
            occupied: 0,
            open: Neighbours {
                previous: NO_PLACE,
                next: NO_PLACE,
            },
        });
        if self.absent == NO_PLACE {
            self.chunks.push(chunk);
        } else {
            self.leave_absent(place);
            self.chunks[place as usize] = chunk;
        }
        self.open(place);
        self.spare = Some(place);
    }

    #[inline]
    pub(crate) fn get(&self, slot: Slot) -> Option<&T> {
        touch();
        let Place::Present(chunk) = self.chunks.get((slot >> CHUNK_BITS) as usize)? else {
            return None;
        };
        match &chunk.entries[slot as usize % CHUNK] {
            SlabEntry::Occupied(value) => Some(value),
            SlabEntry::Vacant { .. } => None,
        }
    }

    /// Drops the value in a slot that is in use; the slot may be reused.
    #[inline]
    pub(crate) fn remove(&mut self, slot: Slot) {
        touch();
        let place = slot >> CHUNK_BITS;
        let chunk = self.chunk_mut(place);
        let entry = &mut chunk.entries[slot as usize % CHUNK];
        debug_assert!(matches!(entry, SlabEntry::Occupied(_)), "a vacant slot is removed");
        let was_full = chunk.vacant == NO_SLOT;
        *entry = SlabEntry::Vacant { next: chunk.vacant };
        chunk.vacant = slot;
        chunk.occupied -= 1;
        let empty = chunk.occupied == 0;
        self.len -= 1;
        if was_full {
            self.open(place);
        }
        if empty {
            self.emptied(place);
        }
    }

    /// Of two chunks without values the one behind is given back, so that the list of chunks gets shorter.
    #[inline]
    fn emptied(&mut self, place: u32) {
        match self.spare {
            None => self.spare = Some(place),
            Some(spare) => {
                self.spare = Some(spare.min(place));
                self.give_back(spare.max(place));
            }
        }
    }

    /// What is absent at the end is dropped: each place once for each time its chunk was given back.
    #[inline(never)]
    fn give_back(&mut self, place: u32) {
        self.close(place);
        let next = mem::replace(&mut self.absent, place);
        if let Some(Place::Absent(neighbours)) = self.chunks.get_mut(next as usize) {
            neighbours.previous = place;
        }
        self.chunks[place as usize] = Place::Absent(Neighbours {
            previous: NO_PLACE,
            next,
        });
        while let Some(Place::Absent(_)) = self.chunks.last() {
            self.leave_absent(self.chunks.len() as u32 - 1);
            self.chunks.pop();
        }
        if self.chunks.len() < self.chunks.capacity() / 4 {
            self.chunks.shrink_to(2 * self.chunks.len());
        }
    }

    fn leave_absent(&mut self, place: u32) {
        let Place::Absent(Neighbours { previous, next }) = self.chunks[place as usize] else {
            unreachable!("invariant: the list holds absent places");
        };
        match self.chunks.get_mut(previous as usize) {
            Some(Place::Absent(neighbours)) => neighbours.next = next,
            _ => self.absent = next,
        }
        if let Some(Place::Absent(neighbours)) = self.chunks.get_mut(next as usize) {
            neighbours.previous = previous;
        }
    }

    /// Puts a chunk in front of the list of those with a vacant slot.
    fn open(&mut self, place: u32) {
        let next = mem::replace(&mut self.open, place);
        if next != NO_PLACE {
            self.chunk_mut(next).open.previous = place;
        }
        self.chunk_mut(place).open = Neighbours {
            previous: NO_PLACE,
            next,
        };
    }

    /// Takes a chunk out of the list of those with a vacant slot.
    fn close(&mut self, place: u32) {
        let Neighbours { previous, next } = self.chunk_mut(place).open;
        if previous == NO_PLACE {
            self.open = next;
        } else {
            self.chunk_mut(previous).open.next = next;
        }
        if next != NO_PLACE {
            self.chunk_mut(next).open.previous = previous;
        }
    }

    #[inline]
    fn chunk_mut(&mut self, place: u32) -> &mut Chunk<T> {
        match &mut self.chunks[place as usize] {
            Place::Present(chunk) => chunk,
            Place::Absent(_) => unreachable!("invariant: a chunk in use is present"),
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Slot, &T)> {
        let chunks = self.chunks.iter().zip((0..).step_by(CHUNK));
        chunks.flat_map(|(place, first)| {
            let entries = match place {
                Place::Present(chunk) => &chunk.entries[..],
                Place::Absent(_) => &[],
            };
            (first..).zip(entries).filter_map(|(slot, entry)| {
                touch();
                match entry {
                    SlabEntry::Occupied(value) => Some((slot, value)),
                    SlabEntry::Vacant { .. } => None,
                }
            })
        })
    }
}

/// A slab whose values are put at the slots that they had.
#[cfg(feature = "journal")]
pub(crate) struct Restoring<T>(Slab<T>);

#[cfg(feature = "journal")]
impl<T> Restoring<T> {
    pub(crate) const fn new() -> Self {
        Self(Slab::new())
    }

    /// Puts a value at a slot and says whether the slot was vacant. The memory follows the highest slot.
    pub(crate) fn put(&mut self, slot: Slot, value: T) -> bool {
        const NOWHERE: Neighbours = Neighbours {
            previous: NO_PLACE,
            next: NO_PLACE,
        };
        let slab = &mut self.0;
        let place = (slot >> CHUNK_BITS) as usize;
        if place >= slab.chunks.len() {
            slab.chunks.resize_with(place + 1, || Place::Absent(NOWHERE));
        }
        if let Place::Absent(_) = slab.chunks[place] {
            slab.chunks[place] = Place::Present(Chunk {
                entries: Box::new([const { SlabEntry::Vacant { next: NO_SLOT } }; CHUNK]),
                vacant: NO_SLOT,
                occupied: 0,
                open: NOWHERE,
            });
        }
        let chunk = slab.chunk_mut(place as u32);
        let entry = &mut chunk.entries[slot as usize % CHUNK];
        if let SlabEntry::Occupied(_) = entry {
            return false;
        }
        *entry = SlabEntry::Occupied(value);
        chunk.occupied += 1;
        slab.len += 1;
        true
    }

    /// The slab, whose next values come into the lowest vacant slots.
    pub(crate) fn finish(self) -> Slab<T> {
        let mut slab = self.0;
        for place in (0..slab.chunks.len() as u32).rev() {
            match &mut slab.chunks[place as usize] {
                Place::Absent(neighbours) => {
                    neighbours.next = slab.absent;
                    if let Some(Place::Absent(next)) = slab.chunks.get_mut(slab.absent as usize) {
                        next.previous = place;
                    }
                    slab.absent = place;
                }
                Place::Present(chunk) => {
                    chunk.list_vacant(place * CHUNK as Slot);
                    if chunk.vacant != NO_SLOT {
                        slab.open(place);
                    }
                }
            }
        }
        slab
    }
}

#[cfg(feature = "journal")]
impl<T> Chunk<T> {
    fn list_vacant(&mut self, first: Slot) {
        for (slot, entry) in (first..first + CHUNK as Slot).zip(&mut self.entries[..]).rev() {
            if let SlabEntry::Vacant { next } = entry {
                *next = mem::replace(&mut self.vacant, slot);
            }
        }
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
        match &mut self.chunk_mut(slot >> CHUNK_BITS).entries[slot as usize % CHUNK] {
            SlabEntry::Occupied(value) => value,
            SlabEntry::Vacant { .. } => unreachable!("invariant: slots in use are occupied"),
        }
    }
}

#[cfg(test)]
mod tests {
    use {super::*, proptest::prelude::*};

    #[test]
    fn a_removed_slot_is_used_again_before_the_slab_grows() {
        let mut slab = Slab::new();
        let slots: Vec<Slot> = (0..1000).map(|value| slab.insert(value)).collect();
        assert_eq!(slab.chunks.len(), 1000_usize.div_ceil(CHUNK));
        slab.remove(slots[17]);
        slab.remove(slots[900]);
        assert_eq!(slab.get(slots[17]), None);
        let chunks = slab.chunks.len();
        let again: Vec<Slot> = (5000..5002 + chunks * CHUNK - 1000)
            .map(|value| slab.insert(value))
            .collect();
        assert!(again.contains(&slots[17]) && again.contains(&slots[900]));
        assert_eq!((slab.chunks.len(), slab.len()), (chunks, chunks * CHUNK));
        assert!(slab.insert(0) > slots[999]);
        assert_eq!(slab[slots[18]], 18);
    }

    #[test]
    fn an_emptied_slab_keeps_one_chunk() {
        let mut slab = Slab::new();
        let slots: Vec<Slot> = (0..10_000).map(|value| slab.insert(value)).collect();
        for slot in slots {
            slab.remove(slot);
        }
        assert_eq!((slab.chunks.len(), slab.absent), (1, NO_PLACE));
        assert!(slab.chunks.capacity() < 10);
        let slot = slab.insert(1);
        assert_eq!(slab.iter().collect::<Vec<_>>(), [(slot, &1)]);
    }

    #[test]
    fn what_is_left_keeps_its_own_chunk_and_one_more() {
        let mut slab = Slab::new();
        let slots: Vec<Slot> = (0..10_000).map(|value| slab.insert(value)).collect();
        for &slot in slots.iter().filter(|&&slot| slot != slots[5_000]) {
            slab.remove(slot);
        }
        assert_eq!(
            slab.chunks.iter().filter(|it| matches!(it, Place::Present(_))).count(),
            2
        );
        assert_eq!(slab.iter().collect::<Vec<_>>(), [(slots[5_000], &5_000)]);
        let again: Vec<Slot> = (0..10_000).map(|value| slab.insert(value)).collect();
        assert_eq!(slab.len(), 10_001);
        assert!(again.iter().zip(0..).all(|(&slot, value)| slab[slot] == value));
    }

    proptest! {
        #[test]
        fn a_slab_agrees_with_a_map(steps in prop::collection::vec((0_u32..4 * CHUNK as u32, any::<bool>()), 1..800)) {
            let (mut slab, mut model) = (Slab::new(), std::collections::BTreeMap::<Slot, u32>::new());
            for (number, insert) in steps {
                let nth = model.keys().nth(number as usize % model.len().max(1)).copied();
                match nth.filter(|_| !insert) {
                    Some(slot) => {
                        slab.remove(slot);
                        model.remove(&slot);
                    }
                    None => prop_assert!(model.insert(slab.insert(number), number).is_none()),
                }
                prop_assert!(matches!(slab.chunks.last(), None | Some(Place::Present(_))));
            }
            prop_assert!(slab.iter().map(|(slot, value)| (slot, *value)).eq(model));
        }
    }

    #[cfg(feature = "journal")]
    proptest! {
        #[test]
        fn a_restored_slab_goes_on_like_any_other(
            slots in prop::collection::btree_set(0_u32..40 * CHUNK as u32, 0..200),
            steps in prop::collection::vec((0_usize..1_000, any::<bool>()), 0..400),
        ) {
            let mut restoring = Restoring::new();
            for &slot in &slots {
                prop_assert!(restoring.put(slot, slot));
                prop_assert!(!restoring.put(slot, NO_SLOT), "the slot is taken");
            }
            let mut slab = restoring.finish();
            let mut model: std::collections::BTreeMap<Slot, u32> = slots.iter().map(|&slot| (slot, slot)).collect();
            prop_assert_eq!(slab.len(), model.len());
            for (number, insert) in steps {
                let nth = model.keys().nth(number % model.len().max(1)).copied();
                match nth.filter(|_| !insert) {
                    Some(slot) => {
                        slab.remove(slot);
                        model.remove(&slot);
                    }
                    None => prop_assert!(model.insert(slab.insert(7), 7).is_none()),
                }
                prop_assert!(matches!(slab.chunks.last(), None | Some(Place::Present(_))));
            }
            prop_assert!(slab.iter().map(|(slot, value)| (slot, *value)).eq(model));
        }
    }

    #[test]
    fn a_slot_out_of_range_holds_nothing() {
        let slab = Slab::<u8>::new();
        assert_eq!(slab.get(0), None);
        assert_eq!(slab.get(NO_SLOT), None);
    }
}
