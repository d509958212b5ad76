//! What a stop gives back.

use {
    crate::server::{Log, Outcome, Server, Wanted, left, secs, send, settings},
    requeue::{
        backend::{MessageQueue, ReceiveRequest},
        worker::{Job, Runner},
    },
    std::time::{Duration, Instant},
    tokio::time,
};

/// Long enough that what is left hidden does not come back while a story lasts.
const HIDDEN: Wanted = Wanted {
    visibility_timeout: secs(600),
    ..Wanted::STANDARD
};

pub async fn a_stop_gives_messages_back(server: Server) -> Outcome<String> {
    const JOBS: usize = 30;
    let (queue, _) = server.create(HIDDEN).await?;
    send(&queue, "", (0..JOBS).map(|it| format!("job {it}"))).await?;
    let log = Log::default();
    let handlers = log.clone();
    let runner = settings(Runner::builder(&queue))
        .concurrency(2)
        .prefetch(8)
        .shutdown_timeout(secs(10))
        .each_async(move |job: Job| {
            let log = handlers.clone();
            async move {
                log.begin(job.body());
                time::sleep(secs(2)).await;
                log.done(job.body());
                Ok::<(), String>(())
            }
        })?;
    let handle = runner.handle();
    let stop = async {
        while handle.report().received < 10 {
            time::sleep(Duration::from_millis(20)).await;
        }
        time::sleep(Duration::from_millis(500)).await;
        handle.stop();
        Instant::now()
    };
    let (first, stopped) = tokio::join!(runner.run(), stop);
    let (first, took) = (first?, stopped.elapsed());
    assert!(took < secs(4), "a stop takes as long as its handlers, not {took:?}");
    assert_eq!((first.succeeded, first.not_given_back, first.abandoned), (2, 0, 0));
    assert_eq!(first.received, first.succeeded + first.given_back);

    // Cut off in the middle, a handler's message comes back as well.
    let endless = settings(Runner::builder(&queue))
        .shutdown_timeout(Duration::from_millis(500))
        .each_async(move |_: Job| std::future::pending::<Result<(), String>>())?;
    let handle = endless.handle();
    let stop = async {
        while handle.report().received < 1 {
            time::sleep(Duration::from_millis(20)).await;
        }
        handle.stop();
    };
    let (cut_off, ()) = tokio::join!(endless.run(), stop);
    let cut_off = cut_off?;
    assert_eq!((cut_off.received, cut_off.abandoned), (1, 1));

    let handlers = log.clone();
    let rest = settings(Runner::builder(&queue))
        .concurrency(4)
        .until_none_left()
        .each_async(move |job: Job| {
            let log = handlers.clone();
            async move {
                log.begin(job.body());
                log.done(job.body());
                Ok::<(), String>(())
            }
        })?;
    let start = Instant::now();
    let report = time::timeout(secs(60), rest.run()).await??;
    assert_eq!(report.succeeded, JOBS as u64 - first.succeeded);
    assert_eq!(log.with(1, 1).len(), JOBS, "each job is done once");
    assert_eq!(left(&queue).await?, 0);
    Ok(format!(
        "{} given back, {} cut off, {} done by another runner within {:.1} s, under a timeout of 600 s",
        first.given_back,
        cut_off.abandoned,
        report.succeeded,
        start.elapsed().as_secs_f64()
    ))
}

pub async fn a_stop_waits_for_the_answer_to_a_long_poll(server: Server) -> Outcome<String> {
    let (queue, _) = server.create(HIDDEN).await?;
    let runner = settings(Runner::builder(&queue))
        .wait_time(secs(5))
        .shutdown_timeout(secs(20))
        .each_async(async |_: Job| Ok::<(), String>(()))?;
    let handle = runner.handle();
    let stop = async {
        time::sleep(secs(1)).await;
        handle.stop();
        send(&queue, "", ["job".to_owned()]).await
    };
    let (report, sent) = tokio::join!(runner.run(), stop);
    let report = report?;
    sent?;
    assert_eq!(
        (report.received, report.given_back),
        (1, 1),
        "the poll brings it, and it goes back"
    );
    let again = queue.receive(ReceiveRequest::new(1).wait_time(secs(2))).await?;
    assert_eq!(again.len(), 1, "it is visible at once, under a timeout of 600 s");
    queue.delete(&again).await?;
    Ok("a message that came after the stop was given back".to_owned())
}
