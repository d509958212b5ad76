//! The limits on what begins: the rate of the runner, and the rate and concurrency of each message group.

use {
    super::{builder::RunnerBuilder, rate_limit::RateLimit},
    crate::backend::MessageQueue,
    std::time::Duration,
};

/// How long before its token a job is received from a queue whose calls take time.
pub(super) const RECEIVE_AHEAD: Duration = Duration::from_secs(1);

impl<Q: MessageQueue, S> RunnerBuilder<Q, S> {
    /// How many jobs the runner may begin in a time; without limit by default.
    ///
    /// A job takes a token when its handler is called, whether it then succeeds or not, and so does each message of a
    /// batch. No message is received before its token is there, or on a queue that is not
    /// [in process](crate::backend::MessageQueue::is_in_process) 1 s before, so that it is not hidden from other
    /// consumers for nothing. A batch waits until it can begin whole; receives then ask for whole batches.
    ///
    /// The receive that finds nothing left waits for a token too, so a runner that ends by itself does so up to one
    /// interval after its last job.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Clock, ManualClock, Queue, worker::{Job, RateLimit, Runner}};
    /// use std::time::Duration;
    ///
    /// let clock = ManualClock::default();
    /// let jobs = Queue::standard("jobs").clock(clock.clone()).build()?;
    /// let _ = jobs.send_batch(["1", "2", "3"])?;
    /// let start = clock.now();
    /// let runner = Runner::builder(&jobs).concurrency(10).rate_limit(RateLimit::per_second(1)).until_none_left();
    /// let runner = runner.each_async(|_: Job| async { Ok::<(), String>(()) })?;
    /// assert_eq!(pollster::block_on(clock.run_until(runner.run()))?.succeeded, 3);
    /// assert_eq!(clock.now().saturating_duration_since(start), Duration::from_secs(3));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub const fn rate_limit(mut self, limit: RateLimit) -> Self {
        self.settings.limits.rate = Some(limit);
        self
    }

    /// How many jobs of each message group the runner may begin in a time, on standard and on FIFO queues; without limit
    /// by default. Messages without a group id are not limited.
    ///
    /// What may not begin yet waits in the backlog, with its lease renewed, up to the
    /// [`group_backlog`](Self::group_backlog), so that one group does not hold up others.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Clock, ManualClock, Queue, SendMessage, worker::{Job, RateLimit, Runner}};
    /// use std::time::Duration;
    ///
    /// let clock = ManualClock::default();
    /// let jobs = Queue::standard("jobs").clock(clock.clone()).build()?;
    /// for customer in ["a", "a", "a", "b"] {
    ///     jobs.send(SendMessage::new("invoice").message_group_id(customer))?;
    /// }
    /// let start = clock.now();
    /// let runner = Runner::builder(&jobs).group_rate_limit(RateLimit::per_second(1)).until_none_left();
    /// let runner = runner.each_async(|_: Job| async { Ok::<(), String>(()) })?;
    /// assert_eq!(pollster::block_on(clock.run_until(runner.run()))?.succeeded, 4);
    /// assert_eq!(clock.now().saturating_duration_since(start), Duration::from_secs(2));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub const fn group_rate_limit(mut self, limit: RateLimit) -> Self {
        self.settings.limits.group_rate = Some(limit);
        self
    }

    /// How many jobs of each message group of a standard queue may be in progress at a time, at least 1; without limit by
    /// default. A batch counts with its messages. Messages without a group id are not limited.
    ///
    /// A FIFO queue has one at a time, or one batch, whatever this says. What may not begin yet waits in the backlog, with
    /// its lease renewed, up to the [`group_backlog`](Self::group_backlog).
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, SendMessage, worker::{BuildRunnerError, Job, Runner}};
    /// use std::sync::atomic::{AtomicUsize, Ordering};
    ///
    /// let jobs = Queue::standard("jobs").build()?;
    /// for _ in 0..10 {
    ///     jobs.send(SendMessage::new("resize").message_group_id("a"))?;
    /// }
    /// let running = AtomicUsize::new(0);
    /// let runner = Runner::builder(&jobs).concurrency(4).group_concurrency(1).until_none_left();
    /// let runner = runner.each(move |_: &Job| {
    ///     assert_eq!(running.fetch_add(1, Ordering::SeqCst), 0);
    ///     running.fetch_sub(1, Ordering::SeqCst);
    ///     Ok::<(), String>(())
    /// })?;
    /// assert_eq!(runner.blocking()?.succeeded, 10);
    ///
    /// let none = Runner::builder(&jobs).group_concurrency(0).each(|_: &Job| Ok::<(), String>(()));
    /// assert_eq!(none.unwrap_err(), BuildRunnerError::GroupConcurrency);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub const fn group_concurrency(mut self, jobs: usize) -> Self {
        self.settings.limits.group_concurrency = Some(jobs);
        self
    }

    /// How many messages that the limits of their groups hold back wait in the backlog; the default is 100, and 1,000
    /// where putting a message off costs a receive, as on Amazon SQS.
    ///
    /// What comes beyond that is put off until its turn, from the group that holds up most: by
    /// [`postpone`](crate::backend::MessageQueue::postpone), and counted as given back. On an embedded queue that is
    /// free. On Amazon SQS each such receive counts, so that a message may go to the dead-letter queue without ever having
    /// been begun: hold more back there, or allow more receives. Without a heartbeat nothing is held back, and all is put off.
    ///
    /// With the rate of its group a message returns when its turn comes, after at most 15 minutes on an embedded queue.
    /// With the concurrency its turn is estimated by how long jobs of the group take, and it returns after at most 5 s,
    /// on Amazon SQS a visibility timeout.
    ///
    /// # Examples
    /// ```
    /// use requeue::{ManualClock, Queue, SendMessage, worker::{Job, RateLimit, Runner}};
    ///
    /// let clock = ManualClock::default();
    /// let jobs = Queue::standard("jobs").clock(clock.clone()).build()?;
    /// for _ in 0..10 {
    ///     jobs.send(SendMessage::new("invoice").message_group_id("a"))?;
    /// }
    /// let runner = Runner::builder(&jobs).group_rate_limit(RateLimit::per_second(1)).group_backlog(4).until_none_left();
    /// let runner = runner.each_async(|_: Job| async { Ok::<(), String>(()) })?;
    /// let report = pollster::block_on(clock.run_until(runner.run()))?;
    /// assert_eq!((report.succeeded, report.given_back), (10, 5));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub const fn group_backlog(mut self, messages: usize) -> Self {
        self.settings.limits.group_backlog = Some(messages);
        self
    }
}
