//! Who is accused of dead letters that nobody has failed at, and who is not.
use {
    super::{
        consumers::{failure, fifo, jobs, numbered, passed, secs},
        properties::notices,
    },
    requeue::{
        Message, QueueBuilder,
        testing::{Check, Consumer, Context, Fault, Faults, Property, check},
    },
    std::time::Duration,
};

type Answer = Result<(), String>;

/// One consumer on one queue, where one receive is allowed.
fn one_on(queue: fn() -> QueueBuilder, make: fn() -> Consumer) -> Check<()> {
    let check = check("dead letters", || ()).pairs(60).queue_with_dead_letters(1, queue);
    check.messages(numbered()).consumer("c", move |_| make())
}

/// Nobody accuses it on these queues, whatever strikes in so many cases.
#[track_caller]
fn is_right_on(queues: &[fn() -> QueueBuilder], cases: u64, make: fn() -> Consumer) {
    for (faults, seed) in [(Faults::worst_legal(), 1), (Faults::everyday(), 2)] {
        let check = check("dead letters", || ())
            .pairs(60)
            .messages(numbered())
            .faults(faults)
            .seed(seed);
        let check = queues.iter().fold(check, |check, queue| {
            let check = check.or_queue_with_dead_letters(1, *queue);
            check.or_queue_with_dead_letters(3, *queue)
        });
        let check = check.consumer("c1", move |_| make()).consumer("c2", move |_| make());
        passed(&check.cases(cases / 2));
    }
}

#[track_caller]
fn is_right(make: fn() -> Consumer) {
    is_right_on(&[jobs, fifo], 600, make);
}

/// It is accused, on a standard queue and on a FIFO queue.
#[track_caller]
fn is_wrong(make: fn() -> Consumer) {
    for queue in [jobs, fifo] {
        notices(|| one_on(queue, make), &Property::NoDeadLetterWithoutFailure);
    }
}

/// Does the first message, and gives back what it has not begun.
fn one_at_a_time(give_back: fn(&Context, &Message)) -> Consumer {
    Consumer::batch(move |messages, context| {
        messages[1..].iter().for_each(|message| give_back(context, message));
        vec![Answer::Ok(())]
    })
}

/// Fails at jobs that end in 7, and does nothing more in a batch after that.
fn stops_at_a_failure(give_back: fn(&Context, &Message)) -> Consumer {
    Consumer::batch(move |messages, context| {
        let poor = messages.iter().position(|message| message.body().ends_with('7'));
        let done = poor.unwrap_or(messages.len());
        let left = messages.iter().skip(done + 1);
        left.for_each(|message| give_back(context, message));
        let answers = messages[..done].iter().map(|_| Ok(()));
        answers.chain(poor.map(|_| Err("poor"))).collect()
    })
}

fn hurries(context: &Context, message: &Message) {
    let _ = context.change_visibility(message, Duration::ZERO);
}

fn releases(context: &Context, message: &Message) {
    let _ = context.release(message);
}

// Wrong.

#[test]
fn who_gives_back_nine_of_ten_unbegun_is_found() {
    is_wrong(|| one_at_a_time(hurries));
    is_wrong(|| one_at_a_time(|_, message| _ = message.change_visibility(Duration::ZERO)));
}

#[test]
fn who_leaves_nine_of_ten_to_their_timeouts_is_found() {
    is_wrong(|| one_at_a_time(|_, _| ()));
}

#[test]
fn who_prefetches_more_than_it_begins_in_time_is_found() {
    let slow = || {
        let consumer = Consumer::each_async(|_, context| async move {
            context.wait(secs(70)).await;
            Answer::Ok(())
        });
        consumer.max_messages(10)
    };
    let make = move || one_on(jobs, slow).consumer("other", move |_| slow());
    notices(make, &Property::NoDeadLetterWithoutFailure);
}

#[test]
fn followers_that_are_left_behind_a_failure_of_their_group_are_found() {
    let poison = || {
        let consumer = Consumer::each(|message, _| match message.body().ends_with('7') {
            true => Err("poison"),
            false => Ok(()),
        });
        consumer.max_messages(10)
    };
    notices(|| one_on(fifo, poison), &Property::NoDeadLetterWithoutFailure);
}

