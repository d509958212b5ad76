//! What single calls do and answer.

use {
    super::*,
    crate::{
        clock::ManualClock,
        error::StorageError,
        journal::{
            fs::FileSystem,
            sim_fs::{Bounds, Call, Failure},
        },
    },
    std::{
        cell::Cell,
        panic::{AssertUnwindSafe, catch_unwind},
        task::{Context, Poll, Waker},
        time::Duration,
    },
};

const BOUNDS: Bounds = Bounds {
    each: 64,
    drawn: 16,
    seed: 1,
};

/// Opens each directory that a power cut may leave now.
fn after_power_cut(fs: &SimFs, mut check: impl FnMut(Vec<Vec<u8>>)) {
    fs.moment().power_cut(BOUNDS, |image| {
        let (_log, frames) = open(&SimFs::from_image(&image));
        check(frames);
    });
}

#[test]
fn a_synced_frame_survives_a_power_cut_and_a_written_one_the_death_of_the_process() {
    let fs = SimFs::default();
    let (log, _) = open(&fs);
    fill(&log, 3, 100, Level::Synced);
    fill(&log, 2, 100, Level::Written);
    let (_log, frames) = open(&fs.moment().killed());
    assert_eq!(frames, bodies(5, 100));
    let mut fewest = 5;
    after_power_cut(&fs, |frames| {
        assert_eq!(frames, bodies(frames.len() as u64, 100));
        fewest = fewest.min(frames.len());
    });
    assert_eq!(fewest, 3);
}

#[test]
fn a_frame_that_was_only_appended_is_written_when_the_log_is_dropped() {
    let fs = SimFs::default();
    let (log, _) = open(&fs);
    append(&log, 10);
    assert_eq!(fs.calls(Call::Write), 1, "the header alone");
    drop(log);
    after_power_cut(&fs, |frames| assert_eq!(frames, bodies(1, 10)));
}

#[test]
fn an_append_of_nothing_is_no_frame() {
    let (log, _) = open(&SimFs::default());
    assert_eq!(log.append(|_| {}), 0);
    assert_eq!(log.wait(0, Level::Synced), Ok(()));
    assert_eq!(append(&log, 1), 1);
}

#[test]
fn a_frame_whose_writer_panics_is_taken_back() {
    let fs = SimFs::default();
    let (log, _) = open(&fs);
    append(&log, 10);
    let fill = |out: &mut Vec<u8>| {
        out.push(1);
        std::panic::resume_unwind(Box::new("a writer's own panic"));
    };
    assert!(catch_unwind(AssertUnwindSafe(|| log.append(fill))).is_err());
    append(&log, 10);
    log.close().unwrap();
    assert_eq!(open(&fs).1, bodies(2, 10));
}

#[test]
fn a_closed_log_takes_nothing_and_says_so() {
    let fs = SimFs::default();
    let (log, _) = open(&fs);
    let position = append(&log, 10);
    assert_eq!(log.close(), Ok(()));
    assert_eq!(append(&log, 10), 0);
    assert_eq!(log.wait(position, Level::Synced), Ok(()));
    assert_eq!(log.wait(0, Level::Written), Err(StorageError::Closed));
    assert_eq!(log.admit(10, true), Err(StorageError::Closed));
    assert_eq!(log.close(), Ok(()));
    drop(log);
    assert_eq!(open(&fs).1, bodies(1, 10));
}

#[test]
fn frames_go_on_in_the_next_segment_and_a_large_one_gets_a_segment_of_its_own_size() {
    let fs = SimFs::default();
    let (log, _) = open(&fs);
    let lengths = [100, 1_700, 300, 5_000, 10, 1_500, 1_900];
    for length in lengths {
        let position = append(&log, length);
        log.wait(position, Level::Synced).unwrap();
    }
    assert_eq!(log.segments(), 5);
    let files: u64 = fs.seen().files.values().map(|it| it.len() as u64).sum();
    assert_eq!(log.bytes(), files);
    log.close().unwrap();
    let (log, frames) = open(&fs);
    let expected = (1..).zip(lengths).map(|(number, length)| body(number, length));
    assert_eq!(frames, expected.collect::<Vec<_>>());
    assert_eq!((log.segments(), log.bytes()), (5, files));
}

