//! Ready properties find what they are for, name the key, and accuse nobody who is right.
use {
    super::consumers::{failure, jobs, passed, secs},
    proptest::{prelude::*, sample::select},
    requeue::{
        Message, MessageId, Queue, QueueBuilder, SendMessage,
        testing::{Check, CheckError, Consumer, Context, Fault, Faults, FinalMessage, Property, World, check},
    },
    std::{cell::Cell, collections::BTreeSet, rc::Rc},
};

/// A ledger of charges, in their order.
type Charges = Vec<String>;

fn body(message: &FinalMessage) -> Option<String> {
    Some(message.body.to_string())
}

fn orders() -> impl Strategy<Value = Vec<SendMessage>> {
    let order = |id| SendMessage::new(format!("order-{id}")).message_group_id("ann");
    (1..5).prop_map(move |count| (1..=count).map(order).collect())
}

fn charging(handle: impl Fn(&World<Charges>, &Message) -> Result<(), String> + Copy + 'static) -> Check<Charges> {
    check("charges", Charges::new)
        .pairs(60)
        .queue(|| Queue::standard("orders"))
        .message_sequence(orders())
        .consumer("charger", move |charges| {
            let charges = charges.clone();
            Consumer::each(move |order, _| handle(&charges, order))
        })
        .effects_exactly_once("charged", Clone::clone, body)
}

fn charge(charges: &World<Charges>, order: &Message) -> Result<(), String> {
    charges.borrow_mut().push(order.body().to_owned());
    Ok(())
}

/// Remembers in the world what it has charged.
fn charge_once(charges: &World<Charges>, order: &Message) -> Result<(), String> {
    let known = charges.borrow().iter().any(|it| it == order.body());
    if known { Ok(()) } else { charge(charges, order) }
}

fn both_faults(check: impl Fn() -> Check<Charges>) {
    passed(&check().faults(Faults::everyday()));
    passed(&check().faults(Faults::worst_legal()));
}

#[test]
fn who_charges_at_each_delivery_is_found_and_the_order_is_named() {
    let found = failure(&charging(charge));
    assert_eq!(
        found.violation.property,
        Property::Invariant("nothing is charged twice".to_owned())
    );
    assert_eq!(found.violation.sentence, "order-1 was charged twice");
}

#[test]
fn who_charges_several_times_at_once_is_told_the_number() {
    let thrice = |charges: &World<Charges>, order: &Message| (0..3).try_for_each(|_| charge(charges, order));
    assert_eq!(
        failure(&charging(thrice)).violation.sentence,
        "order-1 was charged 3 times"
    );
}

#[test]
fn who_swallows_an_order_is_found() {
    let swallow = |charges: &World<Charges>, order: &Message| match order.approximate_receive_count() {
        1 => charge_once(charges, order),
        _ => Ok(()),
    };
    let found = failure(&charging(swallow));
    let property = Property::Invariant("what is deleted was charged".to_owned());
    assert_eq!(found.violation.property, property);
    assert_eq!(
        found.violation.sentence,
        "m1 was deleted, but order-1 was never charged"
    );
}

#[test]
fn who_charges_each_order_once_is_right() {
    both_faults(|| charging(charge_once));
}

#[test]
fn an_order_that_became_a_dead_letter_demands_nothing() {
    let picky = |charges: &World<Charges>, order: &Message| match order.body() {
        "order-2" => Err("no such customer".to_owned()),
        _ => charge_once(charges, order),
    };
    both_faults(move || {
        let check = charging(picky).queue(|| Queue::standard("failed"));
        check
            .dead_letters("orders", "failed", 3)
            .consumer("clerk", |_| Consumer::each(|_, _| Ok::<_, String>(())).from("failed"))
    });
}

