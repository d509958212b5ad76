//! Patterns where local clocks are set, against a model that walks minute by minute and knows only the rule that the
//! documentation of [`Cron`] states.

use {
    jiff::tz::TimeZone,
    requeue::{
        Timestamp,
        schedule::{Cron, CronError},
    },
    std::ops::Range,
};

const HOUR: i64 = 60;
const DAY: i64 = 24 * HOUR;

/// Minutes since 1970 at the start of 2026, of 2011, and how many a year has.
const IN_2026: i64 = 29_453_760;
const IN_2011: i64 = 21_564_000;
const YEAR: i64 = 365 * DAY;

/// Zones, the start of the year to look at, and how often their clocks change in it.
const ZONES: [(&str, i64, usize); 20] = [
    ("EST5EDT,M3.2.0,M11.1.0", IN_2026, 2),                       // New York
    ("CET-1CEST,M3.5.0,M10.5.0/3", IN_2026, 2),                   // Berlin
    ("IST-1GMT0,M10.5.0,M3.5.0/1", IN_2026, 2),                   // Dublin, whose winter time is the other one
    ("AEST-10AEDT,M10.1.0,M4.1.0/3", IN_2026, 2),                 // Sydney
    ("NZST-12NZDT,M9.5.0,M4.1.0/3", IN_2026, 2),                  // Auckland
    ("<+1245>-12:45<+1345>,M9.5.0/2:45,M4.1.0/3:45", IN_2026, 2), // Chatham
    ("<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", IN_2026, 2),         // Lord Howe, by half an hour
    ("<+00>0<+02>-2,M3.5.0/1,M10.5.0/3", IN_2026, 2),             // Troll, by two hours
    ("CST5CDT,M3.2.0/0,M11.1.0/1", IN_2026, 2),                   // Havana, 0:00 to 1:00 and back to 0:00
    ("EET-2EEST,M3.5.0/0,M10.5.0/0", IN_2026, 2),                 // Beirut, back to 23:00 of the day before
    ("EET-2EEST,M4.5.5/0,M10.5.4/24", IN_2026, 2),                // Cairo
    ("<-04>4<-03>,M9.1.6/24,M4.1.6/24", IN_2026, 2),              // Santiago
    ("<-02>2<-01>,M3.5.0/-1,M10.5.0/0", IN_2026, 2),              // Nuuk, on the evening before
    ("<-01>1<+00>,M3.5.0/0,M10.5.0/1", IN_2026, 2),               // Azores
    ("<-11>11<+13>-13,J364/0,J120/0", IN_2026, 2),                // made up: a day is left out, and one comes twice
    ("Pacific/Apia", IN_2011, 3),                                 // 2011-12-30 left out, besides a spring and an autumn
    ("UTC", IN_2026, 0),
    ("JST-9", IN_2026, 0),
    ("IST-5:30", IN_2026, 0),
    ("-03:30", IN_2026, 0),
];

const PATTERNS: [&str; 32] = [
    "0 2 * * *",
    "30 2 * * *",
    "15 1 * * *",
    "0 2,14 * * *",
    "0 1,13 * * *",
    "0 3,15 * * *",
    "0,30 2 * * *",
    "15,45 1,2 * * *",
    "*/15 1-4 * * *",
    "* 1 * * *",
    "* 2 * * *",
    "* 0-22 * * *",
    "0 0 * * *",
    "30 0 * * *",
    "0 0,12 * * *",
    "0 1 * * *",
    "30 23 * * *",
    "59 22,23 * * *",
    "0 */2 * * *",
    "0 1-23/2 * * *",
    "0 3 * * 0",
    "45 1,2,23 * * 0,6",
    "0 0 1 * *",
    "20 */3 29,30,31 * *",
    "0 9 30 12 *",
    "0 9 30 12 5",
    // Every hour.
    "0 * * * *",
    "30 * * * *",
    "*/7 * * * *",
    "* * * * *",
    "15,45 0-23 * * *",
    "10,50 * * * 6,0",
];

