//! A failing case as a file: its messages, and every step with its fault.

mod read;
#[cfg(test)]
mod tests;
mod words;
mod write;

pub(super) use words::{Problem, Read, Words, lines};

use {super::source::Step, crate::message::SendMessage};

/// The first line of a file; a change of the format counts it up.
pub(super) const VERSION: &str = "requeue schedule 2";

/// What a case is made of, apart from its steps.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Plan {
    /// Of the queues: message ids, sampling.
    pub(super) seed: u64,
    /// Which combination of the forms of the check's queues.
    pub(super) variant: usize,
    /// D14; 1 is strict.
    pub(super) shards: usize,
    pub(super) messages: Vec<PlannedMessage>,
}

/// A message that a case may send, and where to.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct PlannedMessage {
    pub(super) message: SendMessage,
    /// The place of the queue among those of the check.
    pub(super) queue: usize,
}

/// The schedule of a failing case, which can be saved as a file, edited, and replayed by
/// [`Check::replay`](super::Check::replay).
///
/// As text it begins with the version of the format and ends with `end`; blank lines and what follows a `#` say nothing.
/// Between them is a line for each setting, message and step. Messages, queues, consumers and actions of the check are
/// numbered from 0, in the order in which they are given.
///
/// | line | meaning |
/// |---|---|
/// | `seed 7` | of the queues; 0 if it is left out |
/// | `variant 1` | the combination of the forms of queues that have several; 0 if it is left out |
/// | `shards 10` | servers that a short poll samples, 1 to 100; 1 if it is left out |
/// | `message "5 EUR" to=1 group=ann` | a message that may be sent; `to=`, `group=`, `deduplication=`, `delay=5s`, `trace=`, `string=name:String:value` and `binary=name:Binary:00ff` if it has them |
/// | `send 0` | the producer sends the message |
/// | `turn 1` | the consumer does what is next for it |
/// | `wait 30s` | time passes: a whole number of `d`, `h`, `min`, `s` or `ms` |
/// | `act 0` | the outside world does what the action does |
/// | `run until DeleteFails` | all go on by themselves until the fault has struck |
/// | `run 3` | all go on by themselves for three acts |
///
/// A step may name the [`Fault`](super::Fault) that strikes in it, and how many opportunities for it are let pass first:
/// `turn 1 DeleteFails 2`. Texts are in quotes, with `\"`, `\\`, `\n` and `\u{1F600}` as in Rust; those of letters, digits,
/// `-`, `_` and `.` need none.
///
/// # Examples
/// ```
/// use requeue::testing::CaseSchedule;
///
/// let text = "requeue schedule 2\nseed 7\nmessage \"5 EUR\"\nsend 0\nrun until CrashBeforeDelete\nend\n";
/// let schedule: CaseSchedule = text.parse()?;
/// assert_eq!(schedule.to_string(), text);
/// let error = text.replace("send", "sent").parse::<CaseSchedule>().unwrap_err().to_string();
/// assert!(error.starts_with("line 4 of the schedule: \"sent 0\": expected one of seed,"));
/// # Ok::<(), requeue::testing::ScheduleError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct CaseSchedule {
    pub(super) plan: Plan,
    pub(super) steps: Vec<Step>,
}

/// How many there are of what a schedule names by numbers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extent {
    pub(super) variants: usize,
    pub(super) queues: usize,
    pub(super) consumers: usize,
    pub(super) actions: usize,
}

impl CaseSchedule {
    /// Whether all that it names is there.
    pub(super) fn fits(&self, extent: Extent) -> Result<(), ScheduleError> {
        let check = |what, number, count| {
            if number < count {
                return Ok(());
            }
            Err(ScheduleError::Missing { what, number, count })
        };
        check("variant", self.plan.variant, extent.variants)?;
        for message in &self.plan.messages {
            check("queue", message.queue, extent.queues)?;
        }
        for step in &self.steps {
            match step {
                Step::Turn { consumer, .. } => check("consumer", *consumer, extent.consumers)?,
                Step::Action { action, .. } => check("action", *action, extent.actions)?,
                Step::Send { .. } | Step::Advance { .. } | Step::RunUntil { .. } | Step::RunFor { .. } => {}
            }
        }
        Ok(())
    }
}

/// Why a schedule cannot be parsed or replayed.
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
    /// It ends before its last line.
    #[error("the schedule is truncated: its last line has to be \"end\"")]
    Truncated,
    /// A line says nothing that belongs here.
    #[error("line {line} of the schedule: {text:?}: expected {expected}{}", behind(*.column))]
    #[non_exhaustive]
    Line {
        /// Counted from 1.
        line: usize,
        /// Where in it the mistake begins, in characters, counted from 1.
        column: usize,
        /// What it says, or the beginning of it.
        text: String,
        /// What belongs there.
        expected: String,
    },
    /// It names something that the check does not have, by a number.
    #[error("the schedule names {what} {number}, and the check has {count}, counted from 0")]
    #[non_exhaustive]
    Missing {
        /// `variant`, `queue`, `consumer` or `action`.
        what: &'static str,
        /// Its number.
        number: usize,
        /// How many there are.
        count: usize,
    },
}

/// Where in a line something was expected, unless that is its beginning.
fn behind(column: usize) -> String {
    match column {
        1 => String::new(),
        column => format!(" at column {column}"),
    }
}
