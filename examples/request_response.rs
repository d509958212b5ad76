//! Requests answered over two queues: a thousand at a time in one future, from a thread, and one that nobody answers.
//! `cargo run --example request_response --features worker` prints three lines in a moment.
use {
    futures_util::future::join_all,
    requeue::{
        Queue,
        request::{RequestError, Requester, Responder},
        worker::{Failure, Job, Runner},
    },
    std::{error::Error, time::Duration},
};

const REQUESTS: u64 = 1_000;

fn main() -> Result<(), Box<dyn Error>> {
    let requests = Queue::standard("squares").build()?;
    let answers = Queue::standard("answers-for-me").build()?;

    // Elsewhere: four threads that answer, whoever asks.
    let responder = Responder::to(&answers);
    let responding = Runner::builder(&requests).concurrency(4).each(move |job: &Job| {
        let number: u64 = job.body().parse().map_err(Failure::discard)?;
        responder.answer(job, (number * number).to_string()).blocking()?;
        Ok::<(), Failure>(())
    })?;
    let responding = responding.spawn()?;

    // Here: one thread that consumes the host queue of all answers, and deletes what is for nobody.
    let requester = Requester::new(&requests, &answers);
    let delivering = requester.clone();
    let listening = Runner::builder(&answers)
        .prefetch(9)
        .each(move |job: &Job| delivering.deliver(job).map_err(Failure::discard))?
        .spawn()?;

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
