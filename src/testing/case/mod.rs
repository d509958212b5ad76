//! One case: a queue, its consumers and a clock, moved step by step in one thread.

mod alert;
mod clock;
mod holds;
mod time;
mod turns;

use {
    self::{alert::Alert, clock::CaseClock},
    super::{
        consumer::{Consumer, ContextState, Pulse, Work},
        faults::{Chance, Fault},
        ledger::{Actor, Ledger, Property, Violation},
        quiet::quietly,
        schedule::Plan,
        setup::{Setup, World},
        source::{Source, Step},
        story::{Event, Log},
        wire::Wire,
    },
    crate::{
        clock::{Clock, ManualClock, Parker},
        error::{CreateQueueError, ReceiveError, SendError},
        message::MessageId,
        queue::{FactListener, Message, Queue},
        state::{Fact, FactEntry},
        sync::Mutex,
        time::Timestamp,
    },
    std::{
        cell::RefCell,
        collections::{BTreeMap, VecDeque},
        mem,
        rc::Rc,
        sync::Arc,
        task::Waker,
        time::Duration,
    },
};

pub(super) use self::time::PATIENCE;

/// What became of a case.
pub(super) struct CaseOutcome {
    pub(super) violation: Option<Violation>,
    pub(super) steps: Vec<Step>,
    /// The steps that did something.
    pub(super) effective: Vec<Step>,
    pub(super) acts: usize,
    pub(super) event_count: usize,
    pub(super) events: Vec<Event>,
    pub(super) faults: BTreeMap<Fault, usize>,
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
}

#[derive(Clone, Default)]
struct Facts(Arc<Mutex<Vec<FactEntry>>>);

impl FactListener for Facts {
    fn on_fact(&self, _queue: &Arc<str>, entry: &FactEntry) {
        self.0.lock().push(entry.clone());
    }
}

struct Run {
    work: Work,
    messages: Vec<Message>,
    /// Of each message, whether the handler was given it before it was dead-lettered.
    in_time: Vec<bool>,
    pulse: Rc<Pulse>,
    alert: Arc<Alert>,
    /// Sets the alert.
    waker: Waker,
    told: bool,
    began: Timestamp,
    /// When it was polled last; `None` before its first poll.
    polled: Option<Timestamp>,
    /// The polls since time last passed.
    at_once: u32,
    /// The polls before each of which time had passed.
    ticks: u64,
}

struct Slot {
    name: Rc<str>,
    consumer: Consumer,
    /// Received, not yet worked on.
    waiting: VecDeque<Message>,
    run: Option<Run>,
    /// Worked on, not yet deleted.
    done: Vec<Message>,
    paused: Option<Timestamp>,
    /// Since when nothing but the kit keeps it from beginning its next work.
    ready: Timestamp,
    /// The time left to all that it received last is not its own: others had the messages already, or a fault held it up.
    excused: bool,
}

pub(super) struct Case<'c, W> {
    setup: &'c Setup<W>,
    plan: &'c Plan,
    world: World<W>,
    shared: Rc<ContextState>,
    queue: Queue,
    facts: Facts,
    ledger: Ledger,
    slots: Vec<Slot>,
    producer: Rc<str>,
    sent: Vec<bool>,
    acts: usize,
    /// Woken when another thread wakes a handler.
    parker: Parker,
    faults: BTreeMap<Fault, usize>,
    unfit: Option<Unfit>,
}

type Held<T = ()> = Result<T, Violation>;

