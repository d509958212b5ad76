use {
    super::*,
    crate::{
        message::{AttributeContent, MessageAttributeValue},
        testing::{faults::Fault, source::Strike},
    },
    proptest::{collection, option, prelude::*, sample::Index},
    std::time::Duration,
};

const GOOD: &str = r#"requeue schedule 2
seed 7
variant 1
shards 10
message "5 EUR" to=1 group=ann deduplication="5 EUR" trace="Root=1-2" delay=1500ms
message "say \"hi\"\n\u{1}" binary=thumb:Binary.png:00ff string=price:Number.EUR:5.20
send 0
turn 1 DeleteFails 2
wait 2h
send 1 SendLate
wait 30s PausePastVisibility
act 0
act 1 ClockJump
run until CrashBeforeDelete
run until DeleteFails 2
run 3
end
"#;

fn good() -> CaseSchedule {
    GOOD.parse().unwrap()
}

fn wrong(text: &str) -> ScheduleError {
    text.parse::<CaseSchedule>().unwrap_err()
}

#[test]
fn every_kind_of_line_is_read_and_written() {
    let strike = |fault, passed| Some(Strike { fault, passed });
    let message = SendMessage::new("5 EUR")
        .message_group_id("ann")
        .message_deduplication_id("5 EUR")
        .aws_trace_header("Root=1-2")
        .delay(Duration::from_millis(1_500));
    let second = SendMessage::new("say \"hi\"\n\u{1}")
        .attribute("price", MessageAttributeValue::number("5.20").label("EUR"))
        .attribute("thumb", MessageAttributeValue::binary([0, 255]).label("png"));
    let plan = Plan {
        seed: 7,
        variant: 1,
        shards: 10,
        messages: vec![
            PlannedMessage { message, queue: 1 },
            PlannedMessage {
                message: second,
                queue: 0,
            },
        ],
    };
    let steps = vec![
        Step::Send {
            message: 0,
            strike: None,
        },
        Step::Turn {
            consumer: 1,
            strike: strike(Fault::DeleteFails, 2),
        },
        Step::Advance {
            millis: 7_200_000,
            strike: None,
        },
        Step::Send {
            message: 1,
            strike: strike(Fault::SendLate, 0),
        },
        Step::Advance {
            millis: 30_000,
            strike: strike(Fault::PausePastVisibility, 0),
        },
        Step::Action {
            action: 0,
            strike: None,
        },
        Step::Action {
            action: 1,
            strike: strike(Fault::ClockJump, 0),
        },
        Step::RunUntil {
            strike: Strike {
                fault: Fault::CrashBeforeDelete,
                passed: 0,
            },
        },
        Step::RunUntil {
            strike: Strike {
                fault: Fault::DeleteFails,
                passed: 2,
            },
        },
        Step::RunFor { acts: 3 },
    ];
    let schedule = CaseSchedule { plan, steps };
    assert_eq!(good(), schedule);
    // Attributes are written by their names.
    let attributes = "binary=thumb:Binary.png:00ff string=price:Number.EUR:5.20";
    let sorted = "string=price:Number.EUR:5.20 binary=thumb:Binary.png:00ff";
    assert_eq!(schedule.to_string(), GOOD.replace(attributes, sorted));
}

#[test]
fn what_a_person_leaves_out_or_adds_changes_nothing() {
    let bare = "requeue schedule 2\nmessage job\nsend 0\nend"
        .parse::<CaseSchedule>()
        .unwrap();
    let full = "requeue schedule 2\nseed 0\nvariant 0\nshards 1\nmessage \"job\" to=0\nsend 0\nend\n";
    assert_eq!(bare, full.parse().unwrap());
    for (from, to) in [
        ("\n", "\r\n"),
        ("\n", "\n\n"),
        ("\n", "  # why\n"),
        ("\n", "\n# why\n"),
        ("\n", "\n\t "),
        ("turn 1", "turn   1"),
        ("2h", "7200s"),
        ("2h", "7200000ms"),
        ("2h", "120min"),
        ("end\n", "end"),
        ("DeleteFails 2", "DeleteFails 002"),
        ("\\u{1}", "\\u{0001}"),
        ("00ff", "\"00FF\""),
        ("=ann", "=\"ann\""),
    ] {
        assert_eq!(GOOD.replace(from, to).parse(), Ok(good()), "{from:?} {to:?}");
    }
    let first = GOOD.find("send 0").unwrap();
    let last = GOOD.len() - "end\n".len();
    let (head, steps) = (&GOOD[VERSION.len() + 1..first], &GOOD[first..last]);
    let behind = format!("# found on a Monday\n\n{VERSION}\n{steps}{head}end\n");
    assert_eq!(behind.parse(), Ok(good()));
}

