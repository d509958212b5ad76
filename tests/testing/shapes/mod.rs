//! Consumers of every shape: the correct ones pass whatever is legal, and each bug of the others is told in short.

mod actions;
mod aggregators;
mod database;
mod deaths;
mod handlers;
mod locks;
#[cfg(feature = "worker")]
mod loops;
#[cfg(feature = "testing-tokio")]
mod on_tokio;
mod outbox;
mod retries;
#[cfg(feature = "worker")]
mod runners;
mod saga;
mod workers;

use {
    proptest::strategy::Strategy,
    requeue::{
        Queue, QueueBuilder, SendMessage,
        testing::{CaseFailure, Check, Context, Faults, World},
    },
    std::{collections::BTreeMap, fmt, time::Duration},
};

pub(crate) use crate::check::consumers::secs;

/// How often each thing was done, by its key.
pub(crate) type Effects = BTreeMap<String, u32>;

pub(crate) fn once(effects: &Effects) -> bool {
    effects.values().all(|times| *times <= 1)
}

pub(crate) fn count(effects: &mut Effects, key: &str) {
    *effects.entry(key.to_owned()).or_default() += 1;
}

pub(crate) fn orders() -> QueueBuilder {
    Queue::standard("orders").visibility_timeout(secs(30))
}

pub(crate) fn fifo_orders() -> QueueBuilder {
    Queue::fifo("orders.fifo")
        .visibility_timeout(secs(30))
        .content_based_deduplication(true)
}

/// Orders with a number, of two customers.
pub(crate) fn numbered() -> impl Strategy<Value = SendMessage> + 'static {
    (0..1_000_u32, 0..2_usize).prop_map(|(number, customer)| {
        SendMessage::new(format!("order-{number}")).message_group_id(["ann", "bob"][customer])
    })
}

pub(crate) fn text(error: impl fmt::Display) -> String {
    error.to_string()
}

/// A database that takes its time, in which a transaction is all or nothing.
pub(crate) struct Database<T> {
    tables: World<T>,
    context: Context,
}

impl<T> Database<T> {
    pub(crate) fn new(tables: &World<T>, context: &Context) -> Self {
        Self {
            tables: tables.clone(),
            context: context.clone(),
        }
    }

    pub(crate) async fn transaction<R>(&self, change: impl FnOnce(&mut T) -> R) -> R {
        let network = Duration::from_millis(20);
        self.context.wait(network).await;
        let result = change(&mut self.tables.borrow_mut());
        self.context.wait(network).await;
        result
    }
}

/// Nobody accuses it, whatever is legal. `REQUEUE_CHECK_CASES=10000` makes a long run of it.
#[track_caller]
pub(crate) fn survives<W: 'static>(check: impl Fn() -> Check<W>) {
    let cases = std::env::var("REQUEUE_CHECK_CASES").map_or(20, |cases| cases.parse().unwrap());
    for (faults, seed) in [(Faults::everyday(), 1), (Faults::worst_legal(), 2)] {
        let checked = check().faults(faults).seed(seed).cases(cases).pairs(cases).run();
        checked.unwrap_or_else(|error| panic!("{error}"));
    }
}

/// It is found with every seed, and told in at most so many events.
#[track_caller]
pub(crate) fn is_found<W: 'static>(events: usize, check: impl Fn() -> Check<W>) -> CaseFailure {
    let found = |seed| {
        let error = check().seed(seed).first_failure_only().run().expect_err("it is found");
        let failure = error.failure().unwrap_or_else(|| panic!("{error}")).clone();
        assert!(failure.story.events.len() <= events, "{error}");
        failure
    };
    (1..3).for_each(|seed| drop(found(seed)));
    found(0)
}

pub(crate) fn no_fault(failure: &CaseFailure) -> bool {
    failure.story.events.iter().all(|event| event.fault.is_none())
}
