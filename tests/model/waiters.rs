//! Long polls that go on waiting: futures that are polled when they are woken, as an executor does.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use requeue::{Clock, Message, Queue, Receive, ReceiveError, Timestamp};

use crate::compare::{Fault, Pair, Same, faulty};
use crate::reference::*;
use crate::translate::span;
use crate::ways::RECEIVE;

const LONGEST_WAIT: u64 = 20 * SECOND;

/// The receive that a request asks for.
pub(crate) fn receive<'queue>(queue: &'queue Queue, request: &Request) -> Receive<'queue> {
    let mut receive = queue.receive();
    if let Some(maximum) = request.max_messages {
        receive = receive.max_messages(maximum);
    }
    if let Some(visibility) = request.visibility_timeout {
        receive = receive.visibility_timeout(span(visibility));
    }
    if let Some(wait) = request.wait_time {
        receive = receive.wait_time(span(wait));
    }
    if let Some(attempt) = &request.receive_request_attempt_id {
        receive = receive.receive_request_attempt_id(attempt.as_str());
    }
    receive
}

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

pub(crate) struct Waiter {
    pub(crate) queue: usize,
    request: Request,
    until: Timestamp,
    woken: Arc<Woken>,
    future: Pin<Box<dyn Future<Output = Result<Vec<Message>, ReceiveError>>>>,
}

impl Waiter {
    pub(crate) fn new(queues: &[Queue], queue: usize, request: &Request, now: Timestamp) -> Self {
        let (of, asked) = (queues[queue].clone(), request.clone());
        Self {
            queue,
            request: request.clone(),
            until: now.saturating_add(span(request.wait_time.unwrap_or(0))),
            woken: Arc::new(Woken(AtomicBool::new(true))),
            future: Box::pin(async move { receive(&of, &asked).await }),
        }
    }

    fn is_woken(&self) -> bool {
        self.woken.0.load(Ordering::Relaxed)
    }

    pub(crate) fn poll(&mut self) -> Poll<Result<Vec<Message>, Fault>> {
        self.woken.0.store(false, Ordering::Relaxed);
        let waker = Waker::from(Arc::clone(&self.woken));
        let polled = self.future.as_mut().poll(&mut Context::from_waker(&waker));
        polled.map(|answer| faulty!(answer))
    }
}

impl Pair {
    /// Polls whoever was woken until all sleep; then nobody sleeps beside a message (D11).
    pub(crate) fn serve(&mut self) -> Same {
        while let Some(place) = self.waiters.iter().position(Waiter::is_woken) {
            let waiter = &mut self.waiters[place];
            let (polled, queue) = (waiter.poll(), waiter.queue);
            let left = waiter.until.saturating_duration_since(self.clock.now()).as_millis() as u64;
            let mut request = Request {
                wait_time: Some(left.min(LONGEST_WAIT)),
                ..waiter.request.clone()
            };
            let answer = match polled {
                Poll::Pending if left == 0 => return Err("a receiver waits longer than it asked for".into()),
                Poll::Pending => Ok(Vec::new()),
                Poll::Ready(answer) => {
                    self.waiters.remove(place);
                    match &answer {
                        Ok(messages) if messages.is_empty() && left > 0 => {
                            return Err(format!("a receiver gives up {left} ms early"));
                        }
                        Ok(messages) if messages.is_empty() => self.ways.reach(RECEIVE, "of nothing after a wait"),
                        Ok(_) => self.ways.reach(RECEIVE, "by a receiver that had waited"),
                        Err(_) => {}
                    }
                    if self.world.counts(queue).not_visible >= self.world.limits().in_flight {
                        request.wait_time = Some(1); // D15: a long poll is not refused, also at its last look
                    }
                    answer
                }
            };
            self.compare_received(queue, &request, answer)
                .map_err(|difference| format!("{difference} of a receiver that waits with {request:?}"))?;
        }
        for waiter in &self.waiters {
            let request = Request {
                wait_time: Some(1),
                receive_request_attempt_id: None,
                ..waiter.request.clone()
            };
            let sleeps_beside = self.world.clone().receive(waiter.queue, &request);
            if sleeps_beside.is_ok_and(|messages| !messages.is_empty()) {
                return Err(format!("a receiver of queue {} sleeps beside a message", waiter.queue));
            }
        }
        Ok(())
    }
}
