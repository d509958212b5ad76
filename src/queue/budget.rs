//! How much a queue may hold.

use crate::error::BudgetLimit;

/// An optional limit of what a queue stores; SQS has none.
///
/// A message counts from its send until it is deleted, expires or moves away, whatever its phase. Dead-letter moves
/// and move tasks are never refused: they bring messages that are stored already.
///
/// # Examples
/// ```
/// use requeue::{Budget, Queue, SendError};
///
/// let jobs = Queue::standard("jobs").budget(Budget::new().messages(1)).build()?;
/// jobs.send("one")?;
/// let Err(SendError::QueueFull { message, .. }) = jobs.send("two") else { panic!("it fitted") };
/// assert_eq!(message.body(), "two");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Budget {
    messages: Option<usize>,
    bytes: Option<usize>,
}

impl Budget {
    /// No limit.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Budget, Queue};
    /// let jobs = Queue::standard("jobs").budget(Budget::new()).build()?;
    /// for number in 0..1_000 {
    ///     jobs.send(format!("resize {number}.png"))?;
    /// }
    /// assert_eq!(jobs.counts().approximate_number_of_messages, 1_000);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        Self {
            messages: None,
            bytes: None,
        }
    }

    /// At most this many messages; 0 refuses every send.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Budget, Queue};
    /// let jobs = Queue::standard("jobs").budget(Budget::new().messages(1)).build()?;
    /// jobs.send("resize cat.png")?;
    /// let message = &jobs.receive().blocking()?[0];
    /// assert_eq!(jobs.send("resize dog.png").unwrap_err().code(), "OverLimit"); // in flight is stored too
    /// message.delete()?;
    /// assert!(jobs.send("resize dog.png").is_ok());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn messages(mut self, messages: usize) -> Self {
        self.messages = Some(messages);
        self
    }

    /// At most this many bytes of bodies and user attributes, counted as SQS counts the size of a message (M6).
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Budget, Queue};
    /// let jobs = Queue::standard("jobs").budget(Budget::new().bytes(20)).build()?;
    /// jobs.send("resize cat.png")?; // 14 bytes
    /// assert_eq!(jobs.send("cat.png").unwrap_err().code(), "OverLimit");
    /// assert!(jobs.send("my.png").is_ok());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn bytes(mut self, bytes: usize) -> Self {
        self.bytes = Some(bytes);
        self
    }

    /// The limit that one message of `size` bytes more would break.
    pub(super) fn broken_by(&self, messages: usize, bytes: usize, size: usize) -> Option<BudgetLimit> {
        match (self.messages, self.bytes) {
            (Some(limit), _) if messages >= limit => Some(BudgetLimit::Messages(limit)),
            (_, Some(limit)) if bytes.saturating_add(size) > limit => Some(BudgetLimit::Bytes(limit)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_broken_by_one_more_than_it_allows() {
        let budget = Budget::new().messages(3).bytes(100);
        assert_eq!(budget.broken_by(2, 90, 10), None);
        assert_eq!(budget.broken_by(3, 0, 1), Some(BudgetLimit::Messages(3)));
        assert_eq!(budget.broken_by(2, 90, 11), Some(BudgetLimit::Bytes(100)));
        assert_eq!(Budget::new().broken_by(usize::MAX, usize::MAX, usize::MAX), None);
    }
}
