//! A crash strikes a handler in its calls, and nothing that follows happens.
use {
    super::consumers::{failure, fifo, jobs, numbered, of, passed, secs},
    proptest::strategy::Just,
    requeue::{
        MessageId,
        testing::{Check, Consumer, Context, Fate, Fault, Faults, Property, World, check},
    },
    std::{
        cell::Cell,
        collections::BTreeSet,
        panic::{AssertUnwindSafe, catch_unwind},
        rc::Rc,
    },
};

type Shipped = BTreeSet<MessageId>;

fn shop(consumer: impl Fn(World<Shipped>) -> Consumer + 'static) -> Check<Shipped> {
    check("shop", Shipped::new)
        .pairs(60)
        .queue(jobs)
        .or_queue(fifo)
        .messages(numbered())
        .consumer("shipper", move |shipped| consumer(shipped.clone()))
        .finally("what was deleted was shipped", |shipped, messages| {
            let deleted = messages.iter().filter(|it| it.fate == Some(Fate::Deleted));
            deleted.count() <= shipped.len()
        })
}

/// Deletes, and ships after it or before it, without waiting in between.
fn shipper(shipped: World<Shipped>, delete_first: bool) -> Consumer {
    let consumer = Consumer::each(move |message, context| {
        if delete_first {
            context.delete(message)?;
        }
        shipped.borrow_mut().insert(message.message_id());
        if delete_first { Ok(()) } else { context.delete(message) }
    });
    consumer.deletes_itself()
}

#[test]
fn work_that_follows_a_delete_at_once_is_seen_to_be_lost() {
    for seed in 0..20 {
        let check = || shop(|shipped| shipper(shipped, true)).seed(seed).first_failure_only();
        let found = failure(&check());
        let property = Property::Invariant("what was deleted was shipped".to_owned());
        assert_eq!(found.violation.property, property, "{}", found.story);
        assert!(found.story.events.len() <= 12, "{}", found.story);
        let found = failure(&check().faults(Faults::none().with(Fault::CrashAfterDelete, 0.03)));
        let last = found.story.events.last().unwrap();
        assert_eq!(last.fault, Some(Fault::CrashAfterDelete), "{}", found.story);
        let place = last.place.unwrap();
        assert_eq!(last.what, format!("dies at {place}, before it is done with m1"));
        assert_eq!(found.story.events.len(), 4, "{}", found.story);
    }
}

#[test]
fn a_wait_after_the_delete_is_after_the_delete() {
    let check = of(|| {
        let consumer = Consumer::each_async(|message, context| async move {
            context.delete(&message).map_err(|error| error.to_string())?;
            context.wait(secs(5)).await;
            Ok::<_, String>(())
        });
        consumer.deletes_itself()
    });
    let found = failure(&check.faults(Faults::none().with(Fault::CrashAfterDelete, 0.03)));
    assert_eq!(found.violation.property, Property::DeletedByWhoFinished);
    let told: Vec<_> = found.story.events.iter().map(|event| event.what.as_str()).collect();
    let place = found.story.events[4].place.unwrap();
    let expected = [
        "sends m1 \"job\"",
        "receives m1",
        "deletes m1",
        "goes on with m1",
        &format!("dies at {place}, before it is done with m1"),
    ];
    assert_eq!(told, expected);
}

#[test]
fn who_deletes_last_loses_nothing() {
    for seed in 0..3 {
        let check = shop(|shipped| shipper(shipped, false));
        let passed = passed(&check.faults(Faults::worst_legal()).cases(2_000).seed(seed));
        assert!(passed.faults[&Fault::CrashAfterDelete] > 0 && passed.faults[&Fault::CrashBeforeDelete] > 0);
    }
}

#[test]
fn a_batch_may_delete_its_messages_one_by_one() {
    let in_turn = |shipped: World<Shipped>| {
        let consumer = Consumer::batch_async(move |messages, context| {
            let shipped = shipped.clone();
            async move {
                let mut answers = Vec::new();
                for message in messages {
                    context.wait(secs(1)).await;
                    shipped.borrow_mut().insert(message.message_id());
                    answers.push(context.delete(&message));
                    if answers.last().is_some_and(Result::is_err) {
                        break;
                    }
                }
                answers
            }
        });
        consumer.deletes_itself()
    };
    passed(
        &shop(in_turn)
            .faults(Faults::worst_legal())
            .cases(2_000)
            .watch_visibility(),
    );
}

