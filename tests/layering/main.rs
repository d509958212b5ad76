//! The laws of the crate that the compiler does not know, read off the text of the crate.
//!
//! Each law takes one source file and names every line that breaks it. `made_up.rs` shows made-up sources to every
//! law, so that a law that has gone blind fails too.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, fs,
    path::{Path, PathBuf},
};

use rules::a_rule_that_is_cited_exists;
use rust::{Token, outside_tests, paths, test_modules, tokens};

// A bench has no harness that would run the tests of what the benches share.
#[path = "../../benches/driver/mod.rs"]
#[allow(dead_code, reason = "its tests alone are run here")]
mod driver;
mod made_up;
mod rules;
mod rust;

/// The layers, lowest first: a module names those of its own layer and of the layers below.
const LAYERS: &[&[&str]] = &[
    &["time", "limits"],
    &["error", "message", "attributes"],
    &["state"],
    &["sync"],
    &["clock"],
    &["queue"],
    &["service"],
    &["backend", "journal"],
    &["aws", "testing", "worker", "schedule", "request", "topics", "payloads"],
    &["sim"],
];

/// The top modules, each for somebody outside.
const ADAPTERS: &[&str] = &["aws", "testing", "worker", "schedule", "request", "topics", "payloads"];

/// Documentation only; it may point anywhere.
const OUTSIDE_LAYERS: &str = "guide";

/// What would let the state machine see a clock, a lock, a thread or chance.
const IMPURE: &[&str] = &[
    "Clock",
    "Condvar",
    "Instant",
    "ManualClock",
    "Mutex",
    "RwLock",
    "SystemClock",
    "SystemTime",
    "crossbeam_channel",
    "parking_lot",
    "rand",
    "thread",
];

/// Machine time, and every way to wait for it.
const MACHINE_TIME: &[&str] = &[
    "Instant",
    "SystemTime",
    "park_timeout",
    "recv_deadline",
    "recv_timeout",
    "sleep",
    "sleep_until",
    "wait_for",
    "wait_timeout",
    "wait_until",
    "wait_while_for",
];

const SLEEPS: &[&str] = &["sleep", "sleep_ms", "sleep_until"];

const LONGEST_FILE: usize = 600;

struct Source {
    /// From the root of the crate, with forward slashes.
    path: String,
    text: String,
    tokens: Vec<Token>,
    /// `tokens` without what is compiled for tests alone.
    code: Vec<Token>,
}

struct Breach {
    path: String,
    line: usize,
    law: &'static str,
    found: String,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, line, law, found } = self;
        write!(f, "{path}:{line}: {law}: {found}")
    }
}

type Law = fn(&Source) -> Vec<Breach>;

impl Source {
    fn new(path: &str, text: &str) -> Self {
        let tokens = tokens(text);
        let code = outside_tests(&tokens);
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
            tokens,
            code,
        }
    }

    /// `src/state/queue.rs` is `[state, queue]`, `src/state/mod.rs` is `[state]`, `src/lib.rs` and others are `[]`.
    fn module(&self) -> Vec<&str> {
        let Some(inside) = self.path.strip_prefix("src/") else {
            return Vec::new();
        };
        let mut module: Vec<_> = inside.trim_end_matches(".rs").split('/').collect();
        if matches!(module.last(), Some(&("mod" | "lib"))) {
            module.pop();
        }
        module
    }

    fn top_module(&self) -> Option<&str> {
        self.module().first().copied()
    }

    fn is_in(&self, folder: &str) -> bool {
        self.path.starts_with(folder)
    }

    fn breach(&self, law: &'static str, line: usize, found: impl Into<String>) -> Breach {
        Breach {
            path: self.path.clone(),
            line,
            law,
            found: found.into(),
        }
    }

    fn named(&self, law: &'static str, tokens: &[Token], names: &[&str]) -> Vec<Breach> {
        let found = tokens.iter().filter(|it| names.contains(&it.text.as_str()));
        found
            .map(|it| self.breach(law, it.line, format!("`{}`", it.text)))
            .collect()
    }
}

// The laws.

