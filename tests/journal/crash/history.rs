//! What a child reports: each call before it is made, and its answer afterwards. One report is one line of text, written
//! at once, so that a killed child leaves whole lines.

use std::fmt;

/// A message as it is sent. Its key is the beginning of its body, and no other message has it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Draft {
    pub(crate) key: String,
    /// The group of a FIFO message; its key is its deduplication id.
    pub(crate) group: Option<String>,
    /// In milliseconds.
    pub(crate) delay: u64,
}

/// A message that a thread holds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Held {
    pub(crate) key: String,
    /// The receive count of the reception.
    pub(crate) count: u32,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Call {
    Send {
        queue: String,
        drafts: Vec<Draft>,
    },
    Receive {
        queue: String,
    },
    Delete {
        queue: String,
        messages: Vec<Held>,
    },
    Hide {
        queue: String,
        messages: Vec<Held>,
    },
    DeadLetter {
        queue: String,
        message: Held,
    },
    /// Gives it back as if it had not been received.
    Release {
        queue: String,
        message: Held,
    },
    /// A move task from the dead-letter queue back to the source.
    Move,
    /// Sets the tag to this value.
    Tag {
        value: u64,
    },
}

/// A message that was received.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Received {
    pub(crate) key: String,
    pub(crate) id: String,
    pub(crate) count: u32,
    pub(crate) until: u64,
    pub(crate) handle: String,
    pub(crate) sequence: Option<u128>,
}

/// What became of one message of a call; nothing if it was refused.
pub(crate) type Outcome<T> = Option<T>;

#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Answer {
    /// Ids and sequence numbers.
    Sent(Vec<Outcome<(String, Option<u128>)>>),
    Received(Vec<Received>),
    /// Whether the message was still held under this reception when the call had returned. If not, it may have been
    /// somewhere else already, and the call done nothing.
    Settled(Vec<Outcome<bool>>),
    /// The same, and the earliest and the latest end of the visibility timeout.
    Hidden(Vec<Outcome<(bool, u64, u64)>>),
    Done,
    Refused(String),
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Report {
    /// A thread is about to call at this time.
    Call {
        thread: usize,
        now: u64,
        call: Call,
    },
    /// The open call of a thread has returned, and it is not earlier than this.
    Answer {
        thread: usize,
        now: u64,
        answer: Answer,
    },
    /// The clock may show this from now on.
    Clock(u64),
    Opening,
    /// Something that the child does over and over while it opens.
    Tick,
    Opened,
    /// The numbers of the first and the last segment have changed.
    Segments(u64, u64),
}

/// Marks the lines that are reports.
const MARK: &str = "@";
const NONE: &str = "-";

fn or_none<T: fmt::Display>(value: &Option<T>) -> String {
    value.as_ref().map_or_else(|| NONE.to_owned(), T::to_string)
}

