//! Directories and settings that are refused: a clear error, and the directory as it was.

use {
    crate::{
        directory::{Directory, bytes, names},
        open::{SEGMENT, clock_at, service},
    },
    requeue::{
        Budget, Limits, Queue, QueueAttributes, SendMessage, Service,
        journal::{JournalBuilder, JournalError},
    },
    std::{
        env, fs,
        io::{BufRead, BufReader, Read, Write, stdin, stdout},
        path::{Path, PathBuf},
        process::{Command, Stdio, id},
        time::Duration,
    },
};

const START: u64 = 1_700_000_000_000;

fn builder(directory: &Path) -> JournalBuilder<requeue::ServiceBuilder> {
    Service::builder()
        .clock(clock_at(START))
        .journal(directory)
        .segment_bytes(SEGMENT)
}

/// A journal with a queue and so many messages, closed.
fn journal(directory: &Path, messages: usize) {
    let service = service(directory, &clock_at(START));
    let jobs = service.create_queue("jobs", QueueAttributes::new()).unwrap();
    for number in 0..messages {
        jobs.send(format!("{number} {}", "x".repeat(1_000))).unwrap();
    }
    service.close().unwrap();
}

fn segments(directory: &Path) -> Vec<PathBuf> {
    let names = names(directory).into_iter();
    let names = names.filter(|name| name.starts_with("segment-") && name.ends_with(".log"));
    names.map(|name| directory.join(name)).collect()
}

/// Opening fails and changes nothing; the error, and its text, which names the path. What has segments may get a lock file.
fn refused(directory: &Path, names: &Path) -> (JournalError, String) {
    let before = bytes(directory);
    let error = builder(directory).open().expect_err("it is opened");
    let (mut after, lock) = (bytes(directory), directory.join("LOCK"));
    if !matches!(error, JournalError::NotAJournal { .. }) && !before.contains_key(&lock) {
        assert_eq!(after.remove(&lock), Some(Vec::new()));
    }
    assert_eq!(after, before, "{error}: the directory was changed");
    let text = error.to_string();
    assert!(
        text.contains(&*names.to_string_lossy()),
        "{text:?} does not name {}",
        names.display()
    );
    (error, text)
}

#[test]
fn a_file_is_no_directory() {
    let directory = Directory::new();
    let path = directory.join("a file");
    fs::write(&path, "mine").unwrap();
    let error = builder(&path).open().unwrap_err();
    assert!(matches!(error, JournalError::NotADirectory { .. }), "{error}");
    assert_eq!(error.to_string(), format!("{} is not a directory", path.display()));
    let error = builder(&path.join("below")).open().unwrap_err();
    assert!(error.to_string().contains("a file"), "{error}");
    assert_eq!(fs::read(&path).unwrap(), b"mine");
}

