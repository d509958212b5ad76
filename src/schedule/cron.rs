//! Cron patterns, and the calendar they are read against.

use {
    crate::time::Timestamp,
    croner::parser::{CronParser, Seconds, Year},
    jiff::{
        civil::DateTime,
        fmt::temporal::DateTimeParser,
        tz::{AmbiguousOffset, Offset, TimeZone},
    },
    std::{fmt, str::FromStr, sync::Arc, time::Duration},
};

/// Points in time by a cron pattern, in UTC unless another time zone is chosen.
///
/// A pattern has five fields, minute, hour, day of month, month and day of week; six with the second in front; seven
/// with the year behind. `@hourly`, `@daily`, `@weekly`, `@monthly` and `@yearly` are patterns too. If both days are
/// restricted, either is enough.
///
/// # When clocks change
/// A pattern names times of the local clock, and each of them is due once:
///
/// * a time that the clock shows twice is due when it is shown first;
/// * a time that the clock skips, be it by minutes or by a day, is due at the first instant after the gap; several times
///   that come to be due at one instant are due once.
///
/// A pattern that allows every hour of the day, as `*/10 * * * *` and `@hourly` do, instead is due whenever the clock
/// shows one of its times: again in an hour that is repeated, and not for an hour that is skipped.
///
/// # Source
/// [crontab(5)](https://man7.org/linux/man-pages/man5/crontab.5.html), and for clock changes its
/// [cron(8)](https://manpages.debian.org/stable/cron/cron.8.en.html), which asks for a `*` where this asks for every
/// hour; what goes beyond it, as `L` and `#`, is [croner's](https://docs.rs/croner).
///
/// # Examples
/// ```
/// use requeue::{Timestamp, schedule::Cron};
///
/// let new_year = Timestamp::from_millis(1_767_225_600_000); // 2026-01-01T00:00:00Z, a Thursday
/// let at = |cron: Cron| cron.next_after(new_year).map(|it| (it.as_secs() - new_year.as_secs()) / 3600);
/// assert_eq!(at(Cron::new("0 9 * * MON-FRI")?), Some(9));
/// assert_eq!(at(Cron::new("0 9 * * MON-FRI")?.time_zone("+02:00")?), Some(7));
/// assert_eq!(at(Cron::new("@weekly")?), Some(72));
/// # Ok::<(), requeue::schedule::CronError>(())
/// ```
#[derive(Clone)]
pub struct Cron {
    pattern: Arc<str>,
    cron: Arc<croner::Cron>,
    zone: TimeZone,
    every_hour: bool,
}

/// The instant at which a local clock is set forward, so that it skips times, or back, so that it shows them twice.
struct ClockChange {
    at: jiff::Timestamp,
    before: Offset,
    after: Offset,
}

impl ClockChange {
    fn is_forward(&self) -> bool {
        self.after > self.before
    }
}

/// Why a text is not a cron pattern, or not a time zone.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CronError {
    /// The pattern cannot be read.
    #[error("{pattern:?} is not a cron pattern: {reason}")]
    #[non_exhaustive]
    Pattern {
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The pattern names no time from 1970 to 4999, as the 30th of February.
    #[error("{pattern:?} names no time from 1970 to 4999")]
    #[non_exhaustive]
    NoTime {
        /// The pattern.
        pattern: String,
    },
    /// The time zone is not known.
    #[error("{zone:?} is not a time zone: {reason}")]
    #[non_exhaustive]
    TimeZone {
        /// The time zone.
        zone: String,
        /// What is wrong with it.
        reason: String,
    },
}

const FIELDS: [&str; 7] = [
    "second, 0 to 59",
    "minute, 0 to 59",
    "hour, 0 to 23",
    "day of the month, 1 to 31 or L",
    "month, 1 to 12 or JAN to DEC",
    "day of the week, 0 to 7 or SUN to SAT",
    "year, 1 to 5000",
];

