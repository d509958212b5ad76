//! An order goes through several queues.
use {
    super::{Effects, count, is_found, numbered, once, orders, survives, text},
    requeue::{
        Message, Queue, QueueBuilder,
        testing::{Check, Consumer, Context, Fate, World, check},
    },
    std::collections::BTreeSet,
};

#[derive(Default)]
struct Shop {
    reserved: BTreeSet<String>,
    released: BTreeSet<String>,
    paid: BTreeSet<String>,
    shipped: BTreeSet<String>,
    charges: Effects,
    reported: BTreeSet<String>,
}

fn payments() -> QueueBuilder {
    Queue::standard("payments").visibility_timeout(super::secs(20))
}

fn shipping() -> QueueBuilder {
    Queue::standard("shipping").visibility_timeout(super::secs(20))
}

/// The bank refuses these.
fn is_refused(order: &str) -> bool {
    order.ends_with(['1', '3', '5', '7', '9'])
}

type Handler = fn(&World<Shop>, &Message, &Context) -> Result<(), String>;

fn reserve(shop: &World<Shop>, order: &Message, context: &Context) -> Result<(), String> {
    if let Some(order) = order.body().strip_prefix("release ") {
        shop.borrow_mut().released.insert(order.to_owned());
        return Ok(());
    }
    shop.borrow_mut().reserved.insert(order.body().to_owned());
    let payments = context.queue("payments").map_err(text)?;
    payments.send(order.body()).map(drop).map_err(text)
}

/// Pays once, and says so to the shipping or to the stock.
fn pay(shop: &World<Shop>, payment: &Message, context: &Context) -> Result<(), String> {
    let order = payment.body();
    let next = match is_refused(order) {
        true => ("orders", format!("release {order}")),
        false => ("shipping", order.to_owned()),
    };
    if !is_refused(order) && shop.borrow_mut().paid.insert(order.to_owned()) {
        context.note(format!("charges {order}"));
        count(&mut shop.borrow_mut().charges, order);
    }
    let queue = context.queue(next.0).map_err(text)?;
    queue.send(next.1).map(drop).map_err(text)
}

/// Takes it that what is sent to the stock arrives.
fn pay_and_forget(shop: &World<Shop>, payment: &Message, context: &Context) -> Result<(), String> {
    match is_refused(payment.body()) {
        true => {
            let stock = context.queue("orders").map_err(text)?;
            let _ = stock.send(format!("release {}", payment.body()));
            Ok(())
        }
        false => pay(shop, payment, context),
    }
}

/// Takes it that what is paid has been sent on.
fn pay_and_send_once(shop: &World<Shop>, payment: &Message, context: &Context) -> Result<(), String> {
    match shop.borrow().paid.contains(payment.body()) {
        true => Ok(()),
        false => pay(shop, payment, context),
    }
}

fn ship(shop: &World<Shop>, order: &Message, _: &Context) -> Result<(), String> {
    shop.borrow_mut().shipped.insert(order.body().to_owned());
    Ok(())
}

fn saga(pay: Handler) -> Check<Shop> {
    check("a saga", Shop::default)
        .queue(orders)
        .queue(payments)
        .queue(shipping)
        .messages(numbered())
        .consumer("stock", consumer(reserve, "orders"))
        .consumer("cashier", consumer(pay, "payments"))
        .consumer("shipper", consumer(ship, "shipping"))
        .always("no order is charged twice", |shop| once(&shop.charges))
        .always("nothing is shipped that is not paid", |shop| {
            shop.shipped.is_subset(&shop.paid)
        })
        .finally("each order is shipped or released", |shop, messages| {
            let mut orders = messages
                .iter()
                .filter(|it| &*it.queue == "orders" && it.body.starts_with("order"));
            orders.all(|it| shop.shipped.contains(&*it.body) || shop.released.contains(&*it.body))
        })
}

fn consumer(handler: Handler, queue: &'static str) -> impl Fn(&World<Shop>) -> Consumer + 'static {
    move |shop| {
        let shop = shop.clone();
        Consumer::each(move |message, context| handler(&shop, message, context)).from(queue)
    }
}

#[test]
fn a_saga_over_three_queues_is_right() {
    survives(|| saga(pay));
}

#[test]
fn a_compensation_that_is_lost_is_found() {
    is_found(20, || saga(pay_and_forget));
}

#[test]
fn a_payment_whose_next_message_is_lost_is_found() {
    is_found(20, || saga(pay_and_send_once));
}

// Dead letters.

/// Somebody reports dead letters, and may send them again.
fn reports(named: bool, report: Handler) -> Check<Shop> {
    let check = check("reports", Shop::default);
    let (check, letters) = match named {
        false => (check.queue_with_dead_letters(3, orders), "orders-dead-letters"),
        true => {
            let check = check.queue(orders).queue(|| Queue::standard("failed"));
            (check.dead_letters("orders", "failed", 3), "failed")
        }
    };
    check
        .messages(numbered())
        .consumer("stock", consumer(poor, "orders"))
        .consumer("reporter", move |shop| {
            let shop = shop.clone();
            let handler = move |message: &Message, context: &Context| report(&shop, message, context);
            Consumer::each(handler).from(letters).deletes_itself()
        })
        .finally("each failure is reported", move |shop, messages| {
            let mut dead = messages.iter().filter(|it| it.fate == Some(Fate::DeadLettered));
            dead.all(|it| shop.reported.contains(&*it.body))
        })
}

fn poor(_: &World<Shop>, order: &Message, _: &Context) -> Result<(), String> {
    Err(format!("no article for {}", order.body()))
}

fn report(shop: &World<Shop>, letter: &Message, context: &Context) -> Result<(), String> {
    shop.borrow_mut().reported.insert(letter.body().to_owned());
    context.delete(letter).map_err(text)
}

fn report_last(shop: &World<Shop>, letter: &Message, context: &Context) -> Result<(), String> {
    context.delete(letter).map_err(text)?;
    shop.borrow_mut().reported.insert(letter.body().to_owned());
    Ok(())
}

#[test]
fn a_consumer_of_dead_letters_is_right() {
    survives(|| reports(false, report));
    survives(|| reports(true, report));
}

#[test]
fn a_consumer_of_dead_letters_that_deletes_first_is_found() {
    is_found(20, || reports(false, report_last));
    is_found(20, || reports(true, report_last));
}
