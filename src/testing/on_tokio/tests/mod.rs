//! What runs when.

mod ends;
mod mains;

use {
    super::*,
    crate::clock::{Clock, ManualClock},
    std::{
        cell::{Cell, RefCell},
        future::pending,
        sync::atomic::AtomicU64,
    },
    tokio::{
        sync::{Notify, mpsc, oneshot, watch},
        task::{JoinSet, LocalSet, spawn_local, yield_now},
        time::{interval, sleep, timeout},
    },
};

const START: u64 = 1_000_003;

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(START + millis)
}

fn millis(span: u64) -> Duration {
    Duration::from_millis(span)
}

type Entries = Arc<Mutex<Vec<(u64, String)>>>;

/// What happened when, by the clock of the check; both clocks must agree.
#[derive(Clone)]
struct Diary {
    clock: ManualClock,
    start: Instant,
    entries: Entries,
}

impl Diary {
    fn new(process: &TokioProcess) -> Self {
        let _inside = process.enter();
        Self {
            clock: ManualClock::at(process.ahead()),
            start: Instant::now(),
            entries: Entries::default(),
        }
    }

    fn note(&self, what: impl Into<String>) {
        let now = self.clock.now().saturating_duration_since(at(0));
        assert_eq!(self.start.elapsed(), now, "tokio's clock is the clock of the check");
        self.entries
            .lock()
            .push((u64::try_from(now.as_millis()).unwrap(), what.into()));
    }

    fn told(&self) -> Vec<(u64, String)> {
        self.entries.lock().clone()
    }
}

fn entries<const N: usize>(entries: [(u64, &str); N]) -> Vec<(u64, String)> {
    entries.map(|(when, what)| (when, what.to_owned())).into()
}

