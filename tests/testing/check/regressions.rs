//! Failing cases are kept in a file, and run first.
use {
    super::consumers::jobs,
    proptest::strategy::Just,
    requeue::testing::{CaseFailure, CaseSchedule, Check, CheckError, Consumer, FinalMessage, check},
    std::{
        env, fs,
        path::{Path, PathBuf},
        process::{self, Child, Command, Stdio},
    },
};

/// Tells a child process where to keep its failures.
const FILE: &str = "REQUEUE_REGRESSION_FILE";
const NUMBER: &str = "REQUEUE_REGRESSION_NUMBER";

/// A file that is gone when the test is over.
struct Place {
    folder: PathBuf,
    file: PathBuf,
}

impl Place {
    fn new(test: &str) -> Self {
        let folder = env::temp_dir().join(format!("requeue-{test}-{}", process::id()));
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join("consumers.regressions");
        Self { folder, file }
    }

    fn read(&self) -> String {
        fs::read_to_string(&self.file).unwrap()
    }

    fn write(&self, text: &str) {
        fs::write(&self.file, text).unwrap();
    }

    fn count(&self) -> usize {
        self.read().lines().filter(|line| line.starts_with("check ")).count()
    }

    /// The place of this line.
    fn at(&self, line: usize) -> String {
        format!("{}:{line}", self.file.display())
    }

