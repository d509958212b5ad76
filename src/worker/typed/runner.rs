//! Runners whose handlers are given values.

use {
    super::Unparsed,
    crate::{
        backend::MessageQueue,
        worker::{
            builder::RunnerBuilder,
            failure::Failure,
            handler::{Answer, Handler, sealed},
            job::Job,
            runner::Runner,
            settings::BuildRunnerError,
        },
    },
    serde::de::DeserializeOwned,
    std::{fmt, future::Future, marker::PhantomData},
};

/// A runner to be built whose handler is given values, begun by [`TypedQueue::runner`](super::TypedQueue::runner).
#[must_use = "a builder does nothing until it is given a handler"]
pub struct TypedRunnerBuilder<T, Q> {
    builder: RunnerBuilder<Q>,
    unparsed: Unparsed,
    values: PhantomData<fn() -> T>,
}

impl<T, Q> TypedRunnerBuilder<T, Q> {
    pub(super) const fn new(builder: RunnerBuilder<Q>, unparsed: Unparsed) -> Self {
        Self {
            builder,
            unparsed,
            values: PhantomData,
        }
    }
}

impl<T: DeserializeOwned, Q: MessageQueue> TypedRunnerBuilder<T, Q> {
    /// A runner that calls `handler` for each message with its value; what does not parse fails without it.
    ///
    /// # Errors
    /// [`BuildRunnerError`]: what is wrong with its settings.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Queue, worker::Job};
    /// let jobs = Queue::standard("jobs").build()?;
    /// let _ = jobs.send_batch(["640", "wide"])?;
    /// let runner = jobs.typed::<u32>().runner(|it| it.until_none_visible()).each(|_: &Job, size| match size {
    ///     640 => Ok(()),
    ///     _ => Err("an odd size"),
    /// })?;
    /// let report = runner.blocking()?;
    /// assert_eq!((report.succeeded, report.failed), (1, 1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn each<F, E>(self, handler: F) -> Result<Runner<Q, EachTyped<T, F>>, BuildRunnerError>
    where
        F: Fn(&Job, T) -> Result<(), E>,
        E: Into<Failure>,
    {
        let Self {
            builder,
            unparsed,
            values,
        } = self;
        builder.build(
            None,
            EachTyped {
                handler,
                unparsed,
                values,
            },
        )
    }

    /// A runner that calls an async `handler` for each message with its value; what does not parse fails without it.
    ///
    /// # Errors
    /// [`BuildRunnerError`]: what is wrong with its settings.
    ///
    /// # Examples
    /// ```
    /// # use requeue::{Queue, worker::Job};
    /// let sizes = Queue::standard("sizes").build()?.typed::<u32>();
    /// sizes.send(&640)?;
    /// let runner = sizes.runner(|it| it.until_none_visible()).each_async(|_: Job, size| async move {
    ///     assert_eq!(size, 640);
    ///     Ok::<(), String>(())
    /// })?;
    /// assert_eq!(pollster::block_on(runner.run())?.succeeded, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn each_async<F, R, E>(self, handler: F) -> Result<Runner<Q, EachTypedAsync<T, F>>, BuildRunnerError>
    where
        F: Fn(Job, T) -> R,
        R: Future<Output = Result<(), E>>,
        E: Into<Failure>,
    {
        let Self {
            builder,
            unparsed,
            values,
        } = self;
        builder.build(
            None,
            EachTypedAsync {
                handler,
                unparsed,
                values,
            },
        )
    }
}

impl<T, Q: MessageQueue> fmt::Debug for TypedRunnerBuilder<T, Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TypedRunnerBuilder")
            .field("builder", &self.builder)
            .field("unparsed", &self.unparsed)
            .finish_non_exhaustive()
    }
}

macro_rules! handlers {
    ($($(#[$doc:meta])+ $name:ident)+) => {$(
        $(#[$doc])+
        pub struct $name<T, F> {
            handler: F,
            unparsed: Unparsed,
            values: PhantomData<fn() -> T>,
        }

        impl<T, F> sealed::Sealed for $name<T, F> {}

        impl<T, F> fmt::Debug for $name<T, F> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).field("unparsed", &self.unparsed).finish_non_exhaustive()
            }
        }
    )+};
}

handlers! {
    /// A function of a message and its value, by [`each`](TypedRunnerBuilder::each).
    EachTyped
    /// An async function of a message and its value, by [`each_async`](TypedRunnerBuilder::each_async).
    EachTypedAsync
}

impl<T, F, E> Handler for EachTyped<T, F>
where
    T: DeserializeOwned,
    F: Fn(&Job, T) -> Result<(), E>,
    E: Into<Failure>,
{
    async fn handle(&self, jobs: &[Job]) -> Answer {
        let Some(job) = jobs.first() else {
            return Answer::Done;
        };
        match self.unparsed.parse(job) {
            Ok(value) => Answer::of((self.handler)(job, value)),
            Err(failure) => Answer::Failed(failure),
        }
    }
}

impl<T, F, R, E> Handler for EachTypedAsync<T, F>
where
    T: DeserializeOwned,
    F: Fn(Job, T) -> R,
    R: Future<Output = Result<(), E>>,
    E: Into<Failure>,
{
    async fn handle(&self, jobs: &[Job]) -> Answer {
        let Some(job) = jobs.first() else {
            return Answer::Done;
        };
        match self.unparsed.parse(job) {
            Ok(value) => Answer::of((self.handler)(job.clone(), value).await),
            Err(failure) => Answer::Failed(failure),
        }
    }
}
