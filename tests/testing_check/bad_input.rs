//! What is wrong with a check itself is said, and is no failure of a consumer.
use {
    super::consumers::{fifo, jobs, of},
    proptest::prelude::*,
    requeue::{
        Queue,
        testing::{CheckError, Consumer, Fault, FaultError, Faults, check},
    },
};

fn fine() -> Consumer {
    Consumer::each(|_| Ok::<_, String>(()))
}

#[test]
fn a_check_needs_a_queue_a_consumer_and_messages() {
    let bare = || check("bare", || ());
    for (check, missing) in [
        (bare(), "queue"),
        (bare().queue(jobs), "consumer"),
        (bare().queue(jobs).consumer("c", |_| fine()), "strategy for messages"),
    ] {
        assert_eq!(
            check.run().unwrap_err().to_string(),
            format!("the check has no {missing}")
        );
    }
}

#[test]
fn a_strategy_that_gives_nothing_is_no_failure() {
    let none = any::<u8>().prop_filter("nothing is good enough", |_| false);
    let error = of(fine).messages(none.prop_map(|it| it.to_string())).run().unwrap_err();
    assert!(matches!(error, CheckError::NoMessage(_)), "{error}");
}

#[test]
fn a_message_that_the_queue_refuses_is_no_failure() {
    let error = of(fine).messages(Just("")).run().unwrap_err();
    assert!(matches!(error, CheckError::Message(_)) && error.failure().is_none());
}

#[test]
fn a_queue_that_cannot_be_made_is_no_failure() {
    let error = check("unnamed", || ())
        .queue(|| Queue::standard(""))
        .messages(Just("m"));
    let error = error.consumer("c", |_| fine()).run().unwrap_err();
    assert!(matches!(error, CheckError::Queue(_)));
    let error = of(fine).queue_with_dead_letters(0, jobs).run().unwrap_err();
    assert!(matches!(error, CheckError::Queue(_)));
}

#[test]
fn a_fault_that_a_queue_does_not_allow_is_no_failure() {
    let faults = Faults::none().with(Fault::DuplicateInFlight, 0.1);
    let error = of(fine).queue(fifo).faults(faults).run().unwrap_err();
    assert!(matches!(error, CheckError::Fault(FaultError::NotOnFifo { .. })));
}

#[test]
fn a_panic_of_a_factory_is_the_consumers() {
    let error = of(|| panic!("no database")).run().unwrap_err();
    assert!(
        error.to_string().contains("the factory of c panicked: no database"),
        "{error}"
    );
}

#[test]
#[should_panic(expected = "violated: c panicked on m1: cannot")]
fn an_assertion_panics_with_the_story() {
    of(|| Consumer::each(|_| -> Result<(), String> { panic!("cannot") })).assert();
}
