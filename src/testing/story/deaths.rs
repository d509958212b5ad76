//! What a consumer that dies had before it.

use {
    super::{
        super::{faults::Fault, source::Step},
        Event, EventKind,
    },
    std::iter,
};

/// Tells of each death where it was and what the consumer did not come to: `dies at orders.rs:42, before it deletes m1`.
///
/// `without` gives the events of the same schedule without the fault of one death, counted from 0 in the order of the
/// events, or none if it cannot be run. Where that run is not the same up to the death, or the consumer has nothing left
/// to do in it, the death is told with its place only.
pub(in crate::testing) fn explain_deaths(events: &mut [Event], mut without: impl FnMut(usize) -> Option<Vec<Event>>) {
    let is_death = |at: &usize| events[*at].kind == EventKind::Death;
    let deaths: Vec<usize> = (0..events.len()).filter(is_death).collect();
    for (number, at) in deaths.into_iter().enumerate() {
        let undisturbed = without(number);
        let next = undisturbed.and_then(|other| not_come_to(&events[..=at], &other));
        let death = &mut events[at];
        death.what = match (death.place, next) {
            (Some(place), Some(next)) => format!("dies at {place}, before it {next}"),
            (None, Some(next)) => format!("dies before it {next}"),
            (Some(place), None) => format!("{} (at {place})", death.what),
            (None, None) => continue,
        };
    }
}

/// The steps up to the death with this number, counted from 0, without it; from there on a case goes on by itself.
pub(in crate::testing) fn steps_without_death(steps: &[Step], number: usize) -> Option<Vec<Step>> {
    let is_crash = |step: &Step| {
        let fault = step.strike().map(|it| it.fault);
        matches!(
            fault,
            Some(Fault::CrashBeforeWork | Fault::CrashBeforeDelete | Fault::CrashAfterDelete)
        )
    };
    let mut deaths = (0..steps.len()).filter(|at| is_crash(&steps[*at]));
    let at = deaths.nth(number)?;
    let (before, last) = (&steps[..at], steps[at]);
    // A run until the fault strikes is what a case does by itself.
    let last = iter::once(last.with_strike(None)).filter(|it| !matches!(it, Step::RunUntil { .. }));
    Some(before.iter().copied().chain(last).collect())
}

/// What the actor of the last event does in the other run instead of dying.
fn not_come_to(until_death: &[Event], other: &[Event]) -> Option<String> {
    let (death, before) = until_death.split_last()?;
    // The text of an earlier death has changed.
    let same = |(one, other): (&Event, &Event)| {
        (one.at_millis, &one.who, one.kind, &one.messages, one.fault)
            == (other.at_millis, &other.who, other.kind, &other.messages, other.fault)
    };
    let (begin, after) = other.split_at_checked(before.len())?;
    if !begin.iter().zip(before).all(same) {
        return None;
    }
    // That a handler begins is told when it waits for the first time, and so may be told after the death's place.
    let next = after
        .iter()
        .find(|it| it.who == death.who && it.kind != EventKind::Other)?;
    let verb = match death.fault {
        Some(Fault::CrashBeforeWork) => "works on",
        _ => "is done with",
    };
    match next.kind {
        // It had nothing left to do.
        EventKind::Receive | EventKind::Death => None,
        EventKind::Finish if !next.messages.is_empty() => Some(format!("{verb} {}", next.messages.join(", "))),
        EventKind::Note => Some(format!("notes {:?}", next.what)),
        _ => {
            // What was not sent has no name in this story.
            let is_known = |name: &String| before.iter().any(|it| it.messages.contains(name));
            let unknown = next.messages.iter().filter(|name| !is_known(name));
            let told = unknown.fold(next.what.clone(), |told, name| {
                told.replacen(&format!("{name} "), "", 1)
            });
            Some(act(&told).to_owned())
        }
    }
}

/// What was done, without what came of it, which follows a colon.
fn act(what: &str) -> &str {
    let (mut quoted, mut escaped) = (false, false);
    for (at, letter) in what.char_indices() {
        match letter {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ':' if !quoted && what[at..].starts_with(": ") => return &what[..at],
            _ => {}
        }
    }
    what
}
