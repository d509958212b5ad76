//! The crash loop: a child under load is killed over and over, and what it reported is compared with what is found.
//!
//! `REQUEUE_CRASH_ROUNDS=1000 cargo test --release --features journal --test journal crash` is the long run;
//! `REQUEUE_CRASH_SEED` gives it other moments.

mod controls;
mod history;
mod ledger;
mod load;

use {
    super::{
        directory::{Directory, names},
        open::{self, clock_at},
    },
    history::{Call, Draft, Report},
    ledger::{Found, Ledger, Phase},
    load::{Load, ORDERS, QUEUES, TAG, WORK, make_queues},
    rand::{Rng, SeedableRng, rngs::Xoshiro256PlusPlus},
    requeue::{Clock, ManualClock, MessagePhase, SendMessage, Service},
    std::{
        env,
        io::{BufRead, BufReader, Write, stdout},
        path::{Path, PathBuf},
        process::{Child, ChildStdout, Command, Stdio, exit},
        sync::{
            Mutex,
            atomic::{AtomicBool, Ordering},
        },
        thread,
    },
};

const ROUNDS: u64 = 40;
const THREADS: usize = 4;
const DIRECTORY: &str = "REQUEUE_CRASH_DIRECTORY";
const ROUND: &str = "REQUEUE_CRASH_ROUND";
const NOW: &str = "REQUEUE_CRASH_NOW";

// The child.

/// Writes a report; nobody reads it once the parent is dead, and then there is nothing to live for.
fn say(report: &Report) {
    if stdout().lock().write_all(format!("{report}\n").as_bytes()).is_err() {
        exit(1);
    }
}

/// The numbers of the first and the last segment.
fn segments(directory: &Path) -> Option<(u64, u64)> {
    let number = |name: String| name.strip_prefix("segment-")?.strip_suffix(".log")?.parse().ok();
    let numbers: Vec<u64> = names(directory).into_iter().filter_map(number).collect();
    Some((*numbers.first()?, *numbers.last()?))
}

/// Reports segments that come and go: when one comes the one before is full, and the oldest is compacted.
fn watch(directory: &Path) {
    let mut known = None;
    loop {
        let found = segments(directory);
        if let (true, Some((first, last))) = (found != known, found) {
            say(&Report::Segments(first, last));
            known = found;
        }
        thread::yield_now();
    }
}

fn number(name: &str) -> Option<u64> {
    env::var(name).ok()?.parse().ok()
}

/// What the crash loop starts and kills; does nothing when it is run as a test.
#[test]
fn child() {
    let (Some(directory), Some(round), Some(now)) = (env::var_os(DIRECTORY), number(ROUND), number(NOW)) else {
        return;
    };
    let (directory, clock) = (PathBuf::from(directory), clock_at(now));
    say(&Report::Opening);
    let is_open = AtomicBool::new(false);
    let service = thread::scope(|scope| {
        scope.spawn(|| {
            while !is_open.load(Ordering::Relaxed) {
                say(&Report::Tick);
            }
        });
        let service = open::service(&directory, &clock);
        is_open.store(true, Ordering::Relaxed);
        service
    });
    say(&Report::Opened);
    make_queues(&service);
    let (service, clock) = (&service, &clock);
    let load = &Load {
        service,
        clock,
        round,
        report: &|report| say(&report),
    };
    thread::scope(|scope| {
        scope.spawn(|| watch(&directory));
        for thread in 0..THREADS {
            scope.spawn(move || load.run(thread, round, usize::MAX));
        }
    });
}

// The parent.

/// When the child dies.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// After so many answers.
    Load(u64),
    /// After so many ticks, unless it has opened by then; then after one answer.
    Opening(u64),
    /// When so many segments have come or gone, and so many reports later.
    Compaction(u64, u64),
}

struct Running {
    process: Child,
    reports: BufReader<ChildStdout>,
}

