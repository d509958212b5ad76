//! A queue that is its own dead-letter queue (L3d).

use super::*;
use requeue::{
    Fact, FactChannel, FactEntry, FactListener, MoveTaskFailure, MoveTaskStatus, SendMessage, StartMessageMoveTask,
};

/// A queue of each type that names itself after so many receives.
fn each(service: &Service, max_receive_count: u32) -> [Queue; 2] {
    ["own", "own.fifo"].map(|name| {
        let attributes = if name.ends_with(".fifo") {
            bare().fifo_queue(true)
        } else {
            bare()
        };
        let queue = service.create_queue(name, attributes).unwrap();
        let policy = redrive(queue.arn(), max_receive_count);
        service.set_attributes(name, policy).unwrap();
        queue
    })
}

fn message(queue: &Queue, body: &str) -> SendMessage {
    let message = SendMessage::new(body);
    if queue.is_fifo() {
        message.message_group_id("g").message_deduplication_id(body)
    } else {
        message
    }
}

fn send(queue: &Queue, bodies: &[&str]) {
    for body in bodies {
        queue.send(message(queue, body)).unwrap();
    }
}

fn sources(service: &Service, queue: &Queue) -> Vec<String> {
    let listed = service.list_dead_letter_source_queues(queue.name(), &ListQueues::new());
    listed.unwrap().items
}

#[test]
fn the_policy_of_a_queue_may_name_the_queue() {
    // L3d L23
    let (_, service) = service();
    for queue in each(&service, 3) {
        let policy = RedrivePolicy::new(queue.arn(), 3);
        assert_eq!(queue.settings().redrive_policy, Some(policy.clone()));
        assert_eq!(sources(&service, &queue), [queue.url()]);
        queue
            .set_attributes(bare().delay(secs(0)).redrive_policy(policy))
            .unwrap();
        let attributes = redrive(queue.arn(), 3);
        let attributes = if queue.is_fifo() {
            attributes.fifo_queue(true)
        } else {
            attributes
        };
        let again = service.create_queue(queue.name(), attributes).unwrap();
        assert_eq!(again.arn(), queue.arn());
        service
            .set_attributes(queue.name(), bare().no_redrive_policy())
            .unwrap();
        assert!(sources(&service, &queue).is_empty());
    }
}

#[test]
fn a_queue_is_created_with_a_policy_that_names_it() {
    // L3d
    let (_, service) = service();
    let queue = service.create_queue("nowhere", redrive(NOWHERE, 1)).unwrap();
    assert_eq!(sources(&service, &queue), [queue.url()]);
    send(&queue, &["m"]);
    assert_eq!([fail_once(&queue), fail_once(&queue)], [1, 0]);
    assert_eq!(take(&queue).dead_letter_queue_source_arn(), Some(NOWHERE));
}

#[test]
fn a_queue_that_lets_no_source_in_does_not_let_itself_in() {
    // L3c L3d
    let (_, service) = service();
    let queue = service.create_queue("own", bare()).unwrap();
    let reason = "Dead-letter queue does not allow this queue as its source.";
    let both = |arn: &str| redrive(arn, 3).redrive_allow_policy(RedriveAllowPolicy::DenyAll);
    let error = service.set_attributes("own", both(queue.arn())).unwrap_err();
    assert_eq!((error.code(), error.to_string()), refused(queue.arn(), 3, reason));
    let error = service.create_queue("nowhere", both(NOWHERE)).unwrap_err();
    assert_eq!((error.code(), error.to_string()), refused(NOWHERE, 3, reason));
    let itself = RedriveAllowPolicy::ByQueue(vec![queue.arn().into()]);
    let policy = redrive(queue.arn(), 3).redrive_allow_policy(itself);
    service.set_attributes("own", policy).unwrap();
}

