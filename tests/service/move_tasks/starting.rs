//! Which tasks start, and where their messages go.

use super::*;

#[test]
fn a_message_that_names_no_source_stays_and_fails_the_task() {
    // L25
    let house = House::new();
    dead_letter(&house.jobs, &["j1"]);
    house.dead.send("sent here").unwrap();
    dead_letter(&house.jobs, &["j2"]);
    house.service.start_message_move_task(&house.request()).unwrap();
    let task = house.newest();
    assert_eq!(house.progress(), (MoveTaskStatus::Failed, 1));
    assert_eq!(
        task.failure_reason,
        Some(MoveTaskFailure::CouldNotDetermineMessageSource)
    );
    assert_eq!(
        task.failure_reason.unwrap().to_string(),
        "CouldNotDetermineMessageSource"
    );
    assert_eq!(bodies(&receive(&house.jobs, 10)), ["j1"]);
    assert_eq!(bodies(&receive(&house.dead, 10)), ["sent here", "j2"]);
}

#[test]
fn a_destination_takes_all_messages_whatever_their_source() {
    // L24
    let house = House::new();
    let other = house.service.create_queue("other", bare()).unwrap();
    dead_letter(&house.jobs, &["j1"]);
    house.dead.send("sent here").unwrap();
    let request = house.request().destination_arn(other.arn());
    house.service.start_message_move_task(&request).unwrap();
    assert_eq!(bodies(&receive(&other, 10)), ["j1", "sent here"]);
    assert_eq!(house.progress(), (MoveTaskStatus::Completed, 2));
}

#[test]
fn a_source_is_a_dead_letter_queue_as_long_as_a_policy_names_it() {
    // L24 L26
    let house = House::new();
    let start = |arn: &str| house.service.start_message_move_task(&StartMessageMoveTask::new(arn));
    let text = "Source queue must be configured as a Dead Letter Queue.";
    assert_refused!(start(house.jobs.arn()), "InvalidParameterValue", text);
    start(house.dead.arn()).unwrap();
    house
        .service
        .set_attributes("jobs", bare().no_redrive_policy())
        .unwrap();
    assert_refused!(start(house.dead.arn()), "InvalidParameterValue", text);
    house.service.create_queue("again", redrive(&house.dead)).unwrap();
    start(house.dead.arn()).unwrap();
    house.service.delete_queue("again").unwrap();
    assert_refused!(start(house.dead.arn()), "InvalidParameterValue", text);
}

#[test]
fn source_and_destination_exist() {
    // L26a L26b C6
    let house = House::new();
    let request = StartMessageMoveTask::new;
    let start = |request: &StartMessageMoveTask| house.service.start_message_move_task(request);
    for arn in [
        "arn:aws:sqs:us-east-1:000000000000:nowhere",
        "arn:aws:sqs:eu-west-1:000000000000:dead",
        "dead",
        house.dead.url(),
        "",
    ] {
        assert_refused!(start(&request(arn)), "ResourceNotFoundException", NO_SOURCE);
        let refused = start(&house.request().destination_arn(arn));
        assert_refused!(refused, "ResourceNotFoundException", NO_DESTINATION);
    }
    house.jobs.delete_queue().unwrap();
    let refused = start(&house.request().destination_arn(house.jobs.arn()));
    assert_refused!(refused, "ResourceNotFoundException", NO_DESTINATION);
}

#[test]
fn a_destination_is_another_queue_of_the_same_type() {
    // L26i L24
    let house = House::new();
    let orders = house
        .service
        .create_queue("orders.fifo", bare().fifo_queue(true))
        .unwrap();
    for (arn, reason) in [
        (house.dead.arn(), "The destination is the source."),
        (
            orders.arn(),
            "The destination must be same type of queue as the source.",
        ),
    ] {
        let text = format!("Value {arn} for parameter DestinationArn is invalid. Reason: {reason}");
        let request = house.request().destination_arn(arn);
        assert_refused!(
            house.service.start_message_move_task(&request),
            "InvalidParameterValue",
            text
        );
    }
}

#[test]
fn a_rate_is_1_to_500_messages_per_second() {
    // L24 L33
    let house = House::new();
    let start = |rate| {
        house
            .service
            .start_message_move_task(&house.request().max_messages_per_second(rate))
    };
    for rate in [1, 2, 499, 500] {
        start(rate).unwrap();
    }
    for rate in [0, 501, u32::MAX] {
        let text = format!(
            "Value {rate} for parameter MaxNumberOfMessagesPerSecond is invalid. \
             Reason: Must be between 1 and 500, if provided."
        );
        assert_refused!(start(rate), "InvalidParameterValue", text);
    }
}

#[test]
fn a_service_has_so_many_active_tasks_and_no_more() {
    // L33
    let house = House::with_limits(|limits| limits.move_tasks_active = 2).fill(3);
    let sources = [0, 1].map(|number| {
        let dead = house.service.create_queue(&format!("dead-{number}"), bare()).unwrap();
        house
            .service
            .create_queue(&format!("jobs-{number}"), redrive(&dead))
            .unwrap();
        dead.send("a").unwrap();
        dead.send("b").unwrap();
        dead
    });
    let start = |dead: &Queue| {
        let request = StartMessageMoveTask::new(dead.arn()).destination_arn(house.jobs.arn());
        house
            .service
            .start_message_move_task(&request.max_messages_per_second(1))
    };
    house.start(1);
    start(&sources[0]).unwrap();
    let error = start(&sources[1]).unwrap_err();
    assert_eq!(
        (error.code(), error),
        ("OverLimit", MoveTaskError::OverLimit { limit: 2 })
    );
    house.clock.advance(secs(1));
    assert_eq!(house.progress(), (MoveTaskStatus::Running, 2));
    start(&sources[1]).expect("the task of dead-0 is over");
}

#[test]
fn an_allow_policy_does_not_restrict_tasks() {
    // L22
    let house = House::new().fill(1);
    let deny = bare().redrive_allow_policy(RedriveAllowPolicy::DenyAll);
    let other = house.service.create_queue("other", deny).unwrap();
    let request = house.request().destination_arn(other.arn());
    house.service.start_message_move_task(&request).unwrap();
    assert_eq!(counts(&other), [1, 0, 0]);
}

#[test]
fn a_task_may_take_messages_out_of_the_middle_of_a_chain() {
    // L16 L25
    let house = House::new();
    let last = house.service.create_queue("last", bare()).unwrap();
    house.service.set_attributes("dead", redrive(&last)).unwrap();
    dead_letter(&house.jobs, &["m"]);
    house.service.start_message_move_task(&house.request()).unwrap();
    assert_eq!(bodies(&receive_for(&house.jobs, 1, Duration::ZERO)), ["m"]);
    assert!(receive(&house.jobs, 1).is_empty());
    assert_eq!(receive_for(&house.dead, 1, Duration::ZERO).len(), 1);
    assert!(receive(&house.dead, 1).is_empty());
    house
        .service
        .start_message_move_task(&StartMessageMoveTask::new(last.arn()))
        .unwrap();
    assert_eq!(
        (counts(&house.jobs), counts(&house.dead)),
        ([0, 0, 0], [1, 0, 0]),
        "not the last source"
    );
}
