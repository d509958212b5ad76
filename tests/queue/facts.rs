//! Facts: what happened in a queue, in order and without gaps, and listeners that misbehave.

use {
    crate::common::{
        MILLISECOND, VISIBILITY, bodies, counts, fifo, in_group, receive, receive_for, secs, send_grouped, standard,
        take, take_for,
    },
    requeue::{
        Clock, Fact, FactChannel, FactEntry, FactListener, ManualClock, MessageAttributeValue, MessagePhase, Queue,
        QueueAttributes, QueueBuilder, SendMessage, Timestamp,
    },
    std::{
        panic,
        sync::{Arc, Mutex, OnceLock},
        thread,
        time::Duration,
    },
};

/// Keeps every entry.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<FactEntry>>>);

impl FactListener for Log {
    fn on_fact(&self, _: &Arc<str>, entry: &FactEntry) {
        self.0.lock().unwrap().push(entry.clone());
    }
}

impl Log {
    fn entries(&self) -> Vec<FactEntry> {
        self.0.lock().unwrap().clone()
    }

    /// The names of the facts since the last call.
    fn news(&self) -> Vec<String> {
        let entries = std::mem::take(&mut *self.0.lock().unwrap());
        entries.iter().map(|entry| name(&entry.fact)).collect()
    }
}

fn name(fact: &Fact) -> String {
    let text = format!("{fact:?}");
    text.split([' ', '{', '(']).next().unwrap().to_owned()
}

/// Asserts that entries are numbered from 1 without gaps and never go back in time.
#[track_caller]
fn assert_gap_free(entries: &[FactEntry]) {
    let numbers: Vec<_> = entries.iter().map(|entry| entry.number).collect();
    assert_eq!(numbers, (1..=entries.len() as u64).collect::<Vec<_>>());
    assert!(entries.is_sorted_by_key(|entry| entry.at));
}

fn logged(builder: QueueBuilder) -> (Queue, Log) {
    let log = Log::default();
    (builder.listener(log.clone()).build().unwrap(), log)
}

#[test]
fn every_transition_is_a_fact_before_its_call_returns() {
    let clock = ManualClock::default();
    let (jobs, log) = logged(standard(&clock).visibility_timeout(secs(10)));
    jobs.send("m").unwrap();
    assert_eq!(log.news(), ["Sent"]);
    let message = take(&jobs);
    assert_eq!(log.news(), ["Received"]);
    receive(&jobs, 1);
    assert_eq!(log.news(), ["ReceivedNothing"]);
    message.change_visibility(secs(20)).unwrap();
    assert_eq!(log.news(), ["VisibilityChanged"]);
    message.change_visibility(Duration::ZERO).unwrap();
    assert_eq!(log.news(), ["Returned"]);
    let message = take(&jobs);
    message.delete().unwrap();
    message.delete().unwrap();
    assert_eq!(log.news(), ["Received", "Deleted", "DeletedAgain"]);
    let _ = jobs.send_batch(["a", "b", ""]).unwrap();
    assert_eq!(log.news(), ["Sent", "Sent"]);
    jobs.set_attributes(QueueAttributes::new().delay(secs(5))).unwrap();
    assert_eq!(log.news(), ["SettingsChanged"]);
    jobs.purge().unwrap();
    assert_eq!(log.news(), ["Purged"]);
    jobs.delete_queue().unwrap();
    assert_eq!(log.news(), ["QueueDeleted"]);
}

#[test]
fn a_refused_call_is_no_fact() {
    let (jobs, log) = logged(fifo(&ManualClock::default()));
    send_grouped(&jobs, ["g-1"]);
    let message = take_for(&jobs, Duration::ZERO);
    jobs.purge().unwrap();
    log.news();
    assert!(jobs.send("ungrouped").is_err());
    assert!(jobs.send_batch([in_group("g", "m"), "ungrouped".into()]).is_err());
    assert!(jobs.purge().is_err());
    assert!(jobs.receive().max_messages(11).blocking().is_err());
    assert!(message.change_visibility(secs(1)).is_err());
    assert!(jobs.set_attributes(QueueAttributes::new().delay(secs(901))).is_err());
    assert_eq!(log.news(), [""; 0]);
}

