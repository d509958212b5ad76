//! An ordered list of slots; an insert is a pointer swap while each new key is the largest so far.
//!
//! Queues are mostly monotone: messages are sent in order, uniform timeouts end in the order they began. A [`Lane`]
//! threads such slots through links kept in the nodes themselves. What arrives out of order goes to a tree beside
//! the chain, so the worst case is the logarithm of the strays and never a scan.

use {
    super::slab::{NO_SLOT, Slab, Slot},
    std::collections::BTreeSet,
};

/// Marks a node that stands in the tree instead of the chain; no slab grows this far.
const STRAY: Slot = NO_SLOT - 1;

/// A node's place in one lane.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Links {
    previous: Slot,
    next: Slot,
}

impl Links {
    pub(crate) const NONE: Self = Self {
        previous: NO_SLOT,
        next: NO_SLOT,
    };
    const IN_TREE: Self = Self {
        previous: STRAY,
        next: STRAY,
    };
}

/// What a lane orders its nodes by, and which links of the node it may use.
///
/// A node's key must not change while the node is in the lane.
pub(crate) trait LaneKind {
    type Node;
    type Key: Copy + Ord + std::fmt::Debug;

    fn key(node: &Self::Node) -> Self::Key;
    fn links(node: &Self::Node) -> Links;
    fn links_mut(node: &mut Self::Node) -> &mut Links;
}

/// What arrived out of order, by key.
type Strays<K> = BTreeSet<(<K as LaneKind>::Key, Slot)>;

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Lane<K: LaneKind> {
    head: Slot,
    tail: Slot,
    /// Most lanes never have any, and there is one for each group.
    strays: Option<Box<Strays<K>>>,
}

impl<K: LaneKind> Lane<K> {
    pub(crate) const fn new() -> Self {
        Self {
            head: NO_SLOT,
            tail: NO_SLOT,
            strays: None,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.head == NO_SLOT && self.strays.is_none()
    }

    /// Files a node under its key.
    #[inline]
    pub(crate) fn insert(&mut self, nodes: &mut Slab<K::Node>, slot: Slot) {
        let key = K::key(&nodes[slot]);
        let links = self.link(nodes, slot, key);
        *K::links_mut(&mut nodes[slot]) = links;
    }

    /// Files a slot under a key without a look at its node; the answer is what the node has to keep as its links.
    #[inline]
    pub(crate) fn link(&mut self, nodes: &mut Slab<K::Node>, slot: Slot, key: K::Key) -> Links {
        let previous = self.tail;
        if previous == NO_SLOT {
            self.head = slot;
        } else {
            let tail = &mut nodes[previous];
            // The chain stays sorted: only a key not below that of its tail is appended. So the smallest key of all is
            // at the head of the chain or at the front of the tree, and `first` compares these two alone.
            if key < K::key(tail) {
                return self.stray(slot, key);
            }
            K::links_mut(tail).next = slot;
        }
        self.tail = slot;
        Links {
            previous,
            next: NO_SLOT,
        }
    }

    #[inline(never)]
    fn stray(&mut self, slot: Slot, key: K::Key) -> Links {
        self.strays.get_or_insert_default().insert((key, slot));
        Links::IN_TREE
    }

    /// Takes the node out; it must be in this lane.
    #[inline]
    pub(crate) fn remove(&mut self, nodes: &mut Slab<K::Node>, slot: Slot) {
        let node = &nodes[slot];
        let (links, key) = (K::links(node), K::key(node));
        self.unlink(nodes, slot, links, key);
    }

    /// [`remove`](Self::remove) by what the node holds, without a look at it.
    #[inline]
    pub(crate) fn unlink(&mut self, nodes: &mut Slab<K::Node>, slot: Slot, links: Links, key: K::Key) {
        let Links { previous, next } = links;
        // A node remembers where it was filed, so it is found in constant time in the chain and by its key in the tree.
        // The key must still be the one of its insert.
        if previous == STRAY {
            return self.remove_stray(slot, key);
        }
        if previous == NO_SLOT {
            self.head = next;
        } else {
            K::links_mut(&mut nodes[previous]).next = next;
        }
        if next == NO_SLOT {
            self.tail = previous;
        } else {
            K::links_mut(&mut nodes[next]).previous = previous;
        }
    }

    #[inline(never)]
    fn remove_stray(&mut self, slot: Slot, key: K::Key) {
        let strays = self.strays.as_mut();
        let stood = strays.is_some_and(|strays| strays.remove(&(key, slot)));
        debug_assert!(stood, "a key changed while its node was in the lane");
        self.strays.take_if(|strays| strays.is_empty());
    }

    /// The slot with the smallest key.
    #[inline]
    pub(crate) fn first(&self, nodes: &Slab<K::Node>) -> Option<Slot> {
        let chained = (self.head != NO_SLOT).then_some(self.head);
        let Some(strays) = &self.strays else {
            return chained;
        };
        match (chained, strays.first()) {
            (Some(head), Some(&(key, stray))) if key < K::key(&nodes[head]) => Some(stray),
            (Some(head), _) => Some(head),
            (None, stray) => stray.map(|&(_, slot)| slot),
        }
    }

    /// The smallest key.
    pub(crate) fn first_key(&self, nodes: &Slab<K::Node>) -> Option<K::Key> {
        self.first(nodes).map(|slot| K::key(&nodes[slot]))
    }

    /// The slot after `slot`, in a lane that has only ever been filled in order.
    pub(crate) fn after(&self, nodes: &Slab<K::Node>, slot: Slot) -> Option<Slot> {
        debug_assert!(self.strays.is_none(), "a lane with strays has no single successor");
        let next = K::links(&nodes[slot]).next;
        (next != NO_SLOT).then_some(next)
    }
}

#[cfg(test)]
mod tests {
    use {super::*, proptest::prelude::*};

    #[derive(Debug)]
    struct Number(u32, Links);
    #[derive(Debug)]
    struct ByValue;

    impl LaneKind for ByValue {
        type Node = Number;
        type Key = u32;

        fn key(node: &Number) -> u32 {
            node.0
        }
        fn links(node: &Number) -> Links {
            node.1
        }
        fn links_mut(node: &mut Number) -> &mut Links {
            &mut node.1
        }
    }

    proptest! {
        #[test]
        fn a_lane_agrees_with_a_sorted_set(steps in prop::collection::vec((0_u32..50, any::<bool>()), 1..200)) {
            let (mut lane, mut nodes, mut model) = (Lane::<ByValue>::new(), Slab::new(), Vec::<(u32, Slot)>::new());
            for (value, insert) in steps {
                if insert || model.is_empty() {
                    if model.iter().any(|it| it.0 == value) {
                        continue;
                    }
                    let slot = nodes.insert(Number(value, Links::NONE));
                    lane.insert(&mut nodes, slot);
                    model.push((value, slot));
                    model.sort_unstable();
                } else {
                    let (_, slot) = model.remove(value as usize % model.len());
                    lane.remove(&mut nodes, slot);
                    nodes.remove(slot);
                }
                prop_assert_eq!(lane.first(&nodes), model.first().map(|it| it.1));
                prop_assert_eq!(lane.first_key(&nodes), model.first().map(|it| it.0));
                prop_assert_eq!(lane.is_empty(), model.is_empty());
            }
        }
    }
}
