//! Looking at the world without touching it.

use super::types::*;
use super::world::{MEMORY_OF_PURGE, World};

impl World {
    /// The instant.
    #[must_use]
    pub(crate) fn now(&self) -> u64 {
        self.now
    }

    pub(crate) fn limits(&self) -> &ModelLimits {
        &self.limits
    }

    /// Whether a receive attempt of this id is remembered (F35).
    pub(crate) fn attempts(&self, queue: usize, request: &Request) -> bool {
        let id = request.receive_request_attempt_id.as_ref();
        let mut attempts = self.queues[queue].attempts.iter();
        attempts.any(|known| Some(&known.id) == id && self.now < known.at.saturating_add(FIVE_MINUTES))
    }

    /// The attributes of a queue as they are.
    #[must_use]
    pub(crate) fn setup(&self, queue: usize) -> &Setup {
        &self.queues[queue].setup
    }

    /// The noisy tenants of a fair queue, sorted by name (N3, N9).
    #[must_use]
    pub(crate) fn noisy_groups(&self, queue: usize) -> Vec<String> {
        self.queues[queue].noisy(self.now, &self.limits)
    }

    /// What is stored, in the order of arrival.
    #[must_use]
    pub(crate) fn snapshot(&self, queue: usize) -> Vec<Stored> {
        let it = &self.queues[queue];
        let stored = it.messages.iter().map(|message| Stored {
            id: message.id,
            serial: message.serial,
            body: message.body.clone(),
            phase: match message.phase {
                Phase::Visible { .. } => StoredPhase::Visible,
                Phase::Delayed { until } => StoredPhase::Delayed { until },
                Phase::InFlight { until } => StoredPhase::InFlight { until },
            },
            message_group_id: message.message_group_id.clone(),
            sent_at: message.sent_at,
            receive_count: message.receive_count,
            expires_at: message.retention_base.saturating_add(it.setup.message_retention_period),
            blocked: it.setup.fifo && message.is_visible() && !it.is_in_prefix(message),
        });
        stored.collect()
    }

    /// How many messages are where.
    #[must_use]
    pub(crate) fn counts(&self, queue: usize) -> Counts {
        let mut counts = Counts::default();
        for message in &self.queues[queue].messages {
            match message.phase {
                Phase::Visible { .. } => counts.visible += 1,
                Phase::InFlight { .. } => counts.not_visible += 1,
                Phase::Delayed { .. } => counts.delayed += 1,
            }
        }
        counts
    }

    /// Every instant ahead at which some rule changes its answer; those of the next ten minutes, or all.
    #[must_use]
    pub(crate) fn deadlines(&self, far: bool) -> Vec<u64> {
        let mut all = Vec::new();
        for it in &self.queues {
            for message in &it.messages {
                all.push(message.retention_base.saturating_add(it.setup.message_retention_period));
                if let Phase::Delayed { until } | Phase::InFlight { until } = message.phase {
                    all.push(until);
                }
            }
            all.extend(it.remembered.iter().map(|known| known.at.saturating_add(FIVE_MINUTES)));
            all.extend(it.attempts.iter().map(|known| known.at.saturating_add(FIVE_MINUTES)));
            all.extend(it.purged_at.map(|at| at.saturating_add(MEMORY_OF_PURGE)));
            all.extend(it.scopes.iter().map(|(at, _)| *at));
            all.extend(
                it.spent
                    .iter()
                    .map(|spent| (spent.end / SECOND * SECOND).saturating_add(FIVE_MINUTES)),
            );
        }
        all.retain(|at| *at > self.now && (far || *at < self.now.saturating_add(2 * FIVE_MINUTES)));
        all.sort_unstable();
        all.dedup();
        all
    }
}
