//! `ManualClock::run_until`: time passes by itself whenever everybody waits, and to the next deadline only.

use {
    crate::{
        common::{millis, secs, standard},
        waiter::{Polled, within_patience},
    },
    requeue::{Alarm, Clock, ManualClock, Parker, Queue, SendMessage, Timestamp},
    std::{
        future::{Future, poll_fn},
        panic::{AssertUnwindSafe, catch_unwind},
        pin::{Pin, pin},
        sync::{Arc, Mutex},
        task::{Context, Poll, Waker},
        thread,
        time::Duration,
    },
    tokio::{
        runtime::{Builder, Runtime},
        sync::{mpsc, oneshot},
        task::JoinHandle,
    },
};

const WAIT: Duration = secs(20);

/// Milliseconds since the clock's own start.
fn shows(clock: &ManualClock) -> u128 {
    let start = ManualClock::default().now();
    clock.now().saturating_duration_since(start).as_millis()
}

/// Is over once the clock shows `end`.
struct Pause {
    clock: ManualClock,
    end: Timestamp,
    alarm: Alarm,
}

fn pause(clock: &ManualClock, span: Duration) -> Pause {
    Pause {
        clock: clock.clone(),
        end: clock.now().saturating_add(span),
        alarm: Alarm::default(),
    }
}

impl Future for Pause {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.clock.now() >= self.end {
            return Poll::Ready(());
        }
        self.alarm = self.clock.wake_at(self.end, context.waker().clone());
        Poll::Pending
    }
}

type BoxFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

