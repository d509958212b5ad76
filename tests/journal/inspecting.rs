//! The inspector and the salvager on directories of the machine.

use {
    crate::{
        directory::{Directory, bytes},
        open::{clock_at, service},
    },
    requeue::{
        QueueAttributes,
        journal::{JournalError, inspect, salvage},
    },
    std::{fs, path::Path, process},
};

fn with_a_message(directory: &Path) {
    let service = service(directory, &clock_at(0));
    let jobs = service.create_queue("jobs", QueueAttributes::new()).unwrap();
    jobs.send("resize cat.png").unwrap();
    service.close().unwrap();
}

#[test]
fn inspecting_and_salvaging_leave_the_directory_as_it_is() {
    let directory = Directory::new();
    let journal = directory.join("journal");
    with_a_message(&journal);
    for damaged in [false, true] {
        let segment = journal.join("segment-0000000001.log");
        if damaged {
            let mut content = fs::read(&segment).unwrap();
            content[100] ^= 1;
            fs::write(&segment, content).unwrap();
        }
        let before = bytes(&journal);
        let found = inspect(&journal).unwrap();
        assert_eq!(found.damage.is_empty(), !damaged, "{:?}", found.damage);
        let rest = directory.join(format!("rest-{damaged}"));
        let salvaged = salvage(&journal, &rest).unwrap();
        assert_eq!(salvaged.damage.is_empty(), !damaged);
        assert_eq!(bytes(&journal), before);
        assert_eq!(inspect(&rest).unwrap().queues.len(), 1);
    }
}

#[test]
fn a_journal_that_is_open_is_not_inspected() {
    let directory = Directory::new();
    let journal = directory.join("journal");
    let service = service(&journal, &clock_at(0));
    for refused in [
        inspect(&journal).map(drop),
        salvage(&journal, directory.join("rest")).map(drop),
    ] {
        let error = refused.unwrap_err();
        assert!(matches!(error, JournalError::Locked { .. }), "{error}");
        #[cfg(unix)] // elsewhere nobody reads a locked file
        assert!(error.to_string().contains(&process::id().to_string()), "{error}");
    }
    service.close().unwrap();
    inspect(&journal).unwrap();
}

#[test]
fn what_is_no_journal_is_not_inspected() {
    let directory = Directory::new();
    let file = directory.join("file");
    fs::write(&file, "text").unwrap();
    assert!(matches!(inspect(&file), Err(JournalError::NotADirectory { .. })));
    assert!(matches!(
        inspect(directory.path()),
        Err(JournalError::NotAJournal { .. })
    ));
    assert!(matches!(
        inspect(directory.join("missing")),
        Err(JournalError::Io { .. })
    ));
    assert!(!directory.join("missing").exists());
}

#[test]
fn nothing_is_salvaged_into_a_directory_that_holds_something() {
    let directory = Directory::new();
    let journal = directory.join("journal");
    with_a_message(&journal);
    let other = directory.join("other");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("file"), "text").unwrap();
    let before = bytes(directory.path());
    for to in [&other, &journal] {
        let error = salvage(&journal, to).unwrap_err();
        assert!(matches!(error, JournalError::NotEmpty { .. }), "{error}");
    }
    assert_eq!(bytes(directory.path()), before);
}
