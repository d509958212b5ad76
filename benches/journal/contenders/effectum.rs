//! `effectum`: jobs in SQLite, in a process of its own, since it links another version of SQLite.
//!
//! It has one level. It means to set WAL, by a pragma that SQLite does not have (`journal` for `journal_mode`), so that
//! it runs on a rollback journal with synchronous=normal, and syncs every commit.

use std::{
    env,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

const PACKAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/effectum");

pub(crate) struct Effectum {
    child: Child,
    requests: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Effectum {
    /// Builds the program unless it is there; `Err` is what to say if it cannot be built.
    pub(crate) fn build() -> Result<(), String> {
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut build = Command::new(cargo);
        build.args(["build", "--release", "--quiet", "--manifest-path"]);
        build.arg(format!("{PACKAGE}/Cargo.toml")).args(["--target-dir"]);
        match build.arg(format!("{PACKAGE}/target")).status() {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(format!("effectum is left out: its build ended with {status}")),
            Err(error) => Err(format!("effectum is left out: cargo did not start: {error}")),
        }
    }

    pub(crate) fn open(directory: &Path, body: &str) -> Self {
        let mut child = Command::new(format!("{PACKAGE}/target/release/effectum_life"))
            .arg(directory)
            .arg(body)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program was built");
        Self {
            requests: child.stdin.take(),
            answers: BufReader::new(child.stdout.take().expect("the output is a pipe")),
            child,
        }
    }

    /// The nanoseconds that one of so many messages took.
    pub(crate) fn run(&mut self, messages: usize) -> f64 {
        let requests = self.requests.as_mut().expect("it is open until dropped");
        writeln!(requests, "{messages}").expect("the program reads");
        let mut answer = String::new();
        self.answers.read_line(&mut answer).expect("the program answers");
        answer.trim().parse().expect("the program answers with a number")
    }
}

impl Drop for Effectum {
    fn drop(&mut self) {
        self.requests = None; // the program ends when its input does
        let _ = self.child.wait();
    }
}
