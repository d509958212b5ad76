//! Every call of a script on queues fails, once or for ever, with EIO and with ENOSPC.

use {
    super::{
        super::sim_fs::{Bounds, SimFs},
        log_faults::{Answers, CALLS, KINDS},
        log_script::Crash,
        queue_script::{Holds, Run, open},
    },
    crate::clock::Clock,
};

const LEFT: Bounds = Bounds {
    each: 1,
    drawn: 1,
    seed: 23,
};

const ACTS: usize = 50;

/// Long, so that segments are full soon.
const LENGTHS: &[usize] = &[300, 900, 1500];

fn check(run: &Run, what: &str) -> usize {
    let moment = run.sim.moment();
    let mut images = 1;
    let look = |sim: &SimFs, crash| {
        let (service, _clock) = open(sim, run.clock.now()).unwrap_or_else(|error| panic!("{what}: {error}"));
        let checked = run.story.check(&Holds::of(&service), u64::MAX, crash);
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
fn no_message_that_was_acknowledged_is_lost_by_a_call_that_fails() {
    let clean = SimFs::default();
    let mut run = Run::start(&clean, 4, LENGTHS).unwrap();
    for _ in 0..ACTS {
        run.act().unwrap();
    }
    let (mut images, mut refused, mut unknown) = (0, 0, 0);
    for call in CALLS {
        for at in 1..=clean.calls(call) {
            for (failure, for_ever) in KINDS {
                let what = format!("{call:?} {at}, {failure:?}, for ever: {for_ever}");
                let sim = SimFs::default();
                sim.fail(call, at, for_ever, failure);
                let Ok(mut run) = Run::start(&sim, 4, LENGTHS) else {
                    continue;
                };
                let mut answers = Answers::default();
                for _ in 0..ACTS {
                    match run.act() {
                        Ok(false) => {}
                        answer => answers.note(answer.map(|_| ()), &what),
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
fn a_full_disk_refuses_sends_of_queues_and_serves_on() {
    let sim = SimFs::default();
    let mut run = Run::start(&sim, 4, LENGTHS).unwrap();
    let jobs = run.service.queue("jobs").unwrap();
    jobs.send("a send reserves the next segment").unwrap();
    sim.set_capacity(Some(sim.used()));
    let refused = (0..1000).find_map(|_| jobs.send("x".repeat(200)).err());
    let error = refused.expect("a disk that is full refuses sends");
    assert!(
        error.to_string().starts_with("the disk of the journal is full"),
        "{error}"
    );
    let messages = jobs.receive().max_messages(10).blocking().unwrap();
    assert!(messages.len() > 3, "{messages:?}");
    for message in messages {
        message.delete().unwrap();
    }
    sim.set_capacity(None);
    jobs.send("there is room again").unwrap();
    run.act().unwrap();
}
