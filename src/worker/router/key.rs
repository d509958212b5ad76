//! Where a message says which route is its own: a message attribute or a field of its body.

use {
    crate::{backend::ReceivedMessage, message::check_attribute_name, worker::BuildRunnerError},
    std::{borrow::Cow, fmt},
};

/// Where the value of a message is read.
#[derive(Clone, Debug)]
pub(super) enum Key {
    Attribute(String),
    #[cfg(feature = "serde")]
    Field(String),
}

/// Why a message has no value.
#[derive(Debug)]
pub(super) enum Missing {
    Absent,
    /// It is no text, nor what has one.
    NotText,
    #[cfg(feature = "serde")]
    Repeated,
    #[cfg(feature = "serde")]
    NotObject,
    #[cfg(feature = "serde")]
    NotJson(serde_json::Error),
}

impl Key {
    /// Whether a message can have a value there.
    pub(super) fn check(&self) -> Result<(), BuildRunnerError> {
        match self {
            Self::Attribute(name) => check_attribute_name(name).map_err(|reason| BuildRunnerError::RouterAttribute {
                name: name.clone(),
                reason,
            }),
            #[cfg(feature = "serde")]
            Self::Field(_) => Ok(()),
        }
    }

    pub(super) fn value<'m>(&self, message: &'m ReceivedMessage) -> Result<Cow<'m, str>, Missing> {
        match self {
            Self::Attribute(name) => {
                let value = message.attributes().get(name).ok_or(Missing::Absent)?;
                value.string_value().map(Cow::Borrowed).ok_or(Missing::NotText)
            }
            #[cfg(feature = "serde")]
            Self::Field(name) => json::field(message.body(), name),
        }
    }

    /// What is missing, as the reason of a failure.
    pub(super) fn explain(&self, missing: &Missing) -> String {
        match (self, missing) {
            (Self::Attribute(_), Missing::Absent) => format!("the message has no {self}"),
            (Self::Attribute(_), _) => format!("the {self} is binary, not text"),
            #[cfg(feature = "serde")]
            (Self::Field(_), Missing::Absent) => format!("the body has no {self}"),
            #[cfg(feature = "serde")]
            (Self::Field(_), Missing::NotText) => format!("the {self} is not text, an integer or a boolean"),
            #[cfg(feature = "serde")]
            (Self::Field(_), Missing::Repeated) => format!("the body has the {self} more than once"),
            #[cfg(feature = "serde")]
            (Self::Field(_), Missing::NotObject) => "the body is not a JSON object".to_owned(),
            #[cfg(feature = "serde")]
            (Self::Field(_), Missing::NotJson(error)) => format!("the body is not JSON: {error}"),
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Attribute(name) => write!(f, "attribute {name:?}"),
            #[cfg(feature = "serde")]
            Self::Field(name) => write!(f, "field {name:?}"),
        }
    }
}

#[cfg(feature = "serde")]
mod json {
    use {
        super::Missing,
        serde::{
            Deserializer,
            de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
        },
        std::{borrow::Cow, fmt},
    };

    type Value<'b> = Result<Cow<'b, str>, Missing>;