/// Why a pattern cannot be read: the first of its fields that is wrong among stars, or else what the parser says.
fn reason(parser: &CronParser, pattern: &str, said: &str) -> String {
    if pattern.trim_start().starts_with('@') {
        return "the names are @yearly, @annually, @monthly, @weekly, @daily and @hourly".to_owned();
    }
    let fields: Vec<&str> = pattern.split_whitespace().collect();
    let names = match fields.len() {
        5 => &FIELDS[1..6],
        6 => &FIELDS[..6],
        7 => &FIELDS[..],
        count => return format!("it has {count} fields, it has to have 5 to 7"),
    };
    let wrong = |at: &usize| {
        let mut alone = vec!["*"; fields.len()];
        alone[*at] = fields[*at];
        parser.parse(&alone.join(" ")).is_err()
    };
    match (0..fields.len()).find(wrong) {
        Some(at) => format!("{:?} cannot be the {}", fields[at], names[at]),
        None => said.trim_end_matches('.').to_owned(),
    }
}

impl Cron {
    /// Reads a pattern.
    ///
    /// # Errors
    /// [`CronError::Pattern`] and [`CronError::NoTime`].
    ///
    /// # Examples
    /// ```
    /// use requeue::schedule::Cron;
    ///
    /// assert!(Cron::new("*/5 * * * *").is_ok());
    /// let error = Cron::new("61 * * * *").unwrap_err();
    /// let reason = "\"61\" cannot be the minute, 0 to 59";
    /// assert_eq!(error.to_string(), format!("\"61 * * * *\" is not a cron pattern: {reason}"));
    /// ```
    pub fn new(pattern: &str) -> Result<Self, CronError> {
        let parser = CronParser::builder()
            .seconds(Seconds::Optional)
            .year(Year::Optional)
            .build();
        let cron = parser.parse(pattern).map_err(|error| CronError::Pattern {
            pattern: pattern.to_owned(),
            reason: reason(&parser, pattern, &error.to_string()),
        })?;
        let every_hour = (0..24).all(|hour| cron.pattern.hour_match(hour).unwrap_or(false));
        let cron = Self {
            pattern: pattern.into(),
            cron: Arc::new(cron),
            zone: TimeZone::UTC,
            every_hour,
        };
        match cron.named_after(DateTime::constant(1969, 12, 31, 23, 59, 59, 0)) {
            Some(_) => Ok(cron),
            None => Err(CronError::NoTime {
                pattern: pattern.to_owned(),
            }),
        }
    }

    /// Reads the pattern in another time zone: an offset (`+02:00`), a name that the system's time zone database knows
    /// (`Europe/Berlin`), or the rules themselves as POSIX writes them (`CET-1CEST,M3.5.0,M10.5.0/3`).
    ///
    /// # Errors
    /// [`CronError::TimeZone`].
    ///
    /// # Examples
    /// ```
    /// use requeue::schedule::Cron;
    ///
    /// let nightly = Cron::new("0 3 * * *")?;
    /// assert!(nightly.clone().time_zone("CET-1CEST,M3.5.0,M10.5.0/3").is_ok());
    /// assert!(nightly.time_zone("Middle-earth/Shire").is_err());
    /// # Ok::<(), requeue::schedule::CronError>(())
    /// ```
    pub fn time_zone(mut self, zone: &str) -> Result<Self, CronError> {
        match DateTimeParser::new().parse_time_zone(zone) {
            Ok(found) => {
                self.zone = found;
                Ok(self)
            }
            Err(error) => Err(CronError::TimeZone {
                zone: zone.to_owned(),
                reason: error.to_string(),
            }),
        }
    }

