//! Stories made by hand.

use {
    super::{
        Colours, Event, EventKind, Place, Story, explain_deaths, instant, lines, render::span, steps_without_death,
    },
    crate::testing::{
        faults::Fault,
        source::{Step, Strike},
    },
};

pub(super) fn event(at_millis: u64, who: &str, kind: EventKind, what: &str) -> Event {
    let words = what.split(|letter: char| !letter.is_ascii_alphanumeric());
    let is_name = |word: &&str| word.strip_prefix('m').is_some_and(|it| it.parse::<u32>().is_ok());
    Event {
        at_millis,
        who: who.to_owned(),
        what: what.to_owned(),
        queue: Some("orders".into()),
        messages: words.filter(is_name).map(str::to_owned).collect(),
        kind,
        ..Event::default()
    }
}

pub(super) fn struck(fault: Fault, event: Event) -> Event {
    let fault = Some(fault);
    Event { fault, ..event }
}

pub(super) fn at_line(line: u32, event: Event) -> Event {
    let file = "src/shop/orders.rs";
    let place = Some(Place { file, line });
    Event { place, ..event }
}

pub(super) fn story(events: Vec<Event>) -> Story {
    Story {
        events,
        violation: "it does not hold that no order is charged twice".to_owned(),
        replay: "seed 0, case 1".to_owned(),
    }
}

const MINUTE: u64 = 60_000;
const DAY: u64 = 24 * 60 * MINUTE;

/// What happens in one receive of a message that nobody can read.
fn misread(at_millis: u64, receive: u64) -> [Event; 3] {
    [
        event(at_millis, "parser", EventKind::Receive, "receives m1"),
        event(at_millis, "parser", EventKind::Note, &format!("try {receive}")),
        event(
            at_millis,
            "parser",
            EventKind::Finish,
            "works on m1: failed (no number)",
        ),
    ]
}

/// A message that nobody can read, received so many times, and that it expires.
pub(super) fn poison(receives: u64) -> Vec<Event> {
    let mut events = vec![event(0, "producer", EventKind::Send, "sends m1 \"five\"")];
    events.extend((0..receives).flat_map(|it| misread(it * MINUTE / 2, it + 1)));
    events.push(event(receives * MINUTE / 2, "queue", EventKind::Expire, "m1 expires"));
    events
}

/// The lines without their times.
fn told(events: Vec<Event>) -> Vec<String> {
    let lines = story(events).lines();
    let without_time = |line: &String| line.trim_start().split_once("  ").map(|it| it.1.trim().to_owned());
    lines.iter().filter_map(without_time).collect()
}

#[test]
fn a_cycle_is_told_once_with_its_period_its_number_and_its_end() {
    let story = story(poison(11_520));
    assert_eq!(story.events.len(), 34_562);
    assert_eq!(
        story.to_string(),
        "       0:00.000  producer  sends m1 \"five\"
       0:00.000  parser    receives m1
       0:00.000  parser    try 1
       0:00.000  parser    works on m1: failed (no number)
            ...  and so on every 30 s, 11,520 times in all, until 3d 23:59:30.000
4d 00:00:00.000  queue     m1 expires
violated: it does not hold that no order is charged twice
replay:   seed 0, case 1
"
    );
    assert_eq!(story.lines().len(), 6);
    assert!(
        story
            .render(true)
            .contains("\u{1b}[2m            ...  and so on every 30 s")
    );
}

#[test]
fn three_times_are_a_cycle_and_two_are_not() {
    assert_eq!(told(poison(2)).len(), 8);
    let lines = told(poison(3));
    assert_eq!(lines.len(), 6);
    assert_eq!(lines[4], "and so on every 30 s, 3 times in all, until 1:00.000");
}

