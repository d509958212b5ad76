//! One turn of a consumer: receive, begin, continue, delete or crash.

use {
    super::{Alert, Case, Held, Run, Slot, Unfit},
    crate::{
        clock::Clock,
        error::ReceiveError,
        queue::Message,
        testing::{
            consumer::{Consumer, Context, Crash, Pulse},
            faults::Fault,
            ledger::{Actor, Property, Violation},
            quiet::quietly,
            wire::{CallError, Wire},
        },
        time::Timestamp,
    },
    std::{
        mem,
        rc::Rc,
        sync::Arc,
        task::{self, Poll, Waker},
        time::Duration,
    },
};

/// So often may a handler be polled while no time passes before it counts as never finishing.
const MOST_POLLS_AT_ONCE: u32 = 1_000;

/// So many times a handler may wait for time to pass, and once more for every second for which it holds a message.
const MOST_TICKS: u64 = 1_000;

/// So many seconds count at most.
const MOST_SECONDS: u64 = 10_000;

impl Slot {
    fn is_woken(&self) -> bool {
        self.run.as_ref().is_some_and(|run| run.alert.is_set())
    }

    /// When a pause ends of a handler that could go on.
    pub(super) fn wake(&self) -> Option<Timestamp> {
        self.paused.filter(|_| self.is_woken())
    }

    /// Whether a handler can go on that is not at a pause.
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        self.is_woken() && self.paused.is_none_or(|until| until <= now)
    }

    /// Whether it has something to do that takes no time. A pause is over only when a turn has seen its end.
    pub(super) fn is_busy(&self) -> bool {
        let can_go_on = self.is_woken() || (self.run.is_none() && !self.is_idle());
        self.paused.is_none() && can_go_on
    }

    /// Whether a handler goes on by itself, now or when time has passed.
    pub(super) fn is_at_work(&self) -> bool {
        self.is_woken() || self.run.as_ref().is_some_and(|run| run.pulse.waits.get() > 0)
    }

    /// Whether somebody beside the kit has the waker of a handler that does not wait for time.
    pub(super) fn may_be_woken_from_elsewhere(&self) -> bool {
        const OF_THE_RUN: usize = 2;
        let kept = |run: &Run| Arc::strong_count(&run.alert) > OF_THE_RUN;
        !self.is_at_work() && self.run.as_ref().is_some_and(kept)
    }

    pub(super) fn is_idle(&self) -> bool {
        self.run.is_none() && self.waiting.is_empty() && self.done.is_empty()
    }

    /// Until when the last of its messages is hidden, as it knows.
    pub(super) fn held_until(&self) -> Option<Timestamp> {
        let received = self.waiting.iter().chain(&self.done).map(Message::invisible_until);
        let working = self.run.iter().filter_map(|run| run.pulse.held_until());
        received.chain(working).max()
    }
}