    /// The first point in time after `at` at which the pattern is due, to the second; `None` if it names none before
    /// the year 5000.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Timestamp, schedule::Cron};
    ///
    /// let next = |pattern, millis| Cron::new(pattern).unwrap().next_after(Timestamp::from_millis(millis));
    /// assert_eq!(next("* * * * *", 59_999), Some(Timestamp::from_millis(60_000)));
    /// assert_eq!(next("* * * * *", 60_000), Some(Timestamp::from_millis(120_000)));
    /// assert_eq!(next("0 0 0 1 1 * 2020", 1_767_225_600_000), None);
    /// ```
    #[must_use]
    pub fn next_after(&self, at: Timestamp) -> Option<Timestamp> {
        let at = at.to_jiff()?;
        let mut local = self.zone.to_datetime(at);
        if let Some(change) = self.change(local).filter(|it| !it.is_forward()) {
            if self.every_hour && at < change.at {
                let turn = change.before.to_datetime(change.at);
                match self.named_after(local).filter(|next| *next < turn) {
                    Some(next) => return Timestamp::from_jiff(change.before.to_timestamp(next).ok()?),
                    None => local = just_before(change.after.to_datetime(change.at))?,
                }
            } else if !self.every_hour && at >= change.at {
                // All of them were due when they were shown first: as many as 86,400, where a day comes twice.
                local = just_before(change.before.to_datetime(change.at))?;
            }
        }
        loop {
            local = self.named_after(local)?;
            let due = match self.change(local) {
                None => self.zone.to_timestamp(local).ok()?,
                Some(change) if change.is_forward() => {
                    if self.every_hour {
                        local = just_before(change.after.to_datetime(change.at))?;
                        continue;
                    }
                    change.at
                }
                Some(change) => {
                    let first = change.before.to_timestamp(local).ok()?;
                    match self.every_hour && first <= at {
                        true => change.after.to_timestamp(local).ok()?,
                        false => first,
                    }
                }
            };
            if due > at {
                return Timestamp::from_jiff(due);
            }
        }
    }

    /// The first local time after `local` that the pattern names, whether the clock of the zone shows it or not.
    fn named_after(&self, local: DateTime) -> Option<DateTime> {
        // In UTC no time is skipped or repeated, so that croner reads the calendar and nothing else.
        let start = local.to_zoned(TimeZone::UTC).ok()?;
        let next = self.cron.find_next_occurrence(&start, false).ok()?;
        Some(next.datetime())
    }

    /// The clock change that skips `local`, or shows it twice.
    fn change(&self, local: DateTime) -> Option<ClockChange> {
        let (AmbiguousOffset::Gap { before, after } | AmbiguousOffset::Fold { before, after }) =
            self.zone.to_ambiguous_timestamp(local).offset()
        else {
            return None;
        };
        // The larger offset makes the earlier instant, which lies before the change either way.
        let earlier = before.max(after).to_timestamp(local).ok()?;
        let at = self.zone.following(earlier).find(|it| it.offset() == after)?;
        Some(ClockChange {
            at: at.timestamp(),
            before,
            after,
        })
    }

    /// The pattern, as it was given.
    ///
    /// # Examples
    /// ```
    /// use requeue::schedule::Cron;
    /// assert_eq!(Cron::new("@daily")?.pattern(), "@daily");
    /// # Ok::<(), requeue::schedule::CronError>(())
    /// ```
    #[must_use]
    pub fn pattern(&self) -> &str {
        &self.pattern
    }
}

fn just_before(local: DateTime) -> Option<DateTime> {
    local.checked_sub(Duration::from_secs(1)).ok()
}

impl Timestamp {
    /// The same point of jiff's calendar, its fraction of a millisecond dropped; `None` before the Unix epoch.
    ///
    /// # Examples
    /// ```
    /// # use requeue::Timestamp;
    /// let at: jiff::Timestamp = "1970-01-01T00:00:01.5009Z".parse()?;
    /// assert_eq!(Timestamp::from_jiff(at), Some(Timestamp::from_millis(1_500)));
    /// assert_eq!(Timestamp::from_jiff("1969-12-31T23:59:59.9999Z".parse()?), None);
    /// # Ok::<(), jiff::Error>(())
    /// ```
    #[must_use]
    pub fn from_jiff(at: jiff::Timestamp) -> Option<Self> {
        let millis = u64::try_from(at.as_millisecond()).ok()?;
        (at >= jiff::Timestamp::UNIX_EPOCH).then_some(Self::from_millis(millis))
    }

