//! One process in a tokio runtime of its own, whose paused time is moved with the virtual clock of a check.
//!
//! Nothing runs and no time passes but in [`TokioProcess::poll`] and [`TokioProcess::seek`]. `poll` runs one main future
//! of the process and its tasks until they are idle, at one instant. `seek` looks for the next instant at which a timer
//! of the process may fire. Tokio names that instant only by going there, so `seek` takes the process ahead of everybody
//! else, and runs nothing.
//!
//! # Time
//! `tokio::time::Instant` shows the virtual time to the millisecond, and a timer fires in its own millisecond, rounded
//! up as tokio does it. A process that calls `tokio::time::advance` takes itself ahead. One that calls
//! `tokio::time::resume` panics in `poll`: its clock is the machine's from there on. While a thread of `spawn_blocking`
//! is at work time stands still, as tokio has it, and `seek` waits for that thread.
//!
//! # Several processes
//! A process that is ahead sees late what others do before then. So of several, the one whose timer comes first is to be
//! sought first, and the others only up to where it stopped; who it is can be [guessed](TokioProcess::stops), and a guess
//! that was wrong shows in that the next one stops earlier.
//!
//! # Order
//! Within an instant the main future goes first whenever it was woken, and the tasks go in the order in which they were
//! woken. Another main future of the process waits for its own poll. Tokio draws at random in two places: the branch that
//! `select!` without `biased` looks at first, and who is woken first of several that wait for one `watch`. The draws are
//! the same in every run only if all was compiled with `--cfg tokio_unstable`, which tokio asks for where it is given a
//! seed.
//!
//! # Death
//! When the process dies in a call, `poll` returns before anything else of it runs: tokio catches what unwinds a task, and
//! would go on with whoever joins it. Dropping the last [`TokioProcess`] of a process drops its tasks inside the runtime
//! and waits for no thread. Tokio catches a panic of a task and of its destructor: the panic hook has seen it, and so does
//! who joins the task, but `poll` does not. The main future belongs to the caller, who drops it first, under
//! [`TokioProcess::enter`].

#[cfg(test)]
mod tests;

use {
    crate::{
        sync::{Mutex, contain},
        testing::quiet,
        time::Timestamp,
    },
    std::{
        cell::{Cell, RefCell},
        future::{Future, poll_fn},
        io, mem,
        panic::{AssertUnwindSafe, catch_unwind},
        pin::{Pin, pin},
        rc::Rc,
        sync::{
            Arc, Weak,
            atomic::{AtomicBool, Ordering},
        },
        task::{Context, Poll, Wake, Waker, ready},
        time::Duration,
    },
    tokio::{
        runtime::{Builder, EnterGuard, Handle, Runtime, RuntimeMetrics},
        time::{Instant, advance, sleep_until},
    },
};

/// What rounds a span up to whole milliseconds.
const ALMOST_A_MILLISECOND: Duration = Duration::from_nanos(999_999);

/// So many milliseconds are a slot of the topmost level of tokio's wheel of timers. A `seek` up to a multiple of it stops
/// before that only at a timer of the process, since its own timer is in no slot of a lower level.
const BLOCK: u64 = 1 << 30;

/// A process in a runtime of its own, seen by one of its main futures; several take turns in one thread.
pub(in crate::testing) struct TokioProcess {
    shared: Rc<Shared>,
    main: Arc<Main>,
    waker: Waker,
}

/// What the main futures of a process share.
struct Shared {
    /// Gone only in `drop`, where it is shut down without waiting for its threads.
    runtime: Option<Runtime>,
    metrics: RuntimeMetrics,
    signal: Arc<Signal>,
    mains: RefCell<Vec<Arc<Main>>>,
    /// One moment on both clocks.
    start: (Timestamp, Instant),
    ahead: Cell<Timestamp>,
    /// Tasks may be next in turn that tokio does not count: a `seek` has moved the clock, so that timers may have fired,
    /// or a main future completed before all was idle.
    may_go_on: Cell<bool>,
    /// No timer was pending after the last poll.
    is_timeless: Cell<bool>,
    stops: Cell<u32>,
}

