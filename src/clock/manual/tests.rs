//! Every test here runs in virtual time; a failure may also be a test that never ends.

use std::{
    future::Future,
    panic::{self, AssertUnwindSafe},
    pin::Pin,
    sync::{
        Weak,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    task::Context,
};

use super::*;
use crate::clock::tests::waker_fn;

const SECOND: Duration = Duration::from_secs(1);

/// Milliseconds after zero.
fn ms(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn clock_at_zero() -> ManualClock {
    ManualClock::at(Timestamp::ZERO)
}

/// What wakers and threads saw, in the order they saw it.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<(u64, String)>>>);

impl Log {
    fn note(&self, clock: &ManualClock, what: impl Into<String>) {
        let now = clock.now().as_millis();
        self.0.lock().push((now, what.into()));
    }

    fn take(&self) -> Vec<(u64, String)> {
        std::mem::take(&mut self.0.lock())
    }

    /// A waker that notes when it is called.
    fn waker(&self, clock: &ManualClock, what: &'static str) -> Waker {
        let (log, clock) = (self.clone(), clock.clone());
        waker_fn(move || log.note(&clock, what))
    }
}

fn noted(entries: &[(u64, &str)]) -> Vec<(u64, String)> {
    entries.iter().map(|(at, what)| (*at, (*what).to_owned())).collect()
}

/// A thread that parks without deadline, and its waker.
fn parked_thread(clock: &ManualClock, then: impl FnOnce(&Parker) + Send + 'static) -> (Waker, thread::JoinHandle<()>) {
    let (out, waker) = mpsc::channel();
    let sleeper = clock.clone();
    let sleepers = clock.shared.state.lock().sleepers();
    let thread = thread::spawn(move || {
        let parker = Parker::new();
        out.send(parker.waker()).unwrap();
        sleeper.park_until(&parker, None);
        then(&parker);
    });
    clock.wait_for_sleepers(sleepers + 1);
    (waker.recv().unwrap(), thread)
}

#[test]
fn a_clock_starts_with_the_year_2026() {
    assert_eq!(ManualClock::default().now().as_secs(), 20_454 * 24 * 60 * 60);
}

#[test]
fn alarms_fire_in_order_each_at_its_own_time() {
    let (clock, log) = (clock_at_zero(), Log::default());
    let alarms =
        [(30, "c"), (10, "a"), (20, "b"), (31, "d")].map(|(at, what)| clock.wake_at(ms(at), log.waker(&clock, what)));
    clock.advance(Duration::from_millis(30));
    assert_eq!(log.take(), noted(&[(10, "a"), (20, "b"), (30, "c")]));
    assert_eq!(clock.now(), ms(30));
    assert_eq!(clock.next_deadline(), Some(ms(31)));
    drop(alarms);
}

#[test]
fn alarms_of_one_millisecond_fire_in_the_order_they_were_set() {
    let (clock, log) = (clock_at_zero(), Log::default());
    let alarms = ["a", "b", "c"].map(|what| clock.wake_at(ms(5), log.waker(&clock, what)));
    clock.advance(SECOND);
    assert_eq!(log.take(), noted(&[(5, "a"), (5, "b"), (5, "c")]));
    drop(alarms);
}

#[test]
fn a_waker_may_set_alarms_that_fall_due_in_the_same_advance() {
    let (clock, log) = (clock_at_zero(), Log::default());
    let kept = Arc::new(Mutex::new(Vec::new()));
    let waker = waker_fn({
        let (clock, log, kept) = (clock.clone(), log.clone(), kept.clone());
        move || {
            log.note(&clock, "first");
            let now = clock.now();
            let next = [(0, "due at once"), (5, "due later"), (5_000, "not due")].map(|(millis, what)| {
                let due = now.saturating_add(Duration::from_millis(millis));
                clock.wake_at(due, log.waker(&clock, what))
            });
            log.note(&clock, "set");
            kept.lock().extend(next);
        }
    });
    let alarm = clock.wake_at(ms(10), waker);
    clock.advance(SECOND);
    let expected = [(10, "first"), (10, "set"), (10, "due at once"), (15, "due later")];
    assert_eq!(log.take(), noted(&expected));
    assert_eq!(clock.now(), ms(1_000));
    drop((alarm, kept));
}

#[test]
fn a_waker_may_drop_an_alarm_of_the_same_millisecond() {
    let (clock, log) = (clock_at_zero(), Log::default());
    let victim = Arc::new(Mutex::new(None));
    let killer = waker_fn({
        let victim = victim.clone();
        move || drop(victim.lock().take())
    });
    let alarm = clock.wake_at(ms(5), killer);
    *victim.lock() = Some(clock.wake_at(ms(5), log.waker(&clock, "victim")));
    clock.advance(SECOND);
    assert_eq!(log.take(), []);
    drop(alarm);
}

#[test]
fn an_alarm_already_due_fires_while_it_is_set() {
    let (clock, log) = (clock_at_zero(), Log::default());
    let alarm = clock.wake_at(Timestamp::ZERO, log.waker(&clock, "due"));
    assert_eq!(log.take(), noted(&[(0, "due")]));
    drop(alarm);
}

#[test]
fn dropped_alarms_neither_fire_nor_leave_anything_behind() {
    let (clock, log) = (clock_at_zero(), Log::default());
    for millis in 1..=1_000 {
        drop(clock.wake_at(ms(millis), log.waker(&clock, "dropped")));
    }
    assert_eq!(clock.next_deadline(), None);
    clock.advance(2 * SECOND);
    assert_eq!(log.take(), []);
    assert_eq!(Arc::strong_count(&clock.shared), 1);
}

#[test]
fn time_stops_at_its_last_millisecond() {
    let (clock, log) = (ManualClock::default(), Log::default());
    let alarm = clock.wake_at(Timestamp::MAX, log.waker(&clock, "last"));
    clock.advance(Duration::MAX);
    clock.advance(Duration::MAX);
    assert_eq!(clock.now(), Timestamp::MAX);
    assert_eq!(log.take(), noted(&[(u64::MAX, "last")]));
    drop(alarm);
}

#[test]
fn setting_time_back_fires_nothing_and_keeps_deadlines() {
    let (clock, log) = (ManualClock::at(ms(100)), Log::default());
    let alarm = clock.wake_at(ms(110), log.waker(&clock, "due"));
    clock.set(ms(40));
    assert_eq!((clock.now(), log.take()), (ms(40), vec![]));
    clock.advance(Duration::from_millis(69));
    assert_eq!(log.take(), []);
    clock.advance(Duration::from_millis(1));
    assert_eq!(log.take(), noted(&[(110, "due")]));
    drop(alarm);
}

#[test]
fn setting_time_forward_fires_what_falls_due() {
    let (clock, log) = (clock_at_zero(), Log::default());
    let alarm = clock.wake_at(ms(10), log.waker(&clock, "due"));
    clock.set(ms(50));
    assert_eq!((clock.now(), log.take()), (ms(50), noted(&[(10, "due")])));
    drop(alarm);
}

#[test]
fn advancing_to_the_past_leaves_time_as_it_is() {
    let clock = ManualClock::at(ms(100));
    clock.advance_to(ms(99));
    assert_eq!(clock.now(), ms(100));
}

#[test]
fn a_waker_may_move_the_clock() {
    let (clock, log) = (clock_at_zero(), Log::default());
    let mover = waker_fn({
        let (clock, log) = (clock.clone(), log.clone());
        move || {
            clock.advance(Duration::from_millis(20));
            log.note(&clock, "moved");
        }
    });
    let within = clock.wake_at(ms(15), log.waker(&clock, "within"));
    let alarm = clock.wake_at(ms(5), mover);
    let beyond = clock.wake_at(ms(26), log.waker(&clock, "beyond"));
    clock.advance(Duration::from_millis(10));
    assert_eq!(log.take(), noted(&[(15, "within"), (25, "moved")]));
    assert_eq!(clock.now(), ms(25), "further than the outer advance wanted to go");
    drop((within, alarm, beyond));
}

#[test]
fn an_alarm_due_after_a_waker_overtook_the_advance_still_fires() {
    let (clock, log) = (clock_at_zero(), Log::default());
    let kept = Arc::new(Mutex::new(None));
    let overtaking = waker_fn({
        let (clock, log, kept) = (clock.clone(), log.clone(), kept.clone());
        move || {
            clock.advance(SECOND);
            *kept.lock() = Some(clock.wake_at(ms(500), log.waker(&clock, "due")));
        }
    });
    let alarm = clock.wake_at(ms(5), overtaking);
    clock.advance(Duration::from_millis(10));
    assert_eq!(log.take(), noted(&[(1_005, "due")]));
    drop((alarm, kept));
}

#[test]
fn a_panicking_waker_leaves_a_clock_that_works() {
    let (clock, log) = (clock_at_zero(), Log::default());
    let panicking = waker_fn(|| panic::resume_unwind(Box::new("a waker's own panic")));
    let alarms = [
        clock.wake_at(ms(5), panicking),
        clock.wake_at(ms(6), log.waker(&clock, "next")),
    ];
    let outcome = panic::catch_unwind(AssertUnwindSafe(|| clock.advance(SECOND)));
    assert!(outcome.is_err(), "the panic reaches the caller of advance");
    assert_eq!(clock.now(), ms(5));
    thread::scope(|scope| scope.spawn(|| clock.advance(SECOND)).join().unwrap());
    assert_eq!(log.take(), noted(&[(6, "next")]));
    drop(alarms);
}

#[test]
fn a_wake_before_the_park_ends_one_park() {
    let clock = clock_at_zero();
    let parker = Parker::new();
    parker.waker().wake();
    clock.park_until(&parker, None);
    assert!(!parker.take_wake(), "the park took the wake");
}

#[test]
fn a_thread_whose_park_was_ended_by_an_early_wake_is_busy() {
    let (clock, parker) = (clock_at_zero(), Parker::new());
    let is_busy = || clock.shared.state.lock().is_busy();
    parker.waker().wake();
    assert!(!is_busy(), "it has not parked here");
    clock.park_until(&parker, None);
    assert!(is_busy());
    drop(parker);
    assert!(!is_busy());
}

#[test]
fn a_deadline_already_reached_ends_a_park_at_once() {
    let clock = ManualClock::at(ms(7));
    clock.park_until(&Parker::new(), Some(ms(7)));
    assert_eq!(clock.next_deadline(), None);
}

#[test]
fn a_stray_unpark_does_not_end_a_park() {
    let clock = clock_at_zero();
    let (out, woken) = mpsc::channel();
    let (waker, sleeper) = parked_thread(&clock, move |_| out.send(()).unwrap());
    for _ in 0..100 {
        sleeper.thread().unpark();
        thread::yield_now();
    }
    assert_eq!(woken.try_recv(), Err(mpsc::TryRecvError::Empty));
    waker.wake();
    woken.recv().unwrap();
    sleeper.join().unwrap();
}

#[test]
fn advance_lets_a_sleeper_finish_at_each_of_its_deadlines() {
    let (clock, log) = (clock_at_zero(), Log::default());
    let sleeper = thread::spawn({
        let (clock, log) = (clock.clone(), log.clone());
        move || {
            let parker = Parker::new();
            for _ in 0..50 {
                let deadline = clock.now().saturating_add(Duration::from_millis(10));
                clock.park_until(&parker, Some(deadline));
                thread::yield_now();
                log.note(&clock, "woken");
            }
        }
    });
    clock.wait_for_sleepers(1);
    clock.advance(Duration::from_millis(255));
    let expected: Vec<_> = (1..=25).map(|it| (it * 10, "woken".to_owned())).collect();
    assert_eq!(log.take(), expected);
    clock.advance(SECOND);
    assert_eq!(log.take().last(), Some(&(500, "woken".to_owned())));
    sleeper.join().unwrap();
}

#[test]
fn a_thread_woken_by_another_finishes_before_time_moves() {
    for _ in 0..100 {
        let (clock, log) = (clock_at_zero(), Log::default());
        let (waker, sleeper) = parked_thread(&clock, {
            let (clock, log) = (clock.clone(), log.clone());
            move |_| {
                thread::yield_now();
                log.note(&clock, "woken");
            }
        });
        waker.wake();
        clock.advance(SECOND);
        assert_eq!(log.take(), noted(&[(0, "woken")]));
        sleeper.join().unwrap();
    }
}

#[test]
fn a_chain_of_threads_waking_each_other_settles_within_one_deadline() {
    let (clock, log) = (clock_at_zero(), Log::default());
    let mut next = log.waker(&clock, "end of the chain");
    let mut sleepers = Vec::new();
    for _ in 0..5 {
        let (clock, log) = (clock.clone(), log.clone());
        let (waker, sleeper) = parked_thread(&clock.clone(), move |_| {
            log.note(&clock, "link");
            next.wake();
        });
        next = waker;
        sleepers.push(sleeper);
    }
    let alarm = clock.wake_at(ms(5), next);
    clock.advance(SECOND);
    let links = log.take();
    assert_eq!(links.len(), 6);
    assert!(links.iter().all(|(at, _)| *at == 5), "{links:?}");
    for sleeper in sleepers {
        sleeper.join().unwrap();
    }
    drop(alarm);
}

#[test]
fn a_thread_woken_before_its_deadline_leaves_no_deadline_behind() {
    let clock = clock_at_zero();
    let (out, waker) = mpsc::channel();
    let sleeper = thread::spawn({
        let clock = clock.clone();
        move || {
            let parker = Parker::new();
            out.send(parker.waker()).unwrap();
            clock.park_until(&parker, Some(ms(10)));
        }
    });
    clock.wait_for_sleepers(1);
    waker.recv().unwrap().wake();
    assert_eq!(clock.next_deadline(), None);
    sleeper.join().unwrap();
    assert!(clock.shared.state.lock().threads.is_empty());
}

#[test]
fn a_thread_that_panics_settles() {
    let clock = clock_at_zero();
    let (waker, sleeper) = parked_thread(&clock, |_| panic::resume_unwind(Box::new("a consumer's own panic")));
    waker.wake();
    clock.advance(SECOND);
    assert!(sleeper.join().is_err());
    assert_eq!(clock.now(), ms(1_000));
}

#[test]
fn a_busy_thread_may_advance_while_another_waits_for_it() {
    let (clock, log) = (clock_at_zero(), Log::default());
    let (waker, sleeper) = parked_thread(&clock, {
        let (clock, log) = (clock.clone(), log.clone());
        move |_parker| {
            log.note(&clock, "woken");
            clock.advance(SECOND);
        }
    });
    waker.wake();
    clock.advance(SECOND);
    sleeper.join().unwrap();
    assert_eq!(log.take(), noted(&[(0, "woken")]));
    assert_eq!(clock.now(), ms(2_000));
}

#[test]
fn busy_threads_that_advance_at_the_same_time_take_turns() {
    let clock = clock_at_zero();
    let (wakers, sleepers): (Vec<_>, Vec<_>) = (0..4)
        .map(|_| {
            let mover = clock.clone();
            parked_thread(&clock, move |_parker| {
                (0..20).for_each(|_| mover.advance(Duration::from_millis(1)));
            })
        })
        .unzip();
    wakers.into_iter().for_each(Waker::wake);
    for sleeper in sleepers {
        sleeper.join().unwrap();
    }
    assert_eq!(clock.now(), ms(80));
}

#[test]
fn a_thread_that_was_never_woken_may_hold_a_parker_and_advance() {
    let clock = clock_at_zero();
    let parker = Parker::new();
    clock.park_until(&parker, Some(Timestamp::ZERO));
    thread::scope(|scope| scope.spawn(|| clock.advance(SECOND)).join().unwrap());
    assert_eq!(clock.now(), ms(1_000));
    drop(parker);
}

#[test]
fn advances_from_several_threads_take_turns() {
    let (clock, inside) = (clock_at_zero(), Arc::new(AtomicUsize::new(0)));
    let alarms: Vec<Alarm> = (1..=200)
        .map(|millis| {
            let (seen, inside) = (clock.clone(), inside.clone());
            let waker = waker_fn(move || {
                assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "two wakers at once");
                assert_eq!(seen.now(), ms(millis));
                thread::yield_now();
                inside.fetch_sub(1, Ordering::SeqCst);
            });
            clock.wake_at(ms(millis), waker)
        })
        .collect();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..25).for_each(|_| clock.advance(Duration::from_millis(2))));
        }
    });
    assert_eq!((clock.now(), clock.next_deadline()), (ms(200), None));
    drop(alarms);
}