#[test]
fn a_truncated_schedule_says_so() {
    let whole = GOOD.trim_end().len();
    for cut in (0..whole).filter(|cut| GOOD.is_char_boundary(*cut)) {
        match wrong(&GOOD[..cut]) {
            ScheduleError::Version { .. } => assert!(cut < VERSION.len(), "{cut}"),
            ScheduleError::Truncated => assert!(cut >= VERSION.len(), "{cut}"),
            other => panic!("{cut}: {other}"),
        }
    }
    let message = "the schedule is truncated: its last line has to be \"end\"";
    assert_eq!(wrong(VERSION).to_string(), message);
}

#[test]
fn another_version_is_refused() {
    for first in ["requeue schedule 1", "requeue schedule 3", "requeue schedule 22"] {
        let error = wrong(&GOOD.replace(VERSION, first));
        let expected = format!("the schedule begins with {first:?}, where this version reads \"requeue schedule 2\"");
        assert_eq!(error.to_string(), expected);
    }
    assert!(matches!(wrong(""), ScheduleError::Version { .. }));
}

#[test]
fn a_line_that_cannot_be_read_is_named_with_what_belongs_there() {
    let keywords = "one of seed, variant, shards, message, send, turn, wait, act, run, end";
    let keys = "one of to=, group=, deduplication=, delay=, trace=, string=, binary=";
    let once = "this setting only once";
    let time = "a time in d, h, min, s, ms, us or ns, such as 30s";
    let fault = "a fault, one of DuplicateInFlight, DuplicateAfterDelete, Reordered,";
    let escape = r#"one of \" \\ \n \r \t \0 \u{1F600}"#;
    let consumer = "the number of a consumer";
    let passed = "how many opportunities the fault lets pass";
    let message = "the number of a message, counted from 0, of which there are 2";
    let millis = "whole milliseconds, less than 2^64";
    let acts = "until and a fault, or a number of acts";
    let hexadecimal = "bytes as pairs of hexadecimal digits";
    let space = "a space, or quotes around a text with other characters than";
    for (from, to, (line, column), expected) in [
        ("turn 1", "trun 1", (8, 1), keywords),
        ("turn 1", "\"turn\" 1", (8, 1), keywords),
        ("turn 1 DeleteFails 2", "turn", (8, 5), consumer),
        ("turn 1", "turn one", (8, 6), consumer),
        ("turn 1", "turn +1", (8, 6), consumer),
        ("turn 1", "turn 1_0", (8, 6), consumer),
        ("turn 1", "turn 99999999999999999999", (8, 6), consumer),
        ("1 DeleteFails", "1 DeletFails", (8, 8), fault),
        ("Fails 2\nw", "Fails twice\nw", (8, 20), passed),
        ("Fails 2\nw", "Fails 4294967296\nw", (8, 20), passed),
        ("Fails 2\nw", "Fails 2 3\nw", (8, 22), "the end of the line"),
        ("seed 7", "seed x", (2, 6), "a number below 2^64"),
        ("seed 7", "seed 18446744073709551616", (2, 6), "a number below 2^64"),
        ("variant 1", "seed 7", (3, 5), once),
        ("variant 1", "variant -1", (3, 9), "the number of a variant"),
        ("shards 10", "shards 0", (4, 8), "a number from 1 to 100"),
        ("shards 10", "shards 101", (4, 8), "a number from 1 to 100"),
        ("message \"5 EUR\" to", "message to", (5, 11), space),
        ("message \"5 EUR\"", "message =", (5, 9), "a text in quotes"),
        ("\"5 EUR\" to", "\"5 EUR\"to", (5, 16), space),
        ("\"5 EUR\" to", "\"5 EUR to", (5, 46), space),
        ("delay=1500ms", "delay=\"1500ms", (5, 77), time),
        ("to=1", "to=payments", (5, 20), "the number of a queue"),
        ("group=ann", "group=a#b", (5, 29), space),
        ("group=ann", "group= ann", (5, 28), "a text in quotes"),
        ("group=ann", "group", (5, 22), keys),
        ("group=ann", "color=red", (5, 22), keys),
        ("group=ann", "to=1", (5, 22), once),
        ("group=ann", "trace=x", (5, 52), once),
        ("delay=1500ms", "delay=1500", (5, 77), time),
        ("delay=1500ms", "delay=1.5s", (5, 77), time),
        ("delay=1500ms", "delay=99999999999999999999999d", (5, 77), time),
        ("\\n", "\\x", (6, 20), escape),
        ("\\u{1}", "\\u1", (6, 22), escape),
        ("\\u{1}", "\\u{d800}", (6, 22), escape),
        ("\\u{1}", "\\u{0000001}", (6, 22), escape),
        ("\\u{1}", "\\u{+1}", (6, 22), escape),
        ("\\u{1}\"", "\\u{1}", (6, 9), "a text with quotes on both sides"),
        ("00ff", "00f", (6, 53), hexadecimal),
        ("00ff", "00fg", (6, 53), hexadecimal),
        ("Binary.png:", "Binary.png,", (6, 52), "':' without spaces around it"),
        ("price", "thumb", (6, 65), "each name of an attribute only once"),
        ("send 0", "send 2", (7, 1), message),
        ("wait 2h", "wait 2", (9, 6), time),
        ("wait 2h", "wait h", (9, 6), time),
        ("wait 2h", "wait 2 h", (9, 6), time),
        ("wait 2h", "wait 1500us", (9, 6), millis),
        ("wait 2h", "wait 18446744073709551616ms", (9, 6), millis),
        ("act 0", "act cancel", (12, 5), "the number of an action"),
        ("run until C", "run till C", (14, 5), acts),
        ("run until CrashBeforeDelete", "run until", (14, 10), fault),
        ("run 3", "run 4294967296", (16, 5), acts),
        ("run 3", "run 3 DeleteFails", (16, 7), "the end of the line"),
        ("end\n", "end 16\n#", (17, 5), "the end of the line"),
        ("end\n", "end\nsend 0\n", (18, 1), "nothing after the end"),
    ] {
        assert!(GOOD.contains(from), "{from}");
        let text = GOOD.replacen(from, to, 1);
        // Without a line behind it, a wrong last line is taken for truncated.
        let text = text.replace("end 16\n#", "end 16\nend");
        match wrong(&text) {
            ScheduleError::Line {
                line: at,
                column: begin,
                expected: told,
                ..
            } if told.starts_with(expected) => assert_eq!((at, begin), (line, column), "{to}"),
            other => panic!("{to}: {other}"),
        }
    }
}

