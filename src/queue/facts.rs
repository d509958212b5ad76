//! Listeners of a queue's facts, and the delivery of facts to them.

use {
    super::{Core, Inner},
    crate::{
        state::FactEntry,
        sync::{MutexGuard, contain, thread_local},
    },
    crossbeam_channel::{Receiver, Sender, TrySendError, unbounded},
    std::{cell::Cell, sync::Arc},
};

/// Wants to know what happens in a queue.
///
/// Entries of one queue come in order and without gaps, on the thread whose call caused them or on one that was
/// handing on at that moment, and before that call returns. No lock is held meanwhile: a listener may use the queue or
/// another; what it causes is delivered when the listeners that run at that moment have returned, and it does not wait
/// for them. It must not wait for another thread that uses the queue, which may be waiting for it. A listener that
/// panics misses that entry; the queue goes on.
///
/// A closure is a listener.
///
/// # Examples
/// ```
/// use requeue::{FactEntry, Queue};
/// use std::sync::{Arc, Mutex};
///
/// let log = Arc::new(Mutex::new(Vec::new()));
/// let listener = {
///     let log = Arc::clone(&log);
///     move |_queue: &Arc<str>, entry: &FactEntry| log.lock().unwrap().push(entry.number)
/// };
/// let jobs = Queue::standard("jobs").listener(listener).build()?;
/// jobs.send("resize cat.png")?;
/// jobs.receive().blocking()?;
/// assert_eq!(*log.lock().unwrap(), [1, 2]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait FactListener: Send + Sync + 'static {
    /// Takes note of one fact of the queue with this ARN.
    fn on_fact(&self, queue: &Arc<str>, entry: &FactEntry);
}

impl<F: Fn(&Arc<str>, &FactEntry) + Send + Sync + 'static> FactListener for F {
    fn on_fact(&self, queue: &Arc<str>, entry: &FactEntry) {
        self(queue, entry);
    }
}

/// A [`FactListener`] that sends every fact into a channel, so that a program can `select!` on queue events.
///
/// A bounded channel that is full loses the fact rather than stopping the queue; the gap shows in the numbers.
///
/// # Examples
/// ```
/// use requeue::{Fact, FactChannel, Queue};
///
/// let (listener, facts) = FactChannel::unbounded();
/// let jobs = Queue::standard("jobs").listener(listener).build()?;
/// jobs.send("resize cat.png")?;
/// let (arn, entry) = facts.recv()?;
/// assert_eq!(&*arn, jobs.arn());
/// assert!(matches!(entry.fact, Fact::Sent { .. }));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct FactChannel {
    sender: Sender<(Arc<str>, FactEntry)>,
}

impl FactChannel {
    /// A channel without bound: nothing is lost, and memory grows if nobody reads.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{FactChannel, Queue};
    /// let (listener, facts) = FactChannel::unbounded();
    /// let jobs = Queue::standard("jobs").listener(listener).build()?;
    /// for number in 0..1_000 {
    ///     jobs.send(format!("resize {number}.png"))?;
    /// }
    /// assert!(facts.try_iter().map(|(_, entry)| entry.number).eq(1..=1_000));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn unbounded() -> (Self, Receiver<(Arc<str>, FactEntry)>) {
        let (sender, receiver) = unbounded();
        (Self { sender }, receiver)
    }

    /// A channel that holds at most `capacity` facts and loses what does not fit.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{FactChannel, Queue};
    /// let (listener, facts) = FactChannel::bounded(1);
    /// let jobs = Queue::standard("jobs").listener(listener).build()?;
    /// jobs.send("resize cat.png")?;
    /// jobs.send("resize dog.png")?; // the channel is full
    /// assert_eq!(facts.recv()?.1.number, 1);
    /// jobs.send("resize cow.png")?;
    /// assert_eq!(facts.recv()?.1.number, 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn bounded(capacity: usize) -> (Self, Receiver<(Arc<str>, FactEntry)>) {
        let (sender, receiver) = crossbeam_channel::bounded(capacity);
        (Self { sender }, receiver)
    }
}

impl FactListener for FactChannel {
    fn on_fact(&self, queue: &Arc<str>, entry: &FactEntry) {
        match self.sender.try_send((Arc::clone(queue), entry.clone())) {
            Ok(()) | Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {}
        }
    }
}

impl Inner {
    /// Delivers all facts so far, in order, and returns when the caller's own are with every listener.
    ///
    /// One thread delivers at a time, until nothing is left. A listener that calls a queue does not wait for its turn:
    /// the delivering thread may be waiting for this very listener, or for one that waits for it.
    pub(super) fn hand_on_facts(&self) {
        let mut core = self.core.lock();
        loop {
            if core.handing_on {
                // The thread that delivers checks `facts` again, under the lock, before it stops: none is left behind.
                if IN_LISTENER.with(Cell::get) {
                    return;
                }
                self.handed_on.wait(&mut core);
            } else if core.effects.facts.is_empty() {
                return;
            } else {
                core.handing_on = true;
                let facts = core.effects.take_facts();
                MutexGuard::unlocked(&mut core, || self.tell_listeners(&facts));
                core.handing_on = false;
                self.handed_on.notify_all();
            }
        }
    }

    fn tell_listeners(&self, facts: &[FactEntry]) {
        let nested = IN_LISTENER.with(|it| it.replace(true));
        for entry in facts {
            for listener in &self.listeners {
                contain(|| listener.on_fact(&self.arn, entry));
            }
        }
        IN_LISTENER.with(|it| it.set(nested));
    }
}

/// Whether this thread runs a listener, and so must not wait for a thread that calls a queue.
#[cfg(feature = "topics")]
pub(crate) fn in_listener() -> bool {
    IN_LISTENER.with(Cell::get)
}

thread_local! {
    /// Whether this thread runs a listener, of whatever queue.
    static IN_LISTENER: Cell<bool> = const { Cell::new(false) };
}

impl Core {
    pub(super) fn has_facts(&self) -> bool {
        !self.effects.facts.is_empty()
    }
}