#[test]
fn two_consumers_by_turns_are_one_cycle() {
    let both = |it: u64| {
        let at = it * 3 * MINUTE;
        let a = event(at, "a", EventKind::Receive, "receives m1");
        let b = event(at + 1_500, "b", EventKind::Receive, "receives m1");
        [a, b]
    };
    let mut events: Vec<_> = (0..20).flat_map(both).collect();
    events.push(event(DAY, "b", EventKind::Other, "stands still"));
    assert_eq!(
        told(events),
        [
            "a  receives m1",
            "b  receives m1",
            "and so on every 3 min, 20 times in all, until 57:01.500",
            "b  stands still",
        ]
    );
}

#[test]
fn a_cycle_with_a_new_message_every_time_names_the_last() {
    let resent = |it: u64| {
        let (old, new) = (it + 1, it + 2);
        let receives = event(it * 1_500, "c", EventKind::Receive, &format!("receives m{old}"));
        let sends = event(it * 1_500, "c", EventKind::Send, &format!("sends m{new} \"again\""));
        let deletes = event(it * 1_500, "c", EventKind::Delete, &format!("deletes m{old}"));
        [receives, deletes, sends]
    };
    let mut events: Vec<_> = (0..100).flat_map(resent).collect();
    events.push(event(DAY, "c", EventKind::Receive, "receives nothing"));
    assert_eq!(
        told(events)[3],
        "and so on every 1.5 s up to m101, 100 times in all, until 2:28.500"
    );
}

#[test]
fn without_a_constant_period_more_has_to_be_saved_and_no_period_is_told() {
    let later_and_later = |count: u64| {
        let mut events: Vec<_> = (0..count).flat_map(|it| misread(it * it * 1_000, it)).collect();
        events.push(event(DAY, "queue", EventKind::Expire, "m1 expires"));
        told(events)
    };
    assert_eq!(later_and_later(4).len(), 13);
    assert_eq!(later_and_later(12)[3], "and so on, 12 times in all, until 2:01.000");
    let at_once = |count: u64| {
        let send = |it| event(0, "producer", EventKind::Send, &format!("sends m{} \"5 EUR\"", it + 1));
        let mut events: Vec<_> = (0..count).map(send).collect();
        events.push(event(0, "c", EventKind::Receive, "receives m1"));
        told(events)
    };
    assert_eq!(at_once(5).len(), 6);
    assert_eq!(at_once(10_000)[1], "and so on up to m10000, 10,000 times in all");
}

#[test]
fn a_period_that_begins_late_is_told_from_its_begin() {
    let waits = [1, 2, 15, 15, 15, 15, 15, 15];
    let times = waits.iter().scan(0, |at, wait| {
        *at += wait * MINUTE;
        Some(*at)
    });
    let mut events: Vec<_> = times.zip(1..).flat_map(|(at, receive)| misread(at, receive)).collect();
    events.push(event(DAY, "queue", EventKind::Expire, "m1 expires"));
    let lines = told(events);
    let cycle = lines.iter().find(|it| it.starts_with("and so on")).unwrap();
    assert_eq!(cycle, "and so on every 15 min, 7 times in all, until 1:33:00.000");
}

#[test]
fn what_differs_is_told() {
    for other in [
        struck(
            Fault::ReceiveThrottled,
            event(MINUTE, "a", EventKind::Receive, "receives m1"),
        ),
        at_line(7, event(MINUTE, "a", EventKind::Receive, "receives m1")),
        event(MINUTE, "b", EventKind::Receive, "receives m1"),
        event(MINUTE, "a", EventKind::Other, "receives m1"),
        event(MINUTE, "a", EventKind::Receive, "receives m2"),
        event(MINUTE, "a", EventKind::Receive, "receives m1 late"),
        Event {
            messages: vec!["m7".to_owned()],
            ..event(MINUTE, "a", EventKind::Receive, "receives m1")
        },
    ] {
        let mut events: Vec<_> = (0..10)
            .map(|it| event(it * MINUTE / 4, "a", EventKind::Receive, "receives m1"))
            .collect();
        events[4] = other.clone();
        let lines = told(events);
        assert!(lines.iter().any(|line| line.contains(&other.what)), "{lines:?}");
        assert!(lines.len() > 5, "{lines:?}");
    }
}

