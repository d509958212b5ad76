//! Async handlers whose futures an executor of the user's polls.

use {
    super::{
        batch::BatchAnswer,
        failure::{Failure, IntoFailure},
    },
    crate::sync::{Mutex, contain, wake},
    std::{
        fmt,
        future::Future,
        mem,
        panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
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

/// Makes an async handler of one that has each of its futures run by an executor, so that handlers may run in parallel.
///
/// `spawn` gets the future of each handler call and passes it to the executor; what it returns is dropped, which must
/// not cancel the future: detach a task that is cancelled so. The runner itself needs no executor, and counts, renews
/// leases and settles messages as if the future ran in its own task:
/// * a panic of the future is one of the handler;
/// * a future that the handler timeout or the shutdown timeout cuts off is dropped at once, or as soon as the poll
///   under way ends;
/// * a future that the executor drops has failed;
/// * a future that the executor never polls stays in progress, so a
///   [`handler_timeout`](super::RunnerBuilder::handler_timeout) is advisable;
/// * handlers that block their thread are the executor's business, and not reported.
///
/// # Examples
/// ```
/// use requeue::{Queue, worker::{Job, Runner, spawned}};
///
/// async fn resize(job: Job) -> Result<(), std::num::ParseIntError> {
///     job.body().parse::<u32>().map(drop)
/// }
///
/// let runtime = tokio::runtime::Builder::new_multi_thread().build()?;
/// let jobs = Queue::standard("jobs").build()?;
/// jobs.send("640")?;
/// let runner = Runner::builder(&jobs).concurrency(100).until_none_visible();
/// let runner = runner.each_async(spawned(tokio::spawn, resize))?;
/// assert_eq!(runtime.block_on(runner.run())?.succeeded, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn spawned<J, S, T, F, R>(spawn: S, handler: F) -> impl Fn(J) -> Spawned<R>
where
    S: Fn(HandlerFuture) -> T,
    F: Fn(J) -> R,
    R: Future<Output: HandlerOutput + Send> + Send + 'static,
{
    move |jobs| {
        let shared = Arc::new(Shared::new(handler(jobs)));
        let awaited = Spawned {
            shared: Arc::clone(&shared),
        };
        drop(spawn(HandlerFuture { shared }));
        awaited
    }
}

/// What an async handler may return: `Result<(), E>` with an error that is [`IntoFailure`], or a [`BatchAnswer`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not what a handler returns",
    label = "the handler of a message returns `Result<(), E>` with `E: IntoFailure`, that of a batch `BatchAnswer`"
)]
pub trait HandlerOutput: sealed::Sealed {
    /// What the runner gets.
    type Answer;

    #[doc(hidden)]
    fn answer(self) -> Self::Answer;

    #[doc(hidden)]
    fn failed(failure: Failure) -> Self::Answer;
}

mod sealed {
    #[expect(unnameable_types, reason = "nobody is to name it")]
    pub trait Sealed {}
    impl<E> Sealed for Result<(), E> {}
    impl Sealed for super::BatchAnswer {}
}

impl<E: IntoFailure> HandlerOutput for Result<(), E> {
    type Answer = Result<(), Failure>;

    fn answer(self) -> Result<(), Failure> {
        self.map_err(Into::into)
    }

    fn failed(failure: Failure) -> Result<(), Failure> {
        Err(failure)
    }
}

impl HandlerOutput for BatchAnswer {
    type Answer = Self;

    fn answer(self) -> Self {
        self
    }

    fn failed(failure: Failure) -> Self {
        Self::failure(failure)
    }
}

/// The future of a handler call, for an executor, by [`spawned`].
#[must_use = "futures do nothing unless polled"]
pub struct HandlerFuture {
    shared: Arc<dyn Drive>,
}

/// What a runner awaits of a handler whose future an executor polls, by [`spawned`].
#[must_use = "futures do nothing unless polled"]
pub struct Spawned<R: Future> {
    shared: Arc<Shared<R>>,
}

/// A [`Shared`] without its type.
trait Drive: Send + Sync {
    fn poll(&self, context: &mut Context<'_>) -> Poll<()>;
    fn dropped(&self);
}

/// A handler's future, which an executor polls and a runner awaits.
struct Shared<R: Future> {
    /// The future, until it has ended or is dropped; locked while it is polled.
    future: Mutex<Option<Pin<Box<R>>>>,
    /// The runner awaits it no longer, so that whoever has the lock of the future next drops it.
    given_up: AtomicBool,
    ends: Mutex<Ends<R::Output>>,
    #[cfg(feature = "tracing")]
    trace: Option<Trace>,
}

struct Ends<T> {
    result: Progress<T>,
    /// The executor's task, which ends once the future is dropped.
    task: Option<Waker>,
}

enum Progress<T> {
    Running(Option<Waker>),
    Ended(thread::Result<T>),
    /// The executor has dropped the future.
    Dropped,
}

impl<R: Future> Shared<R> {
    fn new(future: R) -> Self {
        Self {
            future: Mutex::new(Some(Box::pin(future))),
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
    fn poll_future(&self, context: &mut Context<'_>) -> Option<Poll<thread::Result<R::Output>>> {
        let mut slot = self.future.lock();
        let future = slot.as_mut().filter(|_| !self.given_up.load(Ordering::SeqCst))?;
        let poll = || catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context)));
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

    fn end(&self, progress: Progress<R::Output>) {
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
}

impl<R> Drive for Shared<R>
where
    R: Future<Output: Send> + Send,
{
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

impl<R: Future<Output: HandlerOutput>> Future for Spawned<R> {
    type Output = <R::Output as HandlerOutput>::Answer;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let waker = context.waker().clone();
        let before = {
            let result = &mut self.shared.ends.lock().result;
            let next = match result {
                Progress::Running(_) => Progress::Running(Some(waker)),
                Progress::Ended(_) | Progress::Dropped => Progress::Dropped,
            };
            mem::replace(result, next)
        };
        match before {
            Progress::Running(_) => Poll::Pending,
            Progress::Ended(Ok(output)) => Poll::Ready(output.answer()),
            Progress::Ended(Err(panic)) => resume_unwind(panic),
            Progress::Dropped => {
                let reason = "the executor dropped the future of the handler before it ended";
                Poll::Ready(R::Output::failed(Failure::from(reason)))
            }
        }
    }
}

impl<R: Future> Drop for Spawned<R> {
    fn drop(&mut self) {
        self.shared.given_up.store(true, Ordering::SeqCst);
        self.shared.drop_future();
        // The executor's task has nothing left to poll, and ends.
        let task = self.shared.ends.lock().task.take();
        wake(task);
    }
}

impl<R: Future> fmt::Debug for Spawned<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spawned").finish_non_exhaustive()
    }
}
