//! Jobs of a type of your own, as JSON bodies: sent, received, run (feature `serde`).

mod receive;
mod runner;

pub use {
    receive::{TypedMessage, TypedReceive},
    runner::{EachTyped, EachTypedAsync, TypedRunnerBuilder},
};

use {
    super::{builder::RunnerBuilder, failure::Failure, runner::Runner},
    crate::{
        backend::{MessageQueue, MessageQueueError, ReceivedMessage},
        clock::block_on,
        error::{SendBatchError, SendError},
        message::SendMessage,
        queue::{BatchResult, Queue, Sent},
    },
    serde::{Serialize, de::DeserializeOwned},
    std::{fmt, marker::PhantomData, sync::Arc},
};

/// Why a body is not read as a value.
#[derive(Debug, thiserror::Error)]
#[error("the body is not a {type_name}: {error}")]
#[non_exhaustive]
pub struct ParseJobError {
    /// The type that was asked for.
    pub type_name: &'static str,
    /// What is wrong with the body.
    #[source]
    pub error: serde_json::Error,
}

/// Why a value was not sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendJobError {
    /// The value has no form in JSON.
    #[error("the {type_name} cannot be written as JSON: {error}")]
    #[non_exhaustive]
    NotJson {
        /// Its type.
        type_name: &'static str,
        /// Why.
        #[source]
        error: serde_json::Error,
    },
    /// The queue did not take the message.
    #[error(transparent)]
    Queue(#[from] MessageQueueError),
}

impl From<SendError> for SendJobError {
    fn from(error: SendError) -> Self {
        Self::Queue(error.into())
    }
}

impl ReceivedMessage {
    /// Reads the body as JSON; a [`Job`](super::Job) does so too.
    ///
    /// # Errors
    /// [`ParseJobError`], which `?` makes a [`Failure`] for the runner's policy to treat.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, worker::{Failure, Job, Runner}};
    ///
    /// let jobs = Queue::standard("jobs").build()?;
    /// let _ = jobs.send_batch(["[640, 480]", "wide"])?;
    /// let runner = Runner::builder(&jobs).until_none_visible().each(|job: &Job| {
    ///     let [width, height]: [u32; 2] = job.parse()?;
    ///     assert_eq!((width, height), (640, 480));
    ///     Ok::<(), Failure>(())
    /// })?;
    /// let report = runner.blocking()?;
    /// assert_eq!((report.succeeded, report.failed), (1, 1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, ParseJobError> {
        serde_json::from_str(self.body()).map_err(|error| ParseJobError {
            type_name: std::any::type_name::<T>(),
            error,
        })
    }
}

/// What becomes of a message whose body does not parse.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum UnparsedPolicy {
    /// It comes back until its `maxReceiveCount` sends it to the dead-letter queue; facts report why each time. In a
    /// runner its [`FailurePolicy`](super::FailurePolicy) says when, otherwise its visibility timeout.
    #[default]
    Leave,
    /// It goes to the dead-letter queue at once; if there is none, it is left.
    DeadLetter,
    /// It is deleted.
    Discard,
}

type OnUnparsed = Arc<dyn Fn(&ReceivedMessage, &ParseJobError) -> Failure + Send + Sync>;

/// The policy, or the caller's own.
#[derive(Clone)]
enum Unparsed {
    Policy(UnparsedPolicy),
    Asked(OnUnparsed),
}

impl Unparsed {
    fn parse<T: DeserializeOwned>(&self, message: &ReceivedMessage) -> Result<T, Failure> {
        message.parse().map_err(|error| match self {
            Self::Policy(UnparsedPolicy::Leave) => error.into(),
            Self::Policy(UnparsedPolicy::DeadLetter) => Failure::dead_letter(error),
            Self::Policy(UnparsedPolicy::Discard) => Failure::discard(error),
            Self::Asked(ask) => ask(message, &error),
        })
    }
}

impl fmt::Debug for Unparsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Policy(policy) => policy.fmt(f),
            Self::Asked(_) => f.write_str("Asked"),
        }
    }
}

/// A queue whose bodies are values of `T`, written as JSON; made by [`Queue::typed`], or by [`new`](Self::new) of any
/// [`MessageQueue`].
///
/// # Examples
/// ```
/// use requeue::{Queue, worker::Job};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Debug, Deserialize, PartialEq, Serialize)]
/// struct Resize {
///     file: String,
///     width: u32,
/// }
///
/// let jobs = Queue::standard("jobs").build()?.typed::<Resize>();
/// jobs.send(&Resize { file: "cat.png".to_owned(), width: 640 })?;
/// let runner = jobs.runner(|it| it.concurrency(2).until_none_visible()).each(|_: &Job, resize: Resize| {
///     assert_eq!(resize.width, 640);
///     Ok::<(), String>(())
/// })?;
/// assert_eq!(runner.blocking()?.succeeded, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct TypedQueue<T, Q = Queue> {
    queue: Q,
    unparsed: Unparsed,
    values: PhantomData<fn(T) -> T>,
}

