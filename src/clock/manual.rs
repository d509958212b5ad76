//! A clock that moves only when a test moves it.

use std::{
    collections::BTreeMap,
    fmt,
    sync::Arc,
    task::Waker,
    thread::{self, ThreadId},
    time::Duration,
};

mod run;

use run::{Audience, Runs};

use super::{
    Alarm, Clock, Parker,
    parker::{ParkerId, Watcher},
};
use crate::{
    sync::{Condvar, Mutex, MutexGuard},
    time::Timestamp,
};

/// 2026-01-01T00:00:00Z.
const START: Timestamp = Timestamp::from_millis(1_767_225_600_000);

/// Time that moves only when told to, for tests and simulations; clones share it.
///
/// [`advance`](Self::advance) goes from deadline to deadline, wakes who waits for each, and lets the woken threads
/// finish what they do before it goes on, so that a minute of queue life costs what happens in it and is the same on
/// every run. No thread is started: wakers are called by the thread that advances.
///
/// # Settling
/// A thread woken while it is parked in this clock, by the clock or by anyone who calls its [`Parker`]'s waker, is
/// *busy* until it parks again, by whichever `Parker`, or drops its own; a blocking receive that returns has dropped it. Every
/// `advance` first waits until no thread is busy, again after each deadline, and so returns with the system settled;
/// `advance(Duration::ZERO)` does only that. Threads that are themselves inside an `advance` of this clock are not
/// waited for. A future's waker is called and not waited for: run futures on the advancing thread, or
/// meet them with [`wait_for_sleepers`](Self::wait_for_sleepers), or let [`run_until`](Self::run_until) move the clock.
///
/// Calls of `advance`, `advance_to` and `set` from several threads take turns. Calling them while holding a lock that a
/// woken thread needs never ends. A waker may use the clock freely: register alarms, also ones due within the same
/// advance, and advance or set it.
///
/// # Examples
/// ```
/// use requeue::{Clock, ManualClock, Parker};
/// use std::{thread, time::Duration};
///
/// let clock = ManualClock::default();
/// let start = clock.now();
/// let sleeper = thread::spawn({
///     let clock = clock.clone();
///     move || {
///         let parker = Parker::new(); // busy from the wake until this is dropped
///         clock.park_until(&parker, Some(clock.now().saturating_add(Duration::from_secs(20))));
///         clock.now()
///     }
/// });
/// clock.wait_for_sleepers(1);
/// clock.advance(Duration::from_secs(60));
/// assert_eq!(sleeper.join().unwrap().saturating_duration_since(start), Duration::from_secs(20));
/// assert_eq!(clock.now().saturating_duration_since(start), Duration::from_secs(60));
/// ```
#[derive(Clone)]
pub struct ManualClock {
    shared: Arc<ManualClockState>,
}

struct ManualClockState {
    state: Mutex<State>,
    /// Signalled whenever a thread parks, leaves or begins to move the clock, an alarm is set, or a turn ends.
    changed: Condvar,
}

/// No waker is called or dropped under the lock that guards this.
struct State {
    now: Timestamp,
    /// Whom to wake when, alarms and parked threads alike.
    due: BTreeMap<Key, Waker>,
    next_order: u64,
    /// Every parker that has parked here and still exists.
    threads: BTreeMap<ParkerId, Tracked>,
    /// The thread whose turn it is to move the clock.
    turn: Option<ThreadId>,
    /// Threads inside a call that moves the clock, their turn or not.
    movers: Vec<ThreadId>,
    /// How often the clock was used by others than `runs`; a change means that somebody runs.
    uses: u64,
    runs: Runs,
    audience: Audience,
}

/// Deadline, then order of registration.
type Key = (Timestamp, u64);

struct Tracked {
    thread: ThreadId,
    phase: ThreadPhase,
}

#[derive(Clone, Copy)]
enum ThreadPhase {
    /// Blocked in `park_until`; with its entry of `due`, which the clock may just have removed to wake it.
    Parked(Option<Key>),
    /// Woken and not back yet.
    Busy,
}

