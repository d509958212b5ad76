//! The fixture that a checked implementation provides.

use {
    crate::backend::MessageQueue,
    std::{future::Future, time::Duration},
};

/// Makes queues of an implementation, and lets their time pass.
///
/// # Examples
/// Queues in memory, in real time; [`InProcess`](super::InProcess) is more of the same in virtual time:
/// ```
/// use requeue::{Clock, Parker, Queue, SystemClock, testing::conformance::{Created, Fixture, Wanted, requirements}};
/// use std::time::Duration;
///
/// struct InMemory;
///
/// impl Fixture for InMemory {
///     type Queue = Queue;
///     async fn create(&self, wanted: Wanted) -> Created<Queue> {
///         let (jobs, failed) = match wanted.fifo {
///             true => (Queue::fifo("jobs.fifo"), Queue::fifo("failed.fifo")),
///             false => (Queue::standard("jobs"), Queue::standard("failed")),
///         };
///         let (jobs, failed) = (jobs.visibility_timeout(wanted.visibility_timeout), failed.build().unwrap());
///         if wanted.dead_letter_queue {
///             Created::new(jobs.dead_letter(&failed, 1_000).build().unwrap(), Some(failed))
///         } else {
///             Created::new(jobs.build().unwrap(), None)
///         }
///     }
///     async fn delete_queue(&self, queue: &Queue) {
///         queue.delete_queue().unwrap();
///     }
///     async fn pass(&self, span: Duration) {
///         let clock = SystemClock::new();
///         clock.park_until(&Parker::new(), Some(clock.now().saturating_add(span)));
///     }
///     fn run<T>(&self, check: impl Future<Output = T>) -> T {
///         pollster::block_on(check)
///     }
/// }
///
/// let all = requirements();
/// all.iter().find(|it| it.name() == "messages_arrive_as_sent").unwrap().check(&InMemory);
/// ```
pub trait Fixture {
    /// The implementation.
    type Queue: MessageQueue;

    /// Makes an empty queue, unlike any made before.
    fn create(&self, wanted: Wanted) -> impl Future<Output = Created<Self::Queue>>;

    /// Deletes a queue; it does not exist any more when the future completes.
    fn delete_queue(&self, queue: &Self::Queue) -> impl Future<Output = ()>;

    /// Completes when this much time has passed for the queues.
    fn pass(&self, span: Duration) -> impl Future<Output = ()>;

    /// Runs a future to completion; while it waits only for time, time has to pass.
    fn run<T>(&self, check: impl Future<Output = T>) -> T;

    /// How many messages a queue holds, visible or not, if that is known exactly.
    fn messages_in(&self, queue: &Self::Queue) -> Option<usize> {
        let _ = queue;
        None
    }
}

/// A queue that a requirement asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Wanted {
    /// A FIFO queue, or else a standard queue. Messages to a FIFO queue have deduplication ids of their own.
    pub fifo: bool,
    /// The queue's visibility timeout, in whole seconds.
    pub visibility_timeout: Duration,
    /// With a dead-letter queue of its type, to which messages go after 1,000 receives or when they are sent there.
    pub dead_letter_queue: bool,
}

/// A queue that a fixture has made.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Created<Q> {
    /// The queue.
    pub queue: Q,
    /// Its dead-letter queue, if one was asked for.
    pub dead_letter_queue: Option<Q>,
}

impl<Q> Created<Q> {
    /// A queue and its dead-letter queue.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, testing::conformance::Created};
    ///
    /// let created = Created::new(Queue::standard("jobs").build()?, None);
    /// assert!(created.dead_letter_queue.is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub const fn new(queue: Q, dead_letter_queue: Option<Q>) -> Self {
        Self {
            queue,
            dead_letter_queue,
        }
    }
}
