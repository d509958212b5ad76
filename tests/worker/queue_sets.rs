//! Several queues in one runner: by priority, by weight, and what is done with their messages.

use {
    super::{
        driver::{World, after},
        notes::Notes,
        scripted::{Reply, Scripted, Verb},
    },
    crate::common::{counts, secs},
    requeue::{
        Clock, ManualClock, Queue, SendMessage,
        backend::{ErrorKind, MessageQueue, QueueSet, QueueSetError, ReceiveRequest},
        worker::{Failure, Job, Runner, RunnerError},
    },
    std::sync::{Arc, Mutex},
};

fn queue(clock: &ManualClock, name: &str) -> Queue {
    Queue::standard(name)
        .visibility_timeout(secs(30))
        .clock(clock.clone())
        .build()
        .unwrap()
}

type Log = Arc<Mutex<Vec<String>>>;

/// A handler that writes down the bodies it sees.
fn log() -> (Log, impl Fn(&Job) -> Result<(), String>) {
    let log = Log::default();
    let lines = Arc::clone(&log);
    let handler = move |job: &Job| {
        lines.lock().unwrap().push(job.body().to_owned());
        Ok(())
    };
    (log, handler)
}

fn fill(queue: &Queue, messages: usize) {
    for _ in 0..messages {
        queue.send(queue.name()).unwrap();
    }
}

#[test]
fn a_queue_is_worked_on_only_while_more_urgent_ones_have_nothing() {
    let mut world = World::new();
    let [urgent, usual, idle] = ["urgent", "usual", "idle"].map(|name| queue(&world.clock, name));
    fill(&idle, 2);
    fill(&usual, 3);
    fill(&urgent, 2);
    let set = QueueSet::by_priority([urgent.clone(), usual, idle]).unwrap();
    let (log, handler) = log();
    let again = urgent;
    let runner = Runner::builder(&set).until_none_visible().each(move |job: &Job| {
        if job.queue_url().ends_with("/usual") {
            // It comes while less urgent ones wait, and goes before them.
            again.send("again").unwrap();
        }
        handler(job)
    });
    assert_eq!(world.run(runner.unwrap().run()).unwrap().succeeded, 10);
    let order = log.lock().unwrap().join(" ");
    assert_eq!(order, "urgent urgent usual again usual again usual again idle idle");
}

#[test]
fn each_queue_gets_its_share_and_none_starves() {
    let mut world = World::new();
    let names = ["five", "three", "one"];
    let [five, three, one] = names.map(|name| queue(&world.clock, name));
    for queue in [&five, &three, &one] {
        fill(queue, 500);
    }
    let set = QueueSet::by_weight([(five, 5), (three, 3), (one, 1)]).unwrap();
    let (log, handler) = log();
    let runner = Runner::builder(&set).until_none_visible().each(handler).unwrap();
    assert_eq!(world.run(runner.run()).unwrap().succeeded, 1_500);
    let log = log.lock().unwrap();
    for (at, nine) in log[..900].chunks(9).enumerate() {
        let shares = names.map(|name| nine.iter().filter(|it| *it == name).count());
        assert_eq!(shares, [5, 3, 1], "of messages {} to {}", at * 9, at * 9 + 8);
    }
}

#[test]
fn an_idle_queue_saves_up_no_share() {
    let mut world = World::new();
    let [busy, idle] = ["busy", "idle"].map(|name| queue(&world.clock, name));
    fill(&busy, 200);
    let set = QueueSet::by_weight([(busy, 1), (idle.clone(), 1)]).unwrap();
    let (log, handler) = log();
    let done = Arc::clone(&log);
    let runner = Runner::builder(&set).until_none_visible().each(move |job: &Job| {
        if done.lock().unwrap().len() == 99 {
            fill(&idle, 100);
        }
        handler(job)
    });
    assert_eq!(world.run(runner.unwrap().run()).unwrap().succeeded, 300);
    let log = log.lock().unwrap();
    let of_idle = log[100..120].iter().filter(|it| *it == "idle").count();
    assert_eq!(of_idle, 10, "it gets half of what comes, and not what it missed");
}

