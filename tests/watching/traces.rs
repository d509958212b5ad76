//! Spans and events, and the trace context that goes along with messages.

use {
    super::alone,
    requeue::{
        ManualClock, Queue, SendMessage,
        backend::QueueSet,
        worker::{BatchAnswer, BatchSettings, Failure, Job, Runner, TraceHeader},
    },
    std::{
        collections::BTreeMap,
        fmt,
        sync::{
            Arc, Mutex,
            atomic::{AtomicU64, Ordering},
            mpsc,
        },
        thread,
        time::Duration,
    },
    tracing::{
        Event, Subscriber,
        field::{Field, Visit},
        span::{Attributes, Id, Record},
        subscriber::with_default,
    },
};

/// Writes down spans and events as lines; the numbers are those of spans opened and closed, and of handles to open ones.
#[derive(Clone, Default)]
struct Lines(
    Arc<Mutex<Vec<String>>>,
    Arc<AtomicU64>,
    Arc<AtomicU64>,
    Arc<Mutex<BTreeMap<u64, usize>>>,
);

struct Fields(String);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0 += &format!(" {}={value:?}", field.name());
    }
}

impl Lines {
    fn push(&self, what: &str, record: impl FnOnce(&mut Fields)) {
        let mut fields = Fields(what.to_owned());
        record(&mut fields);
        self.0.lock().unwrap().push(fields.0);
    }

