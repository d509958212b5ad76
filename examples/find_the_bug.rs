//! Five plausible consumers, each with a classic bug, and a correct one: the kit tells the story of the five.
//! `cargo run --release --features testing --example find_the_bug` takes a second or two; with `-- --measure` it prints how
//! fast and how reliably each is found.
use {
    proptest::{
        sample::select,
        strategy::{Just, Strategy},
    },
    requeue::{
        Message, MessageId, Queue, QueueBuilder, SendMessage,
        testing::{Check, CheckError, Consumer, Context, Faults, Story, World, check, proptest},
    },
    std::{
        collections::{BTreeMap, BTreeSet},
        io::{self, IsTerminal},
        process::ExitCode,
        time::{Duration, Instant},
    },
};

/// The shop that the consumers work for.
#[derive(Default)]
struct Shop {
    /// How often each message led to a charge.
    charges: BTreeMap<MessageId, u32>,
    /// The bodies that were understood.
    stored: BTreeSet<String>,
}

fn orders() -> QueueBuilder {
    Queue::standard("orders").visibility_timeout(Duration::from_secs(30))
}

fn fifo_orders() -> QueueBuilder {
    Queue::fifo("orders.fifo").content_based_deduplication(true)
}

/// Charges whenever it is called.
fn charges_twice() -> Check<Shop> {
    check("charges twice on redelivery", Shop::default)
        .queue(orders)
        .messages(Just("5 EUR"))
        .consumer("charger", |shop| {
            let shop = shop.clone();
            Consumer::each(move |message, _| {
                *shop.borrow_mut().charges.entry(message.message_id()).or_default() += 1;
                Ok::<_, String>(())
            })
        })
        .always("no order is charged twice", charged_once)
}

/// Takes the order out of the queue so that nobody else gets it, and begins.
fn deletes_first() -> Check<Shop> {
    check("deletes first, works later", Shop::default)
        .queue(orders)
        .messages(Just("5 EUR"))
        .consumer("shipper", |_| {
            let consumer = Consumer::each_async(|message, context| async move {
                context.delete(&message).map_err(|error| error.to_string())?;
                context.wait(Duration::from_secs(5)).await;
                Ok::<_, String>(())
            });
            consumer.deletes_itself()
        })
}

/// Works for longer than its messages are hidden.
fn slow_without_heartbeat() -> Check<Shop> {
    check("slow handler without heartbeat", Shop::default)
        .queue(orders)
        .messages(Just("render film.mov"))
        .consumer("renderer", |_| {
            Consumer::each_async(|_, context| async move {
                context.wait(Duration::from_secs(45)).await;
                Ok::<_, String>(())
            })
        })
        .watch_visibility()
}

/// Goes on with the group of a message that failed.
fn continues_after_failure() -> Check<Shop> {
    check("continues after a failure", Shop::default)
        .queue_with_dead_letters(3, fifo_orders)
        .messages(select(vec!["open account", "deposit 5", "deposit 7"]).prop_map(in_group))
        .consumer("bookkeeper", |_| {
            Consumer::batch(|messages: &[Message], _| messages.iter().map(book).collect())
        })
}

fn book(message: &Message) -> Result<(), &'static str> {
    match message.body() {
        "open account" if message.approximate_receive_count() < 2 => Err("the database is busy"),
        _ => Ok(()),
    }
}

/// Logs what it cannot read, and acknowledges it.
fn swallows_poison() -> Check<Shop> {
    check("acknowledges what it failed to parse", Shop::default)
        .queue_with_dead_letters(3, orders)
        .messages(select(vec!["5", "7", "five"]))
        .consumer("parser", |shop| {
            let shop = shop.clone();
            Consumer::each(move |message, _| {
                if message.body().parse::<u32>().is_ok() {
                    shop.borrow_mut().stored.insert(message.body().to_owned());
                }
                Ok::<_, String>(())
            })
        })
        .finally("what was deleted was stored", |shop, messages| {
            let deleted = messages
                .iter()
                .filter(|it| it.fate == Some(requeue::testing::Fate::Deleted));
            deleted.into_iter().all(|it| shop.stored.contains(&*it.body))
        })
}

