//! Tags of queues.

use crate::common::assert_refused;
use requeue::{ManualClock, QueueAttributes, Service};

fn bare() -> QueueAttributes {
    QueueAttributes::new()
}

fn with_queues<'a>(names: impl IntoIterator<Item = &'a str>) -> Service {
    let service = Service::builder().clock(ManualClock::default()).seed(1).build();
    for name in names {
        service.create_queue(name, bare()).unwrap();
    }
    service
}

fn listed(service: &Service) -> Vec<(String, String)> {
    service.list_queue_tags("jobs").unwrap().into_iter().collect()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

#[test]
fn tagging_merges_and_untagging_ignores_unknown_keys() {
    // Q45
    let service = with_queues(["jobs"]);
    assert!(listed(&service).is_empty());
    service.tag_queue("jobs", [("team", "images"), ("stage", "")]).unwrap();
    service
        .tag_queue("jobs", [("team", "text"), ("Team", "upper")])
        .unwrap();
    assert_eq!(
        listed(&service),
        pairs(&[("Team", "upper"), ("stage", ""), ("team", "text")])
    );
    service.untag_queue("jobs", ["stage", "TEAM", "nothing"]).unwrap();
    assert_eq!(listed(&service), pairs(&[("Team", "upper"), ("team", "text")]));
}

#[test]
fn a_key_has_1_to_128_characters_and_a_value_0_to_256() {
    // Q44
    let service = with_queues(["jobs"]);
    let tag = |key: usize, value: usize| service.tag_queue("jobs", [("\u{fc}".repeat(key), "\u{fc}".repeat(value))]);
    for (key, value) in [(1, 0), (2, 1), (127, 255), (128, 256)] {
        tag(key, value).unwrap();
    }
    for (key, value, part) in [(0, 0, "key"), (129, 0, "key"), (1, 257, "value")] {
        let error = tag(key, value).unwrap_err();
        assert_eq!(error.code(), "InvalidParameterValue");
        assert!(
            error.to_string().contains(&format!("Reason: A tag {part} has ")),
            "{error}"
        );
    }
}

#[test]
fn keys_and_values_have_letters_digits_whitespace_and_some_punctuation() {
    // Q44
    let service = with_queues(["jobs"]);
    let good = "aZ09 \u{e9}\u{4e2d}_.:/=+-@";
    service.tag_queue("jobs", [(good, good)]).unwrap();
    for bad in ["a,b", "a;b", "a*", "(a)", "a\u{1f600}", "a\u{0}"] {
        assert_eq!(
            service.tag_queue("jobs", [(bad, "v")]).unwrap_err().code(),
            "InvalidParameterValue"
        );
        assert_eq!(
            service.tag_queue("jobs", [("k", bad)]).unwrap_err().code(),
            "InvalidParameterValue"
        );
    }
    assert_eq!(listed(&service).len(), 1);
}

#[test]
fn keys_that_begin_with_aws_are_reserved() {
    // Q44
    let service = with_queues(["jobs"]);
    for key in ["aws:", "aws:x", "AWS:x", "aWs:x"] {
        let text = format!(
            "Value {key} for parameter Tags is invalid. Reason: A tag key has 1 to 128 letters, digits, \
             whitespace and _ . : / = + - @, and does not begin with aws:"
        );
        assert_refused!(service.tag_queue("jobs", [(key, "v")]), "InvalidParameterValue", text);
    }
    service
        .tag_queue("jobs", [("aws", "aws:v"), ("my-aws:x", "v")])
        .unwrap();
}

#[test]
fn a_queue_has_at_most_50_tags() {
    // Q46
    let service = with_queues(["jobs"]);
    let tags = |range: std::ops::Range<u32>| range.map(|number| (format!("k{number}"), "v"));
    service.tag_queue("jobs", tags(0..49)).unwrap();
    let text = "Too many tags added for queue jobs.";
    assert_refused!(service.tag_queue("jobs", tags(48..51)), "InvalidParameterValue", text);
    assert_eq!(listed(&service).len(), 49, "a refused call added some");
    service.tag_queue("jobs", tags(40..50)).unwrap();
    service.tag_queue("jobs", tags(0..50)).unwrap();
    assert_refused!(service.tag_queue("jobs", tags(50..51)), "InvalidParameterValue", text);

    assert!(service.create_queue_with_tags("more", bare(), tags(0..50)).is_ok());
    assert_refused!(
        service.create_queue_with_tags("many", bare(), tags(0..51)),
        "InvalidParameterValue",
        "Too many tags added for queue many."
    );
    assert!(service.queue("many").is_err());
}

#[test]
fn tags_in_create_queue_go_by_their_own_name() {
    // Q44 Q47
    let service = with_queues([]);
    let error = service.create_queue_with_tags("jobs", bare(), [("", "v")]).unwrap_err();
    assert_eq!(error.code(), "InvalidParameterValue");
    assert!(
        error
            .to_string()
            .starts_with("Value  for parameter tags is invalid. Reason: "),
        "{error}"
    );
    assert!(service.queue("jobs").is_err());
}
