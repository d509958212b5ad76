//! Consumers, correct and not, that the tests share.
use {
    proptest::strategy::{Just, Strategy},
    requeue::{
        MessageId, Queue, QueueBuilder, SendMessage,
        testing::{CaseFailure, Check, CheckError, Consumer, Passed, check},
    },
    std::{collections::BTreeMap, time::Duration},
};

/// How often each message was worked on.
pub(crate) type Done = BTreeMap<MessageId, u32>;

pub(crate) const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) fn jobs() -> QueueBuilder {
    Queue::standard("jobs").visibility_timeout(secs(30))
}

pub(crate) fn fifo() -> QueueBuilder {
    Queue::fifo("jobs.fifo").content_based_deduplication(true)
}

pub(crate) fn numbered() -> impl Strategy<Value = SendMessage> + 'static {
    (0..1_000_u32, 0..2_u8).prop_map(|(number, group)| {
        SendMessage::new(format!("job {number}")).message_group_id(["a", "b"][usize::from(group)])
    })
}

/// A check of one consumer on a standard queue with one kind of message.
pub(crate) fn of(make: impl Fn() -> Consumer + 'static) -> Check<()> {
    check("made for a test", || ())
        .pairs(60)
        .queue(jobs)
        .messages(Just("job"))
        .consumer("c", move |_| make())
}

/// Works for 50 seconds with heartbeats, and once only.
pub(crate) fn correct(name: &str, check: Check<Done>) -> Check<Done> {
    check.consumer(name, |done| {
        let done = done.clone();
        Consumer::each_async(move |message, context| {
            let done = done.clone();
            async move {
                for _ in 0..5 {
                    context.wait(secs(10)).await;
                    context
                        .change_visibility(&message, secs(30))
                        .map_err(|error| error.to_string())?;
                }
                done.borrow_mut().entry(message.message_id()).or_insert(1);
                Ok::<_, String>(())
            }
        })
    })
}

/// Works at once, in batches, and stops at the first failure of a group; every seventh job fails at first.
pub(crate) fn correct_batch(check: Check<Done>) -> Check<Done> {
    check.consumer("batch", |done| {
        let done = done.clone();
        Consumer::batch(move |messages, _| {
            let mut failed = Vec::new();
            let each = messages.iter().map(|message| {
                let group = message.message_group_id();
                let poor = message.body().ends_with('7') && message.approximate_receive_count() < 2;
                if poor || failed.contains(&group) {
                    failed.push(group);
                    return Err("not now");
                }
                done.borrow_mut().entry(message.message_id()).or_insert(1);
                Ok(())
            });
            each.collect()
        })
    })
}

#[track_caller]
pub(crate) fn failure<W: 'static>(check: &Check<W>) -> CaseFailure {
    match check.run() {
        Err(CheckError::Failed { failure, .. }) => *failure,
        other => panic!("not found: {other:?}"),
    }
}

#[track_caller]
pub(crate) fn passed<W: 'static>(check: &Check<W>) -> Passed {
    check.run().unwrap_or_else(|error| panic!("{error}"))
}
