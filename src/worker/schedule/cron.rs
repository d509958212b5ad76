//! Cron patterns, and the calendar they are read against.

use {
    crate::time::Timestamp,
    croner::parser::{CronParser, Seconds, Year},
    jiff::{fmt::temporal::DateTimeParser, tz::TimeZone},
    std::{fmt, str::FromStr, sync::Arc},
};

/// Points in time by a cron pattern, in UTC unless another time zone is chosen.
///
/// A pattern has five fields, minute, hour, day of month, month and day of week; six with the second in front; seven
/// with the year behind. `@hourly`, `@daily`, `@weekly`, `@monthly` and `@yearly` are patterns too. If both days are
/// restricted, either is enough. A time of day that a change of clocks leaves out comes right after the gap; one that
/// comes twice counts once, unless the pattern repeats within the hour.
///
/// # Source
/// [crontab(5)](https://man7.org/linux/man-pages/man5/crontab.5.html); what goes beyond it, as `L` and `#`, is
/// [croner's](https://docs.rs/croner).
///
/// # Examples
/// ```
/// use requeue::{Timestamp, worker::Cron};
///
/// let new_year = Timestamp::from_millis(1_767_225_600_000); // 2026-01-01T00:00:00Z, a Thursday
/// let at = |cron: Cron| cron.next_after(new_year).map(|it| (it.as_secs() - new_year.as_secs()) / 3600);
/// assert_eq!(at(Cron::new("0 9 * * MON-FRI")?), Some(9));
/// assert_eq!(at(Cron::new("0 9 * * MON-FRI")?.time_zone("+02:00")?), Some(7));
/// assert_eq!(at(Cron::new("@weekly")?), Some(72));
/// # Ok::<(), requeue::worker::CronError>(())
/// ```
#[derive(Clone)]
pub struct Cron {
    pattern: Arc<str>,
    cron: Arc<croner::Cron>,
    zone: TimeZone,
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

impl Cron {
    /// Reads a pattern.
    ///
    /// # Errors
    /// [`CronError::Pattern`].
    ///
    /// # Examples
    /// ```
    /// use requeue::worker::Cron;
    ///
    /// assert!(Cron::new("*/5 * * * *").is_ok());
    /// let error = Cron::new("61 * * * *").unwrap_err();
    /// assert!(error.to_string().starts_with("\"61 * * * *\" is not a cron pattern: "));
    /// ```
    pub fn new(pattern: &str) -> Result<Self, CronError> {
        let parser = CronParser::builder()
            .seconds(Seconds::Optional)
            .year(Year::Optional)
            .build();
        match parser.parse(pattern) {
            Ok(cron) => Ok(Self {
                pattern: pattern.into(),
                cron: Arc::new(cron),
                zone: TimeZone::UTC,
            }),
            Err(error) => Err(CronError::Pattern {
                pattern: pattern.to_owned(),
                reason: error.to_string(),
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
    /// use requeue::worker::Cron;
    ///
    /// let nightly = Cron::new("0 3 * * *")?;
    /// assert!(nightly.clone().time_zone("CET-1CEST,M3.5.0,M10.5.0/3").is_ok());
    /// assert!(nightly.time_zone("Middle-earth/Shire").is_err());
    /// # Ok::<(), requeue::worker::CronError>(())
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

    /// The first point in time after `at` that the pattern names, to the second; `None` if there is none before the
    /// year 5000.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Timestamp, worker::Cron};
    ///
    /// let next = |pattern, millis| Cron::new(pattern).unwrap().next_after(Timestamp::from_millis(millis));
    /// assert_eq!(next("* * * * *", 59_999), Some(Timestamp::from_millis(60_000)));
    /// assert_eq!(next("* * * * *", 60_000), Some(Timestamp::from_millis(120_000)));
    /// assert_eq!(next("0 0 30 2 *", 0), None);
    /// ```
    #[must_use]
    pub fn next_after(&self, at: Timestamp) -> Option<Timestamp> {
        let start = i64::try_from(at.as_millis()).ok()?;
        let start = jiff::Timestamp::from_millisecond(start)
            .ok()?
            .to_zoned(self.zone.clone());
        let next = self.cron.find_next_occurrence(&start, false).ok()?;
        let next = Timestamp::from_millis(u64::try_from(next.timestamp().as_millisecond()).ok()?);
        (next > at).then_some(next)
    }

    /// The pattern, as it was given.
    ///
    /// # Examples
    /// ```
    /// use requeue::worker::Cron;
    /// assert_eq!(Cron::new("@daily")?.pattern(), "@daily");
    /// # Ok::<(), requeue::worker::CronError>(())
    /// ```
    #[must_use]
    pub fn pattern(&self) -> &str {
        &self.pattern
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
    fn a_time_left_out_comes_after_the_gap_and_one_that_comes_twice_counts_once() {
        let spring = times("30 2 * * *", BERLIN, "2026-03-28T00:00:00Z", 3);
        assert_eq!(
            spring,
            ["2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]
        );
        let autumn = times("30 2 * * *", BERLIN, "2026-10-24T12:00:00Z", 2);
        assert_eq!(autumn, ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]);
        let hourly = times("0 * * * *", BERLIN, "2026-10-25T00:30:00Z", 2);
        assert_eq!(hourly, ["2026-10-25T01:00:00Z", "2026-10-25T02:00:00Z"]);
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
