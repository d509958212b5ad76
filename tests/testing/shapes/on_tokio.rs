//! Services on tokio.
use {
    super::{numbered, orders, secs, survives},
    requeue::{
        Queue, SendMessage, Timestamp,
        testing::{Check, Consumer, Context, Faults, World, check, proptest::strategy::Just},
    },
    std::{cell::OnceCell, rc::Rc, time::Duration},
    tokio::{
        sync::{Notify, mpsc, oneshot},
        time::{Instant, sleep, timeout, timeout_at},
    },
};

/// The longest time that a batch is open.
const OPEN: Duration = Duration::from_secs(2);

type Request = (String, oneshot::Sender<()>);

/// Commits several orders at once, each at most so long after it came.
async fn batch(mut requests: mpsc::UnboundedReceiver<Request>, committed: World<Vec<String>>) {
    while let Some(first) = requests.recv().await {
        let end = Instant::now() + OPEN;
        let mut open = vec![first];
        while open.len() < 3 {
            match timeout_at(end, requests.recv()).await {
                Ok(Some(next)) => open.push(next),
                _ => break,
            }
        }
        for (order, done) in open {
            committed.borrow_mut().push(order);
            let _ = done.send(());
        }
    }
}

/// Three workers with one batcher, none of which waits for longer than it is `open`, if nobody holds them up.
fn batching(held_up: bool) -> Check<Vec<String>> {
    check("three workers with one batcher", Vec::<String>::new)
        .queue(orders)
        .messages(numbered())
        .consumer("committer", move |committed: &World<Vec<String>>| {
            let committed = committed.clone();
            let batcher = Rc::new(OnceCell::new());
            let handler = Consumer::each_async(move |order, context| {
                let (committed, batcher) = (committed.clone(), Rc::clone(&batcher));
                async move {
                    let start = |committed| {
                        let (sender, requests) = mpsc::unbounded_channel();
                        tokio::spawn(batch(requests, committed));
                        sender
                    };
                    let requests: &mpsc::UnboundedSender<Request> = batcher.get_or_init(|| start(committed));
                    let (done, is_done) = oneshot::channel();
                    let (began, began_there) = (context.now(), Instant::now());
                    requests
                        .send((order.body().to_owned(), done))
                        .map_err(|error| error.to_string())?;
                    is_done.await.map_err(|error| error.to_string())?;
                    let took = context.now().saturating_duration_since(began);
                    assert_eq!(began_there.elapsed(), took, "tokio's clock is that of the check");
                    assert!(held_up || took <= OPEN, "the batcher was late: {took:?}");
                    Ok::<_, String>(())
                }
            });
            handler.workers(3).on_tokio()
        })
        .finally("every order is committed", |committed, orders| {
            committed.len() >= orders.len()
        })
}

#[test]
fn workers_on_tokio_share_a_task() {
    let check = || batching(false).cases(200);
    check().faults(Faults::none()).assert();
    let kinds = [requeue::testing::Fault::CrashBeforeDelete];
    check().faults(Faults::none().with(kinds[0], 0.1)).assert();
}

#[derive(Default)]
struct Meeting {
    acted: Option<Timestamp>,
    heard: Option<Timestamp>,
}

#[test]
fn a_worker_with_a_long_timer_hears_of_another_at_once() {
    let check = check("two workers, one of which waits for the other", Meeting::default)
        .queue(orders)
        .message_sequence(Just(vec![SendMessage::new("waits"), SendMessage::new("acts")]))
        .faults(Faults::none())
        .consumer("worker", |meeting: &World<Meeting>| {
            let meeting = meeting.clone();
            let acted = Rc::new(Notify::new());
            let handler = Consumer::each_async(move |order, context| {
                let (meeting, acted) = (meeting.clone(), Rc::clone(&acted));
                async move {
                    if order.body() == "acts" {
                        sleep(secs(1)).await;
                        meeting.borrow_mut().acted = Some(context.now());
                        acted.notify_one();
                    } else if timeout(secs(25), acted.notified()).await.is_ok() {
                        meeting.borrow_mut().heard = Some(context.now());
                    }
                    Ok::<_, String>(())
                }
            });
            handler.workers(2).on_tokio()
        })
        .sometimes("one hears of the other", |meeting| meeting.heard.is_some())
        .always("it hears at once", |meeting| {
            meeting.heard.is_none_or(|heard| meeting.acted == Some(heard))
        });
    check.cases(50).assert();
}

