//! A consumer gives a message up, and it goes to the dead-letter queue at once. The call is ours; what it does follows
//! the rules of dead letters (L8-L19) and of receipt handles (D19, D30).

use {
    crate::common::{
        DAY, MILLISECOND, VISIBILITY, assert_refused, bodies, counts, fifo, in_group, now, receive, secs, send_grouped,
        standard, take, take_for,
    },
    requeue::{
        Budget, Fact, FactChannel, FactEntry, FactListener, ManualClock, Message, Queue, QueueAttributes, QueueBuilder,
        QueueError, RedrivePolicy, SendMessage, Service, StartMessageMoveTask,
    },
    std::{
        sync::{
            Arc, Mutex, OnceLock,
            atomic::{AtomicBool, Ordering},
        },
        thread,
        time::Duration,
    },
};

const NOT_IN_FLIGHT: &str = "Message does not exist or is not in flight.";
const EXPIRED: &str = "The receipt handle has expired.";

/// Builders of a dead-letter queue and its source, of either type.
fn each_type(clock: &ManualClock) -> [(QueueBuilder, QueueBuilder); 2] {
    let dead = Queue::standard("dead").clock(clock.clone());
    let fifo_dead = Queue::fifo("dead.fifo").clock(clock.clone());
    [(dead, standard(clock)), (fifo_dead, fifo(clock))]
}

/// A queue that allows five receives and its dead-letter queue, of either type.
fn each_pair(clock: &ManualClock) -> [(Queue, Queue); 2] {
    each_type(clock).map(|(dead, jobs)| {
        let dead = dead.build().unwrap();
        (jobs.dead_letter(&dead, 5).build().unwrap(), dead)
    })
}

fn invalid(message: &Message, reason: &str) -> String {
    let handle = message.receipt_handle();
    format!("Value {handle} for parameter ReceiptHandle is invalid. Reason: {reason}")
}

fn name(fact: &Fact) -> String {
    let text = format!("{fact:?}");
    text.split([' ', '{', '(']).next().unwrap().to_owned()
}

#[test]
fn a_message_in_flight_is_in_the_dead_letter_queue_when_the_call_returns() {
    // L17
    let clock = ManualClock::default();
    for (jobs, dead) in each_pair(&clock) {
        let each: [fn(&Queue, &Message); 4] = [
            |jobs, message| jobs.dead_letter(&message.receipt_handle(), "poison").unwrap(),
            |jobs, message| now(jobs.dead_letter_async(&message.receipt_handle(), "poison".to_owned())).unwrap(),
            |_, message| message.dead_letter(Arc::from("poison")).unwrap(),
            |_, message| now(message.dead_letter_async("poison")).unwrap(),
        ];
        for (place, dead_letter) in each.into_iter().enumerate() {
            jobs.send(in_group("g", &place.to_string())).unwrap();
            dead_letter(&jobs, &take(&jobs));
            assert_eq!((counts(&jobs), counts(&dead)), ([0, 0, 0], [place + 1, 0, 0]));
        }
        clock.advance(VISIBILITY);
        assert!(receive(&jobs, 10).is_empty(), "nothing is left to come back");
        assert_eq!(bodies(&receive(&dead, 10)), ["0", "1", "2", "3"]);
    }
}

#[test]
fn the_receive_count_plays_no_part_and_runs_on() {
    // L6 L8
    for receives in [1, 4, 5] {
        for (jobs, dead) in each_pair(&ManualClock::default()) {
            jobs.send(in_group("g", "m")).unwrap();
            for _ in 1..receives {
                take_for(&jobs, Duration::ZERO);
            }
            take(&jobs).dead_letter("poison").unwrap();
            assert_eq!(take(&dead).approximate_receive_count(), receives + 1);
        }
    }
}

#[test]
fn the_letter_keeps_what_it_was_sent_with_and_names_its_source() {
    // L10 L11 L12
    let clock = ManualClock::default();
    for (jobs, dead) in each_pair(&clock) {
        let sent = jobs.send(in_group("g", "m")).unwrap();
        clock.advance(secs(3));
        let message = take(&jobs);
        clock.advance(secs(4));
        message.dead_letter("poison").unwrap();
        let letter = take(&dead);
        assert_eq!(letter.message_id(), sent.message_id);
        assert_eq!(letter.body(), "m");
        assert_eq!(letter.sent_timestamp(), message.sent_timestamp());
        assert_eq!(
            letter.approximate_first_receive_timestamp(),
            message.approximate_first_receive_timestamp()
        );
        assert_eq!(letter.dead_letter_queue_source_arn(), Some(jobs.arn()));
        assert_eq!(letter.message_group_id(), Some("g"));
        let id = sent.message_id.to_string();
        let deduplication_id = jobs.is_fifo().then_some(&*id);
        assert_eq!(letter.message_deduplication_id(), deduplication_id);
    }
}

