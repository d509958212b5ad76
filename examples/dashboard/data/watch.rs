//! What happened in the queues of a service lately: the lives of messages, rates, ages and reasons of failures.

use {
    super::REASON_BYTES,
    requeue::{Content, Fact, FactEntry, FactListener, MessageAttributeValue, MessageId, Timestamp},
    serde_json::{Value, json},
    std::{
        collections::{BTreeMap, HashMap, VecDeque},
        fmt,
        sync::{Arc, Mutex, MutexGuard, PoisonError},
    },
};

/// Seconds in a point of a chart, and the points of a chart.
const POINT_SECONDS: u64 = 5;
const POINTS: u64 = 60;

/// A rate is the mean of so many seconds.
const RATE_SECONDS: u64 = 10;

/// Longer contents are cut when their message is gone.
const GONE_BYTES: usize = 1_024;

/// What an event takes without its reason, roughly.
const EVENT_BYTES: usize = 100;

/// The two halves of a dead-letter move.
const LEFT: &str = "moved to the dead-letter queue";
const ARRIVED: &str = "arrived as a dead letter";

/// How much is remembered. What goes beyond is forgotten, the oldest first, and the page says so.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    /// Messages with a life.
    pub(crate) lives: usize,
    /// Events in one life.
    pub(crate) events_of_life: usize,
    /// Events in all lives; each [`EVENT_BYTES`] of a reason count as one more.
    pub(crate) events: usize,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            lives: 20_000,
            events_of_life: 50,
            events: 200_000,
        }
    }
}

/// A listener for `Service::builder().listener(..)`; clones share what they have seen.
///
/// Beside the lives, which [`Memory`] bounds, it has an index of the messages that the queues hold, of some 60 bytes
/// each, by which it knows the oldest without a snapshot.
#[derive(Clone, Default)]
pub(crate) struct Watch {
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    memory: Memory,
    /// By ARN.
    queues: HashMap<Arc<str>, QueueSeen>,
    lives: HashMap<MessageId, Life>,
    /// The ids in `lives` in the order in which they began.
    begun: VecDeque<MessageId>,
    /// The weights of those in all lives.
    events: usize,
    forgotten: u64,
}

struct QueueSeen {
    name: Arc<str>,
    facts: u64,
    held: HashMap<MessageId, Held>,
    /// How many that are visible or in flight arrived at an instant.
    arrivals: BTreeMap<Timestamp, usize>,
    seconds: VecDeque<Second>,
}

/// A message in a queue.
#[derive(Clone, Copy)]
struct Held {
    /// When it arrived.
    at: Timestamp,
    delayed: bool,
}

#[derive(Clone, Copy, Default)]
struct Second {
    second: u64,
    came: u32,
    went: u32,
    failed: u32,
}

/// What happened to one message, across queues.
#[derive(Default)]
struct Life {
    events: VecDeque<Event>,
    dropped: usize,
    content: Option<Content>,
    /// The beginning of a body that was too long to keep, and its whole length.
    beginning: Option<(String, usize)>,
    reason: Option<Arc<str>>,
    /// The queue that holds the message.
    queue: Option<Arc<str>>,
}

struct Event {
    at: Timestamp,
    queue: Arc<str>,
    what: &'static str,
    until: Option<Timestamp>,
    receive_count: Option<u32>,
    reason: Option<Arc<str>>,
    /// How often in a row.
    times: u32,
}

/// What an overview shows of a queue beside its counts.
pub(crate) struct Activity {
    /// Changes whenever something happened.
    pub(crate) facts: u64,
    /// The earliest arrival of a message that is visible or in flight, as far as was seen.
    pub(crate) oldest: Option<Timestamp>,
    /// Messages whose arrival was seen and that are still there.
    pub(crate) held: usize,
    pub(crate) came: Vec<u32>,
    pub(crate) went: Vec<u32>,
    /// What came, went and failed in a second.
    pub(crate) rates: [f64; 3],
}

