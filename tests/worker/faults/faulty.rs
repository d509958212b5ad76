//! A queue with faults before it, as a runner sees it.

use {
    super::case::{Case, Dice},
    crate::{
        common::forward::forward,
        common::{millis, secs},
        driver::{after, give_way},
    },
    requeue::{
        Clock, ManualClock, Message, MessagePhase, MessageSnapshot, Queue, QueueSnapshot,
        backend::{EntryFailure, MessageQueue, MessageQueueError, ReceiveRequest, ReceivedMessage},
        testing::{CallError, Fault, FaultyQueue},
    },
    std::{
        collections::BTreeMap,
        error::Error,
        sync::{Arc, Mutex, MutexGuard},
        time::Duration,
    },
};

/// Calls take their time and meet faults; those for several messages meet them for each.
#[derive(Clone)]
pub(crate) struct Faulty {
    pub(crate) queue: Queue,
    clock: ManualClock,
    inner: Arc<Mutex<(FaultyQueue, Dice)>>,
    /// A change of visibility is there at once. Where it takes its time, a lease may end meanwhile, and on a standard
    /// queue it then works on the reception of somebody else (D19), which no consumer can prevent.
    prompt: bool,
    restores: bool,
    excuses: Excuses,
}

/// How often a message was received although no handler begins it, for a reason that no runner can help.
#[derive(Clone, Default)]
pub(crate) struct Excuses(Arc<Mutex<BTreeMap<String, u32>>>);

impl Excuses {
    pub(crate) fn add(&self, body: &str) {
        *self.0.lock().unwrap().entry(body.to_owned()).or_default() += 1;
    }

    pub(crate) fn of(&self, body: &str) -> u32 {
        self.0.lock().unwrap().get(body).copied().unwrap_or(0)
    }
}

/// Messages on their way to a runner, which dropped its receive if they do not arrive.
struct Underway<'m> {
    messages: &'m [Message],
    excuses: Option<&'m Excuses>,
}

impl Drop for Underway<'_> {
    fn drop(&mut self) {
        if let Some(excuses) = self.excuses {
            self.messages.iter().for_each(|it| excuses.add(it.body()));
        }
    }
}

impl Faulty {
    pub(crate) fn new(queue: &Queue, clock: &ManualClock, case: &Case, excuses: &Excuses) -> Self {
        let faulty = FaultyQueue::new(queue, clock, case.net.faults(), case.seed).unwrap();
        Self {
            queue: queue.clone(),
            clock: clock.clone(),
            prompt: !case.fifo && !case.net.duplicates(case.fifo),
            restores: case.restores,
            excuses: excuses.clone(),
            inner: Arc::new(Mutex::new((faulty, Dice::new(case.seed ^ 0x9a11)))),
        }
    }

    fn inner(&self) -> MutexGuard<'_, (FaultyQueue, Dice)> {
        self.inner.lock().unwrap()
    }

    pub(crate) fn struck(&self) -> Vec<Fault> {
        self.inner().0.struck().iter().map(|(_, fault)| *fault).collect()
    }

    /// A call through the faults. Whose lease ends by a jump of the clock in it, its runner cannot know before another
    /// has the message, or the dead-letter queue.
    fn call<T>(&self, call: impl FnOnce(&FaultyQueue) -> T) -> T {
        let (before, then) = (self.queue.snapshot(), self.clock.now());
        let result = call(&self.inner().0);
        if self.clock.now() > then {
            let in_flight = |it: &&MessageSnapshot| matches!(it.phase, MessagePhase::InFlight { .. });
            let in_flight = before.messages.iter().filter(in_flight);
            in_flight.for_each(|it| self.excuses.add(it.content.body()));
        }
        result
    }

    /// Nobody has what a receive took whose answer was lost.
    fn excuse_all_received_since(&self, before: &QueueSnapshot) {
        for message in self.queue.snapshot().messages {
            let is_it = |it: &&MessageSnapshot| it.message_id == message.message_id;
            let known = before.messages.iter().find(is_it);
            if known.is_none_or(|it| it.approximate_receive_count < message.approximate_receive_count) {
                self.excuses.add(message.content.body());
            }
        }
    }

    /// The way of a call or of its answer.
    async fn travel(&self) {
        let dice = self.inner().1.below(8);
        match dice {
            0 => after(&self.clock, millis(40)).await,
            1 => after(&self.clock, secs(2)).await,
            2 | 3 => give_way().await,
            _ => {}
        }
    }
}

