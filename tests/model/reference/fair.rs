//! Fair queues in the reference: which tenants are noisy (N3, N9).

use super::store::{Message, RefQueue};
use super::types::{FIVE_MINUTES, ModelLimits, SECOND};

impl RefQueue {
    /// The noisy tenants, sorted by name; a message without a group id belongs to none.
    pub(super) fn noisy(&self, now: u64, limits: &ModelLimits) -> Vec<String> {
        if self.setup.fifo {
            return Vec::new();
        }
        let mut tenants: Vec<String> = self
            .messages
            .iter()
            .filter_map(|message| message.message_group_id.clone())
            .collect();
        tenants.sort_unstable();
        tenants.dedup();
        tenants.retain(|tenant| self.is_crowding(tenant, limits) || self.is_hogging(tenant, now));
        tenants
    }

    pub(super) fn in_flight_of(&self, tenant: &str) -> usize {
        let own = self
            .messages
            .iter()
            .filter(|message| message.message_group_id.as_deref() == Some(tenant));
        own.filter(|message| message.is_in_flight()).count()
    }

    /// N3 (a).
    fn is_crowding(&self, tenant: &str, limits: &ModelLimits) -> bool {
        let total = self.messages.iter().filter(|message| message.is_in_flight()).count();
        let own = self.in_flight_of(tenant);
        own >= limits.noisy_in_flight && own * 10 > total
    }

    /// N3 (b): finished receptions alone count, each until five minutes after the second in which it ended.
    fn is_hogging(&self, tenant: &str, now: u64) -> bool {
        let is_other = |message: &Message| message.message_group_id.as_deref() != Some(tenant);
        if !self.messages.iter().any(is_other) {
            return false;
        }
        let (mut own, mut total) = (0, 0);
        for spent in &self.spent {
            if now / SECOND < spent.end / SECOND + FIVE_MINUTES / SECOND {
                total += spent.span;
                if spent.tenant.as_deref() == Some(tenant) {
                    own += spent.span;
                }
            }
        }
        own * 10 > total
    }
}
