//! One condition of a filter policy, and the values that it looks at (E30).

use std::{borrow::Cow, net::IpAddr};

/// A value of a message, or one that a policy names.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) enum Value<'m> {
    Plain(Plain),
    Text(Cow<'m, str>),
}

/// A value that is no text.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) enum Plain {
    Null,
    Bool(bool),
    /// The bits of a finite float that is not -0.
    Number(u64),
}

impl Plain {
    /// `None` for what is no finite number.
    pub(super) fn number(number: f64) -> Option<Self> {
        // The sum of the two zeros is the positive one.
        number.is_finite().then(|| Self::Number((number + 0.0).to_bits()))
    }
}

impl<'m> Value<'m> {
    /// A value of a body, `None` for an object or an array.
    pub(super) fn of_json(json: &'m serde_json::Value) -> Option<Self> {
        Some(Self::Plain(match json {
            serde_json::Value::String(text) => return Some(Self::Text(Cow::Borrowed(text))),
            serde_json::Value::Null => Plain::Null,
            serde_json::Value::Bool(it) => Plain::Bool(*it),
            serde_json::Value::Number(number) => Plain::number(number.as_f64()?)?,
            serde_json::Value::Array(_) | serde_json::Value::Object(_) => return None,
        }))
    }

    pub(super) fn into_owned(self) -> Value<'static> {
        match self {
            Self::Plain(plain) => Value::Plain(plain),
            Self::Text(text) => Value::Text(Cow::Owned(text.into_owned())),
        }
    }

    fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Plain(_) => None,
        }
    }

    fn number(&self) -> Option<f64> {
        match self {
            Self::Plain(Plain::Number(bits)) => Some(f64::from_bits(*bits)),
            _ => None,
        }
    }
}

/// Alternatives for one key.
#[derive(Debug)]
pub(super) struct Leaf {
    /// With the keys that it is nested in, joined by dots (E31).
    pub(super) key: Box<str>,
    pub(super) conditions: Vec<Condition>,
}

impl Leaf {
    /// Whether one of the conditions holds for the values of the key, `None` where the message does not have it.
    pub(super) fn holds(&self, values: Option<&[Value<'_>]>) -> bool {
        self.conditions.iter().any(|condition| match (condition, values) {
            (Condition::Exists(wanted), values) => *wanted == values.is_some(),
            (_, None) => false,
            (condition, Some(values)) => values.iter().any(|value| condition.holds(value)),
        })
    }

    /// Whether a message without the key may match.
    pub(super) fn allows_absence(&self) -> bool {
        self.conditions.iter().any(|it| matches!(it, Condition::Exists(false)))
    }

    /// The values that are the only ones to match, if there is nothing but values.
    pub(super) fn exact(&self) -> Option<Vec<&Value<'static>>> {
        let values = self.conditions.iter().map(|condition| match condition {
            Condition::Equals(value) => Some(value),
            _ => None,
        });
        values.collect()
    }
}

