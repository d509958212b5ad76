//! Runners: started as a future or on threads, observed and stopped by a handle.

use {
    super::{
        builder::RunnerBuilder,
        engine::{Engine, Life, WorkerPermit},
        error::{RunnerError, exited_early},
        event::RunnerEvent,
        handle::RunnerHandle,
        handler::Handler,
        report::RunnerReport,
    },
    crate::{
        backend::{MessageQueue, Running, ThreadWrapper},
        clock::block_on,
        sync::Mutex,
    },
    futures_util::stream::{FuturesUnordered, StreamExt},
    std::{
        fmt,
        future::{Future, poll_fn},
        io, iter,
        pin::pin,
        sync::Arc,
        task::Poll,
        thread,
    },
};

/// Linux keeps 15 bytes of a thread's name.
const RENEWER_THREAD: &str = "requeue-renewer";

/// Runs a handler for every message of a queue, several at a time, and settles the message by what the handler says.
///
/// A message is deleted once its handler succeeded, and not before. If the handler fails, panics or does not end in
/// time, the [`FailurePolicy`](super::FailurePolicy) or the handler itself says when the message comes back. While a
/// runner holds a message, a heartbeat renews its visibility timeout. On a FIFO queue the messages of a group are worked
/// on one after the other, and a failure gives back those that follow.
///
/// [`run`](Self::run) is a future for any executor, [`blocking`](Self::blocking) uses threads. Dropping either kind of
/// running runner is as safe as a crash: the messages it held return when their visibility timeout ends.
///
/// # Examples
/// ```
/// use requeue::{Queue, worker::{Job, Runner}};
///
/// fn resize(job: &Job) -> Result<(), std::num::ParseIntError> {
///     job.body().parse::<u32>().map(drop)
/// }
///
/// let jobs = Queue::standard("jobs").build()?;
/// jobs.send("640")?;
/// let runner = Runner::builder(&jobs).concurrency(4).until_none_visible().each(resize)?;
/// let report = runner.blocking()?;
/// assert_eq!((report.succeeded, report.failed), (1, 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a runner does nothing until it is run"]
pub struct Runner<Q, H> {
    pub(super) engine: Engine<Q, H>,
    pub(super) wrapper: ThreadWrapper,
}

impl<Q: MessageQueue + Clone> Runner<Q, ()> {
    /// Begins a runner on a queue: one job at a time, long polls of 20 s, heartbeats.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, worker::{Job, Runner}};
    ///
    /// let jobs = Queue::standard("jobs").build()?;
    /// let runner = Runner::builder(&jobs).each(|_: &Job| Ok::<(), String>(()))?;
    /// runner.handle().stop();
    /// assert_eq!(runner.blocking()?.received, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn builder(queue: &Q) -> RunnerBuilder<Q> {
        RunnerBuilder::new(queue.clone())
    }
}

