//! On real files.

use {
    crate::journal::{
        error::JournalError,
        fs::{FileSystem, RealFileSystem},
        log::{Level, Log, LogOptions},
    },
    std::{
        path::{Path, PathBuf},
        sync::{
            Arc,
            atomic::{AtomicU64, Ordering},
        },
        thread,
    },
};

/// A directory of a test, removed at its end.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("requeue-log-{}-{next}", std::process::id()));
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

fn open(directory: &Path, segment_bytes: u64) -> (Log, Vec<Vec<u8>>) {
    let fs = Arc::new(RealFileSystem::open(directory).unwrap());
    let options = LogOptions {
        segment_bytes,
        ..LogOptions::default()
    };
    let mut frames = Vec::new();
    let mut on_frame = |number: u64, body: &[u8]| {
        frames.push(body.to_vec());
        assert_eq!(number, frames.len() as u64);
        Ok(())
    };
    let log = Log::open(fs, options, &mut on_frame, &mut || Ok(()), &mut |_, _| {}).unwrap();
    (log, frames)
}

#[test]
fn frames_are_read_again_in_order_after_a_close() {
    let directory = Directory::new();
    let (log, frames) = open(&directory.0, 4096);
    assert!(frames.is_empty());
    for number in 1..=1_000_u64 {
        let position = log.append(|out| out.extend_from_slice(&number.to_le_bytes()));
        assert_eq!(position, number);
        log.wait(
            position,
            if number % 10 == 0 {
                Level::Synced
            } else {
                Level::Written
            },
        )
        .unwrap();
    }
    log.close().unwrap();
    let (_log, frames) = open(&directory.0, 4096);
    let numbers: Vec<_> = (1..=1_000_u64).map(|it| it.to_le_bytes().to_vec()).collect();
    assert_eq!(frames, numbers);
}

#[test]
fn threads_write_and_sync_for_each_other() {
    let directory = Directory::new();
    let (log, _) = open(&directory.0, 1 << 16);
    thread::scope(|scope| {
        for thread in 0..8_u8 {
            let log = &log;
            scope.spawn(move || {
                for number in 0..200_u8 {
                    let position = log.append(|out| out.extend_from_slice(&[thread, number, 0, 0]));
                    let level = if number % 3 == 0 { Level::Synced } else { Level::Written };
                    log.wait(position, level).unwrap();
                }
            });
        }
    });
    drop(log);
    let (_log, frames) = open(&directory.0, 1 << 16);
    assert_eq!(frames.len(), 1_600);
    for thread in 0..8_u8 {
        let own = frames.iter().filter(|it| it[0] == thread).map(|it| it[1]);
        assert!(own.eq(0..200), "thread {thread}");
    }
}

fn try_open(directory: &Path) -> Result<Log, JournalError> {
    let fs = Arc::new(RealFileSystem::open(directory)?);
    Log::open(
        fs,
        LogOptions::default(),
        &mut |_, _| Ok(()),
        &mut || Ok(()),
        &mut |_, _| {},
    )
}

#[test]
fn a_second_opening_is_refused_with_the_id_of_the_process_until_the_log_is_closed() {
    let directory = Directory::new();
    let log = try_open(&directory.0).unwrap();
    let own = std::process::id();
    let error = try_open(&directory.0).unwrap_err();
    assert!(
        matches!(&error, JournalError::Locked { pid: Some(pid), .. } if *pid == own),
        "{error}"
    );
    let expected = format!("{} is open in this process, {own}", directory.0.display());
    assert_eq!(error.to_string(), expected);
    let fs = RealFileSystem::existing(&directory.0).unwrap();
    assert!(matches!(fs.lock_to_read(), Err(JournalError::Locked { .. })));
    log.close().unwrap();
    fs.lock_to_read().unwrap();
    assert!(matches!(try_open(&directory.0), Err(JournalError::Locked { .. })));
    drop(fs);
    drop(try_open(&directory.0).unwrap());
}

#[test]
fn a_refused_opening_leaves_the_file_of_the_lock_as_it_was() {
    let directory = Directory::new();
    drop(try_open(&directory.0).unwrap());
    let (lock, segment) = (directory.0.join("LOCK"), directory.0.join("segment-0000000001.log"));
    std::fs::write(&lock, "4711").unwrap();
    std::fs::write(&segment, "no header").unwrap();
    let error = try_open(&directory.0).unwrap_err();
    assert!(matches!(error, JournalError::Damaged { offset: 0, .. }), "{error}");
    assert_eq!(std::fs::read(&lock).unwrap(), b"4711");
    assert_eq!(std::fs::read(&segment).unwrap(), b"no header");
}

#[test]
fn what_is_no_directory_or_no_journal_is_refused_and_gets_no_lock() {
    let directory = Directory::new();
    std::fs::create_dir(&directory.0).unwrap();
    let file = directory.0.join("report.txt");
    std::fs::write(&file, "text").unwrap();
    for path in [file.clone(), file.join("below")] {
        let error = try_open(&path).unwrap_err();
        assert!(
            matches!(error, JournalError::NotADirectory { .. } | JournalError::Io { .. }),
            "{error}"
        );
        assert!(error.to_string().contains("report.txt"), "{error}");
    }
    let error = try_open(&directory.0).unwrap_err();
    assert!(
        matches!(&error, JournalError::NotAJournal { file: named } if *named == file),
        "{error}"
    );
    let names: Vec<_> = std::fs::read_dir(&directory.0).unwrap().collect();
    assert_eq!(names.len(), 1);
}

#[test]
fn a_directory_is_made_with_those_above_it_whatever_its_name() {
    let directory = Directory::new();
    let mut below = directory.0.join("var lib").join("queues of today");
    #[cfg(target_os = "linux")]
    below.push(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(
        b"not \xff UTF-8",
    ));
    #[cfg(not(target_os = "linux"))]
    below.push("jobs");
    let log = try_open(&below).unwrap();
    log.wait(log.append(|out| out.push(1)), Level::Synced).unwrap();
    drop(log);
    assert!(below.join("segment-0000000001.log").is_file());
    assert_eq!(open(&below, 4096).1, [vec![1]]);
}
