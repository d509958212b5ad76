//! [`Port`], one actor's way to the net: where faults and crashes strike its calls, and where they are told.

use {
    super::{Changed, Net, Pulse},
    crate::{
        clock::Clock,
        error::ReceiveError,
        message::MessageId,
        queue::{Message, Receive},
        state::{MessagePhase, MessageSnapshot},
        testing::{
            faults::Fault,
            log::{Log, Told},
            quiet,
            story::{EventKind, Place},
            wire::{CallError, Polled, Wire},
        },
        time::Timestamp,
    },
    std::{
        fmt,
        future::{pending, poll_fn},
        panic::Location,
        sync::Arc,
        task::Poll,
        time::Duration,
    },
};

/// So many characters of a body are told.
pub(in crate::testing) const MOST_OF_A_BODY: usize = 40;

/// What an awaited short poll takes that finds nothing.
const ROUND_TRIP: Duration = Duration::from_millis(10);

/// A crash that struck a call of an actor.
#[derive(Clone, Copy, Debug)]
pub(in crate::testing) struct Crash {
    pub(in crate::testing) fault: Fault,
    /// What of the call is told of the death.
    pub(in crate::testing) moment: &'static str,
    pub(in crate::testing) place: Option<Place>,
    /// What the call had deleted, so that nobody can tell whether it was done.
    pub(in crate::testing) deleted: Option<MessageId>,
}

/// An actor that is dead makes no calls.
#[derive(Debug)]
pub(in crate::testing) struct Dead;

impl Dead {
    /// A call of a dead actor is never answered.
    pub(in crate::testing) async fn wait_for_ever<T>(self) -> T {
        pending().await
    }
}

/// The calls that change a queue.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::testing) enum CallKind {
    Send,
    Delete,
    Visibility,
}

impl CallKind {
    pub(in crate::testing) const fn faults(self) -> &'static [Fault] {
        match self {
            Self::Send => Wire::SEND,
            Self::Delete => Wire::DELETE,
            Self::Visibility => Wire::VISIBILITY,
        }
    }

    const fn crashes(self) -> &'static [Fault] {
        match self {
            Self::Delete => &[Fault::CrashBeforeDelete, Fault::CrashAfterDelete],
            Self::Send | Self::Visibility => &[Fault::CrashBeforeDelete],
        }
    }

    const fn before(self) -> &'static str {
        match self {
            Self::Send => "before it sends",
            Self::Delete => "before its delete",
            Self::Visibility => "before it changes the visibility",
        }
    }
}

/// A call that has begun.
#[derive(Clone, Copy, Debug)]
pub(in crate::testing) struct Begun {
    pub(in crate::testing) fault: Option<Fault>,
    /// The entry of a batch that fails.
    pub(in crate::testing) entry: Option<usize>,
    /// The actor dies when the call is over, if it was carried out.
    pub(in crate::testing) dies_after: bool,
    pub(in crate::testing) place: Option<Place>,
}

/// What a call did, as the story tells it.
pub(in crate::testing) enum Act<'a> {
    /// Messages with their ids, as far as they are known.
    Send {
        messages: &'a [(Option<MessageId>, String)],
    },
    /// Messages that were deleted, and all that should have been.
    Delete {
        messages: &'a [MessageId],
        attempted: &'a [MessageId],
    },
    /// Messages, each with the count of the receive whose handle is used, and those whose entries failed.
    Hide {
        messages: &'a [(MessageId, Option<u32>)],
        failed: &'a [(MessageId, Option<u32>)],
        timeout: Duration,
        verb: &'static str,
    },
}

/// One actor's way to one queue of the net.
#[derive(Clone)]
pub(in crate::testing) struct Port {
    pub(in crate::testing) net: Arc<Net>,
    pub(in crate::testing) pulse: Arc<Pulse>,
    /// Of the actor.
    pub(in crate::testing) name: Arc<str>,
    /// The place of the queue among the lines of the net.
    pub(in crate::testing) line: usize,
}

impl fmt::Debug for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Port")
            .field("actor", &self.name)
            .finish_non_exhaustive()
    }
}

impl Port {
    pub(in crate::testing) fn now(&self) -> Timestamp {
        self.net.clock.now()
    }

    pub(in crate::testing) fn wire(&self) -> &Arc<Wire> {
        &self.net.lines[self.line].wire
    }

    /// Whether a crash may strike the actor in a call of this thread.
    fn can_die(&self) -> bool {
        self.net.is_in_thread() && self.pulse.can_die()
    }