#[test]
fn an_error_tells_the_line_and_not_all_of_a_long_one() {
    let error = wrong(&GOOD.replace("turn 1", "trun 1")).to_string();
    let expected = "line 8 of the schedule: \"trun 1 DeleteFails 2\": expected one of seed, ";
    assert!(error.starts_with(expected), "{error}");
    let error = wrong(&GOOD.replace("5 EUR", &"\u{e9}".repeat(100_000)).replace("to=1", "at=1"));
    let text = error.to_string();
    assert!(
        text.len() < 400 && text.contains("\u{e9}...\": expected one of to=, "),
        "{text}"
    );
    assert!(text.ends_with(" at column 100012"), "{text}");
}

#[test]
fn a_schedule_that_names_what_is_not_there_does_not_fit() {
    let all = Extent {
        variants: 2,
        queues: 2,
        consumers: 2,
        actions: 2,
    };
    assert_eq!(good().fits(all), Ok(()));
    for (extent, what) in [
        (Extent { variants: 1, ..all }, "variant"),
        (Extent { queues: 1, ..all }, "queue"),
        (Extent { consumers: 1, ..all }, "consumer"),
        (Extent { actions: 1, ..all }, "action"),
    ] {
        let error = good().fits(extent).unwrap_err().to_string();
        let expected = format!("the schedule names {what} 1, and the check has 1, counted from 0");
        assert_eq!(error, expected);
    }
}

fn any_text() -> BoxedStrategy<String> {
    let character = prop_oneof![8 => any::<char>(), 1 => Just('"'), 1 => Just('\\'), 1 => Just('#'), 4 => proptest::char::range(' ', '~')];
    let strange = collection::vec(character, 0..12).prop_map(|it| it.into_iter().collect());
    prop_oneof![2 => strange, 1 => "[a-zA-Z0-9_.-]{1,8}"].boxed()
}