impl Running {
    fn start(directory: &Path, round: u64, now: u64) -> Self {
        let mut process = Command::new(env::current_exe().unwrap())
            .args(["--exact", "crash::child", "--nocapture", "--test-threads=1"])
            .env(DIRECTORY, directory)
            .env(ROUND, round.to_string())
            .env(NOW, now.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let reports = BufReader::new(process.stdout.take().unwrap());
        Self { process, reports }
    }

    /// The next report; none at the end, where a line may be cut.
    fn next(&mut self) -> Option<Report> {
        let mut line = String::new();
        loop {
            line.clear();
            if self.reports.read_line(&mut line).unwrap() == 0 || !line.ends_with('\n') {
                return None;
            }
            if let Some(report) = Report::read(&line) {
                return Some(report);
            }
        }
    }
}

/// How a life of the child went.
#[derive(Debug, Default)]
struct Life {
    ticks: u64,
    opened: bool,
    answers: u64,
    segments: u64,
    /// Whether it was killed when a segment had come or gone.
    compacting: bool,
}

/// Reports until the moment, kills, and reads what was reported before the kill.
fn live(running: &mut Running, moment: Moment, ledger: &mut Ledger) -> Life {
    let mut life = Life::default();
    let mut after = None;
    while let Some(report) = running.next() {
        ledger.read(&report);
        match &report {
            Report::Tick => life.ticks += 1,
            Report::Opened => life.opened = true,
            Report::Answer { .. } => life.answers += 1,
            Report::Segments(..) => life.segments += 1,
            _ => {}
        }
        if let Some(left) = &mut after {
            *left -= 1;
        }
        let dies = match moment {
            Moment::Load(answers) => life.answers >= answers,
            Moment::Opening(ticks) => life.ticks >= ticks || life.answers > 0,
            Moment::Compaction(segments, later) => {
                if life.segments >= segments && after.is_none() {
                    after = Some(later);
                }
                life.compacting = after == Some(0);
                life.compacting || life.answers > 5_000
            }
        };
        if dies {
            break;
        }
    }
    running.process.kill().unwrap();
    while let Some(report) = running.next() {
        ledger.read(&report);
        life.opened |= report == Report::Opened;
    }
    let status = running.process.wait().unwrap();
    assert!(
        status.code().is_none() || cfg!(windows),
        "the child ended by itself: {status}"
    );
    life
}

/// Every message of every queue.
fn look(service: &Service) -> Vec<Found> {
    let mut found = Vec::new();
    for name in QUEUES {
        let Ok(queue) = service.queue(name) else { continue };
        for message in queue.snapshot().messages {
            found.push(Found {
                queue: name.to_owned(),
                key: load::key(message.content.body()).map(str::to_owned),
                id: message.message_id.to_string(),
                count: message.approximate_receive_count,
                phase: match message.phase {
                    MessagePhase::Delayed { until, .. } => Phase::Delayed(until.as_millis()),
                    MessagePhase::InFlight { until, .. } => Phase::InFlight(until.as_millis()),
                    _ => Phase::Visible,
                },
                blocked: message.blocked,
                group: message.content.group_id().map(str::to_owned),
                sequence: message.sequence_number.map(|it| it.to_string().parse().unwrap()),
            });
        }
    }
    found
}

fn check(ledger: &mut Ledger, service: &Service, clock: &ManualClock) -> Vec<String> {
    let tags = service.list_queue_tags(WORK).unwrap_or_default();
    ledger.check(
        &look(service),
        clock.now().as_millis(),
        tags.get(TAG).map(String::as_str),
    )
}

/// The parent's turn: what was found is used as before, by the same rules.
struct Turn<'a> {
    service: &'a Service,
    clock: &'a ManualClock,
    ledger: &'a Mutex<Ledger>,
    round: u64,
}

