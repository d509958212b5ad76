//! JSON as an access policy is kept: read one, change it, write it, compare two.
//!
//! `serde_json::Value` keeps the order of members and the digits of numbers only under features that change what a
//! `Value` is in the whole program. So a document is split into `RawValue`s, which are texts.
use super::policies::JsonText;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::collections::{BTreeMap, HashMap, hash_map::Entry};
use std::fmt;

/// A JSON value.
///
/// What is read and written again is the same but for whitespace and escapes: members keep their order, numbers their
/// digits. Of two members with one name the later counts, in the place of the first.
#[derive(Clone, Debug)]
pub(super) enum Json {
    Null,
    Bool(bool),
    /// As it is written, which JSON allows.
    Number(String),
    String(String),
    Array(Vec<Self>),
    /// No two members bear one name.
    Object(Vec<(String, Self)>),
}

impl Json {
    /// Deeper documents are refused, so that none can exhaust the stack.
    const DEPTH: usize = 64;

    /// The value that `text` is, `None` if it is not exactly one JSON value.
    pub(super) fn parse(text: &str) -> Option<Self> {
        read(serde_json::from_str(text).ok()?, Self::DEPTH)
    }

    pub(super) fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The members of an object; nothing else has any.
    pub(super) fn members(&self) -> &[(String, Self)] {
        match self {
            Self::Object(members) => members,
            _ => &[],
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&Self> {
        let mut members = self.members().iter();
        members.find_map(|(member, value)| (member == name).then_some(value))
    }

    /// The elements of an array; null has none, and anything else is the one element of
    /// itself, as IAM writes a list of one.
    pub(super) fn elements(&self) -> &[Self] {
        match self {
            Self::Null => &[],
            Self::Array(elements) => elements,
            one => std::slice::from_ref(one),
        }
    }

    /// The same elements as a list that can be changed.
    pub(super) fn elements_mut(&mut self) -> &mut Vec<Self> {
        match std::mem::replace(self, Self::Null) {
            Self::Null => *self = Self::Array(Vec::new()),
            Self::Array(elements) => *self = Self::Array(elements),
            one => *self = Self::Array(vec![one]),
        }
        match self {
            Self::Array(elements) => elements,
            _ => unreachable!("invariant: it was made an array above"),
        }
    }
}

impl From<&str> for Json {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

/// Equal by what they say (Q34): the order of members and the way a number is written do not count.
impl PartialEq for Json {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(one), Self::Bool(other)) => one == other,
            (Self::Number(one), Self::Number(other)) => one == other || same_number(one, other),
            (Self::String(one), Self::String(other)) => one == other,
            (Self::Array(one), Self::Array(other)) => one == other,
            (Self::Object(one), Self::Object(other)) => by_name(one) == by_name(other),
            _ => false,
        }
    }
}

/// Beyond the range of `f64` nothing is told apart, and so only the same text is the same number.
fn same_number(one: &str, other: &str) -> bool {
    let value = |text: &str| text.parse::<f64>().ok().filter(|value| value.is_finite());
    value(one).is_some_and(|one| value(other) == Some(one))
}

fn by_name(members: &[(String, Json)]) -> BTreeMap<&str, &Json> {
    members.iter().map(|(name, value)| (name.as_str(), value)).collect()
}

/// Without whitespace.
impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Number(text) => f.write_str(text),
            Self::String(text) => write!(f, "{}", JsonText(text)),
            Self::Array(elements) => {
                f.write_str("[")?;
                for (position, element) in elements.iter().enumerate() {
                    write!(f, "{}{element}", comma(position))?;
                }
                f.write_str("]")
            }
            Self::Object(members) => {
                f.write_str("{")?;
                for (position, (name, value)) in members.iter().enumerate() {
                    write!(f, "{}{}:{value}", comma(position), JsonText(name))?;
                }
                f.write_str("}")
            }
        }
    }
}

fn comma(position: usize) -> &'static str {
    if position == 0 { "" } else { "," }
}

/// The value that `raw` is, whose objects and arrays are nested at most `depth` deep.
fn read(raw: &RawValue, depth: usize) -> Option<Json> {
    let text = raw.get();
    Some(match text.as_bytes().first()? {
        b'{' => {
            let Members(members) = serde_json::from_str(text).ok()?;
            let depth = depth.checked_sub(1)?;
            let read = |(name, value)| Some((name, read(value, depth)?));
            Json::Object(members.into_iter().map(read).collect::<Option<_>>()?)
        }
        b'[' => {
            let elements: Vec<&RawValue> = serde_json::from_str(text).ok()?;
            let depth = depth.checked_sub(1)?;
            let read = |element| read(element, depth);
            Json::Array(elements.into_iter().map(read).collect::<Option<_>>()?)
        }
        b'"' => Json::String(serde_json::from_str(text).ok()?),
        b'n' => Json::Null,
        b't' => Json::Bool(true),
        b'f' => Json::Bool(false),
        _ => Json::Number(text.to_owned()),
    })
}

