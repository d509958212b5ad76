//! RedrivePolicy, RedriveAllowPolicy and ListDeadLetterSourceQueues.

use crate::common::{assert_refused, bodies, counts, receive_for, secs, take};
use requeue::{
    Alarm, Clock, Limits, ListQueues, ManualClock, Parker, Queue, QueueAttributes, RedriveAllowPolicy, RedrivePolicy,
    Service, SetQueueAttributesError, StartMessageMoveTask, Timestamp,
};
use std::{
    sync::{Arc, Mutex},
    task::Waker,
    thread,
    time::Duration,
};

mod itself;

const NOWHERE: &str = "arn:aws:sqs:us-east-1:000000000000:nowhere";

fn bare() -> QueueAttributes {
    QueueAttributes::new()
}

fn redrive(target: &str, max_receive_count: u32) -> QueueAttributes {
    bare().redrive_policy(RedrivePolicy::new(target, max_receive_count))
}

fn service() -> (ManualClock, Service) {
    let clock = ManualClock::default();
    let service = Service::builder().clock(clock.clone()).seed(1).build();
    (clock, service)
}

/// Queues `jobs` and `dead`, not linked.
fn two() -> (ManualClock, Service, Queue, Queue) {
    let (clock, service) = service();
    let jobs = service.create_queue("jobs", bare()).unwrap();
    let dead = service.create_queue("dead", bare()).unwrap();
    (clock, service, jobs, dead)
}

/// Receives every visible message once, with timeout zero.
fn fail_once(queue: &Queue) -> usize {
    receive_for(queue, 10, Duration::ZERO).len()
}

fn refused(target: &str, count: u32, reason: &str) -> (&'static str, String) {
    let text = format!(
        r#"Value {{"deadLetterTargetArn":"{target}","maxReceiveCount":{count}}} for parameter RedrivePolicy is invalid. Reason: {reason}"#
    );
    ("InvalidParameterValue", text)
}

/// How the policy is refused by SetQueueAttributes, and in the same way by CreateQueue.
fn refusal(service: &Service, source: &str, target: &str, count: u32) -> (&'static str, String) {
    let error = service.set_attributes(source, redrive(target, count)).unwrap_err();
    let refused = (error.code(), error.to_string());
    let fifo = source.ends_with(".fifo");
    let attributes = redrive(target, count);
    let attributes = if fifo { attributes.fifo_queue(true) } else { attributes };
    let name = if fifo { "fresh.fifo" } else { "fresh" };
    let error = service.create_queue(name, attributes).unwrap_err();
    assert_eq!((error.code(), error.to_string()), refused);
    refused
}

#[test]
fn a_policy_names_a_target_and_1_to_1000_receives() {
    // L1 L2a
    let (_, service, jobs, dead) = two();
    for count in [1, 2, 999, 1_000] {
        service.set_attributes("jobs", redrive(dead.arn(), count)).unwrap();
        assert_eq!(
            jobs.settings().redrive_policy,
            Some(RedrivePolicy::new(dead.arn(), count))
        );
    }
    for count in [0, 1_001] {
        let reason =
            format!("Invalid value for maxReceiveCount: {count}, valid values are from 1 to 1000 both inclusive.");
        assert_eq!(
            refusal(&service, "jobs", dead.arn(), count),
            refused(dead.arn(), count, &reason)
        );
    }
    assert_eq!(
        jobs.settings().redrive_policy,
        Some(RedrivePolicy::new(dead.arn(), 1_000))
    );
}

#[test]
fn a_malformed_target_is_refused_before_any_lookup() {
    // L3
    let (_, service, _, dead) = two();
    for target in ["dead", "", dead.url(), "arn:aws:sqs:us-east-1:000000000000"] {
        let reason = "Invalid value for deadLetterTargetArn.";
        assert_eq!(refusal(&service, "jobs", target, 3), refused(target, 3, reason));
    }
}

#[test]
fn an_unknown_target_does_not_exist() {
    // L3a L3b
    let (_, service, _, _) = two();
    for target in [
        NOWHERE,
        "arn:aws:sqs:eu-west-1:000000000000:dead",
        "arn:aws:sqs:us-east-1:111111111111:dead",
    ] {
        let reason = "Dead letter target does not exist.";
        assert_eq!(refusal(&service, "jobs", target, 3), refused(target, 3, reason));
    }
}

