//! One call per message at a time: what was decided last is what the queue is told last.

use {
    super::{
        driver::{World, after},
        notes::Notes,
        scripted::{Reply, Scripted, Verb},
    },
    crate::{
        common::forward::forward,
        common::{counts, millis, receive, receive_for, secs, standard},
    },
    requeue::{
        ManualClock, Queue, SendMessage,
        backend::{EntryFailure, ErrorKind, MessageQueue, MessageQueueError, ReceivedMessage},
        worker::{BatchAnswer, BatchSettings, Failure, FailurePolicy, Job, RateLimit, Runner},
    },
    std::time::Duration,
};

/// A handler that takes `span` and fails so.
fn fails_after<F: Fn(&Job) -> Failure + 'static>(
    clock: &ManualClock,
    span: Duration,
    failure: F,
) -> impl Fn(Job) -> std::pin::Pin<Box<dyn Future<Output = Result<(), Failure>>>> + use<F> {
    let (clock, failure) = (clock.clone(), std::rc::Rc::new(failure));
    move |job| {
        let (pause, failure) = (after(&clock, span), failure.clone());
        Box::pin(async move {
            pause.await;
            Err(failure(&job))
        })
    }
}

#[test]
fn a_retry_counts_from_its_decision_though_a_renewal_is_under_way() {
    // A delay that is over when the renewal answers is over then.
    for (retry_after, due) in [(secs(1), secs(14)), (secs(7_200), secs(7_211))] {
        let mut world = World::new();
        let jobs = standard(&world.clock).build().unwrap();
        jobs.send("a").unwrap();
        let scripted = Scripted::new(&jobs, &world.clock);
        // Called after 10 s, it arrives after the handler has failed.
        scripted.script(Verb::Visibility, [Reply::Slow(secs(4))]);
        let failure = move |_: &Job| Failure::retry_after(retry_after, "later");
        let runner = Runner::builder(&scripted).each_async(fails_after(&world.clock, secs(11), failure));
        let runner = runner.unwrap();
        let handle = runner.handle();
        let run = world.start(runner.run());
        world.advance(secs(11));
        handle.stop();
        world.advance(due - secs(11) - millis(1));
        assert_eq!(counts(&jobs), [0, 1, 0], "{retry_after:?}");
        world.advance(millis(1));
        assert_eq!(counts(&jobs), [1, 0, 0], "{retry_after:?}");
        assert_eq!(world.over(run).unwrap().postponed, 1);
    }
}

#[test]
fn a_stale_renewal_does_not_cut_the_next_consumers_lease() {
    // D19
    let mut world = World::new();
    let jobs = standard(&world.clock).build().unwrap();
    jobs.send("a").unwrap();
    let scripted = Scripted::new(&jobs, &world.clock);
    scripted.script(Verb::Visibility, [Reply::Slow(secs(5))]);
    let builder = Runner::builder(&scripted).failure_policy(FailurePolicy::RetryNow);
    let first = builder
        .each_async(fails_after(&world.clock, secs(11), |_| "no".into()))
        .unwrap();
    let stop = first.handle();
    let first = world.start(first.run());
    world.advance(secs(11));
    stop.stop();
    // It has a lease of 300 s that nobody renews.
    let clock = world.clock.clone();
    let second = Runner::builder(&jobs).visibility_timeout(secs(300)).heartbeat(false);
    let second = second
        .each_async(fails_after(&clock, secs(290), |job: &Job| {
            assert!(job.is_held());
            "no".into()
        }))
        .unwrap();
    let second = world.start(second.run());
    world.advance(secs(10));
    assert_eq!(world.over(first).unwrap().failed, 1);
    for _ in 0..280 {
        assert!(
            receive(&jobs, 1).is_empty(),
            "it is held by another at {:?}",
            world.time()
        );
        world.advance(secs(1));
    }
    assert_eq!(jobs.snapshot().messages[0].approximate_receive_count, 2);
    world.kill(&second);
}

/// An embedded queue whose change of visibility works on one message after the other, as with a slow listener.
#[derive(Clone)]
struct OneByOne(Queue, ManualClock);

impl MessageQueue for OneByOne {
    forward!(self.0: url is_fifo visibility_timeout clock send receive delete counts dead_letter);
    forward!(self.0: receive_at_once delete_at_once);

    fn is_in_process(&self) -> bool {
        true
    }

    async fn change_visibility(
        &self,
        messages: &[ReceivedMessage],
        timeout: Duration,
    ) -> Result<Vec<EntryFailure>, MessageQueueError> {
        for message in messages {
            MessageQueue::change_visibility(&self.0, std::slice::from_ref(message), timeout).await?;
            after(&self.1, millis(100)).await;
        }
        Ok(Vec::new())
    }
}

