//! A service on tokio: a task for each order, and a limit of time for each.
use {
    requeue::{
        Message, Queue,
        testing::{Check, Consumer, Context, FaultyQueue, World, check, proptest::strategy::Just},
    },
    std::{collections::BTreeSet, time::Duration},
    tokio::time::{sleep, timeout},
};

#[derive(Default)]
pub(crate) struct Shop {
    charged: BTreeSet<String>,
    charges: Vec<String>,
}

/// Takes it that a charge that was given up has not taken place.
pub(crate) fn gives_up_too_early() -> Check<Shop> {
    check("a tokio service that gives up too early", Shop::default)
        .queue(|| Queue::standard("orders").visibility_timeout(Duration::from_secs(30)))
        .message_sequence(Just(vec!["order-1", "order-2"]))
        .consumer("service", |shop: &World<Shop>| {
            let shop = shop.clone();
            Consumer::program(move |context| serve(shop.clone(), context)).on_tokio()
        })
        .effects_exactly_once(
            "charged",
            |shop| shop.charges.clone(),
            |order| Some(order.body.to_string()),
        )
}

async fn serve(shop: World<Shop>, context: Context) -> Result<(), Box<dyn std::error::Error>> {
    let orders = context.queue("orders")?;
    loop {
        let poll = orders.receive_async(|poll| poll.max_messages(10).wait_time(Duration::from_secs(20)));
        for order in poll.await.into_iter().flatten() {
            let (shop, context, orders) = (shop.clone(), context.clone(), orders.clone());
            tokio::spawn(async move { handle(shop, context, orders, order).await });
        }
    }
}

async fn handle(shop: World<Shop>, context: Context, orders: FaultyQueue, order: Message) {
    let key = order.body().to_owned();
    if !shop.borrow().charged.contains(&key) {
        let charge = timeout(Duration::from_secs(5), charge(&shop, &context, &key));
        if charge.await.is_err() {
            return; // it comes again
        }
    }
    let _ = orders.delete(&order);
}

async fn charge(shop: &World<Shop>, context: &Context, key: &str) {
    sleep(Duration::from_secs(2)).await;
    context.note(format!("charges {key}"));
    shop.borrow_mut().charges.push(key.to_owned());
    // The answer of the bank is written down.
    sleep(Duration::from_secs(2)).await;
    shop.borrow_mut().charged.insert(key.to_owned());
}