#[test]
fn a_parker_that_parks_in_another_clock_has_left_the_first() {
    let (first, second) = (clock_at_zero(), clock_at_zero());
    let (waker, sleeper) = parked_thread(&first, {
        let second = second.clone();
        move |parker| second.park_until(parker, None)
    });
    waker.wake_by_ref();
    second.wait_for_sleepers(1);
    first.advance(SECOND);
    waker.wake();
    sleeper.join().unwrap();
}

#[test]
fn sleepers_are_alarms_and_parked_threads_with_or_without_deadline() {
    let clock = clock_at_zero();
    clock.wait_for_sleepers(0);
    let alarm = clock.wake_at(ms(50), Waker::noop().clone());
    let (waker, endless) = parked_thread(&clock, |_| {});
    let timed = thread::spawn({
        let clock = clock.clone();
        move || clock.park_until(&Parker::new(), Some(ms(100)))
    });
    clock.wait_for_sleepers(3);
    assert_eq!(format!("{clock:?}"), "ManualClock { now: Timestamp(0), sleepers: 3 }");
    clock.advance(Duration::from_millis(100));
    timed.join().unwrap();
    assert_eq!(clock.shared.state.lock().sleepers(), 1);
    waker.wake();
    endless.join().unwrap();
    drop(alarm);
}

