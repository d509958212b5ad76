//! Who is accused of working on what others can receive, and who is not: by what the handler can know of its hold.
use {
    super::consumers::{failure, fifo, jobs, numbered, of, passed, secs},
    requeue::{
        Message,
        testing::{Check, Consumer, Context, Fault, Faults, Property, check},
    },
    std::time::Duration,
};

type Answer = Result<(), String>;

fn two_of(make: fn() -> Consumer) -> Check<()> {
    let check = check("two of a kind", || ())
        .pairs(60)
        .queue(jobs)
        .or_queue(fifo)
        .or_queue_with_dead_letters(4, jobs)
        .or_queue_with_dead_letters(4, fifo)
        .messages(numbered())
        .watch_visibility();
    check.consumer("c1", move |_| make()).consumer("c2", move |_| make())
}

/// Nobody accuses it, whatever strikes.
#[track_caller]
fn is_right(make: fn() -> Consumer) {
    passed(&two_of(make));
    passed(&two_of(make).faults(Faults::worst_legal()));
    for fault in [
        Fault::PausePastVisibility,
        Fault::ClockJump,
        Fault::VisibilityFails,
        Fault::VisibilityLate,
        Fault::VisibilityResponseLost,
        Fault::DeleteFails,
    ] {
        passed(&two_of(make).faults(Faults::none().with(fault, 0.2)).cases(300));
    }
}

/// It is accused on a standard queue and on a FIFO queue, without any fault.
#[track_caller]
fn is_wrong(make: fn() -> Consumer) {
    for queue in [jobs, fifo] {
        let check = check("wrong", || ()).pairs(60).queue(queue).messages(numbered());
        let check = check.consumer("c", move |_| make()).watch_visibility();
        let found = failure(&check.faults(Faults::none()).first_failure_only());
        assert_eq!(
            found.violation.property,
            Property::HoldsWhatItWorksOn,
            "{}",
            found.story
        );
        assert!(found.story.events.len() <= 12, "{}", found.story);
    }
}

fn text(error: impl ToString) -> String {
    error.to_string()
}

/// Extends every ten seconds, and tries again every second while it still holds the message.
async fn with_retries(message: &Message, context: &Context, beats: u32) -> Answer {
    let mut held_until = message.invisible_until();
    for _ in 0..beats {
        context.wait(secs(10)).await;
        loop {
            let now = context.now();
            match context.change_visibility(message, secs(30)) {
                Ok(()) if now < held_until => {
                    held_until = now.saturating_add(secs(30));
                    break;
                }
                Err(_) if now.saturating_add(secs(1)) < held_until => context.wait(secs(1)).await,
                other => return Err(format!("lost: {other:?}")),
            }
        }
    }
    Ok(())
}

// Right.

#[test]
fn a_pause_excuses_all_that_was_received_with_the_message() {
    is_right(|| {
        let consumer = Consumer::each_async(|_, context| async move {
            context.wait(secs(2)).await;
            Answer::Ok(())
        });
        consumer.max_messages(10)
    });
    is_right(|| Consumer::each(|_, _| Answer::Ok(())).max_messages(10));
}

#[test]
fn who_gives_up_at_once_what_it_no_longer_holds_is_right() {
    is_right(|| {
        let consumer = Consumer::each_async(|message, context| async move {
            if context.now().saturating_add(secs(20)) >= message.invisible_until() {
                return Err("not enough time".to_owned());
            }
            context.wait(secs(20)).await;
            Ok(())
        });
        // With more, those behind the second would become dead letters that nobody has begun.
        consumer.max_messages(2)
    });
}

#[test]
fn who_begins_too_late_and_fails_at_once_is_right_on_a_fifo_queue_without_a_watch() {
    let late = || {
        let consumer = Consumer::each_async(|message, context| async move {
            if context.now() >= message.invisible_until() {
                return Err("too late".to_owned());
            }
            with_retries(&message, &context, 4).await
        });
        consumer.max_messages(10)
    };
    let check = check("late", || ()).pairs(60).queue(fifo).messages(numbered());
    let check = check.consumer("c1", move |_| late()).consumer("c2", move |_| late());
    passed(&check.faults(Faults::none()));
}

