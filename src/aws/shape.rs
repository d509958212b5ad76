//! The shapes of SQS's API as a table: each structure lists its members once, and both protocols read and write by
//! that list. Between a protocol and the typed structures stands one tree, [`Value`].

use {
    super::{
        fault::Fault,
        value::{Members, Value},
    },
    data_encoding::BASE64,
    std::{borrow::Cow, collections::BTreeMap, mem},
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

    fn decode(value: Value<'_>) -> Result<Self, Fault>;
    fn encode(self) -> Value<'static>;
}

impl Wire for String {
    const KIND: Kind = Kind::Text;

    fn is_absent(&self) -> bool {
        self.is_empty()
    }

    fn decode(value: Value<'_>) -> Result<Self, Fault> {
        match value {
            Value::Text(text) => Ok(text.into_owned()),
            other => Err(not_a("a String", &other)),
        }
    }

    fn encode(self) -> Value<'static> {
        Value::Text(Cow::Owned(self))
    }
}

impl Wire for Cow<'static, str> {
    const KIND: Kind = Kind::Text;

    fn decode(value: Value<'_>) -> Result<Self, Fault> {
        String::decode(value).map(Self::Owned)
    }

    fn encode(self) -> Value<'static> {
        Value::Text(self)
    }
}

impl Wire for i64 {
    const KIND: Kind = Kind::Integer;

    fn decode(value: Value<'_>) -> Result<Self, Fault> {
        match value {
            Value::Integer(value) => Ok(value),
            other => Err(not_a("an Integer", &other)),
        }
    }

    fn encode(self) -> Value<'static> {
        Value::Integer(self)
    }
}

impl Wire for bool {
    const KIND: Kind = Kind::Boolean;

    fn decode(value: Value<'_>) -> Result<Self, Fault> {
        match value {
            Value::Boolean(value) => Ok(value),
            other => Err(not_a("a Boolean", &other)),
        }
    }

    fn encode(self) -> Value<'static> {
        Value::Boolean(self)
    }
}

/// Bytes, in base64 on the wire (W7).
#[derive(Clone, Debug)]
pub(super) struct Blob(pub(super) Vec<u8>);

impl Wire for Blob {
    const KIND: Kind = Kind::Blob;

    fn decode(value: Value<'_>) -> Result<Self, Fault> {
        let text = String::decode(value)?;
        let bytes = BASE64.decode(text.as_bytes());
        bytes
            .map(Self)
            .map_err(|_| Fault::serialization("a Blob must be base64"))
    }

    fn encode(self) -> Value<'static> {
        BASE64.encode(&self.0).encode()
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

    fn decode(value: Value<'_>) -> Result<Self, Fault> {
        T::decode(value).map(Some)
    }

    fn encode(self) -> Value<'static> {
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

    fn decode(value: Value<'_>) -> Result<Self, Fault> {
        match value {
            Value::List(elements) => elements.into_iter().map(T::decode).collect(),
            other => Err(not_a("a List", &other)),
        }
    }

    fn encode(self) -> Value<'static> {
        Value::List(self.into_iter().map(T::encode).collect())
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

    fn decode(value: Value<'_>) -> Result<Self, Fault> {
        // Of two entries with one key the earlier does not count, and may be of any type.
        let entries: BTreeMap<_, _> = members(value)?.into_iter().collect();
        let decode = |(key, value): (Cow<'_, str>, _)| Ok((key.into_owned(), T::decode(value)?));
        entries.into_iter().map(decode).collect()
    }

    fn encode(self) -> Value<'static> {
        let encode = |(key, value): (String, T)| (key.into(), value.encode());
        Value::Structure(self.into_iter().map(encode).collect())
    }
}

/// The members of a structure or map.
pub(super) fn members(value: Value<'_>) -> Result<Members<'_>, Fault> {
    match value {
        Value::Structure(members) => Ok(members),
        other => Err(not_a("a Structure", &other)),
    }
}

/// Takes a member out of a structure; a null is as good as none.
pub(super) fn take<T: Wire>(members: &mut [(Cow<'_, str>, Value<'_>)], name: &'static str) -> Result<T, Fault> {
    let given = members.iter_mut().rev().find(|(given, _)| given == name);
    let given = given.map(|(_, value)| mem::replace(value, Value::Null));
    let given = given.filter(|value| !matches!(value, Value::Null));
    let given = given.map(T::decode).transpose()?.filter(|value| !value.is_absent());
    given.or_else(T::absent).ok_or_else(|| Fault::missing(name))
}

pub(super) fn put<T: Wire>(members: &mut Members<'_>, name: &'static str, member: T) {
    if !member.is_absent() {
        members.push((name.into(), member.encode()));
    }
}

fn not_a(expected: &str, value: &Value<'_>) -> Fault {
    let found = match value {
        Value::Null => "NULL_VALUE",
        Value::Boolean(true) => "TRUE_VALUE",
        Value::Boolean(false) => "FALSE_VALUE",
        Value::Integer(_) | Value::Real(_) => "NUMBER_VALUE",
        Value::Text(_) => "STRING_VALUE",
        Value::List(_) => "START_ARRAY",
        Value::Structure(_) => "START_OBJECT",
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

            fn decode(value: Value<'_>) -> Result<Self, Fault> {
                let mut members = members(value)?;
                Ok(Self { $($field: take(&mut members, $member)?),* })
            }

            fn encode(self) -> Value<'static> {
                let mut members = Members::with_capacity(Self::SHAPE.members.len());
                $(put(&mut members, $member, self.$field);)*
                Value::Structure(members)
            }
        }
    )*};
}
pub(super) use structures;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_of_another_type_is_named_with_the_type_that_is_due() {
        fn refusal<T: Wire>(json: &str) -> String {
            let value = Value::from_json(json.as_bytes()).unwrap();
            T::decode(value).err().map_or_else(String::new, |fault| fault.message)
        }
        for (found, expected) in [
            (
                refusal::<i64>(r#""5""#),
                "STRING_VALUE can not be converted to an Integer",
            ),
            (refusal::<i64>("5.0"), "NUMBER_VALUE can not be converted to an Integer"),
            (refusal::<String>("5"), "NUMBER_VALUE can not be converted to a String"),
            (refusal::<bool>("{}"), "START_OBJECT can not be converted to a Boolean"),
            (refusal::<Vec<i64>>("true"), "TRUE_VALUE can not be converted to a List"),
            (
                refusal::<Vec<i64>>("[null]"),
                "NULL_VALUE can not be converted to an Integer",
            ),
            (
                refusal::<BTreeMap<String, String>>("[]"),
                "START_ARRAY can not be converted to a Structure",
            ),
        ] {
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn of_two_members_or_entries_with_one_name_the_later_counts() {
        fn read<T: Wire>(json: &str) -> T {
            let Value::Structure(mut read) = Value::from_json(json.as_bytes()).unwrap() else {
                panic!("no structure")
            };
            take(&mut read, "A").unwrap()
        }
        assert_eq!(read::<i64>(r#"{"A":"x","B":2,"A":1}"#), 1);
        assert_eq!(read::<Option<i64>>(r#"{"A":1,"A":null}"#), None);
        let map = read::<BTreeMap<String, String>>(r#"{"A":{"k":1,"l":"m","k":"n"}}"#);
        assert_eq!(
            map,
            [("k", "n"), ("l", "m")]
                .map(|(key, value)| (key.into(), value.into()))
                .into()
        );
    }
}
