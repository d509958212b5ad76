//! Who is subscribed, and which of them a message is for.

use {
    super::{
        message::PublishMessage,
        policy::{FilterPolicy, FilterPolicyScope, Index},
    },
    crate::queue::Queue,
    std::sync::Arc,
};

/// One subscription as it is at present; a change makes another one of the same number.
#[derive(Debug)]
pub(super) struct Subscriber {
    pub(super) number: u64,
    pub(super) arn: Arc<str>,
    pub(super) queue: Queue,
    pub(super) attributes: Attributes,
}

impl Subscriber {
    /// The queue and its dead-letter queue.
    pub(super) fn queues(&self) -> impl Iterator<Item = &Queue> {
        std::iter::once(&self.queue).chain(&self.attributes.dead_letter)
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct Attributes {
    pub(super) policy: Option<FilterPolicy>,
    pub(super) raw: bool,
    pub(super) dead_letter: Option<Queue>,
}

impl Attributes {
    pub(super) fn is_same_as(&self, other: &Self) -> bool {
        let same_queue = match (&self.dead_letter, &other.dead_letter) {
            (None, None) => true,
            (Some(queue), Some(other)) => queue.is(other),
            _ => false,
        };
        same_queue && (&self.policy, self.raw) == (&other.policy, other.raw)
    }
}

/// In the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Subscribers {
    all: Vec<Arc<Subscriber>>,
    /// Of `all`, made when it is asked for.
    fan_out: Option<Arc<FanOut>>,
    /// How many there ever were.
    pub(super) created: u64,
}

/// What a change leaves behind. It may hold the last handles of queues, so it is dropped with the lock released.
pub(super) type Leftover = (Option<Arc<Subscriber>>, Option<Arc<FanOut>>);

impl Subscribers {
    pub(super) fn all(&self) -> &[Arc<Subscriber>] {
        &self.all
    }

    pub(super) fn get(&self, number: u64) -> Option<&Arc<Subscriber>> {
        self.place(number).map(|at| &self.all[at])
    }

    pub(super) fn with_policy(&self) -> usize {
        let policies = self.all.iter().filter(|it| it.attributes.policy.is_some());
        policies.count()
    }

    pub(super) fn push(&mut self, subscriber: Arc<Subscriber>) -> Leftover {
        self.all.push(subscriber);
        (None, self.fan_out.take())
    }

    /// Takes the place of the one with its number.
    pub(super) fn replace(&mut self, subscriber: Arc<Subscriber>) -> Leftover {
        let Some(at) = self.place(subscriber.number) else {
            return (Some(subscriber), None);
        };
        let before = std::mem::replace(&mut self.all[at], subscriber);
        (Some(before), self.fan_out.take())
    }

    pub(super) fn remove(&mut self, number: u64) -> Option<Leftover> {
        const A_FEW: usize = 16;
        let removed = self.all.remove(self.place(number)?);
        let wanted = (2 * self.all.len()).max(A_FEW);
        if self.all.capacity() > 2 * wanted {
            self.all.shrink_to(wanted);
        }
        Some((Some(removed), self.fan_out.take()))
    }

    /// Those of now; compiles their policies after a change.
    pub(super) fn fan_out(&mut self) -> Arc<FanOut> {
        Arc::clone(self.fan_out.get_or_insert_with(|| Arc::new(FanOut::new(&self.all))))
    }

    fn place(&self, number: u64) -> Option<usize> {
        self.all.binary_search_by_key(&number, |it| it.number).ok()
    }
}

/// All subscriptions at one instant, found by what a message has.
#[derive(Debug)]
pub(super) struct FanOut {
    subscribers: Vec<Arc<Subscriber>>,
    /// Those without a policy.
    unfiltered: Vec<u32>,
    by_attributes: Index,
    by_body: Index,
    /// Whether any of their queues has a journal.
    journaled: bool,
}

impl FanOut {
    fn new(subscribers: &[Arc<Subscriber>]) -> Self {
        let numbered = (0..).zip(subscribers);
        let of_scope = |scope| {
            let policies = numbered.clone();
            let policies = policies.filter_map(|(at, it)| Some((at, it.attributes.policy.as_ref()?)));
            Index::new(policies.filter(move |(_, policy)| policy.scope() == scope))
        };
        let without = numbered.clone().filter(|(_, it)| it.attributes.policy.is_none());
        Self {
            subscribers: subscribers.to_vec(),
            unfiltered: without.map(|(at, _)| at).collect(),
            by_attributes: of_scope(FilterPolicyScope::MessageAttributes),
            by_body: of_scope(FilterPolicyScope::MessageBody),
            journaled: subscribers.iter().flat_map(|it| it.queues()).any(Queue::has_journal),
        }
    }

    pub(super) const fn is_journaled(&self) -> bool {
        self.journaled
    }

    /// Those that the message is for, in the order of their subscriptions.
    pub(super) fn matching(&self, message: &PublishMessage) -> impl Iterator<Item = &Arc<Subscriber>> {
        let mut matching = self.unfiltered.clone();
        if !self.by_attributes.is_empty() {
            self.by_attributes
                .match_attributes(message.get_attributes(), &mut matching);
        }
        if !self.by_body.is_empty() {
            self.by_body.match_body(message.body(), &mut matching);
        }
        matching.sort_unstable();
        matching.dedup();
        matching.into_iter().map(|at| &self.subscribers[at as usize])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subscriptions_that_are_gone_leave_no_memory() {
        let queue = Queue::standard("jobs").build().unwrap();
        let mut subscribers = Subscribers::default();
        for number in 1..=10_000 {
            subscribers.push(Arc::new(Subscriber {
                number,
                arn: "arn".into(),
                queue: queue.clone(),
                attributes: Attributes::default(),
            }));
        }
        for number in 2..=10_000 {
            assert!(subscribers.remove(number).is_some());
        }
        assert!(subscribers.all.capacity() <= 32 && subscribers.get(1).is_some());
    }
}
