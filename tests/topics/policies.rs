//! What filter policies match. The cases are those recorded of SNS where there are any.

use super::{array, attributes, body, number, text, with};
use requeue::topics::{FilterPolicy, FilterPolicyError, PublishMessage};

/// A policy for the attribute `k`.
fn of(conditions: &str) -> FilterPolicy {
    attributes(&format!(r#"{{"k": [{conditions}]}}"#))
}

#[test]
fn values_are_equal_in_type_too() {
    // E30
    let policy = of(r#""a", 1, true, null"#);
    for (value, expected) in [
        (text("a"), true),
        (text("1"), false),
        (text("true"), false),
        (text("null"), false),
        (number("1"), true),
        (number("1.0"), true),
        (number("10e-1"), true),
        (number("2"), false),
        (array(r#"["b", "a"]"#), true),
        (array("[true]"), true),
        (array("[null]"), true),
        (array("[1]"), true),
        (array(r#"["1", false, 2, ["a"], {"a": "a"}]"#), false),
        (array("[]"), false),
        (array("no JSON"), false),
        (text("a").label("custom"), true),
        (number("1").label("EUR"), true),
    ] {
        assert_eq!(policy.matches(&with("k", value.clone())), expected, "{value:?}");
    }
    assert!(!policy.matches(&with("K", text("a"))) && !policy.matches(&PublishMessage::new("x")));
}

#[test]
fn a_text_is_one_number_wherever_it_stands() {
    // E30
    let mut state = 7_u64;
    for _ in 0..2_000 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let shortest = (state >> 11) as f64 / (1_u64 << 53) as f64 * 180.0;
        let in_range = format!("{}.{:05}", state % 1_000_000_000, (state >> 32) % 100_000);
        for (one, other) in [
            (shortest.to_string(), format!("{shortest}000")),
            (in_range.clone(), format!("{in_range}00000000")),
        ] {
            let value = format!(r#"{{"k": {other}}}"#);
            for (condition, expected) in [
                (one.clone(), true),
                (format!(r#"{{"numeric": ["=", {one}]}}"#), true),
                (format!(r#"{{"numeric": ["<=", {one}]}}"#), true),
                (format!(r#"{{"numeric": [">=", {one}]}}"#), true),
                (format!(r#"{{"numeric": [">", {one}]}}"#), false),
                (format!(r#"{{"anything-but": [{one}]}}"#), false),
            ] {
                let policy = of(&condition);
                for number in [number(&one), number(&other), array(&format!("[{other}]"))] {
                    assert_eq!(policy.matches(&with("k", number)), expected, "{condition} {other}");
                }
                let of_body = body(&format!(r#"{{"k": [{condition}]}}"#));
                assert_eq!(
                    of_body.matches(&PublishMessage::new(&*value)),
                    expected,
                    "{condition} {value}"
                );
            }
        }
    }
}

#[test]
fn a_null_beside_anything_but_does_not_match_a_message_without_the_key() {
    // E30
    let policy = of(r#"null, {"anything-but": "whatever"}"#);
    assert!(!policy.matches(&PublishMessage::new("x")));
    assert!(policy.matches(&with("k", text("x"))));
}

#[test]
fn anything_but_needs_a_value_that_is_not_listed() {
    // E30
    let sports = of(r#"{"anything-but": ["rugby", "tennis"]}"#);
    let prices = of(r#"{"anything-but": [100, 500]}"#);
    for (policy, value, expected) in [
        (&sports, text("baseball"), true),
        (&sports, text("rugby"), false),
        (&sports, array(r#"["rugby", "baseball"]"#), true),
        (&sports, array(r#"["rugby", "tennis"]"#), false),
        (&sports, number("1"), true),
        (&prices, number("101"), true),
        (&prices, number("100.0"), false),
        (&prices, text("100"), true),
        (&of(r#"{"anything-but": "a"}"#), text("a"), false),
        (&of(r#"{"anything-but": {"prefix": "order-"}}"#), text("order-1"), false),
        (&of(r#"{"anything-but": {"prefix": "order-"}}"#), text("data-1"), true),
        (&of(r#"{"anything-but": {"suffix": "ball"}}"#), text("football"), false),
        (&of(r#"{"anything-but": {"wildcard": "a*c"}}"#), text("abc"), false),
        (
            &of(r#"{"anything-but": {"equals-ignore-case": "ABC"}}"#),
            text("aBc"),
            false,
        ),
        (&of(r#"{"anything-but": {"suffix": "ball"}}"#), text("ballet"), true),
    ] {
        assert_eq!(
            policy.matches(&with("k", value.clone())),
            expected,
            "{policy:?} {value:?}"
        );
    }
    assert!(!sports.matches(&PublishMessage::new("x")));
}

#[test]
fn operators_on_texts() {
    // E30
    for (condition, good, bad) in [
        (r#"{"prefix": "bas"}"#, "baseball", "Baseball"),
        (r#"{"suffix": "ball"}"#, "baseball", "ballet"),
        (r#"{"equals-ignore-case": "Tennis"}"#, "tENNIS", "tenni"),
        (
            r#"{"equals-ignore-case": "\u03b1\u03a3"}"#,
            "\u{391}\u{3c2}",
            "\u{391}s",
        ),
        (r#"{"equals-ignore-case": "\u03b1\u03c3"}"#, "\u{391}\u{3a3}", "\u{3b1}"),
        (r#"{"equals-ignore-case": "stra\u00dfe"}"#, "STRASSE", "strase"),
        (r#"{"wildcard": "b*b*l"}"#, "baseball", "balloon"),
        (r#"{"wildcard": "x\\*y*"}"#, "x*yz", "xzy"),
        (r#"{"wildcard": "\\\\*"}"#, r"\x", "x"),
        (r#"{"cidr": "10.0.0.0/24"}"#, "10.0.0.255", "10.0.1.255"),
        (r#"{"cidr": "2001:db8::/32"}"#, "2001:db8::1", "2001:db9::1"),
    ] {
        let policy = of(condition);
        assert!(policy.matches(&with("k", text(good))), "{condition} {good}");
        assert!(!policy.matches(&with("k", text(bad))), "{condition} {bad}");
        assert!(!policy.matches(&with("k", number("10"))) && !policy.matches(&PublishMessage::new("x")));
    }
}

#[test]
fn ranges_of_numbers() {
    // E30
    for (numeric, good, bad) in [
        (r#"[">", 0, "<=", 100]"#, ["0.00001", "100"], ["0", "100.00001"]),
        (
            r#"[">=", -1000000000, "<", 1e9]"#,
            ["-1e9", "999999999.99999"],
            ["-1000000001", "1e9"],
        ),
        (r#"["=", 301.5]"#, ["301.5", "3.015e2"], ["301", "301.50001"]),
        (r#"["<", 0]"#, ["-0.00001", "-1e126"], ["0", "-0"]),
        (r#"[">=", 0]"#, ["0", "1e126"], ["-1", "-0.1"]),
    ] {
        let policy = of(&format!(r#"{{"numeric": {numeric}}}"#));
        good.iter()
            .for_each(|it| assert!(policy.matches(&with("k", number(it))), "{numeric} {it}"));
        bad.iter()
            .for_each(|it| assert!(!policy.matches(&with("k", number(it))), "{numeric} {it}"));
        assert!(!policy.matches(&with("k", text(good[0]))), "a text is no number");
    }
    assert!(of(r#"{"numeric": [">", 5]}"#).matches(&with("k", array("[1, 10]"))));
}

#[test]
fn presence_and_absence() {
    // E30
    let (present, absent) = (of(r#"{"exists": true}"#), of(r#"{"exists": false}"#));
    let (with_key, without) = (with("k", number("99")).attribute("d", text("x")), with("d", text("x")));
    assert!(present.matches(&with_key) && !present.matches(&without));
    assert!(!absent.matches(&with_key) && absent.matches(&without));
    let either = of(r#"{"exists": false}, "x""#);
    assert!(either.matches(&without) && either.matches(&with("k", text("x"))) && !either.matches(&with_key));
    let binary = with("k", requeue::MessageAttributeValue::binary([1]));
    assert!(
        absent.matches(&binary) && !present.matches(&binary),
        "filters do not see binary values"
    );
}

#[test]
fn all_keys_have_to_match_and_or_joins_keys() {
    // E30
    let policy = attributes(r#"{"a": ["1"], "b": ["2"]}"#);
    assert!(policy.matches(&with("a", text("1")).attribute("b", text("2"))));
    assert!(!policy.matches(&with("a", text("1"))));
    let policy =
        attributes(r#"{"source": ["s"], "$or": [{"a": ["1"]}, {"b": ["2"], "$or": [{"c": [3]}, {"d": [4]}]}]}"#);
    let message = |others: &[(&str, requeue::MessageAttributeValue)]| {
        others
            .iter()
            .cloned()
            .fold(with("source", text("s")), |it, (name, value)| it.attribute(name, value))
    };
    for (others, expected) in [
        (vec![("a", text("1"))], true),
        (vec![("b", text("2"))], false),
        (vec![("b", text("2")), ("c", number("3"))], true),
        (vec![("b", text("2")), ("d", number("4"))], true),
        (vec![("c", number("3")), ("d", number("4"))], false),
    ] {
        assert_eq!(policy.matches(&message(&others)), expected, "{others:?}");
    }
    assert!(!policy.matches(&with("a", text("1"))));
    // The key stands there twice, and both have to match.
    let twice = attributes(r#"{"a": ["1", "2"], "$or": [{"a": ["2", "3"]}, {"b": ["2"]}]}"#);
    assert!(twice.matches(&with("a", text("2"))) && !twice.matches(&with("a", text("1"))));
    assert!(!twice.matches(&with("a", text("3"))));
}

#[test]
fn or_without_two_branches_is_a_key() {
    // E30
    for (policy, message) in [
        (r#"{"$or": ["x"]}"#, r#"{"$or": "x"}"#),
        (r#"{"$or": {"a": ["x"]}}"#, r#"{"$or": {"a": "x"}}"#),
        (r#"{"$or": [{"prefix": "x"}]}"#, r#"{"$or": "xy"}"#),
        (
            r#"{"$or": [{"numeric": ["=", 123]}, {"prefix": "x"}]}"#,
            r#"{"$or": "xy"}"#,
        ),
        (
            r#"{"$or": [{"numeric": ["=", 123]}, {"prefix": "x"}]}"#,
            r#"{"$or": 123}"#,
        ),
        (
            r#"{"$or": [{"a": ["x"]}, {"b": {"prefix": ["x"]}}]}"#,
            r#"{"b": {"prefix": "x"}}"#,
        ),
    ] {
        assert!(body(policy).matches(&PublishMessage::new(message)), "{policy}");
    }
    for policy in [
        r#"{"$or": [{"a": ["x"]}]}"#,
        r#"{"$or": [{"a": ["x"]}, {"prefix": "x"}]}"#,
        r#"{"$or": [{"a": ["x"]}, "x"]}"#,
    ] {
        let error = FilterPolicy::body(policy).unwrap_err();
        let text = "Invalid parameter: FilterPolicy: Unrecognized match type a";
        assert_eq!(error.to_string(), text);
        assert!(
            matches!(error, FilterPolicyError::Condition { key, .. } if key == "$or"),
            "{policy}"
        );
    }
}

#[test]
fn a_body_is_flattened_with_dots_and_arrays_match_by_an_element() {
    // E31
    let policies = [r#"{"object": {"key": ["v"]}}"#, r#"{"object.key": ["v"]}"#];
    for (text, expected) in [
        (r#"{"object": {"key": "v"}}"#, true),
        (r#"{"object.key": "v"}"#, true),
        (r#"{"object": {"key": ["u", "v"]}}"#, true),
        (r#"{"object": [{"key": "u"}, {"key": "v"}]}"#, true),
        (r#"{"object": [[{"key": ["v"]}]]}"#, true),
        (r#"{"object": {"key": "u"}}"#, false),
        (r#"{"object": {"key": {"v": "v"}}}"#, false),
        (r#"{"key": "v"}"#, false),
        (r#"{"object": "v"}"#, false),
        (r#"["object"]"#, false),
        (r#""v""#, false),
        ("v", false),
        (r#"{"object": {"key": "v"}"#, false),
        (r#"{"object": {"key": "v"}} x"#, false),
    ] {
        for policy in policies {
            assert_eq!(
                body(policy).matches(&PublishMessage::new(text)),
                expected,
                "{policy} {text}"
            );
        }
    }
    let nested_dots = body(r#"{"a.b": {"c": [1]}}"#);
    for text in [r#"{"a": {"b.c": 1}}"#, r#"{"a.b.c": 1}"#, r#"{"a": {"b": {"c": 1}}}"#] {
        assert!(nested_dots.matches(&PublishMessage::new(text)), "{text}");
    }
}

#[test]
fn a_key_is_present_if_it_has_a_value() {
    // E30 E31
    let conditions = [r#"{"exists": true}"#, r#"{"exists": false}"#];
    for (value, expected) in [
        ("null", true),
        ("[null]", true),
        ("[[0]]", true),
        ("[]", false),
        ("[[]]", false),
        ("[{}]", false),
        ("{}", false),
        (r#"{"x": 1}"#, false),
        (r#"[{"x": 1}]"#, false),
    ] {
        let [present, absent] = conditions.map(|it| body(&format!(r#"{{"k": [{it}]}}"#)));
        let message = PublishMessage::new(format!(r#"{{"k": {value}}}"#));
        let matched = (present.matches(&message), absent.matches(&message));
        assert_eq!(matched, (expected, !expected), "{value}");
        assert!(absent.matches(&PublishMessage::new("{}")) && !present.matches(&PublishMessage::new("{}")));
        assert!(
            !absent.matches(&PublishMessage::new("no JSON")),
            "no JSON object matches nothing"
        );
    }
    for (value, expected) in [
        ("[null]", true),
        ("[]", false),
        ("[{}]", false),
        ("{}", false),
        ("no JSON", false),
    ] {
        let [present, absent] = conditions.map(of);
        let message = with("k", array(value));
        let matched = (present.matches(&message), absent.matches(&message));
        assert_eq!(matched, (expected, !expected), "{value}");
    }
}

#[test]
fn a_key_in_an_array_of_objects_is_present_if_one_of_them_has_it() {
    // E31
    let absent = body(r#"{"a": {"b": [{"exists": false}]}}"#);
    assert!(!absent.matches(&PublishMessage::new(r#"{"a": [{"b": 1}, {"c": 2}]}"#)));
    assert!(absent.matches(&PublishMessage::new(r#"{"a": [{"c": 1}, {"c": 2}]}"#)));
}

#[test]
fn the_example_of_sns_with_alternatives_in_a_body() {
    // E30 E31
    let policy = body(
        r#"{"$or": [{"metricName": ["CPUUtilization", "ReadLatency"]}, {"namespace": ["AWS/EC2", "AWS/ES"]}],
            "detail": {"scope": ["Service"], "$or": [{"source": ["aws.cloudwatch"]}, {"type": ["Alarm"]}]}}"#,
    );
    for (text, expected) in [
        (
            r#"{"metricName": "CPUUtilization", "detail": {"scope": "Service", "source": "aws.cloudwatch"}}"#,
            true,
        ),
        (
            r#"{"namespace": "AWS/ES", "detail": {"scope": "Service", "type": "Alarm"}}"#,
            true,
        ),
        (
            r#"{"metricName": "CPUUtilization", "detail": {"scope": "Service", "type": "CPUUtilization"}}"#,
            false,
        ),
        (
            r#"{"metricName": "CPUUtilization", "detail": {"type": "Alarm"}}"#,
            false,
        ),
        (
            r#"{"metricName": "AWS/EC2", "detail": {"scope": "Service", "type": "Alarm"}}"#,
            false,
        ),
    ] {
        assert_eq!(policy.matches(&PublishMessage::new(text)), expected, "{text}");
    }
}

#[test]
fn an_empty_policy_matches_all_that_its_scope_reads() {
    // E30 E31
    assert!(attributes("{}").matches(&PublishMessage::new("x")));
    assert!(body("{}").matches(&PublishMessage::new("{}")) && !body("{}").matches(&PublishMessage::new("x")));
}
