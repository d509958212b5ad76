//! Runners of `requeue::worker`, as programs.
use {
    super::{Effects, count, is_found, numbered, once, secs, survives, text},
    requeue::{
        Queue, QueueBuilder,
        backend::Backoff,
        testing::{Check, Consumer, Context, Fate, FaultyQueue, World, check},
        worker::{BatchAnswer, BatchSettings, Failure, FailurePolicy, Job, Runner},
    },
    std::{
        collections::BTreeSet,
        future::poll_fn,
        pin::{Pin, pin},
        sync::{Arc, Mutex},
        task::{Poll, Waker},
    },
};

#[derive(Default)]
struct Shop {
    done: BTreeSet<String>,
    effects: Effects,
}

fn jobs() -> QueueBuilder {
    Queue::standard("jobs").visibility_timeout(secs(30))
}

fn charge(shop: &World<Shop>, context: &Context, order: &str) {
    let mut shop = shop.borrow_mut();
    if shop.done.insert(order.to_owned()) {
        context.note(format!("charges {order}"));
        count(&mut shop.effects, order);
    }
}

/// Programs on the queue `jobs`, whose messages may become dead letters.
fn programs<F>(run: impl Fn(World<Shop>, FaultyQueue, Context) -> F + Clone + 'static) -> Check<Shop>
where
    F: Future<Output = Result<(), String>> + 'static,
{
    let mut check = check("a runner", Shop::default)
        .queue_with_dead_letters(8, jobs)
        .messages(numbered());
    for name in ["r1", "r2"] {
        let run = run.clone();
        check = check.consumer(name, move |shop: &World<Shop>| {
            let (shop, run) = (shop.clone(), run.clone());
            Consumer::program(move |context| {
                let queue = context.queue("jobs").unwrap();
                run(shop.clone(), queue, context)
            })
        });
    }
    check
        .always("no order is charged twice", |shop| once(&shop.effects))
        .finally("each deleted order is charged", |shop, messages| {
            let mut deleted = messages.iter().filter(|it| it.fate == Some(Fate::Deleted));
            deleted.all(|it| shop.done.contains(&*it.body))
        })
}

// Correct.

#[test]
fn a_runner_with_handlers_that_return_is_right() {
    survives(|| {
        programs(|shop, queue, context| async move {
            let runner = Runner::builder(&queue).concurrency(2).each(move |job: &Job| {
                charge(&shop, &context, job.body());
                Ok::<_, String>(())
            });
            runner.map_err(text)?.run().await.map(drop).map_err(text)
        })
    });
}

/// A runner whose handlers take so long, in seconds.
fn slow(seconds: u64, heartbeat: bool) -> Check<Shop> {
    programs(move |shop, queue, context| async move {
        let builder = Runner::builder(&queue).concurrency(4).heartbeat(heartbeat);
        let runner = builder.each_async(move |job: Job| {
            let (shop, context) = (shop.clone(), context.clone());
            async move {
                context.wait(secs(seconds)).await;
                charge(&shop, &context, job.body());
                Ok::<_, String>(())
            }
        });
        runner.map_err(text)?.run().await.map(drop).map_err(text)
    })
}

#[test]
fn a_runner_that_renews_its_leases_is_right() {
    survives(|| slow(95, true).watch_visibility());
}

#[test]
fn a_runner_that_does_not_renew_its_leases_is_found() {
    is_found(20, || slow(95, false).watch_visibility());
}

/// A runner until nothing is visible, which is begun anew as a job of cron is.
#[test]
fn a_runner_until_none_is_visible_is_right() {
    survives(|| {
        programs(|shop, queue, context| async move {
            let builder = Runner::builder(&queue).concurrency(3).until_none_visible();
            let runner = builder.each(move |job: &Job| {
                charge(&shop, &context, job.body());
                Ok::<_, String>(())
            });
            runner.map_err(text)?.run().await.map(drop).map_err(text)
        })
    });
}

/// Some fail at first, and what nobody can read goes to the dead letters at once.
fn fails(failure: fn() -> Failure) -> Check<Shop> {
    programs(move |shop, queue, context| async move {
        let backoff = Backoff::new(secs(1), secs(60));
        let builder = Runner::builder(&queue).failure_policy(FailurePolicy::Backoff(backoff));
        let runner = builder.concurrency(2).each(move |job: &Job| {
            if job.body().ends_with('7') {
                return Err(failure());
            }
            if job.body().ends_with('3') && job.failures() < 2 {
                return Err(Failure::from("the database is busy"));
            }
            charge(&shop, &context, job.body());
            Ok(())
        });
        runner.map_err(text)?.run().await.map(drop).map_err(text)
    })
}

#[test]
fn a_runner_that_gives_up_what_it_cannot_read_is_right() {
    survives(|| fails(|| Failure::dead_letter("not a number")));
}

#[test]
fn a_runner_that_discards_what_it_cannot_read_is_found() {
    is_found(20, || fails(|| Failure::discard("not a number")));
}

/// Batches, of which some messages fail at first.
fn batches(answers_for_all: bool) -> Check<Shop> {
    programs(move |shop, queue, context| async move {
        let settings = BatchSettings::new(10).window(secs(2));
        let runner = Runner::builder(&queue).batch(settings, move |jobs: &[Job]| {
            let mut answer = BatchAnswer::success();
            for job in jobs {
                if job.body().ends_with('7') && job.failures() < 2 {
                    if answers_for_all {
                        answer = answer.fail(job, "the disk is full");
                    }
                } else {
                    charge(&shop, &context, job.body());
                }
            }
            answer
        });
        runner.map_err(text)?.run().await.map(drop).map_err(text)
    })
}

#[test]
fn a_runner_of_batches_is_right() {
    survives(|| batches(true));
}

#[test]
fn a_runner_of_batches_that_forgets_its_failures_is_found() {
    is_found(20, || batches(false));
}

// Work beside the runner.

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Futures that are polled in the task of the program.
#[derive(Clone, Default)]
struct Tasks(Arc<Mutex<(Vec<Task>, Option<Waker>)>>);

impl Tasks {
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.0.lock().unwrap();
        tasks.0.push(Box::pin(task));
        if let Some(waker) = tasks.1.take() {
            waker.wake();
        }
    }

    /// Never ends.
    async fn run(&self) {
        let mut own: Vec<Task> = Vec::new();
        poll_fn(|context| {
            loop {
                {
                    let mut tasks = self.0.lock().unwrap();
                    tasks.1 = Some(context.waker().clone());
                    own.append(&mut tasks.0);
                }
                let before = own.len();
                own.retain_mut(|task| task.as_mut().poll(context).is_pending());
                if self.0.lock().unwrap().0.is_empty() && own.len() == before {
                    return Poll::<()>::Pending;
                }
            }
        })
        .await;
    }
}

