//! Quotas of calls per second, for endpoints that enforce them (section 9, F40).
//!
//! They are those of FIFO queues; standard queues have none. Each of sending, receiving and deleting has its own on
//! each queue, in calls and in messages. A call that finds its queue counts as one, a batch too, whatever becomes of
//! it; in messages it counts what it sends or deletes, or what it has received. A call that is refused for its quota
//! counts as nothing. A quota is a bucket of tokens that holds one second's worth, refilled evenly.

use {
    super::fault::Fault,
    crate::{
        attributes::{DeduplicationScope, FifoThroughputLimit, QueueSettings},
        limits::Limits,
        queue::Queue,
        service::Service,
        sync::Mutex,
        time::Timestamp,
    },
    std::{collections::BTreeMap, ops::Bound},
};

/// What a call asks of its queue.
#[derive(Clone, Copy, Debug)]
pub(super) enum Load<'a> {
    /// A message for each, with its group.
    Send(&'a [Option<&'a str>]),
    Receive,
    /// So many messages.
    Delete(usize),
}

/// The quotas of all queues of an endpoint.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    meters: Mutex<Meters>,
}

impl Throttle {
    /// Counts a call if all its quotas allow it.
    pub(super) fn admit(&self, service: &Service, queue: &Queue, load: Load<'_>) -> Result<(), Fault> {
        if !queue.is_fifo() {
            return Ok(());
        }
        let charges = charges(service, queue, load);
        let now = service.clock().now();
        if self.meters.lock().admit(now, charges) {
            Ok(())
        } else {
            Err(Fault::throttled())
        }
    }

    /// Counts what a receive returned, beyond the quota if need be: the next receives wait for that.
    pub(super) fn received(&self, service: &Service, queue: &Queue, messages: usize) {
        if !queue.is_fifo() || messages == 0 {
            return;
        }
        let rates = Rates::of(&queue.settings(), service.limits(), service.region());
        let charge = Charge::new(
            Meter::of(queue, Action::Receive),
            Unit::Messages,
            rates.messages,
            messages,
        );
        let now = service.clock().now();
        self.meters.lock().take(now, charge);
    }
}

/// Tokens per second.
#[derive(Debug, Eq, PartialEq)]
struct Rates {
    calls: u32,
    messages: u32,
    /// The same for sends to one message group, where they have a quota of their own.
    group: Option<(u32, u32)>,
}

impl Rates {
    /// F40.
    fn of(settings: &QueueSettings, limits: &Limits, region: &str) -> Self {
        let high_throughput = settings.deduplication_scope == DeduplicationScope::MessageGroup
            && settings.fifo_throughput_limit == FifoThroughputLimit::PerMessageGroupId;
        if !high_throughput {
            return Self {
                calls: limits.fifo_calls,
                messages: limits.fifo_messages,
                group: None,
            };
        }
        let calls = limits.fifo_high_throughput_calls;
        let calls = calls.unwrap_or_else(|| high_throughput_calls(region));
        let messages = limits.fifo_high_throughput_messages;
        Self {
            calls,
            messages: messages.unwrap_or_else(|| calls.saturating_mul(10)),
            group: Some((limits.fifo_group_calls, limits.fifo_group_messages)),
        }
    }
}

