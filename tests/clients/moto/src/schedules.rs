//! Jobs that are sent when they are due.

use {
    crate::server::{Outcome, Server, Wanted, secs, settings},
    requeue::{
        Clock, Timestamp,
        backend::{MessageQueue, SqsQueue},
        schedule::{Cron, Scheduler},
        worker::{Job, Runner},
    },
    std::{
        collections::BTreeMap,
        sync::{Arc, Mutex},
        time::Duration,
    },
    tokio::time,
};

/// SQS delays by whole seconds, and rounding up takes less than one.
const LATE: Duration = secs(3);

/// moto knows a duplicate only as long as it has the message, so that the second scheduler has to be done by then.
const HOLD: Duration = Duration::from_millis(500);

type Came = Arc<Mutex<BTreeMap<String, Vec<Timestamp>>>>;

pub async fn jobs_come_when_they_are_due(server: Server) -> Outcome<String> {
    let (jobs, _) = server.create(Wanted::STANDARD).await?;
    let (orders, _) = server
        .create(Wanted {
            fifo: true,
            ..Wanted::STANDARD
        })
        .await?;
    let start = MessageQueue::clock(&jobs).now();
    let (delayed, ticks) = tokio::try_join!(once(&jobs, start), each_second(&orders))?;
    Ok(format!(
        "{delayed} jobs came in time by their delay; {ticks} of a pattern came once each from two schedulers"
    ))
}

/// Sent ahead with a delay.
async fn once(jobs: &SqsQueue, start: Timestamp) -> Outcome<usize> {
    const SECONDS: [u64; 3] = [1, 3, 6];
    let mut scheduler = Scheduler::builder(jobs).until_none_held().build();
    for seconds in SECONDS {
        let due = start.saturating_add(secs(seconds));
        scheduler.handle().add(format!("after-{seconds}"), due, body(due))?;
    }
    let sent = scheduler.run().await?;
    assert_eq!((sent.sent, sent.not_sent), (SECONDS.len() as u64, 0));
    assert_eq!(jobs.counts().await?.delayed, SECONDS.len() as u64);
    let came = collect(jobs, secs(10), Duration::ZERO).await?;
    require_in_time(&came);
    assert_eq!(came.lock().unwrap().len(), SECONDS.len());
    Ok(SECONDS.len())
}

/// Sent when they are due, by two schedulers with the same schedule.
async fn each_second(orders: &SqsQueue) -> Outcome<usize> {
    let mut schedulers = Vec::new();
    for _ in 0..2 {
        let scheduler = Scheduler::builder(orders).build();
        let message = |due: Timestamp| requeue::SendMessage::new(body(due)).message_group_id("ticks");
        scheduler
            .handle()
            .add_with("tick", Cron::new("* * * * * *")?, message)?;
        schedulers.push(scheduler);
    }
    let [first, second] = &mut schedulers[..] else {
        return Err("two schedulers".into());
    };
    let handles = [first.handle(), second.handle()];
    let stop = async {
        time::sleep(secs(6)).await;
        handles.iter().for_each(|it| it.stop());
        Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
    };
    let schedule = async {
        let (one, other, stopped) = tokio::join!(first.run(), second.run(), stop);
        stopped?;
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>([one?.sent, other?.sent])
    };
    let (sent, came) = tokio::try_join!(schedule, collect(orders, secs(9), HOLD))?;
    require_in_time(&came);
    let times = came.lock().unwrap().len();
    assert!(
        times >= 5 && sent.iter().all(|it| *it >= 5),
        "{times} times, {sent:?} sends"
    );
    Ok(times)
}

fn body(due: Timestamp) -> String {
    due.as_millis().to_string()
}

/// Works for this long, and holds each job for that long; when which job came.
async fn collect(queue: &SqsQueue, span: Duration, hold: Duration) -> Outcome<Came> {
    let (came, clock) = (Came::default(), MessageQueue::clock(queue));
    let shared = Arc::clone(&came);
    let runner = settings(Runner::builder(queue))
        .concurrency(2)
        .each_async(move |job: Job| {
            let mut came = shared.lock().unwrap();
            came.entry(job.body().to_owned()).or_default().push(clock.now());
            async move {
                time::sleep(hold).await;
                Ok::<(), String>(())
            }
        })?;
    let handle = runner.handle();
    let stop = async {
        time::sleep(span).await;
        handle.stop();
    };
    let (report, ()) = tokio::join!(runner.run(), stop);
    report?;
    Ok(came)
}

fn require_in_time(came: &Came) {
    for (body, times) in &*came.lock().unwrap() {
        let due = Timestamp::from_millis(body.parse().expect("the due time"));
        let [time] = times[..] else {
            panic!("the job due at {due} came {} times", times.len());
        };
        assert!(
            time >= due && time <= due.saturating_add(LATE),
            "the job due at {due} came at {time}"
        );
    }
}
