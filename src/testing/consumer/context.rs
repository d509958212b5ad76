//! [`Context`], a handler's access to the queue and the clock, and where a crash may strike.

use {
    crate::{
        clock::{Alarm, Clock},
        error::{ChangeVisibilityError, DeleteError, QueueError, SendError},
        message::SendMessage,
        queue::Message,
        state::Sent,
        testing::{faults::FaultError, faulty::FaultyQueue, log::Told, net::Port, story::EventKind, wire::CallError},
        time::Timestamp,
    },
    std::{
        fmt,
        future::Future,
        mem,
        panic::Location,
        pin::Pin,
        task::{self, Poll, Waker},
        time::Duration,
    },
};

/// The queue as a handler under test may use it: every call here meets the faults of the check.
///
/// A crash strikes where the handler awaits, at a [`checkpoint`](Self::checkpoint), or in a call: before it, and after a
/// delete was answered. There the handler is unwound out of the call, so that what follows is not carried out, as in a
/// real crash. Different from a real one,
/// values of the handler are dropped, and a `std::sync::Mutex` that is locked across the call is poisoned; what a
/// dropped value calls here does not reach the queue. Where the program is built with `panic = "abort"`, a crash
/// strikes only where the handler awaits. Calls on the message or its queue itself work too, and meet no fault.
#[derive(Clone)]
pub struct Context {
    pub(in crate::testing) port: Port,
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("consumer", &self.port.name)
            .finish_non_exhaustive()
    }
}

