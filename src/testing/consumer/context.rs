//! [`Context`], a handler's access to the queue and the clock, and where a crash may strike.

use {
    super::pulse::{Changed, Pulse},
    crate::{
        clock::{Alarm, Clock, ManualClock},
        error::{ChangeVisibilityError, DeleteError, SendError},
        message::{MessageId, SendMessage},
        queue::Message,
        state::{MessagePhase, MessageSnapshot, Sent},
        testing::{
            faults::Fault,
            source::Source,
            story::Log,
            wire::{CallError, Wire},
        },
        time::Timestamp,
    },
    std::{
        cell::RefCell,
        fmt,
        future::Future,
        mem, panic,
        pin::Pin,
        rc::Rc,
        task::{self, Poll, Waker},
        time::Duration,
    },
};

/// What the handlers of a case share with the kit.
pub(in crate::testing) struct ContextState {
    pub(in crate::testing) wire: RefCell<Wire>,
    pub(in crate::testing) source: RefCell<Source>,
    pub(in crate::testing) log: RefCell<Log>,
    /// The faults that struck calls of handlers.
    pub(in crate::testing) struck: RefCell<Vec<Fault>>,
    pub(in crate::testing) clock: ManualClock,
}

/// A crash that struck a call of a handler.
#[derive(Clone, Copy, Debug)]
pub(in crate::testing) struct Crash {
    pub(in crate::testing) fault: Fault,
    /// What of the call is told of the death.
    pub(in crate::testing) place: &'static str,
    /// What the call had deleted, so that nobody can tell whether it was done.
    pub(in crate::testing) deleted: Option<MessageId>,
}

