//! A runner, with the user's own settings.
use {
    requeue::{
        Queue,
        testing::{Check, Consumer, Context, World, check, proptest::strategy::Just},
        worker::{Job, Runner},
    },
    std::{collections::BTreeSet, time::Duration},
};

#[derive(Default)]
pub(crate) struct Shop {
    recorded: BTreeSet<String>,
    charges: Vec<String>,
}

/// Records the order first, so that nobody charges it twice.
pub(crate) fn records_before_it_charges() -> Check<Shop> {
    check("a runner that records, and then charges", Shop::default)
        .queue(|| Queue::standard("orders").visibility_timeout(Duration::from_secs(30)))
        .message_sequence(Just(vec!["order-1", "order-2"]))
        .consumer("runner", |shop: &World<Shop>| {
            let shop = shop.clone();
            Consumer::program(move |context| run(shop.clone(), context))
        })
        .effects_exactly_once(
            "charged",
            |shop| shop.charges.clone(),
            |order| Some(order.body.to_string()),
        )
}

async fn run(shop: World<Shop>, context: Context) -> Result<(), Box<dyn std::error::Error>> {
    let orders = context.queue("orders")?;
    let handler = move |order: Job| charge(shop.clone(), context.clone(), order);
    Runner::builder(&orders)
        .concurrency(4)
        .each_async(handler)?
        .run()
        .await?;
    Ok(())
}

async fn charge(shop: World<Shop>, context: Context, order: Job) -> Result<(), String> {
    let key = order.body().to_owned();
    if !shop.borrow_mut().recorded.insert(key.clone()) {
        return Ok(());
    }
    // The bank takes its time.
    context.wait(Duration::from_secs(2)).await;
    context.note(format!("charges {key}"));
    shop.borrow_mut().charges.push(key);
    Ok(())
}

/// A runner whose jobs do nothing.
pub(crate) fn trivial() -> Consumer {
    Consumer::program(|context| async move {
        let orders = context.queue("orders")?;
        let runner = Runner::builder(&orders).each_async(|_: Job| async { Ok::<_, String>(()) })?;
        runner.run().await?;
        Ok::<_, Box<dyn std::error::Error>>(())
    })
}
