//! Assertions over the facts of queues; each fails with the part of the timeline that it is about.
//!
//! A [`Recorder`] listens to queues and keeps their facts. Its assertions read the facts, one reads snapshots too; all
//! of them panic where they fail, at the line of the caller.

mod lives;
mod timeline;

use std::{fmt, mem, sync::Arc, time::Duration};

use self::{
    lives::{End, Life, lives},
    timeline::{Names, counted, name, quoted},
};
use crate::{
    clock::{Clock, ManualClock},
    message::MessageId,
    queue::{FactListener, Queue},
    state::{FactEntry, MessagePhase, QueueSnapshot},
    sync::Mutex,
    time::Timestamp,
};

pub use timeline::Timeline;

/// The ARN of a queue and a fact of it.
type Recorded = (Arc<str>, FactEntry);

/// Keeps the facts of the queues that it listens to, and asserts what they have to say; clones share them.
///
/// Give it to a queue when you build it, or to a service. One that is given to several queues keeps the order among
/// them, and follows a message into the dead-letter queue.
///
/// # Examples
/// ```
/// use requeue::{ManualClock, Queue, testing::assertions::Recorder};
/// use std::time::Duration;
///
/// let (clock, recorder) = (ManualClock::default(), Recorder::new());
/// let dead = Queue::standard("dead").clock(clock.clone()).listener(recorder.clone()).build()?;
/// let jobs = Queue::standard("jobs").clock(clock.clone()).listener(recorder.clone()).dead_letter(&dead, 2).build()?;
/// jobs.send("resize cat.png")?;
/// let poison = jobs.send("resize cat.txt")?;
///
/// let consume = || {
///     for job in jobs.receive().max_messages(10).blocking().unwrap() {
///         if job.body().ends_with(".png") {
///             job.delete().unwrap();
///         }
///     }
/// };
/// recorder.assert_eventually_empty(&jobs, &clock, Duration::from_secs(90), consume);
/// recorder.assert_dead_lettered(poison.message_id, 2);
/// recorder.assert_each_received_at_most(2);
/// recorder.assert_nothing_lost();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default)]
pub struct Recorder {
    record: Arc<Mutex<Vec<Recorded>>>,
}

impl FactListener for Recorder {
    fn on_fact(&self, queue: &Arc<str>, entry: &FactEntry) {
        self.record.lock().push((Arc::clone(queue), entry.clone()));
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let facts = self.record.lock().len();
        f.debug_struct("Recorder").field("facts", &facts).finish()
    }
}

