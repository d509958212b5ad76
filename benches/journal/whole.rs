//! The cases that look at a directory as a whole: what is written to it, how it opens, and how small it becomes.

use {
    super::{
        child::Child,
        contenders::{Level, Ours, Redb, Rusqlite, Store},
        driver::{Scale, median},
        place::{Written, size, within},
        table::{Figure, Goal, Row},
        turns::{REDB, RUSQLITE_OFF},
    },
    crate::BODY,
    std::{
        fs,
        path::Path,
        thread,
        time::{Duration, Instant},
    },
};

const REDB_UNSYNCED: &str = "redb, Durability::None, in batches of a thousand";
const RUSQLITE_BATCHES: &str = "rusqlite, WAL, synchronous=off, in batches of a thousand";
const MESSAGES: usize = 1_000_000;

/// What a message's life writes, in bytes that are passed to the operating system, in pages and in the log.
pub(crate) fn bytes_written(directory: &Path, scale: Scale) -> Vec<Row> {
    let goal = Goal::AtMost(2.0 * BODY.len() as f64);
    let path = within(directory, "requeue");
    let ours = Ours::open(&path, Level::Written);
    let messages = scale.of(500_000);
    let segments_before = last_segment(&path);
    let mut rows = lives("requeue, passed to the system", "requeue, pages", &ours, messages);
    if let Some(passed) = rows.first_mut() {
        passed.goal = Some(goal);
    }
    let segments = (last_segment(&path) - segments_before) as f64;
    let log = Figure::Bytes(segments * SEGMENT / messages as f64);
    rows.push(Row::new("requeue, length of the log, in whole segments", log).with_goal(goal));
    drop(ours);

    let ours = Ours::open(&within(directory, "backlog"), Level::Written);
    ours.fill(scale.of(100_000), BODY);
    rows.extend(lives(
        "requeue beside a backlog of 100,000, passed",
        "requeue beside a backlog of 100,000, pages",
        &ours,
        messages,
    ));
    let few = scale.of(50_000);
    let rusqlite = Rusqlite::open_off(&within(directory, "rusqlite"));
    rows.extend(lives(RUSQLITE_OFF, "rusqlite, pages", &rusqlite, few));
    let redb = Redb::open(&within(directory, "redb"));
    rows.extend(lives(REDB, "redb, pages", &redb, scale.of(5_000)));
    rows
}

fn lives(passed: &'static str, pages: &'static str, store: &dyn Store, messages: usize) -> Vec<Row> {
    let written = Written::during(|| {
        for _ in 0..messages {
            store.send(BODY);
            store.take();
        }
    });
    let row = |name, bytes: f64| Row::new(name, Figure::Bytes(bytes / messages as f64));
    let rows = written.map(|written| vec![row(passed, written.passed), row(pages, written.pages)]);
    rows.unwrap_or_default()
}

/// The length of a segment, unless it is set.
const SEGMENT: f64 = (8 << 20) as f64;

/// The number of the last segment, which its file is named by.
fn last_segment(directory: &Path) -> u64 {
    let names = fs::read_dir(directory.join("journal")).expect("the journal is open");
    let numbers = names.filter_map(|entry| {
        let name = entry.ok()?.file_name().into_string().ok()?;
        name.strip_prefix("segment-")?.strip_suffix(".log")?.parse().ok()
    });
    numbers.max().expect("an open journal has a segment")
}

/// Fills a directory in a process that is then killed, and opens it until a message is received.
pub(crate) fn opening(directory: &Path, scale: Scale) -> Vec<Row> {
    let rounds = scale.rounds(3);
    let messages = scale.of(MESSAGES);
    let mut seconds: Vec<Vec<f64>> = vec![Vec::new(); KILLED.len()];
    for round in 0..rounds {
        for ((name, ..), seconds) in KILLED.iter().zip(&mut seconds) {
            let path = within(directory, &format!("{name}-{round}"));
            Child::fill(name, &path, messages).kill();
            let begun = Instant::now();
            let store = reopen(name, &path, messages);
            seconds.push(begun.elapsed().as_secs_f64());
            store.take();
            drop(store);
            fs::remove_dir_all(&path).expect("the directory is ours");
        }
    }
    let rows = KILLED.iter().zip(seconds);
    let rows = rows.map(|((_, contender, goal), seconds)| Row {
        goal: *goal,
        ..Row::new(contender, Figure::Seconds(median(seconds.into_iter())))
    });
    rows.collect()
}

/// The names by which a child is told what to fill, and how they stand in the table.
const KILLED: &[(&str, &str, Option<Goal>)] = &[
    ("requeue", "requeue, all calls written", Some(Goal::AtMost(3.0))),
    ("rusqlite", RUSQLITE_OFF, None),
    ("redb", REDB, None),
];

/// What a child fills.
pub(crate) fn open(name: &str, directory: &Path) -> Box<dyn Store> {
    match name {
        "requeue" => Box::new(Ours::open(directory, Level::Written)),
        "rusqlite" => Box::new(Rusqlite::open_off(directory)),
        "redb" => Box::new(Redb::open(directory)),
        _ => panic!("no contender is called {name}"),
    }
}

/// Opens what a child filled; ours tells whether all is there.
fn reopen(name: &str, directory: &Path, messages: usize) -> Box<dyn Store> {
    if name != "requeue" {
        return open(name, directory);
    }
    let ours = Ours::open(directory, Level::Written);
    assert_eq!(ours.len(), messages, "a killed process loses nothing that was written");
    Box::new(ours)
}

/// Fills a directory, empties it, and waits until it changes no more.
pub(crate) fn emptied(directory: &Path, scale: Scale) -> Vec<Row> {
    let messages = scale.of(MESSAGES);
    let goal = Goal::AtMost((24 << 20) as f64);
    let rest = |name: &'static str, open: &dyn Fn(&Path) -> Box<dyn Store>| {
        let path = within(directory, name);
        let store = open(&path);
        store.fill(messages, BODY);
        store.drain(messages);
        Row::new(name, Figure::Size(size_at_rest(&path)))
    };
    vec![
        rest("requeue, all calls written", &|path| {
            Box::new(Ours::open(path, Level::Written))
        })
        .with_goal(goal),
        rest(RUSQLITE_BATCHES, &|path| Box::new(Rusqlite::open_off(path))),
        rest(REDB_UNSYNCED, &|path| Box::new(Redb::open_unsynced(path))),
    ]
}

/// The size of a directory once it has not changed for a second.
fn size_at_rest(directory: &Path) -> f64 {
    let measure = || size(directory).expect("the directory is ours");
    let (mut bytes, mut changed) = (measure(), Instant::now());
    let begun = Instant::now();
    while changed.elapsed() < Duration::from_secs(1) && begun.elapsed() < Duration::from_secs(60) {
        thread::sleep(Duration::from_millis(50));
        let now = measure();
        if now != bytes {
            (bytes, changed) = (now, Instant::now());
        }
    }
    bytes as f64
}