impl ManualClock {
    /// A clock that shows `now`.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Clock, ManualClock, Timestamp};
    /// assert_eq!(ManualClock::at(Timestamp::from_millis(7)).now(), Timestamp::from_millis(7));
    /// ```
    #[must_use]
    pub fn at(now: Timestamp) -> Self {
        let state = State {
            now,
            due: BTreeMap::new(),
            next_order: 0,
            threads: BTreeMap::new(),
            turn: None,
            movers: Vec::new(),
            uses: 0,
            runs: Runs::default(),
            audience: Audience::default(),
        };
        Self {
            shared: Arc::new(ManualClockState {
                state: Mutex::new(state),
                changed: Condvar::new(),
            }),
        }
    }

    /// Moves time forward by `span`, waking whoever falls due, in order, each at its own deadline.
    ///
    /// Deadlines of the same millisecond fire in the order they were registered. Stops at [`Timestamp::MAX`]. See
    /// [Settling](Self#settling) for what it waits for.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Clock, ManualClock};
    /// use std::time::Duration;
    ///
    /// let clock = ManualClock::default();
    /// let start = clock.now();
    /// clock.advance(Duration::from_millis(1_500));
    /// assert_eq!(clock.now().saturating_duration_since(start), Duration::from_millis(1_500));
    /// ```
    pub fn advance(&self, span: Duration) {
        self.shared.move_clock(|now| now.saturating_add(span));
    }

    /// Moves time forward to `target` as [`advance`](Self::advance) does; a target in the past leaves it as it is.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Clock, ManualClock, Timestamp};
    ///
    /// let clock = ManualClock::at(Timestamp::from_millis(100));
    /// clock.advance_to(Timestamp::from_millis(250));
    /// clock.advance_to(Timestamp::from_millis(50));
    /// assert_eq!(clock.now(), Timestamp::from_millis(250));
    /// ```
    pub fn advance_to(&self, target: Timestamp) {
        self.shared.move_clock(|_| target);
    }

    /// Sets time to `now`: forward as [`advance_to`](Self::advance_to) does, backward firing nothing.
    ///
    /// Who already waits keeps the deadline it asked for, which is then further away.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Clock, ManualClock, Timestamp};
    ///
    /// let clock = ManualClock::at(Timestamp::from_millis(100));
    /// clock.set(Timestamp::from_millis(40)); // as a machine whose wall clock is put right
    /// assert_eq!(clock.now(), Timestamp::from_millis(40));
    /// ```
    pub fn set(&self, now: Timestamp) {
        self.shared.move_clock(|before| {
            if now < *before {
                *before = now;
            }
            now
        });
    }

    /// The first deadline that a parked thread or an alarm waits for.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Clock, ManualClock, Timestamp};
    /// use std::task::Waker;
    ///
    /// let clock = ManualClock::at(Timestamp::ZERO);
    /// assert_eq!(clock.next_deadline(), None);
    /// let alarms = [9, 5].map(|at| clock.wake_at(Timestamp::from_millis(at), Waker::noop().clone()));
    /// assert_eq!(clock.next_deadline(), Some(Timestamp::from_millis(5)));
    /// # drop(alarms);
    /// ```
    #[must_use]
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.shared
            .state
            .lock()
            .due
            .first_key_value()
            .map(|((deadline, _), _)| *deadline)
    }

    /// Blocks, in real time, until at least `n` threads and alarms together wait on this clock.
    ///
    /// Threads parked without a deadline count. This is how a test knows that the consumer it started has come to
    /// wait; it blocks for good if that never happens.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Clock, ManualClock, Parker};
    ///
    /// let clock = ManualClock::default();
    /// std::thread::scope(|scope| {
    ///     let (parker_out, parker_in) = std::sync::mpsc::channel();
    ///     let clock = &clock;
    ///     scope.spawn(move || {
    ///         let parker = Parker::new();
    ///         parker_out.send(parker.waker()).unwrap();
    ///         clock.park_until(&parker, None);
    ///     });
    ///     clock.wait_for_sleepers(1);
    ///     parker_in.recv().unwrap().wake();
    /// });
    /// ```
    pub fn wait_for_sleepers(&self, n: usize) {
        let mut state = self.shared.state.lock();
        while state.sleepers() < n {
            self.shared.changed.wait(&mut state);
        }
    }
}

