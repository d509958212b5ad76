//! JSON as an access policy is kept: read one, change it, write it, compare two.
//!
//! `serde_json` keeps the digits of numbers and the order of members only under features that change what its `Value` is
//! in the whole program, and with `raw_value` or `arbitrary_precision` a member with a certain name is read as another
//! value than it is. So this is read here.
use super::policies::JsonText;
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
        let mut parser = Parser { rest: text };
        let value = parser.value(Self::DEPTH)?;
        parser.skip_whitespace();
        parser.rest.is_empty().then_some(value)
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

/// What of the text is left to read.
struct Parser<'a> {
    rest: &'a str,
}

impl Parser<'_> {
    fn skip_whitespace(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
    }

    /// Takes `token` if it comes next, after whitespace.
    fn take(&mut self, token: &str) -> bool {
        self.skip_whitespace();
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn value(&mut self, depth: usize) -> Option<Json> {
        self.skip_whitespace();
        match *self.rest.as_bytes().first()? {
            b'{' => self.object(depth.checked_sub(1)?),
            b'[' => self.array(depth.checked_sub(1)?),
            b'"' => self.string().map(Json::String),
            b'n' => self.take("null").then_some(Json::Null),
            b't' => self.take("true").then_some(Json::Bool(true)),
            b'f' => self.take("false").then_some(Json::Bool(false)),
            _ => self.number(),
        }
    }

    fn object(&mut self, depth: usize) -> Option<Json> {
        let (mut members, mut places) = (Vec::new(), HashMap::new());
        self.take("{");
        if self.take("}") {
            return Some(Json::Object(members));
        }
        loop {
            self.skip_whitespace();
            let name = self.string()?;
            if !self.take(":") {
                return None;
            }
            let value = self.value(depth)?;
            match places.entry(name.clone()) {
                Entry::Occupied(place) => members[*place.get()] = (name, value),
                Entry::Vacant(place) => {
                    place.insert(members.len());
                    members.push((name, value));
                }
            }
            if self.take("}") {
                return Some(Json::Object(members));
            }
            if !self.take(",") {
                return None;
            }
        }
    }

    fn array(&mut self, depth: usize) -> Option<Json> {
        let mut elements = Vec::new();
        self.take("[");
        if self.take("]") {
            return Some(Json::Array(elements));
        }
        loop {
            elements.push(self.value(depth)?);
            if self.take("]") {
                return Some(Json::Array(elements));
            }
            if !self.take(",") {
                return None;
            }
        }
    }

    fn string(&mut self) -> Option<String> {
        self.rest = self.rest.strip_prefix('"')?;
        let mut text = String::new();
        loop {
            let plain = self.rest.find(['"', '\\'])?;
            let (head, tail) = self.rest.split_at(plain);
            if head.bytes().any(|byte| byte < 0x20) {
                return None;
            }
            text.push_str(head);
            self.rest = &tail[1..];
            if tail.starts_with('"') {
                return Some(text);
            }
            text.push(self.escaped()?);
        }
    }

    /// What stands after a backslash.
    fn escaped(&mut self) -> Option<char> {
        let escape = self.rest.chars().next()?;
        self.rest = &self.rest[escape.len_utf8()..];
        Some(match escape {
            '"' | '\\' | '/' => escape,
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                let first = self.hexadecimal()?;
                let low = match first {
                    0xd800..=0xdbff => {
                        self.rest = self.rest.strip_prefix("\\u")?;
                        Some(self.hexadecimal()?)
                    }
                    _ => None,
                };
                char::decode_utf16([first].into_iter().chain(low)).next()?.ok()?
            }
            _ => return None,
        })
    }

    fn hexadecimal(&mut self) -> Option<u16> {
        let digits = self
            .rest
            .get(..4)
            .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))?;
        self.rest = &self.rest[4..];
        u16::from_str_radix(digits, 16).ok()
    }

    fn number(&mut self) -> Option<Json> {
        let end = self
            .rest
            .find(|c: char| !matches!(c, '0'..='9' | '+' | '-' | '.' | 'e' | 'E'));
        let (number, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let unsigned = number.strip_prefix('-').unwrap_or(number);
        let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
        let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        let well_formed =
            digits(whole) && digits(fraction) && digits(exponent) && (whole == "0" || !whole.starts_with('0'));
        well_formed.then(|| Json::Number(number.to_owned()))
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
        for text in [
            "",
            " ",
            "{",
            "}",
            "[1,]",
            "{,}",
            r#"{"a":1,}"#,
            r#"{"a"}"#,
            r#"{a:1}"#,
            "nul",
            "{} {}",
            "'a'",
        ]
        .into_iter()
        .chain([
            "01",
            "1.",
            ".5",
            "+1",
            "1e",
            "-",
            "\"\n\"",
            r#""\x""#,
            r#""\u12""#,
            r#""\u+123""#,
            r#""\ud800""#,
        ])
        .chain([
            r#""\ud800\u0041""#,
            r#""\udc00""#,
            "\"open",
            "\"\\",
            "{\"a\":\u{e9}}",
            "\"\\u\u{20ac}\u{20ac}\"",
        ]) {
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
    fn a_member_that_a_later_one_replaces_is_read_too() {
        // Q26
        let deep = "[".repeat(Json::DEPTH) + &"]".repeat(Json::DEPTH);
        for text in [r#"{"a":"\ud800","a":1}"#, &format!(r#"{{"a":{deep},"a":1}}"#)] {
            assert_eq!(Json::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_name_that_means_something_to_serde_json_is_a_name() {
        for name in ["$serde_json::private::RawValue", "$serde_json::private::Number"] {
            let text = format!(r#"{{"{name}":"1"}}"#);
            assert_eq!(Json::parse(&text).unwrap().to_string(), text);
        }
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

        #[test]
        fn any_text_is_read_or_refused(text in r#"[\[\]{}:,"\\u0-9a-fA-F+.\-truefalsn \u{e9}\u{1f600}]{0,60}"#) {
            if let Some(document) = Json::parse(&text) {
                prop_assert_eq!(Json::parse(&document.to_string()), Some(document));
            }
        }
    }
}