/// Until the first of the two has ended.
async fn either<T>(first: impl Future<Output = T>, second: impl Future<Output = ()>) -> T {
    let (mut first, mut second) = (pin!(first), pin!(second));
    poll_fn(|context| {
        let _ = second.as_mut().poll(context);
        first.as_mut().poll(context)
    })
    .await
}

#[test]
fn a_runner_whose_handlers_are_spawned_is_right() {
    survives(|| {
        programs(|shop, queue, context| async move {
            let tasks = Tasks::default();
            let spawner = tasks.clone();
            let runner = Runner::builder(&queue).concurrency(3).each_async(move |job: Job| {
                let (shop, context) = (shop.clone(), context.clone());
                async move {
                    context.wait(secs(5)).await;
                    charge(&shop, &context, job.body());
                    Ok::<_, String>(())
                }
            });
            let runner = runner
                .map_err(text)?
                .spawn_handlers(move |future| spawner.spawn(future));
            either(runner.run(), tasks.run()).await.map(drop).map_err(text)
        })
    });
}

#[test]
fn a_handler_that_spawns_its_effect_and_returns_is_found() {
    is_found(20, || {
        programs(|shop, queue, context| async move {
            let tasks = Tasks::default();
            let spawner = tasks.clone();
            let runner = Runner::builder(&queue).each_async(move |job: Job| {
                let (shop, context) = (shop.clone(), context.clone());
                spawner.spawn(async move {
                    context.wait(secs(1)).await;
                    charge(&shop, &context, job.body());
                });
                async { Ok::<_, String>(()) }
            });
            either(runner.map_err(text)?.run(), tasks.run())
                .await
                .map(drop)
                .map_err(text)
        })
    });
}

/// Groups are worked on one message after the other.
#[test]
fn a_runner_on_a_fifo_queue_is_right() {
    survives(|| {
        check("a runner in groups", Vec::<(String, String)>::new)
            .queue(|| {
                Queue::fifo("jobs.fifo")
                    .visibility_timeout(secs(30))
                    .content_based_deduplication(true)
            })
            .messages(numbered())
            .consumer("r", |done| {
                let done = done.clone();
                Consumer::program(move |context| {
                    let done = done.clone();
                    async move {
                        let queue = context.queue("jobs.fifo").map_err(text)?;
                        let runner = Runner::builder(&queue).concurrency(4).each_async(move |job: Job| {
                            let (done, context) = (done.clone(), context.clone());
                            async move {
                                context.wait(secs(1 + job.body().len() as u64 % 3)).await;
                                let group = job.message_group_id().unwrap_or_default().to_owned();
                                done.borrow_mut()
                                    .push((group, job.sequence_number().unwrap().to_string()));
                                Ok::<_, String>(())
                            }
                        });
                        runner.map_err(text)?.run().await.map(drop).map_err(text)
                    }
                })
            })
            .always("each group is in order", |done| {
                ["ann", "bob"].into_iter().all(|group| {
                    let of = done.iter().filter(|it| it.0 == group);
                    let mut first: Vec<&String> = Vec::new();
                    for (_, number) in of {
                        if !first.contains(&number) {
                            first.push(number);
                        }
                    }
                    first.is_sorted()
                })
            })
    });
}
