//! The scheduler: sends what the agenda says, in its order.

use {
    super::{
        agenda::{Agenda, Config, Dispatch, Next},
        error::SchedulerError,
        event::{SchedulerEvent, SchedulerReport},
        handle::{SchedulerHandle, SchedulerState},
        spec::Source,
    },
    crate::{
        backend::{Backoff, ErrorKind, MessageQueue, Retries, Running, ThreadWrapper, limits::MAX_DELAY},
        clock::{Clock, Until, block_on, give_way},
        message::SendMessage,
        sync::{Mutex, contain, panicked},
        time::Timestamp,
    },
    std::{
        fmt,
        future::{Future, poll_fn},
        io,
        panic::{AssertUnwindSafe, catch_unwind},
        pin::{Pin, pin},
        sync::Arc,
        task::{Context, Poll},
        time::Duration,
    },
};

/// After a send that failed, the queue is asked again after such a time.
const SEND_BACKOFF: Backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(20));

/// Linux keeps 15 bytes of a thread's name.
const THREAD: &str = "requeue-sched";

/// After so many jobs the executor has a turn.
const TURNS: u32 = 64;

type OnEvent = Arc<dyn Fn(&SchedulerEvent) + Send + Sync>;

/// Sends jobs into a queue when they are due: once at a time or after a while, or again and again by a cron pattern.
///
/// A job is visible when it is due, not before, under the queue's clock. That of the machine follows the wall clock: if
/// somebody sets it forward, what has become due is sent within 10 seconds, and it is never set back. Once a scheduler
/// sees that another clock was set back, patterns go on from the time it shows, and times that come again are sent again,
/// if it was by more than three hours; by less, nothing is sent twice. On a standard queue, one that is sent once
/// is given to the queue, which delays it, 15 minutes before; until then it is held in memory, and on a FIFO queue, which
/// delays no single message (D34), until it is due, as are the jobs of a cron pattern. Jobs of the same instant are sent
/// in the order of their adding. What was missed is caught up with as the [`CatchUp`](super::CatchUp) of the schedule
/// says. A send that fails for now is tried again until it succeeds, and holds up those behind it.
///
/// [`run`](Self::run) is a future for any executor, [`spawn`](Self::spawn) uses a thread. If the future is dropped, the
/// schedules stay, and the next run goes on with them.
///
/// # Examples
/// ```
/// use requeue::{Clock, ManualClock, Queue, schedule::{Cron, Scheduler}};
/// use std::time::Duration;
///
/// let clock = ManualClock::default(); // shows midnight
/// let jobs = Queue::standard("jobs").clock(clock.clone()).build()?;
/// let running = Scheduler::builder(&jobs).build().spawn()?;
/// running.handle().add("nightly", Cron::new("0 3 * * *")?, "clean up")?;
/// clock.wait_for_sleepers(1);
/// clock.advance(Duration::from_secs(3 * 3600));
/// assert_eq!(jobs.receive().blocking()?[0].body(), "clean up");
/// running.handle().stop();
/// assert_eq!(running.join()?.sent, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Scheduler<Q> {
    queue: Q,
    fifo: bool,
    shared: Arc<SchedulerState>,
    on_event: Option<OnEvent>,
    wrapper: ThreadWrapper,
}

/// The builder of a scheduler, from [`Scheduler::builder`].
#[must_use = "a builder does nothing until it is built"]
#[derive(Clone)]
pub struct SchedulerBuilder<Q> {
    queue: Q,
    tolerance: Duration,
    until_none_held: bool,
    clock: Option<Arc<dyn Clock>>,
    on_event: Option<OnEvent>,
    wrapper: ThreadWrapper,
}

impl<Q: MessageQueue + Clone> Scheduler<Q> {
    /// Begins a scheduler that sends to this queue.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, schedule::Scheduler};
    ///
    /// let jobs = Queue::standard("jobs").build()?;
    /// let mut scheduler = Scheduler::builder(&jobs).until_none_held().build();
    /// assert_eq!(scheduler.blocking()?.sent, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn builder(queue: &Q) -> SchedulerBuilder<Q> {
        SchedulerBuilder {
            queue: queue.clone(),
            tolerance: Duration::from_secs(60),
            until_none_held: false,
            clock: None,
            on_event: None,
            wrapper: ThreadWrapper::default(),
        }
    }
}

