//! JSON whose numbers are read the same whatever features of `serde_json` a program turns on.

use {
    serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor},
    serde_json::Value,
    std::{collections::HashSet, fmt},
};

/// A number is read as `str::parse` reads it, and one beyond a float of 64 bits is refused as a syntax error is, also
/// with `arbitrary_precision`, which keeps its text.
pub(super) fn read(text: &str) -> Result<Value, String> {
    let json = serde_json::from_str(text).map_err(|error| error.to_string())?;
    match beyond_float(&json) {
        Some(number) => Err(format!("number out of range: {number}")),
        None => Ok(json),
    }
}

/// JSON is parsed to a depth of 127 at most, so this does not go deeper.
fn beyond_float(json: &Value) -> Option<&serde_json::Number> {
    match json {
        Value::Number(number) => number.as_f64().is_none_or(f64::is_infinite).then_some(number),
        Value::Array(elements) => elements.iter().find_map(beyond_float),
        Value::Object(members) => members.values().find_map(beyond_float),
        Value::Null | Value::Bool(_) | Value::String(_) => None,
    }
}

/// A key that one of the objects of a JSON text has twice.
pub(super) fn duplicate_key(text: &str) -> Option<String> {
    let mut found = None;
    let mut reader = serde_json::Deserializer::from_str(text);
    DistinctKeys(&mut found).deserialize(&mut reader).err().and(found)
}

/// Goes through JSON to the first key that an object has twice, and keeps that.
struct DistinctKeys<'d>(&'d mut Option<String>);

impl<'de> DeserializeSeed<'de> for DistinctKeys<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for DistinctKeys<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        while elements.next_element_seed(DistinctKeys(self.0))?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let mut keys = HashSet::new();
        while let Some(key) = members.next_key::<String>()? {
            if keys.contains(&key) {
                *self.0 = Some(key);
                return Err(A::Error::custom("a key is there twice"));
            }
            keys.insert(key);
            members.next_value_seed(DistinctKeys(self.0))?;
        }
        Ok(())
    }
}