fn imports_go_down_the_layers(source: &Source) -> Vec<Breach> {
    const LAW: &str = "a module names only its own layer and those below";
    let layer = |module: &str| LAYERS.iter().position(|layer| layer.contains(&module));
    let Some(top) = source.top_module().filter(|top| *top != OUTSIDE_LAYERS) else {
        return Vec::new();
    };
    let Some(own) = layer(top) else {
        let found = format!("`{top}` is in no layer: add it to LAYERS");
        return vec![source.breach(LAW, 1, found)];
    };
    let mut breaches = Vec::new();
    for (path, line) in paths_into_the_crate(source) {
        let whole = path.join("::");
        let found = match layer(&path[0]) {
            Some(other) if other <= own => continue,
            Some(_) => format!("`{top}` names `crate::{whole}`"),
            None => format!("`crate::{whole}` hides its module: name `crate::<module>::..` instead"),
        };
        breaches.push(source.breach(LAW, line, found));
    }
    breaches
}

fn adapters_do_not_know_each_other(source: &Source) -> Vec<Breach> {
    const LAW: &str = "an adapter names no other adapter";
    let Some(top) = source.top_module().filter(|top| ADAPTERS.contains(top)) else {
        return Vec::new();
    };
    let other = |(path, _): &(Vec<String>, usize)| path[0] != top && ADAPTERS.contains(&path[0].as_str());
    let found = paths_into_the_crate(source).into_iter().filter(other);
    found
        .map(|(path, line)| source.breach(LAW, line, format!("`crate::{}`", path.join("::"))))
        .collect()
}

fn the_lab_uses_adapters_as_others_do(source: &Source) -> Vec<Breach> {
    const LAW: &str = "`sim` names what `testing` and `worker` are for others, and no other adapter";
    if source.top_module() != Some("sim") {
        return Vec::new();
    }
    let is_module = |name: &String| name.starts_with(|it: char| it.is_ascii_lowercase());
    let breaks = |(path, _): &(Vec<String>, usize)| match path[0].as_str() {
        "testing" | "worker" => path.len() > 2 && is_module(&path[1]),
        other => ADAPTERS.contains(&other),
    };
    let found = paths_into_the_crate(source).into_iter().filter(breaks);
    found
        .map(|(path, line)| source.breach(LAW, line, format!("`crate::{}`", path.join("::"))))
        .collect()
}

fn the_state_machine_is_pure(source: &Source) -> Vec<Breach> {
    const LAW: &str = "`state` is given time and chance and knows no clock, lock, thread or random source";
    if source.top_module() != Some("state") {
        return Vec::new();
    }
    source.named(LAW, &source.code, IMPURE)
}

fn only_sync_names_the_lock_library(source: &Source) -> Vec<Breach> {
    const LAW: &str = "only src/sync.rs names a lock library";
    if !source.is_in("src/") || source.top_module() == Some("sync") {
        return Vec::new();
    }
    let mut breaches = source.named(LAW, &source.code, &["parking_lot"]);
    for (path, line) in paths(&source.code) {
        let path = path.join("::");
        let locks = ["Mutex", "RwLock", "Condvar", "*"].map(|it| format!("std::sync::{it}"));
        if locks.iter().any(|lock| path.starts_with(lock)) {
            breaches.push(source.breach(LAW, line, format!("`{path}`")));
        }
    }
    breaches
}

fn only_the_clock_reads_time_or_sleeps(source: &Source) -> Vec<Breach> {
    const LAW: &str = "only src/clock reads the machine's time or waits for it";
    if !source.is_in("src/") || source.top_module() == Some("clock") || is_in_paused_time(source) {
        return Vec::new();
    }
    source.named(LAW, &source.code, MACHINE_TIME)
}

/// The time of tokio and of the AWS SDK is moved there with the virtual clock.
fn is_in_paused_time(source: &Source) -> bool {
    source.path.contains("on_tokio") || source.path.contains("testing/sdk/")
}