#[test]
fn what_falls_due_is_dated_when_it_was_due() {
    // D37 D6 D36
    let clock = ManualClock::default();
    let (jobs, log) = logged(standard(&clock).message_retention_period(secs(60)));
    let start = clock.now();
    jobs.send("in flight").unwrap();
    take_for(&jobs, secs(20));
    jobs.send(SendMessage::new("delayed").delay(secs(10))).unwrap();
    clock.advance(secs(100));
    assert_eq!(counts(&jobs), [0, 0, 0]);
    let due: Vec<_> = log
        .entries()
        .split_off(3)
        .iter()
        .map(|it| (name(&it.fact), it.at))
        .collect();
    let at = |seconds| start.saturating_add(secs(seconds));
    let expected: [(&str, Timestamp); 4] = [
        ("DelayEnded", at(10)),
        ("Returned", at(20)),
        ("Expired", at(60)),
        ("Expired", at(60)),
    ];
    assert_eq!(due, expected.map(|(name, at)| (name.to_owned(), at)));
    assert_gap_free(&log.entries());
}

#[test]
fn facts_say_what_happened_to_whom() {
    let clock = ManualClock::default();
    let (jobs, log) = logged(fifo(&clock));
    let start = clock.now();
    let sent = jobs.send(in_group("g", "m")).unwrap();
    jobs.send(in_group("g", "m")).unwrap();
    let message = take_for(&jobs, secs(10));
    message.change_visibility(secs(20)).unwrap();
    clock.advance(secs(20));
    assert_eq!(take_for(&jobs, Duration::ZERO).approximate_receive_count(), 2);
    jobs.purge().unwrap();
    let mut facts = log.entries().into_iter().map(|entry| entry.fact);
    let id = sent.message_id;
    let mut expect = |holds: &dyn Fn(&Fact) -> bool| {
        let fact = facts.next().unwrap();
        assert!(holds(&fact), "{fact:?}");
    };
    expect(&|it| {
        matches!(it, Fact::Sent { message_id, content, visible_at, .. }
            if *message_id == id && &**content.body() == "m" && *visible_at == start)
    });
    expect(&|it| matches!(it, Fact::Deduplicated { message_id, .. } if *message_id == id));
    let hidden = |seconds| start.saturating_add(secs(seconds));
    expect(&|it| {
        matches!(it, Fact::Received { message_id, receive_count: 1, invisible_until, .. }
            if *message_id == id && *invisible_until == hidden(10))
    });
    expect(&|it| {
        matches!(it, Fact::VisibilityChanged { message_id, invisible_until, .. }
            if *message_id == id && *invisible_until == hidden(20))
    });
    expect(&|it| matches!(it, Fact::Returned { message_id, .. } if *message_id == id));
    expect(&|it| {
        matches!(it, Fact::Received { message_id, receive_count: 2, invisible_until, .. }
            if *message_id == id && *invisible_until == hidden(20))
    });
    expect(&|it| matches!(it, Fact::Purged { messages: 1, .. }));
    assert_gap_free(&log.entries());
}

#[test]
fn a_dead_letter_arrives_there_before_it_leaves_here() {
    // L6 L17
    let clock = ManualClock::default();
    let (listener, facts) = FactChannel::unbounded();
    let dead = Queue::standard("dead")
        .clock(clock.clone())
        .listener(listener.clone())
        .build()
        .unwrap();
    let jobs = standard(&clock)
        .dead_letter(&dead, 1)
        .listener(listener)
        .build()
        .unwrap();
    let sent = jobs.send("m").unwrap();
    take_for(&jobs, Duration::ZERO);
    assert!(receive(&jobs, 1).is_empty());
    let moved: Vec<_> = facts.try_iter().skip(2).collect();
    let place = |arn: &str, wanted: &str| {
        let found = moved
            .iter()
            .position(|(queue, entry)| &**queue == arn && name(&entry.fact) == wanted);
        found.unwrap_or_else(|| panic!("no {wanted}: {moved:?}"))
    };
    assert!(place(dead.arn(), "Arrived") < place(jobs.arn(), "DeadLettered"));
    let (_, arrived) = &moved[place(dead.arn(), "Arrived")];
    assert_eq!(arrived.number, 1, "every queue counts its own facts");
    let Fact::Arrived {
        message_id,
        content,
        receive_count,
        ..
    } = &arrived.fact
    else {
        unreachable!()
    };
    assert_eq!((*message_id, *receive_count), (sent.message_id, 1));
    assert_eq!(content.dead_letter_source().map(|arn| &**arn), Some(jobs.arn()));
}

