//! Consumers that gather messages before they do anything.
use {
    super::{is_found, numbered, orders, secs, survives, text},
    requeue::{
        Message, Queue,
        testing::{Check, Consumer, Context, Fate, World, check},
    },
    std::{
        collections::{BTreeMap, BTreeSet},
        time::Duration,
    },
};

#[derive(Default)]
struct Store {
    rows: BTreeSet<String>,
}

/// Gathers up to five, or for so long, stores them at once, and deletes them.
async fn gather(store: World<Store>, context: Context, window: Duration, stores_first: bool) -> Result<(), String> {
    let orders = context.queue("orders").map_err(text)?;
    loop {
        let mut gathered: Vec<Message> = Vec::new();
        let mut end = None;
        while gathered.len() < 5 && end.is_none_or(|end| context.now() < end) {
            let wait = end.map_or(secs(20), |end: requeue::Timestamp| {
                end.saturating_duration_since(context.now())
            });
            let wait = Duration::from_secs(wait.as_secs().min(20));
            let received = orders.receive_async(|poll| poll.max_messages(5).wait_time(wait)).await;
            match received {
                Ok(messages) => gathered.extend(messages),
                Err(_) => context.wait(secs(1)).await,
            }
            if end.is_none() && !gathered.is_empty() {
                end = Some(context.now().saturating_add(window));
            }
        }
        let all: Vec<_> = gathered.iter().map(|message| message.body().to_owned()).collect();
        let save = || {
            context.note(format!("stores {}", all.join(", ")));
            store.borrow_mut().rows.extend(all.iter().cloned());
        };
        if stores_first {
            save();
        }
        for message in gathered.chunks(10) {
            let _ = orders.delete_batch(message);
        }
        if !stores_first {
            save();
        }
    }
}

fn gathering(window: Duration, stores_first: bool) -> Check<Store> {
    check("gathers", Store::default)
        .queue(orders)
        .messages(numbered())
        .consumer("loader", move |store: &World<Store>| {
            let store = store.clone();
            Consumer::program(move |context| gather(store.clone(), context, window, stores_first))
        })
        .finally("what was deleted is stored", |store, messages| {
            let mut deleted = messages.iter().filter(|it| it.fate == Some(Fate::Deleted));
            deleted.all(|it| store.rows.contains(&*it.body))
        })
        .none_expires()
}

#[test]
fn a_loader_with_a_window_is_right() {
    survives(|| gathering(secs(5), true));
}

#[test]
fn a_loader_that_deletes_before_it_stores_is_found() {
    is_found(8, || gathering(secs(5), false));
}

#[test]
fn a_loader_whose_window_is_longer_than_its_lease_is_found() {
    is_found(12, || gathering(secs(40), true).watch_visibility());
}

// Parts of a whole.

#[derive(Default)]
struct Parts {
    seen: BTreeMap<String, BTreeSet<String>>,
    counts: BTreeMap<String, u32>,
    announced: BTreeMap<String, u32>,
}

/// Announces a film when its three parts are there.
fn parts(counts: bool) -> Check<Parts> {
    let films = proptest::strategy::Just(vec!["film-1/a", "film-1/b", "film-1/c"]);
    check("parts of a film", Parts::default)
        .queue(orders)
        .queue(|| Queue::standard("films"))
        .message_sequence(films)
        .consumer("joiner", move |parts: &World<Parts>| {
            let parts = parts.clone();
            Consumer::each(move |part: &Message, context: &Context| {
                let (film, part) = part.body().split_once('/').unwrap();
                let mut parts = parts.borrow_mut();
                let count = parts.counts.entry(film.to_owned()).or_default();
                *count += 1;
                let counted = *count == 3;
                let seen = parts.seen.entry(film.to_owned()).or_default();
                seen.insert(part.to_owned());
                let complete = if counts { counted } else { seen.len() == 3 };
                drop(parts);
                if complete {
                    context.queue("films").map_err(text)?.send(film).map_err(text)?;
                }
                Ok::<_, String>(())
            })
        })
        .consumer("cinema", |parts: &World<Parts>| {
            let parts = parts.clone();
            let show = move |film: &Message, _: &Context| {
                *parts.borrow_mut().announced.entry(film.body().to_owned()).or_default() += 1;
                Ok::<_, String>(())
            };
            Consumer::each(show).from("films")
        })
        .finally("a film whose parts were deleted is shown", |parts, messages| {
            let of = messages
                .iter()
                .filter(|it| &*it.queue == "orders" && it.fate == Some(Fate::Deleted));
            let bodies: BTreeSet<_> = of.map(|it| &it.body).collect();
            bodies.len() < 3 || parts.announced.contains_key("film-1")
        })
        .always("a film is shown when all of it is there", |parts| {
            parts.announced.is_empty() || parts.seen["film-1"].len() == 3
        })
}

#[test]
fn a_joiner_that_keeps_a_set_is_right() {
    survives(|| parts(false));
}

#[test]
fn a_joiner_that_counts_is_found() {
    is_found(16, || parts(true));
}