    /// The same point of jiff's calendar, which ends with the year 9999; `None` beyond.
    ///
    /// # Examples
    /// ```
    /// # use requeue::Timestamp;
    /// let at = Timestamp::from_millis(1_500).to_jiff();
    /// assert_eq!(at, Some("1970-01-01T00:00:01.5Z".parse()?));
    /// assert_eq!(Timestamp::MAX.to_jiff(), None);
    /// # Ok::<(), jiff::Error>(())
    /// ```
    #[must_use]
    pub fn to_jiff(self) -> Option<jiff::Timestamp> {
        jiff::Timestamp::from_millisecond(i64::try_from(self.as_millis()).ok()?).ok()
    }
}

impl FromStr for Cron {
    type Err = CronError;

    fn from_str(pattern: &str) -> Result<Self, CronError> {
        Self::new(pattern)
    }
}

impl fmt::Debug for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cron")
            .field("pattern", &self.pattern)
            .field("time_zone", &self.zone)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// 2026-01-01T00:00:00Z.
    const START: Timestamp = Timestamp::from_millis(1_767_225_600_000);
    const BERLIN: &str = "CET-1CEST,M3.5.0,M10.5.0/3";

    /// The first `n` times, as jiff writes them.
    fn times(pattern: &str, zone: &str, from: &str, n: usize) -> Vec<String> {
        let cron = Cron::new(pattern).unwrap().time_zone(zone).unwrap();
        let from: jiff::Timestamp = from.parse().unwrap();
        let mut at = Timestamp::from_millis(from.as_millisecond() as u64);
        let next = || {
            at = cron.next_after(at)?;
            Some(
                jiff::Timestamp::from_millisecond(at.as_millis() as i64)
                    .unwrap()
                    .to_string(),
            )
        };
        std::iter::from_fn(next).take(n).collect()
    }

    #[test]
    fn times_are_in_utc_unless_a_zone_is_chosen() {
        let from = "2026-01-01T00:00:00Z";
        assert_eq!(times("30 6 * * *", "UTC", from, 1), ["2026-01-01T06:30:00Z"]);
        assert_eq!(times("30 6 * * *", "-05:30", from, 1), ["2026-01-01T12:00:00Z"]);
        assert_eq!(times("30 6 * * *", BERLIN, from, 1), ["2026-01-01T05:30:00Z"]);
        let july = "2026-07-01T00:00:00Z";
        assert_eq!(times("30 6 * * *", BERLIN, july, 1), ["2026-07-01T04:30:00Z"]);
    }

    #[test]
    fn bad_patterns_and_zones_are_refused_by_name() {
        for pattern in [
            "",
            " ",
            "* * * *",
            "* * * * * * * *",
            "60 * * * *",
            "* * * * * * 0",
            "x",
            "@often",
            "\u{e9}",
        ] {
            let error = Cron::new(pattern).expect_err(pattern).to_string();
            assert!(
                error.starts_with(&format!("{pattern:?} is not a cron pattern: ")),
                "{error}"
            );
        }
        for zone in ["", "Nowhere/Land", "+26:00", "../etc/passwd"] {
            let error = Cron::new("@daily")
                .unwrap()
                .time_zone(zone)
                .expect_err(zone)
                .to_string();
            assert!(error.starts_with(&format!("{zone:?} is not a time zone: ")), "{error}");
        }
    }

    #[test]
    fn times_beyond_the_calendar_are_none() {
        let daily = Cron::new("@daily").unwrap();
        assert_eq!(daily.next_after(Timestamp::MAX), None);
        assert_eq!(daily.next_after(Timestamp::from_millis(i64::MAX as u64)), None);
        assert_eq!(Cron::new("0 0 0 1 1 * 2020").unwrap().next_after(START), None);
    }

    proptest! {
        #[test]
        fn no_text_makes_a_pattern_or_a_zone_panic(text in "[0-9*/,#LW+?@A-Z :-]{0,24}|.{0,16}", millis: u64) {
            if let Ok(cron) = Cron::new(&text) {
                let at = Timestamp::from_millis(millis % 4_102_444_800_000);
                prop_assert!(cron.next_after(at).is_none_or(|next| next > at));
            }
            let _ = Cron::new("@daily").unwrap().time_zone(&text);
        }
    }
}
