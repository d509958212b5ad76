//! A message sent with a delay is hidden until the delay ends, and wakes a waiting consumer at that very moment.
//! `cargo run --example delay` takes a second and prints two lines.
use {
    requeue::{Clock, Queue, SendMessage, SystemClock},
    std::time::Duration,
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let clock = SystemClock::new();
    let reminders = Queue::standard("reminders").clock(clock).build()?;
    let delay = Duration::from_secs(1);

    let sent_at = clock.now();
    reminders.send(SendMessage::new("tea is ready").delay(delay))?;
    assert!(reminders.receive().blocking()?.is_empty());
    assert_eq!(reminders.counts().delayed, 1);
    println!("sent, and nothing to receive yet");

    let reminder = &reminders.receive().wait_time(Duration::from_secs(20)).blocking()?[0];
    let waited = clock.now().saturating_duration_since(sent_at);
    println!("{:?} after {waited:?}", reminder.body());
    assert!(waited >= delay, "too early");
    assert!(
        waited < Duration::from_secs(5),
        "the long poll slept past the end of the delay"
    );
    reminder.delete()?;
    Ok(())
}
