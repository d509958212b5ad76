//! The faults of consumers strike in a check alone. What they did and did not do is told by the world of the consumer,
//! which counts what it was called for, and by what the queue says in the end.

use {
    proptest::strategy::Strategy,
    requeue::{
        Message, Queue, QueueBuilder, SendMessage,
        testing::{Check, CheckError, Consumer, Fate, Fault, Faults, FinalMessage, Passed, check},
    },
    std::time::Duration,
};

const VISIBILITY: Duration = Duration::from_secs(30);

fn jobs() -> QueueBuilder {
    Queue::standard("jobs").visibility_timeout(VISIBILITY)
}

fn fifo() -> QueueBuilder {
    Queue::fifo("jobs.fifo")
        .visibility_timeout(VISIBILITY)
        .content_based_deduplication(true)
}

fn messages() -> impl Strategy<Value = SendMessage> + 'static {
    (0..1_000_u32).prop_map(|number| SendMessage::new(format!("job {number}")).message_group_id("g"))
}

/// What a consumer knows of its life.
#[derive(Default)]
struct Seen {
    /// How often it began one.
    born: u32,
    /// By how much it overran the visibility of each message it worked on; `None` if it came in time.
    works: Vec<Option<Duration>>,
}

/// One consumer that takes one message at a time and works in no time at all, and meets one fault.
fn life(build: impl Fn() -> QueueBuilder + 'static, fault: Fault) -> Check<Seen> {
    check("life", Seen::default)
        .queue(build)
        .messages(messages())
        .consumer("c", |seen| {
            seen.borrow_mut().born += 1;
            let seen = seen.clone();
            Consumer::each_async(move |message: Message, context| {
                let begun = message.invisible_until().saturating_sub(VISIBILITY);
                let late = context.now() >= message.invisible_until();
                let overrun = late.then(|| context.now().saturating_duration_since(message.invisible_until()));
                assert!(late || context.now() == begun, "it is held up for whole pauses only");
                seen.borrow_mut().works.push(overrun);
                async { Ok::<_, String>(()) }
            })
        })
        .faults(Faults::none().with(fault, 0.3))
        .cases(300)
        .finally("every message is deleted", |_, messages| {
            messages.iter().all(|it| it.fate == Some(Fate::Deleted))
        })
}

/// How often it struck; it struck alone.
#[track_caller]
fn struck(check: &Check<Seen>, fault: Fault) -> usize {
    let Passed { faults, .. } = check.run().unwrap_or_else(|error| panic!("{error}"));
    assert!(faults.keys().eq([&fault]), "{fault}: {faults:?}");
    faults[&fault]
}

fn total(messages: &[FinalMessage]) -> u32 {
    messages.iter().map(|it| it.received).sum()
}

#[test]
fn a_crash_before_the_work_costs_a_receive_and_no_work() {
    for build in [jobs, fifo] {
        let check = life(build, Fault::CrashBeforeWork)
            .finally("each is worked on once", |seen, messages| {
                seen.works.len() == messages.len()
            })
            .finally("each death costs a receive", |seen, messages| {
                total(messages) == messages.len() as u32 + seen.born - 1
            });
        assert!(struck(&check, Fault::CrashBeforeWork) > 100);
    }
}

#[test]
fn a_crash_before_the_delete_makes_the_work_come_again() {
    for build in [jobs, fifo] {
        let check = life(build, Fault::CrashBeforeDelete)
            .finally("what is received is worked on", |seen, messages| {
                seen.works.len() as u32 == total(messages)
            })
            .finally("each death costs a receive", |seen, messages| {
                total(messages) == messages.len() as u32 + seen.born - 1
            });
        assert!(struck(&check, Fault::CrashBeforeDelete) > 100);
    }
}

#[test]
fn a_crash_after_the_delete_costs_memory_alone() {
    for build in [jobs, fifo] {
        let check = life(build, Fault::CrashAfterDelete).finally("each comes once", |seen, messages| {
            total(messages) as usize == messages.len() && seen.works.len() == messages.len()
        });
        assert!(struck(&check, Fault::CrashAfterDelete) > 100);
    }
}

#[test]
fn a_pause_ends_when_others_could_receive_the_message() {
    for build in [jobs, fifo] {
        let check = life(build, Fault::PausePastVisibility)
            .finally("nobody dies", |seen, _| seen.born == 1)
            .finally(
                "what comes too late is past its visibility by a second or more",
                |seen, _| {
                    seen.works
                        .iter()
                        .flatten()
                        .all(|overrun| *overrun >= Duration::from_secs(1))
                },
            )
            .finally("what is received is worked on", |seen, messages| {
                seen.works.len() as u32 == total(messages)
            });
        assert!(struck(&check, Fault::PausePastVisibility) > 100);
    }
    let overruns = |build: fn() -> QueueBuilder| {
        life(build, Fault::PausePastVisibility)
            .always("none comes too late", |seen| seen.works.iter().all(Option::is_none))
    };
    told(&overruns(jobs), Fault::PausePastVisibility, "stands still");
}

/// A check that fails because of the fault tells so.
#[track_caller]
fn told(check: &Check<Seen>, fault: Fault, what: &str) {
    let Err(CheckError::Failed { failure, .. }) = check.run() else {
        panic!("{fault} is not noticed");
    };
    let events = &failure.story.events;
    let at = events.iter().position(|event| event.fault == Some(fault));
    let at = at.unwrap_or_else(|| panic!("{fault} is not told: {}", failure.story));
    assert!(events[at].what.contains(what), "{}", failure.story);
}

#[test]
fn a_story_tells_who_dies_and_when() {
    for (fault, works, dies) in [
        (Fault::CrashBeforeWork, 0, "dies before it works on m1"),
        (Fault::CrashBeforeDelete, 1, "dies before it deletes m1"),
        (Fault::CrashAfterDelete, 1, "dies, and starts afresh"),
    ] {
        let check = life(jobs, fault)
            .messages_at_most(1)
            .always("nobody dies", move |seen| seen.born == 1 || seen.works.len() != works);
        told(&check, fault, dies);
    }
}