impl Context {
    /// The virtual time.
    ///
    /// # Examples
    /// ```
    /// # use {proptest::strategy::Just, requeue::{Queue, testing::{Consumer, check}}};
    /// let checked = check("jobs", || ())
    ///     .queue(|| Queue::standard("jobs"))
    ///     .messages(Just("job"))
    ///     .consumer("c", |_| Consumer::each(|message, context| match message.sent_timestamp() <= context.now() {
    ///         true => Ok(()),
    ///         false => panic!("sent in the future"),
    ///     } as Result<(), String>))
    ///     .run();
    /// assert!(checked.is_ok());
    /// ```
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.port.now()
    }

    /// Waits on the virtual clock, while others go on; a crash may strike here.
    ///
    /// A wait of [`Duration::ZERO`] takes no time and lets others go on once.
    ///
    /// # Examples
    /// ```
    /// # use {proptest::strategy::Just, requeue::{Queue, testing::{Consumer, check}}};
    /// # use std::time::Duration;
    /// let checked = check("jobs", || ())
    ///     .queue(|| Queue::standard("jobs"))
    ///     .messages(Just("job"))
    ///     .consumer("c", |_| Consumer::each_async(|_, context| async move {
    ///         let begun = context.now();
    ///         context.wait(Duration::from_secs(3)).await;
    ///         assert!(context.now() >= begun.saturating_add(Duration::from_secs(3)));
    ///         Ok::<_, String>(())
    ///     }))
    ///     .run();
    /// assert!(checked.is_ok());
    /// ```
    #[track_caller]
    pub fn wait(&self, span: Duration) -> Wait {
        self.port.pulse.place.set(Some(Location::caller().into()));
        Wait {
            until: self.now().saturating_add(span),
            context: self.clone(),
            begun: false,
            alarm: None,
        }
    }

    /// Lets a crash strike here, between two effects of the handler's own; without one it does nothing.
    ///
    /// It is for what a handler does without waiting and without the queue. After all messages of the handler have been
    /// deleted it strikes as [`Fault::CrashAfterDelete`](crate::testing::Fault::CrashAfterDelete), before as
    /// [`Fault::CrashBeforeDelete`](crate::testing::Fault::CrashBeforeDelete).
    ///
    /// # Examples
    /// ```
    /// # use {proptest::strategy::Just, requeue::{Queue, testing::{Consumer, check}}};
    /// let transfers = |checkpoint| check("transfers", || (0, 0))
    ///     .queue(|| Queue::standard("transfers"))
    ///     .messages(Just("5 EUR"))
    ///     .consumer("bank", move |accounts| {
    ///         let accounts = accounts.clone();
    ///         Consumer::each(move |_, context| {
    ///             accounts.borrow_mut().0 -= 5;
    ///             if checkpoint {
    ///                 context.checkpoint();
    ///             }
    ///             accounts.borrow_mut().1 += 5;
    ///             Ok::<_, String>(())
    ///         })
    ///     })
    ///     .always("no money is lost", |accounts| accounts.0 + accounts.1 == 0);
    /// assert!(transfers(false).run().is_ok(), "nothing can strike in between");
    /// assert!(transfers(true).run().is_err());
    /// ```
    #[track_caller]
    pub fn checkpoint(&self) {
        self.port.checkpoint(Location::caller());
    }

    /// Tells of an effect of the handler's own in the story.
    ///
    /// # Examples
    /// ```
    /// # use {proptest::strategy::Just, requeue::{Queue, testing::{Consumer, check}}};
    /// let error = check("charges", || 0)
    ///     .queue(|| Queue::standard("orders"))
    ///     .messages(Just("order-1"))
    ///     .consumer("charger", |charged| {
    ///         let charged = charged.clone();
    ///         Consumer::each(move |_, context| {
    ///             context.note("charges 5 EUR");
    ///             *charged.borrow_mut() += 5;
    ///             Ok::<_, String>(())
    ///         })
    ///     })
    ///     .messages_at_most(1)
    ///     .always("an order is charged once", |charged| *charged <= 5)
    ///     .run()
    ///     .unwrap_err();
    /// assert!(error.to_string().contains("charger   charges 5 EUR"));
    /// ```
    #[track_caller]
    pub fn note(&self, what: impl fmt::Display) {
        if self.port.stay_dead().is_ok() {
            self.port.pulse.act();
            let place = Some(Location::caller().into());
            let told = |_: &_| Told::from(what.to_string()).kind(EventKind::Note).at(place);
            self.port.net.tell(&self.port.name, None, told);
        }
    }

    /// Tells of an effect of the handler's own for a message, and says that it happens now: with
    /// [`watch_visibility`](crate::testing::Check::watch_visibility) it breaks
    /// [`Property::HoldsWhatItWorksOn`](crate::testing::Property::HoldsWhatItWorksOn) if the message is no longer held, as far as the
    /// handler can know.
    ///
    /// # Examples
    /// A handler that charges when its message may be with another already, and notices before it deletes:
    /// ```
    /// # use {proptest::strategy::Just, requeue::{Queue, testing::{Consumer, check}}};
    /// # use std::time::Duration;
    /// let charge = |tells: bool| check("charges", || ())
    ///     .queue(|| Queue::standard("orders").visibility_timeout(Duration::from_secs(30)))
    ///     .messages(Just("order-1"))
    ///     .consumer("charger", move |_| Consumer::each_async(move |order, context| async move {
    ///         let bank = if order.approximate_receive_count() == 1 { 30 } else { 1 };
    ///         context.wait(Duration::from_secs(bank)).await;
    ///         if tells {
    ///             context.effect(&order, "charges 5 EUR");
    ///         }
    ///         if bank < 30 { Ok(()) } else { Err("it took too long") }
    ///     }))
    ///     .watch_visibility()
    ///     .run();
    /// assert!(charge(false).is_ok());
    /// assert!(charge(true).unwrap_err().to_string().contains("charger   charges 5 EUR (m1)"));
    /// ```
    #[track_caller]
    pub fn effect(&self, message: &Message, what: impl fmt::Display) {
        self.port.affect(message, &what, Location::caller());
    }

    /// A queue of the check, by its name: every call on it meets the faults of the check.
    ///
    /// The queue that takes the dead letters of `orders` is `orders-dead-letters`, and of `orders.fifo`
    /// `orders-dead-letters.fifo`.
    ///
    /// # Errors
    /// [`FaultError::Queue`] if the check has no such queue.
    ///
    /// # Examples
    /// ```
    /// # use {proptest::strategy::Just, requeue::{Queue, testing::{Consumer, check}}};
    /// let checked = check("orders", || ())
    ///     .queue(|| Queue::standard("orders"))
    ///     .queue(|| Queue::standard("payments"))
    ///     .messages(Just("order-1"))
    ///     .consumer("c", |_| Consumer::each(|message, context| {
    ///         let payments = context.queue("payments").map_err(|error| error.to_string())?;
    ///         payments.send(message.body()).map(drop).map_err(|error| error.to_string())
    ///     }))
    ///     .run();
    /// assert!(checked.is_ok());
    /// ```
    pub fn queue(&self, name: &str) -> Result<FaultyQueue, FaultError> {
        let line = self.port.net.line(name).ok_or(QueueError::QueueDoesNotExist)?;
        Ok(FaultyQueue::of(Port {
            line,
            ..self.port.clone()
        }))
    }

    fn own_queue(&self) -> FaultyQueue {
        FaultyQueue::of(self.port.clone())
    }

    /// Deletes a message by the handle it was received with.
    ///
    /// # Errors
    /// [`CallError`]: what the queue answers, or what a fault makes of it.
    ///
    /// # Examples
    /// ```
    /// # use {proptest::strategy::Just, requeue::{Queue, testing::{Consumer, Fate, check}}};
    /// let checked = check("jobs", || ())
    ///     .queue(|| Queue::standard("jobs"))
    ///     .messages(Just("job"))
    ///     .consumer("c", |_| Consumer::each(|message, context| context.delete(message)).deletes_itself())
    ///     .finally("all is deleted", |(), messages| messages.iter().all(|it| it.fate == Some(Fate::Deleted)))
    ///     .run();
    /// assert!(checked.is_ok());
    /// ```
    #[track_caller]
    pub fn delete(&self, message: &Message) -> Result<(), CallError<DeleteError>> {
        self.own_queue().delete(message)
    }

    /// Changes how long a message stays hidden.
    ///
    /// # Errors
    /// [`CallError`]: what the queue answers, or what a fault makes of it.
    ///
    /// # Examples
    /// ```
    /// # use {proptest::strategy::Just, requeue::{Queue, testing::{Consumer, check}}};
    /// # use std::time::Duration;
    /// let checked = check("films", || ())
    ///     .queue(|| Queue::standard("films").visibility_timeout(Duration::from_secs(30)))
    ///     .messages(Just("film.mov"))
    ///     .consumer("renderer", |_| Consumer::each_async(|message, context| async move {
    ///         context.change_visibility(&message, Duration::from_secs(60)).map_err(|error| error.to_string())?;
    ///         context.wait(Duration::from_secs(45)).await;
    ///         Ok::<_, String>(())
    ///     }))
    ///     .watch_visibility()
    ///     .run();
    /// assert!(checked.is_ok());
    /// ```
    #[track_caller]
    pub fn change_visibility(
        &self,
        message: &Message,
        timeout: Duration,
    ) -> Result<(), CallError<ChangeVisibilityError>> {
        self.own_queue().change_visibility(message, timeout)
    }

    /// Puts a message back as if its receive had not been, as [`Queue::release`](crate::Queue::release) does; it meets the
    /// faults of a change of a visibility timeout.
    ///
    /// # Errors
    /// [`CallError`]: what the queue answers, or what a fault makes of it.
    ///
    /// # Examples
    /// A batch that does one message at a time, and gives the others back at no cost:
    /// ```
    /// # use {proptest::strategy::Just, requeue::{Queue, testing::{Consumer, check}}};
    /// # use std::time::Duration;
    /// let one_at_a_time = |release| check("jobs", || ())
    ///     .queue_with_dead_letters(1, || Queue::standard("jobs"))
    ///     .messages(Just("job"))
    ///     .consumer("c", move |_| Consumer::batch(move |messages, context| {
    ///         for message in &messages[1..] {
    ///             let _ = match release {
    ///                 true => context.release(message),
    ///                 false => context.change_visibility(message, Duration::ZERO),
    ///             };
    ///         }
    ///         vec![Ok::<_, String>(())]
    ///     }))
    ///     .run();
    /// assert!(one_at_a_time(true).is_ok());
    /// assert!(one_at_a_time(false).is_err(), "the others become dead letters");
    /// ```
    #[track_caller]
    pub fn release(&self, message: &Message) -> Result<(), CallError<ChangeVisibilityError>> {
        self.own_queue().release(message)
    }

    /// Hides a message for `delay`, 0 s to 12 h, as if its receive had not been, as
    /// [`Queue::postpone`](crate::Queue::postpone) does; it meets the faults of a change of a visibility timeout.
    ///
    /// # Errors
    /// [`CallError`]: what the queue answers, or what a fault makes of it.
    ///
    /// # Examples
    /// ```
    /// # use {proptest::strategy::Just, requeue::{Queue, testing::{Consumer, Fate, Faults, check}}};
    /// # use std::time::Duration;
    /// let checked = check("reports", || ())
    ///     .queue_with_dead_letters(1, || Queue::standard("reports"))
    ///     .messages(Just("of the day"))
    ///     .consumer("c", |_| Consumer::each(|message, context| {
    ///         let evening = message.sent_timestamp().saturating_add(Duration::from_secs(3_600));
    ///         if context.now() < evening {
    ///             let _ = context.postpone(message, Duration::from_secs(600));
    ///             return Err("not yet");
    ///         }
    ///         Ok(())
    ///     }))
    ///     .faults(Faults::none())
    ///     .finally("each is done", |(), messages| messages.iter().all(|it| it.fate == Some(Fate::Deleted)))
    ///     .run();
    /// assert!(checked.is_ok());
    /// ```
    #[track_caller]
    pub fn postpone(&self, message: &Message, delay: Duration) -> Result<(), CallError<ChangeVisibilityError>> {
        self.own_queue().postpone(message, delay)
    }

    /// Sends a message to the queue under test.
    ///
    /// # Errors
    /// [`CallError`]: what the queue answers, or what a fault makes of it.
    ///
    /// # Examples
    /// ```
    /// # use {proptest::strategy::Just, requeue::{Queue, testing::{Consumer, check}}};
    /// let checked = check("pictures", || ())
    ///     .queue(|| Queue::standard("pictures"))
    ///     .messages(Just("resize cat.png"))
    ///     .consumer("c", |_| Consumer::each(|message, context| match message.body() {
    ///         "resize cat.png" => context.send("upload cat.png").map(drop),
    ///         _ => Ok(()),
    ///     }))
    ///     .run();
    /// assert!(checked.is_ok());
    /// ```
    #[track_caller]
    pub fn send(&self, message: impl Into<SendMessage>) -> Result<Sent, CallError<SendError>> {
        self.own_queue().send(message)
    }
}

