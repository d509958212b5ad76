//! [`Budget`], the most that a queue may store.

use {
    crate::error::BudgetLimit,
    std::ops::{Add, Sub},
};

/// An optional limit of what a queue stores; SQS has none.
///
/// A message counts from its send until it is deleted, expires or moves away, whatever its phase. A
/// [`Permit`](crate::Permit) counts until it is used or dropped. Dead-letter moves and move tasks are never refused:
/// they bring messages that are stored already.
///
/// Senders that wait for capacity are served strictly in the order in which they came, whatever their size, so that small
/// messages do not keep a large one out for ever; a send that would go ahead of them is refused or waits too. Capacity
/// belongs to the next in line from the moment it is made. A future that is woken and not polled keeps that capacity until
/// its wait is over; others behind it are let in as far as there is more. Capacity for several wakes up to 32 futures a
/// step, which store their messages in the order in which they are polled.
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
    /// assert_eq!(jobs.counts().visible, 1_000);
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

    #[inline]
    pub(super) const fn is_limited(&self) -> bool {
        self.messages.is_some() || self.bytes.is_some()
    }

    /// Whether the size of messages does not matter.
    pub(super) const fn has_no_bytes(&self) -> bool {
        self.bytes.is_none()
    }

    /// The limit that one message of `size` bytes beside what is `taken` would break.
    pub(super) fn broken_by(&self, taken: Amount, size: usize) -> Option<BudgetLimit> {
        match (self.messages, self.bytes) {
            // Told first, because waiting does not help.
            (_, Some(limit)) if size > limit => Some(BudgetLimit::Bytes(limit)),
            (Some(limit), _) if taken.messages >= limit => Some(BudgetLimit::Messages(limit)),
            (_, Some(limit)) if taken.bytes + size as u128 > limit as u128 => Some(BudgetLimit::Bytes(limit)),
            _ => None,
        }
    }
}

/// An amount of messages and their bytes. Sums never overflow: a budget of `usize::MAX` bytes is allowed, and so is
/// any number of senders that each ask for as much.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Amount {
    pub(super) messages: usize,
    pub(super) bytes: u128,
}

impl Amount {
    pub(super) const fn of_one(size: usize) -> Self {
        Self {
            messages: 1,
            bytes: size as u128,
        }
    }
}

impl Add for Amount {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            messages: self.messages + other.messages,
            bytes: self.bytes + other.bytes,
        }
    }
}

impl Sub for Amount {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self {
            messages: self.messages - other.messages,
            bytes: self.bytes - other.bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_broken_by_one_more_than_it_allows() {
        let budget = Budget::new().messages(3).bytes(100);
        let taken = |messages, bytes| Amount { messages, bytes };
        assert_eq!(budget.broken_by(taken(2, 90), 10), None);
        assert_eq!(budget.broken_by(taken(3, 0), 1), Some(BudgetLimit::Messages(3)));
        assert_eq!(budget.broken_by(taken(2, 90), 11), Some(BudgetLimit::Bytes(100)));
        assert_eq!(Budget::new().broken_by(taken(usize::MAX, u128::MAX), usize::MAX), None);
        let huge = Budget::new().bytes(usize::MAX);
        assert_eq!(
            huge.broken_by(Amount::of_one(usize::MAX), 1),
            Some(BudgetLimit::Bytes(usize::MAX))
        );
    }
}
