//! What a check sends: sequences in their order, and messages to several queues.
use {
    super::consumers::{failure, jobs, passed},
    proptest::{collection::vec, prelude::*},
    requeue::{
        Queue, SendMessage,
        testing::{Check, CheckError, Consumer, Faults, World, check},
    },
};

type Seen = Vec<String>;

fn remember(seen: &World<Seen>) -> Consumer {
    let seen = seen.clone();
    Consumer::each(move |message, _| {
        seen.borrow_mut().push(message.body().to_owned());
        Ok::<_, String>(())
    })
}

/// Orders with the ids 1 to n, of one group.
fn orders(count: std::ops::Range<u32>) -> impl Strategy<Value = Vec<SendMessage>> {
    let order = |id| SendMessage::new(format!("order-{id}")).message_group_id("g");
    count.prop_map(move |count| (1..=count).map(order).collect())
}

fn sequence(strategy: impl Strategy<Value = Vec<SendMessage>> + 'static) -> Check<Seen> {
    check("sequence", Seen::new)
        .pairs(60)
        .queue(|| Queue::fifo("orders.fifo").content_based_deduplication(true))
        .message_sequence(strategy)
        .consumer("c", remember)
}

#[test]
fn a_sequence_is_sent_in_its_order_however_long_it_is() {
    let check = sequence(orders(9..10))
        .messages_at_most(2)
        .faults(Faults::none())
        .sometimes("all of it has come", |seen| seen.len() == 9)
        .finally("it came in its order", |seen, messages| {
            let bodies: Vec<_> = messages.iter().map(|it| it.body.to_string()).collect();
            bodies.is_sorted() && seen.is_sorted() && seen.iter().all(|it| bodies.contains(it))
        });
    passed(&check.cases(200));
}

#[test]
fn a_sequence_is_made_short_and_simple() {
    let bodies = vec(
        "[a-z]{1,9}".prop_map(|body| SendMessage::new(body).message_group_id("g")),
        1..20,
    );
    let check = sequence(bodies).always("at most two are seen", |seen| seen.len() <= 2);
    let found = failure(&check.first_failure_only());
    let sends: Vec<_> = found.story.events.iter().filter(|it| it.who == "producer").collect();
    assert!(sends.len() <= 3, "{}", found.story);
    let text = found.schedule.to_string();
    assert_eq!(
        text.lines().filter(|it| it.starts_with("message ")).count(),
        sends.len(),
        "{text}"
    );
}

#[test]
fn an_empty_sequence_is_a_case_too() {
    let check = sequence(orders(0..2))
        .faults(Faults::none())
        .sometimes("one is sent", |seen| seen.len() == 1)
        .finally("at most one is sent", |_, messages| messages.len() <= 1);
    passed(&check.cases(100));
}

/// Shipping and cancelling, each with a queue.
fn several() -> Check<Seen> {
    check("several", Seen::new)
        .pairs(60)
        .queue(jobs)
        .queue(|| Queue::standard("cancellations"))
        .messages(Just("order-1"))
        .messages_to("cancellations", Just("cancel order-1"))
        .consumer("shipper", remember)
        .consumer("clerk", |seen| remember(seen).from("cancellations"))
}

#[test]
fn each_queue_is_sent_its_own_messages() {
    let check = several()
        .sometimes("both are sent", |seen| {
            seen.contains(&"order-1".to_owned()) && seen.contains(&"cancel order-1".to_owned())
        })
        .finally("each is in its queue", |_, messages| {
            let is_right = |body: &str, queue: &str| body.starts_with("cancel") == (queue == "cancellations");
            messages.iter().all(|it| is_right(&it.body, &it.queue))
        });
    passed(&check);
}

#[test]
fn another_strategy_for_the_same_queue_replaces_the_first() {
    let check = several()
        .messages(Just("order-2"))
        .always("order-1 is not sent", |seen| !seen.contains(&"order-1".to_owned()));
    passed(&check);
}

#[test]
fn a_queue_that_is_not_there_is_named() {
    let error = several().messages_to("refunds", Just("5 EUR")).run().unwrap_err();
    assert!(
        matches!(&error, CheckError::NoQueue(name) if name == "refunds"),
        "{error}"
    );
}

#[test]
fn what_is_sent_to_another_queue_is_told_and_replayed_there() {
    let check = several().always("nothing is cancelled", |seen| {
        !seen.contains(&"cancel order-1".to_owned())
    });
    let found = failure(&check);
    let event = &found.story.events[0];
    assert_eq!(
        (event.who.as_str(), event.queue.as_deref()),
        ("producer", Some("cancellations"))
    );
    let again = check.replay(&found.schedule).unwrap_err();
    assert_eq!(again.failure().unwrap().story.events, found.story.events);
}
