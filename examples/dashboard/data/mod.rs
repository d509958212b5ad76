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
//!
//! `page` is a page of the messages of a queue that a [`Listing`] selects, which is a query string in serde's terms;
//! `selection` counts what it selects, and `take_selection` gives the messages that were counted, for a deletion; `message`
//! is one message and its life. Actions need `queue` and `handle`, which find a queue and a runner, `service` for
//! redrives, and `changed` once a queue was changed, or else the next page may have its state of before. What an
//! application does not use gives warnings of dead code: it leaves that part out, or allows them above `mod data`.
//!
//! What each object has. `at` and all instants are milliseconds since 1970 by the service's clock, spans end in `_ms`,
//! rates are per second over the last ten seconds, lengths are bytes of UTF-8, and what is not there is `null`.
//!
//! | object | fields |
//! |---|---|
//! | overview | `at`; `queues`; `left_out`: queues beyond the first 200 by name; `runners`; `lives`, `forgotten`: messages whose life is remembered and is not any more; the server adds `read_only` |
//! | queue | `name`, `fifo`, `visible`, `in_flight`, `delayed`; `oldest_ms`: age of the oldest that is not delayed, at least that if `oldest_is_minimum`; `in`, `out`: messages in 60 spans of 5 seconds, the last one not over; `in_rate`, `out_rate`, `failed_rate`; `facts`: changes whenever something happened; `waiting`: receivers; `visibility_ms`, `retention_ms`, `delay_ms`, `max_receive_count`, `dead_letter_queue`; `sources`: queues whose dead letters it takes; `task` |
//! | task, the latest redrive | `status` as SQS names it; `moved`; `to_move`: visible at the start; `per_second`, `destination`, `started`; `handle` while it runs; `failure` |
//! | runner | `name`, `queue`, `state`, `concurrency`, `in_progress`, `backlog`; since its start `received`, `succeeded`, `failed`, `panicked`, `timed_out`, `dead_lettered`; `median_ms`, `p99_ms` of the handling time; `jobs` |
//! | job | `message_id`, `group`, `receives`, `running_ms`, `lease_left_ms`, `timed_out`, `progress` |
//! | page | `at` of its snapshot; `queue`; `row`: the object of the queue; `total` in the queue, `matched` by the filter; `page` from 0, `pages`, `size`; `messages`; `groups`, `reasons`: the 12 most frequent as `text` and `count`; `searched_bytes` of a body |
//! | message | `id`; `phase`: `visible`, `in_flight`, `delayed` or `blocked`; `until`: end of a delay or a visibility timeout; `worker`; `group`, `sequence`, `sent`; `arrived` in this queue; `expires`, `receives`; `reason` of its last failure; `body`: its beginning; `body_bytes` |
//! | selection | `selection`: id for the action `delete_matching`; `count` |
//! | one message | `at`, `id`; `message`: if the queue holds it; `content`; `life`: if it is remembered; `shown_bytes` of a text |
//! | content | `body`: its beginning; `body_bytes`; `attributes`: `name`, `type`, `value` or `bytes`, and `null` if they are not kept, as what follows: `group`, `deduplication_id`, `trace_header`, `dead_letter_source` |
//! | life | `events`; `complete`: from its beginning; `dropped`: earlier events; `queue` that holds the message; `reason` |
//! | event | `at`, `queue`, `what`; `until`: end of the delay or the visibility timeout that it began; `receive_count`, `reason`; `times` in a row |
#![allow(
    clippy::disallowed_methods,
    reason = "how often a queue is copied is paced by the machine's time, whatever clock the service has"
)]

mod list;
mod watch;

pub(crate) use {
    list::Listing,
    watch::{Memory, Watch},
};
use {
    requeue::{
        Clock, Counts, ListQueues, MessageId, MessageMoveTask, MessageSnapshot, Queue, QueueSnapshot, Service,
        Timestamp,
        worker::{JobStatus, RunnerHandle},
    },
    serde_json::{Value, json},
    std::{
        collections::{BTreeMap, HashMap, VecDeque},
        error::Error,
        fmt,
        sync::{Arc, Mutex, MutexGuard, PoisonError},
        time::{Duration, Instant},
    },
    watch::{beginning, content_json},
};

/// Queues in an overview; the others are counted.
const MAX_QUEUES: usize = 200;

/// Bytes of a body in a list, in the view of one message, and those that a search looks at.
const LISTED_BYTES: usize = 200;
const SHOWN_BYTES: usize = 64 * 1_024;
const SEARCHED_BYTES: usize = 64 * 1_024;

/// Bytes of a reason that are kept, searched and shown.
const REASON_BYTES: usize = 2_000;

/// Messages in a page, at most.
const MAX_PAGE: usize = 200;

/// Counts that are kept until they are confirmed, of 16 bytes a message, and for how long.
const MAX_SELECTIONS: usize = 8;
const SELECTION_KEPT: Duration = Duration::from_secs(600);

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
    selections: Mutex<Selections>,
}

