//! A queue whose calls are answered by a script, and written down.
#![allow(dead_code, reason = "every test file uses a part of it")]

use {
    super::{
        driver::after,
        notes::{Notes, error},
    },
    crate::common::forward::forward,
    requeue::{
        ManualClock, Queue,
        backend::{
            EntryFailure, ErrorKind, MessageCounts, MessageQueue, MessageQueueError, ReceiveRequest, ReceivedMessage,
        },
    },
    std::{
        collections::VecDeque,
        future::pending,
        sync::{Arc, Mutex},
        time::Duration,
    },
};

/// What becomes of a call.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Reply {
    /// It does what it is to do.
    Pass,
    /// It does nothing and fails.
    Fail(ErrorKind),
    /// It does nothing and fails so much later.
    SlowFail(Duration, ErrorKind),
    /// It does what it is to do, and its answer is lost.
    Lost,
    /// It does what it is to do so much later.
    Slow(Duration),
    /// It does what it is to do and answers so much later.
    Late(Duration),
    /// It does nothing for the entry of this index, for this reason.
    Entry(usize, ErrorKind),
    /// It is never answered.
    Never,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Verb {
    Receive,
    Delete,
    Visibility,
    DeadLetter,
}

#[derive(Clone)]
pub(crate) struct Scripted {
    queue: Queue,
    clock: ManualClock,
    replies: Arc<Mutex<[VecDeque<Reply>; 4]>>,
    /// What is given back does not count, as on an embedded queue; otherwise it is as on Amazon SQS.
    restores: bool,
    counts: Arc<Mutex<VecDeque<Result<MessageCounts, ErrorKind>>>>,
    pub(crate) calls: Notes,
}

impl Scripted {
    pub(crate) fn new(queue: &Queue, clock: &ManualClock) -> Self {
        Self {
            queue: queue.clone(),
            clock: clock.clone(),
            replies: Arc::default(),
            restores: false,
            counts: Arc::default(),
            calls: Notes::timed(clock),
        }
    }

    /// One on which what is given back does not count.
    pub(crate) fn restoring(queue: &Queue, clock: &ManualClock) -> Self {
        Self {
            restores: true,
            ..Self::new(queue, clock)
        }
    }

    /// The next calls of this verb are answered so; those after them pass.
    pub(crate) fn script(&self, verb: Verb, replies: impl IntoIterator<Item = Reply>) {
        self.replies.lock().unwrap()[verb as usize].extend(replies);
    }

    /// The next counts are answered so; those after them as it is.
    pub(crate) fn script_counts(&self, counts: impl IntoIterator<Item = Result<MessageCounts, ErrorKind>>) {
        self.counts.lock().unwrap().extend(counts);
    }

    /// What a script says of this call; after `before`, the call is to be made.
    async fn before(&self, verb: Verb) -> Result<Reply, MessageQueueError> {
        let reply = self.replies.lock().unwrap()[verb as usize].pop_front();
        let reply = reply.unwrap_or(Reply::Pass);
        match reply {
            Reply::Fail(kind) => return Err(error(kind)),
            Reply::SlowFail(span, kind) => {
                after(&self.clock, span).await;
                return Err(error(kind));
            }
            Reply::Slow(span) => after(&self.clock, span).await,
            Reply::Never => pending().await,
            _ => {}
        }
        Ok(reply)
    }

    async fn answer<T>(&self, reply: Reply, result: Result<T, MessageQueueError>) -> Result<T, MessageQueueError> {
        match reply {
            Reply::Lost => Err(error(ErrorKind::Transient)),
            Reply::Late(span) => {
                after(&self.clock, span).await;
                result
            }
            _ => result,
        }
    }
}

fn bodies(messages: &[ReceivedMessage]) -> String {
    let bodies: Vec<_> = messages.iter().map(ReceivedMessage::body).collect();
    bodies.join(" ")
}

/// Without the one that a script spares, and how to count the others as before.
fn spare(reply: Reply, messages: &[ReceivedMessage]) -> (Vec<ReceivedMessage>, Vec<EntryFailure>) {
    match reply {
        Reply::Entry(index, kind) if index < messages.len() => {
            let mut others = messages.to_vec();
            others.remove(index);
            (others, vec![EntryFailure::new(index, error(kind))])
        }
        _ => (messages.to_vec(), Vec::new()),
    }
}

