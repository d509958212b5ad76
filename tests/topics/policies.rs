//! What filter policies match, and how bad ones are refused. Texts and cases are those recorded of SNS where there are
//! any.

use super::{array, attributes, body, number, text, with};
use requeue::topics::{FilterPolicy, PublishMessage};

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
        (r#"{"wildcard": "b*b*l"}"#, "baseball", "balloon"),
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
fn a_key_called_or_with_one_branch_is_a_key() {
    // E30
    let policy = body(r#"{"$or": ["x"]}"#);
    assert!(policy.matches(&PublishMessage::new(r#"{"$or": "x"}"#)));
    let one_branch = FilterPolicy::body(r#"{"$or": [{"a": ["x"]}]}"#).unwrap_err();
    assert_eq!(
        one_branch.to_string(),
        "Invalid parameter: FilterPolicy: Unrecognized match type a"
    );
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
fn a_key_is_present_in_a_body_if_it_has_a_value() {
    // E30 E31
    let (present, absent) = (
        body(r#"{"k": [{"exists": true}]}"#),
        body(r#"{"k": [{"exists": false}]}"#),
    );
    for (text, expected) in [
        (r#"{"k": null}"#, true),
        (r#"{"k": [[0]]}"#, true),
        (r#"{"k": []}"#, false),
        (r#"{"k": {}}"#, false),
        (r#"{"k": {"x": 1}}"#, false),
        ("{}", false),
    ] {
        let message = PublishMessage::new(text);
        assert_eq!(
            (present.matches(&message), absent.matches(&message)),
            (expected, !expected),
            "{text}"
        );
    }
    assert!(
        !absent.matches(&PublishMessage::new("no JSON")),
        "no JSON object matches nothing"
    );
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

fn refused(policy: &str) -> String {
    let error = FilterPolicy::body(policy).expect_err(policy);
    assert_eq!(error.code(), "InvalidParameter");
    error.to_string()
}

#[test]
fn bad_policies_are_refused_in_the_words_of_sns() {
    // E32
    for (condition, reason) in [
        (
            r#"["value"]"#,
            "Match value must be String, number, true, false, or null",
        ),
        (r#"{"wrong-operator": true}"#, "Unrecognized match type wrong-operator"),
        (
            r#"{"suffix": "a", "prefix": "b"}"#,
            "Only one key allowed in match expression",
        ),
        ("{}", "Only one key allowed in match expression"),
        (r#"{"suffix": 100}"#, "suffix match pattern must be a string"),
        (r#"{"suffix": null}"#, "suffix match pattern must be a string"),
        (r#"{"prefix": []}"#, "prefix match pattern must be a string"),
        (
            r#"{"exists": null}"#,
            "exists match pattern must be either true or false.",
        ),
        (
            r#"{"exists": "no"}"#,
            "exists match pattern must be either true or false.",
        ),
        (
            r#"{"anything-but": {"wrong-operator": null}}"#,
            "Unsupported anything-but pattern: wrong-operator",
        ),
        (
            r#"{"anything-but": {"exists": false}}"#,
            "Unsupported anything-but pattern: exists",
        ),
        (
            r#"{"anything-but": {"prefix": false}}"#,
            "prefix match pattern must be a string",
        ),
        (r#"{"anything-but": []}"#, "Empty arrays are not allowed"),
        (r#"{"numeric": []}"#, "Invalid member in numeric match: ]"),
        (r#"{"numeric": 5}"#, "Invalid member in numeric match: 5"),
        (
            r#"{"numeric": ["operator"]}"#,
            "Unrecognized numeric range operator: operator",
        ),
        (r#"{"numeric": [1, "<="]}"#, "Invalid member in numeric match: 1"),
        (r#"{"numeric": ["=", "000"]}"#, "Value of equals must be numeric"),
        (r#"{"numeric": [">="]}"#, "Value of >= must be numeric"),
        (
            r#"{"numeric": ["<", 100, ">", 10]}"#,
            "Too many elements in numeric expression",
        ),
        (r#"{"numeric": [">=", 1, ">", 2]}"#, "Bad numeric range operator: >"),
        (r#"{"numeric": [">", 3, "<", 1]}"#, "Bottom must be less than top"),
        (r#"{"numeric": [">", 20, "<="]}"#, "Value of <= must be numeric"),
        (r#"{"numeric": [">", 20, 30]}"#, "Bad value in numeric range: 30"),
        (r#"{"numeric": [">", 20, "test"]}"#, "Bad numeric range operator: test"),
        (r#"{"numeric": [">", "20", "<", "30"]}"#, "Value of > must be numeric"),
        (r#"{"numeric": [">", 20, "<", "30"]}"#, "Value of < must be numeric"),
        (
            r#"{"numeric": [">", 20, "<", 30, "<", 50]}"#,
            "Too many terms in numeric range expression",
        ),
        (r#"{"cidr": "10.0.0.0"}"#, "Malformed CIDR, one '/' required"),
        (r#"{"cidr": "10.0.0.0/8/8"}"#, "Malformed CIDR, one '/' required"),
        (
            r#"{"cidr": "10.0.0.0/x"}"#,
            "Malformed CIDR, mask bits must be an integer",
        ),
        (r#"{"cidr": "10.0.0/8"}"#, "Nonstandard IP address: 10.0.0"),
        (r#"{"cidr": "10.0.0.0/33"}"#, "Nonstandard IP address: 10.0.0.0"),
        (r#"{"cidr": "10.0.0.0/-1"}"#, "Nonstandard IP address: 10.0.0.0"),
        (r#"{"cidr": 10}"#, "prefix match pattern must be a string"),
    ] {
        let text = refused(&format!(r#"{{"key": [{condition}]}}"#));
        assert_eq!(
            text,
            format!("Invalid parameter: FilterPolicy: {reason}"),
            "{condition}"
        );
    }
    for (policy, reason) in [
        (r#"{"key": []}"#, "Empty arrays are not allowed"),
        (r#"{"key": {}}"#, "Empty objects are not allowed"),
        (r#"{"$or": [{}, {"a": [1]}]}"#, "Empty objects are not allowed"),
        (
            r#"{"key": {"suffix": "value"}}"#,
            "\"suffix\" must be an object or an array",
        ),
        (r#"{"key_a": "value_one"}"#, "\"key_a\" must be an object or an array"),
        ("[]", "Filter is not an object"),
    ] {
        assert_eq!(
            refused(policy),
            format!("Invalid parameter: FilterPolicy: {reason}"),
            "{policy}"
        );
    }
    let nested = FilterPolicy::attributes(r#"{"object": {"key": ["x"]}}"#).unwrap_err();
    assert_eq!(
        nested.to_string(),
        "Invalid parameter: Filter policy scope MessageAttributes does not support nested filter policy"
    );
}

#[test]
fn five_keys_and_of_nested_ones_the_innermost_count() {
    // E32
    let five = r#""a": [1], "b": [1], "c": {"d": [1], "e": [1]}"#;
    assert!(FilterPolicy::body(&format!("{{{five}, \"f\": [1]}}")).is_ok());
    let six = refused(&format!("{{{five}, \"f\": {{\"g\": [1], \"h\": [1]}}}}"));
    assert_eq!(
        six,
        "Invalid parameter: FilterPolicy: Filter policy can not have more than 5 keys"
    );
}

#[test]
fn the_combinations_of_values_are_bounded() {
    // E32
    const TOO_COMPLEX: &str = "Invalid parameter: FilterPolicy: Filter policy is too complex";
    let values = |count: usize| serde_json::to_string(&(0..count).collect::<Vec<_>>()).unwrap();
    assert!(FilterPolicy::attributes(&format!(r#"{{"k": {}}}"#, values(150))).is_ok());
    assert_eq!(refused(&format!(r#"{{"k": {}}}"#, values(151))), TOO_COMPLEX);
    assert_eq!(
        refused(&format!(r#"{{"k": {}, "l": {}}}"#, values(100), values(51))),
        TOO_COMPLEX
    );
    // 3 * 4 for the depth of 3, times 2 * 3 for that of 2.
    let nested = |count| {
        format!(
            r#"{{"a": {{"b": {{"c": {}}}}}, "d": {{"e": {}}}}}"#,
            values(4),
            values(count)
        )
    };
    assert!(FilterPolicy::body(&nested(6)).is_ok());
    assert_eq!(refused(&nested(7)), TOO_COMPLEX);
    let flat = |source, metric, space| {
        format!(
            r#"{{"source": {}, "$or": [{{"metricName": {}}}, {{"metricType": {}, "$or": [{{"metricId": {}}}, {{"spaceId": {}}}]}}]}}"#,
            values(source),
            values(metric),
            values(4),
            values(4),
            values(space)
        )
    };
    assert_eq!(refused(&flat(4, 6, 4)), TOO_COMPLEX); // 24 + 64 + 64
    assert!(FilterPolicy::attributes(&flat(3, 6, 7)).is_ok()); // 18 + 48 + 84
    let nested_or = |types| {
        format!(
            r#"{{"$or": [{{"metricName": {}}}, {{"namespace": {}}}], "detail": {{"scope": {}, "$or": [{{"source": {}}}, {{"type": {}}}]}}}}"#,
            values(3),
            values(2),
            values(2),
            values(1),
            values(types)
        )
    };
    assert_eq!(refused(&nested_or(3)), TOO_COMPLEX); // 24 + 72 + 16 + 48
    assert!(FilterPolicy::body(&nested_or(2)).is_ok());
}
