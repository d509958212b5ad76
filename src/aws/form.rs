//! Form-encoded parameters of the query protocol, from a body or a query string (W3).

use {
    super::fault::Fault,
    std::{
        borrow::Cow,
        collections::BTreeMap,
        ops::Bound::{Included, Unbounded},
    },
};

/// The two parameters that ask for system attributes fill one list in this protocol, and share its numbers (M45).
const SHARED: (&str, &str) = ("MessageSystemAttributeName", "AttributeName");

/// Parameters by name. The names stay flat, whatever dots they hold: what follows a prefix is a range, so that no
/// name costs more than its length, and no number in a name more than its digits.
#[derive(Debug)]
pub(super) struct Form<'a>(BTreeMap<Cow<'a, str>, Cow<'a, str>>);

impl<'a> Form<'a> {
    /// Reads forms as if they were one; of parameters of the same name the last one counts (M45).
    pub(super) fn parse(forms: &[&'a [u8]]) -> Result<Self, Fault> {
        let mut parameters = BTreeMap::new();
        for pair in forms.iter().flat_map(|form| form.split(|byte| *byte == b'&')) {
            let mut halves = pair.splitn(2, |byte| *byte == b'=');
            let (name, value) = (halves.next().unwrap_or_default(), halves.next().unwrap_or_default());
            if !name.is_empty() {
                parameters.insert(shared(decode(name)?), decode(value)?);
            }
        }
        Ok(Self(parameters))
    }

    pub(super) fn get(&self, name: &str) -> Option<&Cow<'a, str>> {
        self.0.get(name)
    }

    /// The numbers behind `prefix` in the names, ascending, each once: lists count from one, and may have gaps.
    pub(super) fn numbers(&self, prefix: &str) -> Vec<u32> {
        let behind = self.0.range::<str, _>((Included(prefix), Unbounded));
        let rests = behind.map_while(|(name, _)| name.strip_prefix(prefix));
        let mut numbers: Vec<_> = rests.filter_map(leading_number).collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }
}

fn shared(name: Cow<'_, str>) -> Cow<'_, str> {
    match name.strip_prefix(SHARED.0) {
        Some(rest) if rest.is_empty() || rest.starts_with('.') => Cow::Owned(format!("{}{rest}", SHARED.1)),
        _ => name,
    }
}

/// The number before the first dot: from one, and written in the one way in which it can be asked for again.
fn leading_number(rest: &str) -> Option<u32> {
    let digits = rest.split('.').next()?;
    let canonical = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
    digits.parse().ok().filter(|_| canonical)
}

/// Takes `%41` for `A` and `+` for a space.
fn decode(text: &[u8]) -> Result<Cow<'_, str>, Fault> {
    let foreign = |_| Fault::serialization("a parameter is not UTF-8");
    if !text.iter().any(|byte| matches!(byte, b'%' | b'+')) {
        return std::str::from_utf8(text).map(Cow::Borrowed).map_err(|_| foreign(()));
    }
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text);
    while let [byte, behind @ ..] = rest {
        rest = behind;
        bytes.push(match (byte, rest) {
            (b'+', _) => b' ',
            (b'%', [high, low, behind @ ..]) => {
                rest = behind;
                digit(*high)? << 4 | digit(*low)?
            }
            (b'%', _) => return Err(bad_escape()),
            _ => *byte,
        });
    }
    String::from_utf8(bytes).map(Cow::Owned).map_err(|_| foreign(()))
}

fn digit(byte: u8) -> Result<u8, Fault> {
    let digit = char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    digit.ok_or_else(bad_escape)
}

fn bad_escape() -> Fault {
    Fault::serialization("a percent sign is not followed by two hexadecimal digits")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(form: &str) -> Result<String, Fault> {
        Form::parse(&[form.as_bytes()]).map(|form| form.get("a").map_or("none", |value| value).to_owned())
    }

    #[test]
    fn escapes_and_spaces_are_taken_back() {
        for (form, expected) in [
            ("a=1", "1"),
            ("a=1+2%2B3%2b", "1 2+3+"),
            ("a=%C3%BC%00%0d%0A", "\u{fc}\0\r\n"),
            ("%61=b", "b"),
            ("a=b=c&&", "b=c"),
            ("a", ""),
            ("a=", ""),
            ("=b", "none"),
            ("", "none"),
            ("a=1&a=2", "2"),
            ("a=\u{fc}", "\u{fc}"),
        ] {
            assert_eq!(value(form).unwrap(), expected, "{form}");
        }
    }

    #[test]
    fn what_is_no_form_is_an_error() {
        for form in ["a=%", "a=%4", "a=%4g", "a=%+1", "a=%g1", "%=1", "a=%ff", "a=%C3"] {
            assert_eq!(value(form).unwrap_err().code.query_name(), "MalformedInput", "{form}");
        }
        assert!(Form::parse(&[b"a=\xff"]).is_err());
    }

    #[test]
    fn lists_are_in_the_order_of_their_numbers() {
        let form = "L.10.A=&L.2=&L.2.B=&L.1.A=&L.999999999.A=&L.0=&L.01=&L.+3=&L.x=&L.=&L=&L.4294967296=&LL.7=";
        let form = Form::parse(&[form.as_bytes()]).unwrap();
        assert_eq!(form.numbers("L."), [1, 2, 10, 999_999_999]);
    }
}
