//! Receiving: one loop for short polls, blocked threads and futures.

use {
    super::{
        Inner, Message, Queue,
        options::ReceiveOptions,
        receive_loop::{Look, ReceiveFuture},
        waiting::{Waiting, block_on},
    },
    crate::error::{ReceiveError, check},
    std::{future::IntoFuture, sync::Arc, time::Duration},
};

/// A receive to be made: set what differs from the defaults, then end in [`blocking`](Self::blocking) or `.await`.
///
/// # Source
/// [`ReceiveMessage`](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html).
#[derive(Clone, Debug)]
#[must_use = "a receive does nothing until it is blocked on or awaited"]
pub struct Receive<'queue> {
    inner: &'queue Arc<Inner>,
    request: ReceiveOptions,
}

impl Queue {
    /// Begins a receive: one message, the queue's own visibility timeout and wait time, all attributes.
    ///
    /// # Examples
    /// ```
    /// use requeue::{ManualClock, Queue};
    /// use std::time::Duration;
    ///
    /// let clock = ManualClock::default();
    /// let jobs = Queue::standard("jobs").clock(clock.clone()).build()?;
    /// jobs.send("resize cat.png")?;
    /// let messages = jobs.receive().max_messages(10).visibility_timeout(Duration::from_secs(5)).blocking()?;
    /// assert_eq!(messages[0].body(), "resize cat.png");
    /// assert!(jobs.receive().blocking()?.is_empty()); // in flight
    /// clock.advance(Duration::from_secs(5));
    /// assert_eq!(jobs.receive().blocking()?[0].approximate_receive_count(), 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn receive(&self) -> Receive<'_> {
        Receive {
            inner: &self.inner,
            request: ReceiveOptions {
                max_messages: 1,
                visibility_timeout: None,
                wait_time: None,
                rare: None,
            },
        }
    }
}