/// A wait on the virtual clock, by [`Context::wait`].
#[derive(Debug)]
#[must_use = "a wait does nothing until it is awaited"]
pub struct Wait {
    until: Timestamp,
    context: Context,
    begun: bool,
    /// Who is woken when it is over. Dropping the alarm cancels the wake.
    alarm: Option<(Waker, Alarm)>,
}

impl Wait {
    fn disarm(&mut self) {
        if self.alarm.take().is_some() {
            let waits = &self.context.port.pulse.waits;
            waits.with(|waits| *waits -= 1);
        }
    }
}

impl Future for Wait {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut task::Context<'_>) -> Poll<()> {
        // Even a wait of no time lets go once, so that a handler that waits for ever can be stopped.
        let begun = mem::replace(&mut self.begun, true);
        if begun && self.context.now() >= self.until {
            self.disarm();
            return Poll::Ready(());
        }
        let waker = context.waker();
        if !self.alarm.as_ref().is_some_and(|alarm| alarm.0.will_wake(waker)) {
            self.disarm();
            let alarm = self.context.port.net.clock.wake_at(self.until, waker.clone());
            self.alarm = Some((waker.clone(), alarm));
            let waits = &self.context.port.pulse.waits;
            waits.with(|waits| *waits += 1);
        }
        Poll::Pending
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        self.disarm();
    }
}
