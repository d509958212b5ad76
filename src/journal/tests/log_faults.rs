//! Every call of a script fails, once or for ever, with EIO and with ENOSPC.

use {
    super::{
        super::{
            log::Level,
            sim_fs::{Bounds, Call, Failure, SimFs},
        },
        log_script::{Crash, Run, SEGMENT, Step, open, script},
    },
    crate::error::StorageError,
};

const LEFT: Bounds = Bounds {
    each: 4,
    drawn: 2,
    seed: 3,
};

pub(super) const CALLS: [Call; 7] = [
    Call::Create,
    Call::Rename,
    Call::Remove,
    Call::SyncDirectory,
    Call::Allocate,
    Call::Write,
    Call::Sync,
];

pub(super) const KINDS: [(Failure, bool); 4] = [
    (Failure::Io, false),
    (Failure::Io, true),
    (Failure::Full, false),
    (Failure::Full, true),
];

/// How calls of the log were answered.
#[derive(Debug, Default)]
pub(super) struct Answers {
    pub(super) succeeded: usize,
    pub(super) refused: usize,
    pub(super) unknown: usize,
    pub(super) stopped: usize,
}

impl Answers {
    /// A log that stopped once answers nothing else since.
    pub(super) fn note(&mut self, answer: Result<(), StorageError>, what: &str) {
        match answer {
            Ok(()) => {
                assert_eq!((self.unknown, self.stopped), (0, 0), "{what}: it went on");
                self.succeeded += 1;
            }
            Err(StorageError::Full { .. }) => {
                assert_eq!((self.unknown, self.stopped), (0, 0), "{what}: it went on");
                self.refused += 1;
            }
            Err(StorageError::Unknown { .. }) => self.unknown += 1,
            Err(StorageError::Stopped { .. }) => self.stopped += 1,
            Err(error) => panic!("{what}: {error}"),
        }
    }
}

/// Whatever a crash leaves now has what was acknowledged.
fn check(run: &Run, what: &str) -> usize {
    let moment = run.sim.moment();
    let mut images = 1;
    let look = |sim: &SimFs, crash| {
        let (_, found) = open(sim).unwrap_or_else(|error| panic!("{what}, {crash:?}: {error}"));
        let checked = run.story.check(&found, u64::MAX, crash);
        checked.unwrap_or_else(|error| panic!("{what}, {crash:?}: {error}"));
    };
    look(&moment.killed(), Crash::Kill);
    moment.power_cut(LEFT, |image| {
        images += 1;
        look(&SimFs::from_image(&image), Crash::PowerCut);
    });
    images
}

#[test]
fn nothing_acknowledged_is_lost_by_a_call_that_fails() {
    let script = script(5, 25);
    let (mut images, mut refused, mut unknown) = (0, 0, 0);
    for call in CALLS {
        let clean = SimFs::default();
        Run::start(&clean).unwrap().all(&script);
        for at in 1..=clean.calls(call) {
            for (failure, for_ever) in KINDS {
                let what = format!("{call:?} {at}, {failure:?}, for ever: {for_ever}");
                let sim = SimFs::default();
                sim.fail(call, at, for_ever, failure);
                let Ok(mut run) = Run::start(&sim) else {
                    sim.mend();
                    let (_, found) = open(&sim).unwrap_or_else(|error| panic!("{what}: {error}"));
                    assert!(found.is_empty(), "{what}");
                    continue;
                };
                let mut answers = Answers::default();
                for step in &script {
                    let answer = run.step(*step);
                    // A wait for what is safe already succeeds.
                    if answer.is_err() || matches!(step, Step::Append(_)) {
                        answers.note(answer, &what);
                    }
                }
                images += check(&run, &what);
                refused += answers.refused;
                unknown += usize::from(answers.unknown > 0);
            }
        }
    }
    println!("{images} images, {refused} refused, {unknown} unknown");
    assert!(
        images > 1000 && refused > 0 && unknown > 0,
        "{images} {refused} {unknown}"
    );
}

#[test]
fn a_log_whose_write_or_sync_failed_is_stopped_until_it_is_opened_again() {
    for call in [Call::Write, Call::Sync] {
        let sim = SimFs::default();
        let mut run = Run::start(&sim).unwrap();
        run.all(&[Step::Append(100), Step::Wait(Level::Synced)]);
        sim.fail(call, 1, false, Failure::Io);
        run.append(1, 100).unwrap();
        let error = run.wait(Level::Synced).unwrap_err();
        assert!(matches!(error, StorageError::Unknown { .. }), "{call:?}: {error}");
        for _ in 0..3 {
            let calls = sim.changes();
            let error = run.append(1, 100).and_then(|()| run.wait(Level::Synced)).unwrap_err();
            assert!(matches!(error, StorageError::Stopped { .. }), "{call:?}: {error}");
            assert_eq!(sim.changes(), calls, "{call:?} was tried again");
        }
        drop(run);
        let mut run = Run::start(&sim).unwrap();
        assert!(!run.story.appended.is_empty());
        run.all(&[Step::Append(100), Step::Wait(Level::Synced)]);
    }
}

#[test]
fn a_full_disk_refuses_sends_and_serves_on_once_there_is_room() {
    let sim = SimFs::default();
    sim.set_capacity(Some(3 * SEGMENT));
    let mut run = Run::start(&sim).unwrap();
    let error = loop {
        if let Err(error) = run.append(1, 300) {
            break error;
        }
        run.wait(Level::Synced).unwrap();
    };
    assert!(matches!(error, StorageError::Full { .. }), "{error}");
    // What settles messages is small, and has room left.
    for _ in 0..10 {
        run.log.admit(20, false).unwrap();
        let position = run.log.append(|out| out.extend_from_slice(&[0; 20]));
        run.log.wait(position, Level::Synced).unwrap();
    }
    sim.set_capacity(Some(4 * SEGMENT));
    for _ in 0..5 {
        run.append(1, 300).unwrap();
        run.wait(Level::Synced).unwrap();
    }
}

#[test]
fn nothing_acknowledged_is_lost_by_an_opening_that_fails() {
    let sim = SimFs::default();
    sim.record();
    let mut run = Run::start(&sim).unwrap();
    run.all(&script(2, 20));
    let story = run.story;
    drop(run.log);
    let moments = sim.moments();
    let mut failed = 0;
    for moment in moments.iter().step_by(5) {
        let clean = moment.killed();
        open(&clean).unwrap();
        for call in CALLS.into_iter().chain([Call::Open, Call::Read]) {
            for at in 1..=clean.calls(call) {
                for (failure, for_ever) in KINDS {
                    let what = format!("{call:?} {at} of opening after change {}, {failure:?}", moment.changes);
                    let sim = moment.killed();
                    sim.fail(call, at, for_ever, failure);
                    failed += usize::from(open(&sim).is_err());
                    let next = sim.moment().killed();
                    let (_, found) = open(&next).unwrap_or_else(|error| panic!("{what}: {error}"));
                    let checked = story.check(&found, moment.changes, Crash::Kill);
                    checked.unwrap_or_else(|error| panic!("{what}: {error}"));
                }
            }
        }
    }
    assert!(failed > 100, "{failed}");
}
