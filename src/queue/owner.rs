//! What a service needs of its queues: names, settings that name other queues, moves between queues.

#[cfg(feature = "journal")]
use crate::{
    state::{QueueState, Recorded},
    sync::contain,
};
#[cfg(feature = "testing")]
use {super::Message, crate::message::ReceiptHandle};
use {
    super::{Core, DeadLetterRoute, Inner, Position, Queue, Verb},
    crate::{attributes::QueueSettings, error::StorageError, state::Departure, time::Timestamp},
    std::sync::Arc,
};

/// Keeps queues by name. Its queues hold it weakly, the handles it gives out strongly.
pub(crate) trait Owner: Send + Sync + 'static {
    /// `queue` was deleted at `now`. No lock is held.
    fn queue_deleted(&self, queue: &Queue, now: Timestamp);

    /// The queue of this name has no redrive policy any more. Its lock is held.
    fn redrive_policy_removed(&self, name: &str);

    /// Ends the waits of all its queues, whose journal is closed. No lock is held.
    #[cfg(feature = "journal")]
    fn journal_closed(&self);
}

impl Inner {
    pub(super) fn owner(&self) -> Option<Arc<dyn Owner>> {
        self.owner.as_ref()?.upgrade()
    }

    /// Puts other settings in force, with their effect on stored messages, and with them another dead-letter route
    /// if one is given; without a redrive policy there is none. All in one step: `change` sees what is in force.
    ///
    /// `None` if the queue is deleted.
    fn change_settings<E>(
        &self,
        change: impl FnOnce(&QueueSettings) -> Result<(QueueSettings, Option<DeadLetterRoute>), E>,
    ) -> Option<Result<((), Position), E>> {
        // What the settings in force have made due happens under them.
        self.look(|_| ())?;
        // Dropped with the lock released: it may be the last handle of other queues.
        let owner = self.owner();
        let now = self.clock.now();
        let mut core = self.enter()?;
        let (mut settings, route) = match change(core.state.settings()) {
            Ok(changed) => changed,
            Err(error) => return Some(Err(error)),
        };
        settings.last_modified_timestamp = now;
        self.mirror(&settings);
        let Core {
            state,
            effects,
            route: held,
            ..
        } = &mut *core;
        let before = if settings.redrive_policy.is_none() {
            if let (Some(owner), Some(_)) = (&owner, &state.settings().redrive_policy) {
                owner.redrive_policy_removed(&self.name);
            }
            held.take()
        } else {
            route.and_then(|route| held.replace(route))
        };
        state.replace_settings(now, settings, effects);
        let position = self.leave(core, now);
        // Only with the lock released: it may be the last handle of another queue.
        drop(before);
        Some(Ok(((), position)))
    }
}

impl Queue {
    /// A handle that keeps the queue's owner alive.
    pub(crate) fn keep_alive(self) -> Self {
        Self {
            keep: self.inner.owner(),
            ..self
        }
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.inner.is_gone()
    }

    /// Whether the two are handles of one queue; two queues may bear the same name one after the other.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }

    /// The queue's number in its journal, 0 without one.
    pub(crate) fn number(&self) -> u64 {
        self.inner.recorder.as_ref().map_or(0, |recorder| recorder.number)
    }

    /// Whether its calls wait for a journal.
    #[cfg(feature = "worker")]
    pub(crate) fn is_recorded(&self) -> bool {
        self.inner.recorder.is_some()
    }

    /// The queue without its messages.
    #[cfg(feature = "journal")]
    pub(crate) fn header(&self) -> crate::state::QueueHeader {
        self.inner.core.lock().state.header(&self.inner.name)
    }

    /// Ends the queue's journal; `None` without one.
    #[cfg(feature = "journal")]
    pub(crate) fn close_journal(&self) -> Option<Result<(), StorageError>> {
        let closed = self.inner.recorder.as_ref().map(|recorder| recorder.log.close());
        if let (Some(_), Some(owner)) = (&closed, self.inner.owner()) {
            owner.journal_closed();
        }
        closed
    }

    /// Wakes all who wait for a message or for capacity, once the journal is closed: their next attempt is refused.
    #[cfg(feature = "journal")]
    pub(crate) fn end_waits(&self) {
        let mut core = self.inner.core.lock();
        core.recorded.closed = true;
        let receivers = core.receivers.notify_all();
        let waiting = receivers.chain(core.senders.notify_all());
        drop(core);
        waiting.for_each(|waker| contain(|| waker.wake()));
        self.inner.lined_up.notify_all();
    }

