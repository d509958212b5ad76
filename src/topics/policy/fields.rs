//! What of a message the policies of a topic look at: the values of the keys that they name, and no others.

use {
    super::{
        json,
        value::{Value, Values},
    },
    crate::message::{MessageAttributeValue, MessageAttributes},
    std::{borrow::Cow, collections::BTreeMap, ops::Range},
};

/// By place of the key among the keys of all policies, its values. A key without values is not there (E31).
#[derive(Debug, Default)]
pub(super) struct Fields<'m>(Vec<(usize, Values<'m>)>);

impl<'m> Fields<'m> {
    pub(super) fn get(&self, key: usize) -> Option<&Values<'m>> {
        let at = self.0.binary_search_by_key(&key, |(key, _)| *key).ok()?;
        Some(&self.0[at].1)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, &Values<'m>)> {
        self.0.iter().map(|(key, values)| (*key, values))
    }

    /// Of the attributes: one value, or those of a `String.Array`. One without values, as a `Binary` one is, is not there (E30).
    pub(super) fn of_attributes(keys: &[Box<str>], attributes: &'m MessageAttributes) -> Self {
        let field = |(name, value): (&str, &'m MessageAttributeValue)| {
            let key = keys.binary_search_by(|key| (**key).cmp(name)).ok()?;
            let values = values_of(value);
            (!values.is_empty()).then(|| (key, Values::new(values)))
        };
        // Both are in the order of their names.
        Self(attributes.iter().filter_map(field).collect())
    }

    /// Of a body. A value in an array is one of the key of the array; what has no value in it is not there (E31).
    pub(super) fn of_body(keys: &[Box<str>], body: &'m serde_json::Value) -> Self {
        let mut walk = Walk {
            keys,
            found: BTreeMap::new(),
        };
        walk.object(body, 0..keys.len(), 0, "");
        let field = |(key, values)| (key, Values::new(values));
        Self(walk.found.into_iter().map(field).collect())
    }
}

/// Nothing for a value that filter policies do not see, a `Number` that is none, and a `String.Array` that is no array.
fn values_of(value: &MessageAttributeValue) -> Vec<Value<'_>> {
    let (Some(text), data_type) = (value.string_value(), value.data_type()) else {
        return Vec::new();
    };
    if data_type == "String.Array" {
        let json = json::read(text).unwrap_or_default();
        let values = json.as_array().into_iter().flatten().filter_map(Value::of_json);
        return values.map(Value::into_owned).collect();
    }
    if data_type == "Number" || data_type.starts_with("Number.") {
        let number = text.parse().ok().and_then(Value::number);
        return number.into_iter().collect();
    }
    vec![Value::Text(Cow::Borrowed(text))]
}

/// Descends into a body as far as there are keys that begin so. The keys are in order, so those that begin with the path
/// so far are a range of them, and the path itself need not be written down.
struct Walk<'k, 'm> {
    keys: &'k [Box<str>],
    found: BTreeMap<usize, Vec<Value<'m>>>,
}

impl<'m> Walk<'_, 'm> {
    /// `keys` are those that begin with the path of `value`, which has `length` bytes. JSON is parsed to a depth of 127
    /// at most, so this does not go deeper.
    fn value(&mut self, value: &'m serde_json::Value, keys: Range<usize>, length: usize) {
        match value {
            serde_json::Value::Object(_) => self.object(value, keys, length, "."),
            serde_json::Value::Array(elements) => {
                for element in elements {
                    self.value(element, keys.clone(), length);
                }
            }
            scalar => {
                let is_path = self.keys[keys.start].len() == length;
                if let Some(value) = Value::of_json(scalar).filter(|_| is_path) {
                    self.found.entry(keys.start).or_default().push(value);
                }
            }
        }
    }

    fn object(&mut self, value: &'m serde_json::Value, keys: Range<usize>, length: usize, separator: &str) {
        let keys = self.narrow(keys, length, separator);
        if keys.is_empty() {
            return;
        }
        let length = length + separator.len();
        for (name, value) in value.as_object().into_iter().flatten() {
            let keys = self.narrow(keys.clone(), length, name);
            if !keys.is_empty() {
                self.value(value, keys, length + name.len());
            }
        }
    }

    /// Of keys that are the same in their first `length` bytes, those that go on with `next`.
    fn narrow(&self, keys: Range<usize>, length: usize, next: &str) -> Range<usize> {
        let (keys_of_all, next) = (self.keys, next.as_bytes());
        let from = keys.start + keys_of_all[keys.clone()].partition_point(|key| &key.as_bytes()[length..] < next);
        let rest = &keys_of_all[from..keys.end];
        let count = rest.partition_point(|key| key.as_bytes()[length..].starts_with(next));
        from..from + count
    }
}