    /// Begins a call, in which a fault may strike or the actor may die before it.
    pub(in crate::testing) fn begin(
        &self,
        kind: CallKind,
        entries: Option<usize>,
        place: Option<&'static Location<'static>>,
    ) -> Result<Begun, Dead> {
        self.stay_dead()?;
        let place = place.map(Place::from);
        self.pulse.place.set(place);
        let mut candidates = kind.faults().to_vec();
        if self.can_die() {
            candidates.extend(kind.crashes());
        }
        let mut fault = self.net.choose_for(Some(kind), &candidates);
        let failing = |_: &usize| self.net.choose(&[Fault::BatchEntryFails]).is_some();
        let entries = entries.filter(|_| fault.is_none()).unwrap_or(0);
        let entry = (0..entries).find(failing);
        fault = fault.or_else(|| entry.map(|_| Fault::BatchEntryFails));
        if let Some(fault @ Fault::CrashBeforeDelete) = fault {
            return Err(self.die(Crash {
                fault,
                moment: kind.before(),
                place,
                deleted: None,
            }));
        }
        let dies_after = fault == Some(Fault::CrashAfterDelete);
        Ok(Begun {
            fault: fault.filter(|_| !dies_after),
            entry,
            dies_after,
            place,
        })
    }

    /// Ends a call: what the actor knows by its answer, and what is told of it.
    pub(in crate::testing) fn end<T, E: fmt::Display>(
        &self,
        begun: Begun,
        act: &Act<'_>,
        result: &Result<T, CallError<E>>,
    ) -> Result<(), Dead> {
        let Begun {
            fault,
            dies_after,
            place,
            ..
        } = begun;
        self.learn(fault, act, result);
        let queue = &self.net.lines[self.line].name;
        self.net.tell(&self.name, fault, |log| {
            let (mut what, messages) = act.told(log);
            if let Err(error) = result {
                what = format!("{what}: {}", error.to_string().lines().next().unwrap_or_default());
            }
            Told::from(what).of(queue, messages).kind(act.kind()).at(place)
        });
        match (dies_after, act, result) {
            (true, Act::Delete { messages, .. }, Ok(_)) => Err(self.die(Crash {
                fault: Fault::CrashAfterDelete,
                moment: "after its delete",
                place,
                deleted: messages.first().copied(),
            })),
            (true, ..) => {
                self.net.missed(Fault::CrashAfterDelete);
                Ok(())
            }
            (false, ..) => Ok(()),
        }
    }

    fn learn<T, E>(&self, fault: Option<Fault>, act: &Act<'_>, result: &Result<T, CallError<E>>) {
        let (pulse, now) = (&self.pulse, self.now());
        pulse.called.set(true);
        pulse.act();
        pulse.struck.set(pulse.struck.get() || fault.is_some());
        let refused = matches!(result, Err(CallError::Refused(_)));
        match act {
            Act::Send { .. } => pulse.sent.set(pulse.sent.get() || result.is_ok()),
            Act::Delete { messages, attempted } => {
                pulse.finished.with(|finished| finished.extend_from_slice(attempted));
                pulse.blameless.set(pulse.blameless.get() || fault.is_some());
                for message in *messages {
                    pulse.delete(*message, now, refused);
                }
                // What failed in a batch the actor is done with as well.
                for message in attempted.iter().filter(|it| !messages.contains(it)) {
                    pulse.delete(*message, now, true);
                }
            }
            Act::Hide {
                messages,
                failed,
                timeout,
                ..
            } => {
                let refused_one = |message, count| match self.is_in_flight(message, count) {
                    true => Changed::Failed,
                    false => Changed::Gone,
                };
                // Nobody can extend anything in an outage, nor stop what is at work.
                pulse.excused.set(pulse.excused.get() || fault == Some(Fault::Outage));
                for (message, count) in *messages {
                    let changed = match result {
                        Ok(_) => Changed::Done,
                        Err(CallError::ResponseLost) => Changed::Unknown,
                        Err(CallError::Refused(_)) => refused_one(*message, *count),
                        Err(_) => Changed::Failed,
                    };
                    pulse.change(*message, now, *timeout, changed);
                }
                for (message, count) in *failed {
                    pulse.change(*message, now, *timeout, refused_one(*message, *count));
                }
            }
        }
    }