#[test]
fn the_story_is_short_and_says_who_was_never_begun() {
    let check = one_on(jobs, || one_at_a_time(hurries)).faults(Faults::none());
    let found = failure(&check);
    assert_eq!(
        found.violation.sentence,
        "m3 was dead-lettered after 1 receive, and no handler had begun it"
    );
    assert_eq!(found.story.events.len(), 10, "{}", found.story);
}

// Right.

#[test]
fn who_releases_what_it_has_not_begun_is_right() {
    is_right_on(&[jobs, fifo], 3_000, || one_at_a_time(releases));
    is_right(|| one_at_a_time(|context, message| _ = context.postpone(message, secs(5))));
    is_right(|| one_at_a_time(|_, message| _ = message.release()));
}

#[test]
fn who_releases_what_follows_a_failure_is_right() {
    is_right(|| stops_at_a_failure(releases));
}

#[test]
fn who_answers_for_all_or_for_none_is_right() {
    is_right(|| {
        Consumer::batch(|messages, _| {
            let poor = messages.iter().any(|message| message.body().ends_with('7'));
            if poor {
                return Vec::new();
            }
            messages.iter().map(|_| Answer::Ok(())).collect()
        })
    });
    is_right(|| Consumer::batch(|messages, _| messages.iter().map(|_| Err("no")).collect()));
}

#[test]
fn the_first_without_an_answer_may_have_failed() {
    is_right(|| {
        Consumer::batch(|messages, context| {
            let done = messages.iter().take_while(|message| !message.body().ends_with('7'));
            let answers: Vec<_> = done.map(|_| Answer::Ok(())).collect();
            let left = messages.iter().skip(answers.len() + 1);
            left.for_each(|message| releases(context, message));
            answers
        })
    });
}

#[test]
fn who_works_past_its_lease_or_gives_up_by_itself_is_right() {
    is_right_on(&[jobs], 2_000, || {
        Consumer::each_async(|_, context| async move {
            context.wait(secs(45)).await;
            Answer::Ok(())
        })
    });
    is_right(|| {
        let consumer = Consumer::batch(|messages, _| {
            messages.iter().for_each(|message| _ = message.dead_letter("poison"));
            vec![Answer::Ok(())]
        });
        consumer.deletes_itself()
    });
}

#[test]
fn who_reports_a_failure_before_it_gives_back_is_right() {
    is_right(|| {
        one_at_a_time(|context, message| {
            message.report_failure("no room");
            hurries(context, message);
        })
    });
}

#[test]
fn who_prefetches_and_is_quick_is_right_whatever_strikes() {
    is_right(|| Consumer::each(|_, _| Answer::Ok(())).max_messages(10));
    is_right(|| {
        let consumer = Consumer::each(|message, context| match message.body() {
            "next" => Ok(()),
            _ => context.send("next").map(drop).map_err(|error| error.to_string()),
        });
        consumer.max_messages(1)
    });
}

#[test]
fn each_fault_alone_excuses_what_it_struck() {
    for fault in Fault::ALL {
        let queues: &[fn() -> QueueBuilder] = if fault.is_legal_on_fifo() {
            &[jobs, fifo]
        } else {
            &[jobs]
        };
        for queue in queues {
            for make in [
                || one_at_a_time(releases),
                || Consumer::each(|_, _| Answer::Ok(())).max_messages(10),
            ] {
                let check = one_on(*queue, make)
                    .faults(Faults::none().with(fault, 0.4))
                    .cases(60)
                    .pairs(60);
                passed(&check.consumer("other", move |_| make()));
            }
        }
    }
}

#[test]
fn a_message_that_somebody_else_receives_accuses_nobody() {
    is_right(|| {
        Consumer::each(|message, _| {
            let queue = message.queue();
            let poll = queue.receive().wait_time(Duration::ZERO);
            drop(poll.visibility_timeout(Duration::ZERO).blocking());
            Answer::Ok(())
        })
    });
}
