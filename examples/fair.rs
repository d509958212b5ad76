//! A tenant with a huge backlog does not keep the others waiting, if messages of a standard queue carry a group id.
//! `cargo run --example fair` prints two lines at once.
use {
    requeue::{Queue, SendMessage},
    std::error::Error,
};

const BACKLOG: usize = 1_000;

fn main() -> Result<(), Box<dyn Error>> {
    let unfair = Queue::standard("without-groups").build()?;
    for body in backlog_then_one() {
        unfair.send(body)?;
    }
    let waited_for = place_of_the_quiet_tenant(&unfair)?;
    println!("without group ids the quiet tenant is served after {waited_for} others");
    assert_eq!(waited_for, BACKLOG);

    let fair = Queue::standard("with-groups").build()?;
    for body in backlog_then_one() {
        let tenant = body.split(' ').next().unwrap_or_default().to_owned();
        fair.send(SendMessage::new(body).message_group_id(tenant))?;
    }
    let waited_for = place_of_the_quiet_tenant(&fair)?;
    println!("with group ids it is served after {waited_for}");
    assert!(waited_for <= 40, "a tenant is noisy from 30 messages in flight on");
    assert_eq!(fair.noisy_groups(), ["noisy".into()]);
    Ok(())
}

fn backlog_then_one() -> impl Iterator<Item = String> {
    (0..BACKLOG)
        .map(|job| format!("noisy {job}"))
        .chain(["quiet 0".to_owned()])
}

/// Receives in batches, as busy consumers do that have deleted nothing yet.
fn place_of_the_quiet_tenant(queue: &Queue) -> Result<usize, Box<dyn Error>> {
    let mut before = 0;
    loop {
        let batch = queue.receive().max_messages(10).blocking()?;
        if let Some(place) = batch.iter().position(|job| job.body().starts_with("quiet")) {
            return Ok(before + place);
        }
        if batch.is_empty() {
            return Err("the quiet tenant was never served".into());
        }
        before += batch.len();
    }
}
