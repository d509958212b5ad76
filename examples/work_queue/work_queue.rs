//! A work queue at work: every file below a directory is a job; several threads count lines and words and compute its
//! SHA-256. `cargo run --release --example work_queue [-- DIR]` takes a few seconds; `-- --help` lists the options.
//!
//! A file that cannot be read as UTF-8 (`not-utf8.txt`, beside this one, is made for it) is left by its worker, comes
//! back when its visibility timeout ends, and is a dead letter after `--max-receive-count` receives. When all is
//! settled a move task redrives the dead letters, once. The main thread follows all this by the facts of the queue.
//! Ctrl-C lets the jobs that are begun end and gives the others back; the table then shows how far it came.
//!
//! With `--journal` the queues are in a directory. A run that is killed at any moment, `kill -9` included, goes on where it
//! was when it is started again: a file that was counted stays counted, since its result is stored before its job is
//! deleted, and a job that was begun comes back.
//!
//! Exit code: 0 if every file was counted or is a dead letter, 1 if not (`--strict`: or if dead letters are left), 2 if
//! the command line is wrong, there is no such directory, or the journal cannot be opened.

mod files;
mod measure;
mod options;
mod queues;
mod screen;
mod stop;
mod summary;
mod tally;
mod worker;

use {
    crossbeam_channel::{Receiver, Sender, select, unbounded},
    files::{Found, Shown, some},
    options::{HELP, Options},
    queues::Queues,
    requeue::{
        Clock, Counts, FactChannel, FactEntry, Service, StartMessageMoveTask, SystemClock, Timestamp, backend::Running,
        journal::JournalError, worker::RunnerHandle,
    },
    screen::Screen,
    std::{
        collections::BTreeSet,
        env,
        error::Error,
        fmt::Display,
        io::{self, Write},
        path::PathBuf,
        process::ExitCode,
        sync::Arc,
        thread,
        time::Duration,
    },
    summary::Outcome,
    tally::Tally,
    worker::{Report, Worker, send_all},
};

fn main() -> ExitCode {
    let options = match options::parse(env::args_os().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            let _ = writeln!(io::stdout(), "{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(error) => return complain(2, format!("{error}; --help lists the options")),
    };
    let found = match files::walk(&options.root) {
        Ok(found) => found,
        Err(error) => return complain(2, error),
    };
    if found.files.is_empty() && found.unlisted.is_empty() {
        let _ = writeln!(
            io::stdout(),
            "no files below {}, so there is nothing to do",
            options.root.display()
        );
        return ExitCode::SUCCESS;
    }
    match Run::new(&options, &found).and_then(|mut run| run.carry_out(&options, &found)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) if error.is::<JournalError>() => complain(2, error),
        Err(error) => complain(1, error),
    }
}

/// That nobody hears it is no reason to panic.
fn complain(exit_code: u8, what: impl Display) -> ExitCode {
    let _ = writeln!(io::stderr(), "work_queue: {what}");
    ExitCode::from(exit_code)
}

/// The main thread's view of a run.
struct Run {
    clock: SystemClock,
    started_at: Timestamp,
    queues: Queues,
    facts: Receiver<(Arc<str>, FactEntry)>,
    reports: Receiver<Report>,
    reporter: Sender<Report>,
    /// Says that somebody pressed Ctrl-C.
    stop: Receiver<()>,
    stopped: bool,
    last_done_at: Timestamp,
    tally: Tally,
    screen: Screen,
}

impl Run {
    fn new(options: &Options, found: &Found) -> Result<Self, Box<dyn Error>> {
        let clock = SystemClock::new();
        let (listener, facts) = FactChannel::unbounded();
        let queues = Queues::open(Service::builder().clock(clock).listener(listener), options)?;
        let (reporter, reports) = unbounded();
        Ok(Self {
            started_at: clock.now(),
            last_done_at: clock.now(),
            queues,
            facts,
            reports,
            reporter,
            stop: stop::signals()?,
            stopped: false,
            tally: Tally::default(),
            screen: Screen::new(clock, found.files.len()),
            clock,
        })
    }

    /// Answers with whether all is as it should be.
    fn carry_out(&mut self, options: &Options, found: &Found) -> Result<bool, Box<dyn Error>> {
        self.screen.line(format!(
            "{} below {}, {}, visibility timeout {:?}, dead letter after {}",
            some(found.files.len(), "file"),
            options.root.display(),
            some(options.workers, "worker"),
            options.visibility,
            some(options.max_receive_count as usize, "receive"),
        ));
        if let Some(line) = self.queues.note_found(&mut self.tally) {
            self.screen.line(line);
        }
        let running = self.start(options, found)?;
        self.follow();
        let (working, done) = (self.last_done_at, self.tally.done.len());
        self.redrive()?;
        running.handle().stop();
        running.join()?;
        self.catch_up();
        self.screen.finish();
        let dead = self.queues.failed.snapshot().messages.into_iter();
        let outcome = Outcome {
            tally: &self.tally,
            dead: dead.map(|message| message.content.body().clone()).collect(),
            passed_over: found.passed_over,
            unlisted: &found.unlisted,
            elapsed: self.clock.now().saturating_duration_since(self.started_at),
            working: working.saturating_duration_since(self.started_at),
            done_while_working: done,
        };
        let most = if options.all { usize::MAX } else { 20 };
        outcome.lines(most).into_iter().for_each(|line| self.screen.line(line));
        Ok(outcome.is_complete() && (outcome.dead.is_empty() || !options.strict))
    }

