//! Message groups.

use {
    crate::server::{Log, Outcome, Server, Wanted, drain, left, send, settings},
    requeue::worker::{FailurePolicy, Job, Runner},
    std::{
        collections::{BTreeMap, HashSet},
        sync::{Arc, Mutex},
        time::Duration,
    },
    tokio::time,
};

#[derive(Default)]
struct Groups {
    done: BTreeMap<String, Vec<String>>,
    running: HashSet<String>,
}

pub async fn groups_are_worked_on_in_order(server: Server) -> Outcome<String> {
    const GROUPS: usize = 8;
    const JOBS: usize = 10;
    const MAX_RECEIVES: usize = 3;
    let wanted = Wanted {
        fifo: true,
        max_receives: Some(MAX_RECEIVES as u32),
        ..Wanted::STANDARD
    };
    let (queue, Some(failed)) = server.create(wanted).await? else {
        return Err("no dead-letter queue".into());
    };
    // A poisoned message heads each group.
    for group in 0..GROUPS {
        let good = (0..JOBS).map(|it| format!("{group}-{it}"));
        send(
            &queue,
            &group.to_string(),
            [format!("{group}-poison")].into_iter().chain(good),
        )
        .await?;
    }
    let (log, groups) = (Log::default(), Arc::new(Mutex::new(Groups::default())));
    let (handlers, shared) = (log.clone(), Arc::clone(&groups));
    let runner = settings(Runner::builder(&queue))
        .concurrency(4)
        .failure_policy(FailurePolicy::RetryNow)
        .until_none_left()
        .each_async(move |job: Job| {
            let (log, groups) = (handlers.clone(), Arc::clone(&shared));
            async move {
                let group = job.message_group_id().unwrap_or_default().to_owned();
                let alone = groups.lock().unwrap().running.insert(group.clone());
                assert!(alone, "two jobs of group {group} run at a time");
                let begun = log.begin(job.body());
                time::sleep(Duration::from_millis(20)).await;
                let mut groups = groups.lock().unwrap();
                groups.running.remove(&group);
                // Each fourth fails once.
                let flaky = job.body().ends_with(['3', '7']) && begun == 1;
                if flaky || job.body().ends_with("poison") {
                    return Err("it failed");
                }
                log.done(job.body());
                groups.done.entry(group).or_default().push(job.body().to_owned());
                Ok(())
            }
        })?;
    let report = runner.run().await?;
    for group in 0..GROUPS {
        let expected: Vec<String> = (0..JOBS).map(|it| format!("{group}-{it}")).collect();
        assert_eq!(
            groups.lock().unwrap().done[&group.to_string()],
            expected,
            "group {group}"
        );
    }
    let poisoned: Vec<String> = (0..GROUPS).map(|it| format!("{it}-poison")).collect();
    assert_eq!(log.with(MAX_RECEIVES, 0), poisoned, "each fails as often as it may");
    let mut dead_letters = drain(&failed).await?;
    dead_letters.sort();
    assert_eq!(dead_letters, poisoned, "none but those that failed");
    assert_eq!((report.succeeded, report.panicked), ((GROUPS * JOBS) as u64, 0));
    assert_eq!(left(&queue).await?, 0);
    Ok(format!(
        "{GROUPS} groups of {JOBS} in order, {} failures; {GROUPS} poisoned heads dead-lettered, none of those behind them",
        report.failed
    ))
}
