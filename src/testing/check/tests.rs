use {
    super::{Check, check, tally::Tally},
    crate::{
        message::SendMessage,
        queue::Queue,
        testing::{
            case::{self, Script},
            consumer::Consumer,
            faults::{Fault, Faults},
            inputs::Drawn,
            schedule::CaseSchedule,
            shrink,
        },
    },
    proptest::strategy::Just,
    std::time::Duration,
};

/// Of two consumers at once, with several calls in a step, and faults that find nothing to strike.
fn busy() -> Check<u32> {
    let mut check = check("busy", || 0)
        .queue_with_dead_letters(3, || Queue::standard("jobs"))
        .or_queue(|| Queue::fifo("jobs.fifo").content_based_deduplication(true))
        .messages(Just(SendMessage::new("job").message_group_id("g")))
        .faults(Faults::worst_legal())
        .always("at most four are done", |done| *done <= 4);
    for name in ["c1", "c2"] {
        check = check.consumer(name, |done| {
            let done = done.clone();
            let consumer = Consumer::batch_async(move |messages, context| {
                let done = done.clone();
                async move {
                    let mut answers = Vec::new();
                    for message in messages {
                        let _ = context.change_visibility(&message, Duration::from_secs(20));
                        context.wait(Duration::from_secs(7)).await;
                        *done.borrow_mut() += 1;
                        answers.push(context.delete(&message).or_else(|_| context.delete(&message)));
                    }
                    answers
                }
            });
            consumer.deletes_itself()
        });
    }
    check
}

#[test]
fn the_steps_of_a_drawn_case_take_it_the_same_way_again() {
    let (check, mut let_pass) = (busy(), 0);
    let fifo = check.examine().unwrap();
    for number in 0..1_000 {
        let (plan, _, script) = check.draw(check.numbered(number).seed, &fifo).unwrap();
        let drawn = case::run(&check.setup, &plan, script, true).unwrap();
        let again = case::run(&check.setup, &plan, Script::Steps(&drawn.steps), true).unwrap();
        assert_eq!(again.events, drawn.events, "case {number}");
        assert_eq!((again.violation, again.acts), (drawn.violation, drawn.acts));
        assert_eq!((again.faults, &again.steps), (drawn.faults.clone(), &drawn.steps));
        let strikes: Vec<_> = drawn.steps.iter().filter_map(|step| step.strike()).collect();
        assert_eq!(strikes.len(), drawn.faults.values().sum::<usize>(), "case {number}");
        let_pass += strikes.iter().filter(|strike| strike.passed > 0).count();
    }
    assert!(let_pass > 0, "no step had two opportunities");
}

#[test]
fn a_fault_that_can_strike_at_first_is_made_to() {
    for seed in 0..20 {
        let check = check("interrupted", || 0)
            .queue(|| Queue::standard("jobs"))
            .messages(Just("job"))
            .consumer("c", |open| {
                let open = open.clone();
                Consumer::each(move |message, context| {
                    *open.borrow_mut() += 1;
                    for _ in 0..4 {
                        let _ = context.change_visibility(message, Duration::from_secs(20));
                    }
                    *open.borrow_mut() -= 1;
                    Ok::<_, String>(())
                })
            })
            .faults(Faults::none().with(Fault::CrashBeforeDelete, 0.2))
            .always("what is begun is ended", |open| *open == 0)
            .seed(seed);
        let error = check.first_failure_only().run().unwrap_err();
        let steps = &error.failure().unwrap().schedule.steps;
        let strikes: Vec<_> = steps.iter().filter_map(|step| step.strike()).collect();
        assert!(strikes.len() == 1 && strikes[0].passed == 0, "{strikes:?}");
    }
}

#[test]
fn shrinking_a_short_case_again_leaves_it_alone() {
    let check = busy().cases(300);
    let fifo = check.examine().unwrap();
    let mut tallies = [Tally::default(), Tally::default()];
    check.try_schedules(&fifo, &mut tallies[0]).unwrap();
    check.run_cases(&fifo, &mut tallies[1]).unwrap();
    for tally in tallies {
        assert!(!tally.failures.is_empty());
        for failure in tally.failures {
            let CaseSchedule { plan, steps } = failure.schedule.clone();
            let outcome = case::run(&check.setup, &plan, Script::Steps(&steps), false).unwrap();
            let (faults, schedule) = (check.legal_faults(plan.variant), CaseSchedule { plan, steps });
            let again = shrink::shrink(&check.setup, schedule, Drawn::default(), &outcome, &faults);
            assert_eq!(again, failure.schedule, "{}", failure.story);
        }
    }
}