impl Turn<'_> {
    fn report(&self, thread: usize, call: Call, make: impl FnOnce() -> history::Answer) {
        let now = || self.clock.now().as_millis();
        self.ledger.lock().unwrap().read(&Report::Call {
            thread,
            now: now(),
            call,
        });
        let answer = make();
        self.ledger.lock().unwrap().read(&Report::Answer {
            thread,
            now: now(),
            answer,
        });
    }

    /// Deletes every second message in flight by the receipt handle that the dead process was given.
    fn use_handles(&self) -> usize {
        let handles = self.ledger.lock().unwrap().handles(self.clock.now().as_millis());
        let used: Vec<_> = handles.into_iter().step_by(2).collect();
        for (name, held, handle) in &used {
            let queue = self.service.queue(name).unwrap();
            let call = Call::Delete {
                queue: name.clone(),
                messages: vec![held.clone()],
            };
            self.report(0, call, || {
                let deleted = queue.delete(&handle.parse().unwrap());
                assert_eq!(deleted, Ok(()), "{name}: {held:?} by the handle of before");
                history::Answer::Settled(vec![Some(true)])
            });
        }
        used.len()
    }

    /// Sends again what was not answered, and some of what was: the queue remembers both.
    fn repeat(&self, unanswered: &[Call]) -> usize {
        let drafts = unanswered.iter().filter_map(|call| match call {
            Call::Send { queue, drafts } if queue == ORDERS => Some(drafts.clone()),
            _ => None,
        });
        let now = self.clock.now().as_millis();
        let (remembered, forgotten) = self.ledger.lock().unwrap().remembered(now);
        let may_be_sent = |draft: &Draft| !forgotten.contains(&draft.key);
        let mut drafts: Vec<Draft> = drafts.flatten().filter(may_be_sent).collect();
        drafts.extend(remembered.into_iter().step_by(3));
        let queue = self.service.queue(ORDERS).unwrap();
        for draft in &drafts {
            let call = Call::Send {
                queue: ORDERS.to_owned(),
                drafts: vec![draft.clone()],
            };
            self.report(0, call, || {
                let group = draft.group.clone().unwrap();
                let message = SendMessage::new(load::body(&draft.key))
                    .message_group_id(group)
                    .message_deduplication_id(draft.key.clone());
                let sent = queue.send(message).unwrap();
                let sequence = sent.sequence_number.map(|it| it.to_string().parse().unwrap());
                history::Answer::Sent(vec![Some((sent.message_id.to_string(), sequence))])
            });
        }
        drafts.len()
    }

    /// What a FIFO queue hands out is the front of each group that is not blocked, in its order.
    fn receive_in_order(&self) {
        let load = Load {
            service: self.service,
            clock: self.clock,
            round: self.round,
            report: &|report| self.ledger.lock().unwrap().read(&report),
        };
        let snapshot = look(self.service);
        let maximum = 4; // receives of this queue, after which a message moves away
        let open = |it: &&Found| it.queue == ORDERS && it.phase == Phase::Visible && !it.blocked;
        let expected: Vec<_> = snapshot.iter().filter(open).collect();
        let received = load.peek(0, ORDERS);
        for group in (0..THREADS).map(|thread| format!("g{thread}")) {
            let of_group = expected.iter().filter(|it| it.group.as_ref() == Some(&group));
            let mut keys = of_group.filter(|it| it.count < maximum).map(|it| it.key.as_deref());
            let thread = group.trim_start_matches('g');
            for one in received.iter().filter(|it| it.key.split('.').nth(1) == Some(thread)) {
                assert_eq!(keys.next(), Some(Some(one.key.as_str())), "the order of {group}");
            }
        }
    }

    fn take(&self, seed: u64, unanswered: &[Call]) -> (usize, usize) {
        let used = self.use_handles();
        let repeated = self.repeat(unanswered);
        self.receive_in_order();
        let load = Load {
            service: self.service,
            clock: self.clock,
            round: self.round,
            report: &|report| self.ledger.lock().unwrap().read(&report),
        };
        load.run(0, seed, 30);
        (used, repeated)
    }
}

