//! Consumers under test: the user's handler, and what it may do with the queue.

use {
    super::{
        faults::Fault,
        source::Source,
        story::Log,
        wire::{CallError, Wire},
    },
    crate::{
        clock::{Clock, ManualClock},
        error::{ChangeVisibilityError, DeleteError, SendError},
        message::{MessageId, SendMessage},
        queue::{Message, Sent},
        time::Timestamp,
    },
    std::{
        cell::{Cell, RefCell},
        collections::BTreeMap,
        fmt,
        future::{Future, ready},
        pin::Pin,
        rc::Rc,
        task::{self, Poll},
        time::Duration,
    },
};

/// What a handler says of each of its messages.
pub(super) type Answers = Vec<Result<(), String>>;
pub(super) type Work = Pin<Box<dyn Future<Output = Answers>>>;

/// A consumer: a handler, who deletes what it has done, and how it receives.
///
/// A handler runs in one thread under virtual time and must not block; one that takes its time
/// [waits](Context::wait) on the clock.
///
/// # Examples
/// ```
/// use requeue::testing::Consumer;
/// use std::time::Duration;
///
/// let strict = Consumer::each(|message| match message.body().parse::<u32>() {
///     Ok(_) => Ok(()),
///     Err(error) => Err(error),
/// });
/// let slow = Consumer::each_async(|message, context| async move {
///     context.wait(Duration::from_secs(20)).await;
///     message.body().parse::<u32>().map(drop)
/// });
/// # drop((strict, slow));
/// ```
pub struct Consumer {
    pub(super) start: Box<dyn FnMut(Vec<Message>, Context) -> Work>,
    /// Whether the handler takes all that was received at once.
    pub(super) batch: bool,
    /// Whether the kit deletes what the handler has done.
    pub(super) acknowledged: bool,
    pub(super) max_messages: usize,
    pub(super) visibility_timeout: Option<Duration>,
}

impl fmt::Debug for Consumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumer")
            .field("batch", &self.batch)
            .field("max_messages", &self.max_messages)
            .finish_non_exhaustive()
    }
}

impl Consumer {
    /// A handler of one message, which is deleted for it if it answers `Ok`.
    ///
    /// # Examples
    /// ```
    /// # use requeue::testing::Consumer;
    /// let consumer = Consumer::each(|message| if message.body().is_empty() { Err("empty") } else { Ok(()) });
    /// # drop(consumer);
    /// ```
    #[must_use]
    pub fn each<E: fmt::Display>(mut handler: impl FnMut(&Message) -> Result<(), E> + 'static) -> Self {
        Self::new(false, true, move |messages, _| {
            let answers = messages.iter().map(|message| answer(handler(message))).collect();
            Box::pin(ready(answers))
        })
    }

    /// A handler of up to ten messages that answers for each; those answered `Ok` are deleted for it.
    ///
    /// A message that gets no answer counts as failed.
    ///
    /// # Examples
    /// ```
    /// # use requeue::testing::Consumer;
    /// let consumer = Consumer::batch(|messages| messages.iter().map(|_| Ok::<_, String>(())).collect());
    /// # drop(consumer);
    /// ```
    #[must_use]
    pub fn batch<E: fmt::Display>(mut handler: impl FnMut(&[Message]) -> Vec<Result<(), E>> + 'static) -> Self {
        Self::new(true, true, move |messages, _| {
            Box::pin(ready(handler(&messages).into_iter().map(answer).collect()))
        })
    }

