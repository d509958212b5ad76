//! Short stories of disagreements that the properties have found, one rule each.

use crate::properties::*;
use crate::reference::*;
use crate::steps::{BatchIds, Move, Pick, Step};

fn send(group: &str) -> Step {
    Step::Send {
        queue: 0,
        draft: Draft::new("a").message_group_id(group),
    }
}

fn receive(maximum: usize, visibility: u64) -> Step {
    receive_from(0, maximum, visibility)
}

fn receive_from(queue: usize, maximum: usize, visibility: u64) -> Step {
    let request = Request {
        max_messages: Some(maximum),
        visibility_timeout: Some(visibility),
        ..Request::default()
    };
    Step::Receive { queue, request }
}

fn attempt() -> Step {
    let request = Request {
        receive_request_attempt_id: Some("A".to_owned()),
        ..Request::default()
    };
    Step::Receive { queue: 0, request }
}

fn wait(milliseconds: u64) -> Step {
    Step::Clock(Move::By(milliseconds))
}

fn set(change: Change) -> Step {
    Step::SetAttributes { queue: 0, change }
}

fn scope(scope: Scope) -> Step {
    set(Change {
        deduplication_scope: Some(scope),
        ..Change::default()
    })
}

const PURGE: Step = Step::Purge { queue: 0 };

#[test]
fn one_receive_returns_a_fifo_message_once_even_with_visibility_zero() {
    agree(&fifo_with_one_memory(), &[send("g0"), receive(10, 0)]).unwrap(); // D7, F25
}

#[test]
fn tenants_that_are_equally_noisy_share_the_order_of_sending() {
    let steps = [
        send("g0"),
        send("g1"),
        send("g0"),
        receive(10, 1),
        wait(1),
        receive(10, 2_000),
    ];
    agree(&fair(), &steps).unwrap(); // N9, D49
}

#[test]
fn a_queue_remembers_the_processing_time_of_purged_tenants() {
    let before = [send("g0"), receive(1, 30_000), wait(30_000), PURGE];
    let after = [send("g1"), receive(1, 1_000), send("g0"), wait(1_000)];
    agree(&fair(), &[before, after].concat()).unwrap(); // N3 (b), N9
}

#[test]
fn a_shorter_retention_ends_receptions_at_the_change() {
    let shorter = set(Change {
        message_retention_period: Some(60 * SECOND),
        ..Change::default()
    });
    let steps = [
        send("g0"),
        wait(90_000),
        receive(1, 30_000),
        send("g0"),
        send("g1"),
        wait(1),
        shorter,
    ];
    agree(&fair(), &steps).unwrap(); // D40, N9
}

#[test]
fn visibility_zero_puts_nothing_in_flight_and_meets_no_limit() {
    let steps = [send("g0"), send("g0"), send("g0"), send("g0"), receive(10, 0)];
    agree(&standard_with_a_few_in_flight(), &steps).unwrap(); // D6, D17
}

#[test]
fn a_receive_whose_messages_were_purged_cannot_be_replayed() {
    agree(&fifo_with_one_memory(), &[send("g0"), attempt(), PURGE, attempt()]).unwrap(); // F33, D43
}

#[test]
fn a_scope_that_has_begun_to_act_acts_until_a_minute_after_the_next_change() {
    let send = |group: &str| Step::Send {
        queue: 0,
        draft: Draft::new("a").message_group_id(group).deduplication_id("d0"),
    };
    let steps = [
        scope(Scope::MessageGroup),
        wait(300_000),
        scope(Scope::Queue),
        send("g0"),
        send("g1"),
    ];
    agree(&fifo_with_one_memory(), &steps).unwrap(); // F16
}

#[test]
fn a_move_task_takes_the_oldest_first_however_often_it_was_received() {
    let poison = [
        send("g0"),
        receive(1, 0),
        receive(1, 0),
        receive(1, 0),
        receive_from(1, 1, 0),
    ];
    let fresh = Step::Send {
        queue: 1,
        draft: Draft::new("b"),
    };
    let task = Step::MoveTask {
        queue: 1,
        destination: Some(0),
    };
    agree(&standard_chain(), &[&poison[..], &[fresh, task]].concat()).unwrap(); // L31
}

#[test]
fn a_handle_used_on_another_queue_is_invalid_alone_and_in_a_batch() {
    let handle = Pick::Astray(0);
    let batch = Step::DeleteBatch {
        handles: vec![handle, Pick::Any(0)],
        ids: BatchIds::Places,
    };
    agree(
        &standard_chain(),
        &[send("g0"), receive(1, 1_000), Step::Delete { handle }, batch],
    )
    .unwrap(); // D19
}