#[cfg(unix)]
#[test]
fn a_directory_that_cannot_be_written_to_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let directory = Directory::new();
    let path = directory.join("closed");
    fs::create_dir(&path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o555)).unwrap();
    // Nothing is closed to some users.
    let is_closed = fs::write(path.join("probe"), "").is_err();
    let outcome = builder(&path).open().map(drop);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    if is_closed {
        let error = outcome.unwrap_err();
        assert!(matches!(error, JournalError::Io { .. }), "{error}");
        assert!(error.to_string().contains(&*path.to_string_lossy()), "{error}");
        assert_eq!(names(&path), Vec::<String>::new());
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_directory_that_cannot_be_made_is_named() {
    let error = builder(Path::new("/proc/no such place")).open().unwrap_err();
    assert!(matches!(error, JournalError::Io { .. }), "{error}");
    assert!(error.to_string().contains("/proc/no such place"), "{error}");
}

#[test]
fn a_journal_that_this_process_has_open_is_refused_until_it_is_let_go() {
    let directory = Directory::new();
    let path = directory.path();
    let first = service(path, &clock_at(START));
    first.create_queue("jobs", QueueAttributes::new()).unwrap();
    let (error, text) = refused(path, path);
    assert!(
        matches!(error, JournalError::Locked { pid: Some(pid), .. } if pid == id()),
        "{error}"
    );
    assert!(text.contains("this process"), "{text}");
    first.queue("jobs").unwrap().send("still open").unwrap();
    first.close().unwrap();
    let second = builder(path).open().unwrap();
    let jobs = second.queue("jobs").unwrap();
    drop(second);
    assert!(builder(path).open().is_err(), "a queue keeps its journal open");
    drop(jobs);
    builder(path).open().unwrap();
}

const HELD: &str = "REQUEUE_HELD_DIRECTORY";

/// Opens a journal and keeps it until its input ends; does nothing when it is run as a test.
#[test]
fn holder() {
    let Some(directory) = env::var_os(HELD) else { return };
    let held = service(Path::new(&directory), &clock_at(START));
    stdout().write_all(b"\nheld\n").unwrap();
    let _ = stdin().read_to_end(&mut Vec::new());
    drop(held);
}

#[test]
fn a_journal_that_another_process_has_open_is_refused_with_its_pid() {
    let directory = Directory::new();
    let path = directory.path();
    journal(path, 3);
    let mut holder = Command::new(env::current_exe().unwrap())
        .args(["--exact", "bad_input::holder", "--nocapture", "--test-threads=1"])
        .env(HELD, path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(holder.stdout.take().unwrap()).lines();
    lines.map(Result::unwrap).find(|line| line == "held").unwrap();
    let (error, text) = refused(path, path);
    let pid = holder.id();
    if cfg!(unix) {
        assert!(
            matches!(error, JournalError::Locked { pid: Some(it), .. } if it == pid),
            "{error}"
        );
        assert!(text.contains(&format!("process {pid}")), "{text}");
    } else {
        assert!(matches!(error, JournalError::Locked { .. }), "{error}");
    }
    holder.kill().unwrap();
    holder.wait().unwrap();
    // The lock dies with its process, and its file is no obstacle.
    assert_eq!(builder(path).open().unwrap().queue("jobs").unwrap().counts().visible, 3);
}

#[test]
fn a_directory_with_something_else_in_it_is_refused() {
    for (name, content) in [
        ("notes.txt", &b"mine"[..]),
        ("segment-0000000001.log", b"not what its name says"),
        ("segment-0000000001.log", &[0; 70_000]),
        ("segment-one.log", b""),
    ] {
        let directory = Directory::new();
        fs::write(directory.join(name), content).unwrap();
        let (error, _) = refused(directory.path(), Path::new(name));
        assert!(
            matches!(error, JournalError::NotAJournal { .. } | JournalError::Damaged { .. }),
            "{name}: {error}"
        );
    }
    let directory = Directory::new();
    fs::create_dir(directory.join("src")).unwrap();
    fs::write(directory.join("src").join("main.rs"), "fn main() {}").unwrap();
    let (error, _) = refused(directory.path(), Path::new("src"));
    assert!(matches!(error, JournalError::NotAJournal { .. }), "{error}");
}

#[test]
fn hidden_files_are_no_obstacle() {
    let directory = Directory::new();
    fs::write(directory.join(".gitkeep"), "").unwrap();
    journal(directory.path(), 3);
    assert!(names(directory.path()).contains(&".gitkeep".to_owned()));
}

#[test]
fn a_journal_of_a_later_release_is_refused_by_its_version() {
    let directory = Directory::new();
    let path = directory.path();
    journal(path, 3);
    let first = &segments(path)[0];
    let mut content = fs::read(first).unwrap();
    content[8] = 2; // the version, which the checksum of the header covers
    let sum = crc32fast::hash(&content[..60]);
    content[60..64].copy_from_slice(&sum.to_le_bytes());
    fs::write(first, &content).unwrap();
    let (error, text) = refused(path, first);
    assert!(
        matches!(
            error,
            JournalError::NewerVersion {
                version: 2,
                supported: 1,
                ..
            }
        ),
        "{error}"
    );
    assert!(text.contains("version 2") && text.contains('1'), "{text}");
}

#[test]
fn a_segment_of_another_journal_is_refused() {
    let (directory, other) = (Directory::new(), Directory::new());
    journal(directory.path(), 60);
    journal(other.path(), 60);
    let (mine, foreign) = (segments(directory.path()), segments(other.path()));
    assert!(mine.len() > 3 && foreign.len() > 3);
    for place in 0..3 {
        let own = fs::read(&mine[place]).unwrap();
        fs::copy(&foreign[place], &mine[place]).unwrap();
        let (error, _) = refused(directory.path(), Path::new("segment-"));
        assert!(matches!(error, JournalError::ForeignSegment { .. }), "{error}");
        fs::write(&mine[place], own).unwrap();
    }
    builder(directory.path()).open().unwrap();
}

#[test]
fn a_segment_under_another_name_is_refused() {
    let directory = Directory::new();
    journal(directory.path(), 60);
    let mine = segments(directory.path());
    let other = directory.join("other");
    fs::rename(&mine[0], &other).unwrap();
    fs::rename(&mine[1], &mine[0]).unwrap();
    fs::rename(&other, &mine[1]).unwrap();
    refused(directory.path(), Path::new("segment-"));
}

#[test]
fn a_journal_that_is_half_deleted_is_refused() {
    let directory = Directory::new();
    journal(directory.path(), 60);
    let mine = segments(directory.path());
    assert!(mine.len() > 4);
    for missing in &mine[1..3] {
        let content = fs::read(missing).unwrap();
        fs::remove_file(missing).unwrap();
        let (error, _) = refused(directory.path(), Path::new("segment-"));
        assert!(
            matches!(error, JournalError::Damaged { .. }),
            "{}: {error}",
            missing.display()
        );
        fs::write(missing, content).unwrap();
    }
    for short in &mine[..3] {
        let content = fs::read(short).unwrap();
        fs::write(short, &content[..content.len() / 2]).unwrap();
        let (error, _) = refused(directory.path(), short);
        assert!(
            matches!(error, JournalError::Damaged { .. }),
            "{}: {error}",
            short.display()
        );
        fs::write(short, content).unwrap();
    }
    assert_eq!(
        builder(directory.path())
            .open()
            .unwrap()
            .queue("jobs")
            .unwrap()
            .counts()
            .visible,
        60
    );
}

#[test]
fn damage_names_its_file_its_offset_and_how_much_is_lost() {
    let directory = Directory::new();
    journal(directory.path(), 60);
    let first = &segments(directory.path())[0];
    let mut content = fs::read(first).unwrap();
    content[5_000] ^= 1;
    fs::write(first, &content).unwrap();
    let (error, text) = refused(directory.path(), first);
    let JournalError::Damaged { offset, records, .. } = error else {
        panic!("{error}");
    };
    assert!((3_900..=5_000).contains(&offset) && records == Some(1), "{text}");
    assert!(
        text.contains(&offset.to_string()) && text.contains("1 record"),
        "{text}"
    );
}

#[test]
fn another_region_account_or_seed_is_refused() {
    let directory = Directory::new();
    let path = directory.path();
    let first = Service::builder()
        .region("eu-west-1")
        .account_id("123456789012")
        .seed(7);
    let first = first.clock(clock_at(START)).journal(path).open().unwrap();
    first.create_queue("jobs", QueueAttributes::new()).unwrap();
    first.close().unwrap();
    let before = bytes(path);
    let given = |region: &str, account: &str, seed: u64| {
        let builder = Service::builder().region(region).account_id(account).seed(seed);
        builder.clock(clock_at(START)).journal(path).open()
    };
    for (what, stored, wrong, outcome) in [
        (
            "region",
            "eu-west-1",
            "eu-west-2",
            given("eu-west-2", "123456789012", 7),
        ),
        (
            "account",
            "123456789012",
            "000000000000",
            given("eu-west-1", "000000000000", 7),
        ),
        ("seed", "7", "8", given("eu-west-1", "123456789012", 8)),
    ] {
        let error = outcome.unwrap_err();
        assert!(matches!(error, JournalError::Mismatch { .. }), "{error}");
        assert_eq!(
            error.to_string(),
            format!("the {what} of the journal is {stored}, and {wrong} was given")
        );
        assert_eq!(bytes(path), before, "{what}");
    }
    given("eu-west-1", "123456789012", 7).unwrap();
}

#[test]
fn limits_below_the_settings_of_a_stored_queue_are_refused() {
    let directory = Directory::new();
    let path = directory.path();
    let first = service(path, &clock_at(START));
    let attributes = QueueAttributes::new().visibility_timeout(Duration::from_secs(3_600));
    first.create_queue("jobs", attributes).unwrap();
    first.close().unwrap();
    drop(first);
    let before = bytes(path);
    let mut limits = Limits::default();
    limits.visibility_timeout = Duration::from_secs(600);
    let small = Service::builder().clock(clock_at(START)).limits(limits).journal(path);
    let error = small.open().unwrap_err();
    let text = error.to_string();
    assert!(text.contains("jobs") && text.contains("VisibilityTimeout"), "{text}");
    assert_eq!(bytes(path), before);
}

#[test]
fn attributes_limits_and_budgets_below_what_is_stored_lose_nothing() {
    let directory = Directory::new();
    let path = directory.path();
    let first = service(path, &clock_at(START));
    let jobs = first.create_queue("jobs", QueueAttributes::new()).unwrap();
    for _ in 0..10 {
        jobs.send("x".repeat(5_000)).unwrap();
    }
    jobs.receive().max_messages(5).blocking().unwrap();
    jobs.set_attributes(QueueAttributes::new().maximum_message_size(1_024))
        .unwrap();
    drop(jobs);
    first.close().unwrap();
    drop(first);
    let mut limits = Limits::default();
    limits.in_flight_standard = 3;
    let small = Service::builder()
        .clock(clock_at(START))
        .limits(limits)
        .budget(Budget::new().messages(2));
    let small = small.journal(path).open().unwrap();
    let jobs = small.queue("jobs").unwrap();
    assert_eq!((jobs.counts().visible, jobs.counts().in_flight), (5, 5));
    assert_eq!(
        jobs.send("y".repeat(2_000)).unwrap_err().code(),
        "InvalidParameterValue"
    );
    assert_eq!(jobs.send("small").unwrap_err().code(), "OverLimit");
    assert_eq!(jobs.receive().blocking().unwrap_err().code(), "OverLimit");
    drop((jobs, small));
    let again = builder(path).open().unwrap();
    let received = again
        .queue("jobs")
        .unwrap()
        .receive()
        .max_messages(10)
        .blocking()
        .unwrap();
    assert!(received.len() == 5 && received.iter().all(|message| message.body().len() == 5_000));
}

#[test]
fn queues_whose_names_differ_by_case_are_two() {
    let directory = Directory::new();
    let first = service(directory.path(), &clock_at(START));
    for name in ["jobs", "Jobs", "JOBS"] {
        first
            .create_queue(name, QueueAttributes::new())
            .unwrap()
            .send(name)
            .unwrap();
    }
    first.close().unwrap();
    drop(first);
    let again = service(directory.path(), &clock_at(START));
    for name in ["jobs", "Jobs", "JOBS"] {
        let messages = again
            .queue(name)
            .unwrap()
            .receive()
            .max_messages(10)
            .blocking()
            .unwrap();
        assert_eq!(messages.iter().map(|it| it.body()).collect::<Vec<_>>(), [name]);
    }
}

#[test]
fn a_path_may_hold_spaces_and_need_not_be_there() {
    let directory = Directory::new();
    let path = directory.join("not there").join("  a name \u{e9} ");
    journal(&path, 3);
    assert_eq!(
        service(&path, &clock_at(START)).queue("jobs").unwrap().counts().visible,
        3
    );
}

#[cfg(target_os = "linux")]
#[test]
fn a_path_need_not_be_utf_8() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};
    let directory = Directory::new();
    let path = directory.join(OsStr::from_bytes(b"caf\xe9 \xff"));
    journal(&path, 3);
    let again = service(&path, &clock_at(START));
    assert_eq!(again.queue("jobs").unwrap().counts().visible, 3);
    let error = builder(&path).open().unwrap_err();
    assert!(error.to_string().contains("caf"), "{error}");
}

