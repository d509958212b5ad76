//! The data of the dashboard's page as JSON, from a [`Service`], a [`Watch`] that listens to it, and handles of runners.
//!
//! An application that brings its own server and page copies this folder. Its dependencies are `requeue` with the feature
//! `worker`, `serde` with the feature `derive`, and `serde_json`. The watch is there before the queues, and all go by one
//! clock:
//!
//! ```text
//! let (clock, watch) = (SystemClock::new(), Watch::new(Memory::default()));
//! let service = Service::builder().clock(clock).listener(watch.clone()).build();
//! let jobs = service.create_queue("jobs", QueueAttributes::new())?;
//! let runner = Runner::builder(&jobs).each(handler)?;
//! let dashboard = Dashboard::new(service, clock, watch).runner("jobs", &jobs, runner.handle());
//! let json = dashboard.overview();
//! ```
#![allow(
    clippy::disallowed_methods,
    reason = "how often a queue is copied is paced by the machine's time, whatever clock the service has"
)]

mod watch;

pub(crate) use watch::{Memory, Watch};
use {
    requeue::{
        Clock, Counts, ListQueues, MessageId, MessageMoveTask, MessagePhase, MessageSnapshot, Queue, QueueSnapshot,
        Service, Timestamp,
        worker::{JobStatus, RunnerHandle},
    },
    serde::Deserialize,
    serde_json::{Value, json},
    std::{
        cmp::Reverse,
        collections::{BTreeMap, HashMap},
        fmt,
        sync::{Arc, Mutex, MutexGuard, PoisonError},
        time::{Duration, Instant},
    },
    watch::beginning,
};

/// Queues in an overview; the others are counted.
const MAX_QUEUES: usize = 200;

/// Bytes of a body in a list, in the view of one message, and those that a search looks at.
const LISTED_BYTES: usize = 200;
const SHOWN_BYTES: usize = 64 * 1_024;
const SEARCHED_BYTES: usize = 64 * 1_024;

/// Bytes of a reason that are shown.
const REASON_BYTES: usize = 2_000;

/// Messages in a page, at most.
const MAX_PAGE: usize = 200;

/// Groups and reasons that a page counts.
const MAX_FACETS: usize = 12;

/// A snapshot is used again for so many times what it took, so that a queue is locked for at most a twentieth of the
/// time; one that takes less than [`CHEAP`] is always new.
const PACE: u32 = 20;
const CHEAP: Duration = Duration::from_millis(1);

/// A snapshot that nobody asked for in this time is dropped, and with it what it holds of the messages.
const UNUSED: Duration = Duration::from_secs(5);

/// What the page shows, for any number of pages.
pub(crate) struct Dashboard {
    pub(crate) service: Service,
    clock: Arc<dyn Clock>,
    watch: Watch,
    runners: BTreeMap<String, Runner>,
    snapshots: Mutex<HashMap<String, Arc<Slot>>>,
}

/// A runner under its name.
struct Runner {
    queue: String,
    handle: RunnerHandle,
}

/// The latest snapshot of a queue; who takes one holds the lock, so that others wait and share it.
#[derive(Default)]
struct Slot(Mutex<Option<Arc<Shot>>>);

/// A snapshot, and why its messages failed.
pub(crate) struct Shot {
    pub(crate) snapshot: QueueSnapshot,
    reasons: HashMap<MessageId, Arc<str>>,
    taken: Instant,
    took: Duration,
}

/// Which messages of a queue. A name that is not known is refused: it would select all.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Filter {
    pub(crate) phase: Option<Phase>,
    /// The whole group id; an empty one stands for messages without a group.
    pub(crate) group: Option<String>,
    /// A part of why the message failed last.
    pub(crate) error: String,
    /// A part of the body or of the id.
    pub(crate) text: String,
}

/// A phase as the page has it: what is held back by its group is not visible.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Phase {
    Visible,
    InFlight,
    Delayed,
    Blocked,
}