impl<Q: MessageQueue> SchedulerBuilder<Q> {
    /// How late a job may be found to be due and still not count as missed; the default is 60 s.
    ///
    /// # Examples
    /// ```
    /// use requeue::{ManualClock, Queue, schedule::{CatchUp, Schedule, Scheduler}};
    /// use std::time::Duration;
    ///
    /// let clock = ManualClock::default();
    /// let jobs = Queue::standard("jobs").clock(clock.clone()).build()?;
    /// let mut scheduler = Scheduler::builder(&jobs).tolerance(Duration::ZERO).until_none_held().build();
    /// scheduler.handle().add("call", Schedule::from(Duration::ZERO).catch_up(CatchUp::Skip), "now or never")?;
    /// clock.advance(Duration::from_millis(1));
    /// assert_eq!(scheduler.blocking()?.sent, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub const fn tolerance(mut self, tolerance: Duration) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// Ends the scheduler by itself once it holds no schedule.
    ///
    /// # Examples
    /// ```
    /// use requeue::{ManualClock, Queue, schedule::Scheduler};
    /// use std::time::Duration;
    ///
    /// let jobs = Queue::standard("jobs").clock(ManualClock::default()).build()?;
    /// let mut scheduler = Scheduler::builder(&jobs).until_none_held().build();
    /// scheduler.handle().add("tea", Duration::from_secs(60), "tea")?;
    /// assert_eq!(scheduler.blocking()?.sent, 1);
    /// assert_eq!(jobs.counts().delayed, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub const fn until_none_held(mut self) -> Self {
        self.until_none_held = true;
        self
    }

    /// The clock to go by; by default that of the queue.
    ///
    /// # Examples
    /// ```
    /// use requeue::{ManualClock, Queue, Timestamp, schedule::Scheduler};
    /// use std::time::Duration;
    ///
    /// let jobs = Queue::standard("jobs").build()?;
    /// let scheduler = Scheduler::builder(&jobs).clock(ManualClock::at(Timestamp::ZERO)).build();
    /// scheduler.handle().add("tea", Duration::from_secs(5), "tea")?;
    /// assert_eq!(scheduler.handle().due(1)[0].due, Timestamp::from_millis(5_000));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Some(Arc::new(clock));
        self
    }

    /// Calls `on_event` for what somebody may want to know: times that were missed, sends that failed.
    ///
    /// It is called by the thread that runs the scheduler and should be quick; a panic in it is contained.
    ///
    /// # Examples
    /// ```
    /// use requeue::{ManualClock, Queue, schedule::Scheduler};
    /// use std::{sync::{Arc, Mutex}, time::Duration};
    ///
    /// let jobs = Queue::standard("jobs").clock(ManualClock::default()).build()?;
    /// let log = Arc::new(Mutex::new(Vec::new()));
    /// let lines = log.clone();
    /// let builder = Scheduler::builder(&jobs).until_none_held();
    /// let mut scheduler = builder.on_event(move |event| lines.lock().unwrap().push(event.to_string())).build();
    /// scheduler.handle().add("empty", Duration::ZERO, "")?;
    /// assert_eq!(scheduler.blocking()?.not_sent, 1);
    /// assert!(log.lock().unwrap()[0].starts_with("schedule empty due at 2026-01-01T00:00:00Z was not sent: MissingParameter"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn on_event(mut self, on_event: impl Fn(&SchedulerEvent) + Send + Sync + 'static) -> Self {
        self.on_event = Some(Arc::new(on_event));
        self
    }

    /// Wraps the loop of the thread of [`blocking`](Scheduler::blocking) or [`spawn`](Scheduler::spawn) in a function that
    /// has to call its argument: the place to enter the async runtime that a client of Amazon SQS needs.
    ///
    /// # Examples
    /// ```
    /// use requeue::{ManualClock, Queue, schedule::Scheduler};
    ///
    /// let runtime = tokio::runtime::Builder::new_multi_thread().build()?;
    /// let tokio = runtime.handle().clone();
    /// let jobs = Queue::standard("jobs").clock(ManualClock::default()).build()?;
    /// let scheduler = Scheduler::builder(&jobs).until_none_held().wrap_threads(move |work| {
    ///     let _entered = tokio.enter();
    ///     work();
    /// });
    /// let scheduler = scheduler.build();
    /// scheduler.handle().add_with("tea", std::time::Duration::ZERO, |_| {
    ///     assert!(tokio::runtime::Handle::try_current().is_ok());
    ///     "tea"
    /// })?;
    /// assert_eq!(scheduler.spawn()?.join()?.sent, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn wrap_threads(mut self, wrap: impl Fn(&mut dyn FnMut()) + Send + Sync + 'static) -> Self {
        self.wrapper = ThreadWrapper::new(wrap);
        self
    }

    /// The scheduler, which does nothing until it runs.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, schedule::Scheduler};
    ///
    /// let scheduler = Scheduler::builder(&Queue::standard("jobs").build()?).build();
    /// assert_eq!(scheduler.handle().report().held, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn build(self) -> Scheduler<Q> {
        let fifo = self.queue.is_fifo();
        let agenda = Agenda::new(Config {
            fifo,
            lead: if fifo { Duration::ZERO } else { MAX_DELAY },
            tolerance: self.tolerance,
            until_none_held: self.until_none_held,
        });
        let clock = self.clock.unwrap_or_else(|| self.queue.clock());
        let agenda = Mutex::new(agenda);
        Scheduler {
            queue: self.queue,
            fifo,
            shared: Arc::new(SchedulerState { agenda, clock }),
            on_event: self.on_event,
            wrapper: self.wrapper,
        }
    }
}