impl Watch {
    pub(crate) fn new(memory: Memory) -> Self {
        let watch = Self::default();
        watch.lock().memory = memory;
        watch
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn activity(&self, arn: &str, now: Timestamp) -> Activity {
        let (seen, now) = (self.lock(), now.as_secs());
        let activity = seen.queues.get(arn).map(|queue| queue.activity(now));
        activity.unwrap_or_else(|| QueueSeen::new(arn).activity(now))
    }

    /// Why each message failed last, of those that did.
    pub(crate) fn reasons(&self) -> HashMap<MessageId, Arc<str>> {
        let seen = self.lock();
        let reason = |(id, life): (&MessageId, &Life)| Some((*id, Arc::clone(life.reason.as_ref()?)));
        seen.lives.iter().filter_map(reason).collect()
    }

    /// The events of a message, its content and the queue that holds it, if its life is remembered.
    pub(crate) fn life(&self, id: MessageId, body_bytes: usize) -> Option<Value> {
        self.lock().lives.get(&id).map(|life| life.to_json(body_bytes))
    }

    /// How many lives are remembered and forgotten.
    pub(crate) fn remembered(&self) -> (usize, u64) {
        let seen = self.lock();
        (seen.lives.len(), seen.forgotten)
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").finish_non_exhaustive()
    }
}

impl FactListener for Watch {
    fn on_fact(&self, queue: &Arc<str>, entry: &FactEntry) {
        self.lock().note(queue, entry);
    }
}

impl Seen {
    fn note(&mut self, arn: &Arc<str>, entry: &FactEntry) {
        let at = entry.at;
        let queue = self
            .queues
            .entry(Arc::clone(arn))
            .or_insert_with(|| QueueSeen::new(arn));
        queue.facts += 1;
        let name = Arc::clone(&queue.name);
        match &entry.fact {
            Fact::Sent {
                message_id, visible_at, ..
            } => queue.arrived(*message_id, at, *visible_at > at),
            Fact::Arrived { message_id, .. } | Fact::MovedIn { message_id, .. } => {
                queue.arrived(*message_id, at, false);
            }
            Fact::DelayEnded { message_id, .. } => queue.delay_ended(*message_id),
            Fact::Deleted { message_id, .. }
            | Fact::Expired { message_id, .. }
            | Fact::DeadLettered { message_id, .. }
            | Fact::MovedOut { message_id, .. } => queue.left(*message_id, at),
            Fact::Failed { .. } => queue.second(at).failed += 1,
            Fact::Purged { .. } => return self.all_left(arn, at, "purged"),
            Fact::QueueDeleted => {
                self.all_left(arn, at, "queue deleted");
                self.queues.remove(arn);
                return;
            }
            _ => {}
        }
        let Some(id) = entry.fact.message_id() else { return };
        if let Some(event) = Event::of(&entry.fact, at, &name) {
            self.remember(id, event);
            self.follow(id, &entry.fact, &name);
        }
    }

    /// All messages that a queue held are gone.
    fn all_left(&mut self, arn: &Arc<str>, at: Timestamp, what: &'static str) {
        let Some(queue) = self.queues.get_mut(arn) else { return };
        let (name, held) = (Arc::clone(&queue.name), std::mem::take(&mut queue.held));
        queue.arrivals.clear();
        for id in held
            .into_keys()
            .filter(|id| self.lives.contains_key(id))
            .collect::<Vec<_>>()
        {
            self.remember(id, Event::new(at, &name, what));
            self.lives.entry(id).and_modify(Life::end);
        }
    }

    fn remember(&mut self, id: MessageId, event: Event) {
        let begun = &mut self.begun;
        let life = self.lives.entry(id).or_insert_with(|| {
            begun.push_back(id);
            Life::default()
        });
        match life.events.back_mut().filter(|last| last.repeats(&event)) {
            Some(last) => {
                *last = Event {
                    times: last.times + 1,
                    ..event
                }
            }
            None => {
                // Facts of two queues have no order: the departure may be told after the arrival.
                let late = event.what == LEFT
                    && life
                        .events
                        .back()
                        .is_some_and(|last| last.at == event.at && last.what == ARRIVED);
                let place = life.events.len() - usize::from(late);
                self.events += event.weight();
                life.events.insert(place, event);
            }
        }
        if life.events.len() > self.memory.events_of_life {
            self.events -= life.events.pop_front().map_or(0, |event| event.weight());
            life.dropped += 1;
        }
        while self.lives.len() > self.memory.lives || self.events > self.memory.events {
            let Some(oldest) = self.begun.pop_front() else { return };
            if let Some(life) = self.lives.remove(&oldest) {
                self.events -= life.events.iter().map(Event::weight).sum::<usize>();
                self.forgotten += 1;
            }
        }
    }

