//! What a list of tasks shows.

use super::*;

#[test]
fn a_task_shows_what_it_was_asked_for() {
    // L27 L29
    let house = House::new().fill(2);
    let started = house.clock.now();
    let handle = house.start(1);
    let task = house.newest();
    assert_eq!(task.status.to_string(), "RUNNING");
    assert_eq!(task.source_arn, house.dead.arn());
    assert_eq!(task.destination_arn.as_deref(), Some(house.jobs.arn()));
    assert_eq!(task.max_messages_per_second, Some(1));
    assert_eq!(task.approximate_number_of_messages_to_move, 2);
    assert_eq!(task.started_timestamp, started);
    assert_eq!(task.task_handle, Some(handle));
    assert_eq!(task.failure_reason, None);
}

#[test]
fn a_task_that_is_over_shows_only_what_applies() {
    // L29
    let house = House::new();
    house.service.start_message_move_task(&house.request()).unwrap();
    let task = house.newest();
    assert_eq!(
        (task.status.as_str(), task.approximate_number_of_messages_to_move),
        ("COMPLETED", 0)
    );
    assert_eq!((task.destination_arn, task.max_messages_per_second), (None, None));
    assert_eq!((task.task_handle, task.failure_reason), (None, None));
}

#[test]
fn tasks_are_listed_newest_first_and_one_unless_asked_for_more() {
    // L29
    let house = House::new();
    let start = house.clock.now();
    for _ in 0..12 {
        house.service.start_message_move_task(&house.request()).unwrap();
        house.clock.advance(secs(1));
    }
    let list = |max_results| {
        let tasks = house
            .service
            .list_message_move_tasks(house.dead.arn(), max_results)
            .unwrap();
        let ages = tasks
            .iter()
            .map(|it| it.started_timestamp.saturating_duration_since(start).as_secs());
        ages.collect::<Vec<_>>()
    };
    assert_eq!(list(None), [11]);
    assert_eq!(list(Some(1)), [11]);
    assert_eq!(list(Some(3)), [11, 10, 9]);
    assert_eq!(list(Some(10)), [11, 10, 9, 8, 7, 6, 5, 4, 3, 2]);
    for max_results in [0, 11] {
        let text = format!(
            "Value {max_results} for parameter MaxResults is invalid. \
             Reason: Must be between 1 and 10, if provided."
        );
        let refused = house
            .service
            .list_message_move_tasks(house.dead.arn(), Some(max_results));
        assert_refused!(refused, "InvalidParameterValue", text);
    }
}

#[test]
fn a_list_is_asked_for_by_the_arn_of_a_queue() {
    // L26a L26d
    let house = House::new();
    let list = |arn: &str| house.service.list_message_move_tasks(arn, None);
    for arn in ["dead", "", house.dead.url(), "arn:aws:sqs:us-east-1:000000000000"] {
        assert_refused!(
            list(arn),
            "InvalidParameterValue",
            "You must use this format to specify the SourceArn: \
             arn:<partition>:<service>:<region>:<account-id>:<resource-id>"
        );
    }
    let unknown = list("arn:aws:sqs:us-east-1:000000000000:nowhere");
    assert_refused!(unknown, "ResourceNotFoundException", NO_SOURCE);
    assert!(list(house.jobs.arn()).unwrap().is_empty());
}

#[test]
fn handles_follow_from_the_seed() {
    // L27
    let handles = || {
        let house = House::new();
        let start = || house.service.start_message_move_task(&house.request()).unwrap();
        [start(), start()]
    };
    let [first, second] = handles();
    assert_ne!(first, second);
    assert_eq!(handles(), [first, second]);
}
