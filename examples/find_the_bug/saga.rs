//! An order goes from queue to queue.
use {
    requeue::{
        Message, Queue,
        testing::{
            Check, Consumer, Context, World, check,
            proptest::{sample::select, strategy::Strategy},
        },
    },
    std::collections::BTreeSet,
};

#[derive(Default)]
pub(crate) struct Shop {
    paid: BTreeSet<String>,
    payments: Vec<String>,
    shipped: BTreeSet<String>,
}

/// Takes it that what is paid was sent on.
pub(crate) fn pays_and_does_not_ship() -> Check<Shop> {
    check("pays, and dies before it sends on", Shop::default)
        .queue(|| Queue::standard("orders"))
        .queue(|| Queue::standard("shipping"))
        .messages(select(vec!["order-1", "order-2", "order-3"]).prop_map(String::from))
        .consumer("cashier", |shop| {
            let shop = shop.clone();
            Consumer::each(move |order, context| pay(&shop, order, context))
        })
        .consumer("shipper", |shop| {
            let shop = shop.clone();
            let ship = move |order: &Message, _: &Context| {
                shop.borrow_mut().shipped.insert(order.body().to_owned());
                Ok::<_, String>(())
            };
            Consumer::each(ship).from("shipping")
        })
        .effects_exactly_once(
            "paid",
            |shop| shop.payments.clone(),
            |order| Some(order.body.to_string()),
        )
        .nothing_lost("orders", "shipping", |order| Some(order.body.to_string()))
}

fn pay(shop: &World<Shop>, order: &Message, context: &Context) -> Result<(), String> {
    if !shop.borrow_mut().paid.insert(order.body().to_owned()) {
        return Ok(());
    }
    context.effect(order, format!("pays {}", order.body()));
    shop.borrow_mut().payments.push(order.body().to_owned());
    let shipping = context.queue("shipping").map_err(|error| error.to_string())?;
    shipping.send(order.body()).map_err(|error| error.to_string())?;
    Ok(())
}