fn the_reference_model_stands_alone(source: &Source) -> Vec<Breach> {
    const LAW: &str = "the reference model names nothing of the crate that it is a model of";
    if !source.is_in("tests/model/reference/") {
        return Vec::new();
    }
    let mut breaches = source.named(LAW, &source.code, &["requeue"]);
    for (path, line) in paths(&source.code) {
        if path[0] == "crate" && path.len() > 1 {
            breaches.push(source.breach(LAW, line, path.join("::")));
        }
    }
    breaches
}

fn tests_do_not_sleep(source: &Source) -> Vec<Breach> {
    const LAW: &str = "no test sleeps, except those of the system clock and of foreign servers";
    let of_the_system_clock = source.top_module() == Some("clock") || source.path.contains("system_clock");
    let takes_no_time = of_the_system_clock || is_in_paused_time(source);
    if takes_no_time || source.is_in("tests/clients/") || !(source.is_in("src/") || source.is_in("tests/")) {
        return Vec::new();
    }
    source.named(LAW, &source.tokens, SLEEPS)
}

fn no_file_is_longer_than_600_lines(source: &Source) -> Vec<Breach> {
    const LAW: &str = "a file has at most 600 lines";
    let lines = source.text.lines().count();
    if lines <= LONGEST_FILE {
        return Vec::new();
    }
    vec![source.breach(LAW, LONGEST_FILE + 1, format!("it has {lines}"))]
}

fn sources_are_ascii(source: &Source) -> Vec<Breach> {
    const LAW: &str = "src is ASCII";
    if !source.is_in("src/") {
        return Vec::new();
    }
    let lines = source.text.lines().enumerate();
    let breaches = lines.filter_map(|(at, line)| {
        let foreign = line.chars().find(|it| !it.is_ascii())?;
        Some(source.breach(LAW, at + 1, foreign.escape_unicode().to_string()))
    });
    breaches.collect()
}

fn nothing_is_left_undone(source: &Source) -> Vec<Breach> {
    const LAW: &str = "nothing is ignored or left for later";
    // Written in halves, so that this file keeps its own law.
    const MARKS: [&str; 2] = [concat!("FIX", "ME"), concat!("```", "ignore")];
    let mut breaches = Vec::new();
    for (at, line) in source.text.lines().enumerate() {
        let marks = MARKS.iter().filter(|mark| line.contains(*mark));
        breaches.extend(marks.map(|mark| source.breach(LAW, at + 1, *mark)));
    }
    for pair in source.tokens.windows(2) {
        let [first, second] = pair else { continue };
        let undone = match second.text.as_str() {
            "!" => ["todo", "unimplemented"].contains(&first.text.as_str()),
            "ignore" => first.text == "[",
            _ => false,
        };
        if undone {
            breaches.push(source.breach(LAW, first.line, format!("{}{}", first.text, second.text)));
        }
    }
    breaches
}

/// The paths that begin inside the crate, in terms of its root: `super::` is resolved.
fn paths_into_the_crate(source: &Source) -> Vec<(Vec<String>, usize)> {
    let module: Vec<_> = source.module().into_iter().map(str::to_owned).collect();
    let from_the_root = |path: Vec<String>| {
        let mut base = match path[0].as_str() {
            "crate" => Vec::new(),
            "self" | "super" => module.clone(),
            _ => return None,
        };
        let keyword = |it: &&String| ["crate", "self", "super"].contains(&it.as_str());
        let keywords = path.iter().take_while(keyword).count();
        let (keywords, named) = path.split_at(keywords);
        let up = keywords.iter().filter(|it| *it == "super").count();
        base.truncate(base.len().saturating_sub(up));
        base.extend_from_slice(named);
        (!named.is_empty()).then_some(base)
    };
    let found = paths(&source.code).into_iter();
    found
        .filter_map(|(path, line)| Some((from_the_root(path)?, line)))
        .collect()
}

// The crate under the laws.

fn sources() -> Vec<Source> {
    let files = files(&["src", "tests", "benches", "examples"], "rs").into_iter();
    without_test_files(files.map(|(path, text)| Source::new(&path, &text)).collect())
}