/// All of these, polled together as `join!` does.
async fn all(mut futures: Vec<BoxFuture>) {
    poll_fn(|context| {
        futures.retain_mut(|future| future.as_mut().poll(context).is_pending());
        if futures.is_empty() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}

/// Receives for `WAIT`; the body and the time at which it came.
async fn receive(clock: ManualClock, queue: Queue) -> (Option<String>, u128) {
    let received = queue.receive().wait_time(WAIT).await.unwrap();
    (received.first().map(|it| it.body().to_owned()), shows(&clock))
}

fn current_thread() -> Runtime {
    Builder::new_current_thread().build().unwrap()
}

fn many_threads() -> Runtime {
    Builder::new_multi_thread().worker_threads(3).build().unwrap()
}

/// Runs a claim on every executor, on tokio's in its first task and in one that was spawned.
fn on_executors<F: Future<Output = ()> + Send + 'static>(claim: fn(ManualClock) -> F) {
    within_patience(move || {
        let clock = ManualClock::default;
        pollster::block_on(claim(clock()));
        current_thread().block_on(claim(clock()));
        many_threads().block_on(claim(clock()));
        for executor in [current_thread(), many_threads()] {
            executor.block_on(executor.spawn(claim(clock()))).unwrap();
        }
    });
}

#[test]
fn a_long_poll_of_an_empty_queue_ends_after_its_wait_time() {
    // D10
    on_executors(|clock| async move {
        let jobs = standard(&clock).build().unwrap();
        let received = clock.run_until(jobs.receive().wait_time(WAIT)).await.unwrap();
        assert_eq!((received.len(), shows(&clock)), (0, 20_000));
    });
}

#[test]
fn a_future_that_need_not_wait_leaves_time_alone() {
    on_executors(|clock| async move {
        let alarm = clock.wake_at(clock.now().saturating_add(WAIT), Waker::noop().clone());
        assert_eq!(clock.run_until(async { 7 }).await, 7);
        assert_eq!(shows(&clock), 0);
        drop(alarm);
    });
}

#[test]
fn futures_that_are_joined_each_see_their_own_time() {
    on_executors(|clock| async move {
        let jobs = standard(&clock).build().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let consumer = {
            let (clock, jobs, seen) = (clock.clone(), jobs.clone(), seen.clone());
            async move {
                for _ in 0..3 {
                    let received = receive(clock.clone(), jobs.clone()).await;
                    seen.lock().unwrap().push(received);
                }
            }
        };
        let producer = {
            let clock = clock.clone();
            async move {
                pause(&clock, millis(7_001)).await;
                jobs.send("a").unwrap();
                jobs.send(SendMessage::new("b").delay(secs(3))).unwrap();
            }
        };
        clock.run_until(all(vec![Box::pin(consumer), Box::pin(producer)])).await;
        let expected = [(Some("a"), 7_001), (Some("b"), 10_001), (None, 30_001)];
        let expected = expected.map(|(body, at)| (body.map(str::to_owned), at));
        assert_eq!(*seen.lock().unwrap(), expected);
    });
}

/// A message goes through five queues, with a task between each two that takes a second; each polls for longer than
/// the way of the message takes. When the message is at its end.
async fn through_tasks(clock: ManualClock, spawn: fn(&ManualClock, BoxFuture) -> JoinHandle<()>) -> u128 {
    let queues: Vec<Queue> = (0..5).map(|_| standard(&clock).build().unwrap()).collect();
    for pair in queues.windows(2) {
        let (of_task, from, to) = (clock.clone(), pair[0].clone(), pair[1].clone());
        let task = async move {
            let (body, _) = receive(of_task.clone(), from).await;
            // Time in which a thread that does not wait for this one would go on.
            (0..200).for_each(|_| thread::yield_now());
            pause(&of_task, secs(1)).await;
            to.send(body.unwrap()).unwrap();
        };
        spawn(&clock, Box::pin(task));
    }
    queues[0].send(SendMessage::new("a").delay(secs(2))).unwrap();
    let (body, at) = clock.run_until(receive(clock.clone(), queues[4].clone())).await;
    assert_eq!(body.as_deref(), Some("a"));
    at
}

#[test]
fn tasks_spawned_on_one_thread_are_not_overtaken_by_time() {
    within_patience(|| {
        let clock = ManualClock::default();
        let at = current_thread().block_on(through_tasks(clock, |_, task| tokio::spawn(task)));
        assert_eq!(at, 6_000);
    });
}

#[test]
fn tasks_on_several_threads_are_not_overtaken_by_time_if_they_run_under_it_too() {
    within_patience(|| {
        let executor = many_threads();
        for round in 0..50 {
            let spawn: fn(&ManualClock, BoxFuture) -> _ = |clock, task| tokio::spawn(clock.run_until(task));
            // The task that spawns the others runs under it too: they may wait before it has sent.
            let clock = ManualClock::default();
            let at = executor.block_on(clock.run_until(through_tasks(clock.clone(), spawn)));
            assert_eq!(at, 6_000, "round {round}");
        }
    });
}

#[test]
fn a_task_woken_by_a_channel_has_its_turns_before_time_goes_on() {
    within_patience(|| {
        let clock = ManualClock::default();
        let seen = current_thread().block_on(async {
            let (mut head, mut tail) = mpsc::channel::<u32>(1);
            for _ in 0..30 {
                let (next, receiver) = mpsc::channel(1);
                let mut receiver = std::mem::replace(&mut tail, receiver);
                tokio::spawn(async move {
                    while let Some(it) = receiver.recv().await {
                        next.send(it + 1).await.unwrap();
                    }
                });
            }
            let (clock, clock_of_end) = (clock.clone(), clock.clone());
            let end = tokio::spawn(async move { (tail.recv().await, shows(&clock_of_end)) });
            let start = tokio::spawn({
                let clock = clock.clone();
                async move {
                    pause(&clock, secs(1)).await;
                    head.send(0).await.unwrap();
                    head = mpsc::channel(1).0;
                    pause(&clock, secs(1)).await;
                    drop(head);
                }
            });
            clock.run_until(start).await.unwrap();
            end.await.unwrap()
        });
        assert_eq!(seen, (Some(30), 1_000));
    });
}

#[test]
fn threads_in_blocking_receives_wait_and_work_under_it_too() {
    // D10, D11
    on_executors(|clock| async move {
        let jobs = standard(&clock).build().unwrap();
        let done = standard(&clock).build().unwrap();
        let workers: Vec<_> = (0..3)
            .map(|_| {
                let (jobs, done, clock) = (jobs.clone(), done.clone(), clock.clone());
                thread::spawn(move || {
                    // Between its receives, too, the thread is one that has parked in this clock.
                    let parker = Parker::new();
                    parker.waker().wake();
                    clock.park_until(&parker, None);
                    while let Some(job) = jobs.receive().wait_time(WAIT).blocking().unwrap().pop() {
                        thread::yield_now();
                        done.send(format!("{} at {}", job.body(), shows(&clock))).unwrap();
                        job.delete().unwrap();
                    }
                    shows(&clock)
                })
            })
            .collect();
        clock.wait_for_sleepers_async(3).await;
        jobs.send(SendMessage::new("a").delay(secs(5))).unwrap();
        let first = clock.run_until(receive(clock.clone(), done.clone())).await;
        assert_eq!(first, (Some("a at 5000".to_owned()), 5_000));
        clock.run_until(pause(&clock, secs(60))).await;
        assert_eq!(shows(&clock), 65_000);
        let mut ends: Vec<u128> = workers.into_iter().map(|it| it.join().unwrap()).collect();
        ends.sort_unstable();
        assert_eq!(ends, [20_000, 20_000, 25_000]);
    });
}

#[test]
fn a_wait_for_sleepers_that_is_polled_often_keeps_one_waker() {
    let clock = ManualClock::default();
    let mut wait = Polled::new(clock.wait_for_sleepers_async(1));
    for _ in 0..10 {
        assert!(wait.poll().is_pending());
    }
    assert_eq!(Arc::strong_count(&wait.wakes), 2);
}

#[test]
fn what_no_clock_knows_is_waited_for_while_nothing_has_a_deadline() {
    let clock = ManualClock::default();
    let (answer, question) = oneshot::channel();
    let mut run = Polled::new({
        let clock = clock.clone();
        async move { clock.run_until(question).await }
    });
    for _ in 0..3 {
        assert!(run.poll().is_pending());
        assert_eq!(run.wakes.take(), 0, "it does not ask to be polled");
    }
    thread::spawn(move || answer.send(7).unwrap()).join().unwrap();
    assert_eq!(run.wakes.take(), 1);
    assert_eq!(run.poll(), Poll::Ready(Ok(7)));
    assert_eq!(shows(&clock), 0);
}

/// Polls as long as it asks for it, and says how often that was.
fn poll_while_woken(run: &mut Polled<()>) -> usize {
    let mut polls = 1;
    assert!(run.poll().is_pending());
    while run.wakes.take() > 0 {
        assert!(run.poll().is_pending());
        polls += 1;
        assert!(polls < 1_000, "it keeps itself awake");
    }
    polls
}

/// Two, each around `wait` and another wait of 5 seconds, within a third.
fn nest<F: Future + Send + 'static>(clock: &ManualClock, wait: fn(ManualClock) -> F) -> Polled<()> {
    let inner = [(); 2].map(|()| {
        let of_inner = clock.clone();
        let waits = async move {
            let five_seconds = pause(&of_inner, secs(5));
            let other = async move {
                wait(of_inner).await;
            };
            all(vec![Box::pin(five_seconds), Box::pin(other)]).await;
        };
        Box::pin(clock.run_until(waits)) as BoxFuture
    });
    let clock = clock.clone();
    Polled::new(async move { clock.run_until(all(inner.into())).await })
}

