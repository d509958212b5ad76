//! What `testing::strategies` calls valid is taken by a real queue, and what it calls broken is refused with its code.

use crate::common;

use {
    common::*,
    proptest::{
        collection::vec,
        strategy::{BoxedStrategy, Strategy, ValueTree},
        test_runner::TestRunner,
    },
    requeue::{ManualClock, Message, Queue, QueueAttributes, Service, testing::strategies::*},
    std::{collections::BTreeSet, fmt::Debug, time::Duration},
};

const CASES: usize = 500;

/// The same values on every run.
fn values<T: Debug>(strategy: BoxedStrategy<T>) -> impl Iterator<Item = T> {
    let mut runner = TestRunner::deterministic();
    (0..CASES).map(move |_| strategy.new_tree(&mut runner).unwrap().current())
}

/// Every value is refused with its code, and the rules that are met are those of the list.
#[track_caller]
fn assert_broken<T: Clone + Debug>(
    strategy: BoxedStrategy<Broken<T>>,
    rules: &str,
    mut refuse: impl FnMut(T) -> Option<&'static str>,
) {
    let mut met = BTreeSet::new();
    for broken in values(strategy) {
        let Broken { value, rule, code, .. } = broken;
        let refused = refuse(value.clone());
        if refused != Some(code) {
            let mut shown = format!("{value:?}");
            shown.truncate(1_000);
            panic!("{rule} says {code}, the queue {refused:?}: {shown}");
        }
        met.insert(rule);
    }
    let rules: BTreeSet<&str> = rules.split(' ').collect();
    assert_eq!(met, rules);
}

/// The code of the error.
macro_rules! code {
    ($result:expr) => {
        $result.err().map(|error| error.code())
    };
}

fn queue() -> Queue {
    standard(&ManualClock::default()).build().unwrap()
}

/// Without content-based deduplication.
fn fifo_queue() -> Queue {
    Queue::fifo("jobs.fifo").clock(ManualClock::default()).build().unwrap()
}

// What is valid.

#[test]
fn every_queue_takes_valid_messages_however_small_its_limit() {
    for attributes in [
        QueueAttributes::new(),
        QueueAttributes::new().maximum_message_size(1_024),
    ] {
        let standard = Queue::standard("jobs").attributes(attributes.clone()).build().unwrap();
        let fifo = Queue::fifo("jobs.fifo").attributes(attributes).build().unwrap();
        for (plain, grouped) in values(standard_message()).zip(values(fifo_message())) {
            let (first, second) = (standard.send(plain.clone()), fifo.send(grouped.clone()));
            assert!(first.is_ok(), "{plain:?}: {first:?}");
            assert!(second.is_ok(), "{grouped:?}: {second:?}");
        }
    }
}

#[test]
fn every_queue_takes_valid_batches_whole() {
    let (standard, fifo) = (queue(), fifo_queue());
    for (plain, grouped) in values(standard_batch()).zip(values(fifo_batch())).take(500) {
        assert!(standard.send_batch(plain).unwrap().failed.is_empty());
        assert!(fifo.send_batch(grouped).unwrap().failed.is_empty());
    }
}

#[test]
fn the_parts_of_a_message_are_valid_alone() {
    let (standard, fifo) = (queue(), fifo_queue());
    for body in values(body()) {
        assert!((1..=1_024).contains(&body.len()), "{body:?}");
        standard.send(body).unwrap();
    }
    for attributes in values(message_attributes()) {
        standard
            .send(requeue::SendMessage::new("m").attributes(attributes))
            .unwrap();
    }
    for (name, value) in values(message_attribute_name()).zip(values(message_attribute_value())) {
        standard
            .send(requeue::SendMessage::new("m").attribute(name, value))
            .unwrap();
    }
    for (group, id) in values(message_group_id()).zip(values(message_deduplication_id())) {
        fifo.send(in_group(&group, "m").message_deduplication_id(id)).unwrap();
    }
    for delay in values(delay()) {
        standard.send(requeue::SendMessage::new("m").delay(delay)).unwrap();
    }
    for id in values(batch_entry_id()) {
        assert!(standard.send_batch([(id, "m")]).unwrap().failed.is_empty());
    }
}

#[test]
fn receives_take_valid_parameters() {
    let fifo = fifo_queue();
    let parts = (max_messages(), visibility_timeout(), receive_request_attempt_id());
    for (most, timeout, attempt) in values(parts.boxed()) {
        let receive = fifo.receive().max_messages(most).visibility_timeout(timeout);
        receive.receive_request_attempt_id(attempt).blocking().unwrap();
    }
    let clock = ManualClock::default();
    let queue = standard(&clock).build().unwrap();
    for wait in values(wait_time()).take(50) {
        assert!(wait_for(&clock, queue.receive().wait_time(wait)).unwrap().is_empty());
    }
}