impl Queue {
    /// The queue with values of `T` for bodies, written as JSON.
    ///
    /// # Examples
    /// ```
    /// use requeue::Queue;
    ///
    /// let sizes = Queue::standard("sizes").build()?.typed::<(u32, u32)>();
    /// sizes.send(&(640, 480))?;
    /// assert_eq!(sizes.queue().receive().blocking()?[0].body(), "[640,480]");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn typed<T>(&self) -> TypedQueue<T> {
        TypedQueue::new(self)
    }
}

impl<T, Q: MessageQueue + Clone> TypedQueue<T, Q> {
    /// Any queue with values of `T` for bodies.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, worker::TypedQueue};
    ///
    /// let sizes: TypedQueue<u32> = TypedQueue::new(&Queue::standard("sizes").build()?);
    /// sizes.send(&640)?;
    /// assert_eq!(*sizes.receive().blocking()?[0].value(), 640);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn new(queue: &Q) -> Self {
        Self {
            queue: queue.clone(),
            unparsed: Unparsed::Policy(UnparsedPolicy::default()),
            values: PhantomData,
        }
    }

    /// The queue itself, for everything that has nothing to do with the type.
    ///
    /// # Examples
    /// ```
    /// # use requeue::Queue;
    /// let sizes = Queue::standard("sizes").build()?.typed::<u32>();
    /// assert_eq!(sizes.queue().name(), "sizes");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub const fn queue(&self) -> &Q {
        &self.queue
    }

    /// What becomes of a message whose body does not parse; by default it is left.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, worker::UnparsedPolicy};
    ///
    /// let failed = Queue::standard("failed").build()?;
    /// let jobs = Queue::standard("jobs").dead_letter(&failed, 5).build()?;
    /// let _ = jobs.send_batch(["640", "wide"])?;
    /// let sizes = jobs.typed::<u32>().unparsed(UnparsedPolicy::DeadLetter);
    /// assert_eq!(sizes.receive().max_messages(10).blocking()?.len(), 1);
    /// assert_eq!(failed.receive().blocking()?[0].body(), "wide");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn unparsed(mut self, policy: UnparsedPolicy) -> Self {
        self.unparsed = Unparsed::Policy(policy);
        self
    }

    /// Passes each message whose body does not parse to `ask`, which decides what becomes of it: a [`Failure`] made of an
    /// error leaves it, and the constructors of `Failure` do as they say.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, worker::{Failure, ParseJobError}, backend::ReceivedMessage};
    ///
    /// let jobs = Queue::standard("jobs").build()?;
    /// let _ = jobs.send_batch(["640", ""])?;
    /// let _ = jobs.send_batch(["wide"])?;
    /// let sizes = jobs.typed::<u32>().on_unparsed(|message: &ReceivedMessage, error: &ParseJobError| {
    ///     assert_eq!(message.body(), "wide");
    ///     assert_eq!(error.to_string(), "the body is not a u32: expected value at line 1 column 1");
    ///     Failure::discard("nobody knows how wide")
    /// });
    /// assert_eq!(sizes.receive().max_messages(10).blocking()?.len(), 1);
    /// assert_eq!(jobs.counts().approximate_number_of_messages_not_visible, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn on_unparsed(
        mut self,
        ask: impl Fn(&ReceivedMessage, &ParseJobError) -> Failure + Send + Sync + 'static,
    ) -> Self {
        self.unparsed = Unparsed::Asked(Arc::new(ask));
        self
    }

    /// Begins a receive of values: at most one, without waiting.
    ///
    /// # Examples
    /// ```
    /// # use requeue::Queue;
    /// let sizes = Queue::standard("sizes").build()?.typed::<u32>();
    /// sizes.send(&640)?;
    /// for message in sizes.receive().max_messages(10).blocking()? {
    ///     assert_eq!(*message.value(), 640);
    ///     message.delete()?;
    /// }
    /// assert_eq!(sizes.queue().counts().approximate_number_of_messages_not_visible, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub const fn receive(&self) -> TypedReceive<'_, T, Q> {
        TypedReceive::new(self)
    }

    /// Begins a runner whose handler is given the value; `configure` changes its settings.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Queue, worker::Job};
    /// let sizes = Queue::standard("sizes").build()?.typed::<u32>();
    /// sizes.send(&640)?;
    /// let runner = sizes.runner(|it| it.until_none_visible()).each(|job: &Job, size| {
    ///     assert_eq!((job.body(), size), ("640", 640));
    ///     Ok::<(), String>(())
    /// })?;
    /// assert_eq!(runner.blocking()?.succeeded, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn runner(&self, configure: impl FnOnce(RunnerBuilder<Q>) -> RunnerBuilder<Q>) -> TypedRunnerBuilder<T, Q> {
        TypedRunnerBuilder::new(configure(Runner::builder(&self.queue)), self.unparsed.clone())
    }
}