/// A main future.
struct Main {
    /// It has been woken since it was last polled.
    is_woken: AtomicBool,
    /// Not `Arc`: what a dead process has left outside may wake it for as long as it likes.
    signal: Weak<Signal>,
}

/// What the hooks of the runtime and the wakers of the main futures tell the call that blocks on the runtime.
struct Signal {
    /// The scheduler has found nothing to run since the poll began and since the main future was last polled.
    is_idle: AtomicBool,
    call: Mutex<Option<Call>>,
}

/// The last call that blocked on the runtime.
struct Call {
    waker: Waker,
    /// Where the clock was when it began, if it is a `seek`.
    seeks_from: Option<Instant>,
}

impl TokioProcess {
    /// A process whose clock shows `now`, with nothing in it.
    ///
    /// # Errors
    /// The thread is inside a runtime already, as in a `#[tokio::test]`, or the runtime does not come up.
    pub(in crate::testing) fn new(now: Timestamp) -> io::Result<Self> {
        let signal = Arc::new(Signal {
            is_idle: AtomicBool::new(false),
            call: Mutex::new(None),
        });
        let runtime = build(&signal)?;
        let started = {
            let _inside = runtime.enter();
            Instant::now()
        };
        let process = Self::of(Rc::new(Shared {
            metrics: runtime.metrics(),
            runtime: Some(runtime),
            signal,
            mains: RefCell::default(),
            start: (now, started),
            ahead: Cell::new(now),
            may_go_on: Cell::new(false),
            is_timeless: Cell::new(false),
            stops: Cell::new(0),
        }));
        process.shared.check_that_it_may_block()?;
        Ok(process)
    }

    /// The same process, with another main future.
    pub(in crate::testing) fn another(&self) -> Self {
        Self::of(Rc::clone(&self.shared))
    }

    fn of(shared: Rc<Shared>) -> Self {
        let main = Arc::new(Main {
            is_woken: AtomicBool::new(true),
            signal: Arc::downgrade(&shared.signal),
        });
        shared.mains.borrow_mut().push(Arc::clone(&main));
        Self {
            waker: Waker::from(Arc::clone(&main)),
            shared,
            main,
        }
    }

    /// What the clock shows: the time of the last `poll` or `seek`, or later if the process moved its clock by itself.
    ///
    /// Nothing of the process runs before that.
    pub(in crate::testing) fn ahead(&self) -> Timestamp {
        self.shared.ahead.get()
    }

    /// Whether `poll` may have something to do: never `false` if the main future or a task was woken.
    ///
    /// After `seek` has moved the clock it is `true`, whether timers have fired or not, and so it is when a main future
    /// has completed that leaves tasks.
    pub(in crate::testing) fn is_woken(&self) -> bool {
        self.main.is_woken.load(Ordering::Acquire) || self.shared.has_tasks_to_run()
    }

    /// The next poll is the first of a new main future.
    pub(in crate::testing) fn begin(&self) {
        self.main.is_woken.store(true, Ordering::Release);
    }

    /// How likely its timer is the next one, as compared with other processes.
    pub(in crate::testing) fn stops(&self) -> u32 {
        self.shared.stops.get()
    }

