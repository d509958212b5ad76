//! Leases in a slow database.
use {
    super::{Database, Effects, count, is_found, numbered, once, orders, secs, survives, text},
    requeue::{
        Message, Timestamp,
        testing::{Check, Consumer, Context, Fate, Property, World, check},
    },
    std::collections::{BTreeMap, BTreeSet},
};

#[derive(Clone, Copy)]
struct Lease {
    token: u64,
    until: Timestamp,
}

#[derive(Default)]
struct Tables {
    tokens: u64,
    leases: BTreeMap<String, Lease>,
    done: BTreeSet<String>,
    /// What was done in the world outside.
    effects: Effects,
}

/// Whether the effect is done only under the lease that was taken for it.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Fencing {
    Fenced,
    Unfenced,
}

async fn under_a_lease(
    tables: World<Tables>,
    message: Message,
    context: Context,
    fencing: Fencing,
) -> Result<(), String> {
    let (database, key) = (Database::new(&tables, &context), message.body().to_owned());
    let now = context.now();
    let take = |tables: &mut Tables| {
        if tables.done.contains(&key) {
            return Ok(None);
        }
        if tables.leases.get(&key).is_some_and(|lease| lease.until > now) {
            return Err("somebody else is at it");
        }
        tables.tokens += 1;
        let lease = Lease {
            token: tables.tokens,
            until: now.saturating_add(secs(25)),
        };
        tables.leases.insert(key.clone(), lease);
        Ok(Some(lease.token))
    };
    let Some(token) = database.transaction(take).await? else {
        return Ok(());
    };
    context.wait(secs(10)).await;
    let record = |tables: &mut Tables| {
        let is_ours = tables.leases.get(&key).is_some_and(|lease| lease.token == token);
        if fencing == Fencing::Fenced && (!is_ours || tables.done.contains(&key)) {
            return Err("the lease was lost");
        }
        context.note(format!("charges {key}"));
        count(&mut tables.effects, &key);
        tables.done.insert(key.clone());
        Ok(())
    };
    database.transaction(record).await.map_err(text)
}

fn leases(fencing: Fencing) -> Check<Tables> {
    let mut check = check("leases", Tables::default)
        .queue(orders)
        .or_queue(super::fifo_orders)
        .messages(numbered());
    for name in ["c1", "c2"] {
        check = check.consumer(name, move |tables| {
            let tables = tables.clone();
            Consumer::each_async(move |message, context| under_a_lease(tables.clone(), message, context, fencing))
        });
    }
    check
        .always("no order is charged twice", |tables| once(&tables.effects))
        .finally("each deleted order is charged", |tables, messages| {
            let mut deleted = messages.iter().filter(|it| it.fate == Some(Fate::Deleted));
            deleted.all(|it| tables.done.contains(&*it.body))
        })
}

#[test]
fn a_lease_with_a_token_is_right() {
    survives(|| leases(Fencing::Fenced));
}

#[test]
fn a_lease_without_a_token_is_found() {
    is_found(20, || leases(Fencing::Unfenced));
}

/// Asks whether it still holds its message before it works, and works for longer than that.
fn effects_after_the_lease(extends: bool) -> Check<Effects> {
    check("effects after the lease", Effects::new)
        .queue(orders)
        .messages(numbered())
        .consumer("renderer", move |effects| {
            let effects = effects.clone();
            Consumer::each_async(move |message, context| {
                let database = Database::new(&effects, &context);
                async move {
                    for _ in 0..4 {
                        context.wait(secs(9)).await;
                        if extends {
                            context.change_visibility(&message, secs(30)).map_err(text)?;
                        }
                    }
                    database
                        .transaction(|effects| effects.insert(message.body().to_owned(), 1))
                        .await;
                    Ok::<_, String>(())
                }
            })
        })
        .watch_visibility()
}

#[test]
fn work_after_the_lease_is_found_and_work_within_it_is_right() {
    survives(|| effects_after_the_lease(true));
    let found = is_found(20, || effects_after_the_lease(false));
    assert_eq!(found.violation.property, Property::HoldsWhatItWorksOn);
}