#[test]
fn a_message_received_too_often_goes_to_the_end_of_its_own_queue() {
    // L3d L8 L10 L11
    let (clock, service) = service();
    for queue in each(&service, 1) {
        send(&queue, &["poison"]);
        let first = queue
            .receive()
            .visibility_timeout(secs(1))
            .blocking()
            .unwrap()
            .remove(0);
        send(&queue, &["next"]);
        clock.advance(secs(1));
        assert_eq!(bodies(&receive_for(&queue, 1, Duration::ZERO)), ["next"]);
        assert_eq!(counts(&queue), [2, 0, 0]);
        // As poison came in behind it, next is looked at first, and leaves as well.
        let again = receive_for(&queue, 10, secs(30)).remove(0);
        assert_eq!(again.body(), "poison");
        assert_eq!(again.message_id(), first.message_id());
        assert_eq!(again.sent_timestamp(), first.sent_timestamp());
        assert_eq!(
            again.approximate_first_receive_timestamp(),
            first.approximate_first_receive_timestamp()
        );
        assert_eq!(again.approximate_receive_count(), 2);
        assert_eq!(again.dead_letter_queue_source_arn(), Some(queue.arn()));
        if queue.is_fifo() {
            let id = first.message_id().to_string();
            assert_eq!(again.message_deduplication_id(), Some(id.as_str()));
            assert!(again.sequence_number() > first.sequence_number());
        }
        // Its old handle is one of a message that has left (D19).
        first.delete().unwrap();
        assert_eq!(counts(&queue)[1], 1);
        again.delete().unwrap();
        assert_eq!(bodies(&[take(&queue)]), ["next"]);
    }
}

#[test]
fn one_receive_moves_a_message_once_and_ends() {
    // L3d L6 L7
    for poison in [1, 99, 100, 101, 250] {
        let clock = ManualClock::default();
        let (channel, facts) = FactChannel::unbounded();
        let service = Service::builder().clock(clock.clone()).listener(channel).build();
        for queue in each(&service, 1) {
            for number in 0..poison {
                let group = number.to_string();
                let message = message(&queue, &group).message_group_id(group);
                queue.send(message).unwrap();
            }
            while !receive_for(&queue, 10, secs(1)).is_empty() {}
            clock.advance(secs(1));
            facts.try_iter().for_each(drop);
            receive_for(&queue, 10, secs(1));
            let facts = facts.try_iter().map(|(_, entry)| entry.fact);
            let mut moved: Vec<_> = facts
                .filter_map(|fact| match fact {
                    Fact::DeadLettered { message_id, .. } => Some(message_id),
                    _ => None,
                })
                .collect();
            assert_eq!(moved.len(), poison);
            moved.sort();
            moved.dedup();
            assert_eq!(moved.len(), poison, "each once");
            assert_eq!(queue.snapshot().messages.len(), poison);
            queue.delete_queue().unwrap();
            clock.advance(secs(60));
        }
    }
}

#[test]
fn a_long_poll_receives_what_it_has_moved_to_the_end() {
    // L3d L7
    let (_, service) = service();
    for queue in each(&service, 1) {
        send(&queue, &["m"]);
        for count in 1..=4 {
            let received = queue
                .receive()
                .wait_time(secs(20))
                .visibility_timeout(Duration::ZERO)
                .blocking();
            assert_eq!(received.unwrap()[0].approximate_receive_count(), count);
        }
    }
}

#[test]
fn a_message_given_up_goes_to_the_end_of_its_own_queue() {
    // L3d L8
    let (_, service) = service();
    for queue in each(&service, 5) {
        send(&queue, &["m"]);
        take(&queue).dead_letter("no image").unwrap();
        assert_eq!(counts(&queue), [1, 0, 0]);
        assert_eq!(take(&queue).approximate_receive_count(), 2);
    }
}

#[test]
fn a_message_that_moves_within_its_queue_is_there_once_by_its_facts() {
    // L3d L17
    let clock = ManualClock::default();
    let (channel, facts) = FactChannel::unbounded();
    let service = Service::builder().clock(clock).listener(channel).build();
    let queue = service.create_queue("nowhere", redrive(NOWHERE, 1)).unwrap();
    send(&queue, &["m"]);
    assert_eq!([fail_once(&queue), fail_once(&queue)], [1, 0]);
    let kinds = facts.try_iter().filter_map(|(_, entry)| match entry.fact {
        Fact::Sent { .. } | Fact::Arrived { .. } => Some(1),
        Fact::DeadLettered { .. } => Some(-1),
        _ => None,
    });
    assert_eq!(kinds.collect::<Vec<_>>(), [1, -1, 1], "it leaves, then it arrives");
}

/// Purges its queue at the first fact after it was told to.
#[derive(Clone, Default)]
struct Purger(Arc<Mutex<Option<Queue>>>);

impl FactListener for Purger {
    fn on_fact(&self, _: &Arc<str>, _: &FactEntry) {
        let queue = self.0.lock().unwrap().take();
        if let Some(queue) = queue {
            queue.purge().unwrap();
        }
    }
}

