//! Catches panics of the code under test, silences their output, and knows where they were.

use {
    super::watchdog::{self, Call},
    crate::sync::{Death, thread_local},
    std::{
        any::Any,
        cell::{Cell, RefCell},
        fmt,
        io::{self, Write as _},
        mem,
        panic::{self, AssertUnwindSafe},
        sync::Once,
        task::Waker,
        thread,
    },
};

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
    /// Code that may change a world has been called.
    static CALLED: Cell<bool> = const { Cell::new(false) };
    /// The actor that the kit has called died in the call: nothing of it goes on.
    static DEAD: Cell<bool> = const { Cell::new(false) };
    /// Woken when it dies.
    static AT_DEATH: RefCell<Option<Waker>> = const { RefCell::new(None) };
    /// The panics of the call that is under way.
    static NOTED: RefCell<Vec<Panic>> = const { RefCell::new(Vec::new()) };
}

static HOOK: Once = Once::new();

/// What Rust says of a panic that nothing can catch, for it came while another one unwound the thread.
const LAST_WORDS: &[&str] = &["in a destructor during cleanup", "cannot unwind"];

/// So many characters of what a panic says are told.
const MOST_OF_A_TEXT: usize = 2_000;

/// A panic that was caught.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Panic {
    text: String,
    /// The name of the file, and the line.
    place: Option<String>,
}

impl fmt::Display for Panic {
    /// Where it was and what it says, behind a verb: ` at orders.rs:42: no disk`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { text, place } = self;
        if let Some(place) = place {
            write!(f, " at {place}")?;
        }
        match text.char_indices().nth(MOST_OF_A_TEXT) {
            Some((end, _)) => write!(f, ": {}... ({} bytes)", &text[..end], text.len())?,
            None => write!(f, ": {text}")?,
        }
        // What tokio says to code that it does not run.
        if text.contains("there is no reactor running") {
            f.write_str("; Consumer::on_tokio runs a consumer on tokio, with the feature testing-tokio")?;
        }
        Ok(())
    }
}

/// Runs code of the user, in which no panic gets beyond the call.
///
/// A shrinking check runs a panicking consumer hundreds of times: the hook that prints panics is told to leave out
/// those that are caught here, and goes on printing all others.
pub(super) fn quietly<T>(call: Call, run: impl FnOnce() -> T) -> Result<T, Panic> {
    HOOK.call_once(set_hook);
    let outer = QUIET.replace(true);
    if !outer {
        NOTED.with_borrow_mut(Vec::clear);
    }
    // The calls of a check that is run within another one.
    let (dead, at_death) = (DEAD.take(), AT_DEATH.take());
    let before = watchdog::enter(call);
    let result = panic::catch_unwind(AssertUnwindSafe(run));
    watchdog::leave(before);
    QUIET.set(outer);
    CALLED.set(CALLED.get() || !call.only_looks());
    DEAD.set(dead);
    AT_DEATH.set(at_death);
    result.map_err(|payload| noted(text(&*payload)))
}

/// Whether code of the user that does more than look has been called since this was asked last.
pub(super) fn take_called() -> bool {
    CALLED.take()
}

/// The panics of the last call that were caught before they reached the kit, as those of a spawned task are.
pub(super) fn take_caught() -> Vec<Panic> {
    NOTED.take()
}

/// The actor that the kit has called is dead until the call is over.
pub(super) fn die() {
    DEAD.set(true);
    if let Some(waker) = AT_DEATH.take() {
        waker.wake();
    }
}

pub(super) fn is_dead() -> bool {
    DEAD.get()
}

/// Who runs other parts of an actor, and must not once it is dead.
#[cfg(feature = "testing-tokio")]
pub(super) fn wake_at_death(waker: &Waker) {
    AT_DEATH.set(Some(waker.clone()));
}

/// Unwinds an actor that dies, out of the call that it makes.
pub(super) fn unwind_the_dead() -> ! {
    panic::resume_unwind(Box::new(Death))
}

/// Unwinds an actor again that has caught the unwinding it was ended with. A second one at once would end the process.
pub(super) fn stay_dead() {
    if is_dead() && !thread::panicking() {
        unwind_the_dead();
    }
}

