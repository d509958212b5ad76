//! Fair queues: which tenants of a standard queue are noisy (N1-N11).

use {
    super::{
        super::{
            index::Index,
            recent::FORGOTTEN_AT_ONCE,
            record::Records,
            slab::{NO_SLOT, Slab, Slot},
            touched::touch,
        },
        orders::Orders,
    },
    crate::{limits::Limits, message::Id, time::Timestamp},
    foldhash::fast::RandomState,
    std::{
        collections::{BTreeSet, VecDeque},
        hash::BuildHasher,
        sync::Arc,
        time::Duration,
    },
};

/// The messages that share one group id on a standard queue.
#[derive(Debug)]
pub(super) struct Tenant {
    id: Id,
    pub(super) visible: Orders,
    stored: usize,
    pub(super) in_flight: usize,
    processing: Window,
    /// Of its id.
    hash: u32,
}

/// Milliseconds of processing time by the second in which they ended, over one sliding interval.
#[derive(Debug, Default)]
struct Window {
    seconds: VecDeque<(u64, u64)>,
    sum: u64,
}

impl Window {
    fn add(&mut self, second: u64, milliseconds: u64) {
        self.sum = self.sum.saturating_add(milliseconds);
        match self.seconds.back_mut() {
            Some((last, sum)) if *last == second => *sum = sum.saturating_add(milliseconds),
            _ => self.seconds.push_back((second, milliseconds)),
        }
    }

    fn oldest(&self) -> Option<u64> {
        self.seconds.front().map(|&(second, _)| second)
    }

    /// Says how many seconds it dropped. A window that has become empty keeps no memory.
    fn forget_until(&mut self, second: u64) -> usize {
        let mut dropped = 0;
        while let Some(&(oldest, sum)) = self.seconds.front() {
            if oldest > second {
                return dropped;
            }
            touch();
            dropped += 1;
            self.sum = self.sum.saturating_sub(sum);
            self.seconds.pop_front();
        }
        *self = Self::default();
        dropped
    }
}

/// All tenants of a queue, and the orders that find the noisy ones without looking at the quiet.
///
/// A tenant lives as long as a message of it is stored, so memory is bounded by the messages.
#[derive(Debug)]
pub(super) struct Tenants {
    slab: Slab<Tenant>,
    by_id: Index,
    hasher: RandomState,
    /// Tenants with any message in flight, by how many.
    by_in_flight: BTreeSet<(usize, Slot)>,
    /// Tenants with any processing time in the window, by how much.
    by_processing: BTreeSet<(u64, Slot)>,
    /// Processing time of the whole queue, tenants long forgotten included.
    total: Window,
    /// Tenants with a second in their window, by the oldest.
    by_oldest: BTreeSet<(u64, Slot)>,
    interval_seconds: u64,
    shards: usize,
}

