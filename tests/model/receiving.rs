//! Receives; long polls that go on waiting are futures that are polled when they are woken, as an executor does.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use requeue::{Clock, Message, MessageId, Queue, Receive, ReceiveError, Timestamp};

use crate::compare::{Fault, Pair, Same, both, faulty};
use crate::reference::*;
use crate::translate::span;
use crate::ways::RECEIVE;

const LONGEST_WAIT: u64 = 20 * SECOND;

/// A receive with what a request asks for.
pub(crate) fn asked<'queue>(mut receive: Receive<'queue>, request: &Request) -> Receive<'queue> {
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
    if let Some(most) = request.max_messages_per_group {
        receive = receive.max_messages_per_group(most);
    }
    if request.without_attribute {
        receive = receive.message_attribute_names(["Other"]);
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
        let (of, wanted) = (queues[queue].clone(), request.clone());
        Self {
            queue,
            request: request.clone(),
            until: now.saturating_add(span(request.wait_time.unwrap_or(0))),
            woken: Arc::new(Woken(AtomicBool::new(true))),
            future: Box::pin(async move { asked(of.receive(), &wanted).await }),
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
            let mut polled = self.waiters[place].poll();
            if polled.is_pending() && self.write_everything()? {
                polled = self.waiters[place].poll();
            }
            let waiter = &self.waiters[place];
            let queue = waiter.queue;
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

    /// With a journal, lets what was received be recorded: until then a receiver that has found messages waits.
    fn write_everything(&self) -> Same<bool> {
        #[cfg(feature = "journal")]
        if self.directory.is_some() {
            return self.record_a_tag().map(|()| true);
        }
        Ok(false)
    }

    pub(crate) fn receive(&mut self, queue: usize, request: &Request) -> Same {
        let is_short = request.wait_time.is_none_or(|wait| wait == 0);
        let answer = if is_short {
            faulty!(asked(self.queues[queue].receive(), request).blocking())
        } else {
            let mut waiter = Waiter::new(&self.queues, queue, request, self.clock.now());
            let mut polled = waiter.poll();
            if polled.is_pending() && self.write_everything()? {
                polled = waiter.poll();
            }
            match polled {
                Poll::Ready(answer) => answer,
                Poll::Pending => {
                    if self.setting.waits {
                        self.waiters.push(waiter);
                    }
                    Ok(Vec::new())
                }
            }
        };
        self.count_receive(queue, request, &answer);
        self.compare_received(queue, request, answer)
    }

    /// What the reference receives of the same request.
    fn receive_by_model(
        &mut self,
        queue: usize,
        request: &Request,
        answer: &Result<Vec<Message>, Fault>,
    ) -> Same<Result<Vec<Received>, Refusal>> {
        let is_sampled = self.setting.shards > 1 && request.wait_time.is_none_or(|wait| wait == 0);
        // Steps between which much falls due order the groups by when each was seen to be available.
        let is_behind = self.shape.behind && (self.shape.fifo() || !self.looked);
        let Some(messages) = answer.as_ref().ok().filter(|_| is_sampled || is_behind) else {
            return Ok(self.world.receive(queue, request));
        };
        if messages.is_empty() && !is_sampled {
            return Ok(self.world.receive(queue, request));
        }
        let number = |message: &Message| {
            let id = Some(message.message_id());
            self.message_ids.iter().position(|known| *known == id)
        };
        let these: Vec<usize> = messages.iter().filter_map(number).collect();
        Ok(self.world.receive_these(queue, request, Some(&these)))
    }

    /// The answer of the library, and that of the reference at the same instant.
    pub(crate) fn compare_received(
        &mut self,
        queue: usize,
        request: &Request,
        answer: Result<Vec<Message>, Fault>,
    ) -> Same {
        let attempts = self.world.attempts(queue, request);
        let before = self.world.snapshot(queue).len();
        let model = self.receive_by_model(queue, request, &answer)?;
        let reach = |way| self.ways.reach(RECEIVE, way);
        match (&model, &request.receive_request_attempt_id) {
            (Ok(_), Some(_)) if attempts => reach("again with an attempt id"),
            (Ok(messages), Some(_)) if !messages.is_empty() => reach("with an attempt id"),
            (Err(_), Some(_)) if attempts => reach("again, but not retryable"),
            _ => {}
        }
        if self.world.snapshot(queue).len() < before {
            reach("that finds a dead letter");
        }
        let Some((real, model)) = both(answer, model)? else {
            return Ok(());
        };
        let ids: Vec<MessageId> = real.iter().map(Message::message_id).collect();
        self.same_messages(
            "received",
            &ids,
            &model.iter().map(|message| message.id).collect::<Vec<_>>(),
        )?;
        for (real, model) in real.iter().zip(&model) {
            self.received(queue, real, model)
                .map_err(|difference| format!("{difference} in {model:?}"))?;
        }
        Ok(())
    }
}