impl<Q: MessageQueue, H: Handler> Runner<Q, H> {
    /// A handle that steers and observes the runner, from any thread.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, worker::{Job, Runner}};
    ///
    /// let jobs = Queue::standard("jobs").build()?;
    /// let runner = Runner::builder(&jobs).each(|_: &Job| Ok::<(), String>(()))?;
    /// let handle = runner.handle();
    /// let running = std::thread::spawn(move || runner.blocking());
    /// jobs.wait_for_waiters(1);
    /// handle.stop();
    /// assert!(running.join().unwrap().is_ok());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn handle(&self) -> RunnerHandle {
        RunnerHandle::of(&self.engine.control)
    }

    /// Runs as a future on any executor, until it is stopped or the queue is gone.
    ///
    /// All handlers run in the task that awaits it, as many at a time as the concurrency says. A handler that blocks its
    /// thread holds up all others and the heartbeat; one that does so for 250 ms is reported as
    /// [`RunnerEvent::Blocked`](super::RunnerEvent::Blocked). Dropping the future is as safe as a crash.
    ///
    /// # Errors
    /// [`RunnerError`]: the queue is gone, refuses to be received from, or could not be for the outage timeout. Jobs in
    /// progress have been finished.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, worker::{Job, Runner}};
    ///
    /// let jobs = Queue::standard("jobs").build()?;
    /// jobs.send("resize cat.png")?;
    /// let runner = Runner::builder(&jobs).concurrency(1_000).until_none_visible().each_async(|job: Job| async move {
    ///     assert_eq!(job.body(), "resize cat.png");
    ///     Ok::<(), String>(())
    /// })?;
    /// assert_eq!(pollster::block_on(runner.run())?.succeeded, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn run(self) -> Result<RunnerReport, RunnerError> {
        let Self { engine, .. } = &self;
        let mut workers = FuturesUnordered::new();
        let mut renewer = pin!(engine.renew_leases(true));
        let control = &engine.control;
        let life = Life(control);
        poll_fn(|context| {
            loop {
                while let Poll::Ready(Some(())) = workers.poll_next_unpin(context) {}
                if renewer.as_mut().poll(context).is_ready() {
                    return Poll::Ready(());
                }
                // Workers that have just been polled may have received jobs for more workers. The renewer has been polled
                // before, so that a handle which asks for more from now on wakes it.
                let added = iter::from_fn(|| WorkerPermit::acquire_if_needed(control))
                    .map(|permit| workers.push(engine.run_worker(permit, true)));
                if added.count() > 0 {
                    continue;
                }
                let cut_off = control.is_stopping() && control.dispatcher.lock().is_timed_out();
                if workers.is_empty() || !cut_off {
                    return Poll::Pending;
                }
                // Handlers that outlast the shutdown timeout are cut off; the renewer gives their messages back.
                workers.clear();
            }
        })
        .await;
        drop(life);
        control.result()
    }

    /// [Runs](Self::run) until `stop` completes, whatever its output, and then ends as by a [stop](RunnerHandle::stop):
    /// `runner.run_until(tokio::signal::ctrl_c())` ends by Ctrl-C.
    ///
    /// # Errors
    /// As [`run`](Self::run). If the runner ends by itself before, `stop` is dropped.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, worker::{Job, Runner}};
    ///
    /// let jobs = Queue::standard("jobs").build()?;
    /// jobs.send("resize cat.png")?;
    /// let (stop, stopped) = tokio::sync::oneshot::channel();
    /// let stop = std::sync::Mutex::new(Some(stop));
    /// let runner = Runner::builder(&jobs).each(move |_: &Job| {
    ///     stop.lock().unwrap().take().ok_or("once")?.send(()).map_err(|()| "nobody waits")
    /// })?;
    /// assert_eq!(pollster::block_on(runner.run_until(stopped))?.succeeded, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn run_until(self, stop: impl Future) -> Result<RunnerReport, RunnerError> {
        let handle = self.handle();
        let (mut stop, mut run) = (pin!(Some(stop)), pin!(self.run()));
        poll_fn(|context| {
            let stopped = stop.as_mut().as_pin_mut().map(|stop| stop.poll(context));
            if stopped.is_some_and(|stopped| stopped.is_ready()) {
                stop.set(None);
                handle.stop();
            }
            run.as_mut().poll(context)
        })
        .await
    }

    /// Runs on one thread per worker, and blocks the calling thread, which renews the leases, until the runner is stopped
    /// or the queue is gone.
    ///
    /// Handlers that outlast the [`shutdown_timeout`](super::RunnerBuilder::shutdown_timeout) are counted as abandoned;
    /// their threads end when they do.
    ///
    /// # Errors
    /// [`RunnerError`]: the queue is gone, refuses to be received from, or could not be for the outage timeout, after jobs
    /// in progress have been finished; or a thread could not be started, or ended before the runner did.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, worker::{Job, Runner}};
    ///
    /// let jobs = Queue::standard("jobs").build()?;
    /// jobs.send("resize cat.png")?;
    /// let runner = Runner::builder(&jobs).concurrency(2).until_none_visible().each(|job: &Job| {
    ///     assert_eq!(job.body(), "resize cat.png");
    ///     Ok::<(), String>(())
    /// })?;
    /// assert_eq!(runner.blocking()?.succeeded, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn blocking(self) -> Result<RunnerReport, RunnerError>
    where
        H: Send + Sync + 'static,
    {
        let (engine, wrapper) = (Arc::new(self.engine), self.wrapper);
        run_threads(&engine, &wrapper, |permit| {
            let (own, wrapper) = (Arc::clone(&engine), wrapper.clone());
            let thread = thread::Builder::new().name(worker_thread_name(permit.number()));
            let permit = Arc::new(Mutex::new(Some(permit)));
            let slot = Arc::clone(&permit);
            let started = thread.spawn(move || {
                let permit = slot.lock().take();
                if let Some(permit) = permit {
                    wrapper.run(|| block_on(&*own.control.clock, own.run_worker(permit, false)));
                }
            });
            let not_started = |error| (not_started(error), permit.lock().take());
            started.map(drop).map_err(not_started)
        })
    }

    /// [`blocking`](Self::blocking) on a thread of its own.
    ///
    /// # Errors
    /// If the thread cannot be started.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, worker::{Job, Runner}};
    ///
    /// let jobs = Queue::standard("jobs").build()?;
    /// let running = Runner::builder(&jobs).each(|_: &Job| Ok::<(), String>(()))?.spawn()?;
    /// jobs.wait_for_waiters(1);
    /// running.handle().stop();
    /// assert_eq!(running.join()?.received, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn spawn(self) -> io::Result<Running<RunnerHandle>>
    where
        H: Send + Sync + 'static,
    {
        let handle = self.handle();
        Running::spawn(RENEWER_THREAD, handle, move || self.blocking())
    }
}