fn held(messages: &[Held]) -> Vec<String> {
    messages.iter().map(|it| format!("{},{}", it.key, it.count)).collect()
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Send { queue, drafts } => {
                let draft = |it: &Draft| format!("{},{},{}", it.key, or_none(&it.group), it.delay);
                let drafts: Vec<_> = drafts.iter().map(draft).collect();
                write!(f, "send {queue} {}", drafts.join(" "))
            }
            Self::Receive { queue } => write!(f, "receive {queue}"),
            Self::Delete { queue, messages } => write!(f, "delete {queue} {}", held(messages).join(" ")),
            Self::Hide { queue, messages } => write!(f, "hide {queue} {}", held(messages).join(" ")),
            Self::DeadLetter { queue, message } => {
                write!(f, "dead {queue} {}", held(std::slice::from_ref(message)).join(" "))
            }
            Self::Release { queue, message } => {
                write!(f, "release {queue} {}", held(std::slice::from_ref(message)).join(" "))
            }
            Self::Move => f.write_str("move"),
            Self::Tag { value } => write!(f, "tag {value}"),
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn all<T>(items: &[T], text: impl Fn(&T) -> String) -> String {
            items.iter().map(text).collect::<Vec<_>>().join(" ")
        }
        match self {
            Self::Sent(items) => {
                let text = all(items, |it| match it {
                    Some((id, sequence)) => format!("{id},{}", or_none(sequence)),
                    None => NONE.to_owned(),
                });
                write!(f, "sent {text}")
            }
            Self::Received(items) => {
                let text = all(items, |it| {
                    let (key, id, count, until, handle) = (&it.key, &it.id, it.count, it.until, &it.handle);
                    format!("{key},{id},{count},{until},{handle},{}", or_none(&it.sequence))
                });
                write!(f, "received {text}")
            }
            Self::Settled(items) => write!(f, "settled {}", all(items, or_none)),
            Self::Hidden(items) => {
                let text = all(items, |it| match it {
                    Some((sure, low, high)) => format!("{sure},{low},{high}"),
                    None => NONE.to_owned(),
                });
                write!(f, "hidden {text}")
            }
            Self::Done => f.write_str("done"),
            Self::Refused(text) => write!(f, "refused {}", text.replace('\n', " ")),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call { thread, now, call } => write!(f, "{MARK} call {thread} {now} {call}"),
            Self::Answer { thread, now, answer } => write!(f, "{MARK} answer {thread} {now} {answer}"),
            Self::Clock(to) => write!(f, "{MARK} clock {to}"),
            Self::Opening => write!(f, "{MARK} opening"),
            Self::Tick => write!(f, "{MARK} tick"),
            Self::Opened => write!(f, "{MARK} opened"),
            Self::Segments(first, last) => write!(f, "{MARK} segments {first} {last}"),
        }
    }
}

/// Reads one item per word; none if one of them cannot be read.
fn items<'a, T>(words: impl Iterator<Item = &'a str>, read: impl Fn(&[&str]) -> Option<T>) -> Option<Vec<T>> {
    words
        .filter(|word| !word.is_empty())
        .map(|word| read(&word.split(',').collect::<Vec<_>>()))
        .collect()
}

fn optional<T: std::str::FromStr>(word: &str) -> Option<Option<T>> {
    match word {
        NONE => Some(None),
        word => word.parse().ok().map(Some),
    }
}

fn read_held(parts: &[&str]) -> Option<Held> {
    let [key, count] = parts else { return None };
    Some(Held {
        key: (*key).to_owned(),
        count: count.parse().ok()?,
    })
}

impl Call {
    fn read(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let verb = words.next()?;
        if verb == "move" {
            return Some(Self::Move);
        }
        let queue = words.next()?.to_owned();
        Some(match verb {
            "send" => {
                let draft = |parts: &[&str]| {
                    let [key, group, delay] = parts else { return None };
                    Some(Draft {
                        key: (*key).to_owned(),
                        group: optional(group)?,
                        delay: delay.parse().ok()?,
                    })
                };
                let drafts = items(words, draft)?;
                Self::Send { queue, drafts }
            }
            "receive" => Self::Receive { queue },
            "delete" => Self::Delete {
                queue,
                messages: items(words, read_held)?,
            },
            "hide" => Self::Hide {
                queue,
                messages: items(words, read_held)?,
            },
            "dead" => Self::DeadLetter {
                queue,
                message: items(words, read_held)?.pop()?,
            },
            "release" => Self::Release {
                queue,
                message: items(words, read_held)?.pop()?,
            },
            "tag" => Self::Tag {
                value: queue.parse().ok()?,
            },
            _ => return None,
        })
    }
}

