//! Batches: their size and window, and the answer of a batch handler (E17-E20).

use {
    super::failure::{Failure, IntoFailure},
    crate::backend::ReceivedMessage,
    std::{
        collections::{BTreeMap, BTreeSet},
        time::Duration,
    },
};

/// The size and window of the batches of a batch handler.
///
/// The handler gets a batch once it has `size` messages, or its window has passed since its first one, or its bodies
/// and attributes come to 6 MB; without a window, with what there is (E17). The window is best effort: a receive
/// that waits ends by it, to the precision of the queue.
///
/// # Examples
/// ```
/// use requeue::worker::BatchSettings;
/// use std::time::Duration;
///
/// let settings = BatchSettings::new(500).window(Duration::from_secs(5));
/// assert_eq!(settings.size, 500);
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct BatchSettings {
    /// The largest number of messages: 1 to 10,000, more than 10 only with a window of at least 1 s; on a FIFO queue 1 to 10.
    pub size: usize,
    /// How long to wait for more: 0 s to 300 s; on a FIFO queue 0 s.
    pub window: Duration,
}

impl BatchSettings {
    /// Batches of at most `size` messages, without a window.
    ///
    /// # Examples
    /// ```
    /// use requeue::worker::BatchSettings;
    /// assert!(BatchSettings::new(10).window.is_zero());
    /// ```
    #[must_use]
    pub const fn new(size: usize) -> Self {
        Self {
            size,
            window: Duration::ZERO,
        }
    }

    /// Waits this long for more messages, counted from the first.
    ///
    /// # Examples
    /// ```
    /// use requeue::worker::BatchSettings;
    /// use std::time::Duration;
    ///
    /// assert_eq!(BatchSettings::new(10).window(Duration::from_secs(1)).window.as_secs(), 1);
    /// ```
    #[must_use]
    pub const fn window(mut self, window: Duration) -> Self {
        self.window = window;
        self
    }
}

impl Default for BatchSettings {
    /// Batches of ten, without a window, as AWS Lambda has it.
    fn default() -> Self {
        Self::new(10)
    }
}

/// What a batch handler answers: which messages failed (E20).
///
/// What it does not name has succeeded. An answer with an id that is empty or not in the batch is taken as a failure of
/// the whole batch, as AWS Lambda does.
///
/// # Source
/// [Partial batch responses](https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html).
///
/// # Examples
/// ```
/// use requeue::{Queue, worker::{BatchAnswer, BatchSettings, Job, Runner}};
///
/// let jobs = Queue::standard("jobs").build()?;
/// let _ = jobs.send_batch(["1", "two", "3"])?;
/// let runner = Runner::builder(&jobs).until_none_visible().batch(BatchSettings::default(), |batch: &[Job]| {
///     let mut answer = BatchAnswer::success();
///     for job in batch {
///         if let Err(error) = job.body().parse::<u32>() {
///             answer = answer.fail(job, error);
///         }
///     }
///     answer
/// })?;
/// let report = runner.blocking()?;
/// assert_eq!((report.succeeded, report.failed), (2, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[must_use = "what the answer does not name has succeeded"]
pub struct BatchAnswer {
    pub(super) failures: BTreeMap<String, Failure>,
    pub(super) all: Option<Failure>,
}

impl BatchAnswer {
    /// All have succeeded.
    ///
    /// # Examples
    /// ```
    /// use requeue::worker::BatchAnswer;
    /// assert!(BatchAnswer::success().is_success());
    /// ```
    pub const fn success() -> Self {
        Self {
            failures: BTreeMap::new(),
            all: None,
        }
    }

    /// All have failed.
    ///
    /// # Examples
    /// ```
    /// use requeue::worker::BatchAnswer;
    /// assert!(!BatchAnswer::failure("the database is down").is_success());
    /// ```
    pub fn failure(failure: impl IntoFailure) -> Self {
        Self {
            failures: BTreeMap::new(),
            all: Some(failure.into()),
        }
    }

