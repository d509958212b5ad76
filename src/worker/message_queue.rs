//! What a runner asks of a queue, embedded or real.

use {
    super::received::ReceivedMessage,
    crate::{
        clock::{Clock, SystemClock},
        message::SendMessage,
    },
    std::{borrow::Cow, future::Future, sync::Arc, time::Duration},
};

/// A queue that a [`Runner`](super::Runner) can work on: the five verbs it needs, and what it has to know beforehand.
///
/// Implemented by [`Queue`](crate::Queue) and, with the feature `worker-sqs`, by `SqsQueue`, which speaks to Amazon SQS.
///
/// The futures are `Send` and may be dropped at any time. A dropped receive may leave messages hidden until their
/// visibility timeout ends, as a lost response does, and loses none; see [`is_in_process`](Self::is_in_process).
///
/// # Examples
/// A queue that counts what is sent to it:
/// ```
/// use requeue::{Queue, SendMessage, worker::*};
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
///         self.0.visibility_timeout()
///     }
///     async fn send(&self, message: SendMessage) -> Result<(), MessageQueueError> {
///         self.1.fetch_add(1, Ordering::Relaxed);
///         MessageQueue::send(&self.0, message).await
///     }
///     async fn receive(&self, request: ReceiveRequest) -> Result<Vec<ReceivedMessage>, MessageQueueError> {
///         MessageQueue::receive(&self.0, request).await
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
///     async fn dead_letter(&self, message: &ReceivedMessage, reason: &str) -> Result<(), MessageQueueError> {
///         MessageQueue::dead_letter(&self.0, message, reason).await
///     }
/// }
///
/// let jobs = Counted(Queue::standard("jobs").build()?, Arc::default());
/// pollster::block_on(jobs.send(SendMessage::new("resize cat.png")))?;
/// assert_eq!(jobs.1.load(Ordering::Relaxed), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
    /// [`shutdown_timeout`](super::RunnerBuilder::shutdown_timeout), and gives the messages back; and it leaves a message
    /// to its timeout rather than change its visibility in the last tenth of its lease, at most 1 s, when the call could
    /// arrive after the lease.
    fn is_in_process(&self) -> bool {
        false
    }

    /// Sends a message.
    fn send(&self, message: SendMessage) -> impl Future<Output = Result<(), MessageQueueError>> + Send;

    /// Receives up to `max_messages` messages, and waits up to `wait_time` for the first.
    fn receive(
        &self,
        request: ReceiveRequest,
    ) -> impl Future<Output = Result<Vec<ReceivedMessage>, MessageQueueError>> + Send;

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

/// The name of the queue with this URL.
#[cfg(any(feature = "metrics", feature = "tracing"))]
pub(super) fn queue_name(url: &str) -> &str {
    url.rsplit('/').next().unwrap_or(url)
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
}

impl ReceiveRequest {
    /// A short poll for at most `max_messages`, 1 to 10.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, worker::{MessageQueue, ReceiveRequest}};
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
        }
    }

    /// Waits so long for a first message, 0 s to 20 s.
    ///
    /// # Examples
    /// ```
    /// use requeue::worker::ReceiveRequest;
    /// use std::time::Duration;
    ///
    /// assert_eq!(ReceiveRequest::new(1).wait_time(Duration::from_secs(20)).wait_time.as_secs(), 20);
    /// ```
    #[must_use]
    pub const fn wait_time(mut self, wait_time: Duration) -> Self {
        self.wait_time = wait_time;
        self
    }

    /// Hides the messages for so long, 0 s to 12 h.
    ///
    /// # Examples
    /// ```
    /// use requeue::worker::ReceiveRequest;
    /// use std::time::Duration;
    ///
    /// let minute = Duration::from_secs(60);
    /// assert_eq!(ReceiveRequest::new(1).visibility_timeout(minute).visibility_timeout, Some(minute));
    /// ```
    #[must_use]
    pub const fn visibility_timeout(mut self, timeout: Duration) -> Self {
        self.visibility_timeout = Some(timeout);
        self
    }
}

/// One message of a call for which the call did nothing.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct EntryFailure {
    /// Its place among the messages of the call.
    pub index: usize,
    /// Why.
    pub error: MessageQueueError,
}

impl EntryFailure {
    /// The call did nothing for the message at `index` because of `error`.
    ///
    /// # Examples
    /// ```
    /// use requeue::worker::{EntryFailure, ErrorKind, MessageQueueError};
    ///
    /// let error = MessageQueueError::new(ErrorKind::Transient, "InternalError", "try again");
    /// assert_eq!(EntryFailure::new(3, error).index, 3);
    /// ```
    #[must_use]
    pub const fn new(index: usize, error: MessageQueueError) -> Self {
        Self { index, error }
    }
}

/// What an error means for whoever made the call.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The queue does not exist (any more).
    QueueDoesNotExist,
    /// The message is not in flight under the handle of this reception (any more): deleted, expired or received again.
    NotHeld,
    /// The same call may succeed later: throttling, a lost answer, a service that is down.
    Transient,
    /// The same call will fail again: a bad parameter, missing permissions, no credentials.
    Refused,
}

/// Why a call to a [`MessageQueue`] failed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{code}: {message}")]
#[non_exhaustive]
pub struct MessageQueueError {
    /// What it means.
    pub kind: ErrorKind,
    /// SQS's code, or what stands for it.
    pub code: Cow<'static, str>,
    /// What went wrong.
    pub message: String,
}

impl MessageQueueError {
    /// An error of this kind.
    ///
    /// # Examples
    /// ```
    /// use requeue::worker::{ErrorKind, MessageQueueError};
    ///
    /// let error = MessageQueueError::new(ErrorKind::Transient, "RequestThrottled", "too many requests");
    /// assert_eq!(error.to_string(), "RequestThrottled: too many requests");
    /// ```
    #[must_use]
    pub fn new(kind: ErrorKind, code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self {
            kind,
            code: code.into(),
            message: message.into(),
        }
    }
}