/// Makes a call for each message.
fn each<E: Error + Into<MessageQueueError>>(
    messages: &[ReceivedMessage],
    mut call: impl FnMut(&Message) -> Result<(), CallError<E>>,
) -> Vec<EntryFailure> {
    assert!(messages.len() <= 10, "more than a call takes");
    let results = messages.iter().map(|message| call(message.embedded().unwrap()));
    let results: Vec<_> = results.collect();
    let failures = results.into_iter().enumerate();
    failures
        .filter_map(|(index, result)| Some(EntryFailure::new(index, result.err()?.into())))
        .collect()
}

impl MessageQueue for Faulty {
    forward!(self.queue: url is_fifo visibility_timeout clock send counts report_failure);

    fn receive_at_once(&self, request: &ReceiveRequest, messages: &mut Vec<ReceivedMessage>) {
        if self.inner().1.once_in(2) {
            let mut request = *request;
            request.max_messages_per_group = request.max_messages_per_group.filter(|_| self.restores);
            self.queue.receive_at_once(&request, messages);
        }
    }

    fn delete_at_once(&self, message: &ReceivedMessage) -> bool {
        self.inner().1.once_in(2) && self.queue.delete_at_once(message)
    }

    async fn receive(&self, request: ReceiveRequest) -> Result<Vec<ReceivedMessage>, MessageQueueError> {
        let end = self.clock.now().saturating_add(request.wait_time);
        assert!((1..=10).contains(&request.max_messages));
        self.travel().await;
        loop {
            let per_group = request.max_messages_per_group.filter(|_| self.restores);
            let before = self.queue.snapshot();
            let received = self.call(|faulty| {
                faulty.receive_with(|poll| {
                    let poll = poll.max_messages(request.max_messages).wait_time(Duration::ZERO);
                    poll.max_messages_per_group(per_group.unwrap_or(usize::MAX))
                })
            });
            if matches!(received, Err(CallError::ResponseLost)) {
                self.excuse_all_received_since(&before);
            }
            let messages = received.map_err(MessageQueueError::from)?;
            if !messages.is_empty() || self.clock.now() >= end {
                let mut underway = Underway {
                    messages: &messages,
                    excuses: Some(&self.excuses),
                };
                self.travel().await;
                underway.excuses = None;
                drop(underway);
                return Ok(messages.into_iter().map(ReceivedMessage::from).collect());
            }
            let left = end.saturating_duration_since(self.clock.now());
            after(&self.clock, left.min(millis(700))).await;
        }
    }

    async fn delete(&self, messages: &[ReceivedMessage]) -> Result<Vec<EntryFailure>, MessageQueueError> {
        self.travel().await;
        let failures = each(messages, |message| self.call(|faulty| faulty.delete(message)));
        self.travel().await;
        Ok(failures)
    }

    async fn change_visibility(
        &self,
        messages: &[ReceivedMessage],
        timeout: Duration,
    ) -> Result<Vec<EntryFailure>, MessageQueueError> {
        if !self.prompt {
            self.travel().await;
        }
        let failures = each(messages, |message| {
            self.call(|faulty| faulty.change_visibility(message, timeout))
        });
        self.travel().await;
        Ok(failures)
    }

    fn restores_receive_count(&self) -> bool {
        self.restores
    }

    async fn release(&self, messages: &[ReceivedMessage]) -> Result<Vec<EntryFailure>, MessageQueueError> {
        self.postpone(messages, Duration::ZERO).await
    }

    async fn postpone(
        &self,
        messages: &[ReceivedMessage],
        delay: Duration,
    ) -> Result<Vec<EntryFailure>, MessageQueueError> {
        if !self.restores {
            return self.change_visibility(messages, delay).await;
        }
        if !self.prompt {
            self.travel().await;
        }
        let failures = each(messages, |message| self.call(|faulty| faulty.postpone(message, delay)));
        for failure in &failures {
            self.excuses.add(messages[failure.index].body());
        }
        self.travel().await;
        Ok(failures)
    }

    async fn dead_letter(&self, message: &ReceivedMessage, reason: &str) -> Result<(), MessageQueueError> {
        self.travel().await;
        let result = MessageQueue::dead_letter(&self.queue, message, reason).await;
        self.travel().await;
        result
    }
}
