//! The same schedule gives the same story, whatever ran before it in the process.

use {
    crate::inbox::{Inbox, body},
    requeue::{
        Queue,
        testing::{CaseSchedule, Check, Consumer, Context, Fault, Faults, check, proptest::strategy::Just},
    },
    std::time::Duration,
};

fn forwards(limit: usize) -> Check<Vec<String>> {
    let check = check("forwards", Vec::new)
        .queue(|| Queue::standard("orders"))
        .queue(|| Queue::standard("shipping"))
        .messages(Just("order"))
        .consumer("forwarder", |sent| {
            let sent = sent.clone();
            Consumer::program(move |context: Context| {
                let sent = sent.clone();
                async move {
                    let orders = Inbox::open(&context, "orders").await;
                    let shipping = Inbox::open(&context, "shipping").await;
                    loop {
                        for order in orders.receive().await {
                            if shipping.send(&body(&order)).await.is_ok() {
                                sent.borrow_mut().push(body(&order));
                                context.note(format_args!("{:?}", orders.delete(&order).await.is_ok()));
                            }
                        }
                    }
                }
            })
        });
    check.always("few orders are sent on", move |sent| sent.len() <= limit)
}

#[test]
fn a_schedule_replays_to_the_same_events() {
    for seed in 0..10 {
        let check = || {
            forwards(3)
                .seed(seed)
                .faults(Faults::worst_legal())
                .first_failure_only()
        };
        let errors = [check().run(), check().run()].map(Result::unwrap_err);
        assert_eq!(errors[0].to_string(), errors[1].to_string());
        let found = errors[0].failure().expect("a case failed");
        let read: CaseSchedule = found.schedule.to_string().parse().expect("it was written so");
        let again = check().replay(&read).unwrap_err();
        assert_eq!(again.story().map(|it| &it.events), Some(&found.story.events));
    }
}

#[test]
fn no_case_uses_up_the_retries_of_another() {
    let faults = Faults::none()
        .with(Fault::SendThrottled, 1.0)
        .with(Fault::DeleteFails, 1.0);
    let run = || {
        forwards(usize::MAX)
            .faults(faults.clone())
            .pairs(50)
            .cases(60)
            .run()
            .map_err(|error| error.to_string())
    };
    assert_eq!(run(), run());
}

#[test]
fn an_attempt_follows_another_after_a_second_and_then_after_two() {
    let check = check("attempts", || None)
        .queue(|| Queue::standard("orders"))
        .messages(Just("order"))
        .messages_at_most(1)
        .consumer("c", |attempts| {
            let attempts = attempts.clone();
            Consumer::program(move |context: Context| {
                let attempts = attempts.clone();
                async move {
                    let orders = Inbox::open(&context, "orders").await;
                    let begun = context.now();
                    let _ = orders.send("order").await;
                    let took = context.now().saturating_duration_since(begun);
                    *attempts.borrow_mut() = Some(took);
                    orders.drain().await;
                }
            })
        })
        .faults(Faults::none().with(Fault::SendThrottled, 1.0))
        .pairs(50)
        .cases(60)
        .always("it takes no time, or 1 s, or 3 s", |took: &Option<Duration>| {
            took.is_none_or(|took| [0, 1, 3].map(Duration::from_secs).contains(&took))
        });
    let passed = check.run().unwrap_or_else(|error| panic!("{error}"));
    assert!(passed.faults[&Fault::SendThrottled] > 60, "{passed:?}");
}
