//! Workers of one process, which share what it keeps and die together.
use {
    super::{Effects, count, is_found, no_fault, numbered, once, orders, secs, survives},
    requeue::testing::{Check, Consumer, World, check},
    std::{
        cell::RefCell,
        collections::{BTreeMap, BTreeSet},
        rc::Rc,
    },
};

#[derive(Default)]
struct Shop {
    charged: BTreeSet<String>,
    charges: Effects,
}

/// Its cache of what is charged already only saves questions to the database; `trusts` it to be all that is needed.
fn sharing(trusts: bool) -> Check<Shop> {
    check("three workers with a cache", Shop::default)
        .queue(orders)
        .messages(numbered())
        .consumer("charger", move |shop: &World<Shop>| {
            let shop = shop.clone();
            let cache = Rc::new(RefCell::new(BTreeSet::<String>::new()));
            let handler = Consumer::each_async(move |order, context| {
                let (shop, cache) = (shop.clone(), Rc::clone(&cache));
                async move {
                    let key = order.body().to_owned();
                    if cache.borrow().contains(&key) {
                        return Ok(());
                    }
                    // The bank is asked.
                    context.wait(secs(2)).await;
                    let mut shop = shop.borrow_mut();
                    if trusts || shop.charged.insert(key.clone()) {
                        context.note(format!("charges {key}"));
                        count(&mut shop.charges, &key);
                    }
                    cache.borrow_mut().insert(key);
                    Ok::<_, String>(())
                }
            });
            handler.workers(3)
        })
        .always("no order is charged twice", |shop| once(&shop.charges))
}

#[test]
fn workers_that_share_a_cache_before_a_database_are_right() {
    survives(|| sharing(false));
}

#[test]
fn workers_that_look_before_a_wait_and_act_after_it_are_found() {
    is_found(20, || sharing(true));
}

/// Reads a balance, asks somebody, and writes what it should now be.
fn balances(waits: bool) -> Check<BTreeMap<String, u32>> {
    check("deposits", BTreeMap::<String, u32>::new)
        .queue(orders)
        .messages(numbered())
        .faults(requeue::testing::Faults::none())
        .consumer("teller", move |balances| {
            let balances = balances.clone();
            let handler = Consumer::each_async(move |order, context| {
                let balances = balances.clone();
                async move {
                    let key = order.message_group_id().unwrap_or_default().to_owned();
                    let before = balances.borrow().get(&key).copied().unwrap_or(0);
                    if waits {
                        context.wait(secs(1)).await;
                    }
                    balances.borrow_mut().insert(key, before + 1);
                    Ok::<_, String>(())
                }
            });
            handler.workers(2)
        })
        .finally("each deposit counts", |balances, messages| {
            balances.values().sum::<u32>() as usize >= messages.len()
        })
}

#[test]
fn a_lost_update_is_found_without_any_fault() {
    survives_without_faults(balances(false));
    let found = is_found(20, || balances(true));
    assert!(no_fault(&found));
}

#[track_caller]
fn survives_without_faults<W: 'static>(check: Check<W>) {
    check.assert();
}
