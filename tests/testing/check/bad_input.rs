//! What is wrong with a check itself is said, and is no failure of a consumer.
use {
    super::consumers::{failure, fifo, jobs, of, passed, secs},
    proptest::prelude::*,
    requeue::{
        Queue,
        testing::{CheckError, Consumer, Fault, FaultError, Faults, Property, check},
    },
};

fn fine() -> Consumer {
    Consumer::each(|_, _| Ok::<_, String>(()))
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
fn two_queues_have_two_names() {
    let error = of(fine).queue(jobs).run().unwrap_err();
    assert_eq!(error.to_string(), "the check has two queues named \"jobs\"");
    passed(&of(fine).or_queue(jobs).cases(1).pairs(0));
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
    let error = of(fine).or_queue_with_dead_letters(0, jobs).run().unwrap_err();
    assert!(matches!(error, CheckError::Queue(_)));
}

#[test]
fn a_fault_that_a_queue_does_not_allow_is_no_failure() {
    let faults = Faults::none().with(Fault::DuplicateInFlight, 0.1);
    let error = of(fine).or_queue(fifo).faults(faults).run().unwrap_err();
    assert!(matches!(error, CheckError::Fault(FaultError::NotOnFifo { .. })));
}

#[test]
fn a_receive_that_the_queue_refuses_is_no_failure() {
    for (most, seconds) in [(0, 30), (11, 30), (1, 43_201)] {
        let error = of(move || fine().max_messages(most).visibility_timeout(secs(seconds)))
            .run()
            .unwrap_err();
        assert!(matches!(error, CheckError::Receive(_)), "{error}");
    }
    passed(&of(|| fine().max_messages(10).visibility_timeout(secs(43_200))));
}

#[test]
fn a_handler_that_blocks_the_only_thread_says_so() {
    let polls = || {
        Consumer::each(|message, _| {
            let more = message.queue().receive().wait_time(secs(20)).blocking();
            more.map(drop)
        })
    };
    let found = failure(&of(polls).messages_at_most(1).first_failure_only());
    assert_eq!(found.violation.property, Property::NoConsumerPanics);
    let sentence = &found.violation.sentence;
    assert!(
        sentence.ends_with("blocks the only thread of the check; use Context::wait"),
        "{sentence}"
    );
}

#[test]
fn a_handler_that_deletes_the_queue_is_found() {
    let end = || Consumer::each(|message, _| message.queue().delete_queue());
    let found = failure(&of(end));
    assert_eq!(found.violation.property, Property::NoneDisappears);
}

#[test]
fn a_world_that_is_borrowed_at_an_await_is_told() {
    let check = check("greedy", || 0)
        .queue(jobs)
        .messages(Just("job"))
        .consumer("c", |world| {
            let world = world.clone();
            Consumer::each_async(move |_, context| {
                let world = world.clone();
                async move {
                    let _mine = world.borrow_mut();
                    context.wait(secs(1)).await;
                    Ok::<_, String>(())
                }
            })
        })
        .always("it is zero", |world| *world == 0);
    let sentence = failure(&check).violation.sentence;
    assert!(
        sentence.contains("whether it is zero cannot be seen: somebody has borrowed the world"),
        "{sentence}"
    );
}

#[test]
fn a_panic_of_a_factory_is_the_consumers() {
    let (line, error) = (line!(), of(|| panic!("no database")).run().unwrap_err());
    let sentence = &error.story().unwrap().violation;
    let expected = format!("the factory of c panicked at bad_input.rs:{line}: no database");
    assert_eq!(*sentence, expected);
}

#[test]
#[should_panic(expected = "c panicked on m1 at bad_input.rs:")]
fn an_assertion_panics_with_the_story() {
    of(|| Consumer::each(|_, _| -> Result<(), String> { panic!("cannot") })).assert();
}