#[test]
fn the_last_event_is_always_told() {
    let mut events = poison(50);
    events.pop();
    let lines = told(events);
    assert_eq!(lines.last().unwrap(), "parser    works on m1: failed (no number)");
    assert!(lines.len() <= 9, "{lines:?}");
}

#[test]
fn a_fold_loses_no_event() {
    for receives in 0..20 {
        for rest in 0..4 {
            let mut events = poison(receives);
            events.truncate(events.len().saturating_sub(rest));
            let rows = super::fold::fold(&events);
            let mut expected = 0;
            for row in &rows {
                match row {
                    super::fold::Row::Event(at) => {
                        assert_eq!(*at, expected);
                        expected += 1;
                    }
                    super::fold::Row::Again(cycle) => {
                        assert_eq!(cycle.first.end, expected);
                        expected = cycle.all().end;
                    }
                }
            }
            assert_eq!(expected, events.len());
        }
    }
    assert!(story(Vec::new()).lines().is_empty());
}

#[test]
fn a_timeline_is_not_folded() {
    assert_eq!(lines(&poison(50), Colours::of(false)).len(), 152);
}

#[test]
fn instants_have_hours_and_days_only_when_they_need_them() {
    let times = [
        0,
        59_999,
        MINUTE,
        60 * MINUTE - 1,
        60 * MINUTE,
        DAY - 1,
        DAY,
        14 * DAY + 61_001,
    ];
    assert_eq!(
        times.map(instant),
        [
            "0:00.000",
            "0:59.999",
            "1:00.000",
            "59:59.999",
            "1:00:00.000",
            "23:59:59.999",
            "1d 00:00:00.000",
            "14d 00:01:01.001"
        ]
    );
}

#[test]
fn spans_are_exact_in_the_largest_unit() {
    let spans = [0, 1, 1_500, 90_000, 90 * MINUTE, 12 * 60 * MINUTE, DAY + 1];
    assert_eq!(
        spans.map(span),
        ["0 s", "1 ms", "1.5 s", "90 s", "90 min", "12 h", "1d 00:00:00.001"]
    );
}

fn charge(died: bool) -> Vec<Event> {
    let mut events = vec![
        event(0, "producer", EventKind::Send, "sends m1 \"a: b\""),
        event(0, "c", EventKind::Receive, "receives m1"),
    ];
    if died {
        let death = event(0, "c", EventKind::Death, "dies at a checkpoint, and starts afresh");
        events.push(at_line(42, struck(Fault::CrashBeforeDelete, death)));
    }
    events
}

/// How the death is told if its consumer would have gone on like this.
fn explained(next: &[Event]) -> String {
    let mut events = charge(true);
    let undisturbed = [charge(false), next.to_vec()].concat();
    explain_deaths(&mut events, |number| {
        assert_eq!(number, 0);
        Some(undisturbed.clone())
    });
    events[2].what.clone()
}

#[test]
fn a_death_is_told_with_its_place_and_what_it_prevented() {
    let of_another = event(0, "d", EventKind::Delete, "deletes m1");
    let begins = event(0, "c", EventKind::Other, "begins m1");
    let next = |kind, what: &str| explained(&[of_another.clone(), begins.clone(), event(9, "c", kind, what)]);
    for (kind, what, told) in [
        (EventKind::Delete, "deletes m1", "deletes m1"),
        (EventKind::Delete, "deletes m1: the response was lost", "deletes m1"),
        (
            EventKind::Send,
            "sends m2 \"a: \\\"b: \", m3 \"c\"",
            "sends \"a: \\\"b: \", \"c\"",
        ),
        (EventKind::Note, "charges: 5 EUR", "notes \"charges: 5 EUR\""),
        (EventKind::Finish, "works on m1: ok, m2: ok", "is done with m1, m2"),
    ] {
        assert_eq!(next(kind, what), format!("dies at orders.rs:42, before it {told}"));
    }
}