impl Tenants {
    pub(super) fn new(shards: usize, interval: Duration) -> Self {
        Self {
            slab: Slab::new(),
            by_id: Index::new(),
            hasher: RandomState::default(),
            by_in_flight: BTreeSet::new(),
            by_processing: BTreeSet::new(),
            total: Window::default(),
            by_oldest: BTreeSet::new(),
            interval_seconds: interval.as_secs(),
            shards,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.slab.len()
    }

    pub(super) fn get(&self, tenant: Slot) -> &Tenant {
        &self.slab[tenant]
    }

    pub(super) fn find(&self, tenant: Slot) -> Option<&Tenant> {
        self.slab.get(tenant)
    }

    /// The tenant of `id`, counted as storing one message more.
    pub(super) fn join(&mut self, id: &Id) -> Slot {
        let hash = self.hasher.hash_one(id.as_bytes()) as u32;
        let slab = &self.slab;
        let found = self.by_id.find(hash, |tenant| slab[tenant].id == *id);
        let slot = found.unwrap_or_else(|| {
            let tenant = self.slab.insert(Tenant {
                id: id.clone(),
                visible: Orders::new(self.shards),
                stored: 0,
                in_flight: 0,
                processing: Window::default(),
                hash,
            });
            self.by_id.insert(hash, tenant);
            tenant
        });
        self.slab[slot].stored += 1;
        slot
    }

    /// One message of the tenant left the queue; the last one takes the tenant along (N6).
    pub(super) fn leave(&mut self, slot: Slot) {
        let tenant = &mut self.slab[slot];
        tenant.stored -= 1;
        if tenant.stored == 0 {
            self.by_in_flight.remove(&(tenant.in_flight, slot));
            self.by_processing.remove(&(tenant.processing.sum, slot));
            if let Some(oldest) = tenant.processing.oldest() {
                self.by_oldest.remove(&(oldest, slot));
            }
            self.by_id.remove(self.slab[slot].hash, slot);
            self.slab.remove(slot);
        }
    }

    pub(super) fn insert_visible(&mut self, records: &mut Records, tenant: Slot, shard: usize, slot: Slot) {
        self.slab[tenant].visible.insert(records, shard, slot);
    }

    pub(super) fn remove_visible(&mut self, records: &mut Records, tenant: Slot, shard: usize, slot: Slot) {
        self.slab[tenant].visible.remove(records, shard, slot);
    }

    pub(super) fn reception_began(&mut self, slot: Slot) {
        let tenant = &mut self.slab[slot];
        self.by_in_flight.remove(&(tenant.in_flight, slot));
        tenant.in_flight += 1;
        self.by_in_flight.insert((tenant.in_flight, slot));
    }

    /// A reception that began at `received_at` ended; `slot` is [`NO_SLOT`] for a message without a group id.
    pub(super) fn reception_ended(&mut self, slot: Slot, received_at: Timestamp, now: Timestamp) {
        let second = now.as_secs();
        let milliseconds = now.as_millis().saturating_sub(received_at.as_millis());
        self.total.add(second, milliseconds);
        if slot == NO_SLOT {
            return;
        }
        let tenant = &mut self.slab[slot];
        self.by_in_flight.remove(&(tenant.in_flight, slot));
        tenant.in_flight -= 1;
        if tenant.in_flight > 0 {
            self.by_in_flight.insert((tenant.in_flight, slot));
        }
        self.by_processing.remove(&(tenant.processing.sum, slot));
        if tenant.processing.oldest().is_none() {
            self.by_oldest.insert((second, slot));
        }
        tenant.processing.add(second, milliseconds);
        if tenant.processing.sum > 0 {
            self.by_processing.insert((tenant.processing.sum, slot));
        }
    }

    /// Drops what slid out of the windows before `now`, until `at_once` seconds are dropped or more; answers with when there
    /// is more to drop.
    pub(super) fn slide(&mut self, now: Timestamp, at_once: usize) -> Timestamp {
        if let Some(past) = now.as_secs().checked_sub(self.interval_seconds) {
            self.total.forget_until(past);
            let mut dropped = 0;
            while let Some(&(_, slot)) = self.by_oldest.first().filter(|&&(second, _)| second <= past) {
                if dropped >= at_once {
                    break;
                }
                dropped += self.slide_tenant(slot, past);
            }
        }
        let oldest = self.by_oldest.first().map(|&(second, _)| second);
        let next = oldest.into_iter().chain(self.total.oldest()).min();
        next.map_or(Timestamp::MAX, |second| {
            Timestamp::from_millis(second.saturating_add(self.interval_seconds).saturating_mul(1_000))
        })
    }

    fn slide_tenant(&mut self, slot: Slot, past: u64) -> usize {
        let window = &mut self.slab[slot].processing;
        if let Some(oldest) = window.oldest() {
            self.by_oldest.remove(&(oldest, slot));
        }
        self.by_processing.remove(&(window.sum, slot));
        let dropped = window.forget_until(past);
        if let Some(oldest) = window.oldest() {
            self.by_oldest.insert((oldest, slot));
        }
        if window.sum > 0 {
            self.by_processing.insert((window.sum, slot));
        }
        dropped
    }

    /// The noisy tenants with their messages in flight, the one with the fewest first (N3, N5).
    ///
    /// `others` says whether messages without a group id are stored: a tenant alone in its queue is nobody's
    /// noisy neighbour by processing time (N9).
    pub(super) fn noisy(
        &mut self,
        now: Timestamp,
        in_flight: usize,
        others: bool,
        limits: &Limits,
    ) -> Vec<(usize, Slot)> {
        let mut noisy: Vec<(usize, Slot)> = Vec::new();
        for &(own, slot) in self.by_in_flight.iter().rev() {
            if own < limits.noisy_in_flight_min || !exceeds_share(own as u64, in_flight as u64, limits) {
                break;
            }
            touch();
            noisy.push((own, slot));
        }
        if self.slab.len() > 1 || others {
            self.slide(now, FORGOTTEN_AT_ONCE);
            for slot in self.noisy_by_processing(now, limits) {
                let tenant = (self.slab[slot].in_flight, slot);
                if !noisy.contains(&tenant) {
                    noisy.push(tenant);
                }
            }
        }
        noisy.sort_unstable();
        noisy
    }

    /// The tenants with more than the noisy share of the processing time. Windows that have not slid to `now` yet do so
    /// before they count, but at most [`FORGOTTEN_AT_ONCE`]: beyond that the tenant counts as quiet until a later step.
    fn noisy_by_processing(&mut self, now: Timestamp, limits: &Limits) -> Vec<Slot> {
        let past = now.as_secs().checked_sub(self.interval_seconds);
        let (mut noisy, mut below, mut dropped) = (Vec::new(), (u64::MAX, NO_SLOT), 0);
        while let Some(&(own, slot)) = self.by_processing.range(..below).next_back() {
            if !exceeds_share(own, self.total.sum, limits) {
                break;
            }
            let oldest = self.slab[slot].processing.oldest();
            if let Some(past) = past.filter(|&past| oldest.is_some_and(|oldest| oldest <= past)) {
                if dropped >= FORGOTTEN_AT_ONCE {
                    break;
                }
                dropped += self.slide_tenant(slot, past);
            } else {
                noisy.push(slot);
                below = (own, slot);
            }
        }
        noisy
    }

    pub(super) fn id(&self, tenant: Slot) -> Arc<str> {
        self.slab[tenant].id.as_str().into()
    }

    /// Forgets every tenant; the time that was spent stays spent. Answers with what was forgotten.
    pub(super) fn clear(&mut self) -> Self {
        let emptied = Self {
            total: std::mem::take(&mut self.total),
            slab: Slab::new(),
            by_id: Index::new(),
            hasher: self.hasher.clone(),
            by_in_flight: BTreeSet::new(),
            by_processing: BTreeSet::new(),
            by_oldest: BTreeSet::new(),
            ..*self
        };
        std::mem::replace(self, emptied)
    }
}

/// Whether `part` is more than the noisy share of `whole`, exact to a thousandth.
fn exceeds_share(part: u64, whole: u64, limits: &Limits) -> bool {
    let per_mille = (limits.noisy_share * 1000.0).round().clamp(0.0, 1000.0) as u128;
    u128::from(part) * 1000 > u128::from(whole) * per_mille
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn at(second: u64) -> Timestamp {
        Timestamp::from_millis(1_000 * second)
    }

    /// A tenant whose message was processed for one second.
    fn processed(tenants: &mut Tenants, id: &str, second: u64) -> Slot {
        let slot = tenants.join(&id.into());
        tenants.reception_began(slot);
        tenants.reception_ended(slot, at(second - 1), at(second));
        slot
    }

    #[test]
    fn the_orders_hold_only_tenants_with_something_to_count() {
        let mut tenants = Tenants::new(1, SECOND);
        let slot = tenants.join(&"tenant".into());
        tenants.reception_began(slot);
        tenants.reception_ended(slot, at(1), at(1));
        assert!(tenants.by_in_flight.is_empty() && tenants.by_processing.is_empty());
        tenants.reception_began(slot);
        tenants.reception_ended(slot, at(1), at(2));
        assert_eq!((tenants.by_in_flight.len(), tenants.by_processing.len()), (0, 1));
        tenants.slide(at(3), 9);
        assert!(tenants.by_processing.is_empty());
    }

    #[test]
    fn one_second_is_one_entry_of_a_window() {
        let mut window = Window::default();
        for (second, spent) in [(1, 5), (1, 7), (2, 1)] {
            window.add(second, spent);
        }
        assert_eq!(window.seconds, [(1, 12), (2, 1)]);
        window.forget_until(2);
        assert_eq!((window.sum, window.seconds.capacity()), (0, 0));
    }

    #[test]
    fn tenants_that_left_leave_nothing_behind() {
        let mut tenants = Tenants::new(1, SECOND);
        processed(&mut tenants, "stays", 1);
        let others: Vec<Slot> = (0..200).map(|id| processed(&mut tenants, &id.to_string(), 1)).collect();
        assert_eq!(tenants.by_oldest.len(), 201, "nobody has left");
        others.into_iter().for_each(|slot| tenants.leave(slot));
        assert_eq!(
            (tenants.by_oldest.len(), tenants.by_processing.len(), tenants.len()),
            (1, 1, 1)
        );
    }

    #[test]
    fn windows_slide_a_few_at_a_time() {
        let mut tenants = Tenants::new(1, SECOND);
        (0..3).for_each(|id| _ = processed(&mut tenants, &id.to_string(), 1));
        assert_eq!(tenants.slide(at(1), 9), at(2));
        assert_eq!(tenants.slide(at(2), 2), at(2), "one of three is left");
        assert_eq!((tenants.total.sum, tenants.by_processing.len()), (0, 1));
        assert_eq!(tenants.slide(at(2), 2), Timestamp::MAX);
    }
}
