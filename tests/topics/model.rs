//! Topics beside the naive matcher, and policies and bodies of any kind: nothing panics, and what is accepted is matched
//! as the rules say.

use super::{naive, queue};
use proptest::prelude::*;
use requeue::{
    Limits, MessageAttributeValue, MessageAttributes, Queue,
    topics::{FilterPolicy, FilterPolicyScope, PublishMessage, Topic},
};
use serde_json::{Map, Value as Json, json};

/// Few keys and values, so that policies and messages meet.
const KEYS: [&str; 6] = ["a", "b", "a.b", "b.c", "", "c"];
const TEXTS: [&str; 16] = [
    "",
    "a",
    "ab",
    "abc",
    "ABC",
    "b",
    "10.0.0.1",
    "::1",
    "abab",
    "a*",
    "a\\b",
    "\u{3b1}\u{3c2}",
    "\u{391}\u{3a3}",
    "\u{3b1}\u{3c3}",
    "ss",
    "\u{df}",
];
/// By their text, with which a policy and a message have them.
const NUMBERS: [&str; 9] = [
    "0",
    "-0",
    "1",
    "1.50",
    "15e-1",
    "-2",
    "1e9",
    "1000000000.00000",
    "999999999.99999",
];
/// One number, which a reader that does not round to the nearest float takes for several.
const LONG: [&str; 3] = [
    "0.00000007392414680396087",
    "0.00000007392414680396087000",
    "7392414680396087e-23",
];
/// One float, and the next.
const WIDE: [&str; 3] = ["9007199254740993", "9007199254740992.000001", "9007199254740994.0"];

fn key() -> impl Strategy<Value = String> {
    prop::sample::select(&KEYS[..]).prop_map(str::to_owned)
}

/// A number of JSON that keeps its text until it is [`written`].
fn number(text: &str) -> Json {
    Json::from(format!("#{text}"))
}

/// The text of JSON with its numbers.
fn written(json: &Json) -> String {
    let joined = |all: Vec<String>| all.join(",");
    match json {
        Json::String(text) if text.starts_with('#') => text[1..].to_owned(),
        Json::Array(elements) => format!("[{}]", joined(elements.iter().map(written).collect())),
        Json::Object(members) => {
            let member = |(name, value): (&String, _)| format!("{}:{}", Json::from(&**name), written(value));
            format!("{{{}}}", joined(members.iter().map(member).collect()))
        }
        other => other.to_string(),
    }
}

/// Any number, mostly with as many digits as SNS takes, or with more.
fn any_number() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => prop::sample::select(&NUMBERS[..]).prop_map(str::to_owned),
        6 => prop::sample::select(&LONG[..]).prop_map(str::to_owned),
        2 => prop::sample::select(&WIDE[..]).prop_map(str::to_owned),
        1 => "-?(0|[1-9][0-9]{0,8})\\.[0-9]{5}0{0,9}",
        1 => "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,25})?([eE][+-]?[0-9]{1,2})?",
    ]
}

fn scalar() -> impl Strategy<Value = Json> {
    prop_oneof![
        4 => prop::sample::select(&TEXTS[..]).prop_map(Json::from),
        3 => any_number().prop_map(|text| number(&text)),
        1 => any::<bool>().prop_map(Json::from),
        1 => Just(Json::Null),
        1 => (-2_i64..3).prop_map(Json::from),
    ]
}

fn pattern() -> impl Strategy<Value = Json> {
    let text = prop::sample::select(&TEXTS[..]);
    let wildcard = r"([ab*]|\\\*|\\\\){0,4}";
    prop_oneof![
        (
            prop::sample::select(vec!["prefix", "suffix", "equals-ignore-case"]),
            text
        )
            .prop_map(|(operator, text)| json!({ operator: text })),
        wildcard.prop_map(|text| json!({ "wildcard": text })),
    ]
}

fn numeric() -> impl Strategy<Value = Json> {
    let limit = any_number().prop_map(|text| number(&text));
    let operator = prop::sample::select(vec!["=", "<", "<=", ">", ">="]);
    prop_oneof![
        (operator, limit).prop_map(|(operator, limit)| json!({"numeric": [operator, limit]})),
        (any::<(bool, bool)>(), -3..2_i8, 1..4_i8).prop_map(|((from, to), bottom, span)| {
            let operators = (if from { ">=" } else { ">" }, if to { "<=" } else { "<" });
            json!({"numeric": [operators.0, bottom, operators.1, f64::from(bottom) + f64::from(span) / 2.0]})
        }),
    ]
}

