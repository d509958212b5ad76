//! How the system clock follows the wall clock without running backwards.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::sync::Mutex;

/// How often the wall is looked at, in microseconds of the monotonic clock.
const CHECK_EVERY: u64 = 10_000;
/// The two clocks agree if they are not further apart.
const NEAR: u64 = 1_000;
/// A thread that is interrupted for longer between reading one clock and the other has read nothing of use.
const TORN: u64 = NEAR / 2;
/// While the wall is behind, this part of the time is left out.
const SLOWER_BY: u64 = 10;

/// The two clocks of a machine, in microseconds.
pub(super) trait Machine {
    /// Never runs back; may stand still while the machine is suspended.
    fn monotonic(&self) -> u64;
    /// Since the Unix epoch; may be set at any time.
    fn wall(&self) -> u64;
}

/// Time since the Unix epoch as the monotonic clock plus an offset, which is corrected towards the wall.
///
/// A wall that is ahead is followed at once. While it is behind, time goes on slower by a tenth until the wall has
/// caught up.
pub(super) struct Follower {
    offset: AtomicU64,
    /// The monotonic reading up to which the offset is right.
    checked: AtomicU64,
    /// The monotonic reading from which on the wall is to be looked at.
    next_check: AtomicU64,
    /// The latest time shown. A correction may find that the readings since the last check were too late.
    latest: AtomicU64,
    correcting: Mutex<()>,
}

impl Follower {
    pub(super) const fn new() -> Self {
        Self {
            offset: AtomicU64::new(0),
            checked: AtomicU64::new(0),
            next_check: AtomicU64::new(0),
            latest: AtomicU64::new(0),
            correcting: Mutex::new(()),
        }
    }

    /// The time in microseconds.
    pub(super) fn micros(&self, machine: &impl Machine) -> u64 {
        let monotonic = machine.monotonic();
        let now = if monotonic < self.next_check.load(Ordering::Acquire) {
            monotonic.saturating_add(self.offset.load(Ordering::Acquire))
        } else {
            self.check(machine)
        };
        self.latest.fetch_max(now, Ordering::AcqRel).max(now)
    }