    /// Runs all that can run at `now`: `work`, if it was woken or never polled, and the tasks, until all are idle.
    ///
    /// The clock is first moved up to `now`; timers that are due by then, and that no `seek` stopped at, fire at `now`.
    /// Before [`ahead`](Self::ahead) nothing runs, and the answer is `Pending`. When `work` completes, the tasks stay
    /// where they are, as they do when a `main` returns; the next poll goes on with them.
    ///
    /// # Panics
    /// If `work` does, with its panic, and if the process has resumed the clock.
    pub(in crate::testing) fn poll<T>(
        &self,
        now: Timestamp,
        mut work: Pin<&mut (dyn Future<Output = T> + '_)>,
    ) -> Poll<T> {
        let shared = &self.shared;
        let ahead = shared.ahead.get();
        if now < ahead || (now == ahead && !self.is_woken()) {
            return Poll::Pending;
        }
        let mut behind = now.saturating_duration_since(ahead);
        shared.is_timeless.set(false);
        quiet::wake_at_death(&self.waker);
        shared.signal.is_idle.store(false, Ordering::Relaxed);
        let (output, shown) = shared.runtime().block_on(poll_fn(|context| {
            shared.signal.listen(context, None);
            if !behind.is_zero() {
                // Moves the clock and puts this future off until the timers have fired.
                let _ = pin!(advance(mem::take(&mut behind))).poll(context);
                return Poll::Pending;
            }
            let output = ready!(self.step(work.as_mut()));
            Poll::Ready((output, shared.shown_after(now)))
        }));
        shared.ahead.set(shown);
        shared
            .may_go_on
            .set(output.is_ready() && shared.metrics.num_alive_tasks() > 0);
        output
    }

    /// Moves the clock to the next instant at which a timer may fire, at most to `until`, and returns it.
    ///
    /// Nothing runs: what the timers wake is run by the next `poll`, at that instant. While anything of the process is
    /// woken, or it is not before `until`, the clock stays where it is.
    pub(in crate::testing) fn seek(&self, until: Timestamp) -> Timestamp {
        let shared = &self.shared;
        let ahead = shared.ahead.get();
        if until <= ahead || shared.is_woken() {
            return ahead;
        }
        let shown = shared.seek(until.saturating_duration_since(ahead));
        shared.may_go_on.set(shown > ahead);
        shared.ahead.set(shown);
        let stops = shared.stops.get();
        shared.stops.set(if shown < until {
            stops.saturating_add(1)
        } else {
            stops / 2
        });
        shown
    }

    /// Whether a timer is pending or anything is woken. The clock moves to where the timer may fire, or else
    /// weeks ahead.
    pub(in crate::testing) fn seek_to_the_end(&self) -> bool {
        let shared = &self.shared;
        if !shared.is_timeless.get() && !shared.is_woken() {
            let (start, ahead) = (shared.start.0, shared.ahead.get());
            let blocks = ahead.saturating_duration_since(start).as_millis() >> BLOCK.ilog2();
            let end = Duration::from_millis((blocks as u64 + 3).saturating_mul(BLOCK));
            let end = start.saturating_add(end);
            if self.seek(end) >= end {
                self.shared.is_timeless.set(true);
                self.shared.may_go_on.set(false);
            }
        }
        !self.is_timeless()
    }

    /// Whether [`seek_to_the_end`](Self::seek_to_the_end) has found nothing, and nothing was woken since.
    pub(in crate::testing) fn is_timeless(&self) -> bool {
        self.shared.is_timeless.get() && !self.shared.is_woken()
    }

    /// Lets code outside of `poll` find the runtime, as a constructor or a destructor of the main future may need.
    pub(in crate::testing) fn enter(&self) -> EnterGuard<'_> {
        self.shared.runtime().enter()
    }

    /// One poll of what `poll` blocks on: `Ready` when `work` has completed, all is idle or the process is dead.
    fn step<T>(&self, work: Pin<&mut (dyn Future<Output = T> + '_)>) -> Poll<Poll<T>> {
        let is_idle = &self.shared.signal.is_idle;
        if !quiet::is_dead() && self.main.is_woken.swap(false, Ordering::AcqRel) {
            is_idle.store(false, Ordering::Relaxed);
            let polled = work.poll(&mut Context::from_waker(&self.waker));
            if polled.is_ready() {
                return Poll::Ready(polled);
            }
        }
        if is_idle.load(Ordering::Relaxed) || quiet::is_dead() {
            return Poll::Ready(Poll::Pending);
        }
        Poll::Pending
    }
}

impl Shared {
    /// Whether anything of the process was woken.
    fn is_woken(&self) -> bool {
        let is_woken = |main: &Arc<Main>| main.is_woken.load(Ordering::Acquire);
        self.has_tasks_to_run() || self.mains.borrow().iter().any(is_woken)
    }

    fn has_tasks_to_run(&self) -> bool {
        self.may_go_on.get() || self.metrics.global_queue_depth() > 0
    }

