//! A crash strikes between two effects where the handler says so, and wherever it lets others go on.
use {
    super::consumers::{failure, fifo, jobs, numbered, passed, secs},
    requeue::testing::{Check, Consumer, Context, Fate, Fault, Faults, Property, World, check},
    std::{
        cell::Cell,
        collections::BTreeMap,
        future::poll_fn,
        panic::{AssertUnwindSafe, catch_unwind},
        rc::Rc,
        task::Poll,
        time::Duration,
    },
};

type Answer = Result<(), String>;

fn open_or_not(make: fn(World<i32>) -> Consumer) -> Check<i32> {
    check("open", || 0)
        .pairs(60)
        .queue(jobs)
        .or_queue(fifo)
        .messages(numbered())
        .consumer("c", move |open| make(open.clone()))
        .always("what is begun is ended", |open| *open == 0)
        .first_failure_only()
}

/// A crash strikes in the middle, is told, and can be replayed.
#[track_caller]
fn strikes(make: fn(World<i32>) -> Consumer) {
    for seed in 0..5 {
        let check = || {
            open_or_not(make)
                .seed(seed)
                .faults(Faults::none().with(Fault::CrashBeforeDelete, 0.1))
        };
        let found = failure(&check());
        let last = found.story.events.last().unwrap();
        let told = format!("dies at {}, before it is done with ", last.place.unwrap());
        assert!(last.what.starts_with(&told), "{}", found.story);
        assert_eq!(last.fault, Some(Fault::CrashBeforeDelete));
        let again = check().replay(&found.schedule).unwrap_err();
        assert_eq!(again.failure().unwrap().story.events, found.story.events);
        passed(&open_or_not(make).seed(seed).faults(Faults::none()).cases(100));
    }
}

