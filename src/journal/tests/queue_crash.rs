//! A crash after every call on the disk of 300 calls on queues, and a second one after every call of that recovery.

use super::{
    super::sim_fs::{Bounds, Call, SimFs},
    log_script::Crash,
    queue_script::{Holds, Match, Run, Story, open},
};
use std::fmt;

const FIRST: Bounds = Bounds {
    each: 6,
    drawn: 6,
    seed: 17,
};

const SECOND: Bounds = Bounds {
    each: 1,
    drawn: 1,
    seed: 19,
};

#[derive(Debug, Default)]
struct Findings {
    images: usize,
    second: usize,
    exact: usize,
    within: usize,
    wrong: Vec<String>,
}

impl Findings {
    fn note(&mut self, what: impl fmt::Display, result: Result<Match, String>) {
        match result {
            Ok(Match::Exact) => self.exact += 1,
            Ok(Match::Within) => self.within += 1,
            Err(error) => self.wrong.push(format!("{what}: {error}")),
        }
    }
}

/// Where a crash was.
#[derive(Clone, Copy, Debug)]
struct At {
    changes: u64,
    crash: Crash,
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} after change {}", self.crash, self.changes)
    }
}

fn recover(story: &Story, sim: &SimFs, at: At, twice: bool, findings: &mut Findings) {
    findings.images += 1;
    let now = story.now(at.changes);
    if twice {
        sim.record();
    }
    let (service, _clock) = match open(sim, now) {
        Ok(opened) => opened,
        Err(error) => return findings.note(at, Err(error.to_string())),
    };
    let found = Holds::of(&service);
    findings.note(at, story.check(&found, at.changes, at.crash));
    if !twice {
        return;
    }
    let opened = sim.changes();
    if let Err(error) = story.check_memory(&service, now, at.changes) {
        findings.wrong.push(format!("{at}: {error}"));
    }
    let after = Holds::of(&service);
    drop(service);
    for again in sim.moments() {
        let mut look = |sim: &SimFs, crash: Crash| {
            findings.second += 1;
            let what = format!("{at}, {crash:?} after change {} of the recovery", again.changes);
            let result = match open(sim, now) {
                Err(error) => Err(error.to_string()),
                Ok((service, _clock)) => {
                    let again_found = Holds::of(&service);
                    let own = [&found, &after];
                    if again.changes < opened {
                        let both = if at.crash == crash { crash } else { Crash::PowerCut };
                        story.check(&again_found, at.changes, both)
                    } else if own.iter().any(|it| **it == again_found) {
                        Ok(Match::Exact)
                    } else if own.iter().any(|it| it.is_like(&again_found)) {
                        // The move task has gone on.
                        Ok(Match::Within)
                    } else {
                        Err("another state than the one that was opened".to_owned())
                    }
                }
            };
            findings.note(what, result);
        };
        look(&again.killed(), Crash::Kill);
        again.power_cut(SECOND, |image| look(&SimFs::from_image(&image), Crash::PowerCut));
    }
}

fn crashes(run: Run, twice: impl Fn(usize) -> bool) -> Findings {
    let Run {
        sim, story, service, ..
    } = run;
    drop(service);
    let mut findings = Findings::default();
    let mut count = 0;
    for moment in sim.moments() {
        let changes = moment.changes;
        count += 1;
        let crash = Crash::Kill;
        recover(
            &story,
            &moment.killed(),
            At { changes, crash },
            twice(count),
            &mut findings,
        );
        moment.power_cut(FIRST, |image| {
            count += 1;
            let crash = Crash::PowerCut;
            recover(
                &story,
                &SimFs::from_image(&image),
                At { changes, crash },
                twice(count),
                &mut findings,
            );
        });
    }
    findings
}

fn run(seed: u64, acts: usize, prepare: impl FnOnce(&SimFs)) -> Run {
    let sim = SimFs::default();
    sim.record();
    prepare(&sim);
    let mut run = Run::start(&sim, seed, &[10, 30, 80, 150, 300, 900]).unwrap();
    for _ in 0..acts {
        run.act().unwrap();
    }
    run
}

fn two_crashes(seed: u64) {
    let run = run(seed, 300, |_| {});
    assert!(run.sim.calls(Call::Remove) > 3, "too little was compacted");
    let findings = crashes(run, |at| at % 16 == 0);
    let wrong = &findings.wrong;
    assert!(wrong.is_empty(), "{}: {:#?}", wrong.len(), &wrong[..wrong.len().min(3)]);
    println!("{findings:?}");
    // Two scripts, 20,000 images.
    assert!(findings.images + findings.second >= 10_000, "{findings:?}");
    assert!(findings.within * 2 < findings.exact, "{findings:?}");
}

#[test]
fn queues_keep_what_they_acknowledged_through_two_crashes() {
    two_crashes(1);
}

#[test]
fn other_queues_keep_what_they_acknowledged_through_two_crashes() {
    two_crashes(3);
}

#[test]
fn a_sync_of_queues_that_is_skipped_is_noticed() {
    let findings = crashes(run(2, 60, |sim| sim.skip(Call::Sync)), |_| false);
    assert!(!findings.wrong.is_empty());
}

#[test]
fn a_sync_of_the_directory_of_queues_that_is_skipped_is_noticed() {
    let findings = crashes(run(2, 60, |sim| sim.skip(Call::SyncDirectory)), |_| false);
    assert!(!findings.wrong.is_empty());
}
