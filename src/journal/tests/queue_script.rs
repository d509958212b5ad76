//! A script of calls on queues with a journal, and what has to be left of them.

use {
    super::{
        super::{
            builder::Options,
            durability::Durabilities,
            error::JournalError,
            log::{Housekeeping, LogOptions},
            sim_fs::SimFs,
        },
        log_script::Crash,
    },
    crate::{
        attributes::{QueueAttributes, QueueSettings, RedrivePolicy},
        clock::{Clock, ManualClock},
        error::{
            BatchError, ChangeVisibilityError, CreateQueueError, DeadLetterError, DeleteError, MoveTaskError,
            PurgeError, QueueError, ReceiveError, SendBatchError, SendError, SetQueueAttributesError, StorageError,
            TagError,
        },
        message::{MessageId, SendMessage},
        queue::{Message, Queue},
        service::{Service, StartMessageMoveTask},
        state::QueueSnapshot,
        time::Timestamp,
    },
    rand::{RngExt, SeedableRng, rngs::Xoshiro256PlusPlus},
    std::{
        collections::{BTreeMap, BTreeSet},
        path::Path,
        sync::Arc,
        time::Duration,
    },
};

pub(super) const SEGMENT: u64 = 4096;

/// The answer of a call, `None` if it was refused for another reason than its journal.
macro_rules! stored {
    ($error:ident, $result:expr) => {
        match $result {
            Ok(answer) => Ok(Some(answer)),
            Err($error::Storage(error)) => Err(error),
            Err(_) => Ok(None),
        }
    };
}

const QUEUES: [&str; 4] = ["jobs", "dead", "orders.fifo", "failed.fifo"];

/// Opens what is on a disk, at a time.
pub(super) fn open(sim: &SimFs, now: Timestamp) -> Result<(Service, ManualClock), JournalError> {
    let clock = ManualClock::at(now);
    let builder = Service::builder().clock(clock.clone()).seed(1);
    let log = LogOptions {
        segment_bytes: SEGMENT,
        housekeeping: Housekeeping::Inline,
        store: Some(7),
        clock: Arc::new(clock.clone()),
        ..LogOptions::default()
    };
    let options = Options {
        log,
        durabilities: Durabilities::default(),
        on_progress: Box::new(|_, _| {}),
        queue: None,
    };
    let service = super::super::open::open(builder, Arc::new(sim.clone()), Path::new("sim"), options)?;
    Ok((service, clock))
}

/// How safe a call's facts are once it has returned.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Told {
    /// It returned for another reason.
    Nothing,
    Written,
    Synced,
}

#[derive(Clone, Copy, Debug)]
enum Act {
    Send,
    SendBatch,
    SendOrdered,
    Receive,
    ReceiveOrdered,
    Delete,
    DeleteBatch,
    ChangeVisibility,
    Release,
    GiveUp,
    Advance,
    Purge,
    SetAttributes,
    Tag,
    Move,
    /// Makes a queue with a message, or deletes it.
    OtherQueue,
}

const ACTS: [(Act, usize); 16] = [
    (Act::Send, 22),
    (Act::SendBatch, 8),
    (Act::SendOrdered, 16),
    (Act::Receive, 20),
    (Act::ReceiveOrdered, 14),
    (Act::Delete, 22),
    (Act::DeleteBatch, 5),
    (Act::ChangeVisibility, 6),
    (Act::Release, 8),
    (Act::GiveUp, 3),
    (Act::Advance, 12),
    (Act::Purge, 1),
    (Act::SetAttributes, 2),
    (Act::Tag, 2),
    (Act::Move, 3),
    (Act::OtherQueue, 3),
];

/// What a service holds.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Holds {
    queues: BTreeMap<String, QueueSnapshot>,
    settings: BTreeMap<String, (QueueSettings, BTreeMap<String, String>)>,
}

impl Holds {
    pub(super) fn of(service: &Service) -> Self {
        let mut queues = BTreeMap::new();
        let mut settings = BTreeMap::new();
        for name in QUEUES.iter().chain(&["other"]) {
            if let Ok(queue) = service.queue(name) {
                queues.insert((*name).to_owned(), queue.snapshot());
                let tags = service.list_queue_tags(name).unwrap_or_default();
                settings.insert((*name).to_owned(), (queue.settings(), tags));
            }
        }
        Self { queues, settings }
    }

    /// By the numbers that their bodies begin with: a move task gives messages new ids.
    fn messages(&self) -> BTreeMap<&str, &str> {
        let of_queue = |(name, queue)| {
            let (name, queue): (&String, &QueueSnapshot) = (name, queue);
            queue
                .messages
                .iter()
                .map(move |it| (&it.content.body()[..6], name.as_str()))
        };
        self.queues.iter().flat_map(of_queue).collect()
    }

