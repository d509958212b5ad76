//! [`FaultyQueue`] as a [`MessageQueue`](crate::backend::MessageQueue).

use {
    super::{
        calls::succeeded,
        faulty::FaultyQueue,
        net::{Act, Begun, CallKind},
        wire::{Arrived, CallError},
    },
    crate::{
        backend::{
            EntryFailure, ErrorKind, MessageCounts, MessageQueue, MessageQueueError, QueueLimits, ReceiveRequest,
            ReceivedMessage, each, receive_from,
        },
        clock::Clock,
        message::{MessageId, SendMessage},
        queue::Message,
    },
    std::{error::Error, sync::Arc, time::Duration},
};

impl<E: Error + Into<Self>> From<CallError<E>> for MessageQueueError {
    fn from(error: CallError<E>) -> Self {
        let (code, text) = (error.code(), error.to_string());
        match error {
            CallError::Refused(error) => error.into(),
            _ => Self::new(ErrorKind::Transient, code.unwrap_or("RequestTimeout"), text),
        }
    }
}

/// As over a network: answers get lost, calls come late, and a stop waits for the answer to a receive.
///
/// A call for several messages meets one fault, as a batch does. Counting messages and moving one to the dead-letter
/// queue meets none. A receive waits for a message until its wait is over, unless a fault answers before.
///
/// # Examples
/// A runner whose jobs are all done, whatever strikes:
/// ```
/// use requeue::{ManualClock, Queue, testing::{Faults, FaultyQueue}, worker::{Job, Runner}};
///
/// let clock = ManualClock::default();
/// let jobs = Queue::standard("jobs").clock(clock.clone()).build()?;
/// let _ = jobs.send_batch(["resize cat.png", "resize dog.png"])?;
/// let faulty = FaultyQueue::new(&jobs, &clock, Faults::everyday(), 7)?;
/// let runner = Runner::builder(&faulty).until_none_left().each_async(|_: Job| async { Ok::<_, String>(()) })?;
/// let report = pollster::block_on(clock.run_until(runner.run()))?;
/// assert!(report.succeeded >= 2 && jobs.snapshot().messages.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
impl MessageQueue for FaultyQueue {
    fn url(&self) -> &str {
        self.queue().url()
    }

    fn is_fifo(&self) -> bool {
        self.queue().is_fifo()
    }

    fn visibility_timeout(&self) -> Duration {
        MessageQueue::visibility_timeout(self.queue())
    }

    fn clock(&self) -> Arc<dyn Clock> {
        self.queue().clock()
    }

    fn limits(&self) -> QueueLimits {
        MessageQueue::limits(self.queue())
    }

    fn restores_receive_count(&self) -> bool {
        true
    }

    async fn send(&self, message: SendMessage) -> Result<(), MessageQueueError> {
        self.send_awaited(message).await.map(drop).map_err(Into::into)
    }

    async fn receive(&self, request: ReceiveRequest) -> Result<Vec<ReceivedMessage>, MessageQueueError> {
        let messages = self.receive_awaited(receive_from(self.queue(), &request), None).await?;
        Ok(messages.into_iter().map(ReceivedMessage::from).collect())
    }

    async fn delete(&self, messages: &[ReceivedMessage]) -> Result<Vec<EntryFailure>, MessageQueueError> {
        let ids = ids(messages);
        let begun = self.calls().begin_awaited(CallKind::Delete, Some(messages.len())).await;
        let arrived = ids.iter().flatten().next().copied().map(Arrived::Delete);
        let result = self.carry((begun, arrived), messages, |message| Ok(message.delete()?));
        let deleted = successful(&ids, &result);
        let attempted: Vec<_> = ids.into_iter().flatten().collect();
        let (deleted, attempted) = (&deleted[..], &attempted[..]);
        let act = Act::Delete {
            messages: deleted,
            attempted,
        };
        self.calls().end_awaited(begun, &act, &result).await;
        let failures = result?;
        let failed = |index| failures.iter().any(|failure| failure.index == index);
        let deleted = messages.iter().enumerate().filter(|it| !failed(it.0));
        for message in deleted.filter_map(|it| it.1.embedded()) {
            self.wire().deleted(message);
        }
        Ok(failures)
    }