fn any_duration() -> BoxedStrategy<Duration> {
    prop_oneof![
        (0_u64..1_000).prop_map(Duration::from_secs),
        (0_u64..1_000_000).prop_map(Duration::from_millis),
        (any::<u64>(), 0_u32..1_000_000_000).prop_map(|(seconds, nanos)| Duration::new(seconds, nanos)),
    ]
    .boxed()
}

fn any_message() -> impl Strategy<Value = PlannedMessage> {
    let content = prop_oneof![
        any_text().prop_map(AttributeContent::from),
        collection::vec(any::<u8>(), 0..5).prop_map(AttributeContent::from),
    ];
    let attributes = collection::vec((any_text(), any_text(), content), 0..3);
    let texts = [any_text(), any_text(), any_text()].map(|text| option::weighted(0.3, text));
    let delay = option::weighted(0.3, any_duration());
    let queue = prop_oneof![3 => Just(0), 1 => any::<usize>()];
    (any_text(), texts, delay, attributes, queue).prop_map(
        |(body, [group, deduplication, trace], delay, attributes, queue)| {
            let mut message = SendMessage::new(body);
            if let Some(group) = group {
                message = message.message_group_id(group);
            }
            if let Some(deduplication) = deduplication {
                message = message.message_deduplication_id(deduplication);
            }
            if let Some(trace) = trace {
                message = message.aws_trace_header(trace);
            }
            if let Some(delay) = delay {
                message = message.delay(delay);
            }
            for (name, data_type, content) in attributes {
                message = message.attribute(name, MessageAttributeValue::new(data_type, content));
            }
            PlannedMessage { message, queue }
        },
    )
}

/// A step that sends one of so many messages.
fn any_step(messages: usize) -> impl Strategy<Value = Step> {
    let number = || prop_oneof![0_usize..4, any::<usize>()];
    let strike = (
        proptest::sample::select(Fault::ALL.to_vec()),
        prop_oneof![Just(0), any::<u32>()],
    )
        .prop_map(|(fault, passed)| Strike { fault, passed });
    let some = option::of(strike.clone());
    let send = (any::<Index>(), some.clone()).prop_map(move |(message, strike)| match messages {
        0 => Step::RunFor { acts: 0 },
        messages => Step::Send {
            message: message.index(messages),
            strike,
        },
    });
    prop_oneof![
        send,
        (number(), some.clone()).prop_map(|(consumer, strike)| Step::Turn { consumer, strike }),
        (any::<u64>(), some.clone()).prop_map(|(millis, strike)| Step::Advance { millis, strike }),
        (number(), some).prop_map(|(action, strike)| Step::Action { action, strike }),
        strike.prop_map(|strike| Step::RunUntil { strike }),
        any::<u32>().prop_map(|acts| Step::RunFor { acts }),
    ]
}

fn any_schedule() -> impl Strategy<Value = CaseSchedule> {
    collection::vec(any_message(), 0..4).prop_flat_map(|messages| {
        let steps = collection::vec(any_step(messages.len()), 0..8);
        let settings = (any::<u64>(), prop_oneof![Just(0), any::<usize>()], 1_usize..=100);
        (settings, steps).prop_map(move |((seed, variant, shards), steps)| {
            let messages = messages.clone();
            let plan = Plan {
                seed,
                variant,
                shards,
                messages,
            };
            CaseSchedule { plan, steps }
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn any_schedule_comes_back_from_its_text(schedule in any_schedule()) {
        let text = schedule.to_string();
        prop_assert_eq!(text.parse::<CaseSchedule>(), Ok(schedule.clone()), "{}", text);
        let lines = 4 + schedule.plan.messages.len() + schedule.steps.len();
        prop_assert!(text.lines().count() <= lines + 1, "a message or a step is one line");
    }

    #[test]
    fn an_edited_schedule_is_read_or_refused(
        schedule in any_schedule(),
        edits in collection::vec((any::<Index>(), any::<Index>(), any_text()), 1..4),
    ) {
        let mut text: Vec<char> = schedule.to_string().chars().collect();
        for (begin, length, new) in edits {
            let begin = begin.index(text.len() + 1);
            let end = begin + length.index(8).min(text.len() - begin);
            text.splice(begin..end, new.chars());
        }
        let text: String = text.into_iter().collect();
        if let Ok(read) = text.parse::<CaseSchedule>() {
            prop_assert_eq!(read.to_string().parse(), Ok(read));
        }
    }
}