/// The members of an object in their order, no two with one name.
struct Members<'de>(Vec<(String, &'de RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
        let (mut members, mut places) = (Vec::new(), HashMap::new());
        while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
            match places.entry(name.clone()) {
                Entry::Occupied(place) => members[*place.get()] = (name, value),
                Entry::Vacant(place) => {
                    place.insert(members.len());
                    members.push((name, value));
                }
            }
        }
        Ok(Members(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::{btree_map, vec};
    use proptest::prelude::*;

    fn same(one: &str, other: &str) -> bool {
        let (one, other) = (Json::parse(one), Json::parse(other));
        one.is_some() && one == other
    }

    #[test]
    fn documents_are_equal_by_structure() {
        // Q34
        assert!(same(
            r#"{"a":1,"b":[true,null]}"#,
            " { \"b\" : [ true , null ] ,\n\t\"a\" : 1.0e0 }\r\n"
        ));
        assert!(same(r#""\u00e9\ud83d\ude00\n\/""#, "\"\u{e9}\u{1f600}\\n/\""));
        assert!(same("-0.5E+1", "-5") && same("{}", "{ }") && same("[]", "[ ]"));
        for (one, other) in [
            ("[1,2]", "[2,1]"),
            (r#"{"a":1}"#, r#"{"A":1}"#),
            (r#""1""#, "1"),
            ("{}", "[]"),
        ] {
            assert!(!same(one, other), "{one} {other}");
        }
    }

    #[test]
    fn what_is_not_exactly_one_json_value_is_refused() {
        // Q26
        let texts = [
            "",
            "{",
            "[1,]",
            r#"{"a"}"#,
            "nul",
            "{} {}",
            "01",
            r#""\ud800""#,
            r#"{"\ud800":1}"#,
            "\"\n\"",
        ];
        for text in texts {
            assert_eq!(Json::parse(text), None, "{text}");
        }
    }

    #[test]
    fn depth_is_limited() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(Json::parse(&nested(Json::DEPTH)).is_some());
        assert!(Json::parse(&nested(Json::DEPTH + 1)).is_none());
        assert!(Json::parse(&"[".repeat(100_000)).is_none());
    }

    #[test]
    fn what_is_not_said_in_whitespace_and_escapes_is_kept() {
        for text in [
            r#"{"b":1.50,"a":[],"":{},"c":[-0,1E+2,12345678901234567890,null,true,false]}"#,
            "\"\u{e9}\u{1f600}/\\\"\\\\\\u0001\u{7f}\"",
        ] {
            assert_eq!(Json::parse(text).unwrap().to_string(), text);
        }
        let spaced = Json::parse(" { \"\\u0061\\/\" : [ 1 , \"\\ud83d\\ude00\\n\" ] } ").unwrap();
        assert_eq!(spaced.to_string(), "{\"a/\":[1,\"\u{1f600}\\u000a\"]}");
    }

    #[test]
    fn of_two_members_with_one_name_the_later_counts() {
        let twice = Json::parse(r#"{"a":1,"b":2,"\u0061":3}"#).unwrap();
        assert_eq!(twice.to_string(), r#"{"a":3,"b":2}"#);
        assert!(same(r#"{"a":1,"a":2}"#, r#"{"a":2}"#) && !same(r#"{"a":1,"a":2}"#, r#"{"a":1}"#));
    }

    #[test]
    fn numbers_beyond_the_range_of_a_double_are_equal_only_as_text() {
        // Q34
        assert!(same("1e999", "1e999") && !same("1e999", "2e999") && !same("1e999", "-1e999"));
        assert!(same("0", "-0") && same("100", "1e2"));
    }

    fn json() -> impl Strategy<Value = Json> {
        let number = "-?(0|[1-9][0-9]{0,20})([.][0-9]{1,5})?([eE][+-]?[0-9]{1,3})?";
        let leaf = prop_oneof![
            Just(Json::Null),
            any::<bool>().prop_map(Json::Bool),
            number.prop_map(Json::Number),
            any::<String>().prop_map(Json::String),
        ];
        leaf.prop_recursive(6, 64, 6, |inner| {
            prop_oneof![
                vec(inner.clone(), 0..6).prop_map(Json::Array),
                btree_map(any::<String>(), inner, 0..6)
                    .prop_map(|members| members.into_iter().collect())
                    .prop_shuffle()
                    .prop_map(Json::Object),
            ]
        })
    }

    proptest! {
        /// What is written is read back as the same value, and written again as the same text.
        #[test]
        fn a_document_survives_being_written_and_read(document in json()) {
            let text = document.to_string();
            let again = Json::parse(&text).expect("what is written is JSON");
            prop_assert_eq!(&again, &document);
            prop_assert_eq!(again.to_string(), text);
        }
    }
}
