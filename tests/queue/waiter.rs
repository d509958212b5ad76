//! A receive or a send under way, as a blocked thread or as a future, with one face for both.
#![allow(dead_code, reason = "every test file uses a part of it")]

use {
    requeue::{ManualClock, Message, Queue, Receive, ReceiveError, SendError, SendMessage, Sent},
    std::{
        fmt::Debug,
        future::{Future, IntoFuture},
        pin::Pin,
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
            mpsc,
        },
        task::{Context, Poll, Wake, Waker},
        thread,
        time::Duration,
    },
};

/// How a call waits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Face {
    Thread,
    Future,
}

pub(crate) const FACES: [Face; 2] = [Face::Thread, Face::Future];

/// Runs a test for a blocked thread and for a future, each under a clock of its own.
pub(crate) fn with_each_face(test: impl Fn(Face, &ManualClock)) {
    for face in FACES {
        test(face, &ManualClock::default());
    }
}

/// In real time; reached only by a test that fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a receive returns, as bodies.
pub(crate) type Received = Result<Vec<String>, ReceiveError>;

/// A waker that counts its calls.
#[derive(Debug, Default)]
pub(crate) struct Wakes(AtomicUsize);

impl Wakes {
    pub(crate) fn waker(self: &Arc<Self>) -> Waker {
        Arc::clone(self).into()
    }

    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn take(&self) -> usize {
        self.0.swap(0, Ordering::Relaxed)
    }
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A future with a waker of its own; it is polled only by [`poll`](Self::poll).
pub(crate) struct Polled<T> {
    future: Pin<Box<dyn Future<Output = T> + Send>>,
    pub(crate) wakes: Arc<Wakes>,
}

impl<T> Polled<T> {
    pub(crate) fn new(future: impl Future<Output = T> + Send + 'static) -> Self {
        Self {
            future: Box::pin(future),
            wakes: Arc::default(),
        }
    }

    pub(crate) fn poll(&mut self) -> Poll<T> {
        let waker = self.wakes.waker();
        self.future.as_mut().poll(&mut Context::from_waker(&waker))
    }
}

/// A long poll that owns its queue.
pub(crate) fn long_poll<F>(queue: &Queue, receive: F) -> Polled<Received>
where
    F: FnOnce(&Queue) -> Receive<'_> + Send + 'static,
{
    let queue = queue.clone();
    Polled::new(async move { bodies(receive(&queue).into_future().await) })
}

fn bodies(received: Result<Vec<Message>, ReceiveError>) -> Received {
    received.map(|messages| messages.iter().map(|message| message.body().to_owned()).collect())
}

/// A long poll under way.
pub(crate) type Receiver = Waiter<Result<Vec<Message>, ReceiveError>>;

enum Way<T> {
    Thread(mpsc::Receiver<T>),
    Future(Polled<T>),
}

/// A call that waits on a [`ManualClock`].
pub(crate) struct Waiter<T> {
    clock: ManualClock,
    way: Way<T>,
    /// Where receivers stand in line, which is to be seen; where senders do is not.
    line: Option<Queue>,
}

impl Receiver {
    /// Begins a receive, and returns once it waits as the `nth` sleeper on the clock.
    pub(crate) fn receiving<F>(face: Face, clock: &ManualClock, nth: usize, queue: &Queue, receive: F) -> Self
    where
        F: FnOnce(&Queue) -> Receive<'_> + Send + 'static,
    {
        let owned = queue.clone();
        let way = match face {
            Face::Thread => Way::on_thread(move || receive(&owned).blocking()),
            Face::Future => Way::as_future(Polled::new(async move { receive(&owned).into_future().await })),
        };
        clock.wait_for_sleepers(nth);
        Self {
            clock: clock.clone(),
            way,
            line: Some(queue.clone()),
        }
    }

    /// What it received, once it is over.
    #[track_caller]
    pub(crate) fn over(self) -> Received {
        bodies(self.result())
    }
}

impl Waiter<Result<Sent, SendError>> {
    /// Begins a send that has to wait for room, and returns once it waits as the `nth` sleeper on the clock.
    pub(crate) fn sending(
        face: Face,
        clock: &ManualClock,
        nth: usize,
        queue: &Queue,
        message: impl Into<SendMessage>,
        wait: Duration,
    ) -> Self {
        let (owned, message) = (queue.clone(), message.into());
        let way = match face {
            Face::Thread => Way::on_thread(move || owned.send_timeout(message, wait)),
            Face::Future => {
                let send = async move { owned.send_timeout_async(message, wait).await };
                Way::as_future(Polled::new(send))
            }
        };
        clock.wait_for_sleepers(nth);
        Self {
            clock: clock.clone(),
            way,
            line: None,
        }
    }
}

impl<T: Send + 'static> Way<T> {
    fn on_thread(call: impl FnOnce() -> T + Send + 'static) -> Self {
        let (out, result) = mpsc::channel();
        thread::spawn(move || out.send(call()));
        Self::Thread(result)
    }

    fn as_future(mut future: Polled<T>) -> Self {
        assert!(future.poll().is_pending(), "it was to wait");
        Self::Future(future)
    }
}

impl<T: Debug> Waiter<T> {
    /// The result of a call that is over; a future must have been woken for it.
    #[track_caller]
    pub(crate) fn result(mut self) -> T {
        match &mut self.way {
            Way::Thread(result) => result.recv_timeout(PATIENCE).expect("a call that is over"),
            Way::Future(future) => {
                assert!(future.wakes.take() > 0, "nobody woke the future");
                match future.poll() {
                    Poll::Ready(result) => result,
                    Poll::Pending => panic!("the call waits"),
                }
            }
        }
    }

    /// Asserts that the call waits, having let it look if it was woken.
    #[track_caller]
    pub(crate) fn waits(&mut self) {
        // Until every thread that was woken is parked again or has left its call.
        self.clock.advance(Duration::ZERO);
        match &mut self.way {
            Way::Thread(result) => assert_eq!(result.try_recv().ok().map(|result| format!("{result:?}")), None),
            Way::Future(future) => {
                if future.wakes.take() > 0 {
                    assert!(future.poll().is_pending(), "the call is over");
                }
            }
        }
        assert!(
            self.line.as_ref().is_none_or(|queue| queue.waiting() > 0),
            "nobody waits"
        );
    }
}

/// Runs what could block for good if the queue were wrong, and fails instead.
pub(crate) fn within_patience<T: Send + 'static>(call: impl FnOnce() -> T + Send + 'static) -> T {
    let (out, result) = mpsc::channel();
    let thread = thread::spawn(move || {
        let _ = out.send(call());
    });
    match result.recv_timeout(PATIENCE) {
        Ok(result) => result,
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("still not over"),
        Err(mpsc::RecvTimeoutError::Disconnected) => match thread.join() {
            Err(panic) => std::panic::resume_unwind(panic),
            Ok(()) => unreachable!("a thread that ends well answers"),
        },
    }
}
