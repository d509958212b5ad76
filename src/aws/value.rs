//! The tree between a protocol and the typed structures, read from JSON and written as JSON.

use {
    serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor},
    std::{borrow::Cow, fmt},
};

/// What a structure of the model, a member or an element is on the wire.
///
/// A text is borrowed from the request where it stands there as it is.
#[derive(Debug)]
pub(super) enum Value<'a> {
    Null,
    Boolean(bool),
    Integer(i64),
    /// A number that is no `i64`.
    Real(f64),
    Text(Cow<'a, str>),
    List(Vec<Self>),
    Structure(Members<'a>),
}

/// The members of a structure or the entries of a map; of two with one name the later counts.
pub(super) type Members<'a> = Vec<(Cow<'a, str>, Value<'a>)>;

/// The name of the one member by which `serde_json` passes on a number where any crate of the program asks it for
/// `arbitrary_precision`.
const NUMBER: &str = "$serde_json::private::Number";

impl<'a> Value<'a> {
    /// The one JSON value that `bytes` are; `None` if they are not JSON.
    pub(super) fn from_json(bytes: &'a [u8]) -> Option<Self> {
        serde_json::from_str(std::str::from_utf8(bytes).ok()?).ok()
    }

    /// JSON without whitespace, members in the order of their names.
    pub(super) fn into_json(self) -> Vec<u8> {
        let mut json = Vec::with_capacity(512);
        self.write(&mut json);
        json
    }

    fn write(self, json: &mut Vec<u8>) {
        match self {
            Self::Text(text) => write_text(json, &text),
            Self::List(elements) => {
                json.push(b'[');
                for (place, element) in elements.into_iter().enumerate() {
                    separate(json, place);
                    element.write(json);
                }
                json.push(b']');
            }
            Self::Structure(mut members) => {
                members.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
                json.push(b'{');
                for (place, (name, value)) in members.into_iter().enumerate() {
                    separate(json, place);
                    write_text(json, &name);
                    json.push(b':');
                    value.write(json);
                }
                json.push(b'}');
            }
            scalar => json.extend_from_slice(scalar.text().as_bytes()),
        }
    }

    /// A scalar as both protocols write it, but for what they escape.
    pub(super) fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::Integer(value) => value.to_string().into(),
            Self::Real(value) => value.to_string().into(),
            Self::Boolean(true) => "true".into(),
            Self::Boolean(false) => "false".into(),
            Self::Null | Self::List(_) | Self::Structure(_) => "null".into(),
        }
    }
}

impl<'a, T: Into<Cow<'a, str>>> From<T> for Value<'a> {
    fn from(text: T) -> Self {
        Self::Text(text.into())
    }
}

fn separate(json: &mut Vec<u8>, place: usize) {
    if place > 0 {
        json.push(b',');
    }
}

fn write_text(json: &mut Vec<u8>, text: &str) {
    // A loop that looks at every byte is done many bytes at a time.
    let is_special = |byte: u8| byte < b' ' || byte == b'"' || byte == b'\\';
    if text.bytes().fold(false, |found, byte| found | is_special(byte)) {
        serde_json::to_writer(json, text).expect("invariant: a vector takes what is written");
    } else {
        json.reserve(text.len() + 2);
        json.push(b'"');
        json.extend_from_slice(text.as_bytes());
        json.push(b'"');
    }
}

impl<'de> Deserialize<'de> for Value<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value<'de>, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value<'de>, E> {
        Ok(Value::Boolean(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value<'de>, E> {
        Ok(Value::Integer(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value<'de>, E> {
        Ok(i64::try_from(value).map_or(Value::Real(value as f64), Value::Integer))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value<'de>, E> {
        Ok(Value::Real(value))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Value<'de>, E> {
        Ok(Value::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value<'de>, E> {
        Ok(Value::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value<'de>, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = access.next_element()? {
            elements.push(element);
        }
        Ok(Value::List(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value<'de>, A::Error> {
        let mut members = Vec::new();
        while let Some((Value::Text(name), value)) = access.next_entry()? {
            members.push((name, value));
        }
        match &members[..] {
            // A text of the request itself would be borrowed from it.
            [(name, Value::Text(Cow::Owned(digits)))] if name == NUMBER => {
                let integer = digits.parse().map(Value::Integer);
                let number = integer.or_else(|_| digits.parse().map(Value::Real));
                Ok(number.unwrap_or(Value::Structure(members)))
            }
            _ => Ok(Value::Structure(members)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{collection, prelude::*};
    use serde::de::value::{Error, MapDeserializer};

    fn json() -> impl Strategy<Value = serde_json::Value> {
        let scalar = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            "\\PC*|[ -\u{7f}]{0,40}|(?s:.){0,10}".prop_map(Into::into),
        ];
        scalar.prop_recursive(3, 20, 5, |json| {
            let list = collection::vec(json.clone(), 0..5).prop_map(Into::into);
            let members = collection::btree_map("(?s:.){0,3}", json, 0..5);
            prop_oneof![list, members.prop_map(|members| members.into_iter().collect())]
        })
    }

    proptest! {
        #[test]
        fn what_is_read_is_written_as_serde_json_writes_it(json in json()) {
            for text in [json.to_string(), serde_json::to_string_pretty(&json).unwrap()] {
                let written = Value::from_json(text.as_bytes()).unwrap().into_json();
                prop_assert_eq!(String::from_utf8(written).unwrap(), json.to_string());
            }
        }
    }

    #[test]
    fn members_are_written_in_the_order_of_their_names() {
        let json = Value::from_json(br#"{"c":1,"a":{"y":2,"x":3},"b":4}"#)
            .unwrap()
            .into_json();
        assert_eq!(json, br#"{"a":{"x":3,"y":2},"b":4,"c":1}"#);
    }

    #[test]
    fn what_is_not_one_json_value_is_none() {
        for bytes in [
            &b""[..],
            b"{",
            b"{}{}",
            b"{\"a\":\"\xff\"}",
            b"\"\n\"",
            b"01",
            b"nul",
            b"{1:2}",
        ] {
            assert!(Value::from_json(bytes).is_none(), "{bytes:?}");
        }
        let nested = |depth| Value::from_json(["[".repeat(depth), "]".repeat(depth)].concat().as_bytes()).is_some();
        assert!(nested(127) && !nested(100_000), "the stack is bounded");
    }

    #[test]
    fn a_number_that_comes_as_its_digits_is_a_number() {
        let read = |name, digits| {
            let members = MapDeserializer::<_, Error>::new([(name, digits)].into_iter());
            Value::deserialize(members).unwrap()
        };
        assert!(matches!(read(NUMBER, "-5"), Value::Integer(-5)));
        assert!(matches!(read(NUMBER, "5.0"), Value::Real(_)));
        assert!(matches!(read(NUMBER, "five"), Value::Structure(_)));
        assert!(matches!(read("Number", "5"), Value::Structure(_)));
        let sent = format!(r#"{{"{NUMBER}":"5"}}"#);
        assert!(matches!(serde_json::from_str(&sent).unwrap(), Value::Structure(_)));
    }
}