impl Recorder {
    /// A recorder that has heard nothing.
    ///
    /// # Examples
    /// ```
    /// # use requeue::testing::assertions::Recorder;
    /// assert!(Recorder::new().facts().is_empty());
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The facts so far, each with the ARN of its queue.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Fact, Queue, testing::assertions::Recorder};
    /// let recorder = Recorder::new();
    /// let jobs = Queue::standard("jobs").listener(recorder.clone()).build()?;
    /// jobs.send("resize cat.png")?;
    /// assert!(matches!(recorder.facts()[0].1.fact, Fact::Sent { .. }));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn facts(&self) -> Vec<(Arc<str>, FactEntry)> {
        self.record.lock().clone()
    }

    /// The facts so far as text.
    ///
    /// See [`Timeline`] for an example.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{ManualClock, Queue, SendMessage, testing::assertions::Recorder};
    /// # use std::time::Duration;
    /// let (clock, recorder) = (ManualClock::default(), Recorder::new());
    /// let jobs = Queue::standard("jobs").clock(clock.clone()).listener(recorder.clone()).build()?;
    /// jobs.send("resize cat.png")?;
    /// assert!(recorder.timeline().to_string().contains("m1 sent"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn timeline(&self) -> Timeline {
        let record = self.facts();
        Names::new(&record).timeline(&record, |_, _| true)
    }

    /// Asserts that `queue` holds no message within `within` from now, and moves `clock` there as far as it takes.
    ///
    /// `consume` is called now and whenever something falls due: a visibility timeout, a delay, the end of retention,
    /// or what sleeps on the clock; and again at once while fewer messages are stored or visible after it. Where a
    /// consumer works in a thread of its own, let `consume` wait until it is done with what it has received: the clock
    /// knows of a thread only while it sleeps. How the queue came to be empty is not asked: see
    /// [`assert_nothing_lost`](Self::assert_nothing_lost).
    ///
    /// # Panics
    /// If a message is left at the end; the text tells where it is.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{ManualClock, Queue, SendMessage, testing::assertions::Recorder};
    /// # use std::time::Duration;
    /// let (clock, recorder) = (ManualClock::default(), Recorder::new());
    /// let jobs = Queue::standard("jobs").clock(clock.clone()).listener(recorder.clone()).build()?;
    /// jobs.send(SendMessage::new("remind me").delay(Duration::from_secs(60)))?;
    /// let consume = || {
    ///     for job in jobs.receive().blocking().unwrap() {
    ///         job.delete().unwrap();
    ///     }
    /// };
    /// recorder.assert_eventually_empty(&jobs, &clock, Duration::from_secs(60), consume);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn assert_eventually_empty(
        &self,
        queue: &Queue,
        clock: &ManualClock,
        within: Duration,
        mut consume: impl FnMut(),
    ) {
        let end = clock.now().saturating_add(within);
        let mut before = holding(&queue.snapshot());
        loop {
            consume();
            clock.advance(Duration::ZERO);
            let (snapshot, now) = (queue.snapshot(), clock.now());
            if snapshot.messages.is_empty() {
                return;
            }
            let after = holding(&snapshot);
            let progress = after < mem::replace(&mut before, after);
            if progress {
                continue;
            }
            if now >= end {
                self.fail_not_empty(queue, within, &snapshot);
            }
            clock.advance_to(next_due(&snapshot, clock, now).min(end));
            before = holding(&queue.snapshot());
        }
    }

    #[track_caller]
    fn fail_not_empty(&self, queue: &Queue, within: Duration, snapshot: &QueueSnapshot) -> ! {
        const MOST: usize = 5;
        let record = self.facts();
        let names = Names::new(&record);
        let stored = &snapshot.messages;
        let held: Vec<String> = stored
            .iter()
            .take(MOST)
            .map(|message| {
                let at = match message.phase {
                    MessagePhase::Visible if message.blocked => "blocked by its group".to_owned(),
                    MessagePhase::Visible => "visible".to_owned(),
                    MessagePhase::Delayed { until } => format!("delayed until {}", names.instant(until)),
                    MessagePhase::InFlight { until } => format!("in flight until {}", names.instant(until)),
                };
                let receives = counted(message.approximate_receive_count as usize, "receive");
                let (id, body) = (names.message(message.message_id), quoted(message.content.body()));
                format!("{id} {body} is {at} after {receives}")
            })
            .collect();
        let more = match stored.len().saturating_sub(MOST) {
            0 => String::new(),
            more => format!("; and {more} more"),
        };
        let claim = format!(
            "{} is not empty after {within:?}: {}{more}",
            queue.name(),
            held.join("; ")
        );
        let is_left = |id| stored.iter().any(|message| message.message_id == id);
        self.fail(&claim, |_, (arn, entry)| {
            **arn == *queue.arn() && entry.fact.message_id().is_none_or(is_left)
        });
    }

    /// Asserts that the message left a queue for its dead-letter queue, after exactly `receives` receives there.
    ///
    /// That a message was received `maxReceiveCount` times is the only reason for which SQS dead-letters it; here a
    /// consumer may also have given it up, after fewer.
    ///
    /// # Panics
    /// If the message did not, or after another number of receives.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{ManualClock, Queue, SendMessage, testing::assertions::Recorder};
    /// # use std::time::Duration;
    /// let (clock, recorder) = (ManualClock::default(), Recorder::new());
    /// let dead = Queue::standard("dead").clock(clock.clone()).build()?;
    /// let jobs = Queue::standard("jobs").clock(clock.clone()).listener(recorder.clone()).dead_letter(&dead, 1).build()?;
    /// let poison = jobs.send("resize cat.txt")?;
    /// jobs.receive().visibility_timeout(Duration::ZERO).blocking()?;
    /// jobs.receive().blocking()?;
    /// recorder.assert_dead_lettered(poison.message_id, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn assert_dead_lettered(&self, message_id: MessageId, receives: usize) {
        let record = self.facts();
        let (names, all) = (Names::new(&record), lives(&record));
        let own: Vec<&Life> = all.iter().filter(|life| life.message_id == message_id).collect();
        let dead: Vec<&&Life> = own.iter().filter(|life| life.ended_by(End::DeadLettered)).collect();
        if dead.iter().any(|life| life.received.len() == receives) {
            return;
        }
        let id = names.message(message_id);
        let claim = match (dead.first(), own.last()) {
            (Some(life), _) => {
                let (real, expected) = (life.received.len(), receives);
                format!(
                    "{id} was dead-lettered after {}, not {expected}",
                    counted(real, "receive")
                )
            }
            (None, Some(life)) => format!("{id} was not dead-lettered: it {}", life.state(&names, &record)),
            (None, None) => format!("{id} was not dead-lettered: no recorded queue has seen it"),
        };
        self.fail(&claim, |_, (_, entry)| entry.fact.message_id() == Some(message_id));
    }

    /// Asserts that no message was dead-lettered.
    ///
    /// # Panics
    /// If one was.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{ManualClock, Queue, SendMessage, testing::assertions::Recorder};
    /// # use std::time::Duration;
    /// let (clock, recorder) = (ManualClock::default(), Recorder::new());
    /// let dead = Queue::standard("dead").clock(clock.clone()).build()?;
    /// let jobs = Queue::standard("jobs").clock(clock.clone()).listener(recorder.clone()).dead_letter(&dead, 1).build()?;
    /// jobs.send("resize cat.png")?;
    /// jobs.receive().blocking()?[0].delete()?;
    /// recorder.assert_nothing_dead_lettered();
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn assert_nothing_dead_lettered(&self) {
        self.assert_no_end(|end| end == End::DeadLettered);
    }

    /// Asserts that the message was received at most `receives` times in any one queue.
    ///
    /// # Panics
    /// If it was received more often.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{ManualClock, Queue, SendMessage, testing::assertions::Recorder};
    /// # use std::time::Duration;
    /// let (clock, recorder) = (ManualClock::default(), Recorder::new());
    /// let jobs = Queue::standard("jobs").clock(clock.clone()).listener(recorder.clone()).build()?;
    /// let sent = jobs.send("resize cat.png")?;
    /// jobs.receive().blocking()?;
    /// recorder.assert_received_at_most(sent.message_id, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn assert_received_at_most(&self, message_id: MessageId, receives: usize) {
        self.assert_receives(receives, |life| life.message_id == message_id);
    }

    /// Asserts that every message was received at most `receives` times in any one queue.
    ///
    /// # Panics
    /// If one was received more often; the text tells of the first.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{ManualClock, Queue, SendMessage, testing::assertions::Recorder};
    /// # use std::time::Duration;
    /// let (clock, recorder) = (ManualClock::default(), Recorder::new());
    /// let jobs = Queue::standard("jobs").clock(clock.clone()).listener(recorder.clone()).build()?;
    /// jobs.send_batch(["resize cat.png", "resize dog.png"])?;
    /// jobs.receive().max_messages(10).blocking()?;
    /// recorder.assert_each_received_at_most(1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn assert_each_received_at_most(&self, receives: usize) {
        self.assert_receives(receives, |_| true);
    }

    #[track_caller]
    fn assert_receives(&self, most: usize, about: impl Fn(&Life) -> bool) {
        let record = self.facts();
        let all = lives(&record);
        let Some(life) = all.iter().find(|life| about(life) && life.received.len() > most) else {
            return;
        };
        let (id, queue) = (Names::new(&record).message(life.message_id), name(&life.queue));
        let real = counted(life.received.len(), "time");
        self.fail(
            &format!("{id} was received {real} from {queue}, at most {most} allowed"),
            |_, recorded| recorded.0 == life.queue && recorded.1.fact.message_id() == Some(life.message_id),
        );
    }

    /// Asserts that every message of a group was first received, and deleted, only when no earlier one of its group and
    /// queue was still to be first received, or deleted.
    ///
    /// A message that left in another way, such as a dead letter, holds up none behind it. A FIFO queue keeps the order
    /// of receives by itself; the order of deletes is the consumer's.
    ///
    /// # Panics
    /// If two messages of the group were received or deleted out of order, or no recorded queue has seen the group.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{ManualClock, Queue, SendMessage, testing::assertions::Recorder};
    /// # use std::time::Duration;
    /// let (clock, recorder) = (ManualClock::default(), Recorder::new());
    /// let jobs = Queue::fifo("jobs.fifo").clock(clock.clone()).listener(recorder.clone()).content_based_deduplication(true).build()?;
    /// for body in ["order-17", "order-18"] {
    ///     jobs.send(SendMessage::new(body).message_group_id("customer-7"))?;
    /// }
    /// for order in jobs.receive().max_messages(10).blocking()? {
    ///     order.delete()?;
    /// }
    /// recorder.assert_group_order("customer-7");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn assert_group_order(&self, message_group_id: &str) {
        let record = self.facts();
        let mut all = lives(&record);
        all.retain(|life| life.message_group_id.as_deref() == Some(message_group_id));
        if all.is_empty() {
            let claim = format!("no recorded queue has seen a message of group {message_group_id}");
            self.fail(&claim, |_, _| true);
        }
        let names = Names::new(&record);
        for (place, later) in all.iter().enumerate() {
            for earlier in all[..place].iter().filter(|earlier| earlier.queue == later.queue) {
                let Some(wrong) = out_of_order(earlier, later) else {
                    continue;
                };
                let (first, second) = (names.message(earlier.message_id), names.message(later.message_id));
                let claim =
                    format!("{second} was {wrong} before {first}, which is earlier in group {message_group_id}");
                self.fail(&claim, |_, (queue, entry)| {
                    let of_group = |id| all.iter().any(|life| life.message_id == id);
                    *queue == later.queue && entry.fact.message_id().is_some_and(of_group)
                });
            }
        }
    }

    /// Asserts that no message ended otherwise than by a consumer's delete, a dead-letter move or a move task.
    ///
    /// What is still stored is not lost.
    ///
    /// # Panics
    /// If a message expired, was purged, or was deleted with its queue; the text tells of the first.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{ManualClock, Queue, SendMessage, testing::assertions::Recorder};
    /// # use std::time::Duration;
    /// let (clock, recorder) = (ManualClock::default(), Recorder::new());
    /// let jobs = Queue::standard("jobs").clock(clock.clone()).listener(recorder.clone()).build()?;
    /// jobs.send("resize cat.png")?;
    /// recorder.assert_nothing_lost(); // it is still there
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn assert_nothing_lost(&self) {
        self.assert_no_end(|end| matches!(end, End::Expired | End::Purged | End::QueueDeleted));
    }

    /// Asserts that every message was in the end deleted by a consumer, in whichever recorded queue.
    ///
    /// # Panics
    /// If one is still stored or ended otherwise; the text tells of the first.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{ManualClock, Queue, SendMessage, testing::assertions::Recorder};
    /// # use std::time::Duration;
    /// let (clock, recorder) = (ManualClock::default(), Recorder::new());
    /// let jobs = Queue::standard("jobs").clock(clock.clone()).listener(recorder.clone()).build()?;
    /// jobs.send("resize cat.png")?;
    /// jobs.receive().blocking()?[0].delete()?;
    /// recorder.assert_all_deleted();
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn assert_all_deleted(&self) {
        let record = self.facts();
        let all = lives(&record);
        let moved = |life: &Life| {
            life.ended_by(End::MovedOut)
                || life.ended_by(End::DeadLettered) && all.iter().any(|it| it.is_another_of(life))
        };
        let left = all.iter().find(|life| !life.ended_by(End::Deleted) && !moved(life));
        if let Some(life) = left {
            let names = Names::new(&record);
            let (id, state) = (names.message(life.message_id), life.state(&names, &record));
            self.fail(
                &format!("{id} was not deleted by a consumer: it {state}"),
                |place, recorded| life.is_about(place, recorded),
            );
        }
    }

    #[track_caller]
    fn assert_no_end(&self, forbidden: impl Fn(End) -> bool) {
        let record = self.facts();
        let all = lives(&record);
        let is_forbidden = |life: &&Life| life.end.is_some_and(|(_, end)| forbidden(end));
        if let Some(life) = all.iter().find(is_forbidden) {
            let names = Names::new(&record);
            let (id, state) = (names.message(life.message_id), life.state(&names, &record));
            self.fail(&format!("{id} {state}"), |place, recorded| {
                life.is_about(place, recorded)
            });
        }
    }

    /// Panics with the claim that failed and the facts that `shown` lets pass.
    #[track_caller]
    fn fail(&self, claim: &str, shown: impl Fn(usize, &Recorded) -> bool) -> ! {
        let record = self.facts();
        panic!("{claim}\n{}", Names::new(&record).timeline(&record, shown));
    }
}

