//! Catches panics of the code under test and silences their output.

use {
    crate::sync::thread_local,
    std::{
        any::Any,
        cell::Cell,
        panic::{self, AssertUnwindSafe},
        sync::Once,
    },
};

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

static HOOK: Once = Once::new();

/// Runs code of the user; its panic is the text of the error.
///
/// A shrinking check runs a panicking consumer hundreds of times: the hook that prints panics is told to leave out
/// those that are caught here, and goes on printing all others.
pub(super) fn quietly<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !QUIET.with(Cell::get) {
                before(info);
            }
        }));
    });
    let outer = QUIET.with(|it| it.replace(true));
    let result = panic::catch_unwind(AssertUnwindSafe(run));
    QUIET.with(|it| it.set(outer));
    result.map_err(|payload| text(&*payload))
}

fn text(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
    text.unwrap_or("without a text")
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned()
}
