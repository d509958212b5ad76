//! Under a `ManualClock` nobody waits for a day of queue life: nothing sleeps, and every timeout is kept exactly.
//! `cargo run --release --example virtual_time` prints a line per event of the day.
use {
    requeue::{Clock, ManualClock, Message, Queue, SendMessage},
    std::time::{Duration, Instant},
};

const HOUR: Duration = Duration::from_secs(3_600);
const QUARTER: Duration = Duration::from_secs(900);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    #[expect(clippy::disallowed_methods, reason = "the claim is about real time")]
    let real = Instant::now();
    let clock = ManualClock::default();
    let midnight = clock.now();
    let mut diary = Vec::new();
    let mut note = |event: &str| diary.push((clock.now().saturating_duration_since(midnight), event.to_owned()));
    let reports = Queue::standard("reports")
        .clock(clock.clone())
        .visibility_timeout(12 * HOUR)
        .message_retention_period(24 * HOUR)
        .build()?;

    reports.send(SendMessage::new("nightly report").delay(QUARTER))?;
    note("sent with the longest delay");
    assert!(take_one(&reports).is_none());

    clock.advance(QUARTER);
    assert!(take_one(&reports).is_some());
    note("received, by a consumer that dies");

    clock.advance(12 * HOUR - Duration::from_millis(1));
    assert!(take_one(&reports).is_none(), "a millisecond too early");
    clock.advance(Duration::from_millis(1));
    let again = take_one(&reports).ok_or("it did not come back")?;
    assert_eq!(again.approximate_receive_count(), 2);
    note("received again, after the longest visibility timeout");

    clock.advance(12 * HOUR - QUARTER);
    assert_eq!(reports.snapshot().messages, []);
    note("gone, at the end of its retention");
    let took = real.elapsed();

    for (time, event) in diary {
        let minutes = time.as_secs() / 60;
        println!("{:02}:{:02}  {event}", minutes / 60, minutes % 60);
    }
    println!("a day in {took:?}");
    assert_eq!(clock.now().saturating_duration_since(midnight), 24 * HOUR);
    assert!(took < Duration::from_millis(100), "somebody slept");
    Ok(())
}

fn take_one(queue: &Queue) -> Option<Message> {
    queue.receive().blocking().expect("the queue exists").pop()
}
