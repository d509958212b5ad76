//! Which message a standard queue delivers next: send order, fair queues, sampled shards.

use {
    super::{
        super::{
            lane::LaneKind,
            mix::mix,
            record::{BySequence, Record, Records},
            slab::{NO_SLOT, Slot},
        },
        fair::Tenants,
        send_order::{Key, SendOrder, key},
    },
    crate::{limits::Limits, time::Timestamp},
    std::{collections::BTreeSet, sync::Arc},
};

/// What one short poll looks at, and what it leaves for later polls (D9, D14).
#[derive(Clone, Copy, Debug)]
pub(crate) enum Reach {
    /// Every shard, as long polls do and as the strict profile always does.
    AllShards,
    /// One shard, drawn with this number.
    OneShard(u64),
}

/// The visible messages of one shard.
#[derive(Debug)]
struct Shard {
    ungrouped: SendOrder,
    /// The first visible message of each tenant, by sequence: those not received often, and those that were.
    heads: [BTreeSet<(u64, Slot)>; 2],
    visible: u64,
}

impl Shard {
    const fn new() -> Self {
        Self {
            ungrouped: SendOrder::new(),
            heads: [BTreeSet::new(), BTreeSet::new()],
            visible: 0,
        }
    }
}

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Standard {
    shards: Vec<Shard>,
    /// Spreads messages over the shards.
    salt: u64,
    tenants: Tenants,
    ungrouped_stored: usize,
}

/// One selection under way: the noisy tenants are decided once per receive (N9).
#[derive(Debug)]
pub(crate) struct Selection {
    shards: std::ops::Range<usize>,
    /// With the messages that each had in flight when the receive began, the fewest first.
    noisy: Vec<(usize, Slot)>,
}

impl Selection {
    fn is_noisy(&self, tenant: Slot) -> bool {
        self.noisy.iter().any(|&(_, noisy)| noisy == tenant)
    }
}

/// A shard that holds nothing visible is asked as often as one that holds this many messages.
const SHARD_FLOOR: u64 = 1;

/// Every tenant has an order of its own in every shard.
const MOST_SHARDS: usize = 1_000;

impl Standard {
    pub(crate) fn new(shards: usize, salt: u64, limits: &Limits) -> Self {
        let shards = shards.clamp(1, MOST_SHARDS);
        Self {
            shards: (0..shards).map(|_| Shard::new()).collect(),
            salt,
            tenants: Tenants::new(shards, limits.noisy_interval),
            ungrouped_stored: 0,
        }
    }

    /// Counts a message that is stored, before it is visible or delayed.
    #[inline]
    pub(crate) fn admit(&mut self, record: &mut Record) {
        if let Some(id) = record.content.group() {
            record.group = self.tenants.join(id);
        } else {
            self.ungrouped_stored += 1;
        }
    }

    /// A message of this tenant is about to leave the queue; it is not visible.
    #[inline]
    pub(crate) fn release(&mut self, tenant: Slot) {
        if tenant == NO_SLOT {
            self.ungrouped_stored -= 1;
        } else {
            self.tenants.leave(tenant);
        }
    }

    #[inline]
    pub(crate) fn insert_visible(&mut self, records: &mut Records, slot: Slot) {
        let record = &records[slot];
        let (tenant, key) = (record.group, key(record));
        let shard = self.shard_of(key.1);
        self.shards[shard].visible += 1;
        if tenant == NO_SLOT {
            let links = self.shards[shard].ungrouped.link(records, slot, key);
            *BySequence::links_mut(&mut records[slot]) = links;
        } else {
            self.with_head(records, tenant, shard, |tenants, records| {
                tenants.insert_visible(records, tenant, shard, slot);
            });
        }
    }

    #[inline(always)]
    pub(crate) fn remove_visible(&mut self, records: &mut Records, slot: Slot) {
        let record = &records[slot];
        let (tenant, key, links) = (record.group, key(record), BySequence::links(record));
        let shard = self.shard_of(key.1);
        self.shards[shard].visible -= 1;
        if tenant == NO_SLOT {
            self.shards[shard].ungrouped.unlink(records, slot, links, key);
        } else {
            self.with_head(records, tenant, shard, |tenants, records| {
                tenants.remove_visible(records, tenant, shard, slot);
            });
        }
    }

    #[inline]
    pub(crate) fn reception_began(&mut self, tenant: Slot) {
        if tenant != NO_SLOT {
            self.tenants.reception_began(tenant);
        }
    }

    #[inline]
    pub(crate) fn reception_ended(&mut self, tenant: Slot, received_at: Timestamp, now: Timestamp) {
        self.tenants.reception_ended(tenant, received_at, now);
    }

    /// Begins to choose for one receive; `None` if it is the order of the only shard, and no message has a group id.
    #[inline]
    pub(crate) fn select(
        &mut self,
        now: Timestamp,
        in_flight: usize,
        reach: Reach,
        limits: &Limits,
    ) -> Option<Selection> {
        let plain = self.shards.len() == 1 && self.tenants.len() == 0;
        (!plain).then(|| self.select_of_many(now, in_flight, reach, limits))
    }

    #[inline(never)]
    fn select_of_many(&mut self, now: Timestamp, in_flight: usize, reach: Reach, limits: &Limits) -> Selection {
        let shards = match reach {
            Reach::OneShard(chance) if self.shards.len() > 1 => {
                let shard = self.draw_shard(chance);
                shard..shard + 1
            }
            _ => 0..self.shards.len(),
        };
        let noisy = if self.tenants.len() == 0 {
            Vec::new()
        } else {
            self.noisy(now, in_flight, limits)
        };
        Selection { shards, noisy }
    }

