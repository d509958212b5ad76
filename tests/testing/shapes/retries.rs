//! Consumers that send again, give back or ask again.
use {
    super::{is_found, numbered, orders, secs, survives, text},
    requeue::{
        Message, Queue, SendMessage,
        testing::{Check, Consumer, Context, Fate, World, check},
    },
    std::collections::BTreeSet,
};

type Done = BTreeSet<String>;

/// Sends what it cannot do yet to another queue, from where it comes back after a minute.
fn detour(sends_first: bool) -> Check<Done> {
    check("a detour", Done::new)
        .queue(orders)
        .queue(|| Queue::standard("later"))
        .messages(numbered())
        .consumer("worker", move |done: &World<Done>| {
            let (done, mut busy) = (done.clone(), 0);
            let consumer = Consumer::each(move |order: &Message, context: &Context| {
                busy += 1;
                if busy % 3 == 1 {
                    let later = context.queue("later").map_err(text)?;
                    let again = SendMessage::new(order.body()).delay(secs(60));
                    if sends_first {
                        later.send(again).map_err(text)?;
                        return context.delete(order).map_err(text);
                    }
                    context.delete(order).map_err(text)?;
                    return later.send(again).map(drop).map_err(text);
                }
                done.borrow_mut().insert(order.body().to_owned());
                context.delete(order).map_err(text)
            });
            consumer.deletes_itself()
        })
        .consumer("back", |_| {
            let back = |order: &Message, context: &Context| {
                context
                    .queue("orders")
                    .map_err(text)?
                    .send(order.body())
                    .map(drop)
                    .map_err(text)
            };
            Consumer::each(back).from("later")
        })
        .finally("each order is done", |done, messages| {
            messages.iter().all(|it| done.contains(&*it.body))
        })
}

#[test]
fn a_detour_is_right() {
    survives(|| detour(true));
}

#[test]
fn a_detour_that_deletes_first_is_found() {
    is_found(14, || detour(false));
}

/// Tries a delete again that failed, so that others do not work in vain.
fn insists(times: u32) -> Check<Done> {
    check("insists", Done::new)
        .queue(orders)
        .messages(numbered())
        .consumer("worker", move |done: &World<Done>| {
            let done = done.clone();
            let consumer = Consumer::each_async(move |order, context| {
                let done = done.clone();
                async move {
                    context.wait(secs(2)).await;
                    done.borrow_mut().insert(order.body().to_owned());
                    for _ in 0..times {
                        if context.delete(&order).is_ok() {
                            return Ok(());
                        }
                        context.wait(secs(1)).await;
                    }
                    Err("it cannot be deleted")
                }
            });
            consumer.deletes_itself()
        })
        .watch_visibility()
        .finally("what was deleted is done", |done, messages| {
            let mut deleted = messages.iter().filter(|it| it.fate == Some(Fate::Deleted));
            deleted.all(|it| done.contains(&*it.body))
        })
}

#[test]
fn who_tries_a_delete_again_is_right() {
    survives(|| insists(5));
}

/// Receives ten, does those of one customer, and gives the others back.
fn picks(gives_back: fn(&Context, &Message)) -> Check<Done> {
    check("picks", Done::new)
        .queue_with_dead_letters(3, orders)
        .messages(numbered())
        .consumer("picker", move |done: &World<Done>| {
            let done = done.clone();
            Consumer::batch(move |messages: &[Message], context: &Context| {
                let first = messages[0].message_group_id();
                let picked = messages.iter().take_while(|it| it.message_group_id() == first).count();
                for other in &messages[picked..] {
                    gives_back(context, other);
                }
                let each = messages[..picked].iter().map(|message| {
                    done.borrow_mut().insert(message.body().to_owned());
                    Ok::<_, String>(())
                });
                each.collect()
            })
        })
        .finally("what was deleted is done", |done, messages| {
            let mut deleted = messages.iter().filter(|it| it.fate == Some(Fate::Deleted));
            deleted.all(|it| done.contains(&*it.body))
        })
}

#[test]
fn who_releases_what_it_does_not_pick_is_right() {
    survives(|| picks(|context, message| drop(context.release(message))));
    survives(|| picks(|context, message| drop(context.postpone(message, secs(5)))));
}
