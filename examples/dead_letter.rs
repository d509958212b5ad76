//! A message that fails too often leaves for the dead-letter queue; once the bug is fixed a move task brings it back.
//! `cargo run --example dead_letter` prints four lines; time is virtual.
use {
    requeue::{ManualClock, MoveTaskStatus, QueueAttributes, RedrivePolicy, Service, StartMessageMoveTask},
    std::{num::ParseIntError, time::Duration},
};

const VISIBILITY: Duration = Duration::from_secs(30);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let clock = ManualClock::default();
    let service = Service::builder().clock(clock.clone()).build();
    let failed = service.create_queue("orders-failed", QueueAttributes::new())?;
    let attributes = QueueAttributes::new()
        .visibility_timeout(VISIBILITY)
        .redrive_policy(RedrivePolicy::new(failed.arn(), 2));
    let orders = service.create_queue("orders", attributes)?;
    orders.send("3 apples")?;

    for receive in 1..=2 {
        let order = &orders.receive().blocking()?[0];
        let error = parse_with_bug(order.body()).unwrap_err();
        println!("{:?}, receive {receive}: {error}", order.body());
        clock.advance(VISIBILITY); // nobody deletes it, so it comes back
    }
    assert!(
        orders.receive().blocking()?.is_empty(),
        "the third receive moves it instead"
    );
    assert_eq!(failed.counts().visible, 1);
    println!("now it is a dead letter");

    service.start_message_move_task(&StartMessageMoveTask::new(failed.arn()))?;
    let task = &service.list_message_move_tasks(failed.arn(), None)?[0];
    assert_eq!(task.status, MoveTaskStatus::Completed);
    assert_eq!(task.approximate_number_of_messages_moved, 1);

    let order = &orders.receive().blocking()?[0];
    assert_eq!(order.approximate_receive_count(), 1, "a redriven message starts anew");
    println!("after the redrive: {} apples", parse(order.body())?);
    order.delete()?;
    Ok(())
}

fn parse_with_bug(order: &str) -> Result<u32, ParseIntError> {
    order.parse()
}

fn parse(order: &str) -> Result<u32, ParseIntError> {
    order.trim_end_matches(" apples").parse()
}