#[test]
fn a_target_is_of_the_type_of_its_source() {
    // L3b
    let (_, service, _, dead) = two();
    let fifo = bare().fifo_queue(true);
    service.create_queue("orders.fifo", fifo.clone()).unwrap();
    let fifo_dead = service.create_queue("dead.fifo", fifo).unwrap();
    let reason = "Dead-letter queue must be same type of queue as the source.";
    assert_eq!(
        refusal(&service, "jobs", fifo_dead.arn(), 3),
        refused(fifo_dead.arn(), 3, reason)
    );
    assert_eq!(
        refusal(&service, "orders.fifo", dead.arn(), 3),
        refused(dead.arn(), 3, reason)
    );
    service
        .set_attributes("orders.fifo", redrive(fifo_dead.arn(), 3))
        .unwrap();
}

#[test]
fn a_target_decides_who_may_name_it() {
    // L3c L20
    let (_, service, jobs, dead) = two();
    let allow = |policy| {
        let changed = service.set_attributes("dead", bare().redrive_allow_policy(policy));
        changed.unwrap();
    };
    let link = || service.set_attributes("jobs", redrive(dead.arn(), 3));
    let reason = "Dead-letter queue does not allow this queue as its source.";
    allow(RedriveAllowPolicy::DenyAll);
    assert_eq!(refusal(&service, "jobs", dead.arn(), 3), refused(dead.arn(), 3, reason));
    allow(RedriveAllowPolicy::ByQueue(vec![NOWHERE.into()]));
    assert_eq!(refusal(&service, "jobs", dead.arn(), 3), refused(dead.arn(), 3, reason));
    allow(RedriveAllowPolicy::ByQueue(vec![NOWHERE.into(), jobs.arn().into()]));
    link().unwrap();
    allow(RedriveAllowPolicy::AllowAll);
    link().unwrap();
    service
        .set_attributes("dead", bare().no_redrive_allow_policy())
        .unwrap();
    link().unwrap();
    assert_eq!(dead.settings().redrive_allow_policy, None);
}

#[test]
fn a_source_named_in_advance_may_be_created() {
    // L3c
    let (_, service) = service();
    let allow = RedriveAllowPolicy::ByQueue(vec!["arn:aws:sqs:us-east-1:000000000000:jobs".into()]);
    let dead = service
        .create_queue("dead", bare().redrive_allow_policy(allow))
        .unwrap();
    assert!(service.create_queue("jobs", redrive(dead.arn(), 3)).is_ok());
    assert!(service.create_queue("other", redrive(dead.arn(), 3)).is_err());
}

#[test]
fn a_policy_refused_changes_nothing() {
    // Q28 L3a
    let (_, service, jobs, dead) = two();
    service.set_attributes("jobs", redrive(dead.arn(), 3)).unwrap();
    let before = jobs.settings();
    service
        .set_attributes("jobs", redrive(NOWHERE, 3).delay(secs(5)))
        .unwrap_err();
    service
        .set_attributes("jobs", redrive(dead.arn(), 4).delay(secs(901)))
        .unwrap_err();
    assert_eq!(jobs.settings(), before);
}

#[test]
fn a_policy_that_is_removed_acts_no_more() {
    // L4
    let (_, service, jobs, dead) = two();
    for by_handle in [false, true] {
        service.set_attributes("jobs", redrive(dead.arn(), 1)).unwrap();
        let none = bare().no_redrive_policy();
        if by_handle {
            jobs.set_attributes(none).unwrap();
        } else {
            service.set_attributes("jobs", none).unwrap();
        }
        assert_eq!(jobs.settings().redrive_policy, None);
        let sources = service
            .list_dead_letter_source_queues("dead", &ListQueues::new())
            .unwrap();
        assert!(sources.items.is_empty());
        jobs.send("m").unwrap();
        assert_eq!([fail_once(&jobs), fail_once(&jobs)], [1, 1]);
        take(&jobs).delete().unwrap();
    }
}