#[test]
fn a_death_before_the_work_is_told_as_that() {
    let mut events = charge(true);
    events[2].fault = Some(Fault::CrashBeforeWork);
    events[2].place = None;
    let works = event(0, "c", EventKind::Finish, "works on m1: ok");
    explain_deaths(&mut events, |_| Some([charge(false), vec![works.clone()]].concat()));
    assert_eq!(events[2].what, "dies before it works on m1");
}

#[test]
fn a_death_that_prevented_nothing_is_told_with_its_place() {
    let alone = "dies at a checkpoint, and starts afresh (at orders.rs:42)";
    assert_eq!(explained(&[]), alone);
    assert_eq!(explained(&[event(9, "c", EventKind::Receive, "receives m2")]), alone);
    assert_eq!(explained(&[event(9, "c", EventKind::Death, "dies")]), alone);
}

#[test]
fn a_death_is_not_explained_by_another_story() {
    let mut another = charge(false);
    another[0].at_millis = 1;
    another.push(event(9, "c", EventKind::Delete, "deletes m1"));
    for other in [None, Some(Vec::new()), Some(poison(1)), Some(another)] {
        let mut events = charge(true);
        events[2].place = None;
        explain_deaths(&mut events, |_| other.clone());
        assert_eq!(events[2].what, charge(true)[2].what);
    }
}

#[test]
fn each_death_is_explained_by_the_run_without_it() {
    let death = || event(0, "c", EventKind::Death, "dies");
    let mut events = [
        charge(true),
        vec![event(9, "c", EventKind::Receive, "receives m1"), death()],
    ]
    .concat();
    let before = events.clone();
    explain_deaths(&mut events, |number| {
        let (until, next) = [(2, "deletes m1"), (4, "deletes m7")][number];
        Some([&before[..until], &[event(9, "c", EventKind::Delete, next)]].concat())
    });
    assert_eq!(events[2].what, "dies at orders.rs:42, before it deletes m1");
    assert_eq!(events[4].what, "dies before it deletes m7");
}

#[test]
fn a_schedule_without_a_death_ends_with_the_step_that_brought_it() {
    let (send, dies, lost) = (
        |message| Step::Send { message, strike: None },
        Fault::CrashBeforeWork,
        Fault::DeleteFails,
    );
    let strike = |fault| Strike { fault, passed: 0 };
    let turn = |strike| Step::Turn { consumer: 1, strike };
    let until = |fault| Step::RunUntil { strike: strike(fault) };
    let steps = [
        send(0),
        until(lost),
        turn(Some(strike(dies))),
        send(1),
        until(dies),
        turn(None),
    ];
    let first = [send(0), until(lost), turn(None)];
    assert_eq!(steps_without_death(&steps, 0).unwrap(), first);
    assert_eq!(steps_without_death(&steps, 1).unwrap(), steps[..4]);
    assert_eq!(steps_without_death(&steps, 2), None);
}

#[test]
fn the_last_call_of_who_acted_last_is_told_with_the_violation() {
    let mut events = charge(false);
    let violated = |events: &[Event]| {
        let text = story(events.to_vec()).to_string();
        let line = text.lines().find(|it| it.starts_with("violated")).unwrap();
        line.replace("violated: it does not hold that no order is charged twice", "")
    };
    assert_eq!(violated(&events), "");
    events[1] = at_line(12, events[1].clone());
    assert_eq!(violated(&events), " (last call at orders.rs:12)");
    events.push(event(0, "d", EventKind::Receive, "receives m1"));
    assert_eq!(violated(&events), "", "another has acted since");
    assert_eq!(violated(&charge(true)), "", "the death tells where it was");
    let panicked = Story {
        violation: "c panicked at orders.rs:13: no disk".to_owned(),
        ..story(vec![at_line(12, event(0, "c", EventKind::Finish, "panics"))])
    };
    assert!(!panicked.to_string().contains("last call"));
    assert_eq!(violated(&[]), "");
}