    /// Holds the same messages, of which a move task may have moved some.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        self.count() == other.count() && self.messages().keys().eq(other.messages().keys())
    }

    fn count(&self) -> usize {
        self.queues.values().map(|it| it.messages.len()).sum()
    }
}

/// A call that has returned.
#[derive(Clone, Debug)]
struct Returned {
    act: Option<Act>,
    told: Told,
    /// Changes of the disk when it returned.
    changes: u64,
    now: Timestamp,
    holds: Holds,
}

/// A FIFO send, and a receipt, that a later process tries.
#[derive(Clone, Debug)]
struct Remembered {
    changes: u64,
    at: Timestamp,
    body: String,
    message_id: MessageId,
}

/// What was done, and what it led to.
#[derive(Debug, Default)]
pub(super) struct Story {
    returned: Vec<Returned>,
    remembered: Vec<Remembered>,
}

/// Queues with a journal on a disk in memory.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) sim: SimFs,
    pub(super) clock: ManualClock,
    pub(super) service: Service,
    pub(super) story: Story,
    held: Vec<Message>,
    rng: Xoshiro256PlusPlus,
    sent: usize,
    lengths: &'static [usize],
}

impl Run {
    /// The bodies have about these lengths.
    pub(super) fn start(sim: &SimFs, seed: u64, lengths: &'static [usize]) -> Result<Self, JournalError> {
        let (service, clock) = open(sim, ManualClock::default().now())?;
        let mut run = Self {
            sim: sim.clone(),
            clock,
            service,
            story: Story::default(),
            held: Vec::new(),
            rng: Xoshiro256PlusPlus::seed_from_u64(seed),
            sent: 0,
            lengths,
        };
        run.returned(None, Told::Nothing);
        let fifo = QueueAttributes::new().fifo_queue(true);
        let pairs = [
            ("jobs", "dead", QueueAttributes::new()),
            ("orders.fifo", "failed.fifo", fifo),
        ];
        for (name, dead, attributes) in pairs {
            let dead = run.create(dead, attributes.clone())?;
            let policy = RedrivePolicy::new(dead.arn(), 2);
            run.create(name, attributes.redrive_policy(policy))?;
        }
        Ok(run)
    }

    fn create(&mut self, name: &str, attributes: QueueAttributes) -> Result<Queue, StorageError> {
        let created = stored!(CreateQueueError, self.service.create_queue(name, attributes))?;
        self.returned(None, Told::Synced);
        Ok(created.expect("a queue of this name"))
    }

    /// A call that changed nothing wrote nothing, and told nothing of the calls before it.
    fn returned(&mut self, act: Option<Act>, told: Told) -> bool {
        let holds = Holds::of(&self.service);
        let before = self.story.returned.last();
        let changed = before.is_none_or(|it| it.holds != holds);
        self.story.returned.push(Returned {
            act,
            told: if changed { told } else { Told::Nothing },
            changes: self.sim.changes(),
            now: self.clock.now(),
            holds,
        });
        changed
    }

    fn queue(&self, name: &str) -> Queue {
        self.service.queue(name).unwrap()
    }

    fn body(&mut self) -> String {
        self.sent += 1;
        let length = self.lengths[self.rng.random_range(0..self.lengths.len())];
        format!("{:06} {}", self.sent, "x".repeat(length))
    }

    /// One call, drawn by its weight; answers whether it succeeded and changed something.
    pub(super) fn act(&mut self) -> Result<bool, StorageError> {
        let all: usize = ACTS.iter().map(|(_, weight)| weight).sum();
        let mut drawn = self.rng.random_range(0..all);
        let mut at = 0;
        while drawn >= ACTS[at].1 {
            drawn -= ACTS[at].1;
            at += 1;
        }
        let act = match ACTS[at].0 {
            Act::Delete | Act::DeleteBatch | Act::ChangeVisibility | Act::Release if self.held.is_empty() => {
                Act::Receive
            }
            act => act,
        };
        let told = match act {
            Act::Send | Act::SendBatch | Act::SendOrdered => self.send(act),
            Act::Receive => self.receive("jobs"),
            Act::ReceiveOrdered => self.receive("orders.fifo"),
            Act::Advance => self.advance(),
            Act::Delete | Act::DeleteBatch | Act::ChangeVisibility | Act::Release | Act::GiveUp => self.settle(act),
            Act::Purge | Act::SetAttributes | Act::Tag | Act::Move | Act::OtherQueue => self.manage(act),
        };
        let changed = self.returned(Some(act), *told.as_ref().unwrap_or(&Told::Nothing));
        told.map(|told| changed && told != Told::Nothing)
    }