/// Messages stored, and visible: a consumer can lower the pair only so often before time has to pass.
fn holding(snapshot: &QueueSnapshot) -> (usize, usize) {
    let visible = snapshot.counts.visible;
    (snapshot.messages.len(), visible)
}

/// When something falls due next: in the queue or on the clock.
fn next_due(snapshot: &QueueSnapshot, clock: &ManualClock, now: Timestamp) -> Timestamp {
    let ends = snapshot.messages.iter().flat_map(|message| {
        let hidden = match message.phase {
            MessagePhase::Visible => None,
            MessagePhase::Delayed { until } | MessagePhase::InFlight { until } => Some(until),
        };
        [Some(message.expires_at), hidden]
    });
    let due = ends.chain([clock.next_deadline()]).flatten();
    due.filter(|at| *at > now).min().unwrap_or(Timestamp::MAX)
}

/// What the later message was too early: received or deleted.
fn out_of_order(earlier: &Life, later: &Life) -> Option<&'static str> {
    let end = earlier.end.map(|(at, _)| at);
    let too_early = |at: usize, after: Option<usize>| after.is_none_or(|after| at < after);
    // Left without a receive, it holds up nobody.
    let first = |life: &Life| life.received.first().copied();
    let received = first(later).is_some_and(|at| too_early(at, first(earlier).or(end)));
    let deleted = later.ended_by(End::Deleted) && later.end.is_some_and(|(at, _)| too_early(at, end));
    match (received, deleted) {
        (true, _) => Some("received"),
        (_, true) => Some("deleted"),
        _ => None,
    }
}

impl Life {
    fn ended_by(&self, end: End) -> bool {
        self.end.is_some_and(|(_, by)| by == end)
    }

    /// Another stay of the same message, in another queue or, as the dead letter of a queue that is its own dead-letter
    /// queue (L3d), in the same one.
    fn is_another_of(&self, other: &Self) -> bool {
        self.message_id == other.message_id && !std::ptr::eq(self, other)
    }

    /// A fact of this stay: of the message, or the one that ended it.
    fn is_about(&self, place: usize, recorded: &Recorded) -> bool {
        recorded.0 == self.queue && recorded.1.fact.message_id() == Some(self.message_id)
            || self.end.is_some_and(|(at, _)| at == place)
    }

    /// Where it is, or how it left: `was purged at 0:03.000 after 1 receive`.
    fn state(&self, names: &Names, record: &[Recorded]) -> String {
        let (queue, receives) = (name(&self.queue), counted(self.received.len(), "receive"));
        match self.end {
            Some((place, end)) => {
                let at = names.instant(record[place].1.at);
                format!("{} in {queue} at {at} after {receives}", end.text())
            }
            None => format!("is still in {queue} after {receives}"),
        }
    }
}