    /// This message has failed.
    ///
    /// # Examples
    /// ```
    /// use requeue::{worker::BatchAnswer, backend::{MessageParts, ReceivedMessage}};
    ///
    /// let message = ReceivedMessage::from(MessageParts { message_id: "m1".to_owned(), ..MessageParts::default() });
    /// assert!(!BatchAnswer::success().fail(&message, "too wide").is_success());
    /// ```
    pub fn fail(self, message: &ReceivedMessage, failure: impl IntoFailure) -> Self {
        self.fail_id(message.message_id(), failure)
    }

    /// The message of this id has failed: an `itemIdentifier` of `batchItemFailures`.
    ///
    /// # Examples
    /// ```
    /// use requeue::worker::BatchAnswer;
    ///
    /// let answer = BatchAnswer::success().fail_id("5fea7756-0ea4-451a-a703-a558b933e274", "too wide");
    /// assert!(!answer.is_success());
    /// ```
    pub fn fail_id(mut self, message_id: impl Into<String>, failure: impl IntoFailure) -> Self {
        self.failures.insert(message_id.into(), failure.into());
        self
    }

    /// Whether no message failed.
    ///
    /// # Examples
    /// ```
    /// use requeue::worker::BatchAnswer;
    /// assert!(!BatchAnswer::success().fail_id("m1", "too wide").is_success());
    /// ```
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.failures.is_empty() && self.all.is_none()
    }

    /// The failure of each message, in the order of the batch.
    pub(super) fn sort_out<'m>(
        self,
        ids: impl ExactSizeIterator<Item = std::borrow::Cow<'m, str>>,
    ) -> Vec<Option<Failure>> {
        let count = ids.len();
        if let Some(failure) = self.all {
            return vec![Some(failure); count];
        }
        let mut unknown: BTreeSet<&str> = self.failures.keys().map(String::as_str).collect();
        let answers = ids.map(|id| {
            unknown.remove(&*id);
            // A standard queue may deliver a message twice, and it fails in both places.
            self.failures.get(&*id).cloned()
        });
        let answers: Vec<_> = answers.collect();
        match unknown.first() {
            None => answers,
            Some(unknown) => {
                let reason = format!("the answer names {unknown:?}, which is not in the batch");
                vec![Some(Failure::from(reason)); count]
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::borrow::Cow;

    fn sorted(answer: BatchAnswer) -> [Option<String>; 2] {
        let ids = ["m1", "m2"].into_iter().map(Cow::Borrowed);
        let failures = answer.sort_out(ids).into_iter();
        let reasons: Vec<_> = failures.map(|it| it.map(|it| it.reason().to_owned())).collect();
        reasons.try_into().unwrap()
    }

    #[test]
    fn a_message_that_is_twice_in_the_batch_fails_in_both_places() {
        let ids = ["m1", "m2", "m1"].into_iter().map(Cow::Borrowed);
        let failures = BatchAnswer::success().fail_id("m1", "x").sort_out(ids);
        let failed: Vec<_> = failures.iter().map(Option::is_some).collect();
        assert_eq!(failed, [true, false, true]);
    }

    #[test]
    fn what_is_not_named_succeeded_and_a_name_of_nobody_fails_all() {
        // E20
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(sorted(BatchAnswer::success()), [None, None]);
        assert_eq!(sorted(BatchAnswer::success().fail_id("m2", "x")), [None, some("x")]);
        assert_eq!(sorted(BatchAnswer::failure("all")), [some("all"), some("all")]);
        let unknown = some("the answer names \"m3\", which is not in the batch");
        assert_eq!(
            sorted(BatchAnswer::success().fail_id("m1", "x").fail_id("m3", "y")),
            [unknown.clone(), unknown]
        );
        assert!(
            sorted(BatchAnswer::success().fail_id("", "y"))
                .iter()
                .all(Option::is_some)
        );
    }
}
