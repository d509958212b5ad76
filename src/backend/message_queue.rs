//! [`MessageQueue`], the operations that a runner needs of a queue.

use {
    super::{
        error::{EntryFailure, MessageQueueError},
        limits::QueueLimits,
        received::ReceivedMessage,
    },
    crate::{
        clock::{Clock, SystemClock},
        message::SendMessage,
    },
    std::{future::Future, sync::Arc, time::Duration},
};

/// A queue that a [`Runner`](crate::worker::Runner) can work on: the verbs it needs, and what it has to know beforehand.
///
/// Implemented by [`Queue`](crate::Queue) and, with the feature `worker-sqs`, by `SqsQueue`, which speaks to Amazon SQS.
///
/// The futures are `Send` and may be dropped at any time. A dropped receive may leave messages hidden until their
/// visibility timeout ends, as a lost response does, and loses none; see [`is_in_process`](Self::is_in_process).
///
/// What has a default is as on Amazon SQS. An implementation around another queue passes all of it on, or a runner takes
/// that queue for one of SQS. With the feature `testing`, `testing::conformance` lists what an implementation has to do,
/// and checks it.
///
/// # Examples
/// A queue that counts what is sent to it, and passes everything on:
/// ```
/// use requeue::{Clock, Queue, SendMessage, backend::*};
/// use std::{sync::{Arc, atomic::{AtomicU64, Ordering}}, time::Duration};
///
/// #[derive(Clone)]
/// struct Counted(Queue, Arc<AtomicU64>);
///
/// impl MessageQueue for Counted {
///     fn url(&self) -> &str {
///         MessageQueue::url(&self.0)
///     }
///     fn is_fifo(&self) -> bool {
///         MessageQueue::is_fifo(&self.0)
///     }
///     fn visibility_timeout(&self) -> Duration {
///         MessageQueue::visibility_timeout(&self.0)
///     }
///     fn clock(&self) -> Arc<dyn Clock> {
///         MessageQueue::clock(&self.0)
///     }
///     fn is_in_process(&self) -> bool {
///         MessageQueue::is_in_process(&self.0)
///     }
///     fn limits(&self) -> QueueLimits {
///         MessageQueue::limits(&self.0)
///     }
///     fn restores_receive_count(&self) -> bool {
///         MessageQueue::restores_receive_count(&self.0)
///     }
///     async fn send(&self, message: SendMessage) -> Result<(), MessageQueueError> {
///         self.1.fetch_add(1, Ordering::Relaxed);
///         MessageQueue::send(&self.0, message).await
///     }
///     async fn receive(&self, request: ReceiveRequest) -> Result<Vec<ReceivedMessage>, MessageQueueError> {
///         MessageQueue::receive(&self.0, request).await
///     }
///     fn receive_at_once(&self, request: &ReceiveRequest, messages: &mut Vec<ReceivedMessage>) {
///         MessageQueue::receive_at_once(&self.0, request, messages);
///     }
///     fn delete_at_once(&self, message: &ReceivedMessage) -> bool {
///         MessageQueue::delete_at_once(&self.0, message)
///     }
///     async fn delete(&self, messages: &[ReceivedMessage]) -> Result<Vec<EntryFailure>, MessageQueueError> {
///         MessageQueue::delete(&self.0, messages).await
///     }
///     async fn change_visibility(
///         &self,
///         messages: &[ReceivedMessage],
///         timeout: Duration,
///     ) -> Result<Vec<EntryFailure>, MessageQueueError> {
///         MessageQueue::change_visibility(&self.0, messages, timeout).await
///     }
///     async fn release(&self, messages: &[ReceivedMessage]) -> Result<Vec<EntryFailure>, MessageQueueError> {
///         MessageQueue::release(&self.0, messages).await
///     }
///     async fn postpone(
///         &self,
///         messages: &[ReceivedMessage],
///         delay: Duration,
///     ) -> Result<Vec<EntryFailure>, MessageQueueError> {
///         MessageQueue::postpone(&self.0, messages, delay).await
///     }
///     async fn load(&self, message: &ReceivedMessage) -> Result<Loaded, MessageQueueError> {
///         MessageQueue::load(&self.0, message).await
///     }
///     async fn counts(&self) -> Result<MessageCounts, MessageQueueError> {
///         MessageQueue::counts(&self.0).await
///     }
///     async fn dead_letter(&self, message: &ReceivedMessage, reason: &str) -> Result<(), MessageQueueError> {
///         MessageQueue::dead_letter(&self.0, message, reason).await
///     }
///     fn report_failure(&self, message: &ReceivedMessage, reason: &str) {
///         MessageQueue::report_failure(&self.0, message, reason);
///     }
/// }
///
/// let jobs = Counted(Queue::standard("jobs").build()?, Arc::default());
/// pollster::block_on(jobs.send(SendMessage::new("resize cat.png")))?;
/// assert_eq!(jobs.1.load(Ordering::Relaxed), 1);
///
/// # #[cfg(feature = "testing")] {
/// use requeue::testing::conformance;
/// let counted = |queue: &Queue| Counted(queue.clone(), Arc::default());
/// conformance::check(&conformance::InProcess::new(move |_, _, queue| counted(queue)));
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// A name is not a queue:
/// ```compile_fail,E0277
/// let _ = requeue::worker::Runner::builder(&"jobs");
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a queue that a worker can use",
    label = "not a `MessageQueue`",
    note = "`requeue::Queue` is one, and `requeue::backend::SqsQueue` with the feature `worker-sqs`"
)]
pub trait MessageQueue: Send + Sync + 'static {
    /// The queue URL.
    fn url(&self) -> &str;

    /// Whether it is a FIFO queue, whose messages have to be worked on in the order of their group.
    fn is_fifo(&self) -> bool;

    /// The queue's own visibility timeout, which a receive without one gives.
    fn visibility_timeout(&self) -> Duration;

    /// The time by which the queue's visibility timeouts end; the machine's unless an implementation says otherwise.
    fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(SystemClock::new())
    }

    /// Whether the queue lives in this process: a call takes effect at once, and a receive that is dropped before it has
    /// answered leaves no message hidden. `false` unless an implementation says otherwise.
    ///
    /// A stop drops the receives of such a queue. From any other it waits for their answers, within the
    /// [`shutdown_timeout`](crate::worker::RunnerBuilder::shutdown_timeout), and gives the messages back. A runner leaves a
    /// message of any other to its timeout rather than change its visibility in the last tenth of its lease, at most 1 s,
    /// when the call could arrive after the lease.
    fn is_in_process(&self) -> bool {
        false
    }

    /// What its calls take; the limits of Amazon SQS unless an implementation says otherwise.
    fn limits(&self) -> QueueLimits {
        QueueLimits::default()
    }

    /// Whether a message that is [released](Self::release) or [postponed](Self::postpone) has the receive count of before,
    /// and a receive heeds [`max_messages_per_group`](ReceiveRequest::max_messages_per_group).
    ///
    /// False on Amazon SQS and by default: there each receive counts towards the dead-letter queue, so a runner receives
    /// as little ahead as it can.
    fn restores_receive_count(&self) -> bool {
        false
    }

    /// Sends a message, with its attributes, delay, group and deduplication id.
    ///
    /// What Amazon SQS refuses, an empty body for example, is refused as
    /// [`ErrorKind::Refused`](super::ErrorKind::Refused).
    fn send(&self, message: SendMessage) -> impl Future<Output = Result<(), MessageQueueError>> + Send;

    /// Receives up to `max_messages` messages, and waits up to `wait_time` for the first.
    ///
    /// A FIFO queue may answer with several messages of one group, in their order, and with none of a group of which
    /// messages are in flight.
    fn receive(
        &self,
        request: ReceiveRequest,
    ) -> impl Future<Output = Result<Vec<ReceivedMessage>, MessageQueueError>> + Send;

    /// Adds to `messages` what a [`receive`](Self::receive) would answer now, if there is anything and no future is needed
    /// to get it; otherwise it has done nothing. Nothing unless an implementation says otherwise.
    ///
    /// A runner calls it before each `receive`, and spares itself the future where there are messages.
    fn receive_at_once(&self, request: &ReceiveRequest, messages: &mut Vec<ReceivedMessage>) {
        let _ = (request, messages);
    }

    /// Deletes a message by the handle it was received with, if no future is needed for that; `false` if it has done
    /// nothing. Always so unless an implementation says otherwise.
    ///
    /// A runner calls it before the [`delete`](Self::delete) of a single message.
    fn delete_at_once(&self, message: &ReceivedMessage) -> bool {
        let _ = message;
        false
    }

    /// Deletes up to ten messages by the handles they were received with; answers with those that were not deleted.
    fn delete(
        &self,
        messages: &[ReceivedMessage],
    ) -> impl Future<Output = Result<Vec<EntryFailure>, MessageQueueError>> + Send;

    /// Hides up to ten messages for `timeout` from now, 0 s to 12 h; answers with those for which that failed.
    ///
    /// Zero gives them back, in the order given.
    fn change_visibility(
        &self,
        messages: &[ReceivedMessage],
        timeout: Duration,
    ) -> impl Future<Output = Result<Vec<EntryFailure>, MessageQueueError>> + Send;

    /// Puts back up to ten messages that nobody has begun, in the order given; answers with those for which that failed.
    ///
    /// By default it sets their visibility timeouts to zero, as on Amazon SQS, where that receive counts. A queue that can
    /// leaves the receive count as it was before.
    fn release(
        &self,
        messages: &[ReceivedMessage],
    ) -> impl Future<Output = Result<Vec<EntryFailure>, MessageQueueError>> + Send {
        self.change_visibility(messages, Duration::ZERO)
    }

    /// Hides up to ten messages that cannot be worked on yet for `delay` from now, 0 s to 12 h; answers with those for
    /// which that failed.
    ///
    /// By default it changes their visibility timeouts, as on Amazon SQS, where that receive counts. A queue that can
    /// leaves the receive count as it was before.
    fn postpone(
        &self,
        messages: &[ReceivedMessage],
        delay: Duration,
    ) -> impl Future<Output = Result<Vec<EntryFailure>, MessageQueueError>> + Send {
        self.change_visibility(messages, delay)
    }

    /// Loads the body of a message that was received without it, from wherever it is; once is enough for all clones of
    /// the message. Nothing unless an implementation says otherwise.
    ///
    /// A runner receives messages [without](ReceiveRequest::load_bodies) such bodies, and calls this just before it calls
    /// the handler, while it renews the lease. An error is a failure of the job, which the failure policy treats.
    fn load(&self, message: &ReceivedMessage) -> impl Future<Output = Result<Loaded, MessageQueueError>> + Send {
        let _ = message;
        async { Ok(Loaded::Complete) }
    }

    /// How many messages the queue holds.
    fn counts(&self) -> impl Future<Output = Result<MessageCounts, MessageQueueError>> + Send;

    /// Moves a message to the queue's dead-letter queue at once, for this reason.
    ///
    /// At no instant is it in neither queue; if the move is cut short, it may be in both.
    fn dead_letter(
        &self,
        message: &ReceivedMessage,
        reason: &str,
    ) -> impl Future<Output = Result<(), MessageQueueError>> + Send;

    /// Reports to listeners of the queue why a message was not done. A queue without listeners ignores it.
    fn report_failure(&self, message: &ReceivedMessage, reason: &str) {
        let _ = (message, reason);
    }
}