    /// A receive of the actor's own that does not wait.
    pub(in crate::testing) fn receive(
        &self,
        poll: Receive<'_>,
        place: Option<&'static Location<'static>>,
    ) -> Result<Vec<Message>, CallError<ReceiveError>> {
        let place = place.map(Place::from);
        if let Err(dead) = self.stay_dead() {
            self.unwind(&dead);
            return Err(CallError::ServiceUnavailable);
        }
        self.pulse.place.set(place);
        self.end_receive(self.net.receive(self.line, poll), place)
    }

    /// A receive of the actor's own that waits as long as the request does.
    pub(in crate::testing) async fn receive_awaited(
        &self,
        mut poll: Receive<'_>,
        place: Option<&'static Location<'static>>,
    ) -> Result<Vec<Message>, CallError<ReceiveError>> {
        let place = place.map(Place::from);
        if let Err(dead) = self.stay_dead() {
            return dead.wait_for_ever().await;
        }
        self.pulse.place.set(place);
        let polled = match self.net.begin_receive(self.line, &mut poll) {
            Some(polled) => polled,
            None => {
                let asking = self.asking();
                let is_short = !poll.is_long_poll();
                let answer = poll.await;
                if is_short && matches!(&answer, Ok(messages) if messages.is_empty()) {
                    self.round_trip().await;
                }
                drop(asking);
                self.net.answered(self.line, answer)
            }
        };
        self.end_receive(polled, place)
    }

    /// A short poll that finds nothing takes its time: who asks again and again would never let any pass.
    async fn round_trip(&self) {
        let until = self.now().saturating_add(ROUND_TRIP);
        let mut alarm = None;
        let waits = Waiting::new(&self.pulse);
        poll_fn(|context| {
            if self.now() >= until {
                return Poll::Ready(());
            }
            alarm = Some(self.net.clock.wake_at(until, context.waker().clone()));
            Poll::Pending
        })
        .await;
        drop((alarm, waits));
    }

    /// While it lives, the actor waits for messages.
    pub(in crate::testing) fn asking(&self) -> Asking<'_> {
        self.pulse.asking.with(|asking| *asking += 1);
        Asking(&self.pulse)
    }

    fn end_receive(
        &self,
        (result, fault): Polled,
        place: Option<Place>,
    ) -> Result<Vec<Message>, CallError<ReceiveError>> {
        let received = result
            .as_ref()
            .map(|messages| holds(messages))
            .map_err(ToString::to_string);
        self.received(fault, received, place);
        result
    }

    /// What the actor received by itself.
    pub(in crate::testing) fn received(
        &self,
        fault: Option<Fault>,
        result: Result<Vec<(MessageId, Timestamp)>, String>,
        place: Option<Place>,
    ) {
        self.pulse.called.set(true);
        if let Ok(messages) = &result {
            // Others had a copy already: how long it is held is not its own.
            let is_copy = matches!(fault, Some(Fault::DuplicateInFlight | Fault::DuplicateAfterDelete));
            let held = if is_copy { &[][..] } else { &messages[..] };
            self.pulse.receive(messages, held, self.net.facts.lock().len());
            if messages.is_empty() && fault.is_none() {
                return;
            }
        }
        self.pulse.act();
        let queue = &self.net.lines[self.line].name;
        let result = result.map(|messages| messages.into_iter().map(|it| it.0).collect());
        self.net
            .tell(&self.name, fault, |log| Told::received(log, queue, &result).at(place));
    }

    /// Ends an actor again that has caught the unwinding it was ended with.
    pub(in crate::testing) fn stay_dead(&self) -> Result<(), Dead> {
        if self.pulse.dead.get() { Err(Dead) } else { Ok(()) }
    }

    /// Whether this receive of a message still hides it.
    fn is_in_flight(&self, message: MessageId, count: Option<u32>) -> bool {
        let is_it = |it: &MessageSnapshot| {
            it.message_id == message
                && count.is_none_or(|count| it.approximate_receive_count == count)
                && matches!(it.phase, MessagePhase::InFlight { .. })
        };
        self.wire().queue().snapshot().messages.iter().any(is_it)
    }

    /// Whether nothing of what the actor was given is in its queue any more.
    pub(in crate::testing) fn has_deleted_all(&self) -> bool {
        let snapshot = self.wire().queue().snapshot();
        let mut stored = snapshot.messages.iter().map(|it| it.message_id);
        !stored.any(|message| self.pulse.messages().contains(&message))
    }

    pub(in crate::testing) fn die(&self, crash: Crash) -> Dead {
        self.pulse.dead.set(true);
        self.pulse.crash.set(Some(crash));
        quiet::die();
        Dead
    }

    /// Ends the actor in a call that does not await: it is unwound, where that is possible.
    pub(in crate::testing) fn unwind(&self, _: &Dead) {
        if self.can_die() {
            quiet::unwind_the_dead();
        }
    }

    /// The actor does something of its own for a message.
    pub(in crate::testing) fn affect(
        &self,
        message: &Message,
        what: &dyn fmt::Display,
        place: &'static Location<'static>,
    ) {
        if self.stay_dead().is_err() {
            return;
        }
        let place = Some(place.into());
        self.pulse.place.set(place);
        self.pulse.affect(message.message_id(), self.now());
        let line = self.net.lines.iter().find(|line| *line.arn == *message.queue().arn());
        self.net.tell(&self.name, None, |log| {
            let name = log.name(message.message_id());
            let told = Told::from(format!("{what} ({name})")).kind(EventKind::Note).at(place);
            match line {
                Some(line) => told.of(&line.name, [name]),
                None => told,
            }
        });
    }

    /// A crash may strike in between.
    pub(in crate::testing) fn checkpoint(&self, place: &'static Location<'static>) {
        if !self.can_die() {
            return;
        }
        self.pulse.place.set(Some(place.into()));
        if let Err(dead) = self.stay_dead() {
            return self.unwind(&dead);
        }
        let fault = match self.has_deleted_all() {
            true => Fault::CrashAfterDelete,
            false => Fault::CrashBeforeDelete,
        };
        if let Some(fault) = self.net.choose(&[fault]) {
            let dead = self.die(Crash {
                fault,
                moment: "at a checkpoint",
                place: Some(place.into()),
                deleted: None,
            });
            self.unwind(&dead);
        }
    }
}

