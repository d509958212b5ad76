//! What must hold once in a run, so that nothing passes in vain.
use {
    super::consumers::{failure, jobs, passed},
    proptest::prelude::Just,
    requeue::testing::{Check, CheckError, Consumer, Fault, Faults, Property, check},
};

/// Counts what it does.
fn counting() -> Check<u32> {
    check("counting", || 0)
        .queue(jobs)
        .messages(Just("job"))
        .consumer("c", |done| {
            let done = done.clone();
            Consumer::each(move |_, _| {
                *done.borrow_mut() += 1;
                Ok::<_, String>(())
            })
        })
}

#[test]
fn what_never_holds_fails_the_run_and_is_named() {
    let check = counting()
        .sometimes("a job is done", |done| *done > 0)
        .sometimes("a thousand are done", |done| *done >= 1_000)
        .sometimes("less than none is done", |_| false);
    let error = check.run().unwrap_err();
    let CheckError::NeverReached { names, cases, .. } = &error else {
        panic!("{error}")
    };
    assert_eq!(*names, ["a thousand are done", "less than none is done"]);
    assert!(*cases >= 1_000);
    assert!(error.failure().is_none());
    let told = error.to_string();
    assert!(
        told.ends_with("did it hold that a thousand are done, or that less than none is done"),
        "{told}"
    );
}

#[test]
fn a_run_says_in_how_many_cases_each_held() {
    let check = counting()
        .sometimes("a job is done", |done| *done > 0)
        .sometimes("one is done again", |done| *done > 6)
        .faults(Faults::none().with(Fault::DuplicateAfterDelete, 0.3));
    let passed = passed(&check);
    let (done, again) = (passed.reached["a job is done"], passed.reached["one is done again"]);
    assert!(done > 500 && again > 0 && again < done, "{:?}", passed.reached);
}

#[test]
fn it_is_looked_at_after_each_turn_not_only_at_the_end() {
    let check = check("in between", || false)
        .queue(jobs)
        .messages(Just("job"))
        .consumer("c", |at_work| {
            let at_work = at_work.clone();
            Consumer::each_async(move |_, context| {
                let at_work = at_work.clone();
                async move {
                    *at_work.borrow_mut() = true;
                    context.wait(super::consumers::secs(1)).await;
                    *at_work.borrow_mut() = false;
                    Ok::<_, String>(())
                }
            })
        })
        .faults(Faults::none())
        .sometimes("somebody works", |at_work| *at_work)
        .finally("nobody works", |at_work, _| !at_work);
    passed(&check);
}

#[test]
fn a_failure_is_told_before_what_never_held() {
    let check = counting()
        .always("nothing is done", |done| *done == 0)
        .sometimes("a thousand are done", |done| *done >= 1_000);
    assert_eq!(
        failure(&check).violation.property,
        Property::Invariant("nothing is done".to_owned())
    );
}

#[test]
fn a_replay_reaches_what_it_reaches() {
    let check = counting().sometimes("a thousand are done", |done| *done >= 1_000);
    assert!(check.replay_case(0).is_ok());
}

#[test]
fn a_condition_that_panics_is_told() {
    let check = counting().sometimes("it is even", |_| panic!("no number"));
    let sentence = failure(&check).violation.sentence;
    assert!(
        sentence.starts_with("the condition that it is even panicked at sometimes.rs:")
            && sentence.ends_with(": no number"),
        "{sentence}"
    );
}