    #[cold]
    fn check(&self, machine: &impl Machine) -> u64 {
        let _one_at_a_time = self.correcting.lock();
        let before = machine.monotonic();
        let wall = machine.wall();
        let monotonic = machine.monotonic();
        let offset = self.offset.load(Ordering::Acquire);
        let shown = monotonic.saturating_add(offset);
        let is_first = self.next_check.load(Ordering::Acquire) == 0;
        if monotonic - before > TORN && !is_first {
            return shown;
        }
        let checked = self.checked.load(Ordering::Acquire);
        let (offset, checked) = if is_first || wall > shown.saturating_add(NEAR) {
            (wall.saturating_sub(monotonic), monotonic)
        } else if wall.saturating_add(NEAR) < shown {
            let back = (shown - wall).min(monotonic.saturating_sub(checked) / SLOWER_BY);
            // What the division dropped counts the next time.
            (offset.saturating_sub(back), checked + back * SLOWER_BY)
        } else {
            (offset, monotonic)
        };
        self.offset.store(offset, Ordering::Release);
        self.checked.store(checked, Ordering::Release);
        self.next_check
            .store(monotonic.saturating_add(CHECK_EVERY), Ordering::Release);
        monotonic.saturating_add(offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    const MS: u64 = 1_000;
    const SECOND: u64 = 1_000 * MS;
    const HOUR: u64 = 3_600 * SECOND;
    const START: u64 = 1_767_225_600 * SECOND;

    /// A machine whose clocks are set by the test.
    struct Made {
        monotonic: Cell<u64>,
        wall: Cell<u64>,
        /// How long a reading of the wall takes.
        reading_takes: Cell<u64>,
    }

    impl Machine for Made {
        fn monotonic(&self) -> u64 {
            self.monotonic.get()
        }

        fn wall(&self) -> u64 {
            self.run(self.reading_takes.get());
            self.wall.get()
        }
    }

    impl Made {
        /// A machine and a clock that has been read once.
        fn start() -> (Self, Follower) {
            let made = Self {
                monotonic: Cell::new(7 * SECOND),
                wall: Cell::new(START),
                reading_takes: Cell::new(0),
            };
            let clock = Follower::new();
            assert_eq!(clock.micros(&made), START);
            (made, clock)
        }

        fn run(&self, span: u64) {
            self.monotonic.set(self.monotonic.get() + span);
            self.wall.set(self.wall.get() + span);
        }

        fn set_wall_by(&self, step: i64) {
            self.wall.set(self.wall.get().saturating_add_signed(step));
        }

        /// What the clock shows after each of `steps` steps of `span`; no step goes back.
        fn watch(&self, clock: &Follower, steps: u64, span: u64) -> u64 {
            let mut last = clock.micros(self);
            for _ in 0..steps {
                self.run(span);
                let now = clock.micros(self);
                assert!(now >= last, "{now} after {last}");
                last = now;
            }
            last
        }
    }

    #[test]
    fn a_wall_set_forward_is_followed_at_once() {
        for step in [2 * MS, SECOND, HOUR, 20_000 * HOUR] {
            let (made, clock) = Made::start();
            made.run(HOUR);
            assert_eq!(clock.micros(&made), START + HOUR);
            made.set_wall_by(i64::try_from(step).unwrap());
            made.run(CHECK_EVERY);
            assert_eq!(clock.micros(&made), START + HOUR + CHECK_EVERY + step);
        }
    }

    #[test]
    fn the_time_of_a_suspend_is_shown_after_it() {
        let (made, clock) = Made::start();
        // The monotonic clock stands still, and the check is due at the latest after so long.
        made.set_wall_by(i64::try_from(8 * HOUR).unwrap());
        made.run(CHECK_EVERY);
        assert_eq!(clock.micros(&made), START + 8 * HOUR + CHECK_EVERY);
    }

    #[test]
    fn a_wall_set_back_is_waited_for_by_going_a_tenth_slower() {
        let (made, clock) = Made::start();
        made.run(SECOND);
        assert_eq!(clock.micros(&made), START + SECOND);
        made.set_wall_by(-i64::try_from(SECOND).unwrap());
        let shown = made.watch(&clock, 500, 10 * MS);
        assert_eq!(
            shown,
            START + SECOND + 4_500 * MS,
            "after 5 seconds it lost half of one"
        );
        assert_eq!(
            made.watch(&clock, 600, 10 * MS) / MS,
            made.wall.get() / MS + 1,
            "within a millisecond"
        );
        let shown = made.watch(&clock, 10, SECOND);
        assert!(shown - made.wall.get() <= NEAR, "and at full speed from then on");
    }

    #[test]
    fn however_often_the_clock_is_read_it_goes_a_tenth_slower() {
        for span in [1, 7, 999, 10 * MS, 33 * MS] {
            let (made, clock) = Made::start();
            made.set_wall_by(-i64::try_from(HOUR).unwrap());
            let shown = made.watch(&clock, 2 * SECOND / span, span) - START;
            assert!(
                shown.abs_diff(1_800 * MS) <= 40 * MS,
                "{shown} microseconds of two seconds, read every {span}"
            );
        }
    }

    #[test]
    fn a_wall_that_comes_back_is_followed_from_where_it_is() {
        let (made, clock) = Made::start();
        made.set_wall_by(-i64::try_from(START).unwrap());
        made.watch(&clock, 100, 10 * MS);
        made.set_wall_by(i64::try_from(START).unwrap());
        made.run(CHECK_EVERY);
        assert_eq!(clock.micros(&made), made.wall.get());
    }

    #[test]
    fn walls_less_than_a_millisecond_off_are_left_alone() {
        for step in [-999, 999] {
            let (made, clock) = Made::start();
            made.set_wall_by(step);
            assert_eq!(made.watch(&clock, 100, 10 * MS), START + SECOND);
        }
    }

    #[test]
    fn a_thread_that_is_interrupted_between_the_clocks_corrects_nothing() {
        let (made, clock) = Made::start();
        made.set_wall_by(i64::try_from(HOUR).unwrap());
        made.reading_takes.set(TORN + 1);
        made.run(CHECK_EVERY);
        assert_eq!(clock.micros(&made), START + CHECK_EVERY + TORN + 1);
        made.reading_takes.set(0);
        assert_eq!(clock.micros(&made), made.wall.get(), "the next reading does");
    }

    #[test]
    fn no_wall_makes_it_overflow() {
        let (made, clock) = Made::start();
        made.wall.set(u64::MAX - SECOND);
        made.monotonic.set(made.monotonic.get() + CHECK_EVERY);
        assert_eq!(clock.micros(&made), u64::MAX - SECOND);
        made.monotonic.set(u64::MAX - 1);
        assert_eq!(clock.micros(&made), u64::MAX);
    }
}