/// A wait on the virtual clock that is under way.
struct Waiting<'a>(&'a Pulse);

impl<'a> Waiting<'a> {
    fn new(pulse: &'a Pulse) -> Self {
        pulse.waits.with(|waits| *waits += 1);
        Self(pulse)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waits.with(|waits| *waits -= 1);
    }
}

/// A receive that waits.
pub(in crate::testing) struct Asking<'a>(&'a Pulse);

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.0.asking.with(|asking| *asking -= 1);
    }
}

impl Act<'_> {
    const fn kind(&self) -> EventKind {
        match self {
            Self::Send { .. } => EventKind::Send,
            Self::Delete { .. } => EventKind::Delete,
            Self::Hide { .. } => EventKind::Visibility,
        }
    }

    fn told(&self, log: &Log) -> (String, Vec<String>) {
        match self {
            Self::Send { messages } => {
                let names = log.names(messages.iter().filter_map(|it| it.0));
                let told = messages.iter().map(|(id, body)| {
                    let body: String = body.chars().take(MOST_OF_A_BODY).collect();
                    match id {
                        Some(id) => format!("{} {body:?}", log.name(*id)),
                        None => format!("{body:?}"),
                    }
                });
                (format!("sends {}", told.collect::<Vec<_>>().join(", ")), names)
            }
            Self::Delete { messages, attempted } => {
                let failed = attempted.iter().filter(|message| !messages.contains(message));
                let (done, failed) = (messages.iter().copied(), failed.copied());
                entries("deletes", log.names(done), log.names(failed), "")
            }
            Self::Hide {
                messages,
                failed,
                timeout,
                verb,
            } => {
                let span = match *verb {
                    "releases" => String::new(),
                    _ => format!(" for {} s", timeout.as_secs_f64()),
                };
                let (done, failed) = (messages.iter().map(|it| it.0), failed.iter().map(|it| it.0));
                entries(verb, log.names(done), log.names(failed), &span)
            }
        }
    }
}

/// What a call for several messages did, and all their names.
fn entries(verb: &str, done: Vec<String>, failed: Vec<String>, span: &str) -> (String, Vec<String>) {
    let what = match (&done[..], &failed[..]) {
        (done, []) => format!("{verb} {}{span}", done.join(", ")),
        ([], failed) => format!("{verb} {}{span}: failed", failed.join(", ")),
        (done, failed) => format!("{verb} {}{span}, but not {}", done.join(", "), failed.join(", ")),
    };
    (what, [done, failed].concat())
}

/// What of messages a port is told when they were received.
pub(in crate::testing) fn holds(messages: &[Message]) -> Vec<(MessageId, Timestamp)> {
    messages
        .iter()
        .map(|it| (it.message_id(), it.invisible_until()))
        .collect()
}