#[test]
fn queues_are_created_with_valid_names_and_attributes_and_take_them_later() {
    let (standard, fifo) = (values(standard_attributes()), values(fifo_attributes()));
    let names = values(queue_name()).zip(values(fifo_queue_name()));
    for ((first, second), (plain, fifo)) in names.zip(standard.zip(fifo)) {
        let queue = Queue::standard(first).attributes(plain.clone()).build().unwrap();
        queue.set_attributes(plain).unwrap();
        Queue::fifo(second).attributes(fifo.clone()).build().unwrap();
        let service = Service::builder().build();
        service.create_queue("jobs.fifo", fifo.fifo_queue(true)).unwrap();
    }
}

#[test]
fn the_edges_of_the_ranges_are_met() {
    fn met<T: Debug + PartialEq>(strategy: BoxedStrategy<T>, edges: &[T]) {
        for edge in edges {
            assert!(values(strategy.clone()).any(|it| it == *edge), "{edge:?} is never met");
        }
    }
    let seconds = |seconds: [u64; 2]| seconds.map(Duration::from_secs);
    met(delay(), &seconds([0, 900]));
    met(visibility_timeout(), &seconds([0, 43_200]));
    met(wait_time(), &seconds([0, 20]));
    met(max_messages(), &[1, 10]);
    met(body().prop_map(|it| it.len()).boxed(), &[1, 1_024]);
    met(message_attributes().prop_map(|it| it.len()).boxed(), &[0, 3, 10]);
    met(message_attribute_name().prop_map(|it| it.len()).boxed(), &[1, 256]);
    met(message_group_id().prop_map(|it| it.len()).boxed(), &[1, 128]);
    met(queue_name().prop_map(|it| it.len()).boxed(), &[1, 80]);
    met(fifo_queue_name().prop_map(|it| it.len()).boxed(), &[6, 80]);
    met(standard_batch().prop_map(|it| it.len()).boxed(), &[1, 10]);
    met(standard_message().prop_map(|it| it.size_bytes()).boxed(), &[1, 1_024]);
}

#[test]
fn steps_of_every_kind_are_met_and_can_be_taken() {
    for (strategy, fifo) in [(standard_steps(40), false), (fifo_steps(40), true)] {
        let clock = ManualClock::default();
        let queue = if fifo { common::fifo(&clock) } else { standard(&clock) };
        let queue = queue.build().unwrap();
        let (mut held, mut kinds) = (Vec::<Message>::new(), BTreeSet::new());
        for steps in values(strategy).take(200) {
            assert!((1..=40).contains(&steps.len()));
            for step in steps {
                kinds.insert(take_step(step, &queue, &clock, &mut held));
            }
        }
        let all = ["advance", "batch", "change", "delete", "purge", "receive", "send"];
        assert_eq!(kinds, BTreeSet::from(all));
    }
    assert_eq!(values(standard_steps(0)).map(|it| it.len()).max(), Some(1));
}

fn take_step(step: Step, queue: &Queue, clock: &ManualClock, held: &mut Vec<Message>) -> &'static str {
    match step {
        Step::Send(message) => {
            queue.send(message).unwrap();
            "send"
        }
        Step::SendBatch(entries) => {
            assert!(queue.send_batch(entries).unwrap().failed.is_empty());
            "batch"
        }
        Step::Receive {
            max_messages,
            visibility_timeout,
            ..
        } => {
            let receive = queue.receive().max_messages(max_messages);
            let receive = match visibility_timeout {
                Some(timeout) => receive.visibility_timeout(timeout),
                None => receive,
            };
            held.extend(receive.blocking().unwrap());
            "receive"
        }
        Step::Delete(which) => {
            if !held.is_empty() {
                let _ = which.get(held).delete();
            }
            "delete"
        }
        Step::ChangeVisibility(which, timeout) => {
            if !held.is_empty() {
                let _ = which.get(held).change_visibility(timeout);
            }
            "change"
        }
        Step::Purge => {
            let _ = queue.purge();
            "purge"
        }
        Step::Advance(span) => {
            clock.advance(span);
            "advance"
        }
        _ => unreachable!("no other step"),
    }
}

// What is broken.

