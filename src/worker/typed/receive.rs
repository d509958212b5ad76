//! Receives of values, and the treatment of bodies that do not parse.

use {
    super::{TypedQueue, block_on},
    crate::{
        backend::{MessageQueue, MessageQueueError, ReceiveRequest, ReceivedMessage, limits::MAX_VISIBILITY},
        queue::Queue,
        worker::failure::{Failure, Verdict},
    },
    serde::de::DeserializeOwned,
    std::{collections::HashSet, fmt, future::Future, pin::Pin, slice, time::Duration},
};

/// A receive to be made, begun by [`TypedQueue::receive`]: say what differs, then block or await.
#[must_use = "nothing is received until it is blocked on or awaited"]
pub struct TypedReceive<'queue, T, Q = Queue> {
    queue: &'queue TypedQueue<T, Q>,
    request: ReceiveRequest,
}

impl<'queue, T, Q> TypedReceive<'queue, T, Q> {
    pub(super) const fn new(queue: &'queue TypedQueue<T, Q>) -> Self {
        let request = ReceiveRequest::new(1);
        Self { queue, request }
    }

    /// The largest number of messages, 1 to 10; the default is 1.
    ///
    /// # Examples
    /// ```
    /// # use requeue::Queue;
    /// let sizes = Queue::standard("sizes").build()?.typed::<u32>();
    /// let _ = sizes.send_batch(&[320, 640])?;
    /// assert_eq!(sizes.receive().max_messages(10).blocking()?.len(), 2);
    /// assert!(sizes.receive().max_messages(11).blocking().is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub const fn max_messages(mut self, max_messages: usize) -> Self {
        self.request.max_messages = max_messages;
        self
    }

    /// How long to wait for a first message, 0 s to 20 s; the default is 0 s.
    ///
    /// # Examples
    /// ```
    /// # use {requeue::Queue, std::time::Duration};
    /// let sizes = Queue::standard("sizes").build()?.typed::<u32>();
    /// sizes.send(&640)?;
    /// assert_eq!(sizes.receive().wait_time(Duration::from_secs(20)).blocking()?.len(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub const fn wait_time(mut self, wait_time: Duration) -> Self {
        self.request.wait_time = wait_time;
        self
    }

    /// How long the messages stay hidden, 0 s to 12 h; the queue's own timeout by default.
    ///
    /// # Examples
    /// ```
    /// # use {requeue::Queue, std::time::Duration};
    /// let sizes = Queue::standard("sizes").build()?.typed::<u32>();
    /// sizes.send(&640)?;
    /// let seen = sizes.receive().visibility_timeout(Duration::ZERO).blocking()?;
    /// assert_eq!(sizes.receive().blocking()?[0].value(), seen[0].value());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub const fn visibility_timeout(mut self, timeout: Duration) -> Self {
        self.request.visibility_timeout = Some(timeout);
        self
    }
}

impl<T: DeserializeOwned, Q: MessageQueue + Clone> TypedReceive<'_, T, Q> {
    /// Receives, blocking the thread while it waits; empty if the wait time is over, or nothing that came parsed.
    ///
    /// What does not parse is treated by the policy of the queue. On a FIFO queue the messages that follow in the group
    /// of one that is left are given back in order (E21).
    ///
    /// # Errors
    /// What the queue answers to the receive.
    ///
    /// # Examples
    /// ```
    /// # use requeue::Queue;
    /// let sizes = Queue::standard("sizes").build()?.typed::<u32>();
    /// assert!(sizes.receive().blocking()?.is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn blocking(self) -> Result<Vec<TypedMessage<T, Q>>, MessageQueueError> {
        block_on(&*self.queue.queue.clock(), self.receive())
    }

    async fn receive(self) -> Result<Vec<TypedMessage<T, Q>>, MessageQueueError> {
        let TypedQueue { queue, unparsed, .. } = self.queue;
        let (mut parsed, mut late, mut stuck) = (Vec::new(), Vec::new(), HashSet::new());
        for message in queue.receive(self.request).await? {
            let group = message.message_group_id().filter(|_| queue.is_fifo());
            if group.is_some_and(|group| stuck.contains(group)) {
                late.push(message);
                continue;
            }
            match unparsed.parse(&message) {
                Ok(value) => parsed.push(TypedMessage {
                    value,
                    message,
                    queue: queue.clone(),
                }),
                Err(failure) => {
                    let group = group.map(str::to_owned);
                    if !self.gives_up(&message, &failure).await {
                        stuck.extend(group);
                    }
                }
            }
        }
        if !late.is_empty() {
            // What is not given back is left to its visibility timeout: late as well, and in order.
            let _ = queue.release(&late).await;
        }
        Ok(parsed)
    }

    /// Settles a message that does not parse; returns whether it has left the queue.
    async fn gives_up(&self, message: &ReceivedMessage, failure: &Failure) -> bool {
        let queue = &self.queue.queue;
        // The move to the dead-letter queue reports its reason itself.
        if failure.verdict() != Verdict::DeadLetter {
            queue.report_failure(message, failure.reason());
        }
        let one = slice::from_ref(message);
        let done = match failure.verdict() {
            Verdict::Policy => return false,
            Verdict::RetryAfter(delay) => queue.postpone(one, delay.min(MAX_VISIBILITY)).await,
            Verdict::Discard => queue.delete(one).await,
            Verdict::DeadLetter => match queue.dead_letter(message, failure.reason()).await {
                Ok(()) => Ok(Vec::new()),
                Err(error) => Err(error),
            },
        };
        let error = match done {
            Ok(failed) => failed.into_iter().next().map(|it| it.error),
            Err(error) => Some(error),
        };
        if let Some(error) = &error {
            queue.report_failure(
                message,
                &format!("{}, left to its visibility timeout: {error}", failure.reason()),
            );
        }
        error.is_none() && !matches!(failure.verdict(), Verdict::RetryAfter(_))
    }
}

