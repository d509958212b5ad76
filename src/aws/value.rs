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
            [(name, Value::Text(digits))] if name == NUMBER => {
                let integer = digits.parse().map(Value::Integer);
                let number = integer.or_else(|_| digits.parse().map(Value::Real));
                Ok(number.unwrap_or(Value::Structure(members)))
            }
            _ => Ok(Value::Structure(members)),
        }
    }
}
