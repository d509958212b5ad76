//! The conditions of a filter policy (E30).

use {
    super::value::{Number, Value, Values, fold, sorted},
    std::net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// Alternatives for one key.
#[derive(Debug, Eq, Hash, PartialEq)]
pub(super) struct Leaf {
    /// With the keys that it is nested in, joined by dots (E31).
    pub(super) key: Box<str>,
    /// In order, each once.
    equal: Vec<Value<'static>>,
    others: Vec<Condition>,
}

impl Leaf {
    pub(super) fn new(key: Box<str>, conditions: Vec<Condition>) -> Self {
        let (mut equal, mut others) = (Vec::new(), Vec::new());
        for condition in conditions {
            match condition {
                Condition::Equals(value) => equal.push(value),
                other => others.push(other),
            }
        }
        let equal = sorted(equal);
        Self { key, equal, others }
    }

    /// Whether one of the conditions holds for the values of the key, `None` where the message does not have it.
    pub(super) fn holds(&self, values: Option<&Values<'_>>) -> bool {
        match values {
            None => self.allows_absence(),
            Some(values) => values.has_any(&self.equal) || self.others.iter().any(|it| it.holds(values)),
        }
    }

    /// Whether a message without the key may match.
    pub(super) fn allows_absence(&self) -> bool {
        self.others.contains(&Condition::Exists(false))
    }

    /// The values that are the only ones to match, if there is nothing but values.
    pub(super) fn exact(&self) -> Option<&[Value<'static>]> {
        self.others.is_empty().then_some(&self.equal)
    }
}

#[derive(Debug, Eq, Hash, PartialEq)]
pub(super) enum Condition {
    Equals(Value<'static>),
    /// In order, each once.
    AnythingBut(Vec<Value<'static>>),
    Matches(Pattern),
    MatchesNot(Pattern),
    /// Both bounds are in the range.
    Between(Number, Number),
    Exists(bool),
    Within(Network),
}

impl Condition {
    pub(super) fn anything_but(values: Vec<Value<'static>>) -> Self {
        Self::AnythingBut(sorted(values))
    }

    /// For a key that is there: whether one of its values is as the condition asks.
    fn holds(&self, values: &Values<'_>) -> bool {
        match self {
            Self::Equals(wanted) => values.has_any(std::slice::from_ref(wanted)),
            Self::AnythingBut(unwanted) => values.has_other(unwanted),
            Self::Matches(pattern) => pattern.matches_any(values),
            Self::MatchesNot(pattern) => values.has_plain() || !pattern.matches_all(values),
            Self::Between(least, greatest) => values.has_number(*least, *greatest),
            Self::Exists(wanted) => *wanted,
            Self::Within(Network { first, last }) => values.has_address(first, last),
        }
    }
}

/// What a text is compared with.
#[derive(Debug, Eq, Hash, PartialEq)]
pub(super) enum Pattern {
    Prefix(Box<str>),
    Suffix(Box<str>),
    /// Without its case.
    IgnoreCase(String),
    /// What stands before, between and behind the asterisks: one part at least.
    Wildcard(Vec<Box<str>>),
}

impl Pattern {
    pub(super) fn ignore_case(text: &str) -> Self {
        Self::IgnoreCase(fold(text))
    }

    /// A backslash takes its meaning from an asterisk or a backslash behind it. `Err` with the place of one before
    /// anything else.
    pub(super) fn wildcard(text: &str) -> Result<Self, usize> {
        let (mut parts, mut part) = (Vec::new(), String::new());
        let mut characters = text.char_indices();
        while let Some((at, character)) = characters.next() {
            match character {
                '*' => parts.push(std::mem::take(&mut part).into()),
                '\\' => match characters.next() {
                    Some((_, escaped @ ('*' | '\\'))) => part.push(escaped),
                    _ => return Err(at),
                },
                other => part.push(other),
            }
        }
        parts.push(part.into());
        Ok(Self::Wildcard(parts))
    }

    fn matches_any(&self, values: &Values<'_>) -> bool {
        match self {
            // The texts with the prefix are the next ones from it on.
            Self::Prefix(prefix) => values.text_from(prefix).is_some_and(|text| text.starts_with(&**prefix)),
            Self::IgnoreCase(folded) => values.folded().binary_search(folded).is_ok(),
            Self::Suffix(_) | Self::Wildcard(_) => values.texts().any(|text| self.matches(text)),
        }
    }

    fn matches_all(&self, values: &Values<'_>) -> bool {
        match self {
            Self::IgnoreCase(folded) => values.folded().iter().all(|it| it == folded),
            _ => values.texts().all(|text| self.matches(text)),
        }
    }

    fn matches(&self, text: &str) -> bool {
        match self {
            Self::Prefix(prefix) => text.starts_with(&**prefix),
            Self::Suffix(suffix) => text.ends_with(&**suffix),
            Self::IgnoreCase(folded) => fold(text) == *folded,
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
    // A comparison with an empty text, which owns no memory, can cost ten times what all the rest does.
    let strip_first = |text| {
        if first.is_empty() {
            Some(text)
        } else {
            str::strip_prefix(text, &**first)
        }
    };
    let strip_last = |text| {
        if last.is_empty() {
            Some(text)
        } else {
            str::strip_suffix(text, &**last)
        }
    };
    let Some(mut rest) = strip_first(text).and_then(strip_last) else {
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

/// The addresses of one family whose first bits are the same.
#[derive(Debug, Eq, Hash, PartialEq)]
pub(super) struct Network {
    first: IpAddr,
    last: IpAddr,
}

impl Network {
    /// `Err` with the number of bits that an address of the family has, if it is less than `length`.
    pub(super) fn new(address: IpAddr, length: u32) -> Result<Self, u32> {
        let width = match address {
            IpAddr::V4(_) => u32::BITS,
            IpAddr::V6(_) => u128::BITS,
        };
        let dropped = width.checked_sub(length).ok_or(width)?;
        // Of the 128 bits of an address of either family, those that differ within the network.
        let within = u128::MAX.checked_shr(u128::BITS - dropped).unwrap_or(0);
        let (first, last) = match address {
            IpAddr::V4(it) => {
                let within = within as u32;
                let (first, last) = (it.to_bits() & !within, it.to_bits() | within);
                (Ipv4Addr::from_bits(first).into(), Ipv4Addr::from_bits(last).into())
            }
            IpAddr::V6(it) => {
                let (first, last) = (it.to_bits() & !within, it.to_bits() | within);
                (Ipv6Addr::from_bits(first).into(), Ipv6Addr::from_bits(last).into())
            }
        };
        Ok(Self { first, last })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::borrow::Cow;

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
            (r"x\*y", vec!["x*y"], vec!["xy", "xzy", r"x\*y"]),
            (r"*\\*", vec![r"\", r"a\b"], vec!["", "a*"]),
            (r"\\\**", vec![r"\*", r"\*b"], vec![r"\", r"\b"]),
        ] {
            let wildcard = Pattern::wildcard(pattern).unwrap();
            good.iter()
                .for_each(|it| assert!(wildcard.matches(it), "{pattern} {it}"));
            bad.iter()
                .for_each(|it| assert!(!wildcard.matches(it), "{pattern} {it}"));
        }
        for (pattern, at) in [(r"\", 0), (r"ab\c", 2), (r"\\\", 2), ("\\\u{e9}", 0)] {
            assert_eq!(Pattern::wildcard(pattern), Err(at), "{pattern}");
        }
    }

    #[test]
    fn a_network_has_the_addresses_with_its_first_bits() {
        // E30
        let network = |address: &str, length| Network::new(address.parse().unwrap(), length);
        let values = |text| Values::new(vec![Value::Text(Cow::Borrowed(text))]);
        for (address, length, good, bad) in [
            ("10.0.0.0", 24, "10.0.0.255", "10.0.1.0"),
            ("10.0.0.77", 24, "10.0.0.0", "9.255.255.255"),
            ("10.0.0.1", 32, "10.0.0.1", "10.0.0.0"),
            ("0.0.0.0", 0, "255.255.255.255", "::1"),
            ("2001:db8::", 32, "2001:db8:ffff::1", "2001:db9::"),
            ("::", 0, "ffff::", "1.2.3.4"),
        ] {
            let within = Condition::Within(network(address, length).unwrap());
            assert!(within.holds(&values(good)), "{address}/{length}");
            for bad in [bad, "", "10.0.0"] {
                assert!(!within.holds(&values(bad)), "{address}/{length} {bad}");
            }
        }
        assert_eq!((network("10.0.0.0", 33), network("::", 129)), (Err(32), Err(128)));
    }
}