#[test]
fn the_next_segment_is_made_before_the_current_one_is_full() {
    let fs = SimFs::default();
    let (log, _) = open(&fs);
    let before = fs.calls(Call::Create);
    fill(&log, 6, 100, Level::Written);
    assert_eq!(fs.calls(Call::Create), before);
    fill(&log, 2, 100, Level::Written);
    assert_eq!((fs.calls(Call::Create), log.segments()), (before + 1, 1));
}

#[test]
fn full_segments_are_synced_though_nobody_asks_for_it() {
    let fs = SimFs::default();
    let (log, _) = open(&fs);
    fill(&log, 30, 100, Level::Written);
    let written: Vec<_> = bodies(30, 100);
    after_power_cut(&fs, |frames| {
        assert!(frames.len() >= 14, "of two full segments, {} frames", frames.len());
        assert_eq!(frames, written[..frames.len()]);
    });
}

/// Without a thread the work is done at the end of a wait.
fn nudge(log: &Log) {
    log.nudge();
    log.wait(log.appended(), Level::Written).unwrap();
}

#[test]
fn frames_are_synced_before_their_interval_is_over() {
    let (fs, clock) = (SimFs::default(), ManualClock::default());
    let options = LogOptions {
        clock: Arc::new(clock.clone()),
        ..inline()
    };
    let (log, _) = open_from(&fs, options, 1).unwrap();
    let before = fs.calls(Call::Sync);
    fill(&log, 1, 10, Level::Interval(Duration::from_secs(5)));
    clock.advance(Duration::from_secs(1));
    fill(&log, 1, 10, Level::Interval(Duration::from_secs(2)));
    fill(&log, 1, 10, Level::Interval(Duration::from_secs(9)));
    assert_eq!(fs.calls(Call::Sync), before);
    clock.advance(Duration::from_millis(1_999));
    nudge(&log);
    assert_eq!(fs.calls(Call::Sync), before);
    clock.advance(Duration::from_millis(1));
    nudge(&log);
    assert_eq!(fs.calls(Call::Sync), before + 1);
    clock.advance(Duration::from_secs(60));
    nudge(&log);
    assert_eq!(fs.calls(Call::Sync), before + 1, "nothing is left to sync");
}

#[test]
fn without_a_thread_an_async_caller_is_served_at_once() {
    let (log, _) = open(&SimFs::default());
    let context = Context::from_waker(Waker::noop());
    assert_eq!(log.poll_admit(10, true, &context), Poll::Ready(Ok(())));
    let position = append(&log, 10);
    assert_eq!(log.poll_wait(position, Level::Synced, &context), Poll::Ready(Ok(())));
}

#[test]
fn a_failed_write_ends_the_log_and_leaves_the_outcome_of_its_frames_unknown() {
    for call in [Call::Write, Call::Sync] {
        let fs = SimFs::default();
        let (log, _) = open(&fs);
        fill(&log, 2, 100, Level::Synced);
        fs.fail(call, 1, false, Failure::Io);
        let position = append(&log, 100);
        assert!(matches!(
            log.wait(position, Level::Synced),
            Err(StorageError::Unknown { .. })
        ));
        assert!(matches!(
            log.wait(position, Level::Synced),
            Err(StorageError::Unknown { .. })
        ));
        assert_eq!(log.wait(2, Level::Synced), Ok(()));
        let changes = fs.changes();
        assert_eq!(append(&log, 100), 0);
        assert!(matches!(log.wait(0, Level::Written), Err(StorageError::Stopped { .. })));
        assert!(matches!(log.admit(1, false), Err(StorageError::Stopped { .. })));
        assert!(matches!(log.close(), Err(StorageError::Stopped { .. })));
        drop(log);
        assert_eq!(fs.changes(), changes, "nothing is written after a failure");
        let (_log, frames) = open(&fs);
        assert!(frames == bodies(2, 100) || frames == bodies(3, 100));
    }
}