/// Which page of them.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default)]
pub(crate) struct Paging {
    pub(crate) sort: Sort,
    /// From 0; beyond the last it is the last.
    pub(crate) page: usize,
    pub(crate) size: usize,
}

impl Default for Paging {
    fn default() -> Self {
        Self {
            sort: Sort::Oldest,
            page: 0,
            size: 50,
        }
    }
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Sort {
    /// In the order of the queue.
    Oldest,
    Newest,
    Receives,
    /// The next end of a delay or of a visibility timeout first; then what is visible.
    Deadline,
    Largest,
}

/// What is not there (any more).
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Missing {
    Queue(String),
    Message(String),
    Runner(String),
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Queue(name) => write!(f, "there is no queue {}", beginning(name, 80)),
            Self::Message(id) => write!(
                f,
                "message {} is not in the queue, and its life is not remembered",
                beginning(id, 80)
            ),
            Self::Runner(name) => write!(f, "there is no runner {}", beginning(name, 80)),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Dashboard {
    /// `clock` is the service's, and `watch` listens to it.
    pub(crate) fn new(service: Service, clock: impl Clock, watch: Watch) -> Self {
        Self {
            service,
            clock: Arc::new(clock),
            watch,
            runners: BTreeMap::new(),
            snapshots: Mutex::default(),
        }
    }

    /// Shows a runner of a queue under a name.
    pub(crate) fn runner(mut self, name: impl Into<String>, queue: &Queue, handle: RunnerHandle) -> Self {
        let queue = queue.name().to_owned();
        self.runners.insert(name.into(), Runner { queue, handle });
        self
    }

    pub(crate) fn queue(&self, name: &str) -> Result<Queue, Missing> {
        self.service.queue(name).map_err(|_| Missing::Queue(name.to_owned()))
    }

    pub(crate) fn handle(&self, runner: &str) -> Result<&RunnerHandle, Missing> {
        let found = self.runners.get(runner);
        found
            .map(|runner| &runner.handle)
            .ok_or_else(|| Missing::Runner(runner.to_owned()))
    }

    /// All queues and runners. Takes no snapshot: its price does not depend on how many messages there are.
    pub(crate) fn overview(&self) -> Value {
        lock(&self.snapshots).retain(|_, slot| slot.is_used());
        let now = self.clock.now();
        let (names, left_out) = self.queue_names();
        let queues = names.iter().filter_map(|name| self.service.queue(name).ok());
        let (lives, forgotten) = self.watch.remembered();
        json!({
            "at": now.as_millis(),
            "queues": queues.map(|queue| self.queue_row(&queue, now)).collect::<Vec<_>>(),
            "left_out": left_out,
            "runners": self.runners.iter().map(runner_row).collect::<Vec<_>>(),
            "lives": lives,
            "forgotten": forgotten,
        })
    }

    /// The first queues by name, and how many more there are.
    fn queue_names(&self) -> (Vec<String>, usize) {
        let (mut names, mut total, mut request) = (Vec::new(), 0, ListQueues::new().max_results(1_000));
        while let Ok(page) = self.service.list_queues(&request) {
            total += page.items.len();
            let room = MAX_QUEUES - names.len();
            names.extend(page.items.into_iter().take(room).map(|url| name_in(&url).to_owned()));
            match page.next_token {
                Some(token) => request = ListQueues::new().max_results(1_000).next_token(token),
                None => break,
            }
        }
        let left_out = total - names.len();
        (names, left_out)
    }

    fn queue_row(&self, queue: &Queue, now: Timestamp) -> Value {
        let Counts {
            visible,
            in_flight,
            delayed,
            ..
        } = queue.counts();
        let activity = self.watch.activity(queue.arn(), now);
        let settings = queue.settings();
        let policy = settings.redrive_policy.as_ref();
        let sources = self
            .service
            .list_dead_letter_source_queues(queue.name(), &ListQueues::new());
        let sources = sources.map(|page| page.items).unwrap_or_default();
        let tasks = self
            .service
            .list_message_move_tasks(queue.arn(), Some(1))
            .unwrap_or_default();
        json!({
            "name": queue.name(),
            "fifo": queue.is_fifo(),
            "visible": visible,
            "in_flight": in_flight,
            "delayed": delayed,
            "oldest_ms": activity.oldest.map(|at| millis(now.saturating_duration_since(at))),
            // There are messages whose arrival nobody saw.
            "oldest_is_minimum": activity.held < visible + in_flight + delayed,
            "in": activity.came,
            "out": activity.went,
            "in_rate": activity.rates[0],
            "out_rate": activity.rates[1],
            "failed_rate": activity.rates[2],
            "facts": activity.facts,
            "waiting": queue.waiting(),
            "visibility_ms": millis(settings.visibility_timeout),
            "retention_ms": millis(settings.message_retention_period),
            "delay_ms": millis(settings.delay),
            "max_receive_count": policy.map(|policy| policy.max_receive_count()),
            "dead_letter_queue": policy.map(|policy| name_in(policy.dead_letter_target_arn())),
            "sources": sources.iter().map(|url| name_in(url)).collect::<Vec<_>>(),
            "task": tasks.first().map(task_json),
        })
    }

    /// A snapshot that is new, or at most [`PACE`] times as old as it took.
    pub(crate) fn shot(&self, queue: &Queue) -> Arc<Shot> {
        let slot = Arc::clone(lock(&self.snapshots).entry(queue.name().to_owned()).or_default());
        let mut latest = lock(&slot.0);
        if let Some(shot) = latest.as_ref().filter(|shot| shot.is_fresh()) {
            return Arc::clone(shot);
        }
        let begun = Instant::now();
        let snapshot = queue.snapshot();
        let took = begun.elapsed();
        let reasons = self.watch.reasons();
        let shot = Shot {
            snapshot,
            reasons,
            taken: Instant::now(),
            took,
        };
        let shot = Arc::new(shot);
        *latest = Some(Arc::clone(&shot));
        shot
    }

    /// The next snapshot is a new one: an action has changed the queue.
    pub(crate) fn changed(&self, queue: &Queue) {
        lock(&self.snapshots).remove(queue.name());
    }

    /// One page of the messages of a queue that the filter selects.
    pub(crate) fn page(&self, queue: &str, filter: &Filter, paging: &Paging) -> Result<Value, Missing> {
        let queue = self.queue(queue)?;
        let shot = self.shot(&queue);
        let mut chosen: Vec<&MessageSnapshot> = shot.select(filter).collect();
        let facets = facets(&shot, &chosen);
        sort(&mut chosen, paging.sort);
        let size = paging.size.clamp(1, MAX_PAGE);
        let last = chosen.len().saturating_sub(1) / size;
        let page = paging.page.min(last);
        let workers = self.workers_of_jobs();
        let rows = chosen.iter().skip(page * size).take(size);
        Ok(json!({
            "at": shot.snapshot.at.as_millis(),
            "queue": queue.name(),
            "total": shot.snapshot.messages.len(),
            "matched": chosen.len(),
            "page": page,
            "pages": last + 1,
            "size": size,
            "messages": rows.map(|message| shot.row(message, &workers)).collect::<Vec<_>>(),
            "groups": facets.0,
            "reasons": facets.1,
            "searched_bytes": SEARCHED_BYTES,
        }))
    }

    /// How many messages a filter selects, and the instant of that count.
    pub(crate) fn selection(&self, queue: &str, filter: &Filter) -> Result<Value, Missing> {
        let queue = self.queue(queue)?;
        let shot = self.shot(&queue);
        Ok(json!({ "count": shot.select(filter).count(), "at": shot.snapshot.at.as_millis() }))
    }

    /// One message: where it is and what happened to it.
    pub(crate) fn message(&self, queue: &str, id: &str) -> Result<Value, Missing> {
        let missing = || Missing::Message(id.to_owned());
        let message_id: MessageId = id.parse().map_err(|_| missing())?;
        let mut life = self.watch.life(message_id, SHOWN_BYTES);
        let queue = self.queue(queue);
        let shot = queue.as_ref().ok().map(|queue| self.shot(queue));
        let found = shot.as_ref().and_then(|shot| {
            let messages = &shot.snapshot.messages;
            let found = messages.iter().find(|message| message.message_id == message_id)?;
            let mut row = shot.row(found, &self.workers_of_jobs());
            row["body"] = beginning(found.content.body(), SHOWN_BYTES).into();
            Some(row)
        });
        if found.is_none() && life.is_none() {
            return Err(queue.err().unwrap_or_else(missing));
        }
        if let Some(life) = life.as_mut().filter(|_| found.is_some()) {
            life["body"] = Value::Null;
        }
        Ok(json!({
            "at": self.clock.now().as_millis(),
            "id": message_id.to_string(),
            "message": found,
            "life": life,
            "shown_bytes": SHOWN_BYTES,
        }))
    }

    /// Which runner works on a message.
    fn workers_of_jobs(&self) -> HashMap<String, &str> {
        let jobs = self.runners.iter().flat_map(|(name, runner)| {
            let jobs = runner.handle.jobs().into_iter();
            jobs.map(move |job| (job.message_id, &**name))
        });
        jobs.collect()
    }
}

impl fmt::Debug for Dashboard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dashboard")
            .field("service", &self.service)
            .finish_non_exhaustive()
    }
}

