//! A setting under check: its path, and the limits of its value.

use {
    crate::sim::scenario::error::{self, ScenarioError},
    std::{borrow::Cow, fmt, ops::RangeInclusive, time::Duration},
};

/// The shortest span of virtual time.
const MICROSECOND: Duration = Duration::from_micros(1);

/// No time of a scenario is longer, so that sums of them overflow nowhere: ten years.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 86_400);

/// The highest rate: one message in a microsecond.
const MAX_RATE: f64 = 1e6;

/// The place of a setting. Its path is put together only for an error.
#[derive(Debug)]
pub(super) struct At<'a> {
    parent: Option<&'a Self>,
    part: Cow<'a, str>,
}

/// No count of messages or handlers is higher.
pub(super) const MAX_COUNT: usize = 1_000_000_000;

type Checked = Result<(), ScenarioError>;

impl<'a> At<'a> {
    pub(super) const ROOT: Self = Self {
        parent: None,
        part: Cow::Borrowed(""),
    };

    pub(super) fn to(&'a self, part: impl Into<Cow<'a, str>>) -> Self {
        Self {
            parent: Some(self),
            part: part.into(),
        }
    }

    /// An entry of a list.
    pub(super) fn entry(&'a self, place: usize) -> Self {
        self.to(place.to_string())
    }

    fn path(&self) -> String {
        match self.parent {
            None => String::new(),
            Some(parent) if parent.parent.is_none() => error::key(&self.part),
            Some(parent) => format!("{}.{}", parent.path(), error::key(&self.part)),
        }
    }

    pub(super) fn fail(&self, problem: impl Into<String>) -> ScenarioError {
        ScenarioError::new(self.path(), problem)
    }

    /// For example "`rate` is 0, it has to be more than 0".
    pub(super) fn refuse(&self, value: impl fmt::Display, limit: impl fmt::Display) -> ScenarioError {
        let name = match self.parent {
            Some(parent) if self.part.parse::<usize>().is_ok() => &parent.part,
            _ => &self.part,
        };
        self.fail(format!("`{name}` is {value}, it has to be {limit}"))
    }

    fn require(&self, holds: bool, value: impl fmt::Display, limit: impl fmt::Display) -> Checked {
        if holds { Ok(()) } else { Err(self.refuse(value, limit)) }
    }

    pub(super) fn count(&self, value: usize, range: RangeInclusive<usize>) -> Checked {
        let (least, most) = (range.start(), range.end());
        self.require(range.contains(&value), value, format_args!("{least} to {most}"))
    }

    pub(super) fn rate(&self, value: f64) -> Checked {
        let limit = format!("more than 0 and at most {MAX_RATE}");
        self.require(value > 0.0 && value <= MAX_RATE, value, limit)
    }

    pub(super) fn rate_or_zero(&self, value: f64) -> Checked {
        let limit = format!("0 to {MAX_RATE}");
        self.require((0.0..=MAX_RATE).contains(&value), value, limit)
    }

    pub(super) fn share(&self, value: f64) -> Checked {
        self.require((0.0..=1.0).contains(&value), value, "0 to 1")
    }

    pub(super) fn finite(&self, value: f64) -> Checked {
        self.require(value.is_finite(), value, "finite")
    }

    pub(super) fn positive(&self, value: f64) -> Checked {
        self.require(value > 0.0 && value.is_finite(), value, "more than 0 and finite")
    }

    pub(super) fn not_negative(&self, value: f64) -> Checked {
        self.require(value >= 0.0 && value.is_finite(), value, "at least 0 and finite")
    }

    /// A span that may be zero.
    pub(super) fn span(&self, value: Duration) -> Checked {
        self.spans(value, Duration::ZERO, LONGEST)
    }

    pub(super) fn span_above_zero(&self, value: Duration) -> Checked {
        self.spans(value, MICROSECOND, LONGEST)
    }

    pub(super) fn span_from(&self, value: Duration, least: Duration) -> Checked {
        self.spans(value, least, LONGEST)
    }

    pub(super) fn spans(&self, value: Duration, least: Duration, most: Duration) -> Checked {
        let limit = format!("{} to {}", Span(least), Span(most));
        self.require((least..=most).contains(&value), Span(value), limit)
    }
}

/// A time with the largest of its units that is a whole number.
pub(in crate::sim::scenario) struct Span(pub(in crate::sim::scenario) Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        if self.0.subsec_nanos() != 0 {
            return fmt::Debug::fmt(&self.0, f);
        }
        let mut units = [(86_400, "d"), (3_600, "h"), (60, "min")].into_iter();
        match units.find(|(length, _)| seconds != 0 && seconds % length == 0) {
            Some((length, unit)) => write!(f, "{} {unit}", seconds / length),
            None => write!(f, "{seconds} s"),
        }
    }
}
