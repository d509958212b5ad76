//! Services with a journal in a directory.

use {
    requeue::{ManualClock, Service, ServiceBuilder, Timestamp, journal::JournalBuilder},
    std::path::Path,
};

/// So small that segments fill up and are removed within a test.
pub(crate) const SEGMENT: u64 = 16 * 1_024;

/// A clock that stands at so many milliseconds.
pub(crate) fn clock_at(now: u64) -> ManualClock {
    ManualClock::at(Timestamp::from_millis(now))
}

pub(crate) fn builder(directory: &Path, clock: &ManualClock) -> JournalBuilder<ServiceBuilder> {
    let builder = Service::builder().clock(clock.clone()).journal(directory);
    builder.segment_bytes(SEGMENT)
}

pub(crate) fn service(directory: &Path, clock: &ManualClock) -> Service {
    builder(directory, clock)
        .open()
        .unwrap_or_else(|error| panic!("{} is not opened: {error}", directory.display()))
}
