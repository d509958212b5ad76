//! Tests of the log on real files, and on a file system in memory.

mod calls;
mod damage;
mod gate;
mod real;
mod space;
mod threads;

use {
    super::{Housekeeping, Level, Log, LogOptions},
    crate::journal::{error::JournalError, sim_fs::SimFs},
    std::sync::Arc,
};

/// The length of a segment in most tests.
const SEGMENT: u64 = 2_048;

/// Options of a log that does the same on every run.
fn inline() -> LogOptions {
    LogOptions {
        segment_bytes: SEGMENT,
        housekeeping: Housekeeping::Inline,
        store: Some(7),
        ..LogOptions::default()
    }
}

/// Opens a log and reads its frames, which are numbered from `first` on.
fn open_from(fs: &SimFs, options: LogOptions, first: u64) -> Result<(Log, Vec<Vec<u8>>), JournalError> {
    let mut frames = Vec::new();
    let mut on_frame = |number: u64, body: &[u8]| {
        assert_eq!(number, first + frames.len() as u64);
        frames.push(body.to_vec());
        Ok(())
    };
    let log = Log::open(
        Arc::new(fs.clone()),
        options,
        &mut on_frame,
        &mut || Ok(()),
        &mut |_, _| {},
    )?;
    Ok((log, frames))
}

fn open(fs: &SimFs) -> (Log, Vec<Vec<u8>>) {
    open_from(fs, inline(), 1).unwrap()
}

/// A body of this length that differs from frame to frame.
fn body(number: u64, length: usize) -> Vec<u8> {
    (0..length as u64).map(|it| (number * 31 + it * 7 + 1) as u8).collect()
}

fn append(log: &Log, length: usize) -> u64 {
    let number = log.appended() + 1;
    log.append(|out| out.extend(body(number, length)))
}

/// Appends frames of this length and waits for each.
fn fill(log: &Log, count: usize, length: usize, level: Level) {
    for _ in 0..count {
        let position = append(log, length);
        log.wait(position, level).unwrap();
    }
}

fn bodies(count: u64, length: usize) -> Vec<Vec<u8>> {
    (1..=count).map(|number| body(number, length)).collect()
}
