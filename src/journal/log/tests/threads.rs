//! Callers and the thread of the log side by side.

use {
    super::{gate::Gated, *},
    crate::{error::StorageError, journal::sim_fs::Failure},
    std::{future::poll_fn, thread},
};

fn open_gated(gated: &Gated, options: LogOptions) -> Log {
    Log::open(
        Arc::new(gated.clone()),
        options,
        &mut |_, _| Ok(()),
        &mut || Ok(()),
        &mut |_, _| {},
    )
    .unwrap()
}

fn with_thread() -> LogOptions {
    LogOptions {
        segment_bytes: 1 << 16,
        housekeeping: Housekeeping::Thread,
        ..inline()
    }
}

#[test]
fn callers_that_come_during_a_sync_share_the_next_one() {
    let gated = Gated::default();
    let log = &open_gated(&gated, inline());
    let before = gated.syncs.arrived();
    gated.syncs.close();
    thread::scope(|scope| {
        scope.spawn(|| fill(log, 1, 100, Level::Synced));
        gated.syncs.wait_for_calls(before + 1);
        let threads: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| log.wait(append(log, 1), Level::Synced).unwrap()))
            .collect();
        while log.appended() < 9 {
            thread::yield_now();
        }
        gated.syncs.open();
        threads.into_iter().for_each(|it| it.join().unwrap());
    });
    assert_eq!(gated.syncs.arrived(), before + 2);
}

#[test]
fn writes_go_on_while_a_sync_is_under_way() {
    let gated = Gated::default();
    let log = &open_gated(&gated, inline());
    let before = gated.syncs.arrived();
    gated.syncs.close();
    thread::scope(|scope| {
        scope.spawn(|| fill(log, 1, 100, Level::Synced));
        gated.syncs.wait_for_calls(before + 1);
        fill(log, 3, 100, Level::Written);
        gated.syncs.open();
    });
    assert_eq!(log.appended(), 4);
}

#[test]
fn a_sync_that_fails_fails_for_all_who_share_it() {
    let gated = Gated::default();
    let log = &open_gated(&gated, inline());
    let before = gated.syncs.arrived();
    gated.syncs.close();
    gated
        .sim
        .fail(crate::journal::sim_fs::Call::Sync, 1, false, Failure::Io);
    thread::scope(|scope| {
        let wait = || log.wait(append(log, 1), Level::Synced);
        let mut threads = vec![scope.spawn(wait)];
        gated.syncs.wait_for_calls(before + 1);
        threads.extend((0..4).map(|_| scope.spawn(wait)));
        while log.appended() < 5 {
            thread::yield_now();
        }
        gated.syncs.open();
        for thread in threads {
            let result = thread.join().unwrap();
            assert!(matches!(result, Err(StorageError::Unknown { .. })), "{result:?}");
        }
    });
}

#[test]
fn the_thread_writes_and_syncs_for_async_callers() {
    let gated = Gated::default();
    let log = &open_gated(&gated, with_thread());
    for level in [Level::Written, Level::Synced] {
        let position = append(log, 100);
        pollster::block_on(poll_fn(|context| log.poll_wait(position, level, context))).unwrap();
    }
    // Several wait for one entry.
    gated.syncs.close();
    let position = append(log, 100);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                pollster::block_on(poll_fn(|context| log.poll_wait(position, Level::Synced, context))).unwrap();
            });
        }
        gated.syncs.open();
    });
}

#[test]
fn an_async_caller_is_held_up_without_blocking_and_woken() {
    let gated = Gated::default();
    let options = LogOptions {
        buffer_bytes: 100,
        ..with_thread()
    };
    let log = &open_gated(&gated, options);
    gated.writes.close();
    append(log, 100);
    let mut polls = 0;
    pollster::block_on(poll_fn(|context| {
        let polled = log.poll_admit(100, true, context);
        polls += 1;
        if polls == 1 {
            assert!(polled.is_pending());
            gated.writes.open();
        }
        polled
    }))
    .unwrap();
    assert!(log.has_room(100, true));
}

#[test]
fn async_callers_hear_of_a_failure() {
    let gated = Gated::default();
    let log = open_gated(&gated, with_thread());
    gated
        .sim
        .fail(crate::journal::sim_fs::Call::Sync, 1, false, Failure::Io);
    let position = append(&log, 100);
    let result = pollster::block_on(poll_fn(|context| log.poll_wait(position, Level::Synced, context)));
    assert!(matches!(result, Err(StorageError::Unknown { .. })));
}

#[test]
fn the_thread_makes_segments_ahead_and_syncs_full_ones() {
    let gated = Gated::default();
    let options = LogOptions {
        segment_bytes: SEGMENT,
        ..with_thread()
    };
    let log = open_gated(&gated, options);
    fill(&log, 8, 100, Level::Written);
    while log.bytes() < 2 * SEGMENT {
        thread::yield_now();
    }
    fill(&log, 8, 100, Level::Written);
    while log.shared.state.lock().synced < 13 {
        thread::yield_now();
    }
}

#[test]
fn a_compaction_that_drops_the_log_ends_its_thread() {
    let gated = Gated::default();
    let log = Arc::new(crate::sync::Mutex::new(Some(open_gated(&gated, with_thread()))));
    let weak = Arc::downgrade(&log);
    let own = weak;
    let compaction = move || {
        // The handle that the compaction takes becomes the last one.
        if let Some(log) = own.upgrade() {
            drop(log.lock().take());
        }
        false
    };
    let shared = {
        let guard = log.lock();
        let open = guard.as_ref().unwrap();
        open.set_compaction(Box::new(compaction));
        open.shared.clone()
    };
    while !shared.state.lock().closed || shared.state.lock().thread.is_some() {
        thread::yield_now();
    }
}

#[test]
fn a_drop_and_a_close_end_the_thread() {
    for closes in [true, false] {
        let gated = Gated::default();
        let log = open_gated(&gated, with_thread());
        let shared = Arc::downgrade(&log.shared);
        append(&log, 10);
        if closes {
            log.close().unwrap();
            assert_eq!(shared.strong_count(), 1);
        }
        drop(log);
        assert_eq!(shared.strong_count(), 0);
        assert_eq!(open(&gated.sim).1, bodies(1, 10));
    }
}
