//! A process of this program that fills a directory and is killed.

use {
    super::whole,
    crate::BODY,
    std::{
        env,
        io::{self, BufRead, BufReader},
        path::Path,
        process::{self, Command, Stdio},
    },
};

/// What a child is to do: a contender's name, a directory and a number of messages.
const ORDER: [&str; 3] = [
    "REQUEUE_BENCH_FILL",
    "REQUEUE_BENCH_DIRECTORY",
    "REQUEUE_BENCH_MESSAGES",
];

pub(crate) struct Child(process::Child);

impl Child {
    /// Starts a child and waits until the directory is full. It keeps it open.
    pub(crate) fn fill(name: &str, directory: &Path, messages: usize) -> Self {
        let program = env::current_exe().expect("this program has a file");
        let mut child = Command::new(program)
            .env(ORDER[0], name)
            .env(ORDER[1], directory)
            .env(ORDER[2], messages.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program can be started again");
        let mut line = String::new();
        let output = child.stdout.take().expect("the output is a pipe");
        BufReader::new(output).read_line(&mut line).expect("the child answers");
        assert_eq!(line, "full\n", "the child has filled the directory");
        Self(child)
    }

    /// On Unix by SIGKILL: no destructor runs.
    pub(crate) fn kill(mut self) {
        self.0.kill().expect("the child runs until it is killed");
        self.0.wait().expect("the child was killed");
    }
}

/// Does what a child is told to do; returns if this process is none.
pub(crate) fn run_if_told() {
    let [Ok(name), Ok(directory), Ok(messages)] = ORDER.map(env::var) else {
        return;
    };
    let store = whole::open(&name, Path::new(&directory));
    store.fill(messages.parse().expect("a number of messages"), BODY);
    println!("full");
    // Nothing is ever said: the input ends only with a parent that ended itself.
    let _ = io::stdin().read_line(&mut String::new());
    process::exit(0);
}
