//! How filter policies are refused. The texts are those recorded of SNS where there are any.

use requeue::topics::{ConditionError, FilterPolicy, FilterPolicyError, NumericError};

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
        (
            r#"{"cidr": "10.0.0.0/33"}"#,
            "Malformed CIDR, mask bits must be 0 to 32, not 33",
        ),
        (
            r#"{"cidr": "::/-1"}"#,
            "Malformed CIDR, mask bits must be 0 to 128, not -1",
        ),
        (
            r#"{"cidr": "10.0.0.0/+24"}"#,
            "Malformed CIDR, mask bits must be an integer",
        ),
        (
            r#"{"cidr": "10.0.0.0/024"}"#,
            "Malformed CIDR, mask bits must be an integer",
        ),
        (r#"{"wildcard": "a\\b"}"#, "Invalid escape character at pos 1"),
        (
            r#"{"anything-but": {"wildcard": "\\"}}"#,
            "Invalid escape character at pos 0",
        ),
        (r#"{"numeric": [">=", 5, "<=", 5]}"#, "Bottom must be less than top"),
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
fn an_error_has_the_key_and_the_wrong_value() {
    // E32
    let condition = |error| FilterPolicyError::Condition {
        key: "a.b".to_owned(),
        error,
    };
    let (key, operator) = ("a.b".to_owned(), "cidr".to_owned());
    for (policy, expected) in [
        ("[]", FilterPolicyError::EmptyArray { key: key.clone() }),
        ("{}", FilterPolicyError::EmptyObject { key }),
        (
            r#"[{"cidr": 8}]"#,
            condition(ConditionError::PatternNotString { operator }),
        ),
        (
            "[[1]]",
            condition(ConditionError::MatchValue {
                value: "[1]".to_owned(),
            }),
        ),
        (
            r#"[{"numeric": [">", 1, "<", 1]}]"#,
            condition(NumericError::BottomNotLess.into()),
        ),
        (
            r#"[1, {"x": 1, "y": 1}]"#,
            condition(ConditionError::NotOneKey { count: 2 }),
        ),
    ] {
        let error = FilterPolicy::body(&format!(r#"{{"a": {{"b": {policy}}}}}"#)).unwrap_err();
        assert_eq!(error, expected, "{policy}");
    }
    let many = FilterPolicy::body(&format!(r#"{{"a": {{"b": {:?}}}}}"#, [1; 100])).unwrap_err();
    let expected = FilterPolicyError::TooComplex {
        combinations: 200,
        limit: 150,
    };
    assert_eq!(many, expected);
}

#[test]
fn a_key_stands_once_in_an_object() {
    // E32
    for (policy, key) in [
        (r#"{"a": [1], "a": [2]}"#, "a"),
        (r#"{"a": [1], "b": {"c": [1], "\u0063": [1]}}"#, "c"),
        (r#"{"a": [{"prefix": "x", "prefix": "x"}]}"#, "prefix"),
        (
            r#"{"$or": [{"a": [1]}, {"b": [true, 1.5, -1, null, "x"], "b": [1]}]}"#,
            "b",
        ),
        (
            r#"{"$or": [{"a": [1]}, {"b": [1]}], "$or": [{"a": [1]}, {"b": [1]}]}"#,
            "$or",
        ),
    ] {
        let text = format!("Invalid parameter: FilterPolicy: the key \"{key}\" is there twice in one object");
        assert_eq!(refused(policy), text, "{policy}");
    }
    assert!(FilterPolicy::body(r#"{"a": {"b": [1]}, "a.b": [1], "$or": [{"a.b": [1]}, {"b": [1]}]}"#).is_ok());
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