/// What a handler that dies in a call is unwound with; no hook hears of it.
struct Death;

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
    pub(in crate::testing) shared: Rc<ContextState>,
    pub(in crate::testing) pulse: Rc<Pulse>,
    pub(in crate::testing) name: Rc<str>,
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
        self.shared.clock.now()
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
    pub fn wait(&self, span: Duration) -> Wait {
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
    /// deleted it strikes as [`Fault::CrashAfterDelete`], before as [`Fault::CrashBeforeDelete`].
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
    pub fn checkpoint(&self) {
        if !self.pulse.can_die() {
            return;
        }
        self.stay_dead();
        let fault = match self.has_deleted_all() {
            true => Fault::CrashAfterDelete,
            false => Fault::CrashBeforeDelete,
        };
        if let Some(fault) = self.shared.source.borrow_mut().choose(&[fault]) {
            let (place, deleted) = ("at a checkpoint", None);
            self.die(Crash { fault, place, deleted });
        }
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
    pub fn delete(&self, message: &Message) -> Result<(), CallError<DeleteError>> {
        const CANDIDATES: &[Fault] = &[
            Fault::DeleteResponseLost,
            Fault::DeleteFails,
            Fault::DeleteLate,
            Fault::CrashBeforeDelete,
            Fault::CrashAfterDelete,
        ];
        let drawn = self.choose(Wire::DELETE, CANDIDATES, "before its delete")?;
        let fault = drawn.filter(|fault| *fault != Fault::CrashAfterDelete);
        let result = self.shared.wire.borrow_mut().delete(message, fault);
        self.pulse.blameless.set(self.pulse.blameless.get() || fault.is_some());
        let refused = matches!(result, Err(CallError::Refused(_)));
        self.pulse.delete(message.message_id(), self.now(), refused);
        self.tell(
            fault,
            || format!("deletes {}", Name(&self.shared, message.message_id())),
            &result,
        );
        match (drawn, &result) {
            (Some(crash @ Fault::CrashAfterDelete), Ok(())) => self.die(Crash {
                fault: crash,
                place: "after its delete",
                deleted: Some(message.message_id()),
            }),
            (Some(Fault::CrashAfterDelete), Err(_)) => self.shared.source.borrow_mut().missed(),
            _ => {}
        }
        result
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
    pub fn change_visibility(
        &self,
        message: &Message,
        timeout: Duration,
    ) -> Result<(), CallError<ChangeVisibilityError>> {
        let told = format!("for {} s", timeout.as_secs_f64());
        self.hide(message, timeout, ("hides", &told), |wire, fault| {
            wire.change_visibility(message, timeout, fault)
        })
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
    pub fn release(&self, message: &Message) -> Result<(), CallError<ChangeVisibilityError>> {
        self.hide(message, Duration::ZERO, ("releases", ""), |wire, fault| {
            wire.postpone(message, Duration::ZERO, fault)
        })
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
    pub fn postpone(&self, message: &Message, delay: Duration) -> Result<(), CallError<ChangeVisibilityError>> {
        let told = format!("for {} s", delay.as_secs_f64());
        self.hide(message, delay, ("postpones", &told), |wire, fault| {
            wire.postpone(message, delay, fault)
        })
    }

    /// A call after which a message is hidden for so long from now.
    fn hide(
        &self,
        message: &Message,
        timeout: Duration,
        (verb, span): (&str, &str),
        call: impl FnOnce(&Wire, Option<Fault>) -> Result<(), CallError<ChangeVisibilityError>>,
    ) -> Result<(), CallError<ChangeVisibilityError>> {
        const CANDIDATES: &[Fault] = &[
            Fault::VisibilityResponseLost,
            Fault::VisibilityFails,
            Fault::VisibilityLate,
            Fault::CrashBeforeDelete,
        ];
        let fault = self.choose(Wire::VISIBILITY, CANDIDATES, "before it changes the visibility")?;
        let result = call(&self.shared.wire.borrow(), fault);
        let changed = match &result {
            Ok(()) => Changed::Done,
            Err(CallError::ResponseLost) => Changed::Unknown,
            Err(CallError::Refused(_)) if !self.is_in_flight(message) => Changed::Gone,
            Err(_) => Changed::Failed,
        };
        self.pulse.change(message.message_id(), self.now(), timeout, changed);
        let name = Name(&self.shared, message.message_id());
        self.tell(fault, || format!("{verb} {name} {span}").trim_end().to_owned(), &result);
        result
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
    pub fn send(&self, message: impl Into<SendMessage>) -> Result<Sent, CallError<SendError>> {
        const CANDIDATES: &[Fault] = &[
            Fault::SendResponseLost,
            Fault::SendLate,
            Fault::SendThrottled,
            Fault::CrashBeforeDelete,
        ];
        let message = message.into();
        let told = format!("sends {:?}", message.body());
        let fault = self.choose(Wire::SEND, CANDIDATES, "before it sends")?;
        let result = self.shared.wire.borrow_mut().send(message, fault);
        self.tell(fault, || told, &result);
        result
    }

    /// The fault that strikes a call; one that is a crash before it does not return.
    fn choose<E>(
        &self,
        of_the_call: &[Fault],
        with_crashes: &[Fault],
        place: &'static str,
    ) -> Result<Option<Fault>, CallError<E>> {
        self.stay_dead();
        if self.pulse.dead.get() {
            return Err(CallError::ServiceUnavailable);
        }
        let candidates = if self.pulse.can_die() {
            with_crashes
        } else {
            of_the_call
        };
        let fault = self.shared.source.borrow_mut().choose(candidates);
        if let Some(fault @ Fault::CrashBeforeDelete) = fault {
            let deleted = None;
            self.die(Crash { fault, place, deleted });
        }
        Ok(fault)
    }

    /// Ends a handler again that has caught the unwinding it was ended with.
    fn stay_dead(&self) {
        if self.pulse.dead.get() && self.pulse.can_die() {
            panic::resume_unwind(Box::new(Death));
        }
    }

    /// Whether this reception of a message still hides it.
    fn is_in_flight(&self, message: &Message) -> bool {
        let is_it = |it: &MessageSnapshot| {
            it.message_id == message.message_id()
                && it.approximate_receive_count == message.approximate_receive_count()
                && matches!(it.phase, MessagePhase::InFlight { .. })
        };
        self.shared.wire.borrow().queue().snapshot().messages.iter().any(is_it)
    }

    fn has_deleted_all(&self) -> bool {
        let snapshot = self.shared.wire.borrow().queue().snapshot();
        let mut stored = snapshot.messages.iter().map(|it| it.message_id);
        !stored.any(|message| self.pulse.messages().contains(&message))
    }

    fn die(&self, crash: Crash) -> ! {
        self.pulse.dead.set(true);
        self.pulse.crash.set(Some(crash));
        panic::resume_unwind(Box::new(Death));
    }

    fn tell<T, E: fmt::Display>(
        &self,
        fault: Option<Fault>,
        told: impl FnOnce() -> String,
        result: &Result<T, CallError<E>>,
    ) {
        self.pulse.called.set(true);
        self.pulse.struck.set(self.pulse.struck.get() || fault.is_some());
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

struct Name<'a>(&'a ContextState, MessageId);

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
    /// Who is woken when it is over. Dropping the alarm cancels the wake.
    alarm: Option<(Waker, Alarm)>,
}

impl Wait {
    fn disarm(&mut self) {
        if self.alarm.take().is_some() {
            let waits = &self.context.pulse.waits;
            waits.set(waits.get() - 1);
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
            let alarm = self.context.shared.clock.wake_at(self.until, waker.clone());
            self.alarm = Some((waker.clone(), alarm));
            let waits = &self.context.pulse.waits;
            waits.set(waits.get() + 1);
        }
        Poll::Pending
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        self.disarm();
    }
}