impl<T: Serialize, Q: MessageQueue + Clone> TypedQueue<T, Q> {
    /// The message that carries a value: what [`send`](Self::send) sends, to be given a group, a delay or attributes.
    ///
    /// # Errors
    /// [`SendJobError::NotJson`] for a value without a form in JSON, as a map whose keys are no texts.
    ///
    /// # Examples
    /// ```
    /// # use requeue::Queue;
    /// let sizes = Queue::fifo("sizes.fifo").content_based_deduplication(true).build()?.typed::<u32>();
    /// sizes.queue().send(sizes.message(&640)?.message_group_id("cat.png"))?;
    /// assert_eq!(sizes.receive().blocking()?[0].message().message_group_id(), Some("cat.png"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn message(&self, value: &T) -> Result<SendMessage, SendJobError> {
        match serde_json::to_string(value) {
            Ok(body) => Ok(SendMessage::new(body)),
            Err(error) => Err(SendJobError::NotJson {
                type_name: std::any::type_name::<T>(),
                error,
            }),
        }
    }

    /// Sends a value to whatever kind of queue this is.
    ///
    /// # Errors
    /// [`SendJobError`]: it has no form in JSON, or the queue did not take it.
    ///
    /// # Examples
    /// ```
    /// # use requeue::Queue;
    /// let sizes = Queue::standard("sizes").build()?.typed::<u32>();
    /// pollster::block_on(sizes.send_async(&640))?;
    /// assert_eq!(*sizes.receive().blocking()?[0].value(), 640);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn send_async(&self, value: &T) -> Result<(), SendJobError>
    where
        T: Sync,
    {
        self.send_with_async(value, |message| message).await
    }

    /// [`send_async`](Self::send_async) of the message that `complete` makes of the value's.
    ///
    /// # Errors
    /// As [`send_async`](Self::send_async).
    ///
    /// # Examples
    /// ```
    /// # use requeue::Queue;
    /// let sizes = Queue::standard("sizes").build()?.typed::<u32>();
    /// let minute = std::time::Duration::from_secs(60);
    /// pollster::block_on(sizes.send_with_async(&640, |message| message.delay(minute)))?;
    /// assert_eq!(sizes.queue().counts().approximate_number_of_messages_delayed, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn send_with_async(
        &self,
        value: &T,
        complete: impl FnOnce(SendMessage) -> SendMessage + Send,
    ) -> Result<(), SendJobError>
    where
        T: Sync,
    {
        let message = complete(self.message(value)?);
        Ok(MessageQueue::send(&self.queue, message).await?)
    }
}

impl<T: Serialize> TypedQueue<T> {
    /// Sends a value.
    ///
    /// # Errors
    /// [`SendJobError`]: it has no form in JSON, or the queue did not take it.
    ///
    /// # Examples
    /// ```
    /// # use requeue::Queue;
    /// let sizes = Queue::standard("sizes").build()?.typed::<u32>();
    /// let sent = sizes.send(&640)?;
    /// assert_eq!(sizes.receive().blocking()?[0].message().message_id(), sent.message_id.to_string());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn send(&self, value: &T) -> Result<Sent, SendJobError> {
        self.send_with(value, |message| message)
    }

    /// Sends the message that `complete` makes of the value's: with a group, a delay, attributes.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    ///
    /// # Examples
    /// ```
    /// # use requeue::Queue;
    /// let sizes = Queue::fifo("sizes.fifo").build()?.typed::<u32>();
    /// sizes.send_with(&640, |message| message.message_group_id("cat.png").message_deduplication_id("1"))?;
    /// assert_eq!(*sizes.receive().blocking()?[0].value(), 640);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn send_with(
        &self,
        value: &T,
        complete: impl FnOnce(SendMessage) -> SendMessage,
    ) -> Result<Sent, SendJobError> {
        Ok(self.queue.send(complete(self.message(value)?))?)
    }

    /// Sends up to ten values in one call, each with a result of its own; a value without a form in JSON sends none.
    ///
    /// # Errors
    /// [`SendJobError::NotJson`], or what [`Queue::send_batch`] answers to the call as a whole.
    ///
    /// # Examples
    /// ```
    /// # use requeue::Queue;
    /// let sizes = Queue::standard("sizes").build()?.typed::<u32>();
    /// assert_eq!(sizes.send_batch(&[320, 640, 1280])?.successful.len(), 3);
    /// assert!(sizes.send_batch(&[]).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn send_batch<'v>(&self, values: impl IntoIterator<Item = &'v T>) -> Result<BatchResult<Sent>, SendJobError>
    where
        T: 'v,
    {
        let messages: Result<Vec<_>, _> = values.into_iter().map(|value| self.message(value)).collect();
        Ok(self.queue.send_batch(messages?)?)
    }
}

impl From<SendBatchError> for SendJobError {
    fn from(error: SendBatchError) -> Self {
        Self::Queue(error.into())
    }
}

impl<T, Q: Clone> Clone for TypedQueue<T, Q> {
    fn clone(&self) -> Self {
        Self {
            queue: self.queue.clone(),
            unparsed: self.unparsed.clone(),
            values: PhantomData,
        }
    }
}

impl<T, Q: MessageQueue> fmt::Debug for TypedQueue<T, Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TypedQueue")
            .field("queue", &self.queue.url())
            .field("type_name", &std::any::type_name::<T>())
            .field("unparsed", &self.unparsed)
            .finish()
    }
}
