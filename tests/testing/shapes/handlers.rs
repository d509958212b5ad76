//! Handlers that the kit calls.
use {
    super::{Database, Effects, count, fifo_orders, is_found, numbered, once, orders, secs, survives, text},
    requeue::{
        Message, Queue,
        testing::{Check, Consumer, Context, Fate, Property, World, check},
    },
    std::{
        cell::RefCell,
        collections::{BTreeMap, BTreeSet, HashSet},
        rc::Rc,
    },
};

// Correct.

#[derive(Default)]
struct Books {
    /// Of each group, what was done, in its order.
    done: BTreeMap<String, Vec<String>>,
}

/// Works for up to a minute, and keeps its message all the while.
async fn with_heartbeat(books: World<Books>, message: Message, context: Context, beats: u32) -> Result<(), String> {
    let group = message.message_group_id().unwrap().to_owned();
    let work = message.body().len() as u32 % 6;
    for beat in 0..work {
        context.wait(secs(10)).await;
        if beat < beats {
            context.change_visibility(&message, secs(30)).map_err(text)?;
        }
    }
    let mut books = books.borrow_mut();
    let done = books.done.entry(group).or_default();
    if !done.contains(&message.body().to_owned()) {
        done.push(message.body().to_owned());
    }
    Ok(())
}

fn fifo_check(beats: u32) -> Check<Books> {
    let mut check = check("fifo with heartbeat", Books::default)
        .queue(fifo_orders)
        .messages(sized())
        .watch_visibility();
    for name in ["c1", "c2"] {
        check = check.consumer(name, move |books| {
            let books = books.clone();
            let handler = move |message, context| with_heartbeat(books.clone(), message, context, beats);
            Consumer::each_async(handler).workers(2)
        });
    }
    check.always("each job is done once", |books| {
        let all: Vec<_> = books.done.values().flatten().collect();
        all.iter().collect::<BTreeSet<_>>().len() == all.len() || books.done.len() > 1
    })
}

/// Bodies of different lengths, in two groups.
fn sized() -> impl proptest::strategy::Strategy<Value = requeue::SendMessage> + 'static {
    use proptest::strategy::Strategy;
    ("[a-z]{1,12}", 0..2_usize)
        .prop_map(|(body, group)| requeue::SendMessage::new(body).message_group_id(["ann", "bob"][group]))
}

#[test]
fn a_fifo_handler_with_a_heartbeat_and_workers_is_right() {
    survives(|| fifo_check(u32::MAX));
}

#[test]
fn a_heartbeat_that_stops_too_early_is_found() {
    let found = is_found(20, || fifo_check(1));
    assert_eq!(found.violation.property, Property::HoldsWhatItWorksOn);
}

type Answers = Vec<Result<(), String>>;

/// One that answers for each, and stops at the first failure of a group.
fn batch_check(answer: fn(Answers) -> Answers) -> Check<BTreeSet<String>> {
    check("batches", BTreeSet::new)
        .queue_with_dead_letters(5, orders)
        .or_queue_with_dead_letters(5, fifo_orders)
        .messages(numbered())
        .consumer("importer", move |stored| {
            let stored = stored.clone();
            Consumer::batch(move |messages, _| {
                let mut failed = HashSet::new();
                let answers = messages.iter().map(|message| {
                    let poor = message.body().ends_with('7') && message.approximate_receive_count() < 3;
                    let group = message.message_group_id();
                    if poor || failed.contains(&group) {
                        failed.insert(group);
                        return Err("the disk is full".to_owned());
                    }
                    stored.borrow_mut().insert(message.body().to_owned());
                    Ok(())
                });
                answer(answers.collect())
            })
        })
        .finally("what was deleted was stored", |stored, messages| {
            let mut deleted = messages.iter().filter(|it| it.fate == Some(Fate::Deleted));
            deleted.all(|it| stored.contains(&*it.body))
        })
}

#[test]
fn a_batch_with_partial_failures_is_right() {
    survives(|| batch_check(|answers| answers));
}

#[test]
fn answers_in_the_wrong_order_are_found() {
    is_found(20, || {
        batch_check(|mut answers| {
            answers.sort_by_key(Result::is_err);
            answers
        })
    });
}

// A cache in memory.

fn cached(in_memory: bool) -> Check<(Effects, HashSet<String>)> {
    check("a cache against duplicates", Default::default)
        .queue(orders)
        .messages(numbered())
        .consumer("charger", move |world: &World<(Effects, HashSet<String>)>| {
            let world = world.clone();
            let own = Rc::new(RefCell::new(HashSet::new()));
            Consumer::each(move |order, context| {
                let mut world = world.borrow_mut();
                let key = order.body();
                let is_new = match in_memory {
                    true => own.borrow_mut().insert(key.to_owned()),
                    false => world.1.insert(key.to_owned()),
                };
                if is_new {
                    context.note(format!("charges {key}"));
                    count(&mut world.0, key);
                }
                Ok::<_, String>(())
            })
        })
        .always("no order is charged twice", |world| once(&world.0))
}

#[test]
fn a_set_in_the_database_is_right() {
    survives(|| cached(false));
}

#[test]
fn a_cache_that_a_crash_forgets_is_found() {
    is_found(20, || cached(true));
}

// One that sends to another queue.

