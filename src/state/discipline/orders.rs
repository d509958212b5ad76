//! The visible messages of one tenant: an ordered list for each shard that holds any.

use {
    super::{
        super::{record::Records, slab::Slot},
        send_order::{Key, SendOrder},
    },
    std::{collections::BTreeMap, ops::Range},
};

/// See the [module](self).
#[derive(Debug)]
pub(super) enum Orders {
    /// The strict profile has one shard.
    One(SendOrder),
    /// By shard; those without messages are not there.
    Many(BTreeMap<usize, SendOrder>),
}

impl Orders {
    pub(super) const fn new(shards: usize) -> Self {
        if shards == 1 {
            Self::One(SendOrder::new())
        } else {
            Self::Many(BTreeMap::new())
        }
    }

    pub(super) fn insert(&mut self, records: &mut Records, shard: usize, slot: Slot) {
        match self {
            Self::One(order) => order.insert(records, slot),
            Self::Many(orders) => orders.entry(shard).or_insert_with(SendOrder::new).insert(records, slot),
        }
    }

    pub(super) fn remove(&mut self, records: &mut Records, shard: usize, slot: Slot) {
        match self {
            Self::One(order) => order.remove(records, slot),
            Self::Many(orders) => {
                if let Some(order) = orders.get_mut(&shard) {
                    order.remove(records, slot);
                    if order.first(records).is_none() {
                        orders.remove(&shard);
                    }
                }
            }
        }
    }

    /// The first of a shard with its place in the order.
    pub(super) fn keyed_first(&self, records: &Records, shard: usize) -> Option<(Key, Slot)> {
        self.order(shard)?.keyed_first(records)
    }

    /// The first of some shards with its place in the order.
    pub(super) fn keyed_first_of(&self, records: &Records, shards: &Range<usize>) -> Option<(Key, Slot)> {
        match self {
            Self::One(order) => order.keyed_first(records),
            Self::Many(orders) => {
                let orders = orders.range(shards.clone());
                orders.filter_map(|(_, order)| order.keyed_first(records)).min()
            }
        }
    }

    /// The first of those of a shard not received often, and the first of the others.
    pub(super) fn heads(&self, records: &Records, shard: usize) -> [Option<Slot>; 2] {
        self.order(shard).map_or([None, None], |order| order.heads(records))
    }

    fn order(&self, shard: usize) -> Option<&SendOrder> {
        match self {
            Self::One(order) => Some(order),
            Self::Many(orders) => orders.get(&shard),
        }
    }
}
