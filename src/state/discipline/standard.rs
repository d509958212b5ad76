//! Which message a standard queue hands out next: send order, fair queues, sampled shards.

use {
    super::{
        super::{
            lane::{Lane, LaneKind},
            record::{BySendOrder, Record, Records},
            slab::{NO_SLOT, Slot},
        },
        fair::Tenants,
    },
    crate::{limits::Limits, time::Timestamp},
    std::{collections::BTreeSet, sync::Arc},
};

type SendOrder = <BySendOrder as LaneKind>::Key;

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
    ungrouped: Lane<BySendOrder>,
    /// The first visible message of each tenant.
    heads: BTreeSet<(SendOrder, Slot)>,
    visible: u64,
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
    noisy: Vec<Slot>,
}

/// A shard that holds nothing visible is asked as often as one that holds this many messages.
const SHARD_FLOOR: u64 = 1;

impl Standard {
    pub(crate) fn new(shards: usize, salt: u64, limits: &Limits) -> Self {
        let shards = shards.max(1);
        Self {
            shards: (0..shards)
                .map(|_| Shard {
                    ungrouped: Lane::new(),
                    heads: BTreeSet::new(),
                    visible: 0,
                })
                .collect(),
            salt,
            tenants: Tenants::new(shards, limits.noisy_interval),
            ungrouped_stored: 0,
        }
    }

    pub(crate) fn admit(&mut self, records: &mut Records, slot: Slot) {
        let record = &mut records[slot];
        if let Some(id) = record.content.group_id() {
            record.group = self.tenants.join(id);
        } else {
            self.ungrouped_stored += 1;
        }
    }

    /// The message is about to leave the queue; it is not visible.
    pub(crate) fn release(&mut self, record: &Record) {
        if record.group == NO_SLOT {
            self.ungrouped_stored -= 1;
        } else {
            self.tenants.leave(record.group);
        }
    }

    pub(crate) fn insert_visible(&mut self, records: &mut Records, slot: Slot) {
        let record = &records[slot];
        let (tenant, shard) = (record.group, self.shard_of(record.sequence));
        self.shards[shard].visible += 1;
        if tenant == NO_SLOT {
            self.shards[shard].ungrouped.insert(records, slot);
        } else {
            self.with_head(records, tenant, shard, |tenants, records| {
                tenants.insert_visible(records, tenant, shard, slot);
            });
        }
    }

    pub(crate) fn remove_visible(&mut self, records: &mut Records, slot: Slot) {
        let record = &records[slot];
        let (tenant, shard) = (record.group, self.shard_of(record.sequence));
        self.shards[shard].visible -= 1;
        if tenant == NO_SLOT {
            self.shards[shard].ungrouped.remove(records, slot);
        } else {
            self.with_head(records, tenant, shard, |tenants, records| {
                tenants.remove_visible(records, tenant, shard, slot);
            });
        }
    }

    pub(crate) fn reception_began(&mut self, record: &Record) {
        if record.group != NO_SLOT {
            self.tenants.reception_began(record.group);
        }
    }

    pub(crate) fn reception_ended(&mut self, record: &Record, now: Timestamp) {
        self.tenants.reception_ended(record.group, record.received_at, now);
    }

    /// Begins to choose for one receive.
    pub(crate) fn select(&mut self, now: Timestamp, in_flight: usize, reach: Reach, limits: &Limits) -> Selection {
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
    pub(crate) fn first(&self, records: &Records, selection: &Selection) -> Option<Slot> {
        match &*self.shards {
            [only] if self.tenants.len() == 0 => only.ungrouped.first(records),
            _ => self.first_of_many(records, selection),
        }
    }

    fn first_of_many(&self, records: &Records, selection: &Selection) -> Option<Slot> {
        let quiet = self.shards[selection.shards.clone()]
            .iter()
            .enumerate()
            .filter_map(|(index, shard)| self.first_quiet(records, shard, selection.shards.start + index, selection))
            .min();
        if let Some((_, slot)) = quiet {
            return Some(slot);
        }
        selection.noisy.iter().find_map(|&tenant| {
            let lanes = &self.tenants.get(tenant).lanes[selection.shards.clone()];
            lanes
                .iter()
                .filter_map(|lane| keyed_first(records, lane))
                .min()
                .map(|(_, slot)| slot)
        })
    }

    pub(crate) fn oldest_visible(&self, records: &Records) -> Option<Slot> {
        let everything = Selection {
            shards: 0..self.shards.len(),
            noisy: Vec::new(),
        };
        self.first(records, &everything)
    }

    /// The tenants that are noisy as of `now`, the one with the fewest messages in flight first.
    pub(crate) fn noisy_groups(&mut self, now: Timestamp, in_flight: usize, limits: &Limits) -> Vec<Arc<str>> {
        let noisy = self.noisy(now, in_flight, limits);
        self.tenants.ids(&noisy)
    }

    pub(crate) fn clear(&mut self, limits: &Limits) {
        *self = Self::new(self.shards.len(), self.salt, limits);
    }

    fn noisy(&mut self, now: Timestamp, in_flight: usize, limits: &Limits) -> Vec<Slot> {
        self.tenants.slide(now);
        self.tenants.noisy(in_flight, self.ungrouped_stored > 0, limits)
    }

    fn first_quiet(
        &self,
        records: &Records,
        shard: &Shard,
        index: usize,
        selection: &Selection,
    ) -> Option<(SendOrder, Slot)> {
        let ungrouped = keyed_first(records, &shard.ungrouped);
        let quiet = shard.heads.iter().find(|(_, tenant)| !selection.noisy.contains(tenant));
        let grouped = quiet.and_then(|&(_, tenant)| keyed_first(records, &self.tenants.get(tenant).lanes[index]));
        match (ungrouped, grouped) {
            (Some(ungrouped), Some(grouped)) => Some(ungrouped.min(grouped)),
            (ungrouped, grouped) => ungrouped.or(grouped),
        }
    }

    /// Runs a change of a tenant's lane and keeps the shard's heads in step.
    fn with_head(
        &mut self,
        records: &mut Records,
        tenant: Slot,
        shard: usize,
        change: impl FnOnce(&mut Tenants, &mut Records),
    ) {
        let before = self.tenants.get(tenant).lanes[shard].first_key(records);
        change(&mut self.tenants, records);
        let after = self.tenants.get(tenant).lanes[shard].first_key(records);
        if before != after {
            let heads = &mut self.shards[shard].heads;
            if let Some(key) = before {
                heads.remove(&(key, tenant));
            }
            if let Some(key) = after {
                heads.insert((key, tenant));
            }
        }
    }

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

fn keyed_first(records: &Records, lane: &Lane<BySendOrder>) -> Option<(SendOrder, Slot)> {
    lane.first(records).map(|slot| (BySendOrder::key(&records[slot]), slot))
}

/// The finaliser of splitmix64: neighbouring sequences land on unrelated shards.
const fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}
