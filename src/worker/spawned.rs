//! Async handlers whose futures run on the user's executor.

use {
    super::{
        batch::BatchAnswer,
        engine::Engine,
        failure::Failure,
        handler::{Answer, Answering, AsyncHandler, Begun, Handler, sealed},
        job::Job,
        runner::Runner,
    },
    crate::{
        backend::MessageQueue,
        sync::{Mutex, catch, contain, wake},
    },
    std::{
        fmt,
        future::Future,
        mem,
        panic::resume_unwind,
        pin::Pin,
        sync::{
            Arc,
            atomic::{AtomicBool, Ordering},
        },
        task::{Context, Poll, Waker},
        thread,
    },
};

#[cfg(feature = "tracing")]
use super::trace::Trace;

impl<Q: MessageQueue, H: AsyncHandler> Runner<Q, H> {
    /// Has the future of each call of the async handler run by an executor, so that handlers may run in parallel.
    ///
    /// `spawn` gets the future and passes it to the executor; what it returns is dropped, which must not cancel the
    /// future: detach a task that is cancelled so. The runner itself needs no executor, and counts, renews leases and
    /// settles messages as if the future ran in its own task:
    /// * a panic of the future is one of the handler;
    /// * a future that the handler timeout or the shutdown timeout cuts off is dropped at once, or as soon as the poll
    ///   under way ends;
    /// * a future that the executor drops has failed;
    /// * a future that the executor never polls stays in progress, so a
    ///   [`handler_timeout`](super::RunnerBuilder::handler_timeout) is advisable;
    /// * handlers that block their thread are the executor's business, and not reported.
    ///
    /// Routes of a [`Router`](super::Router) that are plain functions run as they do otherwise.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, worker::{Job, Runner}};
    /// use std::sync::{Arc, atomic::{AtomicU32, Ordering::Relaxed}};
    ///
    /// async fn resize(job: Job, widths: Arc<AtomicU32>) -> Result<(), std::num::ParseIntError> {
    ///     widths.fetch_add(job.body().parse::<u32>()?, Relaxed);
    ///     Ok(())
    /// }
    ///
    /// let runtime = tokio::runtime::Builder::new_multi_thread().build()?;
    /// let (jobs, widths) = (Queue::standard("jobs").build()?, Arc::new(AtomicU32::new(0)));
    /// jobs.send("640")?;
    /// let runner = Runner::builder(&jobs).state(widths.clone()).concurrency(100).until_none_visible();
    /// let runner = runner.each_async(resize)?.spawn_handlers(tokio::spawn);
    /// assert_eq!(runtime.block_on(runner.run())?.succeeded, 1);
    /// assert_eq!(widths.load(Relaxed), 640);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn spawn_handlers<T>(
        self,
        spawn: impl Fn(HandlerFuture) -> T + Send + Sync + 'static,
    ) -> Runner<Q, SpawnedHandler<H>> {
        let Engine {
            queue,
            handler,
            config,
            control,
            ..
        } = self.engine;
        let handler = SpawnedHandler {
            handler,
            spawn: Box::new(move |future| drop(spawn(future))),
        };
        Runner {
            engine: Engine::new(queue, handler, config, control),
            wrapper: self.wrapper,
        }
    }
}

/// A handler whose futures an executor polls, by [`spawn_handlers`](Runner::spawn_handlers).
pub struct SpawnedHandler<H> {
    handler: H,
    spawn: Box<dyn Fn(HandlerFuture) + Send + Sync>,
}

impl<H> sealed::Sealed for SpawnedHandler<H> {}

impl<H: AsyncHandler> Handler for SpawnedHandler<H> {
    async fn handle(&self, jobs: &[Job]) -> Answer {
        match self.handler.begin(jobs) {
            Begun::Answered(answer) => answer,
            Begun::Future(future) => {
                let shared = Arc::new(SpawnedState::new(future));
                let awaited = Awaited(Arc::clone(&shared));
                (self.spawn)(HandlerFuture { shared });
                awaited.await
            }
        }
    }
}

impl<H> fmt::Debug for SpawnedHandler<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpawnedHandler").finish_non_exhaustive()
    }
}

/// The future of a handler call, for an executor, by [`spawn_handlers`](Runner::spawn_handlers).
#[must_use = "futures do nothing unless polled"]
pub struct HandlerFuture {
    shared: Arc<SpawnedState>,
}

/// What a runner awaits of a handler whose future an executor polls.
struct Awaited(Arc<SpawnedState>);

