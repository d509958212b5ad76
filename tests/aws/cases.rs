//! Requests and the answers that the rules ask for, kept as data in `tests/aws/cases`; its README says how.

use {
    case::{Case, Catalogue},
    expect::{Saved, matches},
    run::Run,
    serde_json::{Value, json},
    std::{collections::BTreeSet, fmt::Write, fs, path::Path},
};

mod case;
mod expect;
mod run;

/// Fewer are a sign that files went missing.
const FEWEST: usize = 150;

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/aws"))
}

/// Every case, with the name of its file.
fn cases() -> Vec<(String, Case)> {
    let mut paths: Vec<_> = fs::read_dir(folder().join("cases"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|it| it == "json"))
        .collect();
    paths.sort();
    let mut cases = Vec::new();
    for path in paths {
        let file = path.file_name().unwrap().to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).unwrap();
        let read = Case::read_all(&text).unwrap_or_else(|problem| panic!("{file}: {problem}"));
        cases.extend(read.into_iter().map(|case| (file.clone(), case)));
    }
    cases
}

#[test]
fn every_case_is_answered_as_its_rules_say() {
    let catalogue = Catalogue::read(&fs::read_to_string(folder().join("errors.json")).unwrap());
    let cases = cases();
    let mut report = String::new();
    let mut failures = 0;
    for (file, case) in &cases {
        if let Err(failure) = Run::of(case, &catalogue) {
            failures += 1;
            let (title, rules) = (&case.title, case.rules.join(" "));
            writeln!(report, "\n{file}: {title} [{rules}]\n{failure}").unwrap();
        }
    }
    assert!(failures == 0, "{failures} of {} cases fail\n{report}", cases.len());
}

#[test]
fn cases_are_many_and_have_titles_of_their_own() {
    let cases = cases();
    assert!(cases.len() >= FEWEST, "{} cases", cases.len());
    let mut titles = BTreeSet::new();
    for (file, case) in &cases {
        assert!(
            titles.insert(&case.title),
            "{file}: two cases are titled {:?}",
            case.title
        );
    }
}

/// A case of one step; whether it is understood.
fn is_understood(step: Value, more: &[(&str, Value)]) -> bool {
    let mut case = json!({ "title": "made up", "rules": ["Q3"], "steps": [step] });
    for (name, value) in more {
        case[*name] = value.clone();
    }
    Case::read_all(&json!([case]).to_string()).is_ok()
}

#[test]
fn what_the_readme_does_not_name_is_refused() {
    let step = || json!({ "action": "ListQueues", "output": {} });
    assert!(is_understood(step(), &[]));
    assert!(is_understood(
        step(),
        &[("rules", json!(["Q3", "L26a"])), ("queues", json!(["jobs"]))]
    ));
    for (name, value) in [
        ("title", json!("")),
        ("rules", json!([])),
        ("rules", json!(["3"])),
        ("rules", json!(["Q3-Q5"])),
        ("steps", json!([])),
        ("limits", json!({ "tags": "many" })),
        ("note", json!("x")),
    ] {
        assert!(!is_understood(step(), &[(name, value.clone())]), "{name} {value}");
    }
    for step in [
        json!({ "input": {} }),
        json!({ "advance_seconds": "1" }),
        json!({ "action": "ListQueues", "outputs": {} }),
        json!({ "action": "ListQueues", "output": {}, "messages": [] }),
        json!({ "action": "ListQueues", "error": "InvalidAddress" }),
        json!({ "action": "ListQueues", "message": "x" }),
        json!({ "action": "ReceiveMessage", "messages": [{ "MD5OfBody": "x" }] }),
        json!({ "action": "ReceiveMessage", "waiting": "poll", "output": {} }),
    ] {
        assert!(!is_understood(step.clone(), &[]), "{step}");
    }
}

#[test]
fn differences_are_seen() {
    let mut saved = Saved::default();
    let mut differ = |expected: Value, actual: Value| {
        let compared = saved.compare(&expected, &actual).unwrap();
        !compared.differences.is_empty()
    };
    let uuid = "0e5a3a0c-3a5c-4f0e-8a53-a0c3a5c4f0e8";
    for (expected, actual) in [
        (json!({ "a": 1, "b": ["x", null] }), json!({ "a": 1, "b": ["x", null] })),
        (json!("$save:id $uuid"), json!(uuid)),
        (json!("$use:id"), json!(uuid)),
        (json!("<${id}>"), json!(format!("<{uuid}>"))),
        (json!("$after:id"), json!("1")),
        (json!("$md5:message"), json!("78e731027d8fd50ed642340b7c9a63b3")),
        (json!("${x*3}"), json!("xxx")),
        (json!({ "$json": { "a": "${x*2}" } }), json!(" {\"a\": \"xx\"} ")),
        (json!("$sequence_number"), json!("10000000000000000256")),
    ] {
        assert!(!differ(expected.clone(), actual.clone()), "{expected} {actual}");
    }
    for (expected, actual) in [
        (json!({}), json!({ "a": [] })),
        (json!({ "a": "$any" }), json!({})),
        (json!({ "a": 1 }), json!({ "a": "1" })),
        (json!(["a"]), json!(["a", "b"])),
        (json!(["a", "b"]), json!(["a"])),
        (json!("$uuid"), json!("0e5a3a0c3a5c4f0e8a53a0c3a5c4f0e8")),
        (json!("$not:id"), json!(uuid)),
        (json!("$after:id"), json!(uuid)),
        (json!("$use:id"), json!("x")),
        (json!("$md5:message"), json!("78e731027d8fd50ed642340b7c9a63b4")),
        (json!({ "$json": [1] }), json!("[2]")),
        (json!("$receipt_handle"), json!("BQEB")),
        (json!("$sequence_number"), json!("256")),
    ] {
        assert!(differ(expected.clone(), actual.clone()), "{expected} {actual}");
    }
    assert!(saved.compare(&json!("$uid"), &json!("x")).is_err() && saved.fill(&json!("$use:nothing")).is_err());
    assert!(matches("<a>$uuid</a>$any<b/>", &format!("<a>{uuid}</a> c <b/>")) && matches("$$any", "$"));
    assert!(!matches("<a>$uuid</a>", "<a>x</a>") && !matches("$any<b/>", "<b/> "));
}
