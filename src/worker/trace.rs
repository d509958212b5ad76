//! Traces: a span for each job, and the trace context that `AWSTraceHeader` carries from job to job.

use {
    super::{event::RunnerEvent, job::Job},
    crate::{backend::queue_name, message::SendMessage},
    std::{borrow::Cow, cell::RefCell, fmt, slice, str::FromStr},
};

/// The trace context of X-Ray, as `AWSTraceHeader` has it (M22).
///
/// # Source
/// [Tracing header](https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader).
///
/// # Examples
/// ```
/// use requeue::worker::TraceHeader;
///
/// let text = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
/// let header: TraceHeader = text.parse()?;
/// assert_eq!(header.root, "1-5759e988-bd862e3fe1be46a994272793");
/// assert_eq!(header.to_string(), text);
/// # Ok::<(), requeue::worker::ParseTraceHeaderError>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct TraceHeader {
    /// The trace: version, seconds since the epoch and 96 bits, in hexadecimal digits.
    pub root: String,
    /// The span that the next one is a child of: 64 bits in hexadecimal digits.
    pub parent: Option<String>,
    /// Whether the trace is recorded, if that has been decided.
    pub sampled: Option<bool>,
}

/// Why a trace header cannot be parsed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the trace header {text:?} has no root")]
#[non_exhaustive]
pub struct ParseTraceHeaderError {
    /// The text.
    pub text: String,
}

impl FromStr for TraceHeader {
    type Err = ParseTraceHeaderError;

    /// Reads the three parts that are known, in any order; others may come.
    fn from_str(text: &str) -> Result<Self, ParseTraceHeaderError> {
        let part = |wanted: &str| {
            let parts = text.split(';').filter_map(|part| part.trim().split_once('='));
            parts
                .filter(|(name, _)| *name == wanted)
                .map(|(_, value)| value.to_owned())
                .next()
        };
        let Some(root) = part("Root").filter(|root| !root.is_empty()) else {
            return Err(ParseTraceHeaderError { text: text.to_owned() });
        };
        Ok(Self {
            root,
            parent: part("Parent"),
            sampled: match part("Sampled").as_deref() {
                Some("1") => Some(true),
                Some("0") => Some(false),
                _ => None,
            },
        })
    }
}

impl fmt::Display for TraceHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Root={}", self.root)?;
        if let Some(parent) = &self.parent {
            write!(f, ";Parent={parent}")?;
        }
        match self.sampled {
            Some(sampled) => write!(f, ";Sampled={}", u8::from(sampled)),
            None => Ok(()),
        }
    }
}

/// A job and the number of its span, of which a header is made where one is asked for.
#[derive(Clone)]
struct Context {
    job: Job,
    span: Option<u64>,
}

impl Context {
    fn header(&self) -> TraceHeader {
        let mut header = TraceHeader::of(&self.job);
        if let Some(span) = self.span {
            header.parent = Some(format!("{span:016x}"));
        }
        header
    }
}

thread_local! {
    /// The trace of the handler that this thread runs.
    static CURRENT: RefCell<Option<Trace>> = const { RefCell::new(None) };
}

impl TraceHeader {
    /// The context for what the handler that runs on this thread causes: the trace of its job, with the job's span as the
    /// parent. `None` outside handlers, and in those of batches, which may belong to many traces.
    ///
    /// A message that came without a header begins a trace, which its id and the time of its send name.
    ///
    /// # Examples
    /// ```
    /// use requeue::worker::TraceHeader;
    /// assert_eq!(TraceHeader::current(), None);
    /// ```
    #[must_use]
    pub fn current() -> Option<Self> {
        CURRENT.with_borrow(|trace| Some(trace.as_ref()?.context.as_ref()?.header()))
    }

