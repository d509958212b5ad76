//! [`Permit`], reserved capacity for a message that is sent later.

use {
    super::{
        Inner, Queue, Verb,
        admission::RoomWait,
        send::Shortage,
        senders::Caller,
        waiting::{Attempt, Step, Waiting, block_on},
    },
    crate::{
        clock::Clock,
        error::{ReserveError, SendError},
        message::SendMessage,
        state::Sent,
    },
    std::{
        fmt,
        future::Future,
        pin::Pin,
        sync::Arc,
        task::{Context, Poll, Waker},
        time::Duration,
    },
};

impl Queue {
    /// Reserves capacity for one message of up to `bytes` bytes, blocking up to `wait` for it.
    ///
    /// Stands in the same line as [`send_timeout`](Self::send_timeout), but with no message that could be lost if the
    /// wait is given up. `bytes` counts as [`SendMessage::size_bytes`] does, and matters only with a
    /// [`Budget`](crate::Budget) of bytes. A queue without a budget never waits; a wait of zero asks once.
    ///
    /// # Errors
    /// `QueueDoesNotExist`; [`QueueFull`](ReserveError::QueueFull) when the wait is over, and at once if not even an
    /// empty queue has that much capacity.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Budget, Queue};
    /// use std::time::Duration;
    ///
    /// let jobs = Queue::standard("jobs").budget(Budget::new().messages(1)).build()?;
    /// let permit = jobs.reserve_timeout(14, Duration::from_secs(5))?;
    /// assert_eq!(jobs.send("resize dog.png").unwrap_err().code(), "OverLimit"); // the room is taken
    /// permit.send("resize cat.png")?;
    /// assert_eq!(jobs.receive().blocking()?[0].body(), "resize cat.png");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn reserve_timeout(&self, bytes: usize, wait: Duration) -> Result<Permit, ReserveError> {
        block_on(&mut Reservation::new(self, bytes, wait, Caller::Thread))
    }

    /// [`reserve_timeout`](Self::reserve_timeout) as a future; dropping it gives up the place in line and nothing else.
    ///
    /// # Errors
    /// As [`reserve_timeout`](Self::reserve_timeout).
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Budget, Queue};
    /// # use std::time::Duration;
    /// # pollster::block_on(async {
    /// let jobs = Queue::standard("jobs").budget(Budget::new().bytes(20)).build()?;
    /// let permit = jobs.reserve_timeout_async(14, Duration::from_secs(5)).await?;
    /// assert!(jobs.send("cat.png").is_err()); // 7 bytes more than 20
    /// drop(permit);
    /// assert!(jobs.send("cat.png").is_ok());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn reserve_timeout_async(&self, bytes: usize, wait: Duration) -> ReserveTimeoutFuture<'_> {
        ReserveTimeoutFuture {
            waiting: Waiting::new(Reservation::new(self, bytes, wait, Caller::Future)),
        }
    }
}

/// Capacity for one message in a queue with a [`Budget`](crate::Budget), from
/// [`Queue::reserve_timeout`] or [`Queue::reserve_timeout_async`].
///
/// Counts as a stored message until it is used or dropped; then the capacity goes to the next sender in line. It keeps the
/// queue alive as a handle does.
///
/// # Examples
/// ```
/// # use requeue::{Budget, Queue};
/// # use std::time::Duration;
/// let jobs = Queue::standard("jobs").budget(Budget::new().messages(1)).build()?;
/// let permit = jobs.reserve_timeout(0, Duration::ZERO)?;
/// assert_eq!(jobs.reserve_timeout(0, Duration::ZERO).unwrap_err().code(), "OverLimit");
/// drop(permit);
/// assert!(jobs.reserve_timeout(0, Duration::ZERO).is_ok());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "dropping a permit gives its room to the next sender"]
pub struct Permit {
    queue: Queue,
    bytes: usize,
    used: bool,
}