#[test]
fn who_retries_a_failed_extension_while_it_holds_the_message_is_right() {
    is_right(|| Consumer::each_async(|message, context| async move { with_retries(&message, &context, 5).await }));
}

#[test]
fn who_gives_up_at_the_first_failed_extension_is_right() {
    is_right(|| {
        let consumer = Consumer::each_async(|message, context| async move {
            for _ in 0..4 {
                context.wait(secs(20)).await;
                context.change_visibility(&message, secs(30)).map_err(text)?;
            }
            context.delete(&message).map_err(text)
        });
        consumer.deletes_itself()
    });
}

#[test]
fn who_asks_for_too_long_an_extension_and_then_for_less_is_right() {
    is_right(|| {
        Consumer::each_async(|message, context| async move {
            for _ in 0..4 {
                context.wait(secs(10)).await;
                if context.change_visibility(&message, secs(86_400)).is_err() {
                    context.change_visibility(&message, secs(30)).map_err(text)?;
                }
            }
            Answer::Ok(())
        })
    });
}

#[test]
fn who_extends_by_the_message_itself_is_right() {
    is_right(|| {
        Consumer::each_async(|message, context| async move {
            for _ in 0..4 {
                context.wait(secs(20)).await;
                message.change_visibility(secs(30)).map_err(text)?;
            }
            Answer::Ok(())
        })
    });
}

/// Gives every seventh job back at its first receive, and with it what follows in its group; works on the others, and
/// keeps them while it does.
async fn gives_back(messages: Vec<Message>, context: Context, back: Duration) -> Vec<Answer> {
    let (mut left, mut answers) = (Vec::new(), vec![Err("given back".to_owned()); messages.len()]);
    let mut kept = Vec::new();
    for (at, message) in messages.iter().enumerate() {
        let group = message.message_group_id();
        let poor = message.body().ends_with('7') && message.approximate_receive_count() < 2;
        if poor || left.contains(&group) {
            left.push(group);
            let _ = context.change_visibility(message, back);
        } else {
            kept.push((at, message));
        }
    }
    for round in 0..kept.len() {
        context.wait(secs(15)).await;
        for (_, message) in &kept[round..] {
            if let Err(error) = context.change_visibility(message, secs(30)) {
                answers[kept[round].0] = Err(error.to_string());
                return answers;
            }
        }
        let (at, message) = kept[round];
        answers[at] = context.delete(message).map_err(text);
        if answers[at].is_err() {
            break;
        }
    }
    answers
}

#[test]
fn a_batch_may_give_some_back_and_delete_others() {
    is_right(|| {
        Consumer::batch_async(|messages, context| gives_back(messages, context, Duration::ZERO)).deletes_itself()
    });
    is_right(|| Consumer::batch_async(|messages, context| gives_back(messages, context, secs(5))).deletes_itself());
}

/// Two consumers on a FIFO queue that nobody accuses.
#[track_caller]
fn is_right_in_groups(make: fn() -> Consumer, faults: Faults) {
    let check = check("in groups", || ())
        .pairs(60)
        .queue(fifo)
        .messages(numbered())
        .faults(faults);
    passed(&check.consumer("c1", move |_| make()).consumer("c2", move |_| make()));
}

#[test]
fn what_follows_a_message_given_back_in_its_group_may_be_left() {
    let leaves = || {
        Consumer::batch_async(|messages, context| async move {
            let first = messages[0].message_group_id();
            let poor = messages[0].approximate_receive_count() < 2;
            let is_left = |message: &Message| poor && message.message_group_id() == first;
            if poor {
                let _ = context.change_visibility(&messages[0], Duration::ZERO);
            }
            context.wait(secs(15)).await;
            let answer = |message| if is_left(message) { Err("left") } else { Ok(()) };
            messages.iter().map(answer).collect()
        })
    };
    is_right_in_groups(leaves, Faults::none());
}

#[test]
fn a_late_change_that_undoes_a_newer_one_is_not_the_handlers() {
    let insists = || {
        Consumer::each_async(|message, context| async move {
            context.wait(secs(10)).await;
            if context.change_visibility(&message, secs(30)).is_ok() {
                context.wait(secs(20)).await;
                return Ok(());
            }
            // The first change may arrive after this one, and then hides the message for less.
            context.change_visibility(&message, secs(100)).map_err(text)?;
            context.wait(secs(70)).await;
            Answer::Ok(())
        })
    };
    is_right_in_groups(insists, Faults::none().with(Fault::VisibilityLate, 0.5));
}

