//! The builder of runners, which validates their settings.

use {
    super::{dispatcher::End, event::RunnerEvent, failure::FailurePolicy, handle::RunnerHandle, settings::Settings},
    crate::{
        backend::{MessageQueue, ThreadWrapper},
        clock::Clock,
    },
    std::{fmt, sync::Arc, time::Duration},
};

/// The builder of a runner, from [`Runner::builder`](super::Runner::builder): settings first, then the handler.
///
/// `S` is `()`, or `(T,)` once it has been given a [`state`](Self::state) of type `T`.
#[must_use = "a builder does nothing until it is given a handler"]
#[derive(Clone)]
pub struct RunnerBuilder<Q, S = ()> {
    pub(super) settings: Settings<Q>,
    pub(super) state: S,
}

impl<Q: MessageQueue> RunnerBuilder<Q> {
    pub(super) fn new(queue: Q) -> Self {
        Self {
            settings: Settings::new(queue),
            state: (),
        }
    }

    /// Gives each call of the handler this value beside its job: a pool of connections, a client, what it counts in.
    ///
    /// A function gets a reference, an async function a clone of its own, so an `Arc` or a handle that is cheap to clone is
    /// fit for both. A clone that panics fails its job as a panic of the handler does, and the runner goes on. A
    /// [`Router`](super::Router) is given its state by [`Router::state`](super::Router::state) instead.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, worker::{Job, Runner}};
    /// use std::sync::{Arc, atomic::{AtomicUsize, Ordering::Relaxed}};
    ///
    /// let jobs = Queue::standard("jobs").build()?;
    /// let _ = jobs.send_batch(["cat", "horse"])?;
    /// let letters = Arc::new(AtomicUsize::new(0));
    ///
    /// let runner = Runner::builder(&jobs).state(letters.clone()).until_none_visible();
    /// let runner = runner.each(|job: &Job, letters: &Arc<AtomicUsize>| {
    ///     letters.fetch_add(job.body().len(), Relaxed);
    ///     Ok::<(), String>(())
    /// })?;
    /// assert_eq!(runner.blocking()?.succeeded, 2);
    /// assert_eq!(letters.load(Relaxed), 8);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn state<T>(self, state: T) -> RunnerBuilder<Q, (T,)> {
        RunnerBuilder {
            settings: self.settings,
            state: (state,),
        }
    }
}

