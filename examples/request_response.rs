//! Requests answered over two queues: a thousand at a time in one future, from a thread, and one that nobody answers.
//! `cargo run --example request_response --features worker` prints three lines in a moment.
use {
    futures_util::future::join_all,
    requeue::{
        Queue,
        request::{RequestError, Requester, Responder},
        worker::{Failure, Job},
    },
    std::{error::Error, time::Duration},
};

const REQUESTS: u64 = 1_000;

fn main() -> Result<(), Box<dyn Error>> {
    let requests = Queue::standard("squares").build()?;
    let answers = Queue::standard("answers-for-me").build()?;

    // Elsewhere: four threads that answer, whoever asks.
    let responder = Responder::to(&requests, &answers);
    let responding = responder.runner(|it| it.concurrency(4)).each(square)?.spawn()?;

    // Here: one thread that consumes the host queue of all answers.
    let requester = Requester::new(&requests, &answers);
    let listening = requester.runner(|it| it.prefetch(9))?.spawn()?;

    let answer = requester.request("12").blocking()?;
    println!("12 squared is {}", answer.body());
    assert_eq!(answer.body(), "144");

    let asked = (0..REQUESTS).map(|number| requester.request(number.to_string()).into_future());
    let answers = pollster::block_on(join_all(asked));
    for (number, answer) in answers.into_iter().enumerate() {
        assert_eq!(answer?.body().parse::<usize>()?, number * number);
    }
    println!("{REQUESTS} requests, each with its own answer");

    let patience = Duration::from_millis(50);
    let unanswered = requester.request("a dozen").timeout(patience).blocking();
    println!("a dozen squared: {}", unanswered.as_ref().unwrap_err());
    assert_eq!(unanswered.unwrap_err(), RequestError::Timeout(patience));

    for running in [responding.handle(), listening.handle()] {
        running.stop();
    }
    assert_eq!(responding.join()?.discarded, 1);
    listening.join()?;
    let report = requester.report();
    assert_eq!(
        (report.answered, report.timed_out, report.in_flight),
        (REQUESTS + 1, 1, 0)
    );
    Ok(())
}

fn square(job: &Job) -> Result<String, Failure> {
    match job.body().parse::<u64>() {
        Ok(number) => Ok((number * number).to_string()),
        Err(error) => Err(Failure::discard(error)),
    }
}
