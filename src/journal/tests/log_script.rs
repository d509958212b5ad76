//! Scripts of appends to a log, and what has to be left of them.

use {
    super::super::{
        error::JournalError,
        log::{Housekeeping, Level, Log, LogOptions},
        sim_fs::SimFs,
    },
    crate::error::StorageError,
    rand::{RngExt, SeedableRng, rngs::Xoshiro256PlusPlus},
    std::sync::Arc,
};

pub(super) const SEGMENT: u64 = 4096;

pub(super) fn options() -> LogOptions {
    LogOptions {
        segment_bytes: SEGMENT,
        buffer_bytes: 1 << 16,
        housekeeping: Housekeeping::Inline,
        store: Some(7),
        ..LogOptions::default()
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    /// Appends a frame with a body of so many bytes.
    Append(usize),
    /// Waits for all that was appended.
    Wait(Level),
    /// Removes the oldest sealed segment, once all was synced.
    RemoveOldest,
}

/// A script that rolls over, with bodies that fit, that end at the end of a segment, and that are larger than one.
pub(super) fn script(seed: u64, appends: usize) -> Vec<Step> {
    const LENGTHS: [usize; 8] = [16, 16, 40, 100, 300, 700, 1500, 5000];
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut steps = Vec::new();
    for at in 0..appends {
        steps.push(Step::Append(LENGTHS[rng.random_range(0..LENGTHS.len())]));
        match rng.random_range(0..4) {
            0 => steps.push(Step::Wait(Level::Written)),
            1 => {}
            _ => steps.push(Step::Wait(Level::Synced)),
        }
        if at % 9 == 8 {
            steps.push(Step::RemoveOldest);
        }
    }
    steps
}

/// Of the frame with this index, in this life of the log.
pub(super) fn body(life: u8, index: usize, length: usize) -> Vec<u8> {
    let mut body = vec![life; length];
    body[..8].copy_from_slice(&(index as u64).to_le_bytes());
    body[8] = life;
    body.iter_mut()
        .enumerate()
        .skip(9)
        .for_each(|(at, it)| *it = (at * 31 + index * 7) as u8);
    body
}

/// What a script did, and what the log answered.
#[derive(Debug, Default)]
pub(super) struct Story {
    pub(super) appended: Vec<Vec<u8>>,
    /// After so many changes of the disk: the frames below an index are safe at a level.
    acknowledged: Vec<(u64, usize, Level)>,
    /// After so many changes of the disk: the frames below an index may be gone.
    removed: Vec<(u64, usize)>,
}

/// What a crash takes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Crash {
    /// Of the process.
    Kill,
    PowerCut,
}

impl Story {
    pub(super) fn acknowledge(&mut self, changes: u64, level: Level) {
        self.acknowledged.push((changes, self.appended.len(), level));
    }

    /// Frames that have to be there after a crash at this moment.
    fn safe(&self, changes: u64, crash: Crash) -> usize {
        let told = self
            .acknowledged
            .iter()
            .filter(|(at, _, level)| *at <= changes && (crash == Crash::Kill || matches!(level, Level::Synced)));
        told.map(|(_, frames, _)| *frames).max().unwrap_or(0)
    }

    /// Whether what was found after a crash at this moment is what may be left.
    pub(super) fn check(&self, found: &[Vec<u8>], changes: u64, crash: Crash) -> Result<(), String> {
        let safe = self.safe(changes, crash);
        let removed = self.removed.iter().filter(|(at, _)| *at < changes);
        let removed = removed.map(|(_, frames)| *frames).max().unwrap_or(0);
        let Some(first) = found.first() else {
            let nothing_kept = safe <= removed;
            return nothing_kept
                .then_some(())
                .ok_or_else(|| format!("nothing was found, and {safe} frames were acknowledged"));
        };
        let first = u64::from_le_bytes(first[..8].try_into().map_err(|_| "a body without its index")?) as usize;
        if first > removed {
            return Err(format!(
                "frame {first} is the first, and those below {removed} were removed"
            ));
        }
        let Some(expected) = self.appended.get(first..first + found.len()) else {
            return Err(format!(
                "{} frames from {first} were found, more than were appended",
                found.len()
            ));
        };
        if let Some(at) = (0..found.len()).find(|at| expected[*at] != found[*at]) {
            return Err(format!("frame {} was found with another body", first + at));
        }
        if first + found.len() < safe {
            let found = first + found.len();
            return Err(format!("{found} frames were found, and {safe} were acknowledged"));
        }
        Ok(())
    }
}