#[test]
fn messages_put_off_while_a_batch_is_renewed_stay_put_off() {
    let mut world = World::new();
    let jobs = standard(&world.clock).build().unwrap();
    (0..10).for_each(|number| _ = jobs.send(number.to_string()).unwrap());
    let slow = OneByOne(jobs.clone(), world.clock.clone());
    // The renewals are called after 10 s and take 1 s.
    let handler = fails_after(&world.clock, millis(10_450), |_| {
        Failure::retry_after(secs(3_600), "later")
    });
    let runner = Runner::builder(&slow).concurrency(10).each_async(handler).unwrap();
    let run = world.start(runner.run());
    world.advance(secs(3_600));
    assert_eq!(counts(&jobs), [0, 10, 0]);
    let messages = jobs.snapshot().messages;
    assert!(
        messages.iter().all(|it| it.approximate_receive_count == 1),
        "{messages:?}"
    );
    world.kill(&run);
}

#[test]
fn a_message_that_is_being_renewed_is_not_deleted_at_once() {
    let mut world = World::new();
    let jobs = standard(&world.clock).build().unwrap();
    for body in ["1", "2"] {
        jobs.send(SendMessage::new(body).message_group_id("a")).unwrap();
    }
    let slow = OneByOne(jobs.clone(), world.clock.clone());
    let notes = Notes::new();
    let begun = Notes::timed(&world.clock);
    let lines = begun.clone();
    // The second waits in the backlog, and begins while its renewal is under way, which is called after 10 s.
    let runner = Runner::builder(&slow)
        .concurrency(2)
        .group_rate_limit(RateLimit::new(1, millis(10_050)))
        .on_event(notes.events());
    let runner = runner.each(move |job: &Job| {
        lines.write(job.body());
        Ok::<(), String>(())
    });
    let run = world.start(runner.unwrap().run());
    world.advance(millis(10_050));
    assert_eq!(begun.take(), ["0 1", "10050 2"]);
    assert_eq!(counts(&jobs), [0, 1, 0], "its renewal is under way");
    world.advance(millis(50));
    assert_eq!((counts(&jobs), notes.take()), ([0, 0, 0], Vec::new()));
    world.kill(&run);
}

#[test]
fn a_renewal_that_is_never_answered_holds_up_a_decision_until_the_lease_ends() {
    let mut world = World::new();
    let jobs = standard(&world.clock).build().unwrap();
    jobs.send("a").unwrap();
    let scripted = Scripted::new(&jobs, &world.clock);
    scripted.script(Verb::Visibility, [Reply::Never]);
    let handler = fails_after(&world.clock, secs(11), |_| Failure::retry_after(secs(3_600), "later"));
    let runner = Runner::builder(&scripted).each_async(handler).unwrap();
    let handle = runner.handle();
    let run = world.start(runner.run());
    world.advance(secs(12));
    handle.stop();
    assert!(!world.is_over(&run));
    let report = world.finish(run).unwrap();
    assert_eq!(
        (report.postponed, world.time(), counts(&jobs)),
        (1, secs(30), [1, 0, 0])
    );
}

#[test]
fn a_renewal_that_is_never_answered_leaves_time_to_delete_what_is_done() {
    let mut world = World::new();
    let jobs = standard(&world.clock).build().unwrap();
    jobs.send("a").unwrap();
    let scripted = Scripted::new(&jobs, &world.clock);
    scripted.script(Verb::Visibility, [Reply::Never]);
    let clock = world.clock.clone();
    let runner = Runner::builder(&scripted)
        .until_none_visible()
        .each_async(move |_: Job| {
            let pause = after(&clock, secs(12));
            async move {
                pause.await;
                Ok::<(), String>(())
            }
        });
    let run = world.start(runner.unwrap().run());
    world.advance(secs(21));
    assert_eq!((world.over(run).unwrap().succeeded, counts(&jobs)), (1, [0, 0, 0]));
}

#[test]
fn a_stop_gives_back_what_is_being_renewed_once_the_renewal_has_answered() {
    let mut world = World::new();
    let jobs = standard(&world.clock).build().unwrap();
    (0..4).for_each(|number| _ = jobs.send(number.to_string()).unwrap());
    let scripted = Scripted::restoring(&jobs, &world.clock);
    scripted.script(Verb::Visibility, [Reply::Slow(secs(3))]);
    let clock = world.clock.clone();
    let runner = Runner::builder(&scripted).prefetch(3).each_async(move |_: Job| {
        let pause = after(&clock, secs(20));
        async move {
            pause.await;
            Ok::<(), String>(())
        }
    });
    let runner = runner.unwrap();
    let handle = runner.handle();
    let run = world.start(runner.run());
    world.advance(secs(11));
    handle.stop();
    world.settle();
    assert_eq!(counts(&jobs), [0, 4, 0]);
    world.advance(secs(3));
    assert_eq!((counts(&jobs), handle.report().given_back), ([3, 1, 0], 3));
    let report = world.finish(run).unwrap();
    assert_eq!(
        (report.succeeded, counts(&jobs)),
        (1, [3, 0, 0]),
        "the renewal did not hide them again"
    );
}

