//! One turn of a consumer: receive, begin, continue, delete or crash.

use {
    super::{
        Case, Held, Unfit,
        process::{Process, Run, Slot},
    },
    crate::{
        clock::Clock,
        error::ReceiveError,
        queue::Message,
        testing::{
            consumer::Consumer,
            faults::Fault,
            ledger::{Actor, Ledger, Property, Violation},
            log::{Log, Told},
            net::{CallKind, Crash, Pulse},
            quiet::{quietly, take_called},
            story::{EventKind, Place},
            watchdog::Call,
            wire::{CallError, Wire},
        },
        time::Timestamp,
    },
    std::{mem, slice, sync::Arc, task::Poll, time::Duration},
};

/// So often may a handler be polled while no time passes before it counts as never finishing.
const MOST_POLLS_AT_ONCE: u32 = 1_000;

/// So many times a handler may wait for time to pass, and once more for every second for which it holds a message.
const MOST_TICKS: u64 = 1_000;

/// So many seconds count at most.
const MOST_SECONDS: u64 = 10_000;

impl Slot {
    /// Whether what it does has been woken, and is not ahead of `now`.
    pub(super) fn is_woken(&self, now: Timestamp) -> bool {
        let woken = |run: &Run| self.is_runtime_woken(now).unwrap_or_else(|| run.alert.is_set());
        self.run.as_ref().is_some_and(woken)
    }

    /// Whether something in its runtime can go on, if it has one.
    fn is_runtime_woken(&self, now: Timestamp) -> Option<bool> {
        #[cfg(feature = "testing-tokio")]
        return self.tokio.as_ref().map(|it| it.is_woken() && it.ahead() <= now);
        #[cfg(not(feature = "testing-tokio"))]
        {
            let _ = now;
            None
        }
    }

    /// When a handler could go on that is at a pause, or whose own clock is ahead.
    pub(super) fn wake(&self, now: Timestamp) -> Option<Timestamp> {
        #[cfg(feature = "testing-tokio")]
        if let Some(tokio) = self
            .tokio
            .as_ref()
            .filter(|tokio| tokio.is_woken() && tokio.ahead() > now)
        {
            return Some(tokio.ahead().max(self.paused.unwrap_or_default()));
        }
        self.paused.filter(|_| self.is_woken(now))
    }

    /// Whether a handler can go on that is not at a pause.
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        let can_go_on = self.is_woken(now) || self.has_background_work(now);
        can_go_on && self.paused.is_none_or(|until| until <= now)
    }

    /// Whether something that was spawned can go on while no handler is at work.
    pub(super) fn has_background_work(&self, now: Timestamp) -> bool {
        self.run.is_none() && self.is_runtime_woken(now) == Some(true)
    }

    /// Whether it has something to do that takes no time. A pause is over only when a turn has seen its end.
    pub(super) fn is_busy(&self, now: Timestamp) -> bool {
        let can_begin = self.run.is_none() && !self.is_idle();
        self.paused.is_none() && (self.is_woken(now) || can_begin || self.has_background_work(now))
    }

    /// Whether a handler goes on by itself, now or when time has passed.
    pub(super) fn is_at_work(&self, now: Timestamp) -> bool {
        self.is_woken(now) || self.run.as_ref().is_some_and(|run| run.pulse.waits.get() > 0)
    }

    /// Whether somebody beside the kit has the waker of a handler that does not wait for time.
    pub(super) fn may_be_woken_from_elsewhere(&self, now: Timestamp) -> bool {
        let somebody_has_its_waker = |run: &Run| run.pulse.asking.get() == 0 && run.can_be_woken();
        !self.is_on_tokio() && !self.is_at_work(now) && self.run.as_ref().is_some_and(somebody_has_its_waker)
    }

    pub(super) const fn is_on_tokio(&self) -> bool {
        #[cfg(feature = "testing-tokio")]
        return self.tokio.is_some();
        #[cfg(not(feature = "testing-tokio"))]
        return false;
    }

    /// Until when the last of its messages is hidden, as it knows.
    pub(super) fn held_until(&self) -> Option<Timestamp> {
        let received = self.waiting.iter().chain(&self.done).map(Message::invisible_until);
        let working = self.run.iter().filter_map(|run| run.pulse.held_until());
        received.chain(working).max()
    }
}

