//! Instants as ISO 8601 writes them.

use {crate::time::Timestamp, std::fmt::Write as _};

const DAY: u64 = 86_400;
/// Days from the first of March of the year 0 to 1970-01-01.
const FROM_YEAR_0: u64 = 719_468;

/// To the millisecond, as `2026-11-30T02:20:07.123Z`.
pub(super) fn iso_8601(at: Timestamp) -> String {
    let (days, seconds) = (at.as_secs() / DAY, at.as_secs() % DAY);
    let (year, month, day) = civil(days);
    let (hour, minute, second, millis) = (seconds / 3_600, seconds / 60 % 60, seconds % 60, at.as_millis() % 1_000);
    let mut text = String::with_capacity(24);
    let written = write!(
        text,
        "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z"
    );
    written.expect("invariant: a string takes any text");
    text
}

/// The instant of such a text, from 1970 on. A fraction of the second may be missing, and counts to the millisecond.
pub(super) fn parse_iso_8601(text: &str) -> Option<Timestamp> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let [year, month, day] = numbers(date, '-')?;
    let [hour, minute, second] = numbers(time, ':')?;
    let days = days(year, month, day)?;
    if hour >= 24 || minute >= 60 || second >= 60 {
        return None;
    }
    number(fraction)?;
    let millis = number(&format!("{fraction:0<3.3}"))?;
    let seconds = days * DAY + hour * 3_600 + minute * 60 + second;
    let millis = seconds.checked_mul(1_000)?.checked_add(millis)?;
    Some(Timestamp::from_millis(millis))
}

fn numbers(text: &str, separator: char) -> Option<[u64; 3]> {
    let mut parts = text.split(separator);
    let numbers = [number(parts.next()?)?, number(parts.next()?)?, number(parts.next()?)?];
    parts.next().is_none().then_some(numbers)
}

/// The number of digits alone, which a sign is not.
fn number(text: &str) -> Option<u64> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

/// Year, month and day, so many days after 1970-01-01. Years begin in March here, so that a leap day ends one; after 400
/// years the calendar repeats.
fn civil(days: u64) -> (u64, u64, u64) {
    const IN_400_YEARS: u64 = 146_097;
    let days = days + FROM_YEAR_0;
    let (cycle, day) = (days / IN_400_YEARS, days % IN_400_YEARS);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month + 2) / 5 + 1;
    let is_next_year = month >= 10;
    let month = if is_next_year { month - 9 } else { month + 3 };
    (cycle * 400 + year + u64::from(is_next_year), month, day_of_month)
}

/// The inverse of [`civil`]; `None` for what is no day, lies before 1970, or is later than any [`Timestamp`].
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    const LATEST: u64 = 584_556_019;
    if !(1970..=LATEST).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let from_march = (month + 9) % 12;
    let year_from_march = year - u64::from(month < 3);
    let day_of_year = (153 * from_march + 2) / 5 + day - 1;
    let leap_days = year_from_march / 4 - year_from_march / 100 + year_from_march / 400;
    let days = 365 * year_from_march + leap_days + day_of_year - FROM_YEAR_0;
    (civil(days) == (year, month, day)).then_some(days)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_written_and_read_as_the_calendar_has_them() {
        // E26
        for (millis, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (951_868_800_000, "2000-03-01T00:00:00.000Z"),
            (1_735_689_599_001, "2024-12-31T23:59:59.001Z"),
            (1_796_006_407_123, "2026-11-30T02:40:07.123Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        ] {
            let at = Timestamp::from_millis(millis);
            assert_eq!((iso_8601(at).as_str(), parse_iso_8601(text)), (text, Some(at)));
        }
        let latest = iso_8601(Timestamp::MAX);
        assert!(latest.starts_with("584556019-04-03T14:25:51.615"));
        assert_eq!(parse_iso_8601(&latest), Some(Timestamp::MAX));
        assert_eq!(parse_iso_8601(&latest.replace("615", "616")), None);
    }

    #[test]
    fn a_fraction_of_a_second_may_be_missing_and_is_cut() {
        for (text, millis) in [("", 0), (".5", 500), (".0129", 12), (".123456789", 123)] {
            let at = parse_iso_8601(&format!("1970-01-01T00:00:00{text}Z"));
            assert_eq!(at, Some(Timestamp::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn what_is_no_instant_is_refused() {
        for text in [
            "",
            "Z",
            "TZ",
            "2026-11-30",
            "2026-11-30T02:40:07",
            "2026-11-30 02:40:07Z",
            "2026-11-30T02:40Z",
            "2026-11-30T02:40:07:00Z",
            "2026-11-30T02:40:07.Z",
            "2026-11-30T02:40:07.1x3Z",
            "2026-11-30T02:40:07.12\u{e9}Z",
            "2026-11-30T24:00:00Z",
            "2026-11-30T23:60:00Z",
            "2026-11-30T23:59:60Z",
            "2026-11-31T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-01-00T00:00:00Z",
            "2025-02-29T00:00:00Z",
            "2100-02-29T00:00:00Z",
            "1969-12-31T23:59:59Z",
            "+2026-11-30T02:40:07Z",
            "18446744073709551615-11-30T02:40:07Z",
            "99999999999999999999-11-30T02:40:07Z",
        ] {
            assert_eq!(parse_iso_8601(text), None, "{text}");
        }
    }
}
