//! The cases whose contenders take turns: how long a message takes.

use {
    super::{
        contenders::{Bare, Effectum, Honker, Level, Ours, PersistentQueue, Redb, Rusqlite, RustQueue, Store},
        driver::{Entrant, Scale, median, ratio, take_turns},
        place::{Written, within},
        table::{Figure, Goal, Row},
    },
    crate::BODY,
    persistent_queue::Durability,
    std::{
        path::Path,
        sync::Barrier,
        thread,
        time::{Duration, Instant},
    },
};

/// All entrants of a case run in turn, and the first of them is compared with the others.
pub(crate) struct Turns {
    /// Messages in one round.
    pub(crate) operations: usize,
    pub(crate) rounds: usize,
    /// The fewest messages in a second.
    pub(crate) rate: Option<f64>,
    /// The highest ratios, and to whom.
    pub(crate) ratios: &'static [(&'static str, f64)],
    pub(crate) entrants: fn(&Path) -> Vec<Entrant>,
}

impl Turns {
    pub(crate) fn measure(&self, directory: &Path, scale: Scale) -> Vec<Row> {
        let mut entrants = (self.entrants)(directory);
        let figures = take_turns(&mut entrants, scale.of(self.operations), scale.rounds(self.rounds));
        let row = |(entrant, figure): (&Entrant, &Vec<f64>)| {
            let row = Row::new(entrant.name, Figure::Nanoseconds(median(figure.iter().copied())));
            let limit = self.ratios.iter().find(|(rival, _)| *rival == entrant.name);
            Row {
                ratio: Some(ratio(&figures[0], figure)),
                goal: limit.map(|(_, limit)| Goal::Ratio(*limit)),
                ..row
            }
        };
        let mut rows: Vec<_> = entrants.iter().zip(&figures).map(row).collect();
        rows[0].ratio = None;
        rows[0].goal = self.rate.map(Goal::PerSecond);
        rows
    }
}

pub(crate) const BARE: &str = "bare append and fdatasync, preallocated file";
const BARE_FILLED: &str = "bare append and fdatasync, file filled before";
pub(crate) const ONE_THREAD: &str = "requeue, one thread";
pub(crate) const RUSQLITE_OFF: &str = "rusqlite, WAL, synchronous=off";
pub(crate) const RUSQLITE_FULL: &str = "rusqlite, WAL, synchronous=full";
pub(crate) const REDB: &str = "redb, immediate, grouped";
pub(crate) const HONKER: &str = "honker, its default: WAL, synchronous=normal";
pub(crate) const HONKER_FULL: &str = "honker, WAL, synchronous=full";
pub(crate) const RUSTQUEUE: &str = "rustqueue, its default: redb, immediate";
pub(crate) const EFFECTUM: &str = "effectum, its only level: synchronous=normal, no WAL";
pub(crate) const PERSISTENT_REDB: &str = "persistent-queue, redb, its default: Sync";
pub(crate) const PERSISTENT_SLED: &str = "persistent-queue, sled, its default: Sync";
pub(crate) const PERSISTENT_GROUP: &str = "persistent-queue, redb, Group";

/// One thread sends; what is sent stays.
pub(crate) fn send_synced(directory: &Path) -> Vec<Entrant> {
    let ours = Ours::open(&within(directory, "requeue"), Level::Synced);
    let bytes = bytes_of_a_send(&ours);
    vec![
        sends("requeue", ours),
        sends(BARE, Bare::open(&within(directory, "bare"), bytes)),
        sends(BARE_FILLED, Bare::open_filled(&within(directory, "bare-filled"), bytes)),
        sends(RUSQLITE_FULL, Rusqlite::open_full(&within(directory, "rusqlite"))),
        sends(REDB, Redb::open(&within(directory, "redb"))),
        sends(HONKER_FULL, Honker::open_full(&within(directory, "honker"))),
        sends(RUSTQUEUE, RustQueue::open(&within(directory, "rustqueue"))),
        sends(PERSISTENT_REDB, persistent_redb(directory, Durability::Sync)),
        sends(PERSISTENT_SLED, persistent_sled(directory)),
    ]
}

/// How much a send writes; about so much where the system does not tell.
fn bytes_of_a_send(ours: &Ours) -> usize {
    const SENDS: usize = 100;
    let written = Written::during(|| (0..SENDS).for_each(|_| ours.send(BODY)));
    written.map_or(350, |written| written.passed as usize / SENDS)
}

/// Many threads send, beside one.
pub(crate) fn sends_of_64(directory: &Path) -> Vec<Entrant> {
    let open = |name| Ours::open(&within(directory, name), Level::Synced);
    vec![
        sends_of_threads("requeue, 64 threads", open("many")),
        sends(ONE_THREAD, open("one")),
        sends_of_threads(
            "redb, immediate, grouped, 64 threads",
            Redb::open(&within(directory, "redb")),
        ),
        sends_of_threads(
            "persistent-queue, redb, Group, 64 threads",
            persistent_redb(directory, Durability::Group),
        ),
    ]
}

