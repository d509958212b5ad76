//! Notices that code under test does not return, says where it is, and ends the process.
//!
//! Nobody can stop a thread from outside. A test that waits for one for ever says nothing, and an error that is answered
//! while the thread goes on would leave it at work in the tests that follow. So one thread of the kit looks on, and when a
//! single call of a consumer, or of other code of a check, has lasted for too long it ends the process as a panic of the
//! main thread does, with the exit code 101.

use {
    super::story::Place,
    crate::{
        clock::{Clock, Parker, SystemClock},
        sync::{Mutex, thread_local},
        time::Timestamp,
    },
    std::{
        cell::RefCell,
        fmt::Write as _,
        io::{self, Write as _},
        process,
        sync::{
            Arc, Weak,
            atomic::{AtomicU64, Ordering},
        },
        task::Waker,
        thread,
        time::Duration,
    },
};

/// So often a call is seen before it counts as blocked. Looks are counted, not time, so that a process that was stopped
/// for a while is not accused of what it could not do meanwhile.
const LOOKS: u32 = 8;

/// As of a process whose main thread panics.
const EXIT_CODE: i32 = 101;

/// A call of code that is not the kit's.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Call {
    /// The factory of the consumer with this number.
    Factory(usize),
    Consumer(usize),
    Action(usize),
    Always(usize),
    Sometimes(usize),
    Finally(usize),
    World,
    Queue,
    Strategy,
}

impl Call {
    pub(super) const fn only_looks(self) -> bool {
        matches!(self, Self::Always(_) | Self::Sometimes(_) | Self::Finally(_))
    }

    /// Never 0.
    const fn code(self) -> u64 {
        let (kind, number) = match self {
            Self::Factory(number) => (1, number),
            Self::Consumer(number) => (2, number),
            Self::Action(number) => (3, number),
            Self::Always(number) => (4, number),
            Self::Sometimes(number) => (5, number),
            Self::Finally(number) => (6, number),
            Self::World => (7, 0),
            Self::Queue => (8, 0),
            Self::Strategy => (9, 0),
        };
        kind << 56 | number as u64
    }

    const fn of(code: u64) -> Option<Self> {
        let number = (code & ((1 << 56) - 1)) as usize;
        Some(match code >> 56 {
            1 => Self::Factory(number),
            2 => Self::Consumer(number),
            3 => Self::Action(number),
            4 => Self::Always(number),
            5 => Self::Sometimes(number),
            6 => Self::Finally(number),
            7 => Self::World,
            8 => Self::Queue,
            9 => Self::Strategy,
            _ => return None,
        })
    }
}

/// What the code of a check is called, in the order of its numbers.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    pub(super) check: String,
    /// Each with the place where the check names it.
    pub(super) consumers: Vec<(Arc<str>, Place)>,
    pub(super) actions: Vec<Arc<str>>,
    pub(super) always: Vec<Arc<str>>,
    pub(super) sometimes: Vec<Arc<str>>,
    pub(super) finally: Vec<Arc<str>>,
}

impl Names {
    /// The call as the subject of a sentence.
    fn subject(&self, call: Option<Call>) -> String {
        let consumer = |number: usize| {
            let named = self.consumers.get(number);
            named.map_or_else(String::new, |(name, place)| format!("{name} (of {place})"))
        };
        let quoted =
            |names: &[Arc<str>], number: usize| names.get(number).map_or_else(String::new, |it| format!("{it:?}"));
        match call {
            Some(Call::Factory(number)) => format!("the factory of {}", consumer(number)),
            Some(Call::Consumer(number)) => consumer(number),
            Some(Call::Action(number)) => format!("the action {}", quoted(&self.actions, number)),
            Some(Call::Always(number)) => format!("the property {}", quoted(&self.always, number)),
            Some(Call::Sometimes(number)) => format!("the condition {}", quoted(&self.sometimes, number)),
            Some(Call::Finally(number)) => format!("the property {}", quoted(&self.finally, number)),
            Some(Call::World) => "the closure that makes the world".to_owned(),
            Some(Call::Queue) => "the closure that makes a queue".to_owned(),
            Some(Call::Strategy) => "the strategy for messages".to_owned(),
            None => "the code under test".to_owned(),
        }
    }
}

