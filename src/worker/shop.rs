//! A runner at work: what its hands have in common, and the life of a hand.

use {
    super::{
        block_on::give_way,
        books::Count,
        desk::{Ask, Desk, Task},
        event::RunnerEvent,
        failure::{Backoff, FailurePolicy},
        handler::Handler,
        job::Job,
        message_queue::{ErrorKind, MessageQueue, MessageQueueError, Poll},
        received::ReceivedMessage,
        report::RunnerReport,
        runner::RunnerError,
    },
    crate::{
        clock::{Clock, Until},
        sync::{Mutex, contain},
        time::Timestamp,
    },
    std::{
        future::{Future, poll_fn},
        io,
        pin::{Pin, pin},
        sync::{
            Arc,
            atomic::{AtomicBool, AtomicU32, Ordering},
        },
        task::{self, Waker},
        time::Duration,
    },
};

#[cfg(feature = "tracing")]
use super::message_queue::queue_name;

/// So many handlers that end at once may follow one another before a hand lets others go first.
const TURN: u32 = 32;

/// After a receive that failed, the queue is asked again after such a time.
const RECEIVE_BACKOFF: Backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(20));

pub(super) type OnEvent = Arc<dyn Fn(&RunnerEvent) + Send + Sync>;

/// How a runner works, checked.
#[derive(Clone)]
pub(super) struct Plan {
    pub(super) visibility_timeout: Duration,
    /// How long after its receive, or its last renewal, a message is looked after.
    pub(super) beat: Duration,
    pub(super) heartbeat: bool,
    pub(super) handler_timeout: Option<Duration>,
    pub(super) policy: FailurePolicy,
    pub(super) seed: u64,
    pub(super) fifo: bool,
    /// Whether the clock is that of the queue, which a message of an embedded queue knows.
    pub(super) clock_of_queue: bool,
    /// How long handlers may go on after a stop.
    pub(super) grace: Duration,
    pub(super) on_event: Option<OnEvent>,
}

/// What is known of a runner from outside, whatever its queue and its handler.
pub(super) struct Control {
    pub(super) desk: Mutex<Desk>,
    pub(super) clock: Arc<dyn Clock>,
    stopping: AtomicBool,
}

impl Control {
    pub(super) fn new(desk: Desk, clock: Arc<dyn Clock>) -> Self {
        Self {
            desk: Mutex::new(desk),
            clock,
            stopping: AtomicBool::new(false),
        }
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    pub(super) fn stop(&self, error: Option<MessageQueueError>) {
        self.stopping.store(true, Ordering::Release);
        let wakers = self.desk.lock().stop(self.clock.now(), error);
        wake(wakers);
    }

    /// Wakes whom the desk said, once it is let go: for what came in, and because there is nothing more to do.
    fn wake_all(&self, wakers: impl IntoIterator<Item = Waker>, over: Option<Vec<Waker>>) {
        wake(wakers);
        if let Some(wakers) = over {
            self.stopping.store(true, Ordering::Release);
            wake(wakers);
        }
    }

    /// What the runner has done, once it is over.
    pub(super) fn result(&self) -> Result<RunnerReport, RunnerError> {
        let desk = self.desk.lock();
        match desk.error() {
            None if desk.is_deserted() => Err(RunnerError::Thread {
                error: io::Error::other("it ended before the runner did"),
            }),
            None => Ok(desk.books.report()),
            Some(error) => Err(RunnerError::Queue {
                error: error.clone(),
                report: Box::new(desk.books.report()),
            }),
        }
    }
}

/// What the hands of a runner share.
pub(super) struct Shop<Q, H> {
    pub(super) queue: Q,
    pub(super) handler: H,
    pub(super) plan: Plan,
    pub(super) control: Arc<Control>,
    receive_errors: AtomicU32,
}

/// A hand's right to live; dropping it ends the hand, whether it has lived or not.
pub(super) struct Life {
    control: Arc<Control>,
    hand: usize,
}

impl Life {
    /// Another hand, if there is work for one.
    pub(super) fn hire(control: &Arc<Control>) -> Option<Self> {
        let hand = control.desk.lock().hire(control.clock.now())?;
        let control = Arc::clone(control);
        Some(Self { control, hand })
    }

    /// Another hand, whether there is work for one or not.
    pub(super) fn hire_anyway(control: &Arc<Control>) -> Self {
        let hand = control.desk.lock().hire_anyway();
        let control = Arc::clone(control);
        Self { control, hand }
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        let wakers = self.control.desk.lock().leave(self.control.clock.now());
        wake(wakers);
    }
}

pub(super) fn wake(wakers: impl IntoIterator<Item = Waker>) {
    for waker in wakers {
        contain(|| waker.wake());
    }
}

impl<Q: MessageQueue, H: Handler> Shop<Q, H> {
    pub(super) fn new(queue: Q, handler: H, plan: Plan, control: Arc<Control>) -> Self {
        Self {
            queue,
            handler,
            plan,
            control,
            receive_errors: AtomicU32::new(0),
        }
    }

