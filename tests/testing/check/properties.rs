//! Each property is broken on purpose, and noticed.
use {
    super::consumers::{failure, fifo, numbered, of, passed, secs},
    requeue::testing::{Check, Consumer, Context, Property, check},
    std::future::pending,
};

/// Finds this property broken, in a short story that is the same every time, whatever the seed.
#[track_caller]
pub(crate) fn notices<W: 'static>(make: impl Fn() -> Check<W>, property: &Property) {
    for seed in 0..20 {
        let check = || make().seed(seed).first_failure_only();
        let found = failure(&check());
        assert_eq!(&found.violation.property, property, "{}", found.story);
        assert!(found.story.events.len() <= 12, "{}", found.story);
        assert!(!found.story.events.is_empty());
        assert_eq!(failure(&check()), found);
    }
}

#[test]
fn a_message_deleted_by_who_never_finished_it() {
    let make = || {
        of(|| {
            let consumer = Consumer::each_async(|message, context| async move {
                context.delete(&message).map_err(|error| error.to_string())?;
                context.wait(secs(1)).await;
                Ok::<_, String>(())
            });
            consumer.deletes_itself()
        })
    };
    notices(make, &Property::DeletedByWhoFinished);
}

#[test]
fn a_message_deleted_and_then_failed() {
    let make = || {
        of(|| {
            let consumer = Consumer::each(|message, _| {
                message.delete().map_err(|error| error.to_string())?;
                Err("too late".to_owned())
            });
            consumer.deletes_itself()
        })
    };
    notices(make, &Property::DeletedByWhoFinished);
}

#[test]
fn a_message_that_disappears() {
    let make = || {
        of(|| {
            Consumer::each(|message, _| {
                let _ = message.queue().purge();
                Err::<(), _>("out of sight")
            })
        })
    };
    notices(make, &Property::NoneDisappears);
}

#[test]
fn two_handlers_of_a_group_at_once() {
    let slow = || {
        Consumer::each_async(|_, context| async move {
            context.wait(secs(45)).await;
            Ok::<_, String>(())
        })
    };
    let make = move || {
        let check = check("slow", || ()).pairs(60).queue(fifo).messages(numbered());
        check.consumer("c1", move |_| slow()).consumer("c2", move |_| slow())
    };
    notices(make, &Property::OneHandlerPerGroup);
}

#[test]
fn two_batches_of_a_group_at_once() {
    let slow = || {
        Consumer::batch_async(|messages, context| async move {
            context.wait(secs(45)).await;
            messages.iter().map(|_| Ok::<_, String>(())).collect()
        })
    };
    let make = move || {
        let check = check("slow", || ()).pairs(60).queue(fifo).messages(numbered());
        check.consumer("c1", move |_| slow()).consumer("c2", move |_| slow())
    };
    notices(make, &Property::OneHandlerPerGroup);
}

#[test]
fn a_successor_before_its_predecessor() {
    let make = || {
        let check = check("hasty", || ()).pairs(60).queue(fifo).messages(numbered());
        check.consumer("c", |_| {
            Consumer::batch(|messages, _| {
                let each = messages
                    .iter()
                    .map(|it| (it.approximate_receive_count() > 1).then_some(()));
                let mut answers: Vec<_> = each.map(|it| it.ok_or("not now")).collect();
                *answers.last_mut().unwrap() = Ok(());
                answers
            })
        })
    };
    notices(make, &Property::PredecessorsFirst);
}

#[test]
fn a_delete_before_the_handler_returned() {
    let make = || {
        of(|| {
            Consumer::each(|message, _| {
                let _ = message.delete();
                Ok::<_, String>(())
            })
        })
    };
    notices(make, &Property::NoDeleteBeforeReturn);
}

#[test]
fn work_on_a_message_that_others_may_have() {
    let waiting = |seconds| {
        of(move || {
            Consumer::each_async(move |_, context| async move {
                context.wait(secs(seconds)).await;
                Ok::<_, String>(())
            })
        })
    };
    notices(move || waiting(30).watch_visibility(), &Property::HoldsWhatItWorksOn);
    passed(&waiting(29).watch_visibility());
    passed(&waiting(30));
}

#[test]
fn a_handler_that_never_finishes() {
    async fn spin(context: Context) -> Result<(), String> {
        loop {
            context.wait(secs(0)).await;
        }
    }
    for check in [
        of(|| Consumer::each_async(|_, _| pending::<Result<(), String>>())),
        of(|| Consumer::each_async(|_, context| spin(context))),
    ] {
        let found = failure(&check);
        assert_eq!(found.violation.property, Property::EveryHandlerFinishes);
        assert!(found.story.events.len() <= 12, "{}", found.story);
    }
}

#[test]
fn a_handler_that_panics() {
    notices(
        || of(|| Consumer::each(|message, _| -> Result<(), String> { panic!("cannot do {}", message.body()) })),
        &Property::NoConsumerPanics,
    );
    let late = || {
        of(|| {
            Consumer::each_async(|_, context| async move {
                context.wait(secs(1)).await;
                panic!("cannot");
                #[expect(unreachable_code, reason = "gives the type")]
                Ok::<(), String>(())
            })
        })
    };
    notices(late, &Property::NoConsumerPanics);
}

#[test]
fn an_invariant_that_does_not_hold_or_panics() {
    let name = "nothing is done".to_owned();
    let doer = || {
        check("doer", || 0)
            .pairs(60)
            .queue(super::consumers::jobs)
            .messages(numbered())
            .consumer("c", |done| {
                let done = done.clone();
                Consumer::each(move |_, _| {
                    *done.borrow_mut() += 1;
                    Ok::<_, String>(())
                })
            })
    };
    let property = Property::Invariant(name);
    notices(|| doer().always("nothing is done", |done| *done == 0), &property);
    notices(|| doer().finally("nothing is done", |done, _| *done == 0), &property);
    notices(
        || doer().always("nothing is done", |done| 1 / (1 - done.min(&1)) == 1),
        &property,
    );
    let found = failure(&doer().always("nothing is done", |done| 1 / (1 - done.min(&1)) == 1));
    assert!(found.violation.sentence.contains("panicked"), "{}", found.violation);
}

#[test]
fn a_handler_may_call_the_queue_back() {
    let check = of(|| {
        Consumer::each(|message, _| match message.body() {
            "job" => message.queue().send("next").map(drop),
            _ => Ok(()),
        })
    });
    passed(&check.cases(200));
    let check = of(|| {
        Consumer::each_async(|message, context| async move {
            match message.body() {
                "job" => context.send("next").map(drop),
                _ => Ok(()),
            }
        })
    });
    passed(&check.cases(200));
}
