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

/// Workers that have something to do, in the order in which they were told, each once.
#[derive(Clone, Debug, Default)]
pub(super) struct Ready {
    line: Arc<Mutex<Line>>,
}

#[derive(Debug, Default)]
struct Line {
    workers: VecDeque<u32>,
    places: Vec<LinePlace>,
}

/// Of a worker.
#[derive(Clone, Copy, Debug, Default)]
struct LinePlace {
    in_line: bool,
    /// Whether its receive was woken.
    woken: bool,
}

impl Line {
    #[inline]
    fn add(&mut self, worker: u32, woken: bool) {
        let index = worker as usize;
        if index >= self.places.len() {
            self.places.resize(index + 1, LinePlace::default());
        }
        let place = &mut self.places[index];
        place.woken |= woken;
        if !place.in_line {
            place.in_line = true;
            self.workers.push_back(worker);
        }
    }
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
        self.ready.line.lock().add(self.worker, true);
    }
}

impl Ready {
    /// Has a worker look for what it can do once all that happens at this instant has happened.
    #[inline]
    pub(super) fn add(&self, worker: u32) {
        self.line.lock().add(worker, false);
    }

    /// Whether the receive of a worker in line was woken; none if it is not in line.
    #[inline]
    pub(super) fn state(&self, worker: u32) -> Option<bool> {
        let line = self.line.lock();
        let place = line.places.get(worker as usize).filter(|it| it.in_line)?;
        Some(place.woken)
    }

    pub(super) fn forget_wake(&self, worker: u32) {
        if let Some(place) = self.line.lock().places.get_mut(worker as usize) {
            place.woken = false;
        }
    }

    /// The next worker, and whether its receive was woken.
    #[inline]
    pub(super) fn next(&self) -> Option<(u32, bool)> {
        let mut line = self.line.lock();
        let worker = line.workers.pop_front()?;
        let place = std::mem::take(&mut line.places[worker as usize]);
        Some((worker, place.woken))
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