    fn send(&mut self, act: Act) -> Result<Told, StorageError> {
        let bodies: Vec<_> = (0..3).map(|_| self.body()).collect();
        match act {
            Act::Send => {
                let delay = if self.rng.random_ratio(1, 4) { 20 } else { 0 };
                let message = SendMessage::new(bodies[0].as_str()).delay(Duration::from_secs(delay));
                told(stored!(SendError, self.queue("jobs").send(message)), Told::Synced)
            }
            Act::SendBatch => {
                let sent = self.queue("jobs").send_batch(bodies.iter().map(String::as_str));
                told(stored!(SendBatchError, sent), Told::Synced)
            }
            _ if self.rng.random_ratio(1, 6) => self.send_again(),
            _ => {
                let group = format!("g{}", self.rng.random_range(0..3));
                let body = &bodies[0];
                let message = SendMessage::new(body.as_str())
                    .message_group_id(group)
                    .message_deduplication_id(&body[..6]);
                let sent = self.queue("orders.fifo").send(message);
                if let Ok(sent) = &sent {
                    self.story.remembered.push(Remembered {
                        changes: self.sim.changes(),
                        at: self.clock.now(),
                        body: body.clone(),
                        message_id: sent.message_id,
                    });
                }
                told(stored!(SendError, sent), Told::Synced)
            }
        }
    }

    /// A FIFO send of before, which is remembered for five minutes.
    fn send_again(&self) -> Result<Told, StorageError> {
        let Some(last) = self.story.remembered.last() else {
            return Ok(Told::Nothing);
        };
        let again = SendMessage::new(last.body.as_str())
            .message_group_id("again")
            .message_deduplication_id(&last.body[..6]);
        let sent = self.queue("orders.fifo").send(again);
        told(stored!(SendError, sent), Told::Synced)
    }

    fn receive(&mut self, name: &str) -> Result<Told, StorageError> {
        let most = self.rng.random_range(1..=4);
        let received = self.queue(name).receive().max_messages(most).blocking();
        self.held.extend(stored!(ReceiveError, received)?.unwrap_or_default());
        Ok(Told::Written)
    }

    fn advance(&mut self) -> Result<Told, StorageError> {
        let millis = self.rng.random_range(1..30_000);
        // What is changed before is synced, so that a power cut does not go back behind a change of time.
        let tagged = self.service.tag_queue("dead", [("time", millis.to_string())]);
        told(stored!(TagError, tagged), Told::Synced)?;
        self.returned(None, Told::Synced);
        self.clock.advance(Duration::from_millis(millis));
        Ok(Told::Nothing)
    }

    /// What is done with a message that was received. An old receipt may be refused.
    fn settle(&mut self, act: Act) -> Result<Told, StorageError> {
        if self.held.is_empty() {
            return Ok(Told::Nothing);
        }
        let message = self.held.swap_remove(self.rng.random_range(0..self.held.len()));
        match act {
            Act::Delete => told(stored!(DeleteError, message.delete()), Told::Synced),
            Act::DeleteBatch => {
                let queue = message.queue();
                let is_own = |it: &Message| it.queue().name() == queue.name();
                let (mut own, others): (Vec<_>, Vec<_>) = self.held.drain(..).partition(is_own);
                self.held = others;
                own.truncate(9);
                own.push(message);
                told(stored!(BatchError, queue.delete_batch(&own)), Told::Synced)
            }
            Act::ChangeVisibility => {
                let timeout = Duration::from_secs(self.rng.random_range(1..60));
                let changed = message.change_visibility(timeout);
                self.held.push(message);
                told(stored!(ChangeVisibilityError, changed), Told::Written)
            }
            Act::Release => told(stored!(ChangeVisibilityError, message.release()), Told::Written),
            _ => told(stored!(DeadLetterError, message.dead_letter("given up")), Told::Written),
        }
    }