#[test]
fn a_life_is_the_list_of_facts_that_carry_its_id() {
    let clock = ManualClock::default();
    let (jobs, log) = logged(standard(&clock));
    let ids: Vec<_> = (0..3)
        .map(|number: u32| jobs.send(number.to_string()).unwrap().message_id)
        .collect();
    for message in receive(&jobs, 3) {
        message.change_visibility(secs(5)).unwrap();
    }
    clock.advance(secs(5));
    receive(&jobs, 3).iter().for_each(|message| message.delete().unwrap());
    for id in ids {
        let carries = |entry: &&FactEntry| format!("{:?}", entry.fact).contains(&id.to_string());
        let entries = log.entries();
        let life: Vec<_> = entries.iter().filter(carries).map(|entry| name(&entry.fact)).collect();
        assert_eq!(
            life,
            [
                "Sent",
                "Received",
                "VisibilityChanged",
                "Returned",
                "Received",
                "Deleted"
            ]
        );
    }
}

#[test]
fn facts_of_many_threads_have_no_gaps() {
    let clock = ManualClock::default();
    let (jobs, log) = logged(standard(&clock));
    thread::scope(|scope| {
        for worker in 0..4 {
            let jobs = &jobs;
            scope.spawn(move || {
                for number in 0..100 {
                    jobs.send(format!("{worker}-{number}")).unwrap();
                    receive(jobs, 2).iter().for_each(|message| message.delete().unwrap());
                }
            });
        }
    });
    let entries = log.entries();
    assert_gap_free(&entries);
    let count = |wanted: &str| entries.iter().filter(|entry| name(&entry.fact) == wanted).count();
    assert_eq!((count("Sent"), count("Received"), count("Deleted")), (400, 400, 400));
}

/// Panics at every fact, after having noted it.
#[derive(Clone, Default)]
struct Panicking(Log);

impl FactListener for Panicking {
    fn on_fact(&self, queue: &Arc<str>, entry: &FactEntry) {
        self.0.on_fact(queue, entry);
        panic::resume_unwind(Box::new("a listener that panics"));
    }
}

#[test]
fn a_listener_that_panics_stops_neither_the_queue_nor_the_other_listeners() {
    let bad = Panicking::default();
    let good = Log::default();
    let builder = standard(&ManualClock::default()).listener(bad.clone());
    let jobs = builder.listener(good.clone()).build().unwrap();
    jobs.send("m").unwrap();
    let message = take(&jobs);
    assert_eq!(message.body(), "m");
    message.delete().unwrap();
    let names = ["Sent", "Received", "Deleted"];
    assert_eq!(
        (bad.0.news(), good.news()),
        (names.map(String::from).to_vec(), names.map(String::from).to_vec())
    );
    assert_eq!(counts(&jobs), [0, 0, 0]);
}

/// Sends an answer for every question it hears of.
#[derive(Clone, Default)]
struct Answering {
    queue: Arc<OnceLock<Queue>>,
    seen: Log,
}

impl FactListener for Answering {
    fn on_fact(&self, queue: &Arc<str>, entry: &FactEntry) {
        self.seen.on_fact(queue, entry);
        let Fact::Sent { content, .. } = &entry.fact else {
            return;
        };
        if content.body().starts_with("question") {
            let jobs = self.queue.get().unwrap();
            jobs.send(content.body().replace("question", "answer")).unwrap();
            assert!(jobs.snapshot().messages.len() > 1, "it looks at the queue as well");
        }
    }
}

