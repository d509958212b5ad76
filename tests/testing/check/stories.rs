//! How a failure is told: cycles once, other sets of faults in a line, and a picture.
use {
    super::consumers::{failure, jobs},
    proptest::strategy::Just,
    requeue::testing::{Check, CheckError, Consumer, EventKind, Fate, Fault, Faults, check},
    std::{env, fs, process, time::Duration},
};

/// Fails every time, and says how often.
fn poison() -> Check<()> {
    check("poison", || ())
        .pairs(60)
        .queue(jobs)
        .messages(Just("<b>five</b>"))
        .consumer("parser", |_| {
            Consumer::each(|message, context| {
                context.note(format!("try {}", message.approximate_receive_count()));
                Err::<(), _>("no number")
            })
        })
        .faults(Faults::none())
        .messages_at_most(1)
        .cases(1)
        .finally("all is deleted", |(), messages| {
            messages.iter().all(|it| it.fate == Some(Fate::Deleted))
        })
}

#[test]
fn a_message_that_comes_back_for_days_is_told_in_a_few_lines() {
    let story = failure(&poison()).story;
    assert!(story.events.len() > 100, "{story}");
    let lines = story.lines();
    let without_time: Vec<_> = lines.iter().map(|line| line[15..].trim()).collect();
    assert_eq!(
        without_time[..4],
        [
            "producer  sends m1 \"<b>five</b>\"",
            "parser    receives m1",
            "parser    try 1",
            "parser    works on m1: failed (no number)",
        ]
    );
    assert!(without_time[4].starts_with("and so on every 30 s, "), "{story}");
    assert!(lines[5].starts_with("4d 00:00:00.000  ") && lines[5].ends_with("  m1 expires"));
    assert_eq!(lines.len(), 6);
    assert!(story.to_string().starts_with(&(lines.join("\n") + "\nviolated: ")));
}

#[test]
fn every_event_has_its_kind() {
    let check = check("kinds", || 0)
        .pairs(60)
        .queue_with_dead_letters(1, jobs)
        .messages(Just("job"))
        .consumer("c", |done| {
            let done = done.clone();
            let consumer = Consumer::each(move |message, context| {
                if message.body() == "next" {
                    return Err("not this one".to_owned());
                }
                context.note("begins");
                context.send("next").map_err(|error| error.to_string())?;
                let _ = context.change_visibility(message, Duration::from_secs(20));
                *done.borrow_mut() += 1;
                context.delete(message).map_err(|error| error.to_string())
            });
            consumer.deletes_itself()
        })
        .faults(Faults::none())
        .messages_at_most(1)
        .finally("nothing is done", |done, _| *done == 0);
    let story = failure(&check).story;
    let kinds: Vec<_> = story.events.iter().map(|it| it.kind).collect();
    let expected = [
        EventKind::Send,
        EventKind::Receive,
        EventKind::Note,
        EventKind::Send,
        EventKind::Visibility,
        EventKind::Delete,
        EventKind::Finish,
        EventKind::Receive,
        EventKind::Finish,
        EventKind::DeadLetter,
    ];
    assert_eq!(kinds, expected, "{story}");
}

#[test]
fn other_sets_of_faults_are_told_in_a_line() {
    let mut error = poison().run().unwrap_err();
    let mut told = |count: usize| {
        let CheckError::Failed { failure, .. } = &mut error else {
            panic!("{error}")
        };
        failure.also_with = vec![vec![Fault::DeleteFails]; count];
        if let Some(last) = failure.also_with.last_mut() {
            last.push(Fault::ClockJump);
        }
        let text = error.to_string();
        text.lines().find(|it| it.starts_with("also with")).map(str::to_owned)
    };
    assert_eq!(told(0), None);
    assert_eq!(told(2).unwrap(), "also with: DeleteFails; DeleteFails and ClockJump");
    assert!(told(6).unwrap().ends_with("DeleteFails and ClockJump"));
    assert!(told(9).unwrap().ends_with("DeleteFails; DeleteFails; and 3 more"));
}

#[test]
fn a_failure_is_saved_as_a_page() {
    let path = env::temp_dir().join(format!("requeue-{}.html", process::id()));
    let mut found = failure(&poison());
    found.also_with = vec![vec![Fault::DeleteFails]];
    found.save_html(&path).unwrap();
    let page = fs::read_to_string(&path).unwrap();
    fs::remove_file(&path).unwrap();
    assert!(page.contains("<h1>The failure without a fault</h1>"));
    assert!(page.contains("also with: DeleteFails</p>"));
    assert!(page.contains("&lt;b&gt;five&lt;/b&gt;") && !page.contains("<b>"));
    assert!(page.len() < 10_000, "{}", page.len());
    assert!(found.save_html(env::temp_dir()).is_err(), "a folder is no file");
}