impl<Q: MessageQueue, S> RunnerBuilder<Q, S> {
    /// The handle of the runner to be built, for its own handlers; a clone of the builder has another.
    ///
    /// What it is told before the runner is built holds from the beginning.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, worker::{Job, Runner}};
    ///
    /// let jobs = Queue::standard("jobs").build()?;
    /// let _ = jobs.send_batch(["1", "2", "3"])?;
    /// let builder = Runner::builder(&jobs);
    /// let handle = builder.handle();
    /// let runner = builder.each(move |_: &Job| {
    ///     handle.stop();
    ///     Ok::<(), String>(())
    /// })?;
    /// assert_eq!(runner.blocking()?.succeeded, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn handle(&self) -> RunnerHandle {
        self.settings.handle.get()
    }

    /// How many handlers run at the same time, at least 1; the default is 1. On threads each has a thread.
    /// [`RunnerHandle::set_concurrency`] changes it later.
    ///
    /// A receive asks for as many messages as there are idle workers, so that a slow message holds back no other.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, worker::{BuildRunnerError, Job, Runner}};
    ///
    /// let jobs = Queue::standard("jobs").build()?;
    /// let none = Runner::builder(&jobs).concurrency(0).each(|_: &Job| Ok::<(), String>(()));
    /// assert_eq!(none.unwrap_err(), BuildRunnerError::Concurrency);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub const fn concurrency(mut self, concurrency: usize) -> Self {
        self.settings.concurrency = concurrency;
        self
    }

    /// Extra messages to request beyond the number of idle workers; the default is 0.
    ///
    /// They wait in the runner's backlog, with their visibility timeouts renewed, and save receives where handlers are
    /// quick; other consumers do not get them meanwhile. What a stop gives back has cost nothing on an embedded queue. On
    /// Amazon SQS each receive counts, so that a message may go to the dead-letter queue without ever having been begun
    /// when runners stop as often as its redrive policy allows receives: prefetch little there, and allow more receives.
    /// It takes a [`heartbeat`](Self::heartbeat).
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, worker::{Job, Runner}};
    ///
    /// let jobs = Queue::standard("jobs").build()?;
    /// let _ = jobs.send_batch(["1", "2", "3"])?;
    /// let held = jobs.clone();
    /// let runner = Runner::builder(&jobs).prefetch(9).until_none_visible().each(move |job: &Job| {
    ///     let left = 3 - job.body().parse::<usize>()?;
    ///     assert_eq!(held.counts().in_flight, left + 1);
    ///     Ok::<(), std::num::ParseIntError>(())
    /// })?;
    /// assert_eq!(runner.blocking()?.succeeded, 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub const fn prefetch(mut self, messages: usize) -> Self {
        self.settings.prefetch = messages;
        self
    }

    /// How many messages a receive asks for at most, 1 to 10, and never more than the queue allows; the default is 10.
    ///
    /// On a FIFO queue of Amazon SQS the default is 1, or the size of a batch. There a receive may bring several messages
    /// of one group; those behind a failure are given back, and each time counts as a receive, so that more than 1 may
    /// send messages to the dead-letter queue that no handler has seen. An embedded queue is asked for one message of a
    /// group at a time, or for a batch, and counts nothing that is given back.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, worker::{BuildRunnerError, Job, Runner}};
    ///
    /// let jobs = Queue::standard("jobs").build()?;
    /// let many = Runner::builder(&jobs).max_messages(11).each(|_: &Job| Ok::<(), String>(()));
    /// assert_eq!(many.unwrap_err(), BuildRunnerError::MaxMessages(11));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub const fn max_messages(mut self, max_messages: usize) -> Self {
        self.settings.max_messages = Some(max_messages);
        self
    }

    /// How long a receive waits for a first message, 1 ms to 20 s and never longer than the queue allows; the default is
    /// 20 s.
    ///
    /// Where the queue lets no receive wait, because its limit is below 1 ms, an idle runner asks it again and again instead,
    /// after pauses that grow from 10 ms to 1 s.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, worker::{Job, Runner}};
    /// use std::time::Duration;
    ///
    /// let jobs = Queue::standard("jobs").build()?;
    /// let hasty = Runner::builder(&jobs).wait_time(Duration::ZERO).each(|_: &Job| Ok::<(), String>(()));
    /// let text = "the wait time is 0ns, it has to be 1 ms to 20 s";
    /// assert_eq!(hasty.unwrap_err().to_string(), text);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub const fn wait_time(mut self, wait_time: Duration) -> Self {
        self.settings.wait_time = wait_time;
        self
    }

    /// How long a message stays hidden unless the heartbeat renews that, 1 ms to 12 h and never longer than the queue allows;
    /// the default is the queue's own visibility timeout when the runner is built.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, worker::{BuildRunnerError, Job, Runner}};
    /// use std::time::Duration;
    ///
    /// let jobs = Queue::standard("jobs").build()?;
    /// let long = Duration::from_secs(50_000);
    /// let runner = Runner::builder(&jobs).visibility_timeout(long).each(|_: &Job| Ok::<(), String>(()));
    /// assert_eq!(runner.unwrap_err(), BuildRunnerError::VisibilityTimeout(long));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub const fn visibility_timeout(mut self, timeout: Duration) -> Self {
        self.settings.visibility_timeout = Some(timeout);
        self
    }

    /// Whether the visibility timeouts of messages that the runner holds are renewed each time a third of them has
    /// passed; on by default.
    ///
    /// Without it nothing may be [prefetched](Self::prefetch). What no handler can begin, because the runner is paused or
    /// its concurrency was lowered, goes back to the queue before its visibility timeout ends: by a tenth of that, at most
    /// 1 s. On an embedded queue that costs nothing.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, worker::{Job, Runner}};
    /// use std::time::Duration;
    ///
    /// let jobs = Queue::standard("jobs").visibility_timeout(Duration::from_secs(30)).build()?;
    /// let runner = Runner::builder(&jobs).heartbeat(false).handler_timeout(Duration::from_secs(60));
    /// let error = runner.each(|_: &Job| Ok::<(), String>(())).unwrap_err();
    /// assert!(error.to_string().contains("visible again after its visibility timeout of 30s"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub const fn heartbeat(mut self, heartbeat: bool) -> Self {
        self.settings.heartbeat = heartbeat;
        self
    }

    /// How long a handler may take, more than 0 s and at most 12 h; without limit by default.
    ///
    /// An async handler that takes longer is dropped, and its job has failed. A synchronous one cannot be interrupted. On
    /// threads its job fails at its timeout all the same, while the handler still runs: it is counted once, reported as
    /// [`FailureCause::Timeout`](super::FailureCause::Timeout), and its message goes by the failure policy, so that it may
    /// be handled again meanwhile. [`Job::is_held`](super::Job::is_held) is false from then on. What the handler answers
    /// later changes nothing and is reported as [`RunnerEvent::AnsweredLate`](super::RunnerEvent::AnsweredLate). In a
    /// [`run`](super::Runner::run) such a handler blocks whoever could find that out, and its answer counts.
    ///
    /// A handler that runs on keeps its thread and nothing else: other jobs of its message group may begin, beyond the
    /// [`group_concurrency`](Self::group_concurrency) as well. While all threads are kept so, the runner receives nothing
    /// and gives its backlog back: at once, or on Amazon SQS, where that costs a receive, after as long as a stop waits.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, worker::{BuildRunnerError, Job, Runner}};
    /// use std::time::Duration;
    ///
    /// let jobs = Queue::standard("jobs").build()?;
    /// let none = Runner::builder(&jobs).handler_timeout(Duration::ZERO).each(|_: &Job| Ok::<(), String>(()));
    /// assert_eq!(none.unwrap_err(), BuildRunnerError::HandlerTimeout(Duration::ZERO));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub const fn handler_timeout(mut self, timeout: Duration) -> Self {
        self.settings.handler_timeout = Some(timeout);
        self
    }

    /// What becomes of a message whose handler failed, unless the handler chose; by default it is left to its timeout.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, worker::{FailurePolicy, Job, Runner}};
    ///
    /// let jobs = Queue::standard("jobs").build()?;
    /// jobs.send("resize cat.png")?;
    /// let runner = Runner::builder(&jobs).failure_policy(FailurePolicy::RetryNow).until_none_visible();
    /// let runner = runner.each(|job: &Job| match job.approximate_receive_count() {
    ///     1 => Err("not now"),
    ///     _ => Ok(()),
    /// })?;
    /// let report = runner.blocking()?;
    /// assert_eq!((report.failed, report.succeeded), (1, 1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub const fn failure_policy(mut self, policy: FailurePolicy) -> Self {
        self.settings.policy = policy;
        self
    }

    /// The seed of what is drawn by chance, the jitter of a backoff; the default is 0.
    pub const fn seed(mut self, seed: u64) -> Self {
        self.settings.seed = seed;
        self
    }

    /// How long running handlers and receives may go on after a stop; the default is 30 s.
    ///
    /// [`Runner::run`](super::Runner::run) cuts off handlers that outlast it, and takes up to 1 s more to give their
    /// messages back.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, worker::{Job, Runner}};
    /// use std::time::Duration;
    ///
    /// let jobs = Queue::standard("jobs").build()?;
    /// jobs.send("resize cat.png")?;
    /// let (begins, begun) = std::sync::mpsc::channel();
    /// let runner = Runner::builder(&jobs).shutdown_timeout(Duration::ZERO).each_async(move |_: Job| {
    ///     begins.send(()).unwrap();
    ///     std::future::pending::<Result<(), String>>()
    /// })?;
    /// let handle = runner.handle();
    /// let running = std::thread::spawn(move || pollster::block_on(runner.run()));
    /// begun.recv()?;
    /// handle.stop();
    /// assert_eq!(running.join().unwrap()?.abandoned, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub const fn shutdown_timeout(mut self, shutdown_timeout: Duration) -> Self {
        self.settings.shutdown_timeout = shutdown_timeout;
        self
    }

    /// How long receives may fail in a row before the runner ends with the error; the default is 1 h.
    ///
    /// This is for errors that [may pass](crate::backend::ErrorKind::may_pass): throttling, a network or a service that is
    /// down, credentials that have expired. Each is reported, and the pauses between receives grow to 20 s. A queue that is
    /// gone or a request that is wrong ends the runner at once. Zero ends it at the first error, [`Duration::MAX`] never.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, worker::{Job, Runner}};
    /// use std::time::Duration;
    ///
    /// let jobs = Queue::standard("jobs").build()?;
    /// let runner = Runner::builder(&jobs).outage_timeout(Duration::MAX).each(|_: &Job| Ok::<(), String>(()))?;
    /// runner.handle().stop();
    /// assert!(runner.blocking().is_ok());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub const fn outage_timeout(mut self, timeout: Duration) -> Self {
        self.settings.outage_timeout = timeout;
        self
    }

    /// Ends the runner by itself once a receive brings nothing while no handler runs: nothing can be received now.
    ///
    /// Messages that are delayed, wait for a retry, or are in flight elsewhere are not waited for; see
    /// [`until_none_left`](Self::until_none_left). The receives do not wait either, so that on Amazon SQS, where such a
    /// receive asks only some of the servers (D9), the runner may end with visible messages left.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, worker::{Job, Runner}};
    ///
    /// let jobs = Queue::standard("jobs").build()?;
    /// let runner = Runner::builder(&jobs).until_none_visible().each(|_: &Job| Ok::<(), String>(()))?;
    /// assert_eq!(runner.blocking()?.received, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub const fn until_none_visible(mut self) -> Self {
        self.settings.end = End::NoneVisible;
        self
    }

    /// Ends the runner by itself once the queue holds no message at all: none visible, none in flight here or elsewhere,
    /// none delayed or waiting for a retry.
    ///
    /// When a receive brings nothing, the queue is asked for its counts, and again each second while it holds messages. On
    /// Amazon SQS the counts lag behind by up to a minute: it is asked again after each wait time, and has to say twice
    /// that there are none, so that the runner may end late, or with messages left that were sent or retried just before.
    /// A runner that gives a message back without end does not end either.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, worker::{Failure, Job, Runner}};
    /// use std::time::Duration;
    ///
    /// let jobs = Queue::standard("jobs").build()?;
    /// jobs.send("resize cat.png")?;
    /// let once = std::sync::Once::new();
    /// let runner = Runner::builder(&jobs).until_none_left().each(move |_: &Job| {
    ///     let mut ready = true;
    ///     once.call_once(|| ready = false);
    ///     if ready { Ok(()) } else { Err(Failure::retry_after(Duration::from_millis(5), "not yet")) }
    /// })?;
    /// assert_eq!(runner.blocking()?.succeeded, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub const fn until_none_left(mut self) -> Self {
        self.settings.end = End::NoneLeft;
        self
    }

    /// The clock to go by; by default that of the queue.
    ///
    /// # Examples
    /// ```
    /// use requeue::{ManualClock, Queue, worker::{Job, Runner}};
    ///
    /// let clock = ManualClock::default();
    /// let jobs = Queue::standard("jobs").clock(clock.clone()).build()?;
    /// let runner = Runner::builder(&jobs).clock(clock.clone()).until_none_visible().each(|_: &Job| Ok::<(), String>(()))?;
    /// assert_eq!(runner.blocking()?.received, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.settings.clock = Some(Arc::new(clock));
        self
    }

    /// Calls `on_event` for failures, lost leases and calls that failed.
    ///
    /// It runs on the thread where the event happens and should be quick; a panic in it is contained.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, worker::{Job, Runner}};
    /// use std::sync::{Arc, Mutex};
    ///
    /// let jobs = Queue::standard("jobs").build()?;
    /// jobs.send("six")?;
    /// let log = Arc::new(Mutex::new(Vec::new()));
    /// let lines = log.clone();
    /// let runner = Runner::builder(&jobs).until_none_visible().on_event(move |event| {
    ///     lines.lock().unwrap().push(event.to_string());
    /// });
    /// runner.each(|job: &Job| job.body().parse::<u32>().map(drop))?.blocking()?;
    /// assert!(log.lock().unwrap()[0].ends_with("failed: invalid digit found in string"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn on_event(mut self, on_event: impl Fn(&RunnerEvent) + Send + Sync + 'static) -> Self {
        self.settings.on_event = Some(Arc::new(on_event));
        self
    }

    /// Wraps the loop of each thread of [`blocking`](super::Runner::blocking) in a function that has to call its argument:
    /// the place to enter the async runtime that a client of Amazon SQS needs.
    ///
    /// The calling thread, which renews the leases, is wrapped too, and so is that of [`spawn`](super::Runner::spawn).
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, worker::{Job, Runner}};
    ///
    /// let runtime = tokio::runtime::Builder::new_multi_thread().build()?;
    /// let tokio = runtime.handle().clone();
    /// let jobs = Queue::standard("jobs").build()?;
    /// jobs.send("resize cat.png")?;
    /// let runner = Runner::builder(&jobs).until_none_visible().wrap_threads(move |work| {
    ///     let _entered = tokio.enter();
    ///     work();
    /// });
    /// let runner = runner.each(|_: &Job| tokio::runtime::Handle::try_current().map(drop))?;
    /// assert_eq!(runner.blocking()?.succeeded, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn wrap_threads(mut self, wrap: impl Fn(&mut dyn FnMut()) + Send + Sync + 'static) -> Self {
        self.settings.wrapper = ThreadWrapper::new(wrap);
        self
    }
}

impl<Q: MessageQueue, S> fmt::Debug for RunnerBuilder<Q, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunnerBuilder")
            .field("queue", &self.settings.queue.url())
            .field("concurrency", &self.settings.concurrency)
            .finish_non_exhaustive()
    }
}