impl<W> Case<'_, W> {
    pub(super) fn make(&self, at: usize) -> Held<Consumer> {
        let factory = &self.setup.consumers[at];
        quietly(|| (factory.make)(&self.world)).map_err(|panic| {
            let sentence = format!("the factory of {} panicked: {panic}", factory.name);
            Violation::new(Property::NoConsumerPanics, sentence)
        })
    }

    /// The next act of a consumer; whether there was anything to do.
    pub(super) fn turn(&mut self, at: usize) -> Held<bool> {
        let now = self.shared.clock.now();
        let slot = &mut self.slots[at];
        if slot.paused.is_some_and(|until| now < until) {
            return Ok(false);
        }
        if slot.paused.take().is_some() {
            self.excuse_who_waited_for(at);
        }
        let slot = &self.slots[at];
        if slot.run.is_some() {
            if !slot.is_woken() {
                return Ok(false);
            }
            return self.resume(at).map(|()| true);
        }
        if !slot.done.is_empty() {
            return self.acknowledge(at).map(|()| true);
        }
        if !slot.waiting.is_empty() {
            return self.begin(at).map(|()| true);
        }
        self.receive(at)
    }

    pub(super) fn receive(&mut self, at: usize) -> Held<bool> {
        let fault = self.choose(Wire::RECEIVE);
        let Consumer {
            max_messages,
            visibility_timeout,
            ..
        } = self.slots[at].consumer;
        let (result, struck) = self
            .shared
            .wire
            .borrow_mut()
            .receive(max_messages, visibility_timeout, fault);
        self.count_struck(fault, struck);
        self.note_facts(Actor::Kit)?;
        if let (Err(CallError::Refused(error)), None) = (&result, struck) {
            if matches!(error, ReceiveError::InvalidParameterValue(_)) {
                self.unfit = Some(Unfit::Receive(error.clone()));
                return Err(Violation::new(Property::NoneDisappears, "a receive was refused"));
            }
        }
        let empty = matches!(&result, Ok(messages) if messages.is_empty());
        if !empty || struck.is_some() {
            self.tell(&self.slots[at].name, struck, || match &result {
                Ok(messages) if messages.is_empty() => "receives nothing".to_owned(),
                Ok(messages) => format!("receives {}", self.names(messages)),
                Err(error) => format!("receives: {}", error.to_string().lines().next().unwrap_or_default()),
            });
        }
        let messages = result.unwrap_or_default();
        messages
            .iter()
            .for_each(|message| self.ledger.handed(message.message_id()));
        self.slots[at].waiting = messages.into();
        self.slots[at].ready = self.shared.clock.now();
        self.slots[at].excused = matches!(struck, Some(Fault::DuplicateInFlight | Fault::DuplicateAfterDelete));
        Ok(!empty)
    }

    pub(super) fn begin(&mut self, at: usize) -> Held {
        if self.crash_or_pause(at, Fault::CrashBeforeWork)? {
            return Ok(());
        }
        let now = self.shared.clock.now();
        let slot = &mut self.slots[at];
        let count = if slot.consumer.batch { slot.waiting.len() } else { 1 };
        let messages: Vec<Message> = slot.waiting.drain(..count).collect();
        // Whom the kit kept waiting has less time left than it was given, and so has all that it received with this.
        slot.excused |= now > slot.ready;
        if slot.excused {
            self.strike(at, &messages);
        }
        let in_time = messages.iter().map(|message| self.ledger.begun(message.message_id()));
        let in_time = in_time.collect();
        let slot = &mut self.slots[at];
        let pulse = Rc::new(Pulse::new(&messages, slot.excused));
        let context = Context {
            shared: Rc::clone(&self.shared),
            pulse: Rc::clone(&pulse),
            name: Rc::clone(&slot.name),
        };
        let handed = messages.clone();
        pulse.entered.set(true);
        let started = quietly(|| (slot.consumer.start)(handed, context));
        pulse.entered.set(false);
        if let Some(crash) = pulse.crash.take() {
            drop(quietly(|| drop(started)));
            return self.dies_in_a_call(at, &messages, crash);
        }
        match started {
            Ok(work) => {
                let alert = Alert::new(self.parker.waker());
                slot.run = Some(Run {
                    work,
                    messages,
                    in_time,
                    pulse,
                    waker: Waker::from(Arc::clone(&alert)),
                    alert,
                    told: false,
                    began: now,
                    polled: None,
                    at_once: 0,
                    ticks: 0,
                });
                self.poll(at)
            }
            Err(panic) => self.panicked(at, &messages, &panic),
        }
    }

    pub(super) fn resume(&mut self, at: usize) -> Held {
        let mut messages = self.slots[at].run.iter().flat_map(|run| &run.messages);
        let crash = match messages.all(|message| self.ledger.is_deleted(message.message_id())) {
            true => Fault::CrashAfterDelete,
            false => Fault::CrashBeforeDelete,
        };
        if self.crash_or_pause(at, crash)? {
            return Ok(());
        }
        self.poll(at)
    }

    fn actor(&self, at: usize) -> Actor {
        match self.slots[at].consumer.acknowledged {
            true => Actor::Acknowledged,
            false => Actor::Deleting,
        }
    }

    /// Lets a handler go on until it waits or returns.
    fn poll(&mut self, at: usize) -> Held {
        let now = self.shared.clock.now();
        let Some(mut run) = self.slots[at].run.take() else {
            return Ok(());
        };
        if run.alert.take() {
            // What another thread does takes no virtual time, and how long it takes is not the handler's doing.
            self.slots[at].excused = true;
            run.pulse.excused.set(true);
            self.strike(at, &run.messages);
        }
        let is_first = run.polled.is_none();
        self.check_wait(at, &run)?;
        self.count_poll(at, &mut run)?;
        run.pulse.entered.set(true);
        let mut context = task::Context::from_waker(&run.waker);
        let polled = quietly(|| run.work.as_mut().poll(&mut context));
        run.pulse.entered.set(false);
        if let Some(crash) = run.pulse.crash.take() {
            // What a handler drops after its death is not heard of.
            drop(quietly(|| drop(run.work)));
            return self.dies_in_a_call(at, &run.messages, crash);
        }
        let polled = match polled {
            Ok(polled) => polled,
            Err(panic) => return self.panicked(at, &run.messages, &panic),
        };
        let answers = match &polled {
            Poll::Ready(answers) => Some(&answers[..]),
            Poll::Pending => None,
        };
        if is_first {
            self.takes_up(at, &run, answers)?;
        }
        if let (Poll::Pending, false) = (&polled, run.told) {
            run.told = true;
            let verb = if run.pulse.called.get() {
                "goes on with"
            } else {
                "begins"
            };
            self.tell(&self.slots[at].name, None, || {
                format!("{verb} {}", self.names(&run.messages))
            });
        }
        if run.pulse.blameless.get() {
            run.messages
                .iter()
                .for_each(|message| self.ledger.forgive(message.message_id()));
        }
        for entry in self.facts.0.lock().iter() {
            run.pulse.heed(&entry.fact, now);
        }
        self.check_finished(at, &run, answers)?;
        match polled {
            Poll::Ready(answers) => {
                self.tell_answers(at, &run, &answers);
                self.note_facts(self.actor(at))?;
                self.finish(at, &run, answers)
            }
            Poll::Pending => {
                self.slots[at].run = Some(run);
                self.note_facts(self.actor(at))
            }
        }
    }

    /// A handler may take as long as what it waits for takes, and no longer.
    fn count_poll(&self, at: usize, run: &mut Run) -> Held {
        let now = self.shared.clock.now();
        if run.polled.replace(now).is_some_and(|before| before < now) {
            run.at_once = 0;
            run.ticks += 1;
        }
        run.at_once += 1;
        let held = run.pulse.latest().saturating_duration_since(run.began).as_secs();
        let how = if run.at_once > MOST_POLLS_AT_ONCE {
            format!("it was woken {MOST_POLLS_AT_ONCE} times while no time passed")
        } else if run.ticks > MOST_TICKS + held.min(MOST_SECONDS) {
            let seconds = now.saturating_duration_since(run.began).as_secs_f64();
            format!("it waited {} times in {seconds} s", run.ticks)
        } else {
            return Ok(());
        };
        let (who, names) = (&self.slots[at].name, self.names(&run.messages));
        let sentence = format!("{who} never finished {names}: {how}");
        Err(Violation::new(Property::EveryHandlerFinishes, sentence))
    }

    pub(super) fn tell_answers(&self, at: usize, run: &Run, answers: &[Result<(), String>]) {
        self.tell(&self.slots[at].name, None, || {
            let verb = if run.told { "ends" } else { "works on" };
            let each = run.messages.iter().zip(0..).map(|(message, at)| {
                let name = self.shared.log.borrow().name(message.message_id());
                match answers.get::<usize>(at) {
                    Some(Ok(())) => format!("{name}: ok"),
                    Some(Err(error)) => format!("{name}: failed ({error})"),
                    None => format!("{name}: no answer"),
                }
            });
            format!("{verb} {}", each.collect::<Vec<_>>().join(", "))
        });
    }

    pub(super) fn finish(&mut self, at: usize, run: &Run, answers: Vec<Result<(), String>>) -> Held {
        self.slots[at].ready = self.shared.clock.now();
        if run.pulse.struck.get() {
            self.strike(at, &run.messages);
        }
        self.left_unbegun(run, answers.len());
        let mut answers = answers.into_iter();
        let excused = run.pulse.excused.get();
        for message in &run.messages {
            let id = message.message_id();
            self.ledger.ends(at, id);
            let ok = matches!(answers.next(), Some(Ok(())));
            if ok {
                self.ledger.finished(at, id, excused)?;
                if self.slots[at].consumer.acknowledged {
                    self.slots[at].done.push(message.clone());
                }
            } else {
                self.leave_group(at, message);
            }
        }
        Ok(())
    }

    /// What a batch does not answer for it has not begun, but for the first such, at which it may have failed; if it
    /// answers for none, it failed as a whole.
    fn left_unbegun(&mut self, run: &Run, answered: usize) {
        let left = run.messages.iter().zip(&run.in_time).skip(answered + 1);
        for (message, _) in left.filter(|it| answered > 0 && *it.1) {
            self.ledger.not_begun(message.message_id());
        }
    }

    /// FIFO: what follows a failure in its group is left to come back after it.
    pub(super) fn leave_group(&mut self, at: usize, failed: &Message) {
        if self.queue.is_fifo() {
            let same = |message: &Message| message.message_group_id() == failed.message_group_id();
            self.slots[at].waiting.retain(|message| !same(message));
        }
    }

    pub(super) fn acknowledge(&mut self, at: usize) -> Held {
        if self.crash_or_pause(at, Fault::CrashBeforeDelete)? {
            return Ok(());
        }
        let candidates = match self.slots[at].consumer.batch {
            true => [Wire::DELETE, &[Fault::BatchEntryFails]].concat(),
            false => Wire::DELETE.to_vec(),
        };
        self.slots[at].ready = self.shared.clock.now();
        for message in mem::take(&mut self.slots[at].done) {
            let fault = self.choose(&candidates);
            let result = self.shared.wire.borrow_mut().delete(&message, fault);
            self.tell(&self.slots[at].name, fault, || match &result {
                Ok(()) => format!("deletes {}", self.name(message.message_id())),
                Err(error) => format!("deletes {}: {error}", self.name(message.message_id())),
            });
            if fault.is_some() {
                self.strike(at, &[]);
            }
            if result.is_err() {
                self.leave_group(at, &message);
            }
            self.note_facts(Actor::Kit)?;
        }
        if self.choose(&[Fault::CrashAfterDelete]).is_some() {
            self.crash(at, Fault::CrashAfterDelete)?;
        }
        Ok(())
    }

    /// Whether the consumer dies or stands still instead of what it was about to do.
    pub(super) fn crash_or_pause(&mut self, at: usize, crash: Fault) -> Held<bool> {
        match self.choose(&[crash, Fault::PausePastVisibility]) {
            None => Ok(false),
            Some(Fault::PausePastVisibility) => {
                let held_until = self.slots[at].held_until();
                let Some(until) = held_until.filter(|until| *until > self.shared.clock.now()) else {
                    self.shared.source.borrow_mut().missed();
                    self.uncount(Fault::PausePastVisibility);
                    return Ok(false);
                };
                self.slots[at].paused = Some(until.saturating_add(Duration::from_secs(1)));
                self.excuse(at);
                let fault = Some(Fault::PausePastVisibility);
                self.tell(&self.slots[at].name, fault, || "stands still".to_owned());
                Ok(true)
            }
            Some(_) => self.crash(at, crash).map(|()| true),
        }
    }

    /// Where a handler waits, or none is at work.
    pub(super) fn crash(&mut self, at: usize, fault: Fault) -> Held {
        self.tell(&self.slots[at].name, Some(fault), || {
            "dies, and starts afresh".to_owned()
        });
        let Some(run) = self.slots[at].run.take() else {
            return self.start_afresh(at, &[]);
        };
        // Dropping the work runs the handler's own code, whose calls are those of a dead one.
        run.pulse.dead.set(true);
        if let Err(panic) = quietly(|| drop(run.work)) {
            return self.panicked(at, &[], &panic);
        }
        self.start_afresh(at, &run.messages)
    }

    /// A handler was struck in one of its calls, and is gone already.
    fn dies_in_a_call(&mut self, at: usize, messages: &[Message], crash: Crash) -> Held {
        let Crash { fault, place, deleted } = crash;
        *self.faults.entry(fault).or_default() += 1;
        self.tell(&self.slots[at].name, Some(fault), || {
            format!("dies {place}, and starts afresh")
        });
        self.note_facts(self.actor(at))?;
        // If the delete was its last act, the message was finished: only an invariant can tell.
        deleted.into_iter().for_each(|message| self.ledger.forgive(message));
        self.start_afresh(at, messages)
    }

    /// A dead consumer works on nothing, and knows nothing.
    fn start_afresh(&mut self, at: usize, messages: &[Message]) -> Held {
        self.strike(at, messages);
        let slot = &mut self.slots[at];
        slot.waiting.clear();
        slot.done.clear();
        slot.paused = None;
        let batch = slot.consumer.batch;
        for message in messages {
            let id = message.message_id();
            self.ledger.ends(at, id);
            // A batch says what it finished only at its end: until then its deletes have to do.
            if batch && self.ledger.is_deleted(id) {
                self.ledger.forgive(id);
            }
        }
        self.slots[at].consumer = self.make(at)?;
        Ok(())
    }

    pub(super) fn panicked(&self, at: usize, messages: &[Message], panic: &str) -> Held {
        let (who, names) = (&self.slots[at].name, self.names(messages));
        self.tell(who, None, || format!("works on {names}: panics"));
        let sentence = format!("{who} panicked on {names}: {panic}");
        Err(Violation::new(Property::NoConsumerPanics, sentence))
    }
}