    /// The value of a field of a body; the whole body has to be JSON.
    pub(super) fn field<'b>(body: &'b str, name: &str) -> Value<'b> {
        let mut json = serde_json::Deserializer::from_str(body);
        let value = json.deserialize_any(Object(name)).and_then(|value| {
            json.end()?;
            Ok(value)
        });
        value.unwrap_or_else(|error| Err(Missing::NotJson(error)))
    }

    /// What is not the value wanted, whatever it is.
    macro_rules! other {
        ($missing:expr; $($visit:ident: $type:ty),+) => {$(
            fn $visit<E: Error>(self, _: $type) -> Result<Self::Value, E> {
                Ok(Err($missing))
            }
        )+};
    }

    /// A JSON object with the field of this name.
    struct Object<'n>(&'n str);

    impl<'b> Visitor<'b> for Object<'_> {
        type Value = Value<'b>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("JSON")
        }

        fn visit_map<A: MapAccess<'b>>(self, mut map: A) -> Result<Value<'b>, A::Error> {
            let mut value = Err(Missing::Absent);
            while let Some(is_field) = map.next_key_seed(IsName(self.0))? {
                value = match (is_field, value) {
                    (false, value) => {
                        map.next_value::<IgnoredAny>()?;
                        value
                    }
                    (true, Err(Missing::Absent)) => map.next_value_seed(Text)?,
                    (true, _) => {
                        map.next_value::<IgnoredAny>()?;
                        Err(Missing::Repeated)
                    }
                };
            }
            Ok(value)
        }

        fn visit_seq<A: SeqAccess<'b>>(self, mut items: A) -> Result<Value<'b>, A::Error> {
            while items.next_element::<IgnoredAny>()?.is_some() {}
            Ok(Err(Missing::NotObject))
        }

        fn visit_unit<E: Error>(self) -> Result<Value<'b>, E> {
            Ok(Err(Missing::NotObject))
        }

        other!(Missing::NotObject; visit_str: &str, visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64);
    }

    /// Whether a key of an object is this name.
    struct IsName<'n>(&'n str);

    impl<'b> DeserializeSeed<'b> for IsName<'_> {
        type Value = bool;

        fn deserialize<D: Deserializer<'b>>(self, key: D) -> Result<bool, D::Error> {
            key.deserialize_str(self)
        }
    }

    impl Visitor<'_> for IsName<'_> {
        type Value = bool;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a key")
        }

        fn visit_str<E: Error>(self, key: &str) -> Result<bool, E> {
            Ok(key == self.0)
        }
    }

    /// A value that has a text.
    struct Text;

    impl<'b> DeserializeSeed<'b> for Text {
        type Value = Value<'b>;

        fn deserialize<D: Deserializer<'b>>(self, value: D) -> Result<Value<'b>, D::Error> {
            value.deserialize_any(self)
        }
    }

    impl<'b> Visitor<'b> for Text {
        type Value = Value<'b>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("JSON")
        }

        fn visit_borrowed_str<E: Error>(self, text: &'b str) -> Result<Value<'b>, E> {
            Ok(Ok(Cow::Borrowed(text)))
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Value<'b>, E> {
            Ok(Ok(Cow::Owned(text.to_owned())))
        }

        fn visit_bool<E: Error>(self, value: bool) -> Result<Value<'b>, E> {
            Ok(Ok(Cow::Borrowed(if value { "true" } else { "false" })))
        }

        fn visit_i64<E: Error>(self, value: i64) -> Result<Value<'b>, E> {
            Ok(Ok(Cow::Owned(value.to_string())))
        }

        fn visit_u64<E: Error>(self, value: u64) -> Result<Value<'b>, E> {
            Ok(Ok(Cow::Owned(value.to_string())))
        }

        fn visit_unit<E: Error>(self) -> Result<Value<'b>, E> {
            Ok(Err(Missing::NotText))
        }

        fn visit_map<A: MapAccess<'b>>(self, mut map: A) -> Result<Value<'b>, A::Error> {
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            Ok(Err(Missing::NotText))
        }

        fn visit_seq<A: SeqAccess<'b>>(self, mut items: A) -> Result<Value<'b>, A::Error> {
            while items.next_element::<IgnoredAny>()?.is_some() {}
            Ok(Err(Missing::NotText))
        }

        other!(Missing::NotText; visit_f64: f64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        backend::MessageParts,
        message::{MessageAttributeValue, MessageAttributes},
    };

    /// The value, or what is missing after `missing:`.
    fn read(key: &Key, message: &ReceivedMessage) -> String {
        match key.value(message) {
            Ok(value) => value.into_owned(),
            Err(missing) => format!("missing: {}", key.explain(&missing)),
        }
    }

    #[test]
    fn the_value_of_an_attribute_is_its_text() {
        let attributes: MessageAttributes = [
            ("text", MessageAttributeValue::string("resize")),
            ("labelled", MessageAttributeValue::string("resize").label("kind")),
            ("number", MessageAttributeValue::number("1.50")),
            ("bytes", MessageAttributeValue::binary(*b"resize")),
        ]
        .into_iter()
        .collect();
        let message = ReceivedMessage::from(MessageParts {
            attributes,
            ..MessageParts::default()
        });
        for (name, expected) in [
            ("text", "resize"),
            ("labelled", "resize"),
            ("number", "1.50"),
            ("bytes", "missing: the attribute \"bytes\" is binary, not text"),
            ("Text", "missing: the message has no attribute \"Text\""),
            ("", "missing: the message has no attribute \"\""),
        ] {
            assert_eq!(read(&Key::Attribute(name.to_owned()), &message), expected);
        }
    }

    #[cfg(feature = "serde")]
    #[test]
    fn the_value_of_a_field_is_its_text_or_an_integer_or_boolean_as_json_writes_it() {
        let absent = "missing: the body has no field \"type\"";
        let not_text = "missing: the field \"type\" is not text, an integer or a boolean";
        let not_object = "missing: the body is not a JSON object";
        let repeated = "missing: the body has the field \"type\" more than once";
        let deep = format!(r#"{{"type": {}1{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
        for (body, expected) in [
            (r#"{"type": "resize", "width": 640}"#, "resize"),
            (r#" {"width": {"type": "x"}, "type": "re\u0073ize"} "#, "resize"),
            (r#"{"ty\u0070e": "resize"}"#, "resize"),
            (r#"{"type": ""}"#, ""),
            (r#"{"type": 7}"#, "7"),
            (r#"{"type": -7}"#, "-7"),
            (r#"{"type": 18446744073709551615}"#, "18446744073709551615"),
            (r#"{"type": true}"#, "true"),
            (r#"{"type": false}"#, "false"),
            (r#"{"type": 1.5}"#, not_text),
            (r#"{"type": null}"#, not_text),
            (r#"{"type": ["resize"]}"#, not_text),
            (r#"{"type": {"type": "resize"}}"#, not_text),
            (r#"{"Type": "resize"}"#, absent),
            (r#"{"job": {"type": "resize"}}"#, absent),
            ("{}", absent),
            (r#"{"type": "a", "type": "a"}"#, repeated),
            (r#"{"type": null, "type": "a", "type": "b"}"#, repeated),
            (r#""type""#, not_object),
            (r#"[{"type": "resize"}]"#, not_object),
            ("null", not_object),
            ("true", not_object),
            ("7", not_object),
            ("-7", not_object),
            ("1.5", not_object),
            (
                "",
                "missing: the body is not JSON: EOF while parsing a value at line 1 column 0",
            ),
            (
                "resize",
                "missing: the body is not JSON: expected value at line 1 column 1",
            ),
            (
                r#"{"type": "resize"} x"#,
                "missing: the body is not JSON: trailing characters at line 1 column 20",
            ),
            (
                r#"{"type": "resize""#,
                "missing: the body is not JSON: EOF while parsing an object at line 1 column 17",
            ),
            (&deep, not_text),
        ] {
            let message = ReceivedMessage::from(MessageParts {
                body: body.to_owned(),
                ..MessageParts::default()
            });
            assert_eq!(read(&Key::Field("type".to_owned()), &message), expected, "{body}");
        }
    }
}
