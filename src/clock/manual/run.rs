//! `run_until`: drives a future and lets virtual time pass whenever everything waits.

use std::{
    cell::Cell,
    collections::BTreeMap,
    future::{Future, IntoFuture, poll_fn},
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    thread::{self, ThreadId},
};

use super::{ManualClock, ManualClockState, State, Turn};
use crate::sync::{Mutex, MutexGuard, thread_local};

/// After so many turns of the executor in which nobody used the clock, its other tasks are taken to wait.
const QUIET_TURNS: u32 = 64;

impl ManualClock {
    /// Drives `future` to its end while time passes by itself: whenever everybody waits, time moves to the next
    /// deadline, never past one, and fires what is due then, in order.
    ///
    /// It runs on any executor. Everybody waits if
    ///
    /// * `future` is pending and has not been woken, and so is the future of every other `run_until` of this clock;
    /// * no thread is busy in the sense of [settling](Self#settling), and no other thread moves the clock;
    /// * the executor has had 64 turns in which nobody used the clock, for the other tasks of its thread.
    ///
    /// **Tasks** that were spawned on an executor of one thread need nothing more. Where an executor has several
    /// threads, spawn them as `clock.run_until(task)` too: a task counts from that call on, whichever thread it is on
    /// and whatever wakes it. One that is neither polled nor dropped holds time
    /// still: await several together, with `join!` or in tasks of their own, not one after the other.
    ///
    /// What no clock knows is not waited for: a thread that works without having parked in this clock, a socket. While
    /// nobody has a deadline, `run_until` is pending as any future is, without using the processor, until it is woken
    /// or somebody sets a deadline; if neither comes, for ever. Once there is one, time moves to it, although such a
    /// thread may be about to answer.
    ///
    /// It may be nested, and dropping it leaves time where it is. `future` must not block its thread, as
    /// [`Receive::blocking`](crate::Receive::blocking) does: time stands still while it is polled.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Clock, ManualClock, Queue, SendMessage};
    /// use std::time::Duration;
    ///
    /// let clock = ManualClock::default();
    /// let start = clock.now();
    /// let jobs = Queue::standard("jobs").clock(clock.clone()).build()?;
    /// jobs.send(SendMessage::new("tea").delay(Duration::from_secs(5)))?;
    /// let poll = || jobs.receive().wait_time(Duration::from_secs(20));
    ///
    /// assert_eq!(pollster::block_on(clock.run_until(poll()))?[0].body(), "tea");
    /// assert_eq!(clock.now().saturating_duration_since(start), Duration::from_secs(5));
    /// assert!(pollster::block_on(clock.run_until(poll()))?.is_empty());
    /// assert_eq!(clock.now().saturating_duration_since(start), Duration::from_secs(25));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn run_until<F: IntoFuture>(&self, future: F) -> impl Future<Output = F::Output> + use<F> {
        let mut run = Run::begin(Arc::clone(&self.shared));
        let future = future.into_future();
        async move {
            let mut future = pin!(future);
            poll_fn(|context| run.poll(future.as_mut(), context.waker())).await
        }
    }

    /// [`wait_for_sleepers`](Self::wait_for_sleepers) as a future: is over once at least `n` threads and alarms
    /// together wait on this clock.
    ///
    /// # Examples
    /// ```
    /// use requeue::{ManualClock, Queue};
    /// use std::time::Duration;
    ///
    /// let clock = ManualClock::default();
    /// let jobs = Queue::standard("jobs").clock(clock.clone()).build()?;
    /// let consumer = std::thread::spawn(move || jobs.receive().wait_time(Duration::from_secs(20)).blocking());
    /// pollster::block_on(clock.wait_for_sleepers_async(1));
    /// clock.advance(Duration::from_secs(20));
    /// assert!(consumer.join().unwrap()?.is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn wait_for_sleepers_async(&self, n: usize) -> impl Future<Output = ()> + use<> {
        WaitForSleepers {
            shared: Arc::clone(&self.shared),
            n,
            id: None,
        }
    }
}

/// Tasks that wait for a change of the clock's state: at most one entry per future, none after its end.
#[derive(Default)]
pub(super) struct Audience {
    /// Woken to look again, whatever has changed.
    watchers: Vec<Arc<RunWaker>>,
    /// Woken when there are so many sleepers, by the id of the future.
    waits_for_sleepers: BTreeMap<u64, (usize, Waker)>,
    /// The last id given to a future.
    issued: u64,
}

impl Audience {
    fn watch(&mut self, run: &Arc<RunWaker>) {
        if !self.watchers.iter().any(|it| Arc::ptr_eq(it, run)) {
            self.watchers.push(Arc::clone(run));
        }
    }

