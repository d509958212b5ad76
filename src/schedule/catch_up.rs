//! Which of the due times that were missed still send their job.

use {
    super::{cron::Cron, spec::CatchUp},
    crate::time::Timestamp,
    std::{collections::VecDeque, time::Duration},
};

/// What a look at a schedule whose time has come finds.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Look {
    /// The due times whose jobs are to be sent, in order.
    pub(super) jobs: VecDeque<Timestamp>,
    /// The latest time that has been dealt with.
    pub(super) latest: Timestamp,
    /// Whether any of the times was missed.
    pub(super) missed: bool,
}

/// One time, of which no other follows.
pub(super) fn look_at_one(due: Timestamp, now: Timestamp, tolerance: Duration, catch_up: CatchUp) -> Look {
    let missed = now.saturating_duration_since(due) > tolerance;
    let skipped = missed && catch_up.max_jobs() == 0;
    Look {
        jobs: (!skipped).then_some(due).into_iter().collect(),
        latest: due,
        missed,
    }
}

/// The times of a pattern from `due`, which has come, to `now`.
///
/// All but the latest are missed, for another has come since; the latest is missed if it is later than tolerated.
pub(super) fn look_at_many(
    cron: &Cron,
    due: Timestamp,
    now: Timestamp,
    tolerance: Duration,
    catch_up: CatchUp,
) -> Look {
    let latest = latest(cron, due, now);
    let late = now.saturating_duration_since(latest) > tolerance;
    let max_jobs = catch_up.max_jobs().max(usize::from(!late));
    Look {
        jobs: last_times(cron, due, latest, max_jobs),
        latest,
        missed: late || latest > due,
    }
}

/// The latest time of the pattern until `now`, `first` being one: by halves, for there may be millions between.
fn latest(cron: &Cron, first: Timestamp, now: Timestamp) -> Timestamp {
    let next = |at| cron.next_after(at).filter(|next| *next <= now);
    let Some(mut latest) = next(first) else {
        return first;
    };
    // No time lies after `empty_from` and until `now`.
    let mut empty_from = now;
    while latest < empty_from {
        let middle = latest.saturating_add(empty_from.saturating_duration_since(latest) / 2);
        match next(middle) {
            Some(later) => latest = later,
            None => empty_from = middle,
        }
    }
    latest
}

/// The last `max_jobs` times from `first` to `latest`, both times of the pattern.
fn last_times(cron: &Cron, first: Timestamp, latest: Timestamp, max_jobs: usize) -> VecDeque<Timestamp> {
    let mut times = VecDeque::from([first]);
    while times.len() <= max_jobs && times.back() != Some(&latest) {
        let Some(next) = times.back().and_then(|at| cron.next_after(*at)) else {
            break;
        };
        times.push_back(next);
    }
    if times.len() <= max_jobs {
        return times;
    }
    times.clear();
    let mut at = Some(latest);
    while let Some(time) = at.filter(|_| times.len() < max_jobs) {
        times.push_front(time);
        let before = time.saturating_sub(Duration::from_millis(1));
        at = (time > first).then(|| self::latest(cron, first, before));
    }
    times
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TOLERANCE: Duration = Duration::from_secs(60);

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(1_767_225_600_000 + seconds * 1_000)
    }

    /// The jobs after looking at `pattern`, first due at `due`, at `now`, in seconds.
    fn jobs(pattern: &str, due: u64, now: u64, catch_up: CatchUp) -> (Vec<u64>, bool) {
        let look = look_at_many(&Cron::new(pattern).unwrap(), at(due), at(now), TOLERANCE, catch_up);
        let seconds = look.jobs.iter().map(|it| it.as_secs() - at(0).as_secs());
        (seconds.collect(), look.missed)
    }

    #[test]
    fn a_time_that_is_not_later_than_tolerated_is_not_missed() {
        for catch_up in [CatchUp::Skip, CatchUp::Once, CatchUp::All { at_most: 9 }] {
            assert_eq!(jobs("@hourly", 3_600, 3_660, catch_up), (vec![3_600], false));
        }
        assert_eq!(jobs("@hourly", 3_600, 3_661, CatchUp::Skip), (vec![], true));
        assert_eq!(jobs("@hourly", 3_600, 3_661, CatchUp::Once), (vec![3_600], true));
    }

    #[test]
    fn of_several_times_the_policy_chooses() {
        let hourly = |now, catch_up| jobs("@hourly", 3_600, now, catch_up);
        assert_eq!(hourly(12_000, CatchUp::Skip), (vec![], true));
        assert_eq!(
            hourly(10_800, CatchUp::Skip),
            (vec![10_800], true),
            "the latest is on time"
        );
        assert_eq!(hourly(12_000, CatchUp::Once), (vec![10_800], true));
        assert_eq!(
            hourly(12_000, CatchUp::All { at_most: 9 }),
            (vec![3_600, 7_200, 10_800], true)
        );
        assert_eq!(
            hourly(12_000, CatchUp::All { at_most: 3 }),
            (vec![3_600, 7_200, 10_800], true)
        );
        assert_eq!(hourly(12_000, CatchUp::All { at_most: 2 }), (vec![7_200, 10_800], true));
        assert_eq!(hourly(12_000, CatchUp::All { at_most: 0 }), (vec![], true));
        assert_eq!(hourly(10_800, CatchUp::All { at_most: 0 }), (vec![10_800], true));
    }

    #[test]
    fn years_of_seconds_are_looked_through_at_once() {
        const TEN_YEARS: u64 = 10 * 366 * 86_400;
        let (late, missed) = jobs("* * * * * *", 1, TEN_YEARS, CatchUp::All { at_most: 2 });
        assert_eq!((late, missed), (vec![TEN_YEARS - 1, TEN_YEARS], true));
    }

    proptest! {
        #[test]
        fn the_last_times_are_those_of_a_walk(
            pattern in prop::sample::select(vec![
                "* * * * *", "*/7 3 * * *", "0 0 1 * *", "15 10 * * MON", "0 30 2 * * *", "*/20 5 9 * * *",
                "0 2,14 * * *", "*/15 1-4 * * *", "0 0 29 2 *",
            ]),
            // Besides UTC: Berlin, Lord Howe, and a zone that leaves out a day and repeats one.
            zone in prop::sample::select(vec![
                "UTC", "CET-1CEST,M3.5.0,M10.5.0/3", "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0",
                "<-11>11<+13>-13,J364/0,J120/0",
            ]),
            start in 0_u64..40_000_000,
            span in 0_u64..200_000,
            at_most in 0_usize..20,
        ) {
            let cron = Cron::new(pattern).unwrap().time_zone(zone).unwrap();
            let due = cron.next_after(at(start)).unwrap();
            let now = due.saturating_add(Duration::from_secs(span));
            let walk: Vec<_> = std::iter::successors(Some(due), |it| cron.next_after(*it))
                .take_while(|it| *it <= now)
                .collect();
            let look = look_at_many(&cron, due, now, TOLERANCE, CatchUp::All { at_most });
            prop_assert_eq!(look.latest, *walk.last().unwrap());
            let on_time = now.saturating_duration_since(look.latest) <= TOLERANCE;
            let max_jobs = at_most.max(usize::from(on_time));
            let expected = &walk[walk.len().saturating_sub(max_jobs)..];
            prop_assert!(look.jobs.iter().eq(expected), "{:?} {:?}", look.jobs, expected);
        }
    }
}
