//! What all that runs in a case goes through: its queues, its clock, the source of its faults, and its story.

mod outage;
mod port;
mod pulse;
#[cfg(feature = "aws-sdk")]
mod sdk_service;
mod shared;

pub(super) use self::{
    port::{Act, Begun, CallKind, Crash, Dead, MOST_OF_A_BODY, Port},
    pulse::{Changed, Pulse},
    shared::Shared,
};

#[cfg(feature = "aws-sdk")]
use self::sdk_service::SdkService;
use {
    self::outage::Outage,
    super::{
        faults::Fault,
        log::{Log, Told},
        source::Source,
        story::{Colours, lines},
        watchdog::Witness,
        wire::{Polled, Wire},
    },
    crate::{
        clock::{Clock, ManualClock},
        error::ReceiveError,
        message::MessageId,
        queue::{Message, Queue, Receive},
        state::FactEntry,
        sync::Mutex,
        time::Timestamp,
    },
    std::{
        collections::BTreeMap,
        sync::{
            Arc,
            atomic::{AtomicBool, Ordering},
        },
        thread::{self, ThreadId},
    },
};

/// A queue of a case.
pub(super) struct Line {
    pub(super) name: Arc<str>,
    pub(super) arn: Arc<str>,
    pub(super) wire: Arc<Wire>,
    /// Somebody has received from it.
    asked: AtomicBool,
}

impl Line {
    pub(super) fn new(queue: &Queue, clock: &ManualClock) -> Self {
        Self {
            name: Arc::from(queue.name()),
            arn: Arc::from(queue.arn()),
            wire: Arc::new(Wire::new(queue, clock)),
            asked: AtomicBool::new(false),
        }
    }

    pub(super) fn queue(&self) -> &Queue {
        self.wire.queue()
    }

    fn note_asked(&self) {
        self.asked.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }
}

/// The facts of the queues of a case that the case has not looked at yet, each with the ARN of its queue.
pub(super) type Facts = Arc<Mutex<Vec<(Arc<str>, FactEntry)>>>;

/// What the actors of a case share with the kit.
pub(super) struct Net {
    pub(super) clock: ManualClock,
    /// The first is the one that messages are sent to if nothing else is said.
    pub(super) lines: Vec<Line>,
    pub(super) source: Mutex<Source>,
    pub(super) log: Mutex<Log>,
    /// The faults that struck.
    pub(super) struck: Mutex<BTreeMap<Fault, usize>>,
    pub(super) facts: Facts,
    outage: Mutex<Outage>,
    /// Of the actor that is called, or was last.
    current: Mutex<Option<Arc<Pulse>>>,
    /// The thread of the case, in which alone an actor can die.
    thread: ThreadId,
    #[cfg(feature = "aws-sdk")]
    sdk: std::sync::OnceLock<SdkService>,
}

impl Net {
    pub(super) fn new(clock: ManualClock, lines: Vec<Line>, source: Source, recording: bool, facts: Facts) -> Self {
        let begun = clock.now();
        Self {
            clock,
            lines,
            source: Mutex::new(source),
            log: Mutex::new(Log::new(recording, begun)),
            struck: Mutex::default(),
            facts,
            outage: Mutex::default(),
            current: Mutex::new(None),
            thread: thread::current().id(),
            #[cfg(feature = "aws-sdk")]
            sdk: std::sync::OnceLock::new(),
        }
    }

    /// An actor is called: what it does now, a crash may end.
    pub(super) fn enter(&self, pulse: &Arc<Pulse>) {
        pulse.entered.set(true);
        *self.current.lock() = Some(Arc::clone(pulse));
    }

    pub(super) fn line(&self, name: &str) -> Option<usize> {
        self.lines.iter().position(|line| *line.name == *name)
    }

    /// The queues of the case as an SDK calls them.
    #[cfg(feature = "aws-sdk")]
    pub(super) fn sdk(&self) -> &SdkService {
        self.sdk
            .get_or_init(|| SdkService::new(&self.clock, self.lines.iter().map(Line::queue)))
    }

    pub(super) fn is_in_thread(&self) -> bool {
        thread::current().id() == self.thread
    }

    /// The fault among `candidates` that strikes here; it is counted.
    pub(super) fn choose(&self, candidates: &[Fault]) -> Option<Fault> {
        let fault = self.source.lock().choose(candidates)?;
        *self.struck.lock().entry(fault).or_default() += 1;
        Some(fault)
    }

