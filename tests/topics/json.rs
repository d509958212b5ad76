//! JSON whose numbers keep their text, for a matcher that does not share a reader of numbers with the crate.

use std::{cmp::Ordering, iter::Peekable, str::CharIndices};

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Json {
    /// `null`, `true` or `false`.
    Word(String),
    Text(String),
    Number(Decimal),
    Array(Vec<Self>),
    Object(Vec<(String, Self)>),
}

impl Json {
    /// `None` for what is no JSON. Numbers are taken in more forms than JSON has, and strings are decoded by `serde_json`.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let mut reader = Reader {
            text,
            rest: text.char_indices().peekable(),
        };
        let json = reader.value()?;
        reader.peek().is_none().then_some(json)
    }

    /// Of an object; the last of a name counts.
    pub(crate) fn get(&self, name: &str) -> Option<&Self> {
        let members = self.members()?;
        members.iter().rev().find(|(key, _)| key == name).map(|(_, it)| it)
    }

    pub(crate) fn members(&self) -> Option<&[(String, Self)]> {
        match self {
            Self::Object(members) => Some(members),
            _ => None,
        }
    }

    pub(crate) fn elements(&self) -> Option<&[Self]> {
        match self {
            Self::Array(elements) => Some(elements),
            _ => None,
        }
    }

    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn number(&self) -> Option<&Decimal> {
        match self {
            Self::Number(number) => Some(number),
            _ => None,
        }
    }
}

struct Reader<'t> {
    text: &'t str,
    rest: Peekable<CharIndices<'t>>,
}

impl Reader<'_> {
    fn peek(&mut self) -> Option<char> {
        while self.rest.next_if(|(_, it)| it.is_ascii_whitespace()).is_some() {}
        self.rest.peek().map(|(_, it)| *it)
    }

    fn take(&mut self, wanted: char) -> Option<()> {
        (self.peek()? == wanted).then(|| self.rest.next()).map(|_| ())
    }

    fn value(&mut self) -> Option<Json> {
        Some(match self.peek()? {
            '{' => Json::Object(self.list('{', '}', |it| {
                let name = it.string()?;
                it.take(':')?;
                Some((name, it.value()?))
            })?),
            '[' => Json::Array(self.list('[', ']', Self::value)?),
            '"' => Json::Text(self.string()?),
            _ => match self.token(|it| it.is_ascii_alphanumeric() || "+-.".contains(it)) {
                word @ ("null" | "true" | "false") => Json::Word(word.to_owned()),
                number => Json::Number(Decimal::read(number)?),
            },
        })
    }

    fn list<T>(&mut self, open: char, close: char, mut member: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        self.take(open)?;
        let mut members = Vec::new();
        if self.take(close).is_some() {
            return Some(members);
        }
        loop {
            members.push(member(self)?);
            if self.take(',').is_none() {
                return self.take(close).map(|()| members);
            }
        }
    }

    fn string(&mut self) -> Option<String> {
        self.take('"')?;
        let mut is_escaped = false;
        let content = self.token(|it| {
            let is_in = it != '"' || is_escaped;
            is_escaped = it == '\\' && !is_escaped;
            is_in
        });
        let string = serde_json::from_str(&format!("\"{content}\"")).ok();
        self.take('"').and(string)
    }

    fn token(&mut self, mut is_in: impl FnMut(char) -> bool) -> &str {
        let (text, end) = (self.text, self.text.len());
        let from = self.rest.peek().map_or(end, |(at, _)| *at);
        while self.rest.next_if(|(_, it)| is_in(*it)).is_some() {}
        let to = self.rest.peek().map_or(end, |(at, _)| *at);
        &text[from..to]
    }
}

/// A number by its digits.
#[derive(Clone, Debug)]
pub(crate) struct Decimal {
    is_negative: bool,
    /// Neither the first nor the last is a zero; those of zero itself are empty.
    digits: String,
    /// Of the point before the first digit, as a power of ten.
    exponent: i64,
    float: f64,
}

impl Decimal {
    pub(crate) fn read(text: &str) -> Option<Self> {
        let float: f64 = text.parse().ok()?;
        let (mantissa, power) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let unsigned = mantissa.trim_start_matches(['+', '-']);
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        let all = format!("{whole}{fraction}");
        let digits = all.trim_start_matches('0');
        let leading = all.len() - digits.len();
        Some(Self {
            is_negative: mantissa.starts_with('-') && !digits.is_empty(),
            exponent: power.parse::<i64>().ok()? + i64::try_from(whole.len()).ok()? - i64::try_from(leading).ok()?,
            digits: digits.trim_end_matches('0').to_owned(),
            float,
        })
    }

    fn exactly(&self, other: &Self) -> Ordering {
        let sign = |it: &Self| match (it.digits.is_empty(), it.is_negative) {
            (true, _) => 0,
            (_, true) => -1,
            _ => 1,
        };
        let magnitude = (self.exponent, &self.digits).cmp(&(other.exponent, &other.digits));
        sign(self).cmp(&sign(other)).then(match sign(self) {
            0 => Ordering::Equal,
            1 => magnitude,
            _ => magnitude.reverse(),
        })
    }
}

/// Decimals of up to 15 digits are compared digit by digit. Two with more may be one float, and are then equal.
impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        let exactly = self.exactly(other);
        let is_short = self.digits.len().max(other.digits.len()) <= 15;
        if is_short || exactly.is_eq() {
            return Some(exactly);
        }
        self.float.partial_cmp(&other.float)
    }
}

impl PartialEq for Decimal {
    fn eq(&self, other: &Self) -> bool {
        self.partial_cmp(other) == Some(Ordering::Equal)
    }
}
