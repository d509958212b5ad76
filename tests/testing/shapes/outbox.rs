//! Orders and what is to be sent for them are stored together, and a relay sends it.
use {
    super::{Database, Effects, count, is_found, numbered, once, orders, survives, text},
    requeue::{
        Message, Queue,
        testing::{Check, Consumer, Context, Fate, World, check},
    },
    std::{
        collections::{BTreeMap, BTreeSet},
        time::Duration,
    },
};

#[derive(Default)]
struct Shop {
    orders: BTreeSet<String>,
    /// What is to be sent, and whether it was.
    outbox: BTreeMap<String, bool>,
    paid: BTreeSet<String>,
    charges: Effects,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Relay {
    SendsFirst,
    MarksFirst,
    IgnoresErrors,
}

async fn relay(shop: World<Shop>, context: Context, relay: Relay, pause: Duration) -> Result<(), String> {
    let database = Database::new(&shop, &context);
    let payments = context.queue("payments").map_err(text)?;
    loop {
        let unsent = |shop: &mut Shop| {
            let unsent = shop.outbox.iter().filter(|it| !it.1);
            unsent.map(|it| it.0.clone()).collect::<Vec<_>>()
        };
        for order in database.transaction(unsent).await {
            let mark = |shop: &mut Shop| shop.outbox.insert(order.clone(), true);
            if relay == Relay::MarksFirst {
                database.transaction(mark).await;
            }
            let sent = payments.send(order.as_str());
            if relay == Relay::IgnoresErrors || (relay == Relay::SendsFirst && sent.is_ok()) {
                database.transaction(mark).await;
            }
        }
        context.wait(pause).await;
    }
}

fn outbox(which: Relay, pause: Duration) -> Check<Shop> {
    check("an outbox", Shop::default)
        .queue(orders)
        .queue(|| Queue::standard("payments"))
        .messages(numbered())
        .consumer("clerk", |shop: &World<Shop>| {
            let shop = shop.clone();
            Consumer::each_async(move |order, context| {
                let database = Database::new(&shop, &context);
                async move {
                    let store = |shop: &mut Shop| {
                        if shop.orders.insert(order.body().to_owned()) {
                            shop.outbox.insert(order.body().to_owned(), false);
                        }
                    };
                    database.transaction(store).await;
                    Ok::<_, String>(())
                }
            })
        })
        .consumer("relay", move |shop: &World<Shop>| {
            let shop = shop.clone();
            Consumer::program(move |context| relay(shop.clone(), context, which, pause))
        })
        .consumer("cashier", |shop: &World<Shop>| {
            let shop = shop.clone();
            let pay = move |payment: &Message, context: &Context| {
                let mut shop = shop.borrow_mut();
                if shop.paid.insert(payment.body().to_owned()) {
                    context.note(format!("charges {}", payment.body()));
                    count(&mut shop.charges, payment.body());
                }
                Ok::<_, String>(())
            };
            Consumer::each(pay).from("payments")
        })
        .always("no order is charged twice", |shop| once(&shop.charges))
        .finally("each deleted order is paid", |shop, messages| {
            let orders = messages.iter().filter(|it| &*it.queue == "orders");
            let mut deleted = orders.filter(|it| it.fate == Some(Fate::Deleted));
            deleted.all(|it| shop.paid.contains(&*it.body))
        })
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn an_outbox_is_right() {
    survives(|| outbox(Relay::SendsFirst, SECOND));
}

#[test]
fn an_outbox_whose_relay_looks_often_is_right() {
    survives(|| outbox(Relay::SendsFirst, Duration::from_millis(500)).messages_at_most(2));
}

#[test]
fn an_outbox_whose_relay_looks_seldom_is_right() {
    survives(|| outbox(Relay::SendsFirst, Duration::from_secs(50)));
}

#[test]
fn a_relay_that_marks_before_it_sends_is_found() {
    is_found(20, || outbox(Relay::MarksFirst, SECOND));
}

#[test]
fn a_relay_that_does_not_look_at_the_answer_is_found() {
    is_found(20, || outbox(Relay::IgnoresErrors, SECOND));
}