    async fn change_visibility(
        &self,
        messages: &[ReceivedMessage],
        timeout: Duration,
    ) -> Result<Vec<EntryFailure>, MessageQueueError> {
        let call = move |message: &Message| Ok(message.change_visibility(timeout)?);
        self.hide(messages, timeout, "hides", call).await
    }

    async fn release(&self, messages: &[ReceivedMessage]) -> Result<Vec<EntryFailure>, MessageQueueError> {
        MessageQueue::postpone(self, messages, Duration::ZERO).await
    }

    async fn postpone(
        &self,
        messages: &[ReceivedMessage],
        delay: Duration,
    ) -> Result<Vec<EntryFailure>, MessageQueueError> {
        let own = messages.iter().filter_map(ReceivedMessage::embedded);
        own.for_each(|message| self.wire().forget(message.message_id()));
        let verb = if delay.is_zero() { "releases" } else { "postpones" };
        self.hide(messages, delay, verb, move |message| Ok(message.postpone(delay)?))
            .await
    }

    async fn counts(&self) -> Result<MessageCounts, MessageQueueError> {
        MessageQueue::counts(self.queue()).await
    }

    async fn dead_letter(&self, message: &ReceivedMessage, reason: &str) -> Result<(), MessageQueueError> {
        MessageQueue::dead_letter(self.queue(), message, reason).await
    }

    fn report_failure(&self, message: &ReceivedMessage, reason: &str) {
        MessageQueue::report_failure(self.queue(), message, reason);
    }
}

impl FaultyQueue {
    async fn hide(
        &self,
        messages: &[ReceivedMessage],
        timeout: Duration,
        verb: &'static str,
        call: impl Fn(&Message) -> Result<(), MessageQueueError> + Send + 'static,
    ) -> Result<Vec<EntryFailure>, MessageQueueError> {
        let begun = self
            .calls()
            .begin_awaited(CallKind::Visibility, Some(messages.len()))
            .await;
        let ids = ids(messages);
        let arrived = ids.iter().flatten().next().copied().map(Arrived::Visibility);
        let result = self.carry((begun, arrived), messages, call);
        let changed = successful(&ids, &result);
        let all = messages.iter().filter_map(ReceivedMessage::embedded);
        let all = all.map(|message| (message.message_id(), Some(message.approximate_receive_count())));
        let (messages, failed): (Vec<_>, Vec<_>) = all.partition(|it| changed.contains(&it.0));
        self.calls()
            .end_awaited(
                begun,
                &Act::Hide {
                    messages: &messages,
                    failed: &failed,
                    timeout,
                    verb,
                },
                &result,
            )
            .await;
        Ok(result?)
    }

    /// A call for up to ten messages, which one fault strikes: all of it, or one entry.
    fn carry(
        &self,
        (begun, arrived): (Begun, Option<Arrived>),
        messages: &[ReceivedMessage],
        call: impl Fn(&Message) -> Result<(), MessageQueueError> + Send + 'static,
    ) -> Result<Vec<EntryFailure>, CallError<MessageQueueError>> {
        let messages = messages.to_vec();
        self.wire().carry(begun.fault, arrived, move |_| {
            each(&messages, |index, message| match begun.entry {
                Some(entry) if entry == index => {
                    let text = "a fault of the testing kit";
                    Err(MessageQueueError::new(ErrorKind::Transient, "InternalError", text))
                }
                _ => call(message),
            })
        })
    }
}

fn ids(messages: &[ReceivedMessage]) -> Vec<Option<MessageId>> {
    messages
        .iter()
        .map(|message| message.embedded().map(Message::message_id))
        .collect()
}

/// Those whose entries succeeded; all of them if there is no answer for each.
fn successful(
    ids: &[Option<MessageId>],
    result: &Result<Vec<EntryFailure>, CallError<MessageQueueError>>,
) -> Vec<MessageId> {
    succeeded(ids, |index| {
        result.iter().flatten().any(|failure| failure.index == index)
    })
}