impl Run {
    /// Whether anybody has its waker.
    pub(super) fn can_be_woken(&self) -> bool {
        const OF_THE_RUN: usize = 2;
        Arc::strong_count(&self.alert) > OF_THE_RUN
    }
}

impl<W> Case<'_, W> {
    /// The next act of a consumer, and a look at what must hold after it; whether there was anything to do.
    pub(super) fn turn(&mut self, at: usize) -> Held<bool> {
        let acted = self.act_next(at)?;
        if acted && self.may_look_different() {
            self.look()?;
        }
        Ok(acted)
    }

    /// Only code of the user changes the world, and what must hold depends on nothing else but what was sent.
    fn may_look_different(&mut self) -> bool {
        let sent = self.ledgers.iter().map(Ledger::len).sum();
        let more = mem::replace(&mut self.looked_at, sent) != sent;
        take_called() || more
    }

    fn act_next(&mut self, at: usize) -> Held<bool> {
        let now = self.net.clock.now();
        let slot = &mut self.slots[at];
        if slot.paused.is_some_and(|until| now < until) {
            return Ok(false);
        }
        if slot.paused.take().is_some() {
            self.excuse_who_waited_for(at);
        }
        if self.slots[at].has_background_work(now) {
            self.run_background(at)?;
        }
        let slot = &self.slots[at];
        if slot.program {
            return self.run_program(at);
        }
        if slot.run.is_some() {
            if !slot.is_woken(now) {
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

    /// The kit receives for a handler.
    fn receive(&mut self, at: usize) -> Held<bool> {
        let Process { consumer, line, .. } = self.process(at);
        let Consumer {
            max_messages,
            visibility_timeout,
            ..
        } = *consumer;
        let line = *line;
        let queue = self.net.lines[line].queue();
        let mut poll = queue.receive().max_messages(max_messages).wait_time(Duration::ZERO);
        if let Some(timeout) = visibility_timeout {
            poll = poll.visibility_timeout(timeout);
        }
        let (result, struck) = self.net.receive(line, poll);
        self.note_facts(Actor::Kit)?;
        if let (Err(CallError::Refused(error)), None) = (&result, struck) {
            if matches!(error, ReceiveError::InvalidParameterValue(_)) {
                self.unfit = Some(Unfit::Receive(error.clone()));
                return Err(Violation::new(Property::NoneDisappears, "a receive was refused"));
            }
        }
        let empty = matches!(&result, Ok(messages) if messages.is_empty());
        if !empty || struck.is_some() {
            let ids = |messages: &Vec<Message>| messages.iter().map(Message::message_id).collect();
            let told = result.as_ref().map(ids).map_err(ToString::to_string);
            let queue = &self.net.lines[line].name;
            self.net
                .tell(&self.slots[at].name, struck, |log| Told::received(log, queue, &told));
        }
        let messages = result.unwrap_or_default();
        let ledger = &mut self.ledgers[line];
        messages.iter().for_each(|message| ledger.handed(message.message_id()));
        self.slots[at].waiting = messages.into();
        self.slots[at].ready = self.net.clock.now();
        self.slots[at].excused = matches!(struck, Some(Fault::DuplicateInFlight | Fault::DuplicateAfterDelete));
        Ok(!empty)
    }

    pub(super) fn begin(&mut self, at: usize) -> Held {
        if self.crash_or_pause(at, Fault::CrashBeforeWork)? {
            return Ok(());
        }
        let now = self.net.clock.now();
        let batch = self.process(at).consumer.batch;
        let slot = &mut self.slots[at];
        let count = if batch { slot.waiting.len() } else { 1 };
        let messages: Vec<Message> = slot.waiting.drain(..count).collect();
        // Whom the kit kept waiting has less time left than it was given, and so has all that it received with this.
        slot.excused |= now > slot.ready;
        if slot.excused {
            self.strike(at, &messages);
        }
        let ledger = self.ledger(at);
        let in_time = messages
            .iter()
            .map(|message| ledger.begun(message.message_id()))
            .collect();
        let pulse = Arc::new(Pulse::new(&messages, self.slots[at].excused));
        let context = self.context(at, &pulse);
        let started = self.start(at, messages.clone(), context, &pulse);
        if let Some(crash) = pulse.crash.take() {
            self.drop_dead(at, &messages, started)?;
            return self.dies_in_a_call(at, &messages, crash);
        }
        match started {
            Ok(work) => {
                let run = self.new_run(work, messages, in_time, pulse);
                self.slots[at].begin(run);
                self.poll(at)
            }
            Err(panic) => self.panicked(at, &messages, &panic.to_string()),
        }
    }

    pub(super) fn resume(&mut self, at: usize) -> Held {
        let mut messages = self.slots[at].run.iter().flat_map(|run| &run.messages);
        let ledger = &self.ledgers[self.process(at).line];
        let crash = match messages.all(|message| ledger.is_deleted(message.message_id())) {
            true => Fault::CrashAfterDelete,
            false => Fault::CrashBeforeDelete,
        };
        if self.crash_or_pause(at, crash)? {
            return Ok(());
        }
        self.poll(at)
    }

    pub(super) fn actor(&self, at: usize) -> Actor {
        match self.process(at).consumer.acknowledged {
            true => Actor::Acknowledged,
            false => Actor::Deleting,
        }
    }

    /// Lets a handler go on until it waits or returns.
    fn poll(&mut self, at: usize) -> Held {
        let Some(mut run) = self.slots[at].run.take() else {
            return Ok(());
        };
        if run.alert.take() {
            // What another thread does takes no virtual time, and how long it takes is not the handler's doing.
            self.slots[at].excused = true;
            run.pulse.excused.set(true);
            self.strike(at, &run.messages);
            self.has_heard_threads = true;
        }
        let is_first = run.polled.is_none();
        self.check_wait(at, &run)?;
        self.count_poll(at, &mut run)?;
        let polled = self.poll_work(at, &mut run);
        let Some(mut run) = self.outlives(at, run)? else {
            return Ok(());
        };
        let polled = match polled {
            Ok(polled) => polled,
            Err(panic) => return self.panicked(at, &run.messages, &panic.to_string()),
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
            self.tell(at, None, &run.messages, EventKind::Other, |log| {
                let names = log.names(run.messages.iter().map(Message::message_id));
                format!("{verb} {}", names.join(", "))
            });
        }
        if run.pulse.blameless.get() {
            let ledger = self.ledger(at);
            run.messages
                .iter()
                .for_each(|message| ledger.forgive(message.message_id()));
        }
        self.heed(at, Some(&run.pulse));
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
    pub(super) fn count_poll(&self, at: usize, run: &mut Run) -> Held {
        let now = self.net.clock.now();
        if run.polled.replace(now).is_some_and(|before| before < now) {
            run.at_once = 0;
            run.ticks += 1;
        }
        run.at_once += 1;
        let held = run.pulse.latest().saturating_duration_since(run.began).as_secs();
        let how = if run.at_once > MOST_POLLS_AT_ONCE {
            format!("it was woken {MOST_POLLS_AT_ONCE} times while no time passed")
        } else if !self.slots[at].program && run.ticks > MOST_TICKS + held.min(MOST_SECONDS) {
            let seconds = now.saturating_duration_since(run.began).as_secs_f64();
            format!("it waited {} times in {seconds} s", run.ticks)
        } else {
            return Ok(());
        };
        let (who, names) = (&self.slots[at].name, self.names(&run.messages));
        let place = run
            .pulse
            .place
            .get()
            .map_or_else(String::new, |place| format!(", last at {place}"));
        let sentence = match self.slots[at].program {
            true => format!("{who} never waits: {how}{place}"),
            false => format!("{who} never finished {names}: {how}{place}"),
        };
        Err(Violation::new(Property::EveryHandlerFinishes, sentence))
    }

    pub(super) fn tell_answers(&self, at: usize, run: &Run, answers: &[Result<(), String>]) {
        self.tell(at, None, &run.messages, EventKind::Finish, |log| {
            let verb = if run.told { "ends" } else { "works on" };
            let each = run.messages.iter().zip(0..).map(|(message, at)| {
                let name = log.name(message.message_id());
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
        self.slots[at].ready = self.net.clock.now();
        if run.pulse.struck.get() {
            self.strike(at, &run.messages);
        }
        self.left_unbegun(at, run, answers.len());
        let mut answers = answers.into_iter();
        let excused = run.pulse.excused.get();
        for message in &run.messages {
            let id = message.message_id();
            let acknowledged = self.process(at).consumer.acknowledged;
            let ledger = self.ledger(at);
            ledger.ends(at, id);
            let ok = matches!(answers.next(), Some(Ok(())));
            if ok {
                ledger.finished(at, id, excused)?;
                if acknowledged {
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
    fn left_unbegun(&mut self, at: usize, run: &Run, answered: usize) {
        let left = run.messages.iter().zip(&run.in_time).skip(answered + 1);
        for (message, _) in left.filter(|it| answered > 0 && *it.1) {
            self.ledger(at).not_begun(message.message_id());
        }
    }

    /// FIFO: what follows a failure in its group is left to come back after it.
    pub(super) fn leave_group(&mut self, at: usize, failed: &Message) {
        if self.net.lines[self.process(at).line].queue().is_fifo() {
            let same = |message: &Message| message.message_group_id() == failed.message_group_id();
            self.slots[at].waiting.retain(|message| !same(message));
        }
    }

    pub(super) fn acknowledge(&mut self, at: usize) -> Held {
        if self.crash_or_pause(at, Fault::CrashBeforeDelete)? {
            return Ok(());
        }
        let candidates = match self.process(at).consumer.batch {
            true => [Wire::DELETE, &[Fault::BatchEntryFails]].concat(),
            false => Wire::DELETE.to_vec(),
        };
        self.slots[at].ready = self.net.clock.now();
        for message in mem::take(&mut self.slots[at].done) {
            let fault = self.net.choose_for(Some(CallKind::Delete), &candidates);
            let result = self.net.lines[self.process(at).line].wire.delete(&message, fault);
            self.tell(at, fault, slice::from_ref(&message), EventKind::Delete, |log| {
                let name = log.name(message.message_id());
                match &result {
                    Ok(()) => format!("deletes {name}"),
                    Err(error) => format!("deletes {name}: {error}"),
                }
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
        let now = self.net.clock.now();
        // Without a message there is no timeout to stand still past.
        let held_until = self.slots[at].held_until().filter(|until| *until > now);
        let candidates = &[crash, Fault::PausePastVisibility][..1 + usize::from(held_until.is_some())];
        match (self.choose(candidates), held_until) {
            (Some(Fault::PausePastVisibility), Some(until)) => {
                for worker in self.sharers(at).collect::<Vec<_>>() {
                    self.slots[worker].paused = Some(until.saturating_add(Duration::from_secs(1)));
                    self.excuse(worker);
                }
                let fault = Some(Fault::PausePastVisibility);
                self.tell(at, fault, &[], EventKind::Other, |_| "stands still".to_owned());
                Ok(true)
            }
            (Some(_), _) => self.crash(at, crash).map(|()| true),
            (None, _) => Ok(false),
        }
    }

    /// Where a handler waits, or none is at work.
    pub(super) fn crash(&mut self, at: usize, fault: Fault) -> Held {
        let place = self.slots[at].run.as_ref().and_then(|run| run.pulse.place.get());
        self.tell_death(at, fault, place, "");
        self.start_afresh(at, &[])
    }

    fn tell_death(&self, at: usize, fault: Fault, place: Option<Place>, moment: &str) {
        let space = if moment.is_empty() { "" } else { " " };
        let what = || format!("dies{space}{moment}, and starts afresh");
        let told = |_: &Log| Told::from(what()).kind(EventKind::Death).at(place);
        self.net.tell(&self.slots[at].name, Some(fault), told);
    }

    /// A handler was struck in one of its calls, and is gone already.
    pub(super) fn dies_in_a_call(&mut self, at: usize, messages: &[Message], crash: Crash) -> Held {
        let Crash {
            fault,
            moment,
            place,
            deleted,
        } = crash;
        self.tell_death(at, fault, place, moment);
        self.note_facts(self.actor(at))?;
        // If the delete was its last act, the message was finished: only an invariant can tell.
        if let Some(message) = deleted {
            self.ledgers.iter_mut().for_each(|ledger| ledger.forgive(message));
        }
        self.start_afresh(at, messages)
    }

    /// A process that dies takes all its workers with it: it works on nothing, and knows nothing.
    fn start_afresh(&mut self, at: usize, messages: &[Message]) -> Held {
        let process = self.slots[at].process;
        self.lose(at, messages);
        for worker in 0..self.slots.len() {
            if self.slots[worker].process != process {
                continue;
            }
            if let Some(run) = self.slots[worker].run.take() {
                let messages = run.messages.clone();
                self.strike_with(worker, &run.pulse.holding());
                self.end_run(worker, run)?;
                self.lose(worker, &messages);
            }
            self.lose(worker, &[]);
            let slot = &mut self.slots[worker];
            slot.waiting.clear();
            slot.done.clear();
            slot.paused = None;
            slot.ended = None;
        }
        self.remake(process)
    }

    /// Drops what a worker does, which runs code of its own, whose calls are those of a dead one.
    pub(super) fn end_run(&self, at: usize, run: Run) -> Held {
        run.pulse.dead.set(true);
        self.drop_dead(at, &run.messages, run.work)
    }

    /// Drops what is left of a run: code of the user, of which nothing is told but a panic.
    pub(super) fn drop_dead<T>(&self, at: usize, messages: &[Message], left: T) -> Held {
        let dropped = {
            let _inside = self.slots[at].enter();
            quietly(self.call(at), || drop(left))
        };
        dropped.or_else(|panic| self.panicked(at, messages, &format!(" as it was dropped{panic}")))
    }

    pub(super) fn call(&self, at: usize) -> Call {
        Call::Consumer(self.process(at).factory)
    }

    /// A dead worker works on these no longer.
    fn lose(&mut self, at: usize, messages: &[Message]) {
        self.strike(at, messages);
        let batch = self.process(at).consumer.batch;
        let ledger = self.ledger(at);
        for message in messages {
            let id = message.message_id();
            ledger.ends(at, id);
            // A batch says what it finished only at its end: until then its deletes have to do.
            if batch && ledger.is_deleted(id) {
                ledger.forgive(id);
            }
        }
    }

    pub(super) fn panicked(&self, at: usize, messages: &[Message], panic: &str) -> Held {
        let (who, names) = (&self.slots[at].name, self.names(messages));
        let (told, on) = match messages {
            [] => ("panics".to_owned(), String::new()),
            _ => (format!("works on {names}: panics"), format!(" on {names}")),
        };
        self.tell(at, None, messages, EventKind::Finish, |_| told);
        let sentence = format!("{who} panicked{on}{panic}");
        Err(Violation::new(Property::NoConsumerPanics, sentence))
    }
}