#[test]
fn a_message_given_back_to_come_later_may_be_waited_for() {
    is_right(|| {
        Consumer::each_async(|message, context| async move {
            if message.approximate_receive_count() < 2 {
                let _ = context.change_visibility(&message, secs(5));
                context.wait(secs(10)).await;
                return Err("later".to_owned());
            }
            Ok(())
        })
    });
}

/// Keeps only what it is at work on, and leaves what it cannot begin in time.
async fn leaves_the_rest(messages: Vec<Message>, context: Context) -> Vec<Answer> {
    let mut answers = Vec::new();
    for message in &messages {
        if context.now() >= message.invisible_until() || answers.iter().any(Result::is_err) {
            answers.push(Err("left".to_owned()));
            continue;
        }
        let extended = context.change_visibility(message, secs(60)).map_err(text);
        if extended.is_ok() {
            context.wait(secs(40)).await;
        }
        answers.push(extended);
    }
    answers
}

#[test]
fn a_batch_may_leave_what_it_cannot_begin_in_time() {
    is_right(|| Consumer::batch_async(leaves_the_rest));
}

#[test]
fn a_batch_whose_done_messages_are_deleted_is_not_at_work_on_their_groups() {
    let in_turn = || {
        let consumer = Consumer::batch_async(|messages, context| async move {
            let mut answers = Vec::new();
            for message in messages {
                if context.now().saturating_add(secs(10)) >= message.invisible_until() {
                    break;
                }
                context.wait(secs(4)).await;
                answers.push(context.delete(&message).map_err(text));
                if answers.last().is_some_and(Result::is_err) {
                    break;
                }
            }
            answers
        });
        consumer.deletes_itself()
    };
    is_right(in_turn);
}

// Wrong.

#[test]
fn refused_extensions_that_are_thrown_away_are_seen() {
    is_wrong(|| {
        Consumer::each_async(|message, context| async move {
            for _ in 0..5 {
                context.wait(secs(10)).await;
                let _ = context.change_visibility(&message, secs(86_400));
            }
            Answer::Ok(())
        })
    });
}

#[test]
fn failed_extensions_that_are_thrown_away_are_seen() {
    for (fault, probability) in [(Fault::VisibilityFails, 1.0), (Fault::VisibilityFails, 0.3)] {
        let check = of(|| {
            Consumer::each_async(|message, context| async move {
                for _ in 0..5 {
                    context.wait(secs(10)).await;
                    let _ = context.change_visibility(&message, secs(30));
                }
                Answer::Ok(())
            })
        });
        let faults = Faults::none().with(fault, probability);
        let found = failure(&check.watch_visibility().faults(faults).first_failure_only());
        assert_eq!(found.violation.property, Property::HoldsWhatItWorksOn);
    }
}

#[test]
fn extensions_that_come_too_late_are_seen() {
    is_wrong(|| {
        Consumer::each_async(|message, context| async move {
            for _ in 0..3 {
                context.wait(secs(40)).await;
                let _ = context.change_visibility(&message, secs(60));
            }
            Answer::Ok(())
        })
    });
}

#[test]
fn an_extension_at_the_end_of_the_hold_renews_nothing() {
    // On a FIFO queue it is refused (D19), on a standard queue it has no effect (D30).
    is_wrong(|| {
        Consumer::each_async(|message, context| async move {
            context.wait(secs(30)).await;
            let _ = context.change_visibility(&message, secs(60));
            context.wait(secs(10)).await;
            Answer::Ok(())
        })
    });
}

#[test]
fn extensions_that_shorten_are_seen() {
    is_wrong(|| {
        Consumer::each_async(|message, context| async move {
            for _ in 0..5 {
                context.wait(secs(10)).await;
                let _ = context.change_visibility(&message, secs(5));
            }
            Answer::Ok(())
        })
    });
}