#[test]
fn what_is_read_is_safe_also_if_an_earlier_sync_of_it_failed() {
    let fs = SimFs::default();
    let (log, _) = open(&fs);
    fill(&log, 2, 100, Level::Synced);
    fill(&log, 30, 100, Level::Written);
    fs.fail(Call::Sync, 1, false, Failure::Io);
    let position = append(&log, 100);
    assert!(log.wait(position, Level::Synced).is_err());
    let fs = fs.moment().killed();
    let (_log, seen) = open(&fs);
    after_power_cut(&fs, |frames| assert_eq!(frames, seen));
}

#[test]
fn a_fork_writes_nothing() {
    thread_local! {
        static PROCESS: Cell<u32> = const { Cell::new(1) };
    }
    let fs = SimFs::default();
    let options = LogOptions {
        process_id: || PROCESS.get(),
        ..inline()
    };
    let (log, _) = open_from(&fs, options, 1).unwrap();
    let position = append(&log, 10);
    let changes = fs.changes();
    PROCESS.set(2);
    let forked = Err(StorageError::Forked { opened_by: 1 });
    assert_eq!(log.wait(position, Level::Written), forked);
    assert_eq!(log.wait(position, Level::Synced), forked);
    assert_eq!(log.close(), forked);
    assert_eq!(fs.changes(), changes);
    PROCESS.set(1);
    assert_eq!(log.wait(position, Level::Synced), Ok(()));
}

#[test]
fn compaction_reads_the_oldest_full_segment_and_removes_it() {
    let fs = SimFs::default();
    let (log, _) = open(&fs);
    fill(&log, 40, 100, Level::Written);
    let mut read = Vec::new();
    let mut on_frame = |number, body: &[u8]| {
        read.push((number, body.to_vec()));
        Ok(())
    };
    assert_eq!(log.read_oldest(&mut on_frame).unwrap(), Some(1));
    let count = read.len();
    assert!(read.into_iter().eq((1..).zip(bodies(count as u64, 100))));
    let before = log.bytes();
    log.remove_oldest(2).unwrap();
    assert_eq!(log.bytes(), before, "it is not the oldest");
    log.remove_oldest(1).unwrap();
    assert_eq!(log.bytes(), before - SEGMENT);
    drop(log);
    let (log, frames) = open_from(&fs, inline(), count as u64 + 1).unwrap();
    assert_eq!(frames.len(), 40 - count);
    fill(&log, 1, 100, Level::Synced);
    assert_eq!(log.appended(), 41);
}

#[test]
fn a_segment_that_was_to_be_removed_is_removed_by_the_next_opening() {
    let fs = SimFs::default();
    let (log, _) = open(&fs);
    fill(&log, 40, 100, Level::Written);
    fs.fail(Call::Remove, 1, true, Failure::Io);
    assert!(matches!(log.remove_oldest(1), Err(JournalError::Io { .. })));
    fill(&log, 1, 100, Level::Synced);
    fs.mend();
    drop(log);
    let (log, frames) = open(&fs);
    assert_eq!(frames, bodies(41, 100));
    let names = fs.list().unwrap();
    assert!(!names.contains(&"segment-0000000001.log".to_owned()), "{names:?}");
    log.remove_oldest(2).unwrap();
}

#[test]
fn many_full_segments_are_removed_in_a_row() {
    let fs = SimFs::default();
    let (log, _) = open(&fs);
    fill(&log, 200, 100, Level::Written);
    while let Some(segment) = log.read_oldest(&mut |_, _| Ok(())).unwrap() {
        log.remove_oldest(segment).unwrap();
    }
    assert_eq!(log.segments(), 1);
    fill(&log, 1, 100, Level::Synced);
    let last = log.appended();
    drop(log);
    let mut read = 0;
    let mut on_frame = |number, _: &[u8]| {
        read = number;
        Ok(())
    };
    let log = Log::open(Arc::new(fs), inline(), &mut on_frame, &mut || Ok(()), &mut |_, _| {}).unwrap();
    assert_eq!((log.appended(), read), (last, last));
}