#[test]
fn those_that_have_nothing_to_wait_for_do_not_keep_each_other_awake() {
    let clock = ManualClock::default();
    let mut run = nest(&clock, |_| std::future::pending::<()>());
    poll_while_woken(&mut run);
    assert_eq!(shows(&clock), 5_000);
    assert_eq!(poll_while_woken(&mut run), 1);
    let mut run = nest(&clock, |clock| async move { clock.wait_for_sleepers_async(9).await });
    poll_while_woken(&mut run);
    assert_eq!(poll_while_woken(&mut run), 1);
}

#[test]
fn those_that_wait_for_a_busy_thread_do_not_keep_each_other_awake() {
    let clock = ManualClock::default();
    let (go_on, busy) = std::sync::mpsc::channel::<()>();
    let worker = thread::spawn({
        let clock = clock.clone();
        move || {
            let parker = Parker::new();
            clock.park_until(&parker, Some(clock.now().saturating_add(WAIT)));
            busy.recv().unwrap();
        }
    });
    clock.wait_for_sleepers(1);
    let mut run = nest(&clock, |clock| async move { pause(&clock, secs(60)).await });
    poll_while_woken(&mut run);
    assert_eq!((shows(&clock), worker.is_finished()), (20_000, false));
    assert_eq!(poll_while_woken(&mut run), 1);
    go_on.send(()).unwrap();
    worker.join().unwrap();
    assert!(run.wakes.take() > 0, "it looks again");
    while run.poll().is_pending() {}
    assert_eq!(shows(&clock), 60_000);
}

