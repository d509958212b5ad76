//! Receives that wait in the queues, and the workers whose receives have been woken.

use {
    super::worker::Ask,
    crate::{
        backend::{MessageQueue, MessageQueueError, ReceiveRequest, ReceivedMessage},
        queue::{Message, Queue, ReceiveFuture},
        sync::Mutex,
        testing::FaultyQueue,
    },
    std::{
        collections::VecDeque,
        future::{Future, IntoFuture},
        pin::Pin,
        sync::Arc,
        task::{Context, Poll, Wake, Waker},
    },
};

/// Workers whose receives are to be looked at again, in the order in which they were woken.
#[derive(Clone, Debug, Default)]
pub(super) struct Ready {
    workers: Arc<Mutex<VecDeque<u32>>>,
}

struct WakeWorker {
    ready: Ready,
    worker: u32,
}

impl Wake for WakeWorker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ready.workers.lock().push_back(self.worker);
    }
}

impl Ready {
    pub(super) fn next(&self) -> Option<u32> {
        self.workers.lock().pop_front()
    }

    fn waker(&self, worker: u32) -> Waker {
        Waker::from(Arc::new(WakeWorker {
            ready: self.clone(),
            worker,
        }))
    }
}

/// A receive of the queue itself, or through faults.
pub(super) enum Receiving<'q> {
    Plain(ReceiveFuture<'q>),
    Faulty(Pin<Box<dyn Future<Output = Result<Vec<ReceivedMessage>, MessageQueueError>> + Send + 'q>>),
}

impl<'q> Receiving<'q> {
    pub(super) fn plain(queue: &'q Queue, request: &ReceiveRequest) -> Self {
        Self::Plain(crate::backend::receive_from(queue, request).into_future())
    }

    pub(super) fn faulty(wire: &FaultyQueue, request: ReceiveRequest) -> Self {
        let wire = wire.clone();
        Self::Faulty(Box::pin(async move { MessageQueue::receive(&wire, request).await }))
    }

    /// The messages, or none if the call failed.
    fn poll(&mut self, waker: &Waker) -> Poll<Option<Vec<Message>>> {
        let mut context = Context::from_waker(waker);
        match self {
            Self::Plain(future) => Pin::new(future).poll(&mut context).map(Result::ok),
            Self::Faulty(future) => future.as_mut().poll(&mut context).map(|answer| {
                let messages = answer.ok()?;
                Some(messages.iter().filter_map(|it| it.embedded().cloned()).collect())
            }),
        }
    }
}

/// The receive of each worker that waits, if one does.
#[derive(Default)]
pub(super) struct Polls<'q> {
    workers: Vec<Place<'q>>,
}

struct Place<'q> {
    waker: Waker,
    waiting: Option<(Ask, Receiving<'q>)>,
}

impl<'q> Polls<'q> {
    pub(super) fn add_worker(&mut self, ready: &Ready, worker: u32) {
        let waker = ready.waker(worker);
        self.workers.push(Place { waker, waiting: None });
    }

    /// Begins a receive; what it answers if it need not wait.
    #[inline]
    pub(super) fn begin(
        &mut self,
        worker: u32,
        ask: Ask,
        mut receiving: Receiving<'q>,
    ) -> Option<Option<Vec<Message>>> {
        let place = &mut self.workers[worker as usize];
        match receiving.poll(&place.waker) {
            Poll::Ready(messages) => Some(messages),
            Poll::Pending => {
                place.waiting = Some((ask, receiving));
                None
            }
        }
    }

    /// Looks at a receive that was woken; what it answers if it waits no longer.
    pub(super) fn look(&mut self, worker: u32) -> Option<(Ask, Option<Vec<Message>>)> {
        let place = &mut self.workers[worker as usize];
        let (ask, receiving) = place.waiting.as_mut()?;
        let Poll::Ready(messages) = receiving.poll(&place.waker) else {
            return None;
        };
        let ask = *ask;
        place.waiting = None;
        Some((ask, messages))
    }

    /// Drops the receive of a worker that stops.
    pub(super) fn cancel(&mut self, worker: u32) -> Option<Ask> {
        self.workers[worker as usize].waiting.take().map(|it| it.0)
    }
}