    /// The waker that the future left before comes back to be dropped with the lock released: that may run code of an
    /// executor.
    fn wait_for_sleepers(&mut self, id: &mut Option<u64>, n: usize, waker: Waker) -> Option<Waker> {
        let id = *id.get_or_insert_with(|| {
            self.issued += 1;
            self.issued
        });
        let before = self.waits_for_sleepers.insert(id, (n, waker));
        before.map(|(_, waker)| waker)
    }
}

/// See [`ManualClock::wait_for_sleepers_async`].
struct WaitForSleepers {
    shared: Arc<ManualClockState>,
    n: usize,
    /// Given at the first poll that waits.
    id: Option<u64>,
}

impl Future for WaitForSleepers {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let waker = context.waker().clone();
        let mut state = this.shared.state.lock();
        if state.sleepers() >= this.n {
            return Poll::Ready(());
        }
        let before = state.audience.wait_for_sleepers(&mut this.id, this.n, waker);
        drop(state);
        drop(before);
        Poll::Pending
    }
}

impl Drop for WaitForSleepers {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            let left = self.shared.state.lock().audience.waits_for_sleepers.remove(&id);
            drop(left);
        }
    }
}

/// The futures of a clock's `run_until`, and their phases.
#[derive(Default)]
pub(super) struct Runs(Vec<(Arc<RunWaker>, RunPhase)>);

#[derive(Clone, Copy, Eq, PartialEq)]
enum RunPhase {
    Pending,
    /// Polled by a thread because it was woken.
    Runs(ThreadId),
    /// Polled by a thread for what is in it to look again at the clock.
    Looks(ThreadId),
}

impl Runs {
    /// Whether a future was woken or runs on a thread other than `me`. One that `me` is about to poll, or is in the
    /// middle of polling, contains the future that asks.
    fn others_run(&self, me: ThreadId) -> bool {
        let runs = |phase: RunPhase| matches!(phase, RunPhase::Runs(thread) if thread != me);
        self.0.iter().any(|(waker, phase)| waker.is_busy() || runs(*phase))
    }

    /// Whether the calling thread is polling one: then its phase tells the others enough.
    pub(super) fn are_polled_here(&self) -> bool {
        let me = thread::current().id();
        let polled_here = [RunPhase::Runs(me), RunPhase::Looks(me)];
        self.0.iter().any(|(_, phase)| polled_here.contains(phase))
    }
}

thread_local! {
    /// Whether this thread wakes a task only to have it look again.
    static LOOKING: Cell<bool> = const { Cell::new(false) };
}

/// Wakes a task to have it look again at the clock: a `run_until` around it then has to poll, and does not run for that.
fn wake_to_look(waker: &Waker) {
    let before = LOOKING.with(|it| it.replace(true));
    waker.wake_by_ref();
    LOOKING.with(|it| it.set(before));
}

/// Woken by [`wake_to_look`].
const LOOK: u8 = 1;
/// Woken by anything else.
const RUN: u8 = 2;

/// The waker that a future of `run_until` is polled with.
struct RunWaker {
    /// How it was woken since the last poll: 0, or `LOOK`, or `RUN`.
    woken: AtomicU8,
    /// That of the task in which it was polled last.
    executor: Mutex<Waker>,
}

impl RunWaker {
    /// Has the task poll to look at the clock.
    fn look(&self) {
        let executor = self.executor.lock().clone();
        wake_to_look(&executor);
    }

    fn is_busy(&self) -> bool {
        self.woken.load(Ordering::Acquire) == RUN
    }
}

impl Wake for RunWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let woken = if LOOKING.with(Cell::get) { LOOK } else { RUN };
        self.woken.fetch_max(woken, Ordering::AcqRel);
        let executor = self.executor.lock().clone();
        executor.wake();
    }
}

struct Run {
    shared: Arc<ManualClockState>,
    waker: Arc<RunWaker>,
    /// Turns of the executor since somebody used the clock.
    turns: u32,
    /// [`State::uses`] at the last look.
    uses: u64,
}

impl Run {
    fn begin(shared: Arc<ManualClockState>) -> Self {
        let waker = Arc::new(RunWaker {
            woken: AtomicU8::new(RUN),
            executor: Mutex::new(Waker::noop().clone()),
        });
        let run = (Arc::clone(&waker), RunPhase::Pending);
        shared.state.lock().runs.0.push(run);
        Self {
            shared,
            waker,
            turns: 0,
            uses: 0,
        }
    }

