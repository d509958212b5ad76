//! Handlers that the kit calls: five with a classic bug each, and a correct one.
use {
    requeue::{
        Message, MessageId, Queue, QueueBuilder, SendMessage,
        testing::{
            Check, Consumer, Context, Fate, World, check,
            proptest::{
                sample::select,
                strategy::{Just, Strategy},
            },
        },
    },
    std::{
        collections::{BTreeMap, BTreeSet},
        time::Duration,
    },
};

/// The shop that the consumers work for.
#[derive(Default)]
pub(crate) struct Shop {
    /// How often each message led to a charge.
    charges: BTreeMap<MessageId, u32>,
    /// The bodies that were understood.
    stored: BTreeSet<String>,
}

fn orders() -> QueueBuilder {
    Queue::standard("orders").visibility_timeout(Duration::from_secs(30))
}

fn fifo_orders() -> QueueBuilder {
    Queue::fifo("orders.fifo").content_based_deduplication(true)
}

/// Charges whenever it is called.
pub(crate) fn charges_twice() -> Check<Shop> {
    check("charges twice on redelivery", Shop::default)
        .queue(orders)
        .messages(Just("5 EUR"))
        .consumer("charger", |shop| {
            let shop = shop.clone();
            Consumer::each(move |message, _| {
                *shop.borrow_mut().charges.entry(message.message_id()).or_default() += 1;
                Ok::<_, String>(())
            })
        })
        .always("no order is charged twice", charged_once)
}

/// Takes the order out of the queue so that nobody else gets it, and begins.
pub(crate) fn deletes_first() -> Check<Shop> {
    check("deletes first, works later", Shop::default)
        .queue(orders)
        .messages(Just("5 EUR"))
        .consumer("shipper", |_| {
            let consumer = Consumer::each_async(|message, context| async move {
                context.delete(&message).map_err(|error| error.to_string())?;
                context.wait(Duration::from_secs(5)).await;
                Ok::<_, String>(())
            });
            consumer.deletes_itself()
        })
}

/// Works for longer than its messages are hidden.
pub(crate) fn slow_without_heartbeat() -> Check<Shop> {
    check("slow handler without heartbeat", Shop::default)
        .queue(orders)
        .messages(Just("render film.mov"))
        .consumer("renderer", |_| {
            Consumer::each_async(|_, context| async move {
                context.wait(Duration::from_secs(45)).await;
                Ok::<_, String>(())
            })
        })
        .watch_visibility()
}

/// Goes on with the group of a message that failed.
pub(crate) fn continues_after_failure() -> Check<Shop> {
    check("continues after a failure", Shop::default)
        .queue_with_dead_letters(3, fifo_orders)
        .messages(select(vec!["open account", "deposit 5", "deposit 7"]).prop_map(in_group))
        .consumer("bookkeeper", |_| {
            Consumer::batch(|messages: &[Message], _| messages.iter().map(book).collect())
        })
}

fn book(message: &Message) -> Result<(), &'static str> {
    match message.body() {
        "open account" if message.approximate_receive_count() < 2 => Err("the database is busy"),
        _ => Ok(()),
    }
}

/// Logs what it cannot read, and acknowledges it.
pub(crate) fn swallows_poison() -> Check<Shop> {
    check("acknowledges what it failed to parse", Shop::default)
        .queue_with_dead_letters(3, orders)
        .messages(select(vec!["5", "7", "five"]))
        .consumer("parser", |shop| {
            let shop = shop.clone();
            Consumer::each(move |message, _| {
                if message.body().parse::<u32>().is_ok() {
                    shop.borrow_mut().stored.insert(message.body().to_owned());
                }
                Ok::<_, String>(())
            })
        })
        .finally("what was deleted was stored", |shop, messages| {
            let deleted = messages.iter().filter(|it| it.fate == Some(Fate::Deleted));
            deleted.into_iter().all(|it| shop.stored.contains(&*it.body))
        })
}

/// Remembers what it charged, keeps its message while it works, fails what it cannot read, and deletes last.
pub(crate) fn correct() -> Check<Shop> {
    let orders_in_groups = select(vec!["5", "7", "9", "five"]).prop_map(in_group);
    let mut check = check("correct", Shop::default)
        .queue_with_dead_letters(3, orders)
        .or_queue_with_dead_letters(3, fifo_orders)
        .messages(orders_in_groups)
        .always("no order is charged twice", charged_once)
        .finally("what was deleted was stored", |shop, messages| {
            let deleted = messages.iter().filter(|it| it.fate == Some(Fate::Deleted));
            deleted.into_iter().all(|it| shop.stored.contains(&*it.body))
        })
        .watch_visibility();
    for name in ["c1", "c2"] {
        check = check.consumer(name, |shop| {
            let shop = shop.clone();
            Consumer::each_async(move |message, context| charge(shop.clone(), message, context)).deletes_itself()
        });
    }
    check
}

async fn charge(shop: World<Shop>, message: Message, context: Context) -> Result<(), String> {
    let amount: u32 = message.body().parse().map_err(|_| "not a number")?;
    for _ in 0..amount {
        context.wait(Duration::from_secs(8)).await;
        context
            .change_visibility(&message, Duration::from_secs(30))
            .map_err(|error| error.to_string())?;
    }
    let mut shop = shop.borrow_mut();
    shop.charges.entry(message.message_id()).or_insert(1);
    shop.stored.insert(message.body().to_owned());
    context.delete(&message).map_err(|error| error.to_string())
}

fn charged_once(shop: &Shop) -> bool {
    shop.charges.values().all(|times| *times <= 1)
}

fn in_group(body: &str) -> SendMessage {
    SendMessage::new(body).message_group_id("ann")
}
