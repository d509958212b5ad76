//! One case: queues, actors and a clock, moved step by step in one thread.

mod alert;
mod clock;
mod end;
mod holds;
mod process;
mod producer;
mod program;
mod queues;
mod time;
mod turns;
mod workers;

use {
    self::{
        process::{Process, Run, Slot},
        queues::{Queues, build},
    },
    super::{
        faults::{Chance, Fault},
        ledger::{Actor, Fates, Ledger, Messages, Property, Violation},
        log::{Log, Told},
        net::Net,
        quiet::quietly,
        schedule::Plan,
        setup::{Look, Requirement, Setup},
        source::{Opportunities, Source, Step},
        story::{Event, EventKind},
        watchdog::{self, Call},
        world::World,
    },
    crate::{
        clock::{ManualClock, Parker},
        error::{CreateQueueError, ReceiveError, SendError},
        message::MessageId,
        queue::Message,
        state::Fact,
        time::Timestamp,
    },
    std::{collections::BTreeMap, mem, ops::Deref, sync::Arc, time::Duration},
};

pub(super) use self::time::PATIENCE;

/// What became of a case.
pub(super) struct CaseOutcome {
    pub(super) violation: Option<Violation>,
    pub(super) steps: Vec<Step>,
    /// The steps that did something.
    pub(super) effective: Vec<Step>,
    pub(super) acts: usize,
    /// The acts of the end, in which no fault strikes.
    pub(super) last_acts: u32,
    /// What could have struck in the end.
    pub(super) opportunities: Opportunities,
    pub(super) event_count: usize,
    pub(super) events: Vec<Event>,
    pub(super) faults: BTreeMap<Fault, usize>,
    /// The conditions that have held.
    pub(super) reached: Vec<Arc<str>>,
    pub(super) fates: Fates,
    /// A program has sent a message.
    pub(super) has_sent: bool,
    /// Tokio, which draws at random, or another thread took part: the same schedule may take another way.
    pub(super) may_differ: bool,
    /// What a program returned before any fault struck, if it was an error.
    pub(super) returned: Option<String>,
}

/// Where the steps come from.
pub(super) enum Script<'a> {
    Chance {
        faults: Box<Chance>,
        dice: Box<Chance>,
        steps: usize,
    },
    Steps(&'a [Step]),
}

/// Why a case could not begin, which is not the consumers' fault.
#[derive(Debug)]
pub(super) enum Unfit {
    Queue(CreateQueueError),
    Message(SendError),
    Receive(ReceiveError),
    /// No queue of the check has this name.
    NoQueue(String),
    /// The dead letters of this queue come back to it.
    Circle(String),
}

pub(super) struct Case<'c, W> {
    setup: &'c Setup<W>,
    plan: &'c Plan,
    world: World<W>,
    net: Arc<Net>,
    /// Of each queue.
    ledgers: Vec<Ledger>,
    processes: Vec<Process>,
    slots: Vec<Slot>,
    sent: Vec<bool>,
    /// Of each invariant, who looks whether it holds.
    always: Vec<Look<W>>,
    /// How many messages there were when that was looked at after a turn.
    looked_at: usize,
    /// Of each condition, whether it has held.
    reached: Vec<bool>,
    acts: usize,
    has_sent: bool,
    has_heard_threads: bool,
    returned: Option<String>,
    /// Woken when another thread wakes a handler.
    parker: Parker,
    unfit: Option<Unfit>,
}

/// The longest wait while programs run, in milliseconds.
const LONGEST_OF_PROGRAMS: u64 = 3_600_000;

/// But in one case of so many they run for as long as everybody else.
const ONE_OF_PROGRAMS: u64 = 16;

type Held<T = ()> = Result<T, Violation>;

fn looks<W>(all: &[Requirement<W>]) -> Vec<Look<W>> {
    all.iter().map(|it| (it.begin)()).collect()
}