impl Permit {
    /// Sends a message with the capacity of this permit; see [`Queue::send`].
    ///
    /// With a budget of bytes, a smaller message gives back the rest. For a larger one the permit counts for nothing: it
    /// is sent if the queue has capacity for all of it.
    ///
    /// # Errors
    /// As [`Queue::send`]; [`QueueFull`](SendError::QueueFull) only for a message larger than was reserved. The permit
    /// is used up all the same.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Budget, Queue};
    /// # use std::time::Duration;
    /// let jobs = Queue::standard("jobs").budget(Budget::new().bytes(20)).build()?;
    /// let permit = jobs.reserve_timeout(20, Duration::ZERO)?;
    /// permit.send("resize cat.png")?; // 14 bytes
    /// assert!(jobs.send("my.png").is_ok());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn send(mut self, message: impl Into<SendMessage>) -> Result<Sent, SendError> {
        let (inner, message) = (Arc::clone(&self.queue.inner), message.into());
        let size = message.size_bytes();
        let send = || {
            self.used = true;
            inner.send_permitted(message, self.bytes)
        };
        inner.record(Verb::Send, size, send)
    }

    /// [`send`](Self::send) for an async caller.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Budget, Queue};
    /// # use std::time::Duration;
    /// # pollster::block_on(async {
    /// let jobs = Queue::standard("jobs").budget(Budget::new().messages(1)).build()?;
    /// let permit = jobs.reserve_timeout_async(14, Duration::from_secs(5)).await?;
    /// permit.send_async("resize cat.png").await?;
    /// assert_eq!(jobs.counts().visible, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn send_async(mut self, message: impl Into<SendMessage> + Send) -> Result<Sent, SendError> {
        let (inner, message) = (Arc::clone(&self.queue.inner), message.into());
        let size = message.size_bytes();
        let send = || {
            self.used = true;
            inner.send_permitted(message, self.bytes)
        };
        inner.record_async(Verb::Send, size, send).await
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if !self.used {
            self.queue.inner.return_permit(self.bytes);
        }
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit")
            .field("queue", &self.queue)
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}

impl Inner {
    /// Gives the capacity of a permit to the next in line.
    fn return_permit(&self, bytes: usize) {
        let now = self.clock.now();
        if let Some(mut core) = self.enter() {
            core.senders.release(bytes);
            self.leave(core, now);
        }
    }
}

/// A wait for a permit.
struct Reservation<'queue> {
    queue: &'queue Queue,
    room_wait: RoomWait<'queue>,
    bytes: usize,
}

impl<'queue> Reservation<'queue> {
    const fn new(queue: &'queue Queue, bytes: usize, wait: Duration, caller: Caller) -> Self {
        Self {
            queue,
            room_wait: RoomWait::new(&queue.inner, wait, caller),
            bytes,
        }
    }
}

impl Attempt for Reservation<'_> {
    type Output = Result<Permit, ReserveError>;

    fn clock(&self) -> &dyn Clock {
        &*self.room_wait.inner.clock
    }

    fn attempt(&mut self, waker: &mut dyn FnMut() -> Waker) -> Step<Self::Output> {
        let (room_wait, inner) = (&mut self.room_wait, &self.queue.inner);
        let Some((now, mut core)) = inner.enter_to_send() else {
            room_wait.place = None;
            return Step::Done(Err(ReserveError::QueueDoesNotExist));
        };
        let may_wait = room_wait.may_wait(now, self.bytes);
        let shortage = core.shortage(inner, now, self.bytes, room_wait.place);
        if let (Some(_), Some(deadline)) = (shortage, may_wait) {
            return Step::Wait(room_wait.park(core, now, waker(), (self.bytes, None), deadline));
        }
        if shortage.is_none() {
            core.senders.promise(self.bytes);
        }
        room_wait.leave(core, now);
        Step::Done(match shortage {
            None => Ok(Permit {
                queue: self.queue.clone(),
                bytes: self.bytes,
                used: false,
            }),
            Some(shortage) => Err(shortage.into()),
        })
    }
}

impl From<Shortage> for ReserveError {
    fn from(shortage: Shortage) -> Self {
        Self::QueueFull {
            messages: shortage.taken.messages,
            bytes: shortage.bytes(),
            size: shortage.size,
            limit: shortage.limit,
        }
    }
}

/// A wait for a permit as a future, for any executor.
#[must_use = "futures do nothing unless polled"]
pub struct ReserveTimeoutFuture<'queue> {
    waiting: Waiting<Reservation<'queue>>,
}

impl Future for ReserveTimeoutFuture<'_> {
    type Output = Result<Permit, ReserveError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.waiting).poll(context)
    }
}

impl fmt::Debug for ReserveTimeoutFuture<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReserveTimeoutFuture").finish_non_exhaustive()
    }
}
