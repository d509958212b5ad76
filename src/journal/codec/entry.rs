//! The kinds of entries, as they are written.

use {
    super::{
        content::{Content, list},
        image::{Message, Queue, Remembered, Service, Task},
        settings::Settings,
    },
    crate::{
        message::MessageId,
        state::{Fact, FactEntry, Origin, Place, Recorded},
        time::Timestamp,
    },
    serde::{Deserialize, Serialize},
};

/// One entry.
///
/// The number of a kind is its place in this list, and the fields of a kind are written in their order. So neither ever
/// changes: a kind that says more is a new one at the end, and [`LATEST_KIND`](super::LATEST_KIND) is the last. The same
/// holds for every type in it, but new variants of those cannot be told from damage: they take a new version of the
/// format. A span (`i64`) counts milliseconds from the instant of the fact.
#[derive(Deserialize, Serialize)]
pub(super) enum Entry<'a> {
    Sent {
        came: Came,
        visible_after: i64,
        #[serde(borrow)]
        content: Content<'a>,
    },
    Received {
        hidden: Hidden,
        receive_count: u32,
    },
    ReceivedAgain(Hidden),
    VisibilityChanged(Hidden),
    Returned(Shown),
    Released(Shown),
    Postponed(Hidden),
    DelayEnded(Shown),
    Deleted(Stored),
    Expired(Stored),
    DeadLettered(Stored),
    Arrived {
        came: Came,
        from: Option<From>,
        receive_count: u32,
        first_received_at: u64,
        retention_base: u64,
        #[serde(borrow)]
        content: Content<'a>,
    },
    MovedOut(Stored),
    MovedIn {
        came: Came,
        from: Option<From>,
        #[serde(borrow)]
        content: Content<'a>,
    },
    Purged {
        at: u64,
        messages: u64,
    },
    SettingsChanged {
        at: u64,
        #[serde(borrow)]
        settings: Settings<'a>,
    },
    QueueDeleted {
        at: u64,
    },
    Queue(#[serde(borrow)] Queue<'a>),
    Tags(#[serde(borrow, deserialize_with = "list")] Vec<(&'a str, &'a str)>),
    Message(#[serde(borrow)] Message<'a>),
    Remembered(#[serde(borrow)] Remembered<'a>),
    Task(#[serde(borrow)] Task<'a>),
    Service(#[serde(borrow)] Service<'a>),
    Opened {
        epoch: u64,
        at: u64,
    },
    NameDeleted {
        name: &'a str,
        at: u64,
    },
}

/// A message that was not there before.
#[derive(Deserialize, Serialize)]
pub(super) struct Came {
    at: u64,
    sequence: u64,
    since: u64,
    slot: u32,
    message_id: [u8; 16],
}

/// Number and sequence of where it was.
type From = (u64, u64);

/// A message that was there before.
#[derive(Deserialize, Serialize)]
pub(super) struct Stored {
    at: u64,
    sequence: u64,
}

/// The same, which becomes visible.
#[derive(Deserialize, Serialize)]
pub(super) struct Shown {
    at: u64,
    sequence: u64,
    since: u64,
}

/// The same, which is hidden for a while or becomes visible.
#[derive(Deserialize, Serialize)]
pub(super) struct Hidden {
    at: u64,
    sequence: u64,
    since: u64,
    invisible_for: i64,
}

impl<'a> Entry<'a> {
    /// `None` of a fact that is not recorded.
    #[inline]
    pub(super) fn of_fact(entry: &'a FactEntry) -> Option<Self> {
        let at = entry.at;
        let from = entry.origin.map(|origin| (origin.queue, origin.sequence));
        Some(match &entry.fact {
            Fact::Sent {
                message_id,
                content,
                visible_at,
            } => Self::Sent {
                came: Came::of(entry, *message_id),
                visible_after: span(at, *visible_at),
                content: content.into(),
            },
            Fact::Received {
                receive_count,
                invisible_until,
                ..
            } => Self::Received {
                hidden: Hidden::of(entry, *invisible_until),
                receive_count: *receive_count,
            },
            Fact::ReceivedAgain { invisible_until, .. } => Self::ReceivedAgain(Hidden::of(entry, *invisible_until)),
            Fact::VisibilityChanged { invisible_until, .. } => {
                Self::VisibilityChanged(Hidden::of(entry, *invisible_until))
            }
            Fact::Returned { .. } => Self::Returned(Shown::of(entry)),
            Fact::Released { .. } => Self::Released(Shown::of(entry)),
            Fact::Postponed { invisible_until, .. } => Self::Postponed(Hidden::of(entry, *invisible_until)),
            Fact::DelayEnded { .. } => Self::DelayEnded(Shown::of(entry)),
            Fact::Deleted { .. } => Self::Deleted(Stored::of(entry)),
            Fact::Expired { .. } => Self::Expired(Stored::of(entry)),
            Fact::DeadLettered { .. } => Self::DeadLettered(Stored::of(entry)),
            Fact::Arrived {
                message_id,
                content,
                receive_count,
                first_received_at,
                retention_base,
            } => Self::Arrived {
                came: Came::of(entry, *message_id),
                from,
                receive_count: *receive_count,
                first_received_at: first_received_at.as_millis(),
                retention_base: retention_base.as_millis(),
                content: content.into(),
            },
            Fact::MovedOut { .. } => Self::MovedOut(Stored::of(entry)),
            Fact::MovedIn { message_id, content } => Self::MovedIn {
                came: Came::of(entry, *message_id),
                from,
                content: content.into(),
            },
            Fact::Purged { messages } => Self::Purged {
                at: at.as_millis(),
                messages: *messages as u64,
            },
            Fact::SettingsChanged { settings } => Self::SettingsChanged {
                at: at.as_millis(),
                settings: (&**settings).into(),
            },
            Fact::QueueDeleted => Self::QueueDeleted { at: at.as_millis() },
            Fact::ReceivedNothing | Fact::DeletedAgain | Fact::Deduplicated { .. } | Fact::Failed { .. } => {
                return None;
            }
        })
    }

    /// `None` of a fact that is not recorded.
    pub(super) fn of(recorded: &'a Recorded) -> Option<Self> {
        Some(match recorded {
            Recorded::Fact(entry) => return Self::of_fact(entry),
            Recorded::Queue(queue) => Self::Queue(queue.into()),
            Recorded::Tags(tags) => Self::Tags(tags.iter().map(|(key, value)| (&**key, &**value)).collect()),
            Recorded::Message(message) => Self::Message(message.into()),
            Recorded::Remembered(send) => Self::Remembered(send.into()),
            Recorded::Task(task) => Self::Task(task.into()),
            Recorded::Service(service) => Self::Service(service.into()),
            Recorded::Opened { epoch, at } => Self::Opened {
                epoch: *epoch,
                at: at.as_millis(),
            },
            Recorded::NameDeleted { name, at } => Self::NameDeleted {
                name,
                at: at.as_millis(),
            },
        })
    }
}

impl std::convert::From<Entry<'_>> for Recorded {
    fn from(entry: Entry<'_>) -> Self {
        let message_id = MessageId::from_bytes([0; 16]);
        Self::Fact(match entry {
            Entry::Sent {
                came,
                visible_after,
                content,
            } => came.fact(None, |message_id, at| Fact::Sent {
                message_id,
                content: content.into(),
                visible_at: instant(at, visible_after),
            }),
            Entry::Received { hidden, receive_count } => hidden.fact(|invisible_until| Fact::Received {
                message_id,
                receive_count,
                invisible_until,
            }),
            Entry::ReceivedAgain(hidden) => hidden.fact(|invisible_until| Fact::ReceivedAgain {
                message_id,
                invisible_until,
            }),
            Entry::VisibilityChanged(hidden) => hidden.fact(|invisible_until| Fact::VisibilityChanged {
                message_id,
                invisible_until,
            }),
            Entry::Postponed(hidden) => hidden.fact(|invisible_until| Fact::Postponed {
                message_id,
                invisible_until,
            }),
            Entry::Returned(shown) => shown.fact(Fact::Returned { message_id }),
            Entry::Released(shown) => shown.fact(Fact::Released { message_id }),
            Entry::DelayEnded(shown) => shown.fact(Fact::DelayEnded { message_id }),
            Entry::Deleted(of) => of.fact(Fact::Deleted { message_id }),
            Entry::Expired(of) => of.fact(Fact::Expired { message_id }),
            Entry::DeadLettered(of) => of.fact(Fact::DeadLettered { message_id }),
            Entry::MovedOut(of) => of.fact(Fact::MovedOut { message_id }),
            Entry::Arrived {
                came,
                from,
                receive_count,
                first_received_at,
                retention_base,
                content,
            } => came.fact(from, |message_id, _| Fact::Arrived {
                message_id,
                content: content.into(),
                receive_count,
                first_received_at: Timestamp::from_millis(first_received_at),
                retention_base: Timestamp::from_millis(retention_base),
            }),
            Entry::MovedIn { came, from, content } => came.fact(from, |message_id, _| Fact::MovedIn {
                message_id,
                content: content.into(),
            }),
            Entry::Purged { at, messages } => {
                let messages = usize::try_from(messages).unwrap_or(usize::MAX);
                of_queue(at, Fact::Purged { messages })
            }
            Entry::SettingsChanged { at, settings } => {
                let settings = Box::new(settings.into());
                of_queue(at, Fact::SettingsChanged { settings })
            }
            Entry::QueueDeleted { at } => of_queue(at, Fact::QueueDeleted),
            Entry::Queue(queue) => return Self::Queue(queue.into()),
            Entry::Tags(tags) => {
                let owned = tags.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned()));
                return Self::Tags(owned.collect());
            }
            Entry::Message(message) => return Self::Message(message.into()),
            Entry::Remembered(send) => return Self::Remembered(send.into()),
            Entry::Task(task) => return Self::Task(task.into()),
            Entry::Service(service) => return Self::Service(service.into()),
            Entry::Opened { epoch, at } => {
                let at = Timestamp::from_millis(at);
                return Self::Opened { epoch, at };
            }
            Entry::NameDeleted { name, at } => {
                let (name, at) = (name.to_owned(), Timestamp::from_millis(at));
                return Self::NameDeleted { name, at };
            }
        })
    }
}

impl Came {
    #[inline]
    fn of(entry: &FactEntry, message_id: MessageId) -> Self {
        Self {
            at: entry.at.as_millis(),
            sequence: entry.place.sequence,
            since: entry.place.since,
            slot: entry.place.slot,
            message_id: message_id.to_bytes(),
        }
    }

    fn fact(self, from: Option<From>, fact: impl FnOnce(MessageId, u64) -> Fact) -> FactEntry {
        let place = Place {
            slot: self.slot,
            sequence: self.sequence,
            since: self.since,
        };
        FactEntry {
            number: 0,
            at: Timestamp::from_millis(self.at),
            fact: fact(MessageId::from_bytes(self.message_id), self.at),
            place,
            origin: from.map(|(queue, sequence)| Origin { queue, sequence }),
        }
    }
}

impl Stored {
    #[inline]
    const fn of(entry: &FactEntry) -> Self {
        Self {
            at: entry.at.as_millis(),
            sequence: entry.place.sequence,
        }
    }

    fn fact(self, fact: Fact) -> FactEntry {
        let Self { at, sequence } = self;
        Shown { at, sequence, since: 0 }.fact(fact)
    }
}

impl Shown {
    #[inline]
    const fn of(entry: &FactEntry) -> Self {
        Self {
            at: entry.at.as_millis(),
            sequence: entry.place.sequence,
            since: entry.place.since,
        }
    }

    fn fact(self, fact: Fact) -> FactEntry {
        let place = Place {
            sequence: self.sequence,
            since: self.since,
            ..Place::default()
        };
        FactEntry {
            place,
            ..of_queue(self.at, fact)
        }
    }
}

impl Hidden {
    #[inline]
    const fn of(entry: &FactEntry, invisible_until: Timestamp) -> Self {
        Self {
            at: entry.at.as_millis(),
            sequence: entry.place.sequence,
            since: entry.place.since,
            invisible_for: span(entry.at, invisible_until),
        }
    }

    fn fact(self, fact: impl FnOnce(Timestamp) -> Fact) -> FactEntry {
        let Self {
            at, sequence, since, ..
        } = self;
        Shown { at, sequence, since }.fact(fact(instant(at, self.invisible_for)))
    }
}

fn of_queue(at: u64, fact: Fact) -> FactEntry {
    FactEntry {
        number: 0,
        at: Timestamp::from_millis(at),
        fact,
        place: Place::default(),
        origin: None,
    }
}

/// How long after `at` an instant is. Both directions wrap, so that no instant is lost.
#[inline]
const fn span(at: Timestamp, instant: Timestamp) -> i64 {
    instant.as_millis().wrapping_sub(at.as_millis()) as i64
}

const fn instant(at: u64, span: i64) -> Timestamp {
    Timestamp::from_millis(at.wrapping_add(span as u64))
}
