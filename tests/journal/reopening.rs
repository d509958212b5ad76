//! What names a queue that is gone, after the service was opened again.

use {
    crate::{
        directory::{self, Directory},
        open::{clock_at, service},
    },
    requeue::{
        ManualClock, MoveTaskFailure, MoveTaskStatus, Queue, QueueAttributes, RedrivePolicy, Service,
        StartMessageMoveTask,
    },
    std::{path::Path, time::Duration},
};

const START: u64 = 1_700_000_000_000;

/// A dead-letter queue with so many messages, and a queue to move them to.
fn failed_and_by_hand(service: &Service, messages: usize) -> [Queue; 2] {
    let [failed, by_hand] =
        ["failed", "by-hand"].map(|name| service.create_queue(name, QueueAttributes::new()).unwrap());
    let jobs = QueueAttributes::new().redrive_policy(RedrivePolicy::new(failed.arn(), 1));
    service.create_queue("jobs", jobs).unwrap();
    for number in 0..messages {
        failed.send(number.to_string()).unwrap();
    }
    [failed, by_hand]
}

/// Starts a task, deletes its destination and opens the service again.
fn without_destination(directory: &Path, clock: &ManualClock, rate: Option<u32>) -> Service {
    let before = service(directory, clock);
    let [failed, by_hand] = failed_and_by_hand(&before, 3);
    let mut task = StartMessageMoveTask::new(failed.arn()).destination_arn(by_hand.arn());
    if let Some(rate) = rate {
        task = task.max_messages_per_second(rate);
    }
    before.start_message_move_task(&task).unwrap();
    before.delete_queue("by-hand").unwrap();
    before.close().unwrap();
    drop((before, failed, by_hand));
    service(directory, clock)
}

#[test]
fn a_move_task_whose_destination_is_gone_is_listed_and_an_active_one_fails() {
    let standing = [
        (None, MoveTaskStatus::Completed, None),
        (Some(1), MoveTaskStatus::Failed, Some(MoveTaskFailure::NonExistentQueue)),
    ];
    for (rate, status, failure) in standing {
        let (directory, clock) = (Directory::new(), clock_at(START));
        let path = directory.join("journal");
        let mut opened = without_destination(&path, &clock, rate);
        clock.advance(Duration::from_secs(1));
        // Also when it was opened twice.
        for _ in 0..2 {
            let failed = opened.queue("failed").unwrap();
            let tasks = opened.list_message_move_tasks(failed.arn(), None).unwrap();
            assert_eq!((tasks.len(), tasks[0].status), (1, status));
            assert_eq!(tasks[0].failure_reason, failure);
            let arn = tasks[0].destination_arn.as_deref();
            assert_eq!(arn, Some("arn:aws:sqs:us-east-1:000000000000:by-hand"));
            opened.close().unwrap();
            drop((opened, failed));
            opened = service(&path, &clock);
        }
    }
}

/// Sends and deletes until so many segments are gone.
fn pass_segments(service: &Service, directory: &Path, last: &str) {
    let passing = service.create_queue("passing", QueueAttributes::new()).unwrap();
    let mut oldest = None;
    while oldest.is_none_or(|it: String| it.as_str() <= last) {
        passing.send("x".repeat(5_000)).unwrap();
        passing.receive().blocking().unwrap()[0].delete().unwrap();
        let names = directory::names(directory).into_iter();
        oldest = names.filter(|name| name.starts_with("segment-")).min();
    }
}

#[test]
fn a_deleted_name_is_kept_although_its_segment_is_gone() {
    // Q37
    let (directory, clock) = (Directory::new(), clock_at(START));
    let path = directory.join("journal");
    let mut opened = service(&path, &clock);
    opened.create_queue("gone", QueueAttributes::new()).unwrap();
    opened.delete_queue("gone").unwrap();
    for last in ["segment-0000000010.log", "segment-0000000030.log"] {
        pass_segments(&opened, &path, last);
        opened.close().unwrap();
        drop(opened);
        clock.advance(Duration::from_secs(20));
        opened = service(&path, &clock);
        let refused = opened.create_queue("gone", QueueAttributes::new()).unwrap_err();
        assert_eq!(refused.code(), "QueueDeletedRecently");
    }
    clock.advance(Duration::from_secs(20));
    opened.create_queue("gone", QueueAttributes::new()).unwrap();
}

#[test]
fn names_are_free_again_in_the_order_in_which_they_were_deleted() {
    // Q37
    let (directory, clock) = (Directory::new(), clock_at(START));
    let path = directory.join("journal");
    let before = service(&path, &clock);
    for name in ["b", "a"] {
        before.create_queue(name, QueueAttributes::new()).unwrap();
        before.delete_queue(name).unwrap();
        clock.advance(Duration::from_secs(30));
    }
    before.close().unwrap();
    drop(before);
    let after = service(&path, &clock);
    after.create_queue("b", QueueAttributes::new()).unwrap();
    let refused = after.create_queue("a", QueueAttributes::new()).unwrap_err();
    assert_eq!(refused.code(), "QueueDeletedRecently");
}
