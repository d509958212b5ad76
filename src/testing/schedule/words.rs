//! The words of one line: keywords, numbers, times, and texts, in quotes where they need them.

use std::{borrow::Cow, fmt, str::FromStr, time::Duration};

/// Units of time and their nanoseconds, largest first.
const UNITS: [(&str, u128); 7] = [
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("min", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

/// How much of a line an error tells.
const TOLD: usize = 80;

/// The lines that say something, without spaces around them, and their numbers counted from 1.
pub(in crate::testing) fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let numbered = (1..).zip(text.lines().map(str::trim));
    numbered.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
}

/// What is wrong with a line.
#[derive(Debug)]
pub(in crate::testing) struct Problem {
    /// Counted from 1, in characters.
    pub(in crate::testing) column: usize,
    /// The line, or the beginning of a long one.
    pub(in crate::testing) text: String,
    pub(in crate::testing) expected: Cow<'static, str>,
}

pub(in crate::testing) type Read<T> = Result<T, Problem>;

/// Reads a line word by word.
#[derive(Clone, Copy)]
pub(in crate::testing) struct Words<'a> {
    line: &'a str,
    /// In bytes.
    at: usize,
}

impl<'a> Words<'a> {
    pub(in crate::testing) const fn new(line: &'a str) -> Self {
        Self { line, at: 0 }
    }

    fn rest(&self) -> &'a str {
        &self.line[self.at..]
    }

    /// Something else was expected here.
    pub(in crate::testing) fn expected(&self, expected: impl Into<Cow<'static, str>>) -> Problem {
        let mut text: String = self.line.chars().take(TOLD).collect();
        if text.len() < self.line.len() {
            text += "...";
        }
        Problem {
            column: 1 + self.line[..self.at].chars().count(),
            text,
            expected: expected.into(),
        }
    }

    /// Goes to the next word; there is none at the end of the line and before a comment.
    pub(in crate::testing) fn has_more(&mut self) -> Read<bool> {
        const A_SPACE: &str = "a space, or quotes around a text with other characters than letters, digits, -, _ and .";
        let begin = *self;
        self.skip_spaces();
        let before = &self.line[..self.at];
        if self.rest().is_empty() {
            return Ok(false);
        }
        if !before.ends_with(char::is_whitespace) {
            return Err(begin.expected(A_SPACE));
        }
        Ok(!self.rest().starts_with('#'))
    }

    fn skip_spaces(&mut self) {
        self.at = self.line.len() - self.rest().trim_start().len();
    }

    pub(in crate::testing) fn end(&mut self) -> Read<()> {
        if self.has_more()? {
            return Err(self.expected("the end of the line"));
        }
        Ok(())
    }

    /// The next word, of letters, digits, -, _ and .; it is empty where there is none.
    pub(in crate::testing) fn peek(&self) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|it| !is_bare(it)).unwrap_or(rest.len());
        &rest[..end]
    }

    /// Reads the next word, if `read` finds something in it.
    pub(in crate::testing) fn word<T>(
        &mut self,
        expected: impl Into<Cow<'static, str>>,
        read: impl FnOnce(&'a str) -> Option<T>,
    ) -> Read<T> {
        self.skip_spaces();
        let word = self.peek();
        let found = read(word).ok_or_else(|| self.expected(expected))?;
        self.at += word.len();
        Ok(found)
    }

    pub(in crate::testing) fn number<T: FromStr>(&mut self, expected: &'static str) -> Read<T> {
        self.word(expected, number)
    }

    /// A whole number and its unit.
    pub(in crate::testing) fn duration(&mut self) -> Read<Duration> {
        self.word("a time in d, h, min, s, ms, us or ns, such as 30s", duration)
    }

    /// A sign right here.
    pub(in crate::testing) fn sign(&mut self, sign: char) -> Read<()> {
        if !self.rest().starts_with(sign) {
            return Err(self.expected(format!("{sign:?} without spaces around it")));
        }
        self.at += sign.len_utf8();
        Ok(())
    }

    /// A text right here, in quotes or a bare word.
    pub(in crate::testing) fn text(&mut self) -> Read<Cow<'a, str>> {
        if self.rest().starts_with('"') {
            return self.quoted().map(Cow::Owned);
        }
        let word = self.peek();
        if word.is_empty() {
            return Err(self.expected("a text in quotes"));
        }
        self.at += word.len();
        Ok(Cow::Borrowed(word))
    }

    fn quoted(&mut self) -> Read<String> {
        let (begin, mut text) = (*self, String::new());
        self.at += 1;
        loop {
            let Some(next) = self.rest().chars().next() else {
                return Err(begin.expected("a text with quotes on both sides"));
            };
            match next {
                '"' => {
                    self.at += 1;
                    return Ok(text);
                }
                '\\' => {
                    let (character, length) =
                        escape(self.rest()).ok_or_else(|| self.expected(r#"one of \" \\ \n \r \t \0 \u{1F600}"#))?;
                    text.push(character);
                    self.at += length;
                }
                _ => {
                    text.push(next);
                    self.at += next.len_utf8();
                }
            }
        }
    }
}

const fn is_bare(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '.')
}

/// Without a sign, which `parse` would take.
pub(super) fn number<T: FromStr>(word: &str) -> Option<T> {
    let digits = word.bytes().all(|it| it.is_ascii_digit());
    word.parse().ok().filter(|_| digits)
}

fn duration(word: &str) -> Option<Duration> {
    const SECOND: u128 = 1_000_000_000;
    let unit = word.trim_start_matches(|it: char| it.is_ascii_digit());
    let count: u128 = number(&word[..word.len() - unit.len()])?;
    let (_, nanos) = UNITS.into_iter().find(|it| it.0 == unit)?;
    let nanos = count.checked_mul(nanos)?;
    let seconds = u64::try_from(nanos / SECOND).ok()?;
    Some(Duration::new(seconds, (nanos % SECOND) as u32))
}

/// The character that an escape at the beginning of `rest` stands for, and the length of the escape.
fn escape(rest: &str) -> Option<(char, usize)> {
    let character = match rest[1..].chars().next()? {
        same @ ('"' | '\\' | '\'') => same,
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        '0' => '\0',
        'u' => {
            let digits = rest[2..].strip_prefix('{')?.split_once('}')?.0;
            let hexadecimal = (1..=6).contains(&digits.len()) && digits.bytes().all(|it| it.is_ascii_hexdigit());
            let code = u32::from_str_radix(digits, 16).ok().filter(|_| hexadecimal)?;
            return Some((char::from_u32(code)?, digits.len() + 4));
        }
        _ => return None,
    };
    Some((character, 2))
}

/// A text as [`Words::text`] reads it.
pub(in crate::testing) struct Text<'a>(pub(in crate::testing) &'a str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.0.is_empty() && self.0.chars().all(is_bare) {
            f.write_str(self.0)
        } else {
            write!(f, "{:?}", self.0)
        }
    }
}

/// A time in the largest unit that is exact.
pub(in crate::testing) struct Time(pub(in crate::testing) Duration);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.as_nanos();
        match UNITS.into_iter().find(|(_, unit)| nanos % unit == 0) {
            Some((name, unit)) if nanos > 0 => write!(f, "{}{name}", nanos / unit),
            _ => f.write_str("0s"),
        }
    }
}
