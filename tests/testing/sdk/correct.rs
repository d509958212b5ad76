//! Consumers that are right pass whatever strikes.

use {
    crate::inbox::{Inbox, body},
    aws_sdk_sqs::types::DeleteMessageBatchRequestEntry,
    proptest::strategy::Strategy,
    requeue::{
        Queue, SendMessage,
        backend::{MessageQueue, SqsQueue},
        testing::{Check, Consumer, Context, Faults, World, check},
        worker::{Job, Runner},
    },
    std::{collections::BTreeSet, time::Duration},
};

/// A database.
#[derive(Default)]
struct Books {
    paid: BTreeSet<String>,
    charged: usize,
}

const TIMEOUT: Duration = Duration::from_secs(30);

fn orders(name: &str) -> Check<Books> {
    let check = check(name, Books::default)
        .queue(|| Queue::standard("orders").visibility_timeout(TIMEOUT))
        .or_queue_with_dead_letters(20, || Queue::standard("orders").visibility_timeout(TIMEOUT));
    let message = |number| SendMessage::new(format!("order-{number}"));
    with_laws(check.messages((1..4_u32).prop_map(message)))
}

fn orders_of_customers(name: &str) -> Check<Books> {
    let check = check(name, Books::default).queue(|| Queue::fifo("orders.fifo").visibility_timeout(TIMEOUT));
    let message = |(customer, number): (u32, u32)| {
        let message = SendMessage::new(format!("order-{number}"));
        let message = message.message_group_id(format!("customer-{customer}"));
        message.message_deduplication_id(format!("{customer}-{number}"))
    };
    with_laws(check.messages((1..3_u32, 1..4_u32).prop_map(message)))
}

fn with_laws(check: Check<Books>) -> Check<Books> {
    check
        .always("no order is charged twice", |books| books.charged == books.paid.len())
        .finally("every order is charged", |books, messages| {
            let of_orders = messages.iter().filter(|it| !it.queue.contains("dead-letters"));
            of_orders.map(|it| &*it.body).all(|body| books.paid.contains(body))
        })
}

/// A transaction of the database.
fn charge(books: &World<Books>, order: String) {
    let mut books = books.borrow_mut();
    books.charged += usize::from(books.paid.insert(order));
}

fn passes(cases: u64, check: impl Fn() -> Check<Books>) {
    for faults in [Faults::everyday(), Faults::worst_legal()] {
        let passed = check()
            .faults(faults)
            .messages_at_most(1)
            .pairs(cases / 2)
            .cases(cases)
            .run();
        let passed = passed.unwrap_or_else(|error| panic!("{error}"));
        assert!(passed.faults.len() > 8, "{passed:?}");
    }
}

/// Works for 40 s, extends in time and gives up if that fails, and deletes last.
async fn work_on_each(context: Context, books: World<Books>, queue: &str) {
    let orders = Inbox::open(&context, queue).await;
    loop {
        for order in orders.receive().await {
            if !books.borrow().paid.contains(&body(&order)) {
                if orders.hide(&order, 60).await.is_err() {
                    continue;
                }
                context.wait(Duration::from_secs(40)).await;
                charge(&books, body(&order));
            }
            let _ = orders.delete(&order).await;
        }
    }
}

#[test]
fn a_loop_that_asks_its_books_first_and_deletes_last_is_right() {
    passes(20, || {
        orders("loop").consumer("charger", |books| {
            let books = books.clone();
            Consumer::program(move |context| work_on_each(context, books.clone(), "orders"))
        })
    });
}

#[test]
fn it_is_right_on_a_fifo_queue_as_well() {
    passes(20, || {
        orders_of_customers("fifo").consumer("charger", |books| {
            let books = books.clone();
            Consumer::program(move |context| work_on_each(context, books.clone(), "orders.fifo"))
        })
    });
}

/// Charges all it gets, and deletes it in one call; what fails there comes again.
async fn work_on_all(context: Context, books: World<Books>) {
    let orders = Inbox::open(&context, "orders").await;
    loop {
        let received = orders.receive().await;
        let mut entries = Vec::new();
        for (order, id) in received.iter().zip(0..) {
            charge(&books, body(order));
            let entry = DeleteMessageBatchRequestEntry::builder().id(format!("{id}"));
            let entry = entry.set_receipt_handle(order.receipt_handle.clone());
            entries.push(entry.build().expect("it is whole"));
        }
        if !entries.is_empty() {
            let delete = orders.sqs.delete_message_batch().queue_url(&orders.url);
            let _ = delete.set_entries(Some(entries)).send().await;
        }
    }
}

#[test]
fn a_loop_that_deletes_in_batches_is_right() {
    passes(20, || {
        orders("batches").consumer("charger", |books| {
            let books = books.clone();
            Consumer::program(move |context| work_on_all(context, books.clone()))
        })
    });
}

#[test]
fn a_handler_that_deletes_by_the_client_is_right() {
    passes(20, || {
        orders("handler").consumer("charger", |books| {
            let books = books.clone();
            let work = move |order: requeue::Message, context: Context| {
                let books = books.clone();
                async move {
                    let orders = Inbox::open(&context, "orders").await;
                    charge(&books, order.body().to_owned());
                    let delete = orders.sqs.delete_message().queue_url(&orders.url);
                    let delete = delete.receipt_handle(order.receipt_handle().to_string());
                    delete.send().await.map(drop)
                }
            };
            Consumer::each_async(work).deletes_itself()
        })
    });
}

/// A runner on Amazon SQS's own client.
async fn run(context: Context, books: World<Books>) -> String {
    let orders = Inbox::open(&context, "orders").await;
    let clock = context.queue("orders").expect("the check has it").clock();
    let queue = SqsQueue::connect(orders.sqs, orders.url)
        .await
        .expect("attributes meet no fault");
    let runner = Runner::builder(&queue.clock(clock)).each_async(move |job: Job| {
        let (context, books) = (context.clone(), books.clone());
        async move {
            context.wait(Duration::from_secs(40)).await;
            charge(&books, job.body().to_owned());
            Ok::<_, String>(())
        }
    });
    format!("{:?}", runner.expect("it is whole").run().await)
}

#[test]
fn a_runner_on_the_client_is_right() {
    passes(20, || {
        orders("runner").consumer("charger", |books| {
            let books = books.clone();
            Consumer::program(move |context| run(context, books.clone()))
        })
    });
}

/// A service of tokio, with a task beside the work that keeps the order hidden.
#[cfg(feature = "testing-tokio")]
async fn serve(context: Context, books: World<Books>) {
    use tokio::time::{interval, sleep};
    let orders = Inbox::open(&context, "orders").await;
    loop {
        for order in orders.receive().await {
            let (beside, hidden) = (orders.clone(), order.clone());
            let renewals = tokio::spawn(async move {
                let mut renewals = interval(Duration::from_secs(10));
                loop {
                    renewals.tick().await;
                    let _ = beside.hide(&hidden, 30).await;
                }
            });
            sleep(Duration::from_secs(45)).await;
            charge(&books, body(&order));
            let _ = orders.delete(&order).await;
            renewals.abort();
        }
    }
}

#[cfg(feature = "testing-tokio")]
#[test]
fn a_service_of_tokio_is_right() {
    passes(20, || {
        orders("service").consumer("charger", |books| {
            let books = books.clone();
            Consumer::program(move |context| serve(context, books.clone())).on_tokio()
        })
    });
}