/// The numbers that a field allows, a bit for each: lists, ranges, steps.
fn allowed(field: &str, all: Range<i64>) -> u64 {
    let part = |part: &str| {
        let (range, step) = part.split_once('/').unwrap_or((part, "1"));
        let (first, last) = match range.split_once('-') {
            Some((first, last)) => (first.parse().unwrap(), last.parse().unwrap()),
            None if range == "*" => (all.start, all.end - 1),
            None => (range.parse().unwrap(), range.parse().unwrap()),
        };
        (first..=last).step_by(step.parse().unwrap()).collect::<Vec<i64>>()
    };
    field
        .split(',')
        .flat_map(part)
        .fold(0, |bits, number| bits | 1 << number)
}

/// What a pattern names, field by field.
struct Named {
    fields: [u64; 5],
    either_day: bool,
}

impl Named {
    fn new(pattern: &str) -> Self {
        let fields: Vec<&str> = pattern.split(' ').collect();
        let ranges = [0..60, 0..24, 1..32, 1..13, 0..7];
        Self {
            fields: std::array::from_fn(|at| allowed(fields[at], ranges[at].clone())),
            either_day: fields[2] != "*" && fields[4] != "*",
        }
    }

    fn every_hour(&self) -> bool {
        self.fields[1].count_ones() == 24
    }

    /// Whether the pattern names a local time.
    fn names(&self, time: &Calendar) -> bool {
        let [minute, hour, day, month, weekday] = std::array::from_fn(|at| self.fields[at] & 1 << time[at] != 0);
        let day = if self.either_day {
            day || weekday
        } else {
            day && weekday
        };
        minute && hour && day && month
    }
}

/// Minute, hour, day, month and day of week.
type Calendar = [i64; 5];

/// Local times are minutes since 1970 as the local clock counts them.
fn calendar(local: i64) -> Calendar {
    let time = jiff::Timestamp::from_second(local * 60)
        .unwrap()
        .to_zoned(TimeZone::UTC);
    let weekday = time.weekday().to_sunday_zero_offset();
    [time.minute(), time.hour(), time.day(), time.month(), weekday].map(i64::from)
}

/// The local times that a zone's clock shows, one for each minute of `span`.
fn shown(zone: &TimeZone, span: Range<i64>) -> Vec<(i64, i64)> {
    let local = |at: i64| {
        let offset = zone.to_offset(jiff::Timestamp::from_second(at * 60).unwrap());
        (at, at + i64::from(offset.seconds()) / 60)
    };
    span.map(local).collect()
}

/// The minutes of `shown` at which the pattern is due; `calendar` begins with the first local time.
fn due(pattern: &Named, shown: &[(i64, i64)], calendar: &[Calendar]) -> Vec<i64> {
    let first = shown[0].1;
    let names = |local: i64| pattern.names(&calendar[(local - first) as usize]);
    let mut dealt_with = first;
    let mut due = Vec::new();
    for &(at, local) in &shown[1..] {
        let is_due = match pattern.every_hour() {
            true => names(local),
            // What was shown before is none of these, what was skipped is one.
            false => (dealt_with + 1..=local).any(names),
        };
        dealt_with = dealt_with.max(local);
        due.extend(is_due.then_some(at));
    }
    due
}

fn next_after(cron: &Cron, millis: i64) -> Option<i64> {
    let next = cron.next_after(Timestamp::from_millis(millis as u64))?;
    Some(next.as_millis() as i64)
}

