//! Scenarios B48 to B50: message move tasks.

use super::door::{Attribute::RedrivePolicy, House, Queue, assert_refused, bodies};
use crate::common::{millis, secs};

/// A queue `jobs` whose dead letters go to `dead` after one receive.
fn jobs_and_dead(house: &House) -> (Queue, Queue) {
    let dead = house.create("dead", []).unwrap();
    (house.standard([RedrivePolicy(dead.arn(), 1)]), dead)
}

/// Sends these bodies and fails them until they are dead letters.
fn dead_letter(queue: &Queue, bodies: &[&str]) {
    for &body in bodies {
        queue.send(body).unwrap();
    }
    assert_eq!(queue.receive_for(10, 0).len(), bodies.len());
    assert!(queue.receive(10).is_empty());
}

/// Sends `m0`, `m1`, .. and starts to move them from `dead` to `jobs`, one in a second; the handle of the task.
fn start_slowly(house: &House, jobs: &Queue, dead: &Queue, messages: usize) -> String {
    for number in 0..messages {
        dead.send(format!("m{number}")).unwrap();
    }
    let started = house.door.start_move_task(&dead.arn(), Some(&jobs.arn()), Some(1));
    started.unwrap()
}

/// Status and messages moved of the newest task.
fn progress(house: &House, dead: &Queue) -> (String, u64) {
    let task = house.door.newest_move_task(&dead.arn());
    assert_eq!(task.failure, None);
    (task.status, task.moved)
}

pub(crate) fn b48_without_a_destination_each_message_returns_to_its_own_source(house: &House) {
    // L25
    let (jobs, dead) = jobs_and_dead(house);
    let other = house.create("other", [RedrivePolicy(dead.arn(), 1)]).unwrap();
    dead_letter(&jobs, &["j1", "j2"]);
    dead_letter(&other, &["o1"]);
    dead_letter(&jobs, &["j3"]);
    assert_eq!(dead.counts(), [4, 0, 0]);
    house.door.start_move_task(&dead.arn(), None, None).unwrap();
    assert_eq!(bodies(&jobs.receive(10)), ["j1", "j2", "j3"]);
    assert_eq!(bodies(&other.receive(10)), ["o1"]);
    assert_eq!(dead.counts(), [0, 0, 0]);
    assert_eq!(progress(house, &dead), ("COMPLETED".to_owned(), 4));
}

pub(crate) fn b49_a_cancelled_task_moves_one_more_message_and_stops(house: &House) {
    // L28
    let (jobs, dead) = jobs_and_dead(house);
    let handle = start_slowly(house, &jobs, &dead, 10);
    assert_eq!(house.door.newest_move_task(&dead.arn()).handle.as_ref(), Some(&handle));
    house.clock.advance(millis(1_500));
    assert_eq!(house.door.cancel_move_task(&handle), Ok(2));
    assert_eq!(house.door.newest_move_task(&dead.arn()).handle, None);
    house.clock.advance(millis(499));
    assert_eq!(progress(house, &dead), ("CANCELLING".to_owned(), 2));
    house.clock.advance(millis(1));
    assert_eq!(progress(house, &dead), ("CANCELLED".to_owned(), 3));
    house.clock.advance(secs(100));
    assert_eq!((dead.counts(), jobs.counts()), ([7, 0, 0], [3, 0, 0]));
}

pub(crate) fn b50_one_task_of_a_source_is_active_at_a_time(house: &House) {
    // L26c
    let (jobs, dead) = jobs_and_dead(house);
    let handle = start_slowly(house, &jobs, &dead, 3);
    let again = || house.door.start_move_task(&dead.arn(), Some(&jobs.arn()), None);
    let text = "There is already a task running. \
        Only one active task is allowed for a source queue arn at a given time.";
    assert_refused(again(), "InvalidParameterValue", text);
    house.door.cancel_move_task(&handle).unwrap();
    assert_refused(again(), "InvalidParameterValue", text); // CANCELLING
    house.clock.advance(secs(1));
    assert_eq!(progress(house, &dead), ("CANCELLED".to_owned(), 2));
    again().unwrap();
    assert_eq!(jobs.counts(), [3, 0, 0]);
}
