//! Counters, histograms and gauges, in the recorder that a program installs.

use {
    super::alone,
    metrics::{
        Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString,
        Unit, with_local_recorder,
    },
    requeue::{
        Clock, ManualClock, Queue,
        worker::{Job, Runner, RunnerBuilder, RunnerHandle},
    },
    std::{
        collections::BTreeMap,
        future::Future,
        pin::Pin,
        sync::{
            Arc, Mutex,
            atomic::{AtomicBool, AtomicU64, Ordering},
        },
        task::{Context, Poll, Wake, Waker},
        thread,
        time::Duration,
    },
};

/// Keeps metrics by the text of their key, and what they are said to be.
#[derive(Clone, Default)]
struct Collected(Arc<Mutex<BTreeMap<String, Arc<Values>>>>, Arc<Mutex<Vec<String>>>);

#[derive(Default)]
struct Values {
    sum: AtomicU64,
    level: Mutex<f64>,
    recorded: Mutex<Vec<f64>>,
}

impl GaugeFn for Values {
    fn increment(&self, value: f64) {
        *self.level.lock().unwrap() += value;
    }
    fn decrement(&self, value: f64) {
        *self.level.lock().unwrap() -= value;
    }
    fn set(&self, value: f64) {
        *self.level.lock().unwrap() = value;
    }
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

    fn describe(&self, kind: &str, name: &KeyName, unit: Option<Unit>, text: &str) {
        let unit = unit.map_or("none", |unit| unit.as_str());
        let row = format!("| `{}` | {kind} | {unit} | {text} |", name.as_str());
        self.1.lock().unwrap().push(row);
    }

    /// Backlog, in progress, and age of the oldest message.
    fn gauges(&self) -> [f64; 3] {
        let all = self.0.lock().unwrap();
        ["backlog", "in_progress", "oldest_age_seconds"].map(|name| {
            *all[&format!("requeue_worker_{name}{{queue=jobs}}")]
                .level
                .lock()
                .unwrap()
        })
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
    fn describe_counter(&self, name: KeyName, unit: Option<Unit>, text: SharedString) {
        self.describe("counter", &name, unit, &text);
    }
    fn describe_gauge(&self, name: KeyName, unit: Option<Unit>, text: SharedString) {
        self.describe("gauge", &name, unit, &text);
    }
    fn describe_histogram(&self, name: KeyName, unit: Option<Unit>, text: SharedString) {
        self.describe("histogram", &name, unit, &text);
    }
    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.values(key))
    }
    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.values(key))
    }
    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.values(key))
    }
}

#[test]
fn metrics_say_what_the_report_says() {
    let _alone = alone();
    let clock = ManualClock::default();
    let jobs = Queue::standard("jobs").clock(clock.clone()).build().unwrap();
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

#[test]
fn every_metric_is_described_once_as_the_guide_has_it() {
    let _alone = alone();
    let jobs = Queue::standard("jobs").build().unwrap();
    let collected = Collected::default();
    let runner = with_local_recorder(&collected, || {
        Runner::builder(&jobs).each(|_: &Job| Ok::<(), String>(()))
    });
    drop(runner.unwrap());
    let guide = include_str!("../../src/guide/worker.md");
    let mut rows: Vec<_> = guide
        .lines()
        .filter(|line| line.starts_with("| `requeue_worker_"))
        .collect();
    rows.sort_unstable();
    let mut described = collected.1.lock().unwrap().clone();
    described.sort_unstable();
    assert_eq!(described, rows);
    let name = |row: &&str| row.split('`').nth(1).unwrap().to_owned();
    let mut named: Vec<_> = rows.iter().map(name).collect();
    named.sort_unstable();
    let emitted = collected.0.lock().unwrap();
    let emitted: Vec<_> = emitted.keys().map(|key| key.split('{').next().unwrap()).collect();
    assert_eq!(emitted, named);
}

/// A runner as a future, polled only when it was woken.
struct Run(Pin<Box<dyn Future<Output = u64>>>, Arc<Woken>);

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// A handler that waits until its runner is being stopped, on a queue of three messages sent 5 s ago.
fn held(
    collected: &Collected,
    set: impl FnOnce(RunnerBuilder<Queue>) -> RunnerBuilder<Queue>,
) -> (ManualClock, Queue, Run, RunnerHandle) {
    let clock = ManualClock::default();
    let jobs = Queue::standard("jobs").clock(clock.clone()).build().unwrap();
    let _ = jobs.send_batch(["1", "2", "3"]).unwrap();
    clock.advance(Duration::from_secs(5));
    let builder = set(Runner::builder(&jobs).concurrency(2).prefetch(1));
    let runner = with_local_recorder(collected, || {
        builder.each_async(|job: Job| async move {
            job.stopping().await;
            Ok::<(), String>(())
        })
    });
    let runner = runner.unwrap();
    let handle = runner.handle();
    let run = async move { runner.run().await.unwrap().succeeded };
    let woken = Arc::new(Woken(AtomicBool::new(true)));
    (clock, jobs, Run(Box::pin(run), woken), handle)
}

/// Polls a runner as often as it is woken at once; time stands still.
fn poll(Run(future, woken): &mut Run) -> Option<u64> {
    let waker = Waker::from(Arc::clone(woken));
    while woken.0.swap(false, Ordering::SeqCst) {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return Some(output);
        }
    }
    None
}

