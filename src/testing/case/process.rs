//! The actors of a case: processes, each with its workers.

use {
    super::{Case, Held, Unfit, alert::Alert},
    crate::{
        clock::Clock,
        queue::Message,
        testing::{
            consumer::{Consumer, Context, Work},
            ledger::{Property, Violation},
            net::{Port, Pulse},
            quiet::{Panic, quietly},
            watchdog::Call,
        },
        time::Timestamp,
    },
    std::{collections::VecDeque, future::pending, mem, sync::Arc, task::Waker},
};

#[cfg(feature = "testing-tokio")]
use crate::testing::{on_tokio::TokioProcess, quiet::take_caught};

/// A consumer: its workers share what it keeps, and die together.
pub(super) struct Process {
    /// Its place among the consumers of the check.
    pub(super) factory: usize,
    pub(super) consumer: Consumer,
    /// The queue that its handlers are given messages of.
    pub(super) line: usize,
}

/// A handler or a program at work.
pub(super) struct Run {
    pub(super) work: Work,
    pub(super) messages: Vec<Message>,
    /// Of each message, whether the handler was given it before it was dead-lettered.
    pub(super) in_time: Vec<bool>,
    pub(super) pulse: Arc<Pulse>,
    pub(super) alert: Arc<Alert>,
    /// Sets the alert.
    pub(super) waker: Waker,
    pub(super) told: bool,
    pub(super) began: Timestamp,
    /// When it was polled last; `None` before its first poll.
    pub(super) polled: Option<Timestamp>,
    /// The polls since time last passed, or something happened in a queue.
    pub(super) at_once: u32,
    /// The polls before each of which time had passed.
    pub(super) ticks: u64,
}

/// A worker of a process.
pub(super) struct Slot {
    /// As the story calls it.
    pub(super) name: Arc<str>,
    pub(super) process: usize,
    pub(super) program: bool,
    /// Received, not yet worked on.
    pub(super) waiting: VecDeque<Message>,
    pub(super) run: Option<Run>,
    /// Worked on, not yet deleted.
    pub(super) done: Vec<Message>,
    pub(super) paused: Option<Timestamp>,
    /// Since when nothing but the kit keeps it from beginning its next work.
    pub(super) ready: Timestamp,
    /// The time left to all that it received last is not its own: others had the messages already, or a fault held it up.
    pub(super) excused: bool,
    /// Of a program that has returned, when it may be begun anew.
    pub(super) ended: Option<Timestamp>,
    /// The runtime that its work is polled in, which the workers of a process share.
    #[cfg(feature = "testing-tokio")]
    pub(super) tokio: Option<TokioProcess>,
}

/// There is no runtime to be inside of.
#[cfg(not(feature = "testing-tokio"))]
pub(super) struct Outside;

impl Slot {
    /// Lets code outside of a poll find the runtime of tokio, if there is one.
    #[cfg(feature = "testing-tokio")]
    pub(super) fn enter(&self) -> Option<tokio::runtime::EnterGuard<'_>> {
        self.tokio.as_ref().map(TokioProcess::enter)
    }

    #[cfg(not(feature = "testing-tokio"))]
    pub(super) const fn enter(&self) -> Outside {
        Outside
    }

    /// Whether its runtime has nothing woken, and no timer.
    pub(super) fn is_timeless(&self) -> bool {
        #[cfg(feature = "testing-tokio")]
        return self.tokio.as_ref().is_some_and(TokioProcess::is_timeless);
        #[cfg(not(feature = "testing-tokio"))]
        false
    }

    /// Begins a run, which is polled next.
    pub(super) fn begin(&mut self, run: Run) {
        #[cfg(feature = "testing-tokio")]
        if let Some(tokio) = &self.tokio {
            tokio.begin();
        }
        self.run = Some(run);
    }
}