/// The panic with this text, which is no longer among those that nobody has seen.
fn noted(text: String) -> Panic {
    NOTED
        .with_borrow_mut(|noted| {
            let last = noted.iter().rposition(|panic| panic.text == text);
            last.map(|last| noted.remove(last))
        })
        .unwrap_or(Panic { text, place: None })
}

fn set_hook() {
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if !QUIET.try_with(Cell::get).unwrap_or(false) {
            return before(info);
        }
        let panic = Panic {
            text: text(info.payload()),
            place: info.location().map(|at| {
                let file = at.file().rsplit(['/', '\\']).next().unwrap_or_default();
                format!("{file}:{}", at.line())
            }),
        };
        if LAST_WORDS.iter().any(|words| panic.text.contains(words)) {
            tell_of_the_end();
            before(info);
        }
        let _ = NOTED.try_with(|noted| noted.borrow_mut().push(panic));
    }));
}

/// A panic in a destructor during an unwinding ends the process, which nobody can prevent.
fn tell_of_the_end() {
    let noted = NOTED.with(|noted| mem::take(&mut *noted.borrow_mut()));
    let (check, subject) = watchdog::called().unwrap_or_default();
    let mut text = format!("\n{check} ends the process: ");
    match &noted[..] {
        [.., last] if is_dead() => {
            text += &format!(
                "a destructor of {subject} panicked{last}\nwhile the check ended it in the middle of a call, as a crash does."
            );
        }
        [.., first, last] => {
            text += &format!("{subject} panicked{first}\nand while that unwound it, a destructor panicked{last}");
        }
        _ => text += &format!("a destructor of {subject} panicked during an unwinding."),
    }
    text += "\nRust ends the process at a panic during an unwinding.\n";
    // Written at once: what the macros would keep for the output of the test is lost with the process.
    let _ = io::stderr().write_all(text.as_bytes());
}

/// The first line of what a panic says.
fn text(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
    text.unwrap_or("without a text")
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caught(run: impl FnOnce()) -> Panic {
        quietly(Call::Consumer(0), run).unwrap_err()
    }

    #[test]
    fn a_panic_knows_its_text_and_place() {
        let line = line!() + 1;
        let panic = caught(|| panic!("no disk\nat all"));
        assert_eq!(panic.to_string(), format!(" at quiet.rs:{line}: no disk"));
        assert_eq!(take_caught(), []);
    }

    #[test]
    fn a_panic_that_is_raised_again_keeps_its_place() {
        let panic = caught(|| {
            let payload = panic::catch_unwind(|| panic!("no disk")).unwrap_err();
            panic::resume_unwind(payload);
        });
        assert!(panic.to_string().starts_with(" at quiet.rs:"), "{panic}");
    }

    #[test]
    fn a_payload_without_a_text_is_told_as_that() {
        assert_eq!(caught(|| panic::panic_any(5)).text, "without a text");
        assert_eq!(
            caught(|| panic::resume_unwind(Box::new(5))).to_string(),
            ": without a text"
        );
    }

    #[test]
    fn what_is_caught_inside_can_be_asked_for() {
        let inside = || drop(panic::catch_unwind(|| panic!("no disk")));
        assert_eq!(quietly(Call::Consumer(0), inside), Ok(()));
        let caught = take_caught();
        assert_eq!(caught.len(), 1);
        assert_eq!(caught[0].text, "no disk");
        assert_eq!(take_caught(), []);
    }

    #[test]
    fn who_misses_tokio_is_told_how_to_get_it() {
        let text = "there is no reactor running, must be called from the context of a Tokio 1.x runtime";
        let panic = caught(|| panic!("{text}"));
        assert!(panic.to_string().contains(text));
        assert!(panic.to_string().contains("Consumer::on_tokio"));
    }

    #[test]
    fn a_death_is_no_panic() {
        let dies = || {
            die();
            unwind_the_dead()
        };
        assert_eq!(caught(dies).place, None);
        assert!(!is_dead());
        assert_eq!(take_caught(), []);
    }
}