/// Tells others every two seconds, who do something by themselves once a minute.
fn telling() -> Check<Vec<(Duration, Duration)>> {
    let send = |context: Context| async move {
        for _ in 0..200 {
            sleep(secs(2)).await;
            let _ = context.send("order");
        }
        std::future::pending::<()>().await;
    };
    let receive = |lags: World<Vec<(Duration, Duration)>>, context: Context| async move {
        let began = context.now();
        tokio::spawn(async {
            loop {
                sleep(secs(60)).await;
            }
        });
        let orders = context.queue("orders").unwrap();
        loop {
            let poll = orders.receive_async(|poll| poll.wait_time(secs(20)));
            for order in poll.await.into_iter().flatten() {
                let now = context.now();
                let lag = now.saturating_duration_since(order.sent_timestamp());
                lags.borrow_mut().push((now.saturating_duration_since(began), lag));
                let _ = orders.delete(&order);
            }
        }
    };
    check("two services", Vec::new)
        .queue(|| Queue::standard("orders").visibility_timeout(secs(30)))
        .messages(Just("order"))
        .messages_at_most(1)
        .faults(Faults::none())
        .quiet_period(secs(600))
        .consumer("slow", move |lags: &World<Vec<_>>| {
            let lags = lags.clone();
            Consumer::program(move |context| receive(lags.clone(), context)).on_tokio()
        })
        .consumer("quick", move |_| Consumer::program(send).on_tokio())
        .always("what is sent is soon received", |lags| {
            lags.iter().all(|(when, lag)| *when < secs(120) || *lag < secs(2))
        })
        .sometimes("they run for long", |lags| {
            lags.iter().any(|(when, _)| *when > secs(300))
        })
}

#[test]
fn a_service_whose_timers_are_rare_hears_of_another_in_time() {
    telling().cases(1).run().unwrap_or_else(|error| panic!("{error}"));
}

/// Waits for what nobody does when it has received an order.
async fn wait_for_ever(context: Context) {
    let orders = context.queue("orders").unwrap();
    let _order = orders.receive_async(|poll| poll.wait_time(secs(20))).await;
    let never = tokio::spawn(std::future::pending::<()>());
    let _ = never.await;
}

#[test]
fn a_service_that_nothing_wakes_any_more_is_told() {
    let check = check("a service that waits for ever", || ())
        .queue(orders)
        .messages(numbered())
        .consumer("service", |_| Consumer::program(wait_for_ever).on_tokio())
        .first_failure_only();
    let error = check.run().unwrap_err();
    let sentence = &error.failure().unwrap_or_else(|| panic!("{error}")).violation.sentence;
    assert_eq!(
        sentence,
        "service never goes on, and messages are left: nothing wakes it any more"
    );
}

/// A jump of the clock is past all timers that were due on the way.
#[test]
fn timers_that_the_clock_jumps_past_fire_at_its_end() {
    let check = check("a service that sleeps", Vec::<(Duration, Duration)>::new)
        .queue(orders)
        .messages(numbered())
        .messages_at_most(2)
        .faults(Faults::none().with(requeue::testing::Fault::ClockJump, 0.3))
        .consumer("sleeper", |naps: &World<Vec<_>>| {
            let naps = naps.clone();
            let handler = Consumer::each_async(move |_, context| {
                let naps = naps.clone();
                async move {
                    let (began, began_there) = (context.now(), Instant::now());
                    let first = sleep(secs(2));
                    let second = tokio::spawn(sleep(secs(3)));
                    first.await;
                    let _ = second.await;
                    let took = context.now().saturating_duration_since(began);
                    naps.borrow_mut().push((took, began_there.elapsed()));
                    Ok::<_, String>(())
                }
            });
            handler.on_tokio()
        })
        .always("both clocks agree", |naps| {
            naps.iter().all(|(here, there)| here == there)
        })
        .always("no timer fires early", |naps| {
            naps.iter().all(|(here, _)| *here >= secs(3))
        })
        .sometimes("one is in time", |naps| naps.iter().any(|(here, _)| *here == secs(3)))
        .sometimes("one fires late", |naps| naps.iter().any(|(here, _)| *here > secs(3)));
    check.cases(50).assert();
}

#[test]
fn a_batcher_survives_what_is_legal() {
    survives(|| batching(true));
}

/// What another thread does may come in the same poll or in a later one.
#[test]
fn work_on_a_blocking_thread_is_right() {
    let check = check("blocking", || ())
        .queue(orders)
        .messages(numbered())
        .consumer("worker", |_| {
            let add = || tokio::task::spawn_blocking(|| 1 + 1);
            Consumer::each_async(move |_, _| async move { add().await.map(drop) }).on_tokio()
        });
    check.cases(200).pairs(50).assert();
}

/// Tokio draws which branch it looks at first, so that a case may take another way when it is run again.
#[test]
fn a_choice_at_random_is_right() {
    async fn work(context: Context) {
        let orders = context.queue("orders").unwrap();
        let mut tick = tokio::time::interval(secs(10));
        loop {
            tokio::select! {
                _ = tick.tick() => {}
                received = orders.receive_async(|poll| poll.wait_time(secs(20))) => {
                    for order in received.into_iter().flatten() {
                        let _ = orders.delete(&order);
                    }
                }
            }
        }
    }
    let check = check("chooses", || ())
        .queue(orders)
        .messages(numbered())
        .consumer("worker", |_| Consumer::program(work).on_tokio());
    check.cases(200).pairs(50).assert();
}