impl Answer {
    fn read(text: &str) -> Option<Self> {
        let (verb, rest) = text.split_once(' ').unwrap_or((text, ""));
        let words = rest.split(' ');
        Some(match verb {
            "sent" => Self::Sent(items(words, |parts| match parts {
                [NONE] => Some(None),
                [id, sequence] => Some(Some(((*id).to_owned(), optional(sequence)?))),
                _ => None,
            })?),
            "received" => Self::Received(items(words, |parts| {
                let [key, id, count, until, handle, sequence] = parts else {
                    return None;
                };
                Some(Received {
                    key: (*key).to_owned(),
                    id: (*id).to_owned(),
                    count: count.parse().ok()?,
                    until: until.parse().ok()?,
                    handle: (*handle).to_owned(),
                    sequence: optional(sequence)?,
                })
            })?),
            "settled" => Self::Settled(items(words, |parts| optional(parts.first()?))?),
            "hidden" => Self::Hidden(items(words, |parts| match parts {
                [NONE] => Some(None),
                [sure, low, high] => Some(Some((sure.parse().ok()?, low.parse().ok()?, high.parse().ok()?))),
                _ => None,
            })?),
            "done" => Self::Done,
            "refused" => Self::Refused(rest.to_owned()),
            _ => return None,
        })
    }
}

impl Report {
    /// The report in a line; none in what something else has printed.
    pub(crate) fn read(line: &str) -> Option<Self> {
        let (mark, text) = line.trim_end_matches('\n').split_once(' ')?;
        if mark != MARK {
            return None;
        }
        let (verb, rest) = text.split_once(' ').unwrap_or((text, ""));
        let of_thread = || {
            let mut parts = rest.splitn(3, ' ');
            let (thread, now) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
            Some((thread, now, parts.next()?))
        };
        Some(match verb {
            "call" => {
                let (thread, now, call) = of_thread()?;
                let call = Call::read(call)?;
                Self::Call { thread, now, call }
            }
            "answer" => {
                let (thread, now, answer) = of_thread()?;
                let answer = Answer::read(answer)?;
                Self::Answer { thread, now, answer }
            }
            "clock" => Self::Clock(rest.parse().ok()?),
            "opening" => Self::Opening,
            "tick" => Self::Tick,
            "opened" => Self::Opened,
            "segments" => {
                let (first, last) = rest.split_once(' ')?;
                Self::Segments(first.parse().ok()?, last.parse().ok()?)
            }
            _ => return None,
        })
    }
}

#[test]
fn a_report_is_read_as_it_was_written() {
    let text = |text: &str| text.to_owned();
    let held = |key: &str| Held {
        key: text(key),
        count: 3,
    };
    let queue = text("orders.fifo");
    let (first, second) = (
        Draft {
            key: text("a"),
            ..Draft::default()
        },
        Draft {
            key: text("b"),
            group: Some(text("g")),
            delay: 5,
        },
    );
    let received = Received {
        key: text("a"),
        id: text("id"),
        count: 2,
        until: 77,
        handle: text("AQEB+/="),
        sequence: Some(1 << 70),
    };
    let calls = [
        Call::Send {
            queue: queue.clone(),
            drafts: vec![first, second],
        },
        Call::Receive { queue: queue.clone() },
        Call::Delete {
            queue: queue.clone(),
            messages: vec![held("a"), held("b")],
        },
        Call::Hide {
            queue: queue.clone(),
            messages: vec![held("a")],
        },
        Call::DeadLetter {
            queue,
            message: held("a"),
        },
        Call::Release {
            queue: text("work"),
            message: held("a"),
        },
        Call::Move,
        Call::Tag { value: 7 },
    ];
    let answers = [
        Answer::Sent(vec![None, Some((text("id"), None)), Some((text("id"), Some(1 << 70)))]),
        Answer::Received(vec![received]),
        Answer::Received(Vec::new()),
        Answer::Settled(vec![None, Some(true), Some(false)]),
        Answer::Hidden(vec![None, Some((true, 1, 2))]),
        Answer::Done,
        Answer::Refused(text("no such thing: a b")),
    ];
    let calls = calls.into_iter().map(|call| Report::Call {
        thread: 1,
        now: 2,
        call,
    });
    let answers = answers.into_iter().map(|answer| Report::Answer {
        thread: 1,
        now: 2,
        answer,
    });
    let others = [
        Report::Clock(9),
        Report::Opening,
        Report::Tick,
        Report::Opened,
        Report::Segments(1, 2),
    ];
    for report in calls.chain(answers).chain(others) {
        assert_eq!(Report::read(&format!("{report}\n")), Some(report));
    }
    assert_eq!(Report::read("running 1 test"), None);
}