impl Story {
    /// The same for a story that began with what was found, of which the first `removed` frames may go.
    pub(super) fn check_all(
        &self,
        found: &[Vec<u8>],
        removed: usize,
        changes: u64,
        crash: Crash,
    ) -> Result<(), String> {
        let safe = self.safe(changes, crash);
        let starts = |first: &usize| self.appended[*first..].starts_with(found);
        let Some(first) = (0..=removed.min(self.appended.len())).find(starts) else {
            return Err(format!("{} frames were found that are not those appended", found.len()));
        };
        if first + found.len() < safe {
            return Err(format!(
                "{} frames were found from {first}, and {safe} were safe",
                found.len()
            ));
        }
        Ok(())
    }

    /// How many of the frames found after a crash at this moment may go later.
    pub(super) fn removed(&self, found: &[Vec<u8>], changes: u64) -> usize {
        let removed = self.removed.iter().filter(|(at, _)| *at < changes);
        let Some(last) = removed.map(|(_, frames)| *frames).max() else {
            return 0;
        };
        let first = found
            .first()
            .and_then(|it| self.appended.iter().position(|other| other == it));
        first.map_or(0, |first| last.saturating_sub(first))
    }
}

/// A log that runs a script.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) sim: SimFs,
    pub(super) log: Log,
    pub(super) story: Story,
    pub(super) position: u64,
    /// Control: tells of an append before the log does.
    pub(super) early: bool,
}

impl Run {
    pub(super) fn start(sim: &SimFs) -> Result<Self, JournalError> {
        let (log, found) = open(sim)?;
        Ok(Self::resume(sim, log, found))
    }

    /// Goes on with a log in which this was found.
    pub(super) fn resume(sim: &SimFs, log: Log, found: Vec<Vec<u8>>) -> Self {
        let story = Story {
            appended: found,
            ..Story::default()
        };
        Self {
            sim: sim.clone(),
            log,
            story,
            position: 0,
            early: false,
        }
    }

    pub(super) fn append(&mut self, life: u8, length: usize) -> Result<(), StorageError> {
        self.log.admit(length, true)?;
        let body = body(life, self.story.appended.len(), length);
        let position = self.log.append(|out| out.extend_from_slice(&body));
        if position > 0 {
            self.position = position;
            self.story.appended.push(body);
        }
        if self.early {
            self.story.acknowledge(self.sim.changes(), Level::Written);
        }
        Ok(())
    }

    pub(super) fn wait(&mut self, level: Level) -> Result<(), StorageError> {
        self.log.wait(self.position, level)?;
        self.story.acknowledge(self.sim.changes(), level);
        Ok(())
    }

    fn remove_oldest(&mut self) -> Result<(), StorageError> {
        self.wait(Level::Synced)?;
        let mut last = None;
        let oldest = self.log.read_oldest(&mut |_, body| {
            last = Some(body.to_vec());
            Ok(())
        });
        let (Ok(Some(oldest)), Some(last)) = (oldest, last) else {
            return Ok(());
        };
        let last = self
            .story
            .appended
            .iter()
            .position(|it| *it == last)
            .expect("a frame that was appended");
        self.story.removed.push((self.sim.changes(), last + 1));
        // What fails here is tried again with the next segment that is removed.
        let _ = self.log.remove_oldest(oldest);
        Ok(())
    }

    pub(super) fn step(&mut self, step: Step) -> Result<(), StorageError> {
        match step {
            Step::Append(length) => self.append(1, length),
            Step::Wait(level) => self.wait(level),
            Step::RemoveOldest => self.remove_oldest(),
        }
    }

    /// Runs a script on a disk that does not fail.
    pub(super) fn all(&mut self, script: &[Step]) {
        for step in script {
            self.step(*step).unwrap();
        }
    }
}

/// A log, and the bodies of the frames that were in it.
pub(super) fn open(sim: &SimFs) -> Result<(Log, Vec<Vec<u8>>), JournalError> {
    let mut found = Vec::new();
    let mut numbers = Vec::new();
    let on_frame = &mut |number, body: &[u8]| {
        numbers.push(number);
        found.push(body.to_vec());
        Ok(())
    };
    let log = Log::open(
        Arc::new(sim.clone()),
        options(),
        on_frame,
        &mut || Ok(()),
        &mut |_, _| {},
    )?;
    assert!(numbers.windows(2).all(|it| it[1] == it[0] + 1), "{numbers:?}");
    Ok((log, found))
}