    /// An async handler of one message, which is deleted for it if it answers `Ok`.
    ///
    /// # Examples
    /// ```
    /// # use requeue::testing::Consumer;
    /// # use std::time::Duration;
    /// let consumer = Consumer::each_async(|_message, context| async move {
    ///     context.wait(Duration::from_secs(3)).await;
    ///     Ok::<_, String>(())
    /// });
    /// # drop(consumer);
    /// ```
    #[must_use]
    pub fn each_async<E, F>(mut handler: impl FnMut(Message, Context) -> F + 'static) -> Self
    where
        E: fmt::Display,
        F: Future<Output = Result<(), E>> + 'static,
    {
        Self::new(false, true, move |messages, context| {
            let work: Vec<F> = messages
                .into_iter()
                .map(|message| handler(message, context.clone()))
                .collect();
            Box::pin(async move {
                let mut answers = Vec::with_capacity(work.len());
                for work in work {
                    answers.push(answer(work.await));
                }
                answers
            })
        })
    }

    /// An async handler of one message that deletes it itself, by [`Context::delete`] or [`Message::delete`].
    ///
    /// # Examples
    /// ```
    /// # use requeue::testing::Consumer;
    /// let consumer = Consumer::deleting(|message, context| async move { context.delete(&message) });
    /// # drop(consumer);
    /// ```
    #[must_use]
    pub fn deleting<E, F>(handler: impl FnMut(Message, Context) -> F + 'static) -> Self
    where
        E: fmt::Display,
        F: Future<Output = Result<(), E>> + 'static,
    {
        Self {
            acknowledged: false,
            ..Self::each_async(handler)
        }
    }

    /// At most this many messages per receive, 1 to 10; the default is 10 for a batch handler and 1 for others.
    ///
    /// A handler of one message is given them one after the other; after a failure those of the same group are left.
    ///
    /// # Examples
    /// ```
    /// # use requeue::testing::Consumer;
    /// let consumer = Consumer::each(|_| Ok::<_, String>(())).max_messages(10);
    /// # drop(consumer);
    /// ```
    #[must_use]
    pub const fn max_messages(mut self, max_messages: usize) -> Self {
        self.max_messages = max_messages;
        self
    }

    /// The visibility timeout of its receives; the default is the queue's.
    ///
    /// # Examples
    /// ```
    /// # use requeue::testing::Consumer;
    /// # use std::time::Duration;
    /// let consumer = Consumer::each(|_| Ok::<_, String>(())).visibility_timeout(Duration::from_secs(60));
    /// # drop(consumer);
    /// ```
    #[must_use]
    pub const fn visibility_timeout(mut self, timeout: Duration) -> Self {
        self.visibility_timeout = Some(timeout);
        self
    }

    fn new(batch: bool, acknowledged: bool, start: impl FnMut(Vec<Message>, Context) -> Work + 'static) -> Self {
        Self {
            start: Box::new(start),
            batch,
            acknowledged,
            max_messages: if batch { 10 } else { 1 },
            visibility_timeout: None,
        }
    }
}

fn answer<E: fmt::Display>(result: Result<(), E>) -> Result<(), String> {
    result.map_err(|error| error.to_string())
}

/// What the handlers of a case share with the kit.
pub(super) struct Shared {
    pub(super) wire: RefCell<Wire>,
    pub(super) source: RefCell<Source>,
    pub(super) log: RefCell<Log>,
    /// The faults that struck calls of handlers.
    pub(super) struck: RefCell<Vec<Fault>>,
    pub(super) clock: ManualClock,
}

/// What the kit knows of one run of a handler.
#[derive(Default)]
pub(super) struct Pulse {
    /// When the run goes on, if it sleeps.
    pub(super) wake: Cell<Option<Timestamp>>,
    /// Until when its messages are hidden, as far as it can know.
    pub(super) held: RefCell<BTreeMap<MessageId, Timestamp>>,
    /// A fault took away the run's chance to keep its messages.
    pub(super) excused: Cell<bool>,
    /// A call was refused, which tells the run that it no longer holds a message.
    pub(super) noticed: Cell<bool>,
    /// A fault hit a delete, so that whether the message is gone is not the run's doing.
    pub(super) blameless: Cell<bool>,
}

impl Pulse {
    /// A message that the run no longer holds and has not noticed.
    pub(super) fn lost(&self, now: Timestamp) -> Option<(MessageId, Timestamp)> {
        if self.excused.get() || self.noticed.get() {
            return None;
        }
        let held = self.held.borrow();
        held.iter().find(|it| *it.1 <= now).map(|it| (*it.0, *it.1))
    }
}

/// The queue as a handler under test may use it: every call here meets the faults of the check.
///
/// Calls on the message or its queue itself work too, and meet none.
#[derive(Clone)]
pub struct Context {
    pub(super) shared: Rc<Shared>,
    pub(super) pulse: Rc<Pulse>,
    pub(super) name: Rc<str>,
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("consumer", &self.name)
            .finish_non_exhaustive()
    }
}

impl Context {
    /// The virtual time.
    ///
    /// # Examples
    /// ```
    /// # use requeue::testing::Consumer;
    /// let consumer = Consumer::deleting(|message, context| async move {
    ///     assert!(message.sent_timestamp() <= context.now());
    ///     context.delete(&message)
    /// });
    /// # drop(consumer);
    /// ```
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    /// Waits on the virtual clock, while others go on.
    ///
    /// # Examples
    /// ```
    /// # use requeue::testing::Consumer;
    /// # use std::time::Duration;
    /// let consumer = Consumer::deleting(|message, context| async move {
    ///     context.wait(Duration::from_secs(3)).await;
    ///     context.delete(&message)
    /// });
    /// # drop(consumer);
    /// ```
    pub fn wait(&self, span: Duration) -> Wait {
        Wait {
            until: self.now().saturating_add(span),
            context: self.clone(),
            begun: false,
        }
    }

