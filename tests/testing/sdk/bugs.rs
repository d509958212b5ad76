//! The classic bugs, written for the SDK: each is found from every seed.

use {
    crate::inbox::{Inbox, body},
    requeue::{
        Queue,
        testing::{Check, Consumer, Context, Fault, Faults, Property, Story, check, proptest::strategy::Just},
    },
    std::time::Duration,
};

/// What the consumers of a case have done.
#[derive(Default)]
struct Books {
    paid: Vec<String>,
}

fn orders() -> Check<Books> {
    check("orders", Books::default)
        .queue(|| Queue::standard("orders").visibility_timeout(Duration::from_secs(30)))
        .messages(Just("order-1"))
        .messages_at_most(1)
        .first_failure_only()
}

/// The story that is found from the first of five seeds.
fn found(check: impl Fn() -> Check<Books>, property: &Property) -> Story {
    let mut stories = (0..5).map(|seed| {
        let error = check()
            .seed(seed)
            .first_failure_only()
            .run()
            .expect_err("the bug is found");
        let failure = error.failure().expect("a case failed");
        assert_eq!(&failure.violation.property, property, "seed {seed}: {error}");
        failure.story.clone()
    });
    let first = stories.next().expect("there are seeds");
    let lines = stories.map(|story| story.events.len()).max();
    assert!(lines <= Some(12), "a story has {lines:?} lines");
    first
}

/// Charges each order it gets, and then deletes it.
fn charges_twice() -> Check<Books> {
    let check = orders().consumer("charger", |books| {
        let books = books.clone();
        Consumer::program(move |context: Context| {
            let books = books.clone();
            async move {
                let orders = Inbox::open(&context, "orders").await;
                loop {
                    for order in orders.receive().await {
                        books.borrow_mut().paid.push(body(&order));
                        let _ = orders.delete(&order).await;
                    }
                }
            }
        })
    });
    check.always("an order is charged once", |books| books.paid.len() <= 1)
}

#[test]
fn an_order_that_comes_twice_is_charged_twice() {
    let property = Property::Invariant("an order is charged once".to_owned());
    let story = found(charges_twice, &property).to_string();
    assert!(story.contains("charger   deletes m1"), "{story}");
}

/// Deletes what it gets, and then works on it.
fn deletes_first() -> Check<Books> {
    let check = orders().consumer("charger", |books| {
        let books = books.clone();
        Consumer::program(move |context: Context| {
            let books = books.clone();
            async move {
                let orders = Inbox::open(&context, "orders").await;
                loop {
                    for order in orders.receive().await {
                        if orders.delete(&order).await.is_ok() {
                            context.wait(Duration::from_secs(1)).await;
                            books.borrow_mut().paid.push(body(&order));
                        }
                    }
                }
            }
        })
    });
    check.finally("every order is charged", |books, messages| {
        messages.is_empty() || !books.paid.is_empty()
    })
}

#[test]
fn an_order_that_is_deleted_first_is_lost() {
    found(deletes_first, &Property::Invariant("every order is charged".to_owned()));
}

/// Takes note of the payment, sends the order on, and deletes it: one that is paid already it only deletes.
fn sends_after_it_has_paid() -> Check<Books> {
    let check = orders()
        .queue(|| Queue::standard("shipping"))
        .consumer("payments", |books| {
            let books = books.clone();
            Consumer::program(move |context: Context| {
                let books = books.clone();
                async move {
                    let orders = Inbox::open(&context, "orders").await;
                    let shipping = Inbox::open(&context, "shipping").await;
                    loop {
                        for order in orders.receive().await {
                            if !books.borrow().paid.contains(&body(&order)) {
                                books.borrow_mut().paid.push(body(&order));
                                if shipping.send(&body(&order)).await.is_err() {
                                    continue;
                                }
                            }
                            let _ = orders.delete(&order).await;
                        }
                    }
                }
            })
        });
    check.finally("what is paid is shipped", |books, messages| {
        books.paid.is_empty() || messages.iter().any(|it| &*it.queue == "shipping")
    })
}

#[test]
fn an_order_that_is_paid_and_not_sent_on_is_never_shipped() {
    let property = Property::Invariant("what is paid is shipped".to_owned());
    let story = found(sends_after_it_has_paid, &property).to_string();
    assert!(story.contains("CrashBeforeDelete"), "{story}");
}

/// Sends an order on; the SDK sends it again when the answer is lost.
fn sends_on(fifo: bool) -> Check<Books> {
    let shipping = if fifo { "shipping.fifo" } else { "shipping" };
    let queue = move || {
        if fifo {
            Queue::fifo(shipping)
        } else {
            Queue::standard(shipping)
        }
    };
    let check = orders().queue(queue).consumer("payments", move |books| {
        let books = books.clone();
        Consumer::program(move |context: Context| {
            let books = books.clone();
            async move {
                let orders = Inbox::open(&context, "orders").await;
                let next = Inbox::open(&context, shipping).await;
                loop {
                    for order in orders.receive().await {
                        if books.borrow().paid.is_empty() {
                            let sent = match fifo {
                                true => next.send_once(&body(&order), &body(&order)).await,
                                false => next.send(&body(&order)).await,
                            };
                            sent.expect("a third attempt succeeds");
                            books.borrow_mut().paid.push(body(&order));
                        }
                        let _ = orders.delete(&order).await;
                    }
                }
            }
        })
    });
    check
        .faults(Faults::none().with(Fault::SendResponseLost, 0.2))
        .finally("an order is shipped once", |_, messages| {
            messages.iter().filter(|it| it.queue.starts_with("shipping")).count() <= 1
        })
}

#[test]
fn the_sdk_sends_again_what_it_got_no_answer_to() {
    let property = Property::Invariant("an order is shipped once".to_owned());
    let story = found(|| sends_on(false), &property).to_string();
    assert!(
        story.contains("sends \"order-1\": the response was lost  <- SendResponseLost"),
        "{story}"
    );
    assert!(
        sends_on(true).pairs(20).cases(20).run().is_ok(),
        "under an id it is sent once"
    );
}

/// Works for 45 s, and extends the timeout of 30 s after `at`, or so it believes.
fn extends_once(at: u64, retries: bool) -> Check<Books> {
    let work = move |order: requeue::Message, context: Context| async move {
        let Inbox { sqs, url } = match retries {
            true => Inbox::open(&context, "orders").await,
            false => Inbox::without_retries(&context, "orders").await,
        };
        context.wait(Duration::from_secs(at)).await;
        let change = sqs.change_message_visibility().queue_url(url);
        let change = change.receipt_handle(order.receipt_handle().to_string());
        let _ = change.visibility_timeout(60).send().await;
        context.wait(Duration::from_secs(45 - at)).await;
        Ok::<_, String>(())
    };
    orders()
        .consumer("renderer", move |_| Consumer::each_async(work))
        .watch_visibility()
}

#[test]
fn an_extension_that_is_lost_is_not_noticed() {
    let story = found(|| extends_once(15, false), &Property::HoldsWhatItWorksOn).to_string();
    assert!(story.contains("renderer  hides m1 for 60 s"), "{story}");
}

#[test]
fn an_extension_in_the_last_second_leaves_no_time_for_a_second_attempt() {
    found(|| extends_once(29, true), &Property::HoldsWhatItWorksOn);
}
