//! A check in which nothing works does not pass, and one that passes says what became of its messages.
use {
    super::consumers::{jobs, passed, secs},
    proptest::strategy::Just,
    requeue::{
        Queue,
        testing::{Check, CheckError, Consumer, Context, Faults, check},
    },
    std::future::{Future, pending},
};

/// A program on its own, and a queue with jobs.
fn program<F>(run: fn(Context) -> F) -> Check<()>
where
    F: Future<Output = Result<(), String>> + 'static,
{
    check("idle", || ())
        .queue(jobs)
        .queue(|| Queue::standard("results"))
        .messages(Just("job"))
        .consumer("worker", move |_| Consumer::program(run))
        .cases(64)
}

#[test]
fn a_program_that_never_receives_has_passed_nothing() {
    for (check, ending) in [
        (program(|_| pending()), "did a consumer receive a message"),
        (
            program(|_| async { Err("no such queue".to_owned()) }),
            "did a consumer receive a message; worker returns: Err(\"no such queue\")",
        ),
        (program(|_| async { Ok(()) }), "did a consumer receive a message"),
        (
            program(|context| async move {
                let results = context.queue("results").map_err(|error| error.to_string())?;
                loop {
                    let _ = results.receive_async(|poll| poll.wait_time(secs(20))).await;
                }
            }),
            "did a consumer receive a message",
        ),
    ] {
        let error = check.run().unwrap_err();
        assert!(matches!(error, CheckError::NothingReceived { .. }), "{error}");
        let told = error.to_string();
        assert!(
            told.starts_with("the check idle passed ") && told.ends_with(ending),
            "{told}"
        );
        assert_eq!(format!("{error:?}"), told, "who unwraps it sees the same");
    }
}

#[test]
fn a_program_that_only_sends_has_worked() {
    let check = program(|context| async move {
        let results = context.queue("results").map_err(|error| error.to_string())?;
        results.send("result").map_err(|error| error.to_string())?;
        pending().await
    });
    assert_eq!(passed(&check).fates.received, 0);
}

#[test]
fn an_error_that_no_fault_has_caused_is_told() {
    let checked = |faults| {
        let check = program(|context| async move {
            let jobs = context.queue("jobs").map_err(|error| error.to_string())?;
            let received = jobs.receive(10).map_err(|error| error.to_string())?;
            for job in received {
                jobs.delete(&job).map_err(|error| error.to_string())?;
            }
            Err("done for today".to_owned())
        });
        passed(&check.faults(faults))
    };
    for faults in [Faults::none(), Faults::mixed()] {
        let passed = checked(faults);
        assert_eq!(
            passed.errors.keys().collect::<Vec<_>>(),
            ["worker returns: Err(\"done for today\")"]
        );
        let line = format!(
            "without a fault, {} times: worker returns: Err(\"done for today\")",
            passed.errors.values().sum::<u64>()
        );
        assert!(
            passed.to_string().replace(',', "").contains(&line.replace(',', "")),
            "{passed}"
        );
    }
}

#[test]
fn what_became_of_the_messages_is_told() {
    let check = check("fates", || ())
        .queue_with_dead_letters(2, jobs)
        .queue(|| Queue::standard("unread"))
        .messages(proptest::sample::select(vec!["good", "bad"]))
        .messages_to("unread", Just("letter"))
        .consumer("worker", |_| {
            Consumer::each(|job, _| if job.body() == "good" { Ok(()) } else { Err("bad") })
        })
        .sometimes("it is always so", |()| true);
    let passed = passed(&check);
    let fates = passed.fates;
    assert!(fates.deleted > 0 && fates.dead_lettered > 0, "{fates:?}");
    assert!(fates.messages > fates.deleted + fates.dead_lettered, "{fates:?}");
    assert!(fates.received >= fates.deleted + fates.dead_lettered, "{fates:?}");
    let told = passed.to_string();
    let line = told.lines().find(|line| line.contains(" messages: ")).unwrap();
    assert!(
        line.contains(" deleted, ") && line.contains(" dead-lettered, ") && line.ends_with(" left"),
        "{line}"
    );
    assert!(told.contains(" of them it is always so\n"), "{told}");
}