impl Slot {
    /// One whose snapshot is being taken is in use.
    fn is_used(&self) -> bool {
        let Ok(latest) = self.0.try_lock() else { return true };
        latest
            .as_ref()
            .is_none_or(|shot| shot.taken.elapsed() < UNUSED.max(shot.took * PACE))
    }
}

impl Shot {
    fn is_fresh(&self) -> bool {
        self.took >= CHEAP && self.taken.elapsed() < self.took * PACE
    }

    /// Why a message failed last.
    fn reason<'s>(&'s self, message: &'s MessageSnapshot) -> Option<&'s Arc<str>> {
        let of_letter = message.content.dead_letter_reason();
        of_letter.or_else(|| self.reasons.get(&message.message_id))
    }

    pub(crate) fn select<'s>(&'s self, filter: &'s Filter) -> impl Iterator<Item = &'s MessageSnapshot> {
        self.snapshot
            .messages
            .iter()
            .filter(|message| self.matches(message, filter))
    }

    fn matches(&self, message: &MessageSnapshot, filter: &Filter) -> bool {
        let in_phase = filter.phase.is_none_or(|phase| phase == Phase::of(message));
        let group = message.content.group_id().unwrap_or_default();
        let in_group = filter.group.as_ref().is_none_or(|wanted| wanted == group);
        if !in_phase || !in_group {
            return false;
        }
        let failed = filter.error.is_empty()
            || self
                .reason(message)
                .is_some_and(|reason| reason.contains(&filter.error));
        let text = filter.text.trim();
        failed
            && (text.is_empty()
                || beginning(message.content.body(), SEARCHED_BYTES).contains(text)
                || message.message_id.to_string().contains(text))
    }

