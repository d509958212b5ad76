//! What is tried before chance: nothing, everything that can go wrong once, and everything that can go wrong twice.
use {
    super::consumers::{failure, jobs, of, passed, secs},
    proptest::strategy::Just,
    requeue::testing::{CaseFailure, Check, CheckError, Consumer, Context, Fault, Faults, Property, check},
    std::{cell::Cell, collections::BTreeSet, rc::Rc},
};

type Answer = Result<(), String>;

/// Of one message, which a handler must not be given more often than this.
fn given_at_most(times: u32) -> Check<u32> {
    check("given", || 0)
        .queue(jobs)
        .messages(Just("job"))
        .messages_at_most(1)
        .consumer("c", |given| {
            let given = given.clone();
            Consumer::each(move |_, _| {
                *given.borrow_mut() += 1;
                Answer::Ok(())
            })
        })
        .always("the job is not given too often", move |given| *given <= times)
}

fn text(check: &Check<u32>) -> String {
    check.run().unwrap_err().to_string()
}

fn faults(found: &CaseFailure) -> Vec<Fault> {
    found.story.events.iter().filter_map(|event| event.fault).collect()
}

#[test]
fn what_needs_no_fault_is_told_without_one() {
    let found = failure(&given_at_most(0));
    assert!(faults(&found).is_empty() && found.also_with.is_empty());
    assert_eq!((found.case, &found.seed), (None, &None));
    assert_eq!(
        found.story.replay,
        "run it again, or keep it by regression_file: send 0"
    );
    let text = text(&given_at_most(0));
    assert!(
        text.starts_with("the check given failed without a fault; 1 of 1 schedule failed\n"),
        "{text}"
    );
}

#[test]
fn what_needs_one_fault_is_told_with_the_simplest() {
    let found = failure(&given_at_most(1));
    assert_eq!(faults(&found), [Fault::DuplicateAfterDelete], "{}", found.story);
    assert_eq!(
        found.story.replay,
        "run it again, or keep it by regression_file: send 0; run until DuplicateAfterDelete"
    );
    let text = text(&given_at_most(1));
    assert!(
        text.starts_with("the check given failed with a single fault; "),
        "{text}"
    );
    let again = given_at_most(1).replay(&found.schedule).unwrap_err();
    assert_eq!(again.failure().unwrap().story.events, found.story.events);
}

#[test]
fn every_other_fault_that_breaks_the_same_is_named() {
    let found = failure(&given_at_most(1));
    let all: BTreeSet<_> = found.also_with.iter().flatten().copied().collect();
    assert_eq!(
        all.len(),
        found.also_with.len(),
        "each once, and alone: {:?}",
        found.also_with
    );
    for fault in [Fault::DeleteFails, Fault::CrashBeforeDelete, Fault::SendResponseLost] {
        assert!(all.contains(&fault), "{fault} is not among {all:?}");
    }
    assert!(!all.contains(&Fault::DuplicateAfterDelete) && !all.contains(&Fault::CrashBeforeWork));
}

#[test]
fn what_needs_two_faults_is_told_with_two() {
    for seed in 0..20 {
        // An outage makes several calls fail.
        let legal = Faults::mixed().with(Fault::Outage, 0.0);
        let check = given_at_most(2).faults(legal).seed(seed).cases(0);
        let found = failure(&check);
        assert_eq!(faults(&found), [Fault::DuplicateAfterDelete; 2], "{}", found.story);
        assert!(found.also_with.iter().all(|it| it.len() == 2), "{:?}", found.also_with);
        assert!(text(&check).starts_with("the check given failed with 2 faults; "));
        assert_eq!(failure(&check), found);
    }
}

#[test]
fn pairs_can_be_left_out_or_be_some_of_all() {
    let run = |pairs| given_at_most(9).pairs(pairs).cases(0).run().unwrap();
    let (none, some, all) = (run(0), run(10), run(1_000_000));
    assert_eq!((none.pairs, none.pairs_complete), (0, false));
    assert_eq!((some.pairs, some.pairs_complete), (10, false));
    assert!(all.pairs > 100 && all.pairs_complete);
    assert_eq!(
        (none.opportunities, some.opportunities),
        (all.opportunities, all.opportunities)
    );
    assert_eq!(all.schedules, none.schedules + all.pairs);
    assert!(none.to_string().starts_with("no single fault at any of "));
    assert!(some.to_string().contains(" breaks it, nor do 10 of its pairs ("));
    assert!(all.to_string().starts_with("no single fault and no pair at any of "));
}

#[test]
fn without_faults_only_plain_schedules_are_run() {
    let passed = passed(&given_at_most(1).faults(Faults::none()).cases(10));
    assert_eq!((passed.opportunities, passed.schedules, passed.cases), (0, 1, 10));
    assert!(
        passed
            .to_string()
            .starts_with("without faults nothing breaks it (1 schedule, ")
    );
}

