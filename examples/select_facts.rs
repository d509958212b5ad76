//! Queue events come through a `crossbeam-channel`, so that one `select!` watches several queues beside anything else.
//! `cargo run --example select_facts` prints what it sees within a second.
use {
    crossbeam_channel::{after, select},
    requeue::{Fact, FactChannel, Queue},
    std::{thread, time::Duration},
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (listener, failed_facts) = FactChannel::unbounded();
    let failed = Queue::standard("jobs-failed").listener(listener).build()?;
    let (listener, job_facts) = FactChannel::unbounded();
    let jobs = Queue::standard("jobs")
        .visibility_timeout(Duration::from_millis(100))
        .dead_letter(&failed, 1)
        .listener(listener)
        .build()?;

    let worker = thread::spawn({
        let jobs = jobs.clone();
        move || {
            while let Ok(received) = jobs.receive().wait_time(Duration::from_secs(20)).blocking() {
                for job in received.iter().filter(|job| job.body() != "poison") {
                    job.delete().expect("the queue exists");
                }
            }
        }
    });
    for body in ["resize cat.png", "poison", "resize dog.png"] {
        jobs.send(body)?;
    }

    let patience = after(Duration::from_secs(10));
    let (mut deleted, mut dead) = (0, None);
    while deleted < 2 || dead.is_none() {
        select! {
            recv(job_facts) -> fact => match fact?.1.fact {
                Fact::Received { receive_count, .. } => println!("jobs: received, receive {receive_count}"),
                Fact::Deleted { .. } => deleted += 1,
                _ => {}
            },
            recv(failed_facts) -> fact => if let Fact::Arrived { content, .. } = fact?.1.fact {
                println!("jobs-failed: {} arrived", content.body());
                dead = Some(content);
            },
            recv(patience) -> _ => return Err("nothing happens any more".into()),
        }
    }
    assert_eq!(
        dead.map(|content| content.body().to_string()).as_deref(),
        Some("poison")
    );

    jobs.delete_queue()?; // ends the long poll, and with it the worker
    worker.join().expect("the worker does not panic");
    println!("two jobs done, one dead letter");
    Ok(())
}
