//! A hash index of nodes whose table grows and shrinks by one bucket at a time.
//!
//! The table is a linear hash table: it stores only the first node of each bucket, and the nodes are chained through
//! links of their own. An insert splits at most one bucket and a removal merges a few, so no single call pays for a
//! table that was or becomes large, and the memory follows the number of nodes.

use super::slab::{NO_SLOT, Slab, Slot};

/// Buckets are allocated in segments of this many; a table that was used keeps one segment.
const SEGMENT: usize = 64;

/// A removal merges at most this many buckets; more than the two that keep pace with removals one by one.
const MERGES_AT_ONCE: usize = 4;

/// A node's place in one index.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Link {
    hash: u32,
    next: Slot,
}

impl Link {
    pub(crate) const NONE: Self = Self { hash: 0, next: NO_SLOT };
}

/// Nodes that an [`Index`] chains.
pub(crate) trait Chained {
    fn link(&self, node: Slot) -> Link;
    fn link_mut(&mut self, node: Slot) -> &mut Link;
}

/// A value in a slab that one index refers to.
pub(crate) trait Linked {
    fn link(&self) -> Link;
    fn link_mut(&mut self) -> &mut Link;
}

impl<T: Linked> Chained for Slab<T> {
    fn link(&self, node: Slot) -> Link {
        self[node].link()
    }
    fn link_mut(&mut self, node: Slot) -> &mut Link {
        self[node].link_mut()
    }
}

/// The memory of an index: a table that grows does not move its buckets.
pub(crate) type Segments = Vec<Box<[Slot; SEGMENT]>>;

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Index {
    /// The first node of each bucket.
    segments: Segments,
    buckets: usize,
    len: usize,
}

impl Index {
    pub(crate) const fn new() -> Self {
        Self {
            segments: Vec::new(),
            buckets: 0,
            len: 0,
        }
    }

    /// The node with this hash that `is_it` accepts.
    #[inline]
    pub(crate) fn find(&self, hash: u32, link: impl Fn(Slot) -> Link, is_it: impl Fn(Slot) -> bool) -> Option<Slot> {
        if self.len == 0 {
            return None;
        }
        let mut node = self.head(bucket_of(hash, self.buckets));
        while node != NO_SLOT {
            let Link { hash: own, next } = link(node);
            if own == hash && is_it(node) {
                return Some(node);
            }
            node = next;
        }
        None
    }

    /// Adds a node with a key that no node in the index has.
    pub(crate) fn insert(&mut self, nodes: &mut impl Chained, node: Slot, hash: u32) {
        if self.len >= self.buckets {
            self.split(nodes);
        }
        self.push(nodes, node, hash);
        self.len += 1;
    }

    /// Takes a node out; says whether it was in.
    pub(crate) fn remove(&mut self, nodes: &mut impl Chained, node: Slot) -> bool {
        if self.len == 0 {
            return false;
        }
        let Link { hash, next } = nodes.link(node);
        let bucket = bucket_of(hash, self.buckets);
        let mut before = self.head(bucket);
        if before == node {
            *self.head_mut(bucket) = next;
        } else {
            loop {
                if before == NO_SLOT {
                    return false;
                }
                let after = nodes.link(before).next;
                if after == node {
                    break;
                }
                before = after;
            }
            nodes.link_mut(before).next = next;
        }
        self.len -= 1;
        // Buckets are merged at half the load at which they are split, so that a length that goes up and down by one
        // does not split and merge at every step; more than one per removal, so that the table keeps up.
        for _ in 0..MERGES_AT_ONCE {
            if self.buckets > SEGMENT && self.buckets > 2 * self.len {
                self.merge(nodes);
            }
        }
        true
    }

    /// Forgets every node; answers with the memory, which may be large.
    pub(crate) fn clear(&mut self) -> Segments {
        std::mem::replace(self, Self::new()).segments
    }

    fn push(&mut self, nodes: &mut impl Chained, node: Slot, hash: u32) {
        let head = self.head_mut(bucket_of(hash, self.buckets));
        *nodes.link_mut(node) = Link { hash, next: *head };
        *head = node;
    }

    /// Adds a bucket and moves into it what belongs there from the one bucket that held it so far.
    #[inline(never)]
    fn split(&mut self, nodes: &mut impl Chained) {
        if self.buckets == self.segments.len() * SEGMENT {
            self.segments.push(Box::new([NO_SLOT; SEGMENT]));
            if self.buckets == 0 {
                self.buckets = SEGMENT;
                return;
            }
        }
        // Linear hashing: the bucket of a hash is its low bits. The new bucket differs from `source` in its highest bit
        // alone, so only nodes of `source` can belong to it, and no other bucket has to be looked at.
        let source = source_of(self.buckets);
        self.buckets += 1;
        let mut node = std::mem::replace(self.head_mut(source), NO_SLOT);
        while node != NO_SLOT {
            let Link { hash, next } = nodes.link(node);
            self.push(nodes, node, hash);
            node = next;
        }
    }

