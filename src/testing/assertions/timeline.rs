//! Facts as readable events.

use std::{collections::HashMap, fmt, sync::Arc};

use super::Recorded;
use crate::{
    message::{Content, MessageId},
    state::{Fact, FactEntry},
    testing::story::{Colours, Event, instant, lines},
    time::Timestamp,
};

/// More lines than these are cut in the middle.
const MOST_LINES: usize = 40;
const LONGEST_BODY: usize = 30;
const LONGEST_REASON: usize = 80;

/// What happened, one line for a fact: time since the first recorded one in minutes and seconds, queue, message, what.
/// It reads as a [`Story`](crate::testing::Story) does.
///
/// Messages are `m1`, `m2`, .. in the order in which they were first seen; a message that a move task moved has a new
/// id and so a new name. Its text has at most 40 lines; of a longer one the middle is left out.
///
/// # Examples
/// ```
/// use requeue::{ManualClock, Queue, testing::assertions::Recorder};
///
/// let recorder = Recorder::new();
/// let jobs = Queue::standard("jobs").clock(ManualClock::default()).listener(recorder.clone()).build()?;
/// jobs.send("resize cat.png")?;
/// jobs.receive().blocking()?[0].delete()?;
/// assert_eq!(
///     recorder.timeline().to_string(),
///     "  0:00.000  jobs  m1 sent \"resize cat.png\"
///   0:00.000  jobs  m1 received, receive 1, hidden until 0:30.000
///   0:00.000  jobs  m1 deleted
/// ",
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Timeline {
    events: Vec<Event>,
}

impl Timeline {
    /// What happened, in order.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Queue, testing::assertions::Recorder};
    /// let recorder = Recorder::new();
    /// let jobs = Queue::standard("jobs").listener(recorder.clone()).build()?;
    /// jobs.send("resize cat.png")?;
    /// assert_eq!(recorder.timeline().events()[0].who, "jobs");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// The timeline as text, with colours for a terminal or without; [`Display`](fmt::Display) is without.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Queue, testing::assertions::Recorder};
    /// let recorder = Recorder::new();
    /// let jobs = Queue::standard("jobs").listener(recorder.clone()).build()?;
    /// jobs.send("resize cat.png")?;
    /// assert!(recorder.timeline().render(true).contains("\u{1b}[1mjobs\u{1b}[0m  m1 sent"));
    /// assert_eq!(recorder.timeline().render(false), recorder.timeline().to_string());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn render(&self, colour: bool) -> String {
        let mut lines = lines(&self.events, Colours::of(colour));
        if lines.len() > MOST_LINES {
            let half = MOST_LINES / 2;
            let cut = half..lines.len() - (half - 1);
            let left_out = format!("       ...  {} lines left out", cut.len());
            lines.splice(cut, [left_out]);
        }
        lines.into_iter().map(|line| line + "\n").collect()
    }
}

impl fmt::Display for Timeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

/// How messages and instants are called in a timeline.
pub(super) struct Names {
    start: Timestamp,
    messages: HashMap<MessageId, usize>,
}

impl Names {
    pub(super) fn new(record: &[Recorded]) -> Self {
        let mut messages = HashMap::new();
        for (_, entry) in record {
            if let Some(id) = entry.fact.message_id() {
                let next = messages.len() + 1;
                messages.entry(id).or_insert(next);
            }
        }
        Self {
            start: record.first().map_or(Timestamp::ZERO, |(_, entry)| entry.at),
            messages,
        }
    }

    pub(super) fn message(&self, id: MessageId) -> String {
        match self.messages.get(&id) {
            Some(number) => format!("m{number}"),
            None => format!("message {id}"),
        }
    }

    /// Since the first fact.
    fn millis(&self, at: Timestamp) -> u64 {
        at.as_millis().saturating_sub(self.start.as_millis())
    }

    /// Time since the first fact.
    pub(super) fn instant(&self, at: Timestamp) -> String {
        instant(self.millis(at))
    }