#[test]
fn faults_without_an_opportunity_are_named() {
    let passed = passed(&given_at_most(99).cases(100));
    let expected = [
        Fault::Reordered,
        Fault::VisibilityResponseLost,
        Fault::VisibilityFails,
        Fault::VisibilityLate,
        Fault::BatchEntryFails,
    ];
    assert_eq!(passed.never_met, expected);
    assert!(passed.to_string().contains("\nnever met: Reordered, Visibility"));
}

#[test]
fn an_action_is_tried_at_every_moment() {
    let racy = check("racy", || (false, false))
        .queue(jobs)
        .messages(Just("order"))
        .consumer("shipper", |order| {
            let order = order.clone();
            Consumer::each_async(move |_, context| {
                let order = order.clone();
                async move {
                    let cancelled = order.borrow().0;
                    context.wait(secs(1)).await;
                    order.borrow_mut().1 |= !cancelled && order.borrow().0;
                    Answer::Ok(())
                }
            })
        })
        .action("cancels", |order, _| order.borrow_mut().0 = true)
        .faults(Faults::none())
        .always("no cancelled order is shipped", |order| !order.1);
    let found = failure(&racy);
    let told: Vec<_> = found.story.events.iter().map(|event| event.who.as_str()).collect();
    assert_eq!(told.len(), 5, "{}", found.story);
    assert!(
        found.case.is_none() && found.story.to_string().contains("cancels"),
        "{}",
        found.story
    );
}

#[test]
fn a_fault_at_one_message_is_tried_before_the_next_is_sent() {
    // Forgets with its memory that the first number is taken.
    let numbers = check("numbers", Vec::new)
        .queue(jobs)
        .messages(Just("invoice"))
        .messages_at_most(2)
        .consumer("c", |given: &requeue::testing::World<Vec<u32>>| {
            let (given, mut next) = (given.clone(), 0);
            Consumer::each(move |_, _| {
                next += 1;
                given.borrow_mut().push(next);
                Answer::Ok(())
            })
        })
        .faults(Faults::none().with(Fault::CrashAfterDelete, 0.1))
        .always("each number is given once", |given| {
            given.iter().collect::<BTreeSet<_>>().len() == given.len()
        });
    let found = failure(&numbers.cases(0));
    assert_eq!(faults(&found), [Fault::CrashAfterDelete]);
}

#[test]
fn long_cases_are_tried_at_some_of_their_opportunities() {
    let ticking = || {
        Consumer::each_async(|_, context: Context| async move {
            for _ in 0..900 {
                context.wait(secs(1)).await;
            }
            Answer::Ok(())
        })
    };
    let passed = passed(&of(ticking).messages_at_most(1).cases(0));
    assert!(passed.left_out > 1_000 && !passed.pairs_complete, "{passed}");
    assert!(passed.opportunities > 10 && passed.steps < 1_000_000, "{passed}");
}

#[test]
fn a_check_that_passes_by_different_ways_is_told() {
    let calls = Rc::new(Cell::new(0_u32));
    let moody = of(move || {
        let calls = Rc::clone(&calls);
        Consumer::each(move |_, context| {
            calls.set(calls.get() + 1);
            if calls.get() % 3 == 0 {
                context.note("a third time");
            }
            Answer::Ok(())
        })
    });
    let error = moody.run().unwrap_err();
    assert!(
        matches!(error, CheckError::NotDeterministic { violation: None, .. }),
        "{error}"
    );
    let text = error.to_string();
    assert!(
        text.contains(" of the same schedule is \"c ") && text.contains("run again"),
        "{text}"
    );
}

#[test]
fn a_failure_that_is_told_in_different_ways_is_not_believed() {
    let calls = Rc::new(Cell::new(0_u32));
    let moody = of(move || {
        let calls = Rc::clone(&calls);
        Consumer::each(move |_, _| -> Answer {
            calls.set(calls.get() + 1);
            panic!("call {}", calls.get())
        })
    });
    // The panic is the same in all but its number, which the story does not tell before its end.
    let found = failure(&moody);
    assert_eq!(found.violation.property, Property::NoConsumerPanics);
    let calls = Rc::new(Cell::new(0_u32));
    let noted = of(move || {
        let calls = Rc::clone(&calls);
        Consumer::each(move |_, context| -> Answer {
            calls.set(calls.get() + 1);
            context.note(format!("call {}", calls.get()));
            panic!("cannot")
        })
    });
    let error = noted.run().unwrap_err();
    let CheckError::NotDeterministic {
        violation: Some(violation),
        difference,
        ..
    } = &error
    else {
        panic!("{error}")
    };
    assert_eq!(violation.property, Property::NoConsumerPanics);
    assert!(
        difference.contains("event 3 of the same schedule is \"c ") && difference.contains("phases.rs:"),
        "{error}"
    );
}
