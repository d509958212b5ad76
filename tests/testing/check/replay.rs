//! A failing schedule, as text and file, fails again in the same way.
use {
    super::consumers::{failure, fifo, jobs, numbered},
    proptest::prelude::*,
    requeue::{
        MessageAttributeValue, SendMessage,
        testing::{CaseSchedule, Check, CheckError, Consumer, ScheduleError, check},
    },
    std::time::Duration,
};

fn once() -> Check<u32> {
    check("once", || 0)
        .queue(jobs)
        .queue(fifo)
        .messages(numbered())
        .consumer("c", |done| {
            let done = done.clone();
            Consumer::each(move |message, _| {
                *done.borrow_mut() += u32::from(message.approximate_receive_count() > 1);
                Ok::<_, String>(())
            })
        })
}

fn never_again() -> Check<u32> {
    once()
        .always("no message comes again", |again| *again == 0)
        .first_failure_only()
}

#[test]
fn a_schedule_replays_to_the_same_failure() {
    for seed in 0..10 {
        let found = failure(&never_again().seed(seed));
        let read: CaseSchedule = found.schedule.to_string().parse().unwrap();
        assert_eq!(read, found.schedule);
        let Err(CheckError::Failed { failure: again, .. }) = never_again().replay(&read) else {
            panic!("it did not come again");
        };
        assert_eq!(
            (&again.violation, &again.story.events),
            (&found.violation, &found.story.events)
        );
        assert!(once().replay(&read).is_ok(), "a mended check passes");
    }
}

#[test]
fn a_schedule_is_saved_as_a_file() {
    let found = failure(&never_again());
    let path = std::env::temp_dir().join(format!("requeue-{}.schedule", std::process::id()));
    found.save(&path).unwrap();
    let again = never_again().replay_file(&path).unwrap_err();
    std::fs::remove_file(&path).unwrap();
    assert_eq!(again.failure().unwrap().violation, found.violation);
    assert!(matches!(never_again().replay_file(&path), Err(CheckError::File(_))));
}

#[test]
fn the_seed_and_the_case_tell_the_story_again() {
    let stories = [1, 1].map(|seed| never_again().seed(seed).run().unwrap_err().to_string());
    assert_eq!(stories[0], stories[1]);
    let colours = failure(&never_again()).story.render(true);
    assert!(colours.contains("\u{1b}[31m") && !stories[0].contains('\u{1b}'));
}

const GOOD: &str =
    "requeue schedule 1\nqueue 0 seed 7 shards 1\nmessage job group=a\nsend 0\nturn 0\nturn 0 CrashBeforeWork\nend 5\n";

#[test]
fn a_truncated_schedule_says_so() {
    assert!(GOOD.parse::<CaseSchedule>().is_ok());
    let first = GOOD.lines().next().unwrap().len();
    for cut in 0..GOOD.len() {
        let error = GOOD[..cut].parse::<CaseSchedule>().unwrap_err();
        match error {
            ScheduleError::Version { .. } => assert!(cut < first),
            ScheduleError::Truncated { .. } => assert!(cut >= first),
            other => panic!("{cut}: {other}"),
        }
    }
}

#[test]
fn a_schedule_of_another_version_or_with_a_line_too_strange_says_so() {
    let other = GOOD
        .replace("schedule 1", "schedule 2")
        .parse::<CaseSchedule>()
        .unwrap_err();
    assert!(matches!(&other, ScheduleError::Version { found, .. } if found == "requeue schedule 2"));
    for (from, to, line) in [
        ("shards 1", "shards 0", 2),
        ("seed 7", "seed x", 2),
        ("message job", "message %zz", 3),
        ("group=a", "colour=red", 3),
        ("send 0", "send m1", 4),
        ("turn 0\n", "jump 0\n", 5),
        ("CrashBeforeWork", "CrashAtLunch", 6),
        ("CrashBeforeWork", "CrashBeforeWork twice", 6),
    ] {
        let error = GOOD.replacen(from, to, 1).parse::<CaseSchedule>().unwrap_err();
        assert!(
            matches!(error, ScheduleError::Line { line: it, .. } if it == line),
            "{to}: {error}"
        );
    }
}

#[test]
fn a_step_may_let_opportunities_pass() {
    let second = GOOD.replace("CrashBeforeWork", "CrashBeforeWork 1");
    let schedule: CaseSchedule = second.parse().unwrap();
    assert_eq!(schedule.to_string(), second);
    assert_ne!(schedule, GOOD.parse().unwrap());
    let first: CaseSchedule = GOOD.replace("CrashBeforeWork", "CrashBeforeWork 0").parse().unwrap();
    assert_eq!(first.to_string(), GOOD);
    let strikes = |schedule| once().replay(schedule).unwrap().faults.len();
    assert_eq!(
        (strikes(&first), strikes(&schedule)),
        (1, 0),
        "a turn has one such opportunity"
    );
}

#[test]
fn a_schedule_for_a_queue_that_is_not_there_says_so() {
    let schedule = GOOD.replace("queue 0", "queue 2").parse().unwrap();
    let error = once().replay(&schedule).unwrap_err();
    assert!(matches!(
        error,
        CheckError::Schedule(ScheduleError::Queue {
            queue: 2,
            queues: 2,
            ..
        })
    ));
}

#[test]
fn a_schedule_that_asks_for_what_is_not_there_does_nothing() {
    let strange = GOOD.replace("send 0", "send 9").replace("turn 0\n", "turn 77\n");
    assert!(once().replay(&strange.parse().unwrap()).is_ok());
}

/// A schedule whose messages are like this one.
fn around(message: SendMessage) -> CaseSchedule {
    let check = check("any", || ()).queue(jobs).messages(Just(message)).cases(1);
    let check = check.consumer("c", |_| Consumer::each(|_, _| Ok::<_, String>(())));
    failure(&check.finally("nothing is sent", |(), messages| messages.is_empty())).schedule
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_message_comes_back_from_a_schedule(
        body in "[ -~\u{e9}\u{1f600}\n]{1,20}",
        group in "[a-z!-/]{1,5}",
        delay in 0_u64..900,
        bytes in prop::collection::vec(any::<u8>(), 1..9),
    ) {
        let message = SendMessage::new(body)
            .message_group_id(group)
            .delay(Duration::from_secs(delay))
            .attribute("width", MessageAttributeValue::number("640").label("px"))
            .attribute("thumb", MessageAttributeValue::binary(bytes));
        let schedule = around(message);
        prop_assert_eq!(schedule.to_string().parse::<CaseSchedule>(), Ok(schedule));
    }
}
