//! A run goes on after a failing case, and tells the first failure of every property.
use {
    super::consumers::{failure, jobs, of, passed},
    proptest::{
        sample::select,
        strategy::{Just, Strategy},
    },
    requeue::testing::{Check, CheckError, Consumer, Faults, check},
    std::{cell::Cell, rc::Rc},
};

/// Panics on the second receive, and counts what it does on the first: a fault breaks either.
fn twice_wrong() -> Check<u32> {
    check("twice wrong", || 0)
        .pairs(60)
        .queue(jobs)
        .messages(Just("job"))
        .consumer("c", |done| {
            let done = done.clone();
            Consumer::each(move |message, _| {
                assert!(message.approximate_receive_count() < 2, "not again");
                *done.borrow_mut() += 1;
                Ok::<_, String>(())
            })
        })
        .always("at most three jobs are done", |done| *done <= 3)
}

/// Goes wrong only with more messages than are tried exhaustively, in two ways.
fn crowded() -> Check<[u32; 2]> {
    check("crowded", || [0, 0])
        .queue(jobs)
        .messages(select(vec!["a", "b"]))
        .consumer("c", |done| {
            let done = done.clone();
            Consumer::each(move |message, _| {
                done.borrow_mut()[usize::from(message.body() == "b")] += 1;
                Ok::<_, String>(())
            })
        })
        .faults(Faults::none())
        .always("at most three a are done", |done| done[0] <= 3)
        .always("at most three b are done", |done| done[1] <= 3)
}

#[test]
fn each_property_is_told_once() {
    for (error, most) in [(twice_wrong().run(), 999), (crowded().run(), 1_000)] {
        let error = error.unwrap_err();
        let mut properties: Vec<_> = error.failures().map(|it| it.violation.property.clone()).collect();
        properties.dedup();
        assert_eq!(properties.len(), 2, "{error}");
        let CheckError::Failed { failed, cases, .. } = error else {
            panic!("{error}")
        };
        assert!((2..cases).contains(&failed) && cases <= most, "{failed} of {cases}");
    }
}

#[test]
fn the_text_has_the_first_story_whole_and_the_others_in_a_line() {
    let error = crowded().run().unwrap_err();
    let (text, failures) = (error.to_string(), error.failures().collect::<Vec<_>>());
    let CheckError::Failed { failed, .. } = &error else {
        panic!("{error}")
    };
    let (first, other) = (failures[0], failures[1]);
    let expected = format!(
        "the check crowded failed in case {}; {failed} of 1000 cases failed\n{}also violated: {} (replay: \
         replay_case({}) with seed 0)\n",
        first.case.unwrap(),
        first.story,
        other.violation,
        other.case.unwrap(),
    );
    assert_eq!(text, expected);
    assert!(error.render(true).contains("\u{1b}[31mviolated:"));
}

#[test]
fn a_run_can_stop_at_the_first_failure() {
    let error = crowded().first_failure_only().run().unwrap_err();
    let whole = crowded().run().unwrap_err();
    assert_eq!(error.failure(), whole.failure());
    let first = error.failure().unwrap().case.unwrap();
    assert!(matches!(error, CheckError::Failed { failed: 1, cases, .. } if cases == first + 1));
    let error = twice_wrong().first_failure_only().run().unwrap_err();
    let whole = twice_wrong().run().unwrap_err();
    let schedules = |error: &CheckError| match error {
        CheckError::Failed { failed, cases, .. } => (*failed, *cases),
        other => panic!("{other}"),
    };
    assert_eq!(error.failure().unwrap().story, whole.failure().unwrap().story);
    assert!(schedules(&error).0 == 1 && schedules(&error).1 < schedules(&whole).1);
}

#[test]
fn each_failure_of_a_case_is_replayed_by_its_number_and_by_its_seed() {
    let error = crowded().run().unwrap_err();
    for failure in error.failures() {
        let again = crowded().replay_case(failure.case.unwrap()).unwrap_err();
        assert_eq!(again.failure(), Some(failure));
        let again = crowded().replay_seed(failure.seed.as_ref().unwrap()).unwrap_err();
        let again = again.failure().unwrap();
        assert_eq!((&again.schedule, again.case), (&failure.schedule, None));
    }
    let fine = (0..).find(|case| crowded().replay_case(*case).is_ok()).unwrap();
    assert_eq!(crowded().replay_case(fine).unwrap().cases, 1);
}