#[test]
fn a_message_id_is_told_as_the_story_calls_the_message() {
    let found = failure(
        &check("done", Vec::<MessageId>::new)
            .pairs(60)
            .queue(jobs)
            .messages(Just("job"))
            .consumer("c", |done| {
                let done = done.clone();
                Consumer::each(move |message, _| {
                    done.borrow_mut().push(message.message_id());
                    Ok::<_, String>(())
                })
            })
            .effects_exactly_once("done", Clone::clone, |it| Some(it.message_id)),
    );
    assert_eq!(found.violation.sentence, "m1 was done twice");
}

/// Records what it is given, in an order of its own.
fn recording(order: impl Fn(&mut Vec<&Message>) + Copy + 'static) -> Check<Charges> {
    check("records", Charges::new)
        .pairs(60)
        .queue(|| Queue::fifo("orders.fifo").content_based_deduplication(true))
        .message_sequence(orders())
        .consumer("clerk", move |recorded| {
            let recorded = recorded.clone();
            Consumer::batch(move |messages, _| {
                let mut in_turn: Vec<_> = messages.iter().collect();
                order(&mut in_turn);
                for message in in_turn {
                    let _ = charge_once(&recorded, message);
                }
                messages.iter().map(|_| Ok::<_, String>(())).collect()
            })
        })
        .effects_in_order("recorded", Clone::clone, body)
}

#[test]
fn who_works_off_a_batch_from_its_end_is_found() {
    let found = failure(&recording(|messages| messages.reverse()));
    assert_eq!(
        found.violation.sentence,
        "order-2 was recorded before order-1, which was sent first in group ann"
    );
}

#[test]
fn who_keeps_the_order_is_right_whatever_comes_again() {
    both_faults(|| recording(|_| {}));
}