#[test]
fn a_woken_thread_that_parks_by_another_parker_is_not_waited_for() {
    let clock = ManualClock::default();
    let start = clock.now();
    let second = move |seconds: u64| start.saturating_add(Duration::from_secs(seconds));
    let thread = thread::spawn({
        let clock = clock.clone();
        move || {
            let outer = Parker::new();
            clock.park_until(&outer, Some(second(1)));
            let inner = Parker::new();
            clock.park_until(&inner, Some(second(2)));
            drop(inner);
            clock.park_until(&outer, Some(second(3)));
            clock.now()
        }
    });
    clock.wait_for_sleepers(1);
    clock.advance(Duration::from_millis(1_500));
    assert_eq!(clock.next_deadline(), Some(second(2)));
    clock.advance(Duration::from_secs(5));
    assert_eq!(thread.join().unwrap(), second(3));
}

/// Polls with a new waker, which lives as long as what is returned has an owner.
fn poll_with_new_waker<F: Future<Output = ()> + ?Sized>(future: Pin<&mut F>) -> Weak<()> {
    let owned = Arc::new(());
    let alive = Arc::downgrade(&owned);
    let waker = waker_fn(move || drop(Arc::clone(&owned)));
    assert!(future.poll(&mut Context::from_waker(&waker)).is_pending());
    alive
}