#[test]
fn retention_goes_on_from_the_send_and_on_a_fifo_queue_from_the_move() {
    // L13 L14
    let clock = ManualClock::default();
    for (jobs, dead) in each_pair(&clock) {
        jobs.send(in_group("g", "m")).unwrap();
        clock.advance(DAY);
        take(&jobs).dead_letter("poison").unwrap();
        clock.advance(DAY * 3 - MILLISECOND);
        assert_eq!(counts(&dead), [1, 0, 0]);
        clock.advance(MILLISECOND);
        assert_eq!(counts(&dead), [usize::from(dead.is_fifo()), 0, 0]);
    }
}

#[test]
fn delay_of_the_target_does_not_apply_and_a_long_poll_there_wakes() {
    // L17
    let clock = ManualClock::default();
    let dead = Queue::standard("dead")
        .clock(clock.clone())
        .delay(secs(900))
        .build()
        .unwrap();
    let jobs = standard(&clock).dead_letter(&dead, 5).build().unwrap();
    jobs.send("m").unwrap();
    thread::scope(|scope| {
        let poll = scope.spawn(|| dead.receive().wait_time(secs(20)).blocking().unwrap());
        dead.wait_for_waiters(1);
        take(&jobs).dead_letter("poison").unwrap();
        assert_eq!(bodies(&poll.join().unwrap()), ["m"]);
    });
}

#[test]
fn facts_tell_the_reason_then_the_arrival_then_the_departure() {
    // L17
    let clock = ManualClock::default();
    for (dead, jobs) in each_type(&clock) {
        let (listener, facts) = FactChannel::unbounded();
        let dead = dead.listener(listener.clone()).build().unwrap();
        let jobs = jobs.dead_letter(&dead, 5).listener(listener).build().unwrap();
        let id = jobs.send(in_group("g", "m")).unwrap().message_id;
        let message = take(&jobs);
        clock.advance(secs(7));
        message.dead_letter("not an image").unwrap();
        let told: Vec<_> = facts.try_iter().skip(2).collect();
        let places: Vec<_> = told
            .iter()
            .map(|(arn, it)| (&**arn, name(&it.fact), it.number))
            .collect();
        assert_eq!(
            places,
            [
                (jobs.arn(), "Failed".to_owned(), 3),
                (dead.arn(), "Arrived".to_owned(), 1),
                (jobs.arn(), "DeadLettered".to_owned(), 4),
            ]
        );
        let Fact::Failed { message_id, reason, .. } = &told[0].1.fact else {
            unreachable!()
        };
        assert_eq!((*message_id, &**reason), (id, "not an image"));
        assert!(told.iter().all(|(_, it)| it.fact.message_id() == Some(id)));
        assert!(told.iter().all(|(_, it)| it.at == requeue::Clock::now(&clock)));
    }
}

#[test]
fn a_handle_that_is_not_of_this_queue_is_refused() {
    // D19
    for (jobs, dead) in each_pair(&ManualClock::default()) {
        jobs.send(in_group("g", "m")).unwrap();
        take(&jobs).dead_letter("poison").unwrap();
        let handle = take(&dead).receipt_handle();
        let text = format!("The input receipt handle \"{handle}\" is not a valid receipt handle.");
        assert_refused!(jobs.dead_letter(&handle, "poison"), "ReceiptHandleIsInvalid", text);
        assert_eq!(counts(&dead), [0, 1, 0]);
        let text = "queue has no dead-letter queue";
        assert_refused!(dead.dead_letter(&handle, "poison"), "UnsupportedOperation", text);
    }
}

