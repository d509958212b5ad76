//! Fair queues: which tenants of a standard queue are noisy (N1-N11).

use {
    super::{
        super::{
            record::Records,
            slab::{NO_SLOT, Slab, Slot},
            touched::{touch, touch_each},
        },
        send_order::SendOrder,
    },
    crate::{limits::Limits, time::Timestamp},
    foldhash::fast::RandomState,
    std::{
        collections::{BTreeSet, HashMap, VecDeque},
        sync::Arc,
        time::Duration,
    },
};

/// The messages that share one group id on a standard queue.
#[derive(Debug)]
pub(super) struct Tenant {
    id: Arc<str>,
    /// Visible messages, one order a shard.
    pub(super) visible: Vec<SendOrder>,
    stored: usize,
    pub(super) in_flight: usize,
    processing: Window,
}

/// Milliseconds of processing time by the second in which they ended, over one sliding interval.
#[derive(Debug, Default)]
struct Window {
    seconds: VecDeque<(u64, u64)>,
    sum: u64,
}

impl Window {
    /// Adds to the current second; says whether that second is new to the window.
    fn add(&mut self, second: u64, milliseconds: u64) -> bool {
        self.sum = self.sum.saturating_add(milliseconds);
        match self.seconds.back_mut() {
            Some((last, sum)) if *last == second => {
                *sum = sum.saturating_add(milliseconds);
                false
            }
            _ => {
                self.seconds.push_back((second, milliseconds));
                true
            }
        }
    }

    fn forget_until(&mut self, second: u64) {
        while let Some(&(oldest, sum)) = self.seconds.front() {
            if oldest > second {
                return;
            }
            touch();
            self.sum = self.sum.saturating_sub(sum);
            self.seconds.pop_front();
        }
    }
}

/// All tenants of a queue, and the orders that find the noisy ones without looking at the quiet.
///
/// A tenant lives as long as a message of it is stored, so memory is bounded by the messages.
#[derive(Debug)]
pub(super) struct Tenants {
    slab: Slab<Tenant>,
    by_id: HashMap<Arc<str>, Slot, RandomState>,
    /// Tenants with any message in flight, by how many.
    by_in_flight: BTreeSet<(usize, Slot)>,
    /// Tenants with any processing time in the window, by how much.
    by_processing: BTreeSet<(u64, Slot)>,
    /// Processing time of the whole queue, tenants long forgotten included.
    total: Window,
    /// Which tenant has an entry for which second, oldest first; a reused slot only costs a look.
    seconds: VecDeque<(u64, Slot)>,
    interval_seconds: u64,
    shards: usize,
}