/// What the rounds have reached.
#[derive(Debug, Default)]
struct Reached {
    rounds: u64,
    opening: u64,
    compacting: u64,
    removed: u64,
    answers: usize,
    handles: usize,
    repeated: usize,
}

struct Loop {
    directory: Directory,
    random: Xoshiro256PlusPlus,
    ledger: Mutex<Ledger>,
    now: u64,
    /// Ticks of the latest opening that was not killed.
    ticks: u64,
    reached: Reached,
    unanswered: Vec<Call>,
}

impl Loop {
    /// More than a third of the rounds end while the child opens or compacts.
    fn moment(&mut self, round: u64) -> Moment {
        let drawn = self.random.next_u64();
        match round % 5 {
            0 | 3 => Moment::Opening(1 + drawn % (self.ticks * 2 / 3).max(1)),
            1 => Moment::Compaction(2 + drawn % 12, (drawn >> 8) % 20),
            _ => Moment::Load(1 + drawn % 1_200),
        }
    }

    fn round(&mut self, round: u64) {
        let moment = self.moment(round);
        let mut running = Running::start(self.directory.path(), 2 * round, self.now);
        let before = segments(self.directory.path());
        let ledger = self.ledger.get_mut().unwrap();
        let life = live(&mut running, moment, ledger);
        self.unanswered.extend(ledger.died());
        self.now = self.now.max(ledger.clock);
        let after = segments(self.directory.path());
        self.reached.removed += u64::from(before.map(|it| it.0) < after.map(|it| it.0));
        self.reached.compacting += u64::from(life.compacting);
        match life.opened {
            true => self.ticks = life.ticks,
            false => self.reached.opening += 1,
        }
        // Now and then a crash follows a crash.
        if self.random.next_u64() % 4 > 0 {
            self.reopen(round, moment);
        }
        self.reached.rounds += 1;
    }

    fn reopen(&mut self, round: u64, moment: Moment) {
        self.now += [0, 0, 1_000, 40_000, 400_000][(self.random.next_u64() % 5) as usize];
        let clock = clock_at(self.now);
        let service = open::service(self.directory.path(), &clock);
        let wrong = check(self.ledger.get_mut().unwrap(), &service, &clock);
        assert_eq!(wrong, Vec::<String>::new(), "after round {round}, {moment:?}");
        make_queues(&service);
        let turn = Turn {
            service: &service,
            clock: &clock,
            ledger: &self.ledger,
            round: 2 * round + 1,
        };
        let (handles, repeated) = turn.take(self.random.next_u64(), &self.unanswered);
        self.unanswered.clear();
        self.reached.handles += handles;
        self.reached.repeated += repeated;
        let wrong = check(self.ledger.get_mut().unwrap(), &service, &clock);
        assert_eq!(wrong, Vec::<String>::new(), "after the parent's turn of round {round}");
        self.now = clock.now().as_millis();
        service.close().unwrap();
    }
}

#[test]
fn nothing_acknowledged_is_lost_or_back_when_a_process_is_killed_over_and_over() {
    let rounds = number("REQUEUE_CRASH_ROUNDS").unwrap_or(ROUNDS);
    let mut all = Loop {
        directory: Directory::new(),
        random: Xoshiro256PlusPlus::seed_from_u64(number("REQUEUE_CRASH_SEED").unwrap_or(15)),
        ledger: Mutex::new(Ledger::new()),
        now: 1_700_000_000_000,
        ticks: 1,
        reached: Reached::default(),
        unanswered: Vec::new(),
    };
    for round in 0..rounds {
        all.round(round);
    }
    all.reopen(rounds, Moment::Load(0));
    all.reached.answers = all.ledger.get_mut().unwrap().answers;
    println!("{:?}", all.reached);
    let reached = &all.reached;
    assert!(
        3 * (reached.opening + reached.compacting) >= reached.rounds,
        "{reached:?}"
    );
    assert!(
        reached.removed > 0 && reached.handles > 0 && reached.repeated > 0,
        "{reached:?}"
    );
}