#[test]
fn a_queue_of_its_own_of_the_other_kind_or_with_bad_attributes_is_refused() {
    let directory = Directory::new();
    let path = directory.path();
    let open = |builder: requeue::QueueBuilder| builder.clock(clock_at(START)).journal(path).open();
    let jobs = open(Queue::standard("jobs")).unwrap();
    jobs.send("resize").unwrap();
    jobs.close().unwrap();
    drop(jobs);
    for refused in [
        open(Queue::standard("no good")),
        open(Queue::fifo("jobs")),
        open(Queue::standard("jobs").visibility_timeout(Duration::from_secs(50_000))),
    ] {
        let error = refused.unwrap_err();
        assert!(!error.to_string().is_empty(), "{error}");
    }
    let jobs = open(Queue::standard("jobs")).unwrap();
    assert_eq!(jobs.receive().blocking().unwrap()[0].body(), "resize");
    let fifo = SendMessage::new("order").message_group_id("g");
    assert!(jobs.send(fifo.message_deduplication_id("d")).is_err());
}

#[test]
fn a_segment_size_out_of_range_is_refused_or_brought_into_it() {
    for size in [0, 1, 4_095] {
        let directory = Directory::new();
        match Service::builder().journal(directory.path()).segment_bytes(size).open() {
            Ok(service) => {
                let jobs = service.create_queue("jobs", QueueAttributes::new()).unwrap();
                jobs.send("x".repeat(20_000)).unwrap();
                drop(jobs);
                service.close().unwrap();
                drop(service);
                let again = Service::builder().journal(directory.path()).open().unwrap();
                assert_eq!(again.queue("jobs").unwrap().counts().visible, 1);
            }
            Err(error) => assert!(error.to_string().contains(&size.to_string()), "{error}"),
        }
    }
}