/// Checks a pattern over the minutes of `shown`, from its start on and from many instants of `around`.
fn check(cron: &Cron, shown: &[(i64, i64)], calendar: &[Calendar], around: Range<i64>) -> Result<(), String> {
    let expected = due(&Named::new(cron.pattern()), shown, calendar);
    let expected: Vec<i64> = expected.iter().map(|it| it * 60_000).collect();
    let (first, last) = (shown[0].0 * 60_000, shown[shown.len() - 1].0 * 60_000);
    let walk = std::iter::successors(next_after(cron, first), |at| next_after(cron, *at));
    let walk: Vec<i64> = walk.take_while(|at| *at <= last).collect();
    if walk != expected {
        return Err(format!("{cron:?}: {walk:?}, not {expected:?}"));
    }
    for at in around.step_by(11).flat_map(|at| [at * 60_000 - 1, at * 60_000]) {
        let next = next_after(cron, at).filter(|next| *next <= last);
        let expected = expected.iter().copied().find(|due| *due > at);
        if next != expected {
            return Err(format!("{cron:?} after {at}: {next:?}, not {expected:?}"));
        }
    }
    Ok(())
}

/// The minutes of the year from `start` at which the local clock is set.
fn changes(zone: &TimeZone, start: i64) -> Vec<i64> {
    let offset = |at: i64| shown(zone, at..at + 1)[0].1 - at;
    let hours = (start..start + YEAR)
        .step_by(60)
        .filter(|at| offset(*at) != offset(at + HOUR));
    let minute = |hour: i64| (hour..=hour + HOUR).find(|at| offset(*at) != offset(hour));
    hours.filter_map(minute).collect()
}

fn zone(name: &str) -> TimeZone {
    let parser = jiff::fmt::temporal::DateTimeParser::new();
    parser
        .parse_time_zone(name)
        .expect("the machine has a time zone database")
}

#[test]
fn every_pattern_follows_the_rule_where_clocks_change() {
    let mut broken = Vec::new();
    let mut checked = 0;
    for (name, year, count) in ZONES {
        let zone = zone(name);
        let mut nights = changes(&zone, year);
        assert_eq!(nights.len(), count, "{name}");
        nights.push(year + 60 * DAY); // where nothing changes
        for night in nights {
            let shown = shown(&zone, night - 30 * HOUR..night + 2 * DAY);
            let last = shown.iter().map(|it| it.1).max().unwrap();
            let calendar: Vec<_> = (shown[0].1..=last).map(calendar).collect();
            for pattern in PATTERNS {
                checked += 1;
                let cron = Cron::new(pattern).unwrap().time_zone(name).unwrap();
                broken.extend(check(&cron, &shown, &calendar, night - 3 * HOUR..night + 3 * HOUR).err());
            }
        }
    }
    assert!(
        broken.is_empty(),
        "{} of {checked}, such as {}",
        broken.len(),
        broken[0]
    );
    assert_eq!(checked, (2 * 15 + 3 + ZONES.len()) * PATTERNS.len());
}

/// The times after `from`, as jiff writes them.
fn times(pattern: &str, zone: &str, from: &str, n: usize) -> Vec<String> {
    let cron = Cron::new(pattern).unwrap().time_zone(zone).unwrap();
    let from: jiff::Timestamp = from.parse().unwrap();
    let walk = std::iter::successors(next_after(&cron, from.as_millisecond()), |at| next_after(&cron, *at));
    let text = |at| jiff::Timestamp::from_millisecond(at).unwrap().to_string();
    walk.take(n).map(text).collect()
}

#[test]
fn seconds_follow_the_rule_too() {
    const BERLIN: &str = "CET-1CEST,M3.5.0,M10.5.0/3";
    let spring = times("59,30 59,0 2 * * *", BERLIN, "2026-03-29T00:00:00Z", 2);
    assert_eq!(spring, ["2026-03-29T01:00:00Z", "2026-03-30T00:00:30Z"]);
    let autumn = times("30 59 2 * * *", BERLIN, "2026-10-25T00:00:00Z", 2);
    assert_eq!(autumn, ["2026-10-25T00:59:30Z", "2026-10-26T01:59:30Z"]);
    let hourly = times("30 59 * * * *", BERLIN, "2026-10-25T00:00:00Z", 3);
    assert_eq!(
        hourly,
        ["2026-10-25T00:59:30Z", "2026-10-25T01:59:30Z", "2026-10-25T02:59:30Z"]
    );
    let from_the_second_showing = times("* * 2 * * *", BERLIN, "2026-10-25T01:30:00.5Z", 1);
    assert_eq!(from_the_second_showing, ["2026-10-26T01:00:00Z"]);
}