#[test]
fn a_handle_sets_no_policy_but_keeps_the_one_there_is() {
    // L3a
    let (_, service, jobs, dead) = two();
    let error = jobs.set_attributes(redrive(dead.arn(), 3)).unwrap_err();
    assert!(matches!(error, SetQueueAttributesError::InvalidParameterValue(_)));
    service.set_attributes("jobs", redrive(dead.arn(), 1)).unwrap();
    jobs.set_attributes(bare().delay(secs(0))).unwrap();
    jobs.set_attributes(redrive(dead.arn(), 1)).unwrap();
    jobs.send("m").unwrap();
    assert_eq!([fail_once(&jobs), fail_once(&jobs)], [1, 0]);
    assert_eq!(counts(&dead), [1, 0, 0]);
}

#[test]
fn a_policy_acts_on_the_next_receive_also_for_messages_received_too_often_already() {
    // L5
    let (_, service, jobs, dead) = two();
    jobs.send("m").unwrap();
    assert_eq!([fail_once(&jobs), fail_once(&jobs), fail_once(&jobs)], [1, 1, 1]);
    service.set_attributes("jobs", redrive(dead.arn(), 2)).unwrap();
    assert_eq!(
        (counts(&jobs), counts(&dead)),
        ([1, 0, 0], [0, 0, 0]),
        "the change itself moved the message"
    );
    assert_eq!(fail_once(&jobs), 0);
    assert_eq!((counts(&jobs), counts(&dead)), ([0, 0, 0], [1, 0, 0]));
    let message = take(&dead);
    assert_eq!(message.dead_letter_queue_source_arn(), Some(jobs.arn()));
    assert_eq!(message.approximate_receive_count(), 4);
}

#[test]
fn another_target_takes_the_dead_letters_from_then_on() {
    // L5
    let (_, service, jobs, dead) = two();
    let other = service.create_queue("other", bare()).unwrap();
    service.set_attributes("jobs", redrive(dead.arn(), 1)).unwrap();
    jobs.send("m").unwrap();
    fail_once(&jobs);
    service.set_attributes("jobs", redrive(other.arn(), 1)).unwrap();
    assert_eq!(fail_once(&jobs), 0);
    assert_eq!((counts(&dead), counts(&other)), ([0, 0, 0], [1, 0, 0]));
}

#[test]
fn with_its_target_deleted_a_queue_delivers_as_if_it_had_no_policy() {
    // L9
    let (clock, service, jobs, dead) = two();
    service.set_attributes("jobs", redrive(dead.arn(), 1)).unwrap();
    jobs.send("m").unwrap();
    fail_once(&jobs);
    service.delete_queue("dead").unwrap();
    for count in 2..5 {
        let messages = receive_for(&jobs, 10, Duration::ZERO);
        assert_eq!(bodies(&messages), ["m"]);
        assert_eq!(messages[0].approximate_receive_count(), count);
    }
    assert!(jobs.settings().redrive_policy.is_some());

    // A new queue of that name is what the policy names again.
    clock.advance(secs(60));
    let dead = service.create_queue("dead", bare()).unwrap();
    let sources = service
        .list_dead_letter_source_queues("dead", &ListQueues::new())
        .unwrap();
    assert_eq!(sources.items, [jobs.url()]);
    assert_eq!(fail_once(&jobs), 0);
    assert_eq!(counts(&dead), [1, 0, 0]);
}

#[test]
fn a_link_made_while_its_target_is_created_anew_leads_to_the_new_one() {
    // L9
    let mut limits = Limits::default();
    limits.recreate_interval = Duration::ZERO;
    let service = Service::builder().limits(limits).build();
    let dead = service.create_queue("dead", bare()).unwrap();
    let jobs = service.create_queue("jobs", bare()).unwrap();
    for _ in 0..100 {
        thread::scope(|scope| {
            scope.spawn(|| {
                service.delete_queue("dead").unwrap();
                service.create_queue("dead", bare()).unwrap();
            });
            while service.set_attributes("jobs", redrive(dead.arn(), 1)).is_err() {
                thread::yield_now();
            }
        });
        jobs.send("m").unwrap();
        assert_eq!([fail_once(&jobs), fail_once(&jobs)], [1, 0]);
        assert_eq!(counts(&service.queue("dead").unwrap()), [1, 0, 0]);
        service.set_attributes("jobs", bare().no_redrive_policy()).unwrap();
    }
}