    fn check(&self, again: bool) -> Check<u32> {
        of("not again", "job", again, &self.file)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A check that fails unless its consumer may work on a message again.
fn of(name: &str, body: &str, again: bool, file: &Path) -> Check<u32> {
    check(name, || 0)
        .pairs(60)
        .queue(jobs)
        .messages(Just(body.to_owned()))
        .consumer("c", move |_| {
            Consumer::each(move |message, _| {
                assert!(again || message.approximate_receive_count() < 2, "not again");
                Ok::<_, String>(())
            })
        })
        .cases(200)
        .regression_file(file)
}

/// Where the file keeps the failure with which a run begins, if it does.
fn regression(check: Check<u32>) -> Option<String> {
    let error = check.first_failure_only().run().unwrap_err();
    first(&error).regression.clone()
}

fn first(error: &CheckError) -> &CaseFailure {
    error.failure().unwrap_or_else(|| panic!("{error}"))
}

#[test]
fn a_failing_case_is_kept_and_run_first() {
    let place = Place::new("kept");
    let error = place.check(false).run().unwrap_err();
    let found = first(&error);
    assert_eq!(found.regression, None);
    let text = place.read();
    let told = found.story.to_string();
    let told = told.lines().take_while(|line| !line.starts_with("replay:"));
    let comment: String = told.map(|line| format!("# {line}\n")).collect();
    let seed = found.seed.iter().map(|seed| format!("seed {seed}\n"));
    let seed: String = seed.collect();
    let header =
        "# Cases in which checks failed: each run of a check begins with those of its name. Commit this file.\n";
    let schedule = &found.schedule;
    assert_eq!(
        text,
        format!("{header}\n{comment}check \"not again\"\n{seed}{schedule}")
    );

    let line = 1 + text.lines().position(|line| line.starts_with("check ")).unwrap();
    let error = place.check(false).run().unwrap_err();
    let again = first(&error);
    assert_eq!(
        (again.case, &again.seed, &again.schedule),
        (None, &found.seed, schedule)
    );
    assert_eq!(
        (&again.violation, &again.story.events),
        (&found.violation, &found.story.events)
    );
    assert_eq!(again.regression, Some(place.at(line)));
    let (at, text) = (place.at(line), error.to_string());
    let first =
        format!("the check not again failed in the regression at {at}, which failed before; 1 of 1 case failed\n");
    assert!(text.starts_with(&first), "{text}");
    let last = format!("replay:   run the check again, it begins with {at}\n");
    assert!(text.ends_with(&last), "{text}");
}

#[test]
fn a_mended_consumer_passes_its_regressions() {
    let place = Place::new("mended");
    assert!(place.check(false).run().is_err());
    let before = place.read();
    let passed = place.check(true).run().unwrap();
    assert_eq!((passed.regressions, passed.cases), (1, 200));
    assert_eq!(place.read(), before);
}

#[test]
fn a_case_is_kept_once() {
    let place = Place::new("once");
    assert!(place.check(false).run().is_err());
    let kept = place.read();
    assert!(place.check(false).run().is_err());
    assert_eq!(place.read(), kept, "a regression that fails is no new case");

    // A comment makes no other schedule.
    let edited = kept.replace("send 0", "send 0 # first of all");
    place.write(&edited);
    assert!(place.check(false).run().is_err());
    assert_eq!(place.read(), edited);
}

#[test]
fn every_property_that_fails_is_kept() {
    let place = Place::new("properties");
    let check = || {
        let once = |_: &u32, messages: &[FinalMessage]| messages.len() == 1;
        let check = place.check(false).messages_at_most(1);
        check.finally("it is sent once", once)
    };
    let error = check().run().unwrap_err();
    assert_eq!((error.failures().count(), place.count()), (2, 2), "{error}");
    let again = check().run().unwrap_err();
    let schedules = |error: &CheckError| error.failures().map(|it| it.schedule.clone()).collect::<Vec<_>>();
    assert_eq!(schedules(&again), schedules(&error));
    assert!(matches!(
        again,
        CheckError::Failed {
            failed: 2,
            cases: 2,
            ..
        }
    ));
    assert_eq!(place.count(), 2);
    let error = check().first_failure_only().run().unwrap_err();
    assert!(matches!(
        error,
        CheckError::Failed {
            failed: 1,
            cases: 1,
            ..
        }
    ));
}

#[test]
fn checks_share_a_file_by_their_names() {
    let place = Place::new("shared");
    let names = ["a", "b", "c \"d\" \u{e9}\n#"];
    for name in names {
        assert_eq!(regression(of(name, "job", false, &place.file)), None, "{name}");
    }
    assert_eq!(place.count(), 3);
    for name in names {
        assert!(regression(of(name, "job", false, &place.file)).is_some(), "{name}");
    }
    assert_eq!(place.count(), 3);
}

#[test]
fn a_file_may_be_written_by_hand() {
    let place = Place::new("by-hand");
    let schedule = "requeue schedule 2\nmessage \"5 EUR\"\nsend 0\nturn 0\nturn 0 CrashBeforeWork # sic\nend # of it\n";
    let by_hand = format!("check other\n{schedule}\ncheck \"not again\" # as in July\n\n{schedule}");
    place.write(&by_hand.replace('\n', "\r\n"));
    assert_eq!(regression(place.check(false)), Some(place.at(9)));

    let seed = "cc ".to_owned() + &"0f".repeat(32);
    place.write(&format!("check \"not again\"\nseed {seed} # of the case\n{schedule}"));
    let error = place.check(false).run().unwrap_err();
    assert_eq!(first(&error).seed.as_ref().map(ToString::to_string), Some(seed));
    assert_eq!(Ok(&first(&error).schedule), schedule.parse::<CaseSchedule>().as_ref());
}

/// Two blocks.
fn two(place: &Place) -> String {
    for name in ["not again", "not again either"] {
        assert!(of(name, "job \u{1f600}", false, &place.file).run().is_err());
    }
    place.read()
}

#[test]
fn a_last_block_that_ends_too_early_is_left_out() {
    let place = Place::new("truncated");
    let whole = two(&place);
    let second = whole.rfind("\n\n").unwrap();
    let whole = whole.trim_end();
    for cut in [second / 2, second, (second + whole.len()) / 2, whole.len() - 1] {
        place.write(&whole[..cut]);
        let regression = regression(place.check(false));
        assert_eq!(regression.is_some(), cut >= second, "{cut}");
    }
}

#[test]
fn a_line_that_cannot_be_read_is_an_error() {
    let place = Place::new("broken");
    let whole = two(&place);
    let line = |text: &str| 1 + whole.lines().position(|line| line.starts_with(text)).unwrap();
    let seed = format!("{}\nseed cc 12\n", "check \"not again\"");
    let keywords = "one of seed, variant, shards, message, send, turn, wait, act, run, end";
    let second = line("check \"not again either\"");
    for (from, to, line, problem) in [
        ("\ncheck ", "\ncheque ", line("check"), "check and the name of a check"),
        (
            "check \"not again\"",
            "check",
            line("check"),
            "check and the name of a check",
        ),
        (
            "check \"not again\"",
            "check not again",
            line("check"),
            "the end of the line",
        ),
        (
            "check \"not again\"\n",
            &seed,
            line("check") + 1,
            "seed cc and 64 hexadecimal digits",
        ),
        (
            "requeue schedule 2",
            "requeue schedule 1",
            line("requeue"),
            "requeue schedule 2",
        ),
        ("send 0", "sent 0", line("send"), keywords),
        ("\nend\n", "\n", second - 1, keywords),
        (
            "\nend\n",
            "\nend\nend\n",
            line("end") + 1,
            "check and the name of a check",
        ),
        (
            "# Cases",
            "cc 0123 # shrinks to nothing\n#",
            1,
            "check and the name of a check",
        ),
    ] {
        assert!(whole.contains(from), "{from}");
        place.write(&whole.replacen(from, to, 1));
        for name in ["not again", "not again either", "of no regression"] {
            let error = of(name, "job", true, &place.file).run().unwrap_err();
            let text = error.to_string();
            let CheckError::Regression { file, line: at, .. } = error else {
                panic!("{to}: {error}");
            };
            assert_eq!((file, at), (place.file.clone(), line), "{to}");
            assert!(
                text.starts_with(&place.at(line)) && text.contains(&format!("expected {problem}")),
                "{text}"
            );
        }
    }
}

#[test]
fn a_regression_that_fits_the_check_no_more_is_an_error() {
    let place = Place::new("unfit");
    for (schedule, problem) in [
        (
            "turn 1",
            "the schedule names consumer 1, and the check has 1, counted from 0",
        ),
        (
            "act 0",
            "the schedule names action 0, and the check has 0, counted from 0",
        ),
        (
            "variant 1",
            "the schedule names variant 1, and the check has 1, counted from 0",
        ),
        (
            "message job to=1",
            "the schedule names queue 1, and the check has 1, counted from 0",
        ),
        ("message \"\"\nsend 0", "the queue refuses a message: "),
    ] {
        place.write(&format!(
            "# It was.\ncheck \"not again\"\nrequeue schedule 2\n{schedule}\nend\n"
        ));
        let error = place.check(true).run().unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, CheckError::Regression { line: 2, .. }), "{text}");
        assert!(text.starts_with(&format!("{}: {problem}", place.at(2))), "{text}");
    }
    assert_eq!(regression(of("other", "job", false, &place.file)), None);
}

