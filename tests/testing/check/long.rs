//! How long a handler may take before it counts as never finishing: as long as what it waits for, and no longer.
use {
    super::consumers::{failure, jobs, of, passed, secs},
    proptest::strategy::Just,
    requeue::testing::{Consumer, Fate, Faults, Property, check},
    std::{future::poll_fn, task::Poll, time::Duration},
};

type Answer = Result<(), String>;

/// Works for so many ticks, and extends at every tenth.
fn ticking(ticks: u32, tick: Duration) -> Consumer {
    Consumer::each_async(move |message, context| async move {
        for number in 0..ticks {
            if number % 10 == 0 {
                context
                    .change_visibility(&message, secs(30))
                    .map_err(|error| error.to_string())?;
            }
            context.wait(tick).await;
        }
        Answer::Ok(())
    })
}

#[test]
fn a_job_of_five_minutes_may_tick_every_second() {
    let check = of(|| ticking(300, secs(1)))
        .watch_visibility()
        .faults(Faults::none())
        .cases(50);
    passed(&check.finally("each is done", |(), messages| {
        messages
            .iter()
            .all(|it| (it.fate, it.received) == (Some(Fate::Deleted), 1))
    }));
    passed(&of(|| ticking(300, secs(1))).watch_visibility().cases(50));
}

#[test]
fn a_job_of_hours_may_tick_every_second() {
    let check = of(|| ticking(10_000, secs(1))).messages_at_most(2).watch_visibility();
    passed(&check.faults(Faults::none()).cases(5));
}

#[test]
fn a_message_may_expire_while_it_is_worked_on() {
    let check = check("old", || ())
        .pairs(60)
        .queue(|| jobs().message_retention_period(secs(60)))
        .messages(Just("job"))
        .consumer("c", |_| ticking(45, secs(2)));
    passed(&check.watch_visibility().cases(200));
}

#[test]
fn many_messages_are_done_however_long_each_takes() {
    let check = of(|| ticking(60, secs(5)))
        .messages_at_most(12)
        .faults(Faults::none())
        .cases(50);
    passed(&check.finally("each is done", |(), messages| {
        messages.iter().all(|it| it.fate == Some(Fate::Deleted))
    }));
}

#[test]
fn a_handler_that_goes_on_for_ever_is_told() {
    let for_ever = |tick| {
        Consumer::each_async(move |message, context| async move {
            loop {
                let _ = context.change_visibility(&message, secs(30));
                context.wait(tick).await;
            }
            #[expect(unreachable_code, reason = "gives the type")]
            Answer::Ok(())
        })
    };
    for tick in [0, 1, 1_000, 3_600_000].map(Duration::from_millis) {
        let check = of(move || for_ever(tick)).messages_at_most(1).cases(3);
        let found = failure(&check.faults(Faults::none()).first_failure_only());
        assert_eq!(found.violation.property, Property::EveryHandlerFinishes, "{tick:?}");
    }
}

#[test]
fn a_handler_that_wakes_itself_for_ever_is_told_to_spin() {
    let spins = || {
        Consumer::each_async(|_, _| async {
            poll_fn(|context| {
                context.waker().wake_by_ref();
                Poll::<Answer>::Pending
            })
            .await
        })
    };
    for faults in [Faults::none(), Faults::everyday()] {
        let found = failure(&of(spins).faults(faults).cases(100));
        assert_eq!(found.violation.property, Property::EveryHandlerFinishes);
        let sentence = &found.violation.sentence;
        assert!(sentence.contains("while no time passed"), "{sentence}");
        assert!(found.story.events.len() <= 12, "{}", found.story);
    }
}

#[test]
fn a_handler_that_yields_now_and_then_does_not_spin() {
    let yields = || {
        Consumer::each_async(|_, context| async move {
            for _ in 0..5 {
                for _ in 0..300 {
                    context.wait(Duration::ZERO).await;
                }
                context.wait(secs(1)).await;
            }
            Answer::Ok(())
        })
    };
    passed(&of(yields).watch_visibility().cases(50));
}