/// Remembers what it charged, keeps its message while it works, fails what it cannot read, and deletes last.
fn correct() -> Check<Shop> {
    let orders_in_groups = select(vec!["5", "7", "9", "five"]).prop_map(in_group);
    let mut check = check("correct", Shop::default)
        .queue_with_dead_letters(3, orders)
        .queue_with_dead_letters(3, fifo_orders)
        .messages(orders_in_groups)
        .always("no order is charged twice", charged_once)
        .finally("what was deleted was stored", |shop, messages| {
            let deleted = messages
                .iter()
                .filter(|it| it.fate == Some(requeue::testing::Fate::Deleted));
            deleted.into_iter().all(|it| shop.stored.contains(&*it.body))
        })
        .watch_visibility();
    for name in ["c1", "c2"] {
        check = check.consumer(name, |shop| {
            let shop = shop.clone();
            Consumer::each_async(move |message, context| charge(shop.clone(), message, context)).deletes_itself()
        });
    }
    check
}

async fn charge(shop: World<Shop>, message: Message, context: Context) -> Result<(), String> {
    let amount: u32 = message.body().parse().map_err(|_| "not a number")?;
    for _ in 0..amount {
        context.wait(Duration::from_secs(8)).await;
        context
            .change_visibility(&message, Duration::from_secs(30))
            .map_err(|error| error.to_string())?;
    }
    let mut shop = shop.borrow_mut();
    shop.charges.entry(message.message_id()).or_insert(1);
    shop.stored.insert(message.body().to_owned());
    context.delete(&message).map_err(|error| error.to_string())
}

fn charged_once(shop: &Shop) -> bool {
    shop.charges.values().all(|times| *times <= 1)
}

fn in_group(body: &str) -> SendMessage {
    SendMessage::new(body).message_group_id("ann")
}

const BUGS: [fn() -> Check<Shop>; 5] = [
    charges_twice,
    deletes_first,
    slow_without_heartbeat,
    continues_after_failure,
    swallows_poison,
];

fn main() -> ExitCode {
    let measure = std::env::args().any(|argument| argument == "--measure");
    let all = if measure { measured() } else { told() };
    if all { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Prints the story of each bug.
fn told() -> bool {
    let colour = io::stdout().is_terminal();
    let mut all = true;
    for bug in BUGS {
        match bug().run() {
            Err(CheckError::Failed { name, failure, .. }) => {
                let text = failure.story.render(colour);
                all &= text.lines().count() < 15;
                println!("{name}\n{text}");
            }
            other => {
                println!("not found: {other:?}");
                all = false;
            }
        }
    }
    match correct().cases(10_000).run() {
        Ok(passed) => println!("correct: passed {} cases, {} steps", passed.cases, passed.steps),
        Err(error) => {
            println!("{error}");
            all = false;
        }
    }
    all
}

/// Prints what the kit is meant to reach, and what it reaches.
#[expect(clippy::disallowed_methods, reason = "measures real time")]
fn measured() -> bool {
    let mut all = true;
    println!("each bug in 20 seeds: at most 1,000 cases, 10 s, 12 events\n");
    for bug in BUGS {
        let (mut name, mut found, mut cases, mut events) = (String::new(), 0, 0, 0);
        let mut slowest = Duration::ZERO;
        for seed in 0..20 {
            let begun = Instant::now();
            let result = bug().seed(seed).run();
            slowest = slowest.max(begun.elapsed());
            if let Err(CheckError::Failed { name: its, failure, .. }) = result {
                let Story { events: story, .. } = &failure.story;
                (name, found) = (its, found + 1);
                cases = cases.max(1 + failure.case.unwrap_or(0));
                events = events.max(story.len());
            }
        }
        let millis = slowest.as_secs_f64() * 1e3;
        println!("{name:40} {found} of 20, at most {cases} cases, {millis:.1} ms, {events} events");
        all &= found == 20 && slowest < Duration::from_secs(10) && events <= 12;
    }
    let begun = Instant::now();
    let passed = correct().faults(Faults::everyday()).cases(10_000).run();
    let seconds = begun.elapsed().as_secs_f64();
    match passed {
        Ok(passed) => println!("{:40} {} cases in {seconds:.1} s", "correct", passed.cases),
        Err(error) => {
            println!("{error}");
            all = false;
        }
    }
    let trivial = check("trivial", || ())
        .queue(orders)
        .messages(Just("5"))
        .consumer("trivial", |_| Consumer::each(|_, _| Ok::<_, String>(())))
        .cases(10_000);
    let begun = Instant::now();
    let steps = trivial.run().map_or(0, |passed| passed.steps);
    let rate = steps as f64 / begun.elapsed().as_secs_f64();
    println!(
        "{:40} {rate:.0} steps/s, meant to be at least 20,000",
        "trivial handler"
    );
    all && rate >= 20_000.0
}