#[test]
fn a_delete_by_the_message_itself_meets_no_crash() {
    let early = |shipped: World<Shipped>| {
        let consumer = Consumer::each(move |message, _| {
            message.delete().map_err(|error| error.to_string())?;
            shipped.borrow_mut().insert(message.message_id());
            Ok::<_, String>(())
        });
        consumer.deletes_itself()
    };
    passed(&shop(early));
}

#[test]
fn every_call_may_be_the_last() {
    type Call = fn(&requeue::Message, &Context) -> bool;
    let calls: [(Call, &str); 3] = [
        (|message, context| context.delete(message).is_ok(), "deletes m1"),
        (
            |message, context| context.change_visibility(message, secs(60)).is_ok(),
            "hides m1 for 60 s",
        ),
        (|_, context| context.send("next").is_ok(), "sends \"next\""),
    ];
    for (call, told) in calls {
        let check = check("interrupted", || 0)
            .pairs(60)
            .queue(jobs)
            .messages(Just("job"))
            .consumer("c", move |open| {
                let open = open.clone();
                let consumer = Consumer::each(move |message, context| {
                    *open.borrow_mut() += 1;
                    if message.body() == "job" {
                        call(message, context);
                    }
                    *open.borrow_mut() -= 1;
                    context.delete(message)
                });
                consumer.deletes_itself()
            })
            .always("what is begun is ended", |open| *open == 0)
            .faults(Faults::none().with(Fault::CrashBeforeDelete, 0.2));
        let found = failure(&check);
        let last = found.story.events.last().unwrap();
        let place = last.place.unwrap();
        assert_eq!(
            last.what,
            format!("dies at {place}, before it {told}"),
            "{}",
            found.story
        );
        assert!(place.file.ends_with("crashes.rs"));
        assert_eq!(last.fault, Some(Fault::CrashBeforeDelete));
    }
}

#[test]
fn a_handler_that_survives_its_crash_dies_of_its_next_call() {
    let (survived, went_on) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    let (survivals, returns) = (Rc::clone(&survived), Rc::clone(&went_on));
    let check = of(move || {
        let (survivals, returns) = (Rc::clone(&survivals), Rc::clone(&returns));
        Consumer::each(move |message, context| {
            let send = |body| catch_unwind(AssertUnwindSafe(|| context.send(body).is_ok()));
            if message.body() == "job" && send("first").is_err() {
                survivals.set(survivals.get() + 1);
                returns.set(returns.get() + u32::from(send("ghost").is_ok()));
            }
            Ok::<_, String>(())
        })
    });
    let faults = Faults::none().with(Fault::CrashBeforeDelete, 0.5);
    let check = check.cases(200).faults(faults);
    let check = check.finally("no dead handler sends", |(), messages| {
        messages.iter().all(|it| &*it.body != "ghost")
    });
    passed(&check);
    assert!(survived.get() > 0 && went_on.get() == 0);
}

/// Tells the queue on its way out.
struct Farewell(Context, Rc<Cell<u32>>);

impl Drop for Farewell {
    fn drop(&mut self) {
        if self.0.send("farewell").is_err() {
            self.1.set(self.1.get() + 1);
        }
    }
}

#[test]
fn what_a_dying_handler_drops_reaches_nobody_and_ends_no_process() {
    let refused = Rc::new(Cell::new(0));
    let counter = Rc::clone(&refused);
    let polite = move || {
        let counter = Rc::clone(&counter);
        Consumer::each_async(move |message, context| {
            let counter = Rc::clone(&counter);
            async move {
                let farewell = Farewell(context.clone(), counter);
                context
                    .change_visibility(&message, secs(60))
                    .map_err(|error| error.to_string())?;
                context.wait(secs(1)).await;
                std::mem::forget(farewell);
                Ok::<_, String>(())
            }
        })
    };
    let check = of(polite)
        .faults(Faults::none().with(Fault::CrashBeforeDelete, 0.3))
        .cases(200);
    passed(&check.finally("the dead say nothing", |(), messages| {
        messages.iter().all(|it| &*it.body != "farewell")
    }));
    assert!(refused.get() > 0);
}

#[test]
fn a_handler_that_panics_is_not_taken_for_dead() {
    let check = of(|| {
        Consumer::each(|_, context| -> Result<(), String> {
            let _farewell = Farewell(context.clone(), Rc::default());
            panic!("cannot");
        })
    });
    let check = check.faults(
        Faults::none()
            .with(Fault::CrashBeforeDelete, 1.0)
            .with(Fault::CrashBeforeWork, 0.0),
    );
    assert_eq!(failure(&check).violation.property, Property::NoConsumerPanics);
}
