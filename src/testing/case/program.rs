//! One turn of a program: it goes on until it waits, returns or dies.

use {
    super::{Case, Held, Process, Run},
    crate::{
        clock::Clock,
        queue::Message,
        state::{Fact, FactEntry},
        testing::{
            consumer::{Answers, Context, Work},
            faults::Fault,
            ledger::Actor,
            net::Pulse,
            quiet::{Panic, quietly, take_caught},
            story::EventKind,
            watchdog::Call,
        },
        time::Timestamp,
    },
    std::{sync::Arc, task::Poll, time::Duration},
};

impl<W> Case<'_, W> {
    /// Whether there was anything to do.
    pub(super) fn run_program(&mut self, at: usize) -> Held<bool> {
        if self.slots[at].run.is_none() {
            return self.begin_program(at);
        }
        if !self.slots[at].is_woken(self.net.clock.now()) {
            return Ok(false);
        }
        if let Some(crash) = self.death_of_a_program(at) {
            if self.crash_or_pause(at, crash)? {
                return Ok(true);
            }
        }
        self.poll_program(at).map(|()| true)
    }

    /// The crash that a program may meet where it awaits.
    ///
    /// One that has done nothing has nothing to lose. Of one that has no message, and waits for one, all crashes until it
    /// does something are the same: it may meet the first. What one does that calls no queue nobody knows.
    fn death_of_a_program(&self, at: usize) -> Option<Fault> {
        let Run { pulse, polled, .. } = self.slots[at].run.as_ref()?;
        let stored = |message| self.ledgers.iter().any(|ledger| ledger.is_stored(message));
        if pulse.holding().into_iter().any(stored) {
            return Some(Fault::CrashBeforeDelete);
        }
        let has_waited = polled.is_some_and(|before| before < self.net.clock.now());
        let may_die = pulse.may_lose_more() || (has_waited && !pulse.called.get());
        may_die.then_some(Fault::CrashAfterDelete)
    }

    /// A program that has returned is begun anew while there are messages, as a job of cron is.
    fn begin_program(&mut self, at: usize) -> Held<bool> {
        let rests = |until| until > self.net.clock.now() || !self.is_anything_visible();
        if self.slots[at].ended.is_some_and(rests) {
            return Ok(false);
        }
        self.slots[at].ended = None;
        let pulse = Arc::new(Pulse::default());
        let context = self.context(at, &pulse);
        let started = self.start(at, Vec::new(), context, &pulse);
        if let Some(crash) = pulse.crash.take() {
            self.drop_dead(at, &[], started)?;
            return self.dies_in_a_call(at, &[], crash).map(|()| true);
        }
        match started {
            Ok(work) => {
                let run = self.new_run(work, Vec::new(), Vec::new(), pulse);
                self.slots[at].begin(run);
                self.poll_program(at).map(|()| true)
            }
            Err(panic) => self.panicked(at, &[], &panic.to_string()).map(|()| true),
        }
    }

    fn poll_program(&mut self, at: usize) -> Held {
        let now = self.net.clock.now();
        let Some(mut run) = self.slots[at].run.take() else {
            return Ok(());
        };
        if run.alert.take() {
            // What another thread does takes no virtual time, and how long it takes is not the program's doing.
            run.pulse.hold_nothing();
            self.has_heard_threads = true;
        }
        self.count_poll(at, &mut run)?;
        let polled = self.poll_work(at, &mut run);
        let Some(mut run) = self.outlives(at, run)? else {
            return Ok(());
        };
        let polled = match polled {
            Ok(polled) => polled,
            Err(panic) => return self.panicked(at, &[], &panic.to_string()),
        };
        self.heed(at, Some(&run.pulse));
        let facts = self.net.facts.lock();
        let changed = |it: &(Arc<str>, FactEntry)| !matches!(it.1.fact, Fact::ReceivedNothing);
        if facts.iter().any(changed) {
            run.at_once = 0;
        }
        drop(facts);
        self.absorb(at, Some(&run.pulse))?;
        self.check_finished(at, &run, None)?;
        match polled {
            Poll::Pending => self.slots[at].run = Some(run),
            Poll::Ready(answers) => {
                // Who has received nothing finds nothing new at once.
                let rest = match run.pulse.latest() > Timestamp::ZERO {
                    true => Duration::ZERO,
                    false => Duration::from_secs(60),
                };
                self.slots[at].ended = Some(now.saturating_add(rest));
                let answer = answers.into_iter().next();
                if let (Some(Err(error)), true) = (&answer, self.net.struck.lock().is_empty()) {
                    let name = &self.slots[at].name;
                    self.returned.get_or_insert_with(|| format!("{name} returns: {error}"));
                }
                self.tell(at, None, &[], EventKind::Finish, |_| match answer {
                    Some(Err(error)) => format!("returns: {error}"),
                    _ => "returns".to_owned(),
                });
            }
        }
        Ok(())
    }

    /// Calls a handler or a program, whose work has not begun yet.
    pub(super) fn start(
        &mut self,
        at: usize,
        messages: Vec<Message>,
        context: Context,
        pulse: &Arc<Pulse>,
    ) -> Result<Work, Panic> {
        self.net.enter(pulse);
        let slot = &self.slots[at];
        let Process { factory, consumer, .. } = &mut self.processes[slot.process];
        let started = {
            let _inside = slot.enter();
            quietly(Call::Consumer(*factory), || (consumer.start)(messages, context))
        };
        pulse.entered.set(false);
        self.tell_caught(at);
        started
    }

    /// Lets what was spawned go on while no handler is at work.
    pub(super) fn run_background(&mut self, at: usize) -> Held {
        #[cfg(feature = "testing-tokio")]
        {
            let (call, now) = (self.call(at), self.net.clock.now());
            self.enter(at, None);
            if let Some(tokio) = self.slots[at].tokio.as_ref() {
                let mut nothing = std::pin::pin!(std::future::pending::<()>());
                let polled = quietly(call, || tokio.poll(now, nothing.as_mut()));
                self.leave(at, None);
                if self.bury(at)? {
                    return Ok(());
                }
                if let Err(panic) = polled {
                    return self.panicked(at, &[], &panic.to_string());
                }
                self.heed(at, None);
            }
        }
        match self.slots[at].program {
            true => self.absorb(at, None)?,
            false => self.note_facts(self.actor(at))?,
        }
        self.look()
    }

    /// Polls what a worker does, in the runtime of its process if it has one.
    pub(super) fn poll_work(&self, at: usize, run: &mut Run) -> Result<Poll<Answers>, Panic> {
        let call = self.call(at);
        self.enter(at, Some(&run.pulse));
        #[cfg(feature = "testing-tokio")]
        let tokio = self.slots[at].tokio.as_ref();
        #[cfg(feature = "testing-tokio")]
        let now = self.net.clock.now();
        let polled = quietly(call, || {
            #[cfg(feature = "testing-tokio")]
            if let Some(tokio) = tokio {
                return tokio.poll(now, run.work.as_mut());
            }
            let mut context = std::task::Context::from_waker(&run.waker);
            run.work.as_mut().poll(&mut context)
        });
        self.leave(at, Some(&run.pulse));
        polled
    }

    /// Panics that the code under test, or what spawned it, has caught are no failure, but nobody else would hear of them.
    pub(super) fn tell_caught(&self, at: usize) {
        for panic in take_caught() {
            self.tell(at, None, &[], EventKind::Other, |_| format!("catches a panic{panic}"));
        }
    }

    /// Takes note of what a program has done by itself, and those that share its runtime.
    pub(super) fn absorb(&mut self, at: usize, pulse: Option<&Arc<Pulse>>) -> Held {
        self.note_facts(Actor::Deleting)?;
        let pulses: Vec<_> = self.pulses(at, pulse).collect();
        for (worker, pulse) in pulses {
            self.absorb_one(worker, &pulse);
        }
        Ok(())
    }

    fn absorb_one(&mut self, at: usize, pulse: &Pulse) {
        self.has_sent |= pulse.sent.get();
        for message in pulse.received.take() {
            for ledger in &mut self.ledgers {
                ledger.handed(message);
                // What a program does with a message before it deletes it nobody can see: it counts as begun.
                ledger.begun(message);
            }
        }
        for message in pulse.finished.take() {
            self.ledgers.iter_mut().for_each(|ledger| ledger.forgive(message));
        }
        if pulse.struck.take() {
            self.strike(at, &[]);
        }
    }
}