/// Runs one case from its first step to its end.
pub(super) fn run<W>(setup: &Setup<W>, plan: &Plan, script: Script<'_>, recording: bool) -> Result<CaseOutcome, Unfit> {
    let source = match &script {
        Script::Chance { faults, .. } => Source::chance((**faults).clone()),
        Script::Steps(_) => Source::steps(),
    };
    let clock = ManualClock::at(Timestamp::from_millis(1_700_000_000_000));
    let Queues { lines, ledgers, facts } = watchdog::within(Call::Queue, || build(setup, plan, &clock))?;
    let mut case = Case {
        setup,
        plan,
        world: World::new(watchdog::within(Call::World, || (setup.world)())),
        net: Arc::new(Net::new(clock, lines, source, recording, facts)),
        ledgers,
        processes: Vec::new(),
        slots: Vec::new(),
        sent: vec![false; plan.messages.len()],
        always: looks(&setup.always),
        looked_at: 0,
        reached: vec![false; setup.sometimes.len()],
        acts: 0,
        has_sent: false,
        has_heard_threads: false,
        returned: None,
        parker: Parker::new(),
        unfit: None,
    };
    watchdog::introduce(Some(Arc::clone(&case.net) as _));
    let (mut steps, mut effective) = (Vec::new(), Vec::new());
    let mut end = (Opportunities::default(), 0);
    let violation = case.play(script, &mut steps, &mut effective, &mut end).err();
    let on_tokio = case.slots.iter().any(Slot::is_on_tokio);
    let stopped = case.stop();
    let violation = violation.or_else(|| stopped.err());
    watchdog::introduce(None);
    if let Some(unfit) = case.unfit.take() {
        return Err(unfit);
    }
    let reached = setup.sometimes.iter().zip(&case.reached);
    let reached = reached.filter(|it| *it.1).map(|it| Arc::clone(&it.0.0)).collect();
    let mut faults = mem::take(&mut *case.net.struck.lock());
    faults.retain(|_, count| *count > 0);
    let mut fates = Fates::default();
    case.ledgers.iter().for_each(|ledger| fates.add(ledger.fates()));
    let mut log = case.net.log.lock();
    Ok(CaseOutcome {
        violation,
        steps,
        effective,
        acts: case.acts,
        last_acts: end.1,
        opportunities: end.0,
        event_count: log.count(),
        events: log.take_events(),
        faults,
        reached,
        fates,
        has_sent: case.has_sent,
        may_differ: case.has_heard_threads || on_tokio,
        returned: case.returned.take(),
    })
}

