//! As much of JSON as an access policy needs: is it a document, is it within quota, do two of them say the same.
use crate::limits::Limits;
use std::collections::BTreeMap;

/// A JSON value; of two members with one name the later counts.
#[derive(Debug, PartialEq)]
pub(super) enum Json {
    Null,
    Bool(bool),
    Number(f64),
    String(String),
    Array(Vec<Self>),
    Object(BTreeMap<String, Self>),
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

    fn get(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Object(members) => members.get(name),
            _ => None,
        }
    }

    /// IAM writes one element without its brackets.
    fn elements(&self) -> &[Self] {
        match self {
            Self::Array(elements) => elements,
            one => std::slice::from_ref(one),
        }
    }

    /// The values of an object's members; nothing else has any.
    fn members(&self) -> impl Iterator<Item = &Self> {
        let members = match self {
            Self::Object(members) => Some(members.values()),
            _ => None,
        };
        members.into_iter().flatten()
    }
}

/// Whether `document` is a JSON object within the quotas of an access policy (Q26, Q55).
pub(super) fn is_policy(document: &str, limits: &Limits) -> bool {
    if document.len() > limits.policy_bytes {
        return false;
    }
    let Some(policy @ Json::Object(_)) = Json::parse(document) else {
        return false;
    };
    let statements = policy.get("Statement").map_or(&[][..], Json::elements);
    let principals = |statement: &Json| match statement.get("Principal") {
        Some(Json::Object(kinds)) => kinds.values().map(|kind| kind.elements().len()).sum(),
        Some(_) => 1,
        None => 0,
    };
    let conditions = |statement: &Json| {
        let operators = statement.get("Condition").into_iter().flat_map(Json::members);
        operators.map(|operator| operator.members().count()).sum::<usize>()
    };
    let actions = |statement: &Json| statement.get("Action").map_or(0, |action| action.elements().len());
    statements.len() <= limits.policy_statements
        && statements.iter().map(principals).sum::<usize>() <= limits.policy_principals
        && statements.iter().map(conditions).sum::<usize>() <= limits.policy_conditions
        && statements
            .iter()
            .all(|statement| actions(statement) <= limits.permission_actions)
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
        let mut members = BTreeMap::new();
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
            members.insert(name, self.value(depth)?);
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
        well_formed.then(|| number.parse().ok().map(Json::Number))?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn a_policy_is_an_object_of_at_most_8192_bytes() {
        // Q26
        let sized = |size: usize| format!("{{\"Id\":\"{}\"}}", "x".repeat(size - 9));
        assert_eq!(sized(8_192).len(), 8_192);
        assert!(is_policy(&sized(8_191), &Limits::aws()) && is_policy(&sized(8_192), &Limits::aws()));
        assert!(!is_policy(&sized(8_193), &Limits::aws()));
        for text in ["[]", "1", "\"x\"", "null"] {
            assert!(!is_policy(text, &Limits::aws()), "{text}");
        }
    }

    #[test]
    fn a_policy_has_so_many_statements_principals_conditions_and_actions() {
        // Q55
        let list = |element: &str, count: usize| vec![element; count].join(",");
        let fits = |statements: &str| is_policy(&format!("{{\"Statement\":{statements}}}"), &Limits::aws());
        let statements = |count| fits(&format!("[{}]", list("{\"Principal\":\"*\"}", count)));
        assert!(statements(19) && statements(20) && !statements(21));
        let principals = |count: usize| {
            fits(&format!(
                "[{{\"Principal\":{{\"AWS\":[{}]}}}},{{\"Principal\":{{\"AWS\":\"1\"}}}}]",
                list("\"1\"", count - 1)
            ))
        };
        assert!(principals(49) && principals(50) && !principals(51));
        let keys = |count: usize| {
            (0..count)
                .map(|key| format!("\"{key}\":1"))
                .collect::<Vec<_>>()
                .join(",")
        };
        let conditions = |count: usize| {
            fits(&format!(
                "{{\"Condition\":{{\"A\":{{{}}},\"B\":{{\"k\":1}}}}}}",
                keys(count - 1)
            ))
        };
        assert!(conditions(9) && conditions(10) && !conditions(11));
        let actions = |count| fits(&format!("{{\"Action\":[{}]}}", list("\"SQS:*\"", count)));
        assert!(actions(6) && actions(7) && !actions(8));
    }
}
