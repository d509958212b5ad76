//! A background thread with a handle, a stop and a join.

use {
    crate::sync::contain,
    std::{
        fmt, io,
        panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
        sync::Arc,
        thread::{self, JoinHandle},
    },
};

/// What runs on a thread of its own, by [`Runner::spawn`](crate::worker::Runner::spawn) and the scheduler's `spawn`.
/// Dropping it stops it without waiting for its end.
///
/// # Examples
/// ```
/// use requeue::{Queue, backend::Running, worker::{Job, Runner, RunnerHandle}};
///
/// let jobs = Queue::standard("jobs").build()?;
/// let running: Running<RunnerHandle> = Runner::builder(&jobs).each(|_: &Job| Ok::<(), String>(()))?.spawn()?;
/// running.handle().stop();
/// assert_eq!(running.join()?.received, 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "dropping it stops it"]
pub struct Running<H: Handle> {
    guard: Guard<H>,
    thread: JoinHandle<H::Output>,
}

/// What stops and observes something that runs; [`RunnerHandle`](crate::worker::RunnerHandle) is one.
///
/// It is for bounds; there is nothing to implement.
pub trait Handle: sealed::Sealed + Clone {
    /// What there is once it has ended.
    type Output;

    /// Stops it.
    #[doc(hidden)]
    fn stop(&self);
}

/// Keeps other crates from implementing handles.
pub(crate) mod sealed {
    #[expect(unnameable_types, reason = "nobody is to name it")]
    pub trait Sealed {}
}

/// Stops what runs when it is dropped.
struct Guard<H: Handle> {
    handle: H,
    armed: bool,
}

impl<H: Handle> Drop for Guard<H> {
    fn drop(&mut self) {
        if self.armed {
            Handle::stop(&self.handle);
        }
    }
}

impl<H: Handle> Running<H> {
    /// Runs `run`, which `handle` stops, on a thread of this name.
    pub(crate) fn spawn(name: &str, handle: H, run: impl FnOnce() -> H::Output + Send + 'static) -> io::Result<Self>
    where
        H::Output: Send + 'static,
    {
        let thread = thread::Builder::new().name(name.to_owned()).spawn(run)?;
        let guard = Guard { handle, armed: true };
        Ok(Self { guard, thread })
    }

    /// A handle that stops and observes it.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, worker::{Job, Runner}};
    ///
    /// let jobs = Queue::standard("jobs").build()?;
    /// let running = Runner::builder(&jobs).each(|_: &Job| Ok::<(), String>(()))?.spawn()?;
    /// assert_eq!(running.handle().report().failed, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn handle(&self) -> H {
        self.guard.handle.clone()
    }

    /// Waits until it has ended, and answers with what it ended with; it does not stop it.
    ///
    /// # Examples
    /// ```
    /// use requeue::{Queue, worker::{Job, Runner}};
    ///
    /// let jobs = Queue::standard("jobs").build()?;
    /// jobs.send("resize cat.png")?;
    /// let running = Runner::builder(&jobs).until_none_visible().each(|_: &Job| Ok::<(), String>(()))?.spawn()?;
    /// assert_eq!(running.join()?.succeeded, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn join(self) -> H::Output {
        let Self { mut guard, thread } = self;
        let ended = thread.join();
        guard.armed = false;
        match ended {
            Ok(output) => output,
            // The thread runs no code but this crate's and that of a queue, whose panic goes on here.
            Err(panic) => resume_unwind(panic),
        }
    }
}

type Wrap = dyn Fn(&mut dyn FnMut()) + Send + Sync;

/// Wraps the loop of a thread, as in an async runtime that a queue's client needs; by default in nothing.
#[derive(Clone, Default)]
pub(crate) struct ThreadWrapper(Option<Arc<Wrap>>);

impl ThreadWrapper {
    pub(crate) fn new(wrap: impl Fn(&mut dyn FnMut()) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(wrap)))
    }

    /// Runs `run` once within the wrapper; `None` if the wrapper did not call it, or panicked before.
    ///
    /// A panic of `run` itself goes on.
    pub(crate) fn run<T>(&self, run: impl FnOnce() -> T) -> Option<T> {
        let Some(wrap) = &self.0 else {
            return Some(run());
        };
        let (mut run, mut ended) = (Some(run), None);
        contain(|| {
            wrap(&mut || {
                if let Some(run) = run.take() {
                    ended = Some(catch_unwind(AssertUnwindSafe(run)));
                }
            });
        });
        ended.map(|ended| ended.unwrap_or_else(|panic| resume_unwind(panic)))
    }
}

impl<H: Handle + fmt::Debug> fmt::Debug for Running<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running")
            .field("handle", &self.guard.handle)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Sender, channel};

    #[derive(Clone)]
    struct Stops(Sender<&'static str>);

    impl sealed::Sealed for Stops {}

    impl Handle for Stops {
        type Output = u8;

        fn stop(&self) {
            self.0.send("stopped").unwrap();
        }
    }

    #[test]
    fn what_runs_is_stopped_by_a_drop_and_not_by_a_join() {
        let (told, stops) = channel();
        let stop = Stops(told);
        let name = || thread::current().name().map(str::to_owned);
        let running = Running::spawn("requeue-a", stop.clone(), move || {
            assert_eq!(name().as_deref(), Some("requeue-a"));
            7
        });
        assert_eq!(running.unwrap().join(), 7);
        assert!(stops.try_recv().is_err());
        drop(Running::spawn("requeue-b", stop, || 8).unwrap());
        assert_eq!(stops.recv(), Ok("stopped"));
        assert!(stops.recv().is_err(), "nobody holds the handle any more");
    }
}
