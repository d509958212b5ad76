//! A crash after every call of a script, and a second one after every call of that recovery.

use {
    super::{
        super::{
            log::Level,
            sim_fs::{Bounds, Call, Image, Moment, SimFs},
        },
        log_script::{Crash, Run, Step, Story, open, script},
    },
    std::fmt,
};

const FIRST: Bounds = Bounds {
    each: 12,
    drawn: 6,
    seed: 7,
};

const SECOND: Bounds = Bounds {
    each: 2,
    drawn: 1,
    seed: 11,
};

/// What was looked at, and what was wrong with it.
#[derive(Debug, Default)]
struct Findings {
    images: usize,
    second: usize,
    /// Longest list of frames cut off.
    cut: usize,
    wrong: Vec<String>,
}

impl Findings {
    fn first(&self) -> &[String] {
        &self.wrong[..self.wrong.len().min(5)]
    }

    fn note(&mut self, what: impl fmt::Display, result: Result<(), String>) {
        if let Err(error) = result {
            self.wrong.push(format!("{what}: {error}"));
        }
    }
}

/// Opens what a crash left, checks it, writes on, and crashes again at each moment since.
fn recover(story: &Story, sim: &SimFs, moment: u64, crash: Crash, twice: bool, findings: &mut Findings) {
    let what = format!("{crash:?} after change {moment}");
    findings.images += 1;
    if twice {
        sim.record();
    }
    let (log, found) = match open(sim) {
        Ok(opened) => opened,
        Err(error) => return findings.note(&what, Err(error.to_string())),
    };
    findings.note(&what, story.check(&found, moment, crash));
    findings.cut = findings
        .cut
        .max(story.appended.len() - found.len().min(story.appended.len()));
    let removed = story.removed(&found, moment);
    let opened = sim.changes();
    let mut run = Run::resume(sim, log, found);
    // What was found was acted upon: it must not be lost later.
    run.story.acknowledge(opened, Level::Synced);
    let written = run.append(2, 200).and_then(|()| run.wait(Level::Synced));
    findings.note(&what, written.map_err(|it| it.to_string()));
    let Run { log, story: next, .. } = run;
    drop(log);
    for again in sim.moments() {
        let check = |found: &[Vec<u8>], second| {
            if again.changes >= opened {
                return next.check_all(found, removed, again.changes, second);
            }
            // What one crash took, the other does not bring back.
            let both = if crash == second { crash } else { Crash::PowerCut };
            story.check(found, moment, both)
        };
        crash_again(&what, &again, check, findings);
    }
}

fn crash_again(
    what: &str,
    again: &Moment,
    check: impl Fn(&[Vec<u8>], Crash) -> Result<(), String>,
    findings: &mut Findings,
) {
    let mut look = |sim: &SimFs, crash: Crash| {
        findings.second += 1;
        let result = match open(sim) {
            Err(error) => Err(error.to_string()),
            Ok((_, found)) => check(&found, crash),
        };
        findings.note(
            format!("{what}, {crash:?} after change {} of the recovery", again.changes),
            result,
        );
    };
    look(&again.killed(), Crash::Kill);
    again.power_cut(SECOND, |image| look(&SimFs::from_image(&image), Crash::PowerCut));
}

/// All crashes of a run, each with a second one where `twice` says so of the index of its image.
fn crashes(run: Run, twice: impl Fn(usize) -> bool) -> Findings {
    let Run { sim, log, story, .. } = run;
    drop(log);
    let mut findings = Findings::default();
    let mut count = 0;
    for moment in sim.moments() {
        count += 1;
        recover(
            &story,
            &moment.killed(),
            moment.changes,
            Crash::Kill,
            twice(count),
            &mut findings,
        );
        moment.power_cut(FIRST, |image: Image| {
            count += 1;
            let sim = SimFs::from_image(&image);
            recover(
                &story,
                &sim,
                moment.changes,
                Crash::PowerCut,
                twice(count),
                &mut findings,
            );
        });
    }
    findings
}

/// Runs a script on a disk that is prepared before.
fn run(seed: u64, appends: usize, prepare: impl FnOnce(&SimFs, &mut Run)) -> Run {
    let sim = SimFs::default();
    sim.record();
    let mut run = Run::start(&sim).unwrap();
    prepare(&sim, &mut run);
    run.all(&script(seed, appends));
    run
}

#[test]
fn a_log_keeps_what_it_acknowledged_through_two_crashes() {
    let mut images = (0, 0);
    for seed in 0..2 {
        let run = run(seed, 40, |_, _| {});
        assert!(run.log.segments() > 2, "{:?}", run.log);
        let findings = crashes(run, |at| at % 5 == 0);
        assert!(findings.wrong.is_empty(), "seed {seed}: {:#?}", findings.first());
        images = (images.0 + findings.images, images.1 + findings.second);
    }
    println!("{images:?}");
    assert!(images.0 > 3_000 && images.1 > 15_000, "{images:?}");
}

#[test]
fn an_acknowledgement_before_the_write_is_noticed() {
    let run = run(1, 30, |_, run| run.early = true);
    let findings = crashes(run, |_| false);
    assert!(
        findings.wrong.iter().any(|it| it.starts_with("Kill")),
        "{:?}",
        findings.first()
    );
}

#[test]
fn a_sync_that_is_skipped_is_noticed() {
    let run = run(1, 30, |sim, _| sim.skip(Call::Sync));
    let findings = crashes(run, |_| false);
    assert!(!findings.wrong.is_empty());
    assert!(
        findings.wrong.iter().all(|it| it.starts_with("PowerCut")),
        "{:?}",
        findings.first()
    );
}

#[test]
fn a_sync_of_the_directory_that_is_skipped_is_noticed() {
    let run = run(1, 30, |sim, _| sim.skip(Call::SyncDirectory));
    let findings = crashes(run, |_| false);
    assert!(!findings.wrong.is_empty());
    assert!(
        findings.wrong.iter().all(|it| it.starts_with("PowerCut")),
        "{:?}",
        findings.first()
    );
}

#[test]
fn a_log_that_was_closed_has_all_of_it() {
    let sim = SimFs::default();
    let mut run = Run::start(&sim).unwrap();
    run.all(&[Step::Append(100), Step::Append(5000), Step::Append(16)]);
    run.log.close().unwrap();
    let story = run.story;
    let mut count = 0;
    sim.moment().power_cut(FIRST, |image| {
        count += 1;
        let (_, found) = open(&SimFs::from_image(&image)).unwrap();
        assert_eq!(found, story.appended);
    });
    assert!(count > 0);
}