#[test]
fn a_lease_is_renewed_between_two_deletes_and_not_while_one_is_under_way() {
    let slow = (Reply::Slow(secs(2)), secs(9));
    let failing = (Reply::Fail(ErrorKind::Transient), millis(9_950));
    for ((reply, span), renewed) in [(slow, false), (failing, true)] {
        let mut world = World::new();
        let jobs = standard(&world.clock).build().unwrap();
        jobs.send("a").unwrap();
        let scripted = Scripted::new(&jobs, &world.clock);
        scripted.script(Verb::Delete, [reply]);
        let clock = world.clock.clone();
        let runner = Runner::builder(&scripted)
            .until_none_visible()
            .each_async(move |_: Job| {
                let pause = after(&clock, span);
                async move {
                    pause.await;
                    Ok::<(), String>(())
                }
            });
        assert_eq!(world.run(runner.unwrap().run()).unwrap().succeeded, 1);
        let calls = scripted.calls.take();
        let called = calls.iter().any(|call| call == "10000 hide a for 30s");
        assert_eq!(called, renewed, "{calls:?}");
    }
}

#[test]
fn no_renewal_is_called_that_could_arrive_after_the_lease() {
    // D19
    let mut world = World::new();
    let jobs = standard(&world.clock).build().unwrap();
    jobs.send("a").unwrap();
    let scripted = Scripted::new(&jobs, &world.clock);
    scripted.script(Verb::Visibility, [Reply::Fail(ErrorKind::Transient); 100]);
    let runner = Runner::builder(&scripted).visibility_timeout(secs(10));
    let runner = runner.each_async(fails_after(&world.clock, secs(100), |_| "no".into()));
    let run = world.start(runner.unwrap().run());
    world.advance(secs(10) - millis(1));
    let calls = scripted.calls.take();
    let last = calls.iter().rfind(|call| call.contains("hide")).expect("a renewal");
    assert_eq!(last, "8661 hide a for 10s", "not within the last second");
    world.kill(&run);
}

#[test]
fn no_message_is_hidden_by_a_call_that_could_arrive_after_the_lease() {
    // D19
    for (span, left) in [(millis(28_999), false), (secs(29), true), (millis(29_500), true)] {
        let mut world = World::new();
        let jobs = standard(&world.clock).build().unwrap();
        jobs.send("a").unwrap();
        let scripted = Scripted::new(&jobs, &world.clock);
        let notes = Notes::new();
        let runner = Runner::builder(&scripted).heartbeat(false).on_event(notes.events());
        let handler = fails_after(&world.clock, span, |_| Failure::retry_after(secs(3_600), "later"));
        let runner = runner.each_async(handler).unwrap();
        let run = world.start(runner.run());
        world.advance(span);
        let reported = notes.take().iter().any(|line| line.starts_with("a left by"));
        let called = scripted.calls.take().iter().any(|call| call.contains("hide"));
        assert_eq!((reported, called), (left, !left), "{span:?}");
        world.kill(&run);
    }
}

#[test]
fn what_is_given_back_in_a_second_call_is_looked_at_again_before_it() {
    // D19
    let mut world = World::new();
    let jobs = standard(&world.clock).build().unwrap();
    (0..15).for_each(|number| _ = jobs.send(number.to_string()).unwrap());
    let scripted = Scripted::new(&jobs, &world.clock);
    let batches = BatchSettings::new(20).window(secs(60));
    let runner = Runner::builder(&scripted).shutdown_timeout(secs(60));
    let runner = runner.batch_async(batches, async |_: Vec<Job>| BatchAnswer::success());
    let runner = runner.unwrap();
    let handle = runner.handle();
    let run = world.start(runner.run());
    world.advance(secs(1));
    // The first call, with ten of the fifteen, takes longer than the leases of the others.
    scripted.script(Verb::Visibility, [Reply::Slow(secs(31))]);
    handle.stop();
    world.advance(secs(30));
    for received in [10, 5] {
        assert_eq!(receive_for(&jobs, 10, secs(300)).len(), received);
    }
    world.advance(secs(1));
    let left = "what the second call would have had is left to its new consumer";
    assert_eq!(counts(&jobs), [10, 5, 0], "{left}");
    world.finish(run).unwrap();
}