impl<Q: MessageQueue> Scheduler<Q> {
    /// What adds schedules, cancels and lists them, and stops the scheduler.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, schedule::Scheduler};
    /// use std::time::Duration;
    ///
    /// let scheduler = Scheduler::builder(&Queue::standard("jobs").build()?).build();
    /// scheduler.handle().add("tea", Duration::from_secs(60), "tea")?;
    /// assert_eq!(scheduler.handle().due(10).len(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn handle(&self) -> SchedulerHandle {
        SchedulerHandle {
            shared: Arc::clone(&self.shared),
        }
    }

    /// Runs as a future on any executor, until it is stopped or the queue is gone.
    ///
    /// Dropping it is safe: schedules stay as they are. A job that the queue was being asked to take then is sent again
    /// by the next run, on a FIFO queue as the same message.
    ///
    /// # Errors
    /// [`SchedulerError`]: the queue is gone.
    ///
    /// # Examples
    /// ```
    /// use requeue::{ManualClock, Queue, schedule::Scheduler};
    /// use std::time::Duration;
    ///
    /// let jobs = Queue::standard("jobs").clock(ManualClock::default()).build()?;
    /// let mut scheduler = Scheduler::builder(&jobs).until_none_held().build();
    /// scheduler.handle().add("tea", Duration::ZERO, "tea")?;
    /// assert_eq!(pollster::block_on(scheduler.run())?.sent, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn run(&mut self) -> Result<SchedulerReport, SchedulerError> {
        let mut turns = 0_u32;
        while let Some(dispatch) = self.next().await {
            self.deliver(dispatch).await;
            turns = turns.wrapping_add(1);
            if turns % TURNS == 0 {
                give_way().await;
            }
        }
        self.shared.result()
    }

    /// Runs on the calling thread, until it is stopped or the queue is gone.
    ///
    /// # Errors
    /// [`SchedulerError`]: the queue is gone, or what [wraps](SchedulerBuilder::wrap_threads) the thread did not call it;
    /// the schedules stay, and the next run goes on with them.
    ///
    /// # Examples
    /// ```
    /// use requeue::{ManualClock, Queue, schedule::Scheduler};
    /// use std::time::Duration;
    ///
    /// let jobs = Queue::standard("jobs").clock(ManualClock::default()).build()?;
    /// let mut scheduler = Scheduler::builder(&jobs).until_none_held().build();
    /// scheduler.handle().add("tea", Duration::ZERO, "tea")?;
    /// assert_eq!(scheduler.blocking()?.sent, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn blocking(&mut self) -> Result<SchedulerReport, SchedulerError> {
        let (clock, wrapper) = (Arc::clone(&self.shared.clock), self.wrapper.clone());
        wrapper.run(|| block_on(&*clock, self.run())).unwrap_or_else(|| {
            let error = io::Error::other("what wraps it panicked or did not call it");
            Err(SchedulerError::Thread { error })
        })
    }

    /// [`blocking`](Self::blocking) on a thread of its own.
    ///
    /// # Errors
    /// If the thread cannot be started.
    ///
    /// # Examples
    /// ```
    /// use requeue::{ManualClock, Queue, schedule::Scheduler};
    /// use std::time::Duration;
    ///
    /// let jobs = Queue::standard("jobs").clock(ManualClock::default()).build()?;
    /// let scheduler = Scheduler::builder(&jobs).until_none_held().build();
    /// scheduler.handle().add("tea", Duration::ZERO, "tea")?;
    /// assert_eq!(scheduler.spawn()?.join()?.sent, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn spawn(mut self) -> io::Result<Running<SchedulerHandle>> {
        Running::spawn(THREAD, self.handle(), move || self.blocking())
    }

    fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    fn tell(&self, event: &SchedulerEvent) {
        if let Some(on_event) = &self.on_event {
            contain(|| on_event(event));
        }
    }

    /// The next job to be sent, once its time has come; `None` if the scheduler is over.
    async fn next(&self) -> Option<Dispatch> {
        let mut alarm = None;
        poll_fn(|context| {
            loop {
                let mut agenda = self.shared.agenda.lock();
                let before = agenda.listen(context.waker());
                let next = agenda.next(self.now());
                drop(agenda);
                drop(before);
                match next {
                    Next::Send(dispatch) => return Poll::Ready(Some(dispatch)),
                    Next::Tell(event) => self.tell(&event),
                    Next::Over => return Poll::Ready(None),
                    Next::Sleep(None) => {
                        alarm = None;
                        return Poll::Pending;
                    }
                    Next::Sleep(Some(at)) => {
                        let alarm = alarm.insert(Until::new(&self.shared.clock, at));
                        if Pin::new(alarm).poll(context).is_pending() {
                            return Poll::Pending;
                        }
                    }
                }
            }
        })
        .await
    }

    /// Sends a job, as often as it takes.
    async fn deliver(&self, job: Dispatch) {
        let Dispatch { id, due, .. } = job;
        let _held = Held(&self.shared);
        let message = match make(&job) {
            Ok(message) => message,
            Err(reason) => return self.not_sent(&job, reason),
        };
        let retries = Retries::new(SEND_BACKOFF, Duration::MAX);
        loop {
            let now = self.now();
            if !self.shared.agenda.lock().begin_call(id, due, now) {
                return;
            }
            let message = self.complete(message.clone(), &job, now);
            let Some(answer) = self
                .unless(|agenda| agenda.is_stopped(), self.queue.send(message))
                .await
            else {
                return;
            };
            let Err(error) = answer else {
                self.shared.agenda.lock().sent(id);
                return;
            };
            if error.kind == ErrorKind::QueueDoesNotExist {
                self.shared.stop(Some(error));
                return;
            }
            let Some(after) = retries.pause(&error, self.now()) else {
                self.not_sent(&job, error.to_string());
                return;
            };
            self.shared.agenda.lock().retry(id);
            self.tell(&SchedulerEvent::Retry {
                name: Arc::clone(&job.name),
                due,
                error,
                after,
            });
            let pause = Until::new(&self.shared.clock, self.now().saturating_add(after));
            let _ = self.unless(|agenda| agenda.is_off(id), pause).await;
        }
    }

    /// Gives up a job.
    fn not_sent(&self, job: &Dispatch, reason: String) {
        self.shared.agenda.lock().not_sent(job.id);
        self.tell(&SchedulerEvent::NotSent {
            name: Arc::clone(&job.name),
            due: job.due,
            reason,
        });
    }

    /// What is waited for, unless the agenda says meanwhile that there is no use in it.
    async fn unless<T>(&self, off: impl Fn(&Agenda) -> bool, wait: impl Future<Output = T>) -> Option<T> {
        let mut wait = pin!(wait);
        poll_fn(|context: &mut Context<'_>| {
            let mut agenda = self.shared.agenda.lock();
            let before = agenda.listen(context.waker());
            let off = off(&agenda);
            drop(agenda);
            drop(before);
            if off {
                return Poll::Ready(None);
            }
            wait.as_mut().poll(context).map(Some)
        })
        .await
    }

    /// The message as this queue is to be given it now.
    fn complete(&self, message: SendMessage, job: &Dispatch, now: Timestamp) -> SendMessage {
        if self.fifo && message.get_message_deduplication_id().is_none() {
            // The same for each try to send the job, in whatever process, and another for each job.
            message.message_deduplication_id(format!("{}@{}", job.name, job.due))
        } else if self.fifo || message.get_delay().is_some() {
            message
        } else {
            // Zero as well: the delay of the queue is not to be added.
            message.delay(job.due.saturating_duration_since(now))
        }
    }
}

impl<Q: MessageQueue> fmt::Debug for Scheduler<Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scheduler")
            .field("queue", &self.queue.url())
            .field("report", &self.shared.agenda.lock().report())
            .finish_non_exhaustive()
    }
}

impl<Q: MessageQueue> fmt::Debug for SchedulerBuilder<Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SchedulerBuilder")
            .field("queue", &self.queue.url())
            .field("tolerance", &self.tolerance)
            .finish_non_exhaustive()
    }
}

/// A job that is being sent; dropped, it is not being sent any more.
struct Held<'s>(&'s SchedulerState);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.agenda.lock().release();
    }
}

/// The message of a job, or that what makes it panicked.
fn make(job: &Dispatch) -> Result<SendMessage, String> {
    match &job.source {
        Source::Fixed(message) => Ok(message.clone()),
        Source::Made(make) => catch_unwind(AssertUnwindSafe(|| make(job.due)))
            .map_err(|payload| panicked("the function that makes the message", payload)),
    }
}