#[test]
fn a_message_purged_on_its_way_to_its_own_queue_does_not_arrive() {
    // L3d D43
    let clock = ManualClock::default();
    let purger = Purger::default();
    let service = Service::builder().clock(clock).listener(purger.clone()).build();
    let queue = service.create_queue("nowhere", redrive(NOWHERE, 1)).unwrap();
    send(&queue, &["poison"]);
    fail_once(&queue);
    send(&queue, &["next"]);
    *purger.0.lock().unwrap() = Some(queue.clone());
    assert_eq!(bodies(&receive_for(&queue, 1, secs(30))), ["next"]);
    assert!(queue.snapshot().messages.is_empty());
}

#[test]
fn retention_counts_from_the_send_and_on_a_fifo_queue_from_the_move() {
    // L3d L13 L14
    let (clock, service) = service();
    for queue in each(&service, 1) {
        let retention = bare().message_retention_period(secs(100));
        service.set_attributes(queue.name(), retention).unwrap();
        send(&queue, &["m"]);
        fail_once(&queue);
        clock.advance(secs(60));
        fail_once(&queue);
        clock.advance(secs(60));
        assert_eq!(counts(&queue)[0], usize::from(queue.is_fifo()));
    }
}

#[test]
fn a_task_moves_no_message_of_a_queue_back_to_the_same_queue() {
    // L3d L25
    let (_, service) = service();
    for queue in each(&service, 1) {
        send(&queue, &["a", "b"]);
        assert_eq!([fail_once(&queue), fail_once(&queue)], [2, 0]);
        service
            .start_message_move_task(&StartMessageMoveTask::new(queue.arn()))
            .unwrap();
        let task = service.list_message_move_tasks(queue.arn(), None).unwrap().remove(0);
        assert_eq!(task.status, MoveTaskStatus::Failed);
        assert_eq!(
            task.failure_reason,
            Some(MoveTaskFailure::CouldNotDetermineMessageSource)
        );
        assert_eq!(task.approximate_number_of_messages_moved, 0);
        assert_eq!(counts(&queue), [2, 0, 0]);
        let itself = StartMessageMoveTask::new(queue.arn()).destination_arn(queue.arn());
        assert_eq!(
            service.start_message_move_task(&itself).unwrap_err().code(),
            "InvalidParameterValue"
        );
    }
}

#[test]
fn a_task_moves_the_messages_of_other_queues_and_those_with_a_destination() {
    // L3d L25
    let (_, service) = service();
    let [own, _] = each(&service, 1);
    let jobs = service.create_queue("jobs", redrive(own.arn(), 1)).unwrap();
    send(&jobs, &["of jobs"]);
    assert_eq!([fail_once(&jobs), fail_once(&jobs)], [1, 0]);
    service
        .start_message_move_task(&StartMessageMoveTask::new(own.arn()))
        .unwrap();
    assert_eq!((counts(&own), counts(&jobs)), ([0; 3], [1, 0, 0]));
    send(&own, &["own"]);
    let to_jobs = StartMessageMoveTask::new(own.arn()).destination_arn(jobs.arn());
    service.start_message_move_task(&to_jobs).unwrap();
    assert_eq!((counts(&own), counts(&jobs)), ([0; 3], [2, 0, 0]));
}

/// Lives as long as the queue that it listens to.
struct Alive(#[expect(dead_code, reason = "counted, never read")] Arc<()>);

impl FactListener for Alive {
    fn on_fact(&self, _: &Arc<str>, _: &FactEntry) {}
}

#[test]
fn a_queue_that_is_its_own_target_is_dropped_with_its_handles() {
    // L3d
    let alive = Arc::new(());
    let service = Service::builder().clock(ManualClock::default());
    let service = service.listener(Alive(Arc::clone(&alive))).build();
    let queues = each(&service, 1);
    for queue in &queues {
        send(queue, &["m"]);
        assert_eq!([fail_once(queue), fail_once(queue)], [1, 0]);
    }
    service.create_queue("nowhere", redrive(NOWHERE, 1)).unwrap();
    drop(service);
    assert!(Arc::strong_count(&alive) > 1);
    drop(queues);
    assert_eq!(Arc::strong_count(&alive), 1);
}

#[test]
fn a_queue_deleted_and_created_again_under_its_name_is_not_its_own_target() {
    // L3d Q37
    let (clock, service) = service();
    let [own, _] = each(&service, 1);
    own.delete_queue().unwrap();
    clock.advance(secs(60));
    let anew = service.create_queue("own", bare()).unwrap();
    assert!(sources(&service, &anew).is_empty());
    send(&anew, &["m"]);
    assert_eq!([fail_once(&anew), fail_once(&anew)], [1, 1]);
}
