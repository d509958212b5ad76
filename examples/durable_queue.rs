//! A queue that survives the death of its process.
//! `cargo run --release --features journal --example durable_queue [-- DIR]` counts primes for a few seconds. Kill it at
//! any moment, `kill -9` included, and run it again: it goes on where it was, and says so. The next run after the last job
//! begins anew.
use {
    requeue::{MessagePhase, Queue},
    std::{env, error::Error, path::PathBuf, time::Duration},
};

/// Jobs of one run; the larger the number, the longer it takes.
const JOBS: std::ops::Range<u32> = 150_000..150_025;

/// The job that sends all others. It is there or not: a process that dies while it sends them sends them again.
const BEGIN: &str = "begin";

fn main() -> Result<(), Box<dyn Error>> {
    let default = || env::temp_dir().join("requeue-durable-queue");
    let directory = env::args_os().nth(1).map_or_else(default, PathBuf::from);
    let jobs = Queue::standard("jobs")
        .visibility_timeout(Duration::from_secs(2))
        .journal(&directory)
        .open()?;
    println!("process {}, journal in {}", std::process::id(), directory.display());

    let found = jobs.snapshot().messages;
    if found.is_empty() {
        jobs.send(BEGIN)?; // on disk when it returns
    } else {
        let held = |phase| matches!(phase, MessagePhase::InFlight { .. });
        println!(
            "going on: {} jobs are left, {} of them held by a process that died",
            found.len(),
            found.iter().filter(|job| held(job.phase)).count()
        );
    }

    // A job that somebody held comes back when its visibility timeout ends, which wakes the receive.
    while jobs.snapshot().counts != requeue::Counts::default() {
        for job in jobs.receive().wait_time(Duration::from_secs(20)).blocking()? {
            if job.body() == BEGIN {
                for number in JOBS {
                    jobs.send(number.to_string())?;
                }
                println!("sent {} jobs", JOBS.len());
            } else {
                let primes = primes_below(job.body().parse()?);
                let receive = job.approximate_receive_count();
                println!("{primes} primes below {}, receive {receive}", job.body());
            }
            job.delete()?; // never again, once it returns
        }
    }
    jobs.close()?;
    println!("all jobs are done");
    Ok(())
}

/// By trial division, so that there is something to interrupt.
fn primes_below(end: u32) -> usize {
    let is_prime = |number: &u32| {
        let mut divisors = (2..).take_while(|divisor| divisor * divisor <= *number);
        divisors.all(|divisor| number % divisor != 0)
    };
    (2..end).filter(is_prime).count()
}
