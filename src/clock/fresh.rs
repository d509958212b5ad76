//! Caches the last clock reading for as long as it is exact to the millisecond.
//!
//! On Linux with the clock source `tsc`, the monotonic clock is the processor's tick counter, scaled and nothing else,
//! whichever core reads it. So if the counter has moved by less than [`FRESH_TICKS`] since it was read just
//! before the last reading of the clock, the clock has moved by less than that many ticks too, and the reading is good
//! to the millisecond; a wall clock that was set meanwhile is seen by the next reading. On any other machine no reading
//! is fresh and every call reads the clock. The counter is never scaled, so nothing drifts; and all threads answer with
//! the greatest reading published, so time does not run backwards whatever the counter does.

use std::{
    fs,
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    },
};

/// 0.2 ms on a counter of 0.5 GHz, less on the faster counters of all machines tried.
const FRESH_TICKS: u64 = 100_000;

/// The greatest time read, in milliseconds.
static MILLIS: AtomicU64 = AtomicU64::new(0);
/// The counter before a reading that is in `MILLIS`.
static READ_AT: AtomicU64 = AtomicU64::new(0);
/// `FRESH_TICKS`, or 0 where the counter says nothing about the clock, and until that is known.
static FRESH_FOR: AtomicU64 = AtomicU64::new(0);
static COUNTER_IS_THE_CLOCK: LazyLock<bool> = LazyLock::new(|| {
    let source = fs::read_to_string("/sys/devices/system/clocksource/clocksource0/current_clocksource");
    source.is_ok_and(|it| it.trim() == "tsc")
});

/// What `read` says, or said less than a millisecond ago.
#[inline]
pub(super) fn millis(read: impl FnOnce() -> u64) -> u64 {
    let ticks = tick_counter::x86_64_tick_counter();
    if ticks.wrapping_sub(READ_AT.load(Ordering::Acquire)) < FRESH_FOR.load(Ordering::Relaxed) {
        return MILLIS.load(Ordering::Acquire);
    }
    renew(ticks, read())
}

#[cold]
fn renew(ticks: u64, read: u64) -> u64 {
    if *COUNTER_IS_THE_CLOCK {
        FRESH_FOR.store(FRESH_TICKS, Ordering::Relaxed);
    }
    let millis = publish(read);
    READ_AT.store(ticks, Ordering::Release);
    millis
}

/// Lets no thread answer with an earlier time from here on.
pub(super) fn publish(millis: u64) -> u64 {
    MILLIS.fetch_max(millis, Ordering::AcqRel).max(millis)
}
