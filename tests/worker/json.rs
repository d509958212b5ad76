//! Bodies that are values written as JSON, by `SendMessage::json` and `parse`.

use {
    requeue::{
        Limits, ManualClock, ParseJsonError, Queue, SendMessage, WriteJsonError,
        backend::{MessageParts, ReceivedMessage},
        worker::{BatchAnswer, BatchSettings, Failure, FailurePolicy, Job, Runner},
    },
    serde::{Deserialize, Serialize, Serializer, de::DeserializeOwned, ser::Error},
    std::{
        any::type_name,
        collections::BTreeMap,
        fmt::Debug,
        sync::{Arc, Mutex},
    },
};

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct Resize {
    file: String,
    width: u32,
}

const BAD: &str = r#"{"file":"cat.png","width":-1}"#;

fn cat(width: u32) -> Resize {
    let file = "cat.png".to_owned();
    Resize { file, width }
}

fn received(body: &str) -> ReceivedMessage {
    let body = body.to_owned();
    ReceivedMessage::from(MessageParts {
        body,
        ..MessageParts::default()
    })
}

fn parse<T: DeserializeOwned>(body: &str) -> Result<T, ParseJsonError> {
    received(body).parse()
}

/// Why a body is no `T`, without what every such error begins with.
fn why<T: DeserializeOwned + Debug>(body: &str) -> String {
    let error = parse::<T>(body).unwrap_err();
    assert_eq!(error.type_name, type_name::<T>());
    let told = error.to_string();
    let start = format!("the body is not a {}: ", type_name::<T>());
    assert_eq!(told, format!("{start}{}", error.reason));
    error.reason
}

/// The value after its way through a queue.
fn sent_and_received<T: Serialize + DeserializeOwned>(value: &T) -> T {
    let jobs = Queue::standard("jobs").build().unwrap();
    jobs.send(SendMessage::json(value).unwrap()).unwrap();
    jobs.receive().blocking().unwrap()[0].parse().unwrap()
}