#[test]
fn a_file_that_cannot_be_read_is_an_error() {
    let place = Place::new("unreadable");
    let error = place.folder.clone();
    let error = of("not again", "job", true, &error).run().unwrap_err();
    assert!(
        matches!(&error, CheckError::File { file, .. } if *file == place.folder),
        "{error}"
    );
    fs::write(&place.file, b"\xff\n").unwrap();
    assert!(matches!(place.check(true).run(), Err(CheckError::File { .. })));
}

#[test]
fn a_failure_that_cannot_be_kept_is_told_all_the_same() {
    let place = Place::new("unwritable");
    let nowhere = place.folder.join("no such folder").join("consumers.regressions");
    let error = of("not again", "job", false, &nowhere).run().unwrap_err();
    assert_eq!(first(&error).regression, None);
    assert!(!nowhere.exists());
    let told = child(&nowhere, 0).wait_with_output().unwrap();
    let told = String::from_utf8(told.stderr).unwrap();
    let expected = format!("the failure of the check 0.0 cannot be kept in {}: ", nowhere.display());
    assert!(told.contains(&expected), "{told}");
}

#[test]
fn what_is_kept_or_left_out_is_told_on_standard_error() {
    let place = Place::new("told");
    let told = || {
        let told = child(&place.file, 0).wait_with_output().unwrap();
        String::from_utf8(told.stderr).unwrap()
    };
    let kept = format!(
        "the failure of the check 0.0 is kept in {}; commit that file\n",
        place.file.display()
    );
    let first = told();
    assert!(first.contains(&kept), "{first}");
    assert!(!told().contains(&kept), "it is known");
    let whole = place.read();
    place.write(whole.trim_end().strip_suffix("end").unwrap());
    let last = whole[..whole.rfind("\ncheck").unwrap() + 1].lines().count() + 1;
    let left_out = format!("{}: the last regression is truncated, and left out\n", place.at(last));
    let truncated = told();
    assert!(truncated.contains(&left_out), "{truncated}");
}

const CHECKS: usize = 3;

/// Fails in several checks, with messages of its own.
fn fail(number: usize, file: &Path) {
    for at in 0..CHECKS {
        let body = format!("{number}.{at} ").repeat(2_000);
        assert!(
            of(&format!("{number}.{at}"), &body, false, file)
                .cases(40)
                .run()
                .is_err()
        );
    }
}

fn child(file: &Path, number: usize) -> Child {
    let test = "check::regressions::a_process_fails_when_it_is_told_where";
    Command::new(env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(FILE, file)
        .env(NUMBER, number.to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// The child of other tests.
#[test]
fn a_process_fails_when_it_is_told_where() {
    if let (Ok(file), Ok(number)) = (env::var(FILE), env::var(NUMBER)) {
        fail(number.parse().unwrap(), Path::new(&file));
    }
}

#[test]
fn processes_do_not_mix_their_blocks() {
    let place = Place::new("processes");
    let children: Vec<_> = (0..4).map(|number| child(&place.file, number)).collect();
    for child in children {
        let told = child.wait_with_output().unwrap();
        assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    }
    assert_eq!(place.count(), 4 * CHECKS);
    for (number, at) in (0..4).flat_map(|number| (0..CHECKS).map(move |at| (number, at))) {
        let check = of(&format!("{number}.{at}"), "job", false, &place.file);
        assert!(regression(check).is_some());
    }
}