#[test]
fn gauges_tell_what_is_held_and_are_zero_in_the_end() {
    let _alone = alone();
    let collected = Collected::default();
    let (clock, _jobs, mut run, handle) = held(&collected, |it| it);
    assert_eq!(collected.gauges(), [0.0; 3]);
    assert_eq!(poll(&mut run), None);
    assert_eq!(collected.gauges(), [1.0, 2.0, 5.0]);
    for age in [15.0, 25.0] {
        clock.advance(Duration::from_secs(10));
        assert_eq!(poll(&mut run), None);
        assert_eq!(
            collected.gauges(),
            [1.0, 2.0, age],
            "nothing happens but that the lease renewer looks"
        );
    }
    handle.stop();
    assert_eq!(poll(&mut run), Some(2));
    assert_eq!(collected.gauges(), [0.0; 3]);
}

#[test]
fn the_age_is_told_every_ten_seconds_whatever_the_leases_and_handlers() {
    let _alone = alone();
    let collected = Collected::default();
    let (clock, _jobs, mut run, _handle) = held(&collected, |it| {
        it.visibility_timeout(Duration::from_secs(43_200)).concurrency(3)
    });
    assert_eq!(poll(&mut run), None);
    for age in [5.0, 15.0, 25.0] {
        assert_eq!(collected.gauges(), [0.0, 3.0, age]);
        clock.advance(Duration::from_secs(10));
        assert_eq!(poll(&mut run), None);
    }
}

#[test]
fn runners_of_one_queue_add_up_and_one_that_is_dropped_holds_nothing() {
    let _alone = alone();
    let collected = Collected::default();
    let (_, _jobs, mut first, _kept) = held(&collected, |it| it);
    let (_, _jobs, mut second, _handle) = held(&collected, |it| it.concurrency(1));
    assert_eq!((poll(&mut first), poll(&mut second)), (None, None));
    assert_eq!(collected.gauges()[..2], [2.0, 3.0]);
    drop(first);
    assert_eq!(collected.gauges()[..2], [1.0, 1.0]);
    drop(second);
    assert_eq!(collected.gauges(), [0.0; 3]);
}

#[test]
fn handlers_that_a_stop_abandons_on_threads_are_not_in_progress() {
    let _alone = alone();
    let jobs = Queue::standard("jobs").build().unwrap();
    jobs.send("a").unwrap();
    let collected = Collected::default();
    let hold = Arc::new(Mutex::new(()));
    let (held, blocked) = (hold.lock().unwrap(), Arc::clone(&hold));
    let runner = with_local_recorder(&collected, || {
        let runner = Runner::builder(&jobs).shutdown_timeout(Duration::ZERO);
        runner.each(move |_: &Job| {
            drop(blocked.lock().unwrap());
            Ok::<(), String>(())
        })
    });
    let running = runner.unwrap().spawn().unwrap();
    let handle = running.handle();
    while handle.jobs().is_empty() {
        thread::yield_now();
    }
    assert_eq!(collected.gauges()[1], 1.0);
    handle.stop();
    assert_eq!(running.join().unwrap().abandoned, 1);
    assert_eq!(collected.gauges(), [0.0; 3]);
    drop(held);
    while !handle.jobs().is_empty() {
        thread::yield_now();
    }
    assert_eq!(collected.gauges(), [0.0; 3]);
}