    fn row(&self, message: &MessageSnapshot, workers: &HashMap<String, &str>) -> Value {
        let id = message.message_id.to_string();
        let until = match message.phase {
            MessagePhase::Delayed { until } | MessagePhase::InFlight { until } => Some(until.as_millis()),
            _ => None,
        };
        json!({
            "phase": Phase::of(message).name(),
            "until": until,
            "worker": workers.get(&id),
            "id": id,
            "group": message.content.group_id(),
            "sequence": message.sequence_number.map(|number| number.to_string()),
            "sent": message.sent_timestamp.as_millis(),
            "arrived": message.arrived_timestamp.as_millis(),
            "expires": message.expires_at.as_millis(),
            "receives": message.approximate_receive_count,
            "reason": self.reason(message).map(|reason| beginning(reason, REASON_BYTES)),
            "body": beginning(message.content.body(), LISTED_BYTES),
            "body_bytes": message.content.body().len(),
        })
    }
}

impl Phase {
    fn of(message: &MessageSnapshot) -> Self {
        match message.phase {
            MessagePhase::InFlight { .. } => Self::InFlight,
            MessagePhase::Delayed { .. } => Self::Delayed,
            _ if message.blocked => Self::Blocked,
            _ => Self::Visible,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Visible => "visible",
            Self::InFlight => "in_flight",
            Self::Delayed => "delayed",
            Self::Blocked => "blocked",
        }
    }
}