    fn manage(&mut self, act: Act) -> Result<Told, StorageError> {
        let number = self.rng.random_range(1..100u64);
        match act {
            Act::Purge => told(stored!(PurgeError, self.queue("dead").purge()), Told::Synced),
            Act::SetAttributes => {
                let attributes = QueueAttributes::new().visibility_timeout(Duration::from_secs(number));
                let set = self.queue("jobs").set_attributes(attributes);
                told(stored!(SetQueueAttributesError, set), Told::Synced)
            }
            Act::Tag => {
                let tagged = self.service.tag_queue("jobs", [("number", number.to_string())]);
                told(stored!(TagError, tagged), Told::Synced)
            }
            Act::Move => {
                let arn = self.queue("dead").arn().to_owned();
                let request = StartMessageMoveTask::new(arn).max_messages_per_second(2);
                let started = self.service.start_message_move_task(&request);
                told(stored!(MoveTaskError, started), Told::Synced)
            }
            _ if self.service.queue("other").is_ok() => {
                self.held.retain(|it| it.queue().name() != "other");
                told(stored!(QueueError, self.service.delete_queue("other")), Told::Synced)
            }
            // A name is free again a minute after its queue was deleted.
            _ => {
                let body = self.body();
                let created = self.service.create_queue("other", QueueAttributes::new());
                let Some(queue) = stored!(CreateQueueError, created)? else {
                    return Ok(Told::Nothing);
                };
                self.returned(None, Told::Synced);
                told(stored!(SendError, queue.send(body)), Told::Synced)
            }
        }
    }
}

/// How safe a call that succeeded is; one that was refused for another reason than its journal tells nothing.
fn told<T>(answer: Result<Option<T>, StorageError>, told: Told) -> Result<Told, StorageError> {
    Ok(answer?.map_or(Told::Nothing, |_| told))
}

/// How what was left was found.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Match {
    /// As it was when a call had returned.
    Exact,
    /// As it was within a call.
    Within,
}

impl Story {
    /// The calls that a crash at this moment may leave last: from the last that has to be there to the one under way.
    fn last(&self, changes: u64, crash: Crash) -> &[Returned] {
        let safe = |it: &Returned| match crash {
            Crash::Kill => it.told != Told::Nothing,
            Crash::PowerCut => it.told == Told::Synced,
        };
        let first = self.returned.iter().rposition(|it| it.changes <= changes && safe(it));
        let under_way = self.returned.iter().position(|it| it.changes > changes);
        let end = under_way.map_or(self.returned.len(), |it| it + 1);
        &self.returned[first.unwrap_or(0)..end]
    }

    /// The time at a moment.
    pub(super) fn now(&self, changes: u64) -> Timestamp {
        let last = self.last(changes, Crash::Kill);
        last.last().map_or_else(|| self.returned[0].now, |it| it.now)
    }

    /// Whether a service holds what a crash at this moment may leave.
    pub(super) fn check(&self, found: &Holds, changes: u64, crash: Crash) -> Result<Match, String> {
        let last = self.last(changes, crash);
        if found.messages().len() != found.count() {
            return Err("a message is in two queues".to_owned());
        }
        if last.iter().any(|it| it.holds == *found) {
            return Ok(Match::Exact);
        }
        fn ids(holds: &Holds) -> BTreeSet<&str> {
            holds.messages().into_keys().collect()
        }
        let each: Vec<_> = last.iter().map(|it| ids(&it.holds)).collect();
        let found_ids = ids(found);
        let mut always = each[0].clone();
        let mut ever = BTreeSet::new();
        for ids in &each {
            always.retain(|it| ids.contains(it));
            ever.extend(ids.iter().copied());
        }
        let acts: Vec<_> = last.iter().map(|it| it.act).collect();
        if let Some(lost) = always.difference(&found_ids).next() {
            return Err(format!("message {lost} is lost; {acts:?}"));
        }
        if let Some(back) = found_ids.difference(&ever).next() {
            return Err(format!("message {back} is back; {acts:?}"));
        }
        if last.len() == 1 {
            return Err(format!(
                "another state than that of the last call: {:#?}\n{found:#?}",
                last[0].holds
            ));
        }
        Ok(Match::Within)
    }

    /// Whether the last FIFO send that was acknowledged is remembered.
    pub(super) fn check_memory(&self, service: &Service, now: Timestamp, changes: u64) -> Result<(), String> {
        let told = self.remembered.iter().filter(|it| it.changes <= changes);
        let fresh = told.filter(|it| now.saturating_duration_since(it.at) < Duration::from_secs(290));
        let Some(last) = fresh.max_by_key(|it| it.changes) else {
            return Ok(());
        };
        let queue = service.queue("orders.fifo").map_err(|it| it.to_string())?;
        let message = SendMessage::new(last.body.as_str())
            .message_group_id("again")
            .message_deduplication_id(&last.body[..6]);
        let again = queue.send(message).map_err(|it| it.to_string())?;
        if again.message_id != last.message_id {
            return Err(format!("the send of {} was forgotten", last.message_id));
        }
        Ok(())
    }
}