    fn taken(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Subscriber for Lines {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        let ours = metadata.target().starts_with("requeue");
        assert!(!ours || metadata.target() == "requeue::worker", "{metadata:?}");
        ours
    }
    fn new_span(&self, span: &Attributes<'_>) -> Id {
        self.push(span.metadata().name(), |fields| span.record(fields));
        let id = self.1.fetch_add(1, Ordering::Relaxed) + 0xa0;
        self.3.lock().unwrap().insert(id, 1);
        Id::from_u64(id)
    }
    fn try_close(&self, id: Id) -> bool {
        let mut open = self.3.lock().unwrap();
        let count = open.get_mut(&id.into_u64()).unwrap();
        *count -= 1;
        let closed = *count == 0;
        self.2.fetch_add(closed.into(), Ordering::SeqCst);
        closed
    }
    fn clone_span(&self, id: &Id) -> Id {
        *self.3.lock().unwrap().get_mut(&id.into_u64()).unwrap() += 1;
        id.clone()
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        let level = event.metadata().level().as_str();
        self.push(&format!("event {level}"), |fields| event.record(fields));
    }
    fn enter(&self, id: &Id) {
        self.push("enter", |fields| fields.0 += &format!(" {:x}", id.into_u64()));
    }
    fn exit(&self, id: &Id) {
        self.push("exit", |fields| fields.0 += &format!(" {:x}", id.into_u64()));
    }
}

const HEADER: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";

#[test]
fn a_job_has_a_span_in_its_trace_and_what_it_sends_is_a_child_of_it() {
    let _alone = alone();
    // M22
    let (jobs, next) = (
        Queue::standard("jobs").build().unwrap(),
        Queue::standard("next").build().unwrap(),
    );
    let sent = jobs.send(SendMessage::new("a").aws_trace_header(HEADER)).unwrap();
    let lines = Lines::default();
    let sends = next.clone();
    let runner = Runner::builder(&jobs)
        .until_none_visible()
        .each(move |_: &Job| sends.send(TraceHeader::carry(SendMessage::new("b"))).map(drop));
    with_default(lines.clone(), || pollster::block_on(runner.unwrap().run())).unwrap();
    let span = format!(
        "job queue=\"jobs\" message_id=\"{}\" receive_count=1 trace=\"1-5759e988-bd862e3fe1be46a994272793\" \
         parent=\"53995c3f42cd8ad8\"",
        sent.message_id
    );
    assert_eq!(lines.taken(), [span.as_str(), "enter a0", "exit a0"]);
    let carried = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=00000000000000a0;Sampled=1";
    assert_eq!(next.receive().blocking().unwrap()[0].aws_trace_header(), Some(carried));
    assert_eq!(TraceHeader::current(), None, "the handler is over");
}

#[test]
fn a_message_without_a_header_begins_a_trace_and_one_with_a_header_keeps_it() {
    let _alone = alone();
    let (jobs, next) = (
        Queue::standard("jobs").build().unwrap(),
        Queue::standard("next").build().unwrap(),
    );
    jobs.send("a").unwrap();
    let sends = next.clone();
    let runner = Runner::builder(&jobs).until_none_visible().each_async(move |job: Job| {
        let sends = sends.clone();
        async move {
            let own = TraceHeader::carry(SendMessage::new("own").aws_trace_header(HEADER));
            assert_eq!(own.get_aws_trace_header(), Some(HEADER));
            let begun = TraceHeader::current().ok_or("no context")?;
            let id: String = job.message_id().replace('-', "").chars().take(24).collect();
            assert!(begun.root.ends_with(&id), "{begun}");
            sends
                .send(TraceHeader::carry(SendMessage::new("b")))
                .map(drop)
                .map_err(|error| error.to_string())
        }
    });
    let report = pollster::block_on(runner.unwrap().run()).unwrap();
    assert_eq!(report.succeeded, 1, "{report:?}");
    let carried: TraceHeader = next.receive().blocking().unwrap()[0]
        .aws_trace_header()
        .unwrap()
        .parse()
        .unwrap();
    assert!(carried.root.starts_with("1-") && carried.root.len() == 35, "{carried}");
}

#[test]
fn the_trace_goes_along_to_the_thread_that_polls_a_spawned_handler() {
    use requeue::worker::HandlerFuture;
    let _alone = alone();
    let (jobs, next) = (
        Queue::standard("jobs").build().unwrap(),
        Queue::standard("next").build().unwrap(),
    );
    jobs.send(SendMessage::new("a").aws_trace_header(HEADER)).unwrap();
    let (lines, sends, home) = (Lines::default(), next.clone(), thread::current().id());
    let spawn = |future: HandlerFuture| {
        thread::spawn(move || {
            pollster::block_on(future);
            assert_eq!(TraceHeader::current(), None, "the handler is over");
        })
        .join()
    };
    let handler = move |_: Job| {
        let sends = sends.clone();
        async move {
            assert_ne!(thread::current().id(), home);
            sends.send(TraceHeader::carry(SendMessage::new("b"))).map(drop)
        }
    };
    let runner = Runner::builder(&jobs).until_none_visible().each_async(handler);
    let runner = runner.unwrap().spawn_handlers(spawn);
    let report = with_default(lines.clone(), || pollster::block_on(runner.run()));
    assert_eq!(report.unwrap().succeeded, 1);
    let entered = lines.taken().iter().filter(|line| *line == "enter a0").count();
    assert!(entered >= 2, "on either thread");
    let carried = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=00000000000000a0;Sampled=1";
    assert_eq!(next.receive().blocking().unwrap()[0].aws_trace_header(), Some(carried));
}

#[test]
fn spans_and_events_name_the_queue_of_the_set_that_a_message_came_from() {
    let _alone = alone();
    let queues = ["urgent", "usual"].map(|name| Queue::standard(name).build().unwrap());
    let set = QueueSet::by_priority(queues.clone()).unwrap();
    let lines = Lines::default();
    let told = |lines: &Lines, wanted: &str| -> Vec<String> {
        let lines = lines.taken().into_iter().filter(|line| line.starts_with(wanted));
        let queue = |line: String| {
            let names = ["\"urgent\"", "\"usual\"", "\"urgent,usual\""];
            let named = names.into_iter().find(|name| line.contains(&format!("queue={name}")));
            named.unwrap_or_else(|| panic!("{line}")).to_owned()
        };
        lines.map(queue).collect()
    };
    for what in ["job ", "event "] {
        for queue in &queues {
            queue.send("a").unwrap();
        }
        let runner = Runner::builder(&set)
            .until_none_visible()
            .each(|_: &Job| Err::<(), _>("broken"));
        with_default(lines.clone(), || pollster::block_on(runner.unwrap().run())).unwrap();
        assert_eq!(told(&lines, what), ["\"urgent\"", "\"usual\""]);
    }
    // The batches of the test: of one queue, and of both.
    for (sends, wait, expected) in [([0, 0], 0, "\"urgent\""), ([0, 1], 1, "\"urgent,usual\"")] {
        for at in sends {
            queues[at].send("a").unwrap();
        }
        let settings = BatchSettings::new(2).window(Duration::from_secs(wait));
        let runner = Runner::builder(&set)
            .until_none_visible()
            .batch(settings, |_: &[Job]| BatchAnswer::success());
        with_default(lines.clone(), || pollster::block_on(runner.unwrap().run())).unwrap();
        assert_eq!(told(&lines, "batch "), [expected]);
    }
}

/// What is told of a message that fails, in a runner as a future and on threads.
fn told_of(handler: fn(&Job) -> Result<(), Failure>) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    for threads in [false, true] {
        let jobs = Queue::standard("jobs").build().unwrap();
        let sent = jobs.send(SendMessage::new("a").aws_trace_header(HEADER)).unwrap();
        let lines = Lines::default();
        let subscriber = lines.clone();
        let builder = Runner::builder(&jobs)
            .until_none_visible()
            .wrap_threads(move |run| with_default(subscriber.clone(), run));
        let runner = builder.each(handler).unwrap();
        if threads {
            runner.blocking().unwrap();
        } else {
            with_default(lines.clone(), || pollster::block_on(runner.run())).unwrap();
        }
        let id = sent.message_id.to_string();
        all.push(lines.taken().iter().map(|line| line.replace(&id, "ID")).collect());
    }
    all
}

/// The span of one job, and what is told within it.
fn within_its_span(event: &str) -> Vec<Vec<String>> {
    let span = "job queue=\"jobs\" message_id=\"ID\" receive_count=1 \
                trace=\"1-5759e988-bd862e3fe1be46a994272793\" parent=\"53995c3f42cd8ad8\"";
    let lines = [span, "enter a0", "exit a0", "enter a0", event, "exit a0"];
    vec![lines.map(str::to_owned).to_vec(); 2]
}

