//! Consumers that catch what unwinds them: once dead, nothing of them goes on.
use {
    super::{numbered, orders},
    requeue::testing::{Check, Consumer, Context, World, check},
    std::{
        panic::{AssertUnwindSafe, catch_unwind},
        sync::{
            Arc,
            atomic::{AtomicU32, Ordering::Relaxed},
        },
    },
};

/// What is seen of failures, in the world and in what a consumer keeps a handle of.
#[derive(Default)]
struct Failures {
    told: u32,
    counted: Arc<AtomicU32>,
}

/// Consumers in which nothing fails.
fn unfailing(make: impl Fn(World<Failures>, Arc<AtomicU32>) -> Consumer + 'static) -> Check<Failures> {
    check("nothing fails", Failures::default)
        .queue(orders)
        .messages(numbered())
        .messages_at_most(2)
        .consumer("worker", move |failures: &World<Failures>| {
            let counted = failures.borrow().counted.clone();
            make(failures.clone(), counted)
        })
        .always("nothing fails", |failures| {
            failures.told + failures.counted.load(Relaxed) == 0
        })
}

fn passes(check: Check<Failures>) {
    let passed = check.cases(50).run().unwrap_or_else(|error| panic!("{error}"));
    let crashes = [
        requeue::testing::Fault::CrashBeforeDelete,
        requeue::testing::Fault::CrashAfterDelete,
    ];
    assert!(
        crashes
            .iter()
            .any(|crash| passed.never_met.iter().all(|it| it != crash))
    );
}

/// Sends, and then it may be dead.
fn reports(context: &Context) {
    let _ = context.send("report");
}

#[test]
fn a_handler_that_catches_its_death_changes_the_world_no_more() {
    passes(unfailing(|failures, _| {
        Consumer::each(move |order, context| {
            if order.body() != "report" && catch_unwind(AssertUnwindSafe(|| reports(context))).is_err() {
                failures.borrow_mut().told += 1;
            }
            Ok::<_, String>(())
        })
    }));
}

#[cfg(feature = "worker")]
mod runners {
    use {
        super::*,
        requeue::worker::{Job, Runner, RunnerEvent},
    };

    /// Tells whoever listens of failures.
    async fn run(context: Context, counted: Arc<AtomicU32>, is_async: bool) -> Result<(), Box<dyn std::error::Error>> {
        let orders = context.queue("orders")?;
        let handle = move |job: &Job| {
            if job.body() != "report" {
                reports(&context);
            }
            Ok::<_, String>(())
        };
        let builder = Runner::builder(&orders).concurrency(2).on_event(move |event| {
            if matches!(event, RunnerEvent::Failed { .. }) {
                counted.fetch_add(1, Relaxed);
            }
        });
        match is_async {
            false => builder.each(handle)?.run().await?,
            true => {
                let handle = move |job: Job| {
                    let answer = handle(&job);
                    async { answer }
                };
                builder.each_async(handle)?.run().await?
            }
        };
        Ok(())
    }

    /// Its hook tells of failures by a message, and then it may be dead; it fails whatever is new.
    async fn run_with_a_hook_that_sends(context: Context, counted: Arc<AtomicU32>) -> Result<(), String> {
        let orders = context.queue("orders").unwrap();
        let sends = Arc::new(AtomicU32::new(0));
        let of_handler = sends.clone();
        let builder = Runner::builder(&orders).concurrency(2).on_event(move |event| {
            if matches!(event, RunnerEvent::Failed { .. }) {
                sends.fetch_add(1, Relaxed);
                reports(&context);
                sends.fetch_sub(1, Relaxed);
            }
        });
        let runner = builder.each(move |job: &Job| {
            counted.fetch_add(of_handler.load(Relaxed), Relaxed);
            match job.body() == "report" || job.failures() > 0 {
                true => Ok(()),
                false => Err("it is new"),
            }
        });
        let ended = runner.map_err(|error| error.to_string())?.run().await;
        ended.map(drop).map_err(|error| error.to_string())
    }

    #[test]
    fn a_runner_whose_hook_dies_calls_no_handler_any_more() {
        passes(unfailing(move |_, counted| {
            Consumer::program(move |context| run_with_a_hook_that_sends(context, counted.clone()))
        }));
    }

    #[test]
    fn a_runner_whose_handler_dies_reports_no_failure() {
        for is_async in [false, true] {
            passes(unfailing(move |_, counted| {
                Consumer::program(move |context| run(context, counted.clone(), is_async))
            }));
        }
    }
}

#[cfg(feature = "testing-tokio")]
mod on_tokio {
    use super::*;

    /// A task for each order, and a look at how it ended.
    async fn supervise(context: Context, counted: Arc<AtomicU32>) {
        let orders = context.queue("orders").unwrap();
        loop {
            let poll = orders.receive_async(|poll| poll.wait_time(super::super::secs(20)));
            for order in poll.await.into_iter().flatten() {
                let orders = orders.clone();
                let task = tokio::spawn(async move { orders.delete(&order).is_ok() });
                if task.await.is_err() {
                    counted.fetch_add(1, Relaxed);
                }
            }
        }
    }

    #[test]
    fn who_joins_a_task_that_dies_hears_nothing_of_it() {
        passes(unfailing(|_, counted| {
            Consumer::program(move |context| supervise(context, counted.clone())).on_tokio()
        }));
    }

    /// The look is a task too.
    async fn supervise_beside(context: Context, counted: Arc<AtomicU32>) {
        let orders = context.queue("orders").unwrap();
        loop {
            let poll = orders.receive_async(|poll| poll.wait_time(super::super::secs(20)));
            for order in poll.await.into_iter().flatten() {
                let (orders, counted) = (orders.clone(), counted.clone());
                tokio::spawn(async move {
                    let task = tokio::spawn(async move { orders.delete(&order).is_ok() });
                    if task.await.is_err() {
                        counted.fetch_add(1, Relaxed);
                    }
                });
            }
        }
    }

    #[test]
    fn no_task_hears_of_one_that_dies() {
        passes(unfailing(|_, counted| {
            Consumer::program(move |context| supervise_beside(context, counted.clone())).on_tokio()
        }));
    }
}