    /// Undoes the latest split.
    #[inline(never)]
    fn merge(&mut self, nodes: &mut impl Chained) {
        self.buckets -= 1;
        let mut node = std::mem::replace(self.head_mut(self.buckets), NO_SLOT);
        while node != NO_SLOT {
            let Link { hash, next } = nodes.link(node);
            self.push(nodes, node, hash);
            node = next;
        }
        if self.buckets % SEGMENT == 0 {
            self.segments.pop();
            if self.segments.len() < self.segments.capacity() / 4 {
                self.segments.shrink_to(2 * self.segments.len());
            }
        }
    }

    fn head(&self, bucket: usize) -> Slot {
        self.segments[bucket / SEGMENT][bucket % SEGMENT]
    }

    fn head_mut(&mut self, bucket: usize) -> &mut Slot {
        &mut self.segments[bucket / SEGMENT][bucket % SEGMENT]
    }
}

/// The bucket of a hash among so many: its low bits, one bit fewer where that bucket does not exist yet.
#[inline]
const fn bucket_of(hash: u32, buckets: usize) -> usize {
    let mask = buckets.next_power_of_two() - 1;
    let bucket = hash as usize & mask;
    if bucket < buckets { bucket } else { bucket & (mask >> 1) }
}

/// The bucket that a new bucket takes its nodes from.
const fn source_of(bucket: usize) -> usize {
    bucket - (1 << bucket.ilog2())
}

#[cfg(test)]
mod tests {
    use {super::*, proptest::prelude::*};

    #[derive(Debug)]
    struct Word(u32, Link);

    impl Linked for Word {
        fn link(&self) -> Link {
            self.1
        }
        fn link_mut(&mut self) -> &mut Link {
            &mut self.1
        }
    }

    fn found(index: &Index, nodes: &Slab<Word>, word: u32, spread: u32) -> Option<Slot> {
        index.find(word % spread, |node| nodes[node].1, |node| nodes[node].0 == word)
    }

    proptest! {
        #[test]
        fn an_index_finds_what_is_in_it_and_nothing_else(
            words in prop::collection::vec(0_u32..300, 1..1_000),
            spread in prop::sample::select(vec![1_u32, 7, 1_000_000]),
        ) {
            let (mut index, mut nodes) = (Index::new(), Slab::new());
            let mut model = std::collections::BTreeMap::new();
            for word in words {
                if let Some(slot) = model.remove(&word) {
                    prop_assert_eq!(found(&index, &nodes, word, spread), Some(slot));
                    prop_assert!(index.remove(&mut nodes, slot));
                    nodes.remove(slot);
                } else {
                    let slot = nodes.insert(Word(word, Link::NONE));
                    index.insert(&mut nodes, slot, word % spread);
                    model.insert(word, slot);
                }
                prop_assert_eq!(index.len, model.len());
            }
            for word in 0..300 {
                prop_assert_eq!(found(&index, &nodes, word, spread), model.get(&word).copied());
            }
        }
    }

    #[test]
    fn a_table_shrinks_with_what_is_in_it() {
        let (mut index, mut nodes) = (Index::new(), Slab::new());
        let slots: Vec<Slot> = (0..10_000).map(|word| nodes.insert(Word(word, Link::NONE))).collect();
        for &slot in &slots {
            let word = nodes[slot].0;
            index.insert(&mut nodes, slot, word);
        }
        assert_eq!(index.buckets, 10_000);
        for &slot in &slots[10..] {
            index.remove(&mut nodes, slot);
        }
        assert_eq!((index.buckets, index.segments.len()), (SEGMENT, 1));
        assert!((0..10).all(|word| found(&index, &nodes, word, u32::MAX) == Some(slots[word as usize])));
    }

    #[test]
    fn a_node_that_is_not_in_the_index_is_not_removed() {
        let (mut index, mut nodes) = (Index::new(), Slab::new());
        let [inside, outside] = [1, 1].map(|word| nodes.insert(Word(word, Link::NONE)));
        assert!(!index.remove(&mut nodes, outside));
        index.insert(&mut nodes, inside, 0);
        assert!(!index.remove(&mut nodes, outside));
        assert!(index.remove(&mut nodes, inside) && !index.remove(&mut nodes, inside));
    }
}