/// Lets a process live by itself, from instant to instant, until its main future completes or `until`.
fn live<T>(
    process: &TokioProcess,
    clock: &ManualClock,
    until: Timestamp,
    mut work: Pin<&mut (dyn Future<Output = T> + '_)>,
) -> Poll<T> {
    loop {
        let output = process.poll(clock.now(), work.as_mut());
        if output.is_ready() || clock.now() == until {
            return output;
        }
        clock.advance_to(process.seek(until));
    }
}

/// A process that starts at `at(0)` and lives by itself; what it has written, and whether it has completed.
fn alone<F: Future>(until: u64, work: impl FnOnce(Diary) -> F) -> (Poll<F::Output>, Vec<(u64, String)>) {
    let process = TokioProcess::new(at(0)).unwrap();
    let diary = Diary::new(&process);
    let work = pin!(work(diary.clone()));
    let output = live(&process, &diary.clock, at(until), work);
    (output, diary.told())
}

#[test]
fn sleeps_timeouts_and_intervals_end_in_their_millisecond() {
    let (output, told) = alone(3_600_000, |diary| async move {
        sleep(millis(1)).await;
        diary.note("sleep");
        assert!(timeout(millis(250), pending::<()>()).await.is_err());
        diary.note("timeout");
        let mut ticks = interval(millis(30_000));
        for _ in 0..3 {
            ticks.tick().await;
            diary.note("tick");
        }
        sleep(Duration::from_micros(1_500)).await; // tokio rounds up
        diary.note("fraction");
        sleep_until(diary.start + millis(64 * 64 * 64)).await;
        diary.note("until");
        sleep(Duration::ZERO).await;
        diary.note("nothing");
    });
    assert_eq!(output, Poll::Ready(()));
    let expected = [
        (1, "sleep"),
        (251, "timeout"),
        (251, "tick"),
        (30_251, "tick"),
        (60_251, "tick"),
        (60_253, "fraction"),
        (262_144, "until"),
        (262_144, "nothing"),
    ];
    assert_eq!(told, entries(expected));
}

#[test]
fn a_process_that_waits_for_nothing_stands_still() {
    let process = TokioProcess::new(at(0)).unwrap();
    let mut work = pin!(pending::<()>());
    assert!(process.is_woken());
    assert!(process.poll(at(0), work.as_mut()).is_pending());
    assert!(!process.is_woken());
    let year = 366 * 24 * 3_600_000;
    let mut stops = 0;
    while process.seek(at(year)) < at(year) {
        assert!(process.poll(process.ahead(), work.as_mut()).is_pending());
        stops += 1;
    }
    assert!(stops <= 5, "{stops} stops"); // one for each level of tokio's wheel of timers
    assert_eq!(process.ahead(), at(year));
}

#[test]
fn tasks_and_channels_run_within_one_instant() {
    let (output, told) = alone(10_000, |diary| async move {
        let (sender, mut receiver) = mpsc::channel(1);
        let (done, is_done) = oneshot::channel();
        let worker = diary.clone();
        tokio::spawn(async move {
            while let Some(number) = receiver.recv().await {
                worker.note(format!("got {number}"));
                sleep(millis(100)).await;
            }
            done.send("all").unwrap();
        });
        for number in 0..3 {
            sender.send(number).await.unwrap();
            diary.note(format!("sent {number}"));
        }
        drop(sender);
        diary.note(is_done.await.unwrap());
        let mut tasks = JoinSet::new();
        for number in [30, 10, 20_u64] {
            tasks.spawn(async move {
                sleep(millis(number)).await;
                number
            });
        }
        while let Some(number) = tasks.join_next().await {
            diary.note(number.unwrap().to_string());
        }
    });
    assert_eq!(output, Poll::Ready(()));
    let expected = [
        (0, "sent 0"),
        (0, "got 0"),
        (0, "sent 1"),
        (100, "got 1"),
        (100, "sent 2"),
        (200, "got 2"),
        (300, "all"),
        (310, "10"),
        (320, "20"),
        (330, "30"),
    ];
    assert_eq!(told, entries(expected));
}

#[test]
fn local_tasks_run_in_a_local_set() {
    let (output, told) = alone(1_000, |diary| async move {
        let shared = Rc::new(Cell::new(0));
        let set = LocalSet::new();
        set.run_until(async {
            let other = shared.clone();
            let task = spawn_local(async move {
                sleep(millis(5)).await;
                other.set(7);
            });
            task.await.unwrap();
            diary.note(shared.get().to_string());
        })
        .await;
    });
    assert_eq!(output, Poll::Ready(()));
    assert_eq!(told, entries([(5, "7")]));
}

/// Spans that are neither sorted nor distinct, of all levels of tokio's wheel of timers.
fn spans(count: u64) -> Vec<u64> {
    (0..count)
        .map(|number| {
            let mixed = (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            (mixed >> 32) % (1 << (mixed % 30)) + 1
        })
        .collect()
}

#[test]
fn a_thousand_timers_fire_in_order_each_in_its_millisecond() {
    let mut expected = spans(1_000);
    let (_, told) = alone(1 << 30, |diary| async move {
        for span in spans(1_000) {
            let diary = diary.clone();
            tokio::spawn(async move {
                sleep(millis(span)).await;
                diary.note(span.to_string());
            });
        }
        pending::<()>().await;
    });
    expected.sort_unstable();
    let expected: Vec<_> = expected.iter().map(|span| (*span, span.to_string())).collect();
    assert_eq!(told, expected);
}

#[test]
fn a_timer_that_is_put_off_or_dropped_does_not_fire() {
    let (output, told) = alone(100_000, |diary| async move {
        let mut put_off = pin!(sleep(millis(50)));
        let dropped = tokio::spawn({
            let diary = diary.clone();
            async move {
                sleep(millis(60)).await;
                diary.note("dropped");
            }
        });
        assert!(timeout(millis(10), put_off.as_mut()).await.is_err());
        put_off.as_mut().reset(Instant::now() + millis(70_000));
        dropped.abort();
        put_off.await;
        diary.note("put off");
    });
    assert_eq!(output, Poll::Ready(()));
    assert_eq!(told, entries([(70_010, "put off")]));
}

#[test]
fn a_poll_ends_when_a_chain_of_ten_thousand_tasks_has_ended() {
    const LINKS: u32 = 10_000;
    let process = TokioProcess::new(at(0)).unwrap();
    let first = Arc::new(Notify::new());
    let ends = Arc::new(AtomicU64::new(0));
    let mut work = pin!(async {
        let mut before = first.clone();
        for _ in 0..LINKS {
            let after = Arc::new(Notify::new());
            let (from, to, ends) = (before, after.clone(), ends.clone());
            tokio::spawn(async move {
                from.notified().await;
                yield_now().await;
                ends.fetch_add(1, Ordering::Relaxed);
                to.notify_one();
            });
            before = after;
        }
        before.notified().await;
    });
    assert!(process.poll(at(0), work.as_mut()).is_pending());
    assert!(!process.is_woken());
    assert_eq!(process.seek(at(5)), at(5));
    first.notify_one(); // somebody outside
    assert!(process.is_woken());
    assert!(process.poll(at(5), work.as_mut()).is_ready());
    assert_eq!(ends.load(Ordering::Relaxed), u64::from(LINKS));
}

#[test]
fn a_wake_from_outside_is_seen_whoever_it_wakes() {
    let process = TokioProcess::new(at(0)).unwrap();
    let (to_main, to_task) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let woken = Arc::new(AtomicU64::new(0));
    let (of_task, count) = (to_task.clone(), woken.clone());
    let mut work = pin!(async {
        tokio::spawn(async move {
            loop {
                of_task.notified().await;
                count.fetch_add(1, Ordering::Relaxed);
            }
        });
        loop {
            to_main.notified().await;
            woken.fetch_add(100, Ordering::Relaxed);
        }
    });
    assert_eq!(process.poll(at(0), work.as_mut()), Poll::<()>::Pending);
    for (now, notify, sum) in [
        (0, &to_main, 100),
        (0, &to_task, 101),
        (7, &to_task, 102),
        (9, &to_main, 202),
    ] {
        assert!(!process.is_woken());
        notify.notify_one();
        assert!(process.is_woken());
        // It has something to do before any timer.
        assert_eq!(process.seek(at(1_000)), process.ahead());
        assert!(process.poll(at(now), work.as_mut()).is_pending());
        assert_eq!(woken.load(Ordering::Relaxed), sum);
        assert_eq!(process.ahead(), at(now));
    }
}

#[test]
fn processes_take_turns_and_each_is_ahead_for_itself() {
    let processes = [(); 2].map(|()| TokioProcess::new(at(0)).unwrap());
    let diary = Diary::new(&processes[0]);
    let (sender, mut receiver) = mpsc::unbounded_channel();
    let second_start = Diary::new(&processes[1]).start;
    let mut first = pin!(async {
        for number in 0..3 {
            sleep(millis(1_000)).await;
            diary.note(format!("sent {number}"));
            sender.send(number).unwrap();
        }
    });
    let received = RefCell::new(Vec::new());
    let mut second = pin!(async {
        while let Ok(Some(number)) = timeout(millis(1_500), receiver.recv()).await {
            received.borrow_mut().push((second_start.elapsed(), number));
        }
        received.borrow_mut().push((second_start.elapsed(), 100));
    });
    let clock = diary.clock.clone();
    let mut done = [false; 2];
    while done != [true; 2] {
        let now = clock.now();
        done[0] = done[0] || processes[0].poll(now, first.as_mut()).is_ready();
        done[1] = done[1] || processes[1].poll(now, second.as_mut()).is_ready();
        let mut next = at(1_000_000);
        for at in 0..2 {
            if !done[at] {
                next = processes[at].seek(next);
            }
        }
        clock.advance_to(next);
    }
    assert_eq!(
        diary.told(),
        entries([(1_000, "sent 0"), (2_000, "sent 1"), (3_000, "sent 2")])
    );
    let expected = [(1_000, 0), (2_000, 1), (3_000, 2), (4_500, 100)].map(|(when, what)| (millis(when), what));
    assert_eq!(*received.borrow(), expected);
}

#[test]
fn nothing_runs_before_the_instant_that_a_process_is_ahead_at() {
    let process = TokioProcess::new(at(0)).unwrap();
    let notify = Notify::new();
    let polls = Cell::new(0);
    let mut work = pin!(async {
        loop {
            polls.set(polls.get() + 1);
            let _ = timeout(millis(40), notify.notified()).await;
        }
    });
    assert_eq!(process.poll(at(0), work.as_mut()), Poll::<()>::Pending);
    assert_eq!(process.seek(at(100)), at(40));
    notify.notify_one();
    assert!(process.poll(at(39), work.as_mut()).is_pending());
    assert_eq!((polls.get(), process.ahead(), process.is_woken()), (1, at(40), true));
    assert!(process.poll(at(40), work.as_mut()).is_pending());
    assert!(polls.get() > 1);
}

#[test]
fn what_a_seek_wakes_runs_in_the_next_poll() {
    let process = TokioProcess::new(at(0)).unwrap();
    let diary = Diary::new(&process);
    let mut work = pin!(async {
        for span in [20, 20, 21] {
            let diary = diary.clone();
            tokio::spawn(async move {
                sleep(millis(span)).await;
                diary.note(span.to_string());
            });
        }
        pending::<()>().await;
    });
    assert!(process.poll(at(0), work.as_mut()).is_pending());
    let mut expected = Vec::new();
    for (now, what) in [(20, vec!["20", "20"]), (21, vec!["21"])] {
        for _ in 0..3 {
            assert_eq!(process.seek(at(40)), at(now));
            assert!(process.is_woken());
        }
        assert_eq!(diary.told(), expected);
        diary.clock.advance_to(at(now));
        assert!(process.poll(at(now), work.as_mut()).is_pending());
        expected.extend(what.into_iter().map(|what| (now, what.to_owned())));
        assert_eq!(diary.told(), expected);
        assert!(!process.is_woken());
    }
    assert_eq!(process.seek(at(40)), at(40));
}

#[test]
fn timers_that_no_seek_stopped_at_fire_together_when_the_clock_moves_past_them() {
    let process = TokioProcess::new(at(0)).unwrap();
    let diary = Diary::new(&process);
    let mut work = pin!(async {
        for span in [30, 20] {
            let diary = diary.clone();
            tokio::spawn(async move {
                sleep(millis(span)).await;
                diary.note(span.to_string());
            });
        }
        pending::<()>().await;
    });
    assert!(process.poll(at(0), work.as_mut()).is_pending());
    diary.clock.advance_to(at(500));
    assert!(process.poll(at(500), work.as_mut()).is_pending());
    assert_eq!(diary.told(), entries([(500, "20"), (500, "30")]));
    assert!(!process.is_woken());
}

#[test]
fn a_watch_and_an_abort_are_seen_in_the_instant_they_happen() {
    let (output, told) = alone(10_000, |diary| async move {
        let (sender, mut receiver) = watch::channel(0);
        let watcher = diary.clone();
        let task = tokio::spawn(async move {
            while receiver.changed().await.is_ok() {
                watcher.note(receiver.borrow_and_update().to_string());
            }
        });
        for number in 1..3 {
            sleep(millis(500)).await;
            sender.send(number).unwrap();
        }
        yield_now().await;
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
        diary.note("aborted");
    });
    assert_eq!(output, Poll::Ready(()));
    assert_eq!(told, entries([(500, "1"), (1_000, "2"), (1_000, "aborted")]));
}

/// The order in which twenty waiters of one `watch` are woken.
#[cfg(tokio_unstable)]
fn order_of_waiters() -> Vec<(u64, String)> {
    let (_, told) = alone(1_000, |diary| async move {
        let (sender, receiver) = watch::channel(());
        for number in 0..20 {
            let (diary, mut receiver) = (diary.clone(), receiver.clone());
            tokio::spawn(async move {
                receiver.changed().await.unwrap();
                diary.note(number.to_string());
            });
        }
        sleep(millis(1)).await;
        sender.send(()).unwrap();
        pending::<()>().await;
    });
    told
}

#[test]
#[cfg(tokio_unstable)]
fn the_draws_of_tokio_are_the_same_in_every_process() {
    assert_eq!(order_of_waiters(), order_of_waiters());
}
