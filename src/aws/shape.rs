//! The shapes of SQS's API as a table: each structure lists its members once, and both protocols read and write by
//! that list. Between a protocol and the typed structures stands one tree, [`Value`].

use {
    super::fault::Fault,
    data_encoding::BASE64,
    serde_json::{Map, Value},
    std::{borrow::Cow, collections::BTreeMap},
};

/// What a member holds.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Text,
    Integer,
    Boolean,
    Blob,
    List(&'static Self),
    Map(&'static Self),
    Structure(&'static Shape),
}

/// A structure of the API model.
#[derive(Debug)]
pub(super) struct Shape {
    /// Read by the test that compares the tables with the model.
    #[cfg(test)]
    pub(super) name: &'static str,
    pub(super) members: &'static [Member],
}

#[derive(Debug)]
pub(super) struct Member {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    #[cfg(test)]
    pub(super) required: fn() -> bool,
    pub(super) flattened: Flattened,
}

/// How the query protocol and XML name one element of a list or map; empty for anything else (W3, W4).
#[derive(Clone, Copy, Debug)]
pub(super) struct Flattened {
    pub(super) element: &'static str,
    pub(super) key: &'static str,
    pub(super) value: &'static str,
}

impl Flattened {
    pub(super) const fn of(names: &[&'static str]) -> Self {
        let (element, key, value) = match *names {
            [element] => (element, "", ""),
            [element, key, value] => (element, key, value),
            _ => ("", "", ""),
        };
        Self { element, key, value }
    }
}

/// A type that has a place in a structure of the model.
pub(super) trait Wire: Sized {
    const KIND: Kind;

    /// What stands for a member that is not given; `None` if it has to be.
    fn absent() -> Option<Self> {
        None
    }

    /// Whether the member counts as not given, and is left out of an answer (X6, X7).
    fn is_absent(&self) -> bool {
        false
    }

    fn decode(value: Value) -> Result<Self, Fault>;
    fn encode(self) -> Value;
}

impl Wire for String {
    const KIND: Kind = Kind::Text;

    fn is_absent(&self) -> bool {
        self.is_empty()
    }

    fn decode(value: Value) -> Result<Self, Fault> {
        match value {
            Value::String(text) => Ok(text),
            other => Err(not_a("a String", &other)),
        }
    }

    fn encode(self) -> Value {
        Value::String(self)
    }
}

impl Wire for Cow<'static, str> {
    const KIND: Kind = Kind::Text;

    fn decode(value: Value) -> Result<Self, Fault> {
        String::decode(value).map(Self::Owned)
    }

    fn encode(self) -> Value {
        Value::String(self.into_owned())
    }
}

impl Wire for i64 {
    const KIND: Kind = Kind::Integer;

    fn decode(value: Value) -> Result<Self, Fault> {
        value.as_i64().ok_or_else(|| not_a("an Integer", &value))
    }

    fn encode(self) -> Value {
        self.into()
    }
}

impl Wire for bool {
    const KIND: Kind = Kind::Boolean;

    fn decode(value: Value) -> Result<Self, Fault> {
        value.as_bool().ok_or_else(|| not_a("a Boolean", &value))
    }

    fn encode(self) -> Value {
        self.into()
    }
}

/// Bytes, in base64 on the wire (W7).
#[derive(Clone, Debug)]
pub(super) struct Blob(pub(super) Vec<u8>);

impl Wire for Blob {
    const KIND: Kind = Kind::Blob;

    fn decode(value: Value) -> Result<Self, Fault> {
        let text = String::decode(value)?;
        let bytes = BASE64.decode(text.as_bytes());
        bytes
            .map(Self)
            .map_err(|_| Fault::serialization("a Blob must be base64"))
    }

    fn encode(self) -> Value {
        BASE64.encode(&self.0).into()
    }
}

impl<T: Wire> Wire for Option<T> {
    const KIND: Kind = T::KIND;

    fn absent() -> Option<Self> {
        Some(None)
    }

    fn is_absent(&self) -> bool {
        self.is_none()
    }

    fn decode(value: Value) -> Result<Self, Fault> {
        T::decode(value).map(Some)
    }

    fn encode(self) -> Value {
        self.map_or(Value::Null, T::encode)
    }
}

impl<T: Wire> Wire for Vec<T> {
    const KIND: Kind = Kind::List(&T::KIND);

    fn absent() -> Option<Self> {
        Some(Self::new())
    }

    fn is_absent(&self) -> bool {
        self.is_empty()
    }

    fn decode(value: Value) -> Result<Self, Fault> {
        match value {
            Value::Array(elements) => elements.into_iter().map(T::decode).collect(),
            other => Err(not_a("a List", &other)),
        }
    }

    fn encode(self) -> Value {
        self.into_iter().map(T::encode).collect()
    }
}

impl<T: Wire> Wire for BTreeMap<String, T> {
    const KIND: Kind = Kind::Map(&T::KIND);

    fn absent() -> Option<Self> {
        Some(Self::new())
    }

    fn is_absent(&self) -> bool {
        self.is_empty()
    }

    fn decode(value: Value) -> Result<Self, Fault> {
        let decode = |(key, value)| T::decode(value).map(|value| (key, value));
        object(value)?.into_iter().map(decode).collect()
    }

    fn encode(self) -> Value {
        self.into_iter().map(|(key, value)| (key, value.encode())).collect()
    }
}

/// The members of a structure or map.
pub(super) fn object(value: Value) -> Result<Map<String, Value>, Fault> {
    match value {
        Value::Object(members) => Ok(members),
        other => Err(not_a("a Structure", &other)),
    }
}

/// Takes a member out of a structure; a null is as good as none.
pub(super) fn take<T: Wire>(members: &mut Map<String, Value>, name: &'static str) -> Result<T, Fault> {
    let given = members.remove(name).filter(|value| !value.is_null());
    let given = given.map(T::decode).transpose()?.filter(|value| !value.is_absent());
    given.or_else(T::absent).ok_or_else(|| Fault::missing(name))
}

pub(super) fn put<T: Wire>(members: &mut Map<String, Value>, name: &str, member: T) {
    if !member.is_absent() {
        members.insert(name.to_owned(), member.encode());
    }
}

fn not_a(expected: &str, value: &Value) -> Fault {
    let found = match value {
        Value::Null => "NULL_VALUE",
        Value::Bool(true) => "TRUE_VALUE",
        Value::Bool(false) => "FALSE_VALUE",
        Value::Number(_) => "NUMBER_VALUE",
        Value::String(_) => "STRING_VALUE",
        Value::Array(_) => "START_ARRAY",
        Value::Object(_) => "START_OBJECT",
    };
    Fault::serialization(format!("{found} can not be converted to {expected}"))
}

/// Declares structures of the model: per member a field, its type, SQS's name, and for lists and maps in parentheses
/// the names that [`Flattened`] explains. The order is the model's, in which missing members are reported.
macro_rules! structures {
    ($($name:ident { $($field:ident: $type:ty = $member:literal $(($($flattened:literal),+))?),* $(,)? })*) => {$(
        #[derive(Debug)]
        pub(super) struct $name {
            $(pub(super) $field: $type,)*
        }

        impl $name {
            pub(super) const SHAPE: &'static Shape = &Shape {
                #[cfg(test)]
                name: stringify!($name),
                members: &[$(Member {
                    name: $member,
                    kind: <$type as Wire>::KIND,
                    #[cfg(test)]
                    required: || <$type as Wire>::absent().is_none(),
                    flattened: Flattened::of(&[$($($flattened),+)?]),
                }),*],
            };
        }

        impl Wire for $name {
            const KIND: Kind = Kind::Structure(Self::SHAPE);

            fn decode(value: Value) -> Result<Self, Fault> {
                let mut members = object(value)?;
                Ok(Self { $($field: take(&mut members, $member)?),* })
            }

            fn encode(self) -> Value {
                let mut members = Map::new();
                $(put(&mut members, $member, self.$field);)*
                Value::Object(members)
            }
        }
    )*};
}
pub(super) use structures;

#[cfg(test)]
mod tests {
    use {super::*, serde_json::json};

    #[test]
    fn what_is_of_another_type_is_named_with_the_type_that_is_due() {
        fn refusal<T: Wire>(value: Value) -> String {
            T::decode(value).err().map_or_else(String::new, |fault| fault.message)
        }
        for (found, expected) in [
            (
                refusal::<i64>(json!("5")),
                "STRING_VALUE can not be converted to an Integer",
            ),
            (
                refusal::<i64>(json!(5.0)),
                "NUMBER_VALUE can not be converted to an Integer",
            ),
            (
                refusal::<String>(json!(5)),
                "NUMBER_VALUE can not be converted to a String",
            ),
            (
                refusal::<bool>(json!({})),
                "START_OBJECT can not be converted to a Boolean",
            ),
            (
                refusal::<Vec<i64>>(json!(true)),
                "TRUE_VALUE can not be converted to a List",
            ),
            (
                refusal::<Vec<i64>>(json!([null])),
                "NULL_VALUE can not be converted to an Integer",
            ),
            (
                refusal::<BTreeMap<String, String>>(json!([])),
                "START_ARRAY can not be converted to a Structure",
            ),
        ] {
            assert_eq!(found, expected);
        }
    }
}