impl<W> Case<'_, W> {
    fn play(
        &mut self,
        script: Script<'_>,
        played: &mut Vec<Step>,
        effective: &mut Vec<Step>,
        end: &mut (Opportunities, u32),
    ) -> Held {
        self.start_all()?;
        match script {
            Script::Chance { mut dice, steps, .. } => {
                for _ in 0..steps {
                    let step = self.draw(&mut dice);
                    self.net.source.lock().begin(None);
                    let result = self.step(step);
                    let strike = self.net.source.lock().struck();
                    played.push(step.with_strike(strike));
                    result?;
                }
            }
            Script::Steps(steps) => {
                for step in steps {
                    self.net.source.lock().begin(step.strike());
                    played.push(*step);
                    let before = self.net.log.lock().count();
                    let result = self.step(*step);
                    let waited = matches!(step, Step::Advance { .. });
                    if waited || self.net.log.lock().count() > before {
                        effective.push(*step);
                    }
                    result?;
                }
            }
        }
        self.net.source.lock().be_quiet();
        let before = self.acts;
        let result = self.bring_to_an_end();
        *end = (*self.net.source.lock().opportunities(), (self.acts - before) as u32);
        result?;
        self.close()
    }

    /// What has to hold when all is over.
    fn close(&self) -> Held {
        let asked = |it: &(&Ledger, usize)| self.net.lines[it.1].is_asked();
        for (ledger, _) in self.ledgers.iter().zip(0..).filter(asked) {
            ledger.close()?;
        }
        let finally = &self.setup.finally;
        self.demand(finally, &mut looks(finally), Call::Finally)
    }

    fn draw(&self, dice: &mut Chance) -> Step {
        let strike = None;
        let next = self.sent.iter().position(|sent| !sent);
        match (dice.below(100), next) {
            (0..30, Some(message)) => Step::Send { message, strike },
            (30..35, _) if !self.setup.actions.is_empty() => Step::Action {
                action: dice.below(self.setup.actions.len() as u64) as usize,
                strike,
            },
            (0..85, _) => Step::Turn {
                consumer: dice.below(self.slots.len() as u64) as usize,
                strike,
            },
            _ => Step::Advance {
                millis: self.draw_wait(dice),
                strike,
            },
        }
    }

    /// Of every length up to the retention, each order of magnitude as often as any other.
    fn draw_wait(&self, dice: &mut Chance) -> u64 {
        let settings = self.net.lines[0].queue().settings();
        if dice.below(4) == 0 {
            return settings.visibility_timeout.as_millis() as u64;
        }
        let retention = settings.message_retention_period.as_millis() as u64;
        let most = match self.slots.iter().any(|slot| slot.program) {
            // A program may poll all the time.
            true if self.plan.seed % ONE_OF_PROGRAMS != 0 => retention.min(LONGEST_OF_PROGRAMS),
            _ => retention,
        };
        let least = 1 << dice.below(u64::from(most.max(1).ilog2()) + 1);
        (least + dice.below(least)).min(most.max(1))
    }

    fn step(&mut self, step: Step) -> Held {
        self.acts += 1;
        match step {
            Step::Send { message, .. } => self.send(message),
            Step::Turn { consumer, .. } if consumer < self.slots.len() => self.turn(consumer).map(drop),
            Step::Turn { .. } => Ok(()),
            Step::Advance { millis, .. } => self.advance(Duration::from_millis(millis)),
            Step::Action { action, .. } => self.act(action),
            Step::RunUntil { .. } => self.run_on(None),
            Step::RunFor { acts } => self.run_on(Some(acts)),
        }
    }

    // What happened.

    fn choose(&self, candidates: &[Fault]) -> Option<Fault> {
        self.net.choose(candidates)
    }

    fn note_facts(&mut self, actor: Actor) -> Held {
        let entries = mem::take(&mut *self.net.facts.lock());
        for (arn, entry) in &entries {
            let Some(at) = self.net.lines.iter().position(|line| *line.arn == **arn) else {
                continue;
            };
            if let Fact::Sent { message_id, .. } = &entry.fact {
                self.net.log.lock().introduce(*message_id);
            }
            if let Fact::Released { message_id } | Fact::Postponed { message_id, .. } = &entry.fact {
                self.net.lines[at].wire.forget(*message_id);
            }
            let what = match &entry.fact {
                Fact::DeadLettered { .. } => Some((EventKind::DeadLetter, "is dead-lettered")),
                Fact::Expired { .. } => Some((EventKind::Expire, "expires")),
                _ => None,
            };
            if let (Some((kind, what)), Some(id)) = (what, entry.fact.message_id()) {
                let queue = &self.net.lines[at].name;
                self.net.tell(self.teller(at), None, |log| {
                    let name = log.name(id);
                    Told::from(format!("{name} {what}")).of(queue, [name]).kind(kind)
                });
            }
            let named = || entry.fact.message_id().map_or_else(String::new, |id| self.net.name(id));
            self.ledgers[at].fact(entry, actor, named)?;
        }
        Ok(())
    }

    /// Who tells what happens in a queue.
    fn teller(&self, at: usize) -> &str {
        if self.setup.queues.len() > 1 {
            &self.net.lines[at].name
        } else {
            "queue"
        }
    }

    /// What must hold after each turn, and what is looked for.
    fn look(&mut self) -> Held {
        let mut always = mem::take(&mut self.always);
        let held = self.demand(&self.setup.always, &mut always, Call::Always);
        self.always = always;
        held?;
        for (number, (name, holds)) in self.setup.sometimes.iter().enumerate() {
            if self.reached[number] {
                continue;
            }
            let world = self.world_to_look_at(name)?;
            let held = quietly(Call::Sometimes(number), || holds(&world));
            drop(world);
            self.reached[number] = held.map_err(|panic| {
                let sentence = format!("the condition that {name} panicked{panic}");
                Violation::new(Property::Invariant(name.to_string()), sentence)
            })?;
        }
        Ok(())
    }

    fn world_to_look_at(&self, name: &str) -> Held<impl Deref<Target = W> + use<'_, W>> {
        self.world.try_borrow().ok_or_else(|| {
            let sentence = format!(
                "whether {name} cannot be seen: somebody has borrowed the world, and holds the borrow where it awaits"
            );
            Violation::new(Property::Invariant(name.to_owned()), sentence)
        })
    }

    fn demand(&self, all: &[Requirement<W>], looks: &mut [Look<W>], call: fn(usize) -> Call) -> Held {
        let messages = Messages(&self.ledgers);
        for (number, (Requirement { name, .. }, look)) in all.iter().zip(looks).enumerate() {
            let world = self.world_to_look_at(name)?;
            let wrong = quietly(call(number), || look(&world, &messages));
            let sentence = match wrong {
                Ok(None) => continue,
                Ok(Some(sentence)) => messages.named(sentence),
                Err(panic) => format!("the invariant that {name} panicked{panic}"),
            };
            return Err(Violation::new(Property::Invariant(name.to_string()), sentence));
        }
        Ok(())
    }

    fn name(&self, message: MessageId) -> String {
        self.net.name(message)
    }

    fn names(&self, messages: &[Message]) -> String {
        let log = self.net.log.lock();
        log.names(messages.iter().map(Message::message_id)).join(", ")
    }

    /// Tells what an actor did with messages of its queue.
    fn tell(
        &self,
        at: usize,
        fault: Option<Fault>,
        messages: &[Message],
        kind: EventKind,
        what: impl FnOnce(&Log) -> String,
    ) {
        let slot = &self.slots[at];
        let queue = &self.net.lines[self.processes[slot.process].line].name;
        self.net.tell(&slot.name, fault, |log| {
            let names = log.names(messages.iter().map(Message::message_id));
            Told::from(what(log)).of(queue, names).kind(kind)
        });
    }
}
