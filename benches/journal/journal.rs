//! What a queue with a journal costs beside the bare calls that it cannot do without, beside queues by hand in SQLite and
//! redb, and beside the durable queues that a Rust program could use.
//!
//! `cargo bench --manifest-path benches/journal/Cargo.toml` prints the cases; `-- --json` one object per line, `-- --quick`
//! (or `-- --test`) runs everything briefly and judges no goals, and words pick the cases whose names contain them. All
//! contenders of a case take turns in the same run; see `driver` for what a figure is. A ratio is what `requeue` takes,
//! divided by what the contender takes. Directories are made below `TMPDIR`, which has to be on a disk: a sync of a
//! `tmpfs` costs nothing. The first line says on what file system they are, and how long a bare `fdatasync` takes there.
//!
//! One operation is one message of 256 bytes. A life is a send, a receive and a delete, each a call of its own that
//! returns when it is as safe as its level says:
//!
//! * *synced*: a call survives a power cut. `requeue` with `Durability::Synced`, SQLite with synchronous=full, redb with
//!   `Durability::Immediate`, `persistent-queue` with `Sync` or `Group`.
//! * *written*: a call survives the death of the process. `requeue` with `Durability::Written`, SQLite in WAL mode with
//!   synchronous=off or normal. redb has no such level: what it has not synced is lost with the process.
//!
//! By default `requeue` syncs sends and deletes and writes receives; see `lives_default`.
//!
//! # The contenders
//!
//! * `bare`: one write and one `fdatasync` for each message, of as many bytes as `requeue` writes for a send.
//! * `rusqlite`, `redb`: a queue by hand, of a table or two. With redb the order is in memory, and a group commit of
//!   leader and followers is put on top, since redb has none.
//! * `effectum` 0.7, `honker` 0.5, `persistent-queue` 0.2, `rustqueue` 0.3: at their default and at their strongest level.
//!   `persistent-queue` runs over redb and sled, and not over RocksDB, which takes 24 minutes of a processor to build.
//!   Its receives are not written down: after a crash nothing tells that a message was received.
//!   The group commit of `rustqueue` waits up to ten milliseconds for company, so that it is slower here.
//!
//! # What it distorts
//!
//! * A virtual disk may answer a sync before the data are safe. Ratios between contenders hold; times do not.
//! * `rusqlite` and `redb` do the least that a queue must do: no ids, no attributes, no limits, no waiting receivers.
//! * `sled` answers a flush without a flush of the device: its `Sync` does not survive what it says.
//! * `effectum` runs in a process of its own, and its sends and its worker go on at once.
//! * Directories that are opened are in the cache of the operating system.
//!
//! Figures and goals are in `benches/README.md`.
#![allow(clippy::disallowed_methods, reason = "a bench measures real time")]

#[path = "../contenders/body.rs"]
mod body;
mod child;
mod contenders;
#[path = "../driver/mod.rs"]
#[allow(dead_code, reason = "this bench prints a table of its own")]
mod driver;
mod place;
mod table;
mod turns;
mod whole;

use {
    body::BODY,
    driver::{Form, NOT_JUDGED, Options, Scale, WORD},
    std::{path::Path, process::ExitCode},
    table::Row,
    turns::Turns,
};

struct Case {
    name: &'static str,
    what: &'static str,
    measure: Measure,
}

enum Measure {
    Turns(Turns),
    Whole(fn(&Path, Scale) -> Vec<Row>),
}