#[test]
fn a_listener_may_use_the_queue_and_hears_of_it_afterwards() {
    let listener = Answering::default();
    let jobs = standard(&ManualClock::default())
        .listener(listener.clone())
        .build()
        .unwrap();
    assert!(listener.queue.set(jobs.clone()).is_ok());
    let _ = jobs.send_batch(["question 1", "question 2"]).unwrap();
    assert_eq!(
        bodies(&receive(&jobs, 10)),
        ["question 1", "question 2", "answer 1", "answer 2"]
    );
    let entries = listener.seen.entries();
    assert_gap_free(&entries);
    assert_eq!(entries.len(), 8);
}

/// Deletes the queue it listens to, and everything else it can think of.
#[derive(Clone, Default)]
struct Meddling(Arc<OnceLock<Queue>>, Log);

impl FactListener for Meddling {
    fn on_fact(&self, queue: &Arc<str>, entry: &FactEntry) {
        self.1.on_fact(queue, entry);
        if let (Fact::Received { .. }, Some(jobs)) = (&entry.fact, self.0.get()) {
            receive(jobs, 10).iter().for_each(|message| message.delete().unwrap());
            jobs.set_attributes(QueueAttributes::new().visibility_timeout(secs(1)))
                .unwrap();
            jobs.purge().unwrap();
            jobs.delete_queue().unwrap();
        }
    }
}

#[test]
fn a_listener_may_even_delete_the_queue() {
    let listener = Meddling::default();
    let jobs = standard(&ManualClock::default())
        .listener(listener.clone())
        .build()
        .unwrap();
    assert!(listener.0.set(jobs.clone()).is_ok());
    jobs.send("m").unwrap();
    let message = take(&jobs);
    assert_eq!(message.delete().unwrap_err().code(), "QueueDoesNotExist");
    let names = [
        "Sent",
        "Received",
        "ReceivedNothing",
        "SettingsChanged",
        "Purged",
        "QueueDeleted",
    ];
    assert_gap_free(&listener.1.entries());
    assert_eq!(listener.1.news(), names);
}

#[test]
fn every_listener_hears_every_fact() {
    let (first, second) = (Log::default(), Log::default());
    let builder = standard(&ManualClock::default()).listener(first.clone());
    let jobs = builder.listener(second.clone()).build().unwrap();
    jobs.send("m").unwrap();
    take(&jobs);
    assert_eq!(first.entries(), second.entries());
    assert_eq!(first.news(), ["Sent", "Received"]);
}

#[test]
fn one_listener_may_hear_of_many_queues() {
    let clock = ManualClock::default();
    let (listener, facts) = FactChannel::unbounded();
    let queues = ["a", "b"].map(|name| {
        Queue::standard(name)
            .clock(clock.clone())
            .listener(listener.clone())
            .build()
            .unwrap()
    });
    for jobs in &queues {
        jobs.send("m").unwrap();
        take(jobs);
    }
    let heard: Vec<_> = facts
        .try_iter()
        .map(|(arn, entry)| (arn.to_string(), entry.number))
        .collect();
    let [a, b] = queues.map(|jobs| jobs.arn().to_owned());
    assert_eq!(heard, [(a.clone(), 1), (a, 2), (b.clone(), 1), (b, 2)]);
}

#[test]
fn a_bounded_channel_loses_what_does_not_fit_and_shows_it_in_the_numbers() {
    let (listener, facts) = FactChannel::bounded(2);
    let jobs = standard(&ManualClock::default()).listener(listener).build().unwrap();
    for body in ["a", "b", "c"] {
        jobs.send(body).unwrap();
    }
    let heard: Vec<_> = facts.try_iter().map(|(_, entry)| entry.number).collect();
    jobs.send("d").unwrap();
    assert_eq!((heard, facts.try_recv().unwrap().1.number), (vec![1, 2], 4));
    drop(facts);
    assert!(jobs.send("e").is_ok(), "nobody listens any more");
}