    /// Keeps the content of a message and where it is.
    fn follow(&mut self, id: MessageId, fact: &Fact, queue: &Arc<str>) {
        let Some(life) = self.lives.get_mut(&id) else { return };
        match fact {
            Fact::Sent { content, .. } | Fact::Arrived { content, .. } | Fact::MovedIn { content, .. } => {
                life.content = Some(content.clone());
                life.queue = Some(Arc::clone(queue));
                if let Some(reason) = content.dead_letter_reason() {
                    life.reason = Some(kept(reason));
                }
            }
            Fact::Failed { reason, .. } => life.reason = Some(kept(reason)),
            // The message may have arrived already.
            Fact::DeadLettered { .. } if life.queue.as_ref() == Some(queue) => life.queue = None,
            Fact::Deleted { .. } | Fact::Expired { .. } | Fact::MovedOut { .. } => life.end(),
            _ => {}
        }
    }
}

impl QueueSeen {
    fn new(arn: &str) -> Self {
        Self {
            name: arn.rsplit(':').next().unwrap_or(arn).into(),
            facts: 0,
            held: HashMap::new(),
            arrivals: BTreeMap::new(),
            seconds: VecDeque::new(),
        }
    }

    fn arrived(&mut self, id: MessageId, at: Timestamp, delayed: bool) {
        self.held.insert(id, Held { at, delayed });
        self.second(at).came += 1;
        if !delayed {
            *self.arrivals.entry(at).or_default() += 1;
        }
    }

    fn delay_ended(&mut self, id: MessageId) {
        if let Some(held) = self.held.get_mut(&id).filter(|held| held.delayed) {
            held.delayed = false;
            *self.arrivals.entry(held.at).or_default() += 1;
        }
    }

    fn left(&mut self, id: MessageId, at: Timestamp) {
        self.second(at).went += 1;
        let Some(held) = self.held.remove(&id).filter(|held| !held.delayed) else {
            return;
        };
        if let Some(count) = self.arrivals.get_mut(&held.at) {
            *count -= 1;
            if *count == 0 {
                self.arrivals.remove(&held.at);
            }
        }
    }

    /// The newest second; facts of a queue come in the order of time.
    fn second(&mut self, at: Timestamp) -> &mut Second {
        let second = at.as_secs();
        if self.seconds.back().is_none_or(|last| last.second < second) {
            let new = Second {
                second,
                ..Second::default()
            };
            self.seconds.push_back(new);
            let first = second.saturating_sub(POINT_SECONDS * (POINTS + 1));
            while self.seconds.front().is_some_and(|old| old.second < first) {
                self.seconds.pop_front();
            }
        }
        let last = self.seconds.len() - 1;
        &mut self.seconds[last]
    }

    fn activity(&self, now: u64) -> Activity {
        let (mut came, mut went) = (vec![0; POINTS as usize], vec![0; POINTS as usize]);
        let mut sums = [0; 3];
        // The last point is the one that the time is in.
        let newest = now / POINT_SECONDS;
        for it in &self.seconds {
            let back = newest.saturating_sub(it.second / POINT_SECONDS);
            if back < POINTS {
                let point = (POINTS - 1 - back) as usize;
                came[point] += it.came;
                went[point] += it.went;
            }
            if (now.saturating_sub(RATE_SECONDS)..now).contains(&it.second) {
                let counts = [it.came, it.went, it.failed];
                sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
            }
        }
        Activity {
            facts: self.facts,
            oldest: self.arrivals.keys().next().copied(),
            held: self.held.len(),
            came,
            went,
            rates: sums.map(|sum| f64::from(sum) / RATE_SECONDS as f64),
        }
    }
}

impl Life {
    /// The message is gone, and with it the reason to hold a large content, which the queue shared until now.
    fn end(&mut self) {
        self.queue = None;
        let bytes = |content: &Content| content.size_bytes() + content.dead_letter_reason().map_or(0, |it| it.len());
        if let Some(content) = self.content.take_if(|content| bytes(content) > GONE_BYTES) {
            let body = content.body();
            self.beginning = Some((beginning(body, GONE_BYTES).to_owned(), body.len()));
        }
    }