fn condition() -> impl Strategy<Value = Json> {
    prop_oneof![
        6 => scalar(),
        2 => any::<bool>().prop_map(|wanted| json!({ "exists": wanted })),
        2 => pattern(),
        1 => pattern().prop_map(|pattern| json!({ "anything-but": pattern })),
        1 => scalar().prop_map(|value| json!({ "anything-but": value })),
        1 => prop::collection::vec(scalar(), 1..3).prop_map(|values| json!({ "anything-but": values })),
        2 => numeric(),
        1 => prop::sample::select(vec!["10.0.0.0/24", "10.0.0.0/0", "::/127", "10.0.0.1/32"])
            .prop_map(|network| json!({ "cidr": network })),
    ]
}

fn flat_policy() -> impl Strategy<Value = Json> {
    let leaf = (key(), prop::collection::vec(condition(), 1..4));
    let object = prop::collection::vec(leaf, 1..4).prop_map(|leaves| {
        let leaves = leaves
            .into_iter()
            .map(|(key, conditions)| (key, Json::from(conditions)));
        Json::Object(leaves.collect())
    });
    object.prop_recursive(3, 12, 3, |inner| {
        (inner.clone(), prop::collection::vec(inner, 2..4)).prop_map(|(mut object, branches)| {
            object["$or"] = branches.into();
            object
        })
    })
}

fn nested_policy() -> impl Strategy<Value = Json> {
    flat_policy().prop_recursive(3, 12, 2, |inner| {
        (inner.clone(), key(), inner).prop_map(|(mut object, key, nested)| {
            object[key] = nested;
            object
        })
    })
}

/// Of the length that a queue takes.
fn attribute_number() -> impl Strategy<Value = String> {
    any_number().prop_filter("longer", |text| text.len() < 38)
}

fn attribute() -> impl Strategy<Value = MessageAttributeValue> {
    prop_oneof![
        4 => prop::sample::select(&TEXTS[1..]).prop_map(MessageAttributeValue::string),
        3 => attribute_number().prop_map(MessageAttributeValue::number),
        2 => prop::collection::vec(scalar(), 0..3)
            .prop_map(|values| MessageAttributeValue::new("String.Array", written(&Json::from(values)))),
        1 => Just(MessageAttributeValue::new("String.Array", "[1")),
        1 => Just(MessageAttributeValue::binary([1])),
    ]
}

/// A topic takes no empty name and no name with `$`.
fn attributes() -> impl Strategy<Value = MessageAttributes> {
    let name = prop::sample::select(vec!["a", "b", "a.b", "b.c", "c"]);
    prop::collection::vec((name, attribute()), 0..4).prop_map(|all| all.into_iter().collect())
}

fn body() -> impl Strategy<Value = String> {
    let json = scalar().prop_recursive(4, 16, 3, |inner| {
        prop_oneof![
            prop::collection::vec((key(), inner.clone()), 0..4).prop_map(|members| members.into_iter().collect()),
            prop::collection::vec(inner, 0..3).prop_map(Json::from),
        ]
    });
    let object = prop::collection::vec((key(), json.clone()), 0..4)
        .prop_map(|members| written(&Json::Object(members.into_iter().collect())));
    prop_oneof![6 => object, 1 => json.prop_map(|json| written(&json)), 1 => Just("{".to_owned())]
}

/// Nothing is too complex.
fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.filter_policy_keys = usize::MAX;
    limits.filter_policy_combinations = 1 << 14;
    limits
}

#[derive(Clone, Debug)]
struct Case {
    policies: Vec<(FilterPolicyScope, String)>,
    messages: Vec<(String, MessageAttributes)>,
}

fn case() -> impl Strategy<Value = Case> {
    let policy = prop_oneof![
        flat_policy().prop_map(|policy| (FilterPolicyScope::MessageAttributes, written(&policy))),
        nested_policy().prop_map(|policy| (FilterPolicyScope::MessageBody, written(&policy))),
    ];
    let messages = prop::collection::vec((body(), attributes()), 1..6);
    (prop::collection::vec(policy, 1..10), messages).prop_map(|(policies, messages)| Case { policies, messages })
}