/// What more can be told of a case while the thread that runs it is blocked. It must wait for no lock that code under test
/// may hold.
pub(super) trait Witness: Send + Sync {
    fn testify(&self) -> String;
}

/// What one thread with a check shows of itself.
struct Beat {
    names: Names,
    limit: Duration,
    /// The code of the call that it is in, or 0.
    call: AtomicU64,
    /// Counts the changes of `call`.
    changes: AtomicU64,
    witness: Mutex<Option<Arc<dyn Witness>>>,
}

thread_local! {
    /// Of the check that this thread runs.
    static BEAT: RefCell<Option<Arc<Beat>>> = const { RefCell::new(None) };
}

/// Whom the thread looks at.
static WATCHED: Mutex<Vec<Watched>> = Mutex::new(Vec::new());

/// Wakes the thread, once it has begun.
static THREAD: Mutex<Option<Waker>> = Mutex::new(None);

/// A look at a beat, and those before it.
struct Watched {
    beat: Weak<Beat>,
    next_look: Timestamp,
    seen: (u64, u64),
    looks: u32,
}

/// While it lives, calls of this thread are those of a check.
pub(super) struct Watching {
    outer: Option<Arc<Beat>>,
    /// What the check calls in which this one is run.
    outer_call: u64,
}

/// Begins to watch this thread; a limit of [`Duration::MAX`] lets it take as long as it likes.
pub(super) fn watch(names: Names, limit: Duration) -> Watching {
    let beat = Arc::new(Beat {
        names,
        limit,
        call: AtomicU64::new(0),
        changes: AtomicU64::new(0),
        witness: Mutex::new(None),
    });
    if limit < Duration::MAX {
        WATCHED.lock().push(Watched {
            beat: Arc::downgrade(&beat),
            next_look: Timestamp::ZERO,
            seen: (0, 0),
            looks: 0,
        });
        wake_the_thread();
    }
    let outer = BEAT.with(|it| it.borrow_mut().replace(beat));
    let outer_call = outer.as_ref().map_or(0, |beat| beat.change(0));
    Watching { outer, outer_call }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let outer = self.outer.take();
        if let Some(outer) = &outer {
            outer.change(self.outer_call);
        }
        BEAT.with(|it| *it.borrow_mut() = outer);
    }
}

fn with_beat<T: Default>(look: impl FnOnce(&Beat) -> T) -> T {
    BEAT.with(|beat| beat.borrow().as_deref().map(look)).unwrap_or_default()
}

/// A call of this thread begins; what [`leave`] is to be given.
pub(super) fn enter(call: Call) -> u64 {
    with_beat(|beat| beat.change(call.code()))
}

pub(super) fn leave(before: u64) {
    with_beat(|beat| _ = beat.change(before));
}

/// Another call of this thread, from its beginning to its end.
pub(super) fn within<T>(call: Call, run: impl FnOnce() -> T) -> T {
    let before = enter(call);
    let result = run();
    leave(before);
    result
}

/// Says who knows more of the case that this thread runs.
pub(super) fn introduce(witness: Option<Arc<dyn Witness>>) {
    with_beat(|beat| *beat.witness.lock() = witness);
}

/// The check that this thread runs, and its code that is called: `the check orders`, `charger (of orders.rs:7)`.
pub(super) fn called() -> Option<(String, String)> {
    let name = |beat: &Beat| {
        let call = Call::of(beat.call.load(Ordering::Relaxed));
        Some((format!("the check {}", beat.names.check), beat.names.subject(call)))
    };
    with_beat(name)
}

impl Beat {
    /// Only the thread of the beat changes it.
    fn change(&self, call: u64) -> u64 {
        let before = self.call.load(Ordering::Relaxed);
        self.call.store(call, Ordering::Relaxed);
        let changes = self.changes.load(Ordering::Relaxed);
        self.changes.store(changes.wrapping_add(1), Ordering::Relaxed);
        before
    }

    fn period(&self) -> Duration {
        (self.limit / LOOKS).max(Duration::from_millis(1))
    }

    fn last_words(&self) -> String {
        let Self { names, limit, .. } = self;
        let subject = names.subject(Call::of(self.call.load(Ordering::Relaxed)));
        let mut text = format!(
            "\nthe check {} is blocked: {subject} has not returned for {} s.\n",
            names.check,
            limit.as_secs_f64(),
        );
        let witness = self.witness.lock().clone();
        if let Some(witness) = witness {
            text += &witness.testify();
        }
        let _ = writeln!(
            text,
            "It blocks its thread or loops for ever, and nothing can stop a thread: the process ends. Await \
             Context::wait instead, or set Check::blocked_after if it needs longer."
        );
        text
    }
}