    /// The life of a hand. With `watched`, it shares its thread: handlers that block it are reported, and however much
    /// there is to do at once, the keeper, the other hands and other tasks have their turn.
    pub(super) async fn live(&self, life: Life, watched: bool) {
        let hand = life.hand;
        let (mut turns, mut since) = (0, self.now());
        let mut next = self.turn(hand, |_, _| None);
        loop {
            let task = match next {
                Some(task) => task,
                None => self.called(hand).await,
            };
            next = match task {
                Task::Work(unit, began_at) => {
                    // Held until the desk is let go again: whoever drops the last of a large message should hold nobody up.
                    let outcome = self.work(hand, unit.jobs(), began_at, watched).await;
                    turns += 1;
                    if watched && (turns >= TURN || self.now() != since) {
                        give_way().await;
                        (turns, since) = (0, self.now());
                    }
                    self.turn(hand, |desk, now| {
                        desk.finished(hand, outcome, now);
                        None
                    })
                }
                Task::Poll(ask) => {
                    let messages = self.poll(hand, ask).await;
                    self.turn(hand, |desk, now| {
                        let job = |message| self.job(message, now);
                        let jobs = messages.map(|messages| messages.into_iter().map(job));
                        desk.received(hand, ask, jobs)
                    })
                }
                Task::End => return,
            };
        }
    }

    /// Tells the desk what the hand has done, which may want the keeper, and asks it what to do next.
    fn turn(&self, hand: usize, tell: impl FnOnce(&mut Desk, Timestamp) -> Option<Waker>) -> Option<Task> {
        let now = self.now();
        let mut desk = self.control.desk.lock();
        let keeper = tell(&mut desk, now);
        let over = desk.is_done(now);
        let task = desk.next(hand, now);
        let called = if task.is_some() { desk.call(now) } else { Vec::new() };
        drop(desk);
        self.control.wake_all(called.into_iter().chain(keeper), over);
        task
    }

    /// Waits until there is something for the hand to do.
    async fn called(&self, hand: usize) -> Task {
        let mut ripe = None;
        poll_fn(|context| {
            let now = self.now();
            let mut desk = self.control.desk.lock();
            let over = desk.is_done(now);
            let task = desk.next(hand, now);
            let (called, ripe_at) = match &task {
                Some(_) => (desk.call(now), None),
                None => (Vec::new(), desk.park(hand, context.waker())),
            };
            drop(desk);
            self.control.wake_all(called, over);
            if let Some(at) = ripe_at {
                if Pin::new(ripe.insert(self.until(at))).poll(context).is_ready() {
                    // The clock moved on since the desk was asked.
                    context.waker().wake_by_ref();
                }
            }
            task.map_or(task::Poll::Pending, task::Poll::Ready)
        })
        .await
    }

    pub(super) fn now(&self) -> Timestamp {
        self.control.clock.now()
    }

    pub(super) fn until(&self, at: Timestamp) -> Until {
        Until::new(&self.control.clock, at)
    }

    pub(super) fn count(&self, what: Count, number: usize) {
        self.control.desk.lock().books.add(what, number as u64);
    }

    pub(super) fn tell(&self, event: impl FnOnce() -> RunnerEvent) {
        #[cfg(not(feature = "tracing"))]
        let wanted = self.plan.on_event.is_some();
        #[cfg(feature = "tracing")]
        let wanted = self.plan.on_event.is_some() || tracing::enabled!(tracing::Level::WARN);
        if !wanted {
            return;
        }
        let event = event();
        #[cfg(feature = "tracing")]
        tracing::warn!(queue = queue_name(self.queue.url()), "{event}");
        if let Some(on_event) = &self.plan.on_event {
            contain(|| on_event(&event));
        }
    }

    async fn poll(&self, hand: usize, ask: Ask) -> Option<Vec<ReceivedMessage>> {
        let poll = Poll::new(ask.max_messages)
            .wait_time(ask.wait_time)
            .visibility_timeout(self.plan.visibility_timeout);
        match self.unless_stopped(hand, self.queue.receive(poll)).await? {
            Ok(messages) => {
                self.receive_errors.store(0, Ordering::Relaxed);
                Some(messages)
            }
            Err(error) => {
                self.receive_failed(hand, error).await;
                None
            }
        }
    }

    fn job(&self, message: ReceivedMessage, now: Timestamp) -> Job {
        let visibility = self.plan.visibility_timeout;
        let until = message
            .invisible_until()
            .unwrap_or_else(|| now.saturating_add(visibility));
        let received_at = until.saturating_sub(visibility);
        let beat = received_at.saturating_add(self.plan.beat);
        let known = self.plan.clock_of_queue && message.embedded().is_some();
        let clock = (!known).then(|| Arc::clone(&self.control.clock));
        Job::new(message, clock, received_at, until, beat)
    }

    /// Waits before the next receive, or ends the runner if there is no use in one.
    async fn receive_failed(&self, hand: usize, error: MessageQueueError) {
        self.count(Count::ReceiveErrors, 1);
        if error.kind != ErrorKind::Transient {
            self.tell(|| RunnerEvent::ReceiveFailed {
                error: error.clone(),
                retry_after: None,
            });
            self.control.stop(Some(error));
            return;
        }
        let failed = self.receive_errors.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        let after = RECEIVE_BACKOFF.limit(failed);
        self.tell(|| RunnerEvent::ReceiveFailed {
            error,
            retry_after: Some(after),
        });
        let pause = self.until(self.now().saturating_add(after));
        self.unless_stopped(hand, pause).await;
    }

    /// What a hand waits for at the queue, unless the runner stops meanwhile.
    async fn unless_stopped<T>(&self, hand: usize, wait: impl Future<Output = T>) -> Option<T> {
        let mut wait = pin!(wait);
        poll_fn(|context| {
            if self.control.is_stopping() {
                return task::Poll::Ready(None);
            }
            if let task::Poll::Ready(output) = wait.as_mut().poll(context) {
                return task::Poll::Ready(Some(output));
            }
            if self.control.desk.lock().listen(hand, context.waker()) {
                task::Poll::Pending
            } else {
                task::Poll::Ready(None)
            }
        })
        .await
    }
}