impl<W> Case<'_, W> {
    /// Makes the consumers, at the beginning of a case.
    pub(super) fn start_all(&mut self) -> Held {
        for (factory, config) in self.setup.consumers.iter().enumerate() {
            let consumer = self.make(factory)?;
            let line = match &consumer.queue {
                None => 0,
                Some(queue) => self.net.line(queue).ok_or_else(|| {
                    self.unfit = Some(Unfit::NoQueue(queue.clone()));
                    Violation::new(Property::NoConsumerPanics, "a consumer has no queue")
                })?,
            };
            for worker in 1..=consumer.workers {
                let name = match worker {
                    1 => Arc::clone(&config.name),
                    _ => Arc::from(format!("{}-{worker}", config.name)),
                };
                self.slots.push(Slot {
                    name,
                    process: factory,
                    program: consumer.program,
                    waiting: VecDeque::new(),
                    run: None,
                    done: Vec::new(),
                    paused: None,
                    ready: self.net.clock.now(),
                    excused: false,
                    ended: None,
                    #[cfg(feature = "testing-tokio")]
                    tokio: self.runtime_of(factory, &consumer)?,
                });
            }
            self.processes.push(Process {
                factory,
                consumer,
                line,
            });
        }
        Ok(())
    }

    fn make(&self, factory: usize) -> Held<Consumer> {
        let config = &self.setup.consumers[factory];
        quietly(Call::Factory(factory), || (config.make)(&self.world)).map_err(|panic| {
            let sentence = format!("the factory of {} panicked{panic}", config.name);
            Violation::new(Property::NoConsumerPanics, sentence)
        })
    }

    /// Makes a process anew that has died.
    pub(super) fn remake(&mut self, process: usize) -> Held {
        let consumer = self.make(self.processes[process].factory)?;
        let emptied = self.empty(process);
        self.processes[process].consumer = consumer;
        #[cfg(feature = "testing-tokio")]
        for at in 0..self.slots.len() {
            if self.slots[at].process == process {
                self.slots[at].tokio = self.runtime_of(process, &self.processes[process].consumer)?;
            }
        }
        emptied
    }

    #[cfg(feature = "testing-tokio")]
    fn runtime_of(&self, process: usize, consumer: &Consumer) -> Held<Option<TokioProcess>> {
        if !consumer.on_tokio {
            return Ok(None);
        }
        let mut workers = self.slots.iter().filter(|slot| slot.process == process);
        if let Some(first) = workers.find_map(|worker| worker.tokio.as_ref()) {
            return Ok(Some(first.another()));
        }
        let factory = Call::Factory(process);
        // Tokio panics where it cannot be made, which the error says.
        let runtime = quietly(factory, || TokioProcess::new(self.net.clock.now()));
        let runtime = match runtime {
            Ok(runtime) => runtime.map_err(|error| format!(": {error}")),
            Err(panic) => Err(panic.to_string()),
        };
        runtime.map(Some).map_err(|error| {
            let sentence = format!("a runtime of tokio cannot be made here{error}");
            Violation::new(Property::NoConsumerPanics, sentence)
        })
    }

    pub(super) fn process(&self, at: usize) -> &Process {
        &self.processes[self.slots[at].process]
    }

    /// The way of a worker's run to the queues.
    pub(super) fn context(&self, at: usize, pulse: &Arc<Pulse>) -> Context {
        let slot = &self.slots[at];
        Context {
            port: Port {
                net: Arc::clone(&self.net),
                pulse: Arc::clone(pulse),
                name: Arc::clone(&slot.name),
                line: self.processes[slot.process].line,
            },
        }
    }

    /// A run of a worker that has not been polled yet.
    pub(super) fn new_run(&self, work: Work, messages: Vec<Message>, in_time: Vec<bool>, pulse: Arc<Pulse>) -> Run {
        let alert = Alert::new(self.parker.waker());
        Run {
            work,
            messages,
            in_time,
            pulse,
            waker: Waker::from(Arc::clone(&alert)),
            alert,
            told: false,
            began: self.net.clock.now(),
            polled: None,
            at_once: 0,
            ticks: 0,
        }
    }

    /// Ends what still runs when a case is over, of which nothing is told but a panic.
    pub(super) fn stop(&mut self) -> Held {
        let mut held = Ok(());
        for at in 0..self.slots.len() {
            if let Some(run) = self.slots[at].run.take() {
                let ended = self.end_run(at, run);
                held = held.and(ended);
            }
        }
        for process in 0..self.processes.len() {
            let emptied = self.empty(process);
            held = held.and(emptied);
        }
        held
    }

    /// Drops what a process keeps.
    fn empty(&mut self, process: usize) -> Held {
        let Process { factory, consumer, .. } = &mut self.processes[process];
        let call = Call::Consumer(*factory);
        let start = mem::replace(&mut consumer.start, Box::new(|_, _| Box::pin(pending())));
        let dropped = quietly(call, || drop(start));
        #[cfg(feature = "testing-tokio")]
        let dropped = {
            let own = self.slots.iter_mut().filter(|slot| slot.process == process);
            let runtimes: Vec<_> = own.filter_map(|slot| slot.tokio.take()).collect();
            // Tokio catches the panics of its tasks and of their destructors.
            let ended = quietly(call, || drop(runtimes));
            let caught = take_caught().pop().map_or(Ok(()), Err);
            dropped.and(ended).and(caught)
        };
        dropped.map_err(|panic| self.dropped(process, &panic))
    }

    /// What a consumer kept panicked in a destructor.
    fn dropped(&self, process: usize, panic: &Panic) -> Violation {
        let name = &self.setup.consumers[self.processes[process].factory].name;
        self.net.tell(name, None, |_| "panics as it is dropped");
        let sentence = format!("{name} panicked as it was dropped{panic}");
        Violation::new(Property::NoConsumerPanics, sentence)
    }
}