type Meanwhile = Box<dyn FnOnce() + Send>;

/// Does something else once, while somebody asks for the time.
#[derive(Clone, Default)]
struct Interrupted {
    clock: ManualClock,
    meanwhile: Arc<Mutex<Option<Meanwhile>>>,
}

impl Clock for Interrupted {
    fn now(&self) -> Timestamp {
        let meanwhile = self.meanwhile.lock().unwrap().take();
        if let Some(meanwhile) = meanwhile {
            meanwhile();
        }
        self.clock.now()
    }

    fn park_until(&self, parker: &Parker, deadline: Option<Timestamp>) {
        self.clock.park_until(parker, deadline);
    }

    fn wake_at(&self, deadline: Timestamp, waker: Waker) -> Alarm {
        self.clock.wake_at(deadline, waker)
    }
}

#[test]
fn a_link_whose_target_is_replaced_just_before_it_is_made_leads_to_the_new_one() {
    // L9
    for by_creation in [false, true] {
        let mut limits = Limits::default();
        limits.recreate_interval = Duration::ZERO;
        let clock = Interrupted::default();
        let service = Service::builder().clock(clock.clone()).limits(limits).build();
        let old = service.create_queue("dead", bare()).unwrap();
        let replace = {
            let service = service.clone();
            move || {
                service.delete_queue("dead").unwrap();
                service.create_queue("dead", bare()).unwrap();
            }
        };
        let interrupt = || *clock.meanwhile.lock().unwrap() = Some(Box::new(replace));
        if by_creation {
            interrupt();
            service.create_queue("jobs", redrive(old.arn(), 1)).unwrap();
        } else {
            service.create_queue("jobs", bare()).unwrap();
            interrupt();
            service.set_attributes("jobs", redrive(old.arn(), 1)).unwrap();
        }
        assert_eq!(old.send("m").unwrap_err().code(), "QueueDoesNotExist");
        let jobs = service.queue("jobs").unwrap();
        jobs.send("m").unwrap();
        assert_eq!([fail_once(&jobs), fail_once(&jobs)], [1, 0]);
        assert_eq!(counts(&service.queue("dead").unwrap()), [1, 0, 0]);
    }
}

#[test]
fn a_policy_that_a_handle_removes_makes_its_target_nobodys_dead_letter_queue() {
    // L5 L23 L26
    let (_, service, jobs, dead) = two();
    let sources = || {
        service
            .list_dead_letter_source_queues("dead", &ListQueues::new())
            .unwrap()
            .items
    };
    let task = StartMessageMoveTask::new(dead.arn());
    service.set_attributes("jobs", redrive(dead.arn(), 1)).unwrap();
    assert_eq!(sources(), [jobs.url()]);
    service.start_message_move_task(&task).unwrap();
    jobs.set_attributes(bare().no_redrive_policy()).unwrap();
    assert_eq!(sources(), [""; 0]);
    let text = "Source queue must be configured as a Dead Letter Queue.";
    assert_refused!(service.start_message_move_task(&task), "InvalidParameterValue", text);
}

#[test]
fn a_target_created_again_takes_the_dead_letters_of_all_its_sources() {
    // L9
    let (clock, service, _, dead) = two();
    let names: Vec<_> = (0..20).map(|n| format!("jobs-{n}")).collect();
    let create = |name: &String| service.create_queue(name, redrive(dead.arn(), 1)).unwrap();
    let jobs: Vec<_> = names.iter().map(create).collect();
    for round in 1..=2 {
        service.delete_queue("dead").unwrap();
        clock.advance(secs(60));
        for queue in &jobs {
            queue.send("m").unwrap();
            assert_eq!((fail_once(queue), fail_once(queue)), (1, 1), "no target: delivered");
        }
        let dead = service.create_queue("dead", bare()).unwrap();
        let other = service
            .create_queue(&format!("late-{round}"), redrive(dead.arn(), 1))
            .unwrap();
        other.send("m").unwrap();
        assert_eq!((fail_once(&other), fail_once(&other)), (1, 0));
        assert!(jobs.iter().all(|queue| fail_once(queue) == 0));
        assert_eq!(counts(&dead), [21, 0, 0]);
    }
}

