//! Who listens to a queue's facts, and how they are handed on.

use {
    super::{Core, Inner},
    crate::{state::Entry, sync::MutexGuard},
    crossbeam_channel::{Receiver, Sender, TrySendError, unbounded},
    std::{
        panic::{AssertUnwindSafe, catch_unwind},
        sync::Arc,
        thread,
    },
};

/// Wants to know what happens in a queue.
///
/// Entries of one queue come in order and without gaps, on the thread whose call caused them or on one that was
/// handing on at that moment, and before that call returns. No lock is held meanwhile: a listener may use the queue,
/// and what it causes is handed on after it returns. A listener that panics misses that entry; the queue goes on.
///
/// # Examples
/// ```
/// use requeue::{Entry, FactListener, Queue};
/// use std::sync::{Arc, Mutex};
///
/// #[derive(Clone, Default)]
/// struct Log(Arc<Mutex<Vec<u64>>>);
/// impl FactListener for Log {
///     fn on_fact(&self, _queue: &Arc<str>, entry: &Entry) {
///         self.0.lock().unwrap().push(entry.number);
///     }
/// }
///
/// let log = Log::default();
/// let jobs = Queue::standard("jobs").listener(log.clone()).build()?;
/// jobs.send("resize cat.png")?;
/// jobs.receive().blocking()?;
/// assert_eq!(*log.0.lock().unwrap(), [1, 2]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait FactListener: Send + Sync + 'static {
    /// Takes note of one fact of the queue with this ARN.
    fn on_fact(&self, queue: &Arc<str>, entry: &Entry);
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
    sender: Sender<(Arc<str>, Entry)>,
}

impl FactChannel {
    /// A channel without bound: nothing is lost, and memory grows if nobody reads.
    #[must_use]
    pub fn unbounded() -> (Self, Receiver<(Arc<str>, Entry)>) {
        let (sender, receiver) = unbounded();
        (Self { sender }, receiver)
    }

    /// A channel that holds at most `capacity` facts and loses what does not fit.
    #[must_use]
    pub fn bounded(capacity: usize) -> (Self, Receiver<(Arc<str>, Entry)>) {
        let (sender, receiver) = crossbeam_channel::bounded(capacity);
        (Self { sender }, receiver)
    }
}

impl FactListener for FactChannel {
    fn on_fact(&self, queue: &Arc<str>, entry: &Entry) {
        match self.sender.try_send((Arc::clone(queue), entry.clone())) {
            Ok(()) | Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {}
        }
    }
}

impl Inner {
    /// Hands on all facts so far, in order, and returns when the caller's own are with every listener.
    ///
    /// One thread hands on at a time. A listener that calls its own queue gets back at once: its facts follow when
    /// it has returned.
    pub(super) fn hand_on_facts(&self) {
        let this_thread = thread::current().id();
        let mut core = self.core.lock();
        loop {
            match core.handing_on {
                Some(thread) if thread == this_thread => return,
                Some(_) => self.handed_on.wait(&mut core),
                None if core.effects.facts.is_empty() => return,
                None => {
                    core.handing_on = Some(this_thread);
                    let facts = std::mem::take(&mut core.effects.facts);
                    MutexGuard::unlocked(&mut core, || self.tell_listeners(&facts));
                    core.handing_on = None;
                    self.handed_on.notify_all();
                }
            }
        }
    }

    fn tell_listeners(&self, facts: &[Entry]) {
        for entry in facts {
            for listener in &self.listeners {
                // The panic hook has reported it; the queue must not fail for what its audience does.
                let _ = catch_unwind(AssertUnwindSafe(|| listener.on_fact(&self.arn, entry)));
            }
        }
    }
}

impl Core {
    pub(super) fn has_facts(&self) -> bool {
        !self.effects.facts.is_empty()
    }
}