/// A handler's future, which an executor polls and a runner awaits.
struct SpawnedState {
    /// The future, until it has ended or is dropped; locked while it is polled.
    future: Mutex<Option<Answering>>,
    /// The runner awaits it no longer, so that whoever has the lock of the future next drops it.
    given_up: AtomicBool,
    ends: Mutex<Ends>,
    #[cfg(feature = "tracing")]
    trace: Option<Trace>,
}

struct Ends {
    result: Progress,
    /// The executor's task, which ends once the future is dropped.
    task: Option<Waker>,
}

enum Progress {
    Running(Option<Waker>),
    Ended(thread::Result<Answer>),
    /// The executor has dropped the future.
    Dropped,
}

impl SpawnedState {
    fn new(future: Answering) -> Self {
        Self {
            future: Mutex::new(Some(future)),
            given_up: AtomicBool::new(false),
            ends: Mutex::new(Ends {
                result: Progress::Running(None),
                task: None,
            }),
            #[cfg(feature = "tracing")]
            trace: Trace::current(),
        }
    }

    /// Polls the future; `None` if it has ended before or was dropped.
    fn poll_future(&self, context: &mut Context<'_>) -> Option<Poll<thread::Result<Answer>>> {
        let mut slot = self.future.lock();
        let future = slot.as_mut().filter(|_| !self.given_up.load(Ordering::SeqCst))?;
        let poll = || catch(|| future.as_mut().poll(context));
        match self.within(poll) {
            Ok(Poll::Pending) => Some(Poll::Pending),
            Ok(Poll::Ready(output)) => Some(Poll::Ready(Ok(output))),
            Err(panic) => Some(Poll::Ready(Err(panic))),
        }
    }

    /// Runs a part of the handler in its span and its trace context.
    fn within<T>(&self, part: impl FnOnce() -> T) -> T {
        #[cfg(feature = "tracing")]
        if let Some(trace) = &self.trace {
            return trace.within(part);
        }
        part()
    }

    /// Drops the future, unless it is being polled.
    fn drop_future(&self) {
        let future = self.future.try_lock().and_then(|mut slot| slot.take());
        contain(|| drop(future));
    }

    fn end(&self, progress: Progress) {
        let before = {
            let result = &mut self.ends.lock().result;
            match result {
                Progress::Running(_) => mem::replace(result, progress),
                // The first end stands; what the other one has got is dropped without the lock.
                Progress::Ended(_) | Progress::Dropped => progress,
            }
        };
        match before {
            Progress::Running(waker) => wake(waker),
            other => contain(|| drop(other)),
        }
    }

    fn poll(&self, context: &mut Context<'_>) -> Poll<()> {
        let before = self.ends.lock().task.replace(context.waker().clone());
        drop(before);
        let polled = self.poll_future(context);
        // After the lock of the future is released: a runner that gives it up later gets the lock itself.
        if !matches!(polled, Some(Poll::Pending)) || self.given_up.load(Ordering::SeqCst) {
            self.drop_future();
        }
        match polled {
            Some(Poll::Pending) if !self.given_up.load(Ordering::SeqCst) => Poll::Pending,
            Some(Poll::Ready(result)) => {
                self.end(Progress::Ended(result));
                Poll::Ready(())
            }
            _ => Poll::Ready(()),
        }
    }

    fn dropped(&self) {
        self.drop_future();
        self.end(Progress::Dropped);
    }
}

impl Future for HandlerFuture {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.shared.poll(context)
    }
}

impl Drop for HandlerFuture {
    fn drop(&mut self) {
        self.shared.dropped();
    }
}

impl fmt::Debug for HandlerFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandlerFuture").finish_non_exhaustive()
    }
}

impl Future for Awaited {
    type Output = Answer;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let waker = context.waker().clone();
        let before = {
            let result = &mut self.0.ends.lock().result;
            let next = match result {
                Progress::Running(_) => Progress::Running(Some(waker)),
                Progress::Ended(_) | Progress::Dropped => Progress::Dropped,
            };
            mem::replace(result, next)
        };
        match before {
            Progress::Running(_) => Poll::Pending,
            Progress::Ended(Ok(answer)) => Poll::Ready(answer),
            Progress::Ended(Err(panic)) => resume_unwind(panic),
            Progress::Dropped => {
                let reason = "the executor dropped the future of the handler before it ended";
                Poll::Ready(Answer::Batch(BatchAnswer::failure(Failure::from(reason))))
            }
        }
    }
}

impl Drop for Awaited {
    fn drop(&mut self) {
        self.0.given_up.store(true, Ordering::SeqCst);
        self.0.drop_future();
        // The executor's task has nothing left to poll, and ends.
        let task = self.0.ends.lock().task.take();
        wake(task);
    }
}