impl Tenants {
    pub(super) fn new(shards: usize, interval: Duration) -> Self {
        Self {
            slab: Slab::new(),
            by_id: HashMap::default(),
            by_in_flight: BTreeSet::new(),
            by_processing: BTreeSet::new(),
            total: Window::default(),
            seconds: VecDeque::new(),
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

    /// The tenant of `id`, counted as storing one message more.
    pub(super) fn join(&mut self, id: &Arc<str>) -> Slot {
        let shards = self.shards;
        let slab = &mut self.slab;
        let slot = *self.by_id.entry(Arc::clone(id)).or_insert_with(|| {
            slab.insert(Tenant {
                id: Arc::clone(id),
                visible: (0..shards).map(|_| SendOrder::new()).collect(),
                stored: 0,
                in_flight: 0,
                processing: Window::default(),
            })
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
            self.by_id.remove(&tenant.id);
            self.slab.remove(slot);
        }
    }

    pub(super) fn insert_visible(&mut self, records: &mut Records, tenant: Slot, shard: usize, slot: Slot) {
        self.slab[tenant].visible[shard].insert(records, slot);
    }

    pub(super) fn remove_visible(&mut self, records: &mut Records, tenant: Slot, shard: usize, slot: Slot) {
        self.slab[tenant].visible[shard].remove(records, slot);
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
        let opened = tenant.processing.add(second, milliseconds);
        if tenant.processing.sum > 0 {
            self.by_processing.insert((tenant.processing.sum, slot));
        }
        if opened {
            self.seconds.push_back((second, slot));
            self.forget_the_departed();
        }
    }

    /// Tenants that come and go leave their seconds behind; half of the entries being dead pays for the sweep.
    fn forget_the_departed(&mut self) {
        let alive = usize::try_from(self.interval_seconds)
            .unwrap_or(usize::MAX)
            .saturating_mul(self.slab.len());
        if self.seconds.len() > alive.saturating_mul(2).saturating_add(64) {
            touch_each(self.seconds.len());
            let slab = &self.slab;
            self.seconds.retain(|&(second, slot)| {
                slab.get(slot)
                    .is_some_and(|it| it.processing.seconds.binary_search_by_key(&second, |it| it.0).is_ok())
            });
        }
    }

    /// Drops what slid out of the window before `now`.
    pub(super) fn slide(&mut self, now: Timestamp) {
        let Some(past) = now.as_secs().checked_sub(self.interval_seconds) else {
            return;
        };
        self.total.forget_until(past);
        while let Some(&(second, slot)) = self.seconds.front() {
            if second > past {
                return;
            }
            touch();
            self.seconds.pop_front();
            let Some(tenant) = self.slab.get(slot) else {
                continue;
            };
            self.by_processing.remove(&(tenant.processing.sum, slot));
            let tenant = &mut self.slab[slot];
            tenant.processing.forget_until(past);
            if tenant.processing.sum > 0 {
                self.by_processing.insert((tenant.processing.sum, slot));
            }
        }
    }

    /// The noisy tenants with their messages in flight, the one with the fewest first (N3, N5).
    ///
    /// `others` says whether messages without a group id are stored: a tenant alone in its queue is nobody's
    /// noisy neighbour by processing time (N9).
    pub(super) fn noisy(&self, in_flight: usize, others: bool, limits: &Limits) -> Vec<(usize, Slot)> {
        let mut noisy: Vec<(usize, Slot)> = Vec::new();
        for &(own, slot) in self.by_in_flight.iter().rev() {
            if own < limits.noisy_in_flight_min || !exceeds_share(own as u64, in_flight as u64, limits) {
                break;
            }
            touch();
            noisy.push((own, slot));
        }
        if self.slab.len() > 1 || others {
            for &(own, slot) in self.by_processing.iter().rev() {
                if !exceeds_share(own, self.total.sum, limits) {
                    break;
                }
                let tenant = (self.slab[slot].in_flight, slot);
                if !noisy.contains(&tenant) {
                    noisy.push(tenant);
                }
            }
        }
        noisy.sort_unstable();
        noisy
    }

    pub(super) fn id(&self, tenant: Slot) -> Arc<str> {
        Arc::clone(&self.slab[tenant].id)
    }

    /// Forgets every tenant; the time that was spent stays spent.
    pub(super) fn clear(&mut self) {
        self.slab.clear();
        self.by_id.clear();
        self.by_in_flight.clear();
        self.by_processing.clear();
        touch_each(self.seconds.len());
        self.seconds.clear();
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
        tenants.slide(at(3));
        assert!(tenants.by_processing.is_empty());
    }

    #[test]
    fn one_second_is_one_entry_of_a_window() {
        let mut window = Window::default();
        assert_eq!(
            [(1, 5), (1, 7), (2, 1)].map(|(second, spent)| window.add(second, spent)),
            [true, false, true]
        );
        assert_eq!(window.seconds, [(1, 12), (2, 1)]);
    }

    #[test]
    fn tenants_that_left_are_swept_away_and_those_that_stay_are_not() {
        let mut tenants = Tenants::new(1, SECOND);
        processed(&mut tenants, "stays", 1);
        let others: Vec<Slot> = (0..200).map(|id| processed(&mut tenants, &id.to_string(), 1)).collect();
        assert_eq!(tenants.seconds.len(), 201, "nobody has left");
        others.into_iter().for_each(|slot| tenants.leave(slot));
        processed(&mut tenants, "comes", 2);
        assert_eq!(tenants.seconds.len(), 2);
        assert_eq!(tenants.by_processing.len(), 2);
    }
}
