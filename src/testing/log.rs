//! What happens in a case, as it happens.

use {
    super::{
        faults::Fault,
        story::{Event, EventKind, Place},
    },
    crate::{message::MessageId, time::Timestamp},
    std::{collections::HashMap, mem, sync::Arc},
};

/// What of an event is told beside who did it, and when.
#[derive(Default)]
pub(super) struct Told {
    pub(super) what: String,
    pub(super) queue: Option<Arc<str>>,
    pub(super) messages: Vec<String>,
    pub(super) place: Option<Place>,
    pub(super) kind: EventKind,
}

impl From<String> for Told {
    fn from(what: String) -> Self {
        Self {
            what,
            ..Self::default()
        }
    }
}

impl From<&str> for Told {
    fn from(what: &str) -> Self {
        what.to_owned().into()
    }
}

impl Told {
    pub(super) fn of(mut self, queue: &Arc<str>, messages: impl IntoIterator<Item = String>) -> Self {
        self.queue = Some(Arc::clone(queue));
        self.messages = messages.into_iter().collect();
        self
    }

    /// A receive from a queue, by its messages or its error.
    pub(super) fn received(log: &Log, queue: &Arc<str>, result: &Result<Vec<MessageId>, String>) -> Self {
        let names = log.names(result.iter().flatten().copied());
        let what = match result {
            Ok(messages) if messages.is_empty() => "receives nothing".to_owned(),
            Ok(_) => format!("receives {}", names.join(", ")),
            Err(error) => format!("receives: {}", error.lines().next().unwrap_or_default()),
        };
        Self::from(what).of(queue, names).kind(EventKind::Receive)
    }

    pub(super) const fn kind(mut self, kind: EventKind) -> Self {
        self.kind = kind;
        self
    }

    pub(super) const fn at(mut self, place: Option<Place>) -> Self {
        self.place = place;
        self
    }
}

/// Counts the events of a case, and keeps them if they are to be told.
#[derive(Default)]
pub(super) struct Log {
    recording: bool,
    count: usize,
    events: Vec<Event>,
    begin: Timestamp,
    names: HashMap<MessageId, usize>,
}

impl Log {
    pub(super) fn new(recording: bool, begin: Timestamp) -> Self {
        Self {
            recording,
            begin,
            ..Self::default()
        }
    }

    pub(super) const fn count(&self) -> usize {
        self.count
    }

    /// Those that were kept so far.
    pub(super) fn events(&self) -> &[Event] {
        &self.events
    }

    pub(super) fn take_events(&mut self) -> Vec<Event> {
        mem::take(&mut self.events)
    }

    /// Names a message m1, m2 and so on, in the order of their first mention; it keeps its name from queue to queue.
    pub(super) fn introduce(&mut self, message: MessageId) {
        let next = self.names.len() + 1;
        self.names.entry(message).or_insert(next);
    }

    pub(super) fn name(&self, message: MessageId) -> String {
        match self.names.get(&message) {
            Some(number) => format!("m{number}"),
            None => "an unknown message".to_owned(),
        }
    }

    pub(super) fn names(&self, messages: impl IntoIterator<Item = MessageId>) -> Vec<String> {
        messages.into_iter().map(|message| self.name(message)).collect()
    }

    /// Takes note of an event. What is told of it is asked for only if somebody will read it.
    pub(super) fn add<T: Into<Told>>(
        &mut self,
        at: Timestamp,
        who: &str,
        fault: Option<Fault>,
        told: impl FnOnce(&Self) -> T,
    ) {
        self.count += 1;
        if !self.recording {
            return;
        }
        let Told {
            what,
            queue,
            messages,
            place,
            kind,
        } = told(self).into();
        self.events.push(Event {
            at_millis: at.as_millis().saturating_sub(self.begin.as_millis()),
            who: who.to_owned(),
            what: what.replace('\n', " "),
            fault,
            queue,
            messages,
            place,
            kind,
        });
    }
}