/// A send that is late comes after the send that took its place, and after those that followed.
#[test]
fn a_late_copy_of_what_died_or_expired_is_in_no_order() {
    let check = |queue: fn() -> QueueBuilder| {
        check("records", Charges::new)
            .queue_with_dead_letters(1, queue)
            .message_sequence(Just(vec!["order-1", "order-2"]))
            .consumer("clerk", |recorded| {
                let recorded = recorded.clone();
                Consumer::each(move |order, _| charge_once(&recorded, order))
            })
            .effects_in_order("recorded", Clone::clone, body)
    };
    let faults = Faults::none().with(Fault::SendLate, 0.1).with(Fault::DeleteFails, 0.1);
    passed(&check(jobs).faults(faults));
    let minute = || jobs().message_retention_period(secs(60)).visibility_timeout(secs(600));
    let schedule = "requeue schedule 2\nmessage \"order-1\"\nmessage \"order-2\"\nsend 0 SendLate\nsend 1\nturn 0\n\
                    turn 0 CrashBeforeWork\nwait 50s\nturn 0\nturn 0\nturn 0\nwait 12s\nend";
    let replayed = check(minute).replay(&schedule.parse().unwrap());
    replayed.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn a_case_of_many_messages_is_looked_at_no_more_often_than_it_changes() {
    const MESSAGES: usize = 300;
    let (asked, looked) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    let (asks, looks) = (Rc::clone(&asked), Rc::clone(&looked));
    let check = charging(charge_once)
        .effects_in_order("charged", Clone::clone, move |order| {
            asks.set(asks.get() + 1);
            body(order)
        })
        .always("it is looked at", move |_| looks.replace(looks.get() + 1) < usize::MAX);
    let each = |line: fn(usize) -> String| (0..MESSAGES).map(line).collect::<String>();
    let messages = each(|at| format!("message \"order-{at}\"\n"));
    let sends = each(|at| format!("send {at}\n"));
    let schedule = format!("requeue schedule 2\n{messages}{sends}end\n").parse().unwrap();
    check.replay(&schedule).unwrap_or_else(|error| panic!("{error}"));
    let (asked, looked) = (asked.get(), looked.get());
    assert!((MESSAGES..=4 * MESSAGES).contains(&asked), "{asked}");
    assert!((MESSAGES..MESSAGES + 10).contains(&looked), "{looked}");
}

#[test]
fn each_group_has_an_order_of_its_own() {
    let name = |(id, group)| SendMessage::new(format!("{group}-{id}")).message_group_id(group);
    let both = Just((1..4).flat_map(|id| [(id, "ann"), (id, "bob")]).map(name).collect());
    let by_group = |messages: &mut Vec<&Message>| {
        messages.sort_by_key(|it| it.message_group_id().map(ToOwned::to_owned));
    };
    both_faults(move || recording(by_group).message_sequence(both.clone()));
}

fn clerk(hand_on: impl Fn(&Message, &Context) -> Result<(), String> + Copy + 'static) -> Check<Charges> {
    check("orders", Charges::new)
        .pairs(60)
        .queue(|| Queue::standard("orders"))
        .queue(|| Queue::standard("payments"))
        .message_sequence(orders())
        .consumer("clerk", move |_| Consumer::each(hand_on))
        .nothing_lost("orders", "payments", body)
}

#[test]
fn who_loses_an_order_between_two_queues_is_found() {
    let found = failure(&clerk(|order, context| {
        let payments = context.queue("payments").map_err(|it| it.to_string())?;
        let _ = payments.send(order.body());
        Ok(())
    }));
    let property = Property::Invariant("nothing is lost from orders to payments".to_owned());
    assert_eq!(found.violation.property, property);
    assert_eq!(
        found.violation.sentence,
        "m1 was deleted from orders, but order-1 was never sent to payments"
    );
}

#[test]
fn who_deletes_only_what_is_handed_on_is_right() {
    both_faults(|| {
        clerk(|order, context| {
            let payments = context.queue("payments").map_err(|it| it.to_string())?;
            payments.send(order.body()).map(drop).map_err(|it| it.to_string())
        })
    });
}

#[test]
fn what_demands_nothing_may_go() {
    let keeps = |id: &'static str| {
        let hand_on = |order: &Message, context: &Context| {
            let payments = context.queue("payments").map_err(|it| it.to_string())?;
            payments.send(order.body()).map(drop).map_err(|it| it.to_string())
        };
        check("orders", || ())
            .pairs(60)
            .queue(|| Queue::standard("orders"))
            .queue(|| Queue::standard("payments"))
            .message_sequence(orders())
            .consumer("clerk", move |_| {
                Consumer::each(move |order, context| match order.body() {
                    "order-1" => Ok(()),
                    _ => hand_on(order, context),
                })
            })
            .nothing_lost("orders", "payments", move |it| {
                (&*it.body != id).then(|| it.body.to_string())
            })
    };
    passed(&keeps("order-1"));
    assert!(keeps("order-2").run().is_err());
}

#[test]
fn a_property_of_a_queue_that_is_not_there_names_it() {
    let error = clerk(|_, _| Ok(()))
        .nothing_lost("orders", "refunds", body)
        .run()
        .unwrap_err();
    assert!(
        matches!(&error, CheckError::NoQueue(name) if name == "refunds"),
        "{error}"
    );
    let own = check("own", || ())
        .pairs(60)
        .queue_with_dead_letters(3, jobs)
        .messages(Just("job"));
    let own = own.consumer("c", |_| Consumer::each(|_, _| Ok::<_, String>(())));
    let own = own.nothing_lost("jobs-dead-letters", "jobs", body);
    passed(&own.cases(10));
}

fn adding(check: Check<Charges>) -> Check<Charges> {
    check
        .messages(select(vec!["5", "five"]))
        .consumer("adder", |_| {
            Consumer::each(|message, _| message.body().parse::<u32>().map(drop))
        })
        .none_expires()
}

