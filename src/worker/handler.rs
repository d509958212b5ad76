//! Handlers: functions or async functions, of one message or of a batch.

use {
    super::{
        batch::BatchAnswer,
        failure::{Failure, IntoFailure},
        job::Job,
    },
    std::{future::Future, pin::Pin},
};

/// What a [`Runner`](super::Runner) runs; made of a function by the last call to a
/// [`RunnerBuilder`](super::RunnerBuilder).
///
/// It is for bounds on runners; there is nothing to implement.
///
/// # Examples
/// ```
/// use requeue::{Queue, worker::{Handler, Job, Runner, RunnerError}};
///
/// fn run<H: Handler + Send + Sync + 'static>(runner: Runner<Queue, H>) -> Result<u64, RunnerError> {
///     Ok(runner.blocking()?.succeeded)
/// }
///
/// let jobs = Queue::standard("jobs").build()?;
/// jobs.send("resize cat.png")?;
/// let runner = Runner::builder(&jobs).until_none_visible().each(|_: &Job| Ok::<(), String>(()))?;
/// assert_eq!(run(runner)?, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// A function is no handler until the builder has made it one:
/// ```compile_fail,E0277
/// use requeue::worker::{Handler, Job};
///
/// fn accept(_: impl Handler) {}
/// accept(|_: &Job| Ok::<(), String>(()));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not the handler of a runner",
    label = "not a handler",
    note = "a runner gets its handler by the last call to its builder: `each`, `each_async`, `batch` or `batch_async` \
            make one of a function, `each_routed` of a `Router`"
)]
pub trait Handler: sealed::Sealed {
    /// Handles the jobs of one call.
    #[doc(hidden)]
    fn handle(&self, jobs: &[Job]) -> impl Future<Output = Answer>;

    /// The same as a plain function, if the handler is one.
    #[doc(hidden)]
    fn at_once(&self) -> Option<impl Fn(&[Job]) -> Answer> {
        None::<fn(&[Job]) -> Answer>
    }
}

/// A [`Handler`] whose futures may go to other threads, for [`Runner::spawn_handlers`](super::Runner::spawn_handlers).
///
/// It is for bounds on runners; there is nothing to implement.
#[diagnostic::on_unimplemented(
    message = "the handler of this runner cannot be spawned",
    label = "not made by `each_async`, `batch_async` or `each_routed`, or its futures are not `Send + 'static`"
)]
pub trait AsyncHandler: Handler {
    /// Calls the handler, and polls no future.
    #[doc(hidden)]
    fn begin(&self, jobs: &[Job]) -> Begun;
}

/// A handler call that has begun.
#[doc(hidden)]
#[expect(
    unnameable_types,
    missing_debug_implementations,
    reason = "not part of the interface"
)]
pub enum Begun {
    /// A plain function has answered.
    Answered(Answer),
    Future(Answering),
}

/// The future of a handler call that may go to another thread.
pub(super) type Answering = Pin<Box<dyn Future<Output = Answer> + Send>>;

impl Begun {
    pub(super) fn of<R, E>(result: R) -> Self
    where
        R: Future<Output = Result<(), E>> + Send + 'static,
        E: IntoFailure,
    {
        Self::Future(Box::pin(async move { Answer::of(result.await) }))
    }
}

/// Keeps other crates from implementing handlers.
pub(super) mod sealed {
    #[expect(unnameable_types, reason = "nobody is to name it")]
    pub trait Sealed {}
}

/// The result of a handler call.
#[doc(hidden)]
#[derive(Debug)]
#[expect(unnameable_types, reason = "not part of the interface")]
pub enum Answer {
    Done,
    Failed(Failure),
    Batch(BatchAnswer),
}

impl Answer {
    pub(super) fn of<E: IntoFailure>(result: Result<(), E>) -> Self {
        match result {
            Ok(()) => Self::Done,
            Err(error) => Self::Failed(error.into()),
        }
    }
}

/// The four kinds of handlers.
macro_rules! handlers {
    ($($(#[$doc:meta])+ $name:ident)+) => {$(
        $(#[$doc])+
        #[derive(Clone, Copy, Debug)]
        pub struct $name<F>(pub(super) F);

        impl<F> sealed::Sealed for $name<F> {}
    )+};
}

handlers! {
    /// A function of one message, by [`each`](super::RunnerBuilder::each).
    Each
    /// An async function of one message, by [`each_async`](super::RunnerBuilder::each_async).
    EachAsync
    /// A function of a batch, by [`batch`](super::RunnerBuilder::batch).
    Batch
    /// An async function of a batch, by [`batch_async`](super::RunnerBuilder::batch_async).
    BatchAsync
}

impl<F, E> Handler for Each<F>
where
    F: Fn(&Job) -> Result<(), E>,
    E: IntoFailure,
{
    async fn handle(&self, jobs: &[Job]) -> Answer {
        self.call(jobs)
    }

    fn at_once(&self) -> Option<impl Fn(&[Job]) -> Answer> {
        Some(|jobs: &[Job]| self.call(jobs))
    }
}

impl<F, E> Each<F>
where
    F: Fn(&Job) -> Result<(), E>,
    E: IntoFailure,
{
    fn call(&self, jobs: &[Job]) -> Answer {
        jobs.first().map_or(Answer::Done, |job| Answer::of((self.0)(job)))
    }
}

impl<F, R, E> Handler for EachAsync<F>
where
    F: Fn(Job) -> R,
    R: Future<Output = Result<(), E>>,
    E: IntoFailure,
{
    async fn handle(&self, jobs: &[Job]) -> Answer {
        match jobs.first() {
            Some(job) => Answer::of((self.0)(job.clone()).await),
            None => Answer::Done,
        }
    }
}

impl<F, R, E> AsyncHandler for EachAsync<F>
where
    F: Fn(Job) -> R,
    R: Future<Output = Result<(), E>> + Send + 'static,
    E: IntoFailure,
{
    fn begin(&self, jobs: &[Job]) -> Begun {
        match jobs.first() {
            Some(job) => Begun::of((self.0)(job.clone())),
            None => Begun::Answered(Answer::Done),
        }
    }
}

impl<F: Fn(&[Job]) -> BatchAnswer> Handler for Batch<F> {
    async fn handle(&self, jobs: &[Job]) -> Answer {
        Answer::Batch((self.0)(jobs))
    }
}

impl<F, R> Handler for BatchAsync<F>
where
    F: Fn(Vec<Job>) -> R,
    R: Future<Output = BatchAnswer>,
{
    async fn handle(&self, jobs: &[Job]) -> Answer {
        Answer::Batch((self.0)(jobs.to_vec()).await)
    }
}

impl<F, R> AsyncHandler for BatchAsync<F>
where
    F: Fn(Vec<Job>) -> R,
    R: Future<Output = BatchAnswer> + Send + 'static,
{
    fn begin(&self, jobs: &[Job]) -> Begun {
        let answer = (self.0)(jobs.to_vec());
        Begun::Future(Box::pin(async move { Answer::Batch(answer.await) }))
    }
}