/// What became of a [`load`](MessageQueue::load).
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Loaded {
    /// The message has all that it is to have.
    Complete,
    /// The body is gone for this reason, and the queue wants such messages deleted without being worked on.
    Discard(MessageQueueError),
}

/// How many messages a queue holds.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct MessageCounts {
    /// Messages that may be received.
    pub visible: u64,
    /// Messages in flight, whoever received them.
    pub in_flight: u64,
    /// Messages whose delay has not ended.
    pub delayed: u64,
    /// The numbers may lag behind, as those of Amazon SQS do, for about a minute after the last change.
    pub approximate: bool,
}

impl MessageCounts {
    /// All of them.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, backend::MessageQueue};
    ///
    /// let jobs = Queue::standard("jobs").build()?;
    /// let _ = jobs.send_batch(["resize cat.png", "resize dog.png"])?;
    /// let _held = jobs.receive().blocking()?;
    /// let counts = pollster::block_on(MessageQueue::counts(&jobs))?;
    /// assert_eq!((counts.visible, counts.in_flight, counts.total()), (1, 1, 2));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.visible.saturating_add(self.in_flight).saturating_add(self.delayed)
    }
}

/// The parameters of a receive.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ReceiveRequest {
    /// The largest number of messages, 1 to 10.
    pub max_messages: usize,
    /// How long to wait for a first message, 0 s to 20 s.
    pub wait_time: Duration,
    /// How long the messages stay hidden; the queue's own timeout if absent.
    pub visibility_timeout: Option<Duration>,
    /// FIFO: the largest number of messages of one group, at least 1; without limit if absent. Amazon SQS has no such
    /// parameter, and ignores it.
    pub max_messages_per_group: Option<usize>,
    /// Whether bodies that are in a payload store are loaded by the receive, while the visibility timeout runs; otherwise
    /// [`load`](MessageQueue::load) does it later.
    pub load_bodies: bool,
}