    /// Deletes a message by the handle it was received with.
    ///
    /// # Errors
    /// [`CallError`]: what the queue answers, or what a fault makes of it.
    ///
    /// # Examples
    /// ```
    /// # use requeue::testing::Consumer;
    /// let consumer = Consumer::deleting(|message, context| async move { context.delete(&message) });
    /// # drop(consumer);
    /// ```
    pub fn delete(&self, message: &Message) -> Result<(), CallError<DeleteError>> {
        let fault = self.shared.source.borrow_mut().choose(Wire::DELETE);
        let result = self.shared.wire.borrow_mut().delete(message, fault);
        self.pulse.blameless.set(self.pulse.blameless.get() || fault.is_some());
        if matches!(result, Err(CallError::Refused(_))) {
            self.pulse.noticed.set(true);
        }
        self.pulse.held.borrow_mut().remove(&message.message_id());
        self.tell(
            fault,
            || format!("deletes {}", Name(&self.shared, message.message_id())),
            &result,
        );
        result
    }

    /// Changes how long a message stays hidden.
    ///
    /// # Errors
    /// [`CallError`]: what the queue answers, or what a fault makes of it.
    ///
    /// # Examples
    /// ```
    /// # use requeue::testing::Consumer;
    /// # use std::time::Duration;
    /// let consumer = Consumer::deleting(|message, context| async move {
    ///     if context.change_visibility(&message, Duration::from_secs(60)).is_ok() {
    ///         context.wait(Duration::from_secs(45)).await;
    ///         context.delete(&message).map_err(|error| error.to_string())?;
    ///     }
    ///     Ok::<_, String>(())
    /// });
    /// # drop(consumer);
    /// ```
    pub fn change_visibility(
        &self,
        message: &Message,
        timeout: Duration,
    ) -> Result<(), CallError<ChangeVisibilityError>> {
        let fault = self.shared.source.borrow_mut().choose(Wire::VISIBILITY);
        let result = self.shared.wire.borrow_mut().change_visibility(message, timeout, fault);
        match &result {
            Ok(()) => {
                let until = self.now().saturating_add(timeout);
                self.pulse.held.borrow_mut().insert(message.message_id(), until);
            }
            Err(CallError::Refused(_)) => self.pulse.noticed.set(true),
            Err(_) => self.pulse.excused.set(true),
        }
        let seconds = timeout.as_secs_f64();
        let told = || format!("hides {} for {seconds} s", Name(&self.shared, message.message_id()));
        self.tell(fault, told, &result);
        result
    }

    /// Sends a message to the queue under test.
    ///
    /// # Errors
    /// [`CallError`]: what the queue answers, or what a fault makes of it.
    ///
    /// # Examples
    /// ```
    /// # use requeue::testing::Consumer;
    /// let consumer = Consumer::each_async(|message, context| async move {
    ///     match message.body() {
    ///         "resize cat.png" => context.send("upload cat.png").map(drop),
    ///         _ => Ok(()),
    ///     }
    /// });
    /// # drop(consumer);
    /// ```
    pub fn send(&self, message: impl Into<SendMessage>) -> Result<Sent, CallError<SendError>> {
        let message = message.into();
        let told = format!("sends {:?}", message.body());
        let fault = self.shared.source.borrow_mut().choose(Wire::SEND);
        let result = self.shared.wire.borrow_mut().send(message, fault);
        self.tell(fault, || told, &result);
        result
    }

    fn tell<T, E: fmt::Display>(
        &self,
        fault: Option<Fault>,
        told: impl FnOnce() -> String,
        result: &Result<T, CallError<E>>,
    ) {
        self.shared.struck.borrow_mut().extend(fault);
        let recording = self.shared.log.borrow().recording;
        let what = match (recording, result) {
            (false, _) => String::new(),
            (true, Ok(_)) => told(),
            (true, Err(error)) => format!("{}: {error}", told()),
        };
        self.shared.log.borrow_mut().add(self.now(), &self.name, fault, || what);
    }
}

struct Name<'a>(&'a Shared, MessageId);

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.log.borrow().name(self.1))
    }
}

/// A wait on the virtual clock, by [`Context::wait`].
#[derive(Debug)]
#[must_use = "a wait does nothing until it is awaited"]
pub struct Wait {
    until: Timestamp,
    context: Context,
    begun: bool,
}

impl Future for Wait {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut task::Context<'_>) -> Poll<()> {
        // Even a wait of no time lets go once, so that a handler that waits for ever can be stopped.
        if std::mem::replace(&mut self.begun, true) && self.context.now() >= self.until {
            return Poll::Ready(());
        }
        let wake = &self.context.pulse.wake;
        // Of several sleeps of one run the first to end wakes it.
        let first = wake.get().map_or(self.until, |other| other.min(self.until));
        wake.set(Some(first));
        Poll::Pending
    }
}