    /// Gives a message that has no trace header the [current](Self::current) one.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, SendMessage, worker::{Job, Runner, TraceHeader}};
    ///
    /// let (jobs, done) = (Queue::standard("jobs").build()?, Queue::standard("done").build()?);
    /// let header = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
    /// jobs.send(SendMessage::new("resize cat.png").aws_trace_header(header))?;
    /// let next = done.clone();
    /// let runner = Runner::builder(&jobs).until_none_visible().each(move |_: &Job| {
    ///     next.send(TraceHeader::carry(SendMessage::new("cat.png is resized"))).map(drop)
    /// })?;
    /// runner.blocking()?;
    /// let carried: TraceHeader = done.receive().blocking()?[0].aws_trace_header().unwrap().parse()?;
    /// assert_eq!(carried.root, "1-5759e988-bd862e3fe1be46a994272793");
    /// assert_eq!(carried.sampled, Some(true));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn carry(message: SendMessage) -> SendMessage {
        match Self::current().filter(|_| message.get_aws_trace_header().is_none()) {
            Some(header) => message.aws_trace_header(header.to_string()),
            None => message,
        }
    }

    /// The context that a message came with, or one that its own id begins.
    fn of(job: &Job) -> Self {
        let sent = job.aws_trace_header().and_then(|header| header.parse().ok());
        sent.unwrap_or_else(|| {
            let id: String = job
                .message_id()
                .chars()
                .filter(char::is_ascii_hexdigit)
                .take(24)
                .collect();
            let seconds = job.sent_timestamp().as_millis() / 1_000;
            Self {
                root: format!("1-{seconds:08x}-{id:0>24}"),
                parent: None,
                sampled: None,
            }
        })
    }
}

/// The target of all spans and events.
const TARGET: &str = "requeue::worker";

/// Whether somebody collects events.
pub(super) fn is_watched() -> bool {
    tracing::enabled!(target: TARGET, tracing::Level::WARN)
}

/// The name of the queue that jobs came from, which is one of a set's, or of the runner's where they came from several.
fn queue_of<'a>(jobs: &'a [Job], runner_url: &'a str) -> Cow<'a, str> {
    let mut urls = jobs.iter().map(|job| job.queue_url());
    // The URL is empty if the queue's implementation does not name itself.
    let one = urls.next().filter(|one| !one.is_empty() && urls.all(|url| url == *one));
    queue_name(one.unwrap_or(runner_url))
}

/// Records an event, within the span of its job if that is being handled.
pub(super) fn emit(event: &RunnerEvent, runner_url: &str) {
    let job = event.job();
    let queue = &*queue_of(job.map_or(&[], slice::from_ref), runner_url);
    let Some(job) = job else {
        tracing::warn!(target: TARGET, queue, "{event}");
        return;
    };
    let (message_id, receive_count) = (&*job.message_id(), job.approximate_receive_count());
    job.span().unwrap_or_else(tracing::Span::none).in_scope(|| {
        if event.is_usual() {
            tracing::info!(target: TARGET, queue, message_id, receive_count, "{event}");
        } else {
            tracing::warn!(target: TARGET, queue, message_id, receive_count, "{event}");
        }
    });
}

/// The span of a handler's call, and the context for what it causes.
///
/// Its jobs keep the span until their messages are settled, so that what becomes of them is told within it.
#[derive(Clone)]
pub(super) struct Trace {
    span: tracing::Span,
    context: Option<Context>,
}

impl Trace {
    /// Opens a span for a job, or for a batch, whose jobs may belong to many traces.
    pub(super) fn open(runner_url: &str, jobs: &[Job]) -> Self {
        let [job] = jobs else {
            let span = tracing::info_span!(
                target: TARGET,
                "batch",
                queue = &*queue_of(jobs, runner_url),
                messages = jobs.len(),
            );
            return Self::new(span, None, jobs);
        };
        // Its fields are made only where somebody collects them.
        let span = tracing::info_span!(
            target: TARGET,
            "job",
            queue = &*queue_of(jobs, runner_url),
            message_id = &*job.message_id(),
            receive_count = job.approximate_receive_count(),
            message_group_id = job.message_group_id(),
            trace = TraceHeader::of(job).root,
            parent = TraceHeader::of(job).parent,
        );
        let context = Context {
            job: job.clone(),
            span: span.id().map(|id| id.into_u64()),
        };
        Self::new(span, Some(context), jobs)
    }

    fn new(span: tracing::Span, context: Option<Context>, jobs: &[Job]) -> Self {
        if !span.is_disabled() {
            jobs.iter().for_each(|job| job.set_span(&span));
        }
        Self { span, context }
    }

    /// The trace of the handler that this thread runs, for what runs a part of it elsewhere.
    pub(super) fn current() -> Option<Self> {
        CURRENT.with_borrow(Clone::clone)
    }

    /// Runs a part of the handler in its span and its context.
    pub(super) fn within<T>(&self, part: impl FnOnce() -> T) -> T {
        let before = CURRENT.replace(Some(self.clone()));
        let result = self.span.in_scope(part);
        CURRENT.set(before);
        result
    }
}