impl ReceiveRequest {
    /// A short poll for at most `max_messages`, 1 to 10.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, backend::{MessageQueue, ReceiveRequest}};
    ///
    /// let jobs = Queue::standard("jobs").build()?;
    /// jobs.send("resize cat.png")?;
    /// let messages = pollster::block_on(MessageQueue::receive(&jobs, ReceiveRequest::new(10)))?;
    /// assert_eq!(messages[0].body(), "resize cat.png");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn new(max_messages: usize) -> Self {
        Self {
            max_messages,
            wait_time: Duration::ZERO,
            visibility_timeout: None,
            max_messages_per_group: None,
            load_bodies: true,
        }
    }

    /// Waits so long for a first message, 0 s to 20 s.
    #[must_use]
    pub const fn wait_time(mut self, wait_time: Duration) -> Self {
        self.wait_time = wait_time;
        self
    }

    /// Hides the messages for so long, 0 s to 12 h.
    #[must_use]
    pub const fn visibility_timeout(mut self, timeout: Duration) -> Self {
        self.visibility_timeout = Some(timeout);
        self
    }

    /// FIFO: asks for at most so many messages of one group, at least 1.
    #[must_use]
    pub const fn max_messages_per_group(mut self, max_messages: usize) -> Self {
        self.max_messages_per_group = Some(max_messages);
        self
    }

    /// Whether the receive loads bodies that are in a payload store; `true` unless this is called.
    #[must_use]
    pub const fn load_bodies(mut self, load: bool) -> Self {
        self.load_bodies = load;
        self
    }
}
