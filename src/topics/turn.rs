//! The turn to deliver on a FIFO topic: one thread at a time stores messages, so that all queues get them in one order.
//!
//! A turn is taken and given back within one call or one poll: no future holds it while it waits. Futures wait for the room
//! of journals before it, and for their entries after it.

use {
    super::{
        Core, Inner,
        delivery::{Accepted, Delivery},
        message::{PublishMessage, Published},
    },
    crate::{
        message::Id,
        queue::in_listener,
        sync::{MutexGuard, thread_local, wake},
    },
    std::{
        cell::Cell,
        collections::BTreeMap,
        future::poll_fn,
        task::{Context, Poll, Waker},
    },
};

/// What became of a message in its turn.
enum Outcome {
    /// It repeats another, or the thread that delivers has it.
    Over(Published),
    /// Its own delivery, and those that were left to this turn and are not safe yet.
    Stored { own: Delivery, others: Vec<Delivery> },
}

/// Futures that wait for their turn, by tickets.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    wakers: BTreeMap<u64, Waker>,
    tickets: u64,
}

impl Waiting {
    /// Adds a future, or the waker that one has by now.
    fn add(&mut self, ticket: &mut Option<u64>, waker: &Waker) {
        let ticket = *ticket.get_or_insert_with(|| {
            self.tickets += 1;
            self.tickets
        });
        self.wakers.insert(ticket, waker.clone());
    }

    /// All of them, in the order in which they came.
    fn take(&mut self) -> impl Iterator<Item = Waker> + use<> {
        std::mem::take(&mut self.wakers).into_values()
    }
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
        match self.publish_now(core, message) {
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
        let fan_out = self.core.lock().subscribers.fan_out();
        fan_out.wait_for_room(&message).await;
        let (mut message, mut ticket) = (Some(message), None);
        let outcome = poll_fn(|context| self.poll_turn(&mut message, &mut ticket, context)).await;
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

    /// Publishes the message when it has the turn.
    fn poll_turn(
        &self,
        message: &mut Option<PublishMessage>,
        ticket: &mut Option<u64>,
        context: &Context<'_>,
    ) -> Poll<Outcome> {
        let mut core = self.core.lock();
        if core.delivering && may_wait() {
            core.waiting.add(ticket, context.waker());
            return Poll::Pending;
        }
        match message.take() {
            Some(message) => Poll::Ready(self.publish_now(core, message)),
            None => Poll::Pending,
        }
    }

    fn publish_now(&self, mut core: MutexGuard<'_, Core>, message: PublishMessage) -> Outcome {
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
        self.deliver_accepted(published)
    }

    /// Delivers until nothing is left that was accepted; the message of `published` is among it.
    fn deliver_accepted(&self, published: Published) -> Outcome {
        let turn = Turn {
            inner: self,
            over: Cell::new(false),
            delivers: Cell::new(None),
            nested: DELIVERS.with(|it| it.replace(true)),
        };
        let (mut own, mut others) = (None, Vec::new());
        while let Some(accepted) = turn.next() {
            let is_own = accepted.message_id == published.message_id;
            let delivery = accepted.store(&self.origin());
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
        let waiting = core.waiting.take();
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