    /// The facts that `shown` lets pass, by their places in the record.
    pub(super) fn timeline(&self, record: &[Recorded], shown: impl Fn(usize, &Recorded) -> bool) -> Timeline {
        let mut receives = HashMap::new();
        let mut events = Vec::new();
        for (place, recorded) in record.iter().enumerate() {
            let (queue, entry) = recorded;
            let what = self.what(queue, entry, &mut receives);
            if shown(place, recorded) {
                events.push(Event {
                    at_millis: self.millis(entry.at),
                    who: name(queue).to_owned(),
                    what,
                    ..Event::default()
                });
            }
        }
        Timeline { events }
    }

    /// `receives` counts those of each message in each queue.
    fn what<'a>(
        &self,
        queue: &'a Arc<str>,
        entry: &FactEntry,
        receives: &mut HashMap<(&'a Arc<str>, MessageId), u32>,
    ) -> String {
        let Some(id) = entry.fact.message_id() else {
            return match &entry.fact {
                Fact::ReceivedNothing => "a receive found nothing".to_owned(),
                Fact::DeletedAgain => "a message that was gone was deleted again".to_owned(),
                Fact::Purged { messages } => format!("purged, {}", counted(*messages, "message")),
                Fact::SettingsChanged { .. } => "settings changed".to_owned(),
                Fact::QueueDeleted => "queue deleted".to_owned(),
                other => format!("{other:?}"),
            };
        };
        let happened = match &entry.fact {
            Fact::Sent {
                content, visible_at, ..
            } if *visible_at > entry.at => {
                let visible_at = self.instant(*visible_at);
                format!("sent {}, delayed until {visible_at}", shown(content))
            }
            Fact::Sent { content, .. } => format!("sent {}", shown(content)),
            Fact::Deduplicated { .. } => "sent again, a duplicate".to_owned(),
            Fact::Received {
                receive_count,
                invisible_until,
                ..
            } => {
                *receives.entry((queue, id)).or_default() += 1;
                let until = self.instant(*invisible_until);
                format!("received, receive {receive_count}, hidden until {until}")
            }
            Fact::ReceivedAgain { invisible_until, .. } => {
                let until = self.instant(*invisible_until);
                format!("received again by the same attempt, hidden until {until}")
            }
            Fact::VisibilityChanged { invisible_until, .. } => {
                format!("hidden until {}", self.instant(*invisible_until))
            }
            Fact::Returned { .. } => "visible again".to_owned(),
            Fact::Released { .. } => {
                receives
                    .entry((queue, id))
                    .and_modify(|receives| *receives = receives.saturating_sub(1));
                "released, as if not received".to_owned()
            }
            Fact::Postponed { invisible_until, .. } => {
                receives
                    .entry((queue, id))
                    .and_modify(|receives| *receives = receives.saturating_sub(1));
                let until = self.instant(*invisible_until);
                format!("postponed until {until}, as if not received")
            }
            Fact::DelayEnded { .. } => "visible, its delay ended".to_owned(),
            Fact::Deleted { .. } => "deleted".to_owned(),
            Fact::Expired { .. } => "expired".to_owned(),
            Fact::Failed { reason, .. } => format!("reported as failed, {}", cut(reason, LONGEST_REASON)),
            Fact::DeadLettered { .. } => {
                let receives = receives.get(&(queue, id)).copied().unwrap_or(0);
                format!("dead-lettered after {}", counted(receives as usize, "receive"))
            }
            Fact::Arrived { content, .. } => format!("arrived as a dead letter, {}", shown(content)),
            Fact::MovedOut { .. } => "moved out by a task".to_owned(),
            Fact::MovedIn { content, .. } => format!("moved in by a task, {}", shown(content)),
            other => format!("{other:?}"),
        };
        format!("{} {happened}", self.message(id))
    }
}

/// The last part of an ARN.
pub(super) fn name(queue: &str) -> &str {
    queue.rsplit(':').next().unwrap_or(queue)
}

pub(super) fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// A body in quotes, short and in one line.
pub(super) fn quoted(body: &str) -> String {
    cut(body, LONGEST_BODY)
}

fn cut(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        Some((end, _)) => format!("{:?}..", &text[..end]),
        None => format!("{text:?}"),
    }
}

fn shown(content: &Content) -> String {
    let body = quoted(content.body());
    match content.group_id() {
        Some(group) => format!("{body} in group {group}"),
        None => body,
    }
}