impl Default for ManualClock {
    /// A clock that shows 2026-01-01T00:00:00Z.
    fn default() -> Self {
        Self::at(START)
    }
}

impl fmt::Debug for ManualClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.shared.state.lock();
        f.debug_struct("ManualClock")
            .field("now", &state.now)
            .field("sleepers", &state.sleepers())
            .finish()
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        let mut state = self.shared.state.lock();
        state.note_use();
        state.now
    }

    fn park_until(&self, parker: &Parker, deadline: Option<Timestamp>) {
        let watcher: Arc<ManualClockState> = Arc::clone(&self.shared);
        parker.watch(watcher);
        if self.shared.begin_park(parker, deadline) {
            while self.shared.is_parked(parker.id()) {
                thread::park();
            }
            parker.take_wake();
        }
    }

    fn wake_at(&self, deadline: Timestamp, waker: Waker) -> Alarm {
        let mut state = self.shared.state.lock();
        if deadline <= state.now && state.turn.is_none() {
            drop(state);
            waker.wake();
            return Alarm::default();
        }
        // A deadline already reached is left to the thread that moves the clock: it looks again before it ends.
        let key = state.insert(deadline, waker);
        self.shared.announce_deadline(state);
        let shared = Arc::clone(&self.shared);
        Alarm::new(move || {
            let mut state = shared.state.lock();
            state.note_use();
            let cancelled = state.due.remove(&key);
            drop(state);
            drop(cancelled);
        })
    }
}

impl ManualClockState {
    /// Takes a turn to move the clock to what `target` makes of the time at its start.
    fn move_clock(&self, target: impl FnOnce(&mut Timestamp) -> Timestamp) {
        let mut turn = Turn::take(self);
        let mut state = self.settled();
        let target = target(&mut state.now);
        while let Some(waker) = state.pop_due(target) {
            drop(state);
            waker.wake();
            state = self.settled();
        }
        state.now = state.now.max(target);
        turn.end(state);
    }

    /// The state at an instant when no thread is busy.
    fn settled(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock();
        while state.is_busy() {
            self.changed.wait(&mut state);
        }
        state
    }

    /// Whether `parker` has to block, and if so counts it as parked.
    fn begin_park(&self, parker: &Parker, deadline: Option<Timestamp>) -> bool {
        let mut state = self.state.lock();
        let woken = parker.take_wake();
        if woken {
            state.track(parker, ThreadPhase::Busy);
        }
        if woken || deadline.is_some_and(|it| it <= state.now) {
            return false;
        }
        let key = deadline.map(|it| state.insert(it, parker.waker()));
        state.track(parker, ThreadPhase::Parked(key));
        self.announce(state);
        true
    }

    fn is_parked(&self, parker: ParkerId) -> bool {
        let state = self.state.lock();
        state
            .threads
            .get(&parker)
            .is_some_and(|it| matches!(it.phase, ThreadPhase::Parked(_)))
    }
}

impl Watcher for ManualClockState {
    fn on_wake(&self, parker: ParkerId) {
        let mut state = self.state.lock();
        let Some(tracked) = state.threads.get_mut(&parker) else {
            return;
        };
        if let ThreadPhase::Parked(key) = std::mem::replace(&mut tracked.phase, ThreadPhase::Busy) {
            let timeout = key.and_then(|it| state.due.remove(&it));
            drop(state);
            drop(timeout);
        }
    }

    fn on_leave(&self, parker: ParkerId) {
        let mut state = self.state.lock();
        state.uses += 1;
        state.threads.remove(&parker);
        self.announce(state);
    }
}

