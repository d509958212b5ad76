//! Locks, limits and several queues at once.
#[cfg(feature = "worker")]
use super::text;
use {
    super::{Effects, count, is_found, numbered, once, orders, secs, survives},
    requeue::{
        Queue,
        testing::{Check, Consumer, Context, World, check},
    },
    std::{collections::BTreeSet, sync::Arc},
};

#[derive(Default)]
struct Shop {
    lock: Arc<tokio::sync::Mutex<()>>,
    at_the_bank: u32,
    most_at_the_bank: u32,
    done: BTreeSet<String>,
    effects: Effects,
}

/// A lock in the database, which a connection that dies gives back.
fn locked(locks: bool) -> Check<Shop> {
    let mut check = check("a lock", Shop::default).queue(orders).messages(numbered());
    for name in ["c1", "c2"] {
        check = check.consumer(name, move |shop: &World<Shop>| {
            let shop = shop.clone();
            Consumer::each_async(move |order, context| {
                let shop = shop.clone();
                async move {
                    let lock = Arc::clone(&shop.borrow().lock);
                    let _held = if locks { Some(lock.lock().await) } else { None };
                    let known = shop.borrow().done.contains(order.body());
                    context.wait(secs(3)).await;
                    if !known {
                        let mut shop = shop.borrow_mut();
                        shop.done.insert(order.body().to_owned());
                        context.note(format!("charges {}", order.body()));
                        count(&mut shop.effects, order.body());
                    }
                    Ok::<_, String>(())
                }
            })
        });
    }
    check.always("no order is charged twice", |shop| once(&shop.effects))
}

#[test]
fn a_lock_that_is_awaited_is_right() {
    survives(|| locked(true));
}

#[test]
fn a_missing_lock_is_found() {
    is_found(12, || locked(false));
}

/// At most two at the bank.
fn limited(keeps_count: bool) -> Check<Shop> {
    check("a limit", Shop::default)
        .queue(orders)
        .messages(numbered())
        .consumer("c", move |shop: &World<Shop>| {
            let shop = shop.clone();
            // A process that is begun anew is new at the bank, too.
            let permits = Arc::new(tokio::sync::Semaphore::new(2));
            shop.borrow_mut().at_the_bank = 0;
            let handler = Consumer::each_async(move |_, context: Context| {
                let (shop, permits) = (shop.clone(), Arc::clone(&permits));
                async move {
                    let permit = permits.acquire().await.map_err(|error| error.to_string())?;
                    let most = {
                        let mut shop = shop.borrow_mut();
                        shop.at_the_bank += 1;
                        shop.most_at_the_bank = shop.most_at_the_bank.max(shop.at_the_bank);
                        shop.at_the_bank
                    };
                    assert!(most <= 4);
                    if !keeps_count {
                        drop(permit);
                        context.wait(secs(2)).await;
                    } else {
                        context.wait(secs(2)).await;
                        drop(permit);
                    }
                    shop.borrow_mut().at_the_bank -= 1;
                    Ok::<_, String>(())
                }
            });
            handler.workers(4)
        })
        .always("at most two are at the bank", |shop| shop.most_at_the_bank <= 2)
}

#[test]
fn a_limit_of_workers_is_right() {
    survives(|| limited(true));
}

#[test]
fn a_permit_that_is_given_back_too_early_is_found() {
    is_found(14, || limited(false));
}

/// Two queues at once, of which one is more urgent: whichever has a message.
#[cfg(feature = "worker")]
fn urgent() -> Check<Shop> {
    check("two queues at once", Shop::default)
        .queue(orders)
        .queue(|| Queue::standard("urgent").visibility_timeout(secs(30)))
        .messages(numbered())
        .messages_to("urgent", proptest::strategy::Just("now"))
        .consumer("c", |shop: &World<Shop>| {
            let shop = shop.clone();
            Consumer::program(move |context| both(shop.clone(), context))
        })
        .finally("all is done", |shop, messages| {
            messages.iter().all(|it| shop.done.contains(&*it.body))
        })
        .none_expires()
}

#[cfg(feature = "worker")]
async fn both(shop: World<Shop>, context: Context) -> Result<(), String> {
    use futures_util::future::{Either, select};
    let (orders, urgent) = (
        context.queue("orders").map_err(text)?,
        context.queue("urgent").map_err(text)?,
    );
    loop {
        let first = std::pin::pin!(urgent.receive_async(|poll| poll.wait_time(secs(20))));
        let second = std::pin::pin!(orders.receive_async(|poll| poll.wait_time(secs(20))));
        let (queue, received) = match select(first, second).await {
            Either::Left((received, _)) => (&urgent, received),
            Either::Right((received, _)) => (&orders, received),
        };
        let Ok(messages) = received else {
            context.wait(secs(1)).await;
            continue;
        };
        for message in messages {
            context.wait(secs(1)).await;
            shop.borrow_mut().done.insert(message.body().to_owned());
            let _ = queue.delete(&message);
        }
    }
}

#[cfg(feature = "worker")]
#[test]
fn who_asks_two_queues_at_once_is_right() {
    survives(urgent);
}

/// A program that only sends, and one that works.
fn produces(remembers: bool) -> Check<(u32, BTreeSet<String>)> {
    check("a producer of its own", Default::default)
        .queue(orders)
        .messages(numbered())
        .messages_at_most(1)
        .consumer("daily", move |world: &World<(u32, BTreeSet<String>)>| {
            let world = world.clone();
            Consumer::program(move |context| {
                let world = world.clone();
                async move {
                    while world.borrow().0 < 3 {
                        context.wait(secs(10)).await;
                        let day = world.borrow().0;
                        if !remembers {
                            world.borrow_mut().0 += 1;
                        }
                        if context.send(format!("report-{day}")).is_ok() && remembers {
                            world.borrow_mut().0 += 1;
                        }
                    }
                }
            })
        })
        .consumer("writer", |world: &World<(u32, BTreeSet<String>)>| {
            let world = world.clone();
            Consumer::each(move |report, _| {
                world.borrow_mut().1.insert(report.body().to_owned());
                Ok::<_, String>(())
            })
        })
        .finally("three reports are written", |world, _| {
            (0..3).all(|day| world.1.contains(&format!("report-{day}")))
        })
}

#[test]
fn a_program_that_only_sends_is_right_if_it_looks_at_the_answer() {
    survives(|| produces(true));
    is_found(20, || produces(false));
}
