//! How a project tests its consumer: the code under test, a fake of its database, and one check for each promise.
use {
    requeue::{
        Message, Queue, SendMessage,
        testing::{
            Check, Consumer, Context, Faults, World, check,
            proptest::{sample::select, strategy::Strategy},
        },
    },
    std::{
        collections::{BTreeMap, BTreeSet},
        time::Duration,
    },
};

// What is under test: it would be in `src`.

/// The database of the shop.
#[derive(Default)]
struct Shop {
    paid: BTreeSet<String>,
    /// The orders that the bank was paid for, in the order of its payments.
    payments: Vec<String>,
    /// The bank knows what it was asked before.
    asked: BTreeMap<String, u32>,
}

/// Pays an order: keeps its message for as long as the bank takes, asks the bank with the order as its key, and records.
async fn pay(shop: World<Shop>, order: Message, context: Context) -> Result<(), String> {
    let key = order.body().to_owned();
    if shop.borrow().paid.contains(&key) {
        return Ok(());
    }
    for _ in 0..4 {
        context.wait(Duration::from_secs(10)).await;
        let extended = context.change_visibility(&order, Duration::from_secs(30));
        extended.map_err(|error| format!("the message may be lost: {error}"))?;
    }
    if key == "order-7" {
        return Err("the bank refuses".to_owned());
    }
    let mut shop = shop.borrow_mut();
    let asked = shop.asked.entry(key.clone()).or_default();
    *asked += 1;
    if *asked == 1 {
        context.effect(&order, format!("pays {key}"));
        shop.payments.push(key.clone());
    }
    drop(shop);
    // The answer of the bank is on its way.
    Ok(())
}

// The checks.

fn payments() -> Check<Shop> {
    let orders = select(vec!["order-1", "order-2", "order-3", "order-7"]);
    let orders = orders.prop_map(|order| SendMessage::new(order).message_group_id(order));
    check("payments", Shop::default)
        .queue_with_dead_letters(3, || {
            Queue::standard("orders").visibility_timeout(Duration::from_secs(30))
        })
        .or_queue_with_dead_letters(3, || Queue::fifo("orders.fifo").content_based_deduplication(true))
        .messages(orders)
        .consumer("payer", |shop| {
            let shop = shop.clone();
            Consumer::each_async(move |order, context| pay(shop.clone(), order, context)).workers(2)
        })
        .watch_visibility()
        .effects_exactly_once(
            "paid",
            |shop| shop.payments.clone(),
            |order| Some(order.body.to_string()),
        )
}

#[test]
fn each_order_is_paid_once_whatever_strikes_on_a_usual_day() {
    payments().assert();
}

#[test]
fn each_order_is_paid_once_whatever_is_legal() {
    payments().faults(Faults::worst_legal()).seed(1).assert();
}

#[test]
fn an_order_that_the_bank_refuses_is_kept_for_somebody_to_look_at() {
    let kept = payments().finally("what the bank refuses is kept", |shop, orders| {
        let mut refused = orders.iter().filter(|order| &*order.body == "order-7");
        refused.all(|order| order.fate != Some(requeue::testing::Fate::Deleted)) && !shop.paid.contains("order-7")
    });
    kept.sometimes("several are paid", |shop| shop.payments.len() > 1)
        .assert();
}