impl<Q: MessageQueue, H> fmt::Debug for Runner<Q, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runner")
            .field("queue", &self.engine.queue.url())
            .field("concurrency", &self.engine.control.dispatcher.lock().concurrency())
            .finish_non_exhaustive()
    }
}

fn worker_thread_name(number: usize) -> String {
    format!("requeue-w{number}")
}

/// Renews the leases until the runner has ended, and starts the threads that the concurrency asks for.
///
/// `start` answers with the error and the permit of a thread that it could not start. Without the threads that it was
/// built with the runner ends; without one that a handle asked for it goes on.
fn run_threads<Q: MessageQueue, H: Handler>(
    engine: &Engine<Q, H>,
    wrapper: &ThreadWrapper,
    start: impl Fn(WorkerPermit) -> Result<(), (io::Error, Option<WorkerPermit>)>,
) -> Result<RunnerReport, RunnerError> {
    let control = &engine.control;
    let _life = Life(control);
    let (mut renewer, mut failed) = (pin!(engine.renew_leases(false)), None);
    let mut missing = engine.config.concurrency;
    let until_over = poll_fn(|context| {
        let over = renewer.as_mut().poll(context);
        // The renewer has been polled before, so that a handle which asks for more from now on wakes it.
        while let Some(permit) = WorkerPermit::acquire(control) {
            let Err((error, permit)) = start(permit) else {
                missing = missing.saturating_sub(1);
                continue;
            };
            match permit {
                Some(permit) if missing == 0 => {
                    let concurrency = permit.retire();
                    control.set_concurrency(concurrency);
                    engine.report(|| RunnerEvent::ThreadNotStarted {
                        reason: error.to_string(),
                        concurrency,
                    });
                }
                _ => {
                    failed = Some(error);
                    control.stop(None);
                }
            }
        }
        // If fewer have begun, a handle had lowered the concurrency.
        missing = 0;
        over
    });
    let mut until_over = pin!(until_over);
    if wrapper.run(|| block_on(&*control.clock, until_over.as_mut())).is_none() {
        control.stop(None);
        block_on(&*control.clock, until_over);
        failed.get_or_insert_with(exited_early);
    }
    match failed {
        Some(error) => Err(control.thread_error(error)),
        None => control.result(),
    }
}

