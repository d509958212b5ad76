//! A failing case as a file: its messages, and every step with its fault.

use {
    super::{
        faults::Fault,
        source::{Step, Strike},
    },
    crate::message::{AttributeContent, MessageAttributeValue, SendMessage},
    std::{fmt, str::FromStr, time::Duration},
};

/// The first line of a file begins with it; a change of the format counts it up.
const VERSION: &str = "requeue schedule 1";

/// What a case is made of, apart from its steps.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Plan {
    /// Of the queue: message ids, sampling.
    pub(super) seed: u64,
    /// Which of the check's queues.
    pub(super) queue: usize,
    /// D14; 1 is strict.
    pub(super) shards: usize,
    pub(super) messages: Vec<SendMessage>,
}

/// The schedule of a failing case, which can be saved as a file and replayed by [`Check::replay`](super::Check::replay).
///
/// As text it is one line per message and step, and begins with the version of the format. A step may name the fault
/// that strikes in it, and how many opportunities for that fault it lets pass first, if any.
///
/// # Examples
/// ```
/// use requeue::testing::CaseSchedule;
///
/// let text = "requeue schedule 1\nqueue 0 seed 7 shards 1\nmessage order-1\nsend 0\nturn 0\nturn 0 CrashBeforeWork\nend 5\n";
/// let schedule: CaseSchedule = text.parse()?;
/// assert_eq!(schedule.to_string(), text);
/// assert!("requeue schedule 9\n".parse::<CaseSchedule>().is_err());
/// # Ok::<(), requeue::testing::ScheduleError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct CaseSchedule {
    pub(super) plan: Plan,
    pub(super) steps: Vec<Step>,
}

/// Why a schedule cannot be parsed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ScheduleError {
    /// It begins with something else, as the schedules of other versions do.
    #[error("the schedule begins with {found:?}, where this version reads {VERSION:?}")]
    #[non_exhaustive]
    Version {
        /// The first line.
        found: String,
    },
    /// It ends before its last line, or that line counts other lines than there are.
    #[error("the schedule is truncated: its last line has to be \"end {lines}\"")]
    #[non_exhaustive]
    Truncated {
        /// The lines there are.
        lines: usize,
    },
    /// A line says nothing that belongs here.
    #[error("line {line} of the schedule cannot be read: {text:?}")]
    #[non_exhaustive]
    Line {
        /// Counted from 1.
        line: usize,
        /// What it says.
        text: String,
    },
    /// It asks for one queue of several, and the check does not have so many.
    #[error("the schedule is for queue {queue}, and the check has {queues}, counted from 0")]
    #[non_exhaustive]
    Queue {
        /// The place of the queue.
        queue: usize,
        /// How many there are.
        queues: usize,
    },
}

impl fmt::Display for CaseSchedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { plan, steps } = self;
        writeln!(f, "{VERSION}")?;
        writeln!(f, "queue {} seed {} shards {}", plan.queue, plan.seed, plan.shards)?;
        for message in &plan.messages {
            writeln!(f, "message {}", Words(message))?;
        }
        for step in steps {
            match step {
                Step::Send { message, .. } => write!(f, "send {message}")?,
                Step::Turn { consumer, .. } => write!(f, "turn {consumer}")?,
                Step::Advance { millis, .. } => write!(f, "advance {millis}")?,
            }
            match step.strike() {
                Some(Strike { fault, passed: 0 }) => writeln!(f, " {fault}")?,
                Some(Strike { fault, passed }) => writeln!(f, " {fault} {passed}")?,
                None => writeln!(f)?,
            }
        }
        writeln!(f, "end {}", 1 + plan.messages.len() + steps.len())
    }
}

/// A message as words: the body, then `group=`, `deduplication=`, `delay=` (milliseconds), `trace=`, and
/// `string:`, `binary:` name, type and value of each attribute.
struct Words<'a>(&'a SendMessage);

impl fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let message = self.0;
        f.write_str(&escape(message.body().as_bytes()))?;
        let texts = [
            ("group", message.get_message_group_id()),
            ("deduplication", message.get_message_deduplication_id()),
            ("trace", message.get_aws_trace_header()),
        ];
        for (key, text) in texts {
            if let Some(text) = text {
                write!(f, " {key}={}", escape(text.as_bytes()))?;
            }
        }
        if let Some(delay) = message.get_delay() {
            write!(f, " delay={}", delay.as_millis())?;
        }
        for (name, value) in message.get_attributes().iter() {
            let (kind, bytes) = match (value.string_value(), value.binary_value()) {
                (Some(text), _) => ("string", text.as_bytes()),
                (None, bytes) => ("binary", bytes.unwrap_or_default()),
            };
            let (name, data_type) = (escape(name.as_bytes()), escape(value.data_type().as_bytes()));
            write!(f, " {kind}={name}:{data_type}:{}", escape(bytes))?;
        }
        Ok(())
    }
}

