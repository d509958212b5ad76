//! Entries remembered for a limited time by a text key, oldest first, in chunks that never move.

use {
    super::{
        index::{Chained, Link},
        slab::Slot,
        touched::touch,
    },
    crate::time::Timestamp,
    std::collections::VecDeque,
};

/// So many entries of each memory are forgotten in one step, which is more than a step adds.
pub(crate) const FORGOTTEN_AT_ONCE: usize = 512;

/// Entries are allocated in chunks of this many.
const CHUNK: u32 = 64;

/// A place tells an entry from all others that are remembered at the same time. Places count up and begin anew after
/// [`LAST_PLACE`], far below the slot that ends the chains of an index.
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
    /// Where the text begins among the texts of its chunk: the group, and the id behind it.
    text: u32,
    group_len: u32,
    id_len: u32,
    links: [Link; 2],
}

#[derive(Debug)]
struct Chunk<T> {
    entries: VecDeque<RecentEntry<T>>,
    texts: Vec<u8>,
}

/// A queue of entries that are forgotten in the order in which they were remembered.
#[derive(Debug)]
pub(super) struct Recent<T> {
    chunks: VecDeque<Chunk<T>>,
    /// The place of the first entry that was ever in the first chunk, a multiple of [`CHUNK`].
    start: Place,
    /// How many entries have left the first chunk.
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
        self.chunks.front()?.entries.front()
    }

    pub(super) fn get(&self, place: Place) -> Option<&RecentEntry<T>> {
        let (chunk, index) = self.position(place);
        self.chunks.get(chunk)?.entries.get(index?)
    }

    /// The link that one of the two indexes has in an entry.
    pub(super) fn link(&self, place: Place, index: usize) -> Link {
        self.get(place).expect("invariant: what is indexed is remembered").links[index]
    }

    /// Which chunk a place is in, and where among the entries that are still in it.
    fn position(&self, place: Place) -> (usize, Option<usize>) {
        touch();
        let offset = distance(self.start, place);
        let (chunk, index) = (offset / CHUNK, offset % CHUNK);
        let left = if chunk == 0 { self.left } else { 0 };
        (chunk as usize, index.checked_sub(left).map(|index| index as usize))
    }

    /// Group and id of the entry at `place`, which must be there.
    pub(super) fn texts(&self, place: Place) -> (&[u8], &[u8]) {
        let (chunk, index) = self.position(place);
        let chunk = &self.chunks[chunk];
        let entry = &chunk.entries[index.expect("invariant: the entry is remembered")];
        let text = &chunk.texts[entry.text as usize..];
        let (group, rest) = text.split_at(entry.group_len as usize);
        (group, &rest[..entry.id_len as usize])
    }

    /// Appends an entry, which must not be forgotten earlier than those before it.
    pub(super) fn push(&mut self, group: &str, id: &str, value: T, forgotten_at: Timestamp) -> Place {
        let place = self.end();
        if self.position(place).0 == self.chunks.len() {
            self.chunks.push_back(Chunk {
                entries: VecDeque::with_capacity(CHUNK as usize),
                texts: Vec::new(),
            });
        }
        let last = self.chunks.len() - 1;
        let chunk = &mut self.chunks[last];
        chunk.entries.push_back(RecentEntry {
            value,
            forgotten_at,
            text: length(chunk.texts.len()),
            group_len: length(group.len()),
            id_len: length(id.len()),
            links: [Link::NONE; 2],
        });
        chunk.texts.extend(group.as_bytes());
        chunk.texts.extend(id.as_bytes());
        if place % CHUNK == CHUNK - 1 {
            chunk.texts.shrink_to_fit();
        }
        assert!(
            self.len < LAST_PLACE - CHUNK,
            "invariant: fewer than 2^31 entries are remembered"
        );
        self.len += 1;
        place
    }

    /// Drops what is due at `now`, at most `at_once` entries; `unlink` takes each out of the indexes before. Answers with
    /// when there is more to drop.
    pub(super) fn forget_due(
        &mut self,
        now: Timestamp,
        at_once: usize,
        mut unlink: impl FnMut(&mut Self, Place),
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
        let Some(chunk) = self.chunks.front_mut() else {
            return;
        };
        chunk.entries.pop_front();
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

/// The entries as one of the two indexes over them sees them.
pub(super) struct View<'recent, T>(pub(super) &'recent mut Recent<T>, pub(super) usize);

impl<T> Chained for View<'_, T> {
    fn link(&self, place: Place) -> Link {
        self.0.link(place, self.1)
    }
    fn link_mut(&mut self, place: Place) -> &mut Link {
        let (chunk, index) = self.0.position(place);
        let index = index.expect("invariant: what is indexed is remembered");
        &mut self.0.chunks[chunk].entries[index].links[self.1]
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
            .map(|value| recent.push("group", &format!("id-{value}"), value, Timestamp::ZERO))
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