    fn poll<F: Future>(&mut self, future: Pin<&mut F>, executor: &Waker) -> Poll<F::Output> {
        let before = std::mem::replace(&mut *self.waker.executor.lock(), executor.clone());
        drop(before);
        let me = thread::current().id();
        let woken = self.take_woken(me);
        if woken > 0 {
            let waker = Waker::from(Arc::clone(&self.waker));
            let polled = future.poll(&mut Context::from_waker(&waker));
            let mut state = self.shared.state.lock();
            self.set_phase(&mut state, RunPhase::Pending);
            if woken == RUN {
                self.shared.announce(state);
                self.turns = 0;
            }
            if polled.is_ready() {
                return polled;
            }
        }
        self.pass_time(me, executor);
        Poll::Pending
    }

    /// Moves time on if everybody waits; otherwise sees to it that `executor` is woken to look again.
    fn pass_time(&mut self, me: ThreadId, executor: &Waker) {
        let mut state = self.shared.state.lock();
        if std::mem::replace(&mut self.uses, state.uses) != state.uses {
            self.turns = 0;
        }
        if state.due.is_empty() || state.others_move(me) || state.runs.others_run(me) {
            return state.audience.watch(&self.waker);
        }
        self.turns += 1;
        if self.turns > QUIET_TURNS {
            self.turns = 0;
            self.shared.fire_next(state, me);
        } else {
            drop(state);
        }
        // The other threads of the machine may have tasks to run.
        thread::yield_now();
        wake_to_look(executor);
    }

    /// How the future was woken, to be polled now. There is no instant at which it is neither woken nor polled.
    fn take_woken(&self, me: ThreadId) -> u8 {
        let mut state = self.shared.state.lock();
        let woken = self.waker.woken.swap(0, Ordering::AcqRel);
        match woken {
            0 => {}
            RUN => self.set_phase(&mut state, RunPhase::Runs(me)),
            _ => self.set_phase(&mut state, RunPhase::Looks(me)),
        }
        woken
    }

    fn set_phase(&self, state: &mut State, phase: RunPhase) {
        let mut runs = state.runs.0.iter_mut();
        if let Some(mine) = runs.find(|it| Arc::ptr_eq(&it.0, &self.waker)) {
            mine.1 = phase;
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let mut state = self.shared.state.lock();
        state.runs.0.retain(|it| !Arc::ptr_eq(&it.0, &self.waker));
        state.audience.watchers.retain(|it| !Arc::ptr_eq(it, &self.waker));
        self.shared.announce(state);
    }
}

impl ManualClockState {
    /// Lets everybody look again who waits for the state to change.
    pub(super) fn announce(&self, mut state: MutexGuard<'_, State>) {
        let watchers = std::mem::take(&mut state.audience.watchers);
        self.announce_sleepers(state);
        watchers.iter().for_each(|run| run.look());
    }

    /// [`announce`](Self::announce), but not to the futures of `run_until`.
    fn announce_sleepers(&self, mut state: MutexGuard<'_, State>) {
        let mut over = BTreeMap::new();
        if !state.audience.waits_for_sleepers.is_empty() {
            let (sleepers, waiting) = (state.sleepers(), std::mem::take(&mut state.audience.waits_for_sleepers));
            (over, state.audience.waits_for_sleepers) = waiting.into_iter().partition(|(_, (n, _))| *n <= sleepers);
        }
        drop(state);
        self.changed.notify_all();
        over.into_values().for_each(|(_, waker)| waker.wake());
    }

    /// Tells of a deadline that was set.
    ///
    /// A future of `run_until` goes to its deadlines itself, and sets them anew whenever it is polled: if the others
    /// looked again each time, two of them would keep each other awake.
    pub(super) fn announce_deadline(&self, mut state: MutexGuard<'_, State>) {
        if state.runs.are_polled_here() {
            self.announce_sleepers(state);
        } else {
            state.uses += 1;
            self.announce(state);
        }
    }

    /// Moves time to the next deadline and fires what is due then, as far as the threads that it wakes let it: a busy
    /// thread comes first. For a thread that [no other moves the clock beside](State::others_move).
    ///
    /// It has the turn meanwhile: a waker that was taken out and not called yet is seen by nobody else.
    fn fire_next<'s>(&'s self, mut state: MutexGuard<'s, State>, me: ThreadId) {
        let Some((deadline, _)) = state.due.keys().next().copied() else {
            return;
        };
        let mut turn = Turn::begin(self, &mut state, me);
        while !state.others_move(me) {
            let Some(waker) = state.pop_due(deadline) else { break };
            drop(state);
            waker.wake();
            state = self.state.lock();
        }
        turn.end(state);
    }
}

impl State {
    /// Whether a thread other than `me` is busy or moves the clock.
    fn others_move(&self, me: ThreadId) -> bool {
        self.is_busy_without(Some(me)) || self.turn.is_some_and(|it| it != me)
    }

    /// Takes note that a task or a thread uses the clock, unless it does so under a `run_until`.
    pub(super) fn note_use(&mut self) {
        if !self.runs.are_polled_here() {
            self.uses += 1;
        }
    }
}
