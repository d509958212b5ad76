//! Random schedules of stops and crashes, on queues whose calls meet every fault that is legal.
//!
//! `REQUEUE_WORKER_CASES=20000 cargo test --release --features worker,testing --test worker faults` runs more of them;
//! a failure names its case, which [`Case`] makes from a number alone.

mod case;
mod faulty;
mod latency;
mod ledger;
mod limits;
mod schedule;

use case::{Case, Net};

fn cases() -> u64 {
    let cases = std::env::var("REQUEUE_WORKER_CASES").ok();
    cases.map_or(250, |cases| cases.parse().expect("a number of cases"))
}

/// Runs that many cases of each kind, and asserts that they were worth it.
fn run(fifo: bool, net: Net) {
    let mut seen = schedule::Seen::default();
    for seed in 0..cases() {
        seen += schedule::run(&Case::new(seed, fifo, net));
    }
    seen.assert_worth_it(fifo, net, cases());
}

/// The same with runners that have limits on what begins.
fn run_with_limits(fifo: bool, net: Net) {
    let mut seen = schedule::Seen::default();
    for seed in 0..cases() {
        seen += schedule::run(&Case::new(seed, fifo, net).with_limits());
    }
    seen.assert_worth_it(fifo, net, cases());
}

/// Seeds that once failed.
fn again(fifo: bool, net: Net, seeds: &[u64]) {
    for seed in seeds {
        let _ = schedule::run(&Case::new(*seed, fifo, net));
    }
}

#[test]
fn a_batch_of_which_a_part_was_lost_before_it_began_is_abandoned_once() {
    again(true, Net::Worst, &[8]);
}

#[test]
fn a_message_that_came_back_while_its_lost_reception_waits_is_not_passed_over_by_its_successors() {
    again(true, Net::Worst, &[1_890]);
    again(true, Net::Everyday, &[947]);
}

#[test]
fn a_failed_handler_does_not_take_its_lost_message_from_another() {
    again(false, Net::NoDuplicates, &[13, 397]);
    again(false, Net::None, &[138, 1_975]);
}

#[test]
fn a_standard_queue_in_the_worst_legal_weather_loses_nothing() {
    run(false, Net::Worst);
}

#[test]
fn a_fifo_queue_in_the_worst_legal_weather_loses_nothing_and_keeps_its_order() {
    run(true, Net::Worst);
}

#[test]
fn a_standard_queue_without_duplicates_hands_out_nothing_twice_within_a_lease() {
    run(false, Net::NoDuplicates);
}

#[test]
fn a_standard_queue_on_an_ordinary_day_loses_nothing() {
    run(false, Net::Everyday);
}

#[test]
fn a_fifo_queue_on_an_ordinary_day_loses_nothing_and_keeps_its_order() {
    run(true, Net::Everyday);
}

#[test]
fn a_standard_queue_without_faults_hands_out_nothing_twice_within_a_lease() {
    run(false, Net::None);
}

#[test]
fn a_fifo_queue_without_faults_keeps_its_order() {
    run(true, Net::None);
}

#[test]
fn with_latency_and_lost_answers_messages_come_back_when_last_asked_and_no_lease_is_changed_by_another() {
    let (mut kept, mut excused) = (0, 0);
    for seed in 0..cases() {
        let (kept_here, excused_here) = latency::run(seed);
        kept += kept_here;
        excused += excused_here;
    }
    assert!(
        kept > 5 * cases() as usize && kept > 2 * excused,
        "{kept} kept, {excused} not"
    );
}

#[test]
fn under_limits_a_standard_queue_loses_nothing_and_none_is_exceeded() {
    run_with_limits(false, Net::None);
    run_with_limits(false, Net::NoDuplicates);
    run_with_limits(false, Net::Worst);
}

#[test]
fn under_limits_a_fifo_queue_loses_nothing_keeps_its_order_and_none_is_exceeded() {
    run_with_limits(true, Net::None);
    run_with_limits(true, Net::Everyday);
    run_with_limits(true, Net::Worst);
}