fn not_started(error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("it could not be started: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{queue::Queue, worker::Job};
    use std::{
        cell::Cell,
        sync::{Barrier, mpsc},
    };

    #[test]
    fn thread_names_fit_in_15_bytes_with_their_number() {
        for name in [RENEWER_THREAD, &worker_thread_name(1), &worker_thread_name(999_999)] {
            assert!(name.len() <= 15, "{name}");
        }
        let jobs = Queue::standard("jobs").build().unwrap();
        jobs.send("resize cat.png").unwrap();
        let runner = Runner::builder(&jobs).until_none_visible().each(|_: &Job| {
            assert_eq!(thread::current().name(), Some("requeue-w1"));
            Ok::<(), String>(())
        });
        assert_eq!(runner.unwrap().blocking().unwrap().succeeded, 1);
    }

    /// Runs on at most this many threads, as others cannot be started.
    fn run_on<H>(most: usize, runner: Runner<Queue, H>) -> Result<RunnerReport, RunnerError>
    where
        H: Handler + Send + Sync + 'static,
    {
        let (engine, started) = (Arc::new(runner.engine), Cell::new(0));
        run_threads(&engine, &ThreadWrapper::default(), |permit| {
            if started.replace(started.get() + 1) >= most {
                return Err((io::Error::other("no more threads"), Some(permit)));
            }
            let own = Arc::clone(&engine);
            thread::spawn(move || block_on(&*own.control.clock, own.run_worker(permit, false)));
            Ok(())
        })
    }

    #[test]
    fn a_thread_that_cannot_be_started_at_first_ends_the_runner_and_later_only_lowers_the_concurrency() {
        let jobs = Queue::standard("jobs").build().unwrap();
        let builder = Runner::builder(&jobs);
        let ok = |_: &Job| Ok::<(), String>(());
        let error = run_on(2, builder.clone().concurrency(3).each(ok).unwrap()).unwrap_err();
        assert!(matches!(error, RunnerError::Thread { .. }), "{error}");
        for number in 0..20 {
            jobs.send(number.to_string()).unwrap();
        }
        let builder = builder.until_none_visible();
        let (handle, (reports, reported)) = (builder.handle(), mpsc::channel());
        let builder = builder.on_event(move |event| reports.send(event.to_string()).unwrap());
        let reported = Mutex::new(reported);
        let runner = builder.each(move |_: &Job| {
            if handle.report().concurrency == 1 {
                handle.set_concurrency(5).unwrap();
                let event = reported.lock().recv().unwrap();
                assert_eq!(
                    event,
                    "a thread could not be started: no more threads, the concurrency is 2"
                );
            }
            Ok::<(), String>(())
        });
        let report = run_on(2, runner.unwrap()).unwrap();
        assert_eq!((report.concurrency, report.panicked), (2, 0));
        assert_eq!(jobs.counts().visible, 0);
    }

    #[test]
    fn more_workers_than_the_runner_was_built_with_need_not_start_however_early_they_are_asked_for() {
        let jobs = Queue::standard("jobs").build().unwrap();
        for number in 0..20 {
            jobs.send(number.to_string()).unwrap();
        }
        // Jobs for each of the workers, were there more of them.
        let started = Arc::new(Barrier::new(2));
        let runner = Runner::builder(&jobs).concurrency(2).until_none_visible();
        let runner = runner.each(move |_: &Job| {
            started.wait();
            Ok::<(), String>(())
        });
        let runner = runner.unwrap();
        runner.handle().set_concurrency(9).unwrap();
        let report = run_on(2, runner).unwrap();
        assert_eq!((report.concurrency, report.succeeded), (2, 20));
    }

    #[test]
    fn a_runner_as_a_future_may_go_to_another_thread_if_its_handlers_may() {
        fn crosses<T: Send + 'static>(_: T) {}
        let jobs = Queue::standard("jobs").build().unwrap();
        let handler = |job: Job| async move {
            std::future::ready(()).await;
            drop(job);
            Ok::<(), String>(())
        };
        crosses(Runner::builder(&jobs).each_async(handler).unwrap().run());
        crosses(
            Runner::builder(&jobs)
                .each(|_: &Job| Ok::<(), String>(()))
                .unwrap()
                .run(),
        );
    }
}
