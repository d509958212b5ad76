//! Where messages that were received too often go, and their two-phase way there.

use {
    super::{Inner, Queue},
    crate::state::Departure,
    std::sync::{Arc, Weak},
};

/// The dead-letter queue of a queue.
#[derive(Clone, Debug)]
pub(crate) enum DeadLetterRoute {
    /// Kept alive by the source: a queue outside a service has nobody else to keep it.
    Owned(Queue),
    /// Kept alive by the service both belong to; routes of a service may form a circle.
    InService(Weak<Inner>),
}

impl DeadLetterRoute {
    pub(crate) fn in_service(target: &Queue) -> Self {
        Self::InService(Arc::downgrade(&target.inner))
    }

    /// The target, unless it is gone.
    pub(super) fn target(&self) -> Option<Arc<Inner>> {
        let target = match self {
            Self::Owned(queue) => Some(Arc::clone(&queue.inner)),
            Self::InService(target) => target.upgrade(),
        };
        target.filter(|target| !target.is_gone())
    }
}

impl Inner {
    /// Brings departures to the dead-letter queue, holding one lock at a time; what it does not take stays here.
    pub(super) fn transfer(&self, route: Option<&DeadLetterRoute>, departures: &[Departure]) {
        let target = route.and_then(DeadLetterRoute::target);
        for departure in departures {
            let arrived = target
                .as_ref()
                .is_some_and(|target| target.arrive_dead_letter(departure, &self.arn));
            if arrived {
                self.departed(departure);
            } else {
                self.departure_refused(departure);
            }
        }
    }

    /// Says whether the message is stored here.
    fn arrive_dead_letter(&self, departure: &Departure, source_arn: &Arc<str>) -> bool {
        let now = self.clock.now();
        let Some(mut core) = self.enter() else {
            return false;
        };
        let core_ref = &mut *core;
        core_ref
            .state
            .arrive_dead_letter(now, departure, source_arn, &mut core_ref.effects);
        self.leave(core);
        true
    }

    pub(super) fn departed(&self, departure: &Departure) {
        let now = self.clock.now();
        if let Some(mut core) = self.enter() {
            let core_ref = &mut *core;
            core_ref.state.departed(now, departure, &mut core_ref.effects);
            self.leave(core);
        }
    }

    pub(super) fn departure_refused(&self, departure: &Departure) {
        if let Some(mut core) = self.enter() {
            core.state.departure_refused(departure);
            self.leave(core);
        }
    }
}
