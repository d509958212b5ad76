//! Entries remembered for a limited time by a text key, oldest first, in chunks that never move.

use {
    super::{slab::Slot, touched::touch},
    crate::time::Timestamp,
    std::collections::VecDeque,
};

/// So many entries of each memory are forgotten in one step, which is more than a step adds.
pub(crate) const FORGOTTEN_AT_ONCE: usize = 512;

/// Entries are allocated in chunks of this many.
const CHUNK: u32 = 64;

/// A place tells an entry from all others that are remembered at the same time. Places count up and begin anew after
/// [`LAST_PLACE`], far below the slot that marks what is not in use in an index.
pub(super) type Place = Slot;

const LAST_PLACE: Place = (1 << 31) - 1;

/// The place so many after another.
pub(super) const fn after(place: Place, count: u32) -> Place {
    place.wrapping_add(count) & LAST_PLACE
}

/// How many places lie from `first` to `place`.
pub(super) const fn distance(first: Place, place: Place) -> u32 {
    place.wrapping_sub(first) & LAST_PLACE
}

/// What is remembered until an instant.
#[derive(Debug)]
pub(super) struct RecentEntry<T> {
    pub(super) value: T,
    pub(super) forgotten_at: Timestamp,
    /// Where the id begins among the texts of the chunk; the group is between the entry before and it.
    id_at: u32,
    /// Where the id ends.
    end: u32,
}

#[derive(Debug)]
struct Chunk<T> {
    entries: Vec<RecentEntry<T>>,
    texts: Vec<u8>,
}

/// A queue of entries that are forgotten in the order in which they were remembered.
#[derive(Debug)]
pub(super) struct Recent<T> {
    chunks: VecDeque<Chunk<T>>,
    /// The place of the first entry of the first chunk, a multiple of [`CHUNK`].
    start: Place,
    /// How many entries of the first chunk are forgotten; their memory goes with the chunk.
    left: u32,
    len: u32,
}

impl<T> Recent<T> {
    pub(super) const fn new() -> Self {
        Self {
            chunks: VecDeque::new(),
            start: 0,
            left: 0,
            len: 0,
        }
    }

    /// The place of the oldest entry.
    pub(super) const fn first(&self) -> Place {
        after(self.start, self.left)
    }

    /// The place of the next entry.
    pub(super) const fn end(&self) -> Place {
        after(self.first(), self.len)
    }

    pub(super) const fn len(&self) -> u32 {
        self.len
    }

    fn oldest(&self) -> Option<&RecentEntry<T>> {
        self.chunks.front()?.entries.get(self.left as usize)
    }

    pub(super) fn get(&self, place: Place) -> Option<&RecentEntry<T>> {
        let remembered = distance(self.first(), place) < self.len;
        remembered.then(|| {
            let (chunk, index) = self.position(place);
            &chunk.entries[index]
        })
    }

    /// The chunk that a remembered place is in, and where in the chunk.
    fn position(&self, place: Place) -> (&Chunk<T>, usize) {
        touch();
        let offset = distance(self.start, place);
        (&self.chunks[(offset / CHUNK) as usize], (offset % CHUNK) as usize)
    }

    /// Group and id of the entry at `place`, which must be there.
    pub(super) fn texts(&self, place: Place) -> (&[u8], &[u8]) {
        let (chunk, index) = self.position(place);
        let start = index
            .checked_sub(1)
            .map_or(0, |before| chunk.entries[before].end as usize);
        let RecentEntry { id_at, end, .. } = chunk.entries[index];
        (
            &chunk.texts[start..id_at as usize],
            &chunk.texts[id_at as usize..end as usize],
        )
    }