/// Runs one case from its first step to its end.
pub(super) fn run<W>(setup: &Setup<W>, plan: &Plan, script: Script<'_>, recording: bool) -> Result<CaseOutcome, Unfit> {
    let clock = ManualClock::at(Timestamp::from_millis(1_700_000_000_000));
    let facts = Facts::default();
    let config = &setup.queues[plan.queue % setup.queues.len()];
    let case_clock = CaseClock::new(&clock);
    let mut builder = (config.build)()
        .clock(case_clock.clone())
        .seed(plan.seed)
        .listener(facts.clone());
    if plan.shards > 1 {
        builder = builder.shards(plan.shards);
    }
    let mut dead_letter_queue = None;
    if let Some(max_receive_count) = config.max_receive_count {
        let dead = if config.fifo.get() {
            Queue::fifo("dead-letters.fifo")
        } else {
            Queue::standard("dead-letters")
        };
        let dead = dead
            .clock(case_clock)
            .seed(plan.seed ^ 1)
            .build()
            .map_err(Unfit::Queue)?;
        builder = builder.dead_letter(&dead, max_receive_count);
        dead_letter_queue = Some(dead);
    }
    let queue = builder.build().map_err(Unfit::Queue)?;
    let (source, begun) = match &script {
        Script::Chance { faults, .. } => (Source::chance((**faults).clone()), clock.now()),
        Script::Steps(_) => (Source::Step(None), clock.now()),
    };
    let mut case = Case {
        setup,
        plan,
        world: Rc::new(RefCell::new((setup.world)())),
        shared: Rc::new(ContextState {
            wire: RefCell::new(Wire::new(&queue, &clock)),
            source: RefCell::new(source),
            log: RefCell::new(Log::new(recording, begun)),
            struck: RefCell::default(),
            clock,
        }),
        ledger: Ledger::new(queue.is_fifo(), config.max_receive_count),
        queue,
        facts,
        slots: Vec::new(),
        producer: Rc::from("producer"),
        sent: vec![false; plan.messages.len()],
        acts: 0,
        parker: Parker::new(),
        faults: BTreeMap::new(),
        unfit: None,
    };
    let (mut steps, mut effective) = (Vec::new(), Vec::new());
    let violation = case.play(script, &mut steps, &mut effective).err();
    drop(dead_letter_queue);
    if let Some(unfit) = case.unfit.take() {
        return Err(unfit);
    }
    for fault in case.shared.struck.take() {
        *case.faults.entry(fault).or_default() += 1;
    }
    case.faults.retain(|_, count| *count > 0);
    let mut log = case.shared.log.borrow_mut();
    Ok(CaseOutcome {
        violation,
        steps,
        effective,
        acts: case.acts,
        event_count: log.count,
        events: mem::take(&mut log.events),
        faults: mem::take(&mut case.faults),
    })
}

