//! Every truncation and every bit of a small log.

use {
    super::{
        super::{
            error::JournalError,
            log::Level,
            sim_fs::{Image, SimFs},
        },
        log_script::{Run, Step, open},
    },
    std::{collections::BTreeMap, sync::Arc},
};

const STEPS: &[Step] = &[
    Step::Append(16),
    Step::Wait(Level::Synced),
    Step::Append(1500),
    Step::Append(100),
    Step::Wait(Level::Synced),
    Step::Append(2400),
    Step::Wait(Level::Synced),
    Step::Append(300),
    Step::Append(16),
    Step::Wait(Level::Synced),
];

/// A log of two segments and more, all of it acknowledged, and the bodies in it.
fn small(close: bool) -> (Image, Vec<Vec<u8>>) {
    let sim = SimFs::default();
    let mut run = Run::start(&sim).unwrap();
    run.all(STEPS);
    assert!(run.log.segments() > 1);
    let image = sim.seen();
    if close {
        run.log.close().unwrap();
        return (sim.seen(), run.story.appended);
    }
    (image, run.story.appended)
}

/// How often a damaged log opened with all that was in it, and how often each kind of error said what was wrong.
#[derive(Debug, Default)]
struct Tally {
    whole: usize,
    errors: BTreeMap<&'static str, usize>,
}

impl Tally {
    fn look(&mut self, image: &Image, whole: &[Vec<u8>], what: impl FnOnce() -> String) {
        let sim = SimFs::from_image(image);
        match open(&sim) {
            Ok((_, found)) => {
                assert_eq!(found.len(), whole.len(), "{}: a silent loss", what());
                assert!(found == whole, "{}: another body", what());
                self.whole += 1;
            }
            Err(error) => {
                let what = what();
                assert_eq!(sim.seen(), *image, "{what}: the directory is not as it was");
                let kind = match &error {
                    JournalError::Damaged { file, .. } => {
                        assert!(image.files.keys().any(|it| file.ends_with(it)), "{what}: {error}");
                        "damaged"
                    }
                    JournalError::ForeignSegment { .. } => "foreign",
                    JournalError::NewerVersion { .. } => "newer",
                    JournalError::NotAJournal { .. } => "no journal",
                    _ => panic!("{what}: {error}"),
                };
                *self.errors.entry(kind).or_default() += 1;
            }
        }
    }
}

fn with(image: &Image, name: &str, change: impl FnOnce(&mut Vec<u8>)) -> Image {
    let mut image = image.clone();
    change(Arc::make_mut(image.files.get_mut(name).unwrap()));
    image
}

#[test]
fn every_truncation_is_an_error_that_names_the_file_or_loses_nothing() {
    for close in [false, true] {
        let (image, whole) = small(close);
        let mut tally = Tally::default();
        for (name, content) in &image.files {
            for length in 0..content.len() {
                let cut = with(&image, name, |it| it.truncate(length));
                tally.look(&cut, &whole, || format!("{name} cut to {length} bytes"));
            }
        }
        assert!(tally.errors["damaged"] > 4000, "{tally:?}");
    }
}

#[test]
fn every_flipped_bit_is_an_error_that_names_the_file_or_loses_nothing() {
    // What a close adds is few bytes, and most of the rest is the same.
    for (close, step) in [(false, 1), (true, 7)] {
        let (image, whole) = small(close);
        let mut tally = Tally::default();
        for (name, content) in &image.files {
            for bit in (0..content.len() * 8).step_by(step) {
                let flipped = with(&image, name, |it| it[bit / 8] ^= 1 << (bit % 8));
                tally.look(&flipped, &whole, || format!("bit {bit} of {name}"));
            }
        }
        assert!(
            tally.errors["damaged"] > 10_000 / step && tally.whole > 1000,
            "{tally:?}"
        );
    }
}

#[test]
fn a_missing_segment_between_others_is_an_error() {
    let sim = SimFs::default();
    let mut run = Run::start(&sim).unwrap();
    (0..4).for_each(|_| run.all(STEPS));
    let image = sim.seen();
    let names: Vec<_> = image.files.keys().cloned().collect();
    assert!(names.len() > 4);
    for name in &names[1..names.len() - 2] {
        let mut without = image.clone();
        without.files.remove(name);
        let error = open(&SimFs::from_image(&without)).unwrap_err();
        assert!(matches!(error, JournalError::Damaged { .. }), "{name}: {error}");
    }
}

#[test]
fn two_segments_that_changed_places_are_an_error() {
    let (image, _) = small(true);
    let names: Vec<_> = image.files.keys().cloned().collect();
    let mut swapped = image.clone();
    swapped.files.insert(names[0].clone(), image.files[&names[1]].clone());
    swapped.files.insert(names[1].clone(), image.files[&names[0]].clone());
    open(&SimFs::from_image(&swapped)).unwrap_err();
}