async fn yields() {
    let mut yielded = false;
    poll_fn(|context| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[test]
fn a_crash_strikes_a_sync_handler_at_its_checkpoint() {
    let each = |open: World<i32>| {
        Consumer::each(move |_, context| {
            *open.borrow_mut() += 1;
            context.checkpoint();
            *open.borrow_mut() -= 1;
            Answer::Ok(())
        })
    };
    strikes(each);
    let batch = |open: World<i32>| {
        Consumer::batch(move |messages, context| {
            let each = messages.iter().map(|_| {
                *open.borrow_mut() += 1;
                context.checkpoint();
                *open.borrow_mut() -= 1;
                Answer::Ok(())
            });
            each.collect()
        })
    };
    strikes(batch);
}

#[test]
fn a_crash_strikes_an_async_handler_at_its_checkpoint() {
    let made = |open: World<i32>| {
        Consumer::each_async(move |_, context| {
            let open = open.clone();
            async move {
                *open.borrow_mut() += 1;
                context.checkpoint();
                *open.borrow_mut() -= 1;
                context.wait(secs(1)).await;
                Answer::Ok(())
            }
        })
    };
    strikes(made);
}

#[test]
fn a_crash_strikes_where_a_handler_waits_no_time_or_lets_others_go_on() {
    let waits = |open: World<i32>| {
        Consumer::each_async(move |_, context| {
            let open = open.clone();
            async move {
                *open.borrow_mut() += 1;
                context.wait(Duration::ZERO).await;
                *open.borrow_mut() -= 1;
                Answer::Ok(())
            }
        })
    };
    // Another act may come first, and see what is begun and not ended.
    let alone = Faults::none().with(Fault::CrashBeforeDelete, 0.1);
    let lost = |make: fn(World<i32>) -> Consumer| {
        check("open", || 0)
            .pairs(60)
            .queue(jobs)
            .messages(numbered())
            .consumer("c", move |open| make(open.clone()))
            .finally("what is begun is ended", |open, _| *open == 0)
    };
    let yielding = |open: World<i32>| {
        Consumer::each_async(move |_, _| {
            let open = open.clone();
            async move {
                *open.borrow_mut() += 1;
                yields().await;
                *open.borrow_mut() -= 1;
                Answer::Ok(())
            }
        })
    };
    for make in [waits as fn(World<i32>) -> Consumer, yielding] {
        let found = failure(&lost(make).faults(alone.clone()).first_failure_only());
        let crash = found
            .story
            .events
            .iter()
            .find(|event| event.fault == Some(Fault::CrashBeforeDelete));
        let told = &crash.unwrap().what;
        assert!(
            told.starts_with("dies ") && told.contains("before it is done with m"),
            "{}",
            found.story
        );
        passed(&lost(make).faults(Faults::none()));
    }
}

#[test]
fn others_go_on_where_a_handler_waits_no_time() {
    let racy = |sold: &World<(u32, u32)>| {
        let sold = sold.clone();
        Consumer::each_async(move |_, context| {
            let sold = sold.clone();
            async move {
                let before = sold.borrow().0;
                context.wait(Duration::ZERO).await;
                sold.borrow_mut().0 = before + 1;
                sold.borrow_mut().1 += 1;
                Answer::Ok(())
            }
        })
    };
    let check = check("racy", || (0, 0)).pairs(60).queue(jobs).messages(numbered());
    let check = check.consumer("c1", racy).consumer("c2", racy);
    let check = check.always("each sale is counted", |sold| sold.0 == sold.1);
    failure(&check.faults(Faults::none()));
}

#[test]
fn a_checkpoint_after_the_delete_shows_that_work_was_to_follow() {
    let early = |_: &World<()>| {
        let consumer = Consumer::each(|message, context| {
            context.delete(message)?;
            context.checkpoint();
            Ok::<_, requeue::testing::CallError<requeue::DeleteError>>(())
        });
        consumer.deletes_itself()
    };
    let check = check("early", || ())
        .pairs(60)
        .queue(jobs)
        .messages(numbered())
        .consumer("c", early);
    let found = failure(&check.faults(Faults::none().with(Fault::CrashAfterDelete, 0.1)));
    assert_eq!(
        found.violation.property,
        Property::DeletedByWhoFinished,
        "{}",
        found.story
    );
    assert_eq!(found.story.events.len(), 4, "{}", found.story);
}

#[test]
fn who_records_what_it_did_stands_a_crash_at_every_checkpoint() {
    let transfer = |accounts: &World<(i32, BTreeMap<String, ()>)>| {
        let accounts = accounts.clone();
        let consumer = Consumer::each(move |message, context| {
            context.checkpoint();
            if accounts
                .borrow_mut()
                .1
                .insert(message.message_id().to_string(), ())
                .is_none()
            {
                accounts.borrow_mut().0 += 1;
            }
            context.checkpoint();
            context.delete(message)
        });
        consumer.deletes_itself()
    };
    let check = check("transfers", || (0, BTreeMap::new()))
        .queue(jobs)
        .or_queue(fifo)
        .messages(numbered());
    let check = check.consumer("c1", transfer).consumer("c2", transfer);
    let check = check.finally("each is done once", |(done, _), messages| {
        *done as usize == messages.iter().filter(|it| it.fate == Some(Fate::Deleted)).count()
    });
    let passed = passed(&check.faults(Faults::worst_legal()).watch_visibility());
    assert!(passed.faults[&Fault::CrashBeforeDelete] > 100);
}

/// Passes a checkpoint on its way out.
struct Farewell(Context);

impl Drop for Farewell {
    fn drop(&mut self) {
        self.0.checkpoint();
    }
}

#[test]
fn a_checkpoint_ends_no_process_and_lets_no_dead_handler_go_on() {
    let went_on = Rc::new(Cell::new(0));
    let counter = Rc::clone(&went_on);
    let check = check("ghosts", || ())
        .pairs(60)
        .queue(jobs)
        .messages(numbered())
        .consumer("c", move |_| unreachable_unless(&counter));
    passed(
        &check
            .faults(Faults::none().with(Fault::CrashBeforeDelete, 0.5))
            .cases(200),
    );
    assert_eq!(went_on.get(), 0);
}

fn unreachable_unless(went_on: &Rc<Cell<u32>>) -> Consumer {
    let went_on = Rc::clone(went_on);
    Consumer::each(move |_, context| {
        let _farewell = Farewell(context.clone());
        if catch_unwind(AssertUnwindSafe(|| context.checkpoint())).is_err() {
            context.checkpoint();
            went_on.set(went_on.get() + 1);
        }
        Answer::Ok(())
    })
}
