//! Requests and their answers, over two queues.

use {
    crate::server::{Outcome, Server, Wanted, left, secs, settings},
    requeue::{
        request::{RequestError, Requester, Responder},
        worker::{Failure, Job, Runner},
    },
    tokio::task::JoinSet,
};

pub async fn requests_get_their_answers(server: Server) -> Outcome<String> {
    const REQUESTS: u64 = 200;
    let (requests, _) = server.create(Wanted::STANDARD).await?;
    let (answers, _) = server.create(Wanted::STANDARD).await?;
    let responder = Responder::to(&answers);
    let responding = settings(Runner::builder(&requests))
        .concurrency(8)
        .each_async(move |job: Job| {
            let responder = responder.clone();
            async move {
                let number: u64 = job.body().parse().map_err(Failure::discard)?;
                responder.answer(&job, (number * number).to_string()).await?;
                Ok::<(), Failure>(())
            }
        })?;
    let requester = Requester::new(&requests, &answers);
    let delivering = requester.clone();
    let deliver = move |job: &Job| delivering.deliver(job).map_err(Failure::discard);
    let listening = settings(Runner::builder(&answers)).prefetch(9).each(deliver)?;
    let handles = [responding.handle(), listening.handle()];
    let ask = async {
        let mut asked = JoinSet::new();
        for number in 0..REQUESTS {
            let requester = requester.clone();
            asked.spawn(async move {
                let answer = requester.request(number.to_string()).timeout(secs(60)).await?;
                let squared = answer.body().parse() == Ok(number * number);
                Ok::<_, RequestError>(squared)
            });
        }
        let answered = asked.join_all().await;
        let unanswered = requester.request("a dozen").timeout(secs(2)).await;
        handles.iter().for_each(|it| it.stop());
        (answered, unanswered)
    };
    let (responded, listened, (answered, unanswered)) = tokio::join!(responding.run(), listening.run(), ask);
    let (responded, _) = (responded?, listened?);
    let right = answered.iter().filter(|it| matches!(it, Ok(true))).count();
    assert_eq!(right as u64, REQUESTS, "{answered:?}");
    assert_eq!(unanswered.map(drop), Err(RequestError::Timeout(secs(2))));
    assert_eq!((responded.succeeded, responded.discarded), (REQUESTS, 1));
    assert_eq!((left(&requests).await?, left(&answers).await?), (0, 0));
    Ok(format!(
        "{right} of {REQUESTS} asked at a time got their own answers, one that is discarded timed out"
    ))
}