#[test]
fn a_message_that_is_not_in_flight_is_refused_and_stays() {
    // D19 D30
    let clock = ManualClock::default();
    for (jobs, dead) in each_pair(&clock) {
        jobs.send(in_group("g", "m")).unwrap();
        let visible = take_for(&jobs, Duration::ZERO);
        let text = invalid(&visible, NOT_IN_FLIGHT);
        assert_refused!(visible.dead_letter("poison"), "InvalidParameterValue", text);
        let ended = take(&jobs);
        clock.advance(VISIBILITY - MILLISECOND);
        assert_eq!(counts(&jobs), [0, 1, 0]);
        clock.advance(MILLISECOND);
        let text = invalid(&ended, NOT_IN_FLIGHT);
        assert_refused!(ended.dead_letter("poison"), "InvalidParameterValue", text);
        assert_eq!((counts(&jobs), counts(&dead)), ([1, 0, 0], [0, 0, 0]));
        let deleted = take(&jobs);
        deleted.delete().unwrap();
        let text = invalid(&deleted, NOT_IN_FLIGHT);
        assert_refused!(deleted.dead_letter("poison"), "InvalidParameterValue", text);
        assert_eq!((counts(&jobs), counts(&dead)), ([0, 0, 0], [0, 0, 0]));
    }
}

#[test]
fn the_handle_of_an_earlier_reception_is_refused_and_the_later_one_goes_on() {
    // D19: ours also on a standard queue, where an older handle changes the visibility of the current reception
    let clock = ManualClock::default();
    for (jobs, dead) in each_pair(&clock) {
        jobs.send(in_group("g", "m")).unwrap();
        let earlier = take(&jobs);
        clock.advance(VISIBILITY);
        let later = take(&jobs);
        let text = invalid(&earlier, EXPIRED);
        assert_refused!(earlier.dead_letter("poison"), "InvalidParameterValue", text);
        assert_eq!((counts(&jobs), counts(&dead)), ([0, 1, 0], [0, 0, 0]));
        later.dead_letter("poison").unwrap();
        assert_eq!((counts(&jobs), counts(&dead)), ([0, 0, 0], [1, 0, 0]));
    }
}

#[test]
fn the_same_message_leaves_once() {
    // L10 D19
    for (jobs, dead) in each_pair(&ManualClock::default()) {
        jobs.send(in_group("g", "m")).unwrap();
        let message = take(&jobs);
        let results = thread::scope(|scope| {
            [(); 4]
                .map(|()| scope.spawn(|| message.dead_letter("poison")))
                .map(|call| call.join().unwrap())
        });
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
        let text = invalid(&message, NOT_IN_FLIGHT);
        for result in results.into_iter().filter(Result::is_err) {
            assert_refused!(result, "InvalidParameterValue", text);
        }
        message.delete().unwrap();
        assert_eq!((counts(&jobs), counts(&dead)), ([0, 0, 0], [1, 0, 0]));
    }
}

#[test]
fn without_a_dead_letter_queue_the_message_stays_in_flight() {
    // L4 L9
    let clock = ManualClock::default();
    for (dead, jobs) in each_type(&clock) {
        let dead = dead.build().unwrap();
        let (listener, facts) = FactChannel::unbounded();
        let jobs = jobs.dead_letter(&dead, 5).listener(listener).build().unwrap();
        jobs.send(in_group("g", "m")).unwrap();
        let message = take(&jobs);
        let before = jobs.snapshot();
        facts.try_iter().for_each(drop);
        dead.delete_queue().unwrap();
        let text = format!("dead-letter queue {} does not exist", dead.arn());
        assert_refused!(message.dead_letter("poison"), "UnsupportedOperation", text);
        assert_eq!(facts.try_iter().count(), 0, "a refused call is no fact");
        jobs.set_attributes(QueueAttributes::new().no_redrive_policy()).unwrap();
        let text = "queue has no dead-letter queue";
        assert_refused!(message.dead_letter("poison"), "UnsupportedOperation", text);
        assert_eq!(jobs.snapshot(), before);
        clock.advance(VISIBILITY);
        assert_eq!(take(&jobs).approximate_receive_count(), 2);
    }
}

#[test]
fn a_deleted_queue_does_not_exist() {
    // Q35
    for (jobs, dead) in each_pair(&ManualClock::default()) {
        jobs.send(in_group("g", "m")).unwrap();
        let message = take(&jobs);
        jobs.delete_queue().unwrap();
        let text = QueueError::QueueDoesNotExist.to_string();
        assert_refused!(message.dead_letter("poison"), "QueueDoesNotExist", text);
        let handle = message.receipt_handle();
        assert_refused!(jobs.dead_letter(&handle, "poison"), "QueueDoesNotExist", text);
        message.report_failure("poison");
        assert_eq!(counts(&dead), [0, 0, 0]);
    }
}

