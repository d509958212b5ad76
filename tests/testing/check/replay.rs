//! A failing schedule, as text and file, fails again in the same way.
use {
    super::consumers::{failure, fifo, jobs, numbered},
    proptest::prelude::*,
    requeue::{
        Message, MessageAttributeValue, Queue, SendMessage,
        testing::{CaseSchedule, Check, CheckError, Consumer, Context, Fault, ScheduleError, check},
    },
    std::time::Duration,
};

fn once() -> Check<u32> {
    check("once", || 0)
        .pairs(60)
        .queue(jobs)
        .or_queue(fifo)
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
    let error = never_again().replay_file(&path).unwrap_err();
    assert!(matches!(error, CheckError::File { .. }));
    assert!(
        error
            .to_string()
            .starts_with(&format!("{} cannot be read: ", path.display()))
    );
}

#[test]
fn the_seed_and_the_case_tell_the_story_again() {
    let stories = [1, 1].map(|seed| never_again().seed(seed).run().unwrap_err().to_string());
    assert_eq!(stories[0], stories[1]);
    let colours = failure(&never_again()).story.render(true);
    assert!(colours.contains("\u{1b}[31m") && !stories[0].contains('\u{1b}'));
}

const GOOD: &str = "requeue schedule 2\nseed 7\nmessage \"job\" group=a\nsend 0\nturn 0\nturn 0 CrashBeforeWork\nend\n";

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
fn a_schedule_by_hand_takes_a_case_where_it_has_to_go() {
    let by_hand = |steps: &str| {
        let text = format!("requeue schedule 2\nmessage \"job 7\" group=a\n{steps}\nend");
        never_again().replay(&text.parse().unwrap())
    };
    assert!(by_hand("send 0").is_ok());
    for (steps, fault) in [
        ("send 0\nrun until CrashBeforeDelete", Fault::CrashBeforeDelete),
        ("send 0\nrun 2\nrun until DeleteFails", Fault::DeleteFails),
        (
            "variant 1\nsend 0\nrun until DeleteFails # of a FIFO queue",
            Fault::DeleteFails,
        ),
        ("send 0\nturn 0\nturn 0 CrashBeforeWork", Fault::CrashBeforeWork),
    ] {
        let error = by_hand(steps).unwrap_err();
        let events = &error.story().unwrap().events;
        let struck: Vec<_> = events.iter().filter_map(|event| event.fault).collect();
        assert_eq!(struck, [fault], "{error}");
    }
}

#[test]
fn a_message_may_go_to_another_queue_and_the_outside_world_act() {
    let check = check("orders", String::new)
        .pairs(60)
        .queue(jobs)
        .queue(|| Queue::standard("payments"))
        .messages(Just("order"))
        .consumer("cashier", |seen| {
            let seen = seen.clone();
            let take = move |message: &Message, _: &Context| {
                seen.borrow_mut().push_str(message.body());
                Ok::<_, String>(())
            };
            Consumer::each(take).from("payments")
        })
        .action("cancel", |seen, _| seen.borrow_mut().push_str("cancelled"))
        .always("nobody pays what is cancelled", |seen| seen != "cancelled5 EUR");
    let text = "requeue schedule 2\nmessage \"5 EUR\" to=1\nsend 0\nact 0\nend";
    let error = check.replay(&text.parse().unwrap()).unwrap_err();
    let sentence = "it does not hold that nobody pays what is cancelled";
    assert_eq!(error.story().unwrap().violation, sentence);
    assert!(check.replay(&text.replace("to=1", "").parse().unwrap()).is_ok());
}

#[test]
fn a_schedule_that_asks_for_what_is_not_there_says_so() {
    for (from, to, missing) in [
        ("seed 7", "variant 2", "variant 2, and the check has 2"),
        ("group=a", "to=1", "queue 1, and the check has 1"),
        ("turn 0\n", "turn 1\n", "consumer 1, and the check has 1"),
        ("turn 0\n", "act 0\n", "action 0, and the check has 0"),
    ] {
        let schedule = GOOD.replace(from, to).parse().unwrap();
        let error = once().replay(&schedule).unwrap_err();
        assert!(
            matches!(error, CheckError::Schedule(ScheduleError::Missing { .. })),
            "{error}"
        );
        assert_eq!(
            error.to_string(),
            format!("the schedule names {missing}, counted from 0")
        );
    }
}

/// A schedule whose messages are like this one.
fn around(message: SendMessage) -> CaseSchedule {
    let check = check("any", || ())
        .pairs(60)
        .queue(jobs)
        .messages(Just(message))
        .cases(1);
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
