//! What the outside world does meanwhile.
use {
    super::{Database, is_found, no_fault, numbered, orders, survives, text},
    requeue::testing::{Check, Consumer, World, check},
    std::collections::BTreeSet,
};

#[derive(Default)]
struct Shop {
    cancelled: bool,
    shipped: BTreeSet<String>,
    shipped_when_cancelled: bool,
}

/// Looks whether the shop is open, and ships: in one transaction, or in two.
fn ships(transactions: u32) -> Check<Shop> {
    check("ships", Shop::default)
        .queue(orders)
        .messages(numbered())
        .consumer("shipper", move |shop: &World<Shop>| {
            let shop = shop.clone();
            Consumer::each_async(move |order, context| {
                let database = Database::new(&shop, &context);
                async move {
                    let key = order.body().to_owned();
                    if transactions == 2 && database.transaction(|shop| shop.cancelled).await {
                        return Ok(());
                    }
                    let ships = |shop: &mut Shop| {
                        if transactions == 2 || !shop.cancelled {
                            shop.shipped_when_cancelled |= shop.cancelled;
                            shop.shipped.insert(key);
                        }
                    };
                    database.transaction(ships).await;
                    Ok::<_, String>(())
                }
            })
        })
        .action("closes the shop", |shop, _| shop.borrow_mut().cancelled = true)
        .always("nothing is shipped when the shop is closed", |shop| {
            !shop.shipped_when_cancelled
        })
}

#[test]
fn who_looks_and_ships_in_one_transaction_is_right() {
    survives(|| ships(1));
}

#[test]
fn who_looks_and_ships_in_two_transactions_is_found() {
    let found = is_found(20, || ships(2));
    assert!(no_fault(&found));
}

/// A customer sends a cancellation to the same queue.
#[derive(Default)]
struct Orders {
    cancelled: BTreeSet<String>,
    shipped: BTreeSet<String>,
    sent: u32,
}

fn cancellations(remembers: bool) -> Check<Orders> {
    check("cancellations", Orders::default)
        .queue(orders)
        .messages(proptest::strategy::Just("order-1"))
        .messages_at_most(1)
        .consumer("shipper", move |world: &World<Orders>| {
            let world = world.clone();
            Consumer::each(move |message, context| {
                let mut world = world.borrow_mut();
                match message.body().strip_prefix("cancel ") {
                    Some(order) => {
                        if remembers || world.shipped.contains(order) {
                            world.cancelled.insert(order.to_owned());
                        }
                        world.shipped.remove(order);
                    }
                    None if world.cancelled.contains(message.body()) => {}
                    None => {
                        context.note(format!("ships {}", message.body()));
                        world.shipped.insert(message.body().to_owned());
                    }
                }
                Ok::<_, String>(())
            })
        })
        .action("cancels order-1", |world, context| {
            if context.send("cancel order-1").map_err(text).is_ok() {
                world.borrow_mut().sent += 1;
            }
        })
        .finally("a cancelled order is not shipped", |world, _| {
            world.sent == 0 || world.shipped.is_empty()
        })
}

#[test]
fn a_cancellation_that_overtakes_its_order_is_found() {
    survives(|| cancellations(true));
    is_found(20, || cancellations(false));
}
