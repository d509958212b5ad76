//! Metrics and traces of a runner.

use {
    metrics::{
        Counter, CounterFn, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit,
        with_local_recorder,
    },
    requeue::{
        Clock, ManualClock, Queue, SendMessage,
        worker::{Job, Runner, TraceHeader},
    },
    std::{
        collections::BTreeMap,
        fmt,
        sync::{
            Arc, Mutex,
            atomic::{AtomicU64, Ordering},
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

/// Keeps metrics by the text of their key.
#[derive(Clone, Default)]
struct Collected(Arc<Mutex<BTreeMap<String, Arc<Values>>>>);

#[derive(Default)]
struct Values {
    sum: AtomicU64,
    recorded: Mutex<Vec<f64>>,
}

impl CounterFn for Values {
    fn increment(&self, value: u64) {
        self.sum.fetch_add(value, Ordering::Relaxed);
    }
    fn absolute(&self, value: u64) {
        self.sum.store(value, Ordering::Relaxed);
    }
}

impl HistogramFn for Values {
    fn record(&self, value: f64) {
        self.recorded.lock().unwrap().push(value);
    }
}

impl Collected {
    fn values(&self, key: &Key) -> Arc<Values> {
        let labels: Vec<_> = key
            .labels()
            .map(|label| format!("{}={}", label.key(), label.value()))
            .collect();
        let name = format!("{}{{{}}}", key.name(), labels.join(","));
        Arc::clone(self.0.lock().unwrap().entry(name).or_default())
    }

    fn count(&self, name: &str) -> u64 {
        self.0.lock().unwrap()[&format!("requeue_worker_{name}_total{{queue=jobs}}")]
            .sum
            .load(Ordering::Relaxed)
    }

    fn recorded(&self, name: &str) -> Vec<f64> {
        self.0.lock().unwrap()[&format!("requeue_worker_{name}{{queue=jobs}}")]
            .recorded
            .lock()
            .unwrap()
            .clone()
    }
}

impl Recorder for Collected {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.values(key))
    }
    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }
    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.values(key))
    }
}

#[test]
fn metrics_say_what_the_report_says() {
    let clock = ManualClock::default();
    let jobs = Queue::standard("jobs").clock(&clock).build().unwrap();
    let _ = jobs.send_batch(["1", "two", "3"]).unwrap();
    clock.advance(Duration::from_secs(2));
    let collected = Collected::default();
    let runner = with_local_recorder(&collected, || {
        let runner = Runner::builder(&jobs).until_none_visible();
        runner.each(move |job: &Job| {
            clock.set(clock.now().saturating_add(Duration::from_millis(500)));
            job.body().parse::<u32>().map(drop)
        })
    });
    let report = pollster::block_on(runner.unwrap().run()).unwrap();
    assert_eq!((report.received, report.succeeded, report.failed), (3, 2, 1));
    for (name, number) in [
        ("received", 3),
        ("succeeded", 2),
        ("failed", 1),
        ("retries", 0),
        ("lost", 0),
    ] {
        assert_eq!(collected.count(name), number, "{name}");
    }
    assert_eq!(collected.recorded("queue_wait_seconds"), [2.0, 2.5, 3.0]);
    assert_eq!(collected.recorded("handling_time_seconds"), [0.5; 3]);
    assert_eq!(collected.recorded("receives"), [1.0; 3]);
    assert_eq!(report.queue_wait.max() / 100, 30);
}

/// Writes down spans and events as lines.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>, Arc<AtomicU64>);

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
        metadata.target().starts_with("requeue")
    }
    fn new_span(&self, span: &Attributes<'_>) -> Id {
        self.push(span.metadata().name(), |fields| span.record(fields));
        Id::from_u64(self.1.fetch_add(1, Ordering::Relaxed) + 0xa0)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        self.push("event", |fields| event.record(fields));
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
    use requeue::worker::{HandlerFuture, spawned};
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
    let handler = spawned(spawn, move |_: Job| {
        let sends = sends.clone();
        async move {
            assert_ne!(thread::current().id(), home);
            sends.send(TraceHeader::carry(SendMessage::new("b"))).map(drop)
        }
    });
    let runner = Runner::builder(&jobs).until_none_visible().each_async(handler);
    let report = with_default(lines.clone(), || pollster::block_on(runner.unwrap().run()));
    assert_eq!(report.unwrap().succeeded, 1);
    let entered = lines.taken().iter().filter(|line| *line == "enter a0").count();
    assert!(entered >= 2, "on either thread");
    let carried = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=00000000000000a0;Sampled=1";
    assert_eq!(next.receive().blocking().unwrap()[0].aws_trace_header(), Some(carried));
}

#[test]
fn a_failure_is_a_warning_and_a_batch_has_one_span() {
    use requeue::worker::{BatchAnswer, BatchSettings};
    let jobs = Queue::standard("jobs").build().unwrap();
    let _ = jobs.send_batch(["a", "b"]).unwrap();
    let lines = Lines::default();
    let runner = Runner::builder(&jobs)
        .until_none_visible()
        .batch(BatchSettings::default(), |batch: &[Job]| {
            assert_eq!(TraceHeader::current(), None, "a batch may hold many traces");
            BatchAnswer::success().fail(&batch[0], "broken")
        });
    with_default(lines.clone(), || pollster::block_on(runner.unwrap().run())).unwrap();
    let lines = lines.taken();
    assert_eq!(lines[0], "batch queue=\"jobs\" messages=2");
    assert!(
        lines
            .iter()
            .any(|line| line.starts_with("event") && line.contains(" failed: broken ")),
        "{lines:?}"
    );
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
