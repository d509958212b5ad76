//! The turn to deliver on a FIFO topic: one thread at a time stores messages, so that all queues get them in one order.
//!
//! A turn is taken and given back within one call or one poll: no future holds it while it waits. Journals are asked for
//! room before, and waited for after it.

use {
    super::{
        Core, Inner,
        delivery::{Accepted, Admission, Delivery},
        message::{PublishMessage, Published},
        subscribers::FanOut,
    },
    crate::{
        message::Id,
        queue::in_listener,
        sync::{MutexGuard, thread_local, wake},
    },
    std::{
        cell::Cell,
        future::poll_fn,
        sync::Arc,
        task::{Context, Poll},
    },
};

/// What became of a message in its turn.
enum Outcome {
    /// It repeats another, or the thread that delivers has it.
    Over(Published),
    /// Its own delivery, and those that were left to this turn and are not safe yet.
    Stored { own: Delivery, others: Vec<Delivery> },
}

thread_local! {
    /// Whether this thread delivers messages of a FIFO topic.
    static DELIVERS: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread may wait for its turn.
///
/// A listener that publishes may not: the delivering thread may be waiting for this very listener, or for one that waits
/// for it. It leaves its message to that thread. So does foreign code that a delivery runs in another way, such as a
/// waker.
fn may_wait() -> bool {
    !in_listener() && !DELIVERS.with(Cell::get)
}

impl Inner {
    pub(super) fn publish_in_turn(&self, message: PublishMessage) -> Published {
        let mut core = self.core.lock();
        while core.delivering && may_wait() {
            self.delivered.wait(&mut core);
        }
        match self.publish_now(core, message, &Admission::Blocking) {
            Outcome::Over(published) => published,
            Outcome::Stored { own, others } => {
                let published = own.settle(&self.origin());
                for delivery in others {
                    let _ = delivery.settle(&self.origin());
                }
                published
            }
        }
    }

    /// The same for an async caller.
    pub(super) async fn publish_in_turn_async(&self, message: PublishMessage) -> Published {
        let mut message = Some(message);
        let outcome = loop {
            let fan_out = self.core.lock().subscribers.fan_out();
            let admission = match &message {
                Some(message) => fan_out.admit_async(message).await,
                None => Admission::Asked { refused: Vec::new() },
            };
            let turn = poll_fn(|context| self.poll_turn(&mut message, &fan_out, &admission, context));
            if let Some(outcome) = turn.await {
                break outcome;
            }
        };
        match outcome {
            Outcome::Over(published) => published,
            Outcome::Stored { own, others } => {
                let published = own.settle_async(&self.origin()).await;
                for delivery in others {
                    let _ = delivery.settle_async(&self.origin()).await;
                }
                published
            }
        }
    }

    /// Publishes the message when it has the turn, or answers `None` if others are subscribed than the journals were
    /// asked for.
    fn poll_turn(
        &self,
        message: &mut Option<PublishMessage>,
        asked_for: &Arc<FanOut>,
        admission: &Admission,
        context: &Context<'_>,
    ) -> Poll<Option<Outcome>> {
        let mut core = self.core.lock();
        if core.delivering && may_wait() {
            if !core.waiting.iter().any(|it| it.will_wake(context.waker())) {
                core.waiting.push(context.waker().clone());
            }
            return Poll::Pending;
        }
        if !Arc::ptr_eq(&core.subscribers.fan_out(), asked_for) {
            return Poll::Ready(None);
        }
        let message = message.take();
        Poll::Ready(message.map(|message| self.publish_now(core, message, admission)))
    }

    fn publish_now(&self, mut core: MutexGuard<'_, Core>, message: PublishMessage, admission: &Admission) -> Outcome {
        let now = self.clock.now();
        let id = message.message.get_message_deduplication_id().unwrap_or_default();
        if let Some(original) = core.memory.find(now, id, self.limits.deduplication_interval) {
            return Outcome::Over(Published {
                message_id: original.message_id,
                sequence_number: Some(original.sequence_number),
                repeated: true,
                delivered: 0,
                failures: Vec::new(),
            });
        }
        let accepted = core.accept(self, now, message);
        let published = accepted.published();
        core.accepted.push_back(accepted);
        if core.delivering {
            return Outcome::Over(published);
        }
        core.delivering = true;
        drop(core);
        self.deliver_accepted(published, admission)
    }

    /// Delivers until nothing is left that was accepted; the message of `published` is among it.
    fn deliver_accepted(&self, published: Published, admission: &Admission) -> Outcome {
        let turn = Turn {
            inner: self,
            over: Cell::new(false),
            delivers: Cell::new(None),
            nested: DELIVERS.with(|it| it.replace(true)),
        };
        let (mut own, mut others) = (None, Vec::new());
        while let Some(accepted) = turn.next() {
            let is_own = accepted.message_id == published.message_id;
            let delivery = accepted.store(&self.origin(), admission);
            if is_own {
                own = Some(delivery);
            } else if !delivery.is_settled() {
                others.push(delivery);
            }
        }
        match own {
            Some(own) => Outcome::Stored { own, others },
            None => Outcome::Over(published),
        }
    }
}

/// The right to deliver; whoever panics gives it back.
struct Turn<'t> {
    inner: &'t Inner,
    over: Cell<bool>,
    /// The deduplication id of the message that is being delivered.
    delivers: Cell<Option<Id>>,
    /// Whether the thread delivers messages of another topic.
    nested: bool,
}

impl Turn<'_> {
    /// Ends the turn, in the same step, if there is nothing more.
    fn next(&self) -> Option<Accepted> {
        let mut core = self.inner.core.lock();
        let next = core.accepted.pop_front();
        let id = next
            .as_ref()
            .and_then(|it| it.message.message.content().deduplication());
        self.delivers.set(id.cloned());
        if next.is_none() {
            self.end(core);
        }
        next
    }

    fn end(&self, mut core: MutexGuard<'_, Core>) {
        core.delivering = false;
        let waiting = std::mem::take(&mut core.waiting);
        drop(core);
        DELIVERS.with(|it| it.set(self.nested));
        self.over.set(true);
        self.inner.delivered.notify_all();
        wake(waiting);
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if self.over.get() {
            return;
        }
        let mut core = self.inner.core.lock();
        // Some queues may not have it. A repetition reaches them, and is dropped by FIFO queues that do.
        if let Some(id) = self.delivers.take() {
            core.memory.remove(id.as_str());
        }
        self.end(core);
    }
}