/// What a queue in high-throughput mode takes, by region (section 9).
fn high_throughput_calls(region: &str) -> u32 {
    match region {
        "us-east-1" | "us-west-2" | "eu-west-1" => 70_000,
        "us-east-2" | "eu-central-1" => 19_000,
        "ap-south-1" | "ap-southeast-1" | "ap-southeast-2" | "ap-northeast-1" => 9_000,
        "eu-west-2" | "sa-east-1" => 4_500,
        _ => 2_400,
    }
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Action {
    Send,
    Receive,
    Delete,
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Unit {
    Calls,
    Messages,
}

/// What a quota is of: an action on a queue, or for one message group of it.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Meter {
    /// The nonce of the queue, which a later queue of its name does not have.
    queue: u64,
    action: Action,
    group: Option<Box<str>>,
}

impl Meter {
    fn of(queue: &Queue, action: Action) -> Self {
        Self {
            queue: queue.nonce(),
            action,
            group: None,
        }
    }
}

type Key = (Meter, Unit);

/// Tokens to be taken from one bucket.
#[derive(Debug)]
struct Charge {
    key: Key,
    rate: u32,
    /// How many have to be there; it may be more than are taken.
    needed: usize,
    taken: usize,
}

impl Charge {
    fn new(meter: Meter, unit: Unit, rate: u32, tokens: usize) -> Self {
        Self {
            key: (meter, unit),
            rate,
            needed: tokens,
            taken: tokens,
        }
    }
}

fn charges(service: &Service, queue: &Queue, load: Load<'_>) -> Vec<Charge> {
    let rates = Rates::of(&queue.settings(), service.limits(), service.region());
    let (action, needed, taken) = match load {
        Load::Send(groups) => (Action::Send, groups.len(), groups.len()),
        // How many it takes is known when it is over; until then one free call is enough.
        Load::Receive => (Action::Receive, 1, 0),
        Load::Delete(messages) => (Action::Delete, messages, messages),
    };
    let meter = Meter::of(queue, action);
    let mut charges = vec![
        Charge::new(meter.clone(), Unit::Calls, rates.calls, 1),
        Charge {
            taken,
            ..Charge::new(meter.clone(), Unit::Messages, rates.messages, needed)
        },
    ];
    if let (Load::Send(groups), Some((calls, messages))) = (load, rates.group) {
        let mut by_group = BTreeMap::<&str, usize>::new();
        for group in groups.iter().flatten() {
            *by_group.entry(group).or_default() += 1;
        }
        for (group, count) in by_group {
            let meter = Meter {
                group: Some(group.into()),
                ..meter.clone()
            };
            charges.push(Charge::new(meter.clone(), Unit::Calls, calls, 1));
            charges.push(Charge::new(meter, Unit::Messages, messages, count));
        }
    }
    charges
}

/// The buckets that are not full: one that is full is as good as none, so that nothing is kept for long of a queue that
/// is deleted or not called.
#[derive(Debug, Default)]
struct Meters {
    buckets: BTreeMap<Key, Bucket>,
    /// Where the search for full ones goes on.
    searched: Option<Key>,
}

impl Meters {
    /// A call looks at so many buckets for full ones, which is more than a call adds.
    const LOOKED_AT: usize = 32;

    /// Takes all charges or none.
    fn admit(&mut self, now: Timestamp, charges: Vec<Charge>) -> bool {
        self.forget_full(now);
        let has_room = |charge: &Charge| {
            let missing = self.buckets.get(&charge.key).map_or(0, |bucket| bucket.missing(now));
            missing.saturating_add(thousandths(charge.needed)) <= u64::from(charge.rate) * 1_000
        };
        let room = charges.iter().all(has_room);
        if room {
            charges.into_iter().for_each(|charge| self.take(now, charge));
        }
        room
    }

    fn take(&mut self, now: Timestamp, charge: Charge) {
        if charge.taken > 0 {
            let bucket = self.buckets.entry(charge.key).or_default();
            *bucket = Bucket {
                missing: bucket.missing(now).saturating_add(thousandths(charge.taken)),
                at: bucket.at.max(now),
                rate: charge.rate,
            };
        }
    }

    fn forget_full(&mut self, now: Timestamp) {
        let after = self.searched.take().map_or(Bound::Unbounded, Bound::Excluded);
        let mut looked_at = self.buckets.range((after, Bound::Unbounded));
        let (mut full, mut last) = (Vec::new(), None);
        for _ in 0..Self::LOOKED_AT {
            last = looked_at.next();
            let Some((key, bucket)) = last else { break };
            if bucket.missing(now) == 0 {
                full.push(key.clone());
            }
        }
        self.searched = last.map(|(key, _)| key.clone());
        for key in &full {
            self.buckets.remove(key);
        }
    }
}

/// A bucket of tokens, by what is missing in it.
#[derive(Debug, Default)]
struct Bucket {
    /// In thousandths of a token, so that a whole number flows in per millisecond.
    missing: u64,
    /// When so much was missing.
    at: Timestamp,
    /// Tokens per second that flow in.
    rate: u32,
}

impl Bucket {
    fn missing(&self, now: Timestamp) -> u64 {
        let millis = now.as_millis().saturating_sub(self.at.as_millis());
        self.missing.saturating_sub(millis.saturating_mul(u64::from(self.rate)))
    }
}

fn thousandths(tokens: usize) -> u64 {
    u64::try_from(tokens).unwrap_or(u64::MAX).saturating_mul(1_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{attributes::QueueAttributes, clock::ManualClock};
    use std::time::Duration;

    fn rates(region: &str, limits: &Limits) -> Rates {
        let settings = QueueSettings {
            deduplication_scope: DeduplicationScope::MessageGroup,
            fifo_throughput_limit: FifoThroughputLimit::PerMessageGroupId,
            ..QueueSettings::fifo(limits)
        };
        Rates::of(&settings, limits, region)
    }

    #[test]
    fn high_throughput_is_what_the_region_or_the_limits_give() {
        // F40
        for (region, calls) in [
            ("us-east-1", 70_000),
            ("eu-central-1", 19_000),
            ("ap-northeast-1", 9_000),
            ("sa-east-1", 4_500),
            ("mars-north-1", 2_400),
        ] {
            let expected = Rates {
                calls,
                messages: calls * 10,
                group: Some((300, 3_000)),
            };
            assert_eq!(rates(region, &Limits::aws()), expected);
        }
        let mut limits = Limits::aws();
        limits.fifo_high_throughput_calls = Some(7);
        assert_eq!(
            (rates("us-east-1", &limits).calls, rates("us-east-1", &limits).messages),
            (7, 70)
        );
        limits.fifo_high_throughput_messages = Some(8);
        assert_eq!(rates("us-east-1", &limits).messages, 8);
    }

    #[test]
    fn only_both_attributes_together_are_high_throughput() {
        // F40 Q23
        let limits = Limits::aws();
        for scope in [DeduplicationScope::Queue, DeduplicationScope::MessageGroup] {
            let settings = QueueSettings {
                deduplication_scope: scope,
                ..QueueSettings::fifo(&limits)
            };
            let normal = Rates {
                calls: 300,
                messages: 3_000,
                group: None,
            };
            assert_eq!(Rates::of(&settings, &limits, "us-east-1"), normal);
        }
    }

    #[test]
    fn a_bucket_lets_its_rate_through_in_any_second_after_the_first() {
        let mut meters = Meters::default();
        let mut admitted = 0;
        for milli in 0..=10_000 {
            let meter = Meter {
                queue: 1,
                action: Action::Send,
                group: None,
            };
            let now = Timestamp::from_millis(5_000 + milli);
            let charge = Charge::new(meter, Unit::Calls, 300, 1);
            admitted += usize::from(meters.admit(now, vec![charge]));
        }
        assert_eq!(admitted, 300 + 10 * 300, "a full bucket, and what flowed in");
    }

    #[test]
    fn a_clock_that_jumps_back_fills_no_bucket() {
        let mut meters = Meters::default();
        let mut admit = |secs: u64| {
            let meter = Meter {
                queue: 1,
                action: Action::Send,
                group: None,
            };
            let charge = Charge::new(meter, Unit::Calls, 2, 1);
            meters.admit(Timestamp::from_millis(secs * 1_000), vec![charge])
        };
        assert!(admit(100) && admit(50) && !admit(51) && !admit(100) && admit(101));
    }

    #[test]
    fn nothing_is_kept_of_queues_that_are_not_called() {
        let clock = ManualClock::default();
        let service = Service::builder().clock(clock.clone()).build();
        let (throttle, fifo) = (Throttle::default(), QueueAttributes::new().fifo_queue(true));
        let queues: Vec<_> = (0..50)
            .map(|number| service.create_queue(&format!("{number}.fifo"), fifo.clone()).unwrap())
            .collect();
        for queue in &queues {
            throttle.admit(&service, queue, Load::Send(&[None])).unwrap();
            throttle.received(&service, queue, 3_001);
            queue.delete_queue().unwrap();
        }
        assert_eq!(throttle.meters.lock().buckets.len(), 150);
        let last = service.create_queue("last.fifo", fifo).unwrap();
        for left in [51, 1] {
            // A second fills all but the buckets that owe a message.
            clock.advance(Duration::from_secs(1));
            // One call more, for the search starts in the middle and ends a call at the last bucket.
            for _ in 0..=150 / Meters::LOOKED_AT + 1 {
                let before = throttle.meters.lock().buckets.len();
                throttle.admit(&service, &last, Load::Receive).unwrap();
                let after = throttle.meters.lock().buckets.len();
                assert!(before <= after + Meters::LOOKED_AT, "one call did the work of all");
            }
            assert_eq!(throttle.meters.lock().buckets.len(), left);
        }
    }
}