#[test]
fn a_snapshot_changes_nothing() {
    // C3 D41
    let clock = ManualClock::default();
    let (jobs, log) = logged(standard(&clock).message_retention_period(secs(60)));
    jobs.send("old").unwrap();
    clock.advance(secs(30));
    jobs.send("held").unwrap();
    receive_for(&jobs, 2, secs(30));
    jobs.send(SendMessage::new("delayed").delay(secs(30))).unwrap();
    log.news();
    clock.advance(secs(30));
    let first = jobs.snapshot();
    assert_eq!(jobs.snapshot(), first);
    let shown: Vec<_> = first
        .messages
        .iter()
        .map(|message| (&**message.content.body(), message.phase))
        .collect();
    assert_eq!(
        shown,
        [("held", MessagePhase::Visible), ("delayed", MessagePhase::Visible)],
        "what is due at this instant is done"
    );
    assert_eq!(log.news(), [""; 0], "but nothing has happened");
    assert_eq!(counts(&jobs), [2, 0, 0]);
    let mut happened = log.news();
    happened.sort();
    assert_eq!(happened, ["DelayEnded", "Expired", "Returned"]);
    assert_eq!(jobs.snapshot(), first);
    assert_eq!(bodies(&receive(&jobs, 10)), ["held", "delayed"]);
}

#[test]
fn a_snapshot_says_where_every_message_is_and_why() {
    let clock = ManualClock::default();
    let jobs = fifo(&clock).build().unwrap();
    let sent = jobs.send(in_group("g", "held")).unwrap();
    let start = clock.now();
    take(&jobs);
    jobs.send(in_group("g", "blocked")).unwrap();
    let kept = MessageAttributeValue::string("kept");
    jobs.send(in_group("h", "free").attribute("Own", kept.clone())).unwrap();
    clock.advance(MILLISECOND);
    let snapshot = jobs.snapshot();
    assert_eq!((snapshot.at, snapshot.counts), (clock.now(), jobs.counts()));
    let [held, blocked, free] = &snapshot.messages[..] else {
        panic!("{snapshot:?}")
    };
    assert_eq!(
        held.phase,
        MessagePhase::InFlight {
            until: start.saturating_add(VISIBILITY)
        }
    );
    assert_eq!(
        (held.message_id, held.sequence_number),
        (sent.message_id, sent.sequence_number)
    );
    assert_eq!(
        (
            held.approximate_receive_count,
            held.sent_timestamp,
            held.arrived_timestamp
        ),
        (1, start, start)
    );
    assert_eq!(held.expires_at, start.saturating_add(secs(345_600)));
    assert_eq!((blocked.phase, blocked.blocked), (MessagePhase::Visible, true));
    assert_eq!((free.phase, free.blocked), (MessagePhase::Visible, false));
    assert_eq!((free.content.group_id(), &**free.content.body()), (Some("h"), "free"));
    assert_eq!(free.content.attributes().get("Own"), Some(&kept));
    assert!(!held.blocked);
}

#[test]
fn a_reported_failure_changes_nothing_and_is_told_whatever_became_of_the_message() {
    let clock = ManualClock::default();
    for builder in [standard(&clock), fifo(&clock)] {
        let (jobs, log) = logged(builder);
        let id = jobs.send(in_group("g", "m")).unwrap().message_id;
        let message = take(&jobs);
        let report = |reason: &'static str| {
            log.news();
            message.report_failure(reason);
            let told = log.entries().pop().unwrap().fact;
            assert!(
                matches!(&told, Fact::Failed { message_id, reason: of, .. } if *message_id == id && **of == *reason),
                "{told:?}"
            );
            log.news()
        };
        let before = jobs.snapshot();
        assert_eq!(report("in flight"), ["Failed"]);
        assert_eq!(jobs.snapshot(), before);
        clock.advance(VISIBILITY);
        assert_eq!(report("visible"), ["Returned", "Failed"]);
        take(&jobs).delete().unwrap();
        assert_eq!(report("gone"), ["Failed"]);
        jobs.delete_queue().unwrap();
        log.news();
        message.report_failure("nobody hears of it");
        assert_eq!(log.news(), [""; 0]);
    }
}

#[test]
fn the_reason_of_a_failure_may_be_empty_or_of_any_length() {
    let (jobs, log) = logged(standard(&ManualClock::default()));
    jobs.send("m").unwrap();
    let message = take(&jobs);
    for reason in [String::new(), "\u{0}\n\u{10ffff}".repeat(100_000)] {
        message.report_failure(reason.clone());
        let last = log.entries().pop().unwrap().fact;
        assert!(matches!(last, Fact::Failed { reason: told, .. } if *told == *reason));
    }
}