impl<W> Case<'_, W> {
    fn play(&mut self, script: Script<'_>, played: &mut Vec<Step>, effective: &mut Vec<Step>) -> Held {
        for at in 0..self.setup.consumers.len() {
            let consumer = self.make(at)?;
            self.slots.push(Slot {
                name: Rc::clone(&self.setup.consumers[at].name),
                consumer,
                waiting: VecDeque::new(),
                run: None,
                done: Vec::new(),
                paused: None,
                ready: self.shared.clock.now(),
                excused: false,
            });
        }
        match script {
            Script::Chance { mut dice, steps, .. } => {
                for _ in 0..steps {
                    let step = self.draw(&mut dice);
                    let result = self.step(step);
                    let strike = self.shared.source.borrow_mut().finish();
                    played.push(step.with_strike(strike));
                    result?;
                }
            }
            Script::Steps(steps) => {
                for step in steps {
                    *self.shared.source.borrow_mut() = Source::Step(step.strike());
                    played.push(*step);
                    let before = self.shared.log.borrow().count;
                    let result = self.step(*step);
                    let waited = matches!(step, Step::Advance { .. });
                    if waited || self.shared.log.borrow().count > before {
                        effective.push(*step);
                    }
                    result?;
                }
            }
        }
        *self.shared.source.borrow_mut() = Source::Quiet;
        self.bring_to_an_end()?;
        self.ledger.close()?;
        let last = self.ledger.last();
        for (name, holds) in &self.setup.finals {
            let holds = quietly(|| holds(&self.world.borrow(), &last));
            Self::invariant(name, holds)?;
        }
        Ok(())
    }

    fn draw(&self, dice: &mut Chance) -> Step {
        let strike = None;
        let next = self.sent.iter().position(|sent| !sent);
        match (dice.below(100), next) {
            (0..30, Some(message)) => Step::Send { message, strike },
            (0..85, _) => Step::Turn {
                consumer: dice.below(self.slots.len() as u64) as usize,
                strike,
            },
            _ => {
                let visibility = self.queue.settings().visibility_timeout.as_millis() as u64;
                let millis = match dice.below(4) {
                    0 => 1 + dice.below(1_000),
                    1 => 1 + dice.below(10_000),
                    2 => visibility,
                    _ => 1 + dice.below(60_000),
                };
                Step::Advance { millis, strike }
            }
        }
    }

    fn step(&mut self, step: Step) -> Held {
        self.acts += 1;
        match step {
            Step::Send { message, .. } => self.send(message)?,
            Step::Turn { consumer, .. } => {
                if consumer < self.slots.len() {
                    self.turn(consumer)?;
                }
            }
            Step::Advance { millis, .. } => self.advance(Duration::from_millis(millis))?,
        }
        self.check_invariants()
    }

    // The producer.

    fn send(&mut self, message: usize) -> Held {
        if self.sent.get(message) != Some(&false) {
            return Ok(());
        }
        self.sent[message] = true;
        let message = self.plan.messages[message].clone();
        let fault = self.choose(Wire::SEND);
        let result = self.shared.wire.borrow_mut().send(message.clone(), fault);
        match result {
            Err(super::CallError::Refused(SendError::QueueDoesNotExist)) => {
                return Err(Violation::new(Property::NoneDisappears, "the queue was deleted"));
            }
            Err(super::CallError::Refused(error)) => {
                self.unfit = Some(Unfit::Message(error));
                return Err(Violation::new(Property::NoneDisappears, "a message was refused"));
            }
            _ => {}
        }
        self.note_facts(Actor::Kit)?;
        let known = self.ledger.len();
        self.tell_producer(fault, &message, known);
        if fault.is_some() {
            // A producer without an answer sends again, with the same deduplication id if there is one.
            if self.shared.wire.borrow_mut().send(message.clone(), None).is_ok() {
                self.note_facts(Actor::Kit)?;
                let all = self.ledger.len();
                let told = if all > known { all } else { 0 };
                self.tell_producer(None, &message, told);
            }
        }
        Ok(())
    }

    fn tell_producer(&self, fault: Option<Fault>, message: &crate::message::SendMessage, number: usize) {
        self.tell(&self.producer, fault, || {
            let group = message.get_message_group_id();
            let group = group.map_or_else(String::new, |group| format!(" of group {group}"));
            let body: String = message.body().chars().take(40).collect();
            match (fault, number) {
                (Some(Fault::SendLate | Fault::SendThrottled), _) => format!("sends {body:?}{group}: no success"),
                (_, 0) => format!("sends {body:?}{group} again: a duplicate"),
                (_, number) => format!("sends m{number} {body:?}{group}"),
            }
        });
    }

    // What happened.

    fn choose(&mut self, candidates: &[Fault]) -> Option<Fault> {
        let fault = self.shared.source.borrow_mut().choose(candidates);
        if let Some(fault) = fault {
            *self.faults.entry(fault).or_default() += 1;
        }
        fault
    }

    /// A fault that was drawn, but found nothing to strike, did not happen.
    fn count_struck(&mut self, drawn: Option<Fault>, struck: Option<Fault>) {
        if let (Some(drawn), None) = (drawn, struck) {
            self.shared.source.borrow_mut().missed();
            self.uncount(drawn);
        }
    }

    fn uncount(&mut self, fault: Fault) {
        if let Some(count) = self.faults.get_mut(&fault) {
            *count -= 1;
        }
    }

    fn note_facts(&mut self, actor: Actor) -> Held {
        let entries = mem::take(&mut *self.facts.0.lock());
        for entry in &entries {
            if let Fact::Sent { message_id, .. } = &entry.fact {
                self.shared.log.borrow_mut().introduce(*message_id);
            }
            if let Fact::Released { message_id } | Fact::Postponed { message_id, .. } = &entry.fact {
                self.shared.wire.borrow().forget(*message_id);
            }
            let what = match &entry.fact {
                Fact::DeadLettered { .. } => Some("is dead-lettered"),
                Fact::Expired { .. } => Some("expires"),
                _ => None,
            };
            if let (Some(what), Some(id)) = (what, entry.fact.message_id()) {
                self.tell(&Rc::from("queue"), None, || format!("{} {what}", self.name(id)));
            }
            self.ledger.fact(entry, actor)?;
        }
        Ok(())
    }

    fn check_invariants(&self) -> Held {
        for (name, holds) in &self.setup.invariants {
            let holds = quietly(|| holds(&self.world.borrow()));
            Self::invariant(name, holds)?;
        }
        Ok(())
    }

    fn invariant(name: &str, holds: Result<bool, String>) -> Held {
        let sentence = match holds {
            Ok(true) => return Ok(()),
            Ok(false) => format!("it does not hold that {name}"),
            Err(panic) => format!("the invariant that {name} panicked: {panic}"),
        };
        Err(Violation::new(Property::Invariant(name.to_owned()), sentence))
    }

    fn name(&self, message: MessageId) -> String {
        self.shared.log.borrow().name(message)
    }

    fn names(&self, messages: &[Message]) -> String {
        let names: Vec<_> = messages.iter().map(|message| self.name(message.message_id())).collect();
        names.join(", ")
    }

    fn tell(&self, who: &Rc<str>, fault: Option<Fault>, what: impl FnOnce() -> String) {
        let what = if self.shared.log.borrow().recording {
            what()
        } else {
            String::new()
        };
        self.shared
            .log
            .borrow_mut()
            .add(self.shared.clock.now(), who, fault, || what);
    }
}
