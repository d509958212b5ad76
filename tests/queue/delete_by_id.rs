//! Deleting messages by their ids, which SQS has no verb for.

use {
    crate::{
        common::{assert_refused, bodies, counts, fifo, in_group, now, receive, secs, send_grouped, standard, take},
        waiter::{Receiver, Waiter, with_each_face},
    },
    requeue::{Budget, Fact, FactChannel, ManualClock, MessageId, Metrics, Queue, QueueAttributes},
    std::{collections::BTreeSet, time::Duration},
};

fn ids(queue: &Queue) -> Vec<MessageId> {
    queue.snapshot().messages.iter().map(|it| it.message_id).collect()
}

#[test]
fn messages_of_every_phase_are_deleted_and_counted_and_others_stay() {
    for builder in [standard, fifo] {
        let ((listener, facts), metrics) = (FactChannel::unbounded(), Metrics::new());
        let listened = builder(&ManualClock::default()).listener(metrics.clone());
        let jobs = listened.listener(listener).build().unwrap();
        jobs.send(in_group("a", "in flight")).unwrap();
        take(&jobs);
        jobs.send(in_group("b", "visible")).unwrap();
        jobs.send(in_group("c", "stays")).unwrap();
        jobs.set_attributes(QueueAttributes::new().delay(secs(10))).unwrap();
        jobs.send(in_group("d", "delayed")).unwrap();
        let all = ids(&jobs);
        let gone = [all[0], all[1], all[3], all[1]];
        let _ = facts.try_iter().count();
        assert_eq!(jobs.delete_by_id(&gone), Ok(3), "{} twice", all[1]);
        assert_eq!((counts(&jobs), ids(&jobs)), ([1, 0, 0], vec![all[2]]));
        let told = facts.try_iter().map(|(_, entry)| match entry.fact {
            Fact::Deleted { message_id, .. } => message_id,
            fact => panic!("{fact:?}"),
        });
        assert_eq!(told.collect::<Vec<_>>(), [all[0], all[1], all[3]]);
        assert_eq!(metrics.report(&jobs).number_of_messages_deleted, 3);
        assert_eq!(jobs.delete_by_id(&gone), Ok(0), "what is not there is no error");
        assert_eq!(jobs.delete_by_id(&[]), Ok(0));
        assert_eq!(now(jobs.delete_by_id_async(&all)), Ok(1));
    }
}

#[test]
fn a_consumer_settles_what_was_deleted_from_under_it_as_a_deleted_message() {
    // D19 D5
    for builder in [standard, fifo] {
        let jobs = builder(&ManualClock::default()).build().unwrap();
        jobs.send(in_group("g", "m")).unwrap();
        let held = take(&jobs);
        assert_eq!(jobs.delete_by_id(&[held.message_id()]), Ok(1));
        assert_eq!(held.delete(), Ok(()));
        let gone = held.change_visibility(Duration::ZERO).unwrap_err();
        assert_eq!(gone.code(), "InvalidParameterValue");
        jobs.send(in_group("g", "another in its place")).unwrap();
        assert_eq!(held.delete(), Ok(()));
        assert_eq!(counts(&jobs), [1, 0, 0]);
    }
}

#[test]
fn a_group_goes_on_in_order_without_what_had_locked_it() {
    // F18
    let clock = ManualClock::default();
    let jobs = fifo(&clock).build().unwrap();
    send_grouped(&jobs, ["g-1", "g-2", "g-3", "g-4"]);
    let first = take(&jobs);
    first.postpone(secs(3_600)).unwrap();
    assert!(receive(&jobs, 10).is_empty(), "the group is paused for an hour");
    let third = ids(&jobs)[2];
    assert_eq!(jobs.delete_by_id(&[third]), Ok(1));
    assert!(receive(&jobs, 10).is_empty(), "it still is");
    assert_eq!(jobs.delete_by_id(&[first.message_id()]), Ok(1));
    assert_eq!(bodies(&receive(&jobs, 10)), ["g-2", "g-4"]);
}

#[test]
fn receivers_that_wait_for_locked_groups_are_woken() {
    with_each_face(|face, clock| {
        let jobs = fifo(clock).build().unwrap();
        send_grouped(&jobs, ["a-1", "a-2", "b-1", "b-2"]);
        let held = receive(&jobs, 1).into_iter().chain(receive(&jobs, 1));
        let held: Vec<MessageId> = held.map(|message| message.message_id()).collect();
        let long_poll = |nth| Receiver::receiving(face, clock, nth, &jobs, |jobs| jobs.receive().wait_time(secs(20)));
        let (first, second) = (long_poll(1), long_poll(2));
        assert_eq!(jobs.delete_by_id(&held), Ok(2));
        assert_eq!(
            (first.over(), second.over()),
            (Ok(vec!["a-2".into()]), Ok(vec!["b-2".into()]))
        );
    });
}

#[test]
fn a_sender_that_waits_for_capacity_is_let_in() {
    with_each_face(|face, clock| {
        let jobs = standard(clock).budget(Budget::new().messages(1)).build().unwrap();
        let sent = jobs.send("first").unwrap();
        let send = Waiter::sending(face, clock, 1, &jobs, "second", secs(20));
        assert_eq!(jobs.delete_by_id(&[sent.message_id]), Ok(1));
        send.result().unwrap();
        assert_eq!(bodies(&receive(&jobs, 10)), ["second"]);
    });
}

#[test]
fn a_deleted_send_is_still_remembered() {
    // F11
    let jobs = fifo(&ManualClock::default()).build().unwrap();
    let sent = jobs.send(in_group("g", "m")).unwrap();
    assert_eq!(jobs.delete_by_id(&[sent.message_id]), Ok(1));
    assert_eq!(jobs.send(in_group("g", "m")), Ok(sent));
    assert_eq!(counts(&jobs), [0, 0, 0]);
}

#[test]
fn what_has_expired_is_not_deleted_any_more() {
    // D41
    for builder in [standard, fifo] {
        let clock = ManualClock::default();
        let jobs = builder(&clock).message_retention_period(secs(60)).build().unwrap();
        let messages = 0..1_000;
        let sent = messages.map(|number| jobs.send(in_group("g", &number.to_string())).unwrap().message_id);
        let sent: Vec<MessageId> = sent.collect();
        clock.advance(secs(60));
        assert_eq!(jobs.delete_by_id(&sent), Ok(0));
    }
}

#[test]
fn half_of_a_hundred_thousand_messages_are_deleted_by_one_call() {
    for builder in [standard, fifo] {
        let jobs = builder(&ManualClock::default()).build().unwrap();
        let messages = (0..100_000).map(|number| in_group(&format!("g{}", number % 1_000), &number.to_string()));
        let sent: Vec<MessageId> = messages.map(|message| jobs.send(message).unwrap().message_id).collect();
        let (gone, stay) = sent.split_at(50_000);
        assert_eq!(jobs.delete_by_id(gone), Ok(50_000));
        let left: BTreeSet<MessageId> = ids(&jobs).into_iter().collect();
        assert!(left.into_iter().eq(stay.iter().copied().collect::<BTreeSet<_>>()));
    }
}

#[test]
fn a_deleted_queue_has_no_messages_to_delete() {
    let jobs = standard(&ManualClock::default()).build().unwrap();
    let sent = jobs.send("m").unwrap();
    jobs.delete_queue().unwrap();
    let text = "The specified queue does not exist.";
    assert_refused!(jobs.delete_by_id(&[sent.message_id]), "QueueDoesNotExist", text);
}