fn merge(spared: Vec<EntryFailure>, others: Vec<EntryFailure>) -> Vec<EntryFailure> {
    let first = spared.first().map(|it| it.index);
    let moved = others.into_iter().map(|mut failure| {
        failure.index += usize::from(first.is_some_and(|first| failure.index >= first));
        failure
    });
    let moved: Vec<_> = moved.collect();
    spared.into_iter().chain(moved).collect()
}

impl MessageQueue for Scripted {
    forward!(self.queue: url is_fifo visibility_timeout clock limits send report_failure);

    async fn receive(&self, mut request: ReceiveRequest) -> Result<Vec<ReceivedMessage>, MessageQueueError> {
        if !self.restores {
            request.max_messages_per_group = None;
        }
        let (max, wait) = (request.max_messages, request.wait_time.as_secs());
        self.calls.write(format!("receive {max} for {wait} s"));
        let reply = self.before(Verb::Receive).await?;
        let result = MessageQueue::receive(&self.queue, request).await;
        self.answer(reply, result).await
    }

    async fn delete(&self, messages: &[ReceivedMessage]) -> Result<Vec<EntryFailure>, MessageQueueError> {
        self.calls.write(format!("delete {}", bodies(messages)));
        let reply = self.before(Verb::Delete).await?;
        let (messages, spared) = spare(reply, messages);
        let result = MessageQueue::delete(&self.queue, &messages).await;
        self.answer(reply, result.map(|others| merge(spared, others))).await
    }

    async fn change_visibility(
        &self,
        messages: &[ReceivedMessage],
        timeout: Duration,
    ) -> Result<Vec<EntryFailure>, MessageQueueError> {
        self.calls.write(format!("hide {} for {timeout:?}", bodies(messages)));
        let reply = self.before(Verb::Visibility).await?;
        let (messages, spared) = spare(reply, messages);
        let result = MessageQueue::change_visibility(&self.queue, &messages, timeout).await;
        self.answer(reply, result.map(|others| merge(spared, others))).await
    }

    fn restores_receive_count(&self) -> bool {
        self.restores
    }

    async fn release(&self, messages: &[ReceivedMessage]) -> Result<Vec<EntryFailure>, MessageQueueError> {
        if !self.restores {
            return self.change_visibility(messages, Duration::ZERO).await;
        }
        self.calls.write(format!("release {}", bodies(messages)));
        let reply = self.before(Verb::Visibility).await?;
        let (messages, spared) = spare(reply, messages);
        let result = MessageQueue::release(&self.queue, &messages).await;
        self.answer(reply, result.map(|others| merge(spared, others))).await
    }

    async fn postpone(
        &self,
        messages: &[ReceivedMessage],
        delay: Duration,
    ) -> Result<Vec<EntryFailure>, MessageQueueError> {
        if !self.restores {
            return self.change_visibility(messages, delay).await;
        }
        self.calls.write(format!("postpone {} for {delay:?}", bodies(messages)));
        let reply = self.before(Verb::Visibility).await?;
        let (messages, spared) = spare(reply, messages);
        let result = MessageQueue::postpone(&self.queue, &messages, delay).await;
        self.answer(reply, result.map(|others| merge(spared, others))).await
    }

    async fn counts(&self) -> Result<MessageCounts, MessageQueueError> {
        self.calls.write("count");
        let scripted = self.counts.lock().unwrap().pop_front();
        match scripted {
            Some(counts) => counts.map_err(error),
            None => MessageQueue::counts(&self.queue).await,
        }
    }

    async fn dead_letter(&self, message: &ReceivedMessage, reason: &str) -> Result<(), MessageQueueError> {
        self.calls.write(format!("dead letter {}: {reason}", message.body()));
        let reply = self.before(Verb::DeadLetter).await?;
        let result = MessageQueue::dead_letter(&self.queue, message, reason).await;
        self.answer(reply, result).await
    }
}