    /// The first entry that `is_before` does not accept, which it does of all before it and of none behind it.
    #[cfg(feature = "journal")]
    pub(super) fn partition_point(&self, is_before: impl Fn(&T) -> bool) -> Option<Place> {
        let (mut low, mut high) = (0, self.len);
        while low < high {
            let middle = low + (high - low) / 2;
            if is_before(&self.get(after(self.first(), middle))?.value) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        (low < self.len).then(|| after(self.first(), low))
    }

    /// Roughly the bytes of all groups and ids: as many for each entry as in the latest chunk.
    #[cfg(feature = "journal")]
    pub(super) fn text_bytes(&self) -> u64 {
        let each = self
            .chunks
            .back()
            .map_or(0, |chunk| chunk.texts.len() as u64 / chunk.entries.len().max(1) as u64);
        each * u64::from(self.len)
    }

    /// Appends an entry, which must not be forgotten earlier than those before it.
    pub(super) fn push(&mut self, group: &[u8], id: &[u8], value: T, forgotten_at: Timestamp) -> Place {
        touch();
        let place = self.end();
        if place % CHUNK == 0 {
            self.add_chunk();
        }
        let chunk = self
            .chunks
            .back_mut()
            .expect("invariant: the chunk of the next place is there");
        chunk.texts.extend_from_slice(group);
        let id_at = length(chunk.texts.len());
        chunk.texts.extend_from_slice(id);
        chunk.entries.push(RecentEntry {
            value,
            forgotten_at,
            id_at,
            end: length(chunk.texts.len()),
        });
        self.len += 1;
        place
    }

    /// The texts of the new chunk are expected to be as long as those of the chunk before.
    #[inline(never)]
    fn add_chunk(&mut self) {
        assert!(
            self.len < LAST_PLACE - CHUNK,
            "invariant: fewer than 2^31 entries are remembered"
        );
        let expected = self.chunks.back_mut().map_or(0, |last| {
            last.texts.shrink_to_fit();
            last.texts.len()
        });
        self.chunks.push_back(Chunk {
            entries: Vec::with_capacity(CHUNK as usize),
            texts: Vec::with_capacity(expected),
        });
    }

    /// Drops what is due at `now`, at most `at_once` entries; `unlink` takes each out of the indexes before. Answers with
    /// when there is more to drop.
    pub(super) fn forget_due(
        &mut self,
        now: Timestamp,
        at_once: usize,
        mut unlink: impl FnMut(&Self, Place),
    ) -> Timestamp {
        for _ in 0..at_once {
            if self.oldest().is_none_or(|it| it.forgotten_at > now) {
                break;
            }
            unlink(self, self.first());
            self.forget_oldest();
        }
        self.oldest().map_or(Timestamp::MAX, |it| it.forgotten_at)
    }

    /// Drops the oldest entry; no index may refer to it.
    fn forget_oldest(&mut self) {
        touch();
        self.left += 1;
        self.len -= 1;
        if self.left == CHUNK {
            self.start = after(self.start, CHUNK);
            self.left = 0;
            self.chunks.pop_front();
            if self.chunks.len() < self.chunks.capacity() / 4 {
                self.chunks.shrink_to(2 * self.chunks.len());
            }
        }
    }
}

fn length(bytes: usize) -> u32 {
    u32::try_from(bytes).expect("invariant: the texts of a chunk are shorter than 4 GiB")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_found_by_place_until_they_are_forgotten() {
        let mut recent = Recent::new();
        recent.start = LAST_PLACE + 1 - 2 * CHUNK;
        let places: Vec<Place> = (0..1_000)
            .map(|value| recent.push(b"group", format!("id-{value}").as_bytes(), value, Timestamp::ZERO))
            .collect();
        for (value, &place) in places.iter().enumerate() {
            assert_eq!(recent.first(), place);
            assert_eq!(recent.get(place).map(|it| it.value), Some(value));
            assert_eq!(recent.texts(place), (&b"group"[..], format!("id-{value}").as_bytes()));
            let last = places[999];
            assert_eq!(recent.get(last).map(|it| it.value), Some(999));
            recent.forget_oldest();
            assert!(recent.get(place).is_none());
        }
        assert_eq!((recent.len, recent.chunks.len()), (0, 1));
        assert!(recent.chunks.capacity() < 10);
    }
}