    /// Starts the workers, and the sender after them.
    fn start(&self, options: &Options, found: &Found) -> Result<Running<RunnerHandle>, Box<dyn Error>> {
        let worker = Worker {
            root: options.root.clone(),
            results: self.queues.results.clone(),
            reports: self.reporter.clone(),
        };
        if options.kill_worker {
            let (worker, jobs) = (worker.clone(), self.queues.jobs.clone());
            thread::Builder::new().spawn(move || worker.die_over_a_batch(&jobs))?;
            self.queues.jobs.wait_for_waiters(1); // so that it is the first to get something
        }
        let running = worker.work_off(&self.queues.jobs, options.workers)?;
        let was_sent = |path: &&PathBuf| path.to_str().is_some_and(|path| self.tally.sent.contains(path));
        let files: Vec<_> = found.files.iter().filter(|path| !was_sent(path)).cloned().collect();
        let (jobs, reporter) = (self.queues.jobs.clone(), self.reporter.clone());
        thread::Builder::new().spawn(move || send_all(&jobs, &files, &reporter))?;
        Ok(running)
    }

    /// Follows facts and reports until no job is left in the queue, or somebody wants it to stop.
    fn follow(&mut self) {
        let mut idle = 0;
        while !self.stopped {
            select! {
                recv(self.facts) -> fact => {
                    fact.into_iter().for_each(|(queue, entry)| self.note_fact(&queue, entry));
                    idle = 0;
                },
                recv(self.reports) -> report => report.into_iter().for_each(|report| self.note(report)),
                recv(self.stop) -> _ => {
                    self.screen.line("stopped: what is begun is finished, the rest given back");
                    self.stopped = true;
                },
                default(Duration::from_millis(50)) => idle += 1,
            }
            // A message on its way to the dead-letter queue is not counted for a moment.
            let lost = idle > 1 && self.queues.jobs.counts() == Counts::default();
            if self.tally.is_all_sent() && self.facts.is_empty() && (self.tally.open() == 0 || lost) {
                break;
            }
            self.screen.progress(&self.tally);
        }
        // A worker reports before its message is deleted, so that all that belongs to the jobs is here.
        self.catch_up();
    }

    /// Takes note of all facts and reports that are here.
    fn catch_up(&mut self) {
        while let Ok((queue, entry)) = self.facts.try_recv() {
            self.note_fact(&queue, entry);
        }
        while let Ok(report) = self.reports.try_recv() {
            self.note(report);
        }
    }

    fn note_fact(&mut self, queue: &str, entry: FactEntry) {
        if queue == self.queues.jobs.arn() {
            self.tally.note_fact(entry.fact);
        }
    }

    fn note(&mut self, report: Report) {
        if matches!(report, Report::Done { .. }) {
            self.last_done_at = self.clock.now();
        }
        if let Some(line) = self.tally.note_report(report) {
            self.screen.line(line);
        }
    }

    /// Moves the dead letters back, once, and follows what becomes of them.
    fn redrive(&mut self) -> Result<(), Box<dyn Error>> {
        if self.stopped {
            return Ok(());
        }
        let before = std::mem::take(&mut self.tally.dead);
        if before.is_empty() {
            self.screen.line("no dead letters, so there is nothing to redrive");
            return Ok(());
        }
        let (service, failed) = (&self.queues.service, self.queues.failed.arn());
        service.start_message_move_task(&StartMessageMoveTask::new(failed))?;
        for task in service.list_message_move_tasks(failed, None)? {
            self.screen.line(format!(
                "redrive: {} of {} moved back, move task {}{}",
                task.approximate_number_of_messages_moved,
                some(task.approximate_number_of_messages_to_move as usize, "dead letter"),
                task.status,
                task.failure_reason
                    .map_or_else(String::new, |reason| format!(", {reason}")),
            ));
        }
        self.follow();
        let again: BTreeSet<_> = before.intersection(&self.tally.dead).collect();
        self.screen.line(format!(
            "redrive: {} done this time, {} dead-lettered again",
            before.len() - again.len(),
            again.len(),
        ));
        for path in before.iter().filter(|path| !again.contains(path)) {
            self.screen.line(format!("  done this time: {}", Shown(path)));
        }
        Ok(())
    }
}