/// Path and text of all files below `folders` with this extension.
fn files(folders: &[&str], extension: &str) -> Vec<(String, String)> {
    fn walk(folder: &Path, extension: &str, files: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                // What cargo built, below a package that stands by itself.
                if !path.ends_with("target") {
                    walk(&path, extension, files);
                }
            } else if path.extension().is_some_and(|it| it == extension) {
                files.push(path);
            }
        }
    }
    let (root, mut files) = (Path::new(env!("CARGO_MANIFEST_DIR")), Vec::new());
    for folder in folders {
        walk(&root.join(folder), extension, &mut files);
    }
    files.sort();
    let read = |file: PathBuf| {
        let path = file.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
        (path, fs::read_to_string(&file).unwrap())
    };
    files.into_iter().map(read).collect()
}

/// Takes the code from the files of modules declared under `#[cfg(test)]`.
fn without_test_files(mut sources: Vec<Source>) -> Vec<Source> {
    let mut test_files: Vec<Vec<String>> = Vec::new();
    for source in &sources {
        let module: Vec<_> = source.module().into_iter().map(str::to_owned).collect();
        let names = test_modules(&source.tokens).into_iter();
        test_files.extend(names.map(|name| [module.clone(), vec![name]].concat()));
    }
    for source in &mut sources {
        let module = source.module();
        let starts = |file: &Vec<String>| file.len() <= module.len() && file.iter().zip(&module).all(|(a, b)| a == b);
        if test_files.iter().any(starts) {
            source.code.clear();
        }
    }
    sources
}

fn assert_kept(law: Law) {
    let breaches: Vec<_> = sources().iter().flat_map(law).collect();
    let lines: Vec<_> = breaches.iter().map(Breach::to_string).collect();
    assert!(lines.is_empty(), "\n{}\n", lines.join("\n"));
}

#[test]
fn the_walk_finds_the_crate() {
    let found: Vec<_> = sources().into_iter().map(|it| it.path).collect();
    for path in ["src/lib.rs", "tests/layering/main.rs"] {
        let there = found.iter().any(|it| it == path);
        assert!(there, "{path} is not among {found:?}");
    }
}

macro_rules! the_crate_keeps {
    ($($law:ident)*) => { mod the_crate_keeps { $(#[test] fn $law() { super::assert_kept(super::$law); })* } };
}

the_crate_keeps! {
    imports_go_down_the_layers
    adapters_do_not_know_each_other
    the_lab_uses_adapters_as_others_do
    the_state_machine_is_pure
    only_sync_names_the_lock_library
    only_the_clock_reads_time_or_sleeps
    the_reference_model_stands_alone
    tests_do_not_sleep
    no_file_is_longer_than_600_lines
    sources_are_ascii
    nothing_is_left_undone
    a_rule_that_is_cited_exists
}

/// For each module the files or folders in it, and those of its siblings that each names.
fn siblings_named() -> BTreeMap<String, BTreeMap<String, BTreeSet<String>>> {
    let mut modules: BTreeMap<String, BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
    for source in sources() {
        let (path, paths) = (source.module(), paths_into_the_crate(&source));
        let [module, file, ..] = path[..] else { continue };
        let named = paths
            .into_iter()
            .filter(|(path, _)| path[0] == module && path.len() > 1);
        let others = named.map(|(mut path, _)| path.remove(1)).filter(|other| other != file);
        let names = modules.entry(module.to_owned()).or_default();
        names.entry(file.to_owned()).or_default().extend(others);
    }
    modules
}

#[test]
fn the_files_of_a_module_name_each_other_in_no_circle() {
    let mut modules = siblings_named();
    for module in [
        "aws", "backend", "queue", "schedule", "service", "sim", "state", "testing", "worker",
    ] {
        let mut names = modules.remove(module).unwrap_or_default();
        assert!(names.len() > 5, "{module}: {names:?}");
        // A file that names none of those left is in no circle.
        let free = |names: &BTreeMap<String, BTreeSet<String>>| {
            let mut files = names.iter();
            let free = files.find(|(_, others)| others.iter().all(|other| !names.contains_key(other)));
            free.map(|(file, _)| file.clone())
        };
        while let Some(file) = free(&names) {
            names.remove(&file);
        }
        assert!(names.is_empty(), "{module}: {names:#?}");
    }
}