#[test]
fn a_failure_is_a_warning_within_the_span_of_its_job() {
    let _alone = alone();
    let told = told_of(|_| Err("broken".into()));
    let event = "event WARN message=message ID failed: broken queue=\"jobs\" message_id=\"ID\" receive_count=1";
    assert_eq!(told, within_its_span(event));
}

#[test]
fn a_postponement_is_no_warning() {
    let _alone = alone();
    let later = |_: &Job| Err(Failure::retry_after(Duration::from_secs(60), "busy"));
    let event = "event INFO message=message ID is postponed by 60s: busy queue=\"jobs\" message_id=\"ID\" \
                 receive_count=1";
    assert_eq!(told_of(later), within_its_span(event));
}

#[test]
fn a_stuck_handler_is_told_of_within_its_span_by_the_thread_that_finds_it() {
    let _alone = alone();
    let clock = ManualClock::default();
    let jobs = Queue::standard("jobs").clock(clock.clone()).build().unwrap();
    jobs.send("a").unwrap();
    let lines = Lines::default();
    let subscriber = lines.clone();
    let hold = Arc::new(Mutex::new(()));
    let (held, blocked) = (hold.lock().unwrap(), Arc::clone(&hold));
    let runner = Runner::builder(&jobs)
        .until_none_visible()
        .handler_timeout(Duration::from_secs(5))
        .wrap_threads(move |run| with_default(subscriber.clone(), run));
    let (begin, begun) = mpsc::channel();
    let runner = runner.each(move |_: &Job| {
        begin.send(()).unwrap();
        drop(blocked.lock().unwrap());
        Ok::<(), String>(())
    });
    let running = runner.unwrap().spawn().unwrap();
    // Its timeout counts from here.
    begun.recv().unwrap();
    // The lease renewer and its alarm.
    clock.wait_for_sleepers(2);
    clock.advance(Duration::from_secs(5));
    // The span and its beginning, and all of the event.
    while lines.0.lock().unwrap().len() < 5 {
        thread::yield_now();
    }
    drop(held);
    running.join().unwrap();
    let lines: Vec<_> = lines
        .taken()
        .iter()
        .map(|line| line[..12.min(line.len())].to_owned())
        .collect();
    assert_eq!(lines[0], "job queue=\"j");
    let order = [
        "enter a0",
        "enter a0",
        "event WARN m",
        "exit a0",
        "exit a0",
        "enter a0",
        "event WARN m",
        "exit a0",
    ];
    assert_eq!(lines[1..], order);
}

#[test]
fn the_span_of_a_job_that_is_kept_closes_once_its_message_is_settled() {
    let _alone = alone();
    static KEPT: Mutex<Vec<Job>> = Mutex::new(Vec::new());
    let keep = |job: &Job| {
        KEPT.lock().unwrap().push(job.clone());
        Ok(())
    };
    let jobs = Queue::standard("jobs").build().unwrap();
    jobs.send("a").unwrap();
    let lines = Lines::default();
    let runner = Runner::builder(&jobs)
        .until_none_visible()
        .each(move |job: &Job| keep(job) as Result<(), String>);
    with_default(lines.clone(), || pollster::block_on(runner.unwrap().run())).unwrap();
    assert_eq!(lines.2.load(Ordering::SeqCst), 1, "closed");
    assert_eq!(KEPT.lock().unwrap().len(), 1);
}

#[test]
fn a_failure_in_a_batch_is_told_within_the_span_of_the_batch_with_its_own_id() {
    let _alone = alone();
    use requeue::worker::{BatchAnswer, BatchSettings};
    let jobs = Queue::standard("jobs").build().unwrap();
    let sent = jobs.send_batch(["a", "b"]).unwrap();
    let lines = Lines::default();
    let runner = Runner::builder(&jobs)
        .until_none_visible()
        .batch(BatchSettings::default(), |batch: &[Job]| {
            assert_eq!(TraceHeader::current(), None, "a batch may hold many traces");
            BatchAnswer::success().fail(&batch[0], "broken")
        });
    with_default(lines.clone(), || pollster::block_on(runner.unwrap().run())).unwrap();
    let id = sent.successful[0].output.message_id.to_string();
    let event =
        format!("event WARN message=message {id} failed: broken queue=\"jobs\" message_id=\"{id}\" receive_count=1");
    let expected = [
        "batch queue=\"jobs\" messages=2",
        "enter a0",
        "exit a0",
        "enter a0",
        &event,
        "exit a0",
    ];
    assert_eq!(lines.taken(), expected);
}

#[test]
fn what_is_no_trace_header_is_refused_with_its_text() {
    for text in ["", "Parent=1", "Root=", "1-5759e988-bd862e3fe1be46a994272793"] {
        let error = text.parse::<TraceHeader>().unwrap_err();
        assert_eq!(error.to_string(), format!("the trace header {text:?} has no root"));
    }
    let header: TraceHeader = "Sampled=?; Self=2 ;Root=1-2-3".parse().unwrap();
    assert_eq!(header.to_string(), "Root=1-2-3");
}