    /// The fault among `candidates`, or an outage, that strikes a call of a consumer; without a kind it is a receive.
    pub(super) fn choose_for(&self, kind: Option<CallKind>, candidates: &[Fault]) -> Option<Fault> {
        let now = self.clock.now();
        if self.outage.lock().strikes(kind, now) {
            return Some(Fault::Outage);
        }
        // One that lasts is not cut short by another.
        let outage = &[Fault::Outage][usize::from(self.outage_end().is_some())..];
        let fault = self.choose(&[candidates, outage].concat())?;
        if fault == Fault::Outage {
            self.outage.lock().begin(kind, now);
        }
        Some(fault)
    }

    /// A receive that does not wait, and what faults make of it.
    pub(super) fn receive(&self, line: usize, mut poll: Receive<'_>) -> Polled {
        let polled = self.begin_receive(line, &mut poll);
        polled.unwrap_or_else(|| self.answered(line, Wire::ask_once(poll)))
    }

    /// The answer of a fault to a receive that never reaches its queue.
    pub(super) fn begin_receive(&self, line: usize, poll: &mut Receive<'_>) -> Option<Polled> {
        let line = &self.lines[line];
        line.note_asked();
        let candidates = line.wire.noticed_before(poll);
        let is_noticed = line.queue().counts().visible > 0 || self.no_receive_until().is_some();
        let fault = match is_noticed {
            true => self.choose_for(None, &candidates),
            false => self.choose(&candidates),
        };
        line.wire.before_the_queue(poll, fault)
    }

    /// What a fault makes of the queue's answer.
    pub(super) fn answered(&self, line: usize, answer: Result<Vec<Message>, ReceiveError>) -> Polled {
        let wire = &self.lines[line].wire;
        let fault = self.choose(wire.noticed_after(answer.as_deref().unwrap_or_default()));
        wire.after_the_queue(answer, fault)
    }

    /// Until when calls fail, while they do.
    pub(super) fn outage_end(&self) -> Option<Timestamp> {
        self.outage.lock().end(self.clock.now()).map(|it| it.1)
    }

    /// Until when every receive fails, while they do.
    pub(super) fn no_receive_until(&self) -> Option<Timestamp> {
        let end = self.outage.lock().end(self.clock.now());
        end.filter(|it| it.0.is_none()).map(|it| it.1)
    }

    /// A fault that was chosen found nothing to strike: it did not happen.
    pub(super) fn missed(&self, fault: Fault) {
        self.source.lock().missed();
        let mut struck = self.struck.lock();
        if let Some(count) = struck.get_mut(&fault) {
            *count -= 1;
        }
        struck.retain(|_, count| *count > 0);
    }

    pub(super) fn tell<T: Into<Told>>(&self, who: &str, fault: Option<Fault>, told: impl FnOnce(&Log) -> T) {
        self.log.lock().add(self.clock.now(), who, fault, told);
    }

    pub(super) fn name(&self, message: MessageId) -> String {
        self.log.lock().name(message)
    }

    /// Names what was sent, before somebody speaks of it.
    pub(super) fn introduce(&self, sent: MessageId) {
        self.log.lock().introduce(sent);
    }
}

impl Witness for Net {
    /// The log is locked while a note of a consumer's own is written, which may be where it is blocked.
    fn testify(&self) -> String {
        let pulse = self.current.lock().clone();
        let mut text = String::new();
        let place = pulse.as_ref().and_then(|pulse| pulse.place.get());
        if let Some(place) = place {
            text += &format!("It last called the kit at {place}.\n");
        }
        let faults = self.struck.lock();
        let struck: Vec<_> = faults
            .iter()
            .filter(|it| *it.1 > 0)
            .map(|it| it.0.to_string())
            .collect();
        if !struck.is_empty() {
            text += &format!("Struck before in this case: {}.\n", struck.join(", "));
        }
        let Some(log) = self.log.try_lock() else { return text };
        let names = log.names(pulse.iter().flat_map(|pulse| pulse.at_hand()));
        if !names.is_empty() {
            text += &format!("It has {}.\n", names.join(", "));
        }
        for line in lines(log.events(), Colours::of(false)) {
            text += &line;
            text.push('\n');
        }
        text
    }
}