    /// Records again what is found by looking at the state, under its lock, so that it has its place among the facts.
    /// Answers 0 if nothing is found or the queue is deleted.
    #[cfg(feature = "journal")]
    pub(crate) fn carry(&self, find: impl FnOnce(&str, &QueueState, &mut dyn FnMut(Recorded))) -> Position {
        let (Some(recorder), Some(core)) = (&self.inner.recorder, self.inner.enter()) else {
            return 0;
        };
        let mut all = Vec::new();
        find(&self.inner.name, &core.state, &mut |recorded| all.push(recorded));
        recorder.log.record(recorder.number, &all)
    }

    /// Roughly how many bytes of a journal all that it holds would take.
    #[cfg(feature = "journal")]
    pub(crate) fn stored_bytes(&self) -> u64 {
        self.inner.core.lock().state.stored_bytes()
    }

    /// The message of a handle, unless it is gone or was received again.
    #[cfg(feature = "testing")]
    pub(crate) fn received_under(&self, handle: &ReceiptHandle) -> Option<Message> {
        let core = self.inner.core.lock();
        let receipt = self.inner.receipt(&core.state, handle).ok()?;
        let delivery = core.state.delivery(receipt)?;
        Some(Message::new(&self.inner, delivery))
    }

    /// The limits it was built with.
    #[cfg(all(feature = "testing", feature = "aws-sdk"))]
    pub(crate) fn limits_in_force(&self) -> &crate::limits::Limits {
        &self.inner.limits
    }

    /// When the next message in flight or delayed becomes visible.
    #[cfg(feature = "testing")]
    pub(crate) fn next_phase_end(&self) -> Option<Timestamp> {
        self.inner.look(|state| state.next_phase_end())?
    }

    /// The latest time that it has seen.
    #[cfg(feature = "testing")]
    pub(crate) fn observed_now(&self) -> Option<Timestamp> {
        self.inner.look(|state| state.observed_now())
    }

    /// Whether this receive of a message still hides it.
    #[cfg(feature = "testing")]
    pub(crate) fn is_held(&self, message: &Message) -> bool {
        let receipt = message.delivery.receipt;
        self.inner.look(|state| state.is_held(receipt)).unwrap_or(false)
    }

    /// When the latest purge took place.
    #[cfg(feature = "testing")]
    pub(crate) fn purged_at(&self) -> Option<Timestamp> {
        self.inner.core.lock().state.purged_at()
    }

    /// A number that no other queue has, not even a later one of the same name.
    #[cfg(feature = "aws-protocol")]
    pub(crate) fn nonce(&self) -> u64 {
        self.inner.nonce
    }

    /// Changes settings and dead-letter route in one step; see `Inner`. `None` if the queue is deleted.
    pub(crate) fn change_settings<E: From<StorageError>>(
        &self,
        change: impl FnOnce(&QueueSettings) -> Result<(QueueSettings, Option<DeadLetterRoute>), E>,
    ) -> Option<Result<(), E>> {
        const SETTINGS_BYTES: usize = 1 << 10;
        if let Err(error) = self.inner.admit(Verb::Manage, SETTINGS_BYTES) {
            return Some(Err(error.into()));
        }
        let changed = self.inner.change_settings(change)?;
        Some(changed.and_then(|((), position)| Ok(self.inner.settle(Verb::Manage, position)?)))
    }

    /// Takes the oldest visible message towards another queue; [`departed`](Self::departed) or
    /// [`departure_refused`](Self::departure_refused) must follow.
    pub(crate) fn depart_for_move(&self) -> Option<Departure> {
        loop {
            let now = self.inner.clock.now();
            let mut core = self.inner.enter()?;
            let Core { state, effects, .. } = &mut *core;
            state.depart_oldest(now, effects);
            let (departure, behind) = (effects.departures.pop(), state.is_behind());
            self.inner.leave(core, now);
            if departure.is_some() || !behind {
                return departure;
            }
        }
    }

    /// Takes in a message from a move task; false if the queue is deleted.
    pub(crate) fn arrive_by_move(&self, departure: &Departure) -> Result<bool, StorageError> {
        self.inner.admit(Verb::Send, departure.content.size_bytes())?;
        let now = self.inner.clock.now();
        let Some(mut core) = self.inner.enter() else {
            return Ok(false);
        };
        let message_id = core.draw_message_id();
        let Core { state, effects, .. } = &mut *core;
        state.arrive_by_move(now, departure, message_id, effects);
        self.inner.leave(core, now);
        Ok(true)
    }

    pub(crate) fn departed(&self, departure: &Departure) {
        self.inner.departed(departure);
    }

    pub(crate) fn departure_refused(&self, departure: &Departure) {
        self.inner.departure_refused(departure);
    }
}