#[test]
fn a_deadline_set_by_another_thread_is_gone_to() {
    within_patience(|| {
        let clock = ManualClock::default();
        let mut run = Polled::new({
            let (clock, never) = (clock.clone(), std::future::pending::<()>());
            async move { clock.run_until(never).await }
        });
        assert!(run.poll().is_pending());
        let jobs = standard(&clock).build().unwrap();
        let consumer = thread::spawn(move || jobs.receive().wait_time(WAIT).blocking().unwrap().len());
        clock.wait_for_sleepers(1);
        while !consumer.is_finished() {
            if run.wakes.take() > 0 {
                assert!(run.poll().is_pending());
            }
            thread::yield_now();
        }
        assert_eq!(consumer.join().unwrap(), 0);
        while run.wakes.take() > 0 {
            assert!(run.poll().is_pending());
        }
        assert_eq!(shows(&clock), 20_000);
    });
}

#[test]
fn what_is_due_at_one_time_fires_in_the_order_in_which_it_was_set() {
    on_executors(|clock| async move {
        let log = Arc::new(Mutex::new(Vec::new()));
        let pauses = [30, 10, 20, 10, 10].into_iter().enumerate().map(|(n, span)| {
            let (clock, log) = (clock.clone(), log.clone());
            let pause = pause(&clock, millis(span));
            let noted = async move {
                pause.await;
                log.lock().unwrap().push((shows(&clock), n));
            };
            Box::pin(noted) as BoxFuture
        });
        clock.run_until(all(pauses.collect())).await;
        assert_eq!(*log.lock().unwrap(), [(10, 1), (10, 3), (10, 4), (20, 2), (30, 0)]);
    });
}

#[test]
fn it_may_be_nested_and_beside_itself() {
    on_executors(|clock| async move {
        let wait = |span| {
            let clock = clock.clone();
            async move {
                let inner = clock.run_until(pause(&clock, secs(span)));
                clock.run_until(inner).await;
                assert_eq!(shows(&clock), u128::from(span) * 1_000);
            }
        };
        let both = all(vec![Box::pin(wait(3)), Box::pin(wait(2))]);
        clock.run_until(both).await;
        assert_eq!(shows(&clock), 3_000);
    });
}

#[test]
fn two_on_one_clock_wait_for_each_other() {
    within_patience(|| {
        for executor in [current_thread(), many_threads()] {
            let clock = ManualClock::default();
            let seen = executor.block_on(async {
                let tasks = [2, 3, 5].map(|span| {
                    let clock = clock.clone();
                    tokio::spawn(clock.clone().run_until(async move {
                        let mut seen = Vec::new();
                        while seen.len() < 6 {
                            clock.run_until(pause(&clock, secs(span))).await;
                            seen.push(shows(&clock) / 1_000);
                        }
                        seen
                    }))
                });
                let mut seen = Vec::new();
                for task in tasks {
                    seen.push(clock.run_until(task).await.unwrap());
                }
                seen
            });
            assert_eq!(seen[0][..], [2, 4, 6, 8, 10, 12]);
            assert_eq!(seen[1][..], [3, 6, 9, 12, 15, 18]);
            assert_eq!(seen[2][..], [5, 10, 15, 20, 25, 30]);
        }
    });
}