#[test]
fn the_compaction_runs_when_a_segment_is_full_and_when_it_is_nudged_until_nothing_is_left() {
    let (log, _) = open(&SimFs::default());
    let runs = Arc::new(std::sync::atomic::AtomicU64::new(0));
    let counted = runs.clone();
    log.set_compaction(Box::new(move || {
        counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed) % 3 < 2
    }));
    let runs = || runs.load(std::sync::atomic::Ordering::Relaxed);
    assert_eq!(runs(), 3);
    fill(&log, 14, 100, Level::Written);
    assert_eq!((runs(), log.segments()), (3, 1));
    fill(&log, 2, 100, Level::Written);
    assert_eq!((runs(), log.segments()), (6, 2));
    nudge(&log);
    assert_eq!(runs(), 9);
}

#[test]
fn progress_ends_with_all_bytes_read() {
    let fs = SimFs::default();
    fill(&open(&fs).0, 40, 100, Level::Written);
    let mut progress = Vec::new();
    let mut on_progress = |read, total| progress.push((read, total));
    let log = Log::open(
        Arc::new(fs),
        inline(),
        &mut |_, _| Ok(()),
        &mut || Ok(()),
        &mut on_progress,
    )
    .unwrap();
    let total = log.bytes();
    assert_eq!(progress.first(), Some(&(0, total)));
    assert_eq!(progress.last(), Some(&(total, total)));
    assert!(progress.is_sorted());
}

#[test]
fn a_record_that_is_refused_leaves_the_directory_as_it_was() {
    let fs = SimFs::default();
    fill(&open(&fs).0, 5, 100, Level::Written);
    fs.open("segment-0000000001.log")
        .unwrap()
        .write_at(&[1, 2, 3], 1_900)
        .unwrap();
    let before = fs.seen();
    let refusal = || {
        Err(JournalError::NotADirectory {
            path: "any error".into(),
        })
    };
    let mut on_frame = |_, _: &[u8]| refusal();
    let refused = Log::open(
        Arc::new(fs.clone()),
        inline(),
        &mut on_frame,
        &mut || Ok(()),
        &mut |_, _| {},
    );
    assert!(matches!(refused, Err(JournalError::NotADirectory { .. })));
    let refused = Log::open(
        Arc::new(fs.clone()),
        inline(),
        &mut |_, _| Ok(()),
        &mut || refusal(),
        &mut |_, _| {},
    );
    assert!(matches!(refused, Err(JournalError::NotADirectory { .. })));
    assert!(fs.seen() == before);
}

#[test]
fn a_large_segment_is_read_in_blocks_and_zeros_at_the_end_of_a_frame_are_of_it() {
    let fs = gate::Gated::default();
    let options = LogOptions {
        segment_bytes: 4 << 20,
        ..inline()
    };
    let open = |frames: &mut Vec<Vec<u8>>| {
        let mut on_frame = |_, body: &[u8]| {
            frames.push(body.to_vec());
            Ok(())
        };
        let files = Arc::new(fs.clone());
        Log::open(files, options.clone(), &mut on_frame, &mut || Ok(()), &mut |_, _| {}).unwrap()
    };
    let bodies = [vec![1; 100], [vec![2; 10], vec![0; 1 << 20]].concat()];
    let log = open(&mut Vec::new());
    for body in &bodies {
        let position = log.append(|out| out.extend(body));
        log.wait(position, Level::Written).unwrap();
    }
    // As after the death of the process: nothing follows the frame.
    let mut frames = Vec::new();
    std::mem::forget(log);
    let log = open(&mut frames);
    assert_eq!(frames, bodies);
    assert!(*fs.longest_read.lock() <= 1 << 18, "{}", fs.longest_read.lock());
    drop(log);
}
