//! Steps of a producer, a consumer and a clock.

use std::time::Duration;

use proptest::{collection, option, prelude::*, sample::Index};

use super::valid::{
    fifo_batch, fifo_message, max_messages, standard_batch, standard_message, visibility_timeout, wait_time,
};
use crate::{message::SendMessage, queue::SendBatchEntry};

/// One step in the life of a queue, for model tests of what is built around it.
///
/// # Examples
/// A queue neither makes up messages nor counts one twice:
/// ```
/// use proptest::prelude::*;
/// use requeue::{ManualClock, Message, Queue, testing::strategies::{Step, standard_steps}};
///
/// proptest!(|(steps in standard_steps(30))| {
///     let clock = ManualClock::default();
///     let jobs = Queue::standard("jobs").clock(clock.clone()).build()?;
///     let (mut sent, mut received) = (0, Vec::<Message>::new());
///     for step in steps {
///         match step {
///             Step::Send(message) => sent += jobs.send(message).into_iter().count(),
///             Step::SendBatch(entries) => sent += jobs.send_batch(entries)?.successful.len(),
///             Step::Receive { max_messages, .. } => {
///                 received.extend(jobs.receive().max_messages(max_messages).blocking()?);
///             }
///             Step::Delete(which) if !received.is_empty() => which.get(&received).delete()?,
///             Step::Advance(span) => clock.advance(span),
///             _ => {} // this wrapper does nothing else
///         }
///         prop_assert!(jobs.snapshot().messages.len() <= sent);
///     }
/// });
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Step {
    /// Send this message.
    Send(SendMessage),
    /// Send these messages in one call.
    SendBatch(Vec<SendBatchEntry>),
    /// Receive.
    #[non_exhaustive]
    Receive {
        /// How many messages at most.
        max_messages: usize,
        /// The visibility timeout of this receive; `None` for the queue's.
        visibility_timeout: Option<Duration>,
        /// How long to wait for messages; `None` for the queue's.
        wait_time: Option<Duration>,
    },
    /// Delete one of the messages received so far.
    Delete(Index),
    /// Change the visibility timeout of one of the messages received so far.
    ChangeVisibility(Index, Duration),
    /// Purge.
    Purge,
    /// Move the clock.
    Advance(Duration),
}

/// 1 to `most` steps with a standard queue; `most` is at least 1, or 1 is read for it.
///
/// # Examples
/// ```
/// # use {proptest::prelude::*, requeue::{*, testing::strategies::*}};
/// proptest!(|(steps in standard_steps(20))| {
///     prop_assert!((1..=20).contains(&steps.len()));
/// });
/// ```
pub fn standard_steps(most: usize) -> BoxedStrategy<Vec<Step>> {
    steps(standard_message(), standard_batch(), most)
}

/// 1 to `most` steps with a FIFO queue; `most` is at least 1, or 1 is read for it.
///
/// # Examples
/// ```
/// # use {proptest::prelude::*, requeue::{*, testing::strategies::*}};
/// proptest!(|(steps in fifo_steps(20))| {
///     prop_assert!((1..=20).contains(&steps.len()));
/// });
/// ```
pub fn fifo_steps(most: usize) -> BoxedStrategy<Vec<Step>> {
    steps(fifo_message(), fifo_batch(), most)
}

fn steps(
    message: BoxedStrategy<SendMessage>,
    batch: BoxedStrategy<Vec<SendBatchEntry>>,
    most: usize,
) -> BoxedStrategy<Vec<Step>> {
    let timeout = || prop_oneof![3 => (0..=60_u64).prop_map(Duration::from_secs), 1 => visibility_timeout()];
    let receive = (
        max_messages(),
        option::weighted(0.3, timeout()),
        option::weighted(0.2, wait_time()),
    );
    let receive = receive.prop_map(|(max_messages, visibility_timeout, wait_time)| Step::Receive {
        max_messages,
        visibility_timeout,
        wait_time,
    });
    let spans = prop_oneof![
        6 => (0..=60_000_u64).prop_map(Duration::from_millis),
        2 => Just(Duration::from_secs(30)),
        1 => (0..=400_000_u64).prop_map(Duration::from_secs),
    ];
    let step = prop_oneof![
        18 => message.prop_map(Step::Send),
        3 => batch.prop_map(Step::SendBatch),
        24 => receive,
        12 => any::<Index>().prop_map(Step::Delete),
        6 => (any::<Index>(), timeout()).prop_map(|(which, timeout)| Step::ChangeVisibility(which, timeout)),
        1 => Just(Step::Purge),
        15 => spans.prop_map(Step::Advance),
    ];
    collection::vec(step, 1..=most.max(1)).boxed()
}
