//! What a check finds: a property that does not hold.

use std::fmt;

/// Something that must hold, built into a check or named by the user.
///
/// # Examples
/// ```
/// # use {proptest::strategy::Just, requeue::{Queue, testing::{Consumer, Property, check}}};
/// let error = check("jobs", || ())
///     .queue(|| Queue::standard("jobs"))
///     .messages(Just("job"))
///     .consumer("c", |_| Consumer::each(|_, _| Ok::<_, String>(())))
///     .finally("nothing is sent", |(), messages| messages.is_empty())
///     .run()
///     .unwrap_err();
/// let violation = &error.failure().unwrap().violation;
/// assert_eq!(violation.property, Property::Invariant("nothing is sent".to_owned()));
/// assert_eq!(violation.to_string(), "it does not hold that nothing is sent");
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Property {
    /// A message is deleted only if a consumer has finished it, by answering `Ok`.
    ///
    /// Of a consumer that died in [`Context::delete`](super::Context::delete) it is taken for granted, as of a batch that
    /// died after it had deleted some of its messages.
    DeletedByWhoFinished,
    /// No message disappears without having been deleted, dead-lettered or expired.
    NoneDisappears,
    /// A message is dead-lettered after exactly its allowed receives, unless a consumer gave it up. Receives that were
    /// released or postponed do not count.
    DeadLetteredAfterAllowedReceives,
    /// No message is dead-lettered without a failure of its own: before that a handler was given it.
    ///
    /// A consumer breaks it that receives ahead and leaves what it has not begun until its receives are used up, for
    /// example behind a failure in its group. [`Context::release`](super::Context::release) takes such a receive back. Of
    /// a batch that gives fewer answers than it has messages, the first without an answer counts as failed, and those after
    /// it as not begun. A message is excused if a fault struck who had it, a call for it or a call of the same handler, if
    /// somebody outside the check received it, and if a consumer reported its failure.
    NoDeadLetterWithoutFailure,
    /// FIFO: no two handlers work on a group at once.
    OneHandlerPerGroup,
    /// FIFO: no message is worked on before its predecessor in the group is settled or was finished.
    PredecessorsFirst,
    /// What the kit acknowledges is not deleted before its handler returned.
    NoDeleteBeforeReturn,
    /// No handler works on a message that it no longer holds, as far as it can know.
    HoldsWhatItWorksOn,
    /// Every handler finishes.
    EveryHandlerFinishes,
    /// No message expires that consumers receive, and neither finish nor let become a dead letter:
    /// [`none_expires`](super::Check::none_expires).
    NoneExpires,
    /// No handler, no factory of consumers and no destructor of theirs panics.
    NoConsumerPanics,
    /// The user's invariant of this name.
    Invariant(String),
}

/// A property that did not hold, and how.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Violation {
    /// The property.
    pub property: Property,
    /// In a sentence.
    pub sentence: String,
}

impl Violation {
    pub(super) fn new(property: Property, sentence: impl Into<String>) -> Self {
        let sentence = sentence.into();
        Self { property, sentence }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}
