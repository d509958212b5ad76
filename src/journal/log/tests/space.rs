//! Full disks, and callers that are held up.

use {
    super::{gate::Gated, *},
    crate::{
        clock::{Clock as _, Parker, SystemClock},
        error::StorageError,
        journal::sim_fs::{Call, Failure},
    },
    std::task::{Context, Poll},
};

fn is_full(result: Result<(), StorageError>) -> bool {
    matches!(result, Err(StorageError::Full { .. }))
}

#[test]
fn a_full_disk_refuses_sends_first_and_then_the_rest_and_hurts_nothing() {
    let fs = SimFs::default();
    let (log, _) = open(&fs);
    assert_eq!(log.admit(100, true), Ok(()), "the next segment is made");
    fs.fail(Call::Allocate, 1, true, Failure::Full);
    let (mut sends, mut deletes) = (0, 0);
    while log.admit(100, true).is_ok() {
        fill(&log, 1, 100, Level::Synced);
        sends += 1;
    }
    assert!(is_full(log.admit(100, true)) && !log.has_room(100, true));
    assert!(log.has_room(20, false));
    while log.admit(20, false).is_ok() {
        fill(&log, 1, 20, Level::Written);
        deletes += 1;
    }
    assert!(is_full(log.admit(20, false)));
    assert!(sends >= 8 && deletes >= 5, "{sends} sends, {deletes} deletes");
    assert_eq!(log.wait(0, Level::Written), Ok(()), "the log goes on");
    fs.mend();
    assert_eq!(log.admit(100, true), Ok(()));
    fill(&log, 100, 100, Level::Synced);
    drop(log);
    assert_eq!(open(&fs).1.len(), sends + deletes + 100);
}

#[test]
fn a_frame_beyond_a_segment_is_let_in_only_with_a_segment_of_its_size() {
    let fs = SimFs::default();
    let (log, _) = open(&fs);
    fs.fail(Call::Allocate, 1, true, Failure::Full);
    assert!(is_full(log.admit(5_000, true)));
    fs.mend();
    assert_eq!(log.admit(5_000, true), Ok(()));
    fs.fail(Call::Allocate, 1, true, Failure::Full);
    fill(&log, 1, 5_000, Level::Synced);
}

#[test]
fn a_reserved_segment_gives_way_to_a_larger_one() {
    let fs = SimFs::default();
    let (log, _) = open(&fs);
    fill(&log, 8, 100, Level::Written);
    let with_reserve = log.bytes();
    assert_eq!(with_reserve, 2 * SEGMENT);
    assert_eq!(log.admit(5_000, true), Ok(()));
    assert!(log.bytes() > with_reserve + 3_000);
    fill(&log, 1, 5_000, Level::Synced);
    drop(log);
    assert_eq!(open(&fs).1.len(), 9);
}

#[test]
fn every_failure_of_making_a_segment_leaves_the_log_open() {
    for call in [Call::Create, Call::Allocate, Call::Rename, Call::SyncDirectory] {
        for failure in [Failure::Io, Failure::Full] {
            let fs = SimFs::default();
            let (log, _) = open(&fs);
            fs.fail(call, 1, true, failure);
            fill(&log, 10, 100, Level::Synced);
            assert!(is_full(log.admit(100, true)), "{call:?}");
            fs.mend();
            assert_eq!(log.admit(100, true), Ok(()), "{call:?}");
            fill(&log, 30, 100, Level::Synced);
            drop(log);
            assert_eq!(open(&fs).1, bodies(40, 100), "{call:?}");
        }
    }
}

#[test]
fn removing_a_segment_makes_room_for_sends() {
    let fs = SimFs::default();
    let (log, _) = open(&fs);
    fill(&log, 16, 100, Level::Written);
    assert_eq!(log.segments(), 2);
    fs.set_capacity(Some(fs.used()));
    while log.admit(100, true).is_ok() {
        fill(&log, 1, 100, Level::Synced);
    }
    let segment = log.read_oldest(&mut |_, _| Ok(())).unwrap().unwrap();
    log.remove_oldest(segment).unwrap();
    assert_eq!(log.admit(100, true), Ok(()));
}

#[test]
fn a_caller_that_finds_too_much_in_the_buffer_writes_it() {
    let fs = SimFs::default();
    let options = LogOptions {
        buffer_bytes: 300,
        ..inline()
    };
    let (log, _) = open_from(&fs, options, 1).unwrap();
    assert_eq!(log.admit(100, true), Ok(()));
    append(&log, 100);
    let before = fs.calls(Call::Write);
    assert_eq!(log.admit(100, true), Ok(()));
    assert_eq!(fs.calls(Call::Write), before);
    append(&log, 100);
    assert!(!log.has_room(100, true));
    assert_eq!(log.admit(100, true), Ok(()));
    assert!(fs.calls(Call::Write) > before);
    assert_eq!(
        log.admit(10_000, true),
        Ok(()),
        "more than the buffer takes, and nothing before it"
    );
}

/// A log whose thread does the I/O of async callers.
fn threaded(fs: &SimFs) -> Log {
    let options = LogOptions {
        housekeeping: Housekeeping::Thread,
        ..inline()
    };
    open_from(fs, options, 1).unwrap().0
}

#[test]
fn an_async_caller_leaves_the_next_segment_to_the_thread() {
    let fs = SimFs::default();
    let log = threaded(&fs);
    let parker = Parker::new();
    let (waker, clock) = (parker.waker(), SystemClock::new());
    let context = Context::from_waker(&waker);
    assert_eq!(log.poll_admit(5_000, true, &context), Poll::Pending, "no I/O in place");
    while log.poll_admit(5_000, true, &context).is_pending() {
        clock.park_until(&parker, None);
    }
    assert!(log.has_room(5_000, true));
}

#[test]
fn an_async_caller_hears_of_a_full_disk_and_may_ask_again() {
    let fs = SimFs::default();
    fs.fail(Call::Allocate, 2, true, Failure::Full);
    let log = threaded(&fs);
    let parker = Parker::new();
    let (waker, clock) = (parker.waker(), SystemClock::new());
    let context = Context::from_waker(&waker);
    let admit = || loop {
        match log.poll_admit(5_000, true, &context) {
            Poll::Pending => clock.park_until(&parker, None),
            Poll::Ready(result) => return result,
        }
    };
    assert!(is_full(admit()));
    assert!(log.poll_admit(5_000, true, &context).is_pending(), "it is tried again");
    assert!(is_full(admit()));
    fs.mend();
    assert_eq!(admit(), Ok(()));
}

#[test]
fn closing_wakes_who_waits_for_the_next_segment() {
    let fs = Gated::default();
    let options = LogOptions {
        housekeeping: Housekeeping::Thread,
        ..inline()
    };
    let log = Log::open(
        Arc::new(fs.clone()),
        options,
        &mut |_, _| Ok(()),
        &mut || Ok(()),
        &mut |_, _| {},
    );
    let log = log.unwrap();
    let parker = Parker::new();
    let waker = parker.waker();
    let context = Context::from_waker(&waker);
    fs.syncs.close();
    assert!(log.poll_admit(5_000, true, &context).is_pending());
    fs.syncs.open();
    log.close().unwrap();
    SystemClock::new().park_until(&parker, None);
    assert_eq!(
        log.poll_admit(5_000, true, &context),
        Poll::Ready(Err(StorageError::Closed))
    );
}