    fn to_json(&self, body_bytes: usize) -> Value {
        let mut events: Vec<&Event> = self.events.iter().collect();
        events.sort_by_key(|event| event.at);
        // A life that was seen from its beginning has nothing before its send.
        let complete = self.dropped == 0 && events.first().is_some_and(|event| event.begins());
        let content = self.content.as_ref().map(|content| content_json(content, body_bytes));
        let beginning = self.beginning.as_ref();
        let beginning =
            beginning.map(|(text, length)| json!({ "body": text, "body_bytes": length, "attributes": null }));
        json!({
            "events": events.into_iter().map(Event::to_json).collect::<Vec<_>>(),
            "complete": complete,
            "dropped": self.dropped,
            "queue": self.queue.as_deref(),
            "reason": self.reason.as_deref(),
            "content": content.or(beginning),
        })
    }
}

pub(crate) fn content_json(content: &Content, bytes: usize) -> Value {
    let attribute = |(name, value): (&str, &MessageAttributeValue)| {
        let text = value.string_value().map(|text| beginning(text, bytes));
        let length = value.binary_value().map(<[u8]>::len);
        json!({ "name": name, "type": value.data_type(), "value": text, "bytes": length })
    };
    json!({
        "body": beginning(content.body(), bytes),
        "body_bytes": content.body().len(),
        "attributes": content.attributes().iter().map(attribute).collect::<Vec<_>>(),
        "group": content.group_id(),
        "deduplication_id": content.deduplication_id(),
        "trace_header": content.trace_header().map(|text| &**text),
        "dead_letter_source": content.dead_letter_source().map(|text| &**text),
    })
}

impl Event {
    fn new(at: Timestamp, queue: &Arc<str>, what: &'static str) -> Self {
        Self {
            at,
            queue: Arc::clone(queue),
            what,
            until: None,
            receive_count: None,
            reason: None,
            times: 1,
        }
    }

    fn of(fact: &Fact, at: Timestamp, queue: &Arc<str>) -> Option<Self> {
        let event = |what| Self::new(at, queue, what);
        Some(match fact {
            Fact::Sent { visible_at, .. } => Self {
                until: Some(*visible_at).filter(|visible_at| *visible_at > at),
                ..event("sent")
            },
            Fact::Deduplicated { .. } => event("sent again: deduplicated"),
            Fact::Received {
                receive_count,
                invisible_until,
                ..
            } => Self {
                until: Some(*invisible_until),
                receive_count: Some(*receive_count),
                ..event("received")
            },
            Fact::ReceivedAgain { invisible_until, .. } => Self {
                until: Some(*invisible_until),
                ..event("received again by the same attempt")
            },
            Fact::VisibilityChanged { invisible_until, .. } => Self {
                until: Some(*invisible_until),
                ..event("visibility changed")
            },
            Fact::Postponed { invisible_until, .. } => Self {
                until: Some(*invisible_until),
                ..event("postponed")
            },
            Fact::Failed { reason, .. } => Self {
                reason: Some(kept(reason)),
                ..event("failed")
            },
            Fact::Arrived { content, .. } => Self {
                reason: content.dead_letter_reason().map(kept),
                ..event(ARRIVED)
            },
            Fact::Returned { .. } => event("visible again"),
            Fact::Released { .. } => event("released"),
            Fact::DelayEnded { .. } => event("delay ended"),
            Fact::Deleted { .. } => event("deleted"),
            Fact::Expired { .. } => event("expired"),
            Fact::DeadLettered { .. } => event(LEFT),
            Fact::MovedOut { .. } => event("redriven to another queue, under a new id"),
            Fact::MovedIn { .. } => event("came in by a redrive"),
            _ => return None,
        })
    }

    fn weight(&self) -> usize {
        1 + self.reason.as_ref().map_or(0, |reason| reason.len() / EVENT_BYTES)
    }

    fn begins(&self) -> bool {
        matches!(self.what, "sent" | "came in by a redrive")
    }

    /// Leases are renewed over and over.
    fn repeats(&self, next: &Self) -> bool {
        self.what == "visibility changed" && next.what == self.what && self.queue == next.queue
    }

    fn to_json(&self) -> Value {
        json!({
            "at": self.at.as_millis(),
            "queue": &*self.queue,
            "what": self.what,
            "until": self.until.map(Timestamp::as_millis),
            "receive_count": self.receive_count,
            "reason": self.reason.as_deref(),
            "times": self.times,
        })
    }
}

/// As much of a reason as is ever shown.
fn kept(reason: &Arc<str>) -> Arc<str> {
    match beginning(reason, REASON_BYTES) {
        all if all.len() == reason.len() => Arc::clone(reason),
        cut => cut.into(),
    }
}

/// At most so many bytes of a text, never half a character.
pub(crate) fn beginning(text: &str, bytes: usize) -> &str {
    let mut end = bytes.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
