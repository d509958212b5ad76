//! A message that kills its process each time is a dead letter after `maxReceiveCount` processes.

use {
    crate::{
        directory::Directory,
        open::{clock_at, service},
    },
    requeue::{ManualClock, QueueAttributes, RedrivePolicy, Service},
    std::{
        env,
        path::{Path, PathBuf},
        process::{Command, Stdio, abort},
        time::Duration,
    },
};

const DIRECTORY: &str = "REQUEUE_POISON_DIRECTORY";
const NOW: &str = "REQUEUE_POISON_NOW";
const HANDLER: &str = "REQUEUE_POISON_HANDLER";
const VISIBILITY: u64 = 30_000;
const START: u64 = 1_700_000_000_000;

/// Receives, and dies of the message; does nothing when it is run as a test.
#[test]
fn child() {
    let (Some(directory), Ok(now)) = (env::var_os(DIRECTORY), env::var(NOW)) else {
        return;
    };
    let clock = clock_at(now.parse().unwrap());
    let jobs = service(&PathBuf::from(directory), &clock).queue("jobs").unwrap();
    match env::var(HANDLER).as_deref() {
        #[cfg(feature = "worker")]
        Ok("runner") => {
            use requeue::worker::{Job, Runner};
            let handler = |_: &Job| -> Result<(), std::convert::Infallible> { abort() };
            let runner = Runner::builder(&jobs).concurrency(1).until_none_visible();
            runner.each(handler).unwrap().blocking().unwrap();
        }
        _ => {
            if let Some(message) = jobs.receive().blocking().unwrap().first() {
                assert_eq!(message.body(), "poison");
                abort();
            }
        }
    }
}

fn make_queues(service: &Service, max_receive_count: u32) {
    let failed = service.create_queue("failed", QueueAttributes::new()).unwrap();
    let attributes = QueueAttributes::new()
        .visibility_timeout(Duration::from_millis(VISIBILITY))
        .redrive_policy(RedrivePolicy::new(failed.arn(), max_receive_count));
    service.create_queue("jobs", attributes).unwrap();
}

/// Runs a child at this time, and answers with whether it died of the message.
fn dies(directory: &Path, handler: &str, now: u64) -> bool {
    let status = Command::new(env::current_exe().unwrap())
        .args(["--exact", "poison::child", "--test-threads=1"])
        .env(DIRECTORY, directory)
        .env(HANDLER, handler)
        .env(NOW, now.to_string())
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success() || status.code() != Some(101), "the child has panicked");
    !status.success()
}

/// How many processes die of a message, and what is in the dead-letter queue then.
fn deaths(handler: &str, max_receive_count: u32) -> (u32, Vec<(String, u32)>) {
    let directory = Directory::new();
    let mut clock: ManualClock = clock_at(START);
    let first = service(directory.path(), &clock);
    make_queues(&first, max_receive_count);
    first.queue("jobs").unwrap().send("poison").unwrap();
    first.close().unwrap();
    let (mut now, mut deaths) = (START, 0);
    while dies(directory.path(), handler, now) {
        deaths += 1;
        assert!(
            !dies(directory.path(), handler, now + VISIBILITY - 1),
            "it came back too early"
        );
        now += VISIBILITY;
    }
    clock = clock_at(now);
    let last = service(directory.path(), &clock);
    let jobs = last.queue("jobs").unwrap();
    assert!(jobs.receive().blocking().unwrap().is_empty());
    assert!(jobs.snapshot().messages.is_empty());
    let dead = last.queue("failed").unwrap().snapshot().messages.into_iter();
    let dead = dead.map(|message| (message.content.body().to_string(), message.approximate_receive_count));
    (deaths, dead.collect())
}

#[test]
fn a_message_that_kills_its_process_is_a_dead_letter_after_as_many_as_may_receive_it() {
    for most in 1..=5 {
        assert_eq!(deaths("loop", most), (most, vec![("poison".to_owned(), most)]));
    }
}

#[cfg(feature = "worker")]
#[test]
fn a_job_that_kills_its_runner_is_a_dead_letter_after_as_many_as_may_receive_it() {
    for most in 1..=5 {
        assert_eq!(deaths("runner", most), (most, vec![("poison".to_owned(), most)]));
    }
}