impl<'queue> Receive<'queue> {
    /// At most this many messages, 1 to 10; fewer may come (D5). The default is 1.
    ///
    /// # Examples
    /// ```
    /// # use requeue::Queue;
    /// let jobs = Queue::standard("jobs").build()?;
    /// let _ = jobs.send_batch(["resize cat.png", "resize dog.png", "resize cow.png"])?;
    /// assert_eq!(jobs.receive().max_messages(2).blocking()?.len(), 2);
    /// assert_eq!(jobs.receive().max_messages(2).blocking()?.len(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub const fn max_messages(mut self, max_messages: usize) -> Self {
        self.request.max_messages = max_messages;
        self
    }

    /// How long the messages stay hidden from other consumers, 0 s to 12 h; zero leaves them visible (D4, D6).
    ///
    /// # Examples
    /// ```
    /// # use requeue::{ManualClock, Queue};
    /// # use std::time::Duration;
    /// let (clock, minute) = (ManualClock::default(), Duration::from_secs(60));
    /// let jobs = Queue::standard("jobs").clock(clock.clone()).build()?;
    /// jobs.send("resize cat.png")?;
    /// jobs.receive().visibility_timeout(minute).blocking()?;
    /// clock.advance(Duration::from_secs(59));
    /// assert!(jobs.receive().blocking()?.is_empty());
    /// clock.advance(Duration::from_secs(1));
    /// assert_eq!(jobs.receive().blocking()?[0].body(), "resize cat.png");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub const fn visibility_timeout(mut self, timeout: Duration) -> Self {
        self.request.visibility_timeout = Some(timeout);
        self
    }

    /// How long to wait for a first message, 0 s to 20 s; zero asks once, whatever the queue's attribute says (D4).
    ///
    /// # Examples
    /// ```
    /// # use requeue::{ManualClock, Queue};
    /// # use std::{thread, time::Duration};
    /// let clock = ManualClock::default();
    /// let jobs = Queue::standard("jobs").clock(clock.clone()).build()?;
    /// let consumer = thread::spawn({
    ///     let jobs = jobs.clone();
    ///     move || jobs.receive().wait_time(Duration::from_secs(20)).blocking()
    /// });
    /// clock.wait_for_sleepers(1);
    /// jobs.send("resize cat.png")?; // wakes it at once
    /// assert_eq!(consumer.join().unwrap()?[0].body(), "resize cat.png");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub const fn wait_time(mut self, wait_time: Duration) -> Self {
        self.request.wait_time = Some(wait_time);
        self
    }

    /// `ReceiveRequestAttemptId`: within five minutes another receive with the same id gets the same messages under
    /// the same handles (F32). 1 to 128 characters; ignored on a standard queue (F31).
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Queue, SendMessage};
    /// let orders = Queue::fifo("orders.fifo").content_based_deduplication(true).build()?;
    /// orders.send(SendMessage::new("order-17").message_group_id("customer-3"))?;
    /// let lost = orders.receive().receive_request_attempt_id("attempt-1").blocking()?;
    /// let again = orders.receive().receive_request_attempt_id("attempt-1").blocking()?;
    /// assert_eq!(again[0].receipt_handle(), lost[0].receipt_handle());
    /// assert!(orders.receive().receive_request_attempt_id("attempt-2").blocking()?.is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn receive_request_attempt_id(mut self, id: impl Into<Arc<str>>) -> Self {
        self.request.rare_mut().attempt_id = Some(id.into());
        self
    }

    /// Only the user attributes that these names select: exact names, `prefix.*`, or `All` (M44).
    ///
    /// # Examples
    /// ```
    /// # use requeue::{MessageAttributeValue, Queue, SendMessage};
    /// let mut cat = SendMessage::new("resize cat.png");
    /// for name in ["age", "size.x", "size.y"] {
    ///     cat = cat.attribute(name, MessageAttributeValue::number("1"));
    /// }
    /// let jobs = Queue::standard("jobs").build()?;
    /// jobs.send(cat)?;
    /// let message = &jobs.receive().message_attribute_names(["size.*"]).blocking()?[0];
    /// assert!(message.attributes().iter().map(|(name, _)| name).eq(["size.x", "size.y"]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn message_attribute_names<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.request.rare_mut().attribute_names = Some(names.into_iter().map(Into::into).collect());
        self
    }

    /// FIFO only: takes at most this many messages of one group, so that one group does not fill the receive; as many as
    /// there are by default (F19). Less than 1 counts as 1. SQS has no such thing.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Queue, SendMessage};
    /// let orders = Queue::fifo("orders.fifo").content_based_deduplication(true).build()?;
    /// for (group, body) in [("a", "a1"), ("a", "a2"), ("b", "b1")] {
    ///     orders.send(SendMessage::new(body).message_group_id(group))?;
    /// }
    /// let heads = orders.receive().max_messages(10).max_messages_per_group(1).blocking()?;
    /// assert!(heads.iter().map(|message| message.body()).eq(["a1", "b1"]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn max_messages_per_group(mut self, max: usize) -> Self {
        self.request.rare_mut().max_messages_per_group = max.max(1);
        self
    }

    /// Gives a dead letter the reason that a consumer gave for it as a user attribute of this name as well, of type
    /// `String`; an attribute of the message's own with this name stays as it is. SQS has no such thing.
    ///
    /// Neither name nor reason is checked. The attribute is for this consumer alone: it is not stored, and [`message_attribute_names`] neither selects it
    /// nor leaves it out.
    ///
    /// # Examples
    /// ```
    /// # use requeue::Queue;
    /// let failed = Queue::standard("failed").build()?;
    /// let jobs = Queue::standard("jobs").dead_letter(&failed, 5).build()?;
    /// jobs.send("resize cat.txt")?;
    /// jobs.receive().blocking()?[0].dead_letter("not an image")?;
    /// let letter = &failed.receive().dead_letter_reason_attribute("Reason").blocking()?[0];
    /// assert_eq!(letter.attributes().get("Reason").and_then(|it| it.string_value()), Some("not an image"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// [`message_attribute_names`]: Self::message_attribute_names
    pub fn dead_letter_reason_attribute(mut self, name: impl Into<Arc<str>>) -> Self {
        self.request.rare_mut().reason_attribute = Some(name.into());
        self
    }

    /// Receives, blocking the thread while it waits; empty if the wait time is over (D10).
    ///
    /// # Errors
    /// `InvalidParameterValue` for a parameter out of range or an attempt that cannot be replayed (F33), `OverLimit`
    /// for a short poll on a standard queue with too many messages in flight (D15), `QueueDoesNotExist`, also if
    /// the queue is deleted meanwhile (Q38), and `Storage` if the queue's journal does not record it or is closed meanwhile.
    ///
    /// # Examples
    /// ```
    /// # use requeue::Queue;
    /// let jobs = Queue::standard("jobs").build()?;
    /// assert!(jobs.receive().blocking()?.is_empty());
    /// assert_eq!(jobs.receive().max_messages(11).blocking().unwrap_err().code(), "InvalidParameterValue");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn blocking(mut self) -> Result<Vec<Message>, ReceiveError> {
        let mut messages = Vec::new();
        match self.block(&mut messages) {
            Ok(()) => Ok(messages),
            Err(error) => Err(*error),
        }
    }

    fn block(&mut self, messages: &mut Vec<Message>) -> Result<(), Box<ReceiveError>> {
        self.check()?;
        let mut look = Look::new(self.inner, &self.request, messages);
        block_on(&mut look)?;
        look.settle()
    }

    /// Adds the messages that are there now to `messages`, where one call gets any; otherwise nothing was asked, not even if
    /// the receive is refused.
    #[cfg(feature = "worker")]
    pub(crate) fn at_once<M: From<Message>>(mut self, messages: &mut Vec<M>) {
        if self.check().is_err() {
            return;
        }
        let inner = self.inner;
        let now = inner.clock.now();
        let Some(mut core) = inner.enter() else { return };
        let long_poll = self.request.wait_time.is_some_and(|wait| !wait.is_zero());
        let _refused = inner.receive_in(&mut core, now, &self.request, (long_poll, true), messages);
        let transfer = core.departures();
        inner.leave(core, now);
        if let Some((route, departures)) = transfer {
            // What there is no room for is received later.
            drop(inner.transfer(route.as_ref(), &departures));
        }
    }

    /// Whether it waits for messages if there are none, and so asks every server (D10).
    #[cfg(feature = "testing")]
    pub(crate) fn is_long_poll(&self) -> bool {
        let default = || self.inner.core.lock().state.settings().receive_message_wait_time;
        !self.request.wait_time.unwrap_or_else(default).is_zero()
    }

    /// Checks parameter ranges, in the order of SQS's model (X11).
    pub(crate) fn check(&mut self) -> Result<(), ReceiveError> {
        let (request, limits) = (&mut self.request, &self.inner.limits);
        if self.inner.is_gone() {
            return Err(ReceiveError::QueueDoesNotExist);
        }
        check::max_number_of_messages(request.max_messages, limits)?;
        if let Some(timeout) = &mut request.visibility_timeout {
            *timeout = check::visibility_timeout(*timeout, limits)?;
        }
        if let Some(wait) = &mut request.wait_time {
            *wait = check::wait_time(*wait, limits)?;
        }
        if let Some(id) = request.attempt_id().filter(|_| self.inner.fifo) {
            check::check_id("ReceiveRequestAttemptId", id, limits)?;
        }
        Ok(())
    }
}

impl<'queue> IntoFuture for Receive<'queue> {
    type Output = Result<Vec<Message>, ReceiveError>;
    type IntoFuture = ReceiveFuture<'queue>;

    fn into_future(mut self) -> ReceiveFuture<'queue> {
        let checked = self.check();
        let look = |()| Waiting::new(Look::new(self.inner, self.request, Vec::new()));
        ReceiveFuture {
            state: checked.map(look).map_err(Some),
        }
    }
}