impl State {
    fn insert(&mut self, deadline: Timestamp, waker: Waker) -> Key {
        let key = (deadline, self.next_order);
        self.next_order += 1;
        self.due.insert(key, waker);
        key
    }

    /// The next waker to call on the way to `target`, with the time moved to its deadline.
    fn pop_due(&mut self, target: Timestamp) -> Option<Waker> {
        // A waker that moves the clock itself may have left it past `target`, with alarms due since.
        let until = target.max(self.now);
        let first = self.due.first_entry().filter(|it| it.key().0 <= until)?;
        let ((deadline, _), waker) = first.remove_entry();
        self.now = self.now.max(deadline);
        Some(waker)
    }

    fn track(&mut self, parker: &Parker, phase: ThreadPhase) {
        self.threads.insert(
            parker.id(),
            Tracked {
                thread: parker.thread_id(),
                phase,
            },
        );
    }

    fn is_busy(&self) -> bool {
        self.is_busy_without(None)
    }

    /// Whether a thread other than `me` is busy.
    fn is_busy_without(&self, me: Option<ThreadId>) -> bool {
        let counts = |thread| Some(thread) != me && !self.movers.contains(&thread);
        let busy = |it: &Tracked| matches!(it.phase, ThreadPhase::Busy) && counts(it.thread);
        // A thread that was woken may park anew in something it calls, which has a parker of its own.
        let parks_anew = |thread: ThreadId| {
            let parked = |it: &Tracked| it.thread == thread && matches!(it.phase, ThreadPhase::Parked(_));
            self.threads.values().any(parked)
        };
        self.threads.values().any(|it| busy(it) && !parks_anew(it.thread))
    }

    fn sleepers(&self) -> usize {
        let parked = |it: &&Tracked| matches!(it.phase, ThreadPhase::Parked(_));
        let timed = |it: &&Tracked| matches!(it.phase, ThreadPhase::Parked(Some(key)) if self.due.contains_key(&key));
        let threads = self.threads.values();
        self.due.len() + threads.clone().filter(parked).count() - threads.filter(timed).count()
    }
}

/// The right to move the clock; a thread that has it, because a waker moves the clock too, gets it again at once.
struct Turn<'a> {
    shared: &'a ManualClockState,
    nested: bool,
    ended: bool,
}

impl<'a> Turn<'a> {
    fn take(shared: &'a ManualClockState) -> Self {
        let me = thread::current().id();
        let mut state = shared.state.lock();
        state.movers.push(me);
        // Whoever has the turn may be waiting for this thread to settle.
        shared.changed.notify_all();
        while state.turn.is_some_and(|it| it != me) {
            shared.changed.wait(&mut state);
        }
        Self::of_mover(shared, &mut state, me)
    }

    /// For a thread that need not wait for it: no other has the turn.
    fn begin(shared: &'a ManualClockState, state: &mut State, me: ThreadId) -> Self {
        state.movers.push(me);
        Self::of_mover(shared, state, me)
    }

    fn of_mover(shared: &'a ManualClockState, state: &mut State, me: ThreadId) -> Self {
        let nested = state.turn.replace(me).is_some();
        Self {
            shared,
            nested,
            ended: false,
        }
    }

    /// Ends the turn under the lock that saw nothing left to fire.
    fn end(&mut self, mut state: MutexGuard<'_, State>) {
        self.ended = true;
        if !self.nested {
            state.turn = None;
        }
        let me = thread::current().id();
        let mine = state.movers.iter().rposition(|it| *it == me);
        state
            .movers
            .remove(mine.expect("invariant: a turn is listed among the movers"));
        self.shared.announce(state);
    }
}

impl Drop for Turn<'_> {
    /// Reached before `end` only when a waker panics.
    fn drop(&mut self) {
        if !self.ended {
            let shared = self.shared;
            self.end(shared.state.lock());
        }
    }
}

#[cfg(test)]
mod tests;
