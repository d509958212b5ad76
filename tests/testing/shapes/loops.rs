//! Loops of a consumer's own.
use {
    super::{Database, Effects, count, fifo_orders, is_found, no_fault, numbered, once, orders, secs, survives, text},
    futures_util::{StreamExt, stream},
    requeue::{
        Message,
        testing::{Check, Consumer, Context, Fate, FaultyQueue, World, check},
    },
    std::{
        collections::{BTreeMap, BTreeSet},
        time::Duration,
    },
};

#[derive(Default)]
struct Shop {
    done: BTreeSet<String>,
    effects: Effects,
    /// Of each group, in the order of the effects.
    sequence: BTreeMap<String, Vec<u128>>,
}

async fn work(shop: &World<Shop>, context: &Context, message: Message) -> Message {
    let database = Database::new(shop, context);
    context.wait(secs(message.body().len() as u64 % 3 + 1)).await;
    let effect = |shop: &mut Shop| {
        if shop.done.insert(message.body().to_owned()) {
            context.note(format!("charges {}", message.body()));
            count(&mut shop.effects, message.body());
            if let (Some(group), Some(number)) = (message.message_group_id(), message.sequence_number()) {
                let sequence = shop.sequence.entry(group.to_owned()).or_default();
                sequence.push(number.to_string().parse().unwrap());
            }
        }
    };
    database.transaction(effect).await;
    message
}

async fn receive(queue: &FaultyQueue, context: &Context) -> Vec<Message> {
    loop {
        match queue
            .receive_async(|poll| poll.max_messages(10).wait_time(secs(20)))
            .await
        {
            Ok(messages) => return messages,
            Err(_) => context.wait(secs(1)).await,
        }
    }
}

/// So many at a time, each of which is deleted in its turn.
fn buffered(at_once: usize) -> Check<Shop> {
    looping(move |shop, queue, context| async move {
        loop {
            let messages = receive(&queue, &context).await;
            let works = messages.into_iter().map(|message| work(&shop, &context, message));
            let mut works = std::pin::pin!(stream::iter(works).buffered(at_once));
            while let Some(message) = works.next().await {
                let _ = queue.delete(&message);
            }
        }
    })
}

/// Each is deleted as soon as it is done.
fn unordered() -> Check<Shop> {
    looping(|shop, queue, context| async move {
        loop {
            let messages = receive(&queue, &context).await;
            let works = messages.into_iter().map(|message| work(&shop, &context, message));
            let mut works: stream::FuturesUnordered<_> = works.collect();
            while let Some(message) = works.next().await {
                let _ = queue.delete_batch([&message]);
            }
        }
    })
}

/// Deletes all that it has received before it works.
fn deletes_at_once() -> Check<Shop> {
    looping(|shop, queue, context| async move {
        loop {
            let messages = receive(&queue, &context).await;
            for message in &messages {
                let _ = queue.delete(message);
            }
            for message in messages {
                work(&shop, &context, message).await;
            }
        }
    })
}

fn looping<F: Future<Output = ()> + 'static>(
    run: impl Fn(World<Shop>, FaultyQueue, Context) -> F + Clone + 'static,
) -> Check<Shop> {
    let mut check = check("a loop", Shop::default).queue(orders).messages(numbered());
    for name in ["c1", "c2"] {
        let run = run.clone();
        check = check.consumer(name, move |shop: &World<Shop>| {
            let (shop, run) = (shop.clone(), run.clone());
            Consumer::program(move |context| {
                let queue = context.queue("orders").or_else(|_| context.queue("orders.fifo"));
                run(shop.clone(), queue.unwrap(), context)
            })
        });
    }
    check
        .always("no order is charged twice", |shop| once(&shop.effects))
        .finally("each deleted order is charged", |shop, messages| {
            let mut deleted = messages.iter().filter(|it| it.fate == Some(Fate::Deleted));
            deleted.all(|it| shop.done.contains(&*it.body))
        })
}

#[test]
fn five_at_a_time_are_right() {
    survives(|| buffered(5));
}

#[test]
fn all_at_a_time_are_right() {
    survives(unordered);
}

#[test]
fn a_loop_that_deletes_at_once_is_found() {
    is_found(20, deletes_at_once);
}

/// A FIFO queue, read by one program.
fn in_order(at_once: usize) -> Check<Shop> {
    check("in order", Shop::default)
        .queue(fifo_orders)
        .messages(numbered())
        .consumer("c", move |shop: &World<Shop>| {
            let shop = shop.clone();
            Consumer::program(move |context| {
                let shop = shop.clone();
                async move {
                    let queue = context.queue("orders.fifo").map_err(text)?;
                    loop {
                        let messages = receive(&queue, &context).await;
                        let works = messages.into_iter().map(|message| work(&shop, &context, message));
                        let mut works = std::pin::pin!(stream::iter(works).buffered(at_once));
                        while let Some(message) = works.next().await {
                            let _ = queue.delete(&message);
                        }
                    }
                    #[allow(unreachable_code)]
                    Ok::<(), String>(())
                }
            })
        })
        .always("each group is in order", |shop| {
            shop.sequence.values().all(|it| it.is_sorted())
        })
}

#[test]
fn buffered_work_in_a_group_is_found() {
    survives(|| in_order(1));
    let found = is_found(20, || in_order(5));
    assert!(no_fault(&found));
}

/// Beats while it works, until the work is done.
fn beats(every: Duration) -> Check<Shop> {
    looping(move |shop, queue, context| async move {
        loop {
            for message in receive(&queue, &context).await {
                let works = async {
                    context.wait(secs(70)).await;
                    work(&shop, &context, message.clone()).await
                };
                let heartbeat = async {
                    loop {
                        context.wait(every).await;
                        if queue.change_visibility(&message, secs(30)).is_err() {
                            context.wait(secs(1)).await;
                        }
                    }
                };
                let (works, heartbeat) = (std::pin::pin!(works), std::pin::pin!(heartbeat));
                let ended: futures_util::future::Either<(Message, _), ((), _)> =
                    futures_util::future::select(works, heartbeat).await;
                if let futures_util::future::Either::Left(_) = ended {
                    let _ = queue.delete(&message);
                }
            }
        }
    })
}

#[test]
fn a_loop_with_a_heartbeat_is_right() {
    survives(|| beats(secs(10)));
}