#[derive(Debug)]
pub(super) enum Condition {
    Equals(Value<'static>),
    AnythingBut(Vec<Value<'static>>),
    Matches(Pattern),
    MatchesNot(Pattern),
    Between(Range),
    Exists(bool),
    Within(Network),
}

impl Condition {
    /// For one value of a key that is there.
    fn holds(&self, value: &Value<'_>) -> bool {
        match self {
            Self::Equals(wanted) => wanted == value,
            Self::AnythingBut(unwanted) => !unwanted.contains(value),
            Self::Matches(pattern) => value.text().is_some_and(|text| pattern.matches(text)),
            Self::MatchesNot(pattern) => !value.text().is_some_and(|text| pattern.matches(text)),
            Self::Between(range) => value.number().is_some_and(|number| range.contains(number)),
            Self::Exists(wanted) => *wanted,
            Self::Within(network) => value.text().is_some_and(|text| network.contains(text)),
        }
    }
}

/// What a text is compared with.
#[derive(Debug)]
pub(super) enum Pattern {
    Prefix(Box<str>),
    Suffix(Box<str>),
    /// In lower case.
    IgnoreCase(Box<str>),
    /// What stands before, between and behind the asterisks: one part at least.
    Wildcard(Vec<Box<str>>),
}

impl Pattern {
    pub(super) fn ignore_case(text: &str) -> Self {
        Self::IgnoreCase(text.to_lowercase().into())
    }

    pub(super) fn wildcard(text: &str) -> Self {
        Self::Wildcard(text.split('*').map(Box::from).collect())
    }

    fn matches(&self, text: &str) -> bool {
        match self {
            Self::Prefix(prefix) => text.starts_with(&**prefix),
            Self::Suffix(suffix) => text.ends_with(&**suffix),
            Self::IgnoreCase(lower) => text.to_lowercase() == **lower,
            Self::Wildcard(parts) => matches_parts(parts, text),
        }
    }
}

/// Whether the parts stand in the text in their order, the first at its start and the last at its end. The earliest
/// place of a part in the middle leaves the most for those behind it.
fn matches_parts(parts: &[Box<str>], text: &str) -> bool {
    let Some(([first, middle @ ..], last)) = parts.split_last().map(|(last, rest)| (rest, last)) else {
        return parts.first().is_some_and(|only| **only == *text);
    };
    let Some(mut rest) = text.strip_prefix(&**first).and_then(|rest| rest.strip_suffix(&**last)) else {
        return false;
    };
    for part in middle {
        let Some(at) = rest.find(&**part) else {
            return false;
        };
        rest = &rest[at + part.len()..];
    }
    true
}

/// A bound of a [`Range`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Limit {
    pub(super) number: f64,
    pub(super) inclusive: bool,
}

/// Numbers between two bounds, of which one at least is there.
#[derive(Debug)]
pub(super) struct Range {
    pub(super) bottom: Option<Limit>,
    pub(super) top: Option<Limit>,
}

impl Range {
    fn contains(&self, number: f64) -> bool {
        let above = |it: Limit| number > it.number || it.inclusive && number == it.number;
        let below = |it: Limit| number < it.number || it.inclusive && number == it.number;
        self.bottom.is_none_or(above) && self.top.is_none_or(below)
    }
}

/// The addresses of one family whose first bits are the same.
#[derive(Debug)]
pub(super) struct Network {
    is_v6: bool,
    /// The address, moved to the right by `dropped` bits.
    prefix: u128,
    dropped: u32,
}

impl Network {
    /// `None` if an address of the family has fewer bits than `length`.
    pub(super) fn new(address: IpAddr, length: u32) -> Option<Self> {
        let (is_v6, bits, width) = bits(address);
        let dropped = width.checked_sub(length)?;
        Some(Self {
            is_v6,
            prefix: bits.checked_shr(dropped).unwrap_or(0),
            dropped,
        })
    }

    fn contains(&self, text: &str) -> bool {
        text.parse().is_ok_and(|address| {
            let (is_v6, bits, _) = bits(address);
            is_v6 == self.is_v6 && bits.checked_shr(self.dropped).unwrap_or(0) == self.prefix
        })
    }
}

fn bits(address: IpAddr) -> (bool, u128, u32) {
    match address {
        IpAddr::V4(address) => (false, address.to_bits().into(), u32::BITS),
        IpAddr::V6(address) => (true, address.to_bits(), u128::BITS),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_stands_for_any_run_and_parts_do_not_overlap() {
        // E30
        for (pattern, good, bad) in [
            ("a*b", vec!["ab", "axb", "abab"], vec!["a", "b", "aba", "ba"]),
            ("*", vec!["", "x"], vec![]),
            ("**", vec!["", "x"], vec![]),
            ("ab", vec!["ab"], vec!["", "abc", "a*b"]),
            ("a*a", vec!["aa", "aba"], vec!["a"]),
            ("*b*c*", vec!["bc", "abxcx"], vec!["cb", "b"]),
            ("a*bc*c", vec!["abcc", "axbcxc"], vec!["abc"]),
        ] {
            let wildcard = Pattern::wildcard(pattern);
            good.iter()
                .for_each(|it| assert!(wildcard.matches(it), "{pattern} {it}"));
            bad.iter()
                .for_each(|it| assert!(!wildcard.matches(it), "{pattern} {it}"));
        }
    }

    #[test]
    fn a_network_has_the_addresses_with_its_first_bits() {
        // E30
        let network = |address: &str, length| Network::new(address.parse().unwrap(), length);
        for (address, length, good, bad) in [
            ("10.0.0.0", 24, "10.0.0.255", "10.0.1.0"),
            ("10.0.0.77", 24, "10.0.0.0", "9.255.255.255"),
            ("10.0.0.1", 32, "10.0.0.1", "10.0.0.0"),
            ("0.0.0.0", 0, "255.255.255.255", "::1"),
            ("2001:db8::", 32, "2001:db8:ffff::1", "2001:db9::"),
            ("::", 0, "ffff::", "1.2.3.4"),
        ] {
            let network = network(address, length).unwrap();
            assert!(network.contains(good) && !network.contains(bad), "{address}/{length}");
            assert!(!network.contains("") && !network.contains("10.0.0"));
        }
        assert!(network("10.0.0.0", 33).is_none() && network("::", 129).is_none());
    }

    #[test]
    fn both_zeros_are_one_number() {
        assert_eq!(Plain::number(-0.0), Plain::number(0.0));
        assert_eq!(Plain::number(f64::NAN), None);
    }
}