#[test]
fn the_cases_after_a_panic_are_run() {
    let seen = Rc::new(Cell::new(0));
    let counter = Rc::clone(&seen);
    let worlds = move || {
        counter.set(counter.get() + 1);
        0
    };
    let check = check("panics", worlds)
        .pairs(60)
        .queue(jobs)
        .messages(Just("job"))
        .consumer("c", |done| {
            let done = done.clone();
            Consumer::each(move |_, _| {
                *done.borrow_mut() += 1;
                assert!(*done.borrow() < 4, "cannot");
                Ok::<_, String>(())
            })
        })
        .faults(Faults::none())
        .cases(20_000);
    let Err(CheckError::Failed { failed, cases, .. }) = check.run() else {
        panic!("it passed")
    };
    // Shrinking ends after 2,000 runs, and happens once for the one property; one case of 64 is run twice.
    assert!(
        failed > 2_000 && cases == 20_000 && (20_000..22_500).contains(&seen.get()),
        "{failed}, {}",
        seen.get()
    );
}

#[test]
fn what_a_run_finds_out_late_about_the_check_does_not_hide_a_failure() {
    let at_times_refused = (0..20_u32).prop_map(|it| if it == 0 { String::new() } else { it.to_string() });
    let refused = |consumer: fn() -> Consumer| {
        of(consumer)
            .messages(at_times_refused.clone())
            .faults(Faults::none())
            .run()
    };
    let error = refused(|| Consumer::each(|_, _| Ok::<_, String>(()))).unwrap_err();
    assert!(matches!(error, CheckError::Message(_)), "{error}");
    let error = refused(|| Consumer::each(|_, _| -> Result<(), String> { panic!("cannot") })).unwrap_err();
    assert!(matches!(error, CheckError::Failed { failed: 1.., .. }), "{error}");
}

#[test]
fn what_depends_on_more_than_its_case_is_told() {
    let calls = Rc::new(Cell::new(0_u32));
    let check = check("moody", || ())
        .pairs(60)
        .queue(jobs)
        .messages(Just("job"))
        .consumer("c", move |_| {
            let calls = Rc::clone(&calls);
            Consumer::each(move |_, _| {
                calls.set(calls.get() + 1);
                assert_ne!(calls.get(), 5, "not the fifth time");
                Ok::<_, String>(())
            })
        });
    let error = check.run().unwrap_err();
    assert!(
        matches!(&error, CheckError::NotDeterministic { name, .. } if name == "moody"),
        "{error}"
    );
    assert!(error.to_string().contains("c panicked on m"), "{error}");
}

#[test]
fn the_story_and_the_schedule_are_the_same_in_every_build() {
    let check = check("charges", || 0)
        .pairs(60)
        .queue(jobs)
        .messages(Just("5 EUR"))
        .consumer("charger", |charges| {
            let charges = charges.clone();
            Consumer::each(move |message, context| {
                *charges.borrow_mut() += u32::from(message.approximate_receive_count() > 1);
                context.send("receipt").map(drop)
            })
        })
        .messages_at_most(1)
        .always("no order is charged again", |again| *again == 0);
    let found = failure(&check);
    assert_eq!(
        (found.story.to_string(), found.schedule.to_string()),
        (STORY.to_owned(), SCHEDULE.to_owned())
    );
    assert_eq!(
        passed(&of(|| Consumer::each(|_, _| Ok::<_, String>(()))).seed(5)).steps,
        STEPS
    );
}

const STORY: &str = "  0:00.000  producer  sends m1 \"5 EUR\"
  0:00.000  charger   receives: the response was lost  <- ReceiveResponseLost
  0:30.000  charger   receives m1
  0:30.000  charger   sends m2 \"receipt\"
  0:30.000  charger   works on m1: ok
violated: it does not hold that no order is charged again (last call at runs.rs:192)
replay:   run it again, or keep it by regression_file: send 0; run until ReceiveResponseLost
";
const SCHEDULE: &str = "requeue schedule 2
seed 16490336266968443936
message \"5 EUR\"
send 0
run until ReceiveResponseLost
end
";
const STEPS: u64 = 35_476;