fn forwards(deletes_first: bool) -> Check<()> {
    check("forwards", || ())
        .queue(orders)
        .queue(|| Queue::standard("payments"))
        .messages(numbered())
        .consumer("clerk", move |_| {
            let consumer = Consumer::each(move |order: &Message, context: &Context| {
                if deletes_first {
                    context.delete(order).map_err(text)?;
                }
                let payments = context.queue("payments").map_err(text)?;
                payments.send(order.body()).map_err(text)?;
                if deletes_first {
                    Ok(())
                } else {
                    context.delete(order).map_err(text)
                }
            });
            consumer.deletes_itself()
        })
        .consumer("cashier", |_| {
            Consumer::each(|_, _| Ok::<_, String>(())).from("payments")
        })
        .finally("each order is paid", |(), messages| {
            let of = |queue: &'static str| messages.iter().filter(move |it| &*it.queue == queue);
            let paid: BTreeSet<_> = of("payments").map(|it| &it.body).collect();
            of("orders").all(|it| paid.contains(&it.body))
        })
}

#[test]
fn who_sends_before_the_delete_is_right() {
    survives(|| forwards(false));
}

#[test]
fn who_deletes_before_the_send_is_found() {
    is_found(20, || forwards(true));
}

/// Asks again if it got no answer to a send.
fn retries(tells_its_key: bool) -> Check<Effects> {
    check("retries", Effects::new)
        .queue(orders)
        .queue(|| Queue::fifo("payments.fifo"))
        .messages(numbered())
        .consumer("clerk", move |_| {
            let mut attempts = 0;
            Consumer::each(move |order: &Message, context: &Context| {
                let payments = context.queue("payments.fifo").map_err(text)?;
                let mut send = || {
                    attempts += 1;
                    let key = match tells_its_key {
                        true => order.body().to_owned(),
                        false => format!("{}-{attempts}", context.now()),
                    };
                    let payment = requeue::SendMessage::new(order.body()).message_group_id("all");
                    payments.send(payment.message_deduplication_id(key.replace(':', "-")))
                };
                send().or_else(|_| send()).map(drop).map_err(text)
            })
        })
        .consumer("cashier", |charged| {
            let charged = charged.clone();
            let charge = move |payment: &Message, context: &Context| {
                context.note(format!("charges {}", payment.body()));
                count(&mut charged.borrow_mut(), payment.message_id().to_string().as_str());
                Ok::<_, String>(())
            };
            Consumer::each(charge).from("payments.fifo")
        })
        .messages_at_most(1)
        .finally("no order is paid twice", |_, messages| {
            let mut seen = HashSet::new();
            let mut payments = messages.iter().filter(|it| &*it.queue == "payments.fifo");
            payments.all(|it| seen.insert(&it.body))
        })
}

#[test]
fn a_retry_that_sends_twice_is_found() {
    is_found(20, || retries(false));
}

// Two crashes.

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Stage {
    Begun,
    Repaired,
}

#[derive(Default)]
struct Transfers {
    stage: BTreeMap<String, Stage>,
    /// What was taken and given of each.
    taken: Effects,
    given: Effects,
}

/// Takes it that who repairs does so to the end.
fn repairs() -> Check<Transfers> {
    check("repairs", Transfers::default)
        .queue(orders)
        .messages(numbered())
        .consumer("bank", |world| {
            let world = world.clone();
            Consumer::each_async(move |order, context| {
                let database = Database::new(&world, &context);
                async move {
                    let key = order.body().to_owned();
                    let stage = database.transaction(|it| it.stage.get(&key).copied()).await;
                    match stage {
                        None => {
                            database
                                .transaction(|it| it.stage.insert(key.clone(), Stage::Begun))
                                .await;
                            database.transaction(|it| count(&mut it.taken, &key)).await;
                            database.transaction(|it| count(&mut it.given, &key)).await;
                            database
                                .transaction(|it| it.stage.insert(key.clone(), Stage::Repaired))
                                .await;
                        }
                        Some(Stage::Begun) => {
                            database
                                .transaction(|it| it.stage.insert(key.clone(), Stage::Repaired))
                                .await;
                            database
                                .transaction(|it| {
                                    it.taken.insert(key.clone(), 1);
                                    it.given.insert(key.clone(), 1);
                                })
                                .await;
                        }
                        Some(Stage::Repaired) => {}
                    }
                    Ok::<_, String>(())
                }
            })
        })
        .finally("what is deleted is done", |world, messages| {
            let mut deleted = messages.iter().filter(|it| it.fate == Some(Fate::Deleted));
            deleted.all(|it| world.given.contains_key(&*it.body))
        })
}

#[test]
fn a_bug_that_takes_two_crashes_is_found() {
    is_found(20, || {
        repairs().faults(requeue::testing::Faults::worst_legal()).cases(10_000)
    });
}

// A cache of an hour.

fn remembers_for(hours: u64) -> Check<(Effects, BTreeMap<String, requeue::Timestamp>)> {
    check("remembers", Default::default)
        .queue(|| Queue::standard("films").visibility_timeout(secs(2 * 3_600)))
        .messages(numbered())
        .consumer(
            "renderer",
            move |world: &World<(Effects, BTreeMap<String, requeue::Timestamp>)>| {
                let world = world.clone();
                Consumer::each(move |film, context| {
                    let now = context.now();
                    let mut world = world.borrow_mut();
                    let known = world.1.get(film.body());
                    if known.is_some_and(|at| now.saturating_duration_since(*at) < secs(hours * 3_600)) {
                        return Ok(());
                    }
                    world.1.insert(film.body().to_owned(), now);
                    context.note(format!("renders {}", film.body()));
                    count(&mut world.0, film.body());
                    Ok::<_, String>(())
                })
            },
        )
        .always("no film is rendered twice", |world| once(&world.0))
}

#[test]
fn a_memory_of_one_hour_is_found_too_short() {
    is_found(20, || remembers_for(1));
}