#[test]
fn queues_may_be_each_others_dead_letter_queues() {
    // L16
    let (_, service, jobs, dead) = two();
    service.set_attributes("jobs", redrive(dead.arn(), 1)).unwrap();
    service.set_attributes("dead", redrive(jobs.arn(), 1)).unwrap();
    jobs.send("m").unwrap();
    let mut walk = Vec::new();
    for _ in 0..3 {
        walk.push((fail_once(&jobs), fail_once(&jobs), fail_once(&dead), fail_once(&dead)));
    }
    assert_eq!(walk, [(1, 0, 1, 0); 3]);
    assert_eq!(counts(&jobs), [1, 0, 0]);
}

#[test]
fn an_allow_policy_by_queue_names_1_to_10_queues() {
    // L20
    let (_, service, _, _) = two();
    let set = |count| {
        let policy = RedriveAllowPolicy::ByQueue(vec![NOWHERE.into(); count]);
        service.set_attributes("dead", bare().redrive_allow_policy(policy))
    };
    for count in [1, 9, 10] {
        set(count).unwrap();
    }
    for count in [0, 11] {
        let error = set(count).unwrap_err();
        assert_eq!(error.code(), "InvalidParameterValue");
        assert!(
            error
                .to_string()
                .ends_with(&format!("names {count} queues, 1 to 10 are allowed.")),
            "{error}"
        );
    }
    let limits = {
        let mut limits = Limits::default();
        limits.redrive_allow_source_queues = 1;
        limits
    };
    let service = Service::builder().limits(limits).build();
    let by_queue = |count| bare().redrive_allow_policy(RedriveAllowPolicy::ByQueue(vec![NOWHERE.into(); count]));
    assert!(service.create_queue("one", by_queue(1)).is_ok() && service.create_queue("two", by_queue(2)).is_err());
}

#[test]
fn a_link_outlives_an_allow_policy_that_forbids_it() {
    // L21
    let (_, service, jobs, dead) = two();
    service.set_attributes("jobs", redrive(dead.arn(), 1)).unwrap();
    service
        .set_attributes("dead", bare().redrive_allow_policy(RedriveAllowPolicy::DenyAll))
        .unwrap();
    service.set_attributes("jobs", bare().delay(secs(0))).unwrap();
    jobs.send("m").unwrap();
    assert_eq!([fail_once(&jobs), fail_once(&jobs)], [1, 0]);
    assert_eq!(counts(&dead), [1, 0, 0]);
}

#[test]
fn the_sources_of_a_dead_letter_queue_are_listed_by_name_and_page() {
    // L23
    let (_, service, jobs, dead) = two();
    let list = |request: &ListQueues| service.list_dead_letter_source_queues("dead", request).unwrap();
    assert_eq!(
        (
            list(&ListQueues::new()).items.len(),
            list(&ListQueues::new()).next_token
        ),
        (0, None)
    );
    let urls = ["c", "a", "b"].map(|name| {
        let created = service.create_queue(name, redrive(dead.arn(), 3)).unwrap();
        created.url().to_owned()
    });
    let [c, a, b] = &urls;
    assert_eq!(list(&ListQueues::new()).items, [a.clone(), b.clone(), c.clone()]);
    let first = list(&ListQueues::new().max_results(2));
    assert_eq!(first.items, [a.clone(), b.clone()]);
    let last = list(&ListQueues::new().max_results(2).next_token(first.next_token.unwrap()));
    assert_eq!((last.items, last.next_token), (vec![c.clone()], None));

    service.set_attributes("a", bare().no_redrive_policy()).unwrap();
    service.set_attributes("b", redrive(jobs.arn(), 3)).unwrap();
    service.delete_queue("c").unwrap();
    assert!(list(&ListQueues::new()).items.is_empty());
    let of_jobs = service
        .list_dead_letter_source_queues("jobs", &ListQueues::new())
        .unwrap();
    assert_eq!(&of_jobs.items, std::slice::from_ref(b));
}

#[test]
fn the_sources_of_an_unknown_queue_are_not_listed() {
    // L23
    let (_, service) = service();
    assert_refused!(
        service.list_dead_letter_source_queues("nowhere", &ListQueues::new()),
        "QueueDoesNotExist",
        "The specified queue does not exist."
    );
}