#[test]
fn a_message_on_any_queue_wakes_the_runner_and_a_stop_hides_none() {
    let mut world = World::new();
    let queues = ["one", "two", "three"].map(|name| queue(&world.clock, name));
    let set = QueueSet::by_priority(queues.clone()).unwrap();
    let (log, handler) = log();
    let runner = Runner::builder(&set).each(handler).unwrap();
    let handle = runner.handle();
    let run = world.start(runner.run());
    for queue in &queues {
        world.settle();
        queue.send(queue.name()).unwrap();
    }
    world.settle();
    assert_eq!(log.lock().unwrap().join(" "), "one two three");
    assert_eq!(world.time(), secs(0), "no receive had to end first");
    handle.stop();
    queues[2].send("late").unwrap();
    assert_eq!(world.over(run).unwrap().succeeded, 3);
    assert_eq!(counts(&queues[2]), [1, 0, 0]);
}

#[test]
fn what_is_done_with_a_message_goes_to_its_own_queue() {
    let mut world = World::new();
    let dead = ["dead-1", "dead-2"].map(|name| queue(&world.clock, name));
    let build = |at: usize, name| {
        let builder = Queue::standard(name)
            .visibility_timeout(secs(30))
            .clock(world.clock.clone());
        builder.dead_letter(&dead[at], 5).build().unwrap()
    };
    let (one, two) = (build(0, "one"), build(1, "two"));
    for queue in [&one, &two] {
        let _ = queue.send_batch(["done", "dead", "later", "slow"]).unwrap();
    }
    let set = QueueSet::by_weight([(one.clone(), 1), (two.clone(), 1)]).unwrap();
    let (clock, start) = (world.clock.clone(), world.clock.now());
    let runner = Runner::builder(&set).concurrency(8).until_none_left();
    let runner = runner.each_async(move |job: Job| {
        let (early, slow) = (clock.now() < start.saturating_add(secs(50)), after(&clock, secs(100)));
        async move {
            match job.body() {
                "dead" => return Err(Failure::dead_letter("no use")),
                "later" if early => return Err(Failure::retry_after(secs(50), "not yet")),
                "slow" => slow.await,
                _ => {}
            }
            Ok(())
        }
    });
    let report = world.run(runner.unwrap().run()).unwrap();
    assert_eq!((report.succeeded, report.dead_lettered, report.lost), (6, 2, 0));
    assert!(report.heartbeats >= 2, "the slow ones were held");
    for (queue, dead) in [&one, &two].into_iter().zip(&dead) {
        assert_eq!((counts(queue), counts(dead)), ([0, 0, 0], [1, 0, 0]));
    }
}

#[test]
fn queues_behind_a_network_are_waited_on_in_turn_and_no_answer_is_dropped() {
    let mut world = World::new();
    let [one, two] = ["one", "two"].map(|name| queue(&world.clock, name));
    let far = [&one, &two].map(|queue| Scripted::new(queue, &world.clock));
    let set = QueueSet::by_priority(far.clone()).unwrap();
    assert!(!set.is_in_process());
    let (log, handler) = log();
    let runner = Runner::builder(&set).each(handler).unwrap();
    let handle = runner.handle();
    let run = world.start(runner.run());
    for (at, queue) in [&one, &two].into_iter().enumerate() {
        world.advance(secs(10));
        queue.send(queue.name()).unwrap();
        world.advance(secs(1));
        assert_eq!(log.lock().unwrap().len(), at + 1, "it waited for 1 s at most");
    }
    // A receive whose messages are on their way as the runner stops.
    far[1].script(Verb::Receive, [Reply::Slow(secs(3))]);
    world.advance(secs(1));
    two.send("late").unwrap();
    handle.stop();
    let report = world.finish(run).unwrap();
    assert_eq!((report.succeeded, report.given_back), (2, 1));
    assert_eq!(counts(&two), [1, 0, 0]);
}