fn matches(scope: FilterPolicyScope, policy: &str, (body, attributes): &(String, MessageAttributes)) -> bool {
    match scope {
        FilterPolicyScope::MessageBody => naive::matches_body(policy, body),
        _ => naive::matches_attributes(policy, attributes),
    }
}

/// Publishes to a topic with all policies, and compares who got the message.
fn compare(Case { policies, messages }: &Case) -> Result<(), TestCaseError> {
    let topic = Topic::standard("model").build().unwrap();
    let mut subscribed: Vec<(Queue, FilterPolicyScope, &str)> = Vec::new();
    for (scope, policy) in policies {
        match FilterPolicy::within(policy, *scope, &limits()) {
            Ok(compiled) => {
                let queue = queue(&format!("q{}", subscribed.len()));
                let subscription = topic
                    .subscribe(&queue)
                    .raw_message_delivery(true)
                    .filter_policy(compiled);
                subscription.create().unwrap();
                subscribed.push((queue, *scope, policy));
            }
            Err(error) => prop_assert!(error.to_string().contains("too complex"), "{policy}: {error}"),
        }
    }
    let mut expected = vec![0; subscribed.len()];
    for message in messages {
        let published = PublishMessage::new(&*message.0).attributes(message.1.clone());
        prop_assert_eq!(&topic.publish(published).unwrap().failures, &[]);
        for ((queue, scope, policy), expected) in subscribed.iter().zip(&mut expected) {
            *expected += usize::from(matches(*scope, policy, message));
            prop_assert_eq!(queue.counts().visible, *expected, "{} {:?}", policy, message);
        }
    }
    Ok(())
}

/// Any JSON, with the names of operators among its keys.
fn any_json() -> impl Strategy<Value = Json> {
    let name = prop_oneof![
        Just("$or".to_owned()),
        prop::sample::select(vec![
            "prefix",
            "anything-but",
            "numeric",
            "exists",
            "cidr",
            "wildcard",
            "a",
            "a.b"
        ])
        .prop_map(str::to_owned),
        any::<String>(),
    ];
    let scalar = prop_oneof![
        scalar(),
        prop::num::f64::NORMAL.prop_map(|it| number(&it.to_string())),
        any::<u64>().prop_map(|it| number(&it.to_string())),
        any::<String>().prop_map(|it| Json::from(it.trim_start_matches('#'))),
        prop::sample::select(vec!["=", ">", "<=", "1.2.3.4/8", "::/0", "/", "*"]).prop_map(Json::from),
    ];
    scalar.prop_recursive(6, 40, 4, move |inner| {
        prop_oneof![
            prop::collection::vec((name.clone(), inner.clone()), 0..4)
                .prop_map(|it| it.into_iter().collect::<Map<_, _>>())
                .prop_map(Json::Object),
            prop::collection::vec(inner, 0..4).prop_map(Json::from),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn a_topic_delivers_to_whom_the_rules_say(case in case()) {
        // E30 E31
        compare(&case)?;
    }

    #[test]
    fn any_json_is_a_policy_or_an_error_and_matches_by_the_rules(
        policy in any_json(),
        text in any_json(),
        attributes in attributes(),
    ) {
        // E30 E31 E32
        let (policy, message) = (written(&policy), (written(&text), attributes));
        for scope in [FilterPolicyScope::MessageAttributes, FilterPolicyScope::MessageBody] {
            if let Ok(compiled) = FilterPolicy::within(&policy, scope, &limits()) {
                let published = PublishMessage::new(&*message.0).attributes(message.1.clone());
                prop_assert_eq!(compiled.matches(&published), matches(scope, &policy, &message));
            }
        }
    }

    #[test]
    fn any_text_is_a_policy_or_an_error(text in "(\\PC|[{}\\[\\]\":,0-9])*", body in any::<String>()) {
        // E32
        for policy in [FilterPolicy::attributes(&text), FilterPolicy::body(&text)].into_iter().flatten() {
            let _ = policy.matches(&PublishMessage::new(&*body));
        }
    }
}
