//! Failures that handlers return, and the policy for their messages.

use {
    crate::backend::Backoff,
    std::{error::Error, fmt, sync::Arc, time::Duration},
};

/// Why a job was not done, and what is to become of its message.
///
/// Every error and every text is a failure by `?` or `into()`, to be treated by the runner's [`FailurePolicy`]; the
/// constructors choose for one message. It is no error itself, so that errors can become one.
///
/// # Examples
/// ```
/// use requeue::worker::{Failure, Job};
/// use std::time::Duration;
///
/// fn resize(job: &Job) -> Result<(), Failure> {
///     let width: u32 = job.body().parse()?; // any error
///     match width {
///         0 => Err(Failure::dead_letter("a width of zero will never work")),
///         1..640 => Err(Failure::retry_after(Duration::from_secs(60), "the small printer is busy")),
///         641.. => Err("too wide".into()), // any text
///         640 => Ok(()),
///     }
/// }
/// # let _: fn(&Job) -> Result<(), Failure> = resize;
/// assert_eq!(Failure::from("too wide").reason(), "too wide");
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Failure {
    reason: Arc<str>,
    verdict: Verdict,
}

/// What is to become of a message that was not done.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Verdict {
    /// What the runner's policy says.
    Policy,
    /// Visible again after so long.
    RetryAfter(Duration),
    DeadLetter,
    Discard,
}

impl Failure {
    /// The message cannot be worked on yet: it is to come back `delay` after the end of the handler, whatever the policy
    /// says. It comes back at the latest 12 h after its receive, the longest that SQS hides a message.
    ///
    /// A postponement is not a failure, and spends no attempt: the message comes back with the receive count of before, as
    /// often as it is postponed. On Amazon SQS every receive counts, this one too.
    ///
    /// # Examples
    /// ```
    /// use requeue::worker::Failure;
    /// use std::time::Duration;
    ///
    /// let failure = Failure::retry_after(Duration::from_secs(60), "the printer is busy");
    /// assert_eq!(failure.reason(), "the printer is busy");
    /// ```
    #[must_use]
    pub fn retry_after(delay: Duration, reason: impl fmt::Display) -> Self {
        Self::new(reason, Verdict::RetryAfter(delay))
    }

    /// The message is to go to the dead-letter queue at once.
    ///
    /// If that fails, because there is none, the message is left to its visibility timeout, and the runner reports it.
    ///
    /// # Examples
    /// ```
    /// use requeue::worker::Failure;
    /// assert_eq!(Failure::dead_letter("not a number").reason(), "not a number");
    /// ```
    #[must_use]
    pub fn dead_letter(reason: impl fmt::Display) -> Self {
        Self::new(reason, Verdict::DeadLetter)
    }

    /// The message is to be deleted although it was not done.
    ///
    /// # Examples
    /// ```
    /// use requeue::worker::Failure;
    /// assert_eq!(Failure::discard("too old to matter").reason(), "too old to matter");
    /// ```
    #[must_use]
    pub fn discard(reason: impl fmt::Display) -> Self {
        Self::new(reason, Verdict::Discard)
    }

    /// Why.
    ///
    /// # Examples
    /// ```
    /// use requeue::worker::Failure;
    /// assert_eq!(Failure::from("too wide").reason(), "too wide");
    /// ```
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }

    fn new(reason: impl fmt::Display, verdict: Verdict) -> Self {
        Self {
            reason: reason.to_string().into(),
            verdict,
        }
    }

    pub(super) const fn verdict(&self) -> Verdict {
        self.verdict
    }
}

impl<E: Into<Box<dyn Error + Send + Sync>>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::new(error.into(), Verdict::Policy)
    }
}

/// What a handler may fail with: everything that becomes a [`Failure`] by `into()`.
///
/// That is any [`Error`] that is `Send`, `Sync` and `'static`, alone or boxed, any text, and a [`Failure`]; there is
/// nothing to implement.
///
/// # Examples
/// ```
/// use requeue::worker::{Failure, IntoFailure};
///
/// fn reason(error: impl IntoFailure) -> String {
///     let failure: Failure = error.into();
///     failure.reason().to_owned()
/// }
/// assert_eq!(reason("too wide"), "too wide");
/// assert_eq!(reason("x".parse::<u8>().unwrap_err()), "invalid digit found in string");
/// ```
///
/// An error that cannot go to another thread is none of them:
/// ```compile_fail,E0277
/// use requeue::{Queue, worker::{Job, Runner}};
///
/// let jobs = Queue::standard("jobs").build().unwrap();
/// let _ = Runner::builder(&jobs).each(|_: &Job| -> Result<(), Box<dyn std::error::Error>> { Ok(()) });
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the error of a handler",
    label = "this handler fails with `{Self}`",
    note = "a handler may fail with any `std::error::Error + Send + Sync + 'static`, `Box<dyn Error + Send + Sync>`, \
            `&str`, `String` or `requeue::worker::Failure`"
)]
pub trait IntoFailure: Into<Failure> {}

#[diagnostic::do_not_recommend]
impl<E: Into<Failure>> IntoFailure for E {}

/// What becomes of the message of a job that failed, unless the handler chose.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum FailurePolicy {
    /// It comes back when its visibility timeout ends, as on SQS.
    #[default]
    LeaveToTimeout,
    /// It is visible again at once.
    RetryNow,
    /// It comes back after a time that doubles with each failure.
    Backoff(Backoff),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_texts_and_boxes_are_failures_for_the_policy() {
        let errors: [Failure; 3] = [
            "x".parse::<u8>().unwrap_err().into(),
            String::from("text").into(),
            Box::<dyn Error + Send + Sync>::from("boxed").into(),
        ];
        let reasons = errors.each_ref().map(Failure::reason);
        assert_eq!(reasons, ["invalid digit found in string", "text", "boxed"]);
        assert!(errors.iter().all(|failure| failure.verdict() == Verdict::Policy));
    }
}
