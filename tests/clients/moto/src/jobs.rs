//! Jobs of standard queues: each done once, dead letters for those that cannot be done, leases for those that take long.

use {
    crate::server::{Log, Outcome, Server, Wanted, drain, left, secs, send, settings},
    requeue::{
        Clock, Parker, SystemClock,
        backend::{MessageQueue, ReceiveRequest},
        worker::{Failure, FailurePolicy, Job, Runner},
    },
    std::{collections::BTreeSet, time::Duration},
    tokio::{task::spawn_blocking, time},
};

pub async fn every_job_is_done_once(server: Server) -> Outcome<String> {
    const JOBS: usize = 300;
    const POISONED: usize = 6;
    const REFUSED: usize = 4;
    const MAX_RECEIVES: usize = 3;
    let wanted = Wanted {
        max_receives: Some(MAX_RECEIVES as u32),
        ..Wanted::STANDARD
    };
    let (queue, Some(failed)) = server.create(wanted).await? else {
        return Err("no dead-letter queue".into());
    };
    let poisoned: BTreeSet<String> = (0..POISONED).map(|it| format!("poison {it}")).collect();
    let refused: BTreeSet<String> = (0..REFUSED).map(|it| format!("refuse {it}")).collect();
    let good = (0..JOBS - POISONED).map(|it| format!("job {it}"));
    send(&queue, "", good.chain(poisoned.clone()).chain(refused.clone())).await?;
    let log = Log::default();
    let handlers = log.clone();
    let runner = settings(Runner::builder(&queue))
        .concurrency(4)
        .prefetch(6)
        .failure_policy(FailurePolicy::RetryNow)
        .until_none_left()
        .each(move |job: &Job| {
            handlers.begin(job.body());
            if job.body().starts_with("poison") {
                return Err(Failure::from("it is poisoned"));
            }
            if job.body().starts_with("refuse") {
                return Err(Failure::dead_letter("it is refused"));
            }
            handlers.done(job.body());
            Ok(())
        })?;
    let report = spawn_blocking(|| runner.blocking()).await??;
    assert_eq!(log.with(1, 1).len(), JOBS - POISONED, "{:?}", log.but(1, 1));
    assert_eq!(log.with(MAX_RECEIVES, 0), Vec::from_iter(poisoned.clone()));
    assert_eq!(log.with(1, 0), Vec::from_iter(refused.clone()));
    let dead_letters = drain(&failed).await?;
    assert_eq!(dead_letters.len(), POISONED + REFUSED, "{dead_letters:?}");
    assert_eq!(BTreeSet::from_iter(dead_letters), &poisoned | &refused);
    assert_eq!(
        (report.lost, report.not_deleted, report.dead_lettered),
        (0, 0, REFUSED as u64)
    );
    assert_eq!(left(&queue).await?, 0);
    Ok(format!(
        "{} of {} jobs done once, {POISONED} dead-lettered after {MAX_RECEIVES} failures each, {REFUSED} at once; \
         {} receives",
        report.succeeded,
        JOBS - POISONED,
        report.received
    ))
}

const HELD: Wanted = Wanted {
    visibility_timeout: secs(3),
    ..Wanted::STANDARD
};
const JOBS: usize = 8;
const SPAN: Duration = secs(7);

pub async fn long_handlers_keep_their_leases(server: Server) -> Outcome<String> {
    let (queue, _) = server.create(HELD).await?;
    send(&queue, "", (0..JOBS).map(|it| format!("job {it}"))).await?;
    let log = Log::default();
    let handlers = log.clone();
    let runner = settings(Runner::builder(&queue))
        .concurrency(JOBS)
        .until_none_left()
        .each_async(move |job: Job| {
            let log = handlers.clone();
            async move {
                log.begin(job.body());
                time::sleep(SPAN).await;
                log.done(job.body());
                if job.is_held() {
                    Ok(())
                } else {
                    Err("the lease is lost")
                }
            }
        })?;
    let (report, came) = tokio::join!(runner.run(), another_consumer(&queue, &log));
    let report = report?;
    assert_eq!(came?, Vec::<String>::new(), "the other consumer gets nothing");
    assert_eq!(
        (log.with(1, 1).len(), report.lost, report.succeeded),
        (JOBS, 0, JOBS as u64)
    );
    Ok(told(report.heartbeats))
}

pub async fn threads_keep_their_leases(server: Server) -> Outcome<String> {
    let (queue, _) = server.create(HELD).await?;
    send(&queue, "", (0..JOBS).map(|it| format!("job {it}"))).await?;
    let log = Log::default();
    let handlers = log.clone();
    let clock = SystemClock::new();
    let runner = settings(Runner::builder(&queue))
        .concurrency(JOBS)
        .until_none_left()
        .each(move |job: &Job| {
            handlers.begin(job.body());
            let end = clock.now().saturating_add(SPAN);
            while clock.now() < end {
                clock.park_until(&Parker::new(), Some(end));
            }
            handlers.done(job.body());
            if job.is_held() {
                Ok(())
            } else {
                Err("the lease is lost")
            }
        })?;
    let running = runner.spawn()?;
    let came = another_consumer(&queue, &log).await?;
    let report = spawn_blocking(|| running.join()).await??;
    assert_eq!(came, Vec::<String>::new(), "the other consumer gets nothing");
    assert_eq!(
        (log.with(1, 1).len(), report.lost, report.succeeded),
        (JOBS, 0, JOBS as u64)
    );
    Ok(told(report.heartbeats))
}

fn told(heartbeats: u64) -> String {
    let timeout = HELD.visibility_timeout;
    format!("{JOBS} handlers of {SPAN:?} held over a timeout of {timeout:?} by {heartbeats} renewals")
}

/// What another consumer receives while the handlers of all jobs run.
async fn another_consumer(queue: &impl MessageQueue, log: &Log) -> Outcome<Vec<String>> {
    while log.begun() < JOBS {
        time::sleep(Duration::from_millis(20)).await;
    }
    let mut came = Vec::new();
    for _ in 0..SPAN.as_secs() {
        let messages = queue.receive(ReceiveRequest::new(10).wait_time(secs(1))).await?;
        came.extend(messages.iter().map(|it| it.body().to_owned()));
    }
    Ok(came)
}
