//! The values that a policy names, and those of one key of a message, in order (E30).

use std::{borrow::Cow, cell::OnceCell, net::IpAddr};

/// A value of a message, or one that a policy names. Numbers stand together and in their order, texts behind all else.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) enum Value<'m> {
    Plain(Plain),
    Text(Cow<'m, str>),
}

/// A value that is no text.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) enum Plain {
    Null,
    Bool(bool),
    Number(Number),
}

/// The bits of a finite float that is not -0, changed so that they have the order of the floats.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) struct Number(u64);

impl Number {
    pub(super) const MIN: Self = Self(0);
    pub(super) const MAX: Self = Self(u64::MAX);
    const SIGN: u64 = 1 << 63;

    /// `None` for what is not finite.
    pub(super) fn new(number: f64) -> Option<Self> {
        // The sum of the two zeros is the positive one.
        let bits = number.is_finite().then(|| (number + 0.0).to_bits())?;
        Some(Self(if bits & Self::SIGN == 0 {
            bits | Self::SIGN
        } else {
            !bits
        }))
    }

    /// No number is between the two.
    pub(super) const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// No number is between the two.
    pub(super) const fn previous(self) -> Self {
        Self(self.0.saturating_sub(1))
    }
}

impl<'m> Value<'m> {
    /// A value of a body, `None` for an object or an array.
    pub(super) fn of_json(json: &'m serde_json::Value) -> Option<Self> {
        Some(Self::Plain(match json {
            serde_json::Value::String(text) => return Some(Self::Text(Cow::Borrowed(text))),
            serde_json::Value::Null => Plain::Null,
            serde_json::Value::Bool(it) => Plain::Bool(*it),
            serde_json::Value::Number(number) => return Self::number(number.as_f64()?),
            serde_json::Value::Array(_) | serde_json::Value::Object(_) => return None,
        }))
    }

    /// `None` for what is not finite.
    pub(super) fn number(number: f64) -> Option<Self> {
        Number::new(number).map(|number| Self::Plain(Plain::Number(number)))
    }

    pub(super) fn into_owned(self) -> Value<'static> {
        match self {
            Self::Plain(plain) => Value::Plain(plain),
            Self::Text(text) => Value::Text(Cow::Owned(text.into_owned())),
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Plain(_) => None,
        }
    }
}

/// The values of one key of a message, in order, each once, so that most conditions look at a few of them only.
#[derive(Debug)]
pub(super) struct Values<'m> {
    sorted: Vec<Value<'m>>,
    /// What several conditions may ask for is made once.
    folded: OnceCell<Vec<String>>,
    addresses: OnceCell<Vec<IpAddr>>,
}

impl<'m> Values<'m> {
    pub(super) fn new(values: Vec<Value<'m>>) -> Self {
        Self {
            sorted: sorted(values),
            folded: OnceCell::new(),
            addresses: OnceCell::new(),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Value<'m>> {
        self.sorted.iter()
    }

    pub(super) fn texts(&self) -> impl Iterator<Item = &str> {
        self.sorted.iter().rev().map_while(Value::text)
    }

    /// The first in the order of texts that is not less.
    pub(super) fn text_from(&self, least: &str) -> Option<&str> {
        let is_before = |it: &Value<'_>| it.text().is_none_or(|text| text < least);
        self.sorted.get(self.sorted.partition_point(is_before))?.text()
    }

    pub(super) fn has_plain(&self) -> bool {
        self.sorted.first().is_some_and(|it| it.text().is_none())
    }

    /// Whether a number is neither less nor greater than these.
    pub(super) fn has_number(&self, least: Number, greatest: Number) -> bool {
        let bounds = [least, greatest].map(|it| Value::Plain(Plain::Number(it)));
        has_between(&self.sorted, &bounds[0], &bounds[1])
    }

    /// Whether one of the wanted is there, which are in order.
    pub(super) fn has_any(&self, wanted: &[Value<'static>]) -> bool {
        if wanted.len() < self.sorted.len() {
            wanted.iter().any(|it| self.sorted.binary_search(it).is_ok())
        } else {
            self.sorted.iter().any(|it| wanted.binary_search(it).is_ok())
        }
    }

    /// Whether one is there that is not listed, in order: found after as many looks as the list is long.
    pub(super) fn has_other(&self, listed: &[Value<'static>]) -> bool {
        self.sorted.iter().any(|it| listed.binary_search(it).is_err())
    }

    /// The texts without their case, in order.
    pub(super) fn folded(&self) -> &[String] {
        self.folded.get_or_init(|| sorted(self.texts().map(fold).collect()))
    }

    /// Whether one of the texts is an address that is neither less nor greater than these.
    pub(super) fn has_address(&self, least: &IpAddr, greatest: &IpAddr) -> bool {
        let parsed = || sorted(self.texts().filter_map(|text| text.parse().ok()).collect());
        has_between(self.addresses.get_or_init(parsed), least, greatest)
    }
}

/// In order, each once.
pub(super) fn sorted<T: Ord>(mut values: Vec<T>) -> Vec<T> {
    values.sort_unstable();
    values.dedup();
    values
}

fn has_between<T: Ord>(sorted: &[T], least: &T, greatest: &T) -> bool {
    let at = sorted.partition_point(|it| it < least);
    sorted.get(at).is_some_and(|it| it <= greatest)
}

/// A text without its case. Lower case alone keeps two forms of sigma, and upper case alone two of some other letters.
pub(super) fn fold(text: &str) -> String {
    text.to_lowercase().to_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_order_of_floats_and_both_zeros_are_one() {
        // E30
        let floats = [
            f64::MIN,
            -1e9,
            -1.5,
            -f64::MIN_POSITIVE,
            0.0,
            5e-324,
            1.0,
            1.0 + f64::EPSILON,
            f64::MAX,
        ];
        let numbers = floats.map(|it| Number::new(it).unwrap());
        assert!(numbers.is_sorted() && numbers[6].next() == numbers[7] && numbers[7].previous() == numbers[6]);
        assert!(Number::MIN < numbers[0].previous() && numbers[8].next() < Number::MAX);
        assert_eq!(Number::new(-0.0), Number::new(0.0));
        assert_eq!(Number::new(f64::NAN), None);
    }
}