#[test]
fn a_delete_of_what_is_no_longer_held_is_seen() {
    is_wrong(|| {
        let consumer = Consumer::each_async(|message, context| async move {
            context.wait(secs(45)).await;
            context.delete(&message).map_err(text)
        });
        consumer.deletes_itself()
    });
    is_wrong(|| {
        let consumer = Consumer::each_async(|message, context| async move {
            context.wait(secs(45)).await;
            message.delete().map_err(text)
        });
        consumer.deletes_itself()
    });
}

#[test]
fn work_on_what_was_released_or_postponed_is_seen() {
    is_wrong(|| {
        Consumer::each_async(|message, context| async move {
            let _ = context.release(&message);
            context.wait(secs(10)).await;
            Answer::Ok(())
        })
    });
    is_wrong(|| {
        Consumer::each_async(|message, context| async move {
            let _ = context.postpone(&message, secs(5));
            context.wait(secs(10)).await;
            Answer::Ok(())
        })
    });
}

#[test]
fn who_postpones_or_releases_and_fails_is_right() {
    is_right(|| {
        Consumer::each_async(|message, context| async move {
            context.wait(secs(20)).await;
            let too_early = message.sent_timestamp().saturating_add(secs(40));
            if context.now() < too_early {
                let _ = context.postpone(&message, secs(15));
                return Err("too early");
            }
            if context.now() < too_early.saturating_add(secs(20)) {
                let _ = context.release(&message);
                return Err("too early as well");
            }
            Ok(())
        })
    });
}

#[test]
fn work_past_the_hold_is_seen_although_it_fails() {
    is_wrong(|| {
        Consumer::each_async(|_, context| async move {
            context.wait(secs(45)).await;
            Err("broken".to_owned())
        })
    });
}

#[test]
fn work_that_begins_too_late_is_seen() {
    is_wrong(|| {
        let consumer = Consumer::each_async(|message, context| async move {
            for _ in 0..2 {
                context.wait(secs(20)).await;
                context.change_visibility(&message, secs(30)).map_err(text)?;
            }
            Answer::Ok(())
        });
        consumer.max_messages(10)
    });
}

#[test]
fn a_batch_that_takes_too_long_for_its_last_messages_is_seen() {
    is_wrong(|| {
        Consumer::batch_async(|messages, context| async move {
            context.wait(secs(11) * messages.len() as u32).await;
            messages.iter().map(|_| Answer::Ok(())).collect()
        })
    });
    is_wrong(|| {
        let consumer = Consumer::batch_async(|messages, context| async move {
            let mut answers = Vec::new();
            for message in messages {
                context.wait(secs(11)).await;
                answers.push(context.delete(&message).map_err(text));
            }
            answers
        });
        consumer.deletes_itself()
    });
    is_wrong(|| {
        Consumer::batch_async(|messages, context| async move {
            for message in &messages {
                let _ = context.change_visibility(message, secs(60));
                context.wait(secs(25)).await;
            }
            messages.iter().map(|_| Answer::Ok(())).collect()
        })
    });
}

#[test]
fn one_refused_delete_excuses_nothing_else_of_the_batch() {
    let check = of(|| {
        let consumer = Consumer::batch_async(|messages, context| async move {
            let _ = context.delete(&messages[0]);
            if messages.len() > 1 {
                let _ = context.change_visibility(&messages[0], secs(5));
                context.wait(secs(45)).await;
            }
            messages
                .iter()
                .map(|message| context.delete(message).map_err(text))
                .collect()
        });
        consumer.deletes_itself()
    });
    let found = failure(&check.watch_visibility().faults(Faults::none()).first_failure_only());
    assert_eq!(
        found.violation.property,
        Property::HoldsWhatItWorksOn,
        "{}",
        found.story
    );
}

#[test]
fn the_groups_of_a_run_are_its_own_until_it_gives_them_back() {
    let greedy = || {
        Consumer::each_async(|message, context| async move {
            let _ = context.change_visibility(&message, Duration::ZERO);
            context.wait(secs(10)).await;
            Answer::Ok(())
        })
    };
    let check = check("greedy", || ()).pairs(60).queue(fifo).messages(numbered());
    let check = check
        .consumer("c1", move |_| greedy())
        .consumer("c2", move |_| greedy());
    let found = failure(&check.faults(Faults::none()).first_failure_only());
    assert_eq!(
        found.violation.property,
        Property::OneHandlerPerGroup,
        "{}",
        found.story
    );
}