impl Watched {
    /// Whether the call has been seen for so long that it counts as blocked.
    fn look(&mut self, beat: &Beat, now: Timestamp) -> bool {
        if now < self.next_look {
            return false;
        }
        self.next_look = now.saturating_add(beat.period());
        let seen = (beat.call.load(Ordering::Relaxed), beat.changes.load(Ordering::Relaxed));
        if seen != self.seen || seen.0 == 0 {
            self.seen = seen;
            self.looks = 0;
            return false;
        }
        self.looks += 1;
        self.looks >= LOOKS
    }
}

fn wake_the_thread() {
    let mut thread = THREAD.lock();
    if let Some(waker) = &*thread {
        return waker.wake_by_ref();
    }
    let (sender, wakers) = crossbeam_channel::bounded(1);
    let run = move || {
        let parker = Parker::new();
        let _ = sender.send(parker.waker());
        watch_for_ever(&parker);
    };
    // Where no thread can be made nobody is watched.
    if thread::Builder::new()
        .name("requeue-watchdog".to_owned())
        .spawn(run)
        .is_ok()
    {
        *thread = wakers.recv().ok();
    }
}

/// Sleeps while no check is run.
fn watch_for_ever(parker: &Parker) {
    let clock = SystemClock::new();
    loop {
        let now = clock.now();
        let mut next = None;
        let mut blocked = None;
        WATCHED.lock().retain_mut(|watched| {
            let Some(beat) = watched.beat.upgrade() else {
                return false;
            };
            if watched.look(&beat, now) {
                blocked = Some(beat);
            }
            next = Some(next.map_or(watched.next_look, |next: Timestamp| next.min(watched.next_look)));
            true
        });
        if let Some(beat) = blocked {
            // Written at once: the macros would keep it for the output of a test that never ends.
            let _ = io::stderr().write_all(beat.last_words().as_bytes());
            process::exit(EXIT_CODE);
        }
        clock.park_until(parker, next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_is_told_from_its_code() {
        let calls = [
            Call::Factory(0),
            Call::Consumer(1),
            Call::Action(2),
            Call::Always(300),
            Call::Sometimes(0),
            Call::Finally(7),
            Call::World,
            Call::Queue,
            Call::Strategy,
        ];
        for call in calls {
            assert!(call.code() != 0);
            assert_eq!(Call::of(call.code()), Some(call));
        }
        assert_eq!(Call::of(0), None);
    }

    #[test]
    fn only_a_call_that_is_seen_again_and_again_is_blocked() {
        let watching = watch(Names::default(), Duration::from_secs(8));
        let beat = BEAT.with(|it| it.borrow().clone()).unwrap();
        let mut watched = Watched {
            beat: Arc::downgrade(&beat),
            next_look: Timestamp::ZERO,
            seen: (0, 0),
            looks: 0,
        };
        let mut now = Timestamp::ZERO;
        let mut look = || {
            now = now.saturating_add(Duration::from_secs(1));
            watched.look(&beat, now)
        };
        assert!((0..20).all(|_| !look()), "nothing is called");
        let before = enter(Call::Consumer(0));
        assert!((0..LOOKS).all(|_| !look()));
        leave(before);
        let before = enter(Call::Consumer(0));
        assert!((0..LOOKS).all(|_| !look()), "it is another call");
        assert!(look());
        leave(before);
        drop(watching);
    }

    #[test]
    fn the_call_in_which_another_check_is_run_is_not_watched_meanwhile() {
        let outer = watch(Names::default(), Duration::MAX);
        let beat = BEAT.with(|it| it.borrow().clone()).unwrap();
        let before = enter(Call::Consumer(0));
        let inner = watch(Names::default(), Duration::MAX);
        assert_eq!(beat.call.load(Ordering::Relaxed), 0);
        drop(inner);
        assert_eq!(Call::of(beat.call.load(Ordering::Relaxed)), Some(Call::Consumer(0)));
        leave(before);
        assert_eq!(beat.call.load(Ordering::Relaxed), 0);
        drop(outer);
    }
}