#[test]
fn threads_that_each_run_one_wait_for_each_other() {
    within_patience(|| {
        let clock = ManualClock::default();
        let both_are_there = std::sync::Barrier::new(2);
        thread::scope(|scope| {
            for span in [2, 3] {
                let (clock, both_are_there) = (&clock, &both_are_there);
                scope.spawn(move || {
                    let steps = async {
                        both_are_there.wait();
                        for step in 1..=6 {
                            pause(clock, secs(span)).await;
                            assert_eq!(shows(clock), u128::from(span * step) * 1_000);
                        }
                    };
                    pollster::block_on(clock.run_until(steps));
                });
            }
        });
    });
}

#[test]
fn dropping_it_stops_time_and_leaves_nothing_behind() {
    let clock = ManualClock::default();
    let mut run = Polled::new({
        let clock = clock.clone();
        async move { clock.run_until(pause(&clock, WAIT)).await }
    });
    for _ in 0..5 {
        assert!(run.poll().is_pending());
    }
    drop(run);
    assert_eq!((shows(&clock), clock.next_deadline()), (0, None));
    pollster::block_on(clock.run_until(pause(&clock, secs(1))));
    assert_eq!(shows(&clock), 1_000);
}

#[test]
fn a_future_that_panics_leaves_a_clock_that_works() {
    let clock = ManualClock::default();
    let panics = async { std::panic::resume_unwind(Box::new("a test's own panic")) };
    let caught = catch_unwind(AssertUnwindSafe(|| pollster::block_on(clock.run_until::<_>(panics))));
    assert!(caught.is_err_and(|it| it.is::<&str>()));
    pollster::block_on(clock.run_until(pause(&clock, secs(1))));
    assert_eq!(shows(&clock), 1_000);
}

#[test]
fn a_wait_that_is_kept_and_not_polled_does_not_hold_up_time_for_good() {
    within_patience(|| {
        let clock = ManualClock::default();
        let mut kept = pin!(pause(&clock, secs(5)));
        pollster::block_on(clock.run_until(async {
            poll_fn(|context| {
                assert!(kept.as_mut().poll(context).is_pending());
                Poll::Ready(())
            })
            .await;
            pause(&clock, secs(9)).await;
        }));
        assert_eq!(shows(&clock), 9_000);
    });
}

#[test]
fn a_thread_that_advances_the_clock_takes_turns_with_it() {
    within_patience(|| {
        let clock = ManualClock::default();
        let mover = thread::spawn({
            let clock = clock.clone();
            move || (0..100).for_each(|_| clock.advance(millis(1)))
        });
        pollster::block_on(clock.run_until(async {
            for _ in 0..100 {
                let end = clock.now().saturating_add(millis(10));
                pause(&clock, millis(10)).await;
                assert!(clock.now() >= end);
            }
        }));
        mover.join().unwrap();
        assert!(shows(&clock) >= 1_000);
    });
}

#[test]
fn an_async_test_learns_that_its_consumers_have_come_to_wait() {
    on_executors(|clock| async move {
        let jobs = standard(&clock).build().unwrap();
        clock.wait_for_sleepers_async(0).await;
        let consumer = thread::spawn({
            let jobs = jobs.clone();
            move || jobs.receive().wait_time(WAIT).blocking().unwrap().len()
        });
        clock.wait_for_sleepers_async(1).await;
        clock.advance(WAIT);
        assert_eq!(consumer.join().unwrap(), 0);
    });
}
