//! An outage: every call of one kind fails for a minute, or a hundred of them in a row.
use {
    super::consumers::{failure, jobs, passed, secs},
    proptest::strategy::Just,
    requeue::{
        Queue,
        testing::{CallError, Check, Consumer, Fault, Faults, FaultyQueue, World, check},
    },
    std::collections::BTreeSet,
};

fn only_outages() -> Faults {
    Faults::none().with(Fault::Outage, 0.2)
}

/// Deletes by itself, tries again as often, and gives up for good.
fn insisting(tries: u32) -> Check<u32> {
    check("insisting", || 0)
        .queue(jobs)
        .messages(Just("job"))
        .messages_at_most(1)
        .consumer("c", move |given_up: &World<u32>| {
            let given_up = given_up.clone();
            let consumer = Consumer::each(move |job, context| {
                if (0..tries).all(|_| context.delete(job).is_err()) {
                    *given_up.borrow_mut() += 1;
                }
                Ok::<_, String>(())
            });
            consumer.deletes_itself()
        })
        .faults(only_outages())
        .always("it never gives up", |given_up| *given_up == 0)
}

#[test]
fn calls_fail_again_and_again_and_not_for_ever() {
    let found = failure(&insisting(30));
    let struck = found.story.events.iter().filter(|it| it.fault == Some(Fault::Outage));
    assert_eq!(struck.count(), 30, "{}", found.story);
    assert!(
        found.also_with.is_empty()
            && found
                .story
                .to_string()
                .contains("deletes m1: The service is unavailable.  <- Outage")
    );
    assert_eq!(failure(&insisting(100)).story.events.len(), 103);
    passed(&insisting(101));
}

#[test]
fn it_is_over_after_a_minute() {
    let waits = |seconds: u64| {
        check("waits", || 0)
            .queue(|| jobs().visibility_timeout(secs(1_000)))
            .messages(Just("job"))
            .consumer("c", move |failed: &World<u32>| {
                let failed = failed.clone();
                let consumer = Consumer::each_async(move |job, context| {
                    let failed = failed.clone();
                    async move {
                        if context.delete(&job).is_ok() {
                            return Ok(());
                        }
                        context.wait(secs(seconds)).await;
                        context.delete(&job).map_err(|error: CallError<_>| {
                            *failed.borrow_mut() += 1;
                            error.to_string()
                        })
                    }
                });
                consumer.deletes_itself()
            })
            .faults(only_outages())
            .cases(0)
            .pairs(0)
            .always("the second delete is done", |failed| *failed == 0)
    };
    passed(&waits(60));
    failure(&waits(59));
}

/// A loop of its own, which receives again at once after an error.
#[test]
fn who_receives_all_the_time_goes_on_after_it() {
    async fn work(jobs: FaultyQueue, done: World<BTreeSet<String>>) {
        loop {
            let Ok(received) = jobs.receive_async(|poll| poll.wait_time(secs(20))).await else {
                continue;
            };
            for job in received {
                done.borrow_mut().insert(job.body().to_owned());
                let _ = jobs.delete(&job);
            }
        }
    }
    let check = check("goes on", BTreeSet::new)
        .queue(jobs)
        .messages("[a-z]{3}")
        .consumer("c", |done: &World<BTreeSet<String>>| {
            let done = done.clone();
            Consumer::program(move |context| {
                let (jobs, done) = (context.queue("jobs").unwrap(), done.clone());
                work(jobs, done)
            })
        })
        .faults(only_outages())
        .finally("all is done", |done, messages| {
            messages.iter().all(|it| done.contains(&*it.body))
        });
    assert!(passed(&check).faults[&Fault::Outage] > 100);
}

/// What calls no queue dies where it waits.
#[test]
fn a_program_that_calls_no_queue_dies_too() {
    let check = check("a job of the night", || (0, 0))
        .queue(jobs)
        .messages(Just("job"))
        .consumer("c", |_| Consumer::each(|_, _| Ok::<_, String>(())))
        .consumer("nightly", |done| {
            let done = done.clone();
            Consumer::program(move |context| {
                let done = done.clone();
                async move {
                    context.wait(secs(10)).await;
                    done.borrow_mut().0 += 1;
                    context.wait(secs(10)).await;
                    done.borrow_mut().1 += 1;
                }
            })
        })
        .always("what was begun is ended", |done| done.0 <= done.1 + 1);
    let story = failure(&check).story.to_string();
    assert!(story.contains("nightly") && story.contains("dies"), "{story}");
}

/// Sends what it receives on, in so many attempts, and drops what it could not send.
#[test]
fn who_drops_what_it_could_not_send_is_found() {
    for waits in [0, 2] {
        for seed in 0..5 {
            let check = check("forwards", || ())
                .queue(jobs)
                .queue(|| Queue::standard("results"))
                .messages("[a-z]{8}")
                .consumer("c", move |_| {
                    Consumer::each_async(move |job, context| async move {
                        let results = context.queue("results").map_err(|error| error.to_string())?;
                        for _ in 0..3 {
                            if results.send(job.body()).is_ok() {
                                break;
                            }
                            context.wait(secs(waits)).await;
                        }
                        Ok::<_, String>(())
                    })
                })
                .consumer("reader", |_| Consumer::each(|_, _| Ok::<_, String>(())).from("results"))
                .nothing_lost("jobs", "results", |message| Some(message.body.to_string()))
                .seed(seed);
            let error = check.first_failure_only().run().unwrap_err();
            assert!(
                error.to_string().contains("The service is unavailable.  <- Outage"),
                "{error}"
            );
        }
    }
}