fn alive(wakers: &[Weak<()>]) -> usize {
    wakers.iter().filter(|waker| waker.strong_count() > 0).count()
}

#[test]
fn a_future_keeps_only_its_last_waker_and_none_once_it_is_dropped() {
    let clock = clock_at_zero();
    let futures: [Pin<Box<dyn Future<Output = ()>>>; 2] = [
        Box::pin(clock.wait_for_sleepers_async(1)),
        Box::pin(clock.run_until(std::future::pending())),
    ];
    for mut future in futures {
        let wakers: Vec<_> = (0..10).map(|_| poll_with_new_waker(future.as_mut())).collect();
        assert_eq!((alive(&wakers), alive(&wakers[9..])), (1, 1));
        drop(future);
        assert_eq!(alive(&wakers), 0);
    }
}

#[test]
fn a_future_that_waits_for_sleepers_is_woken_although_another_of_its_task_was_dropped() {
    let (clock, log) = (clock_at_zero(), Log::default());
    let waker = log.waker(&clock, "enough");
    let mut futures = [(); 2].map(|()| Box::pin(clock.wait_for_sleepers_async(1)));
    for future in &mut futures {
        assert!(future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    }
    let [dropped, mut waiting] = futures;
    drop(dropped);
    let _alarm = clock.wake_at(ms(1), Waker::noop().clone());
    assert_eq!(log.take(), noted(&[(0, "enough")]));
    assert!(waiting.as_mut().poll(&mut Context::from_waker(&waker)).is_ready());
}