#[test]
fn an_error_of_one_queue_is_told_and_the_others_are_worked_on_meanwhile() {
    let mut world = World::new();
    let [one, two] = ["one", "two"].map(|name| queue(&world.clock, name));
    fill(&one, 3);
    fill(&two, 3);
    let far = [&one, &two].map(|queue| Scripted::new(queue, &world.clock));
    far[1].script(Verb::Receive, [Reply::Fail(ErrorKind::Transient)]);
    let set = QueueSet::by_weight(far.map(|queue| (queue, 1))).unwrap();
    let notes = Notes::new();
    let (_, handler) = log();
    let runner = Runner::builder(&set).on_event(notes.events()).until_none_visible();
    let report = world.run(runner.each(handler).unwrap().run()).unwrap();
    assert_eq!((report.succeeded, report.receive_errors), (6, 1));
    assert_eq!(notes.take(), ["receive failed, again in Some(200ms)"]);
}

#[test]
fn a_queue_of_the_set_that_is_gone_ends_the_runner() {
    let mut world = World::new();
    let [one, two] = ["one", "two"].map(|name| queue(&world.clock, name));
    let set = QueueSet::by_priority([one, two.clone()]).unwrap();
    let (_, handler) = log();
    let run = world.start(Runner::builder(&set).each(handler).unwrap().run());
    world.settle();
    two.delete_queue().unwrap();
    let error = world.over(run).unwrap_err();
    let RunnerError::Queue { error, .. } = error else {
        panic!("{error}")
    };
    assert_eq!(error.kind, ErrorKind::QueueDoesNotExist);
}

#[test]
fn queues_that_make_no_set_are_refused() {
    let clock = ManualClock::default();
    let (one, two) = (queue(&clock, "one"), queue(&clock, "two"));
    let fifo = Queue::fifo("three.fifo").clock(clock).build().unwrap();
    let text = |error: QueueSetError| error.to_string();
    let none = QueueSet::<Queue>::by_weight([]).unwrap_err();
    assert_eq!(text(none), "a set has 0 queues, it has to have at least 1");
    let zero = QueueSet::by_weight([(one.clone(), 1), (two.clone(), 0)]).unwrap_err();
    let expected = format!("the weight of queue {} is 0, it has to be at least 1", two.url());
    assert_eq!(text(zero), expected);
    let twice = QueueSet::by_priority([one.clone(), two, one.clone()]).unwrap_err();
    assert_eq!(text(twice), format!("queue {} is in the set twice", one.url()));
    let mixed = QueueSet::by_priority([one.clone(), fifo.clone()]).unwrap_err();
    let urls = (fifo.url().to_owned(), one.url().to_owned());
    let QueueSetError::MixedTypes { fifo, standard, .. } = mixed else {
        panic!("{mixed}")
    };
    assert_eq!((fifo, standard), urls);
}

#[test]
fn a_set_takes_no_messages_and_no_messages_of_others() {
    let mut world = World::new();
    let [one, two] = ["one", "two"].map(|name| queue(&world.clock, name));
    let set = QueueSet::by_priority([one.clone()]).unwrap();
    let sent = set.clone();
    let error = world
        .run(async move { sent.send(SendMessage::new("x")).await })
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::Refused);
    fill(&one, 1);
    fill(&two, 1);
    let outer = QueueSet::by_weight([(set, 1)]).unwrap();
    let (own, foreign) = (outer, two.clone());
    let failed = world.run(async move {
        let mut messages = MessageQueue::receive(&foreign, ReceiveRequest::new(1)).await.unwrap();
        messages.extend(own.receive(ReceiveRequest::new(1)).await.unwrap());
        own.delete(&messages).await.unwrap()
    });
    let failed: Vec<_> = failed.iter().map(|it| (it.index, it.error.kind)).collect();
    assert_eq!(failed, [(0, ErrorKind::Refused)]);
    assert_eq!((counts(&one), counts(&two)), ([0, 0, 0], [0, 1, 0]));
}
