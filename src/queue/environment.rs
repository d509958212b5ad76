//! What the queues of one service have in common, and what a queue outside a service is built with.

use {
    super::{Budget, FactListener},
    crate::{
        clock::{Clock, SystemClock},
        limits::Limits,
        message::Seed,
        state::StaleDelete,
    },
    std::{
        hash::{BuildHasher, RandomState},
        sync::Arc,
    },
};

#[derive(Clone)]
pub(crate) struct Environment {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) limits: Arc<Limits>,
    /// Chosen by the user, or else drawn when the queue or the service is built.
    pub(crate) seed: Option<u64>,
    /// 1 in the strict profile.
    pub(crate) shards: usize,
    pub(crate) stale_delete: StaleDelete,
    pub(crate) budget: Budget,
    pub(crate) listeners: Vec<Arc<dyn FactListener>>,
}

impl Environment {
    pub(crate) fn new() -> Self {
        Self {
            clock: Arc::new(SystemClock::new()),
            limits: Arc::default(),
            seed: None,
            shards: 1,
            stale_delete: StaleDelete::default(),
            budget: Budget::new(),
            listeners: Vec::new(),
        }
    }

    /// Without a seed of the user's, each call gives another one.
    pub(crate) fn seed(&self) -> Seed {
        let random = || RandomState::new().hash_one(self.clock.now());
        Seed::new(self.seed.unwrap_or_else(random))
    }
}

/// The setters that `QueueBuilder` and `ServiceBuilder` share.
macro_rules! environment_setters {
    () => {
        /// The clock, by default [`SystemClock`](crate::SystemClock). Clones of a [`ManualClock`](crate::ManualClock)
        /// are the same clock.
        pub fn clock(mut self, clock: impl crate::clock::Clock) -> Self {
            self.environment.clock = std::sync::Arc::new(clock);
            self
        }

        /// Other limits than SQS's.
        pub fn limits(mut self, limits: crate::limits::Limits) -> Self {
            self.environment.limits = std::sync::Arc::new(limits);
            self
        }

        /// The seed of everything drawn by chance: same names, same seed, same steps, same bytes. By default a random
        /// one.
        ///
        /// The queues of one service never accept each other's receipt handles, not even one created after the other
        /// under the same name. Two services or two queues of their own that share seed and names are copies: where both
        /// have taken the same steps, a receipt handle of one is valid for the other. Who knows the seed can compute
        /// handles.
        pub const fn seed(mut self, seed: u64) -> Self {
            self.environment.seed = Some(seed);
            self
        }

        /// Spreads the messages of a standard queue over this many shards, kept within 1 to 1000 and by default 1. A
        /// short poll asks one shard: it returns fewer messages than it could, and out of order (D13, D14). 10 comes
        /// close to SQS.
        pub const fn shards(mut self, shards: usize) -> Self {
            self.environment.shards = shards;
            self
        }

        /// What deleting by a handle older than the latest receive does on a standard queue (D20).
        pub const fn stale_delete(mut self, stale_delete: crate::state::StaleDelete) -> Self {
            self.environment.stale_delete = stale_delete;
            self
        }

        /// How much each queue may hold, by default without limit.
        pub const fn budget(mut self, budget: crate::queue::Budget) -> Self {
            self.environment.budget = budget;
            self
        }

        /// Adds a listener for facts. Without any, no facts are built.
        pub fn listener(mut self, listener: impl crate::queue::FactListener) -> Self {
            self.environment.listeners.push(std::sync::Arc::new(listener));
            self
        }
    };
}
pub(crate) use environment_setters;
