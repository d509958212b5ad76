//! Jobs sent when they are due, once or by a cron pattern, and what a scheduler does about a night it slept through.
//! `cargo run --example schedule --features schedule` lets two days and a half pass at once and prints six lines.
use {
    requeue::{
        ManualClock, Queue, Timestamp,
        schedule::{Cancelled, CatchUp, Cron, Schedule, Scheduler},
    },
    std::{error::Error, time::Duration},
};

const HOUR: Duration = Duration::from_secs(3_600);

fn main() -> Result<(), Box<dyn Error>> {
    let clock = ManualClock::default(); // Thursday, 2026-01-01, midnight in UTC
    let jobs = Queue::standard("jobs").clock(clock.clone()).build()?;
    let scheduler = Scheduler::builder(&jobs)
        .on_event(|event| println!("  {event}"))
        .build();
    let schedules = scheduler.handle();

    // Once, after an hour and a half: the queue has it from 15 minutes before, and hides it until then.
    schedules.add("tea", Duration::from_secs(90 * 60), "tea is ready")?;
    // At nine in the morning of New York on working days.
    let opening = Cron::new("0 9 * * MON-FRI")?.time_zone("EST5EDT,M3.2.0,M11.1.0")?;
    schedules.add("opening", opening, "open the shop")?;
    // A message made for each time; of several that were missed, only the latest is made up for.
    schedules.add_with("backup", Cron::new("0 */6 * * *")?, |due: Timestamp| {
        format!("backup of {}", due.as_secs())
    })?;
    // Too late is too late.
    schedules.add(
        "chime",
        Schedule::from(Cron::new("@hourly")?).catch_up(CatchUp::Skip),
        "chime",
    )?;
    println!(
        "due next: {:?}",
        schedules
            .due(4)
            .iter()
            .map(|job| job.name.to_string())
            .collect::<Vec<_>>()
    );

    let running = scheduler.spawn()?;
    clock.wait_for_sleepers(2); // its thread, and its alarm
    clock.advance(2 * HOUR);
    assert_eq!(show(&jobs)?, ["chime", "tea is ready", "chime"]);

    assert_eq!(schedules.cancel("backup"), Some(Cancelled::Prevented));
    clock.advance(12 * HOUR);
    let morning = show(&jobs)?;
    assert_eq!(morning.iter().filter(|body| *body == "chime").count(), 12);
    assert!(morning.contains(&"open the shop".to_owned()) && !morning.iter().any(|body| body.starts_with("backup")));
    running.handle().stop();
    let report = running.join()?;
    println!("sent {} jobs, {} schedules are left", report.sent, report.held);
    assert_eq!((report.sent, report.held), (16, 2));

    // A process that starts again tells from when on its schedules count.
    let mut restarted = Scheduler::builder(&jobs)
        .on_event(|event| println!("  {event}"))
        .until_none_held()
        .build();
    let (slept_since, nightly) = (requeue::Clock::now(&clock), Cron::new("0 3 * * *")?);
    clock.advance(40 * HOUR);
    restarted
        .handle()
        .add("nightly", Schedule::from(nightly).since(slept_since), "clean up")?;
    let handle = restarted.handle();
    let run = std::thread::spawn(move || restarted.blocking());
    clock.wait_for_sleepers(2);
    assert_eq!(show(&jobs)?, ["clean up"], "once for two nights");
    handle.cancel("nightly");
    assert_eq!(run.join().expect("the scheduler does not panic")?.missed, 1);
    Ok(())
}

/// Takes what is there.
fn show(jobs: &Queue) -> Result<Vec<String>, Box<dyn Error>> {
    let mut bodies = Vec::new();
    loop {
        let messages = jobs.receive().max_messages(10).blocking()?;
        if messages.is_empty() {
            println!("came: {bodies:?}");
            return Ok(bodies);
        }
        for message in messages {
            message.delete()?;
            bodies.push(message.body().to_owned());
        }
    }
}