#[test]
fn a_value_comes_back_as_it_was_sent_and_the_message_takes_the_rest_as_any_other() {
    let jobs = Queue::standard("jobs").build().unwrap();
    let message = SendMessage::json(&cat(640)).unwrap();
    assert_eq!(message, SendMessage::new(r#"{"file":"cat.png","width":640}"#));
    jobs.send(message.aws_trace_header("Root=1")).unwrap();
    let _ = jobs.send_batch([cat(320), cat(160)].map(|it| SendMessage::json(&it).unwrap()));
    let messages = jobs.receive().max_messages(10).blocking().unwrap();
    let values: Vec<Resize> = messages.iter().map(|it| it.parse().unwrap()).collect();
    assert_eq!(values, [640, 320, 160].map(cat));
    assert_eq!(messages[0].aws_trace_header(), Some("Root=1"));
    let embedded = ReceivedMessage::from(messages[0].clone());
    assert_eq!(embedded.parse::<Resize>(), messages[0].parse());
}

#[test]
fn a_value_may_borrow_from_its_message() {
    #[derive(Deserialize)]
    struct Borrowed<'m> {
        file: &'m str,
    }
    let message = received(BAD);
    let Borrowed { file } = message.parse().unwrap();
    assert!(message.body().as_bytes().as_ptr_range().contains(&file.as_ptr()));
}

#[test]
fn names_are_those_that_the_type_says() {
    #[derive(Debug, Deserialize, PartialEq, Serialize)]
    #[serde(tag = "kind", rename_all = "kebab-case", rename_all_fields = "camelCase")]
    enum Work {
        ResizeImage {
            max_width: u32,
        },
        #[serde(rename = "sweep")]
        CleanUp,
    }
    for (work, body) in [
        (
            Work::ResizeImage { max_width: 7 },
            r#"{"kind":"resize-image","maxWidth":7}"#,
        ),
        (Work::CleanUp, r#"{"kind":"sweep"}"#),
    ] {
        assert_eq!(SendMessage::json(&work).unwrap().body(), body);
        assert_eq!(parse::<Work>(body), Ok(work));
    }
    let unknown = "unknown variant `CleanUp`, expected `resize-image` or `sweep` at line 1 column 17";
    assert_eq!(why::<Work>(r#"{"kind":"CleanUp"}"#), unknown);
    assert_eq!(
        why::<Work>(r#"{"Kind":"sweep"}"#),
        "missing field `kind` at line 1 column 16"
    );
    let wide = why::<Resize>(r#"{"file":"cat.png","Width":1}"#);
    assert_eq!(wide, "missing field `width` at line 1 column 28");
}

#[test]
fn null_is_a_value_of_types_that_have_one() {
    assert_eq!(parse::<Option<Resize>>("null"), Ok(None));
    assert_eq!(parse::<()>("null"), Ok(()));
    assert_eq!(SendMessage::json(&None::<Resize>).unwrap().body(), "null");
    assert_eq!(sent_and_received(&None::<u32>), None);
    assert_eq!(
        why::<Resize>("null"),
        "invalid type: null, expected struct Resize at line 1 column 4"
    );
    // A floating-point number that JSON has no form for is written as `null`, and does not come back as a number.
    assert_eq!(SendMessage::json(&f64::NAN).unwrap().body(), "null");
    assert!(parse::<f64>("null").is_err());
}

#[test]
fn fields_that_the_type_does_not_know_are_ignored_unless_it_denies_them() {
    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Strict {
        width: u32,
    }
    let body = r#"{"width":1,"file":"cat.png","height":2}"#;
    assert_eq!(parse::<Resize>(body), Ok(cat(1)));
    assert_eq!(
        why::<Strict>(body),
        "unknown field `file`, expected `width` at line 1 column 17"
    );
    assert_eq!(parse::<Strict>(r#"{"width":1}"#), Ok(Strict { width: 1 }));
    assert_eq!(
        why::<Strict>(r#"{"width":1,"width":2}"#),
        "duplicate field `width` at line 1 column 18"
    );
}

#[test]
fn a_body_is_one_value_and_nothing_else() {
    assert_eq!(parse::<u32>(" \n\t640\r\n"), Ok(640));
    for (body, reason) in [
        ("", "EOF while parsing a value at line 1 column 0"),
        ("640 480", "trailing characters at line 1 column 5"),
        ("[640", "invalid type: sequence, expected u32 at line 1 column 0"),
        ("cat.png", "expected value at line 1 column 1"),
        (
            "4294967296",
            "invalid value: integer `4294967296`, expected u32 at line 1 column 10",
        ),
        (
            "\n\n6.5",
            "invalid type: floating point `6.5`, expected u32 at line 3 column 3",
        ),
    ] {
        assert_eq!(why::<u32>(body), reason);
    }
    let deep = why::<serde_json::Value>(&"[".repeat(100_000));
    assert_eq!(deep, "recursion limit exceeded at line 1 column 128");
}

#[test]
fn an_error_is_one_line_of_bounded_length_however_long_the_body() {
    let long = why::<u32>(&format!("\"{}\"", "x".repeat(1_000_000)));
    assert!(long.starts_with("invalid type: string \"xxx"), "{long}");
    assert!(long.ends_with("xxx\", expected u32 at line 1 column 1000002"), "{long}");
    assert_eq!(long.len(), 243);

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Nothing {}
    let odd = why::<Nothing>(r#"{"a\nviolated: \u0000":1}"#);
    assert_eq!(
        odd,
        r"unknown field `a\nviolated: \u{0}`, there are no fields at line 1 column 22"
    );
}

#[test]
fn a_value_that_has_no_form_in_json_is_an_error_with_its_type() {
    struct Chatty;
    impl Serialize for Chatty {
        fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(S::Error::custom("no\n".repeat(1_000)))
        }
    }
    type Map = BTreeMap<Vec<u8>, u8>;
    let error: WriteJsonError = SendMessage::json(&Map::from([(vec![1], 1)])).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "the {} cannot be written as JSON: key must be a string",
            type_name::<Map>()
        )
    );
    let error = SendMessage::json(&Chatty).unwrap_err();
    assert!(
        error.type_name.ends_with("Chatty") && error.reason.starts_with(r"no\nno\n"),
        "{error}"
    );
    assert!(error.reason.len() < 400, "{error}");
}

#[test]
fn every_character_of_a_value_is_one_that_a_queue_takes() {
    // M2
    let odd: String = ('\u{0}'..='\u{ff}')
        .chain([
            '\u{2028}',
            '\u{d7ff}',
            '\u{e000}',
            '\u{fffd}',
            '\u{fffe}',
            '\u{ffff}',
            '\u{10ffff}',
        ])
        .collect();
    assert_eq!(sent_and_received(&odd), odd);
    let backslashes = r"\\\".to_owned() + "\u{fffe}\\ufffe";
    assert_eq!(sent_and_received(&backslashes), backslashes);
    let keys = BTreeMap::from([(odd.clone(), odd)]);
    assert_eq!(sent_and_received(&keys), keys);
}

#[test]
fn the_json_counts_against_the_size_of_a_message() {
    // M6
    let limits = Limits::default();
    let jobs = Queue::standard("jobs")
        .maximum_message_size(1_024)
        .limits(limits)
        .build()
        .unwrap();
    let quoted = |length: usize| SendMessage::json("x".repeat(length - 2).as_str()).unwrap();
    for length in [1_023, 1_024] {
        assert_eq!(quoted(length).size_bytes(), length);
        jobs.send(quoted(length)).unwrap();
    }
    let error = jobs.send(quoted(1_025)).unwrap_err();
    assert_eq!(error.code(), "InvalidParameterValue");
    assert!(error.to_string().contains("1024"), "{error}");
    // What JSON escapes, counts as it is written.
    assert_eq!(
        SendMessage::json("\n\u{ffff}").unwrap().size_bytes(),
        r#""\n\uffff""#.len()
    );
}

/// A queue that allows two receives, and its dead-letter queue; a body that is no [`Resize`] between two that are.
fn jobs() -> (Queue, Queue) {
    let clock = ManualClock::default();
    let failed = Queue::standard("failed").clock(clock.clone()).build().unwrap();
    let jobs = Queue::standard("jobs")
        .clock(clock)
        .dead_letter(&failed, 2)
        .build()
        .unwrap();
    let _ = jobs.send_batch([
        SendMessage::json(&cat(1)).unwrap(),
        BAD.into(),
        SendMessage::json(&cat(2)).unwrap(),
    ]);
    (jobs, failed)
}

#[test]
fn a_handler_gives_up_a_body_that_does_not_parse_in_one_line() {
    for asynchronous in [false, true] {
        let (jobs, failed) = jobs();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        let handle = move |job: &Job| {
            let resize = job.parse::<Resize>().map_err(Failure::dead_letter)?;
            log.lock().unwrap().push(resize.width);
            Ok::<(), Failure>(())
        };
        let builder = Runner::builder(&jobs).until_none_visible();
        let report = if asynchronous {
            let runner = builder.each_async(move |job: Job| std::future::ready(handle(&job)));
            pollster::block_on(runner.unwrap().run()).unwrap()
        } else {
            builder.each(handle).unwrap().blocking().unwrap()
        };
        assert_eq!(*seen.lock().unwrap(), [1, 2]);
        assert_eq!((report.succeeded, report.failed, report.dead_lettered), (2, 1, 1));
        let dead = failed.receive().blocking().unwrap().remove(0);
        let type_name = type_name::<Resize>();
        let reason =
            format!("the body is not a {type_name}: invalid value: integer `-1`, expected u32 at line 1 column 28");
        assert_eq!((dead.body(), dead.dead_letter_reason()), (BAD, Some(reason.as_str())));
    }
}

#[test]
fn an_error_alone_leaves_the_body_to_the_policy_of_the_runner() {
    // L2
    let (jobs, failed) = jobs();
    let runner = Runner::builder(&jobs)
        .failure_policy(FailurePolicy::RetryNow)
        .until_none_visible();
    let runner = runner.each(|job: &Job| {
        let _: Resize = job.parse()?;
        Ok::<(), Failure>(())
    });
    let report = runner.unwrap().blocking().unwrap();
    assert_eq!((report.succeeded, report.failed, report.dead_lettered), (2, 2, 0));
    assert_eq!(failed.receive().blocking().unwrap()[0].body(), BAD);
}

#[test]
fn an_answer_in_json_settles_a_batch() {
    // E20
    for (answer, succeeded) in [
        (r#"{"batchItemFailures":[{"itemIdentifier":"ID"}]}"#, 1),
        ("null", 2),
        (r#"{"batchItemFailures":[{"itemIdentifier":null}]}"#, 0),
        (r#"{"batchItemFailures":[{"itemIdentifier":"nobody"}]}"#, 0),
    ] {
        let jobs = Queue::standard("jobs").build().unwrap();
        let _ = jobs.send_batch(["1", "2"]).unwrap();
        let builder = Runner::builder(&jobs).until_none_visible();
        let runner = builder.batch(BatchSettings::default(), move |batch: &[Job]| {
            BatchAnswer::from_json(&answer.replace("ID", &batch[0].message_id()))
        });
        let report = runner.unwrap().blocking().unwrap();
        assert_eq!(
            (report.succeeded, report.failed),
            (succeeded, 2 - succeeded),
            "{answer}"
        );
    }
}