    /// The next message of the selection, left where it is.
    #[inline]
    pub(crate) fn first(&self, records: &Records, selection: Option<&Selection>) -> Option<Slot> {
        match selection {
            None => self.shards[0].ungrouped.first(records),
            Some(selection) => self.first_of_many(records, selection),
        }
    }

    #[inline(never)]
    fn first_of_many(&self, records: &Records, selection: &Selection) -> Option<Slot> {
        let quiet = self.shards[selection.shards.clone()]
            .iter()
            .enumerate()
            .filter_map(|(index, shard)| self.first_quiet(records, shard, selection.shards.start + index, selection))
            .min();
        if let Some((_, slot)) = quiet {
            return Some(slot);
        }
        let noisy = selection.noisy.iter().filter_map(|&(in_flight, tenant)| {
            // It is gone if this receive found the last of its messages expired.
            let orders = &self.tenants.find(tenant)?.visible;
            orders
                .keyed_first_of(records, &selection.shards)
                .map(|first| (in_flight, first))
        });
        noisy.min().map(|(_, (_, slot))| slot)
    }

    /// The message sent first, whatever its tenant and however often it was received (L31).
    pub(crate) fn oldest_visible(&self, records: &Records) -> Option<Slot> {
        let sequence = |slot: &Slot| records[*slot].sequence;
        let oldest = self.shards.iter().enumerate().filter_map(|(index, shard)| {
            let tenants = shard.heads.iter().filter_map(|heads| heads.first());
            let grouped = tenants.flat_map(|&(_, tenant)| self.tenants.get(tenant).visible.heads(records, index));
            grouped
                .chain(shard.ungrouped.heads(records))
                .flatten()
                .min_by_key(sequence)
        });
        oldest.min_by_key(sequence)
    }

    /// The tenants that are noisy as of `now`, the one with the fewest messages in flight first.
    pub(crate) fn noisy_groups(&mut self, now: Timestamp, in_flight: usize, limits: &Limits) -> Vec<Arc<str>> {
        let noisy = self.noisy(now, in_flight, limits);
        noisy.into_iter().map(|(_, tenant)| self.tenants.id(tenant)).collect()
    }

    /// Forgets every message, but not the processing time; answers with what was forgotten.
    pub(crate) fn clear(&mut self) -> Self {
        let shards = self.shards.iter().map(|_| Shard::new()).collect();
        Self {
            shards: std::mem::replace(&mut self.shards, shards),
            salt: self.salt,
            tenants: self.tenants.clear(),
            ungrouped_stored: std::mem::take(&mut self.ungrouped_stored),
        }
    }

    /// Drops processing time that slid out of its window, of at most `at_once` tenants; answers with when there is more.
    pub(crate) fn slide(&mut self, now: Timestamp, at_once: usize) -> Timestamp {
        self.tenants.slide(now, at_once)
    }

    fn noisy(&mut self, now: Timestamp, in_flight: usize, limits: &Limits) -> Vec<(usize, Slot)> {
        self.tenants.noisy(now, in_flight, self.ungrouped_stored > 0, limits)
    }

    fn first_quiet(
        &self,
        records: &Records,
        shard: &Shard,
        index: usize,
        selection: &Selection,
    ) -> Option<(Key, Slot)> {
        let ungrouped = shard.ungrouped.keyed_first(records);
        let mut heads = shard.heads.iter().flatten();
        let quiet = heads.find(|&&(_, tenant)| !selection.is_noisy(tenant));
        let grouped = quiet.and_then(|&(_, tenant)| self.tenants.get(tenant).visible.keyed_first(records, index));
        match (ungrouped, grouped) {
            (Some(ungrouped), Some(grouped)) => Some(ungrouped.min(grouped)),
            (ungrouped, grouped) => ungrouped.or(grouped),
        }
    }

    /// Runs a change of a tenant's lane and keeps the shard's heads in step.
    #[inline(never)]
    fn with_head(
        &mut self,
        records: &mut Records,
        tenant: Slot,
        shard: usize,
        change: impl FnOnce(&mut Tenants, &mut Records),
    ) {
        let before = self.tenants.get(tenant).visible.heads(records, shard);
        change(&mut self.tenants, records);
        let after = self.tenants.get(tenant).visible.heads(records, shard);
        for (heads, (before, after)) in self.shards[shard].heads.iter_mut().zip(before.into_iter().zip(after)) {
            if before != after {
                before.map(|slot| heads.remove(&(records[slot].sequence, tenant)));
                after.map(|slot| heads.insert((records[slot].sequence, tenant)));
            }
        }
    }

    #[inline]
    fn shard_of(&self, sequence: u64) -> usize {
        if self.shards.len() == 1 {
            return 0;
        }
        let spread = mix(sequence ^ self.salt) % self.shards.len() as u64;
        usize::try_from(spread).expect("invariant: a remainder of the number of shards")
    }

    fn draw_shard(&self, chance: u64) -> usize {
        let weights = self.shards.iter().map(|shard| shard.visible + SHARD_FLOOR);
        let mut drawn = chance % weights.clone().sum::<u64>();
        for (index, weight) in weights.enumerate() {
            if drawn < weight {
                return index;
            }
            drawn -= weight;
        }
        unreachable!("invariant: what is drawn is less than the sum of the weights")
    }
}