    /// Moves the clock to the next instant at which a timer may fire, at most by `span`, and says what it shows.
    fn seek(&self, span: Duration) -> Timestamp {
        self.runtime().block_on(async {
            let now = Instant::now();
            let mut end = pin!(sleep_until(now + span));
            let mut has_parked = false;
            poll_fn(|context| {
                self.signal.listen(context, Some(now));
                if mem::replace(&mut has_parked, true) {
                    return Poll::Ready(());
                }
                end.as_mut().poll(context)
            })
            .await;
            self.shown()
        })
    }

    /// Tokio tells only by a panic, which the panic hook sees too. A thread of `spawn_blocking` has a current runtime and
    /// may block all the same.
    fn check_that_it_may_block(&self) -> io::Result<()> {
        let block = || self.runtime().block_on(async {});
        if Handle::try_current().is_err() || catch_unwind(AssertUnwindSafe(block)).is_ok() {
            return Ok(());
        }
        Err(io::Error::other(
            "a consumer on tokio has a runtime of its own, and none starts inside another one: \
             run the check in a plain #[test], or in tokio::task::spawn_blocking",
        ))
    }

    fn runtime(&self) -> &Runtime {
        self.runtime.as_ref().expect("it is there until `drop`")
    }

    /// What the clock shows, inside the runtime.
    fn shown(&self) -> Timestamp {
        let (start, started) = self.start;
        let elapsed = Instant::now().saturating_duration_since(started);
        start.saturating_add(elapsed.saturating_add(ALMOST_A_MILLISECOND))
    }

    /// What the clock shows at the end of a poll at `now`.
    fn shown_after(&self, now: Timestamp) -> Timestamp {
        let shown = self.shown();
        if shown != now {
            // More readings than the coarsest clock of a machine shows the same time in.
            let first = Instant::now();
            let is_paused = (0..10_000).all(|_| Instant::now() == first);
            assert!(
                is_paused,
                "the process has resumed tokio's clock, which keeps the machine's time from there on"
            );
        }
        shown
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            contain(|| runtime.shutdown_background());
        }
    }
}

impl Signal {
    /// Lets the hooks and wakers wake the call that blocks on the runtime.
    fn listen(&self, context: &Context<'_>, seeks_from: Option<Instant>) {
        *self.call.lock() = Some(Call {
            waker: context.waker().clone(),
            seeks_from,
        });
    }

    /// The scheduler has nothing to run. That ends a poll; in a `seek` the clock goes on to the next timer.
    fn before_park(&self) {
        let call = self.call.lock().take_if(|call| call.seeks_from.is_none());
        if let Some(call) = call {
            self.is_idle.store(true, Ordering::Relaxed);
            call.waker.wake();
        }
    }

    /// Timers may have fired, and nothing that they woke has run. The call is woken only if there is a reason: tokio does
    /// not move the clock at the next park if anything was woken, and so a needless wake would repeat itself for ever.
    fn after_park(&self) {
        let has_reason = |start| Instant::now() != start || Handle::current().metrics().global_queue_depth() > 0;
        let call = self.call.lock().take_if(|call| call.seeks_from.is_some_and(has_reason));
        if let Some(call) = call {
            call.waker.wake();
        }
    }
}

impl Wake for Main {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.is_woken.store(true, Ordering::Release);
        let call = self.signal.upgrade().and_then(|signal| signal.call.lock().take());
        if let Some(call) = call {
            call.waker.wake();
        }
    }
}

/// A runtime that tells `signal` when it is idle and when it has moved its clock.
fn build(signal: &Arc<Signal>) -> io::Result<Runtime> {
    let hook = |told: fn(&Signal)| {
        // Not `Arc`: the signal keeps a waker of the runtime, which keeps the hooks.
        let signal = Arc::downgrade(signal);
        move || {
            if let Some(signal) = Weak::upgrade(&signal) {
                told(&signal);
            }
        }
    };
    let mut builder = Builder::new_current_thread();
    builder
        .enable_time()
        .start_paused(true)
        // The main future is polled before any other task, which a death needs.
        .event_interval(1)
        .on_thread_park(hook(Signal::before_park))
        .on_thread_unpark(hook(Signal::after_park));
    #[cfg(tokio_unstable)]
    builder.rng_seed(tokio::runtime::RngSeed::from_bytes(b"requeue"));
    builder.build()
}
