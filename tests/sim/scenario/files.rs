//! CSV files, and errors by file and line.

use requeue::sim::{Arrivals, Scenario, ServiceTime, TraceEntry};
use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

const SCENARIO: &str = r#"[queue.jobs]
[producer.web]
queue = "jobs"
arrivals.trace.file = "data/trace.csv"
[fleet.workers]
queue = "jobs"
service.empirical.file = "times.csv"
"#;

/// A directory of its own for each test.
struct Directory(PathBuf);

impl Directory {
    fn new(test: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("scenario-{test}"));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(path.join("data")).unwrap();
        let directory = Self(path);
        directory.write("scenario.toml", SCENARIO);
        directory.write("data/trace.csv", "time,group,bytes\n0,a,10\n1.5,,\n1.5,b,\n");
        directory.write("times.csv", "seconds\n0.25\n1\n");
        directory
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.0.join(name), content).unwrap();
    }

    fn read(&self) -> Result<Scenario, requeue::sim::ScenarioError> {
        Scenario::read(self.0.join("scenario.toml"))
    }

    /// What is said, with the file's name relative to the directory.
    fn error(&self) -> String {
        let error = self.read().unwrap_err();
        error.to_string().replace(&format!("{}/", self.0.display()), "")
    }
}

#[test]
fn files_are_read_from_the_directory_of_the_scenario() {
    let scenario = Directory::new("read").read().unwrap();
    let Arrivals::Trace { entries, .. } = &scenario.producer["web"].arrivals else {
        panic!()
    };
    let late = TraceEntry::new(Duration::from_millis(1_500));
    let expected = [
        TraceEntry::new(Duration::ZERO).group("a").bytes(10),
        late.clone(),
        late.group("b"),
    ];
    assert_eq!(entries[..], expected);
    let ServiceTime::Empirical { times, .. } = &scenario.fleet["workers"].service else {
        panic!()
    };
    assert_eq!(times[..], [Duration::from_millis(250), Duration::from_secs(1)]);
}

#[test]
fn what_is_written_names_the_files_and_not_their_content() {
    let directory = Directory::new("written");
    let scenario = directory.read().unwrap();
    let text = scenario.to_toml().unwrap();
    assert!(text.contains("data/trace.csv") && !text.contains("1.5"), "{text}");
    directory.write("scenario.toml", text);
    assert_eq!(directory.read().unwrap(), scenario);
}

#[test]
fn columns_may_be_absent_and_in_any_order() {
    let directory = Directory::new("columns");
    directory.write("data/trace.csv", "bytes , time\n7, 2\n");
    directory.write("times.csv", "0.25\n");
    let scenario = directory.read().unwrap();
    let Arrivals::Trace { entries, .. } = &scenario.producer["web"].arrivals else {
        panic!()
    };
    assert_eq!(entries[..], [TraceEntry::new(Duration::from_secs(2)).bytes(7)]);
}

#[test]
fn errors_of_a_trace_name_its_line() {
    let directory = Directory::new("trace");
    const AT: &str = "producer.web.arrivals.trace";
    for (content, expected) in [
        (
            "when,group\n1,a\n",
            format!(
                "data/trace.csv:1: {AT}: there is no column \"when\" in a trace, known are \"time\", \"group\", \"bytes\""
            ),
        ),
        (
            "group,bytes\na,1\n",
            format!(
                "data/trace.csv:1: {AT}: the header has no column \"time\", a trace begins with \"time,group,bytes\""
            ),
        ),
        (
            "time,time\n1,1\n",
            format!("data/trace.csv:1: {AT}: the header has the column \"time\" twice"),
        ),
        (
            "",
            format!(
                "data/trace.csv:1: {AT}: the header has no column \"time\", a trace begins with \"time,group,bytes\""
            ),
        ),
        (
            "time\n1\nx\n",
            format!(
                "data/trace.csv:3: {AT}: the time \"x\" is not a number of seconds, which is finite and at least 0"
            ),
        ),
        (
            "time\n1\n-2\n",
            format!(
                "data/trace.csv:3: {AT}: the time \"-2\" is not a number of seconds, which is finite and at least 0"
            ),
        ),
        (
            "time,bytes\n1,1.5\n",
            format!("data/trace.csv:2: {AT}: the size \"1.5\" is not a whole number of bytes from 0"),
        ),
        (
            "time,group\n1,a\n2\n",
            format!("data/trace.csv:3: {AT}: the line has 1 columns, it has to have 2"),
        ),
        (
            "time\n\n5\n\n4\n",
            format!(
                "data/trace.csv:5: {AT}.entries.1.time: `time` is 4 s, it has to be that of the entry before, 5 s, or later"
            ),
        ),
        (
            "time,bytes\n1,5\n2,0\n",
            format!("data/trace.csv:3: {AT}.entries.1.bytes: `bytes` is 0, it has to be 1 to 262144"),
        ),
    ] {
        directory.write("data/trace.csv", content);
        assert_eq!(directory.error(), expected, "{content:?}");
    }
    directory.write("data/trace.csv", "time\n");
    assert_eq!(
        directory.error(),
        format!("scenario.toml:4: {AT}: data/trace.csv has no message, it has to have at least 1")
    );
    directory.write("data/trace.csv", b"time,group\n1,a\n2,\xff\n");
    assert_eq!(
        directory.error(),
        format!("data/trace.csv:3: {AT}: the line is not UTF-8")
    );
    fs::remove_file(directory.0.join("data/trace.csv")).unwrap();
    let error = directory.error();
    let expected = format!("scenario.toml:4: {AT}.file: the file data/trace.csv cannot be read: ");
    assert!(error.starts_with(&expected), "{error}");
}

#[test]
fn errors_of_durations_name_their_line() {
    let directory = Directory::new("times");
    const AT: &str = "fleet.workers.service.empirical";
    for (content, expected) in [
        (
            "time\n1\nlong\n",
            format!("times.csv:3: {AT}: the time \"long\" is not a number of seconds, which is finite and at least 0"),
        ),
        (
            "1\n2,3\n",
            format!("times.csv:2: {AT}: the line has 2 columns, it has to have 1"),
        ),
        (
            "1,2\n",
            format!("times.csv:1: {AT}: the line has 2 columns, it has to have 1"),
        ),
        (
            "",
            format!("scenario.toml:7: {AT}: times.csv has no time, it has to have at least 1"),
        ),
        (
            "0\n0\n",
            format!("scenario.toml:7: {AT}: all times of times.csv are 0, at least one has to be more"),
        ),
        (
            "1\n1e9\n",
            format!("times.csv:2: {AT}.times.1: `times` is 1000000000 s, it has to be 0 s to 3650 d"),
        ),
    ] {
        directory.write("times.csv", content);
        assert_eq!(directory.error(), expected, "{content:?}");
    }
}

#[test]
fn a_file_and_a_list_are_too_much() {
    let directory = Directory::new("both");
    directory.write(
        "scenario.toml",
        SCENARIO.replace(
            "file = \"times.csv\"",
            "file = \"times.csv\"\nservice.empirical.times = [1]",
        ),
    );
    assert_eq!(
        directory.error(),
        "scenario.toml:7: fleet.workers.service.empirical: there are both `file` and `times`, there has to be one of them"
    );
}

#[test]
fn errors_name_the_file_of_the_scenario() {
    let directory = Directory::new("name");
    directory.write("scenario.toml", SCENARIO.replace("[queue.jobs]", "[queue.job]"));
    assert_eq!(
        directory.error(),
        "scenario.toml:3: producer.web.queue: there is no queue \"jobs\", the nearest known one is \"job\""
    );
}