#[test]
fn years_end_and_leap_days_come() {
    let year = times("59 59 23 31 12 *", "UTC", "2026-12-31T23:59:58.999Z", 2);
    assert_eq!(year, ["2026-12-31T23:59:59Z", "2027-12-31T23:59:59Z"]);
    let first = times("0 0 1 1 *", "+05:30", "2026-12-31T18:29:59Z", 2);
    assert_eq!(first, ["2026-12-31T18:30:00Z", "2027-12-31T18:30:00Z"]);
    let leap = times("0 0 29 2 *", "UTC", "2096-02-28T00:00:00Z", 2);
    assert_eq!(
        leap,
        ["2096-02-29T00:00:00Z", "2104-02-29T00:00:00Z"],
        "2100 is no leap year"
    );
    let last = times("0 12 L 2 *", "UTC", "2027-03-01T00:00:00Z", 2);
    assert_eq!(last, ["2028-02-29T12:00:00Z", "2029-02-28T12:00:00Z"]);
    // A fixed year, on the day that Apia left out.
    let once = times("0 0 9 30 12 * 2011", "Pacific/Apia", "2011-01-01T00:00:00Z", 2);
    assert_eq!(once, ["2011-12-30T10:00:00Z"]);
}

#[test]
fn a_pattern_that_names_no_time_is_refused() {
    for pattern in [
        "0 0 30 2 *",
        "0 0 31 4,6,9,11 *",
        "0 0 0 29 2 * 2027",
        "0 0 0 1 1 * 1969",
        "0 0 30W 2 *",
    ] {
        let error = Cron::new(pattern).expect_err(pattern);
        assert!(matches!(error, CronError::NoTime { .. }), "{error:?}");
        assert_eq!(
            error.to_string(),
            format!("{pattern:?} names no time from 1970 to 4999")
        );
    }
    for pattern in [
        "0 0 29 2 *",
        "0 0 30 2 MON",
        "0 0 31 * *",
        "0 0 0 1 1 * 1970",
        "0 0 0 31 12 * 4999",
    ] {
        assert!(Cron::new(pattern).is_ok(), "{pattern}");
    }
}

#[test]
fn a_pattern_that_cannot_be_read_is_refused_with_its_first_wrong_field() {
    for (pattern, reason) in [
        ("61 * * * *", "\"61\" cannot be the minute, 0 to 59"),
        ("* 24 * * *", "\"24\" cannot be the hour, 0 to 23"),
        ("60 * * * * *", "\"60\" cannot be the second, 0 to 59"),
        ("* * 0 * *", "\"0\" cannot be the day of the month, 1 to 31 or L"),
        ("* * * FOO *", "\"FOO\" cannot be the month, 1 to 12 or JAN to DEC"),
        (
            "* * * * MON-FOO",
            "\"MON-FOO\" cannot be the day of the week, 0 to 7 or SUN to SAT",
        ),
        ("* * * * * * soon", "\"soon\" cannot be the year, 1 to 5000"),
        ("* * *", "it has 3 fields, it has to have 5 to 7"),
        ("", "it has 0 fields, it has to have 5 to 7"),
        (
            "@reboot",
            "the names are @yearly, @annually, @monthly, @weekly, @daily and @hourly",
        ),
    ] {
        let error = Cron::new(pattern).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("{pattern:?} is not a cron pattern: {reason}")
        );
    }
}
