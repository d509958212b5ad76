//! Failing cases are kept in proptest's own files, and run first.
use {
    super::consumers::jobs,
    proptest::{
        strategy::Just,
        test_runner::{FailurePersistence, FileFailurePersistence, PersistedSeed},
    },
    requeue::testing::{Check, CheckError, Consumer, check},
    std::{
        any::Any,
        fmt, fs,
        path::{Path, PathBuf},
        sync::{Arc, Mutex},
    },
};

/// A file that is gone when the test is over.
struct Place {
    folder: PathBuf,
    file: &'static str,
}

impl Place {
    fn new(test: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("requeue-{test}-{}", std::process::id()));
        let file = folder
            .join("consumers.regressions")
            .into_os_string()
            .into_string()
            .unwrap();
        fs::create_dir_all(&folder).unwrap();
        let file = file.leak();
        Self { folder, file }
    }

    fn read(&self) -> String {
        fs::read_to_string(self.file).unwrap()
    }

    fn seeds(&self) -> Vec<String> {
        let text = self.read();
        let seeds = text.lines().filter(|line| line.starts_with("cc "));
        seeds.map(|line| line[..67].to_owned()).collect()
    }

    fn persistence(&self) -> FileFailurePersistence {
        FileFailurePersistence::Direct(self.file)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn of(again: bool) -> Check<u32> {
    check("not again", || 0)
        .queue(jobs)
        .messages(Just("job"))
        .consumer("c", move |_| {
            Consumer::each(move |message, _| {
                assert!(again || message.approximate_receive_count() < 2, "not again");
                Ok::<_, String>(())
            })
        })
        .cases(200)
}

#[test]
fn a_failing_case_is_kept_and_run_first() {
    let place = Place::new("kept");
    let check = of(false).failure_persistence(place.persistence());
    let found = check.run().unwrap_err();
    let found = found.failure().unwrap();
    assert!(found.case.is_some());
    let seed = found.seed.as_ref().unwrap().to_string();
    assert_eq!(place.seeds(), [seed.as_str()]);
    let line = place.read().lines().last().unwrap().to_owned();
    let summary = " # shrinks to not again: c panicked on m1: not again; producer sends m1 \"job\"; c receives m1";
    assert!(line.starts_with(&format!("{seed}{summary}")), "{line}");

    let error = of(false)
        .failure_persistence(place.persistence())
        .cases(0)
        .run()
        .unwrap_err();
    let again = error.failure().unwrap();
    assert_eq!(
        (again.case, &again.seed, &again.schedule),
        (None, &found.seed, &found.schedule)
    );
    let text = error.to_string();
    let first = "the check not again failed in a regression, which failed before; 1 of 1 case failed\n";
    assert!(text.starts_with(first), "{text}");
    assert!(text.contains(&format!("replay:   regression {seed};")), "{text}");
}

#[test]
fn a_mended_consumer_passes_its_regressions() {
    let place = Place::new("mended");
    assert!(of(false).failure_persistence(place.persistence()).run().is_err());
    let before = place.read();
    let passed = of(true).failure_persistence(place.persistence()).run().unwrap();
    assert_eq!((passed.regressions, passed.cases), (1, 200));
    assert_eq!(place.read(), before);
}

#[test]
fn a_property_is_kept_once() {
    let place = Place::new("once");
    for seed in 0..4 {
        assert!(
            of(false)
                .failure_persistence(place.persistence())
                .seed(seed)
                .run()
                .is_err()
        );
    }
    assert_eq!(place.seeds().len(), 1);
    let unlucky = || {
        of(false)
            .always("it is in luck", |_| false)
            .failure_persistence(place.persistence())
    };
    assert!(unlucky().run().is_err());
    assert_eq!(place.seeds().len(), 1, "the regression breaks it already");
}

#[test]
fn the_file_lies_beside_its_source() {
    let place = Place::new("beside");
    let source: &'static str = place.file.replace(".regressions", ".rs").leak();
    fs::write(source, "").unwrap();
    let check = || {
        let persistence = FileFailurePersistence::WithSource("regressions");
        of(false).source_file(source).failure_persistence(persistence)
    };
    assert!(check().run().is_err() && Path::new(place.file).exists());
    assert_eq!(place.seeds().len(), 1);
    assert_eq!(check().run().unwrap_err().failure().unwrap().case, None);

    fs::write(place.folder.join("lib.rs"), "").unwrap();
    let inside = place.folder.join("src").join("jobs.rs");
    fs::create_dir_all(inside.parent().unwrap()).unwrap();
    fs::write(place.folder.join("src").join("lib.rs"), "").unwrap();
    fs::write(&inside, "").unwrap();
    let inside = inside.into_os_string().into_string().unwrap().leak();
    assert!(of(false).source_file(inside).run().is_err());
    assert!(place.folder.join("proptest-regressions").join("jobs.txt").exists());
}

#[test]
fn lines_that_cannot_be_read_are_left_out_as_proptest_does() {
    let place = Place::new("truncated");
    assert!(of(false).failure_persistence(place.persistence()).run().is_err());
    let whole = place.seeds().remove(0);
    for cut in 1..whole.len() {
        fs::write(place.file, &whole[..cut]).unwrap();
        let passed = of(true)
            .failure_persistence(place.persistence())
            .cases(1)
            .run()
            .unwrap();
        assert_eq!(passed.regressions, 0, "{cut}");
    }
    fs::write(place.file, format!("# a comment\n{whole}\nnonsense\n{whole} # again")).unwrap();
    let passed = of(true)
        .failure_persistence(place.persistence())
        .cases(1)
        .run()
        .unwrap();
    assert_eq!(passed.regressions, 2);
    fs::remove_file(place.file).unwrap();
    fs::create_dir(place.file).unwrap();
    let passed = of(true)
        .failure_persistence(place.persistence())
        .cases(1)
        .run()
        .unwrap();
    assert_eq!(passed.regressions, 0, "a folder is no file");
}

#[test]
fn a_seed_of_another_generator_says_so() {
    let place = Place::new("xorshift");
    fs::write(place.file, "xs 1 2 3 4\n").unwrap();
    let error = of(true).failure_persistence(place.persistence()).run().unwrap_err();
    assert!(matches!(error, CheckError::Regression(_)));
    let expected = "the regression xs 1 2 3 4 is no seed of proptest's ChaCha generator";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn a_seed_that_the_macro_kept_is_a_case_too() {
    let place = Place::new("foreign");
    fs::write(place.file, format!("cc {}\n", "ab".repeat(32))).unwrap();
    let passed = of(true)
        .failure_persistence(place.persistence())
        .cases(0)
        .run()
        .unwrap();
    assert_eq!((passed.regressions, passed.cases), (1, 0));
}

/// Source file, seed and summary.
type Kept = (Option<&'static str>, PersistedSeed, String);

/// Keeps seeds in memory.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Vec<Kept>>>);

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Memory")
    }
}

impl FailurePersistence for Memory {
    fn load_persisted_failures2(&self, _: Option<&'static str>) -> Vec<PersistedSeed> {
        self.0.lock().unwrap().iter().map(|it| it.1.clone()).collect()
    }

    fn save_persisted_failure2(&mut self, file: Option<&'static str>, seed: PersistedSeed, value: &dyn fmt::Debug) {
        self.0.lock().unwrap().push((file, seed, format!("{value:?}")));
    }

    fn box_clone(&self) -> Box<dyn FailurePersistence> {
        Box::new(self.clone())
    }

    fn eq(&self, _: &dyn FailurePersistence) -> bool {
        false
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

#[test]
fn every_new_property_is_kept_by_any_persistence() {
    let memory = Memory::default();
    let check = || {
        let rare = of(false).always("it is never received", |_| true);
        let counted = rare.finally("at most four are sent", |_, messages| messages.len() <= 4);
        counted.failure_persistence(memory.clone()).source_file("tests/jobs.rs")
    };
    let error = check().run().unwrap_err();
    let kept = memory.0.lock().unwrap().clone();
    let seeds = error.failures().map(|it| it.seed.clone().unwrap()).collect::<Vec<_>>();
    assert_eq!(kept.iter().map(|it| it.1.clone()).collect::<Vec<_>>(), seeds);
    assert_eq!(seeds.len(), 2);
    assert!(
        kept.iter()
            .all(|it| it.0 == Some("tests/jobs.rs") && !it.2.contains('\n'))
    );
    assert!(check().run().is_err());
    assert_eq!(memory.0.lock().unwrap().len(), 2, "what is known is not kept again");
}
