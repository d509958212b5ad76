//! How a task ends.

use super::*;

#[test]
fn only_a_running_task_can_be_cancelled() {
    // L26h
    let house = House::new().fill(2);
    let handle = house.start(1);
    house.service.cancel_message_move_task(&handle).unwrap();
    let cancel = |handle: &TaskHandle| house.service.cancel_message_move_task(handle);
    assert_refused!(cancel(&handle), "ResourceNotFoundException", NO_TASK);
    house.clock.advance(secs(1));
    assert_refused!(cancel(&handle), "ResourceNotFoundException", NO_TASK);
    let completed = house.service.start_message_move_task(&house.request()).unwrap();
    assert_refused!(cancel(&completed), "ResourceNotFoundException", NO_TASK);
}

#[test]
fn a_handle_of_nobodys_making_cancels_nothing() {
    // L26e L26f L26g L27
    let house = House::new();
    let cancel = |handle: &str| house.service.cancel_message_move_task(handle);
    for garbage in ["", "garbage", "e30=", "eyJ0YXNrSWQiOiIxIn0="] {
        assert_refused!(
            cancel(garbage),
            "InvalidParameterValue",
            "Value for parameter TaskHandle is invalid."
        );
    }
    let handle = |arn: &str| {
        let text = format!(r#"{{"taskId":"10f6c695-6a2c-4f0d-9b6c-0d4d7a4d1a11","sourceArn":"{arn}"}}"#);
        data_encoding::BASE64.encode(text.as_bytes())
    };
    assert_refused!(cancel(&handle("nowhere")), "ResourceNotFoundException", NO_SOURCE);
    let unknown = handle("arn:aws:sqs:us-east-1:000000000000:nowhere");
    assert_refused!(cancel(&unknown), "ResourceNotFoundException", NO_SOURCE);
    assert_refused!(cancel(&handle(house.dead.arn())), "ResourceNotFoundException", NO_TASK);
}

#[test]
fn a_destination_deleted_meanwhile_fails_the_task_and_keeps_the_message() {
    // L32
    let house = House::new().fill(10);
    house.start(1);
    house.clock.advance(secs(2));
    house.service.delete_queue("jobs").unwrap();
    house.clock.advance(secs(1));
    let task = house.newest();
    assert_eq!(house.progress(), (MoveTaskStatus::Failed, 3));
    assert_eq!(
        task.failure_reason.map(MoveTaskFailure::as_str),
        Some("AWS.SimpleQueueService.NonExistentQueue")
    );
    assert_eq!(
        bodies(&receive(&house.dead, 10)),
        ["m3", "m4", "m5", "m6", "m7", "m8", "m9"]
    );
    assert_eq!(house.clock.next_deadline(), None);
}

#[test]
fn a_source_of_messages_deleted_meanwhile_fails_the_task_too() {
    // L25 L32
    let house = House::new();
    house.service.create_queue("other", redrive(&house.dead)).unwrap();
    dead_letter(&house.jobs, &["j1"]);
    house.service.delete_queue("jobs").unwrap();
    house.service.start_message_move_task(&house.request()).unwrap();
    assert_eq!(house.newest().failure_reason, Some(MoveTaskFailure::NonExistentQueue));
    assert_eq!(counts(&house.dead), [1, 0, 0]);
}

#[test]
fn a_source_deleted_meanwhile_takes_its_tasks_along() {
    // L26a Q36
    let house = House::new().fill(5);
    let handle = house.start(1);
    house.service.delete_queue("dead").unwrap();
    assert_eq!(house.clock.next_deadline(), None);
    house.clock.advance(secs(60));
    assert_refused!(
        house.service.list_message_move_tasks(house.dead.arn(), None),
        "ResourceNotFoundException",
        NO_SOURCE
    );
    house.service.create_queue("dead", bare()).unwrap();
    assert!(
        house
            .service
            .list_message_move_tasks(house.dead.arn(), None)
            .unwrap()
            .is_empty()
    );
    let cancel = house.service.cancel_message_move_task(&handle);
    assert_refused!(cancel, "ResourceNotFoundException", NO_TASK);
    assert_eq!(counts(&house.jobs), [1, 0, 0]);
}

#[test]
fn a_service_that_nobody_holds_forgets_its_tasks() {
    let House {
        clock,
        service,
        jobs,
        dead,
    } = {
        let house = House::new().fill(5);
        house.start(1);
        house
    };
    drop((service, jobs));
    assert!(clock.next_deadline().is_some(), "a handle of a queue is left");
    drop(dead);
    assert_eq!(clock.next_deadline(), None);
    clock.advance(secs(10));
}