fn sort(messages: &mut [&MessageSnapshot], by: Sort) {
    match by {
        Sort::Oldest => {}
        Sort::Newest => messages.reverse(),
        Sort::Receives => messages.sort_by_key(|message| Reverse(message.approximate_receive_count)),
        Sort::Largest => messages.sort_by_key(|message| Reverse(message.content.body().len())),
        Sort::Deadline => messages.sort_by_key(|message| match message.phase {
            MessagePhase::Delayed { until } | MessagePhase::InFlight { until } => until,
            _ => Timestamp::MAX,
        }),
    }
}

/// The groups and the reasons with the most messages.
fn facets(shot: &Shot, chosen: &[&MessageSnapshot]) -> (Vec<Value>, Vec<Value>) {
    let groups = chosen.iter().filter_map(|message| message.content.group_id());
    let reasons = chosen.iter().filter_map(|message| shot.reason(message));
    let reasons = reasons.map(|reason| beginning(reason, REASON_BYTES));
    (most_frequent(groups), most_frequent(reasons))
}

fn most_frequent<'t>(texts: impl Iterator<Item = &'t str>) -> Vec<Value> {
    let mut counts = HashMap::<&str, usize>::new();
    texts.for_each(|text| *counts.entry(text).or_default() += 1);
    let mut counts: Vec<_> = counts.into_iter().collect();
    let by_count = |(text, count): &(&'t str, usize)| (Reverse(*count), *text);
    if counts.len() > MAX_FACETS {
        counts.select_nth_unstable_by_key(MAX_FACETS, by_count);
        counts.truncate(MAX_FACETS);
    }
    counts.sort_unstable_by_key(by_count);
    let facet = |(text, count)| json!({ "text": text, "count": count });
    counts.into_iter().map(facet).collect()
}

fn runner_row((name, runner): (&String, &Runner)) -> Value {
    let (report, jobs) = (runner.handle.report(), runner.handle.jobs());
    json!({
        "name": name,
        "queue": runner.queue,
        "state": report.state.to_string(),
        "concurrency": report.concurrency,
        "in_progress": report.in_progress,
        "backlog": report.backlog,
        "received": report.received,
        "succeeded": report.succeeded,
        "failed": report.failed,
        "panicked": report.panicked,
        "timed_out": report.timed_out,
        "dead_lettered": report.dead_lettered,
        "median_ms": report.handling_time.quantile(0.5),
        "p99_ms": report.handling_time.quantile(0.99),
        "jobs": jobs.iter().map(job_row).collect::<Vec<_>>(),
    })
}

fn job_row(job: &JobStatus) -> Value {
    json!({
        "message_id": job.message_id,
        "group": job.message_group_id,
        "receives": job.approximate_receive_count,
        "running_ms": millis(job.running_for),
        "lease_left_ms": millis(job.lease_left),
        "timed_out": job.timed_out,
        "progress": job.progress.as_ref().map(|progress| beginning(progress, REASON_BYTES)),
    })
}

fn task_json(task: &MessageMoveTask) -> Value {
    json!({
        "status": task.status.as_str(),
        "moved": task.approximate_number_of_messages_moved,
        "to_move": task.approximate_number_of_messages_to_move,
        "per_second": task.max_messages_per_second,
        "destination": task.destination_arn.as_deref().map(name_in),
        "started": task.started_timestamp.as_millis(),
        "handle": task.task_handle.as_ref().map(requeue::TaskHandle::as_str),
        "failure": task.failure_reason.as_ref().map(ToString::to_string),
    })
}

/// The name at the end of a URL or an ARN.
fn name_in(address: &str) -> &str {
    address.rsplit(['/', ':']).next().unwrap_or(address)
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