#[test]
fn messages_are_refused_with_their_codes() {
    const CONTENT: &str = "M1 M3 M8 M12 M13 M14 M15 M16 M17 M20 M25 F1";
    let (standard, fifo) = (queue(), fifo_queue());
    assert_broken(broken_standard_message(), &format!("{CONTENT} D32 F4"), |it| {
        code!(standard.send(it))
    });
    assert_broken(broken_fifo_message(), &format!("{CONTENT} F2 F3 F8 D34"), |it| {
        code!(fifo.send(it))
    });
    assert!(standard.snapshot().messages.is_empty() && fifo.snapshot().messages.is_empty());
}

#[test]
fn the_parts_of_a_message_are_refused_with_their_codes() {
    let (standard, fifo) = (queue(), fifo_queue());
    let message = || requeue::SendMessage::new("m");
    assert_broken(broken_body(), "M1 M3 M8", |it| code!(standard.send(it)));
    assert_broken(broken_message_attributes(), "M12 M13 M14 M15 M16 M17 M20", |it| {
        code!(standard.send(message().attributes(it)))
    });
    assert_broken(broken_message_group_id(), "F1", |it| {
        code!(standard.send(in_group(&it, "m")))
    });
    assert_broken(broken_message_deduplication_id(), "F3", |it| {
        code!(fifo.send(in_group("g", "m").message_deduplication_id(it)))
    });
    assert_broken(broken_delay(), "D32", |it| code!(standard.send(message().delay(it))));
}

#[test]
fn batches_are_refused_with_their_codes() {
    let (standard, fifo) = (queue(), fifo_queue());
    assert_broken(broken_standard_batch(), "M10 M31 M32 M34 M35", |it| {
        code!(standard.send_batch(it))
    });
    assert_broken(broken_fifo_batch(), "M10 M31 M32 M34 M35 M36", |it| {
        code!(fifo.send_batch(it))
    });
    assert_broken(broken_batch_entry_id(), "M32", |it| {
        code!(standard.send_batch([(it, "m")]))
    });
}

#[test]
fn receives_are_refused_with_their_codes() {
    let (standard, fifo) = (queue(), fifo_queue());
    assert_broken(broken_max_messages(), "3.2", |it| {
        code!(standard.receive().max_messages(it).blocking())
    });
    assert_broken(broken_wait_time(), "3.2", |it| {
        code!(standard.receive().wait_time(it).blocking())
    });
    assert_broken(broken_receive_request_attempt_id(), "F31", |it| {
        code!(fifo.receive().receive_request_attempt_id(it).blocking())
    });
    assert_broken(broken_visibility_timeout(), "D25", |it| {
        code!(standard.receive().visibility_timeout(it).blocking())
    });
    standard.send("m").unwrap();
    let message = take(&standard);
    assert_broken(broken_visibility_timeout(), "D25", |it| {
        code!(message.change_visibility(it))
    });
}

#[test]
fn names_are_refused_with_their_codes() {
    assert_broken(broken_queue_name(), "Q3 Q4", |it| code!(Queue::standard(it).build()));
    assert_broken(broken_fifo_queue_name(), "Q5", |it| code!(Queue::fifo(it).build()));
    let service = Service::builder().build();
    assert_broken(broken_queue_name(), "Q3 Q4", |it| {
        code!(service.create_queue(&it, QueueAttributes::new()))
    });
    assert_broken(broken_fifo_queue_name(), "Q5", |it| {
        code!(service.create_queue(&it, QueueAttributes::new().fifo_queue(true)))
    });
}

#[test]
fn attributes_are_refused_with_their_codes() {
    let (standard, fifo) = (queue(), fifo_queue());
    let (before, fifo_before) = (standard.settings(), fifo.settings());
    let of_both = if cfg!(feature = "aws-protocol") {
        "Q16 Q24 L2a L20 Q26"
    } else {
        "Q16 Q24 L2a L20"
    };
    assert_broken(broken_standard_attributes(), &format!("{of_both} Q18 Q19"), |it| {
        code!(standard.set_attributes(it))
    });
    assert_broken(broken_fifo_attributes(), &format!("{of_both} Q21 Q22"), |it| {
        code!(fifo.set_attributes(it))
    });
    assert_eq!((standard.settings(), fifo.settings()), (before, fifo_before));
}

#[test]
fn a_broken_part_keeps_its_rule_in_a_larger_whole() {
    let bodies = broken_body().prop_map(|body| body.map(requeue::SendMessage::new));
    for broken in values(vec(bodies, 1).boxed()).flatten().take(50) {
        assert_eq!(code!(queue().send(broken.value)), Some(broken.code));
    }
}