/// Lives in which every call is synced.
pub(crate) fn lives_synced(directory: &Path) -> Vec<Entrant> {
    let mut entrants = vec![
        lives(
            "requeue, all calls synced",
            Ours::open(&within(directory, "requeue"), Level::Synced),
        ),
        lives(
            "requeue, its default",
            Ours::open(&within(directory, "default"), Level::Default),
        ),
        lives(RUSQLITE_FULL, Rusqlite::open_full(&within(directory, "rusqlite"))),
        lives(REDB, Redb::open(&within(directory, "redb"))),
        lives(HONKER_FULL, Honker::open_full(&within(directory, "honker"))),
        lives(RUSTQUEUE, RustQueue::open(&within(directory, "rustqueue"))),
    ];
    match Effectum::build() {
        Ok(()) => {
            let mut effectum = Effectum::open(&within(directory, "effectum"), BODY);
            entrants.push(Entrant {
                name: EFFECTUM,
                run: Box::new(move |messages| effectum.run(messages)),
            });
        }
        Err(complaint) => eprintln!("{complaint}"),
    }
    entrants
}

/// Lives in which sends and deletes are synced, beside queues that do not write down a receive.
pub(crate) fn lives_default(directory: &Path) -> Vec<Entrant> {
    vec![
        lives(
            "requeue, its default",
            Ours::open(&within(directory, "requeue"), Level::Default),
        ),
        lives(PERSISTENT_REDB, persistent_redb(directory, Durability::Sync)),
        lives(PERSISTENT_SLED, persistent_sled(directory)),
        lives(PERSISTENT_GROUP, persistent_group(directory)),
    ]
}

/// Lives in which every call is with the operating system when it returns.
pub(crate) fn lives_written(directory: &Path) -> Vec<Entrant> {
    vec![
        lives(
            "requeue, all calls written",
            Ours::open(&within(directory, "requeue"), Level::Written),
        ),
        lives(RUSQLITE_OFF, Rusqlite::open_off(&within(directory, "rusqlite"))),
        lives(HONKER, Honker::open(&within(directory, "honker"))),
    ]
}

/// Eight threads, each with batches of ten.
pub(crate) fn batches_of_8(directory: &Path) -> Vec<Entrant> {
    let open = |name, level| Ours::open(&within(directory, name), level);
    vec![
        batches("requeue, all calls synced", open("requeue", Level::Synced)),
        batches("requeue, its default", open("default", Level::Default)),
        batches(REDB, Redb::open(&within(directory, "redb"))),
    ]
}

fn persistent_redb(directory: &Path, durability: Durability) -> impl Store + 'static {
    PersistentQueue::redb(&within(directory, "persistent-redb"), durability)
}

fn persistent_group(directory: &Path) -> impl Store + 'static {
    PersistentQueue::redb(&within(directory, "persistent-group"), Durability::Group)
}

fn persistent_sled(directory: &Path) -> impl Store + 'static {
    PersistentQueue::sled(&within(directory, "persistent-sled"), Durability::Sync)
}

fn sends(name: &'static str, store: impl Store + 'static) -> Entrant {
    alone(name, move || store.send(BODY))
}

fn lives(name: &'static str, store: impl Store + 'static) -> Entrant {
    alone(name, move || {
        store.send(BODY);
        store.take();
    })
}

/// One thread that does `message` over and over.
fn alone(name: &'static str, message: impl Fn() + 'static) -> Entrant {
    Entrant {
        name,
        run: Box::new(move |messages| {
            let begun = Instant::now();
            (0..messages).for_each(|_| message());
            per_message(begun.elapsed(), messages)
        }),
    }
}

fn sends_of_threads(name: &'static str, store: impl Store + 'static) -> Entrant {
    together(name, 64, 1, move || store.send(BODY))
}

fn batches(name: &'static str, store: impl Store + 'static) -> Entrant {
    together(name, 8, 10, move || {
        store.send_ten(BODY);
        store.take_ten();
    })
}

/// So many threads that do `work` over and over, each time for so many messages.
fn together(name: &'static str, threads: usize, batch: usize, work: impl Fn() + Sync + 'static) -> Entrant {
    Entrant {
        name,
        run: Box::new(move |messages| {
            let turns = messages.div_ceil(threads * batch);
            let start = Barrier::new(threads);
            let work = || {
                start.wait();
                let begun = Instant::now();
                (0..turns).for_each(|_| work());
                begun
            };
            let begun = thread::scope(|scope| {
                let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
                let begun = threads.into_iter().map(|thread| thread.join().expect("a thread ends"));
                begun.min().expect("there are threads")
            });
            per_message(begun.elapsed(), turns * threads * batch)
        }),
    }
}

fn per_message(taken: Duration, messages: usize) -> f64 {
    taken.as_nanos() as f64 / messages as f64
}