const CASES: &[Case] = &[
    Case {
        name: "send_synced",
        what: "one thread sends, synced",
        measure: Measure::Turns(Turns {
            operations: 200,
            rounds: 31,
            rate: None,
            ratios: &[(turns::BARE, 1.3)],
            entrants: turns::send_synced,
        }),
    },
    Case {
        name: "send_synced_64",
        what: "64 threads send, synced",
        measure: Measure::Turns(Turns {
            operations: 3_200,
            rounds: 15,
            rate: None,
            ratios: &[(turns::ONE_THREAD, 1.0 / 7.0)],
            entrants: turns::sends_of_64,
        }),
    },
    Case {
        name: "lives_written",
        what: "one thread sends, receives and deletes, all written",
        measure: Measure::Turns(Turns {
            operations: 2_000,
            rounds: 51,
            rate: Some(120_000.0),
            ratios: &[(turns::RUSQLITE_OFF, 0.1), (turns::HONKER, 1.0)],
            entrants: turns::lives_written,
        }),
    },
    Case {
        name: "batches_synced_8",
        what: "8 threads, batches of ten, synced",
        measure: Measure::Turns(Turns {
            operations: 8_000,
            rounds: 15,
            rate: Some(50_000.0),
            ratios: &[(turns::REDB, 0.5)],
            entrants: turns::batches_of_8,
        }),
    },
    Case {
        name: "lives_synced",
        what: "one thread sends, receives and deletes, all synced",
        measure: Measure::Turns(Turns {
            operations: 100,
            rounds: 31,
            rate: None,
            ratios: &[
                (turns::RUSQLITE_FULL, 1.0),
                (turns::REDB, 1.0),
                (turns::HONKER_FULL, 1.0),
                (turns::RUSTQUEUE, 1.0),
                (turns::EFFECTUM, 1.0),
            ],
            entrants: turns::lives_synced,
        }),
    },
    Case {
        name: "lives_default",
        what: "one thread sends, receives and deletes, sends and deletes synced",
        measure: Measure::Turns(Turns {
            operations: 100,
            rounds: 31,
            rate: None,
            ratios: &[
                (turns::PERSISTENT_REDB, 1.0),
                (turns::PERSISTENT_SLED, 1.0),
                (turns::PERSISTENT_GROUP, 1.0),
            ],
            entrants: turns::lives_default,
        }),
    },
    Case {
        name: "bytes_written",
        what: "what a life writes, for a body of 256 bytes",
        measure: Measure::Whole(whole::bytes_written),
    },
    Case {
        name: "opening_1000000",
        what: "opening a million messages after a kill",
        measure: Measure::Whole(whole::opening),
    },
    Case {
        name: "emptied_1000000",
        what: "a directory at rest, emptied of a million messages",
        measure: Measure::Whole(whole::emptied),
    },
];

fn main() -> ExitCode {
    child::run_if_told();
    let names: Vec<_> = CASES.iter().map(|case| case.name).collect();
    let options = match Options::read("journal", &["--quick", "--json", WORD], &names) {
        Ok(options) => options,
        Err(code) => return code,
    };
    print_place(&options);
    for case in CASES.iter().filter(|case| options.wants(case.name)) {
        let directory = place::directory();
        let rows = match &case.measure {
            Measure::Turns(turns) => turns.measure(directory.path(), options.scale),
            Measure::Whole(measure) => measure(directory.path(), options.scale),
        };
        table::print(case.name, case.what, &rows, &options);
    }
    if !options.scale.is_judged() && options.form == Form::Text {
        println!("{NOT_JUDGED}");
    }
    ExitCode::SUCCESS
}

/// Where the contenders write, and what the disk takes for the least that they ask of it.
fn print_place(options: &Options) {
    const BYTES: usize = 320;
    let directory = place::directory();
    let file_system = place::file_system(directory.path());
    let nanoseconds = place::fdatasync(directory.path(), BYTES, options.scale.of(1_000));
    if options.form == Form::Json {
        println!(r#"{{"case":"place","file_system":"{file_system}","bytes":{BYTES},"fdatasync_ns":{nanoseconds:.1}}}"#);
    } else {
        let microseconds = nanoseconds / 1e3;
        println!("{file_system}; an append of {BYTES} bytes and its fdatasync take {microseconds:.0} us\n");
    }
    if file_system == "tmpfs" {
        eprintln!("tmpfs has no disk, and a sync costs nothing there: set TMPDIR");
    }
}