impl<'queue, T: DeserializeOwned + Send, Q: MessageQueue + Clone> IntoFuture for TypedReceive<'queue, T, Q> {
    type Output = Result<Vec<TypedMessage<T, Q>>, MessageQueueError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'queue>>;

    fn into_future(self) -> Self::IntoFuture
    where
        T: 'queue,
    {
        Box::pin(self.receive())
    }
}

impl<T, Q: MessageQueue> fmt::Debug for TypedReceive<'_, T, Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TypedReceive")
            .field("queue", self.queue)
            .field("request", &self.request)
            .finish()
    }
}

/// A message received, and the value that its body was.
///
/// # Examples
/// ```
/// # use requeue::Queue;
/// let sizes = Queue::standard("sizes").build()?.typed::<u32>();
/// sizes.send(&640)?;
/// let message = sizes.receive().blocking()?.remove(0);
/// message.delete()?;
/// assert_eq!(message.into_value(), 640);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct TypedMessage<T, Q = Queue> {
    value: T,
    message: ReceivedMessage,
    queue: Q,
}

impl<T, Q> TypedMessage<T, Q> {
    /// The value.
    ///
    /// # Examples
    /// ```
    /// # use requeue::Queue;
    /// let sizes = Queue::standard("sizes").build()?.typed::<u32>();
    /// sizes.send(&640)?;
    /// assert_eq!(*sizes.receive().blocking()?[0].value(), 640);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub const fn value(&self) -> &T {
        &self.value
    }

    /// The value for good.
    ///
    /// # Examples
    /// ```
    /// # use requeue::Queue;
    /// let names = Queue::standard("names").build()?.typed::<String>();
    /// names.send(&"cat.png".to_owned())?;
    /// assert_eq!(names.receive().blocking()?.remove(0).into_value(), "cat.png");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn into_value(self) -> T {
        self.value
    }

    /// The message that carried it.
    ///
    /// # Examples
    /// ```
    /// # use requeue::Queue;
    /// let sizes = Queue::standard("sizes").build()?.typed::<u32>();
    /// sizes.send(&640)?;
    /// assert_eq!(sizes.receive().blocking()?[0].message().approximate_receive_count(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub const fn message(&self) -> &ReceivedMessage {
        &self.message
    }
}

impl<T, Q: MessageQueue> TypedMessage<T, Q> {
    /// Deletes the message, blocking the thread while the queue is asked.
    ///
    /// # Errors
    /// What the queue answers.
    ///
    /// # Examples
    /// ```
    /// # use requeue::Queue;
    /// let sizes = Queue::standard("sizes").build()?.typed::<u32>();
    /// sizes.send(&640)?;
    /// sizes.receive().blocking()?[0].delete()?;
    /// assert_eq!(sizes.queue().counts().approximate_number_of_messages_not_visible, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn delete(&self) -> Result<(), MessageQueueError> {
        block_on(&*self.queue.clock(), delete(&self.queue, &self.message))
    }

    /// [`delete`](Self::delete) for an async caller.
    ///
    /// # Errors
    /// As [`delete`](Self::delete).
    ///
    /// # Examples
    /// ```
    /// # use requeue::Queue;
    /// let sizes = Queue::standard("sizes").build()?.typed::<u32>();
    /// sizes.send(&640)?;
    /// pollster::block_on(sizes.receive().blocking()?[0].delete_async())?;
    /// assert_eq!(sizes.queue().counts().approximate_number_of_messages_not_visible, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn delete_async(&self) -> Result<(), MessageQueueError>
    where
        T: Sync,
    {
        delete(&self.queue, &self.message).await
    }
}

async fn delete(queue: &impl MessageQueue, message: &ReceivedMessage) -> Result<(), MessageQueueError> {
    let failed = queue.delete(slice::from_ref(message)).await?;
    failed.into_iter().next().map_or(Ok(()), |it| Err(it.error))
}

impl<T: fmt::Debug, Q> fmt::Debug for TypedMessage<T, Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TypedMessage")
            .field("value", &self.value)
            .field("message", &self.message)
            .finish_non_exhaustive()
    }
}