#[test]
fn who_fails_a_message_until_it_expires_is_found() {
    let found = failure(&adding(check("numbers", Charges::new).pairs(60).queue(jobs)));
    assert_eq!(found.violation.property, Property::NoneExpires);
    let sentence = &found.violation.sentence;
    assert!(sentence.starts_with("m1 expired after "), "{sentence}");
    assert_eq!(found.story.events.last().unwrap().what, "m1 expires");
}

#[test]
fn who_lets_poison_become_a_dead_letter_is_right() {
    both_faults(|| {
        adding(
            check("numbers", Charges::new)
                .pairs(60)
                .queue_with_dead_letters(3, jobs),
        )
    });
}

#[test]
fn what_expires_because_time_passed_is_nobodys_doing() {
    let minute = || Queue::standard("jobs").message_retention_period(secs(60));
    let check = || {
        adding(
            check("numbers", Charges::new)
                .pairs(60)
                .queue_with_dead_letters(3, minute),
        )
    };
    both_faults(move || check().messages(Just("5")));
}

#[test]
fn an_effect_after_the_hold_has_ended_is_found() {
    let slow = |tells: bool| {
        check("renders", || ())
            .pairs(60)
            .queue(jobs)
            .messages(Just("film.mov"))
            .consumer("renderer", move |_| {
                Consumer::each_async(move |film, context| async move {
                    if film.approximate_receive_count() > 1 {
                        return Ok(());
                    }
                    context.wait(secs(30)).await;
                    if tells {
                        context.effect(&film, "uploads the film");
                    }
                    Err("it took too long")
                })
            })
            .watch_visibility()
    };
    passed(&slow(false));
    let found = failure(&slow(true));
    assert_eq!(found.violation.property, Property::HoldsWhatItWorksOn);
    let whats: Vec<_> = found.story.events.iter().map(|it| it.what.as_str()).collect();
    assert!(whats.contains(&"uploads the film (m1)"), "{}", found.story);
}

#[test]
fn an_effect_while_the_message_is_held_is_right() {
    let check = || {
        check("renders", Charges::new)
            .pairs(60)
            .queue(jobs)
            .messages(Just("film.mov"))
            .consumer("renderer", |_| {
                Consumer::each_async(|film, context| async move {
                    context.wait(secs(29)).await;
                    context.effect(&film, "uploads the film");
                    Ok::<_, String>(())
                })
            })
            .watch_visibility()
    };
    both_faults(check);
}

#[test]
fn the_last_event_is_the_one_that_broke_it_while_time_passes_too() {
    let found = failure(
        &check("ticks", || 0)
            .pairs(60)
            .queue(|| Queue::standard("jobs").visibility_timeout(secs(600)))
            .messages(Just("job"))
            .consumer("clock", |ticks| {
                let ticks = ticks.clone();
                Consumer::each_async(move |_, context| {
                    let ticks = ticks.clone();
                    async move {
                        for tick in 1..=30 {
                            context.wait(secs(1)).await;
                            context.note(format!("tick {tick}"));
                            *ticks.borrow_mut() = tick;
                        }
                        Ok::<_, String>(())
                    }
                })
            })
            .always("it has not struck four", |ticks| *ticks < 4),
    );
    let last = found.story.events.last().unwrap();
    assert_eq!(
        (last.what.as_str(), last.at_millis),
        ("tick 4", 4_000),
        "{}",
        found.story
    );
}

#[test]
fn the_keys_of_a_set_are_effects_too() {
    let check = check("set", BTreeSet::<u32>::new)
        .queue(jobs)
        .messages((1..9_u32).prop_map(|id| id.to_string()))
        .consumer("c", |seen| {
            let seen = seen.clone();
            Consumer::each(move |message, _| {
                let id = message.body().parse::<u32>().map_err(|it| it.to_string())?;
                seen.borrow_mut().insert(id);
                Ok::<_, String>(())
            })
        })
        .effects_exactly_once(
            "seen",
            |seen| seen.iter().copied().collect(),
            |it| it.body.parse::<u32>().ok(),
        );
    passed(&check);
}
