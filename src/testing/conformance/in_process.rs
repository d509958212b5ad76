//! Queues of a service in process, or whatever is built on them, in virtual time.

use {
    super::fixture::{Created, Fixture, Wanted},
    crate::{
        attributes::{QueueAttributes, RedrivePolicy},
        backend::MessageQueue,
        clock::ManualClock,
        queue::Queue,
        service::Service,
    },
    std::{
        fmt,
        future::Future,
        pin::pin,
        sync::{
            Arc,
            atomic::{AtomicBool, AtomicUsize, Ordering},
        },
        task::{Context, Poll, Wake, Waker},
        time::Duration,
    },
};

type Front<Q> = Box<dyn Fn(&Service, &ManualClock, &Queue) -> Q>;

/// A [`Fixture`] whose queues lie in a [`Service`] in process, for implementations that are built on those.
///
/// Time passes by a [`ManualClock`], and by itself when everything waits for it. What waits for something that no time
/// will bring panics.
///
/// # Examples
/// A queue of one's own would be made in the closure, from the service, its clock or the embedded queue, as in the example
/// of [`MessageQueue`]:
/// ```
/// use requeue::{Queue, testing::conformance::{InProcess, check}};
///
/// check(&InProcess::new(|_service, _clock, queue: &Queue| queue.clone()));
/// ```
pub struct InProcess<Q> {
    clock: ManualClock,
    service: Service,
    front: Front<Q>,
    created: AtomicUsize,
}

impl InProcess<Queue> {
    /// The embedded queues themselves.
    ///
    /// # Examples
    /// ```
    /// use requeue::testing::conformance::{InProcess, check};
    ///
    /// check(&InProcess::embedded());
    /// ```
    #[must_use]
    pub fn embedded() -> Self {
        Self::new(|_, _, queue| queue.clone())
    }
}

impl<Q: MessageQueue> InProcess<Q> {
    /// What `front` makes of each queue, given the service that it lies in and the clock of both.
    ///
    /// # Examples
    /// ```
    /// use requeue::testing::conformance::{InProcess, requirements};
    ///
    /// let fixture = InProcess::new(|service, _, queue| service.queue(queue.url()).unwrap());
    /// requirements()[0].check(&fixture);
    /// ```
    pub fn new(front: impl Fn(&Service, &ManualClock, &Queue) -> Q + 'static) -> Self {
        let clock = ManualClock::default();
        let service = Service::builder().clock(clock.clone()).seed(1).build();
        Self {
            clock,
            service,
            front: Box::new(front),
            created: AtomicUsize::new(0),
        }
    }

    fn create_queue(&self, name: &str, fifo: bool, attributes: QueueAttributes) -> Queue {
        let number = self.created.fetch_add(1, Ordering::Relaxed);
        let (suffix, attributes) = if fifo {
            (".fifo", attributes.fifo_queue(true))
        } else {
            ("", attributes)
        };
        let created = self
            .service
            .create_queue(&format!("{name}-{number}{suffix}"), attributes);
        created.expect("invariant: names are counted, and requirements ask for timeouts within SQS's limits")
    }
}

impl<Q: MessageQueue> Fixture for InProcess<Q> {
    type Queue = Q;

    async fn create(&self, wanted: Wanted) -> Created<Q> {
        let mut attributes = QueueAttributes::new().visibility_timeout(wanted.visibility_timeout);
        let mut dead_letters = None;
        if wanted.dead_letter_queue {
            let queue = self.create_queue("failed", wanted.fifo, QueueAttributes::new());
            attributes = attributes.redrive_policy(RedrivePolicy::new(queue.arn(), 1_000));
            dead_letters = Some(queue);
        }
        let queue = self.create_queue("jobs", wanted.fifo, attributes);
        let front = |queue: &Queue| (self.front)(&self.service, &self.clock, queue);
        Created::new(front(&queue), dead_letters.as_ref().map(front))
    }

    async fn delete_queue(&self, queue: &Q) {
        let deleted = self.service.delete_queue(queue.url());
        deleted.expect("the URL of a queue in front of one of this service is that queue's");
    }

    async fn pass(&self, span: Duration) {
        self.clock.advance(span);
    }

    fn run<T>(&self, check: impl Future<Output = T>) -> T {
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(Arc::clone(&woken));
        let mut check = pin!(check);
        loop {
            woken.0.store(false, Ordering::Release);
            if let Poll::Ready(output) = check.as_mut().poll(&mut Context::from_waker(&waker)) {
                return output;
            }
            if woken.0.load(Ordering::Acquire) {
                continue;
            }
            let next = self.clock.next_deadline();
            self.clock
                .advance_to(next.expect("what waits is woken by a message or by time"));
        }
    }

    fn messages_in(&self, queue: &Q) -> Option<usize> {
        let counts = self.service.queue(queue.url()).ok()?.counts();
        let visible_or_not = counts.visible + counts.in_flight;
        Some(visible_or_not + counts.delayed)
    }
}

#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }
}

impl<Q> fmt::Debug for InProcess<Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InProcess")
            .field("clock", &self.clock)
            .field("service", &self.service)
            .finish_non_exhaustive()
    }
}