/// Letters, digits and `-_.` as they are, every other byte as `%` and two hexadecimal digits.
fn escape(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-_.".contains(byte) {
            text.push(char::from(*byte));
        } else {
            text += &format!("%{byte:02x}");
        }
    }
    text
}

fn unescape(text: &str) -> Option<Vec<u8>> {
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text.bytes());
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next()?, rest.next()?].map(|digit| char::from(digit).to_digit(16));
            let [Some(high), Some(low)] = digits else { return None };
            bytes.push((high * 16 + low) as u8);
        } else {
            bytes.push(byte);
        }
    }
    Some(bytes)
}

fn text(word: &str) -> Option<String> {
    String::from_utf8(unescape(word)?).ok()
}

impl FromStr for CaseSchedule {
    type Err = ScheduleError;

    fn from_str(file: &str) -> Result<Self, ScheduleError> {
        let mut lines = file.lines().zip(1..);
        let first = lines.next().map_or("", |it| it.0);
        if first != VERSION {
            let found = first.to_owned();
            return Err(ScheduleError::Version { found });
        }
        let mut lines: Vec<(&str, usize)> = lines.collect();
        let counted = lines.len().saturating_sub(1);
        let end = format!("end {counted}");
        if lines.pop().is_none_or(|(last, _)| last != end) || !file.ends_with('\n') {
            return Err(ScheduleError::Truncated { lines: counted });
        }
        let mut lines = lines.into_iter();
        let unread = |(text, line): (&str, usize)| ScheduleError::Line {
            line,
            text: text.to_owned(),
        };
        let head = lines.next().unwrap_or(("", 2));
        let plan = read_head(head.0).ok_or_else(|| unread(head))?;
        let mut schedule = Self {
            plan,
            steps: Vec::new(),
        };
        for line in lines {
            schedule.read_line(line.0).ok_or_else(|| unread(line))?;
        }
        Ok(schedule)
    }
}

fn read_head(line: &str) -> Option<Plan> {
    let words: Vec<_> = line.split(' ').collect();
    let ["queue", queue, "seed", seed, "shards", shards] = words[..] else {
        return None;
    };
    Some(Plan {
        seed: seed.parse().ok()?,
        queue: queue.parse().ok()?,
        shards: shards.parse().ok().filter(|shards| (1..=100).contains(shards))?,
        messages: Vec::new(),
    })
}

impl CaseSchedule {
    fn read_line(&mut self, line: &str) -> Option<()> {
        let (word, rest) = line.split_once(' ')?;
        if word == "message" {
            self.plan.messages.push(read_message(rest)?);
            return Some(());
        }
        let (number, strike) = match rest.split_once(' ') {
            Some((number, strike)) => (number, Some(read_strike(strike)?)),
            None => (rest, None),
        };
        let step = match word {
            "send" => Step::Send {
                message: number.parse().ok()?,
                strike,
            },
            "turn" => Step::Turn {
                consumer: number.parse().ok()?,
                strike,
            },
            "advance" => Step::Advance {
                millis: number.parse().ok()?,
                strike,
            },
            _ => return None,
        };
        self.steps.push(step);
        Some(())
    }
}

fn read_strike(words: &str) -> Option<Strike> {
    let (fault, passed) = words.split_once(' ').unwrap_or((words, "0"));
    Some(Strike {
        fault: fault.parse::<Fault>().ok()?,
        passed: passed.parse().ok()?,
    })
}

fn read_message(words: &str) -> Option<SendMessage> {
    let mut words = words.split(' ');
    let mut message = SendMessage::new(text(words.next()?)?);
    for word in words {
        let (key, value) = word.split_once('=')?;
        message = match key {
            "group" => message.message_group_id(text(value)?),
            "deduplication" => message.message_deduplication_id(text(value)?),
            "trace" => message.aws_trace_header(text(value)?),
            "delay" => message.delay(Duration::from_millis(value.parse().ok()?)),
            "string" | "binary" => {
                let parts: Vec<_> = value.split(':').collect();
                let [name, data_type, value] = parts[..] else {
                    return None;
                };
                let content = match key {
                    "string" => AttributeContent::from(text(value)?),
                    _ => AttributeContent::from(unescape(value)?),
                };
                message.attribute(text(name)?, MessageAttributeValue::new(text(data_type)?, content))
            }
            _ => return None,
        };
    }
    Some(message)
}
