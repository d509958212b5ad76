//! The smallest possible use: send, receive, delete.
//! `cargo run --example hello` prints one line.
use requeue::Queue;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let jobs = Queue::standard("jobs").build()?;
    jobs.send("hello, world")?;
    for job in jobs.receive().blocking()? {
        println!("{}", job.body());
        job.delete()?;
    }
    Ok(())
}