/// Tries both queues while a message is on its way, and deletes what it was told to.
#[derive(Clone, Default)]
struct Watcher {
    queues: Arc<OnceLock<(Queue, Queue)>>,
    remove_target: Arc<AtomicBool>,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Watcher {
    fn queues(&self) -> &(Queue, Queue) {
        self.queues.get().unwrap()
    }

    fn pair(dead: QueueBuilder, jobs: QueueBuilder) -> (Self, Queue, Queue) {
        let watcher = Self::default();
        let dead = dead.listener(watcher.clone()).build().unwrap();
        let jobs = jobs.dead_letter(&dead, 5).listener(watcher.clone()).build().unwrap();
        assert!(watcher.queues.set((jobs.clone(), dead.clone())).is_ok());
        (watcher, jobs, dead)
    }
}

impl FactListener for Watcher {
    fn on_fact(&self, _: &Arc<str>, entry: &FactEntry) {
        if matches!(
            entry.fact,
            Fact::Failed { .. } | Fact::Arrived { .. } | Fact::DeadLettered { .. } | Fact::Returned { .. }
        ) {
            let (jobs, dead) = self.queues();
            let found = [jobs, dead].map(|queue| {
                let poll = queue.receive().max_messages(10).visibility_timeout(Duration::ZERO);
                bodies(&poll.blocking().unwrap_or_default()).join(" ")
            });
            let line = format!("{}: [{}] [{}]", name(&entry.fact), found[0], found[1]);
            self.seen.lock().unwrap().push(line);
            if self.remove_target.swap(false, Ordering::Relaxed) {
                dead.delete_queue().unwrap();
            }
        }
    }
}

#[test]
fn while_it_departs_nobody_has_the_message_twice_and_its_group_waits() {
    // L17 L19 F18
    let clock = ManualClock::default();
    let [(dead, jobs), (fifo_dead, fifo_jobs)] = each_type(&clock);
    for (dead, jobs, expected) in [
        (
            dead,
            jobs,
            ["Failed: [m2] []", "Arrived: [m2] [m1]", "DeadLettered: [m2] [m1]"],
        ),
        (
            fifo_dead,
            fifo_jobs,
            ["Failed: [] []", "Arrived: [] [m1]", "DeadLettered: [m2] [m1]"],
        ),
    ] {
        let (watcher, jobs, _) = Watcher::pair(dead, jobs);
        jobs.send(in_group("g", "m1")).unwrap();
        jobs.send(in_group("g", "m2")).unwrap();
        take(&jobs).dead_letter("poison").unwrap();
        assert_eq!(*watcher.seen.lock().unwrap(), expected);
    }
}

#[test]
fn a_message_whose_target_is_deleted_while_it_departs_is_visible_again() {
    // L9 L17
    let clock = ManualClock::default();
    for (dead, jobs) in each_type(&clock) {
        let (watcher, jobs, dead) = Watcher::pair(dead, jobs);
        jobs.send(in_group("g", "m1")).unwrap();
        jobs.send(in_group("g", "m2")).unwrap();
        let message = take(&jobs);
        watcher.remove_target.store(true, Ordering::Relaxed);
        let text = format!("dead-letter queue {} does not exist", dead.arn());
        assert_refused!(message.dead_letter("poison"), "UnsupportedOperation", text);
        let told = watcher.seen.lock().unwrap().join("; ");
        assert!(told.ends_with("Returned: [m1 m2] []"), "{told}");
        assert_eq!(counts(&jobs), [2, 0, 0]);
        assert_eq!(bodies(&receive(&jobs, 10)), ["m1", "m2"]);
    }
}

#[test]
fn a_group_goes_on_with_the_successor_once_its_head_has_left() {
    // F18 L19
    let [_, (jobs, dead)] = each_pair(&ManualClock::default());
    send_grouped(&jobs, ["g-1", "g-2", "g-3", "h-1"]);
    let poison = take(&jobs);
    assert_eq!(bodies(&receive(&jobs, 10)), ["h-1"], "the group is locked");
    poison.dead_letter("poison").unwrap();
    assert_eq!(bodies(&receive(&jobs, 1)), ["g-2"]);
    assert!(receive(&jobs, 10).is_empty(), "and locked again");
    assert_eq!((counts(&jobs), counts(&dead)), ([1, 2, 0], [1, 0, 0]));
}

#[test]
fn a_head_that_leaves_does_not_unlock_a_group_with_others_in_flight() {
    // F18 L19
    let clock = ManualClock::default();
    let [_, (jobs, dead)] = each_pair(&clock);
    send_grouped(&jobs, ["g-1", "g-2", "g-3"]);
    let held = receive(&jobs, 2);
    held[0].dead_letter("poison").unwrap();
    assert!(receive(&jobs, 10).is_empty());
    held[1].change_visibility(Duration::ZERO).unwrap();
    assert_eq!(bodies(&receive(&jobs, 10)), ["g-2", "g-3"]);
    assert_eq!(bodies(&receive(&dead, 10)), ["g-1"]);
}

#[test]
fn a_message_that_leaves_from_the_middle_leaves_its_group_locked_by_the_head() {
    // F18
    let clock = ManualClock::default();
    let [_, (jobs, dead)] = each_pair(&clock);
    send_grouped(&jobs, ["g-1", "g-2", "g-3"]);
    let held = receive(&jobs, 2);
    held[1].dead_letter("poison").unwrap();
    assert!(receive(&jobs, 10).is_empty());
    clock.advance(VISIBILITY);
    assert_eq!(bodies(&receive(&jobs, 10)), ["g-1", "g-3"]);
    assert_eq!(bodies(&receive(&dead, 10)), ["g-2"]);
}

#[test]
fn dead_letters_of_a_group_arrive_in_the_order_of_the_calls() {
    // F18 L12
    let [_, (jobs, dead)] = each_pair(&ManualClock::default());
    send_grouped(&jobs, ["g-1", "g-2", "g-3"]);
    for _ in 0..3 {
        take(&jobs).dead_letter("poison").unwrap();
    }
    assert_eq!(bodies(&receive(&dead, 10)), ["g-1", "g-2", "g-3"]);
}

#[test]
fn a_receiver_that_waits_for_the_group_is_woken_when_the_message_has_left() {
    // D11 L19
    let [_, (jobs, _dead)] = each_pair(&ManualClock::default());
    send_grouped(&jobs, ["g-1", "g-2"]);
    let poison = take(&jobs);
    thread::scope(|scope| {
        let poll = scope.spawn(|| jobs.receive().wait_time(secs(20)).blocking().unwrap());
        jobs.wait_for_waiters(1);
        poison.dead_letter("poison").unwrap();
        assert_eq!(bodies(&poll.join().unwrap()), ["g-2"]);
    });
}

#[test]
fn an_attempt_whose_message_left_cannot_be_replayed() {
    // F33
    let [_, (jobs, _dead)] = each_pair(&ManualClock::default());
    send_grouped(&jobs, ["g-1", "g-2"]);
    let attempt = || {
        jobs.receive()
            .max_messages(1)
            .receive_request_attempt_id("a")
            .blocking()
    };
    attempt().unwrap()[0].dead_letter("poison").unwrap();
    assert_eq!(attempt().unwrap_err().code(), "InvalidParameterValue");
}

#[test]
fn each_hop_of_a_chain_is_a_call_of_its_own() {
    // L8 L11 L16
    let clock = ManualClock::default();
    let lasts = [Queue::standard("last"), Queue::fifo("last.fifo")];
    for ((dead, jobs), last) in each_type(&clock).into_iter().zip(lasts) {
        let last = last.clock(clock.clone()).build().unwrap();
        let dead = dead.dead_letter(&last, 1).build().unwrap();
        let jobs = jobs.dead_letter(&dead, 1).build().unwrap();
        let sent = jobs.send(in_group("g", "m")).unwrap();
        take(&jobs).dead_letter("poison").unwrap();
        assert_eq!((counts(&dead), counts(&last)), ([1, 0, 0], [0, 0, 0]));
        take(&dead).dead_letter("still poison").unwrap();
        assert_eq!((counts(&dead), counts(&last)), ([0, 0, 0], [1, 0, 0]));
        let letter = take(&last);
        assert_eq!(letter.message_id(), sent.message_id);
        assert_eq!(letter.approximate_receive_count(), 3);
        assert_eq!(letter.dead_letter_queue_source_arn(), Some(dead.arn()));
        let text = "queue has no dead-letter queue";
        assert_refused!(letter.dead_letter("poison"), "UnsupportedOperation", text);
    }
}

fn in_service(clock: &ManualClock, fifo: bool) -> (Service, Queue, Queue) {
    let service = Service::builder().clock(clock.clone()).seed(1).build();
    let attributes = || {
        let attributes = QueueAttributes::new();
        if fifo {
            attributes.fifo_queue(true).content_based_deduplication(true)
        } else {
            attributes
        }
    };
    let suffix = if fifo { ".fifo" } else { "" };
    let dead = service.create_queue(&format!("dead{suffix}"), attributes()).unwrap();
    let policy = RedrivePolicy::new(dead.arn(), 5);
    let jobs = service
        .create_queue(&format!("jobs{suffix}"), attributes().redrive_policy(policy))
        .unwrap();
    (service, jobs, dead)
}

#[test]
fn a_move_task_brings_the_letter_back_as_a_message_never_received() {
    // L25 L30
    let clock = ManualClock::default();
    for fifo in [false, true] {
        let (service, jobs, dead) = in_service(&clock, fifo);
        let sent = jobs.send(in_group("g", "m")).unwrap();
        take(&jobs).dead_letter("poison").unwrap();
        assert_eq!((counts(&jobs), counts(&dead)), ([0, 0, 0], [1, 0, 0]));
        service
            .start_message_move_task(&StartMessageMoveTask::new(dead.arn()))
            .unwrap();
        assert_eq!((counts(&jobs), counts(&dead)), ([1, 0, 0], [0, 0, 0]));
        let back = take(&jobs);
        assert_eq!((back.body(), back.approximate_receive_count()), ("m", 1));
        assert_ne!(back.message_id(), sent.message_id);
        assert_eq!(
            (back.dead_letter_queue_source_arn(), back.dead_letter_reason()),
            (None, None)
        );
        back.dead_letter("poison").unwrap();
        assert_eq!(counts(&dead), [1, 0, 0]);
    }
}

#[test]
fn in_a_service_a_deleted_target_is_missed_until_a_queue_of_its_name_exists_again() {
    // L9 Q37
    let clock = ManualClock::default();
    let (service, jobs, dead) = in_service(&clock, false);
    jobs.send("m").unwrap();
    let message = take_for(&jobs, secs(600));
    dead.delete_queue().unwrap();
    let text = format!("dead-letter queue {} does not exist", dead.arn());
    assert_refused!(message.dead_letter("poison"), "UnsupportedOperation", text);
    assert_eq!(counts(&jobs), [0, 1, 0]);
    clock.advance(secs(60));
    let again = service.create_queue("dead", QueueAttributes::new()).unwrap();
    message.dead_letter("poison").unwrap();
    assert_eq!((counts(&jobs), counts(&again)), ([0, 0, 0], [1, 0, 0]));
}

#[test]
fn in_a_service_queues_without_a_policy_have_no_dead_letter_queue() {
    // L4
    let service = Service::builder().clock(ManualClock::default()).seed(1).build();
    let jobs = service.create_queue("jobs", QueueAttributes::new()).unwrap();
    jobs.send("m").unwrap();
    let message = take(&jobs);
    let text = "queue has no dead-letter queue";
    assert_refused!(message.dead_letter("poison"), "UnsupportedOperation", text);
    assert_eq!(counts(&jobs), [0, 1, 0]);
}

#[test]
fn a_message_that_left_makes_room_in_the_budget() {
    let clock = ManualClock::default();
    let dead = Queue::standard("dead").clock(clock.clone()).build().unwrap();
    let jobs = standard(&clock).dead_letter(&dead, 5).budget(Budget::new().messages(1));
    let jobs = jobs.build().unwrap();
    jobs.send("m").unwrap();
    let message = take(&jobs);
    assert_eq!(jobs.send(SendMessage::new("n")).unwrap_err().code(), "OverLimit");
    message.dead_letter("poison").unwrap();
    jobs.send("n").unwrap();
    assert_eq!(bodies(&receive(&jobs, 10)), ["n"]);
}