/// A runner under its name.
struct Runner {
    queue: String,
    handle: RunnerHandle,
}

/// The latest snapshot of a queue; who takes one holds the lock, so that others wait and share it.
#[derive(Default)]
struct Slot(Mutex<Option<Arc<Shot>>>);

/// The latest counts of what a filter selects, the oldest first, and how many there were.
#[derive(Default)]
struct Selections {
    kept: VecDeque<Selection>,
    made: u64,
}

/// What was counted. A deletion is of these messages, whatever the filter selects by then.
pub(crate) struct Selection {
    id: String,
    counted: Timestamp,
    queue: String,
    pub(crate) messages: Vec<MessageId>,
}

/// A snapshot, and why its messages failed.
pub(crate) struct Shot {
    pub(crate) snapshot: QueueSnapshot,
    reasons: HashMap<MessageId, Arc<str>>,
    taken: Instant,
    took: Duration,
}

/// What is not there (any more).
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Missing {
    Queue(String),
    Message(String),
    /// A message, and what happened to it.
    Life(String),
    Runner(String),
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Queue(name) => write!(f, "there is no queue {}", beginning(name, 80)),
            Self::Message(id) => write!(f, "message {} is not in the queue", beginning(id, 80)),
            Self::Life(id) => write!(
                f,
                "message {} is not in the queue, and its life is not remembered",
                beginning(id, 80)
            ),
            Self::Runner(name) => write!(f, "there is no runner {}", beginning(name, 80)),
        }
    }
}

impl Error for Missing {}

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
            selections: Mutex::default(),
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
        drop(self.selections());
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
    pub(crate) fn page(&self, queue: &str, listing: &Listing) -> Result<Value, Missing> {
        let queue = self.queue(queue)?;
        let shot = self.shot(&queue);
        let mut chosen: Vec<&MessageSnapshot> = shot.select(listing).collect();
        let facets = list::facets(&shot, &chosen);
        list::sort(&mut chosen, listing.sort);
        let size = listing.size.clamp(1, MAX_PAGE);
        let last = chosen.len().saturating_sub(1) / size;
        let page = listing.page.min(last);
        let workers = self.workers_of_jobs();
        let rows = chosen.iter().skip(page * size).take(size);
        Ok(json!({
            "at": shot.snapshot.at.as_millis(),
            "queue": queue.name(),
            "row": self.queue_row(&queue, self.clock.now()),
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

    /// How many messages a filter selects, and under which id they are kept.
    pub(crate) fn selection(&self, queue: &str, listing: &Listing) -> Result<Value, Missing> {
        let queue = self.queue(queue)?;
        let shot = self.shot(&queue);
        let messages: Vec<MessageId> = shot.select(listing).map(|message| message.message_id).collect();
        let count = messages.len();
        let selections = &mut *self.selections();
        selections.made += 1;
        // The instant tells it from one of a process before this one.
        let id = format!("{}-{}", shot.snapshot.at.as_millis(), selections.made);
        selections.kept.push_back(Selection {
            id: id.clone(),
            counted: self.clock.now(),
            queue: queue.name().to_owned(),
            messages,
        });
        if selections.kept.len() > MAX_SELECTIONS {
            selections.kept.pop_front();
        }
        Ok(json!({ "selection": id, "count": count }))
    }

    /// The counts that are not too old.
    fn selections(&self) -> MutexGuard<'_, Selections> {
        let (now, mut selections) = (self.clock.now(), lock(&self.selections));
        let kept = &mut selections.kept;
        kept.retain(|it| now.saturating_duration_since(it.counted) < SELECTION_KEPT);
        selections
    }

    /// What was counted under an id, for once.
    pub(crate) fn take_selection(&self, queue: &Queue, id: &str) -> Option<Selection> {
        let kept = &mut self.selections().kept;
        let place = kept.iter().position(|it| it.id == id && it.queue == queue.name())?;
        kept.remove(place)
    }

    /// One message: where it is and what happened to it.
    pub(crate) fn message(&self, queue: &str, id: &str) -> Result<Value, Missing> {
        let missing = || Missing::Life(id.to_owned());
        let message_id: MessageId = id.parse().map_err(|_| missing())?;
        let mut life = self.watch.life(message_id, SHOWN_BYTES);
        let queue = self.queue(queue);
        let shot = queue.as_ref().ok().map(|queue| self.shot(queue));
        let found = shot.as_ref().and_then(|shot| {
            let messages = &shot.snapshot.messages;
            let found = messages.iter().find(|message| message.message_id == message_id)?;
            let content = content_json(&found.content, SHOWN_BYTES);
            Some((shot.row(found, &self.workers_of_jobs()), content))
        });
        if found.is_none() && life.is_none() {
            return Err(queue.err().unwrap_or_else(missing));
        }
        let remembered = life.as_mut().and_then(|life| life.as_object_mut()?.remove("content"));
        let (message, content) = found.unzip();
        Ok(json!({
            "at": self.clock.now().as_millis(),
            "id": message_id.to_string(),
            "message": message,
            "content": content.or(remembered),
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
