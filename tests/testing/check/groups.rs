//! The groups of a FIFO queue: who keeps one for himself, and when it is free for others.
use {
    super::consumers::{failure, fifo, numbered, passed, secs},
    requeue::{
        Queue, QueueBuilder,
        testing::{Check, Consumer, Faults, Property, check},
    },
};

/// Two consumers of a queue.
fn two(queue: fn() -> QueueBuilder, make: fn() -> Consumer) -> Check<()> {
    check("two of a kind", || ())
        .pairs(60)
        .queue(queue)
        .messages(numbered())
        .consumer("c1", move |_| make())
        .consumer("c2", move |_| make())
}

#[track_caller]
fn is_right(queue: fn() -> QueueBuilder, make: fn() -> Consumer) {
    for faults in [Faults::none(), Faults::everyday(), Faults::worst_legal()] {
        passed(&two(queue, make).watch_visibility().faults(faults).cases(300));
    }
}

/// Waits before it deletes and after a delete that failed, and tries it again or goes on.
fn insists(times: u32, answer: fn() -> Result<(), String>) -> Consumer {
    let consumer = Consumer::each_async(move |message, context| async move {
        context.wait(secs(2)).await;
        for _ in 0..times {
            if context.delete(&message).is_ok() {
                return Ok(());
            }
            context.wait(secs(10)).await;
        }
        answer()
    });
    consumer.deletes_itself()
}

#[test]
fn who_tries_a_delete_again_or_goes_on_is_right() {
    is_right(fifo, || insists(5, || Err("it cannot be deleted".to_owned())));
    is_right(fifo, || insists(1, || Ok(())));
}

#[test]
fn a_group_is_free_when_its_message_expires_at_work() {
    let minute = || fifo().message_retention_period(secs(60));
    let at_work = |seconds| {
        let make = move || {
            Consumer::each_async(move |_, context| async move {
                context.wait(secs(seconds)).await;
                Ok::<_, String>(())
            })
        };
        let check = check("two of a kind", || ()).queue(minute).messages(numbered());
        check.consumer("c1", move |_| make()).consumer("c2", move |_| make())
    };
    let schedule = "requeue schedule 2\nmessage \"first\" group=a\nmessage \"second\" group=a\nsend 0\nwait 45s\nsend 1\n\
                    turn 0\nturn 0\nwait 16s\nturn 1\nturn 1\nend";
    let replayed = at_work(25).replay(&schedule.parse().unwrap());
    replayed.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn who_deletes_first_and_works_afterwards_is_found() {
    let deletes_first = || {
        let consumer = Consumer::each_async(|message, context| async move {
            context.delete(&message).map_err(|error| error.to_string())?;
            context.wait(secs(2)).await;
            Ok::<_, String>(())
        });
        consumer.deletes_itself()
    };
    let found = failure(&two(fifo, deletes_first).faults(Faults::none()).first_failure_only());
    assert_eq!(
        found.violation.property,
        Property::OneHandlerPerGroup,
        "{}",
        found.story
    );
}

#[test]
fn who_works_for_longer_than_a_message_is_hidden_keeps_its_group_though_it_is_dead() {
    let failed = || Queue::fifo("failed.fifo");
    let slow = || {
        Consumer::each_async(|_, context| async move {
            context.wait(secs(45)).await;
            Ok::<_, String>(())
        })
    };
    let check = two(fifo, slow)
        .queue(failed)
        .dead_letters("jobs.fifo", "failed.fifo", 1);
    let found = failure(&check.faults(Faults::none()).first_failure_only());
    assert_eq!(
        found.violation.property,
        Property::OneHandlerPerGroup,
        "{}",
        found.story
    );
}
